/* crowd.h: the voters at work: who sends what next, who has to try again, and what came of it.
 *
 * A voter behaves as a client should: an outcome that is not known, or a server that takes nothing
 * now, means the same ballot again with the same request id, at another server, after a pause that
 * doubles with each attempt; a clear answer is final. Whoever votes twice sends the second ballot
 * when the first was answered, some thousand other voters later, so the order of the two is
 * certain.
 *
 * Knows neither clock nor network: a door (door.h) asks for ballots as long as it has room, and
 * brings the answers. Memory is a slot for each ballot under way, and eight bytes for each second
 * thought that waits. One owner thread. */
#ifndef CAUCUS_ELECTORATE_CROWD_H
#define CAUCUS_ELECTORATE_CROWD_H

#include "base/summary.h"
#include "electorate/pauses.h"
#include "electorate/plan.h"

enum {
    CROWD_PAUSE_MS_MIN = 20,
    CROWD_PAUSES = 7, /* 20 ms to 1,280 ms */
    CROWD_SECOND_THOUGHTS = 4096,
};

struct crowd_options {
    const struct plan *plan; /* borrowed */
    uint32_t slots; /* ballots under way at a time, those that wait for another attempt included */
    int64_t patience_ns;   /* from its first sending on; then a ballot is given up */
    double rate;           /* ballots a second; 0 = as fast as it goes */
    struct pauses *pauses; /* borrowed; NULL = nobody asks */
};

struct crowd_counts {
    uint64_t sent;                         /* attempts */
    uint64_t answered;                     /* ballots that are done with, whatever came of them */
    uint64_t outcomes[CAST_OUTCOME_COUNT]; /* of these, the last */
    uint64_t given_up;                     /* of these, without a clear answer */
    uint64_t
        retries[CAST_OUTCOME_COUNT]; /* attempts that led to another, by what they were answered */
    struct summary latency_us;       /* first sending to clear answer */
};

struct crowd;

struct crowd *crowd_create(const struct crowd_options *options);
void crowd_free(struct crowd *c); /* NULL is fine */

enum crowd_next {
    CROWD_BALLOT, /* *ret is to be sent */
    CROWD_LATER,  /* not before *ret_ns, unless an answer comes */
    CROWD_BUSY,   /* when an answer comes */
    CROWD_OVER,   /* nothing is left, nothing is under way */
};

struct errand {
    uint32_t slot;     /* to be named in the answer */
    uint32_t attempt;  /* from 0 */
    int32_t not_there; /* the server that was asked last; -1 = none */
    struct ballot ballot;
};

enum crowd_next crowd_take(struct crowd *c, int64_t now_ns, struct errand *ret, int64_t *ret_ns);
/* What came of a slot that was sent, to this server. */
void crowd_answer(struct crowd *c, uint32_t slot, enum cast_outcome outcome, int32_t server,
                  int64_t now_ns);
/* Nobody begins anything new; what is under way comes to its end. */
void crowd_finish(struct crowd *c);

const struct crowd_counts *crowd_counts(const struct crowd *c);
uint64_t crowd_under_way(const struct crowd *c);

#endif
