/* door.h: how ballots get to servers: over REST or gRPC, on one loop.
 *
 * A door takes ballots as long as it has room (look at the end of each turn of the loop) and brings
 * for each an answer, exactly once, never inside the call that sent it. A connection that ends, or
 * a server that says nothing for DOOR_TIMEOUT_MS, is an answer, too: CAST_UNKNOWN. Connections are
 * opened again by themselves, with pauses; a server that cannot be reached is left alone meanwhile
 * and the others are asked. One owner thread, the loop's. */
#ifndef CAUCUS_ELECTORATE_DOOR_H
#define CAUCUS_ELECTORATE_DOOR_H

#include "election_client/servers.h"
#include "electorate/crowd.h"
#include "tls/context.h"

enum {
    DOOR_TIMEOUT_MS = 10000,
    DOOR_REOPEN_MS = 250,
    DOOR_VOTER_BYTES_MAX = 64,
};

struct door_options {
    struct loop *loop;
    const struct election_info *election;
    const struct servers *servers; /* borrowed */
    struct tls_context *tls;       /* NULL: plain text; for gRPC made with alpn "h2" */
    /* Of each state, to make what its voters show (election/credential.h); NULL: nothing. */
    const struct hmac_key *credentials;
    uint32_t connections; /* in all */
    uint32_t in_flight;   /* of all connections; REST has one on each */
    void (*on_answer)(void *arg, uint32_t slot, enum cast_outcome outcome, int32_t server);
    void *arg;
};

struct door_counts {
    uint32_t open;     /* connections */
    uint64_t broken;   /* connections that ended by themselves, or could not be opened */
    char trouble[256]; /* the last of it */
};

struct door;

struct door_ops {
    void (*send)(struct door *d, const struct errand *e); /* room > 0 */
    void (*close)(struct door *d); /* all connections; the loop has to run on until they are gone */
    void (*free)(struct door *d);
};

struct door {
    const struct door_ops *ops;
    struct door_options o;
    struct door_counts counts;
    uint32_t room;         /* ballots that may be sent now */
    struct buf credential; /* of the last one that was sent */
};

struct door *rest_door_open(const struct door_options *o);
struct door *grpc_door_open(const struct door_options *o);

/* The id of a voter on the roll by rule. Returns its length. */
size_t door_voter(const struct election_info *e, const struct ballot *b,
                  char ret[DOOR_VOTER_BYTES_MAX]);
/* What the voter shows; len 0: nothing. Valid until the next call. */
struct slice door_credential(struct door *d, const struct ballot *b);
void door_deinit(struct door *d);

#endif
