/* links: tree */
/* A multi: all parts under one zxid, or none and no trace of them. */
#include "prep_kit.h"

static int kit_setup(void **state)
{
    *state = kit_open(&KIT_DEFAULTS);
    return 0;
}

static int kit_teardown(void **state)
{
    kit_close(*state);
    return 0;
}

/* The types and errors of the parts of the last txn, err 0 for a part that is none. */
struct expected_part {
    int32_t type, err;
};

static void assert_parts(const struct kit *k, const struct expected_part *expected, int32_t count)
{
    struct dec d = dec_of(kit_last_body(k));
    assert_int_equal(dec_i32(&d), count);
    for (int32_t i = 0; i < count; i++) {
        struct rec_txn part = {0};
        assert_true(rec_get_txn(&d, &part));
        assert_int_equal(part.type, expected[i].type);
        if (part.type == ZK_OP_ERROR) {
            assert_int_equal(part.data.len, 4);
            assert_int_equal((int32_t)load_be32(part.data.ptr), expected[i].err);
        }
    }
    assert_int_equal(dec_left(&d), 0);
}

/* What the client will hear, once applied: the errors of the parts. */
static void assert_answers(struct kit *k, const int32_t *errs, size_t count)
{
    kit_commit_all(k);
    assert_int_equal(k->fx.result.type, ZK_OP_MULTI);
    assert_int_equal(k->fx.sub_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(k->fx.subs[i].err, errs[i]);
}

static void parts_see_what_the_earlier_ones_did(void **state)
{
    struct kit *k = *state;
    kit_multi_begin(k);
    kit_part_create(k, ZK_OP_CREATE, "/a", 0);
    kit_part_create(k, ZK_OP_CREATE2, "/a/b", 0);
    kit_part_set(k, "/a/b", "new", 0);
    kit_part_check(k, "/a/b", 1);
    kit_part_create(k, ZK_OP_CREATE, "/a/s-", ZK_CREATE_PERSISTENT_SEQUENTIAL);
    kit_part_create(k, ZK_OP_CREATE, "/a/c", ZK_CREATE_CONTAINER);
    kit_part_delete(k, "/a/b", 1);
    kit_part_create(k, ZK_OP_CREATE, "/a/b", 1);
    assert_int_equal(kit_multi_end(k), 0);
    static const struct expected_part parts[] = {
        {ZK_OP_CREATE, 0}, {ZK_OP_CREATE2, 0},          {ZK_OP_SET_DATA, 0}, {ZK_OP_CHECK, 0},
        {ZK_OP_CREATE, 0}, {ZK_OP_CREATE_CONTAINER, 0}, {ZK_OP_DELETE, 0},   {ZK_OP_CREATE, 0}};
    assert_parts(k, parts, 8);
    assert_int_equal(k->last.hdr.type, ZK_OP_MULTI);
    kit_commit_all(k);
    assert_non_null(kit_node(k, "/a/s-0000000001"));
    assert_int_equal(kit_node(k, "/a/b")->ephemeral_owner, KIT_SESSION);
    assert_int_equal(kit_node(k, "/a/c")->ephemeral_owner, ZK_CONTAINER_OWNER);
    assert_int_equal(kit_node(k, "/a")->child_count, 3);
}

static void an_empty_multi_is_a_txn_without_parts(void **state)
{
    struct kit *k = *state;
    kit_multi_begin(k);
    assert_int_equal(kit_multi_end(k), 0);
    assert_parts(k, NULL, 0);
    kit_commit_all(k);
}

static void a_failed_part_fails_the_later_and_undoes_the_earlier(void **state)
{
    struct kit *k = *state;
    assert_int_equal(kit_create(k, "/z", "d", 0), 0);
    size_t outstanding = prep_outstanding(k->prep);
    int64_t digest = k->last.digest.tree_digest;

    kit_multi_begin(k);
    kit_part_create(k, ZK_OP_CREATE, "/a", 0);
    kit_part_set(k, "/z", "changed", 0);
    kit_part_delete(k, "/nope", -1);
    kit_part_create(k, ZK_OP_CREATE, "/b", 0);
    kit_part_delete(k, "/nope", -1);
    assert_int_equal(kit_multi_end(k), ZK_NONODE);
    static const struct expected_part parts[] = {{ZK_OP_CREATE, 0},
                                                 {ZK_OP_SET_DATA, 0},
                                                 {ZK_OP_ERROR, ZK_NONODE},
                                                 {ZK_OP_ERROR, ZK_RUNTIMEINCONSISTENCY},
                                                 {ZK_OP_ERROR, ZK_RUNTIMEINCONSISTENCY}};
    assert_parts(k, parts, 5);
    assert_int_equal(k->last.hdr.type, ZK_OP_MULTI);
    assert_int_equal(k->last.digest.version, 2);
    assert_int_equal(k->last.digest.tree_digest, digest);
    assert_int_equal(prep_outstanding(k->prep), outstanding);

    assert_int_equal(kit_set_data(k, "/a", "d", -1), ZK_NONODE);
    assert_int_equal(kit_set_data(k, "/z", "d", 1), ZK_BADVERSION);
    k->proposed -= 2; /* the multi is what is looked at last */
    static const int32_t errs[] = {0, 0, ZK_NONODE, ZK_RUNTIMEINCONSISTENCY,
                                   ZK_RUNTIMEINCONSISTENCY};
    assert_answers(k, errs, 5);
    assert_null(kit_node(k, "/a"));
    assert_int_equal(kit_node(k, "/z")->version, 0);
}

/* ZOOKEEPER-1624: the rollback has to restore the parent's outstanding state, which the sequence
 * numbers are made of, not only that of the paths named in the request. */
static void a_failed_multi_leaves_the_outstanding_sequence_as_it_was(void **state)
{
    struct kit *k = *state;
    assert_int_equal(kit_create(k, "/q", "", 0), 0);
    assert_int_equal(kit_create(k, "/q/s-", "", ZK_CREATE_PERSISTENT_SEQUENTIAL), 0);
    for (int i = 0; i < 3; i++) {
        kit_multi_begin(k);
        kit_part_create(k, ZK_OP_CREATE, "/q/s-", ZK_CREATE_PERSISTENT_SEQUENTIAL);
        kit_part_create(k, ZK_OP_CREATE, "/q/s-", ZK_CREATE_EPHEMERAL_SEQUENTIAL);
        kit_part_check(k, "/q", 7);
        assert_int_equal(kit_multi_end(k), ZK_BADVERSION);
    }
    assert_int_equal(kit_create(k, "/q/s-", "", ZK_CREATE_PERSISTENT_SEQUENTIAL), 0);
    assert_int_equal(kit_close_session(k, KIT_SESSION), 0);
    assert_int_equal(k->last.txn_len, 4); /* no ephemeral of the failed multis is left to close */
    kit_commit_all(k);
    assert_non_null(kit_node(k, "/q/s-0000000000"));
    assert_non_null(kit_node(k, "/q/s-0000000001"));
    assert_int_equal(kit_node(k, "/q")->child_count, 2);
}

/* A rollback restores states of earlier proposals, whether those are committed before or after it.
 */
static void a_rollback_restores_states_in_every_stage(void **state)
{
    struct kit *k = *state;
    assert_int_equal(kit_create(k, "/n", "0", 0), 0);
    assert_int_equal(kit_set_data(k, "/n", "1", 0), 0);
    assert_int_equal(kit_create(k, "/gone", "", 0), 0);
    assert_int_equal(kit_delete(k, "/gone", -1), 0);
    kit_commit_one(k);

    kit_multi_begin(k);
    kit_part_set(k, "/n", "2", 1);
    kit_part_set(k, "/n", "3", 2);
    kit_part_delete(k, "/n", 3);
    kit_part_create(k, ZK_OP_CREATE, "/n", 0);
    kit_part_create(k, ZK_OP_CREATE, "/gone", 0);
    kit_part_delete(k, "/gone", 5);
    assert_int_equal(kit_multi_end(k), ZK_BADVERSION);

    assert_int_equal(kit_delete(k, "/gone", -1), ZK_NONODE);
    assert_int_equal(kit_set_data(k, "/n", "2", 1), 0);
    kit_commit_one(k);
    kit_commit_one(k);
    assert_int_equal(kit_set_data(k, "/n", "3", 2), 0);
    kit_commit_all(k);
    assert_int_equal(kit_node(k, "/n")->version, 3);
    assert_null(kit_node(k, "/gone"));
}

static void each_part_checks_the_session(void **state)
{
    struct kit *k = *state;
    k->session_err = ZK_SESSIONMOVED;
    kit_multi_begin(k);
    kit_part_check(k, "/", -1);
    kit_part_create(k, ZK_OP_CREATE, "/a", 0);
    assert_int_equal(kit_multi_end(k), ZK_SESSIONMOVED);
    static const int32_t errs[] = {ZK_SESSIONMOVED, ZK_RUNTIMEINCONSISTENCY};
    assert_answers(k, errs, 2);
}

static void check_reports_the_first_failing_check(void **state)
{
    struct kit *k = *state;
    static const struct kit_acl write_only = {ZK_PERM_WRITE, "world", "anyone"};
    assert_int_equal(kit_create_acl(k, ZK_OP_CREATE, "/w", "", write_only, 0), 0);
    static const struct {
        const char *path;
        int32_t version, err;
    } rows[] = {{"/w/", 3, ZK_BADARGUMENTS}, {"/x", 3, ZK_NONODE}, {"/w", 3, ZK_NOAUTH},
                {"/", 3, ZK_BADVERSION},     {"/", 0, 0},          {"/", -1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        kit_multi_begin(k);
        kit_part_check(k, rows[i].path, rows[i].version);
        assert_int_equal(kit_multi_end(k), rows[i].err);
    }
    kit_commit_all(k);
}

/* ---- what is no multi ---- */

static void assert_no_multi(struct kit *k)
{
    size_t outstanding = prep_outstanding(k->prep);
    assert_int_equal(kit_multi_end(k), ZK_MARSHALLINGERROR);
    assert_int_equal(k->last.outcome, PREP_TXN);
    assert_int_equal(k->last.hdr.type, ZK_OP_ERROR);
    assert_int_equal(k->last.hdr.zxid, k->zxid);
    assert_int_equal(prep_outstanding(k->prep), outstanding);
}

static void an_operation_that_does_not_belong_makes_it_an_error_txn(void **state)
{
    struct kit *k = *state;
    static const int32_t ops[] = {ZK_OP_GET_DATA,
                                  ZK_OP_GET_CHILDREN,
                                  ZK_OP_SET_ACL,
                                  ZK_OP_MULTI,
                                  ZK_OP_EXISTS,
                                  ZK_OP_DELETE_CONTAINER,
                                  ZK_OP_ERROR,
                                  ZK_OP_RECONFIG,
                                  ZK_OP_CLOSE_SESSION,
                                  ZK_OP_MULTI_READ,
                                  0,
                                  12345};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        kit_multi_begin(k);
        kit_part_create(k, ZK_OP_CREATE, "/a", 0);
        kit_part_header(k, ops[i]);
        rec_put_delete_request(&k->record, &(struct rec_delete_request){slice_str("/a"), -1});
        assert_no_multi(k);
    }
    kit_commit_all(k);
    assert_null(kit_node(k, "/a"));
}

/* The same flags in a request of its own are answered BADARGUMENTS. */
static void create_parts_with_flags_that_cannot_be_make_it_an_error_txn(void **state)
{
    struct kit *k = *state;
    static const int32_t flags[] = {-1, 5, 6, 7, INT32_MAX};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        kit_multi_begin(k);
        kit_part_create(k, ZK_OP_CREATE, "/a", flags[i]);
        assert_no_multi(k);
    }
    kit_multi_begin(k);
    kit_part_delete(k, NULL, -1);
    assert_no_multi(k);
    kit_commit_all(k);
}

static void part_with_a_null_acl(struct kit *k, const char *path, int32_t flags)
{
    kit_part_header(k, ZK_OP_CREATE);
    rec_put_slice(&k->record, path ? slice_str(path) : (struct slice){0});
    rec_put_slice(&k->record, slice_str(""));
    buf_put_i32(&k->record, -1);
    buf_put_i32(&k->record, flags);
}

/* Whatever stands around it, unless what comes before it is no multi already. */
static void a_null_acl_makes_no_txn(void **state)
{
    struct kit *k = *state;
    kit_multi_begin(k);
    kit_part_delete(k, NULL, -1);
    part_with_a_null_acl(k, NULL, ZK_CREATE_TTL);
    kit_part_header(k, ZK_OP_EXISTS);
    int64_t zxid = k->zxid;
    assert_int_equal(kit_multi_end(k), ZK_MARSHALLINGERROR);
    assert_int_equal(k->last.outcome, PREP_NO_TXN);
    assert_int_equal(k->zxid, zxid);

    kit_multi_begin(k);
    kit_part_header(k, ZK_OP_GET_CHILDREN);
    rec_put_get_children_request(&k->record, &(struct rec_get_children_request){slice_str("/"), 0});
    part_with_a_null_acl(k, "/a", 0);
    assert_int_equal(kit_multi_end(k), ZK_MARSHALLINGERROR);
    assert_int_equal(k->last.outcome, PREP_NO_TXN);

    kit_multi_begin(k);
    part_with_a_null_acl(k, "/a", ZK_CREATE_TTL_SEQUENTIAL + 1);
    assert_no_multi(k);

    kit_multi_begin(k);
    kit_part_delete(k, "/a", -1);
    kit_part_header(k, ZK_OP_GET_DATA);
    rec_put_get_data_request(&k->record, &(struct rec_get_data_request){slice_str("/a"), 0});
    part_with_a_null_acl(k, "/a", 0);
    assert_no_multi(k);
    kit_commit_all(k);
}

static void a_part_with_a_null_acl_id_fails_the_whole_request(void **state)
{
    struct kit *k = *state;
    kit_multi_begin(k);
    kit_part_create(k, ZK_OP_CREATE, "/a", 0);
    kit_part_header(k, ZK_OP_CREATE);
    rec_put_slice(&k->record, slice_str("/b"));
    rec_put_slice(&k->record, slice_str(""));
    buf_put_i32(&k->record, 1);
    rec_put_acl(&k->record, &(struct rec_acl){.perms = 31, .id.scheme = slice_str("world")});
    buf_put_i32(&k->record, 0);
    assert_no_multi(k);
    assert_int_equal(kit_create(k, "/a", "", 0), 0); /* nothing of the first part is left */
    kit_commit_all(k);
}

static void put_ttl_part(struct kit *k, const char *path, int32_t flags, int64_t ttl_ms)
{
    kit_part_create(k, ZK_OP_CREATE_TTL, path, flags);
    buf_put_i64(&k->record, ttl_ms);
}

static void create_ttl_parts_are_what_their_flags_say(void **state)
{
    struct kit *k = *state;
    kit_multi_begin(k);
    put_ttl_part(k, "/ttl", ZK_CREATE_TTL, 1000);
    put_ttl_part(k, "/plain", ZK_CREATE_PERSISTENT, 1000);
    put_ttl_part(k, "/eph", ZK_CREATE_EPHEMERAL, -1);
    put_ttl_part(k, "/container", ZK_CREATE_CONTAINER, 0);
    assert_int_equal(kit_multi_end(k), 0);
    static const struct expected_part parts[] = {
        {ZK_OP_CREATE_TTL, 0}, {ZK_OP_CREATE, 0}, {ZK_OP_CREATE, 0}, {ZK_OP_CREATE_CONTAINER, 0}};
    assert_parts(k, parts, 4);
    kit_commit_all(k);
    assert_int_equal(kit_node(k, "/ttl")->ephemeral_owner, 0xff000000000003e8);
    assert_int_equal(kit_node(k, "/plain")->ephemeral_owner, 0);
    assert_int_equal(kit_node(k, "/eph")->ephemeral_owner, KIT_SESSION);

    kit_multi_begin(k);
    put_ttl_part(k, "/bad", 9, 1000);
    assert_int_equal(kit_multi_end(k), ZK_BADARGUMENTS);
    assert_int_equal(k->last.hdr.type, ZK_OP_MULTI);
    kit_multi_begin(k);
    put_ttl_part(k, "/bad", ZK_CREATE_TTL, 0);
    assert_int_equal(kit_multi_end(k), ZK_BADARGUMENTS);
    kit_commit_all(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
        CLAIM(parts_see_what_the_earlier_ones_did),
        CLAIM(an_empty_multi_is_a_txn_without_parts),
        CLAIM(a_failed_part_fails_the_later_and_undoes_the_earlier),
        CLAIM(a_failed_multi_leaves_the_outstanding_sequence_as_it_was),
        CLAIM(a_rollback_restores_states_in_every_stage),
        CLAIM(each_part_checks_the_session),
        CLAIM(check_reports_the_first_failing_check),
        CLAIM(an_operation_that_does_not_belong_makes_it_an_error_txn),
        CLAIM(create_parts_with_flags_that_cannot_be_make_it_an_error_txn),
        CLAIM(a_null_acl_makes_no_txn),
        CLAIM(a_part_with_a_null_acl_id_fails_the_whole_request),
        CLAIM(create_ttl_parts_are_what_their_flags_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
