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

enum {
    SERVERS_MAX = 7
};

struct options {
    struct sockaddr_in servers[SERVERS_MAX]; /* of one ensemble; sessions take them in turn */
    int server_count;
    int server_pids[SERVERS_MAX]; /* whose CPU and memory to report: the sum */
    int server_pid_count;
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

    int struck; /* which of the servers is signalled, as an index; -1: none */
    int signal;
    int64_t zxid;
};

/* CPU time and resident memory of all the servers' processes together; 0 without pids. */
double servers_cpu_us(const struct options *opts);
uint64_t servers_rss_bytes(const struct options *opts);

/* Requests on `connections` sessions, `in_flight` on each at any time, until the time is
 * over or the count is reached; SIGTERM ends the time early. Throughput, latency, CPU per
 * operation. */
void mode_load(const struct options *opts, enum load_kind kind);

/* Opens `connections` sessions and holds them idle for hold_s. Rate, memory. */
void mode_sessions(const struct options *opts);

/* `connections` sessions watch one znode, which is then changed; `rounds` times. The time
 * until all of them have been told. */
void mode_watch(const struct options *opts);

/* Tries until a server answers a read of `path`; prints when (CLOCK_MONOTONIC), so that
 * whoever started the server can tell how long it took. */
void mode_first_answer(const struct options *opts);

/* Asks a server for `srvr` until it serves and has processed `zxid`; prints when, and which
 * part it plays in its ensemble. */
void mode_caught_up(const struct options *opts);

/* `connections` sessions, spread over the servers, keep one write in flight each; after
 * warmup_s the server `struck` gets `signal`. Sessions that are cut go to the next server at
 * once. The longest time without any acknowledged write, from there until all are served
 * again or for `seconds`. Then: that every acknowledged write is still there. */
void mode_gap(const struct options *opts);

#endif
