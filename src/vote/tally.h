/* tally.h: how many voters chose whom: one for each voter, the last choice counts.
 *
 * A count is the fold of the records of a round, in order, over a table in which nobody has voted.
 * Shards do it as commits come, a recount does it again from the files, and both are this code. */
#ifndef CAUCUS_VOTE_TALLY_H
#define CAUCUS_VOTE_TALLY_H

#include "base/err.h"
#include "vote/record.h"
#include "vote/roll.h"

enum {
    CANDIDATES_MAX = 64,
    TALLY_CELLS_MAX = CANDIDATES_MAX * DISTRICTS_MAX,
};

/* Equal tallies are equal bytes: what is not used is zero. */
struct tally {
    uint64_t votes[TALLY_CELLS_MAX]; /* [district * candidates + candidate] */
    uint64_t voters;                 /* the sum of them */
    uint32_t candidates, districts;
};

void tally_init(struct tally *t, uint32_t candidates, uint32_t districts);
static inline bool tally_eq(const struct tally *a, const struct tally *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}
uint64_t tally_votes(const struct tally *t, uint32_t candidate); /* in all districts */

/* A vote takes the place of the voter's vote for `old`, -1 = of none. */
void tally_change(struct tally *t, int32_t old, uint16_t candidate, uint8_t district);

/* Who has most: -1 while nobody has a vote, or when several have as many (*ret_tie). `district` -1:
 * in all of them. */
int32_t tally_leader(const struct tally *t, int32_t district, bool *ret_tie);

/* Everything that follows from the first `tree.size` records. */
struct count {
    struct voters *voters; /* of the roll; not owned */
    struct tally tally;
    struct merkle tree;
};

void count_init(struct count *c, struct voters *voters, uint32_t candidates, uint32_t districts);

/* What a record must be to follow the ones before: of somebody on the roll, next of his, for a
 * candidate. NULL, or what is wrong with it. *ret_place: the voter's. */
const char *count_objection(const struct count *c, const struct record *r, int64_t *ret_place);
/* Counts it; what was objected to is not counted and said again. */
const char *count_record(struct count *c, const struct record *r, const struct hash *leaf);

/* Voters lie anywhere in memory. Called for each of many records, one after the other, this fetches
 * those that come a little later while this one is looked at. */
void count_look_ahead(const struct voters *v, struct slice records, size_t i);

/* A recount: the batches of a log one by one. */
struct recount {
    struct count count;
    uint64_t round, epoch, bytes, batches;
    struct hash chain;
};

void recount_init(struct recount *r, const struct log_heading *heading, struct voters *voters,
                  uint32_t candidates, uint32_t districts);
int recount_batch(struct recount *r, const struct batch *b, struct err *err);

#endif
