/* table.c: the one hash table over all znodes.
 *
 * Linear hashing: one bucket is split per insertion, so the work is spread evenly and there is
 * never a rehash of a million nodes at once. Segments double and never move; a new one is zero
 * pages that the system hands out as they are touched. It does not shrink: a tree that was large
 * tends to become so again. */
#include <stdlib.h>

#include "base/mem.h"
#include "tree/tree_internal.h"

static uint32_t log2_floor(uint64_t v)
{
    return 63 - (uint32_t)__builtin_clzll(v);
}

static uint64_t segment_buckets(uint32_t segment)
{
    return segment == 0 ? TABLE_BUCKETS_FIRST : (uint64_t)TABLE_BUCKETS_FIRST << (segment - 1);
}

static struct znode **bucket_at(const struct table *tb, uint64_t bucket)
{
    if (bucket < TABLE_BUCKETS_FIRST)
        return &tb->segments[0][bucket];
    uint32_t segment = log2_floor(bucket / TABLE_BUCKETS_FIRST) + 1;
    return &tb->segments[segment][bucket - segment_buckets(segment)];
}

static void segment_add(struct table *tb, uint32_t segment)
{
    size_t buckets = segment_buckets(segment);
    tb->segments[segment] = mem_calloc(buckets, sizeof(struct znode *));
    tb->bytes += buckets * sizeof(struct znode *);
}

void table_init(struct table *tb)
{
    *tb = (struct table){
        .bucket_count = TABLE_BUCKETS_FIRST,
        .level_buckets = TABLE_BUCKETS_FIRST,
    };
    segment_add(tb, 0);
}

void table_deinit(struct table *tb)
{
    for (uint32_t i = 0; i < TABLE_SEGMENTS_MAX; i++)
        free(tb->segments[i]);
    *tb = (struct table){0};
}

struct znode **table_bucket(const struct table *tb, uint32_t hash)
{
    uint64_t bucket = hash & (2 * tb->level_buckets - 1);
    if (bucket >= tb->bucket_count)
        bucket = hash & (tb->level_buckets - 1);
    return bucket_at(tb, bucket);
}

/* Adds the bucket behind the last and moves over what belongs there. */
static void split_one(struct table *tb)
{
    uint64_t fresh = tb->bucket_count;
    uint32_t segment = log2_floor(fresh / TABLE_BUCKETS_FIRST) + 1;
    if (segment >= TABLE_SEGMENTS_MAX)
        return; /* as many buckets as there are hashes */
    if (tb->segments[segment] == NULL)
        segment_add(tb, segment);

    struct znode **to = bucket_at(tb, fresh);
    struct znode **at = bucket_at(tb, fresh - tb->level_buckets);
    while (*at != NULL) {
        struct znode *n = *at;
        if ((n->hash & tb->level_buckets) != 0) {
            *at = n->hash_next;
            n->hash_next = *to;
            *to = n;
        } else {
            at = &n->hash_next;
        }
    }

    tb->bucket_count++;
    if (tb->bucket_count == 2 * tb->level_buckets)
        tb->level_buckets *= 2;
}

void table_insert(struct table *tb, struct znode *n)
{
    struct znode **bucket = table_bucket(tb, n->hash);
    n->hash_next = *bucket;
    *bucket = n;
    tb->count++;
    if (tb->count > tb->bucket_count)
        split_one(tb);
}

void table_remove(struct table *tb, struct znode *n)
{
    struct znode **at = table_bucket(tb, n->hash);
    while (*at != n) {
        invariant(*at != NULL);
        at = &(*at)->hash_next;
    }
    *at = n->hash_next;
    tb->count--;
}
