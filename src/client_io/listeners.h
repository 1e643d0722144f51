/* listeners.h: who is told of states, added and removed by any thread while the event thread tells
 * them. */
#ifndef CAUCUS_CLIENT_IO_LISTENERS_H
#define CAUCUS_CLIENT_IO_LISTENERS_H

#include <pthread.h>

#include "base/list.h"
#include "caucus/caucus.h"

enum {
    REASON_BYTES = 256
};

struct listeners {
    pthread_mutex_t lock; /* guards all of this; not held while a listener runs */
    pthread_cond_t returned;
    struct list list;
    uint64_t last_number;
    const struct listener *running;
    struct caucus_state_change told; /* the last one that was; state CONNECTING: none */
    char reason[REASON_BYTES];
};

void listeners_init(struct listeners *l);
void listeners_deinit(struct listeners *l);
void listeners_add(struct listeners *l, caucus_state_fn *fn, void *context);
/* `is_inside`: called by the thread that tells. 0 or CAUCUS_BADARGUMENTS. */
int listeners_remove(struct listeners *l, caucus_state_fn *fn, void *context, bool is_inside);
/* On the event thread: all; or those that were not told anything yet, the last change. */
void listeners_tell(struct listeners *l, struct caucus *c,
                    const struct caucus_state_change *change);
void listeners_greet(struct listeners *l, struct caucus *c);

#endif
