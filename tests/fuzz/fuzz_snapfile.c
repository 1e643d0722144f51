/* Snapshot files, plain and compressed: damaged ones are refused with a reason, whole ones become
 * the tree they were written from.
 *
 * Checksums would keep a fuzzer out: so half of the inputs are a body that this file seals and
 * compresses itself, well or badly. The other half are the file as it is. */
#include <snappy-c.h>
#include <zlib.h>

#include "base/mem.h"
#include "crash_disk.h"
#include "fuzz.h"
#include "io/snapfile.h"
#include "tree/snapshot.h"
#include "tree_verify.h"

/* ---- a tree behind the sink ---- */

struct sink {
    struct tree *t;
    struct snapshot_loader *l;
};

static void sink_reset(struct sink *s)
{
    snapshot_loader_free(s->l);
    tree_free(s->t);
    *s = (struct sink){0};
}

static int sink_begin(void *arg, int64_t zxid, struct err *err)
{
    (void)zxid;
    (void)err;
    struct sink *s = arg;
    struct tree_options options = {
        .hash_seed = 3, .digest_enabled = true, .extended_types_enabled = true};
    sink_reset(s);
    s->t = tree_create(&options);
    s->l = snapshot_loader_create(s->t);
    return 0;
}

static int sink_feed(void *arg, struct slice chunk, size_t *ret_used, bool *ret_done,
                     struct err *err)
{
    struct sink *s = arg;
    return snapshot_loader_feed(s->l, chunk, ret_used, ret_done, err);
}

/* ---- making a file ---- */

static void put_seal(struct buf *b, uint8_t wrong)
{
    buf_put_i64(b, (int64_t)(adler32_z(1, b->ptr, b->len) ^ wrong));
    buf_put_i32(b, 1);
    buf_put_u8(b, '/');
}

static void put_plain(struct fz *f, struct buf *out)
{
    uint8_t tail = fz_u8(f);
    uint8_t wrong = fz_one_in(f, 64) ? 1 : 0;
    int64_t zxid = fz_i64(f), digest = fz_i64(f);
    buf_put_slice(out, slice_str("ZKSN"));
    buf_put_i32(out, 2);
    buf_put_i64(out, -1);
    buf_put_slice(out, fz_rest(f));
    put_seal(out, wrong);
    if (tail & 1) {
        buf_put_i64(out, zxid);
        buf_put_i32(out, tail & 8 ? 1 : 2);
        if (tail & 8)
            buf_put_i32(out, (int32_t)digest);
        else
            buf_put_i64(out, digest);
        put_seal(out, 0);
    }
    if (tail & 2) {
        buf_put_i64(out, zxid);
        put_seal(out, wrong);
    }
    if (tail & 4)
        buf_put_u8(out, tail);
}

static void compress_gzip(struct slice plain, struct buf *out)
{
    z_stream z = {0};
    deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    buf_reserve(out, deflateBound(&z, plain.len));
    z.next_in = (Bytef *)(uintptr_t)plain.ptr;
    z.avail_in = (uInt)plain.len;
    z.next_out = out->ptr;
    z.avail_out = (uInt)out->cap;
    deflate(&z, Z_FINISH);
    out->len = out->cap - z.avail_out;
    deflateEnd(&z);
}

static void compress_snappy(struct slice plain, size_t block_bytes, struct buf *out)
{
    static const uint8_t header[16] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
                                       0,    0,   0,   1,   0,   0,   0,   1};
    buf_put(out, header, sizeof header);
    while (plain.len > 0) {
        size_t take = plain.len < block_bytes ? plain.len : block_bytes;
        size_t len = snappy_max_compressed_length(take);
        char *block = mem_alloc(len);
        snappy_compress((const char *)plain.ptr, take, block, &len);
        buf_put_i32(out, (int32_t)len);
        buf_put(out, block, len);
        free(block);
        plain = slice_from(plain, take);
    }
}

static void make_file(struct fz *f, enum snap_method method, struct buf *out)
{
    struct buf plain = {0};
    size_t block_bytes = 1 + fz_u16(f);
    put_plain(f, &plain);
    if (method == SNAP_PLAIN)
        buf_put_slice(out, buf_slice(&plain));
    else if (method == SNAP_GZIP)
        compress_gzip(buf_slice(&plain), out);
    else
        compress_snappy(buf_slice(&plain), block_bytes, out);
    buf_deinit(&plain);
}

/* ---- the round trip ---- */

static void write_again(struct files *fs, struct sink *from, enum snap_method method)
{
    struct err err = {""};
    struct snapfile_options options = {.method = method};
    struct snapfile *file = NULL;
    FUZZ_CHECK(snapfile_create(fs, "/d", 7, &options, &file, &err) == 0, "a file can be made");
    const struct snapshot_session *sessions;
    size_t count = snapshot_loader_sessions(from->l, &sessions);
    struct buf part = {0};
    snapshot_begin(from->t, sessions, count, &part);
    bool done = false;
    while (!done) {
        FUZZ_CHECK(snapfile_write(file, buf_slice(&part), &err) == 0, "written");
        buf_clear(&part);
        done = snapshot_slice(from->t, 100, &part);
    }
    FUZZ_CHECK(snapfile_write(file, buf_slice(&part), &err) == 0, "written to its end");
    int64_t bytes;
    FUZZ_CHECK(snapfile_publish(file, tree_digest(from->t), &bytes, &err) == 0, "published");
    buf_deinit(&part);

    char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
    name_snapshot(name, 7, method);
    file_path(path, "/d", name, NULL);
    struct sink again = {0};
    struct snap_sink sink = {.arg = &again, .begin = sink_begin, .feed = sink_feed};
    struct snap_tail tail;
    FUZZ_CHECK(snapfile_looks_valid(fs, path, method), "what we write looks valid");
    FUZZ_CHECK(snapfile_load(fs, path, 7, &sink, &tail, &err) == 0, "and can be loaded");
    FUZZ_CHECK(tail.has_digest && tail.digest == tree_digest(again.t), "with its digest");
    FUZZ_CHECK(tail.has_last_zxid && tail.last_zxid == 7, "and its zxid");
    FUZZ_CHECK_NULL(tree_differ(from->t, again.t));
    sink_reset(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crash_disk *disk = crash_disk_create();
    struct files *fs = crash_disk_files(disk);
    struct fz f = fz_of(data, size);
    uint8_t how = fz_u8(&f);
    enum snap_method method = how % 3;

    struct buf file = {0};
    if (how & 0x80)
        buf_put_slice(&file, fz_rest(&f));
    else
        make_file(&f, method, &file);
    char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
    name_snapshot(name, 5, method);
    file_path(path, "/d", name, NULL);
    crash_disk_put(disk, path, file.ptr, file.len);
    buf_deinit(&file);

    struct sink loaded = {0};
    struct snap_sink sink = {.arg = &loaded, .begin = sink_begin, .feed = sink_feed};
    struct snap_tail tail;
    struct err err = {""};
    snapfile_looks_valid(fs, path, method);
    int rc = snapfile_load(fs, path, 5, &sink, &tail, &err);
    FUZZ_CHECK(rc == 0 || err.text[0] != 0, "a refusal has its reason");
    if (rc == 0) {
        FUZZ_CHECK_NULL(tree_verify(loaded.t, false));
        write_again(fs, &loaded, (how >> 4) % 3);
    }
    sink_reset(&loaded);
    crash_disk_free(disk);
    return 0;
}
