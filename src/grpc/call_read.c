#include <string.h>

#include "base/mem.h"
#include "grpc/call_internal.h"
#include "grpc/frame.h"

/* What cannot be a message ends the call. */
static void refuse(struct grpc_call *c, enum grpc_frame_verdict verdict);

static void deliver(struct grpc_call *c, struct slice message)
{
    if (c->h2->counts != NULL)
        c->h2->counts->messages_in_total++;
    c->handlers->on_message(c, message);
}

/* Delivers what is whole, returns what is used up. */
static size_t take_messages(struct grpc_call *c, struct slice bytes)
{
    size_t at = 0;
    while (!c->paused && !c->over) {
        struct slice message;
        size_t used;
        enum grpc_frame_verdict verdict =
            grpc_frame_next(slice_from(bytes, at), c->message_bytes_max, &message, &used);
        if (verdict == GRPC_FRAME_PART)
            return at;
        if (verdict != GRPC_FRAME_WHOLE) {
            refuse(c, verdict);
            break;
        }
        at += used;
        deliver(c, message);
    }
    return c->over ? bytes.len : at;
}

/* The one request of a unary call is taken when it is certain that there is no second one. */
static size_t take_request(struct grpc_call *c, struct slice bytes)
{
    struct slice message;
    size_t used;
    enum grpc_frame_verdict verdict = grpc_frame_next(bytes, c->message_bytes_max, &message, &used);
    if (verdict == GRPC_FRAME_WHOLE && used < bytes.len) {
        rpc_fail(c, GRPC_UNIMPLEMENTED, "the method takes one request");
        return bytes.len;
    }
    if (verdict == GRPC_FRAME_PART || (verdict == GRPC_FRAME_WHOLE && !c->peer_done))
        return 0;
    if (verdict == GRPC_FRAME_WHOLE) {
        if (c->h2->counts != NULL)
            c->h2->counts->messages_in_total++;
        c->half_close_told = true;
        c->method->unary(c->method->arg, c, message);
    } else {
        refuse(c, verdict);
    }
    return bytes.len;
}

static size_t take(struct grpc_call *c, struct slice bytes)
{
    if (c->over)
        return bytes.len;
    return c->is_server && c->method->unary != NULL ? take_request(c, bytes)
                                                    : take_messages(c, bytes);
}

static void refuse(struct grpc_call *c, enum grpc_frame_verdict verdict)
{
    if (verdict == GRPC_FRAME_TOO_BIG)
        rpc_fail(c, GRPC_RESOURCE_EXHAUSTED, "the message is too long");
    else if (verdict == GRPC_FRAME_COMPRESSED)
        rpc_fail(c, c->is_server ? GRPC_UNIMPLEMENTED : GRPC_INTERNAL,
                 "compressed messages are not taken");
    else
        rpc_fail(c, GRPC_INTERNAL, "the message has flags that do not exist");
}

/* The peer may send as much again as has been delivered, or belongs to a message that is not whole:
 * that one has a maximum of its own. What has piled up behind a pause is not acknowledged. */
static void acknowledge(struct grpc_call *c)
{
    if (c->unread == 0 || (c->paused && !c->over))
        return;
    if (c->closed)
        nghttp2_session_consume_connection(c->h2->session, c->unread);
    else
        nghttp2_session_consume(c->h2->session, c->stream, c->unread);
    c->unread = 0;
}

/* ---- The end of what the peer sends ---- */

static void end_of_requests(struct grpc_call *c)
{
    if (c->over || c->half_close_told)
        return;
    if (c->in.len > 0) {
        rpc_fail(c, GRPC_INTERNAL, "the last message is not whole");
        return;
    }
    if (c->method->unary != NULL) {
        rpc_fail(c, GRPC_UNIMPLEMENTED, "the method takes one request");
        return;
    }
    c->half_close_told = true;
    if (c->handlers->on_half_close != NULL)
        c->handlers->on_half_close(c);
}

static void end_of_replies(struct grpc_call *c)
{
    if (c->ending)
        return;
    if (c->in.len > 0 && c->code == GRPC_OK)
        rpc_set_status(c, GRPC_INTERNAL, slice_str("the last message is not whole"));
    if (!c->sent_all) /* the server wants nothing more of us */
        rpc_reset(c, NGHTTP2_NO_ERROR);
    struct buf message = c->message;
    c->message = (struct buf){0};
    buf_put_u8(&message, 0);
    rpc_end(c, c->code, (const char *)message.ptr);
    buf_deinit(&message);
}

static void look_at_end(struct grpc_call *c)
{
    if (!c->peer_done || c->paused)
        return;
    if (c->is_server)
        end_of_requests(c);
    else
        end_of_replies(c);
}

/* ---- Input ---- */

static void keep(struct grpc_call *c, struct slice rest)
{
    buf_put_slice(&c->in, rest);
    c->h2->parts_bytes += rest.len;
    h2_keep(c->h2, rest.len);
    if (c->h2->parts_bytes > GRPC_PARTS_BYTES_MAX || (rest.len > 0 && h2_keeps_too_much(c->h2, 0)))
        rpc_fail(c, GRPC_RESOURCE_EXHAUSTED, "too many messages that are not whole");
}

static void drop_front(struct grpc_call *c, size_t used)
{
    if (used == 0)
        return;
    c->h2->parts_bytes -= used;
    h2_drop(c->h2, used);
    c->in.len -= used;
    if (c->in.len > 0)
        memmove(c->in.ptr, c->in.ptr + used, c->in.len);
    else
        buf_deinit(&c->in);
}

void rpc_read(struct grpc_call *c)
{
    if (c->ending)
        return;
    if (c->in.len > 0)
        drop_front(c, take(c, buf_slice(&c->in)));
    acknowledge(c);
    look_at_end(c);
}

void rpc_on_data(struct grpc_call *c, struct slice bytes)
{
    c->unread += bytes.len;
    if (c->over || c->h2->ended) {
        acknowledge(c);
        return;
    }
    if (c->in.len == 0) {
        keep(c, slice_from(bytes, take(c, bytes)));
        acknowledge(c);
    } else {
        keep(c, bytes);
        rpc_read(c);
    }
}

void rpc_on_peer_done(struct grpc_call *c)
{
    if (c->peer_done)
        return;
    c->peer_done = true;
    rpc_read(c);
}

/* ---- Pauses ---- */

void grpc_call_pause(struct grpc_call *c)
{
    c->paused = true;
}

void grpc_call_resume(struct grpc_call *c)
{
    if (!c->paused)
        return;
    c->paused = false;
    if (!c->ending)
        rpc_later(c, WORK_READ);
}
