/* links: testlib io base */
/* Files that are taken back to an earlier zxid, replaced by another server's state, or read for a
 * learner; with the power failing at every call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "crash_disk.h"
#include "io/logread.h"
#include "io/rewind.h"
#include "io/synced.h"
#include "io_store.h"

enum {
    LAST = 100,
    SEEDS = 24,
    EPOCH_2 = 2 /* its zxids are EPOCH_2 << 32 | counter */
};

static const int64_t NEWER = (int64_t)EPOCH_2 << 32 | 5;

struct world {
    struct crash_disk *disk;
    struct files *fs;
    struct store_seen *seen;
    struct err err;
};

/* One file of the log from `from` to `to`, left durable. */
static void write_log(struct files *fs, int64_t from, int64_t to)
{
    struct txnlog_options options = {.preallocate_bytes = 16 << 10};
    struct txnlog *log;
    assert_int_equal(txnlog_open(fs, STORE_PATH, &options, &log, NULL), 0);
    for (int64_t zxid = from; zxid <= to; zxid++) {
        struct buf frames = {0};
        store_frame(&frames, zxid, 40 + (size_t)(zxid % 7) * 30);
        assert_int_equal(txnlog_append(log, zxid, buf_slice(&frames)), 0);
        assert_int_equal(txnlog_sync(log, NULL), 0);
        buf_deinit(&frames);
        if (zxid % 5 == 0)
            assert_int_equal(txnlog_idle(log, NULL), 0);
    }
    txnlog_close(log);
}

/* Snapshots 0, 40, 80; logs 1-50, 51-90, 91-100. */
static void setup_world(struct world *w)
{
    w->disk = crash_disk_create();
    w->fs = crash_disk_files(w->disk);
    store_format(w->fs);
    write_log(w->fs, 1, 50);
    assert_int_equal(store_write_snapshot(w->fs, 40, 700, SNAP_PLAIN, NULL), 0);
    write_log(w->fs, 51, 90);
    assert_int_equal(store_write_snapshot(w->fs, 80, 700, SNAP_PLAIN, NULL), 0);
    write_log(w->fs, 91, LAST);
}

static void recover_world(struct world *w)
{
    assert_int_equal(store_recover(w->fs, &STORE_OPTIONS, w->seen), 0);
    struct store_seen *seen = w->seen;
    assert_false(seen->wrong);
    assert_true(seen->snapshot_done);
    assert_true(seen->snapshot_zxid == seen->result.snapshot_zxid);
    assert_int_equal(seen->result.gap_count, 0);
    assert_int_equal(seen->result.repeat_count, 0);
}

static int truncate_world(struct world *w, int64_t zxid)
{
    struct rewind_result result;
    return rewind_to(w->fs, STORE_PATH, STORE_PATH, zxid, &result, &w->err);
}

static int install_world(struct world *w, int64_t zxid)
{
    struct snapfile_options options = {.method = SNAP_PLAIN};
    struct snapfile *file;
    struct buf body = {0};
    int rc = snapfile_create(w->fs, STORE_PATH, zxid, &options, &file, &w->err);
    if (rc < 0)
        return rc;
    store_body(&body, zxid, 900);
    rc = snapfile_write(file, buf_slice(&body), &w->err);
    buf_deinit(&body);
    if (rc == 0)
        rc = snapfile_finish(file, 7, &w->err);
    if (rc < 0) {
        snapfile_discard(file);
        return rc;
    }
    struct rewind_result result;
    return rewind_install(w->fs, STORE_PATH, STORE_PATH, zxid, file, &result, &w->err);
}

/* ---- going back ---- */

static void everything_behind_a_zxid_goes(void **state)
{
    (void)state;
    struct world w = {.seen = mem_calloc(1, sizeof *w.seen)};
    static const int64_t to[] = {1, 39, 40, 41, 50, 51, 79, 80, 81, 90, 91, 99, 100};
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        setup_world(&w);
        assert_int_equal(truncate_world(&w, to[i]), 0);
        crash_disk_power_cycle(w.disk, i);
        recover_world(&w);
        assert_int_equal(w.seen->result.last_zxid, to[i]);
        assert_int_equal(w.seen->result.snapshot_zxid, to[i] >= 80 ? 80 : to[i] >= 40 ? 40 : 0);

        /* And another history begins there, under names that were taken before. */
        int64_t next = to[i] + 1;
        write_log(w.fs, next, next + 2);
        crash_disk_power_cycle(w.disk, i);
        recover_world(&w);
        assert_int_equal(w.seen->result.last_zxid, next + 2);
        crash_disk_free(w.disk);
    }
    store_seen_deinit(w.seen);
    free(w.seen);
}

/* How far a file was durable says nothing of the one that takes its name. */
static void the_bound_known_durable_goes_with_the_log(void **state)
{
    (void)state;
    struct world w = {.seen = NULL};
    struct synced bound;
    struct txnlog *log;
    struct buf frames = {0};
    setup_world(&w);
    assert_true(synced_read(w.fs, STORE_PATH, &bound));
    assert_int_equal(truncate_world(&w, 50), 0);
    crash_disk_power_cycle(w.disk, 1);
    assert_false(synced_read(w.fs, STORE_PATH, &bound));

    /* A writer that has it open begins another one with its next file. */
    store_frame(&frames, 51, 100);
    store_frame(&frames, 52, 100);
    struct slice both = buf_slice(&frames);
    struct slice one = slice_of(both.ptr, both.len / 2), two = slice_from(both, both.len / 2);
    assert_int_equal(txnlog_open(w.fs, STORE_PATH, &(struct txnlog_options){0}, &log, NULL), 0);
    assert_int_equal(txnlog_append(log, 51, one), 0);
    assert_int_equal(txnlog_sync(log, NULL), 0);
    assert_int_equal(txnlog_idle(log, NULL), 0);
    txnlog_roll(log);
    assert_true(synced_read(w.fs, STORE_PATH, &bound));
    assert_int_equal(truncate_world(&w, 51), 0);
    assert_false(synced_read(w.fs, STORE_PATH, &bound));
    assert_int_equal(txnlog_append(log, 52, two), 0);
    assert_int_equal(txnlog_sync(log, NULL), 0);
    assert_int_equal(txnlog_idle(log, NULL), 0);
    assert_true(synced_read(w.fs, STORE_PATH, &bound));
    assert_int_equal(bound.file_zxid, 52);
    txnlog_close(log);
    buf_deinit(&frames);
    crash_disk_free(w.disk);
}

/* Runs `act` with the power failing at each of its calls; the recovered state must stand between
 * the new one and the old one. */
static void at_every_call(int (*act)(struct world *w, int64_t zxid), int64_t zxid, int64_t lowest)
{
    struct world w = {.seen = mem_calloc(1, sizeof *w.seen)};
    unsigned crashes = 0;
    for (uint64_t call = 1, done = 0; !done; call++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            setup_world(&w);
            crash_disk_fail_at(w.disk, crash_disk_calls(w.disk) + call);
            int rc = act(&w, zxid);
            done = !crash_disk_failed(w.disk);
            crashes += !done;
            assert_true(rc == 0 || !done);
            crash_disk_power_cycle(w.disk, seed);
            recover_world(&w);
            int64_t last = w.seen->result.last_zxid;
            if (rc == 0)
                assert_int_equal(last, zxid);
            else
                assert_true((last >= lowest && last <= LAST) || last == zxid);

            /* Ordered again, it is done. */
            assert_int_equal(act(&w, zxid), 0);
            crash_disk_power_cycle(w.disk, seed);
            recover_world(&w);
            assert_int_equal(w.seen->result.last_zxid, zxid);
            crash_disk_free(w.disk);
        }
    }
    assert_true(crashes > 3 * SEEDS);
    store_seen_deinit(w.seen);
    free(w.seen);
}

static void a_truncation_that_power_interrupts_leaves_a_beginning_of_the_log(void **state)
{
    (void)state;
    at_every_call(truncate_world, 30, 30);
    at_every_call(truncate_world, 60, 60);
    at_every_call(truncate_world, 90, 90);
}

static void what_the_files_do_not_reach_back_to_is_refused_and_nothing_changes(void **state)
{
    (void)state;
    struct world w = {.seen = mem_calloc(1, sizeof *w.seen)};
    setup_world(&w);
    uint64_t calls = crash_disk_calls(w.disk);
    assert_int_equal(truncate_world(&w, 101), ERR_NOTFOUND);
    assert_int_equal(truncate_world(&w, NEWER), ERR_NOTFOUND);
    struct files *fs = w.fs;
    assert_int_equal(crash_disk_calls(w.disk), calls);

    /* The oldest snapshot is gone, and so is what it would be needed for. */
    assert_int_equal(file_remove(fs, STORE_PATH, "snapshot.0", NULL), 0);
    calls = crash_disk_calls(w.disk);
    assert_int_equal(truncate_world(&w, 30), ERR_NOTFOUND);
    assert_int_equal(crash_disk_calls(w.disk), calls);
    crash_disk_free(w.disk);
    store_seen_deinit(w.seen);
    free(w.seen);
}

static void a_damaged_log_is_not_truncated(void **state)
{
    (void)state;
    struct world w = {.seen = NULL};
    setup_world(&w);
    size_t len;
    uint8_t *bytes = crash_disk_bytes(w.disk, STORE_PATH "/log.33", &len);
    assert_non_null(bytes);
    bytes[TXNLOG_HEADER_BYTES + 40] ^= 1;
    assert_int_equal(truncate_world(&w, 60), ERR_CORRUPT);
    crash_disk_free(w.disk);
}

/* ---- another server's state ---- */

static void an_installed_state_takes_the_place_of_the_old_one(void **state)
{
    (void)state;
    struct world w = {.seen = mem_calloc(1, sizeof *w.seen)};
    static const int64_t at[] = {30, 60, 80, 95, 100, NEWER};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        setup_world(&w);
        assert_int_equal(install_world(&w, at[i]), 0);
        crash_disk_power_cycle(w.disk, i);
        recover_world(&w);
        assert_int_equal(w.seen->result.snapshot_zxid, at[i]);
        assert_int_equal(w.seen->result.last_zxid, at[i]);
        write_log(w.fs, at[i] + 1, at[i] + 4);
        crash_disk_power_cycle(w.disk, i);
        recover_world(&w);
        assert_int_equal(w.seen->result.last_zxid, at[i] + 4);
        crash_disk_free(w.disk);
    }
    store_seen_deinit(w.seen);
    free(w.seen);
}

static void an_install_that_power_interrupts_leaves_the_old_or_the_new_state(void **state)
{
    (void)state;
    at_every_call(install_world, NEWER, LAST);
    at_every_call(install_world, 60, 60);
}

/* ---- reading for a learner ---- */

struct read {
    int64_t zxids[256];
    size_t count, pieces;
    enum logread_result how;
};

static void read_all(struct files *fs, int64_t after, int64_t until, double factor,
                     struct read *ret)
{
    *ret = (struct read){0};
    struct logread_options options = {.snap_dir = STORE_PATH,
                                      .log_dir = STORE_PATH,
                                      .after = after,
                                      .until = until,
                                      .snapshot_factor = factor};
    struct logread *r = logread_open(fs, &options);
    do {
        struct buf out = {0};
        struct err err;
        ret->how = logread_next(r, &out, &err);
        ret->pieces++;
        for (size_t at = 0; at < out.len && ret->how != LOGREAD_MISSING;) {
            uint32_t len = load_be32(out.ptr + at);
            assert_true(at + 4 + len <= out.len);
            assert_true(ret->count < 256);
            ret->zxids[ret->count++] = (int64_t)load_be64(out.ptr + at + 4 + 12);
            at += 4 + len;
        }
        buf_deinit(&out);
    } while (ret->how == LOGREAD_MORE);
    logread_close(r);
}

static void the_past_is_read_across_files_beginning_with_what_the_learner_has(void **state)
{
    (void)state;
    struct world w = {.seen = NULL};
    struct read r;
    setup_world(&w);
    static const int64_t after[] = {1, 30, 50, 51, 89, 99};
    for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
        read_all(w.fs, after[i], 97, 0, &r);
        assert_int_equal(r.how, LOGREAD_END);
        int64_t until = after[i] < 97 ? 97 : after[i];
        assert_int_equal(r.count, until - after[i] + 1);
        for (size_t k = 0; k < r.count; k++)
            assert_int_equal(r.zxids[k], after[i] + (int64_t)k);
    }
    /* It ends where the log ends, and says so. */
    read_all(w.fs, 98, 200, 0, &r);
    assert_int_equal(r.how, LOGREAD_END);
    assert_int_equal(r.count, 3);
    /* A zxid of another history: what comes before it is shown. */
    read_all(w.fs, (int64_t)1 << 32 | 3, (int64_t)1 << 32 | 9, 0, &r);
    assert_int_equal(r.how, LOGREAD_END);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.zxids[0], 100);
    crash_disk_free(w.disk);
}

static void a_past_that_is_too_long_ago_or_too_large_is_missing(void **state)
{
    (void)state;
    struct world w = {.seen = NULL};
    struct read r;
    setup_world(&w);
    read_all(w.fs, 0, 97, 0, &r);
    assert_int_equal(r.how, LOGREAD_MISSING);
    read_all(w.fs, 30, 97, 1000, &r);
    assert_int_equal(r.how, LOGREAD_END);
    read_all(w.fs, 30, 97, 2, &r);
    assert_int_equal(r.how, LOGREAD_MISSING);
    assert_int_equal(file_remove(w.fs, STORE_PATH, "log.1", NULL), 0);
    read_all(w.fs, 30, 97, 0, &r);
    assert_int_equal(r.how, LOGREAD_MISSING);
    crash_disk_free(w.disk);
}

static void a_history_with_a_hole_is_missing(void **state)
{
    (void)state;
    struct world w = {.seen = NULL};
    struct read r;
    /* A file in the middle is gone. */
    setup_world(&w);
    assert_int_equal(file_remove(w.fs, STORE_PATH, "log.33", NULL), 0);
    read_all(w.fs, 45, 97, 0, &r);
    assert_int_equal(r.how, LOGREAD_MISSING);
    crash_disk_free(w.disk);
    /* The end of an epoch came as a snapshot; the numbers alone do not show it. */
    setup_world(&w);
    assert_int_equal(install_world(&w, 103), 0);
    write_log(w.fs, (int64_t)EPOCH_2 << 32 | 1, (int64_t)EPOCH_2 << 32 | 4);
    read_all(w.fs, 95, (int64_t)EPOCH_2 << 32 | 3, 0, &r);
    assert_int_equal(r.how, LOGREAD_MISSING);
    read_all(w.fs, (int64_t)EPOCH_2 << 32 | 1, (int64_t)EPOCH_2 << 32 | 3, 0, &r);
    assert_int_equal(r.how, LOGREAD_END);
    assert_int_equal(r.count, 3);
    crash_disk_free(w.disk);
    /* ... also when a purge was interrupted that has taken the snapshot, and not yet the log. */
    setup_world(&w);
    assert_int_equal(install_world(&w, 103), 0);
    write_log(w.fs, (int64_t)EPOCH_2 << 32 | 1, (int64_t)EPOCH_2 << 32 | 4);
    assert_int_equal(store_write_snapshot(w.fs, (int64_t)EPOCH_2 << 32 | 2, 700, SNAP_PLAIN, NULL),
                     0);
    static const char *const purged[] = {"snapshot.0", "snapshot.28", "snapshot.50", "snapshot.67"};
    for (size_t i = 0; i < sizeof purged / sizeof *purged; i++)
        assert_int_equal(file_remove(w.fs, STORE_PATH, purged[i], NULL), 0);
    read_all(w.fs, 95, (int64_t)EPOCH_2 << 32 | 3, 0, &r);
    assert_int_equal(r.how, LOGREAD_MISSING);
    read_all(w.fs, (int64_t)EPOCH_2 << 32 | 1, (int64_t)EPOCH_2 << 32 | 3, 0, &r);
    assert_int_equal(r.how, LOGREAD_END);
    crash_disk_free(w.disk);
    /* Damage. */
    setup_world(&w);
    size_t len;
    uint8_t *bytes = crash_disk_bytes(w.disk, STORE_PATH "/log.33", &len);
    bytes[TXNLOG_HEADER_BYTES + 40] ^= 1;
    read_all(w.fs, 45, 97, 0, &r);
    assert_int_equal(r.how, LOGREAD_MISSING);
    crash_disk_free(w.disk);
}

static void a_long_past_comes_in_pieces(void **state)
{
    (void)state;
    struct crash_disk *disk = crash_disk_create();
    struct files *fs = crash_disk_files(disk);
    store_format(fs);
    struct txnlog *log;
    assert_int_equal(
        txnlog_open(fs, STORE_PATH, &(struct txnlog_options){.no_sync = true}, &log, NULL), 0);
    for (int64_t zxid = 1; zxid <= 40; zxid++) {
        struct buf frames = {0};
        store_frame(&frames, zxid, 100 << 10);
        assert_int_equal(txnlog_append(log, zxid, buf_slice(&frames)), 0);
        assert_int_equal(txnlog_sync(log, NULL), 0);
        buf_deinit(&frames);
    }
    txnlog_close(log);
    struct read r;
    read_all(fs, 1, 40, 0, &r);
    assert_int_equal(r.how, LOGREAD_END);
    assert_int_equal(r.count, 40);
    assert_true(r.pieces >= 4);
    crash_disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_behind_a_zxid_goes),
        cmocka_unit_test(the_bound_known_durable_goes_with_the_log),
        cmocka_unit_test(a_truncation_that_power_interrupts_leaves_a_beginning_of_the_log),
        cmocka_unit_test(what_the_files_do_not_reach_back_to_is_refused_and_nothing_changes),
        cmocka_unit_test(a_damaged_log_is_not_truncated),
        cmocka_unit_test(an_installed_state_takes_the_place_of_the_old_one),
        cmocka_unit_test(an_install_that_power_interrupts_leaves_the_old_or_the_new_state),
        cmocka_unit_test(the_past_is_read_across_files_beginning_with_what_the_learner_has),
        cmocka_unit_test(a_past_that_is_too_long_ago_or_too_large_is_missing),
        cmocka_unit_test(a_history_with_a_hole_is_missing),
        cmocka_unit_test(a_long_past_comes_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
