/* effects_internal.h: how the files of node/ fill struct effects. */
#ifndef CAUCUS_NODE_EFFECTS_INTERNAL_H
#define CAUCUS_NODE_EFFECTS_INTERNAL_H

#include "node/effects.h"

void fx_persist(struct effects *fx, struct persist_effect p);
/* Bytes [at, at+len) of send_bytes go to the client; joined to the send before when they continue
 * it. */
void fx_send(struct effects *fx, uint64_t client, size_t at, size_t len);
void fx_close(struct effects *fx, uint64_t client, const char *reason);
void fx_read(struct effects *fx, uint64_t client, bool pause);
void fx_trace(struct effects *fx, struct trace_effect t);
/* Copies the payload into send_bytes. */
void fx_election(struct effects *fx, int64_t sid, struct slice payload);
void fx_link(struct effects *fx, struct link_effect l);

#endif
