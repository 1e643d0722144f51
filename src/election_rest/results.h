/* results.h: counts as JSON, as they stand in answers and in events. */
#ifndef CAUCUS_ELECTION_REST_RESULTS_H
#define CAUCUS_ELECTION_REST_RESULTS_H

#include "base/json_out.h"
#include "election/service.h"
#include "election_rest/token.h"

const char *phase_name(enum phase phase);

uint64_t results_votes(const struct tally *t, int32_t district, uint32_t candidate);
/* Counts in the order of a state's ballot, and who leads; `district` -1: in all of them. */
void results_counts(struct json_out *j, const struct election_info *e, const struct state_info *s,
                    const struct tally *t, int32_t district);
/* The members of a state's result, between braces that are already open. */
void results_state(struct json_out *j, const struct election_info *e,
                   const struct state_result *result);
/* The members of the nation's sum, likewise; without its states. */
void results_nation(struct json_out *j, const struct election_info *e, const struct global *global,
                    const struct nation *nation, const struct state_result *const states[]);
/* The members of what is known of the election before any vote, likewise. */
void results_election(struct json_out *j, const struct election_info *e,
                      const struct global *global, bool shown);

/* The sum over results, in the order of the definition's states. */
void results_sum(const struct election_info *e, const struct state_result *const states[],
                 struct nation *ret);
struct token results_token(const struct election_info *e, const struct global *global, bool shown,
                           const struct state_result *const states[]);
/* What of a state is in a token. */
uint64_t results_seen(const struct state_result *result);

#endif
