/* links: election */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "election/credential.h"
#include "election/definition.h"

struct folder {
    char dir[64];
    struct definition *definition;
    struct err err;
};

static const char *const names[] = {"election.conf", "candidates.csv", "states.csv", "roll.csv",
                                    "key"};

static void put(const struct folder *f, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int begin(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    memcpy(f->dir, "/tmp/definition-XXXXXX", 23);
    assert_non_null(mkdtemp(f->dir));
    put(f, "election.conf", "# A comment\nid = e1\ntitle=The election\nroll_scale=1/10\n");
    put(f, "candidates.csv", "id,name,states\na,Ann A.,\nb,\"Bob, B.\",CA ny\n");
    put(f, "states.csv",
        "usps,key,name,electors,roll,more,districts,grid_row,grid_col\n"
        "NY,new_york,New York,28,101,x,1,3,9\nCA,california,California,54,1000,,2,4,1\n"
        "ME,maine,Maine,4,20,,,,\n");
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct folder *f = *state;
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(f->dir), 0);
    definition_free(f->definition);
    free(f);
    return 0;
}

static int read_it(struct folder *f)
{
    definition_free(f->definition);
    f->definition = NULL;
    return definition_read(f->dir, NULL, &f->definition, &f->err);
}

static void refused(struct folder *f, const char *with)
{
    int rc = read_it(f);
    if (rc >= 0 || strstr(f->err.text, with) == NULL)
        print_message("%d: %s\n", rc, f->err.text);
    assert_true(rc < 0);
    assert_non_null(strstr(f->err.text, with));
}

static void a_definition_is_read_whole(void **state)
{
    struct folder *f = *state;
    assert_int_equal(read_it(f), 0);
    const struct election_info *e = &f->definition->info;
    assert_string_equal(e->title, "The election");
    assert_int_equal(e->state_count, 3);
    assert_string_equal(e->states[0].names.code, "CA");
    assert_int_equal(e->states[0].roll, 100);
    assert_int_equal(e->states[2].roll, 11); /* rounded up */
    assert_int_equal(e->states[0].districts, 2);
    assert_int_equal(e->states[2].row, 3);
    assert_int_equal(e->states[0].on_ballot, 3);
    assert_int_equal(e->states[1].on_ballot, 1);
    assert_int_equal(f->definition->copies_min, 2);
    assert_false(e->live);
    assert_int_equal(definition_find_state(f->definition, slice_str("new york")), 2);
    assert_int_equal(definition_find_state(f->definition, slice_str("ny")), 2);
    assert_int_equal(definition_find_state(f->definition, slice_str("NJ")), -1);
    assert_int_equal(definition_find_candidate(f->definition, slice_str("Bob, B.")), 1);
    assert_int_equal(definition_find_candidate(f->definition, slice_str("bob")), -1);
}

static void the_original_s_files_are_read(void **state)
{
    struct folder *f = *state;
    put(f, "candidates.csv", "cand1\ncand2\n");
    put(f, "states.csv", "california,55\nnew_york,29\n");
    put(f, "roll.csv", "california,v1,v2,v3\nnew_york,v4\n");
    assert_int_equal(read_it(f), 0);
    const struct election_info *e = &f->definition->info;
    assert_string_equal(e->states[1].names.code, "NY");
    assert_string_equal(e->states[1].names.name, "New York");
    assert_string_equal(e->candidates[1].id, "cand2");
    struct voters v = {0};
    assert_int_equal(definition_roll(f->definition, 0, &v, &f->err), 0);
    assert_int_equal(v.count, 3);
    voters_deinit(&v);
}

static void a_roll_by_rule_has_the_voters_that_the_rule_names(void **state)
{
    struct folder *f = *state;
    struct hmac_key key;
    assert_int_equal(read_it(f), 0);
    struct voters v = {0};
    assert_int_equal(definition_roll(f->definition, 0, &v, &f->err), 0);
    assert_int_equal(v.count, 100);
    definition_key(f->definition, DEFINITION_PSEUDONYMS, 0, &key);
    struct pseudonym first = roll_pseudonym(&key, slice_str("CA-1"));
    struct pseudonym none = roll_pseudonym(&key, slice_str("CA-101"));
    assert_true(voters_find(&v, &first) >= 0);
    assert_true(voters_find(&v, &none) < 0);
    voters_deinit(&v);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
    struct folder *f = *state;
    put(f, "election.conf", "id=e1\nreplicas=9\n");
    refused(f, "election.conf:2: replicas");
    put(f, "election.conf", "id=e1\ncolour=red\n");
    refused(f, "election.conf:2: colour: no such key");
    put(f, "election.conf", "title=x\n");
    refused(f, "id is missing");
    put(f, "election.conf", "id=e1\ncopies_min=4\n");
    refused(f, "more copies_min than replicas");
    put(f, "election.conf", "id=e1\n");
    put(f, "states.csv", "usps,key,name,electors\nCA,california,California,x\n");
    refused(f, "states.csv:2: electors");
    put(f, "states.csv", "usps,key,name,electors\nCA,california,California,1\nCA,b,B,1\n");
    refused(f, "states.csv:3: 'B' is there already");
    put(f, "states.csv", "usps,key,name,electors\nGlobal,g,G,1\n");
    refused(f, "states.csv:2: no state can have the code Global");
    put(f, "states.csv", "usps,key,electors\nCA,california,1\n");
    refused(f, "states.csv:1: column name is missing");
    put(f, "states.csv", "atlantis,3\n");
    refused(f, "states.csv:1: 'atlantis' has no code");
    put(f, "states.csv", "");
    refused(f, "no states");
    put(f, "states.csv", "california,55\n");
    put(f, "candidates.csv", "id,name,states\na,A,XX\n");
    refused(f, "candidates.csv:2: no state 'XX'");
    put(f, "candidates.csv", "id,name,states\na,A,CA\na,B,CA\n");
    refused(f, "candidates.csv:3");
    put(f, "candidates.csv", "id,name\n");
    refused(f, "nobody is on the ballot of CA");
}

static void another_definition_or_key_is_another_hash(void **state)
{
    struct folder *f = *state;
    char path[128];
    assert_int_equal(read_it(f), 0);
    struct hash first = f->definition->info.config;
    assert_int_equal(read_it(f), 0);
    assert_true(hash_eq(&first, &f->definition->info.config));
    put(f, "key", "0123456789abcdef");
    snprintf(path, sizeof path, "%s/key", f->dir);
    definition_free(f->definition);
    f->definition = NULL;
    assert_int_equal(definition_read(f->dir, path, &f->definition, &f->err), 0);
    assert_false(hash_eq(&first, &f->definition->info.config));
    assert_false(f->definition->demonstration);
    put(f, "key", "short");
    definition_free(f->definition);
    f->definition = NULL;
    assert_int_equal(definition_read(f->dir, path, &f->definition, &f->err), ERR_INVALID);
    put(f, "candidates.csv", "id,name\na,Ann A.\n");
    assert_int_equal(read_it(f), 0);
    assert_false(hash_eq(&first, &f->definition->info.config));
}

/* ---- who may approve ---- */

#define KEY_A "000000000000000000000000000000000000000000000000000000000000000a"
#define KEY_B "000000000000000000000000000000000000000000000000000000000000000b"
#define KEY_C "000000000000000000000000000000000000000000000000000000000000000c"
#define KEY_D "000000000000000000000000000000000000000000000000000000000000000d"
#define ABC                                                                                        \
    "id=e1\napprover=alice " KEY_A "\napprover = b.o_b-2 " KEY_B "\napprover=carol " KEY_C "\n"

static uint32_t approvals_min(struct folder *f, const char *conf)
{
    put(f, "election.conf", conf);
    if (read_it(f) < 0)
        fail_msg("%s", f->err.text);
    return f->definition->info.approvals_min;
}

static void approvers_are_read_and_more_than_half_are_wanted(void **state)
{
    struct folder *f = *state;
    assert_int_equal(approvals_min(f, "id=e1\n"), 0);
    assert_int_equal(f->definition->info.approver_count, 0);
    assert_int_equal(approvals_min(f, "id=e1\napprover=alice " KEY_A "\n"), 1);
    assert_int_equal(approvals_min(f, "id=e1\napprover=alice " KEY_A "\napprover=bob " KEY_B "\n"),
                     2);
    assert_int_equal(approvals_min(f, ABC), 2);
    const struct election_info *e = &f->definition->info;
    assert_int_equal(e->approver_count, 3);
    assert_string_equal(e->approvers[1].name, "b.o_b-2");
    assert_int_equal(e->approvers[1].key[31], 0x0b);
    assert_int_equal(approvals_min(f, ABC "approvals_min=1\n"), 1);
    assert_int_equal(approvals_min(f, "approvals_min=3\n" ABC), 3);
}

static void as_many_approvers_as_there_may_be(void **state)
{
    struct folder *f = *state;
    struct buf conf = {0};
    buf_printf(&conf, "id=e1\n");
    for (int i = 0; i < APPROVERS_MAX; i++)
        buf_printf(&conf, "approver=a%d %064x\n", i, i + 1);
    buf_put_u8(&conf, 0);
    assert_int_equal(approvals_min(f, (const char *)conf.ptr), 17);
    assert_int_equal(f->definition->info.approver_count, 32);
    conf.len--;
    buf_printf(&conf, "approver=more %064x\n", 999);
    buf_put_u8(&conf, 0);
    put(f, "election.conf", (const char *)conf.ptr);
    refused(f, "election.conf:34: approver: more approvers than there may be");
    buf_deinit(&conf);
}

static void approvers_that_are_none_are_refused(void **state)
{
    struct folder *f = *state;
    static const char *const wrong[] = {
        "alice",
        "alice " KEY_A "0",
        "alice 0a",
        "al/ice " KEY_A,
        " " KEY_A,
        KEY_A,
        "alice  " KEY_A,
        "alice 000000000000000000000000000000000000000000000000000000000000000A",
        "a234567890123456789012345678901234567890123456789012345678901234 " KEY_A,
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char conf[256];
        snprintf(conf, sizeof conf, "id=e1\napprover=%s\n", wrong[i]);
        put(f, "election.conf", conf);
        refused(f, "election.conf:2: approver: a name and 64 hexadecimal digits are wanted");
    }
    put(f, "election.conf", ABC "approver=alice " KEY_D "\n");
    refused(f, "election.conf:5: approver: there is an approver of this name already");
    put(f, "election.conf", ABC "approver=dave " KEY_B "\n");
    refused(f, "election.conf:5: approver: there is an approver with this key already");
    put(f, "election.conf", ABC "approvals_min=4\n");
    refused(f, "more approvals_min than approvers");
    put(f, "election.conf", ABC "approvals_min=0\n");
    refused(f, "election.conf:5: approvals_min: the number is not in its range");
    put(f, "election.conf", ABC "approvals_min=33\n");
    refused(f, "election.conf:5: approvals_min: the number is not in its range");
    put(f, "election.conf", "id=e1\napprovals_min=1\n");
    refused(f, "more approvals_min than approvers");
}

static struct hash hash_with(struct folder *f, const char *conf)
{
    approvals_min(f, conf);
    return f->definition->info.config;
}

/* Who may approve is agreed upon by all servers; an election without approvers has the hash it had
 * when there were none to be named. */
static void approvers_are_part_of_the_hash(void **state)
{
    struct folder *f = *state;
    struct buf text = {0};
    struct hash none = hash_with(f, "id=e1\n");
    definition_text(f->definition, &text);
    assert_null(memmem(text.ptr, text.len, "appro", 5));
    struct hash three = hash_with(f, ABC), all = hash_with(f, ABC "approvals_min=3\n");
    struct hash two = hash_with(f, ABC "approvals_min=2\n");
    assert_false(hash_eq(&none, &three));
    assert_false(hash_eq(&three, &all));
    assert_true(hash_eq(&three, &two)); /* which is what they have without saying it */
    buf_clear(&text);
    definition_text(f->definition, &text);
    static const char wanted[] = "\napprover=alice " KEY_A "\napprover=b.o_b-2 " KEY_B
                                 "\napprover=carol " KEY_C "\napprovals_min=2\ncandidate ";
    assert_non_null(memmem(text.ptr, text.len, wanted, strlen(wanted)));
    buf_deinit(&text);
}

/* ---- credentials ---- */

static enum credential_verdict check(const char *state, const char *voter, uint64_t round,
                                     int64_t now_s, struct slice text)
{
    struct hmac_key key;
    hmac_key_init(&key, "k", 1);
    return credential_check(&key, state, slice_str(voter), round, now_s, text);
}

static void a_credential_is_its_voter_s_alone(void **state)
{
    struct hmac_key key, other;
    struct buf b = {0};
    (void)state;
    hmac_key_init(&key, "k", 1);
    hmac_key_init(&other, "l", 1);
    credential_make(&key, "CA", slice_str("CA-17"), 2, 1000, &b);
    struct slice text = buf_slice(&b);
    assert_int_equal(check("CA", "CA-17", 2, 999, text), CREDENTIAL_VALID);
    assert_int_equal(check("CA", "CA-17", 2, 1000, text), CREDENTIAL_WRONG);
    assert_int_equal(check("CA", "CA-17", 3, 999, text), CREDENTIAL_WRONG);
    assert_int_equal(check("CA", "CA-18", 2, 999, text), CREDENTIAL_OF_OTHERS);
    assert_int_equal(check("NY", "CA-17", 2, 999, text), CREDENTIAL_OF_OTHERS);
    assert_int_equal(credential_check(&other, "CA", slice_str("CA-17"), 2, 999, text),
                     CREDENTIAL_WRONG);
    /* Whatever is changed, cut or added makes it none. */
    for (size_t i = 0; i < b.len; i++) {
        b.ptr[i] ^= 1;
        assert_int_not_equal(check("CA", "CA-17", 2, 999, text), CREDENTIAL_VALID);
        b.ptr[i] ^= 1;
        assert_int_not_equal(check("CA", "CA-17", 2, 999, slice_of(b.ptr, i)), CREDENTIAL_VALID);
    }
    buf_put_u8(&b, 'A');
    assert_int_not_equal(check("CA", "CA-17", 2, 999, buf_slice(&b)), CREDENTIAL_VALID);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_definition_is_read_whole, begin, end),
        cmocka_unit_test_setup_teardown(the_original_s_files_are_read, begin, end),
        cmocka_unit_test_setup_teardown(a_roll_by_rule_has_the_voters_that_the_rule_names, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_told_with_its_place, begin, end),
        cmocka_unit_test_setup_teardown(another_definition_or_key_is_another_hash, begin, end),
        cmocka_unit_test_setup_teardown(approvers_are_read_and_more_than_half_are_wanted, begin,
                                        end),
        cmocka_unit_test_setup_teardown(as_many_approvers_as_there_may_be, begin, end),
        cmocka_unit_test_setup_teardown(approvers_that_are_none_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(approvers_are_part_of_the_hash, begin, end),
        cmocka_unit_test(a_credential_is_its_voter_s_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
