#include "io/rewind.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "io/names.h"
#include "io/txnlog.h"
#include "io/txnlog_read.h"

struct plan {
    struct files *fs;
    const char *snap_dir, *log_dir;
    int64_t zxid;
    struct name_list snapshots, logs;
    struct rewind_result *result;
};

static int plan_init(struct plan *p, struct err *err)
{
    int rc = name_list_snapshots(p->fs, p->snap_dir, &p->snapshots, err);
    if (rc == 0)
        rc = name_list_logs(p->fs, p->log_dir, &p->logs, err);
    *p->result = (struct rewind_result){.cut_zxid = -1};
    return rc;
}

static void plan_deinit(struct plan *p)
{
    name_list_deinit(&p->snapshots);
    name_list_deinit(&p->logs);
}

/* ---- does it reach? ---- */

/* The newest snapshot at or before the zxid. */
static bool has_base(struct plan *p, int64_t *ret_zxid)
{
    for (size_t i = p->snapshots.count; i-- > 0;) {
        const struct name_entry *e = &p->snapshots.entries[i];
        char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
        name_snapshot(name, e->zxid, e->method);
        if (e->zxid > p->zxid || file_path(path, p->snap_dir, name, NULL) < 0 ||
            !snapfile_looks_valid(p->fs, path, e->method))
            continue;
        *ret_zxid = e->zxid;
        return true;
    }
    return false;
}

/* Where the file's records behind the zxid begin. *ret_found: it holds the zxid itself. */
static int find_end(struct plan *p, const char *path, int64_t *ret_offset, bool *ret_found,
                    struct err *err)
{
    struct txnfile f;
    struct txn_record record;
    int rc = txnfile_open(&f, p->fs, path, err);
    if (rc < 0)
        return rc;
    int64_t offset = f.offset;
    while ((rc = txnfile_next(&f, &record, err)) == TXNFILE_RECORD && record.zxid <= p->zxid) {
        *ret_found = record.zxid == p->zxid;
        offset = f.offset;
    }
    if (rc == TXNFILE_BAD)
        rc = err_set(err, ERR_CORRUPT, "log file '%s', offset %" PRId64 ": %s", path, f.offset,
                     f.reason);
    txnfile_close(&f);
    *ret_offset = offset;
    return rc < 0 ? rc : 0;
}

/* The last file that begins at or before the zxid; -1 = none. */
static int last_kept(const struct plan *p)
{
    int last = -1;
    for (size_t i = 0; i < p->logs.count && p->logs.entries[i].zxid <= p->zxid; i++)
        last = (int)i;
    return last;
}

static int log_file(const struct plan *p, size_t index, char name[NAME_BYTES_MAX],
                    char path[FILE_PATH_MAX], struct err *err)
{
    name_log(name, p->logs.entries[index].zxid);
    return file_path(path, p->log_dir, name, err);
}

/* The state at exactly that zxid must be in the files. */
static int check_reach(struct plan *p, struct err *err)
{
    int64_t base;
    if (!has_base(p, &base))
        return err_set(err, ERR_NOTFOUND, "no snapshot at or before %" PRIx64 " in '%s'",
                       (uint64_t)p->zxid, p->snap_dir);
    if (base == p->zxid)
        return 0;
    int last = last_kept(p);
    bool found = false;
    if (last >= 0) {
        char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
        int64_t offset;
        int rc = log_file(p, (size_t)last, name, path, err);
        if (rc == 0)
            rc = find_end(p, path, &offset, &found, err);
        if (rc < 0)
            return rc;
    }
    return found ? 0
                 : err_set(err, ERR_NOTFOUND, "transaction %" PRIx64 " is not in '%s'",
                           (uint64_t)p->zxid, p->log_dir);
}

/* ---- taking away ---- */

static int remove_snapshots(struct plan *p, struct err *err)
{
    for (size_t i = p->snapshots.count; i-- > 0;) {
        const struct name_entry *e = &p->snapshots.entries[i];
        if (e->zxid <= p->zxid)
            break;
        char name[NAME_BYTES_MAX];
        name_snapshot(name, e->zxid, e->method);
        int rc = file_remove(p->fs, p->snap_dir, name, err);
        if (rc < 0)
            return rc;
        p->result->snapshots_removed++;
    }
    return 0;
}

static int cut_file(struct plan *p, size_t index, struct err *err)
{
    char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
    int64_t offset = 0;
    bool found = false;
    struct file_stat st;
    int rc = log_file(p, index, name, path, err);
    if (rc == 0)
        rc = find_end(p, path, &offset, &found, err);
    if (rc < 0)
        return rc;
    if (offset <= TXNLOG_HEADER_BYTES)
        return file_remove(p->fs, p->log_dir, name, err);

    int fd = p->fs->open(p->fs, path, FILE_WRITE);
    if (fd < 0)
        return file_error(err, fd, "open", path);
    rc = p->fs->stat_fd(p->fs, fd, &st);
    if (rc == 0)
        rc = p->fs->resize(p->fs, fd, offset);
    if (rc == 0)
        rc = p->fs->sync(p->fs, fd);
    p->fs->close(p->fs, fd);
    if (rc < 0)
        return file_error(err, rc, "cut", path);
    p->result->cut_zxid = p->logs.entries[index].zxid;
    p->result->cut_bytes = st.size - offset;
    return 0;
}

/* From the end, each removal durable: what is left is a beginning of what there was. Before that
 * the bound known durable (synced.h): the same transactions may come again, in a file of the same
 * name, inode and first record that is shorter, and recovery would take its end for damage. */
static int shorten_log(struct plan *p, struct err *err)
{
    int last = last_kept(p);
    int forgotten = file_remove(p->fs, p->log_dir, NAME_SYNCED, err);
    if (forgotten < 0)
        return forgotten;
    for (size_t i = p->logs.count; i-- > (size_t)last + 1;) {
        char name[NAME_BYTES_MAX];
        name_log(name, p->logs.entries[i].zxid);
        int rc = file_remove(p->fs, p->log_dir, name, err);
        if (rc < 0)
            return rc;
        p->result->logs_removed++;
    }
    return last >= 0 ? cut_file(p, (size_t)last, err) : 0;
}

int rewind_to(struct files *fs, const char *snap_dir, const char *log_dir, int64_t zxid,
              struct rewind_result *ret, struct err *err)
{
    struct plan p = {
        .fs = fs, .snap_dir = snap_dir, .log_dir = log_dir, .zxid = zxid, .result = ret};
    int rc = plan_init(&p, err);
    if (rc == 0)
        rc = check_reach(&p, err);
    if (rc == 0) {
        rc = remove_snapshots(&p, err);
        if (rc == 0)
            rc = shorten_log(&p, err);
        if (rc == ERR_NOTFOUND || rc == ERR_CORRUPT)
            rc = ERR_IO; /* it was there a moment ago */
    }
    plan_deinit(&p);
    return rc;
}

int rewind_install(struct files *fs, const char *snap_dir, const char *log_dir, int64_t zxid,
                   struct snapfile *snapshot, struct rewind_result *ret, struct err *err)
{
    struct plan p = {
        .fs = fs, .snap_dir = snap_dir, .log_dir = log_dir, .zxid = zxid, .result = ret};
    int rc = plan_init(&p, err);
    if (rc == 0)
        rc = shorten_log(&p, err);
    int64_t bytes;
    if (rc == 0)
        rc = snapfile_name(snapshot, &bytes, err);
    else
        snapfile_discard(snapshot);
    if (rc == 0)
        rc = remove_snapshots(&p, err);
    plan_deinit(&p);
    return rc == ERR_NOTFOUND || rc == ERR_CORRUPT ? ERR_IO : rc;
}
