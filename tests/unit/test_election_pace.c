/* links: election */
/* Claims about for how long votes are collected: half as long while few states take votes, and
 * never so short that Commit is written more often than all states write it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "election/service_internal.h"

#define MS INT64_C(1000000)

static void few_states_collect_for_half_as_long(void **state)
{
    (void)state;
    assert_int_equal(pace_gap_ns(20 * MS, 0), 10 * MS);
    assert_int_equal(pace_gap_ns(20 * MS, 1), 10 * MS);
    assert_int_equal(pace_gap_ns(20 * MS, 25), 10 * MS);
    assert_int_equal(pace_gap_ns(20 * MS, 40), 16 * MS);
    assert_int_equal(pace_gap_ns(20 * MS, 51), 20 * MS);
    assert_int_equal(pace_gap_ns(60000 * MS, 51), 60000 * MS);
}

static void fewer_states_do_not_write_more_often_than_all(void **state)
{
    (void)state;
    double all = 51 / (double)pace_gap_ns(20 * MS, 51);
    for (uint32_t busy = 1; busy <= 51; busy++)
        assert_true(busy / (double)pace_gap_ns(20 * MS, busy) <= all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_states_collect_for_half_as_long),
        cmocka_unit_test(fewer_states_do_not_write_more_often_than_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
