/* links: vote */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vote/commit.h"
#include "vote_kit.h"

/* The bytes themselves: who reads old logs has to read these. */
static void a_record_has_its_bytes(void **state)
{
    (void)state;
    struct record r = {.index = 0x0102030405060708,
                       .before = 9,
                       .cast_ms = 1700000000000,
                       .epoch = 0x0a0b0c0d,
                       .candidate = 0x1112,
                       .district = 3,
                       .revision = 4};
    memset(r.voter.bytes, 0x21, sizeof r.voter.bytes);
    memset(r.request.bytes, 0x22, sizeof r.request.bytes);
    memset(r.salt, 0x23, sizeof r.salt);
    const uint8_t want[RECORD_BYTES] = {
        1,    2,    3,    4,    5,    6,    7,    8,    0,    0,    0,    0,    0,    0,
        0,    9,    0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21,
        0x21, 0x21, 0x21, 0x21, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
        0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23,
        0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0,    0,    1,    0x8b, 0xcf, 0xe5,
        0x68, 0,    0x0a, 0x0b, 0x0c, 0x0d, 0x11, 0x12, 3,    4};
    uint8_t bytes[RECORD_BYTES];
    record_encode(&r, bytes);
    assert_memory_equal(bytes, want, sizeof want);
    struct record again = record_decode(bytes);
    assert_memory_equal(&again, &r, sizeof r);
}

static void a_batch_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct kit_log l;
    kit_log_init(&l);
    struct hash genesis = log_genesis(&l.heading);
    struct batch written = kit_vote(&l, 0, 1), read;
    kit_vote(&l, 1, 2);
    assert_int_equal(batch_read(buf_slice(&l.bytes), &read), BATCH_VALID);
    assert_int_equal(read.first, 0);
    assert_int_equal(read.count, 1);
    assert_int_equal(read.round, 7);
    assert_true(hash_eq(&read.before, &genesis));
    assert_true(hash_eq(&read.chain, &written.chain));
    struct hash first = read.chain;
    assert_int_equal(batch_read(slice_from(buf_slice(&l.bytes), read.bytes.len), &read),
                     BATCH_VALID);
    assert_true(hash_eq(&read.before, &first));
    kit_log_deinit(&l);
}

static void a_batch_that_is_cut_or_changed_anywhere_is_not_valid(void **state)
{
    (void)state;
    struct kit_log l;
    struct batch b;
    kit_log_init(&l);
    kit_vote(&l, 0, 1);
    for (size_t len = 0; len < l.bytes.len; len++) {
        uint8_t *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, l.bytes.ptr, len);
        assert_int_equal(batch_read(slice_of(copy, len), &b), BATCH_SHORT);
        free(copy);
    }
    for (size_t i = 0; i < l.bytes.len * 8; i++) {
        l.bytes.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(batch_read(buf_slice(&l.bytes), &b), BATCH_VALID);
        l.bytes.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    kit_log_deinit(&l);
}

static void the_heading_is_what_the_first_chain_says(void **state)
{
    (void)state;
    struct voters v = kit_roll();
    struct log_heading h = kit_heading(&v), again;
    uint8_t bytes[LOG_HEADING_BYTES];
    log_heading_encode(&h, bytes);
    assert_true(log_heading_decode(bytes, &again));
    assert_memory_equal(&h, &again, sizeof h);
    struct hash genesis = log_genesis(&h);
    again.round++;
    struct hash other = log_genesis(&again);
    assert_false(hash_eq(&genesis, &other));
    bytes[7]++;
    assert_false(log_heading_decode(bytes, &again));
    voters_deinit(&v);
}

static void the_last_vote_counts_and_each_voter_once(void **state)
{
    (void)state;
    struct kit_log l;
    bool tie;
    kit_log_init(&l);
    const struct tally *t = &l.fold.count.tally;
    assert_int_equal(tally_leader(t, -1, &tie), -1);
    assert_false(tie);
    kit_vote(&l, 0, 1);
    kit_vote(&l, 1, 2);
    assert_int_equal(tally_leader(t, -1, &tie), -1);
    assert_true(tie);
    kit_vote(&l, 0, 2);
    kit_vote(&l, 0, 0);
    kit_vote(&l, 0, 2);
    assert_int_equal(tally_votes(t, 0), 0);
    assert_int_equal(tally_votes(t, 1), 0);
    assert_int_equal(tally_votes(t, 2), 2);
    assert_int_equal(t->voters, 2);
    assert_int_equal(tally_leader(t, -1, &tie), 2);
    assert_false(tie);
    assert_int_equal(tally_leader(t, 0, &tie), 2);
    assert_int_equal(l.fold.count.tree.size, 5);
    kit_log_deinit(&l);
}

static void a_recount_refuses_what_does_not_follow(void **state)
{
    (void)state;
    struct kit_log l;
    struct err err;
    kit_log_init(&l);
    struct batch b = kit_vote(&l, 0, 1);
    struct record good = record_decode(batch_record(&b, 0).ptr);
    struct hash leaf = merkle_leaf(batch_record(&b, 0));
    kit_vote(&l, 1, 1);

    struct voters fresh = kit_roll();
    struct recount r;
    recount_init(&r, &l.heading, &fresh, KIT_CANDIDATES, 2);
    struct batch first, second;
    assert_int_equal(batch_read(buf_slice(&l.bytes), &first), BATCH_VALID);
    assert_int_equal(batch_read(slice_from(buf_slice(&l.bytes), first.bytes.len), &second),
                     BATCH_VALID);
    assert_int_equal(recount_batch(&r, &second, &err), ERR_CORRUPT);
    assert_string_equal(err.text, "record 1: the batch is not the next one");

    static const char *const objections[] = {
        "it is not the next one",
        "there is no such candidate",
        "the voter is not on the roll",
        "the voter is of another district",
        "it does not follow the voter's record before",
        "it is not the voter's next revision",
    };
    for (int i = 0; i < 6; i++) {
        struct record bad = good;
        bad.index += i == 0;
        bad.candidate = i == 1 ? KIT_CANDIDATES : good.candidate;
        bad.voter.bytes[3] ^= i == 2;
        bad.district ^= i == 3;
        bad.before += i == 4;
        bad.revision = i == 5 ? 2 : good.revision;
        assert_string_equal(count_record(&r.count, &bad, &leaf), objections[i]);
    }
    assert_int_equal(r.count.tree.size, 0);

    assert_int_equal(recount_batch(&r, &first, &err), 0);
    assert_int_equal(recount_batch(&r, &second, &err), 0);
    assert_true(hash_eq(&r.chain, &l.fold.chain));
    assert_true(tally_eq(&r.count.tally, &l.fold.count.tally));
    assert_int_equal(r.bytes, l.bytes.len);
    struct hash root = merkle_root(&r.count.tree), want = merkle_root(&l.fold.count.tree);
    assert_true(hash_eq(&root, &want));
    voters_deinit(&fresh);
    kit_log_deinit(&l);
}

static struct commit some_commit(void)
{
    struct commit c;
    memset(&c, 0, sizeof c);
    c.round = 3;
    c.epoch = 9;
    c.leader = 2;
    c.seat = 77;
    c.index = 40;
    c.bytes = 5000;
    c.batches = 12;
    memset(c.chain.bytes, 0xaa, 32);
    memset(c.root.bytes, 0xbb, 32);
    c.holders = 5;
    c.sealed = true;
    tally_init(&c.tally, 3, 2);
    tally_change(&c.tally, -1, 2, 1);
    tally_change(&c.tally, -1, 0, 0);
    return c;
}

static void a_commit_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct commit c = some_commit(), again;
    struct buf b = {0};
    commit_encode(&c, &b);
    assert_int_equal(b.len, 176 + 8 * 6);
    assert_true(commit_decode(buf_slice(&b), &again));
    assert_memory_equal(&c, &again, sizeof c);
    for (size_t len = 0; len < b.len; len++)
        assert_false(commit_decode(slice_of(b.ptr, len), &again));
    b.ptr[b.len - 1]++; /* the sum of the cells is not the number of voters */
    assert_false(commit_decode(buf_slice(&b), &again));
    struct hash closing = commit_closing(&c);
    assert_false(hash_eq(&closing, &c.chain));
    buf_deinit(&b);
}

static struct commit with_losses(void)
{
    struct commit c = some_commit();
    c.loss_count = 2;
    c.losses[0] = (struct loss){.epoch = 4, .from = 30, .to = 20, .batches = 6};
    c.losses[1] = (struct loss){.epoch = 9, .from = 41, .to = 40, .batches = 12};
    memset(c.losses[0].chain.bytes, 0xcc, 32);
    memset(c.losses[1].chain.bytes, 0xaa, 32);
    return c;
}

static void losses_are_read_as_they_were_written(void **state)
{
    (void)state;
    struct commit c = with_losses(), again;
    struct buf b = {0};
    commit_encode(&c, &b);
    assert_int_equal(b.len, 176 + 8 * 6 + 2 * 64);
    assert_true(commit_decode(buf_slice(&b), &again));
    assert_memory_equal(&c, &again, sizeof c);
    assert_int_equal(commit_lost(&again), 11);
    for (size_t len = 0; len < b.len; len++)
        assert_false(commit_decode(slice_of(b.ptr, len), &again));
    buf_deinit(&b);
}

static void losses_that_cannot_be_are_refused(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 8; wrong++) {
        struct commit c = with_losses(), again;
        struct buf b = {0};
        if (wrong == 1)
            c.losses[0].from = c.losses[0].to; /* nothing */
        else if (wrong == 2)
            c.losses[1].epoch = 4; /* not after the one before */
        else if (wrong == 3)
            c.losses[0].epoch = 0;
        else if (wrong == 4)
            c.losses[1].epoch = c.epoch + 1; /* still to come */
        else if (wrong == 6)
            c.index = c.losses[1].to - 1; /* as if there were one that it does not name */
        else if (wrong == 7)
            c.losses[0].batches = c.losses[0].to + 1; /* of nothing */
        commit_encode(&c, &b);
        if (wrong == 5) { /* more than there is room for */
            uint8_t last[64];
            memcpy(last, b.ptr + b.len - sizeof last, sizeof last);
            for (int i = 0; i < LOSSES_MAX - 1; i++)
                buf_put(&b, last, sizeof last);
            b.ptr[126] = LOSSES_MAX + 1;
        }
        assert_true(commit_decode(buf_slice(&b), &again) == (wrong == 0));
        buf_deinit(&b);
    }
}

static void the_nations_node_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct global g, again;
    struct buf b = {0};
    memset(&g, 0, sizeof g);
    g.round = 4;
    g.phase = PHASE_CLOSING;
    g.opened_ms = 5;
    g.closed_ms = 6;
    g.command_id[15] = 1;
    memset(g.config.bytes, 3, 32);
    global_encode(&g, &b);
    assert_true(global_decode(buf_slice(&b), &again));
    assert_memory_equal(&g, &again, sizeof g);
    assert_false(global_decode(slice_of(b.ptr, b.len - 1), &again));
    b.ptr[7] = PHASE_COUNT;
    assert_false(global_decode(buf_slice(&b), &again));
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_has_its_bytes),
        cmocka_unit_test(a_batch_is_read_as_it_was_written),
        cmocka_unit_test(a_batch_that_is_cut_or_changed_anywhere_is_not_valid),
        cmocka_unit_test(the_heading_is_what_the_first_chain_says),
        cmocka_unit_test(the_last_vote_counts_and_each_voter_once),
        cmocka_unit_test(a_recount_refuses_what_does_not_follow),
        cmocka_unit_test(a_commit_is_read_as_it_was_written),
        cmocka_unit_test(losses_are_read_as_they_were_written),
        cmocka_unit_test(losses_that_cannot_be_are_refused),
        cmocka_unit_test(the_nations_node_is_read_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
