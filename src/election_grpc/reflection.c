/* grpc.reflection: what is served, from the descriptors that the build has made of proto/. */
#include <stdio.h>

#include "election_grpc/door_internal.h"
#include "election_grpc/pb.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#define DESCRIPTORS(X)                                                                             \
    X(election_v1_election)                                                                        \
    X(protos_elections)                                                                            \
    X(grpc_health_v1_health)                                                                       \
    X(grpc_reflection_v1_reflection)                                                               \
    X(grpc_reflection_v1alpha_reflection)

#define DECLARE(name)                                                                              \
    extern const uint8_t descriptor_##name[];                                                      \
    extern const size_t descriptor_##name##_bytes;
DESCRIPTORS(DECLARE)
#undef DECLARE

static const struct {
    const uint8_t *bytes;
    const size_t *len;
} sets[] = {
#define SET(name) {descriptor_##name, &descriptor_##name##_bytes},
    DESCRIPTORS(SET)
#undef SET
};

enum {
    SET_COUNT = sizeof sets / sizeof sets[0],
    SERVICES_MAX = 16,
    NAME_BYTES_MAX = 128,
};

/* ---- Looking into descriptors: google.protobuf.FileDescriptorProto, by number ---- */

enum {
    FILE_NAME = 1,
    FILE_PACKAGE = 2,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    ITEM_NAME = 1, /* of a message, an enum, a service */
};

/* A set of one file, as protoc writes it when there are no imports. */
static struct slice file_of(size_t set)
{
    struct slice bytes = slice_of(sets[set].bytes, *sets[set].len);
    struct pb_field f;
    return pb_next(&bytes, &f) == PB_FIELD && f.kind == PB_BYTES ? f.bytes : slice_str("");
}

/* The first field of this number; a null slice: there is none. */
static struct slice field_of(struct slice message, uint32_t number)
{
    struct pb_field f;
    while (pb_next(&message, &f) == PB_FIELD)
        if (f.number == number && f.kind == PB_BYTES)
            return f.bytes;
    return slice_of(NULL, 0);
}

/* Whether `symbol` is package.name, or something inside of it. */
static bool is_in(struct slice symbol, struct slice package, struct slice name)
{
    if (!slice_starts_with(symbol, package))
        return false;
    symbol = slice_from(symbol, package.len);
    if (symbol.len == 0 || symbol.ptr[0] != '.' || !slice_starts_with(slice_from(symbol, 1), name))
        return false;
    symbol = slice_from(symbol, 1 + name.len);
    return symbol.len == 0 || symbol.ptr[0] == '.';
}

static bool file_has(struct slice file, struct slice symbol)
{
    struct slice package = field_of(file, FILE_PACKAGE), rest = file;
    struct pb_field f;
    while (pb_next(&rest, &f) == PB_FIELD) {
        bool is_item =
            f.number == FILE_MESSAGE || f.number == FILE_ENUM || f.number == FILE_SERVICE;
        if (is_item && f.kind == PB_BYTES && is_in(symbol, package, field_of(f.bytes, ITEM_NAME)))
            return true;
    }
    return false;
}

/* ---- Answers ---- */

#define CASE(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

struct answer_memory {
    Grpc__Reflection__V1__ServerReflectionResponse response;
    Grpc__Reflection__V1__FileDescriptorResponse file;
    ProtobufCBinaryData bytes;
    Grpc__Reflection__V1__ErrorResponse error;
    Grpc__Reflection__V1__ListServiceResponse list;
    Grpc__Reflection__V1__ServiceResponse services[SERVICES_MAX];
    Grpc__Reflection__V1__ServiceResponse *service_list[SERVICES_MAX];
    char names[SERVICES_MAX][NAME_BYTES_MAX];
};

static void answer_file(struct answer_memory *m, struct slice file)
{
    grpc__reflection__v1__file_descriptor_response__init(&m->file);
    m->bytes = (ProtobufCBinaryData){file.len, (uint8_t *)(uintptr_t)file.ptr};
    m->file.file_descriptor_proto = &m->bytes;
    m->file.n_file_descriptor_proto = 1;
    m->response.message_response_case = CASE(FILE_DESCRIPTOR_RESPONSE);
    m->response.file_descriptor_response = &m->file;
}

static void answer_error(struct answer_memory *m, int code, const char *text)
{
    grpc__reflection__v1__error_response__init(&m->error);
    m->error.error_code = code;
    m->error.error_message = (char *)(uintptr_t)text;
    m->response.message_response_case = CASE(ERROR_RESPONSE);
    m->response.error_response = &m->error;
}

static void answer_by_name(struct answer_memory *m, struct slice name)
{
    for (size_t i = 0; i < SET_COUNT; i++) {
        if (slice_eq(field_of(file_of(i), FILE_NAME), name)) {
            answer_file(m, file_of(i));
            return;
        }
    }
    answer_error(m, GRPC_NOT_FOUND, "no such file");
}

static void answer_by_symbol(struct answer_memory *m, struct slice symbol)
{
    for (size_t i = 0; i < SET_COUNT; i++) {
        if (file_has(file_of(i), symbol)) {
            answer_file(m, file_of(i));
            return;
        }
    }
    answer_error(m, GRPC_NOT_FOUND, "no such symbol");
}

static void list_service(struct answer_memory *m, struct slice package, struct slice name)
{
    size_t at = m->list.n_service;
    if (at == SERVICES_MAX)
        return;
    snprintf(m->names[at], NAME_BYTES_MAX, "%.*s.%.*s", (int)package.len, (const char *)package.ptr,
             (int)name.len, (const char *)name.ptr);
    grpc__reflection__v1__service_response__init(&m->services[at]);
    m->services[at].name = m->names[at];
    m->service_list[at] = &m->services[at];
    m->list.n_service++;
}

static void answer_services(struct answer_memory *m)
{
    grpc__reflection__v1__list_service_response__init(&m->list);
    m->list.service = m->service_list;
    for (size_t i = 0; i < SET_COUNT; i++) {
        struct slice file = file_of(i), rest = file;
        struct pb_field f;
        while (pb_next(&rest, &f) == PB_FIELD)
            if (f.number == FILE_SERVICE && f.kind == PB_BYTES)
                list_service(m, field_of(file, FILE_PACKAGE), field_of(f.bytes, ITEM_NAME));
    }
    m->response.message_response_case = CASE(LIST_SERVICES_RESPONSE);
    m->response.list_services_response = &m->list;
}

#undef CASE
#define CASE(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name

static void answer(struct answer_memory *m, const Grpc__Reflection__V1__ServerReflectionRequest *q)
{
    switch (q->message_request_case) {
    case CASE(FILE_BY_FILENAME):
        answer_by_name(m, slice_str(q->file_by_filename));
        break;
    case CASE(FILE_CONTAINING_SYMBOL):
        answer_by_symbol(m, slice_str(q->file_containing_symbol));
        break;
    case CASE(LIST_SERVICES):
        answer_services(m);
        break;
    case CASE(FILE_CONTAINING_EXTENSION):
    case CASE(ALL_EXTENSION_NUMBERS_OF_TYPE):
        answer_error(m, GRPC_NOT_FOUND, "nothing is extended");
        break;
    default:
        answer_error(m, GRPC_INVALID_ARGUMENT, "nothing was asked");
    }
}

#undef CASE

static void on_question(struct grpc_call *c, struct slice bytes)
{
    Grpc__Reflection__V1__ServerReflectionRequest *q =
        unpack_request(c, &grpc__reflection__v1__server_reflection_request__descriptor, bytes);
    if (q == NULL)
        return;
    struct answer_memory m;
    m.list.n_service = 0;
    grpc__reflection__v1__server_reflection_response__init(&m.response);
    m.response.valid_host = q->host;
    m.response.original_request = q;
    answer(&m, q);
    send_packed(c, &m.response);
    free_request(q);
    if (grpc_call_unsent(c) >= GRPC_ROOM_BYTES) { /* who asks without reading waits */
        grpc_call_pause(c);
        grpc_call_want_room(c);
    }
}

static void on_done(struct grpc_call *c)
{
    grpc_call_finish(c, GRPC_OK, NULL);
}

static const struct grpc_handlers handlers = {
    .on_message = on_question,
    .on_half_close = on_done,
    .on_room = grpc_call_resume,
};

static void on_call(void *arg, struct grpc_call *c)
{
    (void)arg;
    (void)c;
}

void reflection_add(struct election_grpc *g)
{
    static const char *const paths[] = {
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        grpc_server_add(g->server, &(struct grpc_method){
                                       .path = paths[i], .call = on_call, .handlers = &handlers});
}
