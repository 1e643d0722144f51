#include "io_store.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "io/txnlog_read.h"

const struct recover_options STORE_OPTIONS = {.snap_dir = STORE_DIR, .log_dir = STORE_DIR};

void store_record(struct buf *out, int64_t zxid, size_t len)
{
    assert(len >= TXN_HEADER_BYTES);
    size_t start = out->len;
    buf_put_i64(out, 0x1000);
    buf_put_i32(out, (int32_t)zxid);
    buf_put_i64(out, zxid);
    buf_put_i64(out, 1700000000000 + zxid);
    buf_put_i32(out, 1);
    for (size_t i = TXN_HEADER_BYTES; i < len; i++)
        buf_put_u8(out, (uint8_t)((uint64_t)zxid * 31 + i * 7 + 1));
    assert(out->len - start == len);
}

void store_frame(struct buf *out, int64_t zxid, size_t len)
{
    struct buf record = {0};
    store_record(&record, zxid, len);
    size_t start = out->len;
    txnlog_frame(out, buf_slice(&record));
    txnlog_seal(out->ptr + start, out->len - start);
    buf_deinit(&record);
}

void store_body(struct buf *out, int64_t zxid, size_t len)
{
    buf_put_u8(out, 8);
    buf_put_i64(out, zxid);
    for (size_t made = 9; made + 1 < len;) {
        uint8_t item = (uint8_t)(len - made - 1 > 200 ? 200 : len - made - 1);
        item = item > 1 ? (uint8_t)(item - 1) : 1;
        buf_put_u8(out, item);
        for (uint8_t i = 0; i < item; i++)
            buf_put_u8(out, (uint8_t)(made * 13 + i % 5));
        made += 1 + (size_t)item;
    }
    buf_put_u8(out, 0);
}

static int seen_begin(void *arg, int64_t zxid, struct err *err)
{
    (void)zxid;
    (void)err;
    struct store_seen *seen = arg;
    buf_clear(&seen->body);
    seen->snapshot_done = false;
    seen->snapshot_zxid = -1;
    return 0;
}

static int seen_feed(void *arg, struct slice chunk, size_t *ret_used, bool *ret_done,
                     struct err *err)
{
    struct store_seen *seen = arg;
    size_t used = 0;
    while (used < chunk.len && chunk.len - used > chunk.ptr[used]) {
        size_t item = chunk.ptr[used];
        if (seen->snapshot_zxid < 0) {
            if (item != 8)
                return err_set(err, ERR_CORRUPT, "the first item is no zxid");
            seen->snapshot_zxid = (int64_t)load_be64(chunk.ptr + used + 1);
        }
        buf_put(&seen->body, chunk.ptr + used, 1 + item);
        used += 1 + item;
        if (item == 0) {
            *ret_done = seen->snapshot_done = true;
            break;
        }
    }
    *ret_used = used;
    return 0;
}

static int seen_txn(void *arg, int64_t zxid, struct slice bytes, struct err *err)
{
    (void)err;
    struct store_seen *seen = arg;
    struct buf expected = {0};
    if (bytes.len >= TXN_HEADER_BYTES)
        store_record(&expected, zxid, bytes.len);
    if (!slice_eq(buf_slice(&expected), bytes))
        seen->wrong = true;
    buf_deinit(&expected);
    if (seen->count < sizeof seen->zxids / sizeof *seen->zxids)
        seen->zxids[seen->count++] = zxid;
    return 0;
}

int store_recover(struct files *fs, const struct recover_options *options, struct store_seen *seen)
{
    buf_deinit(&seen->body);
    memset(seen, 0, sizeof *seen);
    seen->snapshot_zxid = -1;
    struct recover_sink sink = {
        .snapshot = {.arg = seen, .begin = seen_begin, .feed = seen_feed},
        .txn = seen_txn,
        .arg = seen,
    };
    return recover(fs, options, &sink, &seen->result, &seen->err);
}

void store_seen_deinit(struct store_seen *seen)
{
    buf_deinit(&seen->body);
}

int store_write_snapshot(struct files *fs, int64_t zxid, size_t len, enum snap_method method,
                         struct err *err)
{
    struct snapfile_options options = {.method = method};
    struct snapfile *file;
    int rc = snapfile_create(fs, STORE_PATH, zxid, &options, &file, err);
    if (rc < 0)
        return rc;

    struct buf body = {0};
    store_body(&body, zxid, len);
    for (size_t at = 0; rc == 0 && at < body.len; at += 1000) {
        size_t piece = body.len - at < 1000 ? body.len - at : 1000;
        rc = snapfile_write(file, slice_of(body.ptr + at, piece), err);
    }
    buf_deinit(&body);
    if (rc < 0) {
        snapfile_discard(file);
        return rc;
    }
    int64_t bytes;
    return snapfile_publish(file, (uint64_t)zxid * 3, &bytes, err);
}

void store_format(struct files *fs)
{
    static struct store_seen seen;
    int rc = store_recover(fs, &STORE_OPTIONS, &seen);
    assert(rc == 0 && seen.result.empty);
    struct err err;
    rc = store_write_snapshot(fs, 0, 40, SNAP_PLAIN, &err);
    assert(rc == 0);
    (void)rc;
    store_seen_deinit(&seen);
}
