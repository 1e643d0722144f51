/* election.h: one of many is the leader.
 *
 *   candidates are ephemeral sequential nodes below a path that is the election's; the first leads.
 *   Each watches only the one before it, so that the end of a leader wakes one candidate, not all.
 *
 * A *term* is one candidate's time as the leader. It begins with CAUCUS_ELECTED and ends with
 * CAUCUS_DISMISSED, in turns. Each term has a *token* (the zxid at which its candidate's node was
 * created) that is greater than those of all earlier terms: hand it to whatever the leader writes
 * to, and let that refuse smaller ones. Nothing else is safe against a leader that was stopped in
 * the middle of a step; all below only keeps such moments short.
 *
 * When terms end:
 *   disconnection   CAUCUS_STRICT: at SUSPENDED, at once. CAUCUS_UNTIL_LOST: when the connection is
 *                   not back at the deadline of policy.h, which lies before the moment at which any
 *                   server can end the session: no other leader has begun by then, if clocks run at
 *                   one pace
 *   pause           a process that was stopped for longer (SIGSTOP, a virtual machine that was
 *                   moved) cannot be told in time. When it goes on, caucus_election_is_leader says
 *                   no from the first moment, and DISMISSED comes before any other news. What the
 *                   program was about to do in between is what the token is for
 *   expiry          LOST. The candidate queues again, at the end, as soon as there is a session
 *   deletion        of the candidate's node by somebody else: as soon as its watch tells. The next
 *                   leader hears of it at the same time, so that both may believe to lead for a
 *                   moment; nobody but an operator does this
 *   resigning       and closing
 * A term that has ended is never resumed: the candidate's node is deleted, and it queues again with
 * a new one.
 *
 * A candidate whose creation was answered by a lost connection is looked for by its name before it
 * is made again; one that is made while the election is being closed is deleted. Errors of servers
 * (no permission, a quota) are reported (CAUCUS_ELECTION_TROUBLE), and tried again after 50 ms to
 * 6.4 seconds: a candidate never drops out by itself.
 *
 * Callbacks run where those of the client run (caucus.h): one after the other, and a slow one
 * delays everything. The leader's work belongs into another thread, which asks is_leader. */
#ifndef CAUCUS_CAUCUS_ELECTION_H
#define CAUCUS_CAUCUS_ELECTION_H

#include "caucus/caucus.h"
#include "caucus/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

struct caucus_election; /* one candidate */

enum caucus_election_news {
    CAUCUS_ELECTED = 1,
    CAUCUS_DISMISSED,
    CAUCUS_ELECTION_TROUBLE, /* not in the queue at the moment, or stuck in it; tried again */
};

struct caucus_election_change {
    enum caucus_election_news news;
    int64_t token;    /* of the term that begins or ended; 0 with TROUBLE */
    const char *path; /* ELECTED: the candidate's node; else NULL */
    int rc;           /* DISMISSED: CAUCUS_CONNECTIONLOSS (nobody knows whether the session lives),
                         CAUCUS_SESSIONEXPIRED, CAUCUS_NONODE (the node was deleted), CAUCUS_OK
                         (resigned), CAUCUS_CLOSING (the election or the client), CAUCUS_AUTHFAILED.
                         TROUBLE: the error */
};

typedef void caucus_election_fn(void *context, struct caucus_election *e,
                                const struct caucus_election_change *change);

struct caucus_election_options {
    const void *identity; /* the data of the candidate's node, for those who list them */
    size_t identity_bytes;
    enum caucus_policy policy; /* 0: CAUCUS_STRICT */
    const struct caucus_acl
        *acl; /* of nodes that are made; acl_count 0: everybody may everything */
    size_t acl_count;
    caucus_election_fn *on_change; /* may be NULL */
    void *context;
};

/* Becomes a candidate of the election at this path, now or when there is a session, and until it is
 * closed. The path and its parents are made if they are missing, as containers. Everything is
 * copied; `options` may be NULL. The first callback may come before this returns. Errors:
 * CAUCUS_BADARGUMENTS (the path is "/", relative, or ends with a slash), CAUCUS_CLOSING. */
CAUCUS_API int caucus_election_open(struct caucus *c, const char *path,
                                    const struct caucus_election_options *options,
                                    struct caucus_election **ret);

/* No candidate any more. A term that runs ends with DISMISSED before this returns, and no callback
 * comes after it. The node is deleted in the background, as soon as a server can be reached, if its
 * session does not end first. From any thread and at any time, before or after caucus_close of the
 * client. On the thread of the callbacks nothing is waited for; in a callback of this election no
 * other comes, also no DISMISSED. NULL is fine. */
CAUCUS_API void caucus_election_close(struct caucus_election *e);

/* Ends the term, if one runs (DISMISSED with CAUCUS_OK), and queues again behind all others; soon,
 * not before this returns. From any thread. */
CAUCUS_API void caucus_election_resign(struct caucus_election *e);

/* As of this moment: the term's token, or 0 when this candidate does not lead. May say no before
 * DISMISSED comes, and never says yes after the deadline. From any thread. */
CAUCUS_API int64_t caucus_election_token(struct caucus_election *e);
CAUCUS_API bool caucus_election_is_leader(struct caucus_election *e);

/* Waits until this candidate leads, at most timeout_ms (-1: for ever), and sets *ret_token, which
 * may be NULL, to the term's. Errors: CAUCUS_OPERATIONTIMEOUT, CAUCUS_CLOSING (the election or the
 * client was closed; whoever waits returns), CAUCUS_WOULDBLOCK. */
CAUCUS_API int caucus_election_await(struct caucus_election *e, int64_t timeout_ms,
                                     int64_t *ret_token);

/* ---- Who stands ---- */

struct caucus_candidate {
    const char *path;
    const void *identity; /* NULL: null */
    size_t identity_bytes;
    int64_t token; /* of the term, if it leads */
    int64_t session_id;
};

/* The candidates in their order, the leader first, as the server saw them that was asked; those who
 * left meanwhile are not there. Called once. rc: CAUCUS_NONODE (nobody has ever stood), and as
 * caucus_get_children. */
typedef void caucus_candidates_fn(void *context, int rc, const struct caucus_candidate *candidates,
                                  size_t count);
/* For anybody, not only candidates. Errors: as caucus_get_children. */
CAUCUS_API int caucus_election_list(struct caucus *c, const char *path, caucus_candidates_fn *done,
                                    void *context);

#ifdef __cplusplus
}
#endif

#endif
