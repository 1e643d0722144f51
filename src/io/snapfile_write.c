/* snapfile_write.c: body -> Adler32 -> compression -> file under a temporary name -> snapshot. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "io/snap_format.h"
#include "io/snapfile.h"
#include "io/snappy_library.h"

enum {
    OUT_BYTES = 256 << 10,
    /* Synced in steps, so that the log's fdatasync never waits behind a whole snapshot: with 1 MiB
     * the writes of a leader waited 8 to 12 ms longer while another server on its disk took its
     * tree, with 256 KiB 3 ms. */
    SYNC_STEP_BYTES = 256 << 10,
    /* Half the time of the usual level for a tenth more bytes; readers do not care. */
    GZIP_LEVEL = 1,
    GZIP_WINDOW_BITS = 15 + 16,
};

struct snapfile {
    struct files *fs;
    char *dir;
    char tmp_path[FILE_PATH_MAX];
    int64_t zxid;
    struct snapfile_options options;
    int fd;
    int64_t written; /* bytes in the file */
    int64_t synced;
    uint64_t adler;   /* of everything before compression */
    struct buf out;   /* on its way to the file */
    struct buf block; /* snappy: collected for the next block */
    z_stream gzip;
    bool gzip_open;
};

static int write_error(struct snapfile *s, int rc, const char *what, struct err *err)
{
    return file_error(err, rc, what, s->tmp_path);
}

static int flush_out(struct snapfile *s, struct err *err)
{
    if (s->out.len > 0) {
        struct iovec part = {s->out.ptr, s->out.len};
        int rc = file_write_full(s->fs, s->fd, &part, 1, s->written);
        if (rc < 0)
            return write_error(s, rc, "write snapshot", err);
        s->written += (int64_t)s->out.len;
        buf_clear(&s->out);
    }
    if (s->written - s->synced >= SYNC_STEP_BYTES) {
        int rc = s->fs->sync(s->fs, s->fd);
        if (rc < 0)
            return write_error(s, rc, "sync snapshot", err);
        s->synced = s->written;
    }
    return 0;
}

static int flush_if_full(struct snapfile *s, struct err *err)
{
    return s->out.len >= OUT_BYTES ? flush_out(s, err) : 0;
}

static int deflate_some(struct snapfile *s, struct slice bytes, int flush, struct err *err)
{
    s->gzip.next_in = (Bytef *)(uintptr_t)bytes.ptr;
    s->gzip.avail_in = (uInt)bytes.len;
    for (;;) {
        buf_reserve(&s->out, OUT_BYTES);
        s->gzip.next_out = s->out.ptr + s->out.len;
        s->gzip.avail_out = OUT_BYTES;
        int rc = deflate(&s->gzip, flush);
        invariant(rc != Z_STREAM_ERROR);
        s->out.len += OUT_BYTES - s->gzip.avail_out;
        bool over =
            flush == Z_FINISH ? rc == Z_STREAM_END : s->gzip.avail_in == 0 && s->gzip.avail_out > 0;
        rc = flush_if_full(s, err);
        if (rc < 0 || over)
            return rc;
    }
}

static int snappy_block(struct snapfile *s, struct err *err)
{
    if (s->block.len == 0)
        return 0;
    const struct snappy_library *snappy = snappy_library(err);
    if (snappy == NULL)
        return ERR_UNSUPPORTED;
    size_t len = snappy->max_compressed_length(s->block.len);
    buf_reserve(&s->out, 4 + len);
    snappy_status rc = snappy->compress((const char *)s->block.ptr, s->block.len,
                                        (char *)s->out.ptr + s->out.len + 4, &len);
    invariant(rc == SNAPPY_OK);
    store_be32(s->out.ptr + s->out.len, (uint32_t)len);
    s->out.len += 4 + len;
    buf_clear(&s->block);
    return flush_if_full(s, err);
}

static int snappy_some(struct snapfile *s, struct slice bytes, struct err *err)
{
    while (bytes.len > 0) {
        size_t room = SNAPPY_BLOCK_BYTES - s->block.len;
        size_t take = bytes.len < room ? bytes.len : room;
        buf_put(&s->block, bytes.ptr, take);
        bytes = slice_from(bytes, take);
        int rc = s->block.len == SNAPPY_BLOCK_BYTES ? snappy_block(s, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int put(struct snapfile *s, struct slice bytes, struct err *err)
{
    if (bytes.len == 0)
        return 0; /* adler32 of a NULL pointer would begin anew */
    s->adler = adler32_z(s->adler, bytes.ptr, bytes.len);
    while (bytes.len > 0) {
        struct slice some = slice_of(bytes.ptr, bytes.len < OUT_BYTES ? bytes.len : OUT_BYTES);
        bytes = slice_from(bytes, some.len);
        int rc = 0;
        switch (s->options.method) {
        case SNAP_PLAIN:
            buf_put_slice(&s->out, some);
            rc = flush_if_full(s, err);
            break;
        case SNAP_GZIP:
            rc = deflate_some(s, some, Z_NO_FLUSH, err);
            break;
        case SNAP_SNAPPY:
            rc = snappy_some(s, some, err);
            break;
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int put_seal(struct snapfile *s, struct err *err)
{
    uint8_t seal[SNAP_SEAL_BYTES];
    store_be64(seal, s->adler);
    store_be32(seal + 8, 1);
    seal[12] = '/';
    return put(s, slice_of(seal, sizeof seal), err);
}

static int put_tail(struct snapfile *s, uint64_t digest, struct err *err)
{
    int rc = put_seal(s, err);
    if (rc == 0 && !s->options.no_digest) {
        uint8_t bytes[SNAP_DIGEST_BYTES];
        store_be64(bytes, (uint64_t)s->zxid);
        store_be32(bytes + 8, SNAP_DIGEST_VERSION);
        store_be64(bytes + 12, digest);
        rc = put(s, slice_of(bytes, sizeof bytes), err);
        if (rc == 0)
            rc = put_seal(s, err);
    }
    if (rc == 0 && !s->options.no_last_zxid) {
        uint8_t bytes[8];
        store_be64(bytes, (uint64_t)s->zxid);
        rc = put(s, slice_of(bytes, sizeof bytes), err);
        if (rc == 0)
            rc = put_seal(s, err);
    }
    return rc;
}

static int finish_compression(struct snapfile *s, struct err *err)
{
    switch (s->options.method) {
    case SNAP_PLAIN:
        return 0;
    case SNAP_GZIP:
        return deflate_some(s, slice_of(NULL, 0), Z_FINISH, err);
    case SNAP_SNAPPY:
        return snappy_block(s, err);
    }
    return 0;
}

static void snapfile_free(struct snapfile *s)
{
    if (s->fd >= 0)
        s->fs->close(s->fs, s->fd);
    if (s->gzip_open)
        deflateEnd(&s->gzip);
    buf_deinit(&s->out);
    buf_deinit(&s->block);
    free(s->dir);
    free(s);
}

static int start_compression(struct snapfile *s, struct err *err)
{
    if (s->options.method == SNAP_SNAPPY)
        buf_put(&s->out, SNAPPY_HEADER, sizeof SNAPPY_HEADER);
    if (s->options.method == SNAP_GZIP) {
        int rc =
            deflateInit2(&s->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY);
        if (rc != Z_OK)
            return err_set(err, ERR_IO, "cannot compress a snapshot: zlib error %d", rc);
        s->gzip_open = true;
    }
    return 0;
}

int snapfile_create(struct files *fs, const char *dir, int64_t zxid,
                    const struct snapfile_options *options, struct snapfile **ret, struct err *err)
{
    struct snapfile *s = mem_calloc(1, sizeof *s);
    s->fs = fs;
    s->dir = mem_dup(dir, strlen(dir) + 1);
    s->zxid = zxid;
    s->options = *options;
    s->fd = -1;
    s->adler = 1;

    const char *tmp_name = options->tmp_name != NULL ? options->tmp_name : NAME_SNAPSHOT_TMP;
    int rc = file_path(s->tmp_path, dir, tmp_name, err);
    if (rc < 0)
        goto fail;
    s->fd = fs->open(fs, s->tmp_path, FILE_WRITE | FILE_CREATE | FILE_EMPTY);
    if (s->fd < 0) {
        rc = write_error(s, s->fd, "create snapshot", err);
        goto fail;
    }
    rc = start_compression(s, err);
    if (rc == 0)
        rc = put(s, slice_of(SNAP_HEADER, sizeof SNAP_HEADER), err);
    if (rc < 0) {
        snapfile_discard(s);
        return rc;
    }
    *ret = s;
    return 0;

fail:
    snapfile_free(s);
    return rc;
}

int snapfile_write(struct snapfile *s, struct slice body, struct err *err)
{
    return put(s, body, err);
}

static int sync_and_close(struct snapfile *s, struct err *err)
{
    int rc = s->fs->sync(s->fs, s->fd);
    if (rc < 0)
        return write_error(s, rc, "sync snapshot", err);
    s->fs->close(s->fs, s->fd);
    s->fd = -1;
    return 0;
}

static int rename_it(struct snapfile *s, struct err *err)
{
    char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
    name_snapshot(name, s->zxid, s->options.method);
    int rc = file_path(path, s->dir, name, err);
    if (rc < 0)
        return rc;
    rc = s->fs->rename(s->fs, s->tmp_path, path);
    if (rc < 0)
        return file_error(err, rc, "rename snapshot to", path);
    rc = s->fs->sync_dir(s->fs, s->dir);
    return rc < 0 ? file_error(err, rc, "sync directory", s->dir) : 0;
}

int snapfile_finish(struct snapfile *s, uint64_t digest, struct err *err)
{
    int rc = put_tail(s, digest, err);
    if (rc == 0)
        rc = finish_compression(s, err);
    if (rc == 0)
        rc = flush_out(s, err);
    return rc == 0 ? sync_and_close(s, err) : rc;
}

int snapfile_name(struct snapfile *s, int64_t *ret_bytes, struct err *err)
{
    int rc = rename_it(s, err);
    if (rc < 0) {
        snapfile_discard(s);
        return rc;
    }
    *ret_bytes = s->written;
    snapfile_free(s);
    return 0;
}

int snapfile_publish(struct snapfile *s, uint64_t digest, int64_t *ret_bytes, struct err *err)
{
    int rc = snapfile_finish(s, digest, err);
    if (rc == 0)
        return snapfile_name(s, ret_bytes, err);
    snapfile_discard(s);
    return rc;
}

void snapfile_discard(struct snapfile *s)
{
    if (s == NULL)
        return;
    s->fs->unlink(s->fs, s->tmp_path); /* not there any more if only the directory's sync failed */
    snapfile_free(s);
}
