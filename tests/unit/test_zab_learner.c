/* links: zab */
/* A learner, packet by packet: what leaves when, and what must be durable before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zab_kit.h"

enum {
    LINK = 101 /* the first that is asked for */
};

static struct kit *follower_of_1(int64_t last_zxid, int64_t accepted, int64_t current)
{
    struct kit *k = kit_create((struct kit_options){.voters = 3,
                                                    .observers = 1,
                                                    .sid = 2,
                                                    .accepted_epoch = accepted,
                                                    .current_epoch = current});
    zab_follow(k->z, 1, last_zxid, k->now_ns);
    settle(k);
    return k;
}

static void opened(struct kit *k)
{
    zab_link_open(k->z, LINK, false, k->now_ns);
    settle(k);
}

static void leaderinfo_in(struct kit *k, int64_t epoch)
{
    packet_in(k, LINK, 17, zx(epoch, 0), slice_of("\0\1\0\0", 4));
}

/* Up to ACKEPOCH; the log ends at last_zxid of epoch 1, the leader's epoch is 2. */
static struct kit *registered(int64_t last_zxid)
{
    struct kit *k = follower_of_1(last_zxid, 1, 1);
    opened(k);
    leaderinfo_in(k, 2);
    all_durable(k);
    forget(k);
    return k;
}

static void newleader_in(struct kit *k, int64_t epoch)
{
    packet_in(k, LINK, 10, zx(epoch, 0), slice_str(""));
}

/* Serves behind an empty DIFF. */
static struct kit *serving(void)
{
    struct kit *k = registered(zx(1, 5));
    plain_in(k, LINK, 13, zx(1, 5));
    newleader_in(k, 2);
    all_durable(k);
    plain_in(k, LINK, 12, -1);
    assert_true(zab_serving(k->z));
    forget(k);
    return k;
}

/* ---- discovery ---- */

static void a_new_epoch_is_durable_before_it_is_acknowledged(void **state)
{
    (void)state;
    struct kit *k = follower_of_1(zx(1, 5), 1, 1);
    expect(k, "connect 1 -> 101\n");
    opened(k);
    expect(k, "101< FOLLOWERINFO 100000000 0000000000000002000100000000000000000000\n");
    leaderinfo_in(k, 2);
    expect(k, "acceptedEpoch 2 @1\n");
    durable(k, 1);
    expect(k, "101< ACKEPOCH 100000005 00000001\n");
    assert_int_equal(zab_accepted_epoch(k->z), 2);
    assert_int_equal(zab_current_epoch(k->z), 1);
    kit_free(k);
}

static void an_epoch_that_was_accepted_before_is_acknowledged_without_a_vote(void **state)
{
    (void)state;
    struct kit *k = follower_of_1(zx(1, 5), 2, 1);
    opened(k);
    forget(k);
    leaderinfo_in(k, 2);
    expect(k, "101< ACKEPOCH 100000005 ffffffff\n");
    kit_free(k);
}

static void an_older_epoch_is_not_followed(void **state)
{
    (void)state;
    struct kit *k = follower_of_1(zx(1, 5), 3, 1);
    opened(k);
    forget(k);
    leaderinfo_in(k, 2);
    expect(k, "lost: the leader's epoch is older than the one we accepted\n");
    zab_idle(k->z);
    expect(k, "disconnect 101: the role is over\n");
    kit_free(k);
}

static void a_leader_from_before_zab_1_0_is_refused(void **state)
{
    (void)state;
    struct kit *k = follower_of_1(0, 0, 0);
    opened(k);
    forget(k);
    plain_in(k, LINK, 10, zx(1, 0)); /* NEWLEADER at once */
    expect(k, "lost: the leader speaks a protocol older than Zab 1.0\n");
    kit_free(k);
    k = follower_of_1(0, 0, 0);
    opened(k);
    forget(k);
    packet_in(k, LINK, 17, zx(1, 0), slice_of("\0\0\xff\xff", 4));
    expect(k, "lost: the leader speaks a protocol older than Zab 1.0\n");
    kit_free(k);
}

static void five_tries_are_made_to_connect(void **state)
{
    (void)state;
    struct kit *k = follower_of_1(0, 0, 0);
    for (int i = 1; i <= 4; i++) {
        char wanted[40];
        snprintf(wanted, sizeof wanted, "connect 1 -> %d\n", 100 + i);
        expect(k, wanted);
        zab_link_closed(k->z, (uint64_t)(100 + i), k->now_ns);
        settle(k);
        assert_true(zab_deadline_ns(k->z) == k->now_ns + 100 * MS);
        tick(k, 100);
    }
    expect(k, "connect 1 -> 105\n");
    zab_link_closed(k->z, 105, k->now_ns);
    expect(k, "lost: cannot connect to the leader\n");
    kit_free(k);
}

static void to_connect_takes_no_longer_than_initlimit(void **state)
{
    (void)state;
    struct kit *k = follower_of_1(0, 0, 0);
    forget(k);
    assert_true(zab_deadline_ns(k->z) == k->now_ns + 10 * KIT_TICK_MS * MS);
    tick(k, 10 * KIT_TICK_MS);
    expect(k, "lost: cannot connect to the leader in time\n");
    kit_free(k);
}

static void an_unknown_leader_is_not_followed(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){.voters = 3, .sid = 2});
    zab_follow(k->z, 7, 0, k->now_ns);
    expect(k, "lost: the leader is not in the configuration\n");
    kit_free(k);
}

/* ---- synchronization ---- */

static void the_history_is_durable_before_currentepoch_and_that_before_the_ack(void **state)
{
    (void)state;
    struct kit *k = registered(zx(1, 5));
    plain_in(k, LINK, 13, zx(1, 7)); /* DIFF */
    proposal_in(k, LINK, zx(1, 6));
    plain_in(k, LINK, 4, zx(1, 6));
    proposal_in(k, LINK, zx(1, 7));
    plain_in(k, LINK, 4, zx(1, 7));
    newleader_in(k, 2);
    expect(k, "accept 100000006 @2\naccept 100000007 @3\n");
    durable(k, 2);
    expect(k, "");
    durable(k, 3);
    expect(k, "currentEpoch 2 @4\n");
    durable(k, 4);
    expect(k, "101< ACK 200000000\n");
    plain_in(k, LINK, 12, -1);
    expect(k, "commit 100000007\n"
              "101< ACK 200000000\n"
              "established 100000007\n");
    kit_free(k);
}

/* What was appended in an earlier role, and is still on its way, counts as well. */
static void the_ack_waits_for_what_an_earlier_role_appended(void **state)
{
    (void)state;
    struct kit *k = serving();
    proposal_in(k, LINK, zx(2, 1));
    expect(k, "accept 200000001 @3\n");
    zab_link_closed(k->z, LINK, k->now_ns);
    zab_idle(k->z);
    k->links[0].id = 0;
    zab_follow(k->z, 1, zx(2, 1), k->now_ns);
    zab_link_open(k->z, 102, false, k->now_ns);
    packet_in(k, 102, 17, zx(2, 0), slice_of("\0\1\0\0", 4));
    plain_in(k, 102, 13, zx(2, 1));
    packet_in(k, 102, 10, zx(2, 0), slice_str(""));
    expect(k, "lost: the connection to the leader is lost\n"
              "connect 1 -> 102\n"
              "102< FOLLOWERINFO 200000000 0000000000000002000100000000000000000000\n"
              "102< ACKEPOCH 200000001 ffffffff\n");
    durable(k, 3);
    expect(k, "currentEpoch 2 @4\n");
    kit_free(k);
}

/* COMMITs before UPTODATE are remembered; proposals without one are acknowledged behind it. */
static void what_is_not_committed_at_newleader_is_acknowledged_behind_uptodate(void **state)
{
    (void)state;
    struct kit *k = registered(zx(1, 5));
    plain_in(k, LINK, 13, zx(1, 6));
    proposal_in(k, LINK, zx(1, 6));
    plain_in(k, LINK, 4, zx(1, 6));
    proposal_in(k, LINK, zx(2, 1));
    newleader_in(k, 2);
    proposal_in(k, LINK, zx(2, 2));
    plain_in(k, LINK, 4, zx(2, 1)); /* ZOOKEEPER-4394: of a proposal before NEWLEADER */
    forget(k);
    all_durable(k);
    expect(k, "currentEpoch 2 @5\n101< ACK 200000000\n");
    proposal_in(k, LINK, zx(2, 3));
    forget(k);
    plain_in(k, LINK, 12, -1);
    expect(k, "commit 200000001\n"
              "101< ACK 200000000\n"
              "established 200000001\n"
              "101< ACK 200000001\n"
              "101< ACK 200000002\n");
    all_durable(k);
    expect(k, "101< ACK 200000003\n");
    kit_free(k);
}

static void nothing_behind_trunc_is_looked_at_before_it_is_done(void **state)
{
    (void)state;
    struct kit *k = registered(zx(1, 5));
    plain_in(k, LINK, 14, zx(1, 3));
    proposal_in(k, LINK, zx(1, 4));
    plain_in(k, LINK, 4, zx(1, 4));
    newleader_in(k, 2);
    expect(k, "pause 101\ntruncate 100000003\n");
    assert_true(zab_deadline_ns(k->z) == INT64_MAX); /* we are the slow one */
    zab_truncated(k->z, true);
    expect(k, "resume 101\naccept 100000004 @2\n");
    all_durable(k);
    expect(k, "currentEpoch 2 @3\n101< ACK 200000000\n");
    plain_in(k, LINK, 12, -1);
    expect(k, "commit 100000004\n101< ACK 200000000\nestablished 100000004\n");
    kit_free(k);
}

static void trunc_behind_our_log_is_refused(void **state)
{
    (void)state;
    struct kit *k = registered(zx(1, 5));
    plain_in(k, LINK, 14, zx(1, 6));
    expect(k, "lost: TRUNC to what we do not have\n");
    kit_free(k);
}

static void again(struct kit *k, uint64_t link, int64_t epoch)
{
    zab_idle(k->z);
    zab_follow(k->z, 1, zx(1, 5), k->now_ns);
    zab_link_open(k->z, link, false, k->now_ns);
    forget(k);
    packet_in(k, link, 17, zx(epoch, 0), slice_of("\0\1\0\0", 4));
}

/* A leader that has nothing answers a claim of nothing by DIFF: no other way leads there. */
static void who_cannot_truncate_to_nothing_becomes_as_new(void **state)
{
    (void)state;
    struct kit *k = registered(zx(1, 5));
    plain_in(k, LINK, 14, 0);
    newleader_in(k, 2);
    expect(k, "pause 101\ntruncate 0\n");
    zab_truncated(k->z, false);
    expect(k, "install nothing\n");
    zab_installed(k->z);
    expect(k, "resume 101\ncurrentEpoch 2 @2\n");
    assert_int_equal(zab_last_proposed(k->z), 0);
    all_durable(k);
    expect(k, "101< ACK 200000000\n");
    kit_free(k);
}

/* In the same epoch, where it is no vote, we say that we have nothing. */
static void who_cannot_truncate_asks_for_everything(void **state)
{
    (void)state;
    struct kit *k = registered(zx(1, 5));
    plain_in(k, LINK, 14, zx(1, 3));
    forget(k);
    zab_truncated(k->z, false);
    expect(k, "lost: cannot truncate the log\n");
    again(k, 102, 2);
    expect(k, "102< ACKEPOCH 0 ffffffff\n");
    plain_in(k, 102, 13, 0);
    expect(k, "lost: the leader does not send everything though we asked for it\n");

    again(k, 103, 3); /* a new epoch: the truth */
    all_durable(k);
    expect(k, "acceptedEpoch 3 @2\n103< ACKEPOCH 100000005 00000001\n");
    kit_free(k);
}

static void a_snapshot_takes_the_place_of_our_state(void **state)
{
    (void)state;
    struct kit *k = registered(zx(1, 5));
    struct buf b = {0};
    put_packet(&b, 15, zx(2, 2), (struct slice){0});
    buf_put_slice(&b, slice_str("<a tree>"));
    rec_put_slice(&b, slice_str("BenWasHere"));
    uint8_t entry[36];
    for (uint32_t i = 1; i <= 3; i++) { /* the first two are in the picture */
        put_packet(&b, 2, zx(2, i), txn_bytes(entry, zx(2, i)));
        put_packet(&b, 4, zx(2, i), (struct slice){0});
    }
    put_packet(&b, 10, zx(2, 0), slice_str(""));
    for (size_t i = 0; i < b.len; i++)
        bytes_in(k, LINK, slice_of(b.ptr + i, 1));
    buf_deinit(&b);
    expect(k, "install 200000002\npicture complete\npause 101\n");
    zab_installed(k->z);
    settle(k);
    expect(k, "resume 101\naccept 200000003 @2\n");
    all_durable(k);
    expect(k, "currentEpoch 2 @3\n101< ACK 200000000\n");
    plain_in(k, LINK, 12, -1);
    expect(k, "commit 200000003\n101< ACK 200000000\nestablished 200000003\n");
    kit_free(k);
}

static void the_disk_may_be_done_before_the_signature(void **state)
{
    (void)state;
    struct kit *k = registered(zx(1, 5));
    plain_in(k, LINK, 15, zx(2, 2));
    bytes_in(k, LINK, slice_str("<a tree>"));
    zab_installed(k->z);
    bytes_in(k, LINK, slice_of("\0\0\0\nBenWas", 10));
    expect(k, "install 200000002\npicture complete\n");
    bytes_in(k, LINK, slice_str("Here"));
    expect(k, "pause 101\nresume 101\n");
    proposal_in(k, LINK, zx(2, 3));
    expect(k, "accept 200000003 @2\n");
    kit_free(k);
}

static void a_broken_snapshot_leaves_the_old_state(void **state)
{
    (void)state;
    struct kit *k = registered(zx(1, 5));
    plain_in(k, LINK, 15, zx(2, 2));
    bytes_in(k, LINK, slice_str("<a tr"));
    zab_link_closed(k->z, LINK, k->now_ns);
    zab_idle(k->z);
    expect(k, "install 200000002\nlost: the connection to the leader is lost\ninstall aborted\n");
    kit_free(k);

    k = registered(zx(1, 5));
    plain_in(k, LINK, 15, zx(2, 2));
    bytes_in(k, LINK, slice_str("<a tree>"));
    bytes_in(k, LINK, slice_of("\0\0\0\nBenWasnt", 12));
    expect(k, "install 200000002\npicture complete\n"
              "lost: the snapshot of the leader has no signature\n");
    kit_free(k);

    k = registered(zx(1, 5));
    plain_in(k, LINK, 15, zx(2, 2));
    k->install_fails = true;
    bytes_in(k, LINK, slice_str("<a tree>"));
    expect(k, "install 200000002\ninstall aborted\nlost: malformed snapshot from the leader\n");
    zab_idle(k->z);
    expect(k, "disconnect 101: the role is over\n");
    kit_free(k);
}

/* ---- disorder: the role is over, nothing else ---- */

static void disorder_ends_the_role(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        int32_t types[6];
        int64_t zxids[6];
    } cases[] = {
        {"neither DIFF nor TRUNC nor SNAP from the leader", {2}, {0x100000006}},
        {"SNAP of a zxid that cannot be", {15}, {-1}},
        {"SNAP of a zxid that cannot be", {15}, {0x300000000}},
        {"proposal out of order", {13, 2}, {0x100000005, 0x100000007}},
        {"proposal out of order", {13, 2}, {0x100000005, 0x100000005}},
        {"proposal out of order", {13, 2, 2}, {0x100000005, 0x100000006, 0x100000006}},
        {"proposal out of order", {13, 2, 2}, {0x100000005, 0x200000001, 0x200000003}},
        {"proposal out of order", {13, 2, 2}, {0x100000005, 0x200000001, 0x100000006}},
        {"proposal out of order", {13, 2}, {0x100000005, 0x300000001}},
        {"proposal out of order", {13, 2}, {0x100000005, 0x200000000}},
        {"COMMIT of what was not proposed", {13, 4}, {0x100000005, 0x100000006}},
        {"NEWLEADER out of turn", {13, 10}, {0x100000005, 0x100000000}},
        {"NEWLEADER out of turn", {13, 10, 10}, {0x100000005, 0x200000000, 0x200000000}},
        {"UPTODATE out of turn", {13, 12}, {0x100000005, -1}},
        {"UPTODATE out of turn", {13, 10, 12}, {0x100000005, 0x200000000, -1}},
        {"malformed activation", {13, 9}, {0x100000005, 0x100000006}},
        {"malformed activation", {13, 19}, {0x100000005, 0x100000006}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kit *k = registered(zx(1, 5));
        for (int p = 0; cases[i].types[p] != 0; p++) {
            if (cases[i].types[p] == 2)
                proposal_in(k, LINK, cases[i].zxids[p]);
            else
                plain_in(k, LINK, cases[i].types[p], cases[i].zxids[p]);
        }
        char wanted[100];
        snprintf(wanted, sizeof wanted, "lost: %s\n", cases[i].why);
        buf_put_u8(&k->log, 0);
        if (strstr((const char *)k->log.ptr, wanted) == NULL)
            print_error("case %d: %s, got %s\n", (int)i, wanted, k->log.ptr);
        assert_non_null(strstr((const char *)k->log.ptr, wanted));
        kit_free(k);
    }
}

static void disorder_in_broadcast_ends_the_role(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        int32_t type;
        int64_t zxid;
    } cases[] = {
        {"proposal out of order", 2, 0x200000003}, {"proposal out of order", 2, 0x200000001},
        {"COMMIT out of order", 4, 0x200000002},   {"malformed activation", 9, 0x200000001},
        {"malformed REVALIDATE", 6, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kit *k = serving();
        proposal_in(k, LINK, zx(2, 1));
        forget(k);
        if (cases[i].type == 2)
            proposal_in(k, LINK, cases[i].zxid);
        else
            plain_in(k, LINK, cases[i].type, cases[i].zxid);
        char wanted[100];
        snprintf(wanted, sizeof wanted, "lost: %s\n", cases[i].why);
        expect(k, wanted);
        kit_free(k);
    }
}

static void a_transaction_that_cannot_be_read_ends_the_role(void **state)
{
    (void)state;
    struct kit *k = serving();
    packet_in(k, LINK, 2, zx(2, 1), slice_str("short"));
    expect(k, "lost: proposal out of order\n");
    kit_free(k);
    k = serving();
    k->accept_fails = true;
    proposal_in(k, LINK, zx(2, 1));
    expect(k, "lost: a transaction that cannot be read\n");
    kit_free(k);
    k = serving();
    uint8_t entry[36]; /* the header says another zxid than the packet */
    packet_in(k, LINK, 2, zx(2, 1), txn_bytes(entry, zx(2, 2)));
    expect(k, "lost: proposal out of order\n");
    kit_free(k);
}

/* ---- broadcast ---- */

static void a_proposal_is_durable_before_its_ack(void **state)
{
    (void)state;
    struct kit *k = serving();
    proposal_in(k, LINK, zx(2, 1));
    proposal_in(k, LINK, zx(2, 2));
    expect(k, "accept 200000001 @3\naccept 200000002 @4\n");
    plain_in(k, LINK, 4, zx(2, 1)); /* the others were faster */
    expect(k, "commit 200000001\n");
    durable(k, 3);
    expect(k, "101< ACK 200000001\n");
    durable(k, 4);
    expect(k, "101< ACK 200000002\n");
    plain_in(k, LINK, 4, zx(2, 1)); /* known */
    expect(k, "");
    plain_in(k, LINK, 4, zx(2, 2));
    expect(k, "commit 200000002\n");
    kit_free(k);
}

static void pings_are_answered_with_the_sessions_that_were_heard(void **state)
{
    (void)state;
    struct kit *k = serving();
    plain_in(k, LINK, 5, zx(2, 0));
    expect(k, "101< PING 200000000 \n");
    k->touches = "yes";
    plain_in(k, LINK, 5, zx(2, 0));
    expect(k, "101< PING 200000000 000000000000007700001770\n");
    kit_free(k);
}

static void a_sync_is_answered_behind_what_was_committed(void **state)
{
    (void)state;
    struct kit *k = serving();
    proposal_in(k, LINK, zx(2, 1));
    forget(k);
    struct buf b = {0};
    put_packet(&b, 4, zx(2, 1), (struct slice){0});
    put_packet(&b, 7, 0, (struct slice){0});
    bytes_in(k, LINK, buf_slice(&b));
    buf_deinit(&b);
    expect(k, "commit 200000001\nsynced\n");
    kit_free(k);
}

static void what_clients_want_goes_to_the_leader(void **state)
{
    (void)state;
    struct kit *k = serving();
    struct rec_id who[2] = {{slice_str("ip"), slice_str("1.2")}, {slice_str("x"), slice_str("")}};
    struct zab_request r = {.session_id = 0x55,
                            .cxid = 7,
                            .op = 1,
                            .record = slice_str("abc"),
                            .who = who,
                            .who_count = 2};
    zab_forward(k->z, &r);
    expect(k, "101< REQUEST -1 00000000000000550000000700000001616263 ids 2 (22 bytes)\n");
    zab_revalidate(k->z, 0x55, 4000);
    expect(k, "101< REVALIDATE -1 000000000000005500000fa0\n");
    packet_in(k, LINK, 6, -1, slice_of("\0\0\0\0\0\0\0\x55\1", 9));
    packet_in(k, LINK, 6, -1, slice_of("\0\0\0\0\0\0\0\x55\0", 9));
    expect(k, "revalidated 55 valid\nrevalidated 55 gone\n");
    kit_free(k);

    k = registered(zx(1, 5)); /* not before we serve */
    zab_forward(k->z, &r);
    zab_revalidate(k->z, 0x55, 4000);
    expect(k, "");
    kit_free(k);
}

static void a_silent_leader_is_left(void **state)
{
    (void)state;
    struct kit *k = registered(zx(1, 5));
    assert_true(zab_deadline_ns(k->z) == k->now_ns + 10 * KIT_TICK_MS * MS);
    tick(k, 10 * KIT_TICK_MS - 1);
    expect(k, "");
    tick(k, 1);
    expect(k, "lost: the leader is silent for longer than initLimit\n");
    kit_free(k);
    k = serving();
    tick(k, 3 * KIT_TICK_MS);
    plain_in(k, LINK, 5, zx(2, 0));
    forget(k);
    tick(k, 5 * KIT_TICK_MS - 1);
    expect(k, "");
    tick(k, 1);
    expect(k, "lost: the leader is silent for longer than syncLimit\n");
    kit_free(k);
}

static void what_zookeeper_passes_over_is_passed_over(void **state)
{
    (void)state;
    struct kit *k = registered(zx(1, 5));
    plain_in(k, LINK, 13, zx(1, 5));
    plain_in(k, LINK, 5, 0);
    plain_in(k, LINK, 77, 0);
    expect(k, "");
    kit_free(k);
    k = serving();
    plain_in(k, LINK, 77, 0);
    plain_in(k, LINK, 12, -1);
    expect(k, "");
    kit_free(k);
}

/* ---- observers ---- */

static struct kit *observing(void)
{
    struct kit *k = kit_create((struct kit_options){
        .voters = 3, .observers = 1, .sid = 4, .accepted_epoch = 1, .current_epoch = 1});
    zab_follow(k->z, 1, zx(1, 5), k->now_ns);
    opened(k);
    leaderinfo_in(k, 2);
    all_durable(k);
    return k;
}

static void an_observer_is_informed(void **state)
{
    (void)state;
    struct kit *k = observing();
    expect(k, "connect 1 -> 101\n"
              "101< OBSERVERINFO 100000000 0000000000000004000100000000000000000000\n"
              "acceptedEpoch 2 @1\n"
              "101< ACKEPOCH 100000005 00000001\n");
    uint8_t entry[36];
    plain_in(k, LINK, 13, zx(1, 6));
    proposal_in(k, LINK, zx(1, 6));
    plain_in(k, LINK, 4, zx(1, 6));
    packet_in(k, LINK, 8, zx(1, 7), txn_bytes(entry, zx(1, 7)));
    newleader_in(k, 2);
    packet_in(k, LINK, 8, zx(2, 1), txn_bytes(entry, zx(2, 1)));
    forget(k);
    all_durable(k);
    expect(k, "currentEpoch 2 @5\n101< ACK 200000000\n");
    plain_in(k, LINK, 12, -1);
    expect(k, "commit 200000001\n101< ACK 200000000\nestablished 200000001\n");
    packet_in(k, LINK, 8, zx(2, 2), txn_bytes(entry, zx(2, 2)));
    expect(k, "accept 200000002 @6\ncommit 200000002\n");
    proposal_in(k, LINK, zx(2, 3)); /* not for observers */
    plain_in(k, LINK, 4, zx(2, 3));
    all_durable(k);
    expect(k, "");
    kit_free(k);
}

/* ---- bytes from outside ---- */

static void a_malformed_packet_ends_the_role(void **state)
{
    (void)state;
    uint8_t bytes[20] = {0, 0, 0, 2};
    struct kit *k = serving();
    store_be32(bytes + 12, INT32_MAX);
    bytes_in(k, LINK, slice_of(bytes, 16));
    expect(k, "lost: malformed packet from the leader\n");
    kit_free(k);
}

static void what_comes_behind_the_end_of_a_role_is_nobodys(void **state)
{
    (void)state;
    struct kit *k = serving();
    struct buf b = {0};
    uint8_t entry[36];
    put_packet(&b, 2, zx(1, 9), txn_bytes(entry, zx(1, 9)));
    put_packet(&b, 5, 0, (struct slice){0});
    bytes_in(k, LINK, buf_slice(&b));
    bytes_in(k, LINK, buf_slice(&b));
    buf_deinit(&b);
    zab_truncated(k->z, true);
    zab_installed(k->z);
    zab_durable(k->z, 100);
    tick(k, 100000);
    expect(k, "lost: proposal out of order\n");
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_epoch_is_durable_before_it_is_acknowledged),
        cmocka_unit_test(an_epoch_that_was_accepted_before_is_acknowledged_without_a_vote),
        cmocka_unit_test(an_older_epoch_is_not_followed),
        cmocka_unit_test(a_leader_from_before_zab_1_0_is_refused),
        cmocka_unit_test(five_tries_are_made_to_connect),
        cmocka_unit_test(to_connect_takes_no_longer_than_initlimit),
        cmocka_unit_test(an_unknown_leader_is_not_followed),
        cmocka_unit_test(the_history_is_durable_before_currentepoch_and_that_before_the_ack),
        cmocka_unit_test(the_ack_waits_for_what_an_earlier_role_appended),
        cmocka_unit_test(what_is_not_committed_at_newleader_is_acknowledged_behind_uptodate),
        cmocka_unit_test(nothing_behind_trunc_is_looked_at_before_it_is_done),
        cmocka_unit_test(trunc_behind_our_log_is_refused),
        cmocka_unit_test(who_cannot_truncate_to_nothing_becomes_as_new),
        cmocka_unit_test(who_cannot_truncate_asks_for_everything),
        cmocka_unit_test(a_snapshot_takes_the_place_of_our_state),
        cmocka_unit_test(the_disk_may_be_done_before_the_signature),
        cmocka_unit_test(a_broken_snapshot_leaves_the_old_state),
        cmocka_unit_test(disorder_ends_the_role),
        cmocka_unit_test(disorder_in_broadcast_ends_the_role),
        cmocka_unit_test(a_transaction_that_cannot_be_read_ends_the_role),
        cmocka_unit_test(a_proposal_is_durable_before_its_ack),
        cmocka_unit_test(pings_are_answered_with_the_sessions_that_were_heard),
        cmocka_unit_test(a_sync_is_answered_behind_what_was_committed),
        cmocka_unit_test(what_clients_want_goes_to_the_leader),
        cmocka_unit_test(a_silent_leader_is_left),
        cmocka_unit_test(what_zookeeper_passes_over_is_passed_over),
        cmocka_unit_test(an_observer_is_informed),
        cmocka_unit_test(a_malformed_packet_ends_the_role),
        cmocka_unit_test(what_comes_behind_the_end_of_a_role_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
