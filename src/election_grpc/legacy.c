/* protos.ElectionsServer: the original's calls, as ours. */
#include <stdint.h>

#include "election_grpc/door_internal.h"
#include "protos/elections.pb-c.h"

/* ---- A vote ---- */

static void on_cast(void *arg, const struct cast_reply *reply)
{
    struct asked *a = arg;
    Protos__VoteStatus m = PROTOS__VOTE_STATUS__INIT;
    a->door->casts[reply->outcome]++;
    switch (reply->outcome) {
    case CAST_COMMITTED:
    case CAST_DUPLICATE:
        m.status = PROTOS__VOTE_STATUS__STATUS__OK;
        reply_packed(a->call, &m);
        break;
    case CAST_NOT_STARTED:
    case CAST_CLOSING:
    case CAST_CLOSED:
        m.status = PROTOS__VOTE_STATUS__STATUS__ELECTION_NOT_STARTED;
        reply_packed(a->call, &m);
        break;
    default:
        finish_cast(a->call, reply->outcome, reply->detail, reply->retry_after_ms);
    }
    asked_free(a);
}

static void broadcast_vote(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    Protos__VoteRequest *m = unpack_request(c, &protos__vote_request__descriptor, bytes);
    if (m == NULL)
        return;
    const struct cast_request r = {
        .state = slice_str(m->state),
        .voter = slice_str(m->votername),
        .candidate = slice_str(m->candidatename),
        .credential = slice_of(NULL, 0),
    };
    service_cast(g->service, &r, on_cast, asked_new(g, c));
    free_request(m);
}

/* ---- Start and stop: what is so already is no failure ---- */

static void on_command(void *arg, const struct command_reply *reply)
{
    struct asked *a = arg;
    Protos__Void m = PROTOS__VOID__INIT;
    if (reply->outcome == COMMAND_DONE || reply->outcome == COMMAND_WRONG_PHASE)
        reply_packed(a->call, &m);
    else
        grpc_call_finish(a->call, code_of_command(reply->outcome), reply->detail);
    asked_free(a);
}

static void give_command(struct election_grpc *g, struct grpc_call *c, enum command_verb verb)
{
    const struct command command = {.verb = verb};
    if (caller_may_command(g, c))
        service_command(g->service, &command, on_command, asked_new(g, c));
}

static void broadcast_start(void *arg, struct grpc_call *c, struct slice bytes)
{
    (void)bytes;
    give_command(arg, c, COMMAND_START);
}

static void broadcast_stop(void *arg, struct grpc_call *c, struct slice bytes)
{
    (void)bytes;
    give_command(arg, c, COMMAND_STOP);
}

static void between_servers(void *arg, struct grpc_call *c, struct slice bytes)
{
    (void)arg;
    (void)bytes;
    grpc_call_finish(c, GRPC_PERMISSION_DENIED, "servers say this to each other in another way");
}

/* ---- Counts ---- */

static int32_t saturated(uint64_t n)
{
    return n < INT32_MAX ? (int32_t)n : INT32_MAX;
}

static char *on_loan(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void reply_status(struct asked *a, const struct state_result *r)
{
    const struct election_info *info = service_election(a->door->service);
    const struct state_info *state = &info->states[r->state];
    Protos__CandidateStateStatus rows[CANDIDATES_MAX], *list[CANDIDATES_MAX];
    Protos__StateStatusResponse m;
    protos__state_status_response__init(&m);
    m.state = on_loan(state->names.key);
    m.numberofelectors = (int32_t)state->electors;
    m.candidatesstatus = list;
    for (uint32_t i = 0; i < info->candidate_count; i++) {
        if ((state->on_ballot >> i & 1) == 0)
            continue;
        Protos__CandidateStateStatus *row = &rows[m.n_candidatesstatus];
        protos__candidate_state_status__init(row);
        row->candidatename = on_loan(info->candidates[i].name);
        row->count = saturated(tally_votes(r->tally, i));
        list[m.n_candidatesstatus++] = row;
    }
    bool tie;
    int32_t leader = tally_leader(r->tally, -1, &tie);
    if (leader >= 0)
        m.leadingcandidatename = on_loan(info->candidates[leader].name);
    reply_packed(a->call, &m);
}

static void on_state(void *arg, const struct state_result *r)
{
    struct asked *a = arg;
    if (r->known)
        reply_status(a, r);
    else
        grpc_call_finish(a->call, GRPC_UNAVAILABLE, r->why);
    asked_free(a);
}

/* It cannot be asked how new the counts shall be: as new as can be, also where the state has no
 * replica. */
static void get_status(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    if (!caller_may_look(g, c))
        return;
    Protos__StateStatusRequest *m =
        unpack_request(c, &protos__state_status_request__descriptor, bytes);
    if (m == NULL)
        return;
    int state = find_state(g, c, slice_str(m->state));
    if (state >= 0)
        service_state(g->service, state, true, on_state, asked_new(g, c));
    free_request(m);
}

#define ELECTIONS "/protos.ElectionsServer/"

void legacy_add(struct election_grpc *g)
{
    const struct grpc_method methods[] = {
        {.path = ELECTIONS "Vote", .unary = between_servers, .arg = g},
        {.path = ELECTIONS "Start", .unary = between_servers, .arg = g},
        {.path = ELECTIONS "Stop", .unary = between_servers, .arg = g},
        {.path = ELECTIONS "BroadcastVote", .unary = broadcast_vote, .arg = g},
        {.path = ELECTIONS "BroadcastStart", .unary = broadcast_start, .arg = g},
        {.path = ELECTIONS "BroadcastStop", .unary = broadcast_stop, .arg = g},
        {.path = ELECTIONS "ElectionsGetStatus", .unary = get_status, .arg = g},
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        grpc_server_add(g->server, &methods[i]);
}
