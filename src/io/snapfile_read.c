/* snapfile_read.c: one snapshot from header to last seal. */
#include <string.h>
#include <zlib.h>

#include "io/snap_format.h"
#include "io/snap_source.h"
#include "io/snapfile.h"

enum {
    WINDOW_BYTES = 256 << 10,
    WINDOW_BYTES_MAX =
        512 << 20, /* a single item (a node's data, an ACL) that does not end within it is damage */
};

struct reader {
    struct snap_source source;
    struct buf window; /* decoded and not yet consumed: from used on */
    size_t used;
    int64_t consumed; /* bytes of the plain stream */
    uint64_t adler;   /* of those */
    bool ended;       /* the source has no more */
};

static struct slice unread(const struct reader *r)
{
    return slice_of(r->window.ptr + r->used, r->window.len - r->used);
}

/* Until `len` unread bytes are there, or the end. */
static int fill(struct reader *r, size_t len, struct err *err)
{
    size_t have = r->window.len - r->used;
    if (have >= len || r->ended)
        return 0;
    if (have > 0 && r->used > 0)
        memmove(r->window.ptr, r->window.ptr + r->used, have);
    r->window.len = have;
    r->used = 0;
    buf_reserve(&r->window, len - have);
    while (r->window.len < len && !r->ended) {
        int64_t n =
            snap_source_read(&r->source, r->window.ptr + r->window.len, len - r->window.len, err);
        if (n < 0)
            return (int)n;
        r->window.len += (size_t)n;
        r->ended = n == 0;
    }
    return 0;
}

static void consume(struct reader *r, size_t len)
{
    if (len == 0)
        return; /* adler32 of a NULL pointer would begin anew */
    r->adler = adler32_z(r->adler, r->window.ptr + r->used, len);
    r->used += len;
    r->consumed += (int64_t)len;
}

static int damaged(const struct reader *r, const char *what, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "offset %lld: %s", (long long)r->consumed, what);
}

static int read_header(struct reader *r, struct err *err)
{
    int rc = fill(r, SNAP_HEADER_BYTES, err);
    if (rc < 0)
        return rc;
    if (unread(r).len < SNAP_HEADER_BYTES || memcmp(unread(r).ptr, SNAP_HEADER, 4) != 0)
        return damaged(r, "no snapshot (magic)", err);
    consume(r, SNAP_HEADER_BYTES);
    return 0;
}

static int read_body(struct reader *r, const struct snap_sink *sink, struct err *err)
{
    size_t want = WINDOW_BYTES;
    for (;;) {
        int rc = fill(r, want, err);
        if (rc < 0)
            return rc;

        size_t used = 0;
        bool done = false;
        struct slice chunk = unread(r);
        rc = sink->feed(sink->arg, chunk, &used, &done, err);
        if (rc < 0)
            return err_wrap(err, rc, "behind offset %lld", (long long)r->consumed);
        consume(r, used);
        if (done)
            return 0;

        /* An item that does not fit gets a larger window; one that never ends is damage. */
        if (used > 0)
            want = WINDOW_BYTES;
        else if (chunk.len < want)
            return damaged(r, "the file ends in the middle", err);
        else if (want >= WINDOW_BYTES_MAX)
            return damaged(r, "an item is too long", err);
        else
            want *= 2;
    }
}

static int read_seal(struct reader *r, struct err *err)
{
    int rc = fill(r, SNAP_SEAL_BYTES, err);
    if (rc < 0)
        return rc;
    struct slice seal = unread(r);
    if (seal.len < SNAP_SEAL_BYTES)
        return damaged(r, "the file ends before its seal", err);
    if (load_be32(seal.ptr + 8) != 1 || seal.ptr[12] != '/')
        return damaged(r, "no seal", err);
    if (load_be64(seal.ptr) != r->adler)
        return damaged(r, "checksum does not match", err);
    consume(r, SNAP_SEAL_BYTES);
    return 0;
}

/* Version 1 carried the digest as hexadecimal text, which nobody compares any more. */
static int read_digest(struct reader *r, struct snap_tail *tail, struct err *err)
{
    struct slice bytes = unread(r);
    tail->digest_zxid = (int64_t)load_be64(bytes.ptr);
    tail->digest_version = (int32_t)load_be32(bytes.ptr + 8);
    size_t len = SNAP_DIGEST_BYTES;
    if (tail->digest_version >= SNAP_DIGEST_VERSION) {
        tail->digest = load_be64(bytes.ptr + 12);
    } else {
        uint32_t text_len = load_be32(bytes.ptr + 12);
        len = 16 + (text_len == UINT32_MAX ? 0 : text_len);
        if (len > bytes.len)
            return damaged(r, "bad digest", err);
    }
    tail->has_digest = true;
    consume(r, len);
    return 0;
}

/* Digest and last zxid are both optional and have no mark; their lengths tell them apart. */
static int read_tail(struct reader *r, struct snap_tail *tail, struct err *err)
{
    enum {
        LAST_ZXID_PART = 8 + SNAP_SEAL_BYTES,
        TAIL_BYTES_MAX = 256
    };

    int rc = fill(r, TAIL_BYTES_MAX, err);
    if (rc == 0 && unread(r).len > LAST_ZXID_PART) {
        rc = read_digest(r, tail, err);
        if (rc == 0)
            rc = read_seal(r, err);
    }
    if (rc == 0 && unread(r).len >= LAST_ZXID_PART) {
        tail->has_last_zxid = true;
        tail->last_zxid = (int64_t)load_be64(unread(r).ptr);
        consume(r, 8);
        rc = read_seal(r, err);
    }
    if (rc == 0 && unread(r).len > 0)
        return damaged(r, "bytes behind the last seal", err);
    return rc;
}

static bool ends_with(const char *path, const char *ending)
{
    size_t len = strlen(path), ending_len = strlen(ending);
    return len > ending_len && strcmp(path + len - ending_len, ending) == 0;
}

static enum snap_method method_of_path(const char *path)
{
    return ends_with(path, ".gz")       ? SNAP_GZIP
           : ends_with(path, ".snappy") ? SNAP_SNAPPY
                                        : SNAP_PLAIN;
}

int snapfile_load(struct files *fs, const char *path, int64_t zxid, const struct snap_sink *sink,
                  struct snap_tail *ret_tail, struct err *err)
{
    struct reader r = {.adler = 1};
    struct snap_tail tail = {0};
    int rc = snap_source_open(&r.source, fs, path, method_of_path(path), err);
    if (rc < 0)
        return err_wrap(err, rc, "snapshot '%s'", path);

    rc = read_header(&r, err);
    if (rc == 0)
        rc = sink->begin(sink->arg, zxid, err);
    if (rc == 0)
        rc = read_body(&r, sink, err);
    if (rc == 0)
        rc = read_seal(&r, err);
    if (rc == 0)
        rc = read_tail(&r, &tail, err);
    snap_source_close(&r.source);
    buf_deinit(&r.window);
    if (rc < 0)
        return err_wrap(err, rc, "snapshot '%s'", path);
    *ret_tail = tail;
    if (sink->end != NULL)
        sink->end(sink->arg, &tail);
    return 0;
}

bool snapfile_looks_valid(struct files *fs, const char *path, enum snap_method method)
{
    static const uint8_t gzip_magic[2] = {0x1f, 0x8b};
    static const uint8_t plain_end[5] = {0, 0, 0, 1, '/'};
    enum {
        PLAIN_BYTES_MIN = 10,
        LOOK_BYTES = 8
    };

    struct file_stat st;
    int fd = fs->open(fs, path, FILE_READ);
    if (fd < 0)
        return false;
    bool valid = fs->stat_fd(fs, fd, &st) == 0;
    uint8_t bytes[LOOK_BYTES];
    if (valid && method == SNAP_PLAIN) {
        valid = st.size >= PLAIN_BYTES_MIN && file_read_full(fs, fd, bytes, 5, st.size - 5) == 5 &&
                memcmp(bytes, plain_end, 5) == 0;
    } else if (valid && method == SNAP_GZIP) {
        valid = file_read_full(fs, fd, bytes, 2, 0) == 2 && memcmp(bytes, gzip_magic, 2) == 0;
    } else if (valid) {
        valid = file_read_full(fs, fd, bytes, 8, 0) == 8 && memcmp(bytes, SNAPPY_HEADER, 8) == 0;
    }
    fs->close(fs, fd);
    return valid;
}
