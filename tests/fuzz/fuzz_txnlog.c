/* A folder with logs of any content is recovered: refused with file and offset, or replayed; then a
 * second recovery finds exactly the same, with nothing left to repair. */
#include <zlib.h>

#include "crash_disk.h"
#include "gen.h"
#include "io/recover.h"
#include "io/snapfile.h"
#include "io/synced.h"
#include "io/txnlog.h"
#include "tree/apply.h"
#include "tree/snapshot.h"
#include "tree_verify.h"

/* ---- what a recovery delivers ---- */

struct seen {
    struct tree *t;
    struct snapshot_loader *l;
    struct tree_effects fx;
    int64_t last_zxid;
    uint64_t count;
    struct recover_result result;
    struct err err;
};

static struct tree *fresh_tree(void)
{
    struct tree_options options = {
        .hash_seed = 3, .digest_enabled = true, .extended_types_enabled = true};
    return tree_create(&options);
}

static int on_begin(void *arg, int64_t zxid, struct err *err)
{
    (void)err;
    struct seen *s = arg;
    snapshot_loader_free(s->l);
    tree_free(s->t);
    s->t = fresh_tree();
    s->l = snapshot_loader_create(s->t);
    s->last_zxid = zxid;
    return 0;
}

static int on_feed(void *arg, struct slice chunk, size_t *ret_used, bool *ret_done, struct err *err)
{
    struct seen *s = arg;
    return snapshot_loader_feed(s->l, chunk, ret_used, ret_done, err);
}

static int on_txn(void *arg, int64_t zxid, struct slice bytes, struct err *err)
{
    struct seen *s = arg;
    FUZZ_CHECK(zxid > s->last_zxid, "transactions come in order");
    s->last_zxid = zxid;
    s->count++;
    struct txn_entry e;
    if (txn_split(bytes, &e) < 0)
        return err_set(err, ERR_CORRUPT, "no transaction");
    FUZZ_CHECK(e.hdr.zxid == zxid, "the record is that of its zxid");
    return tree_apply(s->t, &e.hdr, e.body, e.has_digest ? &e.digest : NULL, &s->fx);
}

static int recover_all(struct files *fs, struct seen *s)
{
    *s = (struct seen){.t = fresh_tree(), .last_zxid = 0};
    struct recover_options options = {.snap_dir = "/d", .log_dir = "/d", .trust_empty = true};
    struct recover_sink sink = {
        .snapshot = {.arg = s, .begin = on_begin, .feed = on_feed}, .txn = on_txn, .arg = s};
    int rc = recover(fs, &options, &sink, &s->result, &s->err);
    FUZZ_CHECK(rc == 0 || s->err.text[0] != 0, "a refusal has its reason");
    if (rc == 0) {
        FUZZ_CHECK_NULL(tree_verify(s->t, false));
        FUZZ_CHECK(s->result.txn_count == s->count, "as many as it says");
        FUZZ_CHECK(s->result.last_zxid == s->last_zxid, "up to the zxid it says");
    }
    return rc;
}

static void seen_deinit(struct seen *s)
{
    snapshot_loader_free(s->l);
    tree_free(s->t);
    tree_effects_deinit(&s->fx);
}

/* ---- making logs ---- */

static void put_record(struct fz *f, int64_t *zxid, struct buf *out)
{
    struct buf record = {0};
    uint8_t jump = fz_u8(f);
    *zxid += jump < 0xe0 ? 1 : jump - 0xf0;
    struct rec_txn_header hdr = {.client_id = gen_session(f), .zxid = *zxid, .time = 1700000000000};
    hdr.type = gen_txn_type(f);
    rec_put_txn_header(&record, &hdr);
    gen_put_txn(f, hdr.type, &record);
    if (fz_u8(f) & 1)
        rec_put_txn_digest(&record, &(struct rec_txn_digest){.version = 2, .tree_digest = 5});
    gen_spoil(f, &record, 32);
    txnlog_frame(out, buf_slice(&record));
    buf_deinit(&record);
}

static void put_log(struct fz *f, int64_t *zxid, struct buf *out)
{
    uint8_t header = fz_u8(f);
    if (header >= 0xf0) {
        buf_put_slice(out, fz_blob(f));
    } else {
        buf_put_slice(out, slice_str("ZKLG"));
        buf_put_i32(out, 2);
        buf_put_i64(out, 0);
    }
    uint8_t what;
    while (fz_more(f) && (what = fz_u8(f)) != 0xff) {
        size_t at = out->len;
        if (what < 0xe0) {
            put_record(f, zxid, out);
            txnlog_seal(out->ptr + at, out->len - at);
        } else if (what < 0xe8) {
            put_record(f, zxid, out);
            gen_spoil(f, out, at); /* the checksum is 0, and more may be wrong */
        } else if (what < 0xf0) {
            buf_put_slice(out, fz_blob(f));
        } else {
            static const uint8_t zeros[4096];
            buf_put(out, zeros, (size_t)fz_u8(f) * 16);
        }
    }
}

static void add_log(struct crash_disk *disk, int64_t name_zxid, struct slice bytes)
{
    char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
    name_log(name, name_zxid);
    file_path(path, "/d/version-2", name, NULL);
    crash_disk_put(disk, path, bytes.ptr, bytes.len);
}

static void add_synced(struct files *fs, struct fz *f, int64_t file_zxid, struct slice first)
{
    struct synced s = {.file_zxid = file_zxid, .offset = fz_u16(f), .inode = fz_u8(f)};
    if (first.len >= 24)
        s.first_checksum = load_be64(first.ptr + 16);
    int fd = synced_open(fs, "/d/version-2");
    FUZZ_CHECK(fd >= 0 && synced_write(fs, fd, &s) == 0, "the side file can be written");
    fs->close(fs, fd);
}

/* A snapshot of a tree that has been in use; a byte of it may be another one. */
static void add_snapshot(struct crash_disk *disk, struct fz *f)
{
    struct files *fs = crash_disk_files(disk);
    struct tree *t = fresh_tree();
    gen_populate(t);
    static const struct snapshot_session sessions[] = {{0x1000, 4000}, {0x1001, 4000}};
    struct buf body = {0};
    snapshot_begin(t, sessions, 2, &body);
    while (!snapshot_slice(t, 10000, &body))
        ;
    struct snapfile_options options = {.method = SNAP_PLAIN};
    struct snapfile *file = NULL;
    int64_t bytes;
    int rc = snapfile_create(fs, "/d/version-2", GEN_POPULATED_ZXID, &options, &file, NULL);
    FUZZ_CHECK(rc == 0 && snapfile_write(file, buf_slice(&body), NULL) == 0, "written");
    FUZZ_CHECK(snapfile_publish(file, tree_digest(t), &bytes, NULL) == 0, "published");
    buf_deinit(&body);
    tree_free(t);

    uint8_t damage = fz_u8(f);
    size_t len;
    uint8_t *file_bytes = crash_disk_bytes(disk, "/d/version-2/snapshot.d", &len);
    FUZZ_CHECK(file_bytes != NULL, "under its name");
    if (damage >= 0xf0)
        file_bytes[fz_u16(f) % len] ^= damage;
}

static void make_folder(struct crash_disk *disk, struct fz *f)
{
    struct files *fs = crash_disk_files(disk);
    fs->mkdir(fs, "/d/version-2");
    uint8_t how = fz_u8(f);
    struct buf log = {0};
    if (how & 0x80) {
        buf_put_slice(&log, fz_rest(f));
        add_log(disk, 1, buf_slice(&log));
    }
    int64_t zxid = 0;
    if (how & 8) {
        add_snapshot(disk, f);
        zxid = GEN_POPULATED_ZXID - fz_below(f, 8);
    }
    for (int i = 0; i <= (how & 3) && fz_more(f); i++) {
        buf_clear(&log);
        int64_t name_zxid = zxid + 1;
        put_log(f, &zxid, &log);
        add_log(disk, name_zxid > 0 ? name_zxid : 1, buf_slice(&log));
        if (how & 4)
            add_synced(fs, f, name_zxid, buf_slice(&log));
    }
    buf_deinit(&log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz f = fz_of(data, size);
    struct crash_disk *disk = crash_disk_create();
    make_folder(disk, &f);

    struct seen first, second;
    size_t files = crash_disk_file_count(disk, "/d/version-2");
    int rc = recover_all(crash_disk_files(disk), &first);
    /* A log that the snapshot covers is not read while a later one is there. When that one is
     * removed, because it holds no record, the older one is last and is read for the first time. */
    bool uncovered =
        first.result.snapshot_zxid > 0 && crash_disk_file_count(disk, "/d/version-2") < files;
    int again = recover_all(crash_disk_files(disk), &second);
    FUZZ_CHECK(rc == again || uncovered, "a second recovery ends as the first did");
    if (rc == 0 && !uncovered) {
        FUZZ_CHECK(!second.result.cut, "nothing is left to repair");
        FUZZ_CHECK(first.count == second.count && first.last_zxid == second.last_zxid,
                   "the same transactions");
        FUZZ_CHECK_NULL(tree_differ(first.t, second.t));
    }
    seen_deinit(&first);
    seen_deinit(&second);
    crash_disk_free(disk);
    return 0;
}
