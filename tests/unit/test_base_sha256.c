/* links: server */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/sha.h>

#include "base/sha256.h"

/* The same without the processor's instructions, under other names. */
#define SHA256_PORTABLE
#define sha256_begin  portable_begin
#define sha256_add    portable_add
#define sha256_end    portable_end
#define sha256_of     portable_of
#define hmac_key_init portable_key_init
#define hmac_of       portable_hmac_of
void portable_begin(struct sha256 *h);
void portable_add(struct sha256 *h, const void *bytes, size_t len);
void portable_end(struct sha256 *h, uint8_t ret[SHA256_BYTES]);
void portable_of(const void *bytes, size_t len, uint8_t ret[SHA256_BYTES]);
void portable_key_init(struct hmac_key *k, const void *key, size_t len);
void portable_hmac_of(const struct hmac_key *k, const void *bytes, size_t len,
                      uint8_t ret[SHA256_BYTES]);
#include "base/sha256.c"
#undef sha256_begin
#undef sha256_add
#undef sha256_end
#undef sha256_of
#undef hmac_key_init
#undef hmac_of

static void hex_of(const uint8_t *bytes, size_t len, char *ret)
{
    for (size_t i = 0; i < len; i++)
        snprintf(ret + i * 2, 3, "%02x", bytes[i]);
}

static void assert_sha(const char *text, const char *hex)
{
    uint8_t sum[SHA256_BYTES];
    char got[2 * SHA256_BYTES + 1];
    sha256_of(text, strlen(text), sum);
    hex_of(sum, sizeof sum, got);
    assert_string_equal(got, hex);
}

/* FIPS 180-4's examples. */
static void known_hashes(void **state)
{
    (void)state;
    assert_sha("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_sha("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");

    char *million = malloc(1000001);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    million[1000000] = 0;
    assert_sha(million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

/* RFC 4231, cases 1, 2 and 6 (a key longer than a block). */
static void known_codes(void **state)
{
    (void)state;
    uint8_t key[131], sum[SHA256_BYTES];
    char got[2 * SHA256_BYTES + 1];
    struct hmac_key k;

    memset(key, 0x0b, 20);
    hmac_key_init(&k, key, 20);
    hmac_of(&k, "Hi There", 8, sum);
    hex_of(sum, sizeof sum, got);
    assert_string_equal(got, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");

    hmac_key_init(&k, "Jefe", 4);
    hmac_of(&k, "what do ya want for nothing?", 28, sum);
    hex_of(sum, sizeof sum, got);
    assert_string_equal(got, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

    memset(key, 0xaa, sizeof key);
    hmac_key_init(&k, key, sizeof key);
    hmac_of(&k, "Test Using Larger Than Block-Size Key - Hash Key First", 54, sum);
    hex_of(sum, sizeof sum, got);
    assert_string_equal(got, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void the_same_in_pieces(void **state)
{
    (void)state;
    uint8_t bytes[300], whole[SHA256_BYTES], pieces[SHA256_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        sha256_of(bytes, len, whole);
        for (size_t step = 1; step < 70; step += 23) {
            struct sha256 h;
            sha256_begin(&h);
            for (size_t at = 0; at < len; at += step)
                sha256_add(&h, bytes + at, at + step < len ? step : len - at);
            sha256_end(&h, pieces);
            assert_memory_equal(pieces, whole, sizeof whole);
        }
    }
}

static void as_libcrypto_has_it(void **state)
{
    (void)state;
    uint8_t bytes[1000], ours[SHA256_BYTES], portable[SHA256_BYTES], theirs[SHA256_BYTES];
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof bytes; i++) {
        random = random * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(random >> 24);
    }
    for (size_t len = 0; len <= sizeof bytes; len++) {
        sha256_of(bytes, len, ours);
        portable_of(bytes, len, portable);
        SHA256(bytes, len, theirs);
        assert_memory_equal(portable, theirs, sizeof ours);
        assert_memory_equal(ours, theirs, sizeof ours);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_hashes),
        cmocka_unit_test(known_codes),
        cmocka_unit_test(the_same_in_pieces),
        cmocka_unit_test(as_libcrypto_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
