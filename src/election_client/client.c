#include "election_client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"
#include "base/mem.h"
#include "election_client/client_grpc.h"
#include "election_client/model_json.h"
#include "election_client/rest.h"

enum {
    PATH_BYTES_MAX = 512,
    STATUS_OK = 200,
};

/* ---- by REST ---- */

static enum client_code ask_rest(const struct client *c, const struct rest_question *q,
                                 struct buf *ret, struct err *err)
{
    struct ask_options o = {.servers = &c->rest, .tls = c->rest_tls, .timeout_ms = c->timeout_ms};
    struct rest_answer a;
    rest_ask(&o, q, &a);
    *ret = a.body;
    if (a.status == STATUS_OK)
        return CLIENT_OK;
    bool maybe = a.maybe && strcmp(q->method, "GET") != 0;
    err_set(err, ERR_IO, "%s: %s%s", a.server, a.detail,
            maybe ? "; it may have been done all the same: ask again" : "");
    return a.status == 0 ? CLIENT_CONNECTION : CLIENT_NO;
}

static enum client_code not_understood(struct err *err)
{
    err_set(err, ERR_INVALID, "an answer that is not understood: is it another version?");
    return CLIENT_NO;
}

static enum client_code rest_is_wanted(struct err *err)
{
    err_set(err, ERR_INVALID, "this is asked by REST: --rest HOST:PORT,... is wanted");
    return CLIENT_NO;
}

static enum client_code get(const struct client *c, const char *path, struct buf *ret,
                            struct err *err)
{
    struct rest_question q = {.method = "GET", .path = path};
    if (c->rest.count > 0)
        return ask_rest(c, &q, ret, err);
    *ret = (struct buf){0};
    return rest_is_wanted(err);
}

/* A name in a path: what is no letter, digit or one of "-._~" as its bytes. */
static void put_name(struct buf *b, const char *name)
{
    for (; *name != 0; name++) {
        unsigned char ch = (unsigned char)*name;
        bool plain = (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') ||
                     strchr("-._~", ch) != NULL;
        buf_printf(b, plain ? "%c" : "%%%02X", ch);
    }
}

static enum client_code command_rest(const struct client *c, const struct client_command *command,
                                     struct model_command *ret, struct err *err)
{
    struct buf body = {0}, reply;
    struct json_out j;
    char id[40];
    const uint8_t *p = command->id;
    snprintf(id, sizeof id, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11], p[12], p[13],
             p[14], p[15]);
    json_out_begin(&j, &body);
    json_out_string(&j, "command_id", id);
    json_out_unsigned(&j, "round", command->round);
    json_out_flag(&j, "force", command->force);
    json_out_flag(&j, "now", command->now);
    json_out_unsigned(&j, "drain_ms", command->drain_ms);
    json_out_end(&j);
    struct rest_question q = {
        .method = "POST",
        .path = command->start ? "/v1/election/start" : "/v1/election/stop",
        .body = buf_slice(&body),
    };
    enum client_code code = ask_rest(c, &q, &reply, err);
    if (code == CLIENT_OK && !model_json_command(buf_slice(&reply), ret))
        code = not_understood(err);
    buf_deinit(&body);
    buf_deinit(&reply);
    return code;
}

static enum client_code state_rest(const struct client *c, const char *state,
                                   struct model_state *ret, struct err *err)
{
    struct buf path = {0}, reply;
    buf_printf(&path, "/v1/states/");
    put_name(&path, state);
    buf_printf(&path, "/status?linearizable=1");
    buf_put_u8(&path, 0);
    enum client_code code = get(c, (const char *)path.ptr, &reply, err);
    if (code == CLIENT_OK && !model_json_state(buf_slice(&reply), ret))
        code = not_understood(err);
    buf_deinit(&path);
    buf_deinit(&reply);
    return code;
}

static enum client_code nation_rest(const struct client *c, const char *path,
                                    struct model_nation *ret, struct err *err)
{
    struct buf reply;
    enum client_code code = get(c, path, &reply, err);
    if (code == CLIENT_OK && !model_json_nation(buf_slice(&reply), ret))
        code = not_understood(err);
    buf_deinit(&reply);
    return code;
}

static enum client_code recount_rest(const struct client *c, const char *state,
                                     struct model_nation *ret, struct err *err)
{
    struct buf path = {0}, reply;
    buf_printf(&path, "/v1/recount%s", state != NULL ? "?state=" : "");
    if (state != NULL)
        put_name(&path, state);
    buf_put_u8(&path, 0);
    struct rest_question q = {.method = "POST", .path = (const char *)path.ptr};
    enum client_code code = ask_rest(c, &q, &reply, err);
    if (code == CLIENT_OK && !model_json_nation(buf_slice(&reply), ret))
        code = not_understood(err);
    buf_deinit(&path);
    buf_deinit(&reply);
    return code;
}

/* ---- by whichever was given ---- */

enum client_code client_command(const struct client *c, const struct client_command *command,
                                struct model_command *ret, struct err *err)
{
    return c->grpc.count > 0 ? client_grpc_command(c, command, ret, err)
                             : command_rest(c, command, ret, err);
}

enum client_code client_state(const struct client *c, const char *state, struct model_state *ret,
                              struct err *err)
{
    return c->grpc.count > 0 ? client_grpc_state(c, state, ret, err)
                             : state_rest(c, state, ret, err);
}

enum client_code client_nation(const struct client *c, struct model_nation *ret, struct err *err)
{
    return c->grpc.count > 0 ? client_grpc_nation(c, ret, err)
                             : nation_rest(c, "/v1/results", ret, err);
}

enum client_code client_recount(const struct client *c, const char *state, struct model_nation *ret,
                                struct err *err)
{
    return c->grpc.count > 0 ? client_grpc_recount(c, state, ret, err)
                             : recount_rest(c, state, ret, err);
}

enum client_code client_cluster(const struct client *c, struct model_nation *ret, struct err *err)
{
    return nation_rest(c, "/v1/cluster", ret, err);
}

enum client_code client_file(const struct client *c, const char *path, struct buf *ret,
                             struct err *err)
{
    return get(c, path, ret, err);
}

static enum client_code roll_at(const struct client *c, uint32_t server, struct rest_question *q,
                                const char *state, struct model_roll *ret, struct err *err)
{
    struct client *one = mem_calloc(1, sizeof *one);
    struct buf path = {0}, reply;
    *one = *c;
    servers_only(&one->rest, &c->rest, server);
    buf_printf(&path, "/v1/roll/");
    put_name(&path, state);
    buf_put_u8(&path, 0);
    q->path = (const char *)path.ptr;
    enum client_code code = ask_rest(one, q, &reply, err);
    if (code == CLIENT_OK && !model_json_roll(buf_slice(&reply), ret))
        code = not_understood(err);
    buf_deinit(&path);
    buf_deinit(&reply);
    free(one);
    return code;
}

enum client_code client_roll(const struct client *c, uint32_t server, const char *state,
                             struct model_roll *ret, struct err *err)
{
    struct rest_question q = {.method = "GET"};
    return roll_at(c, server, &q, state, ret, err);
}

enum client_code client_put_roll(const struct client *c, uint32_t server, const char *state,
                                 struct slice csv, struct model_roll *ret, struct err *err)
{
    struct rest_question q = {.method = "PUT", .body = csv, .type = "text/csv"};
    return roll_at(c, server, &q, state, ret, err);
}

static enum client_code loss_of(const struct client *c, struct rest_question *q, const char *state,
                                struct model_loss *ret, struct err *err)
{
    struct buf path = {0}, reply;
    if (c->rest.count == 0)
        return rest_is_wanted(err);
    buf_printf(&path, "/v1/loss/");
    put_name(&path, state);
    buf_printf(&path, "%s", strcmp(q->method, "POST") == 0 ? "/admit" : "");
    buf_put_u8(&path, 0);
    q->path = (const char *)path.ptr;
    enum client_code code = ask_rest(c, q, &reply, err);
    if (code == CLIENT_OK && !model_json_loss(buf_slice(&reply), ret))
        code = not_understood(err);
    buf_deinit(&path);
    buf_deinit(&reply);
    return code;
}

enum client_code client_loss(const struct client *c, const char *state, struct model_loss *ret,
                             struct err *err)
{
    struct rest_question q = {.method = "GET"};
    return loss_of(c, &q, state, ret, err);
}

enum client_code client_admit_loss(const struct client *c, const char *state, struct slice document,
                                   struct model_loss *ret, struct err *err)
{
    struct buf body = {0};
    struct json_out j;
    json_out_begin(&j, &body);
    json_out_text(&j, "document", document);
    json_out_end(&j);
    struct rest_question q = {.method = "POST", .body = buf_slice(&body)};
    enum client_code code = loss_of(c, &q, state, ret, err);
    buf_deinit(&body);
    return code;
}

enum client_code client_watch(const struct client *c, const char *states, client_watch_fn *changed,
                              void *arg, struct err *err)
{
    if (c->grpc.count > 0)
        return client_grpc_watch(c, states, changed, arg, err);
    err_set(err, ERR_INVALID, "this is asked by gRPC: --server HOST:PORT,... is wanted");
    return CLIENT_NO;
}
