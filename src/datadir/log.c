/* log.c: one log file, record by record, and what its end means. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "datadir/look.h"
#include "io/names.h"
#include "io/synced.h"
#include "io/txnlog.h"
#include "io/txnlog_read.h"
#include "tree/txn.h"

enum {
    LOOK_BYTES_MAX = TXNLOG_BATCH_BYTES_MAX + (1 << 20),
    RECORD_BYTES_MIN = TXN_HEADER_BYTES,
};
/* Of check sums, in all: what looks like a record at each offset must not keep anybody for ever. */
static const uint64_t SUMMED_BYTES_MAX = 256 << 20;

/* ---- what a record says ---- */

static void take_change(const struct txn *txn, struct datadir_change *ret)
{
    *ret = (struct datadir_change){
        .type = txn->type,
        .path = txn->path,
        .data = txn->data,
        .acl = txn->acl,
        .ttl_ms = txn->ttl_ms,
        .version = txn->version,
        .error = txn->err,
        .timeout_ms = txn->timeout_ms,
        .ephemeral = txn->ephemeral,
    };
    if (txn->type == ZK_OP_MULTI)
        ret->parts = txn->list;
    if (txn->type == ZK_OP_CLOSE_SESSION)
        ret->paths = txn->list;
}

bool datadir_next_part(struct dec *d, struct datadir_change *ret)
{
    struct txn part;
    if (!txn_get_part(d, &part))
        return false;
    take_change(&part, ret);
    return true;
}

static void take_record(const struct txn_record *record, struct datadir_txn *ret)
{
    *ret = (struct datadir_txn){.offset = record->offset, .bytes = record->bytes.len};
    struct dec d = dec_of(record->bytes);
    struct txn txn;
    if (!rec_get_txn_header(&d, &ret->header) || !txn_get(&d, ret->header.type, &txn))
        return;
    ret->decoded = true;
    take_change(&txn, &ret->change);
    ret->has_digest = rec_get_txn_digest(&d, &ret->digest);
}

/* ---- what the end of a file means ---- */

/* How far this file is known to have been on disk; 0: nothing is known. */
static int64_t durable_bound(struct files *fs, const struct datadir_file *file,
                             const struct txnfile *f)
{
    char dir[FILE_PATH_MAX];
    const char *slash = strrchr(file->path, '/');
    int len = slash != NULL ? (int)(slash - file->path) : 1;
    snprintf(dir, sizeof dir, "%.*s", len, slash != NULL ? file->path : ".");
    struct synced bound;
    struct file_stat st;
    if (!synced_read(fs, dir, &bound) || bound.file_zxid != file->zxid ||
        fs->stat_fd(fs, f->fd, &st) < 0 || st.inode != bound.inode)
        return 0;
    return bound.offset;
}

static bool is_whole(struct slice bytes, size_t at, uint64_t *summed)
{
    const uint8_t *p = bytes.ptr + at;
    size_t left = bytes.len - at;
    if (left < TXNLOG_FRAME_OVERHEAD + RECORD_BYTES_MIN || load_be32(p) != 0)
        return false;
    size_t len = load_be32(p + 8);
    if (len < RECORD_BYTES_MIN || len > left - TXNLOG_FRAME_OVERHEAD || p[12 + len] != 'B')
        return false;
    *summed += len;
    return adler32_z(1, p + 12, len) == load_be32(p + 4);
}

/* The offset of a whole record behind the bad one; -1: none is to be seen. */
static int64_t find_whole(const struct txnfile *f, int64_t until)
{
    int64_t from = f->offset + 1;
    size_t len = until > from ? (size_t)(until - from) : 0;
    struct buf bytes;
    buf_init(&bytes, LOOK_BYTES_MAX);
    if (len > LOOK_BYTES_MAX)
        len = LOOK_BYTES_MAX;
    int64_t found = -1;
    if (len > 0 && buf_reserve(&bytes, len)) {
        int64_t n = file_read_full(f->fs, f->fd, bytes.ptr, len, from);
        struct slice all = slice_of(bytes.ptr, n > 0 ? (size_t)n : 0);
        uint64_t summed = 0;
        for (size_t at = 0; at < all.len && found < 0 && summed < SUMMED_BYTES_MAX; at++)
            if (is_whole(all, at, &summed))
                found = from + (int64_t)at;
    }
    buf_deinit(&bytes);
    return found;
}

static void damaged(struct datadir_log *ret, const char *what, const char *why)
{
    ret->end = DATADIR_DAMAGED;
    snprintf(ret->reason, sizeof ret->reason, "%s; %s", what, why);
}

/* As recovery judges (docs/DISK-FORMAT.md), and stricter in one point: whole records behind a bad
 * one may be the rest of a write that was cut short by a power failure, but far more often
 * something happened to the file, and whoever asks wants to know. */
static void judge(const struct datadir_file *file, const struct txnfile *f, struct datadir_log *ret)
{
    const char *what = f->reason != NULL ? f->reason : "a record of zeros";
    char why[80];
    int64_t whole = find_whole(f, ret->garbage_offset);
    if (f->offset < durable_bound(f->fs, file, f)) {
        damaged(ret, what, "this part was on disk already");
    } else if (ret->garbage_offset - f->offset > TXNLOG_HEADER_BYTES + TXNLOG_BATCH_BYTES_MAX) {
        damaged(ret, what, "too much follows to be an unfinished write");
    } else if (whole >= 0) {
        snprintf(why, sizeof why, "a whole record follows at offset %" PRId64, whole);
        damaged(ret, what, why);
    } else {
        ret->end = DATADIR_TORN;
        snprintf(ret->reason, sizeof ret->reason, "%s", what);
    }
}

/* A file that was made and never written: of no length, or zeros only. */
static bool is_unwritten(struct files *fs, const char *path)
{
    struct txnfile f = {.fs = fs};
    struct file_stat st;
    int64_t used = -1;
    f.fd = fs->open(fs, path, FILE_READ);
    if (f.fd < 0)
        return false;
    if (fs->stat_fd(fs, f.fd, &st) == 0) {
        f.size = st.size;
        if (txnfile_used_until(&f, 0, &used, NULL) < 0)
            used = -1;
    }
    txnfile_close(&f);
    return used == 0;
}

static void note_record(struct datadir_log *ret, const struct datadir_txn *txn)
{
    if (ret->records++ == 0)
        ret->first_zxid = txn->header.zxid;
    ret->last_zxid = txn->header.zxid;
    if (!txn->decoded && ret->undecoded++ == 0)
        ret->undecoded_offset = txn->offset;
}

int datadir_read_log(const struct datadir_file *file, datadir_visit_txn *visit, void *arg,
                     struct datadir_log *ret, struct err *err)
{
    struct files *fs = files_posix();
    struct txnfile f;
    *ret = (struct datadir_log){0};
    int rc = txnfile_open(&f, fs, file->path, err);
    if (rc == ERR_CORRUPT && is_unwritten(fs, file->path)) {
        ret->end = DATADIR_TORN;
        snprintf(ret->reason, sizeof ret->reason, "it has no header");
        return 0;
    }
    if (rc < 0)
        return err_wrap(err, rc, "log '%s'", file->path);

    struct txn_record record;
    struct datadir_txn txn;
    bool more = true;
    while (more && (rc = txnfile_next(&f, &record, err)) == TXNFILE_RECORD) {
        take_record(&record, &txn);
        note_record(ret, &txn);
        more = visit(arg, &txn);
    }
    ret->end_offset = f.offset;
    if (rc >= 0 && more)
        rc = txnfile_used_until(&f, f.offset, &ret->garbage_offset, err);
    if (rc >= 0 && more && ret->garbage_offset > f.offset)
        judge(file, &f, ret);
    txnfile_close(&f);
    return rc < 0 ? err_wrap(err, rc, "log '%s'", file->path) : 0;
}
