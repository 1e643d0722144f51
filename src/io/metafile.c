#include "io/metafile.h"

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

int metafile_write(struct files *fs, const char *dir, const char *name, int64_t value,
                   struct err *err)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    return file_replace(fs, dir, name, slice_str(text), err);
}
