/* sign.h: signatures by Ed25519 (RFC 8032).
 *
 * A key is 32 bytes by chance, or derived from what is secret; whoever has them can sign. One key
 * may be used by several threads. */
#ifndef CAUCUS_TLS_SIGN_H
#define CAUCUS_TLS_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    SIGN_KEY_BYTES = 32,
    SIGN_PUBLIC_BYTES = 32,
    SIGNATURE_BYTES = 64,
};

struct sign_key;

struct sign_key *sign_key_make(const uint8_t key[SIGN_KEY_BYTES]); /* aborts without memory */
void sign_key_free(struct sign_key *k);                            /* NULL is fine */
void sign_key_public(const struct sign_key *k, uint8_t ret[SIGN_PUBLIC_BYTES]);

void sign_make(const struct sign_key *k, struct slice text, uint8_t ret[SIGNATURE_BYTES]);
/* Whether it is of this text and this key. Any bytes are fine. */
bool sign_check(const uint8_t public_key[SIGN_PUBLIC_BYTES], struct slice text,
                const uint8_t signature[SIGNATURE_BYTES]);

#endif
