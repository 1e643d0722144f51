/* links: node */
/* Observers that are served by followers (observerMasterPort). */
#include "node_ensemble_kit.h"

enum {
    OBSERVER = 4
};

static struct ens *with_masters(int count, int observers)
{
    struct ens *k = ens_new(count, observers);
    for (int i = 1; i <= count; i++) {
        k->servers[i].ensemble.observer_masters = true;
        k->servers[i].ensemble.observer_election_delay_ms = 10;
    }
    return k;
}

struct seen {
    int learners, observers;
};

static void count_learner(void *arg, const struct zab_learner_view *v)
{
    struct seen *s = arg;
    s->learners++;
    s->observers += v->observer && v->synced;
}

static struct seen learners_of(const struct ens *k, int server)
{
    struct seen s = {0};
    zab_each_learner(node_zab(k->servers[server].node), count_learner, &s);
    return s;
}

/* The follower that has the observer; 0 = none has. */
static int master(const struct ens *k)
{
    int found = 0;
    for (int i = 1; i < OBSERVER; i++) {
        if (k->servers[i].up && learners_of(k, i).observers > 0) {
            assert_int_equal(found, 0);
            found = i;
        }
    }
    return found;
}

/* Until the observer serves: it may have asked the leader first, and waits before it asks again. */
static void await_observer(struct ens *k)
{
    for (int i = 0; i < 20 && !node_serving(k->servers[OBSERVER].node); i++)
        ens_run(k, 500);
    assert_true(node_serving(k->servers[OBSERVER].node));
}

static struct ens *up(struct ens *k)
{
    ens_up(k);
    await_observer(k);
    return k;
}

static void an_observer_is_served_by_a_follower(void **state)
{
    (void)state;
    struct ens *k = up(with_masters(4, 1));
    assert_int_equal(node_role(k->servers[OBSERVER].node), NODE_OBSERVING);
    int follower = master(k);
    assert_int_not_equal(follower, 0);
    assert_int_not_equal(follower, ens_leader(k));
    assert_int_equal(learners_of(k, ens_leader(k)).learners, 2);

    ens_connect(k, 1, ens_leader(k));
    ens_connect(k, 2, OBSERVER);
    ens_read(k, 2, 1, ZK_OP_EXISTS, "/a", true);
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 1), ZK_NONODE);
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    assert_true(ens_has(k, OBSERVER, "/a"));
    assert_int_equal(ens_err(k, 2, -1), 0); /* the watch */
    ens_same(k);
    ens_close(k);
}

static void its_clients_write_through_both(void **state)
{
    (void)state;
    struct ens *k = up(with_masters(4, 1));
    ens_connect(k, 1, OBSERVER);
    for (int i = 1; i <= 20; i++) {
        char path[16];
        snprintf(path, sizeof path, "/n%d", i);
        ens_create(k, 1, i, path);
    }
    ens_settle(k);
    for (int i = 1; i <= 20; i++)
        assert_int_equal(ens_err(k, 1, i), 0);
    ens_same(k);
    ens_close(k);
}

/* Whose the leader's next answer is, is known by the order of what was asked. */
static void syncs_of_both_are_answered_to_who_asked(void **state)
{
    (void)state;
    struct ens *k = up(with_masters(4, 1));
    int follower = master(k);
    ens_connect(k, 1, OBSERVER);
    ens_connect(k, 2, follower);
    for (int i = 1; i <= 10; i++) {
        ens_path_request(k, 1 + i % 2, i, ZK_OP_SYNC, "/");
        if (i % 3 == 0)
            ens_path_request(k, 1, 100 + i, ZK_OP_SYNC, "/");
    }
    ens_settle(k);
    for (int i = 1; i <= 10; i++) {
        if (i % 2 == 1)
            assert_int_equal(ens_err(k, 2, i), 0);
    }
    for (int i = 1; i <= 10; i++) {
        if (i % 2 == 0)
            assert_int_equal(ens_err(k, 1, i), 0);
        if (i % 3 == 0)
            assert_int_equal(ens_err(k, 1, 100 + i), 0);
    }
    assert_false(ens_has_reply(k, 1));
    assert_false(ens_has_reply(k, 2));
    ens_close(k);
}

static void its_sessions_live_as_long_as_it_is_heard(void **state)
{
    (void)state;
    struct ens *k = up(with_masters(4, 1));
    ens_connect(k, 1, OBSERVER);
    for (int i = 1; i <= 40; i++) {
        ens_request(k, 1, -2, ZK_OP_PING, NULL);
        ens_run(k, 500);
        assert_int_equal(ens_err(k, 1, -2), 0);
    }
    int64_t id = k->clients[1].session_id;
    assert_non_null(session_find(node_sessions(k->servers[ens_leader(k)].node), id));
    ens_run(k, 2 * ENS_TIMEOUT_MS + 2000);
    assert_null(session_find(node_sessions(k->servers[ens_leader(k)].node), id));
    ens_close(k);
}

static void its_clients_may_come_with_sessions_of_others(void **state)
{
    (void)state;
    struct ens *k = up(with_masters(4, 1));
    int follower = master(k);
    ens_connect(k, 1, ens_leader(k));
    int64_t id = k->clients[1].session_id;
    assert_int_equal(ens_move(k, 2, 1, OBSERVER), id);
    ens_create(k, 2, 1, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 1), 0);
    assert_int_equal(ens_move(k, 3, 2, follower), id);
    ens_create(k, 3, 2, "/b");
    ens_settle(k);
    assert_int_equal(ens_err(k, 3, 2), 0);

    uint8_t password[SESSION_PASSWORD_BYTES] = {0};
    ens_ask_session(k, 4, OBSERVER, 0x7777, password, false); /* nobody's */
    ens_settle(k);
    assert_int_equal(ens_take_session(k, 4), 0);
    ens_close(k);
}

/* To the leader both are one. The client left a connection to the observer behind, which has not
 * noticed yet, and goes on by the follower. */
static void what_was_left_at_it_does_not_overtake(void **state)
{
    (void)state;
    struct ens *k = up(with_masters(4, 1));
    ens_connect(k, 1, OBSERVER);
    ens_create(k, 1, 1, "/before");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    ens_move(k, 2, 1, master(k));
    ens_create(k, 1, 2, "/late");
    ens_path_request(k, 1, 3, ZK_OP_SYNC, "/");
    ens_create(k, 2, 4, "/after");
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 4), 0);
    assert_int_equal(ens_err(k, 1, 2), ZK_BADARGUMENTS);
    assert_int_equal(ens_err(k, 1, 3), 0);
    assert_false(ens_has(k, 1, "/late"));

    ens_move(k, 3, 2, OBSERVER);
    ens_create(k, 3, 5, "/back");
    ens_settle(k);
    assert_int_equal(ens_err(k, 3, 5), 0);
    ens_same(k);
    ens_close(k);
}

static void a_connection_to_the_follower_ends_when_it_takes_the_session(void **state)
{
    (void)state;
    struct ens *k = up(with_masters(4, 1));
    ens_connect(k, 1, master(k));
    ens_create(k, 1, 1, "/before");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    ens_move(k, 2, 1, OBSERVER);
    assert_true(k->clients[1].closed);
    ens_create(k, 2, 2, "/after");
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 2), 0);
    ens_close(k);
}

static void what_it_missed_comes_from_the_follower(void **state)
{
    (void)state;
    struct ens *k = up(with_masters(4, 1));
    ens_connect(k, 1, ens_leader(k));
    ens_crash(k, OBSERVER);
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    ens_start(k, OBSERVER);
    await_observer(k);
    assert_string_equal(k->servers[OBSERVER].synced_by, "DIFF");
    ens_same(k);
    ens_close(k);
}

static void an_empty_one_gets_the_followers_tree(void **state)
{
    (void)state;
    struct ens *k = with_masters(4, 1);
    for (int i = 1; i <= 4; i++)
        k->servers[i].ensemble.commit_log_count = 2;
    for (int i = 1; i <= 3; i++)
        ens_start(k, i);
    ens_run(k, 3000);
    ens_connect(k, 1, ens_leader(k));
    for (int i = 1; i <= 30; i++) {
        char path[16];
        snprintf(path, sizeof path, "/n%d", i);
        ens_create(k, 1, i, path);
    }
    ens_settle(k);
    ens_start(k, OBSERVER);
    await_observer(k);
    assert_string_equal(k->servers[OBSERVER].synced_by, "SNAP");
    assert_true(ens_has(k, OBSERVER, "/n30"));
    assert_int_not_equal(master(k), 0);
    ens_same(k);
    ens_close(k);
}

static void when_its_follower_is_gone_it_goes_to_the_other(void **state)
{
    (void)state;
    struct ens *k = up(with_masters(4, 1));
    int first = master(k);
    ens_crash(k, first);
    ens_run(k, 500);
    await_observer(k);
    int second = master(k);
    assert_int_not_equal(second, 0);
    assert_int_not_equal(second, first);
    ens_connect(k, 1, OBSERVER);
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    ens_close(k);
}

/* The one voter leads, and a leader has no port for observers. */
static void with_no_follower_at_all_the_leader_serves(void **state)
{
    (void)state;
    struct ens *k = with_masters(4, 3);
    up(k);
    ens_run(k, 5000);
    assert_int_equal(learners_of(k, 1).observers, 3);
    ens_close(k);
}

/* Its clock says that nobody was heard: the leader's link is not one of its learners. */
static void a_follower_that_stood_still_begins_anew(void **state)
{
    (void)state;
    struct ens *k = up(with_masters(4, 1));
    int follower = master(k);
    k->now_ms += 30000;
    ens_step(k, follower, (struct node_event){.type = NODE_TICK});
    assert_string_equal(k->servers[follower].lost,
                        "the leader is silent for longer than syncLimit");
    ens_run(k, 10000);
    await_observer(k);
    assert_int_equal(node_role(k->servers[follower].node), NODE_FOLLOWING);
    ens_connect(k, 1, follower);
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    ens_same(k);
    ens_close(k);
}

static void voters_are_not_served_by_followers(void **state)
{
    (void)state;
    struct ens *k = up(with_masters(4, 1));
    int follower = master(k), before = learners_of(k, follower).learners;
    uint64_t link = ++k->last_inbound;
    ens_step(k, follower,
             (struct node_event){.type = NODE_LINK_OPEN,
                                 .link = {.link = link, .inbound = true, .observers = true}});
    struct buf info = {0}, packet = {0};
    buf_put_i64(&info, 9);
    buf_put_i32(&info, 0x10000);
    buf_put_i64(&info, 0);
    buf_put_i32(&packet, 11 /* FOLLOWERINFO */);
    buf_put_i64(&packet, 0);
    rec_put_slice(&packet, buf_slice(&info));
    buf_put_i32(&packet, -1);
    ens_step(k, follower,
             (struct node_event){.type = NODE_LINK_BYTES,
                                 .link = {.link = link, .bytes = buf_slice(&packet)}});
    assert_int_equal(learners_of(k, follower).learners, before);
    assert_true(node_serving(k->servers[follower].node));
    buf_deinit(&info);
    buf_deinit(&packet);
    ens_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_observer_is_served_by_a_follower),
        cmocka_unit_test(its_clients_write_through_both),
        cmocka_unit_test(syncs_of_both_are_answered_to_who_asked),
        cmocka_unit_test(its_sessions_live_as_long_as_it_is_heard),
        cmocka_unit_test(its_clients_may_come_with_sessions_of_others),
        cmocka_unit_test(what_was_left_at_it_does_not_overtake),
        cmocka_unit_test(a_connection_to_the_follower_ends_when_it_takes_the_session),
        cmocka_unit_test(what_it_missed_comes_from_the_follower),
        cmocka_unit_test(an_empty_one_gets_the_followers_tree),
        cmocka_unit_test(when_its_follower_is_gone_it_goes_to_the_other),
        cmocka_unit_test(with_no_follower_at_all_the_leader_serves),
        cmocka_unit_test(a_follower_that_stood_still_begins_anew),
        cmocka_unit_test(voters_are_not_served_by_followers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
