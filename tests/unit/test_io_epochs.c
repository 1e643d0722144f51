/* links: testlib io base */
/* The two numbers a server stands for, and a server that loses power while it takes over another
 * history. */
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
#include "io/epochs.h"
#include "io/metafile.h"
#include "io/rewind.h"
#include "io_store.h"

#define ZXID(epoch, counter) ((int64_t)(epoch) << 32 | (counter))

struct disk {
    struct crash_disk *disk;
    struct files *fs;
    struct epochs epochs;
    struct err err;
};

static struct disk make_disk(void)
{
    struct disk d = {.disk = crash_disk_create()};
    d.fs = crash_disk_files(d.disk);
    return d;
}

static void put(struct disk *d, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/d/%s", name);
    crash_disk_put(d->disk, path, text, strlen(text));
}

static int load(struct disk *d, int64_t last_zxid)
{
    return epochs_load(d->fs, "/d", last_zxid, &d->epochs, &d->err);
}

static void missing_epochs_are_those_of_the_last_transaction(void **state)
{
    (void)state;
    struct disk d = make_disk();
    assert_int_equal(load(&d, ZXID(7, 3)), 0);
    assert_int_equal(d.epochs.accepted, 7);
    assert_int_equal(d.epochs.current, 7);
    crash_disk_power_cycle(d.disk, 1);
    int64_t value;
    assert_int_equal(metafile_read(d.fs, "/d", "acceptedEpoch", &value, NULL), 0);
    assert_int_equal(value, 7);
    assert_int_equal(metafile_read(d.fs, "/d", "currentEpoch", &value, NULL), 0);
    assert_int_equal(value, 7);
    crash_disk_free(d.disk);
}

static void epochs_are_read_as_they_were_written(void **state)
{
    (void)state;
    struct disk d = make_disk();
    assert_int_equal(epochs_write_accepted(d.fs, "/d", 9, NULL), 0);
    assert_int_equal(epochs_write_current(d.fs, "/d", 8, NULL), 0);
    assert_int_equal(load(&d, ZXID(8, 1)), 0);
    assert_int_equal(d.epochs.accepted, 9);
    assert_int_equal(d.epochs.current, 8);
    put(&d, "currentEpoch", "8\n"); /* as an editor leaves it */
    assert_int_equal(load(&d, 0), 0);
    crash_disk_free(d.disk);
}

static void epochs_that_contradict_the_log_or_each_other_are_refused(void **state)
{
    (void)state;
    struct disk d = make_disk();
    put(&d, "currentEpoch", "3");
    put(&d, "acceptedEpoch", "3");
    assert_int_equal(load(&d, ZXID(4, 1)), ERR_CORRUPT);
    put(&d, "acceptedEpoch", "2");
    assert_int_equal(load(&d, ZXID(3, 1)), ERR_CORRUPT);
    put(&d, "acceptedEpoch", "three");
    assert_int_equal(load(&d, ZXID(3, 1)), ERR_CORRUPT);
    crash_disk_free(d.disk);
}

static void an_unfinished_current_epoch_counts_if_it_fits(void **state)
{
    (void)state;
    struct disk d = make_disk();
    put(&d, "currentEpoch", "3");
    put(&d, "acceptedEpoch", "5");
    put(&d, "currentEpoch.tmp", "5");
    assert_int_equal(load(&d, ZXID(5, 1)), 0);
    assert_int_equal(d.epochs.current, 5);
    /* An old one that does not reach, or nothing: the server stands for its old epoch. */
    put(&d, "currentEpoch", "3");
    put(&d, "currentEpoch.tmp", "4");
    assert_int_equal(load(&d, ZXID(5, 1)), 0);
    assert_int_equal(d.epochs.current, 3);
    put(&d, "currentEpoch.tmp", "");
    assert_int_equal(load(&d, ZXID(5, 1)), 0);
    assert_int_equal(d.epochs.current, 3);
    crash_disk_free(d.disk);
}

/* ---- a learner is given another history ---- */

enum {
    SEEDS = 24
};

static int append(struct files *fs, int64_t from, int64_t to)
{
    struct txnlog *log;
    struct buf frames = {0};
    struct err err;
    int rc = txnlog_open(fs, STORE_PATH, &(struct txnlog_options){0}, &log, &err);
    for (int64_t zxid = from; zxid <= to; zxid++)
        store_frame(&frames, zxid, 90);
    if (rc == 0)
        rc = txnlog_append(log, from, buf_slice(&frames));
    if (rc == 0)
        rc = txnlog_sync(log, &err);
    txnlog_close(log);
    buf_deinit(&frames);
    return rc;
}

/* TRUNC, DIFF, NEWLEADER, as they follow each other on T1. */
static int by_diff(struct files *fs)
{
    struct rewind_result result;
    struct err err;
    int rc = epochs_write_accepted(fs, STORE_PATH, 4, &err);
    if (rc == 0)
        rc = rewind_to(fs, STORE_PATH, STORE_PATH, ZXID(1, 6), &result, &err);
    if (rc == 0)
        rc = append(fs, ZXID(3, 1), ZXID(3, 5));
    return rc == 0 ? epochs_write_current(fs, STORE_PATH, 4, &err) : rc;
}

/* SNAP, NEWLEADER. */
static int by_snap(struct files *fs)
{
    struct err err;
    struct snapfile_options options = {.tmp_name = NAME_INSTALL_TMP};
    struct snapfile *file;
    struct buf body = {0};
    struct rewind_result result;
    int rc = epochs_write_accepted(fs, STORE_PATH, 4, &err);
    if (rc == 0)
        rc = snapfile_create(fs, STORE_PATH, ZXID(3, 5), &options, &file, &err);
    if (rc < 0)
        return rc;
    store_body(&body, ZXID(3, 5), 400);
    rc = snapfile_write(file, buf_slice(&body), &err);
    buf_deinit(&body);
    if (rc == 0)
        rc = snapfile_finish(file, 1, &err);
    if (rc < 0) {
        snapfile_discard(file);
        return rc;
    }
    rc = rewind_install(fs, STORE_PATH, STORE_PATH, ZXID(3, 5), file, &result, &err);
    return rc == 0 ? epochs_write_current(fs, STORE_PATH, 4, &err) : rc;
}

/* At every point the server starts again, and stands for its old epoch, or for the new one with all
 * of its history. */
static void at_every_call(int (*sync)(struct files *fs))
{
    struct store_seen *seen = mem_calloc(1, sizeof *seen);
    for (uint64_t call = 1, done = 0; !done; call++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct disk d = make_disk();
            store_format(d.fs);
            assert_int_equal(append(d.fs, ZXID(1, 1), ZXID(1, 9)), 0);
            assert_int_equal(epochs_write_current(d.fs, STORE_PATH, 2, NULL), 0);
            assert_int_equal(epochs_write_accepted(d.fs, STORE_PATH, 2, NULL), 0);
            crash_disk_fail_at(d.disk, crash_disk_calls(d.disk) + call);
            int rc = sync(d.fs);
            done = !crash_disk_failed(d.disk);
            crash_disk_power_cycle(d.disk, seed);

            assert_int_equal(store_recover(d.fs, &STORE_OPTIONS, seen), 0);
            int64_t last = seen->result.last_zxid;
            if (epochs_load(d.fs, STORE_PATH, last, &d.epochs, &d.err) < 0)
                fail_msg("call %d, seed %d: %s", (int)call, (int)seed, d.err.text);
            assert_true(d.epochs.current == 2 || d.epochs.current == 4);
            if (d.epochs.current == 4)
                assert_true(last == ZXID(3, 5) && d.epochs.accepted == 4);
            if (rc == 0)
                assert_int_equal(d.epochs.current, 4);
            assert_true(last >= ZXID(1, 6)); /* what was committed is still there */
            crash_disk_free(d.disk);
        }
    }
    store_seen_deinit(seen);
    free(seen);
}

static void a_server_that_loses_power_while_it_is_synchronized_starts_again(void **state)
{
    (void)state;
    at_every_call(by_diff);
    at_every_call(by_snap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_epochs_are_those_of_the_last_transaction),
        cmocka_unit_test(epochs_are_read_as_they_were_written),
        cmocka_unit_test(epochs_that_contradict_the_log_or_each_other_are_refused),
        cmocka_unit_test(an_unfinished_current_epoch_counts_if_it_fits),
        cmocka_unit_test(a_server_that_loses_power_while_it_is_synchronized_starts_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
