#include "recipes/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/copy.h"
#include "recipes/guard.h"
#include "recipes/queue_internal.h"

enum {
    PAUSE_MS_MIN = 50,
    PAUSE_DOUBLINGS_MAX = 7, /* 6.4 seconds */
};

#define MS_NS INT64_C(1000000)

static void advance(struct queue *q);

/* ---- Watches ---- */

struct queue_watch {
    struct queue *q;
    char path[];
};

static struct queue_watch *watch_new(struct queue *q, const char *path)
{
    size_t bytes = strlen(path) + 1;
    struct queue_watch *w = mem_alloc(sizeof(*w) + bytes);
    w->q = q;
    memcpy(w->path, path, bytes);
    queue_hold(q);
    return w;
}

static void watch_free(struct queue_watch *w)
{
    struct queue *q = w->q;
    free(w);
    queue_drop(q);
}

/* One-shot: whatever it was, it has to be looked at again. */
static void on_event(void *context, const struct caucus_event *event)
{
    (void)event;
    struct queue_watch *w = context;
    struct queue *q = w->q;
    if (w == q->own) {
        q->own = NULL;
        q->look_own = true;
    } else if (w == q->ahead) {
        q->ahead = NULL;
        q->look_line = true;
    }
    queue_hold(q);
    watch_free(w);
    advance(q);
    queue_drop(q);
}

/* It is void from now on; the callback comes all the same, and frees it. */
static void forget_ahead(struct queue *q)
{
    enum caucus_watch_kind kind = q->rule == QUEUE_RANK ? CAUCUS_KIND_CHILDREN : CAUCUS_KIND_DATA;
    if (q->ahead != NULL)
        caucus_remove_watches(q->c, q->ahead->path, kind, on_event, q->ahead, true, NULL, NULL);
    q->ahead = NULL;
}

static void forget_watches(struct queue *q)
{
    forget_ahead(q);
    q->own = NULL; /* goes with the node */
}

/* ---- Holding ---- */

static bool holds(const struct queue *q)
{
    return q->held_by != 0; /* written by this thread only */
}

static void set_held(struct queue *q, int64_t session_id, int64_t token)
{
    pthread_mutex_lock(&q->lock);
    q->holds = session_id != 0;
    q->held_by = session_id;
    q->held_token = token;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

/* In a call nothing else is told, and it may close or end what it is told of. */
static void tell(struct queue *q, void (*call)(struct queue *q, int rc), int rc)
{
    if (q->is_closed)
        return;
    bool was_calling = q->is_calling;
    q->is_calling = true;
    call(q, rc);
    q->is_calling = was_calling;
}

static void tell_of(struct queue *q, void (*call)(struct queue *q))
{
    if (q->is_closed || call == NULL)
        return;
    q->is_calling = true;
    call(q);
    q->is_calling = false;
}

static void tell_if_asked(struct queue *q)
{
    if (!holds(q) || q->told_zxid == q->asked_zxid)
        return;
    q->told_zxid = q->asked_zxid;
    tell_of(q, q->calls->asked);
}

static void finish(struct queue *q, int rc)
{
    q->is_over = true;
    q->entry.is_stopped = true;
    queue_set_over(q, rc);
}

static void give_up(struct queue *q, int rc)
{
    if (!holds(q))
        return;
    set_held(q, 0, 0);
    if (q->is_once)
        finish(q, rc);
    q->is_left = true;
    tell(q, q->calls->over, rc);
}

/* What it is given up for, when the guard says no. */
static int why_over(struct queue *q)
{
    if (caucus_get_state(q->c) == CAUCUS_CLOSED)
        return CAUCUS_CLOSING;
    struct caucus_session session;
    caucus_get_session(q->c, &session);
    return session.id != q->held_by ? CAUCUS_SESSIONEXPIRED : CAUCUS_CONNECTIONLOSS;
}

static void ask_guard(struct queue *q)
{
    if (!q->is_calling && holds(q) && !guard_holds_now(q->policy, q->held_by, q->c))
        give_up(q, why_over(q));
}

static void on_deadline(void *context);

static void set_deadline(struct queue *q)
{
    if (q->has_deadline || !holds(q))
        return;
    struct caucus_session session;
    caucus_get_session(q->c, &session);
    queue_hold(q);
    q->has_deadline = true;
    if (caucus_run_at(q->c, session.safe_until_ns, on_deadline, q) != 0) {
        q->has_deadline = false; /* the handle is being closed: CLOSED ends it */
        queue_drop(q);
    }
}

static void on_deadline(void *context)
{
    struct queue *q = context;
    q->has_deadline = false;
    /* If the deadline has moved meanwhile, those who wait may have asked in between. */
    pthread_mutex_lock(&q->lock);
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    advance(q);
    queue_drop(q);
}

/* ---- Trouble ---- */

/* It has no use for a place. */
static bool is_unwanted(const struct queue *q)
{
    return q->is_closed || q->is_over || q->is_kept_out;
}

static void on_pause_over(void *context)
{
    struct queue *q = context;
    q->is_pausing = false;
    advance(q);
    queue_drop(q);
}

static void pause_for(struct queue *q, int64_t ms)
{
    queue_hold(q);
    q->is_pausing = true;
    if (caucus_run_at(q->c, caucus_now_ns() + ms * MS_NS, on_pause_over, q) != 0)
        queue_drop(q);
}

/* Nothing but closing ends the attempts: whoever is not in the queue can never be first. */
static void fail(struct queue *q, int rc)
{
    if (rc == CAUCUS_CLOSING)
        return;
    unsigned doublings = q->failures < PAUSE_DOUBLINGS_MAX ? q->failures : PAUSE_DOUBLINGS_MAX;
    q->failures++;
    pause_for(q, (int64_t)PAUSE_MS_MIN << doublings);
    tell(q, q->calls->trouble, rc);
}

/* ---- Requests, one at a time ---- */

static void take_off(struct queue *q)
{
    queue_hold(q);
    q->in_flight = true;
    q->flight_serial = q->serial;
}

/* Every completion begins here and ends with queue_drop. False: it is about an earlier place. */
static bool lands(struct queue *q)
{
    q->in_flight = false;
    return q->flight_serial == q->serial;
}

static void refuse(struct queue *q, int rc)
{
    if (rc == 0)
        return;
    q->in_flight = false;
    if (q->flight_watch != NULL)
        watch_free(q->flight_watch);
    q->flight_watch = NULL;
    fail(q, rc);
    queue_drop(q);
}

static void set_path(struct queue *q, const char *path)
{
    free(q->path);
    q->path = path != NULL ? copy_text(path) : NULL;
    q->serial++;
    q->owner = 0;
    q->is_left = false;
    q->look_own = path != NULL;
    q->look_line = path != NULL;
    forget_watches(q);
    if (path == NULL)
        protect_rename(&q->entry, q->label);
}

/* The protected creation goes on over the end of a session: whose node it is is seen by looking. */
static void on_entered(void *context, int rc, const char *path)
{
    struct queue *q = context;
    q->in_flight = false;
    if (rc == 0) {
        q->failures = 0;
        set_path(q, path);
    } else {
        if (rc == CAUCUS_CLOSING) {
            protect_rename(&q->entry, q->label); /* there is no node of the old name */
            /* If it was not stopped the handle is being closed: there is nothing to try again. */
            q->has_session &= q->entry.is_stopped;
        }
        fail(q, rc);
    }
    advance(q);
    queue_drop(q);
}

static void enter(struct queue *q)
{
    take_off(q);
    protect_start(&q->entry);
}

static void on_left(void *context, const struct caucus_result *r)
{
    struct queue *q = context;
    if (lands(q)) {
        if (r->rc == 0 || r->rc == CAUCUS_NONODE || r->rc == CAUCUS_CLOSING)
            set_path(q, NULL);
        else if (!protect_is_passing(r->rc))
            fail(q, r->rc);
    }
    advance(q);
    queue_drop(q);
}

static void leave(struct queue *q)
{
    take_off(q);
    forget_watches(q);
    refuse(q, caucus_delete(q->c, q->path, CAUCUS_ANY_VERSION, on_left, q));
}

/* The watch that was about to be set: it is, if the node was there. */
static struct queue_watch *landed_watch(struct queue *q, const struct caucus_result *r)
{
    struct queue_watch *w = q->flight_watch;
    q->flight_watch = NULL;
    if (r->rc == 0 || w == NULL)
        return w;
    watch_free(w);
    return NULL;
}

static void see_own(struct queue *q, const struct caucus_result *r)
{
    struct caucus_session session;
    caucus_get_session(q->c, &session);
    q->look_own = false;
    q->owner = r->stat->ephemeral_owner;
    q->token = r->stat->czxid;
    if (r->data_bytes == strlen(QUEUE_REVOKE) && memcmp(r->data, QUEUE_REVOKE, r->data_bytes) == 0)
        q->asked_zxid = r->stat->mzxid;
    /* Made in a session that is over: it would stand in the way until servers notice. */
    if (q->owner != session.id)
        q->is_left = true;
}

static void on_own_seen(void *context, const struct caucus_result *r)
{
    struct queue *q = context;
    struct queue_watch *w = landed_watch(q, r);
    if (lands(q)) {
        q->own = w != NULL ? w : q->own;
        if (r->rc == 0) {
            see_own(q, r);
            tell_if_asked(q);
        } else if (r->rc == CAUCUS_NONODE) {
            give_up(q, r->rc);
            set_path(q, NULL);
        } else if (!protect_is_passing(r->rc)) {
            fail(q, r->rc);
        }
    }
    advance(q);
    queue_drop(q);
}

static void look_at_own(struct queue *q)
{
    take_off(q);
    if (q->own == NULL)
        q->flight_watch = watch_new(q, q->path);
    caucus_watch_fn *watch = q->own == NULL ? on_event : NULL;
    refuse(q, caucus_get(q->c, q->path, watch, q->flight_watch, on_own_seen, q));
}

static void on_ahead_seen(void *context, const struct caucus_result *r)
{
    struct queue *q = context;
    struct queue_watch *w = landed_watch(q, r);
    if (lands(q)) {
        q->ahead = w;
        q->look_line |= r->rc != 0; /* it may be gone since the list was made */
        if (r->rc != 0 && r->rc != CAUCUS_NONODE && !protect_is_passing(r->rc))
            fail(q, r->rc);
    }
    advance(q);
    queue_drop(q);
}

/* A read, not "exists": that would leave a watch behind where there is no node. */
static void look_ahead(struct queue *q, const char *name)
{
    char *path = copy_joined(q->parent, name);
    take_off(q);
    q->flight_watch = watch_new(q, path);
    refuse(q, caucus_get(q->c, path, on_event, q->flight_watch, on_ahead_seen, q));
    free(path);
}

static void take(struct queue *q)
{
    if (holds(q))
        return;
    /* The answer that showed us first may be old by now, if this thread was kept waiting. */
    if (!guard_holds_now(q->policy, q->owner, q->c)) {
        q->look_own = q->look_line = true;
        pause_for(q, PAUSE_MS_MIN);
        return;
    }
    forget_ahead(q);
    set_held(q, q->owner, q->token);
    tell_of(q, q->calls->first);
    tell_if_asked(q);
    ask_guard(q);
}

static void list(struct queue *q, bool sets_watch);

/* Who has to go first, in *ret where the rule names one. */
static bool has_to_wait(const struct queue *q, const struct caucus_result *r, const char *own,
                        const char **ret)
{
    switch (q->rule) {
    case QUEUE_FIRST:
        *ret = place_ahead(r->names, r->name_count, own);
        break;
    case QUEUE_UNSHARED:
        *ret = place_ahead_unshared(r->names, r->name_count, own);
        break;
    case QUEUE_RANK:
        return place_rank(r->names, r->name_count, own) >= q->limit;
    }
    return *ret != NULL;
}

static void see_line(struct queue *q, const struct caucus_result *r)
{
    const char *own = q->path + strlen(q->parent) + 1, *ahead = NULL;
    if (place_find(r->names, r->name_count, own) == NULL) {
        q->look_own = true;
        return;
    }
    q->failures = 0;
    q->look_line = false;
    if (!has_to_wait(q, r, own, &ahead)) {
        take(q);
        return;
    }
    tell_of(q, q->calls->waits);
    if (is_unwanted(q))
        return;
    if (ahead != NULL)
        look_ahead(q, ahead);
    else if (q->ahead == NULL)
        list(q, true);
}

static void on_listed(void *context, const struct caucus_result *r)
{
    struct queue *q = context;
    struct queue_watch *w = landed_watch(q, r);
    if (lands(q)) {
        q->ahead = w != NULL ? w : q->ahead;
        if (r->rc == 0 && !is_unwanted(q))
            see_line(q, r);
        else if (!protect_is_passing(r->rc) && !is_unwanted(q))
            fail(q, r->rc);
    }
    advance(q);
    queue_drop(q);
}

/* Without a watch at first: who is first needs none. */
static void list(struct queue *q, bool sets_watch)
{
    take_off(q);
    if (sets_watch)
        q->flight_watch = watch_new(q, q->parent);
    refuse(q, caucus_get_children(q->c, q->parent, sets_watch ? on_event : NULL, q->flight_watch,
                                  on_listed, q));
}

/* ---- The machine ---- */

static void on_state(void *context, struct caucus *c, const struct caucus_state_change *change);

static void retire(struct queue *q)
{
    if (q->is_retired)
        return;
    q->is_retired = true;
    if (caucus_remove_listener(q->c, on_state, q) == 0)
        queue_drop(q);
}

/* What has to be done next, whatever has happened. */
static void advance(struct queue *q)
{
    ask_guard(q);
    if (q->is_calling || q->is_retired)
        return;
    if (q->is_yielding) {
        q->is_yielding = false;
        give_up(q, 0);
    }
    set_deadline(q);
    if (q->in_flight || q->is_pausing)
        return;
    if (q->path == NULL && q->is_closed && !q->entry.may_exist)
        retire(q);
    else if (!q->has_session)
        return;
    else if (q->path == NULL && is_unwanted(q) && !q->entry.may_exist)
        return;
    else if (q->path == NULL)
        enter(q);
    else if (q->is_left || is_unwanted(q))
        leave(q);
    else if (q->look_own)
        look_at_own(q);
    else if (q->look_line)
        list(q, false);
}

static void on_lost(struct queue *q)
{
    q->has_session = false;
    give_up(q, CAUCUS_SESSIONEXPIRED);
    /* If only our clock says so, the node stands for a while: the next session clears it away. */
    if (q->path != NULL && !q->is_closed)
        caucus_delete(q->c, q->path, CAUCUS_ANY_VERSION, NULL, NULL);
    /* Of a creation that failed in a strange way there is nothing left either. */
    if (q->path != NULL || !q->in_flight)
        set_path(q, NULL);
}

static void tell_closed(struct queue *q)
{
    if (q->calls->closed != NULL)
        q->calls->closed(q);
}

static void on_closed(struct queue *q)
{
    q->has_session = false;
    give_up(q, CAUCUS_CLOSING);
    q->is_closed = q->is_retired = true;
    tell_closed(q);
    queue_set_silent(q, true);
    queue_drop(q); /* the listener's */
}

/* Final: there will be no session. */
static void on_auth_failed(struct queue *q)
{
    q->has_session = false;
    give_up(q, CAUCUS_AUTHFAILED);
    if (q->is_once)
        queue_end(q, CAUCUS_AUTHFAILED);
    else
        tell(q, q->calls->trouble, CAUCUS_AUTHFAILED);
}

static void on_state(void *context, struct caucus *c, const struct caucus_state_change *change)
{
    (void)c;
    struct queue *q = context;
    queue_hold(q);
    switch (change->state) {
    case CAUCUS_CONNECTED:
    case CAUCUS_RECONNECTED:
        q->has_session = true;
        break;
    case CAUCUS_SUSPENDED:
    case CAUCUS_READ_ONLY:
        if (q->policy == CAUCUS_STRICT)
            give_up(q, CAUCUS_CONNECTIONLOSS);
        break;
    case CAUCUS_LOST:
        on_lost(q);
        break;
    case CAUCUS_AUTH_FAILED:
        on_auth_failed(q);
        break;
    case CAUCUS_CLOSED:
        on_closed(q);
        break;
    case CAUCUS_CONNECTING:
        break;
    }
    advance(q);
    queue_drop(q);
}

void queue_run_start(void *context)
{
    struct queue *q = context;
    if (q->is_retired) {
        queue_drop(q);
        return;
    }
    caucus_add_listener(q->c, on_state, q); /* which keeps the reference */
}

/* In a callback of the owner's nothing more is told: the user knows. */
void queue_run_close(void *context)
{
    struct queue *q = context;
    if (q->is_calling)
        q->is_closed = true;
    give_up(q, CAUCUS_CLOSING);
    q->is_closed = true;
    q->entry.is_stopped = true;
    q->is_pausing = false;
    tell_closed(q);
    queue_set_silent(q, false);
    advance(q);
    queue_drop(q);
}

void queue_run_yield(void *context)
{
    struct queue *q = context;
    q->is_yielding = holds(q);
    advance(q);
    queue_drop(q);
}

/* ---- For owners of several ---- */

void queue_let_in(struct queue *q, size_t limit)
{
    q->limit = limit;
    q->look_line |= q->rule == QUEUE_RANK && q->path != NULL;
    q->is_kept_out = false;
    q->entry.is_stopped = q->is_closed || q->is_over;
    advance(q);
}

void queue_keep_out(struct queue *q)
{
    q->is_kept_out = true;
    q->entry.is_stopped = true;
    q->is_left = q->path != NULL;
    give_up(q, CAUCUS_CLOSING);
    advance(q);
}

void queue_end(struct queue *q, int rc)
{
    queue_hold(q);
    if (holds(q)) {
        give_up(q, rc);
    } else if (!q->is_over && !q->is_closed) {
        finish(q, rc);
        tell(q, q->calls->over, rc);
    }
    advance(q);
    queue_drop(q);
}

void queue_tell(struct queue *q, caucus_run_fn *call, void *context)
{
    queue_hold(q);
    bool was_calling = q->is_calling;
    q->is_calling = true;
    call(context);
    q->is_calling = was_calling;
    advance(q);
    queue_drop(q);
}

bool queue_is_first(const struct queue *q)
{
    return holds(q);
}

/* ---- Making ---- */

int queue_init(struct queue *q, const struct queue_calls *calls, struct caucus *c,
               const struct queue_options *o)
{
    if (!copy_is_parent(o->parent) ||
        (o->policy != CAUCUS_STRICT && o->policy != CAUCUS_UNTIL_LOST))
        return CAUCUS_BADARGUMENTS;
    *q = (struct queue){.calls = calls,
                        .c = c,
                        .label = o->label,
                        .policy = o->policy,
                        .rule = o->rule,
                        .is_once = o->is_once,
                        .is_kept_out = o->is_kept_out};
    atomic_init(&q->references, 1);
    q->parent = copy_text(o->parent);
    q->data = o->data != NULL ? mem_dup(o->data, o->data_bytes) : NULL;
    q->acl = copy_acl(o->acl, o->acl_count);
    q->entry = (struct protect){.c = c,
                                .parent = q->parent,
                                .data = q->data,
                                .data_bytes = o->data_bytes,
                                .acl = q->acl,
                                .acl_count = o->acl_count,
                                .mode = CAUCUS_EPHEMERAL_SEQUENTIAL,
                                .done = on_entered,
                                .context = q};
    protect_rename(&q->entry, q->label);
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&q->changed, &steady);
    pthread_condattr_destroy(&steady);
    pthread_mutex_init(&q->lock, NULL);
    return 0;
}

void queue_deinit(struct queue *q)
{
    free(q->path);
    free(q->parent);
    free(q->data);
    free(q->acl);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
}
