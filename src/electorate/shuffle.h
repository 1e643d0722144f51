/* shuffle.h: the numbers below n in an order that looks random, without keeping them.
 *
 * A Feistel network over the least power of two that holds n permutes it; what falls at or beyond n
 * is permuted again until it does not (fewer than two rounds on average). So any place of the order
 * can be asked for, in any order, by anybody who has the seed. Pure. */
#ifndef CAUCUS_ELECTORATE_SHUFFLE_H
#define CAUCUS_ELECTORATE_SHUFFLE_H

#include <stdint.h>

enum {
    SHUFFLE_ROUNDS = 6, /* even: the halves come back to their places */
};

struct shuffle {
    uint64_t count;
    uint32_t left_bits, right_bits;
    uint64_t keys[SHUFFLE_ROUNDS];
};

/* 1 <= count <= 2^62 */
void shuffle_init(struct shuffle *s, uint64_t count, uint64_t seed);
/* The number at this place, which is below count. */
uint64_t shuffle_at(const struct shuffle *s, uint64_t place);

#endif
