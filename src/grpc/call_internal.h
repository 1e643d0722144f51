/* call_internal.h: one call, at either end (rpc_); see grpc.h for what users see.
 *
 *   server: headers -> on_request -> (messages) -> finish -> the stream closes -> on_end
 *   client: start -> headers sent -> (messages) -> status has come, all is delivered -> on_end
 *
 * Memory: the call lives while its stream is open, its end has not been told, or it is held. */
#ifndef CAUCUS_GRPC_CALL_INTERNAL_H
#define CAUCUS_GRPC_CALL_INTERNAL_H

#include "grpc/h2_internal.h"

/* What a turn shall do for a call. */
enum call_work {
    WORK_READ = 1,
    WORK_ROOM = 2,
    WORK_END = 4,
};

/* What the headers that are coming in have said. */
struct call_heads {
    uint32_t bytes;
    bool too_big;
    bool is_post, is_grpc; /* :method, content-type */
    bool encoded;          /* grpc-encoding names something else than identity */
    bool has_http_status;  /* of a reply: the first headers; without it: trailers */
    bool bad_timeout;
    int http_status, grpc_status; /* -1: none */
    int64_t timeout_ms;           /* -1: none */
};

struct grpc_call {
    struct h2 *h2; /* NULL: the connection is gone */
    int32_t stream;
    uint32_t refs;
    const struct grpc_handlers *handlers;
    const struct grpc_method *method; /* a server's; NULL: not known */
    void *context;
    uint32_t message_bytes_max;
    uint8_t work;

    bool is_server;
    bool service_known;   /* a server's, without a method: at least somebody of that name is here */
    bool begun;           /* a server's handler knows of it */
    bool headers_sent;    /* a server's answer has begun; a client's request has left */
    bool done;            /* nothing more to send but what is in `out` */
    bool sent_all;        /* nghttp2 has it all */
    bool peer_done;       /* nor will the peer */
    bool half_close_told; /* ... of which the user knows */
    bool over;            /* the user can do nothing any more */
    bool ending;          /* on_end is noted */
    bool told;            /* on_end was called */
    bool closed;          /* there is no stream, or no more */
    bool deferred;        /* nghttp2 waits for more in `out` */
    bool paused, wants_room;
    bool refused;

    struct list all;   /* h2->calls */
    struct list later; /* h2->later */
    struct deadline deadline;

    struct buf in;  /* not delivered: a message's beginning, or whole ones while paused */
    size_t unread;  /* bytes that flow control has not been told of */
    struct buf out; /* not sent: [out_at, len) */
    size_t out_at;

    struct call_heads heads;
    struct metadata metadata, trailer;    /* received */
    struct metadata reply, reply_trailer; /* a server's, to be sent */

    int code;
    struct buf message; /* of the status */
};

struct grpc_call *rpc_new(struct h2 *h, bool is_server);
void rpc_unref(struct grpc_call *c);
void rpc_set_stream(struct grpc_call *c, int32_t stream);
void rpc_later(struct grpc_call *c, enum call_work work);
void rpc_do_work(struct grpc_call *c); /* in a turn */
void rpc_set_status(struct grpc_call *c, int code, struct slice message);

/* It is over, with this status, as far as the user is concerned. */
void rpc_end(struct grpc_call *c, int code, const char *message);
/* Something was wrong with what the peer sent, or it took too long: ends it on both sides. */
void rpc_fail(struct grpc_call *c, int code, const char *message);
/* The connection is at its end. */
void rpc_lost(struct grpc_call *c, int code, const char *reason);
void rpc_set_deadline(struct grpc_call *c, int64_t timeout_ms);

/* call_read.c: what nghttp2 has got. */
void rpc_on_data(struct grpc_call *c, struct slice bytes);
void rpc_on_peer_done(struct grpc_call *c);
void rpc_read(struct grpc_call *c);

/* call_heads.c: headers, as they come. */
void rpc_begin_heads(struct grpc_call *c);
void rpc_on_header(struct grpc_call *c, struct slice name, struct slice value);
void rpc_on_heads(struct grpc_call *c, bool end); /* a client's */

/* call_send.c: what nghttp2 shall send. */
void rpc_forget_output(struct grpc_call *c);
ssize_t rpc_give_data(struct grpc_call *c, uint8_t *ret, size_t len, uint32_t *ret_flags);
void rpc_on_stream_closed(struct grpc_call *c, uint32_t error);
void rpc_reset(struct grpc_call *c, uint32_t error);
/* A client's headers, with which the stream begins. */
void rpc_submit_request(struct grpc_call *c, const nghttp2_nv *headers, size_t count);
/* A server's answer without gRPC: for those that speak something else. */
void rpc_refuse_http(struct grpc_call *c, const char *status);

#endif
