#include "recipes/cache_tree.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* ---- Values ---- */

struct held_node {
    struct caucus_cache_node node; /* first */
    atomic_size_t holders;
    size_t bytes;
    char text[]; /* the path and a zero, the data and a zero */
};

static struct held_node *held_of(const struct caucus_cache_node *node)
{
    return (struct held_node *)(uintptr_t)node;
}

const struct caucus_cache_node *cache_node_new(const char *path, const void *data,
                                               size_t data_bytes, const struct caucus_stat *stat)
{
    size_t path_bytes = strlen(path) + 1;
    size_t bytes = sizeof(struct held_node) + path_bytes + data_bytes + 1;
    struct held_node *h = mem_alloc(bytes);
    atomic_init(&h->holders, 1);
    h->bytes = bytes;
    memcpy(h->text, path, path_bytes);
    char *copy = h->text + path_bytes;
    if (data_bytes > 0)
        memcpy(copy, data, data_bytes);
    copy[data_bytes] = '\0';
    h->node = (struct caucus_cache_node){.path = h->text,
                                         .name = strrchr(h->text, '/') + 1,
                                         .data = data != NULL ? copy : NULL,
                                         .data_bytes = data_bytes,
                                         .stat = *stat};
    return &h->node;
}

size_t cache_node_bytes(const struct caucus_cache_node *node)
{
    return node != NULL ? held_of(node)->bytes : 0;
}

const struct caucus_cache_node *caucus_cache_node_hold(const struct caucus_cache_node *node)
{
    atomic_fetch_add(&held_of(node)->holders, 1);
    return node;
}

void caucus_cache_node_free(const struct caucus_cache_node *node)
{
    if (node != NULL && atomic_fetch_sub(&held_of(node)->holders, 1) == 1)
        free(held_of(node));
}

/* ---- Entries ---- */

static size_t entry_bytes(const struct cache_entry *e)
{
    return sizeof(*e) + e->path_len + 1;
}

static bool has_path(const struct cache_entry *e, const char *path, size_t len)
{
    return e->path_len == len && memcmp(e->path, path, len) == 0;
}

static struct cache_entry *find(const struct cache_tree *t, const char *path, size_t len)
{
    struct cache_entry *e = map_get(&t->by_hash, hash_bytes(path, len, t->seed));
    while (e != NULL && !has_path(e, path, len))
        e = e->collides;
    return e;
}

/* Only the root's path may be "/". */
static struct cache_entry *entry_new(struct caucus_cache *cache, struct cache_entry *parent,
                                     const char *name)
{
    size_t above = parent == NULL || parent->path_len == 1 ? 0 : parent->path_len;
    size_t name_len = strlen(name);
    size_t len = parent == NULL ? name_len : above + 1 + name_len;
    struct cache_entry *e = mem_calloc(1, sizeof(*e) + len + 1);
    e->cache = cache;
    e->parent = parent;
    e->depth = parent != NULL ? parent->depth + 1 : 0;
    e->path_len = len;
    if (parent != NULL) {
        memcpy(e->path, parent->path, above);
        e->path[above] = '/';
    }
    memcpy(e->path + len - name_len, name, name_len);
    list_init(&e->children);
    list_init(&e->siblings);
    list_init(&e->queue);
    return e;
}

static void put_in(struct cache_tree *t, struct cache_entry *e)
{
    e->hash = hash_bytes(e->path, e->path_len, t->seed);
    pthread_mutex_lock(&t->lock);
    e->collides = map_put(&t->by_hash, e->hash, e);
    if (e->parent != NULL)
        list_append(&e->parent->children, &e->siblings);
    t->bytes += entry_bytes(e);
    pthread_mutex_unlock(&t->lock);
}

/* lock is held. */
static void forget_hash(struct cache_tree *t, struct cache_entry *e)
{
    struct cache_entry *first = map_get(&t->by_hash, e->hash);
    if (first == e && e->collides == NULL) {
        map_remove(&t->by_hash, e->hash);
    } else if (first == e) {
        map_put(&t->by_hash, e->hash, e->collides);
    } else {
        while (first->collides != e)
            first = first->collides;
        first->collides = e->collides;
    }
}

void cache_tree_take_out(struct cache_tree *t, struct cache_entry *e)
{
    pthread_mutex_lock(&t->lock);
    forget_hash(t, e);
    list_remove(&e->siblings);
    t->bytes -= entry_bytes(e);
    pthread_mutex_unlock(&t->lock);
    e->is_gone = true;
    list_remove(&e->queue);
    cache_entry_free_if_unused(e);
}

void cache_entry_free_if_unused(struct cache_entry *e)
{
    if (e->is_gone && e->users == 0)
        free(e);
}

struct cache_entry *cache_tree_find(const struct cache_tree *t, const char *path)
{
    return find(t, path, strlen(path));
}

struct cache_entry *cache_tree_child(struct cache_tree *t, struct cache_entry *parent,
                                     const char *name, bool makes)
{
    if (name[0] == '\0' || strchr(name, '/') != NULL || parent->depth == t->depth_max)
        return NULL;
    struct cache_entry *e = entry_new(parent->cache, parent, name);
    struct cache_entry *known = find(t, e->path, e->path_len);
    if (known != NULL || !makes) {
        free(e);
        return known;
    }
    put_in(t, e);
    return e;
}

struct cache_entry *cache_tree_reach(struct cache_tree *t, const char *path)
{
    struct cache_entry *e = cache_tree_find(t, path);
    const char *slash = strrchr(path, '/');
    if (e != NULL || slash == NULL)
        return e;
    size_t parent_len = slash == path ? 1 : (size_t)(slash - path);
    struct cache_entry *parent = find(t, path, parent_len);
    return parent != NULL ? cache_tree_child(t, parent, slash + 1, true) : NULL;
}

const struct caucus_cache_node *cache_tree_set(struct cache_tree *t, struct cache_entry *e,
                                               const struct caucus_cache_node *value)
{
    const struct caucus_cache_node *before = e->value;
    pthread_mutex_lock(&t->lock);
    e->value = value;
    t->bytes += cache_node_bytes(value);
    t->bytes -= cache_node_bytes(before);
    pthread_mutex_unlock(&t->lock);
    return before;
}

/* ---- Order ---- */

#define sibling_entry(node) list_entry(node, struct cache_entry, siblings)

struct cache_entry *cache_tree_deepest(struct cache_entry *e)
{
    while (!list_is_empty(&e->children))
        e = sibling_entry(e->children.next);
    return e;
}

struct cache_entry *cache_tree_after(struct cache_entry *e, const struct cache_entry *top)
{
    if (e == top)
        return NULL;
    if (e->siblings.next == &e->parent->children)
        return e->parent;
    return cache_tree_deepest(sibling_entry(e->siblings.next));
}

/* ---- The tree ---- */

void cache_tree_init(struct cache_tree *t, struct caucus_cache *cache, const char *path,
                     unsigned depth_max)
{
    t->depth_max = depth_max;
    pthread_mutex_init(&t->lock, NULL);
    t->bytes = 0;
    t->seed = (uint64_t)caucus_now_ns();
    map_init(&t->by_hash, t->seed);
    t->root = entry_new(cache, NULL, path);
    put_in(t, t->root);
}

void cache_tree_deinit(struct cache_tree *t)
{
    struct cache_entry *next;
    for (struct cache_entry *e = cache_tree_deepest(t->root); e != NULL; e = next) {
        next = cache_tree_after(e, t->root);
        caucus_cache_node_free(e->value);
        free(e);
    }
    map_deinit(&t->by_hash);
    pthread_mutex_destroy(&t->lock);
}
