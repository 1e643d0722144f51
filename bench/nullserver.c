/* nullserver.c: a server that does nothing, and answers.
 *
 * It takes the handshake, and answers each request with a canned reply of the right shape:
 * no tree, no log, no sessions. What the load generator reaches against it is the ceiling
 * of the machine (kernel, loopback and the load itself): no server can be faster there.
 * One thread, plain epoll, one recv and one send per wake-up of a connection. For benches
 * on loopback only: it trusts its client and dies on anything unusual. */
#include "jute.h"
#include "machine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 1024,
    IN_BYTES = 64 * 1024,
    OUT_BYTES = 1024 * 1024, /* the largest answer to IN_BYTES of the smallest requests */
    DATA_BYTES = 100,
    BACKLOG = 4096,
};

struct peer {
    int fd;
    bool established;
    uint32_t in_length;
    uint8_t in[IN_BYTES];
};

static uint8_t out[OUT_BYTES];
static uint8_t get_reply[LENGTH_BYTES + DATA_BYTES + STAT_BYTES];
static int64_t zxid;
static int64_t session_last = 0x100000000;

static uint8_t *answer_handshake(uint8_t *at, const uint8_t *request)
{
    static const uint8_t password[PASSWORD_BYTES] = "null";
    at = put_i32(at, CONNECT_REPLY_BYTES_MIN + 1);
    at = put_i32(at, 0);
    at = put_i32(at, get_i32(request + 12)); /* the timeout that was asked for */
    at = put_i64(at, ++session_last);
    at = put_buffer(at, password, sizeof password);
    *at = 0;
    return at + 1;
}

static uint8_t *answer_request(uint8_t *at, const uint8_t *request)
{
    int32_t opcode = get_i32(request + 4);
    uint8_t *record = at + LENGTH_BYTES + REPLY_HEADER_BYTES;
    uint8_t *end = record;
    switch (opcode) {
    case OP_SET_DATA:
        memcpy(record, get_reply + LENGTH_BYTES + DATA_BYTES, STAT_BYTES);
        end += STAT_BYTES;
        zxid++;
        break;
    case OP_GET_DATA:
        memcpy(record, get_reply, sizeof get_reply);
        end += sizeof get_reply;
        break;
    case OP_CREATE: {
        uint32_t path_bytes = LENGTH_BYTES + (uint32_t)get_i32(request + 8);
        memcpy(record, request + 8, path_bytes);
        end += path_bytes;
        zxid++;
        break;
    }
    default:
        break;
    }
    put_i32(at, (int32_t)(end - at) - LENGTH_BYTES);
    put_i32(at + 4, get_i32(request));
    put_i64(at + 8, zxid);
    put_i32(at + 16, ZK_OK);
    return end;
}

static void send_all(int fd, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return; /* the client has gone: the next recv tells */
        if (sent < 0) {
            struct pollfd pfd = {.fd = fd, .events = POLLOUT};
            poll(&pfd, 1, -1);
            continue;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
}

/* Returns false when the peer has gone. */
static bool serve(struct peer *p)
{
    ssize_t got = recv(p->fd, p->in + p->in_length, sizeof p->in - p->in_length, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    p->in_length += (uint32_t)got;

    uint8_t *end = out;
    uint32_t cursor = 0;
    while (p->in_length - cursor >= LENGTH_BYTES) {
        uint32_t length = (uint32_t)get_i32(p->in + cursor);
        if (length > sizeof p->in - LENGTH_BYTES || length < 8)
            return false;
        if (p->in_length - cursor - LENGTH_BYTES < length)
            break;
        const uint8_t *request = p->in + cursor + LENGTH_BYTES;
        end = p->established ? answer_request(end, request) : answer_handshake(end, request);
        p->established = true;
        cursor += LENGTH_BYTES + length;
    }
    p->in_length -= cursor;
    memmove(p->in, p->in + cursor, p->in_length);
    send_all(p->fd, out, (size_t)(end - out));
    return true;
}

static int listen_on(uint16_t port, uint16_t *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail_errno("socket");
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t addr_bytes = sizeof addr;
    if (bind(fd, (const struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &addr_bytes) != 0)
        fail_errno("listen");
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

static void accept_all(int listener, int epoll_fd)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct peer *p = malloc(sizeof *p);
        if (p == NULL)
            fail("out of memory");
        p->fd = fd;
        p->established = false;
        p->in_length = 0;
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
            fail_errno("epoll_ctl");
    }
}

int main(int argc, char **argv)
{
    uint16_t port = 0;
    if (argc == 3 && strcmp(argv[1], "--port") == 0)
        port = (uint16_t)strtoul(argv[2], NULL, 10);
    else if (argc != 1)
        fail("usage: bench_nullserver [--port N]");

    raise_file_limit(16384);
    put_i32(get_reply, DATA_BYTES);
    put_i32(get_reply + LENGTH_BYTES + DATA_BYTES + STAT_DATA_LENGTH_AT, DATA_BYTES);

    int listener = listen_on(port, &port);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev) != 0)
        fail_errno("epoll");
    fprintf(stderr, "event=serving port=%d\n", port);

    static struct epoll_event events[EVENTS_MAX];
    for (;;) {
        int got = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < got; i++) {
            struct peer *p = events[i].data.ptr;
            if (p == NULL) {
                accept_all(listener, epoll_fd);
            } else if (!serve(p)) {
                close(p->fd);
                free(p);
            }
        }
    }
}
