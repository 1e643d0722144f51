/* links: server */
/* Claims about the file format of zoo.cfg: java.util.Properties, as ZooKeeper reads it. The
 * expected results were produced with Java 17's Properties.load and String.trim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/properties.h"

struct expected {
    const char *key, *value;
    int line;
};

static void check(struct slice text, const struct expected *expected, size_t count)
{
    struct properties p;
    struct err err;
    assert_int_equal(properties_parse(text, &p, &err), 0);
    assert_int_equal(p.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(p.items[i].key, expected[i].key);
        assert_string_equal(p.items[i].value, expected[i].value);
        if (expected[i].line > 0)
            assert_int_equal(p.items[i].line, expected[i].line);
    }
    properties_deinit(&p);
}

#define CHECK(text, ...)                                                                           \
    check(slice_of(text, sizeof(text) - 1), (const struct expected[]){__VA_ARGS__},                \
          sizeof((const struct expected[]){__VA_ARGS__}) / sizeof(struct expected))

static void an_empty_file_has_no_properties(void **state)
{
    (void)state;
    check(slice_str(""), NULL, 0);
    check((struct slice){0}, NULL, 0);
    check(slice_str("\n\r\n  \t\f \n"), NULL, 0);
}

static void comments_begin_with_hash_or_exclamation_mark_behind_blanks(void **state)
{
    (void)state;
    CHECK("# a=1\n  ! b=2\n\t#c\nd=#4\n", {"d", "#4", 4});
}

static void a_comment_is_not_continued(void **state)
{
    (void)state;
    CHECK("# a \\\nb=2\n", {"b", "2", 2});
}

static void key_and_value_are_parted_by_equals_colon_or_blanks(void **state)
{
    (void)state;
    CHECK("a=1\nb:2\nc 3\nd\t=\t4\ne  :  5\nf = = 6\ng=:7\n", {"a", "1", 1}, {"b", "2", 2},
          {"c", "3", 3}, {"d", "4", 4}, {"e", "5", 5}, {"f", "= 6", 6}, {"g", ":7", 7});
}

static void a_key_alone_has_an_empty_value(void **state)
{
    (void)state;
    CHECK("a\nb=\nc:\nd ", {"a", "", 1}, {"b", "", 2}, {"c", "", 3}, {"d", "", 4});
}

static void a_line_without_a_key_has_an_empty_one(void **state)
{
    (void)state;
    CHECK("=1\n", {"", "1", 1});
}

static void blanks_around_values_are_dropped(void **state)
{
    (void)state;
    CHECK("  a =  1 2  \t\nb=3\f\n", {"a", "1 2", 1}, {"b", "3", 2});
}

static void an_odd_number_of_backslashes_continues_the_line(void **state)
{
    (void)state;
    CHECK("a=1,\\\n    2,\\\r\n\t3\nb=4\\\\\nc=5\\\\\\\n6\n", {"a", "1,2,3", 1}, {"b", "4\\", 4},
          {"c", "5\\6", 5});
}

static void a_continuation_may_look_like_a_comment(void **state)
{
    (void)state;
    CHECK("a=1\\\n#2\n", {"a", "1#2", 1});
}

static void a_continuation_at_the_end_of_the_file_is_none(void **state)
{
    (void)state;
    CHECK("a=1\\", {"a", "1", 1});
    CHECK("a=1\\\n", {"a", "1", 1});
    CHECK("a=1\\\n\\\n", {"a", "1", 1});
}

static void escapes_stand_for_their_characters(void **state)
{
    (void)state;
    CHECK("a\\ b=1\nc\\=d=2\ne\\:f:3\ng=\\t|\\n|\\r|\\f|\\q|\\\\\n", {"a b", "1", 1},
          {"c=d", "2", 2}, {"e:f", "3", 3}, {"g", "|\n|\r|\f|q|\\", 4});
    CHECK("\\#a=1\n\\!b=2\n", {"#a", "1", 1}, {"!b", "2", 2});
}

static void unicode_escapes_become_utf8(void **state)
{
    (void)state;
    CHECK("a=\\u0041\\u00e9\\u20AC\n", {"a", "A\xc3\xa9\xe2\x82\xac", 1});
}

static void lines_end_with_lf_cr_or_both(void **state)
{
    (void)state;
    CHECK("a=1\rb=2\r\nc=3\n\rd=4", {"a", "1", 1}, {"b", "2", 2}, {"c", "3", 3}, {"d", "4", 5});
}

static void the_last_of_several_lines_for_a_key_counts(void **state)
{
    (void)state;
    CHECK("a=1\nb=2\na=3\n", {"b", "2", 2}, {"a", "3", 3});
}

static void bytes_above_ascii_are_taken_as_they_are(void **state)
{
    (void)state;
    CHECK("a=\xc3\xa9\n", {"a", "\xc3\xa9", 1});
}

static void a_malformed_unicode_escape_is_refused_with_its_line(void **state)
{
    (void)state;
    static const char *const texts[] = {"a=1\nb=\\u12\n", "a=1\nb=\\u12g4\n", "a=1\n\\u=1\n",
                                        "a=1\nb=\\u"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct properties p;
        struct err err;
        assert_int_equal(properties_parse(slice_str(texts[i]), &p, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "line 2"));
    }
}

static void a_zero_byte_is_refused(void **state)
{
    (void)state;
    struct properties p;
    struct err err;
    assert_int_equal(properties_parse(slice_of("a=1\0002\n", 6), &p, &err), ERR_INVALID);
}

static bool is_the_word(const char *key)
{
    return strcmp(key, "the word") == 0;
}

static void secrets_are_hidden_and_all_else_is_as_it_was(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"", ""},
        {"a=1\n", "a=1\n"},
        {"the\\ word=x\n", "the\\ word=***\n"},
        {"#the\\ word=x\n a = b \n\tthe\\ word : x y\r\nc",
         "#the\\ word=x\n a = b \n\tthe\\ word=***\nc"},
        {"the\\ word=x\\\n  y\\\n  z\nthe\\ word2=x", "the\\ word=***\nthe\\ word2=x"},
        {"\\u0074he\\ word\\\n =x", "\\u0074he\\ word=***\n"},
        {"the\\ word=x\nthe\\ word=y", "the\\ word=***\nthe\\ word=***\n"},
        {"the\\ word=\nthe\\ word", "the\\ word=\nthe\\ word"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf shown = {0};
        properties_hide(slice_str(cases[i].text), is_the_word, &shown);
        buf_put_u8(&shown, 0);
        assert_string_equal(shown.ptr, cases[i].shown);
        buf_deinit(&shown);
    }
}

static void every_prefix_of_a_wild_file_is_parsed_or_refused(void **state)
{
    (void)state;
    static const char wild[] = "#c\\\n\\u0041\\ b\\\n : \\\\\\\r\n  x\\u00\n=\f\\\\=\\:\r\r!";
    for (size_t len = 0; len < sizeof wild; len++) {
        struct properties p;
        struct err err;
        if (properties_parse(slice_of(wild, len), &p, &err) == 0)
            properties_deinit(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_has_no_properties),
        cmocka_unit_test(comments_begin_with_hash_or_exclamation_mark_behind_blanks),
        cmocka_unit_test(a_comment_is_not_continued),
        cmocka_unit_test(key_and_value_are_parted_by_equals_colon_or_blanks),
        cmocka_unit_test(a_key_alone_has_an_empty_value),
        cmocka_unit_test(a_line_without_a_key_has_an_empty_one),
        cmocka_unit_test(blanks_around_values_are_dropped),
        cmocka_unit_test(an_odd_number_of_backslashes_continues_the_line),
        cmocka_unit_test(a_continuation_may_look_like_a_comment),
        cmocka_unit_test(a_continuation_at_the_end_of_the_file_is_none),
        cmocka_unit_test(escapes_stand_for_their_characters),
        cmocka_unit_test(unicode_escapes_become_utf8),
        cmocka_unit_test(lines_end_with_lf_cr_or_both),
        cmocka_unit_test(the_last_of_several_lines_for_a_key_counts),
        cmocka_unit_test(bytes_above_ascii_are_taken_as_they_are),
        cmocka_unit_test(a_malformed_unicode_escape_is_refused_with_its_line),
        cmocka_unit_test(a_zero_byte_is_refused),
        cmocka_unit_test(secrets_are_hidden_and_all_else_is_as_it_was),
        cmocka_unit_test(every_prefix_of_a_wild_file_is_parsed_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
