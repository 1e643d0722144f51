/* election.v1.Voting. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "election_grpc/cast_codec.h"
#include "election_grpc/door_internal.h"

enum {
    CAST_TIMEOUT_MS_MAX = 60000
};

static enum cast_wire_outcome outcome_on_wire(enum cast_outcome o)
{
    switch (o) {
    case CAST_COMMITTED:
        return CAST_WIRE_COMMITTED;
    case CAST_DUPLICATE:
        return CAST_WIRE_DUPLICATE;
    case CAST_NOT_STARTED:
        return CAST_WIRE_NOT_STARTED;
    case CAST_CLOSING:
    case CAST_CLOSED:
        return CAST_WIRE_CLOSED_OUT;
    case CAST_UNKNOWN:
        return CAST_WIRE_UNKNOWN_RETRY;
    default:
        return CAST_WIRE_REJECTED;
    }
}

static struct slice text_of(const char *text)
{
    return slice_str(text != NULL ? text : "");
}

static bool was_counted(enum cast_outcome o)
{
    return o == CAST_COMMITTED || o == CAST_DUPLICATE;
}

static void put_reply(const struct election_grpc *g, const struct cast_reply *reply,
                      struct slice request_id, bool sign, struct buf *out)
{
    uint8_t signature[SIGNATURE_BYTES_OF_RECEIPT];
    struct cast_wire_reply wire = {
        .outcome = outcome_on_wire(reply->outcome),
        .detail = text_of(reply->detail),
        .request_id = request_id,
        .code = (uint32_t)code_of_cast(reply->outcome),
        .retry_after_ms = reply->retry_after_ms,
    };
    if (was_counted(reply->outcome) && reply->state >= 0) {
        wire.has_receipt = true;
        wire.state = slice_str(service_election(g->service)->states[reply->state].names.code);
        wire.receipt = reply->receipt;
        if (sign) {
            service_sign_receipt(g->service, reply->state, &reply->receipt, signature);
            wire.signature = slice_of(signature, sizeof signature);
        }
    }
    cast_wire_reply_encode(&wire, out);
}

/* The time that is left, if the client has said; else the service's own. */
static int64_t timeout_of(const struct grpc_call *c)
{
    int64_t left = grpc_call_left_ms(c);
    if (left == INT64_MAX)
        return 0;
    return left < 1 ? 1 : left < CAST_TIMEOUT_MS_MAX ? left : CAST_TIMEOUT_MS_MAX;
}

static struct cast_request request_of(const struct cast_wire *wire, const struct grpc_call *c)
{
    struct cast_request r = {
        .state = wire->state,
        .voter = wire->voter,
        .candidate = wire->candidate,
        .expect_revision = wire->expect_revision,
        .credential = wire->credential.len > 0 ? wire->credential : slice_of(NULL, 0),
        .timeout_ms = timeout_of(c),
    };
    if (wire->request_id.len == sizeof r.request.bytes)
        memcpy(r.request.bytes, wire->request_id.ptr, sizeof r.request.bytes);
    return r;
}

/* ---- One vote ---- */

static void on_cast(void *arg, const struct cast_reply *reply)
{
    struct asked *a = arg;
    a->door->casts[reply->outcome]++;
    if (was_counted(reply->outcome)) {
        struct buf bytes = {0};
        put_reply(a->door, reply, slice_of(NULL, 0), a->sign, &bytes);
        grpc_call_reply(a->call, buf_slice(&bytes));
        buf_deinit(&bytes);
    } else {
        finish_cast(a->call, reply->outcome, reply->detail, reply->retry_after_ms);
    }
    asked_free(a);
}

static void cast_one(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    struct cast_wire wire;
    uint8_t id[16];
    if (!cast_wire_decode(bytes, &wire)) {
        finish_cast(c, CAST_INVALID, "the request cannot be read", 0);
        return;
    }
    if (!take_id(c, wire.request_id, id))
        return;
    struct cast_request r = request_of(&wire, c);
    struct asked *a = asked_new(g, c);
    a->sign = wire.sign;
    service_cast(g->service, &r, on_cast, a);
}

/* ---- A stream of votes ---- */

enum {
    UNSENT_BYTES_MAX = 1 << 20 /* answers the client has not read; then no more votes are taken */
};

struct vote_stream {
    struct election_grpc *door;
    struct grpc_call *call;
    uint32_t in_flight;
    bool paused, half_closed;
};

/* One vote of it: what its answer needs. */
struct vote {
    struct vote_stream *stream;
    bool sign;
    uint8_t id_bytes;
    uint8_t id[REQUEST_ID_BYTES];
};

static struct vote_stream *stream_of(struct grpc_call *c)
{
    return grpc_call_context(c);
}

static void free_if_over(struct vote_stream *s)
{
    if (s->in_flight > 0 || !grpc_call_is_over(s->call))
        return;
    struct election_grpc *g = s->door;
    grpc_call_set_context(s->call, NULL);
    grpc_call_release(s->call);
    free(s);
    door_release(g);
}

static void slow_down(struct vote_stream *s)
{
    if (s->in_flight < s->door->options.in_flight_max &&
        grpc_call_unsent(s->call) < UNSENT_BYTES_MAX)
        return;
    s->paused = true;
    grpc_call_pause(s->call);
}

static void go_on(struct vote_stream *s)
{
    if (!s->paused || s->in_flight > s->door->options.in_flight_max / 2)
        return;
    if (grpc_call_unsent(s->call) >= GRPC_ROOM_BYTES) {
        grpc_call_want_room(s->call);
        return;
    }
    s->paused = false;
    grpc_call_resume(s->call);
}

static void on_vote(void *arg, const struct cast_reply *reply)
{
    struct vote *v = arg;
    struct vote_stream *s = v->stream;
    s->door->casts[reply->outcome]++;
    struct buf *bytes = &s->door->reply;
    buf_clear(bytes);
    put_reply(s->door, reply, slice_of(v->id, v->id_bytes), v->sign, bytes);
    grpc_call_send(s->call, buf_slice(bytes));
    free(v);
    s->in_flight--;
    if (s->half_closed && s->in_flight == 0)
        grpc_call_finish(s->call, GRPC_OK, NULL);
    go_on(s);
    free_if_over(s);
}

static void on_vote_message(struct grpc_call *c, struct slice bytes)
{
    struct vote_stream *s = stream_of(c);
    struct cast_wire wire;
    if (!cast_wire_decode(bytes, &wire) ||
        (wire.request_id.len != 0 && wire.request_id.len != REQUEST_ID_BYTES)) {
        grpc_call_finish(c, GRPC_INVALID_ARGUMENT, "a request cannot be read");
        return;
    }
    struct vote *v = mem_alloc(sizeof *v);
    v->stream = s;
    v->sign = wire.sign;
    v->id_bytes = (uint8_t)wire.request_id.len;
    if (v->id_bytes > 0)
        memcpy(v->id, wire.request_id.ptr, v->id_bytes);
    s->in_flight++;
    struct cast_request r = request_of(&wire, c);
    service_cast(s->door->service, &r, on_vote, v);
    slow_down(s);
}

static void on_votes_done(struct grpc_call *c)
{
    struct vote_stream *s = stream_of(c);
    s->half_closed = true;
    if (s->in_flight == 0)
        grpc_call_finish(c, GRPC_OK, NULL);
}

static void on_votes_room(struct grpc_call *c)
{
    go_on(stream_of(c));
}

static void on_votes_end(struct grpc_call *c, const struct grpc_status *status)
{
    (void)status;
    if (stream_of(c) != NULL)
        free_if_over(stream_of(c));
}

static const struct grpc_handlers votes_handlers = {
    .on_message = on_vote_message,
    .on_half_close = on_votes_done,
    .on_room = on_votes_room,
    .on_end = on_votes_end,
};

static void on_votes(void *arg, struct grpc_call *c)
{
    struct vote_stream *s = mem_calloc(1, sizeof *s);
    s->door = arg;
    s->call = c;
    grpc_call_hold(c);
    door_hold(s->door);
    grpc_call_set_context(c, s);
    grpc_call_send_headers(c); /* some clients wait for them before they send */
}

#define VOTING "/election.v1.Voting/"

void voting_add(struct election_grpc *g)
{
    const struct grpc_method methods[] = {
        {.path = VOTING "Cast", .unary = cast_one, .arg = g},
        {.path = VOTING "CastStream", .call = on_votes, .handlers = &votes_handlers, .arg = g},
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        grpc_server_add(g->server, &methods[i]);
}
