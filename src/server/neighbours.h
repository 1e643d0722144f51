/* neighbours.h: what the other servers of the ensemble say of themselves, for the console.
 *
 * Each is asked `srvr` at its client port, one connection each, only when neighbours_ask is called;
 * whoever has not answered by then is given up. An address comes from the configuration alone: of a
 * server line without one, it is the server's host and our own client port, unless two servers
 * share a host. An answer is read up to NEIGHBOUR_ANSWER_BYTES_MAX. T0, the loop's. */
#ifndef CAUCUS_SERVER_NEIGHBOURS_H
#define CAUCUS_SERVER_NEIGHBOURS_H

#include "console/srvr.h"
#include "io/loop.h"
#include "wire/quorum.h"

enum {
    NEIGHBOUR_ANSWER_BYTES_MAX = 4096,
    NEIGHBOUR_CONNECT_MS_MAX = 1500,
};

struct neighbour {
    const char *why; /* NULL = what it said holds; else why nothing is known now */
    int64_t told_ms; /* monotonic: when it said it */
    struct srvr said;
};

struct neighbours;

struct neighbours *neighbours_create(struct loop *l);
void neighbours_free(struct neighbours *n);

/* Asks all of `config` but `self`; who is not in it any more is forgotten. */
void neighbours_ask(struct neighbours *n, const struct quorum *config, int64_t self,
                    int client_port);
const struct neighbour *neighbours_find(const struct neighbours *n, int64_t sid); /* may be NULL */

/* Where that server's clients go: false = nobody knows. The host is the configuration's. */
bool neighbour_address(const struct quorum *config, const struct quorum_server *s, int client_port,
                       const char **ret_host, int *ret_port);

#endif
