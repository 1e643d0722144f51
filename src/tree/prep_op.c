/* prep_op.c: the checks of each write, in ZooKeeper's order, and the txn it becomes
 * (PrepRequestProcessor.pRequest2Txn). The order is visible: a client hears the first that fails.
 */
#include <stdio.h>

#include "tree/prep_internal.h"
#include "tree/quota.h"
#include "wire/path.h"

/* ---- pieces ---- */

static int32_t wrapping_add(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static int32_t check_version(int32_t current, int32_t expected, int32_t *ret_next)
{
    if (expected != -1 && expected != current)
        return ZK_BADVERSION;
    *ret_next = wrapping_add(current, 1);
    return 0;
}

/* What fix_acl left in the scratch buffer. */
static struct rec_vec fixed_acl(const struct prep *p)
{
    return (struct rec_vec){.count = (int32_t)load_be32(p->acl.ptr),
                            .raw = slice_from(buf_slice(&p->acl), 4)};
}

static bool names_scheme(struct rec_vec acl, const char *scheme)
{
    struct dec d = dec_of(acl.raw);
    struct rec_acl a;
    for (int32_t i = 0; i < acl.count && rec_get_acl(&d, &a); i++) {
        if (slice_eq_str(a.id.scheme, scheme))
            return true;
    }
    return false;
}

/* Into the scratch buffer. A provider that is switched off is none that could call an id valid. */
static int32_t fix_acl(struct prep *p, struct rec_vec acl, struct identities who)
{
    buf_clear(&p->acl);
    int32_t err = acl_fixup(acl, who, p->options.schemes, &p->acl);
    if (err == 0 && p->options.no_digest_auth && names_scheme(fixed_acl(p), "digest"))
        err = ZK_INVALIDACL;
    return err;
}

static int32_t check_acl(const struct prep *p, const struct node_state *s, int32_t perm,
                         struct identities who)
{
    /* The open list passes everybody: most requests need no more than this comparison. */
    if (s->acl_id == ACL_OPEN)
        return 0;
    return tree_acl_check(p->tree, s->acl_id, perm, who, p->options.skip_acl);
}

static bool passes_hard_limit(struct slice limits, struct slice usage, const char *limit_key,
                              const char *usage_key, int64_t diff)
{
    struct quota_track q;
    quota_track_parse(&q, limits);
    int64_t limit = quota_track_get(&q, limit_key);
    if (diff == 0 || limit <= -1)
        return false;
    quota_track_parse(&q, usage);
    return (int64_t)((uint64_t)quota_track_get(&q, usage_key) + (uint64_t)diff) > limit;
}

/* ZooKeeperServer.checkQuota: limits and usage as committed, not as projected. Soft limits are only
 * logged, when the txn is applied. */
static int32_t check_quota(struct prep *p, struct slice path, int64_t bytes_diff,
                           int64_t count_diff)
{
    struct quota_nodes q;
    if (!p->options.enforce_quota || !tree_quota_of(p->tree, path, &q) || q.stats == NULL)
        return 0;
    struct slice limits = znode_data(q.limits);
    struct slice usage = znode_data(q.stats);
    if (passes_hard_limit(limits, usage, "countHardLimit", "count", count_diff) ||
        passes_hard_limit(limits, usage, "byteHardLimit", "bytes", bytes_diff)) {
        p->quota_path = path;
        return ZK_QUOTAEXCEEDED;
    }
    return 0;
}

/* 0 where the tree keeps no digests: then nobody looks at it. */
static uint32_t digest_of(const struct prep *p, struct slice path, struct slice data,
                          const struct node_state *s)
{
    return p->tree->options.digest_enabled ? znode_digest(path, data, &s->stat) : 0;
}

/* After nothing but the Stat changed. */
static uint32_t digest_restat(const struct prep *p, struct slice path,
                              const struct node_state *before, const struct node_state *after)
{
    if (!p->tree->options.digest_enabled)
        return 0;
    return znode_digest_restat(path, before->digest, &before->stat, &after->stat);
}

/* The part before the last slash, if the path is shaped enough to have one ("" stands for the
 * root). */
static bool parent_of(struct slice path, struct slice *ret_parent)
{
    const uint8_t *slash = path.len ? memrchr(path.ptr, '/', path.len) : NULL;
    if (slash == NULL || memchr(path.ptr, 0, path.len) != NULL)
        return false;
    *ret_parent = slice_of(path.ptr, (size_t)(slash - path.ptr));
    return true;
}

/* Nodes that ZooKeeper makes itself and that cannot be deleted. */
static bool is_special(struct slice path)
{
    return slice_eq_str(path, "/") || slice_eq_str(path, "/zookeeper") ||
           slice_eq_str(path, "/zookeeper/quota") || slice_eq_str(path, "/zookeeper/config");
}

static int32_t parent_for_delete(struct slice path, struct slice *ret_parent)
{
    if (slice_is_null(path))
        return ZK_MARSHALLINGERROR;
    if (!parent_of(path, ret_parent) || is_special(path))
        return ZK_BADARGUMENTS;
    return 0;
}

void prep_remove(struct prep *p, int64_t zxid, const struct spot *parent_spot,
                 const struct node_state *parent, const struct spot *spot,
                 const struct node_state *node)
{
    struct node_state after = *parent;
    after.child_count--;
    after.stat.pzxid = zxid;
    after.digest = digest_restat(p, parent_spot->path, parent, &after);
    prep_change(p, parent_spot, zxid, parent, &after);

    static const struct node_state gone = {.exists = false};
    prep_change(p, spot, zxid, node, &gone);
}

/* ---- create ---- */

struct create_mode {
    bool ephemeral;
    bool sequential;
    bool ttl;
};

static int32_t create_mode_of(int32_t flags, struct create_mode *ret_mode)
{
    if (flags < ZK_CREATE_PERSISTENT || flags > ZK_CREATE_TTL_SEQUENTIAL)
        return ZK_BADARGUMENTS;
    *ret_mode = (struct create_mode){
        .ephemeral = flags == ZK_CREATE_EPHEMERAL || flags == ZK_CREATE_EPHEMERAL_SEQUENTIAL,
        .sequential = flags == ZK_CREATE_PERSISTENT_SEQUENTIAL ||
                      flags == ZK_CREATE_EPHEMERAL_SEQUENTIAL || flags == ZK_CREATE_TTL_SEQUENTIAL,
        .ttl = flags == ZK_CREATE_TTL || flags == ZK_CREATE_TTL_SEQUENTIAL,
    };
    return 0;
}

/* validateCreateRequest. A createTTL whose flags are not of a TTL node passes ZooKeeper's checks
 * with ttl -1 and becomes a txn that no server can apply; here it is refused like any other bad
 * ttl. */
static int32_t check_create_mode(const struct prep *p, const struct prep_request *req,
                                 const struct write_op *op, struct create_mode mode)
{
    if (mode.ttl && !p->tree->options.extended_types_enabled)
        return ZK_UNIMPLEMENTED;
    if (mode.ttl ? op->ttl_ms <= 0 || op->ttl_ms > ZK_TTL_MS_MAX : op->ttl_ms >= 0)
        return ZK_BADARGUMENTS;
    if (!mode.ttl && op->type == ZK_OP_CREATE_TTL)
        return ZK_BADARGUMENTS;
    if (mode.ephemeral && req->global_session_err != 0)
        return req->global_session_err;
    return req->session_err;
}

/* What the applied txn will make the owner, which the opcode decides and not the flags. */
static uint64_t owner_of(const struct prep_request *req, const struct write_op *op,
                         struct create_mode mode)
{
    if (op->type == ZK_OP_CREATE_CONTAINER)
        return ZK_CONTAINER_OWNER;
    if (op->type == ZK_OP_CREATE_TTL)
        return ZK_TTL_OWNER_MASK | (uint64_t)op->ttl_ms;
    return mode.ephemeral ? (uint64_t)req->session_id : 0;
}

static struct slice sequential_path(struct prep *p, struct slice path, int32_t sequence)
{
    char digits[16];
    int len = snprintf(digits, sizeof digits, "%010d", sequence);
    buf_clear(&p->path);
    buf_put_slice(&p->path, path);
    buf_put(&p->path, digits, (size_t)len);
    return buf_slice(&p->path);
}

static void put_create_txn(const struct write_op *op, struct slice path, struct rec_vec acl,
                           bool ephemeral, int32_t parent_cversion, struct buf *out)
{
    if (op->type == ZK_OP_CREATE_CONTAINER) {
        struct rec_create_container_txn txn = {
            .path = path, .data = op->data, .acl = acl, .parent_cversion = parent_cversion};
        rec_put_create_container_txn(out, &txn);
    } else if (op->type == ZK_OP_CREATE_TTL) {
        struct rec_create_ttl_txn txn = {.path = path,
                                         .data = op->data,
                                         .acl = acl,
                                         .parent_cversion = parent_cversion,
                                         .ttl = op->ttl_ms};
        rec_put_create_ttl_txn(out, &txn);
    } else {
        struct rec_create_txn txn = {.path = path,
                                     .data = op->data,
                                     .acl = acl,
                                     .ephemeral = ephemeral,
                                     .parent_cversion = parent_cversion};
        rec_put_create_txn(out, &txn);
    }
}

static void change_parent_of_new(struct prep *p, int64_t zxid, const struct spot *spot,
                                 const struct node_state *parent, int32_t cversion)
{
    struct node_state after = *parent;
    after.child_count++;
    /* As tree_apply: at the wrap of the counter neither moves any more. */
    if (cversion > parent->stat.cversion) {
        after.stat.cversion = cversion;
        after.stat.pzxid = zxid;
    }
    after.digest = digest_restat(p, spot->path, parent, &after);
    prep_change(p, spot, zxid, parent, &after);
}

static void change_new(struct prep *p, const struct prep_request *req, const struct spot *spot,
                       uint64_t owner, struct slice data, struct rec_vec acl)
{
    static const struct node_state absent = {.exists = false};
    struct node_state node = {
        .exists = true,
        .stat = {.czxid = req->zxid,
                 .mzxid = req->zxid,
                 .pzxid = req->zxid,
                 .ctime = req->now_ms,
                 .mtime = req->now_ms,
                 .ephemeral_owner = (int64_t)owner},
        .data_len = (uint32_t)data.len,
        .acl_id = tree_acl_intern(p->tree, acl),
    };
    node.digest = digest_of(p, spot->path, data, &node);
    prep_change(p, spot, req->zxid, &absent, &node);
    tree_acl_release(p->tree, node.acl_id);
}

static int32_t create_prep(struct prep *p, const struct prep_request *req,
                           const struct write_op *op, struct buf *out)
{
    struct create_mode mode;
    int32_t err = create_mode_of(op->flags, &mode);
    if (err == 0)
        err = check_create_mode(p, req, op, mode);
    if (err != 0)
        return err;

    struct slice path = op->path;
    struct slice parent_path;
    if (slice_is_null(path))
        return ZK_MARSHALLINGERROR;
    if (!parent_of(path, &parent_path))
        return ZK_BADARGUMENTS;

    err = fix_acl(p, op->acl, req->who);
    if (err != 0)
        return err;

    struct spot parent_spot;
    struct node_state parent;
    if (!prep_find(p, parent_path, &parent_spot, &parent))
        return ZK_NONODE;
    err = check_acl(p, &parent, ZK_PERM_CREATE, req->who);
    if (err != 0)
        return err;

    if (mode.sequential)
        path = sequential_path(p, path, parent.stat.cversion);
    if (path_check(path, false) != NULL || path_name(path).len > ZNODE_NAME_BYTES_MAX)
        return ZK_BADARGUMENTS;

    struct spot spot;
    struct node_state node;
    if (prep_find(p, path, &spot, &node))
        return ZK_NODEEXISTS;
    if (znode_kind_of(p->tree, (uint64_t)parent.stat.ephemeral_owner) == ZNODE_EPHEMERAL)
        return ZK_NOCHILDRENFOREPHEMERALS;
    err = check_quota(p, path, (int64_t)op->data.len, 1);
    if (err != 0)
        return err;

    struct rec_vec acl = fixed_acl(p);
    int32_t cversion = wrapping_add(parent.stat.cversion, 1);
    put_create_txn(op, path, acl, mode.ephemeral, cversion, out);
    change_parent_of_new(p, req->zxid, &parent_spot, &parent, cversion);
    change_new(p, req, &spot, owner_of(req, op, mode), op->data, acl);
    return 0;
}

/* ---- delete ---- */

static int32_t delete_prep(struct prep *p, const struct prep_request *req,
                           const struct write_op *op, struct buf *out)
{
    if (req->session_err != 0)
        return req->session_err;
    struct slice parent_path;
    int32_t err = parent_for_delete(op->path, &parent_path);
    if (err != 0)
        return err;

    struct spot parent_spot, spot;
    struct node_state parent, node;
    if (!prep_find(p, parent_path, &parent_spot, &parent))
        return ZK_NONODE;
    err = check_acl(p, &parent, ZK_PERM_DELETE, req->who);
    if (err != 0)
        return err;
    if (!prep_find(p, op->path, &spot, &node))
        return ZK_NONODE;
    int32_t ignored;
    err = check_version(node.stat.version, op->version, &ignored);
    if (err != 0)
        return err;
    if (node.child_count > 0)
        return ZK_NOTEMPTY;

    rec_put_delete_txn(out, &(struct rec_delete_txn){.path = op->path});
    prep_remove(p, req->zxid, &parent_spot, &parent, &spot, &node);
    return 0;
}

/* The reaper's: no session, no permission. A node that became a plain one meanwhile is deleted too.
 */
static int32_t delete_container_prep(struct prep *p, const struct prep_request *req,
                                     const struct write_op *op, struct buf *out)
{
    struct slice parent_path;
    int32_t err = parent_for_delete(op->path, &parent_path);
    if (err != 0)
        return err;

    struct spot parent_spot, spot;
    struct node_state parent, node;
    if (!prep_find(p, op->path, &spot, &node))
        return ZK_NONODE;
    if (node.child_count > 0)
        return ZK_NOTEMPTY;
    if (znode_kind_of(p->tree, (uint64_t)node.stat.ephemeral_owner) == ZNODE_EPHEMERAL)
        return ZK_BADVERSION;
    if (!prep_find(p, parent_path, &parent_spot, &parent))
        return ZK_NONODE;

    rec_put_delete_txn(out, &(struct rec_delete_txn){.path = op->path});
    prep_remove(p, req->zxid, &parent_spot, &parent, &spot, &node);
    return 0;
}

/* ---- changes of one node ---- */

static int32_t set_data_prep(struct prep *p, const struct prep_request *req,
                             const struct write_op *op, struct buf *out)
{
    if (req->session_err != 0)
        return req->session_err;
    if (path_check(op->path, false) != NULL)
        return ZK_BADARGUMENTS;
    struct spot spot;
    struct node_state node;
    if (!prep_find(p, op->path, &spot, &node))
        return ZK_NONODE;
    int32_t err = check_acl(p, &node, ZK_PERM_WRITE, req->who);
    if (err == 0)
        err = check_quota(p, op->path, (int64_t)op->data.len - (int64_t)node.data_len, 0);
    int32_t version = 0;
    if (err == 0)
        err = check_version(node.stat.version, op->version, &version);
    if (err != 0)
        return err;

    struct rec_set_data_txn txn = {.path = op->path, .data = op->data, .version = version};
    rec_put_set_data_txn(out, &txn);

    struct node_state after = node;
    after.stat.version = version;
    after.stat.mtime = req->now_ms;
    after.stat.mzxid = req->zxid;
    after.data_len = (uint32_t)op->data.len;
    after.digest = digest_of(p, spot.path, op->data, &after);
    prep_change(p, &spot, req->zxid, &node, &after);
    return 0;
}

static int32_t set_acl_prep(struct prep *p, const struct prep_request *req,
                            const struct write_op *op, struct buf *out)
{
    if (req->session_err != 0)
        return req->session_err;
    if (path_check(op->path, false) != NULL)
        return ZK_BADARGUMENTS;
    int32_t err = fix_acl(p, op->acl, req->who);
    if (err != 0)
        return err;

    struct spot spot;
    struct node_state node;
    if (!prep_find(p, op->path, &spot, &node))
        return ZK_NONODE;
    err = check_acl(p, &node, ZK_PERM_ADMIN, req->who);
    int32_t version = 0;
    if (err == 0)
        err = check_version(node.stat.aversion, op->version, &version);
    if (err != 0)
        return err;

    struct rec_vec acl = fixed_acl(p);
    struct rec_set_acl_txn txn = {.path = op->path, .acl = acl, .version = version};
    rec_put_set_acl_txn(out, &txn);

    struct node_state after = node;
    after.stat.aversion = version;
    after.digest = digest_restat(p, spot.path, &node, &after);
    after.acl_id = tree_acl_intern(p->tree, acl);
    prep_change(p, &spot, req->zxid, &node, &after);
    tree_acl_release(p->tree, after.acl_id);
    return 0;
}

static int32_t check_prep(struct prep *p, const struct prep_request *req, const struct write_op *op,
                          struct buf *out)
{
    if (req->session_err != 0)
        return req->session_err;
    if (path_check(op->path, false) != NULL)
        return ZK_BADARGUMENTS;
    struct spot spot;
    struct node_state node;
    if (!prep_find(p, op->path, &spot, &node))
        return ZK_NONODE;
    int32_t err = check_acl(p, &node, ZK_PERM_READ, req->who);
    int32_t version = 0;
    if (err == 0)
        err = check_version(node.stat.version, op->version, &version);
    if (err != 0)
        return err;
    struct rec_check_version_txn txn = {.path = op->path, .version = version};
    rec_put_check_version_txn(out, &txn);
    return 0;
}

/* ---- reconfig ---- */

/* What is wrong with the new configuration was found out by the caller, who knows the ensemble; the
 * permission is asked last. The version of /zookeeper/config is always -1, and no digest covers it.
 */
static int32_t reconfig_prep(struct prep *p, const struct prep_request *req, struct buf *out)
{
    if (!p->options.reconfig_enabled)
        return ZK_RECONFIGDISABLED;
    if (req->session_err != 0)
        return req->session_err;
    if (req->reconfig_err != 0)
        return req->reconfig_err;
    if (slice_is_null(req->config_text))
        return ZK_UNIMPLEMENTED; /* a server that stands alone has nobody to reconfigure with */

    struct slice path = slice_str("/zookeeper/config");
    struct spot spot;
    struct node_state node;
    if (!prep_find(p, path, &spot, &node))
        return ZK_NONODE;
    int32_t err = check_acl(p, &node, ZK_PERM_WRITE, req->who);
    if (err != 0)
        return err;

    struct rec_set_data_txn txn = {.path = path, .data = req->config_text, .version = -1};
    rec_put_set_data_txn(out, &txn);

    struct node_state after = node;
    after.stat.version = -1;
    after.stat.mtime = req->now_ms;
    after.stat.mzxid = req->zxid;
    after.data_len = (uint32_t)req->config_text.len;
    prep_change(p, &spot, req->zxid, &node, &after);
    return 0;
}

/* ---- dispatch ---- */

int32_t write_op_prep(struct prep *p, const struct prep_request *req, const struct write_op *op,
                      struct buf *out)
{
    switch (op->type) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_CONTAINER:
    case ZK_OP_CREATE_TTL:
        return create_prep(p, req, op, out);
    case ZK_OP_DELETE:
        return delete_prep(p, req, op, out);
    case ZK_OP_DELETE_CONTAINER:
        return delete_container_prep(p, req, op, out);
    case ZK_OP_SET_DATA:
        return set_data_prep(p, req, op, out);
    case ZK_OP_SET_ACL:
        return set_acl_prep(p, req, op, out);
    case ZK_OP_CHECK:
        return check_prep(p, req, op, out);
    case ZK_OP_RECONFIG:
        return reconfig_prep(p, req, out);
    default:
        return ZK_UNIMPLEMENTED;
    }
}

/* ---- what can be said ahead ---- */

/* Whose list decides, and which permission; false: no list alone does. */
static bool decided_by(const struct write_op *op, struct slice *ret_path, int32_t *ret_perm)
{
    *ret_path = op->path;
    switch (op->type) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
        *ret_perm = ZK_PERM_CREATE;
        break;
    case ZK_OP_DELETE:
        *ret_perm = ZK_PERM_DELETE;
        break;
    case ZK_OP_SET_DATA:
        *ret_perm = ZK_PERM_WRITE;
        return true;
    case ZK_OP_SET_ACL:
        *ret_perm = ZK_PERM_ADMIN;
        return true;
    default:
        return false;
    }
    return parent_of(op->path, ret_path) && !is_special(op->path);
}

int32_t prep_foresee(struct prep *p, int32_t type, struct slice record, struct identities who)
{
    struct write_op op = {.type = type};
    struct dec d = dec_of(record);
    struct slice path;
    int32_t perm;
    if (!write_op_get(&d, &op) || slice_is_null(op.path) || !decided_by(&op, &path, &perm))
        return 0;
    bool has_acl = type != ZK_OP_DELETE && type != ZK_OP_SET_DATA;
    if (has_acl && fix_acl(p, op.acl, who) == ZK_INVALIDACL)
        return ZK_INVALIDACL;
    const struct znode *z = tree_find(p->tree, path);
    return z != NULL ? tree_acl_check(p->tree, z->acl_id, perm, who, p->options.skip_acl) : 0;
}
