/* model_pb.h: what servers say by gRPC (proto/election/v1/election.proto), read, and questions
 * written. False: it is no such answer. Fields that are not known here are passed over. Pure. */
#ifndef CAUCUS_ELECTION_CLIENT_MODEL_PB_H
#define CAUCUS_ELECTION_CLIENT_MODEL_PB_H

#include "base/buf.h"
#include "election_client/client.h"

void model_pb_put_command(const struct client_command *c, struct buf *ret);
void model_pb_put_state_query(const char *state, struct buf *ret); /* linearizable */
void model_pb_put_watch_query(const char *states, struct buf *ret);

bool model_pb_state(struct slice bytes, struct model_state *ret);
bool model_pb_nation(struct slice bytes, struct model_nation *ret);
bool model_pb_command(struct slice bytes, struct model_command *ret);
bool model_pb_recount(struct slice bytes, struct model_state *ret);

#endif
