/* guard.h: whether what a session holds may still be believed in. A function of what the client
 * knows. */
#ifndef CAUCUS_RECIPES_GUARD_H
#define CAUCUS_RECIPES_GUARD_H

#include "caucus/caucus.h"
#include "caucus/policy.h"

/* `held_by`: the session that holds it. */
bool guard_holds(enum caucus_policy policy, int64_t held_by, enum caucus_state state,
                 const struct caucus_session *session, int64_t now_ns);

/* The same as of now. */
bool guard_holds_now(enum caucus_policy policy, int64_t held_by, struct caucus *c);

#endif
