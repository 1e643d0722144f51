/* route_committee.c: the election as it is, start, stop, recounts. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "election_rest/bodies.h"
#include "election_rest/rest_internal.h"
#include "election_rest/results.h"

void route_election(struct request *r)
{
    const struct global *global = service_peek_global(r->rest->service);
    struct buf body;
    struct json_out j;
    buf_init(&body, ANSWER_BYTES_MAX);
    json_out_begin(&j, &body);
    results_election(&j, r->rest->info, global, request_may_count(r, global->phase));
    if (r->rest->console != NULL)
        json_out_string(&j, "console", r->rest->console);
    json_out_end(&j);
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_JSON, &body);
}

/* ---- Start and stop ---- */

static unsigned command_status(enum command_outcome outcome)
{
    switch (outcome) {
    case COMMAND_DONE:
        return MHD_HTTP_OK;
    case COMMAND_WRONG_PHASE:
    case COMMAND_NOT_READY:
        return MHD_HTTP_CONFLICT;
    case COMMAND_UNAVAILABLE:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    case COMMAND_OUTCOME_COUNT:
        break;
    }
    return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static void put_not_ready(struct json_out *j, const struct election_info *e,
                          const struct command_reply *reply)
{
    json_out_list(j, "not_ready");
    for (size_t i = 0; i < reply->not_ready_count; i++)
        json_out_string(j, NULL, e->states[reply->not_ready[i]].names.code);
    json_out_list_end(j);
}

static void put_done(struct json_out *j, const struct command_reply *reply)
{
    json_out_string(j, "outcome", command_outcome_name(reply->outcome));
    json_out_string(j, "phase", phase_name(reply->global.phase));
    json_out_unsigned(j, "round", reply->global.round);
    json_out_number(j, "opened_ms", reply->global.opened_ms);
    json_out_number(j, "closed_ms", reply->global.closed_ms);
    buf_printf(j->out, ",\"zxid\":\"0x%" PRIx64 "\"", (uint64_t)reply->zxid);
}

/* As other errors, and with the states that are not ready. */
static void put_refused(struct json_out *j, const struct command_reply *reply)
{
    bool later = reply->outcome == COMMAND_UNAVAILABLE;
    json_out_string(j, "code", command_outcome_name(reply->outcome));
    json_out_string(j, "message", reply->detail != NULL ? reply->detail : "");
    json_out_string(j, "outcome", later ? "unknown" : "none");
    json_out_unsigned(j, "retry_after_ms", later ? 1000 : 0);
}

static void on_command(void *arg, const struct command_reply *reply)
{
    struct request *r = call_end(arg);
    if (r == NULL)
        return;
    struct buf body;
    struct json_out j;
    buf_init(&body, ANSWER_BYTES_MAX);
    json_out_begin(&j, &body);
    if (reply->outcome == COMMAND_DONE)
        put_done(&j, reply);
    else
        put_refused(&j, reply);
    put_not_ready(&j, r->rest->info, reply);
    json_out_end(&j);
    rest_answer_bytes(r, command_status(reply->outcome), CONTENT_JSON, &body);
    if (reply->outcome == COMMAND_UNAVAILABLE)
        rest_answer_header(r, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    rest_resume(r);
}

static void command(struct request *r, enum command_verb verb)
{
    struct command c = {.verb = verb};
    const char *wrong = body_read_command(buf_slice(&r->body), &c);
    if (wrong != NULL)
        rest_answer_error(r, MHD_HTTP_BAD_REQUEST, "INVALID_REQUEST", wrong);
    else
        service_command(r->rest->service, &c, on_command, call_begin(r));
}

void route_start(struct request *r)
{
    command(r, COMMAND_START);
}

void route_stop(struct request *r)
{
    command(r, COMMAND_STOP);
}

/* ---- Recounts ---- */

/* One request's: of one state or of all. Each state's answer is written when it comes. */
struct recounting {
    struct election_rest *rest;
    struct call *call;
    struct buf states; /* JSON objects with commas between */
    size_t open;       /* states that have not answered */
    bool agree;
};

static void put_replica(struct json_out *j, const struct election_info *e, int state,
                        const struct replica_recount *p)
{
    json_out_object(j, NULL);
    json_out_string(j, "server", p->server);
    json_out_flag(j, "known", p->known);
    json_out_flag(j, "agrees", p->agrees);
    json_out_string(j, "detail", p->detail != NULL ? p->detail : "");
    if (p->known) {
        json_out_unsigned(j, "index", p->index);
        json_out_hex(j, "chain", p->chain.bytes, sizeof p->chain.bytes);
        json_out_hex(j, "root", p->root.bytes, sizeof p->root.bytes);
        json_out_unsigned(j, "voters", p->tally->voters);
        results_counts(j, e, &e->states[state], p->tally, -1);
    }
    json_out_object_end(j);
}

static void put_recount(struct recounting *c, const struct recount_reply *reply)
{
    const struct election_info *e = c->rest->info;
    struct json_out j = {.out = &c->states, .more = c->states.len > 0};
    json_out_object(&j, NULL);
    json_out_string(&j, "state", e->states[reply->state].names.code);
    json_out_flag(&j, "agree", reply->agree);
    json_out_string(&j, "verdict", reply->verdict != NULL ? reply->verdict : "");
    json_out_list(&j, "replicas");
    for (size_t i = 0; i < reply->replica_count; i++)
        put_replica(&j, e, reply->state, &reply->replicas[i]);
    json_out_list_end(&j);
    json_out_object_end(&j);
}

static void recounting_end(struct recounting *c)
{
    struct request *r = c->call->request;
    c->rest->recounts--;
    if (r != NULL) {
        struct buf body;
        struct json_out j;
        buf_init(&body, ANSWER_BYTES_MAX);
        json_out_begin(&j, &body);
        json_out_flag(&j, "agree", c->agree);
        json_out_list(&j, "states");
        buf_put_slice(&body, buf_slice(&c->states));
        json_out_list_end(&j);
        json_out_end(&j);
        rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_JSON, &body);
    }
    buf_deinit(&c->states);
    r = call_end(c->call);
    free(c);
    if (r != NULL)
        rest_resume(r);
}

static void on_recount(void *arg, const struct recount_reply *reply)
{
    struct recounting *c = arg;
    c->agree = c->agree && reply->agree;
    put_recount(c, reply);
    if (--c->open == 0)
        recounting_end(c);
}

/* One at a time: a recount reads whole logs. `name`: of a state; null: all. */
static void recount(struct request *r, struct slice name)
{
    const struct election_info *e = r->rest->info;
    int state = slice_is_null(name) ? -1 : service_find_state(r->rest->service, name);
    if (!slice_is_null(name) && state < 0) {
        rest_answer_outcome(r, CAST_NO_STATE, NULL, 0);
        return;
    }
    if (r->rest->recounts > 0) {
        rest_answer_outcome(r, CAST_BUSY, "a recount is under way", 5000);
        return;
    }
    struct recounting *c = mem_calloc(1, sizeof *c);
    c->rest = r->rest;
    c->call = call_begin(r);
    c->agree = true;
    c->open = state >= 0 ? 1 : e->state_count;
    buf_init(&c->states, ANSWER_BYTES_MAX);
    r->rest->recounts++;
    for (int i = 0; i < (int)e->state_count; i++) {
        if (state < 0 || state == i)
            service_recount(r->rest->service, i, on_recount, c);
    }
}

void route_recount(struct request *r)
{
    recount(r, url_argument(&r->url, "state"));
}

void route_audit(struct request *r)
{
    recount(r, r->captures[0]);
}
