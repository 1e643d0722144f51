/* links: zab */
/* Configurations that change while the ensemble runs: who must agree, who is told what, who goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zab_kit.h"

enum {
    LINK = 101
};

/* Servers of a configuration: the voters, then `observer` (0 = none). Version in hex. */
static struct quorum *config_of(const int *voters, int count, int observer, int64_t version)
{
    char text[2000];
    int at = 0;
    for (int i = 0; i < count; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "server.%d=h%d:2888:3888:participant\n",
                       voters[i], voters[i]);
    if (observer != 0)
        at += snprintf(text + at, sizeof text - (size_t)at, "server.%d=h%d:2888:3888:observer\n",
                       observer, observer);
    snprintf(text + at, sizeof text - (size_t)at, "version=%" PRIx64, version);
    return kit_config(text);
}

#define CONFIG(version, ...)                                                                       \
    config_of((int[]){__VA_ARGS__}, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), 0, version)

/* The transaction of a reconfig: a SetDataTxn of /zookeeper/config. */
static struct slice reconfig_entry(struct buf *b, int64_t zxid, const struct quorum *q)
{
    struct rec_txn_header h = {.client_id = 1, .zxid = zxid, .type = 16};
    struct buf text = {0};
    quorum_format(q, &text);
    buf_clear(b);
    rec_put_txn_header(b, &h);
    rec_put_slice(b, slice_str("/zookeeper/config"));
    rec_put_slice(b, buf_slice(&text));
    buf_put_i32(b, -1);
    buf_deinit(&text);
    return buf_slice(b);
}

/* Leader 3 of `voters`, established in epoch 1 with learners 1, 2 (and more), all serving. */
static struct kit *leading(int voters, int observers, bool reconfig)
{
    struct kit *k = kit_create((struct kit_options){
        .voters = voters, .observers = observers, .sid = 3, .reconfig = reconfig});
    zab_lead(k->z, 0, k->now_ns);
    for (int sid = 1; sid <= voters + observers; sid++) {
        if (sid == 3)
            continue;
        link_in(k, (uint64_t)sid);
        info_in(k, (uint64_t)sid, sid > voters, sid, 0, 0);
    }
    all_durable(k);
    for (int sid = 1; sid <= voters + observers; sid++)
        if (sid != 3)
            ackepoch_in(k, (uint64_t)sid, 0, 0);
    all_durable(k);
    for (int sid = 1; sid <= voters + observers; sid++)
        if (sid != 3)
            plain_in(k, (uint64_t)sid, 3, zx(1, 0));
    for (int sid = 1; sid <= voters + observers; sid++)
        if (sid != 3)
            plain_in(k, (uint64_t)sid, 3, zx(1, 0));
    assert_true(zab_serving(k->z));
    forget(k);
    return k;
}

/* A server that is not in the configuration follows. */
static void newcomer(struct kit *k, int64_t sid)
{
    link_in(k, (uint64_t)sid);
    info_in(k, (uint64_t)sid, false, sid, 0, 0);
    ackepoch_in(k, (uint64_t)sid, 0, zx(1, 0));
    plain_in(k, (uint64_t)sid, 3, zx(1, 0));
    plain_in(k, (uint64_t)sid, 3, zx(1, 0));
    forget(k);
}

/* What is proposed is durable here at once: the claims are about the others. */
static void propose_config(struct kit *k, int64_t zxid, struct quorum *q)
{
    struct buf b = {0};
    uint64_t ticket = ++k->last_ticket;
    zab_propose(k->z, zxid, reconfig_entry(&b, zxid, q), ticket, q);
    buf_deinit(&b);
    quorum_free(q);
    settle(k);
    all_durable(k);
}

static void propose_plain(struct kit *k, int64_t zxid)
{
    propose(k, zxid);
    all_durable(k);
}

static void ack_in(struct kit *k, uint64_t link, int64_t zxid)
{
    plain_in(k, link, 3, zxid);
}

/* ---- the leader ---- */

static void the_first_configuration_gets_the_version_of_the_epoch(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){.voters = 1, .sid = 1, .reconfig = true});
    zab_lead(k->z, 0, k->now_ns);
    all_durable(k);
    expect(k, "acceptedEpoch 1 @1\n"
              "config seen 100000000 voters 1\n"
              "currentEpoch 1 @2\n"
              "config active 100000000 voters 1\n"
              "established 100000000\n");
    kit_free(k);
}

static void without_reconfig_a_configuration_has_no_version(void **state)
{
    (void)state;
    struct kit *k = leading(3, 0, false);
    assert_true(zab_config(k->z)->version == 0);
    propose_config(k, zx(1, 1), CONFIG(0x100000001, 1, 2, 3, 4));
    ack_in(k, 1, zx(1, 1));
    expect(k, "1< PROPOSAL 100000001 ..\n2< PROPOSAL 100000001 ..\n"
              "1< COMMIT 100000001\n2< COMMIT 100000001\ncommit 100000001\n");
    kit_free(k);
}

static void a_reconfig_needs_a_quorum_of_both(void **state)
{
    (void)state;
    struct kit *k = leading(3, 1, true);
    newcomer(k, 5);
    newcomer(k, 6);
    newcomer(k, 7);
    propose_config(k, zx(1, 1), CONFIG(0x100000001, 3, 5, 6, 7));
    expect(k, "config seen 100000001 voters 4\n"
              "1< PROPOSAL 100000001 ..\n2< PROPOSAL 100000001 ..\n5< PROPOSAL 100000001 ..\n"
              "6< PROPOSAL 100000001 ..\n7< PROPOSAL 100000001 ..\n");
    propose_plain(k, zx(1, 2));
    forget(k);
    ack_in(k, 5, zx(1, 1));
    ack_in(k, 6, zx(1, 1)); /* 3, 5, 6 of the new one; 3 alone of the old one */
    expect(k, "");
    ack_in(k, 1, zx(1, 1));
    expect(k, "1< COMMITANDACTIVATE 100000001 0000000000000003\n"
              "2< COMMITANDACTIVATE 100000001 0000000000000003\n"
              "5< COMMITANDACTIVATE 100000001 0000000000000003\n"
              "6< COMMITANDACTIVATE 100000001 0000000000000003\n"
              "7< COMMITANDACTIVATE 100000001 0000000000000003\n"
              "4< INFORMANDACTIVATE 100000001 for 3 ..\n"
              "commit 100000001\n"
              "config active 100000001 voters 4\n");

    /* What was proposed while it was pending needs both as well; what comes now the new one only.
     */
    propose_plain(k, zx(1, 3));
    forget(k);
    ack_in(k, 5, zx(1, 3));
    ack_in(k, 6, zx(1, 3));
    expect(k, "");
    ack_in(k, 2, zx(1, 2));
    expect(k, "1< COMMIT 100000002\n1< COMMIT 100000003\n"
              "2< COMMIT 100000002\n2< COMMIT 100000003\n"
              "5< COMMIT 100000002\n5< COMMIT 100000003\n"
              "6< COMMIT 100000002\n6< COMMIT 100000003\n"
              "7< COMMIT 100000002\n7< COMMIT 100000003\n"
              "4< INFORM 100000002 ..\n4< INFORM 100000003 ..\n"
              "commit 100000003\n");
    kit_free(k);
}

/* ... unless the old one is no longer there: then the next leader has to find out. */
static void a_leader_stuck_between_configurations_stops(void **state)
{
    (void)state;
    struct kit *k = leading(3, 0, true);
    propose_config(k, zx(1, 1), CONFIG(0x100000001, 3));
    propose_plain(k, zx(1, 2));
    ack_in(k, 1, zx(1, 1));
    assert_int_equal(zab_config(k->z)->voter_count, 1);
    for (uint64_t link = 1; link <= 2; link++)
        zab_link_closed(k->z, link, k->now_ns);
    forget(k);
    for (int i = 0; i < 9; i++)
        tick(k, KIT_TICK_MS / 2);
    expect(k, "");
    tick(k, KIT_TICK_MS / 2);
    expect(k, "lost: no quorum of the previous configuration\n");
    kit_free(k);
}

static void a_leader_that_is_not_in_the_new_one_hands_over_to_the_best(void **state)
{
    (void)state;
    struct kit *k = leading(3, 0, true);
    propose_config(k, zx(1, 1), CONFIG(0x100000001, 1, 2));
    propose_plain(k, zx(1, 2));
    ack_in(k, 2, zx(1, 2)); /* has more than 1 */
    forget(k);
    ack_in(k, 1, zx(1, 1));
    expect(k, "1< COMMITANDACTIVATE 100000001 0000000000000002\n"
              "2< COMMITANDACTIVATE 100000001 0000000000000002\n"
              "commit 100000001\n"
              "config active 100000001 voters 2\n"
              "want room 1\nwant room 2\n");
    ack_in(k, 1, zx(1, 2)); /* not ours to commit any more */
    expect(k, "");
    zab_link_room(k->z, 1);
    settle(k);
    expect(k, "");
    zab_link_room(k->z, 2);
    settle(k);
    expect(k, "lost: handed over\n");
    kit_free(k);
}

/* The same server at another address is another leader. */
static void a_leader_whose_address_changes_hands_over(void **state)
{
    (void)state;
    struct kit *k = leading(3, 0, true);
    struct quorum *q = kit_config("server.1=h1:2888:3888:participant\n"
                                  "server.2=h2:2888:3888:participant\n"
                                  "server.3=elsewhere:2888:3888:participant\n"
                                  "version=100000001");
    propose_config(k, zx(1, 1), q);
    forget(k);
    ack_in(k, 1, zx(1, 1));
    expect(k, "1< COMMITANDACTIVATE 100000001 0000000000000001\n"
              "2< COMMITANDACTIVATE 100000001 0000000000000001\n"
              "commit 100000001\n"
              "config active 100000001 voters 3\n"
              "want room 1\nwant room 2\n");
    kit_free(k);
}

static void both_configurations_must_stay_in_reach(void **state)
{
    (void)state;
    struct kit *k = leading(3, 0, true);
    struct quorum *q = CONFIG(0x100000001, 3, 5, 6);
    assert_false(zab_has_synced_quorum(k->z, q));
    newcomer(k, 5);
    assert_true(zab_has_synced_quorum(k->z, q));
    propose_config(k, zx(1, 1), q);
    zab_link_closed(k->z, 5, k->now_ns);
    forget(k);
    /* A new one that is not heard of any more is no reason to wait. */
    for (int i = 0; i < 3 && !k->lost; i++) {
        for (uint64_t link = 1; link <= 2; link++)
            packet_in(k, link, 5, 0, slice_str(""));
        forget(k);
        tick(k, KIT_TICK_MS / 2);
    }
    expect(k, "lost: not sufficient followers synced\n");
    kit_free(k);
}

/* A leader finds a configuration in its log that was proposed and perhaps committed: it needs the
 * quorum of both, and completes it. */
static void a_new_leader_completes_what_it_has_seen(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){.voters = 3, .sid = 3, .reconfig = true});
    struct quorum *active = CONFIG(0x100000000, 1, 2, 3), *seen = CONFIG(0x100000005, 1, 3, 4, 5);
    zab_free(k->z);
    k->z = kit_zab(
        k,
        (struct kit_options){.sid = 3, .reconfig = true, .accepted_epoch = 1, .current_epoch = 1},
        active, seen);
    quorum_free(active);
    quorum_free(seen);
    zab_lead(k->z, zx(1, 5), k->now_ns);
    static const int sids[] = {1, 2, 4};
    for (int i = 0; i < 3; i++) {
        link_in(k, (uint64_t)sids[i]);
        info_in(k, (uint64_t)sids[i], false, sids[i], 1, 0x100000000);
    }
    all_durable(k);
    for (int i = 0; i < 3; i++)
        ackepoch_in(k, (uint64_t)sids[i], 1, zx(1, 5));
    all_durable(k);
    ack_in(k, 1, zx(2, 0)); /* 1 and 3: a quorum of the active one, not of the other */
    ack_in(k, 2, zx(2, 0));
    assert_false(zab_serving(k->z));
    forget(k);
    ack_in(k, 4, zx(2, 0));
    expect(k, "config active 100000005 voters 4\n"
              "established 200000000\n"
              "1< UPTODATE -1\nresume 1\n"
              "2< UPTODATE -1\nresume 2\n"
              "4< UPTODATE -1\n");
    kit_free(k);
}

/* ---- the learner ---- */

static struct kit *following(int64_t sid, bool reconfig)
{
    struct kit *k = kit_create((struct kit_options){.voters = 3,
                                                    .observers = 1,
                                                    .sid = sid,
                                                    .reconfig = reconfig,
                                                    .config_version = 0x100000000});
    zab_follow(k->z, 1, 0, k->now_ns);
    zab_link_open(k->z, LINK, false, k->now_ns);
    packet_in(k, LINK, 17, zx(2, 0), slice_of("\0\1\0\0", 4));
    all_durable(k);
    plain_in(k, LINK, 13, 0);
    forget(k);
    return k;
}

static void newleader_in(struct kit *k, struct quorum *q)
{
    struct buf text = {0};
    quorum_format(q, &text);
    packet_in(k, LINK, 10, zx(2, 0), buf_slice(&text));
    buf_deinit(&text);
    quorum_free(q);
    all_durable(k);
}

static struct kit *serving(int64_t sid)
{
    struct kit *k = following(sid, true);
    packet_in(k, LINK, 10, zx(2, 0), slice_str(""));
    all_durable(k);
    plain_in(k, LINK, 12, -1);
    forget(k);
    return k;
}

static void config_proposal_in(struct kit *k, int32_t type, int64_t zxid, int64_t designated,
                               struct quorum *q)
{
    struct buf b = {0}, data = {0};
    if (type == 19)
        buf_put_i64(&data, designated);
    buf_put_slice(&data, reconfig_entry(&b, zxid, q));
    packet_in(k, LINK, type, zxid, buf_slice(&data));
    buf_deinit(&b);
    buf_deinit(&data);
    quorum_free(q);
}

static void activate_in(struct kit *k, int64_t zxid, int64_t designated)
{
    uint8_t data[8];
    store_be64(data, (uint64_t)designated);
    packet_in(k, LINK, 9, zxid, slice_of(data, 8));
}

static void the_leaders_configuration_is_active_at_uptodate(void **state)
{
    (void)state;
    struct kit *k = following(2, true);
    newleader_in(k, CONFIG(0x200000000, 1, 2, 3));
    expect(k, "config seen 200000000 voters 3\ncurrentEpoch 2 @2\n101< ACK 200000000\n");
    plain_in(k, LINK, 12, -1);
    expect(k, "config active 200000000 voters 3\n"
              "101< ACK 200000000\n"
              "established 0\n");
    kit_free(k);

    k = following(2, false);
    newleader_in(k, CONFIG(0x200000000, 1, 2, 3));
    plain_in(k, LINK, 12, -1);
    expect(k, "currentEpoch 2 @2\n101< ACK 200000000\n101< ACK 200000000\nestablished 0\n");
    kit_free(k);
}

static void uptodate_with_another_leader_ends_the_role(void **state)
{
    (void)state;
    struct kit *k = following(2, true);
    newleader_in(k, CONFIG(0x200000000, 2, 3));
    forget(k);
    plain_in(k, LINK, 12, -1);
    expect(k, "config active 200000000 voters 2\nlost: changes proposed in reconfig\n");
    kit_free(k);
}

static void a_follower_activates_when_it_is_told(void **state)
{
    (void)state;
    struct kit *k = serving(2);
    config_proposal_in(k, 2, zx(2, 1), 0, CONFIG(0x200000001, 1, 2, 3, 5));
    expect(k, "config seen 200000001 voters 4\naccept 200000001 @3\n");
    activate_in(k, zx(2, 1), 1);
    expect(k, "commit 200000001\nconfig active 200000001 voters 4\n");
    kit_free(k);
}

static void another_leader_or_another_role_ends_it(void **state)
{
    (void)state;
    struct kit *k = serving(2); /* 3 is to lead */
    config_proposal_in(k, 2, zx(2, 1), 0, CONFIG(0x200000001, 2, 3));
    forget(k);
    activate_in(k, zx(2, 1), 3);
    expect(k, "commit 200000001\nconfig active 200000001 voters 2\n"
              "lost: changes proposed in reconfig\n");
    kit_free(k);

    k = serving(2); /* an observer now */
    config_proposal_in(k, 2, zx(2, 1), 0, config_of((int[]){1, 3}, 2, 2, 0x200000001));
    forget(k);
    activate_in(k, zx(2, 1), 1);
    expect(k, "commit 200000001\nconfig active 200000001 voters 2\n"
              "lost: changes proposed in reconfig\n");
    zab_idle(k->z);
    forget(k);
    zab_follow(k->z, 1, zx(2, 1), k->now_ns);
    zab_link_open(k->z, LINK + 1, false, k->now_ns);
    expect(k, "connect 1 -> 102\n"
              "102< OBSERVERINFO 200000000 0000000000000002000100000000000200000001\n");
    kit_free(k);

    k = serving(4); /* an observer that gets a vote */
    config_proposal_in(k, 19, zx(2, 1), 1, CONFIG(0x200000001, 1, 2, 3, 4));
    expect(k, "config seen 200000001 voters 4\naccept 200000001 @3\n"
              "commit 200000001\nconfig active 200000001 voters 4\n"
              "lost: changes proposed in reconfig\n");
    kit_free(k);
}

static void activations_that_make_no_sense_end_the_role(void **state)
{
    (void)state;
    struct kit *k = serving(2);
    proposal_in(k, LINK, zx(2, 1));
    forget(k);
    activate_in(k, zx(2, 1), 1);
    expect(k, "commit 200000001\nlost: activation of what is no reconfiguration\n");
    kit_free(k);
    k = serving(2);
    activate_in(k, zx(2, 1), 1);
    expect(k, "lost: COMMIT out of order\n");
    kit_free(k);

    k = serving(2); /* a reconfiguration without a configuration */
    struct buf b = {0};
    struct rec_txn_header h = {.zxid = zx(2, 1), .type = 16};
    rec_put_txn_header(&b, &h);
    rec_put_slice(&b, slice_str("/zookeeper/config"));
    rec_put_slice(&b, slice_str("server.1=nonsense"));
    buf_put_i32(&b, -1);
    packet_in(k, LINK, 2, zx(2, 1), buf_slice(&b));
    buf_deinit(&b);
    expect(k, "lost: a reconfiguration that cannot be read\n");
    kit_free(k);
}

/* A learner may be synchronized while a reconfig is committed. */
static void an_activation_within_synchronization(void **state)
{
    (void)state;
    struct kit *k = following(2, true);
    config_proposal_in(k, 2, zx(1, 1), 0, CONFIG(0x100000001, 1, 2, 3, 5));
    forget(k);
    activate_in(k, zx(1, 1), 1);
    expect(k, "config active 100000001 voters 4\n"); /* applied at UPTODATE, as all */
    newleader_in(k, CONFIG(0x100000001, 1, 2, 3, 5));
    plain_in(k, LINK, 12, -1);
    expect(k, "currentEpoch 2 @3\n101< ACK 200000000\n"
              "commit 100000001\n101< ACK 200000000\nestablished 100000001\n");
    kit_free(k);
}

/* A leader that serves offers the active configuration, also while a newer one is proposed. Who
 * forgets that one although his log holds it would lead by the old quorum alone. */
static void an_older_offer_does_not_void_what_the_history_holds(void **state)
{
    (void)state;
    struct kit *k = following(2, true);
    config_proposal_in(k, 2, zx(1, 1), 0, CONFIG(0x100000001, 1, 2, 3, 5));
    forget(k);
    newleader_in(k, CONFIG(0x100000000, 1, 2, 3));
    plain_in(k, LINK, 12, -1);
    expect(k, "currentEpoch 2 @3\n101< ACK 200000000\n101< ACK 200000000\nestablished 0\n"
              "101< ACK 100000001\n");
    assert_true(zab_last_seen_config(k->z)->version == 0x100000001);

    /* The next leader does not have it: it is void. */
    zab_idle(k->z);
    zab_follow(k->z, 1, zx(1, 1), k->now_ns);
    zab_link_open(k->z, LINK + 1, false, k->now_ns);
    packet_in(k, LINK + 1, 17, zx(3, 0), slice_of("\0\1\0\0", 4));
    all_durable(k);
    plain_in(k, LINK + 1, 14, 0);
    zab_truncated(k->z, true);
    forget(k);
    struct quorum *q = CONFIG(0x100000000, 1, 2, 3);
    struct buf text = {0};
    quorum_format(q, &text);
    packet_in(k, LINK + 1, 10, zx(3, 0), buf_slice(&text));
    expect(k, "config seen 100000000 voters 3\ncurrentEpoch 3 @5\n");
    assert_true(zab_last_seen_config(k->z)->version == 0x100000000);
    buf_deinit(&text);
    quorum_free(q);
    kit_free(k);
}

/* ---- heard of in an election ---- */

static void a_newer_configuration_can_be_set_between_roles(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){.voters = 3, .sid = 2, .reconfig = true});
    struct quorum *q = CONFIG(0x300000000, 1, 2, 3, 4);
    zab_set_config(k->z, q);
    expect(k, "config active 300000000 voters 4\n");
    zab_set_config(k->z, q);
    expect(k, "");
    assert_true(zab_last_seen_config(k->z)->version == 0x300000000);
    quorum_free(q);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_configuration_gets_the_version_of_the_epoch),
        cmocka_unit_test(without_reconfig_a_configuration_has_no_version),
        cmocka_unit_test(a_reconfig_needs_a_quorum_of_both),
        cmocka_unit_test(a_leader_stuck_between_configurations_stops),
        cmocka_unit_test(a_leader_that_is_not_in_the_new_one_hands_over_to_the_best),
        cmocka_unit_test(a_leader_whose_address_changes_hands_over),
        cmocka_unit_test(both_configurations_must_stay_in_reach),
        cmocka_unit_test(a_new_leader_completes_what_it_has_seen),
        cmocka_unit_test(the_leaders_configuration_is_active_at_uptodate),
        cmocka_unit_test(uptodate_with_another_leader_ends_the_role),
        cmocka_unit_test(a_follower_activates_when_it_is_told),
        cmocka_unit_test(another_leader_or_another_role_ends_it),
        cmocka_unit_test(activations_that_make_no_sense_end_the_role),
        cmocka_unit_test(an_activation_within_synchronization),
        cmocka_unit_test(an_older_offer_does_not_void_what_the_history_holds),
        cmocka_unit_test(a_newer_configuration_can_be_set_between_roles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
