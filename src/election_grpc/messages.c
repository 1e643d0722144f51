#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "election/v1/election.pb-c.h"
#include "election_grpc/door_internal.h"

void *unpack_request(struct grpc_call *c, const ProtobufCMessageDescriptor *type,
                     struct slice bytes)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, bytes.len, bytes.ptr);
    if (m == NULL)
        grpc_call_finish(c, GRPC_INVALID_ARGUMENT, "the request cannot be read");
    return m;
}

void free_request(void *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
}

void send_packed(struct grpc_call *c, const void *message)
{
    size_t bytes = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = mem_alloc(bytes);
    protobuf_c_message_pack(message, packed);
    grpc_call_send(c, slice_of(packed, bytes));
    free(packed);
}

void reply_packed(struct grpc_call *c, const void *message)
{
    send_packed(c, message);
    grpc_call_finish(c, GRPC_OK, NULL);
}

void *scratch_zeroed(struct scratch *s, size_t count, size_t bytes)
{
    if (s->count == s->cap) {
        s->cap = s->cap > 0 ? s->cap * 2 : 16;
        s->parts = mem_realloc(s->parts, s->cap * sizeof s->parts[0]);
    }
    return s->parts[s->count++] = mem_calloc(count > 0 ? count : 1, bytes);
}

void scratch_deinit(struct scratch *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->parts[i]);
    free(s->parts);
    *s = (struct scratch){NULL, 0, 0};
}

int find_state(const struct election_grpc *g, struct grpc_call *c, struct slice name)
{
    int state = service_find_state(g->service, name);
    if (state < 0)
        finish_cast(c, CAST_NO_STATE, "state not found", 0);
    return state;
}

int take_state(const struct election_grpc *g, struct grpc_call *c, struct slice bytes,
               bool *ret_linearizable)
{
    Election__V1__StateQuery *m = unpack_request(c, &election__v1__state_query__descriptor, bytes);
    if (m == NULL)
        return -1;
    int state = find_state(g, c, slice_str(m->state));
    *ret_linearizable = m->linearizable != 0;
    free_request(m);
    return state;
}

bool take_id(struct grpc_call *c, struct slice bytes, uint8_t ret[16])
{
    memset(ret, 0, 16);
    if (bytes.len != 0 && bytes.len != 16) {
        finish_cast(c, CAST_INVALID, "an id has 16 bytes, or none", 0);
        return false;
    }
    if (bytes.len > 0)
        memcpy(ret, bytes.ptr, 16);
    return true;
}
