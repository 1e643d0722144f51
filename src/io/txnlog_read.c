#include "io/txnlog_read.h"

#include <string.h>
#include <zlib.h>

#include "io/txnlog.h"

enum {
    WINDOW_BYTES = 1 << 20
};

/* Makes bytes [at, at + len) of the file readable in *ret, fewer at its end. Returns how many, or
 * -errno. A record cut by the window's end is read again from its beginning. */
static int64_t window_get(struct txnfile *f, int64_t at, size_t len, const uint8_t **ret)
{
    if (at < f->window_at || at + (int64_t)len > f->window_at + (int64_t)f->window.len) {
        int64_t left = f->size > at ? f->size - at : 0;
        size_t want = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        if (want < len)
            want = len;
        buf_clear(&f->window);
        buf_reserve(&f->window, want);
        int64_t n = file_read_full(f->fs, f->fd, f->window.ptr, want, at);
        if (n < 0)
            return n;
        f->window.len = (size_t)n;
        f->window_at = at;
    }
    size_t skip = (size_t)(at - f->window_at);
    size_t have = f->window.len - skip;
    *ret = f->window.ptr + skip;
    return (int64_t)(have < len ? have : len);
}

static int read_error(struct txnfile *f, int64_t rc, struct err *err)
{
    file_error(err, (int)rc, "read", "log file");
    return err_wrap(err, ERR_IO, "at offset %lld", (long long)f->offset);
}

static int check_header(struct txnfile *f, struct err *err)
{
    const uint8_t *header;
    int64_t n = window_get(f, 0, TXNLOG_HEADER_BYTES, &header);
    if (n < 0)
        return read_error(f, n, err);
    if (n < TXNLOG_HEADER_BYTES)
        return err_set(err, ERR_CORRUPT,
                       "offset 0: the file has %lld bytes, too few for its header", (long long)n);
    if (memcmp(header, "ZKLG", 4) != 0)
        return err_set(err, ERR_CORRUPT, "offset 0: no transaction log (magic %08x)",
                       load_be32(header));
    return 0;
}

int txnfile_open(struct txnfile *f, struct files *fs, const char *path, struct err *err)
{
    struct txnfile opened = {.fs = fs, .offset = TXNLOG_HEADER_BYTES};
    opened.fd = fs->open(fs, path, FILE_READ);
    if (opened.fd < 0)
        return file_error(err, opened.fd, "open log file", path);

    struct file_stat st;
    int rc = fs->stat_fd(fs, opened.fd, &st);
    if (rc < 0) {
        rc = file_error(err, rc, "look at log file", path);
    } else {
        opened.size = st.size;
        rc = check_header(&opened, err);
    }
    if (rc < 0) {
        txnfile_close(&opened);
        return rc;
    }
    *f = opened;
    return 0;
}

void txnfile_close(struct txnfile *f)
{
    if (f->fd >= 0)
        f->fs->close(f->fs, f->fd);
    f->fd = -1;
    buf_deinit(&f->window);
}

static enum txnfile_result bad(struct txnfile *f, const char *reason)
{
    f->reason = reason;
    return TXNFILE_BAD;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

int txnfile_next(struct txnfile *f, struct txn_record *ret, struct err *err)
{
    enum {
        PREFIX_BYTES = 12
    };
    const uint8_t *at;
    int64_t n = window_get(f, f->offset, PREFIX_BYTES, &at);
    if (n < 0)
        return read_error(f, n, err);
    f->frame_end = f->offset + TXNLOG_FRAME_OVERHEAD;
    if (n < PREFIX_BYTES)
        return all_zero(at, (size_t)n) ? TXNFILE_END : bad(f, "cut off inside its first bytes");

    uint64_t checksum = load_be64(at);
    uint32_t len = load_be32(at + 8);
    f->frame_end = f->offset + TXNLOG_FRAME_OVERHEAD + (len <= INT32_MAX ? (int64_t)len : 0);
    if (len == 0)
        return checksum == 0 ? TXNFILE_END : bad(f, "length 0");
    if (len < TXN_HEADER_BYTES)
        return bad(f, "length too small");

    int64_t frame_len = (int64_t)len + TXNLOG_FRAME_OVERHEAD;
    if (len > INT32_MAX || frame_len > f->size - f->offset)
        return bad(f, "length reaches behind the end of the file");
    n = window_get(f, f->offset, (size_t)frame_len, &at);
    if (n < 0)
        return read_error(f, n, err);
    if (n < frame_len)
        return bad(f, "length reaches behind the end of the file");

    struct slice bytes = slice_of(at + PREFIX_BYTES, len);
    if (at[PREFIX_BYTES + len] != 'B')
        return bad(f, "end mark is missing");
    if (adler32_z(1, bytes.ptr, bytes.len) != checksum)
        return bad(f, "checksum does not match");

    *ret = (struct txn_record){
        .zxid = (int64_t)load_be64(bytes.ptr + TXN_ZXID_OFFSET),
        .bytes = bytes,
        .offset = f->offset,
    };
    f->offset += frame_len;
    return TXNFILE_RECORD;
}

int txnfile_used_until(struct txnfile *f, int64_t from, int64_t *ret_until, struct err *err)
{
    int64_t until = from;
    int64_t at = from;
    while (at < f->size) {
        at = f->fs->next_data(f->fs, f->fd, at);
        if (at < 0)
            return read_error(f, at, err);
        const uint8_t *bytes;
        int64_t n = at < f->size ? window_get(f, at, WINDOW_BYTES, &bytes) : 0;
        if (n < 0)
            return read_error(f, n, err);
        if (n == 0)
            break;

        size_t used = (size_t)n;
        if (all_zero(bytes, used))
            used = 0;
        while (used > 0 && bytes[used - 1] == 0)
            used--;
        if (used > 0)
            until = at + (int64_t)used;
        at += n;
    }
    *ret_until = until;
    return 0;
}
