/* links: election_client */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "election_client/http.h"
#include "election_client/model_json.h"
#include "election_client/servers.h"

/* ---- lists of servers ---- */

static void servers_are_read_as_people_write_them(void **state)
{
    (void)state;
    struct servers *s = calloc(2, sizeof *s);
    struct err err = {""};
    assert_int_equal(servers_read("a:1,[::1]:2,b,[fe80::1]", 9999, s, &err), 0);
    assert_int_equal(s->count, 4);
    static const char *const texts[] = {"a:1", "[::1]:2", "b:9999", "[fe80::1]:9999"};
    for (uint32_t i = 0; i < s->count; i++)
        assert_string_equal(s->texts[i], texts[i]);
    assert_string_equal(s->list[1].host, "::1");
    assert_int_equal(s->list[2].port, 9999);

    servers_copy(&s[1], s);
    memset(s, 0, sizeof *s);
    assert_string_equal(s[1].list[3].host, "fe80::1");
    free(s);
}

static void lists_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",     ",",    "a,",   ":1",     "a:",       "a:0",      "a:65536", "a:1x",
        "[::1", "[]:1", "a:-1", "[::1]x", "a:1,,b:2", "a:123456", "[a]:1:2"};
    struct servers *s = calloc(1, sizeof *s);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err err = {""};
        if (servers_read(wrong[i], 1, s, &err) != ERR_INVALID)
            fail_msg("'%s'", wrong[i]);
        assert_non_null(strstr(err.text, "is not HOST:PORT"));
    }
    struct buf many = {0};
    for (int i = 0; i <= SERVERS_MAX; i++)
        buf_printf(&many, "%sa:1", i > 0 ? "," : "");
    buf_put_u8(&many, 0);
    assert_int_equal(servers_read((const char *)many.ptr, 1, s, NULL), ERR_INVALID);
    buf_deinit(&many);
    free(s);
}

static void an_order_by_chance_has_each_once(void **state)
{
    (void)state;
    uint32_t order[SERVERS_MAX], seen[SERVERS_MAX] = {0};
    servers_by_chance(SERVERS_MAX, order);
    for (int i = 0; i < SERVERS_MAX; i++)
        assert_int_equal(seen[order[i]]++, 0);
}

/* ---- HTTP ---- */

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 5\r\n\r\nhello";

static void an_answer_is_whole_when_its_body_is(void **state)
{
    (void)state;
    struct http_answer a;
    for (size_t len = 0; len < strlen(answer); len++) {
        assert_int_equal(http_read(slice_of(answer, len), 100, &a), HTTP_MORE);
        assert_true(a.bytes > len && a.bytes <= strlen(answer));
    }
    assert_int_equal(http_read(slice_str(answer), 100, &a), HTTP_WHOLE);
    assert_int_equal(a.status, 200);
    assert_true(a.stays);
    assert_true(slice_eq_str(a.body, "hello"));
    assert_int_equal(a.bytes, strlen(answer));

    /* What stands behind it belongs to the next. */
    struct buf two = {0};
    buf_printf(&two, "%s%s", answer, answer);
    assert_int_equal(http_read(buf_slice(&two), 100, &a), HTTP_WHOLE);
    assert_int_equal(a.bytes, strlen(answer));
    buf_deinit(&two);
}

static void an_answer_that_ends_the_connection_says_so(void **state)
{
    (void)state;
    struct http_answer a;
    assert_int_equal(
        http_read(slice_str("HTTP/1.1 503 x\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n"), 0,
                  &a),
        HTTP_WHOLE);
    assert_false(a.stays);
    assert_int_equal(http_read(slice_str("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), 0, &a),
                     HTTP_WHOLE);
    assert_false(a.stays);
}

static void what_is_no_answer_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n", /* of no length that is told */
        "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "\r\n\r\n",
    };
    struct http_answer a;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (http_read(slice_str(wrong[i]), 100, &a) != HTTP_WRONG)
            fail_msg("%s", wrong[i]);
    uint8_t *endless = calloc(1, HTTP_HEAD_BYTES_MAX);
    assert_int_equal(http_read(slice_of(endless, HTTP_HEAD_BYTES_MAX), 100, &a), HTTP_WRONG);
    free(endless);
}

/* ---- JSON ---- */

static const char results[] = "{\"phase\":\"OPEN\",\"round\":3,\"voters\":30,\"news\":{\"a\":[1,{}]"
                              "},\"counts\":[{\"candidate\":\"a\","
                              "\"votes\":20,\"electors\":28},{\"candidate\":\"b\",\"votes\":10,"
                              "\"electors\":0}],\"electors_total\":31,"
                              "\"electors_open\":3,\"majority\":16,\"leader\":\"a\",\"tie\":false,"
                              "\"winner\":null,\"states_final\":0,"
                              "\"unavailable\":[\"CA\"],\"states\":[{\"state\":\"CA\",\"known\":"
                              "false,\"electors\":3,\"roll\":9,\"why\":"
                              "\"no "
                              "leader\"},{\"state\":\"NY\",\"known\":true,\"electors\":28,\"roll\":"
                              "100,\"phase\":\"OPEN\",\"round\":3,"
                              "\"final\":false,\"voters\":30,\"counts\":[{\"candidate\":\"a\","
                              "\"votes\":20},{\"candidate\":\"b\",\"votes\":10}],"
                              "\"leader\":\"a\",\"tie\":false,\"districts\":[],\"shard_leader\":"
                              "\"one\",\"epoch\":2,\"index\":33,\"lost\":4,"
                              "\"root\":\"ab\"}],\"token\":\"x\"}";

static void results_are_read_from_json(void **state)
{
    (void)state;
    struct model_nation *n = calloc(1, sizeof *n);
    assert_true(model_json_nation(slice_str(results), n));
    assert_int_equal(n->round, 3);
    assert_int_equal(n->count_count, 2);
    assert_string_equal(n->counts[0].candidate, "a");
    assert_int_equal(n->counts[0].electors, 28);
    assert_string_equal(n->winner, "");
    assert_string_equal(n->leader, "a");
    assert_int_equal(n->state_count, 2);
    assert_false(n->states[0].known);
    assert_string_equal(n->states[0].why, "no leader");
    assert_true(n->states[1].known);
    assert_int_equal(n->states[1].counts[1].votes, 10);
    assert_string_equal(n->states[1].shard_leader, "one");
    assert_int_equal(n->states[1].lost, 4);
    for (size_t len = 0; len < strlen(results); len++)
        assert_false(model_json_nation(slice_of(results, len), n));
    free(n);
}

static void a_list_without_end_is_refused(void **state)
{
    (void)state;
    struct model_nation *n = calloc(1, sizeof *n);
    struct buf text = {0};
    buf_printf(&text, "{\"counts\":[");
    for (int i = 0; i <= MODEL_CANDIDATES_MAX; i++)
        buf_printf(&text, "%s{\"candidate\":\"a\"}", i > 0 ? "," : "");
    buf_printf(&text, "]}");
    assert_false(model_json_nation(buf_slice(&text), n));
    buf_deinit(&text);
    free(n);
}

static void a_command_is_read_with_those_who_are_not_ready(void **state)
{
    (void)state;
    struct model_command c;
    assert_true(model_json_command(
        slice_str(
            "{\"outcome\":\"DONE\",\"phase\":\"OPEN\",\"round\":2,\"not_ready\":[\"CA\",\"NY\"]}"),
        &c));
    assert_string_equal(c.not_ready, "CA NY");
    assert_string_equal(c.phase, "OPEN");
    assert_false(model_json_command(slice_str("{\"round\":-1}"), &c));
}

static void a_loss_is_read_with_its_text_as_it_is(void **state)
{
    (void)state;
    struct model_loss *l = calloc(1, sizeof *l);
    static const char json[] = "{\"state\":\"CA\",\"round\":3,\"committed\":1037,\"kept\":1000,"
                               "\"lost\":37,\"keeper\":\"s3\",\"missing\":[\"s1\",\"s2\"],"
                               "\"approvals_min\":2,\"approvers\":[\"alice\",\"bob\"],"
                               "\"text\":\"caucus loss 1\\nelection x\\n\"}";
    assert_true(model_json_loss(slice_str(json), l));
    assert_int_equal(l->lost, 37);
    assert_int_equal(l->approvals_min, 2);
    assert_int_equal(l->approver_count, 2);
    assert_string_equal(l->approvers[1], "bob");
    assert_string_equal(l->text, "caucus loss 1\nelection x\n");
    for (size_t len = 0; len < strlen(json); len++)
        assert_false(model_json_loss(slice_of(json, len), l));

    struct buf many = {0};
    buf_printf(&many, "{\"approvers\":[\"a\"");
    for (int i = 0; i < MODEL_APPROVERS_MAX; i++)
        buf_printf(&many, ",\"a\"");
    buf_printf(&many, "]}");
    assert_false(model_json_loss(buf_slice(&many), l));
    buf_deinit(&many);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_are_read_as_people_write_them),
        cmocka_unit_test(lists_that_are_none_are_refused),
        cmocka_unit_test(an_order_by_chance_has_each_once),
        cmocka_unit_test(an_answer_is_whole_when_its_body_is),
        cmocka_unit_test(an_answer_that_ends_the_connection_says_so),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(results_are_read_from_json),
        cmocka_unit_test(a_list_without_end_is_refused),
        cmocka_unit_test(a_command_is_read_with_those_who_are_not_ready),
        cmocka_unit_test(a_loss_is_read_with_its_text_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
