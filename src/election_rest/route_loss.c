/* route_loss.c: votes that no server has any more: what they are, and that they are given up. */
#include "election/loss.h"
#include "election_rest/bodies.h"
#include "election_rest/rest_internal.h"

static unsigned loss_status(enum loss_outcome outcome)
{
    switch (outcome) {
    case LOSS_OK:
        return MHD_HTTP_OK;
    case LOSS_NOTHING:
    case LOSS_NOT_AS_SIGNED:
        return MHD_HTTP_CONFLICT;
    case LOSS_INVALID:
        return MHD_HTTP_BAD_REQUEST;
    case LOSS_NOT_APPROVED:
        return MHD_HTTP_FORBIDDEN;
    case LOSS_UNAVAILABLE:
    case LOSS_UNKNOWN:
    case LOSS_OUTCOME_COUNT:
        break;
    }
    return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static void put_loss(struct json_out *j, const struct loss_notice *n)
{
    json_out_string(j, "state", n->state);
    json_out_unsigned(j, "round", n->round);
    json_out_unsigned(j, "committed", n->committed);
    json_out_unsigned(j, "kept", n->kept);
    json_out_unsigned(j, "lost", n->committed - n->kept);
    json_out_string(j, "keeper", n->keeper);
    json_out_list(j, "missing");
    for (uint32_t i = 0; i < n->missing_count; i++)
        json_out_string(j, NULL, n->missing[i]);
    json_out_list_end(j);
}

/* Who may approve it, and the text that is signed. */
static void put_how(struct json_out *j, const struct election_info *e, struct slice text)
{
    struct buf copy = {0};
    json_out_unsigned(j, "approvals_min", e->approvals_min);
    json_out_list(j, "approvers");
    for (uint32_t i = 0; i < e->approver_count; i++)
        json_out_string(j, NULL, e->approvers[i].name);
    json_out_list_end(j);
    buf_put_slice(&copy, text);
    buf_put_u8(&copy, 0);
    json_out_string(j, "text", (const char *)copy.ptr);
    buf_deinit(&copy);
}

static void answer(struct request *r, const struct loss_reply *reply, bool with_text)
{
    struct buf body;
    struct json_out j;
    if (reply->outcome == LOSS_UNAVAILABLE) {
        rest_answer_unavailable(r, reply->detail, 1000);
        return;
    }
    if (reply->outcome == LOSS_UNKNOWN) {
        rest_answer_outcome(r, CAST_UNKNOWN, reply->detail, 0);
        return;
    }
    if (reply->outcome != LOSS_OK) {
        rest_answer_error(r, loss_status(reply->outcome), loss_outcome_name(reply->outcome),
                          reply->detail);
        return;
    }
    buf_init(&body, ANSWER_BYTES_MAX);
    json_out_begin(&j, &body);
    put_loss(&j, reply->notice);
    if (with_text)
        put_how(&j, r->rest->info, reply->text);
    else
        json_out_unsigned(&j, "epoch", reply->notice->epoch + 1);
    json_out_end(&j);
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_JSON, &body);
}

static void on_loss(void *arg, const struct loss_reply *reply)
{
    struct request *r = call_end(arg);
    if (r == NULL)
        return;
    answer(r, reply, true);
    rest_resume(r);
}

static void on_admitted(void *arg, const struct loss_reply *reply)
{
    struct request *r = call_end(arg);
    if (r == NULL)
        return;
    answer(r, reply, false);
    rest_resume(r);
}

/* -1: it has its answer. */
static int state_of(struct request *r)
{
    int state = service_find_state(r->rest->service, r->captures[0]);
    if (state < 0)
        rest_answer_outcome(r, CAST_NO_STATE, NULL, 0);
    return state;
}

void route_loss(struct request *r)
{
    int state = state_of(r);
    if (state >= 0)
        service_loss(r->rest->service, state, on_loss, call_begin(r));
}

void route_admit_loss(struct request *r)
{
    int state = state_of(r);
    if (state < 0)
        return;
    struct buf document = {0};
    const char *wrong = body_read_loss(buf_slice(&r->body), &document);
    if (wrong != NULL)
        rest_answer_error(r, MHD_HTTP_BAD_REQUEST, "INVALID_REQUEST", wrong);
    else
        service_admit_loss(r->rest->service, state, buf_slice(&document), on_admitted,
                           call_begin(r));
    buf_deinit(&document);
}
