/* links: election */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "election/identity.h"
#include "election/seat.h"

/* ---- seats ---- */

static bool parse(const char *end, struct seat_name *ret)
{
    char name[160];
    snprintf(name, sizeof name, "n-0102030405060708090a0b0c0000002a-%s", end);
    return seat_parse(name, ret);
}

static void a_name_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct seat_name n = {.serial = 42, .member = 6}, again;
    for (uint8_t i = 0; i < SEAT_PROCESS_BYTES; i++)
        n.process[i] = (uint8_t)(i + 1);
    char prefix[SEAT_NAME_BYTES_MAX], name[2 * SEAT_NAME_BYTES_MAX];
    seat_prefix(&n, prefix);
    assert_string_equal(prefix, "n-0102030405060708090a0b0c0000002a-6-");
    snprintf(name, sizeof name, "%s0000000000", prefix);
    assert_true(seat_parse(name, &again));
    assert_memory_equal(again.process, n.process, sizeof n.process);
    assert_int_equal(again.serial, 42);
    assert_int_equal(again.member, 6);
    assert_int_equal(again.seat, 1); /* sequences begin at 0, seats at 1 */
}

/* "%010d" of a counter that went beyond 31 bits. */
static void seats_rise_beyond_the_largest_sequence(void **state)
{
    (void)state;
    static const char *const ends[] = {"0-0000000000",  "0-2147483646",  "0-2147483647",
                                       "0--2147483648", "0--2147483647", "0--000000002",
                                       "0--000000001"};
    uint64_t last = 0;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct seat_name n;
        assert_true(parse(ends[i], &n));
        assert_true(n.seat > last);
        last = n.seat;
    }
}

static void other_names_are_not_seats(void **state)
{
    (void)state;
    static const char *const ends[] = {"",
                                       "0",
                                       "0-",
                                       "-0000000001",
                                       "0-00000x0001",
                                       "0-2147483648",
                                       "0--2147483649",
                                       "0---000000001",
                                       "0-0000000001-",
                                       "99999999999-0000000001",
                                       "4294967296-0000000001",
                                       "0-99999999999999999999999999"};
    struct seat_name n;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        assert_false(parse(ends[i], &n));
    assert_false(seat_parse("", &n));
    assert_false(seat_parse("n-", &n));
    assert_false(seat_parse("n-0102030405060708090a0b0c0000002", &n));
    assert_false(seat_parse("n-0102030405060708090A0b0c0000002a-0-0000000001", &n));
}

/* ---- identities ---- */

static struct server_identity identity(const char *name, uint8_t incarnation)
{
    struct server_identity s = {0};
    snprintf(s.name, sizeof s.name, "%s", name);
    memset(s.incarnation, incarnation, sizeof s.incarnation);
    snprintf(s.peer, sizeof s.peer, "[::1]:7");
    return s;
}

static void an_identity_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct server_identity s = identity("ca-1.example_x", 0xab), again;
    struct hash config, found;
    struct buf text = {0};
    memset(&config, 0x5c, sizeof config);
    identity_encode(&s, &config, &text);
    assert_true(identity_decode(buf_slice(&text), &again, &found));
    assert_true(identity_same(&s, &again));
    assert_memory_equal(&config, &found, sizeof config);
    assert_true(identity_decode(buf_slice(&text), &again, NULL));
    buf_printf(&text, "later=something");
    assert_true(identity_decode(buf_slice(&text), &again, NULL));

    buf_clear(&text);
    identity_encode(&s, NULL, &text);
    assert_true(identity_decode(buf_slice(&text), &again, &found));
    assert_true(hash_eq(&found, &(struct hash){{0}}));
    for (size_t len = 0; len < text.len; len++) /* whatever it is: no crash */
        identity_decode(slice_of(text.ptr, len), &again, &found);
    buf_deinit(&text);
}

static void what_cannot_be_an_identity_is_not_one(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "name=\n",
        "name=a b\n",
        "name=../x\n",
        "name=a\npeer=x y\n",
        "no equals",
        "name=a\nincarnation=12\n",
        "name=a\nincarnation=zz\n",
        "name=a\nrest=\x7f\n",
    };
    struct server_identity s;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(identity_decode(slice_str(texts[i]), &s, NULL));
    char text[IDENTITY_BYTES_MAX + 10] = "name=";
    memset(text + 5, 'a', sizeof text - 6);
    assert_false(identity_decode(slice_str(text), &s, NULL));
    text[5 + SERVER_NAME_BYTES_MAX] = '\0';
    assert_false(identity_decode(slice_str(text), &s, NULL));
    text[4 + SERVER_NAME_BYTES_MAX] = '\0';
    assert_true(identity_decode(slice_str(text), &s, NULL));
}

/* ---- claims ---- */

static void numbers_are_taken_once(void **state)
{
    (void)state;
    struct member members[3] = {{0}};
    struct server_identity a = identity("a", 1), b = identity("b", 2);
    struct claim c = claim_decide(members, 3, &a, false);
    assert_int_equal(c.verdict, CLAIM_TAKE);
    assert_int_equal(c.number, 0);

    members[0] = (struct member){.known = true, .server = b};
    c = claim_decide(members, 3, &a, false);
    assert_int_equal(c.verdict, CLAIM_TAKE);
    assert_int_equal(c.number, 1);
    c = claim_decide(members, 3, &b, false);
    assert_int_equal(c.verdict, CLAIM_OURS);
    assert_int_equal(c.number, 0);
    assert_int_equal(claim_decide(members, 1, &a, true).verdict, CLAIM_REFUSED);

    members[1].known = members[2].known = true; /* whose, cannot be read */
    assert_int_equal(claim_decide(members, 3, &a, true).verdict, CLAIM_REFUSED);
}

static void another_disk_is_another_server_unless_one_says_so(void **state)
{
    (void)state;
    struct server_identity old = identity("a", 1), new = identity("a", 2);
    struct member members[3] = {{0}};
    members[1] = (struct member){.known = true, .server = old};
    assert_int_equal(claim_decide(members, 3, &new, false).verdict, CLAIM_REFUSED);
    struct claim c = claim_decide(members, 3, &new, true);
    assert_int_equal(c.verdict, CLAIM_REPLACE);
    assert_int_equal(c.number, 1);
    snprintf(old.peer, sizeof old.peer, "elsewhere:1");
    assert_int_equal(claim_decide(members, 3, &old, true).verdict, CLAIM_OURS);
}

/* ---- rolls ---- */

static struct member with_roll(const char *name, uint8_t roll)
{
    return (struct member){.known = true, .server = identity(name, 1), .roll = {{roll}}};
}

static void a_member_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct buf text = {0};
    struct member m = with_roll("a", 7), again;
    member_encode(&m, &text);
    member_decode(buf_slice(&text), &again);
    assert_true(member_same(&m, &again));
    m.roll.bytes[31] = 1;
    assert_false(member_same(&m, &again));

    buf_clear(&text);
    m.roll = (struct hash){{0}};
    member_encode(&m, &text);
    member_decode(buf_slice(&text), &again);
    assert_true(member_same(&m, &again)); /* as one of before it has said */
    member_decode(slice_str("roll=x"), &again);
    assert_true(again.known && again.server.name[0] == 0);
    buf_deinit(&text);
}

static void a_roll_is_disputed_unless_most_have_it(void **state)
{
    (void)state;
    static const struct {
        uint8_t others[2]; /* 0: has not said */
        bool disputed;
    } cases[] = {{{0, 0}, false}, {{1, 0}, false}, {{2, 0}, true},
                 {{1, 2}, false}, {{2, 2}, true},  {{2, 3}, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct member members[3] = {with_roll("a", 1), with_roll("b", cases[i].others[0]),
                                    with_roll("c", cases[i].others[1])};
        assert_int_equal(member_roll_is_disputed(members, 3, 0, &members[0].roll),
                         cases[i].disputed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_read_as_it_was_written),
        cmocka_unit_test(seats_rise_beyond_the_largest_sequence),
        cmocka_unit_test(other_names_are_not_seats),
        cmocka_unit_test(an_identity_is_read_as_it_was_written),
        cmocka_unit_test(what_cannot_be_an_identity_is_not_one),
        cmocka_unit_test(numbers_are_taken_once),
        cmocka_unit_test(another_disk_is_another_server_unless_one_says_so),
        cmocka_unit_test(a_member_is_read_as_it_was_written),
        cmocka_unit_test(a_roll_is_disputed_unless_most_have_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
