/* deed.h: what is begun, may have to wait, and ends with one call.
 *
 * A machine that belongs to nobody once it has begun. It makes one request after the other, again
 * where a connection or a session was to blame, until something ends it: what it wanted is so, a
 * refusal, its time, or the end of the handle.
 *
 * Each request is begun by `begin` (or by the recipe in a row of several) and ends in deed_land, or
 * in deed_refuse if it could not be made; between them there is one reference. */
#ifndef CAUCUS_RECIPES_DEED_H
#define CAUCUS_RECIPES_DEED_H

#include "recipes/machine.h"

struct deed {
    struct machine m;              /* first */
    void (*begin)(struct deed *d); /* the first request; again after each that did not end it */
    void (*tell)(struct deed *d, int rc); /* the user; once */
    void (*free)(struct deed *d);
    struct machine_watch *watch;        /* it waits for this one; NULL: none */
    struct machine_watch *flight_watch; /* about to be set */
    bool in_flight;
    bool must_land; /* what is in flight decides, even if the time is over meanwhile */
    bool is_late;   /* it was */
    bool is_over;
};

/* Takes the deed: it frees itself, now if this fails. The three functions are set, the rest is
 * zero. timeout_ms -1: no bound. Errors: CAUCUS_BADARGUMENTS, CAUCUS_CLOSING. */
int deed_start(struct deed *d, struct caucus *c, int64_t timeout_ms);

/* Refusals end it; what is_done says is how. */
void deed_land(struct deed *d, int rc, bool is_done);
/* The request was not made; rc 0: it was. */
void deed_refuse(struct deed *d, int rc);

/* For a request that sets a watch: made before, and landed with whether it was set. */
struct machine_watch *deed_watch(struct deed *d, enum caucus_watch_kind kind, const char *path);
void deed_land_watch(struct deed *d, bool is_set);

#endif
