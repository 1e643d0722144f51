#include "election_client/client_grpc.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "election_client/ask.h"
#include "election_client/model_pb.h"
#include "grpc/grpc.h"

#define COMMITTEE "/election.v1.Committee/"

static struct ask_options options_of(const struct client *c)
{
    return (struct ask_options){
        .servers = &c->grpc, .tls = c->grpc_tls, .timeout_ms = c->timeout_ms};
}

static enum client_code code_of(const struct ask_answer *a, struct err *err)
{
    if (a->code == GRPC_OK)
        return CLIENT_OK;
    err_set(err, ERR_IO, "%s: %s", a->server, a->detail);
    return a->code == GRPC_UNAVAILABLE || a->code == GRPC_DEADLINE_EXCEEDED ? CLIENT_CONNECTION
                                                                            : CLIENT_NO;
}

static enum client_code not_understood(struct err *err)
{
    err_set(err, ERR_INVALID, "an answer that is not understood: is it another version?");
    return CLIENT_NO;
}

/* Asks, and leaves the reply to be read; the question is used up. */
static enum client_code question(const struct client *c, const char *path, struct buf *request,
                                 struct ask_answer *ret, struct err *err)
{
    struct ask_options o = options_of(c);
    ask(&o, path, buf_slice(request), ret);
    buf_deinit(request);
    return code_of(ret, err);
}

enum client_code client_grpc_command(const struct client *c, const struct client_command *command,
                                     struct model_command *ret, struct err *err)
{
    struct buf request = {0};
    struct ask_answer a;
    model_pb_put_command(command, &request);
    enum client_code code =
        question(c, command->start ? COMMITTEE "Start" : COMMITTEE "Stop", &request, &a, err);
    if (code == CLIENT_OK && !model_pb_command(buf_slice(&a.reply), ret))
        code = not_understood(err);
    buf_deinit(&a.reply);
    return code;
}

enum client_code client_grpc_state(const struct client *c, const char *state,
                                   struct model_state *ret, struct err *err)
{
    struct buf request = {0};
    struct ask_answer a;
    model_pb_put_state_query(state, &request);
    enum client_code code = question(c, COMMITTEE "Status", &request, &a, err);
    if (code == CLIENT_OK && !model_pb_state(buf_slice(&a.reply), ret))
        code = not_understood(err);
    buf_deinit(&a.reply);
    return code;
}

enum client_code client_grpc_nation(const struct client *c, struct model_nation *ret,
                                    struct err *err)
{
    struct buf request = {0};
    struct ask_answer a;
    enum client_code code = question(c, COMMITTEE "GlobalStatus", &request, &a, err);
    if (code == CLIENT_OK && !model_pb_nation(buf_slice(&a.reply), ret))
        code = not_understood(err);
    buf_deinit(&a.reply);
    return code;
}

/* ---- recounts: a call for each state ---- */

static enum client_code recount_state(const struct client *c, const char *state,
                                      struct model_state *ret, struct err *err)
{
    struct buf request = {0};
    struct ask_answer a;
    model_pb_put_state_query(state, &request);
    enum client_code code = question(c, COMMITTEE "Recount", &request, &a, err);
    if (code == CLIENT_OK && !model_pb_recount(buf_slice(&a.reply), ret))
        code = not_understood(err);
    buf_deinit(&a.reply);
    if (code == CLIENT_OK)
        snprintf(ret->code, sizeof ret->code, "%s", state);
    return code;
}

enum client_code client_grpc_recount(const struct client *c, const char *state,
                                     struct model_nation *ret, struct err *err)
{
    struct model_nation *n = mem_calloc(1, sizeof *n);
    enum client_code code = CLIENT_OK;
    memset(ret, 0, sizeof *ret);
    if (state != NULL) {
        n->state_count = 1;
        snprintf(n->states[0].code, sizeof n->states[0].code, "%s", state);
    } else {
        code = client_grpc_nation(c, n, err);
    }
    for (size_t i = 0; i < n->state_count && code == CLIENT_OK; i++) {
        code = recount_state(c, n->states[i].code, &ret->states[i], err);
        ret->state_count = i + 1;
    }
    free(n);
    return code;
}

/* ---- as they change ---- */

struct watch {
    client_watch_fn *changed;
    void *arg;
    bool understood;
};

static bool on_message(void *arg, struct slice message)
{
    struct watch *w = arg;
    struct model_state *s = mem_calloc(1, sizeof *s);
    w->understood = model_pb_state(message, s);
    bool more = w->understood && w->changed(w->arg, s);
    free(s);
    return more;
}

enum client_code client_grpc_watch(const struct client *c, const char *states,
                                   client_watch_fn *changed, void *arg, struct err *err)
{
    struct ask_options o = options_of(c);
    struct watch w = {.changed = changed, .arg = arg, .understood = true};
    struct buf request = {0};
    struct ask_answer a;
    model_pb_put_watch_query(states, &request);
    ask_stream(&o, COMMITTEE "WatchResults", buf_slice(&request), on_message, &w, &a);
    buf_deinit(&request);
    buf_deinit(&a.reply);
    return w.understood ? code_of(&a, err) : not_understood(err);
}
