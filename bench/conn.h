/* conn.h: client connections to a ZooKeeper server, many in one thread.
 *
 * A conn is a non-blocking socket with one buffer each way. Requests are appended to
 * `out` and leave together in one send; what came in one recv is parsed in place.
 * A fleet is an array of conns with one epoll. Everything that goes wrong ends the
 * program (fail): a load that carries on after an error measures something else.
 * Memory: conn_fleet_open allocates, conn_fleet_close frees. */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include "jute.h"
#include "machine.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conn_state {
    CONN_CONNECTING,
    CONN_HANDSHAKE,
    CONN_READY,
    CONN_CLOSED
};

struct conn {
    int fd;
    enum conn_state state;
    uint32_t index;
    bool waits_for_room; /* the socket took only part of out: EPOLLOUT is asked for */

    uint8_t *in;
    uint32_t in_length;
    uint32_t in_capacity;
    uint8_t *out;
    uint32_t out_length;
    uint32_t out_sent;
    uint32_t out_capacity;

    int32_t xid_next;     /* of the next request */
    int32_t xid_expected; /* of the next reply */
    int64_t zxid_last;    /* replies of one session never go back */
    int64_t session_id;
    int32_t timeout_ms; /* as the server negotiated it */
    void *user;         /* for whoever owns the fleet */
};

struct fleet_options {
    const struct sockaddr_in *servers; /* connections take them in turn */
    int server_count;
    int count;
    int window; /* sessions being opened at once */
    int timeout_ms;
    uint32_t in_bytes;
    uint32_t out_bytes;
    /* A connection is reported once for what has come, not until it is read: half the work of
     * epoll. Whoever reads it must have room for all that can come. */
    bool edges;
};

struct fleet {
    struct conn *conns;
    int count;
    int epoll_fd;
    uint32_t readable; /* what epoll is asked for */
};

/* Opens all sessions, `window` at a time, and returns when all are established. */
void conn_fleet_open(struct fleet *f, const struct fleet_options *opts);

/* Sends closeSession on all, waits for the answers, frees everything. */
void conn_fleet_close(struct fleet *f);

/* Waits for up to a tenth of a second. Returns how many conns (data.ptr of the first
 * events) can be read; a conn whose output was stuck is flushed here. */
struct epoll_event;
int conn_fleet_wait(struct fleet *f, struct epoll_event *events, int events_max);

/* Reads what there is. Fails if the server has closed the connection. */
void conn_receive(struct conn *c);

/* The next whole frame (without its length), or NULL. *cursor starts at 0; when NULL
 * comes, call conn_consume(c, *cursor). */
static inline const uint8_t *conn_next_frame(const struct conn *c, uint32_t *cursor,
                                             uint32_t *ret_length)
{
    uint32_t left = c->in_length - *cursor;
    if (left < LENGTH_BYTES)
        return NULL;
    const uint8_t *at = c->in + *cursor;
    uint32_t length = (uint32_t)get_i32(at);
    if (length > c->in_capacity - LENGTH_BYTES)
        fail("connection %u: frame of %d bytes", c->index, (int)length);
    if (left - LENGTH_BYTES < length)
        return NULL;
    *cursor += LENGTH_BYTES + length;
    *ret_length = length;
    return at + LENGTH_BYTES;
}

static inline void conn_consume(struct conn *c, uint32_t cursor)
{
    c->in_length -= cursor;
    if (c->in_length > 0)
        memmove(c->in, c->in + cursor, c->in_length);
}

/* Room for `bytes` more of output; conn_commit says how many of them were used. */
static inline uint8_t *conn_reserve(struct conn *c, uint32_t bytes)
{
    if (c->out_capacity - c->out_length < bytes)
        fail("connection %u: output buffer of %u bytes is full", c->index, c->out_capacity);
    return c->out + c->out_length;
}

static inline void conn_commit(struct conn *c, uint32_t bytes)
{
    c->out_length += bytes;
}

/* Sends what is in out, as far as the socket takes it. */
void conn_flush(struct fleet *f, struct conn *c);

/* Checks the header of the reply to the oldest request without an answer: its xid, and that
 * zxids do not go back. Returns err. */
static inline int32_t conn_check_reply(struct conn *c, const uint8_t *frame, uint32_t length)
{
    if (length < REPLY_HEADER_BYTES)
        fail("connection %u: reply of %u bytes", c->index, length);
    int32_t xid = get_i32(frame);
    if (xid != c->xid_expected)
        fail("connection %u: reply to request %d where %d was next", c->index, xid,
             c->xid_expected);
    c->xid_expected++;
    int64_t zxid = get_i64(frame + 4);
    if (zxid < c->zxid_last)
        fail("connection %u: zxid went back from %lx to %lx", c->index, (unsigned long)c->zxid_last,
             (unsigned long)zxid);
    c->zxid_last = zxid;
    return get_i32(frame + 12);
}

/* One request and its answer, in lock step, on a conn with nothing in flight. `body` is
 * the request record. Returns err; *ret_length is the length of the record that follows the
 * header, which lies in c->in until the next call. */
int32_t conn_call(struct fleet *f, struct conn *c, int32_t opcode, const uint8_t *body,
                  uint32_t body_bytes, const uint8_t **ret_record, uint32_t *ret_length);

/* The request records used for set-up. They return the end of what they wrote. */
uint8_t *put_create_request(uint8_t *at, const char *path, const void *data, size_t data_bytes);
uint8_t *put_get_request(uint8_t *at, const char *path, bool watch);
uint8_t *put_set_request(uint8_t *at, const char *path, const void *data, size_t data_bytes);
uint8_t *put_sync_request(uint8_t *at, const char *path);

/* What a client needs to go on with its session on another server; zeros: a new one. */
struct session_ticket {
    int64_t id;
    int64_t zxid_last; /* the newest it has seen: no server that is behind will take it */
    uint8_t password[PASSWORD_BYTES];
};

/* The whole ConnectRequest, with its length. */
enum {
    CONNECT_REQUEST_BYTES = LENGTH_BYTES + 4 + 8 + 4 + 8 + 4 + PASSWORD_BYTES + 1
};
void put_connect_request(uint8_t *at, int32_t timeout_ms, const struct session_ticket *ticket);

#endif
