/* grpc_kit.h: a server and a client of gRPC on one loop, and methods that show their sides. */
#ifndef CAUCUS_TESTS_UNIT_GRPC_KIT_H
#define CAUCUS_TESTS_UNIT_GRPC_KIT_H

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "grpc/grpc.h"

enum {
    KIT_PATIENCE_MS = 30000,
    KIT_CHUNK_BYTES = 1000,
};

struct kit {
    struct loop loop;
    struct grpc_server *server;
    struct grpc_channel *channel;
    bool server_closed, channel_open, channel_going, channel_ended;
    char channel_reason[256];
    bool (*done)(struct kit *k);
    uv_timer_t patience;

    /* What the server's handlers have seen. */
    size_t calls, messages, half_closes, ends;
    int end_code;                                   /* of the last that ended */
    struct grpc_call *held;                         /* of Hold */
    size_t chunks_wanted, chunks_sent, most_unsent; /* of Pour */
};

/* What a client's call has seen. */
struct seen {
    struct kit *kit;
    struct grpc_call *call; /* NULL: over */
    size_t messages, bytes, rooms;
    int code;
    bool refused, headers;
    char message[128];
    bool pause; /* at each message */
};

static inline void kit_check(void *arg)
{
    struct kit *k = arg;
    if (k->done != NULL && k->done(k))
        loop_stop(&k->loop);
}

static inline void kit_too_late(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("waited in vain");
}

/* Runs the loop until `done` says so; it is asked after each turn. */
static inline void kit_run(struct kit *k, bool (*done)(struct kit *k))
{
    uv_timer_start(&k->patience, kit_too_late, KIT_PATIENCE_MS, 0);
    k->done = done;
    if (!done(k))
        loop_run(&k->loop);
    k->done = NULL;
    uv_timer_stop(&k->patience);
}

/* ---- The server's methods ---- */

static inline void kit_echo(void *arg, struct grpc_call *c, struct slice request)
{
    struct kit *k = arg;
    k->calls++;
    grpc_call_reply(c, request);
}

static inline void kit_on_call(void *arg, struct grpc_call *c)
{
    struct kit *k = arg;
    k->calls++;
    grpc_call_set_context(c, k);
}

static inline void kit_chat(struct grpc_call *c, struct slice message)
{
    struct kit *k = grpc_call_context(c);
    k->messages++;
    grpc_call_send(c, message);
}

static inline void kit_chat_done(struct grpc_call *c)
{
    struct kit *k = grpc_call_context(c);
    k->half_closes++;
    grpc_call_finish(c, GRPC_OK, "bye");
}

static inline void kit_on_end(struct grpc_call *c, const struct grpc_status *status)
{
    struct kit *k = grpc_call_context(c);
    k->ends++;
    k->end_code = status->code;
}

/* Sends chunks as long as there is room, and remembers how much waited at worst. */
static inline void kit_pour_more(struct grpc_call *c)
{
    static const uint8_t chunk[KIT_CHUNK_BYTES];
    struct kit *k = grpc_call_context(c);
    while (k->chunks_sent < k->chunks_wanted && grpc_call_unsent(c) < GRPC_ROOM_BYTES &&
           !grpc_call_is_over(c)) {
        grpc_call_send(c, slice_of(chunk, sizeof chunk));
        k->chunks_sent++;
    }
    if (grpc_call_unsent(c) > k->most_unsent)
        k->most_unsent = grpc_call_unsent(c);
    if (k->chunks_sent == k->chunks_wanted)
        grpc_call_finish(c, GRPC_OK, NULL);
    else
        grpc_call_want_room(c);
}

static inline void kit_pour(void *arg, struct grpc_call *c, struct slice request)
{
    (void)request;
    kit_on_call(arg, c);
    kit_pour_more(c);
}

/* Is held and never answered by itself. */
static inline void kit_hold(void *arg, struct grpc_call *c, struct slice request)
{
    struct kit *k = arg;
    (void)request;
    kit_on_call(arg, c);
    grpc_call_hold(c);
    k->held = c;
}

static inline void kit_paused(void *arg, struct grpc_call *c)
{
    struct kit *k = arg;
    kit_on_call(arg, c);
    grpc_call_pause(c);
    grpc_call_hold(c);
    k->held = c;
}

static const struct grpc_handlers kit_chat_handlers = {
    .on_message = kit_chat,
    .on_half_close = kit_chat_done,
    .on_end = kit_on_end,
};
static const struct grpc_handlers kit_pour_handlers = {
    .on_room = kit_pour_more,
    .on_end = kit_on_end,
};

static inline void kit_serve(struct kit *k, struct grpc_server_options o)
{
    struct err err;
    o.address = "127.0.0.1";
    assert_int_equal(grpc_server_open(&k->loop, &o, &k->server, &err), 0);
    const struct grpc_method methods[] = {
        {.path = "/kit.T/Echo", .unary = kit_echo, .arg = k},
        {.path = "/kit.T/Chat", .call = kit_on_call, .handlers = &kit_chat_handlers, .arg = k},
        {.path = "/kit.T/Pour", .unary = kit_pour, .handlers = &kit_pour_handlers, .arg = k},
        {.path = "/kit.T/Hold", .unary = kit_hold, .handlers = &kit_pour_handlers, .arg = k},
        {.path = "/kit.T/Paused", .call = kit_paused, .handlers = &kit_chat_handlers, .arg = k},
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        grpc_server_add(k->server, &methods[i]);
}

/* ---- The client ---- */

static inline void kit_on_open(void *arg, struct grpc_channel *ch)
{
    struct kit *k = arg;
    (void)ch;
    k->channel_open = true;
}

static inline void kit_on_going(void *arg, struct grpc_channel *ch)
{
    struct kit *k = arg;
    (void)ch;
    k->channel_going = true;
}

static inline void kit_on_channel_end(void *arg, struct grpc_channel *ch, const char *reason)
{
    struct kit *k = arg;
    (void)ch;
    k->channel = NULL;
    k->channel_ended = true;
    snprintf(k->channel_reason, sizeof k->channel_reason, "%s", reason);
}

static inline void kit_connect_to(struct kit *k, int port)
{
    const struct connect_target target = {"127.0.0.1", port};
    k->channel = grpc_channel_open(&k->loop, &(struct grpc_channel_options){
                                                 .targets = &target,
                                                 .target_count = 1,
                                                 .on_open = kit_on_open,
                                                 .on_going = kit_on_going,
                                                 .on_end = kit_on_channel_end,
                                                 .arg = k,
                                             });
}

static inline void kit_on_message(struct grpc_call *c, struct slice message)
{
    struct seen *s = grpc_call_context(c);
    s->messages++;
    s->bytes += message.len;
    if (s->pause)
        grpc_call_pause(c);
}

static inline void kit_on_headers(struct grpc_call *c)
{
    struct seen *s = grpc_call_context(c);
    s->headers = true;
}

static inline void kit_on_room(struct grpc_call *c)
{
    struct seen *s = grpc_call_context(c);
    s->rooms++;
}

static inline void kit_on_call_end(struct grpc_call *c, const struct grpc_status *status)
{
    struct seen *s = grpc_call_context(c);
    assert_non_null(s->call);
    s->call = NULL;
    s->code = status->code;
    s->refused = status->refused;
    snprintf(s->message, sizeof s->message, "%.*s", (int)status->message.len,
             (const char *)status->message.ptr);
}

static const struct grpc_handlers kit_client_handlers = {
    .on_message = kit_on_message,
    .on_headers = kit_on_headers,
    .on_room = kit_on_room,
    .on_end = kit_on_call_end,
};

static inline void kit_call(struct kit *k, struct seen *s, const char *path, int64_t timeout_ms)
{
    *s = (struct seen){.kit = k, .code = -1};
    s->call = grpc_call_start(k->channel, &(struct grpc_request){
                                              .path = path,
                                              .timeout_ms = timeout_ms,
                                              .handlers = &kit_client_handlers,
                                              .arg = s,
                                          });
}

/* With one request. */
static inline void kit_ask(struct kit *k, struct seen *s, const char *path, const char *request)
{
    kit_call(k, s, path, 0);
    grpc_call_send(s->call, slice_str(request));
    grpc_call_half_close(s->call);
}

/* ---- Life ---- */

static inline struct kit *kit_new(void)
{
    struct kit *k = mem_calloc(1, sizeof *k);
    loop_init(&k->loop);
    k->loop.on_turn_end = k->loop.on_wake = k->loop.on_deadline = kit_check;
    k->loop.arg = k;
    k->end_code = -1;
    uv_timer_init(&k->loop.uv, &k->patience);
    return k;
}

static inline void kit_on_closed(void *arg)
{
    struct kit *k = arg;
    k->server = NULL;
    k->server_closed = true;
}

static inline bool kit_is_quiet(struct kit *k)
{
    return k->server == NULL;
}

static inline void kit_free(struct kit *k)
{
    if (k->held != NULL)
        grpc_call_release(k->held);
    grpc_channel_close(k->channel);
    uv_run(&k->loop.uv, UV_RUN_NOWAIT);
    if (k->server != NULL)
        grpc_server_close(k->server, 0, kit_on_closed, k);
    kit_run(k, kit_is_quiet);
    uv_close((uv_handle_t *)&k->patience, NULL);
    loop_deinit(&k->loop);
    free(k);
}

/* Both ends. */
static inline struct kit *kit_pair(struct grpc_server_options o)
{
    struct kit *k = kit_new();
    kit_serve(k, o);
    kit_connect_to(k, grpc_server_port(k->server));
    return k;
}

#endif
