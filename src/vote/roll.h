/* roll.h: who may vote in a state: read from CSV, or made by a rule.
 *
 * Two forms of CSV are read, told apart by the first field:
 *   voter_id[,district][,credential_pubkey]   a heading with these names in any order, then a voter
 *                                             in each row; the key is 64 hex digits or empty
 *   state,voter,voter,...                     rows as wide as the state has voters; those of other
 *                                             states are passed over, a state may have several rows
 * An id is any text of 1 to 128 bytes without control characters, and counts as it stands:
 * upper case is not lower case.
 *
 * The rule of a synthetic roll: ids PREFIX1 to PREFIXn; voter i is of district i % districts.
 *
 * Errors are ERR_INVALID and name line and column; a voter twice names both places. */
#ifndef CAUCUS_VOTE_ROLL_H
#define CAUCUS_VOTE_ROLL_H

#include "vote/csv.h"
#include "vote/voters.h"

enum {
    VOTER_ID_BYTES_MAX = 128,
    STATE_NAME_BYTES_MAX = 64,
    DISTRICTS_MAX = 8,
    CREDENTIAL_KEY_BYTES = 32,
};

/* The names a state goes by in files and requests: "CA", "california", "California". */
struct state_names {
    const char *code, *key, *name;
};
/* Letters of either case, and an underscore is a blank. */
bool state_is_called(const struct state_names *s, struct slice name);

/* Which voter a pseudonym is can be told by whoever has the key, and by nobody else. */
struct pseudonym roll_pseudonym(const struct hmac_key *key, struct slice voter_id);
bool roll_id_is_valid(struct slice voter_id);

/* Told of each voter's public key, where the file has one. */
typedef void roll_key_fn(void *arg, const struct pseudonym *p,
                         const uint8_t key[CREDENTIAL_KEY_BYTES]);

struct roll_options {
    struct state_names state;
    const struct hmac_key *key; /* borrowed until roll_import_end */
    uint8_t districts;          /* district numbers are below; at least 1 */
    size_t voters_max;          /* more are refused */
    roll_key_fn *on_key;        /* may be NULL */
    void *arg;
};

struct roll_import;

struct roll_import *roll_import_begin(const struct roll_options *options);
int roll_import_add(struct roll_import *r, struct slice bytes, struct err *err);
/* On success `ret` has the table, sorted, nobody has voted; *ret_passed_over is how many voters of
 * other states were seen (may be NULL). Ends the import either way. */
int roll_import_end(struct roll_import *r, struct voters *ret, uint64_t *ret_passed_over,
                    struct err *err);
void roll_import_free(struct roll_import *r); /* without end; NULL is fine */

struct roll_rule {
    const char *prefix;
    uint64_t count; /* < 2^32 */
    uint8_t districts;
};
/* The id of voter `number` (1 to count); returns its length. */
size_t roll_rule_id(const struct roll_rule *rule, uint64_t number, char ret[VOTER_ID_BYTES_MAX]);
int roll_by_rule(const struct roll_rule *rule, const struct hmac_key *key, struct voters *ret,
                 struct err *err);

#endif
