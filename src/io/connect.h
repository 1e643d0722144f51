/* connect.h: an outgoing connection to a peer that may have several names and addresses.
 *
 * Every name is resolved anew (resolve.h). The addresses are tried in order; the next one begins
 * when the one before has failed, or has not answered for CONNECT_STAGGER_MS. The first that works
 * wins, the others are closed. One owner thread, the loop's. */
#ifndef CAUCUS_IO_CONNECT_H
#define CAUCUS_IO_CONNECT_H

#include "io/resolve.h"

enum {
    CONNECT_TARGETS_MAX = 16,
    CONNECT_ATTEMPTS_MAX = 32,
    CONNECT_STAGGER_MS = 50,
    CONNECT_REFUSED = -2,
};

struct connect_target {
    const char *host;
    int port;
};

struct connector;
/* fd: connected and non-blocking, the callee's; -1 = none of them answered, `err` says why;
 * CONNECT_REFUSED = each of them answered that nobody listens there. */
typedef void connect_done(void *arg, int fd, const struct err *err);

/* `done` is called once, from the loop, never from inside. Targets are copied; those past
 * CONNECT_TARGETS_MAX are passed over. */
struct connector *connect_start(struct loop *l, const struct connect_target *targets, size_t count,
                                int64_t timeout_ms, connect_done *done, void *arg);
/* `done` will not be called. NULL is fine; not after `done`. */
void connect_cancel(struct connector *c);

/* For connections between servers: no delay, and a peer that is cut off is noticed after about
 * `dead_ms` of silence, whether we have something to send or not. */
void connect_tune(int fd, int64_t dead_ms);

#endif
