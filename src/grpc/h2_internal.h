/* h2_internal.h: one connection, and the calls on it; the same at both ends.
 *
 *   socket -> conn -> nghttp2 -> the call's buffer -> on_message
 *   grpc_call_send -> the call's buffer -> nghttp2 -> one write -> socket
 *
 * nghttp2 may not be entered from inside its own callbacks, and users are promised callbacks from
 * the loop only. So whatever wants one, or wants to be sent, is noted (rpc_later, h2_wake), and
 * h2_turn does all of it before the loop sleeps. */
#ifndef CAUCUS_GRPC_H2_INTERNAL_H
#define CAUCUS_GRPC_H2_INTERNAL_H

#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "base/map.h"
#include "grpc/deadlines.h"
#include "grpc/metadata.h"
#include "io/conn.h"
#include "io/listen.h"

enum {
    H2_OPEN_MS_MAX = 10000, /* until a client's first word */
    H2_KEEPALIVE_MS = 60000,
    H2_WAITING_FRAMES_MAX = 10000, /* of a peer that does not read what it has caused */
    H2_SETTINGS_MAX = 32,          /* entries in one frame */
};

struct h2;

struct h2_ops {
    /* A server's. The path of a request that is coming in: the call learns its method. */
    void (*on_path)(struct h2 *h, struct grpc_call *c, struct slice path);
    void (*on_request)(struct h2 *h, struct grpc_call *c); /* all its headers are there */
    void (*on_open)(struct h2 *h);                         /* the peer has spoken HTTP/2 */
    void (*on_going)(struct h2 *h);                        /* GOAWAY has come */
    /* The last: the calls that were there have ended, and h2 frees itself. */
    void (*on_end)(struct h2 *h, const char *reason);
};

struct h2_limits {
    uint32_t streams_max, message_bytes_max;
    uint32_t keepalive_ms; /* 0 = nobody is asked */
    uint32_t resets_burst, resets_per_second, continuations_max;
    uint32_t calls_max; /* of all connections of a server; a client's have no such bounds */
    size_t kept_bytes_max;
};

enum h2_drain {
    DRAIN_NO,
    DRAIN_NOTICE, /* the peer was told to begin nothing new; until it has heard, what comes is
                     served */
    DRAIN_FINAL,  /* it has heard: what runs may end */
};

struct h2 {
    struct loop *loop;
    struct conn *conn; /* NULL: not yet, or no more */
    nghttp2_session *session;
    const struct h2_ops *ops;
    void *owner;     /* NULL: nobody is told any more */
    struct list all; /* the owner's */
    struct h2_limits limits;
    struct grpc_server_counts *counts;

    struct map streams; /* calls by stream, as long as nghttp2 may speak of it */
    struct list calls;  /* that have not been told their end */
    size_t call_count;
    struct list later; /* calls that want a callback */
    size_t parts_bytes;
    size_t kept_bytes; /* of its calls, both ways */

    bool is_server, opened;
    bool secure;     /* TLS below */
    bool heard;      /* something has come */
    bool going;      /* no new calls, by the peer's word */
    bool ended;      /* the next turn is the last */
    bool wants_room; /* the socket has enough for now */
    bool stuffed;    /* ... and nothing more is read until then */
    enum h2_drain drain;
    int lost_code; /* of calls that its end interrupts */

    uv_idle_t idle;
    uv_timer_t timer;
    int handles_open;
    struct deadlines deadlines;
    int64_t timer_ms;           /* when the timer is due; DEADLINE_NONE */
    int64_t open_by_ms;         /* DEADLINE_NONE: it is open */
    int64_t heard_ms, asked_ms; /* asked_ms: of the PING without an answer; 0 = none */
    int64_t full_ms;            /* since when the socket takes no more, while wants_room */
    char address[LISTEN_ADDRESS_BYTES];
    char reason[256];
};

/* `counts` may be NULL. */
struct h2 *h2_new(struct loop *l, bool is_server, const struct h2_limits *limits,
                  const struct h2_ops *ops, void *owner, struct grpc_server_counts *counts);
/* Takes over a connected socket; `tls` NULL: plain; `host`: a client's. */
void h2_attach(struct h2 *h, int fd, struct tls_context *tls, const char *host);
/* Ends in the next turn. The first reason counts. */
void h2_end(struct h2 *h, const char *reason);
/* The same, and nobody is told but the calls, by this code. */
void h2_abandon(struct h2 *h, int code);
void h2_begin_drain(struct h2 *h);
void h2_wake(struct h2 *h); /* a turn is wanted */
/* Something is to happen at this time. */
void h2_arm(struct h2 *h, int64_t at_ms);
int64_t h2_now_ms(const struct h2 *h);

/* All connections of a server have used up `max`, and this one has more than its share. */
bool h2_is_greedy(const struct h2 *h, uint64_t all, uint64_t own, uint64_t max);
/* Bytes of messages that wait here: unsent, not whole, or not taken yet. */
void h2_keep(struct h2 *h, size_t bytes);
void h2_drop(struct h2 *h, size_t bytes);
bool h2_keeps_too_much(const struct h2 *h, size_t more);

/* h2_events.c: nghttp2's callbacks. */
nghttp2_session *h2_session_new(struct h2 *h);

#endif
