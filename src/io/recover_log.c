/* recover_log.c: what a bad record means. The argument is in docs/DISK-FORMAT.md, in short:
 *
 * One batch is at most W bytes and is written only after the batch before it is durable. So behind
 * the durable bytes at most W bytes may be garbage, then come zeros. A file is left only when it is
 * durable.
 *
 *   bad at offset b, last file:  b < known durable bound       -> damage, refused
 *                                anything but zeros >= b + W   -> damage, refused
 *                                otherwise                     -> torn tail, cut at b
 *   bad at offset b, earlier:    the next file goes on with the very next zxid -> nothing is
 * missing otherwise                     -> damage, refused */
#include "io/recover_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "io/synced.h"
#include "io/txnlog.h"
#include "io/txnlog_read.h"

struct replay {
    struct files *fs;
    const char *dir;
    const struct name_list *logs;
    const struct recover_sink *sink;
    struct recover_result *result;
    int64_t window_bytes; /* W */
    struct synced bound;
    bool has_bound;
    int64_t zxid_before; /* of the record before, in whichever file; -1 = none yet */
};

static int log_path(const struct replay *r, size_t index, char ret[FILE_PATH_MAX], struct err *err)
{
    char name[NAME_BYTES_MAX];
    name_log(name, r->logs->entries[index].zxid);
    return file_path(ret, r->dir, name, err);
}

static int damage(const char *path, int64_t offset, const char *what, const char *why,
                  struct err *err)
{
    return err_set(err, ERR_CORRUPT, "log file '%s': damaged at offset %" PRId64 ": %s; %s", path,
                   offset, what, why);
}

/* Whether `zxid` is the very next counter. */
static bool is_next(int64_t before, int64_t zxid)
{
    return (uint64_t)zxid == (uint64_t)before + 1;
}

/* Whether `zxid` begins a later epoch: then what came before it cannot be told from the numbers. */
static bool begins_epoch(int64_t before, int64_t zxid)
{
    return (uint64_t)zxid >> 32 > (uint64_t)before >> 32 && (uint32_t)zxid <= 1;
}

static int give(struct replay *r, const struct txn_record *record, struct err *err)
{
    struct recover_result *result = r->result;
    int64_t before = r->zxid_before;
    r->zxid_before = record->zxid;

    if (record->zxid <= result->last_zxid) {
        /* Before the snapshot; or out of order, which ZooKeeper applies with a line in its log. */
        if (record->zxid <= before)
            result->repeat_count++;
        return 0;
    }
    bool gap =
        !is_next(result->last_zxid, record->zxid) && !begins_epoch(result->last_zxid, record->zxid);
    if (gap && result->gap_count++ == 0)
        result->gap_after_zxid = result->last_zxid;
    result->last_zxid = record->zxid;
    result->txn_count++;
    return r->sink->txn(r->sink->arg, record->zxid, record->bytes, err);
}

/* ---- judging ---- */

/* How far this file is known to be durable; 0 = nothing is known of it. f->offset is where reading
 * ended. */
static int64_t durable_bound(struct replay *r, struct txnfile *f, size_t index)
{
    struct file_stat st;
    if (!r->has_bound || r->bound.file_zxid != r->logs->entries[index].zxid ||
        r->fs->stat_fd(r->fs, f->fd, &st) < 0 || st.inode != r->bound.inode)
        return 0;

    /* Begins with another record: ZooKeeper wrote the file anew. A first record that is not valid
     * is no such sign. */
    uint8_t first[8];
    if (f->offset > TXNLOG_HEADER_BYTES &&
        (file_read_full(r->fs, f->fd, first, sizeof first, TXNLOG_HEADER_BYTES) != sizeof first ||
         load_be64(first) != r->bound.first_checksum))
        return 0;
    return r->bound.offset;
}

/* The zxid of the first record behind this file; false if there is none to be found. */
static bool next_zxid(struct replay *r, size_t index, int64_t *ret)
{
    for (size_t i = index + 1; i < r->logs->count; i++) {
        char path[FILE_PATH_MAX];
        struct txnfile f;
        struct txn_record record;
        if (log_path(r, i, path, NULL) < 0 || txnfile_open(&f, r->fs, path, NULL) < 0)
            continue;
        int rc = txnfile_next(&f, &record, NULL);
        txnfile_close(&f);
        if (rc == TXNFILE_RECORD) {
            *ret = record.zxid;
            return true;
        }
    }
    return false;
}

/* Takes the bytes from `offset` on out of the file, and the file if nothing is left. */
static int cut(struct replay *r, const char *path, int64_t offset, struct err *err)
{
    int rc;
    if (offset <= TXNLOG_HEADER_BYTES) {
        rc = r->fs->unlink(r->fs, path);
        if (rc < 0)
            return file_error(err, rc, "remove", path);
        rc = r->fs->sync_dir(r->fs, r->dir);
        return rc < 0 ? file_error(err, rc, "sync directory", r->dir) : 0;
    }

    int fd = r->fs->open(r->fs, path, FILE_WRITE);
    if (fd < 0)
        return file_error(err, fd, "open", path);
    rc = r->fs->resize(r->fs, fd, offset);
    if (rc == 0)
        rc = r->fs->sync(r->fs, fd);
    r->fs->close(r->fs, fd);
    return rc < 0 ? file_error(err, rc, "cut", path) : 0;
}

/* Behind the last valid record of file `index` something else than zeros stands until `used`, or
 * bytes that were durable are gone. */
static int judge_end(struct replay *r, struct txnfile *f, size_t index, const char *path,
                     int64_t used, struct err *err)
{
    const char *what = f->reason ? f->reason : "a record of zeros";
    if (f->offset < durable_bound(r, f, index))
        return damage(path, f->offset, what, "this part was on disk already", err);
    if (used - f->offset > r->window_bytes)
        return damage(path, f->offset, what, "too much follows to be an unfinished write", err);

    int64_t next;
    if (next_zxid(r, index, &next)) {
        /* ZooKeeper, killed and started again, leaves the beginning of a record behind, and goes
         * on in a new file with the same zxid, or in a new epoch. */
        bool unfinished = used < f->frame_end;
        if (r->zxid_before >= 0 &&
            (is_next(r->zxid_before, next) || (unfinished && begins_epoch(r->zxid_before, next))))
            return 0;
        return damage(path, f->offset, what, "later log files do not go on from here", err);
    }

    r->result->cut = true;
    r->result->cut_file_zxid = r->logs->entries[index].zxid;
    r->result->cut_offset = f->offset;
    r->result->cut_bytes = used - f->offset;
    return cut(r, path, f->offset, err);
}

static int check_end(struct replay *r, struct txnfile *f, size_t index, const char *path,
                     struct err *err)
{
    int64_t used;
    int rc = txnfile_used_until(f, f->offset, &used, err);
    if (rc < 0)
        return err_wrap(err, rc, "log file '%s'", path);

    /* Cut on purpose, as ZooKeeper does when a leader tells it to: it ends with a record, and the
     * bound is of before. */
    bool shortened = f->offset == f->size;
    if (used > f->offset || (!shortened && f->offset < durable_bound(r, f, index)))
        return judge_end(r, f, index, path, used, err);

    /* Without any record, and none behind it: in the way of the next file, which may have its name.
     */
    int64_t next;
    if (f->offset == TXNLOG_HEADER_BYTES && !next_zxid(r, index, &next))
        return cut(r, path, 0, err);
    return 0;
}

/* A file whose header is not there. Being made when the power failed? Then it is the last one,
 * holds at most one batch, and its first bytes never arrived. */
static int judge_no_header(struct replay *r, size_t index, const char *path, struct err *err)
{
    struct err why = err ? *err : (struct err){""};
    struct txnfile f = {.fs = r->fs};
    f.fd = r->fs->open(r->fs, path, FILE_READ);
    if (f.fd < 0)
        return file_error(err, f.fd, "open log file", path);

    static const uint8_t zeros[TXNLOG_HEADER_BYTES];
    uint8_t header[TXNLOG_HEADER_BYTES] = {0};
    struct file_stat st = {0};
    int64_t used = 0;
    int rc = r->fs->stat_fd(r->fs, f.fd, &st);
    int64_t n = file_read_full(r->fs, f.fd, header, sizeof header, 0);
    f.size = st.size;
    if (rc == 0 && n >= 0)
        rc = txnfile_used_until(&f, 0, &used, err);
    bool torn = n < TXNLOG_HEADER_BYTES || memcmp(header, zeros, sizeof zeros) == 0;
    bool claimed = durable_bound(r, &f, index) > 0;
    txnfile_close(&f);
    if (rc < 0 || n < 0)
        return err_set(err, ERR_IO, "cannot read log file '%s'", path);

    int64_t next;
    if (!torn || claimed || next_zxid(r, index, &next) || used > r->window_bytes)
        return err_set(err, ERR_CORRUPT, "log file '%s': damaged at %s", path, why.text);
    r->result->cut = true;
    r->result->cut_file_zxid = r->logs->entries[index].zxid;
    r->result->cut_offset = 0;
    r->result->cut_bytes = used;
    return cut(r, path, 0, err);
}

/* ---- reading ---- */

static int replay_file(struct replay *r, size_t index, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct txnfile f;
    int rc = log_path(r, index, path, err);
    if (rc < 0)
        return rc;
    struct err why = {""};
    rc = txnfile_open(&f, r->fs, path, &why);
    if (rc < 0) {
        if (err != NULL)
            *err = why;
        return rc == ERR_CORRUPT ? judge_no_header(r, index, path, err) : rc;
    }

    struct txn_record record;
    while ((rc = txnfile_next(&f, &record, err)) == TXNFILE_RECORD) {
        rc = give(r, &record, err);
        if (rc < 0)
            break;
    }
    if (rc < 0)
        rc = err_wrap(err, rc, "log file '%s', offset %" PRId64, path, f.offset);
    else
        rc = check_end(r, &f, index, path, err);
    txnfile_close(&f);
    return rc;
}

/* The last file that begins at or before the first zxid wanted; the first file if all begin later.
 */
static size_t first_file(const struct name_list *logs, int64_t zxid)
{
    size_t index = 0;
    for (size_t i = 0; i < logs->count && logs->entries[i].zxid <= zxid; i++)
        index = i;
    return index;
}

/* What the server before had written but not synced was read from the system's memory; from now on
 * clients see it, so it must outlive a power loss like the rest. */
static int sync_last_file(struct replay *r, struct err *err)
{
    for (size_t i = r->logs->count; i-- > 0;) {
        char path[FILE_PATH_MAX];
        int rc = log_path(r, i, path, err);
        if (rc < 0)
            return rc;
        int fd = r->fs->open(r->fs, path, FILE_WRITE);
        if (fd == -ENOENT)
            continue; /* it held nothing and was removed */
        if (fd < 0)
            return file_error(err, fd, "open", path);
        rc = r->fs->sync(r->fs, fd);
        r->fs->close(r->fs, fd);
        if (rc == 0)
            rc = r->fs->sync_dir(r->fs, r->dir);
        return rc < 0 ? file_error(err, rc, "sync", path) : 0;
    }
    return 0;
}

int recover_log(struct files *fs, const char *dir, const struct name_list *logs,
                size_t record_bytes_max, const struct recover_sink *sink,
                struct recover_result *result, struct err *err)
{
    struct replay r = {
        .fs = fs,
        .dir = dir,
        .logs = logs,
        .sink = sink,
        .result = result,
        .window_bytes = TXNLOG_HEADER_BYTES + TXNLOG_BATCH_BYTES_MAX,
        .zxid_before = -1,
    };
    int64_t record_window = TXNLOG_HEADER_BYTES + (int64_t)record_bytes_max + TXNLOG_FRAME_OVERHEAD;
    if (record_window > r.window_bytes)
        r.window_bytes = record_window;
    r.has_bound = synced_read(fs, dir, &r.bound);

    for (size_t i = first_file(logs, result->last_zxid + 1); i < logs->count; i++) {
        int rc = replay_file(&r, i, err);
        if (rc < 0)
            return rc;
    }
    return sync_last_file(&r, err);
}
