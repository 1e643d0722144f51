/* zxid.h: a transaction's number: the epoch of its leader in the high 32 bits, a counter that
 * begins at 0 with each epoch in the low 32. Signed, as everywhere in ZooKeeper (ZxidUtils). */
#ifndef CAUCUS_WIRE_ZXID_H
#define CAUCUS_WIRE_ZXID_H

#include <stdint.h>

/* The last counter of an epoch: the next proposal needs a new one. */
#define ZXID_COUNTER_MAX UINT32_MAX

static inline int64_t zxid_make(int64_t epoch, uint32_t counter)
{
    return (int64_t)((uint64_t)epoch << 32 | counter);
}

static inline int64_t zxid_epoch(int64_t zxid)
{
    return zxid >> 32;
}

static inline uint32_t zxid_counter(int64_t zxid)
{
    return (uint32_t)zxid;
}

#endif
