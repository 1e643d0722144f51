/* links: node */
/* Answers of a node to requests that are out of the ordinary, as Apache ZooKeeper 3.9.5 gives them
 * (integration/test_odd_requests.py asks a whole server for them). */
#include "node_kit.h"

static struct kit *open_with(void (*adjust)(struct node_options *o))
{
    struct node_options o;
    kit_defaults(&o);
    if (adjust != NULL)
        adjust(&o);
    struct kit *k = kit_open(&o);
    kit_connect(k, 1);
    return k;
}

static void an_unknown_operation_is_refused_under_no_zxid_and_ends_the_connection(void **state)
{
    (void)state;
    struct kit *k = open_with(NULL);
    kit_create_open(k, 1, "/a");
    kit_request(k, 1, 7, 999, NULL);
    struct kit_reply r = kit_reply(k, 1); /* ahead of the create */
    assert_int_equal(r.xid, 7);
    assert_int_equal(r.err, ZK_UNIMPLEMENTED);
    assert_int_equal(r.zxid, -1);
    assert_true(k->clients[1].closed);
    kit_sync(k);
    assert_false(kit_has_reply(k, 1));
    kit_close(k);
}

static void sasl_without_a_login_context_changes_nothing(void **state)
{
    (void)state;
    struct kit *k = open_with(NULL);
    struct buf b = {0};
    rec_put_slice(&b, slice_str("token"));
    kit_request(k, 1, 3, ZK_OP_SASL, &b);
    struct kit_reply r = kit_reply(k, 1);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.body.len, 4);
    assert_int_equal((int32_t)load_be32(r.body.ptr), -1);
    assert_false(k->clients[1].closed);

    rec_put_slice(&b, (struct slice){0});
    kit_request(k, 1, 4, ZK_OP_SASL, &b);
    assert_true(k->clients[1].closed);
    assert_false(kit_has_reply(k, 1));
    buf_deinit(&b);
    kit_close(k);
}

static void null_credentials_are_not_a_digest(void **state)
{
    (void)state;
    struct kit *k = open_with(NULL);
    kit_auth(k, 1, "digest", slice_str(""));
    assert_int_equal(kit_reply(k, 1).err, 0);
    kit_auth(k, 1, "digest", (struct slice){0});
    assert_int_equal(kit_reply(k, 1).err, ZK_AUTHFAILED);
    assert_true(k->clients[1].closed);
    kit_close(k);
}

static void the_identities_of_a_connection_have_a_bound_in_bytes(void **state)
{
    (void)state;
    struct kit *k = open_with(NULL);
    struct slice name = {mem_calloc(1, 1000000), 1000000};
    uint8_t *first = (uint8_t *)(uintptr_t)name.ptr;
    for (int i = 0; i < 4; i++) {
        first[0] = (uint8_t)('a' + i);
        kit_auth(k, 1, "digest", name);
        assert_int_equal(kit_reply(k, 1).err, 0);
    }
    first[0] = 'z';
    kit_auth(k, 1, "digest", name);
    assert_int_equal(kit_reply(k, 1).err, ZK_AUTHFAILED);
    free(first);
    kit_close(k);
}

/* A kind of watch and a path: checkWatches, removeWatches; with a mode: addWatch. */
static int32_t watch_op(struct kit *k, int32_t op, const char *path, int32_t number)
{
    struct buf b = {0};
    rec_put_slice(&b, path != NULL ? slice_str(path) : (struct slice){0});
    buf_put_i32(&b, number);
    kit_request(k, 1, 5, op, &b);
    buf_deinit(&b);
    return kit_reply(k, 1).err;
}

static void watches_take_a_null_path_for_a_path(void **state)
{
    (void)state;
    struct kit *k = open_with(NULL);
    assert_int_equal(watch_op(k, ZK_OP_CHECK_WATCHES, NULL, ZK_WATCHER_ANY), ZK_NOWATCHER);
    assert_int_equal(watch_op(k, ZK_OP_ADD_WATCH, NULL, ZK_ADD_WATCH_PERSISTENT_RECURSIVE), 0);
    assert_int_equal(watch_op(k, ZK_OP_CHECK_WATCHES, NULL, ZK_WATCHER_ANY), 0);
    assert_int_equal(watch_op(k, ZK_OP_REMOVE_WATCHES, NULL, ZK_WATCHER_PERSISTENT_RECURSIVE), 0);
    assert_int_equal(watch_op(k, ZK_OP_REMOVE_WATCHES, NULL, ZK_WATCHER_ANY), ZK_NOWATCHER);
    assert_int_equal(watch_op(k, ZK_OP_ADD_WATCH, NULL, 2), ZK_MARSHALLINGERROR);
    kit_close(k);
}

static void put_part(struct buf *b, int32_t op, const char *path)
{
    rec_put_multi_header(b, &(struct rec_multi_header){.type = op, .err = -1});
    rec_put_slice(b, path != NULL ? slice_str(path) : (struct slice){0});
    buf_put_u8(b, true);
}

static void put_end(struct buf *b)
{
    rec_put_multi_header(b, &(struct rec_multi_header){.type = -1, .done = true, .err = -1});
}

static void a_multi_read_sets_no_watches(void **state)
{
    (void)state;
    struct kit *k = open_with(NULL);
    struct buf b = {0};
    put_part(&b, ZK_OP_GET_DATA, "/");
    put_part(&b, ZK_OP_GET_CHILDREN, "/");
    put_end(&b);
    kit_request(k, 1, 3, ZK_OP_MULTI_READ, &b);
    assert_int_equal(kit_reply(k, 1).err, 0);
    assert_int_equal(watch_op(k, ZK_OP_CHECK_WATCHES, "/", ZK_WATCHER_ANY), ZK_NOWATCHER);
    buf_deinit(&b);
    kit_close(k);
}

static void a_multi_read_with_a_null_path_keeps_the_answers_before_it(void **state)
{
    (void)state;
    struct kit *k = open_with(NULL);
    struct buf b = {0};
    put_part(&b, ZK_OP_GET_CHILDREN, "/");
    put_part(&b, ZK_OP_GET_DATA, NULL);
    put_part(&b, ZK_OP_GET_CHILDREN, "/");
    put_end(&b);
    kit_request(k, 1, 3, ZK_OP_MULTI_READ, &b);
    struct kit_reply r = kit_reply(k, 1);
    assert_int_equal(r.err, ZK_MARSHALLINGERROR);

    struct dec d = dec_of(r.body);
    struct rec_multi_header h;
    assert_true(rec_get_multi_header(&d, &h));
    assert_int_equal(h.type, ZK_OP_GET_CHILDREN);
    assert_int_equal(dec_i32(&d), 1);
    assert_true(slice_eq_str(dec_ustring(&d), "zookeeper"));
    assert_true(rec_get_multi_header(&d, &h));
    assert_true(h.done);
    assert_int_equal(dec_left(&d), 0);
    buf_deinit(&b);
    kit_close(k);
}

static void however_long_a_digest_id_is_its_hash_is_hidden(void **state)
{
    (void)state;
    struct kit *k = open_with(NULL);
    char id[5000];
    memset(id, 'u', sizeof id);
    memcpy(id + sizeof id - 8, ":secret", 8);
    kit_create(k, 1, ZK_OP_CREATE, "/a", 0, "digest", id);
    kit_sync(k);
    assert_int_equal(kit_reply(k, 1).err, 0);
    /* The list above lets nobody else in: read it through a second entry. */
    struct buf b = {0};
    rec_put_slice(&b, slice_str("/b"));
    rec_put_slice(&b, slice_str(""));
    buf_put_i32(&b, 2);
    rec_put_acl(&b, &(struct rec_acl){ZK_PERM_ALL, {slice_str("digest"), slice_str(id)}});
    rec_put_acl(&b, &(struct rec_acl){ZK_PERM_READ, {slice_str("world"), slice_str("anyone")}});
    buf_put_i32(&b, 0);
    kit_request(k, 1, 2, ZK_OP_CREATE, &b);
    kit_sync(k);
    assert_int_equal(kit_reply(k, 1).err, 0);

    rec_put_slice(&b, slice_str("/b"));
    kit_request(k, 1, 3, ZK_OP_GET_ACL, &b);
    struct kit_reply r = kit_reply(k, 1);
    assert_int_equal(r.err, 0);
    struct dec d = dec_of(r.body);
    struct rec_acl a;
    assert_int_equal(dec_i32(&d), 2);
    assert_true(rec_get_acl(&d, &a));
    assert_int_equal(a.id.id.len, sizeof id - 8 + 2);
    assert_memory_equal(a.id.id.ptr + a.id.id.len - 3, "u:x", 3);
    assert_true(rec_get_acl(&d, &a));
    assert_true(slice_eq_str(a.id.id, "anyone"));
    buf_deinit(&b);
    kit_close(k);
}

/* The throttle counts requests with a positive xid only. */
static void pings_behind_a_stuck_write_do_not_pile_up_without_end(void **state)
{
    (void)state;
    struct kit *k = open_with(NULL);
    struct buf b = {0};
    rec_put_delete_request(&b, &(struct rec_delete_request){slice_str("/none"), -1});
    kit_request(k, 1, -5, ZK_OP_DELETE, &b);
    buf_deinit(&b);
    size_t sent = 0;
    while (!k->clients[1].paused && sent < 1000000) {
        kit_request(k, 1, ZK_XID_PING, ZK_OP_PING, NULL);
        sent++;
    }
    assert_true(k->clients[1].paused);
    kit_sync(k);
    assert_false(k->clients[1].paused);
    assert_int_equal(kit_reply(k, 1).xid, -5);
    while (sent-- > 0)
        assert_int_equal(kit_reply(k, 1).xid, ZK_XID_PING);
    assert_int_equal(node_outstanding(k->node), 0);
    kit_close(k);
}

static void large_requests(struct node_options *o)
{
    o->large_request_bytes = 100;
    o->large_requests_bytes_max = 235;
}

static void create_with_data(struct kit *k, const char *path, size_t data_len)
{
    uint8_t data[1000] = {0};
    struct buf b = {0};
    rec_put_slice(&b, slice_str(path));
    rec_put_slice(&b, slice_of(data, data_len));
    buf_put_i32(&b, 1);
    rec_put_acl(&b, &(struct rec_acl){ZK_PERM_ALL, {slice_str("world"), slice_str("anyone")}});
    buf_put_i32(&b, 0);
    kit_request(k, 1, 1, ZK_OP_CREATE, &b);
    buf_deinit(&b);
}

/* 116 bytes of record are in flight when a frame of 116 comes; with its header the first would have
 * 124. */
static void large_requests_take_room_by_their_records(void **state)
{
    (void)state;
    struct kit *k = open_with(large_requests);
    create_with_data(k, "/a", 75);
    create_with_data(k, "/b", 67);
    assert_false(k->clients[1].closed);
    kit_sync(k);
    create_with_data(k, "/c", 75); /* what was answered takes none */
    assert_false(k->clients[1].closed);
    create_with_data(k, "/d", 300);
    assert_true(k->clients[1].closed);
    kit_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_operation_is_refused_under_no_zxid_and_ends_the_connection),
        cmocka_unit_test(sasl_without_a_login_context_changes_nothing),
        cmocka_unit_test(null_credentials_are_not_a_digest),
        cmocka_unit_test(the_identities_of_a_connection_have_a_bound_in_bytes),
        cmocka_unit_test(watches_take_a_null_path_for_a_path),
        cmocka_unit_test(a_multi_read_sets_no_watches),
        cmocka_unit_test(a_multi_read_with_a_null_path_keeps_the_answers_before_it),
        cmocka_unit_test(however_long_a_digest_id_is_its_hash_is_hidden),
        cmocka_unit_test(pings_behind_a_stuck_write_do_not_pile_up_without_end),
        cmocka_unit_test(large_requests_take_room_by_their_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
