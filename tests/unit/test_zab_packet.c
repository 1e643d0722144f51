/* links: zab */
/* QuorumPackets on a stream: every cut is a wait, every lie about a length is refused at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "zab/packet.h"

enum {
    BYTES_MAX = 1000
};

/* From the layout of the protocol: REQUEST, zxid -1, four bytes of data, one identity. */
static const uint8_t request[] = {0, 0, 0,   1,   255, 255, 255, 255, 255, 255, 255, 255, 0,
                                  0, 0, 4,   'd', 'a', 't', 'a', 0,   0,   0,   1,   0,   0,
                                  0, 2, 'i', 'p', 0,   0,   0,   3,   '1', '.', '2'};

static enum packet_scan scan(const uint8_t *bytes, size_t len, struct rec_quorum_packet *p,
                             size_t *used)
{
    uint8_t *copy = mem_dup(bytes, len);
    enum packet_scan result = packet_scan(slice_of(copy, len), BYTES_MAX, p, used);
    free(copy);
    return result;
}

static void a_packet_is_what_the_layout_says(void **state)
{
    (void)state;
    struct rec_quorum_packet p;
    size_t used = 0;
    assert_int_equal(packet_scan(slice_of(request, sizeof request), BYTES_MAX, &p, &used),
                     PACKET_COMPLETE);
    assert_int_equal(used, sizeof request);
    assert_int_equal(p.type, PACKET_REQUEST);
    assert_true(p.zxid == -1);
    assert_true(slice_eq_str(p.data, "data"));
    assert_int_equal(p.auth_info.count, 1);
    struct dec d = dec_of(p.auth_info.raw);
    struct rec_id id;
    assert_true(rec_get_id(&d, &id));
    assert_true(slice_eq_str(id.scheme, "ip"));
    assert_true(slice_eq_str(id.id, "1.2"));
}

static void cut_anywhere_it_waits_for_what_is_missing(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof request; len++) {
        struct rec_quorum_packet p;
        size_t need = 0;
        assert_int_equal(scan(request, len, &p, &need), PACKET_MORE);
        assert_true(need > len && need <= sizeof request);
    }
}

static void what_follows_is_left_alone(void **state)
{
    (void)state;
    uint8_t two[2 * sizeof request];
    memcpy(two, request, sizeof request);
    memcpy(two + sizeof request, request, sizeof request);
    struct rec_quorum_packet p;
    size_t used = 0;
    assert_int_equal(scan(two, sizeof two, &p, &used), PACKET_COMPLETE);
    assert_int_equal(used, sizeof request);
}

/* {offset of a length, what it says, whether that is a packet} */
static void lengths_that_lie_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint32_t length;
    } lies[] = {
        {12, (uint32_t)-2}, {12, INT32_MAX}, {12, BYTES_MAX},    {12, (uint32_t)INT32_MIN},
        {20, INT32_MAX},    {20, BYTES_MAX}, {24, (uint32_t)-2}, {24, INT32_MAX},
        {30, (uint32_t)-7}, {30, BYTES_MAX},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint8_t bytes[sizeof request];
        memcpy(bytes, request, sizeof request);
        store_be32(bytes + lies[i].at, lies[i].length);
        struct rec_quorum_packet p;
        size_t used = 0;
        assert_int_equal(scan(bytes, sizeof bytes, &p, &used), PACKET_MALFORMED);
    }
}

static void null_and_empty_stay_apart(void **state)
{
    (void)state;
    struct buf b = {0};
    packet_put_empty(&b, PACKET_COMMIT, 5);
    packet_put(&b, PACKET_PING, 6, slice_str(""));
    assert_int_equal(b.len, 2 * PACKET_EMPTY_BYTES);
    struct rec_quorum_packet p;
    size_t used = 0;
    assert_int_equal(packet_scan(buf_slice(&b), BYTES_MAX, &p, &used), PACKET_COMPLETE);
    assert_true(slice_is_null(p.data) && p.auth_info.count == -1);
    assert_int_equal(packet_scan(slice_from(buf_slice(&b), used), BYTES_MAX, &p, &used),
                     PACKET_COMPLETE);
    assert_true(!slice_is_null(p.data) && p.data.len == 0);
    buf_deinit(&b);
}

/* As jute has it: a count below -1 is an empty vector. */
static void a_negative_count_is_an_empty_vector(void **state)
{
    (void)state;
    uint8_t bytes[20] = {0, 0, 0, 3};
    store_be32(bytes + 12, UINT32_MAX);
    store_be32(bytes + 16, (uint32_t)-5);
    struct rec_quorum_packet p;
    size_t used = 0;
    assert_int_equal(scan(bytes, sizeof bytes, &p, &used), PACKET_COMPLETE);
    assert_int_equal(used, 20);
    assert_int_equal(p.auth_info.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_is_what_the_layout_says),
        cmocka_unit_test(cut_anywhere_it_waits_for_what_is_missing),
        cmocka_unit_test(what_follows_is_left_alone),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(null_and_empty_stay_apart),
        cmocka_unit_test(a_negative_count_is_an_empty_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
