/* listen.h: a port on which connections are accepted.
 *
 * When the system has no descriptor left (EMFILE and its kin) accepting pauses for LISTEN_PAUSE_MS
 * and goes on by itself; on_trouble is told once per episode. Freed by listener_close. One owner
 * thread, the loop's. */
#ifndef CAUCUS_IO_LISTEN_H
#define CAUCUS_IO_LISTEN_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/err.h"
#include "io/loop.h"

enum {
    LISTEN_ACCEPTS_PER_TURN = 64,
    LISTEN_PAUSE_MS = 100,
};

struct listener;

struct listener_options {
    const char *address;       /* name or number; NULL = every address, IPv6 and IPv4 */
    const struct sockaddr *at; /* instead of address and port: resolved already; read by the open */
    int port;                  /* 0 = any free one */
    int backlog;               /* <= 0: the system's largest */
    bool keep_alive;           /* SO_KEEPALIVE on what is accepted */
    /* A connected, non-blocking socket: the callee owns it. */
    void (*on_accept)(void *arg, int fd, const struct sockaddr *peer);
    void (*on_trouble)(void *arg,
                       int error); /* accept failed with this errno; 0 = it works again */
    void *arg;
};

int listener_open(struct loop *l, const struct listener_options *options, struct listener **ret,
                  struct err *err);
void listener_close(struct listener *l); /* NULL is fine */

int listener_port(const struct listener *l);

/* The socket alone, for who accepts by himself: of the options only where to listen counts. Its
 * descriptor, or an error. */
int listen_socket(const struct listener_options *options, struct err *err);
int listen_socket_port(int fd);

enum {
    LISTEN_ADDRESS_BYTES = 64
};

/* An address as Java's InetAddress.getHostAddress has it, since it becomes the "ip" identity:
 * dotted IPv4 (also for an IPv4 client of an IPv6 socket), IPv6 as eight groups without leading
 * zeros and without "::". */
void listen_address_text(const struct sockaddr *a, char ret[LISTEN_ADDRESS_BYTES]);
int listen_address_port(const struct sockaddr *a);
/* 16 bytes that are the same for the same host: IPv4 as IPv4-mapped. */
void listen_address_bytes(const struct sockaddr *a, uint8_t ret[16]);

#endif
