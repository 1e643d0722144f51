/* txn.c: decodes transactions before anything is changed by them (SerializeUtils.deserializeTxn).
 */
#include "tree/txn.h"

#include "base/err.h"
#include "tree/tree_internal.h"

static bool get_create(struct dec *d, struct txn *ret)
{
    struct dec start = *d;
    struct rec_create_txn r;
    if (!rec_get_create_txn(d, &r)) {
        /* As written before 3.4: without the parent's cversion, which -1 asks to be counted up. */
        struct rec_create_txn_v0 v0;
        *d = start;
        if (ret->type != ZK_OP_CREATE || !rec_get_create_txn_v0(d, &v0))
            return false;
        r = (struct rec_create_txn){v0.path, v0.data, v0.acl, v0.ephemeral, -1};
    }
    ret->path = r.path;
    ret->data = r.data;
    ret->acl = r.acl;
    ret->ephemeral = r.ephemeral;
    ret->version = r.parent_cversion;
    return path_names_child(r.path);
}

static bool get_create_ttl(struct dec *d, struct txn *ret)
{
    struct rec_create_ttl_txn r;
    if (!rec_get_create_ttl_txn(d, &r))
        return false;
    ret->path = r.path;
    ret->data = r.data;
    ret->acl = r.acl;
    ret->version = r.parent_cversion;
    ret->ttl_ms = r.ttl;
    return path_names_child(r.path);
}

static bool get_create_container(struct dec *d, struct txn *ret)
{
    struct rec_create_container_txn r;
    if (!rec_get_create_container_txn(d, &r))
        return false;
    ret->path = r.path;
    ret->data = r.data;
    ret->acl = r.acl;
    ret->version = r.parent_cversion;
    return path_names_child(r.path);
}

static bool get_delete(struct dec *d, struct txn *ret)
{
    struct rec_delete_txn r;
    if (!rec_get_delete_txn(d, &r))
        return false;
    ret->path = r.path;
    return path_names_child(r.path);
}

static bool get_set_data(struct dec *d, struct txn *ret)
{
    struct rec_set_data_txn r;
    if (!rec_get_set_data_txn(d, &r))
        return false;
    ret->path = r.path;
    ret->data = r.data;
    ret->version = r.version;
    return true;
}

static bool get_set_acl(struct dec *d, struct txn *ret)
{
    struct rec_set_acl_txn r;
    if (!rec_get_set_acl_txn(d, &r))
        return false;
    ret->path = r.path;
    ret->acl = r.acl;
    ret->version = r.version;
    return true;
}

static bool get_check(struct dec *d, struct txn *ret)
{
    struct rec_check_version_txn r;
    if (!rec_get_check_version_txn(d, &r))
        return false;
    ret->path = r.path;
    return true;
}

static bool get_error(struct dec *d, struct txn *ret)
{
    struct rec_error_txn r;
    if (!rec_get_error_txn(d, &r))
        return false;
    ret->err = r.err;
    return true;
}

static bool get_create_session(struct dec *d, struct txn *ret)
{
    struct rec_create_session_txn r;
    if (!rec_get_create_session_txn(d, &r))
        return false;
    ret->timeout_ms = r.time_out;
    return true;
}

/* The list came with 3.6; a log may have the txn without it. */
static bool get_close_session(struct dec *d, struct txn *ret)
{
    struct rec_close_session_txn r;
    struct dec start = *d;
    if (rec_get_close_session_txn(d, &r)) {
        ret->list = r.paths_to_delete;
    } else {
        *d = start;
        ret->list.count = -1;
    }
    return true;
}

/* What a multi may hold as well as what may stand alone. A check stands alone only where a leader
 * of before 3.8.6 or 3.9.3 took one from a client (ZOOKEEPER-2623): it is in that leader's log and
 * its proposals for good, so it is read, though ZooKeeper's own reader stops at it. */
static bool get_common(struct dec *d, struct txn *ret)
{
    switch (ret->type) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
        return get_create(d, ret);
    case ZK_OP_CREATE_TTL:
        return get_create_ttl(d, ret);
    case ZK_OP_CREATE_CONTAINER:
        return get_create_container(d, ret);
    case ZK_OP_DELETE:
    case ZK_OP_DELETE_CONTAINER:
        return get_delete(d, ret);
    case ZK_OP_SET_DATA:
        return get_set_data(d, ret);
    case ZK_OP_CHECK:
        return get_check(d, ret);
    case ZK_OP_ERROR:
        return get_error(d, ret);
    default:
        return false;
    }
}

bool txn_get_part(struct dec *d, struct txn *ret_part)
{
    struct rec_txn r;
    if (!rec_get_txn(d, &r))
        return false;
    *ret_part = (struct txn){.type = r.type};
    struct dec body = dec_of(r.data);
    return get_common(&body, ret_part);
}

static bool get_multi(struct dec *d, struct txn *ret)
{
    struct rec_multi_txn r;
    if (!rec_get_multi_txn(d, &r))
        return false;
    ret->list = r.txns;

    struct dec parts = dec_of(r.txns.raw);
    struct txn part;
    for (int32_t i = 0; i < r.txns.count; i++) {
        if (!txn_get_part(&parts, &part))
            return false;
        ret->has_error_part |= part.type == ZK_OP_ERROR;
    }
    return true;
}

bool txn_get(struct dec *d, int32_t type, struct txn *ret_txn)
{
    *ret_txn = (struct txn){.type = type};
    switch (type) {
    case ZK_OP_CREATE_SESSION:
        return get_create_session(d, ret_txn);
    case ZK_OP_CLOSE_SESSION:
        return get_close_session(d, ret_txn);
    case ZK_OP_RECONFIG:
        return get_set_data(d, ret_txn);
    case ZK_OP_SET_ACL:
        return get_set_acl(d, ret_txn);
    case ZK_OP_MULTI:
        return get_multi(d, ret_txn);
    default:
        return get_common(d, ret_txn);
    }
}

int txn_split(struct slice entry, struct txn_entry *ret_entry)
{
    struct txn_entry e = {0};
    struct dec d = dec_of(entry);
    if (!rec_get_txn_header(&d, &e.hdr))
        return ERR_CORRUPT;

    struct slice rest = dec_rest(&d);
    struct txn txn;
    if (!txn_get(&d, e.hdr.type, &txn))
        return ERR_CORRUPT;
    e.body = slice_of(rest.ptr, rest.len - dec_rest(&d).len);
    e.has_digest = rec_get_txn_digest(&d, &e.digest);
    *ret_entry = e;
    return 0;
}
