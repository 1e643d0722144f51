/* txnlog.h: the writer of ZooKeeper's transaction log (FileTxnLog, FilePadding).
 *
 * Appends records in order and makes them durable. Knows nothing of what a record means: a zxid
 * for the file's name, and bytes. The format is in docs/DISK-FORMAT.md. Every writer begins with a
 * file of its own: it never appends to one that was there before (as ZooKeeper).
 *
 * One owner thread (the log thread). Memory: txnlog_append borrows the frames until the next
 * txnlog_sync returns. Bound: what is appended between two syncs is one batch, at most
 * TXNLOG_BATCH_BYTES_MAX or a single record: recovery relies on it (docs/DISK-FORMAT.md).
 *
 * Errors: a failed write or sync poisons for ever: later calls return ERR_POISONED. A full disk
 * (ERR_NOSPACE) does not: nothing of the batch counts as durable, the batch is still pending, and
 * txnlog_sync may be called again when there is space. */
#ifndef CAUCUS_IO_TXNLOG_H
#define CAUCUS_IO_TXNLOG_H

#include "base/buf.h"
#include "io/file.h"

enum {
    TXNLOG_HEADER_BYTES = 16,
    TXNLOG_FRAME_OVERHEAD = 8 + 4 + 1, /* checksum, length, 'B' */
    TXNLOG_BATCH_BYTES_MAX = 4 << 20,
};

struct txnlog_options {
    int64_t preallocate_bytes; /* preAllocSize (64 MiB); <= 0: the file grows as it is written */
    int64_t size_limit_bytes;  /* txnLogSizeLimitInKb: a new file past it; <= 0: no limit */
    bool no_sync;              /* forceSync=no: "durable" means handed to the system */
};

struct txnlog;

/* `dir` is .../version-2 and exists. Creates no file yet. */
int txnlog_open(struct files *fs, const char *dir, const struct txnlog_options *options,
                struct txnlog **ret, struct err *err);
void txnlog_close(struct txnlog *l); /* syncs nothing; NULL is fine */

/* Appends a record with its frame to `out`; the checksum is left open for txnlog_seal. */
void txnlog_frame(struct buf *out, struct slice record);
/* Fills in the checksums of whole frames. */
void txnlog_seal(uint8_t *frames, size_t len);

/* Takes sealed frames into the current batch. `zxid` is that of the first record in them. */
int txnlog_append(struct txnlog *l, int64_t zxid, struct slice frames);
/* Writes the batch and makes it durable: bytes, size and, for a new file, the name. */
int txnlog_sync(struct txnlog *l, struct err *err);
/* The next append opens a new file. The batch must be empty. */
void txnlog_roll(struct txnlog *l);

/* Work for quiet moments, after the reports went out: zeros ahead of the next appends (an append
 * into blocks never written costs the file system's journal, bench/fsync.c) and the side file with
 * the bound known durable. 0, or ERR_NOSPACE: the disk is nearly full, appends may fail soon. */
int txnlog_idle(struct txnlog *l, struct err *err);
bool txnlog_idle_urgent(const struct txnlog *l); /* fewer zeros are left than a usual batch needs */

struct txnlog_status {
    int64_t file_zxid; /* names the current file; -1 = none yet */
    int64_t position;  /* bytes durable in it */
    int64_t sync_ns;   /* the last fdatasync took, and the write before it if it went to the disk */
    uint64_t file_count;  /* files opened */
    uint64_t total_bytes; /* written in all files, padding not counted */
};
void txnlog_status(const struct txnlog *l, struct txnlog_status *ret);

#endif
