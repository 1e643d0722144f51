#include "election_grpc/pb.h"

enum {
    VARINT_BYTES_MAX = 10,
    SHORT_BYTES_MAX = 5, /* of a tag, of a length: 32 bits */
    FIELD_NUMBER_MAX = (1 << 29) - 1,
};

static bool take_varint(struct slice *rest, size_t bytes_max, uint64_t *ret)
{
    uint64_t value = 0;
    for (size_t i = 0; i < rest->len && i < bytes_max; i++) {
        value |= (uint64_t)(rest->ptr[i] & 0x7f) << (7 * i);
        if (rest->ptr[i] < 0x80) {
            *ret = value;
            *rest = slice_from(*rest, i + 1);
            return true;
        }
    }
    return false;
}

/* Little-endian. */
static bool take_fixed(struct slice *rest, size_t len, uint64_t *ret)
{
    if (rest->len < len)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value |= (uint64_t)rest->ptr[i] << (8 * i);
    *ret = value;
    *rest = slice_from(*rest, len);
    return true;
}

static bool take_bytes(struct slice *rest, struct slice *ret)
{
    uint64_t len;
    if (!take_varint(rest, SHORT_BYTES_MAX, &len) || len > rest->len)
        return false;
    *ret = slice_of(rest->ptr, (size_t)len);
    *rest = slice_from(*rest, (size_t)len);
    return true;
}

enum pb_verdict pb_next(struct slice *rest, struct pb_field *ret)
{
    if (rest->len == 0)
        return PB_END;
    uint64_t tag;
    if (!take_varint(rest, SHORT_BYTES_MAX, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX)
        return PB_BAD;
    ret->number = (uint32_t)(tag >> 3);
    ret->value = 0;
    ret->bytes = slice_of(NULL, 0);
    bool ok;
    switch (tag & 7) {
    case PB_VARINT:
        ret->kind = PB_VARINT;
        ok = take_varint(rest, VARINT_BYTES_MAX, &ret->value);
        break;
    case PB_FIXED64:
        ret->kind = PB_FIXED64;
        ok = take_fixed(rest, 8, &ret->value);
        break;
    case PB_BYTES:
        ret->kind = PB_BYTES;
        ok = take_bytes(rest, &ret->bytes);
        break;
    case PB_FIXED32:
        ret->kind = PB_FIXED32;
        ok = take_fixed(rest, 4, &ret->value);
        break;
    default: /* groups, which proto3 does not have */
        ok = false;
    }
    return ok ? PB_FIELD : PB_BAD;
}

void pb_put_varint(struct buf *out, uint64_t value)
{
    if (!buf_reserve(out, VARINT_BYTES_MAX))
        return;
    while (value >= 0x80) {
        out->ptr[out->len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out->ptr[out->len++] = (uint8_t)value;
}

void pb_wrap(struct buf *out, uint32_t number, size_t at)
{
    uint8_t memory[2 * VARINT_BYTES_MAX];
    struct buf head = {.ptr = memory, .cap = sizeof memory, .bytes_max = sizeof memory};
    size_t len = out->len - at;
    pb_put_varint(&head, (uint64_t)number << 3 | PB_BYTES);
    pb_put_varint(&head, len);
    if (!buf_reserve(out, head.len))
        return;
    memmove(out->ptr + at + head.len, out->ptr + at, len);
    memcpy(out->ptr + at, head.ptr, head.len);
    out->len += head.len;
}
