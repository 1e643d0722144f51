/* election_grpc.h: the door for gRPC: votes, the committee's commands, results as they change.
 *
 *   election.v1.Voting         Cast, CastStream                  proto/election/v1/election.proto
 *   election.v1.Committee      Start, Stop, Status, GlobalStatus, WatchResults, Recount
 *   election.v1.Transparency   Checkpoint, Inclusion, Consistency
 *   protos.ElectionsServer     the original's, mapped onto these  proto/protos/elections.proto
 *   grpc.health.v1.Health      Check, Watch: "" and every service: SERVING when the service is
 * ready grpc.reflection.v1.ServerReflection, and v1alpha
 *
 * It translates and decides nothing, but for who asks: results are shown to everybody only if the
 * election is live or over, commands and recounts are taken only from the committee. No line of a
 * log is written here, so none can name a voter or a choice.
 *
 * Outcomes become statuses as the table in README.md says. A failed call has the outcome's name in
 * its trailer "caucus-outcome", and in "caucus-retry-after-ms" when to come again.
 *
 * Bounds: those of grpc.h; connections_max connections, more are closed at once; streams_max calls
 * of each, calls_max of all; requests of 4 KiB; a CastStream is read as fast as its votes are
 * decided, in_flight_max at a time, and not while 1 MiB of its answers are unread; who reads
 * WatchResults slowly misses states in between, not the last. What waits for clients, or
 * from them, is kept_bytes_max for all of them; who takes too much of it loses his calls (grpc.h).
 *
 * Everything runs on the loop it was started with, in its thread. */
#ifndef CAUCUS_ELECTION_GRPC_ELECTION_GRPC_H
#define CAUCUS_ELECTION_GRPC_ELECTION_GRPC_H

#include "base/err.h"
#include "election/service.h"
#include "io/loop.h"
#include "tls/context.h"

enum {
    ELECTION_GRPC_REQUEST_BYTES_MAX = 4096,
};

struct election_grpc_options {
    const char *address; /* NULL: all of this machine */
    int port;            /* 0: any free one, election_grpc_port says which */

    /* A server's, made with alpn "h2", and client_auth if there is to be a committee. Must live as
     * long as the door; NULL: plain text. A certificate whose subject has the organizational unit
     * "committee" is the committee's. */
    struct tls_context *tls;
    /* Commands and hidden counts for everybody: demonstrations only. */
    bool committee_open;

    uint32_t connections_max; /* 0 = 10,000 */
    uint32_t streams_max;     /* of a connection at a time; 0 = 10,000 */
    uint32_t in_flight_max;   /* votes of one CastStream; 0 = 8,192 */
    uint32_t calls_max;       /* of all connections; 0 = 100,000 (grpc.h: in equal shares) */
    size_t kept_bytes_max;    /* likewise; 0 = 256 MiB */
};

struct election_grpc;

/* Listens and answers from now on. ERR_INVALID (an address), ERR_IO (a port that is taken). */
int election_grpc_start(struct loop *loop, struct service *service,
                        const struct election_grpc_options *options, struct election_grpc **ret,
                        struct err *err);
int election_grpc_port(const struct election_grpc *g);

/* Takes nothing new, tells clients to go elsewhere, lets what is under way end for drain_ms, and
 * ends the rest. `stopped`, which may be NULL, is the last: all connections are closed and the
 * service has called back for what was asked of it, which has to live until then. Once. */
void election_grpc_stop(struct election_grpc *g, int64_t drain_ms, void (*stopped)(void *arg),
                        void *arg);

#endif
