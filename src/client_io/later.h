/* later.h: what the user wants to be called at, by time (caucus_run_at).
 *
 * One owner thread, the engine's. Owns what was put in until it is taken out. */
#ifndef CAUCUS_CLIENT_IO_LATER_H
#define CAUCUS_CLIENT_IO_LATER_H

#include "client/note.h"

struct later {
    struct note note; /* NOTE_RUN */
    int64_t at_ns;
    caucus_run_fn *run;
    void *context;
};

struct later *later_new(int64_t at_ns, caucus_run_fn *run, void *context);

/* `head`: a list of these, the earliest first; of one time, in the order they were put in. */
void later_put(struct list *head, struct later *l);
/* The earliest if it is due by now; NULL: none. */
struct later *later_take_due(struct list *head, int64_t now_ns);
/* INT64_MAX: none. */
int64_t later_next_ns(const struct list *head);

#endif
