/* queue_user.c: the queue as other threads see it. */
#include "recipes/guard.h"
#include "recipes/queue.h"

int queue_start(struct queue *q)
{
    return machine_start(&q->m);
}

void queue_start_here(struct queue *q)
{
    machine_start_here(&q->m);
}

void queue_close(struct queue *q)
{
    machine_close(&q->m);
}

void queue_run(struct queue *q, caucus_run_fn *run)
{
    machine_post(&q->m, run);
}

/* The lock is held: it keeps the handle from being freed while it is asked. */
static int64_t token_now(const struct queue *q)
{
    bool is_so =
        q->holds && !q->m.ends && !q->m.is_gone && guard_holds_now(q->policy, q->held_by, q->m.c);
    return is_so ? q->held_token : 0;
}

int64_t queue_held(struct queue *q)
{
    if (machine_is_foreign(&q->m))
        return 0;
    pthread_mutex_lock(&q->m.lock);
    int64_t token = token_now(q);
    pthread_mutex_unlock(&q->m.lock);
    return token;
}

static bool is_held_or_over(const struct machine *m)
{
    const struct queue *q = (const struct queue *)(const void *)m;
    return q->over_rc != 0 || token_now(q) != 0;
}

int queue_await(struct queue *q, int64_t timeout_ms, int64_t *ret_token)
{
    int rc;
    int64_t token;
    if (machine_is_foreign(&q->m))
        return CAUCUS_FORKED;
    queue_hold(q);
    pthread_mutex_lock(&q->m.lock);
    do { /* the guard's moment may pass between the two */
        rc = machine_await(&q->m, timeout_ms, is_held_or_over);
        token = token_now(q);
    } while (rc == 0 && q->over_rc == 0 && token == 0);
    if (q->over_rc != 0 && token == 0 && rc == 0)
        rc = q->over_rc;
    pthread_mutex_unlock(&q->m.lock);
    queue_drop(q);
    if (rc == 0 && ret_token != NULL)
        *ret_token = token;
    return rc;
}
