/* links: tree */
/* What becomes of one write request: the checks in ZooKeeper's order, and the bytes of the txn. */
#include "prep_kit.h"

static const struct identity ALICE[] = {
    {{(const uint8_t *)"digest", 6}, {(const uint8_t *)"alice:x", 7}}};
static const struct kit_acl ALICES = {ZK_PERM_ALL, "digest", "alice:x"};
static const struct kit_acl READ_ONLY = {ZK_PERM_READ, "world", "anyone"};
static const struct kit_acl NO_ACL = {0, NULL, NULL};

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

/* The last request was refused: an error txn under a zxid of its own. */
static void assert_error_txn(const struct kit *k, int32_t err)
{
    assert_int_equal(k->last.outcome, PREP_TXN);
    assert_int_equal(k->last.err, err);
    assert_int_equal(k->last.hdr.type, ZK_OP_ERROR);
    assert_int_equal(k->last.hdr.zxid, k->zxid);
    assert_int_equal(k->last.txn_len, 4);
    assert_int_equal(k->last.digest.version, 0);
    assert_int_equal((int32_t)load_be32(kit_last_body(k).ptr), err);
}

#define REFUSED(err, request)                                                                      \
    do {                                                                                           \
        int64_t zxid_before = k->zxid;                                                             \
        size_t outstanding_before = prep_outstanding(k->prep);                                     \
        assert_int_equal(request, err);                                                            \
        assert_error_txn(k, err);                                                                  \
        assert_int_equal(k->zxid, zxid_before + 1);                                                \
        assert_int_equal(prep_outstanding(k->prep), outstanding_before);                           \
    } while (0)

#define ACCEPTED(request)                                                                          \
    do {                                                                                           \
        assert_int_equal(request, 0);                                                              \
        assert_int_equal(k->last.outcome, PREP_TXN);                                               \
    } while (0)

/* Txns as another leader may have made them, for states that are far away from a fresh tree. */
static void foreign_apply(struct kit *k, int32_t type, struct buf *txn)
{
    struct rec_txn_header hdr = {.zxid = ++k->zxid, .type = type};
    assert_int_equal(tree_apply(k->tree, &hdr, buf_slice(txn), NULL, &k->fx), 0);
    assert_int_equal(k->fx.result.err, 0);
    buf_deinit(txn);
}

static void foreign_set_version(struct kit *k, const char *path, int32_t version)
{
    struct buf txn = {0};
    struct rec_set_data_txn set = {.path = slice_str(path), .version = version};
    rec_put_set_data_txn(&txn, &set);
    foreign_apply(k, ZK_OP_SET_DATA, &txn);
}

static void foreign_create(struct kit *k, const char *path, int32_t parent_cversion)
{
    struct buf acl = {0}, txn = {0};
    kit_put_acl(&acl, &KIT_OPEN, 1);
    struct rec_create_txn create = {.path = slice_str(path),
                                    .acl = {1, slice_from(buf_slice(&acl), 4)},
                                    .parent_cversion = parent_cversion};
    rec_put_create_txn(&txn, &create);
    buf_deinit(&acl);
    foreign_apply(k, ZK_OP_CREATE, &txn);
}

/* ---- create ---- */

static void create_reports_the_first_failing_check(void **state)
{
    struct kit *k = *state;
    k->session_err = ZK_SESSIONEXPIRED;
    k->global_session_err = ZK_EPHEMERALONLOCALSESSION;

    /* Each request fails in more than one way; each line mends the failure of the line before. */
    REFUSED(ZK_BADARGUMENTS, kit_create_acl(k, ZK_OP_CREATE, "nope", "d", NO_ACL, 7));
    REFUSED(ZK_BADARGUMENTS, kit_create_acl(k, ZK_OP_CREATE, "nope", "d", NO_ACL, -1));
    REFUSED(ZK_SESSIONEXPIRED, kit_create_acl(k, ZK_OP_CREATE, "nope", "d", NO_ACL, 0));
    REFUSED(ZK_EPHEMERALONLOCALSESSION, kit_create_acl(k, ZK_OP_CREATE, "nope", "d", NO_ACL, 1));
    k->global_session_err = 0;
    REFUSED(ZK_SESSIONEXPIRED, kit_create_acl(k, ZK_OP_CREATE, "nope", "d", NO_ACL, 1));
    k->session_err = 0;
    REFUSED(ZK_MARSHALLINGERROR, kit_create_acl(k, ZK_OP_CREATE, NULL, "d", NO_ACL, 0));
    REFUSED(ZK_BADARGUMENTS, kit_create_acl(k, ZK_OP_CREATE, "nope", "d", NO_ACL, 0));
    REFUSED(ZK_BADARGUMENTS, kit_create_acl(k, ZK_OP_CREATE, "", "d", NO_ACL, 0));
    REFUSED(ZK_INVALIDACL, kit_create_acl(k, ZK_OP_CREATE, "/p/.", "d", NO_ACL, 0));
    REFUSED(ZK_NONODE, kit_create_acl(k, ZK_OP_CREATE, "/p/.", "d", KIT_OPEN, 0));
    ACCEPTED(kit_create_acl(k, ZK_OP_CREATE, "/p", "d", ALICES, 0));
    REFUSED(ZK_NOAUTH, kit_create_acl(k, ZK_OP_CREATE, "/p/.", "d", KIT_OPEN, 0));
    k->who = (struct identities){ALICE, 1};
    REFUSED(ZK_BADARGUMENTS, kit_create_acl(k, ZK_OP_CREATE, "/p/.", "d", KIT_OPEN, 0));
    ACCEPTED(kit_create_acl(k, ZK_OP_CREATE, "/p/e", "d", KIT_OPEN, 1));
    REFUSED(ZK_NODEEXISTS, kit_create_acl(k, ZK_OP_CREATE, "/p/e", "d", KIT_OPEN, 0));
    REFUSED(ZK_NOCHILDRENFOREPHEMERALS,
            kit_create_acl(k, ZK_OP_CREATE, "/p/e/x", "d", KIT_OPEN, 0));
    kit_commit_all(k);
    REFUSED(ZK_NODEEXISTS, kit_create_acl(k, ZK_OP_CREATE, "/p/e", "d", KIT_OPEN, 0));
    REFUSED(ZK_NOCHILDRENFOREPHEMERALS,
            kit_create_acl(k, ZK_OP_CREATE, "/p/e/x", "d", KIT_OPEN, 0));
    kit_commit_all(k);
}

static void a_ttl_needs_a_ttl_mode_and_a_range(void **state)
{
    struct kit *k = *state;
    REFUSED(ZK_BADARGUMENTS, kit_create_ttl(k, "/t", ZK_CREATE_TTL, 0));
    REFUSED(ZK_BADARGUMENTS, kit_create_ttl(k, "/t", ZK_CREATE_TTL, -1));
    REFUSED(ZK_BADARGUMENTS, kit_create_ttl(k, "/t", ZK_CREATE_TTL, 0x10000000000));
    REFUSED(ZK_BADARGUMENTS, kit_create_ttl(k, "/t", ZK_CREATE_PERSISTENT, 5));
    REFUSED(ZK_BADARGUMENTS, kit_create_ttl(k, "/t", ZK_CREATE_PERSISTENT, -1));
    REFUSED(ZK_BADARGUMENTS, kit_create(k, "/t", "d", ZK_CREATE_TTL));
    ACCEPTED(kit_create_ttl(k, "/t", ZK_CREATE_TTL, 0xffffffffff));
    ACCEPTED(kit_create_ttl(k, "/s", ZK_CREATE_TTL_SEQUENTIAL, 1));
    kit_commit_all(k);
    assert_int_equal(kit_node(k, "/t")->ephemeral_owner, 0xff0000ffffffffff);
    assert_int_equal(kit_node(k, "/s0000000001")->ephemeral_owner, 0xff00000000000001);
}

static void a_ttl_is_unimplemented_unless_enabled(void **state)
{
    (void)state;
    struct kit_options options = KIT_DEFAULTS;
    options.extended_types = false;
    struct kit *k = kit_open(&options);
    k->session_err = ZK_SESSIONEXPIRED;
    REFUSED(ZK_UNIMPLEMENTED, kit_create_ttl(k, NULL, ZK_CREATE_TTL, 0));
    REFUSED(ZK_UNIMPLEMENTED, kit_create(k, "/t", "d", ZK_CREATE_TTL));
    kit_close(k);
}

static void the_opcode_decides_what_kind_of_node_is_made(void **state)
{
    struct kit *k = *state;
    ACCEPTED(kit_create_acl(k, ZK_OP_CREATE_CONTAINER, "/c4", "d", KIT_OPEN, 4));
    ACCEPTED(kit_create_acl(k, ZK_OP_CREATE_CONTAINER, "/c0", "d", KIT_OPEN, 0));
    ACCEPTED(kit_create_acl(k, ZK_OP_CREATE, "/p4", "d", KIT_OPEN, 4));
    ACCEPTED(kit_create_acl(k, ZK_OP_CREATE2, "/e", "d", KIT_OPEN, 1));
    kit_commit_all(k); /* checks that the projection was right, by the digests */
    assert_int_equal(kit_node(k, "/c4")->ephemeral_owner, ZK_CONTAINER_OWNER);
    assert_int_equal(kit_node(k, "/c0")->ephemeral_owner, ZK_CONTAINER_OWNER);
    assert_int_equal(kit_node(k, "/p4")->ephemeral_owner, 0);
    assert_int_equal(kit_node(k, "/e")->ephemeral_owner, KIT_SESSION);
}

static void a_sequence_number_is_the_projected_cversion_of_the_parent(void **state)
{
    struct kit *k = *state;
    ACCEPTED(kit_create(k, "/q", NULL, 0));
    ACCEPTED(kit_create(k, "/q/a-", NULL, ZK_CREATE_PERSISTENT_SEQUENTIAL));
    ACCEPTED(kit_create(k, "/q/plain", NULL, 0));
    ACCEPTED(kit_delete(k, "/q/a-0000000000", -1));
    ACCEPTED(
        kit_create(k, "/q/", NULL, ZK_CREATE_EPHEMERAL_SEQUENTIAL)); /* an empty prefix is one */
    kit_commit_all(k);
    assert_non_null(kit_node(k, "/q/0000000002"));
    assert_null(kit_node(k, "/q/a-0000000000"));
    ACCEPTED(kit_create(k, "/", NULL, ZK_CREATE_PERSISTENT_SEQUENTIAL));
    kit_commit_all(k);
    assert_non_null(kit_node(k, "/0000000001"));
}

/* The tree never counts past 2147483647 (DataTree.createNode), so it is where a parent stays. */
static void a_sequence_number_can_be_negative_and_stops_at_the_largest(void **state)
{
    struct kit *k = *state;
    ACCEPTED(kit_create(k, "/q", NULL, 0));
    kit_commit_all(k);

    foreign_create(k, "/q/x", INT32_MAX);
    ACCEPTED(kit_create(k, "/q/s", NULL, ZK_CREATE_PERSISTENT_SEQUENTIAL));
    REFUSED(ZK_NODEEXISTS, kit_create(k, "/q/s", NULL, ZK_CREATE_PERSISTENT_SEQUENTIAL));
    kit_commit_all(k);
    assert_int_equal(kit_node(k, "/q")->cversion, INT32_MAX);
    assert_non_null(kit_node(k, "/q/s2147483647"));
    REFUSED(ZK_NODEEXISTS, kit_create(k, "/q/s", NULL, ZK_CREATE_PERSISTENT_SEQUENTIAL));

    tree_find(k->tree, slice_str("/q"))->cversion = -5; /* as an odd snapshot may have it */
    ACCEPTED(kit_create(k, "/q/s", NULL, ZK_CREATE_PERSISTENT_SEQUENTIAL));
    struct dec d = dec_of(kit_last_body(k));
    assert_true(slice_eq_str(dec_ustring(&d), "/q/s-000000005"));
}

static void root_has_one_state_under_both_its_names(void **state)
{
    struct kit *k = *state;
    ACCEPTED(kit_create(k, "/a", "1", 0));
    ACCEPTED(kit_set_data(k, "/", "root", 0));
    ACCEPTED(kit_create(k, "/b", "1", 0));
    ACCEPTED(kit_set_acl(k, "/", READ_ONLY, 0));
    REFUSED(ZK_NOAUTH, kit_create(k, "/c", "1", 0));
    REFUSED(ZK_NOAUTH, kit_set_data(k, "/", "again", -1));
    kit_commit_all(k);
}

/* ---- delete ---- */

static void delete_reports_the_first_failing_check(void **state)
{
    struct kit *k = *state;
    k->session_err = ZK_SESSIONMOVED;
    REFUSED(ZK_SESSIONMOVED, kit_delete(k, NULL, 3));
    k->session_err = 0;
    REFUSED(ZK_MARSHALLINGERROR, kit_delete(k, NULL, 3));
    REFUSED(ZK_BADARGUMENTS, kit_delete(k, "p", 3));
    REFUSED(ZK_BADARGUMENTS, kit_delete(k, "/", 3));
    REFUSED(ZK_BADARGUMENTS, kit_delete(k, "/zookeeper", 3));
    REFUSED(ZK_BADARGUMENTS, kit_delete(k, "/zookeeper/quota", 3));
    REFUSED(ZK_BADARGUMENTS, kit_delete(k, "/zookeeper/config", 3));
    REFUSED(ZK_NONODE, kit_delete(k, "/p/x", 3));
    ACCEPTED(kit_create_acl(k, ZK_OP_CREATE, "/p", "d", ALICES, 0));
    REFUSED(ZK_NOAUTH, kit_delete(k, "/p/x", 3));
    k->who = (struct identities){ALICE, 1};
    REFUSED(ZK_NONODE, kit_delete(k, "/p/x", 3));
    REFUSED(ZK_NONODE, kit_delete(k, "/p/", 3));
    REFUSED(ZK_NONODE, kit_delete(k, "//", 3));
    ACCEPTED(kit_create(k, "/p/x", "d", 0));
    ACCEPTED(kit_create(k, "/p/x/y", "d", 0));
    REFUSED(ZK_BADVERSION, kit_delete(k, "/p/x", 3));
    REFUSED(ZK_NOTEMPTY, kit_delete(k, "/p/x", 0));
    kit_commit_all(k);
    REFUSED(ZK_NOTEMPTY, kit_delete(k, "/p/x", -1));
    ACCEPTED(kit_delete(k, "/p/x/y", 0));
    ACCEPTED(kit_delete(k, "/p/x", 0));
    REFUSED(ZK_NONODE, kit_delete(k, "/p/x", 0));
    REFUSED(ZK_NONODE, kit_set_data(k, "/p/x", "d", -1));
    REFUSED(ZK_NONODE, kit_create(k, "/p/x/y", "d", 0));
    kit_commit_all(k);
}

static void the_reaper_asks_neither_session_nor_permission(void **state)
{
    struct kit *k = *state;
    ACCEPTED(kit_create_acl(k, ZK_OP_CREATE_CONTAINER, "/c", "d", READ_ONLY, 4));
    ACCEPTED(kit_create(k, "/c2", "d", 0));
    ACCEPTED(kit_create(k, "/c2/x", "d", 0));
    ACCEPTED(kit_create(k, "/e", "d", 1));
    ACCEPTED(kit_set_acl(k, "/", READ_ONLY, -1));
    k->session_id = 0;
    k->session_err = ZK_SESSIONEXPIRED;
    REFUSED(ZK_BADARGUMENTS, kit_delete_container(k, "/zookeeper"));
    REFUSED(ZK_BADARGUMENTS, kit_delete_container(k, ""));
    REFUSED(ZK_NONODE, kit_delete_container(k, "/nope/x"));
    REFUSED(ZK_NOTEMPTY, kit_delete_container(k, "/c2"));
    REFUSED(ZK_BADVERSION, kit_delete_container(k, "/e"));
    ACCEPTED(kit_delete_container(k, "/c"));
    assert_int_equal(k->last.hdr.type, ZK_OP_DELETE_CONTAINER);
    REFUSED(ZK_NONODE, kit_delete_container(k, "/c"));
    kit_commit_all(k);
    assert_null(kit_node(k, "/c"));
}

/* ---- set ---- */

static void set_data_reports_the_first_failing_check(void **state)
{
    struct kit *k = *state;
    k->session_err = ZK_SESSIONEXPIRED;
    REFUSED(ZK_SESSIONEXPIRED, kit_set_data(k, "/p/", "d", 3));
    k->session_err = 0;
    REFUSED(ZK_BADARGUMENTS, kit_set_data(k, "/p/", "d", 3));
    REFUSED(ZK_BADARGUMENTS, kit_set_data(k, NULL, "d", 3));
    REFUSED(ZK_NONODE, kit_set_data(k, "/p", "d", 3));
    ACCEPTED(kit_create_acl(k, ZK_OP_CREATE, "/p", "d", ALICES, 0));
    REFUSED(ZK_NOAUTH, kit_set_data(k, "/p", "d", 3));
    k->who = (struct identities){ALICE, 1};
    REFUSED(ZK_BADVERSION, kit_set_data(k, "/p", "d", 3));
    ACCEPTED(kit_set_data(k, "/p", NULL, 0));
    ACCEPTED(kit_set_data(k, "/p", "", 1));
    REFUSED(ZK_BADVERSION, kit_set_data(k, "/p", "d", 1));
    ACCEPTED(kit_set_data(k, "/p", "d", -1));
    kit_commit_all(k);
    assert_int_equal(kit_node(k, "/p")->version, 3);
}

static void digest_ids_are_refused_where_digest_is_switched_off(void **state)
{
    (void)state;
    struct kit_options options = KIT_DEFAULTS;
    options.prep.no_digest_auth = true;
    struct kit *k = kit_open(&options);
    assert_int_equal(kit_create_acl(k, ZK_OP_CREATE, "/n", "", ALICES, 0), ZK_INVALIDACL);
    assert_int_equal(kit_create(k, "/n", "", 0), 0);
    assert_int_equal(kit_set_acl(k, "/n", ALICES, -1), ZK_INVALIDACL);
    kit_commit_all(k);
    kit_close(k);
}

static void set_acl_reports_the_first_failing_check(void **state)
{
    struct kit *k = *state;
    k->session_err = ZK_SESSIONEXPIRED;
    REFUSED(ZK_SESSIONEXPIRED, kit_set_acl(k, "p", NO_ACL, 3));
    k->session_err = 0;
    REFUSED(ZK_BADARGUMENTS, kit_set_acl(k, "p", NO_ACL, 3));
    REFUSED(ZK_INVALIDACL, kit_set_acl(k, "/p", NO_ACL, 3));
    REFUSED(ZK_NONODE, kit_set_acl(k, "/p", KIT_OPEN, 3));
    ACCEPTED(kit_create_acl(k, ZK_OP_CREATE, "/p", "d", READ_ONLY, 0));
    REFUSED(ZK_NOAUTH, kit_set_acl(k, "/p", KIT_OPEN, 3));
    ACCEPTED(kit_create(k, "/q", "d", 0));
    REFUSED(ZK_BADVERSION, kit_set_acl(k, "/q", ALICES, 3));
    ACCEPTED(kit_set_acl(k, "/q", ALICES, 0));
    REFUSED(ZK_NOAUTH, kit_set_acl(k, "/q", KIT_OPEN, -1));
    REFUSED(ZK_NOAUTH, kit_set_data(k, "/q", "d", -1));
    k->who = (struct identities){ALICE, 1};
    ACCEPTED(kit_set_acl(k, "/q", KIT_OPEN, 1));
    kit_commit_all(k);
    assert_int_equal(kit_node(k, "/q")->aversion, 2);
    assert_int_equal(kit_node(k, "/q")->version, 0);
}

static void skip_acl_lets_everybody_pass(void **state)
{
    (void)state;
    struct kit_options options = KIT_DEFAULTS;
    options.prep.skip_acl = true;
    struct kit *k = kit_open(&options);
    ACCEPTED(kit_create_acl(k, ZK_OP_CREATE, "/p", "d", READ_ONLY, 0));
    ACCEPTED(kit_set_data(k, "/p", "d", -1));
    ACCEPTED(kit_set_acl(k, "/p", KIT_OPEN, -1));
    kit_commit_all(k);
    kit_close(k);
}

static void versions_wrap_as_javas_int(void **state)
{
    struct kit *k = *state;
    ACCEPTED(kit_create(k, "/v", "d", 0));
    kit_commit_all(k);
    foreign_set_version(k, "/v", INT32_MAX);
    ACCEPTED(kit_set_data(k, "/v", "d", INT32_MAX));
    ACCEPTED(kit_set_data(k, "/v", "d", INT32_MIN));
    kit_commit_all(k);
    assert_int_equal(kit_node(k, "/v")->version, INT32_MIN + 1);

    foreign_set_version(k, "/v", -2);
    ACCEPTED(kit_set_data(k, "/v", "d", -2));
    ACCEPTED(kit_set_data(k, "/v", "d", -1)); /* from -1, which 3.10 skips and 3.9.5 does not */
    kit_commit_all(k);
    assert_int_equal(kit_node(k, "/v")->version, 0);
}

/* /a with 5 bytes, and a hard quota of 2 nodes and 10 bytes on it. */
static struct kit *quota_kit(void)
{
    struct kit_options options = KIT_DEFAULTS;
    options.prep.enforce_quota = true;
    struct kit *k = kit_open(&options);
    ACCEPTED(kit_create(k, "/a", "12345", 0));
    ACCEPTED(kit_create(k, "/zookeeper/quota/a", NULL, 0));
    ACCEPTED(kit_create(k, "/zookeeper/quota/a/zookeeper_limits",
                        "count=1,bytes=1=;byteHardLimit=10;countHardLimit=2", 0));
    ACCEPTED(kit_create(k, "/zookeeper/quota/a/zookeeper_stats", "", 0));
    ACCEPTED(kit_create(k, "/a/early", "far too much data", 0)); /* no quota is committed yet */
    ACCEPTED(kit_delete(k, "/a/early", -1));
    kit_commit_all(k);
    return k;
}

static void hard_quotas_are_asked_before_the_version(void **state)
{
    (void)state;
    struct kit *k = quota_kit();
    REFUSED(ZK_QUOTAEXCEEDED, kit_set_data(k, "/a", "12345678901", 9));
    REFUSED(ZK_BADVERSION, kit_set_data(k, "/a", "1234567890", 9));
    REFUSED(ZK_QUOTAEXCEEDED, kit_create(k, "/a/b", "123456", 0));
    ACCEPTED(kit_create(k, "/elsewhere", "far too much data", 0));
    kit_commit_all(k);
    kit_close(k);
}

static void hard_quotas_compare_committed_usage_and_projected_data(void **state)
{
    (void)state;
    struct kit *k = quota_kit();
    ACCEPTED(kit_set_data(k, "/a", "1234567890", -1));
    ACCEPTED(kit_set_data(k, "/a", "12345678901", -1)); /* one byte more than what is outstanding */
    ACCEPTED(kit_set_data(k, "/a", "12345", -1));
    ACCEPTED(kit_create(k, "/a/b", "12345", 0));
    ACCEPTED(kit_create(k, "/a/c", "12345", 0)); /* bursts pass */
    kit_commit_all(k);

    REFUSED(ZK_QUOTAEXCEEDED, kit_create(k, "/a/d", "", 0));
    REFUSED(ZK_QUOTAEXCEEDED, kit_set_data(k, "/a/c", "1", -1)); /* smaller, and still too much */
    ACCEPTED(kit_set_data(k, "/a/c", "54321", -1));              /* no difference, no question */
    kit_commit_all(k);
    kit_close(k);
}

/* ---- others ---- */

static void reconfig_of_a_single_server_is_refused(void **state)
{
    (void)state;
    for (int enabled = 0; enabled < 2; enabled++) {
        struct kit_options options = KIT_DEFAULTS;
        options.prep.reconfig_enabled = enabled;
        struct kit *k = kit_open(&options);
        struct rec_reconfig_request r = {.cur_config_id = -1};
        rec_put_reconfig_request(&k->record, &r);
        k->session_err = ZK_SESSIONEXPIRED;
        REFUSED(enabled ? ZK_SESSIONEXPIRED : ZK_RECONFIGDISABLED, kit_prep(k, ZK_OP_RECONFIG));
        k->session_err = 0;
        REFUSED(enabled ? ZK_UNIMPLEMENTED : ZK_RECONFIGDISABLED, kit_prep(k, ZK_OP_RECONFIG));
        kit_close(k);
    }
}

static void check_outside_of_a_multi_makes_no_txn(void **state)
{
    struct kit *k = *state;
    struct rec_check_version_request r = {slice_str("/"), -1};
    rec_put_check_version_request(&k->record, &r);
    assert_int_equal(kit_prep(k, ZK_OP_CHECK), ZK_UNIMPLEMENTED);
    assert_int_equal(k->last.outcome, PREP_NO_TXN);
    assert_int_equal(k->proposed, 0);
}

static void session_txns_carry_timeout_and_paths(void **state)
{
    struct kit *k = *state;
    buf_clear(&k->record);
    ACCEPTED(kit_prep(k, ZK_OP_CREATE_SESSION));
    assert_int_equal(k->last.txn_len, 4);
    assert_int_equal(load_be32(kit_last_body(k).ptr), 30000);
    assert_int_equal(k->last.digest.tree_digest, tree_digest(k->tree));
    ACCEPTED(kit_create(k, "/e", "d", 1));
    k->session_err = ZK_SESSIONEXPIRED; /* closing is not refused for it */
    ACCEPTED(kit_close_session(k, KIT_SESSION));
    assert_memory_equal(kit_last_body(k).ptr, "\0\0\0\1\0\0\0\2/e", 10);
    assert_int_equal(k->last.txn_len, 10);
    kit_commit_all(k);
    assert_null(kit_node(k, "/e"));
}

static void a_txn_is_header_body_and_digest(void **state)
{
    struct kit *k = *state;
    k->who = (struct identities){ALICE, 1};
    struct kit_acl auth = {ZK_PERM_READ | ZK_PERM_CREATE, "auth", ""};
    ACCEPTED(kit_create_acl(k, ZK_OP_CREATE2, "/n", "data", auth, 1));

    struct txn_entry e;
    assert_int_equal(txn_split(buf_slice(&k->log), &e), 0);
    assert_int_equal(e.hdr.client_id, KIT_SESSION);
    assert_int_equal(e.hdr.cxid, 5);
    assert_int_equal(e.hdr.zxid, 1);
    assert_int_equal(e.hdr.time, k->now_ms);
    assert_int_equal(e.hdr.type, ZK_OP_CREATE2);
    assert_true(e.has_digest);
    assert_int_equal(e.digest.version, 2);
    assert_int_equal(k->log.len, 32 + k->last.txn_len + 12);

    struct dec d = dec_of(e.body);
    struct rec_create_txn txn = {0};
    assert_true(rec_get_create_txn(&d, &txn));
    assert_true(slice_eq_str(txn.path, "/n"));
    assert_true(slice_eq_str(txn.data, "data"));
    assert_true(txn.ephemeral);
    assert_int_equal(txn.parent_cversion, 1);
    assert_int_equal(txn.acl.count, 1);
    struct dec acl = dec_of(txn.acl.raw);
    struct rec_acl entry = {0};
    assert_true(rec_get_acl(&acl, &entry));
    assert_int_equal(entry.perms, ZK_PERM_READ | ZK_PERM_CREATE);
    assert_true(slice_eq_str(entry.id.scheme, "digest"));
    assert_true(slice_eq_str(entry.id.id, "alice:x"));
}

static void without_digests_a_txn_ends_with_its_body(void **state)
{
    (void)state;
    struct kit_options options = KIT_DEFAULTS;
    options.no_digest = true;
    struct kit *k = kit_open(&options);
    ACCEPTED(kit_create(k, "/n", "data", 0));
    assert_int_equal(k->last.digest.version, 0);
    assert_int_equal(k->log.len, k->last.txn_at + k->last.txn_len);
    kit_commit_all(k);
    kit_close(k);
}

/* ---- malformed ---- */

/* Preps every proper prefix of the record. */
static void each_truncation(struct kit *k, int32_t op, bool is_multi)
{
    struct buf whole = k->record;
    k->record = (struct buf){0};
    for (size_t len = 0; len < whole.len; len++) {
        buf_clear(&k->record);
        buf_put(&k->record, whole.ptr, len);
        if (is_multi) {
            REFUSED(ZK_MARSHALLINGERROR, kit_prep(k, op));
        } else {
            assert_int_equal(kit_prep(k, op), ZK_MARSHALLINGERROR);
            assert_int_equal(k->last.outcome, PREP_NO_TXN);
        }
    }
    buf_deinit(&whole);
}

static void a_truncated_record_makes_no_txn(void **state)
{
    struct kit *k = *state;
    static const int32_t creates[] = {ZK_OP_CREATE, ZK_OP_CREATE2, ZK_OP_CREATE_CONTAINER};
    for (size_t i = 0; i < 3; i++) {
        buf_clear(&k->record);
        kit_put_create(&k->record, "/n", slice_str("data"), KIT_OPEN, 0);
        each_truncation(k, creates[i], false);
    }
    buf_clear(&k->record);
    kit_put_create(&k->record, "/n", slice_str("data"), KIT_OPEN, 5);
    buf_put_i64(&k->record, 5);
    each_truncation(k, ZK_OP_CREATE_TTL, false);

    buf_clear(&k->record);
    rec_put_delete_request(&k->record, &(struct rec_delete_request){slice_str("/n"), 0});
    each_truncation(k, ZK_OP_DELETE, false);

    buf_clear(&k->record);
    rec_put_slice(&k->record, slice_str("/n"));
    each_truncation(k, ZK_OP_DELETE_CONTAINER, false);
    buf_clear(&k->record);
    rec_put_slice(&k->record, (struct slice){0});
    assert_int_equal(kit_prep(k, ZK_OP_DELETE_CONTAINER), ZK_MARSHALLINGERROR);

    buf_clear(&k->record);
    struct rec_set_data_request set = {slice_str("/n"), slice_str("data"), 0};
    rec_put_set_data_request(&k->record, &set);
    each_truncation(k, ZK_OP_SET_DATA, false);

    buf_clear(&k->record);
    rec_put_slice(&k->record, slice_str("/n"));
    kit_put_acl(&k->record, &KIT_OPEN, 1);
    buf_put_i32(&k->record, 0);
    each_truncation(k, ZK_OP_SET_ACL, false);

    buf_clear(&k->record);
    rec_put_reconfig_request(&k->record, &(struct rec_reconfig_request){.cur_config_id = -1});
    each_truncation(k, ZK_OP_RECONFIG, false);
    assert_int_equal(k->proposed, 0);
    assert_int_equal(k->zxid, 0);
}

static void a_truncated_multi_is_an_error_txn(void **state)
{
    struct kit *k = *state;
    kit_multi_begin(k);
    kit_part_create(k, ZK_OP_CREATE, "/n", 0);
    kit_part_set(k, "/n", "data", 0);
    kit_part_check(k, "/n", 1);
    kit_part_delete(k, "/n", 1);
    kit_multi_done(k);
    each_truncation(k, ZK_OP_MULTI, true);
    kit_commit_all(k);
    assert_null(kit_node(k, "/n"));
}

/* Any outcome will do, as long as what was proposed can be applied with the digest it promised. */
static void a_damaged_record_is_refused_or_means_something_else(void **state)
{
    struct kit *k = *state;
    uint64_t seed = 1;
    static const int32_t ops[] = {ZK_OP_CREATE,  ZK_OP_CREATE_TTL, ZK_OP_MULTI,
                                  ZK_OP_SET_ACL, ZK_OP_SET_DATA,   ZK_OP_DELETE};
    for (int i = 0; i < 6000; i++) {
        kit_multi_begin(k);
        kit_part_create(k, ZK_OP_CREATE, "/n", 0);
        kit_part_set(k, "/n", "data", 0);
        kit_part_create(k, ZK_OP_CREATE_TTL, "/n/t", ZK_CREATE_TTL);
        buf_put_i64(&k->record, 1000);
        kit_part_check(k, "/n", 1);
        kit_part_delete(k, "/n", 1);
        kit_multi_done(k);
        /* A single request starts at the first part's record. */
        int32_t op = ops[i % 6];
        size_t skip = op == ZK_OP_MULTI ? 0 : 9;
        memmove(k->record.ptr, k->record.ptr + skip, k->record.len - skip);
        for (int flips = 1 + i % 3; flips > 0; flips--) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            k->record.ptr[(seed >> 33) % (i % 2 ? 48 : k->record.len)] ^= (uint8_t)(seed >> 20);
        }
        kit_prep(k, op);
        if (i % 50 == 0)
            kit_commit_all(k);
    }
    kit_commit_all(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
        CLAIM(create_reports_the_first_failing_check),
        CLAIM(a_ttl_needs_a_ttl_mode_and_a_range),
        CLAIM(a_ttl_is_unimplemented_unless_enabled),
        CLAIM(the_opcode_decides_what_kind_of_node_is_made),
        CLAIM(a_sequence_number_is_the_projected_cversion_of_the_parent),
        CLAIM(a_sequence_number_can_be_negative_and_stops_at_the_largest),
        CLAIM(root_has_one_state_under_both_its_names),
        CLAIM(delete_reports_the_first_failing_check),
        CLAIM(the_reaper_asks_neither_session_nor_permission),
        CLAIM(set_data_reports_the_first_failing_check),
        CLAIM(digest_ids_are_refused_where_digest_is_switched_off),
        CLAIM(set_acl_reports_the_first_failing_check),
        CLAIM(skip_acl_lets_everybody_pass),
        CLAIM(versions_wrap_as_javas_int),
        CLAIM(hard_quotas_are_asked_before_the_version),
        CLAIM(hard_quotas_compare_committed_usage_and_projected_data),
        CLAIM(reconfig_of_a_single_server_is_refused),
        CLAIM(check_outside_of_a_multi_makes_no_txn),
        CLAIM(session_txns_carry_timeout_and_paths),
        CLAIM(a_txn_is_header_body_and_digest),
        CLAIM(without_digests_a_txn_ends_with_its_body),
        CLAIM(a_truncated_record_makes_no_txn),
        CLAIM(a_truncated_multi_is_an_error_txn),
        CLAIM(a_damaged_record_is_refused_or_means_something_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
