/* cache_tree.h: what a cache knows: entries by path, each with the node as it was read.
 *
 * An entry is there as soon as its node is heard of; its value, once it was read. Entries are the
 * event thread's, which alone changes the tree; other threads look at paths, values and children
 * under `lock`. The event thread reads without it.
 *
 * Memory: an entry that was taken out lives on while it has users (a request or a watch that will
 * still come); a value while it has holders. */
#ifndef CAUCUS_RECIPES_CACHE_TREE_H
#define CAUCUS_RECIPES_CACHE_TREE_H

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "caucus/cache.h"

/* One-shot watches, on servers that have no others. */
enum cache_watch {
    CACHE_WATCH_NONE,
    CACHE_WATCH_ASKED,
    CACHE_WATCH_SET,
};

struct cache_entry {
    struct caucus_cache *cache;
    struct cache_entry *collides; /* another entry with this hash */
    uint64_t hash;
    struct cache_entry *parent; /* NULL: the root */
    struct list children;
    struct list siblings;                  /* in the parent's children */
    const struct caucus_cache_node *value; /* NULL: not there, or not read yet */
    unsigned depth;
    bool is_gone; /* taken out of the tree */

    /* What the cache does with it (cache.c). */
    struct list queue;     /* ... of those that want something */
    unsigned users;        /* requests and watches */
    uint64_t listed_round; /* its children are known since this round */
    uint64_t read_round;   /* of the read that is in flight */
    uint64_t list_round;
    enum cache_watch data_watch;
    enum cache_watch child_watch;
    bool wants_read;
    bool wants_list;
    bool needs_data; /* the value is known to be old: asking for the stat will not do */
    bool is_reading;
    bool is_listing;
    bool owes_read; /* the round is not complete without it */
    bool owes_list;
    bool is_named; /* by the list that is looked at */

    size_t path_len;
    char path[];
};

struct cache_tree {
    pthread_mutex_t lock;
    struct cache_entry *root;
    struct map by_hash;
    uint64_t seed;
    unsigned depth_max; /* the root's is 0 */
    size_t bytes;       /* of entries and their values */
};

void cache_tree_init(struct cache_tree *t, struct caucus_cache *cache, const char *path,
                     unsigned depth_max);
void cache_tree_deinit(struct cache_tree *t);

/* NULL: it is not known. */
struct cache_entry *cache_tree_find(const struct cache_tree *t, const char *path);
/* The child of this name, made if it is not there and `makes`. NULL: there is none, that is no
 * name, or it would be too deep. */
struct cache_entry *cache_tree_child(struct cache_tree *t, struct cache_entry *parent,
                                     const char *name, bool makes);
/* The entry of the path, made if its parent is known, and not too deep; NULL. */
struct cache_entry *cache_tree_reach(struct cache_tree *t, const char *path);
/* Takes the value; returns the one before, which is the caller's. Both may be NULL. */
const struct caucus_cache_node *cache_tree_set(struct cache_tree *t, struct cache_entry *e,
                                               const struct caucus_cache_node *value);
/* Without children and value. Freed, or left to its users. */
void cache_tree_take_out(struct cache_tree *t, struct cache_entry *e);
void cache_entry_free_if_unused(struct cache_entry *e);

/* The first in the order in which children go before their parents; and what comes after. */
struct cache_entry *cache_tree_deepest(struct cache_entry *e);
struct cache_entry *cache_tree_after(struct cache_entry *e, const struct cache_entry *top);

const struct caucus_cache_node *cache_node_new(const char *path, const void *data,
                                               size_t data_bytes, const struct caucus_stat *stat);
size_t cache_node_bytes(const struct caucus_cache_node *node);

#endif
