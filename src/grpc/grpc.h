/* grpc.h: calls over HTTP/2 on our loop, as gRPC has them: a server's end and a client's.
 *
 * A *call* is one HTTP/2 stream: metadata, then messages in either direction, then a status. What a
 * message is made of is the user's affair: bytes come and go. nghttp2 does HTTP/2, `io` the
 * sockets, `tls` the secrets.
 *
 * Everything is called from the loop's thread, and every callback runs there, never inside a call
 * of this header. What a function is given is copied before it returns; what a callback is given is
 * valid until it returns. What is sent in one turn of the loop leaves together at its end.
 *
 * Life of a call: from grpc_call_fn or grpc_call_start until its on_end, which comes exactly once
 * and is its last callback. After on_end the pointer is of no use, unless grpc_call_hold was
 * called; whatever is sent to a held call that is over is dropped. So a handler that answers later
 * holds the call, and need not know whether the client is still there.
 *
 * Everything has a bound. A peer that sends more than its handler takes is slowed down by flow
 * control (grpc_call_pause); what is sent faster than the peer reads waits in the call
 * (grpc_call_unsent, on_room), and past GRPC_UNSENT_BYTES_MAX the call is ended. Trouble is a
 * status, nothing from outside is more than that.
 *
 * What a server has for all its connections together (calls; bytes that are not read, not whole or
 * not taken) is theirs in equal shares once it is used up: who has more than his share begins no
 * more calls (RESOURCE_EXHAUSTED), and his calls that need more are ended; the others notice
 * nothing. So there is at most twice of each. Who reads nothing from his socket, whatever he sends,
 * is cut off after the time that a peer has that says nothing. */
#ifndef CAUCUS_GRPC_GRPC_H
#define CAUCUS_GRPC_GRPC_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "io/connect.h"
#include "io/loop.h"
#include "tls/context.h"

#define GRPC_CODE_MAP(X)                                                                           \
    X(GRPC_OK, 0, "OK")                                                                            \
    X(GRPC_CANCELLED, 1, "CANCELLED")                                                              \
    X(GRPC_UNKNOWN, 2, "UNKNOWN")                                                                  \
    X(GRPC_INVALID_ARGUMENT, 3, "INVALID_ARGUMENT")                                                \
    X(GRPC_DEADLINE_EXCEEDED, 4, "DEADLINE_EXCEEDED")                                              \
    X(GRPC_NOT_FOUND, 5, "NOT_FOUND")                                                              \
    X(GRPC_ALREADY_EXISTS, 6, "ALREADY_EXISTS")                                                    \
    X(GRPC_PERMISSION_DENIED, 7, "PERMISSION_DENIED")                                              \
    X(GRPC_RESOURCE_EXHAUSTED, 8, "RESOURCE_EXHAUSTED")                                            \
    X(GRPC_FAILED_PRECONDITION, 9, "FAILED_PRECONDITION")                                          \
    X(GRPC_ABORTED, 10, "ABORTED")                                                                 \
    X(GRPC_OUT_OF_RANGE, 11, "OUT_OF_RANGE")                                                       \
    X(GRPC_UNIMPLEMENTED, 12, "UNIMPLEMENTED")                                                     \
    X(GRPC_INTERNAL, 13, "INTERNAL")                                                               \
    X(GRPC_UNAVAILABLE, 14, "UNAVAILABLE")                                                         \
    X(GRPC_DATA_LOSS, 15, "DATA_LOSS")                                                             \
    X(GRPC_UNAUTHENTICATED, 16, "UNAUTHENTICATED")

enum grpc_code {
#define GRPC_CODE_ENUM(name, value, text) name = value,
    GRPC_CODE_MAP(GRPC_CODE_ENUM)
#undef GRPC_CODE_ENUM
};
const char *grpc_code_name(int code); /* of any number: "code 77" has no name and is "UNKNOWN" */

enum {
    GRPC_MESSAGE_BYTES_MAX = 4 << 20,     /* of one message, unless options say otherwise */
    GRPC_HEADER_BYTES_MAX = 16 << 10,     /* of a call's metadata, each entry with 32 for itself */
    GRPC_STREAMS_MAX = 1000,              /* of a connection at a time, likewise */
    GRPC_STREAM_WINDOW = 1 << 20,         /* unread bytes of one call */
    GRPC_WINDOW = 16 << 20,               /* and of all calls of a connection */
    GRPC_PARTS_BYTES_MAX = 64 << 20,      /* messages of a connection that are not complete yet */
    GRPC_UNSENT_BYTES_MAX = 64 << 20,     /* of one call */
    GRPC_CALLS_MAX = 100000,              /* of a server, unless options say otherwise: shared */
    GRPC_KEPT_BYTES_MAX = 256 << 20,      /* of all calls of a server, likewise */
    GRPC_ROOM_BYTES = 64 << 10,           /* less than that unsent is "room" */
    GRPC_METHODS_MAX = 128,               /* of a server */
    GRPC_STATUS_MESSAGE_BYTES_MAX = 1024, /* longer ones are cut */
};

struct grpc_call;

struct grpc_metadata {
    struct slice key;   /* lower case */
    struct slice value; /* of keys that end with "-bin": the bytes, not their base64 */
};

struct grpc_status {
    int code; /* enum grpc_code, or what the peer invented */
    struct slice message;
    /* Of a client's call that failed: the server has certainly not begun it; it may be repeated
     * whatever it does. */
    bool refused;
};

/* ---- Calls, at both ends ----------------------------------------------------------------------
 */

struct grpc_handlers {
    /* A message has come. Not while paused. */
    void (*on_message)(struct grpc_call *c, struct slice message);
    /* Server: the client will send no more. Client: the server's metadata has come. May be NULL. */
    void (*on_half_close)(struct grpc_call *c);
    void (*on_headers)(struct grpc_call *c);
    /* After grpc_call_want_room: less than GRPC_ROOM_BYTES are unsent. May be NULL. */
    void (*on_room)(struct grpc_call *c);
    /* The last callback. Server: the status that was sent, or why none can be sent any more
     * (CANCELLED: by the client or with its connection; DEADLINE_EXCEEDED; ...). May be NULL. */
    void (*on_end)(struct grpc_call *c, const struct grpc_status *status);
};

/* The user's pointer; NULL at a server until it is set, `arg` of grpc_request at a client. */
void grpc_call_set_context(struct grpc_call *c, void *context);
void *grpc_call_context(const struct grpc_call *c);

/* Sends a message. Nothing happens if the call is over or this side has ended it already. */
void grpc_call_send(struct grpc_call *c, struct slice message);
/* Bytes that flow control or the connection has not taken yet. 0 for a call that is over. */
size_t grpc_call_unsent(const struct grpc_call *c);
/* on_room is called once, in a later turn. */
void grpc_call_want_room(struct grpc_call *c);

/* No on_message until grpc_call_resume; the peer is stopped by flow control when GRPC_STREAM_WINDOW
 * bytes have piled up. Also inside on_message. Neither counts: one resume ends any pauses. */
void grpc_call_pause(struct grpc_call *c);
void grpc_call_resume(struct grpc_call *c);

/* Ends the call at once, on both sides, with CANCELLED; a server should say why instead
 * (grpc_call_finish). on_end follows in a later turn. */
void grpc_call_cancel(struct grpc_call *c);

void grpc_call_hold(struct grpc_call *c);
void grpc_call_release(struct grpc_call *c);
/* on_end is due or was called: nothing that is sent reaches anybody. */
bool grpc_call_is_over(const struct grpc_call *c);

/* Milliseconds until the deadline; INT64_MAX = none. */
int64_t grpc_call_left_ms(const struct grpc_call *c);

/* What the peer has sent along: at a server the request's, at a client the reply's, and after the
 * end (in on_end) the trailer's. Valid until the call is freed. */
const struct grpc_metadata *grpc_call_metadata(const struct grpc_call *c, size_t *ret_count);
const struct grpc_metadata *grpc_call_trailer(const struct grpc_call *c, size_t *ret_count);
/* The first with this key. False: there is none. */
bool grpc_call_find_metadata(const struct grpc_call *c, const char *key, struct slice *ret_value);

/* ---- A server ---------------------------------------------------------------------------------
 */

/* A call has come. It may be answered at once, or held. `arg` is the method's. */
typedef void grpc_call_fn(void *arg, struct grpc_call *c);
/* A unary request has come, whole. */
typedef void grpc_unary_fn(void *arg, struct grpc_call *c, struct slice request);

/* Either `unary`, which covers unary calls and those with one request and a stream of replies: the
 * library sees to it that there is exactly one request, and drops the call when there is not. Or
 * `call` and `handlers`. */
struct grpc_method {
    const char *path; /* "/package.Service/Method"; must live as long as the server */
    grpc_unary_fn *unary;
    grpc_call_fn *call;
    const struct grpc_handlers *handlers; /* with unary: NULL, or for on_room and on_end */
    void *arg;
    uint32_t message_bytes_max; /* 0: the server's */
};

struct grpc_server_options {
    const char *address;        /* to listen on; NULL: every one */
    int port;                   /* 0: any free one */
    struct tls_context *tls;    /* made with alpn "h2"; NULL: plain text. Must live longer */
    uint32_t connections_max;   /* 0: 10,000; more are turned away */
    uint32_t streams_max;       /* per connection; 0: GRPC_STREAMS_MAX */
    uint32_t message_bytes_max; /* 0: GRPC_MESSAGE_BYTES_MAX */
    /* Streams that a client may reset: so many at once, and so many a second again. A client that
     * resets more often is cut off. 0: 1000 and 100; higher between servers of one's own. */
    uint32_t resets_burst, resets_per_second;
    uint32_t continuations_max; /* frames of one list of headers; 0: 8 */
    uint32_t calls_max;         /* at a time, of all connections; 0: GRPC_CALLS_MAX */
    size_t kept_bytes_max;      /* likewise; 0: GRPC_KEPT_BYTES_MAX */
    uint32_t keepalive_ms;      /* a peer that is silent for so long is asked, and after as long
                                   again cut off, as is one that does not read; 0: 60,000 */
    /* Accepting has failed with this errno, or (0) works again. May be NULL. */
    void (*on_trouble)(void *arg, int error);
    void *arg;
};

struct grpc_server;

/* Methods may be added until the loop goes on. Errors: ERR_INVALID, ERR_IO: the port cannot be had.
 */
int grpc_server_open(struct loop *l, const struct grpc_server_options *o, struct grpc_server **ret,
                     struct err *err);
/* Copied, except for the path. More than GRPC_METHODS_MAX, or a path twice, is the caller's bug. */
void grpc_server_add(struct grpc_server *s, const struct grpc_method *m);
int grpc_server_port(const struct grpc_server *s);

struct grpc_server_counts {
    uint64_t connections, calls, kept_bytes; /* now */
    uint64_t calls_total, messages_in_total, messages_out_total, refused_connections_total;
};
struct grpc_server_counts grpc_server_counts(const struct grpc_server *s);

/* Takes no new connections, tells clients to go (GOAWAY), lets calls that run end for drain_ms,
 * then ends what is left (UNAVAILABLE), and frees itself. `closed`, which may be NULL, is the last
 * call. Once. */
void grpc_server_close(struct grpc_server *s, int64_t drain_ms, void (*closed)(void *arg),
                       void *arg);

/* Metadata of the reply; has to come before the first message. A key with "-bin" takes any bytes.
 * Keys and values that HTTP/2 does not allow are dropped. */
void grpc_call_add_metadata(struct grpc_call *c, const char *key, struct slice value);
/* And with the status. */
void grpc_call_add_trailer(struct grpc_call *c, const char *key, struct slice value);
/* Sends the metadata now, not with the first message. */
void grpc_call_send_headers(struct grpc_call *c);
/* The status, behind all messages. `message` NULL: none. Whatever else is sent is dropped. */
void grpc_call_finish(struct grpc_call *c, int code, const char *message);
/* A message, and OK. */
void grpc_call_reply(struct grpc_call *c, struct slice message);

/* Who the peer is: the subject of its certificate (tls/link.h) is appended; false: it showed none.
 */
bool grpc_call_peer_subject(const struct grpc_call *c, struct buf *out);
const char *grpc_call_peer_address(const struct grpc_call *c); /* numeric, without the port */

/* ---- A client ---------------------------------------------------------------------------------
 */

/* One connection. Reconnecting is the user's: after on_end, open another. */
struct grpc_channel;

struct grpc_channel_options {
    const struct connect_target *targets; /* copied; the first that answers (io/connect.h) */
    size_t target_count;
    int64_t connect_timeout_ms; /* until the server's first word; 0: 5,000 */
    struct tls_context *tls;    /* made with alpn "h2"; NULL: plain text. Must live longer */
    const char *tls_host;       /* what the certificate must name; NULL: the first target's host */
    const char *authority;      /* NULL: the first target, HOST:PORT */
    uint32_t message_bytes_max; /* 0: GRPC_MESSAGE_BYTES_MAX */
    uint32_t keepalive_ms;      /* as a server's; 0: the server is not asked, since others than ours
                                   mind it; a host that is cut off is noticed by TCP in a minute */
    /* The server has spoken: calls are under way. May be NULL. */
    void (*on_open)(void *arg, struct grpc_channel *ch);
    /* It ends: no new calls (they fail with UNAVAILABLE, refused), those that run go on if the
     * server lets them. Not before on_open, and not if on_end comes at once. May be NULL. */
    void (*on_going)(void *arg, struct grpc_channel *ch);
    /* It is over, or never began; its calls have ended before, but for those that were begun by
     * their last callbacks: they end behind it. The channel frees itself. Not after
     * grpc_channel_close. */
    void (*on_end)(void *arg, struct grpc_channel *ch, const char *reason);
    void *arg;
};

/* Begins to connect. Calls may be started at once; they wait. */
struct grpc_channel *grpc_channel_open(struct loop *l, const struct grpc_channel_options *o);
/* Ends all calls with CANCELLED (their on_end comes, in the next turn). Before the loop is
 * deinitialised it has to turn once more. NULL is fine. */
void grpc_channel_close(struct grpc_channel *ch);
size_t grpc_channel_calls(const struct grpc_channel *ch); /* that have not ended */

struct grpc_request {
    const char *path;   /* "/package.Service/Method" */
    int64_t timeout_ms; /* then DEADLINE_EXCEEDED, at both ends; 0: none */
    const struct grpc_metadata *metadata;
    size_t metadata_count;
    const struct grpc_handlers *handlers; /* must live as long as the call */
    void *arg;                            /* the call's context */
};
/* Any number at a time: what the server does not take at the moment waits here. Trouble of any kind
 * is told by on_end. */
struct grpc_call *grpc_call_start(struct grpc_channel *ch, const struct grpc_request *r);
/* No more messages from this side. */
void grpc_call_half_close(struct grpc_call *c);

/* One message there, one back. `reply` is a null slice unless code is OK. */
typedef void grpc_reply_fn(void *arg, const struct grpc_status *status, struct slice reply);
void grpc_unary(struct grpc_channel *ch, const char *path, struct slice request, int64_t timeout_ms,
                grpc_reply_fn *done, void *arg);

#endif
