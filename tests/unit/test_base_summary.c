/* links: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/summary.h"

_Static_assert(sizeof(struct summary) <= 4096, "a summary is kept small");

static void assert_near(int64_t got, int64_t wanted)
{
    int64_t slack = wanted / 50;
    if (got < wanted - slack || got > wanted + slack)
        fail_msg("%lld is not within 2%% of %lld", (long long)got, (long long)wanted);
}

static void an_empty_summary_is_zero_everywhere(void **state)
{
    (void)state;
    struct summary s = {0};
    assert_int_equal(summary_quantile(&s, 0.5), 0);
    assert_int_equal(summary_quantile(&s, 1), 0);
    assert_true(summary_mean(&s) == 0);
    assert_int_equal(s.count, 0);
}

static void one_value_is_every_quantile(void **state)
{
    (void)state;
    static const int64_t values[] = {
        0, 1, 63, 64, 65, 1000003, INT64_C(1) << 33, INT64_C(1) << 34, INT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct summary s = {0};
        summary_add(&s, values[i]);
        assert_true(summary_quantile(&s, 0) == values[i]);
        assert_true(summary_quantile(&s, 0.999) == values[i]);
        assert_true(s.min == values[i] && s.max == values[i]);
        assert_true(s.sum == values[i]);
    }
}

static void small_values_are_exact(void **state)
{
    (void)state;
    struct summary s = {0};
    for (int64_t v = 0; v < 50; v++)
        summary_add(&s, v);
    assert_int_equal(summary_quantile(&s, 0.5), 25);
    assert_int_equal(summary_quantile(&s, 0.9), 45);
    assert_int_equal(summary_quantile(&s, 1), 49);
    assert_true(summary_mean(&s) == 24.5);
}

static void quantiles_are_within_two_percent(void **state)
{
    (void)state;
    struct summary s = {0};
    for (int64_t v = 1; v <= 1000000; v++)
        summary_add(&s, v * 1000);
    assert_near(summary_quantile(&s, 0.5), 500000000);
    assert_near(summary_quantile(&s, 0.95), 950000000);
    assert_near(summary_quantile(&s, 0.99), 990000000);
    assert_near(summary_quantile(&s, 0.999), 999000000);
    assert_int_equal(s.count, 1000000);
    assert_true(s.min == 1000 && s.max == 1000000000);
}

static void buckets_follow_each_other_without_a_gap(void **state)
{
    (void)state;
    assert_int_equal(summary_bucket(0), 0);
    for (uint64_t v = 1; v < 1000000; v++) {
        uint32_t step = summary_bucket(v) - summary_bucket(v - 1);
        assert_true(step <= 1);
    }
    assert_int_equal(summary_bucket((UINT64_C(1) << 34) - 1), SUMMARY_BUCKETS - 1);
    assert_int_equal(summary_bucket(UINT64_MAX), SUMMARY_BUCKETS - 1);
}

static void huge_values_are_shown_as_the_greatest(void **state)
{
    (void)state;
    struct summary s = {0};
    summary_add(&s, 5);
    summary_add(&s, INT64_C(1) << 40);
    summary_add(&s, INT64_C(1) << 41);
    assert_int_equal(summary_quantile(&s, 0), 5);
    assert_true(summary_quantile(&s, 0.5) == INT64_C(1) << 41);
}

static void a_negative_value_counts_as_zero(void **state)
{
    (void)state;
    struct summary s = {0};
    summary_add(&s, -5);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.min, 0);
    assert_int_equal(s.sum, 0);
}

static void a_full_bucket_keeps_the_shape(void **state)
{
    (void)state;
    struct summary s = {0};
    for (int i = 0; i < 4; i++)
        summary_add(&s, 1);
    s.buckets[summary_bucket(2)] = UINT32_MAX - 1;
    s.buckets[summary_bucket(3)] = UINT32_MAX / 2;
    s.count += (uint64_t)UINT32_MAX + UINT32_MAX / 2;
    summary_add(&s, 2);
    assert_int_equal(s.buckets[summary_bucket(1)], 2);
    assert_int_equal(s.buckets[summary_bucket(2)], UINT32_MAX / 2);
    s.max = 3;
    assert_int_equal(summary_quantile(&s, 0.5), 2);
    assert_int_equal(summary_quantile(&s, 0.9), 3);
}

static void a_reset_forgets_everything(void **state)
{
    (void)state;
    struct summary s = {0};
    summary_add(&s, 7);
    summary_reset(&s);
    assert_int_equal(s.count, 0);
    assert_int_equal(s.max, 0);
    assert_int_equal(summary_quantile(&s, 0.5), 0);
}

static void two_streams_merged_are_as_one(void **state)
{
    (void)state;
    struct summary a = {0}, b = {0}, one = {0};
    for (int i = 0; i < 1000; i++) {
        summary_add(i % 3 == 0 ? &a : &b, i * i);
        summary_add(&one, i * i);
    }
    struct summary both = {0};
    summary_merge(&both, &a);
    summary_merge(&both, &b);
    summary_merge(&both, &(struct summary){0});
    assert_memory_equal(&both, &one, sizeof one);

    for (int i = 0; i < SUMMARY_BUCKETS; i++) /* more than a bucket can count */
        a.buckets[i] = b.buckets[i] = UINT32_MAX - 1;
    summary_merge(&a, &b);
    assert_true(a.buckets[7] <= UINT32_MAX - 1);
    assert_in_range(summary_quantile(&a, 0.5), 1, a.max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_summary_is_zero_everywhere),
        cmocka_unit_test(one_value_is_every_quantile),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(quantiles_are_within_two_percent),
        cmocka_unit_test(buckets_follow_each_other_without_a_gap),
        cmocka_unit_test(huge_values_are_shown_as_the_greatest),
        cmocka_unit_test(a_negative_value_counts_as_zero),
        cmocka_unit_test(a_full_bucket_keeps_the_shape),
        cmocka_unit_test(a_reset_forgets_everything),
        cmocka_unit_test(two_streams_merged_are_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
