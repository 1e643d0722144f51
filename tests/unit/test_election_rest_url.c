/* links: election_rest */
/* Addresses, headers, bodies and tokens, as anybody may send them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json_out.h"
#include "election_rest/bodies.h"
#include "election_rest/token.h"
#include "election_rest/url.h"

static char target[256];

static bool read_target(const char *text, struct url *u)
{
    size_t len = strlen(text);
    memcpy(target, text, len + 1);
    return url_read(target, len, u);
}

static void assert_slice(struct slice s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.ptr, text, s.len);
}

static void a_path_is_cut_before_it_is_decoded(void **state)
{
    (void)state;
    struct url u;
    assert_true(read_target("/states/new%20york/voters/a%2Fb+c/vote?x=1", &u));
    assert_int_equal(u.part_count, 5);
    assert_slice(u.parts[1], "new york");
    assert_slice(u.parts[3], "a/b+c"); /* a plus is a blank in queries only */
    assert_slice(url_argument(&u, "x"), "1");
    assert_true(read_target("/", &u));
    assert_int_equal(u.part_count, 1);
    assert_slice(u.parts[0], "");
    assert_true(read_target("/a%00b", &u));
    assert_int_equal(u.parts[0].len, 3);
}

static void what_makes_no_sense_fails_as_a_whole(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "a",
                                        "?a=1",
                                        "*",
                                        "/%",
                                        "/%4",
                                        "/%4g",
                                        "/a?%",
                                        "/a?b=%2",
                                        "/1/2/3/4/5/6/7/8/9/10/11",
                                        "/?1&2&3&4&5&6&7&8&9"};
    struct url u;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(read_target(wrong[i], &u));
}

static void arguments_may_be_empty_and_flags_are_few(void **state)
{
    (void)state;
    struct url u;
    assert_true(read_target("/?a&b=&&c=1&d=0&e=x%3Dy+z", &u));
    assert_int_equal(u.argument_count, 5);
    assert_true(url_flag(&u, "a") && url_flag(&u, "b") && url_flag(&u, "c"));
    assert_false(url_flag(&u, "d") || url_flag(&u, "f"));
    assert_slice(url_argument(&u, "e"), "x=y z");
    assert_true(slice_is_null(url_argument(&u, "f")));
}

static void numbers_and_uuids_are_strict(void **state)
{
    (void)state;
    uint64_t n = 0;
    uint8_t id[16];
    assert_true(text_number(slice_str("18446744073709551615"), 0, UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    assert_false(text_number(slice_str("18446744073709551616"), 0, UINT64_MAX, &n));
    assert_false(text_number(slice_str("1 "), 0, 9, &n) || text_number(slice_str("+1"), 0, 9, &n) ||
                 text_number(slice_str(""), 0, 9, &n) || text_number(slice_str("10"), 0, 9, &n));
    assert_true(text_uuid(slice_str("0F8FAD5B-d9cb-469f-a165-70867728950e"), id));
    assert_int_equal(id[0], 0x0f);
    assert_int_equal(id[15], 0x0e);
    assert_true(text_uuid(slice_str("0f8fad5bd9cb469fa16570867728950e"), id));
    assert_false(text_uuid(slice_str("0f8fad5b-d9cb-469f-a165-70867728950"), id));
    assert_false(text_uuid(slice_str("0f8fad5bd-9cb-469f-a165-70867728950e"), id));
    assert_true(text_revision(slice_str("\"3\""), 254, &n) && n == 3);
    assert_false(text_revision(slice_str("\"3"), 254, &n) || text_revision(slice_str("\""), 9, &n));
}

static void tags_and_types_are_found(void **state)
{
    (void)state;
    struct slice tag = slice_str("abc");
    assert_true(text_has_tag(slice_str("\"abc\""), tag));
    assert_true(text_has_tag(slice_str(" W/\"x\" ,\tW/\"abc\""), tag));
    assert_true(text_has_tag(slice_str("*"), tag));
    assert_false(text_has_tag(slice_str("abc"), slice_str("abcd")));
    assert_false(text_has_tag(slice_str(""), tag) || text_has_tag(slice_str(",,"), tag));
    assert_true(text_is_media_type(slice_str(" Application/JSON ; charset=x"), "application/json"));
    assert_false(text_is_media_type(slice_str("application/json2"), "application/json"));
    assert_false(text_is_media_type(slice_of(NULL, 0), "application/json"));
}

static void a_token_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct token t = {.round = 7,
                      .phase = PHASE_CLOSING,
                      .shown = true,
                      .states = 3,
                      .seen = {0, 300, UINT64_MAX}},
                 back;
    struct buf text = {0};
    token_write(&t, &text);
    assert_true(token_read(buf_slice(&text), &back));
    assert_memory_equal(&t, &back, sizeof t);
    for (size_t len = 0; len < text.len; len++)
        assert_false(token_read(slice_of(text.ptr, len), &back));
    buf_put_u8(&text, 'A');
    assert_false(token_read(buf_slice(&text), &back));
    buf_deinit(&text);
}

static void json_is_written_without_blanks(void **state)
{
    (void)state;
    struct buf b = {0};
    struct json_out j;
    json_out_begin(&j, &b);
    json_out_text(&j, "a", slice_of("\"\\\n\x01\xff", 5));
    json_out_list(&j, "b");
    json_out_number(&j, NULL, -1);
    json_out_object(&j, NULL);
    json_out_null(&j, "c");
    json_out_object_end(&j);
    json_out_list_end(&j);
    json_out_hex(&j, "d", (const uint8_t *)"\x00\xab", 2);
    json_out_flag(&j, "e", false);
    json_out_end(&j);
    assert_slice(buf_slice(&b), "{\"a\":\"\\\"\\\\\\n\\u0001\xef\xbf\xbd\",\"b\":[-1,{\"c\":null}],"
                                "\"d\":\"00ab\",\"e\":false}");
    buf_deinit(&b);
}

static void bodies_are_one_object_with_members_that_are_known(void **state)
{
    (void)state;
    struct buf candidate = {0};
    struct command c = {0};
    assert_null(body_read_vote(slice_str(" {\"candidate\" : \"h\\u0061rris\"}\n"), &candidate));
    assert_slice(buf_slice(&candidate), "harris");
    assert_non_null(body_read_vote(slice_str("{}"), &candidate));
    assert_non_null(body_read_vote(slice_of(NULL, 0), &candidate));
    assert_null(body_read_command(slice_of(NULL, 0), &c));
    assert_null(body_read_command(slice_str("{\"round\":3,\"force\":true,\"drain_ms\":5}"), &c));
    assert_true(c.round == 3 && c.force && c.drain_ms == 5 && !c.now);
    assert_non_null(body_read_command(slice_str("{\"rounds\":3}"), &c));
    buf_deinit(&candidate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_cut_before_it_is_decoded),
        cmocka_unit_test(what_makes_no_sense_fails_as_a_whole),
        cmocka_unit_test(arguments_may_be_empty_and_flags_are_few),
        cmocka_unit_test(numbers_and_uuids_are_strict),
        cmocka_unit_test(tags_and_types_are_found),
        cmocka_unit_test(a_token_is_read_as_it_was_written),
        cmocka_unit_test(json_is_written_without_blanks),
        cmocka_unit_test(bodies_are_one_object_with_members_that_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
