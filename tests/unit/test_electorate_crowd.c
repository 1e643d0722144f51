/* links: electorate */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "electorate/crowd.h"

enum {
    PEOPLE = 900,
    MS = 1000000,
};
#define PATIENCE_NS (INT64_C(5000) * MS)

static const struct candidate_info candidates[] = {{"a", "A"}, {"b", "B"}, {"c", "C"}};
static const struct state_info state_list[] = {
    {.names = {"CA", "ca", "Ca"}, .roll = 1000, .on_ballot = 7, .districts = 1},
    {.names = {"NY", "ny", "Ny"}, .roll = 1000, .on_ballot = 3, .districts = 1},
};
static const struct election_info election = {
    .candidates = candidates, .candidate_count = 3, .states = state_list, .state_count = 2};

struct world {
    struct plan plan;
    struct crowd *crowd;
    int64_t now_ns;
};

static void begin(struct world *w, uint32_t slots, uint64_t twice, double rate)
{
    static struct returns returns;
    memset(&returns, 0, sizeof returns);
    returns.votes[0][0] = 300;
    returns.votes[0][2] = 200;
    returns.votes[1][1] = 400;
    returns.total = PEOPLE;
    struct err err = {""};
    if (plan_of_returns(&election, &returns, (struct scale){1, 1}, twice, 3, &w->plan, &err) < 0)
        fail_msg("%s", err.text);
    struct crowd_options o = {
        .plan = &w->plan, .slots = slots, .patience_ns = PATIENCE_NS, .rate = rate};
    w->crowd = crowd_create(&o);
    w->now_ns = MS;
}

static void end(struct world *w)
{
    crowd_free(w->crowd);
}

static enum crowd_next take(struct world *w, struct errand *e, int64_t *again_ns)
{
    return crowd_take(w->crowd, w->now_ns, e, again_ns);
}

static void everybody_votes_once_and_then_it_is_over(void **state)
{
    (void)state;
    struct world w;
    struct errand e;
    int64_t again_ns;
    uint64_t votes[2][3] = {{0}};
    begin(&w, 7, 0, 0);
    while (take(&w, &e, &again_ns) == CROWD_BALLOT) {
        votes[e.ballot.state][e.ballot.candidate]++;
        crowd_answer(w.crowd, e.slot, CAST_COMMITTED, 0, w.now_ns += 3 * MS);
    }
    assert_int_equal(take(&w, &e, &again_ns), CROWD_OVER);
    assert_int_equal(votes[0][0], 300);
    assert_int_equal(votes[0][2], 200);
    assert_int_equal(votes[1][1], 400);
    const struct crowd_counts *c = crowd_counts(w.crowd);
    assert_int_equal(c->answered, PEOPLE);
    assert_int_equal(c->outcomes[CAST_COMMITTED], PEOPLE);
    assert_int_equal(c->latency_us.max, 3000);
    end(&w);
}

static void slots_are_the_bound(void **state)
{
    (void)state;
    struct world w;
    struct errand e;
    int64_t again_ns;
    begin(&w, 3, 0, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(&w, &e, &again_ns), CROWD_BALLOT);
    assert_int_equal(take(&w, &e, &again_ns), CROWD_BUSY);
    assert_int_equal(crowd_under_way(w.crowd), 3);
    crowd_answer(w.crowd, e.slot, CAST_CLOSED, 0, w.now_ns);
    assert_int_equal(take(&w, &e, &again_ns), CROWD_BALLOT);
    end(&w);
}

static void an_unknown_outcome_is_tried_again_with_the_same_id_elsewhere(void **state)
{
    (void)state;
    struct world w;
    struct errand first, again, other;
    int64_t again_ns;
    begin(&w, 1, 0, 0);
    assert_int_equal(take(&w, &first, &again_ns), CROWD_BALLOT);
    assert_int_equal(first.not_there, -1);
    crowd_answer(w.crowd, first.slot, CAST_UNKNOWN, 2, w.now_ns);
    assert_int_equal(take(&w, &other, &again_ns), CROWD_LATER);
    assert_int_equal(again_ns, w.now_ns + 20 * MS);
    w.now_ns = again_ns;
    assert_int_equal(take(&w, &again, &again_ns), CROWD_BALLOT);
    assert_int_equal(again.not_there, 2);
    assert_int_equal(again.attempt, 1);
    assert_int_equal(again.ballot.state, first.ballot.state);
    assert_int_equal(again.ballot.voter, first.ballot.voter);
    assert_int_equal(again.ballot.candidate, first.ballot.candidate);
    assert_memory_equal(&again.ballot.request, &first.ballot.request, REQUEST_ID_BYTES);

    /* Pauses double, and end. */
    crowd_answer(w.crowd, again.slot, CAST_BUSY, 0, w.now_ns);
    assert_int_equal(take(&w, &other, &again_ns), CROWD_LATER);
    assert_int_equal(again_ns, w.now_ns + 40 * MS);
    const struct crowd_counts *c = crowd_counts(w.crowd);
    assert_int_equal(c->retries[CAST_UNKNOWN], 1);
    assert_int_equal(c->retries[CAST_BUSY], 1);
    assert_int_equal(c->answered, 0);
    end(&w);
}

static void patience_has_an_end(void **state)
{
    (void)state;
    struct world w;
    struct errand e;
    int64_t again_ns;
    begin(&w, 1, 0, 0);
    assert_int_equal(take(&w, &e, &again_ns), CROWD_BALLOT);
    crowd_answer(w.crowd, e.slot, CAST_UNAVAILABLE, 0, w.now_ns + PATIENCE_NS);
    assert_int_equal(crowd_counts(w.crowd)->given_up, 1);
    assert_int_equal(crowd_counts(w.crowd)->outcomes[CAST_UNAVAILABLE], 1);
    end(&w);
}

static void earlier_pauses_end_first(void **state)
{
    (void)state;
    struct world w;
    struct errand a, b, e;
    int64_t again_ns;
    begin(&w, 2, 0, 0);
    assert_int_equal(take(&w, &a, &again_ns), CROWD_BALLOT);
    assert_int_equal(take(&w, &b, &again_ns), CROWD_BALLOT);
    crowd_answer(w.crowd, a.slot, CAST_UNKNOWN, 0, w.now_ns);
    w.now_ns += 20 * MS;
    assert_int_equal(take(&w, &e, &again_ns), CROWD_BALLOT);
    crowd_answer(w.crowd, a.slot, CAST_UNKNOWN, 0, w.now_ns); /* now 40 ms */
    crowd_answer(w.crowd, b.slot, CAST_UNKNOWN, 0, w.now_ns); /* 20 ms */
    w.now_ns += 20 * MS;
    assert_int_equal(take(&w, &e, &again_ns), CROWD_BALLOT);
    assert_int_equal(e.slot, b.slot);
    end(&w);
}

/* Order is all: the second ballot must not be under way before the end of the first is known. */
static void a_second_thought_waits_for_the_first(void **state)
{
    (void)state;
    struct world w;
    struct errand e;
    int64_t again_ns;
    static uint8_t answered[2][1001];
    struct errand held[11];
    uint64_t ballots = 0;
    memset(answered, 0, sizeof answered);
    begin(&w, 11, 2, 0);
    for (size_t count = 0;;) {
        bool more = take(&w, &e, &again_ns) == CROWD_BALLOT;
        if (!more && count == 0)
            break;
        if (more) {
            held[count++] = e;
            ballots++;
            /* The voter has nothing under way. */
            for (size_t i = 0; i + 1 < count; i++)
                assert_false(held[i].ballot.state == e.ballot.state &&
                             held[i].ballot.voter == e.ballot.voter);
            continue;
        }
        e = held[--count];
        answered[e.ballot.state][e.ballot.voter]++;
        crowd_answer(w.crowd, e.slot, CAST_COMMITTED, 0, w.now_ns);
    }
    assert_int_equal(ballots, plan_ballots(&w.plan));
    for (int s = 0; s < 2; s++)
        for (int v = 0; v <= 1000; v++)
            assert_in_range(answered[s][v], 0, 2);
    assert_true(ballots > PEOPLE + 350 && ballots < PEOPLE + 550);
    end(&w);
}

static void no_second_thought_after_a_first_that_was_given_up(void **state)
{
    (void)state;
    struct world w;
    struct errand e;
    int64_t again_ns;
    begin(&w, 1, 1, 0); /* everybody votes twice */
    while (take(&w, &e, &again_ns) == CROWD_BALLOT) {
        w.now_ns += PATIENCE_NS;
        crowd_answer(w.crowd, e.slot, CAST_UNKNOWN, 0, w.now_ns);
    }
    assert_int_equal(crowd_counts(w.crowd)->answered, PEOPLE);
    assert_int_equal(crowd_counts(w.crowd)->given_up, PEOPLE);
    end(&w);
}

/* Ballots until the pace allows no more. */
static int ballots_now(struct world *w, int64_t *ret_again_ns)
{
    struct errand e;
    int ballots = 0;
    for (; take(w, &e, ret_again_ns) == CROWD_BALLOT; ballots++)
        crowd_answer(w->crowd, e.slot, CAST_COMMITTED, 0, w->now_ns);
    return ballots;
}

static void a_pace_is_kept(void **state)
{
    (void)state;
    struct world w;
    int64_t again_ns = 0;
    int ballots = 0;
    begin(&w, 64, 0, 100); /* one each 10 ms */
    int64_t until_ns = w.now_ns + INT64_C(1000) * MS;
    for (; w.now_ns < until_ns; w.now_ns = again_ns) {
        int now = ballots_now(&w, &again_ns);
        assert_int_equal(now, 1);
        ballots += now;
    }
    assert_int_equal(ballots, 100);
    end(&w);
}

static void a_pace_that_fell_behind_is_caught_up_with_but_not_for_ever(void **state)
{
    (void)state;
    struct world w;
    int64_t again_ns;
    begin(&w, 64, 0, 100);
    assert_int_equal(ballots_now(&w, &again_ns), 1);
    w.now_ns += INT64_C(50) * MS;
    assert_int_equal(ballots_now(&w, &again_ns), 5);
    w.now_ns += INT64_C(1000) * MS;
    assert_int_equal(ballots_now(&w, &again_ns), 11); /* a tenth of a second's, and the one due */
    end(&w);
}

static void who_is_told_to_finish_begins_nothing_new(void **state)
{
    (void)state;
    struct world w;
    struct errand e, other;
    int64_t again_ns;
    begin(&w, 4, 0, 0);
    assert_int_equal(take(&w, &e, &again_ns), CROWD_BALLOT);
    crowd_finish(w.crowd);
    assert_int_equal(take(&w, &other, &again_ns), CROWD_BUSY);
    crowd_answer(w.crowd, e.slot, CAST_COMMITTED, 0, w.now_ns);
    assert_int_equal(take(&w, &other, &again_ns), CROWD_OVER);
    end(&w);
}

struct heard {
    int count;
    uint32_t state;
    int64_t length_ns;
};

static void hear(void *arg, uint32_t state, int64_t length_ns)
{
    struct heard *h = arg;
    h->count++;
    h->state = state;
    h->length_ns = length_ns;
}

static void a_pause_is_time_in_which_ballots_wait_and_none_is_acknowledged(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct pauses p = {.told_from_ns = INT64_C(20) * MS, .tell = hear, .arg = &heard};
    pauses_sent(&p, 1, INT64_C(100) * MS); /* nobody waited before */
    pauses_sent(&p, 1, INT64_C(110) * MS);
    pauses_done(&p, 1, true, INT64_C(115) * MS);
    assert_int_equal(heard.count, 0);
    pauses_sent(&p, 0, INT64_C(120) * MS); /* another state's */
    pauses_done(&p, 0, true, INT64_C(121) * MS);
    pauses_sent(&p, 1, INT64_C(140) * MS);
    pauses_done(&p, 1, false, INT64_C(150) * MS); /* refused: no acknowledgement */
    pauses_done(&p, 1, true, INT64_C(160) * MS);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.state, 1);
    assert_int_equal(heard.length_ns, INT64_C(45) * MS);
    pauses_sent(&p, 1, INT64_C(900) * MS);
    pauses_done(&p, 1, true, INT64_C(901) * MS);
    assert_int_equal(heard.count, 1);
}

static void the_crowd_tells_of_pauses(void **state)
{
    (void)state;
    struct world w;
    struct errand e;
    int64_t again_ns;
    struct heard heard = {0};
    struct pauses p = {.told_from_ns = INT64_C(20) * MS, .tell = hear, .arg = &heard};
    begin(&w, 1, 0, 0);
    struct crowd_options o = {
        .plan = &w.plan, .slots = 1, .patience_ns = PATIENCE_NS, .pauses = &p};
    crowd_free(w.crowd);
    w.crowd = crowd_create(&o);
    assert_int_equal(take(&w, &e, &again_ns), CROWD_BALLOT);
    crowd_answer(w.crowd, e.slot, CAST_UNKNOWN, 0, w.now_ns += INT64_C(30) * MS);
    w.now_ns += INT64_C(20) * MS;
    assert_int_equal(take(&w, &e, &again_ns), CROWD_BALLOT);
    crowd_answer(w.crowd, e.slot, CAST_COMMITTED, 0, w.now_ns += INT64_C(5) * MS);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.state, e.ballot.state);
    assert_int_equal(heard.length_ns, INT64_C(55) * MS);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_votes_once_and_then_it_is_over),
        cmocka_unit_test(slots_are_the_bound),
        cmocka_unit_test(an_unknown_outcome_is_tried_again_with_the_same_id_elsewhere),
        cmocka_unit_test(patience_has_an_end),
        cmocka_unit_test(earlier_pauses_end_first),
        cmocka_unit_test(a_second_thought_waits_for_the_first),
        cmocka_unit_test(no_second_thought_after_a_first_that_was_given_up),
        cmocka_unit_test(a_pace_is_kept),
        cmocka_unit_test(a_pace_that_fell_behind_is_caught_up_with_but_not_for_ever),
        cmocka_unit_test(who_is_told_to_finish_begins_nothing_new),
        cmocka_unit_test(a_pause_is_time_in_which_ballots_wait_and_none_is_acknowledged),
        cmocka_unit_test(the_crowd_tells_of_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
