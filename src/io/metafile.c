#include "io/metafile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "io/names.h"

/* Long.parseLong of the first line; blanks around it are passed over. */
static bool parse_line(const char *text, size_t len, int64_t *ret)
{
    const char *at = text, *end = text + len;
    const char *newline = memchr(text, '\n', len);
    if (newline != NULL)
        end = newline;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (at < end && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;

    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end)
        return false;
    int64_t value = 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        int digit = *at - '0';
        if (value > (INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret = negative ? -value : value;
    return true;
}

int metafile_read(struct files *fs, const char *dir, const char *name, int64_t *ret,
                  struct err *err)
{
    char path[FILE_PATH_MAX];
    int rc = file_path(path, dir, name, err);
    if (rc < 0)
        return rc;
    int fd = fs->open(fs, path, FILE_READ);
    if (fd < 0)
        return file_error(err, fd, "open", path);

    char text[256];
    int64_t n = file_read_full(fs, fd, text, sizeof text, 0);
    fs->close(fs, fd);
    if (n < 0)
        return file_error(err, (int)n, "read", path);
    if (!parse_line(text, (size_t)n, ret))
        return err_set(err, ERR_CORRUPT, "'%s' does not hold a number", path);
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

int metafile_write(struct files *fs, const char *dir, const char *name, int64_t value,
                   struct err *err)
{
    char path[FILE_PATH_MAX], tmp[FILE_PATH_MAX], text[32], tmp_name[NAME_BYTES_MAX];
    int rc = file_path(path, dir, name, err);
    if (rc == 0) {
        snprintf(tmp_name, sizeof tmp_name, "%s.tmp", name);
        rc = file_path(tmp, dir, tmp_name, err);
    }
    if (rc < 0)
        return rc;

    snprintf(text, sizeof text, "%" PRId64, value);
    rc = write_and_sync(fs, tmp, slice_str(text));
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
