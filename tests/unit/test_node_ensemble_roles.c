/* links: node */
/* Between two roles: what is not to happen any more, and what has to have happened before. */
#include "node_ensemble_kit.h"

/* A server that accepted a newer epoch elsewhere comes to the leader. */
static void comes_with_a_newer_epoch(struct ens *k, int leader, int sid)
{
    enum {
        FOLLOWERINFO = 11
    };
    uint64_t link = ++k->last_inbound;
    struct buf info = {0}, packet = {0};
    buf_put_i64(&info, sid);
    buf_put_i32(&info, 0x10000);
    buf_put_i64(&info, 0);
    buf_put_i32(&packet, FOLLOWERINFO);
    buf_put_i64(&packet, zxid_make(9, 0));
    rec_put_slice(&packet, buf_slice(&info));
    buf_put_i32(&packet, -1);
    ens_step(k, leader,
             (struct node_event){.type = NODE_LINK_OPEN, .link = {.link = link, .inbound = true}});
    k->now_ms += 3 * ENS_TIMEOUT_MS; /* it was away for so long that sessions are due */
    ens_step(k, leader,
             (struct node_event){.type = NODE_LINK_BYTES,
                                 .link = {.link = link, .bytes = buf_slice(&packet)}});
    buf_deinit(&info);
    buf_deinit(&packet);
}

/* What zab does not take may not be in the log either: its window would not end where the log
 * does. */
static void nothing_is_proposed_when_the_role_is_over(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int leader = ens_leader(k);
    ens_connect(k, 1, leader);
    size_t logged = k->servers[leader].disk.count;
    comes_with_a_newer_epoch(k, leader, leader == 1 ? 2 : 1);
    assert_string_equal(k->servers[leader].lost, "a voter has accepted a newer epoch");
    assert_int_equal(k->servers[leader].disk.count, logged);
    ens_run(k, 3000);
    assert_int_equal(ens_leader(k), leader);
    ens_run(k, 3 * ENS_TIMEOUT_MS); /* the session is over now */
    assert_int_equal(k->servers[leader].disk.count, logged + 1);
    ens_same(k);
    ens_close(k);
}

/* Its log is as long as the others' and its number is the largest, but its disk does not answer:
 * elected it could not even accept an epoch. */
static void a_server_whose_disk_is_stuck_keeps_nobody_from_leading(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    int stuck = ens_leader(k);
    ens_connect(k, 1, ens_follower(k));
    k->servers[stuck].disk_held = true;
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 1), 0);
    comes_with_a_newer_epoch(k, stuck, stuck == 1 ? 2 : 1);
    ens_run(k, 5000);
    assert_int_not_equal(ens_leader(k), stuck);

    k->servers[stuck].disk_held = false;
    ens_run(k, 3000);
    assert_int_equal(node_role(k->servers[stuck].node), NODE_FOLLOWING);
    assert_true(node_serving(k->servers[stuck].node));
    ens_same(k);
    ens_close(k);
}

/* A new epoch, by the same leader: its log is longer than the others' by the last of the old one.
 */
static void at_the_end_of_an_epoch_the_leader_leads_on(void **state)
{
    (void)state;
    struct ens *k = ens_new(3, 0);
    for (int i = 1; i <= 3; i++)
        k->servers[i].ensemble.zxid_counter_max = 20;
    ens_up(k);
    int leader = ens_leader(k), made = 0, refused = 0;
    for (int round = 1; round <= 5; round++) {
        int64_t epoch = zab_current_epoch(node_zab(k->servers[leader].node));
        ens_connect(k, 1, round % 2 == 1 ? ens_follower(k) : leader);
        while (!k->clients[1].closed) {
            char path[16];
            snprintf(path, sizeof path, "/n%d", ++made);
            ens_create(k, 1, made, path);
            ens_create(k, 1, made + 1000, "/no/such"); /* takes a zxid too */
            ens_settle(k);
            while (ens_has_reply(k, 1)) {
                struct ens_reply r = ens_reply(k, 1);
                refused += r.err == ZK_CONNECTIONLOSS;
                if (r.err == 0)
                    assert_true(ens_has(k, leader, path));
            }
        }
        ens_run(k, 1000);
        assert_int_equal(ens_leader(k), leader);
        assert_int_equal(zab_current_epoch(node_zab(k->servers[leader].node)), epoch + 1);
        assert_string_equal(k->servers[leader].lost,
                            "the epoch has no zxid left, the next one begins");
        ens_same(k);
    }
    assert_true(made > 40 && refused <= 10);
    ens_close(k);
}

/* It is elsewhere when the others elect: what only it had is taken back. */
static void at_the_end_of_an_epoch_another_may_lead(void **state)
{
    (void)state;
    struct ens *k = ens_new(3, 0);
    for (int i = 1; i <= 3; i++)
        k->servers[i].ensemble.zxid_counter_max = 20;
    ens_up(k);
    int leader = ens_leader(k);
    ens_connect(k, 1, leader);
    for (int i = 1; !k->clients[1].closed; i++) {
        char path[16];
        snprintf(path, sizeof path, "/n%d", i);
        ens_create(k, 1, i, path);
        if (i == 19) {
            ens_step(k, leader, (struct node_event){.type = NODE_TICK});
            ens_isolate(k, leader, true);
        }
        ens_settle(k);
        ens_run(k, i >= 19 ? 20000 : 0);
    }
    int other = ens_leader(k);
    assert_int_not_equal(other, leader);
    ens_connect(k, 2, other);
    ens_create(k, 2, 1, "/later");
    ens_settle(k);
    ens_isolate(k, leader, false);
    ens_run(k, 20000);
    assert_true(ens_has(k, leader, "/later"));
    ens_same(k);
    ens_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_the_end_of_an_epoch_the_leader_leads_on),
        cmocka_unit_test(at_the_end_of_an_epoch_another_may_lead),
        cmocka_unit_test(nothing_is_proposed_when_the_role_is_over),
        cmocka_unit_test(a_server_whose_disk_is_stuck_keeps_nobody_from_leading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
