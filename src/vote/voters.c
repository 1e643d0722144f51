#include "vote/voters.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"

enum {
    VOTERS_CAP_FIRST = 64,
    BUCKET_VOTERS = 8, /* on average, when sorting */
    GUESSES_MAX = 12,  /* before the search halves */
};

void voters_deinit(struct voters *v)
{
    free(v->array);
    *v = (struct voters){0};
}

void voters_add(struct voters *v, const struct pseudonym *p, uint8_t district, uint32_t note)
{
    if (v->count == v->cap) {
        v->cap = v->cap ? v->cap + v->cap / 2 : VOTERS_CAP_FIRST;
        v->array = mem_realloc(v->array, v->cap * sizeof *v->array);
    }
    v->array[v->count++] = (struct voter){.pseudonym = *p, .last = note, .district = district};
}

static uint64_t head_of(const struct voter *v)
{
    return load_be64(v->pseudonym.bytes);
}

/* Equal ones in the order of their notes, so that of two the later is the duplicate. */
static int compare(const struct voter *a, const struct voter *b)
{
    int c = memcmp(a->pseudonym.bytes, b->pseudonym.bytes, PSEUDONYM_BYTES);
    if (c != 0)
        return c;
    return a->last < b->last ? -1 : a->last > b->last;
}

static int compare_plain(const void *a, const void *b)
{
    return compare(a, b);
}

/* Which of `buckets` a pseudonym falls into, in order: its first 64 bits as a fraction. */
static size_t bucket_of(uint64_t head, size_t buckets)
{
    return (size_t)((unsigned __int128)head * buckets >> 64);
}

/* Moves each voter into its bucket, in place: whoever lies wrong goes where he belongs, and the one
 * found there goes on (McIlroy, Bostic, McIlroy: Engineering Radix Sort, 1993). */
static void distribute(struct voter *array, size_t *next, const size_t *ends, size_t buckets)
{
    for (size_t b = 0; b < buckets; b++) {
        while (next[b] < ends[b]) {
            struct voter moving = array[next[b]];
            for (size_t to; (to = bucket_of(head_of(&moving), buckets)) != b;) {
                struct voter found = array[next[to]];
                array[next[to]++] = moving;
                moving = found;
            }
            array[next[b]++] = moving;
        }
    }
}

/* Pseudonyms are spread evenly: eight fall into a bucket, and are sorted there. A bucket that is
 * full beyond that (one voter many times) is what qsort is for. */
void voters_sort(struct voters *v)
{
    if (v->count == 0)
        return;
    size_t buckets = v->count / BUCKET_VOTERS + 1;
    size_t *ends = mem_calloc(buckets, sizeof *ends);
    size_t *next = mem_alloc(buckets * sizeof *next);
    for (size_t i = 0; i < v->count; i++)
        ends[bucket_of(head_of(&v->array[i]), buckets)]++;
    for (size_t b = 0, at = 0; b < buckets; b++) {
        next[b] = at;
        at += ends[b];
        ends[b] = at;
    }
    distribute(v->array, next, ends, buckets);
    for (size_t b = 0, at = 0; b < buckets; at = ends[b++])
        qsort(v->array + at, ends[b] - at, sizeof *v->array, compare_plain);
    free(ends);
    free(next);
}

size_t voters_duplicate(const struct voters *v, size_t from)
{
    for (size_t i = from > 0 ? from : 1; i < v->count; i++) {
        if (memcmp(&v->array[i].pseudonym, &v->array[i - 1].pseudonym, PSEUDONYM_BYTES) == 0)
            return i;
    }
    return v->count;
}

void voters_reset(struct voters *v)
{
    for (size_t i = 0; i < v->count; i++) {
        v->array[i].last = 0;
        v->array[i].candidate = 0;
        v->array[i].revision = 0;
    }
}

struct hash voters_hash(const struct voters *v)
{
    struct hash h;
    struct sha256 s;
    sha256_begin(&s);
    for (size_t i = 0; i < v->count; i++) {
        sha256_add(&s, v->array[i].pseudonym.bytes, PSEUDONYM_BYTES);
        sha256_add(&s, &v->array[i].district, 1);
    }
    sha256_end(&s, h.bytes);
    return h;
}

/* How many places lie between two pseudonyms that are so far apart, if all are spread evenly. */
static size_t places_in(const struct voters *v, uint64_t distance)
{
    return (size_t)((unsigned __int128)distance * v->count >> 64);
}

/* The place after `at` to be looked at, where `there` was found: as far on as the distance tells.
 */
static size_t guess(const struct voters *v, size_t at, uint64_t there, uint64_t head)
{
    if (head < there) {
        size_t back = places_in(v, there - head) + 1;
        return back < at ? at - back : 0;
    }
    return at + places_in(v, head - there) + 1;
}

static size_t between(size_t at, size_t low, size_t high)
{
    if (at < low)
        return low;
    return at < high ? at : high - 1;
}

int64_t voters_find(const struct voters *v, const struct pseudonym *p)
{
    uint64_t head = load_be64(p->bytes);
    size_t low = 0, high = v->count;
    size_t at = places_in(v, head);
    for (int tries = 0; low < high; tries++) {
        at = tries < GUESSES_MAX ? between(at, low, high) : low + (high - low) / 2;
        int c = memcmp(p->bytes, v->array[at].pseudonym.bytes, PSEUDONYM_BYTES);
        if (c == 0)
            return (int64_t)at;
        if (c < 0)
            high = at;
        else
            low = at + 1;
        at = guess(v, at, head_of(&v->array[at]), head);
    }
    return -1;
}
