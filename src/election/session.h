/* session.h: how whoever belongs to an election opens its session with the coordination service. */
#ifndef CAUCUS_ELECTION_SESSION_H
#define CAUCUS_ELECTION_SESSION_H

#include "base/err.h"
#include "caucus/caucus.h"

struct session_place {
    const char *hosts;
    const char *ca, *identity; /* PEM files: whom to trust; our certificate and key. Both NULL:
                                  plain TCP */
};

/* caucus_open or caucus_open_loop */
typedef int session_open_fn(const char *hosts, const struct caucus_options *options,
                            struct caucus **ret);

/* `options` but for its tls. ERR_INVALID: the files or the hosts; ERR_NOSPACE: of the system. */
int session_open(session_open_fn *open, const struct session_place *place,
                 const struct caucus_options *options, struct caucus **ret, struct err *err);

#endif
