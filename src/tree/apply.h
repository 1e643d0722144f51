/* apply.h: a committed transaction changes the tree (DataTree.processTxn).
 *
 * The only door through which the tree changes while serving. The same txn applied to the same tree
 * gives the same tree, results and changes, on every replica and at every replay. */
#ifndef CAUCUS_TREE_APPLY_H
#define CAUCUS_TREE_APPLY_H

#include "tree/acl.h"
#include "tree/tree.h"

/* One change that watches may want to hear of, in firing order. Paths point into the txn bytes, or
 * into memory of the effects, and live until the next tree_apply with the same effects. */
enum tree_change_type {
    TREE_CREATED,
    TREE_DELETED,
    TREE_DATA_CHANGED
};
struct tree_change {
    enum tree_change_type type;
    struct slice path;
    /* ACLs at the time of the change, by id; kept alive until the next tree_apply. parent_acl_id is
     * what NodeChildrenChanged of the parent is filtered by. */
    uint32_t acl_id;
    uint32_t parent_acl_id;
    uint32_t data_bytes; /* written: 0 of a deletion */
};

/* The outcome of one txn or of one part of a multi. */
struct tree_result {
    int32_t type; /* opcode of the txn; ZK_OP_ERROR for an error txn or a part of a failed multi */
    int32_t err;  /* 0 or a code of wire/zk.h, from the txn or from applying it */
    struct slice path;
    struct rec_stat stat; /* right after it: of creates, setData, setACL */
};

struct tree_effects {
    struct tree_result result;
    struct tree_result *subs; /* of a multi, in order */
    size_t sub_count, sub_cap;
    struct tree_change *changes;
    size_t change_count, change_cap;
    struct buf paths; /* backs paths that are not in the txn (ephemerals of a closed session) */
    size_t quota_soft_exceeded; /* soft limits passed by this txn: for the log */
    bool digest_mismatch;       /* the txn carried a digest and the tree's differs now */
};

void tree_effects_deinit(struct tree_effects *fx);

/* Applies the txn `body` under `hdr`; `digest` may be NULL. Overwrites *fx (its memory is reused).
 * 0, or ERR_CORRUPT when the body cannot be decoded or its type is unknown (the tree is unchanged
 * then, a multi whose part is malformed included). Sets the last processed zxid. Replay of what a
 * snapshot already holds is harmless (same results in the end). Session txns (create/closeSession):
 * ephemerals are deleted here; the session table is the caller's. */
int tree_apply(struct tree *t, const struct rec_txn_header *hdr, struct slice body,
               const struct rec_txn_digest *digest, struct tree_effects *fx);

/* An entry of the transaction log, or what a PROPOSAL carries, taken apart: header, txn, and the
 * digest if it is there. Borrows the entry. 0, or ERR_CORRUPT (header or txn cannot be decoded,
 * unknown type). */
struct txn_entry {
    struct rec_txn_header hdr;
    struct slice body;
    struct rec_txn_digest digest;
    bool has_digest;
};
int txn_split(struct slice entry, struct txn_entry *ret_entry);

/* Deletes the ephemerals of a session outside of any txn, under `zxid`: what a loaded tree holds of
 * sessions that it has no record of (ZooKeeperServer.loadData). The last zxid does not move. */
void tree_kill_session(struct tree *t, int64_t session_id, int64_t zxid, struct tree_effects *fx);

/* Quota usage is recounted after a snapshot was loaded (DataTree.setupQuota). */
void tree_setup_quota(struct tree *t);

#endif
