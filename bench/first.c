/* first.c: when does a server that is just starting give its first answer?
 *
 * Runs before the server does, and knocks every 200 us; later every 0.5 % of the time that
 * has passed, so as not to take the cores from a slow starter. What counts is an answer to a
 * read, not an open port: a server may listen long before it can serve. And a server may
 * take a connection before it is ready and then never look at it again (Apache ZooKeeper
 * does, for a connection that comes before its database is set): while an attempt waits,
 * another is made every few milliseconds, and the first of them that is answered counts. */
#include "conn.h"
#include "modes.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    KNOCK_EVERY_NS = 200 * 1000, /* at first */
    KNOCKS_OF_PAST = 200,
    AGAIN_AFTER_NS = 10 * 1000 * 1000, /* beside an attempt that waits */
    GIVE_UP_AFTER_S = 120,
    ATTEMPTS_MAX = 256, /* the oldest make room */
    FRAME_BYTES_MAX = 1024,
};

enum stage {
    IDLE,
    CONNECTING,
    HANDSHAKE,
    READING
};

struct attempt {
    int fd;
    enum stage stage;
    uint32_t got;
    uint8_t in[FRAME_BYTES_MAX];
};

static struct attempt attempts[ATTEMPTS_MAX];

static void attempt_end(struct attempt *a)
{
    if (a->stage != IDLE)
        close(a->fd);
    a->stage = IDLE;
}

static void attempt_start(struct attempt *a, const struct options *opts)
{
    attempt_end(a);
    a->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (a->fd < 0)
        fail_errno("socket");
    int one = 1;
    setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    a->got = 0;
    a->stage = CONNECTING;
    int rc = connect(a->fd, (const struct sockaddr *)&opts->servers[0], sizeof opts->servers[0]);
    if (rc != 0 && errno != EINPROGRESS)
        attempt_end(a);
}

static bool attempt_send(struct attempt *a, const uint8_t *request, size_t bytes, enum stage next)
{
    a->stage = next;
    a->got = 0;
    return send(a->fd, request, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static bool send_handshake(struct attempt *a, const struct options *opts)
{
    /* Connecting to a free port of one's own host can end up connected to oneself. */
    struct sockaddr_in self;
    socklen_t self_bytes = sizeof self;
    int error = 0;
    socklen_t error_bytes = sizeof error;
    if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes) != 0 || error != 0)
        return false;
    getsockname(a->fd, (struct sockaddr *)&self, &self_bytes);
    if (self.sin_port == opts->servers[0].sin_port)
        return false;

    uint8_t request[CONNECT_REQUEST_BYTES];
    static const struct session_ticket new_session;
    put_connect_request(request, opts->session_timeout_ms, &new_session);
    return attempt_send(a, request, sizeof request, HANDSHAKE);
}

static bool send_read(struct attempt *a, const struct options *opts)
{
    if (get_i32(a->in) < CONNECT_REPLY_BYTES_MIN || get_i64(a->in + LENGTH_BYTES + 8) == 0)
        fail("the server refused the session");
    uint8_t request[FRAME_BYTES_MAX];
    uint8_t *at = put_i32(request + LENGTH_BYTES, 1);
    at = put_i32(at, OP_GET_DATA);
    at = put_get_request(at, opts->path, false);
    put_i32(request, (int32_t)(at - request) - LENGTH_BYTES);
    return attempt_send(a, request, (size_t)(at - request), READING);
}

static void check_read(const struct attempt *a, const struct options *opts)
{
    const uint8_t *frame = a->in + LENGTH_BYTES;
    if (get_i32(a->in) < REPLY_HEADER_BYTES || get_i32(frame) != 1)
        fail("a wrong reply");
    if (get_i32(frame + 12) != ZK_OK)
        fail("get %s: error %d", opts->path, get_i32(frame + 12));
}

enum progress {
    WAITS,
    WHOLE,
    ENDED
};

static enum progress receive_frame(struct attempt *a)
{
    ssize_t got = recv(a->fd, a->in + a->got, sizeof a->in - a->got, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN ? WAITS : ENDED;
    a->got += (uint32_t)got;
    if (a->got < LENGTH_BYTES)
        return WAITS;
    uint32_t length = (uint32_t)get_i32(a->in);
    if (length > sizeof a->in - LENGTH_BYTES)
        fail("frame of %u bytes", length);
    return a->got >= LENGTH_BYTES + length ? WHOLE : WAITS;
}

/* Returns true when this attempt has its answer. */
static bool attempt_advance(struct attempt *a, const struct options *opts)
{
    if (a->stage == CONNECTING) {
        if (!send_handshake(a, opts))
            attempt_end(a);
        return false;
    }
    enum progress progress = receive_frame(a);
    if (progress == ENDED) {
        attempt_end(a);
    } else if (progress == WHOLE && a->stage == READING) {
        check_read(a, opts);
        return true;
    } else if (progress == WHOLE && !send_read(a, opts)) {
        attempt_end(a);
    }
    return false;
}

/* Sleeps until an attempt can go on, or for nap_ns. True when one has its answer. */
static bool advance_all(const struct options *opts, uint64_t nap_ns, bool *ret_waiting)
{
    struct pollfd fds[ATTEMPTS_MAX];
    uint32_t indexes[ATTEMPTS_MAX];
    nfds_t count = 0;
    for (uint32_t i = 0; i < ATTEMPTS_MAX; i++) {
        if (attempts[i].stage == IDLE)
            continue;
        short wanted = attempts[i].stage == CONNECTING ? POLLOUT : POLLIN;
        indexes[count] = i;
        fds[count++] = (struct pollfd){.fd = attempts[i].fd, .events = wanted};
    }
    struct timespec nap = {.tv_nsec = (long)nap_ns}; /* 0.5 % of two minutes is below a second */
    if (ppoll(fds, count, &nap, NULL) < 0 && errno != EINTR)
        fail_errno("poll");

    *ret_waiting = false;
    for (nfds_t i = 0; i < count; i++) {
        struct attempt *a = &attempts[indexes[i]];
        if (fds[i].revents != 0 && attempt_advance(a, opts))
            return true;
        *ret_waiting |= a->stage != IDLE;
    }
    return false;
}

void mode_first_answer(const struct options *opts)
{
    if (strlen(opts->path) > FRAME_BYTES_MAX / 2)
        fail("the path is too long");

    uint64_t began_ns = clock_now_ns();
    uint64_t started_ns = 0;
    uint64_t started = 0;
    bool waiting = false;
    for (;;) {
        uint64_t now_ns = clock_now_ns();
        if (now_ns - began_ns > GIVE_UP_AFTER_S * 1000000000ull)
            fail("no answer in %d s", GIVE_UP_AFTER_S);
        if (!waiting || now_ns - started_ns > AGAIN_AFTER_NS) {
            attempt_start(&attempts[started++ % ATTEMPTS_MAX], opts);
            started_ns = now_ns;
        }
        uint64_t nap_ns = (now_ns - began_ns) / KNOCKS_OF_PAST;
        if (advance_all(opts, nap_ns > KNOCK_EVERY_NS ? nap_ns : KNOCK_EVERY_NS, &waiting))
            break;
    }
    printf("{\"mode\":\"first-answer\",\"answered_at_ns\":%" PRIu64 ",\"attempts\":%" PRIu64 "}\n",
           clock_now_ns(), started);
}
