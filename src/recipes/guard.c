#include "recipes/guard.h"

static bool policy_allows(enum caucus_policy policy, enum caucus_state state)
{
    switch (state) {
    case CAUCUS_CONNECTED:
    case CAUCUS_RECONNECTED:
        return true;
    case CAUCUS_SUSPENDED:
    case CAUCUS_READ_ONLY:
        return policy == CAUCUS_UNTIL_LOST;
    case CAUCUS_CONNECTING:
    case CAUCUS_LOST:
    case CAUCUS_AUTH_FAILED:
    case CAUCUS_CLOSED:
        break;
    }
    return false;
}

bool guard_holds(enum caucus_policy policy, int64_t held_by, enum caucus_state state,
                 const struct caucus_session *session, int64_t now_ns)
{
    return policy_allows(policy, state) && session->id == held_by && held_by != 0 &&
           now_ns < session->safe_until_ns;
}

/* The clock is read last: whatever happens between the lines is seen as later than it was. */
bool guard_holds_now(enum caucus_policy policy, int64_t held_by, struct caucus *c)
{
    struct caucus_session session;
    enum caucus_state state = caucus_get_state(c);
    caucus_get_session(c, &session);
    return guard_holds(policy, held_by, state, &session, caucus_now_ns());
}
