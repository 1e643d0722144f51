/* logread.h: reads transactions of the past out of the log files, in pieces
 * (ZKDatabase.getProposalsFromTxnLog), while the log thread goes on writing.
 *
 * What comes is one history without a hole, or nothing: where a zxid is missing inside an epoch, or
 * a snapshot stands for transactions that are in no file (it came from another server), the reading
 * ends with LOGREAD_MISSING. Blocking: for a worker thread, one at a time; the cursor keeps its
 * place, and its file open, between pieces. */
#ifndef CAUCUS_IO_LOGREAD_H
#define CAUCUS_IO_LOGREAD_H

#include "base/buf.h"
#include "io/file.h"

enum {
    LOGREAD_PIECE_BYTES = 1 << 20
};

struct logread_options {
    const char *snap_dir, *log_dir; /* .../version-2; copied */
    int64_t after, until;           /* zxids in (after, until]; those are durable */
    /* Reading is refused if the files from `after` on take more than so many times the newest
     * snapshot (snapshotSizeFactor); there is no limit without a snapshot. */
    double snapshot_factor;
};

enum logread_result {
    LOGREAD_MORE,
    LOGREAD_END,
    LOGREAD_MISSING, /* the files do not reach back that far, are too large, or damaged */
};

struct logread;

struct logread *logread_open(struct files *fs, const struct logread_options *options); /* no I/O */
/* Appends entries {int32 length, bytes} to `out`: the first piece begins with the newest one at or
 * before `after`. A piece ends when it has reached LOGREAD_PIECE_BYTES. */
enum logread_result logread_next(struct logread *r, struct buf *out, struct err *err);
int64_t logread_last(const struct logread *r); /* zxid delivered last; -1 = none yet */
void logread_close(struct logread *r);         /* NULL is fine */

#endif
