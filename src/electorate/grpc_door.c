/* grpc_door.c: ballots over gRPC: a few connections, on each a CastStream with many ballots under
 * way. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "election_grpc/cast_codec.h"
#include "electorate/door.h"
#include "grpc/grpc.h"

enum {
    CONNECT_TIMEOUT_MS = 5000,
    STREAM_IN_FLIGHT_MAX = 8192, /* a server takes no more from one stream */
};

static const char path[] = "/election.v1.Voting/CastStream";

/* A ballot that was sent: found by its request id, and by its line when that breaks. */
struct sent {
    struct list all; /* of the line */
    uint64_t key;
    uint32_t slot;
};

/* One connection with its stream. Its timer: until it is opened again, or until the server has said
 * nothing for too long while it owes answers. */
struct line {
    struct grpc_lines *owner;
    struct grpc_channel *channel;
    struct grpc_call *call; /* NULL: no stream */
    bool open;              /* the server has spoken */
    uint32_t server, under_way;
    struct list sent;
    uv_timer_t timer;
};

struct grpc_lines {
    struct door door;
    struct line *lines;
    uint32_t per_line; /* ballots under way */
    uint32_t next;
    struct map by_request;
    struct buf request;
    bool closing;
};

static void open_line(struct line *l);

static uint64_t key_of(const uint8_t request[REQUEST_ID_BYTES])
{
    return load_be64(request) ^ load_be64(request + 8);
}

static void count_room(struct grpc_lines *g)
{
    g->door.room = 0;
    g->door.counts.open = 0;
    for (uint32_t i = 0; i < g->door.o.connections; i++) {
        const struct line *l = &g->lines[i];
        g->door.counts.open += l->open;
        g->door.room += l->open ? g->per_line - l->under_way : 0;
    }
}

/* ---- an end ---- */

static void answer(struct line *l, struct sent *s, enum cast_outcome outcome)
{
    struct grpc_lines *g = l->owner;
    uint32_t slot = s->slot;
    map_remove(&g->by_request, s->key);
    list_remove(&s->all);
    free(s);
    l->under_way--;
    if (l->open)
        g->door.room++;
    g->door.o.on_answer(g->door.o.arg, slot, outcome, (int32_t)l->server);
}

static void on_reopen(uv_timer_t *timer)
{
    struct line *l = timer->data;
    l->server = (l->server + 1) % l->owner->door.o.servers->count;
    open_line(l);
}

/* Whatever was under way has an unknown end. */
static void give_up_line(struct line *l, const char *why)
{
    struct door *d = &l->owner->door;
    d->counts.broken++;
    snprintf(d->counts.trouble, sizeof d->counts.trouble, "%.100s: %.140s",
             d->o.servers->texts[l->server], why);
    l->open = false;
    count_room(l->owner);
    struct list *first;
    while ((first = list_take(&l->sent)) != NULL)
        answer(l, list_entry(first, struct sent, all), CAST_UNKNOWN);
    grpc_channel_close(l->channel);
    l->channel = NULL;
    l->call = NULL;
    if (!l->owner->closing)
        uv_timer_start(&l->timer, on_reopen, DOOR_REOPEN_MS, 0);
}

static void on_silence(uv_timer_t *timer)
{
    give_up_line(timer->data, "no answer in time");
}

/* ---- answers ---- */

static enum cast_outcome outcome_of_code(const struct cast_wire_reply *r)
{
    switch (r->code) {
    case GRPC_INVALID_ARGUMENT:
        return CAST_INVALID;
    case GRPC_UNAUTHENTICATED:
        return CAST_UNAUTHENTICATED;
    case GRPC_PERMISSION_DENIED:
        return CAST_FORBIDDEN;
    case GRPC_NOT_FOUND:
        return CAST_NO_VOTER;
    case GRPC_ALREADY_EXISTS:
        return CAST_CONFLICT;
    case GRPC_ABORTED:
        return CAST_REVISION;
    case GRPC_RESOURCE_EXHAUSTED:
        return r->retry_after_ms > 0 ? CAST_BUSY : CAST_TOO_MANY;
    case GRPC_UNAVAILABLE:
        return CAST_UNAVAILABLE;
    case GRPC_FAILED_PRECONDITION:
        return CAST_CLOSED;
    default:
        return CAST_UNKNOWN;
    }
}

static enum cast_outcome outcome_of(const struct cast_wire_reply *r)
{
    switch (r->outcome) {
    case CAST_WIRE_COMMITTED:
        return CAST_COMMITTED;
    case CAST_WIRE_DUPLICATE:
        return CAST_DUPLICATE;
    case CAST_WIRE_NOT_STARTED:
        return CAST_NOT_STARTED;
    case CAST_WIRE_CLOSED_OUT:
        return CAST_CLOSED;
    case CAST_WIRE_UNKNOWN_RETRY:
        return CAST_UNKNOWN;
    default:
        return outcome_of_code(r);
    }
}

static void on_message(struct grpc_call *call, struct slice message)
{
    struct line *l = grpc_call_context(call);
    struct cast_wire_reply r;
    if (l->call != call)
        return;
    if (!cast_wire_reply_decode(message, &r) || r.request_id.len != REQUEST_ID_BYTES) {
        give_up_line(l, "an answer that is not understood");
        return;
    }
    struct sent *s = map_get(&l->owner->by_request, key_of(r.request_id.ptr));
    if (s == NULL)
        return; /* of an attempt that was given up meanwhile */
    answer(l, s, outcome_of(&r));
    if (l->under_way > 0)
        uv_timer_start(&l->timer, on_silence, DOOR_TIMEOUT_MS, 0);
    else
        uv_timer_stop(&l->timer);
}

static void on_end(struct grpc_call *call, const struct grpc_status *status)
{
    struct line *l = grpc_call_context(call);
    char why[128];
    if (l->call != call)
        return;
    snprintf(why, sizeof why, "%s: %.*s", grpc_code_name(status->code),
             (int)(status->message.len < 90 ? status->message.len : 90),
             (const char *)status->message.ptr);
    give_up_line(l, why);
}

static const struct grpc_handlers handlers = {.on_message = on_message, .on_end = on_end};

static void on_open(void *arg, struct grpc_channel *ch)
{
    struct line *l = arg;
    (void)ch;
    l->open = true;
    count_room(l->owner);
}

/* Its call has ended before, and seen to everything. */
static void on_channel_end(void *arg, struct grpc_channel *ch, const char *reason)
{
    struct line *l = arg;
    if (l->channel != ch)
        return;
    l->channel = NULL;
    give_up_line(l, reason);
}

static void open_line(struct line *l)
{
    const struct door_options *o = &l->owner->door.o;
    struct grpc_channel_options channel = {
        .targets = &o->servers->list[l->server],
        .target_count = 1,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .tls = o->tls,
        .on_open = on_open,
        .on_end = on_channel_end,
        .arg = l,
    };
    struct grpc_request request = {.path = path, .handlers = &handlers, .arg = l};
    l->channel = grpc_channel_open(o->loop, &channel);
    l->call = grpc_call_start(l->channel, &request);
}

/* ---- ballots ---- */

/* Another server than the one that was asked before, if one has room. */
static struct line *find_line(struct grpc_lines *g, int32_t not_there)
{
    struct line *second = NULL;
    uint32_t count = g->door.o.connections;
    for (uint32_t i = 0; i < count; i++) {
        struct line *l = &g->lines[(g->next + i) % count];
        if (!l->open || l->under_way == g->per_line)
            continue;
        if ((int32_t)l->server == not_there) {
            second = l;
            continue;
        }
        g->next = (g->next + i + 1) % count;
        return l;
    }
    return second;
}

static void grpc_send(struct door *d, const struct errand *e)
{
    struct grpc_lines *g = (struct grpc_lines *)d;
    struct line *l = find_line(g, e->not_there);
    invariant(l != NULL && d->room > 0);
    const struct ballot *b = &e->ballot;
    char voter[DOOR_VOTER_BYTES_MAX];
    struct cast_wire r = {
        .state = slice_str(d->o.election->states[b->state].names.code),
        .voter = slice_of(voter, door_voter(d->o.election, b, voter)),
        .candidate = slice_str(d->o.election->candidates[b->candidate].id),
        .request_id = slice_of(b->request.bytes, REQUEST_ID_BYTES),
        .credential = door_credential(d, b),
    };
    struct sent *s = mem_alloc(sizeof *s);
    *s = (struct sent){.key = key_of(b->request.bytes), .slot = e->slot};
    list_append(&l->sent, &s->all);
    map_put(&g->by_request, s->key, s);
    if (l->under_way++ == 0)
        uv_timer_start(&l->timer, on_silence, DOOR_TIMEOUT_MS, 0);
    d->room--;
    buf_clear(&g->request);
    cast_wire_encode(&r, &g->request);
    grpc_call_send(l->call, buf_slice(&g->request));
}

/* ---- life ---- */

static void grpc_close(struct door *d)
{
    struct grpc_lines *g = (struct grpc_lines *)d;
    g->closing = true;
    for (uint32_t i = 0; i < d->o.connections; i++) {
        struct line *l = &g->lines[i];
        grpc_channel_close(l->channel);
        l->channel = NULL;
        l->call = NULL;
        uv_close((uv_handle_t *)&l->timer, NULL);
    }
}

static void grpc_free(struct door *d)
{
    struct grpc_lines *g = (struct grpc_lines *)d;
    struct list *first;
    for (uint32_t i = 0; i < d->o.connections; i++)
        while ((first = list_take(&g->lines[i].sent)) != NULL)
            free(list_entry(first, struct sent, all));
    map_deinit(&g->by_request);
    door_deinit(d);
    buf_deinit(&g->request);
    free(g->lines);
    free(g);
}

static const struct door_ops grpc_ops = {.send = grpc_send, .close = grpc_close, .free = grpc_free};

struct door *grpc_door_open(const struct door_options *o)
{
    invariant(o->servers->count >= 1 && o->connections >= 1);
    struct grpc_lines *g = mem_calloc(1, sizeof *g);
    g->door = (struct door){.ops = &grpc_ops, .o = *o};
    g->per_line = (o->in_flight + o->connections - 1) / o->connections;
    if (g->per_line > STREAM_IN_FLIGHT_MAX)
        g->per_line = STREAM_IN_FLIGHT_MAX;
    map_init(&g->by_request, 0);
    g->lines = mem_calloc(o->connections, sizeof *g->lines);
    for (uint32_t i = 0; i < o->connections; i++) {
        struct line *l = &g->lines[i];
        l->owner = g;
        l->server = i % o->servers->count;
        list_init(&l->sent);
        uv_timer_init(&o->loop->uv, &l->timer);
        l->timer.data = l;
        open_line(l);
    }
    return &g->door;
}
