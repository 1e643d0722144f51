/* txn.h: a decoded transaction, flat: for the tree, and for those who show logs. apply.h has the
 * door through which one changes a tree. */
#ifndef CAUCUS_TREE_TXN_H
#define CAUCUS_TREE_TXN_H

#include "tree/apply.h"
#include "wire/records.h"
#include "wire/zk.h"

struct txn {
    int32_t type;
    struct slice path;
    struct slice data;
    struct rec_vec acl;
    struct rec_vec
        list; /* the parts of a multi; the paths of a closeSession (count -1: none given) */
    int64_t ttl_ms;
    int32_t version;    /* of data or ACL; for creates the parent's cversion */
    int32_t err;        /* of an error txn */
    int32_t timeout_ms; /* of createSession */
    bool ephemeral;
    bool has_error_part; /* a multi that failed: nothing of it is done */
};

/* Takes a txn of `type`, or one part of a multi, from `d`. False: malformed or of an unknown type.
 * Everything inside is checked, the parts of a multi included, so that they can be taken again
 * without failing. */
bool txn_get(struct dec *d, int32_t type, struct txn *ret_txn);
bool txn_get_part(struct dec *d, struct txn *ret_part);

#endif
