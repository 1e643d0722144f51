/* links: testlib election */
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "crash_disk.h"
#include "election/disk.h"
#include "vote_kit.h"

enum {
    LOGS = 3,
    BATCHES = 400,
    HALF_BYTES = 32 << 10, /* the journal turns, many times */
};

struct rig {
    char dir[32], dirs[LOGS][64];
    struct files *fs;
    struct crash_disk *crash; /* NULL: the files are real */
    struct journal *journal;
    struct kit_log kits[LOGS];
    struct votelog *logs[LOGS];
    struct disk *disk;
    struct disk_log *queues[LOGS];
    uint64_t tickets[LOGS], durable[LOGS];
    sem_t reports;
};

static void on_report(void *arg)
{
    struct rig *r = arg;
    sem_post(&r->reports);
}

/* Returns what the journal had that the logs might not. */
static uint64_t start(struct rig *r)
{
    struct disk_options o = {.on_report = on_report, .arg = r};
    struct journal_found found;
    struct err err = {""};
    if (journal_open(r->fs, r->dir, HALF_BYTES, &r->journal, &found, &err) < 0)
        fail_msg("%s", err.text);
    r->disk = disk_start(r->journal, &o);
    return found.records;
}

static struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    sem_init(&r->reports, 0, 0);
    for (size_t i = 0; i < LOGS; i++)
        kit_log_init(&r->kits[i]);
    return r;
}

static void open_logs(struct rig *r)
{
    for (size_t i = 0; i < LOGS; i++) {
        struct err err = {""};
        snprintf(r->dirs[i], sizeof r->dirs[i], "%s/S%zu", r->dir, i);
        if (votelog_open(r->fs, r->dirs[i], &r->logs[i], &err) < 0)
            fail_msg("%s", err.text);
        r->queues[i] = disk_add(r->disk, r->logs[i], &r->durable[i]);
    }
}

static void close_logs(struct rig *r)
{
    disk_stop(r->disk);
    journal_close(r->journal);
    for (size_t i = 0; i < LOGS; i++)
        votelog_close(r->logs[i]);
}

static void rig_free(struct rig *r)
{
    for (size_t i = 0; i < LOGS; i++)
        kit_log_deinit(&r->kits[i]);
    sem_destroy(&r->reports);
    free(r);
}

static int begin(void **state)
{
    struct rig *r = rig_new();
    r->fs = files_posix();
    memcpy(r->dir, "/tmp/disk-XXXXXX", 17);
    assert_non_null(mkdtemp(r->dir));
    start(r);
    open_logs(r);
    *state = r;
    return 0;
}

static int end(void **state)
{
    struct rig *r = *state;
    char path[96];
    close_logs(r);
    for (size_t i = 0; i < LOGS; i++) {
        snprintf(path, sizeof path, "%s/log-%016x", r->dirs[i], 7);
        unlink(path);
        snprintf(path, sizeof path, "%s/notes", r->dirs[i]);
        unlink(path);
        rmdir(r->dirs[i]);
    }
    snprintf(path, sizeof path, "%s/journal", r->dir);
    unlink(path);
    assert_int_equal(rmdir(r->dir), 0);
    rig_free(r);
    return 0;
}

static int begin_on_crash_disk(void **state)
{
    struct rig *r = rig_new();
    r->crash = crash_disk_create();
    r->fs = crash_disk_files(r->crash);
    memcpy(r->dir, "/d", 3);
    start(r);
    open_logs(r);
    *state = r;
    return 0;
}

static int end_on_crash_disk(void **state)
{
    struct rig *r = *state;
    close_logs(r);
    crash_disk_free(r->crash);
    rig_free(r);
    return 0;
}

static void put(struct rig *r, size_t log, enum shard_persist_type type, uint64_t value,
                struct slice bytes)
{
    struct shard_persist p = {.type = type, .ticket = ++r->tickets[log], .value = value};
    disk_put(r->queues[log], &p, bytes);
}

static void begin_round(struct rig *r, size_t log)
{
    uint8_t heading[LOG_HEADING_BYTES];
    log_heading_encode(&r->kits[log].heading, heading);
    put(r, log, SHARD_PERSIST_ROUND, 7, slice_of(heading, sizeof heading));
}

static void put_batch(struct rig *r, size_t log, int number)
{
    struct batch b = kit_vote(&r->kits[log], number % KIT_VOTERS, 1);
    put(r, log, SHARD_PERSIST_APPEND, b.first, b.bytes);
}

static void take_reports(struct rig *r)
{
    uint64_t ticket = 0;
    for (uint64_t *durable; (durable = disk_poll(r->disk, &ticket)) != NULL;) {
        assert_true(ticket > *durable);
        *durable = ticket;
    }
}

static void wait_durable(struct rig *r, size_t log)
{
    while (r->durable[log] < r->tickets[log]) {
        sem_wait(&r->reports);
        take_reports(r);
        assert_int_equal(disk_status(r->disk, NULL), 0);
    }
}

/* Records that are reported durable are read while later ones are being written. */
static void what_is_durable_can_be_read_while_more_is_written(void **state)
{
    struct rig *r = *state;
    uint8_t bytes[RECORD_BYTES];
    for (size_t i = 0; i < LOGS; i++)
        begin_round(r, i);
    for (int n = 0; n < BATCHES; n++) {
        for (size_t i = 0; i < LOGS; i++)
            put_batch(r, i, n);
        disk_submit(r->disk);
        take_reports(r);
        for (size_t i = 0; i < LOGS; i++) {
            if (r->durable[i] < 2)
                continue;
            uint64_t index = (uint64_t)n % (r->durable[i] - 1);
            struct buf batches = {0};
            struct err err;
            assert_true(votelog_read(r->logs[i], index, bytes));
            assert_int_equal(record_decode(bytes).index, index);
            assert_int_equal(votelog_batches(r->logs[i], 7, index, index + 1, 1, &batches, &err),
                             0);
            assert_true(batches.len > RECORD_BYTES);
            buf_deinit(&batches);
        }
    }
    for (size_t i = 0; i < LOGS; i++)
        wait_durable(r, i);
    struct disk_report report;
    disk_get_report(r->disk, &report);
    assert_int_equal(report.queued_bytes, 0);
    assert_true(report.syncs > 0 && report.bytes > 4 * HALF_BYTES);
}

static void what_was_put_is_on_disk_when_it_stops(void **state)
{
    struct rig *r = *state;
    struct err err;
    begin_round(r, 0);
    for (int n = 0; n < 5; n++)
        put_batch(r, 0, n);
    disk_stop(r->disk);
    journal_close(r->journal);
    votelog_close(r->logs[0]);
    assert_int_equal(start(r), 0);
    assert_int_equal(votelog_open(r->fs, r->dirs[0], &r->logs[0], &err), 0);
    assert_int_equal(votelog_found(r->logs[0])->mark_count, 5);
}

/* Nothing behind a failure is reported, and the others are not either. */
static void a_failure_ends_it(void **state)
{
    struct rig *r = *state;
    struct err err = {""};
    begin_round(r, 0);
    put_batch(r, 0, 0);
    disk_submit(r->disk);
    wait_durable(r, 0);
    put(r, 0, SHARD_PERSIST_APPEND, 9, slice_str("not a batch"));
    disk_submit(r->disk);
    while (disk_status(r->disk, &err) == 0)
        sem_wait(&r->reports);
    assert_int_equal(disk_status(r->disk, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "batch"));
    take_reports(r);
    assert_int_equal(r->durable[0], r->tickets[0] - 1);
    begin_round(r, 1);
    disk_submit(r->disk);
    take_reports(r);
    assert_int_equal(r->durable[1], 0);
}

static uint64_t batches_found(const struct votelog *l)
{
    return votelog_found(l)->mark_count;
}

/* The journal turns faster than files are synced; then power fails. */
static void a_generation_is_given_up_when_the_files_are_on_disk(void **state)
{
    struct rig *r = *state;
    for (size_t i = 0; i < LOGS; i++)
        begin_round(r, i);
    for (int n = 0; n < 6 * HALF_BYTES / 4096; n++) {
        for (size_t i = 0; i < LOGS; i++)
            put_batch(r, i, n);
        disk_submit(r->disk);
        for (size_t i = 0; i < LOGS; i++)
            wait_durable(r, i);
    }
    uint64_t durable = r->tickets[0] - 1; /* and the round */
    crash_disk_fail_at(r->crash, crash_disk_calls(r->crash) + 1);
    close_logs(r);
    crash_disk_power_cycle(r->crash, 1);
    crash_disk_fail_at(r->crash, 0);
    start(r);
    open_logs(r);
    for (size_t i = 0; i < LOGS; i++)
        assert_int_equal(batches_found(r->logs[i]), durable);
}

static void what_could_not_be_synced_is_not_durable(void **state)
{
    struct rig *r = *state;
    begin_round(r, 0);
    disk_submit(r->disk);
    wait_durable(r, 0);
    crash_disk_fail_syncs(r->crash, -5);
    put_batch(r, 0, 0);
    disk_submit(r->disk);
    while (disk_status(r->disk, NULL) == 0)
        sem_wait(&r->reports);
    take_reports(r);
    assert_int_equal(r->durable[0], r->tickets[0] - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_durable_can_be_read_while_more_is_written, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_was_put_is_on_disk_when_it_stops, begin, end),
        cmocka_unit_test_setup_teardown(a_failure_ends_it, begin, end),
        cmocka_unit_test_setup_teardown(a_generation_is_given_up_when_the_files_are_on_disk,
                                        begin_on_crash_disk, end_on_crash_disk),
        cmocka_unit_test_setup_teardown(what_could_not_be_synced_is_not_durable,
                                        begin_on_crash_disk, end_on_crash_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
