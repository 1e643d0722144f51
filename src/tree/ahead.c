#include "tree/ahead.h"

#include "base/prefetch.h"
#include "tree/table.h"
#include "tree/tree_internal.h"

enum {
    CACHE_LINE_BYTES = 64
};

/* {} = none. A path as it stands at the beginning of a record: int length, bytes. */
static struct slice path_of(struct slice record)
{
    if (record.len < 5 || record.ptr[4] != '/')
        return (struct slice){0};
    uint32_t len = load_be32(record.ptr);
    return len <= record.len - 4 ? slice_of(record.ptr + 4, len) : (struct slice){0};
}

void tree_ahead_add(struct tree_ahead *a, const struct tree *t, struct slice record)
{
    struct slice path = path_of(record);
    if (path.len <= 1 || a->count == TREE_AHEAD_MAX)
        return;
    uint32_t hash = tree_path_hash(t, path);
    prefetch(table_bucket(&t->table, hash));
    a->hashes[a->count++] = hash;
}

/* The first whose entry looks like it; its memory is not touched. */
static const struct znode *likely_node(const struct tree *t, uint32_t hash)
{
    const struct table_line *line = table_bucket(&t->table, hash);
    for (uint32_t i = 0; i < TABLE_LINE_ENTRIES && line->entries[i] != 0; i++) {
        if (line->entries[i] >> 48 == hash >> 16)
            return table_entry_node(line->entries[i]);
    }
    return NULL;
}

void tree_ahead_run(const struct tree_ahead *a, const struct tree *t)
{
    const struct znode *nodes[TREE_AHEAD_MAX];
    for (size_t i = 0; i < a->count; i++) {
        nodes[i] = likely_node(t, a->hashes[i]);
        if (nodes[i] == NULL)
            continue;
        for (size_t at = 0; at < sizeof *nodes[i]; at += CACHE_LINE_BYTES)
            prefetch((const char *)nodes[i] + at);
    }
    for (size_t i = 0; i < a->count; i++) {
        if (nodes[i] != NULL && nodes[i]->data != NULL)
            prefetch(nodes[i]->data);
    }
}
