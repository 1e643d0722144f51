/* links: election */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "election/balance.h"

static struct member_names named(const char *a, const char *b, const char *c)
{
    return (struct member_names){.name = {a, b, c}};
}

static uint32_t count_of(const struct member_names *states, uint32_t count, const int32_t *ret,
                         const char *name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++)
        n += ret[i] >= 0 && strcmp(states[i].name[ret[i]], name) == 0;
    return n;
}

/* Numbers are taken by who comes first, so they differ from state to state. */
static void every_server_of_a_group_gets_as_many_states(void **state)
{
    (void)state;
    struct member_names states[51];
    int32_t ret[STATES_MAX];
    for (uint32_t i = 0; i < 51; i++)
        states[i] = i % 2 == 0 ? named("x", "y", "z") : named("z", "x", "y");
    balance_deal(states, 51, ret);
    assert_int_equal(count_of(states, 51, ret, "x"), 17);
    assert_int_equal(count_of(states, 51, ret, "y"), 17);
    assert_int_equal(count_of(states, 51, ret, "z"), 17);
}

static void groups_are_dealt_to_apart(void **state)
{
    (void)state;
    struct member_names states[12];
    int32_t ret[STATES_MAX];
    static const char *const servers[] = {"a", "b", "c", "d", "e", "f"};
    for (uint32_t i = 0; i < 12; i++)
        states[i] = i % 3 == 0 ? named("a", "b", "c") : named("f", "d", "e");
    balance_deal(states, 12, ret);
    for (size_t i = 0; i < 6; i++) {
        uint32_t n = count_of(states, 12, ret, servers[i]);
        assert_in_range(n, i < 3 ? 1 : 2, i < 3 ? 2 : 3);
    }
    /* Seventeen machines with three states each: nobody leads more than one of his. */
    for (uint32_t i = 0; i < 12; i++)
        states[i] = i < 3 ? named("a", "b", "c") : named("d", "e", "f");
    balance_deal(states, 3, ret);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(count_of(states, 3, ret, servers[i]), 1);
}

static void only_members_that_are_known_are_dealt_to(void **state)
{
    (void)state;
    struct member_names states[3] = {named(NULL, NULL, NULL), named(NULL, "b", NULL),
                                     named("c", NULL, "a")};
    int32_t ret[STATES_MAX];
    balance_deal(states, 3, ret);
    assert_int_equal(ret[0], -1);
    assert_int_equal(ret[1], 1);
    assert_true(ret[2] == 0 || ret[2] == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_server_of_a_group_gets_as_many_states),
        cmocka_unit_test(groups_are_dealt_to_apart),
        cmocka_unit_test(only_members_that_are_known_are_dealt_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
