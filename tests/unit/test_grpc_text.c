/* links: grpc */
/* Claims about the small texts of gRPC, its frames, and the heap of deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "grpc/deadlines.h"
#include "grpc/frame.h"
#include "grpc/grpc.h"
#include "grpc/metadata.h"
#include "grpc/text.h"

static int64_t parsed(const char *text)
{
    int64_t ms = -1;
    return timeout_parse(slice_str(text), &ms) ? ms : -1;
}

static void timeouts_are_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(parsed("1n"), 1);
    assert_int_equal(parsed("1000001n"), 2);
    assert_int_equal(parsed("1500u"), 2);
    assert_int_equal(parsed("0m"), 0);
    assert_int_equal(parsed("7S"), 7000);
    assert_int_equal(parsed("2M"), 120000);
    assert_int_equal(parsed("99999999H"), 99999999LL * 3600000);
    static const char *const bad[] = {"", "1", "m", "1x", "-1m", "123456789m", "1 m", "0x1m"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parsed(bad[i]), -1);
}

static void a_timeout_that_is_printed_is_not_shorter(void **state)
{
    (void)state;
    static const int64_t times[] = {1, 99999999, 100000000, 99999999LL * 1000 + 1, INT64_MAX / 2};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char text[TIMEOUT_TEXT_BYTES];
        size_t len = timeout_print(times[i], text);
        int64_t ms = 0;
        assert_true(timeout_parse(slice_of(text, len), &ms));
        assert_true(ms >= times[i] || ms == 99999999LL * 3600000);
    }
}

static void status_messages_survive(void **state)
{
    (void)state;
    static const char text[] = "a%b\t\n\xe2\x98\xba ~";
    struct buf coded = {0}, back = {0};
    percent_encode(slice_str(text), &coded);
    assert_true(slice_eq_str(buf_slice(&coded), "a%25b%09%0A%E2%98%BA ~"));
    percent_decode(buf_slice(&coded), &back);
    assert_true(slice_eq_str(buf_slice(&back), text));
    buf_clear(&back);
    percent_decode(slice_str("%4a%4%zz%"), &back);
    assert_true(slice_eq_str(buf_slice(&back), "J%4%zz%"));
    buf_deinit(&coded);
    buf_deinit(&back);
}

static void base64_comes_back(void **state)
{
    (void)state;
    for (size_t len = 0; len < 20; len++) {
        uint8_t bytes[20];
        struct buf coded = {0}, back = {0};
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(i * 37 + len);
        base64_encode(slice_of(bytes, len), &coded);
        assert_true(base64_decode(buf_slice(&coded), &back));
        assert_int_equal(back.len, len);
        assert_true(len == 0 || memcmp(back.ptr, bytes, len) == 0);
        buf_deinit(&coded);
        buf_deinit(&back);
    }
    struct buf out = {0};
    assert_true(base64_decode(slice_str("YQ=="), &out));
    assert_true(slice_eq_str(buf_slice(&out), "a"));
    static const char *const bad[] = {"Y", "Y===", "YQ=", "Y Q", "=", "a-b_"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(base64_decode(slice_str(bad[i]), &out));
    buf_deinit(&out);
}

static void metadata_are_what_http_allows(void **state)
{
    (void)state;
    struct metadata m = {0};
    struct slice value;
    assert_true(metadata_add(&m, slice_str("k"), slice_str("v v")));
    assert_true(metadata_add(&m, slice_str("k-bin"), slice_str("\n\x01")));
    assert_false(metadata_add(&m, slice_str("K"), slice_str("v")));
    assert_false(metadata_add(&m, slice_str(":path"), slice_str("v")));
    assert_false(metadata_add(&m, slice_str(""), slice_str("v")));
    assert_false(metadata_add(&m, slice_str("grpc-status"), slice_str("0")));
    assert_false(metadata_add(&m, slice_str("te"), slice_str("0")));
    assert_false(metadata_add(&m, slice_str("k"), slice_str("a\nb")));
    assert_false(metadata_add(&m, slice_str("k"), slice_str(" a")));
    assert_int_equal(m.count, 2);
    assert_true(metadata_find(&m, "k-bin", &value));
    assert_true(slice_eq_str(value, "CgE"));
    metadata_deinit(&m);

    metadata_receive(&m, slice_str("x-bin"), slice_str("YQ, YmI=,!!"));
    assert_int_equal(m.count, 2);
    assert_true(slice_eq_str(m.entries[0].value, "a"));
    assert_true(slice_eq_str(m.entries[1].value, "bb"));
    metadata_deinit(&m);
}

static void frames_are_found_whole(void **state)
{
    (void)state;
    struct buf b = {0};
    grpc_frame_put(&b, slice_str("abc"));
    grpc_frame_put(&b, slice_str(""));
    struct slice message;
    size_t used;
    for (size_t len = 0; len < 8; len++)
        assert_int_equal(grpc_frame_next(slice_of(b.ptr, len), 3, &message, &used),
                         GRPC_FRAME_PART);
    assert_int_equal(grpc_frame_next(buf_slice(&b), 3, &message, &used), GRPC_FRAME_WHOLE);
    assert_true(slice_eq_str(message, "abc"));
    assert_int_equal(used, 8);
    assert_int_equal(grpc_frame_next(slice_from(buf_slice(&b), 8), 3, &message, &used),
                     GRPC_FRAME_WHOLE);
    assert_int_equal(message.len, 0);
    assert_int_equal(grpc_frame_next(buf_slice(&b), 2, &message, &used), GRPC_FRAME_TOO_BIG);
    b.ptr[0] = 1;
    assert_int_equal(grpc_frame_next(buf_slice(&b), 3, &message, &used), GRPC_FRAME_COMPRESSED);
    b.ptr[0] = 2;
    assert_int_equal(grpc_frame_next(slice_of(b.ptr, 1), 3, &message, &used), GRPC_FRAME_BAD);
    buf_deinit(&b);
}

static void the_earliest_deadline_is_first(void **state)
{
    (void)state;
    enum {
        COUNT = 200
    };
    static struct deadline all[COUNT];
    struct deadlines d = {0};
    srand(7);
    for (int round = 0; round < 2000; round++) {
        struct deadline *one = &all[rand() % COUNT];
        if (one->place != 0)
            deadlines_remove(&d, one);
        else
            deadlines_add(&d, one, rand() % 1000);
        deadlines_remove(&d, &all[COUNT - 1]);
        int64_t earliest = DEADLINE_NONE;
        for (int i = 0; i < COUNT; i++)
            if (all[i].place != 0 && all[i].at_ms < earliest)
                earliest = all[i].at_ms;
        struct deadline *first = deadlines_first(&d);
        assert_int_equal(first != NULL ? first->at_ms : DEADLINE_NONE, earliest);
    }
    deadlines_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeouts_are_rounded_up),
        cmocka_unit_test(a_timeout_that_is_printed_is_not_shorter),
        cmocka_unit_test(status_messages_survive),
        cmocka_unit_test(base64_comes_back),
        cmocka_unit_test(metadata_are_what_http_allows),
        cmocka_unit_test(frames_are_found_whole),
        cmocka_unit_test(the_earliest_deadline_is_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
