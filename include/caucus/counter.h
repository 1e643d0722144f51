/* counter.h: a number for many programs: each addition counts once.
 *
 * A shared value (shared_value.h) whose data is the number in decimal digits. All that is said
 * there of exactness, connections and sessions holds: an addition is made once, or not at all, and
 * its rc says which; only CAUCUS_CONNECTIONLOSS says that nobody knows. A node that is missing is 0
 * made with its first addition; other data than a number in the range of int64_t is refused. */
#ifndef CAUCUS_CAUCUS_COUNTER_H
#define CAUCUS_CAUCUS_COUNTER_H

#include "caucus/caucus.h"

#ifdef __cplusplus
extern "C" {
#endif

struct caucus_counter;

typedef void caucus_counter_fn(void *context, struct caucus_counter *k, int64_t now);

struct caucus_counter_options {
    unsigned tries_max; /* of one change. 0: 100 */
    const struct caucus_acl
        *acl; /* of nodes that are made; acl_count 0: everybody may everything */
    size_t acl_count;
    caucus_counter_fn *on_change; /* it has become this; may be NULL */
    void *context;
};

/* As caucus_shared_value_open, and close. */
CAUCUS_API int caucus_counter_open(struct caucus *c, const char *path,
                                   const struct caucus_counter_options *options,
                                   struct caucus_counter **ret);
CAUCUS_API void caucus_counter_close(struct caucus_counter *k);

/* The number as it is known here; as caucus_shared_value_get. Errors: CAUCUS_NONODE,
 * CAUCUS_MARSHALLINGERROR (it is no number). */
CAUCUS_API int caucus_counter_get(struct caucus_counter *k, int64_t *ret);

/* `now`: the number right after the change, if rc is 0. rc: as of caucus_shared_value_done_fn, and
 * CAUCUS_MARSHALLINGERROR, CAUCUS_BADARGUMENTS (the sum is out of range). */
typedef void caucus_counter_done_fn(void *context, int rc, int64_t now);

/* `done` may be NULL. Errors: CAUCUS_BUSY (1,024 changes wait), CAUCUS_CLOSING. */
CAUCUS_API int caucus_counter_add(struct caucus_counter *k, int64_t delta,
                                  caucus_counter_done_fn *done, void *context);
CAUCUS_API int caucus_counter_set(struct caucus_counter *k, int64_t to,
                                  caucus_counter_done_fn *done, void *context);

/* The same, blocking. *ret_now may be NULL. Errors: what rc may be, and CAUCUS_WOULDBLOCK. */
CAUCUS_API int caucus_counter_add_wait(struct caucus_counter *k, int64_t delta, int64_t *ret_now);
CAUCUS_API int caucus_counter_set_wait(struct caucus_counter *k, int64_t to, int64_t *ret_now);

#ifdef __cplusplus
}
#endif

#endif
