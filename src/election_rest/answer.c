/* answer.c: from what was decided to bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "election_rest/rest_internal.h"

static void give_back(void *bytes)
{
    free(bytes);
}

void rest_answer_header(struct request *r, const char *name, const char *value)
{
    if (r->response != NULL)
        MHD_add_response_header(r->response, name, value);
}

void rest_answer_bytes(struct request *r, unsigned status, const char *content_type,
                       struct buf *body)
{
    if (!buf_ok(body)) {
        buf_deinit(body);
        rest_answer_error(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "INTERNAL", "the answer is too long");
        return;
    }
    /* An empty body needs no memory, but free() may have NULL. */
    r->response =
        MHD_create_response_from_buffer_with_free_callback(body->len, body->ptr, give_back);
    r->status = status;
    if (r->response == NULL) {
        buf_deinit(body);
        return; /* no memory for it: the connection is closed */
    }
    *body = (struct buf){0};
    rest_answer_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    rest_answer_header(r, "X-Content-Type-Options", "nosniff");
    rest_answer_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
}

void rest_answer_never_changes(struct request *r, bool for_everybody)
{
    if (r->response == NULL)
        return;
    MHD_del_response_header(r->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    rest_answer_header(r, MHD_HTTP_HEADER_CACHE_CONTROL,
                       for_everybody ? "public, max-age=31536000, immutable"
                                     : "private, max-age=31536000, immutable");
}

/* `outcome`: what became of what was asked for. With anything but "unknown" nothing was done. */
static void put_error(struct request *r, unsigned status, const char *code, const char *message,
                      const char *outcome, uint32_t retry_after_ms)
{
    struct buf body = {0};
    struct json_out j;
    json_out_begin(&j, &body);
    json_out_string(&j, "code", code);
    json_out_string(&j, "message", message);
    json_out_string(&j, "outcome", outcome);
    json_out_unsigned(&j, "retry_after_ms", retry_after_ms);
    json_out_end(&j);
    rest_answer_bytes(r, status, CONTENT_JSON, &body);
    if (retry_after_ms > 0) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%" PRIu32, retry_after_ms / 1000 + 1);
        rest_answer_header(r, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
}

void rest_answer_error(struct request *r, unsigned status, const char *code, const char *message)
{
    put_error(r, status, code, message, "none", 0);
}

void rest_answer_unavailable(struct request *r, const char *message, uint32_t retry_after_ms)
{
    put_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "UNAVAILABLE", message, "none",
              retry_after_ms > 0 ? retry_after_ms : 1000);
}

void rest_answer_not_shown(struct request *r)
{
    rest_answer_error(r, MHD_HTTP_FORBIDDEN, "RESULTS_NOT_PUBLIC",
                      "counts are shown when the election is over");
}

static unsigned outcome_status(enum cast_outcome outcome)
{
    switch (outcome) {
    case CAST_COMMITTED:
    case CAST_DUPLICATE:
        return MHD_HTTP_OK;
    case CAST_NOT_STARTED:
    case CAST_CLOSING:
    case CAST_CLOSED:
    case CAST_FORBIDDEN:
        return MHD_HTTP_FORBIDDEN;
    case CAST_NO_STATE:
    case CAST_NO_VOTER:
        return MHD_HTTP_NOT_FOUND;
    case CAST_NO_CANDIDATE:
        return MHD_HTTP_UNPROCESSABLE_CONTENT;
    case CAST_INVALID:
        return MHD_HTTP_BAD_REQUEST;
    case CAST_UNAUTHENTICATED:
        return MHD_HTTP_UNAUTHORIZED;
    case CAST_CONFLICT:
        return MHD_HTTP_CONFLICT;
    case CAST_REVISION:
        return MHD_HTTP_PRECONDITION_FAILED;
    case CAST_TOO_MANY:
    case CAST_BUSY:
        return MHD_HTTP_TOO_MANY_REQUESTS;
    case CAST_UNAVAILABLE:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    case CAST_UNKNOWN:
        return MHD_HTTP_GATEWAY_TIMEOUT;
    case CAST_OUTCOME_COUNT:
        break;
    }
    return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

/* What the original program said, for who reads it. */
static const char *outcome_message(enum cast_outcome outcome)
{
    switch (outcome) {
    case CAST_NOT_STARTED:
        return "Election not started";
    case CAST_CLOSING:
        return "Election is closing";
    case CAST_CLOSED:
        return "Election closed: the vote is not counted";
    case CAST_NO_STATE:
        return "state not found";
    case CAST_NO_VOTER:
        return "voter not found";
    case CAST_NO_CANDIDATE:
        return "not a candidate on this state's ballot";
    case CAST_UNKNOWN:
        return "the vote may have been counted: ask again with the same Idempotency-Key";
    default:
        return "";
    }
}

void rest_answer_outcome(struct request *r, enum cast_outcome outcome, const char *detail,
                         uint32_t retry_after_ms)
{
    const char *message = outcome_message(outcome);
    if (message[0] == '\0' && detail != NULL)
        message = detail;
    bool later = outcome == CAST_BUSY || outcome == CAST_UNAVAILABLE || outcome == CAST_UNKNOWN;
    if (later && retry_after_ms == 0)
        retry_after_ms = 1000;
    put_error(r, outcome_status(outcome), cast_outcome_name(outcome), message,
              outcome == CAST_UNKNOWN ? "unknown" : "none", later ? retry_after_ms : 0);
    if (outcome == CAST_UNAUTHENTICATED)
        rest_answer_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Voter");
}
