/* disk_shim.c: a disk that can be made slow, stuck or broken while a server runs on it.
 *
 * Loaded with LD_PRELOAD. It stands between the server and the calls that write and sync
 * transaction logs (files named log.*, log-* and journal of an election); others are left alone.
 * What it does stands in a small file, named by DISK_SHIM_CONTROL, that the test has mapped as well
 * (tests/lib/disk.py has the other end):
 *
 *   sync_count        syncs that were begun
 *   sync_error_from   the sync with this number, and those after it, fail (0 = none)
 *   sync_error        with this errno
 *   sync_delay_us     each sync takes so much longer
 *   write_count, write_error_from, write_error     the same for writes
 *
 * Who holds an exclusive flock on the control file holds up every sync until the lock is gone. Each
 * call that is made to fail is told by a byte in the pipe DISK_SHIM_EVENTS. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
    _Atomic int64_t sync_count, sync_error_from, sync_error, sync_delay_us;
    _Atomic int64_t write_count, write_error_from, write_error;
};

static struct control *control;
static int control_fd, events_fd = -1;

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("DISK_SHIM_CONTROL");
    if (path == NULL)
        return; /* the shell or wrapper around the server */
    control_fd = open(path, O_RDWR | O_CLOEXEC);
    if (control_fd >= 0)
        control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, control_fd, 0);
    if (control_fd < 0 || control == MAP_FAILED) {
        perror("DISK_SHIM_CONTROL");
        abort();
    }
    events_fd = open(getenv("DISK_SHIM_EVENTS"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

static int is_log(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (control == NULL || len < 0)
        return 0;
    path[len] = 0;
    const char *name = strrchr(path, '/');
    return name != NULL && (strncmp(name, "/log.", 5) == 0 || strncmp(name, "/log-", 5) == 0 ||
                            strcmp(name, "/journal") == 0);
}

/* Counts the call; the errno it shall fail with, or 0. */
static int count(_Atomic int64_t *calls, const _Atomic int64_t *error_from,
                 const _Atomic int64_t *error)
{
    int64_t number = atomic_fetch_add(calls, 1) + 1;
    int64_t from = atomic_load(error_from);
    if (from == 0 || number < from)
        return 0;
    ssize_t told = write(events_fd, "!", 1);
    (void)told;
    return (int)atomic_load(error);
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (real == NULL)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (!is_log(fd))
        return real(fd);

    int error = count(&control->sync_count, &control->sync_error_from, &control->sync_error);
    flock(control_fd, LOCK_SH);
    flock(control_fd, LOCK_UN);
    int64_t delay_us = atomic_load(&control->sync_delay_us);
    struct timespec delay = {delay_us / 1000000, delay_us % 1000000 * 1000};
    if (delay_us > 0)
        nanosleep(&delay, NULL);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return real(fd);
}

ssize_t pwritev(int fd, const struct iovec *parts, int part_count, off_t at)
{
    static ssize_t (*real)(int, const struct iovec *, int, off_t);
    if (real == NULL)
        real = (ssize_t(*)(int, const struct iovec *, int, off_t))dlsym(RTLD_NEXT, "pwritev");
    if (is_log(fd)) {
        int error = count(&control->write_count, &control->write_error_from, &control->write_error);
        if (error != 0) {
            errno = error;
            return -1;
        }
    }
    return real(fd, parts, part_count, at);
}
