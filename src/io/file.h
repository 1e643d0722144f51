/* file.h: the system's file calls, behind a seam.
 *
 * Log, snapshot and recovery reach the disk only through a struct files, so that the same code runs
 * on the real system (files_posix) and on a disk in memory that loses power
 * (tests/lib/crash_disk.h).
 *
 * Calls block; each fd is used by one thread at a time, different fds and paths by any thread.
 * Errors are -errno, as the system gives them; file_error turns one into an ERR_ code with its
 * text. */
#ifndef CAUCUS_IO_FILE_H
#define CAUCUS_IO_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/slice.h"

enum {
    FILE_PATH_MAX = 4096
};

enum file_flags {
    FILE_READ = 1,
    FILE_WRITE = 2,    /* with FILE_READ or alone */
    FILE_CREATE = 4,   /* made if it is not there */
    FILE_NEW = 8,      /* with FILE_CREATE: -EEXIST if it is there */
    FILE_EMPTY = 16,   /* cut to nothing */
    FILE_PRIVATE = 32, /* with FILE_CREATE: for the process' user alone */
    FILE_DIRECT = 64, /* past the system's cache, in whole blocks of FILE_BLOCK_BYTES that lie so in
                         memory and in the file; -EINVAL where there is no such thing */
};

enum {
    FILE_BLOCK_BYTES = 4096,
};

struct file_stat {
    int64_t size;
    uint64_t inode;
    int64_t allocated;  /* bytes that take space, holes not counted; 0 = not known */
    int64_t changed_ms; /* wall clock of the last write */
    bool is_dir;
};

/* Called for each name of a directory, in no order; stops when it returns false. */
typedef bool file_visit(void *arg, const char *name);

struct files {
    int (*open)(struct files *fs, const char *path, unsigned flags); /* an fd >= 0, or -errno */
    void (*close)(struct files *fs, int fd);
    int64_t (*read)(struct files *fs, int fd, void *ret, size_t len, int64_t at); /* 0 = end */
    int64_t (*write)(struct files *fs, int fd, const struct iovec *parts, int count, int64_t at);
    int (*sync)(struct files *fs, int fd); /* bytes and size are durable; not the name */
    /* Promises nothing: these bytes may go to the disk now, so that a later sync, which also tells
     * what went wrong with them, has less to do. */
    void (*write_soon)(struct files *fs, int fd, int64_t at, int64_t len);
    int (*sync_dir)(struct files *fs,
                    const char *path); /* names made, moved, removed are durable */
    int (*resize)(struct files *fs, int fd, int64_t size); /* grows with zeros that take no space */
    int (*stat)(struct files *fs, const char *path, struct file_stat *ret);
    int (*stat_fd)(struct files *fs, int fd, struct file_stat *ret);
    int64_t (*next_data)(struct files *fs, int fd,
                         int64_t at); /* zeros until there; the size at the end */
    int (*rename)(struct files *fs, const char *from, const char *to);
    int (*unlink)(struct files *fs, const char *path);
    int (*mkdir)(struct files *fs, const char *path);
    int (*list)(struct files *fs, const char *path, file_visit *visit, void *arg);
};

/* The real system. One constant object; never freed. */
struct files *files_posix(void);

/* "dir/name" in `ret`; ERR_TOOBIG if it does not fit. */
int file_path(char ret[FILE_PATH_MAX], const char *dir, const char *name, struct err *err);

/* -errno to ERR_NOSPACE, ERR_NOTFOUND or ERR_IO, saying "<what> '<path>': <system's text>". */
int file_error(struct err *err, int rc, const char *what, const char *path);

/* Reads until `len` bytes or the end. The count, or -errno. */
int64_t file_read_full(struct files *fs, int fd, void *ret, size_t len, int64_t at);

/* Writes everything. 0 or -errno; on an error any prefix may have been written. */
int file_write_full(struct files *fs, int fd, const struct iovec *parts, int count, int64_t at);

/* The whole content of dir/name becomes `text`: name.tmp, sync, rename, sync the directory. Durable
 * when it returns 0; otherwise the old content is there (or, if only the last sync failed, either).
 */
int file_replace(struct files *fs, const char *dir, const char *name, struct slice text,
                 struct err *err);
/* Removes a file; one that is not there is fine. Durable when it returns 0. */
int file_remove(struct files *fs, const char *dir, const char *name, struct err *err);

#endif
