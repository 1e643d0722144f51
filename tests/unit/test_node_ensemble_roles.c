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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_proposed_when_the_role_is_over),
        cmocka_unit_test(a_server_whose_disk_is_stuck_keeps_nobody_from_leading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
