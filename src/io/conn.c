#include "io/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/prefetch.h"

enum {
    LAST_WORDS_MAX = 16, /* reads */
    IN_CAP_MIN = 256,
    OUT_CAP_MIN = 4096,
};

static void on_poll(uv_poll_t *handle, int status, int events);

/* ---- life ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    slab_free(&c->loop->conn_slab, c, sizeof *c);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

/* The handle first, then the socket: epoll must not hear of an fd that is closed. (uv_close stops
 * the polling at once.) */
void conn_destroy(struct conn *c)
{
    list_remove(&c->all);
    list_remove(&c->ready);
    uv_close((uv_handle_t *)&c->poll, on_handle_closed);
    layer_close(c->top);
    free(c->secure);
    c->secure = NULL;
    if (c->flush_timer != NULL)
        uv_close((uv_handle_t *)c->flush_timer, on_timer_closed);
    free(c->in);
    free(c->out);
    c->in = c->out = NULL;
}

static void end(struct conn *c, const char *reason)
{
    if (!c->closing)
        c->ops->on_end(c, reason);
    conn_destroy(c);
}

/* Ends from the loop, not from inside whatever the owner is doing now. */
static void mark_broken(struct conn *c, const char *reason)
{
    if (c->broken)
        return;
    c->broken = true;
    c->reason = reason;
    list_remove(&c->ready);
    list_append(&c->loop->ready, &c->ready);
}

static void serve_soon(struct conn *c)
{
    list_remove(&c->ready);
    list_append(&c->loop->ready, &c->ready);
}

static void wait_for(struct conn *c)
{
    bool read = !conn_is_paused(c);
    int wants = (read ? LAYER_READ : 0) | (conn_unsent(c) > 0 ? LAYER_WRITE : 0);
    int events = wants != 0 ? layer_events(c->top, wants) : 0;
    if (events == c->events)
        return;
    c->events = events;
    if (events != 0)
        uv_poll_start(&c->poll, events, on_poll);
    else
        uv_poll_stop(&c->poll);
}

static struct conn *open_with(struct loop *l, int fd, struct layer_secure *secure,
                              const struct conn_ops *ops, void *owner)
{
    struct conn *c = slab_alloc(&l->conn_slab, sizeof *c);
    *c = (struct conn){.ops = ops, .owner = owner, .loop = l};
    layer_tcp_init(&c->tcp, fd);
    c->top = &c->tcp.layer;
    c->secure = secure;
    list_init(&c->ready);
    c->poll.data = c;
    if (uv_poll_init(&l->uv, &c->poll, fd) != 0) {
        layer_close(c->top);
        free(secure);
        slab_free(&l->conn_slab, c, sizeof *c);
        return NULL;
    }
    list_append(&l->conns, &c->all);
    wait_for(c);
    return c;
}

struct conn *conn_open(struct loop *l, int fd, const struct conn_ops *ops, void *owner)
{
    return open_with(l, fd, NULL, ops, owner);
}

struct conn *conn_open_secure(struct loop *l, int fd, struct tls_context *context, bool either,
                              const struct conn_ops *ops, void *owner)
{
    struct conn *c = open_with(l, fd, mem_calloc(1, sizeof(struct layer_secure)), ops, owner);
    if (c == NULL)
        return NULL;
    layer_secure_init(c->secure, &c->tcp.layer, fd, context, either);
    c->top = &c->secure->layer;
    return c;
}

struct conn *conn_open_secure_client(struct loop *l, int fd, struct tls_context *context,
                                     const char *host, const struct conn_ops *ops, void *owner)
{
    struct conn *c = open_with(l, fd, mem_calloc(1, sizeof(struct layer_secure)), ops, owner);
    if (c == NULL)
        return NULL;
    layer_secure_init_client(c->secure, &c->tcp.layer, fd, context, host);
    c->top = &c->secure->layer;
    if (layer_pending(c->top))
        serve_soon(c);
    return c;
}

const struct tls_link *conn_tls(const struct conn *c)
{
    return c->secure != NULL && c->secure->state == SECURE_OPEN ? c->secure->link : NULL;
}

/* ---- output ---- */

/* What the peer said before it went away may still be there: that it does not like our certificate.
 */
static void mark_gone(struct conn *c)
{
    uint8_t said[4096];
    ssize_t got = c->secure != NULL ? 1 : 0;
    for (int i = 0; got > 0 && i < LAST_WORDS_MAX; i++)
        got = layer_recv(c->top, said, sizeof said);
    const char *why = got == LAYER_BROKEN ? layer_trouble(c->top) : NULL;
    mark_broken(c, why != NULL ? why : "peer went away");
}

static bool out_grow(struct conn *c, size_t more)
{
    if (c->out_at > 0) {
        memmove(c->out, c->out + c->out_at, conn_unsent(c));
        c->out_len -= c->out_at;
        c->out_at = 0;
    }
    size_t need = c->out_len + more;
    if (need > UINT32_MAX)
        return false;
    /* Half of it stays free, or a queue that is always nearly full would be moved at each send. */
    size_t cap = c->out_cap > OUT_CAP_MIN ? c->out_cap : OUT_CAP_MIN;
    while (cap < need + need / 2)
        cap *= 2;
    if (cap > UINT32_MAX)
        cap = UINT32_MAX;
    if (cap != c->out_cap) {
        c->out = mem_realloc(c->out, cap);
        c->out_cap = (uint32_t)cap;
    }
    return true;
}

static void out_keep(struct conn *c, const uint8_t *bytes, size_t len)
{
    /* One answer may be as large as it likes (a long list of children); a pile of them may not. */
    if (conn_unsent(c) > (c->link ? CONN_LINK_OUT_BYTES_MAX : CONN_OUT_BYTES_MAX)) {
        mark_broken(c, "does not read its answers");
        return;
    }
    if (len > c->out_cap - c->out_len && !out_grow(c, len)) {
        mark_broken(c, "does not read its answers");
        return;
    }
    memcpy(c->out + c->out_len, bytes, len);
    c->out_len += (uint32_t)len;
    if (conn_unsent(c) > CONN_OUT_PAUSE_BYTES && !c->link)
        c->paused |= CONN_PAUSE_OUTPUT;
    wait_for(c);
}

void conn_prefetch(const struct conn *c)
{
    prefetch(&c->tcp);
    prefetch(&c->broken);
}

static void take_answer(struct conn *c, const void *bytes, size_t len, ssize_t sent)
{
    if (sent == LAYER_BROKEN) {
        mark_gone(c);
        return;
    }
    size_t out = sent > 0 ? (size_t)sent : 0;
    if (out < len)
        out_keep(c, (const uint8_t *)bytes + out, len - out);
}

void conn_send(struct conn *c, const void *bytes, size_t len)
{
    if (c->broken || c->closing || len == 0)
        return;
    take_answer(c, bytes, len, conn_unsent(c) == 0 ? layer_send(c->top, bytes, len) : LAYER_AGAIN);
}

ssize_t conn_try_send(const struct conn *c, const void *bytes, size_t len)
{
    bool plain = c->secure == NULL || c->secure->state == SECURE_PLAIN;
    if (c->broken || c->closing || !plain || conn_unsent(c) > 0)
        return CONN_NOT_TRIED;
    return layer_tcp_send(c->tcp.fd, bytes, len);
}

void conn_sent(struct conn *c, const void *bytes, size_t len, ssize_t tried)
{
    if (tried == CONN_NOT_TRIED)
        conn_send(c, bytes, len);
    else
        take_answer(c, bytes, len, tried);
}

/* May be served again, if there is something to serve. */
static void unpaused(struct conn *c)
{
    if (conn_is_paused(c))
        return;
    wait_for(c);
    if (c->in_len > 0 || layer_pending(c->top))
        serve_soon(c);
}

static void tell_room(struct conn *c)
{
    if (!c->wants_room || conn_unsent(c) >= CONN_ROOM_BYTES || c->closing || c->broken)
        return;
    c->wants_room = false;
    c->ops->on_room(c);
}

void conn_want_room(struct conn *c)
{
    c->wants_room = true;
    if (conn_unsent(c) < CONN_ROOM_BYTES && !c->broken)
        serve_soon(c);
}

void conn_be_link(struct conn *c)
{
    c->link = true;
}

static void flush(struct conn *c)
{
    ssize_t sent = layer_send(c->top, c->out + c->out_at, conn_unsent(c));
    if (sent == LAYER_BROKEN) {
        mark_gone(c);
        return;
    }
    if (sent <= 0)
        return;

    c->out_at += (uint32_t)sent;
    if (conn_unsent(c) == 0) {
        free(c->out);
        c->out = NULL;
        c->out_at = c->out_len = c->out_cap = 0;
        if (c->closing)
            mark_broken(c, "");
    }
    if ((c->paused & CONN_PAUSE_OUTPUT) != 0 && conn_unsent(c) <= CONN_OUT_PAUSE_BYTES / 2) {
        c->paused &= (uint8_t)~CONN_PAUSE_OUTPUT;
        unpaused(c);
    }
    wait_for(c);
    tell_room(c);
}

static void on_flush_timeout(uv_timer_t *timer)
{
    conn_destroy(timer->data);
}

void conn_close(struct conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    if (conn_unsent(c) == 0 || c->broken) {
        mark_broken(c, "");
        return;
    }
    c->flush_timer = mem_calloc(1, sizeof *c->flush_timer);
    uv_timer_init(&c->loop->uv, c->flush_timer);
    c->flush_timer->data = c;
    uv_timer_start(c->flush_timer, on_flush_timeout, CONN_FLUSH_MS_MAX, 0);
    wait_for(c);
}

/* ---- input ---- */

static void in_reserve(struct conn *c, size_t cap)
{
    if (c->in_cap >= cap)
        return;
    size_t grown = c->in_cap > IN_CAP_MIN ? c->in_cap : IN_CAP_MIN;
    while (grown < cap)
        grown *= 2;
    c->in = mem_realloc(c->in, grown);
    c->in_cap = (uint32_t)grown;
}

/* `rest` is the end of what was offered; it may lie in c->in itself. */
static void in_keep(struct conn *c, struct slice rest)
{
    if (rest.len == 0) {
        free(c->in);
        c->in = NULL;
        c->in_cap = c->in_len = 0;
        return;
    }
    in_reserve(c, rest.len);
    if (rest.ptr != c->in)
        memmove(c->in, rest.ptr, rest.len);
    c->in_len = (uint32_t)rest.len;
}

static void offer(struct conn *c, struct slice bytes)
{
    size_t want = 0;
    size_t used = c->ops->on_bytes(c, bytes, &want);
    c->in_want = (uint32_t)want;
    in_keep(c, slice_from(bytes, used));
}

/* Something large is on its way: it is gathered where it stays. The buffer grows with what has
 * arrived, not with what was announced. */
static ssize_t read_large(struct conn *c)
{
    if (c->in_cap - c->in_len < LOOP_READ_BYTES / 2)
        in_reserve(c, (size_t)c->in_cap * 2);
    size_t room = c->in_cap - c->in_len;
    size_t missing = c->in_want - c->in_len;
    ssize_t got = layer_recv(c->top, c->in + c->in_len, missing < room ? missing : room);
    if (got > 0) {
        c->in_len += (uint32_t)got;
        if (c->in_len >= c->in_want)
            offer(c, slice_of(c->in, c->in_len));
    }
    return got;
}

static ssize_t read_small(struct conn *c)
{
    uint8_t *buffer = c->loop->read_buffer;
    size_t before = c->in_len;
    size_t room = c->link ? LOOP_LINK_READ_BYTES : LOOP_READ_BYTES;
    if (before > 0)
        memcpy(buffer, c->in, before);
    ssize_t got = layer_recv(c->top, buffer + before, room - before);
    if (got > 0)
        offer(c, slice_of(buffer, before + (size_t)got));
    return got;
}

/* What a pause has left is served before more is read. False: there is none, or it is not enough
 * and what follows is wanted: whoever offered it again and again would never read that. */
static bool serve_left(struct conn *c)
{
    size_t left = c->in_len;
    if (left == 0 || left < c->in_want)
        return false;
    offer(c, slice_of(c->in, left));
    return c->in_len != left || conn_is_paused(c) || c->broken || c->closing;
}

static void read_once(struct conn *c)
{
    if (serve_left(c))
        return;
    bool large = c->in_len > 0 && c->in_want > LOOP_READ_BYTES;
    ssize_t got = large ? read_large(c) : read_small(c);
    if (got == 0) {
        mark_broken(c, "peer closed");
    } else if (got == LAYER_BROKEN) {
        const char *why = layer_trouble(c->top);
        mark_broken(c, why != NULL          ? why
                       : errno == ETIMEDOUT ? "peer does not answer"
                                            : "peer went away");
    } else if (got == LAYER_AGAIN) {
        wait_for(c); /* TLS may have to write before it can read */
    } else {
        if (c->secure != NULL)
            wait_for(c); /* the handshake may be done: what waits can be sent */
        if (!conn_is_paused(c) && layer_pending(c->top))
            serve_soon(c);
    }
}

void conn_serve_input(struct conn *c)
{
    if (c->broken) {
        end(c, c->reason);
        return;
    }
    tell_room(c);
    if (conn_is_paused(c))
        return;
    if (c->in_len > 0 && c->in_len >= c->in_want)
        offer(c, slice_of(c->in, c->in_len));
    else if (layer_pending(c->top))
        read_once(c);
    if (!conn_is_paused(c) && layer_pending(c->top))
        serve_soon(c);
}

void conn_pause(struct conn *c, uint8_t reason)
{
    c->paused |= reason;
    /* The poll is stopped only if something arrives meanwhile: most pauses are too short for it. */
}

void conn_resume(struct conn *c, uint8_t reason)
{
    if ((c->paused & reason) == 0)
        return;
    c->paused &= (uint8_t)~reason;
    unpaused(c);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct conn *c = handle->data;
    if (c->broken)
        return;
    if (status < 0) {
        mark_gone(c);
        return;
    }
    int to_read = layer_events(c->top, LAYER_READ); /* before flush may change it */
    if ((events & UV_WRITABLE) != 0 && conn_unsent(c) > 0)
        flush(c);
    if ((events & to_read) == 0 || c->broken)
        return;
    if (conn_is_paused(c))
        wait_for(c);
    else
        read_once(c);
}
