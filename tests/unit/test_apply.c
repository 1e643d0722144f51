/* links: tree */
/* Transactions as DataTree.processTxn applies them, replays over fuzzy snapshots, quotas, digests.
 */
#include "tree/quota.h"
#include "tree_world.h"

static void assert_change(const struct world *w, size_t i, enum tree_change_type type,
                          const char *path)
{
    assert_in_range(i, 0, w->fx.change_count - 1);
    assert_int_equal(w->fx.changes[i].type, type);
    assert_path(w->fx.changes[i].path, path);
}

static void a_create_sets_the_stats_of_child_and_parent(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/a", "x");
    assert_int_equal(create(&w, "/a/b", "yy"), 0);
    const struct znode *b = node_at(&w, "/a/b");
    assert_int_equal(b->czxid, 2);
    assert_int_equal(b->mzxid, 2);
    assert_int_equal(b->pzxid, 2);
    assert_int_equal(b->ctime_ms, w.now_ms);
    assert_int_equal(b->mtime_ms, w.now_ms);
    const struct znode *a = node_at(&w, "/a");
    assert_int_equal(a->cversion, 1);
    assert_int_equal(a->pzxid, 2);
    assert_int_equal(a->mzxid, 1);

    assert_int_equal(w.fx.result.type, ZK_OP_CREATE);
    assert_path(w.fx.result.path, "/a/b");
    assert_int_equal(w.fx.result.stat.data_length, 2);
    assert_int_equal(w.fx.change_count, 1);
    assert_change(&w, 0, TREE_CREATED, "/a/b");
    assert_int_equal(tree_last_zxid(w.t), 2);
    world_close(&w);
}

static void a_cversion_of_minus_one_counts_up_and_a_smaller_one_changes_nothing(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/p", "");
    create(&w, "/p/a", "");
    create(&w, "/p/b", "");
    int64_t pzxid = node_at(&w, "/p")->pzxid;

    buf_clear(&w.txn);
    struct rec_create_txn late = {.path = slice_str("/p/c"), .acl.count = -1, .parent_cversion = 1};
    rec_put_create_txn(&w.txn, &late);
    assert_int_equal(world_apply(&w, ZK_OP_CREATE), 0);
    assert_int_equal(node_at(&w, "/p")->cversion, 2);
    assert_int_equal(node_at(&w, "/p")->pzxid, pzxid);

    buf_clear(&w.txn);
    struct rec_create_txn_v0 old = {.path = slice_str("/p/d"), .acl.count = -1};
    rec_put_create_txn_v0(&w.txn, &old);
    assert_int_equal(world_apply(&w, ZK_OP_CREATE), 0);
    assert_int_equal(node_at(&w, "/p")->cversion, 3);
    assert_int_equal(node_at(&w, "/p")->pzxid, w.zxid);
    world_close(&w);
}

static void
a_create_without_parent_or_a_delete_without_node_is_an_answer_not_a_failure(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    assert_int_equal(create(&w, "/no/child", ""), ZK_NONODE);
    assert_int_equal(delete_path(&w, "/no"), ZK_NONODE);
    assert_int_equal(delete_path(&w, "/no/child"), ZK_NONODE);
    assert_int_equal(set_data(&w, "/no", "", 1), ZK_NONODE);
    assert_int_equal(set_acl(&w, "/no", 1), ZK_NONODE);
    assert_int_equal(w.fx.change_count, 0);
    assert_int_equal(tree_last_zxid(w.t), 5);
    world_close(&w);
}

static void a_delete_moves_the_parents_pzxid_only_forward(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/p", "");
    create(&w, "/p/a", "");
    w.zxid = 99;
    create(&w, "/p/b", "");
    w.zxid = 49;
    assert_int_equal(delete_path(&w, "/p/a"), 0); /* zxid 50, replayed */
    assert_int_equal(node_at(&w, "/p")->pzxid, 100);
    assert_int_equal(tree_last_zxid(w.t), 100);
    w.zxid = 100;
    assert_int_equal(delete_path(&w, "/p/b"), 0);
    assert_change(&w, 0, TREE_DELETED, "/p/b");
    assert_int_equal(node_at(&w, "/p")->pzxid, 101);
    assert_int_equal(node_at(&w, "/p")->cversion, 2);
    world_close(&w);
}

static void set_data_and_set_acl_touch_what_they_should(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/a", "1");
    int64_t created_ms = w.now_ms;
    assert_int_equal(set_data(&w, "/a", "22", 7), 0);
    assert_int_equal(w.fx.result.stat.version, 7);
    assert_int_equal(w.fx.result.stat.data_length, 2);
    assert_change(&w, 0, TREE_DATA_CHANGED, "/a");
    acl_add(&w, ZK_PERM_READ, "digest", "a:b");
    assert_int_equal(set_acl(&w, "/a", 3), 0);
    assert_int_equal(w.fx.result.stat.aversion, 3);
    assert_int_equal(w.fx.change_count, 0);

    const struct znode *a = node_at(&w, "/a");
    assert_int_equal(a->mzxid, 2);
    assert_int_equal(a->ctime_ms, created_ms);
    assert_int_equal(a->mtime_ms, created_ms + 10);
    assert_int_equal(a->version, 7);
    assert_int_equal(a->aversion, 3);
    assert_data(a, "22");
    assert_int_equal(set_data(&w, "/", "root", 1), 0);
    assert_change(&w, 0, TREE_DATA_CHANGED, "/");
    world_close(&w);
}

static void versions_wrap_like_java_ints(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/p", "");
    node_at(&w, "/p")->cversion = INT32_MAX;
    struct rec_stat stat;
    znode_stat(w.t, node_at(&w, "/p"), &stat);
    assert_int_equal(stat.cversion, -2);
    buf_clear(&w.txn);
    struct rec_create_txn_v0 old = {.path = slice_str("/p/d"), .acl.count = -1};
    rec_put_create_txn_v0(&w.txn, &old);
    assert_int_equal(world_apply(&w, ZK_OP_CREATE), 0);
    assert_int_equal(node_at(&w, "/p")->cversion, INT32_MAX); /* INT32_MIN is not larger */
    world_close(&w);
}

/* ---- sessions ---- */

static void closing_a_session_deletes_its_ephemerals_in_the_order_of_creation(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/p", "");
    char path[64];
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "/p/%d", i);
        create_ephemeral(&w, path, 5);
    }
    create_ephemeral(&w, "/other", 6);
    assert_int_equal(close_session(&w, 5), 0);
    assert_int_equal(w.fx.change_count, 200);
    for (size_t i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "/p/%zu", i);
        assert_change(&w, i, TREE_DELETED, path);
    }
    assert_int_equal(node_at(&w, "/p")->child_count, 0);
    assert_int_equal(node_at(&w, "/p")->pzxid, w.zxid);
    assert_non_null(node_at(&w, "/other"));
    assert_int_equal(tree_ephemeral_count(w.t), 1);
    world_close(&w);
}

static void the_paths_of_a_close_txn_go_first_and_what_it_forgot_goes_too(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create_ephemeral(&w, "/a", 5);
    create_ephemeral(&w, "/b", 5);
    create_ephemeral(&w, "/c", 5);
    struct buf paths = {0};
    rec_put_slice(&paths, slice_str("/c"));
    rec_put_slice(&paths, slice_str("/gone"));
    rec_put_slice(&paths, slice_str("not a path"));
    rec_put_slice(&paths, slice_str("/a"));
    struct rec_close_session_txn r = {{.count = 4, .raw = buf_slice(&paths)}};
    buf_clear(&w.txn);
    rec_put_close_session_txn(&w.txn, &r);
    assert_int_equal(world_apply(&w, ZK_OP_CLOSE_SESSION), 0);
    assert_int_equal(w.fx.change_count, 3);
    assert_change(&w, 0, TREE_DELETED, "/c");
    assert_change(&w, 1, TREE_DELETED, "/a");
    assert_change(&w, 2, TREE_DELETED, "/b");
    buf_deinit(&paths);
    world_close(&w);
}

static void killing_a_session_outside_of_txns_does_not_move_the_zxid(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create_ephemeral(&w, "/a", 5);
    tree_kill_session(w.t, 5, 1, &w.fx);
    assert_change(&w, 0, TREE_DELETED, "/a");
    assert_null(node_at(&w, "/a"));
    assert_int_equal(tree_last_zxid(w.t), 1);
    world_close(&w);
}

/* ---- errors and multi ---- */

static void an_error_txn_moves_the_zxid_and_nothing_else(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    uint64_t digest = tree_digest(w.t);
    buf_clear(&w.txn);
    rec_put_error_txn(&w.txn, &(struct rec_error_txn){ZK_NODEEXISTS});
    assert_int_equal(world_apply(&w, ZK_OP_ERROR), ZK_NODEEXISTS);
    assert_int_equal(w.fx.result.type, ZK_OP_ERROR);
    assert_int_equal(tree_last_zxid(w.t), 1);
    assert_int_equal(tree_digest(w.t), digest);
    world_close(&w);
}

struct multi {
    struct buf parts, part;
    int32_t count;
};

static void multi_add(struct multi *m, int32_t type)
{
    struct rec_txn r = {.type = type, .data = buf_slice(&m->part)};
    rec_put_txn(&m->parts, &r);
    buf_clear(&m->part);
    m->count++;
}

static void multi_add_create(struct multi *m, const struct world *w, const char *path,
                             int32_t parent_cversion)
{
    (void)w;
    struct rec_create_txn r = {
        slice_str(path), slice_str("m"), {.count = -1}, false, parent_cversion};
    rec_put_create_txn(&m->part, &r);
    multi_add(m, ZK_OP_CREATE);
}

static void multi_add_delete(struct multi *m, const char *path)
{
    rec_put_delete_txn(&m->part, &(struct rec_delete_txn){slice_str(path)});
    multi_add(m, ZK_OP_DELETE);
}

static void multi_add_error(struct multi *m, int32_t err)
{
    rec_put_error_txn(&m->part, &(struct rec_error_txn){err});
    multi_add(m, ZK_OP_ERROR);
}

static void multi_put(struct multi *m, struct world *w)
{
    buf_clear(&w->txn);
    struct rec_multi_txn r = {{.count = m->count, .raw = buf_slice(&m->parts)}};
    rec_put_multi_txn(&w->txn, &r);
    buf_deinit(&m->parts);
    buf_deinit(&m->part);
    *m = (struct multi){0};
}

static void a_multi_applies_its_parts_in_order_under_one_zxid(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/old", "");
    struct multi m = {0};
    multi_add_create(&m, &w, "/a", 2);
    multi_add_create(&m, &w, "/a/b", 1);
    rec_put_set_data_txn(&m.part,
                         &(struct rec_set_data_txn){slice_str("/a/b"), slice_str("new"), 1});
    multi_add(&m, ZK_OP_SET_DATA);
    rec_put_check_version_txn(&m.part, &(struct rec_check_version_txn){slice_str("/a"), 0});
    multi_add(&m, ZK_OP_CHECK);
    multi_add_delete(&m, "/old");
    multi_put(&m, &w);
    assert_int_equal(world_apply(&w, ZK_OP_MULTI), 0);

    assert_int_equal(w.fx.result.type, ZK_OP_MULTI);
    assert_int_equal(w.fx.sub_count, 5);
    static const int32_t types[] = {ZK_OP_CREATE, ZK_OP_CREATE, ZK_OP_SET_DATA, ZK_OP_CHECK,
                                    ZK_OP_DELETE};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(w.fx.subs[i].type, types[i]);
        assert_int_equal(w.fx.subs[i].err, 0);
    }
    assert_int_equal(w.fx.subs[2].stat.version, 1);
    assert_int_equal(w.fx.change_count, 4);
    assert_change(&w, 0, TREE_CREATED, "/a");
    assert_change(&w, 1, TREE_CREATED, "/a/b");
    assert_change(&w, 2, TREE_DATA_CHANGED, "/a/b");
    assert_change(&w, 3, TREE_DELETED, "/old");
    assert_int_equal(node_at(&w, "/a/b")->czxid, 2);
    assert_data(node_at(&w, "/a/b"), "new");
    world_close(&w);
}

static void a_failed_multi_changes_nothing_and_tells_every_part_why(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    uint64_t digest = tree_digest(w.t);
    struct multi m = {0};
    multi_add_error(&m, 0);
    multi_add_error(&m, ZK_NONODE);
    multi_add_error(&m, ZK_RUNTIMEINCONSISTENCY);
    multi_put(&m, &w);
    assert_int_equal(world_apply(&w, ZK_OP_MULTI), ZK_NONODE);
    assert_int_equal(w.fx.subs[0].err, 0);
    assert_int_equal(w.fx.subs[1].err, ZK_NONODE);
    assert_int_equal(w.fx.subs[2].err, ZK_RUNTIMEINCONSISTENCY);

    /* Parts that are not errors become ones. */
    multi_add_create(&m, &w, "/a", 1);
    multi_add_error(&m, ZK_BADVERSION);
    multi_add_create(&m, &w, "/b", 2);
    multi_put(&m, &w);
    assert_int_equal(world_apply(&w, ZK_OP_MULTI), ZK_BADVERSION);
    assert_int_equal(w.fx.sub_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w.fx.subs[i].type, ZK_OP_ERROR);
    assert_int_equal(w.fx.subs[0].err, 0);
    assert_int_equal(w.fx.subs[1].err, ZK_BADVERSION);
    assert_int_equal(w.fx.subs[2].err, ZK_RUNTIMEINCONSISTENCY);
    assert_int_equal(w.fx.change_count, 0);
    assert_int_equal(tree_digest(w.t), digest);
    assert_null(node_at(&w, "/a"));
    world_close(&w);
}

static void malformed_txns_are_corrupt_and_change_nothing(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/a", "data");
    struct multi m = {0};
    multi_add_create(&m, &w, "/b", 2);
    multi_add_delete(&m, "/a");
    multi_put(&m, &w);
    uint64_t digest = tree_digest(w.t);

    struct rec_txn_header hdr = {.zxid = 9, .type = ZK_OP_MULTI};
    for (size_t len = 0; len < w.txn.len; len++)
        assert_int_equal(tree_apply(w.t, &hdr, slice_of(w.txn.ptr, len), NULL, &w.fx), ERR_CORRUPT);

    /* 13, a check, is none of them: it can be in a log (a_check_on_its_own_...). */
    static const int32_t types[] = {0, 3, 22, 100, 999, -2, -100, INT32_MIN};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        hdr.type = types[i];
        assert_int_equal(tree_apply(w.t, &hdr, buf_slice(&w.txn), NULL, &w.fx), ERR_CORRUPT);
    }

    static const char *const paths[] = {"", "/", "a", "/a/", "//", "//a"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        buf_clear(&w.txn);
        rec_put_delete_txn(&w.txn, &(struct rec_delete_txn){slice_str(paths[i])});
        hdr.type = ZK_OP_DELETE;
        assert_int_equal(tree_apply(w.t, &hdr, buf_slice(&w.txn), NULL, &w.fx), ERR_CORRUPT);
        buf_clear(&w.txn);
        put_create(&w, "/x", "", false, &w.txn);
        struct rec_create_txn r = {slice_str(paths[i]), {0}, {.count = -1}, false, 1};
        buf_clear(&w.txn);
        rec_put_create_txn(&w.txn, &r);
        hdr.type = ZK_OP_CREATE;
        assert_int_equal(tree_apply(w.t, &hdr, buf_slice(&w.txn), NULL, &w.fx), ERR_CORRUPT);
    }
    assert_int_equal(tree_digest(w.t), digest);
    assert_int_equal(tree_last_zxid(w.t), 1);
    world_close(&w);
}

static void random_bytes_never_break_an_apply(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/a", "data");
    static const int32_t types[] = {1, 2, 5, 7, 13, 14, 15, 16, 19, 20, 21, -1, -10, -11};
    srand(7);
    uint8_t bytes[200];
    for (int i = 0; i < 20000; i++) {
        size_t len = (size_t)rand() % sizeof bytes;
        for (size_t b = 0; b < len; b++)
            bytes[b] = rand() % 3 ? 0 : (uint8_t)rand();
        struct rec_txn_header hdr = {.zxid = 2, .type = types[(size_t)rand() % 14]};
        tree_apply(w.t, &hdr, slice_of(bytes, len), NULL, &w.fx);
    }
    world_close(&w);
}

/* ---- entries of the log ---- */

static void an_entry_is_split_with_and_without_a_digest(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    struct buf entry = {0};
    struct rec_txn_header hdr = {.client_id = 3, .zxid = 8, .time = 5, .type = ZK_OP_CREATE};
    rec_put_txn_header(&entry, &hdr);
    size_t body_at = entry.len;
    put_create(&w, "/a", "x", false, &entry);
    size_t body_len = entry.len - body_at;

    struct txn_entry e;
    assert_int_equal(txn_split(buf_slice(&entry), &e), 0);
    assert_int_equal(e.hdr.zxid, 8);
    assert_int_equal(e.body.len, body_len);
    assert_false(e.has_digest);

    rec_put_txn_digest(&entry, &(struct rec_txn_digest){2, 77});
    assert_int_equal(txn_split(buf_slice(&entry), &e), 0);
    assert_int_equal(e.body.len, body_len);
    assert_true(e.has_digest);
    assert_int_equal(e.digest.tree_digest, 77);

    for (size_t len = 0; len < body_at + body_len - 4; len++)
        assert_int_equal(txn_split(slice_of(entry.ptr, len), &e), ERR_CORRUPT);
    /* Without its last four bytes it is a create of before 3.4. */
    assert_int_equal(txn_split(slice_of(entry.ptr, body_at + body_len - 4), &e), 0);
    assert_int_equal(e.body.len, body_len - 4);
    buf_deinit(&entry);
    world_close(&w);
}

static void a_close_session_entry_may_have_no_body(void **state)
{
    (void)state;
    struct buf entry = {0};
    struct txn_entry e;
    rec_put_txn_header(&entry, &(struct rec_txn_header){.type = ZK_OP_CLOSE_SESSION});
    assert_int_equal(txn_split(buf_slice(&entry), &e), 0);
    assert_int_equal(e.body.len, 0);
    assert_false(e.has_digest);

    size_t body_at = entry.len;
    rec_put_close_session_txn(&entry, &(struct rec_close_session_txn){{.count = -1}});
    size_t body_len = entry.len - body_at;
    rec_put_txn_digest(&entry, &(struct rec_txn_digest){2, 77});
    assert_int_equal(txn_split(buf_slice(&entry), &e), 0);
    assert_int_equal(e.body.len, body_len);
    assert_int_equal(e.digest.tree_digest, 77);
    buf_deinit(&entry);
}

/* A leader of before 3.8.6 or 3.9.3 takes a check from a client on its own (ZOOKEEPER-2623) and
 * logs and proposes it with type 13. ZooKeeper's reader of entries does not know the type, and a
 * server with one in its log does not start again; processTxn knows it, and changes nothing. A log
 * that cannot be read any more for a transaction that does nothing helps nobody: we read it. */
static void a_check_on_its_own_changes_nothing_but_the_zxid(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/a", "data");
    uint64_t digest = tree_digest(w.t);

    struct buf entry = {0};
    rec_put_txn_header(&entry, &(struct rec_txn_header){.zxid = 2, .type = ZK_OP_CHECK});
    size_t body_at = entry.len;
    rec_put_check_version_txn(&entry, &(struct rec_check_version_txn){slice_str("/a"), 1});
    size_t body_len = entry.len - body_at;
    struct txn_entry e;
    assert_int_equal(txn_split(buf_slice(&entry), &e), 0);
    assert_int_equal(e.body.len, body_len);
    assert_false(e.has_digest);
    for (size_t len = 0; len < entry.len; len++)
        assert_int_equal(txn_split(slice_of(entry.ptr, len), &e), ERR_CORRUPT);

    rec_put_txn_digest(&entry, &(struct rec_txn_digest){2, digest});
    assert_int_equal(txn_split(buf_slice(&entry), &e), 0);
    assert_true(e.has_digest);

    assert_int_equal(tree_apply(w.t, &e.hdr, e.body, &e.digest, &w.fx), 0);
    assert_int_equal(w.fx.result.type, ZK_OP_CHECK);
    assert_int_equal(w.fx.result.err, 0);
    assert_true(slice_eq(w.fx.result.path, slice_str("/a")));
    assert_int_equal(w.fx.change_count, 0);
    assert_false(w.fx.digest_mismatch);
    assert_int_equal(tree_digest(w.t), digest);
    assert_int_equal(tree_last_zxid(w.t), 2);
    buf_deinit(&entry);
    world_close(&w);
}

/* ---- replay over a fuzzy snapshot ---- */

static void a_replayed_create_of_an_existing_node_sets_its_acl_and_the_parents_count(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/p", "");
    create(&w, "/p/a", "kept");
    node_at(&w, "/p")->cversion = 0;
    acl_add(&w, ZK_PERM_READ, "digest", "a:b");
    buf_clear(&w.txn);
    struct rec_create_txn again = {slice_str("/p/a"), slice_str("ignored"), world_acl(&w), false,
                                   1};
    rec_put_create_txn(&w.txn, &again);
    assert_int_equal(world_apply(&w, ZK_OP_CREATE), ZK_NODEEXISTS);
    assert_int_equal(w.fx.change_count, 0);
    assert_data(node_at(&w, "/p/a"), "kept");
    assert_int_equal(node_at(&w, "/p/a")->czxid, 2);
    assert_int_not_equal(node_at(&w, "/p/a")->acl_id, ACL_OPEN);
    assert_int_equal(node_at(&w, "/p")->cversion, 1);
    assert_int_equal(node_at(&w, "/p")->pzxid, w.zxid);
    world_close(&w);
}

/* History: 1 create /a, 2 create /a/x, 3 delete /a/x, 4 delete /a, 5 create /a, 6 create /a/b. A
 * fuzzy snapshot of zxid 0 may hold what was there after 6, and everything is replayed over it. */
static void a_replay_over_a_snapshot_from_the_future_ends_in_the_right_state(void **state)
{
    (void)state;
    struct world right, fuzzy;
    world_open(&right);
    world_open(&fuzzy);
    for (int pass = 0; pass < 3; pass++) {
        struct world *w = pass == 0 ? &right : &fuzzy; /* fuzzy sees the history twice */
        w->zxid = 0;
        w->now_ms = 1700000000000;
        static const struct {
            const char *path;
            int32_t cversion; /* -1: delete */
        } history[] = {{"/a", 1}, {"/a/x", 1}, {"/a/x", -1}, {"/a", -1}, {"/a", 2}, {"/a/b", 1}};
        for (size_t i = 0; i < 6; i++) {
            buf_clear(&w->txn);
            if (history[i].cversion < 0) {
                delete_path(w, history[i].path);
                continue;
            }
            struct rec_create_txn r = {
                slice_str(history[i].path), {0}, {.count = -1}, false, history[i].cversion};
            rec_put_create_txn(&w->txn, &r);
            world_apply(w, ZK_OP_CREATE);
        }
    }
    assert_same_tree(right.t, fuzzy.t);
    assert_int_equal(node_at(&fuzzy, "/a")->child_count, 1);
    world_close(&right);
    world_close(&fuzzy);
}

static void every_txn_applied_twice_in_a_row_leaves_the_tree_as_once(void **state)
{
    (void)state;
    struct world once, twice;
    world_open(&once);
    world_open(&twice);
    for (int pass = 0; pass < 2; pass++) {
        struct world *w = pass == 0 ? &once : &twice;
        srand(11);
        char path[32], data[32];
        for (int i = 0; i < 3000; i++) {
            snprintf(path, sizeof path, "/n%d%s", rand() % 20, rand() % 2 ? "" : "/c");
            snprintf(data, sizeof data, "%d", rand());
            int what = rand() % 4;
            int64_t session = rand() % 3 + 1;
            struct znode *n = node_at(w, path);
            for (int time = 0; time <= pass; time++) {
                if (time == 1) { /* the same bytes under the same header */
                    w->zxid--;
                    w->now_ms -= 10;
                    struct rec_txn_header hdr = {.client_id = w->session,
                                                 .zxid = ++w->zxid,
                                                 .time = w->now_ms + 10,
                                                 .type = w->fx.result.type};
                    w->now_ms += 10;
                    assert_int_equal(tree_apply(w->t, &hdr, buf_slice(&w->txn), NULL, &w->fx), 0);
                } else if (what == 0 && n != NULL && n->child_count == 0) {
                    delete_path(w, path);
                } else if (what == 1 && n != NULL) {
                    set_data(w, path, data, n->version + 1);
                } else if (what == 2 && i % 50 == 0) {
                    close_session(w, session);
                } else if (n == NULL && strstr(path, "/c") != NULL) {
                    create_ephemeral(w, path, session);
                } else {
                    create(w, path, data);
                }
            }
        }
    }
    assert_same_tree(once.t, twice.t);
    world_close(&once);
    world_close(&twice);
}

/* ---- digest ---- */

static uint64_t digest_from_scratch(const struct tree *t)
{
    uint64_t sum = 0;
    struct buf path = {0};
    for (const struct znode *n = tree_find(t, slice_str("/")); n != NULL; n = preorder_next(n)) {
        buf_clear(&path);
        znode_path(n, &path);
        struct rec_stat_persisted stat;
        znode_stat_persisted(n, &stat);
        sum += znode_digest(buf_slice(&path), znode_data(n), &stat);
    }
    buf_deinit(&path);
    return sum;
}

static void the_incremental_digest_is_the_sum_over_all_nodes(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    srand(3);
    char path[64];
    for (int i = 0; i < 3000; i++) {
        static const char *const places[] = {"", "/n0", "/zookeeper"};
        snprintf(path, sizeof path, "%s/n%d", places[rand() % 3], rand() % 30);
        switch (rand() % 5) {
        case 0:
            delete_path(&w, path);
            break;
        case 1:
            set_data(&w, path, path, rand());
            break;
        case 2:
            set_acl(&w, path, rand());
            break;
        case 3:
            set_data(&w, "/", path, rand());
            break;
        default:
            create(&w, path, i % 7 ? "some data" : NULL);
        }
        if (i % 100 == 0)
            assert_int_equal(tree_digest(w.t), digest_from_scratch(w.t));
    }
    assert_int_equal(tree_digest(w.t), digest_from_scratch(w.t));
    world_close(&w);
}

static int32_t apply_error(struct world *w, const struct rec_txn_digest *digest)
{
    buf_clear(&w->txn);
    rec_put_error_txn(&w->txn, &(struct rec_error_txn){ZK_NONODE});
    struct rec_txn_header hdr = {.zxid = ++w->zxid, .type = ZK_OP_ERROR};
    return tree_apply(w->t, &hdr, buf_slice(&w->txn), digest, &w->fx);
}

static void a_txn_with_another_digest_is_reported_unless_of_another_version(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    struct rec_txn_digest digest = {2, (int64_t)tree_digest(w.t)};
    apply_error(&w, &digest);
    assert_false(w.fx.digest_mismatch);
    digest.tree_digest++;
    apply_error(&w, &digest);
    assert_true(w.fx.digest_mismatch);
    digest.version = 3;
    apply_error(&w, &digest);
    assert_false(w.fx.digest_mismatch);
    world_close(&w);
}

static void the_digest_of_every_128th_zxid_is_kept_and_the_last_1024_of_them(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    for (int i = 0; i < 128 * 1030; i++)
        apply_error(&w, NULL);
    const struct tree_digest_entry *entries;
    assert_int_equal(tree_digest_history(w.t, &entries), 1024);
    assert_int_equal(entries[0].zxid, 128 * 7);
    assert_int_equal(entries[1023].zxid, 128 * 1030);
    assert_int_equal(entries[1023].version, 2);
    assert_int_equal(entries[1023].digest, tree_digest(w.t));
    world_close(&w);
}

static void nothing_is_compared_before_the_zxid_that_a_fuzzy_snapshot_names(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    struct rec_txn_digest wrong = {2, 1};
    struct tree_digest_entry expected = {.zxid = 3, .version = 2, .digest = tree_digest(w.t)};
    assert_true(tree_expect_digest(w.t, &expected));
    apply_error(&w, &wrong);
    assert_false(w.fx.digest_mismatch);
    apply_error(&w, &wrong);
    assert_false(w.fx.digest_mismatch);
    apply_error(&w, NULL); /* zxid 3: equal */
    assert_false(w.fx.digest_mismatch);
    apply_error(&w, &wrong);
    assert_true(w.fx.digest_mismatch);

    expected = (struct tree_digest_entry){.zxid = 5, .version = 2, .digest = 1};
    assert_true(tree_expect_digest(w.t, &expected));
    apply_error(&w, NULL);
    assert_true(w.fx.digest_mismatch);
    expected.zxid = 5;
    assert_false(tree_expect_digest(w.t, &expected)); /* is there, and differs */
    expected.zxid = 4;
    assert_true(tree_expect_digest(w.t, &expected)); /* older than the snapshot: means nothing */
    world_close(&w);
}

/* ---- quota ---- */

static void quota_on(struct world *w, const char *path, const char *limits)
{
    char quota[128], node[160];
    snprintf(quota, sizeof quota, "/zookeeper/quota%s", path);
    create(w, quota, "");
    snprintf(node, sizeof node, "%s/zookeeper_limits", quota);
    create(w, node, limits);
    snprintf(node, sizeof node, "%s/zookeeper_stats", quota);
    create(w, node, "count=0,bytes=0");
}

static void usage_under_a_quota_is_kept_outside_of_txns(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/q", "12345");
    create(&w, "/q/a", "123");
    create(&w, "/other", "123");
    quota_on(&w, "/q", "count=3,bytes=20");
    const struct znode *stats = node_at(&w, "/zookeeper/quota/q/zookeeper_stats");
    assert_data(stats, "count=2,bytes=8"); /* counted when the stats node was created */
    int64_t mzxid = stats->mzxid;
    uint64_t digest = tree_digest(w.t);

    create(&w, "/q/b", "1234567");
    assert_data(stats, "count=3,bytes=15");
    assert_int_equal(w.fx.quota_soft_exceeded, 0);
    create(&w, "/q/b/c", "1234567");
    assert_data(stats, "count=4,bytes=22");
    assert_int_equal(w.fx.quota_soft_exceeded, 2);
    set_data(&w, "/q/b", NULL, 1);
    assert_data(stats, "count=4,bytes=15");
    delete_path(&w, "/q/b/c");
    assert_data(stats, "count=3,bytes=8");
    set_data(&w, "/other", "a long text, but elsewhere", 1);
    create(&w, "/qq", "not below");
    assert_data(stats, "count=3,bytes=8");
    assert_int_equal(stats->mzxid, mzxid);
    assert_int_equal(stats->version, 0);
    assert_int_not_equal(tree_digest(w.t), digest);
    assert_int_equal(tree_digest(w.t), digest_from_scratch(w.t));

    delete_path(&w, "/zookeeper/quota/q/zookeeper_limits");
    create(&w, "/q/d", "");
    assert_data(stats, "count=3,bytes=8"); /* no limits node, no quota */
    world_close(&w);
}

static void the_deepest_quota_on_the_way_counts(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/q", "");
    create(&w, "/q/deep", "");
    quota_on(&w, "/q", "count=-1,bytes=-1");
    quota_on(&w, "/q/deep", "count=-1,bytes=-1");
    create(&w, "/q/deep/x", "1");
    assert_data(node_at(&w, "/zookeeper/quota/q/deep/zookeeper_stats"), "count=2,bytes=1");
    assert_data(node_at(&w, "/zookeeper/quota/q/zookeeper_stats"), "count=2,bytes=0");
    struct quota_nodes nodes;
    assert_true(tree_quota_of(w.t, slice_str("/q/deep/not/yet/there"), &nodes));
    assert_path(nodes.prefix, "/q/deep");
    assert_false(tree_quota_of(w.t, slice_str("/elsewhere"), &nodes));
    assert_false(tree_quota_of(w.t, slice_str("/"), &nodes));
    world_close(&w);
}

static void quota_text_is_read_and_written_as_stats_track_does(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", "count=-1,bytes=-1"},
        {"count=4,bytes=5", "count=4,bytes=5"},
        {"bytes=5;count=4,", "count=4,bytes=5"},
        {"count=4,bytes=5=;byteHardLimit=10;countHardLimit=10",
         "count=4,bytes=5=;byteHardLimit=10;countHardLimit=10"},
        {"countHardLimit=2,byteHardLimit=1", "count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=2"},
        {"zz=1,aa=2,count=+3", "count=3,bytes=-1=;aa=2;zz=1"},
        {"count=,bytes=-9223372036854775808", "count=-1,bytes=-9223372036854775808"},
        {"count=x,bytes=9223372036854775808,,;;=", "count=-1,bytes=-1"},
        {"a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,count=9,q=1",
         "count=-1,bytes=-1=;a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1;j=1;k=1;l=1;m=1;n=1;o=1;p=1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct quota_track q;
        struct buf out = {0};
        quota_track_parse(&q, slice_str(cases[i].in));
        quota_track_put(&q, &out);
        assert_path(buf_slice(&out), cases[i].out);
        buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_create_sets_the_stats_of_child_and_parent),
        cmocka_unit_test(a_cversion_of_minus_one_counts_up_and_a_smaller_one_changes_nothing),
        cmocka_unit_test(
            a_create_without_parent_or_a_delete_without_node_is_an_answer_not_a_failure),
        cmocka_unit_test(a_delete_moves_the_parents_pzxid_only_forward),
        cmocka_unit_test(set_data_and_set_acl_touch_what_they_should),
        cmocka_unit_test(versions_wrap_like_java_ints),
        cmocka_unit_test(closing_a_session_deletes_its_ephemerals_in_the_order_of_creation),
        cmocka_unit_test(the_paths_of_a_close_txn_go_first_and_what_it_forgot_goes_too),
        cmocka_unit_test(killing_a_session_outside_of_txns_does_not_move_the_zxid),
        cmocka_unit_test(an_error_txn_moves_the_zxid_and_nothing_else),
        cmocka_unit_test(a_multi_applies_its_parts_in_order_under_one_zxid),
        cmocka_unit_test(a_failed_multi_changes_nothing_and_tells_every_part_why),
        cmocka_unit_test(malformed_txns_are_corrupt_and_change_nothing),
        cmocka_unit_test(random_bytes_never_break_an_apply),
        cmocka_unit_test(an_entry_is_split_with_and_without_a_digest),
        cmocka_unit_test(a_close_session_entry_may_have_no_body),
        cmocka_unit_test(a_check_on_its_own_changes_nothing_but_the_zxid),
        cmocka_unit_test(a_replayed_create_of_an_existing_node_sets_its_acl_and_the_parents_count),
        cmocka_unit_test(a_replay_over_a_snapshot_from_the_future_ends_in_the_right_state),
        cmocka_unit_test(every_txn_applied_twice_in_a_row_leaves_the_tree_as_once),
        cmocka_unit_test(the_incremental_digest_is_the_sum_over_all_nodes),
        cmocka_unit_test(a_txn_with_another_digest_is_reported_unless_of_another_version),
        cmocka_unit_test(the_digest_of_every_128th_zxid_is_kept_and_the_last_1024_of_them),
        cmocka_unit_test(nothing_is_compared_before_the_zxid_that_a_fuzzy_snapshot_names),
        cmocka_unit_test(usage_under_a_quota_is_kept_outside_of_txns),
        cmocka_unit_test(the_deepest_quota_on_the_way_counts),
        cmocka_unit_test(quota_text_is_read_and_written_as_stats_track_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
