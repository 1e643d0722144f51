#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "interop.h"
#include "testing.pb-c.h"

enum {
    SIZE_MAX_SERVED = 16 << 20
};

/* ---- What several methods do ---- */

#define ECHO_INITIAL  "x-grpc-test-echo-initial"
#define ECHO_TRAILING "x-grpc-test-echo-trailing-bin"

static void echo_metadata(struct grpc_call *c)
{
    struct slice value;
    if (grpc_call_find_metadata(c, ECHO_INITIAL, &value))
        grpc_call_add_metadata(c, ECHO_INITIAL, value);
    if (grpc_call_find_metadata(c, ECHO_TRAILING, &value))
        grpc_call_add_trailer(c, ECHO_TRAILING, value);
}

static void finish(struct grpc_call *c, const Grpc__Testing__EchoStatus *status)
{
    if (status != NULL)
        grpc_call_finish(c, status->code, status->message);
    else
        grpc_call_finish(c, GRPC_OK, NULL);
}

static void send_packed(struct grpc_call *c, const ProtobufCMessage *m)
{
    uint8_t *bytes = mem_alloc(protobuf_c_message_get_packed_size(m));
    grpc_call_send(c, slice_of(bytes, protobuf_c_message_pack(m, bytes)));
    free(bytes);
}

/* NULL, and the call is over: it is no such message. */
static void *unpack(struct grpc_call *c, const ProtobufCMessageDescriptor *type, struct slice bytes)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, bytes.len, bytes.ptr);
    if (m == NULL)
        grpc_call_finish(c, GRPC_INVALID_ARGUMENT, "the request cannot be read");
    return m;
}

static Grpc__Testing__Payload payload_of(int32_t size)
{
    Grpc__Testing__Payload p = GRPC__TESTING__PAYLOAD__INIT;
    p.body.len = size > 0 && size <= SIZE_MAX_SERVED ? (size_t)size : 0;
    p.body.data = mem_calloc(1, p.body.len + 1);
    return p;
}

static void send_outputs(struct grpc_call *c, const Grpc__Testing__StreamingOutputCallRequest *r)
{
    for (size_t i = 0; i < r->n_response_parameters; i++) {
        Grpc__Testing__Payload payload = payload_of(r->response_parameters[i]->size);
        Grpc__Testing__StreamingOutputCallResponse reply =
            GRPC__TESTING__STREAMING_OUTPUT_CALL_RESPONSE__INIT;
        reply.payload = &payload;
        send_packed(c, &reply.base);
        free(payload.body.data);
    }
}

/* ---- Methods ---- */

static void on_empty(void *arg, struct grpc_call *c, struct slice request)
{
    (void)arg;
    (void)request;
    grpc_call_reply(c, slice_str(""));
}

static void on_unary(void *arg, struct grpc_call *c, struct slice bytes)
{
    (void)arg;
    Grpc__Testing__SimpleRequest *r = unpack(c, &grpc__testing__simple_request__descriptor, bytes);
    if (r == NULL)
        return;
    echo_metadata(c);
    if (r->response_status == NULL || r->response_status->code == GRPC_OK) {
        Grpc__Testing__Payload payload = payload_of(r->response_size);
        Grpc__Testing__SimpleResponse reply = GRPC__TESTING__SIMPLE_RESPONSE__INIT;
        reply.payload = &payload;
        send_packed(c, &reply.base);
        free(payload.body.data);
    }
    finish(c, r->response_status);
    grpc__testing__simple_request__free_unpacked(r, NULL);
}

static void on_output(void *arg, struct grpc_call *c, struct slice bytes)
{
    (void)arg;
    Grpc__Testing__StreamingOutputCallRequest *r =
        unpack(c, &grpc__testing__streaming_output_call_request__descriptor, bytes);
    if (r == NULL)
        return;
    send_outputs(c, r);
    finish(c, r->response_status);
    grpc__testing__streaming_output_call_request__free_unpacked(r, NULL);
}

/* The call's context counts the bytes. */
static void on_input(struct grpc_call *c, struct slice bytes)
{
    Grpc__Testing__StreamingInputCallRequest *r =
        unpack(c, &grpc__testing__streaming_input_call_request__descriptor, bytes);
    if (r == NULL)
        return;
    uintptr_t sum = (uintptr_t)grpc_call_context(c);
    grpc_call_set_context(c, (void *)(sum + (r->payload != NULL ? r->payload->body.len : 0)));
    grpc__testing__streaming_input_call_request__free_unpacked(r, NULL);
}

static void on_input_done(struct grpc_call *c)
{
    Grpc__Testing__StreamingInputCallResponse reply =
        GRPC__TESTING__STREAMING_INPUT_CALL_RESPONSE__INIT;
    reply.aggregated_payload_size = (int32_t)(uintptr_t)grpc_call_context(c);
    send_packed(c, &reply.base);
    grpc_call_finish(c, GRPC_OK, NULL);
}

static void on_duplex(struct grpc_call *c, struct slice bytes)
{
    Grpc__Testing__StreamingOutputCallRequest *r =
        unpack(c, &grpc__testing__streaming_output_call_request__descriptor, bytes);
    if (r == NULL)
        return;
    send_outputs(c, r);
    if (r->response_status != NULL && r->response_status->code != GRPC_OK)
        finish(c, r->response_status);
    grpc__testing__streaming_output_call_request__free_unpacked(r, NULL);
}

static void on_duplex_done(struct grpc_call *c)
{
    grpc_call_finish(c, GRPC_OK, NULL);
}

static void on_stream(void *arg, struct grpc_call *c)
{
    (void)arg;
    echo_metadata(c);
}

static const struct grpc_handlers input_handlers = {
    .on_message = on_input,
    .on_half_close = on_input_done,
};
static const struct grpc_handlers duplex_handlers = {
    .on_message = on_duplex,
    .on_half_close = on_duplex_done,
};

#define SERVICE "/grpc.testing.TestService/"

static const struct grpc_method methods[] = {
    {.path = SERVICE "EmptyCall", .unary = on_empty},
    {.path = SERVICE "UnaryCall", .unary = on_unary},
    {.path = SERVICE "StreamingOutputCall", .unary = on_output},
    {.path = SERVICE "StreamingInputCall", .call = on_stream, .handlers = &input_handlers},
    {.path = SERVICE "FullDuplexCall", .call = on_stream, .handlers = &duplex_handlers},
};

/* ---- The program ---- */

static struct loop loop;
static struct grpc_server *server;

static void nothing(void *arg)
{
    (void)arg;
}

static void on_closed(void *arg)
{
    (void)arg;
    loop_stop(&loop);
}

/* The first asks it to end, as a server is asked to. */
static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_close((uv_handle_t *)handle, NULL);
    grpc_server_close(server, 5000, on_closed, NULL);
}

static struct tls_context *make_tls(struct certificates certificates)
{
    char server_file[300], ca_file[300];
    struct tls_context *tls = NULL;
    struct err err;
    if (certificates.folder == NULL)
        return NULL;
    snprintf(server_file, sizeof server_file, "%s/server.pem", certificates.folder);
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", certificates.folder);
    const struct tls_server_options o = {
        .key = {server_file, TLS_STORE_PEM, ""},
        .trust = {ca_file, TLS_STORE_PEM, ""},
        .client_auth = TLS_CLIENT_AUTH_NEED,
        .protocols = "TLSv1.2,TLSv1.3",
        .ciphers = "",
        .alpn = "h2",
    };
    if (tls_server_context(&o, &tls, &err) < 0)
        interop_die("certificates", &err);
    return tls;
}

int interop_serve(struct certificates certificates)
{
    struct tls_context *tls = make_tls(certificates);
    struct err err;
    uv_signal_t signal;
    loop_init(&loop);
    loop.on_turn_end = loop.on_wake = loop.on_deadline = nothing;
    const struct grpc_server_options o = {
        .address = "127.0.0.1",
        .tls = tls,
        .streams_max = 20000,
    };
    if (grpc_server_open(&loop, &o, &server, &err) < 0)
        interop_die("listen", &err);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        grpc_server_add(server, &methods[i]);
    uv_signal_init(&loop.uv, &signal);
    uv_signal_start(&signal, on_signal, SIGTERM);
    printf("%d\n", grpc_server_port(server));
    fflush(stdout);
    loop_run(&loop);
    loop_deinit(&loop);
    tls_context_free(tls);
    return 0;
}
