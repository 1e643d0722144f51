/* recover.c: directories, the snapshot, the log (recover_log.c), and whether they belong together.
 */
#include "io/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "io/recover_log.h"

enum {
    SNAPSHOTS_TRIED_MAX = 100
}; /* FileSnap.deserialize */

/* ---- directories ---- */

/* Makes one directory, and its name durable in the one above. */
static int make_dir(struct files *fs, const char *path, struct err *err)
{
    int rc = fs->mkdir(fs, path);
    if (rc == -EEXIST)
        return 0;
    if (rc < 0)
        return file_error(err, rc, "create directory", path);

    char above[FILE_PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        strcpy(above, ".");
    else if (slash == path)
        strcpy(above, "/");
    else {
        memcpy(above, path, (size_t)(slash - path));
        above[slash - path] = '\0';
    }
    rc = fs->sync_dir(fs, above);
    return rc < 0 ? file_error(err, rc, "sync directory", above) : 0;
}

static int make_dirs(struct files *fs, const char *path, struct err *err)
{
    char part[FILE_PATH_MAX];
    size_t len = strlen(path);
    for (size_t i = 1; i <= len; i++) {
        if (i < len && (path[i] != '/' || path[i - 1] == '/'))
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        struct file_stat st;
        if (fs->stat(fs, part, &st) == 0 && st.is_dir)
            continue;
        int rc = make_dir(fs, part, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int prepare_dir(struct files *fs, const char *dir, bool no_create, char ret[FILE_PATH_MAX],
                       struct err *err)
{
    int rc = file_path(ret, dir, NAME_VERSION_DIR, err);
    if (rc < 0)
        return rc;
    struct file_stat st;
    if (fs->stat(fs, ret, &st) == 0)
        return st.is_dir ? 0 : err_set(err, ERR_INVALID, "'%s' is not a directory", ret);
    if (no_create)
        return err_set(err, ERR_NOTFOUND,
                       "directory '%s' is missing and datadir.autocreate is false", ret);
    return make_dirs(fs, ret, err);
}

struct prefix_search {
    const char *prefix;
    bool found;
};

static bool prefix_visit(void *arg, const char *name)
{
    struct prefix_search *s = arg;
    s->found = strncmp(name, s->prefix, strlen(s->prefix)) == 0;
    return !s->found;
}

/* Two directories: neither may hold the other's files (ZOOKEEPER-2967), or somebody mixed them up
 * and would find an old state. */
static int check_not_mixed(struct files *fs, const char *dir, const char *foreign, struct err *err)
{
    struct prefix_search s = {.prefix = foreign};
    int rc = fs->list(fs, dir, prefix_visit, &s);
    if (rc < 0)
        return file_error(err, rc, "list directory", dir);
    if (s.found)
        return err_set(err, ERR_INVALID,
                       "'%s' has %s* files: check that dataDir and dataLogDir are right", dir,
                       foreign);
    return 0;
}

/* ---- the snapshot ---- */

/* Errors that speak of one file; the next older one may be whole. */
static bool is_about_file(int rc)
{
    return rc == ERR_CORRUPT || rc == ERR_IO || rc == ERR_NOTFOUND || rc == ERR_UNSUPPORTED ||
           rc == ERR_TOOBIG;
}

static void refuse_snapshot(struct recover_result *result, const struct err *why)
{
    if (result->snapshots_refused++ == 0)
        result->snapshot_err = *why;
}

/* Tries one file: 0 = loaded, 1 = not usable (noted in the result), or an error that ends it all.
 */
static int try_snapshot(struct files *fs, const char *dir, const struct name_entry *entry,
                        const struct snap_sink *sink, struct recover_result *result,
                        struct err *err)
{
    char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
    name_snapshot(name, entry->zxid, entry->method);
    int rc = file_path(path, dir, name, err);
    if (rc < 0)
        return rc;

    struct err why = {""};
    if (!snapfile_looks_valid(fs, path, entry->method)) {
        err_set(&why, ERR_CORRUPT, "snapshot '%s': not complete", path);
        refuse_snapshot(result, &why);
        return 1;
    }
    rc = snapfile_load(fs, path, entry->zxid, sink, &result->snapshot_tail, &why);
    if (rc < 0 && !is_about_file(rc)) {
        if (err != NULL)
            *err = why;
        return rc;
    }
    if (rc < 0) {
        refuse_snapshot(result, &why);
        return 1;
    }

    struct file_stat st;
    if (fs->stat(fs, path, &st) == 0)
        result->snapshot_changed_ms = st.changed_ms;
    result->snapshot_zxid = entry->zxid;
    return 0;
}

/* *ret_reach: the zxid that a file which could not be used had reached; 0 = none. */
static int load_snapshot(struct files *fs, const char *dir, const struct name_list *snapshots,
                         const struct snap_sink *sink, struct recover_result *result,
                         int64_t *ret_reach, struct err *err)
{
    unsigned tried = 0;
    bool was_loading = false;
    for (size_t i = snapshots->count; i-- > 0 && tried < SNAPSHOTS_TRIED_MAX; tried++) {
        int rc = try_snapshot(fs, dir, &snapshots->entries[i], sink, result, err);
        if (rc <= 0)
            return rc;
        if (snapshots->entries[i].zxid > *ret_reach)
            *ret_reach = snapshots->entries[i].zxid;
        was_loading = true;
    }
    /* None. That is fine only where nothing was ever stored: a first snapshot that was not
     * finished (zxid 0) does not count. */
    if (was_loading && *ret_reach > 0)
        return err_set(err, ERR_CORRUPT, "no usable snapshot in '%s', the newest: %s", dir,
                       result->snapshot_err.text);
    return 0;
}

/* ---- the whole ---- */

static int take_initialize_file(struct files *fs, const char *log_dir, bool *ret_there,
                                struct err *err)
{
    char path[FILE_PATH_MAX];
    int rc = file_path(path, log_dir, "initialize", err);
    if (rc < 0)
        return rc;
    rc = fs->unlink(fs, path);
    if (rc < 0 && rc != -ENOENT)
        return file_error(err, rc, "remove", path);
    *ret_there = rc == 0;
    return 0;
}

static int check_reach(int64_t reach, const struct recover_result *result, struct err *err)
{
    if (result->last_zxid >= reach)
        return 0;
    return err_set(err, ERR_CORRUPT,
                   "snapshot %" PRIx64 " cannot be used (%s), and snapshot %" PRIx64
                   " with the logs after it ends at %" PRIx64 ": transactions are missing",
                   (uint64_t)reach, result->snapshot_err.text, (uint64_t)result->snapshot_zxid,
                   (uint64_t)result->last_zxid);
}

/* Transactions that only a snapshot holds which cannot be used are in no log: what came from a
 * leader as a whole, or what a snapshot had before the log (a quorum without our disk). A new epoch
 * would hide the gap; but every snapshot is of a transaction, or of the beginning of an epoch,
 * which is none. */
struct watched_sink {
    const struct recover_sink *sink;
    const struct name_list *snapshots;
    size_t next; /* the first that was not passed */
    const struct recover_result *result;
};

static int watch_txn(void *arg, int64_t zxid, struct slice bytes, struct err *err)
{
    struct watched_sink *s = arg;
    for (; s->next < s->snapshots->count && s->snapshots->entries[s->next].zxid <= zxid;
         s->next++) {
        int64_t reach = s->snapshots->entries[s->next].zxid;
        if (reach > s->result->snapshot_zxid && reach < zxid && (uint32_t)reach != 0)
            return err_set(err, ERR_CORRUPT,
                           "snapshot %" PRIx64 " cannot be used (%s), and the logs go on behind it "
                           "without its last transaction",
                           (uint64_t)reach, s->result->snapshot_err.text);
    }
    return s->sink->txn(s->sink->arg, zxid, bytes, err);
}

static int recover_lists(struct files *fs, const struct recover_options *options,
                         const char *snap_path, const char *log_path,
                         const struct name_list *snapshots, const struct name_list *logs,
                         const struct recover_sink *sink, struct recover_result *result,
                         struct err *err)
{
    int64_t reach = 0;
    int rc = load_snapshot(fs, snap_path, snapshots, &sink->snapshot, result, &reach, err);
    if (rc < 0)
        return rc;
    bool initialize = false;
    rc = take_initialize_file(fs, options->log_dir, &initialize, err);
    if (rc < 0)
        return rc;

    bool has_snapshot = result->snapshot_zxid >= 0;
    if (!has_snapshot && logs->count > 0 && !options->trust_empty)
        return err_set(err, ERR_CORRUPT,
                       "no snapshot in '%s', but there are log files in '%s': something is broken "
                       "(snapshot.trust.empty=true starts from the logs alone)",
                       snap_path, log_path);
    if (!has_snapshot && logs->count == 0) {
        result->empty = true;
        result->untrusted = options->no_auto_create && !initialize;
        result->last_zxid = result->untrusted ? -1 : 0;
        return 0;
    }

    result->last_zxid = has_snapshot ? result->snapshot_zxid : 0;
    struct watched_sink watched = {.sink = sink, .snapshots = snapshots, .result = result};
    struct recover_sink through = {.txn = watch_txn, .arg = &watched};
    rc = recover_log(fs, log_path, logs, options->record_bytes_max, &through, result, err);
    return rc < 0 ? rc : check_reach(reach, result, err);
}

/* A snapshot that was being written; usually not there. */
static void remove_unfinished(struct files *fs, const char *dir, const char *name)
{
    char path[FILE_PATH_MAX];
    if (file_path(path, dir, name, NULL) == 0)
        fs->unlink(fs, path);
}

int recover(struct files *fs, const struct recover_options *options,
            const struct recover_sink *sink, struct recover_result *ret, struct err *err)
{
    char snap_path[FILE_PATH_MAX], log_path[FILE_PATH_MAX];
    struct recover_result result = {.snapshot_zxid = -1};
    struct name_list snapshots = {0}, logs = {0};

    int rc = prepare_dir(fs, options->log_dir, options->no_dir_create, log_path, err);
    if (rc == 0)
        rc = prepare_dir(fs, options->snap_dir, options->no_dir_create, snap_path, err);
    if (rc == 0 && strcmp(snap_path, log_path) != 0) {
        rc = check_not_mixed(fs, log_path, "snapshot.", err);
        if (rc == 0)
            rc = check_not_mixed(fs, snap_path, "log.", err);
    }
    if (rc < 0)
        return rc;
    remove_unfinished(fs, snap_path, NAME_SNAPSHOT_TMP);
    remove_unfinished(fs, snap_path, NAME_INSTALL_TMP);

    rc = name_list_snapshots(fs, snap_path, &snapshots, err);
    if (rc == 0)
        rc = name_list_logs(fs, log_path, &logs, err);
    if (rc == 0)
        rc = recover_lists(fs, options, snap_path, log_path, &snapshots, &logs, sink, &result, err);
    name_list_deinit(&snapshots);
    name_list_deinit(&logs);
    if (rc == 0)
        *ret = result;
    return rc;
}
