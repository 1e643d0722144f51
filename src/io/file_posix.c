/* file_posix.c: the system's calls as they are; a call interrupted by a signal is made again. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"

#define RETRY(result, call)                                                                        \
    do                                                                                             \
        (result) = (call);                                                                         \
    while ((result) < 0 && errno == EINTR)

static int posix_open(struct files *fs, const char *path, unsigned flags)
{
    (void)fs;
    int mode = (flags & FILE_WRITE) == 0 ? O_RDONLY : (flags & FILE_READ) ? O_RDWR : O_WRONLY;
    if (flags & FILE_CREATE)
        mode |= O_CREAT;
    if (flags & FILE_NEW)
        mode |= O_EXCL;
    if (flags & FILE_EMPTY)
        mode |= O_TRUNC;
    if (flags & FILE_DIRECT)
        mode |= O_DIRECT;

    int fd;
    RETRY(fd, open(path, mode | O_CLOEXEC, flags & FILE_PRIVATE ? 0600 : 0644));
    return fd < 0 ? -errno : fd;
}

static void posix_close(struct files *fs, int fd)
{
    (void)fs;
    close(fd);
}

static int64_t posix_read(struct files *fs, int fd, void *ret, size_t len, int64_t at)
{
    (void)fs;
    ssize_t n;
    RETRY(n, pread(fd, ret, len, at));
    return n < 0 ? -errno : n;
}

static int64_t posix_write(struct files *fs, int fd, const struct iovec *parts, int count,
                           int64_t at)
{
    (void)fs;
    ssize_t n;
    RETRY(n, pwritev(fd, parts, count, at));
    return n < 0 ? -errno : n;
}

static int posix_sync(struct files *fs, int fd)
{
    (void)fs;
    /* Not repeated after EINTR: a second fdatasync may say yes to pages the first one dropped. */
    return fdatasync(fd) < 0 ? -errno : 0;
}

static void posix_write_soon(struct files *fs, int fd, int64_t at, int64_t len)
{
    (void)fs;
    /* Not with the flags that wait: these would take the errors that the sync is to see. */
    (void)sync_file_range(fd, at, len, SYNC_FILE_RANGE_WRITE);
}

static int posix_sync_dir(struct files *fs, const char *path)
{
    (void)fs;
    int fd;
    RETRY(fd, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0)
        return -errno;
    int rc = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static int posix_resize(struct files *fs, int fd, int64_t size)
{
    (void)fs;
    int rc;
    RETRY(rc, ftruncate(fd, size));
    return rc < 0 ? -errno : 0;
}

static void stat_convert(const struct stat *st, struct file_stat *ret)
{
    *ret = (struct file_stat){
        .size = st->st_size,
        .allocated = (int64_t)st->st_blocks * 512,
        .inode = st->st_ino,
        .changed_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000,
        .is_dir = S_ISDIR(st->st_mode),
    };
}

static int posix_stat(struct files *fs, const char *path, struct file_stat *ret)
{
    (void)fs;
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    stat_convert(&st, ret);
    return 0;
}

static int posix_stat_fd(struct files *fs, int fd, struct file_stat *ret)
{
    (void)fs;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    stat_convert(&st, ret);
    return 0;
}

static int64_t posix_next_data(struct files *fs, int fd, int64_t at)
{
    struct file_stat st = {0};
    int rc = posix_stat_fd(fs, fd, &st);
    if (rc < 0)
        return rc;
    if (at >= st.size)
        return st.size;

    off_t data = lseek(fd, at, SEEK_DATA);
    if (data >= 0)
        return data;
    /* ENXIO: a hole up to the end. A file system that knows no holes: everything is data. */
    return errno == ENXIO ? st.size : at;
}

static int posix_rename(struct files *fs, const char *from, const char *to)
{
    (void)fs;
    return rename(from, to) < 0 ? -errno : 0;
}

static int posix_unlink(struct files *fs, const char *path)
{
    (void)fs;
    return unlink(path) < 0 ? -errno : 0;
}

static int posix_mkdir(struct files *fs, const char *path)
{
    (void)fs;
    return mkdir(path, 0755) < 0 ? -errno : 0;
}

static int posix_list(struct files *fs, const char *path, file_visit *visit, void *arg)
{
    (void)fs;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return -errno;

    bool go_on = true;
    struct dirent *entry;
    errno = 0;
    while (go_on && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            go_on = visit(arg, entry->d_name);
        errno = 0;
    }
    int rc = go_on ? -errno : 0;
    closedir(dir);
    return rc;
}

struct files *files_posix(void)
{
    static struct files posix = {
        .open = posix_open,
        .close = posix_close,
        .read = posix_read,
        .write = posix_write,
        .sync = posix_sync,
        .write_soon = posix_write_soon,
        .sync_dir = posix_sync_dir,
        .resize = posix_resize,
        .stat = posix_stat,
        .stat_fd = posix_stat_fd,
        .next_data = posix_next_data,
        .rename = posix_rename,
        .unlink = posix_unlink,
        .mkdir = posix_mkdir,
        .list = posix_list,
    };
    return &posix;
}
