/* shared_value.h: one value for many programs, changed by one after the other.
 *
 * The value is the data of a node; the first change makes it, with `initial`, if it is missing.
 * Each handle keeps it here as it is now (cache.h), and changes it by writing on condition that
 * nobody else has since: where somebody was faster it reads and writes again, at most tries_max
 * times.
 *
 * What a change says of itself is exact, also when the connection breaks under it:
 *
 *   The new value is written in one multi with an empty ephemeral node below it that is the
 * handle's own, its *mark*: both, or neither. When the answer is lost, the handle lets the server
 * that it has found catch up with the leader (sync) and looks at the mark. Its version tells
 * whether the multi was done: nobody else writes it. If not, it will not be any more: what a
 * session has asked on an earlier connection is either ordered before the sync, or refused, because
 * the session has moved (servers accept a session's writes from its present connection alone). So
 * it is made again. The mark goes with its session. Only if the session ended as well, and the
 * value was changed since, nobody can tell who did it. Then, and never otherwise, the change ends
 * with CAUCUS_CONNECTIONLOSS: it may have happened or not, and it is not made again.
 *
 *   disconnection   changes wait for the connection at most for the session's timeout
 *                   (CAUCUS_OPERATIONTIMEOUT: nothing happened)
 *   pause, expiry   as above; the value outlives both, and the handle goes on in the next session
 * All other errors say that nothing happened. Whoever deletes the node begins a new value with
 * version 0: a program that remembers versions must not do that.
 *
 * Changes of one handle are made one after the other, in order. Callbacks run where those of the
 * client run (caucus.h). */
#ifndef CAUCUS_CAUCUS_SHARED_VALUE_H
#define CAUCUS_CAUCUS_SHARED_VALUE_H

#include "caucus/cache.h"

#ifdef __cplusplus
extern "C" {
#endif

struct caucus_shared_value;

/* It has become this. Called for the changes of all, also one's own; several may have been made by
 * then. */
typedef void caucus_shared_value_fn(void *context, struct caucus_shared_value *v,
                                    const struct caucus_cache_node *now);

struct caucus_shared_value_options {
    const void *initial; /* NULL: null */
    size_t initial_bytes;
    unsigned tries_max; /* of one change. 0: 100 */
    const struct caucus_acl
        *acl; /* of nodes that are made; acl_count 0: everybody may everything */
    size_t acl_count;
    caucus_shared_value_fn *on_change; /* may be NULL */
    void *context;
};

/* Everything is copied; `options` may be NULL. Errors: CAUCUS_BADARGUMENTS (the path is "/",
 * relative, or ends with a slash), CAUCUS_CLOSING. */
CAUCUS_API int caucus_shared_value_open(struct caucus *c, const char *path,
                                        const struct caucus_shared_value_options *options,
                                        struct caucus_shared_value **ret);

/* Changes that were not made yet end with CAUCUS_CLOSING, before this returns; of the one that was
 * being made nobody knows. No callback comes after it. From any thread and at any time, before or
 * after caucus_close of the client. NULL is fine. */
CAUCUS_API void caucus_shared_value_close(struct caucus_shared_value *v);

/* The value as it is known here: data, and stat.version. From any thread, without asking a server;
 * a change of one's own may show a moment after it was answered. *ret is freed with
 * caucus_cache_node_free. Errors: CAUCUS_NONODE (not known yet, or nobody has made it). */
CAUCUS_API int caucus_shared_value_get(struct caucus_shared_value *v,
                                       const struct caucus_cache_node **ret);

/* `version`: of the value after the change, if rc is 0. rc: BADVERSION (try_set), BUSY (others were
 * faster tries_max times), CONNECTIONLOSS, OPERATIONTIMEOUT, CLOSING, NONODE (try_set), TOOBIG,
 * NOAUTH, QUOTAEXCEEDED. Called once if 0 was returned. */
typedef void caucus_shared_value_done_fn(void *context, int rc, int32_t version);

/* Whatever it is now, to this. `done` may be NULL. Errors: CAUCUS_BUSY (1,024 changes wait),
 * CAUCUS_CLOSING. */
CAUCUS_API int caucus_shared_value_set(struct caucus_shared_value *v, const void *data,
                                       size_t data_bytes, caucus_shared_value_done_fn *done,
                                       void *context);
/* If it is of this version now. */
CAUCUS_API int caucus_shared_value_try_set(struct caucus_shared_value *v, const void *data,
                                           size_t data_bytes, int32_t version,
                                           caucus_shared_value_done_fn *done, void *context);

/* The same, blocking. *ret_version may be NULL. Errors: what rc may be, and CAUCUS_WOULDBLOCK. */
CAUCUS_API int caucus_shared_value_set_wait(struct caucus_shared_value *v, const void *data,
                                            size_t data_bytes, int32_t *ret_version);
CAUCUS_API int caucus_shared_value_try_set_wait(struct caucus_shared_value *v, const void *data,
                                                size_t data_bytes, int32_t version,
                                                int32_t *ret_version);

#ifdef __cplusplus
}
#endif

#endif
