/* seals.h: how a round ended, from the coordination service itself. */
#ifndef CAUCUS_COMMITTEE_SEALS_H
#define CAUCUS_COMMITTEE_SEALS_H

#include "base/buf.h"
#include "base/err.h"
#include "election/service.h"

struct seals {
    struct buf global;             /* the bytes of struct global */
    struct buf states[STATES_MAX]; /* of struct commit, in the order of the definition */
};

struct seals_options {
    const char *zookeeper;
    const char *root;          /* "/Election" */
    const char *auth;          /* USER:PASS, or NULL */
    const char *ca, *identity; /* PEM files; both NULL: plain TCP */
    int64_t timeout_ms;
};

/* ERR_INVALID: the round is not closed, a state has no seal yet, or what stands there does not
 * decode; ERR_IO: nothing can be read. seals_deinit in any case. */
int seals_read(const struct seals_options *o, const struct election_info *e, struct seals *ret,
               struct err *err);
void seals_deinit(struct seals *s);

#endif
