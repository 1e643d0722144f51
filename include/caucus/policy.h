/* policy.h: what a lost connection does to what is held by a session: leadership, a lock.
 *
 * A client that hears no server cannot know whether its session lives. Whatever the policy, what
 * is held ends by the local clock before any server can have ended the session
 * (caucus_session.safe_until_ns): at three quarters of its timeout after the last request that was
 * answered had been sent. */
#ifndef CAUCUS_CAUCUS_POLICY_H
#define CAUCUS_CAUCUS_POLICY_H

enum caucus_policy {
    CAUCUS_STRICT = 0,     /* ends at SUSPENDED: at the first doubt */
    CAUCUS_UNTIL_LOST = 1, /* a connection that comes back in time does no harm: ends at LOST or at
                              the deadline above, whichever is first */
};

#endif
