#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "grpc/call_internal.h"

/* ---- Memory: as ours, nothing is ever refused ---- */

static void *give(size_t bytes, void *user)
{
    (void)user;
    return mem_alloc(bytes);
}

static void take_back(void *ptr, void *user)
{
    (void)user;
    free(ptr);
}

static void *give_zeroed(size_t count, size_t bytes, void *user)
{
    (void)user;
    return mem_calloc(count, bytes);
}

static void *give_more(void *ptr, size_t bytes, void *user)
{
    (void)user;
    return mem_realloc(ptr, bytes);
}

/* ---- What comes ---- */

/* A table of our own: nghttp2 has one, but in its queue of streams that have not begun a call could
 * not be forgotten without looking at all of it. */
static struct grpc_call *find_call(const struct h2 *h, int32_t stream)
{
    return stream > 0 ? map_get(&h->streams, (uint64_t)stream) : NULL;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    (void)session;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    if (h->is_server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        struct grpc_call *c = rpc_new(h, true);
        rpc_set_stream(c, frame->hd.stream_id);
    }
    struct grpc_call *c = find_call(h, frame->hd.stream_id);
    if (c != NULL && !(h->is_server && c->begun))
        rpc_begin_heads(c);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    (void)session;
    (void)flags;
    struct h2 *h = user;
    struct grpc_call *c = find_call(h, frame->hd.stream_id);
    /* A client's trailer has no meaning in gRPC. */
    if (c != NULL && !(c->is_server && frame->headers.cat != NGHTTP2_HCAT_REQUEST))
        rpc_on_header(c, slice_of(name, name_len), slice_of(value, value_len));
    return 0;
}

static void on_heads(struct h2 *h, struct grpc_call *c, const nghttp2_frame *frame)
{
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!h->is_server)
        rpc_on_heads(c, end);
    else if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        h->ops->on_request(h, c);
}

/* What does not begin new streams goes to its own. */
static void on_stream_frame(struct h2 *h, const nghttp2_frame *frame)
{
    struct grpc_call *c = find_call(h, frame->hd.stream_id);
    if (c == NULL)
        return;
    if (frame->hd.type == NGHTTP2_HEADERS)
        on_heads(h, c, frame);
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        rpc_on_peer_done(c);
}

static void on_settings(struct h2 *h, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 || h->opened)
        return;
    h->opened = true;
    h->open_by_ms = DEADLINE_NONE;
    if (h->limits.keepalive_ms > 0)
        h2_arm(h, h->heard_ms + h->limits.keepalive_ms);
    if (h->owner != NULL && h->ops->on_open != NULL)
        h->ops->on_open(h);
}

/* Whoever has answered the PING behind the notice has read the notice, and what it began before has
 * come. */
static void on_ping(struct h2 *h, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0 || h->drain != DRAIN_NOTICE)
        return;
    h->drain = DRAIN_FINAL;
    nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(h->session), NGHTTP2_NO_ERROR,
                          NULL, 0);
}

/* nghttp2 closes the streams that the server will not serve; those that have not even left are
 * ours. */
static void on_goaway(struct h2 *h)
{
    bool first = !h->going;
    h->going = true;
    for (struct list *at = h->calls.next; at != &h->calls; at = at->next) {
        struct grpc_call *c = list_entry(at, struct grpc_call, all);
        if (c->is_server || c->headers_sent || c->ending)
            continue;
        c->refused = true;
        rpc_end(c, GRPC_UNAVAILABLE, "the server goes away");
    }
    if (first && h->owner != NULL && h->ops->on_going != NULL)
        h->ops->on_going(h);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        on_stream_frame(h, frame);
        break;
    case NGHTTP2_SETTINGS:
        on_settings(h, frame);
        break;
    case NGHTTP2_PING:
        on_ping(h, frame);
        break;
    case NGHTTP2_GOAWAY:
        on_goaway(h);
        break;
    default:
        break;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                   size_t len, void *user)
{
    (void)flags;
    struct h2 *h = user;
    struct grpc_call *c = find_call(h, stream);
    if (c != NULL)
        rpc_on_data(c, slice_of(bytes, len));
    else
        nghttp2_session_consume(session, stream, len);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
    (void)session;
    struct h2 *h = user;
    struct grpc_call *c = find_call(h, stream);
    if (c != NULL)
        rpc_on_stream_closed(c, error);
    return 0;
}

/* ---- What has left ---- */

/* A server that has ended early wants to hear no more; without this the client would go on. Who
 * does not speak gRPC is spared: some take it for a failure of what they have been answered. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    (void)session;
    struct grpc_call *c =
        frame->hd.type == NGHTTP2_HEADERS ? find_call(h, frame->hd.stream_id) : NULL;
    if (c == NULL)
        return 0;
    c->headers_sent = true;
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (h->is_server && end && !c->peer_done && c->heads.is_grpc)
        rpc_reset(c, NGHTTP2_NO_ERROR);
    return 0;
}

/* ---- The session ---- */

static nghttp2_session_callbacks *callbacks_new(void)
{
    nghttp2_session_callbacks *cb = NULL;
    int rc = nghttp2_session_callbacks_new(&cb);
    invariant(rc == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
    return cb;
}

static nghttp2_option *options_new(const struct h2_limits *limits)
{
    nghttp2_option *o = NULL;
    int rc = nghttp2_option_new(&o);
    invariant(rc == 0);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_peer_max_concurrent_streams(o, 0); /* until the server has said how many */
    nghttp2_option_set_max_settings(o, H2_SETTINGS_MAX);
    nghttp2_option_set_max_continuations(o, limits->continuations_max);
    nghttp2_option_set_stream_reset_rate_limit(o, limits->resets_burst, limits->resets_per_second);
    return o;
}

static void submit_settings(struct h2 *h)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h->limits.streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, GRPC_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_HEADER_BYTES_MAX},
    };
    size_t count = sizeof settings / sizeof settings[0];
    /* The first entry is a client's only. */
    size_t from = h->is_server ? 1 : 0;
    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings + from, count - from);
    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, GRPC_WINDOW);
}

nghttp2_session *h2_session_new(struct h2 *h)
{
    nghttp2_mem memory = {NULL, give, take_back, give_zeroed, give_more};
    nghttp2_session_callbacks *cb = callbacks_new();
    nghttp2_option *o = options_new(&h->limits);
    int rc = h->is_server ? nghttp2_session_server_new3(&h->session, cb, h, o, &memory)
                          : nghttp2_session_client_new3(&h->session, cb, h, o, &memory);
    invariant(rc == 0);
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(cb);
    submit_settings(h);
    return h->session;
}
