/* returns.h: how an election ended: returns.csv.
 *
 * Heading `usps,candidate,votes`, in this order; other columns behind them are passed over. A state
 * by code, key or name, a candidate by id; what has no row has no votes. Errors are ERR_INVALID
 * with the place. */
#ifndef CAUCUS_ELECTORATE_RETURNS_H
#define CAUCUS_ELECTORATE_RETURNS_H

#include "base/err.h"
#include "election/service.h"

struct returns {
    uint64_t votes[STATES_MAX][CANDIDATES_MAX]; /* in the order of the election */
    uint64_t total;                             /* < 2^32 */
};

int returns_read(struct slice text, const struct election_info *e, struct returns *ret,
                 struct err *err);

#endif
