/* pb.h: the fields of a protobuf message, one by one, without memory: for messages that are hot.
 *
 * A message is a row of fields, in any order, each a number and a value of one of four kinds. What
 * is not known is passed over by its kind. */
#ifndef CAUCUS_ELECTION_GRPC_PB_H
#define CAUCUS_ELECTION_GRPC_PB_H

#include "base/buf.h"

enum pb_kind {
    PB_VARINT = 0,
    PB_FIXED64 = 1,
    PB_BYTES = 2,
    PB_FIXED32 = 5,
};

struct pb_field {
    uint32_t number;
    enum pb_kind kind;
    uint64_t value;     /* of VARINT, FIXED64, FIXED32 */
    struct slice bytes; /* of BYTES: borrowed */
};

enum pb_verdict {
    PB_FIELD,
    PB_END,
    PB_BAD,
};

/* Takes the next field from the front of *rest. */
enum pb_verdict pb_next(struct slice *rest, struct pb_field *ret);

void pb_put_varint(struct buf *out, uint64_t value);

/* As proto3 has it: 0 and empty are not written. */
static inline void pb_put_uint(struct buf *out, uint32_t number, uint64_t value)
{
    if (value == 0)
        return;
    pb_put_varint(out, (uint64_t)number << 3 | PB_VARINT);
    pb_put_varint(out, value);
}

/* Also what is empty: a message that is there. */
static inline void pb_put_message(struct buf *out, uint32_t number, struct slice bytes)
{
    pb_put_varint(out, (uint64_t)number << 3 | PB_BYTES);
    pb_put_varint(out, bytes.len);
    buf_put_slice(out, bytes);
}

static inline void pb_put_bytes(struct buf *out, uint32_t number, struct slice bytes)
{
    if (bytes.len > 0)
        pb_put_message(out, number, bytes);
}

/* What was written from `at` on becomes a message of its own. */
void pb_wrap(struct buf *out, uint32_t number, size_t at);

#endif
