/* links: wire */
/* Which paths are allowed. The verdicts are those of Apache's PathUtils 3.9.5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/path.h"

/* The path ends exactly where its memory does, so that a read past the end is seen. */
static bool allowed(const char *text, size_t len, bool sequential)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, text, len);
    bool ok = path_check(slice_of(copy, len), sequential) == NULL;
    free(copy);
    return ok;
}

#define assert_allowed(text) assert_true(allowed(text, sizeof(text) - 1, false))
#define assert_refused(text) assert_false(allowed(text, sizeof(text) - 1, false))

static void ordinary_paths_are_allowed(void **state)
{
    (void)state;
    assert_allowed("/");
    assert_allowed("/a");
    assert_allowed("/a/b/c0000000001");
    assert_allowed("/with space/and-dash/x_y~!@#$%^&*()");
    assert_allowed("/\x7e");
}

static void a_path_begins_with_a_slash_and_does_not_end_with_one(void **state)
{
    (void)state;
    assert_refused("");
    assert_refused("a");
    assert_refused("a/b");
    assert_refused("/a/");
    assert_refused("//");
    assert_string_equal(path_check((struct slice){0}, false), "path is null");
    assert_non_null(path_check((struct slice){0}, true));
}

static void components_are_not_empty(void **state)
{
    (void)state;
    assert_refused("//a");
    assert_refused("/a//b");
}

static void dots_alone_are_not_a_name(void **state)
{
    (void)state;
    assert_refused("/.");
    assert_refused("/..");
    assert_refused("/./a");
    assert_refused("/../a");
    assert_refused("/a/.");
    assert_refused("/a/..");
    assert_refused("/a/./b");
    assert_refused("/a/../b");
    assert_allowed("/...");
    assert_allowed("/.a");
    assert_allowed("/..a");
    assert_allowed("/a.");
    assert_allowed("/a..");
    assert_allowed("/a..b/.c/d.");
}

static void a_number_to_come_saves_an_unfinished_last_name(void **state)
{
    (void)state;
    assert_true(allowed("/", 1, true));
    assert_true(allowed("/a/", 3, true));
    assert_true(allowed("/a/.", 4, true));
    assert_true(allowed("/a/..", 5, true));
    assert_true(allowed("/a/n-", 5, true));
    assert_false(allowed("", 0, true));
    assert_false(allowed("//", 2, true));
    assert_false(allowed("/./", 3, true));
    assert_false(allowed("/a\x01", 3, true));
}

static void control_characters_are_refused(void **state)
{
    (void)state;
    assert_refused("/a\0b");
    assert_refused("/\x01");
    assert_refused("/a\x1f");
    assert_refused("/\x7f");
    assert_refused("/\xc2\x80"); /* U+0080 */
    assert_refused("/\xc2\x9f"); /* U+009F */
    assert_allowed("/\xc2\xa0"); /* U+00A0 */
}

static void characters_are_judged_by_their_code_point(void **state)
{
    (void)state;
    assert_allowed("/\xc3\xa9t\xc3\xa9");
    assert_allowed("/\xdf\xbf");     /* U+07FF */
    assert_allowed("/\xe0\xa0\x80"); /* U+0800 */
    assert_allowed("/\xe6\x97\xa5/\xe6\x9c\xac");
    assert_allowed("/\xed\x9f\xbf");     /* U+D7FF */
    assert_refused("/\xee\x80\x80");     /* U+E000 */
    assert_refused("/\xef\xa3\xbf");     /* U+F8FF */
    assert_allowed("/\xef\xa4\x80");     /* U+F900 */
    assert_allowed("/\xef\xbb\xbf");     /* U+FEFF */
    assert_allowed("/\xef\xbf\xaf");     /* U+FFEF */
    assert_refused("/\xef\xbf\xb0");     /* U+FFF0 */
    assert_refused("/\xef\xbf\xbd");     /* U+FFFD */
    assert_refused("/\xef\xbf\xbf");     /* U+FFFF */
    assert_refused("/\xf0\x9f\x98\x80"); /* U+1F600: two surrogates */
}

static void what_is_not_utf8_is_refused(void **state)
{
    (void)state;
    assert_refused("/\x80");
    assert_refused("/\xff");
    assert_refused("/\xc0\xaf"); /* an overlong slash */
    assert_refused("/\xc1\xbf");
    assert_refused("/\xe0\x9f\xbf"); /* overlong */
    assert_refused("/\xed\xa0\x80"); /* a surrogate by itself */
    assert_refused("/\xc3");         /* cut */
    assert_refused("/\xe6\x97");
    assert_refused("/\xe6\x97/a");
    assert_refused("/\xc3/");
    assert_refused("/\xf8\x88\x80\x80\x80");
    assert_false(allowed("/\xc3", 2, true)); /* the number does not complete it */
}

static void assert_taken_apart(const char *path, const char *parent, const char *name)
{
    assert_true(slice_eq_str(path_parent(slice_str(path)), parent));
    assert_true(slice_eq_str(path_name(slice_str(path)), name));
}

static void paths_are_taken_apart_at_the_last_slash(void **state)
{
    (void)state;
    assert_taken_apart("/a/b/c", "/a/b", "c");
    assert_taken_apart("/a", "", "a");
    assert_taken_apart("/", "", "");
    assert_taken_apart("/a/", "/a", "");
    assert_taken_apart("a", "", "a");
    assert_taken_apart("", "", "");
    assert_int_equal(path_name((struct slice){0}).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_paths_are_allowed),
        cmocka_unit_test(a_path_begins_with_a_slash_and_does_not_end_with_one),
        cmocka_unit_test(components_are_not_empty),
        cmocka_unit_test(dots_alone_are_not_a_name),
        cmocka_unit_test(a_number_to_come_saves_an_unfinished_last_name),
        cmocka_unit_test(control_characters_are_refused),
        cmocka_unit_test(characters_are_judged_by_their_code_point),
        cmocka_unit_test(what_is_not_utf8_is_refused),
        cmocka_unit_test(paths_are_taken_apart_at_the_last_slash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
