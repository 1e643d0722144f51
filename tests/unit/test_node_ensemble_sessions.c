/* links: node */
/* Sessions of an ensemble are the leader's, whichever server their clients are connected to. */
#include "node_ensemble_kit.h"

static int other_follower(const struct ens *k, int than)
{
    for (int i = 1; i <= k->count; i++) {
        if (i != than && node_role(k->servers[i].node) == NODE_FOLLOWING)
            return i;
    }
    fail_msg("nobody else follows");
    return 0;
}

static void set_data(struct ens *k, int client, int32_t xid, const char *path)
{
    struct buf b = {0};
    rec_put_slice(&b, slice_str(path));
    rec_put_slice(&b, slice_str("x"));
    buf_put_i32(&b, -1);
    ens_request(k, client, xid, ZK_OP_SET_DATA, &b);
}

static void a_session_is_known_everywhere(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    ens_connect(k, 1, ens_follower(k));
    for (int i = 1; i <= 3; i++)
        assert_non_null(session_find(node_sessions(k->servers[i].node), k->clients[1].session_id));
    ens_request(k, 1, 1, ZK_OP_CLOSE_SESSION, NULL);
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    assert_true(k->clients[1].closed);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(session_count(node_sessions(k->servers[i].node)), 0);
    ens_close(k);
}

/* ZOOKEEPER-4306: such a transaction keeps every follower from following. */
static void a_session_with_more_ephemerals_than_fit_is_closed_without_a_list(void **state)
{
    (void)state;
    struct ens *k = ens_new(3, 0);
    for (int i = 1; i <= 3; i++)
        k->servers[i].options.frame_bytes_max = 100;
    ens_up(k);
    static const int counts[] = {5, 20};
    for (int round = 0; round < 2; round++) {
        ens_connect(k, 1 + round, ens_follower(k));
        int count = counts[round];
        for (int i = 0; i < count; i++) {
            char path[16];
            snprintf(path, sizeof path, "/e%08d", i);
            ens_create_mode(k, 1 + round, i + 1, path, 1);
        }
        ens_request(k, 1 + round, count + 1, ZK_OP_CLOSE_SESSION, NULL);
        ens_settle(k);
        for (int i = 0; i <= count; i++)
            assert_int_equal(ens_err(k, 1 + round, i + 1), 0);

        const struct ens_disk *disk = &k->servers[1].disk;
        struct txn_entry e;
        assert_int_equal(txn_split(buf_slice(&disk->log[disk->count - 1].bytes), &e), 0);
        assert_int_equal(e.hdr.type, ZK_OP_CLOSE_SESSION);
        assert_int_equal(load_be32(e.body.ptr), round == 0 ? count : 0);
        assert_int_equal(e.body.len, round == 0 ? 4 + count * 14 : 4);
        for (int i = 1; i <= 3; i++)
            assert_false(ens_has(k, i, "/e00000000"));
        ens_same(k);
    }
    ens_close(k);
}

static void the_leader_expires_the_sessions_of_its_followers(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    ens_connect(k, 1, ens_follower(k));
    ens_create_mode(k, 1, 1, "/e", ZK_CREATE_EPHEMERAL);
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    ens_hang_up(k, 1);
    ens_run(k, 3000);
    assert_true(ens_has(k, 1, "/e"));
    ens_run(k, 4000);
    for (int i = 1; i <= 3; i++)
        assert_false(ens_has(k, i, "/e"));
    ens_same(k);
    ens_close(k);
}

/* The follower tells the leader with its answers to pings. */
static void a_session_lives_as_long_as_its_client_is_heard(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    ens_connect(k, 1, ens_follower(k));
    for (int i = 0; i < 10; i++) {
        ens_run(k, 2000);
        ens_request(k, 1, ZK_XID_PING, ZK_OP_PING, NULL);
        ens_settle(k);
        assert_int_equal(ens_err(k, 1, ZK_XID_PING), 0);
    }
    assert_false(k->clients[1].closed);
    ens_close(k);
}

static void a_session_survives_the_leader(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    ens_connect(k, 1, ens_follower(k));
    ens_create_mode(k, 1, 1, "/e", ZK_CREATE_EPHEMERAL);
    ens_settle(k);
    ens_crash(k, ens_leader(k));
    ens_run(k, 3500); /* nearly its timeout: the new leader gives it a whole one */
    assert_int_not_equal(ens_move(k, 2, 1, ens_follower(k)), 0);
    ens_read(k, 2, 2, ZK_OP_EXISTS, "/e", false);
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 2), 0);
    ens_run(k, 10000);
    assert_false(ens_has(k, ens_leader(k), "/e"));
    ens_close(k);
}

static void a_session_moves_and_its_old_connection_is_cut_when_it_writes(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int from = ens_follower(k), to = other_follower(k, from);
    ens_connect(k, 1, from);
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    assert_int_equal(ens_move(k, 2, 1, to), k->clients[1].session_id);
    ens_create(k, 2, 2, "/b");
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 2), 0);

    ens_create(k, 1, 3, "/c");
    ens_settle(k);
    assert_false(ens_has_reply(k, 1));
    assert_true(k->clients[1].closed);
    assert_false(ens_has(k, from, "/c"));
    ens_same(k);
    ens_close(k);
}

static void a_session_moves_from_the_leader_and_back(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int leader = ens_leader(k);
    ens_connect(k, 1, leader);
    assert_int_not_equal(ens_move(k, 2, 1, ens_follower(k)), 0);
    ens_read(k, 1, 1, ZK_OP_EXISTS, "/", false);
    ens_settle(k);
    assert_true(k->clients[1].closed); /* the leader's own connection hears it with a read */
    assert_int_not_equal(ens_move(k, 3, 2, leader), 0);
    ens_create(k, 3, 2, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 3, 2), 0);
    ens_close(k);
}

static void an_unknown_session_is_refused_wherever_it_comes(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    for (int server = 1; server <= 3; server++) {
        uint8_t password[SESSION_PASSWORD_BYTES];
        session_password(0x123456, password);
        ens_ask_session(k, 1, server, 0x123456, password, false);
        ens_settle(k);
        assert_int_equal(ens_take_session(k, 1), 0);
        assert_true(k->clients[1].closed);
    }
    ens_connect(k, 1, 1);
    uint8_t wrong[SESSION_PASSWORD_BYTES] = {1};
    ens_ask_session(k, 2, 2, k->clients[1].session_id, wrong, false);
    ens_settle(k);
    assert_int_equal(ens_take_session(k, 2), 0);
    ens_close(k);
}

/* What the older connection wrote is done before the newer one reads. */
static void a_client_that_comes_back_finds_its_earlier_writes_done(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int follower = ens_follower(k);
    ens_connect(k, 1, follower);
    for (int i = 1; i <= 3; i++)
        k->servers[i].disk_held = true;
    ens_create(k, 1, 1, "/a");
    ens_hang_up(k, 1);
    ens_settle(k);
    uint8_t password[SESSION_PASSWORD_BYTES];
    memcpy(password, k->clients[1].password, sizeof password);
    ens_ask_session(k, 2, follower, k->clients[1].session_id, password, false);
    ens_settle(k);
    assert_int_not_equal(ens_take_session(k, 2), 0);
    ens_read(k, 2, 1, ZK_OP_EXISTS, "/a", false);
    ens_create(k, 2, 1, "/b"); /* a client that counts from the beginning again */
    ens_settle(k);
    assert_false(ens_has_reply(k, 2));
    for (int i = 1; i <= 3; i++)
        k->servers[i].disk_held = false;
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 1), 0);
    assert_int_equal(ens_err(k, 2, 1), 0);
    assert_true(ens_has(k, follower, "/a") && ens_has(k, follower, "/b"));
    ens_close(k);
}

/* The same, but the client comes back to another server, which has the write in its log only. */
static void a_client_that_moves_finds_its_earlier_writes_done(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int from = ens_follower(k), to = other_follower(k, from);
    ens_connect(k, 1, from);
    for (int i = 1; i <= 3; i++)
        k->servers[i].disk_held = true;
    ens_create(k, 1, 1, "/a");
    ens_hang_up(k, 1);
    ens_settle(k);
    uint8_t password[SESSION_PASSWORD_BYTES];
    memcpy(password, k->clients[1].password, sizeof password);
    ens_ask_session(k, 2, to, k->clients[1].session_id, password, false);
    ens_settle(k);
    assert_int_not_equal(ens_take_session(k, 2), 0);
    ens_create(k, 2, 1, "/b");
    ens_read(k, 2, 2, ZK_OP_EXISTS, "/a", false);
    ens_settle(k);
    assert_false(ens_has_reply(k, 2));
    for (int i = 1; i <= 3; i++)
        k->servers[i].disk_held = false;
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 1), 0);
    assert_int_equal(ens_err(k, 2, 2), 0);
    assert_true(ens_has(k, to, "/b"));
    ens_close(k);
}

static void a_sync_brings_what_was_committed_before_it(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int leader = ens_leader(k), follower = ens_follower(k);
    ens_connect(k, 1, leader);
    ens_connect(k, 2, follower);
    for (int i = 1; i <= 3; i++)
        k->servers[i].disk_held = true;
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    for (int client = 1; client <= 2; client++) {
        ens_path_request(k, client, 2, ZK_OP_SYNC, "/");
        ens_read(k, client, 3, ZK_OP_EXISTS, "/a", false);
        ens_create(k, client, 4, client == 1 ? "/b" : "/c");
    }
    ens_settle(k);
    assert_false(ens_has_reply(k, 2));
    for (int i = 1; i <= 3; i++)
        k->servers[i].disk_held = false;
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    for (int client = 1; client <= 2; client++) {
        assert_int_equal(ens_err(k, client, 2), 0);
        assert_int_equal(ens_err(k, client, 3), 0);
        assert_int_equal(ens_err(k, client, 4), 0);
    }
    ens_path_request(k, 2, 5, ZK_OP_SYNC, "/"); /* nothing is on the way */
    ens_path_request(k, 1, 5, ZK_OP_SYNC, "/");
    assert_true(ens_has_reply(k, 1));
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 5), 0);
    assert_int_equal(ens_err(k, 2, 5), 0);
    ens_close(k);
}

static void events_leave_before_the_replies_that_show_them(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int follower = ens_follower(k);
    ens_connect(k, 1, follower);
    ens_connect(k, 2, ens_leader(k));
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    ens_read(k, 1, 2, ZK_OP_GET_DATA, "/a", true);
    set_data(k, 2, 1, "/a");
    ens_create(k, 1, 3, "/b");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    assert_int_equal(ens_err(k, 1, 2), 0);
    struct ens_reply event = ens_reply(k, 1);
    assert_int_equal(event.xid, ZK_XID_NOTIFICATION);
    struct ens_reply created = ens_reply(k, 1);
    assert_int_equal(created.xid, 3);
    assert_true(event.zxid < created.zxid);
    ens_close(k);
}

static void a_write_of_a_closed_session_is_refused_in_its_turn(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    ens_connect(k, 1, ens_follower(k));
    ens_create(k, 1, 1, "/a");
    ens_request(k, 1, 2, ZK_OP_CLOSE_SESSION, NULL);
    ens_create(k, 1, 3, "/b");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    assert_int_equal(ens_err(k, 1, 2), 0);
    assert_false(ens_has_reply(k, 1));
    assert_false(ens_has(k, 1, "/b"));
    ens_same(k);
    ens_close(k);
}

static void a_leader_can_leave_the_clients_to_others(void **state)
{
    (void)state;
    struct ens *k = ens_new(3, 0);
    for (int i = 1; i <= 3; i++)
        k->servers[i].ensemble.leader_serves = false;
    ens_up(k);
    ens_ask_session(k, 1, ens_leader(k), 0, NULL, false);
    ens_settle(k);
    assert_true(k->clients[1].closed && !ens_has_reply(k, 1));
    ens_connect(k, 1, ens_follower(k));
    ens_close(k);
}

static void without_a_leader_nobody_is_served(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int follower = ens_follower(k);
    ens_connect(k, 1, follower);
    for (int i = 1; i <= 3; i++) {
        if (i != follower)
            ens_crash(k, i);
    }
    ens_run(k, 10000);
    assert_true(k->clients[1].closed);
    ens_ask_session(k, 2, follower, 0, NULL, true);
    ens_settle(k);
    assert_true(k->clients[2].closed && !ens_has_reply(k, 2));
    ens_close(k);
}

/* ---- local sessions ---- */

static struct ens *with_local_sessions(bool upgrade)
{
    struct ens *k = ens_new(3, 0);
    for (int i = 1; i <= 3; i++) {
        k->servers[i].ensemble.local_sessions = true;
        k->servers[i].ensemble.local_sessions_upgrade = upgrade;
    }
    return ens_up(k);
}

static void a_local_session_costs_no_transaction(void **state)
{
    (void)state;
    struct ens *k = with_local_sessions(true);
    for (int server = 1; server <= 3; server++) {
        size_t logged = k->servers[server].disk.count;
        ens_connect(k, server, server);
        assert_int_equal(k->servers[server].disk.count, logged);
        ens_create(k, server, 1, server == 1 ? "/a" : server == 2 ? "/b" : "/c");
        ens_settle(k);
        assert_int_equal(ens_err(k, server, 1), 0);
        assert_int_equal(session_count(node_sessions(k->servers[server].node)), 0);
        ens_request(k, server, 2, ZK_OP_CLOSE_SESSION, NULL);
        assert_int_equal(ens_err(k, server, 2), 0);
        assert_int_equal(session_count(node_local_sessions(k->servers[server].node)), 0);
    }
    ens_same(k);
    ens_close(k);
}

static void an_ephemeral_makes_a_local_session_global(void **state)
{
    (void)state;
    struct ens *k = with_local_sessions(true);
    for (int server = 1; server <= 3; server++) {
        char path[8];
        snprintf(path, sizeof path, "/e%d", server);
        ens_connect(k, server, server);
        ens_create_mode(k, server, 1, path, ZK_CREATE_EPHEMERAL);
        ens_settle(k);
        assert_int_equal(ens_err(k, server, 1), 0);
        assert_int_equal(session_count(node_local_sessions(k->servers[server].node)), 0);
        assert_non_null(
            session_find(node_sessions(k->servers[1].node), k->clients[server].session_id));
    }
    ens_run(k, 10000); /* and it ends as global ones do */
    for (int server = 1; server <= 3; server++)
        assert_int_equal(session_count(node_sessions(k->servers[server].node)), 0);
    assert_false(ens_has(k, 1, "/e1") || ens_has(k, 1, "/e2") || ens_has(k, 1, "/e3"));
    ens_same(k);
    ens_close(k);
}

static void an_ephemeral_needs_an_upgrade_that_is_allowed(void **state)
{
    (void)state;
    struct ens *k = with_local_sessions(false);
    for (int server = 1; server <= 3; server++) {
        ens_connect(k, server, server);
        ens_create_mode(k, server, 1, "/e", ZK_CREATE_EPHEMERAL);
        ens_settle(k);
        assert_int_equal(ens_err(k, server, 1), ZK_EPHEMERALONLOCALSESSION);
    }
    ens_close(k);
}

static void a_local_session_expires_where_it_is(void **state)
{
    (void)state;
    struct ens *k = with_local_sessions(true);
    ens_connect(k, 1, ens_follower(k));
    ens_run(k, 10000);
    assert_true(k->clients[1].closed);
    assert_int_equal(ens_move(k, 2, 1, ens_follower(k)), 0);
    ens_close(k);
}

/* ---- read-only ---- */

static struct ens *alone_and_read_only(int *ret_server)
{
    struct ens *k = ens_new(3, 0);
    for (int i = 1; i <= 3; i++) {
        k->servers[i].ensemble.read_only_mode = true;
        k->servers[i].ensemble.local_sessions = true;
        k->servers[i].ensemble.local_sessions_upgrade = true;
    }
    ens_up(k);
    int follower = ens_follower(k);
    ens_connect(k, 1, follower);
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    for (int i = 1; i <= 3; i++) {
        if (i != follower)
            ens_crash(k, i);
    }
    *ret_server = follower;
    ens_run(k, 1500);
    assert_false(node_serving(k->servers[follower].node));
    ens_run(k, 1000);
    assert_true(node_read_only(k->servers[follower].node));
    return k;
}

static void a_server_alone_serves_readers_who_ask_for_it(void **state)
{
    (void)state;
    int server;
    struct ens *k = alone_and_read_only(&server);
    ens_ask_session(k, 2, server, 0, NULL, false);
    ens_settle(k);
    assert_true(k->clients[2].closed && !ens_has_reply(k, 2));

    ens_ask_session(k, 2, server, 0, NULL, true);
    ens_settle(k);
    assert_int_not_equal(ens_take_session(k, 2), 0);
    assert_true(k->clients[2].read_only);
    ens_read(k, 2, 1, ZK_OP_EXISTS, "/a", true);
    ens_create(k, 2, 2, "/b");
    ens_path_request(k, 2, 3, ZK_OP_SYNC, "/");
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 1), 0);
    assert_int_equal(ens_err(k, 2, 2), ZK_NOTREADONLY);
    assert_int_equal(ens_err(k, 2, 3), ZK_NOTREADONLY);
    ens_request(k, 2, 4, ZK_OP_CLOSE_SESSION, NULL);
    assert_int_equal(ens_err(k, 2, 4), 0);
    assert_true(k->clients[2].closed);
    ens_close(k);
}

static void the_read_only_end_when_there_is_a_leader(void **state)
{
    (void)state;
    int server;
    struct ens *k = alone_and_read_only(&server);
    ens_ask_session(k, 2, server, 0, NULL, true);
    ens_settle(k);
    assert_int_not_equal(ens_take_session(k, 2), 0);
    for (int i = 1; i <= 3; i++) {
        if (i != server)
            ens_start(k, i);
    }
    ens_run(k, 3000);
    assert_true(k->clients[2].closed);
    assert_false(node_read_only(k->servers[server].node));
    ens_connect(k, 3, server);
    assert_false(k->clients[3].read_only);
    ens_create(k, 3, 1, "/b");
    ens_settle(k);
    assert_int_equal(ens_err(k, 3, 1), 0);
    ens_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_known_everywhere),
        cmocka_unit_test(a_session_with_more_ephemerals_than_fit_is_closed_without_a_list),
        cmocka_unit_test(the_leader_expires_the_sessions_of_its_followers),
        cmocka_unit_test(a_session_lives_as_long_as_its_client_is_heard),
        cmocka_unit_test(a_session_survives_the_leader),
        cmocka_unit_test(a_session_moves_and_its_old_connection_is_cut_when_it_writes),
        cmocka_unit_test(a_session_moves_from_the_leader_and_back),
        cmocka_unit_test(an_unknown_session_is_refused_wherever_it_comes),
        cmocka_unit_test(a_client_that_comes_back_finds_its_earlier_writes_done),
        cmocka_unit_test(a_client_that_moves_finds_its_earlier_writes_done),
        cmocka_unit_test(a_sync_brings_what_was_committed_before_it),
        cmocka_unit_test(events_leave_before_the_replies_that_show_them),
        cmocka_unit_test(a_write_of_a_closed_session_is_refused_in_its_turn),
        cmocka_unit_test(a_leader_can_leave_the_clients_to_others),
        cmocka_unit_test(without_a_leader_nobody_is_served),
        cmocka_unit_test(a_local_session_costs_no_transaction),
        cmocka_unit_test(an_ephemeral_makes_a_local_session_global),
        cmocka_unit_test(an_ephemeral_needs_an_upgrade_that_is_allowed),
        cmocka_unit_test(a_local_session_expires_where_it_is),
        cmocka_unit_test(a_server_alone_serves_readers_who_ask_for_it),
        cmocka_unit_test(the_read_only_end_when_there_is_a_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
