/* route_roll.c: rolls: taken piece by piece, and told. */
#include "election_rest/rest_internal.h"

static void answer(struct request *r, int state, uint64_t voters, const struct hash *hash)
{
    struct buf body = {0};
    struct json_out j;
    json_out_begin(&j, &body);
    json_out_string(&j, "state", r->rest->info->states[state].names.code);
    json_out_unsigned(&j, "voters", voters);
    json_out_hex(&j, "hash", hash->bytes, sizeof hash->bytes);
    json_out_end(&j);
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_JSON, &body);
}

static void refuse(struct request *r, enum roll_outcome outcome, const char *detail)
{
    switch (outcome) {
    case ROLL_OK:
        break;
    case ROLL_WRONG:
        rest_answer_error(r, MHD_HTTP_BAD_REQUEST, cast_outcome_name(CAST_INVALID), detail);
        break;
    case ROLL_NOT_NOW:
        rest_answer_error(r, MHD_HTTP_CONFLICT, "WRONG_PHASE", detail);
        break;
    case ROLL_UNAVAILABLE:
        rest_answer_unavailable(r, detail, 0);
        break;
    }
}

void roll_begin(struct request *r)
{
    struct err err = {""};
    int state = service_find_state(r->rest->service, r->captures[0]);
    if (state < 0)
        rest_answer_outcome(r, CAST_NO_STATE, NULL, 0);
    else
        refuse(r, service_roll_begin(r->rest->service, state, &r->roll, &err), err.text);
}

void roll_add(struct request *r, struct slice piece)
{
    struct err err = {""};
    enum roll_outcome outcome = service_roll_add(r->roll, piece, &err);
    if (outcome == ROLL_OK)
        return;
    service_roll_drop(r->roll);
    r->roll = NULL;
    refuse(r, outcome, err.text);
}

static void on_roll(void *arg, const struct roll_reply *reply)
{
    struct request *r = call_end(arg);
    if (r == NULL)
        return;
    int state = service_find_state(r->rest->service, r->captures[0]);
    if (reply->outcome == ROLL_OK)
        answer(r, state, reply->voters, &reply->hash);
    else
        refuse(r, reply->outcome, reply->detail);
    rest_resume(r);
}

void route_roll(struct request *r)
{
    uint64_t voters;
    struct hash hash;
    if (r->roll != NULL) {
        struct roll_upload *u = r->roll;
        r->roll = NULL;
        service_roll_end(u, on_roll, call_begin(r));
        return;
    }
    int state = service_find_state(r->rest->service, r->captures[0]);
    if (state < 0)
        rest_answer_outcome(r, CAST_NO_STATE, NULL, 0);
    else if (service_roll(r->rest->service, state, &voters, &hash))
        answer(r, state, voters, &hash);
    else
        rest_answer_error(r, MHD_HTTP_NOT_FOUND, "NOT_FOUND",
                          "this server keeps no votes of the state");
}
