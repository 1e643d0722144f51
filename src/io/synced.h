/* synced.h: the side file caucus.synced: how far a log file is known to be durable.
 *
 * A lower bound: written after a sync came back, never synced itself. After a crash of the process
 * it is exact; after a power loss it is old, or gone. A bad record below the bound is damage, one
 * behind it may be a torn tail. It speaks of one file, recognised by zxid, inode and the checksum
 * of its first record; if these do not fit (a restored copy, a file ZooKeeper wrote anew) it says
 * nothing. */
#ifndef CAUCUS_IO_SYNCED_H
#define CAUCUS_IO_SYNCED_H

#include "io/file.h"

struct synced {
    int64_t file_zxid;
    int64_t offset; /* all bytes before it are durable */
    uint64_t inode;
    uint64_t first_checksum; /* the 8 bytes behind the file's header */
};

/* False if there is none that can be believed. */
bool synced_read(struct files *fs, const char *dir, struct synced *ret);

/* An fd for synced_write, or -errno. */
int synced_open(struct files *fs, const char *dir);
int synced_write(struct files *fs, int fd, const struct synced *s); /* in place; 0 or -errno */

#endif
