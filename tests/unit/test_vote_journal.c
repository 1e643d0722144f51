/* links: testlib vote_io */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "crash_disk.h"
#include "vote_io/journal.h"
#include "vote_io/redo.h"
#include "vote_io/votelog.h"

enum {
    LOGS = 2,
    MARKS_MAX = 48,
    STATES_MAX = 400,
    HALF_BYTES = 64 << 10, /* turned often */
    SEEDS = 60,
    LIVES = 6,
    ACTIONS = 120,
    ROUNDS_MAX = 4, /* of one life: the disk has few descriptors */
};

/* ---- what a log is to hold ---- */

struct state {
    uint64_t round, epoch, promised, seen;
    uint64_t marks; /* batches */
    uint64_t ends[MARKS_MAX];
    struct hash chains[MARKS_MAX];
    struct hash genesis;
    struct hash before; /* the end of the log of the round before; all zero: it has no batch */
};

static uint64_t end_of(const struct state *s)
{
    return s->marks > 0 ? s->ends[s->marks - 1] : 0;
}

static struct hash chain_of(const struct state *s)
{
    return s->marks > 0 ? s->chains[s->marks - 1] : s->genesis;
}

struct replica {
    char dir[16];
    struct votelog *log;
    /* As it was after each thing that was persisted; the last is now. */
    struct state states[STATES_MAX];
    size_t count, durable;
    uint64_t ticket, rounds;
};

struct rig {
    struct crash_disk *disk;
    struct files *fs;
    struct journal *journal;
    struct journal_found found;
    struct replica replicas[LOGS];
    uint64_t random;
    uint64_t turns, carried_out, torn;
};

static uint64_t chance(struct rig *r, uint64_t below)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return (r->random >> 11) % below;
}

static int open_all(struct rig *r, struct err *err)
{
    int rc = journal_open(r->fs, "/d", HALF_BYTES, &r->journal, &r->found, err);
    for (size_t i = 0; rc == 0 && i < LOGS; i++)
        rc = votelog_open(r->fs, r->replicas[i].dir, &r->replicas[i].log, err);
    r->carried_out += r->found.records;
    r->torn += r->found.torn;
    return rc;
}

static void close_all(struct rig *r)
{
    journal_close(r->journal);
    r->journal = NULL;
    for (size_t i = 0; i < LOGS; i++) {
        votelog_close(r->replicas[i].log);
        r->replicas[i].log = NULL;
    }
}

static struct rig *rig_new(uint64_t seed)
{
    struct rig *r = mem_calloc(1, sizeof *r);
    struct err err = {""};
    r->disk = crash_disk_create();
    r->fs = crash_disk_files(r->disk);
    r->random = seed * 0x9e3779b97f4a7c15 + 1;
    for (size_t i = 0; i < LOGS; i++) {
        snprintf(r->replicas[i].dir, sizeof r->replicas[i].dir, "/d/S%zu", i);
        r->replicas[i].count = 1;
    }
    if (open_all(r, &err) < 0)
        fail_msg("%s", err.text);
    return r;
}

static void rig_free(struct rig *r)
{
    close_all(r);
    crash_disk_free(r->disk);
    free(r);
}

/* ---- what is persisted ---- */

static struct state *next_state(struct replica *p)
{
    assert_true(p->count < STATES_MAX);
    p->states[p->count] = p->states[p->count - 1];
    return &p->states[p->count++];
}

static int commit(struct rig *r);

/* A failure is the power's, and nothing was written then. */
static int persist(struct rig *r, size_t i, enum shard_persist_type type, uint64_t value,
                   struct slice bytes)
{
    struct replica *p = &r->replicas[i];
    struct err err = {""};
    struct shard_persist e = {.type = type, .value = value, .round = value, .epoch = 1};
    e.ticket = type == SHARD_PERSIST_SEEN ? 0 : ++p->ticket;
    if (type == SHARD_PERSIST_SEEN) {
        e.round = p->states[p->count - 1].round;
        e.value = p->states[p->count - 1].seen;
    }
    int rc = votelog_write(p->log, &e, bytes, journal_block(r->journal), &err);
    if (rc == VOTELOG_WAITS) {
        size_t count = p->count;
        p->count--; /* this one is not among what is committed */
        rc = commit(r);
        p->count = count;
        if (rc == 0)
            rc = votelog_write(p->log, &e, bytes, journal_block(r->journal), &err);
    }
    assert_true(rc == 0 || crash_disk_failed(r->disk));
    return rc;
}

static int begin_round(struct rig *r, size_t i)
{
    struct state *s = next_state(&r->replicas[i]);
    uint8_t bytes[LOG_HEADING_BYTES];
    s->before = s->marks > 0 ? chain_of(s) : (struct hash){0};
    s->round++;
    s->marks = s->seen = 0;
    struct log_heading h = {.round = s->round, .state = "NY"};
    h.config.bytes[0] = (uint8_t)chance(r, 256);
    log_heading_encode(&h, bytes);
    s->genesis = log_genesis(&h);
    return persist(r, i, SHARD_PERSIST_ROUND, s->round, slice_of(bytes, sizeof bytes));
}

static int append(struct rig *r, size_t i)
{
    struct state *s = next_state(&r->replicas[i]);
    struct hash before = chain_of(s);
    struct buf b = {0};
    uint64_t first = end_of(s), count = 1 + chance(r, chance(r, 20) == 0 ? 150 : 12);
    batch_begin(&b, s->round, s->epoch, first, &before);
    for (uint64_t n = 0; n < count; n++) {
        struct record record = {.index = first + n, .cast_ms = (int64_t)chance(r, 1 << 20)};
        uint8_t bytes[RECORD_BYTES];
        record_encode(&record, bytes);
        buf_put(&b, bytes, sizeof bytes);
    }
    struct batch batch = batch_end_writing(&b, 0);
    s->ends[s->marks] = batch_end(&batch);
    s->chains[s->marks++] = batch.chain;
    int rc = persist(r, i, SHARD_PERSIST_APPEND, first, batch.bytes);
    buf_deinit(&b);
    return rc;
}

static int cut(struct rig *r, size_t i)
{
    struct state *s = next_state(&r->replicas[i]);
    uint64_t keep = s->seen;
    while (keep > 0 && s->marks > 0 && s->ends[s->marks - 1] > s->seen && chance(r, 3) > 0)
        s->marks--;
    if (s->seen == 0)
        s->marks = chance(r, s->marks + 1);
    s->epoch++;
    return persist(r, i, SHARD_PERSIST_TRUNCATE, end_of(s), slice_str(""));
}

static int promise(struct rig *r, size_t i)
{
    struct state *s = next_state(&r->replicas[i]);
    s->promised++;
    return persist(r, i, SHARD_PERSIST_PROMISE, s->promised, slice_str(""));
}

static int see(struct rig *r, size_t i)
{
    struct state *s = next_state(&r->replicas[i]);
    s->seen = end_of(s);
    return persist(r, i, SHARD_PERSIST_SEEN, 0, slice_str(""));
}

/* ---- as the disk's threads do it ---- */

static int settle(struct rig *r)
{
    struct err err;
    for (size_t i = 0; i < LOGS; i++) {
        int rc = votelog_sync(r->replicas[i].log, &err);
        if (rc < 0)
            return rc;
    }
    journal_settled(r->journal);
    return 0;
}

static int commit(struct rig *r)
{
    struct err err = {""};
    int rc = 0;
    if (!journal_has_room(r->journal)) {
        rc = journal_is_settled(r->journal) ? 0 : settle(r);
        rc = rc < 0 ? rc : journal_turn(r->journal, &err);
        r->turns++;
    }
    rc = rc < 0 ? rc : journal_commit(r->journal, &err);
    for (size_t i = 0; rc == 0 && i < LOGS; i++) {
        struct replica *p = &r->replicas[i];
        p->durable = p->count - 1;
        votelog_safe(p->log);
    }
    if (rc < 0 && !crash_disk_failed(r->disk))
        fail_msg("%s", err.text);
    return rc;
}

static int put_something(struct rig *r, size_t i)
{
    struct replica *p = &r->replicas[i];
    const struct state *now = &p->states[p->count - 1];
    uint64_t what = chance(r, 20);
    if (now->round == 0 || (what == 0 && p->rounds < ROUNDS_MAX)) {
        p->rounds++;
        return begin_round(r, i);
    }
    if (what < 3)
        return promise(r, i);
    if (what < 6)
        return see(r, i);
    if (what < 9 || now->marks == MARKS_MAX)
        return cut(r, i);
    return append(r, i);
}

static int act(struct rig *r)
{
    struct err err;
    size_t i = chance(r, LOGS);
    switch (chance(r, 13)) {
    case 12:
        return journal_wants_ahead(r->journal) ? journal_go_ahead(r->journal, &err) : 0;
    case 0:
        return votelog_flush(r->replicas[i].log, &err);
    case 1:
        return votelog_sync(r->replicas[i].log, &err);
    case 2:
        return chance(r, 4) == 0 ? settle(r) : 0;
    case 3:
    case 4:
    case 5:
        return commit(r);
    default:
        if (journal_block_is_full(r->journal) && commit(r) < 0)
            return ERR_POISONED;
        return put_something(r, i);
    }
}

/* ---- what is found ---- */

static bool is_found(const struct replica *p, const struct state *s)
{
    const struct shard_disk *d = votelog_found(p->log);
    uint64_t end = d->base.end;
    struct hash expected = chain_of(s), chain = d->base.end > 0 ? d->base.chain : s->genesis;
    if (d->mark_count > 0) {
        end = d->marks[d->mark_count - 1].end;
        chain = d->marks[d->mark_count - 1].chain;
    }
    return d->round == s->round && d->promised == s->promised && end == end_of(s) &&
           (end == 0 || hash_eq(&chain, &expected));
}

/* The log of the round before is left alone, and recounts read it. */
static void judge_log_before(struct rig *r, const struct replica *p, const struct state *s)
{
    static const struct hash none;
    char name[32], path[64];
    size_t len;
    if (hash_eq(&s->before, &none))
        return;
    redo_log_name(s->round - 1, name);
    snprintf(path, sizeof path, "%s/%s", p->dir, name);
    const uint8_t *bytes = crash_disk_bytes(r->disk, path, &len);
    assert_non_null(bytes);
    assert_true(len > SHA256_BYTES);
    assert_memory_equal(bytes + len - SHA256_BYTES, s->before.bytes, SHA256_BYTES);
}

/* A prefix, with everything that was said to be durable; the replica goes on from there. */
static void judge(struct rig *r, uint64_t seed)
{
    for (size_t i = 0; i < LOGS; i++) {
        struct replica *p = &r->replicas[i];
        size_t at = p->durable;
        while (at < p->count && !is_found(p, &p->states[at]))
            at++;
        if (at == p->count)
            fail_msg("seed %llu: log %zu is not as it was at any time since its last sync: round "
                     "%llu, promised %llu",
                     (unsigned long long)seed, i, (unsigned long long)votelog_found(p->log)->round,
                     (unsigned long long)votelog_found(p->log)->promised);
        uint8_t record[RECORD_BYTES];
        for (uint64_t n = 0; n < end_of(&p->states[at]); n += 7)
            assert_true(votelog_read(p->log, n, record));
        judge_log_before(r, p, &p->states[at]);
        p->states[0] = p->states[at];
        const struct shard_disk *found = votelog_found(p->log);
        p->states[0].seen = found->seen_round == found->round ? found->seen_index : 0;
        assert_true(p->states[0].seen <= end_of(&p->states[0]));
        p->states[0].epoch += 2;
        p->count = 1;
        p->durable = p->rounds = 0;
        p->ticket = 0;
    }
}

/* Power fails, or the process is killed, at any call, also while the journal is carried out: what
 * was reported is there, and what is there was so at some time. */
static void whatever_a_crash_leaves_is_a_prefix(void **state)
{
    (void)state;
    uint64_t turns = 0, carried_out = 0, torn = 0, while_opening = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct rig *r = rig_new(seed);
        for (int life = 0; life < LIVES; life++) {
            struct err err = {""};
            crash_disk_fail_at(r->disk,
                               crash_disk_calls(r->disk) + 1 + chance(r, chance(r, 2) ? 10 : 220));
            for (int n = 0; n < ACTIONS && act(r) >= 0; n++)
                ;
            close_all(r);
            bool power = chance(r, 4) > 0;
            for (bool again = true; again;) {
                if (power)
                    crash_disk_power_cycle(r->disk, chance(r, UINT32_MAX));
                else
                    crash_disk_restart(r->disk);
                power = true;
                again = chance(r, 3) == 0;
                crash_disk_fail_at(r->disk,
                                   again ? crash_disk_calls(r->disk) + 1 + chance(r, 12) : 0);
                int rc = open_all(r, &err);
                if (rc == 0)
                    break;
                if (!crash_disk_failed(r->disk))
                    fail_msg("seed %llu, life %d: %s", (unsigned long long)seed, life, err.text);
                while_opening++;
                close_all(r);
                again = true;
            }
            crash_disk_fail_at(r->disk, 0);
            judge(r, seed);
        }
        turns += r->turns;
        carried_out += r->carried_out;
        torn += r->torn;
        rig_free(r);
    }
    assert_true(turns > SEEDS && carried_out > 10 * SEEDS && torn > 0 && while_opening > SEEDS);
}

/* ---- single cases ---- */

static void batches(struct rig *r, int count)
{
    for (int n = 0; n < count; n++) {
        assert_int_equal(append(r, 0), 0);
        assert_int_equal(commit(r), 0);
    }
}

static struct rig *rig_with_batches(int count)
{
    struct rig *r = rig_new(1);
    assert_int_equal(begin_round(r, 0), 0);
    batches(r, count);
    return r;
}

static void assert_refused(struct rig *r, const char *what)
{
    struct err err = {""};
    close_all(r);
    crash_disk_restart(r->disk);
    assert_int_equal(open_all(r, &err), ERR_CORRUPT);
    if (strstr(err.text, what) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, what);
}

static void assert_found(struct rig *r, uint64_t records)
{
    struct err err = {""};
    close_all(r);
    crash_disk_power_cycle(r->disk, 3);
    if (open_all(r, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(r->found.records, records);
    judge(r, 0);
}

static uint8_t *copy_of_journal(struct rig *r, size_t *ret_len)
{
    const uint8_t *bytes = crash_disk_bytes(r->disk, "/d/journal", ret_len);
    assert_non_null(bytes);
    return mem_dup(bytes, *ret_len);
}

static void damage_journal(struct rig *r, size_t at)
{
    size_t len;
    uint8_t *copy = copy_of_journal(r, &len);
    assert_true(at < len);
    copy[at] ^= 1;
    crash_disk_put(r->disk, "/d/journal", copy, len);
    free(copy);
}

/* No file of a log was written or synced. */
static void what_only_the_journal_has_is_found(void **state)
{
    (void)state;
    struct rig *r = rig_with_batches(3);
    assert_found(r, 5); /* with the round and its note */
    assert_int_equal(votelog_found(r->replicas[0].log)->mark_count, 3);
    assert_found(r, 5); /* once more, to the same end: nothing was written since */
    batches(r, 1);
    assert_found(r, 1);
    rig_free(r);
}

static void after_an_orderly_end_nothing_is_carried_out(void **state)
{
    (void)state;
    struct rig *r = rig_with_batches(3);
    struct err err;
    assert_int_equal(settle(r), 0);
    assert_int_equal(journal_finish(r->journal, &err), 0);
    assert_found(r, 0);
    rig_free(r);
}

/* Generation 3 is the one that a second start writes, in the second half. */
static void damage_is_refused_with_its_place(void **state)
{
    (void)state;
    struct rig *r = rig_with_batches(3);
    damage_journal(r, 4096 + 100); /* the first of three */
    assert_refused(r, "'/d/journal': byte 4096: damaged, and whole blocks behind it");
    damage_journal(r, 4096 + 100);
    damage_journal(r, 20);
    assert_refused(r, "byte 0: neither half begins with a block");
    damage_journal(r, 20);
    assert_found(r, 5);
    batches(r, 3);
    damage_journal(r, HALF_BYTES + 20); /* 2 is whole, and 3 has blocks behind its first */
    assert_refused(r, "byte 65536: damaged, and whole blocks behind it");
    rig_free(r);
}

/* A write that went elsewhere: each of the blocks is whole. */
static void a_block_in_the_place_of_another_is_refused(void **state)
{
    (void)state;
    struct rig *r = rig_with_batches(3);
    size_t len;
    uint8_t *copy = copy_of_journal(r, &len);
    assert_true(len > 4 * 4096);
    memcpy(copy + 2 * 4096, copy + 4096, 4096);
    crash_disk_put(r->disk, "/d/journal", copy, len);
    free(copy);
    assert_refused(r, "byte 8192: damaged, and whole blocks behind it");
    rig_free(r);
}

/* The last block was written and not synced when the process was killed, and cuts what only the
 * files have. Power fails when it is carried out: it must be on disk by then, or not have been. */
static void a_block_is_on_disk_before_it_is_carried_out(void **state)
{
    (void)state;
    bool failed = true;
    for (uint64_t call = 1; failed; call++) {
        struct rig *r = rig_with_batches(3);
        struct err err = {""};
        assert_int_equal(settle(r), 0);
        assert_int_equal(journal_turn(r->journal, &err), 0);
        batches(r, 1);
        assert_int_equal(settle(r), 0);
        batches(r, 1); /* from here on the first half is not needed */
        struct state *s = next_state(&r->replicas[0]);
        s->marks = 1;
        assert_int_equal(persist(r, 0, SHARD_PERSIST_TRUNCATE, end_of(s), slice_str("")), 0);
        crash_disk_fail_syncs(r->disk, -5);
        assert_int_equal(journal_commit(r->journal, &err), ERR_IO);
        crash_disk_fail_syncs(r->disk, 0);
        close_all(r);
        crash_disk_restart(r->disk);

        crash_disk_fail_at(r->disk, crash_disk_calls(r->disk) + call);
        failed = open_all(r, &err) < 0;
        crash_disk_fail_at(r->disk, 0);
        close_all(r);
        crash_disk_power_cycle(r->disk, call);
        if (open_all(r, &err) < 0)
            fail_msg("call %llu: %s", (unsigned long long)call, err.text);
        judge(r, call);
        rig_free(r);
        assert_true(call < 100);
    }
}

/* What the last write was to be is in no file, so nobody was told. */
static void a_torn_last_block_is_passed_over(void **state)
{
    (void)state;
    struct rig *r = rig_with_batches(3);
    damage_journal(r, 3 * 4096 + 100);
    r->replicas[0].durable--;
    close_all(r);
    crash_disk_restart(r->disk);
    struct err err;
    assert_int_equal(open_all(r, &err), 0);
    assert_true(r->found.torn);
    assert_int_equal(votelog_found(r->replicas[0].log)->mark_count, 2);
    judge(r, 0);
    rig_free(r);
}

/* The half before is needed until the files of its logs are on disk, and no longer. */
static void a_generation_is_needed_until_it_is_settled(void **state)
{
    (void)state;
    for (int settled = 0; settled < 2; settled++) {
        struct rig *r = rig_with_batches(3);
        struct err err;
        assert_int_equal(journal_turn(r->journal, &err), 0);
        batches(r, 2);
        if (settled) {
            assert_int_equal(settle(r), 0);
            batches(r, 1);
        }
        damage_journal(r, 2 * 4096 + 100); /* of the half before */
        if (settled)
            assert_found(r, 3);
        else
            assert_refused(r, "byte 8192: damaged, and still needed");
        rig_free(r);
    }
}

static void a_log_that_is_gone_is_missed(void **state)
{
    (void)state;
    struct rig *r = rig_with_batches(3);
    assert_int_equal(settle(r), 0);
    batches(r, 1);
    close_all(r);
    assert_int_equal(r->fs->unlink(r->fs, "/d/S0/log-0000000000000001"), 0);
    assert_int_equal(r->fs->unlink(r->fs, "/d/S0/notes"), 0);
    assert_refused(r, "'/d/S0/notes', which is not there");
    rig_free(r);
}

/* The files are said to be on disk while a cut, that the journal does not have yet, has taken what
 * was to go there: power fails before the journal has it, too. */
static void what_a_later_cut_takes_goes_to_the_file_before(void **state)
{
    (void)state;
    struct rig *r = rig_with_batches(3);
    struct err err;
    assert_int_equal(settle(r), 0);
    for (uint64_t first = 2; first > 0; first--) { /* a cut, then a batch in its place */
        struct state *s = next_state(&r->replicas[0]);
        s->marks = first;
        s->epoch++;
        assert_int_equal(persist(r, 0, SHARD_PERSIST_TRUNCATE, end_of(s), slice_str("")), 0);
        if (first == 2)
            batches(r, 1);
        if (first == 2)
            assert_int_equal(journal_turn(r->journal, &err), 0);
    }
    assert_int_equal(settle(r), 0);
    assert_int_equal(journal_turn(r->journal, &err), 0); /* as if the block had found no room */
    assert_found(r, 0);
    rig_free(r);
}

/* Rounds that begin and end one after the other, and a disk that has sixteen descriptors. */
static void a_round_that_is_over_needs_no_descriptor(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    struct err err = {""};
    for (int n = 0; n < 28; n++) {
        assert_int_equal(begin_round(r, 0), 0);
        assert_int_equal(commit(r), 0);
        assert_int_equal(votelog_flush(r->replicas[0].log, &err), 0);
    }
    assert_int_equal(r->turns, 1);
    close_all(r);
    crash_disk_power_cycle(r->disk, 3);
    if (open_all(r, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(r->found.records, 2 * 28);
    judge(r, 0);
    assert_int_equal(settle(r), 0);
    rig_free(r);
}

static void records_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct redo wrong[] = {
        {.kind = REDO_WRITE, .at = 100}, {.kind = REDO_CUT, .round = 1, .at = UINT64_MAX},
        {.kind = REDO_NOTES, .at = 2},   {.kind = REDO_NOTES + 1, .round = 1},
        {.kind = 0, .round = 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct rig *r = rig_with_batches(1);
        struct redo e = wrong[i];
        e.folder = slice_str("S0");
        redo_put(journal_block(r->journal), &e);
        assert_int_equal(commit(r), 0);
        assert_refused(r, "a record that is none");
        rig_free(r);
    }
    uint8_t bytes[REDO_HEADING_BYTES + 2] = {REDO_NOTES, 2};
    struct redo e;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct slice rest = slice_of(bytes, len);
        memcpy(bytes + REDO_HEADING_BYTES, "..", 2); /* not out of the folder */
        assert_false(redo_take(&rest, &e));
    }
    memcpy(bytes + REDO_HEADING_BYTES, "NY", 2);
    struct slice rest = slice_of(bytes, sizeof bytes);
    assert_true(redo_take(&rest, &e));
    assert_int_equal(rest.len, 0);
}

static void after_a_failed_sync_nothing_is_written(void **state)
{
    (void)state;
    struct rig *r = rig_with_batches(1);
    struct err err = {""};
    crash_disk_fail_syncs(r->disk, -5);
    assert_int_equal(append(r, 0), 0);
    assert_int_equal(journal_commit(r->journal, &err), ERR_IO);
    crash_disk_fail_syncs(r->disk, 0);
    assert_int_equal(journal_commit(r->journal, &err), ERR_POISONED);
    assert_found(r, 4);
    rig_free(r);
}

static void room_is_made_ahead_and_is_no_block(void **state)
{
    (void)state;
    struct rig *r = rig_with_batches(1);
    struct err err = {""};
    assert_true(journal_wants_ahead(r->journal));
    for (int pieces = 0; journal_wants_ahead(r->journal); pieces++) {
        assert_in_range(pieces, 0, 100);
        assert_int_equal(journal_go_ahead(r->journal, &err), 0);
    }
    batches(r, 1);
    crash_disk_fail_syncs(r->disk, -5);
    assert_int_equal(journal_go_ahead(r->journal, &err), ERR_IO);
    crash_disk_fail_syncs(r->disk, 0);
    assert_int_equal(journal_go_ahead(r->journal, &err), ERR_POISONED);
    assert_int_equal(journal_commit(r->journal, &err), ERR_POISONED);
    assert_found(r, 4);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_a_crash_leaves_is_a_prefix),
        cmocka_unit_test(what_only_the_journal_has_is_found),
        cmocka_unit_test(after_an_orderly_end_nothing_is_carried_out),
        cmocka_unit_test(damage_is_refused_with_its_place),
        cmocka_unit_test(a_block_in_the_place_of_another_is_refused),
        cmocka_unit_test(a_block_is_on_disk_before_it_is_carried_out),
        cmocka_unit_test(a_torn_last_block_is_passed_over),
        cmocka_unit_test(a_generation_is_needed_until_it_is_settled),
        cmocka_unit_test(a_log_that_is_gone_is_missed),
        cmocka_unit_test(what_a_later_cut_takes_goes_to_the_file_before),
        cmocka_unit_test(a_round_that_is_over_needs_no_descriptor),
        cmocka_unit_test(records_that_are_none_are_refused),
        cmocka_unit_test(after_a_failed_sync_nothing_is_written),
        cmocka_unit_test(room_is_made_ahead_and_is_no_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
