/* links: testlib io base */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crash_disk.h"
#include "io/names.h"
#include "io/synced.h"
#include "io/txnlog.h"
#include "io/txnlog_read.h"
#include "io_store.h"

static int setup(void **state)
{
    struct crash_disk *disk = crash_disk_create();
    store_format(crash_disk_files(disk));
    *state = disk;
    return 0;
}

static int teardown(void **state)
{
    crash_disk_free(*state);
    return 0;
}

static struct txnlog *open_log(struct crash_disk *disk, int64_t preallocate, int64_t limit)
{
    struct txnlog_options options = {.preallocate_bytes = preallocate, .size_limit_bytes = limit};
    struct txnlog *log;
    assert_int_equal(txnlog_open(crash_disk_files(disk), STORE_PATH, &options, &log, NULL), 0);
    return log;
}

/* One batch of `count` records from `zxid` on. After a failure the log is good for nothing but
 * closing: it still borrows the bytes, but does not look at them. */
static int write_batch(struct txnlog *log, int64_t zxid, int count, size_t len, struct err *err)
{
    struct buf frames = {0};
    for (int i = 0; i < count; i++)
        store_frame(&frames, zxid + i, len);
    int rc = txnlog_append(log, zxid, buf_slice(&frames));
    if (rc == 0)
        rc = txnlog_sync(log, err);
    buf_deinit(&frames);
    return rc;
}

static uint32_t adler_by_the_book(const uint8_t *bytes, size_t len)
{
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < len; i++) {
        a = (a + bytes[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static void a_log_file_is_zookeepers_to_the_byte(void **state)
{
    struct crash_disk *disk = *state;
    struct txnlog *log = open_log(disk, 8192, 0);
    assert_int_equal(write_batch(log, 0x1f, 1, 40, NULL), 0);
    assert_int_equal(write_batch(log, 0x20, 1, 33, NULL), 0);
    txnlog_idle(log, NULL);
    txnlog_close(log);

    uint8_t expected[16 + 8192] = {
        0x5a, 0x4b, 0x4c, 0x47, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, /* FileHeader */
    };
    size_t at = 16;
    struct buf record = {0};
    for (int i = 0; i < 2; i++) {
        buf_clear(&record);
        store_record(&record, 0x1f + i, i == 0 ? 40 : 33);
        uint32_t adler = adler_by_the_book(record.ptr, record.len);
        const uint8_t head[12] = {0,
                                  0,
                                  0,
                                  0,
                                  (uint8_t)(adler >> 24),
                                  (uint8_t)(adler >> 16),
                                  (uint8_t)(adler >> 8),
                                  (uint8_t)adler,
                                  0,
                                  0,
                                  0,
                                  (uint8_t)record.len};
        memcpy(expected + at, head, 12);
        memcpy(expected + at + 12, record.ptr, record.len);
        expected[at + 12 + record.len] = 0x42;
        at += 13 + record.len;
    }
    buf_deinit(&record);

    size_t len;
    const uint8_t *bytes = crash_disk_bytes(disk, STORE_PATH "/log.1f", &len);
    assert_non_null(bytes);
    assert_int_equal(len, sizeof expected);
    assert_memory_equal(bytes, expected, len);
}

static size_t size_of_log(struct crash_disk *disk, const char *path)
{
    size_t len = 0;
    assert_non_null(crash_disk_bytes(disk, path, &len));
    return len;
}

/* FilePadding: grows by a step when the position before the batch is within 4096 of the end; rounds
 * when a batch overshot. */
static void a_log_file_grows_in_the_steps_of_zookeeper(void **state)
{
    struct crash_disk *disk = *state;
    struct txnlog *log = open_log(disk, 16384, 0);
    const char *path = STORE_PATH "/log.1";
    assert_int_equal(write_batch(log, 1, 1, 1000 - 13, NULL), 0);
    assert_int_equal(size_of_log(disk, path), 16 + 16384); /* position 1016 */
    assert_int_equal(write_batch(log, 2, 11, 1000 - 13, NULL), 0);
    assert_int_equal(size_of_log(disk, path), 16 + 16384); /* position 12016 */
    assert_int_equal(write_batch(log, 13, 1, 1000 - 13, NULL), 0);
    assert_int_equal(size_of_log(disk, path), 16 + 16384); /* 12016 + 4096 < 16400: still room */
    assert_int_equal(write_batch(log, 14, 1, 1000 - 13, NULL), 0);
    assert_int_equal(size_of_log(disk, path), 16 + 2 * 16384); /* 13016 + 4096 >= 16400 */
    assert_int_equal(write_batch(log, 15, 40, 1000 - 13, NULL), 0);
    assert_int_equal(size_of_log(disk, path), 54016); /* overshot */
    assert_int_equal(write_batch(log, 55, 1, 1000 - 13, NULL), 0);
    assert_int_equal(size_of_log(disk, path), (54016 + 16384) / 16384 * 16384);
    txnlog_close(log);
}

/* Batches of every kind: within a block, to its end, over several, larger than what goes past the
 * cache; now and then without zeros ahead. */
static void write_all_kinds(struct crash_disk *disk)
{
    struct txnlog *log = open_log(disk, 1 << 20, 0);
    uint64_t random = 7;
    int64_t zxid = 1;
    for (int i = 0; i < 300; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t draw = (uint32_t)(random >> 33);
        int count = draw % 7 == 0 ? 1 + (int)(draw / 7 % 90) : 1 + (int)(draw / 7 % 3);
        size_t len = draw % 5 == 0 ? 20 + draw / 64 % 4200 : 60 + draw / 64 % 300;
        assert_int_equal(write_batch(log, zxid, count, len, NULL), 0);
        zxid += count;
        if (draw % 11 != 0)
            assert_int_equal(txnlog_idle(log, NULL), 0);
    }
    txnlog_close(log);
}

/* Two files with the same name on two disks. */
static void assert_same_log(struct crash_disk *disk, struct crash_disk *other, const char *path)
{
    size_t len, other_len;
    const uint8_t *bytes = crash_disk_bytes(disk, path, &len);
    const uint8_t *other_bytes = crash_disk_bytes(other, path, &other_len);
    assert_int_equal(len, other_len);
    assert_memory_equal(bytes, other_bytes, len);
}

static void what_goes_past_the_cache_is_the_same_to_the_byte(void **state)
{
    struct crash_disk *disk = *state, *other = crash_disk_create();
    store_format(crash_disk_files(other));
    crash_disk_refuse_direct(other);
    write_all_kinds(disk);
    write_all_kinds(other);
    assert_true(crash_disk_direct_writes(disk) > 150);
    assert_int_equal(crash_disk_direct_writes(other), 0);

    assert_same_log(disk, other, STORE_PATH "/log.1");
    crash_disk_free(other);
}

static void write_large(struct crash_disk *disk, int count)
{
    struct txnlog *log = open_log(disk, 4 << 20, 0);
    for (int i = 0; i < count; i++) {
        assert_int_equal(write_batch(log, 1 + i * 40, 40, 500 + (size_t)i, NULL), 0);
        assert_int_equal(txnlog_idle(log, NULL), 0);
        assert_false(txnlog_idle_urgent(log));
    }
    txnlog_close(log);
}

/* 40 records of 513 bytes and more, 64 times: 1.4 MB, and zeros with two of the batches. */
static void large_batches_take_their_zeros_with_them(void **state)
{
    enum {
        BATCHES = 64
    };
    struct crash_disk *disk = *state, *other = crash_disk_create();
    store_format(crash_disk_files(other));
    crash_disk_refuse_direct(other);
    write_large(disk, BATCHES);
    write_large(other, BATCHES);
    assert_int_equal(crash_disk_direct_writes(disk),
                     BATCHES - 1); /* the first one has the header */
    assert_same_log(disk, other, STORE_PATH "/log.1");
    crash_disk_free(other);
}

/* Nothing is lost, and the next quiet moment says that the disk is nearly full while what was taken
 * still fits. */
static void a_large_batch_that_leaves_no_space_for_zeros_is_written_without(void **state)
{
    struct crash_disk *disk = *state;
    struct txnlog *log = open_log(disk, 4 << 20, 0);
    crash_disk_space(disk, 300 << 10);
    int64_t zxid = 1;
    struct err err;
    int rc = 0;
    while (rc == 0 && zxid < 10000) {
        assert_int_equal(write_batch(log, zxid, 40, 500, NULL), 0);
        zxid += 40;
        rc = txnlog_idle(log, &err);
    }
    assert_int_equal(rc, ERR_NOSPACE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write_batch(log, zxid, 40, 500, NULL), 0);
        assert_int_equal(txnlog_idle(log, &err), ERR_NOSPACE); /* it does not say anything else */
        zxid += 40;
    }
    txnlog_close(log);

    struct txnfile f;
    struct txn_record record;
    assert_int_equal(txnfile_open(&f, crash_disk_files(disk), STORE_PATH "/log.1", NULL), 0);
    for (int64_t next = 1; next < zxid; next++) {
        assert_int_equal(txnfile_next(&f, &record, NULL), TXNFILE_RECORD);
        assert_int_equal(record.zxid, next);
    }
    assert_int_equal(txnfile_next(&f, &record, NULL), TXNFILE_END);
    txnfile_close(&f);
}

static void without_preallocation_the_file_ends_with_the_last_record(void **state)
{
    struct crash_disk *disk = *state;
    struct txnlog *log = open_log(disk, 0, 0);
    assert_int_equal(write_batch(log, 1, 3, 100, NULL), 0);
    assert_int_equal(txnlog_idle(log, NULL), 0);
    assert_int_equal(size_of_log(disk, STORE_PATH "/log.1"), 16 + 3 * 113);
    txnlog_close(log);
}

static void a_roll_or_the_size_limit_opens_a_file_named_by_its_first_zxid(void **state)
{
    struct crash_disk *disk = *state;
    struct txnlog *log = open_log(disk, 4096, 1000);
    assert_int_equal(write_batch(log, 0xa, 1, 100, NULL), 0);
    txnlog_roll(log);
    assert_int_equal(write_batch(log, 0xb, 10, 100, NULL), 0); /* 1146 bytes: over the limit */
    assert_int_equal(write_batch(log, 0x15, 1, 100, NULL), 0);
    txnlog_close(log);
    size_t len;
    assert_non_null(crash_disk_bytes(disk, STORE_PATH "/log.a", &len));
    assert_non_null(crash_disk_bytes(disk, STORE_PATH "/log.b", &len));
    assert_non_null(crash_disk_bytes(disk, STORE_PATH "/log.15", &len));
}

static void a_failed_sync_poisons_for_ever(void **state)
{
    struct crash_disk *disk = *state;
    struct txnlog *log = open_log(disk, 4096, 0);
    assert_int_equal(write_batch(log, 1, 1, 100, NULL), 0);
    crash_disk_fail_syncs(disk, -EIO);
    struct err err;
    assert_int_equal(write_batch(log, 2, 1, 100, &err), ERR_IO);

    crash_disk_fail_syncs(disk, 0);
    assert_int_equal(txnlog_sync(log, &err), ERR_POISONED);
    assert_int_equal(txnlog_append(log, 3, slice_str("x")), ERR_POISONED);
    txnlog_close(log);
}

/* The system may say "no space" at the sync as well; by then it is too late to know what was
 * written. */
static void no_space_reported_by_a_sync_poisons_too(void **state)
{
    struct crash_disk *disk = *state;
    struct txnlog *log = open_log(disk, 4096, 0);
    crash_disk_fail_syncs(disk, -ENOSPC);
    struct err err;
    assert_int_equal(write_batch(log, 1, 1, 100, &err), ERR_IO);
    crash_disk_fail_syncs(disk, 0);
    assert_int_equal(txnlog_sync(log, &err), ERR_POISONED);
    txnlog_close(log);
}

static void a_full_disk_keeps_the_batch_until_there_is_space(void **state)
{
    struct crash_disk *disk = *state;
    for (int64_t space = 0; space <= 4096; space += 512) {
        struct txnlog *log = open_log(disk, 0, 0);
        crash_disk_space(disk, space);
        int64_t zxid = 1 + space;
        struct buf frames = {0};
        for (int i = 0; i < 50; i++)
            store_frame(&frames, zxid + i, 100);
        assert_int_equal(txnlog_append(log, zxid, buf_slice(&frames)), 0);
        struct err err;
        assert_int_equal(txnlog_sync(log, &err), ERR_NOSPACE);
        assert_non_null(strstr(err.text, "No space left"));
        assert_int_equal(txnlog_sync(log, &err), ERR_NOSPACE);

        crash_disk_space(disk, -1);
        assert_int_equal(txnlog_sync(log, &err), 0);
        char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
        name_log(name, zxid);
        assert_int_equal(file_path(path, STORE_PATH, name, NULL), 0);
        size_t len;
        const uint8_t *bytes = crash_disk_bytes(disk, path, &len);
        assert_int_equal(len, 16 + frames.len);
        assert_memory_equal(bytes + 16, frames.ptr, frames.len);
        buf_deinit(&frames);
        txnlog_close(log);
    }
}

static void zeros_that_find_no_space_say_so_before_an_append_does(void **state)
{
    struct crash_disk *disk = *state;
    struct txnlog *log = open_log(disk, 1 << 20, 0);
    assert_int_equal(write_batch(log, 1, 1, 100, NULL), 0);
    crash_disk_space(disk, 2048);
    struct err err;
    assert_int_equal(txnlog_idle(log, &err), ERR_NOSPACE);
    assert_int_equal(write_batch(log, 2, 1, 100, NULL), 0); /* fits into what was zeroed */
    txnlog_close(log);
}

static void the_writer_never_writes_over_an_existing_log(void **state)
{
    struct crash_disk *disk = *state;
    crash_disk_put(disk, STORE_PATH "/log.5", "precious", 8);
    struct txnlog *log = open_log(disk, 4096, 0);
    struct err err;
    assert_int_equal(write_batch(log, 5, 1, 100, &err), ERR_IO);
    size_t len;
    assert_memory_equal(crash_disk_bytes(disk, STORE_PATH "/log.5", &len), "precious", 8);
    assert_int_equal(len, 8);
    txnlog_close(log);
}

static void the_side_file_names_what_is_durable(void **state)
{
    struct crash_disk *disk = *state;
    struct files *fs = crash_disk_files(disk);
    struct txnlog *log = open_log(disk, 4096, 0);
    struct synced s;
    assert_int_equal(write_batch(log, 7, 2, 100, NULL), 0);
    assert_int_equal(txnlog_idle(log, NULL), 0);
    assert_true(synced_read(fs, STORE_PATH, &s));
    assert_int_equal(s.file_zxid, 7);
    assert_int_equal(s.offset, 16 + 2 * 113);

    size_t len;
    uint8_t *bytes = crash_disk_bytes(disk, STORE_PATH "/" NAME_SYNCED, &len);
    bytes[20] ^= 1;
    assert_false(synced_read(fs, STORE_PATH, &s));
    txnlog_close(log);
}

static void the_reader_returns_what_was_written(void **state)
{
    struct crash_disk *disk = *state;
    struct files *fs = crash_disk_files(disk);
    struct txnlog *log = open_log(disk, 1 << 20, 0);
    for (int i = 0; i < 40; i++)
        assert_int_equal(write_batch(log, 1 + i * 3, 3, 32 + (size_t)i * 997, NULL), 0);
    assert_int_equal(write_batch(log, 121, 1, 3 << 20, NULL), 0); /* larger than the window */
    assert_int_equal(write_batch(log, 122, 1, 32, NULL), 0);
    txnlog_close(log);

    struct txnfile f;
    assert_int_equal(txnfile_open(&f, fs, STORE_PATH "/log.1", NULL), 0);
    struct txn_record record;
    struct buf expected = {0};
    for (int64_t zxid = 1; zxid <= 122; zxid++) {
        assert_int_equal(txnfile_next(&f, &record, NULL), TXNFILE_RECORD);
        assert_int_equal(record.zxid, zxid);
        buf_clear(&expected);
        store_record(&expected, zxid, record.bytes.len);
        assert_true(slice_eq(record.bytes, buf_slice(&expected)));
    }
    assert_int_equal(txnfile_next(&f, &record, NULL), TXNFILE_END);
    assert_int_equal(txnfile_next(&f, &record, NULL), TXNFILE_END);
    buf_deinit(&expected);
    txnfile_close(&f);
}

/* Bytes mutated at random: every outcome is allowed, but no crash and no record that was not
 * written. */
static void the_reader_survives_garbage(void **state)
{
    struct crash_disk *disk = *state;
    struct files *fs = crash_disk_files(disk);
    struct buf file = {0};
    buf_put(&file, "ZKLG\0\0\0\2\0\0\0\0\0\0\0", 16);
    for (int64_t zxid = 1; zxid <= 20; zxid++)
        store_frame(&file, zxid, 32 + (size_t)zxid * 11 % 90);
    buf_put(&file, (uint8_t[2000]){0}, 2000);

    uint64_t random = 7;
    uint8_t *copy = test_malloc(file.len);
    for (int round = 0; round < 20000; round++) {
        memcpy(copy, file.ptr, file.len);
        for (int i = 0; i < 1 + round % 4; i++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            size_t at = (random >> 33) % file.len;
            copy[at] = (uint8_t)(random >> 20);
            if (random >> 60 == 0)
                memset(copy + at, (int)(random & 0xff), file.len - at < 64 ? file.len - at : 64);
        }
        crash_disk_put(disk, STORE_PATH "/log.1", copy, file.len - (size_t)round % 100);

        struct txnfile f;
        if (txnfile_open(&f, fs, STORE_PATH "/log.1", NULL) < 0)
            continue;
        struct txn_record record;
        int count = 0, rc;
        while ((rc = txnfile_next(&f, &record, NULL)) == TXNFILE_RECORD)
            count++;
        assert_true(rc == TXNFILE_END || rc == TXNFILE_BAD);
        assert_in_range(count, 0, 20);
        txnfile_close(&f);
    }
    test_free(copy);
    buf_deinit(&file);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_log_file_is_zookeepers_to_the_byte),
        TEST(a_log_file_grows_in_the_steps_of_zookeeper),
        TEST(what_goes_past_the_cache_is_the_same_to_the_byte),
        TEST(large_batches_take_their_zeros_with_them),
        TEST(a_large_batch_that_leaves_no_space_for_zeros_is_written_without),
        TEST(without_preallocation_the_file_ends_with_the_last_record),
        TEST(a_roll_or_the_size_limit_opens_a_file_named_by_its_first_zxid),
        TEST(a_failed_sync_poisons_for_ever),
        TEST(no_space_reported_by_a_sync_poisons_too),
        TEST(a_full_disk_keeps_the_batch_until_there_is_space),
        TEST(zeros_that_find_no_space_say_so_before_an_append_does),
        TEST(the_writer_never_writes_over_an_existing_log),
        TEST(the_side_file_names_what_is_durable),
        TEST(the_reader_returns_what_was_written),
        TEST(the_reader_survives_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
