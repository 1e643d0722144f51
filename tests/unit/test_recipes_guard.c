/* links: recipes */
/* When what a session holds may be believed in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recipes/guard.h"

static const struct caucus_session session = {.id = 42, .safe_until_ns = 1000};

static bool is_held(enum caucus_policy policy, enum caucus_state state, int64_t now_ns)
{
    return guard_holds(policy, 42, state, &session, now_ns);
}

static void the_deadline_ends_it_whatever_the_policy(void **state)
{
    (void)state;
    assert_true(is_held(CAUCUS_STRICT, CAUCUS_CONNECTED, 999));
    assert_false(is_held(CAUCUS_STRICT, CAUCUS_CONNECTED, 1000));
    assert_true(is_held(CAUCUS_UNTIL_LOST, CAUCUS_SUSPENDED, 999));
    assert_false(is_held(CAUCUS_UNTIL_LOST, CAUCUS_RECONNECTED, 1000));
}

static void the_policies_differ_in_doubt_only(void **state)
{
    (void)state;
    for (int s = CAUCUS_CONNECTING; s <= CAUCUS_CLOSED; s++) {
        bool is_doubt = s == CAUCUS_SUSPENDED || s == CAUCUS_READ_ONLY;
        bool is_sure = s == CAUCUS_CONNECTED || s == CAUCUS_RECONNECTED;
        assert_int_equal(is_held(CAUCUS_STRICT, (enum caucus_state)s, 0), is_sure);
        assert_int_equal(is_held(CAUCUS_UNTIL_LOST, (enum caucus_state)s, 0), is_sure || is_doubt);
    }
}

static void another_session_holds_nothing(void **state)
{
    (void)state;
    const struct caucus_session none = {.id = 0, .safe_until_ns = 1000};
    assert_false(guard_holds(CAUCUS_STRICT, 41, CAUCUS_CONNECTED, &session, 0));
    assert_false(guard_holds(CAUCUS_STRICT, 0, CAUCUS_CONNECTED, &none, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_deadline_ends_it_whatever_the_policy),
        cmocka_unit_test(the_policies_differ_in_doubt_only),
        cmocka_unit_test(another_session_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
