/* hash.h: seeded hashing of bytes and integers (XXH3, header only: no symbol leaves this file).
 * The seed comes from the driver, so that nobody outside can aim keys at one bucket. */
#ifndef CAUCUS_BASE_HASH_H
#define CAUCUS_BASE_HASH_H

#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/slice.h"

static inline uint64_t hash_bytes(const void *ptr, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(ptr, len, seed);
}

static inline uint64_t hash_slice(struct slice s, uint64_t seed)
{
    return hash_bytes(s.ptr, s.len, seed);
}

/* splitmix64's finalizer: a bijection that spreads every bit. */
static inline uint64_t hash_u64(uint64_t x, uint64_t seed)
{
    x += seed + 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

#endif
