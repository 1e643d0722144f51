/* links: election */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "election/loss.h"
#include "tls/sign.h"

enum {
    NOTICE_LINES = 13,
};

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "0000000000000000000000000000000000000000000000000000000000000001"

static const char *const lines[NOTICE_LINES] = {
    "caucus loss 1",     "election us 2024", "config " HEX_A,    "state CA",     "round 3",
    "version 7",         "epoch 0",          "committed 1037",   "chain " HEX_B, "kept 1000",
    "kept_chain " HEX_A, "keeper s3",        "missing s1 s-2.x",
};

/* The notice with other lines from `line` (from 1) on: NULL leaves it out. */
static struct buf notice_with(unsigned line, const char *other)
{
    struct buf b = {0};
    for (unsigned i = 1; i <= NOTICE_LINES; i++) {
        if (i == line && other == NULL)
            continue;
        buf_printf(&b, "%s\n", i == line ? other : lines[i - 1]);
    }
    return b;
}

static void refused(struct slice document, const char *with)
{
    struct loss_notice n;
    struct slice part;
    struct err err = {""};
    assert_int_equal(loss_read(document, &n, &part, &err), ERR_INVALID);
    if (strstr(err.text, with) == NULL)
        fail_msg("'%s', not '%s'", err.text, with);
}

static void refused_with(unsigned line, const char *other)
{
    char with[32];
    struct buf b = notice_with(line, other);
    snprintf(with, sizeof with, "line %u: '", line);
    refused(buf_slice(&b), with);
    buf_deinit(&b);
}

/* ---- the notice ---- */

static void a_notice_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct loss_notice n;
    struct slice part;
    struct err err = {""};
    struct buf b = notice_with(0, NULL), again = {0};
    assert_int_equal(loss_read(buf_slice(&b), &n, &part, &err), 0);
    assert_true(slice_eq(part, buf_slice(&b)));
    assert_string_equal(n.election, "us 2024");
    assert_int_equal(n.config.bytes[31], 0xaa);
    assert_string_equal(n.state, "CA");
    assert_int_equal(n.round, 3);
    assert_int_equal(n.version, 7);
    assert_int_equal(n.epoch, 0);
    assert_int_equal(n.committed, 1037);
    assert_int_equal(n.kept, 1000);
    assert_int_equal(n.chain.bytes[31], 1);
    assert_int_equal(n.kept_chain.bytes[0], 0xaa);
    assert_string_equal(n.keeper, "s3");
    assert_int_equal(n.missing_count, 2);
    assert_string_equal(n.missing[1], "s-2.x");
    loss_notice_text(&n, &again);
    assert_true(slice_eq(buf_slice(&again), buf_slice(&b)));
    buf_deinit(&again);
    buf_deinit(&b);
}

static void the_largest_notice_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct loss_notice n;
    memset(&n, 0, sizeof n); /* padding too: it is compared as bytes */
    n.round = n.version = n.epoch = n.committed = UINT64_MAX;
    n.kept = UINT64_MAX - 1;
    n.missing_count = SHARD_MEMBERS_MAX;
    struct loss_notice read;
    struct slice part;
    struct err err = {""};
    struct buf b = {0};
    memset(n.election, 'e', LOSS_ELECTION_BYTES_MAX - 1);
    memset(n.state, 'S', STATE_CODE_BYTES);
    memset(n.keeper, 'k', SERVER_NAME_BYTES_MAX - 1);
    for (int i = 0; i < SHARD_MEMBERS_MAX; i++)
        memset(n.missing[i], 'a' + i, SERVER_NAME_BYTES_MAX - 1);
    loss_notice_text(&n, &b);
    assert_int_equal(loss_read(buf_slice(&b), &read, &part, &err), 0);
    assert_memory_equal(&read, &n, sizeof n);
    buf_deinit(&b);

    n.missing_count = 0;
    memset(n.missing, 0, sizeof n.missing);
    loss_notice_text(&n, &b);
    assert_memory_equal(b.ptr + b.len - strlen("\nmissing\n"), "\nmissing\n",
                        strlen("\nmissing\n"));
    assert_int_equal(loss_read(buf_slice(&b), &read, &part, &err), 0);
    assert_memory_equal(&read, &n, sizeof n);
    buf_deinit(&b);
}

static void what_is_no_notice_is_refused_by_its_line(void **state)
{
    (void)state;
    static const struct {
        unsigned line;
        const char *other;
    } wrong[] = {
        {1, "caucus loss 2"},
        {1, "caucus loss 1 "},
        {1, ""},
        {2, "election "},
        {2, "election"},
        {2, "Election us"},
        {3, "config " HEX_A "a"},
        {3, "config aa"},
        {3, "config AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {3, "config  " HEX_A},
        {4, "state C/A"},
        {4, "state CA "},
        {4, "state ABCDEFGHI"},
        {5, "round 03"},
        {5, "round +3"},
        {5, "round -3"},
        {5, "round 3 "},
        {5, "round  3"},
        {5, "round\t3"},
        {5, "round"},
        {5, "round 0x3"},
        {6, "version 18446744073709551616"},
        {7, "epoch 00"},
        {7, "epoch 99999999999999999999"},
        {8, "committed 1e3"},
        {8, "committed 1,037"},
        {9, "chain " HEX_B "\r"},
        {10, "kept 1037"},
        {10, "kept 1038"},
        {10, "kept "},
        {11, "kept_chain"},
        {12, "keeper s 3"},
        {12, "keeper s/3"},
        {12, "keeper "},
        {13, "missing "},
        {13, "missing s1 "},
        {13, "missing s1  s2"},
        {13, "missings1"},
        {13, "missing s1 s2 s1"},
        {13, "missing s1 s3"}, /* the keeper */
        {13, "missing a b c d e f g h"},
        {13, "missing s1\r"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused_with(wrong[i].line, wrong[i].other);
}

static void each_line_has_its_place(void **state)
{
    (void)state;
    for (unsigned line = 1; line <= NOTICE_LINES; line++) {
        char twice[256];
        if (line < NOTICE_LINES)
            refused_with(line, NULL);
        snprintf(twice, sizeof twice, "%s\n%s", lines[line - 1], lines[line - 1]);
        struct buf b = notice_with(line, twice);
        char with[32];
        snprintf(with, sizeof with, "line %u: '", line + 1);
        refused(buf_slice(&b), with);
        buf_deinit(&b);
    }
    struct buf b = notice_with(NOTICE_LINES, NULL);
    refused(buf_slice(&b), "line 13: 'missing NAME...'");
    buf_deinit(&b);
    refused(slice_of(NULL, 0), "line 1: 'caucus loss 1'");
    refused(slice_str("caucus loss 1\n\n"), "line 2: 'election ID'");
}

static void nothing_stands_beside_the_lines(void **state)
{
    (void)state;
    struct buf b = notice_with(0, NULL);
    struct loss_notice n;
    struct slice part;
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(loss_read(slice_of(b.ptr, len), &n, &part, NULL), ERR_INVALID);
    buf_put_u8(&b, '\n');
    refused(buf_slice(&b), "line 14: 'approval NAME HEX'");
    b.ptr[b.len - 1] = 0;
    refused(buf_slice(&b), "line 14");
    buf_deinit(&b);

    /* A zero in a text would hide what is behind it. */
    b = notice_with(0, NULL);
    uint8_t *blank = memmem(b.ptr, b.len, "us 2024", 7);
    blank[2] = 0;
    refused(buf_slice(&b), "line 2: 'election ID'");
    buf_deinit(&b);
    struct buf large = {0};
    buf_printf(&large, "caucus loss 1\nelection %0*d\n", LOSS_ELECTION_BYTES_MAX, 0);
    refused(buf_slice(&large), "line 2: 'election ID'");
    buf_printf(&large, "%0*d", LOSS_DOCUMENT_BYTES_MAX, 0);
    refused(buf_slice(&large), "more than 16384 bytes");
    buf_deinit(&large);
}

/* ---- approvals ---- */

struct people {
    struct sign_key *keys[3]; /* of alice, bob, carol */
    struct election_info election;
    struct buf document; /* the notice, to begin with */
    size_t notice_len;
    struct err err;
};

static const char *const people_names[] = {"alice", "bob", "carol"};

static int begin(void **state)
{
    struct people *p = calloc(1, sizeof *p);
    assert_non_null(p);
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t key[SIGN_KEY_BYTES] = {(uint8_t)(i + 1)};
        p->keys[i] = sign_key_make(key);
        p->election.approvers[i].name = people_names[i];
        sign_key_public(p->keys[i], p->election.approvers[i].key);
    }
    p->election.approver_count = 3;
    p->election.approvals_min = 2;
    p->document = notice_with(0, NULL);
    p->notice_len = p->document.len;
    *state = p;
    return 0;
}

static int end(void **state)
{
    struct people *p = *state;
    for (int i = 0; i < 3; i++)
        sign_key_free(p->keys[i]);
    buf_deinit(&p->document);
    free(p);
    return 0;
}

static struct slice notice_of(const struct people *p)
{
    return slice_of(p->document.ptr, p->notice_len);
}

/* A signature by the key of one under the name of another. */
static void approve_as(struct people *p, int key, const char *name)
{
    struct buf line = {0};
    loss_approve(p->keys[key], name, notice_of(p), &line);
    buf_put_slice(&p->document, buf_slice(&line));
    buf_deinit(&line);
}

static void approve(struct people *p, int who)
{
    approve_as(p, who, people_names[who]);
}

static void not_approved(struct people *p, const char *with)
{
    int rc = loss_check_approvals(&p->election, buf_slice(&p->document), &p->err);
    if (rc != ERR_INVALID || strstr(p->err.text, with) == NULL)
        fail_msg("%d: '%s', not '%s'", rc, p->err.text, with);
}

static void enough_approvals_in_any_order_will_do(void **state)
{
    struct people *p = *state;
    struct loss_notice n;
    struct slice part;
    not_approved(p, "2 approvals are needed, 0 are there");
    approve(p, 2);
    not_approved(p, "2 approvals are needed, 1 is there");
    approve(p, 0);
    assert_int_equal(loss_check_approvals(&p->election, buf_slice(&p->document), &p->err), 0);
    approve(p, 1);
    assert_int_equal(loss_check_approvals(&p->election, buf_slice(&p->document), &p->err), 0);
    assert_int_equal(loss_read(buf_slice(&p->document), &n, &part, &p->err), 0);
    assert_true(slice_eq(part, notice_of(p)));
    assert_true(loss_names_approver(buf_slice(&p->document), "bob"));
    assert_false(loss_names_approver(buf_slice(&p->document), "bo"));
    assert_false(loss_names_approver(notice_of(p), "bob"));
}

static void one_approval_that_is_not_right_spoils_it(void **state)
{
    struct people *p = *state;
    approve(p, 0);
    approve(p, 1);
    size_t good = p->document.len;

    approve(p, 1);
    not_approved(p, "line 16: a second approval of 'bob'");
    p->document.len = good;
    approve_as(p, 2, "mallory");
    not_approved(p, "line 16: the definition names no approver 'mallory'");
    p->document.len = good;
    approve_as(p, 0, "carol");
    not_approved(p, "line 16: this is not signed by the key of 'carol'");

    /* Names are compared as they are. */
    p->document.len = good;
    approve_as(p, 2, "Carol");
    not_approved(p, "line 16: the definition names no approver 'Carol'");
}

static void approvals_are_of_one_notice(void **state)
{
    struct people *p = *state;
    approve(p, 0);
    approve(p, 1);
    assert_int_equal(loss_check_approvals(&p->election, buf_slice(&p->document), &p->err), 0);
    uint8_t *kept = memmem(p->document.ptr, p->notice_len, "\nkept 1000", 10);
    kept[9] = '1';
    not_approved(p, "line 14: this is not signed by the key of 'alice', or another notice is");
}

static void no_bit_and_no_end_can_be_changed(void **state)
{
    struct people *p = *state;
    approve(p, 0);
    approve(p, 1);
    struct slice whole = buf_slice(&p->document);
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(loss_check_approvals(&p->election, slice_of(whole.ptr, len), NULL),
                         ERR_INVALID);
    for (size_t i = 0; i < whole.len; i++) {
        uint8_t flip = (uint8_t)(1 << i % 8);
        p->document.ptr[i] ^= flip;
        if (loss_check_approvals(&p->election, whole, NULL) != ERR_INVALID)
            fail_msg("byte %zu", i);
        p->document.ptr[i] ^= flip;
    }
    assert_int_equal(loss_check_approvals(&p->election, whole, NULL), 0);
}

static void an_approval_has_one_form(void **state)
{
    struct people *p = *state;
    char hex[2 * SIGNATURE_BYTES + 2], line[512];
    memset(hex, 'a', sizeof hex);
    hex[sizeof hex - 1] = 0;
    const char *longer = hex, *whole = hex + 1, *shorter = hex + 2;
    const struct {
        const char *name, *hex;
    } wrong[] = {
        {"alice", longer},
        {"alice", shorter},
        {"", whole},
        {"al/ice", whole},
        {"alice ", whole},
        {"alice\r", whole},
        {"alice", ""},
        {"a234567890123456789012345678901234567890123456789012345678901234", whole},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        p->document.len = p->notice_len;
        snprintf(line, sizeof line, "approval %s %s\n", wrong[i].name, wrong[i].hex);
        buf_put_slice(&p->document, slice_str(line));
        refused(buf_slice(&p->document), "line 14: 'approval NAME HEX' is wanted");
    }
    p->document.len = p->notice_len;
    snprintf(line, sizeof line, "approval alice %s\n", whole);
    for (int i = 0; i < APPROVERS_MAX; i++)
        buf_put_slice(&p->document, slice_str(line));
    struct loss_notice n;
    struct slice part;
    assert_int_equal(loss_read(buf_slice(&p->document), &n, &part, &p->err), 0);
    buf_put_slice(&p->document, slice_str(line));
    refused(buf_slice(&p->document), "line 46: more than 32 approvals");
}

static void nobody_approves_where_nobody_may(void **state)
{
    struct people *p = *state;
    approve(p, 0);
    approve(p, 1);
    p->election.approver_count = p->election.approvals_min = 0;
    not_approved(p, "the definition names nobody who may approve");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_notice_is_read_as_it_was_written),
        cmocka_unit_test(the_largest_notice_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_notice_is_refused_by_its_line),
        cmocka_unit_test(each_line_has_its_place),
        cmocka_unit_test(nothing_stands_beside_the_lines),
        cmocka_unit_test_setup_teardown(enough_approvals_in_any_order_will_do, begin, end),
        cmocka_unit_test_setup_teardown(one_approval_that_is_not_right_spoils_it, begin, end),
        cmocka_unit_test_setup_teardown(approvals_are_of_one_notice, begin, end),
        cmocka_unit_test_setup_teardown(no_bit_and_no_end_can_be_changed, begin, end),
        cmocka_unit_test_setup_teardown(an_approval_has_one_form, begin, end),
        cmocka_unit_test_setup_teardown(nobody_approves_where_nobody_may, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
