#include "io/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    WRITE_PARTS_MAX = 64
}; /* handed to one call; fewer than any system's IOV_MAX */

int file_path(char ret[FILE_PATH_MAX], const char *dir, const char *name, struct err *err)
{
    int len = snprintf(ret, FILE_PATH_MAX, "%s/%s", dir, name);
    if (len < 0 || len >= FILE_PATH_MAX)
        return err_set(err, ERR_TOOBIG, "path '%s/%s' is too long", dir, name);
    return 0;
}

int file_error(struct err *err, int rc, const char *what, const char *path)
{
    int code = ERR_IO;
    if (rc == -ENOSPC || rc == -EDQUOT)
        code = ERR_NOSPACE;
    else if (rc == -ENOENT)
        code = ERR_NOTFOUND;

    char text[128];
    /* The GNU form returns the text, in the buffer or elsewhere. */
    return err_set(err, code, "%s '%s': %s", what, path, strerror_r(-rc, text, sizeof text));
}

int64_t file_read_full(struct files *fs, int fd, void *ret, size_t len, int64_t at)
{
    size_t done = 0;
    while (done < len) {
        int64_t n = fs->read(fs, fd, (uint8_t *)ret + done, len - done, at + (int64_t)done);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

/* Drops `done` bytes from the front of the parts; returns how many parts remain. */
static int parts_advance(struct iovec *parts, int count, size_t done)
{
    int whole = 0;
    while (whole < count && done >= parts[whole].iov_len) {
        done -= parts[whole].iov_len;
        whole++;
    }
    memmove(parts, parts + whole, (size_t)(count - whole) * sizeof *parts);
    if (whole < count) {
        parts[0].iov_base = (uint8_t *)parts[0].iov_base + done;
        parts[0].iov_len -= done;
    }
    return count - whole;
}

int file_write_full(struct files *fs, int fd, const struct iovec *parts, int count, int64_t at)
{
    while (count > 0) {
        struct iovec some[WRITE_PARTS_MAX];
        int some_count = count < WRITE_PARTS_MAX ? count : WRITE_PARTS_MAX;
        memcpy(some, parts, (size_t)some_count * sizeof *some);
        parts += some_count;
        count -= some_count;

        some_count = parts_advance(some, some_count, 0);
        while (some_count > 0) {
            int64_t n = fs->write(fs, fd, some, some_count, at);
            if (n < 0)
                return (int)n;
            if (n == 0)
                return -EIO; /* no progress on a write of some bytes: not a thing to loop on */
            at += n;
            some_count = parts_advance(some, some_count, (size_t)n);
        }
    }
    return 0;
}

static int write_and_sync(struct files *fs, const char *path, struct slice text)
{
    int fd = fs->open(fs, path, FILE_WRITE | FILE_CREATE | FILE_EMPTY);
    if (fd < 0)
        return fd;
    struct iovec part = {(void *)(uintptr_t)text.ptr, text.len};
    int rc = file_write_full(fs, fd, &part, 1, 0);
    if (rc == 0)
        rc = fs->sync(fs, fd);
    fs->close(fs, fd);
    return rc;
}

int file_replace(struct files *fs, const char *dir, const char *name, struct slice text,
                 struct err *err)
{
    char path[FILE_PATH_MAX], tmp[FILE_PATH_MAX];
    int rc = file_path(path, dir, name, err);
    if (rc < 0)
        return rc;
    if (snprintf(tmp, sizeof tmp, "%s.tmp", path) >= FILE_PATH_MAX)
        return err_set(err, ERR_TOOBIG, "path '%s.tmp' is too long", path);

    rc = write_and_sync(fs, tmp, text);
    if (rc < 0) {
        fs->unlink(fs, tmp);
        return file_error(err, rc, "write", tmp);
    }
    rc = fs->rename(fs, tmp, path);
    if (rc < 0)
        return file_error(err, rc, "rename to", path);
    rc = fs->sync_dir(fs, dir);
    return rc < 0 ? file_error(err, rc, "sync directory", dir) : 0;
}

int file_remove(struct files *fs, const char *dir, const char *name, struct err *err)
{
    char path[FILE_PATH_MAX];
    int rc = file_path(path, dir, name, err);
    if (rc < 0)
        return rc;
    rc = fs->unlink(fs, path);
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return file_error(err, rc, "remove", path);
    rc = fs->sync_dir(fs, dir);
    return rc < 0 ? file_error(err, rc, "sync directory", dir) : 0;
}
