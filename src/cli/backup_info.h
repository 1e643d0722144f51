/* backup_info.h: what a backup says of itself.
 *
 * A backup is a folder:
 *
 *   version-2/snapshot.<zxid>   one snapshot, not compressed: a server can begin with it
 *   backup.info                 lines "name value"; written last, so that a backup without it is
 *                               known to be unfinished
 *
 * The check sum is a CRC-32 of the whole file, beside those that every snapshot has inside. */
#ifndef CAUCUS_CLI_BACKUP_INFO_H
#define CAUCUS_CLI_BACKUP_INFO_H

#include "cli/cli.h"
#include "cli/json.h"
#include "datadir/look.h"

#define BACKUP_INFO_NAME "backup.info"
#define BACKUP_INNER_DIR "version-2"

enum {
    BACKUP_SOURCE_BYTES = 256,
    BACKUP_PATH_BYTES = 4096,
};

struct backup_info {
    char snapshot[DATADIR_NAME_MAX]; /* its name in version-2 */
    int64_t bytes;
    uint32_t crc32;
    int64_t zxid;
    uint64_t digest;
    bool verified; /* a digest that the server had recorded is that of the tree */
    uint64_t nodes, sessions;
    int64_t taken_ms;
    char source[BACKUP_SOURCE_BYTES];
};

/* Length and check sum of a file; false: it cannot be read, errno says why. */
bool backup_sum(const char *path, int64_t *ret_bytes, uint32_t *ret_crc32);

/* Names made or moved in a folder, or the folder's own, are durable when these return true. */
bool folder_sync(const char *dir);
bool folder_sync_above(const char *dir);

/* Durable when it returns true; false: errno. */
bool backup_info_write(const char *dir, const struct backup_info *info);
/* CLI_OK, or a code after having told what is wrong with it. */
int backup_info_read(struct cli *cli, const char *dir, struct backup_info *ret);

void backup_info_json(struct json *j, const struct backup_info *info);

#endif
