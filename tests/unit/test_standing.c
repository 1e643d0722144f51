/* links: server */
/* What the windows say of a server in an ensemble, on every role: the texts were taken from Apache
 * ZooKeeper 3.9.5 in each of them. */
#include "server_window_kit.h"

#include "server/admin_command.h"
#include "server/command.h"
#include "server/metrics.h"
#include "server/standing.h"

static const char CONFIG[] =
    "server.1=127.0.0.1:2888:3888:participant;127.0.0.1:2181\n"
    "server.2=zoo2:2888:3888:participant\n"
    "server.3=[::1]:2891:3891|127.0.0.1:2890:3890:participant;0.0.0.0:2183\n"
    "server.4=127.0.0.1:2892:3892:observer;0.0.0.0:2184\n"
    "version=0";

/* One server whose standing the test sets. */
struct site {
    struct kit *kit;
    struct server_ensemble standing;
    struct quorum *config;
    struct server_learner learner;
};

/* The driver of the kit is the kit; the standing hangs on the whole, found by its place. */
static struct site *current;

static void give_standing(void *driver, struct server_ensemble *ret)
{
    (void)driver;
    *ret = current->standing;
}

static void give_learners(void *driver, server_learner_visit *visit, void *arg)
{
    (void)driver;
    visit(arg, &current->learner);
}

static void stand(struct site *s, enum node_role role)
{
    s->standing.role = role;
    s->standing.serving = role != NODE_LOOKING;
    s->standing.read_only = false;
    s->standing.phase = role == NODE_LOOKING ? "election" : "broadcast";
    s->standing.leader = role == NODE_LOOKING ? -1 : role == NODE_LEADING ? 3 : 1;
}

static void stand_read_only(struct site *s)
{
    stand(s, NODE_LOOKING);
    s->standing.serving = s->standing.read_only = true;
}

static int setup(void **state)
{
    struct site *s = calloc(1, sizeof *s);
    assert_non_null(s);
    struct err err;
    s->kit = kit_create_server();
    assert_int_equal(quorum_parse(slice_str(CONFIG), &s->config, &err), 0);
    s->standing = (struct server_ensemble){
        .sid = 3,
        .init_limit = 10,
        .sync_limit = 5,
        .config = s->config,
        .self = quorum_find(s->config, 3),
        .leader_uptime_ms = 670,
        .learners = 3,
        .synced_followers = 2,
        .synced_observers = 1,
        .pending_syncs = 4,
    };
    s->learner = (struct server_learner){
        .sid = 4,
        .observer = true,
        .synced = true,
        .address = slice_str("127.0.0.1:49990"),
        .established_wall_ms = 1795229083698,
        .packets_received = 3,
        .packets_sent = 8,
        .requests = 1,
        .last_zxid = 4294967300,
    };
    s->kit->info.ensemble = give_standing;
    s->kit->info.each_learner = give_learners;
    current = s;
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct site *s = *state;
    kit_free(s->kit);
    quorum_free(s->config);
    free(s);
    return 0;
}

static const char *ask(struct site *s, const char *word)
{
    static struct buf reply;
    buf_clear(&reply);
    command_run(&s->kit->info, (const uint8_t *)word, slice_of(NULL, 0), 100, &reply);
    return kit_text(&reply);
}

static const char *no_argument(void *arg, const char *key)
{
    (void)arg;
    (void)key;
    return NULL;
}

/* An admin command's JSON without its blanks and line ends: what is said, not how it is laid out.
 */
static const char *call(struct site *s, const char *name)
{
    static struct buf reply, compact;
    buf_clear(&reply);
    buf_clear(&compact);
    struct admin_call c = {&s->kit->info, no_argument, NULL};
    admin_command_answer(admin_command_find(name), &c, &reply);
    bool quoted = false;
    for (size_t i = 0; i < reply.len; i++) {
        quoted ^= reply.ptr[i] == '"';
        if (quoted || reply.ptr[i] > ' ')
            buf_put_u8(&compact, reply.ptr[i]);
    }
    return kit_text(&compact);
}

static void assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' does not hold '%s'", text, part);
}

static void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("'%s' holds '%s'", text, part);
}

static void mode_names_the_role(void **state)
{
    struct site *s = *state;
    stand(s, NODE_LEADING);
    assert_holds(ask(s, "srvr"), "\nMode: leader\nNode count: 5\n"
                                 "Proposal sizes last/min/max: -1/-1/-1\n");
    assert_holds(ask(s, "stat"), "\nMode: leader\n");
    stand(s, NODE_FOLLOWING);
    assert_holds(ask(s, "srvr"), "\nMode: follower\nNode count: 5\n");
    assert_lacks(ask(s, "srvr"), "Proposal sizes");
    stand(s, NODE_OBSERVING);
    assert_holds(ask(s, "srvr"), "\nMode: observer\nNode count: 5\n");
}

static void sizes_of_proposals_are_shown_by_a_leader_until_srst(void **state)
{
    struct site *s = *state;
    stand(s, NODE_LEADING);
    metric_proposal_size(node_metrics(s->kit->info.node), 48);
    metric_proposal_size(node_metrics(s->kit->info.node), 90);
    metric_proposal_size(node_metrics(s->kit->info.node), 60);
    assert_holds(ask(s, "srvr"), "Proposal sizes last/min/max: 60/48/90\n");
    assert_holds(ask(s, "mntr"), "zk_max_proposal_size\t90\n");
    assert_holds(call(s, "server_stats"), "\"proposal_stats\":{\"last_buffer_size\":60,"
                                          "\"min_buffer_size\":48,\"max_buffer_size\":90}");
    call(s, "stat_reset"); /* as in ZooKeeper, only the word forgets them */
    assert_holds(ask(s, "srvr"), "Proposal sizes last/min/max: 60/48/90\n");
    ask(s, "srst");
    assert_holds(ask(s, "srvr"), "Proposal sizes last/min/max: -1/-1/-1\n");
}

static void a_server_that_looks_for_a_leader_serves_nobody(void **state)
{
    struct site *s = *state;
    stand(s, NODE_LOOKING);
    static const char *const silent[] = {"conf", "cons", "crst", "dirs", "dump", "mntr",
                                         "srst", "srvr", "stat", "wchc", "wchp", "wchs"};
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
        assert_string_equal(ask(s, silent[i]),
                            "This ZooKeeper instance is not currently serving requests\n");
    assert_string_equal(ask(s, "hash"),
                        "This ZooKeeper instance is not currently serving requests");
    assert_string_equal(ask(s, "isro"), "null");
    assert_string_equal(ask(s, "ruok"), "imok");
    assert_string_equal(ask(s, "gtmk"), "306");
    assert_string_equal(call(s, "leader"),
                        "{\"command\":\"leader\",\"error\":\"This ZooKeeper instance is not "
                        "currently serving requests\"}");
    assert_string_equal(call(s, "zabstate"), "{\"voting\":false,\"zabstate\":\"\",\"command\":"
                                             "\"zabstate\",\"error\":null}");
    assert_holds(call(s, "monitor"), "\"server_state\":\"leaderelection\",\"peer_state\":"
                                     "\"looking\"");
    assert_holds(call(s, "monitor"), "\"looking_count\":0");
    assert_lacks(call(s, "monitor"), "znode_count");
}

static void a_follower_that_is_not_yet_in_step_serves_nobody(void **state)
{
    struct site *s = *state;
    stand(s, NODE_FOLLOWING);
    s->standing.serving = false;
    s->standing.phase = "synchronization";
    s->standing.sync_mode = "diff";
    assert_string_equal(ask(s, "srvr"),
                        "This ZooKeeper instance is not currently serving requests\n");
    assert_holds(call(s, "monitor"), "\"peer_state\":\"following - synchronization - diff\"");
}

static void a_read_only_server_says_so(void **state)
{
    struct site *s = *state;
    stand_read_only(s);
    assert_string_equal(ask(s, "isro"), "ro");
    assert_holds(ask(s, "srvr"), "\nREAD-ONLY mode; serving only read-only clients\nLatency ");
    assert_holds(ask(s, "srvr"), "\nMode: read-only\nNode count: 5\n");
    assert_holds(ask(s, "stat"), "\nREAD-ONLY mode; serving only read-only clients\nClients:\n");
    assert_holds(ask(s, "mntr"), "zk_server_state\tread-only\n");
    assert_lacks(ask(s, "mntr"), "zk_peer_state");
    assert_lacks(ask(s, "mntr"), "zk_quorum_size");
    assert_holds(call(s, "is_read_only"), "{\"read_only\":true,");
    assert_holds(call(s, "server_stats"), "\"read_only\":true,");
    assert_string_equal(call(s, "leader"), "{\"command\":\"leader\",\"error\":\"server is not "
                                           "initialized\"}");
    assert_holds(call(s, "voting_view"), "{\"current_config\":{},");
    assert_holds(call(s, "zabstate"), "{\"voting\":false,\"zabstate\":\"\",");
    assert_holds(ask(s, "conf"), "\npeerType=0\n");
    assert_lacks(ask(s, "conf"), "membership");
}

static void mntr_of_a_leader_tells_of_its_learners(void **state)
{
    struct site *s = *state;
    stand(s, NODE_LEADING);
    const char *mntr = ask(s, "mntr");
    assert_holds(mntr, "zk_server_state\tleader\nzk_peer_state\tleading - broadcast\n");
    assert_holds(mntr, "zk_quorum_size\t3\n");
    assert_holds(mntr, "zk_learners\t3\n");
    assert_holds(mntr, "zk_synced_followers\t2\n");
    assert_holds(mntr, "zk_synced_non_voting_followers\t0\n");
    assert_holds(mntr, "zk_synced_observers\t1\n");
    assert_holds(mntr, "zk_pending_syncs\t4\n");
    assert_holds(mntr, "zk_leader_uptime\t670\n");
    assert_holds(mntr, "zk_last_proposal_size\t-1\n");
    assert_holds(mntr, "zk_max_proposal_size\t-1\n");
    assert_holds(mntr, "zk_min_proposal_size\t-1\n");
}

static void mntr_of_a_learner_has_no_keys_of_a_leader(void **state)
{
    struct site *s = *state;
    stand(s, NODE_FOLLOWING);
    const char *mntr = ask(s, "mntr");
    assert_holds(mntr, "zk_server_state\tfollower\nzk_peer_state\tfollowing - broadcast\n");
    assert_holds(mntr, "zk_quorum_size\t3\n");
    static const char *const others[] = {"zk_learners",      "zk_synced_",
                                         "zk_pending_syncs", "zk_leader_uptime",
                                         "proposal_size",    "zk_observer_master_id"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_lacks(mntr, others[i]);
    stand(s, NODE_OBSERVING);
    assert_holds(ask(s, "mntr"), "zk_server_state\tobserver\nzk_peer_state\tobserving - "
                                 "broadcast\nzk_observer_master_id\t1\n");
}

static void conf_ends_with_the_membership(void **state)
{
    struct site *s = *state;
    stand(s, NODE_FOLLOWING);
    struct buf expected = {0};
    buf_printf(&expected, "\nserverId=3\ninitLimit=10\nsyncLimit=5\nelectionAlg=3\n"
                          "electionPort=3891|3890\nquorumPort=2891|2890\npeerType=0\n"
                          "membership: \n");
    quorum_format(s->config, &expected);
    assert_holds(ask(s, "conf"), kit_text(&expected));
    buf_deinit(&expected);
    s->standing.observer = true;
    s->standing.self = quorum_find(s->config, 4);
    assert_holds(ask(s, "conf"), "\nelectionPort=3892\nquorumPort=2892\npeerType=1\n");
}

static void dump_of_a_learner_knows_timeouts_and_no_ends(void **state)
{
    struct site *s = *state;
    int64_t session = kit_connect(s->kit, 1, 5000);
    char line[64];
    snprintf(line, sizeof line, "0x%llx\t5000ms\n", (unsigned long long)session);
    stand(s, NODE_FOLLOWING);
    struct buf begin = {0};
    buf_printf(&begin, "SessionTracker dump:\nGlobal Sessions(1):\n%sephemeral nodes dump:\n",
               line);
    assert_holds(ask(s, "dump"), kit_text(&begin));
    buf_deinit(&begin);
    assert_holds(call(s, "dump"), "{\"expiry_time_to_session_ids\":{},");
    stand(s, NODE_LEADING);
    assert_holds(ask(s, "dump"), "SessionTracker dump:\nSession Sets (1)/(1):\n1 expire at ");
    assert_lacks(call(s, "dump"), "{\"expiry_time_to_session_ids\":{},");
}

static void local_sessions_are_told_apart(void **state)
{
    struct site *s = *state;
    struct session_table *local = session_table_create(1000, 1);
    session_add(local, 0x42, 4000, s->kit->now_ms);
    s->standing.local_sessions = local;
    stand(s, NODE_LEADING);
    assert_holds(ask(s, "dump"), "SessionTracker dump:\nLocal Session Sets (1)/(1):\n1 expire at ");
    assert_holds(ask(s, "dump"), "\t0x42\nGlobal Session Sets (0)/(0):\nephemeral nodes dump:\n");
    assert_holds(ask(s, "mntr"), "zk_global_sessions\t0\n");
    assert_holds(ask(s, "mntr"), "zk_local_sessions\t1\n");
    stand(s, NODE_FOLLOWING);
    assert_holds(ask(s, "dump"), "\t0x42\nGlobal Sessions(0):\nephemeral nodes dump:\n");
    session_table_free(local);
}

static void the_leader_is_named_with_its_host(void **state)
{
    struct site *s = *state;
    stand(s, NODE_FOLLOWING);
    s->standing.leader = 2;
    assert_string_equal(call(s, "leader"), "{\"is_leader\":false,\"leader_id\":2,\"leader_ip\":"
                                           "\"zoo2\",\"command\":\"leader\",\"error\":null}");
    stand(s, NODE_LEADING);
    assert_holds(call(s, "leader"), "{\"is_leader\":true,\"leader_id\":3,\"leader_ip\":"
                                    "\"0:0:0:0:0:0:0:1|127.0.0.1\",");
}

static void observers_are_told_by_their_leader(void **state)
{
    struct site *s = *state;
    stand(s, NODE_LEADING);
    assert_string_equal(
        call(s, "observers"),
        "{\"synced_observers\":1,\"observers\":[{\"remote_socket_address\":\"/127.0.0.1:49990\","
        "\"sid\":4,\"established\":1795229083698,\"queued_packets\":0,\"queued_packets_size\":0,"
        "\"packets_received\":3,\"packets_sent\":8,\"requests\":1,\"last_zxid\":4294967300}],"
        "\"command\":\"observers\",\"error\":null}");
    s->learner.observer = false; /* a follower is none */
    assert_holds(call(s, "observers"), "\"observers\":[],");
    s->learner.observer = true;
    stand(s, NODE_FOLLOWING);
    assert_holds(call(s, "observers"), "{\"synced_observers\":0,\"observers\":[],");
    s->standing.observer_masters = true; /* observers come to it */
    assert_holds(call(s, "observers"), "{\"synced_observers\":1,\"observers\":[{");
}

static void the_voting_view_lists_the_voters(void **state)
{
    struct site *s = *state;
    stand(s, NODE_OBSERVING);
    assert_string_equal(
        call(s, "voting_view"),
        "{\"current_config\":{"
        "\"1\":{\"server_addresses\":[\"127.0.0.1:2888\"],\"election_addresses\":[\"127.0.0.1:"
        "3888\"],\"client_address\":\"127.0.0.1:2181\",\"learner_type\":\"participant\"},"
        "\"2\":{\"server_addresses\":[\"zoo2:2888\"],\"election_addresses\":[\"zoo2:3888\"],"
        "\"client_address\":\"\",\"learner_type\":\"participant\"},"
        "\"3\":{\"server_addresses\":[\"[0:0:0:0:0:0:0:1]:2891\",\"127.0.0.1:2890\"],\"election_"
        "addresses\":["
        "\"[0:0:0:0:0:0:0:1]:3891\",\"127.0.0.1:3890\"],\"client_address\":\"0.0.0.0:2183\","
        "\"learner_type\":"
        "\"participant\"}},\"command\":\"voting_view\",\"error\":null}");
}

static void zabstate_tells_who_and_where(void **state)
{
    struct site *s = *state;
    stand(s, NODE_LEADING);
    const char *told = call(s, "zabstate");
    assert_holds(
        told, "{\"myid\":3,\"is_leader\":true,\"quorum_address\":{\"empty\":false,"
              "\"all_addresses\":[\"[0:0:0:0:0:0:0:1]:2891\",\"127.0.0.1:2890\"],"
              "\"wildcard_addresses\":[\"0.0.0.0:2891\",\"0.0.0.0:2890\"],"
              "\"all_ports\":[2891,2890],\"all_host_strings\":[\"0:0:0:0:0:0:0:1\",\"127.0.0.1\"],"
              "\"reachable_address\":\"[0:0:0:0:0:0:0:1]:2891\",");
    assert_holds(told, "\"one\":\"[0:0:0:0:0:0:0:1]:3891\"},\"client_address\":\"0.0.0.0:2183\","
                       "\"voting\":true,\"last_zxid\":\"0x0\",\"zab_epoch\":0,\"zab_counter\":0,"
                       "\"zabstate\":\"broadcast\",\"command\":\"zabstate\",\"error\":null}");
}

/* After a reconfiguration that removed it, a server knows no addresses of its own. */
static void a_server_outside_of_the_configuration_is_survived(void **state)
{
    struct site *s = *state;
    stand(s, NODE_FOLLOWING);
    s->standing.self = NULL;
    s->standing.sid = 9;
    s->standing.leader = 9;
    assert_holds(call(s, "zabstate"), "\"quorum_address\":null,");
    assert_holds(call(s, "zabstate"), "\"voting\":false,");
    assert_holds(call(s, "leader"), "\"leader_ip\":\"\",");
    assert_holds(ask(s, "conf"), "\nelectionPort=\nquorumPort=\n");
}

static void only_who_answers_writers_is_ready(void **state)
{
    struct site *s = *state;
    const struct server_info *info = &s->kit->info;
    stand(s, NODE_LEADING);
    assert_null(standing_not_ready(info));
    s->kit->not_ready = "disk full: writes are refused";
    assert_string_equal(standing_not_ready(info), "disk full: writes are refused");
    s->kit->not_ready = NULL;
    stand(s, NODE_LOOKING);
    assert_string_equal(standing_not_ready(info), "no leader is known");
    stand_read_only(s);
    assert_string_equal(standing_not_ready(info), "read-only: no quorum");
    stand(s, NODE_FOLLOWING);
    s->standing.serving = false;
    assert_string_equal(standing_not_ready(info), "not in step with the leader yet");
}

static void prometheus_gets_the_same_gauges(void **state)
{
    struct site *s = *state;
    struct buf text = {0};
    stand(s, NODE_LEADING);
    metrics_prometheus(&s->kit->info, &text);
    assert_holds(kit_text(&text), "# TYPE synced_followers gauge\nsynced_followers 2.0\n");
    assert_holds(kit_text(&text), "\nquorum_size 3.0\n");
    buf_clear(&text);
    stand(s, NODE_LOOKING);
    metrics_prometheus(&s->kit->info, &text);
    assert_lacks(kit_text(&text), "znode_count");
    assert_holds(kit_text(&text), "\nlooking_count 0.0\n");
    buf_deinit(&text);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest claims[] = {
        CLAIM(mode_names_the_role),
        CLAIM(sizes_of_proposals_are_shown_by_a_leader_until_srst),
        CLAIM(a_server_that_looks_for_a_leader_serves_nobody),
        CLAIM(a_follower_that_is_not_yet_in_step_serves_nobody),
        CLAIM(a_read_only_server_says_so),
        CLAIM(mntr_of_a_leader_tells_of_its_learners),
        CLAIM(mntr_of_a_learner_has_no_keys_of_a_leader),
        CLAIM(conf_ends_with_the_membership),
        CLAIM(dump_of_a_learner_knows_timeouts_and_no_ends),
        CLAIM(local_sessions_are_told_apart),
        CLAIM(the_leader_is_named_with_its_host),
        CLAIM(observers_are_told_by_their_leader),
        CLAIM(the_voting_view_lists_the_voters),
        CLAIM(zabstate_tells_who_and_where),
        CLAIM(a_server_outside_of_the_configuration_is_survived),
        CLAIM(only_who_answers_writers_is_ready),
        CLAIM(prometheus_gets_the_same_gauges),
    };
    return cmocka_run_group_tests_name("standing", claims, NULL, NULL);
}
