#include "vote/conduct.h"

#include "base/assert.h"

/* ---- the record of a command ---- */

static const uint8_t record_magic[4] = {'C', 'V', 'K', '1'};

void command_record_encode(const struct command_record *r, struct buf *b)
{
    uint8_t p[COMMAND_RECORD_BYTES] = {0};
    memcpy(p, record_magic, sizeof record_magic);
    store_be32(p + 4, r->start ? 1 : 0);
    store_be64(p + 8, r->round);
    buf_put(b, p, sizeof p);
}

bool command_record_decode(struct slice bytes, struct command_record *ret)
{
    const uint8_t *p = bytes.ptr;
    if (bytes.len != COMMAND_RECORD_BYTES || memcmp(p, record_magic, sizeof record_magic) != 0 ||
        load_be32(p + 4) > 1)
        return false;
    *ret = (struct command_record){.start = load_be32(p + 4) == 1, .round = load_be64(p + 8)};
    return true;
}

/* ---- what is so ---- */

bool conduct_state_is_ready(const struct conduct *c, const struct conduct_state *s)
{
    return s->live >= c->copies_min && s->live_others == 0;
}

/* Its Commit is of the nation's round, and nothing but the Commit tells the count. */
static bool wants_seal(const struct conduct_view *v, const struct conduct_state *s)
{
    return v->global.phase == PHASE_CLOSED && !s->has_seal && s->round == v->global.round;
}

/* The state never began the round that is over: there is nothing to lose, its replicas seal an
 * empty log when they live. */
static bool lacks_seal(const struct conduct_view *v, const struct conduct_state *s)
{
    return v->global.phase == PHASE_CLOSED && !s->has_seal;
}

/* Whether there is anybody who may still have votes under way. */
static bool is_drained(const struct conduct_view *v, const struct conduct_state *s)
{
    return s->live == 0 || (s->round == v->global.round && s->sealed);
}

static void see(struct conduct *c, const struct conduct_view *v, int64_t now_ns)
{
    if (c->has_seen && c->seen_version == v->version)
        return;
    c->has_seen = true;
    c->seen_version = v->version;
    c->seen_ns = now_ns;
}

/* ---- decisions ---- */

static void answer(struct conduct_decision *d, enum conduct_type type, const char *detail)
{
    d->type = type;
    d->detail = detail;
}

static void wait(struct conduct_decision *d, int64_t until_ns)
{
    d->type = CONDUCT_WAIT;
    d->until_ns = until_ns;
}

static void write(const struct conduct *c, const struct conduct_view *v, enum phase phase,
                  struct conduct_decision *d)
{
    d->type = CONDUCT_WRITE;
    d->next = v->global;
    d->next.phase = phase;
    if (!c->has_command || v->has_record)
        return; /* it goes on with what a command began */
    d->has_record = true;
    d->record = (struct command_record){.start = c->command.start, .round = v->global.round};
    memcpy(d->next.command_id, c->command.id, sizeof d->next.command_id);
}

/* Commits stand still: whoever copies one copies the last. */
static bool seal_one(const struct conduct_view *v, struct conduct_decision *d)
{
    for (uint32_t i = 0; i < v->state_count; i++) {
        if (!wants_seal(v, &v->states[i]))
            continue;
        d->type = CONDUCT_SEAL;
        d->state = i;
        return true;
    }
    return false;
}

static void close_round(const struct conduct *c, const struct conduct_view *v, int64_t wall_ms,
                        struct conduct_decision *d)
{
    write(c, v, PHASE_CLOSED, d);
    d->next.closed_ms = wall_ms;
}

/* Every leader says `sealed` when it has committed what it took. How long it was waited for is told
 * by one's own clock: another one that goes on waits anew, which harms nobody. */
static void drain(const struct conduct *c, const struct conduct_view *v, int64_t now_ns,
                  int64_t wall_ms, struct conduct_decision *d)
{
    bool drained = true;
    for (uint32_t i = 0; i < v->state_count; i++)
        drained = drained && is_drained(v, &v->states[i]);
    int64_t until_ns = c->seen_ns + (int64_t)v->global.drain_ms * 1000000;
    if (drained || now_ns >= until_ns)
        close_round(c, v, wall_ms, d);
    else
        wait(d, until_ns);
}

static void start(struct conduct *c, const struct conduct_view *v, int64_t now_ns, int64_t wall_ms,
                  struct conduct_decision *d)
{
    const struct global *g = &v->global;
    if (g->phase == PHASE_OPEN || g->phase == PHASE_CLOSING) {
        answer(d, CONDUCT_WRONG_PHASE, "a round is open");
        return;
    }
    if (c->command.round != 0 && c->command.round != g->round + 1) {
        answer(d, CONDUCT_WRONG_PHASE, "another round is next");
        return;
    }
    if (seal_one(v, d))
        return;

    bool unsealed = false;
    for (uint32_t i = 0; i < v->state_count; i++) {
        bool lacks = lacks_seal(v, &v->states[i]);
        unsealed = unsealed || (lacks && v->states[i].live > 0);
        if (lacks || !conduct_state_is_ready(c, &v->states[i]))
            d->not_ready |= UINT64_C(1) << i;
    }
    if (unsealed && now_ns < c->seen_ns + c->seal_wait_ns) {
        wait(d, c->seen_ns + c->seal_wait_ns);
        return;
    }
    if (d->not_ready != 0 && !c->command.force) {
        answer(d, CONDUCT_NOT_READY, "some states are not ready");
        return;
    }
    write(c, v, PHASE_OPEN, d);
    d->next.round = d->record.round = g->round + 1;
    d->next.config = c->config;
    d->next.opened_ms = wall_ms;
    d->next.closed_ms = 0;
    d->next.drain_ms = 0;
}

static void stop(const struct conduct *c, const struct conduct_view *v, int64_t wall_ms,
                 struct conduct_decision *d)
{
    const struct global *g = &v->global;
    if (c->command.round != 0 && c->command.round != g->round) {
        answer(d, CONDUCT_WRONG_PHASE, "another round is the current one");
    } else if (g->phase != PHASE_OPEN && g->phase != PHASE_CLOSING) {
        answer(d, CONDUCT_WRONG_PHASE, "no round is open");
    } else if (c->command.now) {
        close_round(c, v, wall_ms, d);
    } else if (g->phase == PHASE_CLOSING) {
        answer(d, CONDUCT_WRONG_PHASE, "another command is closing the round");
    } else {
        write(c, v, PHASE_CLOSING, d);
        d->next.drain_ms = c->command.drain_ms != 0 ? c->command.drain_ms : CONDUCT_DRAIN_MS;
    }
}

/* Its id was seen before: by this very command, whose reply was lost, or by one that was sent
 * again. */
static void go_on(const struct conduct *c, const struct conduct_view *v, int64_t now_ns,
                  int64_t wall_ms, struct conduct_decision *d)
{
    const struct global *g = &v->global;
    if (v->record.start != c->command.start)
        answer(d, CONDUCT_WRONG_PHASE, "the command id was another command's");
    else if (!v->record.start && g->round == v->record.round && g->phase == PHASE_CLOSING)
        drain(c, v, now_ns, wall_ms, d);
    else
        answer(d, CONDUCT_DONE, "");
}

static void keep(const struct conduct *c, const struct conduct_view *v, int64_t now_ns,
                 int64_t wall_ms, struct conduct_decision *d)
{
    if (v->global.phase == PHASE_CLOSING)
        drain(c, v, now_ns, wall_ms, d);
    else if (v->global.phase != PHASE_CLOSED)
        wait(d, INT64_MAX);
    else if (now_ns >= c->seen_ns + c->seal_wait_ns && seal_one(v, d))
        return;
    else
        wait(d, now_ns < c->seen_ns + c->seal_wait_ns ? c->seen_ns + c->seal_wait_ns : INT64_MAX);
}

void conduct_next(struct conduct *c, const struct conduct_view *v, int64_t now_ns, int64_t wall_ms,
                  struct conduct_decision *ret)
{
    invariant(v->state_count <= CONDUCT_STATES_MAX);
    memset(ret, 0, sizeof *ret);
    ret->until_ns = INT64_MAX;
    ret->detail = "";
    see(c, v, now_ns);
    if (!c->has_command)
        keep(c, v, now_ns, wall_ms, ret);
    else if (v->has_record)
        go_on(c, v, now_ns, wall_ms, ret);
    else if (c->command.start)
        start(c, v, now_ns, wall_ms, ret);
    else
        stop(c, v, wall_ms, ret);
}
