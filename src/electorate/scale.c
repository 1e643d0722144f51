#include "electorate/scale.h"

#include <stdlib.h>

#include "base/assert.h"

enum {
    SCALE_NUMBER_MAX = 1000000000
};

static bool read_number(const char *text, const char **ret_end, uint64_t *ret)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long long n = strtoull(text, &end, 10);
    if (n < 1 || n > SCALE_NUMBER_MAX)
        return false;
    *ret_end = end;
    *ret = n;
    return true;
}

bool scale_read(const char *text, struct scale *ret)
{
    struct scale s = {.down = 1};
    if (!read_number(text, &text, &s.up))
        return false;
    if (*text == '/' && !read_number(text + 1, &text, &s.down))
        return false;
    if (*text != 0 || s.up > s.down)
        return false;
    *ret = s;
    return true;
}

uint64_t scale_round(struct scale s, uint64_t count)
{
    invariant(count <= UINT32_MAX);
    return (count * s.up + s.down / 2) / s.down;
}

uint64_t scale_round_up(struct scale s, uint64_t count)
{
    invariant(count <= UINT32_MAX);
    return (count * s.up + s.down - 1) / s.down;
}

void scale_share(const uint64_t *counts, size_t n, uint64_t total, uint64_t *ret)
{
    uint64_t sum = 0, left = total, remainders[SCALE_PARTS_MAX] = {0};
    invariant(n <= SCALE_PARTS_MAX && total <= UINT32_MAX);
    for (size_t i = 0; i < n; i++)
        sum += counts[i];
    invariant(sum <= UINT32_MAX && (sum > 0 || total == 0));
    for (size_t i = 0; i < n; i++) {
        ret[i] = sum > 0 ? counts[i] * total / sum : 0;
        remainders[i] = sum > 0 ? counts[i] * total % sum : 0;
        left -= ret[i];
    }
    /* The remainders add up to left * sum and each is below sum: there are more of them than are
     * needed. */
    for (; left > 0; left--) {
        size_t largest = 0;
        for (size_t i = 1; i < n; i++)
            if (remainders[i] > remainders[largest])
                largest = i;
        ret[largest]++;
        remainders[largest] = 0;
    }
}
