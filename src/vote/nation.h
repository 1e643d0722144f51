/* nation.h: from the states' tallies to electors.
 *
 * Winner takes all: a state's electors go to whoever has most votes in it. By law, in states that
 * are divided (Maine, Nebraska), one goes to the first of each district and the rest to the first
 * of the state. A tie, or no vote at all, gives electors to nobody: they are open. Who leads the
 * nation is told by electors, not by votes; who won only by electors of states whose count is
 * final. */
#ifndef CAUCUS_VOTE_NATION_H
#define CAUCUS_VOTE_NATION_H

#include "vote/tally.h"

struct state_count {
    const struct tally *tally; /* NULL = not known now: its electors are open */
    uint32_t electors;
    bool divided; /* one elector for each district of the tally, at most all of them */
    bool final;
};

struct nation {
    uint64_t votes[CANDIDATES_MAX];
    uint32_t electors[CANDIDATES_MAX];
    uint32_t electors_total, electors_open;
    uint32_t majority; /* the least that is more than half */
    int32_t leader;    /* most electors; -1 = nobody, or several as many */
    bool tie;
    int32_t winner; /* has the majority from final states; -1 = nobody yet, or at all */
    uint32_t states_final, states_missing;
};

/* Tallies are all of the same candidates. */
void nation_sum(struct nation *ret, const struct state_count *states, size_t count,
                uint32_t candidates);

#endif
