/* links: testlib io base */
/* Random work on a disk that loses power at a random call, again and again, on one disk. Whatever
 * happened: what was reported durable is recovered, nothing else than what was appended is, in
 * order, and the server can go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "crash_disk.h"
#include "io/metafile.h"
#include "io/purge.h"
#include "io/txnlog.h"
#include "io_store.h"

struct world {
    struct crash_disk *disk;
    struct files *fs;
    uint64_t random;
    uint64_t seed;
    int64_t durable;  /* reported */
    int64_t appended; /* handed to the log */
    struct store_seen *seen;
    unsigned cuts, kills;
};

static uint64_t dice(struct world *w, uint64_t sides)
{
    uint64_t x = w->random += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return (x ^ (x >> 31)) % sides;
}

static void check(struct world *w, bool holds, const char *claim)
{
    if (!holds)
        fail_msg("seed %llu: %s (durable %lld, appended %lld, recovered %lld: %s)",
                 (unsigned long long)w->seed, claim, (long long)w->durable, (long long)w->appended,
                 (long long)w->seen->result.last_zxid, w->seen->err.text);
}

static void check_recovered(struct world *w)
{
    struct store_seen *seen = w->seen;
    check(w, !seen->wrong, "a record has other bytes");
    check(w, seen->snapshot_done, "no snapshot");
    check(w, seen->snapshot_zxid == seen->result.snapshot_zxid, "another snapshot's body");
    for (size_t i = 0; i < seen->count; i++)
        check(w, seen->zxids[i] == seen->snapshot_zxid + 1 + (int64_t)i, "order");
    check(w, seen->result.gap_count == 0 && seen->result.repeat_count == 0, "gaps or repeats");
    check(w, seen->result.last_zxid >= w->durable, "a durable transaction is lost");
    check(w, seen->result.last_zxid <= w->appended, "a transaction is invented");
    /* From now on clients may have seen it. */
    w->durable = w->appended = seen->result.last_zxid;
    w->cuts += seen->result.cut;
}

/* Work until the power fails or `steps` are done. */
static void work(struct world *w, int steps)
{
    struct txnlog_options options = {.preallocate_bytes =
                                         (int64_t)(dice(w, 4) > 0 ? dice(w, 4) * 4096 : 128 << 10)};
    struct txnlog *log;
    assert_int_equal(txnlog_open(w->fs, STORE_PATH, &options, &log, NULL), 0);
    int rc = 0;
    while (rc == 0 && steps-- > 0) {
        struct buf frames = {0};
        int64_t first = w->appended + 1;
        for (uint64_t count = 1 + dice(w, dice(w, 10) ? 6 : 60); count > 0; count--)
            store_frame(&frames, ++w->appended, 32 + dice(w, dice(w, 4) ? 200 : 1500));
        rc = txnlog_append(log, first, buf_slice(&frames));
        if (rc == 0)
            rc = txnlog_sync(log, NULL);
        buf_deinit(&frames);
        if (rc == 0)
            w->durable = w->appended;

        if (rc == 0 && dice(w, 3) > 0)
            rc = txnlog_idle(log, NULL);
        if (rc == 0 && dice(w, 8) == 0)
            txnlog_roll(log);
        if (rc == 0 && dice(w, 12) == 0)
            rc = store_write_snapshot(w->fs, w->durable, dice(w, 3000),
                                      (enum snap_method)dice(w, 3), NULL);
        struct purge_result purged;
        if (rc == 0 && dice(w, 20) == 0)
            rc = purge(w->fs, STORE_DIR, STORE_DIR, 3, &purged, NULL);
    }
    txnlog_close(log);
}

static void one_disk(struct world *w, int lives)
{
    w->random = w->seed;
    w->durable = w->appended = 0;
    w->disk = crash_disk_create();
    w->fs = crash_disk_files(w->disk);
    store_format(w->fs);

    for (int life = 0; life < lives;) {
        crash_disk_fail_at(w->disk, crash_disk_calls(w->disk) + 1 + dice(w, 120));
        int rc = store_recover(w->fs, &STORE_OPTIONS, w->seen);
        if (!crash_disk_failed(w->disk)) {
            check(w, rc == 0, "recovery refuses");
            check_recovered(w);
            work(w, 30);
            life++;
        }
        if (dice(w, 3) == 0) {
            crash_disk_restart(w->disk);
            w->kills++;
        } else {
            crash_disk_power_cycle(w->disk, dice(w, UINT64_MAX));
        }
    }
    crash_disk_free(w->disk);
}

static void acknowledged_writes_survive_every_crash(void **state)
{
    (void)state;
    struct world w = {.seen = mem_calloc(1, sizeof *w.seen)};
    const char *one = getenv("SEED");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    uint64_t last = one ? first : 2000;
    for (w.seed = first; w.seed <= last; w.seed++)
        one_disk(&w, 5);
    if (one == NULL) {
        assert_true(w.cuts > 300); /* the interesting case did come up */
        assert_true(w.kills > 300);
    }
    store_seen_deinit(w.seen);
    free(w.seen);
}

/* ---- metafile ---- */

static void a_number_is_the_old_or_the_new_one_after_a_crash(void **state)
{
    (void)state;
    for (uint64_t call = 1; call <= 8; call++) {
        for (uint64_t seed = 0; seed < 50; seed++) {
            struct crash_disk *disk = crash_disk_create();
            struct files *fs = crash_disk_files(disk);
            assert_int_equal(metafile_write(fs, "/d", "currentEpoch", 7, NULL), 0);
            crash_disk_fail_at(disk, crash_disk_calls(disk) + call);
            int rc = metafile_write(fs, "/d", "currentEpoch", 1234567890123, NULL);
            crash_disk_power_cycle(disk, seed);
            int64_t value = 0;
            assert_int_equal(metafile_read(fs, "/d", "currentEpoch", &value, NULL), 0);
            if (rc == 0)
                assert_int_equal(value, 1234567890123);
            else
                assert_true(value == 7 || value == 1234567890123);
            crash_disk_free(disk);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledged_writes_survive_every_crash),
        cmocka_unit_test(a_number_is_the_old_or_the_new_one_after_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
