/* prep_kit.h: a tree with its prep, requests in one line, and proposals that wait to be committed.
 * For the tests test_prep*.c only. */
#ifndef CAUCUS_TESTS_PREP_KIT_H
#define CAUCUS_TESTS_PREP_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tree/apply.h"
#include "tree/prep.h"
#include "tree/tree.h"
#include "wire/records.h"
#include "wire/zk.h"

enum {
    KIT_PROPOSALS_MAX = 8192,
    KIT_SESSION = 0x1000,
};

struct kit_proposal {
    int64_t zxid;
    size_t at, len; /* in kit.log */
    struct prep_result result;
};

struct kit {
    struct tree *tree;
    struct prep *prep;
    struct tree_effects fx;
    struct buf log; /* every proposal, as the transaction log has it */
    struct buf record;
    struct kit_proposal proposals[KIT_PROPOSALS_MAX];
    size_t proposed, committed;
    int64_t zxid, now_ms;
    int64_t session_id;
    int32_t session_err, global_session_err;
    struct identities who;
    struct prep_result last;
};

struct kit_options {
    struct prep_options prep;
    bool no_digest;
    bool extended_types;
};

static const struct kit_options KIT_DEFAULTS = {.prep = {.close_session_txn_enabled = true},
                                                .extended_types = true};

static inline struct kit *kit_open(const struct kit_options *options)
{
    struct kit *k = mem_calloc(1, sizeof *k);
    struct tree_options tree = {.hash_seed = 7,
                                .digest_enabled = !options->no_digest,
                                .extended_types_enabled = options->extended_types};
    k->tree = tree_create(&tree);
    k->prep = prep_create(k->tree, &options->prep, 11);
    k->now_ms = 1700000000000;
    k->session_id = KIT_SESSION;
    return k;
}

static inline void kit_close(struct kit *k)
{
    prep_free(k->prep);
    tree_effects_deinit(&k->fx);
    tree_free(k->tree);
    buf_deinit(&k->log);
    buf_deinit(&k->record);
    free(k);
}

/* Preps what stands in k->record. Returns its error; a proposal is kept until it is committed. */
static inline int32_t kit_prep(struct kit *k, int32_t op)
{
    struct prep_request req = {
        .session_id = k->session_id,
        .cxid = 5,
        .op = op,
        .record = buf_slice(&k->record),
        .who = k->who,
        .session_err = k->session_err,
        .global_session_err = k->global_session_err,
        .session_timeout_ms = 30000,
        .zxid = k->zxid + 1,
        .now_ms = ++k->now_ms,
    };
    size_t at = k->log.len;
    prep_request(k->prep, &req, &k->log, &k->last);
    if (k->last.outcome == PREP_NO_TXN) {
        assert_int_equal(k->log.len, at);
        return k->last.err;
    }
    assert_true(k->proposed < KIT_PROPOSALS_MAX);
    k->zxid = req.zxid;
    k->proposals[k->proposed++] = (struct kit_proposal){k->zxid, at, k->log.len - at, k->last};
    return k->last.err;
}

/* Applies the oldest proposal from its bytes alone, as a follower would, and checks its digest. */
static inline void kit_commit_one(struct kit *k)
{
    assert_true(k->committed < k->proposed);
    struct kit_proposal pr = k->proposals[k->committed++];
    struct txn_entry e;
    assert_int_equal(txn_split(slice_of(k->log.ptr + pr.at, pr.len), &e), 0);
    assert_int_equal(e.hdr.zxid, pr.zxid);
    assert_int_equal(tree_apply(k->tree, &e.hdr, e.body, e.has_digest ? &e.digest : NULL, &k->fx),
                     0);
    assert_false(k->fx.digest_mismatch);
    if (e.has_digest)
        assert_int_equal(e.digest.tree_digest, tree_digest(k->tree));
    prep_committed(k->prep, pr.zxid);
}

/* The same from what prep_request said about it, as the replica that proposed it does. */
static inline void kit_commit_own(struct kit *k)
{
    assert_true(k->committed < k->proposed);
    const struct prep_result *r = &k->proposals[k->committed++].result;
    struct slice body = slice_of(k->log.ptr + r->txn_at, r->txn_len);
    assert_int_equal(tree_apply(k->tree, &r->hdr, body, &r->digest, &k->fx), 0);
    assert_false(k->fx.digest_mismatch);
    prep_committed(k->prep, r->hdr.zxid);
}

static inline void kit_commit_all(struct kit *k)
{
    while (k->committed < k->proposed)
        kit_commit_one(k);
    assert_int_equal(prep_outstanding(k->prep), 0);
}

/* ---- records ---- */

static inline struct slice kit_slice(const char *text)
{
    return text ? slice_str(text) : (struct slice){0};
}

/* One entry, or several, of an ACL. */
struct kit_acl {
    int32_t perms;
    const char *scheme, *id;
};

static inline void kit_put_acl(struct buf *b, const struct kit_acl *acl, size_t count)
{
    buf_put_i32(b, (int32_t)count);
    for (size_t i = 0; i < count; i++) {
        struct rec_acl a = {acl[i].perms, {kit_slice(acl[i].scheme), kit_slice(acl[i].id)}};
        rec_put_acl(b, &a);
    }
}

static const struct kit_acl KIT_OPEN = {ZK_PERM_ALL, "world", "anyone"};

static inline void kit_put_create(struct buf *b, const char *path, struct slice data,
                                  struct kit_acl acl, int32_t flags)
{
    rec_put_slice(b, kit_slice(path));
    rec_put_slice(b, data);
    kit_put_acl(b, &acl, acl.scheme ? 1 : 0);
    buf_put_i32(b, flags);
}

static inline int32_t kit_create_acl(struct kit *k, int32_t op, const char *path, const char *data,
                                     struct kit_acl acl, int32_t flags)
{
    buf_clear(&k->record);
    kit_put_create(&k->record, path, kit_slice(data), acl, flags);
    return kit_prep(k, op);
}

static inline int32_t kit_create(struct kit *k, const char *path, const char *data, int32_t flags)
{
    return kit_create_acl(k, ZK_OP_CREATE, path, data, KIT_OPEN, flags);
}

static inline int32_t kit_create_ttl(struct kit *k, const char *path, int32_t flags, int64_t ttl_ms)
{
    buf_clear(&k->record);
    kit_put_create(&k->record, path, kit_slice(""), KIT_OPEN, flags);
    buf_put_i64(&k->record, ttl_ms);
    return kit_prep(k, ZK_OP_CREATE_TTL);
}

static inline int32_t kit_delete(struct kit *k, const char *path, int32_t version)
{
    buf_clear(&k->record);
    struct rec_delete_request r = {kit_slice(path), version};
    rec_put_delete_request(&k->record, &r);
    return kit_prep(k, ZK_OP_DELETE);
}

static inline int32_t kit_delete_container(struct kit *k, const char *path)
{
    buf_clear(&k->record);
    rec_put_slice(&k->record, kit_slice(path));
    return kit_prep(k, ZK_OP_DELETE_CONTAINER);
}

static inline int32_t kit_set_data(struct kit *k, const char *path, const char *data,
                                   int32_t version)
{
    buf_clear(&k->record);
    struct rec_set_data_request r = {kit_slice(path), kit_slice(data), version};
    rec_put_set_data_request(&k->record, &r);
    return kit_prep(k, ZK_OP_SET_DATA);
}

static inline int32_t kit_set_acl(struct kit *k, const char *path, struct kit_acl acl,
                                  int32_t version)
{
    buf_clear(&k->record);
    rec_put_slice(&k->record, kit_slice(path));
    kit_put_acl(&k->record, &acl, acl.scheme ? 1 : 0);
    buf_put_i32(&k->record, version);
    return kit_prep(k, ZK_OP_SET_ACL);
}

static inline int32_t kit_close_session(struct kit *k, int64_t session_id)
{
    int64_t keep = k->session_id;
    k->session_id = session_id;
    buf_clear(&k->record);
    int32_t err = kit_prep(k, ZK_OP_CLOSE_SESSION);
    k->session_id = keep;
    return err;
}

/* A multi: kit_multi_begin, parts, kit_multi_end (which preps it). */
static inline void kit_multi_begin(struct kit *k)
{
    buf_clear(&k->record);
}

static inline void kit_part_header(struct kit *k, int32_t type)
{
    rec_put_multi_header(&k->record,
                         &(struct rec_multi_header){.type = type, .done = false, .err = -1});
}

static inline void kit_part_create(struct kit *k, int32_t op, const char *path, int32_t flags)
{
    kit_part_header(k, op);
    kit_put_create(&k->record, path, kit_slice("m"), KIT_OPEN, flags);
}

static inline void kit_part_delete(struct kit *k, const char *path, int32_t version)
{
    kit_part_header(k, ZK_OP_DELETE);
    rec_put_delete_request(&k->record, &(struct rec_delete_request){kit_slice(path), version});
}

static inline void kit_part_set(struct kit *k, const char *path, const char *data, int32_t version)
{
    kit_part_header(k, ZK_OP_SET_DATA);
    struct rec_set_data_request r = {kit_slice(path), kit_slice(data), version};
    rec_put_set_data_request(&k->record, &r);
}

static inline void kit_part_check(struct kit *k, const char *path, int32_t version)
{
    kit_part_header(k, ZK_OP_CHECK);
    struct rec_check_version_request r = {kit_slice(path), version};
    rec_put_check_version_request(&k->record, &r);
}

static inline void kit_multi_done(struct kit *k)
{
    rec_put_multi_header(&k->record,
                         &(struct rec_multi_header){.type = -1, .done = true, .err = -1});
}

static inline int32_t kit_multi_end(struct kit *k)
{
    kit_multi_done(k);
    return kit_prep(k, ZK_OP_MULTI);
}

/* ---- looking ---- */

static inline struct slice kit_last_body(const struct kit *k)
{
    return slice_of(k->log.ptr + k->last.txn_at, k->last.txn_len);
}

static inline const struct znode *kit_node(const struct kit *k, const char *path)
{
    return tree_find(k->tree, slice_str(path));
}

#endif
