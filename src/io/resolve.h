/* resolve.h: names to addresses, without stopping the loop.
 *
 * A literal address is known at once; a name is looked up on a thread of its own, since the
 * system's call may take many seconds, and nobody else's lookup shall wait behind it. Nothing is
 * kept: each attempt looks anew, so a peer that moved is found. IPv4 addresses come first, as in
 * Java. */
#ifndef CAUCUS_IO_RESOLVE_H
#define CAUCUS_IO_RESOLVE_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/err.h"
#include "io/loop.h"

enum {
    RESOLVE_ADDRESSES_MAX = 8 /* of one name */
};

/* Both kinds of addresses, with the port. */
union resolve_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct resolver;
/* `count` 0: it failed, `err` says why. */
typedef void resolve_done(void *arg, const union resolve_address *addresses, size_t count,
                          const struct err *err);

bool resolve_literal(const char *host, int port, union resolve_address *ret);
socklen_t resolve_address_bytes(const union resolve_address *a);

/* `done` is called once, from the loop, never from inside. */
struct resolver *resolve_start(struct loop *l, const char *host, int port, resolve_done *done,
                               void *arg);
/* `done` will not be called. NULL is fine; not after `done`. */
void resolve_cancel(struct resolver *r);

#endif
