#include "recipes/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/copy.h"
#include "recipes/guard.h"

static struct queue *queue_of(struct machine *m)
{
    return (struct queue *)(void *)m;
}

/* ---- Watches ---- */

/* One-shot: whatever it was, it has to be looked at again. */
static void on_event(struct machine *m, struct machine_watch *w, const struct caucus_event *event)
{
    (void)event;
    struct queue *q = queue_of(m);
    if (w == q->own) {
        q->own = NULL;
        q->look_own = true;
    } else if (w == q->ahead) {
        q->ahead = NULL;
        q->look_line = true;
    }
}

static void forget_ahead(struct queue *q)
{
    machine_watch_forget(q->ahead);
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
    pthread_mutex_lock(&q->m.lock);
    q->holds = session_id != 0;
    q->held_by = session_id;
    q->held_token = token;
    pthread_cond_broadcast(&q->m.changed);
    pthread_mutex_unlock(&q->m.lock);
}

/* In a call nothing else is told, and it may close or end what it is told of. */
static void tell(struct queue *q, void (*call)(struct queue *q, int rc), int rc)
{
    if (q->m.is_closed)
        return;
    bool was_calling = q->m.is_calling;
    q->m.is_calling = true;
    call(q, rc);
    q->m.is_calling = was_calling;
}

static void tell_of(struct queue *q, void (*call)(struct queue *q))
{
    if (q->m.is_closed || call == NULL)
        return;
    q->m.is_calling = true;
    call(q);
    q->m.is_calling = false;
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
    pthread_mutex_lock(&q->m.lock);
    q->over_rc = rc;
    pthread_cond_broadcast(&q->m.changed);
    pthread_mutex_unlock(&q->m.lock);
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
    if (caucus_get_state(q->m.c) == CAUCUS_CLOSED)
        return CAUCUS_CLOSING;
    struct caucus_session session;
    caucus_get_session(q->m.c, &session);
    return session.id != q->held_by ? CAUCUS_SESSIONEXPIRED : CAUCUS_CONNECTIONLOSS;
}

static void ask_guard(struct queue *q)
{
    if (!q->m.is_calling && holds(q) && !guard_holds_now(q->policy, q->held_by, q->m.c))
        give_up(q, why_over(q));
}

static void on_deadline(void *context);

static void set_deadline(struct queue *q)
{
    if (q->has_deadline || !holds(q))
        return;
    struct caucus_session session;
    caucus_get_session(q->m.c, &session);
    q->has_deadline = machine_run(&q->m, session.safe_until_ns, on_deadline, q);
}

static void on_deadline(void *context)
{
    struct queue *q = context;
    q->has_deadline = false;
    /* If the deadline has moved meanwhile, those who wait may have asked in between. */
    pthread_mutex_lock(&q->m.lock);
    pthread_cond_broadcast(&q->m.changed);
    pthread_mutex_unlock(&q->m.lock);
    machine_settle(&q->m);
}

/* ---- Trouble ---- */

/* It has no use for a place. */
static bool is_unwanted(const struct queue *q)
{
    return q->m.is_closed || q->is_over || q->is_kept_out;
}

/* Nothing but closing ends the attempts: whoever is not in the queue can never be first. */
static void fail(struct queue *q, int rc)
{
    if (rc == CAUCUS_CLOSING)
        return;
    machine_pause(&q->m);
    tell(q, q->calls->trouble, rc);
}

/* ---- Requests, one at a time ---- */

static void refuse(struct queue *q, int rc)
{
    if (rc == 0)
        return;
    machine_land(&q->flight);
    machine_land_watch(&q->flight, false);
    fail(q, rc);
    queue_drop(q);
}

static void set_path(struct queue *q, const char *path)
{
    free(q->path);
    q->path = path != NULL ? copy_text(path) : NULL;
    q->flight.serial++;
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
    q->flight.is_up = false;
    if (rc == 0) {
        q->m.failures = 0;
        set_path(q, path);
    } else {
        if (rc == CAUCUS_CLOSING) {
            protect_rename(&q->entry, q->label); /* there is no node of the old name */
            /* If it was not stopped the handle is being closed: there is nothing to try again. */
            q->m.has_session &= q->entry.is_stopped;
        }
        fail(q, rc);
    }
    machine_settle(&q->m);
}

static void enter(struct queue *q)
{
    machine_take_off(&q->m, &q->flight);
    protect_start(&q->entry);
}

static void on_left(void *context, const struct caucus_result *r)
{
    struct queue *q = context;
    if (machine_land(&q->flight)) {
        if (r->rc == 0 || r->rc == CAUCUS_NONODE || r->rc == CAUCUS_CLOSING)
            set_path(q, NULL);
        else if (!protect_is_passing(r->rc))
            fail(q, r->rc);
    }
    machine_settle(&q->m);
}

static void leave(struct queue *q)
{
    machine_take_off(&q->m, &q->flight);
    forget_watches(q);
    refuse(q, caucus_delete(q->m.c, q->path, CAUCUS_ANY_VERSION, on_left, q));
}

static void see_own(struct queue *q, const struct caucus_result *r)
{
    struct caucus_session session;
    caucus_get_session(q->m.c, &session);
    q->look_own = q->own == NULL; /* the watch that there was may have fired meanwhile */
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
    bool is_of_this_place = machine_land(&q->flight);
    struct machine_watch *w = machine_land_watch(&q->flight, r->rc == 0);
    if (is_of_this_place) {
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
    machine_settle(&q->m);
}

static void look_at_own(struct queue *q)
{
    machine_take_off(&q->m, &q->flight);
    if (q->own == NULL)
        q->flight.watch = machine_watch_new(&q->m, CAUCUS_KIND_DATA, q->path, on_event);
    caucus_watch_fn *watch = q->own == NULL ? machine_on_event : NULL;
    refuse(q, caucus_get(q->m.c, q->path, watch, q->flight.watch, on_own_seen, q));
}

static void on_ahead_seen(void *context, const struct caucus_result *r)
{
    struct queue *q = context;
    bool is_of_this_place = machine_land(&q->flight);
    struct machine_watch *w = machine_land_watch(&q->flight, r->rc == 0);
    if (is_of_this_place) {
        q->ahead = w;
        q->look_line |= r->rc != 0; /* it may be gone since the list was made */
        if (r->rc != 0 && r->rc != CAUCUS_NONODE && !protect_is_passing(r->rc))
            fail(q, r->rc);
    }
    machine_settle(&q->m);
}

/* A read, not "exists": that would leave a watch behind where there is no node. */
static void look_ahead(struct queue *q, const char *name)
{
    char *path = copy_joined(q->parent, name);
    machine_take_off(&q->m, &q->flight);
    q->flight.watch = machine_watch_new(&q->m, CAUCUS_KIND_DATA, path, on_event);
    refuse(q, caucus_get(q->m.c, path, machine_on_event, q->flight.watch, on_ahead_seen, q));
    free(path);
}

static void take(struct queue *q)
{
    if (holds(q))
        return;
    /* The answer that showed us first may be old by now, if this thread was kept waiting. */
    if (!guard_holds_now(q->policy, q->owner, q->m.c)) {
        q->look_own = q->look_line = true;
        machine_pause(&q->m);
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
    q->m.failures = 0;
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
    bool is_of_this_place = machine_land(&q->flight);
    struct machine_watch *w = machine_land_watch(&q->flight, r->rc == 0);
    if (is_of_this_place) {
        q->ahead = w != NULL ? w : q->ahead;
        if (r->rc == 0 && !is_unwanted(q))
            see_line(q, r);
        else if (!protect_is_passing(r->rc) && !is_unwanted(q))
            fail(q, r->rc);
    }
    machine_settle(&q->m);
}

/* Without a watch at first: who is first needs none. */
static void list(struct queue *q, bool sets_watch)
{
    machine_take_off(&q->m, &q->flight);
    if (sets_watch)
        q->flight.watch = machine_watch_new(&q->m, CAUCUS_KIND_CHILDREN, q->parent, on_event);
    caucus_watch_fn *watch = sets_watch ? machine_on_event : NULL;
    refuse(q, caucus_get_children(q->m.c, q->parent, watch, q->flight.watch, on_listed, q));
}

/* ---- The machine ---- */

/* What has to be done next, whatever has happened. */
static void advance(struct machine *m)
{
    struct queue *q = queue_of(m);
    ask_guard(q);
    if (q->is_yielding) {
        q->is_yielding = false;
        give_up(q, 0);
    }
    set_deadline(q);
    if (q->flight.is_up || q->m.is_pausing)
        return;
    if (q->path == NULL && q->m.is_closed && !q->entry.may_exist)
        machine_retire(m);
    else if (!q->m.has_session)
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
    give_up(q, CAUCUS_SESSIONEXPIRED);
    /* If only our clock says so, the node stands for a while: the next session clears it away. */
    if (q->path != NULL && !q->m.is_closed)
        caucus_delete(q->m.c, q->path, CAUCUS_ANY_VERSION, NULL, NULL);
    /* Of a creation that failed in a strange way there is nothing left either. */
    if (q->path != NULL || !q->flight.is_up)
        set_path(q, NULL);
}

static void tell_closed(struct queue *q)
{
    if (q->calls->closed != NULL)
        q->calls->closed(q);
}

/* By the user, or with the handle. */
static void on_end(struct machine *m)
{
    struct queue *q = queue_of(m);
    give_up(q, CAUCUS_CLOSING);
    m->is_closed = true;
    q->entry.is_stopped = true;
    tell_closed(q);
}

/* Final: there will be no session. */
static void on_auth_failed(struct queue *q)
{
    give_up(q, CAUCUS_AUTHFAILED);
    if (q->is_once)
        queue_end(q, CAUCUS_AUTHFAILED);
    else
        tell(q, q->calls->trouble, CAUCUS_AUTHFAILED);
}

static void on_state(struct machine *m, const struct caucus_state_change *change)
{
    struct queue *q = queue_of(m);
    switch (change->state) {
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
    case CAUCUS_CONNECTING:
    case CAUCUS_CONNECTED:
    case CAUCUS_RECONNECTED:
    case CAUCUS_CLOSED:
        break;
    }
}

static void on_free(struct machine *m)
{
    struct queue *q = queue_of(m);
    q->calls->free(q);
}

static void run_yield(void *context)
{
    struct queue *q = context;
    q->is_yielding = holds(q);
    machine_settle(&q->m);
}

void queue_yield(struct queue *q)
{
    queue_run(q, run_yield);
}

/* ---- For owners of several ---- */

void queue_let_in(struct queue *q, size_t limit)
{
    q->limit = limit;
    q->look_line |= q->rule == QUEUE_RANK && q->path != NULL;
    q->is_kept_out = false;
    q->entry.is_stopped = q->m.is_closed || q->is_over;
    machine_advance(&q->m);
}

void queue_keep_out(struct queue *q)
{
    q->is_kept_out = true;
    q->entry.is_stopped = true;
    q->is_left = q->path != NULL;
    give_up(q, CAUCUS_CLOSING);
    machine_advance(&q->m);
}

void queue_end(struct queue *q, int rc)
{
    queue_hold(q);
    if (holds(q)) {
        give_up(q, rc);
    } else if (!q->is_over && !q->m.is_closed) {
        finish(q, rc);
        tell(q, q->calls->over, rc);
    }
    machine_settle(&q->m);
}

void queue_tell(struct queue *q, caucus_run_fn *call, void *context)
{
    queue_hold(q);
    bool was_calling = q->m.is_calling;
    q->m.is_calling = true;
    call(context);
    q->m.is_calling = was_calling;
    machine_settle(&q->m);
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
    static const struct machine_calls machine = {on_state, advance, on_end, on_free};
    *q = (struct queue){.calls = calls,
                        .label = o->label,
                        .policy = o->policy,
                        .rule = o->rule,
                        .is_once = o->is_once,
                        .is_kept_out = o->is_kept_out};
    machine_init(&q->m, &machine, c);
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
    return 0;
}

void queue_deinit(struct queue *q)
{
    free(q->path);
    free(q->parent);
    free(q->data);
    free(q->acl);
    machine_deinit(&q->m);
}
