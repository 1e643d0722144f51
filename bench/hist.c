#include "hist.h"

#include <string.h>

void hist_reset(struct hist *h)
{
    memset(h, 0, sizeof *h);
}

void hist_merge(struct hist *into, const struct hist *from)
{
    into->count += from->count;
    into->sum_ns += from->sum_ns;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    for (uint32_t i = 0; i < HIST_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

static uint64_t middle_of_bucket_ns(uint32_t bucket)
{
    if (bucket < 2 * HIST_SUB)
        return bucket;
    uint32_t power = (bucket >> HIST_SUB_BITS) - 1;
    uint64_t lowest = ((uint64_t)bucket - ((uint64_t)power << HIST_SUB_BITS)) << power;
    return lowest + (1ull << power) / 2;
}

uint64_t hist_quantile_ns(const struct hist *h, double share)
{
    if (h->count == 0)
        return 0;
    uint64_t rank = (uint64_t)(share * (double)h->count);
    if (rank >= h->count)
        rank = h->count - 1;

    uint64_t seen = 0;
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > rank) {
            uint64_t value_ns = middle_of_bucket_ns(i);
            return value_ns < h->max_ns ? value_ns : h->max_ns;
        }
    }
    return h->max_ns;
}
