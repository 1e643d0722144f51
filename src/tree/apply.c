#include "tree/apply.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "tree/tree_internal.h"
#include "tree/txn.h"

static const uint64_t OWNER_CONTAINER = 0x8000000000000000ULL;
static const uint64_t OWNER_TTL = 0xff00000000000000ULL;

/* ---- effects ---- */

static void effects_clear(struct tree_effects *fx)
{
    fx->result = (struct tree_result){0};
    fx->sub_count = 0;
    fx->change_count = 0;
    buf_clear(&fx->paths);
    fx->quota_soft_exceeded = 0;
    fx->digest_mismatch = false;
}

void tree_effects_deinit(struct tree_effects *fx)
{
    free(fx->subs);
    free(fx->changes);
    buf_deinit(&fx->paths);
    *fx = (struct tree_effects){0};
}

static struct tree_result *sub_push(struct tree_effects *fx)
{
    if (fx->sub_count == fx->sub_cap) {
        fx->sub_cap = fx->sub_cap ? 2 * fx->sub_cap : 16;
        fx->subs = mem_realloc(fx->subs, fx->sub_cap * sizeof *fx->subs);
    }
    return &fx->subs[fx->sub_count++];
}

static void change_push(struct tree_effects *fx, struct tree_change change)
{
    if (fx->change_count == fx->change_cap) {
        fx->change_cap = fx->change_cap ? 2 * fx->change_cap : 16;
        fx->changes = mem_realloc(fx->changes, fx->change_cap * sizeof *fx->changes);
    }
    fx->changes[fx->change_count++] = change;
}

/* ---- create ---- */

/* The parent has one more child. A replay over a fuzzy snapshot may meet a parent that is ahead
 * already, which must not be set back. -1: a txn of before 3.4 does not know the number. */
static void parent_count_create(struct tree *t, struct znode *parent, struct slice parent_path,
                                int32_t cversion, int64_t zxid)
{
    if (cversion == -1)
        cversion = (int32_t)((uint32_t)parent->cversion + 1);
    if (cversion <= parent->cversion)
        return;
    struct rec_stat_persisted before;
    znode_stat_persisted(parent, &before);
    snapshot_before_change(t, parent);
    parent->cversion = cversion;
    parent->pzxid = zxid;
    digest_update_stat(t, parent, parent_path, &before);
}

static uint64_t owner_of(const struct rec_txn_header *hdr, const struct txn *txn)
{
    switch (txn->type) {
    case ZK_OP_CREATE_CONTAINER:
        return OWNER_CONTAINER;
    case ZK_OP_CREATE_TTL:
        return OWNER_TTL | (uint64_t)txn->ttl_ms;
    default:
        return txn->ephemeral ? (uint64_t)hdr->client_id : 0;
    }
}

static int32_t apply_create(struct tree *t, const struct rec_txn_header *hdr, const struct txn *txn,
                            struct tree_effects *fx, struct rec_stat *ret_stat)
{
    struct slice parent_path = path_parent(txn->path);
    struct slice name = path_name(txn->path);
    struct znode *parent = tree_find(t, parent_path);
    if (parent == NULL)
        return ZK_NONODE;

    uint32_t acl_id = acl_cache_intern(&t->acls, txn->acl);
    struct znode *existing = tree_find_child(t, parent, name);
    if (existing != NULL) {
        /* Only in a replay over a fuzzy snapshot, which has the node of a later zxid. Its ACL may
         * have come too late for the snapshot's ACL map, so it is taken from here. */
        snapshot_before_change(t, existing);
        acl_cache_release(&t->acls, existing->acl_id);
        existing->acl_id = acl_id;
        /* ZooKeeper does this for the oldest kind of create only, so its digests say. */
        if (txn->type == ZK_OP_CREATE)
            parent_count_create(t, parent, parent_path, txn->version, hdr->zxid);
        return ZK_NODEEXISTS;
    }

    parent_count_create(t, parent, parent_path, txn->version, hdr->zxid);
    struct znode_init init = {
        .name = name,
        .data = txn->data,
        .ephemeral_owner = owner_of(hdr, txn),
        .acl_id = acl_id,
        .czxid = hdr->zxid,
        .mzxid = hdr->zxid,
        .pzxid = hdr->zxid,
        .ctime_ms = hdr->time,
        .mtime_ms = hdr->time,
    };
    struct znode *n = tree_link(t, parent, &init, txn->path);
    znode_stat(t, n, ret_stat);
    quota_on_create(t, txn->path, txn->data, fx);
    change_push(fx, (struct tree_change){
                        .type = TREE_CREATED,
                        .path = txn->path,
                        .acl_id = acl_id,
                        .parent_acl_id = parent->acl_id,
                        .data_bytes = (uint32_t)txn->data.len,
                    });
    return 0;
}

/* ---- delete ---- */

/* The change's path is the caller's: it may have to survive the growth of fx->paths. */
static int32_t delete_node(struct tree *t, struct slice path, int64_t zxid, struct tree_effects *fx)
{
    struct slice parent_path = path_parent(path);
    struct znode *parent = tree_find(t, parent_path);
    if (parent == NULL)
        return ZK_NONODE;

    /* Even when the node is gone already: a fuzzy snapshot may hold the parent of before. */
    if (zxid > parent->pzxid) {
        struct rec_stat_persisted before;
        znode_stat_persisted(parent, &before);
        snapshot_before_change(t, parent);
        parent->pzxid = zxid;
        digest_update_stat(t, parent, parent_path, &before);
    }

    struct znode *n = tree_find_child(t, parent, path_name(path));
    if (n == NULL)
        return ZK_NONODE;
    change_push(fx, (struct tree_change){
                        .type = TREE_DELETED,
                        .path = path,
                        .acl_id = n->acl_id,
                        .parent_acl_id = parent->acl_id,
                    });
    uint32_t data_len = n->data_len;
    /* A node with children can only be met in a replay over a fuzzy snapshot. The children were
     * made by later txns, which will be replayed and make them again. */
    tree_unlink_subtree(t, n, path);
    quota_on_delete(t, path, data_len);
    return 0;
}

/* ---- set ---- */

static int32_t apply_set_data(struct tree *t, const struct rec_txn_header *hdr,
                              const struct txn *txn, struct tree_effects *fx,
                              struct rec_stat *ret_stat)
{
    struct znode *n = tree_find(t, txn->path);
    if (n == NULL)
        return ZK_NONODE;

    snapshot_before_change(t, n);
    int64_t bytes_diff = (int64_t)txn->data.len - (int64_t)n->data_len;
    tree_replace_data(t, n, txn->data);
    n->mtime_ms = hdr->time;
    n->mzxid = hdr->zxid;
    n->version = txn->version;
    digest_update(t, n, txn->path);
    znode_stat(t, n, ret_stat);
    quota_on_set_data(t, txn->path, bytes_diff, fx);
    change_push(fx, (struct tree_change){
                        .type = TREE_DATA_CHANGED,
                        .path = txn->path,
                        .acl_id = n->acl_id,
                        .parent_acl_id = n->parent ? n->parent->acl_id : n->acl_id,
                        .data_bytes = (uint32_t)txn->data.len,
                    });
    return 0;
}

static int32_t apply_set_acl(struct tree *t, const struct txn *txn, struct rec_stat *ret_stat)
{
    struct znode *n = tree_find(t, txn->path);
    if (n == NULL)
        return ZK_NONODE;

    snapshot_before_change(t, n);
    uint32_t acl_id = acl_cache_intern(&t->acls, txn->acl);
    acl_cache_release(&t->acls, n->acl_id);
    n->acl_id = acl_id;

    struct rec_stat_persisted before;
    znode_stat_persisted(n, &before);
    n->aversion = txn->version;
    digest_update_stat(t, n, txn->path, &before);
    znode_stat(t, n, ret_stat);
    return 0;
}

/* ---- sessions ---- */

/* Deletes what the session still owns, oldest first. Paths go to fx->paths, which may move as it
 * grows: the changes get theirs when all are there. */
static void delete_ephemerals(struct tree *t, uint64_t session_id, int64_t zxid,
                              struct tree_effects *fx)
{
    size_t first = fx->change_count;
    const struct session_ephemerals *se;
    while ((se = ephemeral_session(t, session_id)) != NULL) {
        size_t at = fx->paths.len;
        znode_path(znode_of_link(se->nodes.next), &fx->paths);
        int32_t err = delete_node(t, slice_from(buf_slice(&fx->paths), at), zxid, fx);
        invariant(err == 0);
    }

    size_t at = 0;
    for (size_t i = first; i < fx->change_count; i++) {
        struct slice *path = &fx->changes[i].path;
        path->ptr = fx->paths.ptr + at;
        at += path->len;
    }
}

static void close_session(struct tree *t, const struct rec_txn_header *hdr, const struct txn *txn,
                          struct tree_effects *fx)
{
    struct dec d = dec_of(txn->list.raw);
    for (int32_t i = 0; i < txn->list.count; i++) {
        struct slice path = dec_ustring(&d);
        if (path_names_child(path))
            delete_node(t, path, hdr->zxid, fx);
    }
    delete_ephemerals(t, (uint64_t)hdr->client_id, hdr->zxid, fx);
}

void tree_kill_session(struct tree *t, int64_t session_id, int64_t zxid, struct tree_effects *fx)
{
    effects_clear(fx);
    acl_cache_reap(&t->acls);
    delete_ephemerals(t, (uint64_t)session_id, zxid, fx);
}

/* ---- a txn ---- */

static void apply_one(struct tree *t, const struct rec_txn_header *hdr, const struct txn *txn,
                      struct tree_effects *fx, struct tree_result *ret_result)
{
    struct tree_result r = {.type = txn->type, .path = txn->path};
    switch (txn->type) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_TTL:
    case ZK_OP_CREATE_CONTAINER:
        r.err = apply_create(t, hdr, txn, fx, &r.stat);
        break;
    case ZK_OP_DELETE:
    case ZK_OP_DELETE_CONTAINER:
        r.err = delete_node(t, txn->path, hdr->zxid, fx);
        break;
    case ZK_OP_SET_DATA:
    case ZK_OP_RECONFIG:
        r.err = apply_set_data(t, hdr, txn, fx, &r.stat);
        break;
    case ZK_OP_SET_ACL:
        r.err = apply_set_acl(t, txn, &r.stat);
        break;
    case ZK_OP_CLOSE_SESSION:
        close_session(t, hdr, txn, fx);
        break;
    case ZK_OP_ERROR:
        r.err = txn->err;
        break;
    default:
        break; /* createSession and check change nothing here */
    }
    *ret_result = r;
}

static void apply_multi(struct tree *t, const struct rec_txn_header *hdr, const struct txn *multi,
                        struct tree_effects *fx)
{
    struct dec parts = dec_of(multi->list.raw);
    bool after_error = false;
    for (int32_t i = 0; i < multi->list.count; i++) {
        struct txn part;
        bool taken = txn_get_part(&parts, &part);
        invariant(taken); /* txn_get has seen it */
        after_error |= part.type == ZK_OP_ERROR;
        if (multi->has_error_part && part.type != ZK_OP_ERROR)
            part = (struct txn){
                .type = ZK_OP_ERROR,
                .err = after_error ? ZK_RUNTIMEINCONSISTENCY : 0,
            };

        struct tree_result result;
        apply_one(t, hdr, &part, fx, &result);
        *sub_push(fx) = result;
        if (fx->result.err == 0)
            fx->result.err = result.err;
    }
}

int tree_apply(struct tree *t, const struct rec_txn_header *hdr, struct slice body,
               const struct rec_txn_digest *digest, struct tree_effects *fx)
{
    effects_clear(fx);
    acl_cache_reap(&t->acls);

    struct dec d = dec_of(body);
    struct txn txn;
    if (!txn_get(&d, hdr->type, &txn))
        return ERR_CORRUPT;

    if (txn.type == ZK_OP_MULTI) {
        fx->result.type = ZK_OP_MULTI;
        apply_multi(t, hdr, &txn, fx);
    } else {
        apply_one(t, hdr, &txn, fx, &fx->result);
    }

    if (hdr->zxid > t->last_zxid)
        t->last_zxid = hdr->zxid;
    fx->digest_mismatch = digest_after_txn(t, hdr->zxid, digest);
    return 0;
}
