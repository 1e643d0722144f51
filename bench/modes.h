/* modes.h: what the load generator can do. Each mode opens its own sessions, works, closes
 * them, and prints one JSON object on one line; each fails loudly on a wrong answer. */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum load_kind {
    LOAD_WRITE,
    LOAD_READ,
    LOAD_MIXED,
    LOAD_CREATE
};

struct options {
    struct sockaddr_in server;
    int server_pid; /* whose CPU and memory to report; 0: nobody's */
    int session_timeout_ms;

    int connections;
    int in_flight; /* per connection */
    double warmup_s;
    double seconds;
    uint64_t count; /* instead of seconds: stop after so many operations */
    uint32_t keys;
    uint32_t parents;
    uint32_t data_bytes;
    bool setup; /* create the keys that are read and written, if they are absent */

    int window; /* sessions being opened at once */
    int rounds;
    double hold_s;
    const char *path;
};

/* Requests on `connections` sessions, `in_flight` on each at any time, until the time is
 * over or the count is reached. Throughput, latency, CPU per operation. */
void mode_load(const struct options *opts, enum load_kind kind);

/* Opens `connections` sessions and holds them idle for hold_s. Rate, memory. */
void mode_sessions(const struct options *opts);

/* `connections` sessions watch one znode, which is then changed; `rounds` times. The time
 * until all of them have been told. */
void mode_watch(const struct options *opts);

/* Tries until a server answers a read of `path`; prints when (CLOCK_MONOTONIC), so that
 * whoever started the server can tell how long it took. */
void mode_first_answer(const struct options *opts);

#endif
