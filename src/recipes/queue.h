/* queue.h: a place in a queue of ephemeral sequential nodes; the first holds what is queued for.
 *
 * The core of election, locks and semaphores. A machine (machine.h):
 *
 *   (no node) -> ENTER -> CHECK own node -> LIST -> PEEK at the one ahead -> wait
 *       ^                                     |  ^                             |
 *       |                           first: holds  +--- gone, or changed -------+
 *       +---------- LEAVE <-- given up -------+
 *
 * A queue that is `once` holds at most once: after that it takes no other place. One that is kept
 * out takes none until it is let in.
 *
 * Invariants:
 *  1. At most one request is in flight, and at most one watch is set on the place ahead and one on
 *     our own. What comes for an earlier place (another serial) is void.
 *  2. It is held only while the guard says so (guard.h). The guard is asked at every input, by a
 *     deadline of its own, and by whoever asks from another thread: nobody is told "yes" by a
 *     machine that is late.
 *  3. What was given up is never taken again with the same node: it is deleted, and the next place
 *     has another name and a greater token.
 *  4. A node is deleted by its whole name, with its uuid, until the server says that it is gone, or
 *     its session is over. That goes on after the user has closed.
 *  5. Nodes are watched, not lists: the end of one wakes the one behind it. Only QUEUE_RANK watches
 *     the list, and is for queues in which one waits at a time.
 *
 * Memory: the machine's references; it stands in the owner's memory. */
#ifndef CAUCUS_RECIPES_QUEUE_H
#define CAUCUS_RECIPES_QUEUE_H

#include "caucus/policy.h"
#include "recipes/machine.h"
#include "recipes/protect.h"

struct queue;

/* What is written into a node to ask who holds it to give it up; Curator's word. */
#define QUEUE_REVOKE "__REVOKE__"

/* What the owner is told, on the event thread. It may close the queue there. */
struct queue_calls {
    void (*first)(struct queue *q);        /* it is held; q->token and q->path are set */
    void (*over)(struct queue *q, int rc); /* it is not held any more, or ended (queue_end) */
    void (*trouble)(struct queue *q, int rc);
    void (*free)(struct queue *q); /* the last reference is gone, from whatever thread */

    /* These may be NULL. */
    void (*waits)(struct queue *q);  /* somebody has to go first; may come again */
    void (*asked)(struct queue *q);  /* somebody asks to give up what is held */
    void (*closed)(struct queue *q); /* by the user, or with the client; once */
};

/* Who holds. */
enum queue_rule {
    QUEUE_FIRST = 0,
    QUEUE_UNSHARED, /* who has none before him but those that share (place_is_shared) */
    QUEUE_RANK,     /* the first `limit` */
};

struct queue_options {
    const char *parent;
    const char *label;
    const void *data;
    size_t data_bytes;
    const struct caucus_acl *acl;
    size_t acl_count;
    enum caucus_policy policy;
    enum queue_rule rule;
    bool is_once;
    bool is_kept_out; /* at first */
};

struct queue {
    struct machine m; /* first */
    const struct queue_calls *calls;
    char *parent;
    const char *label; /* a constant */
    void *data;
    struct caucus_acl *acl;
    enum caucus_policy policy;
    enum queue_rule rule;
    bool is_once;

    /* The event thread's. */
    struct protect entry;
    char *path;                   /* of our node; NULL: none that we know of */
    int64_t owner;                /* the session whose node it is; 0: not known yet */
    int64_t token;                /* its czxid */
    int64_t asked_zxid;           /* of the last request to give it up */
    int64_t told_zxid;            /* ... that was told */
    size_t limit;                 /* QUEUE_RANK */
    struct machine_watch *ahead;  /* set on the place before ours; NULL: none */
    struct machine_watch *own;    /* set on our own; NULL: none */
    struct machine_flight flight; /* its serial: of this place */
    bool has_deadline;            /* a call at the guard's deadline is on its way */
    bool look_own;                /* our node has to be looked at */
    bool look_line;               /* ... and who is ahead */
    bool is_left;                 /* our node has to go */
    bool is_yielding;             /* the user gives up what is held */
    bool is_kept_out;             /* no place is taken for now */
    bool is_over;                 /* no other place is taken; the owner was told */

    bool holds;         /* the machine's lock */
    int64_t held_by;    /* likewise: session */
    int64_t held_token; /* likewise */
    int over_rc;        /* likewise: why it is over, 0: it is not */
};

/* Sets up what stands in the owner's memory, with one reference. Errors: CAUCUS_BADARGUMENTS. */
int queue_init(struct queue *q, const struct queue_calls *calls, struct caucus *c,
               const struct queue_options *o);
void queue_deinit(struct queue *q);
/* Begins; from any thread. Errors: CAUCUS_CLOSING. */
int queue_start(struct queue *q);
void queue_start_here(struct queue *q); /* on the event thread */
/* Drops the user's reference. See caucus_election_close. */
void queue_close(struct queue *q);
/* Gives up what is held, and queues again. From any thread. */
void queue_yield(struct queue *q);

/* On the event thread. */
void queue_let_in(struct queue *q, size_t limit);
void queue_keep_out(struct queue *q);    /* a place that it has is given away */
void queue_end(struct queue *q, int rc); /* of one that is `once`, held or not; tells `over` */
bool queue_is_first(const struct queue *q);
/* Calls the user in the name of this queue: in it, nothing else is told of it. */
void queue_tell(struct queue *q, caucus_run_fn *call, void *context);

/* From any thread: calls this on the event thread with the queue, and a reference that it drops;
 * not when it is too late. */
void queue_run(struct queue *q, caucus_run_fn *run);

/* One more reference, and one less. */
static inline void queue_hold(struct queue *q)
{
    machine_hold(&q->m);
}
static inline void queue_drop(struct queue *q)
{
    machine_drop(&q->m);
}

/* From any thread: the token, or 0. */
int64_t queue_held(struct queue *q);
/* 0, CAUCUS_OPERATIONTIMEOUT, CAUCUS_CLOSING, CAUCUS_WOULDBLOCK, or why it is over. timeout_ms -1:
 * no bound. */
int queue_await(struct queue *q, int64_t timeout_ms, int64_t *ret_token);

#endif
