/* links: recipes */
/* What stands in the nodes of a group is read back as it was written; everything else is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recipes/broadcast_format.h"

static struct slice messages(struct buf *b, const char *const *texts, int32_t count)
{
    buf_clear(b);
    buf_put_i32(b, count);
    for (int32_t i = 0; i < count; i++) {
        buf_put_i32(b, (int32_t)strlen(texts[i]));
        buf_put(b, texts[i], strlen(texts[i]));
    }
    return buf_slice(b);
}

static void a_record_is_read_back(void **state)
{
    (void)state;
    struct broadcast_record r = {.epoch = 7,
                                 .committed = 3,
                                 .proposed = 4,
                                 .oldest = 2,
                                 .cursor_count = 2},
                            back;
    memset(r.cursors[0].id.bytes, 0xab, BROADCAST_ID_BYTES);
    r.cursors[0].number = 5;
    r.cursors[1].number = 6;
    struct buf b = {0};
    broadcast_put_record(&b, &r);
    assert_true(broadcast_read_record(buf_slice(&b), &back));
    assert_int_equal(back.epoch, 7);
    assert_int_equal(back.committed, 3);
    assert_int_equal(back.proposed, 4);
    assert_int_equal(back.oldest, 2);
    assert_int_equal(broadcast_cursor_of(&back, &r.cursors[0].id)->number, 5);
    struct broadcast_id none = {{1}};
    assert_null(broadcast_cursor_of(&back, &none));
    for (size_t len = 0; len < b.len; len++)
        assert_false(broadcast_read_record(buf_part(&b, 0, len), &back));
    buf_put_u8(&b, 0);
    assert_false(broadcast_read_record(buf_slice(&b), &back));
    buf_deinit(&b);
}

static bool reads(int64_t epoch, int64_t committed, int64_t proposed, int64_t oldest)
{
    struct broadcast_record r = {.epoch = epoch,
                                 .committed = committed,
                                 .proposed = proposed,
                                 .oldest = oldest},
                            back;
    struct buf b = {0};
    broadcast_put_record(&b, &r);
    bool is_read = broadcast_read_record(buf_slice(&b), &back);
    buf_deinit(&b);
    return is_read;
}

static void a_record_that_cannot_be_is_refused(void **state)
{
    (void)state;
    assert_true(reads(0, 0, 0, 1));
    assert_true(reads(1, 5, 6, 7));
    assert_false(reads(-1, 0, 0, 1));
    assert_false(reads(1, 6, 5, 1));
    assert_false(reads(1, 4, 6, 1));
    assert_false(reads(1, 5, 6, 8));
    assert_false(reads(1, 5, 6, 0));
    assert_false(reads(1, INT64_MAX - 1, INT64_MAX, 1));
}

static void too_many_cursors_are_refused(void **state)
{
    (void)state;
    struct broadcast_record r = {.oldest = 1, .cursor_count = BROADCAST_MEMBERS_MAX}, back;
    struct buf b = {0};
    broadcast_put_record(&b, &r);
    assert_true(broadcast_read_record(buf_slice(&b), &back));
    store_be32(b.ptr + 36, BROADCAST_MEMBERS_MAX + 1);
    assert_false(broadcast_read_record(buf_slice(&b), &back));
    store_be32(b.ptr + 36, UINT32_MAX);
    assert_false(broadcast_read_record(buf_slice(&b), &back));
    buf_deinit(&b);
}

static void a_slot_is_read_back(void **state)
{
    (void)state;
    struct buf m = {0}, b = {0};
    struct broadcast_slot slot;
    broadcast_put_slot(&b, 9, 4, messages(&m, (const char *[]){"one", "", "three"}, 3));
    assert_true(broadcast_read_slot(buf_slice(&b), &slot));
    assert_int_equal(slot.read, 9);
    assert_int_equal(slot.number, 4);
    assert_int_equal(slot.message_count, 3);
    assert_true(slice_eq(slot.messages, buf_slice(&m)));
    for (size_t len = 0; len < b.len; len++)
        assert_false(broadcast_read_slot(buf_part(&b, 0, len), &slot));
    buf_put_u8(&b, 0);
    assert_false(broadcast_read_slot(buf_slice(&b), &slot));
    buf_deinit(&b);
    buf_deinit(&m);
}

static void lengths_and_counts_have_bounds(void **state)
{
    (void)state;
    struct buf m = {0}, b = {0};
    struct broadcast_slot slot;
    static uint8_t big[BROADCAST_MESSAGE_BYTES_MAX + 1];
    buf_put_i32(&m, 1);
    buf_put_i32(&m, sizeof(big));
    buf_put(&m, big, sizeof(big));
    broadcast_put_slot(&b, 0, 1, buf_slice(&m));
    assert_false(broadcast_read_slot(buf_slice(&b), &slot)); /* one message is too long */

    buf_clear(&m);
    buf_clear(&b);
    buf_put_i32(&m, 5);
    for (int i = 0; i < 5; i++) {
        buf_put_i32(&m, BROADCAST_MESSAGE_BYTES_MAX);
        buf_put(&m, big, BROADCAST_MESSAGE_BYTES_MAX);
    }
    broadcast_put_slot(&b, 0, 1, buf_slice(&m));
    assert_false(broadcast_read_slot(buf_slice(&b), &slot)); /* all together are */

    buf_clear(&m);
    buf_clear(&b);
    buf_put_i32(&m, BROADCAST_SUBMISSION_MESSAGES_MAX + 1);
    for (int i = 0; i <= BROADCAST_SUBMISSION_MESSAGES_MAX; i++)
        buf_put_i32(&m, 0);
    broadcast_put_slot(&b, 0, 1, buf_slice(&m));
    assert_false(broadcast_read_slot(buf_slice(&b), &slot)); /* there are too many */
    buf_deinit(&b);
    buf_deinit(&m);
}

static void messages_of_a_batch_come_in_their_order(void **state)
{
    (void)state;
    struct buf m = {0}, b = {0};
    struct broadcast_id x = {{1}}, y = {{2}};
    broadcast_begin_batch(&b, 3);
    broadcast_put_submission(&b, &x, 5, messages(&m, (const char *[]){"a", "b"}, 2));
    broadcast_put_submission(&b, &y, 1, messages(&m, NULL, 0));
    broadcast_put_submission(&b, &y, 6, messages(&m, (const char *[]){"c"}, 1));
    broadcast_end_batch(&b, 3);
    assert_true(broadcast_check_batch(buf_slice(&b)));
    struct broadcast_reader r;
    broadcast_reader_init(&r, buf_slice(&b));
    static const struct {
        const char *text;
        uint8_t id;
        int64_t number;
    } wanted[] = {{"a", 1, 5}, {"b", 1, 5}, {"c", 2, 6}};
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(broadcast_next(&r));
        assert_true(slice_eq_str(r.message, wanted[i].text));
        assert_int_equal(r.by.id.bytes[0], wanted[i].id);
        assert_int_equal(r.by.number, wanted[i].number);
        assert_int_equal(r.place, i + 1);
    }
    assert_false(broadcast_next(&r));
    for (size_t len = 0; len < b.len; len++)
        assert_false(broadcast_check_batch(buf_part(&b, 0, len)));
    buf_put_u8(&b, 0);
    assert_false(broadcast_check_batch(buf_slice(&b)));
    buf_deinit(&b);
    buf_deinit(&m);
}

static void an_id_is_the_name_of_a_slot(void **state)
{
    (void)state;
    struct broadcast_id id;
    assert_true(broadcast_id_of("00112233445566778899aabbccddeeff", &id));
    assert_int_equal(id.bytes[1], 0x11);
    assert_int_equal(id.bytes[15], 0xff);
    assert_false(broadcast_id_of("00112233445566778899aabbccddeef", &id));
    assert_false(broadcast_id_of("00112233445566778899aabbccddeeffa", &id));
    assert_false(broadcast_id_of("00112233445566778899AABBCCDDEEFF", &id));
    assert_false(broadcast_id_of("00112233445566778899aabbccddee\n0", &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read_back),
        cmocka_unit_test(a_record_that_cannot_be_is_refused),
        cmocka_unit_test(too_many_cursors_are_refused),
        cmocka_unit_test(a_slot_is_read_back),
        cmocka_unit_test(lengths_and_counts_have_bounds),
        cmocka_unit_test(messages_of_a_batch_come_in_their_order),
        cmocka_unit_test(an_id_is_the_name_of_a_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
