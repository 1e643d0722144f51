/* A small roll and logs for it, for tests of src/vote. */
#ifndef CAUCUS_UNIT_VOTE_KIT_H
#define CAUCUS_UNIT_VOTE_KIT_H

#include <stdio.h>

#include "vote/tally.h"

enum {
    KIT_VOTERS = 20,
    KIT_CANDIDATES = 3,
};

static struct pseudonym kit_voter(int number)
{
    struct hmac_key key;
    char id[32];
    hmac_key_init(&key, "kit", 3);
    int len = snprintf(id, sizeof id, "voter%d", number);
    return roll_pseudonym(&key, slice_of(id, (size_t)len));
}

static struct voters kit_roll(void)
{
    struct voters v = {0};
    for (int i = 0; i < KIT_VOTERS; i++) {
        struct pseudonym p = kit_voter(i);
        voters_add(&v, &p, (uint8_t)(i % 2), 0);
    }
    voters_sort(&v);
    voters_reset(&v);
    return v;
}

static struct log_heading kit_heading(const struct voters *v)
{
    struct log_heading h = {.round = 7, .state = "NY", .roll = voters_hash(v)};
    memset(h.config.bytes, 0xc0, sizeof h.config.bytes);
    return h;
}

/* A log that is written; its own fold says what the next record has to be. */
struct kit_log {
    struct voters voters;
    struct log_heading heading;
    struct recount fold;
    struct buf bytes; /* batches */
    size_t begun;     /* where the batch under way begins */
    uint64_t epoch;
};

static void kit_log_init(struct kit_log *l)
{
    memset(l, 0, sizeof *l);
    l->voters = kit_roll();
    l->heading = kit_heading(&l->voters);
    recount_init(&l->fold, &l->heading, &l->voters, KIT_CANDIDATES, 2);
    l->epoch = 1;
}

static void kit_log_deinit(struct kit_log *l)
{
    voters_deinit(&l->voters);
    buf_deinit(&l->bytes);
}

static void kit_begin(struct kit_log *l)
{
    l->begun = l->bytes.len;
    batch_begin(&l->bytes, l->heading.round, l->epoch, l->fold.count.tree.size, &l->fold.chain);
}

/* One vote in a batch of its own. */
static struct batch kit_vote(struct kit_log *l, int voter, uint16_t candidate)
{
    struct record r = {.index = l->fold.count.tree.size,
                       .voter = kit_voter(voter),
                       .epoch = (uint32_t)l->epoch,
                       .candidate = candidate};
    struct voter *v = &l->voters.array[voters_find(&l->voters, &r.voter)];
    r.before = v->last;
    r.revision = (uint8_t)(v->revision + 1);
    r.district = v->district;
    memcpy(r.request.bytes, &r.index, sizeof r.index);
    r.request.bytes[15] = 1;

    uint8_t bytes[RECORD_BYTES];
    struct err err;
    kit_begin(l);
    record_encode(&r, bytes);
    buf_put(&l->bytes, bytes, sizeof bytes);
    struct batch b = batch_end_writing(&l->bytes, l->begun);
    if (recount_batch(&l->fold, &b, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return b;
}

#endif
