/* election.v1.Committee, but for WatchResults. */
#include <string.h>

#include "election/v1/election.pb-c.h"
#include "election_grpc/door_internal.h"
#include "election_grpc/results_internal.h"

/* ---- Start, Stop ---- */

static void put_codes(const struct election_grpc *g, const int *states, size_t count,
                      struct buf *out)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i > 0 ? ", " : "",
                   service_election(g->service)->states[states[i]].names.code);
}

static void fail_command(struct asked *a, const struct command_reply *reply)
{
    struct buf text = {0};
    buf_printf(&text, "%s", reply->detail != NULL ? reply->detail : "");
    if (reply->not_ready_count > 0) {
        buf_printf(&text, "%snot ready: ", text.len > 0 ? "; " : "");
        put_codes(a->door, reply->not_ready, reply->not_ready_count, &text);
    }
    buf_put_u8(&text, 0);
    grpc_call_add_trailer(a->call, "caucus-outcome",
                          slice_str(command_outcome_name(reply->outcome)));
    grpc_call_finish(a->call, code_of_command(reply->outcome), (const char *)text.ptr);
    buf_deinit(&text);
}

static void reply_command(struct asked *a, const struct command_reply *reply)
{
    const struct election_info *info = service_election(a->door->service);
    Election__V1__CommandReply m = ELECTION__V1__COMMAND_REPLY__INIT;
    char *codes[STATES_MAX];
    m.phase = phase_on_wire(reply->global.phase);
    m.round = reply->global.round;
    m.zxid = (uint64_t)reply->zxid;
    m.not_ready = codes;
    for (size_t i = 0; i < reply->not_ready_count && i < STATES_MAX; i++)
        codes[m.n_not_ready++] = on_loan(info->states[reply->not_ready[i]].names.code);
    reply_packed(a->call, &m);
}

static void on_command(void *arg, const struct command_reply *reply)
{
    struct asked *a = arg;
    if (reply->outcome == COMMAND_DONE)
        reply_command(a, reply);
    else
        fail_command(a, reply);
    asked_free(a);
}

static void give_command(struct election_grpc *g, struct grpc_call *c, struct slice bytes,
                         enum command_verb verb)
{
    if (!caller_may_command(g, c))
        return;
    Election__V1__Command *m = unpack_request(c, &election__v1__command__descriptor, bytes);
    if (m == NULL)
        return;
    struct command command = {
        .verb = verb,
        .round = m->round,
        .force = m->force != 0,
        .now = m->now != 0,
        .drain_ms = m->drain_ms,
    };
    if (command.drain_ms > COMMAND_DRAIN_MS_MAX)
        grpc_call_finish(c, GRPC_INVALID_ARGUMENT, "drain_ms is at most 600000");
    else if (take_id(c, slice_of(m->command_id.data, m->command_id.len), command.command_id))
        service_command(g->service, &command, on_command, asked_new(g, c));
    free_request(m);
}

static void on_start(void *arg, struct grpc_call *c, struct slice bytes)
{
    give_command(arg, c, bytes, COMMAND_START);
}

static void on_stop(void *arg, struct grpc_call *c, struct slice bytes)
{
    give_command(arg, c, bytes, COMMAND_STOP);
}

/* ---- Status, GlobalStatus ---- */

static void on_state(void *arg, const struct state_result *result)
{
    struct asked *a = arg;
    if (result->known) {
        struct scratch memory = {0};
        reply_packed(a->call, state_message(a->door, result, &memory));
        scratch_deinit(&memory);
    } else {
        grpc_call_finish(a->call, GRPC_UNAVAILABLE, result->why);
    }
    asked_free(a);
}

static void on_status(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    bool linearizable = false;
    int state = caller_may_look(g, c) ? take_state(g, c, bytes, &linearizable) : -1;
    if (state >= 0)
        service_state(g->service, state, linearizable, on_state, asked_new(g, c));
}

static void on_nation(void *arg, int rc, const char *detail, const struct national_result *result)
{
    struct asked *a = arg;
    if (rc >= 0) {
        struct scratch memory = {0};
        reply_packed(a->call, national_message(a->door, result, &memory));
        scratch_deinit(&memory);
    } else {
        grpc_call_finish(a->call, GRPC_UNAVAILABLE, detail);
    }
    asked_free(a);
}

static void on_global_status(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    (void)bytes; /* Empty: whatever is in it */
    if (caller_may_look(g, c))
        service_nation(g->service, on_nation, asked_new(g, c));
}

/* ---- Recount ---- */

static void on_recounted(void *arg, const struct recount_reply *reply)
{
    struct asked *a = arg;
    struct scratch memory = {0};
    a->door->recounts--;
    reply_packed(a->call, recount_message(a->door, reply, &memory));
    scratch_deinit(&memory);
    asked_free(a);
}

static void on_recount(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    bool linearizable = false;
    int state = caller_may_command(g, c) ? take_state(g, c, bytes, &linearizable) : -1;
    if (state >= 0 && g->recounts >= STATES_MAX) {
        grpc_call_finish(c, GRPC_RESOURCE_EXHAUSTED, "recounts are under way");
    } else if (state >= 0) {
        g->recounts++;
        service_recount(g->service, state, on_recounted, asked_new(g, c));
    }
}

#define COMMITTEE "/election.v1.Committee/"

void committee_add(struct election_grpc *g)
{
    const struct grpc_method methods[] = {
        {.path = COMMITTEE "Start", .unary = on_start, .arg = g},
        {.path = COMMITTEE "Stop", .unary = on_stop, .arg = g},
        {.path = COMMITTEE "Status", .unary = on_status, .arg = g},
        {.path = COMMITTEE "GlobalStatus", .unary = on_global_status, .arg = g},
        {.path = COMMITTEE "WatchResults",
         .unary = watch_on_request,
         .handlers = &watch_handlers,
         .arg = g},
        {.path = COMMITTEE "Recount", .unary = on_recount, .arg = g},
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        grpc_server_add(g->server, &methods[i]);
}
