/* door_internal.h: what the services of the door share. */
#ifndef CAUCUS_ELECTION_GRPC_DOOR_INTERNAL_H
#define CAUCUS_ELECTION_GRPC_DOOR_INTERNAL_H

#include <protobuf-c/protobuf-c.h>

#include "base/list.h"
#include "election_grpc/election_grpc.h"
#include "grpc/grpc.h"

struct election_grpc {
    struct loop *loop;
    struct service *service;
    struct grpc_server *server; /* NULL: closed */
    struct election_grpc_options options;
    uint64_t casts[CAST_OUTCOME_COUNT];
    size_t asked; /* of the service, and not answered; watchers */
    uint32_t recounts;
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct buf reply; /* that is being written: one after the other */
    struct list watchers, health_watchers;
    uv_timer_t last; /* closed when the door is, so that nothing of it is in use when it is freed */
};

/* Somebody holds on to the door, until door_release: it is not freed before. */
void door_hold(struct election_grpc *g);
void door_release(struct election_grpc *g);

/* One call that waits for the service. */
struct asked {
    struct election_grpc *door;
    struct grpc_call *call;
    bool sign; /* Cast: the receipt */
};
struct asked *asked_new(struct election_grpc *g, struct grpc_call *c);
void asked_free(struct asked *a);

/* ---- Who asks ---- */

/* By the call's certificate. */
bool caller_is_committee(const struct election_grpc *g, const struct grpc_call *c);
/* False, and the call is over: he may not. */
bool caller_may_command(const struct election_grpc *g, struct grpc_call *c);
bool caller_may_look(const struct election_grpc *g, struct grpc_call *c);

/* ---- Outcomes ---- */

int code_of_cast(enum cast_outcome o);
int code_of_command(enum command_outcome o);
/* Ends the call with the outcome's status, its name and when to come again. */
void finish_cast(struct grpc_call *c, enum cast_outcome o, const char *detail,
                 uint32_t retry_after_ms);

/* ---- Messages ---- */

/* NULL, and the call is over: the request is no such message. Freed by free_request. */
void *unpack_request(struct grpc_call *c, const ProtobufCMessageDescriptor *type,
                     struct slice bytes);
void free_request(void *message);
void send_packed(struct grpc_call *c, const void *message);
void reply_packed(struct grpc_call *c, const void *message);

/* Memory for the parts of one message, freed together. Zeroed: empty. */
struct scratch {
    void **parts;
    size_t count, cap;
};
void *scratch_zeroed(struct scratch *s, size_t count, size_t bytes);
void scratch_deinit(struct scratch *s);

/* -1, and the call is over: no such state. */
int find_state(const struct election_grpc *g, struct grpc_call *c, struct slice name);
/* Of a StateQuery. -1, and the call is over: it is none, or of no state. */
int take_state(const struct election_grpc *g, struct grpc_call *c, struct slice bytes,
               bool *ret_linearizable);
/* Of 16 bytes, or none. False, and the call is over. */
bool take_id(struct grpc_call *c, struct slice bytes, uint8_t ret[16]);

/* ---- The services ---- */

void voting_add(struct election_grpc *g);
void committee_add(struct election_grpc *g);
void transparency_add(struct election_grpc *g);
void legacy_add(struct election_grpc *g);
void health_add(struct election_grpc *g);
void health_leave(struct election_grpc *g);
void reflection_add(struct election_grpc *g);

/* WatchResults. */
void watch_on_request(void *arg, struct grpc_call *c, struct slice request);
extern const struct grpc_handlers watch_handlers;
/* Whoever watches is sent elsewhere: he would keep the server from draining. */
void watchers_leave(struct election_grpc *g);

#endif
