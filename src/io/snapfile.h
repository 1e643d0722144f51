/* snapfile.h: ZooKeeper's snapshot file (FileSnap, SnapStream): one writer, one reader.
 *
 * The body (sessions ... "/") is bytes made and understood elsewhere (tree/snapshot.h); added here
 * are FileHeader, Adler32 seals, digest, last zxid, compression, and the name. Format in
 * docs/DISK-FORMAT.md. Blocking; one owner thread per object. snapthread.h runs a writer in the
 * background. */
#ifndef CAUCUS_IO_SNAPFILE_H
#define CAUCUS_IO_SNAPFILE_H

#include "base/err.h"
#include "base/slice.h"
#include "io/file.h"
#include "io/names.h"

struct snapfile_options {
    enum snap_method method; /* snapshot.compression.method */
    bool no_digest;          /* digest.enabled=false */
    bool no_last_zxid;       /* serializeLastProcessedZxid.enabled=false */
    const char *tmp_name;    /* until it is whole; static; NULL = NAME_SNAPSHOT_TMP */
};

/* ---- writing: under NAME_SNAPSHOT_TMP; the older snapshots stay untouched until the new one is
 * whole ---- */
struct snapfile;

/* `dir` is .../version-2. */
int snapfile_create(struct files *fs, const char *dir, int64_t zxid,
                    const struct snapfile_options *options, struct snapfile **ret, struct err *err);
int snapfile_write(struct snapfile *s, struct slice body,
                   struct err *err); /* any cut of the body */
/* Seals, syncs, renames, syncs the directory: from then on the snapshot is there after any crash.
 * ret_bytes: size of the file. Frees the writer, whatever happens. */
int snapfile_publish(struct snapfile *s, uint64_t digest, int64_t *ret_bytes, struct err *err);
/* The same in two steps: seal and sync under the temporary name (nothing has changed yet for a
 * later start; snapfile_discard is still possible), then give it its name. */
int snapfile_finish(struct snapfile *s, uint64_t digest, struct err *err);
int snapfile_name(struct snapfile *s, int64_t *ret_bytes, struct err *err);
void snapfile_discard(struct snapfile *s); /* removes what was written; frees; NULL is fine */

/* ---- reading ---- */

/* What stands behind the first seal. */
struct snap_tail {
    bool has_digest; /* zxid 0 = there, but empty */
    int64_t digest_zxid;
    int32_t digest_version;
    uint64_t digest; /* version 2 */
    bool has_last_zxid;
    int64_t last_zxid;
};

struct snap_sink {
    void *arg;
    /* A snapshot begins: forget what another one may have delivered. */
    int (*begin)(void *arg, int64_t zxid, struct err *err);
    /* Consumes whole items from `chunk` (snapshot_loader_feed): *ret_used bytes; the rest comes
     * again with more behind it. *ret_done after the closing "/". */
    int (*feed)(void *arg, struct slice chunk, size_t *ret_used, bool *ret_done, struct err *err);
    /* The file is whole, to the last seal; what follows are the transactions after it. May be NULL.
     */
    void (*end)(void *arg, const struct snap_tail *tail);
};

/* Reads and verifies one file to the last seal. ERR_CORRUPT, ERR_IO, or what the sink returned. The
 * method is that of the path's ending. */
int snapfile_load(struct files *fs, const char *path, int64_t zxid, const struct snap_sink *sink,
                  struct snap_tail *ret_tail, struct err *err);

/* The quick look ZooKeeper takes: last five bytes, or magic of the compressed forms. */
bool snapfile_looks_valid(struct files *fs, const char *path, enum snap_method method);

#endif
