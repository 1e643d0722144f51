/* lookup.h: a host's name to addresses, without stopping anybody.
 *
 * A literal address is known at once. A name is looked up by a thread of its own, because the
 * system's call may take many seconds; nothing is kept, so that a host that moved is found. The
 * thread cannot be stopped: a lookup that nobody wants any more ends by itself. */
#ifndef CAUCUS_CLIENT_IO_LOOKUP_H
#define CAUCUS_CLIENT_IO_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include <netinet/in.h>
#include <sys/socket.h>

enum {
    LOOKUP_ADDRESSES_MAX = 16,
    LOOKUP_ERROR_BYTES = 128
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct addresses {
    union address list[LOOKUP_ADDRESSES_MAX];
    size_t count;                   /* 0: failed */
    char error[LOOKUP_ERROR_BYTES]; /* why */
};

struct lookup;

socklen_t address_bytes(const union address *a);
/* False: it is a name. */
bool lookup_literal(const char *host, int port, struct addresses *ret);

/* NULL: the system refused; errno says why. */
struct lookup *lookup_start(const char *host, int port);
/* Readable when it is done. */
int lookup_fd(const struct lookup *l);
/* False: not done yet. */
bool lookup_done(struct lookup *l, struct addresses *ret);
/* The caller's part of it; done or not. NULL is fine. */
void lookup_release(struct lookup *l);

#endif
