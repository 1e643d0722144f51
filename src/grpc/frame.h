/* frame.h: a message between its neighbours: one byte of flags, four of length, the bytes. */
#ifndef CAUCUS_GRPC_FRAME_H
#define CAUCUS_GRPC_FRAME_H

#include "base/buf.h"

enum {
    GRPC_FRAME_HEAD_BYTES = 5
};

enum grpc_frame_verdict {
    GRPC_FRAME_WHOLE,
    GRPC_FRAME_PART,       /* more has to come */
    GRPC_FRAME_COMPRESSED, /* nothing was agreed on that it could be compressed with */
    GRPC_FRAME_BAD,        /* other flags */
    GRPC_FRAME_TOO_BIG,    /* longer than max: known from its head */
};

/* Looks at the first message in `bytes`. WHOLE: *ret_message is it, and *ret_used the bytes of all
 * of the frame. */
enum grpc_frame_verdict grpc_frame_next(struct slice bytes, uint32_t max, struct slice *ret_message,
                                        size_t *ret_used);

void grpc_frame_put(struct buf *out, struct slice message); /* at most UINT32_MAX bytes */

#endif
