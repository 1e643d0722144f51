/* links: tree */
/* Snapshots: the stream is the tree as it was when the walk began, whatever happens meanwhile; and
 * nothing that pretends to be a stream does harm. */
#include "tree_world.h"

/* ---- a source of changes that is the same every time ---- */

struct dice {
    uint64_t state;
};

static uint32_t roll(struct dice *d, uint32_t sides)
{
    d->state = d->state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(d->state >> 33) % sides;
}

static void random_path(struct dice *d, char *out, size_t cap)
{
    size_t len = 0;
    uint32_t depth = 1 + roll(d, 4);
    for (uint32_t i = 0; i < depth; i++)
        len += (size_t)snprintf(out + len, cap - len, "/%c", 'a' + roll(d, 6));
}

static void random_acl(struct dice *d, struct world *w)
{
    acl_open(w);
    char id[16];
    for (uint32_t i = roll(d, 3); i > 0; i--) {
        snprintf(id, sizeof id, "u%u:x", roll(d, 5));
        acl_add(w, 1 + (int32_t)roll(d, 31), "digest", id);
    }
}

static void random_change(struct dice *d, struct world *w)
{
    char path[64], data[64];
    random_path(d, path, sizeof path);
    snprintf(data, sizeof data, "%u and some more", roll(d, 1000));
    data[roll(d, 20)] = 0;
    random_acl(d, w);
    const struct znode *n = node_at(w, path);
    switch (roll(d, 12)) {
    case 0:
        close_session(w, 1 + roll(d, 5));
        break;
    case 1:
    case 2:
        if (n != NULL && (n->child_count == 0 || roll(d, 8) == 0))
            delete_path(w, path);
        break;
    case 3:
        set_acl(w, path, (int32_t)roll(d, 100));
        break;
    case 4:
    case 5:
        set_data(w, path, roll(d, 10) ? data : NULL, (int32_t)roll(d, 100));
        break;
    case 6:
        create_ephemeral(w, path, 1 + roll(d, 5));
        break;
    case 7:
        create_container(w, path);
        break;
    case 8:
        create_ttl(w, path, 1 + roll(d, 100000));
        break;
    case 9:
        set_data(w, "/", data, (int32_t)roll(d, 100));
        break;
    default:
        create(w, path, roll(d, 10) ? data : NULL);
    }
}

/* A world with a quota and `changes` random changes. */
static void world_random(struct world *w, struct dice *d, int changes)
{
    world_open(w);
    create(w, "/zookeeper/quota/a", "");
    create(w, "/zookeeper/quota/a/zookeeper_limits", "count=5,bytes=100");
    create(w, "/zookeeper/quota/a/zookeeper_stats", "");
    for (int i = 0; i < changes; i++)
        random_change(d, w);
}

/* ---- loading ---- */

static struct tree *tree_for_loading(void)
{
    struct tree_options options = {
        .hash_seed = 99, .digest_enabled = true, .extended_types_enabled = true};
    return tree_create(&options);
}

/* Feeds in chunks of random size, presenting again what was not used. */
static struct tree *load(struct slice stream, struct dice *d)
{
    struct tree *t = tree_for_loading();
    struct snapshot_loader *l = snapshot_loader_create(t);
    struct err err = {0};
    size_t from = 0, to = 0, used = 0;
    bool done = false;
    while (!done) {
        assert_true(to < stream.len);
        to += 1 + roll(d, 300);
        to = to < stream.len ? to : stream.len;
        int rc =
            snapshot_loader_feed(l, slice_of(stream.ptr + from, to - from), &used, &done, &err);
        if (rc != 0)
            fail_msg("%s", err.text);
        from += used;
    }
    assert_int_equal(from, stream.len);
    snapshot_loader_free(l);
    return t;
}

static void all_slices(struct tree *t, struct buf *out)
{
    while (!snapshot_slice(t, 500, out)) {
    }
}

/* ---- writing ---- */

static void the_stream_of_a_fresh_tree_is_what_zookeeper_writes(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    struct buf out = {0}, expected = {0};
    struct snapshot_session session = {.id = 0x1122, .timeout_ms = 4000};
    snapshot_begin(w.t, &session, 1, &out);
    all_slices(w.t, &out);

    buf_put_i32(&expected, 1);
    buf_put_i64(&expected, 0x1122);
    buf_put_i32(&expected, 4000);
    buf_put_i32(&expected, 1); /* ACL lists */
    buf_put_i64(&expected, 1);
    buf_put_i32(&expected, 1);
    struct rec_acl acl = {ZK_PERM_READ, {slice_str("world"), slice_str("anyone")}};
    rec_put_acl(&expected, &acl);
    static const char *const paths[] = {"", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"};
    for (size_t i = 0; i < 4; i++) {
        rec_put_slice(&expected, slice_str(paths[i]));
        rec_put_slice(&expected, slice_str(""));
        buf_put_i64(&expected, i == 3 ? 1 : -1);
        struct rec_stat_persisted stat = {.aversion = i == 3 ? -1 : 0};
        rec_put_stat_persisted(&expected, &stat);
    }
    rec_put_slice(&expected, slice_str("/"));
    assert_int_equal(out.len, expected.len);
    assert_memory_equal(out.ptr, expected.ptr, out.len);
    buf_deinit(&out);
    buf_deinit(&expected);
    world_close(&w);
}

static void
whatever_changes_meanwhile_the_stream_is_the_tree_as_it_was_at_the_beginning(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct dice dice = {seed}, other = {seed};
        int changes = (int)(seed * 13 % 600);
        struct world then, now;
        world_random(&then, &dice, changes);
        world_random(&now, &other, changes);
        assert_same_tree(then.t, now.t);

        struct buf out = {0};
        if (seed % 3 == 0) { /* given up on the way */
            snapshot_begin(now.t, NULL, 0, &out);
            snapshot_slice(now.t, 200, &out);
            snapshot_abort(now.t);
            buf_clear(&out);
        }
        snapshot_begin(now.t, NULL, 0, &out);
        assert_int_equal(snapshot_zxid(now.t), then.zxid);
        assert_int_equal(snapshot_digest(now.t), tree_digest(then.t));
        uint32_t changes_per_slice = 1 + roll(&dice, 40);
        do {
            for (uint32_t i = roll(&dice, changes_per_slice); i > 0; i--)
                random_change(&dice, &now);
        } while (!snapshot_slice(now.t, roll(&dice, 600), &out));
        assert_false(snapshot_active(now.t));

        struct tree *loaded = load(buf_slice(&out), &dice);
        assert_same_tree(then.t, loaded);
        tree_free(loaded);

        /* And once more: the marks of the first walk do not confuse the second. */
        buf_clear(&out);
        snapshot_begin(now.t, NULL, 0, &out);
        all_slices(now.t, &out);
        loaded = load(buf_slice(&out), &dice);
        assert_same_tree(now.t, loaded);
        tree_free(loaded);
        buf_deinit(&out);
        world_close(&then);
        world_close(&now);
    }
}

static void a_thousand_walks_given_up_do_not_spoil_the_next(void **state)
{
    (void)state;
    struct dice dice = {5};
    struct world w;
    world_random(&w, &dice, 300);
    struct buf out = {0};
    for (int i = 0; i < 1100; i++) {
        buf_clear(&out);
        snapshot_begin(w.t, NULL, 0, &out);
        snapshot_slice(w.t, roll(&dice, 2000), &out);
        if (snapshot_active(w.t))
            random_change(&dice, &w);
        snapshot_abort(w.t);
    }
    buf_clear(&out);
    snapshot_begin(w.t, NULL, 0, &out);
    all_slices(w.t, &out);
    struct tree *loaded = load(buf_slice(&out), &dice);
    assert_same_tree(w.t, loaded);
    tree_free(loaded);
    buf_deinit(&out);
    world_close(&w);
}

static void slices_are_small_and_a_walk_ends_under_a_flood_of_creates(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    char path[32];
    int made = 0;
    for (; made < 2000; made++) {
        snprintf(path, sizeof path, "/n%d", made);
        create(&w, path, "0123456789");
    }
    struct buf out = {0};
    snapshot_begin(w.t, NULL, 0, &out);
    int slices = 0;
    for (bool over = false; !over; slices++) {
        for (int i = 0; i < 100; i++, made++) {
            snprintf(path, sizeof path, "/n%d", made);
            create(&w, path, "0123456789");
        }
        size_t before = out.len;
        over = snapshot_slice(w.t, 1000, &out);
        assert_in_range(out.len - before, 1, 1000 + 2 * 120);
        assert_in_range(slices, 0, 400);
    }
    buf_deinit(&out);
    world_close(&w);
}

static void the_path_to_a_changed_node_is_written_parents_first(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/zz", "");
    create(&w, "/zz/y", "");
    create(&w, "/zz/y/x", "old");
    struct buf out = {0};
    snapshot_begin(w.t, NULL, 0, &out);
    size_t start = out.len;
    set_data(&w, "/zz/y/x", "new", 1);
    assert_false(snapshot_slice(w.t, 0, &out));

    struct dec d = dec_of(slice_from(buf_slice(&out), start));
    static const char *const paths[] = {"", "/zz", "/zz/y", "/zz/y/x"};
    for (size_t i = 0; i < 4; i++) {
        assert_path(dec_ustring(&d), paths[i]);
        struct slice data = dec_buffer(&d);
        assert_path(data, i == 3 ? "old" : "");
        dec_take(&d, 68);
    }
    snapshot_abort(w.t);
    buf_deinit(&out);
    world_close(&w);
}

/* ---- loading ---- */

static void sessions_come_back_each_once(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    struct buf out = {0};
    struct snapshot_session sessions[] = {{7, 4000}, {-5, 5000}, {7, 6000}};
    snapshot_begin(w.t, sessions, 3, &out);
    all_slices(w.t, &out);
    struct tree *t = tree_for_loading();
    struct snapshot_loader *l = snapshot_loader_create(t);
    size_t used;
    bool done;
    buf_put(&out, "seal", 4);
    assert_int_equal(snapshot_loader_feed(l, buf_slice(&out), &used, &done, NULL), 0);
    assert_true(done);
    assert_int_equal(used, out.len - 4);
    const struct snapshot_session *loaded;
    assert_int_equal(snapshot_loader_sessions(l, &loaded), 2);
    assert_int_equal(loaded[0].id, 7);
    assert_int_equal(loaded[0].timeout_ms, 6000);
    assert_int_equal(loaded[1].id, -5);
    snapshot_loader_free(l);
    tree_free(t);
    buf_deinit(&out);
    world_close(&w);
}

static void ephemerals_are_in_the_order_of_creation_again(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/first", "");
    create(&w, "/second", "");
    create_ephemeral(&w, "/second/a", 9);
    create_ephemeral(&w, "/first/b", 9);
    create_ephemeral(&w, "/second/c", 9);
    struct buf out = {0}, seen = {0};
    snapshot_begin(w.t, NULL, 0, &out);
    all_slices(w.t, &out);
    struct dice dice = {1};
    struct tree *t = load(buf_slice(&out), &dice);
    tree_ephemerals_of(t, 9, collect_path, &seen);
    assert_collected(&seen, "/second/a,/first/b,/second/c");
    tree_free(t);
    buf_deinit(&out);
    buf_deinit(&seen);
    world_close(&w);
}

static void usage_of_quotas_is_counted_anew(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/q", "123");
    create(&w, "/q/a", "4567");
    create(&w, "/zookeeper/quota/q", "");
    create(&w, "/zookeeper/quota/q/zookeeper_limits", "count=5,bytes=-1");
    create(&w, "/zookeeper/quota/q/zookeeper_stats", "");
    set_data(&w, "/zookeeper/quota/q/zookeeper_stats", "count=77,bytes=77", 1);
    struct buf out = {0};
    snapshot_begin(w.t, NULL, 0, &out);
    all_slices(w.t, &out);
    struct dice dice = {1};
    struct tree *t = load(buf_slice(&out), &dice);
    assert_data(tree_find(t, slice_str("/zookeeper/quota/q/zookeeper_stats")), "count=2,bytes=7");
    tree_free(t);
    buf_deinit(&out);
    world_close(&w);
}

static void put_node(struct buf *out, const char *path, int64_t acl, int64_t owner)
{
    rec_put_slice(out, slice_str(path));
    rec_put_slice(out, slice_str("data"));
    buf_put_i64(out, acl);
    rec_put_stat_persisted(out, &(struct rec_stat_persisted){.ephemeral_owner = owner});
}

/* No sessions, no ACL lists. */
static void put_head(struct buf *out)
{
    buf_clear(out);
    buf_put_i32(out, 0);
    buf_put_i32(out, 0);
}

static int feed_all(struct slice stream, struct err *err, bool *ret_done)
{
    struct tree *t = tree_for_loading();
    struct snapshot_loader *l = snapshot_loader_create(t);
    size_t used = 0;
    *ret_done = false;
    int rc = snapshot_loader_feed(l, stream, &used, ret_done, err);
    if (rc != 0)
        assert_int_equal(snapshot_loader_feed(l, stream, &used, ret_done, err), rc);
    snapshot_loader_free(l);
    tree_free(t);
    return rc;
}

static void assert_corrupt(struct buf *stream, const char *what)
{
    struct err err = {0};
    bool done;
    assert_int_equal(feed_all(buf_slice(stream), &err, &done), ERR_CORRUPT);
    assert_string_equal(err.text, what);
}

static void a_list_missing_from_the_acl_map_lets_nobody_in_until_the_replay_sets_it(void **state)
{
    (void)state;
    struct buf b = {0};
    put_head(&b);
    put_node(&b, "", -1, 0);
    put_node(&b, "/late", 12345, 0);
    rec_put_slice(&b, slice_str("/"));
    struct dice dice = {1};
    struct world w;
    world_open(&w);
    tree_free(w.t);
    w.t = load(buf_slice(&b), &dice);
    struct identity bob = {slice_str("digest"), slice_str("bob:x")};
    struct identities who = {&bob, 1};
    uint32_t acl = node_at(&w, "/late")->acl_id;
    assert_int_equal(tree_acl_check(w.t, acl, ZK_PERM_READ, who, false), ZK_NOAUTH);

    acl_add(&w, ZK_PERM_READ, "digest", "bob:x");
    assert_int_equal(create(&w, "/late", ""), ZK_NODEEXISTS);
    acl = node_at(&w, "/late")->acl_id;
    assert_int_equal(tree_acl_check(w.t, acl, ZK_PERM_READ, who, false), 0);
    buf_deinit(&b);
    world_close(&w);
}

static void what_is_not_a_tree_is_refused_with_item_and_offset(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_i32(&b, -1);
    assert_corrupt(&b, "session count 0 at offset 0: the count is negative");

    buf_clear(&b);
    buf_put_i32(&b, 0);
    buf_put_i32(&b, -3);
    assert_corrupt(&b, "ACL list count 0 at offset 4: the count is negative");

    buf_clear(&b);
    buf_put_i32(&b, 0);
    buf_put_i32(&b, 1);
    buf_put_i64(&b, 1);
    buf_put_i32(&b, -1);
    assert_corrupt(&b, "ACL list 0 at offset 8: the list is null");

    put_head(&b);
    put_node(&b, "/a", -1, 0);
    assert_corrupt(&b, "node 0 at offset 8: the root is missing");
    put_head(&b);
    rec_put_slice(&b, slice_str("/"));
    assert_corrupt(&b, "node 0 at offset 8: the root is missing");

    put_head(&b);
    put_node(&b, "", -1, 0);
    size_t second = b.len;
    assert_int_equal(second, 8 + 4 + 8 + 68);
    put_node(&b, "", -1, 0);
    assert_corrupt(&b, "node 1 at offset 88: the root comes twice");

    static const struct {
        const char *path, *what;
    } cases[] = {
        {"a", "node 1 at offset 88: the path is not one of a node"},
        {"/a/", "node 1 at offset 88: the path is not one of a node"},
        {"//", "node 1 at offset 88: the path is not one of a node"},
        {"//b", "node 1 at offset 88: the path is not one of a node"},
        {"/a//b", "node 1 at offset 88: the parent is missing"},
        {"/a/b", "node 1 at offset 88: the parent is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        b.len = second;
        put_node(&b, cases[i].path, -1, 0);
        assert_corrupt(&b, cases[i].what);
    }

    b.len = second;
    put_node(&b, "/a", -1, 0);
    put_node(&b, "/a", -1, 0);
    assert_corrupt(&b, "node 2 at offset 170: the path comes twice");

    put_head(&b);
    put_node(&b, "", -1, 7);
    assert_corrupt(&b, "node 0 at offset 8: the root has an owner");

    static const int32_t lengths[] = {-2, INT32_MIN, INT32_MAX, 512 * 1024 * 1024 + 1};
    for (size_t i = 0; i < 4; i++) {
        put_head(&b);
        buf_put_i32(&b, lengths[i]);
        assert_corrupt(&b, "node 0 at offset 8: a length makes no sense");
    }
    put_head(&b);
    buf_put_i32(&b, -1);
    assert_corrupt(&b, "node 0 at offset 8: the path is null");
    buf_deinit(&b);
}

static void a_truncated_stream_is_never_done(void **state)
{
    (void)state;
    struct dice dice = {17};
    struct world w;
    world_random(&w, &dice, 60);
    struct buf out = {0};
    struct snapshot_session session = {1, 2};
    snapshot_begin(w.t, &session, 1, &out);
    all_slices(w.t, &out);
    for (size_t len = 0; len < out.len; len++) {
        bool done;
        assert_int_equal(feed_all(slice_of(out.ptr, len), NULL, &done), 0);
        assert_false(done);
    }
    buf_deinit(&out);
    world_close(&w);
}

static void damaged_streams_are_loaded_or_refused_but_never_break_anything(void **state)
{
    (void)state;
    struct dice dice = {23};
    struct world w;
    world_random(&w, &dice, 80);
    struct buf out = {0};
    struct snapshot_session sessions[] = {{1, 2}, {3, 4}};
    snapshot_begin(w.t, sessions, 2, &out);
    all_slices(w.t, &out);
    for (int i = 0; i < 6000; i++) {
        struct buf damaged = {0};
        buf_put_slice(&damaged, buf_slice(&out));
        for (uint32_t n = 1 + roll(&dice, 3); n > 0; n--) {
            static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, '/'};
            damaged.ptr[roll(&dice, (uint32_t)damaged.len)] = values[roll(&dice, 6)];
        }
        bool done;
        struct err err;
        feed_all(buf_slice(&damaged), &err, &done);
        buf_deinit(&damaged);
    }
    buf_deinit(&out);
    world_close(&w);
}

static void three_thousand_levels_are_written_loaded_and_removed(void **state)
{
    (void)state;
    enum {
        LEVELS = 3000
    };
    struct world w;
    world_open(&w);
    static char path[2 * LEVELS + 1];
    for (size_t i = 0; i < LEVELS; i++) {
        memcpy(path + 2 * i, "/d", 3);
        assert_int_equal(create(&w, path, ""), 0);
    }
    struct buf out = {0};
    snapshot_begin(w.t, NULL, 0, &out);
    set_data(&w, path, "changed first", 1); /* the whole chain goes out early */
    all_slices(w.t, &out);
    struct tree *t = tree_for_loading();
    struct snapshot_loader *l = snapshot_loader_create(t);
    size_t used;
    bool done;
    assert_int_equal(snapshot_loader_feed(l, buf_slice(&out), &used, &done, NULL), 0);
    assert_true(done);
    assert_int_equal(tree_node_count(t), LEVELS + 4);
    assert_data(tree_find(t, slice_str(path)), "");
    snapshot_loader_free(l);
    tree_free(t);
    delete_path(&w, "/d");
    assert_int_equal(tree_node_count(w.t), 4);
    buf_deinit(&out);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stream_of_a_fresh_tree_is_what_zookeeper_writes),
        cmocka_unit_test(
            whatever_changes_meanwhile_the_stream_is_the_tree_as_it_was_at_the_beginning),
        cmocka_unit_test(a_thousand_walks_given_up_do_not_spoil_the_next),
        cmocka_unit_test(slices_are_small_and_a_walk_ends_under_a_flood_of_creates),
        cmocka_unit_test(the_path_to_a_changed_node_is_written_parents_first),
        cmocka_unit_test(sessions_come_back_each_once),
        cmocka_unit_test(ephemerals_are_in_the_order_of_creation_again),
        cmocka_unit_test(usage_of_quotas_is_counted_anew),
        cmocka_unit_test(a_list_missing_from_the_acl_map_lets_nobody_in_until_the_replay_sets_it),
        cmocka_unit_test(what_is_not_a_tree_is_refused_with_item_and_offset),
        cmocka_unit_test(a_truncated_stream_is_never_done),
        cmocka_unit_test(damaged_streams_are_loaded_or_refused_but_never_break_anything),
        cmocka_unit_test(three_thousand_levels_are_written_loaded_and_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
