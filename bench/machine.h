/* machine.h: what the load asks the system: the time, what a process used, more files.
 *
 * fail() is how every bench program gives up: the reason on stderr, exit code 1. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdint.h>
#include <time.h>

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fail_errno(const char *what);

static inline uint64_t clock_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* User and system time of this process. */
double own_cpu_us(void);

/* User and system time, and resident memory, of another process; pid 0 answers 0. */
double process_cpu_us(int pid);
uint64_t process_rss_bytes(int pid);

/* As many open files as the system lets this process have; fails if fewer than needed. */
void raise_file_limit(int needed);

#endif
