#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "grpc/call_internal.h"
#include "grpc/frame.h"
#include "grpc/text.h"

enum {
    OUT_KEEP_BYTES = 4096 /* a buffer that was sent is kept up to this size */
};

static ssize_t on_read(nghttp2_session *session, int32_t stream, uint8_t *ret, size_t len,
                       uint32_t *ret_flags, nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)source;
    const struct h2 *h = user;
    struct grpc_call *c = map_get(&h->streams, (uint64_t)stream);
    return c != NULL ? rpc_give_data(c, ret, len, ret_flags)
                     : (ssize_t)NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static const nghttp2_data_provider provider = {.read_callback = on_read};

/* ---- Messages ---- */

size_t grpc_call_unsent(const struct grpc_call *c)
{
    return c->told ? 0 : c->out.len - c->out_at;
}

void grpc_call_want_room(struct grpc_call *c)
{
    if (c->over)
        return;
    c->wants_room = true;
    if (grpc_call_unsent(c) < GRPC_ROOM_BYTES)
        rpc_later(c, WORK_ROOM);
}

static void make_room(struct grpc_call *c)
{
    if (c->out_at == 0 || c->out_at < c->out.len / 2)
        return;
    c->out.len -= c->out_at;
    memmove(c->out.ptr, c->out.ptr + c->out_at, c->out.len);
    c->out_at = 0;
}

static void go_on(struct grpc_call *c)
{
    if (c->deferred) {
        c->deferred = false;
        nghttp2_session_resume_data(c->h2->session, c->stream);
    }
    h2_wake(c->h2);
}

void grpc_call_send(struct grpc_call *c, struct slice message)
{
    if (c->over || c->done)
        return;
    if (grpc_call_unsent(c) + message.len > GRPC_UNSENT_BYTES_MAX ||
        h2_keeps_too_much(c->h2, message.len)) {
        rpc_fail(c, GRPC_RESOURCE_EXHAUSTED, "the peer does not read what is sent to it");
        return;
    }
    make_room(c);
    size_t before = c->out.len;
    grpc_frame_put(&c->out, message);
    h2_keep(c->h2, c->out.len - before);
    if (c->h2->counts != NULL)
        c->h2->counts->messages_out_total++;
    if (c->is_server)
        grpc_call_send_headers(c);
    go_on(c);
}

static void forget_sent(struct grpc_call *c)
{
    if (c->out_at < c->out.len)
        return;
    c->out_at = c->out.len = 0;
    if (c->out.cap > OUT_KEEP_BYTES)
        buf_deinit(&c->out);
}

void rpc_forget_output(struct grpc_call *c)
{
    h2_drop(c->h2, c->out.len - c->out_at);
    buf_deinit(&c->out);
    c->out_at = 0;
}

static void submit_trailer(struct grpc_call *c);

ssize_t rpc_give_data(struct grpc_call *c, uint8_t *ret, size_t len, uint32_t *ret_flags)
{
    size_t unsent = c->out.len - c->out_at;
    if (unsent == 0 && !c->done) {
        c->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t n = unsent < len ? unsent : len;
    if (n > 0)
        memcpy(ret, c->out.ptr + c->out_at, n);
    c->out_at += n;
    h2_drop(c->h2, n);
    forget_sent(c);
    if (c->wants_room && grpc_call_unsent(c) < GRPC_ROOM_BYTES)
        rpc_later(c, WORK_ROOM);
    if (c->done && c->out.len == c->out_at) {
        c->sent_all = true;
        *ret_flags |= NGHTTP2_DATA_FLAG_EOF;
        if (c->is_server) {
            *ret_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            submit_trailer(c);
        }
    }
    return (ssize_t)n;
}

/* ---- Headers of a server ---- */

struct headers {
    nghttp2_nv *list;
    size_t count;
};

static struct headers headers_new(size_t max)
{
    return (struct headers){mem_alloc(max * sizeof(nghttp2_nv)), 0};
}

static void headers_put(struct headers *h, nghttp2_nv one)
{
    h->list[h->count++] = one;
}

static void headers_put_metadata(struct headers *h, const struct metadata *m)
{
    for (size_t i = 0; i < m->count; i++)
        headers_put(h, metadata_header(m, i));
}

enum {
    HEADS_OF_REPLY = 2,
    HEADS_OF_STATUS = 3,
};

static void put_reply(struct headers *h, const struct grpc_call *c)
{
    headers_put(h, header_of(":status", "200"));
    headers_put(h, header_of("content-type", "application/grpc"));
    headers_put_metadata(h, &c->reply);
}

/* `text` is needed until the headers are submitted. */
static void put_status(struct headers *h, const struct grpc_call *c, struct buf *text)
{
    buf_printf(text, "%d", c->code);
    size_t digits = text->len;
    percent_encode(buf_slice(&c->message), text);
    headers_put(h, header_of_bytes("grpc-status", text->ptr, digits));
    if (text->len > digits)
        headers_put(h, header_of_bytes("grpc-message", text->ptr + digits, text->len - digits));
    if (c->heads.encoded)
        headers_put(h, header_of("grpc-accept-encoding", "identity"));
    headers_put_metadata(h, &c->reply_trailer);
}

void grpc_call_send_headers(struct grpc_call *c)
{
    if (!c->is_server || c->headers_sent || c->over)
        return;
    c->headers_sent = true;
    struct headers h = headers_new(HEADS_OF_REPLY + c->reply.count);
    put_reply(&h, c);
    nghttp2_submit_response(c->h2->session, c->stream, h.list, h.count, &provider);
    free(h.list);
    h2_wake(c->h2);
}

static void submit_trailer(struct grpc_call *c)
{
    struct buf text = {0};
    struct headers h = headers_new(HEADS_OF_STATUS + c->reply_trailer.count);
    put_status(&h, c, &text);
    nghttp2_submit_trailer(c->h2->session, c->stream, h.list, h.count);
    free(h.list);
    buf_deinit(&text);
}

/* Nothing was sent before: the end is all there is, in one frame. */
static void submit_end(struct grpc_call *c)
{
    c->headers_sent = true;
    c->sent_all = true;
    struct buf text = {0};
    struct headers h =
        headers_new(HEADS_OF_REPLY + HEADS_OF_STATUS + c->reply.count + c->reply_trailer.count);
    put_reply(&h, c);
    put_status(&h, c, &text);
    nghttp2_submit_response(c->h2->session, c->stream, h.list, h.count, NULL);
    free(h.list);
    buf_deinit(&text);
    h2_wake(c->h2);
}

void grpc_call_add_metadata(struct grpc_call *c, const char *key, struct slice value)
{
    if (c->is_server && !c->headers_sent)
        metadata_add(&c->reply, slice_str(key), value);
}

void grpc_call_add_trailer(struct grpc_call *c, const char *key, struct slice value)
{
    if (c->is_server && !c->over)
        metadata_add(&c->reply_trailer, slice_str(key), value);
}

void grpc_call_finish(struct grpc_call *c, int code, const char *message)
{
    if (!c->is_server || c->over)
        return;
    c->over = c->done = true;
    rpc_set_status(c, code, slice_str(message != NULL ? message : ""));
    if (c->headers_sent)
        go_on(c);
    else
        submit_end(c);
}

void grpc_call_reply(struct grpc_call *c, struct slice message)
{
    grpc_call_send(c, message);
    grpc_call_finish(c, GRPC_OK, NULL);
}

void rpc_refuse_http(struct grpc_call *c, const char *status)
{
    nghttp2_nv header = header_of(":status", status);
    c->headers_sent = c->over = c->done = c->sent_all = true;
    nghttp2_submit_response(c->h2->session, c->stream, &header, 1, NULL);
    h2_wake(c->h2);
}

/* ---- A client's ---- */

void rpc_submit_request(struct grpc_call *c, const nghttp2_nv *headers, size_t count)
{
    int32_t stream = nghttp2_submit_request(c->h2->session, NULL, headers, count, &provider, NULL);
    if (stream < 0) {
        c->refused = true;
        rpc_end(c, GRPC_UNAVAILABLE, "the connection takes no new calls");
        return;
    }
    rpc_set_stream(c, stream);
    h2_wake(c->h2);
}

void grpc_call_half_close(struct grpc_call *c)
{
    if (c->is_server || c->over || c->done)
        return;
    c->done = true;
    go_on(c);
}
