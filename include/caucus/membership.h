/* membership.h: who is in a group.
 *
 *   members are ephemeral nodes below a path that is the group's; a node's name is the member's id,
 *   its data is what the member says of itself.
 *
 * ---- Being a member ----
 *
 * A member is in the group from CAUCUS_JOINED_GROUP to CAUCUS_LEFT_GROUP, which come in turns, and
 * joins again by itself whenever it can:
 *   disconnection   CAUCUS_STRICT: left at SUSPENDED. CAUCUS_UNTIL_LOST: left when the connection
 *                   is not back at the deadline of policy.h, before any server can have told the
 *                   others that it left. When the connection is back in time for the session it is
 *                   in the group as before, with the same node: the others have noticed nothing
 *   pause           a process that was stopped for too long cannot be told in time. When it goes
 *                   on, caucus_membership_token says no from the first moment
 *   expiry          left, and joined with a new node as soon as there is a session
 *   deletion        of the node by somebody else: likewise
 * Its *token* is the zxid at which its node was created: greater than those of all earlier
 * memberships in the group, whoever's they were.
 *
 * An id has one holder at a time: who comes second is told TROUBLE with CAUCUS_NODEEXISTS, waits
 * until the node is gone, and joins. So does a process that was started again while the session of
 * its predecessor has not ended; with `take_over` it deletes the predecessor's node instead, once,
 * before it joins for the first time. Two that take an id over from each other end with the later
 * one in the group and the earlier one waiting.
 *
 * A creation whose reply was lost is recognized by the session that owns the node, and not made
 * again; a node that is made while the membership is being closed is deleted. Errors of servers are
 * reported (CAUCUS_MEMBERSHIP_TROUBLE), and tried again after 50 ms to 6.4 seconds.
 *
 * ---- Watching a group ----
 *
 * A struct caucus_group is a list of the members that is kept current by a watch: one event and one
 * read for each member that comes or changes, one event for each that goes, whatever the group's
 * size. It is a cache (cache.h), with what that says of its order and of disconnection: the list
 * stays as it was, and what changed meanwhile is told when the connection is back.
 *
 * All callbacks run where those of the client run (caucus.h): one after the other, and a slow one
 * delays everything. */
#ifndef CAUCUS_CAUCUS_MEMBERSHIP_H
#define CAUCUS_CAUCUS_MEMBERSHIP_H

#include "caucus/caucus.h"
#include "caucus/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Being a member ---- */

struct caucus_membership;

enum caucus_membership_news {
    CAUCUS_JOINED_GROUP = 1,
    CAUCUS_LEFT_GROUP, /* or it may have been taken for gone */
    CAUCUS_MEMBERSHIP_TROUBLE,
};

struct caucus_membership_change {
    enum caucus_membership_news news;
    int64_t token; /* JOINED_GROUP; else 0 */
    int rc;        /* LEFT_GROUP: CAUCUS_CONNECTIONLOSS (nobody knows), CAUCUS_SESSIONEXPIRED,
                      CAUCUS_NONODE (the node was deleted, maybe by the end of a session that this
                      client closes), CAUCUS_CLOSING (the membership or the client),
                      CAUCUS_AUTHFAILED. TROUBLE: the error */
};

typedef void caucus_membership_fn(void *context, struct caucus_membership *m,
                                  const struct caucus_membership_change *change);

struct caucus_membership_options {
    const char *id; /* a node's name: no slash. NULL: a uuid */
    const void *data;
    size_t data_bytes;
    enum caucus_policy policy; /* 0: CAUCUS_STRICT */
    bool take_over;
    const struct caucus_acl
        *acl; /* of nodes that are made; acl_count 0: everybody may everything */
    size_t acl_count;
    caucus_membership_fn *on_change; /* may be NULL */
    void *context;
};

/* Joins the group at this path, now or when there is a session, and is in it until it is closed.
 * The path and its parents are made if they are missing, as containers. Everything is copied;
 * `options` may be NULL. The first callback may come before this returns. Errors:
 * CAUCUS_BADARGUMENTS (the path is "/", relative, or ends with a slash; the id), CAUCUS_CLOSING. */
CAUCUS_API int caucus_membership_open(struct caucus *c, const char *path,
                                      const struct caucus_membership_options *options,
                                      struct caucus_membership **ret);

/* Leaves. LEFT_GROUP comes before this returns if it was in the group, and no callback after it.
 * The node is deleted in the background, as soon as a server can be reached, if its session does
 * not end first. From any thread and at any time, before or after caucus_close of the client. On
 * the thread of the callbacks nothing is waited for; in a callback of this membership no other
 * comes. NULL is fine. */
CAUCUS_API void caucus_membership_close(struct caucus_membership *m);

/* The node gets this data, soon, and every later node of this membership; also if it is the same
 * as before. Of several updates in a short time only the last may be seen. From any thread. */
CAUCUS_API void caucus_membership_update(struct caucus_membership *m, const void *data,
                                         size_t data_bytes);

/* As of this moment: the token, or 0 when it is not in the group or may have been taken for gone.
 * From any thread. */
CAUCUS_API int64_t caucus_membership_token(struct caucus_membership *m);

/* The id, as long as the membership is open. */
CAUCUS_API const char *caucus_membership_id(struct caucus_membership *m);

/* Waits until it is in the group, at most timeout_ms (-1: for ever), and sets *ret_token, which may
 * be NULL. Errors: CAUCUS_OPERATIONTIMEOUT, CAUCUS_CLOSING, CAUCUS_WOULDBLOCK. */
CAUCUS_API int caucus_membership_await(struct caucus_membership *m, int64_t timeout_ms,
                                       int64_t *ret_token);

/* ---- Watching a group ---- */

struct caucus_group;

struct caucus_member {
    const char *id;
    const void *data; /* a zero byte stands behind it. NULL: null */
    size_t data_bytes;
    int64_t token;
    int64_t session_id;
    int32_t version; /* of the data */
};

enum caucus_group_news {
    CAUCUS_MEMBER_JOINED = 1, /* also of those who were there before */
    CAUCUS_MEMBER_CHANGED,    /* its data was set, even if to the same */
    CAUCUS_MEMBER_LEFT,       /* or its session ended */
    CAUCUS_GROUP_CURRENT,     /* all have been read: at first, and after each reconnection */
    CAUCUS_GROUP_TROUBLE,     /* a member cannot be read, or none; tried again */
};

struct caucus_group_change {
    enum caucus_group_news news;
    const struct caucus_member *member; /* JOINED, CHANGED: as it is; LEFT: as it was; else NULL */
    const struct caucus_member *before; /* CHANGED: as it was; else NULL */
    int rc;                             /* TROUBLE: the error; else 0 */
};

/* caucus_group_list shows the group as of this change here. */
typedef void caucus_group_fn(void *context, struct caucus_group *g,
                             const struct caucus_group_change *change);

struct caucus_group_options {
    caucus_group_fn *on_change; /* may be NULL */
    void *context;
};

/* Begins to watch the group at this path, which need not exist; nodes below it that belong to no
 * session are no members. `options` may be NULL. The first callback may come before this returns.
 * Errors: CAUCUS_BADARGUMENTS (the path), CAUCUS_CLOSING. */
CAUCUS_API int caucus_group_open(struct caucus *c, const char *path,
                                 const struct caucus_group_options *options,
                                 struct caucus_group **ret);

/* No callback comes after this has returned. As caucus_membership_close. NULL is fine. */
CAUCUS_API void caucus_group_close(struct caucus_group *g);

/* Waits until all members have been read in the connection that there is, at most timeout_ms (-1:
 * for ever). Errors: CAUCUS_OPERATIONTIMEOUT, CAUCUS_CLOSING, CAUCUS_WOULDBLOCK. */
CAUCUS_API int caucus_group_await(struct caucus_group *g, int64_t timeout_ms);

/* The members as of one moment, in the order of their ids as bytes; the caller's, freed with
 * caucus_members_free. From any thread, also in callbacks: no server is asked. */
struct caucus_members {
    const struct caucus_member *members;
    size_t count;
};
CAUCUS_API void caucus_group_list(struct caucus_group *g, struct caucus_members **ret);
CAUCUS_API void caucus_members_free(struct caucus_members *members); /* NULL is fine */

#ifdef __cplusplus
}
#endif

#endif
