/* plan.h: who will vote for whom, and in which order.
 *
 * A plan is a list of people, each with a number, from 0 on, which is the order in which they come.
 * What a person does follows from that number and the seed alone, so nothing is kept of any of
 * them, and a ballot that has to be sent again is made again, with the same request id. Whoever
 * plays the same plan in the same round once more casts no vote anew: an interrupted replay goes on
 * where it was.
 *
 * Some vote twice: first for somebody else, then as the returns have it.
 *
 * A plan of returns ends. One of load does not: it goes through the rolls of its states again and
 * again, each time with other choices. Pure. */
#ifndef CAUCUS_ELECTORATE_PLAN_H
#define CAUCUS_ELECTORATE_PLAN_H

#include "electorate/returns.h"
#include "electorate/scale.h"
#include "electorate/shuffle.h"

struct plan_state {
    bool takes_part;
    uint64_t roll;  /* voters on it */
    uint64_t total; /* people who vote */
    uint64_t first; /* of all people in the order of states: the first of this one's */
    uint64_t votes[CANDIDATES_MAX];
    struct shuffle voters; /* places on the roll */
};

struct plan {
    const struct election_info *election;
    struct plan_state states[STATES_MAX];
    uint64_t people; /* of returns: all; of load: on the rolls */
    bool endless;
    uint64_t seed;
    uint64_t twice; /* one in so many votes twice; 0 = nobody */
    struct shuffle order;
};

/* The one who came second has changed his mind. */
enum plan_part {
    PLAN_FIRST_THOUGHT,
    PLAN_LAST_WORD,
};

struct ballot {
    uint32_t state;
    uint64_t voter; /* number on the roll by rule, from 1 */
    uint16_t candidate;
    struct request_id request;
};

/* ERR_INVALID: a roll is shorter than the votes of the returns at this scale, or unknown, or nobody
 * votes. */
int plan_of_returns(const struct election_info *e, const struct returns *r, struct scale scale,
                    uint64_t twice, uint64_t seed, struct plan *ret, struct err *err);
/* `states`: a bit for each that takes part. */
int plan_of_load(const struct election_info *e, uint64_t states, uint64_t seed, struct plan *ret,
                 struct err *err);

bool plan_votes_twice(const struct plan *p, uint64_t person);
void plan_ballot(const struct plan *p, uint64_t person, enum plan_part part, struct ballot *ret);
/* Ballots of all people: with those of the ones who vote twice. */
uint64_t plan_ballots(const struct plan *p);

#endif
