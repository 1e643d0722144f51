/* links: wire */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/frame.h"
#include "wire/zxid.h"

enum {
    BYTES_MAX = 10
};

static void put_frame(struct buf *b, const char *text)
{
    buf_put_i32(b, (int32_t)strlen(text));
    buf_put_slice(b, slice_str(text));
}

/* Reads everything there is, the way a connection does: what is left waits for the next bytes. */
static void read_frames(struct buf *seen, struct slice *left)
{
    struct slice frame;
    while (frame_next(left, BYTES_MAX, &frame) == FRAME_WHOLE)
        buf_printf(seen, "<%.*s>", (int)frame.len, (const char *)frame.ptr);
}

static void a_stream_gives_the_same_frames_however_it_is_cut(void **state)
{
    (void)state;
    struct buf stream = {0};
    put_frame(&stream, "one");
    put_frame(&stream, "");
    put_frame(&stream, "ten bytes.");
    put_frame(&stream, "4");

    for (size_t piece = 1; piece <= stream.len; piece++) {
        struct buf seen = {0};
        size_t arrived = 0;
        struct slice left = slice_of(stream.ptr, 0);
        while (arrived < stream.len) {
            size_t more = stream.len - arrived < piece ? stream.len - arrived : piece;
            arrived += more;
            left.len += more;
            read_frames(&seen, &left);
        }
        assert_true(slice_eq_str(buf_slice(&seen), "<one><><ten bytes.><4>"));
        assert_int_equal(left.len, 0);
        buf_deinit(&seen);
    }
    buf_deinit(&stream);
}

static enum frame_status status_of(uint32_t length, size_t body, size_t *ret_wanted)
{
    uint8_t bytes[64] = {0};
    store_be32(bytes, length);
    struct slice s = slice_of(bytes, FRAME_HEADER_BYTES + body);
    struct slice frame;
    enum frame_status status = frame_next(&s, BYTES_MAX, &frame);
    assert_int_equal(s.ptr - bytes, status == FRAME_WHOLE ? FRAME_HEADER_BYTES + length : 0);
    *ret_wanted = status == FRAME_MORE ? frame_bytes_wanted(s) : 0;
    return status;
}

static void a_bad_length_is_seen_before_its_body(void **state)
{
    (void)state;
    size_t wanted;
    assert_int_equal(status_of(BYTES_MAX + 1, 0, &wanted), FRAME_BAD);
    assert_int_equal(status_of(0x7fffffff, 0, &wanted), FRAME_BAD);
    assert_int_equal(status_of(0xffffffff, 0, &wanted), FRAME_BAD);
    assert_int_equal(status_of(0x80000000, 20, &wanted), FRAME_BAD);
    assert_int_equal(status_of(BYTES_MAX, BYTES_MAX, &wanted), FRAME_WHOLE);
    assert_int_equal(status_of(0, 0, &wanted), FRAME_WHOLE);
}

static void it_says_how_many_bytes_it_waits_for(void **state)
{
    (void)state;
    size_t wanted;
    assert_int_equal(status_of(BYTES_MAX, 3, &wanted), FRAME_MORE);
    assert_int_equal(wanted, FRAME_HEADER_BYTES + BYTES_MAX);
    assert_int_equal(frame_bytes_wanted(slice_of("\0\0", 2)), FRAME_HEADER_BYTES);
    assert_int_equal(frame_bytes_wanted((struct slice){0}), FRAME_HEADER_BYTES);
}

static void a_zxid_is_an_epoch_and_a_counter(void **state)
{
    (void)state;
    int64_t zxid = zxid_make(5, 7);
    assert_true(zxid == 0x500000007);
    assert_int_equal(zxid_epoch(zxid), 5);
    assert_int_equal(zxid_counter(zxid), 7);
    assert_int_equal(zxid_counter(zxid_make(1, ZXID_COUNTER_MAX)), 0xffffffff);
    assert_int_equal(zxid_epoch(zxid_make(1, ZXID_COUNTER_MAX)), 1);
    assert_int_equal(zxid_epoch(-1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_gives_the_same_frames_however_it_is_cut),
        cmocka_unit_test(a_bad_length_is_seen_before_its_body),
        cmocka_unit_test(it_says_how_many_bytes_it_waits_for),
        cmocka_unit_test(a_zxid_is_an_epoch_and_a_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
