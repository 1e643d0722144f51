/* links: node */
/* What one request may cost. */
#include "node_kit.h"

static void put_reads(struct buf *b, const char *path, int count)
{
    for (int i = 0; i < count; i++) {
        struct rec_multi_header head = {.type = ZK_OP_GET_DATA, .done = false, .err = -1};
        rec_put_multi_header(b, &head);
        rec_put_get_data_request(b, &(struct rec_get_data_request){.path = slice_str(path)});
    }
    rec_put_multi_header(b, &(struct rec_multi_header){.type = -1, .done = true, .err = -1});
}

/* 100,000 bytes of data and a request that names them so many times. */
static struct kit_reply read_many(struct kit *k, int32_t xid, int count)
{
    struct buf b = {0};
    put_reads(&b, "/big", count);
    kit_request(k, 1, xid, ZK_OP_MULTI_READ, &b);
    buf_deinit(&b);
    return kit_reply(k, 1);
}

static void the_answer_to_a_multi_read_has_a_bound(void **state)
{
    (void)state;
    struct node_options o;
    kit_defaults(&o);
    struct kit *k = kit_open(&o);
    kit_connect(k, 1);
    kit_create_open(k, 1, "/big");
    kit_sync(k);
    kit_reply(k, 1);

    struct buf b = {0};
    static const uint8_t zeros[100000];
    struct rec_set_data_request set = {slice_str("/big"), slice_of(zeros, sizeof zeros), -1};
    rec_put_set_data_request(&b, &set);
    kit_request(k, 1, 2, ZK_OP_SET_DATA, &b);
    buf_deinit(&b);
    kit_sync(k);
    assert_int_equal(kit_reply(k, 1).err, 0);

    struct kit_reply r = read_many(k, 3, 600);
    assert_int_equal(r.err, 0);
    assert_true(r.body.len > 600 * sizeof zeros);

    r = read_many(k, 4, 20000); /* 2 GB, if it were answered */
    assert_int_equal(r.xid, 4);
    assert_int_equal(r.err, ZK_SYSTEMERROR);
    assert_int_equal(r.body.len, 0);
    assert_false(k->clients[1].closed);

    assert_int_equal(read_many(k, 5, 1).err, 0); /* and the connection goes on */
    kit_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_to_a_multi_read_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
