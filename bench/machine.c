#include "machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void fail_errno(const char *what)
{
    fail("%s: %s", what, strerror(errno));
}

double own_cpu_us(void)
{
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6 +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

double process_cpu_us(int pid)
{
    if (pid == 0)
        return 0;

    char path[64];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        fail_errno(path);
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';

    /* The name of the program may hold spaces and brackets: count fields from the last ')'. */
    const char *after_name = strrchr(text, ')');
    unsigned long user_ticks;
    unsigned long system_ticks;
    if (after_name == NULL ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user_ticks,
               &system_ticks) != 2)
        fail("%s: not understood", path);
    return (double)(user_ticks + system_ticks) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

/* smaps_rollup walks the page tables; the cheaper counters in status and statm are
 * kept per CPU and may be off by megabytes on a small process. */
uint64_t process_rss_bytes(int pid)
{
    if (pid == 0)
        return 0;

    char path[64];
    char line[256];
    unsigned long rss_kb = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        fail_errno(path);
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Rss: %lu kB", &rss_kb) == 1)
            break;
    }
    fclose(file);
    return (uint64_t)rss_kb * 1024;
}

void raise_file_limit(int needed)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= (rlim_t)needed)
        return;

    struct rlimit wanted = {.rlim_cur = (rlim_t)needed, .rlim_max = limit.rlim_max};
    if (wanted.rlim_max < wanted.rlim_cur)
        wanted.rlim_max = wanted.rlim_cur; /* allowed to root */
    if (setrlimit(RLIMIT_NOFILE, &wanted) != 0)
        fail("needs %d open files, the limit is %lu (ulimit -n)", needed,
             (unsigned long)limit.rlim_max);
}
