/* links: base */
/* What is UTF-8, and what only looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

static void every_character_is_put_and_known_again(void **state)
{
    (void)state;
    struct buf b = {0};
    for (uint32_t code = 0; code <= 0x110000; code++) {
        buf_clear(&b);
        utf8_put(&b, code);
        bool is_character = code < 0x110000 && (code < 0xd800 || code > 0xdfff);
        size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        assert_int_equal(b.len, len);
        assert_int_equal(utf8_length((const char *)b.ptr, b.len), is_character ? len : 0);
        assert_true(len == 1 || utf8_length((const char *)b.ptr, len - 1) == 0);
    }
    buf_deinit(&b);
}

static void what_is_longer_than_need_be_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "\xc0\x80",         "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
        "\xf5\x80\x80\x80", "\x80",     "\xff",         "a\xc3"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(utf8_is_valid(wrong[i], strlen(wrong[i])));
    assert_true(utf8_is_valid("", 0));
    assert_true(utf8_is_valid("z\xc3\xbcrich \xf0\x9f\x97\xb3", 12));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_put_and_known_again),
        cmocka_unit_test(what_is_longer_than_need_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
