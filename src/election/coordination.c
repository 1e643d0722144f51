#include "election/coordination.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/mem.h"
#include "election/coordination_internal.h"
#include "election/identity.h"
#include "election/session.h"

/* ---- time ---- */

void alarm_init(struct alarm *a, void (*ring)(void *owner), void *owner)
{
    list_init(&a->list);
    a->ring = ring;
    a->owner = owner;
}

void alarm_clear(struct alarm *a)
{
    list_remove(&a->list);
}

static void arm_timer(struct coordination *c);

void alarm_set(struct coordination *c, struct alarm *a, int64_t at_ns)
{
    list_remove(&a->list);
    if (c->closing)
        return;
    a->at_ns = at_ns;
    list_append(&c->alarms, &a->list);
    arm_timer(c);
}

static void ring_alarms(struct coordination *c)
{
    int64_t now_ns = caucus_now_ns();
    struct list due;
    list_init(&due);
    for (struct list *i = c->alarms.next, *next; i != &c->alarms; i = next) {
        next = i->next;
        if (list_entry(i, struct alarm, list)->at_ns > now_ns)
            continue;
        list_remove(i);
        list_append(&due, i);
    }
    for (struct list *i; (i = list_take(&due)) != NULL;) {
        struct alarm *a = list_entry(i, struct alarm, list);
        a->ring(a->owner);
    }
}

/* ---- the loop ---- */

static int64_t alarms_timeout_ms(struct coordination *c)
{
    int64_t first_ns = INT64_MAX;
    for (struct list *i = c->alarms.next; i != &c->alarms; i = i->next) {
        const struct alarm *a = list_entry(i, struct alarm, list);
        first_ns = a->at_ns < first_ns ? a->at_ns : first_ns;
    }
    if (first_ns == INT64_MAX)
        return -1;
    int64_t left_ns = first_ns - caucus_now_ns();
    return left_ns > 0 ? (left_ns + MS_NS - 1) / MS_NS : 0;
}

static void turn(struct coordination *c)
{
    ring_alarms(c);
    bool lives = caucus_loop_run(c->zk);
    invariant(lives); /* it is closed by coordination_close alone */
    arm_timer(c);
}

static void on_timer(uv_timer_t *t)
{
    turn(t->data);
}

static void on_poll(uv_poll_t *p, int status, int events)
{
    (void)status;
    (void)events;
    turn(p->data);
}

static void arm_timer(struct coordination *c)
{
    struct caucus_wants wants;
    caucus_loop_wants(c->zk, &wants);
    int64_t timeout_ms = wants.timeout_ms, alarms_ms = alarms_timeout_ms(c);
    if (timeout_ms < 0 || (alarms_ms >= 0 && alarms_ms < timeout_ms))
        timeout_ms = alarms_ms;
    if (timeout_ms < 0) {
        uv_timer_stop(&c->timer);
        return;
    }
    uv_update_time(c->loop);
    uv_timer_start(&c->timer, on_timer, (uint64_t)timeout_ms, 0);
}

/* ---- what is told ---- */

static void __attribute__((format(printf, 2, 0)))
say(struct coordination *c, const char *format, va_list args)
{
    vsnprintf(c->trouble, sizeof c->trouble, format, args);
}

void coord_fail(struct coordination *c, const char *format, ...)
{
    if (c->has_failed || c->closing)
        return;
    va_list args;
    va_start(args, format);
    say(c, format, args);
    va_end(args);
    c->has_failed = true;
    c->options.failed(c->options.arg, c->trouble);
}

void coord_changed(struct coordination *c, int state, uint32_t changes)
{
    if (!c->closing)
        c->options.changed(c->options.arg, state, changes);
}

void coord_trouble(struct coordination *c, const char *format, ...)
{
    char before[TROUBLE_BYTES_MAX];
    memcpy(before, c->trouble, sizeof before);
    va_list args;
    va_start(args, format);
    say(c, format, args);
    va_end(args);
    if (strcmp(before, c->trouble) != 0)
        coord_changed(c, -1, COORDINATION_SESSION);
}

/* ---- the session ---- */

bool coord_can_ask(const struct coordination *c)
{
    return c->connected && c->is_set_up && !c->closing && !c->has_failed;
}

static void tell_ready(struct coordination *c)
{
    if (c->told_ready || !c->nation.known)
        return;
    for (uint32_t i = 0; i < c->state_count; i++) {
        if (!c->states[i].view.known)
            return;
    }
    c->told_ready = true;
    c->options.ready(c->options.arg);
}

void coord_settle(struct coordination *c)
{
    setup_step(c);
    if (!coord_can_ask(c))
        return;
    crew_step(c);
    follow_step(c);
    for (size_t i = 0; i < c->shard_count; i++)
        claim_step(c->shards[i]);
    tell_ready(c);
}

static void begin_session(struct coordination *c)
{
    c->stats.sessions++;
    shards_expired(c); /* no news, unless LOST was not told */
    crew_new_session(c);
    follow_new_session(c);
    for (size_t i = 0; i < c->shard_count; i++)
        claim_new_session(c->shards[i]);
}

static void on_connected(struct coordination *c, const struct caucus_state_change *change)
{
    c->connected = true;
    c->session_id = change->session_id;
    c->trouble[0] = '\0';
    if (change->renewed || change->state == CAUCUS_CONNECTED)
        begin_session(c);
    coord_settle(c);
    for (size_t i = 0; i < c->shard_count; i++)
        shard_settle(c->shards[i]);
    tasks_kick(c);
}

/* The outcome of what shards asked for is unknown from here on; the answers that follow
 * (CONNECTIONLOSS) say no more. A state is told before them, and before anything that is asked
 * later. */
static void on_state(void *context, struct caucus *zk, const struct caucus_state_change *change)
{
    struct coordination *c = context;
    (void)zk;
    if (c->closing)
        return;
    snprintf(c->trouble, sizeof c->trouble, "%s", change->reason != NULL ? change->reason : "");
    switch (change->state) {
    case CAUCUS_CONNECTED:
    case CAUCUS_RECONNECTED:
        on_connected(c, change);
        break;
    case CAUCUS_LOST:
        c->connected = false;
        shards_expired(c);
        break;
    case CAUCUS_AUTH_FAILED:
        c->connected = false;
        shards_disconnected(c);
        coord_fail(c, "the coordination service refused the credentials");
        break;
    default:
        c->connected = false;
        shards_disconnected(c);
        break;
    }
    coord_changed(c, -1, COORDINATION_SESSION);
}

/* ---- life ---- */

static bool is_root(const char *root)
{
    size_t len = strlen(root);
    if (len < 2 || len >= ROOT_BYTES_MAX || root[0] != '/' || root[len - 1] == '/')
        return false;
    for (size_t i = 0; i < len; i++) {
        bool dot = root[i] == '.' && root[i - 1] == '/';
        if (root[i] <= ' ' || root[i] > '~' || dot || (root[i] == '/' && root[i + 1] == '/'))
            return false;
    }
    return true;
}

static int check(const struct coordination_options *o, struct err *err)
{
    const char *objection = identity_objection(&o->self);
    if (objection != NULL)
        return err_set(err, ERR_INVALID, "server '%.64s': %s", o->self.name, objection);
    if (o->root != NULL && !is_root(o->root))
        return err_set(err, ERR_INVALID, "'%s' is no path for the election's nodes", o->root);
    if (o->creator_only && o->auth == NULL)
        return err_set(err, ERR_INVALID, "nodes for their creator alone need an identity (auth)");
    if (o->auth != NULL && strchr(o->auth, ':') == NULL)
        return err_set(err, ERR_INVALID,
                       "the identity for the coordination service is USER:PASSWORD");
    if (o->definition.len > DEFINITION_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the definition of the election is longer than %d bytes",
                       DEFINITION_BYTES_MAX);
    if (o->replicas < 1 || o->replicas > SHARD_MEMBERS_MAX || o->copies_min < 1 ||
        o->copies_min > o->replicas)
        return err_set(err, ERR_INVALID, "%u replicas, %u copies: at most %d, and copies are fewer",
                       o->replicas, o->copies_min, SHARD_MEMBERS_MAX);
    if (o->election->state_count < 1 || o->election->state_count > STATES_MAX)
        return err_set(err, ERR_INVALID, "an election has 1 to %d states", STATES_MAX);
    return 0;
}

static void copy_options(struct coordination *c, const struct coordination_options *o)
{
    c->options = *o;
    c->options.hosts = c->options.auth = c->options.root =
        NULL; /* not needed any more, or in c->root */
    snprintf(c->root, sizeof c->root, "%s", o->root != NULL ? o->root : "/Election");
    buf_put_slice(&c->definition, o->definition);
    c->options.definition = buf_part(&c->definition, 0, c->definition.len);
    c->state_count = o->election->state_count;
    c->config = o->election->config;
    c->plain = o->plain;
    c->pace_ms = COORDINATION_PACE_MS;
}

static void free_handle(struct coordination *c)
{
    free(c->states);
    buf_deinit(&c->definition);
    free(c);
}

static int open_session(struct coordination *c, const struct coordination_options *o,
                        struct err *err)
{
    const struct session_place place = {o->hosts, o->ca, o->identity};
    const struct caucus_options options = {
        .session_timeout_ms = o->session_timeout_ms,
        .on_state = on_state,
        .on_state_context = c,
    };
    int rc = session_open(caucus_open_loop, &place, &options, &c->zk, err);
    if (rc < 0)
        return rc;
    if (o->auth != NULL)
        rc = caucus_add_auth(c->zk, "digest", o->auth, strlen(o->auth), NULL, NULL);
    if (rc == 0)
        return 0;
    caucus_close(c->zk);
    return err_set(err, ERR_INVALID, "identity: %s", caucus_error_text(rc));
}

static void on_setup_again(void *owner)
{
    setup_step(owner);
}

static int watch_descriptor(struct coordination *c, struct err *err)
{
    struct caucus_wants wants;
    caucus_loop_wants(c->zk, &wants);
    int rc = uv_poll_init(c->loop, &c->poll, wants.fd);
    if (rc != 0) {
        caucus_close(c->zk);
        return err_set(err, ERR_NOSPACE, "coordination: %s", uv_strerror(rc));
    }
    c->poll.data = c;
    rc = uv_timer_init(c->loop, &c->timer);
    invariant(rc == 0);
    c->timer.data = c;
    rc = uv_poll_start(&c->poll, UV_READABLE, on_poll);
    invariant(rc == 0);
    return 0;
}

int coordination_open(uv_loop_t *loop, const struct coordination_options *options,
                      struct coordination **ret, struct err *err)
{
    int rc = check(options, err);
    if (rc < 0)
        return rc;
    struct coordination *c = mem_calloc(1, sizeof *c);
    c->loop = loop;
    copy_options(c, options);
    list_init(&c->alarms);
    alarm_init(&c->setup_again, on_setup_again, c);
    follow_init(c);
    crew_init(c);
    tasks_init(c);
    if (getrandom(c->process, sizeof c->process, 0) != (ssize_t)sizeof c->process)
        abort(); /* so few bytes are never cut short */
    store_be64(c->process, options->life);
    rc = open_session(c, options, err);
    if (rc == 0)
        rc = watch_descriptor(c, err);
    if (rc < 0) {
        tasks_end(c);
        free_handle(c);
        return rc;
    }
    arm_timer(c);
    *ret = c;
    return 0;
}

static void on_handle_closed(uv_handle_t *h)
{
    struct coordination *c = h->data;
    if (--c->handles_left > 0)
        return;
    void (*closed)(void *arg) = c->closed;
    void *arg = c->closed_arg;
    free_handle(c);
    closed(arg);
}

void coordination_close(struct coordination *c, void (*closed)(void *arg), void *arg)
{
    c->closed = closed;
    c->closed_arg = arg;
    c->closing = true;
    c->connected = false;
    while (!list_is_empty(&c->alarms))
        list_take(&c->alarms);
    tasks_end(c);
    caucus_close(c->zk); /* calls back for all that is outstanding */
    shards_free(c);
    c->handles_left = 2;
    uv_close((uv_handle_t *)&c->poll, on_handle_closed);
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

bool coordination_is_connected(const struct coordination *c)
{
    return c->connected;
}

const char *coordination_trouble(const struct coordination *c)
{
    return c->trouble;
}

const struct coordination_stats *coordination_stats(const struct coordination *c)
{
    return &c->stats;
}

struct slice coord_live_data(const struct coordination *c, struct buf *scratch)
{
    identity_encode(&c->options.self, &c->config, scratch);
    return buf_slice(scratch);
}
