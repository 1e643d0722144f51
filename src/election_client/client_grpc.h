/* client_grpc.h: what of client.h goes by gRPC, for client.c. */
#ifndef CAUCUS_ELECTION_CLIENT_CLIENT_GRPC_H
#define CAUCUS_ELECTION_CLIENT_CLIENT_GRPC_H

#include "election_client/client.h"

enum client_code client_grpc_command(const struct client *c, const struct client_command *command,
                                     struct model_command *ret, struct err *err);
enum client_code client_grpc_state(const struct client *c, const char *state,
                                   struct model_state *ret, struct err *err);
enum client_code client_grpc_nation(const struct client *c, struct model_nation *ret,
                                    struct err *err);
enum client_code client_grpc_recount(const struct client *c, const char *state,
                                     struct model_nation *ret, struct err *err);
enum client_code client_grpc_watch(const struct client *c, const char *states,
                                   client_watch_fn *changed, void *arg, struct err *err);

#endif
