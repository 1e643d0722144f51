#include "server/console_writer.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/server.h"
#include "wire/frame.h"
#include "wire/records.h"
#include "wire/zk.h"

enum {
    SESSION_MS = 10000,
    REPLY_BYTES_MAX = 64 * 1024,
    XID_AUTH = -4,
};

enum stage {
    STAGE_CONNECTING,
    STAGE_SHOWING,
    STAGE_WRITING,
    STAGE_OVER,
};

struct console_writer {
    struct conn *conn;
    enum stage stage;
    struct buf credentials, request;
    int32_t op;
    console_written *done;
    void *arg;
};

/* ---- What is said ---- */

static void send_frame(struct console_writer *w, const struct buf *body)
{
    uint8_t length[FRAME_HEADER_BYTES];
    store_be32(length, (uint32_t)body->len);
    conn_send(w->conn, length, sizeof length);
    conn_send(w->conn, body->ptr, body->len);
}

static void send_request(struct console_writer *w, int32_t xid, int32_t type, struct slice record)
{
    struct buf body = {0};
    rec_put_request_header(&body, &(struct rec_request_header){.xid = xid, .type = type});
    buf_put_slice(&body, record);
    send_frame(w, &body);
    buf_deinit(&body);
}

static void send_connect(struct console_writer *w)
{
    static const uint8_t no_password[16] = {0};
    struct buf body = {0};
    rec_put_connect_request(
        &body, &(struct rec_connect_request){.time_out = SESSION_MS,
                                             .passwd = slice_of(no_password, sizeof no_password),
                                             .has_read_only = true});
    send_frame(w, &body);
    buf_deinit(&body);
}

static void send_auth(struct console_writer *w)
{
    struct buf record = {0};
    buf_put_i32(&record, 0);
    rec_put_slice(&record, slice_str("digest"));
    rec_put_slice(&record, buf_slice(&w->credentials));
    send_request(w, XID_AUTH, ZK_OP_AUTH, buf_slice(&record));
    buf_deinit(&record);
}

/* ---- What is heard ---- */

static void writer_free(struct console_writer *w)
{
    buf_deinit(&w->credentials);
    buf_deinit(&w->request);
    free(w);
}

/* The connection goes its own way from here. */
static void finish(struct console_writer *w, int32_t outcome)
{
    console_written *done = w->done;
    void *arg = w->arg;
    if (w->conn != NULL) {
        w->conn->owner = NULL;
        conn_close(w->conn);
    }
    writer_free(w);
    done(arg, outcome);
}

/* Nothing was asked for yet, or nobody knows what became of it. */
static int32_t lost(const struct console_writer *w)
{
    return w->stage < STAGE_WRITING ? CONSOLE_WRITE_REFUSED : CONSOLE_WRITE_UNKNOWN;
}

static void on_reply(struct console_writer *w, struct slice frame)
{
    struct dec d = dec_of(frame);
    struct rec_connect_response session;
    struct rec_reply_header reply;
    if (w->stage == STAGE_CONNECTING) {
        if (!rec_get_connect_response(&d, &session) || session.time_out <= 0) {
            finish(w, CONSOLE_WRITE_REFUSED);
            return;
        }
        w->stage = STAGE_SHOWING;
        send_auth(w);
        return;
    }
    if (!rec_get_reply_header(&d, &reply)) {
        finish(w, lost(w));
        return;
    }
    if (w->stage == STAGE_SHOWING && reply.xid == XID_AUTH && reply.err == 0) {
        w->stage = STAGE_WRITING;
        send_request(w, 1, w->op, buf_slice(&w->request));
    } else if (w->stage == STAGE_SHOWING) {
        finish(w, CONSOLE_WRITE_REFUSED);
    } else {
        send_request(w, 2, ZK_OP_CLOSE_SESSION, slice_str(""));
        finish(w, reply.err);
    }
}

static size_t on_bytes(struct conn *c, struct slice bytes, size_t *ret_want)
{
    struct slice rest = bytes, frame;
    while (c->owner != NULL) {
        switch (frame_next(&rest, REPLY_BYTES_MAX, &frame)) {
        case FRAME_MORE:
            *ret_want = frame_bytes_wanted(rest);
            return bytes.len - rest.len;
        case FRAME_BAD:
            finish(c->owner, lost(c->owner));
            return bytes.len;
        case FRAME_WHOLE:
            on_reply(c->owner, frame);
            break;
        }
    }
    return bytes.len;
}

static void on_end(struct conn *c, const char *reason)
{
    (void)reason;
    struct console_writer *w = c->owner;
    if (w == NULL)
        return;
    w->conn = NULL;
    finish(w, lost(w));
}

struct console_writer *console_writer_start(struct server *s, const struct console_write *write,
                                            console_written *done, void *arg)
{
    static const struct conn_ops ops = {.on_bytes = on_bytes, .on_end = on_end};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return NULL;
    struct console_writer *w = mem_calloc(1, sizeof *w);
    w->conn = conn_open(&s->loop, pair[1], &ops, w);
    if (w->conn == NULL) {
        close(pair[0]);
        free(w);
        return NULL;
    }
    w->op = write->op;
    w->done = done;
    w->arg = arg;
    buf_put_slice(&w->credentials, write->credentials);
    buf_put_slice(&w->request, write->record);
    send_connect(w);
    clients_take(s, pair[0], (const struct sockaddr *)write->browser);
    return w;
}

void console_writer_cancel(struct console_writer *w)
{
    if (w == NULL)
        return;
    w->conn->owner = NULL;
    conn_close(w->conn);
    writer_free(w);
}
