/* links: vote */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vote/nation.h"

enum {
    CANDIDATES = 3,
};

/* Votes of one district in the order of candidates. */
static void set(struct tally *t, uint32_t district, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t votes[CANDIDATES] = {a, b, c};
    memcpy(t->votes + district * CANDIDATES, votes, sizeof votes);
    t->voters += a + b + c;
}

static struct tally whole_state(uint64_t a, uint64_t b, uint64_t c)
{
    struct tally t;
    tally_init(&t, CANDIDATES, 1);
    set(&t, 0, a, b, c);
    return t;
}

/* The original program named the winner by votes. */
static void electors_decide_and_not_votes(void **state)
{
    (void)state;
    struct tally big = whole_state(1000, 10, 0), one = whole_state(1, 2, 0),
                 two = whole_state(3, 4, 0);
    struct state_count states[] = {
        {&big, 10, false, true}, {&one, 8, false, true}, {&two, 7, false, true}};
    struct nation n;
    nation_sum(&n, states, 3, CANDIDATES);
    assert_int_equal(n.votes[0], 1004);
    assert_int_equal(n.votes[1], 16);
    assert_int_equal(n.electors[0], 10);
    assert_int_equal(n.electors[1], 15);
    assert_int_equal(n.electors_total, 25);
    assert_int_equal(n.majority, 13);
    assert_int_equal(n.leader, 1);
    assert_int_equal(n.winner, 1);
    assert_int_equal(n.states_final, 3);
}

static void a_tie_or_no_vote_gives_electors_to_nobody(void **state)
{
    (void)state;
    struct tally tie = whole_state(5, 5, 1), none = whole_state(0, 0, 0), a = whole_state(2, 1, 0);
    struct state_count states[] = {
        {&tie, 10, false, true}, {&none, 8, false, true}, {&a, 3, false, true}};
    struct nation n;
    nation_sum(&n, states, 3, CANDIDATES);
    assert_int_equal(n.electors_open, 18);
    assert_int_equal(n.electors[0], 3);
    assert_int_equal(n.leader, 0);
    assert_int_equal(n.winner, -1);
    nation_sum(&n, states, 2, CANDIDATES);
    assert_int_equal(n.leader, -1);
    assert_false(n.tie);
}

static void a_winner_needs_final_states(void **state)
{
    (void)state;
    struct tally a = whole_state(2, 1, 0), b = whole_state(1, 2, 0);
    struct state_count states[] = {
        {&a, 10, false, false}, {&a, 5, false, true}, {&b, 15, false, true}};
    struct nation n;
    nation_sum(&n, states, 3, CANDIDATES);
    assert_int_equal(n.leader, -1);
    assert_true(n.tie);
    assert_int_equal(n.winner, -1);
    states[1].electors = 6;
    nation_sum(&n, states, 3, CANDIDATES);
    assert_int_equal(n.leader, 0);
    assert_int_equal(n.winner, -1); /* 16 of 31, but 10 of them not final */
    states[0].final = true;
    nation_sum(&n, states, 3, CANDIDATES);
    assert_int_equal(n.winner, 0);
}

static void a_state_that_is_not_reached_is_missing_and_no_more(void **state)
{
    (void)state;
    struct tally a = whole_state(2, 1, 0);
    struct state_count states[] = {{NULL, 10, false, false}, {&a, 11, false, true}};
    struct nation n;
    nation_sum(&n, states, 2, CANDIDATES);
    assert_int_equal(n.states_missing, 1);
    assert_int_equal(n.electors_open, 10);
    assert_int_equal(n.winner, 0);
}

/* As Maine: two for the state, one for each of its two districts. */
static void divided_states_give_an_elector_for_each_district(void **state)
{
    (void)state;
    struct tally maine;
    tally_init(&maine, CANDIDATES, 2);
    set(&maine, 0, 60, 40, 0);
    set(&maine, 1, 40, 50, 0);
    struct state_count s = {&maine, 4, true, true};
    struct nation n;
    nation_sum(&n, &s, 1, CANDIDATES);
    assert_int_equal(n.electors[0], 3);
    assert_int_equal(n.electors[1], 1);
    s.divided = false;
    nation_sum(&n, &s, 1, CANDIDATES);
    assert_int_equal(n.electors[0], 4);
    s = (struct state_count){&maine, 1, true, true}; /* fewer electors than districts */
    nation_sum(&n, &s, 1, CANDIDATES);
    assert_int_equal(n.electors_total, 1);
    assert_int_equal(n.electors[0] + n.electors[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(electors_decide_and_not_votes),
        cmocka_unit_test(a_tie_or_no_vote_gives_electors_to_nobody),
        cmocka_unit_test(a_winner_needs_final_states),
        cmocka_unit_test(a_state_that_is_not_reached_is_missing_and_no_more),
        cmocka_unit_test(divided_states_give_an_elector_for_each_district),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
