/* table.h: all znodes but the root, by the hash of their path. Private to src/tree.
 *
 * Knows nodes by address and hash only: whoever looks something up compares names. Borrows a slab
 * for the lines of full buckets. */
#ifndef CAUCUS_TREE_TABLE_H
#define CAUCUS_TREE_TABLE_H

#include "base/assert.h"
#include "base/slab.h"
#include "tree/tree.h"

enum {
    TABLE_LINE_ENTRIES = 7,
    TABLE_BUCKETS_FIRST = 16,
    TABLE_SEGMENTS_MAX = 29, /* 16 << 28 buckets: as many as there are hashes */
};

/* Entries stand without gaps from the first on, 0 is none. Only a full line has a next one. */
struct table_line {
    uint64_t entries[TABLE_LINE_ENTRIES];
    struct table_line *next;
};

struct table {
    struct table_line
        *segments[TABLE_SEGMENTS_MAX]; /* the i-th (i > 0) has 16 << (i - 1) buckets */
    void *memory[TABLE_SEGMENTS_MAX];  /* what was allocated for them */
    struct slab *slab;
    uint64_t bucket_count;
    uint64_t level_buckets; /* the power of two <= bucket_count; splits go from 0 up to it */
    uint64_t count;
};

void table_init(struct table *tb, struct slab *slab);
void table_deinit(struct table *tb);
void table_insert(struct table *tb,
                  struct znode *n); /* n->hash is set; duplicates are the caller's */
void table_remove(struct table *tb, struct znode *n); /* must be there */
size_t table_bytes(const struct table *tb);           /* without what the slab holds */
struct table_line *table_bucket(const struct table *tb, uint32_t hash);

static inline uint64_t table_entry(const struct znode *n)
{
    uint64_t address = (uintptr_t)n;
    invariant(address >> 48 == 0); /* so on x86-64 and aarch64 for all addresses of programs */
    return (uint64_t)(n->hash >> 16) << 48 | address;
}

static inline struct znode *table_entry_node(uint64_t entry)
{
    return (struct znode *)(uintptr_t)(entry & 0xffffffffffff);
}

/* Goes through the nodes that probably have `hash`. */
struct table_probe {
    const struct table_line *line;
    uint32_t at;
    uint32_t hash;
};

static inline struct table_probe table_probe(const struct table *tb, uint32_t hash)
{
    return (struct table_probe){.line = table_bucket(tb, hash), .hash = hash};
}

/* NULL when there is none left. */
static inline struct znode *table_probe_next(struct table_probe *p)
{
    while (p->line != NULL) {
        while (p->at < TABLE_LINE_ENTRIES) {
            uint64_t entry = p->line->entries[p->at++];
            if (entry == 0)
                return NULL;
            if (entry >> 48 == p->hash >> 16 && table_entry_node(entry)->hash == p->hash)
                return table_entry_node(entry);
        }
        p->line = p->line->next;
        p->at = 0;
    }
    return NULL;
}

#endif
