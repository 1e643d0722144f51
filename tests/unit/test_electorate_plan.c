/* links: electorate canvass election */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "canvass/files.h"
#include "election/definition.h"
#include "electorate/plan.h"
#include "vote/nation.h"

/* ---- an order by chance ---- */

static void check_bijection(uint64_t count, uint64_t seed)
{
    struct shuffle s;
    uint8_t *seen = calloc(count, 1);
    shuffle_init(&s, count, seed);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t x = shuffle_at(&s, i);
        assert_true(x < count);
        assert_int_equal(seen[x], 0);
        seen[x] = 1;
    }
    free(seen);
}

static void a_shuffle_has_every_number_once(void **state)
{
    (void)state;
    for (uint64_t count = 1; count < 300; count++)
        check_bijection(count, count * 7);
    check_bijection(65536, 1);
    check_bijection(65537, 2);
    check_bijection(1000003, 3);
}

static void a_shuffle_leaves_little_where_it_was(void **state)
{
    (void)state;
    enum {
        COUNT = 100000
    };
    struct shuffle a, b;
    uint32_t fixed = 0, same = 0, rising = 0;
    shuffle_init(&a, COUNT, 1);
    shuffle_init(&b, COUNT, 2);
    for (uint64_t i = 0; i + 1 < COUNT; i++) {
        fixed += shuffle_at(&a, i) == i;
        same += shuffle_at(&a, i) == shuffle_at(&b, i);
        rising += shuffle_at(&a, i) < shuffle_at(&a, i + 1);
    }
    /* One fixed point is to be expected, and as many pairs that rise as fall. */
    assert_true(fixed < 12 && same < 12);
    assert_true(rising > COUNT / 2 - 2000 && rising < COUNT / 2 + 2000);
}

static void a_large_shuffle_needs_no_memory(void **state)
{
    (void)state;
    struct shuffle s;
    shuffle_init(&s, UINT64_C(1) << 40, 5);
    assert_true(shuffle_at(&s, (UINT64_C(1) << 40) - 1) < UINT64_C(1) << 40);
    assert_true(shuffle_at(&s, 0) != shuffle_at(&s, 1));
}

/* ---- smaller counts ---- */

static void scales_are_fractions(void **state)
{
    (void)state;
    struct scale s;
    static const char *const wrong[] = {"",    "0",    "2",    "1/0", "1/",           "/2",
                                        "0.5", "-1/2", "1/2 ", "3/2", "1/99999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(scale_read(wrong[i], &s));
    assert_true(scale_read("1", &s));
    assert_int_equal(scale_round(s, 12345), 12345);
    assert_true(scale_read("1/1000", &s));
    assert_int_equal(scale_round(s, 1499), 1);
    assert_int_equal(scale_round(s, 1500), 2);
    assert_int_equal(scale_round_up(s, 1001), 2);
}

static void shares_add_up_and_are_within_one(void **state)
{
    (void)state;
    const uint64_t counts[] = {9276179, 6081697, 504660, 0, 1};
    uint64_t ret[5], sum = 15862537;
    for (uint64_t total = 0; total < 4000; total += 7) {
        uint64_t added = 0;
        scale_share(counts, 5, total, ret);
        for (size_t i = 0; i < 5; i++) {
            double exact = (double)counts[i] * (double)total / (double)sum;
            added += ret[i];
            assert_true((double)ret[i] > exact - 1 && (double)ret[i] < exact + 1);
        }
        assert_int_equal(added, total);
        assert_int_equal(ret[3], 0);
    }
    scale_share(counts, 5, sum, ret);
    assert_memory_equal(ret, counts, sizeof counts);
}

/* ---- the election of 2024 ---- */

struct world {
    struct definition *definition;
    struct returns returns;
};

static void read_world(struct world *w)
{
    struct err err = {""};
    struct buf text;
    if (definition_read(ELECTIONS "/us-2024", NULL, &w->definition, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(canvass_file_read(ELECTIONS "/us-2024/returns.csv", 1 << 20, &text, &err), 0);
    if (returns_read(buf_slice(&text), &w->definition->info, &w->returns, &err) < 0)
        fail_msg("%s", err.text);
    buf_deinit(&text);
}

static void the_returns_give_312_and_226_electors(void **state)
{
    (void)state;
    struct world w;
    read_world(&w);
    const struct election_info *e = &w.definition->info;
    struct tally *tallies = calloc(STATES_MAX, sizeof *tallies);
    struct state_count counts[STATES_MAX];
    struct nation n;
    uint64_t votes = 0;
    for (uint32_t i = 0; i < e->state_count; i++) {
        tally_init(&tallies[i], e->candidate_count, 1);
        for (uint32_t c = 0; c < e->candidate_count; c++) {
            tallies[i].votes[c] = w.returns.votes[i][c];
            tallies[i].voters += w.returns.votes[i][c];
        }
        votes += tallies[i].voters;
        counts[i] = (struct state_count){&tallies[i], e->states[i].electors, false, true};
    }
    nation_sum(&n, counts, e->state_count, e->candidate_count);
    assert_int_equal(e->state_count, 51);
    assert_int_equal(n.electors_total, 538);
    assert_int_equal(n.electors[0], 226);
    assert_int_equal(n.electors[1], 312);
    assert_int_equal(n.winner, 1);
    assert_int_equal(votes, 154863739);
    assert_int_equal(w.returns.total, votes);
    free(tallies);
    definition_free(w.definition);
}

static void rolls_are_the_votes_and_more(void **state)
{
    (void)state;
    struct world w;
    read_world(&w);
    const struct election_info *e = &w.definition->info;
    struct scale scale = {w.definition->scale, w.definition->scale_of};
    for (uint32_t i = 0; i < e->state_count; i++) {
        uint64_t votes = 0;
        for (uint32_t c = 0; c < e->candidate_count; c++)
            votes += w.returns.votes[i][c];
        assert_int_equal(e->states[i].roll, scale_round_up(scale, (votes * 136 + 99) / 100));
        assert_true(e->states[i].row >= 1 && e->states[i].column >= 1);
    }
    definition_free(w.definition);
}

/* What the whole plan casts, second thoughts included. */
static void play(const struct plan *p, uint64_t votes[STATES_MAX][CANDIDATES_MAX],
                 uint64_t *ret_twice)
{
    struct ballot b, before;
    uint8_t *voted[STATES_MAX] = {NULL};
    for (uint32_t i = 0; i < p->election->state_count; i++)
        voted[i] = calloc(p->states[i].roll + 1, 1);
    *ret_twice = 0;
    for (uint64_t person = 0; person < p->people; person++) {
        plan_ballot(p, person, PLAN_LAST_WORD, &b);
        assert_true(b.voter >= 1 && b.voter <= p->states[b.state].roll);
        assert_int_equal(voted[b.state][b.voter], 0);
        voted[b.state][b.voter] = 1;
        votes[b.state][b.candidate]++;
        if (!plan_votes_twice(p, person))
            continue;
        plan_ballot(p, person, PLAN_FIRST_THOUGHT, &before);
        assert_int_equal(before.state, b.state);
        assert_int_equal(before.voter, b.voter);
        assert_int_not_equal(before.candidate, b.candidate);
        assert_memory_not_equal(&before.request, &b.request, sizeof b.request);
        (*ret_twice)++;
    }
    for (uint32_t i = 0; i < p->election->state_count; i++)
        free(voted[i]);
}

static void a_plan_casts_what_the_returns_say(void **state)
{
    (void)state;
    static uint64_t votes[STATES_MAX][CANDIDATES_MAX];
    struct world w;
    struct plan *p = calloc(1, sizeof *p);
    struct err err = {""};
    uint64_t twice, planned = 0;
    read_world(&w);
    if (plan_of_returns(&w.definition->info, &w.returns, (struct scale){1, 1000}, 50, 9, p, &err) <
        0)
        fail_msg("%s", err.text);
    assert_int_equal(p->people, 154864);
    play(p, votes, &twice);
    for (uint32_t i = 0; i < w.definition->info.state_count; i++)
        for (uint32_t c = 0; c < w.definition->info.candidate_count; c++) {
            assert_int_equal(votes[i][c], p->states[i].votes[c]);
            planned += votes[i][c];
        }
    assert_int_equal(planned, p->people);
    assert_int_equal(plan_ballots(p), p->people + twice);
    assert_true(twice > 2700 && twice < 3500);
    free(p);
    definition_free(w.definition);
}

static void the_same_seed_is_the_same_plan(void **state)
{
    (void)state;
    struct world w;
    struct plan *p = calloc(3, sizeof *p);
    struct ballot a, b, c;
    uint32_t same = 0;
    read_world(&w);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(plan_of_returns(&w.definition->info, &w.returns, (struct scale){1, 1000},
                                         0, i / 2, &p[i], NULL),
                         0);
    for (uint64_t i = 0; i < 1000; i++) {
        plan_ballot(&p[0], i, PLAN_LAST_WORD, &a);
        plan_ballot(&p[1], i, PLAN_LAST_WORD, &b);
        plan_ballot(&p[2], i, PLAN_LAST_WORD, &c);
        assert_int_equal(a.voter, b.voter);
        assert_memory_equal(&a.request, &b.request, sizeof a.request);
        same += a.voter == c.voter;
    }
    assert_true(same < 20);
    free(p);
    definition_free(w.definition);
}

static void a_plan_larger_than_the_rolls_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct plan *p = calloc(1, sizeof *p);
    struct err err = {""};
    read_world(&w);
    assert_int_equal(
        plan_of_returns(&w.definition->info, &w.returns, (struct scale){1, 10}, 0, 1, p, &err),
        ERR_INVALID);
    assert_non_null(strstr(err.text, "AK"));
    assert_non_null(strstr(err.text, "roll_scale"));
    free(p);
    definition_free(w.definition);
}

static void a_load_goes_on_with_the_states_it_was_given(void **state)
{
    (void)state;
    struct world w;
    struct plan *p = calloc(1, sizeof *p);
    struct err err = {""};
    struct ballot a, b;
    read_world(&w);
    int ny = definition_find_state(w.definition, slice_str("ny"));
    assert_int_equal(plan_of_load(&w.definition->info, UINT64_C(1) << ny, 1, p, &err), 0);
    plan_ballot(p, 5, PLAN_LAST_WORD, &a);
    plan_ballot(p, 5 + p->people, PLAN_LAST_WORD, &b);
    assert_int_equal(a.state, ny);
    assert_int_equal(a.voter, b.voter); /* the same voter, in the next round through the roll */
    assert_memory_not_equal(&a.request, &b.request, sizeof a.request);
    free(p);
    definition_free(w.definition);
}

/* ---- returns that are wrong ---- */

static void returns_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place;
    } wrong[] = {
        {"state,candidate,votes\n", "line 1"},
        {"usps,candidate,votes\nZZ,harris,1\n", "line 2"},
        {"usps,candidate,votes\nNY,nobody,1\n", "line 2"},
        {"usps,candidate,votes\nNY,harris,-1\n", "line 2"},
        {"usps,candidate,votes\nNY,harris,1\nNY,harris,1\n", "line 3"},
        {"usps,candidate,votes\nNY,harris\n", "line 2"},
        {"usps,candidate,votes\nNY,harris,9999999999\n", "line 2"},
    };
    struct world w;
    read_world(&w);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err err = {""};
        if (returns_read(slice_str(wrong[i].text), &w.definition->info, &w.returns, &err) !=
            ERR_INVALID)
            fail_msg("%s", wrong[i].text);
        assert_non_null(strstr(err.text, wrong[i].place));
    }
    definition_free(w.definition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shuffle_has_every_number_once),
        cmocka_unit_test(a_shuffle_leaves_little_where_it_was),
        cmocka_unit_test(a_large_shuffle_needs_no_memory),
        cmocka_unit_test(scales_are_fractions),
        cmocka_unit_test(shares_add_up_and_are_within_one),
        cmocka_unit_test(the_returns_give_312_and_226_electors),
        cmocka_unit_test(rolls_are_the_votes_and_more),
        cmocka_unit_test(a_plan_casts_what_the_returns_say),
        cmocka_unit_test(the_same_seed_is_the_same_plan),
        cmocka_unit_test(a_plan_larger_than_the_rolls_is_refused),
        cmocka_unit_test(a_load_goes_on_with_the_states_it_was_given),
        cmocka_unit_test(returns_are_refused_with_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
