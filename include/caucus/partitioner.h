/* partitioner.h: partitions (queues, shards, tenants) are divided among the members of a group.
 *
 * Each partition is held by one member at a time, by a lock of its own: a node at the head of a
 * line, as in election.h, with a token that rises whenever it is taken. Members that come or go
 * make all of them divide anew. The states are those of kazoo's SetPartitioner:
 *
 *   ALLOCATING --> ACQUIRED --> RELEASE --> ALLOCATING
 *       ^              |            |
 *       +-- FAILURE <--+------------+
 *
 *   ALLOCATING  Nothing may be worked on. When the group has been quiet for settle_ms, this member
 *               claims its part (each n-th of the partitions in their order, beginning with its
 *               own place among the n members), and waits until others have released it
 *   ACQUIRED    This member holds the partitions it was told with, perhaps none
 *   RELEASE     The group has changed. What is held is still held: stop working on it, and then
 *               call caucus_partitioner_release. Until then nobody else can have it
 *   FAILURE     What was held is not held any more: stop at once. Told with why, and followed by
 *               ALLOCATING: unlike kazoo's, it goes on by itself as soon as it can
 *
 * What is guaranteed: no partition is held by two members at once, as each of them sees it before
 * its own deadline, under the assumptions of policy.h. That is all that a lock can give; what is
 * written to must refuse tokens that are smaller than one it has seen.
 *   disconnection   CAUCUS_STRICT: FAILURE at SUSPENDED. CAUCUS_UNTIL_LOST: at the deadline of
 *                   policy.h
 *   pause           caucus_partitioner_token says 0 from the first moment after it, and FAILURE
 *                   comes before any other news
 *   expiry          FAILURE; then this is another member
 * Members may know different sets; each divides those partitions that it knows. Members that see
 * the group differently for a while wait for each other, they do not share.
 *
 * Callbacks run where those of the client run (caucus.h). Work belongs into other threads. */
#ifndef CAUCUS_CAUCUS_PARTITIONER_H
#define CAUCUS_CAUCUS_PARTITIONER_H

#include "caucus/caucus.h"
#include "caucus/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CAUCUS_PARTITIONS_MAX = 4096
};

struct caucus_partitioner; /* one member */

enum caucus_partition_state {
    CAUCUS_PARTITION_ALLOCATING = 1,
    CAUCUS_PARTITION_ACQUIRED,
    CAUCUS_PARTITION_RELEASE,
    CAUCUS_PARTITION_FAILURE,
    CAUCUS_PARTITION_TROUBLE /* no state, it stays as it was: an error of a server; tried again */
};

struct caucus_partition {
    const char *name;
    int64_t token;
};

struct caucus_partition_change {
    enum caucus_partition_state state;
    const struct caucus_partition
        *partitions; /* ACQUIRED, RELEASE: what is held, in order of names */
    size_t count;
    int rc; /* FAILURE: as with CAUCUS_DISMISSED in election.h. TROUBLE: the error */
};

typedef void caucus_partitioner_fn(void *context, struct caucus_partitioner *p,
                                   const struct caucus_partition_change *change);

struct caucus_partitioner_options {
    const void *identity; /* the data of the member's node, for those who list them */
    size_t identity_bytes;
    enum caucus_policy policy; /* 0: CAUCUS_STRICT */
    int64_t settle_ms;         /* how long the group has to be quiet; 0: 1,000; -1: not at all */
    const struct caucus_acl
        *acl; /* of nodes that are made; acl_count 0: everybody may everything */
    size_t acl_count;
    caucus_partitioner_fn *on_change; /* not NULL */
    void *context;
};

/* Becomes a member of the group at this path (the path and its parents are made if they are
 * missing, as containers), now or when there is a session, and until it is closed. It begins with
 * ALLOCATING. The names of partitions are names of nodes (no slash), each once. Everything is
 * copied. The first callback may come before this returns. Errors: CAUCUS_BADARGUMENTS,
 * CAUCUS_CLOSING. */
CAUCUS_API int caucus_partitioner_open(struct caucus *c, const char *path, const char *const *names,
                                       size_t count,
                                       const struct caucus_partitioner_options *options,
                                       struct caucus_partitioner **ret);

/* No member any more; what is held is released, FAILURE with CAUCUS_CLOSING is told (if anything
 * was acquired) before this returns, and no callback comes after it. Nodes are deleted in the
 * background. From any thread and at any time, before or after caucus_close of the client. On the
 * thread of the callbacks nothing is waited for; in a callback of this partitioner no other comes.
 * NULL is fine. */
CAUCUS_API void caucus_partitioner_close(struct caucus_partitioner *p);

/* After RELEASE: nobody works on what was held any more. In other states it does nothing. From any
 * thread. */
CAUCUS_API void caucus_partitioner_release(struct caucus_partitioner *p);

/* As of this moment: the token with which this member holds the partition, in the states ACQUIRED
 * and RELEASE; otherwise 0. May say 0 before FAILURE comes, and never says more after the deadline.
 * From any thread. */
CAUCUS_API int64_t caucus_partitioner_token(struct caucus_partitioner *p, const char *name);

/* As it was told last. */
CAUCUS_API enum caucus_partition_state caucus_partitioner_state(struct caucus_partitioner *p);

/* Waits until the state is ACQUIRED, at most timeout_ms (-1: for ever). Errors:
 * CAUCUS_OPERATIONTIMEOUT, CAUCUS_CLOSING, CAUCUS_WOULDBLOCK. */
CAUCUS_API int caucus_partitioner_await(struct caucus_partitioner *p, int64_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
