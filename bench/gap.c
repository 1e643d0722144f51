/* gap.c: for how long does an ensemble that loses its leader acknowledge nothing?
 *
 * A few sessions, spread over the servers, keep one write in flight each. One server is
 * signalled (killed, asked to end, or stopped). A session that is cut tries to go on with the
 * next server at once, as the same session: no back-off, but one knock per millisecond for
 * all of them together, so that the knocking does not take the cores from the election it waits
 * for. A knock that is not answered is given up after a while: a stopped process still has a
 * kernel that takes connections. A session whose server hangs is not cut and stays where it
 * is, as a real client would until its timeout.
 *
 * The gap is the longest time between two acknowledgements, whosever they are, of which the
 * second came after the signal.
 *
 * What was acknowledged must still be there: each session writes rising numbers into a znode
 * of its own, and at the end each znode must hold one from the last acknowledged to the last
 * sent. */
#include "writer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WRITERS_MAX = 64,
    KNOCK_EVERY_NS = 1000 * 1000,
    KNOCK_GIVEN_UP_AFTER_NS = 100 * 1000 * 1000,
    SILENCE_S_MAX = 60,
    DRAIN_S_MAX = 5,
    STEP_NS = 1000 * 1000,
    AFTERWARDS_NS = 100 * 1000 * 1000,
};

struct run {
    const struct options *opts;
    struct writer writers[WRITERS_MAX];
    int count;
    bool ending; /* no new writes */

    uint64_t knocked_ns;
    int knocks_next; /* whose turn it is */
    uint64_t knocks;
    uint64_t sessions_lost;

    uint64_t struck_ns; /* 0: not yet */
    bool was_struck[WRITERS_MAX];
    uint64_t cuts_before[WRITERS_MAX];
    uint64_t acknowledged_ns;
    uint64_t gap_before_ns; /* the longest before the signal: what is usual here */
    uint64_t gap_ns;        /* the longest since, */
    uint64_t gap_from_ns;
    uint64_t first_ns; /* any acknowledgement after the signal */
    uint64_t before;   /* acknowledgements before and after it */
    uint64_t after;
};

static void note_gap(struct run *r, uint64_t from_ns, uint64_t until_ns)
{
    if (until_ns - from_ns <= r->gap_ns)
        return;
    r->gap_ns = until_ns - from_ns;
    r->gap_from_ns = from_ns;
    for (int i = 0; i < r->count; i++)
        r->writers[i].back_ns = 0;
}

static void note_acknowledged(struct run *r, struct writer *w, uint64_t now_ns)
{
    if (r->struck_ns == 0) {
        r->before++;
        if (now_ns - r->acknowledged_ns > r->gap_before_ns)
            r->gap_before_ns = now_ns - r->acknowledged_ns;
    } else {
        r->after++;
        if (r->first_ns == 0)
            r->first_ns = now_ns;
        note_gap(r, r->acknowledged_ns, now_ns);
        if (w->back_ns == 0)
            w->back_ns = now_ns;
    }
    r->acknowledged_ns = now_ns;
}

/* ---- all of them ---- */

static void knock_if_due(struct run *r, uint64_t now_ns)
{
    if (now_ns - r->knocked_ns < KNOCK_EVERY_NS)
        return;
    for (int i = 0; i < r->count; i++) {
        struct writer *w = &r->writers[(r->knocks_next + i) % r->count];
        if (w->stage == WRITER_CUT) {
            r->knocks_next = (r->knocks_next + i + 1) % r->count;
            r->knocked_ns = now_ns;
            r->knocks++;
            writer_knock(w, r->opts, now_ns);
            return;
        }
    }
}

static void give_up_knocks(struct run *r, uint64_t now_ns)
{
    for (int i = 0; i < r->count; i++) {
        struct writer *w = &r->writers[i];
        bool knocks = w->stage == WRITER_CONNECTING || w->stage == WRITER_HANDSHAKE;
        if (knocks && now_ns - w->knocked_ns > KNOCK_GIVEN_UP_AFTER_NS)
            writer_cut(w);
    }
}

/* Sleeps until something came, or for a millisecond. */
static void advance_all(struct run *r)
{
    struct pollfd fds[WRITERS_MAX];
    int indexes[WRITERS_MAX];
    nfds_t count = 0;
    for (int i = 0; i < r->count; i++) {
        struct writer *w = &r->writers[i];
        if (w->stage == WRITER_QUIET && !r->ending)
            writer_write(w, r->opts);
        if (w->stage == WRITER_CUT)
            continue;
        indexes[count] = i;
        fds[count++] = (struct pollfd){.fd = w->fd,
                                       .events = w->stage == WRITER_CONNECTING ? POLLOUT : POLLIN};
    }
    if (poll(fds, count, 1) < 0 && errno != EINTR)
        fail_errno("poll");

    uint64_t now_ns = clock_now_ns();
    for (nfds_t i = 0; i < count; i++) {
        if (fds[i].revents == 0)
            continue;
        struct writer *w = &r->writers[indexes[i]];
        enum writer_news news = writer_advance(w, r->opts);
        if (news == WRITER_ACKNOWLEDGED)
            note_acknowledged(r, w, now_ns);
        r->sessions_lost += news == WRITER_SESSION_LOST;
    }
    give_up_knocks(r, now_ns);
    knock_if_due(r, now_ns);
}

static int writers_in(const struct run *r, enum writer_stage stage)
{
    int count = 0;
    for (int i = 0; i < r->count; i++)
        count += r->writers[i].stage == stage;
    return count;
}

static void open_all(struct run *r)
{
    r->ending = true;
    uint64_t from_ns = clock_now_ns();
    while (writers_in(r, WRITER_QUIET) < r->count) {
        advance_all(r);
        if (clock_now_ns() - from_ns > SILENCE_S_MAX * 1000000000ull)
            fail("sessions could not be opened");
    }
    r->ending = false;
}

/* Who was with the struck server has left it, and everybody is served. */
static bool all_are_served(const struct run *r)
{
    for (int i = 0; i < r->count; i++) {
        const struct writer *w = &r->writers[i];
        if (!w->served || (r->was_struck[i] && w->cuts == r->cuts_before[i]))
            return false;
    }
    return true;
}

static void write_until(struct run *r, uint64_t until_ns)
{
    while (clock_now_ns() < until_ns) {
        advance_all(r);
        if (clock_now_ns() - r->acknowledged_ns > SILENCE_S_MAX * 1000000000ull)
            fail("no write was acknowledged for %d s", SILENCE_S_MAX);
    }
}

/* For opts->seconds from the signal, and on while nothing is acknowledged; less if everybody is
 * served before. Not much longer than that, or any stall of the disk would count as a gap. */
static void write_until_served(struct run *r)
{
    uint64_t until_ns = r->struck_ns + (uint64_t)(r->opts->seconds * 1e9);
    while (!all_are_served(r)) {
        uint64_t now_ns = clock_now_ns();
        bool alive = r->first_ns != 0 && now_ns - r->acknowledged_ns < KNOCK_GIVEN_UP_AFTER_NS;
        if (now_ns >= until_ns && alive)
            return;
        write_until(r, now_ns + STEP_NS);
    }
    write_until(r, clock_now_ns() + AFTERWARDS_NS);
}

static void strike(struct run *r)
{
    for (int i = 0; i < r->count; i++) {
        r->was_struck[i] = r->writers[i].server == r->opts->struck;
        r->cuts_before[i] = r->writers[i].cuts;
    }
    r->struck_ns = clock_now_ns();
    if (kill(r->opts->server_pids[r->opts->struck], r->opts->signal) != 0)
        fail_errno("kill");
}

/* Takes the answers that are still to come. Who hangs on a stopped server gets none. */
static void drain(struct run *r)
{
    r->ending = true;
    uint64_t from_ns = clock_now_ns();
    while (writers_in(r, WRITER_QUIET) < r->count &&
           clock_now_ns() - from_ns < DRAIN_S_MAX * 1000000000ull) {
        bool only_hanging = true;
        for (int i = 0; i < r->count; i++) {
            const struct writer *w = &r->writers[i];
            only_hanging &= w->stage == WRITER_QUIET ||
                            (r->opts->signal == SIGSTOP && w->server == r->opts->struck);
        }
        if (only_hanging)
            break;
        advance_all(r);
    }
}

/* ---- the znodes ---- */

static void open_other(const struct run *r, struct fleet *f)
{
    int server = (r->opts->struck + 1) % r->opts->server_count;
    struct fleet_options fleet = {
        .servers = &r->opts->servers[server],
        .server_count = 1,
        .count = 1,
        .window = 1,
        .timeout_ms = r->opts->session_timeout_ms,
        .in_bytes = WRITER_FRAME_BYTES_MAX,
        .out_bytes = WRITER_FRAME_BYTES_MAX,
    };
    conn_fleet_open(f, &fleet);
}

static void create_znodes(struct run *r)
{
    struct fleet f;
    open_other(r, &f);
    for (int i = 0; i < r->count; i++) {
        uint8_t body[WRITER_FRAME_BYTES_MAX];
        const uint8_t *record;
        uint32_t length;
        uint8_t *end = put_create_request(body, r->writers[i].path, "", 0);
        int32_t err =
            conn_call(&f, &f.conns[0], OP_CREATE, body, (uint32_t)(end - body), &record, &length);
        if (err != ZK_OK && err != ZK_NODEEXISTS)
            fail("create %s: error %d", r->writers[i].path, err);
    }
    conn_fleet_close(&f);
}

static void check_znode(struct fleet *f, const struct writer *w)
{
    uint8_t body[WRITER_FRAME_BYTES_MAX];
    const uint8_t *record;
    uint32_t length;
    uint8_t *end = put_get_request(body, w->path, false);
    int32_t err =
        conn_call(f, &f->conns[0], OP_GET_DATA, body, (uint32_t)(end - body), &record, &length);
    if (err != ZK_OK || length < LENGTH_BYTES + WRITER_NUMBER_DIGITS + STAT_BYTES)
        fail("get %s: error %d, %u bytes", w->path, err, length);
    char digits[WRITER_NUMBER_DIGITS + 1] = {0};
    memcpy(digits, record + LENGTH_BYTES, WRITER_NUMBER_DIGITS);
    uint64_t number = strtoull(digits, NULL, 10);
    if (number < w->acknowledged)
        fail("LOST: %s holds write %" PRIu64 ", but %" PRIu64 " was acknowledged", w->path, number,
             w->acknowledged);
    if (number > w->sent)
        fail("%s holds write %" PRIu64 ", but %" PRIu64 " was the last", w->path, number, w->sent);
}

static void check_znodes(const struct run *r)
{
    struct fleet f;
    open_other(r, &f);
    uint8_t body[64];
    const uint8_t *record;
    uint32_t length;
    uint8_t *end = put_sync_request(body, "/");
    int32_t err =
        conn_call(&f, &f.conns[0], OP_SYNC, body, (uint32_t)(end - body), &record, &length);
    if (err != ZK_OK)
        fail("sync: error %d", err);
    for (int i = 0; i < r->count; i++)
        check_znode(&f, &r->writers[i]);
    conn_fleet_close(&f);
}

/* ---- the mode ---- */

/* From the beginning of the gap until the last of the sessions was served again, of those
 * that were. */
static double last_back_ms(const struct run *r)
{
    uint64_t last_ns = r->gap_from_ns;
    for (int i = 0; i < r->count; i++) {
        if (r->writers[i].back_ns > last_ns)
            last_ns = r->writers[i].back_ns;
    }
    return (double)(last_ns - r->gap_from_ns) / 1e6;
}

static int never_back(const struct run *r)
{
    int count = 0;
    for (int i = 0; i < r->count; i++)
        count += r->writers[i].back_ns == 0;
    return count;
}

void mode_gap(const struct options *opts)
{
    if (opts->connections > WRITERS_MAX)
        fail("at most %d connections", WRITERS_MAX);
    if (opts->data_bytes < WRITER_NUMBER_DIGITS || opts->data_bytes > WRITER_FRAME_BYTES_MAX / 2)
        fail("data %d..%d bytes", WRITER_NUMBER_DIGITS, WRITER_FRAME_BYTES_MAX / 2);
    if (opts->struck < 0 || opts->struck >= opts->server_count ||
        opts->struck >= opts->server_pid_count || opts->signal == 0)
        fail("gap needs --signal, --struck, and the ports and pids of all servers");

    struct run *r = calloc(1, sizeof *r);
    if (r == NULL)
        fail("out of memory");
    r->opts = opts;
    r->count = opts->connections;
    uint64_t from_ns = clock_now_ns();
    for (int i = 0; i < r->count; i++) {
        struct writer *w = &r->writers[i];
        snprintf(w->path, sizeof w->path, "/bench-gap-%03d", i);
        w->server = (i + opts->server_count - 1) % opts->server_count; /* the next is i's */
        w->sent = from_ns; /* more than any earlier run wrote */
        w->acknowledged = w->sent;
    }
    create_znodes(r);
    open_all(r);

    r->acknowledged_ns = clock_now_ns();
    write_until(r, r->acknowledged_ns + (uint64_t)(opts->warmup_s * 1e9));
    strike(r);
    write_until_served(r);
    double seconds = (double)(r->acknowledged_ns - r->struck_ns) / 1e9;
    drain(r);
    check_znodes(r);

    printf("{\"mode\":\"gap\",\"connections\":%d,\"gap_ms\":%.2f,\"gap_before_ms\":%.2f,\"first_"
           "ack_ms\":%.2f,"
           "\"last_back_ms\":%.2f,\"never_back\":%d,\"sessions_lost\":%" PRIu64
           ",\"knocks\":%" PRIu64 ",\"before_per_s\":%.0f,\"after_per_s\":%.0f}\n",
           r->count, (double)r->gap_ns / 1e6, (double)r->gap_before_ns / 1e6,
           (double)(r->first_ns - r->struck_ns) / 1e6, last_back_ms(r), never_back(r),
           r->sessions_lost, r->knocks, (double)r->before / opts->warmup_s,
           (double)r->after / seconds);
    fflush(stdout);
    for (int i = 0; i < r->count; i++)
        writer_end(&r->writers[i]);
    free(r);
}
