/* rewind.h: takes the files back to an earlier zxid (FileTxnSnapLog.truncateLog,
 * FileTxnLog.truncate), or to another server's state: what a leader may order.
 *
 * Nobody else may write to the files meanwhile: no log open, no snapshot under way, no purge.
 * Power may fail at any point: the files then hold a state between the old one and the new one, a
 * prefix of the old history, which a server may stand for, since what is taken away was committed
 * by nobody. So snapshots go before the log, the log from its end, each step durable before the
 * next; a log with a hole in it never exists.
 *
 * Directories are .../version-2. Errors: ERR_NOTFOUND = the files do not reach back to that zxid,
 * and nothing was changed; ERR_CORRUPT likewise; others: try no further. */
#ifndef CAUCUS_IO_REWIND_H
#define CAUCUS_IO_REWIND_H

#include "io/snapfile.h"

struct rewind_result {
    unsigned snapshots_removed, logs_removed;
    int64_t cut_zxid, cut_bytes; /* the log file that was cut; -1 = none */
};

/* Everything behind `zxid` goes. */
int rewind_to(struct files *fs, const char *snap_dir, const char *log_dir, int64_t zxid,
              struct rewind_result *ret, struct err *err);

/* A finished snapshot (snapfile_finish) of another server takes the place of what is behind it: the
 * log behind its zxid goes, it gets its name, newer snapshots go. Frees `snapshot` in any case. */
int rewind_install(struct files *fs, const char *snap_dir, const char *log_dir, int64_t zxid,
                   struct snapfile *snapshot, struct rewind_result *ret, struct err *err);

#endif
