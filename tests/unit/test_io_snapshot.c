/* links: testlib io base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/mem.h"
#include "crash_disk.h"
#include "io/metafile.h"
#include "io/names.h"
#include "io/purge.h"
#include "io/snapfile.h"
#include "io_store.h"

struct fixture {
    struct crash_disk *disk;
    struct files *fs;
    struct store_seen *seen;
};

static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    f->disk = crash_disk_create();
    f->fs = crash_disk_files(f->disk);
    f->seen = mem_calloc(1, sizeof *f->seen);
    store_format(f->fs);
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

static const enum snap_method METHODS[] = {SNAP_PLAIN, SNAP_GZIP, SNAP_SNAPPY};

static void path_of(char ret[FILE_PATH_MAX], int64_t zxid, enum snap_method method)
{
    char name[NAME_BYTES_MAX];
    name_snapshot(name, zxid, method);
    assert_int_equal(file_path(ret, STORE_PATH, name, NULL), 0);
}

static void put_adler(struct buf *b)
{
    buf_put_i64(b, (int64_t)adler32(1, b->ptr, (uInt)b->len));
    buf_put(b, "\0\0\0\1/", 5);
}

static void a_plain_snapshot_is_zookeepers_to_the_byte(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_write_snapshot(f->fs, 0x1234, 300, SNAP_PLAIN, NULL), 0);

    struct buf expected = {0};
    buf_put(&expected, "ZKSN\0\0\0\2\xff\xff\xff\xff\xff\xff\xff\xff", 16);
    store_body(&expected, 0x1234, 300);
    put_adler(&expected);
    buf_put_i64(&expected, 0x1234);
    buf_put_i32(&expected, 2);
    buf_put_i64(&expected, 0x1234 * 3);
    put_adler(&expected);
    buf_put_i64(&expected, 0x1234);
    put_adler(&expected);

    size_t len;
    const uint8_t *bytes = crash_disk_bytes(f->disk, STORE_PATH "/snapshot.1234", &len);
    assert_non_null(bytes);
    assert_int_equal(len, expected.len);
    assert_memory_equal(bytes, expected.ptr, len);
    buf_deinit(&expected);
}

static void every_form_reads_back(void **state)
{
    struct fixture *f = *state;
    for (int m = 0; m < 3; m++)
        for (size_t len = 20; len < 3000000; len = len * 7 + 1) {
            int64_t zxid = (int64_t)len;
            assert_int_equal(store_write_snapshot(f->fs, zxid, len, METHODS[m], NULL), 0);
            int rc = store_recover(f->fs, &STORE_OPTIONS, f->seen);
            if (rc < 0)
                fail_msg("%s", f->seen->err.text);
            struct buf expected = {0};
            store_body(&expected, zxid, len);
            assert_int_equal(f->seen->result.snapshots_refused, 0);
            assert_true(slice_eq(buf_slice(&expected), buf_slice(&f->seen->body)));
            assert_int_equal(f->seen->result.snapshot_tail.digest, zxid * 3);
            assert_int_equal(f->seen->result.snapshot_tail.last_zxid, zxid);
            buf_deinit(&expected);
            char path[FILE_PATH_MAX];
            path_of(path, zxid, METHODS[m]);
            assert_true(snapfile_looks_valid(f->fs, path, METHODS[m]));
            f->fs->unlink(f->fs, path);
        }
}

/* Digest and last zxid may each be missing (older releases, switched off). */
static void every_combination_of_optional_parts_is_understood(void **state)
{
    struct fixture *f = *state;
    for (int with = 0; with < 4; with++) {
        struct snapfile_options options = {.no_digest = !(with & 1), .no_last_zxid = !(with & 2)};
        struct snapfile *file;
        assert_int_equal(snapfile_create(f->fs, STORE_PATH, 5, &options, &file, NULL), 0);
        struct buf body = {0};
        store_body(&body, 5, 100);
        assert_int_equal(snapfile_write(file, buf_slice(&body), NULL), 0);
        assert_int_equal(snapfile_write(file, slice_of(NULL, 0), NULL), 0);
        int64_t bytes;
        assert_int_equal(snapfile_publish(file, 99, &bytes, NULL), 0);
        buf_deinit(&body);

        assert_int_equal(store_recover(f->fs, &STORE_OPTIONS, f->seen), 0);
        assert_int_equal(f->seen->snapshot_zxid, 5);
        assert_int_equal(f->seen->result.snapshot_tail.has_digest, with & 1);
        assert_int_equal(f->seen->result.snapshot_tail.has_last_zxid, (with & 2) != 0);
    }
}

static void any_changed_byte_is_found(void **state)
{
    struct fixture *f = *state;
    for (int m = 0; m < 3; m++) {
        char path[FILE_PATH_MAX];
        path_of(path, 7, METHODS[m]);
        assert_int_equal(store_write_snapshot(f->fs, 7, 700, METHODS[m], NULL), 0);
        size_t len;
        uint8_t *bytes = crash_disk_bytes(f->disk, path, &len);
        for (size_t at = 0; at < len; at++) {
            bytes[at] ^= 0x20;
            store_recover(f->fs, &STORE_OPTIONS, f->seen);
            /* Either refused, or a byte that carries nothing (gzip's time and system). */
            if (f->seen->snapshot_zxid == 7) {
                struct buf expected = {0};
                store_body(&expected, 7, 700);
                assert_true(slice_eq(buf_slice(&expected), buf_slice(&f->seen->body)));
                assert_int_equal(f->seen->result.snapshot_tail.digest, 21);
                buf_deinit(&expected);
            }
            bytes[at] ^= 0x20;
        }
        f->fs->unlink(f->fs, path);
    }
}

static void a_shortened_file_is_refused_at_every_length(void **state)
{
    struct fixture *f = *state;
    for (int m = 0; m < 3; m++) {
        char path[FILE_PATH_MAX];
        path_of(path, 7, METHODS[m]);
        assert_int_equal(store_write_snapshot(f->fs, 7, 400, METHODS[m], NULL), 0);
        size_t len;
        uint8_t *whole = crash_disk_bytes(f->disk, path, &len);
        whole = mem_dup(whole, len);
        struct store_seen *seen = f->seen;
        for (size_t kept = 0; kept < len; kept++) {
            crash_disk_put(f->disk, path, whole, kept);
            store_recover(f->fs, &STORE_OPTIONS, seen);
            /* A plain file cut exactly behind a seal is a whole file of an older release. */
            bool behind_seal = m == 0 && (kept == len - 21 || kept == len - 21 - 33);
            assert_int_equal(seen->snapshot_zxid == 7 && seen->result.snapshot_zxid == 7,
                             behind_seal);
        }
        free(whole);
        f->fs->unlink(f->fs, path);
    }
}

static void the_reader_survives_garbage(void **state)
{
    struct fixture *f = *state;
    uint64_t random = 11;
    for (int m = 0; m < 3; m++) {
        char path[FILE_PATH_MAX];
        path_of(path, 7, METHODS[m]);
        assert_int_equal(store_write_snapshot(f->fs, 7, 5000, METHODS[m], NULL), 0);
        size_t len;
        uint8_t *whole = crash_disk_bytes(f->disk, path, &len);
        whole = mem_dup(whole, len);
        uint8_t *copy = mem_alloc(len);
        for (int round = 0; round < 1500; round++) {
            memcpy(copy, whole, len);
            for (int i = 0; i <= round % 5; i++) {
                random = random * 6364136223846793005ULL + 1442695040888963407ULL;
                copy[(random >> 33) % (round % 2 ? len : 64)] = (uint8_t)(random >> 24);
            }
            crash_disk_put(f->disk, path, copy, len);
            store_recover(f->fs, &STORE_OPTIONS, f->seen);
        }
        free(copy);
        free(whole);
        f->fs->unlink(f->fs, path);
    }
}

/* At each call in turn the power fails: afterwards there is the new snapshot, whole, or the old
 * one. */
static void a_crash_at_any_step_leaves_a_usable_snapshot(void **state)
{
    (void)state;
    struct store_seen *seen = mem_calloc(1, sizeof *seen);
    for (int m = 0; m < 3; m++)
        for (uint64_t call = 1; call < 14; call++)
            for (uint64_t seed = 0; seed < 27; seed++) {
                struct crash_disk *disk = crash_disk_create();
                struct files *fs = crash_disk_files(disk);
                store_format(fs);
                crash_disk_fail_at(disk, crash_disk_calls(disk) + call);
                int rc = store_write_snapshot(fs, 0, 600000, METHODS[m], NULL);
                crash_disk_power_cycle(disk, seed);
                assert_int_equal(store_recover(fs, &STORE_OPTIONS, seen), 0);
                assert_true(seen->snapshot_done && seen->result.snapshot_zxid == 0);
                if (rc == 0 && m == SNAP_PLAIN)
                    assert_int_equal(seen->body.len, 600000);
                assert_in_range(crash_disk_file_count(disk, STORE_PATH), 1, 2);
                crash_disk_free(disk);
            }
    store_seen_deinit(seen);
    free(seen);
}

static void a_full_disk_leaves_the_old_snapshots_and_no_rubbish(void **state)
{
    struct fixture *f = *state;
    for (int64_t space = 0; space < 60000; space += 9000) {
        crash_disk_space(f->disk, space);
        struct err err;
        assert_int_equal(store_write_snapshot(f->fs, 9, 900000, SNAP_PLAIN, &err), ERR_NOSPACE);
        assert_int_equal(crash_disk_file_count(f->disk, STORE_PATH), 1);
    }
    assert_int_equal(store_recover(f->fs, &STORE_OPTIONS, f->seen), 0);
    assert_int_equal(f->seen->snapshot_zxid, 0);
}

/* ---- names, purge, numbers ---- */

static void purge_keeps_the_newest_and_the_logs_they_need(void **state)
{
    struct fixture *f = *state;
    for (int64_t zxid = 0x10; zxid <= 0x60; zxid += 0x10)
        assert_int_equal(
            store_write_snapshot(f->fs, zxid, 50, zxid % 0x20 ? SNAP_GZIP : SNAP_PLAIN, NULL), 0);
    crash_disk_put(f->disk, STORE_PATH "/snapshot.58", "not a snapshot", 14);
    static const int logs[] = {0x1, 0x11, 0x2f, 0x35, 0x41, 0x51};
    for (size_t i = 0; i < 6; i++) {
        char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
        name_log(name, logs[i]);
        file_path(path, STORE_PATH, name, NULL);
        crash_disk_put(f->disk, path, "x", 1);
    }

    /* A large one: whoever has it open sees how it goes. */
    int fd = f->fs->open(f->fs, STORE_PATH "/log.1", FILE_READ | FILE_WRITE);
    assert_true(fd >= 0);
    assert_int_equal(f->fs->resize(f->fs, fd, (40 << 20) + 1), 0);

    struct purge_result result;
    assert_int_equal(purge(f->fs, STORE_DIR, STORE_DIR, 2, &result, NULL), ERR_INVALID);
    assert_int_equal(purge(f->fs, STORE_DIR, STORE_DIR, 3, &result, NULL), 0);
    assert_int_equal(result.snapshots_removed,
                     4);                      /* 0, 10, 20, 30; 58 is no candidate, and young */
    assert_int_equal(result.logs_removed, 3); /* 35 may hold what follows 40 */
    size_t len;
    assert_non_null(crash_disk_bytes(f->disk, STORE_PATH "/log.35", &len));
    assert_null(crash_disk_bytes(f->disk, STORE_PATH "/log.2f", &len));
    assert_non_null(crash_disk_bytes(f->disk, STORE_PATH "/snapshot.40", &len));
    assert_null(crash_disk_bytes(f->disk, STORE_PATH "/snapshot.30.gz", &len));
    assert_non_null(crash_disk_bytes(f->disk, STORE_PATH "/snapshot.58", &len));

    struct file_stat large;
    assert_null(crash_disk_bytes(f->disk, STORE_PATH "/log.1", &len));
    assert_int_equal(f->fs->stat_fd(f->fs, fd, &large), 0);
    assert_int_equal(large.size, (8 << 20) + 1); /* 16 MiB, 16 MiB, and what close gives back */
    f->fs->close(f->fs, fd);
}

static void numbers_are_decimal_text(void **state)
{
    struct fixture *f = *state;
    int64_t value;
    assert_int_equal(metafile_write(f->fs, STORE_PATH, "acceptedEpoch", 42, NULL), 0);
    size_t len;
    assert_memory_equal(crash_disk_bytes(f->disk, STORE_PATH "/acceptedEpoch", &len), "42", 2);
    assert_int_equal(len, 2);

    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"7\n", 7}, {" 12 \r\nrest", 12}, {"-3", -3}, {"9223372036854775807", INT64_MAX}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        crash_disk_put(f->disk, STORE_DIR "/myid", good[i].text, strlen(good[i].text));
        assert_int_equal(metafile_read(f->fs, STORE_DIR, "myid", &value, NULL), 0);
        assert_int_equal(value, good[i].value);
    }
    static const char *const wrong[] = {"", "\n5", "x", "1x", "9223372036854775808", "-", "1 2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        crash_disk_put(f->disk, STORE_DIR "/myid", wrong[i], strlen(wrong[i]));
        assert_int_equal(metafile_read(f->fs, STORE_DIR, "myid", &value, NULL), ERR_CORRUPT);
    }
    assert_int_equal(metafile_read(f->fs, STORE_DIR, "none", &value, NULL), ERR_NOTFOUND);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_plain_snapshot_is_zookeepers_to_the_byte),
        TEST(every_form_reads_back),
        TEST(every_combination_of_optional_parts_is_understood),
        TEST(any_changed_byte_is_found),
        TEST(a_shortened_file_is_refused_at_every_length),
        TEST(the_reader_survives_garbage),
        cmocka_unit_test(a_crash_at_any_step_leaves_a_usable_snapshot),
        TEST(a_full_disk_leaves_the_old_snapshots_and_no_rubbish),
        TEST(purge_keeps_the_newest_and_the_logs_they_need),
        TEST(numbers_are_decimal_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
