/* links: node */
/* No more requests in process than are allowed: what waits, in which order, and what becomes of it.
 */
#include "node_kit.h"

static void throttled_defaults(struct node_options *o, size_t requests_max)
{
    kit_defaults(o);
    o->throttle_requests_max = requests_max;
    o->throttle_stall_ms = 100;
    o->throttle_drop_stale = true;
    o->stale_connection_check = true;
}

static struct kit *open_with(const struct node_options *o, uint64_t clients)
{
    struct kit *k = kit_open(o);
    for (uint64_t client = 1; client <= clients; client++)
        kit_connect(k, client);
    return k;
}

/* Both with an xid of the caller's choice. */
static void send_create(struct kit *k, uint64_t client, int32_t xid, const char *path)
{
    struct buf b = {0};
    rec_put_slice(&b, slice_str(path));
    rec_put_slice(&b, slice_str(""));
    buf_put_i32(&b, 1);
    rec_put_acl(&b, &(struct rec_acl){ZK_PERM_ALL, {slice_str("world"), slice_str("anyone")}});
    buf_put_i32(&b, 0);
    kit_request(k, client, xid, ZK_OP_CREATE, &b);
    buf_deinit(&b);
}

static void send_exists(struct kit *k, uint64_t client, int32_t xid, const char *path)
{
    struct buf b = {0};
    rec_put_slice(&b, slice_str(path));
    buf_put_u8(&b, false);
    kit_request(k, client, xid, ZK_OP_EXISTS, &b);
    buf_deinit(&b);
}

static void assert_reply(struct kit *k, uint64_t client, int32_t xid, int32_t err)
{
    struct kit_reply r = kit_reply(k, client);
    assert_int_equal(r.xid, xid);
    assert_int_equal(r.err, err);
}

static uint64_t counted(struct kit *k, enum metric_counter id)
{
    return node_metrics(k->node)->counter[id];
}

static bool exists(struct kit *k, const char *path)
{
    return tree_find(node_tree(k->node), slice_str(path)) != NULL;
}

static void requests_beyond_the_limit_wait_for_an_answer(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 2);
    struct kit *k = open_with(&o, 2);
    uint64_t before = k->ticket;

    send_create(k, 1, 1, "/a");
    send_create(k, 1, 2, "/b");
    send_create(k, 1, 3, "/c");
    send_exists(k, 2, 1, "/c"); /* of another session, behind it all the same */
    assert_int_equal(k->ticket, before + 2);
    assert_int_equal(node_outstanding(k->node), 2);
    assert_false(kit_has_reply(k, 2));

    kit_sync(k);
    assert_reply(k, 1, 1, 0);
    assert_reply(k, 1, 2, 0);
    assert_int_equal(k->ticket, before + 3);
    assert_reply(k, 2, 1, ZK_NONODE); /* there was room for both */
    kit_sync(k);
    assert_reply(k, 1, 3, 0);
    kit_close(k);
}

static void a_limit_of_one_lets_everything_through_in_order(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    struct kit *k = open_with(&o, 3);
    char path[16];
    for (int32_t xid = 1; xid <= 30; xid++) {
        for (uint64_t client = 1; client <= 3; client++) {
            snprintf(path, sizeof path, "/%d-%d", (int)client, (int)(xid / 3 * 3));
            if (xid % 3 == 0)
                send_create(k, client, xid, path);
            else
                send_exists(k, client, xid, path);
            assert_true(node_outstanding(k->node) <= 1);
        }
    }
    for (int syncs = 0; node_outstanding(k->node) > 0; syncs++) {
        assert_true(syncs < 30);
        kit_sync(k);
    }
    for (uint64_t client = 1; client <= 3; client++) {
        for (int32_t xid = 1; xid <= 30; xid++)
            assert_reply(k, client, xid, xid < 3 ? ZK_NONODE : 0); /* its own write is seen */
        assert_false(kit_has_reply(k, client));
        assert_false(k->clients[client].paused);
    }
    kit_close(k);
}

static void new_requests_do_not_overtake_those_that_wait(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    struct kit *k = open_with(&o, 3);
    send_create(k, 1, 1, "/a");
    send_create(k, 2, 1, "/b");
    send_exists(k, 3, 1, "/b");
    kit_sync(k); /* now b is on its way, and only then may it be asked for */
    assert_reply(k, 1, 1, 0);
    assert_false(kit_has_reply(k, 3));
    kit_sync(k);
    assert_reply(k, 2, 1, 0);
    assert_reply(k, 3, 1, 0);
    kit_close(k);
}

static void auth_packets_are_answered_at_once(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    struct kit *k = open_with(&o, 1);
    send_create(k, 1, 1, "/a");
    send_create(k, 1, 2, "/b");
    kit_auth(k, 1, "digest", slice_str("me:secret"));
    assert_reply(k, 1, ZK_XID_AUTH, 0);
    assert_false(kit_has_reply(k, 1));
    kit_sync(k);
    kit_sync(k);
    assert_reply(k, 1, 1, 0);
    assert_reply(k, 1, 2, 0);
    kit_close(k);
}

/* creator_all of a session that has no identity but its address is refused: so it shows which
 * identities a waiting request has. */
static void a_waiting_request_has_the_identities_it_came_with(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    struct kit *k = open_with(&o, 1);
    kit_create_open(k, 1, "/a");
    kit_create(k, 1, ZK_OP_CREATE, "/b", 0, "auth", "");
    kit_auth(k, 1, "digest", slice_str("me:secret"));
    kit_create(k, 1, ZK_OP_CREATE, "/c", 0, "auth", "");
    assert_reply(k, 1, ZK_XID_AUTH, 0);
    for (int i = 0; i < 3; i++)
        kit_sync(k);
    assert_int_equal(kit_reply(k, 1).err, 0);
    assert_int_equal(kit_reply(k, 1).err, ZK_INVALIDACL);
    assert_int_equal(kit_reply(k, 1).err, 0);
    assert_true(exists(k, "/c"));
    kit_close(k);
}

static void making_a_session_does_not_wait(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    struct kit *k = open_with(&o, 1);
    send_create(k, 1, 1, "/a");
    send_create(k, 1, 2, "/b");
    kit_connect(k, 2);
    kit_close(k);
}

static void ops_that_waited_too_long_are_answered_in_order_and_not_done(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    o.throttled_op_wait_ms = 500;
    struct kit *k = open_with(&o, 1);
    send_create(k, 1, 1, "/a");
    send_create(k, 1, 2, "/b");
    send_exists(k, 1, 3, "/a");
    kit_request(k, 1, ZK_XID_PING, ZK_OP_PING, NULL);
    k->now_ms += 400;
    send_exists(k, 1, 4, "/a"); /* this one will have waited for 101 ms */
    k->now_ms += 101;
    kit_sync(k);

    assert_reply(k, 1, 1, 0);
    for (int32_t xid = 2; xid <= 3; xid++) {
        struct kit_reply r = kit_reply(k, 1);
        assert_int_equal(r.xid, xid);
        assert_int_equal(r.err, ZK_THROTTLEDOP);
        assert_int_equal(r.zxid, tree_last_zxid(node_tree(k->node)));
        assert_int_equal(r.body.len, 0);
    }
    assert_reply(k, 1, ZK_XID_PING, 0); /* pings and closeSession always pass */
    assert_reply(k, 1, 4, 0);
    assert_false(exists(k, "/b"));
    assert_int_equal(counted(k, METRIC_THROTTLED_OPS), 2);
    assert_int_equal(node_metrics(k->node)->summary[METRIC_REQUEST_THROTTLE_QUEUE_TIME_MS].max,
                     501);
    kit_close(k);
}

static void what_a_lost_connection_had_waiting_is_dropped(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    struct kit *k = open_with(&o, 2);
    send_create(k, 1, 1, "/a");
    send_create(k, 2, 1, "/lost");
    send_create(k, 2, 2, "/lost-too");
    kit_request(k, 2, 3, ZK_OP_CLOSE_SESSION, NULL); /* behind what is not done: not done either */
    send_create(k, 1, 2, "/b");
    kit_step(k, (struct node_event){.type = NODE_CLIENT_CLOSED, .client = 2});
    kit_sync(k);
    kit_sync(k);
    assert_reply(k, 1, 1, 0);
    assert_reply(k, 1, 2, 0);
    assert_false(exists(k, "/lost"));
    assert_false(exists(k, "/lost-too"));
    assert_non_null(session_find(node_sessions(k->node), k->clients[2].session_id));
    assert_int_equal(counted(k, METRIC_STALE_REQUESTS_DROPPED), 1); /* once per connection */
    assert_int_equal(counted(k, METRIC_STALE_REQUESTS), 0);
    kit_close(k);
}

static void a_session_is_closed_though_its_connection_is_gone(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    struct kit *k = open_with(&o, 2);
    send_create(k, 1, 1, "/a");
    kit_request(k, 2, 1, ZK_OP_CLOSE_SESSION, NULL);
    kit_step(k, (struct node_event){.type = NODE_CLIENT_CLOSED, .client = 2});
    kit_sync(k);
    assert_null(session_find(node_sessions(k->node), k->clients[2].session_id));
    assert_int_equal(counted(k, METRIC_STALE_REQUESTS_DROPPED), 0);
    kit_close(k);
}

static void without_drop_stale_what_a_lost_connection_wrote_is_done(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    o.throttle_drop_stale = false;
    struct kit *k = open_with(&o, 2);
    send_create(k, 1, 1, "/a");
    send_create(k, 2, 1, "/late");
    send_exists(k, 2, 2, "/late");
    kit_step(k, (struct node_event){.type = NODE_CLIENT_CLOSED, .client = 2});
    kit_sync(k);
    assert_true(exists(k, "/late"));
    assert_int_equal(counted(k, METRIC_STALE_REQUESTS), 2);
    assert_int_equal(counted(k, METRIC_STALE_REQUESTS_DROPPED), 0);
    assert_int_equal(node_outstanding(k->node), 0);
    kit_close(k);
}

static void what_waits_is_done_before_its_session_moves(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    o.stale_connection_check = false;
    struct kit *k = open_with(&o, 2);
    int64_t session_id = k->clients[2].session_id;
    send_create(k, 1, 1, "/a");
    send_create(k, 2, 1, "/late");
    kit_ask_session(k, 3, session_id, k->clients[2].password);
    assert_int_equal(kit_take_session(k, 3), session_id);
    send_exists(k, 3, 2, "/late");
    assert_false(kit_has_reply(k, 3));
    kit_sync(k);
    assert_reply(k, 3, 2, 0);
    kit_close(k);
}

static void a_session_that_ends_with_what_waits_does_not_move(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    o.stale_connection_check = false;
    struct kit *k = open_with(&o, 2);
    int64_t session_id = k->clients[2].session_id;
    send_create(k, 1, 1, "/a");
    kit_request(k, 2, 1, ZK_OP_CLOSE_SESSION, NULL);
    kit_ask_session(k, 3, session_id, k->clients[2].password);
    assert_int_equal(kit_take_session(k, 3), 0);
    kit_sync(k);
    assert_null(session_find(node_sessions(k->node), session_id));
    kit_close(k);
}

static void with_the_latency_check_a_late_request_costs_its_connection(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    o.stale_latency_check = true;
    o.session_timeout_min_ms = o.session_timeout_max_ms = 2000;
    struct kit *k = open_with(&o, 1);
    send_create(k, 1, 1, "/a");
    send_create(k, 1, 2, "/b");
    send_exists(k, 1, 3, "/b");
    kit_tick(k, 1999);
    assert_false(k->clients[1].closed);
    kit_tick(k, 2); /* no answer came meanwhile: the stall time is over */
    assert_true(k->clients[1].closed);
    assert_int_equal(counted(k, METRIC_STALE_REQUESTS_DROPPED), 1);
    kit_sync(k);
    assert_true(exists(k, "/a"));
    assert_false(exists(k, "/b"));
    kit_close(k);
}

static void who_waits_is_counted_once_and_after_each_stall_time(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    struct kit *k = open_with(&o, 1);
    send_create(k, 1, 1, "/a");
    assert_int_equal(counted(k, METRIC_REQUEST_THROTTLE_WAIT_COUNT), 0);
    send_create(k, 1, 2, "/b");
    send_create(k, 1, 3, "/c");
    assert_int_equal(counted(k, METRIC_REQUEST_THROTTLE_WAIT_COUNT), 1);
    assert_int_equal(k->fx.deadline_ns, (k->now_ms + 100) * 1000000);
    kit_tick(k, 99);
    assert_int_equal(counted(k, METRIC_REQUEST_THROTTLE_WAIT_COUNT), 1);
    kit_tick(k, 1);
    assert_int_equal(counted(k, METRIC_REQUEST_THROTTLE_WAIT_COUNT), 2);
    kit_sync(k); /* now it is the third that waits */
    assert_int_equal(counted(k, METRIC_REQUEST_THROTTLE_WAIT_COUNT), 3);
    kit_close(k);
}

static void who_has_too_much_waiting_is_not_read_from(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    o.outstanding_max = 10;
    struct kit *k = open_with(&o, 2);
    send_create(k, 1, 1, "/a");
    for (int32_t xid = 1; xid <= 11; xid++) {
        assert_false(k->clients[2].paused);
        send_exists(k, 2, xid, "/");
    }
    assert_true(k->clients[2].paused);
    kit_sync(k);
    for (int32_t xid = 1; xid <= 11; xid++)
        assert_reply(k, 2, xid, 0);
    assert_false(k->clients[2].paused);
    kit_close(k);
}

static void a_queue_of_large_reads_is_answered_in_many_steps(void **state)
{
    (void)state;
    enum {
        READS = 20
    };
    struct node_options o;
    throttled_defaults(&o, 1);
    struct kit *k = open_with(&o, 2);
    send_create(k, 1, 1, "/big");
    kit_sync(k);
    kit_reply(k, 1);
    struct buf b = {0};
    static const uint8_t zeros[200000];
    struct rec_set_data_request set = {slice_str("/big"), slice_of(zeros, sizeof zeros), -1};
    rec_put_set_data_request(&b, &set);
    kit_request(k, 1, 2, ZK_OP_SET_DATA, &b);
    buf_deinit(&b);
    for (int i = 0; i < READS; i++)
        kit_read(k, 2, ZK_OP_GET_DATA, "/big", false);

    kit_sync(k);
    send_exists(k, 2, 99, "/"); /* there is room, and still it stands behind them */
    size_t steps = 2;
    for (; k->fx.deadline_ns <= k->now_ms * 1000000; steps++) {
        assert_true(k->fx.send_bytes.len < 3 * sizeof zeros);
        kit_tick(k, 0);
    }
    assert_true(steps >= READS / 2);
    for (int i = 0; i < READS; i++)
        assert_reply(k, 2, 2, 0);
    assert_reply(k, 2, 99, 0);
    kit_close(k);
}

static void a_node_goes_with_requests_waiting(void **state)
{
    (void)state;
    struct node_options o;
    throttled_defaults(&o, 1);
    struct kit *k = open_with(&o, 2);
    send_create(k, 1, 1, "/a");
    send_create(k, 1, 2, "/b");
    kit_request(k, 2, 1, ZK_OP_CLOSE_SESSION, NULL);
    uint64_t before = k->ticket;
    kit_step(k, (struct node_event){.type = NODE_STOP});
    kit_sync(k);
    kit_step(k, (struct node_event){.type = NODE_CLIENT_CLOSED, .client = 2});
    assert_reply(k, 1, 1, 0);
    assert_int_equal(k->ticket, before); /* nothing more is begun */
    kit_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_beyond_the_limit_wait_for_an_answer),
        cmocka_unit_test(a_limit_of_one_lets_everything_through_in_order),
        cmocka_unit_test(new_requests_do_not_overtake_those_that_wait),
        cmocka_unit_test(auth_packets_are_answered_at_once),
        cmocka_unit_test(a_waiting_request_has_the_identities_it_came_with),
        cmocka_unit_test(making_a_session_does_not_wait),
        cmocka_unit_test(ops_that_waited_too_long_are_answered_in_order_and_not_done),
        cmocka_unit_test(what_a_lost_connection_had_waiting_is_dropped),
        cmocka_unit_test(a_session_is_closed_though_its_connection_is_gone),
        cmocka_unit_test(without_drop_stale_what_a_lost_connection_wrote_is_done),
        cmocka_unit_test(what_waits_is_done_before_its_session_moves),
        cmocka_unit_test(a_session_that_ends_with_what_waits_does_not_move),
        cmocka_unit_test(with_the_latency_check_a_late_request_costs_its_connection),
        cmocka_unit_test(who_waits_is_counted_once_and_after_each_stall_time),
        cmocka_unit_test(who_has_too_much_waiting_is_not_read_from),
        cmocka_unit_test(a_queue_of_large_reads_is_answered_in_many_steps),
        cmocka_unit_test(a_node_goes_with_requests_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
