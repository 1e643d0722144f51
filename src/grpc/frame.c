#include "grpc/frame.h"

enum grpc_frame_verdict grpc_frame_next(struct slice bytes, uint32_t max, struct slice *ret_message,
                                        size_t *ret_used)
{
    if (bytes.len > 0 && bytes.ptr[0] != 0)
        return bytes.ptr[0] == 1 ? GRPC_FRAME_COMPRESSED : GRPC_FRAME_BAD;
    if (bytes.len < GRPC_FRAME_HEAD_BYTES)
        return GRPC_FRAME_PART;
    uint32_t len = load_be32(bytes.ptr + 1);
    if (len > max)
        return GRPC_FRAME_TOO_BIG;
    if (bytes.len - GRPC_FRAME_HEAD_BYTES < len)
        return GRPC_FRAME_PART;
    *ret_message = slice_of(bytes.ptr + GRPC_FRAME_HEAD_BYTES, len);
    *ret_used = GRPC_FRAME_HEAD_BYTES + (size_t)len;
    return GRPC_FRAME_WHOLE;
}

void grpc_frame_put(struct buf *out, struct slice message)
{
    if (!buf_reserve(out, GRPC_FRAME_HEAD_BYTES + message.len))
        return;
    uint8_t *at = out->ptr + out->len;
    at[0] = 0;
    store_be32(at + 1, (uint32_t)message.len);
    out->len += GRPC_FRAME_HEAD_BYTES;
    buf_put_slice(out, message);
}
