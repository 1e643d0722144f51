/* stack.h: a connection as a stack of layers: bytes come up, bytes go down.
 *
 *        conn (conn.h)          knows buffers and back-pressure
 *     -> TLS (secure.h)
 *     -> TCP                    recv(2) and send(2) on a non-blocking socket
 *
 * A layer owns the one below it. Nothing blocks: a layer that cannot go on says LAYER_AGAIN, and
 * `events` says which readiness of the socket it waits for (a TLS layer may have to write before it
 * can read). Everything belongs to the loop's thread. With plain TCP all of this is one indirect
 * call before the system call. */
#ifndef CAUCUS_IO_STACK_H
#define CAUCUS_IO_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct layer;

/* What a layer above wants to do next. */
enum layer_want {
    LAYER_READ = 1,
    LAYER_WRITE = 2,
};

enum {
    LAYER_AGAIN = -1,  /* come back when the socket is ready */
    LAYER_BROKEN = -2, /* the connection is of no more use; errno says why */
};

struct layer_ops {
    ssize_t (*recv)(struct layer *l, void *ret, size_t len); /* > 0; 0 = the peer has ended */
    ssize_t (*send)(struct layer *l, const void *bytes, size_t len); /* > 0, maybe less than len */
    /* Turns wishes (layer_want) into the readiness of the socket (UV_READABLE, UV_WRITABLE) that
     * has to be waited for. */
    int (*events)(const struct layer *l, int wants);
    /* Bytes have come up already that recv would give without the socket being readable. */
    bool (*pending)(const struct layer *l);
    /* After LAYER_BROKEN: more than errno says, for people, until the layer is closed. NULL: it
     * does not know more. */
    const char *(*trouble)(const struct layer *l);
    /* Says goodbye if the protocol has a way to, and frees what the layer owns, the socket last. */
    void (*close)(struct layer *l);
};

struct layer {
    const struct layer_ops *ops;
};

/* The bottom of every stack. Takes over a non-blocking socket; layer_close closes it. */
struct layer_tcp {
    struct layer layer;
    int fd;
};

void layer_tcp_init(struct layer_tcp *t, int fd);
/* What its layer_send does, by whichever thread. */
ssize_t layer_tcp_send(int fd, const void *bytes, size_t len);

static inline ssize_t layer_recv(struct layer *l, void *ret, size_t len)
{
    return l->ops->recv(l, ret, len);
}

static inline ssize_t layer_send(struct layer *l, const void *bytes, size_t len)
{
    return l->ops->send(l, bytes, len);
}

static inline int layer_events(const struct layer *l, int wants)
{
    return l->ops->events(l, wants);
}

static inline bool layer_pending(const struct layer *l)
{
    return l->ops->pending(l);
}

static inline const char *layer_trouble(const struct layer *l)
{
    return l->ops->trouble(l);
}

static inline void layer_close(struct layer *l)
{
    l->ops->close(l);
}

#endif
