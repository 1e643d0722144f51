/* What a shard answers, and what it takes from others: one replica or three, through world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
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

static int begin(void **state)
{
    (void)state;
    struct world_options o = {.replicas = 3, .copies_min = 2, .voters = 4, .quorum_wait_ns = 1000};
    world_init(&w, &o);
    settle();
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_deinit(&w);
    blob_forget_all();
    return 0;
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

/* Sends it, lets everything happen, and returns the last answer. */
static struct answer cast_to(uint32_t replica, uint32_t vote)
{
    memset(&w.last_answer, 0, sizeof w.last_answer);
    act(ACTION_CAST, replica, vote);
    settle();
    assert_int_equal(w.last_answer.client, vote + 1);
    return w.last_answer;
}

static struct answer cast_new(uint8_t voter, uint8_t candidate, uint16_t request)
{
    return cast_to(0, new_vote(voter, candidate, request));
}

static void open_election(void)
{
    act(ACTION_PHASE, 0, PHASE_OPEN);
    settle();
    assert_true(status_of(0).admitting);
}

static void nothing_is_taken_before_the_start(void **state)
{
    (void)state;
    assert_int_equal(cast_new(0, 1, 1).type, ANSWER_NOT_STARTED);
    open_election();
    assert_int_equal(cast_to(0, 0).type, ANSWER_COMMITTED);
}

static void a_retry_gets_the_receipt_of_the_first_time(void **state)
{
    (void)state;
    open_election();
    struct answer first = cast_new(0, 1, 1);
    assert_int_equal(first.type, ANSWER_COMMITTED);
    assert_int_equal(first.receipt.index, 0);
    assert_int_equal(first.receipt.revision, 1);
    assert_int_equal(first.receipt.tree_size, 1);
    struct answer second = cast_to(0, 0);
    assert_int_equal(second.type, ANSWER_DUPLICATE);
    assert_int_equal(second.receipt.index, 0);
    assert_true(hash_eq(&first.receipt.leaf, &second.receipt.leaf));
    assert_int_equal(w.coord.commit.index, 1);
}

/* A, then B, then A again because its answer was lost: B stays. */
static void a_late_retry_does_not_bring_back_an_older_choice(void **state)
{
    (void)state;
    open_election();
    assert_int_equal(cast_new(0, 1, 1).type, ANSWER_COMMITTED);
    struct answer b = cast_new(0, 2, 2);
    assert_int_equal(b.type, ANSWER_COMMITTED);
    assert_int_equal(b.receipt.revision, 2);
    struct answer again = cast_to(0, 0);
    assert_int_equal(again.type, ANSWER_DUPLICATE);
    assert_int_equal(again.receipt.index, 0);
    assert_int_equal(tally_votes(&w.coord.commit.tally, 1), 0);
    assert_int_equal(tally_votes(&w.coord.commit.tally, 2), 1);
    assert_int_equal(w.coord.commit.tally.voters, 1);
}

static void a_retry_joins_what_is_under_way(void **state)
{
    (void)state;
    open_election();
    new_vote(0, 1, 1);
    act(ACTION_CAST, 0, 0);
    uint64_t answers = w.answers;
    act(ACTION_CAST, 0, 0);
    assert_int_equal(w.answers, answers);
    settle();
    assert_int_equal(w.answers, answers + 2);
    assert_int_equal(w.coord.commit.index, 1);
}

static void one_request_is_one_choice(void **state)
{
    (void)state;
    open_election();
    assert_int_equal(cast_new(0, 1, 1).type, ANSWER_COMMITTED);
    assert_int_equal(cast_new(0, 2, 1).type, ANSWER_CONFLICT);
    assert_int_equal(cast_new(1, 2, 1).type, ANSWER_COMMITTED); /* numbers are a voter's own */
}

/* The vote that stopped the original program for ever. */
static void unknown_candidates_and_voters_harm_nobody(void **state)
{
    (void)state;
    open_election();
    assert_int_equal(cast_new(0, WORLD_CANDIDATES, 1).type, ANSWER_NO_CANDIDATE);
    assert_int_equal(cast_new(0, 255, 2).type, ANSWER_NO_CANDIDATE);
    assert_int_equal(cast_new(4, 1, 3).type, ANSWER_NO_VOTER);
    assert_int_equal(cast_new(0, 1, 4).type, ANSWER_COMMITTED);
    assert_int_equal(w.coord.commit.index, 1);
}

static void a_voter_changes_his_mind_so_often_and_no_more(void **state)
{
    (void)state;
    open_election();
    for (uint16_t i = 0; i < 16; i++) {
        uint32_t v = new_vote(0, (uint8_t)(i % 3), (uint16_t)(i + 1));
        assert_int_equal(cast_to(0, v).type, ANSWER_COMMITTED);
        w.vote_count = 0;
    }
    assert_int_equal(w.coord.commit.tally.voters, 1);
    assert_int_equal(cast_new(0, 1, 99).type, ANSWER_TOO_MANY);
    assert_int_equal(cast_new(1, 1, 98).type, ANSWER_COMMITTED);
}

static void the_others_name_the_leader(void **state)
{
    (void)state;
    open_election();
    new_vote(0, 1, 1);
    struct answer a = cast_to(2, 0);
    assert_int_equal(a.type, ANSWER_NOT_LEADER);
    assert_int_equal(a.leader, 0);
}

static void without_the_coordination_service_nothing_is_promised(void **state)
{
    (void)state;
    open_election();
    assert_int_equal(cast_new(0, 1, 1).type, ANSWER_COMMITTED);
    act(ACTION_DISCONNECT, 0, 0);
    act(ACTION_CAST, 0, 0);
    assert_int_equal(w.last_answer.type, ANSWER_UNAVAILABLE);
    settle();
    assert_int_equal(cast_to(0, 0).type, ANSWER_DUPLICATE);
}

static void after_the_end_everybody_can_tell_what_counted(void **state)
{
    (void)state;
    open_election();
    assert_int_equal(cast_new(0, 1, 1).type, ANSWER_COMMITTED);
    new_vote(1, 1, 2);
    act(ACTION_PHASE, 0, PHASE_CLOSING);
    settle();
    assert_int_equal(cast_to(0, 1).type, ANSWER_CLOSING);
    act(ACTION_PHASE, 0, PHASE_CLOSED);
    settle();
    for (uint32_t replica = 0; replica < 3; replica++) {
        assert_int_equal(cast_to(replica, 0).type, ANSWER_DUPLICATE);
        struct answer a = cast_to(replica, 1);
        assert_int_equal(a.type, ANSWER_CLOSED);
        assert_int_equal(a.receipt.round, 1);
    }
    check_settled(&w);
    assert_string_equal(w.violation, "");
}

static void a_round_begins_from_zero(void **state)
{
    (void)state;
    open_election();
    assert_int_equal(cast_new(0, 1, 1).type, ANSWER_COMMITTED);
    act(ACTION_PHASE, 0, PHASE_CLOSED);
    settle();
    act(ACTION_PHASE, 0, PHASE_OPEN);
    settle();
    assert_int_equal(w.coord.commit.round, 2);
    assert_int_equal(w.coord.commit.index, 0);
    assert_int_equal(status_of(1).tally->voters, 0);
    struct answer a = cast_new(0, 2, 1); /* the same number, in another round */
    assert_int_equal(a.type, ANSWER_COMMITTED);
    assert_int_equal(a.receipt.revision, 1);
}

/* A vote that was under way when its round ended is not one for the next. */
static void a_ballot_of_an_earlier_round_is_not_counted(void **state)
{
    (void)state;
    static const struct {
        uint64_t round;
        enum answer_type answer;
    } cases[] = {{1, ANSWER_ROUND_OVER}, {3, ANSWER_UNAVAILABLE}};
    open_election();
    act(ACTION_PHASE, 0, PHASE_CLOSED);
    settle();
    act(ACTION_PHASE, 0, PHASE_OPEN);
    settle();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct shard *copy = shard_copy(w.replicas[0].shard, &w.replicas[0]);
        struct shard_effects fx = {0};
        struct shard_event ev = {.type = SHARD_CAST,
                                 .cast = {.client = 1,
                                          .round = cases[i].round,
                                          .voter = world_pseudonym(0),
                                          .request = world_request_id(1)}};
        assert_true(shard_status(copy).leading);
        shard_step(copy, &ev, &fx);
        assert_int_equal(fx.answer_count, 1);
        assert_int_equal(fx.answers[0].type, cases[i].answer);
        assert_int_equal(shard_status(copy).last, 0);
        shard_effects_deinit(&fx);
        shard_free(copy);
    }
}

/* The leader cannot reach the others, but the coordination service: it steps back, and another
 * leads. */
static void a_leader_without_copies_steps_back(void **state)
{
    (void)state;
    open_election();
    new_vote(0, 1, 1);
    act(ACTION_LINK_DOWN, 0, 1);
    act(ACTION_LINK_DOWN, 0, 2);
    act(ACTION_CAST, 0, 0);
    act(ACTION_SYNC, 0, 0);
    assert_true(status_of(0).leading);
    act(ACTION_TIMEOUT, 0, 0);
    assert_int_equal(w.last_answer.type, ANSWER_UNKNOWN_RETRY);
    assert_false(status_of(0).leading);
    settle();
    assert_false(status_of(0).leading);
    assert_true(status_of(1).admitting);
    assert_int_equal(cast_to(1, 0).type, ANSWER_COMMITTED);
    assert_int_equal(w.coord.commit.index, 1);
}

static bool may_yield(uint32_t a, uint32_t to)
{
    return shard_may_yield(w.replicas[a].shard, to);
}

/* What was taken is committed and answered, what comes meanwhile is not taken, and the next in line
 * has everything when he is left the lead. */
static void a_leader_gives_way_to_the_next_and_owes_nobody_an_answer(void **state)
{
    (void)state;
    open_election();
    new_vote(0, 1, 1);
    new_vote(1, 2, 2);
    assert_true(may_yield(0, 1));
    act(ACTION_CAST, 0, 0);
    act(ACTION_YIELD, 0, 1);
    assert_true(status_of(0).leading);
    assert_false(status_of(0).admitting);
    act(ACTION_CAST, 0, 1);
    assert_int_equal(w.last_answer.client, 2);
    assert_int_equal(w.last_answer.type, ANSWER_UNAVAILABLE);
    settle();
    assert_true(w.votes[0].told_committed);
    assert_int_equal(w.coord.commit.index, 1);
    assert_false(status_of(0).leading);
    assert_true(status_of(0).live);
    assert_true(status_of(1).admitting);
    assert_int_equal(cast_to(1, 1).type, ANSWER_COMMITTED);
    assert_true(may_yield(2, 0)); /* who gave way stands last */
}

/* Nobody is passed over, and nobody gives way to who cannot be heard. */
static void only_who_stands_directly_before_gives_way(void **state)
{
    (void)state;
    open_election();
    assert_false(may_yield(0, 2));
    assert_true(may_yield(1, 2));
    assert_false(may_yield(2, 0));
    act(ACTION_YIELD, 1, 2);
    settle();
    assert_true(status_of(0).admitting);
    assert_true(may_yield(0, 2));

    new_vote(0, 1, 1);
    act(ACTION_CAST, 0, 0);
    act(ACTION_YIELD, 0, 2);
    assert_false(status_of(0).admitting);
    act(ACTION_TIMEOUT, 0, 0); /* nobody says that he has it */
    assert_true(status_of(0).admitting);
    act(ACTION_YIELD, 0, 2);
    assert_false(status_of(0).admitting);
    act(ACTION_LINK_DOWN, 0, 2);
    assert_true(status_of(0).admitting);
    assert_false(may_yield(0, 2));
    settle();
    assert_int_equal(w.coord.commit.index, 1);
}

/* A link that has just come up: nobody knows yet what is on the other's disk. */
static void who_may_not_have_everything_is_waited_for(void **state)
{
    (void)state;
    open_election();
    assert_int_equal(cast_new(0, 1, 1).type, ANSWER_COMMITTED);
    act(ACTION_LINK_DOWN, 0, 1);
    act(ACTION_LINK_UP, 0, 1);
    act(ACTION_DELIVER, 1, 0);
    act(ACTION_YIELD, 0, 1);
    assert_true(status_of(0).leading);
    assert_false(status_of(0).admitting);
    settle();
    assert_false(status_of(0).leading);
    assert_true(status_of(1).admitting);
}

static void a_state_is_sealed_when_what_it_took_is_committed(void **state)
{
    (void)state;
    open_election();
    new_vote(0, 1, 1);
    act(ACTION_CAST, 0, 0);
    act(ACTION_SYNC, 0, 0);
    act(ACTION_PHASE, 0, PHASE_CLOSING);
    act(ACTION_CHANGED, 0, 0);
    act(ACTION_PROCESS, 0, 0);
    act(ACTION_RESULT, 0, 0);
    struct action commit = {ACTION_PROCESS, 0, 0};
    assert_false(world_can(&w, &commit)); /* it asks for nothing, before others have it */
    settle();
    assert_true(w.coord.commit.sealed);
    assert_int_equal(w.coord.commit.index, 1);
    assert_true(w.votes[0].told_committed);
}

/* Of a coordination service that was restored from a copy, whatever it was. */
static void what_the_coordination_service_forgets_is_noticed(void **state)
{
    (void)state;
    open_election();
    assert_int_equal(cast_new(0, 1, 1).type, ANSWER_COMMITTED);
    for (int forgotten = 0; forgotten < 6; forgotten++) {
        struct coord_view view;
        world_view(&w, w.replicas[1].session, &view);
        struct commit other = w.coord.commit;
        other.index -= forgotten == 1;
        other.epoch -= forgotten == 2;
        other.round -= forgotten == 3;
        view.commit_version -= forgotten == 4;
        view.global_version -= forgotten == 5;
        view.commit = &other;
        struct shard *copy = shard_copy(w.replicas[1].shard, &w.replicas[1]);
        struct shard_effects fx = {0};
        struct shard_event ev = {.type = SHARD_CHANGED, .changed = SHARD_NODE_GLOBAL};
        shard_effects_clear(&fx);
        shard_step(copy, &ev, &fx);
        ev = (struct shard_event){.type = SHARD_COORD, .coord = {.view = &view}};
        shard_effects_clear(&fx);
        shard_step(copy, &ev, &fx);
        assert_true((fx.failed != NULL) == (forgotten != 0));
        shard_effects_deinit(&fx);
        shard_free(copy);
    }
}

/* Its roll is not the others': a round would begin with it. */
static void a_disputed_replica_begins_no_round_and_follows_one(void **state)
{
    (void)state;
    settle();
    assert_true(status_of(0).live);
    shard_set_disputed(w.replicas[0].shard, true);
    act(ACTION_LINK_DOWN, 0, 1); /* any step: it asks to be woken when its time is over */
    act(ACTION_TIMEOUT, 0, 0);   /* others may get the same roll for a while */
    settle();
    assert_false(status_of(0).live);
    act(ACTION_PHASE, 0, PHASE_OPEN);
    settle();
    assert_true(status_of(1).admitting);
    assert_true(status_of(0).live); /* the round is as it would have begun it itself */

    act(ACTION_PHASE, 0, PHASE_CLOSED);
    settle();
    shard_set_disputed(w.replicas[1].shard, true);
    act(ACTION_PHASE, 0, PHASE_OPEN);
    settle();
    assert_true(status_of(2).admitting);
    assert_int_equal(w.coord.commit.round, 2);
}

/* Waiting for copies begins with the vote that waits, however long nobody voted before. */
static void a_leader_that_was_idle_takes_the_next_vote(void **state)
{
    (void)state;
    open_election();
    struct shard *copy = shard_copy(w.replicas[0].shard, &w.replicas[0]);
    struct shard_effects fx = {0};
    struct shard_event ev = {
        .type = SHARD_CAST,
        .now_ns = INT64_C(3600) * 1000 * 1000 * 1000,
        .cast = {.client = 1, .voter = world_pseudonym(0), .request = world_request_id(1)}};
    shard_effects_clear(&fx);
    shard_step(copy, &ev, &fx);
    assert_int_equal(fx.answer_count, 0);
    assert_int_not_equal(fx.coord.type, COORD_LEAVE);
    assert_true(shard_status(copy).leading);
    shard_effects_deinit(&fx);
    shard_free(copy);
}

/* Who fetches and is cut off from everything has no moment to wait for, least of all one that is
 * over: the driver would come back at once, for ever. */
static void who_can_do_nothing_waits_for_no_moment(void **state)
{
    (void)state;
    open_election();
    new_vote(0, 1, 1);
    act(ACTION_LINK_DOWN, 0, 1);
    act(ACTION_LINK_DOWN, 1, 2);
    act(ACTION_CAST, 0, 0);
    act(ACTION_SYNC, 0, 0);
    act(ACTION_DELIVER, 0, 2);
    act(ACTION_SYNC, 2, 0);
    act(ACTION_DELIVER, 2, 0);
    act(ACTION_PROCESS, 0, 0);
    act(ACTION_RESULT, 0, 0);
    assert_int_equal(w.coord.commit.index, 1);
    act(ACTION_CHANGED, 1, 0);
    act(ACTION_PROCESS, 1, 0);
    act(ACTION_RESULT, 1, 0);
    act(ACTION_LINK_UP, 1, 2);
    assert_int_equal(status_of(1).committed, 0);
    assert_true(w.replicas[1].deadline_ns != INT64_MAX); /* of the answer */
    act(ACTION_DISCONNECT, 1, 0);
    assert_true(w.replicas[1].deadline_ns == INT64_MAX);
    settle();
    assert_int_equal(status_of(1).committed, 1);
}

static void say(struct shard *s, struct shard_effects *fx, uint32_t from, const struct message *m)
{
    struct buf out = {0};
    message_encode(m, &out);
    struct shard_event ev = {.type = SHARD_PEER_MESSAGE, .peer = {from, buf_slice(&out)}};
    shard_effects_clear(fx);
    shard_step(s, &ev, fx);
    buf_deinit(&out);
}

/* A batch of one record, in the message that brings it. */
static struct message with_batch(enum message_type type, uint64_t epoch, const struct record *r,
                                 uint64_t batch_epoch, const struct hash *before, struct buf *b)
{
    uint8_t bytes[RECORD_BYTES];
    buf_clear(b);
    batch_begin(b, 1, batch_epoch, 0, before);
    record_encode(r, bytes);
    buf_put(b, bytes, sizeof bytes);
    struct message m = {.type = type, .round = 1, .epoch = epoch};
    m.bytes = batch_end_writing(b, 0).bytes;
    return m;
}

/* What the others have committed is counted before the own disk has it, and said so: the file may
 * have something else there. */
static void what_is_counted_may_not_be_on_disk_yet(void **state)
{
    (void)state;
    open_election();
    new_vote(0, 1, 1);
    act(ACTION_CAST, 0, 0);
    act(ACTION_SYNC, 0, 0);
    for (uint32_t a = 1; a < 3; a++)
        act(ACTION_DELIVER, 0, a);
    act(ACTION_SYNC, 2, 0);
    act(ACTION_DELIVER, 2, 0);
    act(ACTION_PROCESS, 0, 0);
    act(ACTION_RESULT, 0, 0);
    act(ACTION_CHANGED, 1, 0);
    act(ACTION_PROCESS, 1, 0);
    act(ACTION_RESULT, 1, 0);
    assert_int_equal(status_of(1).counted, 1);
    assert_int_equal(status_of(1).durable, 0);

    struct shard *copy = shard_copy(w.replicas[1].shard, &w.replicas[1]);
    struct shard_effects fx = {0};
    struct message fetch = {.type = MESSAGE_FETCH, .round = 1, .index2 = 1};
    say(copy, &fx, 2, &fetch);
    assert_int_equal(fx.send_count, 1);
    assert_int_equal(fx.sends[0].log_until, 0); /* nor is it given to others yet */
    shard_effects_deinit(&fx);
    shard_free(copy);
    act(ACTION_SYNC, 1, 0);
    assert_int_equal(status_of(1).durable, 1);
}

/* ---- what comes over a link ---- */

static void hand_over(uint32_t to, uint32_t from, struct slice bytes)
{
    struct shard *copy = shard_copy(w.replicas[to].shard, &w.replicas[to]);
    struct shard_effects fx = {0};
    struct shard_event ev = {.type = SHARD_PEER_MESSAGE, .peer = {from, bytes}};
    shard_effects_clear(&fx);
    shard_step(copy, &ev, &fx);
    ev = (struct shard_event){.type = SHARD_TICK, .now_ns = 5};
    shard_effects_clear(&fx);
    shard_step(copy, &ev, &fx);
    shard_effects_deinit(&fx);
    shard_free(copy);
}

/* Every bit of a message changed, and its beginning alone. */
static void hand_over_spoiled(uint32_t to, uint32_t from, struct slice bytes)
{
    uint8_t *copy = malloc(bytes.len);
    assert_non_null(copy);
    memcpy(copy, bytes.ptr, bytes.len);
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        hand_over(to, from, slice_of(copy, bytes.len));
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = 0; len < bytes.len; len += 7)
        hand_over(to, from, slice_of(copy, len));
    free(copy);
}

static void no_message_harms_a_replica(void **state)
{
    (void)state;
    open_election();
    for (uint16_t i = 0; i < 3; i++) {
        new_vote((uint8_t)i, 1, (uint16_t)(i + 1));
        act(ACTION_CAST, 0, i);
    }
    bool seen[MESSAGE_TYPE_END] = {false};
    for (int i = 0; i < 400; i++) {
        for (uint32_t ab = 0; ab < 9; ab++) {
            const struct queue *q = &w.links[ab / 3][ab % 3];
            if (q->count == 0 || seen[q->items[0]->bytes.ptr[0]])
                continue;
            seen[q->items[0]->bytes.ptr[0]] = true;
            for (uint32_t to = 0; to < 3; to++) {
                if (to != ab / 3)
                    hand_over_spoiled(to, ab / 3, q->items[0]->bytes);
            }
        }
        if (world_settle(&w, false, 1) == 0 && i < 200) { /* a flap brings hello and probe */
            act(ACTION_LINK_DOWN, 0, 1);
            i = 200;
        }
    }
    assert_true(seen[MESSAGE_APPEND] && seen[MESSAGE_ACK] && seen[MESSAGE_HELLO] &&
                seen[MESSAGE_PROBE]);
}

/* A batch whose chain is right and whose records are not: no ack, and the link goes. */
static void a_batch_that_cannot_be_counted_is_not_acknowledged(void **state)
{
    (void)state;
    open_election();
    struct buf b = {0};
    for (int wrong = 0; wrong < 11; wrong++) {
        struct record r = {.voter = world_pseudonym(1),
                           .epoch = wrong == 2 || wrong == 9 ? 2 : 1,
                           .candidate = wrong == 3 ? WORLD_CANDIDATES : 1,
                           .district = wrong == 7 ? 0 : 1,
                           .revision = wrong == 5   ? 0
                                       : wrong == 6 ? 17
                                                    : 1};
        r.index += wrong == 1;
        r.voter.bytes[0] ^= wrong == 4;
        r.before = wrong == 8;
        struct hash before = status_of(1).chain;
        before.bytes[0] ^= wrong == 10; /* it may belong behind what is not here */
        struct message m = with_batch(MESSAGE_APPEND, 1, &r, wrong == 9 ? 2 : 1, &before, &b);

        struct shard *copy = shard_copy(w.replicas[1].shard, &w.replicas[1]);
        struct shard_effects fx = {0};
        say(copy, &fx, 0, &m);
        assert_int_equal(fx.drop_peers, wrong == 0 || wrong == 10 ? 0 : 1);
        assert_int_equal(shard_status(copy).last, wrong == 0);
        for (size_t i = 0; i < fx.send_count; i++)
            assert_int_equal(fx.bytes.ptr[fx.sends[i].at] == MESSAGE_ACK, wrong == 0);
        assert_int_equal(fx.send_count, wrong == 0 || wrong == 10);
        shard_effects_deinit(&fx);
        shard_free(copy);
    }
    buf_deinit(&b);
}

/* Two that lead in one epoch: one of them is wrong, and not we. */
static void an_epoch_has_one_leader(void **state)
{
    (void)state;
    open_election();
    struct shard *copy = shard_copy(w.replicas[0].shard, &w.replicas[0]);
    struct shard_effects fx = {0};
    struct message m = {.type = MESSAGE_PROBE, .round = 1, .epoch = 1, .chain = status_of(0).chain};
    say(copy, &fx, 1, &m);
    assert_int_equal(fx.drop_peers, 1 << 1);
    assert_int_equal(fx.send_count, 0);
    assert_true(shard_status(copy).admitting);
    shard_effects_deinit(&fx);
    shard_free(copy);
}

/* What was acknowledged to another leader may have been cut since. */
static void an_ack_of_another_epoch_counts_for_nothing(void **state)
{
    (void)state;
    open_election();
    new_vote(0, 1, 1);
    act(ACTION_CAST, 0, 0);
    act(ACTION_SYNC, 0, 0);
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        struct shard *copy = shard_copy(w.replicas[0].shard, &w.replicas[0]);
        struct shard_effects fx = {0};
        struct message m = {.type = MESSAGE_ACK, .round = 1, .epoch = epoch, .index = 1};
        m.chain = status_of(0).chain;
        say(copy, &fx, 1, &m);
        assert_int_equal(fx.coord.type, epoch == 1 ? COORD_COMMIT : COORD_NOTHING);
        shard_effects_deinit(&fx);
        shard_free(copy);
    }
}

/* A member that gives what is asked for, of an epoch that never was. */
static void what_is_fetched_is_not_newer_than_commit(void **state)
{
    (void)state;
    open_election();
    struct hash genesis = status_of(1).chain;
    act(ACTION_LINK_DOWN, 0, 1);
    act(ACTION_LINK_DOWN, 1, 2);
    new_vote(0, 1, 1);
    act(ACTION_CAST, 0, 0);
    act(ACTION_SYNC, 0, 0);
    act(ACTION_DELIVER, 0, 2);
    act(ACTION_SYNC, 2, 0);
    act(ACTION_DELIVER, 2, 0);
    act(ACTION_PROCESS, 0, 0);
    act(ACTION_RESULT, 0, 0);
    act(ACTION_CHANGED, 1, 0);
    act(ACTION_PROCESS, 1, 0);
    act(ACTION_RESULT, 1, 0);
    act(ACTION_LINK_UP, 1, 2); /* now it asks */
    struct buf b = {0};
    struct record r = {.voter = world_pseudonym(0), .candidate = 1, .district = 0, .revision = 1};
    for (uint32_t epoch = 1; epoch < 3; epoch++) {
        r.epoch = epoch;
        struct message m = with_batch(MESSAGE_FETCHED, 0, &r, epoch, &genesis, &b);
        struct shard *copy = shard_copy(w.replicas[1].shard, &w.replicas[1]);
        struct shard_effects fx = {0};
        say(copy, &fx, 2, &m);
        assert_int_equal(shard_status(copy).last, epoch == 1);
        assert_int_equal(fx.drop_peers, epoch == 1 ? 0 : 1 << 2);
        shard_effects_deinit(&fx);
        shard_free(copy);
    }
    buf_deinit(&b);
}

/* It greets with a log that parts from the leader's early, and an ack of before is still on its
 * way: the rest of the log is sent all the same. */
static void an_ack_from_beyond_the_stream_does_not_end_it(void **state)
{
    struct world_options o = {.replicas = 3,
                              .copies_min = 2,
                              .voters = 4,
                              .quorum_wait_ns = 1000,
                              .tight = true,
                              .seed = 4};
    end(state);
    world_init(&w, &o);
    settle();
    open_election();
    struct hash genesis = status_of(0).chain;
    assert_int_equal(cast_new(0, 1, 1).type, ANSWER_COMMITTED);
    assert_int_equal(cast_new(1, 1, 2).type, ANSWER_COMMITTED);

    struct shard *copy = shard_copy(w.replicas[0].shard, &w.replicas[0]);
    struct shard_effects fx = {0};
    struct message hello = {.type = MESSAGE_HELLO, .round = 1, .epoch = 1, .index = 3};
    hello.chain2 = genesis;
    say(copy, &fx, 1, &hello);
    assert_int_equal(fx.send_count, 2); /* a probe, and a batch, as many as may be under way */
    struct message ack = {.type = MESSAGE_ACK, .round = 1, .epoch = 1, .index = 2};
    ack.chain = status_of(0).chain;
    say(copy, &fx, 1, &ack);
    assert_int_equal(fx.send_count, 1);
    struct message sent;
    assert_true(message_decode(buf_part(&fx.bytes, fx.sends[0].at, fx.sends[0].len), &sent));
    assert_int_equal(sent.type, MESSAGE_APPEND);
    shard_effects_deinit(&fx);
    shard_free(copy);
}

/* Commit with the same records and another count: whoever wrote that cannot count, or we cannot. */
static void a_count_that_changes_without_a_vote_is_noticed(void **state)
{
    (void)state;
    open_election();
    assert_int_equal(cast_new(0, 1, 1).type, ANSWER_COMMITTED);
    struct coord_view view;
    for (uint32_t a = 0; a < 2; a++) { /* who leads, and who follows */
        for (int wrong = 0; wrong < 3; wrong++) {
            world_view(&w, w.replicas[a].session, &view);
            struct commit other = w.coord.commit;
            other.root.bytes[0] ^= wrong == 1;
            other.tally.votes[1] -= wrong == 2;
            other.tally.votes[2] += wrong == 2;
            view.commit = &other;
            struct shard *copy = shard_copy(w.replicas[a].shard, &w.replicas[a]);
            struct shard_effects fx = {0};
            struct shard_event ev = {.type = SHARD_CHANGED, .changed = SHARD_NODE_GLOBAL};
            shard_effects_clear(&fx);
            shard_step(copy, &ev, &fx);
            assert_int_equal(fx.coord.type, COORD_READ);
            ev = (struct shard_event){.type = SHARD_COORD, .coord = {.view = &view}};
            shard_effects_clear(&fx);
            shard_step(copy, &ev, &fx);
            assert_true((fx.failed != NULL) == (wrong != 0));
            shard_effects_deinit(&fx);
            shard_free(copy);
        }
    }
}

/* A member that lies about the epoch it leads in gets a promise, until the next read of Commit
 * shows that it was a lie: then it is cut off, and who leads truly is followed again. */
static void a_promise_to_a_liar_does_not_last(void **state)
{
    (void)state;
    open_election();
    struct message m = {.type = MESSAGE_PROBE, .round = 1, .epoch = UINT64_MAX};
    m.chain = status_of(1).chain;
    struct buf out = {0};
    message_encode(&m, &out);
    struct coord_view view;
    world_view(&w, w.replicas[1].session, &view);
    view.commit = &w.coord.commit;

    struct shard *copy = shard_copy(w.replicas[1].shard, &w.replicas[1]);
    struct shard_effects fx = {0};
    for (int times = 0; times < 2; times++) {
        struct shard_event lie = {.type = SHARD_PEER_MESSAGE, .peer = {2, buf_slice(&out)}};
        shard_effects_clear(&fx);
        shard_step(copy, &lie, &fx);
        assert_true(shard_status(copy).promised == UINT64_MAX);
        assert_int_equal(fx.coord.type, COORD_READ);

        struct shard_event read = {.type = SHARD_COORD, .coord = {.view = &view}};
        shard_effects_clear(&fx);
        shard_step(copy, &read, &fx);
        assert_true(shard_status(copy).promised == w.coord.commit.epoch);
        assert_int_equal(fx.drop_peers, 1 << 2);
        assert_int_equal(fx.send_count, 1); /* a hello to who leads */
    }

    struct buf b = {0};
    struct record r = {
        .voter = world_pseudonym(1), .epoch = 7, .candidate = 1, .district = 1, .revision = 1};
    struct hash genesis = status_of(1).chain;
    m = with_batch(MESSAGE_APPEND, 7, &r, 7, &genesis, &b);
    say(copy, &fx, 2, &m);
    assert_int_equal(shard_status(copy).last, 1);
    struct shard_event read = {.type = SHARD_COORD, .coord = {.view = &view}};
    shard_effects_clear(&fx);
    shard_step(copy, &read, &fx);
    assert_int_equal(shard_status(copy).last, 0); /* and what was written for him is cut */
    buf_deinit(&b);
    shard_effects_deinit(&fx);
    shard_free(copy);
    buf_deinit(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_taken_before_the_start),
        TEST(a_retry_gets_the_receipt_of_the_first_time),
        TEST(a_late_retry_does_not_bring_back_an_older_choice),
        TEST(a_retry_joins_what_is_under_way),
        TEST(one_request_is_one_choice),
        TEST(unknown_candidates_and_voters_harm_nobody),
        TEST(a_voter_changes_his_mind_so_often_and_no_more),
        TEST(the_others_name_the_leader),
        TEST(without_the_coordination_service_nothing_is_promised),
        TEST(after_the_end_everybody_can_tell_what_counted),
        TEST(a_round_begins_from_zero),
        TEST(a_ballot_of_an_earlier_round_is_not_counted),
        TEST(a_leader_without_copies_steps_back),
        TEST(a_leader_gives_way_to_the_next_and_owes_nobody_an_answer),
        TEST(only_who_stands_directly_before_gives_way),
        TEST(who_may_not_have_everything_is_waited_for),
        TEST(a_state_is_sealed_when_what_it_took_is_committed),
        TEST(what_the_coordination_service_forgets_is_noticed),
        TEST(a_disputed_replica_begins_no_round_and_follows_one),
        TEST(a_leader_that_was_idle_takes_the_next_vote),
        TEST(who_can_do_nothing_waits_for_no_moment),
        TEST(what_is_counted_may_not_be_on_disk_yet),
        TEST(no_message_harms_a_replica),
        TEST(a_batch_that_cannot_be_counted_is_not_acknowledged),
        TEST(an_epoch_has_one_leader),
        TEST(an_ack_of_another_epoch_counts_for_nothing),
        TEST(what_is_fetched_is_not_newer_than_commit),
        TEST(an_ack_from_beyond_the_stream_does_not_end_it),
        TEST(a_count_that_changes_without_a_vote_is_noticed),
        TEST(a_promise_to_a_liar_does_not_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
