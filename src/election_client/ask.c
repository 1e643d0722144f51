#include "election_client/ask.h"

#include <stdio.h>

#include "grpc/grpc.h"

enum {
    CONNECT_TIMEOUT_MS = 3000,
};

/* One attempt, at one server. */
struct attempt {
    struct loop loop;
    struct grpc_channel *channel;
    struct ask_answer *answer;
    ask_message_fn *message; /* of a stream */
    void *arg;
    bool stopped; /* by `message` */
    bool heard;   /* something came */
};

static void fail(struct ask_answer *a, int code, const char *why, size_t len)
{
    a->code = code;
    snprintf(a->detail, sizeof a->detail, "%.*s", (int)(len < 400 ? len : 400), why);
    if (a->detail[0] == 0)
        snprintf(a->detail, sizeof a->detail, "%s", grpc_code_name(code));
}

static void on_reply(void *arg, const struct grpc_status *status, struct slice reply)
{
    struct attempt *t = arg;
    t->answer->code = status->code;
    if (status->code == GRPC_OK)
        buf_put_slice(&t->answer->reply, reply);
    else
        fail(t->answer, status->code, (const char *)status->message.ptr, status->message.len);
    loop_stop(&t->loop);
}

static void on_message(struct grpc_call *call, struct slice message)
{
    struct attempt *t = grpc_call_context(call);
    t->heard = true;
    if (t->stopped || t->message(t->arg, message))
        return;
    t->stopped = true;
    grpc_call_cancel(call);
}

static void on_stream_end(struct grpc_call *call, const struct grpc_status *status)
{
    struct attempt *t = grpc_call_context(call);
    if (t->stopped || status->code == GRPC_OK)
        t->answer->code = GRPC_OK;
    else
        fail(t->answer, status->code, (const char *)status->message.ptr, status->message.len);
    loop_stop(&t->loop);
}

static const struct grpc_handlers stream_handlers = {.on_message = on_message,
                                                     .on_end = on_stream_end};

/* All calls have ended before, so there is an answer. */
static void on_channel_end(void *arg, struct grpc_channel *ch, const char *reason)
{
    struct attempt *t = arg;
    (void)ch;
    t->channel = NULL;
    if (t->answer->code == GRPC_UNAVAILABLE)
        fail(t->answer, GRPC_UNAVAILABLE, reason, strlen(reason));
    loop_stop(&t->loop);
}

static void nothing(void *arg)
{
    (void)arg;
}

void ask_loop_init(struct loop *l)
{
    loop_init(l);
    l->on_turn_end = l->on_wake = l->on_deadline = nothing;
}

static void attempt_at(struct attempt *t, const struct ask_options *o, uint32_t server,
                       const char *path, struct slice request)
{
    struct grpc_channel_options channel = {
        .targets = &o->servers->list[server],
        .target_count = 1,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .tls = o->tls,
        .on_end = on_channel_end,
        .arg = t,
    };
    snprintf(t->answer->server, sizeof t->answer->server, "%s", o->servers->texts[server]);
    ask_loop_init(&t->loop);
    t->channel = grpc_channel_open(&t->loop, &channel);
    if (t->message == NULL) {
        grpc_unary(t->channel, path, request, o->timeout_ms, on_reply, t);
    } else {
        struct grpc_request r = {.path = path, .handlers = &stream_handlers, .arg = t};
        struct grpc_call *call = grpc_call_start(t->channel, &r);
        grpc_call_send(call, request);
        grpc_call_half_close(call);
    }
    loop_run(&t->loop);
    grpc_channel_close(t->channel);
    uv_run(&t->loop.uv, UV_RUN_NOWAIT); /* it says goodbye */
    loop_deinit(&t->loop);
}

/* Another server may have another answer. */
static bool is_no_answer(int code)
{
    return code == GRPC_UNAVAILABLE || code == GRPC_DEADLINE_EXCEEDED ||
           code == GRPC_RESOURCE_EXHAUSTED || code == GRPC_CANCELLED;
}

static void run(const struct ask_options *o, const char *path, struct slice request,
                ask_message_fn *message, void *arg, struct ask_answer *ret)
{
    uint32_t order[SERVERS_MAX], count = o->servers->count;
    uint32_t attempts = count * ask_rounds(o);
    servers_by_chance(count, order);
    *ret = (struct ask_answer){.code = GRPC_UNAVAILABLE};
    for (uint32_t i = 0; i < attempts; i++) {
        struct attempt t = {.answer = ret, .message = message, .arg = arg};
        ret->code = GRPC_UNAVAILABLE;
        buf_clear(&ret->reply);
        attempt_at(&t, o, order[i % count], path, request);
        if (!is_no_answer(ret->code))
            return;
        if (t.heard)
            i = 0; /* that one worked for a while: all are worth another attempt */
    }
}

void ask(const struct ask_options *o, const char *path, struct slice request,
         struct ask_answer *ret)
{
    run(o, path, request, NULL, NULL, ret);
}

void ask_stream(const struct ask_options *o, const char *path, struct slice request,
                ask_message_fn *message, void *arg, struct ask_answer *ret)
{
    run(o, path, request, message, arg, ret);
}
