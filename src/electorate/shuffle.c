#include "electorate/shuffle.h"

#include "base/assert.h"
#include "base/hash.h"

static uint64_t mask(uint32_t bits)
{
    return (UINT64_C(1) << bits) - 1;
}

void shuffle_init(struct shuffle *s, uint64_t count, uint64_t seed)
{
    invariant(count >= 1 && count <= UINT64_C(1) << 62);
    uint32_t bits = 2;
    while (count > UINT64_C(1) << bits)
        bits++;
    *s = (struct shuffle){.count = count, .left_bits = bits / 2, .right_bits = bits - bits / 2};
    for (uint64_t i = 0; i < SHUFFLE_ROUNDS; i++)
        s->keys[i] = hash_u64(i, seed);
}

/* Each round is reversible, hence so is all of it: nothing is lost, nothing comes twice. */
static uint64_t permute(const struct shuffle *s, uint64_t x)
{
    uint64_t left = x >> s->right_bits, right = x & mask(s->right_bits);
    uint32_t left_bits = s->left_bits, right_bits = s->right_bits;
    for (int i = 0; i < SHUFFLE_ROUNDS; i++) {
        uint64_t mixed = left ^ (hash_u64(right, s->keys[i]) & mask(left_bits));
        uint32_t bits = left_bits;
        left = right;
        right = mixed;
        left_bits = right_bits;
        right_bits = bits;
    }
    return left << right_bits | right;
}

uint64_t shuffle_at(const struct shuffle *s, uint64_t place)
{
    invariant(place < s->count);
    uint64_t x = place;
    do
        x = permute(s, x);
    while (x >= s->count);
    return x;
}
