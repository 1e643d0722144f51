/* links: tree */
/* ACLs: who passes, what a client may set, and lists that are kept once. */
#include "tree/acl.h"

#include "tree_world.h"

static struct rec_vec list_of(struct buf *b, int32_t count, ...)
{
    buf_clear(b);
    va_list args;
    va_start(args, count);
    for (int32_t i = 0; i < count; i++) {
        struct rec_acl a = {.perms = va_arg(args, int32_t)};
        a.id.scheme = slice_str(va_arg(args, const char *));
        a.id.id = slice_str(va_arg(args, const char *));
        rec_put_acl(b, &a);
    }
    va_end(args);
    return (struct rec_vec){.count = count, .raw = buf_slice(b)};
}

static int32_t check(struct rec_vec acl, int32_t perm, const char *scheme, const char *id)
{
    struct identity who = {slice_str(scheme), slice_str(id)};
    return acl_check(acl, perm, (struct identities){&who, 1}, false);
}

static void a_permission_is_given_by_any_entry_that_has_it_and_matches(void **state)
{
    (void)state;
    struct buf b = {0};
    struct rec_vec acl = list_of(&b, 3, ZK_PERM_READ, "world", "anyone", ZK_PERM_WRITE, "digest",
                                 "bob:h", ZK_PERM_ADMIN, "ip", "10.0.0.0/8");
    assert_int_equal(check(acl, ZK_PERM_READ, "ip", "1.1.1.1"), 0);
    assert_int_equal(check(acl, ZK_PERM_WRITE, "ip", "1.1.1.1"), ZK_NOAUTH);
    assert_int_equal(check(acl, ZK_PERM_WRITE, "digest", "bob:h"), 0);
    assert_int_equal(check(acl, ZK_PERM_WRITE, "digest", "bob:x"), ZK_NOAUTH);
    assert_int_equal(check(acl, ZK_PERM_WRITE, "sasl", "bob:h"), ZK_NOAUTH);
    assert_int_equal(check(acl, ZK_PERM_ADMIN, "ip", "10.9.8.7"), 0);
    assert_int_equal(check(acl, ZK_PERM_ADMIN, "ip", "11.9.8.7"), ZK_NOAUTH);
    assert_int_equal(check(acl, ZK_PERM_CREATE | ZK_PERM_READ, "ip", "11.9.8.7"), 0);
    buf_deinit(&b);
}

static void super_passes_and_so_does_everybody_where_no_list_is(void **state)
{
    (void)state;
    struct buf b = {0};
    struct rec_vec acl = list_of(&b, 1, ZK_PERM_READ, "digest", "bob:h");
    assert_int_equal(check(acl, ZK_PERM_DELETE, "super", ""), 0);
    assert_int_equal(acl_check(acl, ZK_PERM_DELETE, (struct identities){NULL, 0}, true), 0);
    assert_int_equal(acl_check(acl, ZK_PERM_READ, (struct identities){NULL, 0}, false), ZK_NOAUTH);
    assert_int_equal(check((struct rec_vec){.count = 0}, ZK_PERM_DELETE, "ip", "1.1.1.1"), 0);
    assert_int_equal(check((struct rec_vec){.count = -1}, ZK_PERM_DELETE, "ip", "1.1.1.1"), 0);
    buf_deinit(&b);
}

static void ip_ranges_match_as_in_zookeeper(void **state)
{
    (void)state;
    static const struct {
        const char *address, *range;
        bool matches;
    } cases[] = {
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.3", "10.1.2.4", false},
        {"10.1.2.3", "10.1.2.0/24", true},
        {"10.1.3.3", "10.1.2.0/23", true},
        {"10.1.4.3", "10.1.2.0/23", false},
        {"10.1.4.3", "0.0.0.0/0", true},
        {"10.1.4.3", "10.1.4.2/31", true},
        {"::1", "::1", true},
        {"0:0:0:0:0:0:0:1", "::1", true},
        {"2001:db8::5", "2001:db8::/32", true},
        {"2001:db9::5", "2001:db8::/32", false},
        {"2001:db9::5", "2001:db8::/31", true},
        {"::ffff", "10.0.0.0/0", false}, /* a different family never matches */
        {"10.0.0.1", "::/0", false},
        {"nonsense", "0.0.0.0/0", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool matches = acl_ip_matches(slice_str(cases[i].address), slice_str(cases[i].range));
        if (matches != cases[i].matches)
            fail_msg("%s in %s: %d", cases[i].address, cases[i].range, matches);
    }
}

static void ip_ids_are_valid_as_in_zookeeper(void **state)
{
    (void)state;
    static const char *const valid[] = {
        "1.2.3.4",         "1.2.3.4/0", "1.2.3.4/32", "+1.2.3.04",       "::",        "::1", "1::",
        "a:b:c:d:e:f:0:1", "1::2/128",  "::/0",       "1:2:3:4:5:6:7::", "1.2.3.4/+8"};
    static const char *const invalid[] = {"",
                                          "1",
                                          "1.2.3",
                                          "1.2.3.4.5",
                                          "1.2.3.256",
                                          "1.2.3.-1",
                                          "1.2.3.x",
                                          "1.2.3.4/",
                                          "1.2.3.4/33",
                                          "1.2.3.4/-1",
                                          "1.2.3.4/8/8",
                                          "1..2.3",
                                          ":",
                                          ":::",
                                          "1::2::3",
                                          "1:2:3",
                                          "1:2:3:4:5:6:7:8:9",
                                          "12345::",
                                          "g::",
                                          "::/129",
                                          "1:2:3:4:5:6:7:8::",
                                          "1:",
                                          "1.2.3.99999999999",
                                          "/8"};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        if (!acl_ip_valid(slice_str(valid[i])))
            fail_msg("refused: %s", valid[i]);
    }
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        if (acl_ip_valid(slice_str(invalid[i])))
            fail_msg("accepted: %s", invalid[i]);
    }
}

static void distinguished_names_are_what_java_takes(void **state)
{
    (void)state;
    static const char *const valid[] = {
        "",
        "CN=a",
        "cn=a, O = \"b, c\" ;OU=x+UID=y",
        "CN=",
        "1.2.3=x",
        "OID.1.2=#0a0B",
        "CN=a\\,b\\\\",
        "EMAILADDRESS=a@b",
        "CN=\"a\\\"b\"",
        "CN=a=b",
    };
    static const char *const invalid[] = {
        "a",      "=",      "=a",        "SHOE=43", "CN=a,", "CN=a,,O=b",
        "CN=a,b", "CN=\"a", "CN=\"a\"b", "CN=a\\",  "CN=#0", "CN=#xy",
        "CN=#",   "1.=x",   ".1=x",      "1=x",     "CN=a+", "OID.=x",
    };
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        if (!acl_x509_valid(slice_str(valid[i])))
            fail_msg("refused: %s", valid[i]);
    }
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        if (acl_x509_valid(slice_str(invalid[i])))
            fail_msg("accepted: %s", invalid[i]);
    }
}

static const struct identity BOB[] = {
    {{(const uint8_t *)"ip", 2}, {(const uint8_t *)"1.1.1.1", 7}},
    {{(const uint8_t *)"digest", 6}, {(const uint8_t *)"bob:h", 5}},
    {{(const uint8_t *)"digest", 6}, {(const uint8_t *)"bob2:h", 6}},
};

static int32_t fixup(struct rec_vec acl, size_t identity_count, struct buf *out)
{
    return acl_fixup(acl, (struct identities){BOB, identity_count}, 0, out);
}

static void auth_becomes_the_authenticated_identities_of_the_client(void **state)
{
    (void)state;
    struct buf b = {0}, out = {0}, expected = {0};
    struct rec_vec acl = list_of(&b, 2, 31, "auth", "", 1, "world", "anyone");
    assert_int_equal(fixup(acl, 3, &out), 0);
    buf_put_i32(&expected, 3);
    struct buf elements = {0};
    list_of(&elements, 3, 31, "digest", "bob:h", 31, "digest", "bob2:h", 1, "world", "anyone");
    buf_put_slice(&expected, buf_slice(&elements));
    assert_true(slice_eq(buf_slice(&out), buf_slice(&expected)));

    /* An address alone does not authenticate. */
    buf_clear(&out);
    assert_int_equal(fixup(acl, 1, &out), ZK_INVALIDACL);
    assert_int_equal(out.len, 0);
    buf_deinit(&b);
    buf_deinit(&out);
    buf_deinit(&expected);
    buf_deinit(&elements);
}

static void repeated_entries_are_set_once_in_their_first_place(void **state)
{
    (void)state;
    struct buf b = {0}, out = {0}, expected = {0};
    struct rec_vec acl = list_of(&b, 5, 1, "world", "anyone", 2, "ip", "1.2.3.4", 1, "world",
                                 "anyone", 2, "ip", "1.2.3.4", 3, "ip", "1.2.3.4");
    assert_int_equal(fixup(acl, 1, &out), 0);
    list_of(&expected, 3, 1, "world", "anyone", 2, "ip", "1.2.3.4", 3, "ip", "1.2.3.4");
    assert_int_equal(load_be32(out.ptr), 3);
    assert_true(slice_eq(slice_from(buf_slice(&out), 4), buf_slice(&expected)));
    buf_deinit(&b);
    buf_deinit(&out);
    buf_deinit(&expected);
}

static void ids_that_zookeeper_refuses_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *scheme, *id;
        bool valid;
    } cases[] = {
        {"world", "anyone", true}, {"world", "someone", false}, {"digest", "a:b", true},
        {"digest", ":b", true},    {"digest", "a:b::", true},   {"digest", "a:", false},
        {"digest", "a", false},    {"digest", "a:b:c", false},  {"digest", "", false},
        {"digest", ":", false},    {"ip", "1.2.3.4/8", true},   {"ip", "x", false},
        {"super", "x", false},     {"x509", "CN=a", false},     {"sasl", "bob", false},
        {"", "", false},           {"foo", "anyone", false},
    };
    struct buf b = {0}, out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rec_vec acl = list_of(&b, 1, 31, cases[i].scheme, cases[i].id);
        int32_t err = fixup(acl, 3, &out);
        if (err != (cases[i].valid ? 0 : ZK_INVALIDACL))
            fail_msg("%s:%s gives %d", cases[i].scheme, cases[i].id, err);
    }
    assert_int_equal(fixup((struct rec_vec){.count = 0}, 3, &out), ZK_INVALIDACL);
    assert_int_equal(fixup((struct rec_vec){.count = -1}, 3, &out), ZK_INVALIDACL);

    buf_clear(&b);
    rec_put_acl(&b, &(struct rec_acl){.perms = 31});
    assert_int_equal(fixup((struct rec_vec){.count = 1, .raw = buf_slice(&b)}, 3, &out),
                     ZK_INVALIDACL);
    buf_deinit(&b);
    buf_deinit(&out);
}

static void a_list_of_fifty_thousand_entries_is_fixed_up_in_no_time_to_speak_of(void **state)
{
    (void)state;
    enum {
        COUNT = 50000
    };
    struct buf b = {0}, out = {0};
    for (int32_t i = 0; i < COUNT; i++) {
        struct rec_acl a = {.perms = i / 2, .id = {slice_str("world"), slice_str("anyone")}};
        rec_put_acl(&b, &a);
    }
    /* All pairs would be 1.2 billion comparisons; the test's time limit would notice. */
    assert_int_equal(fixup((struct rec_vec){.count = COUNT, .raw = buf_slice(&b)}, 1, &out), 0);
    assert_int_equal(load_be32(out.ptr), COUNT / 2);
    buf_deinit(&b);
    buf_deinit(&out);
}

static void an_expansion_without_measure_is_refused(void **state)
{
    (void)state;
    enum {
        COUNT = 60000,
        IDENTITIES = 200
    };
    struct buf b = {0}, out = {0};
    for (int32_t i = 0; i < COUNT; i++)
        rec_put_acl(&b, &(struct rec_acl){.perms = i, .id = {slice_str("auth"), slice_str("")}});
    static struct identity many[IDENTITIES];
    for (size_t i = 0; i < IDENTITIES; i++)
        many[i] = BOB[1];
    struct rec_vec acl = {.count = COUNT, .raw = buf_slice(&b)};
    assert_int_equal(acl_fixup(acl, (struct identities){many, IDENTITIES}, 0, &out), ZK_INVALIDACL);
    assert_in_range(out.cap, 0, 16 << 20);
    buf_deinit(&b);
    buf_deinit(&out);
}

static void equal_lists_have_one_id_and_the_open_list_has_id_zero(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    acl_add(&w, ZK_PERM_READ, "digest", "a:b");
    create(&w, "/a", "");
    create(&w, "/b", "");
    assert_int_equal(node_at(&w, "/a")->acl_id, node_at(&w, "/b")->acl_id);
    assert_int_not_equal(node_at(&w, "/a")->acl_id, ACL_OPEN);
    acl_open(&w);
    create(&w, "/null", "");
    acl_add(&w, ZK_PERM_ALL, "world", "anyone");
    create(&w, "/explicit", "");
    assert_int_equal(node_at(&w, "/null")->acl_id, ACL_OPEN);
    assert_int_equal(node_at(&w, "/explicit")->acl_id, ACL_OPEN);
    assert_int_equal(tree_acl_get(w.t, ACL_OPEN).count, 1);
    assert_int_equal(check(tree_acl_get(w.t, ACL_OPEN), ZK_PERM_ADMIN, "ip", "1.1.1.1"), 0);
    world_close(&w);
}

static void the_id_a_change_names_keeps_its_meaning_until_the_next_txn(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    acl_add(&w, ZK_PERM_READ, "digest", "old:x");
    create(&w, "/a", "");
    struct buf old = {0};
    buf_put_slice(&old, tree_acl_get(w.t, node_at(&w, "/a")->acl_id).raw);
    delete_path(&w, "/a");
    assert_int_equal(w.fx.change_count, 1);
    assert_true(slice_eq(tree_acl_get(w.t, w.fx.changes[0].acl_id).raw, buf_slice(&old)));

    uint64_t with_old = tree_acl_count(w.t);
    buf_clear(&w.acl);
    w.acl_count = 0;
    acl_add(&w, ZK_PERM_READ, "digest", "new:x");
    create(&w, "/b", "");
    assert_int_equal(tree_acl_count(w.t), with_old); /* the old one is gone, its id used again */
    buf_deinit(&old);
    world_close(&w);
}

static void an_id_held_from_outside_survives_its_znodes(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    acl_add(&w, ZK_PERM_READ, "digest", "a:b");
    uint32_t id = tree_acl_intern(w.t, world_acl(&w));
    create(&w, "/a", "");
    delete_path(&w, "/a");
    uint64_t count = tree_acl_count(w.t);
    acl_open(&w);
    create(&w, "/b", "");
    create(&w, "/c", "");
    assert_int_equal(tree_acl_count(w.t), count);
    assert_int_equal(tree_acl_get(w.t, id).count, 1);
    tree_acl_release(w.t, id);
    create(&w, "/d", "");
    assert_int_equal(tree_acl_count(w.t), count - 1);
    world_close(&w);
}

static void ten_thousand_lists_come_and_go_without_trace(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    uint64_t before = tree_acl_count(w.t);
    char path[32], id[32];
    for (int i = 0; i < 10000; i++) {
        snprintf(path, sizeof path, "/n%d", i);
        snprintf(id, sizeof id, "user%d:x", i);
        buf_clear(&w.acl);
        w.acl_count = 0;
        acl_add(&w, ZK_PERM_READ, "digest", id);
        create(&w, path, "");
    }
    assert_int_equal(tree_acl_count(w.t), before + 10000);
    for (int i = 0; i < 10000; i++) {
        snprintf(path, sizeof path, "/n%d", i);
        delete_path(&w, path);
    }
    acl_open(&w);
    create(&w, "/end", "");
    assert_int_equal(tree_acl_count(w.t), before);
    world_close(&w);
}

static int32_t fixup_null_id(const char *scheme)
{
    struct buf b = {0}, out = {0};
    rec_put_acl(&b, &(struct rec_acl){.perms = 31, .id.scheme = slice_str(scheme)});
    struct rec_vec acl = {.count = 1, .raw = buf_slice(&b)};
    int32_t err = fixup(acl, 3, &out);
    buf_deinit(&b);
    buf_deinit(&out);
    return err;
}

/* Where ZooKeeper looks at it, it falls over it: that is another answer than "not valid". */
static void a_null_id_is_malformed_where_the_scheme_looks_at_it(void **state)
{
    (void)state;
    assert_int_equal(fixup_null_id("world"), ZK_MARSHALLINGERROR);
    assert_int_equal(fixup_null_id("digest"), ZK_MARSHALLINGERROR);
    assert_int_equal(fixup_null_id("ip"), ZK_MARSHALLINGERROR);
    assert_int_equal(fixup_null_id("unheard-of"), ZK_INVALIDACL);
    assert_int_equal(fixup_null_id("auth"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_null_id_is_malformed_where_the_scheme_looks_at_it),
        cmocka_unit_test(a_permission_is_given_by_any_entry_that_has_it_and_matches),
        cmocka_unit_test(super_passes_and_so_does_everybody_where_no_list_is),
        cmocka_unit_test(ip_ranges_match_as_in_zookeeper),
        cmocka_unit_test(ip_ids_are_valid_as_in_zookeeper),
        cmocka_unit_test(distinguished_names_are_what_java_takes),
        cmocka_unit_test(auth_becomes_the_authenticated_identities_of_the_client),
        cmocka_unit_test(repeated_entries_are_set_once_in_their_first_place),
        cmocka_unit_test(ids_that_zookeeper_refuses_are_refused),
        cmocka_unit_test(a_list_of_fifty_thousand_entries_is_fixed_up_in_no_time_to_speak_of),
        cmocka_unit_test(an_expansion_without_measure_is_refused),
        cmocka_unit_test(equal_lists_have_one_id_and_the_open_list_has_id_zero),
        cmocka_unit_test(the_id_a_change_names_keeps_its_meaning_until_the_next_txn),
        cmocka_unit_test(an_id_held_from_outside_survives_its_znodes),
        cmocka_unit_test(ten_thousand_lists_come_and_go_without_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
