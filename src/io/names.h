/* names.h: the names ZooKeeper gives to its files (Util.java), and what else lies beside them.
 *
 *   log.<zxid>                    zxid of its first txn, lower-case hex, no padding
 *   snapshot.<zxid>[.gz|.snappy]  last zxid it contains
 *   caucus.synced, caucus.tmp, caucus.install   ours; ZooKeeper looks at "log." and "snapshot."
 * names only
 */
#ifndef CAUCUS_IO_NAMES_H
#define CAUCUS_IO_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/file.h"

enum {
    NAME_BYTES_MAX = 64
};

#define NAME_VERSION_DIR  "version-2" /* in dataDir and dataLogDir */
#define NAME_SYNCED       "caucus.synced"
#define NAME_SNAPSHOT_TMP "caucus.tmp"
#define NAME_INSTALL_TMP  "caucus.install" /* of another server */

enum snap_method {
    SNAP_PLAIN,
    SNAP_GZIP,
    SNAP_SNAPPY,
};

void name_log(char ret[NAME_BYTES_MAX], int64_t zxid);
void name_snapshot(char ret[NAME_BYTES_MAX], int64_t zxid, enum snap_method method);

/* False for every name these two do not make (so also for copies such as "log.5.bak"). */
bool name_is_log(const char *name, int64_t *ret_zxid);
bool name_is_snapshot(const char *name, int64_t *ret_zxid, enum snap_method *ret_method);

/* What a directory holds of one kind. */
struct name_entry {
    int64_t zxid;
    enum snap_method method; /* snapshots */
};

struct name_list {
    struct name_entry *entries; /* ascending */
    size_t count;
};

/* Fill `ret` (free it with name_list_deinit). A directory that is not there is ERR_NOTFOUND. */
int name_list_logs(struct files *fs, const char *dir, struct name_list *ret, struct err *err);
int name_list_snapshots(struct files *fs, const char *dir, struct name_list *ret, struct err *err);
void name_list_deinit(struct name_list *l);

#endif
