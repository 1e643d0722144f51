/* sasl.h: who we say we are by SASL, and the steps of saying it.
 *
 * A step is made by a thread of its own, as Kerberos may ask a server of its own for many seconds;
 * it cannot be stopped, and one that nobody wants any more ends by itself. Steps of all handles of
 * the process are made one at a time: the library's plugins share state. */
#ifndef CAUCUS_CLIENT_IO_SASL_H
#define CAUCUS_CLIENT_IO_SASL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/slice.h"
#include "caucus/caucus.h"
#include "client/session.h"

struct sasl_identity;

/* ERR_INVALID, or ERR_UNSUPPORTED if there is no library or no such mechanism. Copies. */
int sasl_identity_new(const struct caucus_sasl *s, struct sasl_identity **ret, struct err *err);
void sasl_identity_free(struct sasl_identity *i); /* NULL is fine */

struct sasl_exchange;

/* With one server. Makes the first step. Keeps the identity. NULL: the system refused. */
struct sasl_exchange *sasl_exchange_begin(struct sasl_identity *i, const char *host);
/* The next step; not before the last is done. False: the system refused. */
bool sasl_exchange_continue(struct sasl_exchange *x, struct slice challenge);
/* Readable when the step is done. */
int sasl_exchange_fd(const struct sasl_exchange *x);
/* False: not done yet. The answer is borrowed until the next step. */
bool sasl_exchange_done(struct sasl_exchange *x, struct csession_sasl_step *ret);
/* The caller's part of it; done or not. NULL is fine. */
void sasl_exchange_release(struct sasl_exchange *x);

#endif
