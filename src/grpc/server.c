#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "grpc/call_internal.h"

enum {
    CONNECTIONS_MAX = 10000,
    RESETS_BURST = 1000,
    RESETS_PER_SECOND = 100,
    CONTINUATIONS_MAX = 8,
};

struct grpc_server {
    struct loop *loop;
    struct grpc_server_options options;
    struct h2_limits limits;
    struct listener *listener;
    struct grpc_method methods[GRPC_METHODS_MAX];
    size_t path_lens[GRPC_METHODS_MAX];
    size_t method_count;
    struct list connections;
    struct grpc_server_counts counts;

    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
    uv_timer_t drain;
};

/* ---- Methods ---- */

/* Up to and without the last slash: "/package.Service". */
static struct slice service_of(struct slice path)
{
    size_t len = path.len;
    while (len > 0 && path.ptr[len - 1] != '/')
        len--;
    return slice_of(path.ptr, len > 0 ? len - 1 : 0);
}

static void on_path(struct h2 *h, struct grpc_call *c, struct slice path)
{
    const struct grpc_server *s = h->owner;
    for (size_t i = 0; i < s->method_count; i++) {
        if (s->path_lens[i] == path.len && memcmp(s->methods[i].path, path.ptr, path.len) == 0) {
            c->method = &s->methods[i];
            c->handlers = c->method->handlers;
            if (c->method->message_bytes_max > 0)
                c->message_bytes_max = c->method->message_bytes_max;
            return;
        }
        c->service_known |=
            slice_eq(service_of(path), service_of(slice_of(s->methods[i].path, s->path_lens[i])));
    }
}

void grpc_server_add(struct grpc_server *s, const struct grpc_method *m)
{
    invariant(s->method_count < GRPC_METHODS_MAX);
    for (size_t i = 0; i < s->method_count; i++)
        invariant(strcmp(s->methods[i].path, m->path) != 0);
    invariant(m->unary != NULL || (m->call != NULL && m->handlers != NULL));
    s->path_lens[s->method_count] = strlen(m->path);
    s->methods[s->method_count++] = *m;
}

/* ---- Requests ---- */

/* NULL: it may begin. */
static const char *wrong_http(const struct grpc_call *c)
{
    return !c->heads.is_post ? "405" : !c->heads.is_grpc ? "415" : NULL;
}

static bool is_one_too_many(const struct h2 *h)
{
    return h2_is_greedy(h, h->counts->calls, h->call_count, h->limits.calls_max);
}

/* A refusal is kept until it is read. */
static void turn_away(struct h2 *h, struct grpc_call *c)
{
    rpc_fail(c, GRPC_RESOURCE_EXHAUSTED, "too many calls are open");
    if (h->wants_room)
        h2_end(h, "too many calls, and their answers are not read");
}

static bool refuse(struct grpc_call *c)
{
    const struct call_heads *heads = &c->heads;
    if (heads->too_big)
        rpc_fail(c, GRPC_RESOURCE_EXHAUSTED, "the metadata are too long");
    else if (c->method == NULL)
        rpc_fail(c, GRPC_UNIMPLEMENTED,
                 c->service_known ? "the service has no such method" : "no such service");
    else if (heads->encoded)
        rpc_fail(c, GRPC_UNIMPLEMENTED, "compressed messages are not taken");
    else if (heads->bad_timeout)
        rpc_fail(c, GRPC_INTERNAL, "grpc-timeout is no time");
    else if (heads->timeout_ms == 0)
        rpc_fail(c, GRPC_DEADLINE_EXCEEDED, "the deadline has passed");
    else
        return false;
    return true;
}

static void on_request(struct h2 *h, struct grpc_call *c)
{
    if (is_one_too_many(h)) {
        turn_away(h, c);
        return;
    }
    const char *status = wrong_http(c);
    if (status != NULL) {
        rpc_refuse_http(c, status);
        return;
    }
    if (refuse(c))
        return;
    c->begun = true;
    if (c->heads.timeout_ms > 0)
        rpc_set_deadline(c, c->heads.timeout_ms);
    if (c->method->call != NULL)
        c->method->call(c->method->arg, c);
}

/* ---- Connections ---- */

static void look_if_closed(struct grpc_server *s);

static void on_end(struct h2 *h, const char *reason)
{
    (void)reason;
    struct grpc_server *s = h->owner;
    list_remove(&h->all);
    s->counts.connections--;
    h->owner = NULL;
    look_if_closed(s);
}

static const struct h2_ops h2_ops = {
    .on_path = on_path,
    .on_request = on_request,
    .on_end = on_end,
};

static void on_accept(void *arg, int fd, const struct sockaddr *peer)
{
    struct grpc_server *s = arg;
    if (s->counts.connections >= s->options.connections_max) {
        s->counts.refused_connections_total++;
        close(fd);
        return;
    }
    struct h2 *h = h2_new(s->loop, true, &s->limits, &h2_ops, s, &s->counts);
    list_append(&s->connections, &h->all);
    s->counts.connections++;
    listen_address_text(peer, h->address);
    h->open_by_ms = h2_now_ms(h) + H2_OPEN_MS_MAX;
    h2_arm(h, h->open_by_ms);
    h2_attach(h, fd, s->options.tls, NULL);
}

static void on_trouble(void *arg, int error)
{
    const struct grpc_server *s = arg;
    if (s->options.on_trouble != NULL)
        s->options.on_trouble(s->options.arg, error);
}

/* ---- Life ---- */

static uint32_t or_else(uint32_t given, uint32_t usual)
{
    return given > 0 ? given : usual;
}

int grpc_server_open(struct loop *l, const struct grpc_server_options *o, struct grpc_server **ret,
                     struct err *err)
{
    struct grpc_server *s = mem_calloc(1, sizeof *s);
    s->loop = l;
    s->options = *o;
    s->options.connections_max = or_else(o->connections_max, CONNECTIONS_MAX);
    s->limits = (struct h2_limits){
        .streams_max = or_else(o->streams_max, GRPC_STREAMS_MAX),
        .message_bytes_max = or_else(o->message_bytes_max, GRPC_MESSAGE_BYTES_MAX),
        .keepalive_ms = or_else(o->keepalive_ms, H2_KEEPALIVE_MS),
        .resets_burst = or_else(o->resets_burst, RESETS_BURST),
        .resets_per_second = or_else(o->resets_per_second, RESETS_PER_SECOND),
        .continuations_max = or_else(o->continuations_max, CONTINUATIONS_MAX),
        .calls_max = or_else(o->calls_max, GRPC_CALLS_MAX),
        .kept_bytes_max = o->kept_bytes_max > 0 ? o->kept_bytes_max : GRPC_KEPT_BYTES_MAX,
    };
    list_init(&s->connections);
    const struct listener_options listen = {
        .address = o->address,
        .port = o->port,
        .on_accept = on_accept,
        .on_trouble = on_trouble,
        .arg = s,
    };
    int rc = listener_open(l, &listen, &s->listener, err);
    if (rc < 0) {
        free(s);
        return rc;
    }
    uv_timer_init(&l->uv, &s->drain);
    s->drain.data = s;
    *ret = s;
    return 0;
}

int grpc_server_port(const struct grpc_server *s)
{
    return listener_port(s->listener);
}

struct grpc_server_counts grpc_server_counts(const struct grpc_server *s)
{
    return s->counts;
}

/* ---- Closing ---- */

static void on_drain_closed(uv_handle_t *handle)
{
    struct grpc_server *s = handle->data;
    loop_again(s->loop);
    if (s->closed != NULL)
        s->closed(s->closed_arg);
    free(s);
}

static void look_if_closed(struct grpc_server *s)
{
    if (s->closing && list_is_empty(&s->connections) &&
        uv_is_closing((uv_handle_t *)&s->drain) == 0)
        uv_close((uv_handle_t *)&s->drain, on_drain_closed);
}

static void end_calls(struct h2 *h)
{
    for (struct list *at = h->calls.next; at != &h->calls; at = at->next)
        rpc_fail(list_entry(at, struct grpc_call, all), GRPC_UNAVAILABLE, "the server stops");
    h2_end(h, "the server stops");
}

static void on_drained(uv_timer_t *timer)
{
    struct grpc_server *s = timer->data;
    for (struct list *at = s->connections.next; at != &s->connections; at = at->next)
        end_calls(list_entry(at, struct h2, all));
}

void grpc_server_close(struct grpc_server *s, int64_t drain_ms, void (*closed)(void *arg),
                       void *arg)
{
    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    listener_close(s->listener);
    s->listener = NULL;
    for (struct list *at = s->connections.next; at != &s->connections; at = at->next)
        h2_begin_drain(list_entry(at, struct h2, all));
    uv_timer_start(&s->drain, on_drained, drain_ms > 0 ? (uint64_t)drain_ms : 0, 0);
    look_if_closed(s);
}
