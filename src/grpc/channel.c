#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "grpc/call_internal.h"
#include "grpc/text.h"

enum {
    CONNECT_MS = 5000,
    DEAD_MS = 60000,             /* a host that is cut off is noticed by TCP */
    NO_RESETS_TO_FEAR = 1 << 30, /* of a server that we have chosen */
};

struct grpc_channel {
    struct grpc_channel_options options;
    struct h2 *h2;
    struct connector *connector; /* NULL: connected, or over */
    char *authority, *tls_host;
};

/* ---- Life ---- */

static void channel_free(struct grpc_channel *ch)
{
    connect_cancel(ch->connector);
    free(ch->authority);
    free(ch->tls_host);
    free(ch);
}

static void on_open(struct h2 *h)
{
    struct grpc_channel *ch = h->owner;
    if (ch->options.on_open != NULL)
        ch->options.on_open(ch->options.arg, ch);
}

static void on_going(struct h2 *h)
{
    struct grpc_channel *ch = h->owner;
    if (ch->options.on_going != NULL)
        ch->options.on_going(ch->options.arg, ch);
}

static void on_end(struct h2 *h, const char *reason)
{
    struct grpc_channel *ch = h->owner;
    ch->options.on_end(ch->options.arg, ch, reason);
    channel_free(ch);
}

static const struct h2_ops h2_ops = {
    .on_open = on_open,
    .on_going = on_going,
    .on_end = on_end,
};

static void on_connected(void *arg, int fd, const struct err *err)
{
    struct grpc_channel *ch = arg;
    ch->connector = NULL;
    if (fd < 0) {
        h2_end(ch->h2, err->text);
        return;
    }
    connect_tune(fd, DEAD_MS);
    h2_attach(ch->h2, fd, ch->options.tls, ch->tls_host);
}

static char *authority_of(const struct grpc_channel_options *o)
{
    char text[300];
    const struct connect_target *first = &o->targets[0];
    if (o->authority != NULL)
        snprintf(text, sizeof text, "%s", o->authority);
    else if (strchr(first->host, ':') != NULL)
        snprintf(text, sizeof text, "[%s]:%d", first->host, first->port);
    else
        snprintf(text, sizeof text, "%s:%d", first->host, first->port);
    return mem_dup(text, strlen(text) + 1);
}

struct grpc_channel *grpc_channel_open(struct loop *l, const struct grpc_channel_options *o)
{
    struct grpc_channel *ch = mem_calloc(1, sizeof *ch);
    ch->options = *o;
    ch->options.targets = NULL; /* the caller's */
    ch->authority = authority_of(o);
    const char *host = o->tls_host != NULL ? o->tls_host : o->targets[0].host;
    ch->tls_host = mem_dup(host, strlen(host) + 1);
    const struct h2_limits limits = {
        .streams_max = 0, /* a server opens none */
        .message_bytes_max =
            o->message_bytes_max > 0 ? o->message_bytes_max : (uint32_t)GRPC_MESSAGE_BYTES_MAX,
        .keepalive_ms = o->keepalive_ms,
        .resets_burst = NO_RESETS_TO_FEAR,
        .resets_per_second = NO_RESETS_TO_FEAR,
        .continuations_max = 8,
    };
    ch->h2 = h2_new(l, false, &limits, &h2_ops, ch, NULL);
    int64_t timeout_ms = o->connect_timeout_ms > 0 ? o->connect_timeout_ms : CONNECT_MS;
    ch->h2->open_by_ms = h2_now_ms(ch->h2) + timeout_ms;
    h2_arm(ch->h2, ch->h2->open_by_ms);
    ch->connector = connect_start(l, o->targets, o->target_count, timeout_ms, on_connected, ch);
    return ch;
}

void grpc_channel_close(struct grpc_channel *ch)
{
    if (ch == NULL)
        return;
    h2_abandon(ch->h2, GRPC_CANCELLED);
    channel_free(ch);
}

size_t grpc_channel_calls(const struct grpc_channel *ch)
{
    return ch->h2->call_count;
}

/* ---- Calls ---- */

struct request_headers {
    nghttp2_nv *list;
    size_t count;
    struct metadata metadata;
    char timeout[TIMEOUT_TEXT_BYTES];
};

enum {
    HEADERS_OF_REQUEST = 8
};

static void make_headers(struct request_headers *h, const struct grpc_channel *ch,
                         const struct grpc_request *r)
{
    for (size_t i = 0; i < r->metadata_count; i++)
        metadata_add(&h->metadata, r->metadata[i].key, r->metadata[i].value);
    h->list = mem_alloc((HEADERS_OF_REQUEST + h->metadata.count) * sizeof h->list[0]);
    h->list[h->count++] = header_of(":method", "POST");
    h->list[h->count++] = header_of(":scheme", ch->options.tls != NULL ? "https" : "http");
    h->list[h->count++] = header_of_bytes(":path", r->path, strlen(r->path));
    h->list[h->count++] = header_of_bytes(":authority", ch->authority, strlen(ch->authority));
    h->list[h->count++] = header_of("te", "trailers");
    h->list[h->count++] = header_of("content-type", "application/grpc");
    h->list[h->count++] = header_of("user-agent", "grpc-caucus/" CAUCUS_VERSION);
    if (r->timeout_ms > 0)
        h->list[h->count++] =
            header_of_bytes("grpc-timeout", h->timeout, timeout_print(r->timeout_ms, h->timeout));
    for (size_t i = 0; i < h->metadata.count; i++)
        h->list[h->count++] = metadata_header(&h->metadata, i);
}

static void submit(struct grpc_channel *ch, struct grpc_call *c, const struct grpc_request *r)
{
    struct request_headers headers = {.count = 0};
    make_headers(&headers, ch, r);
    rpc_submit_request(c, headers.list, headers.count);
    metadata_deinit(&headers.metadata);
    free(headers.list);
}

struct grpc_call *grpc_call_start(struct grpc_channel *ch, const struct grpc_request *r)
{
    struct grpc_call *c = rpc_new(ch->h2, false);
    c->handlers = r->handlers;
    c->context = r->arg;
    if (ch->h2->going || ch->h2->ended) {
        c->refused = true;
        rpc_end(c, GRPC_UNAVAILABLE, "the server goes away");
        return c;
    }
    if (r->timeout_ms > 0)
        rpc_set_deadline(c, r->timeout_ms);
    submit(ch, c, r);
    return c;
}

/* ---- One message there, one back ---- */

struct unary {
    grpc_reply_fn *done;
    void *arg;
    struct buf reply;
    uint32_t replies;
};

static void on_reply(struct grpc_call *c, struct slice message)
{
    struct unary *u = grpc_call_context(c);
    if (u->replies++ == 0)
        buf_put_slice(&u->reply, message);
    else
        rpc_fail(c, GRPC_UNIMPLEMENTED, "the server has sent more than one reply");
}

static void on_unary_end(struct grpc_call *c, const struct grpc_status *status)
{
    struct unary *u = grpc_call_context(c);
    struct grpc_status told = *status;
    if (told.code == GRPC_OK && u->replies == 0) {
        told.code = GRPC_UNIMPLEMENTED;
        told.message = slice_str("the server has sent no reply");
    }
    struct slice reply = u->reply.len > 0 ? buf_slice(&u->reply) : slice_str("");
    u->done(u->arg, &told, told.code == GRPC_OK ? reply : slice_of(NULL, 0));
    buf_deinit(&u->reply);
    free(u);
}

static const struct grpc_handlers unary_handlers = {
    .on_message = on_reply,
    .on_end = on_unary_end,
};

void grpc_unary(struct grpc_channel *ch, const char *path, struct slice request, int64_t timeout_ms,
                grpc_reply_fn *done, void *arg)
{
    struct unary *u = mem_calloc(1, sizeof *u);
    u->done = done;
    u->arg = arg;
    const struct grpc_request r = {
        .path = path,
        .timeout_ms = timeout_ms,
        .handlers = &unary_handlers,
        .arg = u,
    };
    struct grpc_call *c = grpc_call_start(ch, &r);
    grpc_call_send(c, request);
    grpc_call_half_close(c);
}
