/* bench.h: requests kept in flight on several connections, and how long each took.
 *
 * Each connection is a handle with threads of its own; a slot is one request in flight, which
 * begins the next one in its completion. What a connection counts belongs to its event thread until
 * all slots have ended. */
#ifndef CAUCUS_CLI_BENCH_H
#define CAUCUS_CLI_BENCH_H

#include <stdatomic.h>

#include "base/summary.h"
#include "cli/cli.h"

enum {
    BENCH_PATH_BYTES = 256,
    BENCH_CONNECTIONS_MAX = 1000,
    BENCH_IN_FLIGHT_MAX = 10000,
    BENCH_ALL_IN_FLIGHT_MAX = 100000,
    BENCH_NODES_MAX = 100000,
    BENCH_BYTES_MAX = 1000000,
    BENCH_ALL_BYTES_MAX = 256 << 20, /* of all nodes: they are in the servers' memory */
    BENCH_SECONDS_MAX = 24 * 3600,
};

struct bench_plan {
    int64_t connections, in_flight;
    int64_t nodes, bytes;
    int64_t reads_percent;
    int64_t seconds;
    int64_t count;               /* of requests; -1: until the time is over */
    char path[BENCH_PATH_BYTES]; /* nodes are path/0 ... */
};

struct bench_run;

struct bench_connection {
    struct bench_run *run;
    struct caucus *handle;
    struct bench_slot *slots;
    struct summary reads, writes; /* nanoseconds */
    uint64_t errors;
    int first_error;
};

struct bench_run {
    const struct bench_plan *plan;
    struct bench_connection *connections;
    char *data;          /* that is written */
    atomic_bool stop;    /* no slot begins another request */
    atomic_llong left;   /* requests that may still begin; unused without plan.count */
    atomic_llong done;   /* for the progress */
    atomic_llong active; /* slots */
    int ended_fd;        /* an eventfd: the last slot ended */
    int64_t began_ns, ended_ns;
};

/* Connects all handles. CLI_OK, or a code after having told why. Free it with bench_close either
 * way. */
int bench_open(struct cli *cli, const struct bench_plan *plan, struct bench_run *ret);
/* Until the time is over, the requests are done, or a signal comes; told on stderr meanwhile if
 * that is a terminal. When it returns nothing is in flight. */
void bench_go(struct cli *cli, struct bench_run *run);
void bench_close(struct bench_run *run);

#endif
