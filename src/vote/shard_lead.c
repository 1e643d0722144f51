#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "vote/shard_internal.h"

static uint32_t open_count(const struct shard *s)
{
    return s->open.len == 0 ? 0 : (uint32_t)((s->open.len - BATCH_HEADING_BYTES) / RECORD_BYTES);
}

uint64_t lead_pending(const struct shard *s)
{
    return log_tip(&s->log)->end + open_count(s) - s->committed;
}

bool lead_is_admitting(const struct shard *s)
{
    return s->leading && s->connected && s->failed == NULL && s->view.global.phase == PHASE_OPEN &&
           s->yield_to < 0 && count_is_current(s);
}

/* I5: whoever leads has what Commit names, on disk, and nobody else can write Commit any more. What
 * it has beyond was never committed and is not adopted: who cast it will ask again. */
void lead_begin(struct shard *s, struct shard_effects *fx)
{
    invariant(!s->leading);
    invariant(s->log.round == s->commit.round && s->committed == s->commit.index);
    invariant(log_durable(s) >= s->committed);

    s->leading = true;
    s->epoch = s->commit.epoch;
    s->streamed_epoch = 0;
    s->fetching = false;
    s->progress_ns = s->commit_at_ns = s->batch_at_ns = s->now_ns;
    if (!shard_fault(s, SHARD_FAULT_KEEP_SUFFIX))
        log_truncate(s, fx, s->committed);
    stream_begin(s, fx);
}

static void forget_votes(struct shard *s)
{
    map_deinit(&s->recent);
    buf_clear(&s->open);
    s->waiter_count = 0;
}

void lead_end(struct shard *s, struct shard_effects *fx, enum answer_type what)
{
    lead_committed(s, fx, s->committed);
    for (size_t i = 0; i < s->waiter_count; i++)
        shard_answer(s, fx, s->waiters[i].client, what);
    forget_votes(s);
    s->leading = false;
    s->yield_to = -1;
    s->attempted = 0;
    s->greeted = -1;
    for (size_t i = 0; i < SHARD_MEMBERS_MAX; i++)
        s->peers[i].streaming = false;
}

/* ---- votes ---- */

static void wait_for(struct shard *s, uint64_t client, uint64_t index)
{
    if (s->waiter_count == s->waiter_cap) {
        s->waiter_cap = s->waiter_cap ? s->waiter_cap * 2 : 64;
        s->waiters = mem_realloc(s->waiters, s->waiter_cap * sizeof *s->waiters);
    }
    s->waiters[s->waiter_count++] = (struct waiter){client, index};
}

static struct receipt receipt_of(const struct shard *s, const uint8_t bytes[RECORD_BYTES])
{
    struct record r = record_decode(bytes);
    struct receipt receipt;
    memset(&receipt, 0, sizeof receipt);
    receipt.round = s->log.round;
    receipt.epoch = r.epoch;
    receipt.index = r.index;
    receipt.revision = r.revision;
    receipt.leaf = merkle_leaf(slice_of(bytes, RECORD_BYTES));
    receipt.commit_version = s->view.commit_version;
    receipt.tree_size = s->commit.index;
    receipt.root = s->commit.root;
    return receipt;
}

bool shard_leads(const struct shard *s, uint64_t *ret_epoch)
{
    *ret_epoch = s->commit.epoch;
    return s->leading;
}

bool shard_is_admitting(const struct shard *s)
{
    return lead_is_admitting(s);
}

bool shard_is_idle(const struct shard *s)
{
    return !s->leading || lead_pending(s) == 0;
}

bool shard_is_current(const struct shard *s)
{
    return s->known && count_is_current(s) && !s->superseded &&
           (s->commit.round == 0 ||
            (s->log.round == s->commit.round && s->committed == s->commit.index));
}

bool shard_voter(struct shard *s, const struct pseudonym *voter, struct receipt *ret)
{
    uint8_t bytes[RECORD_BYTES];
    int64_t place = voters_find(&s->voters, voter);
    if (place < 0)
        return false;
    memset(ret, 0, sizeof *ret);
    ret->round = s->log.round;
    uint32_t last = s->voters.array[place].last;
    if (last == 0)
        return true;
    if (!log_record(s, last - 1, bytes))
        return false;
    *ret = receipt_of(s, bytes);
    return true;
}

static void answer_with_record(struct shard *s, struct shard_effects *fx, uint64_t client,
                               enum answer_type type, uint64_t index)
{
    uint8_t bytes[RECORD_BYTES];
    if (!log_record(s, index, bytes)) {
        shard_answer(s, fx, client, ANSWER_UNKNOWN_RETRY);
        return;
    }
    struct receipt r = receipt_of(s, bytes);
    shard_answer_receipt(fx, client, type, &r);
}

void lead_committed(struct shard *s, struct shard_effects *fx, uint64_t index)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->waiter_count; i++) {
        struct waiter w = s->waiters[i];
        if (w.index < index)
            answer_with_record(s, fx, w.client, ANSWER_COMMITTED, w.index);
        else
            s->waiters[kept++] = w;
    }
    s->waiter_count = kept;
}

/* What the voter has in the log and in the batch under way. */
struct found {
    int64_t place;
    uint64_t last; /* the newest record, plus 1; 0 = none */
    struct record newest;
    bool same; /* the request is known: */
    struct record request;
};

static bool is_none(const struct request_id *r)
{
    static const struct request_id none;
    return memcmp(r, &none, sizeof none) == 0;
}

/* I8: every record of the voter is compared; each names the one before. A request without an id is
 * the same if the voter's newest choice is. */
static bool look_up(struct shard *s, const struct ballot *b, struct found *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->place = voters_find(&s->voters, &b->voter);
    if (ret->place < 0)
        return true;
    ret->last = (uintptr_t)map_get(&s->recent, (uint64_t)ret->place);
    if (ret->last == 0 || shard_fault(s, SHARD_FAULT_FORGET_PENDING))
        ret->last = s->voters.array[ret->place].last;

    bool unnamed = is_none(&b->request);
    for (uint64_t at = ret->last; at > 0;) {
        uint8_t bytes[RECORD_BYTES];
        if (!log_record(s, at - 1, bytes))
            return false;
        struct record r = record_decode(bytes);
        if (at == ret->last)
            ret->newest = r;
        bool same = unnamed ? r.candidate == b->candidate
                            : memcmp(&r.request, &b->request, sizeof r.request) == 0;
        if (same) {
            ret->same = true;
            ret->request = r;
            return true;
        }
        at = unnamed ? 0 : r.before;
    }
    return true;
}

bool lead_may_choose(const struct shard *s, uint16_t candidate)
{
    return candidate < s->options.candidates && (s->options.on_ballot >> candidate & 1) != 0;
}

static void take_vote(struct shard *s, const struct ballot *b, const struct found *f)
{
    const struct shard_mark *end = log_tip(&s->log);
    if (lead_pending(s) == 0)
        s->progress_ns = s->now_ns; /* nobody has waited for copies until now */
    struct record r = {
        .index = end->end + open_count(s),
        .before = f->last,
        .voter = b->voter,
        .request = b->request,
        .cast_ms = s->wall_ms,
        .epoch = (uint32_t)s->epoch,
        .candidate = b->candidate,
        .district = s->voters.array[f->place].district,
        .revision = (uint8_t)(f->newest.revision + 1),
    };
    uint8_t where[16], salt[SHA256_BYTES], bytes[RECORD_BYTES];
    store_be64(where, s->epoch);
    store_be64(where + 8, r.index);
    hmac_of(&s->salts, where, sizeof where, salt);
    memcpy(r.salt, salt, SALT_BYTES);

    if (s->open.len == 0)
        batch_begin(&s->open, s->log.round, s->epoch, end->end, &end->chain);
    record_encode(&r, bytes);
    buf_put(&s->open, bytes, sizeof bytes);
    map_put(&s->recent, (uint64_t)f->place, (void *)(uintptr_t)(r.index + 1));
    wait_for(s, b->client, r.index);
}

static void join(struct shard *s, const struct ballot *b, const struct found *f,
                 struct shard_effects *fx)
{
    if (f->request.candidate != b->candidate)
        shard_answer(s, fx, b->client, ANSWER_CONFLICT);
    else if (f->request.index < s->committed)
        answer_with_record(s, fx, b->client, ANSWER_DUPLICATE, f->request.index);
    else if (s->waiter_count >= (size_t)2 * s->options.pending_max)
        shard_answer(s, fx, b->client, ANSWER_BUSY);
    else
        wait_for(s, b->client, f->request.index);
}

static bool is_full(const struct shard *s)
{
    return lead_pending(s) >= s->options.pending_max ||
           s->waiter_count >= (size_t)2 * s->options.pending_max ||
           s->committed + lead_pending(s) >= RECORDS_MAX;
}

static void cast_to_leader(struct shard *s, const struct ballot *b, struct shard_effects *fx)
{
    struct found f;
    if (!look_up(s, b, &f))
        shard_answer(s, fx, b->client, ANSWER_UNAVAILABLE);
    else if (f.place < 0)
        shard_answer(s, fx, b->client, ANSWER_NO_VOTER);
    else if (!lead_may_choose(s, b->candidate))
        shard_answer(s, fx, b->client, ANSWER_NO_CANDIDATE);
    else if (f.same)
        join(s, b, &f, fx);
    else if (s->view.global.phase != PHASE_OPEN)
        shard_answer(s, fx, b->client, ANSWER_CLOSING);
    else if (b->expect_revision != 0 && b->expect_revision != f.newest.revision + 1)
        shard_answer(s, fx, b->client, ANSWER_REVISION);
    else if (f.newest.revision >= s->options.revisions_max)
        shard_answer(s, fx, b->client, ANSWER_TOO_MANY);
    else if (s->yield_to >= 0)
        shard_answer(s, fx, b->client, ANSWER_UNAVAILABLE);
    else if (is_full(s))
        shard_answer(s, fx, b->client, ANSWER_BUSY);
    else
        take_vote(s, b, &f);
}

/* After the end everybody who has all of it can tell whether a vote was counted. */
static void cast_when_closed(struct shard *s, const struct ballot *b, struct shard_effects *fx)
{
    struct found f;
    if (s->commit.round != s->view.global.round)
        shard_answer(s, fx, b->client, ANSWER_CLOSED); /* nothing was, in this round */
    else if (s->log.round != s->commit.round || s->committed != s->commit.index || s->superseded ||
             !count_is_current(s) || !look_up(s, b, &f))
        shard_answer(s, fx, b->client, ANSWER_UNAVAILABLE);
    else if (f.place < 0)
        shard_answer(s, fx, b->client, ANSWER_NO_VOTER);
    else if (f.same)
        join(s, b, &f, fx);
    else
        shard_answer(s, fx, b->client, ANSWER_CLOSED);
}

void lead_cast(struct shard *s, const struct ballot *b, struct shard_effects *fx)
{
    if (s->failed != NULL || !s->connected || !s->known || !view_is_ours(s))
        shard_answer(s, fx, b->client, ANSWER_UNAVAILABLE);
    else if (s->view.global.phase == PHASE_IDLE)
        shard_answer(s, fx, b->client, ANSWER_NOT_STARTED);
    else if (b->round > s->view.global.round)
        shard_answer(s, fx, b->client, ANSWER_UNAVAILABLE); /* of a start that is not read yet */
    else if (b->round != 0 && b->round < s->view.global.round)
        shard_answer(s, fx, b->client, ANSWER_ROUND_OVER);
    else if (s->view.global.phase == PHASE_CLOSED)
        cast_when_closed(s, b, fx);
    else if (!s->leading)
        shard_answer(s, fx, b->client, ANSWER_NOT_LEADER);
    else if (!count_is_current(s))
        shard_answer(s, fx, b->client, ANSWER_UNAVAILABLE);
    else
        cast_to_leader(s, b, fx);
}

bool lead_has_full_batch(const struct shard *s)
{
    return open_count(s) >= BATCH_RECORDS_MAX;
}

/* While the disk is busy with what came before, the next batch collects. */
int64_t lead_batch_at(const struct shard *s)
{
    if (s->open.len == 0)
        return INT64_MAX;
    if (lead_has_full_batch(s))
        return s->now_ns;
    return s->ticket_durable < s->ticket_last ? INT64_MAX : s->batch_at_ns;
}

void lead_close_batch(struct shard *s, struct shard_effects *fx)
{
    if (!time_reached(s, lead_batch_at(s)))
        return;
    s->batch_at_ns = s->now_ns + s->options.batch_gap_ns;
    struct batch b = batch_end_writing(&s->open, 0);
    log_append(s, fx, &b);
    buf_clear(&s->open);
}

/* ---- copies ---- */

static uint64_t held_by(const struct shard *s, uint32_t member)
{
    if (member == s->options.self)
        return log_durable(s);
    return s->peers[member].streaming ? s->peers[member].match : 0;
}

uint32_t lead_holders(const struct shard *s, uint64_t index)
{
    uint32_t holders = 0;
    for (uint32_t m = 0; m < s->options.members; m++) {
        if (held_by(s, m) >= index)
            holders |= UINT32_C(1) << m;
    }
    return holders;
}

bool lead_is_held_by(const struct shard *s, uint32_t member)
{
    return lead_pending(s) == 0 && s->peers[member].streaming &&
           held_by(s, member) == log_tip(&s->log)->end;
}

/* The most that copies_min members have: each of these numbers is a boundary of batches. */
uint64_t lead_held(const struct shard *s)
{
    uint64_t best = s->committed;
    uint32_t enough = shard_fault(s, SHARD_FAULT_ONE_COPY) ? 1 : s->options.copies_min;
    for (uint32_t m = 0; m < s->options.members; m++) {
        uint64_t index = held_by(s, m);
        if (index > best && (uint32_t)__builtin_popcount(lead_holders(s, index)) >= enough)
            best = index;
    }
    return best;
}
