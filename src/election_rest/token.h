/* token.h: how far somebody has seen the results, in a text that any server understands.
 *
 * Counts only move forward with the version of a state's Commit, so the versions of all of them,
 * with round and phase, say exactly what is known. It is the ETag of results, what ?since= takes,
 * and the id of the events of a stream: who comes back with it, to whichever server, is sent what
 * changed since.
 *
 *   version u8 = 1 | round | phase | shown | count of states | results_seen of each (results.h)
 *
 * all but the first as LEB128, in base64url without padding. */
#ifndef CAUCUS_ELECTION_REST_TOKEN_H
#define CAUCUS_ELECTION_REST_TOKEN_H

#include "base/buf.h"
#include "election/service.h"

struct token {
    uint64_t round;
    enum phase phase;
    bool shown; /* counts were shown, and not only the phase */
    uint32_t states;
    uint64_t seen[STATES_MAX]; /* 0 = nothing */
};

void token_write(const struct token *t, struct buf *out);
/* false: not one of ours. */
bool token_read(struct slice text, struct token *ret);
/* Whether it says what was seen of this round in this phase; of another, nothing is known. */
bool token_is_of(const struct token *t, const struct election_info *e, const struct global *now);

#endif
