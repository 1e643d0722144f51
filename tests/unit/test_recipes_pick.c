/* links: recipes */
/* Which of several instances is used, and which not for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recipes/pick.h"

enum {
    DOWN_NS = 1000
};

static struct caucus_instance instances[] = {{.id = "a"}, {.id = "b"}, {.id = "c"}, {.id = "d"}};
static struct pick_entry entries[4];

static int fill(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        instances[i].is_disabled = false;
        entries[i] = (struct pick_entry){.instance = &instances[i]};
    }
    return 0;
}

static struct picker picker(enum caucus_strategy strategy)
{
    struct picker p;
    pick_init(&p, strategy, DOWN_NS, 2, 42);
    return p;
}

static void fail_twice(const struct picker *p, size_t i, int64_t now_ns)
{
    pick_fail(p, &entries[i], now_ns);
    pick_fail(p, &entries[i], now_ns);
}

static void round_robin_goes_on_behind_the_last_one(void **state)
{
    (void)state;
    struct picker p = picker(CAUCUS_ROUND_ROBIN);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(pick_next(&p, entries, 4, 0), i % 4);
    /* Now "a" was the last. When it goes, "b" is next; when only "a" is there, it is again. */
    assert_int_equal(pick_next(&p, entries + 1, 3, 0), 0);
    assert_int_equal(pick_next(&p, entries, 1, 0), 0);
    assert_int_equal(pick_next(&p, entries, 1, 0), 0);
    assert_int_equal(pick_next(&p, entries, 0, 0), PICK_NONE);
    pick_deinit(&p);
}

static void random_is_fair(void **state)
{
    (void)state;
    struct picker p = picker(CAUCUS_RANDOM);
    int counts[4] = {0};
    instances[2].is_disabled = true;
    for (int i = 0; i < 3000; i++)
        counts[pick_next(&p, entries, 4, 0)]++;
    assert_int_equal(counts[2], 0);
    for (int i = 0; i < 4; i++)
        assert_true(i == 2 || (counts[i] > 900 && counts[i] < 1100));
    pick_deinit(&p);
}

static void sticky_stays_while_it_can(void **state)
{
    (void)state;
    struct picker p = picker(CAUCUS_STICKY);
    size_t first = pick_next(&p, entries, 4, 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(pick_next(&p, entries, 4, 0), first);
    fail_twice(&p, first, 0);
    size_t second = pick_next(&p, entries, 4, 0);
    assert_int_not_equal(second, first);
    /* It does not go back by itself. */
    assert_int_equal(pick_next(&p, entries, 4, 10 * DOWN_NS), second);
    pick_deinit(&p);
}

static void who_fails_often_is_down_for_a_while(void **state)
{
    (void)state;
    struct picker p = picker(CAUCUS_ROUND_ROBIN);
    pick_fail(&p, &entries[0], 100);
    assert_false(pick_is_down(&p, &entries[0], 100));
    pick_fail(&p, &entries[0], 600);
    assert_true(pick_is_down(&p, &entries[0], 600));
    assert_int_equal(pick_next(&p, entries, 4, 600), 1);
    /* More failures do not make it longer: it counts from the first. */
    pick_fail(&p, &entries[0], 1000);
    assert_true(pick_is_down(&p, &entries[0], 1099));
    assert_false(pick_is_down(&p, &entries[0], 1100));
    pick_fail(&p, &entries[0], 1100);
    assert_false(pick_is_down(&p, &entries[0], 1100));
    pick_deinit(&p);
}

static void failures_far_apart_do_not_add_up(void **state)
{
    (void)state;
    struct picker p = picker(CAUCUS_ROUND_ROBIN);
    for (int64_t now_ns = 0; now_ns < 10 * DOWN_NS; now_ns += DOWN_NS) {
        pick_fail(&p, &entries[0], now_ns);
        assert_false(pick_is_down(&p, &entries[0], now_ns));
    }
    pick_deinit(&p);
}

static void when_all_are_down_there_is_none(void **state)
{
    (void)state;
    for (enum caucus_strategy s = CAUCUS_ROUND_ROBIN; s <= CAUCUS_STICKY; s++) {
        fill(NULL);
        struct picker p = picker(s);
        instances[3].is_disabled = true;
        for (size_t i = 0; i < 3; i++)
            fail_twice(&p, i, (int64_t)i);
        assert_int_equal(pick_next(&p, entries, 4, DOWN_NS - 1), PICK_NONE);
        assert_int_equal(pick_next(&p, entries, 4, DOWN_NS), 0);
        pick_deinit(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(round_robin_goes_on_behind_the_last_one, fill),
        cmocka_unit_test_setup(random_is_fair, fill),
        cmocka_unit_test_setup(sticky_stays_while_it_can, fill),
        cmocka_unit_test_setup(who_fails_often_is_down_for_a_while, fill),
        cmocka_unit_test_setup(failures_far_apart_do_not_add_up, fill),
        cmocka_unit_test_setup(when_all_are_down_there_is_none, fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
