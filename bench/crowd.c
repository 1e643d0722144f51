/* crowd.c: many sessions that do nothing, or wait for one znode. */
#include "conn.h"
#include "hist.h"
#include "modes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 4096,
    CONN_BYTES = 512, /* a watch event with a short path and a reply fit many times */
    SILENCE_S_MAX = 60,
    ROUNDS_MAX = 100,
};

static struct epoll_event events[EVENTS_MAX];

static void open_crowd(struct fleet *f, const struct options *opts, int count)
{
    struct fleet_options fleet = {
        .servers = opts->servers,
        .server_count = opts->server_count,
        .count = count,
        .window = opts->window,
        .timeout_ms = opts->session_timeout_ms,
        .in_bytes = CONN_BYTES,
        .out_bytes = CONN_BYTES,
        .edges = true,
    };
    conn_fleet_open(f, &fleet);
}

/* ---- sessions ---- */

/* Nobody pings: the sessions were given a timeout that outlasts the hold. Anything the
 * server says in this time is wrong. */
static void hold(struct fleet *f, double seconds)
{
    for (int i = 0; i < f->count; i++) {
        if (f->conns[i].timeout_ms < seconds * 1e3)
            fail("the server gave %d ms of session timeout, idle for %.1f s would expire it",
                 f->conns[i].timeout_ms, seconds);
    }
    uint64_t until_ns = clock_now_ns() + (uint64_t)(seconds * 1e9);
    while (clock_now_ns() < until_ns) {
        int got = conn_fleet_wait(f, events, EVENTS_MAX);
        for (int i = 0; i < got; i++) {
            conn_receive(events[i].data.ptr);
            fail("an idle session was sent something");
        }
    }
}

void mode_sessions(const struct options *opts)
{
    uint64_t rss_before = servers_rss_bytes(opts);
    double server_us = servers_cpu_us(opts);
    uint64_t from_ns = clock_now_ns();
    struct fleet f;
    open_crowd(&f, opts, opts->connections);
    double seconds = (double)(clock_now_ns() - from_ns) / 1e9;
    server_us = servers_cpu_us(opts) - server_us;

    hold(&f, opts->hold_s);
    uint64_t rss_after = servers_rss_bytes(opts);

    printf("{\"mode\":\"sessions\",\"connections\":%d,\"window\":%d,\"seconds\":%.3f,"
           "\"sessions_per_s\":%.0f,\"server_cpu_us_per_session\":%.1f,"
           "\"server_rss_before_bytes\":%" PRIu64 ",\"server_rss_after_bytes\":%" PRIu64 "}\n",
           opts->connections, opts->window, seconds, opts->connections / seconds,
           server_us / opts->connections, rss_before, rss_after);
    fflush(stdout);
    conn_fleet_close(&f);
}

/* ---- watch ---- */

struct watch_run {
    struct fleet watchers;
    struct fleet writer;
    const char *path;
};

static void prepare_znode(struct watch_run *w)
{
    uint8_t body[CONN_BYTES];
    const uint8_t *record;
    uint32_t length;
    uint8_t *end = put_create_request(body, w->path, "x", 1);
    int32_t err = conn_call(&w->writer, &w->writer.conns[0], OP_CREATE, body,
                            (uint32_t)(end - body), &record, &length);
    if (err != ZK_OK && err != ZK_NODEEXISTS)
        fail("create %s: error %d", w->path, err);
}

static void ask_for_watch(struct watch_run *w, struct conn *c)
{
    uint8_t *frame = conn_reserve(c, CONN_BYTES / 2);
    uint8_t *at = put_i32(frame + LENGTH_BYTES, c->xid_next++);
    at = put_i32(at, OP_GET_DATA);
    at = put_get_request(at, w->path, true);
    put_i32(frame, (int32_t)(at - frame) - LENGTH_BYTES);
    conn_commit(c, (uint32_t)(at - frame));
    conn_flush(&w->watchers, c);
}

static void check_event(const struct watch_run *w, const struct conn *c, const uint8_t *frame,
                        uint32_t length)
{
    uint32_t path_bytes = (uint32_t)strlen(w->path);
    const uint8_t *event = frame + REPLY_HEADER_BYTES;
    if (length != REPLY_HEADER_BYTES + 8 + LENGTH_BYTES + path_bytes ||
        get_i32(frame) != XID_NOTIFICATION || get_i32(event) != EVENT_DATA_CHANGED ||
        memcmp(event + 12, w->path, path_bytes) != 0)
        fail("connection %u: not the event that was watched", c->index);
}

/* Takes one frame from each watcher: its reply (wants_event false) or its event. */
static void collect(struct watch_run *w, bool wants_event, uint64_t from_ns, struct hist *hist)
{
    int left = w->watchers.count;
    uint64_t heard_ns = clock_now_ns();
    while (left > 0) {
        int got = conn_fleet_wait(&w->watchers, events, EVENTS_MAX);
        uint64_t now_ns = clock_now_ns();
        for (int i = 0; i < got; i++) {
            struct conn *c = events[i].data.ptr;
            uint32_t cursor = 0;
            uint32_t length = 0;
            conn_receive(c);
            const uint8_t *frame = conn_next_frame(c, &cursor, &length);
            if (frame == NULL)
                continue;
            if (wants_event) {
                check_event(w, c, frame, length);
                hist_add(hist, clock_now_ns() - from_ns);
            } else if (conn_check_reply(c, frame, length) != ZK_OK) {
                fail("connection %u: the watch was refused", c->index);
            }
            conn_consume(c, cursor);
            if (c->in_length > 0)
                fail("connection %u: told more than once", c->index);
            left--;
        }
        if (got > 0)
            heard_ns = now_ns;
        else if (now_ns - heard_ns > SILENCE_S_MAX * 1000000000ull)
            fail("%d watchers were not told", left);
    }
}

static void change_znode(struct watch_run *w)
{
    struct conn *c = &w->writer.conns[0];
    uint8_t *frame = conn_reserve(c, CONN_BYTES / 2);
    uint8_t *at = put_i32(frame + LENGTH_BYTES, c->xid_next++);
    at = put_i32(at, OP_SET_DATA);
    at = put_set_request(at, w->path, "y", 1);
    put_i32(frame, (int32_t)(at - frame) - LENGTH_BYTES);
    conn_commit(c, (uint32_t)(at - frame));
    conn_flush(&w->writer, c);
}

static void take_change_reply(struct watch_run *w)
{
    struct conn *c = &w->writer.conns[0];
    const uint8_t *frame = NULL;
    uint32_t cursor = 0;
    uint32_t length = 0;
    while (frame == NULL) {
        if (conn_fleet_wait(&w->writer, events, 1) > 0)
            conn_receive(c);
        cursor = 0;
        frame = conn_next_frame(c, &cursor, &length);
    }
    if (conn_check_reply(c, frame, length) != ZK_OK)
        fail("the change was refused");
    conn_consume(c, cursor);
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

void mode_watch(const struct options *opts)
{
    if (opts->rounds < 1 || opts->rounds > ROUNDS_MAX)
        fail("1..%d rounds", ROUNDS_MAX);
    struct watch_run w = {.path = "/bench-watched"};
    struct hist *hist = calloc(1, sizeof *hist);
    if (hist == NULL)
        fail("out of memory");
    open_crowd(&w.writer, opts, 1);
    open_crowd(&w.watchers, opts, opts->connections);
    prepare_znode(&w);

    double told_ms[ROUNDS_MAX];
    for (int round = 0; round < opts->rounds; round++) {
        for (int i = 0; i < w.watchers.count; i++)
            ask_for_watch(&w, &w.watchers.conns[i]);
        collect(&w, false, 0, NULL);

        uint64_t from_ns = clock_now_ns();
        change_znode(&w);
        collect(&w, true, from_ns, hist);
        told_ms[round] = (double)(clock_now_ns() - from_ns) / 1e6;
        take_change_reply(&w);
    }
    qsort(told_ms, (size_t)opts->rounds, sizeof told_ms[0], compare_double);

    printf("{\"mode\":\"watch\",\"connections\":%d,\"rounds\":%d,\"told_ms\":%.2f,"
           "\"told_min_ms\":%.2f,\"told_max_ms\":%.2f,\"one_p50_ms\":%.2f}\n",
           opts->connections, opts->rounds, told_ms[opts->rounds / 2], told_ms[0],
           told_ms[opts->rounds - 1], (double)hist_quantile_ns(hist, 0.5) / 1e6);
    fflush(stdout);
    conn_fleet_close(&w.watchers);
    conn_fleet_close(&w.writer);
    free(hist);
}
