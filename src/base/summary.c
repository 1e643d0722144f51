#include "base/summary.h"

#include <string.h>

void summary_reset(struct summary *s)
{
    memset(s, 0, sizeof *s);
}

/* Four thousand million equal values fill a bucket. Halving all of them keeps the shape; the older
 * half of a history so long may weigh less. */
void summary_halve(struct summary *s)
{
    for (int i = 0; i < SUMMARY_BUCKETS; i++)
        s->buckets[i] /= 2;
}

void summary_merge(struct summary *into, const struct summary *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0 || from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    into->count += from->count;
    into->sum += from->sum;
    for (int i = 0; i < SUMMARY_BUCKETS; i++) {
        if (from->buckets[i] > UINT32_MAX - into->buckets[i])
            summary_halve(into);
        uint64_t both = (uint64_t)into->buckets[i] + from->buckets[i];
        into->buckets[i] = both < UINT32_MAX ? (uint32_t)both : UINT32_MAX - 1;
    }
}

static int64_t middle_of_bucket(uint32_t bucket)
{
    if (bucket < 2 * SUMMARY_SUB)
        return bucket;
    uint32_t power = bucket / SUMMARY_SUB - 1;
    uint64_t lowest = (uint64_t)(bucket - power * SUMMARY_SUB) << power;
    return (int64_t)(lowest + (UINT64_C(1) << power) / 2);
}

static int64_t within(int64_t value, int64_t min, int64_t max)
{
    if (value < min)
        return min;
    return value > max ? max : value;
}

int64_t summary_quantile(const struct summary *s, double share)
{
    uint64_t total = 0;
    for (int i = 0; i < SUMMARY_BUCKETS; i++)
        total += s->buckets[i];
    if (total == 0)
        return 0;

    uint64_t rank = share > 0 ? (uint64_t)(share * (double)total) : 0;
    if (rank >= total)
        rank = total - 1;

    uint64_t seen = 0;
    for (uint32_t i = 0; i < SUMMARY_BUCKETS - 1; i++) {
        seen += s->buckets[i];
        if (seen > rank)
            return within(middle_of_bucket(i), s->min, s->max);
    }
    return s->max; /* the last bucket holds everything above its beginning */
}

double summary_mean(const struct summary *s)
{
    return s->count > 0 ? (double)s->sum / (double)s->count : 0;
}
