/* links: recipes */
/* Names of places, and their order over the end of the counter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "recipes/place.h"

static void a_prefix_has_a_uuid_and_a_label(void **state)
{
    (void)state;
    const uint8_t chance[PLACE_CHANCE_BYTES] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00};
    char prefix[PLACE_PREFIX_BYTES];
    place_prefix(chance, "latch-", prefix);
    assert_string_equal(prefix, "_c_01234567-89ab-4def-bfff-ffffffffff00-latch-");
}

static void a_sequence_is_read_as_servers_write_it(void **state)
{
    (void)state;
    int32_t n = 7;
    assert_true(place_sequence("_c_x-latch-0000000012", &n) && n == 12);
    assert_true(place_sequence("lock-2147483647", &n) && n == INT32_MAX);
    assert_true(place_sequence("lock--2147483648", &n) && n == INT32_MIN);
    assert_true(place_sequence("lock--000000005", &n) && n == -5);
    assert_true(place_sequence("-0000000000", &n) && n == 0);
    assert_true(place_sequence("_c_x-__READ__0000000012", &n) && n == 12);
    assert_true(place_sequence("0a__lock__-2147483648", &n) && n == INT32_MIN);
    n = 7;
    assert_false(place_sequence("x_0000000012", &n));
    assert_false(place_sequence("x_-00000000012", &n));
    assert_false(place_sequence("", &n));
    assert_false(place_sequence("lock", &n));
    assert_false(place_sequence("lock-", &n));
    assert_false(place_sequence("lock0000000012", &n));
    assert_false(place_sequence("lock-12", &n));
    assert_false(place_sequence("lock-000000012", &n));
    assert_false(place_sequence("0000000012", &n));
    assert_false(place_sequence("lock-2147483648", &n));
    assert_false(place_sequence("lock--2147483649", &n));
    assert_false(place_sequence("lock-00000000012", &n));
    assert_int_equal(n, 7);
}

static void the_order_goes_on_where_the_counter_wraps(void **state)
{
    (void)state;
    assert_true(place_is_before(1, 2));
    assert_false(place_is_before(2, 1));
    assert_false(place_is_before(2, 2));
    assert_true(place_is_before(-1, 0));
    assert_true(place_is_before(INT32_MAX, INT32_MIN));
    assert_false(place_is_before(INT32_MIN, INT32_MAX));
    assert_true(place_is_before(INT32_MAX - 5, INT32_MIN + 5));
}

static void the_one_ahead_is_the_nearest(void **state)
{
    (void)state;
    const char *names[] = {"c--2147483647", "a-2147483646", "config", "b-2147483647",
                           "d--2147483646"};
    assert_null(place_ahead(names, 5, "a-2147483646"));
    assert_string_equal(place_ahead(names, 5, "b-2147483647"), "a-2147483646");
    assert_string_equal(place_ahead(names, 5, "c--2147483647"), "b-2147483647");
    assert_string_equal(place_ahead(names, 5, "d--2147483646"), "c--2147483647");
    assert_null(place_ahead(names, 0, "d--2147483646"));
}

static void a_reader_looks_past_the_readers(void **state)
{
    (void)state;
    const char *names[] = {"c-__READ__-2147483647", "a-__WRIT__2147483646", "k__rlock__2147483647",
                           "d-__READ__-2147483646", "__READ__"};
    assert_string_equal(place_ahead_unshared(names, 5, names[3]), names[1]);
    assert_string_equal(place_ahead(names, 5, names[3]), names[0]);
    assert_null(place_ahead_unshared(names, 5, names[1]));
    assert_true(place_is_shared(names[0]) && place_is_shared(names[2]));
    assert_false(place_is_shared(names[1]) || place_is_shared("x-lock-0000000001"));
    assert_false(place_is_shared("__READ__") || place_is_shared("__READ__-lock-0000000001"));
}

static void the_rank_counts_places_only(void **state)
{
    (void)state;
    const char *names[] = {"c--2147483647", "config", "a-2147483646", "b-2147483647"};
    assert_int_equal(place_rank(names, 4, names[2]), 0);
    assert_int_equal(place_rank(names, 4, names[3]), 1);
    assert_int_equal(place_rank(names, 4, names[0]), 2);
}

static void places_are_sorted_and_others_stand_behind(void **state)
{
    (void)state;
    const char *names[] = {"c--2147483648", "config", "a-2147483646", "b-2147483647"};
    assert_int_equal(place_sort(names, 4), 3);
    assert_string_equal(names[0], "a-2147483646");
    assert_string_equal(names[1], "b-2147483647");
    assert_string_equal(names[2], "c--2147483648");
    assert_string_equal(names[3], "config");
}

static void a_node_is_found_by_its_beginning(void **state)
{
    (void)state;
    const char *names[] = {"x-0000000001", "_c_1-latch-0000000002"};
    assert_string_equal(place_find(names, 2, "_c_1-latch-"), names[1]);
    assert_null(place_find(names, 2, "_c_2-latch-"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_has_a_uuid_and_a_label),
        cmocka_unit_test(a_sequence_is_read_as_servers_write_it),
        cmocka_unit_test(the_order_goes_on_where_the_counter_wraps),
        cmocka_unit_test(the_one_ahead_is_the_nearest),
        cmocka_unit_test(a_reader_looks_past_the_readers),
        cmocka_unit_test(the_rank_counts_places_only),
        cmocka_unit_test(places_are_sorted_and_others_stand_behind),
        cmocka_unit_test(a_node_is_found_by_its_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
