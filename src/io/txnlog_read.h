/* txnlog_read.h: reads ZooKeeper's transaction log, file by file, record by record.
 *
 * Verifies every checksum and repairs nothing: what a bad record means is decided in recover.h.
 * A record is a slice that stays valid until the next call. One owner thread. */
#ifndef CAUCUS_IO_TXNLOG_READ_H
#define CAUCUS_IO_TXNLOG_READ_H

#include "base/buf.h"
#include "io/file.h"

enum {
    TXN_HEADER_BYTES = 32, /* TxnHeader: client id, cxid, zxid, time, type */
    TXN_ZXID_OFFSET = 12,
};

struct txn_record {
    int64_t zxid;
    struct slice bytes; /* TxnHeader + txn + digest */
    int64_t offset;     /* of its frame in the file */
};

enum txnfile_result {
    TXNFILE_RECORD,
    TXNFILE_END, /* zeros or the end of the file; clean as far as one frame shows */
    TXNFILE_BAD, /* no valid frame at `offset`; `reason` says why */
};

struct txnfile {
    struct files *fs;
    int fd;
    int64_t size;
    int64_t offset;     /* of the next frame, or of the bad one */
    const char *reason; /* static text, for TXNFILE_BAD */
    int64_t frame_end;  /* for TXNFILE_BAD: where the frame would end, as far as it says */
    struct buf window;  /* bytes of the file from window_at on */
    int64_t window_at;
};

/* ERR_CORRUPT if the header is short or wrong, ERR_NOTFOUND, ERR_IO. On failure nothing is open. */
int txnfile_open(struct txnfile *f, struct files *fs, const char *path, struct err *err);
void txnfile_close(struct txnfile *f);
/* A txnfile_result, or ERR_IO. After END or BAD it repeats itself. */
int txnfile_next(struct txnfile *f, struct txn_record *ret, struct err *err);
/* Offset after the last byte that is not zero at or behind `from`; `from` itself if there is none.
 */
int txnfile_used_until(struct txnfile *f, int64_t from, int64_t *ret_until, struct err *err);

#endif
