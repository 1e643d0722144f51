/* links: wire */
/* What jute makes of odd input (BinaryInputArchive), and so do we. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/records.h"
#include "wire/zk.h"

static void null_and_empty_are_told_apart(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    struct dec d = dec_of(slice_of(bytes, sizeof bytes));
    assert_true(slice_is_null(dec_ustring(&d)));
    struct slice empty = dec_buffer(&d);
    assert_false(slice_is_null(empty));
    assert_int_equal(empty.len, 0);
    assert_false(d.bad);
}

static void a_string_length_below_minus_one_is_refused(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0xff, 0xff, 0xff, 0xfe, 1, 2, 3, 4};
    struct dec d = dec_of(slice_of(bytes, sizeof bytes));
    assert_true(slice_is_null(dec_ustring(&d)));
    assert_true(d.bad);
    assert_int_equal(dec_i32(&d), 0); /* nothing is read after that */
    assert_int_equal(dec_left(&d), 0);
}

static void any_byte_but_zero_is_true(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0, 1, 2, 0xff};
    struct dec d = dec_of(slice_of(bytes, sizeof bytes));
    assert_false(dec_bool(&d));
    assert_true(dec_bool(&d));
    assert_true(dec_bool(&d));
    assert_true(dec_bool(&d));
    assert_false(dec_bool(&d));
    assert_true(d.bad);
}

static void nothing_can_be_read_from_nothing(void **state)
{
    (void)state;
    struct dec d = dec_of((struct slice){0});
    assert_int_equal(dec_left(&d), 0);
    assert_int_equal(dec_i64(&d), 0);
    assert_true(d.bad);
}

static struct rec_vec vector_of(const uint8_t *bytes, size_t len, bool *ret_bad)
{
    struct dec d = dec_of(slice_of(bytes, len));
    struct rec_vec v = rec_get_vec_ustring(&d);
    *ret_bad = d.bad;
    return v;
}

static void a_vector_count_below_minus_one_means_empty(void **state)
{
    (void)state;
    bool bad;
    struct rec_vec v = vector_of((const uint8_t[]){0x80, 0, 0, 0}, 4, &bad);
    assert_false(bad);
    assert_int_equal(v.count, 0);
    assert_false(slice_is_null(v.raw));

    v = vector_of((const uint8_t[]){0xff, 0xff, 0xff, 0xff}, 4, &bad);
    assert_false(bad);
    assert_int_equal(v.count, -1);
    assert_true(slice_is_null(v.raw));
}

static void a_vector_of_two_thousand_million_is_refused_at_once(void **state)
{
    (void)state;
    bool bad;
    uint8_t bytes[4 + 4096] = {0x7f, 0xff, 0xff, 0xff};
    struct rec_vec v = vector_of(bytes, sizeof bytes, &bad);
    assert_true(bad);
    assert_int_equal(v.count, 0);

    store_be32(bytes, 4096 / 4 + 1); /* one more than could be there */
    vector_of(bytes, sizeof bytes, &bad);
    assert_true(bad);

    store_be32(bytes, 4096 / 4);
    v = vector_of(bytes, sizeof bytes, &bad);
    assert_false(bad);
    assert_int_equal(v.count, 1024);
    assert_int_equal(v.raw.len, 4096);
}

static void the_elements_of_a_vector_are_read_from_its_raw_bytes(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_i32(&b, 2);
    rec_put_acl(&b, &(struct rec_acl){ZK_PERM_READ, {slice_str("world"), slice_str("anyone")}});
    rec_put_acl(&b, &(struct rec_acl){ZK_PERM_ALL, {slice_str("ip"), slice_str("10.0.0.0/8")}});

    struct dec d = dec_of(buf_slice(&b));
    struct rec_vec v = rec_get_vec_acl(&d);
    assert_int_equal(v.count, 2);
    struct dec inner = dec_of(v.raw);
    struct rec_acl acl;
    assert_true(rec_get_acl(&inner, &acl));
    assert_true(slice_eq_str(acl.id.id, "anyone"));
    assert_true(rec_get_acl(&inner, &acl));
    assert_int_equal(acl.perms, ZK_PERM_ALL);
    assert_true(slice_eq_str(acl.id.scheme, "ip"));
    assert_int_equal(dec_left(&inner), 0);
    buf_deinit(&b);
}

static void old_clients_handshake_ends_before_read_only(void **state)
{
    (void)state;
    uint8_t password[ZK_PASSWORD_BYTES] = {0};
    struct rec_connect_request r = {
        .time_out = 6000, .passwd = slice_of(password, sizeof password), .has_read_only = false};
    struct buf b = {0};
    rec_put_connect_request(&b, &r);
    assert_int_equal(b.len, 44);

    struct dec d = dec_of(buf_slice(&b));
    struct rec_connect_request got;
    assert_true(rec_get_connect_request(&d, &got));
    assert_false(got.has_read_only);
    assert_false(got.read_only);

    buf_put_u8(&b, 1);
    d = dec_of(buf_slice(&b));
    assert_true(rec_get_connect_request(&d, &got));
    assert_true(got.has_read_only);
    assert_true(got.read_only);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_and_empty_are_told_apart),
        cmocka_unit_test(a_string_length_below_minus_one_is_refused),
        cmocka_unit_test(any_byte_but_zero_is_true),
        cmocka_unit_test(nothing_can_be_read_from_nothing),
        cmocka_unit_test(a_vector_count_below_minus_one_means_empty),
        cmocka_unit_test(a_vector_of_two_thousand_million_is_refused_at_once),
        cmocka_unit_test(the_elements_of_a_vector_are_read_from_its_raw_bytes),
        cmocka_unit_test(old_clients_handshake_ends_before_read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
