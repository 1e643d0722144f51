/* scripted_service.h: election/service.h in memory, for tests of its doors.
 *
 * Votes are counted at once and answered in the next turn of the loop. What else can happen is
 * asked for by the voter's id: "outcome-BUSY" is answered with that outcome, "never" not at all
 * before its time is over, what begins with "nobody" is not on the roll, and with "bench-" is
 * counted and not remembered. With --auth the credential has to be "good". */
#ifndef CAUCUS_TESTS_SCRIPTED_SERVICE_H
#define CAUCUS_TESTS_SCRIPTED_SERVICE_H

#include "election/service.h"
#include "io/loop.h"

struct scripted_options {
    const char *states_csv; /* usps,key,name,electors,...,grid_row,grid_col; NULL: three states */
    bool live;
    bool auth;
};

struct service *scripted_create(struct loop *loop, const struct scripted_options *options);
void scripted_free(struct service *s);

/* A line of the script:
 *   votes STATE CANDIDATE COUNT    that many more
 *   phase IDLE|OPEN|CLOSING|CLOSED
 *   final STATE                    nothing will be added
 *   lose STATE, find STATE         nothing is known of it; it is again
 *   ready yes|no
 *   hold recounts                  none is answered
 *   await COUNT recounts           that many are held
 *   answer recounts                those that are held, and all that come
 *   touch STATE                    its Commit changed, and nothing in it */
enum scripted_answer {
    SCRIPTED_NO, /* no such line */
    SCRIPTED_OK,
    SCRIPTED_NOT_YET, /* to be said again after the next turn of the loop */
};

enum scripted_answer scripted_obey(struct service *s, const char *line);

#endif
