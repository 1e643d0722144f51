/* purge.h: removes snapshots nobody needs and logs no kept snapshot needs (PurgeTxnLog). */
#ifndef CAUCUS_IO_PURGE_H
#define CAUCUS_IO_PURGE_H

#include "io/file.h"

enum {
    PURGE_KEEP_MIN = 3
};

struct purge_result {
    unsigned snapshots_removed, logs_removed;
    unsigned failed; /* files that could not be removed */
};

/* Keeps the newest `keep` valid-looking snapshots (ERR_INVALID if < 3), every log from the last one
 * that begins at or before the oldest of them on, and everything younger. The dirs are dataDir and
 * dataLogDir. Safe while the server runs; from any thread. */
int purge(struct files *fs, const char *snap_dir, const char *log_dir, unsigned keep,
          struct purge_result *ret, struct err *err);

#endif
