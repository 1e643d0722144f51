/* cache_internal.h: between the machine (cache.c) and the reads it makes of single nodes
 * (cache_read.c), what users call (cache_user.c) and the tree.
 *
 * The machine, all of it on the client's event thread:
 *
 *   UNSET -> ASKED -> SET             a persistent watch; then a *round*: from the root down, all
 * is |        |       |              read, or asked whether it has changed, and lists are made | |
 * +- REARMED --> another round |        +- UNIMPLEMENTED ----> one by one: each entry has watches
 * of its own, a round is but a |                               look at the root, behind what
 * reconnecting tells the watches
 *     +-- the session is over
 *
 * Invariants:
 *  1. The watch stands before the first read that counts: what changes is told, or was read.
 *  2. An entry has at most one read and one list in flight. What comes meanwhile makes one more.
 *  3. At most CACHE_FLIGHTS_MAX requests are in flight; the others wait in the queue, which is made
 *     of the entries themselves.
 *  4. A read that was begun in an earlier round settles no debt of this one: an event that should
 *     have overtaken it may be among those that were missed.
 *  5. Entries are made below entries only; a value is put in only below a value. */
#ifndef CAUCUS_RECIPES_CACHE_INTERNAL_H
#define CAUCUS_RECIPES_CACHE_INTERNAL_H

#include "recipes/cache_tree.h"
#include "recipes/machine.h"

enum {
    CACHE_FLIGHTS_MAX = 256,
};

struct caucus_cache {
    struct machine m; /* first */
    enum caucus_cache_scope scope;
    caucus_cache_fn *on_change;
    void *context;
    size_t bytes_max;

    /* The event thread's. */
    struct cache_tree tree;
    enum cache_watch watch; /* the persistent one, on all */
    bool one_by_one;        /* the server has no persistent watches */
    bool is_up;             /* connected */
    bool in_round;          /* READY is to be told when nothing is owed */
    uint64_t round;
    size_t owed;
    size_t flights;
    struct list queue;          /* entries that want something */
    bool is_clearing;           /* closed, and the watches of entries are being removed ... */
    struct cache_entry *cursor; /* ... from this one on; NULL: all are */

    bool is_ready; /* m.lock */
};

static inline struct caucus_cache *cache_of(struct machine *m)
{
    return (struct caucus_cache *)(void *)m;
}

/* Whether the user is to know of it: of the children of a node the node is none. */
static inline bool cache_shows(const struct cache_entry *e)
{
    return e->cache->scope != CAUCUS_CACHE_CHILDREN || e->parent != NULL;
}

/* ---- cache.c ---- */

/* Stops everything for a while, and tells. */
void cache_fail(struct caucus_cache *k, const char *path, int rc);

void cache_tell_node(const struct cache_entry *e, enum caucus_cache_news news,
                     const struct caucus_cache_node *node, const struct caucus_cache_node *before);
void cache_tell_trouble(struct caucus_cache *k, const char *path, int rc);

/* `needs_data`: what is known is old. */
void cache_want_read(struct cache_entry *e, bool needs_data);
void cache_want_list(struct cache_entry *e);
/* Likewise, and READY waits for it, until it is settled by an answer. */
void cache_owe_read(struct cache_entry *e);
void cache_owe_list(struct cache_entry *e);
void cache_settle_read(struct cache_entry *e);
void cache_settle_list(struct cache_entry *e);
/* Its stat says that there are none, and none are known. */
void cache_know_childless(struct cache_entry *e);

/* The node is not there any more: its value and all below it go, and are told. The first leaves the
 * entry; the second leaves that of the root alone. */
void cache_clear(struct cache_entry *e);
void cache_remove(struct cache_entry *e);

/* ---- cache_read.c ---- */

/* Sends what the entry wants and has not in flight: at most two requests. 0, or why one of them
 * could not be sent. */
int cache_send(struct cache_entry *e);
/* Removes the one-shot watches that stand. */
void cache_unwatch(struct cache_entry *e);

#endif
