/* tree.h: the znode tree, the committed state of one replica.
 *
 * Holds znodes with their Stat, data and ACL, the ephemerals of each session, quotas and the tree
 * digest (ZooKeeper's DataTree, DataNode, NodeHashMapImpl, ReferenceCountedACLCache). It changes
 * only by tree_apply (apply.h) and while a snapshot is loaded (snapshot.h). Pure: no clock, no
 * I/O. One owner thread, the core.
 *
 * Memory: everything a lookup returns is borrowed and valid until the next change. A znode is one
 * slab cell (name inline) plus one for its data: 240 bytes for a name of 12 and data of 100, and
 * about 17 in the table.
 *
 * Lookup: one table over all znodes, keyed by a hash chain over the path's components (table.c). */
#ifndef CAUCUS_TREE_TREE_H
#define CAUCUS_TREE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "wire/records.h"

enum {
    /* The longest component a path can have here. ZooKeeper's only limit is jute.maxbuffer (1 MiB).
     */
    ZNODE_NAME_BYTES_MAX = (1 << 22) - 1,
};

struct znode {
    struct znode *parent;       /* NULL for the root */
    struct znode *child_first;  /* oldest first: the order of creation in this process */
    struct znode *sibling_next; /* NULL for the last */
    struct znode *sibling_prev; /* of the first: the last */
    uint8_t *data;              /* NULL = null data; not NULL with data_len 0 = empty data */
    int64_t czxid, mzxid, pzxid;
    int64_t ctime_ms, mtime_ms; /* wall clock of the leader, from the txn */
    uint64_t ephemeral_owner;   /* session id, 0, or an encoded container / TTL (znode_kind) */
    int32_t version;
    int32_t cversion; /* persisted form: counts creates only (facts A.0 item 3) */
    int32_t aversion;
    uint32_t child_count;
    uint32_t data_len;
    uint32_t acl_id;             /* into the ACL cache; tree_acl_get */
    uint32_t hash;               /* of the path: a chain over its components */
    uint32_t digest;             /* this node's part of the tree digest, 0 under /zookeeper/ */
    uint32_t name_len : 22;      /* last component only; the root has 0 */
    uint32_t snapshot_mark : 10; /* see snapshot_write.c */
    char name[];                 /* not terminated */
};

enum znode_kind {
    ZNODE_PERSISTENT,
    ZNODE_EPHEMERAL,
    ZNODE_CONTAINER,
    ZNODE_TTL
};

struct tree;

struct tree_options {
    uint64_t hash_seed;
    bool digest_enabled;         /* zookeeper.digest.enabled, default true */
    bool extended_types_enabled; /* zookeeper.extendedTypesEnabled: TTL znodes */
    bool emulate_353_ttl;        /* zookeeper.emulate353TTLNodes */
};

/* A tree as a fresh ZooKeeper has it: /, /zookeeper, /zookeeper/quota, /zookeeper/config. */
struct tree *tree_create(const struct tree_options *options);
/* An empty one with the options of another. */
struct tree *tree_create_like(const struct tree *t);
void tree_free(struct tree *t);

/* NULL when absent or when the path is not even shaped like one. "" is the root, as in ZooKeeper,
 * whose table holds the root under both names: the parent of "/a" is "". */
struct znode *tree_find(const struct tree *t, struct slice path);
struct znode *tree_find_child(const struct tree *t, const struct znode *parent, struct slice name);
/* The next node in preorder below `top`; NULL behind the last one. */
struct znode *znode_next(const struct znode *top, const struct znode *n);

/* Full path of a node, appended to `out` ("/" for the root). */
void znode_path(const struct znode *n, struct buf *out);

/* Stat as a client sees it: cversion' = 2*cversion - children, container and TTL owners as 0. */
void znode_stat(const struct tree *t, const struct znode *n, struct rec_stat *ret_stat);

enum znode_kind znode_kind_of(const struct tree *t, uint64_t ephemeral_owner);
int64_t znode_ttl_ms(const struct tree *t, uint64_t ephemeral_owner); /* of a TTL owner */

static inline struct slice znode_name(const struct znode *n)
{
    return slice_of(n->name, n->name_len);
}

/* Null data is a null slice. */
static inline struct slice znode_data(const struct znode *n)
{
    return slice_of(n->data, n->data_len);
}

/* State as a whole. */
int64_t tree_last_zxid(const struct tree *t);          /* last processed */
void tree_set_last_zxid(struct tree *t, int64_t zxid); /* after loading a snapshot */
/* /zookeeper/config says `text` without any txn (ZKDatabase.initConfigInZKDatabase): every member
 * of an ensemble enters the configuration it runs with, of which no log may tell. `version` is the
 * zxid of the reconfig that made it, 0 = none. The digest does not cover it, the last zxid does not
 * move. */
void tree_init_config(struct tree *t, struct slice text, int64_t version, int64_t now_ms);
uint64_t tree_digest(const struct tree *t);
/* Znodes, the root once. ZooKeeper's own count (znode_count) is one more: it has the root twice. */
uint64_t tree_node_count(const struct tree *t);
uint64_t tree_ephemeral_count(const struct tree *t);
/* approximate_data_size: lengths of all paths, in UTF-16 units as Java counts, and of all data. */
uint64_t tree_approximate_data_bytes(const struct tree *t);
uint64_t tree_memory_bytes(const struct tree *t); /* slabs, tables and ACLs, all told */
uint64_t tree_descendant_count(const struct tree *t,
                               const struct znode *n); /* getAllChildrenNumber */

/* Ephemerals: calls `visit` with each path of the session; paths live until visit returns.
 * The order is that of creation. */
typedef void tree_path_visit(void *arg, struct slice path);
void tree_ephemerals_of(const struct tree *t, int64_t session_id, tree_path_visit *visit,
                        void *arg);
/* Each session that owns ephemerals, in the order of session ids (unsigned). */
typedef void tree_session_visit(void *arg, int64_t session_id);
void tree_ephemeral_sessions(const struct tree *t, tree_session_visit *visit, void *arg);

/* Containers and TTL nodes that may be reaped now (ContainerManager): calls visit for each of at
 * most `max` candidates. `never_used_ms` 0 = a container that never had a child is kept for ever.
 */
size_t tree_reapable(const struct tree *t, int64_t now_ms, int64_t never_used_ms, size_t max,
                     tree_path_visit *visit, void *arg);
/* Whether this one still may be: time has passed since it was visited. */
bool tree_is_reapable(const struct tree *t, struct slice path, int64_t now_ms,
                      int64_t never_used_ms);

/* The digest (digest.c says how it is made). */
enum {
    TREE_DIGEST_VERSION = 2
};

void znode_stat_persisted(const struct znode *n, struct rec_stat_persisted *ret_stat);
/* The digest of a node that may not be in the tree yet; 0 under /zookeeper/. */
uint32_t znode_digest(struct slice path, struct slice data, const struct rec_stat_persisted *stat);
/* The digest after only the Stat changed, at a cost that does not depend on path and data. */
uint32_t znode_digest_restat(struct slice path, uint32_t digest,
                             const struct rec_stat_persisted *before,
                             const struct rec_stat_persisted *after);

/* Digest history (every 128th zxid, 1024 entries), newest last: 4lw hash. */
struct tree_digest_entry {
    int64_t zxid;
    int32_t version;
    uint64_t digest;
};
size_t tree_digest_history(const struct tree *t, const struct tree_digest_entry **ret_entries);

/* What a loaded snapshot says behind its nodes (ZxidDigest), to be told after tree_set_last_zxid. A
 * snapshot of ZooKeeper's is fuzzy: it is the state of a zxid still to be replayed. Until
 * tree_apply reaches it, nothing is compared; then it is, once. False: the tree is at that zxid now
 * and its digest differs. */
bool tree_expect_digest(struct tree *t, const struct tree_digest_entry *expected);

#endif
