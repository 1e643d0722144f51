/* fsync.c: what one durable small append costs on this disk, by how the file was
 * prepared and how the bytes are pushed down.
 *
 * The number bounds every write a coordination server acknowledges: with one client
 * and one request in flight, latency cannot be below one line of this table. A
 * transaction log appends, so each case appends N bytes at a moving offset to a file
 * that was prepared in one of six ways, and makes them durable in one of several.
 *
 *   grow       nothing prepared: every append changes the file's size
 *   sparse     as ZooKeeper does: one byte written at the end, a hole before it
 *   fallocate  posix_fallocate: blocks are reserved, but marked unwritten
 *   zeros      zeros really written and synced before: an append changes only data
 *   reused     a file full of old bytes, synced before (a recycled log)
 *   ahead      as sparse, and whenever the appends reach the last zeros, another
 *              --ahead bytes of zeros are written; the same sync makes them durable
 *
 * The cases are interleaved over several rounds, because a shared machine is noisy;
 * the median of the rounds is reported. One thread, no dependency beyond libc. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    FILE_BYTES = 64 * 1024 * 1024, /* ZooKeeper's default preallocation step */
    BLOCK_BYTES = 4096,            /* alignment that O_DIRECT wants */
    APPEND_BYTES_MAX = 256 * 1024,
    AHEAD_BYTES_MAX = 16 * 1024 * 1024,
    ROUNDS_MAX = 15,
    SAMPLES_MAX = 200000,
};

enum prepare {
    GROW,
    SPARSE,
    FALLOCATE,
    ZEROS,
    REUSED,
    AHEAD
};
enum push {
    PWRITE_FDATASYNC,
    PWRITE_FSYNC,
    PWRITE_ODSYNC,
    PWRITE_RWF_DSYNC,
    DIRECT_FDATASYNC,
    DIRECT_ODSYNC,
};

static const char *const prepare_names[] = {"grow",  "sparse", "fallocate",
                                            "zeros", "reused", "ahead"};
static const char *const push_names[] = {"pwrite+fdatasync",   "pwrite+fsync",
                                         "pwrite O_DSYNC",     "pwritev2 DSYNC",
                                         "O_DIRECT+fdatasync", "O_DIRECT|O_DSYNC"};

struct bench_case {
    enum prepare prepare;
    enum push push;
};

static const struct bench_case cases[] = {
    {GROW, PWRITE_FDATASYNC},   {SPARSE, PWRITE_FDATASYNC},    {FALLOCATE, PWRITE_FDATASYNC},
    {ZEROS, PWRITE_FDATASYNC},  {REUSED, PWRITE_FDATASYNC},    {SPARSE, PWRITE_ODSYNC},
    {ZEROS, PWRITE_ODSYNC},     {ZEROS, PWRITE_RWF_DSYNC},     {ZEROS, PWRITE_FSYNC},
    {SPARSE, DIRECT_FDATASYNC}, {FALLOCATE, DIRECT_FDATASYNC}, {ZEROS, DIRECT_FDATASYNC},
    {FALLOCATE, DIRECT_ODSYNC}, {ZEROS, DIRECT_ODSYNC},        {REUSED, DIRECT_ODSYNC},
    {AHEAD, PWRITE_FDATASYNC},
};
enum {
    CASE_COUNT = sizeof cases / sizeof cases[0]
};

struct round_result {
    double syncs_per_s;
    double p50_us;
    double p99_us;
    double max_us;
    double cpu_us;     /* user + system time of this thread per append */
    double prepare_ms; /* what preparing 64 MiB cost */
};

static uint8_t *staging; /* aligned: the bytes to append; for O_DIRECT also the open tail block */
static uint8_t zeros[AHEAD_BYTES_MAX];
static size_t ahead_bytes = 1024 * 1024;
static uint32_t samples_ns[SAMPLES_MAX];

static void die(const char *what)
{
    fprintf(stderr, "bench_fsync: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t clock_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static double cpu_us_of_self(void)
{
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6 +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void write_whole_file(int fd, int byte)
{
    static uint8_t chunk[1024 * 1024];
    memset(chunk, byte, sizeof chunk);
    for (off_t at = 0; at < FILE_BYTES; at += (off_t)sizeof chunk) {
        if (pwrite(fd, chunk, sizeof chunk, at) != (ssize_t)sizeof chunk)
            die("fill file");
    }
}

static void prepare_file(int fd, enum prepare prepare)
{
    switch (prepare) {
    case GROW:
        break;
    case SPARSE:
    case AHEAD:
        if (pwrite(fd, "", 1, FILE_BYTES - 1) != 1)
            die("write last byte");
        break;
    case FALLOCATE:
        if ((errno = posix_fallocate(fd, 0, FILE_BYTES)) != 0)
            die("posix_fallocate");
        break;
    case ZEROS:
        write_whole_file(fd, 0);
        break;
    case REUSED:
        write_whole_file(fd, 'x');
        break;
    }
    if (fsync(fd) != 0)
        die("fsync prepared file");
}

static int open_flags_of(enum push push)
{
    switch (push) {
    case PWRITE_FDATASYNC:
    case PWRITE_FSYNC:
    case PWRITE_RWF_DSYNC:
        return 0;
    case PWRITE_ODSYNC:
        return O_DSYNC;
    case DIRECT_FDATASYNC:
        return O_DIRECT;
    case DIRECT_ODSYNC:
        return O_DIRECT | O_DSYNC;
    }
    return 0;
}

static bool is_direct(enum push push)
{
    return push == DIRECT_FDATASYNC || push == DIRECT_ODSYNC;
}

static off_t write_zeros(int fd, off_t at)
{
    off_t room = FILE_BYTES - at;
    size_t bytes = (off_t)ahead_bytes < room ? ahead_bytes : (size_t)room;
    if (pwrite(fd, zeros, bytes, at) != (ssize_t)bytes)
        die("write zeros ahead");
    return (off_t)bytes;
}

static void append_durably(int fd, enum push push, off_t at, size_t bytes)
{
    if (is_direct(push)) {
        /* O_DIRECT moves whole blocks: the tail block is kept in memory and written
         * again until it is full, as a log writer would have to. */
        off_t first = at / BLOCK_BYTES * BLOCK_BYTES;
        off_t end = (at + (off_t)bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
        if (pwrite(fd, staging, (size_t)(end - first), first) != end - first)
            die("pwrite O_DIRECT");
    } else if (push == PWRITE_RWF_DSYNC) {
        struct iovec iov = {staging, bytes};
        if (pwritev2(fd, &iov, 1, at, RWF_DSYNC) != (ssize_t)bytes)
            die("pwritev2");
    } else if (pwrite(fd, staging, bytes, at) != (ssize_t)bytes) {
        die("pwrite");
    }

    if ((push == PWRITE_FDATASYNC || push == DIRECT_FDATASYNC) && fdatasync(fd) != 0)
        die("fdatasync");
    if (push == PWRITE_FSYNC && fsync(fd) != 0)
        die("fsync");
}

static struct round_result run_round(const char *dir, struct bench_case c, size_t bytes,
                                     double seconds)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/bench_fsync.tmp", dir);
    unlink(path);

    struct round_result result = {0};
    uint64_t prepare_from = clock_ns();
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        die(path);
    prepare_file(fd, c.prepare);
    result.prepare_ms = (double)(clock_ns() - prepare_from) / 1e6;
    close(fd);

    fd = open(path, O_RDWR | O_CLOEXEC | open_flags_of(c.push));
    if (fd < 0)
        die(path);

    size_t count = 0;
    off_t at = 0;
    off_t zeroed_to = 0;
    double cpu_from = cpu_us_of_self();
    uint64_t from = clock_ns();
    uint64_t now = from;
    uint64_t deadline = from + (uint64_t)(seconds * 1e9);
    while (now < deadline && count < SAMPLES_MAX && at + (off_t)bytes + BLOCK_BYTES <= FILE_BYTES) {
        while (c.prepare == AHEAD && at + (off_t)bytes > zeroed_to)
            zeroed_to += write_zeros(fd, zeroed_to);
        append_durably(fd, c.push, at, bytes);
        at += (off_t)bytes;
        uint64_t done = clock_ns();
        samples_ns[count++] = (uint32_t)(done - now);
        now = done;
    }
    double elapsed_s = (double)(now - from) / 1e9;
    result.cpu_us = (cpu_us_of_self() - cpu_from) / (double)count;
    close(fd);
    unlink(path);

    qsort(samples_ns, count, sizeof samples_ns[0], compare_u32);
    result.syncs_per_s = (double)count / elapsed_s;
    result.p50_us = samples_ns[count / 2] / 1e3;
    result.p99_us = samples_ns[count * 99 / 100] / 1e3;
    result.max_us = samples_ns[count - 1] / 1e3;
    return result;
}

static double median_of(const struct round_result *rounds, int count, size_t field_at)
{
    double values[ROUNDS_MAX];
    for (int i = 0; i < count; i++)
        memcpy(&values[i], (const char *)&rounds[i] + field_at, sizeof values[i]);
    qsort(values, (size_t)count, sizeof values[0], compare_double);
    return values[count / 2];
}
#define MEDIAN(rounds, count, field) median_of(rounds, count, offsetof(struct round_result, field))

static void usage(void)
{
    fputs("usage: bench_fsync [--dir DIR] [--bytes N] [--seconds S] [--rounds N] [--ahead BYTES] "
          "[--json]\n"
          "  --dir      folder on the disk to measure (.)\n"
          "  --bytes    bytes of one append (200: a small transaction with its header)\n"
          "  --seconds  length of one case in one round (0.4)\n"
          "  --rounds   rounds over all cases; medians are shown (5)\n"
          "  --ahead    zeros written at once by the case 'ahead' (1048576)\n",
          stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    const char *dir = ".";
    size_t bytes = 200;
    double seconds = 0.4;
    int round_count = 5;
    bool json = false;

    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (strcmp(argv[i], "--dir") == 0 && has_value)
            dir = argv[++i];
        else if (strcmp(argv[i], "--bytes") == 0 && has_value)
            bytes = (size_t)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && has_value)
            seconds = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--rounds") == 0 && has_value)
            round_count = atoi(argv[++i]);
        else if (strcmp(argv[i], "--ahead") == 0 && has_value)
            ahead_bytes = (size_t)strtoul(argv[++i], NULL, 10);
        else
            usage();
    }
    if (ahead_bytes == 0 || ahead_bytes > AHEAD_BYTES_MAX)
        usage();
    if (bytes == 0 || bytes > APPEND_BYTES_MAX || round_count < 1 || round_count > ROUNDS_MAX ||
        !(seconds > 0))
        usage();

    staging = aligned_alloc(BLOCK_BYTES, APPEND_BYTES_MAX + 2 * BLOCK_BYTES);
    if (staging == NULL)
        die("allocate");
    memset(staging, 'a', APPEND_BYTES_MAX + 2 * BLOCK_BYTES);

    static struct round_result results[CASE_COUNT][ROUNDS_MAX];
    for (int round = 0; round < round_count; round++) {
        for (size_t i = 0; i < CASE_COUNT; i++)
            results[i][round] = run_round(dir, cases[i], bytes, seconds);
    }

    if (!json)
        printf("%zu bytes per append, median of %d rounds\n%-10s %-19s %9s %8s %8s %8s %8s %11s\n",
               bytes, round_count, "file", "how", "syncs/s", "p50 us", "p99 us", "max us", "cpu us",
               "prepare ms");
    for (size_t i = 0; i < CASE_COUNT; i++) {
        const struct round_result *r = results[i];
        double syncs_per_s = MEDIAN(r, round_count, syncs_per_s);
        double p50_us = MEDIAN(r, round_count, p50_us);
        double p99_us = MEDIAN(r, round_count, p99_us);
        double max_us = MEDIAN(r, round_count, max_us);
        double cpu_us = MEDIAN(r, round_count, cpu_us);
        double prepare_ms = MEDIAN(r, round_count, prepare_ms);
        const char *file = prepare_names[cases[i].prepare];
        const char *how = push_names[cases[i].push];
        if (json)
            printf("{\"file\":\"%s\",\"how\":\"%s\",\"bytes\":%zu,\"syncs_per_s\":%.0f,\"p50_us\":%"
                   ".1f,\"p99_us\":%.1f,"
                   "\"max_us\":%.1f,\"cpu_us\":%.1f,\"prepare_ms\":%.1f}\n",
                   file, how, bytes, syncs_per_s, p50_us, p99_us, max_us, cpu_us, prepare_ms);
        else
            printf("%-10s %-19s %9.0f %8.1f %8.1f %8.1f %8.1f %11.1f\n", file, how, syncs_per_s,
                   p50_us, p99_us, max_us, cpu_us, prepare_ms);
    }
    free(staging);
    return 0;
}
