/* scale.h: counts made smaller so that sums stay exact.
 *
 * The rule is that of largest remainders, twice. The nation's total is multiplied by the scale and
 * rounded (half up); it is shared among the states in proportion to their votes, and each state's
 * share among its candidates in proportion to theirs: everybody gets the whole part, and what is
 * left goes one each to the largest remainders, of equal ones to the first. So counts add up to the
 * state's total, totals to the nation's, each is within one of the exact product's share, and none
 * that was 0 becomes more. With 1/1 all stay as they are. Pure. */
#ifndef CAUCUS_ELECTORATE_SCALE_H
#define CAUCUS_ELECTORATE_SCALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCALE_PARTS_MAX = 64,
};

/* up/down, at most 1. */
struct scale {
    uint64_t up, down;
};

/* "1/1000", "1", "0.25" is not one. */
bool scale_read(const char *text, struct scale *ret);
/* count * scale, rounded; count < 2^32 */
uint64_t scale_round(struct scale s, uint64_t count);
/* The same, rounded up: how long a roll by rule is. */
uint64_t scale_round_up(struct scale s, uint64_t count);
/* Shares `total` out in proportion to counts, whose sum is < 2^32 and, if total > 0, > 0; total <
 * 2^32. */
void scale_share(const uint64_t *counts, size_t n, uint64_t total, uint64_t *ret);

#endif
