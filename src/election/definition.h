/* definition.h: the folder that defines an election, read once (README.md has its files).
 *
 * What is read here has to be the same on all servers: `info.config` is the SHA-256 of all of it,
 * but for the rolls, whose hashes are in the heading of each log. Read-only afterwards, any thread.
 *
 * Keys. A server knows a voter by a pseudonym, an HMAC of the id under a key of the state, which
 * comes from the election's master key: a file that all its servers have and nobody else, or, for
 * demonstrations, the election's id, which everybody has. The key of the state does not change with
 * the round: a server keeps one table of its voters.
 *
 * Errors: ERR_INVALID, ERR_NOTFOUND, ERR_IO; the text names file and line. */
#ifndef CAUCUS_ELECTION_DEFINITION_H
#define CAUCUS_ELECTION_DEFINITION_H

#include "election/service.h"
#include "tls/sign.h"

enum {
    DEFINITION_KEY_BYTES_MIN = 16, /* of a file with a master key */
    DEFINITION_FILE_BYTES_MAX = 16 << 20,
};

struct definition {
    struct election_info info;
    bool by_law; /* allocation=law */
    uint32_t replicas, copies_min;
    uint8_t revisions_max;
    uint64_t scale, scale_of; /* roll_scale=scale/scale_of */
    bool demonstration;       /* the master key is no secret */
    struct sign_key *signer;  /* of info.signer, by the master key */

    /* private */
    char *dir;
    struct state_info *states;
    struct candidate_info *candidates;
    uint8_t master[SHA256_BYTES];
    char **texts; /* all the strings of info */
    size_t text_count, text_cap;
};

/* key_file NULL: for demonstrations. */
int definition_read(const char *dir, const char *key_file, struct definition **ret,
                    struct err *err);
void definition_free(struct definition *d); /* NULL is fine */

/* What info.config is the hash of, for people and for /Election/Global/Config. */
void definition_text(const struct definition *d, struct buf *ret);

enum definition_key {
    DEFINITION_PSEUDONYMS,
    DEFINITION_CREDENTIALS,
};
void definition_key(const struct definition *d, enum definition_key use, int state,
                    struct hmac_key *ret);

/* The state's roll, sorted, nobody has voted. Takes its time: seconds for millions. */
int definition_roll(const struct definition *d, int state, struct voters *ret, struct err *err);

/* One that is read from an open file, which need not be the one in the folder. */
int definition_roll_read(const struct definition *d, int state, int fd, struct voters *ret,
                         struct err *err);

/* By code, key or name, any case. -1: no such state. */
int definition_find_state(const struct definition *d, struct slice name);
/* By id or exact name. -1: no such candidate. */
int definition_find_candidate(const struct definition *d, struct slice name);

#endif
