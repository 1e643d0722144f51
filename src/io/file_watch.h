/* file_watch.h: tells when files change whose content was read once (ZooKeeper: FileChangeWatcher).
 *
 * Their folders are watched, since whoever replaces a file makes another one and renames it; the
 * folders where links lead as well. Whether a file is another one than before is seen from its
 * inode, size and times. Changes that come together are told together, QUIET_MS after the first of
 * them. File systems that tell nobody of changes (NFS) are beyond it. */
#ifndef CAUCUS_IO_FILE_WATCH_H
#define CAUCUS_IO_FILE_WATCH_H

#include "base/err.h"
#include "io/loop.h"

enum {
    FILE_WATCH_QUIET_MS = 100,
};

struct file_watch;

struct file_watch_options {
    const char *const *paths; /* copied */
    size_t count;
    void (*on_change)(void *arg); /* from the loop: one of them is not what it was */
    /* From the loop: a file's folder cannot be watched any more; its changes are not told until one
     * of another folder is. */
    void (*on_lost)(void *arg, const char *path, const char *reason);
    void *arg;
};

/* A change that comes after it is told, so the files are to be read after it. ERR_IO: a folder
 * cannot be watched (it does not exist, or the system's limit of watches is reached). */
int file_watch_open(struct loop *l, const struct file_watch_options *o, struct file_watch **ret,
                    struct err *err);
/* Nothing is told after it; the rest is freed when the loop ends. NULL is fine. */
void file_watch_close(struct file_watch *w);

#endif
