/* results_internal.h: the service's results as messages. Their memory is the scratch's, the
 * service's and the definition's: to be packed at once. */
#ifndef CAUCUS_ELECTION_GRPC_RESULTS_INTERNAL_H
#define CAUCUS_ELECTION_GRPC_RESULTS_INTERNAL_H

#include "election/v1/election.pb-c.h"
#include "election_grpc/door_internal.h"

Election__V1__Phase phase_on_wire(enum phase p);
Election__V1__StateResult *state_message(const struct election_grpc *g,
                                         const struct state_result *r, struct scratch *s);
Election__V1__NationalResult *national_message(const struct election_grpc *g,
                                               const struct national_result *r, struct scratch *s);
Election__V1__RecountReply *recount_message(const struct election_grpc *g,
                                            const struct recount_reply *r, struct scratch *s);

/* protobuf-c wants writable pointers, and only reads them when it packs. */
char *on_loan(const char *text);

#endif
