/* conn.h: one connection: bytes in, bytes out, and what to do when one side is slow.
 *
 * In: at most LOOP_READ_BYTES per turn, read into the loop's buffer and offered to on_bytes; only
 * what is not consumed (a part of a frame) is kept, in a buffer of its own that goes away again. An
 * idle connection owns no buffer.
 * Out: conn_send writes at once; what the socket does not take is copied and waits. Past
 * CONN_OUT_PAUSE_BYTES waiting nothing more is read from that peer; when CONN_OUT_BYTES_MAX are
 * waiting and still more comes, it is cut off.
 *
 * A link between servers (conn_be_link) differs: it reads more at once, goes on reading whatever
 * waits to be sent (two servers that each wait for the other to read would wait for ever), and may
 * have much more waiting; who sends much paces himself by conn_want_room.
 *
 * Memory: conn_open returns a connection that ends with on_end (exactly once, the last call), after
 * which it frees itself. Nothing is called from inside conn_send or conn_close, so they are safe
 * anywhere. One owner thread, the loop's. */
#ifndef CAUCUS_IO_CONN_H
#define CAUCUS_IO_CONN_H

#include "base/slice.h"
#include "io/loop.h"
#include "io/secure.h"

enum {
    CONN_OUT_PAUSE_BYTES = 1 << 20,
    CONN_OUT_BYTES_MAX = 64 << 20,
    CONN_LINK_OUT_BYTES_MAX = 512 << 20,
    CONN_ROOM_BYTES = 256 << 10, /* less than that waiting is "room" */
    CONN_FLUSH_MS_MAX = 5000,    /* a closing connection may take that long to read what is left */
};

/* Why nothing is read from a connection: the owner's reasons (any other bits), and ours. */
enum {
    CONN_PAUSE_OUTPUT = 128, /* the peer does not read */
};

struct conn;

struct conn_ops {
    /* `bytes` in hand. Returns how many were consumed; the rest comes again with more behind it, or
     * when reading is resumed. *ret_want: bytes needed in all before a call makes sense, 0 =
     * unknown. */
    size_t (*on_bytes)(struct conn *c, struct slice bytes, size_t *ret_want);
    /* It is over. `reason`: text, during the call. After conn_close it is not called. */
    void (*on_end)(struct conn *c, const char *reason);
    /* After conn_want_room: less than CONN_ROOM_BYTES wait to be sent. May be NULL. */
    void (*on_room)(struct conn *c);
};

struct conn {
    struct layer *top;
    struct layer_tcp tcp;
    struct layer_secure *secure; /* NULL: plain TCP */
    uint32_t out_at, out_len, out_cap;
    uint8_t paused; /* bits: why */
    bool link;      /* between servers */
    bool wants_room;
    bool closing; /* conn_close was called: flushes, then ends */
    bool broken;  /* ends in the next turn, with `reason` */
    int events;   /* what poll waits for */
    const struct conn_ops *ops;
    void *owner;
    struct loop *loop;
    uv_poll_t poll;
    struct list all;   /* loop->conns */
    struct list ready; /* loop->ready: has input in hand and may be served */
    uint8_t *in;       /* input not consumed */
    uint8_t *out;      /* output not sent: [out_at, out_len) */
    uint32_t in_len, in_cap;
    uint32_t in_want;
    const char *reason;
    uv_timer_t *flush_timer; /* while closing with output left */
};

/* Takes over a connected non-blocking socket. NULL (and the socket closed) if it cannot be polled.
 */
struct conn *conn_open(struct loop *l, int fd, const struct conn_ops *ops, void *owner);
/* The same over TLS; `either`: or not, as the peer likes. */
struct conn *conn_open_secure(struct loop *l, int fd, struct tls_context *context, bool either,
                              const struct conn_ops *ops, void *owner);
/* Takes over a socket that we have connected to `host`: TLS is a client's. */
struct conn *conn_open_secure_client(struct loop *l, int fd, struct tls_context *context,
                                     const char *host, const struct conn_ops *ops, void *owner);
/* Has the peer spoken TLS, and is the handshake done? NULL: no. */
const struct tls_link *conn_tls(const struct conn *c);

void conn_send(struct conn *c, const void *bytes, size_t len);
/* conn_send in two halves, for many at once (fan.h): the first by whichever thread, while nobody
 * else touches the connection; the second, with its answer, by the owner's, and needless where the
 * answer is len. Only plain TCP with nothing waiting is tried in the first. */
enum {
    CONN_NOT_TRIED = -3, /* beside LAYER_AGAIN and LAYER_BROKEN */
};
ssize_t conn_try_send(const struct conn *c, const void *bytes, size_t len);
void conn_prefetch(const struct conn *c); /* ahead of the first */
void conn_sent(struct conn *c, const void *bytes, size_t len, ssize_t tried);
void conn_close(struct conn *c); /* after what has been sent to it is out */

void conn_be_link(struct conn *c);
/* on_room is called once, in this turn or a later one, never from inside. */
void conn_want_room(struct conn *c);

/* Stops on_bytes for a reason (a bit below CONN_PAUSE_OUTPUT), and lets it go on when the last
 * reason is gone. Also inside on_bytes, which must look at conn_is_paused itself. */
void conn_pause(struct conn *c, uint8_t reason);
void conn_resume(struct conn *c, uint8_t reason);

static inline bool conn_is_paused(const struct conn *c)
{
    return c->paused != 0 || c->closing || c->broken;
}

static inline size_t conn_unsent(const struct conn *c)
{
    return c->out_len - c->out_at;
}

/* For the loop: offers the input in hand; ends it at once. */
void conn_serve_input(struct conn *c);
void conn_destroy(struct conn *c);

#endif
