/* links: tree */
/* The tree itself: lookups, Stat, kinds of nodes, who owns what, memory. */
#include "tree_world.h"

static void a_fresh_tree_is_what_a_fresh_zookeeper_has(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    assert_non_null(node_at(&w, "/"));
    assert_non_null(node_at(&w, "/zookeeper"));
    assert_non_null(node_at(&w, "/zookeeper/quota"));
    assert_int_equal(node_at(&w, "/zookeeper/config")->aversion, -1);
    assert_int_equal(tree_node_count(w.t), 4);
    assert_int_equal(tree_approximate_data_bytes(w.t), 44); /* what mntr of a fresh Apache shows */
    assert_int_equal(tree_digest(w.t), 1371985504);         /* and its /commands/hash */
    world_close(&w);
}

static void a_path_finds_its_node_and_no_other(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    assert_int_equal(create(&w, "/a", "1"), 0);
    assert_int_equal(create(&w, "/a/b", "2"), 0);
    assert_int_equal(create(&w, "/b", "3"), 0);
    assert_int_equal(create(&w, "/b/b", "4"), 0);
    assert_data(node_at(&w, "/a/b"), "2");
    assert_data(node_at(&w, "/b/b"), "4");

    static const char *const absent[] = {"a",    "/a/",   "//a", "/a//b", "/ab", "/a/b/b",
                                         "/b/a", "/a/b/", "a/b", "//",    "/c"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_null(node_at(&w, absent[i]));
    assert_ptr_equal(node_at(&w, ""), node_at(&w, "/"));
    assert_null(tree_find(w.t, (struct slice){0}));
    world_close(&w);
}

static void a_hundred_thousand_nodes_stay_reachable_while_the_table_grows_and_nodes_go(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    char path[64];
    enum {
        COUNT = 100000
    };
    assert_int_equal(create(&w, "/n", ""), 0);
    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "/n/%d", i);
        assert_int_equal(create(&w, path, path), 0);
    }
    for (int i = 0; i < COUNT; i += 3) {
        snprintf(path, sizeof path, "/n/%d", i);
        assert_int_equal(delete_path(&w, path), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "/n/%d", i);
        if (i % 3 == 0)
            assert_null(node_at(&w, path));
        else
            assert_data(node_at(&w, path), path);
    }
    assert_int_equal(tree_descendant_count(w.t, node_at(&w, "/n")), tree_node_count(w.t) - 5);
    world_close(&w);
}

static void children_are_listed_in_the_order_of_their_creation(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/p", "");
    create(&w, "/p/c", "");
    create(&w, "/p/a", "");
    create(&w, "/p/b", "");
    delete_path(&w, "/p/a");
    create(&w, "/p/d", "");
    delete_path(&w, "/p/d");
    create(&w, "/p/e", "");

    struct buf names = {0};
    for (const struct znode *n = node_at(&w, "/p")->child_first; n != NULL; n = n->sibling_next)
        collect_path(&names, znode_name(n));
    assert_collected(&names, "c,b,e");
    delete_path(&w, "/p/c");
    delete_path(&w, "/p/e");
    delete_path(&w, "/p/b");
    assert_null(node_at(&w, "/p")->child_first);
    assert_int_equal(node_at(&w, "/p")->child_count, 0);
    buf_deinit(&names);
    world_close(&w);
}

static void stat_counts_creates_and_deletes_of_children_in_cversion(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/p", "data");
    create(&w, "/p/a", "");
    create(&w, "/p/b", "");
    delete_path(&w, "/p/a");
    struct rec_stat stat;
    znode_stat(w.t, node_at(&w, "/p"), &stat);
    assert_int_equal(stat.cversion, 3); /* two creates, one delete */
    assert_int_equal(stat.num_children, 1);
    assert_int_equal(stat.data_length, 4);
    assert_int_equal(stat.pzxid, w.zxid);
    assert_int_equal(stat.czxid, 1);
    world_close(&w);
}

static void stat_shows_the_owner_of_an_ephemeral_but_not_of_a_container_or_ttl_node(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create_ephemeral(&w, "/e", 0x1234);
    create_container(&w, "/c");
    create_ttl(&w, "/t", 5000);
    struct rec_stat stat;
    znode_stat(w.t, node_at(&w, "/e"), &stat);
    assert_int_equal(stat.ephemeral_owner, 0x1234);
    znode_stat(w.t, node_at(&w, "/c"), &stat);
    assert_int_equal(stat.ephemeral_owner, 0);
    znode_stat(w.t, node_at(&w, "/t"), &stat);
    assert_int_equal(stat.ephemeral_owner, 0);
    uint64_t owner = node_at(&w, "/t")->ephemeral_owner;
    assert_int_equal(owner, 0xff00000000001388);
    assert_int_equal(znode_kind_of(w.t, owner), ZNODE_TTL);
    assert_int_equal(znode_ttl_ms(w.t, owner), 5000);
    world_close(&w);
}

static void without_extended_types_a_ttl_owner_is_a_session(void **state)
{
    (void)state;
    struct tree_options options = {.hash_seed = 1};
    struct tree *t = tree_create(&options);
    assert_int_equal(znode_kind_of(t, 0xff00000000000001), ZNODE_EPHEMERAL);
    assert_int_equal(znode_kind_of(t, 0x8000000000000000), ZNODE_CONTAINER);
    assert_int_equal(znode_kind_of(t, 0), ZNODE_PERSISTENT);
    tree_free(t);
}

static void the_3_5_3_emulation_reads_ttl_from_the_sign_bit(void **state)
{
    (void)state;
    struct tree_options options = {.extended_types_enabled = true, .emulate_353_ttl = true};
    struct tree *t = tree_create(&options);
    assert_int_equal(znode_kind_of(t, 0x8000000000000064), ZNODE_TTL);
    assert_int_equal(znode_ttl_ms(t, 0x8000000000000064), 100);
    assert_int_equal(znode_kind_of(t, 0x8000000000000000), ZNODE_CONTAINER);
    assert_int_equal(znode_kind_of(t, 0x7000000000000000), ZNODE_EPHEMERAL);
    tree_free(t);
}

static void null_data_and_empty_data_are_different(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/null", NULL);
    create(&w, "/empty", "");
    assert_true(slice_is_null(znode_data(node_at(&w, "/null"))));
    assert_false(slice_is_null(znode_data(node_at(&w, "/empty"))));
    set_data(&w, "/null", "", 1);
    set_data(&w, "/empty", NULL, 1);
    assert_false(slice_is_null(znode_data(node_at(&w, "/null"))));
    assert_true(slice_is_null(znode_data(node_at(&w, "/empty"))));
    world_close(&w);
}

static void path_lengths_count_as_java_counts_characters(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    uint64_t before = tree_approximate_data_bytes(w.t);
    create(&w, "/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
           "xy"); /* a-umlaut, euro, and two units of emoji */
    assert_int_equal(tree_approximate_data_bytes(w.t), before + 5 + 2);
    world_close(&w);
}

static void collect_session(void *arg, int64_t session)
{
    char text[32];
    snprintf(text, sizeof text, "%llx", (unsigned long long)session);
    collect_path(arg, slice_str(text));
}

static void ephemerals_are_listed_per_session_in_the_order_of_creation(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create(&w, "/p", "");
    create_ephemeral(&w, "/p/z", 7);
    create_ephemeral(&w, "/a", 7);
    create_ephemeral(&w, "/b", -1);
    create_ephemeral(&w, "/c", 3);
    struct buf seen = {0};
    tree_ephemerals_of(w.t, 7, collect_path, &seen);
    assert_collected(&seen, "/p/z,/a");
    tree_ephemerals_of(w.t, 8, collect_path, &seen);
    assert_int_equal(seen.len, 0);
    tree_ephemeral_sessions(w.t, collect_session, &seen);
    assert_collected(&seen, "3,7,ffffffffffffffff");
    assert_int_equal(tree_ephemeral_count(w.t), 4);

    delete_path(&w, "/p/z");
    delete_path(&w, "/c");
    tree_ephemerals_of(w.t, 7, collect_path, &seen);
    assert_collected(&seen, "/a");
    tree_ephemeral_sessions(w.t, collect_session, &seen);
    assert_collected(&seen, "7,ffffffffffffffff");
    buf_deinit(&seen);
    world_close(&w);
}

static void
the_reaper_takes_containers_that_lost_their_children_and_ttl_nodes_past_their_time(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    create_container(&w, "/used");
    create(&w, "/used/x", "");
    create_container(&w, "/never");
    create_ttl(&w, "/ttl", 1000);
    int64_t now_ms = w.now_ms;
    struct buf seen = {0};

    assert_int_equal(tree_reapable(w.t, now_ms, 0, 10, collect_path, &seen), 0);
    delete_path(&w, "/used/x");
    assert_int_equal(tree_reapable(w.t, now_ms, 0, 10, collect_path, &seen), 1);
    assert_collected(&seen, "/used");
    assert_int_equal(tree_reapable(w.t, now_ms + 1000, 0, 10, collect_path, &seen), 1);
    assert_collected(&seen, "/used"); /* exactly its time is not past it */
    assert_int_equal(tree_reapable(w.t, now_ms + 1001, 0, 10, collect_path, &seen), 2);
    assert_collected(&seen, "/used,/ttl");
    assert_int_equal(tree_reapable(w.t, now_ms + 5000, 4000, 10, collect_path, &seen), 3);
    assert_collected(&seen, "/used,/never,/ttl");
    assert_int_equal(tree_reapable(w.t, now_ms + 5000, 4000, 2, collect_path, &seen), 2);
    assert_collected(&seen, "/used,/never");

    create(&w, "/ttl/x", "");
    assert_int_equal(tree_reapable(w.t, now_ms + 5000, 0, 10, collect_path, &seen), 1);
    buf_deinit(&seen);
    world_close(&w);
}

static void a_znode_with_100_bytes_of_data_takes_at_most_260_bytes(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    char path[64], data[101];
    memset(data, 'd', 100);
    data[100] = 0;
    uint64_t before = tree_memory_bytes(w.t);
    enum {
        COUNT = 50000
    };
    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "/node-%07d", i);
        create(&w, path, data);
    }
    /* Segments double: the table's share varies between 8 and 16 bytes of address space, 8 touched.
     */
    uint64_t each = (tree_memory_bytes(w.t) - before) / COUNT;
    assert_in_range(each, 200, 262);
    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "/node-%07d", i);
        delete_path(&w, path);
    }
    /* The table stays as large as it was. */
    assert_in_range(tree_memory_bytes(w.t), before, before + COUNT * 20 + 32768 * 16);
    world_close(&w);
}

static void a_slab_returns_what_is_free_and_gives_emptied_chunks_back(void **state)
{
    (void)state;
    struct slab s;
    slab_init(&s);
    enum {
        COUNT = 5000
    };
    static uint8_t *cells[COUNT];
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            cells[i] = slab_alloc(&s, 1 + i % 1500);
            memset(cells[i], (int)i, 1 + i % 1500);
        }
        for (size_t i = 0; i < COUNT; i++) {
            size_t bytes = 1 + i % 1500;
            assert_int_equal(cells[i][0], (uint8_t)i);
            assert_int_equal(cells[i][bytes - 1], (uint8_t)i);
            slab_free(&s, cells[i], bytes);
        }
        assert_in_range(slab_bytes(&s), 0, (size_t)SLAB_CLASSES * 32768);
    }
    slab_deinit(&s);
    assert_int_equal(slab_bytes(&s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_tree_is_what_a_fresh_zookeeper_has),
        cmocka_unit_test(a_path_finds_its_node_and_no_other),
        cmocka_unit_test(
            a_hundred_thousand_nodes_stay_reachable_while_the_table_grows_and_nodes_go),
        cmocka_unit_test(children_are_listed_in_the_order_of_their_creation),
        cmocka_unit_test(stat_counts_creates_and_deletes_of_children_in_cversion),
        cmocka_unit_test(stat_shows_the_owner_of_an_ephemeral_but_not_of_a_container_or_ttl_node),
        cmocka_unit_test(without_extended_types_a_ttl_owner_is_a_session),
        cmocka_unit_test(the_3_5_3_emulation_reads_ttl_from_the_sign_bit),
        cmocka_unit_test(null_data_and_empty_data_are_different),
        cmocka_unit_test(path_lengths_count_as_java_counts_characters),
        cmocka_unit_test(ephemerals_are_listed_per_session_in_the_order_of_creation),
        cmocka_unit_test(
            the_reaper_takes_containers_that_lost_their_children_and_ttl_nodes_past_their_time),
        cmocka_unit_test(a_znode_with_100_bytes_of_data_takes_at_most_260_bytes),
        cmocka_unit_test(a_slab_returns_what_is_free_and_gives_emptied_chunks_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
