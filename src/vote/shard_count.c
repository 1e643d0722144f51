#include "base/assert.h"
#include "vote/shard_internal.h"

void count_reset(struct shard *s)
{
    voters_reset(&s->voters);
    count_init(&s->count, &s->voters, s->options.candidates, s->options.districts);
}

bool count_is_current(const struct shard *s)
{
    return s->count.tree.size == s->committed;
}

/* It is in memory, or can be read by now. */
static bool is_at_hand(const struct shard *s, uint64_t index)
{
    if (index < s->log.base.end)
        return true;
    const struct entry *e = &s->log.entries[log_entry_of(&s->log, index)];
    return e->bytes != NULL || e->ticket <= s->ticket_durable;
}

bool count_can_go_on(const struct shard *s)
{
    return !s->superseded && s->count.tree.size < s->committed && is_at_hand(s, s->count.tree.size);
}

static void count_one(struct shard *s, const uint8_t bytes[RECORD_BYTES])
{
    struct record r = record_decode(bytes);
    struct hash leaf = merkle_leaf(slice_of(bytes, RECORD_BYTES));
    const char *objection = count_record(&s->count, &r, &leaf);
    if (objection != NULL) {
        shard_fail(s, objection);
        return;
    }
    if (s->recent.count > 0) {
        uint64_t place = (uint64_t)voters_find(&s->voters, &r.voter);
        if ((uintptr_t)map_get(&s->recent, place) == r.index + 1)
            map_remove(&s->recent, place);
    }
}

/* Records [index, until), as far as they lie beside each other; `room` is for one that has to be
 * read. Empty: it cannot be, the shard failed. */
static struct slice records_from(struct shard *s, uint64_t index, uint64_t until,
                                 uint8_t room[RECORD_BYTES])
{
    struct slice run = log_run(s, index);
    if (run.len == 0)
        return log_record(s, index, room) ? slice_of(room, RECORD_BYTES) : run;
    if (run.len / RECORD_BYTES > until - index)
        run.len = (size_t)(until - index) * RECORD_BYTES;
    return run;
}

static void count_run(struct shard *s, uint64_t until)
{
    uint8_t room[RECORD_BYTES];
    struct slice run = records_from(s, s->count.tree.size, until, room);
    for (size_t i = 0; s->failed == NULL && i < run.len / RECORD_BYTES; i++) {
        count_look_ahead(&s->voters, run, i);
        count_one(s, run.ptr + i * RECORD_BYTES);
    }
}

/* I4 and I9: what everybody else counted is what was counted here. */
void count_compare(struct shard *s)
{
    if (s->commit.round == 0 || s->commit.round != s->log.round || s->superseded ||
        s->count.tree.size != s->commit.index)
        return;
    struct hash root = merkle_root(&s->count.tree);
    if (!hash_eq(&root, &s->commit.root))
        shard_fail(s, "the root of the records is not the one that Commit names");
    if (!tally_eq(&s->count.tally, &s->commit.tally))
        shard_fail(s, "the count is not the one that Commit names");
}

void count_committed(struct shard *s)
{
    uint64_t until = s->committed;
    if (shard_fault(s, SHARD_FAULT_OWN_END))
        until = log_tip(&s->log)->end;
    if (until > s->count.tree.size + s->options.bounds.count_records)
        until = s->count.tree.size + s->options.bounds.count_records;

    uint64_t before = s->count.tree.size;
    while (s->failed == NULL && !s->superseded && s->count.tree.size < until &&
           is_at_hand(s, s->count.tree.size))
        count_run(s, until);
    if (s->failed == NULL && s->count.tree.size > before)
        count_compare(s);
}

/* The choice that `r` takes the place of; -1 = none. */
static bool choice_before(struct shard *s, const struct record *r, int32_t *ret)
{
    *ret = -1;
    if (r->before == 0)
        return true;
    if (r->before <= s->committed) {
        int64_t place = voters_find(&s->voters, &r->voter);
        invariant(place >= 0);
        *ret = s->voters.array[place].candidate;
        return true;
    }
    uint8_t bytes[RECORD_BYTES];
    if (!log_record(s, r->before - 1, bytes))
        return false;
    *ret = record_decode(bytes).candidate;
    return true;
}

static bool propose_one(struct shard *s, const uint8_t bytes[RECORD_BYTES], struct merkle *tree,
                        struct tally *tally)
{
    struct record r = record_decode(bytes);
    struct hash leaf = merkle_leaf(slice_of(bytes, RECORD_BYTES));
    int32_t old;
    if (!choice_before(s, &r, &old))
        return false;
    tally_change(tally, old, r.candidate, r.district);
    merkle_push(tree, &leaf);
    return true;
}

bool count_propose(struct shard *s, uint64_t index, struct commit *ret)
{
    invariant(count_is_current(s));
    struct merkle tree = s->count.tree;
    *ret = s->commit;
    ret->tally = s->count.tally;
    uint8_t room[RECORD_BYTES];
    for (struct slice run; tree.size < index;) {
        run = records_from(s, tree.size, index, room);
        if (run.len == 0)
            return false;
        for (; run.len > 0; run = slice_from(run, RECORD_BYTES)) {
            if (!propose_one(s, run.ptr, &tree, &ret->tally))
                return false;
        }
    }
    const struct shard_mark *mark = log_mark(&s->log, index);
    invariant(mark != NULL);
    ret->index = index;
    ret->batches = log_batches(&s->log, index);
    ret->bytes = index * RECORD_BYTES + ret->batches * (BATCH_HEADING_BYTES + SHA256_BYTES);
    ret->chain = mark->chain;
    ret->root = merkle_root(&tree);
    ret->holders = lead_holders(s, index);
    return true;
}
