#include "server/config_files.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "server/config.h"
#include "wire/quorum.h"

/* ---- one file ---- */

/* Splits "dir/name"; "." for a bare name. */
static int split(const char *path, char dir[FILE_PATH_MAX], const char **ret_name, struct err *err)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;
    if (len >= FILE_PATH_MAX)
        return err_set(err, ERR_TOOBIG, "path '%s' is too long", path);
    if (slash == NULL)
        snprintf(dir, FILE_PATH_MAX, ".");
    else
        snprintf(dir, FILE_PATH_MAX, "%.*s", (int)(len > 0 ? len : 1), path);
    *ret_name = slash != NULL ? slash + 1 : path;
    return 0;
}

static int replace(struct files *fs, const char *path, struct slice text, struct err *err)
{
    char dir[FILE_PATH_MAX];
    const char *name = path;
    int rc = split(path, dir, &name, err);
    return rc == 0 ? file_replace(fs, dir, name, text, err) : rc;
}

static int append_to_path(char ret[FILE_PATH_MAX], const char *path, const char *more,
                          struct err *err)
{
    if (snprintf(ret, FILE_PATH_MAX, "%s%s", path, more) >= FILE_PATH_MAX)
        return err_set(err, ERR_TOOBIG, "path '%s%s' is too long", path, more);
    return 0;
}

/* ---- the dynamic files ---- */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines key=value in order, without an end of line behind the last. */
static int sorted_lines(struct slice config, bool with_version, struct buf *out, struct err *err)
{
    struct properties lines;
    int rc = properties_parse(config, &lines, err);
    if (rc < 0)
        return rc;
    char **texts = calloc(lines.count + 1, sizeof *texts);
    size_t count = 0;
    for (size_t i = 0; texts != NULL && i < lines.count; i++) {
        struct buf line = {0};
        const struct property *p = &lines.items[i];
        if (!with_version && strcmp(p->key, "version") == 0)
            continue;
        buf_printf(&line, "%s=%s", p->key, p->value);
        buf_put_u8(&line, 0);
        texts[count++] = (char *)line.ptr;
    }
    if (count > 1)
        qsort(texts, count, sizeof *texts, compare_lines);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, i > 0 ? "\n%s" : "%s", texts[i]);
        free(texts[i]);
    }
    free(texts);
    properties_deinit(&lines);
    return 0;
}

/* Of the comments QUORUM_AHEAD alone stays, which is the last line where it is. */
static bool is_ahead(struct slice config)
{
    const size_t len = strlen(QUORUM_AHEAD);
    return config.len >= len && memcmp(config.ptr + config.len - len, QUORUM_AHEAD, len) == 0;
}

static int write_dynamic(struct files *fs, const char *path, struct slice config, bool with_version,
                         struct err *err)
{
    struct buf text = {0};
    int rc = sorted_lines(config, with_version, &text, err);
    if (rc == 0 && is_ahead(config))
        buf_printf(&text, "\n%s", QUORUM_AHEAD);
    if (rc == 0)
        rc = replace(fs, path, buf_part(&text, 0, text.len), err);
    buf_deinit(&text);
    return rc;
}

int config_files_write_next(struct files *fs, const char *static_path, struct slice config,
                            struct err *err)
{
    char path[FILE_PATH_MAX];
    int rc = append_to_path(path, static_path, ".dynamic.next", err);
    return rc == 0 ? write_dynamic(fs, path, config, true, err) : rc;
}

int config_files_drop_next(struct files *fs, const char *static_path, struct err *err)
{
    char path[FILE_PATH_MAX], dir[FILE_PATH_MAX];
    const char *name;
    int rc = append_to_path(path, static_path, ".dynamic.next", err);
    if (rc == 0)
        rc = split(path, dir, &name, err);
    return rc == 0 ? file_remove(fs, dir, name, err) : rc;
}

/* ---- the static file ---- */

static int read_file(struct files *fs, const char *path, struct buf *ret, struct err *err)
{
    enum {
        CHUNK = 4096,
        BYTES_MAX = 1 << 20
    };
    int fd = fs->open(fs, path, FILE_READ);
    if (fd < 0)
        return file_error(err, fd, "open", path);
    buf_init(ret, BYTES_MAX);
    int64_t got = 1;
    while (got > 0 && buf_reserve(ret, CHUNK)) {
        got = fs->read(fs, fd, ret->ptr + ret->len, CHUNK, (int64_t)ret->len);
        if (got > 0)
            ret->len += (size_t)got;
    }
    fs->close(fs, fd);
    if (got == 0)
        return 0;
    int rc = got < 0 ? file_error(err, (int)got, "read", path)
                     : err_set(err, ERR_TOOBIG, "'%s' is too large", path);
    buf_deinit(ret);
    return rc;
}

static bool begins(const char *key, const char *with)
{
    return strncmp(key, with, strlen(with)) == 0;
}

static bool is_dropped(const char *key, bool erase_client_port)
{
    bool server = begins(key, "server.") && isdigit((unsigned char)key[strlen("server.")]);
    bool client = strcmp(key, "clientPort") == 0 || strcmp(key, "clientPortAddress") == 0;
    return server || begins(key, "group") || begins(key, "weight") ||
           begins(key, "dynamicConfigFile") || begins(key, "peerType") ||
           (erase_client_port && client);
}

/* The bytes of the first entry: a line, with those behind it that continue it. */
static size_t entry_bytes(struct slice text)
{
    size_t at = 0;
    while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\t'))
        at++;
    bool comment = at < text.len && (text.ptr[at] == '#' || text.ptr[at] == '!');
    for (;;) {
        size_t slashes = 0;
        while (at < text.len && text.ptr[at] != '\n') {
            if (text.ptr[at] == '\\')
                slashes++;
            else if (text.ptr[at] != '\r')
                slashes = 0;
            at++;
        }
        if (at == text.len)
            return at;
        at++;
        if (comment || slashes % 2 == 0)
            return at;
    }
}

/* What is kept stays as it was written, comments too. */
static int edit_static(struct slice text, bool erase_client_port, const char *dynamic_path,
                       struct buf *out, struct err *err)
{
    while (text.len > 0) {
        struct slice entry = slice_of(text.ptr, entry_bytes(text));
        struct properties parsed;
        int rc = properties_parse(entry, &parsed, err);
        if (rc < 0)
            return rc;
        bool dropped = parsed.count > 0 && is_dropped(parsed.items[0].key, erase_client_port);
        properties_deinit(&parsed);
        if (!dropped)
            buf_put_slice(out, entry);
        text = slice_from(text, entry.len);
    }
    if (out->len > 0 && out->ptr[out->len - 1] != '\n')
        buf_put_u8(out, '\n');
    buf_printf(out, "dynamicConfigFile=%s\n", dynamic_path);
    return 0;
}

static int name_dynamic_file(struct files *fs, const char *static_path, const char *dynamic_path,
                             bool erase_client_port, struct err *err)
{
    struct buf old = {0}, new = {0};
    char *real = realpath(dynamic_path, NULL);
    int rc = read_file(fs, static_path, &old, err);
    if (rc == 0) {
        rc = edit_static(buf_part(&old, 0, old.len), erase_client_port,
                         real != NULL ? real : dynamic_path, &new, err);
        buf_deinit(&old);
    }
    if (rc == 0)
        rc = replace(fs, static_path, buf_slice(&new), err);
    buf_deinit(&new);
    free(real);
    return rc;
}

int config_files_write_active(struct files *fs, const char *static_path, struct slice config,
                              int64_t version, bool erase_client_port, struct err *err)
{
    char path[FILE_PATH_MAX], suffix[64];
    snprintf(suffix, sizeof suffix, ".dynamic.%" PRIx64, (uint64_t)version);
    int rc = append_to_path(path, static_path, suffix, err);
    if (rc == 0)
        rc = write_dynamic(fs, path, config, false, err);
    if (rc == 0)
        rc = name_dynamic_file(fs, static_path, path, erase_client_port, err);
    return rc;
}

int config_files_back_up(struct files *fs, const char *static_path, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct buf text = {0};
    int rc = append_to_path(path, static_path, ".bak", err);
    if (rc == 0)
        rc = read_file(fs, static_path, &text, err);
    if (rc < 0)
        return rc;
    rc = replace(fs, path, buf_part(&text, 0, text.len), err);
    buf_deinit(&text);
    return rc;
}
