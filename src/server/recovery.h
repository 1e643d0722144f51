/* recovery.h: from the files of a data folder to a tree and its sessions
 * (FileTxnSnapLog.restore and processTransaction).
 *
 * io/recover.h finds and checks the bytes, datadir/state.h makes a tree of them. Blocking, before
 * the server serves (and once more for an uploaded snapshot). Tells the log about progress, torn
 * tails, gaps and digests that differ. */
#ifndef CAUCUS_SERVER_RECOVERY_H
#define CAUCUS_SERVER_RECOVERY_H

#include "io/recover.h"
#include "tree/snapshot.h"
#include "tree/tree.h"

struct recovery {
    struct tree *tree; /* the caller's after success */
    struct snapshot_session *sessions;
    size_t session_count;
    struct recover_result files;
    uint64_t digest_mismatches;
    int64_t snapshot_ms, txns_ms; /* time taken */
    struct buf recent; /* the newest transactions, {int32 length, entry}*, without gaps */
};

struct recovery_options {
    struct recover_options files;
    struct tree_options tree;
    struct snapfile_options snapshot; /* how snapshot.0 of a new database is written */
    size_t recent_count;              /* how many transactions `recent` shall have */
};

/* 0, or an error that names file and offset. A new database gets its snapshot.0. */
int recovery_run(struct files *fs, const struct recovery_options *options, struct recovery *ret,
                 struct err *err);
/* One snapshot file by itself; *ret_zxid is the zxid its name or its tail says. */
int recovery_load_snapshot(struct files *fs, const char *path, const struct tree_options *options,
                           struct recovery *ret, struct err *err);
/* Frees the sessions and the recent transactions; the tree too if it was not taken (set to NULL).
 */
void recovery_deinit(struct recovery *r);

#endif
