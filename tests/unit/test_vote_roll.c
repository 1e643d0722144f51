/* links: vote */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vote/roll.h"

static const struct state_names new_york = {"NY", "new_york", "New York"};

static struct hmac_key key_of(const char *text)
{
    struct hmac_key k;
    hmac_key_init(&k, text, strlen(text));
    return k;
}

static struct roll_options options_of(const struct hmac_key *key)
{
    return (struct roll_options){
        .state = new_york, .key = key, .districts = 3, .voters_max = 1000000};
}

/* The whole file in pieces of `step` bytes. */
static int import(const struct roll_options *o, const char *file, size_t step, struct voters *ret,
                  uint64_t *ret_passed_over, struct err *err)
{
    struct roll_import *r = roll_import_begin(o);
    size_t len = strlen(file);
    for (size_t at = 0; at < len; at += step) {
        if (roll_import_add(r, slice_of(file + at, at + step < len ? step : len - at), err) < 0)
            break;
    }
    return roll_import_end(r, ret, ret_passed_over, err);
}

static const struct voter *voter_named(const struct voters *v, const struct hmac_key *key,
                                       const char *id)
{
    struct pseudonym p = roll_pseudonym(key, slice_str(id));
    int64_t at = voters_find(v, &p);
    return at < 0 ? NULL : &v->array[at];
}

static void assert_refused(const char *file, const char *message)
{
    struct hmac_key key = key_of("k");
    struct roll_options o = options_of(&key);
    struct voters v = {0};
    for (size_t step = 1; step < 100; step += 40) {
        struct err err = {""};
        assert_int_equal(import(&o, file, step, &v, NULL, &err), ERR_INVALID);
        assert_string_equal(err.text, message);
        assert_null(v.array);
    }
}

static void columns_in_any_order(void **state)
{
    (void)state;
    struct hmac_key key = key_of("k");
    struct roll_options o = options_of(&key);
    struct err err;
    for (size_t step = 1; step < 50; step++) {
        struct voters v;
        assert_int_equal(import(&o,
                                "\xef\xbb\xbf"
                                "district,voter_id\r\n2,\"a, b\"\r\n\r\n0,c\"\"",
                                step, &v, NULL, &err),
                         ERR_INVALID);
        assert_int_equal(import(&o,
                                "\xef\xbb\xbf"
                                "district,voter_id\r\n2,\"a, \"\"b\"\r\n\r\n0,c",
                                step, &v, NULL, &err),
                         0);
        assert_int_equal(v.count, 2);
        assert_int_equal(voter_named(&v, &key, "a, \"b")->district, 2);
        assert_int_equal(voter_named(&v, &key, "c")->district, 0);
        assert_null(voter_named(&v, &key, "C"));
        voters_deinit(&v);
    }
}

static void wide_rows_of_many_states(void **state)
{
    (void)state;
    struct hmac_key key = key_of("k");
    struct roll_options o = options_of(&key);
    struct voters v;
    struct err err;
    uint64_t passed_over;
    const char *file = "california,x,y,z\nnew_york,a,b\nNew York,c\nny,d\ntexas,a\n";
    assert_int_equal(import(&o, file, 7, &v, &passed_over, &err), 0);
    assert_int_equal(v.count, 4);
    assert_int_equal(passed_over, 4);
    for (const char *id = "abcd"; *id != 0; id++)
        assert_non_null(voter_named(&v, &key, (char[]){*id, 0}));
    assert_null(voter_named(&v, &key, "x"));
    voters_deinit(&v);
}

static void errors_name_line_and_column(void **state)
{
    (void)state;
    assert_refused(
        "voter_id\na\nb\na\n",
        "line 4, column 1: this voter stands in line 2, column 1 already (1 duplicates in all)");
    assert_refused(
        "new_york,a,b,a\n",
        "line 1, column 14: this voter stands in line 1, column 10 already (1 duplicates in all)");
    assert_refused("voter_id,district\na,1\nb,3\n",
                   "line 3, column 3 (field 2): the state has no such district");
    assert_refused("voter_id,district\na,x\n",
                   "line 2, column 3 (field 2): a district is a number");
    assert_refused("voter_id,district\na\n",
                   "line 2, column 3 (field 2): the row has fewer fields than the heading");
    assert_refused("voter_id\na,b\n",
                   "line 2, column 3 (field 2): the row has more fields than the heading");
    assert_refused("voter_id,voter_id\n",
                   "line 1, column 10 (field 2): the heading names a column twice");
    assert_refused("voter_id,name\n", "line 1, column 10 (field 2): the heading may name voter_id, "
                                      "district and credential_pubkey only");
    assert_refused("district\n1\n", "line 1, column 10 (field 2): the heading has no voter_id");
    assert_refused("voter_id\n\"\"\n", "line 2, column 1 (field 1): a voter without an id");
    assert_refused("voter_id\na\tb\n", "line 2, column 1 (field 1): a voter's id is at most 128 "
                                       "bytes, none of them a control character");
    assert_refused("voter_id,credential_pubkey\na,00ff\n",
                   "line 2, column 3 (field 2): a credential's public key is 64 hex digits");
    assert_refused(
        "voter_id\na\"b\n",
        "line 2, column 2 (field 1): a quote inside of a field that does not begin with one");
    assert_refused("voter_id\n\"a\"b\n",
                   "line 2, column 4 (field 1): text behind the closing quote");
    assert_refused("voter_id\n\"a\n", "line 3, column 1 (field 1): the file ends inside of quotes");
    assert_refused("voter_id\na\rb\n",
                   "line 2, column 3 (field 1): a carriage return without a line feed");
    assert_refused("", "no voter of this state in the file");
    assert_refused("texas,a\n", "no voter of this state in the file");
}

static void a_long_field_and_a_zero_byte_are_refused(void **state)
{
    (void)state;
    struct hmac_key key = key_of("k");
    struct roll_options o = options_of(&key);
    struct err err;
    struct voters v;
    char file[400];
    memset(file, 'a', sizeof file - 1);
    file[sizeof file - 1] = 0;
    assert_int_equal(import(&o, file, 11, &v, NULL, &err), ERR_INVALID);
    assert_string_equal(err.text,
                        "line 1, column 257 (field 1): the field is longer than 256 bytes");

    struct roll_import *r = roll_import_begin(&o);
    assert_int_equal(roll_import_add(r, slice_of("new_york,a\0", 11), &err), ERR_INVALID);
    assert_int_equal(roll_import_add(r, slice_str(",b\n"), &err), ERR_INVALID);
    assert_string_equal(err.text, "line 1, column 11 (field 2): a zero byte: this is not text");
    roll_import_free(r);
}

static void more_voters_than_allowed_are_refused(void **state)
{
    (void)state;
    struct hmac_key key = key_of("k");
    struct roll_options o = options_of(&key);
    struct err err;
    struct voters v;
    o.voters_max = 2;
    assert_int_equal(import(&o, "ny,a,b,c", 100, &v, NULL, &err), ERR_INVALID);
    assert_string_equal(err.text,
                        "line 1, column 8 (field 4): the roll has more voters than are allowed");
}

static void note_key(void *arg, const struct pseudonym *p, const uint8_t key[CREDENTIAL_KEY_BYTES])
{
    (void)p;
    int *sum = arg;
    *sum += 1000 + key[0] + key[31];
}

static void credentials_are_handed_on(void **state)
{
    (void)state;
    struct hmac_key key = key_of("k");
    struct roll_options o = options_of(&key);
    struct err err;
    struct voters v;
    int sum = 0;
    o.on_key = note_key;
    o.arg = &sum;
    const char *file = "voter_id,credential_pubkey\n"
                       "a,0500000000000000000000000000000000000000000000000000000000000aFf\nb,\n";
    assert_int_equal(import(&o, file, 9, &v, NULL, &err), 0);
    assert_int_equal(sum, 1000 + 5 + 255);
    voters_deinit(&v);
}

static void a_roll_by_rule_finds_all_of_its_voters(void **state)
{
    (void)state;
    struct hmac_key key = key_of("k"), other = key_of("other");
    struct roll_rule rule = {"ny-", 50000, 3};
    struct err err;
    struct voters v;
    assert_int_equal(roll_by_rule(&rule, &key, &v, &err), 0);
    assert_int_equal(v.count, 50000);
    assert_int_equal(voters_duplicate(&v, 0), v.count);
    for (uint64_t i = 1; i <= rule.count; i++) {
        char id[VOTER_ID_BYTES_MAX];
        struct pseudonym p = roll_pseudonym(&key, slice_of(id, roll_rule_id(&rule, i, id)));
        int64_t at = voters_find(&v, &p);
        assert_true(at >= 0);
        assert_int_equal(v.array[at].district, i % 3);
        assert_int_equal(v.array[at].last, 0);
    }
    for (size_t i = 1; i < v.count; i++)
        assert_true(memcmp(&v.array[i - 1].pseudonym, &v.array[i].pseudonym, 16) < 0);
    assert_null(voter_named(&v, &key, "ny-0"));
    assert_null(voter_named(&v, &key, "ny-50001"));
    assert_null(voter_named(&v, &other, "ny-1"));
    voters_deinit(&v);
}

/* Not what an HMAC gives, but the table has to end its searches all the same. */
static void pseudonyms_that_are_not_spread_are_found(void **state)
{
    (void)state;
    struct voters v = {0};
    for (int i = 0; i < 3000; i++) {
        struct pseudonym p = {{0}};
        p.bytes[i % 3 == 0 ? 0 : 14] = (uint8_t)(i >> 8);
        p.bytes[15] = (uint8_t)i;
        p.bytes[13] = (uint8_t)(i % 3);
        voters_add(&v, &p, 0, (uint32_t)i);
    }
    voters_sort(&v);
    for (size_t i = 0; i < v.count; i++) {
        struct pseudonym p = v.array[i].pseudonym;
        assert_int_equal(voters_find(&v, &p), i);
        p.bytes[12] = 9;
        assert_int_equal(voters_find(&v, &p), -1);
    }
    voters_deinit(&v);
    assert_int_equal(voters_find(&v, &(struct pseudonym){{0}}), -1);
}

static void the_hash_is_of_the_roll_and_not_of_its_order(void **state)
{
    (void)state;
    struct hmac_key key = key_of("k");
    struct roll_options o = options_of(&key);
    struct voters a, b, c;
    struct err err;
    assert_int_equal(import(&o, "voter_id,district\na,1\nb,2\n", 99, &a, NULL, &err), 0);
    assert_int_equal(import(&o, "district,voter_id\n2,b\n1,a\n", 99, &b, NULL, &err), 0);
    assert_int_equal(import(&o, "district,voter_id\n2,b\n0,a\n", 99, &c, NULL, &err), 0);
    struct hash ha = voters_hash(&a), hb = voters_hash(&b), hc = voters_hash(&c);
    assert_true(hash_eq(&ha, &hb));
    assert_false(hash_eq(&ha, &hc));
    voters_deinit(&a);
    voters_deinit(&b);
    voters_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_in_any_order),
        cmocka_unit_test(wide_rows_of_many_states),
        cmocka_unit_test(errors_name_line_and_column),
        cmocka_unit_test(a_long_field_and_a_zero_byte_are_refused),
        cmocka_unit_test(more_voters_than_allowed_are_refused),
        cmocka_unit_test(credentials_are_handed_on),
        cmocka_unit_test(a_roll_by_rule_finds_all_of_its_voters),
        cmocka_unit_test(pseudonyms_that_are_not_spread_are_found),
        cmocka_unit_test(the_hash_is_of_the_roll_and_not_of_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
