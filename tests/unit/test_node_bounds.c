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

static void make_big(struct kit *k)
{
    kit_create_open(k, 1, "/big");
    kit_sync(k);
    static const uint8_t zeros[100000];
    struct buf b = {0};
    struct rec_set_data_request set = {slice_str("/big"), slice_of(zeros, sizeof zeros), -1};
    rec_put_set_data_request(&b, &set);
    kit_request(k, 1, 2, ZK_OP_SET_DATA, &b);
    buf_deinit(&b);
    kit_sync(k);
    kit_reply(k, 1);
    kit_reply(k, 1);
}

/* A write, and reads of 100,000 bytes that wait behind it. */
static void queue_reads(struct kit *k, uint64_t client, const char *path, int count)
{
    kit_create_open(k, client, path);
    for (int i = 0; i < count; i++)
        kit_read(k, client, ZK_OP_GET_DATA, "/big", false);
}

static void a_commit_with_much_to_answer_goes_on_in_the_next_step(void **state)
{
    (void)state;
    struct node_options o;
    kit_defaults(&o);
    struct kit *k = kit_open(&o);
    kit_connect(k, 1);
    kit_connect(k, 2);
    make_big(k);
    queue_reads(k, 1, "/a", 200); /* 20 MB, more than one step's worth */
    queue_reads(k, 2, "/b", 1);

    kit_step(k, (struct node_event){.type = NODE_DURABLE, .ticket = k->ticket});
    assert_true(kit_has_reply(k, 1));
    assert_false(kit_has_reply(k, 2));
    assert_int_equal(k->fx.deadline_ns, k->now_ms * 1000000); /* at once */

    kit_tick(k, 0);
    assert_int_equal(kit_reply(k, 2).err, 0);
    assert_int_equal(kit_reply(k, 2).err, 0);
    for (int i = 0; i <= 200; i++)
        assert_int_equal(kit_reply(k, 1).err, 0);
    kit_close(k);
}

static void watch_for_good(struct kit *k, uint64_t client, const char *path)
{
    struct buf b = {0};
    rec_put_slice(&b, slice_str(path));
    buf_put_i32(&b, ZK_ADD_WATCH_PERSISTENT);
    kit_request(k, client, 1, ZK_OP_ADD_WATCH, &b);
    buf_deinit(&b);
    assert_int_equal(kit_reply(k, client).err, 0);
}

/* An event is the same bytes for all who hear it; the list of them is what fills memory. */
static void a_commit_that_tells_many_goes_on_in_the_next_step(void **state)
{
    (void)state;
    enum {
        WATCHERS = 7,
        WRITES = 60000,
        STEP_BYTES_MAX = 17 << 20,
    };
    struct node_options o;
    kit_defaults(&o);
    struct kit *k = kit_open(&o);
    for (uint64_t i = 1; i <= WATCHERS + 1; i++)
        kit_connect(k, i);
    kit_create_open(k, 1, "/told");
    kit_sync(k);
    kit_reply(k, 1);
    for (uint64_t i = 2; i <= WATCHERS + 1; i++)
        watch_for_good(k, i, "/told");
    for (int i = 0; i < WRITES; i++) {
        struct buf b = {0};
        rec_put_set_data_request(
            &b, &(struct rec_set_data_request){slice_str("/told"), slice_str("x"), -1});
        kit_request(k, 1, 2 + i, ZK_OP_SET_DATA, &b);
        buf_deinit(&b);
    }

    kit_sync(k);
    size_t steps = 1;
    for (; k->fx.deadline_ns <= k->now_ms * 1000000; steps++) {
        assert_true(effects_send_size(&k->fx) < STEP_BYTES_MAX);
        kit_tick(k, 0);
    }
    assert_true(steps > 1);
    for (uint64_t i = 2; i <= WATCHERS + 1; i++) {
        int64_t zxid = 0;
        for (int event = 0; event < WRITES; event++) {
            struct kit_reply r = kit_reply(k, i);
            assert_int_equal(r.xid, ZK_XID_NOTIFICATION);
            assert_true(r.zxid > zxid);
            zxid = r.zxid;
        }
        assert_false(kit_has_reply(k, i));
    }
    kit_close(k);
}

static void a_queue_whose_answers_fill_memory_ends_its_connection(void **state)
{
    (void)state;
    struct node_options o;
    kit_defaults(&o);
    struct kit *k = kit_open(&o);
    kit_connect(k, 1);
    kit_connect(k, 2);
    make_big(k);
    queue_reads(k, 1, "/a", 900); /* 90 MB */
    queue_reads(k, 2, "/b", 1);
    kit_sync(k);
    assert_true(k->clients[1].closed);
    assert_true(k->clients[1].said.len < 70 << 20);

    kit_tick(k, 0);
    assert_int_equal(kit_reply(k, 2).err, 0); /* the others go on */
    assert_false(k->clients[2].closed);
    kit_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_to_a_multi_read_has_a_bound),
        cmocka_unit_test(a_commit_with_much_to_answer_goes_on_in_the_next_step),
        cmocka_unit_test(a_commit_that_tells_many_goes_on_in_the_next_step),
        cmocka_unit_test(a_queue_whose_answers_fill_memory_ends_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
