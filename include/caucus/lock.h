/* lock.h: locks that one of many holds, or many readers, or the takers of several at once.
 *
 *   who waits stands in a queue of ephemeral sequential nodes below a path that is the lock's. A
 *   mutex and a writer wait for the one before them, a reader for the writer before him: the end of
 *   one wakes one, or a run of readers.
 *
 * A struct caucus_lock is one attempt: it waits, is held at most once, and is freed by its release.
 * While it waits it takes a new place at the end of the queue if its session ends. Once it was held
 * and lost it is over, and has given its place away: release it, and acquire again. It is not
 * re-entrant: who acquires twice stands in the queue twice, and waits for himself. (Callbacks of
 * all kinds of threads have no owner that could be recognized.) A reader does not become a writer:
 * two of them would wait for each other.
 *
 * A lock that is held has a *token* (the zxid at which its node was created), greater than those of
 * all that held it before: hand it to what the lock protects, and let that refuse smaller ones.
 * With readers: let it remember the tokens of writers only, and refuse whatever is smaller than the
 * last. Nothing else is safe against a holder that was stopped in the middle of a step; all below
 * only keeps such moments short.
 *
 * When holding ends:
 *   disconnection   CAUCUS_STRICT: at SUSPENDED, at once. CAUCUS_UNTIL_LOST: when the connection is
 *                   not back at the deadline of policy.h: nobody else has held it by then, if
 *                   clocks run at one pace
 *   pause           a process that was stopped for longer cannot be told in time. When it goes on,
 *                   caucus_lock_token says 0 from the first moment, and LOST comes before any other
 *                   news
 *   expiry          of the session
 *   deletion        of the lock's node by somebody else: as soon as its watch tells. The next
 * holder hears of it at the same time; nobody but an operator does this release         and closing
 * of the client
 *
 * Several locks as one (caucus_lock_acquire_all) are taken in the order of their paths, whatever
 * the order in which they are given: those who take several that way cannot wait for each other in
 * a circle. HELD means all of them, and the end of one is the end of all. One that is lost before
 * the last is held is not told: it and those behind it are given away and waited for again.
 *
 * Revoking: whoever waits may ask the holders to give the lock up (caucus_lock_ask). They are told
 * (ASKED), and do as they like: there is no force.
 *
 * Other libraries on the same path. Names are those of Curator's: MUTEX is its InterProcessMutex,
 * READ and WRITE are its InterProcessReadWriteLock, and revoking is the same. Or, with
 * CAUCUS_NAMES_KAZOO, those of kazoo's Lock, ReadLock and WriteLock. Ours understand both at any
 * time, and to our readers a mutex is a writer. Curator's do not understand kazoo's; kazoo's
 * understand Curator's if they are told the names of those they have to wait for, such as
 * extra_lock_patterns=["-lock-"].
 *
 * Lost replies, trouble, and where callbacks run: as of election.h. caucus_election_list lists who
 * stands in a lock's queue. */
#ifndef CAUCUS_CAUCUS_LOCK_H
#define CAUCUS_CAUCUS_LOCK_H

#include "caucus/caucus.h"
#include "caucus/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

struct caucus_lock;

enum caucus_lock_kind {
    CAUCUS_LOCK_MUTEX = 0, /* held by one */
    CAUCUS_LOCK_READ,      /* by many readers */
    CAUCUS_LOCK_WRITE      /* or one writer */
};

enum caucus_lock_names {
    CAUCUS_NAMES_CURATOR = 0,
    CAUCUS_NAMES_KAZOO
};

enum caucus_lock_news {
    CAUCUS_LOCK_HELD = 1,
    CAUCUS_LOCK_LOST,    /* it was held, and is over */
    CAUCUS_LOCK_FAILED,  /* it was never held, and is over */
    CAUCUS_LOCK_ASKED,   /* somebody asks to give it up; only while it is held, may come again */
    CAUCUS_LOCK_TROUBLE, /* not in the queue at the moment, or stuck in it; tried again. Behind LOST
                            and FAILED: the node cannot be deleted */
};

struct caucus_lock_change {
    enum caucus_lock_news news;
    int64_t token;    /* HELD, LOST */
    const char *path; /* HELD: of the node, of several of the one that was taken last; else NULL */
    size_t index;     /* ASKED, TROUBLE: which of several */
    int rc;           /* LOST: CAUCUS_CONNECTIONLOSS (nobody knows whether the session lives),
                         CAUCUS_SESSIONEXPIRED, CAUCUS_NONODE (the node was deleted), CAUCUS_CLOSING
                         (released, or the client was closed), CAUCUS_AUTHFAILED.
                         FAILED: CAUCUS_OPERATIONTIMEOUT (only_if_free), CAUCUS_AUTHFAILED.
                         TROUBLE: the error */
};

typedef void caucus_lock_fn(void *context, struct caucus_lock *l,
                            const struct caucus_lock_change *change);

struct caucus_lock_options {
    enum caucus_lock_kind kind; /* of caucus_lock_acquire */
    const void *identity;       /* the data of the node, for people who look. Not "__REVOKE__" */
    size_t identity_bytes;
    enum caucus_policy policy; /* 0: CAUCUS_STRICT */
    enum caucus_lock_names names;
    bool only_if_free;            /* FAILED as soon as somebody is found that has to go first */
    const struct caucus_acl *acl; /* of nodes that are made; acl_count 0: everybody may everything.
                                     Who may not write cannot ask */
    size_t acl_count;
    caucus_lock_fn *on_change; /* may be NULL */
    void *context;
};

/* Begins to wait for the lock at this path, which is made if it is missing, with its parents, as
 * containers. Everything is copied; `options` may be NULL. The first callback may come before this
 * returns. Errors: CAUCUS_BADARGUMENTS (the path is "/", relative, or ends with a slash; what is no
 * kind, policy or names), CAUCUS_CLOSING. */
CAUCUS_API int caucus_lock_acquire(struct caucus *c, const char *path,
                                   const struct caucus_lock_options *options,
                                   struct caucus_lock **ret);

struct caucus_lock_member {
    const char *path;
    enum caucus_lock_kind kind;
};

enum {
    CAUCUS_LOCK_MEMBERS_MAX = 1000
};

/* Several as one; options->kind is not looked at. Errors: as above, CAUCUS_BADARGUMENTS also for
 * none, for more than CAUCUS_LOCK_MEMBERS_MAX, and for a path that is there twice. */
CAUCUS_API int caucus_lock_acquire_all(struct caucus *c, const struct caucus_lock_member *members,
                                       size_t count, const struct caucus_lock_options *options,
                                       struct caucus_lock **ret);

/* Waits until it is held, at most timeout_ms (-1: for ever), and sets *ret_token, which may be
 * NULL. An attempt that ran out of time goes on waiting in the queue until it is released. Errors:
 * CAUCUS_OPERATIONTIMEOUT, CAUCUS_CLOSING (released, or the client was closed), the rc of LOST or
 * FAILED if it is over, CAUCUS_WOULDBLOCK. */
CAUCUS_API int caucus_lock_await(struct caucus_lock *l, int64_t timeout_ms, int64_t *ret_token);

/* As of this moment: the token, or 0 if it is not held (yet, or any more). Says no before LOST
 * comes, and never yes after the deadline. Of several: of the first that was given; each protects
 * what it protects with a token of its own (_of, in the order given; 0 for what is not there). From
 * any thread. */
CAUCUS_API int64_t caucus_lock_token(struct caucus_lock *l);
CAUCUS_API int64_t caucus_lock_token_of(struct caucus_lock *l, size_t index);

/* Asks whoever holds it to give it up: now, and whenever this attempt finds somebody before it,
 * until it is held. Replaces the data of their nodes, as Curator's Revoker does. Refusals are told
 * as TROUBLE. Does nothing for a lease. From any thread. */
CAUCUS_API void caucus_lock_ask(struct caucus_lock *l);

/* Gives the lock or the place in the queue away and frees it. If it is held, LOST comes before this
 * returns, and no callback after it. The node is deleted in the background, as soon as a server can
 * be reached, if its session does not end first. From any thread and at any time, before or after
 * caucus_close of the client. On the thread of the callbacks nothing is waited for; in a callback
 * of this lock no other comes, also no LOST. NULL is fine. */
CAUCUS_API void caucus_lock_release(struct caucus_lock *l);

#ifdef __cplusplus
}
#endif

#endif
