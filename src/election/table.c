#include "election/table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    TABLE_BYTES_MAX = 16 << 20,
};

struct reading {
    struct table_row row;
    char texts[TABLE_FIELDS_MAX][CSV_FIELD_BYTES_MAX + 1];
    table_row_fn *on_row;
    void *arg;
};

int table_error(const struct table_row *row, struct err *err, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(err, ERR_INVALID, "%s:%" PRIu64 ": %s", row->file, row->line, text);
}

static bool is_text(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return false;
    }
    return true;
}

static int on_field(void *arg, struct slice text, const struct csv_place *at, struct err *err)
{
    struct reading *r = arg;
    struct table_row *row = &r->row;
    row->line = at->line;
    if (row->count == TABLE_FIELDS_MAX)
        return table_error(row, err, "more than %d fields", TABLE_FIELDS_MAX);
    if (!is_text(text))
        return table_error(row, err, "field %" PRIu64 " has control characters", at->field);
    memcpy(r->texts[row->count], text.ptr, text.len);
    r->texts[row->count][text.len] = 0;
    row->fields[row->count] = r->texts[row->count];
    row->count++;
    return 0;
}

static int on_row(void *arg, const struct csv_place *at, struct err *err)
{
    struct reading *r = arg;
    (void)at;
    for (size_t i = r->row.count; i < TABLE_FIELDS_MAX; i++)
        r->row.fields[i] = "";
    int rc = r->on_row(r->arg, &r->row, err);
    r->row.count = 0;
    return rc;
}

int file_read_whole(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "open '%s': %s", path,
                       strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, ERR_INVALID, "'%s' is not a file", path);
    }
    if ((uint64_t)st.st_size > max) {
        close(fd);
        return err_set(err, ERR_TOOBIG, "'%s' has more than %zu bytes", path, max);
    }
    size_t len = (size_t)st.st_size, done = 0;
    char *text = mem_alloc(len + 1);
    while (done < len) {
        ssize_t n = read(fd, text + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    close(fd);
    if (done < len) {
        free(text);
        return err_set(err, ERR_IO, "read '%s': it ended early", path);
    }
    text[len] = 0;
    *ret = text;
    *ret_len = len;
    return 0;
}

int table_read(const char *path, table_row_fn *row_fn, void *arg, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = file_read_whole(path, TABLE_BYTES_MAX, &text, &len, err);
    if (rc < 0)
        return rc;
    struct reading *r = mem_calloc(1, sizeof *r);
    struct csv csv;
    r->row.file = path;
    r->on_row = row_fn;
    r->arg = arg;
    csv_init(&csv, on_field, on_row, r);
    rc = csv_add(&csv, slice_of(text, len), err);
    if (rc == 0)
        rc = csv_end(&csv, err);
    /* What the reader of CSV found wrong names the line and not the file. */
    if (rc < 0 && err != NULL && strncmp(err->text, path, strlen(path)) != 0)
        err_wrap(err, rc, "%s", path);
    free(r);
    free(text);
    return rc;
}
