#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "grpc/call_internal.h"
#include "tls/link.h"

enum {
    GATHER_BYTES = 32 * 1024 /* small frames leave together */
};

static void on_idle(uv_idle_t *handle);
static void on_timer(uv_timer_t *timer);

/* ---- Life ---- */

struct h2 *h2_new(struct loop *l, bool is_server, const struct h2_limits *limits,
                  const struct h2_ops *ops, void *owner, struct grpc_server_counts *counts)
{
    struct h2 *h = mem_calloc(1, sizeof *h);
    h->loop = l;
    h->is_server = is_server;
    h->limits = *limits;
    h->ops = ops;
    h->owner = owner;
    h->counts = counts;
    h->lost_code = is_server ? GRPC_CANCELLED : GRPC_UNAVAILABLE;
    h->timer_ms = h->open_by_ms = DEADLINE_NONE;
    map_init(&h->streams, uv_hrtime());
    list_init(&h->all);
    list_init(&h->calls);
    list_init(&h->later);
    uv_idle_init(&l->uv, &h->idle);
    uv_timer_init(&l->uv, &h->timer);
    h->idle.data = h->timer.data = h;
    h->handles_open = 2;
    h->session = h2_session_new(h);
    h->heard_ms = h2_now_ms(h);
    return h;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct h2 *h = handle->data;
    if (--h->handles_open == 0)
        free(h);
}

int64_t h2_now_ms(const struct h2 *h)
{
    return (int64_t)uv_now(&h->loop->uv);
}

void h2_wake(struct h2 *h)
{
    if (uv_is_active((uv_handle_t *)&h->idle) == 0)
        uv_idle_start(&h->idle, on_idle);
}

void h2_end(struct h2 *h, const char *reason)
{
    if (h->ended)
        return;
    h->ended = true;
    snprintf(h->reason, sizeof h->reason, "%s", reason);
    h2_wake(h);
}

void h2_abandon(struct h2 *h, int code)
{
    h->owner = NULL;
    h->lost_code = code;
    h2_end(h, "closed");
}

/* ---- The connection below ---- */

/* What a server that we took for one of HTTP/2 begins with; NULL: it may be one. */
static const char *mistaken(struct slice first)
{
    if (first.len == 0)
        return NULL;
    if (tls_is_spoken(first.ptr[0]))
        return "the server speaks TLS";
    bool http_1 = first.len >= 5 && memcmp(first.ptr, "HTTP/", 5) == 0;
    return http_1 ? "the server speaks HTTP/1 here, not gRPC" : NULL;
}

static size_t on_bytes(struct conn *c, struct slice bytes, size_t *ret_want)
{
    struct h2 *h = c->owner;
    *ret_want = 0;
    if (h->ended)
        return bytes.len;
    const char *wrong = h->is_server || h->heard ? NULL : mistaken(bytes);
    if (wrong != NULL) {
        h2_end(h, wrong);
        return bytes.len;
    }
    h->heard = true;
    h->heard_ms = h2_now_ms(h);
    h->asked_ms = 0;
    ssize_t used = nghttp2_session_mem_recv(h->session, bytes.ptr, bytes.len);
    if (used < 0)
        h2_end(h, nghttp2_strerror((int)used));
    h2_wake(h);
    return bytes.len;
}

static void on_conn_end(struct conn *c, const char *reason)
{
    struct h2 *h = c->owner;
    h->conn = NULL;
    /* Servers of TLS do that with who does not speak it. */
    bool dumb = !h->is_server && !h->secure && !h->heard;
    h2_end(h, dumb ? "the server has closed without a word: does it want TLS?" : reason);
}

static void on_room(struct conn *c)
{
    struct h2 *h = c->owner;
    h->wants_room = false;
    h2_wake(h);
}

static const struct conn_ops conn_ops = {
    .on_bytes = on_bytes,
    .on_end = on_conn_end,
    .on_room = on_room,
};

void h2_attach(struct h2 *h, int fd, struct tls_context *tls, const char *host)
{
    h->secure = tls != NULL;
    if (tls == NULL)
        h->conn = conn_open(h->loop, fd, &conn_ops, h);
    else if (h->is_server)
        h->conn = conn_open_secure(h->loop, fd, tls, false, &conn_ops, h);
    else
        h->conn = conn_open_secure_client(h->loop, fd, tls, host, &conn_ops, h);
    if (h->conn == NULL) {
        h2_end(h, "the connection cannot be polled");
        return;
    }
    conn_be_link(h->conn); /* flow control says what may wait, not the connection */
    h->heard_ms = h2_now_ms(h);
    h2_wake(h);
}

/* ---- Time ---- */

void h2_arm(struct h2 *h, int64_t at_ms)
{
    if (at_ms >= h->timer_ms)
        return;
    int64_t now = h2_now_ms(h);
    h->timer_ms = at_ms;
    uv_timer_start(&h->timer, on_timer, at_ms > now ? (uint64_t)(at_ms - now) : 0, 0);
}

static void look_at_deadlines(struct h2 *h, int64_t now)
{
    for (;;) {
        struct deadline *first = deadlines_first(&h->deadlines);
        if (first == NULL)
            return;
        if (first->at_ms > now) {
            h2_arm(h, first->at_ms);
            return;
        }
        deadlines_remove(&h->deadlines, first);
        rpc_fail(list_entry(first, struct grpc_call, deadline), GRPC_DEADLINE_EXCEEDED,
                 "the deadline has passed");
    }
}

bool h2_is_greedy(const struct h2 *h, uint64_t all, uint64_t own, uint64_t max)
{
    return all > max && own > max / h->counts->connections;
}

void h2_keep(struct h2 *h, size_t bytes)
{
    h->kept_bytes += bytes;
    if (h->counts != NULL)
        h->counts->kept_bytes += bytes;
}

void h2_drop(struct h2 *h, size_t bytes)
{
    h->kept_bytes -= bytes;
    if (h->counts != NULL)
        h->counts->kept_bytes -= bytes;
}

bool h2_keeps_too_much(const struct h2 *h, size_t more)
{
    return h->counts != NULL && h2_is_greedy(h, h->counts->kept_bytes + more, h->kept_bytes + more,
                                             h->limits.kept_bytes_max);
}

/* Whatever it sends: what it was sent would wait for ever. */
static bool does_not_read(const struct h2 *h, int64_t now)
{
    return h->wants_room && now - h->full_ms >= 2 * (int64_t)h->limits.keepalive_ms;
}

/* A peer that has vanished says nothing, and TCP notices only if something is sent. */
static void look_at_peer(struct h2 *h, int64_t now)
{
    int64_t patience = h->limits.keepalive_ms;
    if (patience == 0 || h->conn == NULL || h->open_by_ms != DEADLINE_NONE)
        return;
    if (h->asked_ms == 0 && now - h->heard_ms >= patience) {
        nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
        h->asked_ms = now;
        h2_wake(h);
    } else if (h->asked_ms != 0 && now - h->asked_ms >= patience) {
        h2_end(h, "the peer does not answer");
        return;
    }
    if (does_not_read(h, now)) {
        h2_end(h, "the peer does not read");
        return;
    }
    h2_arm(h, (h->asked_ms != 0 ? h->asked_ms : h->heard_ms) + patience);
}

static void on_timer(uv_timer_t *timer)
{
    struct h2 *h = timer->data;
    h->timer_ms = DEADLINE_NONE;
    int64_t now = h2_now_ms(h);
    if (now >= h->open_by_ms)
        h2_end(h, "the peer does not speak HTTP/2");
    if (h->ended)
        return;
    if (h->open_by_ms != DEADLINE_NONE)
        h2_arm(h, h->open_by_ms);
    look_at_deadlines(h, now);
    look_at_peer(h, now);
}

/* ---- Turns ---- */

/* Those that are noted now; what they lead to has the next turn, which shall not wait: we come
 * before the poll, which may sleep. */
static void do_work(struct h2 *h)
{
    if (!list_is_empty(&h->later))
        loop_again(h->loop);
    struct list now;
    list_init(&now);
    struct list *one;
    while ((one = list_take(&h->later)) != NULL)
        list_append(&now, one);
    while ((one = list_take(&now)) != NULL)
        rpc_do_work(list_entry(one, struct grpc_call, later));
}

/* Whoever causes frames (answers to PING and SETTINGS, refusals) and does not read them is not
 * listened to until he does. */
static void stop_listening(struct h2 *h)
{
    if (h->stuffed || nghttp2_session_get_outbound_queue_size(h->session) < H2_WAITING_FRAMES_MAX)
        return;
    h->stuffed = true;
    conn_pause(h->conn, 1);
}

static bool is_full(struct h2 *h)
{
    if (conn_unsent(h->conn) < CONN_ROOM_BYTES)
        return false;
    h->wants_room = true;
    h->full_ms = h2_now_ms(h);
    conn_want_room(h->conn);
    stop_listening(h);
    return true;
}

static void send_output(struct h2 *h)
{
    uint8_t gathered[GATHER_BYTES];
    size_t len = 0;
    const uint8_t *frame;
    ssize_t n = 0;
    while (!is_full(h) && (n = nghttp2_session_mem_send(h->session, &frame)) > 0) {
        if ((size_t)n > sizeof gathered - len) {
            conn_send(h->conn, gathered, len);
            len = 0;
        }
        if ((size_t)n > sizeof gathered) {
            conn_send(h->conn, frame, (size_t)n);
        } else {
            memcpy(gathered + len, frame, (size_t)n);
            len += (size_t)n;
        }
    }
    conn_send(h->conn, gathered, len);
    if (n < 0)
        h2_end(h, nghttp2_strerror((int)n));
}

static bool is_drained(const struct h2 *h)
{
    return h->drain == DRAIN_FINAL && h->call_count == 0 &&
           nghttp2_session_want_write(h->session) == 0;
}

static void exchange(struct h2 *h)
{
    if (h->conn == NULL || h->wants_room)
        return;
    send_output(h);
    if (h->stuffed && !h->wants_room) {
        h->stuffed = false;
        conn_resume(h->conn, 1);
    }
    bool over = h->drain != DRAIN_NOTICE && nghttp2_session_want_read(h->session) == 0 &&
                nghttp2_session_want_write(h->session) == 0;
    if (over || is_drained(h))
        h2_end(h, h->going ? "the peer ended it" : "it ended by agreement");
}

/* A word to the peer, if it still listens; what was sent before goes first. */
static void say_goodbye(struct h2 *h)
{
    if (h->conn == NULL)
        return;
    nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
    if (!h->wants_room)
        send_output(h);
    conn_close(h->conn);
    h->conn = NULL;
}

static void leave(struct h2 *h)
{
    for (struct list *at = h->calls.next; at != &h->calls; at = at->next)
        rpc_lost(list_entry(at, struct grpc_call, all), h->lost_code, h->reason);
    say_goodbye(h);
    do_work(h);
    loop_again(h->loop);
    if (h->owner != NULL)
        h->ops->on_end(h, h->reason);
    h->owner = NULL;
    /* Calls that were begun by the last callbacks. */
    for (struct list *at = h->calls.next; at != &h->calls; at = at->next)
        rpc_lost(list_entry(at, struct grpc_call, all), h->lost_code, h->reason);
    while (!list_is_empty(&h->later))
        do_work(h);
    nghttp2_session_del(h->session);
    deadlines_deinit(&h->deadlines);
    map_deinit(&h->streams);
    uv_close((uv_handle_t *)&h->idle, on_handle_closed);
    uv_close((uv_handle_t *)&h->timer, on_handle_closed);
}

static void on_idle(uv_idle_t *handle)
{
    struct h2 *h = handle->data;
    uv_idle_stop(handle);
    if (!h->ended)
        do_work(h);
    if (!h->ended)
        exchange(h);
    if (h->ended)
        leave(h);
}

/* ---- Ending well ---- */

void h2_begin_drain(struct h2 *h)
{
    if (h->drain != DRAIN_NO || h->ended)
        return;
    h->drain = DRAIN_NOTICE;
    nghttp2_submit_shutdown_notice(h->session);
    nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
    h2_wake(h);
}
