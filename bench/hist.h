/* hist.h: a histogram of latencies in logarithmic buckets (64 per power of two, so a
 * value is kept within 1.6 %), from 1 ns to half a minute; larger values count as the
 * last bucket, and the true maximum is kept beside. Fixed size, no allocation. */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

enum {
    HIST_SUB_BITS = 6,
    HIST_SUB = 1 << HIST_SUB_BITS,
    HIST_POWERS = 30,
    HIST_BUCKETS = HIST_POWERS * HIST_SUB,
};

struct hist {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;
    uint32_t buckets[HIST_BUCKETS];
};

/* Values below HIST_SUB have a bucket each; above, the leading HIST_SUB_BITS + 1 bits
 * of the value choose it. */
static inline uint32_t hist_bucket_of(uint64_t value_ns)
{
    if (value_ns < HIST_SUB)
        return (uint32_t)value_ns;
    uint32_t power = 63u - (uint32_t)__builtin_clzll(value_ns) - HIST_SUB_BITS;
    uint32_t bucket = (power << HIST_SUB_BITS) + (uint32_t)(value_ns >> power);
    return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

static inline void hist_add(struct hist *h, uint64_t value_ns)
{
    h->count++;
    h->sum_ns += value_ns;
    if (value_ns > h->max_ns)
        h->max_ns = value_ns;
    h->buckets[hist_bucket_of(value_ns)]++;
}

void hist_reset(struct hist *h);

void hist_merge(struct hist *into, const struct hist *from);

/* The value below which `share` (0..1) of all values lie; 0 for an empty histogram. */
uint64_t hist_quantile_ns(const struct hist *h, double share);

#endif
