/* links: tree */
/* Many writes on their way at once: what each becomes does not depend on how many of the earlier
 * ones are applied already, down to the bytes of the txn and its digest. */
#include "prep_kit.h"

enum {
    SESSIONS = 3
};

/* splitmix64: the same numbers everywhere for the same seed. */
static uint32_t draw(uint64_t *seed, uint32_t below)
{
    uint64_t x = *seed += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return (uint32_t)((x ^ (x >> 31)) % below);
}

static const char *draw_path(uint64_t *seed)
{
    static const char *const paths[] = {
        "/",     "/a",    "/b",      "/c",     "/a/x",         "/a/y",    "/a/z",
        "/b/x",  "/b/y",  "/a/x/1",  "/a/x/2", "/a/x/2/deep",  "/c/e1",   "/c/e2",
        "/c/e3", "/a/e1", "/c/",     "/a/s-",  "/zookeeper/n", "/bad//p", "/a/x/e1",
        "/\x7f", "",      "noslash", "/a/.",   "/zookeeper",   "/b/x/q"};
    return paths[draw(seed, sizeof paths / sizeof paths[0])];
}

static const char *draw_data(uint64_t *seed)
{
    static const char *const datas[] = {NULL, "", "1", "some data that is a little longer"};
    return datas[draw(seed, 4)];
}

static int32_t draw_version(uint64_t *seed)
{
    return (int32_t)draw(seed, 12) > 2 ? -1 : (int32_t)draw(seed, 4);
}

static struct kit_acl draw_acl(uint64_t *seed)
{
    static const struct kit_acl acls[] = {{ZK_PERM_ALL, "digest", "alice:x"},
                                          {ZK_PERM_READ | ZK_PERM_CREATE, "world", "anyone"},
                                          {ZK_PERM_ALL, "ip", "10.0.0.0/8"},
                                          {ZK_PERM_ALL, "auth", ""},
                                          {ZK_PERM_ALL, "nonsense", ""}};
    return draw(seed, 6) == 0 ? acls[draw(seed, 5)] : KIT_OPEN;
}

static void draw_who(struct kit *k, uint64_t *seed)
{
    static struct identity both[2];
    both[0] = (struct identity){slice_str("ip"), slice_str("10.1.2.3")};
    both[1] = (struct identity){slice_str("digest"), slice_str("alice:x")};
    k->who = (struct identities){both, draw(seed, 3)};
}

static void draw_part(struct kit *k, uint64_t *seed)
{
    const char *path = draw_path(seed);
    switch (draw(seed, 6)) {
    case 0:
        kit_part_delete(k, path, draw_version(seed));
        break;
    case 1:
        kit_part_set(k, path, draw_data(seed), draw_version(seed));
        break;
    case 2:
        kit_part_check(k, path, draw_version(seed));
        break;
    default:
        kit_part_create(k, draw(seed, 2) ? ZK_OP_CREATE : ZK_OP_CREATE2, path,
                        (int32_t)draw(seed, 5));
        break;
    }
}

static void draw_multi(struct kit *k, uint64_t *seed)
{
    kit_multi_begin(k);
    for (uint32_t parts = draw(seed, 5); parts > 0; parts--)
        draw_part(k, seed);
    kit_multi_end(k);
}

/* One random write. The same seed gives the same request, whatever the state of the kit is. */
static void draw_write(struct kit *k, uint64_t *seed)
{
    draw_who(k, seed);
    k->session_id = KIT_SESSION + draw(seed, SESSIONS);
    k->session_err = draw(seed, 40) == 0 ? ZK_SESSIONEXPIRED : 0;
    const char *path = draw_path(seed);
    switch (draw(seed, 24)) {
    case 0:
        kit_close_session(k, KIT_SESSION + draw(seed, SESSIONS));
        break;
    case 1:
    case 2:
    case 3:
        draw_multi(k, seed);
        break;
    case 4:
    case 5:
        kit_set_acl(k, path, draw_acl(seed), draw_version(seed));
        break;
    case 6:
        kit_create_ttl(k, path, ZK_CREATE_TTL + (int32_t)draw(seed, 2), draw(seed, 9));
        break;
    case 7:
        kit_delete_container(k, path);
        break;
    case 8:
    case 9:
    case 10:
    case 11:
        kit_delete(k, path, draw_version(seed));
        break;
    case 12:
    case 13:
    case 14:
    case 15:
        kit_set_data(k, path, draw_data(seed), draw_version(seed));
        break;
    default: {
        const char *data = draw_data(seed);
        struct kit_acl acl = draw_acl(seed);
        int32_t op = draw(seed, 5) ? ZK_OP_CREATE2 : ZK_OP_CREATE_CONTAINER;
        kit_create_acl(k, op, path, data, acl, (int32_t)draw(seed, 5));
        break;
    }
    }
}

/* The whole tree as text, to compare what digests leave out. */
static void dump(const struct znode *n, const struct tree *t, struct buf *out)
{
    znode_path(n, out);
    struct rec_vec acl = tree_acl_get(t, n->acl_id);
    buf_printf(out, " v%d cv%d av%d children %u owner %llx digest %x data ", n->version,
               n->cversion, n->aversion, n->child_count, (unsigned long long)n->ephemeral_owner,
               n->digest);
    buf_put_slice(out, znode_data(n));
    buf_put_u8(out, ' ');
    buf_put_slice(out, acl.raw);
    buf_put_u8(out, '\n');
    for (const struct znode *child = n->child_first; child != NULL; child = child->sibling_next)
        dump(child, t, out);
}

/* `depth` 0: nothing is committed before the end. Else a commit follows with probability 1 -
 * 1/depth each time, several in a row, so that about `depth` proposals are outstanding in waves. */
static struct kit *run(uint64_t seed, size_t writes, uint32_t depth)
{
    struct kit *k = kit_open(&KIT_DEFAULTS);
    uint64_t request_seed = seed;
    uint64_t commit_seed = seed ^ depth;
    for (size_t i = 0; i < writes; i++) {
        draw_write(k, &request_seed);
        if (depth == 1)
            kit_commit_all(k);
        else if (depth > 1 && draw(&commit_seed, depth) == 0)
            for (uint32_t n = draw(&commit_seed, 2 * depth); n > 0 && k->committed < k->proposed;
                 n--)
                kit_commit_one(k);
    }
    kit_commit_all(k);
    return k;
}

static void assert_same_history(const struct kit *a, const struct kit *b)
{
    assert_int_equal(a->proposed, b->proposed);
    for (size_t i = 0; i < a->proposed; i++) {
        struct kit_proposal pa = a->proposals[i], pb = b->proposals[i];
        assert_int_equal(pa.len, pb.len);
        assert_memory_equal(a->log.ptr + pa.at, b->log.ptr + pb.at, pa.len);
    }
    struct buf ta = {0}, tb = {0};
    dump(tree_find(a->tree, slice_str("/")), a->tree, &ta);
    dump(tree_find(b->tree, slice_str("/")), b->tree, &tb);
    assert_int_equal(ta.len, tb.len);
    assert_memory_equal(ta.ptr, tb.ptr, ta.len);
    buf_deinit(&ta);
    buf_deinit(&tb);
}

static void proposals_do_not_depend_on_how_much_is_applied(void **state)
{
    (void)state;
    static const uint32_t depths[] = {0, 2, 8, 50, 400};
    size_t accepted = 0, refused = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct kit *one_by_one = run(seed, 1500, 1);
        for (size_t i = 0; i < one_by_one->proposed; i++) {
            uint32_t type = load_be32(one_by_one->log.ptr + one_by_one->proposals[i].at + 28);
            *((int32_t)type == ZK_OP_ERROR ? &refused : &accepted) += 1;
        }
        for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++) {
            struct kit *pipelined = run(seed, 1500, depths[d]);
            assert_same_history(one_by_one, pipelined);
            kit_close(pipelined);
        }
        kit_close(one_by_one);
    }
    /* The claim is worth something only if both happen a lot. */
    assert_true(accepted > 3000);
    assert_true(refused > 3000);
}

/* ---- closing sessions ---- */

static void assert_closes(struct kit *k, int64_t session_id, const char *const *paths,
                          int32_t count)
{
    assert_int_equal(kit_close_session(k, session_id), 0);
    struct dec d = dec_of(kit_last_body(k));
    assert_int_equal(dec_i32(&d), count);
    for (int32_t i = 0; i < count; i++)
        assert_true(slice_eq_str(dec_ustring(&d), paths[i]));
    assert_int_equal(dec_left(&d), 0);
}

static void closing_lists_committed_then_outstanding_ephemerals(void **state)
{
    (void)state;
    struct kit *k = kit_open(&KIT_DEFAULTS);
    assert_int_equal(kit_create(k, "/p", "", 0), 0);
    assert_int_equal(kit_create(k, "/p/deleted", "", 1), 0);
    assert_int_equal(kit_create(k, "/p/again", "", 1), 0);
    assert_int_equal(kit_create(k, "/p/kept", "", 1), 0);
    assert_int_equal(kit_create(k, "/p/lost", "", 1), 0);
    kit_commit_all(k);

    assert_int_equal(kit_delete(k, "/p/deleted", -1), 0);
    assert_int_equal(kit_create(k, "/p/brief", "", 1), 0);
    assert_int_equal(kit_delete(k, "/p/brief", -1), 0);
    assert_int_equal(kit_create(k, "/p/fresh", "", 1), 0);
    assert_int_equal(kit_set_data(k, "/p/fresh", "changed", -1), 0);
    assert_int_equal(kit_delete(k, "/p/again", -1), 0);
    assert_int_equal(kit_create(k, "/p/again", "", 1), 0);
    assert_int_equal(kit_delete(k, "/p/lost", -1), 0);
    k->session_id = 77;
    assert_int_equal(kit_create(k, "/p/lost", "", 1), 0);
    assert_int_equal(kit_create(k, "/p/foreign", "", 1), 0);

    static const char *const mine[] = {"/p/kept", "/p/fresh", "/p/again"};
    assert_closes(k, KIT_SESSION, mine, 3);
    assert_closes(k, KIT_SESSION, NULL, 0);
    static const char *const theirs[] = {"/p/lost", "/p/foreign"};
    assert_closes(k, 77, theirs, 2);
    assert_closes(k, 0, NULL, 0);
    assert_int_equal(kit_delete(k, "/p", -1), 0); /* empty by now */
    kit_commit_all(k);
    assert_null(kit_node(k, "/p"));
    kit_close(k);
}

static void closing_can_leave_the_paths_to_the_tree(void **state)
{
    (void)state;
    struct kit_options options = KIT_DEFAULTS;
    options.prep.close_session_txn_enabled = false;
    struct kit *k = kit_open(&options);
    assert_int_equal(kit_create(k, "/e1", "", 1), 0);
    kit_commit_all(k);
    assert_int_equal(kit_create(k, "/e2", "", 1), 0);
    assert_int_equal(kit_close_session(k, KIT_SESSION), 0);
    assert_int_equal(k->last.txn_len, 0);
    assert_int_equal(kit_create(k, "/e1", "", 0), 0);
    while (k->committed < k->proposed)
        kit_commit_own(k);
    assert_null(kit_node(k, "/e2"));
    assert_int_equal(kit_node(k, "/e1")->ephemeral_owner, 0);
    kit_close(k);
}

/* ---- forgetting ---- */

static void a_reset_forgets_what_was_not_committed(void **state)
{
    (void)state;
    struct kit *k = kit_open(&KIT_DEFAULTS);
    assert_int_equal(kit_create(k, "/kept", "", 0), 0);
    kit_commit_all(k);
    static const struct kit_acl alices = {ZK_PERM_ALL, "digest", "alice:x"};
    assert_int_equal(kit_create_acl(k, ZK_OP_CREATE, "/lost", "", alices, 0), 0);
    assert_int_equal(kit_set_data(k, "/kept", "lost", -1), 0);
    k->proposed = k->committed;
    prep_reset(k->prep);
    assert_int_equal(prep_outstanding(k->prep), 0);
    assert_int_equal(kit_delete(k, "/lost", -1), ZK_NONODE);
    assert_int_equal(kit_set_data(k, "/kept", "found", 0), 0);
    kit_commit_all(k);
    assert_int_equal(kit_node(k, "/kept")->version, 1);
    kit_close(k);
}

static void an_acl_that_only_proposals_have_is_kept_for_them(void **state)
{
    (void)state;
    struct kit *k = kit_open(&KIT_DEFAULTS);
    static const struct kit_acl alices = {ZK_PERM_ALL, "digest", "alice:x"};
    static const struct kit_acl bobs = {ZK_PERM_ALL, "digest", "bob:x"};
    struct identity alice = {slice_str("digest"), slice_str("alice:x")};
    struct identity bob = {slice_str("digest"), slice_str("bob:x")};
    k->who = (struct identities){&alice, 1};
    assert_int_equal(kit_create_acl(k, ZK_OP_CREATE, "/n", "", alices, 0), 0);
    assert_int_equal(kit_set_acl(k, "/n", bobs, -1), 0);
    assert_int_equal(kit_set_data(k, "/n", "", -1), ZK_NOAUTH);
    k->who.items = &bob;
    assert_int_equal(kit_set_data(k, "/n", "", -1), 0);
    kit_commit_one(k);
    assert_int_equal(kit_set_data(k, "/n", "", -1), 0);
    kit_commit_one(k);
    assert_int_equal(kit_set_data(k, "/n", "", -1), 0);
    k->who.items = &alice;
    assert_int_equal(kit_set_data(k, "/n", "", -1), ZK_NOAUTH);
    k->who.items = &bob;
    assert_int_equal(kit_set_acl(k, "/n", KIT_OPEN, -1), 0);
    kit_commit_all(k);
    assert_int_equal(kit_create(k, "/m", "", 0), 0); /* a txn later, nothing is left over */
    kit_commit_all(k);
    assert_int_equal(tree_acl_count(k->tree), 1); /* that of /zookeeper/config */
    kit_close(k);
}

static void thousands_of_paths_can_be_outstanding(void **state)
{
    (void)state;
    struct kit *k = kit_open(&KIT_DEFAULTS);
    char path[32];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3000; i++) {
            snprintf(path, sizeof path, "/n%d-%d", round, i);
            assert_int_equal(kit_create(k, path, path, 0), 0);
        }
        assert_int_equal(prep_outstanding(k->prep), 6000);
        for (int i = 0; i < 3000; i += 7) {
            snprintf(path, sizeof path, "/n%d-%d", round, i);
            assert_int_equal(kit_create(k, path, path, 0), ZK_NODEEXISTS);
        }
        kit_commit_all(k);
    }
    assert_int_equal(kit_node(k, "/")->child_count, 6001);
    kit_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proposals_do_not_depend_on_how_much_is_applied),
        cmocka_unit_test(closing_lists_committed_then_outstanding_ephemerals),
        cmocka_unit_test(closing_can_leave_the_paths_to_the_tree),
        cmocka_unit_test(a_reset_forgets_what_was_not_committed),
        cmocka_unit_test(an_acl_that_only_proposals_have_is_kept_for_them),
        cmocka_unit_test(thousands_of_paths_can_be_outstanding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
