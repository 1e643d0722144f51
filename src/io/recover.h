/* recover.h: from the files to the state: the newest usable snapshot, then the transactions after
 * it.
 *
 * The rules are those of FileTxnSnapLog.restore, with three additions that ZooKeeper lacks: a torn
 * tail is cut off instead of stopping the server, damage before it is refused with file and offset,
 * and a fallback to an older snapshot is refused if the log does not reach as far as the newer one
 * did. Which is which is argued in docs/DISK-FORMAT.md.
 *
 * Called once, before the log thread starts. The sink's slices are borrowed for the call. */
#ifndef CAUCUS_IO_RECOVER_H
#define CAUCUS_IO_RECOVER_H

#include "io/file.h"
#include "io/names.h"
#include "io/snapfile.h"

struct recover_options {
    const char *snap_dir;    /* dataDir; files are in its version-2 */
    const char *log_dir;     /* dataLogDir, or the same as dataDir */
    size_t record_bytes_max; /* longest record one could have written; 0 = TXNLOG_BATCH_BYTES_MAX */
    bool trust_empty;        /* snapshot.trust.empty */
    bool no_auto_create;     /* db.autocreate=false */
    bool no_dir_create;      /* datadir.autocreate=false */
};

struct recover_sink {
    struct snap_sink
        snapshot; /* begin() may come several times: a snapshot that fails is dropped */
    /* One transaction after the snapshot, in order. An error ends the recovery. */
    int (*txn)(void *arg, int64_t zxid, struct slice bytes, struct err *err);
    void *arg; /* for txn; snapshot has its own */
};

struct recover_result {
    int64_t snapshot_zxid;          /* -1 = none */
    int64_t snapshot_changed_ms;    /* when it was written */
    struct snap_tail snapshot_tail; /* digest and last zxid it carried */
    int64_t last_zxid;              /* of snapshot and log */
    uint64_t txn_count;             /* given to the sink */
    bool empty;                     /* a new database: write snapshot.0 before anything is logged */
    bool untrusted; /* empty, but db.autocreate=false and no `initialize`: zxid is -1 */

    unsigned snapshots_refused; /* newer ones that could not be used */
    struct err snapshot_err;    /* why the newest of them could not */

    bool cut; /* a torn tail was removed */
    int64_t cut_file_zxid;
    int64_t cut_offset, cut_bytes;

    uint64_t
        gap_count; /* places where a zxid is missing inside an epoch (ZooKeeper does not look) */
    int64_t gap_after_zxid; /* the first */
    uint64_t repeat_count;  /* records not newer than the one before; not given to the sink */
};

/* 0, ERR_CORRUPT (file and offset in err), ERR_NOTFOUND (a directory is missing), ERR_INVALID (log
 * and snapshot files in each other's directories), ERR_IO, or what the sink returned. */
int recover(struct files *fs, const struct recover_options *options,
            const struct recover_sink *sink, struct recover_result *ret, struct err *err);

#endif
