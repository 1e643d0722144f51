/* io_store.h: records, snapshots and a recovery that need no tree: what the tests of io share. */
#ifndef TESTS_IO_STORE_H
#define TESTS_IO_STORE_H

#include "base/buf.h"
#include "io/recover.h"
#include "io/snapfile.h"
#include "io/txnlog.h"

#define STORE_DIR  "/d"
#define STORE_PATH "/d/version-2"

/* The record of a zxid: TxnHeader, then bytes that follow from zxid and length (>= 32). */
void store_record(struct buf *out, int64_t zxid, size_t len);
/* One framed and sealed record. */
void store_frame(struct buf *out, int64_t zxid, size_t len);

/* A snapshot's body here: items of a length byte and so many bytes; length 0 ends it. Says `zxid`,
 * and is about `len` bytes long. */
void store_body(struct buf *out, int64_t zxid, size_t len);

/* What a recovery delivered. */
struct store_seen {
    int64_t snapshot_zxid; /* as its body says; -1 = none */
    bool snapshot_done;
    struct buf body;
    int64_t zxids[4096];
    size_t count;
    bool wrong; /* a record whose bytes are not those of store_record */
    struct recover_result result;
    struct err err;
};

int store_recover(struct files *fs, const struct recover_options *options, struct store_seen *seen);
void store_seen_deinit(struct store_seen *seen);
extern const struct recover_options STORE_OPTIONS;

int store_write_snapshot(struct files *fs, int64_t zxid, size_t len, enum snap_method method,
                         struct err *err);
/* Recovers an empty disk and writes snapshot.0. */
void store_format(struct files *fs);

#endif
