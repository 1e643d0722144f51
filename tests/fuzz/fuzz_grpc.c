/* What gRPC puts into HTTP/2: messages in a stream cut anywhere, and the small texts of headers. */
#include "fuzz.h"
#include "grpc/frame.h"
#include "grpc/metadata.h"
#include "grpc/text.h"

struct seen {
    struct buf bytes; /* length and content of each message */
    enum grpc_frame_verdict end;
};

/* Returns what is used up. */
static size_t take_all(struct slice stream, uint32_t max, struct seen *seen)
{
    size_t at = 0, used;
    struct slice message;
    while ((seen->end = grpc_frame_next(slice_from(stream, at), max, &message, &used)) ==
           GRPC_FRAME_WHOLE) {
        FUZZ_CHECK(message.len <= max, "no message is longer than allowed");
        FUZZ_CHECK(used == message.len + GRPC_FRAME_HEAD_BYTES,
                   "the frame is its head and message");
        grpc_frame_put(&seen->bytes, message);
        at += used;
    }
    return at;
}

static void check_pieces(struct slice input, uint32_t max, uint32_t piece)
{
    struct seen whole = {0}, pieces = {0};
    size_t used = take_all(input, max, &whole);
    FUZZ_CHECK(slice_eq(buf_slice(&whole.bytes), slice_of(input.ptr, used)),
               "messages written again are the stream");
    size_t from = 0, until = 0;
    pieces.end = GRPC_FRAME_PART;
    while (until < input.len && pieces.end == GRPC_FRAME_PART) {
        until = until + piece < input.len ? until + piece : input.len;
        from += take_all(slice_of(input.ptr + from, until - from), max, &pieces);
    }
    FUZZ_CHECK(whole.end == pieces.end, "both ways end alike");
    FUZZ_CHECK(slice_eq(buf_slice(&whole.bytes), buf_slice(&pieces.bytes)), "the same messages");
    buf_deinit(&whole.bytes);
    buf_deinit(&pieces.bytes);
}

static void check_texts(struct slice input)
{
    struct buf coded = {0}, back = {0};
    percent_encode(input, &coded);
    for (size_t i = 0; i < coded.len; i++)
        FUZZ_CHECK(coded.ptr[i] >= 0x20 && coded.ptr[i] <= 0x7e, "printable");
    percent_decode(buf_slice(&coded), &back);
    FUZZ_CHECK(slice_eq(input, buf_slice(&back)), "a status message survives");
    buf_clear(&back);
    percent_decode(input, &back);
    FUZZ_CHECK(back.len <= input.len, "no longer than it was");
    buf_clear(&coded);
    buf_clear(&back);
    base64_encode(input, &coded);
    FUZZ_CHECK(base64_decode(buf_slice(&coded), &back), "base64 can be read");
    FUZZ_CHECK(slice_eq(input, buf_slice(&back)), "and is the same");
    buf_deinit(&coded);
    buf_deinit(&back);
}

static void check_headers(struct slice key, struct slice value)
{
    struct metadata m = {0};
    int64_t ms;
    int code;
    if (timeout_parse(value, &ms))
        FUZZ_CHECK(ms >= 0, "no time is negative");
    if (code_parse(value, &code))
        FUZZ_CHECK(code >= 0, "no status is negative");
    if (metadata_add(&m, key, value)) {
        nghttp2_nv header = metadata_header(&m, 0);
        FUZZ_CHECK(nghttp2_check_header_name(header.name, header.namelen) != 0, "a name of HTTP/2");
        FUZZ_CHECK(nghttp2_check_header_value(header.value, header.valuelen) != 0,
                   "a value of HTTP/2");
    }
    metadata_receive(&m, key, value);
    metadata_deinit(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz f = fz_of(data, size);
    uint32_t max = fz_u16(&f);
    uint32_t piece = 1 + fz_u8(&f);
    struct slice input = fz_rest(&f);
    check_pieces(input, max, piece);
    check_texts(input);
    size_t half = input.len / 2;
    check_headers(slice_of(input.ptr, half), slice_from(input, half));
    return 0;
}
