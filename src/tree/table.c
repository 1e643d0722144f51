/* table.c: the one hash table over all znodes.
 *
 * Linear hashing: one bucket is split every few insertions, so the work is spread evenly and there
 * is never a rehash of a million nodes at once. Segments double and never move; a new one is zero
 * pages that the system hands out as they are touched. It does not shrink: a tree that was large
 * tends to become so again.
 *
 * A bucket is one cache line of seven entries, and more lines behind it in the rare case. An entry
 * is the address of a node (48 bits) and the upper half of its hash (16 bits). So a lookup touches
 * the line and the node it looks for, hardly ever a stranger; and a split of a table of more than
 * 2^16 buckets touches lines only. With four nodes per bucket that is 17 bytes for each node. */
#include "tree/table.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    NODES_PER_BUCKET = 4
};

static uint32_t log2_floor(uint64_t v)
{
    return 63 - (uint32_t)__builtin_clzll(v);
}

static uint64_t segment_buckets(uint32_t segment)
{
    return segment == 0 ? TABLE_BUCKETS_FIRST : (uint64_t)TABLE_BUCKETS_FIRST << (segment - 1);
}

static uint32_t segment_of(uint64_t bucket)
{
    return bucket < TABLE_BUCKETS_FIRST ? 0 : log2_floor(bucket / TABLE_BUCKETS_FIRST) + 1;
}

static struct table_line *line_at(const struct table *tb, uint64_t bucket)
{
    uint32_t segment = segment_of(bucket);
    return &tb->segments[segment][segment == 0 ? bucket : bucket - segment_buckets(segment)];
}

static void segment_add(struct table *tb, uint32_t segment)
{
    /* calloc, because its zero pages cost nothing until touched; aligned by hand. */
    size_t bytes = (segment_buckets(segment) + 1) * sizeof(struct table_line);
    char *memory = mem_calloc(1, bytes);
    size_t skip = -(uintptr_t)memory % sizeof(struct table_line);
    tb->memory[segment] = memory;
    tb->segments[segment] = (struct table_line *)(void *)(memory + skip);
}

void table_init(struct table *tb, struct slab *slab)
{
    *tb = (struct table){
        .slab = slab,
        .bucket_count = TABLE_BUCKETS_FIRST,
        .level_buckets = TABLE_BUCKETS_FIRST,
    };
    segment_add(tb, 0);
}

void table_deinit(struct table *tb)
{
    for (uint64_t bucket = 0; bucket < tb->bucket_count; bucket++) {
        struct table_line *next = line_at(tb, bucket)->next;
        while (next != NULL) {
            struct table_line *line = next;
            next = line->next;
            slab_free(tb->slab, line, sizeof *line);
        }
    }
    for (uint32_t i = 0; i < TABLE_SEGMENTS_MAX; i++)
        free(tb->memory[i]);
    *tb = (struct table){0};
}

struct table_line *table_bucket(const struct table *tb, uint32_t hash)
{
    uint64_t bucket = hash & (2 * tb->level_buckets - 1);
    if (bucket >= tb->bucket_count)
        bucket = hash & (tb->level_buckets - 1);
    return line_at(tb, bucket);
}

static uint32_t line_count(const struct table_line *line)
{
    uint32_t count = 0;
    while (count < TABLE_LINE_ENTRIES && line->entries[count] != 0)
        count++;
    return count;
}

static void bucket_add(struct table *tb, struct table_line *line, uint64_t entry)
{
    while (line->next != NULL)
        line = line->next;
    uint32_t count = line_count(line);
    if (count == TABLE_LINE_ENTRIES) {
        line->next = slab_alloc(tb->slab, sizeof *line);
        line = line->next;
        *line = (struct table_line){.next = NULL};
        count = 0;
    }
    line->entries[count] = entry;
}

/* Takes the last entry off a bucket that has one; a line that gets empty behind the first is freed.
 */
static uint64_t bucket_pop(struct table *tb, struct table_line *line)
{
    struct table_line *before = NULL;
    for (; line->next != NULL; line = line->next)
        before = line;
    uint32_t last = line_count(line) - 1;
    uint64_t entry = line->entries[last];
    line->entries[last] = 0;
    if (last == 0 && before != NULL) {
        before->next = NULL;
        slab_free(tb->slab, line, sizeof *line);
    }
    return entry;
}

/* Bit `bit` of the entry's hash: from the tag if it is there, else from the node. */
static bool hash_bit(uint64_t entry, uint32_t bit)
{
    uint32_t hash = bit >= 16 ? (uint32_t)(entry >> 48) << 16 : table_entry_node(entry)->hash;
    return (hash >> bit & 1) != 0;
}

/* Adds the bucket behind the last and moves over what belongs there. */
static void split_one(struct table *tb)
{
    uint64_t fresh = tb->bucket_count;
    uint32_t segment = segment_of(fresh);
    if (segment >= TABLE_SEGMENTS_MAX)
        return; /* as many buckets as there are hashes */
    if (tb->segments[segment] == NULL)
        segment_add(tb, segment);

    struct table_line *to = line_at(tb, fresh);
    struct table_line *from = line_at(tb, fresh - tb->level_buckets);
    uint32_t bit = log2_floor(tb->level_buckets);
    struct table_line old = *from;
    *from = (struct table_line){.next = NULL};
    for (struct table_line *line = &old; line != NULL;) {
        for (uint32_t i = 0; i < TABLE_LINE_ENTRIES && line->entries[i] != 0; i++)
            bucket_add(tb, hash_bit(line->entries[i], bit) ? to : from, line->entries[i]);
        struct table_line *done = line;
        line = line->next;
        if (done != &old)
            slab_free(tb->slab, done, sizeof *done);
    }

    tb->bucket_count++;
    if (tb->bucket_count == 2 * tb->level_buckets)
        tb->level_buckets *= 2;
}

void table_insert(struct table *tb, struct znode *n)
{
    bucket_add(tb, table_bucket(tb, n->hash), table_entry(n));
    tb->count++;
    if (tb->count > NODES_PER_BUCKET * tb->bucket_count)
        split_one(tb);
}

void table_remove(struct table *tb, struct znode *n)
{
    struct table_line *line = table_bucket(tb, n->hash);
    uint64_t entry = table_entry(n);
    uint64_t last = bucket_pop(tb, line);
    tb->count--;
    if (last == entry)
        return;

    /* The last one fills the gap. */
    for (; line != NULL; line = line->next) {
        for (uint32_t i = 0; i < TABLE_LINE_ENTRIES; i++) {
            if (line->entries[i] == entry) {
                line->entries[i] = last;
                return;
            }
        }
    }
    bool znode_is_in_its_bucket = false;
    invariant(znode_is_in_its_bucket);
}

size_t table_bytes(const struct table *tb)
{
    return tb->bucket_count * sizeof(struct table_line);
}
