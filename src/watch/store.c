/* store.c: entries, paths and watchers. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "watch/watch_internal.h"

enum {
    POOL_CAP_FIRST = 16,
    WATCHERS_MAX = 1 << 27, /* what entry.watcher can name */
    /* Up to here a path's list is searched; beyond, its entries are found by hash. Two numbers, so
     * that a path at the border does not go back and forth. */
    CROWD = 16,
    CROWD_NO_MORE = 8,
};

/* --- the arrays --- */

/* An index to use, and the array moved if it was full. Element i's free link is the caller's to
 * follow. */
static uint32_t pool_extend(struct pool *p, void **items, size_t item_bytes)
{
    if (p->used == p->cap) {
        invariant(p->cap < UINT32_MAX / 2);
        p->cap = p->cap ? p->cap * 2 : POOL_CAP_FIRST;
        *items = mem_realloc(*items, (size_t)p->cap * item_bytes);
    }
    return p->used++;
}

static void pool_init(struct pool *p)
{
    *p = (struct pool){.free = NONE};
}

static void pool_drop(struct pool *p, void **items)
{
    if (p->cap <= POOL_CAP_FIRST)
        return;
    free(*items);
    *items = NULL;
    pool_init(p);
}

struct watch_table *watch_create(uint64_t hash_seed)
{
    struct watch_table *w = mem_calloc(1, sizeof *w);
    w->seed = hash_seed;
    pool_init(&w->entry_pool);
    pool_init(&w->path_pool);
    pool_init(&w->watcher_pool);
    slab_init(&w->names);
    return w;
}

void watch_free(struct watch_table *w)
{
    if (w == NULL)
        return;
    for (uint32_t i = 0; i < w->path_pool.used; i++) {
        if (w->paths[i].bytes != NULL)
            slab_free(&w->names, w->paths[i].bytes, (size_t)w->paths[i].len + 1);
    }
    slab_deinit(&w->names);
    free(w->entries);
    free(w->paths);
    free(w->watchers);
    index_set_deinit(&w->paths_by_name);
    index_set_deinit(&w->watchers_by_id);
    index_set_deinit(&w->pairs);
    free(w->told);
    free(w);
}

/* --- paths --- */

static uint32_t path_hash(const struct watch_table *w, struct slice path)
{
    return (uint32_t)hash_slice(path, w->seed);
}

static bool path_is(const struct path *p, struct slice path)
{
    return slice_eq(path_slice(p), path) && p->null == slice_is_null(path);
}

static uint32_t path_find_hashed(const struct watch_table *w, struct slice path, uint32_t hash)
{
    size_t at;
    uint32_t i = index_set_first(&w->paths_by_name, hash, &at);
    while (i != NONE && !path_is(&w->paths[i], path))
        i = index_set_next(&w->paths_by_name, hash, &at);
    return i;
}

uint32_t store_path_find(const struct watch_table *w, struct slice path)
{
    if (w->paths_by_name.count == 0)
        return NONE;
    return path_find_hashed(w, path, path_hash(w, path));
}

uint32_t store_path_intern(struct watch_table *w, struct slice path)
{
    uint32_t hash = path_hash(w, path);
    uint32_t i = path_find_hashed(w, path, hash);
    if (i != NONE)
        return i;

    i = w->path_pool.free;
    if (i != NONE)
        w->path_pool.free = w->paths[i].first;
    else
        i = pool_extend(&w->path_pool, (void **)&w->paths, sizeof *w->paths);
    /* One byte at least: an empty path is nonsense, but may be asked for. */
    uint8_t *bytes = slab_alloc(&w->names, path.len + 1);
    if (path.len > 0)
        memcpy(bytes, path.ptr, path.len);
    w->paths[i] = (struct path){.bytes = bytes,
                                .len = (uint32_t)path.len,
                                .hash = hash,
                                .first = NONE,
                                .last = NONE,
                                .null = slice_is_null(path)};
    index_set_put(&w->paths_by_name, hash, i);
    return i;
}

static void path_drop(struct watch_table *w, uint32_t i)
{
    struct path *p = &w->paths[i];
    index_set_remove(&w->paths_by_name, p->hash, i);
    slab_free(&w->names, p->bytes, (size_t)p->len + 1);
    *p = (struct path){.first = w->path_pool.free};
    w->path_pool.free = i;
    if (w->paths_by_name.count == 0)
        pool_drop(&w->path_pool, (void **)&w->paths);
}

/* --- watchers --- */

static uint32_t watcher_hash(const struct watch_table *w, uint64_t id)
{
    return (uint32_t)hash_u64(id, w->seed);
}

uint32_t store_watcher_find(const struct watch_table *w, uint64_t id)
{
    uint32_t hash = watcher_hash(w, id);
    size_t at;
    uint32_t i = index_set_first(&w->watchers_by_id, hash, &at);
    while (i != NONE && w->watchers[i].id != id)
        i = index_set_next(&w->watchers_by_id, hash, &at);
    return i;
}

uint32_t store_watcher_intern(struct watch_table *w, uint64_t id)
{
    uint32_t i = store_watcher_find(w, id);
    if (i != NONE)
        return i;

    i = w->watcher_pool.free;
    if (i != NONE)
        w->watcher_pool.free = w->watchers[i].first;
    else
        i = pool_extend(&w->watcher_pool, (void **)&w->watchers, sizeof *w->watchers);
    invariant(i < WATCHERS_MAX);
    w->watchers[i] = (struct watcher){.id = id, .first = NONE, .used = true};
    index_set_put(&w->watchers_by_id, watcher_hash(w, id), i);
    return i;
}

static void watcher_drop(struct watch_table *w, uint32_t i)
{
    index_set_remove(&w->watchers_by_id, watcher_hash(w, w->watchers[i].id), i);
    w->watchers[i] = (struct watcher){.first = w->watcher_pool.free};
    w->watcher_pool.free = i;
    if (w->watchers_by_id.count == 0)
        pool_drop(&w->watcher_pool, (void **)&w->watchers);
}

/* --- entries --- */

static uint32_t pair_hash(const struct watch_table *w, uint32_t path, uint32_t watcher)
{
    return (uint32_t)hash_u64((uint64_t)path << 32 | watcher, w->seed);
}

static void crowd_path(struct watch_table *w, uint32_t path)
{
    w->paths[path].crowded = 1;
    for (uint32_t i = w->paths[path].first; i != NONE; i = w->entries[i].path_next)
        index_set_put(&w->pairs, pair_hash(w, path, w->entries[i].watcher), i);
}

static void uncrowd_path(struct watch_table *w, uint32_t path)
{
    w->paths[path].crowded = 0;
    for (uint32_t i = w->paths[path].first; i != NONE; i = w->entries[i].path_next)
        index_set_remove(&w->pairs, pair_hash(w, path, w->entries[i].watcher), i);
}

uint32_t store_entry_find(const struct watch_table *w, uint32_t path, uint32_t watcher)
{
    if (w->paths[path].crowded) {
        uint32_t hash = pair_hash(w, path, watcher);
        size_t at;
        uint32_t i = index_set_first(&w->pairs, hash, &at);
        while (i != NONE && (w->entries[i].path != path || w->entries[i].watcher != watcher))
            i = index_set_next(&w->pairs, hash, &at);
        return i;
    }
    uint32_t i = w->paths[path].first;
    while (i != NONE && w->entries[i].watcher != watcher)
        i = w->entries[i].path_next;
    return i;
}

uint32_t store_entry_add(struct watch_table *w, uint32_t path, uint32_t watcher)
{
    uint32_t i = w->entry_pool.free;
    if (i != NONE)
        w->entry_pool.free = w->entries[i].path_next;
    else
        i = pool_extend(&w->entry_pool, (void **)&w->entries, sizeof *w->entries);

    struct path *p = &w->paths[path];
    struct watcher *who = &w->watchers[watcher];
    w->entries[i] = (struct entry){
        .path = path,
        .watcher = watcher & (WATCHERS_MAX - 1),
        .path_next = NONE,
        .path_prev = p->last,
        .watcher_next = who->first,
        .watcher_prev = NONE,
    };
    if (p->last != NONE)
        w->entries[p->last].path_next = i;
    else
        p->first = i;
    p->last = i;
    p->entry_count++;

    if (who->first != NONE)
        w->entries[who->first].watcher_prev = i;
    who->first = i;
    who->entry_count++;

    if (p->crowded)
        index_set_put(&w->pairs, pair_hash(w, path, watcher), i);
    else if (p->entry_count > CROWD)
        crowd_path(w, path);
    return i;
}

static void leave_path(struct watch_table *w, uint32_t i)
{
    const struct entry *e = &w->entries[i];
    struct path *p = &w->paths[e->path];
    if (p->crowded)
        index_set_remove(&w->pairs, pair_hash(w, e->path, e->watcher), i);
    if (e->path_prev != NONE)
        w->entries[e->path_prev].path_next = e->path_next;
    else
        p->first = e->path_next;
    if (e->path_next != NONE)
        w->entries[e->path_next].path_prev = e->path_prev;
    else
        p->last = e->path_prev;
    p->entry_count--;

    if (p->crowded && p->entry_count < CROWD_NO_MORE)
        uncrowd_path(w, e->path);
    if (p->entry_count == 0)
        path_drop(w, e->path);
}

static void leave_watcher(struct watch_table *w, uint32_t i)
{
    const struct entry *e = &w->entries[i];
    struct watcher *who = &w->watchers[e->watcher];
    if (e->watcher_prev != NONE)
        w->entries[e->watcher_prev].watcher_next = e->watcher_next;
    else
        who->first = e->watcher_next;
    if (e->watcher_next != NONE)
        w->entries[e->watcher_next].watcher_prev = e->watcher_prev;
    who->entry_count--;
    if (who->entry_count == 0)
        watcher_drop(w, e->watcher);
}

static void entry_drop(struct watch_table *w, uint32_t i)
{
    leave_path(w, i);
    leave_watcher(w, i);
    w->entries[i].path_next = w->entry_pool.free;
    w->entry_pool.free = i;
    if (w->watchers_by_id.count == 0)
        pool_drop(&w->entry_pool, (void **)&w->entries);
}

/* Keeps the counts of the data table when an entry enters (+1) or leaves (-1) it. */
static void count_data(struct watch_table *w, const struct entry *e, bool enters)
{
    struct path *p = &w->paths[e->path];
    struct watcher *who = &w->watchers[e->watcher];
    if (enters) {
        w->data_count++;
        w->data_path_count += p->data_count++ == 0;
        w->data_watcher_count += who->data_count++ == 0;
    } else {
        w->data_count--;
        w->data_path_count -= --p->data_count == 0;
        w->data_watcher_count -= --who->data_count == 0;
    }
}

void store_entry_set(struct watch_table *w, uint32_t i, uint32_t how)
{
    struct entry *e = &w->entries[i];
    uint32_t before = e->how;
    if (!(before & DATA_TABLE) != !(how & DATA_TABLE))
        count_data(w, e, (how & DATA_TABLE) != 0);
    if (!(before & CHILD_TABLE) != !(how & CHILD_TABLE))
        w->child_count += (how & CHILD_TABLE) ? 1 : UINT64_MAX;
    if ((before ^ how) & DATA_RECURSIVE)
        w->recursive_count += (how & DATA_RECURSIVE) ? 1 : UINT64_MAX;

    e->how = how & (DATA_TABLE | CHILD_TABLE);
    if (how == 0)
        entry_drop(w, i);
}
