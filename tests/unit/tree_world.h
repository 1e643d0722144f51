/* tree_world.h: a tree under test, changed by transactions as a leader would write them. */
#ifndef CAUCUS_TESTS_TREE_WORLD_H
#define CAUCUS_TESTS_TREE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/slab.h"
#include "tree/apply.h"
#include "tree/snapshot.h"
#include "wire/zk.h"

struct world {
    struct tree *t;
    struct tree_effects fx;
    struct buf txn;
    struct buf acl; /* vector<ACL> elements for the next create or setACL; empty = open */
    int32_t acl_count;
    int64_t zxid;
    int64_t now_ms;
    int64_t session;
};

static inline void world_open(struct world *w)
{
    struct tree_options options = {
        .hash_seed = 42, .digest_enabled = true, .extended_types_enabled = true};
    *w = (struct world){.t = tree_create(&options), .acl_count = -1, .now_ms = 1700000000000};
}

static inline void world_close(struct world *w)
{
    tree_effects_deinit(&w->fx);
    buf_deinit(&w->txn);
    buf_deinit(&w->acl);
    tree_free(w->t);
}

static inline struct rec_vec world_acl(const struct world *w)
{
    return (struct rec_vec){.count = w->acl_count, .raw = buf_slice(&w->acl)};
}

static inline void acl_add(struct world *w, int32_t perms, const char *scheme, const char *id)
{
    struct rec_acl a = {.perms = perms, .id = {slice_str(scheme), slice_str(id)}};
    rec_put_acl(&w->acl, &a);
    w->acl_count = w->acl_count < 0 ? 1 : w->acl_count + 1;
}

static inline void acl_open(struct world *w)
{
    buf_clear(&w->acl);
    w->acl_count = -1;
}

static inline struct znode *node_at(const struct world *w, const char *path)
{
    return tree_find(w->t, slice_str(path));
}

static inline int32_t parent_cversion_next(const struct world *w, const char *path)
{
    const char *slash = strrchr(path, '/');
    const struct znode *parent = tree_find(w->t, slice_of(path, (size_t)(slash - path)));
    return parent ? (int32_t)((uint32_t)parent->cversion + 1) : 1;
}

/* Applies what stands in w->txn under the next zxid; the result's err. */
static inline int32_t world_apply(struct world *w, int32_t type)
{
    w->now_ms += 10;
    struct rec_txn_header hdr = {
        .client_id = w->session, .zxid = ++w->zxid, .time = w->now_ms, .type = type};
    assert_int_equal(tree_apply(w->t, &hdr, buf_slice(&w->txn), NULL, &w->fx), 0);
    return w->fx.result.err;
}

static inline void put_create(const struct world *w, const char *path, const char *data,
                              bool ephemeral, struct buf *out)
{
    struct rec_create_txn r = {
        .path = slice_str(path),
        .data = data ? slice_str(data) : (struct slice){0},
        .acl = world_acl(w),
        .ephemeral = ephemeral,
        .parent_cversion = parent_cversion_next(w, path),
    };
    rec_put_create_txn(out, &r);
}

static inline int32_t create(struct world *w, const char *path, const char *data)
{
    buf_clear(&w->txn);
    put_create(w, path, data, false, &w->txn);
    return world_apply(w, ZK_OP_CREATE);
}

static inline int32_t create_ephemeral(struct world *w, const char *path, int64_t session)
{
    buf_clear(&w->txn);
    put_create(w, path, "e", true, &w->txn);
    w->session = session;
    return world_apply(w, ZK_OP_CREATE2);
}

static inline int32_t create_container(struct world *w, const char *path)
{
    buf_clear(&w->txn);
    struct rec_create_container_txn r = {slice_str(path), slice_str("c"), world_acl(w),
                                         parent_cversion_next(w, path)};
    rec_put_create_container_txn(&w->txn, &r);
    return world_apply(w, ZK_OP_CREATE_CONTAINER);
}

static inline int32_t create_ttl(struct world *w, const char *path, int64_t ttl_ms)
{
    buf_clear(&w->txn);
    struct rec_create_ttl_txn r = {slice_str(path), slice_str("t"), world_acl(w),
                                   parent_cversion_next(w, path), ttl_ms};
    rec_put_create_ttl_txn(&w->txn, &r);
    return world_apply(w, ZK_OP_CREATE_TTL);
}

static inline int32_t delete_path(struct world *w, const char *path)
{
    buf_clear(&w->txn);
    struct rec_delete_txn r = {slice_str(path)};
    rec_put_delete_txn(&w->txn, &r);
    return world_apply(w, ZK_OP_DELETE);
}

static inline int32_t set_data(struct world *w, const char *path, const char *data, int32_t version)
{
    buf_clear(&w->txn);
    struct rec_set_data_txn r = {slice_str(path), data ? slice_str(data) : (struct slice){0},
                                 version};
    rec_put_set_data_txn(&w->txn, &r);
    return world_apply(w, ZK_OP_SET_DATA);
}

static inline int32_t set_acl(struct world *w, const char *path, int32_t version)
{
    buf_clear(&w->txn);
    struct rec_set_acl_txn r = {slice_str(path), world_acl(w), version};
    rec_put_set_acl_txn(&w->txn, &r);
    return world_apply(w, ZK_OP_SET_ACL);
}

static inline int32_t close_session(struct world *w, int64_t session)
{
    buf_clear(&w->txn);
    w->session = session;
    return world_apply(w, ZK_OP_CLOSE_SESSION);
}

/* ---- comparing ---- */

static inline void assert_path(struct slice path, const char *expected)
{
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)path.len, (const char *)path.ptr);
    assert_string_equal(text, expected);
}

static inline void assert_data(const struct znode *n, const char *expected)
{
    assert_non_null(n);
    assert_path(znode_data(n), expected);
}

static inline void assert_same_acl(const struct tree *a, uint32_t a_id, const struct tree *b,
                                   uint32_t b_id)
{
    struct rec_vec x = tree_acl_get(a, a_id);
    struct rec_vec y = tree_acl_get(b, b_id);
    assert_int_equal(x.count, y.count);
    assert_true(slice_eq(x.raw, y.raw));
}

/* Everything a snapshot keeps, field by field. */
static inline void assert_same_node(const struct tree *a, const struct znode *x,
                                    const struct tree *b, const struct znode *y)
{
    assert_int_equal(x->czxid, y->czxid);
    assert_int_equal(x->mzxid, y->mzxid);
    assert_int_equal(x->pzxid, y->pzxid);
    assert_int_equal(x->ctime_ms, y->ctime_ms);
    assert_int_equal(x->mtime_ms, y->mtime_ms);
    assert_int_equal(x->version, y->version);
    assert_int_equal(x->cversion, y->cversion);
    assert_int_equal(x->aversion, y->aversion);
    assert_int_equal(x->ephemeral_owner, y->ephemeral_owner);
    assert_int_equal(x->child_count, y->child_count);
    assert_int_equal(x->digest, y->digest);
    assert_int_equal(x->data == NULL, y->data == NULL);
    assert_true(slice_eq(znode_data(x), znode_data(y)));
    assert_same_acl(a, x->acl_id, b, y->acl_id);
}

static inline const struct znode *preorder_next(const struct znode *n)
{
    if (n->child_first != NULL)
        return n->child_first;
    while (n != NULL && n->sibling_next == NULL)
        n = n->parent;
    return n ? n->sibling_next : NULL;
}

static inline void assert_same_tree(const struct tree *a, const struct tree *b)
{
    struct buf path = {0};
    uint64_t count = 0;
    for (const struct znode *x = tree_find(a, slice_str("/")); x != NULL; x = preorder_next(x)) {
        buf_clear(&path);
        znode_path(x, &path);
        const struct znode *y = tree_find(b, buf_slice(&path));
        if (y == NULL)
            fail_msg("missing: %.*s", (int)path.len, (const char *)path.ptr);
        assert_same_node(a, x, b, y);
        count++;
    }
    assert_int_equal(count, tree_node_count(a));
    assert_int_equal(tree_node_count(a), tree_node_count(b));
    assert_int_equal(tree_digest(a), tree_digest(b));
    assert_int_equal(tree_ephemeral_count(a), tree_ephemeral_count(b));
    assert_int_equal(tree_approximate_data_bytes(a), tree_approximate_data_bytes(b));
    buf_deinit(&path);
}

/* Collects visited paths: "a,b,c". */
static inline void collect_path(void *arg, struct slice path)
{
    struct buf *out = arg;
    if (out->len > 0)
        buf_put_u8(out, ',');
    buf_put_slice(out, path);
}

#define assert_collected(buf, expected)                                                            \
    do {                                                                                           \
        assert_path(buf_slice(buf), expected);                                                     \
        buf_clear(buf);                                                                            \
    } while (0)

#endif
