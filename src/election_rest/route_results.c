/* route_results.c: counts of a state and of the nation. */
#include <inttypes.h>

#include "election_rest/rest_internal.h"
#include "election_rest/results.h"

/* The answer, or "you have it already". `tag` is without quotes. */
static void answer_tagged(struct request *r, struct buf *body, struct slice tag)
{
    struct buf quoted = {0};
    buf_printf(&quoted, "\"%.*s\"", (int)tag.len, (const char *)tag.ptr);
    buf_put_u8(&quoted, 0);
    struct slice has = request_header(r, MHD_HTTP_HEADER_IF_NONE_MATCH);
    unsigned status = MHD_HTTP_OK;
    if (!slice_is_null(has) && text_has_tag(has, tag)) {
        status = MHD_HTTP_NOT_MODIFIED;
        buf_clear(body);
    }
    rest_answer_bytes(r, status, CONTENT_JSON, body);
    rest_answer_header(r, MHD_HTTP_HEADER_ETAG, (const char *)quoted.ptr);
    buf_deinit(&quoted);
}

/* ---- A state ---- */

static void answer_state(struct request *r, const struct state_result *result)
{
    if (!result->known) {
        rest_answer_unavailable(r, result->why, 0);
        return;
    }
    if (!request_may_count(r, result->phase)) {
        rest_answer_not_shown(r);
        return;
    }
    struct buf body, tag = {0};
    struct json_out j;
    buf_init(&body, ANSWER_BYTES_MAX);
    json_out_begin(&j, &body);
    results_state(&j, r->rest->info, result);
    json_out_end(&j);
    buf_printf(&tag, "%" PRIu64 "-%d-%" PRIu64, result->round, (int)result->phase,
               results_seen(result));
    answer_tagged(r, &body, buf_slice(&tag));
    buf_deinit(&body);
    buf_deinit(&tag);
}

static void on_state(void *arg, const struct state_result *result)
{
    struct request *r = call_end(arg);
    if (r == NULL)
        return;
    answer_state(r, result);
    rest_resume(r);
}

void route_status(struct request *r)
{
    int state = service_find_state(r->rest->service, r->captures[0]);
    if (state < 0)
        rest_answer_outcome(r, CAST_NO_STATE, NULL, 0);
    else if (url_flag(&r->url, "linearizable"))
        service_state(r->rest->service, state, true, on_state, call_begin(r));
    else
        answer_state(r, service_peek(r->rest->service, state));
}

/* ---- The nation ---- */

static void put_states(struct json_out *j, const struct election_info *e,
                       const struct state_result *const states[], const struct token *since)
{
    json_out_list(j, "states");
    for (uint32_t i = 0; i < e->state_count; i++) {
        if (since != NULL && since->seen[i] == results_seen(states[i]))
            continue;
        json_out_object(j, NULL);
        results_state(j, e, states[i]);
        json_out_object_end(j);
    }
    json_out_list_end(j);
}

void route_results(struct request *r, const struct national_result *n)
{
    const struct election_info *e = r->rest->info;
    const struct state_result *states[STATES_MAX];
    struct token since;
    struct slice text = url_argument(&r->url, "since");
    if (!request_may_count(r, n->global.phase)) {
        rest_answer_not_shown(r);
        return;
    }
    if (!slice_is_null(text) && !token_read(text, &since)) {
        rest_answer_error(r, MHD_HTTP_BAD_REQUEST, "INVALID_REQUEST",
                          "since is no token of results");
        return;
    }
    for (uint32_t i = 0; i < e->state_count; i++)
        states[i] = &n->states[i];
    bool partial = !slice_is_null(text) && token_is_of(&since, e, &n->global);

    struct buf body, tag = {0};
    struct json_out j;
    struct token now = results_token(e, &n->global, true, states);
    token_write(&now, &tag);
    buf_init(&body, ANSWER_BYTES_MAX);
    json_out_begin(&j, &body);
    results_nation(&j, e, &n->global, &n->nation, states);
    buf_printf(&body, ",\"zxid\":\"0x%" PRIx64 "\"", (uint64_t)n->zxid);
    json_out_text(&j, "token", buf_slice(&tag));
    put_states(&j, e, states, partial ? &since : NULL);
    json_out_end(&j);
    answer_tagged(r, &body, buf_slice(&tag));
    buf_deinit(&body);
    buf_deinit(&tag);
}

/* ---- What all routes of the nation wait for ---- */

static void on_nation(void *arg, int rc, const char *detail, const struct national_result *result)
{
    struct request *r = call_end(arg);
    if (r == NULL)
        return;
    if (rc < 0)
        rest_answer_unavailable(r, detail, 0);
    else
        r->route->handle_nation(r, result);
    rest_resume(r);
}

void request_wait_for_nation(struct request *r)
{
    service_nation(r->rest->service, on_nation, call_begin(r));
}
