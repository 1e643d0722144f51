/* links: client wire base */
/* Servers that lie, stutter or break off: the connection ends, the machine does not. */
#include "client_kit.h"

static struct kit connected(void)
{
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    return k;
}

/* The connection was given up, and what was in flight has its answer. */
#define assert_dropped(k, text)                                                                    \
    do {                                                                                           \
        kit_hears(k, text);                                                                        \
        assert_false(csession_link((k)->s).wanted);                                                \
        assert_string_not_equal(csession_trouble((k)->s), "");                                     \
    } while (0)

static void lengths_that_cannot_be_end_the_connection(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0xffffffff, 0x80000000, 0x7fffffff, (1 << 20) + 1};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        struct kit k = connected();
        kit_get(&k, "/a", NULL, "get");
        uint8_t bytes[4];
        store_be32(bytes, lengths[i]);
        csession_received(k.s, k.now, slice_of(bytes, 4));
        assert_dropped(&k, "SUSPENDED\nget -> -4\n");
        kit_stop(&k);
    }
}

static void short_frames_end_the_connection(void **state)
{
    (void)state;
    for (uint32_t len = 0; len < 16; len++) {
        struct kit k = connected();
        kit_begin(&k);
        for (uint32_t i = 0; i < len; i++)
            buf_put_u8(&k.reply, 0);
        kit_send(&k);
        assert_dropped(&k, "SUSPENDED\n");
        kit_stop(&k);
    }
}

static void answers_to_nothing_end_the_connection(void **state)
{
    (void)state;
    static const int32_t xids[] = {
        1, 0, -3, -5, -9, INT32_MAX, INT32_MIN, ZK_XID_AUTH, ZK_XID_SET_WATCHES};
    for (size_t i = 0; i < sizeof(xids) / sizeof(*xids); i++) {
        struct kit k = connected();
        kit_answer(&k, xids[i], 1, 0);
        assert_dropped(&k, "SUSPENDED\n");
        kit_stop(&k);
    }
}

static void an_answer_out_of_order_ends_the_connection(void **state)
{
    (void)state;
    struct kit k = connected();
    kit_get(&k, "/a", NULL, "one");
    kit_get(&k, "/b", NULL, "two");
    kit_answer(&k, 2, 1, 0);
    assert_dropped(&k, "SUSPENDED\none -> -4\ntwo -> -4\n");
    kit_stop(&k);
}

static void greetings_cut_anywhere_are_no_session(void **state)
{
    (void)state;
    struct buf whole = {0};
    rec_put_connect_response(&whole, &(struct rec_connect_response){
                                         0, 9000, 5, slice_of(kit_password, 16), true, false});
    for (size_t len = 0; len < whole.len - 1; len++) { /* the last byte is optional */
        struct kit k;
        struct csession_config config = kit_config();
        kit_start(&k, &config);
        csession_connected(k.s, k.now);
        kit_begin(&k);
        buf_put(&k.reply, whole.ptr, len);
        kit_send(&k);
        assert_dropped(&k, "");
        kit_stop(&k);
    }
    buf_deinit(&whole);
}

static void a_password_of_another_length_is_no_session(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 15, 17, 1000};
    static const uint8_t bytes[1000];
    for (size_t i = 0; i < 4; i++) {
        struct kit k;
        struct csession_config config = kit_config();
        kit_start(&k, &config);
        csession_connected(k.s, k.now);
        kit_begin(&k);
        rec_put_connect_response(
            &k.reply,
            &(struct rec_connect_response){0, 9000, 5, slice_of(bytes, lengths[i]), true, false});
        kit_send(&k);
        assert_dropped(&k, "");
        kit_stop(&k);
    }
}

/* Every answer cut at every byte: the caller is told, and no byte past the end is read. */
static void answers_cut_anywhere_are_reported(void **state)
{
    (void)state;
    struct buf whole = {0}, names = {0};
    rec_put_slice(&names, slice_str("child"));
    rec_put_slice(&names, slice_str("other"));
    rec_put_get_children2_response(
        &whole, &(struct rec_get_children2_response){{2, buf_slice(&names)}, {0}});
    for (size_t len = 0; len < whole.len; len++) {
        struct kit k = connected();
        struct call *c = NULL;
        int rc =
            call_read(&k.scope, ZK_OP_GET_CHILDREN2, "/a", kit_watch, (void *)(uintptr_t) "w", &c);
        kit_submit(&k, rc, c, "get");
        kit_get(&k, "/b", NULL, "next");
        kit_header(&k, 1, 1, 0);
        buf_put(&k.reply, whole.ptr, len);
        kit_send(&k);
        assert_dropped(&k, "get -> -5\nSUSPENDED\nnext -> -4\n");
        kit_stop(&k);
    }
    buf_deinit(&whole);
    buf_deinit(&names);
}

static void a_multi_with_more_parts_than_asked_is_malformed(void **state)
{
    (void)state;
    struct kit k = connected();
    struct caucus_op op = {.type = CAUCUS_OP_DELETE, .path = "/a", .version = -1};
    struct call *c = NULL;
    int rc = call_multi(&k.scope, ZK_OP_MULTI, &op, 1, &c);
    kit_submit(&k, rc, c, "multi");
    kit_header(&k, 1, 1, 0);
    for (int i = 0; i < 2; i++)
        rec_put_multi_header(&k.reply, &(struct rec_multi_header){ZK_OP_DELETE, false, 0});
    rec_put_multi_header(&k.reply, &(struct rec_multi_header){-1, true, -1});
    kit_send(&k);
    assert_dropped(&k, "multi -> -5\nSUSPENDED\n");
    kit_stop(&k);
}

static void events_cut_anywhere_end_the_connection(void **state)
{
    (void)state;
    struct buf whole = {0};
    rec_put_watcher_event(&whole, &(struct rec_watcher_event){1, 3, slice_str("/a")});
    for (size_t len = 0; len < whole.len; len++) {
        struct kit k = connected();
        kit_header(&k, ZK_XID_NOTIFICATION, 1, 0);
        buf_put(&k.reply, whole.ptr, len);
        kit_send(&k);
        assert_dropped(&k, "SUSPENDED\n");
        kit_stop(&k);
    }
    buf_deinit(&whole);
}

static void bytes_may_come_one_by_one(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    csession_connected(k.s, k.now);
    struct buf stream = {0};
    rec_put_connect_response(&k.reply, &(struct rec_connect_response){
                                           0, 9000, 5, slice_of(kit_password, 16), true, false});
    buf_put_i32(&stream, (int32_t)k.reply.len);
    buf_put_slice(&stream, buf_slice(&k.reply));
    kit_get(&k, "/a", "w", "get");
    kit_header(&k, 1, 1, 0);
    kit_put_data(&k, "data");
    store_be32(k.reply.ptr, (uint32_t)(k.reply.len - 4));
    buf_put_slice(&stream, buf_slice(&k.reply));
    kit_header(&k, ZK_XID_NOTIFICATION, 2, 0);
    rec_put_watcher_event(&k.reply, &(struct rec_watcher_event){3, 3, slice_str("/a")});
    store_be32(k.reply.ptr, (uint32_t)(k.reply.len - 4));
    buf_put_slice(&stream, buf_slice(&k.reply));
    for (size_t i = 0; i < stream.len; i++)
        csession_received(k.s, k.now, buf_part(&stream, i, 1));
    kit_hears(&k, "CONNECTED renewed\nget -> 0 'data'\nw: changed /a (last)\n");
    buf_deinit(&stream);
    kit_stop(&k);
}

/* Bytes by chance, on connections that begin well. */
static void noise_is_survived(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int run = 0; run < 3000; run++) {
        struct kit k = connected();
        kit_get(&k, "/a", "w", "get");
        struct call *c = NULL;
        int rc = call_multi(&k.scope, ZK_OP_MULTI,
                            &(struct caucus_op){.type = CAUCUS_OP_CREATE, .path = "/a"}, 1, &c);
        kit_submit(&k, rc, c, "multi");
        for (int part = 0; part < 4; part++) {
            uint8_t bytes[64];
            for (size_t i = 0; i < sizeof(bytes); i++) {
                random = random * 6364136223846793005U + 1442695040888963407U;
                bytes[i] = (uint8_t)(random >> 56) & ((random >> 40 & 3) != 0 ? 0x03 : 0xff);
            }
            store_be32(bytes, sizeof(bytes) - 4);
            if (run % 2 == 0) {
                store_be32(bytes + 4, (uint32_t)part + 1);
                store_be32(bytes + 16, 0);
            }
            csession_received(k.s, k.now, slice_of(bytes, sizeof(bytes)));
        }
        kit_heard(&k);
        kit_pass(&k, 30 * SECOND);
        csession_finish(k.s);
        kit_heard(&k);
        kit_stop(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_that_cannot_be_end_the_connection),
        cmocka_unit_test(short_frames_end_the_connection),
        cmocka_unit_test(answers_to_nothing_end_the_connection),
        cmocka_unit_test(an_answer_out_of_order_ends_the_connection),
        cmocka_unit_test(greetings_cut_anywhere_are_no_session),
        cmocka_unit_test(a_password_of_another_length_is_no_session),
        cmocka_unit_test(answers_cut_anywhere_are_reported),
        cmocka_unit_test(a_multi_with_more_parts_than_asked_is_malformed),
        cmocka_unit_test(events_cut_anywhere_end_the_connection),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(noise_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
