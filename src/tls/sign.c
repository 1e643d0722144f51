#include "tls/sign.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

struct sign_key {
    EVP_PKEY *pair;
};

struct sign_key *sign_key_make(const uint8_t key[SIGN_KEY_BYTES])
{
    struct sign_key *k = mem_calloc(1, sizeof *k);
    k->pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key, SIGN_KEY_BYTES);
    invariant(k->pair != NULL); /* any 32 bytes are a key */
    return k;
}

void sign_key_free(struct sign_key *k)
{
    if (k != NULL)
        EVP_PKEY_free(k->pair);
    free(k);
}

void sign_key_public(const struct sign_key *k, uint8_t ret[SIGN_PUBLIC_BYTES])
{
    size_t len = SIGN_PUBLIC_BYTES;
    int rc = EVP_PKEY_get_raw_public_key(k->pair, ret, &len);
    invariant(rc == 1 && len == SIGN_PUBLIC_BYTES);
}

void sign_make(const struct sign_key *k, struct slice text, uint8_t ret[SIGNATURE_BYTES])
{
    size_t len = SIGNATURE_BYTES;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool made = c != NULL && EVP_DigestSignInit(c, NULL, NULL, NULL, k->pair) == 1 &&
                EVP_DigestSign(c, ret, &len, text.ptr, text.len) == 1;
    EVP_MD_CTX_free(c);
    invariant(made && len == SIGNATURE_BYTES);
}

bool sign_check(const uint8_t public_key[SIGN_PUBLIC_BYTES], struct slice text,
                const uint8_t signature[SIGNATURE_BYTES])
{
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, SIGN_PUBLIC_BYTES);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool right = key != NULL && c != NULL && EVP_DigestVerifyInit(c, NULL, NULL, NULL, key) == 1 &&
                 EVP_DigestVerify(c, signature, SIGNATURE_BYTES, text.ptr, text.len) == 1;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    ERR_clear_error(); /* of a signature that is none */
    return right;
}
