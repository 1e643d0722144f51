/* balance.h: who should lead which state, so that no server leads most of them.
 *
 * States that are kept by the same servers are dealt to those in turn, in the order of their names.
 * Whoever reads the same members comes to the same result, so nothing has to be agreed on; whoever
 * has read older ones gives way once too often, or not yet, and no vote depends on it.
 *
 * Who leads is decided by the line of LiveNodes alone. balance.c only asks replicas here to go to
 * the end of it (SHARD_YIELD), and never but one that stands directly before the preferred one:
 *
 *   - each such step brings that one a place further, and nobody but itself sets it back. So there
 * are at most as many steps as there are others, for each time that it comes, and then none;
 *   - while votes are taken a leader is asked when the preferred one has stood in line for
 *     hand_back_ms, one state after the other; each time doubles that for the state, up to
 *     HAND_BACK_DOUBLINGS times: a server that comes and goes, or leads badly, is handed less and
 * less;
 *   - while none are taken (before a start, after an end) it costs nobody anything and is done at
 *     once, but not where the one that goes would be missed by a start.
 *
 * One thread, the loop's. */
#ifndef CAUCUS_ELECTION_BALANCE_H
#define CAUCUS_ELECTION_BALANCE_H

#include "election/service.h"

struct member_names {
    const char *name[SHARD_MEMBERS_MAX]; /* NULL: not known */
};

/* ret[state]: the number of the member that should lead; -1: none is known. */
void balance_deal(const struct member_names *states, uint32_t count, int32_t ret[STATES_MAX]);

#endif
