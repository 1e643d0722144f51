/* pauses.h: how long a state acknowledged nothing although ballots for it were under way: what a
 * voter sees of the death of a server.
 *
 * A pause begins with the last acknowledgement, or with the first ballot after a time in which
 * there were none, and ends with the next acknowledgement. Pure. */
#ifndef CAUCUS_ELECTORATE_PAUSES_H
#define CAUCUS_ELECTORATE_PAUSES_H

#include <stdbool.h>
#include <stdint.h>

#include "election/service.h"

struct pauses {
    int64_t told_from_ns; /* shorter ones are not told */
    void (*tell)(void *arg, uint32_t state, int64_t length_ns);
    void *arg;
    struct {
        uint32_t under_way;
        int64_t since_ns;
    } states[STATES_MAX];
};

void pauses_sent(struct pauses *p, uint32_t state, int64_t now_ns);
/* Of one that was sent: it needs no answer any more. */
void pauses_done(struct pauses *p, uint32_t state, bool acknowledged, int64_t now_ns);

#endif
