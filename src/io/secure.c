#include "io/secure.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/list.h"

static struct layer_secure *secure_of(struct layer *l)
{
    return list_entry(l, struct layer_secure, layer);
}

static const struct layer_secure *look_at(const struct layer *l)
{
    return secure_of((struct layer *)(uintptr_t)l);
}

static ssize_t begin_tls(struct layer_secure *s)
{
    s->link = tls_accept(s->context, s->fd);
    if (s->link == NULL) {
        errno = ENOMEM;
        return LAYER_BROKEN;
    }
    s->state = SECURE_HANDSHAKE;
    return 1;
}

/* > 0: decided. Otherwise what recv has to say. */
static ssize_t decide(struct layer_secure *s)
{
    uint8_t first;
    ssize_t got = recv(s->fd, &first, 1, MSG_PEEK);
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? LAYER_AGAIN
                                                                         : LAYER_BROKEN;
    if (got == 0)
        return 0;
    if (first == TLS_RECORD_HANDSHAKE)
        return begin_tls(s);
    s->state = SECURE_PLAIN;
    return 1;
}

static ssize_t from_tls(ssize_t result)
{
    return result == TLS_AGAIN ? LAYER_AGAIN : result == TLS_BROKEN ? LAYER_BROKEN : result;
}

static ssize_t secure_recv(struct layer *l, void *ret, size_t len)
{
    struct layer_secure *s = secure_of(l);
    if (s->state == SECURE_UNDECIDED) {
        ssize_t decided = decide(s);
        if (decided <= 0)
            return decided;
    }
    if (s->state == SECURE_PLAIN)
        return layer_recv(s->below, ret, len);
    errno = 0; /* the link says itself what was wrong */
    if (s->state == SECURE_HANDSHAKE) {
        if (s->link == NULL) {
            errno = ENOMEM;
            return LAYER_BROKEN;
        }
        int rc = tls_handshake(s->link);
        if (rc < 0)
            return from_tls(rc);
        s->state = SECURE_OPEN;
    }
    return from_tls(tls_read(s->link, ret, len));
}

/* Nothing is sent before something has come up. */
static ssize_t secure_send(struct layer *l, const void *bytes, size_t len)
{
    struct layer_secure *s = secure_of(l);
    if (s->state == SECURE_PLAIN)
        return layer_send(s->below, bytes, len);
    return s->state == SECURE_OPEN ? from_tls(tls_write(s->link, bytes, len)) : LAYER_AGAIN;
}

static int secure_events(const struct layer *l, int wants)
{
    const struct layer_secure *s = look_at(l);
    /* What is to be sent waits for the handshake, which waits for the peer. */
    if (s->state == SECURE_HANDSHAKE)
        wants = LAYER_READ;
    int events = layer_events(s->below, wants);
    if ((wants & LAYER_READ) != 0 && s->link != NULL && tls_waits_to_write(s->link))
        events |= UV_WRITABLE;
    return events;
}

static bool secure_pending(const struct layer *l)
{
    const struct layer_secure *s = look_at(l);
    return s->state == SECURE_OPEN && tls_has_pending(s->link);
}

static const char *secure_trouble(const struct layer *l)
{
    const struct layer_secure *s = look_at(l);
    const char *trouble = s->link != NULL ? tls_trouble(s->link) : "";
    return trouble[0] != 0 ? trouble : NULL;
}

static void secure_close(struct layer *l)
{
    struct layer_secure *s = secure_of(l);
    if (s->link != NULL)
        tls_goodbye(s->link);
    tls_free(s->link);
    tls_context_free(s->context);
    layer_close(s->below);
}

static const struct layer_ops secure_ops = {
    .recv = secure_recv,
    .send = secure_send,
    .events = secure_events,
    .pending = secure_pending,
    .trouble = secure_trouble,
    .close = secure_close,
};

void layer_secure_init(struct layer_secure *s, struct layer *below, int fd,
                       struct tls_context *context, bool either)
{
    *s = (struct layer_secure){
        .layer = {&secure_ops},
        .below = below,
        .fd = fd,
        .context = tls_context_hold(context),
        .state = SECURE_UNDECIDED,
    };
    if (!either)
        begin_tls(s); /* if that fails, the first recv tries again, and says so */
}

void layer_secure_init_client(struct layer_secure *s, struct layer *below, int fd,
                              struct tls_context *context, const char *host)
{
    *s = (struct layer_secure){
        .layer = {&secure_ops},
        .below = below,
        .fd = fd,
        .context = tls_context_hold(context),
        .state = SECURE_HANDSHAKE,
    };
    s->link = tls_connect(context, fd, host);
    /* Our first word. A peer that is near may have answered already, and then waits for us; how it
     * failed is told by the first read. */
    if (s->link != NULL && tls_handshake(s->link) == 0)
        s->state = SECURE_OPEN;
}
