/* prep_internal.h: what the files prep*.c share. Not for other files.
 *
 * A *node state* is what a znode will be when everything proposed so far is committed. The
 * outstanding changes keep the states that differ from the tree's; everything else is read from the
 * tree.
 *
 * Nothing here holds data of znodes: a node's digest is kept instead. CRC-32 is affine, so the
 * digest of a changed Stat follows from the old digest and the difference of the two Stats alone;
 * only new data has to be hashed, and that is in the request. */
#ifndef CAUCUS_TREE_PREP_INTERNAL_H
#define CAUCUS_TREE_PREP_INTERNAL_H

#include "base/assert.h"
#include "base/list.h"
#include "base/slab.h"
#include "tree/prep.h"
#include "tree/tree_internal.h"
#include "wire/dec.h"
#include "wire/records.h"
#include "wire/zk.h"

struct node_state {
    bool exists; /* false: the rest is zero */
    struct rec_stat_persisted stat;
    uint32_t child_count;
    uint32_t data_len;
    uint32_t digest; /* as znode.digest; 0 when the tree keeps none */
    uint32_t acl_id; /* in the tree's cache; an outstanding change holds a reference */
};

/* A state of one path, made by the txn `zxid`. */
struct change {
    struct change *hash_next; /* of the newest change of each path */
    struct change *older;     /* of the same path; NULL = none outstanding */
    struct change *newer;
    struct list order; /* struct changes.order */
    struct list owned; /* struct changes.owned, when it created an ephemeral; else alone */
    int64_t zxid;
    uint64_t hash;
    struct node_state state;
    uint32_t path_len;
    char path[]; /* the root is "/" */
};

enum {
    OWNED_BUCKETS = 256
};

struct changes {
    struct tree *tree;       /* whose ACL cache the states refer to */
    struct change **buckets; /* by hash of the path; a power of two */
    size_t bucket_count;
    size_t path_count; /* in the buckets */
    size_t count;
    struct list order; /* all, oldest first: zxids ascend */
    struct list
        owned[OWNED_BUCKETS]; /* creations of ephemerals by hash of the session, oldest first */
    struct slab slab;
    uint64_t seed;
};

struct prep {
    struct tree *tree;
    struct prep_options options;
    struct changes changes;
    uint64_t digest;         /* of the tree when everything outstanding is committed */
    struct slice quota_path; /* of the last refusal for a quota's sake */
    struct buf path;         /* scratch: the path of a sequential node */
    struct buf acl;          /* scratch: a fixed up list with its count */
};

/* ---- outstanding changes (prep_changes.c) ---- */

void changes_init(struct changes *c, struct tree *t, uint64_t seed);
void changes_deinit(struct changes *c);
void changes_clear(struct changes *c);
void changes_forget(struct changes *c, int64_t zxid);   /* the oldest, up to zxid */
void changes_rollback(struct changes *c, int64_t zxid); /* the newest, those of zxid */

/* Ephemerals whose creation is outstanding, by hash of the session: look at each state's owner. */
struct list *changes_owned_by(struct changes *c, int64_t session_id);

/* Where a path stands: found once, used to read and to write. Valid until the path changes. */
struct spot {
    struct slice path; /* borrowed; "" became "/" */
    uint64_t hash;
    struct change *newest; /* NULL = nothing outstanding */
};

/* Reads the projected state. False when the path does not exist (ret_state->exists is false then).
 */
bool prep_find(const struct prep *p, struct slice path, struct spot *ret_spot,
               struct node_state *ret_state);
/* The state changes from `before` to `after` in the txn of zxid; the tree digest follows. */
void prep_change(struct prep *p, const struct spot *spot, int64_t zxid,
                 const struct node_state *before, const struct node_state *after);
/* Removes a childless node below `parent`. */
void prep_remove(struct prep *p, int64_t zxid, const struct spot *parent_spot,
                 const struct node_state *parent, const struct spot *spot,
                 const struct node_state *node);

/* ---- one operation (prep_decode.c, prep_op.c) ---- */

/* A decoded write: a request of its own, or one part of a multi. */
struct write_op {
    int32_t type; /* ZK_OP_* */
    struct slice path;
    struct slice data;
    struct rec_vec acl;
    int32_t flags;
    int32_t version;
    int64_t ttl_ms; /* -1 unless createTTL */
};

/* False when the record cannot be decoded. op->type says what to decode. */
bool write_op_get(struct dec *d, struct write_op *op);
/* Checks the operation against the projected state, enters what it changes, appends the txn body.
 * 0, or the error; then nothing was entered (bytes may have been appended). */
int32_t write_op_prep(struct prep *p, const struct prep_request *req, const struct write_op *op,
                      struct buf *out);

/* ---- multi (prep_multi.c) ---- */

bool multi_is_well_formed(struct dec d);

enum multi_form {
    MULTI_WHOLE,
    MULTI_MALFORMED, /* no multi at all: becomes an error txn */
    MULTI_NO_TXN,    /* nor that: ZooKeeper stumbles before it has taken a zxid */
};

/* Appends MultiTxn if it is one. Returns 0 or the first error of the parts. */
int32_t multi_prep(struct prep *p, const struct prep_request *req, struct buf *out,
                   enum multi_form *ret_form);

/* ---- sessions (prep_session.c) ---- */

void close_session_prep(struct prep *p, const struct prep_request *req, struct buf *out);

#endif
