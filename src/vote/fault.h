/* fault.h: faults planted in a shard on demand.
 *
 * An explorer that finds nothing proves nothing until it has been seen to find something. Compiled
 * with -DCAUCUS_PLANT each of these can be switched on (shard_plant); otherwise shard_fault is
 * constant false and the compiler drops the branch. Each is a rule of the protocol left out. */
#ifndef CAUCUS_VOTE_FAULT_H
#define CAUCUS_VOTE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#define SHARD_FAULT_MAP(X)                                                                         \
    X(EARLY_ACK, 0, "early-ack")       /* an ack leaves before the records are durable */          \
    X(ONE_COPY, 1, "one-copy")         /* the leader commits what it alone has */                  \
    X(EARLY_ANSWER, 2, "early-answer") /* COMMITTED once enough replicas have it, before Commit */ \
    X(ASSUME, 3, "assume")           /* a Commit write with an unknown outcome is taken as done */ \
    X(NO_PREFIX, 4, "no-prefix")     /* takes over without the records that Commit names */        \
    X(KEEP_SUFFIX, 5, "keep-suffix") /* a new leader goes on behind what was never committed */    \
    X(OLD_EPOCH, 6, "old-epoch")     /* a deposed leader is listened to */                         \
    X(CUT_ON_READ, 7, "cut-on-read") /* what is above Commit is forgotten when it is read */       \
    X(NO_CUT, 8, "no-cut")           /* commits do not ask whether the election is open */         \
    X(FORGET_PENDING, 9, "forget-pending") /* retries are compared with committed votes only */    \
    X(OWN_END, 10, "own-end")         /* a follower counts its whole log, not what Commit says */  \
    X(BLIND_ACK, 11, "blind-ack")     /* acks count whatever epoch and chain they name */          \
    X(OLD_SEAT, 12, "old-seat")       /* a restarted leader goes on in its epoch */                \
    X(BLIND_ADMIT, 13, "blind-admit") /* a loss is admitted of a Commit that people did not see */ \
    X(KEPT_END, 14, "kept-end")       /* whatever is in a log remains, of whatever epoch */        \
    X(NO_ASIDE, 15, "no-aside")       /* what was given up is cut before it is put aside */        \
    X(OVERLOOK_LOSS, 16, "overlook-loss") /* who was away goes on behind a loss as before */       \
    X(TAIL_GOES, 17, "tail-goes")         /* ... and what it did not know to be committed goes */

enum shard_fault {
#define SHARD_FAULT_ENUM(name, bit, text) SHARD_FAULT_##name = 1 << (bit),
    SHARD_FAULT_MAP(SHARD_FAULT_ENUM)
#undef SHARD_FAULT_ENUM
};

struct shard;

#ifdef CAUCUS_PLANT
void shard_plant(struct shard *s, uint32_t mask);
bool shard_fault(const struct shard *s, enum shard_fault fault);
#else
static inline bool shard_fault(const struct shard *s, enum shard_fault fault)
{
    (void)s;
    (void)fault;
    return false;
}
#endif

#endif
