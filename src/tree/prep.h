/* prep.h: a write request becomes a transaction (PrepRequestProcessor).
 *
 * Requests are checked against the state as it will be when every earlier proposal is committed:
 * the tree plus the outstanding changes kept here. Only the leader (or a standalone server) preps.
 * Pure; one owner thread, the core. Memory: a request is borrowed during the call only.
 *
 * A refused write still consumes a zxid and becomes an error txn (facts A.0 item 1).
 *
 * Where ZooKeeper 3.9.5 is not followed, because its projection is not what its tree then does:
 * - "" and "/" are one path, so a write to the root sees the outstanding creates below it;
 * - an outstanding setACL is what later requests are checked against, not the list before it;
 * - a multi that a null ACL id ends leaves nothing of the parts before it;
 * - a closed session's ephemerals no longer count as children of their outstanding parents;
 * - a create whose flags and opcode disagree (container, TTL) projects what the txn will make;
 *   createTTL without a TTL mode, which no ZooKeeper can apply, is refused with BADARGUMENTS;
 * - a request that cannot be decoded is answered without a txn: ZooKeeper logs one under a zxid
 * that is already taken. */
#ifndef CAUCUS_TREE_PREP_H
#define CAUCUS_TREE_PREP_H

#include "tree/acl.h"
#include "tree/tree.h"

struct prep;

struct prep_options {
    bool skip_acl;
    bool enforce_quota;
    bool close_session_txn_enabled; /* CloseSessionTxn lists the paths, default true */
    size_t close_list_bytes_max;    /* a longer list is left empty; 0 = any length */
    bool reconfig_enabled;
    bool no_digest_auth; /* DigestAuthenticationProvider.enabled=false */
    unsigned schemes;    /* ACL_SCHEME_*: providers that are configured */
};

struct prep_request {
    int64_t session_id;
    int32_t cxid;
    int32_t op;          /* ZK_OP_* of the header */
    struct slice record; /* the bytes behind the request header */
    struct identities who;
    int32_t session_err; /* 0, or what the session table says (ZK_SESSIONEXPIRED, ...); reported at
                            the place in the order of checks where ZooKeeper asks it */
    int32_t
        global_session_err; /* in its place for ephemeral creates (ZK_EPHEMERALONLOCALSESSION) */
    int32_t session_timeout_ms; /* ZK_OP_CREATE_SESSION only */
    int64_t zxid;               /* the next zxid; used iff the result says so */
    int64_t now_ms;             /* wall clock */

    /* Of a server that forwarded it: its client waits for a txn whatever comes of the request, so
     * even what cannot be decoded becomes an error txn. */
    bool always_txn;
    int32_t refused; /* not 0: becomes an error txn with this, and nothing else is looked at */
    /* ZK_OP_RECONFIG: what came of it outside of the tree: an error, or the text of the
     * configuration to be. */
    int32_t reconfig_err;
    struct slice config_text;
};

enum prep_outcome {
    PREP_TXN, /* a proposal was appended; err may be set (error txn, or a multi with a failed part)
               */
    PREP_NO_TXN, /* nothing to log: answer err at once, no zxid used (malformed record:
                    ZK_MARSHALLINGERROR) */
};

struct prep_result {
    enum prep_outcome outcome;
    int32_t err;               /* 0, or why it failed */
    struct rec_txn_header hdr; /* type is ZK_OP_ERROR when it failed (except multi) */
    size_t txn_at, txn_len;    /* where in `out` the txn body stands (hdr before, digest behind) */
    /* The tree's after this txn. version 0: there is none, because the tree keeps none or because
     * this is an error txn, which carries none in ZooKeeper (a failed multi does). */
    struct rec_txn_digest digest;
};

struct prep *prep_create(struct tree *t, const struct prep_options *options, uint64_t hash_seed);
void prep_free(struct prep *p); /* before the tree */

/* Appends TxnHeader + txn + TxnDigest (if there is one) to `out`, exactly as the transaction log
 * and PROPOSAL carry them. `out` is a buffer without a maximum: what is appended is at most a
 * little larger than the request, except for the paths of a closed session (close_list_bytes_max).
 */
void prep_request(struct prep *p, const struct prep_request *req, struct buf *out,
                  struct prep_result *ret);

/* Whether the record of a write can be decoded: a server that only forwards it asks, so that its
 * client hears at once. */
bool prep_can_decode(int32_t op, struct slice record);

/* enableEagerACLCheck (ZooKeeperServer.authWriteRequest): ZK_NOAUTH or ZK_INVALIDACL if that is
 * what would come of it, as far as the tree says without what is outstanding; 0 whenever it is not
 * known: that needs the whole order of checks. Creates, deletes, setData and setACL only. */
int32_t prep_foresee(struct prep *p, int32_t op, struct slice record, struct identities who);

/* The txn of this zxid was applied to the tree: its outstanding changes are forgotten. In zxid
 * order, and before the next prep_request. */
void prep_committed(struct prep *p, int64_t zxid);

/* Everything outstanding is forgotten (leadership lost). The digest restarts from the tree's.
 * Before the tree is freed or loaded anew, since the changes refer to its ACLs. */
void prep_reset(struct prep *p);

/* After a prep_request that came to ZK_QUOTAEXCEEDED: the path that was refused. Borrowed from the
 * request, or until the next one. */
struct slice prep_quota_path(const struct prep *p);

size_t prep_outstanding(const struct prep *p); /* change records held: for metrics and throttling */

#endif
