#include "io/purge.h"

#include "io/names.h"
#include "io/snapfile.h"

enum {
    PIECE_BYTES = 16 << 20, /* so few that a disk which seeks is not kept busy by the syncs */
};

/* The zxid of the oldest snapshot to keep: the keep-th newest that looks valid. False = none at
 * all. */
static bool oldest_kept(struct files *fs, const char *dir, const struct name_list *snapshots,
                        unsigned keep, int64_t *ret_zxid)
{
    bool found = false;
    for (size_t i = snapshots->count; i-- > 0 && keep > 0;) {
        const struct name_entry *e = &snapshots->entries[i];
        char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
        name_snapshot(name, e->zxid, e->method);
        if (file_path(path, dir, name, NULL) < 0 || !snapfile_looks_valid(fs, path, e->method))
            continue;
        *ret_zxid = e->zxid;
        found = true;
        keep--;
    }
    return found;
}

/* The zxid that names the last log beginning at or before `zxid`: it may hold what comes after. */
static int64_t first_needed_log(const struct name_list *logs, int64_t zxid)
{
    int64_t needed = 0;
    for (size_t i = 0; i < logs->count && logs->entries[i].zxid <= zxid; i++)
        needed = logs->entries[i].zxid;
    return needed;
}

/* The name first, then the bytes a piece at a time: a file system that tells its disk at once what
 * it may forget (mount option discard) keeps every sync on it waiting meanwhile, 31 ms for 180 MB
 * in one go, 5 ms like this. What goes wrong with the pieces leaves the rest to the close. */
static int remove_in_pieces(struct files *fs, const char *path)
{
    int fd = fs->open(fs, path, FILE_WRITE);
    int rc = fs->unlink(fs, path);
    if (fd < 0)
        return rc;
    struct file_stat st;
    int64_t left = rc == 0 && fs->stat_fd(fs, fd, &st) == 0 ? st.size : 0;
    while (left > PIECE_BYTES && fs->resize(fs, fd, left - PIECE_BYTES) == 0 &&
           fs->sync(fs, fd) == 0)
        left -= PIECE_BYTES;
    fs->close(fs, fd);
    return rc;
}

static void remove_file(struct files *fs, const char *dir, const char *name, unsigned *removed,
                        unsigned *failed)
{
    char path[FILE_PATH_MAX];
    if (file_path(path, dir, name, NULL) < 0 || remove_in_pieces(fs, path) < 0)
        ++*failed;
    else
        ++*removed;
}

static void purge_lists(struct files *fs, const char *snap_dir, const char *log_dir, unsigned keep,
                        const struct name_list *snapshots, const struct name_list *logs,
                        struct purge_result *result)
{
    int64_t oldest;
    if (!oldest_kept(fs, snap_dir, snapshots, keep, &oldest))
        return;
    int64_t needed = first_needed_log(logs, oldest);

    char name[NAME_BYTES_MAX];
    for (size_t i = 0; i < snapshots->count && snapshots->entries[i].zxid < oldest; i++) {
        name_snapshot(name, snapshots->entries[i].zxid, snapshots->entries[i].method);
        remove_file(fs, snap_dir, name, &result->snapshots_removed, &result->failed);
    }
    for (size_t i = 0; i < logs->count && logs->entries[i].zxid < needed; i++) {
        name_log(name, logs->entries[i].zxid);
        remove_file(fs, log_dir, name, &result->logs_removed, &result->failed);
    }
}

int purge(struct files *fs, const char *snap_dir, const char *log_dir, unsigned keep,
          struct purge_result *ret, struct err *err)
{
    if (keep < PURGE_KEEP_MIN)
        return err_set(err, ERR_INVALID, "purge must keep at least %d snapshots", PURGE_KEEP_MIN);

    char snap_path[FILE_PATH_MAX], log_path[FILE_PATH_MAX];
    struct name_list snapshots = {0}, logs = {0};
    int rc = file_path(snap_path, snap_dir, NAME_VERSION_DIR, err);
    if (rc == 0)
        rc = file_path(log_path, log_dir, NAME_VERSION_DIR, err);
    if (rc == 0)
        rc = name_list_snapshots(fs, snap_path, &snapshots, err);
    if (rc == 0)
        rc = name_list_logs(fs, log_path, &logs, err);
    if (rc == 0) {
        *ret = (struct purge_result){0};
        purge_lists(fs, snap_path, log_path, keep, &snapshots, &logs, ret);
    }
    name_list_deinit(&snapshots);
    name_list_deinit(&logs);
    return rc;
}
