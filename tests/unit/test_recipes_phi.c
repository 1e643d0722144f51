/* links: recipes */
/* How suspicious a silence is. The values of the normal distribution are those of printed tables.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recipes/phi.h"

#define MS INT64_C(1000000)

static const struct phi_config every_second = {.interval_ms = 1000, .deviation_ms_min = 100};

static bool is_near(double a, double b, double by)
{
    return fabs(a - b) <= by;
}

/* So many heartbeats, `early_ms` before and after their time in turns; returns when the last came.
 */
static int64_t beat(struct phi *p, int64_t from_ns, int count, int64_t every_ms, int64_t early_ms)
{
    int64_t at_ns = from_ns;
    for (int i = 0; i < count; i++) {
        at_ns += (every_ms + (i % 2 == 0 ? early_ms : -early_ms)) * MS;
        phi_heartbeat(p, at_ns);
    }
    return at_ns;
}

static void it_is_the_logarithm_of_the_normal_tail(void **state)
{
    (void)state;
    assert_true(is_near(phi_of_deviations(0), 0.30103, 1e-5));    /* one in two */
    assert_true(is_near(phi_of_deviations(1.281552), 1.0, 1e-5)); /* one in ten */
    assert_true(is_near(phi_of_deviations(2.326348), 2.0, 1e-5)); /* 100 */
    assert_true(is_near(phi_of_deviations(3.090232), 3.0, 1e-5)); /* 1000 */
    assert_true(is_near(phi_of_deviations(4.753424), 6.0, 1e-5)); /* a million */
    assert_true(is_near(phi_of_deviations(-3), 0.000587, 1e-6));
    assert_true(phi_of_deviations(-50) == 0);
}

static void it_rises_with_the_delay_also_where_numbers_end(void **state)
{
    (void)state;
    double last = -1;
    for (double y = -5; y < 37; y += 0.01) {
        double phi = phi_of_deviations(y);
        assert_true(phi > last);
        last = phi;
    }
    assert_true(is_near(phi_of_deviations(35.9999), phi_of_deviations(36.0001), 0.01));
    assert_true(phi_of_deviations(1e9) == PHI_MAX && phi_of_deviations(INFINITY) == PHI_MAX);
}

static void a_delay_is_found_by_its_phi(void **state)
{
    (void)state;
    for (double level = 0.01; level < 200; level *= 1.3)
        assert_true(is_near(phi_of_deviations(phi_deviations(level)), level, 1e-9 * level + 1e-9));
}

static void before_the_first_heartbeat_the_expectation_counts(void **state)
{
    (void)state;
    struct phi p;
    phi_init(&p, &every_second, 0);
    assert_true(phi_at(&p, 500 * MS) < 0.02);
    assert_true(is_near(phi_at(&p, 1000 * MS), 0.301, 0.001));
    assert_true(is_near(phi_at(&p, (int64_t)(1000 + 3.090232 * 250) * MS), 3, 0.02));
}

static void it_learns_mean_and_deviation(void **state)
{
    (void)state;
    struct phi p;
    phi_init(&p, &every_second, 0);
    int64_t last_ns = beat(&p, 0, 2 * PHI_WINDOW, 300, 150);
    assert_true(is_near(phi_at(&p, last_ns + 300 * MS), phi_of_deviations(0), 1e-6));
    assert_true(is_near(phi_at(&p, last_ns + (300 + 150) * MS), phi_of_deviations(1), 1e-6));
    assert_true(is_near(phi_at(&p, last_ns + (300 + 600) * MS), phi_of_deviations(4), 1e-6));
}

static void perfect_order_does_not_make_it_impatient(void **state)
{
    (void)state;
    struct phi p;
    phi_init(&p, &every_second, 0);
    int64_t last_ns = beat(&p, 0, 2 * PHI_WINDOW, 1000, 0);
    assert_true(is_near(phi_at(&p, last_ns + 1100 * MS), phi_of_deviations(1), 1e-6));
}

static void a_pause_is_allowed_on_top(void **state)
{
    (void)state;
    struct phi p;
    struct phi_config patient = every_second;
    patient.pause_ms = 5000;
    phi_init(&p, &patient, 0);
    assert_true(is_near(phi_at(&p, 6000 * MS), 0.301, 0.001));
}

static void one_long_silence_does_not_blunt_it(void **state)
{
    (void)state;
    struct phi p;
    phi_init(&p, &every_second, 0);
    int64_t last_ns = beat(&p, 0, 2 * PHI_WINDOW, 1000, 0) + 3600 * 1000 * MS;
    phi_heartbeat(&p, last_ns);
    last_ns = beat(&p, last_ns, 5, 1000, 0);
    assert_true(phi_at(&p, last_ns + 2000 * MS) > 8);
}

static void it_follows_a_peer_that_slows_down_for_good(void **state)
{
    (void)state;
    struct phi p;
    phi_init(&p, &every_second, 0);
    int64_t last_ns = beat(&p, 0, 2 * PHI_WINDOW, 1000, 0);
    assert_true(phi_at(&p, last_ns + 5000 * MS) > 8);
    last_ns = beat(&p, last_ns, PHI_WINDOW + 50, 5000, 0);
    assert_true(phi_at(&p, last_ns + 5000 * MS) < 1);
}

static void it_says_when_it_will_have_risen(void **state)
{
    (void)state;
    struct phi p;
    phi_init(&p, &every_second, 42);
    beat(&p, 42, 100, 700, 50);
    for (double level = 0.5; level < 100; level *= 2) {
        int64_t due_ns = phi_due_ns(&p, level);
        assert_true(phi_at(&p, due_ns) >= level);
        assert_true(phi_at(&p, due_ns - MS) < level);
    }
}

static void heartbeats_out_of_order_are_ignored(void **state)
{
    (void)state;
    struct phi p;
    phi_init(&p, &every_second, 0);
    phi_heartbeat(&p, 1000 * MS);
    double phi = phi_at(&p, 2000 * MS);
    phi_heartbeat(&p, 1000 * MS);
    phi_heartbeat(&p, 1);
    phi_heartbeat(&p, INT64_MIN);
    assert_true(phi_at(&p, 2000 * MS) == phi);
}

static void a_silence_of_ours_is_not_held_against_anybody(void **state)
{
    (void)state;
    struct phi p;
    phi_init(&p, &every_second, 0);
    double before = phi_at(&p, 500 * MS);
    phi_forgive(&p, 60000 * MS, 60500 * MS);
    assert_true(phi_at(&p, 60500 * MS) == before);
    phi_forgive(&p, 60000 * MS, 60600 * MS);
    assert_true(phi_at(&p, 60600 * MS) <= before); /* never into the future */
    assert_true(p.last_ns == 60600 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_logarithm_of_the_normal_tail),
        cmocka_unit_test(it_rises_with_the_delay_also_where_numbers_end),
        cmocka_unit_test(a_delay_is_found_by_its_phi),
        cmocka_unit_test(before_the_first_heartbeat_the_expectation_counts),
        cmocka_unit_test(it_learns_mean_and_deviation),
        cmocka_unit_test(perfect_order_does_not_make_it_impatient),
        cmocka_unit_test(a_pause_is_allowed_on_top),
        cmocka_unit_test(one_long_silence_does_not_blunt_it),
        cmocka_unit_test(it_follows_a_peer_that_slows_down_for_good),
        cmocka_unit_test(it_says_when_it_will_have_risen),
        cmocka_unit_test(heartbeats_out_of_order_are_ignored),
        cmocka_unit_test(a_silence_of_ours_is_not_held_against_anybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
