/* summary.h: what a stream of latencies or sizes looks like: count, sum, least, greatest,
 * quantiles.
 *
 * A fixed 3.9 KiB and a few nanoseconds per value. Values are counted in buckets, 32 per power of
 * two: exact below 64, within 1.6 % up to 2^34; above that a quantile is only known to be large,
 * and `max` is given. A zeroed struct summary is an empty one. Pure; one owner thread. */
#ifndef CAUCUS_BASE_SUMMARY_H
#define CAUCUS_BASE_SUMMARY_H

#include <stdint.h>

enum {
    SUMMARY_SUB_BITS = 5,
    SUMMARY_SUB = 1 << SUMMARY_SUB_BITS,
    SUMMARY_BUCKETS = 30 * SUMMARY_SUB,
};

struct summary {
    uint64_t count;
    int64_t sum;
    int64_t min; /* 0 while count is 0, as max */
    int64_t max;
    uint32_t buckets[SUMMARY_BUCKETS];
};

void summary_reset(struct summary *s);

/* The value below which `share` (0 to 1) of the values lie; 0 for an empty summary. */
int64_t summary_quantile(const struct summary *s, double share);

double summary_mean(const struct summary *s); /* 0 for an empty summary */

/* `into` becomes that of both streams. */
void summary_merge(struct summary *into, const struct summary *from);

void summary_halve(struct summary *s); /* for summary_add: when a bucket is full */

static inline uint32_t summary_bucket(uint64_t value)
{
    uint32_t top_bit = 63u - (uint32_t)__builtin_clzll(value | SUMMARY_SUB);
    uint32_t power = top_bit - SUMMARY_SUB_BITS;
    uint64_t bucket = ((uint64_t)power << SUMMARY_SUB_BITS) + (value >> power);
    return bucket < SUMMARY_BUCKETS ? (uint32_t)bucket : SUMMARY_BUCKETS - 1;
}

/* A value below 0 (a clock that went back) counts as 0. */
static inline void summary_add(struct summary *s, int64_t value)
{
    if (value < 0)
        value = 0;
    if (s->count == 0 || value < s->min)
        s->min = value;
    if (value > s->max)
        s->max = value;
    s->count++;
    s->sum += value;
    if (++s->buckets[summary_bucket((uint64_t)value)] == UINT32_MAX)
        summary_halve(s);
}

#endif
