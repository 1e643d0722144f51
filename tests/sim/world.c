#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "zab/fault.h"

enum {
    EVENTS_MAX = 4000000
};

uint64_t world_random(struct world *w, uint64_t bound)
{
    if (w->luck != LUCK_DRAWN)
        return w->luck == LUCK_MOST && bound > 0 ? bound - 1 : 0;
    w->rng += 0x9e3779b97f4a7c15ULL;
    return bound > 0 ? hash_u64(w->rng, 0) % bound : 0;
}

void world_violate(struct world *w, const char *format, ...)
{
    if (w->violation[0] != 0)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(w->violation, sizeof w->violation, format, args);
    va_end(args);
    world_trace(w, -1, "VIOLATION: %s", w->violation);
}

void world_mix(struct world *w, struct slice bytes)
{
    w->trace_hash = hash_slice(bytes, w->trace_hash);
}

void world_init(struct world *w, uint64_t seed)
{
    *w = (struct world){.seed = seed, .rng = hash_u64(seed, 4711), .now_ns = 1000000000};
    history_init(&w->history);
}

void world_deinit(struct world *w)
{
    for (int i = 0; i < w->server_count; i++)
        server_deinit(&w->servers[i]);
    net_deinit(w);
    queue_deinit(&w->queue);
    history_deinit(&w->history);
    buf_deinit(&w->first_config);
    free(w->acks.items);
    numbers_deinit(&w->closing);
}

void world_plant(struct world *w, struct node *n)
{
#ifdef CAUCUS_PLANT
    if (node_zab(n) != NULL)
        zab_plant((struct zab *)(uintptr_t)node_zab(n), w->protocol_plant);
#else
    (void)w;
    (void)n;
#endif
}

static int event_server(const struct world *w, const struct event *e)
{
    switch (e->type) {
    case EVENT_TICK:
    case EVENT_DISK:
    case EVENT_SNAPSHOT:
    case EVENT_LOG_READ:
    case EVENT_STOPPING:
        return e->who;
    case EVENT_PIPE:
    case EVENT_NOTICE:
    case EVENT_CONNECT:
    case EVENT_OPENED:
    case EVENT_GIVE_UP:
    case EVENT_ROOM:
        return net_event_server(w, e);
    default:
        return -1;
    }
}

/* What is meant for a process that is stopped waits, in its order, until it goes on. */
static bool put_off(struct world *w, const struct event *e)
{
    int who = event_server(w, e);
    if (who < 0 || w->servers[who].paused_until_ns <= w->now_ns)
        return false;
    struct event later = *e;
    later.at_ns = w->servers[who].paused_until_ns;
    queue_put(&w->queue, later);
    return true;
}

void world_resume(struct world *w, struct server *v)
{
    int64_t until_ns = v->paused_until_ns;
    if (until_ns <= w->now_ns)
        return;
    v->paused_until_ns = w->now_ns;
    /* Taken out and put back in their order, so that those of one moment keep theirs. */
    struct queue all = w->queue;
    struct event e;
    w->queue = (struct queue){0};
    while (queue_take(&all, &e)) {
        if (e.at_ns == until_ns && event_server(w, &e) == v->index)
            e.at_ns = w->now_ns;
        queue_put(&w->queue, e);
    }
    queue_deinit(&all);
}

static void on_client(struct world *w, const struct event *e)
{
    struct sim_client *c = &w->clients[e->who];
    client_act(w, c);
    int64_t pause_ns = 1000000 + (int64_t)world_random(w, (uint64_t)w->profile.think_ns * 2);
    queue_put(&w->queue,
              (struct event){.at_ns = w->now_ns + pause_ns, .type = EVENT_CLIENT, .who = e->who});
}

static void dispatch(struct world *w, const struct event *e)
{
    switch (e->type) {
    case EVENT_TICK:
    case EVENT_DISK:
    case EVENT_SNAPSHOT:
    case EVENT_LOG_READ:
    case EVENT_STOPPING:
    case EVENT_START:
        server_event(w, e);
        break;
    case EVENT_PIPE:
    case EVENT_NOTICE:
    case EVENT_CONNECT:
    case EVENT_OPENED:
    case EVENT_GIVE_UP:
    case EVENT_ROOM:
    case EVENT_CHANNEL:
        net_event(w, e);
        break;
    case EVENT_CLIENT:
        on_client(w, e);
        break;
    case EVENT_FAULT:
        plan_fault(w, e);
        break;
    case EVENT_PHASE:
        plan_phase(w);
        break;
    }
}

bool world_next(struct world *w)
{
    struct event e;
    if (!queue_take(&w->queue, &e))
        return false;
    if (e.at_ns > w->now_ns)
        w->now_ns = e.at_ns;
    if (put_off(w, &e))
        return true;
    w->trace_hash = hash_u64((uint64_t)w->now_ns ^ (uint64_t)e.type << 56, w->trace_hash);
    dispatch(w, &e);
    return true;
}

void world_run(struct world *w)
{
    int64_t began_ns = w->now_ns;
    uint64_t events = 0;
    while (w->phase != PHASE_DONE && w->violation[0] == 0 && world_next(w)) {
        if (++events > EVENTS_MAX)
            world_violate(w, "the run does not come to an end");
    }
    w->stats.virtual_ns = w->now_ns - began_ns;
}
