#include "vote/tally.h"

#include <inttypes.h>

#include "base/assert.h"

void tally_init(struct tally *t, uint32_t candidates, uint32_t districts)
{
    invariant(candidates >= 1 && candidates <= CANDIDATES_MAX);
    invariant(districts >= 1 && districts <= DISTRICTS_MAX);
    memset(t, 0, sizeof *t);
    t->candidates = candidates;
    t->districts = districts;
}

static uint64_t *cell(struct tally *t, uint32_t candidate, uint32_t district)
{
    invariant(candidate < t->candidates && district < t->districts);
    return &t->votes[district * t->candidates + candidate];
}

uint64_t tally_votes(const struct tally *t, uint32_t candidate)
{
    uint64_t sum = 0;
    for (uint32_t d = 0; d < t->districts; d++)
        sum += t->votes[d * t->candidates + candidate];
    return sum;
}

void tally_change(struct tally *t, int32_t old, uint16_t candidate, uint8_t district)
{
    if (old >= 0) {
        uint64_t *before = cell(t, (uint32_t)old, district);
        invariant(*before > 0);
        (*before)--;
        t->voters--;
    }
    (*cell(t, candidate, district))++;
    t->voters++;
}

int32_t tally_leader(const struct tally *t, int32_t district, bool *ret_tie)
{
    int32_t leader = -1;
    uint64_t most = 0;
    *ret_tie = false;
    for (uint32_t c = 0; c < t->candidates; c++) {
        uint64_t votes =
            district < 0 ? tally_votes(t, c) : t->votes[(uint32_t)district * t->candidates + c];
        if (votes > most) {
            most = votes;
            leader = (int32_t)c;
            *ret_tie = false;
        } else if (votes == most && most > 0) {
            *ret_tie = true;
        }
    }
    return *ret_tie ? -1 : leader;
}

/* ---- the fold ---- */

void count_init(struct count *c, struct voters *voters, uint32_t candidates, uint32_t districts)
{
    memset(c, 0, sizeof *c);
    c->voters = voters;
    tally_init(&c->tally, candidates, districts);
}

const char *count_objection(const struct count *c, const struct record *r, int64_t *ret_place)
{
    if (r->index != c->tree.size)
        return "it is not the next one";
    if (r->candidate >= c->tally.candidates)
        return "there is no such candidate";
    int64_t place = voters_find(c->voters, &r->voter);
    if (place < 0)
        return "the voter is not on the roll";
    const struct voter *v = &c->voters->array[place];
    if (r->district != v->district || r->district >= c->tally.districts)
        return "the voter is of another district";
    if (r->before != v->last)
        return "it does not follow the voter's record before";
    if (v->revision == UINT8_MAX || r->revision != v->revision + 1)
        return "it is not the voter's next revision";
    *ret_place = place;
    return NULL;
}

const char *count_record(struct count *c, const struct record *r, const struct hash *leaf)
{
    int64_t place;
    const char *objection = count_objection(c, r, &place);
    if (objection != NULL)
        return objection;
    struct voter *v = &c->voters->array[place];
    tally_change(&c->tally, v->last > 0 ? v->candidate : -1, r->candidate, r->district);
    v->last = (uint32_t)(r->index + 1);
    v->candidate = r->candidate;
    v->revision = r->revision;
    merkle_push(&c->tree, leaf);
    return NULL;
}

enum {
    AHEAD = 8 /* records: the voter; twice as many, his place in the index */
};

static void fetch(const struct voters *v, struct slice records, size_t i,
                  void (*what)(const struct voters *, const struct pseudonym *))
{
    if ((i + 1) * RECORD_BYTES > records.len)
        return;
    struct pseudonym p = record_voter(records.ptr + i * RECORD_BYTES);
    what(v, &p);
}

void count_look_ahead(const struct voters *v, struct slice records, size_t i)
{
    for (size_t first = 0; i == 0 && first < 2 * AHEAD; first++)
        fetch(v, records, first, voters_prefetch_index);
    for (size_t first = 0; i == 0 && first < AHEAD; first++)
        fetch(v, records, first, voters_prefetch);
    fetch(v, records, i + 2 * AHEAD, voters_prefetch_index);
    fetch(v, records, i + AHEAD, voters_prefetch);
}

/* ---- from the files ---- */

void recount_init(struct recount *r, const struct log_heading *heading, struct voters *voters,
                  uint32_t candidates, uint32_t districts)
{
    memset(r, 0, sizeof *r);
    count_init(&r->count, voters, candidates, districts);
    r->round = heading->round;
    r->chain = log_genesis(heading);
}

static int refuse(struct err *err, uint64_t index, const char *what)
{
    return err_set(err, ERR_CORRUPT, "record %" PRIu64 ": %s", index, what);
}

int recount_batch(struct recount *r, const struct batch *b, struct err *err)
{
    if (b->round != r->round)
        return refuse(err, b->first, "the batch is of another round");
    if (b->first != r->count.tree.size)
        return refuse(err, b->first, "the batch is not the next one");
    if (!hash_eq(&b->before, &r->chain))
        return refuse(err, b->first, "the batch belongs behind another log");
    if (b->epoch < r->epoch)
        return refuse(err, b->first, "the epoch falls");

    struct slice records = batch_records(b);
    for (uint32_t i = 0; i < b->count; i++) {
        struct slice bytes = batch_record(b, i);
        count_look_ahead(r->count.voters, records, i);
        struct record record = record_decode(bytes.ptr);
        struct hash leaf = merkle_leaf(bytes);
        const char *objection = record.epoch != (uint32_t)b->epoch
                                    ? "it is of another epoch than its batch"
                                    : count_record(&r->count, &record, &leaf);
        if (objection != NULL)
            return refuse(err, b->first + i, objection);
    }
    r->epoch = b->epoch;
    r->bytes += b->bytes.len;
    r->batches++;
    r->chain = b->chain;
    return 0;
}
