#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "vote/message.h"

/* ---- voters ---- */

struct pseudonym world_pseudonym(uint32_t voter)
{
    struct pseudonym p;
    store_be64(p.bytes, hash_u64(voter, 1));
    store_be64(p.bytes + 8, voter);
    return p;
}

int32_t world_voter_of(const struct pseudonym *p)
{
    uint64_t voter = load_be64(p->bytes + 8);
    if (voter >= WORLD_VOTERS_MAX)
        return -1;
    struct pseudonym same = world_pseudonym((uint32_t)voter);
    return memcmp(&same, p, sizeof same) == 0 ? (int32_t)voter : -1;
}

struct request_id world_request_id(uint16_t number)
{
    struct request_id id = {{1}};
    store_be64(id.bytes + 8, number);
    return id;
}

static struct voters world_roll(const struct world *w)
{
    struct voters v = {0};
    for (uint32_t i = 0; i < w->options.voters; i++) {
        struct pseudonym p = world_pseudonym(i);
        voters_add(&v, &p, (uint8_t)(i % 2), 0);
    }
    voters_sort(&v);
    voters_reset(&v);
    return v;
}

void world_violate(struct world *w, const char *format, ...)
{
    if (w->violation[0] != 0)
        return;
    va_list ap;
    va_start(ap, format);
    vsnprintf(w->violation, sizeof w->violation, format, ap);
    va_end(ap);
}

/* ---- disks ---- */

static void disk_apply(struct world *w, struct disk *d, const struct disk_op *op)
{
    struct batch b;
    switch (op->type) {
    case SHARD_PERSIST_ROUND:
        d->round = op->value;
        d->batch_count = 0;
        return;
    case SHARD_PERSIST_APPEND:
        if (d->batch_count == WORLD_BATCHES_MAX) {
            w->full = true;
            return;
        }
        invariant(batch_read(op->bytes->bytes, &b) == BATCH_VALID);
        d->ends[d->batch_count] = batch_end(&b);
        d->batches[d->batch_count++] = op->bytes;
        return;
    case SHARD_PERSIST_TRUNCATE:
        while (d->batch_count > 0 && d->ends[d->batch_count - 1] > op->value)
            d->batch_count--;
        return;
    case SHARD_PERSIST_PROMISE:
        d->promised = op->value;
        return;
    case SHARD_PERSIST_SEEN:
        d->seen_round = op->round;
        d->seen_epoch = op->epoch;
        d->seen_index = op->value;
        return;
    }
}

uint32_t world_log(const struct replica *r,
                   const struct blob *ret[WORLD_BATCHES_MAX + WORLD_QUEUE_MAX], uint64_t *ret_round)
{
    const struct disk *d = &r->disk;
    uint32_t count = d->batch_count;
    *ret_round = d->round;
    for (uint32_t i = 0; i < count; i++)
        ret[i] = d->batches[i];
    for (uint32_t i = 0; i < d->pending_count; i++) {
        const struct disk_op *op = &d->pending[i];
        struct batch b;
        if (op->type == SHARD_PERSIST_ROUND) {
            count = 0;
            *ret_round = op->value;
        } else if (op->type == SHARD_PERSIST_APPEND) {
            ret[count++] = op->bytes;
        } else if (op->type == SHARD_PERSIST_TRUNCATE) {
            while (count > 0 && batch_read(ret[count - 1]->bytes, &b) == BATCH_VALID &&
                   batch_end(&b) > op->value)
                count--;
        }
    }
    return count;
}

static void disk_apply_first(struct world *w, struct replica *r, uint32_t count)
{
    struct disk *d = &r->disk;
    for (uint32_t i = 0; i < count; i++) {
        disk_apply(w, d, &d->pending[i]);
        if (d->pending[i].ticket > r->ticket_durable)
            r->ticket_durable = d->pending[i].ticket;
    }
    d->pending_count -= count;
    memmove(d->pending, d->pending + count, d->pending_count * sizeof *d->pending);
}

static bool read_record(void *arg, uint64_t index, uint8_t ret[RECORD_BYTES])
{
    const struct disk *d = &((const struct replica *)arg)->disk;
    for (uint32_t i = 0; i < d->batch_count; i++) {
        if (d->ends[i] <= index)
            continue;
        struct batch b;
        invariant(batch_read(d->batches[i]->bytes, &b) == BATCH_VALID);
        memcpy(ret, batch_record(&b, (uint32_t)(index - b.first)).ptr, RECORD_BYTES);
        return true;
    }
    return false;
}

/* ---- the coordination service ---- */

bool world_session_ended(const struct coord *c, uint32_t session)
{
    return (c->ended[session / 32] >> session % 32 & 1) != 0;
}

static void tell_all(struct world *w, uint32_t changed)
{
    for (uint32_t i = 0; i < w->options.replicas; i++) {
        if (w->replicas[i].connected)
            w->replicas[i].changed |= changed;
    }
}

static uint64_t seat_of(const struct coord *c, uint32_t session)
{
    for (uint32_t i = 0; i < c->live_count; i++) {
        if (c->live[i].session == session)
            return c->live[i].seat;
    }
    return 0;
}

static void remove_live(struct world *w, uint32_t session)
{
    struct coord *c = &w->coord;
    for (uint32_t i = 0; i < c->live_count; i++) {
        if (c->live[i].session != session)
            continue;
        memmove(&c->live[i], &c->live[i + 1], (c->live_count - i - 1) * sizeof c->live[i]);
        c->live_count--;
        tell_all(w, SHARD_NODE_LIVE);
        return;
    }
}

static void end_session(struct world *w, uint32_t session)
{
    w->coord.ended[session / 32] |= UINT32_C(1) << session % 32;
    remove_live(w, session);
}

static uint64_t join(struct world *w, uint32_t session, uint32_t member)
{
    struct coord *c = &w->coord;
    if (seat_of(c, session) != 0)
        return seat_of(c, session);
    if (c->live_count == SHARD_LIVE_MAX) {
        w->full = true;
        return 0;
    }
    c->live[c->live_count].session = session;
    c->live[c->live_count].member = member;
    c->live[c->live_count++].seat = ++c->seat_last;
    tell_all(w, SHARD_NODE_LIVE);
    return c->seat_last;
}

static bool write_commit(struct world *w, const struct request *r)
{
    struct coord *c = &w->coord;
    bool asks_global = r->what.global_version != UINT64_MAX;
    if ((asks_global && r->what.global_version != c->global_version) ||
        r->what.commit_version != c->commit_version)
        return false;
    if (r->what.type == COORD_TAKEOVER && seat_of(c, r->session) != r->what.seat)
        return false;
    struct commit before = c->commit;
    c->commit = r->what.commit;
    c->commit_version++;
    w->index_at[c->commit_version % 64] = c->commit.index;
    w->commits++;
    w->admissions += r->what.type == COORD_ADMIT;
    check_commit_written(w, &before, r);
    tell_all(w, SHARD_NODE_COMMIT);
    return true;
}

static void write_seal(struct world *w, const struct request *r)
{
    struct coord *c = &w->coord;
    if (r->what.commit.round != c->global.round || c->has_seal)
        return; /* of a round that is long over, or there already */
    c->has_seal = true;
    c->seal = r->what.commit;
    if (c->commit.round == c->global.round && !commit_same_result(&c->seal, &c->commit))
        world_violate(w, "the seal is not what Commit says");
    if (c->commit.round != c->global.round && c->seal.index != 0)
        world_violate(w, "a seal of votes that Commit does not know");
}

void world_view(const struct world *w, uint32_t session, struct coord_view *v)
{
    const struct coord *c = &w->coord;
    memset(v, 0, sizeof *v);
    v->global_version = c->global_version;
    v->global = c->global;
    v->commit_version = c->commit_version;
    for (uint32_t i = 0; i < c->live_count; i++)
        v->live[v->live_count++] = (struct live){c->live[i].member, c->live[i].seat};
    v->own_seat = seat_of(c, session);
    v->has_seal = c->has_seal;
}

static void process(struct world *w, uint32_t a, const struct request *r, struct result *ret)
{
    bool done = true;
    memset(ret, 0, sizeof *ret);
    ret->valid = true;
    ret->is_read = r->what.type == COORD_READ;
    switch (r->what.type) {
    case COORD_NOTHING:
        break;
    case COORD_READ:
        world_view(w, r->session, &ret->view);
        ret->commit = w->coord.commit;
        break;
    case COORD_JOIN:
        ret->seat = join(w, r->session, a);
        break;
    case COORD_LEAVE:
        remove_live(w, r->session);
        break;
    case COORD_COMMIT:
    case COORD_TAKEOVER:
    case COORD_ADMIT:
        done = write_commit(w, r);
        break;
    case COORD_SEAL:
        write_seal(w, r);
        break;
    }
    ret->outcome = done ? COORD_OK : COORD_REFUSED;
}

/* Nobody hears of it. */
static void process_ghost(struct world *w, uint32_t a)
{
    struct request asked = w->replicas[a].ghost;
    struct result unheard;
    memset(&w->replicas[a].ghost, 0, sizeof asked);
    if (!world_session_ended(&w->coord, asked.session))
        process(w, a, &asked, &unheard);
}

/* ---- links ---- */

static bool *link_of(struct world *w, uint32_t a, uint32_t b)
{
    return a < b ? &w->link_up[a][b] : &w->link_up[b][a];
}

bool world_linked(const struct world *w, uint32_t a, uint32_t b)
{
    return a < b ? w->link_up[a][b] : w->link_up[b][a];
}

static void put_message(struct world *w, uint32_t from, uint32_t to, const struct blob *bytes)
{
    struct queue *q = &w->links[from][to];
    if (!world_linked(w, from, to))
        return;
    if (q->count == WORLD_QUEUE_MAX) {
        w->full = true;
        return;
    }
    q->items[q->count++] = bytes;
}

/* ---- a step ---- */

static void link_down(struct world *w, uint32_t a, uint32_t b);

static const struct blob *with_log(const struct replica *r, const struct shard_send *s,
                                   struct slice heading)
{
    struct buf b = {0};
    buf_put_slice(&b, heading);
    uint64_t first = 0;
    for (uint32_t i = 0; r->disk.round == s->round && i < r->disk.batch_count; i++) {
        if (first >= s->log_from && r->disk.ends[i] <= s->log_until)
            buf_put_slice(&b, r->disk.batches[i]->bytes);
        first = r->disk.ends[i];
    }
    const struct blob *blob = blob_of(buf_slice(&b));
    buf_deinit(&b);
    return blob;
}

static void carry_out_sends(struct world *w, uint32_t a, const struct shard_effects *fx)
{
    struct replica *r = &w->replicas[a];
    for (size_t i = 0; i < fx->send_count; i++) {
        const struct shard_send *s = &fx->sends[i];
        struct slice bytes = buf_part(&fx->bytes, s->at, s->len);
        const struct blob *blob = s->log_until > 0 ? with_log(r, s, bytes) : blob_of(bytes);
        if (s->after <= r->ticket_durable) {
            put_message(w, a, s->member, blob);
        } else if (r->held_count < WORLD_QUEUE_MAX) {
            r->held[r->held_count++] = (struct held_send){s->after, s->member, blob};
        } else {
            w->full = true;
        }
    }
}

static void carry_out_persists(struct world *w, uint32_t a, const struct shard_effects *fx)
{
    struct disk *d = &w->replicas[a].disk;
    for (size_t i = 0; i < fx->persist_count; i++) {
        const struct shard_persist *p = &fx->persists[i];
        struct slice bytes = buf_part(&fx->bytes, p->at, p->len);
        check_persist(w, a, p, bytes);
        if (d->pending_count == WORLD_QUEUE_MAX) {
            w->full = true;
            return;
        }
        d->pending[d->pending_count++] =
            (struct disk_op){p->type, p->ticket, p->value, p->round, p->epoch, blob_of(bytes)};
    }
}

static void step(struct world *w, uint32_t a, struct shard_event *ev)
{
    struct replica *r = &w->replicas[a];
    if (w->violation[0] != 0 || w->full)
        return;
    struct shard_effects fx = {0};
    shard_effects_clear(&fx);
    ev->now_ns = r->now_ns;
    shard_step(r->shard, ev, &fx);

    r->deadline_ns = fx.deadline_ns;
    carry_out_persists(w, a, &fx);
    carry_out_sends(w, a, &fx);
    if (fx.coord.type != COORD_NOTHING) {
        invariant(!r->asked.valid && !r->result.valid && r->connected);
        r->asked = (struct request){true, r->session, fx.coord, 0, 0};
        check_asked(w, a, &r->asked);
    }
    if (fx.admitted != ADMIT_NOTHING)
        r->admitting = false;
    for (size_t i = 0; i < fx.answer_count; i++)
        check_answer(w, a, &fx.answers[i]);
    if (fx.failed != NULL)
        world_violate(w, "replica %u gives up: %s", a, fx.failed);
    for (uint32_t b = 0; b < w->options.replicas; b++) {
        if ((fx.drop_peers >> b & 1) != 0)
            world_violate(w, "replica %u says that %u makes no sense", a, b);
    }
    shard_effects_deinit(&fx);
}

static void simple_step(struct world *w, uint32_t a, enum shard_event_type type)
{
    struct shard_event ev = {.type = type};
    step(w, a, &ev);
}

static void peer_step(struct world *w, uint32_t a, enum shard_event_type type, uint32_t b)
{
    struct shard_event ev = {.type = type, .peer = {.member = b}};
    if (w->replicas[a].up)
        step(w, a, &ev);
}

static void yield(struct world *w, uint32_t a, uint32_t to)
{
    struct shard_event ev = {.type = SHARD_YIELD, .yield_to = to};
    step(w, a, &ev);
}

/* ---- losses ---- */

struct found {
    uint64_t version, kept;
    uint32_t keeper, lacking;
};

/* What people are told who ask at a: it, and whom it can hear. false: nothing is to be admitted.
 * Whoever is not heard may have everything: they may be fools. */
static bool look_around(const struct world *w, uint32_t a, struct found *ret)
{
    memset(ret, 0, sizeof *ret);
    if (!w->replicas[a].up)
        return false;
    ret->version = shard_status(w->replicas[a].shard).commit_version;
    if (ret->version + 64 <= w->coord.commit_version)
        return false;
    uint64_t index = w->index_at[ret->version % 64];
    for (uint32_t b = 0; b < w->options.replicas; b++) {
        const struct replica *r = &w->replicas[b];
        uint64_t kept;
        struct hash chain;
        if ((b != a && !world_linked(w, a, b)) || !r->up ||
            shard_status(r->shard).commit_version != ret->version ||
            !shard_kept(r->shard, &kept, &chain))
            continue;
        if (kept >= index)
            return false;
        if (ret->lacking == 0 || kept > ret->kept) {
            ret->keeper = b;
            ret->kept = kept;
        }
        ret->lacking |= UINT32_C(1) << b;
    }
    return ret->lacking != 0 && !w->replicas[ret->keeper].admitting;
}

static void admit(struct world *w, uint32_t a)
{
    struct found f;
    if (!look_around(w, a, &f))
        return;
    struct replica *r = &w->replicas[f.keeper];
    struct shard_event ev = {
        .type = SHARD_ADMIT,
        .admit = {.commit_version = f.version, .kept = f.kept, .lacking = f.lacking}};
    r->admitting = true;
    r->admit_version = f.version;
    r->admit_kept = f.kept;
    step(w, f.keeper, &ev);
}

static void set_aside(struct world *w, uint32_t a)
{
    w->asides++;
    check_aside(w, a);
    simple_step(w, a, SHARD_SET_ASIDE);
}

static void wipe(struct world *w, uint32_t a)
{
    w->wipes++;
    check_wiped(w, a);
    memset(&w->replicas[a].disk, 0, sizeof w->replicas[a].disk);
}

bool world_out_of_reach(const struct world *w)
{
    for (uint32_t i = 0; i < w->options.replicas; i++) {
        if (check_disk_holds(&w->replicas[i].disk, &w->coord.commit))
            return false;
    }
    return true;
}

bool world_admit(struct world *w)
{
    struct action x = {ACTION_ADMIT, 0, 0};
    bool open = w->coord.global.phase == PHASE_OPEN || w->coord.global.phase == PHASE_CLOSING;
    if (!open || w->coord.commit.round != w->coord.global.round || !world_out_of_reach(w))
        return false;
    for (; x.a < w->options.replicas; x.a++) {
        if (world_can(w, &x)) {
            world_do(w, &x);
            return true;
        }
    }
    return false;
}

static void link_down(struct world *w, uint32_t a, uint32_t b)
{
    *link_of(w, a, b) = false;
    w->links[a][b].count = w->links[b][a].count = 0;
    peer_step(w, a, SHARD_PEER_DOWN, b);
    peer_step(w, b, SHARD_PEER_DOWN, a);
}

/* ---- processes ---- */

static void start(struct world *w, uint32_t a)
{
    struct replica *r = &w->replicas[a];
    struct shard_mark marks[WORLD_BATCHES_MAX];
    struct shard_disk disk = {.round = r->disk.round,
                              .promised = r->disk.promised,
                              .seen_round = r->disk.seen_round,
                              .seen_epoch = r->disk.seen_epoch,
                              .seen_index = r->disk.seen_index,
                              .marks = marks};
    for (uint32_t i = 0; i < r->disk.batch_count; i++) {
        struct batch b;
        invariant(batch_read(r->disk.batches[i]->bytes, &b) == BATCH_VALID);
        struct shard_mark mark = {batch_end(&b), b.epoch, b.chain};
        if (w->options.tight && disk.seen_round == disk.round && mark.end <= disk.seen_index) {
            disk.base = mark;
            disk.base_batches = i + 1;
        } else {
            marks[disk.mark_count++] = mark;
        }
    }
    struct shard_options o = {
        .self = a,
        .members = w->options.replicas,
        .copies_min = w->options.copies_min,
        .state = "NY",
        .candidates = WORLD_CANDIDATES,
        .districts = 2,
        .on_ballot = 7,
        .revisions_max = 16,
        .pending_max = WORLD_QUEUE_MAX,
        .commit_gap_ns = w->options.commit_gap_ns,
        .follow_gap_ns = w->options.follow_gap_ns,
        .batch_gap_ns = w->options.batch_gap_ns,
        .quorum_wait_ns = w->options.quorum_wait_ns,
        .fetch_wait_ns = 1000,
        .rejoin_wait_ns = 0,
        .yield_wait_ns = w->options.quorum_wait_ns / 2,
        .bounds = SHARD_BOUNDS,
        .seed = w->options.seed,
        .read = read_record,
        .arg = r,
    };
    if (w->options.tight) {
        o.bounds.count_records = 2;
        o.bounds.flow_records = 1;
        o.bounds.entries = 1 + (uint32_t)(w->options.seed % 3);
        o.bounds.bytes = w->options.seed % 5 * 100;
    }
    store_be64(o.salt_key, (uint64_t)a << 32 | ++r->lives);
    struct voters roll = world_roll(w);
    r->shard = shard_create(&o, &disk, &roll, r->now_ns);
#ifdef CAUCUS_PLANT
    shard_plant(r->shard, w->options.faults);
#endif
    r->up = true;
    r->was_counted = r->was_committed = r->was_round = 0;
    r->ticket_durable = 0;
    r->deadline_ns = INT64_MAX;
}

static void crash(struct world *w, uint32_t a, uint32_t written)
{
    struct replica *r = &w->replicas[a];
    disk_apply_first(w, r, written);
    r->disk.pending_count = 0;
    r->held_count = 0;
    r->admitting = false;
    shard_free(r->shard);
    r->shard = NULL;
    r->up = false;
    if (r->asked.valid && !r->ghost.valid)
        r->ghost = r->asked;
    memset(&r->asked, 0, sizeof r->asked);
    memset(&r->result, 0, sizeof r->result);
    r->connected = false;
    r->changed = 0;
    for (uint32_t b = 0; b < w->options.replicas; b++) {
        if (b != a && world_linked(w, a, b))
            link_down(w, a, b);
    }
}

static void restart(struct world *w, uint32_t a)
{
    struct replica *r = &w->replicas[a];
    if (r->old_session != 0 && !world_session_ended(&w->coord, r->old_session))
        end_session(w, r->old_session);
    r->old_session = r->session;
    r->session = 0;
    start(w, a);
}

static void connect(struct world *w, uint32_t a)
{
    struct replica *r = &w->replicas[a];
    if (r->session != 0 && world_session_ended(&w->coord, r->session)) {
        r->connected = false;
        r->session = 0;
        memset(&r->asked, 0, sizeof r->asked);
        memset(&r->result, 0, sizeof r->result);
        simple_step(w, a, SHARD_EXPIRED);
        return;
    }
    if (r->session == 0)
        r->session = ++w->coord.session_last;
    if (r->session >= 32 * 32)
        w->full = true;
    r->connected = true;
    r->changed = 0;
    simple_step(w, a, SHARD_CONNECTED);
}

static void disconnect(struct world *w, uint32_t a)
{
    struct replica *r = &w->replicas[a];
    if (r->asked.valid && !r->ghost.valid)
        r->ghost = r->asked;
    memset(&r->asked, 0, sizeof r->asked);
    memset(&r->result, 0, sizeof r->result);
    r->connected = false;
    r->changed = 0;
    simple_step(w, a, SHARD_DISCONNECTED);
}

static void take_result(struct world *w, uint32_t a)
{
    struct replica *r = &w->replicas[a];
    struct coord_view view = r->result.view;
    struct commit commit = r->result.commit;
    view.commit = &commit;
    struct shard_event ev = {.type = SHARD_COORD,
                             .coord = {.outcome = r->result.outcome,
                                       .seat = r->result.seat,
                                       .view = r->result.is_read ? &view : NULL}};
    memset(&r->result, 0, sizeof r->result);
    step(w, a, &ev);
}

static void take_changed(struct world *w, uint32_t a)
{
    struct shard_event ev = {.type = SHARD_CHANGED, .changed = w->replicas[a].changed};
    w->replicas[a].changed = 0;
    step(w, a, &ev);
}

static void deliver(struct world *w, uint32_t a, uint32_t b)
{
    struct queue *q = &w->links[a][b];
    struct shard_event ev = {.type = SHARD_PEER_MESSAGE,
                             .peer = {.member = a, .bytes = q->items[0]->bytes}};
    q->count--;
    memmove(q->items, q->items + 1, q->count * sizeof *q->items);
    step(w, b, &ev);
}

static void sync_disk(struct world *w, uint32_t a)
{
    struct replica *r = &w->replicas[a];
    disk_apply_first(w, r, r->disk.pending_count);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->held_count; i++) {
        if (r->held[i].after <= r->ticket_durable)
            put_message(w, a, r->held[i].to, r->held[i].bytes);
        else
            r->held[kept++] = r->held[i];
    }
    r->held_count = kept;
    struct shard_event ev = {.type = SHARD_DURABLE, .ticket = r->ticket_durable};
    step(w, a, &ev);
}

static void cast(struct world *w, uint32_t a, uint32_t vote)
{
    struct vote *v = &w->votes[vote];
    if (v->round == 0)
        v->round = w->coord.global.round;
    v->sent++;
    struct shard_event ev = {.type = SHARD_CAST,
                             .more = w->options.more,
                             .cast = {.client = vote + 1,
                                      .voter = world_pseudonym(v->voter),
                                      .candidate = v->candidate,
                                      .request = world_request_id(v->request)}};
    step(w, a, &ev);
}

static void next_phase(struct world *w, enum phase phase)
{
    struct coord *c = &w->coord;
    if (phase == PHASE_OPEN) { /* what no replica could seal the committee did */
        c->global.round++;
        c->has_seal = false;
    }
    c->global.phase = phase;
    c->global_version++;
    tell_all(w, SHARD_NODE_GLOBAL);
}

/* ---- actions ---- */

static bool can_expire(const struct world *w, const struct action *x)
{
    const struct replica *r = &w->replicas[x->a];
    uint32_t session = x->b == 0 ? r->session : r->old_session;
    return session != 0 && !world_session_ended(&w->coord, session);
}

static bool can_move_to(const struct world *w, enum phase next)
{
    enum phase now = w->coord.global.phase;
    if (next == PHASE_OPEN)
        return now == PHASE_IDLE ||
               (now == PHASE_CLOSED && (w->coord.has_seal || world_out_of_reach(w)));
    if (next == PHASE_CLOSING)
        return now == PHASE_OPEN;
    return next == PHASE_CLOSED && (now == PHASE_OPEN || now == PHASE_CLOSING);
}

bool world_can(const struct world *w, const struct action *x)
{
    const struct replica *r = &w->replicas[x->a];
    struct found found;
    bool ended = r->session != 0 && world_session_ended(&w->coord, r->session);
    switch (x->type) {
    case ACTION_CONNECT:
        return r->up && (!r->connected || ended);
    case ACTION_PROCESS:
        return r->asked.valid && !ended;
    case ACTION_RESULT:
        return r->result.valid;
    case ACTION_CHANGED:
        return r->up && r->connected && r->changed != 0 && !ended;
    case ACTION_GHOST:
        return r->ghost.valid;
    case ACTION_DELIVER:
        return x->a != x->b && w->links[x->a][x->b].count > 0 && w->replicas[x->b].up;
    case ACTION_SYNC:
        return r->up && r->disk.pending_count > 0;
    case ACTION_TIMEOUT:
        return r->up && r->deadline_ns != INT64_MAX;
    case ACTION_LINK_UP:
        return x->a < x->b && r->up && w->replicas[x->b].up && !world_linked(w, x->a, x->b);
    case ACTION_RESTART:
        return !r->up;
    case ACTION_DISCONNECT:
        return r->up && r->connected;
    case ACTION_EXPIRE:
        return can_expire(w, x);
    case ACTION_LINK_DOWN:
        return x->a < x->b && world_linked(w, x->a, x->b);
    case ACTION_CRASH:
        return r->up && x->b <= r->disk.pending_count;
    case ACTION_CAST:
        return r->up && x->b < w->vote_count;
    case ACTION_PHASE:
        return can_move_to(w, (enum phase)x->b);
    case ACTION_YIELD:
        return r->up && shard_may_yield(r->shard, x->b);
    case ACTION_WIPE:
        return !r->up && (r->disk.round != 0 || r->disk.promised != 0);
    case ACTION_ADMIT:
        return w->coord.commit.loss_count < LOSSES_MAX && look_around(w, x->a, &found);
    case ACTION_ASIDE:
        return r->up && shard_status(r->shard).superseded_by != 0;
    case ACTION_TYPE_COUNT:
        break;
    }
    return false;
}

static void act(struct world *w, const struct action *x)
{
    struct replica *r = &w->replicas[x->a];
    struct request asked;
    switch (x->type) {
    case ACTION_CONNECT:
        connect(w, x->a);
        return;
    case ACTION_PROCESS:
        asked = r->asked;
        memset(&r->asked, 0, sizeof r->asked);
        process(w, x->a, &asked, &r->result);
        return;
    case ACTION_RESULT:
        take_result(w, x->a);
        return;
    case ACTION_CHANGED:
        take_changed(w, x->a);
        return;
    case ACTION_GHOST:
        process_ghost(w, x->a);
        return;
    case ACTION_DELIVER:
        deliver(w, x->a, x->b);
        return;
    case ACTION_SYNC:
        sync_disk(w, x->a);
        return;
    case ACTION_TIMEOUT:
        if (r->deadline_ns > r->now_ns)
            r->now_ns = r->deadline_ns;
        simple_step(w, x->a, SHARD_TICK);
        return;
    case ACTION_LINK_UP:
        *link_of(w, x->a, x->b) = true;
        peer_step(w, x->a, SHARD_PEER_UP, x->b);
        peer_step(w, x->b, SHARD_PEER_UP, x->a);
        return;
    case ACTION_RESTART:
        restart(w, x->a);
        return;
    case ACTION_DISCONNECT:
        disconnect(w, x->a);
        return;
    case ACTION_EXPIRE:
        end_session(w, x->b == 0 ? r->session : r->old_session);
        return;
    case ACTION_LINK_DOWN:
        link_down(w, x->a, x->b);
        return;
    case ACTION_CRASH:
        crash(w, x->a, x->b);
        return;
    case ACTION_CAST:
        cast(w, x->a, x->b);
        return;
    case ACTION_PHASE:
        next_phase(w, (enum phase)x->b);
        return;
    case ACTION_YIELD:
        yield(w, x->a, x->b);
        return;
    case ACTION_WIPE:
        wipe(w, x->a);
        return;
    case ACTION_ADMIT:
        admit(w, x->a);
        return;
    case ACTION_ASIDE:
        set_aside(w, x->a);
        return;
    case ACTION_TYPE_COUNT:
        return;
    }
}

void action_text(const struct action *x, char *ret, size_t cap)
{
    static const char *const names[ACTION_TYPE_COUNT] = {
        "connect", "process", "result",  "changed",    "ghost",  "deliver",   "sync",
        "timeout", "link-up", "restart", "disconnect", "expire", "link-down", "crash",
        "cast",    "phase",   "yield",   "wipe",       "admit",  "aside"};
    snprintf(ret, cap, "%s %u %u", names[x->type], x->a, x->b);
}

void world_do(struct world *w, const struct action *x)
{
    char text[64];
    w->actions++;
    if (w->trace) {
        action_text(x, text, sizeof text);
        printf("%6" PRIu64 "  %s\n", w->actions, text);
    }
    act(w, x);
    if (!w->full)
        check_world(w);
}

/* ---- the whole ---- */

void world_init(struct world *w, const struct world_options *options)
{
    memset(w, 0, sizeof *w);
    w->options = *options;
    invariant(options->replicas <= WORLD_REPLICAS_MAX && options->voters <= WORLD_VOTERS_MAX);
    tally_init(&w->coord.commit.tally, WORLD_CANDIDATES, 2);
    struct log_heading h = {.state = "NY"};
    struct voters roll = world_roll(w);
    struct merkle empty = {0};
    h.roll = voters_hash(&roll);
    voters_deinit(&roll);
    w->coord.commit.chain = log_genesis(&h);
    w->coord.commit.root = merkle_root(&empty);
    for (uint32_t i = 0; i < options->replicas; i++)
        start(w, i);
}

void world_deinit(struct world *w)
{
    for (uint32_t i = 0; i < w->options.replicas; i++)
        shard_free(w->replicas[i].shard);
}

void world_copy(struct world *to, const struct world *from)
{
    memcpy(to, from, sizeof *to);
    for (uint32_t i = 0; i < from->options.replicas; i++) {
        if (from->replicas[i].shard != NULL)
            to->replicas[i].shard = shard_copy(from->replicas[i].shard, &to->replicas[i]);
    }
}

/* In the order in which they are tried: what is under way before what waits for it. */
static bool find_fair(const struct world *w, bool timeouts, struct action *ret)
{
    static const enum action_type order[] = {ACTION_RESTART, ACTION_GHOST,   ACTION_CONNECT,
                                             ACTION_PROCESS, ACTION_RESULT,  ACTION_CHANGED,
                                             ACTION_LINK_UP, ACTION_DELIVER, ACTION_SYNC,
                                             ACTION_EXPIRE,  ACTION_ASIDE,   ACTION_TIMEOUT};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (order[i] == ACTION_TIMEOUT && !timeouts)
            continue;
        for (uint32_t a = 0; a < w->options.replicas; a++) {
            for (uint32_t b = 0; b < w->options.replicas; b++) {
                struct action x = {order[i], a, b};
                bool is_fault = order[i] == ACTION_EXPIRE && b != 1; /* but of dead processes */
                if (!is_fault && world_can(w, &x)) {
                    *ret = x;
                    return true;
                }
            }
        }
    }
    return false;
}

uint32_t world_settle(struct world *w, bool timeouts, uint32_t actions_max)
{
    struct action x;
    uint32_t done = 0;
    while (done < actions_max && w->violation[0] == 0 && !w->full && find_fair(w, timeouts, &x)) {
        world_do(w, &x);
        done++;
    }
    return done;
}
