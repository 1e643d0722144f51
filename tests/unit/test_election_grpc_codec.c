/* links: election_grpc */
/* The codec by hand says what protobuf-c says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "election/v1/election.pb-c.h"
#include "election_grpc/cast_codec.h"
#include "election_grpc/pb.h"

static struct slice packed(const void *message, uint8_t memory[512])
{
    assert_true(protobuf_c_message_get_packed_size(message) <= 512);
    return slice_of(memory, protobuf_c_message_pack(message, memory));
}

static char *on_loan(const char *text)
{
    return (char *)(uintptr_t)text;
}

static ProtobufCBinaryData bytes_of(const void *bytes, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)bytes};
}

static void a_request_is_what_protobuf_says(void **state)
{
    (void)state;
    uint8_t memory[512];
    Election__V1__CastRequest m;
    election__v1__cast_request__init(&m);
    m.state = on_loan("NY");
    m.voter = on_loan("NY-12345");
    m.candidate = on_loan("harris");
    m.request_id = bytes_of("0123456789abcdef", 16);
    m.expect_revision = 300;
    m.credential = bytes_of("secret", 6);
    struct slice bytes = packed(&m, memory);
    struct cast_wire c;
    assert_true(cast_wire_decode(bytes, &c));
    assert_true(slice_eq_str(c.state, "NY"));
    assert_true(slice_eq_str(c.voter, "NY-12345"));
    assert_true(slice_eq_str(c.candidate, "harris"));
    assert_true(slice_eq_str(c.request_id, "0123456789abcdef"));
    assert_int_equal(c.expect_revision, 300);
    assert_true(slice_eq_str(c.credential, "secret"));
    struct buf out = {0};
    cast_wire_encode(&c, &out);
    assert_true(slice_eq(buf_slice(&out), bytes));
    buf_deinit(&out);
}

static void fill(struct hash *h, int first)
{
    for (size_t i = 0; i < sizeof h->bytes; i++)
        h->bytes[i] = (uint8_t)(first + (int)i);
}

static void a_reply_is_what_protobuf_says(void **state)
{
    (void)state;
    uint8_t memory[512];
    struct cast_wire_reply r = {
        .outcome = CAST_WIRE_COMMITTED,
        .has_receipt = true,
        .state = slice_str("CA"),
        .receipt = {.round = 3,
                    .epoch = 128,
                    .index = UINT64_MAX,
                    .revision = 16,
                    .commit_version = 1 << 21,
                    .tree_size = 1ULL << 40},
        .detail = slice_str("fine"),
        .request_id = slice_str("0123456789abcdef"),
        .retry_after_ms = 250,
    };
    fill(&r.receipt.leaf, 1);
    fill(&r.receipt.root, 100);
    struct buf out = {0};
    cast_wire_reply_encode(&r, &out);
    Election__V1__CastReply *m = election__v1__cast_reply__unpack(NULL, out.len, out.ptr);
    assert_non_null(m);
    assert_int_equal(m->outcome, ELECTION__V1__OUTCOME__COMMITTED);
    assert_string_equal(m->receipt->state, "CA");
    assert_true(m->receipt->index == UINT64_MAX);
    assert_int_equal(m->receipt->revision, 16);
    assert_int_equal(m->receipt->leaf_hash.len, 32);
    assert_memory_equal(m->receipt->root.data, r.receipt.root.bytes, 32);
    assert_string_equal(m->detail, "fine");
    assert_int_equal(m->retry_after_ms, 250);
    assert_true(slice_eq(packed(m, memory), buf_slice(&out)));
    election__v1__cast_reply__free_unpacked(m, NULL);

    struct cast_wire_reply back;
    assert_true(cast_wire_reply_decode(buf_slice(&out), &back));
    assert_true(back.has_receipt);
    assert_true(slice_eq_str(back.state, "CA"));
    assert_memory_equal(&back.receipt, &r.receipt, sizeof r.receipt);
    assert_true(slice_eq(back.request_id, r.request_id));
    buf_deinit(&out);
}

static void nothing_is_nothing(void **state)
{
    (void)state;
    struct buf out = {0};
    struct cast_wire c;
    assert_true(cast_wire_decode(slice_str(""), &c));
    cast_wire_encode(&c, &out);
    assert_int_equal(out.len, 0);
    struct cast_wire_reply r = {.has_receipt = true};
    cast_wire_reply_encode(&r, &out); /* an empty receipt is one */
    assert_true(slice_eq(buf_slice(&out), slice_str("\x12")) || out.len == 2);
    assert_true(cast_wire_reply_decode(buf_slice(&out), &r));
    assert_true(r.has_receipt);
    buf_deinit(&out);
}

static void what_is_damaged_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\x0a", 1},                                          /* no length */
        {"\x0a\x05yes", 5},                                   /* less than it says */
        {"\x08\x01", 2},                                      /* state as a number */
        {"\x2a\x01x", 3},                                     /* revision as bytes */
        {"\x0b", 1},                                          /* a group */
        {"\x00\x00", 2},                                      /* field 0 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* a number without end */
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* longer than memory */
        {"\x3d\x01\x02", 3},                                  /* half a fixed32 */
    };
    struct cast_wire c;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(cast_wire_decode(slice_of(bad[i].bytes, bad[i].len), &c));
    /* What is not known is passed over. */
    assert_true(cast_wire_decode(slice_of("\x45\x01\x02\x03\x04\x0a\x01x\x78\x01", 10), &c));
    assert_true(slice_eq_str(c.state, "x"));
    struct cast_wire_reply r;
    assert_false(cast_wire_reply_decode(slice_of("\x12\x03\x32\x01x", 5), &r)); /* a short hash */
    assert_false(
        cast_wire_reply_decode(slice_of("\x12\x03\x28\x80\x02", 5), &r)); /* revision 256 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_what_protobuf_says),
        cmocka_unit_test(a_reply_is_what_protobuf_says),
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(what_is_damaged_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
