#include "vote/voters.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/prefetch.h"

enum {
    VOTERS_CAP_FIRST = 64,
    BUCKET_VOTERS = 8, /* on average, when sorting */
    INDEX_VOTERS = 32, /* likewise, between two places that the index has */
    STEPS_MAX = 16,    /* from a guess to the place, before the search halves */
    PREFETCH_BYTES = 64,
};

void voters_deinit(struct voters *v)
{
    free(v->array);
    free(v->starts);
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

static void make_index(struct voters *v)
{
    size_t buckets = v->count / INDEX_VOTERS + 1, at = 0;
    invariant(v->count <= UINT32_MAX);
    free(v->starts);
    v->buckets = buckets;
    v->starts = mem_alloc((buckets + 1) * sizeof *v->starts);
    for (size_t b = 0; b <= buckets; b++) {
        while (at < v->count && bucket_of(head_of(&v->array[at]), buckets) < b)
            at++;
        v->starts[b] = (uint32_t)at;
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
    make_index(v);
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

/* Where a pseudonym has to be, [low, high), and where most likely. */
struct span {
    size_t low, high, guess;
};

static struct span span_of(const struct voters *v, uint64_t head)
{
    unsigned __int128 scaled = (unsigned __int128)head * v->buckets;
    size_t bucket = (size_t)(scaled >> 64);
    struct span s = {.low = v->starts[bucket], .high = v->starts[bucket + 1]};
    s.guess = s.low + (size_t)((unsigned __int128)(uint64_t)scaled * (s.high - s.low) >> 64);
    return s;
}

static int compare_to(const struct pseudonym *p, uint64_t head, const struct voter *v)
{
    uint64_t there = head_of(v);
    if (head != there)
        return head < there ? -1 : 1;
    return memcmp(p->bytes, v->pseudonym.bytes, PSEUDONYM_BYTES);
}

/* From the guess place by place, as the next one is at hand; a bucket that is full beyond all
 * chance is halved. */
int64_t voters_find(const struct voters *v, const struct pseudonym *p)
{
    if (v->starts == NULL)
        return -1;
    uint64_t head = load_be64(p->bytes);
    struct span s = span_of(v, head);
    size_t at = s.guess;
    for (int steps = 0; s.low < s.high; steps++) {
        int c = compare_to(p, head, &v->array[at]);
        if (c == 0)
            return (int64_t)at;
        if (c < 0)
            s.high = at;
        else
            s.low = at + 1;
        if (steps >= STEPS_MAX)
            at = s.low + (s.high - s.low) / 2;
        else
            at = c < 0 ? at - 1 : at + 1;
    }
    return -1;
}

void voters_prefetch_index(const struct voters *v, const struct pseudonym *p)
{
    if (v->starts != NULL)
        prefetch(&v->starts[bucket_of(load_be64(p->bytes), v->buckets)]);
}

/* Of 32 voters one is two or three places from where he is guessed to be: most often on the line
 * beside it. */
void voters_prefetch(const struct voters *v, const struct pseudonym *p)
{
    if (v->starts == NULL)
        return;
    uintptr_t place = (uintptr_t)&v->array[span_of(v, load_be64(p->bytes)).guess];
    prefetch((const void *)(place - PREFETCH_BYTES));
    prefetch((const void *)place);
    prefetch((const void *)(place + PREFETCH_BYTES));
}
