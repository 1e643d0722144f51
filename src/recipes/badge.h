/* badge.h: an ephemeral node below a path that says that we are there.
 *
 * Part of a machine. Its name is a uuid, another one each time; what was made in a session that is
 * over, or too late, is deleted before anything else is made. One request at a time, on the event
 * thread.
 *
 *   badge_step   does what is next towards `wanted`; false: nothing is left to do */
#ifndef CAUCUS_RECIPES_BADGE_H
#define CAUCUS_RECIPES_BADGE_H

#include "recipes/machine.h"
#include "recipes/protect.h"

struct badge {
    struct machine *m;
    void (*failed)(struct machine *m, int rc); /* refused; the owner pauses */
    struct protect entry;
    char *path; /* our node; NULL: none */
    char *old;  /* to be deleted; NULL: none */
    bool wanted;
    struct machine_flight flight;
};

/* `entry` has parent, data and ACL; the rest is set here. */
void badge_init(struct badge *p, struct machine *m, void (*failed)(struct machine *m, int rc));
void badge_deinit(struct badge *p);

bool badge_step(struct badge *p);
/* The node is not ours any more: the session is over, or somebody deleted it, or it is not wanted.
 */
void badge_leave(struct badge *p);
/* It was deleted. */
void badge_forget(struct badge *p);

#endif
