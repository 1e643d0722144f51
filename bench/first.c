/* first.c: when does a server that is just starting give its first answer?
 *
 * Runs before the server does, and knocks every 200 us. What counts is an answer to a
 * read, not an open port: a server may listen long before it can serve. */
#include "conn.h"
#include "modes.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    KNOCK_EVERY_NS = 200 * 1000,
    GIVE_UP_AFTER_S = 120,
    ANSWER_WITHIN_S = 60,
    FRAME_BYTES_MAX = 2048,
};

/* Sends a request and waits for its answer; false when the server is not ready for it. */
static bool exchange(int fd, const uint8_t *request, size_t request_bytes,
                     uint8_t reply[static FRAME_BYTES_MAX], uint32_t *ret_length)
{
    if (send(fd, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes)
        return false;
    if (recv(fd, reply, LENGTH_BYTES, MSG_WAITALL) != LENGTH_BYTES)
        return false;
    uint32_t length = (uint32_t)get_i32(reply);
    if (length > FRAME_BYTES_MAX)
        fail("frame of %u bytes", length);
    if (recv(fd, reply, length, MSG_WAITALL) != (ssize_t)length)
        return false;
    *ret_length = length;
    return true;
}

static bool knock(int fd, const struct options *opts)
{
    if (connect(fd, (const struct sockaddr *)&opts->server, sizeof opts->server) != 0)
        return false;
    /* Connecting to a free ephemeral port of one's own host can connect to oneself. */
    struct sockaddr_in self;
    socklen_t self_bytes = sizeof self;
    getsockname(fd, (struct sockaddr *)&self, &self_bytes);
    if (self.sin_port == opts->server.sin_port)
        return false;

    uint8_t request[FRAME_BYTES_MAX];
    uint8_t reply[FRAME_BYTES_MAX];
    uint32_t length = 0;
    put_connect_request(request, opts->session_timeout_ms);
    if (!exchange(fd, request, CONNECT_REQUEST_BYTES, reply, &length))
        return false;
    if (length < CONNECT_REPLY_BYTES_MIN || get_i64(reply + 8) == 0)
        fail("the server refused the session");

    uint8_t *at = put_i32(request + LENGTH_BYTES, 1);
    at = put_i32(at, OP_GET_DATA);
    at = put_get_request(at, opts->path, false);
    put_i32(request, (int32_t)(at - request) - LENGTH_BYTES);
    if (!exchange(fd, request, (size_t)(at - request), reply, &length))
        return false;
    if (length < REPLY_HEADER_BYTES || get_i32(reply) != 1)
        fail("a wrong reply");
    if (get_i32(reply + 12) != ZK_OK)
        fail("get %s: error %d", opts->path, get_i32(reply + 12));
    return true;
}

void mode_first_answer(const struct options *opts)
{
    if (strlen(opts->path) > FRAME_BYTES_MAX / 2)
        fail("the path is too long");
    uint64_t give_up_ns = clock_now_ns() + GIVE_UP_AFTER_S * 1000000000ull;
    for (uint64_t attempts = 1;; attempts++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            fail_errno("socket");
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct timeval patience = {.tv_sec = ANSWER_WITHIN_S};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        bool answered = knock(fd, opts);
        uint64_t now_ns = clock_now_ns();
        close(fd);
        if (answered) {
            printf("{\"mode\":\"first-answer\",\"answered_at_ns\":%" PRIu64 ",\"attempts\":%" PRIu64
                   "}\n",
                   now_ns, attempts);
            return;
        }
        if (now_ns > give_up_ns)
            fail("no answer in %d s", GIVE_UP_AFTER_S);
        struct timespec nap = {.tv_nsec = KNOCK_EVERY_NS};
        nanosleep(&nap, NULL);
    }
}
