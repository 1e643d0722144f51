/* read.c: requests that change nothing (FinalRequestProcessor.processRequest). */
#include "node/node_internal.h"

bool op_is_read(int32_t op)
{
    switch (op) {
    case ZK_OP_EXISTS:
    case ZK_OP_GET_DATA:
    case ZK_OP_GET_ACL:
    case ZK_OP_GET_CHILDREN:
    case ZK_OP_GET_CHILDREN2:
    case ZK_OP_GET_ALL_CHILDREN_NUMBER:
    case ZK_OP_GET_EPHEMERALS:
    case ZK_OP_MULTI_READ:
    case ZK_OP_WHO_AM_I:
    case ZK_OP_SYNC:
    case ZK_OP_PING:
    case ZK_OP_SET_WATCHES:
    case ZK_OP_SET_WATCHES2:
    case ZK_OP_ADD_WATCH:
    case ZK_OP_REMOVE_WATCHES:
    case ZK_OP_CHECK_WATCHES:
        return true;
    default:
        return false;
    }
}

static int32_t may_read(const struct node *n, const struct znode *z, int32_t perm,
                        struct identities who)
{
    return tree_acl_check(n->tree, z->acl_id, perm, who, n->options.skip_acl);
}

/* A node that exists and may be read. */
static int32_t find_readable(const struct node *n, struct slice path, struct identities who,
                             const struct znode **ret)
{
    if (slice_is_null(path))
        return ZK_MARSHALLINGERROR;
    const struct znode *z = tree_find(n->tree, path);
    if (z == NULL)
        return ZK_NONODE;
    *ret = z;
    return may_read(n, z, ZK_PERM_READ, who);
}

int32_t read_data(struct node *n, struct client *c, struct slice path, bool watch,
                  struct identities who, struct buf *out)
{
    const struct znode *z;
    int32_t err = find_readable(n, path, who, &z);
    if (err != 0)
        return err;

    struct rec_get_data_response rsp = {.data = znode_data(z)};
    znode_stat(n->tree, z, &rsp.stat);
    rec_put_get_data_response(out, &rsp);
    metric_namespace_read(&n->metrics, path, rsp.data.len);
    if (watch)
        watch_add(n->watches, c->id, path, WATCH_DATA);
    return 0;
}

/* The bytes of their names. */
static size_t put_children(const struct znode *z, struct buf *out)
{
    size_t bytes = 0;
    buf_put_i32(out, (int32_t)z->child_count);
    for (const struct znode *child = z->child_first; child != NULL; child = child->sibling_next) {
        buf_put_i32(out, child->name_len);
        buf_put_slice(out, znode_name(child));
        bytes += child->name_len;
    }
    return bytes;
}

int32_t read_children(struct node *n, struct client *c, struct slice path, bool watch,
                      bool with_stat, struct identities who, struct buf *out)
{
    const struct znode *z;
    int32_t err = find_readable(n, path, who, &z);
    if (err != 0)
        return err;

    metric_namespace_read(&n->metrics, path, put_children(z, out));
    if (with_stat) {
        struct rec_stat stat;
        znode_stat(n->tree, z, &stat);
        rec_put_stat(out, &stat);
    }
    if (watch)
        watch_add(n->watches, c->id, path, WATCH_CHILD);
    return 0;
}

/* A watch of an absent node waits for its creation. */
static int32_t answer_exists(struct node *n, struct client *c, struct dec *d, struct identities who,
                             struct buf *out)
{
    struct rec_exists_request req;
    if (!rec_get_exists_request(d, &req) || slice_is_null(req.path))
        return ZK_MARSHALLINGERROR;
    if (memchr(req.path.ptr, 0, req.path.len) != NULL)
        return ZK_BADARGUMENTS;

    const struct znode *z = tree_find(n->tree, req.path);
    int32_t err = z != NULL ? may_read(n, z, ZK_PERM_READ, who) : 0;
    if (err != 0)
        return err;
    if (req.watch)
        watch_add(n->watches, c->id, req.path, WATCH_DATA);
    if (z == NULL)
        return ZK_NONODE;

    struct rec_exists_response rsp;
    znode_stat(n->tree, z, &rsp.stat);
    rec_put_exists_response(out, &rsp);
    metric_namespace_read(&n->metrics, req.path, 0);
    return 0;
}

/* Who may not administer a node sees who has digest access, but not the hashes: "user:x". */
static void put_acl(struct buf *out, struct rec_vec acl, bool hide_digests)
{
    buf_put_i32(out, acl.count);
    if (!hide_digests) {
        buf_put_slice(out, acl.raw);
        return;
    }
    struct dec d = dec_of(acl.raw);
    struct rec_acl a;
    for (int32_t i = 0; i < acl.count && rec_get_acl(&d, &a); i++) {
        const uint8_t *colon = slice_eq_str(a.id.scheme, "digest") && a.id.id.len > 0
                                   ? memchr(a.id.id.ptr, ':', a.id.id.len)
                                   : NULL;
        if (colon == NULL) {
            rec_put_acl(out, &a);
            continue;
        }
        struct slice user = slice_of(a.id.id.ptr, (size_t)(colon - a.id.id.ptr));
        buf_put_i32(out, a.perms);
        rec_put_slice(out, a.id.scheme);
        buf_put_i32(out, (int32_t)user.len + 2);
        buf_put_slice(out, user);
        buf_put(out, ":x", 2);
    }
}

static int32_t answer_get_acl(struct node *n, struct dec *d, struct identities who, struct buf *out)
{
    struct rec_get_acl_request req;
    if (!rec_get_get_acl_request(d, &req) || slice_is_null(req.path))
        return ZK_MARSHALLINGERROR;
    const struct znode *z = tree_find(n->tree, req.path);
    if (z == NULL)
        return ZK_NONODE;
    int32_t err = may_read(n, z, ZK_PERM_READ | ZK_PERM_ADMIN, who);
    if (err != 0)
        return err;

    put_acl(out, tree_acl_get(n->tree, z->acl_id), may_read(n, z, ZK_PERM_ADMIN, who) != 0);
    struct rec_stat stat;
    znode_stat(n->tree, z, &stat);
    rec_put_stat(out, &stat);
    return 0;
}

static int32_t answer_all_children_number(struct node *n, struct dec *d, struct identities who,
                                          struct buf *out)
{
    struct rec_get_all_children_number_request req;
    if (!rec_get_get_all_children_number_request(d, &req))
        return ZK_MARSHALLINGERROR;
    const struct znode *z;
    int32_t err = find_readable(n, req.path, who, &z);
    /* Below "", the root's other name, the root is one more (DataTree.getAllChildrenNumber). */
    if (err == 0)
        buf_put_i32(out, (int32_t)tree_descendant_count(n->tree, z) + (req.path.len == 0));
    return err;
}

struct ephemerals_answer {
    struct buf *out;
    struct slice prefix;
    int32_t count;
};

static void put_ephemeral(void *arg, struct slice path)
{
    struct ephemerals_answer *a = arg;
    if (slice_starts_with(path, a->prefix)) {
        buf_put_i32(a->out, (int32_t)path.len);
        buf_put_slice(a->out, path);
        a->count++;
    }
}

/* String.trim: everything up to U+0020 at both ends. */
static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && s.ptr[0] <= ' ')
        s = slice_from(s, 1);
    while (s.len > 0 && s.ptr[s.len - 1] <= ' ')
        s.len--;
    return s;
}

static int32_t answer_get_ephemerals(struct node *n, struct client *c, struct dec *d,
                                     struct buf *out)
{
    struct rec_get_ephemerals_request req;
    if (!rec_get_get_ephemerals_request(d, &req))
        return ZK_MARSHALLINGERROR;
    struct slice trim = trimmed(req.prefix_path);
    bool all = trim.len == 0 || slice_eq_str(trim, "/");

    size_t count_at = out->len;
    buf_put_i32(out, 0);
    struct ephemerals_answer a = {.out = out, .prefix = all ? (struct slice){0} : req.prefix_path};
    tree_ephemerals_of(n->tree, c->session_id, put_ephemeral, &a);
    store_be32(out->ptr + count_at, (uint32_t)a.count);
    return 0;
}

/* AuthUtil.getClientInfos: the user behind an id is what its scheme calls a user name; for digest
 * that is the part before the colon. */
static int32_t answer_who_am_i(struct identities who, struct buf *out)
{
    buf_put_i32(out, (int32_t)who.count);
    for (size_t i = 0; i < who.count; i++) {
        struct rec_client_info info = {.auth_scheme = who.items[i].scheme, .user = who.items[i].id};
        const uint8_t *colon = slice_eq_str(info.auth_scheme, "digest")
                                   ? memchr(info.user.ptr, ':', info.user.len)
                                   : NULL;
        if (colon != NULL)
            info.user.len = (size_t)(colon - info.user.ptr);
        rec_put_client_info(out, &info);
    }
    return 0;
}

static int32_t answer_sync(struct dec *d, struct buf *out)
{
    struct rec_sync_request req;
    if (!rec_get_sync_request(d, &req))
        return ZK_MARSHALLINGERROR;
    rec_put_sync_response(out, &(struct rec_sync_response){.path = req.path});
    return 0;
}

static int32_t answer_get_data(struct node *n, struct client *c, struct dec *d,
                               struct identities who, struct buf *out)
{
    struct rec_get_data_request req;
    if (!rec_get_get_data_request(d, &req))
        return ZK_MARSHALLINGERROR;
    return read_data(n, c, req.path, req.watch, who, out);
}

static int32_t answer_get_children(struct node *n, struct client *c, struct dec *d, bool with_stat,
                                   struct identities who, struct buf *out)
{
    struct rec_get_children_request req; /* getChildren2's request is the same record */
    if (!rec_get_get_children_request(d, &req))
        return ZK_MARSHALLINGERROR;
    return read_children(n, c, req.path, req.watch, with_stat, who, out);
}

void answer_read(struct node *n, struct client *c, int32_t op, int32_t xid, struct slice record,
                 struct identities who, struct effects *fx)
{
    int64_t zxid = tree_last_zxid(n->tree);
    if (op == ZK_OP_PING) {
        reply_header(n, c, ZK_XID_PING, zxid, 0, fx);
        return;
    }
    if (op == ZK_OP_SET_WATCHES || op == ZK_OP_SET_WATCHES2) {
        /* Its events leave before its reply. */
        struct dec d = dec_of(record);
        int32_t err = answer_watch_op(n, c, op, &d, NULL, fx);
        reply_header(n, c, xid, zxid, err, fx);
        return;
    }

    struct dec d = dec_of(record);
    size_t begun = reply_begin(fx, xid, zxid, 0);
    struct buf *out = &fx->send_bytes;
    int32_t err = 0;
    bool keep_body = false;
    switch (op) {
    case ZK_OP_GET_DATA:
        err = answer_get_data(n, c, &d, who, out);
        break;
    case ZK_OP_EXISTS:
        err = answer_exists(n, c, &d, who, out);
        break;
    case ZK_OP_GET_CHILDREN:
    case ZK_OP_GET_CHILDREN2:
        err = answer_get_children(n, c, &d, op == ZK_OP_GET_CHILDREN2, who, out);
        break;
    case ZK_OP_GET_ACL:
        err = answer_get_acl(n, &d, who, out);
        break;
    case ZK_OP_GET_ALL_CHILDREN_NUMBER:
        err = answer_all_children_number(n, &d, who, out);
        break;
    case ZK_OP_GET_EPHEMERALS:
        err = answer_get_ephemerals(n, c, &d, out);
        break;
    case ZK_OP_WHO_AM_I:
        err = answer_who_am_i(who, out);
        break;
    case ZK_OP_SYNC:
        err = answer_sync(&d, out);
        break;
    case ZK_OP_MULTI_READ:
        err = answer_multi_read(n, c, &d, who, out, &keep_body);
        break;
    default:
        err = answer_watch_op(n, c, op, &d, out, fx);
        break;
    }
    if (err != 0 && keep_body)
        store_be32(out->ptr + begun + 16, (uint32_t)err);
    else if (err != 0)
        reply_fail(fx, begun, err);
    reply_end(n, c, begun, fx);
}
