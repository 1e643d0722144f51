#include "electorate/run.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "electorate/progress.h"

enum {
    NS_PER_MS = 1000000,
    PROGRESS_MS = 250,
    PAUSE_MS_MIN = 20,
};

struct run {
    const struct run_options *o;
    struct loop loop;
    struct crowd *crowd;
    struct door *door;
    struct progress progress;
    struct pauses pauses;
    uv_timer_t ticks, end;
    uv_signal_t interrupt;
    int64_t reached_ns; /* a server was, last */
    bool interrupted, unreachable, over;
};

static void finish(struct run *r)
{
    r->over = true;
    r->door->ops->close(r->door);
    uv_close((uv_handle_t *)&r->ticks, NULL);
    uv_close((uv_handle_t *)&r->end, NULL);
    uv_close((uv_handle_t *)&r->interrupt, NULL);
    loop_stop(&r->loop);
}

/* At the end of each turn: what there is room for is sent. */
static void send_ballots(void *arg)
{
    struct run *r = arg;
    enum crowd_next next = CROWD_BUSY;
    int64_t again_ns = INT64_MAX;
    if (r->over)
        return;
    while (r->door->room > 0) {
        struct errand errand;
        next = crowd_take(r->crowd, loop_clock_ns(), &errand, &again_ns);
        if (next != CROWD_BALLOT)
            break;
        r->door->ops->send(r->door, &errand);
    }
    loop_set_deadline(&r->loop, next == CROWD_LATER ? again_ns : INT64_MAX);
    if (next == CROWD_OVER)
        finish(r);
}

static void nothing(void *arg)
{
    (void)arg; /* the turn's end follows */
}

static void on_answer(void *arg, uint32_t slot, enum cast_outcome outcome, int32_t server)
{
    struct run *r = arg;
    if (!r->over)
        crowd_answer(r->crowd, slot, outcome, server, loop_clock_ns());
}

static void on_tick(uv_timer_t *timer)
{
    struct run *r = timer->data;
    int64_t now_ns = loop_clock_ns();
    if (!r->o->quiet)
        progress_draw(&r->progress, crowd_counts(r->crowd), &r->door->counts, now_ns);
    if (r->door->counts.open > 0)
        r->reached_ns = now_ns;
    r->unreachable = now_ns - r->reached_ns > r->o->patience_ms * NS_PER_MS;
    if (r->unreachable)
        finish(r);
}

static void on_time_is_up(uv_timer_t *timer)
{
    struct run *r = timer->data;
    crowd_finish(r->crowd);
}

/* The second one does not wait for what is under way. */
static void on_interrupt(uv_signal_t *handle, int number)
{
    struct run *r = handle->data;
    (void)number;
    if (r->interrupted)
        finish(r);
    r->interrupted = true;
    crowd_finish(r->crowd);
}

static void start_timers(struct run *r)
{
    uv_timer_init(&r->loop.uv, &r->ticks);
    uv_timer_init(&r->loop.uv, &r->end);
    uv_signal_init(&r->loop.uv, &r->interrupt);
    r->ticks.data = r->end.data = r->interrupt.data = r;
    uv_timer_start(&r->ticks, on_tick, PROGRESS_MS, PROGRESS_MS);
    if (r->o->duration_ms > 0)
        uv_timer_start(&r->end, on_time_is_up, (uint64_t)r->o->duration_ms, 0);
    uv_signal_start(&r->interrupt, on_interrupt, SIGINT);
}

static void on_pause(void *arg, uint32_t state, int64_t length_ns)
{
    struct run *r = arg;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
    int64_t length_ms = length_ns / NS_PER_MS;
    fprintf(r->o->pauses, "%" PRId64 " %" PRId64 " %s\n", now_ms - length_ms, length_ms,
            r->o->plan->election->states[state].names.code);
}

static struct door *open_door(struct run *r)
{
    const struct run_options *o = r->o;
    struct door_options door = {
        .loop = &r->loop,
        .election = o->plan->election,
        .servers = o->servers,
        .tls = o->tls,
        .credentials = o->credentials,
        .connections = o->connections,
        .in_flight = o->in_flight,
        .on_answer = on_answer,
        .arg = r,
    };
    return o->rest ? rest_door_open(&door) : grpc_door_open(&door);
}

void run_votes(const struct run_options *o, struct run_result *ret)
{
    struct run *r = mem_calloc(1, sizeof *r);
    struct crowd_options crowd = {
        .plan = o->plan,
        /* Those that wait for another attempt must not keep all others from theirs. */
        .slots = o->in_flight * 2,
        .patience_ns = o->patience_ms * NS_PER_MS,
        .rate = o->rate,
        .pauses = o->pauses != NULL ? &r->pauses : NULL,
    };
    r->pauses = (struct pauses){
        .told_from_ns = (int64_t)PAUSE_MS_MIN * NS_PER_MS, .tell = on_pause, .arg = r};
    r->o = o;
    r->crowd = crowd_create(&crowd);
    loop_init(&r->loop);
    r->loop.on_turn_end = send_ballots;
    r->loop.on_deadline = r->loop.on_wake = nothing;
    r->loop.arg = r;
    int64_t begun_ns = loop_clock_ns();
    r->reached_ns = begun_ns;
    uint64_t ballots = o->plan->endless ? 0 : plan_ballots(o->plan);
    progress_init(&r->progress, ballots, o->duration_ms, begun_ns);
    r->door = open_door(r);
    start_timers(r);
    loop_run(&r->loop);
    uv_run(&r->loop.uv, UV_RUN_NOWAIT); /* connections that were closed say goodbye */

    if (!o->quiet)
        progress_clear(&r->progress);
    ret->counts = *crowd_counts(r->crowd);
    ret->door = r->door->counts;
    ret->seconds = (double)(loop_clock_ns() - begun_ns) / 1e9;
    ret->interrupted = r->interrupted;
    ret->unreachable = r->unreachable;
    loop_deinit(&r->loop);
    r->door->ops->free(r->door);
    crowd_free(r->crowd);
    free(r);
}
