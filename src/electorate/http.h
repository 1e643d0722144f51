/* http.h: a vote as a request of REST, and what the answer to it means. Pure. */
#ifndef CAUCUS_ELECTORATE_HTTP_H
#define CAUCUS_ELECTORATE_HTTP_H

#include "electorate/plan.h"

/* `host`: HOST:PORT. `credential`: what the voter shows; len 0: nothing. Appended. */
void http_vote(const struct election_info *e, const struct ballot *b, const char *host,
               struct slice credential, struct buf *ret);

enum cast_outcome http_outcome(int status, struct slice body);

#endif
