/* links: zab */
/* A leader, packet by packet: discovery, establishment, broadcast, time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zab_kit.h"

/* Leader 3 of three, fresh; servers 1 and 2 may come. */
static struct kit *fresh_leader(void)
{
    struct kit *k = kit_create((struct kit_options){.voters = 3, .observers = 2, .sid = 3});
    zab_lead(k->z, 0, k->now_ns);
    settle(k);
    return k;
}

/* Learner `sid` on link `sid` through discovery; what is sent meanwhile is forgotten. */
static void join(struct kit *k, int64_t sid, bool observer, int64_t last_zxid)
{
    link_in(k, (uint64_t)sid);
    info_in(k, (uint64_t)sid, observer, sid, 0, 0);
    all_durable(k);
    ackepoch_in(k, (uint64_t)sid, 0, last_zxid);
    all_durable(k);
}

/* ... and through synchronization: it serves, and so do we. */
static void join_and_serve(struct kit *k, int64_t sid, bool observer, int64_t last_zxid)
{
    join(k, sid, observer, last_zxid);
    plain_in(k, (uint64_t)sid, 3, zx(zab_accepted_epoch(k->z), 0));
    plain_in(k, (uint64_t)sid, 3, zx(zab_accepted_epoch(k->z), 0));
    forget(k);
}

static struct kit *serving_leader(void)
{
    struct kit *k = fresh_leader();
    join_and_serve(k, 1, false, 0);
    assert_true(zab_serving(k->z));
    return k;
}

static void ack_in(struct kit *k, uint64_t link, int64_t zxid)
{
    plain_in(k, link, 3, zxid);
}

/* ---- discovery and establishment ---- */

static void a_fresh_ensemble_from_the_first_packet_to_the_first_commit(void **state)
{
    (void)state;
    struct kit *k = fresh_leader();
    expect(k, "");
    link_in(k, 1);
    info_in(k, 1, false, 1, 0, 0);
    expect(k, "acceptedEpoch 1 @1\n");
    durable(k, 1);
    expect(k, "1< LEADERINFO 100000000 00010000\n");
    ackepoch_in(k, 1, 0, 0);
    expect(k, "currentEpoch 1 @2\n"
              "1< DIFF 0\n"
              "1< NEWLEADER 100000000 "
              "7365727665722e313d68313a323838383a333838383a7061727469636970616e740a"
              "7365727665722e323d68323a323838383a333838383a7061727469636970616e740a"
              "7365727665722e333d68333a323838383a333838383a7061727469636970616e740a"
              "7365727665722e343d68343a323838383a333838383a6f627365727665720a"
              "7365727665722e353d68353a323838383a333838383a6f627365727665720a"
              "76657273696f6e3d30\n");
    ack_in(k, 1, zx(1, 0));
    expect(k, "pause 1\n"); /* not yet: our own currentEpoch is not durable */
    durable(k, 2);
    expect(k, "established 100000000\n"
              "1< UPTODATE -1\n"
              "resume 1\n");
    ack_in(k, 1, zx(1, 0)); /* of UPTODATE */
    expect(k, "");

    k->quiet_proposals = false;
    uint64_t ticket = propose(k, zx(1, 1));
    expect(k, "1< PROPOSAL 100000001 "
              "000000000000009900000000000000010000000100000000"
              "00000000ffffffff00000000\n");
    ack_in(k, 1, zx(1, 1));
    expect(k, ""); /* one of three: ours is not durable */
    durable(k, ticket);
    expect(k, "1< COMMIT 100000001\n"
              "commit 100000001\n");
    kit_free(k);
}

static void the_epoch_is_above_all_that_were_accepted(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){
        .voters = 5, .observers = 1, .sid = 3, .accepted_epoch = 4, .current_epoch = 3});
    zab_lead(k->z, zx(3, 9), k->now_ns);
    settle(k);
    link_in(k, 6);
    info_in(k, 6, true, 6, 11, 0); /* an observer has a say in the number, not in the quorum */
    link_in(k, 1);
    info_in(k, 1, false, 1, 7, 0);
    expect(k, "");
    link_in(k, 2);
    info_in(k, 2, false, 2, 3, 0);
    expect(k, "acceptedEpoch 12 @1\n");
    durable(k, 1);
    expect(k, "6< LEADERINFO c00000000 00010000\n"
              "1< LEADERINFO c00000000 00010000\n"
              "2< LEADERINFO c00000000 00010000\n");
    /* Who comes later gets the same. */
    link_in(k, 4);
    info_in(k, 4, false, 4, 0, 0);
    expect(k, "4< LEADERINFO c00000000 00010000\n");
    kit_free(k);
}

/* -1: it had accepted this epoch before. */
static void an_epoch_that_was_accepted_before_does_not_count(void **state)
{
    (void)state;
    struct kit *k = fresh_leader();
    link_in(k, 1);
    info_in(k, 1, false, 1, 0, 0);
    durable(k, 1);
    forget(k);
    ackepoch_in(k, 1, -1, 0);
    expect(k, "");
    link_in(k, 2);
    info_in(k, 2, false, 2, 0, 0);
    ackepoch_in(k, 2, 0, 0);
    assert_non_null(strstr((buf_put_u8(&k->log, 0), (const char *)k->log.ptr), "currentEpoch 1"));
    kit_free(k);
}

static void who_knows_less_than_a_follower_gives_up(void **state)
{
    (void)state;
    static const struct {
        int32_t epoch;
        int64_t zxid;
        bool ahead;
    } cases[] = {{2, 0x200000005, false},
                 {2, 0x200000006, true},
                 {3, 0x100000000, true},
                 {1, 0x200000009, false},
                 {-1, 0x300000000, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kit *k = kit_create(
            (struct kit_options){.voters = 5, .sid = 3, .accepted_epoch = 2, .current_epoch = 2});
        zab_lead(k->z, zx(2, 5), k->now_ns);
        for (int64_t sid = 1; sid <= 2; sid++) {
            link_in(k, (uint64_t)sid);
            info_in(k, (uint64_t)sid, false, sid, 2, 0);
        }
        durable(k, 1);
        forget(k);
        ackepoch_in(k, 1, cases[i].epoch, cases[i].zxid);
        expect(k, cases[i].ahead ? "disconnect 1: is ahead of the leader\n"
                                   "lost: a follower is ahead of us\n"
                                 : "");
        kit_free(k);
    }
}

static void an_observer_that_is_ahead_is_sent_away(void **state)
{
    (void)state;
    struct kit *k = fresh_leader();
    link_in(k, 1);
    info_in(k, 1, false, 1, 0, 0);
    link_in(k, 4);
    info_in(k, 4, true, 4, 0, 0);
    durable(k, 1);
    forget(k);
    ackepoch_in(k, 4, 0, 5);
    expect(k, "disconnect 4: is ahead of the leader\n");
    kit_free(k);
}

static void a_voter_with_a_newer_epoch_ends_our_leadership(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    link_in(k, 4);
    info_in(k, 4, true, 4, 9, 0);
    expect(k, "4< LEADERINFO 100000000 00010000\n");
    link_in(k, 2);
    info_in(k, 2, false, 2, 2, 0);
    expect(k, "lost: a voter has accepted a newer epoch\n");
    kit_free(k);
}

static void learners_that_came_too_early_are_not_lost(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){.voters = 3, .sid = 3});
    link_in(k, 1);
    info_in(k, 1, false, 1, 0, 0);
    expect(k, "");
    zab_lead(k->z, 0, k->now_ns);
    settle(k);
    expect(k, "acceptedEpoch 1 @1\n");
    kit_free(k);
}

static void who_comes_to_somebody_who_never_leads_is_sent_away(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){.voters = 3, .sid = 3});
    link_in(k, 1);
    assert_true(zab_deadline_ns(k->z) <= k->now_ns + 1001 * MS);
    tick(k, 500);
    expect(k, "");
    tick(k, 600);
    expect(k, "disconnect 1: not leading\n");
    link_in(k, 2);
    zab_follow(k->z, 1, 0, k->now_ns);
    expect(k, "disconnect 2: not leading\nconnect 1 -> 101\n");
    link_in(k, 3);
    expect(k, "disconnect 3: not leading\n");
    kit_free(k);
}

static void a_leader_alone_is_a_quorum_of_one(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){.voters = 1, .sid = 1});
    zab_lead(k->z, 0, k->now_ns);
    settle(k);
    expect(k, "acceptedEpoch 1 @1\n");
    durable(k, 1);
    expect(k, "currentEpoch 1 @2\n");
    durable(k, 2);
    expect(k, "established 100000000\n");
    propose(k, zx(1, 1));
    expect(k, "");
    durable(k, 3);
    expect(k, "commit 100000001\n");
    kit_free(k);
}

/* Uncommitted history is committed by the quorum's ACKs of NEWLEADER, not before (I3). */
static void our_own_tail_is_committed_when_we_are_established(void **state)
{
    (void)state;
    struct kit *k = kit_create(
        (struct kit_options){.voters = 3, .sid = 3, .accepted_epoch = 1, .current_epoch = 1});
    remember(k, zx(1, 1));
    zab_follow(k->z, 1, zx(1, 1), k->now_ns);
    zab_link_open(k->z, 101, false, k->now_ns);
    packet_in(k, 101, 17, zx(1, 0), slice_of("\0\1\0\0", 4));
    plain_in(k, 101, 13, zx(1, 1));
    proposal_in(k, 101, zx(1, 2));
    expect(k, "connect 1 -> 101\n"
              "101< FOLLOWERINFO 100000000 0000000000000003000100000000000000000000\n"
              "101< ACKEPOCH 100000001 ffffffff\n"
              "accept 100000002 @1\n");
    zab_link_closed(k->z, 101, k->now_ns);
    zab_idle(k->z);
    forget(k);

    zab_lead(k->z, zx(1, 2), k->now_ns);
    settle(k);
    link_in(k, 1);
    info_in(k, 1, false, 1, 1, 0);
    all_durable(k);
    ackepoch_in(k, 1, 1, zx(1, 1));
    all_durable(k);
    forget(k);
    ack_in(k, 1, zx(2, 0));
    expect(k, "commit 100000002\n"
              "established 200000000\n"
              "1< UPTODATE -1\n");
    kit_free(k);
}

static void a_phase_that_takes_longer_than_initlimit_ends_it(void **state)
{
    (void)state;
    struct kit *k = fresh_leader();
    for (int i = 0; i < 19; i++)
        tick(k, KIT_TICK_MS / 2);
    expect(k, "");
    tick(k, KIT_TICK_MS / 2);
    expect(k, "lost: no quorum for an epoch within initLimit\n");
    assert_true(zab_deadline_ns(k->z) == INT64_MAX);
    kit_free(k);
}

/* ---- who may come ---- */

static void refused(const char *why, bool observer, int64_t sid, int64_t accepted, int64_t config)
{
    struct kit *k = serving_leader();
    link_in(k, 7);
    info_in(k, 7, observer, sid, accepted, config);
    char wanted[200];
    snprintf(wanted, sizeof wanted, "disconnect 7: %s\n", why);
    expect(k, wanted);
    kit_free(k);
}

static void who_cannot_be_a_learner_is_refused(void **state)
{
    (void)state;
    refused("has our own server id", false, 3, 0, 0);
    refused("is ahead of the leader (has a later activated configuration)", false, 2, 0, 1);
    refused("has used up all epochs", true, 4, INT32_MAX, 0);

    struct kit *k = serving_leader();
    link_in(k, 7);
    plain_in(k, 7, 3, 0);
    expect(k, "disconnect 7: first packet is not FOLLOWERINFO or OBSERVERINFO\n");
    link_in(k, 8);
    packet_in(k, 8, 11, 0, slice_str("12345678")); /* before 3.4: the id alone */
    expect(k, "disconnect 8: speaks a protocol older than Zab 1.0\n");
    link_in(k, 9);
    plain_in(k, 9, 11, 0);
    expect(k, "disconnect 9: speaks a protocol older than Zab 1.0\n");
    kit_free(k);
}

static void a_learner_that_comes_again_leaves_its_older_link(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    link_in(k, 11);
    info_in(k, 11, false, 1, 1, 0);
    expect(k, "disconnect 1: connected again\n"
              "learner 1 gone\n"
              "11< LEADERINFO 100000000 00010000\n");
    kit_free(k);
}

/* ---- broadcast ---- */

static void observers_are_informed_of_what_is_committed(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    join_and_serve(k, 4, true, zx(1, 0));
    propose(k, zx(1, 1));
    propose(k, zx(1, 2));
    expect(k, "1< PROPOSAL 100000001 ..\n1< PROPOSAL 100000002 ..\n");
    all_durable(k);
    expect(k, "");
    k->quiet_proposals = false;
    ack_in(k, 1, zx(1, 2)); /* who has the second has the first */
    expect(k, "1< COMMIT 100000001\n"
              "1< COMMIT 100000002\n"
              "4< INFORM 100000001 000000000000009900000000000000010000000100000000"
              "00000000ffffffff00000000\n"
              "4< INFORM 100000002 000000000000009900000000000000010000000200000000"
              "00000000ffffffff00000000\n"
              "commit 100000002\n");
    kit_free(k);
}

static void the_others_can_commit_without_our_disk(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    join_and_serve(k, 2, false, zx(1, 0));
    propose(k, zx(1, 1));
    forget(k);
    ack_in(k, 1, zx(1, 1));
    expect(k, "");
    ack_in(k, 2, zx(1, 1));
    expect(k, "1< COMMIT 100000001\n2< COMMIT 100000001\ncommit 100000001\n");
    kit_free(k);
}

/* What it acknowledged on a link that is gone does not count: it may have been truncated since. */
static void an_ack_dies_with_its_link(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    propose(k, zx(1, 1));
    ack_in(k, 1, zx(1, 1));
    zab_link_closed(k->z, 1, k->now_ns);
    k->links[kit_slot(k, 1)].id = 0;
    join_and_serve(k, 1, false, zx(1, 1));
    all_durable(k);
    expect(k, "");
    ack_in(k, 1, zx(1, 1));
    expect(k, "1< COMMIT 100000001\ncommit 100000001\n");
    kit_free(k);
}

static void followers_outside_of_the_configuration_have_no_vote(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    link_in(k, 9);
    info_in(k, 9, false, 9, 0, 0);
    ackepoch_in(k, 9, 0, zx(1, 0));
    ack_in(k, 9, zx(1, 0));
    forget(k);
    propose(k, zx(1, 1));
    expect(k, "1< PROPOSAL 100000001 ..\n9< PROPOSAL 100000001 ..\n");
    all_durable(k);
    ack_in(k, 9, zx(1, 1));
    expect(k, "");
    ack_in(k, 1, zx(1, 1));
    expect(k, "1< COMMIT 100000001\n9< COMMIT 100000001\ncommit 100000001\n");
    kit_free(k);
}

static void an_ack_of_what_was_never_proposed_is_refused(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    ack_in(k, 1, zx(1, 1));
    expect(k, "disconnect 1: acknowledged what was never proposed\nlearner 1 gone\n");
    kit_free(k);
}

static void syncs_are_answered_behind_what_was_proposed(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    uint8_t request[16 + 5];
    memset(request, 0, sizeof request);
    store_be64(request, 0x1234);
    store_be32(request + 8, 42);
    store_be32(request + 12, 9);
    packet_in(k, 1, 1, -1, slice_of(request, sizeof request));
    packet_in(k, 1, 1, -1, slice_of(request, sizeof request));
    expect(k, "request of 1: session 1234 cxid 42 op 9 record 5 ids 0\n"
              "request of 1: session 1234 cxid 42 op 9 record 5 ids 0\n");
    zab_answer_sync(k->z, 1);
    expect(k, "1< SYNC 0\n");
    propose(k, zx(1, 1));
    forget(k);
    zab_answer_sync(k->z, 1);
    assert_int_equal(zab_counts(k->z)->pending_syncs, 1);
    expect(k, "");
    all_durable(k);
    ack_in(k, 1, zx(1, 1));
    expect(k, "1< COMMIT 100000001\ncommit 100000001\n1< SYNC 0\n");
    zab_answer_sync(k->z, 1); /* nobody asked */
    zab_answer_sync(k->z, 2);
    expect(k, "");
    kit_free(k);
}

static void sessions_of_learners_are_touched_and_revalidated(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    uint8_t touches[24];
    store_be64(touches, 0xa1);
    store_be32(touches + 8, 4000);
    store_be64(touches + 12, 0xa2);
    store_be32(touches + 20, 5000);
    packet_in(k, 1, 5, 0, slice_of(touches, sizeof touches));
    expect(k, "touch of 1: a1 4000\ntouch of 1: a2 5000\n");
    packet_in(k, 1, 6, -1, slice_of(touches, 12));
    expect(k, "revalidate of 1: a1 4000\n1< REVALIDATE -1 00000000000000a101\n");
    k->session_valid = false;
    packet_in(k, 1, 6, -1, slice_of(touches + 12, 12));
    expect(k, "revalidate of 1: a2 5000\n1< REVALIDATE -1 00000000000000a200\n");
    packet_in(k, 1, 99, -1, slice_of(touches, 12)); /* unknown: passed over */
    expect(k, "");
    kit_free(k);
}

static void the_identities_of_a_client_come_with_its_request(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    struct buf b = {0};
    buf_put_i32(&b, 1);
    buf_put_i64(&b, -1);
    buf_put_i32(&b, 16);
    for (int i = 0; i < 16; i++)
        buf_put_u8(&b, 0);
    buf_put_i32(&b, 2);
    for (int i = 0; i < 2; i++) {
        rec_put_slice(&b, slice_str("ip"));
        rec_put_slice(&b, slice_str("127.0.0.1"));
    }
    bytes_in(k, 1, buf_slice(&b));
    buf_deinit(&b);
    expect(k, "request of 1: session 0 cxid 0 op 0 record 0 ids 2\n");
    kit_free(k);
}

/* ---- time ---- */

static void pings_go_out_twice_a_tick(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    join_and_serve(k, 4, true, zx(1, 0));
    propose(k, zx(1, 1));
    forget(k);
    tick(k, KIT_TICK_MS / 2);
    expect(k, "1< PING 100000001\n4< PING 100000001\n");
    tick(k, KIT_TICK_MS / 4);
    expect(k, "");
    tick(k, KIT_TICK_MS / 4);
    expect(k, "1< PING 100000001\n4< PING 100000001\n");
    kit_free(k);
}

static void run_half_ticks(struct kit *k, int count, uint64_t answering_link)
{
    for (int i = 0; i < count; i++) {
        if (answering_link != 0)
            packet_in(k, answering_link, 5, 0, slice_str(""));
        tick(k, KIT_TICK_MS / 2);
    }
}

static void a_silent_learner_is_dropped_and_a_leader_without_quorum_stops(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    join_and_serve(k, 2, false, zx(1, 0));
    run_half_ticks(k, 10, 1);
    forget(k);
    run_half_ticks(k, 1, 1);
    expect(k, "disconnect 2: silent for longer than syncLimit\n"
              "learner 2 gone\n"
              "1< PING 100000000\n");
    run_half_ticks(k, 9, 0);
    forget(k);
    run_half_ticks(k, 1, 0);
    expect(k, "disconnect 1: silent for longer than syncLimit\n"
              "learner 1 gone\n");
    run_half_ticks(k, 1, 0);
    expect(k, "lost: not sufficient followers synced\n");
    kit_free(k);
}

static void a_proposal_must_be_acknowledged_within_synclimit(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    propose(k, zx(1, 1));
    run_half_ticks(k, 9, 1);
    propose(k, zx(1, 2));
    ack_in(k, 1, zx(1, 1)); /* the time of the second begins with the second */
    run_half_ticks(k, 9, 1);
    forget(k);
    run_half_ticks(k, 1, 1);
    expect(k, "disconnect 1: a proposal was not acknowledged within syncLimit\n"
              "learner 1 gone\n");
    run_half_ticks(k, 1, 0);
    expect(k, "lost: not sufficient followers synced\n");
    kit_free(k);
}

static void a_leader_hands_over_when_all_is_committed_and_told(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    propose(k, zx(1, 1));
    zab_hand_over(k->z);
    settle(k);
    expect(k, "1< PROPOSAL 100000001 ..\n");
    all_durable(k);
    ack_in(k, 1, zx(1, 1));
    expect(k, "1< COMMIT 100000001\ncommit 100000001\nwant room 1\n");
    zab_link_room(k->z, 1);
    settle(k);
    expect(k, "lost: handed over\n");
    zab_idle(k->z);
    expect(k, "disconnect 1: the role is over\nlearner 1 gone\n");
    kit_free(k);
}

/* ---- learners on their way ---- */

static void who_stops_on_the_way_is_dropped_after_initlimit(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    link_in(k, 2); /* says nothing */
    link_in(k, 4);
    info_in(k, 4, true, 4, 0, 0); /* owes ACKEPOCH */
    link_in(k, 5);
    info_in(k, 5, true, 5, 0, 0);
    ackepoch_in(k, 5, 0, zx(1, 0)); /* owes the ACK of NEWLEADER */
    run_half_ticks(k, 20, 1);
    forget(k);
    run_half_ticks(k, 1, 1);
    expect(k, "disconnect 2: silent for longer than initLimit\n"
              "disconnect 4: silent for longer than initLimit\n"
              "disconnect 5: silent for longer than initLimit\n"
              "1< PING 100000000\n");
    kit_free(k);
}

static void who_speaks_out_of_turn_is_dropped(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    link_in(k, 4);
    info_in(k, 4, true, 4, 0, 0);
    plain_in(k, 4, 3, 0);
    link_in(k, 5);
    info_in(k, 5, true, 5, 0, 0);
    ackepoch_in(k, 5, 0, zx(1, 0));
    forget(k);
    plain_in(k, 5, 5, 0);
    expect(k, "disconnect 5: sent something else than the ACK of NEWLEADER\n");
    kit_free(k);

    k = fresh_leader();
    link_in(k, 1);
    info_in(k, 1, false, 1, 0, 0);
    forget(k);
    plain_in(k, 1, 18, 0); /* before LEADERINFO */
    expect(k, "disconnect 1: speaks out of turn\n");
    kit_free(k);
}

/* ZOOKEEPER-4685: it is neither a reason to give up nor an acknowledgement of everything. */
static void an_ack_of_a_proposal_is_not_the_one_of_newleader(void **state)
{
    (void)state;
    struct kit *k = fresh_leader();
    join(k, 1, false, 0);
    forget(k);
    ack_in(k, 1, zx(0, 7));
    expect(k, "");
    assert_false(zab_serving(k->z));
    ack_in(k, 1, zx(1, 0));
    assert_true(zab_serving(k->z));
    kit_free(k);
}

static void a_server_without_a_vote_does_not_lead(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){.voters = 3, .observers = 1, .sid = 4});
    zab_lead(k->z, 0, k->now_ns);
    expect(k, "lost: not a voter of the configuration\n");
    kit_free(k);
}

static void count_learners(void *arg, const struct zab_learner_view *v)
{
    int *seen = arg;
    seen[0]++;
    seen[1] += v->observer;
    seen[2] += v->synced;
    seen[3] += v->sid == 1 && v->acked == zx(1, 1) && v->proposals_sent == 1;
}

static void learners_can_be_looked_at(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    join_and_serve(k, 4, true, zx(1, 0));
    link_in(k, 2);
    info_in(k, 2, false, 2, 0, 0);
    link_in(k, 5); /* nobody yet */
    propose(k, zx(1, 1));
    all_durable(k);
    ack_in(k, 1, zx(1, 1));
    int seen[4] = {0};
    zab_each_learner(k->z, count_learners, seen);
    assert_int_equal(seen[0], 3);
    assert_int_equal(seen[1], 1);
    assert_int_equal(seen[2], 2);
    assert_int_equal(seen[3], 1);
    assert_string_equal(zab_phase(k->z), "broadcast");
    assert_int_equal(zab_leader(k->z), 3);
    assert_int_equal(zab_counts(k->z)->proposals, 1);
    assert_int_equal(zab_counts(k->z)->commits, 1);
    assert_int_equal(zab_counts(k->z)->acks, 3); /* those of UPTODATE among them */
    kit_free(k);
}

/* ---- other quorums ---- */

static void an_oracle_speaks_for_two_of_whom_one_is_gone(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){.voters = 2, .sid = 2});
    zab_free(k->z);
    k->config->oracle = true;
    k->z = kit_zab(k, (struct kit_options){.sid = 2}, k->config, NULL);
    zab_lead(k->z, 0, k->now_ns);
    expect(k, "");
    zab_oracle(k->z, true);
    all_durable(k);
    expect(k, "acceptedEpoch 1 @1\ncurrentEpoch 1 @2\nestablished 100000000\n");
    propose(k, zx(1, 1));
    all_durable(k);
    expect(k, "commit 100000001\n");
    zab_oracle(k->z, false);
    propose(k, zx(1, 2));
    all_durable(k);
    expect(k, "");
    tick(k, KIT_TICK_MS / 2);
    tick(k, KIT_TICK_MS / 2);
    expect(k, "lost: not sufficient followers synced\n");
    kit_free(k);
}

static void groups_are_counted_by_weight(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){.voters = 3, .sid = 3});
    zab_free(k->z);
    struct quorum *q = kit_config("server.1=h1:2888:3888:participant\n"
                                  "server.2=h2:2888:3888:participant\n"
                                  "server.3=h3:2888:3888:participant\n"
                                  "server.4=h4:2888:3888:participant\n"
                                  "group.1=1:2\ngroup.2=3:4\n"
                                  "weight.1=1\nweight.2=3\nweight.3=2\nweight.4=1\nversion=0");
    k->z = kit_zab(k, (struct kit_options){.sid = 3}, q, NULL);
    quorum_free(q);
    zab_lead(k->z, 0, k->now_ns);
    link_in(k, 1);
    info_in(k, 1, false, 1, 0, 0);
    link_in(k, 4);
    info_in(k, 4, false, 4, 0, 0);
    expect(k, ""); /* three of four, and group 1 has not its half */
    link_in(k, 2);
    info_in(k, 2, false, 2, 0, 0);
    expect(k, "acceptedEpoch 1 @1\n");
    kit_free(k);
}

/* ---- bytes from outside ---- */

static void malformed_packets_cost_the_link_and_nothing_else(void **state)
{
    (void)state;
    uint8_t bytes[40];
    static const struct {
        int32_t type;
        uint32_t data_len;
        const char *why;
    } cases[] = {
        {1, 15, "malformed REQUEST"},
        {1, UINT32_MAX, "malformed REQUEST"},
        {5, 13, "malformed PING"},
        {6, 11, "malformed REVALIDATE"},
        {6, UINT32_MAX, "malformed REVALIDATE"},
        {1, (uint32_t)-2, "malformed packet"},
        {1, INT32_MAX, "malformed packet"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kit *k = serving_leader();
        memset(bytes, 0, sizeof bytes);
        store_be32(bytes, (uint32_t)cases[i].type);
        store_be32(bytes + 12, cases[i].data_len);
        size_t len = cases[i].data_len < 20 ? cases[i].data_len : 0;
        store_be32(bytes + 16 + len, UINT32_MAX);
        bytes_in(k, 1, slice_of(bytes, 20 + len));
        char wanted[200];
        snprintf(wanted, sizeof wanted, "disconnect 1: %s\nlearner 1 gone\n", cases[i].why);
        expect(k, wanted);
        kit_free(k);
    }
}

static void bytes_may_come_one_by_one(void **state)
{
    (void)state;
    struct kit *k = serving_leader();
    struct buf b = {0};
    put_packet(&b, 5, 0, slice_str("123456789012"));
    put_packet(&b, 6, -1, slice_str("123456789012"));
    for (size_t i = 0; i < b.len; i++)
        bytes_in(k, 1, slice_of(b.ptr + i, 1));
    buf_deinit(&b);
    expect(k, "touch of 1: 3132333435363738 959459634\n"
              "revalidate of 1: 3132333435363738 959459634\n"
              "1< REVALIDATE -1 313233343536373801\n");
    kit_free(k);
}

/* A learner that waits for the others may not fill our memory. */
static void what_comes_too_early_is_bounded(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){.voters = 5, .sid = 3});
    zab_lead(k->z, 0, k->now_ns);
    for (int64_t sid = 1; sid <= 2; sid++) {
        link_in(k, (uint64_t)sid);
        info_in(k, (uint64_t)sid, false, sid, 0, 0);
    }
    all_durable(k);
    for (uint64_t link = 1; link <= 2; link++)
        ackepoch_in(k, link, 0, 0);
    ack_in(k, 2, zx(1, 0));
    forget(k);
    uint8_t *much = mem_calloc(1, 1 << 20);
    for (int i = 0; i < 64 && k->log.len == 0; i++)
        bytes_in(k, 2, slice_of(much, 1 << 20));
    free(much);
    expect(k, "disconnect 2: sent too much too early\n");
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_ensemble_from_the_first_packet_to_the_first_commit),
        cmocka_unit_test(the_epoch_is_above_all_that_were_accepted),
        cmocka_unit_test(an_epoch_that_was_accepted_before_does_not_count),
        cmocka_unit_test(who_knows_less_than_a_follower_gives_up),
        cmocka_unit_test(an_observer_that_is_ahead_is_sent_away),
        cmocka_unit_test(a_voter_with_a_newer_epoch_ends_our_leadership),
        cmocka_unit_test(learners_that_came_too_early_are_not_lost),
        cmocka_unit_test(who_comes_to_somebody_who_never_leads_is_sent_away),
        cmocka_unit_test(a_leader_alone_is_a_quorum_of_one),
        cmocka_unit_test(our_own_tail_is_committed_when_we_are_established),
        cmocka_unit_test(a_phase_that_takes_longer_than_initlimit_ends_it),
        cmocka_unit_test(who_cannot_be_a_learner_is_refused),
        cmocka_unit_test(a_learner_that_comes_again_leaves_its_older_link),
        cmocka_unit_test(observers_are_informed_of_what_is_committed),
        cmocka_unit_test(the_others_can_commit_without_our_disk),
        cmocka_unit_test(an_ack_dies_with_its_link),
        cmocka_unit_test(followers_outside_of_the_configuration_have_no_vote),
        cmocka_unit_test(an_ack_of_what_was_never_proposed_is_refused),
        cmocka_unit_test(syncs_are_answered_behind_what_was_proposed),
        cmocka_unit_test(sessions_of_learners_are_touched_and_revalidated),
        cmocka_unit_test(the_identities_of_a_client_come_with_its_request),
        cmocka_unit_test(pings_go_out_twice_a_tick),
        cmocka_unit_test(a_silent_learner_is_dropped_and_a_leader_without_quorum_stops),
        cmocka_unit_test(a_proposal_must_be_acknowledged_within_synclimit),
        cmocka_unit_test(a_leader_hands_over_when_all_is_committed_and_told),
        cmocka_unit_test(who_stops_on_the_way_is_dropped_after_initlimit),
        cmocka_unit_test(who_speaks_out_of_turn_is_dropped),
        cmocka_unit_test(an_ack_of_a_proposal_is_not_the_one_of_newleader),
        cmocka_unit_test(a_server_without_a_vote_does_not_lead),
        cmocka_unit_test(learners_can_be_looked_at),
        cmocka_unit_test(an_oracle_speaks_for_two_of_whom_one_is_gone),
        cmocka_unit_test(groups_are_counted_by_weight),
        cmocka_unit_test(malformed_packets_cost_the_link_and_nothing_else),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(what_comes_too_early_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
