/* links: node */
/* Sessions on connections: moving, closing, expiring, and what their requests get meanwhile. */
#include "node_kit.h"

static struct kit *open_default(void)
{
    struct node_options o;
    kit_defaults(&o);
    return kit_open(&o);
}

static void reconnect(struct kit *k, uint64_t from, uint64_t to)
{
    kit_ask_session(k, to, k->clients[from].session_id, k->clients[from].password);
    assert_true(k->clients[from].closed);
    assert_true(kit_take_session(k, to) == k->clients[from].session_id);
}

/* Curator looks for its protected znode after a lost connection, and makes another if it is not
 * there. */
static void a_session_that_comes_back_reads_what_it_wrote_before(void **state)
{
    (void)state;
    struct kit *k = open_default();
    kit_connect(k, 1);
    kit_create_open(k, 1, "/a");
    reconnect(k, 1, 2);
    kit_read(k, 2, ZK_OP_EXISTS, "/a", false);
    assert_false(kit_has_reply(k, 2));
    kit_sync(k);
    assert_int_equal(kit_reply(k, 2).err, 0);
    assert_false(kit_has_reply(k, 1));
    kit_close(k);
}

static void a_session_that_comes_back_twice_waits_for_the_newest_of_its_writes(void **state)
{
    (void)state;
    struct kit *k = open_default();
    kit_connect(k, 1);
    kit_create_open(k, 1, "/a");
    uint64_t first = k->ticket;
    reconnect(k, 1, 2);
    kit_create_open(k, 2, "/b");
    reconnect(k, 2, 3);
    kit_read(k, 3, ZK_OP_EXISTS, "/b", false);
    kit_step(k, (struct node_event){.type = NODE_DURABLE, .ticket = first});
    assert_false(kit_has_reply(k, 3));
    kit_sync(k);
    assert_int_equal(kit_reply(k, 3).err, 0);
    assert_int_equal(node_outstanding(k->node), 0);
    kit_close(k);
}

static void writes_and_refusals_of_a_session_that_came_back_keep_their_order(void **state)
{
    (void)state;
    struct kit *k = open_default();
    kit_connect(k, 1);
    kit_create_open(k, 1, "/a");
    reconnect(k, 1, 2);
    struct buf nothing = {0};
    kit_request(k, 2, 10, ZK_OP_CREATE, &nothing); /* malformed: no txn */
    kit_create_open(k, 2, "/b");
    kit_request(k, 2, 12, ZK_OP_PING, NULL);
    assert_false(kit_has_reply(k, 2));
    kit_sync(k);
    assert_int_equal(kit_reply(k, 2).err, ZK_MARSHALLINGERROR);
    assert_int_equal(kit_reply(k, 2).xid, 1);
    assert_int_equal(kit_reply(k, 2).xid, ZK_XID_PING);
    kit_close(k);
}

static void a_session_without_writes_on_the_way_is_answered_at_once_after_it_came_back(void **state)
{
    (void)state;
    struct kit *k = open_default();
    kit_connect(k, 1);
    kit_connect(k, 2);
    kit_create_open(k, 2, "/others");
    reconnect(k, 1, 3);
    kit_read(k, 3, ZK_OP_EXISTS, "/", false);
    assert_int_equal(kit_reply(k, 3).err, 0);
    kit_close(k);
}

/* From the moment its end is proposed until it is committed, nobody answers it with data. */
static void reads_of_an_expiring_session_get_session_expired(void **state)
{
    (void)state;
    struct kit *k = open_default();
    kit_connect(k, 1);
    kit_tick(k, 3 * KIT_TIMEOUT_MS);
    kit_read(k, 1, ZK_OP_GET_DATA, "/", true);
    struct kit_reply r = kit_reply(k, 1);
    assert_int_equal(r.err, ZK_SESSIONEXPIRED);
    assert_int_equal(r.body.len, 0);
    kit_request(k, 1, ZK_XID_PING, ZK_OP_PING, NULL);
    assert_int_equal(kit_reply(k, 1).err, ZK_SESSIONEXPIRED);
    kit_create_open(k, 1, "/a");
    kit_sync(k);
    assert_true(k->clients[1].closed);
    assert_false(kit_has_reply(k, 1));
    kit_close(k);
}

static void an_expiring_session_cannot_come_back(void **state)
{
    (void)state;
    struct kit *k = open_default();
    kit_connect(k, 1);
    kit_tick(k, 3 * KIT_TIMEOUT_MS);
    kit_ask_session(k, 2, k->clients[1].session_id, k->clients[1].password);
    assert_int_equal(kit_take_session(k, 2), 0);
    assert_true(k->clients[2].closed);
    kit_sync(k);
    kit_close(k);
}

/* The report of a snapshot that was aborted with the state it was of. */
static void a_late_snapshot_report_does_not_end_the_next_snapshot(void **state)
{
    (void)state;
    struct kit *k = open_default();
    kit_connect(k, 1);
    kit_step(k, (struct node_event){.type = NODE_SNAPSHOT_REQUEST});
    int64_t old = k->snapshot_zxid;
    struct tree *restored = kit_tree();
    tree_set_last_zxid(restored, 100);
    kit_step(k, (struct node_event){.type = NODE_REPLACE_STATE, .replace.tree = restored});
    assert_int_equal(k->snapshot_aborts, 1);
    assert_true(k->clients[1].closed);
    assert_false(node_snapshot_active(k->node));

    kit_step(k, (struct node_event){.type = NODE_SNAPSHOT_REQUEST});
    assert_int_equal(k->snapshot_zxid, 100);
    kit_step(k, (struct node_event){.type = NODE_SNAPSHOT_DONE,
                                    .snapshot_done = {.zxid = old, .failed = true}});
    assert_true(node_snapshot_active(k->node));
    kit_step(k, (struct node_event){.type = NODE_SNAPSHOT_DONE, .snapshot_done.zxid = 100});
    assert_false(node_snapshot_active(k->node));
    kit_close(k);
}

static void what_a_connection_shows_of_itself_is_its_last_real_operation(void **state)
{
    (void)state;
    struct kit *k = open_default();
    kit_connect(k, 1);
    struct node_client_view v;
    assert_true(node_client(k->node, 1, &v));
    assert_string_equal(v.last_op, "SESS");
    assert_int_equal(v.latency_count, 1);

    kit_create_open(k, 1, "/a");
    kit_sync(k);
    kit_request(k, 1, ZK_XID_PING, ZK_OP_PING, NULL);
    assert_true(node_client(k->node, 1, &v));
    assert_string_equal(v.last_op, "PING");
    assert_int_equal(v.last_cxid, 1);

    kit_create_open(k, 1, "/a");
    kit_sync(k);
    assert_true(node_client(k->node, 1, &v));
    assert_string_equal(v.last_op, "NA"); /* refused */

    node_reset_client_stats(k->node);
    assert_true(node_client(k->node, 1, &v));
    assert_int_equal(v.last_cxid, -1);
    assert_int_equal(v.last_zxid, -1);
    kit_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_that_comes_back_reads_what_it_wrote_before),
        cmocka_unit_test(a_session_that_comes_back_twice_waits_for_the_newest_of_its_writes),
        cmocka_unit_test(writes_and_refusals_of_a_session_that_came_back_keep_their_order),
        cmocka_unit_test(
            a_session_without_writes_on_the_way_is_answered_at_once_after_it_came_back),
        cmocka_unit_test(reads_of_an_expiring_session_get_session_expired),
        cmocka_unit_test(an_expiring_session_cannot_come_back),
        cmocka_unit_test(a_late_snapshot_report_does_not_end_the_next_snapshot),
        cmocka_unit_test(what_a_connection_shows_of_itself_is_its_last_real_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
