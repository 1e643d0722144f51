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
#include "conn.h"
#include "modes.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    WRITERS_MAX = 64,
    KNOCK_EVERY_NS = 1000 * 1000,
    KNOCK_GIVEN_UP_AFTER_NS = 100 * 1000 * 1000,
    SILENCE_S_MAX = 60,
    DRAIN_S_MAX = 5,
    FRAME_BYTES_MAX = 1024,
    NUMBER_DIGITS = 20,
};

enum stage {
    CUT, /* wants a server */
    CONNECTING,
    HANDSHAKE,
    WRITING,
    QUIET, /* has a server, and nothing in flight */
};

struct writer {
    enum stage stage;
    int fd;
    int server; /* where it is, or knocks, or was last */
    uint64_t since_ns;

    struct session_ticket session;
    int32_t xid;
    char path[24];
    uint64_t sent; /* the number in the newest write, */
    uint64_t acknowledged;
    uint64_t first_ns; /* acknowledgement after the signal */

    uint32_t got;
    uint8_t in[FRAME_BYTES_MAX];
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
    uint64_t acknowledged_ns;
    uint64_t gap_ns;
    uint64_t first_ns; /* any acknowledgement after the signal */
    uint64_t before;   /* acknowledgements before and after it */
    uint64_t after;
};

/* ---- one session ---- */

static void cut(struct writer *w)
{
    if (w->stage != CUT)
        close(w->fd);
    w->stage = CUT;
    w->got = 0;
}

static bool send_frame(struct writer *w, uint8_t *frame, const uint8_t *end)
{
    put_i32(frame, (int32_t)(end - frame) - LENGTH_BYTES);
    return send(w->fd, frame, (size_t)(end - frame), MSG_NOSIGNAL) == end - frame;
}

static void knock(struct run *r, struct writer *w, uint64_t now_ns)
{
    w->server = (w->server + 1) % r->opts->server_count;
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (w->fd < 0)
        fail_errno("socket");
    int one = 1;
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    w->stage = CONNECTING;
    w->since_ns = now_ns;
    r->knocks++;
    const struct sockaddr_in *server = &r->opts->servers[w->server];
    if (connect(w->fd, (const struct sockaddr *)server, sizeof *server) != 0 &&
        errno != EINPROGRESS)
        cut(w);
}

/* Connecting to a free port of one's own host can end up connected to oneself. */
static bool is_connected_to_itself(const struct writer *w, const struct options *opts)
{
    struct sockaddr_in self;
    socklen_t self_bytes = sizeof self;
    return getsockname(w->fd, (struct sockaddr *)&self, &self_bytes) != 0 ||
           self.sin_port == opts->servers[w->server].sin_port;
}

static void send_handshake(struct run *r, struct writer *w)
{
    int error = 0;
    socklen_t error_bytes = sizeof error;
    getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes);
    if (error != 0 || is_connected_to_itself(w, r->opts)) {
        cut(w);
        return;
    }
    uint8_t frame[CONNECT_REQUEST_BYTES];
    put_connect_request(frame, r->opts->session_timeout_ms, &w->session);
    w->stage = HANDSHAKE;
    if (send(w->fd, frame, sizeof frame, MSG_NOSIGNAL) != (ssize_t)sizeof frame)
        cut(w);
}

static void send_write(struct run *r, struct writer *w)
{
    uint8_t frame[FRAME_BYTES_MAX];
    char data[FRAME_BYTES_MAX / 2];
    memset(data, 'x', sizeof data);
    snprintf(data, sizeof data, "%0*" PRIu64, NUMBER_DIGITS, ++w->sent);
    data[NUMBER_DIGITS] = 'x';

    uint8_t *at = put_i32(frame + LENGTH_BYTES, ++w->xid);
    at = put_i32(at, OP_SET_DATA);
    at = put_set_request(at, w->path, data, r->opts->data_bytes);
    w->stage = WRITING;
    if (!send_frame(w, frame, at))
        cut(w);
}

static void take_handshake(struct run *r, struct writer *w, const uint8_t *frame, uint32_t length)
{
    if (length < CONNECT_REPLY_BYTES_MIN)
        fail("handshake answer of %u bytes", length);
    int64_t id = get_i64(frame + 8);
    if (id == 0) {
        /* The server says that the session is over, long before its timeout. */
        if (w->session.id == 0)
            fail("the server refused a new session");
        r->sessions_lost++;
        w->session = (struct session_ticket){.zxid_last = w->session.zxid_last};
        cut(w);
        return;
    }
    if (w->session.id != 0 && id != w->session.id)
        fail("session %" PRIx64 " became %" PRIx64, (uint64_t)w->session.id, (uint64_t)id);
    w->session.id = id;
    memcpy(w->session.password, frame + 20, PASSWORD_BYTES);
    w->xid = 0;
    w->stage = QUIET;
}

static void note_acknowledged(struct run *r, struct writer *w, uint64_t now_ns)
{
    w->acknowledged = w->sent;
    if (r->struck_ns == 0) {
        r->before++;
    } else {
        r->after++;
        if (r->first_ns == 0)
            r->first_ns = now_ns;
        if (w->first_ns == 0)
            w->first_ns = now_ns;
        if (now_ns - r->acknowledged_ns > r->gap_ns)
            r->gap_ns = now_ns - r->acknowledged_ns;
    }
    r->acknowledged_ns = now_ns;
}

static void take_answer(struct run *r, struct writer *w, const uint8_t *frame, uint32_t length,
                        uint64_t now_ns)
{
    if (length != REPLY_HEADER_BYTES + STAT_BYTES)
        fail("%s: error %d, answer of %u bytes", w->path,
             length >= REPLY_HEADER_BYTES ? get_i32(frame + 12) : 0, length);
    if (get_i32(frame) != w->xid || get_i32(frame + 12) != ZK_OK)
        fail("%s: xid %d where %d was next, error %d", w->path, get_i32(frame), w->xid,
             get_i32(frame + 12));
    int64_t zxid = get_i64(frame + 4);
    if (zxid <= w->session.zxid_last)
        fail("%s: the zxid of a write went from %" PRIx64 " to %" PRIx64, w->path,
             (uint64_t)w->session.zxid_last, (uint64_t)zxid);
    w->session.zxid_last = zxid;
    w->stage = QUIET;
    note_acknowledged(r, w, now_ns);
}

/* Takes what came; at most one frame can be there, as nothing is sent before it. */
static void receive(struct run *r, struct writer *w, uint64_t now_ns)
{
    ssize_t got = recv(w->fd, w->in + w->got, sizeof w->in - w->got, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            cut(w);
        return;
    }
    w->got += (uint32_t)got;
    if (w->got < LENGTH_BYTES)
        return;
    uint32_t length = (uint32_t)get_i32(w->in);
    if (length > sizeof w->in - LENGTH_BYTES)
        fail("%s: frame of %u bytes", w->path, length);
    if (w->got < LENGTH_BYTES + length)
        return;
    if (w->got > LENGTH_BYTES + length || w->stage == QUIET)
        fail("%s: more than was asked for", w->path);
    w->got = 0;
    if (w->stage == HANDSHAKE)
        take_handshake(r, w, w->in + LENGTH_BYTES, length);
    else
        take_answer(r, w, w->in + LENGTH_BYTES, length, now_ns);
}

static void advance(struct run *r, struct writer *w, uint64_t now_ns)
{
    if (w->stage == CONNECTING)
        send_handshake(r, w);
    else
        receive(r, w, now_ns);
}

/* ---- all of them ---- */

static void knock_if_due(struct run *r, uint64_t now_ns)
{
    if (now_ns - r->knocked_ns < KNOCK_EVERY_NS)
        return;
    for (int i = 0; i < r->count; i++) {
        struct writer *w = &r->writers[(r->knocks_next + i) % r->count];
        if (w->stage == CUT) {
            r->knocks_next = (r->knocks_next + i + 1) % r->count;
            r->knocked_ns = now_ns;
            knock(r, w, now_ns);
            return;
        }
    }
}

static void give_up_knocks(struct run *r, uint64_t now_ns)
{
    for (int i = 0; i < r->count; i++) {
        struct writer *w = &r->writers[i];
        bool knocks = w->stage == CONNECTING || w->stage == HANDSHAKE;
        if (knocks && now_ns - w->since_ns > KNOCK_GIVEN_UP_AFTER_NS)
            cut(w);
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
        if (w->stage == QUIET && !r->ending)
            send_write(r, w);
        if (w->stage == CUT)
            continue;
        indexes[count] = i;
        fds[count++] =
            (struct pollfd){.fd = w->fd, .events = w->stage == CONNECTING ? POLLOUT : POLLIN};
    }
    if (poll(fds, count, 1) < 0 && errno != EINTR)
        fail_errno("poll");

    uint64_t now_ns = clock_now_ns();
    for (nfds_t i = 0; i < count; i++) {
        if (fds[i].revents != 0)
            advance(r, &r->writers[indexes[i]], now_ns);
    }
    give_up_knocks(r, now_ns);
    knock_if_due(r, now_ns);
}

static int writers_in(const struct run *r, enum stage stage)
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
    while (writers_in(r, QUIET) < r->count) {
        advance_all(r);
        if (clock_now_ns() - from_ns > SILENCE_S_MAX * 1000000000ull)
            fail("sessions could not be opened");
    }
    r->ending = false;
}

/* Until `until_ns`, or later if nothing is being acknowledged then. */
static void write_until(struct run *r, uint64_t until_ns)
{
    for (;;) {
        advance_all(r);
        uint64_t now_ns = clock_now_ns();
        if (now_ns - r->acknowledged_ns > SILENCE_S_MAX * 1000000000ull)
            fail("no write was acknowledged for %d s", SILENCE_S_MAX);
        bool alive = r->struck_ns == 0 ||
                     (r->first_ns != 0 && now_ns - r->acknowledged_ns < KNOCK_GIVEN_UP_AFTER_NS);
        if (now_ns >= until_ns && alive)
            return;
    }
}

static void strike(struct run *r)
{
    r->struck_ns = clock_now_ns();
    if (kill(r->opts->server_pids[r->opts->struck], r->opts->signal) != 0)
        fail_errno("kill");
}

/* Takes the answers that are still to come. Who hangs on a stopped server gets none. */
static void drain(struct run *r)
{
    r->ending = true;
    uint64_t from_ns = clock_now_ns();
    while (writers_in(r, QUIET) < r->count &&
           clock_now_ns() - from_ns < DRAIN_S_MAX * 1000000000ull) {
        bool only_hanging = true;
        for (int i = 0; i < r->count; i++) {
            const struct writer *w = &r->writers[i];
            only_hanging &=
                w->stage == QUIET || (r->opts->signal == SIGSTOP && w->server == r->opts->struck);
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
        .in_bytes = FRAME_BYTES_MAX,
        .out_bytes = FRAME_BYTES_MAX,
    };
    conn_fleet_open(f, &fleet);
}

static void create_znodes(struct run *r)
{
    struct fleet f;
    open_other(r, &f);
    for (int i = 0; i < r->count; i++) {
        uint8_t body[FRAME_BYTES_MAX];
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
    uint8_t body[FRAME_BYTES_MAX];
    const uint8_t *record;
    uint32_t length;
    uint8_t *end = put_get_request(body, w->path, false);
    int32_t err =
        conn_call(f, &f->conns[0], OP_GET_DATA, body, (uint32_t)(end - body), &record, &length);
    if (err != ZK_OK || length < LENGTH_BYTES + NUMBER_DIGITS + STAT_BYTES)
        fail("get %s: error %d, %u bytes", w->path, err, length);
    char digits[NUMBER_DIGITS + 1] = {0};
    memcpy(digits, record + LENGTH_BYTES, NUMBER_DIGITS);
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

/* How long the session that waited longest was without an acknowledgement, of those that got
 * one. */
static double last_back_ms(const struct run *r)
{
    uint64_t last_ns = r->struck_ns;
    for (int i = 0; i < r->count; i++) {
        if (r->writers[i].first_ns > last_ns)
            last_ns = r->writers[i].first_ns;
    }
    return (double)(last_ns - r->struck_ns) / 1e6;
}

static int never_back(const struct run *r)
{
    int count = 0;
    for (int i = 0; i < r->count; i++)
        count += r->writers[i].first_ns == 0;
    return count;
}

static void end_sessions(struct run *r)
{
    for (int i = 0; i < r->count; i++) {
        struct writer *w = &r->writers[i];
        if (w->stage == QUIET) {
            uint8_t frame[LENGTH_BYTES + 8];
            uint8_t *at = put_i32(frame + LENGTH_BYTES, ++w->xid);
            (void)send_frame(w, frame, put_i32(at, OP_CLOSE_SESSION));
        }
        cut(w);
    }
}

void mode_gap(const struct options *opts)
{
    if (opts->connections > WRITERS_MAX)
        fail("at most %d connections", WRITERS_MAX);
    if (opts->data_bytes < NUMBER_DIGITS || opts->data_bytes > FRAME_BYTES_MAX / 2)
        fail("data %d..%d bytes", NUMBER_DIGITS, FRAME_BYTES_MAX / 2);
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
    write_until(r, r->struck_ns + (uint64_t)(opts->seconds * 1e9));
    double seconds = (double)(r->acknowledged_ns - r->struck_ns) / 1e9;
    drain(r);
    check_znodes(r);

    printf("{\"mode\":\"gap\",\"connections\":%d,\"gap_ms\":%.2f,\"first_ack_ms\":%.2f,"
           "\"last_back_ms\":%.2f,\"never_back\":%d,\"sessions_lost\":%" PRIu64
           ",\"knocks\":%" PRIu64 ",\"before_per_s\":%.0f,\"after_per_s\":%.0f}\n",
           r->count, (double)r->gap_ns / 1e6, (double)(r->first_ns - r->struck_ns) / 1e6,
           last_back_ms(r), never_back(r), r->sessions_lost, r->knocks,
           (double)r->before / opts->warmup_s, (double)r->after / seconds);
    fflush(stdout);
    end_sessions(r);
    free(r);
}
