#include "io/stack.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/list.h"

static struct layer_tcp *tcp_of(struct layer *l)
{
    return list_entry(l, struct layer_tcp, layer);
}

static ssize_t trouble(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? LAYER_AGAIN : LAYER_BROKEN;
}

static ssize_t tcp_recv(struct layer *l, void *ret, size_t len)
{
    ssize_t got = recv(tcp_of(l)->fd, ret, len, 0);
    return got >= 0 ? got : trouble();
}

ssize_t layer_tcp_send(int fd, const void *bytes, size_t len)
{
    ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
    return sent >= 0 ? sent : trouble();
}

static ssize_t tcp_send(struct layer *l, const void *bytes, size_t len)
{
    return layer_tcp_send(tcp_of(l)->fd, bytes, len);
}

static int tcp_events(const struct layer *l, int wants)
{
    (void)l;
    return (wants & LAYER_READ ? UV_READABLE : 0) | (wants & LAYER_WRITE ? UV_WRITABLE : 0);
}

static bool tcp_pending(const struct layer *l)
{
    (void)l;
    return false;
}

static const char *tcp_trouble(const struct layer *l)
{
    (void)l;
    return NULL;
}

static void tcp_close(struct layer *l)
{
    int fd = tcp_of(l)->fd;
    /* A close with unread bytes makes the kernel send a reset, and a reset may overtake the last
     * answer (someone typed "ruok" and a newline): end our side first, and look away from the
     * rest. */
    char rest[512];
    shutdown(fd, SHUT_WR);
    while (recv(fd, rest, sizeof rest, MSG_DONTWAIT) == (ssize_t)sizeof rest) {
    }
    close(fd);
}

static const struct layer_ops tcp_ops = {
    .recv = tcp_recv,
    .send = tcp_send,
    .events = tcp_events,
    .pending = tcp_pending,
    .trouble = tcp_trouble,
    .close = tcp_close,
};

void layer_tcp_init(struct layer_tcp *t, int fd)
{
    t->layer.ops = &tcp_ops;
    t->fd = fd;
}
