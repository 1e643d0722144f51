/* links: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

static void integers_are_big_endian(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_u8(&b, 1);
    buf_put_i32(&b, 0x02030405);
    buf_put_i64(&b, -2);
    static const uint8_t wanted[] = {1, 2, 3, 4, 5, 255, 255, 255, 255, 255, 255, 255, 254};
    assert_true(slice_eq(buf_slice(&b), slice_of(wanted, sizeof wanted)));
    assert_int_equal(load_be32(b.ptr + 1), 0x02030405);
    assert_true((int64_t)load_be64(b.ptr + 5) == -2);
    buf_deinit(&b);
}

static void a_buffer_without_maximum_grows_and_keeps_its_bytes(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int32_t i = 0; i < 100000; i++)
        buf_put_i32(&b, i);
    assert_true(buf_ok(&b));
    assert_int_equal(b.len, 400000);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(load_be32(b.ptr + i * 4), i);
    buf_deinit(&b);
    assert_null(b.ptr);
}

static void a_buffer_takes_exactly_its_maximum(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    for (int i = 0; i < 250; i++)
        buf_put_i32(&b, i);
    assert_true(buf_ok(&b));
    assert_int_equal(b.len, 1000);
    assert_true(b.cap <= 1000);

    buf_put_u8(&b, 1);
    assert_false(buf_ok(&b));
    assert_int_equal(b.len, 1000);
    buf_deinit(&b);
}

static void what_does_not_fit_is_dropped_whole(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    buf_put(&b, "12345678", 8);
    buf_put(&b, "abc", 3);
    buf_put_i64(&b, 1);
    assert_false(buf_ok(&b));
    assert_true(slice_eq_str(buf_slice(&b), "12345678"));
    buf_deinit(&b);
}

static void clearing_forgets_the_overflow_and_keeps_the_memory(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_put(&b, "12345", 5);
    assert_false(buf_ok(&b));
    buf_put_i32(&b, 1);
    const uint8_t *memory = b.ptr;
    buf_clear(&b);
    buf_put_i32(&b, 1);
    assert_true(buf_ok(&b));
    assert_int_equal(b.len, 4);
    assert_true(memory == NULL || b.ptr == memory);
    buf_deinit(&b);
}

static void an_absurd_size_is_an_overflow(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_u8(&b, 1);
    assert_false(buf_reserve(&b, SIZE_MAX));
    assert_false(buf_ok(&b));
    assert_int_equal(b.len, 1);
    buf_deinit(&b);
}

static void printing_appends_without_a_zero(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_u8(&b, '<');
    buf_printf(&b, "%d %s", 42, "is it");
    buf_printf(&b, "%s", "");
    buf_put_u8(&b, '>');
    assert_true(slice_eq_str(buf_slice(&b), "<42 is it>"));

    buf_printf(&b, "%0500d", 1);
    assert_int_equal(b.len, 10 + 500);
    buf_deinit(&b);
}

static void a_part_of_nothing_is_empty_and_not_null(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_part(&b, 0, 0).len, 0);
    assert_false(slice_is_null(buf_part(&b, 0, 0)));

    buf_put(&b, "abcd", 4);
    assert_true(slice_eq_str(buf_part(&b, 1, 2), "bc"));
    assert_int_equal(buf_part(&b, 4, 0).len, 0);
    buf_deinit(&b);
}

static void slices_compare_by_their_bytes(void **state)
{
    (void)state;
    struct slice null = {0};
    assert_true(slice_eq(null, slice_str("")));
    assert_true(slice_is_null(null));
    assert_false(slice_is_null(slice_str("")));
    assert_false(slice_eq(slice_str("ab"), slice_str("abc")));
    assert_true(slice_starts_with(slice_str("abc"), slice_str("ab")));
    assert_true(slice_starts_with(null, null));
    assert_false(slice_starts_with(slice_str("ab"), slice_str("abc")));
    assert_true(slice_eq_str(slice_from(slice_str("abc"), 1), "bc"));
    assert_int_equal(slice_from(slice_str("abc"), 3).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(a_buffer_without_maximum_grows_and_keeps_its_bytes),
        cmocka_unit_test(a_buffer_takes_exactly_its_maximum),
        cmocka_unit_test(what_does_not_fit_is_dropped_whole),
        cmocka_unit_test(clearing_forgets_the_overflow_and_keeps_the_memory),
        cmocka_unit_test(an_absurd_size_is_an_overflow),
        cmocka_unit_test(printing_appends_without_a_zero),
        cmocka_unit_test(a_part_of_nothing_is_empty_and_not_null),
        cmocka_unit_test(slices_compare_by_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
