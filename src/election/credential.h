/* credential.h: what a voter shows to be believed: made by the registrar, checked by every server.
 *
 *   base64url, without padding, of   STATE|VOTER|ROUND|EXPIRES|  and the first 16 bytes of
 *   HMAC-SHA-256 of these bytes under the state's key (definition_key, DEFINITION_CREDENTIALS)
 *
 * STATE: the code. ROUND: of the election it is for, 0 = any. EXPIRES: seconds since 1970, 0 =
 * never. VOTER has no "|". Whoever has the election's master key can make them. */
#ifndef CAUCUS_ELECTION_CREDENTIAL_H
#define CAUCUS_ELECTION_CREDENTIAL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/sha256.h"
#include "vote/roll.h"

enum {
    CREDENTIAL_BYTES_MAX = 320, /* of the text */
    CREDENTIAL_MAC_BYTES = 16,
};

/* Appends the text. */
void credential_make(const struct hmac_key *key, const char *state, struct slice voter,
                     uint64_t round, int64_t expires_s, struct buf *ret);

enum credential_verdict {
    CREDENTIAL_VALID,
    CREDENTIAL_WRONG,     /* not one, or not by this key, or out of its time or round */
    CREDENTIAL_OF_OTHERS, /* right, but of another voter, or state */
};
/* Any bytes are fine. Takes the same time whatever is wrong with the code. */
enum credential_verdict credential_check(const struct hmac_key *key, const char *state,
                                         struct slice voter, uint64_t round, int64_t now_s,
                                         struct slice text);

#endif
