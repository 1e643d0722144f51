#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 1024,
    SILENCE_MS_MAX = 60000,     /* a server that says nothing for so long has failed */
    CONNS_PER_SOURCE = 5000,    /* of the 28,000 ephemeral ports an address has */
    LOOPBACK_NET = 0x7f000000u, /* 127.0.0.0/8: every address in it is ours */
};

/* ---- request records ---- */

uint8_t *put_create_request(uint8_t *at, const char *path, const void *data, size_t data_bytes)
{
    at = put_string(at, path);
    at = put_buffer(at, data, data_bytes);
    at = put_i32(at, 1);  /* one ACL entry: */
    at = put_i32(at, 31); /* all permissions */
    at = put_string(at, "world");
    at = put_string(at, "anyone");
    return put_i32(at, 0); /* persistent */
}

uint8_t *put_get_request(uint8_t *at, const char *path, bool watch)
{
    at = put_string(at, path);
    *at = watch;
    return at + 1;
}

uint8_t *put_set_request(uint8_t *at, const char *path, const void *data, size_t data_bytes)
{
    at = put_string(at, path);
    at = put_buffer(at, data, data_bytes);
    return put_i32(at, -1); /* any version */
}

uint8_t *put_sync_request(uint8_t *at, const char *path)
{
    return put_string(at, path);
}

void put_connect_request(uint8_t *at, int32_t timeout_ms, const struct session_ticket *ticket)
{
    at = put_i32(at, CONNECT_REQUEST_BYTES - LENGTH_BYTES);
    at = put_i32(at, 0); /* protocol version */
    at = put_i64(at, ticket->zxid_last);
    at = put_i32(at, timeout_ms);
    at = put_i64(at, ticket->id);
    at = put_buffer(at, ticket->password, sizeof ticket->password);
    *at = 0; /* not read-only */
}

/* ---- one connection ---- */

static void watch_socket(struct fleet *f, struct conn *c, int how, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = c};
    if (epoll_ctl(f->epoll_fd, how, c->fd, &ev) != 0)
        fail_errno("epoll_ctl");
}

/* Many connections to one loopback address run out of ports: spread them over several
 * source addresses. */
static void bind_source(const struct conn *c, const struct sockaddr_in *server, int count)
{
    bool loopback = (ntohl(server->sin_addr.s_addr) & 0xff000000u) == LOOPBACK_NET;
    if (!loopback || count <= CONNS_PER_SOURCE)
        return;

    int one = 1;
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(LOOPBACK_NET + 2 + c->index / CONNS_PER_SOURCE);
    if (bind(c->fd, (const struct sockaddr *)&source, sizeof source) != 0)
        fail_errno("bind source address");
}

static void start_connecting(struct fleet *f, struct conn *c, const struct fleet_options *opts)
{
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        fail_errno("socket");
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    /* Some systems default to a paced congestion control, which makes bursts on loopback
     * cost more and wait. Reno is in every kernel. */
    setsockopt(c->fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    const struct sockaddr_in *server = &opts->servers[c->index % (uint32_t)opts->server_count];
    bind_source(c, server, opts->count);

    if (connect(c->fd, (const struct sockaddr *)server, sizeof *server) != 0 &&
        errno != EINPROGRESS)
        fail_errno("connect");
    c->state = CONN_CONNECTING;
    watch_socket(f, c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void send_handshake(struct fleet *f, struct conn *c, int timeout_ms)
{
    int error = 0;
    socklen_t error_bytes = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes);
    if (error != 0) {
        errno = error;
        fail_errno("connect");
    }
    static const struct session_ticket new_session;
    put_connect_request(conn_reserve(c, CONNECT_REQUEST_BYTES), timeout_ms, &new_session);
    conn_commit(c, CONNECT_REQUEST_BYTES);
    c->state = CONN_HANDSHAKE;
    watch_socket(f, c, EPOLL_CTL_MOD, f->readable);
    conn_flush(f, c);
}

/* True when the session is established. */
static bool take_handshake(struct conn *c)
{
    uint32_t cursor = 0;
    uint32_t length = 0;
    conn_receive(c);
    const uint8_t *frame = conn_next_frame(c, &cursor, &length);
    if (frame == NULL)
        return false;
    if (length < CONNECT_REPLY_BYTES_MIN)
        fail("connection %u: handshake answer of %u bytes", c->index, length);
    c->timeout_ms = get_i32(frame + 4);
    c->session_id = get_i64(frame + 8);
    if (c->timeout_ms <= 0 || c->session_id == 0)
        fail("connection %u: the server refused the session", c->index);
    conn_consume(c, cursor);
    c->state = CONN_READY;
    return true;
}

/* Returns false at the end of the stream. */
static bool receive_or_end(struct conn *c)
{
    ssize_t got = recv(c->fd, c->in + c->in_length, c->in_capacity - c->in_length, 0);
    if (got > 0) {
        c->in_length += (uint32_t)got;
        return true;
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR);
}

void conn_receive(struct conn *c)
{
    if (!receive_or_end(c))
        fail("connection %u: the server closed it", c->index);
}

void conn_flush(struct fleet *f, struct conn *c)
{
    while (c->out_sent < c->out_length) {
        ssize_t sent = send(c->fd, c->out + c->out_sent, c->out_length - c->out_sent, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN)
                fail_errno("send");
            break;
        }
        c->out_sent += (uint32_t)sent;
    }

    bool stuck = c->out_sent < c->out_length;
    if (!stuck) {
        c->out_length = 0;
        c->out_sent = 0;
    } else if (c->out_sent > 0) {
        c->out_length -= c->out_sent;
        memmove(c->out, c->out + c->out_sent, c->out_length);
        c->out_sent = 0;
    }
    if (stuck != c->waits_for_room) {
        c->waits_for_room = stuck;
        watch_socket(f, c, EPOLL_CTL_MOD, stuck ? f->readable | EPOLLOUT : f->readable);
    }
}

int32_t conn_call(struct fleet *f, struct conn *c, int32_t opcode, const uint8_t *body,
                  uint32_t body_bytes, const uint8_t **ret_record, uint32_t *ret_length)
{
    uint32_t frame_bytes = LENGTH_BYTES + 8 + body_bytes;
    uint8_t *at = conn_reserve(c, frame_bytes);
    at = put_i32(at, (int32_t)(frame_bytes - LENGTH_BYTES));
    at = put_i32(at, c->xid_next++);
    at = put_i32(at, opcode);
    memcpy(at, body, body_bytes);
    conn_commit(c, frame_bytes);

    const uint8_t *frame = NULL;
    uint32_t cursor = 0;
    uint32_t length = 0;
    while (frame == NULL) {
        conn_flush(f, c);
        short wanted = c->waits_for_room ? POLLIN | POLLOUT : POLLIN;
        struct pollfd pfd = {.fd = c->fd, .events = wanted};
        if (poll(&pfd, 1, SILENCE_MS_MAX) == 0)
            fail("connection %u: no answer to opcode %d", c->index, opcode);
        if ((pfd.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            conn_receive(c);
        cursor = 0;
        frame = conn_next_frame(c, &cursor, &length);
    }
    int32_t err = conn_check_reply(c, frame, length);
    *ret_record = frame + REPLY_HEADER_BYTES;
    *ret_length = length - REPLY_HEADER_BYTES;
    /* The frame stays where it is: nothing else is in flight, so nothing follows it. */
    c->in_length = 0;
    return err;
}

/* ---- many ---- */

int conn_fleet_wait(struct fleet *f, struct epoll_event *events, int events_max)
{
    int got = epoll_wait(f->epoll_fd, events, events_max, 100);
    if (got < 0 && errno != EINTR)
        fail_errno("epoll_wait");

    int readable = 0;
    for (int i = 0; i < got; i++) {
        struct conn *c = events[i].data.ptr;
        if (c->waits_for_room && (events[i].events & EPOLLOUT) != 0)
            conn_flush(f, c);
        if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0)
            events[readable++] = events[i];
    }
    return readable;
}

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);
    if (memory == NULL)
        fail("out of memory");
    return memory;
}

void conn_fleet_open(struct fleet *f, const struct fleet_options *opts)
{
    raise_file_limit(opts->count + 64);
    f->count = opts->count;
    f->readable = opts->edges ? EPOLLIN | EPOLLET : EPOLLIN;
    f->conns = allocate((size_t)opts->count, sizeof f->conns[0]);
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (f->epoll_fd < 0)
        fail_errno("epoll_create1");
    for (int i = 0; i < opts->count; i++) {
        struct conn *c = &f->conns[i];
        c->index = (uint32_t)i;
        c->fd = -1;
        c->in_capacity = opts->in_bytes;
        c->in = allocate(1, opts->in_bytes);
        c->out_capacity = opts->out_bytes;
        c->out = allocate(1, opts->out_bytes);
        c->xid_next = 1;
        c->xid_expected = 1;
    }

    int started = 0;
    int ready = 0;
    uint64_t heard_ns = clock_now_ns();
    static struct epoll_event events[EVENTS_MAX];
    while (ready < opts->count) {
        while (started < opts->count && started - ready < opts->window)
            start_connecting(f, &f->conns[started++], opts);

        int got = epoll_wait(f->epoll_fd, events, EVENTS_MAX, 100);
        for (int i = 0; i < got; i++) {
            struct conn *c = events[i].data.ptr;
            if (c->state == CONN_CONNECTING)
                send_handshake(f, c, opts->timeout_ms);
            else if (c->state == CONN_HANDSHAKE && take_handshake(c))
                ready++;
            else if (c->state == CONN_READY)
                conn_receive(c); /* nothing was asked: this is the end of the stream */
        }
        uint64_t now_ns = clock_now_ns();
        if (got > 0)
            heard_ns = now_ns;
        else if (now_ns - heard_ns > SILENCE_MS_MAX * 1000000ull)
            fail("%d of %d sessions opened, then silence", ready, opts->count);
    }
}

static void send_close(struct fleet *f, struct conn *c)
{
    uint8_t *at = conn_reserve(c, LENGTH_BYTES + 8);
    at = put_i32(at, 8);
    at = put_i32(at, c->xid_next++);
    put_i32(at, OP_CLOSE_SESSION);
    conn_commit(c, LENGTH_BYTES + 8);
    conn_flush(f, c);
}

void conn_fleet_close(struct fleet *f)
{
    for (int i = 0; i < f->count; i++)
        send_close(f, &f->conns[i]);

    /* The server answers, then closes; either is enough. */
    int open = f->count;
    uint64_t heard_ns = clock_now_ns();
    static struct epoll_event events[EVENTS_MAX];
    while (open > 0) {
        int got = conn_fleet_wait(f, events, EVENTS_MAX);
        for (int i = 0; i < got; i++) {
            struct conn *c = events[i].data.ptr;
            bool more = receive_or_end(c);
            if (more && c->in_length < LENGTH_BYTES + REPLY_HEADER_BYTES)
                continue;
            close(c->fd);
            c->state = CONN_CLOSED;
            open--;
        }
        uint64_t now_ns = clock_now_ns();
        if (got > 0)
            heard_ns = now_ns;
        else if (now_ns - heard_ns > SILENCE_MS_MAX * 1000000ull)
            fail("%d sessions were not closed", open);
    }

    for (int i = 0; i < f->count; i++) {
        free(f->conns[i].in);
        free(f->conns[i].out);
    }
    free(f->conns);
    close(f->epoll_fd);
}
