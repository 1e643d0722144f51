/* links: node */
/* Members of an ensemble elect a leader, replicate what their clients write, and answer. */
#include "node_ensemble_kit.h"

static void three_servers_elect_a_leader_and_serve(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    assert_int_equal(ens_leader(k), 3); /* all logs are empty: the largest number */
    for (int i = 1; i <= 3; i++)
        assert_true(node_serving(k->servers[i].node));
    assert_int_equal(tree_last_zxid(ens_tree(k, 3)), zxid_make(1, 0));
    assert_int_equal(k->servers[1].disk.current_epoch, 1);
    ens_close(k);
}

static void a_write_through_the_leader_is_everywhere(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    ens_connect(k, 1, ens_leader(k));
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    for (int i = 1; i <= 3; i++)
        assert_true(ens_has(k, i, "/a"));
    ens_same(k);
    ens_close(k);
}

static void a_write_through_a_follower_is_answered_there(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int follower = ens_follower(k);
    ens_connect(k, 1, follower);
    assert_int_equal((uint64_t)k->clients[1].session_id >> 56, follower);
    ens_create(k, 1, 1, "/a");
    assert_false(ens_has_reply(k, 1));
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    ens_same(k);
    ens_close(k);
}

static void a_client_reads_what_it_has_written(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    ens_connect(k, 1, ens_follower(k));
    for (int i = 0; i < 20; i++) {
        char path[16];
        snprintf(path, sizeof path, "/n%d", i);
        ens_create(k, 1, 3 * i + 1, path);
        ens_read(k, 1, 3 * i + 2, ZK_OP_EXISTS, path, false);
        ens_create(k, 1, 3 * i + 3, path);
    }
    ens_settle(k);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ens_err(k, 1, 3 * i + 1), 0);
        assert_int_equal(ens_err(k, 1, 3 * i + 2), 0);
        assert_int_equal(ens_err(k, 1, 3 * i + 3), ZK_NODEEXISTS);
    }
    ens_same(k);
    ens_close(k);
}

static void a_malformed_write_is_answered_wherever_it_comes(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    ens_connect(k, 1, ens_follower(k));
    ens_connect(k, 2, ens_leader(k));
    for (int client = 1; client <= 2; client++) {
        ens_request(k, client, 1, ZK_OP_CREATE, NULL);
        ens_request(k, client, 2, ZK_OP_MULTI, NULL);
        ens_create(k, client, 3, client == 1 ? "/a" : "/b");
        ens_settle(k);
        assert_int_equal(ens_err(k, client, 1), ZK_MARSHALLINGERROR);
        assert_int_equal(ens_err(k, client, 2), ZK_MARSHALLINGERROR);
        assert_int_equal(ens_err(k, client, 3), 0);
    }
    ens_same(k);
    ens_close(k);
}

static void what_jute_maxbuffer_lets_in_reaches_everybody(void **state)
{
    (void)state;
    enum {
        BYTES = 3 << 20
    };
    struct ens *k = ens_new(3, 1);
    for (int i = 1; i <= 3; i++)
        k->servers[i].options.frame_bytes_max = 4 << 20;
    ens_up(k);
    ens_connect(k, 1, ens_follower(k));
    ens_create(k, 1, 1, "/a");
    uint8_t *large = mem_calloc(1, BYTES);
    struct buf b = {0};
    rec_put_slice(&b, slice_str("/a"));
    rec_put_slice(&b, slice_of(large, BYTES));
    buf_put_i32(&b, -1);
    ens_request(k, 1, 2, ZK_OP_SET_DATA, &b);
    free(large);
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    assert_int_equal(ens_err(k, 1, 2), 0);
    ens_same(k);
    ens_close(k);
}

static void a_follower_catches_up_by_what_it_lacks(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int follower = ens_follower(k);
    ens_connect(k, 1, ens_leader(k));
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    ens_crash(k, follower);
    ens_create(k, 1, 2, "/b");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    assert_int_equal(ens_err(k, 1, 2), 0);
    ens_start(k, follower);
    ens_run(k, 3000);
    assert_string_equal(k->servers[follower].synced_by, "DIFF");
    assert_true(ens_has(k, follower, "/b"));
    ens_same(k);
    ens_close(k);
}

static void a_new_leader_has_what_the_old_one_committed(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int leader = ens_leader(k);
    int follower = ens_follower(k);
    ens_connect(k, 1, follower);
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);

    ens_crash(k, leader);
    ens_run(k, 2500);
    assert_int_not_equal(ens_leader(k), leader);
    assert_true(k->clients[1].closed);
    assert_int_not_equal(ens_move(k, 2, 1, ens_leader(k)), 0);
    ens_create(k, 2, 2, "/b");
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 2), 0);

    ens_start(k, leader);
    ens_run(k, 5000);
    assert_true(ens_has(k, leader, "/a"));
    assert_true(ens_has(k, leader, "/b"));
    assert_true(zxid_epoch(tree_last_zxid(ens_tree(k, leader))) == 2);
    ens_same(k);
    ens_close(k);
}

/* The old leader has proposed what nobody else has heard of: it is taken back. */
static void what_only_the_old_leader_has_is_truncated(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    k->timeout_ms = 20000; /* its end would be a transaction of the new epoch */
    int leader = ens_leader(k);
    ens_connect(k, 1, leader);
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    ens_isolate(k, leader, true);
    ens_create(k, 1, 2, "/lost");
    ens_run(k, 7000);
    assert_int_not_equal(ens_leader(k), leader);

    ens_isolate(k, leader, false);
    ens_run(k, 2000);
    assert_int_equal(k->servers[leader].truncations, 1);
    assert_int_equal(k->servers[leader].reloads, 0); /* it was never applied */
    assert_false(ens_has(k, leader, "/lost"));
    assert_true(ens_has(k, leader, "/a"));
    ens_connect(k, 2, leader);
    ens_create(k, 2, 1, "/b");
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 1), 0);
    ens_same(k);
    ens_close(k);
}

/* After a restart the log is replayed whole, what was never committed included. */
static void what_a_restart_has_applied_is_truncated_from_the_files(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    k->timeout_ms = 20000; /* its end would be a transaction of the new epoch */
    int leader = ens_leader(k);
    ens_connect(k, 1, leader);
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    ens_isolate(k, leader, true);
    ens_create(k, 1, 2, "/lost");
    ens_run(k, 7000);

    ens_crash(k, leader);
    ens_start(k, leader);
    assert_true(ens_has(k, leader, "/lost"));
    ens_isolate(k, leader, false);
    ens_run(k, 2000);
    assert_int_equal(k->servers[leader].reloads, 1);
    assert_false(ens_has(k, leader, "/lost"));
    ens_same(k);
    ens_close(k);
}

static void a_follower_that_cannot_truncate_gets_everything(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int leader = ens_leader(k);
    k->servers[leader].fail_truncate = true;
    ens_connect(k, 1, leader);
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    ens_isolate(k, leader, true);
    ens_create(k, 1, 2, "/lost");
    ens_run(k, 20000);
    ens_connect(k, 2, ens_leader(k));
    ens_create(k, 2, 1, "/b");
    ens_settle(k);
    ens_isolate(k, leader, false);
    ens_run(k, 10000);
    assert_int_equal(k->servers[leader].installs, 1);
    assert_string_equal(k->servers[leader].synced_by, "SNAP");
    assert_false(ens_has(k, leader, "/lost"));
    assert_true(ens_has(k, leader, "/b"));
    /* Its sessions are those of the leader. */
    assert_int_equal(session_count(node_sessions(k->servers[leader].node)),
                     session_count(node_sessions(k->servers[ens_leader(k)].node)));
    ens_same(k);
    ens_close(k);
}

/* More than the window of the leader holds. */
static void a_server_that_is_far_behind_gets_a_snapshot(void **state)
{
    (void)state;
    struct ens *k = ens_new(3, 0);
    for (int i = 1; i <= 3; i++)
        k->servers[i].ensemble.commit_log_count = 10;
    ens_up(k);
    int follower = ens_follower(k);
    ens_connect(k, 1, ens_leader(k));
    ens_crash(k, follower);
    for (int i = 0; i < 300; i++) {
        char path[16];
        snprintf(path, sizeof path, "/n%d", i);
        ens_create(k, 1, i + 1, path);
    }
    ens_settle(k);
    ens_start(k, follower);
    ens_run(k, 5000);
    assert_true(ens_has(k, follower, "/n299"));
    ens_same(k);
    ens_close(k);
}

static void a_log_that_is_remembered_serves_those_behind(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int follower = ens_follower(k);
    ens_connect(k, 1, ens_leader(k));
    ens_crash(k, follower);
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    for (int i = 1; i <= 3; i++) {
        if (i != follower)
            ens_crash(k, i);
    }
    for (int i = 1; i <= 3; i++)
        ens_start(k, i);
    ens_run(k, 3000);
    assert_string_equal(k->servers[follower].synced_by, "DIFF");
    assert_true(ens_has(k, follower, "/a"));
    ens_same(k);
    ens_close(k);
}

static void an_observer_hears_and_writes_but_does_not_vote(void **state)
{
    (void)state;
    struct ens *k = ens_up(ens_new(4, 1));
    assert_int_equal(node_role(k->servers[4].node), NODE_OBSERVING);
    assert_true(node_serving(k->servers[4].node));
    ens_connect(k, 1, 4);
    ens_create(k, 1, 1, "/a");
    ens_read(k, 1, 2, ZK_OP_EXISTS, "/a", false);
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    assert_int_equal(ens_err(k, 1, 2), 0);
    ens_same(k);

    ens_crash(k, 1);
    ens_crash(k, 2);
    ens_run(k, 20000);
    assert_int_equal(node_role(k->servers[4].node), NODE_LOOKING);
    assert_false(node_serving(k->servers[4].node));
    ens_close(k);
}

/* Nothing is acknowledged that a quorum has not on disk. */
static void a_write_waits_for_a_quorum_of_disks(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int leader = ens_leader(k);
    ens_connect(k, 1, leader);
    for (int i = 1; i <= 3; i++)
        k->servers[i].disk_held = i != leader;
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    assert_false(ens_has_reply(k, 1));
    ens_sync(k, ens_follower(k));
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    ens_close(k);
}

static void the_leaders_own_disk_may_be_the_slow_one(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int leader = ens_leader(k);
    ens_connect(k, 1, leader);
    k->servers[leader].disk_held = true;
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    ens_close(k);
}

static void a_leader_that_is_told_to_stop_hands_over(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int leader = ens_leader(k);
    ens_connect(k, 1, leader);
    for (int i = 1; i <= 3; i++)
        k->servers[i].disk_held = true;
    ens_create(k, 1, 1, "/a");
    ens_step(k, leader, (struct node_event){.type = NODE_STOP});
    ens_settle(k);
    assert_false(node_stopped(k->servers[leader].node));
    for (int i = 1; i <= 3; i++)
        k->servers[i].disk_held = false;
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    assert_true(node_stopped(k->servers[leader].node));
    ens_crash(k, leader);
    ens_run(k, 1000); /* nobody had to miss its pings */
    assert_int_not_equal(ens_leader(k), leader);
    assert_true(ens_has(k, ens_leader(k), "/a"));
    ens_close(k);
}

/* The walk over the tree for a file is on: the learner waits for it. */
static void a_learner_waits_for_the_snapshot_of_a_file(void **state)
{
    (void)state;
    struct ens *k = ens_new(3, 0);
    for (int i = 1; i <= 3; i++)
        k->servers[i].ensemble.commit_log_count = 1;
    ens_up(k);
    int leader = ens_leader(k), follower = ens_follower(k);
    k->timeout_ms = 20000;
    ens_connect(k, 1, leader);
    for (int i = 0; i < 10; i++) {
        char path[16];
        snprintf(path, sizeof path, "/n%d", i);
        ens_create(k, 1, i + 1, path);
    }
    ens_settle(k);
    ens_crash(k, follower);
    struct ens_server *f = &k->servers[follower];
    ens_log_cut(&f->disk, INT64_MIN); /* somebody has replaced the machine */
    f->disk.accepted_epoch = f->disk.current_epoch = 0;

    ens_step(k, leader, (struct node_event){.type = NODE_SNAPSHOT_REQUEST});
    assert_true(node_snapshot_active(k->servers[leader].node));
    ens_start(k, follower);
    ens_run(k, 2000);
    assert_false(ens_has(k, follower, "/n9"));
    ens_step(k, leader, (struct node_event){.type = NODE_SNAPSHOT_PULL, .bytes_max = 1 << 20});
    ens_settle(k);
    assert_true(ens_has(k, follower, "/n9"));
    assert_int_equal(f->installs, 1);
    assert_true(node_serving(f->node));
    ens_same(k);
    ens_close(k);
}

static void a_follower_that_is_told_to_stop_answers_what_it_took(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int follower = ens_follower(k);
    ens_connect(k, 1, follower);
    for (int i = 1; i <= 3; i++)
        k->servers[i].disk_held = true;
    ens_create(k, 1, 1, "/a");
    ens_step(k, follower, (struct node_event){.type = NODE_STOP});
    ens_create(k, 1, 2, "/b");
    ens_settle(k);
    assert_false(node_stopped(k->servers[follower].node));
    for (int i = 1; i <= 3; i++)
        k->servers[i].disk_held = false;
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    assert_false(ens_has_reply(k, 1));
    assert_true(node_stopped(k->servers[follower].node));
    ens_close(k);
}

/* Its own tail was acknowledged by nobody else, but it is elected again: the tail is committed. */
static void the_tail_of_a_leader_that_is_elected_again_is_committed(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    k->timeout_ms = 20000;
    int leader = ens_leader(k);
    ens_connect(k, 1, leader);
    ens_isolate(k, leader, true);
    ens_create(k, 1, 1, "/tail");
    for (int i = 1; i <= 3; i++) {
        if (i != leader)
            ens_crash(k, i);
    }
    ens_run(k, 8000); /* it gives up */
    assert_false(ens_has(k, leader, "/tail"));
    ens_isolate(k, leader, false);
    for (int i = 1; i <= 3; i++) {
        if (i != leader)
            ens_start(k, i);
    }
    ens_run(k, 3000);
    assert_int_equal(ens_leader(k), leader);
    for (int i = 1; i <= 3; i++)
        assert_true(ens_has(k, i, "/tail"));
    ens_same(k);
    ens_close(k);
}

static void one_server_can_be_an_ensemble(void **state)
{
    (void)state;
    struct ens *k = ens_new(1, 0);
    k->servers[1].ensemble.standalone_enabled = false;
    ens_up(k);
    ens_connect(k, 1, ens_leader(k));
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    ens_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_servers_elect_a_leader_and_serve),
        cmocka_unit_test(a_write_through_the_leader_is_everywhere),
        cmocka_unit_test(a_write_through_a_follower_is_answered_there),
        cmocka_unit_test(a_client_reads_what_it_has_written),
        cmocka_unit_test(a_malformed_write_is_answered_wherever_it_comes),
        cmocka_unit_test(what_jute_maxbuffer_lets_in_reaches_everybody),
        cmocka_unit_test(a_follower_catches_up_by_what_it_lacks),
        cmocka_unit_test(a_new_leader_has_what_the_old_one_committed),
        cmocka_unit_test(what_only_the_old_leader_has_is_truncated),
        cmocka_unit_test(what_a_restart_has_applied_is_truncated_from_the_files),
        cmocka_unit_test(a_follower_that_cannot_truncate_gets_everything),
        cmocka_unit_test(a_server_that_is_far_behind_gets_a_snapshot),
        cmocka_unit_test(a_log_that_is_remembered_serves_those_behind),
        cmocka_unit_test(an_observer_hears_and_writes_but_does_not_vote),
        cmocka_unit_test(a_write_waits_for_a_quorum_of_disks),
        cmocka_unit_test(the_leaders_own_disk_may_be_the_slow_one),
        cmocka_unit_test(a_leader_that_is_told_to_stop_hands_over),
        cmocka_unit_test(a_learner_waits_for_the_snapshot_of_a_file),
        cmocka_unit_test(a_follower_that_is_told_to_stop_answers_what_it_took),
        cmocka_unit_test(the_tail_of_a_leader_that_is_elected_again_is_committed),
        cmocka_unit_test(one_server_can_be_an_ensemble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
