/* model_json.h: what servers say by REST (docs/api/election.openapi.yaml), read. False: it is no
 * such answer. Members that are not known here are passed over. Pure. */
#ifndef CAUCUS_ELECTION_CLIENT_MODEL_JSON_H
#define CAUCUS_ELECTION_CLIENT_MODEL_JSON_H

#include "base/slice.h"
#include "election_client/model.h"

bool model_json_state(struct slice json, struct model_state *ret);
/* /v1/results; also /v1/cluster and /v1/recount, whose states have replicas. */
bool model_json_nation(struct slice json, struct model_nation *ret);
bool model_json_roll(struct slice json, struct model_roll *ret);
bool model_json_loss(struct slice json, struct model_loss *ret);
bool model_json_command(struct slice json, struct model_command *ret);

#endif
