/* links: server */
/* Claims about the small parts of the driver: command line, connection throttle, log lines,
 * digests, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "io/listen.h"
#include "server/arguments.h"
#include "server/digest_auth.h"
#include "server/server.h"
#include "server/throttle.h"

/* ---- command line ---- */

enum {
    ARGS_MAX = 12
};

static struct arguments parse(const char *const *words)
{
    static char copies[ARGS_MAX][128];
    char *argv[ARGS_MAX] = {copies[0]};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        strcpy(copies[argc], words[argc - 1]);
        argv[argc] = copies[argc];
    }
    struct arguments a;
    arguments_parse(argc, argv, &a);
    return a;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void a_file_or_data_and_port_are_enough(void **state)
{
    (void)state;
    assert_int_equal(PARSE("zoo.cfg").action, ARGUMENTS_SERVE);
    assert_string_equal(PARSE("zoo.cfg").config_file, "zoo.cfg");
    assert_int_equal(PARSE("--data", "d", "--port", "1").action, ARGUMENTS_SERVE);
    assert_int_equal(PARSE("--data=d", "--port=1", "--address=::1", "--admin-port=2").action,
                     ARGUMENTS_SERVE);
    assert_int_equal(PARSE("--check-config", "zoo.cfg").action, ARGUMENTS_CHECK);
    assert_int_equal(PARSE("--version").action, ARGUMENTS_VERSION);
    assert_int_equal(PARSE("--help").action, ARGUMENTS_HELP);
    assert_int_equal(PARSE("-Da=b", "-D", "c=d", "--log-level", "debug", "zoo.cfg").log_level,
                     LOG_DEBUG);
}

static void a_command_line_that_means_nothing_is_refused(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--data", "d").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("--port", "1").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("--port").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("a", "b").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("a", "--data", "d").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("a", "--frobnicate").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("a", "-D", "x").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("a", "-D=x").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("a", "--log-level", "loud").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("--ensemble", "0").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("--ensemble", "three").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("--ensemble", "3", "zoo.cfg").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("--ensemble", "3", "--check-config").action, ARGUMENTS_WRONG);
    assert_int_equal(PARSE("--ensemble", "3", "--port", "0").action, ARGUMENTS_WRONG);
    char *none[] = {(char *)(uintptr_t) "caucusd"};
    struct arguments a;
    arguments_parse(1, none, &a);
    assert_int_equal(a.action, ARGUMENTS_WRONG);
}

static void an_ensemble_needs_nothing_else_and_passes_on_what_concerns_servers(void **state)
{
    (void)state;
    struct arguments a = PARSE("--ensemble", "3");
    assert_int_equal(a.action, ARGUMENTS_ENSEMBLE);
    assert_int_equal(a.ensemble, 3);
    assert_non_null(a.data);
    char words[8][32] = {"caucusd", "--ensemble=3", "-D", "a=b", "--port", "1", "-Dc=d"};
    char *argv[8], *passed[ARGUMENTS_PASSED_MAX + 1];
    for (int i = 0; i < 7; i++)
        argv[i] = words[i];
    arguments_passed_on(7, argv, passed);
    assert_string_equal(passed[0], "-D");
    assert_string_equal(passed[1], "a=b");
    assert_string_equal(passed[2], "-Dc=d");
    assert_null(passed[3]);
}

static void ignore_note(void *arg, const struct config_note *note)
{
    (void)arg;
    (void)note;
}

static void apply(struct config *c, const char *a, const char *b, const char *d, const char *e)
{
    char words[5][64] = {"caucusd"};
    const char *given[] = {a, b, d, e};
    char *argv[5] = {words[0]};
    for (int i = 0; i < 4; i++) {
        strcpy(words[i + 1], given[i]);
        argv[i + 1] = words[i + 1];
    }
    config_init(c, ignore_note, NULL);
    arguments_apply(5, argv, c);
    assert_int_equal(config_finish(c), 0);
}

static void without_a_file_there_is_no_http_port_and_every_word_is_answered(void **state)
{
    (void)state;
    struct config c;
    apply(&c, "--data=/nowhere", "--port=5", "-DtickTime=2", "--port=6");
    assert_string_equal(config_text(&c, CONFIG_DATA_DIR), "/nowhere");
    assert_int_equal(config_int(&c, CONFIG_CLIENT_PORT), 6); /* the last one counts */
    assert_int_equal(config_int(&c, CONFIG_TICK_TIME), 2);
    assert_false(config_flag(&c, CONFIG_ADMIN_ENABLE));
    assert_string_equal(config_text(&c, CONFIG_WHITELIST), "*");
    config_deinit(&c);
    apply(&c, "--data=/nowhere", "--port=5", "--admin-port", "7");
    assert_true(config_flag(&c, CONFIG_ADMIN_ENABLE));
    assert_int_equal(config_int(&c, CONFIG_ADMIN_PORT), 7);
    config_deinit(&c);
}

static void http_is_where_clients_are(void **state)
{
    (void)state;
    struct config c;
    apply(&c, "--data=/nowhere", "--port=5", "--address=127.0.0.1", "--admin-port=7");
    assert_string_equal(config_text(&c, CONFIG_ADMIN_ADDRESS), "127.0.0.1");
    config_deinit(&c);
    apply(&c, "--data=/nowhere", "-Dadmin.serverAddress=::1", "--address=127.0.0.1", "--port=5");
    assert_string_equal(config_text(&c, CONFIG_ADMIN_ADDRESS), "::1");
    config_deinit(&c);
    apply(&c, "-DclientPortAddress=127.0.0.1", "--data=/nowhere", "--port=5", "--admin-port=7");
    assert_string_equal(config_text(&c, CONFIG_ADMIN_ADDRESS), "0.0.0.0");
    config_deinit(&c);
}

/* ---- throttle ---- */

static const struct throttle_options five_and_one_per_10_ms = {
    .tokens_max = 5, .fill_time_ms = 10, .fill_count = 1, .freeze_time_ms = -1};

static void throttle_without_tokens_admits_everybody(void **state)
{
    (void)state;
    struct throttle t;
    throttle_init(&t, &(struct throttle_options){.fill_time_ms = 1}, 0, 1);
    for (int i = 0; i < 1000; i++)
        assert_true(throttle_admit(&t, false, 0));
}

static void throttle_admits_as_many_as_there_are_tokens(void **state)
{
    (void)state;
    struct throttle t;
    throttle_init(&t, &five_and_one_per_10_ms, 0, 1);
    for (int i = 0; i < 5; i++)
        assert_true(throttle_admit(&t, false, 0));
    assert_false(throttle_admit(&t, false, 0));
    assert_int_equal(throttle_deficit(&t), 5);
    assert_false(throttle_admit(&t, false, 10)); /* not yet: more than fill_time must have passed */
    assert_true(throttle_admit(&t, false, 11));
    assert_false(throttle_admit(&t, false, 11));
    assert_true(throttle_admit(&t, false, 1000000));
    assert_int_equal(throttle_deficit(&t), 1); /* never more than the maximum */
}

static void a_weighted_throttle_takes_less_for_a_renewal(void **state)
{
    (void)state;
    struct throttle_options o = five_and_one_per_10_ms;
    o.weighted = true;
    o.weight_global = o.weight_new = 3;
    o.weight_renew = 2;
    struct throttle t;
    throttle_init(&t, &o, 0, 1); /* 15 tokens */
    for (int i = 0; i < 7; i++)
        assert_true(throttle_admit(&t, true, 0));
    assert_false(throttle_admit(&t, false, 0));
    assert_false(throttle_admit(&t, true, 0));
}

static void a_weighted_throttle_takes_least_for_a_local_session(void **state)
{
    (void)state;
    struct config c;
    apply(&c, "--data=/nowhere", "--port=5", "-Dconnection_throttle_weight_enabled=true",
          "-DlocalSessionsEnabled=true");
    struct throttle_options o;
    options_throttle(&c, &o);
    assert_int_equal(o.weight_new, 3); /* who stands alone has none */

    struct quorum members = {0};
    c.ensemble = &members;
    options_throttle(&c, &o);
    c.ensemble = NULL;
    config_deinit(&c);
    assert_int_equal(o.weight_global, 3);
    assert_int_equal(o.weight_new, 1);
    assert_int_equal(o.weight_renew, 2);
    o.tokens_max = 2;
    struct throttle t;
    throttle_init(&t, &o, 0, 1); /* 6 tokens */
    for (int i = 0; i < 6; i++)
        assert_true(throttle_admit(&t, false, 0));
    assert_false(throttle_admit(&t, false, 0));
}

static void an_empty_throttle_refuses_more_and_more_and_recovers(void **state)
{
    (void)state;
    struct throttle_options o = five_and_one_per_10_ms;
    o.fill_count = 0;
    o.freeze_time_ms = 1;
    o.drop_increase = 0.5;
    o.drop_decrease = 1;
    o.decrease_ratio = 0.5;
    struct throttle t;
    throttle_init(&t, &o, 0, 1);
    for (int i = 0; i < 5; i++)
        assert_true(throttle_admit(&t, false, 0));
    for (int64_t now = 10; now <= 30; now += 10)
        assert_false(throttle_admit(&t, false, now));
    assert_true(t.drop == 1);
    t.tokens = 5;
    assert_true(throttle_admit(&t, false, 40)); /* the probability has gone back to 0 */
}

static void a_throttle_that_overflows_stays_within_its_maximum(void **state)
{
    (void)state;
    struct throttle_options o = five_and_one_per_10_ms;
    o.fill_count = INT32_MAX;
    struct throttle t;
    throttle_init(&t, &o, 0, 1);
    assert_true(throttle_admit(&t, false, INT64_MAX));
    assert_int_equal(throttle_deficit(&t), 1);
}

/* ---- log lines ---- */

static const char *line_of(const char *value)
{
    static struct log_line l;
    log_begin(&l, LOG_INFO, "x");
    size_t begin = l.len;
    log_text(&l, "k", value);
    l.text[l.len] = 0;
    return l.text + begin;
}

static void values_that_could_be_mistaken_are_quoted(void **state)
{
    (void)state;
    assert_string_equal(line_of("plain/-.:7"), " k=plain/-.:7");
    assert_string_equal(line_of(""), " k=\"\"");
    assert_string_equal(line_of("a b"), " k=\"a b\"");
    assert_string_equal(line_of("a=b"), " k=\"a=b\"");
    assert_string_equal(line_of("say \"hi\" \\"), " k=\"say \\\"hi\\\" \\\\\"");
    assert_string_equal(line_of("x\nlevel=error"), " k=\"x\\nlevel=error\"");
    assert_string_equal(line_of("\x1b[31m"), " k=\"\\u001b[31m\"");
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    static char value[2 * LOG_LINE_BYTES];
    memset(value, 'x', sizeof value - 1);
    struct log_line l;
    log_begin(&l, LOG_INFO, "x");
    log_text(&l, "k", value);
    log_int(&l, "n", 1);
    assert_int_equal(l.len, LOG_LINE_BYTES - 1);
}

static void a_gate_lets_one_line_per_second_through_and_counts_the_others(void **state)
{
    (void)state;
    struct log_gate g = {0};
    uint64_t held = 99;
    assert_true(log_gate_pass(&g, 0, &held));
    assert_int_equal(held, 0);
    assert_false(log_gate_pass(&g, 1, &held));
    assert_false(log_gate_pass(&g, 999999999, &held));
    assert_true(log_gate_pass(&g, 1000000000, &held));
    assert_int_equal(held, 2);
}

/* ---- digests ---- */

static void digests_are_those_of_zookeeper(void **state)
{
    (void)state;
    char text[128];
    /* DigestAuthenticationProvider.generateDigest("super:test") */
    assert_true(digest_auth_select("SHA1"));
    size_t len = digest_auth(slice_str("super:test"), text);
    assert_true(slice_eq_str(slice_of(text, len), "D/InIHSb7yEEbrWz8b9l71RjZJU="));
    assert_true(digest_auth_select("SHA3-256"));
    assert_int_equal(digest_auth(slice_str("super:test"), text), 44);
    assert_false(digest_auth_select("ROT13"));
    assert_true(digest_auth_select("SHA-512"));
    assert_int_equal(digest_auth(slice_str(""), text), 88);
}

/* ---- addresses ---- */

static void v6(struct sockaddr_in6 *ret, const char *text)
{
    *ret = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(7)};
    assert_int_equal(inet_pton(AF_INET6, text, &ret->sin6_addr), 1);
}

static void addresses_are_written_as_java_writes_them(void **state)
{
    (void)state;
    char text[LISTEN_ADDRESS_BYTES];
    struct sockaddr_in6 a;
    v6(&a, "::1");
    listen_address_text((struct sockaddr *)&a, text);
    assert_string_equal(text, "0:0:0:0:0:0:0:1");
    v6(&a, "2001:db8::a00:ff");
    listen_address_text((struct sockaddr *)&a, text);
    assert_string_equal(text, "2001:db8:0:0:0:0:a00:ff");
    v6(&a, "::ffff:10.1.2.3");
    listen_address_text((struct sockaddr *)&a, text);
    assert_string_equal(text, "10.1.2.3");
    assert_int_equal(listen_address_port((struct sockaddr *)&a), 7);

    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(9)};
    inet_pton(AF_INET, "10.1.2.3", &v4.sin_addr);
    listen_address_text((struct sockaddr *)&v4, text);
    assert_string_equal(text, "10.1.2.3");
    uint8_t one[16], other[16];
    listen_address_bytes((struct sockaddr *)&v4, one);
    listen_address_bytes((struct sockaddr *)&a, other);
    assert_memory_equal(one, other, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_or_data_and_port_are_enough),
        cmocka_unit_test(a_command_line_that_means_nothing_is_refused),
        cmocka_unit_test(an_ensemble_needs_nothing_else_and_passes_on_what_concerns_servers),
        cmocka_unit_test(without_a_file_there_is_no_http_port_and_every_word_is_answered),
        cmocka_unit_test(http_is_where_clients_are),
        cmocka_unit_test(throttle_without_tokens_admits_everybody),
        cmocka_unit_test(throttle_admits_as_many_as_there_are_tokens),
        cmocka_unit_test(a_weighted_throttle_takes_less_for_a_renewal),
        cmocka_unit_test(a_weighted_throttle_takes_least_for_a_local_session),
        cmocka_unit_test(an_empty_throttle_refuses_more_and_more_and_recovers),
        cmocka_unit_test(a_throttle_that_overflows_stays_within_its_maximum),
        cmocka_unit_test(values_that_could_be_mistaken_are_quoted),
        cmocka_unit_test(a_long_line_is_cut),
        cmocka_unit_test(a_gate_lets_one_line_per_second_through_and_counts_the_others),
        cmocka_unit_test(digests_are_those_of_zookeeper),
        cmocka_unit_test(addresses_are_written_as_java_writes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
