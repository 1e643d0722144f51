/* What is committed and on no disk any more is given up, by word of people: docs/ELECTION.md,
 * section 14. Three replicas, through world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vote/message.h"
#include "world.h"

static struct world w;

static void act(enum action_type type, uint32_t a, uint32_t b)
{
    struct action x = {type, a, b};
    assert_true(world_can(&w, &x));
    world_do(&w, &x);
    assert_string_equal(w.violation, "");
}

static void settle(void)
{
    assert_true(world_settle(&w, false, 5000) < 5000);
    assert_string_equal(w.violation, "");
}

/* What is nobody's fault, as far as it concerns these replicas alone. */
static void go_on(uint32_t members)
{
    static const enum action_type order[] = {ACTION_RESTART, ACTION_CONNECT, ACTION_PROCESS,
                                             ACTION_RESULT,  ACTION_CHANGED, ACTION_LINK_UP,
                                             ACTION_DELIVER, ACTION_SYNC};
    bool any = true;
    for (int rounds = 0; any && rounds < 200; rounds++) {
        any = false;
        for (uint32_t i = 0; i < 9 * sizeof order / sizeof *order; i++) {
            struct action x = {order[i / 9], i % 9 / 3, i % 3};
            bool concerned = (members >> x.a & 1) != 0 && (members >> x.b & 1) != 0;
            if (concerned && world_can(&w, &x)) {
                world_do(&w, &x);
                any = true;
            }
        }
        assert_string_equal(w.violation, "");
    }
}

static struct shard_status status_of(uint32_t replica)
{
    return shard_status(w.replicas[replica].shard);
}

static uint32_t new_vote(uint8_t voter, uint8_t candidate, uint16_t request)
{
    w.votes[w.vote_count] =
        (struct vote){.voter = voter, .candidate = candidate, .request = request};
    return w.vote_count++;
}

enum {
    ZERO = 1,
    ONE = 2,
    TWO = 4,
};

/* Of two votes 0 and 1 have both, 2 the first. 0 and 1 are down, 2 is up and knows what it lacks.
 */
static int begin(void **state)
{
    (void)state;
    struct world_options o = {.replicas = 3, .copies_min = 2, .voters = 4, .quorum_wait_ns = 1000};
    world_init(&w, &o);
    settle();
    act(ACTION_PHASE, 0, PHASE_OPEN);
    settle();
    act(ACTION_CAST, 0, new_vote(0, 1, 1));
    settle();
    act(ACTION_CRASH, 2, 0);
    act(ACTION_CAST, 0, new_vote(1, 2, 2));
    go_on(ZERO | ONE);
    assert_int_equal(w.coord.commit.index, 2);
    assert_true(w.votes[1].told_committed);
    act(ACTION_CRASH, 0, 0);
    act(ACTION_CRASH, 1, 0);
    act(ACTION_EXPIRE, 0, 0);
    go_on(TWO);
    act(ACTION_EXPIRE, 2, 1);
    go_on(TWO);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_deinit(&w);
    blob_forget_all();
    return 0;
}

static void all_comes_right(void)
{
    for (uint32_t i = 0; i < 6; i++) { /* and clocks run on while something waits for them */
        struct action x = {ACTION_TIMEOUT, i % 3, 0};
        settle();
        if (world_can(&w, &x))
            world_do(&w, &x);
    }
    settle();
    check_settled(&w);
    assert_string_equal(w.violation, "");
}

static void what_nobody_has_is_given_up(void **state)
{
    (void)state;
    struct commit before = w.coord.commit;
    act(ACTION_EXPIRE, 1, 0);
    go_on(TWO);
    act(ACTION_WIPE, 0, 0);
    act(ACTION_WIPE, 1, 0);
    assert_true(world_out_of_reach(&w));
    act(ACTION_ADMIT, 2, 0);
    act(ACTION_PROCESS, 2, 0); /* it reads all again first */
    act(ACTION_RESULT, 2, 0);
    act(ACTION_PROCESS, 2, 0);
    const struct commit *c = &w.coord.commit;
    assert_int_equal(c->index, 1);
    assert_int_equal(c->epoch, before.epoch + 1);
    assert_int_equal(c->loss_count, 1);
    assert_int_equal(c->losses[0].from, 2);
    assert_int_equal(c->losses[0].to, 1);
    assert_int_equal(c->tally.voters, 1);
    assert_int_equal(commit_lost(c), 1);

    all_comes_right();
    assert_true(w.votes[1].lost && !w.votes[1].told_committed);
    act(ACTION_CAST, 2, 1); /* its voter can cast it again */
    settle();
    assert_int_equal(w.last_answer.type, ANSWER_COMMITTED);
    assert_int_equal(w.coord.commit.index, 2);
    assert_int_equal(w.coord.commit.loss_count, 1);
    all_comes_right();
}

/* ---- what people must have seen ---- */

struct seen {
    uint64_t version, kept;
    uint32_t lacking;
};

/* A copy of 2 is told what people have seen, and reads this Commit, and that the election is in
 * this phase. */
static struct shard *told(struct seen seen, const struct commit *c, enum phase phase,
                          struct shard_effects *fx)
{
    struct shard *copy = shard_copy(w.replicas[2].shard, &w.replicas[2]);
    struct shard_event ev = {.type = SHARD_ADMIT, .admit = {seen.version, seen.kept, seen.lacking}};
    shard_effects_clear(fx);
    shard_step(copy, &ev, fx);
    assert_int_equal(fx->admitted, ADMIT_NOTHING);
    assert_int_equal(fx->coord.type, COORD_READ);

    struct coord_view view;
    world_view(&w, w.replicas[2].session, &view);
    view.commit = c;
    view.global.phase = phase;
    ev = (struct shard_event){.type = SHARD_COORD, .coord = {.view = &view}};
    shard_effects_clear(fx);
    shard_step(copy, &ev, fx);
    assert_null(fx->failed);
    assert_true((fx->coord.type == COORD_ADMIT) == (fx->admitted == ADMIT_NOTHING));
    return copy;
}

/* 1 still has its LiveNode: whether it has everything only who asked it can say. */
static void only_what_people_have_seen_is_given_up(void **state)
{
    (void)state;
    struct shard_effects fx = {0};
    for (int wrong = 0; wrong < 6; wrong++) {
        struct commit c = w.coord.commit;
        struct seen seen = {w.coord.commit_version - (wrong == 1), wrong == 2 ? 0 : 1,
                            wrong == 3 ? 0 : ONE};
        for (uint32_t i = 0; wrong == 4 && i < LOSSES_MAX; i++)
            c.losses[c.loss_count++] = (struct loss){.epoch = i + 1, .from = 9, .to = 8};
        c.epoch += c.loss_count;
        shard_free(told(seen, &c, wrong == 5 ? PHASE_CLOSED : PHASE_CLOSING, &fx));
        assert_int_equal(fx.admitted, wrong == 0 ? ADMIT_NOTHING : ADMIT_REFUSED);
    }
    shard_effects_deinit(&fx);
}

static void a_loss_is_admitted_on_the_versions_that_were_read(void **state)
{
    (void)state;
    struct shard_effects fx = {0};
    struct seen seen = {w.coord.commit_version, 1, ONE};
    struct shard *copy = told(seen, &w.coord.commit, PHASE_OPEN, &fx);
    assert_int_equal(fx.coord.commit_version, w.coord.commit_version);
    assert_int_equal(fx.coord.global_version, w.coord.global_version);
    assert_int_equal(fx.coord.commit.seat, 0);
    struct shard_event ev = {.type = SHARD_COORD, .coord = {.outcome = COORD_REFUSED}};
    shard_effects_clear(&fx);
    shard_step(copy, &ev, &fx);
    assert_int_equal(fx.admitted, ADMIT_REFUSED);
    assert_int_equal(fx.coord.type, COORD_READ);
    shard_free(copy);

    copy = told(seen, &w.coord.commit, PHASE_OPEN, &fx);
    ev = (struct shard_event){.type = SHARD_DISCONNECTED};
    shard_effects_clear(&fx);
    shard_step(copy, &ev, &fx);
    assert_int_equal(fx.admitted, ADMIT_UNKNOWN);
    ev = (struct shard_event){.type = SHARD_ADMIT, .admit = {seen.version, seen.kept, ONE}};
    shard_effects_clear(&fx);
    shard_step(copy, &ev, &fx);
    assert_int_equal(fx.admitted, ADMIT_REFUSED); /* without the service nothing is known */
    shard_free(copy);
    shard_effects_deinit(&fx);
}

/* ---- who was away ---- */

/* The disk of 1 was there all the time. */
static void give_up_what_one_has(void)
{
    act(ACTION_EXPIRE, 1, 0);
    go_on(TWO);
    act(ACTION_WIPE, 0, 0);
    act(ACTION_ADMIT, 2, 0);
    go_on(TWO);
    assert_int_equal(w.coord.commit.index, 1);
    assert_true(status_of(2).leading);
}

static void who_comes_back_with_it_takes_no_part(void **state)
{
    (void)state;
    give_up_what_one_has();
    go_on(ONE | TWO);
    assert_int_equal(status_of(1).superseded_by, w.coord.commit.losses[0].epoch);
    assert_int_equal(status_of(1).superseded_from, 1);
    assert_int_equal(status_of(1).last, 2);
    assert_false(status_of(1).live);
    assert_false(shard_is_current(w.replicas[1].shard));
    uint64_t kept;
    struct hash chain;
    assert_false(shard_kept(w.replicas[1].shard, &kept, &chain));
    act(ACTION_CAST, 1, 1);
    assert_int_equal(w.last_answer.type, ANSWER_NOT_LEADER);

    struct shard_effects fx = {0};
    struct shard *copy = shard_copy(w.replicas[1].shard, &w.replicas[1]);
    struct message m = {.type = MESSAGE_FETCH, .round = 1, .index2 = 2};
    struct buf out = {0};
    message_encode(&m, &out);
    struct shard_event ev = {.type = SHARD_PEER_MESSAGE, .peer = {2, buf_slice(&out)}};
    shard_effects_clear(&fx);
    shard_step(copy, &ev, &fx);
    assert_int_equal(fx.send_count, 0);
    shard_effects_deinit(&fx);
    shard_free(copy);
    buf_deinit(&out);
}

static void when_it_is_set_aside_it_is_one_that_is_behind(void **state)
{
    (void)state;
    give_up_what_one_has();
    go_on(ONE | TWO);
    act(ACTION_ASIDE, 1, 0);
    assert_int_equal(status_of(1).superseded_by, 0);
    assert_int_equal(status_of(1).last, 1);
    go_on(ONE | TWO); /* it is the second copy now */
    assert_true(status_of(1).live);
    act(ACTION_CAST, 2, new_vote(2, 0, 3));
    go_on(ONE | TWO);
    assert_int_equal(w.coord.commit.index, 2);
    assert_true(shard_is_current(w.replicas[1].shard));
    all_comes_right();
}

/* Before it is put aside nothing of it goes, also over a restart. */
static void a_restart_does_not_set_it_aside(void **state)
{
    (void)state;
    give_up_what_one_has();
    go_on(ONE | TWO);
    act(ACTION_CRASH, 1, 0);
    go_on(ONE | TWO);
    assert_int_equal(status_of(1).superseded_from, 1);
    assert_int_equal(status_of(1).last, 2);
    act(ACTION_ASIDE, 1, 0);
    act(ACTION_CRASH, 1, 0); /* nothing of that was on disk */
    go_on(ONE | TWO);
    assert_int_equal(status_of(1).superseded_from, 1);
    all_comes_right();
}

/* It follows the new leader before it has read of the loss: what he sends meanwhile is lost, and
 * has to be asked for. */
static void who_was_streamed_to_greets_again(void **state)
{
    (void)state;
    give_up_what_one_has();
    act(ACTION_RESTART, 1, 0);
    act(ACTION_LINK_UP, 1, 2);
    const struct commit *c = &w.coord.commit;
    struct message probe = {.type = MESSAGE_PROBE, .round = 1, .epoch = c->epoch, .index = 1};
    probe.chain = c->chain;
    struct buf out = {0};
    message_encode(&probe, &out);
    struct coord_view view;
    world_view(&w, w.replicas[2].session, &view);
    view.own_seat = 0;
    view.commit = c;

    struct shard_effects fx = {0};
    struct shard *copy = shard_copy(w.replicas[1].shard, &w.replicas[1]);
    const struct shard_event events[] = {
        {.type = SHARD_PEER_MESSAGE, .peer = {2, buf_slice(&out)}},
        {.type = SHARD_CONNECTED},
        {.type = SHARD_COORD, .coord = {.view = &view}},
        {.type = SHARD_SET_ASIDE},
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        shard_effects_clear(&fx);
        shard_step(copy, &events[i], &fx);
        assert_int_equal(fx.send_count, i == 0 || i == 3); /* an ack; and then a hello */
        assert_int_equal(shard_status(copy).superseded_from, i == 2);
    }
    assert_int_equal(fx.bytes.ptr[fx.sends[0].at], MESSAGE_HELLO);
    shard_effects_deinit(&fx);
    shard_free(copy);
    buf_deinit(&out);
}

/* What a member gives that has not read of a loss may be what was given up. */
static void what_is_fetched_is_from_behind_the_same_losses(void **state)
{
    (void)state;
    give_up_what_one_has();
    go_on(ZERO);
    act(ACTION_LINK_UP, 0, 2); /* now it asks */
    struct message m = {.type = MESSAGE_FETCHED, .round = 1};
    m.bytes = w.replicas[2].disk.batches[0]->bytes;
    for (int same = 0; same < 2; same++) {
        m.epoch = same ? w.coord.commit.losses[0].epoch : 0;
        struct buf out = {0};
        message_encode(&m, &out);
        struct shard_effects fx = {0};
        struct shard *copy = shard_copy(w.replicas[0].shard, &w.replicas[0]);
        struct shard_event ev = {.type = SHARD_PEER_MESSAGE, .peer = {2, buf_slice(&out)}};
        shard_effects_clear(&fx);
        shard_step(copy, &ev, &fx);
        assert_int_equal(shard_status(copy).last, same);
        assert_int_equal(fx.drop_peers, 0);
        shard_effects_deinit(&fx);
        shard_free(copy);
        buf_deinit(&out);
    }
}

/* It lacks all of it, and has read of the loss with nothing of its own: what it fetches came later.
 */
static void what_came_after_a_loss_is_not_put_aside(void **state)
{
    (void)state;
    give_up_what_one_has();
    go_on(ONE | TWO);
    act(ACTION_ASIDE, 1, 0);
    go_on(ONE | TWO);
    for (uint8_t i = 2; i < 4; i++) {
        act(ACTION_CAST, 2, new_vote(i, 0, i + 1));
        go_on(ONE | TWO);
    }
    assert_int_equal(w.coord.commit.index, 3);
    go_on(ZERO);
    act(ACTION_LINK_UP, 0, 2); /* now it asks */

    struct buf batches = {0}, out = {0};
    buf_put_slice(&batches, w.replicas[2].disk.batches[0]->bytes);
    buf_put_slice(&batches, w.replicas[2].disk.batches[1]->bytes);
    struct message m = {.type = MESSAGE_FETCHED, .round = 1, .bytes = buf_slice(&batches)};
    m.epoch = w.coord.commit.losses[0].epoch;
    message_encode(&m, &out);
    struct coord_view view;
    world_view(&w, w.replicas[0].session, &view);
    view.commit = &w.coord.commit;
    struct shard_effects fx = {0};
    struct shard *copy = shard_copy(w.replicas[0].shard, &w.replicas[0]);
    const struct shard_event events[] = {
        {.type = SHARD_PEER_MESSAGE, .peer = {2, buf_slice(&out)}},
        {.type = SHARD_CHANGED, .changed = SHARD_NODE_COMMIT},
        {.type = SHARD_COORD, .coord = {.view = &view}},
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        shard_effects_clear(&fx);
        shard_step(copy, &events[i], &fx);
        assert_int_equal(shard_status(copy).last, 2); /* the next part is still to come */
        assert_int_equal(shard_status(copy).superseded_by, 0);
    }
    shard_effects_deinit(&fx);
    shard_free(copy);
    buf_deinit(&batches);
    buf_deinit(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_nobody_has_is_given_up),
        TEST(only_what_people_have_seen_is_given_up),
        TEST(a_loss_is_admitted_on_the_versions_that_were_read),
        TEST(who_comes_back_with_it_takes_no_part),
        TEST(when_it_is_set_aside_it_is_one_that_is_behind),
        TEST(a_restart_does_not_set_it_aside),
        TEST(who_was_streamed_to_greets_again),
        TEST(what_is_fetched_is_from_behind_the_same_losses),
        TEST(what_came_after_a_loss_is_not_put_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
