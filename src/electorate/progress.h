/* progress.h: a line on the terminal that tells how far it is. Nothing where there is no terminal.
 */
#ifndef CAUCUS_ELECTORATE_PROGRESS_H
#define CAUCUS_ELECTORATE_PROGRESS_H

#include "electorate/crowd.h"
#include "electorate/door.h"

enum {
    PROGRESS_PAST = 8 /* looks over which the rate is taken */
};

struct progress {
    bool on_terminal;
    uint64_t ballots;    /* in all; 0 = nobody knows */
    int64_t duration_ms; /* then that is the measure */
    int64_t begun_ns;
    uint64_t looks;
    struct {
        int64_t at_ns;
        uint64_t answered;
    } past[PROGRESS_PAST];
};

void progress_init(struct progress *p, uint64_t ballots, int64_t duration_ms, int64_t now_ns);
void progress_draw(struct progress *p, const struct crowd_counts *counts,
                   const struct door_counts *door, int64_t now_ns);
void progress_clear(const struct progress *p);

/* "1,234,567" */
enum {
    GROUPED_BYTES = 32
};
const char *grouped(uint64_t n, char ret[GROUPED_BYTES]);

#endif
