/* links: node */
/* The configuration of an ensemble is a znode, and changes like one. */
#include <inttypes.h>

#include "node_ensemble_kit.h"

static void authenticate_super(struct ens *k, int client)
{
    struct buf b = {0};
    rec_put_auth_packet(&b, &(struct rec_auth_packet){.scheme = slice_str("digest"),
                                                      .auth = slice_str("super:test")});
    ens_request(k, client, ZK_XID_AUTH, ZK_OP_AUTH, &b);
    ens_settle(k);
    assert_int_equal(ens_err(k, client, ZK_XID_AUTH), 0);
}

static struct slice text(const char *s)
{
    return s != NULL ? slice_str(s) : (struct slice){0};
}

static void reconfig(struct ens *k, int client, const char *joining, const char *leaving,
                     const char *members, int64_t version)
{
    struct buf b = {0};
    rec_put_reconfig_request(&b, &(struct rec_reconfig_request){.joining_servers = text(joining),
                                                                .leaving_servers = text(leaving),
                                                                .new_members = text(members),
                                                                .cur_config_id = version});
    ens_request(k, client, 9, ZK_OP_RECONFIG, &b);
    ens_settle(k);
}

static const char *config_of(struct ens *k, int server)
{
    static char copy[1024];
    struct slice data = znode_data(tree_find(ens_tree(k, server), slice_str("/zookeeper/config")));
    snprintf(copy, sizeof copy, "%.*s", (int)data.len, (const char *)data.ptr);
    return copy;
}

static struct ens *open_with_super(int *ret_leader)
{
    struct ens *k = ens_open(3);
    for (int i = 1; i <= 3; i++)
        snprintf(k->servers[i].options.super_digest, 64, "super:hash-of-super:test");
    *ret_leader = ens_leader(k);
    ens_connect(k, 1, ens_follower(k));
    authenticate_super(k, 1);
    return k;
}

static void the_first_configuration_gets_the_epochs_version(void **state)
{
    (void)state;
    struct ens *k = ens_open(3);
    for (int i = 1; i <= 3; i++) {
        const char *config = config_of(k, i);
        assert_non_null(strstr(config, "server.2=10.0.0.2:2888:3888:participant;"));
        assert_non_null(strstr(config, "version=100000000"));
        assert_string_equal(k->servers[i].disk.config, config);
    }
    ens_same(k);
    ens_close(k);
}

static void the_order_of_refusals_is_zookeepers(void **state)
{
    (void)state;
    int leader;
    struct ens *k = open_with_super(&leader);
    ens_connect(k, 2, leader); /* may not write the configuration */
    reconfig(k, 1, NULL, "1", NULL, 7);
    assert_int_equal(ens_err(k, 1, 9), ZK_BADVERSION);
    reconfig(k, 1, NULL, "one", NULL, -1); /* as a number that is none always was */
    assert_int_equal(ens_err(k, 1, 9), ZK_MARSHALLINGERROR);
    reconfig(k, 1, "server.4=nonsense", NULL, NULL, -1);
    assert_int_equal(ens_err(k, 1, 9), ZK_BADARGUMENTS);
    reconfig(k, 1, "server.4=10.0.0.4:2888:3888", NULL, NULL, -1); /* no client port */
    assert_int_equal(ens_err(k, 1, 9), ZK_BADARGUMENTS);
    reconfig(k, 1, "server.4=10.0.0.1:2888:3888;2181", NULL, NULL, -1); /* somebody's address */
    assert_int_equal(ens_err(k, 1, 9), ZK_BADARGUMENTS);
    reconfig(k, 1, NULL, "1,2", NULL, -1); /* one voter is no ensemble */
    assert_int_equal(ens_err(k, 1, 9), ZK_BADARGUMENTS);
    reconfig(k, 1, NULL, NULL, "server.8=a:1:2;3,server.9=b:1:2;3", -1);
    assert_int_equal(ens_err(k, 1, 9), ZK_NEWCONFIGNOQUORUM);
    reconfig(k, 1, NULL, NULL, "server.1=a:1:2;3,anything=else", -1);
    assert_int_equal(ens_err(k, 1, 9), ZK_BADARGUMENTS);
    reconfig(k, 2, NULL, leader == 1 ? "2" : "1", NULL, -1);
    assert_int_equal(ens_err(k, 2, 9), ZK_NOAUTH);
    ens_same(k);
    ens_close(k);
}

static void a_server_leaves_and_another_configuration_is_active(void **state)
{
    (void)state;
    int leader;
    struct ens *k = open_with_super(&leader);
    int stays = k->clients[1].server;
    int leaves = 6 - leader - stays;
    char sid[4];
    snprintf(sid, sizeof sid, "%d", leaves);
    reconfig(k, 1, NULL, sid, NULL, -1);
    struct ens_reply r = ens_reply(k, 1);
    assert_int_equal(r.xid, 9);
    assert_int_equal(r.err, 0);
    struct dec d = dec_of(r.body);
    struct rec_get_data_response rsp;
    assert_true(rec_get_get_data_response(&d, &rsp));
    char version[32];
    snprintf(version, sizeof version, "version=%llx", (unsigned long long)r.zxid);
    assert_non_null(strstr(config_of(k, leader), version));
    assert_true(slice_eq(rsp.data, slice_str(config_of(k, leader))));
    assert_int_equal(zab_config(node_zab(k->servers[leader].node))->voter_count, 2);
    assert_int_equal(zab_config(node_zab(k->servers[stays].node))->voter_count, 2);
    ens_same(k);

    ens_create(k, 1, 10, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 1, 10), 0);
    ens_close(k);
}

/* Another voter of the new configuration was designated: it takes over. */
static void a_leader_that_is_not_in_it_hands_over(void **state)
{
    (void)state;
    int leader;
    struct ens *k = open_with_super(&leader);
    char sid[4];
    snprintf(sid, sizeof sid, "%d", leader);
    reconfig(k, 1, NULL, sid, NULL, -1);
    ens_run(k, 3000);
    assert_int_not_equal(ens_leader(k), leader);
    assert_int_equal(zab_config(node_zab(k->servers[ens_leader(k)].node))->voter_count, 2);
    ens_connect(k, 2, ens_leader(k));
    ens_create(k, 2, 1, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 1), 0);
    ens_close(k);
}

/* It starts with a file that names those who are there and itself, follows without a vote, and has
 * one when it is taken in. */
static void a_server_joins(void **state)
{
    (void)state;
    struct ens *k = ens_new(4, 0);
    struct quorum *all = k->config;
    struct buf three = {0};
    for (int i = 1; i <= 3; i++)
        buf_printf(&three, "server.%d=10.0.0.%d:2888:3888;2181\n", i, i);
    assert_int_equal(quorum_parse(buf_slice(&three), &k->config, NULL), 0);
    buf_deinit(&three);
    for (int i = 1; i <= 3; i++)
        ens_start(k, i);
    ens_run(k, 3000);
    struct quorum *mine = k->config;
    k->config = all;
    ens_start(k, 4);
    k->config = mine;
    ens_run(k, 5000);
    assert_true(node_serving(k->servers[4].node));

    ens_connect(k, 1, ens_follower(k));
    authenticate_super(k, 1);
    reconfig(k, 1, "server.4=10.0.0.4:2888:3888;2181", NULL, NULL, -1);
    assert_int_equal(ens_err(k, 1, 9), 0);
    for (int i = 1; i <= 4; i++) {
        assert_int_equal(zab_config(node_zab(k->servers[i].node))->voter_count, 4);
        assert_non_null(strstr(k->servers[i].disk.config, "server.4="));
    }
    ens_run(k, 5000);
    ens_connect(k, 2, 4);
    ens_create(k, 2, 1, "/a");
    ens_settle(k);
    assert_int_equal(ens_err(k, 2, 1), 0);
    ens_same(k);
    quorum_free(all);
    ens_close(k);
}

/* Its transaction is logged, and that it is active is not written yet. */
static void a_proposed_configuration_stays_in_the_tree_of_who_starts_with_it(void **state)
{
    (void)state;
    int leader;
    struct ens *k = open_with_super(&leader);
    char sid[4], before[1024];
    int stays = k->clients[1].server;
    snprintf(before, sizeof before, "%s", k->servers[stays].disk.config);
    snprintf(sid, sizeof sid, "%d", 6 - leader - stays);
    reconfig(k, 1, NULL, sid, NULL, -1);
    assert_int_equal(ens_err(k, 1, 9), 0);
    char after[1024];
    snprintf(after, sizeof after, "%s", config_of(k, stays));
    assert_string_not_equal(before, after);

    ens_crash(k, stays);
    snprintf(k->servers[stays].disk.config, sizeof before, "%s", before);
    ens_isolate(k, stays, true);
    ens_start(k, stays);
    const struct zab *z = node_zab(k->servers[stays].node);
    assert_true(zab_config(z)->version < zab_last_seen_config(z)->version);
    assert_string_equal(config_of(k, stays), after);

    ens_isolate(k, stays, false);
    ens_run(k, 5000);
    assert_int_equal(zab_config(node_zab(k->servers[stays].node))->voter_count, 2);
    ens_same(k);
    ens_close(k);
}

static int64_t seen_after(struct ens *k, int server, int64_t version, const char *comment)
{
    struct ens_server *s = &k->servers[server];
    snprintf(s->disk.config_next, sizeof s->disk.config_next,
             "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\nversion=%" PRIx64 "%s", version,
             comment);
    ens_start(k, server);
    int64_t seen = zab_last_seen_config(node_zab(s->node))->version;
    ens_crash(k, server);
    return seen;
}

/* The tree does not hold it: its transaction got lost, or ZooKeeper put back what was active. */
static void a_proposed_configuration_counts_if_the_history_may_hold_it(void **state)
{
    (void)state;
    int leader;
    struct ens *k = open_with_super(&leader);
    ens_create(k, 1, 1, "/a");
    ens_settle(k);
    int server = k->clients[1].server;
    int64_t last = tree_last_zxid(ens_tree(k, server));
    int64_t active = zab_config(node_zab(k->servers[server].node))->version;
    assert_true(active < last);

    ens_isolate(k, server, true);
    ens_crash(k, server);
    assert_int_equal(seen_after(k, server, last, ""), last);
    assert_int_equal(seen_after(k, server, last, "\n" QUORUM_AHEAD), active);
    assert_int_equal(seen_after(k, server, last + 1, ""), active);
    ens_start(k, server);
    ens_close(k);
}

static void a_disabled_reconfig_says_so(void **state)
{
    (void)state;
    struct ens *k = ens_new(3, 0);
    for (int i = 1; i <= 3; i++)
        k->servers[i].options.reconfig_enabled = false;
    ens_up(k);
    ens_connect(k, 1, ens_follower(k));
    reconfig(k, 1, NULL, "1", NULL, -1);
    assert_int_equal(ens_err(k, 1, 9), ZK_RECONFIGDISABLED);
    assert_non_null(strstr(config_of(k, 1), "version=0"));
    ens_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_configuration_gets_the_epochs_version),
        cmocka_unit_test(the_order_of_refusals_is_zookeepers),
        cmocka_unit_test(a_server_leaves_and_another_configuration_is_active),
        cmocka_unit_test(a_leader_that_is_not_in_it_hands_over),
        cmocka_unit_test(a_server_joins),
        cmocka_unit_test(a_proposed_configuration_stays_in_the_tree_of_who_starts_with_it),
        cmocka_unit_test(a_proposed_configuration_counts_if_the_history_may_hold_it),
        cmocka_unit_test(a_disabled_reconfig_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
