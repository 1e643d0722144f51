/* snapshot.h: the tree as ZooKeeper's snapshot stream (FileSnap, SerializeUtils), in slices.
 *
 * Writing: an exact picture of the tree at one zxid, taken while the tree goes on changing.
 * Invariant: a node that existed when the walk began is emitted before its first change (tree_apply
 * calls snapshot_before_change), parents before children; a node created later is never emitted.
 * So, unlike ZooKeeper's fuzzy snapshots, the stream equals the state at `zxid` to the byte (order
 * apart) and its digest can be checked. A slice is bounded by bytes, so that no request waits long.
 *
 * Bytes produced: sessions, ACL map, nodes, closing "/" (SerializeUtils.serializeSnapshot). The
 * FileHeader in front, the seals and the digest behind are the file writer's (io). */
#ifndef CAUCUS_TREE_SNAPSHOT_H
#define CAUCUS_TREE_SNAPSHOT_H

#include "base/err.h"
#include "tree/tree.h"

struct snapshot_session {
    int64_t id;
    int32_t timeout_ms;
};

/* Begins the walk at the tree's last zxid: appends sessions and ACL map to `out`. One at a time. */
void snapshot_begin(struct tree *t, const struct snapshot_session *sessions, size_t session_count,
                    struct buf *out);
/* Appends what was emitted early because of changes since the last slice, then nodes up to about
 * `bytes_max` bytes; true when the walk is over ("/" written). Every slice gets further, if not
 * always by bytes. */
bool snapshot_slice(struct tree *t, size_t bytes_max, struct buf *out);
/* Gives up; nothing to give up is fine. */
void snapshot_abort(struct tree *t);
bool snapshot_active(const struct tree *t);
int64_t snapshot_zxid(const struct tree *t);
uint64_t snapshot_digest(const struct tree *t); /* of the state at snapshot_zxid */

/* Loading: a decoder fed with chunks in order. The tree's nodes are dropped when it is created
 * (ACLs, sessions and digest follow); after an error it holds a part of the snapshot and is of no
 * use. */
struct snapshot_loader;
struct snapshot_loader *snapshot_loader_create(struct tree *t);
void snapshot_loader_free(struct snapshot_loader *l);
/* Consumes whole items from `chunk`; *ret_used says how many bytes; the caller presents the rest
 * again with more behind it. *ret_done: the closing "/" was read (what follows are seals, the
 * caller's). At the end of the file, bytes left over before `done` are a truncated item. When done,
 * quota usage is recounted; tree_set_last_zxid and tree_expect_digest are the caller's. 0, or
 * ERR_CORRUPT with the item and its offset in err (from the first byte fed). */
int snapshot_loader_feed(struct snapshot_loader *l, struct slice chunk, size_t *ret_used,
                         bool *ret_done, struct err *err);
/* After done: the sessions, each once, in file order; borrowed from the loader. */
size_t snapshot_loader_sessions(const struct snapshot_loader *l,
                                const struct snapshot_session **ret_sessions);

#endif
