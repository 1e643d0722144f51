/* tree_internal.h: what the files of src/tree share about struct tree. Not for other modules. */
#ifndef CAUCUS_TREE_TREE_INTERNAL_H
#define CAUCUS_TREE_TREE_INTERNAL_H

#include "base/assert.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slab.h"
#include "tree/acl.h"
#include "tree/apply.h"
#include "tree/table.h"
#include "tree/tree.h"
#include "wire/path.h"

/* ---- ACL cache (acl.c) ---- */

struct acl_entry {
    uint8_t *bytes; /* vector<ACL> without its count; NULL = the id is free */
    uint32_t len;
    int32_t count;
    uint32_t refs;
    uint32_t next; /* in the chain of its hash, or of the free list */
    uint32_t hash;
    bool dying; /* refs was 0 at least once since the last reap: listed in `dying` */
};

struct acl_cache {
    struct acl_entry *entries; /* by id; 0 is the open list, never counted */
    uint32_t entry_count, entry_cap;
    uint32_t free_first; /* 0 = none */
    uint32_t *buckets;   /* id, 0 = empty */
    uint32_t bucket_count;
    uint32_t *dying;
    size_t dying_count, dying_cap;
    uint32_t live_count;
    size_t bytes;
    uint64_t seed;
};

void acl_cache_init(struct acl_cache *c, uint64_t seed);
void acl_cache_deinit(struct acl_cache *c);
uint32_t acl_cache_intern(struct acl_cache *c, struct rec_vec acl); /* takes a reference */
void acl_cache_retain(struct acl_cache *c, uint32_t id);
void acl_cache_release(struct acl_cache *c, uint32_t id);
/* Ids that nobody refers to become free to be used again: between two txns. */
void acl_cache_reap(struct acl_cache *c);
/* ReferenceCountedACLCache.serialize: the lists in use, by id. */
void acl_cache_put(const struct acl_cache *c, struct buf *out);

/* ---- owned nodes (ephemeral.c) ----
 * A node with an owner (ephemeral, container, TTL) has a list link in front of its cell. */

struct session_ephemerals {
    uint64_t session_id;
    struct list nodes; /* of znode_link */
    uint64_t count;
};

static inline struct list *znode_link(struct znode *n)
{
    return (struct list *)(void *)n - 1;
}

static inline struct znode *znode_of_link(struct list *link)
{
    return (struct znode *)(void *)(link + 1);
}

void ephemeral_add(struct tree *t, struct znode *n);
void ephemeral_remove(struct tree *t, struct znode *n);
struct session_ephemerals *ephemeral_session(const struct tree *t,
                                             uint64_t session_id); /* or NULL */
/* After a snapshot was loaded: each session's nodes by czxid, the order in which they were made. */
void ephemeral_sort(struct tree *t);
void ephemeral_deinit(struct tree *t);

/* ---- a snapshot in the making (snapshot_write.c) ---- */

struct snapshot_walk {
    bool active;
    uint32_t
        mark; /* of the running or last walk; even. Emitted = mark, born meanwhile = mark + 1 */
    uint32_t aborted_count; /* walks given up since the last one that ended */
    struct znode *cursor;   /* the next to visit in preorder; NULL = all visited */
    int64_t zxid;
    uint64_t digest;
    struct buf early; /* nodes emitted because they were about to change */
    struct buf path;  /* of path_parent */
    const struct znode *path_parent;
    struct znode **chain; /* scratch: ancestors still to be emitted */
    size_t chain_cap;
};

void snapshot_walk_deinit(struct snapshot_walk *w);
void snapshot_emit_before_change(struct tree *t, struct znode *n, bool is_delete);

/* ---- the tree ---- */

struct digest_state {
    uint64_t tree; /* sum of the nodes' digests */
    struct tree_digest_entry *history;
    size_t history_count;
    /* The digest that a fuzzy snapshot says the tree has at a later zxid; until then nothing is
     * compared. */
    bool expecting;
    struct tree_digest_entry expected;
};

struct tree {
    struct tree_options options;
    struct slab slab;
    struct table table;
    struct znode *root;  /* not in the table */
    struct znode *quota; /* /zookeeper/quota, NULL when absent */
    int64_t last_zxid;
    uint64_t data_bytes; /* approximate_data_size */
    struct digest_state digest;
    struct acl_cache acls;
    struct map sessions; /* id to struct session_ephemerals */
    uint64_t ephemeral_count;
    struct list reapables; /* containers and TTL nodes */
    struct snapshot_walk walk;
    struct buf scratch; /* a path, within one function */
    uint8_t empty_data; /* what `data` of empty, not null, data points to */
};

/* What a new node is made of. The ACL reference goes to the node. */
struct znode_init {
    struct slice name;
    struct slice data; /* copied */
    uint64_t ephemeral_owner;
    uint32_t acl_id;
    int64_t czxid, mzxid, pzxid;
    int64_t ctime_ms, mtime_ms;
    int32_t version, cversion, aversion;
};

/* Links a new last child. `path` is its full path. The parent's stat and digest are not touched;
 * the node's own digest is added. */
struct znode *tree_link(struct tree *t, struct znode *parent, const struct znode_init *init,
                        struct slice path);
/* Unlinks and frees a node without children; its ACL reference is released. */
void tree_unlink(struct tree *t, struct znode *n, struct slice path);
/* The node and all below it. */
void tree_unlink_subtree(struct tree *t, struct znode *n, struct slice path);
/* Replaces the data; stat and digest are the caller's. */
void tree_replace_data(struct tree *t, struct znode *n, struct slice data);
uint32_t tree_path_hash(const struct tree *t, struct slice path); /* begins with '/' */
/* A lookup of this child will follow soon. */
void tree_prefetch_child(const struct tree *t, const struct znode *parent, struct slice name);
/* Drops everything, the root included; an empty root takes its place (before a snapshot is loaded).
 */
void tree_clear(struct tree *t);

/* As znode_next, but not into n. */
struct znode *znode_next_skipping(const struct znode *top, const struct znode *n);

/* Could `path` be that of a node other than the root? It has a parent's path and a name that fits;
 * its characters are not looked at (that was the leader's part). */
bool path_names_child(struct slice path);

/* Called before the first byte of a node's persistent state changes. */
static inline void snapshot_before_change(struct tree *t, struct znode *n)
{
    if (t->walk.active)
        snapshot_emit_before_change(t, n, false);
}

static inline void snapshot_before_delete(struct tree *t, struct znode *n)
{
    if (t->walk.active)
        snapshot_emit_before_change(t, n, true);
}

/* ---- digest (digest.c) ---- */

void digest_add(struct tree *t, struct znode *n, struct slice path); /* of a new node */
void digest_remove(struct tree *t, struct znode *n);
void digest_update(struct tree *t, struct znode *n, struct slice path); /* after a change of data */
void digest_update_stat(struct tree *t, struct znode *n, struct slice path,
                        const struct rec_stat_persisted *before);
/* A txn was applied: history, and the two comparisons. True when something did not match. */
bool digest_after_txn(struct tree *t, int64_t zxid, const struct rec_txn_digest *digest);

/* ---- quota (quota.c) ---- */

void quota_on_create(struct tree *t, struct slice path, struct slice data, struct tree_effects *fx);
void quota_on_delete(struct tree *t, struct slice path, uint32_t data_len);
void quota_on_set_data(struct tree *t, struct slice path, int64_t bytes_diff,
                       struct tree_effects *fx);

#endif
