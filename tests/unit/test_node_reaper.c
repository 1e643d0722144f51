/* links: node */
/* The reaper of containers and TTL znodes: what goes, and how fast. */
#include "node_kit.h"

enum {
    INTERVAL_MS = 60000
};

static struct kit *open_with(int32_t per_minute)
{
    struct node_options o;
    kit_defaults(&o);
    o.container_per_minute_max = per_minute;
    o.session_timeout_max_ms = 10 * INTERVAL_MS;
    o.session_timeout_min_ms = 10 * INTERVAL_MS;
    struct kit *k = kit_open(&o);
    kit_connect(k, 1);
    return k;
}

static void make_ttl_nodes(struct kit *k, int count)
{
    for (int i = 0; i < count; i++) {
        char path[16];
        snprintf(path, sizeof path, "/t%d", i);
        kit_create(k, 1, ZK_OP_CREATE_TTL, path, ZK_CREATE_TTL, "world", "anyone");
        kit_sync(k);
        assert_int_equal(kit_reply(k, 1).err, 0);
    }
}

/* Steps to each deadline until `ms` have passed. */
static void pass(struct kit *k, int64_t ms)
{
    int64_t end = k->now_ms + ms;
    while (k->now_ms < end) {
        int64_t next = k->fx.deadline_ns / 1000000;
        k->now_ms = next <= k->now_ms ? k->now_ms + 1 : next < end ? next : end;
        kit_tick(k, 0);
        kit_sync(k);
    }
}

static void no_more_go_in_a_minute_than_is_allowed(void **state)
{
    (void)state;
    struct kit *k = open_with(60);
    make_ttl_nodes(k, 10);
    uint64_t before = tree_node_count(node_tree(k->node));
    pass(k, INTERVAL_MS);
    assert_int_equal(before - tree_node_count(node_tree(k->node)), 1);
    pass(k, 3000);
    assert_int_equal(before - tree_node_count(node_tree(k->node)), 4);
    pass(k, 10000);
    assert_int_equal(before - tree_node_count(node_tree(k->node)), 10);
    kit_close(k);
}

/* By default one goes every 6 ms: no request waits behind thousands of deletions. */
static void a_thousand_candidates_do_not_go_in_one_step(void **state)
{
    (void)state;
    struct kit *k = open_with(10000);
    make_ttl_nodes(k, 1000);
    uint64_t before = tree_node_count(node_tree(k->node));
    kit_tick(k, INTERVAL_MS);
    kit_sync(k);
    assert_true(before - tree_node_count(node_tree(k->node)) < 20);
    pass(k, 10000);
    assert_int_equal(before - tree_node_count(node_tree(k->node)), 1000);
    kit_close(k);
}

static void a_ttl_znode_that_was_written_to_while_it_waited_stays(void **state)
{
    (void)state;
    struct kit *k = open_with(60);
    make_ttl_nodes(k, 3);
    pass(k, INTERVAL_MS);
    struct buf b = {0};
    rec_put_set_data_request(
        &b, &(struct rec_set_data_request){slice_str("/t1"), slice_str("alive"), -1});
    kit_request(k, 1, 9, ZK_OP_SET_DATA, &b);
    kit_sync(k);
    buf_deinit(&b);
    pass(k, 1000);
    assert_non_null(tree_find(node_tree(k->node), slice_str("/t1")));
    pass(k, 1000);
    assert_null(tree_find(node_tree(k->node), slice_str("/t2")));
    pass(k, 2 * INTERVAL_MS);
    assert_null(tree_find(node_tree(k->node), slice_str("/t1")));
    kit_close(k);
}

static void a_plain_znode_in_the_place_of_a_candidate_stays(void **state)
{
    (void)state;
    struct kit *k = open_with(60);
    make_ttl_nodes(k, 2);
    pass(k, INTERVAL_MS);
    struct buf b = {0};
    rec_put_delete_request(&b, &(struct rec_delete_request){slice_str("/t1"), -1});
    kit_request(k, 1, 9, ZK_OP_DELETE, &b);
    kit_create_open(k, 1, "/t1");
    kit_sync(k);
    buf_deinit(&b);
    pass(k, 2 * INTERVAL_MS);
    assert_non_null(tree_find(node_tree(k->node), slice_str("/t1")));
    kit_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_go_in_a_minute_than_is_allowed),
        cmocka_unit_test(a_thousand_candidates_do_not_go_in_one_step),
        cmocka_unit_test(a_ttl_znode_that_was_written_to_while_it_waited_stays),
        cmocka_unit_test(a_plain_znode_in_the_place_of_a_candidate_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
