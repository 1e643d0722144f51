/* clock_shim.c: a wall clock that jumps, while the steady one goes on.
 *
 * Loaded with LD_PRELOAD. The file named by CLOCK_SHIM_CONTROL, which the test has mapped as well
 * (tests/lib/clock.py), holds by how many nanoseconds CLOCK_REALTIME is off. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t *offset_ns;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void attach(void)
{
    real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("CLOCK_SHIM_CONTROL");
    if (path == NULL)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *memory = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        perror("CLOCK_SHIM_CONTROL");
        abort();
    }
    close(fd);
    offset_ns = memory;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    if (real_clock_gettime == NULL) /* a constructor before ours */
        real_clock_gettime =
            (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real_clock_gettime(clock, ret);
    if (rc == 0 && offset_ns != NULL &&
        (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = (int64_t)ret->tv_sec * 1000000000 + ret->tv_nsec + atomic_load(offset_ns);
        ret->tv_sec = (time_t)(ns / 1000000000);
        ret->tv_nsec = (long)(ns % 1000000000);
    }
    return rc;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    int rc = clock_gettime(CLOCK_REALTIME, &now);
    ret->tv_sec = now.tv_sec;
    ret->tv_usec = now.tv_nsec / 1000;
    return rc;
}

time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret != NULL)
        *ret = now.tv_sec;
    return now.tv_sec;
}
