/* links: tls */
/* Signatures against RFC 8032's own, and signed notes that were changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "tls/note.h"

static void unhex(const char *text, uint8_t *ret, size_t len)
{
    assert_int_equal(strlen(text), 2 * len);
    assert_true(hex_read(text, len, ret));
}

static void the_rfcs_second_example(void **state)
{
    (void)state;
    uint8_t key[SIGN_KEY_BYTES], wanted[SIGNATURE_BYTES], got[SIGNATURE_BYTES],
        public_key[SIGN_PUBLIC_BYTES], wanted_public[SIGN_PUBLIC_BYTES];
    unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", key, sizeof key);
    unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", wanted_public,
          sizeof wanted_public);
    unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
          wanted, sizeof wanted);
    struct sign_key *k = sign_key_make(key);
    sign_key_public(k, public_key);
    assert_memory_equal(public_key, wanted_public, sizeof public_key);
    sign_make(k, slice_str("r"), got);
    assert_memory_equal(got, wanted, sizeof got);
    assert_true(sign_check(public_key, slice_str("r"), got));
    assert_false(sign_check(public_key, slice_str("s"), got));
    got[5] ^= 1;
    assert_false(sign_check(public_key, slice_str("r"), got));
    memset(public_key, 0xff, sizeof public_key);
    assert_false(sign_check(public_key, slice_str("r"), wanted));
    sign_key_free(k);
    sign_key_free(NULL);
}

static void a_note_that_was_changed_is_none(void **state)
{
    (void)state;
    const uint8_t key[SIGN_KEY_BYTES] = {7};
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    struct sign_key *k = sign_key_make(key);
    struct slice text = slice_str("one\ntwo\n"), read;
    struct buf note = {0};
    sign_key_public(k, public_key);
    note_sign(k, "who", text, &note);
    assert_true(note_check(public_key, "who", buf_slice(&note), &read));
    assert_true(slice_eq(read, text));
    assert_false(note_check(public_key, "whom", buf_slice(&note), &read));
    for (size_t i = 0; i < note.len; i++) {
        note.ptr[i] ^= 4;
        assert_false(note_check(public_key, "who", buf_slice(&note), &read));
        note.ptr[i] ^= 4;
        assert_false(note_check(public_key, "who", buf_part(&note, 0, i), &read));
    }
    /* Somebody else's signature in front of it is passed over. */
    struct buf more = {0};
    buf_printf(&more, "one\ntwo\n\n\xe2\x80\x94 other AAAA\n");
    buf_put_slice(&more, slice_from(buf_slice(&note), text.len + 1));
    assert_true(note_check(public_key, "who", buf_slice(&more), &read));
    buf_deinit(&more);
    buf_deinit(&note);
    sign_key_free(k);
}

static void base64_is_there_and_back(void **state)
{
    (void)state;
    uint8_t bytes[70], read[70];
    for (size_t len = 0; len < sizeof bytes; len++) {
        struct buf text = {0};
        bytes[len] = (uint8_t)(len * 37);
        base64_put(slice_of(bytes, len), &text);
        assert_true(base64_take(buf_slice(&text), read, len));
        assert_memory_equal(read, bytes, len);
        assert_false(base64_take(buf_slice(&text), read, len + 1));
        buf_deinit(&text);
    }
    uint8_t one;
    static const char *const wrong[] = {
        "AA=A", "A===", "=AAA", "A A=", "AA", "AA=", "\nA==", "A*=="};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(base64_take(slice_str(wrong[i]), &one, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_second_example),
        cmocka_unit_test(a_note_that_was_changed_is_none),
        cmocka_unit_test(base64_is_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
