/* note.h: signed notes as C2SP has them: a text that ends with a line's end, a blank line, and
 * lines with signatures by Ed25519:
 *
 *   — NAME base64(first 4 bytes of SHA-256(NAME | "\n" | 1 | public key) | signature 64) */
#ifndef CAUCUS_TLS_NOTE_H
#define CAUCUS_TLS_NOTE_H

#include "base/buf.h"
#include "tls/sign.h"

/* Appends text, blank line and signature. `name` has no blank and no "+". */
void note_sign(const struct sign_key *k, const char *name, struct slice text, struct buf *ret);

/* Whether one of its signatures is by this name and key; then *ret_text is what is signed, in the
 * note. Any bytes are fine. */
bool note_check(const uint8_t public_key[SIGN_PUBLIC_BYTES], const char *name, struct slice note,
                struct slice *ret_text);

void base64_put(struct slice bytes, struct buf *ret);
/* Exactly `len` bytes. */
bool base64_take(struct slice text, uint8_t *ret, size_t len);

#endif
