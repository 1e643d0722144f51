/* double_barrier.c: a member of a double barrier.
 *
 *   OUT -> CLEAR -> CREATE -> LOOK for "ready" -> COUNT -> (wait for "ready") -> IN
 *    ^                            +-- there ------- | -- all there, ready made --^
 *    |                                              v                            |
 *    +------------------------------------------ EXIT <--------- leave ---------+
 *
 * "ready" is the door: whoever finds it open is in. It is made by whoever counts enough members,
 * and deleted together with the last of them, so that a member that was slow to look still finds
 * it. What is left of members that all died is cleared away by the first who comes.
 *
 * Who leaves deletes its node, and waits for the one whose name is the least; that one stays until
 * all others are gone, and watches the greatest: two are woken by each that goes, not all. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "caucus/barrier.h"
#include "recipes/badge.h"
#include "recipes/copy.h"
#include "recipes/machine.h"

enum {
    MEMBERS_MAX = 100000
};

#define READY "ready"

enum phase {
    PHASE_OUT,
    PHASE_CLEAR,  /* is a door left of an earlier round? */
    PHASE_CREATE, /* our node */
    PHASE_LOOK,   /* is the door open? */
    PHASE_COUNT,  /* are all there? */
    PHASE_OPEN,   /* open it */
    PHASE_WAIT,   /* for somebody to open it */
    PHASE_IN,
    PHASE_EXIT, /* look who is there, until nobody is */
    PHASE_LOST, /* asked: the session ended while it was in */
};

struct caucus_double_barrier {
    struct machine m; /* first */
    char *path;
    char *ready;
    size_t members;
    void *identity;
    struct caucus_acl *acl;
    size_t acl_count;

    /* The event thread's. */
    enum phase phase;
    struct badge place;
    struct machine_watch *watch;
    struct machine_flight flight; /* its serial: of what was begun last */
    caucus_barrier_fn *done;      /* of what was begun; NULL: nothing is under way */
    void *context;

    enum phase asked; /* lock: IN, OUT, LOST, or what was begun last: CLEAR, EXIT */
};

static struct caucus_double_barrier *barrier_of(struct machine *m)
{
    return (struct caucus_double_barrier *)(void *)m;
}

/* ---- What is told ---- */

static void set_asked(struct caucus_double_barrier *b, enum phase phase)
{
    pthread_mutex_lock(&b->m.lock);
    b->asked = phase;
    pthread_mutex_unlock(&b->m.lock);
}

static void forget_watch(struct caucus_double_barrier *b)
{
    machine_watch_forget(b->watch);
    b->watch = NULL;
}

static void tell(struct caucus_double_barrier *b, caucus_barrier_fn *done, void *context, int rc)
{
    b->m.is_calling = true;
    done(context, rc);
    b->m.is_calling = false;
}

static void go_away(struct caucus_double_barrier *b)
{
    b->place.wanted = false;
    badge_leave(&b->place);
}

/* What was begun is over: IN or OUT. */
static void finish(struct caucus_double_barrier *b, enum phase phase, int rc)
{
    caucus_barrier_fn *done = b->done;
    set_asked(b, b->phase == PHASE_IN ? PHASE_LOST : phase);
    b->done = NULL;
    b->phase = phase;
    b->flight.serial++;
    forget_watch(b);
    if (phase == PHASE_OUT)
        go_away(b);
    if (done != NULL)
        tell(b, done, b->context, rc);
}

static void fail(struct caucus_double_barrier *b, int rc)
{
    if (b->phase != PHASE_OUT)
        finish(b, PHASE_OUT, rc);
}

/* ---- Requests, one at a time ---- */

/* Every completion begins here and ends with machine_settle. False: it is void, or to be tried
 * again. */
static bool lands(struct caucus_double_barrier *b, int rc)
{
    return machine_land(&b->flight) && !protect_is_passing(rc);
}

static void refuse(struct caucus_double_barrier *b, int rc)
{
    if (rc == 0)
        return;
    machine_land(&b->flight);
    machine_land_watch(&b->flight, false);
    fail(b, rc);
    machine_settle(&b->m);
}

static bool is_member(const char *name)
{
    return strcmp(name, READY) != 0;
}

struct line {
    size_t members; /* besides our own */
    const char *least, *greatest;
    bool is_open; /* the door is there */
    bool has_own;
};

static struct line line_of(const struct caucus_double_barrier *b, const struct caucus_result *r)
{
    struct line line = {.members = 0};
    const char *own = b->place.path != NULL ? strrchr(b->place.path, '/') + 1 : "";
    for (size_t i = 0; i < r->name_count; i++) {
        const char *name = r->names[i];
        if (!is_member(name)) {
            line.is_open = true;
        } else if (strcmp(name, own) == 0) {
            line.has_own = true;
        } else {
            line.members++;
            if (line.least == NULL || strcmp(name, line.least) < 0)
                line.least = name;
            if (line.greatest == NULL || strcmp(name, line.greatest) > 0)
                line.greatest = name;
        }
    }
    return line;
}

/* Also at the end of a wait: what was watched has changed, or may have. */
static void on_fired(struct machine *m, struct machine_watch *w, const struct caucus_event *event)
{
    (void)w;
    struct caucus_double_barrier *b = barrier_of(m);
    b->watch = NULL;
    /* A door that was opened lets us in, even if it is closed by the time we look. */
    if (b->phase != PHASE_EXIT && event->type == CAUCUS_NODE_CREATED)
        finish(b, PHASE_IN, 0);
    else if (b->phase == PHASE_WAIT)
        b->phase = PHASE_LOOK;
}

static void on_place_failed(struct machine *m, int rc)
{
    machine_pause(m);
    fail(barrier_of(m), rc);
}

/* ---- Entering ---- */

static void on_door_cleared(void *context, const struct caucus_result *r)
{
    struct caucus_double_barrier *b = context;
    if (lands(b, r->rc)) {
        if (r->rc == 0 || r->rc == CAUCUS_NONODE)
            b->phase = PHASE_CREATE;
        else
            fail(b, r->rc);
    }
    machine_settle(&b->m);
}

static void clear_door(struct caucus_double_barrier *b)
{
    machine_take_off(&b->m, &b->flight);
    refuse(b, caucus_delete(b->m.c, b->ready, CAUCUS_ANY_VERSION, on_door_cleared, b));
}

static void on_clear_listed(void *context, const struct caucus_result *r)
{
    struct caucus_double_barrier *b = context;
    if (lands(b, r->rc)) {
        struct line line = line_of(b, r);
        if (r->rc != 0 && r->rc != CAUCUS_NONODE)
            fail(b, r->rc);
        else if (line.is_open && line.members == 0)
            clear_door(b);
        else
            b->phase = PHASE_CREATE;
    }
    machine_settle(&b->m);
}

static void on_counted(void *context, const struct caucus_result *r)
{
    struct caucus_double_barrier *b = context;
    if (lands(b, r->rc)) {
        struct line line = line_of(b, r);
        if (r->rc != 0)
            fail(b, r->rc);
        else if (!line.has_own)
            fail(b, CAUCUS_NONODE); /* somebody deleted it */
        else if (line.members + 1 >= b->members)
            b->phase = PHASE_OPEN;
        else
            b->phase = b->watch != NULL ? PHASE_WAIT : PHASE_LOOK;
    }
    machine_settle(&b->m);
}

static void list(struct caucus_double_barrier *b, caucus_done_fn *done)
{
    machine_take_off(&b->m, &b->flight);
    refuse(b, caucus_get_children(b->m.c, b->path, NULL, NULL, done, b));
}

static void on_opened(void *context, const struct caucus_result *r)
{
    struct caucus_double_barrier *b = context;
    if (lands(b, r->rc)) {
        if (r->rc == 0 || r->rc == CAUCUS_NODEEXISTS)
            finish(b, PHASE_IN, 0);
        else
            fail(b, r->rc);
    }
    machine_settle(&b->m);
}

static void open_door(struct caucus_double_barrier *b)
{
    struct caucus_create_options options = {.acl = b->acl, .acl_count = b->acl_count};
    machine_take_off(&b->m, &b->flight);
    refuse(b, caucus_create(b->m.c, b->ready, "", 0, &options, on_opened, b));
}

static void on_looked(void *context, const struct caucus_result *r)
{
    struct caucus_double_barrier *b = context;
    struct machine_watch *w = machine_land_watch(&b->flight, r->rc == 0 || r->rc == CAUCUS_NONODE);
    if (lands(b, r->rc)) {
        b->watch = w;
        if (r->rc == 0)
            finish(b, PHASE_IN, 0);
        else if (r->rc == CAUCUS_NONODE)
            b->phase = PHASE_COUNT;
        else
            fail(b, r->rc);
    }
    machine_settle(&b->m);
}

static void look_for_door(struct caucus_double_barrier *b)
{
    machine_take_off(&b->m, &b->flight);
    b->flight.watch = machine_watch_new(&b->m, CAUCUS_KIND_DATA, b->ready, on_fired);
    refuse(b, caucus_exists(b->m.c, b->ready, machine_on_event, b->flight.watch, on_looked, b));
}

/* ---- Leaving ---- */

static void on_last_out(void *context, const struct caucus_result *r)
{
    struct caucus_double_barrier *b = context;
    if (r->rc == 0)
        badge_forget(&b->place);
    if (lands(b, r->rc)) {
        if (r->rc == 0)
            finish(b, PHASE_OUT, 0);
        else if (r->rc != CAUCUS_NONODE) /* somebody was faster: it is looked at once more */
            fail(b, r->rc);
    }
    machine_settle(&b->m);
}

/* The last one closes the door behind it; a door that only the dead have left open as well. */
static void close_door(struct caucus_double_barrier *b, const struct line *line)
{
    struct caucus_op ops[2];
    size_t count = 0;
    if (line->is_open)
        ops[count++] = (struct caucus_op){
            .type = CAUCUS_OP_DELETE, .path = b->ready, .version = CAUCUS_ANY_VERSION};
    if (line->has_own)
        ops[count++] = (struct caucus_op){
            .type = CAUCUS_OP_DELETE, .path = b->place.path, .version = CAUCUS_ANY_VERSION};
    machine_take_off(&b->m, &b->flight);
    refuse(b, caucus_multi(b->m.c, ops, count, on_last_out, b));
}

static void on_neighbour_seen(void *context, const struct caucus_result *r)
{
    struct caucus_double_barrier *b = context;
    struct machine_watch *w = machine_land_watch(&b->flight, r->rc == 0);
    if (lands(b, r->rc)) {
        b->watch = w;
        if (r->rc != 0 && r->rc != CAUCUS_NONODE)
            fail(b, r->rc);
    }
    machine_settle(&b->m);
}

static void watch_neighbour(struct caucus_double_barrier *b, const char *name)
{
    char *path = copy_joined(b->path, name);
    machine_take_off(&b->m, &b->flight);
    b->flight.watch = machine_watch_new(&b->m, CAUCUS_KIND_DATA, path, on_fired);
    refuse(b, caucus_get(b->m.c, path, machine_on_event, b->flight.watch, on_neighbour_seen, b));
    free(path);
}

static void go_on_leaving(struct caucus_double_barrier *b, const struct line *line)
{
    bool is_least = line->has_own && line->members > 0 &&
                    strcmp(strrchr(b->place.path, '/') + 1, line->least) < 0;
    if (line->members == 0 && (line->has_own || line->is_open))
        close_door(b, line);
    else if (line->members == 0)
        finish(b, PHASE_OUT, 0);
    else if (is_least)
        watch_neighbour(b, line->greatest);
    else if (line->has_own)
        go_away(b);
    else
        watch_neighbour(b, line->least);
}

static void on_exit_listed(void *context, const struct caucus_result *r)
{
    struct caucus_double_barrier *b = context;
    if (lands(b, r->rc)) {
        struct line line = line_of(b, r);
        if (r->rc == 0)
            go_on_leaving(b, &line);
        else if (r->rc == CAUCUS_NONODE)
            finish(b, PHASE_OUT, 0);
        else
            fail(b, r->rc);
    }
    machine_settle(&b->m);
}

/* ---- The machine ---- */

static void go_on(struct caucus_double_barrier *b)
{
    switch (b->phase) {
    case PHASE_CLEAR:
        list(b, on_clear_listed);
        break;
    case PHASE_CREATE:
        b->place.wanted = true;
        if (badge_step(&b->place))
            break;
        b->phase = PHASE_LOOK;
        look_for_door(b);
        break;
    case PHASE_LOOK:
        look_for_door(b);
        break;
    case PHASE_COUNT:
        list(b, on_counted);
        break;
    case PHASE_OPEN:
        open_door(b);
        break;
    case PHASE_EXIT:
        if (b->watch == NULL)
            list(b, on_exit_listed);
        break;
    case PHASE_WAIT:
    case PHASE_IN:
    case PHASE_OUT:
    case PHASE_LOST:
        break;
    }
}

static void advance(struct machine *m)
{
    struct caucus_double_barrier *b = barrier_of(m);
    if (b->flight.is_up || m->is_pausing || badge_step(&b->place))
        return;
    if (b->phase != PHASE_OUT)
        go_on(b);
    else if (m->is_closed)
        machine_retire(m);
}

static void on_state(struct machine *m, const struct caucus_state_change *change)
{
    struct caucus_double_barrier *b = barrier_of(m);
    if (change->state == CAUCUS_LOST)
        fail(b, CAUCUS_SESSIONEXPIRED);
    if (change->state == CAUCUS_AUTH_FAILED)
        fail(b, CAUCUS_AUTHFAILED);
}

static void on_end(struct machine *m)
{
    struct caucus_double_barrier *b = barrier_of(m);
    fail(b, CAUCUS_CLOSING);
}

static void on_free(struct machine *m)
{
    struct caucus_double_barrier *b = barrier_of(m);
    machine_deinit(m);
    free(b->path);
    free(b->ready);
    badge_deinit(&b->place);
    free(b->identity);
    free(b->acl);
    free(b);
}

static const struct machine_calls calls = {on_state, advance, on_end, on_free};

/* ---- What is asked of it, from any thread ---- */

struct order {
    struct caucus_double_barrier *b;
    enum phase phase; /* CLEAR: enter, EXIT: leave, LOST: tell so */
    int64_t until_ns; /* 0: no bound */
    uint64_t serial;
    caucus_barrier_fn *done;
    void *context;
};

static void on_time(void *context)
{
    struct order *o = context;
    struct caucus_double_barrier *b = o->b;
    if (o->serial == b->flight.serial)
        fail(b, CAUCUS_OPERATIONTIMEOUT);
    free(o);
    machine_settle(&b->m);
}

/* `o` goes on to be its deadline. */
static void set_deadline(struct order *o)
{
    o->serial = o->b->flight.serial;
    if (o->until_ns == 0 || !machine_run(&o->b->m, o->until_ns, on_time, o))
        free(o);
}

static void run_order(void *context)
{
    struct order *o = context;
    struct caucus_double_barrier *b = o->b;
    bool is_lost = o->phase == PHASE_LOST || (o->phase == PHASE_EXIT && b->phase != PHASE_IN);
    if (b->m.is_closed || is_lost) {
        set_asked(b, PHASE_OUT);
        if (o->done != NULL)
            tell(b, o->done, o->context, b->m.is_closed ? CAUCUS_CLOSING : CAUCUS_SESSIONEXPIRED);
        free(o);
    } else {
        b->phase = o->phase;
        b->done = o->done;
        b->context = o->context;
        b->flight.serial++;
        set_deadline(o);
    }
    machine_settle(&b->m);
}

/* lock is held, so that no order comes behind the end. Errors: as enter and leave. */
static int post_order(struct caucus_double_barrier *b, bool enters, struct order *o)
{
    enum phase is = b->asked;
    bool is_out = is == PHASE_OUT || is == PHASE_LOST;
    bool is_in = is == PHASE_IN || is == PHASE_LOST;
    if (b->m.ends)
        return CAUCUS_CLOSING;
    if (enters ? !is_out : !is_in)
        return CAUCUS_BADARGUMENTS;
    o->phase = enters ? PHASE_CLEAR : is == PHASE_IN ? PHASE_EXIT : PHASE_LOST;
    if (!machine_run(&b->m, 0, run_order, o))
        return CAUCUS_CLOSING;
    b->asked = enters ? PHASE_CLEAR : PHASE_EXIT;
    return 0;
}

static int begin(struct caucus_double_barrier *b, bool enters, int64_t timeout_ms,
                 caucus_barrier_fn *done, void *context)
{
    if (timeout_ms < -1)
        return CAUCUS_BADARGUMENTS;
    int64_t until_ns = timeout_ms < 0 ? 0 : caucus_now_ns() + timeout_ms * INT64_C(1000000);
    struct order *o = mem_alloc(sizeof(*o));
    *o = (struct order){.b = b, .until_ns = until_ns, .done = done, .context = context};
    pthread_mutex_lock(&b->m.lock);
    int rc = post_order(b, enters, o);
    pthread_mutex_unlock(&b->m.lock);
    if (rc != 0)
        free(o);
    return rc;
}

static void on_done(void *context, int rc)
{
    machine_blocked_done(context, rc);
}

static int begin_and_wait(struct caucus_double_barrier *b, bool enters, int64_t timeout_ms)
{
    if (machine_must_not_block(&b->m))
        return CAUCUS_WOULDBLOCK;
    struct machine_blocked blocked;
    machine_blocked_init(&blocked);
    int rc = begin(b, enters, timeout_ms, on_done, &blocked);
    if (rc != 0)
        machine_blocked_done(&blocked, rc);
    return machine_blocked_wait(&blocked);
}

int caucus_double_barrier_enter(struct caucus_double_barrier *b, int64_t timeout_ms,
                                caucus_barrier_fn *done, void *context)
{
    return begin(b, true, timeout_ms, done, context);
}

int caucus_double_barrier_enter_wait(struct caucus_double_barrier *b, int64_t timeout_ms)
{
    return begin_and_wait(b, true, timeout_ms);
}

int caucus_double_barrier_leave(struct caucus_double_barrier *b, int64_t timeout_ms,
                                caucus_barrier_fn *done, void *context)
{
    return begin(b, false, timeout_ms, done, context);
}

int caucus_double_barrier_leave_wait(struct caucus_double_barrier *b, int64_t timeout_ms)
{
    return begin_and_wait(b, false, timeout_ms);
}

int caucus_double_barrier_open(struct caucus *c, const char *path, int members,
                               const struct caucus_double_barrier_options *options,
                               struct caucus_double_barrier **ret)
{
    static const struct caucus_double_barrier_options none;
    const struct caucus_double_barrier_options *o = options != NULL ? options : &none;
    if (!copy_is_parent(path) || members < 1 || members > MEMBERS_MAX)
        return CAUCUS_BADARGUMENTS;
    struct caucus_double_barrier *b = mem_calloc(1, sizeof(*b));
    machine_init(&b->m, &calls, c);
    b->path = copy_text(path);
    b->ready = copy_joined(path, READY);
    b->members = (size_t)members;
    b->identity = o->identity != NULL ? mem_dup(o->identity, o->identity_bytes) : NULL;
    b->acl = copy_acl(o->acl, o->acl_count);
    b->acl_count = o->acl_count;
    b->place.entry = (struct protect){.parent = b->path,
                                      .data = b->identity,
                                      .data_bytes = o->identity_bytes,
                                      .acl = b->acl,
                                      .acl_count = b->acl_count};
    badge_init(&b->place, &b->m, on_place_failed);
    int rc = machine_start(&b->m);
    if (rc == 0)
        *ret = b;
    else
        machine_drop(&b->m);
    return rc;
}

void caucus_double_barrier_close(struct caucus_double_barrier *b)
{
    if (b != NULL)
        machine_close(&b->m);
}
