/* links: client wire base */
/* Requests and answers: every operation to bytes and back, order, loss, limits, chroot, identities.
 */
#include "client_kit.h"

static struct call_scope plain = {.request_bytes_max = 0xfffff};

static struct rec_stat stat_of(int64_t czxid)
{
    return (struct rec_stat){.czxid = czxid, .version = 3, .num_children = 2, .pzxid = 9};
}

/* The body of the call's frame, and that its header is as it should be. */
static struct dec body_of(const struct call *c, int32_t op)
{
    struct dec d = dec_of(buf_slice(&c->frame));
    assert_int_equal(dec_i32(&d), c->frame.len - 4);
    dec_i32(&d);
    assert_int_equal(dec_i32(&d), op);
    return d;
}

/* The result of answering with what `put` wrote. */
static struct caucus_result *answered(struct call *c, const struct buf *body, const char *chroot)
{
    struct dec d = dec_of(buf_slice(body));
    struct caucus_result *r = NULL;
    assert_true(outcome_read(c, slice_str(chroot), 77, &d, &r));
    assert_int_equal(r->zxid, 77);
    return r;
}

/* ---- One by one ---- */

static void create_has_an_operation_for_each_kind_of_node(void **state)
{
    (void)state;
    static const int32_t ops[] = {ZK_OP_CREATE2,   ZK_OP_CREATE2,          ZK_OP_CREATE2,
                                  ZK_OP_CREATE2,   ZK_OP_CREATE_CONTAINER, ZK_OP_CREATE_TTL,
                                  ZK_OP_CREATE_TTL};
    for (int mode = 0; mode <= 6; mode++) {
        struct caucus_create_options o = {.mode = (enum caucus_create_mode)mode, .ttl_ms = 5};
        struct call *c;
        assert_int_equal(call_create(&plain, "/a", "xy", 2, &o, &c), 0);
        struct dec d = body_of(c, ops[mode]);
        struct rec_create_ttl_request r;
        if (ops[mode] == ZK_OP_CREATE_TTL) {
            assert_true(rec_get_create_ttl_request(&d, &r));
            assert_int_equal(r.ttl, 5);
        } else {
            struct rec_create_request plain_request;
            assert_true(rec_get_create_request(&d, &plain_request));
            r = (struct rec_create_ttl_request){plain_request.path, plain_request.data,
                                                plain_request.acl, plain_request.flags, 0};
        }
        assert_int_equal(r.flags, mode);
        assert_true(slice_eq_str(r.path, "/a"));
        assert_true(slice_eq_str(r.data, "xy"));
        struct dec acls = dec_of(r.acl.raw);
        struct rec_acl acl;
        assert_int_equal(r.acl.count, 1);
        assert_true(rec_get_acl(&acls, &acl));
        assert_int_equal(acl.perms, ZK_PERM_ALL);
        assert_true(slice_eq_str(acl.id.scheme, "world"));
        assert_int_equal(dec_left(&d), 0);

        struct buf body = {0};
        rec_put_create2_response(&body,
                                 &(struct rec_create2_response){slice_str("/a7"), stat_of(5)});
        struct caucus_result *result = answered(c, &body, "");
        assert_string_equal(result->path, "/a7");
        assert_int_equal(result->stat->czxid, 5);
        caucus_result_free(result);
        buf_deinit(&body);
        call_free(c);
    }
}

static void null_data_stays_null(void **state)
{
    (void)state;
    struct call *c;
    assert_int_equal(call_create(&plain, "/a", NULL, 0, NULL, &c), 0);
    struct dec d = body_of(c, ZK_OP_CREATE2);
    struct rec_create_request r;
    assert_true(rec_get_create_request(&d, &r));
    assert_true(slice_is_null(r.data));
    call_free(c);
    assert_int_equal(call_set(&plain, "/a", "", 0, -1, &c), 0);
    d = body_of(c, ZK_OP_SET_DATA);
    struct rec_set_data_request set;
    assert_true(rec_get_set_data_request(&d, &set));
    assert_false(slice_is_null(set.data));
    call_free(c);

    assert_int_equal(call_read(&plain, ZK_OP_GET_DATA, "/a", NULL, NULL, &c), 0);
    struct buf body = {0};
    rec_put_get_data_response(&body, &(struct rec_get_data_response){{0}, stat_of(1)});
    struct caucus_result *result = answered(c, &body, "");
    assert_null(result->data);
    assert_int_equal(result->data_bytes, 0);
    assert_non_null(result->stat);
    caucus_result_free(result);
    buf_deinit(&body);
    call_free(c);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {NULL, "", "a", "/a/", "//", "/a/../b", "/a\x01", "/\xff"};
    struct call *c = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(call_read(&plain, ZK_OP_EXISTS, bad[i], NULL, NULL, &c),
                         CAUCUS_BADARGUMENTS);
        assert_int_equal(call_delete(&plain, bad[i], -1, &c), CAUCUS_BADARGUMENTS);
        assert_int_equal(call_set(&plain, bad[i], "", 0, -1, &c), CAUCUS_BADARGUMENTS);
        assert_int_equal(call_create(&plain, bad[i], "", 0, NULL, &c), CAUCUS_BADARGUMENTS);
    }
    struct caucus_create_options ttl = {.mode = CAUCUS_PERSISTENT_TTL};
    assert_int_equal(call_create(&plain, "/a", "", 0, &ttl, &c), CAUCUS_BADARGUMENTS);
    ttl.ttl_ms = ZK_TTL_MS_MAX + 1;
    assert_int_equal(call_create(&plain, "/a", "", 0, &ttl, &c), CAUCUS_BADARGUMENTS);
    struct caucus_create_options mode = {.mode = (enum caucus_create_mode)7};
    assert_int_equal(call_create(&plain, "/a", "", 0, &mode, &c), CAUCUS_BADARGUMENTS);
    assert_int_equal(call_create(&plain, "/a", NULL, 1, NULL, &c), CAUCUS_BADARGUMENTS);
    assert_int_equal(call_set_acl(&plain, "/a", NULL, 0, -1, &c), CAUCUS_BADARGUMENTS);
    struct caucus_acl acl = {31, "digest", NULL};
    assert_int_equal(call_set_acl(&plain, "/a", &acl, 1, -1, &c), CAUCUS_BADARGUMENTS);
    assert_int_equal(call_add_watch(&plain, "/a", CAUCUS_WATCH_PERSISTENT, NULL, NULL, &c),
                     CAUCUS_BADARGUMENTS);
    assert_int_equal(
        call_remove_watches(&plain, "/a", (enum caucus_watch_kind)6, NULL, NULL, false, &c),
        CAUCUS_BADARGUMENTS);
    struct caucus_op read = {.type = CAUCUS_OP_GET, .path = "/a"};
    assert_int_equal(call_multi(&plain, ZK_OP_MULTI, &read, 1, &c), CAUCUS_BADARGUMENTS);
    struct caucus_op write = {.type = CAUCUS_OP_DELETE, .path = "/a"};
    assert_int_equal(call_multi(&plain, ZK_OP_MULTI_READ, &write, 1, &c), CAUCUS_BADARGUMENTS);
    assert_null(c);
}

/* A server closes the connection on a frame that is too long, and with it everything in flight. */
static void a_request_that_servers_refuse_is_not_sent(void **state)
{
    (void)state;
    static char data[0x100000];
    struct call *c = NULL;
    assert_int_equal(call_set(&plain, "/a", data, sizeof(data), -1, &c), CAUCUS_TOOBIG);
    assert_null(c);
    size_t around = 8 + 4 + 2 + 4 + 4; /* header, path, length, version */
    assert_int_equal(call_set(&plain, "/a", data, 0xfffff - around + 1, -1, &c), CAUCUS_TOOBIG);
    assert_int_equal(call_set(&plain, "/a", data, 0xfffff - around, -1, &c), 0);
    assert_int_equal(c->frame.len, 0xfffff + 4);
    call_free(c);
}

static void lists_come_as_they_are(void **state)
{
    (void)state;
    struct buf raw = {0}, body = {0};
    rec_put_slice(&raw, slice_str("one"));
    rec_put_slice(&raw, slice_str(""));
    rec_put_slice(&raw, slice_str("three"));
    struct call *c;
    assert_int_equal(call_read(&plain, ZK_OP_GET_CHILDREN2, "/", NULL, NULL, &c), 0);
    rec_put_get_children2_response(
        &body, &(struct rec_get_children2_response){{3, buf_slice(&raw)}, stat_of(4)});
    struct caucus_result *r = answered(c, &body, "");
    assert_int_equal(r->name_count, 3);
    assert_string_equal(r->names[0], "one");
    assert_string_equal(r->names[1], "");
    assert_string_equal(r->names[2], "three");
    assert_int_equal(r->stat->num_children, 2);
    caucus_result_free(r);
    call_free(c);

    buf_clear(&raw);
    buf_clear(&body);
    rec_put_acl(&raw, &(struct rec_acl){5, {slice_str("digest"), slice_str("u:x")}});
    rec_put_acl(&raw, &(struct rec_acl){31, {slice_str("ip"), slice_str("10.0.0.1")}});
    assert_int_equal(call_path(&plain, ZK_OP_GET_ACL, "/a", &c), 0);
    rec_put_get_acl_response(&body,
                             &(struct rec_get_acl_response){{2, buf_slice(&raw)}, stat_of(4)});
    r = answered(c, &body, "");
    assert_int_equal(r->acl_count, 2);
    assert_int_equal(r->acl[0].perms, 5);
    assert_string_equal(r->acl[1].scheme, "ip");
    assert_string_equal(r->acl[1].id, "10.0.0.1");
    caucus_result_free(r);
    call_free(c);

    buf_clear(&raw);
    buf_clear(&body);
    rec_put_client_info(&raw, &(struct rec_client_info){slice_str("ip"), slice_str("127.0.0.1")});
    assert_int_equal(call_who_am_i(&plain, &c), 0);
    rec_put_who_am_i_response(&body, &(struct rec_who_am_i_response){{1, buf_slice(&raw)}});
    r = answered(c, &body, "");
    assert_int_equal(r->identity_count, 1);
    assert_string_equal(r->identities[0].user, "127.0.0.1");
    caucus_result_free(r);
    call_free(c);

    buf_clear(&body);
    assert_int_equal(call_path(&plain, ZK_OP_GET_ALL_CHILDREN_NUMBER, "/a", &c), 0);
    buf_put_i32(&body, 123);
    r = answered(c, &body, "");
    assert_int_equal(r->number, 123);
    caucus_result_free(r);
    call_free(c);
    buf_deinit(&raw);
    buf_deinit(&body);
}

static void a_null_list_is_empty(void **state)
{
    (void)state;
    struct buf body = {0};
    struct call *c;
    assert_int_equal(call_read(&plain, ZK_OP_GET_CHILDREN, "/", NULL, NULL, &c), 0);
    buf_put_i32(&body, -1);
    struct caucus_result *r = answered(c, &body, "");
    assert_int_equal(r->name_count, 0);
    caucus_result_free(r);
    call_free(c);
    buf_deinit(&body);
}

static void reconfig_tells_absent_lists_from_empty_ones(void **state)
{
    (void)state;
    struct call *c;
    assert_int_equal(call_reconfig(&plain, "server.4=h:1:2;3", NULL, "", -1, &c), 0);
    struct dec d = body_of(c, ZK_OP_RECONFIG);
    struct rec_reconfig_request r;
    assert_true(rec_get_reconfig_request(&d, &r));
    assert_true(slice_eq_str(r.joining_servers, "server.4=h:1:2;3"));
    assert_true(slice_is_null(r.leaving_servers));
    assert_false(slice_is_null(r.new_members));
    assert_int_equal(r.cur_config_id, -1);
    call_free(c);
}

/* ---- Multi ---- */

static const struct caucus_op three_ops[] = {
    {.type = CAUCUS_OP_CHECK, .path = "/a", .version = 3},
    {.type = CAUCUS_OP_CREATE, .path = "/a/b", .data = "x", .data_bytes = 1},
    {.type = CAUCUS_OP_SET, .path = "/a", .data = "y", .data_bytes = 1, .version = -1},
};

static void a_create_in_a_multi_is_one_that_every_server_knows(void **state)
{
    (void)state;
    static const int32_t wanted[] = {ZK_OP_CREATE, ZK_OP_CREATE, ZK_OP_CREATE_CONTAINER,
                                     ZK_OP_CREATE_TTL};
    const struct caucus_op ops[] = {
        {.type = CAUCUS_OP_CREATE, .path = "/a"},
        {.type = CAUCUS_OP_CREATE, .path = "/a", .options.mode = CAUCUS_EPHEMERAL_SEQUENTIAL},
        {.type = CAUCUS_OP_CREATE, .path = "/a", .options.mode = CAUCUS_CONTAINER},
        {.type = CAUCUS_OP_CREATE,
         .path = "/a",
         .options = {.mode = CAUCUS_PERSISTENT_TTL, .ttl_ms = 1}},
    };
    for (size_t i = 0; i < 4; i++) {
        struct call *c;
        struct rec_multi_header h;
        assert_int_equal(call_multi(&plain, ZK_OP_MULTI, &ops[i], 1, &c), 0);
        struct dec d = body_of(c, ZK_OP_MULTI);
        assert_true(rec_get_multi_header(&d, &h));
        assert_int_equal(h.type, wanted[i]);
        call_free(c);
    }
}

static void put_part(struct buf *b, int32_t op, int32_t err)
{
    rec_put_multi_header(b, &(struct rec_multi_header){op, false, err});
}

static void put_done(struct buf *b)
{
    rec_put_multi_header(b, &(struct rec_multi_header){-1, true, -1});
}

static void the_parts_of_a_multi_are_told_apart(void **state)
{
    (void)state;
    struct call *c;
    struct buf body = {0};
    assert_int_equal(call_multi(&plain, ZK_OP_MULTI, three_ops, 3, &c), 0);
    put_part(&body, ZK_OP_CHECK, 0);
    put_part(&body, ZK_OP_CREATE2, 0);
    rec_put_create2_response(&body, &(struct rec_create2_response){slice_str("/a/b"), stat_of(8)});
    put_part(&body, ZK_OP_SET_DATA, 0);
    rec_put_set_data_response(&body, &(struct rec_set_data_response){stat_of(2)});
    put_done(&body);
    struct caucus_result *r = answered(c, &body, "");
    assert_int_equal(r->rc, 0);
    assert_int_equal(r->result_count, 3);
    assert_int_equal(r->results[0].type, CAUCUS_OP_CHECK);
    assert_string_equal(r->results[1].path, "/a/b");
    assert_int_equal(r->results[1].stat->czxid, 8);
    assert_int_equal(r->results[2].stat->version, 3);
    caucus_result_free(r);
    call_free(c);
    buf_deinit(&body);
}

/* The reply's header says 0. */
static void a_failed_multi_has_the_code_of_the_part_that_failed(void **state)
{
    (void)state;
    static const int32_t codes[] = {0, CAUCUS_NODEEXISTS, CAUCUS_RUNTIMEINCONSISTENCY};
    struct call *c;
    struct buf body = {0};
    assert_int_equal(call_multi(&plain, ZK_OP_MULTI, three_ops, 3, &c), 0);
    for (int i = 0; i < 3; i++) {
        put_part(&body, ZK_OP_ERROR, codes[i]);
        buf_put_i32(&body, codes[i]);
    }
    put_done(&body);
    struct caucus_result *r = answered(c, &body, "");
    assert_int_equal(r->rc, CAUCUS_NODEEXISTS);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(r->results[i].rc, codes[i]);
        assert_int_equal(r->results[i].type, three_ops[i].type);
    }
    caucus_result_free(r);
    call_free(c);
    buf_deinit(&body);
}

static void reads_of_a_multi_fail_one_by_one(void **state)
{
    (void)state;
    const struct caucus_op reads[] = {{.type = CAUCUS_OP_GET, .path = "/a"},
                                      {.type = CAUCUS_OP_GET_CHILDREN, .path = "/b"}};
    struct call *c;
    struct buf body = {0};
    assert_int_equal(call_multi(&plain, ZK_OP_MULTI_READ, reads, 2, &c), 0);
    put_part(&body, ZK_OP_GET_DATA, 0);
    rec_put_get_data_response(&body, &(struct rec_get_data_response){slice_str("z"), stat_of(1)});
    put_part(&body, ZK_OP_ERROR, CAUCUS_NONODE);
    buf_put_i32(&body, CAUCUS_NONODE);
    put_done(&body);
    struct caucus_result *r = answered(c, &body, "");
    assert_int_equal(r->rc, 0);
    assert_string_equal((const char *)r->results[0].data, "z");
    assert_int_equal(r->results[1].rc, CAUCUS_NONODE);
    assert_int_equal(r->results[1].type, CAUCUS_OP_GET_CHILDREN);
    caucus_result_free(r);
    call_free(c);
    buf_deinit(&body);
}

static void an_empty_multi_is_one(void **state)
{
    (void)state;
    struct call *c;
    struct buf body = {0};
    assert_int_equal(call_multi(&plain, ZK_OP_MULTI, NULL, 0, &c), 0);
    put_done(&body);
    struct caucus_result *r = answered(c, &body, "");
    assert_int_equal(r->rc, 0);
    assert_int_equal(r->result_count, 0);
    caucus_result_free(r);
    call_free(c);
    buf_deinit(&body);
}

/* ---- Chroot ---- */

static void a_chroot_is_put_before_paths_and_taken_from_answers(void **state)
{
    (void)state;
    struct call_scope s = {slice_str("/app"), 0xfffff};
    struct caucus_create_options sequential = {.mode = CAUCUS_PERSISTENT_SEQUENTIAL};
    struct call *c;
    assert_int_equal(call_read(&s, ZK_OP_EXISTS, "/x", NULL, NULL, &c), 0);
    assert_true(slice_eq_str(c->path, "/app/x"));
    call_free(c);
    assert_int_equal(call_read(&s, ZK_OP_EXISTS, "/", NULL, NULL, &c), 0);
    assert_true(slice_eq_str(c->path, "/app"));
    call_free(c);
    /* "/app" with a number behind it would be a sibling of the chroot. */
    assert_int_equal(call_create(&s, "/", "", 0, &sequential, &c), 0);
    assert_true(slice_eq_str(c->path, "/app/"));
    struct buf body = {0};
    rec_put_create2_response(
        &body, &(struct rec_create2_response){slice_str("/app/0000000001"), stat_of(1)});
    struct caucus_result *r = answered(c, &body, "/app");
    assert_string_equal(r->path, "/0000000001");
    caucus_result_free(r);
    call_free(c);
    assert_int_equal(call_get_config(&s, NULL, NULL, &c), 0);
    assert_true(slice_eq_str(c->path, "/zookeeper/config"));
    call_free(c);

    assert_int_equal(call_ephemerals(&s, "/", &c), 0);
    assert_true(slice_eq_str(c->path, "/app/"));
    buf_clear(&body);
    struct buf raw = {0};
    rec_put_slice(&raw, slice_str("/app/e"));
    rec_put_get_ephemerals_response(&body,
                                    &(struct rec_get_ephemerals_response){{1, buf_slice(&raw)}});
    r = answered(c, &body, "/app");
    assert_string_equal(r->names[0], "/e");
    caucus_result_free(r);
    call_free(c);
    buf_deinit(&raw);
    buf_deinit(&body);

    assert_true(slice_eq_str(chroot_strip(slice_str("/app"), slice_str("/app")), "/"));
    assert_true(slice_eq_str(chroot_strip(slice_str("/app"), slice_str("/apple")), "/apple"));
    assert_true(slice_eq_str(chroot_strip(slice_str("/app"), slice_str("/zookeeper/config")),
                             "/zookeeper/config"));
}

/* ---- Order and loss ---- */

static void answers_come_in_order_and_carry_their_own(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    kit_get(&k, "/a", NULL, "first");
    kit_get(&k, "/b", NULL, "second");
    kit_header(&k, 1, 10, 0);
    kit_put_data(&k, "one");
    kit_send(&k);
    kit_answer(&k, 2, 11, CAUCUS_NONODE);
    kit_hears(&k, "first -> 0 'one'\nsecond -> -101\n");
    kit_stop(&k);
}

static void what_was_asked_before_a_connection_is_sent_with_it(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_get(&k, "/a", NULL, "early");
    csession_connected(k.s, k.now);
    struct buf out = {0};
    struct slice frame;
    kit_written(&k, &out);
    assert_int_equal(kit_count_op(&out, ZK_OP_GET_DATA, &frame), 0);
    kit_greet_as(&k, 1, 9000, false);
    kit_written(&k, &out);
    assert_int_equal(kit_count_op(&out, ZK_OP_GET_DATA, &frame), 1);
    kit_answer(&k, 1, 1, CAUCUS_NONODE);
    kit_hears(&k, "CONNECTED renewed\nearly -> -101\n");
    buf_deinit(&out);
    kit_stop(&k);
}

static void a_lost_connection_answers_everything_in_flight(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    kit_get(&k, "/a", "never set", "first");
    kit_get(&k, "/b", NULL, "second");
    csession_disconnected(k.s, k.now, "reset");
    kit_hears(&k, "SUSPENDED\nfirst -> -4\nsecond -> -4\n");
    kit_connect_as(&k, 0x1234, false);
    struct buf out = {0};
    struct slice frame;
    kit_written(&k, &out);
    assert_int_equal(out.len, 0); /* nothing is asked again, no watch was set */
    assert_int_equal(kit_count_op(&out, ZK_OP_GET_DATA, &frame), 0);
    buf_deinit(&out);
    kit_stop(&k);
}

static void waiting_has_an_end(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_get(&k, "/a", NULL, "one");
    kit_pass(&k, SECOND);
    kit_get(&k, "/b", NULL, "two");
    struct call *auth = NULL;
    int rc = call_auth(&k.scope, "digest", "u:p", 3, &auth);
    kit_submit(&k, rc, auth, "auth");
    kit_pass(&k, 8 * SECOND - 1);
    kit_hears(&k, "");
    kit_pass(&k, 1);
    kit_hears(&k, "one -> -7\n");
    kit_pass(&k, SECOND);
    kit_hears(&k, "two -> -7\nauth -> -7\n");
    kit_stop(&k);
}

/* ---- Identities ---- */

static void identities_are_presented_again_before_anything_else(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    struct call *c = NULL;
    int rc = call_auth(&k.scope, "digest", "u:p", 3, &c);
    kit_submit(&k, rc, c, "early auth");
    kit_get(&k, "/a", NULL, "get");
    csession_connected(k.s, k.now);
    csession_written(k.s, csession_output(k.s).len);
    kit_greet_as(&k, 0x1234, 9000, false);
    struct dec d = dec_of(csession_output(k.s));
    dec_i32(&d);
    assert_int_equal(dec_i32(&d), ZK_XID_AUTH);
    assert_int_equal(dec_i32(&d), ZK_OP_AUTH);
    kit_answer(&k, ZK_XID_AUTH, 0, 0);
    kit_hears(&k, "CONNECTED renewed\nearly auth -> 0\n");
    rc = call_auth(&k.scope, "digest", "v:p", 3, &c);
    kit_submit(&k, rc, c, "late auth");
    csession_disconnected(k.s, k.now, "gone");
    kit_hears(&k, "SUSPENDED\nget -> -4\n"); /* the identity stays, and so does its caller */
    kit_connect_as(&k, 0x1234, false);
    struct buf out = {0};
    struct slice frame;
    kit_written(&k, &out);
    assert_int_equal(kit_count_op(&out, ZK_OP_AUTH, &frame), 2);
    kit_answer(&k, ZK_XID_AUTH, 0, 0);
    kit_hears(&k, "RECONNECTED\n");
    kit_answer(&k, ZK_XID_AUTH, 0, 0);
    kit_hears(&k, "late auth -> 0\n");
    buf_deinit(&out);
    kit_stop(&k);
}

static void a_refused_identity_is_final(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    struct call *c = NULL;
    int rc = call_auth(&k.scope, "nonsense", "", 0, &c);
    kit_submit(&k, rc, c, "auth");
    kit_get(&k, "/a", NULL, "get");
    kit_answer(&k, ZK_XID_AUTH, 0, CAUCUS_AUTHFAILED);
    kit_hears(&k, "auth -> -115\nAUTH_FAILED\nget -> -115\n");
    assert_false(csession_link(k.s).wanted);
    kit_get(&k, "/a", NULL, "late");
    kit_hears(&k, "late -> -115\n");
    csession_close(k.s, k.now);
    kit_hears(&k, "CLOSED\n");
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_has_an_operation_for_each_kind_of_node),
        cmocka_unit_test(null_data_stays_null),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(a_request_that_servers_refuse_is_not_sent),
        cmocka_unit_test(lists_come_as_they_are),
        cmocka_unit_test(a_null_list_is_empty),
        cmocka_unit_test(reconfig_tells_absent_lists_from_empty_ones),
        cmocka_unit_test(a_create_in_a_multi_is_one_that_every_server_knows),
        cmocka_unit_test(the_parts_of_a_multi_are_told_apart),
        cmocka_unit_test(a_failed_multi_has_the_code_of_the_part_that_failed),
        cmocka_unit_test(reads_of_a_multi_fail_one_by_one),
        cmocka_unit_test(an_empty_multi_is_one),
        cmocka_unit_test(a_chroot_is_put_before_paths_and_taken_from_answers),
        cmocka_unit_test(answers_come_in_order_and_carry_their_own),
        cmocka_unit_test(what_was_asked_before_a_connection_is_sent_with_it),
        cmocka_unit_test(a_lost_connection_answers_everything_in_flight),
        cmocka_unit_test(waiting_has_an_end),
        cmocka_unit_test(identities_are_presented_again_before_anything_else),
        cmocka_unit_test(a_refused_identity_is_final),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
