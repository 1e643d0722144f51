/* links: server */
/* Four letter words: each answer to the letter, the white list, and what a word does. */
#include "server_window_kit.h"

#include "server/command.h"
#include "server/command_format.h"

static const char *ask_as(struct kit *k, uint64_t client, const char *word, struct slice argument)
{
    static struct buf reply;
    buf_clear(&reply);
    command_run(&k->info, (const uint8_t *)word, argument, client, &reply);
    return kit_text(&reply);
}

static const char *ask(struct kit *k, const char *word)
{
    return ask_as(k, 100, word, slice_of(NULL, 0));
}

static void assert_begins(const char *text, const char *beginning)
{
    if (strncmp(text, beginning, strlen(beginning)) != 0)
        fail_msg("'%s' does not begin with '%s'", text, beginning);
}

static void assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' does not hold '%s'", text, part);
}

static void all_words_are_recognised_and_nothing_else(void **state)
{
    (void)state;
    static const char *const words[] = {"conf", "cons", "crst", "dirs", "dump", "envi",
                                        "gtmk", "hash", "isro", "mntr", "ruok", "srst",
                                        "srvr", "stat", "stmk", "wchc", "wchp", "wchs"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_true(command_recognise((const uint8_t *)words[i]));
        assert_int_equal(command_argument_bytes((const uint8_t *)words[i]),
                         strcmp(words[i], "stmk") == 0 ? 8 : 0);
    }
    assert_true(command_recognise((const uint8_t[]){0xff, 0xf4, 0xff, 0xfd}));
    assert_false(command_recognise((const uint8_t *)"RUOK"));
    assert_false(command_recognise((const uint8_t[]){0, 0, 0, 45}));
}

static void without_a_white_list_only_srvr_is_executed(void **state)
{
    struct kit *k = *state;
    k->info.conf.whitelist = NULL;
    assert_string_equal(ask(k, "ruok"),
                        "ruok is not executed because it is not in the whitelist.\n");
    assert_begins(ask(k, "srvr"), "Zookeeper version: 3.9.5-");
    k->info.conf.read_only_mode = true;
    assert_string_equal(ask(k, "isro"), "rw");
}

static void the_white_list_is_split_at_commas_and_trimmed(void **state)
{
    struct kit *k = *state;
    k->info.conf.whitelist = " ruok , isro,, conf";
    assert_string_equal(ask(k, "ruok"), "imok");
    assert_true(command_enabled(&k->info.conf, "conf"));
    assert_true(command_enabled(&k->info.conf, "srvr"));
    assert_false(command_enabled(&k->info.conf, "stat"));
    k->info.conf.whitelist = "stat, *";
    assert_true(command_enabled(&k->info.conf, "wchp"));
}

static void a_server_without_a_node_says_so(void **state)
{
    struct kit *k = *state;
    struct node *n = k->info.node;
    k->info.node = NULL;
    assert_string_equal(ask(k, "srvr"),
                        "This ZooKeeper instance is not currently serving requests\n");
    assert_string_equal(ask(k, "mntr"),
                        "This ZooKeeper instance is not currently serving requests\n");
    assert_string_equal(ask(k, "ruok"), "imok");
    assert_string_equal(ask(k, "isro"), "null");
    k->info.node = n;
}

static void srvr_shows_counts_zxid_and_nodes(void **state)
{
    struct kit *k = *state;
    kit_connect(k, 1, 10000);
    kit_create(k, 1, "/a", "data", 0);
    const char *text = ask(k, "srvr");
    assert_begins(text, "Zookeeper version: 3.9.5-caucus");
    assert_holds(text, "\nLatency min/avg/max: 0/0.0/0\nReceived: 2\nSent: 2\nConnections: 1\n"
                       "Outstanding: 0\nZxid: 0x2\nMode: standalone\nNode count: 6\n");
}

static void stat_lists_connections_in_brief(void **state)
{
    struct kit *k = *state;
    kit_connect(k, 1, 10000);
    assert_holds(ask_as(k, 2, "stat", slice_of(NULL, 0)),
                 "\nClients:\n"
                 " /127.0.0.1:1001[1](queued=0,recved=1,sent=1)\n"
                 " /127.0.0.1:1002[0](queued=0,recved=1,sent=0)\n"
                 "\nLatency min/avg/max: ");
}

static void cons_tells_everything_of_a_session(void **state)
{
    struct kit *k = *state;
    int64_t session = kit_connect(k, 1, 10000);
    kit_create(k, 1, "/a", "data", 0);
    kit_get_data(k, 1, "/a", false);
    char expected[256];
    snprintf(expected, sizeof expected,
             " /127.0.0.1:1001[1](queued=0,recved=3,sent=3,sid=0x%llx,lop=GETD,est=1050000,"
             "to=10000,lcxid=0x8,lzxid=0x2,lresp=50000,llat=0,minlat=0,avglat=0,maxlat=0)\n\n",
             (unsigned long long)session);
    assert_string_equal(ask(k, "cons"), expected);
}

static void crst_forgets_the_numbers_of_connections(void **state)
{
    struct kit *k = *state;
    kit_connect(k, 1, 10000);
    assert_string_equal(ask(k, "crst"), "Connection stats reset.\n");
    assert_holds(ask(k, "cons"), "recved=0,sent=0,");
}

static void srst_forgets_the_numbers_of_the_server(void **state)
{
    struct kit *k = *state;
    kit_connect(k, 1, 10000);
    assert_string_equal(ask(k, "srst"), "Server stats reset.\n");
    assert_holds(ask(k, "srvr"), "\nReceived: 0\nSent: 0\nConnections: 1\n");
}

static void conf_lists_the_configuration_in_zookeepers_order(void **state)
{
    struct kit *k = *state;
    char expected[512];
    snprintf(expected, sizeof expected,
             "clientPort=2181\nsecureClientPort=-1\ndataDir=%s\ndataDirSize=0\ndataLogDir=%s\n"
             "dataLogSize=0\ntickTime=1000\nmaxClientCnxns=60\nminSessionTimeout=2000\n"
             "maxSessionTimeout=20000\nclientPortListenBacklog=-1\nserverId=3\n",
             k->dir, k->dir);
    assert_string_equal(ask(k, "conf"), expected);
}

static void dirs_adds_up_the_files(void **state)
{
    struct kit *k = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/log.1", k->dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("0123456789", f);
    fclose(f);
    assert_string_equal(ask(k, "dirs"), "datadir_size: 10\nlogdir_size: 10\n");
    unlink(path);
    k->info.conf.snap_dir = "/nowhere/at/all";
    assert_string_equal(ask(k, "dirs"), "datadir_size: 0\nlogdir_size: 0\n");
}

static void dump_lists_sessions_ephemerals_and_connections(void **state)
{
    struct kit *k = *state;
    setenv("TZ", "UTC", 1);
    int64_t session = kit_connect(k, 1, 10000);
    kit_create(k, 1, "/e", "", 1);
    char expected[512];
    unsigned long long id = (unsigned long long)session;
    snprintf(expected, sizeof expected,
             "SessionTracker dump:\nSession Sets (1)/(1):\n"
             "1 expire at Thu Jan 01 00:17:40 UTC 1970:\n\t0x%llx\n"
             "ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x%llx:\n\t/e\n"
             "Connections dump:\nConnections Sets (1)/(1):\n"
             "1 expire at Thu Jan 01 00:17:50 UTC 1970:\n"
             "\tip: /127.0.0.1:1001 sessionId: 0x%llx\n",
             id, id, id);
    assert_string_equal(ask(k, "dump"), expected);
}

static void watches_are_listed_by_path_by_session_and_summed_up(void **state)
{
    struct kit *k = *state;
    assert_string_equal(ask(k, "wchs"), "0 connections watching 0 paths\nTotal watches:0\n");
    assert_string_equal(ask(k, "wchp"), "\n");
    unsigned long long first = (unsigned long long)kit_connect(k, 1, 10000);
    unsigned long long second = (unsigned long long)kit_connect(k, 2, 10000);
    kit_create(k, 1, "/a", "", 0);
    kit_get_data(k, 1, "/", true);
    kit_get_data(k, 1, "/a", true);
    kit_get_data(k, 2, "/a", true);
    assert_string_equal(ask(k, "wchs"), "2 connections watching 2 paths\nTotal watches:3\n");

    char expected[256];
    snprintf(expected, sizeof expected, "/\n\t0x%llx\n/a\n\t0x%llx\n\t0x%llx\n\n", first, first,
             second);
    assert_string_equal(ask(k, "wchp"), expected);
    snprintf(expected, sizeof expected, "0x%llx\n\t/\n\t/a\n0x%llx\n\t/a\n\n", first, second);
    assert_string_equal(ask(k, "wchc"), expected);
}

static void the_trace_mask_is_kept(void **state)
{
    struct kit *k = *state;
    assert_string_equal(ask(k, "gtmk"), "306");
    uint8_t mask[8] = {0, 0, 0, 0, 0, 0, 1, 0};
    assert_string_equal(ask_as(k, 1, "stmk", slice_of(mask, 8)), "256");
    assert_string_equal(ask(k, "gtmk"), "256");
    assert_string_equal(ask_as(k, 1, "stmk", slice_of(mask, 7)), "");
    assert_string_equal(ask(k, "gtmk"), "256");
}

static void envi_keeps_javas_keys_for_what_is_there(void **state)
{
    struct kit *k = *state;
    const char *text = ask(k, "envi");
    assert_begins(text, "Environment:\nzookeeper.version=3.9.5-caucus");
    static const char *const keys[] = {
        "\nhost.name=", "\nos.name=",   "\nos.arch=",  "\nos.version=",
        "\nuser.name=", "\nuser.home=", "\nuser.dir=", "\nos.memory.free="};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_holds(text, keys[i]);
}

static void mntr_shows_gauges_counters_and_summaries(void **state)
{
    struct kit *k = *state;
    kit_connect(k, 1, 10000);
    kit_create(k, 1, "/e", "12345", 1);
    kit_get_data(k, 1, "/e", true);
    for (int i = 1; i <= 3; i++)
        metric_add_sample(node_metrics(k->info.node), METRIC_READLATENCY, (uint64_t)i * i);
    const char *text = ask(k, "mntr");
    assert_begins(text, "zk_version\t3.9.5-caucus");
    static const char *const lines[] = {
        "\nzk_server_state\tstandalone\n", "\nzk_znode_count\t6\n",
        "\nzk_ephemerals_count\t1\n",      "\nzk_watch_count\t1\n",
        "\nzk_packets_received\t3\n",      "\nzk_num_alive_connections\t1\n",
        "\nzk_global_sessions\t1\n",       "\nzk_uptime\t10000\n",
        "\nzk_avg_latency\t0.0\n",         "\nzk_connection_drop_probability\t0.0\n",
        "\nzk_avg_readlatency\t3.5\n",     "\nzk_max_readlatency\t9\n",
        "\nzk_cnt_readlatency\t4\n",       "\nzk_sum_readlatency\t14\n",
        "\nzk_p999_readlatency\t",         "\nzk_avg_fsynctime\t0.0\n",
        "\nzk_connection_rejected\t0\n",   "\nzk_auth_failed_count\t0\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_holds(text, lines[i]);
    assert_null(strstr(text, "zk_p50_fsynctime"));
    assert_null(strstr(text, "fsync_threshold_exceed_count"));
}

static void mntr_shows_quotas_and_traffic_by_top_level_znode(void **state)
{
    struct kit *k = *state;
    kit_connect(k, 1, 10000);
    kit_create(k, 1, "/app", "12345678901", 0);
    kit_create(k, 1, "/zookeeper/quota/app", "", 0);
    kit_create(k, 1, "/zookeeper/quota/app/zookeeper_limits",
               "count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=7", 0);
    kit_create(k, 1, "/zookeeper/quota/app/zookeeper_stats", "count=0,bytes=0", 0);
    struct node_metrics *m = node_metrics(k->info.node);
    node_metrics_reset(m);
    metric_namespace_read(m, slice_str("/app/x"), 10);
    metric_namespace_write(m, slice_str("/app"), 10);
    metric_namespace_quota_exceeded(m, slice_str("/app"));
    const char *text = ask(k, "mntr");
    assert_holds(text, "\nzk_app_quota_count_limit_per_namespace\t7\n");
    assert_holds(text, "\nzk_app_quota_bytes_limit_per_namespace\t-1\n");
    assert_holds(text, "\nzk_app_quota_count_usage_per_namespace\t1\n");
    assert_holds(text, "\nzk_app_quota_bytes_usage_per_namespace\t11\n");
    assert_holds(text, "\nzk_sum_app_read_per_namespace\t84\n");
    assert_holds(text, "\nzk_sum_app_write_per_namespace\t14\n");
    assert_holds(text, "\nzk_app_quota_exceeded_error_per_namespace\t1\n");
}

static void mntr_takes_the_form_of_the_prometheus_provider(void **state)
{
    struct kit *k = *state;
    k->info.conf.prometheus_provider = true;
    const char *text = ask(k, "mntr");
    assert_holds(text, "\nzk_server_state\tstandalone\n");
    assert_holds(text, "\nzk_znode_count\t5.0\n");
    assert_holds(text, "\nzk_fsynctime{quantile=\"0.5\"}\tNaN\n");
    assert_holds(text, "\nzk_fsynctime_count\t0.0\n");
}

static void an_answer_ends_at_the_buffers_maximum(void **state)
{
    struct kit *k = *state;
    struct buf reply;
    buf_init(&reply, 100);
    command_run(&k->info, (const uint8_t *)"mntr", slice_of(NULL, 0), 1, &reply);
    assert_false(buf_ok(&reply));
    assert_true(reply.len <= 100);
    buf_deinit(&reply);
}

static void telnets_good_bye_is_no_command(void **state)
{
    struct kit *k = *state;
    assert_string_equal(ask(k, "\xff\xf4\xff\xfd"), "");
}

static const char *formatted(double value)
{
    static struct buf text;
    buf_clear(&text);
    format_double(&text, value);
    return kit_text(&text);
}

/* What Double.toString of a JDK says. */
static void doubles_look_as_java_prints_them(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } known[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {-12, "-12.0"},
        {0.5, "0.5"},
        {12.3456, "12.3456"},
        {0.001, "0.001"},
        {0.0012, "0.0012"},
        {1e-4, "1.0E-4"},
        {1.2e-4, "1.2E-4"},
        {9999999, "9999999.0"},
        {1e7, "1.0E7"},
        {12345678, "1.2345678E7"},
        {1.5e10, "1.5E10"},
        {123456.78, "123456.78"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_string_equal(formatted(known[i].value), known[i].text);
    double zero = 0;
    assert_string_equal(formatted(zero / zero) + (formatted(zero / zero)[0] == '-'), "NaN");
    assert_string_equal(formatted(1 / zero), "Infinity");
}

static void addresses_look_as_java_prints_them(void **state)
{
    (void)state;
    struct sockaddr_storage address = {0};
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&address;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(2181);
    inet_pton(AF_INET6, "2001:db8::1", &in6->sin6_addr);
    struct buf text = {0};
    format_address(&text, &address);
    assert_string_equal(kit_text(&text), "[2001:db8:0:0:0:0:0:1]:2181");
    buf_clear(&text);
    inet_pton(AF_INET6, "::ffff:10.0.0.7", &in6->sin6_addr);
    format_address(&text, &address);
    assert_string_equal(kit_text(&text), "10.0.0.7:2181");
    buf_deinit(&text);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_words_are_recognised_and_nothing_else),
        CLAIM(without_a_white_list_only_srvr_is_executed),
        CLAIM(the_white_list_is_split_at_commas_and_trimmed),
        CLAIM(a_server_without_a_node_says_so),
        CLAIM(srvr_shows_counts_zxid_and_nodes),
        CLAIM(stat_lists_connections_in_brief),
        CLAIM(cons_tells_everything_of_a_session),
        CLAIM(crst_forgets_the_numbers_of_connections),
        CLAIM(srst_forgets_the_numbers_of_the_server),
        CLAIM(conf_lists_the_configuration_in_zookeepers_order),
        CLAIM(dirs_adds_up_the_files),
        CLAIM(dump_lists_sessions_ephemerals_and_connections),
        CLAIM(watches_are_listed_by_path_by_session_and_summed_up),
        CLAIM(the_trace_mask_is_kept),
        CLAIM(envi_keeps_javas_keys_for_what_is_there),
        CLAIM(mntr_shows_gauges_counters_and_summaries),
        CLAIM(mntr_shows_quotas_and_traffic_by_top_level_znode),
        CLAIM(mntr_takes_the_form_of_the_prometheus_provider),
        CLAIM(an_answer_ends_at_the_buffers_maximum),
        CLAIM(telnets_good_bye_is_no_command),
        cmocka_unit_test(doubles_look_as_java_prints_them),
        cmocka_unit_test(addresses_look_as_java_prints_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
