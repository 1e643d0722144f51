/* frame.h: cuts a stream of bytes into frames: int32 length, then that many bytes (NIOServerCnxn).
 *
 * Keeps no state: whoever reads the stream keeps the bytes that are not a whole frame yet, and
 * presents them again with more behind them. Frames point into those bytes. Pure. */
#ifndef CAUCUS_WIRE_FRAME_H
#define CAUCUS_WIRE_FRAME_H

#include "base/buf.h"
#include "base/slice.h"

enum {
    FRAME_HEADER_BYTES = 4
};

enum frame_status {
    FRAME_WHOLE, /* *ret_frame is one, without its length (it may be empty); *bytes moved past it */
    FRAME_MORE,  /* not all of it is there; frame_bytes_wanted says how much it takes */
    FRAME_BAD,   /* a length below 0 or above the maximum: the stream is lost, close it */
};

/* Announced length of the frame `bytes` begins with; at least four bytes must be there. */
static inline int32_t frame_length(struct slice bytes)
{
    return (int32_t)load_be32(bytes.ptr);
}

static inline enum frame_status frame_next(struct slice *bytes, size_t frame_bytes_max,
                                           struct slice *ret_frame)
{
    if (bytes->len < FRAME_HEADER_BYTES)
        return FRAME_MORE;
    int32_t length = frame_length(*bytes);
    if (length < 0 || (size_t)length > frame_bytes_max)
        return FRAME_BAD;
    if (bytes->len - FRAME_HEADER_BYTES < (size_t)length)
        return FRAME_MORE;
    *ret_frame = slice_of(bytes->ptr + FRAME_HEADER_BYTES, (size_t)length);
    *bytes = slice_from(*bytes, FRAME_HEADER_BYTES + (size_t)length);
    return FRAME_WHOLE;
}

/* After FRAME_MORE: how long `bytes` must become before frame_next can say more. */
static inline size_t frame_bytes_wanted(struct slice bytes)
{
    if (bytes.len < FRAME_HEADER_BYTES)
        return FRAME_HEADER_BYTES;
    return FRAME_HEADER_BYTES + (size_t)frame_length(bytes);
}

#endif
