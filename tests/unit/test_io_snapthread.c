/* links: testlib io base */
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crash_disk.h"
#include "io/snapthread.h"
#include "io_store.h"

static void on_report(void *arg)
{
    sem_post(arg);
}

static void await(struct snapthread *t, sem_t *reported, struct snapthread_report *ret)
{
    do {
        while (sem_wait(reported) < 0)
            assert_int_equal(errno, EINTR);
        snapthread_poll(t, ret);
    } while (!ret->finished);
}

static void the_thread_writes_reports_aborts_and_fails(void **state)
{
    (void)state;
    struct crash_disk *disk = crash_disk_create();
    struct files *fs = crash_disk_files(disk);
    store_format(fs);
    sem_t reported;
    sem_init(&reported, 0, 0);
    struct snapthread_options options = {.on_report = on_report, .arg = &reported};
    struct snapthread *t;
    assert_int_equal(snapthread_start(fs, STORE_PATH, &options, &t, NULL), 0);
    struct snapthread_report report;
    struct buf body = {0};
    store_body(&body, 4, 500000);

    snapthread_begin(t, 4, slice_of(body.ptr, 100));
    for (size_t at = 100; at < body.len; at += 50000)
        snapthread_chunk(t, slice_of(body.ptr + at, body.len - at < 50000 ? body.len - at : 50000));
    snapthread_end(t, 12);
    await(t, &reported, &report);
    assert_int_equal(report.status, 0);
    assert_int_equal(report.zxid, 4);
    assert_true(report.file_bytes > 500000);

    snapthread_begin(t, 5, buf_slice(&body));
    snapthread_abort(t);
    await(t, &reported, &report);
    assert_int_equal(report.status, ERR_INVALID);
    assert_int_equal(report.zxid, 5);

    crash_disk_space(disk, 10000);
    snapthread_begin(t, 6, buf_slice(&body));
    snapthread_chunk(t, buf_slice(&body));
    snapthread_end(t, 0);
    await(t, &reported, &report);
    assert_int_equal(report.status, ERR_NOSPACE);
    crash_disk_space(disk, -1);

    snapthread_begin(t, 7, buf_slice(&body)); /* never ended: discarded by the stop */
    snapthread_stop(t);
    sem_destroy(&reported);
    buf_deinit(&body);

    struct store_seen seen = {0};
    assert_int_equal(store_recover(fs, &STORE_OPTIONS, &seen), 0);
    assert_int_equal(seen.snapshot_zxid, 4);
    assert_int_equal(crash_disk_file_count(disk, STORE_PATH), 2);
    store_seen_deinit(&seen);
    crash_disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_thread_writes_reports_aborts_and_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
