/* receipt_file.h: a voter's receipt, as a server has given it in JSON, and proofs. Any text is
 * fine. */
#ifndef CAUCUS_COMMITTEE_RECEIPT_FILE_H
#define CAUCUS_COMMITTEE_RECEIPT_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "tls/sign.h"
#include "vote/record.h"
#include "vote/shard_effects.h"

struct receipt_file {
    char state[STATE_CODE_BYTES + 1];
    struct receipt receipt;
    bool is_signed;
    uint8_t signature[SIGNATURE_BYTES];
};

/* An object with the members of a receipt, or one that has it as its member "receipt". ERR_INVALID
 * says which member is missing or none. */
int receipt_file_read(struct slice text, struct receipt_file *ret, struct err *err);

/* What /v1/log/STATE/proof/... answers. */
struct proof_file {
    struct hash root, path[MERKLE_PROOF_MAX];
    size_t count;
};
bool proof_file_read(struct slice text, struct proof_file *ret);

/* What /v1/election answers, of what matters to a receipt. */
struct signer {
    char election[128]; /* id */
    uint8_t key[SIGN_PUBLIC_BYTES];
    bool known;
};
bool signer_read(struct slice text, struct signer *ret);
bool signer_read_hex(const char *text, struct signer *ret);

#endif
