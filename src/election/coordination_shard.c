/* coordination_shard.c: what shards ask for, one thing at a time, and what became of it.
 *
 * What an answer of the service means:
 *
 *   OK, BADVERSION, NONODE, NODEEXISTS   came from the server, in the order of our requests:
 * certain. A multi is one transaction; if it was refused no part was done CONNECTIONLOSS it may
 * have happened, or happen yet. libcaucus tells SUSPENDED before these answers, so the shard has
 * been told DISCONNECTED and waits for none anything else (NOAUTH, QUOTAEXCEEDED, THROTTLEDOP,
 * SYSTEMERROR ...) most were not done, but whether that holds for each of them with every server
 * there may be is not worth betting votes on: the shard is told DISCONNECTED, and CONNECTED after a
 *                                        pause, and reads
 *
 * A multi whose answer was lost is never sent again by us or by libcaucus. If it is still under way
 * when the shard reads after the reconnection: in the same session what was sent on the old
 * connection either reaches the leader before the session moves to the new one, hence before the
 * sync of that read, or is refused (SESSIONMOVED); in a new session it is of a session that is
 * over. And if all of that failed, its condition is on a version: what it could still overwrite has
 * not been read as anything else.
 *
 * LiveNodes. JOIN creates n-<guid>-<member>-<seq> with a guid of its own each time. If the answer
 * is lost, the read that follows any reconnection shows whether the node is there: own_seat. A node
 * of this process that is not the present one (of an earlier session that has not ended at the
 * server, or a creation that came late) would stand first in line and lead nothing: the read
 * deletes it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "election/coordination_internal.h"

/* ---- events ---- */

static void tell(struct coordination_shard *s, enum shard_event_type type)
{
    struct shard_event ev = {.type = type};
    if (!s->closed)
        s->options.event(s->options.arg, &ev);
}

/* Whatever is answered from here on is not this shard's. */
static void drop_asked(struct coordination_shard *s)
{
    s->serial++;
    s->asked = COORD_NOTHING;
    alarm_clear(&s->soon);
}

static void disconnect(struct coordination_shard *s)
{
    if (!s->told)
        return;
    if (s->asked == COORD_COMMIT || s->asked == COORD_TAKEOVER)
        s->c->stats.writes_unknown++;
    s->told = false;
    drop_asked(s);
    tell(s, SHARD_DISCONNECTED);
}

void shard_settle(struct coordination_shard *s)
{
    bool can = coord_can_ask(s->c) && s->claim.phase == CLAIM_PHASE_HELD;
    if (!can || !s->begun || s->closed || s->told || alarm_is_set(&s->again))
        return;
    s->told = s->was_told = true;
    tell(s, SHARD_CONNECTED);
}

void shards_disconnected(struct coordination *c)
{
    for (size_t i = 0; i < c->shard_count; i++)
        disconnect(c->shards[i]);
}

void shards_expired(struct coordination *c)
{
    for (size_t i = 0; i < c->shard_count; i++) {
        struct coordination_shard *s = c->shards[i];
        disconnect(s);
        alarm_clear(&s->again);
        s->own_serial = 0;
        s->own_seat = 0;
        if (s->was_told)
            tell(s, SHARD_EXPIRED);
        s->was_told = false;
    }
}

void shard_changed(struct coordination_shard *s, uint32_t nodes)
{
    struct shard_event ev = {.type = SHARD_CHANGED, .changed = nodes};
    if (s->told && !s->closed && !s->c->closing)
        s->options.event(s->options.arg, &ev);
}

/* ---- answers ---- */

static void answer(struct coordination_shard *s, enum coord_outcome outcome, uint64_t seat,
                   const struct coord_view *view)
{
    struct shard_event ev = {.type = SHARD_COORD};
    ev.coord.outcome = outcome;
    ev.coord.seat = seat;
    ev.coord.view = view;
    drop_asked(s);
    s->options.event(s->options.arg, &ev);
}

static void on_soon(void *owner)
{
    struct coordination_shard *s = owner;
    if (s->asked != COORD_NOTHING)
        answer(s, s->soon_outcome, 0, NULL);
}

/* Not inside the call. */
static void answer_soon(struct coordination_shard *s, enum coord_outcome outcome)
{
    s->soon_outcome = outcome;
    alarm_set(s->c, &s->soon, 0);
}

static void on_again(void *owner)
{
    shard_settle(owner);
}

/* Nobody knows what became of it. */
static void lose(struct coordination_shard *s, int rc)
{
    if (s->c->closing)
        return;
    if (!coord_is_passing(rc))
        coord_trouble(s->c, "%s: %s", s->c->options.election->states[s->options.state].names.code,
                      rc < -1000 && rc > -2000 ? err_name(rc) : caucus_error_text(rc));
    alarm_set(s->c, &s->again,
              caucus_now_ns() + (coord_is_passing(rc) ? 0 : COORD_RETRY_MS * MS_NS));
    disconnect(s);
}

/* ---- the LiveNode ---- */

static struct seat_name own_name(const struct coordination_shard *s, uint32_t serial)
{
    struct seat_name n = {.serial = serial, .member = s->member};
    memcpy(n.process, s->c->process, sizeof n.process);
    return n;
}

static struct coord_path live_prefix(const struct coordination_shard *s, const struct seat_name *n)
{
    char prefix[SEAT_NAME_BYTES_MAX];
    seat_prefix(n, prefix);
    return coord_path(s->c, "%s/LiveNodes/%s",
                      s->c->options.election->states[s->options.state].names.code, prefix);
}

/* With the sequence, as the server writes it. */
static struct coord_path live_path(const struct coordination_shard *s, const struct seat_name *n)
{
    struct coord_path p = live_prefix(s, n);
    size_t len = strlen(p.text);
    int32_t sequence = (int32_t)(uint32_t)(n->seat - 1);
    snprintf(p.text + len, sizeof p.text - len, "%010d", sequence);
    return p;
}

static void delete_node(struct coordination_shard *s, const struct seat_name *n)
{
    coord_delete(s->c, live_path(s, n).text, (struct coord_done){coord_forget, s, 0});
}

static uint64_t find_own(struct coordination_shard *s, const struct fresh *r)
{
    uint64_t seat = 0;
    for (size_t i = 0; i < r->own_count; i++) {
        if (r->own[i].serial == s->own_serial)
            seat = r->own[i].seat;
        else
            delete_node(s, &r->own[i]);
    }
    return seat;
}

/* ---- READ ---- */

static void on_fresh(void *owner, uint64_t serial, const struct fresh *r)
{
    struct coordination_shard *s = owner;
    if (serial != s->serial || s->asked != COORD_READ || s->closed)
        return;
    if (r->rc != 0) {
        lose(s, r->rc);
        return;
    }
    struct coord_view view;
    memset(&view, 0, sizeof view);
    view.global_version = r->nation.version;
    view.global = r->nation.global;
    view.commit_version = r->commit.version;
    view.commit = &r->commit.commit;
    view.live_count = r->live_count;
    memcpy(view.live, r->live, r->live_count * sizeof r->live[0]);
    view.own_seat = s->own_seat = find_own(s, r);
    view.has_seal = r->nation.global.round > 0 && r->seal_last >= r->nation.global.round;
    answer(s, COORD_OK, 0, &view);
}

/* ---- writes ----
 * Answers carry the lower half of the serial they were asked with. */

static bool is_current(const struct coordination_shard *s, uint32_t slot)
{
    return !s->closed && s->asked != COORD_NOTHING && slot == (uint32_t)s->serial;
}

static void on_joined(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination_shard *s = owner;
    const char *name = r->rc == 0 && r->path != NULL ? strrchr(r->path, '/') : NULL;
    struct seat_name n;
    bool made = name != NULL && seat_parse(name + 1, &n);
    if (!is_current(s, slot)) {
        if (made && !s->c->closing)
            delete_node(s, &n);
    } else if (made) {
        s->own_seat = n.seat;
        answer(s, COORD_OK, n.seat, NULL);
    } else {
        lose(s, r->rc);
    }
}

static void join(struct coordination_shard *s)
{
    struct buf data = {0};
    s->own_serial = ++s->c->serial;
    s->own_seat = 0;
    struct seat_name n = own_name(s, s->own_serial);
    coord_create(s->c, live_prefix(s, &n).text, coord_live_data(s->c, &data),
                 CAUCUS_EPHEMERAL_SEQUENTIAL,
                 (struct coord_done){on_joined, s, (uint32_t)s->serial});
    buf_deinit(&data);
}

static void on_left(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination_shard *s = owner;
    if (!is_current(s, slot))
        return;
    if (r->rc != 0 && r->rc != CAUCUS_NONODE) {
        lose(s, r->rc);
        return;
    }
    s->own_serial = 0;
    s->own_seat = 0;
    answer(s, COORD_OK, 0, NULL);
}

static void leave(struct coordination_shard *s)
{
    if (s->own_seat == 0) {
        answer_soon(s, COORD_OK);
        return;
    }
    struct seat_name n = own_name(s, s->own_serial);
    n.seat = s->own_seat;
    coord_delete(s->c, live_path(s, &n).text, (struct coord_done){on_left, s, (uint32_t)s->serial});
}

static void note_written(struct coordination_shard *s, const struct caucus_result *r)
{
    const struct caucus_stat *stat = r->results[r->result_count - 1].stat;
    struct commit_seen seen = {.commit = s->request.commit,
                               .version = s->request.commit_version + 1,
                               .mzxid = stat != NULL ? stat->mzxid : r->zxid,
                               .mtime_ms = stat != NULL ? stat->mtime_ms : 0};
    s->c->stats.writes_ok++;
    follow_saw_commit(s->f, &seen);
}

static void on_written(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination_shard *s = owner;
    if (!is_current(s, slot))
        return;
    s->c->stats.write_ns_total += (uint64_t)(caucus_now_ns() - s->asked_ns);
    if (r->rc == 0 && r->result_count > 0) {
        note_written(s, r);
        answer(s, COORD_OK, 0, NULL);
    } else if (r->rc == CAUCUS_BADVERSION || r->rc == CAUCUS_NONODE || r->rc == CAUCUS_NODEEXISTS) {
        s->c->stats.writes_refused++;
        answer(s, COORD_REFUSED, 0, NULL);
    } else {
        lose(s, r->rc);
    }
}

static struct coord_path loss_path(const struct coordination_shard *s, uint64_t epoch)
{
    return coord_path(s->c, "%s/Loss/%llu",
                      s->c->options.election->states[s->options.state].names.code,
                      (unsigned long long)epoch);
}

/* The set stands last: note_written looks there. */
static void write_commit(struct coordination_shard *s)
{
    const struct coord_request *q = &s->request;
    bool takes_over = q->type == COORD_TAKEOVER;
    bool in_range = q->commit_version < INT32_MAX && q->global_version <= INT32_MAX;
    if (!in_range || (takes_over && (s->own_seat == 0 || q->seat != s->own_seat))) {
        s->c->stats.writes_refused++;
        answer_soon(s, COORD_REFUSED);
        return;
    }
    struct seat_name n = own_name(s, s->own_serial);
    n.seat = s->own_seat;
    struct coord_path live = live_path(s, &n), global = coord_path(s->c, "Global/Commit"),
                      commit = coord_state_path(s->c, s->options.state, "Commit"),
                      loss = loss_path(s, q->commit.epoch);
    struct buf data = {0};
    commit_encode(&q->commit, &data);
    struct caucus_op ops[3];
    size_t count = 0;
    if (takes_over)
        ops[count++] = (struct caucus_op){.type = CAUCUS_OP_CHECK, .path = live.text, .version = 0};
    if (q->type == COORD_ADMIT)
        ops[count++] = (struct caucus_op){.type = CAUCUS_OP_CREATE,
                                          .path = loss.text,
                                          .data = s->loss.ptr,
                                          .data_bytes = s->loss.len,
                                          .options = coord_create_options(s->c, CAUCUS_PERSISTENT)};
    ops[count++] = (struct caucus_op){
        .type = CAUCUS_OP_CHECK, .path = global.text, .version = (int32_t)q->global_version};
    ops[count++] = (struct caucus_op){.type = CAUCUS_OP_SET,
                                      .path = commit.text,
                                      .data = data.ptr,
                                      .data_bytes = data.len,
                                      .version = (int32_t)q->commit_version};
    coord_multi(s->c, ops, count, (struct coord_done){on_written, s, (uint32_t)s->serial});
    buf_deinit(&data);
}

static void on_sealed(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination_shard *s = owner;
    if (!is_current(s, slot))
        return;
    if (r->rc == 0 || r->rc == CAUCUS_NODEEXISTS)
        answer(s, COORD_OK, 0, NULL);
    else
        lose(s, r->rc);
}

static void seal(struct coordination_shard *s)
{
    struct buf data = {0};
    commit_encode(&s->request.commit, &data);
    coord_create(s->c,
                 coord_path(s->c, "%s/Seal/%llu",
                            s->c->options.election->states[s->options.state].names.code,
                            (unsigned long long)s->request.commit.round)
                     .text,
                 buf_slice(&data), CAUCUS_PERSISTENT,
                 (struct coord_done){on_sealed, s, (uint32_t)s->serial});
    buf_deinit(&data);
}

void coordination_shard_set_loss(struct coordination_shard *s, struct slice document)
{
    buf_clear(&s->loss);
    buf_put_slice(&s->loss, document);
}

void coordination_shard_ask(struct coordination_shard *s, const struct coord_request *request)
{
    invariant(s->begun && !s->closed && s->asked == COORD_NOTHING);
    if (!s->told)
        return; /* DISCONNECTED is on its way, or was told */
    s->asked = request->type;
    s->request = *request;
    s->asked_ns = caucus_now_ns();
    switch (request->type) {
    case COORD_NOTHING:
        return;
    case COORD_READ:
        fresh_read(s->f, true, on_fresh, s, s->serial);
        return;
    case COORD_JOIN:
        join(s);
        return;
    case COORD_LEAVE:
        leave(s);
        return;
    case COORD_COMMIT:
    case COORD_TAKEOVER:
    case COORD_ADMIT:
        write_commit(s);
        return;
    case COORD_SEAL:
        seal(s);
        return;
    }
}

/* ---- life ---- */

struct coordination_shard *coordination_shard_open(struct coordination *c,
                                                   const struct coordination_shard_options *options)
{
    invariant(options->state >= 0 && (uint32_t)options->state < c->state_count);
    invariant(c->shard_count < STATES_MAX);
    struct coordination_shard *s = mem_calloc(1, sizeof *s);
    s->c = c;
    s->f = &c->states[options->state];
    s->options = *options;
    alarm_init(&s->again, on_again, s);
    alarm_init(&s->soon, on_soon, s);
    claim_init(s);
    c->shards[c->shard_count++] = s;
    claim_step(s);
    return s;
}

void coordination_shard_begin(struct coordination_shard *s)
{
    invariant(s->claimed && s->f->shard == NULL);
    s->begun = true;
    s->f->shard = s;
    alarm_set(s->c, &s->again, 0);
}

/* Its memory is kept: watches and answers may still name it. */
void coordination_shard_close(struct coordination_shard *s)
{
    if (s->own_seat != 0 && s->c->connected) {
        struct seat_name n = own_name(s, s->own_serial);
        n.seat = s->own_seat;
        delete_node(s, &n);
    }
    s->closed = true;
    s->told = false;
    drop_asked(s);
    alarm_clear(&s->again);
    alarm_clear(&s->claim.again);
    if (s->f->shard == s)
        s->f->shard = NULL;
}

void shards_free(struct coordination *c)
{
    for (size_t i = 0; i < c->shard_count; i++) {
        buf_deinit(&c->shards[i]->loss);
        free(c->shards[i]);
    }
}
