/* bench_run.c: connections, slots, and the clock. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/bench.h"

enum {
    NS_PER_MS = 1000000,
    PROGRESS_MS = 1000,
};

struct bench_slot {
    struct bench_connection *connection;
    uint64_t chance; /* xorshift64: which node, and whether it is read */
    int64_t began_ns;
    bool reads;
};

/* ---- connections ---- */

static uint64_t next_chance(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* All begin at once, then each is waited for. */
static int connect_all(struct cli *cli, struct bench_run *run)
{
    const struct bench_plan *plan = run->plan;
    struct caucus_options options = {.session_timeout_ms = (int32_t)cli->timeout_ms,
                                     .read_only = cli->read_only,
                                     .stop_when_lost = true};
    for (int64_t i = 0; i < plan->connections; i++) {
        int code = cli_open(cli, &options, &run->connections[i].handle);
        if (code != CLI_OK)
            return code;
    }
    for (int64_t i = 0; i < plan->connections; i++) {
        struct caucus *handle = run->connections[i].handle;
        int rc = caucus_exists_wait(handle, plan->path, NULL, NULL, NULL);
        if (rc == 0 || rc == CAUCUS_NONODE)
            continue;
        char why[200], what[256];
        caucus_get_trouble(handle, why, sizeof why);
        snprintf(what, sizeof what, "connection %" PRId64 " of %" PRId64 "%s%s", i + 1,
                 plan->connections, why[0] != 0 ? ": " : "", why);
        return cli_failed(cli, what, rc);
    }
    return CLI_OK;
}

static void init_slots(struct bench_run *run)
{
    uint64_t chance = (uint64_t)caucus_now_ns() | 1;
    for (int64_t i = 0; i < run->plan->connections; i++) {
        struct bench_connection *c = &run->connections[i];
        c->run = run;
        c->slots = mem_calloc((size_t)run->plan->in_flight, sizeof *c->slots);
        for (int64_t k = 0; k < run->plan->in_flight; k++)
            c->slots[k] = (struct bench_slot){.connection = c, .chance = next_chance(&chance)};
    }
}

int bench_open(struct cli *cli, const struct bench_plan *plan, struct bench_run *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->plan = plan;
    ret->connections = mem_calloc((size_t)plan->connections, sizeof *ret->connections);
    ret->data = mem_alloc((size_t)plan->bytes + 1);
    memset(ret->data, 'x', (size_t)plan->bytes + 1);
    ret->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ret->ended_fd < 0)
        return cli_usage(cli, "eventfd: %s", strerror(errno));
    atomic_store(&ret->left, plan->count);
    init_slots(ret);
    return connect_all(cli, ret);
}

void bench_close(struct bench_run *run)
{
    for (int64_t i = 0; i < run->plan->connections; i++) {
        caucus_close(run->connections[i].handle);
        free(run->connections[i].slots);
    }
    free(run->connections);
    free(run->data);
    if (run->ended_fd >= 0)
        close(run->ended_fd);
}

/* ---- slots ---- */

static void on_done(void *context, const struct caucus_result *result);

static bool may_begin(struct bench_run *run)
{
    if (atomic_load_explicit(&run->stop, memory_order_relaxed))
        return false;
    return run->plan->count < 0 || atomic_fetch_sub(&run->left, 1) > 0;
}

static void end_slot(struct bench_run *run)
{
    uint64_t one = 1;
    if (atomic_fetch_sub(&run->active, 1) == 1 &&
        write(run->ended_fd, &one, sizeof one) != sizeof one)
        return; /* readable as it is */
}

static void note_error(struct bench_connection *c, int rc)
{
    if (c->errors++ == 0)
        c->first_error = rc;
}

/* 0, or why it could not begin. */
static int begin(struct bench_slot *slot)
{
    struct bench_connection *c = slot->connection;
    const struct bench_plan *plan = c->run->plan;
    char path[BENCH_PATH_BYTES + 24];
    uint64_t chance = next_chance(&slot->chance);
    slot->reads = (int64_t)(chance >> 32) % 100 < plan->reads_percent;
    snprintf(path, sizeof path, "%s/%" PRIu64, plan->path,
             (chance & UINT32_MAX) % (uint64_t)plan->nodes);
    slot->began_ns = caucus_now_ns();
    return slot->reads ? caucus_get(c->handle, path, NULL, NULL, on_done, slot)
                       : caucus_set(c->handle, path, c->run->data, (size_t)plan->bytes,
                                    CAUCUS_ANY_VERSION, on_done, slot);
}

/* On the event thread of the slot's connection. */
static void on_done(void *context, const struct caucus_result *result)
{
    struct bench_slot *slot = context;
    struct bench_connection *c = slot->connection;
    int64_t took_ns = caucus_now_ns() - slot->began_ns;
    if (result->rc == 0)
        summary_add(slot->reads ? &c->reads : &c->writes, took_ns);
    else
        note_error(c, result->rc);
    atomic_fetch_add_explicit(&c->run->done, 1, memory_order_relaxed);
    if (!may_begin(c->run)) {
        end_slot(c->run);
        return;
    }
    int rc = begin(slot);
    if (rc != 0) {
        note_error(c, rc);
        end_slot(c->run);
    }
}

/* As if each had just ended with nothing, on the thread on which all others end. */
static void on_start(void *context)
{
    struct bench_connection *c = context;
    for (int64_t k = 0; k < c->run->plan->in_flight; k++) {
        int rc = may_begin(c->run) ? begin(&c->slots[k]) : CAUCUS_CLOSING;
        if (rc == 0)
            continue;
        if (rc != CAUCUS_CLOSING)
            note_error(c, rc);
        end_slot(c->run);
    }
}

/* ---- the clock ---- */

static void show_progress(const struct bench_run *run, int64_t now_ns, int64_t *last,
                          int64_t *last_ns)
{
    int64_t done = atomic_load(&run->done);
    double seconds = (double)(now_ns - *last_ns) / 1e9;
    fprintf(stderr, "\r%.0f s  %.0f requests/s \x1b[K", (double)(now_ns - run->began_ns) / 1e9,
            seconds > 0 ? (double)(done - *last) / seconds : 0);
    *last = done;
    *last_ns = now_ns;
}

/* Whether all slots ended meanwhile. */
static bool wait_for_end(const struct bench_run *run, int signal_fd, int64_t timeout_ms)
{
    struct pollfd fds[2] = {{.fd = run->ended_fd, .events = POLLIN},
                            {.fd = signal_fd, .events = POLLIN}};
    return poll(fds, 2, (int)timeout_ms) > 0;
}

void bench_go(struct cli *cli, struct bench_run *run)
{
    bool people = isatty(STDERR_FILENO) == 1;
    run->began_ns = caucus_now_ns();
    int64_t due_ns = run->began_ns + run->plan->seconds * 1000 * NS_PER_MS;
    int64_t last = 0, last_ns = run->began_ns;
    atomic_store(&run->active, run->plan->connections * run->plan->in_flight);
    for (int64_t i = 0; i < run->plan->connections; i++)
        if (caucus_run_at(run->connections[i].handle, run->began_ns, on_start,
                          &run->connections[i]) != 0)
            for (int64_t k = 0; k < run->plan->in_flight; k++)
                end_slot(run);

    for (int64_t now_ns = run->began_ns; now_ns < due_ns; now_ns = caucus_now_ns()) {
        int64_t left_ms = (due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
        if (wait_for_end(run, cli->watching.signal_fd,
                         left_ms < PROGRESS_MS ? left_ms : PROGRESS_MS))
            break;
        if (people)
            show_progress(run, caucus_now_ns(), &last, &last_ns);
    }
    atomic_store(&run->stop, true);
    /* What is in flight is answered, or given up by the library within the session's timeout. */
    while (atomic_load(&run->active) > 0)
        wait_for_end(run, -1, -1);
    run->ended_ns = caucus_now_ns();
    if (people)
        fprintf(stderr, "\r\x1b[K");
}
