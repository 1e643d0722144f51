#include "raw.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"

enum {
    FRAME_AT = LENGTH_BYTES,
    BODY_AT = FRAME_AT + 8, /* of a request: behind xid and opcode */
    RECORD_AT = FRAME_AT + REPLY_HEADER_BYTES,
    REQUEST_BYTES_MAX = 256,
};

static void send_all(struct raw *r, const uint8_t *bytes, size_t count)
{
    if (send(r->fd, bytes, count, MSG_NOSIGNAL) != (ssize_t)count)
        fail_errno("send");
}

/* One frame, most often in one recv. */
static void receive(struct raw *r)
{
    uint32_t have = 0, need = LENGTH_BYTES;
    while (have < need) {
        ssize_t n = recv(r->fd, r->in + have, sizeof r->in - have, 0);
        if (n <= 0)
            fail("the server closed the connection");
        have += (uint32_t)n;
        if (have >= LENGTH_BYTES)
            need = LENGTH_BYTES + (uint32_t)get_i32(r->in);
        if (need > sizeof r->in)
            fail("a frame of %u bytes", need);
    }
    if (have > need)
        fail("more than was asked for");
    r->length = need;
}

void raw_open(struct raw *r, int port, int timeout_ms)
{
    static const struct session_ticket new_session;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    *r = (struct raw){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (r->fd < 0 || connect(r->fd, (const struct sockaddr *)&server, sizeof server) != 0)
        fail_errno("connect");
    setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);

    uint8_t greeting[CONNECT_REQUEST_BYTES];
    put_connect_request(greeting, timeout_ms, &new_session);
    send_all(r, greeting, sizeof greeting);
    receive(r);
    if (r->length < LENGTH_BYTES + CONNECT_REPLY_BYTES_MIN || get_i32(r->in + FRAME_AT + 4) <= 0)
        fail("the server gave no session");
}

/* `body` stands at `frame + BODY_AT` and ends at `end`. */
static void call(struct raw *r, int32_t op, uint8_t *frame, const uint8_t *end)
{
    put_i32(frame, (int32_t)(end - frame) - LENGTH_BYTES);
    put_i32(frame + FRAME_AT, op == OP_CLOSE_SESSION ? 0 : ++r->xid);
    put_i32(frame + FRAME_AT + 4, op);
    send_all(r, frame, (size_t)(end - frame));
}

/* Of the answer to the last call. */
static int32_t receive_error(struct raw *r, const char *what, const char *path)
{
    receive(r);
    if (r->length < RECORD_AT || get_i32(r->in + FRAME_AT) != r->xid)
        fail("%s %s: a wrong answer", what, path);
    return get_i32(r->in + FRAME_AT + 12);
}

static void receive_ok(struct raw *r, const char *what, const char *path)
{
    int32_t error = receive_error(r, what, path);
    if (error != ZK_OK)
        fail("%s %s: error %d", what, path, error);
}

static void get(struct raw *r, const char *path, bool watch)
{
    uint8_t frame[REQUEST_BYTES_MAX];
    call(r, OP_GET_DATA, frame, put_get_request(frame + BODY_AT, path, watch));
    receive_ok(r, "getData", path);
}

void raw_get(struct raw *r, const char *path, int32_t data_bytes)
{
    get(r, path, false);
    uint32_t wanted = RECORD_AT + LENGTH_BYTES + (uint32_t)data_bytes + STAT_BYTES;
    if (r->length != wanted || get_i32(r->in + RECORD_AT) != data_bytes)
        fail("getData %s: %u bytes, not %u", path, r->length, wanted);
}

void raw_set(struct raw *r, const char *path, const uint8_t *data, size_t data_bytes)
{
    uint8_t frame[REQUEST_BYTES_MAX];
    call(r, OP_SET_DATA, frame, put_set_request(frame + BODY_AT, path, data, data_bytes));
    receive_ok(r, "setData", path);
}

void raw_create(struct raw *r, const char *path, const uint8_t *data, size_t data_bytes)
{
    uint8_t frame[REQUEST_BYTES_MAX];
    call(r, OP_CREATE, frame, put_create_request(frame + BODY_AT, path, data, data_bytes));
    int32_t error = receive_error(r, "create", path);
    if (error != ZK_OK && error != ZK_NODEEXISTS)
        fail("create %s: error %d", path, error);
}

void raw_sync(struct raw *r, const char *path)
{
    uint8_t frame[REQUEST_BYTES_MAX];
    call(r, OP_SYNC, frame, put_sync_request(frame + BODY_AT, path));
    receive_ok(r, "sync", path);
}

void raw_watch(struct raw *r, const char *path)
{
    get(r, path, true);
}

void raw_wait_event(struct raw *r)
{
    receive(r);
    if (r->length < RECORD_AT || get_i32(r->in + FRAME_AT) != XID_NOTIFICATION)
        fail("not an event");
}

void raw_close(struct raw *r)
{
    uint8_t frame[BODY_AT];
    call(r, OP_CLOSE_SESSION, frame, frame + BODY_AT);
    receive(r);
    close(r->fd);
}
