/* barrier.h: many wait for one, and many wait for each other.
 *
 * A *barrier* is a node: while it is there, whoever wants to pass waits; when it is deleted all go
 * on. A *double barrier* lets its members begin a step when all are there, and end it when all
 * have finished. Both have the layout of kazoo's and Curator's (the node itself; members below a
 * path, and a node "ready" beside them), so that programs of all kinds can meet at one.
 *
 * A barrier holds nothing: a lost connection, a pause or the end of the session only make it later
 * that whoever waits is told; nobody is told too early. What is held of a double barrier is a
 * place in it, by an ephemeral node:
 *   disconnection   Nothing happens until the session ends; who waits goes on waiting
 *   pause, expiry   The member is out, and those who leave do not wait for it any more. What it
 *                   has begun ends with CAUCUS_SESSIONEXPIRED. The others may have gone on before
 *                   it knows; who has to be sure wants an election, a lock or a broadcast
 *   a lost reply    of the creation of the node: it is found by its name, not doubled; of its
 *                   deletion: it is deleted again
 *
 * Callbacks run where those of the client run (caucus.h). */
#ifndef CAUCUS_CAUCUS_BARRIER_H
#define CAUCUS_CAUCUS_BARRIER_H

#include "caucus/caucus.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Called once. rc 0: it is so. CAUCUS_OPERATIONTIMEOUT: not within the time. CAUCUS_CLOSING: the
 * handle was closed, or what was waited with. Otherwise what the server or the client refuses, as
 * CAUCUS_NOAUTH; connections that are lost are waited for. */
typedef void caucus_barrier_fn(void *context, int rc);

/* ---- Barriers ----
 *
 * timeout_ms: how long at most, with or without a connection; -1: for ever. `done` may be NULL but
 * for caucus_barrier_pass. Errors of all: CAUCUS_BADARGUMENTS (the path), CAUCUS_CLOSING; of those
 * that block also CAUCUS_WOULDBLOCK, and what `done` gets. */

/* Sets it up, with the nodes above it; that it stands already is right. It stays until it is
 * lifted, whoever ends. */
CAUCUS_API int caucus_barrier_set(struct caucus *c, const char *path, int64_t timeout_ms,
                                  caucus_barrier_fn *done, void *context);
CAUCUS_API int caucus_barrier_set_wait(struct caucus *c, const char *path, int64_t timeout_ms);

/* Lifts it; that it does not stand is right. The nodes above it stay. */
CAUCUS_API int caucus_barrier_lift(struct caucus *c, const char *path, int64_t timeout_ms,
                                   caucus_barrier_fn *done, void *context);
CAUCUS_API int caucus_barrier_lift_wait(struct caucus *c, const char *path, int64_t timeout_ms);

/* Waits until it does not stand. Who begins to wait after it was lifted, or before it was ever set,
 * goes on at once; who waits while it is lifted and set again may go on or not. */
CAUCUS_API int caucus_barrier_pass(struct caucus *c, const char *path, int64_t timeout_ms,
                                   caucus_barrier_fn *done, void *context);
CAUCUS_API int caucus_barrier_pass_wait(struct caucus *c, const char *path, int64_t timeout_ms);

/* ---- Double barriers ---- */

struct caucus_double_barrier; /* one member */

struct caucus_double_barrier_options {
    const void *identity; /* the data of the member's node, for those who list them */
    size_t identity_bytes;
    const struct caucus_acl
        *acl; /* of nodes that are made; acl_count 0: everybody may everything */
    size_t acl_count;
};

/* `members`: how many have to be there, 1 to 100,000, the same for all. Nothing is made yet.
 * Everything is copied; `options` may be NULL. Errors: CAUCUS_BADARGUMENTS, CAUCUS_CLOSING. */
CAUCUS_API int caucus_double_barrier_open(struct caucus *c, const char *path, int members,
                                          const struct caucus_double_barrier_options *options,
                                          struct caucus_double_barrier **ret);

/* Goes in, and is done when so many members were in at one time; then each of them is, or will be,
 * told so, unless it is gone by then. Who comes while others are inside is one of them at once.
 * After an rc that is not 0 this member is out, but others may have counted it. rc:
 * CAUCUS_SESSIONEXPIRED, and as above. CAUCUS_BADARGUMENTS, returned: it is in, or on its way. */
CAUCUS_API int caucus_double_barrier_enter(struct caucus_double_barrier *b, int64_t timeout_ms,
                                           caucus_barrier_fn *done, void *context);
CAUCUS_API int caucus_double_barrier_enter_wait(struct caucus_double_barrier *b,
                                                int64_t timeout_ms);

/* Goes out, and is done when all who were in are out or gone. Whatever rc is, this member is out.
 * When as many programs as there are members take part, each may enter again at once, for the next
 * round. rc: CAUCUS_SESSIONEXPIRED (it was out before), and as above. CAUCUS_BADARGUMENTS,
 * returned: it is not in. */
CAUCUS_API int caucus_double_barrier_leave(struct caucus_double_barrier *b, int64_t timeout_ms,
                                           caucus_barrier_fn *done, void *context);
CAUCUS_API int caucus_double_barrier_leave_wait(struct caucus_double_barrier *b,
                                                int64_t timeout_ms);

/* Goes out without waiting for anybody; the node is deleted in the background, as soon as a server
 * can be reached, if its session does not end first. What waits ends with CAUCUS_CLOSING before
 * this returns. From any thread and at any time, before or after caucus_close of the client; in a
 * callback nothing is waited for. NULL is fine. */
CAUCUS_API void caucus_double_barrier_close(struct caucus_double_barrier *b);

#ifdef __cplusplus
}
#endif

#endif
