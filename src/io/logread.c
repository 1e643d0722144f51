#include "io/logread.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "io/names.h"
#include "io/txnlog_read.h"

struct logread {
    struct files *fs;
    char *snap_dir, *log_dir;
    int64_t after, until;
    double factor;

    bool begun;
    struct name_list snapshots, logs;
    size_t next_file;    /* index of the one to open next */
    struct txnfile file; /* fd -1 = none is open */
    struct buf first;    /* the newest entry at or before `after`, until it is delivered */
    int64_t first_zxid;  /* -1 = none seen */
    int64_t last;        /* read last, in order */
    bool first_delivered;
};

struct logread *logread_open(struct files *fs, const struct logread_options *options)
{
    struct logread *r = mem_calloc(1, sizeof *r);
    r->fs = fs;
    r->snap_dir = mem_dup(options->snap_dir, strlen(options->snap_dir) + 1);
    r->log_dir = mem_dup(options->log_dir, strlen(options->log_dir) + 1);
    r->after = options->after;
    r->until = options->until;
    r->factor = options->snapshot_factor;
    r->file.fd = -1;
    r->first_zxid = r->last = -1;
    return r;
}

void logread_close(struct logread *r)
{
    if (r == NULL)
        return;
    if (r->file.fd >= 0)
        txnfile_close(&r->file);
    name_list_deinit(&r->snapshots);
    name_list_deinit(&r->logs);
    buf_deinit(&r->first);
    free(r->snap_dir);
    free(r->log_dir);
    free(r);
}

int64_t logread_last(const struct logread *r)
{
    return r->first_delivered ? r->last : -1;
}

/* ---- the beginning ---- */

static int64_t file_bytes(struct logread *r, const char *dir, const char *name)
{
    char path[FILE_PATH_MAX];
    struct file_stat st;
    if (file_path(path, dir, name, NULL) < 0 || r->fs->stat(r->fs, path, &st) < 0)
        return 0;
    /* Log files are mostly hole. */
    return st.allocated > 0 && st.allocated < st.size ? st.allocated : st.size;
}

static bool is_too_large(struct logread *r, size_t from)
{
    if (r->snapshots.count == 0)
        return false;
    char name[NAME_BYTES_MAX];
    const struct name_entry *newest = &r->snapshots.entries[r->snapshots.count - 1];
    name_snapshot(name, newest->zxid, newest->method);
    double limit = (double)file_bytes(r, r->snap_dir, name) * r->factor;
    if (limit < 1)
        return false;
    double bytes = 0;
    for (size_t i = from; i < r->logs.count; i++) {
        name_log(name, r->logs.entries[i].zxid);
        bytes += (double)file_bytes(r, r->log_dir, name);
    }
    return bytes > limit;
}

/* The last file that begins at or before the zxid; count = none does. */
static size_t last_beginning_by(const struct name_list *logs, int64_t zxid)
{
    size_t last = logs->count;
    for (size_t i = 0; i < logs->count && logs->entries[i].zxid <= zxid; i++)
        last = i;
    return last;
}

/* A purge removes snapshots first, then the logs in front of the oldest one it keeps. Where it has
 * not come to those yet, or was interrupted, a snapshot that shows a gap (goes_on) may be gone. */
static bool is_left_over(const struct logread *r, size_t from)
{
    if (r->snapshots.count == 0)
        return false;
    size_t oldest_needed = last_beginning_by(&r->logs, r->snapshots.entries[0].zxid);
    return oldest_needed != r->logs.count && from < oldest_needed;
}

static enum logread_result begin(struct logread *r, struct err *err)
{
    r->begun = true;
    if (name_list_snapshots(r->fs, r->snap_dir, &r->snapshots, err) < 0 ||
        name_list_logs(r->fs, r->log_dir, &r->logs, err) < 0)
        return LOGREAD_MISSING;
    size_t from = last_beginning_by(&r->logs, r->after);
    if (from == r->logs.count || is_left_over(r, from)) {
        err_set(err, ERR_NOTFOUND, "no log file reaches back to %" PRIx64, (uint64_t)r->after);
        return LOGREAD_MISSING;
    }
    if (is_too_large(r, from)) {
        err_set(err, ERR_TOOBIG, "the log files from %" PRIx64 " on are too large",
                (uint64_t)r->after);
        return LOGREAD_MISSING;
    }
    r->next_file = from;
    return LOGREAD_MORE;
}

/* ---- one record after the other ---- */

static enum logread_result open_next(struct logread *r, struct err *err)
{
    if (r->file.fd >= 0)
        txnfile_close(&r->file);
    if (r->next_file == r->logs.count)
        return LOGREAD_END;
    char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
    name_log(name, r->logs.entries[r->next_file++].zxid);
    if (file_path(path, r->log_dir, name, err) < 0)
        return LOGREAD_MISSING;
    if (txnfile_open(&r->file, r->fs, path, err) < 0) {
        r->file.fd = -1;
        return LOGREAD_MISSING;
    }
    return LOGREAD_MORE;
}

static enum logread_result read_record(struct logread *r, struct txn_record *ret, struct err *err)
{
    for (;;) {
        if (r->file.fd < 0) {
            enum logread_result rc = open_next(r, err);
            if (rc != LOGREAD_MORE)
                return rc;
        }
        int rc = txnfile_next(&r->file, ret, err);
        if (rc == TXNFILE_RECORD)
            return LOGREAD_MORE;
        if (rc < 0)
            return LOGREAD_MISSING;
        /* Also where a file ends with something that is no record: whether what follows goes on
         * from here is seen from its zxid. */
        txnfile_close(&r->file);
    }
}

/* Whether nothing can be missing between two records. A new epoch begins with 1; whether the old
 * one had more than we have cannot be seen from the numbers, but a snapshot between the two shows
 * it: our own are of a zxid that is in the log. */
static bool goes_on(const struct logread *r, int64_t from, int64_t to)
{
    for (size_t i = r->snapshots.count; i-- > 0 && r->snapshots.entries[i].zxid > from;) {
        if (r->snapshots.entries[i].zxid < to)
            return false;
    }
    if (to == from + 1)
        return true;
    return to >> 32 > from >> 32 && (uint32_t)to <= 1;
}

static void put_entry(struct buf *out, struct slice bytes)
{
    buf_put_i32(out, (int32_t)bytes.len);
    buf_put_slice(out, bytes);
}

static void deliver_first(struct logread *r, struct buf *out)
{
    if (r->first_delivered)
        return;
    put_entry(out, buf_slice(&r->first));
    buf_deinit(&r->first);
    r->first = (struct buf){0};
    r->first_delivered = true;
}

static enum logread_result take(struct logread *r, const struct txn_record *record, struct buf *out,
                                struct err *err)
{
    if (record->zxid <= r->last)
        return LOGREAD_MORE; /* written twice: recovery passes over it, too */
    if (record->zxid <= r->after) {
        buf_clear(&r->first);
        buf_put_slice(&r->first, record->bytes);
        r->first_zxid = r->last = record->zxid;
        return LOGREAD_MORE;
    }
    if (r->first_zxid < 0 || !goes_on(r, r->last, record->zxid)) {
        err_set(err, ERR_NOTFOUND,
                "transactions between %" PRIx64 " and %" PRIx64 " are in no file",
                (uint64_t)r->last, (uint64_t)record->zxid);
        return LOGREAD_MISSING;
    }
    deliver_first(r, out);
    if (record->zxid > r->until)
        return LOGREAD_END;
    put_entry(out, record->bytes);
    r->last = record->zxid;
    return record->zxid == r->until ? LOGREAD_END : LOGREAD_MORE;
}

enum logread_result logread_next(struct logread *r, struct buf *out, struct err *err)
{
    enum logread_result rc = r->begun ? LOGREAD_MORE : begin(r, err);
    size_t begun_at = out->len;
    while (rc == LOGREAD_MORE && out->len - begun_at < LOGREAD_PIECE_BYTES) {
        struct txn_record record;
        rc = read_record(r, &record, err);
        if (rc == LOGREAD_MORE)
            rc = take(r, &record, out, err);
        else if (rc == LOGREAD_END && r->first_zxid >= 0)
            deliver_first(r, out);
        else if (rc == LOGREAD_END)
            rc = LOGREAD_MISSING;
    }
    return rc;
}
