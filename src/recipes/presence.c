#include "recipes/presence.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/copy.h"
#include "recipes/guard.h"
#include "recipes/protect.h"

enum {
    PARENT_ROUNDS_MAX = 3 /* somebody else may delete them between two of our steps */
};

static struct presence *presence_of(struct machine *m)
{
    return (struct presence *)(void *)m;
}

/* ---- What is told ---- */

static void set_held(struct presence *p, int64_t session_id, int64_t token)
{
    pthread_mutex_lock(&p->machine.lock);
    p->held_by = session_id;
    p->held_token = token;
    pthread_cond_broadcast(&p->machine.changed);
    pthread_mutex_unlock(&p->machine.lock);
}

static void tell(struct presence *p, void (*call)(struct presence *p, int rc), int rc)
{
    if (p->machine.is_closed)
        return;
    p->machine.is_calling = true;
    call(p, rc);
    p->machine.is_calling = false;
}

static void become_absent(struct presence *p, int rc)
{
    if (p->held_by == 0) /* written by this thread only */
        return;
    set_held(p, 0, 0);
    tell(p, p->calls->absent, rc);
}

static void become_present(struct presence *p)
{
    set_held(p, p->owner, p->token);
    p->take_over = false;
    p->machine.is_calling = true;
    p->calls->present(p);
    p->machine.is_calling = false;
}

static int why_absent(struct presence *p)
{
    struct caucus_session session;
    if (caucus_get_state(p->machine.c) == CAUCUS_CLOSED)
        return CAUCUS_CLOSING;
    caucus_get_session(p->machine.c, &session);
    if (session.id != p->held_by)
        return CAUCUS_SESSIONEXPIRED;
    return p->at == PRESENCE_OURS ? CAUCUS_CONNECTIONLOSS : CAUCUS_NONODE;
}

static void ask_guard(struct presence *p)
{
    bool is_so = p->at == PRESENCE_OURS && guard_holds_now(p->policy, p->owner, p->machine.c);
    if (p->held_by != 0 && (!is_so || p->held_token != p->token))
        become_absent(p, why_absent(p));
    if (is_so && p->held_by == 0 && !p->machine.is_closed)
        become_present(p);
}

static void on_deadline(void *context)
{
    struct presence *p = context;
    p->has_deadline = false;
    /* If the deadline has moved meanwhile, those who wait may have asked in between. */
    pthread_mutex_lock(&p->machine.lock);
    pthread_cond_broadcast(&p->machine.changed);
    pthread_mutex_unlock(&p->machine.lock);
    machine_advance(&p->machine);
    machine_drop(&p->machine);
}

static void set_deadline(struct presence *p)
{
    if (p->has_deadline || p->held_by == 0)
        return;
    struct caucus_session session;
    caucus_get_session(p->machine.c, &session);
    p->has_deadline = machine_run(&p->machine, session.safe_until_ns, on_deadline, p);
}

/* ---- Requests, one at a time ---- */

/* Nothing but closing ends the attempts. */
static void fail(struct presence *p, int rc)
{
    if (rc == CAUCUS_CLOSING)
        return;
    machine_pause(&p->machine);
    tell(p, p->calls->trouble, rc);
}

static void take_off(struct presence *p)
{
    machine_hold(&p->machine);
    p->in_flight = true;
}

/* Every completion begins with p->in_flight = false and ends here. */
static void land(struct presence *p)
{
    machine_advance(&p->machine);
    machine_drop(&p->machine);
}

static void refuse(struct presence *p, int rc)
{
    if (rc == 0)
        return;
    p->in_flight = false;
    if (p->flight_watch != NULL)
        machine_watch_free(p->flight_watch);
    p->flight_watch = NULL;
    fail(p, rc);
    machine_drop(&p->machine);
}

static void fail_unless_passing(struct presence *p, int rc)
{
    if (!protect_is_passing(rc))
        fail(p, rc);
}

/* ---- Making it ---- */

static void on_parents(void *context, int rc)
{
    struct presence *p = context;
    p->in_flight = false;
    if (rc != 0 && p->parent_rounds == PARENT_ROUNDS_MAX) {
        p->parent_rounds = 0;
        fail(p, rc);
    }
    land(p);
}

static void make_parents(struct presence *p)
{
    if (p->parent_rounds == PARENT_ROUNDS_MAX) {
        p->parent_rounds = 0;
        fail(p, CAUCUS_NONODE);
        return;
    }
    p->parent_rounds++;
    p->parents = (struct parents){.c = p->machine.c,
                                  .path = p->parent,
                                  .acl = p->acl,
                                  .acl_count = p->acl_count,
                                  .done = on_parents,
                                  .context = p};
    take_off(p);
    parents_start(&p->parents);
}

static void on_created(void *context, const struct caucus_result *r)
{
    struct presence *p = context;
    p->in_flight = false;
    if (r->rc == 0 && r->stat != NULL)
        p->made = r->stat->czxid;
    else if (r->rc == 0 || r->rc == CAUCUS_CONNECTIONLOSS)
        p->may_be_made = true;

    if (r->rc == 0 || r->rc == CAUCUS_NODEEXISTS)
        p->at = PRESENCE_ENTERED;
    else if (r->rc == CAUCUS_CONNECTIONLOSS)
        p->at = PRESENCE_UNSURE;
    else if (r->rc == CAUCUS_NONODE)
        make_parents(p);
    else
        fail_unless_passing(p, r->rc);
    land(p);
}

static void enter(struct presence *p)
{
    struct caucus_create_options options = {
        .mode = CAUCUS_EPHEMERAL, .acl = p->acl, .acl_count = p->acl_count};
    take_off(p);
    p->is_dirty = false;
    refuse(p,
           caucus_create(p->machine.c, p->path, p->data, p->data_bytes, &options, on_created, p));
}

/* ---- Looking at it ---- */

/* What was asked of another server may not have come through when this one is asked. */
static void on_synced(void *context, const struct caucus_result *r)
{
    struct presence *p = context;
    p->in_flight = false;
    if (r->rc == 0 && p->at == PRESENCE_UNSURE)
        p->at = PRESENCE_ENTERED;
    else if (r->rc != 0)
        fail_unless_passing(p, r->rc);
    land(p);
}

static void catch_up(struct presence *p)
{
    take_off(p);
    refuse(p, caucus_sync(p->machine.c, p->path, on_synced, p));
}

static void on_fired(struct machine *m, struct machine_watch *w, const struct caucus_event *event)
{
    struct presence *p = presence_of(m);
    (void)w;
    p->watch = NULL;
    if (event->type == CAUCUS_NODE_DELETED)
        p->at = PRESENCE_NOWHERE;
    p->look_again = true;
}

static bool has_our_data(const struct presence *p, const struct caucus_result *r)
{
    if (r->data == NULL || p->data == NULL)
        return r->data == p->data;
    return r->data_bytes == p->data_bytes &&
           (p->data_bytes == 0 || memcmp(r->data, p->data, p->data_bytes) == 0);
}

static void see(struct presence *p, const struct caucus_result *r)
{
    p->version = r->stat->version;
    p->owner = r->stat->ephemeral_owner;
    p->token = r->stat->czxid;
    bool is_made = p->token == p->made || p->may_be_made;
    if (p->owner == p->session && is_made) {
        p->made = p->token;
        p->may_be_made = false;
        /* Of a lost creation, after which other data was wanted. */
        p->is_dirty |= p->at == PRESENCE_ENTERED && !has_our_data(p, r);
        p->at = PRESENCE_OURS;
        p->machine.failures = 0;
        p->parent_rounds = 0;
    } else if ((p->former != 0 && p->owner == p->former) || p->take_over) {
        p->at = PRESENCE_REMOVE;
    } else if (p->at != PRESENCE_OTHERS) {
        p->at = PRESENCE_OTHERS;
        tell(p, p->calls->trouble, CAUCUS_NODEEXISTS);
    }
}

static void on_seen(void *context, const struct caucus_result *r)
{
    struct presence *p = context;
    p->in_flight = false;
    if (p->flight_watch != NULL && r->rc == 0)
        p->watch = p->flight_watch;
    else if (p->flight_watch != NULL)
        machine_watch_free(p->flight_watch);
    p->flight_watch = NULL;
    p->look_again = p->watch == NULL; /* it may have fired meanwhile */
    if (r->rc == 0) {
        see(p, r);
    } else if (r->rc == CAUCUS_NONODE) {
        p->at = PRESENCE_NOWHERE;
        p->may_be_made = false;
    } else {
        fail_unless_passing(p, r->rc);
    }
    land(p);
}

static void look(struct presence *p)
{
    take_off(p);
    if (p->watch == NULL)
        p->flight_watch = machine_watch_new(&p->machine, CAUCUS_KIND_DATA, p->path, on_fired);
    refuse(p, caucus_get(p->machine.c, p->path, p->flight_watch != NULL ? machine_on_event : NULL,
                         p->flight_watch, on_seen, p));
}

/* ---- Changing it, and leaving ---- */

static void on_set(void *context, const struct caucus_result *r)
{
    struct presence *p = context;
    p->in_flight = false;
    if (r->rc == 0) {
        p->version = r->stat->version;
        p->is_dirty = p->set_serial != p->data_serial;
    } else if (r->rc == CAUCUS_BADVERSION || r->rc == CAUCUS_NONODE) {
        p->look_again = true;
    } else {
        fail_unless_passing(p, r->rc);
    }
    land(p);
}

static void set(struct presence *p)
{
    take_off(p);
    p->set_serial = p->data_serial;
    refuse(p, caucus_set(p->machine.c, p->path, p->data, p->data_bytes, p->version, on_set, p));
}

static void on_deleted(void *context, const struct caucus_result *r)
{
    struct presence *p = context;
    p->in_flight = false;
    if (r->rc == 0 || r->rc == CAUCUS_NONODE)
        p->at = PRESENCE_NOWHERE;
    else if (r->rc == CAUCUS_BADVERSION)
        p->at = PRESENCE_ENTERED;
    else
        fail_unless_passing(p, r->rc);
    land(p);
}

static void clear_away(struct presence *p)
{
    take_off(p);
    refuse(p, caucus_delete(p->machine.c, p->path, p->version, on_deleted, p));
}

/* ---- The machine ---- */

/* Whether there may be a node of ours that closing has to delete. */
static bool may_be_there(const struct presence *p)
{
    return p->machine.has_session &&
           (p->at == PRESENCE_UNSURE || p->at == PRESENCE_ENTERED || p->at == PRESENCE_OURS);
}

static void act(struct presence *p)
{
    switch (p->at) {
    case PRESENCE_NOWHERE:
        enter(p);
        break;
    case PRESENCE_UNSURE:
        catch_up(p);
        break;
    case PRESENCE_ENTERED:
        look(p);
        break;
    case PRESENCE_OURS:
        if (p->look_again)
            look(p);
        else if (p->machine.is_closed)
            clear_away(p);
        else if (p->is_dirty)
            set(p);
        break;
    case PRESENCE_OTHERS:
        if (p->look_again)
            look(p);
        break;
    case PRESENCE_REMOVE:
        clear_away(p);
        break;
    }
}

static void advance(struct machine *m)
{
    struct presence *p = presence_of(m);
    ask_guard(p);
    set_deadline(p);
    if (p->in_flight || m->is_pausing)
        return;
    if (m->is_closed && !may_be_there(p)) {
        machine_watch_forget(p->watch);
        p->watch = NULL;
        machine_retire(m);
    } else if (m->has_session) {
        act(p);
    }
}

static void on_lost(struct presence *p)
{
    /* If only our clock says so, the node stands for a while: it is deleted in the next session. */
    if (p->at != PRESENCE_NOWHERE || p->in_flight)
        p->former = p->session;
    p->session = 0;
    p->made = 0;
    p->may_be_made = false;
    p->at = PRESENCE_NOWHERE;
    become_absent(p, CAUCUS_SESSIONEXPIRED);
}

static void on_state(struct machine *m, const struct caucus_state_change *change)
{
    struct presence *p = presence_of(m);
    switch (change->state) {
    case CAUCUS_CONNECTED:
    case CAUCUS_RECONNECTED:
        p->session = change->session_id;
        break;
    case CAUCUS_LOST:
        on_lost(p);
        break;
    case CAUCUS_AUTH_FAILED:
        become_absent(p, CAUCUS_AUTHFAILED);
        tell(p, p->calls->trouble, CAUCUS_AUTHFAILED);
        break;
    case CAUCUS_CONNECTING:
    case CAUCUS_SUSPENDED:
    case CAUCUS_READ_ONLY:
    case CAUCUS_CLOSED:
        break;
    }
}

static void on_end(struct machine *m)
{
    become_absent(presence_of(m), CAUCUS_CLOSING);
}

static void on_free(struct machine *m)
{
    struct presence *p = presence_of(m);
    p->calls->free(p);
}

static const struct machine_calls machine_calls = {on_state, advance, on_end, on_free};

/* ---- From any thread ---- */

int presence_start(struct presence *p)
{
    return machine_start(&p->machine);
}

void presence_close(struct presence *p)
{
    machine_close(&p->machine);
}

static void run_update(void *context)
{
    struct presence *p = context;
    pthread_mutex_lock(&p->machine.lock);
    if (p->has_next) {
        free(p->data);
        p->data = p->next_data;
        p->data_bytes = p->next_bytes;
        p->data_serial++;
        p->next_data = NULL;
        p->has_next = false;
        p->is_dirty = true;
    }
    pthread_mutex_unlock(&p->machine.lock);
    land(p);
}

void presence_update(struct presence *p, const void *data, size_t data_bytes)
{
    pthread_mutex_lock(&p->machine.lock);
    free(p->next_data);
    p->next_data = mem_dup(data, data_bytes);
    p->next_bytes = data != NULL ? data_bytes : 0;
    p->has_next = true;
    pthread_mutex_unlock(&p->machine.lock);
    machine_post(&p->machine, run_update);
}

/* lock is held. */
static int64_t token_now(const struct presence *p)
{
    const struct machine *m = &p->machine;
    bool is_so =
        p->held_by != 0 && !m->ends && !m->is_gone && guard_holds_now(p->policy, p->held_by, m->c);
    return is_so ? p->held_token : 0;
}

int64_t presence_token(struct presence *p)
{
    pthread_mutex_lock(&p->machine.lock);
    int64_t token = token_now(p);
    pthread_mutex_unlock(&p->machine.lock);
    return token;
}

static bool is_present(const struct machine *m)
{
    return token_now((const struct presence *)(const void *)m) != 0;
}

int presence_await(struct presence *p, int64_t timeout_ms, int64_t *ret_token)
{
    machine_hold(&p->machine);
    pthread_mutex_lock(&p->machine.lock);
    int rc = machine_await(&p->machine, timeout_ms, is_present);
    if (rc == 0 && ret_token != NULL)
        *ret_token = p->held_token;
    pthread_mutex_unlock(&p->machine.lock);
    machine_drop(&p->machine);
    return rc;
}

/* ---- Making ---- */

int presence_init(struct presence *p, const struct presence_calls *calls, struct caucus *c,
                  const struct presence_options *o)
{
    if (!copy_is_parent(o->parent) || !copy_is_name(o->name) ||
        (o->policy != CAUCUS_STRICT && o->policy != CAUCUS_UNTIL_LOST))
        return CAUCUS_BADARGUMENTS;
    *p = (struct presence){.calls = calls,
                           .parent = copy_text(o->parent),
                           .path = copy_joined(o->parent, o->name),
                           .acl = copy_acl(o->acl, o->acl_count),
                           .acl_count = o->acl_count,
                           .policy = o->policy,
                           .take_over = o->take_over,
                           .data = mem_dup(o->data, o->data_bytes),
                           .data_bytes = o->data != NULL ? o->data_bytes : 0};
    machine_init(&p->machine, &machine_calls, c);
    return 0;
}

void presence_deinit(struct presence *p)
{
    free(p->parent);
    free(p->path);
    free(p->acl);
    free(p->data);
    free(p->next_data);
    machine_deinit(&p->machine);
}
