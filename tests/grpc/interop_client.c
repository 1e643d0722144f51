/* The cases, each a small story of calls; one channel for all of them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "interop.h"
#include "testing.pb-c.h"

static struct loop loop;
static struct grpc_channel *channel;
static char failure[256]; /* of the case that runs */

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (failure[0] == 0)
        vsnprintf(failure, sizeof failure, format, args);
    va_end(args);
}

/* ---- A call as a case sees it ---- */

enum {
    STEPS_MAX = 4
};

struct talk {
    struct grpc_call *call;
    /* A step for each message of the server: what the client does then. */
    void (*steps[STEPS_MAX])(struct talk *t);
    size_t step;
    size_t sizes[STEPS_MAX]; /* of the payloads that have come */
    size_t messages;
    bool is_input_reply; /* the reply of StreamingInputCall */
    int32_t aggregated;
    int code;
    char message[256];
    bool refused;
    char initial[64];
    uint8_t trailing[8];
    size_t trailing_len;
};

static size_t payload_bytes(struct talk *t, struct slice bytes)
{
    size_t len = 0;
    if (t->is_input_reply) {
        Grpc__Testing__StreamingInputCallResponse *r =
            grpc__testing__streaming_input_call_response__unpack(NULL, bytes.len, bytes.ptr);
        t->aggregated = r != NULL ? r->aggregated_payload_size : -1;
        grpc__testing__streaming_input_call_response__free_unpacked(r, NULL);
        return 0;
    }
    /* SimpleResponse has the same shape. */
    Grpc__Testing__StreamingOutputCallResponse *r =
        grpc__testing__streaming_output_call_response__unpack(NULL, bytes.len, bytes.ptr);
    if (r == NULL)
        fail("a reply cannot be read");
    else if (r->payload != NULL)
        len = r->payload->body.len;
    grpc__testing__streaming_output_call_response__free_unpacked(r, NULL);
    return len;
}

static void on_message(struct grpc_call *c, struct slice bytes)
{
    struct talk *t = grpc_call_context(c);
    if (t->messages < STEPS_MAX)
        t->sizes[t->messages] = payload_bytes(t, bytes);
    t->messages++;
    if (t->step < STEPS_MAX && t->steps[t->step] != NULL)
        t->steps[t->step++](t);
}

static void on_end(struct grpc_call *c, const struct grpc_status *status)
{
    struct talk *t = grpc_call_context(c);
    t->code = status->code;
    t->refused = status->refused;
    snprintf(t->message, sizeof t->message, "%.*s", (int)status->message.len,
             (const char *)status->message.ptr);
    struct slice value;
    if (grpc_call_find_metadata(c, "x-grpc-test-echo-initial", &value))
        snprintf(t->initial, sizeof t->initial, "%.*s", (int)value.len, (const char *)value.ptr);
    size_t count;
    const struct grpc_metadata *trailer = grpc_call_trailer(c, &count);
    for (size_t i = 0; i < count; i++) {
        if (!slice_eq_str(trailer[i].key, "x-grpc-test-echo-trailing-bin") ||
            trailer[i].value.len > sizeof t->trailing)
            continue;
        memcpy(t->trailing, trailer[i].value.ptr, trailer[i].value.len);
        t->trailing_len = trailer[i].value.len;
    }
    t->call = NULL;
    loop_stop(&loop);
}

static const struct grpc_handlers handlers = {.on_message = on_message, .on_end = on_end};

static void start_with(struct talk *t, const char *path, int64_t timeout_ms,
                       const struct grpc_metadata *metadata, size_t count)
{
    const struct grpc_request r = {
        .path = path,
        .timeout_ms = timeout_ms,
        .metadata = metadata,
        .metadata_count = count,
        .handlers = &handlers,
        .arg = t,
    };
    t->call = grpc_call_start(channel, &r);
}

static void start(struct talk *t, const char *path)
{
    start_with(t, path, 0, NULL, 0);
}

static void send_packed(struct talk *t, const ProtobufCMessage *m)
{
    uint8_t *bytes = mem_alloc(protobuf_c_message_get_packed_size(m));
    grpc_call_send(t->call, slice_of(bytes, protobuf_c_message_pack(m, bytes)));
    free(bytes);
}

static void finish(struct talk *t)
{
    while (t->call != NULL)
        loop_run(&loop);
}

static void expect_code(const struct talk *t, int code)
{
    if (t->code != code)
        fail("status %s (%s), not %s", grpc_code_name(t->code), t->message, grpc_code_name(code));
}

static void expect_sizes(const struct talk *t, const size_t *sizes, size_t count)
{
    if (t->messages != count)
        fail("%zu messages, not %zu", t->messages, count);
    for (size_t i = 0; i < count && i < t->messages; i++)
        if (t->sizes[i] != sizes[i])
            fail("message %zu has %zu bytes, not %zu", i, t->sizes[i], sizes[i]);
}

#define SERVICE "/grpc.testing.TestService/"

static Grpc__Testing__Payload zeros(size_t bytes)
{
    Grpc__Testing__Payload p = GRPC__TESTING__PAYLOAD__INIT;
    p.body.len = bytes;
    p.body.data = mem_calloc(1, bytes + 1);
    return p;
}

/* A request of FullDuplexCall; size < 0: no reply is asked for. */
static void send_duplex(struct talk *t, int32_t size, size_t payload_size,
                        Grpc__Testing__EchoStatus *status)
{
    Grpc__Testing__Payload payload = zeros(payload_size);
    Grpc__Testing__ResponseParameters parameters = GRPC__TESTING__RESPONSE_PARAMETERS__INIT;
    Grpc__Testing__ResponseParameters *list = &parameters;
    Grpc__Testing__StreamingOutputCallRequest r =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    parameters.size = size;
    r.response_parameters = &list;
    r.n_response_parameters = size >= 0 ? 1 : 0;
    r.payload = &payload;
    r.response_status = status;
    send_packed(t, &r.base);
    free(payload.body.data);
}

static void send_simple(struct talk *t, int32_t response_size, size_t payload_size,
                        Grpc__Testing__EchoStatus *status)
{
    Grpc__Testing__Payload payload = zeros(payload_size);
    Grpc__Testing__SimpleRequest r = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    r.response_size = response_size;
    r.payload = &payload;
    r.response_status = status;
    send_packed(t, &r.base);
    grpc_call_half_close(t->call);
    free(payload.body.data);
}

/* ---- Cases ---- */

static void empty_unary(void)
{
    struct talk t = {0};
    start(&t, SERVICE "EmptyCall");
    grpc_call_send(t.call, slice_str(""));
    grpc_call_half_close(t.call);
    finish(&t);
    expect_code(&t, GRPC_OK);
    expect_sizes(&t, (const size_t[]){0}, 1);
}

static void large_unary(void)
{
    struct talk t = {0};
    start(&t, SERVICE "UnaryCall");
    send_simple(&t, 314159, 271828, NULL);
    finish(&t);
    expect_code(&t, GRPC_OK);
    expect_sizes(&t, (const size_t[]){314159}, 1);
}

static void client_streaming(void)
{
    static const size_t sizes[] = {27182, 8, 1828, 45904};
    struct talk t = {.is_input_reply = true};
    start(&t, SERVICE "StreamingInputCall");
    for (size_t i = 0; i < 4; i++) {
        Grpc__Testing__Payload payload = zeros(sizes[i]);
        Grpc__Testing__StreamingInputCallRequest r =
            GRPC__TESTING__STREAMING_INPUT_CALL_REQUEST__INIT;
        r.payload = &payload;
        send_packed(&t, &r.base);
        free(payload.body.data);
    }
    grpc_call_half_close(t.call);
    finish(&t);
    expect_code(&t, GRPC_OK);
    if (t.aggregated != 74922)
        fail("the server has counted %d bytes", t.aggregated);
}

static void server_streaming(void)
{
    static const int32_t sizes[] = {31415, 9, 2653, 58979};
    Grpc__Testing__ResponseParameters parameters[4], *list[4];
    Grpc__Testing__StreamingOutputCallRequest r =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    for (size_t i = 0; i < 4; i++) {
        parameters[i] = (Grpc__Testing__ResponseParameters)GRPC__TESTING__RESPONSE_PARAMETERS__INIT;
        parameters[i].size = sizes[i];
        list[i] = &parameters[i];
    }
    r.response_parameters = list;
    r.n_response_parameters = 4;
    struct talk t = {0};
    start(&t, SERVICE "StreamingOutputCall");
    send_packed(&t, &r.base);
    grpc_call_half_close(t.call);
    finish(&t);
    expect_code(&t, GRPC_OK);
    expect_sizes(&t, (const size_t[]){31415, 9, 2653, 58979}, 4);
}

static void second_ping(struct talk *t)
{
    send_duplex(t, 9, 8, NULL);
}

static void third_ping(struct talk *t)
{
    send_duplex(t, 2653, 1828, NULL);
}

static void fourth_ping(struct talk *t)
{
    send_duplex(t, 58979, 45904, NULL);
}

static void no_more_pings(struct talk *t)
{
    grpc_call_half_close(t->call);
}

static void ping_pong(void)
{
    struct talk t = {.steps = {second_ping, third_ping, fourth_ping, no_more_pings}};
    start(&t, SERVICE "FullDuplexCall");
    send_duplex(&t, 31415, 27182, NULL);
    finish(&t);
    expect_code(&t, GRPC_OK);
    expect_sizes(&t, (const size_t[]){31415, 9, 2653, 58979}, 4);
}

static void empty_stream(void)
{
    struct talk t = {0};
    start(&t, SERVICE "FullDuplexCall");
    grpc_call_half_close(t.call);
    finish(&t);
    expect_code(&t, GRPC_OK);
    expect_sizes(&t, NULL, 0);
}

static void cancel_after_begin(void)
{
    struct talk t = {0};
    start(&t, SERVICE "StreamingInputCall");
    grpc_call_cancel(t.call);
    finish(&t);
    expect_code(&t, GRPC_CANCELLED);
}

static void cancel(struct talk *t)
{
    grpc_call_cancel(t->call);
}

static void cancel_after_first_response(void)
{
    struct talk t = {.steps = {cancel}};
    start(&t, SERVICE "FullDuplexCall");
    send_duplex(&t, 31415, 27182, NULL);
    finish(&t);
    expect_code(&t, GRPC_CANCELLED);
    expect_sizes(&t, (const size_t[]){31415}, 1);
}

static void timeout_on_sleeping_server(void)
{
    struct talk t = {0};
    start_with(&t, SERVICE "FullDuplexCall", 1, NULL, 0);
    send_duplex(&t, -1, 27182, NULL);
    finish(&t);
    expect_code(&t, GRPC_DEADLINE_EXCEEDED);
}

static void expect_message(const struct talk *t, const char *message)
{
    if (strcmp(t->message, message) != 0)
        fail("status message '%s'", t->message);
}

static void status_with(const char *text)
{
    char copy[128];
    snprintf(copy, sizeof copy, "%s", text);
    Grpc__Testing__EchoStatus status;
    grpc__testing__echo_status__init(&status);
    status.code = GRPC_UNKNOWN;
    status.message = copy;
    struct talk unary = {0};
    start(&unary, SERVICE "UnaryCall");
    send_simple(&unary, 0, 0, &status);
    finish(&unary);
    expect_code(&unary, GRPC_UNKNOWN);
    expect_message(&unary, text);
    struct talk duplex = {0};
    start(&duplex, SERVICE "FullDuplexCall");
    send_duplex(&duplex, -1, 0, &status);
    grpc_call_half_close(duplex.call);
    finish(&duplex);
    expect_code(&duplex, GRPC_UNKNOWN);
    expect_message(&duplex, text);
}

static void status_code_and_message(void)
{
    status_with("test status message");
}

static void special_status_message(void)
{
    status_with("\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
                "\xf0\x9f\x98\x88\t\n");
}

static void unimplemented(const char *path)
{
    struct talk t = {0};
    start(&t, path);
    grpc_call_send(t.call, slice_str(""));
    grpc_call_half_close(t.call);
    finish(&t);
    expect_code(&t, GRPC_UNIMPLEMENTED);
    expect_sizes(&t, NULL, 0);
}

static void unimplemented_method(void)
{
    unimplemented(SERVICE "UnimplementedCall");
}

static void unimplemented_service(void)
{
    unimplemented("/grpc.testing.UnimplementedService/UnimplementedCall");
}

static void expect_echo(const struct talk *t)
{
    if (strcmp(t->initial, "test_initial_metadata_value") != 0)
        fail("initial metadata '%s'", t->initial);
    if (t->trailing_len != 3 || memcmp(t->trailing, "\xab\xab\xab", 3) != 0)
        fail("trailing metadata of %zu bytes", t->trailing_len);
}

static void custom_metadata(void)
{
    const struct grpc_metadata metadata[] = {
        {slice_str("x-grpc-test-echo-initial"), slice_str("test_initial_metadata_value")},
        {slice_str("x-grpc-test-echo-trailing-bin"), slice_str("\xab\xab\xab")},
    };
    struct talk unary = {0};
    start_with(&unary, SERVICE "UnaryCall", 0, metadata, 2);
    send_simple(&unary, 314159, 271828, NULL);
    finish(&unary);
    expect_code(&unary, GRPC_OK);
    expect_echo(&unary);
    struct talk duplex = {.steps = {no_more_pings}};
    start_with(&duplex, SERVICE "FullDuplexCall", 0, metadata, 2);
    send_duplex(&duplex, 314159, 271828, NULL);
    finish(&duplex);
    expect_code(&duplex, GRPC_OK);
    expect_echo(&duplex);
}

/* ---- The program ---- */

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
    CASE(empty_unary),
    CASE(large_unary),
    CASE(client_streaming),
    CASE(server_streaming),
    CASE(ping_pong),
    CASE(empty_stream),
    CASE(cancel_after_begin),
    CASE(cancel_after_first_response),
    CASE(timeout_on_sleeping_server),
    CASE(status_code_and_message),
    CASE(special_status_message),
    CASE(unimplemented_method),
    CASE(unimplemented_service),
    CASE(custom_metadata),
#undef CASE
};

static bool is_wanted(const char *name, const char *const *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, wanted[i]) == 0)
            return true;
    return count == 0;
}

static void nothing(void *arg)
{
    (void)arg;
}

static void on_channel_end(void *arg, struct grpc_channel *ch, const char *reason)
{
    (void)arg;
    (void)ch;
    fprintf(stderr, "the channel has ended: %s\n", reason);
    exit(1);
}

static struct tls_context *make_tls(struct certificates certificates)
{
    char client_file[300], ca_file[300];
    struct tls_context *tls = NULL;
    struct err err;
    if (certificates.folder == NULL)
        return NULL;
    snprintf(client_file, sizeof client_file, "%s/client.pem", certificates.folder);
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", certificates.folder);
    const struct tls_client_options o = {
        .ca_file = ca_file,
        .certificate_file = client_file,
        .alpn = "h2",
    };
    if (tls_client_context(&o, &tls, &err) < 0)
        interop_die("certificates", &err);
    return tls;
}

int interop_call(int port, struct certificates certificates, const char *const *wanted,
                 size_t count)
{
    struct tls_context *tls = make_tls(certificates);
    const struct connect_target target = {"127.0.0.1", port};
    const struct grpc_channel_options o = {
        .targets = &target,
        .target_count = 1,
        .tls = tls,
        .on_end = on_channel_end,
    };
    bool ok = true;
    loop_init(&loop);
    loop.on_turn_end = loop.on_wake = loop.on_deadline = nothing;
    channel = grpc_channel_open(&loop, &o);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!is_wanted(cases[i].name, wanted, count))
            continue;
        failure[0] = 0;
        cases[i].run();
        if (failure[0] != 0)
            printf("FAILED %s: %s\n", cases[i].name, failure);
        else
            printf("ok %s\n", cases[i].name);
        fflush(stdout);
        ok &= failure[0] == 0;
    }
    grpc_channel_close(channel);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    loop_deinit(&loop);
    tls_context_free(tls);
    return ok ? 0 : 1;
}
