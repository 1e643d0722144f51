#include "vote/shard.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "vote/shard_internal.h"

/* ---- life ---- */

static void recover_log(struct shard *s, const struct shard_disk *disk)
{
    struct hash genesis = log_genesis_of(s, disk->round);
    log_init(&s->log, disk->round, &genesis);
    struct shard_log *l = &s->log;
    l->cap = l->count = l->bare = disk->mark_count;
    l->entries = mem_calloc(l->cap ? l->cap : 1, sizeof *l->entries);
    if (disk->base.end > 0) {
        l->base = disk->base;
        l->base_batches = disk->base_batches;
    }
    uint64_t first = l->base.end;
    for (size_t i = 0; i < disk->mark_count; i++) {
        invariant(disk->marks[i].end > first);
        l->entries[i].mark = disk->marks[i];
        l->entries[i].first = first;
        first = disk->marks[i].end;
    }
}

struct shard *shard_create(const struct shard_options *options, const struct shard_disk *disk,
                           struct voters *voters, int64_t now_ns)
{
    invariant(options->members >= 1 && options->members <= SHARD_MEMBERS_MAX);
    invariant(options->self < options->members && options->copies_min >= 1);
    invariant(options->copies_min <= options->members && options->pending_max >= 1);
    invariant(options->bounds.count_records >= 1 && options->bounds.flow_records >= 1);
    invariant(options->bounds.entries >= 1);
    struct shard *s = mem_calloc(1, sizeof *s);
    s->options = *options;
    s->now_ns = now_ns;
    s->random = hash_u64(options->seed, options->self);
    s->voters = *voters;
    *voters = (struct voters){0};
    s->roll_hash = voters_hash(&s->voters);
    hmac_key_init(&s->salts, options->salt_key, sizeof options->salt_key);
    map_init(&s->recent, options->seed);
    s->greeted = s->promised_to = s->yield_to = -1;
    s->behind_since_ns = s->moved_at_ns = INT64_MAX;
    recover_log(s, disk);
    count_reset(s);

    s->promised = disk->promised;
    if (log_tip(&s->log)->epoch > s->promised)
        s->promised = log_tip(&s->log)->epoch;
    s->promised_noted = s->promised;
    s->seen_round = disk->seen_round;
    s->seen_epoch = disk->seen_epoch;
    s->seen_index = disk->seen_index;
    if (disk->seen_round == disk->round && log_mark(&s->log, disk->seen_index) != NULL)
        s->committed = disk->seen_index;
    return s;
}

void shard_change_roll(struct shard *s, struct voters *voters)
{
    invariant(s->log.round == 0);
    voters_deinit(&s->voters);
    s->voters = *voters;
    *voters = (struct voters){0};
    s->roll_hash = voters_hash(&s->voters);
    count_reset(s);
}

void shard_set_disputed(struct shard *s, bool disputed)
{
    if (disputed && !s->disputed)
        s->disputed_ns = s->now_ns;
    s->disputed = disputed;
}

void shard_set_pace(struct shard *s, int64_t batch_gap_ns, int64_t commit_gap_ns)
{
    s->options.batch_gap_ns = batch_gap_ns;
    s->options.commit_gap_ns = commit_gap_ns;
}

struct hash shard_roll(const struct shard *s, uint64_t *ret_voters)
{
    *ret_voters = s->voters.count;
    return s->roll_hash;
}

void shard_free(struct shard *s)
{
    if (s == NULL)
        return;
    log_deinit(&s->log);
    voters_deinit(&s->voters);
    buf_deinit(&s->open);
    map_deinit(&s->recent);
    free(s->waiters);
    free(s);
}

#ifdef CAUCUS_PLANT
void shard_plant(struct shard *s, uint32_t mask)
{
    s->faults = mask;
}

bool shard_fault(const struct shard *s, enum shard_fault fault)
{
    return (s->faults & fault) != 0;
}
#endif

/* ---- what to ask the coordination service for next ---- */

static struct coord_request *ask(struct shard *s, struct shard_effects *fx, enum coord_type type)
{
    s->asked = type;
    fx->coord.type = type;
    fx->coord.commit_version = s->view.commit_version;
    fx->coord.global_version = s->view.global_version;
    fx->coord.seat = s->view.own_seat;
    return &fx->coord;
}

static struct commit first_of_round(const struct shard *s, uint64_t round)
{
    struct commit c;
    struct merkle empty = {0};
    memset(&c, 0, sizeof c);
    c.round = round;
    c.chain = log_genesis_of(s, round);
    c.root = merkle_root(&empty);
    tally_init(&c.tally, s->options.candidates, s->options.districts);
    return c;
}

/* The commit of the nation's round, which this state may not have begun. */
static struct commit commit_of_round(const struct shard *s)
{
    return s->commit.round == s->view.global.round ? s->commit
                                                   : first_of_round(s, s->view.global.round);
}

static void ask_takeover(struct shard *s, struct shard_effects *fx)
{
    if (s->commit.epoch >= UINT32_MAX) {
        shard_fail(s, "no epochs are left");
        return;
    }
    s->proposal = commit_of_round(s);
    s->proposal.epoch = s->commit.epoch + 1;
    s->proposal.leader = s->options.self;
    s->proposal.seat = s->view.own_seat;
    s->proposal.holders |= UINT32_C(1) << s->options.self;
    s->attempted = s->proposal.epoch;
    s->attempted_seat = s->view.own_seat;
    ask(s, fx, COORD_TAKEOVER)->commit = s->proposal;
}

static void ask_commit(struct shard *s, struct shard_effects *fx, uint64_t index, bool sealed)
{
    if (!count_propose(s, index, &s->proposal))
        return;
    /* I2: as many have it on disk, as far as their acks tell. */
    invariant(index == s->committed || shard_fault(s, SHARD_FAULT_ONE_COPY) ||
              (uint32_t)__builtin_popcount(s->proposal.holders) >= s->options.copies_min);
    s->proposal.sealed = sealed;
    s->commit_at_ns = s->now_ns + s->options.commit_gap_ns;
    struct coord_request *r = ask(s, fx, COORD_COMMIT);
    r->commit = s->proposal;
    if (shard_fault(s, SHARD_FAULT_NO_CUT))
        r->global_version = UINT64_MAX;
}

/* Back to the end of the queue, so that somebody else may lead. */
static void leave(struct shard *s, struct shard_effects *fx, int64_t rejoin_at_ns)
{
    if (s->leading)
        lead_end(s, fx, ANSWER_UNKNOWN_RETRY);
    s->yield_to = -1;
    s->rejoin_at_ns = rejoin_at_ns;
    s->behind_since_ns = INT64_MAX;
    ask(s, fx, COORD_LEAVE);
}

static void step_back(struct shard *s, struct shard_effects *fx)
{
    s->random = hash_u64(s->random, 1);
    leave(s, fx, s->now_ns + (int64_t)(s->random % (uint64_t)(s->options.rejoin_wait_ns + 1)));
}

static int64_t step_back_at(const struct shard *s)
{
    if (!view_has_others(s))
        return INT64_MAX;
    if (s->leading)
        return s->progress_ns + s->options.quorum_wait_ns;
    return s->behind_since_ns == INT64_MAX ? INT64_MAX
                                           : s->behind_since_ns + s->options.quorum_wait_ns;
}

bool shard_may_yield(const struct shard *s, uint32_t to)
{
    return s->failed == NULL && s->connected && view_is_ours(s) &&
           s->view.global.phase != PHASE_CLOSING && view_is_next(s, to) &&
           (!s->leading || s->peers[to].streaming);
}

/* What it is for may have gone meanwhile; then it is over. */
static bool is_yielding(struct shard *s)
{
    if (s->yield_to >= 0 &&
        (!shard_may_yield(s, (uint32_t)s->yield_to) || time_reached(s, s->yield_until_ns)))
        s->yield_to = -1;
    return s->yield_to >= 0;
}

static bool can_yield(const struct shard *s)
{
    return !s->leading || lead_is_held_by(s, (uint32_t)s->yield_to);
}

static bool wants_seal_bit(const struct shard *s)
{
    return s->view.global.phase == PHASE_CLOSING && !s->commit.sealed && lead_pending(s) == 0;
}

static void ask_as_leader(struct shard *s, struct shard_effects *fx)
{
    uint64_t held = lead_held(s);
    if (lead_pending(s) == 0 || held > s->committed)
        s->progress_ns = s->now_ns;
    if (time_reached(s, step_back_at(s)))
        step_back(s, fx);
    else if (!count_is_current(s))
        return;
    else if (held > s->committed && time_reached(s, s->commit_at_ns))
        ask_commit(s, fx, held, false);
    else if (wants_seal_bit(s))
        ask_commit(s, fx, s->committed, true);
}

static void ask_as_first(struct shard *s, struct shard_effects *fx)
{
    if (s->view.global.phase == PHASE_CLOSED && !s->view.has_seal) {
        ask(s, fx, COORD_SEAL)->commit = commit_of_round(s);
        return;
    }
    bool able = view_is_caught_up(s);
    if (able || !view_is_open(s))
        s->behind_since_ns = INT64_MAX;
    else if (s->behind_since_ns == INT64_MAX)
        s->behind_since_ns = s->now_ns;
    if (!view_is_open(s))
        return;
    if (able)
        ask_takeover(s, fx);
    else if (time_reached(s, step_back_at(s)))
        step_back(s, fx);
}

/* When it leaves the line for that; INT64_MAX: it need not. */
static int64_t doubt_ends_at(const struct shard *s)
{
    if (!s->disputed || !view_is_ours(s) || !view_begins(s) || s->view.own_seat == 0)
        return INT64_MAX;
    return view_is_open(s) ? s->disputed_ns : s->disputed_ns + s->options.quorum_wait_ns;
}

static void ask_next(struct shard *s, struct shard_effects *fx)
{
    if (s->failed != NULL || !s->connected || s->asked != COORD_NOTHING)
        return;
    bool yielding = is_yielding(s);
    if (s->stale || !s->known || time_reached(s, s->moved_at_ns)) {
        s->stale = false;
        s->moved_at_ns = INT64_MAX;
        s->read_ns = s->now_ns;
        ask(s, fx, COORD_READ);
    } else if (s->admitting) {
        if (loss_is_proposed(s, fx))
            ask(s, fx, COORD_ADMIT)->commit = s->proposal;
    } else if (!view_is_ours(s)) {
        s->behind_since_ns = INT64_MAX;
    } else if (s->superseded) {
        s->behind_since_ns = INT64_MAX;
        if (s->view.own_seat != 0)
            leave(s, fx, s->now_ns);
    } else if (s->disputed && view_begins(s)) {
        s->behind_since_ns = INT64_MAX;
        if (time_reached(s, doubt_ends_at(s)))
            leave(s, fx, s->now_ns);
    } else if (yielding && can_yield(s)) {
        leave(s, fx, s->now_ns);
    } else if (s->leading) {
        ask_as_leader(s, fx);
    } else if (s->view.own_seat == 0) {
        if (view_is_caught_up(s) && time_reached(s, s->rejoin_at_ns))
            ask(s, fx, COORD_JOIN);
    } else if (view_is_first(s)) {
        ask_as_first(s, fx);
    } else {
        s->behind_since_ns = INT64_MAX;
    }
}

/* ---- its answers ---- */

static void on_coord(struct shard *s, const struct shard_event *ev, struct shard_effects *fx)
{
    enum coord_type asked = s->asked;
    s->asked = COORD_NOTHING;
    bool done = ev->coord.outcome == COORD_OK;
    if (!done)
        s->stale = true; /* what was believed is not so: which part, a read tells */

    switch (asked) {
    case COORD_NOTHING:
        return;
    case COORD_READ:
        if (done)
            view_read(s, fx, ev->coord.view);
        return;
    case COORD_JOIN:
    case COORD_LEAVE:
        if (done)
            s->view.own_seat = asked == COORD_JOIN ? ev->coord.seat : 0;
        s->stale = true;
        return;
    case COORD_TAKEOVER:
    case COORD_COMMIT:
        if (done)
            view_commit(s, fx, &s->proposal, s->view.commit_version + 1);
        return;
    case COORD_SEAL:
        s->view.has_seal = s->view.has_seal || done;
        return;
    case COORD_ADMIT:
        s->admitting = false;
        fx->admitted = done ? ADMIT_DONE : ADMIT_REFUSED;
        if (done)
            view_commit(s, fx, &s->proposal, s->view.commit_version + 1);
        return;
    }
}

static void admission_is_lost(struct shard *s, struct shard_effects *fx)
{
    if (s->admitting)
        fx->admitted = ADMIT_UNKNOWN;
    s->admitting = false;
}

static void on_disconnected(struct shard *s, struct shard_effects *fx)
{
    if (s->asked == COORD_COMMIT && shard_fault(s, SHARD_FAULT_ASSUME))
        view_commit(s, fx, &s->proposal, s->view.commit_version + 1);
    admission_is_lost(s, fx);
    s->connected = false;
    s->asked = COORD_NOTHING;
    s->stale = true;
}

static void on_expired(struct shard *s, struct shard_effects *fx)
{
    if (s->leading)
        lead_end(s, fx, ANSWER_UNKNOWN_RETRY);
    admission_is_lost(s, fx);
    s->connected = false;
    s->asked = COORD_NOTHING;
    s->stale = true;
    s->view.own_seat = 0;
    s->attempted = 0;
}

static void on_yield(struct shard *s, uint32_t to)
{
    if (s->yield_to >= 0 || !shard_may_yield(s, to))
        return;
    s->yield_to = (int32_t)to;
    s->yield_until_ns = s->now_ns + s->options.yield_wait_ns;
}

static void on_admit(struct shard *s, const struct shard_event *ev, struct shard_effects *fx)
{
    invariant(!s->admitting);
    if (!s->connected || !s->known) {
        fx->admitted = ADMIT_REFUSED;
        return;
    }
    s->admitting = true;
    s->stale = true; /* who asks has read what may not be known here yet */
    s->admit_version = ev->admit.commit_version;
    s->admit_kept = ev->admit.kept;
    s->admit_lacking = ev->admit.lacking | UINT32_C(1) << s->options.self;
}

static void on_changed(struct shard *s, uint32_t changed)
{
    /* A leader's own writes change Commit all the time; nobody else can while it leads, and it
     * cannot be deposed before its LiveNode is gone. */
    if (s->leading)
        changed &= ~(uint32_t)SHARD_NODE_COMMIT;
    if (changed == SHARD_NODE_COMMIT && follow_is_streamed(s))
        s->moved_at_ns = s->read_ns + s->options.follow_gap_ns;
    else if (changed != 0)
        s->stale = true;
}

static void on_peer_message(struct shard *s, const struct shard_event *ev, struct shard_effects *fx)
{
    struct message m;
    if (!message_decode(ev->peer.bytes, &m)) {
        fx->drop_peers |= UINT32_C(1) << ev->peer.member;
        return;
    }
    follow_message(s, fx, ev->peer.member, &m);
}

static void handle(struct shard *s, const struct shard_event *ev, struct shard_effects *fx)
{
    switch (ev->type) {
    case SHARD_TICK:
        return;
    case SHARD_CONNECTED:
        s->connected = true;
        s->stale = true;
        return;
    case SHARD_DISCONNECTED:
        on_disconnected(s, fx);
        return;
    case SHARD_EXPIRED:
        on_expired(s, fx);
        return;
    case SHARD_CHANGED:
        on_changed(s, ev->changed);
        return;
    case SHARD_COORD:
        on_coord(s, ev, fx);
        return;
    case SHARD_PEER_UP:
    case SHARD_PEER_DOWN:
        memset(&s->peers[ev->peer.member], 0, sizeof s->peers[ev->peer.member]);
        s->peers[ev->peer.member].up = ev->type == SHARD_PEER_UP;
        follow_peer_down(s, ev->peer.member);
        return;
    case SHARD_PEER_MESSAGE:
        on_peer_message(s, ev, fx);
        return;
    case SHARD_DURABLE:
        if (ev->ticket > s->ticket_durable)
            s->ticket_durable = ev->ticket;
        return;
    case SHARD_DISK_FAILED:
        shard_fail(s, "the disk failed");
        return;
    case SHARD_CAST:
        lead_cast(s, &ev->cast, fx);
        return;
    case SHARD_YIELD:
        on_yield(s, ev->yield_to);
        return;
    case SHARD_ADMIT:
        on_admit(s, ev, fx);
        return;
    case SHARD_SET_ASIDE:
        loss_set_aside(s, fx);
        return;
    }
}

static bool comes_from_a_peer(const struct shard_event *ev)
{
    return ev->type == SHARD_PEER_UP || ev->type == SHARD_PEER_DOWN ||
           ev->type == SHARD_PEER_MESSAGE;
}

static int64_t min_time(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t deadline(const struct shard *s)
{
    int64_t at = INT64_MAX;
    if (s->failed != NULL)
        return at;
    if (count_can_go_on(s))
        at = s->now_ns;
    if (s->fetching && follow_wants_to_fetch(s))
        at = min_time(at, s->fetch_until_ns);
    if (s->leading)
        at = min_time(at, lead_batch_at(s));
    if (!s->connected || s->asked != COORD_NOTHING)
        return at;
    at = min_time(at, s->moved_at_ns);
    at = min_time(at, doubt_ends_at(s));
    if (s->yield_to >= 0)
        at = min_time(at, s->yield_until_ns);
    if (s->leading && lead_pending(s) > 0) {
        at = min_time(at, step_back_at(s));
        if (lead_held(s) > s->committed)
            at = min_time(at, s->commit_at_ns);
    }
    if (!s->leading && s->view.own_seat != 0)
        at = min_time(at, step_back_at(s));
    if (s->view.own_seat == 0 && !time_reached(s, s->rejoin_at_ns))
        at = min_time(at, s->rejoin_at_ns);
    return at;
}

static void verify(const struct shard *s)
{
    const struct shard_mark *end = log_tip(&s->log);
    invariant(s->count.tree.size <= s->committed || shard_fault(s, SHARD_FAULT_OWN_END));
    invariant(s->committed <= end->end && log_mark(&s->log, s->committed) != NULL);
    invariant(end->epoch <= s->promised);
    if (s->leading) {
        invariant(s->log.round == s->commit.round && s->epoch == s->commit.epoch);
        invariant(s->committed == s->commit.index); /* I3: what is told is what Commit says */
    } else {
        invariant(s->open.len == 0 && s->waiter_count == 0);
    }
}

/* The vote is taken or answered, and nothing else is to be done before the event that follows. */
static bool is_only_taken(const struct shard *s, const struct shard_event *ev)
{
    return ev->type == SHARD_CAST && ev->more && s->failed == NULL && !lead_has_full_batch(s);
}

void shard_step(struct shard *s, const struct shard_event *ev, struct shard_effects *fx)
{
    s->now_ns = ev->now_ns;
    s->wall_ms = ev->wall_ms;
    if (comes_from_a_peer(ev))
        invariant(ev->peer.member < s->options.members && ev->peer.member != s->options.self);

    if (s->failed == NULL || ev->type == SHARD_CAST)
        handle(s, ev, fx);
    if (is_only_taken(s, ev)) {
        fx->failed = NULL;
        fx->deadline_ns = s->now_ns;
        return;
    }
    if (s->failed == NULL)
        view_verify(s, fx); /* what came may be what Commit was known to name */
    if (s->failed == NULL) {
        count_committed(s);
        if (s->leading) {
            if (shard_fault(s, SHARD_FAULT_EARLY_ANSWER))
                lead_committed(s, fx, lead_held(s));
            lead_close_batch(s, fx);
            stream_send(s, fx);
        }
        follow_fetch(s, fx);
        follow_greet(s, fx);
        ask_next(s, fx);
        log_forget(s);
        verify(s);
    }
    if (s->failed != NULL && s->leading)
        lead_end(s, fx, ANSWER_UNKNOWN_RETRY);
    fx->failed = s->failed;
    fx->deadline_ns = deadline(s);
}

struct shard_status shard_status(const struct shard *s)
{
    return (struct shard_status){
        .leading = s->leading,
        .admitting = lead_is_admitting(s),
        .live = s->view.own_seat != 0,
        .failed = s->failed != NULL,
        .round = s->log.round,
        .epoch = s->commit.epoch,
        .promised = s->promised,
        .last = log_tip(&s->log)->end,
        .durable = log_durable(s),
        .committed = s->committed,
        .counted = s->count.tree.size,
        .commit_version = s->view.commit_version,
        .phase = s->view.global.phase,
        .tally = &s->count.tally,
        .chain = log_tip(&s->log)->chain,
        .root = merkle_root(&s->count.tree),
        .superseded_from = s->superseded ? s->superseder.to : 0,
        .superseded_by = s->superseded ? s->superseder.epoch : 0,
    };
}
