/* queue_user.c: the queue as other threads see it.
 *
 * `lock` guards what the event thread publishes, and keeps the handle from being freed while it is
 * asked: CLOSED, after which it may be, is told under the same lock. */
#include <errno.h>
#include <time.h>

#include "recipes/guard.h"
#include "recipes/queue_internal.h"

void queue_hold(struct queue *q)
{
    atomic_fetch_add(&q->references, 1);
}

void queue_drop(struct queue *q)
{
    if (atomic_fetch_sub(&q->references, 1) == 1)
        q->calls->free(q);
}

void queue_set_silent(struct queue *q, bool is_gone)
{
    pthread_mutex_lock(&q->lock);
    q->ends = q->is_silent = true;
    q->is_gone |= is_gone;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

void queue_set_over(struct queue *q, int rc)
{
    pthread_mutex_lock(&q->lock);
    q->over_rc = rc;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

int queue_start(struct queue *q)
{
    queue_hold(q);
    int rc = caucus_run_at(q->c, 0, queue_run_start, q);
    if (rc != 0)
        queue_drop(q);
    return rc;
}

void queue_start_here(struct queue *q)
{
    queue_hold(q);
    queue_run_start(q);
}

/* ---- The end ---- */

/* lock is held. Whether it is for this thread to run it. */
static bool post(struct queue *q, caucus_run_fn *run)
{
    if (q->is_gone)
        return false;
    queue_hold(q);
    if (caucus_is_event_thread(q->c))
        return true;
    if (caucus_run_at(q->c, 0, run, q) != 0)
        queue_drop(q); /* the handle is being closed: CLOSED will come */
    return false;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->ends = true;
    pthread_cond_broadcast(&q->changed);
    bool runs_here = post(q, queue_run_close);
    while (!runs_here && !q->is_silent)
        pthread_cond_wait(&q->changed, &q->lock);
    pthread_mutex_unlock(&q->lock);
    if (runs_here)
        queue_run_close(q);
    queue_drop(q);
}

void queue_run(struct queue *q, caucus_run_fn *run)
{
    pthread_mutex_lock(&q->lock);
    bool runs_here = post(q, run);
    pthread_mutex_unlock(&q->lock);
    if (runs_here)
        run(q);
}

void queue_yield(struct queue *q)
{
    queue_run(q, queue_run_yield);
}

/* ---- What is so ---- */

/* lock is held. */
static int64_t token_now(struct queue *q)
{
    bool is_so =
        q->holds && !q->ends && !q->is_gone && guard_holds_now(q->policy, q->held_by, q->c);
    return is_so ? q->held_token : 0;
}

int64_t queue_held(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    int64_t token = token_now(q);
    pthread_mutex_unlock(&q->lock);
    return token;
}

static struct timespec after_ms(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* lock is held. */
static int wait_for_change(struct queue *q, int64_t timeout_ms, const struct timespec *until)
{
    if (timeout_ms < 0)
        return pthread_cond_wait(&q->changed, &q->lock);
    return pthread_cond_timedwait(&q->changed, &q->lock, until);
}

int queue_await(struct queue *q, int64_t timeout_ms, int64_t *ret_token)
{
    struct timespec until = after_ms(timeout_ms > 0 ? timeout_ms : 0);
    int rc = 0;
    int64_t token = 0;
    queue_hold(q);
    pthread_mutex_lock(&q->lock);
    if (!q->is_gone && caucus_is_event_thread(q->c))
        rc = CAUCUS_WOULDBLOCK;
    while (rc == 0 && !q->ends && q->over_rc == 0 && (token = token_now(q)) == 0)
        if (wait_for_change(q, timeout_ms, &until) == ETIMEDOUT)
            rc = CAUCUS_OPERATIONTIMEOUT;
    if (rc == 0 && token == 0)
        rc = q->over_rc != 0 ? q->over_rc : CAUCUS_CLOSING;
    pthread_mutex_unlock(&q->lock);
    queue_drop(q);
    if (rc == 0 && ret_token != NULL)
        *ret_token = token;
    return rc;
}
