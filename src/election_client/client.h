/* client.h: the questions and commands there are, to servers of the election, by gRPC or REST.
 *
 * Each asks one server after the other, in an order by chance, until one answers (ask.h), and
 * blocks. */
#ifndef CAUCUS_ELECTION_CLIENT_CLIENT_H
#define CAUCUS_ELECTION_CLIENT_CLIENT_H

#include "base/buf.h"
#include "election_client/model.h"
#include "election_client/servers.h"
#include "tls/context.h"

enum client_code {
    CLIENT_OK,
    CLIENT_NO,         /* a server refused; err has its words */
    CLIENT_CONNECTION, /* no server answered; err has what the last attempt met */
};

struct client {
    struct servers grpc, rest; /* count 0: none were given. Commands go by gRPC, if there are any */
    /* NULL: plain text. For gRPC made with alpn "h2", which servers there insist on. */
    struct tls_context *grpc_tls, *rest_tls;
    int64_t timeout_ms; /* of one attempt */
};

struct client_command {
    bool start; /* else stop */
    bool force, now;
    uint64_t round;
    uint32_t drain_ms;
    uint8_t id[16];
};

enum client_code client_command(const struct client *c, const struct client_command *command,
                                struct model_command *ret, struct err *err);
enum client_code client_state(const struct client *c, const char *state, struct model_state *ret,
                              struct err *err);
enum client_code client_nation(const struct client *c, struct model_nation *ret, struct err *err);
/* `state` NULL: all. states[] with replicas. */
enum client_code client_recount(const struct client *c, const char *state, struct model_nation *ret,
                                struct err *err);
/* By REST alone. The states' leaders, and replicas. */
enum client_code client_cluster(const struct client *c, struct model_nation *ret, struct err *err);
/* By REST alone. A file as it is served, such as "/v1/export/manifest.csv". */
enum client_code client_file(const struct client *c, const char *path, struct buf *ret,
                             struct err *err);

/* By REST alone, of one server of c->rest: the roll it counts with; another one for it, before the
 * first round. */
enum client_code client_roll(const struct client *c, uint32_t server, const char *state,
                             struct model_roll *ret, struct err *err);
enum client_code client_put_roll(const struct client *c, uint32_t server, const char *state,
                                 struct slice csv, struct model_roll *ret, struct err *err);

/* By REST alone. What `state` would give up to go on without the servers that are missing;
 * CLIENT_NO also if there is nothing to be given up. */
enum client_code client_loss(const struct client *c, const char *state, struct model_loss *ret,
                             struct err *err);
/* By REST alone. Gives it up: `document` is a notice with approvals (election/loss.h). */
enum client_code client_admit_loss(const struct client *c, const char *state, struct slice document,
                                   struct model_loss *ret, struct err *err);

/* Told of every change; false ends it. `states` NULL: all; else "CA,NY". */
typedef bool client_watch_fn(void *arg, const struct model_state *state);
/* By gRPC alone. */
enum client_code client_watch(const struct client *c, const char *states, client_watch_fn *changed,
                              void *arg, struct err *err);

#endif
