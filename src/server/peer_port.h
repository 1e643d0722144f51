/* peer_port.h: a port on which other servers of the ensemble come: at each of our own addresses, or
 * at every address of the machine (quorumListenOnAllIPs).
 *
 * Names are looked up off the loop, and anew at each attempt. What cannot be bound is tried again
 * each second, `retries` times (electionPortBindRetry; 0 = for ever), then on_failed is called. One
 * owner thread, the loop's. */
#ifndef CAUCUS_SERVER_PEER_PORT_H
#define CAUCUS_SERVER_PEER_PORT_H

#include "io/connect.h"
#include "io/listen.h"

enum {
    PEER_PORT_RETRY_MS = 1000
};

struct peer_port_options {
    const char *what; /* "election", "quorum": for the log */
    int retries;
    bool all_addresses;
    void (*on_accept)(void *arg, int fd, const struct sockaddr *peer);
    void (*on_failed)(void *arg, const char *reason); /* from the loop */
    void *arg;
};

struct peer_port;

struct peer_port *peer_port_open(struct loop *l, const struct peer_port_options *options);
/* Listens there from now on, and nowhere else. Literal addresses at once. */
void peer_port_listen(struct peer_port *p, const struct connect_target *addresses, size_t count);
/* On how many of the addresses it listens by now. */
size_t peer_port_bound(const struct peer_port *p);
void peer_port_close(struct peer_port *p); /* NULL is fine */

#endif
