/* fan.h: one short message to each of very many connections, shared among threads.
 *
 * Telling 10,000 watchers is 10,000 sends, nearly all of it the system's work on sockets that have
 * nothing to do with each other: as many processors as there are can do it at once. The caller's
 * thread works too and waits for the others, so that nobody else touches a connection or its bytes
 * meanwhile; between two calls the others sleep. Order is kept on each connection (it has one entry
 * in a call); between connections there is none to keep. */
#ifndef CAUCUS_IO_FAN_H
#define CAUCUS_IO_FAN_H

#include <stddef.h>
#include <sys/types.h>

struct conn;
struct fan;

enum {
    FAN_SENDS_MIN = 512, /* below it, waking somebody costs more than it brings */
};

struct fan_send {
    struct conn *conn; /* conn_sends_at_once is true */
    const void *bytes;
    size_t len;
    ssize_t sent; /* layer_tcp_send's answer, for conn_sent */
    int fd;       /* the connection's: nothing else of it is looked at */
};

/* Helpers start at the first call: one for each processor that this process may use beside the
 * caller's, at most three. Without any (one processor, no thread to be had) the caller does it
 * all. */
struct fan *fan_create(void);
void fan_destroy(struct fan *f); /* NULL is allowed */

/* Returns when each of them was tried. */
void fan_out(struct fan *f, struct fan_send *sends, size_t count);

#endif
