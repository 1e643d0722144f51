#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "grpc/call_internal.h"
#include "grpc/text.h"

/* ---- Life ---- */

/* Two references: the stream's, and that of the end that is to be told, which a turn drops as the
 * last it does for the call. So whatever runs on behalf of a call that was not told need not hold
 * it. */
struct grpc_call *rpc_new(struct h2 *h, bool is_server)
{
    struct grpc_call *c = mem_calloc(1, sizeof *c);
    c->h2 = h;
    c->is_server = is_server;
    c->refs = 2;
    c->stream = -1;
    c->message_bytes_max = h->limits.message_bytes_max;
    c->deadline.at_ms = DEADLINE_NONE;
    c->code = GRPC_UNKNOWN;
    list_init(&c->later);
    list_append(&h->calls, &c->all);
    h->call_count++;
    if (h->counts != NULL) {
        h->counts->calls++;
        h->counts->calls_total++;
    }
    return c;
}

static void rpc_free(struct grpc_call *c)
{
    metadata_deinit(&c->metadata);
    metadata_deinit(&c->trailer);
    metadata_deinit(&c->reply);
    metadata_deinit(&c->reply_trailer);
    buf_deinit(&c->in);
    buf_deinit(&c->out);
    buf_deinit(&c->message);
    free(c);
}

void rpc_unref(struct grpc_call *c)
{
    invariant(c->refs > 0);
    if (--c->refs == 0)
        rpc_free(c);
}

void grpc_call_hold(struct grpc_call *c)
{
    c->refs++;
}

void grpc_call_release(struct grpc_call *c)
{
    rpc_unref(c);
}

bool grpc_call_is_over(const struct grpc_call *c)
{
    return c->over;
}

void grpc_call_set_context(struct grpc_call *c, void *context)
{
    c->context = context;
}

void *grpc_call_context(const struct grpc_call *c)
{
    return c->context;
}

/* ---- What a turn does ---- */

void rpc_later(struct grpc_call *c, enum call_work work)
{
    if (c->told)
        return;
    c->work |= (uint8_t)work;
    list_remove(&c->later);
    list_append(&c->h2->later, &c->later);
    h2_wake(c->h2);
}

static void tell_room(struct grpc_call *c)
{
    if (!c->wants_room || c->over || grpc_call_unsent(c) >= GRPC_ROOM_BYTES)
        return;
    c->wants_room = false;
    if (c->handlers != NULL && c->handlers->on_room != NULL)
        c->handlers->on_room(c);
}

static void forget_input(struct grpc_call *c)
{
    c->h2->parts_bytes -= c->in.len;
    h2_drop(c->h2, c->in.len);
    if (c->unread > 0)
        nghttp2_session_consume_connection(c->h2->session, c->unread);
    c->unread = 0;
    buf_deinit(&c->in);
}

static void tell_end(struct grpc_call *c)
{
    forget_input(c);
    rpc_forget_output(c);
    deadlines_remove(&c->h2->deadlines, &c->deadline);
    list_remove(&c->all);
    list_remove(&c->later);
    c->h2->call_count--;
    if (c->h2->counts != NULL)
        c->h2->counts->calls--;
    c->told = true;
    c->h2 = NULL;
    struct grpc_status status = {c->code, buf_slice(&c->message), c->refused};
    bool known = !c->is_server || c->begun;
    if (known && c->handlers != NULL && c->handlers->on_end != NULL)
        c->handlers->on_end(c, &status);
    rpc_unref(c);
}

void rpc_do_work(struct grpc_call *c)
{
    uint8_t work = c->work;
    c->work = 0;
    if ((work & WORK_READ) != 0)
        rpc_read(c);
    if ((work & WORK_ROOM) != 0)
        tell_room(c);
    if ((work & WORK_END) != 0)
        tell_end(c);
}

/* ---- The end ---- */

void rpc_set_status(struct grpc_call *c, int code, struct slice message)
{
    if (message.len > GRPC_STATUS_MESSAGE_BYTES_MAX)
        message.len = GRPC_STATUS_MESSAGE_BYTES_MAX;
    c->code = code;
    buf_clear(&c->message);
    buf_put_slice(&c->message, message);
}

void rpc_set_stream(struct grpc_call *c, int32_t stream)
{
    c->stream = stream;
    map_put(&c->h2->streams, (uint64_t)stream, c);
}

/* What nghttp2 says of it is nobody's business any more. */
static void leave_stream(struct grpc_call *c)
{
    if (c->closed)
        return;
    c->closed = true;
    if (c->stream >= 0)
        map_remove(&c->h2->streams, (uint64_t)c->stream);
    rpc_unref(c);
}

static void note_end(struct grpc_call *c)
{
    c->over = true;
    if (c->ending)
        return;
    c->ending = true;
    rpc_later(c, WORK_END);
}

void rpc_end(struct grpc_call *c, int code, const char *message)
{
    if (c->ending)
        return;
    rpc_set_status(c, code, slice_str(message));
    note_end(c);
    if (!c->is_server)
        leave_stream(c);
}

void rpc_reset(struct grpc_call *c, uint32_t error)
{
    if (!c->closed && c->stream >= 0)
        nghttp2_submit_rst_stream(c->h2->session, NGHTTP2_FLAG_NONE, c->stream, error);
    h2_wake(c->h2);
}

/* A server says it in the trailer, if that can be sent at once; the stream's close is the end. */
static void fail_server(struct grpc_call *c, int code, const char *message)
{
    bool was_over = c->over;
    if (!was_over && grpc_call_unsent(c) == 0) {
        grpc_call_finish(c, code, message);
        return;
    }
    c->over = true;
    if (!was_over)
        rpc_set_status(c, code, slice_str(message));
    rpc_reset(c, NGHTTP2_CANCEL);
}

void rpc_fail(struct grpc_call *c, int code, const char *message)
{
    if (c->ending)
        return;
    if (c->is_server) {
        fail_server(c, code, message);
        return;
    }
    rpc_reset(c, NGHTTP2_CANCEL);
    rpc_end(c, code, message);
}

void rpc_lost(struct grpc_call *c, int code, const char *reason)
{
    if (c->ending)
        return;
    c->refused = !c->is_server && !c->headers_sent;
    if (!c->over)
        rpc_set_status(c, code, slice_str(reason));
    note_end(c);
    leave_stream(c);
}

void rpc_on_stream_closed(struct grpc_call *c, uint32_t error)
{
    if (c->is_server) {
        if (!c->over)
            rpc_set_status(c, GRPC_CANCELLED, slice_str("the client has cancelled"));
        note_end(c);
    } else if (!c->ending && !c->peer_done) {
        c->refused = error == NGHTTP2_REFUSED_STREAM;
        rpc_set_status(c, code_of_reset(error), slice_str("the server has reset the stream"));
        note_end(c);
    }
    leave_stream(c);
}

void grpc_call_cancel(struct grpc_call *c)
{
    if (c->over)
        return;
    if (c->is_server) {
        c->over = true;
        rpc_set_status(c, GRPC_CANCELLED, slice_str("cancelled"));
        rpc_reset(c, NGHTTP2_CANCEL);
        return;
    }
    rpc_reset(c, NGHTTP2_CANCEL);
    rpc_end(c, GRPC_CANCELLED, "cancelled");
}

/* ---- Time ---- */

void rpc_set_deadline(struct grpc_call *c, int64_t timeout_ms)
{
    int64_t at_ms = h2_now_ms(c->h2) + timeout_ms;
    deadlines_add(&c->h2->deadlines, &c->deadline, at_ms);
    h2_arm(c->h2, at_ms);
}

int64_t grpc_call_left_ms(const struct grpc_call *c)
{
    if (c->deadline.at_ms == DEADLINE_NONE)
        return INT64_MAX;
    if (c->h2 == NULL)
        return 0;
    int64_t left = c->deadline.at_ms - h2_now_ms(c->h2);
    return left > 0 ? left : 0;
}

/* ---- Looks ---- */

const struct grpc_metadata *grpc_call_metadata(const struct grpc_call *c, size_t *ret_count)
{
    *ret_count = c->metadata.count;
    return c->metadata.entries;
}

const struct grpc_metadata *grpc_call_trailer(const struct grpc_call *c, size_t *ret_count)
{
    *ret_count = c->trailer.count;
    return c->trailer.entries;
}

bool grpc_call_find_metadata(const struct grpc_call *c, const char *key, struct slice *ret_value)
{
    return metadata_find(&c->metadata, key, ret_value);
}

bool grpc_call_peer_subject(const struct grpc_call *c, struct buf *out)
{
    const struct tls_link *link =
        c->h2 != NULL && c->h2->conn != NULL ? conn_tls(c->h2->conn) : NULL;
    return link != NULL && tls_peer_subject(link, out);
}

const char *grpc_call_peer_address(const struct grpc_call *c)
{
    return c->h2 != NULL ? c->h2->address : "";
}
