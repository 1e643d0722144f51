#include "writer.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void writer_cut(struct writer *w)
{
    if (w->stage != WRITER_CUT)
        close(w->fd);
    if (w->stage >= WRITER_WRITING)
        w->cuts++;
    w->stage = WRITER_CUT;
    w->served = false;
    w->got = 0;
}

static bool send_frame(const struct writer *w, uint8_t *frame, const uint8_t *end)
{
    put_i32(frame, (int32_t)(end - frame) - LENGTH_BYTES);
    return send(w->fd, frame, (size_t)(end - frame), MSG_NOSIGNAL) == end - frame;
}

/* ---- to a server ---- */

void writer_knock(struct writer *w, const struct options *opts, uint64_t now_ns)
{
    w->server = (w->server + 1) % opts->server_count;
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (w->fd < 0)
        fail_errno("socket");
    int one = 1;
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    w->stage = WRITER_CONNECTING;
    w->knocked_ns = now_ns;
    const struct sockaddr_in *server = &opts->servers[w->server];
    if (connect(w->fd, (const struct sockaddr *)server, sizeof *server) != 0 &&
        errno != EINPROGRESS)
        writer_cut(w);
}

/* Connecting to a free port of one's own host can end up connected to oneself. */
static bool is_connected_to_itself(const struct writer *w, const struct options *opts)
{
    struct sockaddr_in self;
    socklen_t self_bytes = sizeof self;
    return getsockname(w->fd, (struct sockaddr *)&self, &self_bytes) != 0 ||
           self.sin_port == opts->servers[w->server].sin_port;
}

static void send_handshake(struct writer *w, const struct options *opts)
{
    int error = 0;
    socklen_t error_bytes = sizeof error;
    getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes);
    if (error != 0 || is_connected_to_itself(w, opts)) {
        writer_cut(w);
        return;
    }
    uint8_t frame[CONNECT_REQUEST_BYTES];
    put_connect_request(frame, opts->session_timeout_ms, &w->session);
    w->stage = WRITER_HANDSHAKE;
    if (send(w->fd, frame, sizeof frame, MSG_NOSIGNAL) != (ssize_t)sizeof frame)
        writer_cut(w);
}

static enum writer_news take_handshake(struct writer *w, const uint8_t *frame, uint32_t length)
{
    if (length < CONNECT_REPLY_BYTES_MIN)
        fail("%s: handshake answer of %u bytes", w->path, length);
    int64_t id = get_i64(frame + 8);
    if (id == 0) {
        if (w->session.id == 0)
            fail("%s: the server refused a new session", w->path);
        w->session = (struct session_ticket){.zxid_last = w->session.zxid_last};
        writer_cut(w);
        return WRITER_SESSION_LOST;
    }
    if (w->session.id != 0 && id != w->session.id)
        fail("session %" PRIx64 " became %" PRIx64, (uint64_t)w->session.id, (uint64_t)id);
    w->session.id = id;
    memcpy(w->session.password, frame + 20, PASSWORD_BYTES);
    w->xid = 0;
    w->stage = WRITER_QUIET;
    return WRITER_NOTHING;
}

/* ---- writes ---- */

void writer_write(struct writer *w, const struct options *opts)
{
    uint8_t frame[WRITER_FRAME_BYTES_MAX];
    char data[WRITER_FRAME_BYTES_MAX / 2];
    memset(data, 'x', sizeof data);
    snprintf(data, sizeof data, "%0*" PRIu64, WRITER_NUMBER_DIGITS, ++w->sent);
    data[WRITER_NUMBER_DIGITS] = 'x';

    uint8_t *at = put_i32(frame + LENGTH_BYTES, ++w->xid);
    at = put_i32(at, OP_SET_DATA);
    at = put_set_request(at, w->path, data, opts->data_bytes);
    w->stage = WRITER_WRITING;
    if (!send_frame(w, frame, at))
        writer_cut(w);
}

static void take_answer(struct writer *w, const uint8_t *frame, uint32_t length)
{
    int32_t err = length >= REPLY_HEADER_BYTES ? get_i32(frame + 12) : 0;
    if (length != REPLY_HEADER_BYTES + STAT_BYTES || err != ZK_OK)
        fail("%s: error %d, answer of %u bytes", w->path, err, length);
    if (get_i32(frame) != w->xid)
        fail("%s: xid %d where %d was next", w->path, get_i32(frame), w->xid);
    int64_t zxid = get_i64(frame + 4);
    if (zxid <= w->session.zxid_last)
        fail("%s: the zxid of a write went from %" PRIx64 " to %" PRIx64, w->path,
             (uint64_t)w->session.zxid_last, (uint64_t)zxid);
    w->session.zxid_last = zxid;
    w->acknowledged = w->sent;
    w->served = true;
    w->stage = WRITER_QUIET;
}

/* ---- what comes ---- */

/* The whole frame that answers what was sent, or NULL. Nothing may follow it. */
static const uint8_t *receive_frame(struct writer *w, uint32_t *ret_length)
{
    ssize_t got = recv(w->fd, w->in + w->got, sizeof w->in - w->got, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            writer_cut(w);
        return NULL;
    }
    w->got += (uint32_t)got;
    if (w->got < LENGTH_BYTES)
        return NULL;
    uint32_t length = (uint32_t)get_i32(w->in);
    if (length > sizeof w->in - LENGTH_BYTES)
        fail("%s: frame of %u bytes", w->path, length);
    if (w->got < LENGTH_BYTES + length)
        return NULL;
    if (w->got > LENGTH_BYTES + length || w->stage == WRITER_QUIET)
        fail("%s: more than was asked for", w->path);
    w->got = 0;
    *ret_length = length;
    return w->in + LENGTH_BYTES;
}

enum writer_news writer_advance(struct writer *w, const struct options *opts)
{
    if (w->stage == WRITER_CONNECTING) {
        send_handshake(w, opts);
        return WRITER_NOTHING;
    }
    uint32_t length;
    const uint8_t *frame = receive_frame(w, &length);
    if (frame == NULL)
        return WRITER_NOTHING;
    if (w->stage == WRITER_HANDSHAKE)
        return take_handshake(w, frame, length);
    take_answer(w, frame, length);
    return WRITER_ACKNOWLEDGED;
}

void writer_end(struct writer *w)
{
    if (w->stage == WRITER_QUIET) {
        uint8_t frame[LENGTH_BYTES + 8];
        uint8_t *at = put_i32(frame + LENGTH_BYTES, ++w->xid);
        (void)send_frame(w, frame, put_i32(at, OP_CLOSE_SESSION));
    }
    writer_cut(w);
}
