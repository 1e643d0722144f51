/* links: wire */
/* Configurations of ensembles as text, and their quorums. Whatever is accepted here is written, and
 * has the quorums, as by Apache ZooKeeper 3.9.5 for the same text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/quorum.h"

/* The text ends exactly where its memory does, so that a read past the end is seen. */
static int parse(const char *text, struct quorum **ret, struct err *err)
{
    size_t len = strlen(text);
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, text, len);
    int rc = quorum_parse(slice_of(copy, len), ret, err);
    free(copy);
    return rc;
}

static struct quorum *parsed(const char *text)
{
    struct quorum *q = NULL;
    struct err err = {0};
    if (parse(text, &q, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return q;
}

static void assert_formats(const struct quorum *q, const char *expected)
{
    struct buf out = {0};
    quorum_format(q, &out);
    buf_put_u8(&out, 0);
    assert_string_equal((const char *)out.ptr, expected);
    buf_deinit(&out);
}

/* `text` is written as `expected`, and that again as itself; so is a copy. */
static void assert_text(const char *text, const char *expected)
{
    struct quorum *q = parsed(text), *again = parsed(expected), *copy = quorum_copy(q);
    assert_formats(q, expected);
    assert_formats(again, expected);
    assert_formats(copy, expected);
    assert_true(quorum_same_members(q, again));
    assert_true(quorum_same_members(copy, q));
    quorum_free(q);
    quorum_free(again);
    quorum_free(copy);
}

static void assert_refused(const char *text, const char *why)
{
    struct quorum *q = NULL;
    struct err err = {0};
    if (parse(text, &q, &err) != ERR_INVALID)
        fail_msg("'%s' was accepted", text);
    assert_null(q);
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s': %s", text, err.text);
}

static void a_server_line_is_written_as_java_writes_it(void **state)
{
    (void)state;
#define S(value, expected) assert_text("server.1=" value "\n", "server.1=" expected "\nversion=0")
    S("a:1:2", "a:1:2:participant");
    S("a:1:2:Observer\nserver.2=b:1:2", "a:1:2:observer\nserver.2=b:1:2:participant");
    S("a:1:2: PARTICIPANT ", "a:1:2:participant");
    S("a:01:0002", "a:1:2:participant");
    S("a:1:2;2181", "a:1:2:participant;0.0.0.0:2181");
    S("a:1:2;1.2.3.4:2181", "a:1:2:participant;1.2.3.4:2181");
    S("[::1]:1:2;[::]:7", "[0:0:0:0:0:0:0:1]:1:2:participant;[0:0:0:0:0:0:0:0]:7");
    S("[2001:DB8::00ab]:1:2", "[2001:db8:0:0:0:0:0:ab]:1:2:participant");
    S("[1:2:3:4:5:6:7:8]:1:2", "[1:2:3:4:5:6:7:8]:1:2:participant");
    S("[1::]:1:2", "[1:0:0:0:0:0:0:0]:1:2:participant");
    S("[::ffff:1.2.3.4]:1:2", "1.2.3.4:1:2:participant");
    S("[1:2]:1:2", "[1:2]:1:2:participant"); /* no address: a name that nobody finds */
    S("[a.b]:1:2", "a.b:1:2:participant");
    S("b:1:2|a:3:4", "a:3:4|b:1:2:participant");
    S("b:1:2|a:3:4:observer\nserver.2=c:1:2", "a:3:4|b:1:2:observer\nserver.2=c:1:2:participant");
    /* Java's split leaves out what is empty at the end. */
    S("a:1:2::", "a:1:2:participant");
    S("a:1:2|", "a:1:2:participant");
    S("a:1:2;;", "a:1:2:participant");
#undef S
}

static void what_is_no_server_line_is_refused(void **state)
{
    (void)state;
#define R(value, why) assert_refused("server.1=" value "\n", why)
    R("", "host:port:port");
    R("a", "host:port:port");
    R("a:1", "host:port:port");
    R(":1:2", "host:port:port");
    R("a:1:2:observer:x", "host:port:port");
    R("a:x:2", "host:port:port");
    R("a:-1:2", "host:port:port");
    R("a:65536:2", "host:port:port");
    R("a:1:99999999999999999999", "host:port:port");
    R("a b:1:2", "host:port:port");
    R("[::1:1:2", "host:port:port");
    R("[::1]", "host:port:port");
    R("[::1]x:1:2", "host:port:port");
    R("[]:1:2", "host:port:port");
    R("|a:1:2", "host:port:port");
    R("a:1:1", "must differ");
    R("a:1:2:leader", "role 'leader'");
    R("a:1:2|a:1:3", "twice");
    R("a:1:2:participant|b:1:2:observer", "one role");
    R("a:1:2;3;4", "clientPort");
    R("a:1:2;x", "clientPort");
    R("a:1:2;:5", "clientPort");
    R("a:1:2;:", "clientPort");
    R("a:1:2;70000", "clientPort");
    R("a:1:2;[::1]", "clientPort");
    R("a:1:2;b:c:5", "clientPort");
#undef R
    assert_refused("server.256=a:1:2\n", "from 0 to 255");
    assert_refused("server.-1=a:1:2\n", "unknown");
    assert_refused("server.=a:1:2\n", "unknown");
    assert_refused("server.1x=a:1:2\n", "server.1x: unknown");
}

static void lines_are_those_of_java_properties(void **state)
{
    (void)state;
    const char *one = "server.1=a:1:2:participant\nversion=0";
    assert_text("server.1:a:1:2", one);
    assert_text("server.1 a:1:2", one);
    assert_text("  server.1 \t=  a:1:2  \r\n", one);
    assert_text("# comment\n ! another\n\n\nserver.1=a:1:2", one);
    assert_text("server.1=b:3:4\nserver.1=a:1:2\n", one);
    assert_text("server.1=a:1:2\rserver.2=b:1:2\r\n\r\nserver.3=c:1:2",
                "server.1=a:1:2:participant\nserver.2=b:1:2:participant\n"
                "server.3=c:1:2:participant\nversion=0");
    assert_refused("server.1=a\\:1:2", "backslash");
    assert_refused("server.1=a:1:2\nclientPort=2181", "clientPort: unknown");
}

static void the_version_is_hexadecimal(void **state)
{
    (void)state;
    struct quorum *q = parsed("version=100000FF\nserver.1=a:1:2");
    assert_int_equal(q->version, 0x100000ff);
    assert_formats(q, "server.1=a:1:2:participant\nversion=100000ff");
    quorum_free(q);
    assert_text("server.1=a:1:2\nversion=7fffffffffffffff",
                "server.1=a:1:2:participant\nversion=7fffffffffffffff");
    assert_refused("server.1=a:1:2\nversion=8000000000000000", "hexadecimal");
    assert_refused("server.1=a:1:2\nversion=xyz", "hexadecimal");
    assert_refused("server.1=a:1:2\nversion=", "hexadecimal");
}

static void lines_come_in_the_order_of_a_hash_map(void **state)
{
    (void)state;
    assert_text("server.17=q:1:2\nserver.16=p:1:2\nserver.15=o:1:2",
                "server.16=p:1:2:participant\nserver.17=q:1:2:participant\n"
                "server.15=o:1:2:participant\nversion=0");
    assert_text("server.38=a:1:2\nserver.23=b:1:2\nserver.233=c:1:2\nserver.44=d:1:2:observer\n"
                "group.3=23\ngroup.2=38\ngroup.70000=233:44\nweight.23=2\nweight.44=0\n",
                "server.38=a:1:2:participant\nserver.23=b:1:2:participant\n"
                "server.233=c:1:2:participant\nserver.44=d:1:2:observer\n"
                "group.70000=233:44\ngroup.2=38\ngroup.3=23\n"
                "weight.38=1\nweight.23=2\nweight.233=1\nweight.44=0\nversion=0");
}

static void groups_and_weights_are_checked(void **state)
{
    (void)state;
    assert_refused("", "needs a voter");
    assert_refused("server.1=a:1:2:observer", "needs a voter");
    assert_refused("server.1=a:1:2\nweight.1=2", "server 1 is not in a group");
    assert_refused("server.1=a:1:2\ngroup.1=", "numbers of servers");
    assert_refused("server.1=a:1:2\ngroup.1=1:x", "numbers of servers");
    assert_refused("server.1=a:1:2\ngroup.1=1\ngroup.2=1", "two groups");
    assert_refused("server.1=a:1:2\ngroup.1=1:2", "does not exist");
    assert_refused("server.1=a:1:2\nserver.2=b:1:2:observer\ngroup.1=1:2", "has no weight");
    assert_refused("server.1=a:1:2\ngroup.1=1\nweight.1=-1", "weight.1");
    assert_refused("server.1=a:1:2\ngroup.1=1\nweight.1=99999999999", "weight.1");
    assert_text("server.1=a:1:2\ngroup.1=1:\nweight.1=3\nweight.7=5",
                "server.1=a:1:2:participant\ngroup.1=1\nweight.1=3\nversion=0");
}

/* The answers for all subsets of the servers, bit n of the subset = the n-th in ascending order. */
static void assert_quorums(const char *text, bool oracle, bool oracle_says, const char *expected)
{
    struct quorum *q = parsed(text);
    q->oracle = oracle;
    for (size_t subset = 0; expected[subset] != 0; subset++) {
        struct sid_set set = {0};
        for (size_t i = 0; i < q->server_count; i++)
            if (subset >> i & 1)
                sid_set_add(&set, q->servers[i].sid);
        sid_set_add(&set, 200); /* a stranger changes nothing */
        if (quorum_has(q, &set, oracle_says) != (expected[subset] == '1'))
            fail_msg("%s: subset %zu", text, subset);
    }
    quorum_free(q);
}

#define VOTERS(n) "server." n "=a:1:2\n"
static void a_majority_of_voters_is_a_quorum(void **state)
{
    (void)state;
    assert_quorums(VOTERS("1"), false, false, "01");
    assert_quorums(VOTERS("1") VOTERS("2"), false, false, "0001");
    assert_quorums(VOTERS("0") VOTERS("7") VOTERS("255"), false, false, "00010111");
    assert_quorums("server.3=a:1:2:observer\n" VOTERS("1") VOTERS("2"), false, false, "00010001");
}

static void of_two_voters_one_is_enough_with_an_oracle(void **state)
{
    (void)state;
    assert_quorums(VOTERS("1") VOTERS("2"), true, true, "0111");
    assert_quorums(VOTERS("1") VOTERS("2"), true, false, "0001");
    assert_quorums(VOTERS("1") VOTERS("2"), false, true, "0001");
    assert_quorums(VOTERS("1") VOTERS("2") VOTERS("3"), true, true, "00010111");
}

static void a_hierarchical_quorum_is_most_of_most_groups(void **state)
{
    (void)state;
    const char *three = VOTERS("1") VOTERS("2") VOTERS("3") "group.1=1\ngroup.2=2\ngroup.3=3\n";
    assert_quorums(three, false, false, "00010111");
    /* A group without weight does not count: of the other two both are needed. */
    char text[512];
    snprintf(text, sizeof text, "%sweight.3=0\n", three);
    assert_quorums(text, false, false, "00010001");
    /* Weight counts within a group only. */
    snprintf(text, sizeof text, "%sweight.3=100\n", three);
    assert_quorums(text, false, false, "00010111");
    assert_quorums(VOTERS("1") VOTERS("2") VOTERS("3") "group.1=1:2:3\nweight.1=3\n", false, false,
                   "01010101");
    /* An observer in a group adds to what is needed, and gives nothing. */
    assert_quorums(VOTERS("1") VOTERS("2") "server.3=a:1:2:observer\ngroup.1=1:2:3\nweight.3=2\n",
                   false, false, "00000000");
}

static void members_are_found(void **state)
{
    (void)state;
    struct quorum *q = parsed(VOTERS("1") VOTERS("3") "server.2=a:1:2:observer;5\n"
                                                      "group.1=1:3\nweight.3=7\nweight.2=4\n");
    assert_int_equal(q->server_count, 3);
    assert_int_equal(q->voter_count, 2);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(q->servers[i].sid, i + 1);
    assert_null(quorum_find(q, 4));
    assert_null(quorum_find(q, INT64_MIN));
    assert_int_equal(quorum_find(q, 2)->client_port, 5);
    assert_int_equal(quorum_find(q, 1)->client_port, -1);
    assert_null(quorum_find(q, 1)->client_host);
    assert_true(quorum_is_voter(q, 3));
    assert_false(quorum_is_voter(q, 2));
    assert_false(quorum_is_voter(q, 4));
    assert_int_equal(quorum_weight(q, 3), 7);
    assert_int_equal(quorum_weight(q, 1), 1);
    assert_int_equal(quorum_weight(q, 2), 0);
    assert_int_equal(quorum_weight(q, -5), 0);
    quorum_free(q);
    quorum_free(NULL);
}

static void the_same_members_may_live_elsewhere(void **state)
{
    (void)state;
    struct quorum *q = parsed("server.1=a:1:2\nserver.2=b:1:2\n");
    const struct {
        const char *text;
        bool same;
    } cases[] = {
        {"server.1=x:5:6;7\nserver.2=y:8:9\nversion=5", true},
        {"server.1=a:1:2\nserver.2=b:1:2:observer", false},
        {"server.1=a:1:2\nserver.3=b:1:2", false},
        {"server.1=a:1:2\nserver.2=b:1:2\nserver.3=b:1:2", false},
        {"server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1:2", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct quorum *other = parsed(cases[i].text);
        assert_int_equal(quorum_same_members(q, other), cases[i].same);
        assert_int_equal(quorum_same_members(other, q), cases[i].same);
        quorum_free(other);
    }
    quorum_free(q);
}

/* Every beginning of a text is taken or refused, and nothing else happens. */
static void any_beginning_of_a_text_is_survived(void **state)
{
    (void)state;
    const char *text = "server.1=[::ffff:1.2.3.4]:1:2|b:3:4:participant;[::1]:5\n# c\r\n"
                       "group.1=1:2\nserver.2=[1::8]:1:2:observer;5\nweight.2=3\nversion=ff\n";
    for (size_t len = 0; len <= strlen(text); len++) {
        char beginning[512];
        snprintf(beginning, sizeof beginning, "%.*s", (int)len, text);
        struct quorum *q = NULL;
        struct err err;
        if (parse(beginning, &q, &err) == 0)
            quorum_free(q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_line_is_written_as_java_writes_it),
        cmocka_unit_test(what_is_no_server_line_is_refused),
        cmocka_unit_test(lines_are_those_of_java_properties),
        cmocka_unit_test(the_version_is_hexadecimal),
        cmocka_unit_test(lines_come_in_the_order_of_a_hash_map),
        cmocka_unit_test(groups_and_weights_are_checked),
        cmocka_unit_test(a_majority_of_voters_is_a_quorum),
        cmocka_unit_test(of_two_voters_one_is_enough_with_an_oracle),
        cmocka_unit_test(a_hierarchical_quorum_is_most_of_most_groups),
        cmocka_unit_test(members_are_found),
        cmocka_unit_test(the_same_members_may_live_elsewhere),
        cmocka_unit_test(any_beginning_of_a_text_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
