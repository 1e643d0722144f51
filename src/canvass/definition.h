/* definition.h: what an election is, as its servers agreed on it: definition.txt, read back.
 *
 * The text is the one whose SHA-256 is in the heading of every log (docs/AUDIT-FORMAT.md has its
 * lines), so it must be taken as it stands. Pure. */
#ifndef CAUCUS_CANVASS_DEFINITION_H
#define CAUCUS_CANVASS_DEFINITION_H

#include "base/err.h"
#include "vote/tally.h"

enum {
    CANVASS_STATES_MAX = 64,
    CANVASS_NAME_BYTES_MAX = 128,
    CANVASS_DEFINITION_BYTES_MAX = 512 << 10,
};

struct canvass_candidate {
    char id[CANVASS_NAME_BYTES_MAX], name[CANVASS_NAME_BYTES_MAX];
};

struct canvass_state {
    char code[STATE_CODE_BYTES + 1], name[CANVASS_NAME_BYTES_MAX];
    uint32_t electors, districts;
    bool divided;
    uint64_t on_ballot; /* bit per candidate */
};

struct canvass_definition {
    char id[CANVASS_NAME_BYTES_MAX], title[CANVASS_NAME_BYTES_MAX];
    bool has_signer;
    uint8_t signer[32]; /* the public key (Ed25519) of receipts and heads of logs */
    struct canvass_candidate candidates[CANDIDATES_MAX];
    uint32_t candidate_count;
    struct canvass_state states[CANVASS_STATES_MAX];
    uint32_t state_count;
    struct hash config;
};

/* ERR_INVALID names the line. */
int canvass_definition_read(struct slice text, struct canvass_definition *ret, struct err *err);

#endif
