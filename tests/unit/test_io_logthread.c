/* links: testlib io base */
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "crash_disk.h"
#include "io/logthread.h"
#include "io/metafile.h"
#include "io/synced.h"
#include "io_store.h"

struct fixture {
    struct crash_disk *disk;
    struct logthread *log;
    sem_t reported;
    uint64_t ticket;
    int64_t zxid;
    struct logthread_report sums; /* of all polls */
};

static void on_report(void *arg)
{
    sem_post(&((struct fixture *)arg)->reported);
}

static void start(struct fixture *f)
{
    struct logthread_options options = {
        .log = {.preallocate_bytes = 64 << 10}, .on_report = on_report, .arg = f};
    assert_int_equal(
        logthread_start(crash_disk_files(f->disk), STORE_PATH, &options, &f->log, NULL), 0);
}

static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    sem_init(&f->reported, 0, 0);
    f->disk = crash_disk_create();
    store_format(crash_disk_files(f->disk));
    start(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    logthread_stop(f->log);
    crash_disk_free(f->disk);
    sem_destroy(&f->reported);
    free(f);
    return 0;
}

static void append(struct fixture *f, size_t len)
{
    struct buf record = {0};
    store_record(&record, ++f->zxid, len);
    logthread_append(f->log, ++f->ticket, f->zxid, buf_slice(&record));
    buf_deinit(&record);
}

/* Sleeps until the next report. */
static void await_report(struct fixture *f, struct logthread_report *ret)
{
    while (sem_wait(&f->reported) < 0)
        assert_int_equal(errno, EINTR);
    logthread_poll(f->log, ret);
    f->sums.sync_count += ret->sync_count;
    f->sums.batch_bytes_sum += ret->batch_bytes_sum;
}

static void await_durable(struct fixture *f, uint64_t ticket)
{
    struct logthread_report report;
    uint64_t before = 0;
    do {
        await_report(f, &report);
        assert_int_equal(report.status, 0);
        assert_true(report.durable_ticket >= before);
        before = report.durable_ticket;
    } while (before < ticket);
    assert_int_equal(logthread_durable(f->log), ticket);
}

static int64_t recovered(struct fixture *f, int64_t *ret_count)
{
    struct store_seen *seen = mem_calloc(1, sizeof *seen);
    int rc = store_recover(crash_disk_files(f->disk), &STORE_OPTIONS, seen);
    if (rc < 0)
        fail_msg("%s", seen->err.text);
    assert_false(seen->wrong);
    int64_t last = seen->result.last_zxid;
    *ret_count = (int64_t)seen->count;
    store_seen_deinit(seen);
    free(seen);
    return last;
}

static void what_is_reported_durable_survives_a_power_loss(void **state)
{
    struct fixture *f = *state;
    for (int turn = 0; turn < 200; turn++) {
        for (int i = 0; i <= turn % 9; i++)
            append(f, 32 + (size_t)turn * 7 % 300);
        if (turn % 50 == 49)
            logthread_roll(f->log, ++f->ticket);
        logthread_submit(f->log);
    }
    await_durable(f, f->ticket);
    assert_int_equal(logthread_queued_bytes(f->log), 0);

    crash_disk_fail_at(f->disk, 1); /* power off while the thread may still be at its side work */
    logthread_stop(f->log);
    f->log = NULL;
    crash_disk_power_cycle(f->disk, 0);
    int64_t count;
    assert_int_equal(recovered(f, &count), f->zxid);
    assert_int_equal(count, f->zxid);
}

static void one_sync_serves_all_that_wait(void **state)
{
    struct fixture *f = *state;
    crash_disk_delay_syncs(f->disk, 2000000);
    append(f, 100);
    logthread_submit(f->log);
    for (int i = 0; i < 300; i++) {
        append(f, 100);
        logthread_submit(f->log);
    }
    await_durable(f, f->ticket);
    assert_in_range(f->sums.sync_count, 1, 100);
    assert_int_equal(f->sums.batch_bytes_sum, 301 * 113);
}

static void a_batch_is_bounded(void **state)
{
    struct fixture *f = *state;
    crash_disk_delay_syncs(f->disk, 1000000);
    for (int i = 0; i < 40; i++) {
        append(f, i == 20 ? 5 << 20 : 300 << 10);
        logthread_submit(f->log);
    }
    uint64_t before = 0;
    struct logthread_report report;
    do {
        await_report(f, &report);
        before = report.durable_ticket;
    } while (before < f->ticket);
    assert_true(f->sums.batch_bytes_sum > 16 << 20);
    assert_true(f->sums.batch_bytes_sum <=
                f->sums.sync_count * (TXNLOG_BATCH_BYTES_MAX + (1 << 20)));
}

static void a_roll_alone_has_a_durable_ticket(void **state)
{
    struct fixture *f = *state;
    logthread_roll(f->log, ++f->ticket);
    logthread_submit(f->log);
    await_durable(f, f->ticket);

    append(f, 40);
    logthread_roll(f->log, ++f->ticket);
    append(f, 40);
    logthread_submit(f->log);
    await_durable(f, f->ticket);
    size_t len;
    assert_non_null(crash_disk_bytes(f->disk, STORE_PATH "/log.1", &len));
    assert_non_null(crash_disk_bytes(f->disk, STORE_PATH "/log.2", &len));
}

static void a_full_disk_is_reported_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    append(f, 100);
    logthread_submit(f->log);
    await_durable(f, 1);
    logthread_roll(f->log, ++f->ticket);
    crash_disk_space(f->disk, 0);
    append(f, 100);
    append(f, 100);
    logthread_submit(f->log);

    struct logthread_report report;
    do
        await_report(f, &report);
    while (report.status == 0);
    assert_int_equal(report.status, ERR_NOSPACE);
    assert_true(report.durable_ticket <= 2);

    append(f, 100);
    logthread_submit(f->log);
    crash_disk_space(f->disk, -1);
    logthread_resume(f->log);
    do
        await_report(f, &report);
    while (report.durable_ticket < f->ticket);
    assert_int_equal(report.status, 0);
    int64_t count;
    assert_int_equal(recovered(f, &count), f->zxid);
    assert_int_equal(count, f->zxid);
}

static void low_space_is_reported_before_an_append_fails(void **state)
{
    struct fixture *f = *state;
    crash_disk_space(f->disk, 8192);
    append(f, 100);
    logthread_submit(f->log);
    struct logthread_report report;
    do
        await_report(f, &report);
    while (!report.space_low);
    assert_int_equal(report.status, 0);
    assert_int_equal(report.durable_ticket, 1);

    crash_disk_space(f->disk, -1);
    logthread_resume(f->log);
    do
        await_report(f, &report);
    while (report.space_low);
}

static void after_a_failed_sync_nothing_becomes_durable(void **state)
{
    struct fixture *f = *state;
    append(f, 100);
    logthread_submit(f->log);
    await_durable(f, 1);

    crash_disk_fail_syncs(f->disk, -EIO);
    append(f, 100);
    logthread_submit(f->log);
    struct logthread_report report;
    do
        await_report(f, &report);
    while (report.status == 0);
    assert_int_equal(report.status, ERR_IO);
    assert_int_equal(report.durable_ticket, 1);

    crash_disk_fail_syncs(f->disk, 0);
    append(f, 100);
    logthread_resume(f->log);
    logthread_stop(f->log);
    f->log = NULL;
    crash_disk_power_cycle(f->disk, 0);
    int64_t count;
    assert_int_equal(recovered(f, &count), 1);
}

/* ---- other work ---- */

struct note_work {
    struct logthread_work work;
    struct fixture *fixture;
    int rc;                /* what it returns, then 0 */
    uint64_t durable_then; /* what was durable when it ran */
    int runs;
    bool freed;
};

static int note_run(struct logthread_work *w, struct err *err)
{
    struct note_work *n = (struct note_work *)(void *)w;
    struct fixture *f = n->fixture;
    n->runs++;
    n->durable_then = logthread_durable(f->log);
    int rc = n->rc;
    n->rc = 0;
    if (rc < 0)
        return err_set(err, rc, "as the test wants");
    return metafile_write(crash_disk_files(f->disk), STORE_PATH, "currentEpoch", n->runs, err);
}

static void note_free(struct logthread_work *w)
{
    ((struct note_work *)(void *)w)->freed = true;
}

static struct note_work note_of(struct fixture *f, int rc)
{
    return (struct note_work){
        .work = {.run = note_run, .free = note_free, .bytes = 1000}, .fixture = f, .rc = rc};
}

static void other_work_is_done_in_the_order_of_the_log(void **state)
{
    struct fixture *f = *state;
    struct note_work first = note_of(f, 0), second = note_of(f, 0);
    second.work.rolls = true;
    append(f, 100);
    append(f, 100);
    logthread_work(f->log, ++f->ticket, &first.work);
    append(f, 100);
    logthread_work(f->log, ++f->ticket, &second.work);
    assert_true(logthread_queued_bytes(f->log) > 2000 ||
                logthread_durable(f->log) > 2); /* they count */
    append(f, 100);
    logthread_submit(f->log);
    await_durable(f, 6);
    assert_int_equal(first.durable_then, 2);
    assert_int_equal(second.durable_then, 4);
    assert_ptr_equal(logthread_done(f->log), &first.work);
    assert_ptr_equal(logthread_done(f->log), &second.work);
    assert_null(logthread_done(f->log));
    assert_false(first.freed); /* it is ours again */
    assert_int_equal(logthread_queued_bytes(f->log), 0);
    /* The second one began another file. */
    assert_int_equal(crash_disk_file_count(f->disk, STORE_PATH), 1 + 2 + 1 + 1);
}

static void other_work_waits_for_space_and_then_is_done(void **state)
{
    struct fixture *f = *state;
    struct note_work note = note_of(f, ERR_NOSPACE);
    logthread_work(f->log, ++f->ticket, &note.work);
    append(f, 100);
    logthread_submit(f->log);
    struct logthread_report report;
    do
        await_report(f, &report);
    while (report.status == 0);
    assert_int_equal(report.status, ERR_NOSPACE);
    assert_int_equal(report.durable_ticket, 0);
    logthread_resume(f->log);
    do
        await_report(f, &report);
    while (report.durable_ticket < 2);
    assert_int_equal(report.status, 0);
    assert_int_equal(note.runs, 2);
    assert_ptr_equal(logthread_done(f->log), &note.work);
}

static void other_work_that_fails_ends_the_log(void **state)
{
    struct fixture *f = *state;
    struct note_work note = note_of(f, ERR_IO), behind = note_of(f, 0);
    logthread_work(f->log, ++f->ticket, &note.work);
    append(f, 100);
    logthread_work(f->log, ++f->ticket, &behind.work);
    logthread_submit(f->log);
    struct logthread_report report;
    do
        await_report(f, &report);
    while (report.status == 0);
    assert_int_equal(report.status, ERR_IO);
    assert_int_equal(report.durable_ticket, 0);
    assert_null(logthread_done(f->log));
    logthread_stop(f->log);
    f->log = NULL;
    assert_true(note.freed && behind.freed);
    assert_int_equal(behind.runs, 0);
}

static void stopping_makes_durable_what_was_appended(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 100; i++)
        append(f, 200);
    logthread_stop(f->log);
    f->log = NULL;
    crash_disk_power_cycle(f->disk, 0);
    int64_t count;
    assert_int_equal(recovered(f, &count), 100);
}

static void the_bound_known_durable_is_the_end_of_the_log_when_it_stops(void **state)
{
    struct fixture *f = *state;
    append(f, 200);
    logthread_submit(f->log);
    await_durable(f, f->ticket);
    struct logthread_report report;
    logthread_poll(f->log, &report);
    append(f, 200);
    logthread_stop(f->log);
    f->log = NULL;
    struct synced bound;
    assert_true(synced_read(crash_disk_files(f->disk), STORE_PATH, &bound));
    assert_int_equal(bound.offset, report.file_bytes + 200 + TXNLOG_FRAME_OVERHEAD);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_reported_durable_survives_a_power_loss),
        TEST(one_sync_serves_all_that_wait),
        TEST(a_batch_is_bounded),
        TEST(a_roll_alone_has_a_durable_ticket),
        TEST(a_full_disk_is_reported_and_loses_nothing),
        TEST(low_space_is_reported_before_an_append_fails),
        TEST(after_a_failed_sync_nothing_becomes_durable),
        TEST(other_work_is_done_in_the_order_of_the_log),
        TEST(other_work_waits_for_space_and_then_is_done),
        TEST(other_work_that_fails_ends_the_log),
        TEST(stopping_makes_durable_what_was_appended),
        TEST(the_bound_known_durable_is_the_end_of_the_log_when_it_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
