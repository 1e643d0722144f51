/* list.c: which files are logs and snapshots. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "datadir/look.h"
#include "io/names.h"

enum {
    MAGIC_BYTES = 8
};

static const uint8_t SNAPPY_MAGIC[MAGIC_BYTES] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static void add(struct datadir_list *l, const char *path, enum datadir_kind kind, int64_t zxid)
{
    l->files = mem_realloc(l->files, (l->count + 1) * sizeof *l->files);
    l->files[l->count++] = (struct datadir_file){mem_dup(path, strlen(path) + 1), kind, zxid};
}

static bool begins_with(struct slice bytes, const void *magic, size_t len)
{
    return bytes.len >= len && memcmp(bytes.ptr, magic, len) == 0;
}

/* False: of no snapshot. */
static bool method_of_content(struct slice first, enum snap_method *ret)
{
    if (begins_with(first, "ZKSN", 4))
        *ret = SNAP_PLAIN;
    else if (begins_with(first, "\x1f\x8b", 2))
        *ret = SNAP_GZIP;
    else if (begins_with(first, SNAPPY_MAGIC, MAGIC_BYTES))
        *ret = SNAP_SNAPPY;
    else
        return false;
    return true;
}

int datadir_snapshot_name(int64_t zxid, struct slice first, char ret[DATADIR_NAME_MAX],
                          struct err *err)
{
    enum snap_method method;
    if (!method_of_content(first, &method))
        return err_set(err, ERR_INVALID, "no snapshot: it does not begin like one");
    name_snapshot(ret, zxid, method);
    return 0;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* By its name, else by its first bytes. Compressed files have to say so in their names as well. */
static int add_file(struct datadir_list *l, const char *path, struct err *err)
{
    int64_t zxid;
    enum snap_method method;
    if (name_is_log(last_part(path), &zxid)) {
        add(l, path, DATADIR_LOG, zxid);
        return 0;
    }
    if (name_is_snapshot(last_part(path), &zxid, &method)) {
        add(l, path, DATADIR_SNAPSHOT, zxid);
        return 0;
    }

    struct files *fs = files_posix();
    uint8_t bytes[MAGIC_BYTES];
    int fd = fs->open(fs, path, FILE_READ);
    if (fd < 0)
        return file_error(err, fd, "open", path);
    int64_t n = file_read_full(fs, fd, bytes, sizeof bytes, 0);
    fs->close(fs, fd);
    if (n < 0)
        return file_error(err, (int)n, "read", path);
    struct slice first = slice_of(bytes, (size_t)n);
    if (begins_with(first, "ZKLG", 4)) {
        add(l, path, DATADIR_LOG, -1);
        return 0;
    }
    if (!method_of_content(first, &method))
        return err_set(err, ERR_INVALID, "'%s' is neither a log nor a snapshot", path);
    static const char *const endings[] = {
        [SNAP_PLAIN] = "", [SNAP_GZIP] = ".gz", [SNAP_SNAPPY] = ".snappy"};
    const char *ending = endings[method];
    size_t len = strlen(path);
    if (len < strlen(ending) || strcmp(path + len - strlen(ending), ending) != 0)
        return err_set(err, ERR_INVALID, "'%s' is compressed: its name has to end in %s", path,
                       ending);
    add(l, path, DATADIR_SNAPSHOT, -1);
    return 0;
}

static void add_entries(struct datadir_list *l, const char *dir, const struct name_list *names,
                        enum datadir_kind kind)
{
    for (size_t i = 0; i < names->count; i++) {
        char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
        if (kind == DATADIR_LOG)
            name_log(name, names->entries[i].zxid);
        else
            name_snapshot(name, names->entries[i].zxid, names->entries[i].method);
        if (file_path(path, dir, name, NULL) == 0)
            add(l, path, kind, names->entries[i].zxid);
    }
}

static int add_dir(struct datadir_list *l, const char *path, struct err *err)
{
    struct files *fs = files_posix();
    char dir[FILE_PATH_MAX];
    struct file_stat st;
    int rc = file_path(dir, path, NAME_VERSION_DIR, err);
    if (rc < 0)
        return rc;
    const char *at = fs->stat(fs, dir, &st) == 0 && st.is_dir ? dir : path;

    struct name_list snapshots = {0}, logs = {0};
    rc = name_list_snapshots(fs, at, &snapshots, err);
    if (rc == 0)
        rc = name_list_logs(fs, at, &logs, err);
    if (rc == 0 && snapshots.count + logs.count == 0)
        rc = err_set(err, ERR_NOTFOUND, "'%s' holds no log and no snapshot", at);
    if (rc == 0) {
        add_entries(l, at, &snapshots, DATADIR_SNAPSHOT);
        add_entries(l, at, &logs, DATADIR_LOG);
    }
    name_list_deinit(&snapshots);
    name_list_deinit(&logs);
    return rc;
}

int datadir_list_add(struct datadir_list *l, const char *path, struct err *err)
{
    struct files *fs = files_posix();
    struct file_stat st;
    int rc = fs->stat(fs, path, &st);
    if (rc < 0)
        return file_error(err, rc, "look at", path);
    return st.is_dir ? add_dir(l, path, err) : add_file(l, path, err);
}

void datadir_list_deinit(struct datadir_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->files[i].path);
    free(l->files);
    *l = (struct datadir_list){0};
}
