/* A stream cut into pieces anywhere gives the frames of the whole stream. */
#include "fuzz.h"
#include "wire/frame.h"

struct seen {
    struct buf bytes; /* length and content of each frame */
    bool bad;
};

static void take_all(struct slice *stream, size_t frame_bytes_max, struct seen *seen)
{
    struct slice frame;
    enum frame_status status;
    while ((status = frame_next(stream, frame_bytes_max, &frame)) == FRAME_WHOLE) {
        FUZZ_CHECK(frame.len <= frame_bytes_max, "no frame is longer than allowed");
        buf_put_i32(&seen->bytes, (int32_t)frame.len);
        buf_put_slice(&seen->bytes, frame);
    }
    seen->bad = status == FRAME_BAD;
    if (status == FRAME_MORE) {
        size_t wanted = frame_bytes_wanted(*stream);
        FUZZ_CHECK(wanted > stream->len, "more is wanted than is there");
        FUZZ_CHECK(wanted <= FRAME_HEADER_BYTES + frame_bytes_max, "no more than a frame");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz f = fz_of(data, size);
    size_t frame_bytes_max = fz_u16(&f);
    uint32_t piece = 1 + fz_u8(&f);
    struct slice input = fz_rest(&f);

    struct seen whole = {0}, pieces = {0};
    struct slice stream = input;
    take_all(&stream, frame_bytes_max, &whole);

    size_t from = 0, until = 0;
    while (until < input.len && !pieces.bad) {
        until = until + piece < input.len ? until + piece : input.len;
        struct slice window = slice_of(input.ptr + from, until - from);
        take_all(&window, frame_bytes_max, &pieces);
        from = until - window.len;
    }
    FUZZ_CHECK(whole.bad == pieces.bad || input.len == 0, "both ways end alike");
    FUZZ_CHECK(slice_eq(buf_slice(&whole.bytes), buf_slice(&pieces.bytes)), "the same frames");
    buf_deinit(&whole.bytes);
    buf_deinit(&pieces.bytes);
    return 0;
}
