/* watch_internal.h: how watches are stored, shared by the files of watch/ only.
 *
 * An entry is one watcher at one path, with a bit for each way it watches. It stands in two lists:
 * that of its path, in order of registration, and that of its watcher. Entries, paths and watchers
 * are elements of three arrays and name each other by index: 24 bytes per entry instead of 48 with
 * pointers, and the arrays grow by realloc. Freed elements are reused; an array goes back to the
 * system when nothing is left in it. */
#ifndef CAUCUS_WATCH_WATCH_INTERNAL_H
#define CAUCUS_WATCH_WATCH_INTERNAL_H

#include "base/slab.h"
#include "watch/watch.h"

#define NONE UINT32_MAX

/* ZooKeeper's two tables and WatcherMode, as bits of one entry. */
enum {
    DATA_STANDARD = 1,
    DATA_PERSISTENT = 2,
    DATA_RECURSIVE = 4,
    CHILD_STANDARD = 8,
    CHILD_PERSISTENT = 16,
    DATA_TABLE = DATA_STANDARD | DATA_PERSISTENT | DATA_RECURSIVE,
    CHILD_TABLE = CHILD_STANDARD | CHILD_PERSISTENT,
};

struct entry {
    uint32_t path;
    uint32_t watcher : 27;
    uint32_t how : 5;
    uint32_t path_next, path_prev; /* path_next links free entries too */
    uint32_t watcher_next, watcher_prev;
};

struct path {
    uint8_t *bytes; /* from the slab; NULL = free */
    uint32_t len;
    uint32_t hash;
    uint32_t first, last; /* first links free paths too */
    uint32_t entry_count;
    uint32_t data_count : 30; /* entries of the data table */
    uint32_t crowded : 1;     /* its entries are in table.pairs */
    uint32_t null : 1;        /* no string, which is another path than the empty one */
};

struct watcher {
    uint64_t id;
    uint32_t first; /* links free watchers too */
    uint32_t entry_count;
    uint32_t data_count;
    bool used;
    uint64_t told_at; /* the number of the firing that last told it */
};

/* A set of indexes by hash: open addressing, the caller compares what the hash cannot tell. */
struct index_slot {
    uint32_t hash;
    uint32_t index; /* NONE = free */
};

struct index_set {
    struct index_slot *slots;
    size_t cap; /* a power of two, or 0 */
    size_t count;
};

struct pool {
    uint32_t used, cap, free; /* elements ever used, room, first free one */
};

struct watch_table {
    uint64_t seed;
    struct entry *entries;
    struct path *paths;
    struct watcher *watchers;
    struct pool entry_pool, path_pool, watcher_pool;
    struct index_set paths_by_name, watchers_by_id;
    struct index_set pairs; /* entries of crowded paths by (path, watcher) */
    struct slab names;

    uint64_t data_count, child_count; /* entries of each table */
    uint64_t data_path_count, data_watcher_count;
    uint64_t recursive_count;

    uint64_t firing; /* numbers the calls of watch_fire */
    uint64_t *told;  /* ids of the watchers to tell, in order */
    size_t told_count, told_cap;
};

/* store.c: finding, making and dropping; NONE when there is none. */
uint32_t store_path_find(const struct watch_table *w, struct slice path);
uint32_t store_path_intern(struct watch_table *w, struct slice path);
uint32_t store_watcher_find(const struct watch_table *w, uint64_t id);
uint32_t store_watcher_intern(struct watch_table *w, uint64_t id);
uint32_t store_entry_find(const struct watch_table *w, uint32_t path, uint32_t watcher);
uint32_t store_entry_add(struct watch_table *w, uint32_t path, uint32_t watcher);
/* Changes how an entry watches; how == 0 removes it, with its path and watcher if it was their
 * last. */
void store_entry_set(struct watch_table *w, uint32_t entry, uint32_t how);

/* index_set.c */
void index_set_put(struct index_set *s, uint32_t hash, uint32_t index);
void index_set_remove(struct index_set *s, uint32_t hash, uint32_t index);
void index_set_deinit(struct index_set *s);

/* The candidates with this hash, one after the other; NONE at the end. */
static inline uint32_t index_set_next(const struct index_set *s, uint32_t hash, size_t *at)
{
    for (;; *at = (*at + 1) & (s->cap - 1)) {
        struct index_slot slot = s->slots[*at];
        if (slot.index == NONE)
            return NONE;
        if (slot.hash == hash) {
            *at = (*at + 1) & (s->cap - 1);
            return slot.index;
        }
    }
}

static inline uint32_t index_set_first(const struct index_set *s, uint32_t hash, size_t *ret_at)
{
    if (s->count == 0)
        return NONE;
    *ret_at = hash & (s->cap - 1);
    return index_set_next(s, hash, ret_at);
}

static inline struct slice path_slice(const struct path *p)
{
    return slice_of(p->bytes, p->len);
}

#endif
