#include "recipes/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void place_prefix(const uint8_t chance[PLACE_CHANCE_BYTES], const char *label,
                  char ret[PLACE_PREFIX_BYTES])
{
    uint8_t b[PLACE_CHANCE_BYTES];
    memcpy(b, chance, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4: by chance */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(ret, PLACE_PREFIX_BYTES,
             "_c_%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x-%s", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15], label);
}

void place_plain(const uint8_t chance[PLACE_CHANCE_BYTES], char ret[PLACE_PREFIX_BYTES])
{
    for (size_t i = 0; i < PLACE_CHANCE_BYTES; i++)
        snprintf(ret + 2 * i, PLACE_PREFIX_BYTES - 2 * i, "%02x", chance[i]);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t bytes = strlen(end);
    return len >= bytes && memcmp(text + len - bytes, end, bytes) == 0;
}

/* Where a label may end. */
static bool is_label_end(const char *name, size_t len)
{
    return ends_with(name, len, "-") || ends_with(name, len, "__");
}

/* Ten digits behind the label; or, negative, a dash and nine or ten ("%010d" counts the sign).
 * Returns the label's length, 0: it is none. */
static size_t split(const char *name, int32_t *ret)
{
    size_t len = strlen(name), at = len;
    while (at > 0 && is_digit(name[at - 1]))
        at--;
    size_t digits = len - at;
    bool is_negative = at > 0 && name[at - 1] == '-' && is_label_end(name, at - 1);
    size_t label = is_negative ? at - 1 : at;
    if (!is_label_end(name, label) || digits > 10 || digits < (is_negative ? 9 : 10))
        return 0;
    long long number = strtoll(name + at, NULL, 10);
    if (is_negative)
        number = -number;
    if (number < INT32_MIN || number > INT32_MAX)
        return 0;
    *ret = (int32_t)number;
    return label;
}

bool place_sequence(const char *name, int32_t *ret)
{
    return split(name, ret) > 0;
}

bool place_is_shared(const char *name)
{
    int32_t ignored;
    size_t label = split(name, &ignored);
    return ends_with(name, label, "__READ__") || ends_with(name, label, "__rlock__");
}

static uint32_t distance(int32_t from, int32_t to)
{
    return (uint32_t)to - (uint32_t)from;
}

bool place_is_before(int32_t a, int32_t b)
{
    return a != b && distance(a, b) <= INT32_MAX;
}

const char *place_find(const char *const *names, size_t count, const char *prefix)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(names[i], prefix, strlen(prefix)) == 0)
            return names[i];
    return NULL;
}

static const char *nearest_ahead(const char *const *names, size_t count, const char *own,
                                 bool counts_shared)
{
    const char *nearest = NULL;
    uint32_t least = UINT32_MAX;
    int32_t own_sequence, sequence;
    if (!place_sequence(own, &own_sequence))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (!place_sequence(names[i], &sequence) || !place_is_before(sequence, own_sequence))
            continue;
        if (!counts_shared && place_is_shared(names[i]))
            continue;
        if (distance(sequence, own_sequence) < least) {
            least = distance(sequence, own_sequence);
            nearest = names[i];
        }
    }
    return nearest;
}

const char *place_ahead(const char *const *names, size_t count, const char *own)
{
    return nearest_ahead(names, count, own, true);
}

const char *place_ahead_unshared(const char *const *names, size_t count, const char *own)
{
    return nearest_ahead(names, count, own, false);
}

size_t place_rank(const char *const *names, size_t count, const char *own)
{
    size_t rank = 0;
    int32_t own_sequence = 0, sequence;
    place_sequence(own, &own_sequence);
    for (size_t i = 0; i < count; i++)
        rank += place_sequence(names[i], &sequence) && place_is_before(sequence, own_sequence);
    return rank;
}

static int compare(const void *a, const void *b)
{
    int32_t x = 0, y = 0;
    bool x_is = place_sequence(*(const char *const *)a, &x);
    bool y_is = place_sequence(*(const char *const *)b, &y);
    if (x_is != y_is)
        return x_is ? -1 : 1;
    if (!x_is || x == y)
        return 0;
    return place_is_before(x, y) ? -1 : 1;
}

size_t place_sort(const char **names, size_t count)
{
    qsort(names, count, sizeof(*names), compare);
    size_t places = 0;
    int32_t ignored;
    while (places < count && place_sequence(names[places], &ignored))
        places++;
    return places;
}
