/* outcome.h: the answers of servers as results for callers.
 *
 * A result owns all it points to, in a few chunks of memory that caucus_result_free returns. Pure.
 */
#ifndef CAUCUS_CLIENT_OUTCOME_H
#define CAUCUS_CLIENT_OUTCOME_H

#include "client/call.h"
#include "wire/dec.h"

/* A result with nothing but its code. */
struct caucus_result *outcome_of(int rc, int64_t zxid);

/* The record that follows a reply header without error. False: malformed; *ret is then a result
 * with CAUCUS_MARSHALLINGERROR. */
bool outcome_read(const struct call *c, struct slice chroot, int64_t zxid, struct dec *body,
                  struct caucus_result **ret);

#endif
