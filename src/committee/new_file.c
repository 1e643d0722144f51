#include "committee/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "canvass/files.h"

static int failed(const char *path, struct err *err)
{
    return err_set(err, errno == EEXIST ? ERR_INVALID : ERR_IO, "'%s': %s", path, strerror(errno));
}

/* Opens the folder of `path`, and does `what` (fsync, a lock) with it. The fd, or an error. */
static int with_folder(const char *path, int (*what)(int fd), struct err *err)
{
    char copy[CANVASS_PATH_BYTES_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && what(fd) == 0)
        return fd;
    int rc = failed(folder, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* The name as well. */
static int sync_folder(const char *path, struct err *err)
{
    int fd = with_folder(path, fsync, err);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

/* A file system without locks is written to without one. */
static int lock(int fd)
{
    int rc;
    do
        rc = flock(fd, LOCK_EX);
    while (rc < 0 && errno == EINTR);
    return rc < 0 && errno != ENOLCK && errno != ENOTSUP ? -1 : 0;
}

int new_file_lock(const char *path, struct err *err)
{
    if (strlen(path) >= CANVASS_PATH_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the name of a file is too long");
    return with_folder(path, lock, err);
}

static int write_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes = slice_from(bytes, (size_t)n);
    }
    return fsync(fd);
}

int new_file_write(const char *path, mode_t mode, struct slice bytes, struct err *err)
{
    if (strlen(path) >= CANVASS_PATH_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the name of a file is too long");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return failed(path, err);
    int rc = write_all(fd, bytes) == 0 ? 0 : failed(path, err);
    if (close(fd) != 0 && rc == 0)
        rc = failed(path, err);
    if (rc == 0)
        rc = sync_folder(path, err);
    if (rc < 0)
        unlink(path);
    return rc;
}

int new_file_replace(const char *path, struct slice bytes, struct err *err)
{
    char made[CANVASS_PATH_BYTES_MAX + 8];
    snprintf(made, sizeof made, "%s.new", path);
    int rc = new_file_write(made, 0644, bytes, err);
    if (rc < 0)
        return rc;
    if (rename(made, path) == 0)
        return sync_folder(path, err);
    rc = failed(path, err);
    unlink(made);
    return rc;
}
