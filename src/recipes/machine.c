#include "recipes/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    PAUSE_MS_MIN = 50,
    PAUSE_DOUBLINGS_MAX = 7, /* 6.4 seconds */
};

#define MS_NS INT64_C(1000000)

void machine_hold(struct machine *m)
{
    atomic_fetch_add(&m->references, 1);
}

void machine_drop(struct machine *m)
{
    if (atomic_fetch_sub(&m->references, 1) == 1)
        m->calls->free(m);
}

void machine_advance(struct machine *m)
{
    if (!m->is_calling && !m->is_retired)
        m->calls->advance(m);
}

void machine_settle(struct machine *m)
{
    machine_advance(m);
    machine_drop(m);
}

/* ---- States of the client ---- */

static void set_silent(struct machine *m, bool is_gone)
{
    pthread_mutex_lock(&m->lock);
    m->ends = m->is_silent = true;
    m->is_gone |= is_gone;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

static void end(struct machine *m)
{
    if (m->is_ended)
        return;
    m->is_ended = true;
    m->calls->end(m);
    m->is_closed = true;
}

static void on_closed(struct machine *m)
{
    end(m);
    m->is_retired = true;
    set_silent(m, true);
    machine_drop(m); /* the listener's */
}

static void on_state(void *context, struct caucus *c, const struct caucus_state_change *change)
{
    (void)c;
    struct machine *m = context;
    machine_hold(m);
    switch (change->state) {
    case CAUCUS_CONNECTED:
    case CAUCUS_RECONNECTED:
        m->has_session = true;
        break;
    case CAUCUS_LOST:
    case CAUCUS_AUTH_FAILED:
    case CAUCUS_CLOSED:
        m->has_session = false;
        break;
    case CAUCUS_CONNECTING:
    case CAUCUS_SUSPENDED:
    case CAUCUS_READ_ONLY:
        break;
    }
    if (change->state == CAUCUS_CLOSED)
        on_closed(m);
    else
        m->calls->state(m, change);
    machine_advance(m);
    machine_drop(m);
}

/* The listener keeps the reference. */
static void run_start(void *context)
{
    struct machine *m = context;
    if (m->is_retired)
        machine_drop(m);
    else
        caucus_add_listener(m->c, on_state, m);
}

int machine_start(struct machine *m)
{
    machine_hold(m);
    int rc = caucus_run_at(m->c, 0, run_start, m);
    if (rc != 0)
        machine_drop(m);
    return rc;
}

void machine_start_here(struct machine *m)
{
    machine_hold(m);
    run_start(m);
}

void machine_retire(struct machine *m)
{
    if (m->is_retired)
        return;
    m->is_retired = true;
    set_silent(m, false);
    if (caucus_remove_listener(m->c, on_state, m) == 0)
        machine_drop(m);
}

/* ---- Calls on the event thread ---- */

bool machine_run(struct machine *m, int64_t at_ns, caucus_run_fn *run, void *context)
{
    machine_hold(m);
    if (caucus_run_at(m->c, at_ns, run, context) == 0)
        return true;
    machine_drop(m); /* the handle is being closed: CLOSED will come */
    return false;
}

/* lock is held. Whether it is for this thread to run it. */
static bool post(struct machine *m, caucus_run_fn *run)
{
    if (m->is_gone)
        return false;
    if (!caucus_is_event_thread(m->c)) {
        machine_run(m, 0, run, m);
        return false;
    }
    machine_hold(m);
    return true;
}

void machine_post(struct machine *m, caucus_run_fn *run)
{
    if (machine_is_foreign(m))
        return;
    pthread_mutex_lock(&m->lock);
    bool runs_here = post(m, run);
    pthread_mutex_unlock(&m->lock);
    if (runs_here)
        run(m);
}

static void on_pause_over(void *context)
{
    struct machine *m = context;
    m->is_pausing = false;
    machine_settle(m);
}

void machine_pause(struct machine *m)
{
    unsigned doublings = m->failures < PAUSE_DOUBLINGS_MAX ? m->failures : PAUSE_DOUBLINGS_MAX;
    int64_t ms = (int64_t)PAUSE_MS_MIN << doublings;
    m->failures++;
    m->is_pausing = true; /* if nobody will call: until the end */
    machine_run(m, caucus_now_ns() + ms * MS_NS, on_pause_over, m);
}

/* ---- The end ---- */

/* In a callback of the recipe's nothing more is told: the user knows. */
static void run_close(void *context)
{
    struct machine *m = context;
    if (m->is_calling)
        m->is_closed = true;
    end(m);
    m->is_pausing = false;
    set_silent(m, false);
    machine_settle(m);
}

void machine_close(struct machine *m)
{
    if (machine_is_foreign(m))
        return;
    pthread_mutex_lock(&m->lock);
    m->ends = true;
    pthread_cond_broadcast(&m->changed);
    bool runs_here = post(m, run_close);
    while (!runs_here && !m->is_silent)
        pthread_cond_wait(&m->changed, &m->lock);
    pthread_mutex_unlock(&m->lock);
    if (runs_here)
        run_close(m);
    machine_drop(m);
}

/* ---- Waiting ---- */

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

static int wait_for_change(struct machine *m, int64_t timeout_ms, const struct timespec *until)
{
    if (timeout_ms < 0)
        return pthread_cond_wait(&m->changed, &m->lock);
    return pthread_cond_timedwait(&m->changed, &m->lock, until);
}

int machine_await(struct machine *m, int64_t timeout_ms, bool (*is_so)(const struct machine *m))
{
    struct timespec until = after_ms(timeout_ms > 0 ? timeout_ms : 0);
    int rc = !m->is_gone && caucus_is_event_thread(m->c) ? CAUCUS_WOULDBLOCK : 0;
    while (rc == 0 && !is_so(m)) {
        if (m->ends)
            return CAUCUS_CLOSING;
        if (wait_for_change(m, timeout_ms, &until) == ETIMEDOUT)
            rc = is_so(m) ? 0 : CAUCUS_OPERATIONTIMEOUT;
    }
    return rc;
}

bool machine_is_foreign(const struct machine *m)
{
    return getpid() != m->process;
}

bool machine_must_not_block(struct machine *m)
{
    pthread_mutex_lock(&m->lock);
    bool must_not = !m->is_gone && caucus_is_event_thread(m->c);
    pthread_mutex_unlock(&m->lock);
    return must_not;
}

static void init_lock(pthread_mutex_t *lock, pthread_cond_t *changed)
{
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(changed, &steady);
    pthread_condattr_destroy(&steady);
    pthread_mutex_init(lock, NULL);
}

void machine_init(struct machine *m, const struct machine_calls *calls, struct caucus *c)
{
    *m = (struct machine){.calls = calls, .c = c, .process = getpid()};
    atomic_init(&m->references, 1);
    init_lock(&m->lock, &m->changed);
}

void machine_deinit(struct machine *m)
{
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
}

void machine_blocked_init(struct machine_blocked *b)
{
    *b = (struct machine_blocked){.rc = 0};
    init_lock(&b->lock, &b->changed);
}

void machine_blocked_done(struct machine_blocked *b, int rc)
{
    pthread_mutex_lock(&b->lock);
    b->is_done = true;
    b->rc = rc;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

int machine_blocked_wait(struct machine_blocked *b)
{
    pthread_mutex_lock(&b->lock);
    while (!b->is_done)
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    return b->rc;
}

/* ---- Watches ---- */

struct machine_watch *machine_watch_new(struct machine *m, enum caucus_watch_kind kind,
                                        const char *path, machine_fired_fn *fired)
{
    size_t bytes = strlen(path) + 1;
    struct machine_watch *w = mem_alloc(sizeof(*w) + bytes);
    w->m = m;
    w->fired = fired;
    w->kind = kind;
    memcpy(w->path, path, bytes);
    machine_hold(m);
    return w;
}

void machine_watch_free(struct machine_watch *w)
{
    struct machine *m = w->m;
    free(w);
    machine_drop(m);
}

void machine_watch_forget(struct machine_watch *w)
{
    if (w == NULL)
        return;
    w->fired = NULL;
    caucus_remove_watches(w->m->c, w->path, w->kind, machine_on_event, w, true, NULL, NULL);
}

void machine_on_event(void *context, const struct caucus_event *event)
{
    struct machine_watch *w = context;
    struct machine *m = w->m;
    machine_hold(m);
    if (w->fired != NULL)
        w->fired(m, w, event);
    machine_watch_free(w);
    machine_settle(m);
}

/* ---- Flights ---- */

void machine_take_off(struct machine *m, struct machine_flight *f)
{
    machine_hold(m);
    f->is_up = true;
    f->up_serial = f->serial;
}

bool machine_land(struct machine_flight *f)
{
    f->is_up = false;
    return f->up_serial == f->serial;
}

struct machine_watch *machine_land_watch(struct machine_flight *f, bool is_set)
{
    struct machine_watch *w = f->watch;
    f->watch = NULL;
    if (w == NULL)
        return NULL;
    if (is_set && f->up_serial == f->serial)
        return w;
    if (is_set)
        machine_watch_forget(w);
    else
        machine_watch_free(w);
    return NULL;
}
