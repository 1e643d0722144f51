/* route_vote.c: a vote, a voter's own record, the ballot. */
#include <inttypes.h>
#include <stdio.h>

#include "election_rest/bodies.h"
#include "election_rest/rest_internal.h"
#include "election_rest/results.h"

enum {
    TIMEOUT_MS_MAX = 60 * 1000,
    REVISION_MAX = UINT8_MAX,
};

static void refuse(struct request *r, const char *message)
{
    rest_answer_error(r, MHD_HTTP_BAD_REQUEST, cast_outcome_name(CAST_INVALID), message);
}

/* ---- Receipts ---- */

/* A signature takes longer than all the rest of a vote: it is for those who ask for it. */
static void put_receipt(struct json_out *j, const struct request *r, int state,
                        const struct receipt *receipt, bool is_signed)
{
    uint8_t signature[SIGNATURE_BYTES_OF_RECEIPT];
    json_out_unsigned(j, "round", receipt->round);
    json_out_unsigned(j, "epoch", receipt->epoch);
    json_out_unsigned(j, "index", receipt->index);
    json_out_unsigned(j, "revision", receipt->revision);
    json_out_hex(j, "leaf", receipt->leaf.bytes, sizeof receipt->leaf.bytes);
    json_out_unsigned(j, "commit_version", receipt->commit_version);
    json_out_unsigned(j, "tree_size", receipt->tree_size);
    json_out_hex(j, "root", receipt->root.bytes, sizeof receipt->root.bytes);
    if (!is_signed || state < 0)
        return;
    service_sign_receipt(r->rest->service, state, receipt, signature);
    json_out_hex(j, "signature", signature, sizeof signature);
}

/* The voter's revision as an ETag, for If-Match. */
static void put_revision(struct request *r, uint8_t revision)
{
    char tag[8];
    snprintf(tag, sizeof tag, "\"%u\"", revision);
    rest_answer_header(r, MHD_HTTP_HEADER_ETAG, tag);
}

/* ---- Casting ---- */

/* The credential of "Voter CREDENTIAL"; what is of another scheme is not for us. */
static struct slice credential(const struct request *r)
{
    static const char scheme[] = "voter ";
    struct slice value = request_header(r, MHD_HTTP_HEADER_AUTHORIZATION);
    for (size_t i = 0; i + 1 < sizeof scheme; i++) {
        if (i >= value.len || (value.ptr[i] | 0x20) != scheme[i])
            return slice_of(NULL, 0);
    }
    return slice_from(value, sizeof scheme - 1);
}

/* What stands in headers; false: the request has its answer. */
static bool read_headers(struct request *r, struct cast_request *ret)
{
    struct slice key = request_header(r, "Idempotency-Key");
    if (!slice_is_null(key) && !text_uuid(key, ret->request.bytes)) {
        refuse(r, "Idempotency-Key is to be a UUID");
        return false;
    }
    struct slice match = request_header(r, MHD_HTTP_HEADER_IF_MATCH);
    uint64_t revision = 0, timeout_ms = 0;
    if (!slice_is_null(match)) {
        if (!text_revision(match, REVISION_MAX - 1, &revision)) {
            refuse(r, "If-Match is to be the voter's revision");
            return false;
        }
        ret->expect_revision = (uint32_t)revision + 1;
    }
    struct slice timeout = request_header(r, "X-Timeout-Ms");
    if (!slice_is_null(timeout) && !text_number(timeout, 1, TIMEOUT_MS_MAX, &timeout_ms)) {
        refuse(r, "X-Timeout-Ms is to be from 1 to 60000");
        return false;
    }
    ret->timeout_ms = (int64_t)timeout_ms;
    ret->credential = credential(r);
    return true;
}

static void answer_receipt(struct request *r, const struct cast_reply *reply)
{
    struct buf body = {0};
    struct json_out j;
    json_out_begin(&j, &body);
    json_out_string(&j, "outcome", cast_outcome_name(reply->outcome));
    json_out_string(&j, "state",
                    reply->state >= 0 ? r->rest->info->states[reply->state].names.code : "");
    put_receipt(&j, r, reply->state, &reply->receipt, url_flag(&r->url, "signed"));
    json_out_end(&j);
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_JSON, &body);
    put_revision(r, reply->receipt.revision);
}

static void on_cast(void *arg, const struct cast_reply *reply)
{
    struct request *r = call_end(arg);
    if (r == NULL)
        return;
    if (reply->outcome == CAST_COMMITTED || reply->outcome == CAST_DUPLICATE)
        answer_receipt(r, reply);
    else
        rest_answer_outcome(r, reply->outcome, reply->detail, reply->retry_after_ms);
    rest_resume(r);
}

void route_vote(struct request *r)
{
    struct cast_request cast = {.state = r->captures[0], .voter = r->captures[1]};
    struct buf candidate = {0};
    const char *wrong = body_read_vote(buf_slice(&r->body), &candidate);
    if (wrong != NULL) {
        refuse(r, wrong);
    } else if (read_headers(r, &cast)) {
        cast.candidate = buf_slice(&candidate);
        service_cast(r->rest->service, &cast, on_cast, call_begin(r));
    }
    buf_deinit(&candidate);
}

/* ---- A voter's own record ---- */

static void answer_voter(struct request *r, const struct voter_result *result)
{
    struct buf body = {0};
    struct json_out j;
    json_out_begin(&j, &body);
    json_out_flag(&j, "voted", result->voted);
    json_out_unsigned(&j, "revision", result->voted ? result->revision : 0);
    if (result->voted) {
        int state = service_find_state(r->rest->service, r->captures[0]);
        json_out_object(&j, "receipt");
        json_out_string(&j, "state", r->rest->info->states[state].names.code);
        put_receipt(&j, r, state, &result->receipt, true);
        json_out_object_end(&j);
    }
    json_out_end(&j);
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_JSON, &body);
    put_revision(r, result->voted ? result->revision : 0);
}

static void on_voter(void *arg, const struct voter_result *result)
{
    struct request *r = call_end(arg);
    if (r == NULL)
        return;
    if (result->outcome == CAST_COMMITTED)
        answer_voter(r, result);
    else
        rest_answer_outcome(r, result->outcome, result->detail, 0);
    rest_resume(r);
}

void route_voter(struct request *r)
{
    service_voter(r->rest->service, r->captures[0], r->captures[1], credential(r), on_voter,
                  call_begin(r));
}

/* ---- The ballot ---- */

void route_ballot(struct request *r)
{
    const struct election_info *e = r->rest->info;
    struct slice name = url_argument(&r->url, "state");
    int state = slice_is_null(name) ? -1 : service_find_state(r->rest->service, name);
    if (!slice_is_null(name) && state < 0) {
        rest_answer_outcome(r, CAST_NO_STATE, NULL, 0);
        return;
    }
    const struct global *global = service_peek_global(r->rest->service);
    struct buf body = {0};
    struct json_out j;
    json_out_begin(&j, &body);
    if (state >= 0)
        json_out_string(&j, "state", e->states[state].names.code);
    json_out_string(&j, "phase", phase_name(global->phase));
    json_out_unsigned(&j, "round", global->round);
    json_out_list(&j, "candidates");
    for (uint32_t c = 0; c < e->candidate_count; c++) {
        if (state >= 0 && !(e->states[state].on_ballot >> c & 1))
            continue;
        json_out_object(&j, NULL);
        json_out_string(&j, "id", e->candidates[c].id);
        json_out_string(&j, "name", e->candidates[c].name);
        json_out_object_end(&j);
    }
    json_out_list_end(&j);
    json_out_end(&j);
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_JSON, &body);
}
