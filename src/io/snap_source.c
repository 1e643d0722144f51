#include "io/snap_source.h"

#include <string.h>

#include "io/snap_format.h"
#include "io/snappy_library.h"

enum {
    RAW_BYTES = 256 << 10,
    GZIP_WINDOW_BITS = 15 + 16
};

static int read_error(struct snap_source *s, int64_t rc, struct err *err)
{
    file_error(err, (int)rc, "read", "snapshot");
    return err_wrap(err, ERR_IO, "at offset %lld", (long long)s->at);
}

/* Makes `len` compressed bytes available at raw_used; fewer at the end of the file. */
static int64_t raw_fill(struct snap_source *s, size_t len, struct err *err)
{
    size_t have = s->raw.len - s->raw_used;
    if (have >= len)
        return (int64_t)have;

    memmove(s->raw.ptr, s->raw.ptr + s->raw_used, have);
    s->raw.len = have;
    s->raw_used = 0;
    size_t want = (len > RAW_BYTES ? len : RAW_BYTES) - have;
    buf_reserve(&s->raw, want);
    int64_t n = file_read_full(s->fs, s->fd, s->raw.ptr + have, want, s->at);
    if (n < 0)
        return read_error(s, n, err);
    s->raw.len += (size_t)n;
    s->at += n;
    return (int64_t)s->raw.len;
}

static const uint8_t *raw_ptr(const struct snap_source *s)
{
    return s->raw.ptr + s->raw_used;
}

static int snappy_header(struct snap_source *s, struct err *err)
{
    int64_t n = raw_fill(s, SNAPPY_HEADER_BYTES, err);
    if (n < 0)
        return (int)n;
    if (n < SNAPPY_HEADER_BYTES || memcmp(raw_ptr(s), SNAPPY_HEADER, 8) != 0)
        return err_set(err, ERR_CORRUPT, "no snappy stream");
    if (load_be32(raw_ptr(s) + 12) > 1)
        return err_set(err, ERR_UNSUPPORTED, "snappy stream of a later version");
    s->raw_used += SNAPPY_HEADER_BYTES;
    return 0;
}

int snap_source_open(struct snap_source *s, struct files *fs, const char *path,
                     enum snap_method method, struct err *err)
{
    *s = (struct snap_source){.fs = fs, .method = method};
    s->fd = fs->open(fs, path, FILE_READ);
    if (s->fd < 0)
        return file_error(err, s->fd, "open snapshot", path);
    buf_reserve(&s->raw, RAW_BYTES);

    int rc = 0;
    if (method == SNAP_GZIP) {
        rc = inflateInit2(&s->gzip, GZIP_WINDOW_BITS);
        if (rc == Z_OK)
            s->gzip_open = true;
        else
            rc = err_set(err, ERR_IO, "cannot read a compressed snapshot: zlib error %d", rc);
    } else if (method == SNAP_SNAPPY) {
        rc = snappy_header(s, err);
    }
    if (rc < 0)
        snap_source_close(s);
    return rc;
}

void snap_source_close(struct snap_source *s)
{
    if (s->fd >= 0)
        s->fs->close(s->fs, s->fd);
    s->fd = -1;
    if (s->gzip_open)
        inflateEnd(&s->gzip);
    s->gzip_open = false;
    buf_deinit(&s->raw);
    buf_deinit(&s->block);
}

static int64_t read_plain(struct snap_source *s, uint8_t *ret, size_t len, struct err *err)
{
    int64_t n = file_read_full(s->fs, s->fd, ret, len, s->at);
    if (n < 0)
        return read_error(s, n, err);
    s->at += n;
    return n;
}

/* At the end of a gzip member: another one may follow (GZIPInputStream reads on, too). */
static int next_member(struct snap_source *s, struct err *err)
{
    int64_t n = raw_fill(s, 2, err);
    if (n < 0)
        return (int)n;
    if (n < 2 || raw_ptr(s)[0] != 0x1f || raw_ptr(s)[1] != 0x8b)
        s->gzip_ended = true;
    else
        inflateReset(&s->gzip);
    return 0;
}

static int64_t read_gzip(struct snap_source *s, uint8_t *ret, size_t len, struct err *err)
{
    while (!s->gzip_ended) {
        int64_t n = raw_fill(s, 1, err);
        if (n < 0)
            return n;
        if (n == 0)
            return err_set(err, ERR_CORRUPT, "offset %lld: the compressed stream is cut off",
                           (long long)s->at);

        s->gzip.next_in = s->raw.ptr + s->raw_used;
        s->gzip.avail_in = (uInt)(s->raw.len - s->raw_used);
        s->gzip.next_out = ret;
        s->gzip.avail_out = (uInt)len;
        int rc = inflate(&s->gzip, Z_NO_FLUSH);
        s->raw_used = s->raw.len - s->gzip.avail_in;
        size_t made = len - s->gzip.avail_out;

        if (rc == Z_STREAM_END) {
            int next = next_member(s, err);
            if (next < 0)
                return next;
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return err_set(err, ERR_CORRUPT, "before offset %lld: damaged compressed stream: %s",
                           (long long)s->at, s->gzip.msg ? s->gzip.msg : "zlib");
        }
        if (made > 0)
            return (int64_t)made;
    }
    return 0;
}

static int snappy_corrupt(struct snap_source *s, const char *what, struct err *err)
{
    long long offset = (long long)s->at - (long long)(s->raw.len - s->raw_used);
    return err_set(err, ERR_CORRUPT, "offset %lld: snappy block %s", offset, what);
}

/* Decodes the next block; leaves it empty at the end of the file. */
static int next_block(struct snap_source *s, struct err *err)
{
    buf_clear(&s->block);
    s->block_used = 0;
    int64_t n = raw_fill(s, 4, err);
    if (n <= 0)
        return (int)n;
    if (n < 4)
        return snappy_corrupt(s, "is cut off", err);

    uint32_t len = load_be32(raw_ptr(s));
    if (len == load_be32(SNAPPY_HEADER)) /* streams may follow one another, as gzip members do */
        return snappy_header(s, err);
    if (len > SNAPPY_BLOCK_BYTES_MAX)
        return snappy_corrupt(s, "is too long", err);
    n = raw_fill(s, 4 + (size_t)len, err);
    if (n < 0)
        return (int)n;
    if ((size_t)n < 4 + (size_t)len)
        return snappy_corrupt(s, "is cut off", err);

    const struct snappy_library *snappy = snappy_library(err);
    if (snappy == NULL)
        return ERR_UNSUPPORTED;
    const char *bytes = (const char *)raw_ptr(s) + 4;
    size_t plain_len;
    if (snappy->uncompressed_length(bytes, len, &plain_len) != SNAPPY_OK ||
        plain_len > SNAPPY_BLOCK_BYTES_MAX)
        return snappy_corrupt(s, "is damaged", err);
    buf_reserve(&s->block, plain_len);
    if (snappy->uncompress(bytes, len, (char *)s->block.ptr, &plain_len) != SNAPPY_OK)
        return snappy_corrupt(s, "is damaged", err);
    s->block.len = plain_len;
    s->raw_used += 4 + (size_t)len;
    return 0;
}

static int64_t read_snappy(struct snap_source *s, uint8_t *ret, size_t len, struct err *err)
{
    while (s->block_used == s->block.len) {
        int64_t left = raw_fill(s, 1, err);
        if (left <= 0)
            return left;
        int rc = next_block(s, err);
        if (rc < 0)
            return rc;
    }
    size_t have = s->block.len - s->block_used;
    size_t take = have < len ? have : len;
    memcpy(ret, s->block.ptr + s->block_used, take);
    s->block_used += take;
    return (int64_t)take;
}

int64_t snap_source_read(struct snap_source *s, uint8_t *ret, size_t len, struct err *err)
{
    switch (s->method) {
    case SNAP_PLAIN:
        return read_plain(s, ret, len, err);
    case SNAP_GZIP:
        return read_gzip(s, ret, len, err);
    case SNAP_SNAPPY:
        return read_snappy(s, ret, len, err);
    }
    return 0;
}
