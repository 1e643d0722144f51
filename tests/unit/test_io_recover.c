/* links: testlib io base */
/* What recovery makes of damage: which is refused, with which offset, and which is cut. */
#include <inttypes.h>
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
#include "io/names.h"
#include "io/txnlog.h"
#include "io_store.h"

enum {
    RECORDS_PER_FILE = 6,
    RECORD_BYTES = 50,
    FRAME_BYTES = RECORD_BYTES + 13
};

#define FIRST_LOG  STORE_PATH "/log.1"
#define SECOND_LOG STORE_PATH "/log.7"
#define SYNCED     STORE_PATH "/" NAME_SYNCED

struct fixture {
    struct crash_disk *disk;
    struct files *fs;
    struct store_seen *seen;
};

/* snapshot.0, log.1 with zxids 1..6, log.7 with 7..12, and the bound. */
static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    f->disk = crash_disk_create();
    f->fs = crash_disk_files(f->disk);
    f->seen = mem_calloc(1, sizeof *f->seen);
    store_format(f->fs);

    struct txnlog_options options = {.preallocate_bytes = 8192};
    struct txnlog *log;
    assert_int_equal(txnlog_open(f->fs, STORE_PATH, &options, &log, NULL), 0);
    for (int64_t zxid = 1; zxid <= 2 * RECORDS_PER_FILE; zxid++) {
        if (zxid == RECORDS_PER_FILE + 1)
            txnlog_roll(log);
        struct buf frame = {0};
        store_frame(&frame, zxid, RECORD_BYTES);
        assert_int_equal(txnlog_append(log, zxid, buf_slice(&frame)), 0);
        assert_int_equal(txnlog_sync(log, NULL), 0);
        assert_int_equal(txnlog_idle(log, NULL), 0);
        buf_deinit(&frame);
    }
    txnlog_close(log);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_seen_deinit(f->seen);
    free(f->seen);
    crash_disk_free(f->disk);
    free(f);
    return 0;
}

static uint8_t *bytes_of(struct fixture *f, const char *path)
{
    size_t len;
    uint8_t *bytes = crash_disk_bytes(f->disk, path, &len);
    assert_non_null(bytes);
    return bytes;
}

static void expect_recovered(struct fixture *f, int64_t last)
{
    int rc = store_recover(f->fs, &STORE_OPTIONS, f->seen);
    if (rc < 0)
        fail_msg("refused: %s", f->seen->err.text);
    assert_false(f->seen->wrong);
    assert_int_equal(f->seen->result.last_zxid, last);
    assert_int_equal(f->seen->count, last - f->seen->result.snapshot_zxid);
}

static void expect_refused(struct fixture *f, const char *path, int64_t offset)
{
    char place[64];
    snprintf(place, sizeof place, "at offset %" PRId64 ":", offset);
    int rc = store_recover(f->fs, &STORE_OPTIONS, f->seen);
    if (rc != ERR_CORRUPT || !strstr(f->seen->err.text, path) || !strstr(f->seen->err.text, place))
        fail_msg("%d, '%s' instead of damage in %s %s", rc, f->seen->err.text, path, place);
}

static void a_whole_log_is_replayed(void **state)
{
    struct fixture *f = *state;
    expect_recovered(f, 12);
    assert_false(f->seen->result.cut);
    assert_int_equal(f->seen->result.gap_count, 0);
}

static void every_changed_byte_of_durable_records_is_refused_at_its_record(void **state)
{
    struct fixture *f = *state;
    const char *const paths[] = {FIRST_LOG, SECOND_LOG};
    for (int file = 0; file < 2; file++) {
        uint8_t *bytes = bytes_of(f, paths[file]);
        for (int64_t at = 16; at < 16 + RECORDS_PER_FILE * FRAME_BYTES; at++) {
            for (int bit = 0; bit < 8; bit++) {
                bytes[at] ^= (uint8_t)(1 << bit);
                expect_refused(f, paths[file], at - (at - 16) % FRAME_BYTES);
                bytes[at] ^= (uint8_t)(1 << bit);
            }
        }
    }
    expect_recovered(f, 12);
}

static void durable_records_that_became_zeros_are_refused(void **state)
{
    struct fixture *f = *state;
    const char *const paths[] = {FIRST_LOG, SECOND_LOG};
    for (int file = 0; file < 2; file++)
        for (int first = 0; first < RECORDS_PER_FILE; first++)
            for (int last = first; last < RECORDS_PER_FILE; last++) {
                uint8_t saved[RECORDS_PER_FILE * FRAME_BYTES];
                uint8_t *bytes = bytes_of(f, paths[file]) + 16;
                memcpy(saved, bytes, sizeof saved);
                memset(bytes + first * FRAME_BYTES, 0, (size_t)(last - first + 1) * FRAME_BYTES);
                if (file == 0 && last == RECORDS_PER_FILE - 1) {
                    /* Nothing but zeros until the end: only the missing zxids tell. */
                    assert_int_equal(store_recover(f->fs, &STORE_OPTIONS, f->seen), 0);
                    assert_int_equal(f->seen->result.gap_count, 1);
                    assert_int_equal(f->seen->result.gap_after_zxid, first);
                } else {
                    expect_refused(f, paths[file], 16 + first * FRAME_BYTES);
                }
                memcpy(bytes_of(f, paths[file]) + 16, saved, sizeof saved);
            }
}

static void a_changed_magic_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *const paths[] = {FIRST_LOG, SECOND_LOG};
    for (int file = 0; file < 2; file++)
        for (int at = 0; at < 4; at++) {
            bytes_of(f, paths[file])[at] ^= 0x10;
            assert_int_equal(store_recover(f->fs, &STORE_OPTIONS, f->seen), ERR_CORRUPT);
            assert_non_null(strstr(f->seen->err.text, paths[file]));
            bytes_of(f, paths[file])[at] ^= 0x10;
        }
}

static void a_header_of_zeros_over_durable_records_is_refused(void **state)
{
    struct fixture *f = *state;
    memset(bytes_of(f, SECOND_LOG), 0, 16);
    assert_int_equal(store_recover(f->fs, &STORE_OPTIONS, f->seen), ERR_CORRUPT);
    assert_non_null(strstr(f->seen->err.text, SECOND_LOG));
}

static void garbage_behind_the_durable_end_is_cut_for_good(void **state)
{
    struct fixture *f = *state;
    memset(bytes_of(f, SECOND_LOG) + 16 + RECORDS_PER_FILE * FRAME_BYTES, 0xa5, 700);
    expect_recovered(f, 12);
    assert_true(f->seen->result.cut);
    assert_int_equal(f->seen->result.cut_file_zxid, 7);
    assert_int_equal(f->seen->result.cut_offset, 16 + RECORDS_PER_FILE * FRAME_BYTES);
    assert_int_equal(f->seen->result.cut_bytes, 700);

    crash_disk_power_cycle(f->disk, 0);
    expect_recovered(f, 12);
    assert_false(f->seen->result.cut);
}

static void a_torn_last_record_is_cut_at_every_length(void **state)
{
    struct fixture *f = *state;
    size_t len;
    uint8_t *whole = mem_dup(crash_disk_bytes(f->disk, SECOND_LOG, &len), 8192);
    for (size_t kept = 16; kept < 16 + RECORDS_PER_FILE * FRAME_BYTES; kept++) {
        int64_t last = RECORDS_PER_FILE + (int64_t)(kept - 16) / FRAME_BYTES;
        for (int padded = 0; padded < 2; padded++) {
            crash_disk_put(f->disk, SYNCED, "", 0); /* as after a power loss: nothing known */
            crash_disk_put(f->disk, SECOND_LOG, whole, kept);
            if (padded) {
                uint8_t *torn = mem_calloc(1, 8192);
                memcpy(torn, whole, kept);
                crash_disk_put(f->disk, SECOND_LOG, torn, 8192);
                free(torn);
            }
            expect_recovered(f, last);
        }
    }
    free(whole);
}

/* A write that was never acknowledged cannot be longer than a batch. */
static void garbage_longer_than_a_batch_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t records = 16 + RECORDS_PER_FILE * FRAME_BYTES;
    size_t len = records + TXNLOG_BATCH_BYTES_MAX + 64;
    uint8_t *bytes = mem_calloc(1, len);
    memcpy(bytes, bytes_of(f, SECOND_LOG), records);
    bytes[records + 5] = 1;
    crash_disk_put(f->disk, SYNCED, "", 0);

    bytes[records + TXNLOG_BATCH_BYTES_MAX + 40] = 1;
    crash_disk_put(f->disk, SECOND_LOG, bytes, len);
    expect_refused(f, SECOND_LOG, (int64_t)records);

    struct recover_options larger = STORE_OPTIONS;
    larger.record_bytes_max = TXNLOG_BATCH_BYTES_MAX + 100;
    assert_int_equal(store_recover(f->fs, &larger, f->seen), 0);
    assert_true(f->seen->result.cut);
    free(bytes);
}

static void a_file_zookeeper_shortened_is_believed(void **state)
{
    struct fixture *f = *state;
    int fd = f->fs->open(f->fs, SECOND_LOG, FILE_WRITE);
    assert_int_equal(f->fs->resize(f->fs, fd, 16 + 2 * FRAME_BYTES), 0);
    f->fs->close(f->fs, fd);
    expect_recovered(f, 8);
}

static void a_bound_of_another_file_with_the_same_name_is_ignored(void **state)
{
    struct fixture *f = *state;
    struct buf file = {0};
    buf_put(&file, bytes_of(f, SECOND_LOG), 16);
    store_frame(&file, 7, RECORD_BYTES + 10); /* other records than the bound speaks of */
    buf_put(&file, "\0\0\0\0", 4);
    buf_put(&file, (uint8_t[600]){0}, 600);
    crash_disk_put(f->disk, SECOND_LOG, file.ptr, file.len);
    buf_deinit(&file);
    expect_recovered(f, 7);
}

/* Killed in a write and started again, ZooKeeper leaves the beginning of a record at the end of a
 * file. */
static void a_leftover_of_zookeeper_is_passed_over_if_nothing_is_missing(void **state)
{
    struct fixture *f = *state;
    struct buf partial = {0};
    store_frame(&partial, 7, RECORD_BYTES);
    memcpy(bytes_of(f, FIRST_LOG) + 16 + RECORDS_PER_FILE * FRAME_BYTES, partial.ptr, 30);
    expect_recovered(f, 12);
    assert_false(f->seen->result.cut);

    /* The same, but the next file goes on one later: a transaction is missing. */
    crash_disk_put(f->disk, SECOND_LOG, bytes_of(f, SECOND_LOG), 16);
    struct buf later = {0};
    buf_put(&later, "ZKLG\0\0\0\2\0\0\0\0\0\0\0", 16);
    store_frame(&later, 8, RECORD_BYTES);
    crash_disk_put(f->disk, SECOND_LOG, later.ptr, later.len);
    expect_refused(f, FIRST_LOG, 16 + RECORDS_PER_FILE * FRAME_BYTES);
    buf_deinit(&partial);
    buf_deinit(&later);
}

static void a_file_that_was_just_being_made_is_removed(void **state)
{
    struct fixture *f = *state;
    static const uint8_t zeros[5000];
    const char *path = STORE_PATH "/log.d";
    size_t len;
    for (size_t size = 0; size <= 5000; size = size * 3 + 1) {
        crash_disk_put(f->disk, path, zeros, size);
        expect_recovered(f, 12);
        assert_null(crash_disk_bytes(f->disk, path, &len));
    }
    for (size_t size = 0; size <= 16; size++) {
        crash_disk_put(f->disk, path, "ZKLG\0\0\0\2\0\0\0\0\0\0\0", size);
        expect_recovered(f, 12);
        assert_null(crash_disk_bytes(f->disk, path, &len));
    }
}

/* Two starts that got no further than the header: the next append may need either name. */
static void files_without_a_record_make_way_for_the_next(void **state)
{
    struct fixture *f = *state;
    crash_disk_put(f->disk, STORE_PATH "/log.d", "ZKLG\0\0\0\2\0\0\0\0\0\0\0", 16);
    crash_disk_put(f->disk, STORE_PATH "/log.e", "ZKLG\0\0\0\2\0\0\0\0\0\0\0", 16);
    expect_recovered(f, 12);
    size_t len;
    assert_null(crash_disk_bytes(f->disk, STORE_PATH "/log.d", &len));
    assert_null(crash_disk_bytes(f->disk, STORE_PATH "/log.e", &len));
}

static void an_empty_file_before_the_last_is_refused(void **state)
{
    struct fixture *f = *state;
    crash_disk_put(f->disk, FIRST_LOG, "", 0);
    assert_int_equal(store_recover(f->fs, &STORE_OPTIONS, f->seen), ERR_CORRUPT);
    assert_non_null(strstr(f->seen->err.text, FIRST_LOG));
}

static void names_that_are_no_logs_are_ignored(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"log.5.bak", "log.",          "log.0A",
                                        "log.00b",   "log.zz",        "log.ffffffffffffffff",
                                        "logs.5",    "snapshot.5.tmp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[FILE_PATH_MAX];
        file_path(path, STORE_PATH, names[i], NULL);
        crash_disk_put(f->disk, path, "rubbish", 7);
    }
    expect_recovered(f, 12);
}

/* ---- snapshots and logs together ---- */

static void replay_begins_behind_the_newest_snapshot(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_write_snapshot(f->fs, 9, 500, SNAP_GZIP, NULL), 0);
    expect_recovered(f, 12);
    assert_int_equal(f->seen->snapshot_zxid, 9);
    assert_int_equal(f->seen->zxids[0], 10);
    assert_int_equal(f->seen->result.snapshot_tail.digest, 27);
}

static void a_damaged_snapshot_is_replaced_by_an_older_one_and_more_log(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_write_snapshot(f->fs, 9, 500, SNAP_PLAIN, NULL), 0);
    bytes_of(f, STORE_PATH "/snapshot.9")[100] ^= 1;
    expect_recovered(f, 12);
    assert_int_equal(f->seen->snapshot_zxid, 0);
    assert_int_equal(f->seen->result.snapshots_refused, 1);
    assert_non_null(strstr(f->seen->result.snapshot_err.text, "snapshot.9"));
}

static void an_older_snapshot_whose_log_does_not_reach_far_enough_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_write_snapshot(f->fs, 0x20, 500, SNAP_PLAIN, NULL), 0);
    bytes_of(f, STORE_PATH "/snapshot.20")[100] ^= 1;
    assert_int_equal(store_recover(f->fs, &STORE_OPTIONS, f->seen), ERR_CORRUPT);
    assert_non_null(strstr(f->seen->err.text, "snapshot 20"));
}

/* What only the newer snapshot has is missing in the middle: it came from a leader. */
static void an_older_snapshot_is_refused_where_only_the_newer_one_has_what_is_between(void **state)
{
    struct fixture *f = *state;
    static const int64_t behind[] = {0x21, (int64_t)1 << 32 | 1};
    for (size_t i = 0; i < 2; i++) {
        struct buf frame = {0};
        struct txnlog *log;
        assert_int_equal(store_write_snapshot(f->fs, 0x20, 500, SNAP_PLAIN, NULL), 0);
        assert_int_equal(txnlog_open(f->fs, STORE_PATH, &(struct txnlog_options){0}, &log, NULL),
                         0);
        store_frame(&frame, behind[i], RECORD_BYTES);
        assert_int_equal(txnlog_append(log, behind[i], buf_slice(&frame)), 0);
        assert_int_equal(txnlog_sync(log, NULL), 0);
        txnlog_close(log);
        buf_deinit(&frame);
        assert_int_equal(store_recover(f->fs, &STORE_OPTIONS, f->seen), 0);
        assert_true(f->seen->result.last_zxid == behind[i]);

        bytes_of(f, STORE_PATH "/snapshot.20")[100] ^= 1;
        assert_int_equal(store_recover(f->fs, &STORE_OPTIONS, f->seen), ERR_CORRUPT);
        assert_non_null(strstr(f->seen->err.text, "snapshot 20"));
        if (i == 0)
            assert_int_equal(f->fs->unlink(f->fs, STORE_PATH "/log.21"), 0);
    }
}

static void logs_without_a_snapshot_are_refused_unless_trusted(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->fs->unlink(f->fs, STORE_PATH "/snapshot.0"), 0);
    assert_int_equal(store_recover(f->fs, &STORE_OPTIONS, f->seen), ERR_CORRUPT);
    assert_non_null(strstr(f->seen->err.text, "snapshot.trust.empty"));

    struct recover_options trusting = STORE_OPTIONS;
    trusting.trust_empty = true;
    assert_int_equal(store_recover(f->fs, &trusting, f->seen), 0);
    assert_int_equal(f->seen->count, 12);
}

static void an_empty_database_is_trusted_by_autocreate_or_by_the_initialize_file(void **state)
{
    struct fixture *f = *state;
    struct crash_disk *disk = crash_disk_create();
    struct files *fs = crash_disk_files(disk);
    struct recover_options careful = STORE_OPTIONS;
    careful.no_auto_create = true;
    assert_int_equal(store_recover(fs, &careful, f->seen), 0);
    assert_true(f->seen->result.empty && f->seen->result.untrusted);
    assert_int_equal(f->seen->result.last_zxid, -1);

    crash_disk_put(disk, STORE_DIR "/initialize", "", 0);
    assert_int_equal(store_recover(fs, &careful, f->seen), 0);
    assert_true(f->seen->result.empty && !f->seen->result.untrusted);
    assert_int_equal(f->seen->result.last_zxid, 0);
    size_t len;
    assert_null(crash_disk_bytes(disk, STORE_DIR "/initialize", &len));

    assert_int_equal(store_recover(fs, &STORE_OPTIONS, f->seen), 0);
    assert_false(f->seen->result.untrusted);
    crash_disk_free(disk);
}

static void snapshots_and_logs_in_each_others_directory_are_refused(void **state)
{
    struct fixture *f = *state;
    struct recover_options apart = {.snap_dir = "/d", .log_dir = "/other"};
    assert_int_equal(store_recover(f->fs, &apart, f->seen), ERR_INVALID);
    struct recover_options missing = {.snap_dir = "/x", .log_dir = "/x", .no_dir_create = true};
    assert_int_equal(store_recover(f->fs, &missing, f->seen), ERR_NOTFOUND);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_log_is_replayed),
        TEST(every_changed_byte_of_durable_records_is_refused_at_its_record),
        TEST(durable_records_that_became_zeros_are_refused),
        TEST(a_changed_magic_is_refused),
        TEST(a_header_of_zeros_over_durable_records_is_refused),
        TEST(garbage_behind_the_durable_end_is_cut_for_good),
        TEST(a_torn_last_record_is_cut_at_every_length),
        TEST(garbage_longer_than_a_batch_is_refused),
        TEST(a_file_zookeeper_shortened_is_believed),
        TEST(a_bound_of_another_file_with_the_same_name_is_ignored),
        TEST(a_leftover_of_zookeeper_is_passed_over_if_nothing_is_missing),
        TEST(a_file_that_was_just_being_made_is_removed),
        TEST(files_without_a_record_make_way_for_the_next),
        TEST(an_empty_file_before_the_last_is_refused),
        TEST(names_that_are_no_logs_are_ignored),
        TEST(replay_begins_behind_the_newest_snapshot),
        TEST(a_damaged_snapshot_is_replaced_by_an_older_one_and_more_log),
        TEST(an_older_snapshot_whose_log_does_not_reach_far_enough_is_refused),
        TEST(an_older_snapshot_is_refused_where_only_the_newer_one_has_what_is_between),
        TEST(logs_without_a_snapshot_are_refused_unless_trusted),
        TEST(an_empty_database_is_trusted_by_autocreate_or_by_the_initialize_file),
        TEST(snapshots_and_logs_in_each_others_directory_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
