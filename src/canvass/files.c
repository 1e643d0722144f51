#include "canvass/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 1 << 20,
    SUM_DIGITS = 2 * SHA256_BYTES,
};

static int open_to_read(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "'%s': %s", path,
                       strerror(errno));
    return fd;
}

/* ---- reading ---- */

int canvass_reader_open(const char *path, struct canvass_reader *ret, struct err *err)
{
    *ret = (struct canvass_reader){.fd = open_to_read(path, err)};
    return ret->fd < 0 ? ret->fd : 0;
}

void canvass_reader_close(struct canvass_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    buf_deinit(&r->in);
}

static void drop_taken(struct canvass_reader *r)
{
    size_t left = r->in.len - r->at;
    if (r->at == 0)
        return;
    memmove(r->in.ptr, r->in.ptr + r->at, left);
    r->in.len = left;
    r->at = 0;
}

int canvass_reader_fill(struct canvass_reader *r, size_t bytes, struct err *err)
{
    if (r->in.len - r->at >= bytes)
        return 0;
    drop_taken(r);
    size_t want = bytes > PIECE_BYTES ? bytes : PIECE_BYTES;
    buf_reserve(&r->in, want);
    while (!r->over && r->in.len < bytes) {
        ssize_t n = read(r->fd, r->in.ptr + r->in.len, r->in.cap - r->in.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_IO, "%s", strerror(errno));
        r->in.len += (size_t)n;
        r->over = n == 0;
    }
    return 0;
}

int canvass_file_read(const char *path, size_t bytes_max, struct buf *ret, struct err *err)
{
    struct canvass_reader r;
    buf_init(ret, 0);
    int rc = canvass_reader_open(path, &r, err);
    if (rc < 0)
        return rc;
    rc = canvass_reader_fill(&r, bytes_max + 1, err);
    if (rc == 0 && r.in.len > bytes_max)
        rc = err_set(err, ERR_TOOBIG, "more than %zu bytes", bytes_max);
    if (rc == 0)
        buf_put_slice(ret, buf_slice(&r.in));
    canvass_reader_close(&r);
    return rc < 0 ? err_wrap(err, rc, "'%s'", path) : 0;
}

int canvass_file_hash(const char *path, struct hash *ret, struct err *err)
{
    struct canvass_reader r;
    struct sha256 hash;
    sha256_begin(&hash);
    int rc = canvass_reader_open(path, &r, err);
    if (rc < 0)
        return rc;
    do {
        rc = canvass_reader_fill(&r, 1, err);
        struct slice hand = canvass_reader_hand(&r);
        sha256_add(&hash, hand.ptr, hand.len);
        canvass_reader_take(&r, hand.len);
    } while (rc == 0 && !r.over);
    canvass_reader_close(&r);
    sha256_end(&hash, ret->bytes);
    return rc < 0 ? err_wrap(err, rc, "'%s'", path) : 0;
}

/* ---- writing ---- */

int canvass_writer_open(const char *dir, const char *name, struct canvass_writer *ret,
                        struct err *err)
{
    sha256_begin(&ret->hash);
    snprintf(ret->path, sizeof ret->path, "%s/%s", dir, name);
    ret->fd = open(ret->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return ret->fd < 0 ? err_set(err, ERR_IO, "'%s': %s", ret->path, strerror(errno)) : 0;
}

int canvass_writer_add(struct canvass_writer *w, struct slice bytes, struct err *err)
{
    sha256_add(&w->hash, bytes.ptr, bytes.len);
    while (bytes.len > 0) {
        ssize_t n = write(w->fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, errno == ENOSPC ? ERR_NOSPACE : ERR_IO, "'%s': %s", w->path,
                           strerror(errno));
        bytes = slice_from(bytes, (size_t)n);
    }
    return 0;
}

int canvass_writer_end(struct canvass_writer *w, const char *name, struct buf *sums,
                       struct err *err)
{
    struct hash hash;
    char text[HASH_TEXT_BYTES];
    int rc = fsync(w->fd) == 0 ? 0 : -1;
    if (close(w->fd) != 0 || rc < 0)
        return err_set(err, ERR_IO, "'%s': %s", w->path, strerror(errno));
    sha256_end(&w->hash, hash.bytes);
    hash_text(&hash, text);
    buf_printf(sums, "%s  %s\n", text, name);
    return 0;
}

int canvass_write(const char *dir, const char *name, struct slice bytes, struct buf *sums,
                  struct err *err)
{
    struct canvass_writer w;
    int rc = canvass_writer_open(dir, name, &w, err);
    if (rc < 0)
        return rc;
    rc = canvass_writer_add(&w, bytes, err);
    int ended = canvass_writer_end(&w, name, sums, rc < 0 ? NULL : err);
    return rc < 0 ? rc : ended;
}

/* ---- SHA256SUMS ---- */

void hash_text(const struct hash *h, char ret[HASH_TEXT_BYTES])
{
    for (size_t i = 0; i < SHA256_BYTES; i++)
        snprintf(ret + 2 * i, 3, "%02x", h->bytes[i]);
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int canvass_sum_take(struct slice *rest, struct canvass_sum *ret, struct err *err)
{
    const uint8_t *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end != NULL ? (size_t)(end - rest->ptr) : 0;
    size_t name_len = len > SUM_DIGITS + 2 ? len - SUM_DIGITS - 2 : 0;
    bool good = name_len > 0 && name_len < sizeof ret->name && rest->ptr[SUM_DIGITS] == ' ' &&
                rest->ptr[SUM_DIGITS + 1] == ' ';
    for (size_t i = 0; good && i < SHA256_BYTES; i++) {
        int high = digit(rest->ptr[2 * i]), low = digit(rest->ptr[2 * i + 1]);
        good = high >= 0 && low >= 0;
        ret->hash.bytes[i] = (uint8_t)(good ? high << 4 | low : 0);
    }
    if (!good)
        return err_set(err, ERR_INVALID, "SHA256SUMS: not lines of hashes and names");
    memcpy(ret->name, rest->ptr + SUM_DIGITS + 2, name_len);
    ret->name[name_len] = 0;
    /* A name leads nowhere else. */
    if (ret->name[0] == '/' || strstr(ret->name, "..") != NULL ||
        memchr(ret->name, 0, name_len) != NULL)
        return err_set(err, ERR_INVALID, "SHA256SUMS: a name that leads out of the folder");
    *rest = slice_from(*rest, len + 1);
    return 0;
}
