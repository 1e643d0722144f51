/* lock_internal.h: locks as a chain of queues.
 *
 *   before[0] -> before[1] -> ... -> last
 *
 * Each is let in when the one before it is held, so that a lock of several takes them in one order.
 * The last is the lock as its user sees it: it holds once, and while it does all do. Those before
 * it queue again by themselves; when one is lost too early, those behind it leave. A plain lock has
 * none before it; a semaphore's lease has the gate, which is closed once the lease is held.
 *
 * All on the event thread. References: the queues before the last each keep one to the last, with
 * which everything is freed. */
#ifndef CAUCUS_RECIPES_LOCK_INTERNAL_H
#define CAUCUS_RECIPES_LOCK_INTERNAL_H

#include "caucus/lock.h"
#include "recipes/queue.h"

enum lock_phase {
    LOCK_WAITS = 0,
    LOCK_HELD,
    LOCK_ENDED
};

struct lock_link {
    struct queue queue; /* first */
    struct caucus_lock *lock;
    size_t index;  /* in the user's order */
    bool is_open;  /* it has its user's reference */
    bool is_asked; /* before all were held */
};

struct caucus_lock {
    struct lock_link last; /* first */
    struct lock_link *before;
    size_t before_count;
    int64_t *tokens; /* in the user's order; steady while it is held */
    size_t count;
    caucus_lock_fn *on_change;
    void *context;
    enum lock_phase phase;
    bool only_if_free;
    atomic_bool asks; /* to give it up, whoever holds it */
    char *counted;    /* a semaphore's node; NULL: it is no lease */
    int32_t leases;   /* as they were given */
};

/* One queue of the chain, in the order in which they are taken. */
struct lock_part {
    struct queue_options queue;
    size_t index;
};

/* On success it has begun. `counted`: a semaphore's node, or NULL. Errors: CAUCUS_BADARGUMENTS,
 * CAUCUS_CLOSING. */
int lock_open(struct caucus *c, const struct lock_part *parts, size_t part_count,
              const struct caucus_lock_options *o, const char *counted, int32_t leases,
              struct caucus_lock **ret);

void lock_tell(struct caucus_lock *l, const struct caucus_lock_change *change);

/* The gate is held: reads the number of leases, lets the lease in. */
void semaphore_count(struct caucus_lock *l);

/* Writes to those who hold what this queue waits for. */
void lock_ask_holders(struct lock_link *link);

#endif
