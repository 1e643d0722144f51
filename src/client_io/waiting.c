/* waiting.c: threads that wait for an answer.
 *
 * While the I/O thread sleeps, one of them does its work: sends the request, borrows the
 * connection, and reads the answer. What the session wants at a certain time stays the I/O
 * thread's, which goes on sleeping meanwhile, and so is whatever else happens: it can be woken at
 * any moment. */
#include "client_io/handle.h"

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct caucus_result *result; /* lock; written with drive, too */
};

bool handle_is_event_thread(struct caucus *c)
{
    return !c->has_threads || pthread_equal(pthread_self(), c->event_thread);
}

void handle_answer_waiter(struct caucus *c, struct call *call)
{
    struct waiter *w = call->waiter;
    struct caucus_result *result = call->result;
    call->result = NULL;
    handle_release(c, call);
    pthread_mutex_lock(&w->lock);
    w->result = result;
    pthread_cond_signal(&w->answered);
    pthread_mutex_unlock(&w->lock);
}

/* ---- Driving ---- */

/* With drive, which is given back while the socket is waited for: it may be closed at any moment,
 * and all that were sent on it are answered then. The call is in the inbox. Not always does it end
 * with an answer: without a connection, and with another who has borrowed it, it is left to others.
 * The connection is muted when the request is out and the server is at work. */
static void drive_until_answered(struct caucus *c, const struct waiter *w)
{
    bool lives = handle_turn(c);
    while (lives && w->result == NULL && engine_lend_link(&c->engine)) {
        pthread_mutex_unlock(&c->drive);
        engine_wait_link(&c->engine);
        pthread_mutex_lock(&c->drive);
        engine_return_link(&c->engine);
        lives = handle_turn(c);
    }
    engine_watch_link(&c->engine);
    if (!lives || engine_has_pending(&c->engine) || engine_deadline_ns(&c->engine) < c->io_until_ns)
        engine_wake(&c->engine);
}

/* ---- Waiting ---- */

/* Once the call is started, the handle may be gone when we wake up. */
static int wait_for_answer(struct waiter *w, struct caucus_result **ret)
{
    pthread_mutex_lock(&w->lock);
    while (w->result == NULL)
        pthread_cond_wait(&w->answered, &w->lock);
    pthread_mutex_unlock(&w->lock);
    int rc = w->result->rc;
    if (ret != NULL)
        *ret = w->result;
    else
        caucus_result_free(w->result);
    return rc;
}

/* Leaves the handle. */
static int start(struct caucus *c, struct call *call, const struct waiter *w)
{
    bool drives = pthread_mutex_trylock(&c->drive) == 0;
    int rc = handle_put(c, call, !drives);
    if (drives && rc == 0)
        drive_until_answered(c, w);
    if (drives)
        pthread_mutex_unlock(&c->drive);
    handle_leave(c);
    return rc;
}

int handle_wait(struct caucus *c, int rc, struct call *call, struct caucus_result **ret)
{
    if (ret != NULL)
        *ret = NULL;
    if (rc == 0 && handle_is_foreign(c))
        rc = CAUCUS_FORKED;
    else if (rc == 0 && handle_is_event_thread(c))
        rc = CAUCUS_WOULDBLOCK;
    if (rc != 0) {
        call_free(call);
        handle_leave(c);
        return rc;
    }
    struct waiter w = {.result = NULL};
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.answered, NULL);
    call->waiter = &w;
    rc = start(c, call, &w);
    if (rc == 0)
        rc = wait_for_answer(&w, ret);
    pthread_cond_destroy(&w.answered);
    pthread_mutex_destroy(&w.lock);
    return rc;
}
