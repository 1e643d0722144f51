/* plan.c: what a seed is like, and what goes wrong in it. */
#include <stdio.h>

#include "wire/zk.h"
#include "world.h"

static const int64_t NS_PER_MS = 1000000;

enum fault_kind {
    FAULT_CRASH,
    FAULT_MACHINE,
    FAULT_AT_EFFECT,
    FAULT_POWER,
    FAULT_CUT_ONE,
    FAULT_CUT_HALVES,
    FAULT_CUT_ONE_WAY,
    FAULT_CUT_AT_RANDOM,
    FAULT_CUT_CLIENT,
    FAULT_BREAK,
    FAULT_FLAPPING,
    FAULT_PAUSE,
    FAULT_SLOW_DISK,
    FAULT_FULL_DISK,
    FAULT_BROKEN_DISK,
    FAULT_CLOCK,
    FAULT_PURGE,
    FAULT_SNAPSHOT,
    FAULT_RECONFIG,
    FAULT_ROLLING,
    FAULT_STOP,
    FAULT_COUNT,
};

static const char *const FAULT_NAMES[FAULT_COUNT] = {
    "crash",         "machine", "crash at an effect", "power failure",  "one is cut off",
    "halves",        "one way", "cut at random",      "client cut off", "streams break",
    "flapping link", "pause",   "slow disk",          "full disk",      "broken disk",
    "clock jumps",   "purge",   "snapshot",           "reconfig",       "rolling restart",
    "stop",
};

enum {
    BEGIN,
    END,
    NEXT, /* time for another fault */
    ROLL, /* the next server of a rolling restart */
};

/* ---- the profile ---- */

/* Three groups of one and two servers; a voter without weight where there is one to spare. */
static void put_groups(struct buf *text, int voters)
{
    for (int group = 1; group <= 3; group++) {
        buf_printf(text, "group.%d=%d", group, group);
        if (group + 3 <= voters)
            buf_printf(text, ":%d", group + 3);
        buf_printf(text, "\n");
    }
    for (int i = 1; i <= voters; i++)
        buf_printf(text, "weight.%d=%d\n", i, i == 4 ? 0 : 1);
}

void first_config_text(struct world *w, int voters, int observers, bool groups)
{
    buf_clear(&w->first_config);
    for (int i = 1; i <= voters + observers; i++)
        buf_printf(&w->first_config, "server.%d=s%d:2888:3888:%s;0.0.0.0:2181\n", i, i,
                   i <= voters ? "participant" : "observer");
    if (groups)
        put_groups(&w->first_config, voters);
    buf_printf(&w->first_config, "version=0");
}

static int draw_servers(struct world *w)
{
    static const int SIZES[] = {1, 2, 3, 3, 3, 3, 3, 4, 5, 5};
    return SIZES[world_random(w, sizeof SIZES / sizeof SIZES[0])];
}

static uint32_t draw_faults(struct world *w)
{
    /* A few kinds a seed: each seed looks closely at something else. */
    uint32_t faults = 0;
    for (int i = 0; i < FAULT_COUNT; i++) {
        if (world_random(w, 5) < 2)
            faults |= 1U << i;
    }
    return faults;
}

void plan_profile(struct world *w, const struct plan_options *o)
{
    struct profile *p = &w->profile;
    p->servers = o->servers > 0 ? o->servers : draw_servers(w);
    p->observers = o->observers >= 0         ? o->observers
                   : world_random(w, 4) == 0 ? (int)world_random(w, SERVERS_MAX - 4)
                                             : 0;
    if (p->servers + p->observers > SERVERS_MAX)
        p->observers = SERVERS_MAX - p->servers;
    p->observer_masters = p->observers > 0 && world_random(w, 2) == 0;
    p->zxid_counter_max = world_random(w, 6) == 0 ? 20 + (uint32_t)world_random(w, 100) : 0;
    p->alone = p->servers == 1 && p->observers == 0 && world_random(w, 4) != 0;
    p->clients = 2 + (int)world_random(w, CLIENTS_MAX - 3);
    p->tick_ms = 100 + (int32_t)world_random(w, 2) * 100;
    p->hierarchical = p->servers >= 3 && world_random(w, 12) == 0;
    p->init_limit = 8;
    p->sync_limit = 3 + (int32_t)world_random(w, 4);
    p->session_timeout_ms = 1000 + (int32_t)world_random(w, 1500);
    p->finalize_wait_ms = 20 + (int64_t)world_random(w, 100);
    p->notification_ms_max = 800;
    p->commit_log_count = 2 + world_random(w, 100);
    p->log_sync = world_random(w, 3) != 0;
    p->snap_count = 10 + (uint32_t)world_random(w, 150);
    p->outstanding_max = 40;
    p->throttle_requests_max = world_random(w, 3) == 0 ? 1 + world_random(w, 5) : 0;
    p->throttle_drop_stale = world_random(w, 2) == 0;
    p->close_session_txn = world_random(w, 2) == 0;
    p->lossy = world_random(w, 3) == 0;
    p->clocks_drift = world_random(w, 3) == 0;
    p->sync_ns = world_random(w, 2) == 0 ? 500000 : 6000000;
    p->disks_differ = world_random(w, 2) == 0;
    /* Clients that do not wait for answers starve each other where few requests are let in and each
     * waits for a slow disk. */
    if (p->disks_differ || p->sync_ns > 500000)
        p->throttle_requests_max = 0;
    p->truncates_alone = world_random(w, 2) == 0;
    p->truncate_ns = p->truncates_alone ? 300 * NS_PER_MS : 2 * NS_PER_MS;
    p->think_ns = (10 + (int64_t)world_random(w, 40)) * NS_PER_MS;
    p->faults = draw_faults(w);
    p->fault_every_ns =
        (40 + (int64_t)world_random(w, world_random(w, 2) == 0 ? 200 : 1500)) * NS_PER_MS;
    p->chaos_ns = (2000 + (int64_t)world_random(w, 5000)) * NS_PER_MS * o->stretch;
}

/* Some disks are much slower than others: what is durable here is long in coming there. */
static int64_t draw_sync_ns(struct world *w)
{
    bool slow = w->profile.disks_differ && world_random(w, 5) < 2;
    return slow ? 60 * NS_PER_MS : w->profile.sync_ns;
}

void plan_begin(struct world *w)
{
    const struct profile *p = &w->profile;
    w->server_count = p->servers + p->observers;
    net_init(w);
    if (!p->alone) {
        first_config_text(w, p->servers, p->observers, p->hierarchical);
        quorum_parse(buf_slice(&w->first_config), &w->history.config, NULL);
    }
    for (int i = 0; i < w->server_count; i++) {
        server_init(w, &w->servers[i], i);
        w->servers[i].disk.sync_ns = draw_sync_ns(w);
        w->servers[i].disk.truncate_ns = p->truncate_ns;
        server_start_later(w, &w->servers[i], (int64_t)world_random(w, 300) * NS_PER_MS);
    }
    for (int i = 0; i < CLIENTS_MAX; i++)
        client_init(w, i);
    for (int i = 0; i < p->clients; i++) {
        w->clients[i].enabled = true;
        queue_put(&w->queue,
                  (struct event){.at_ns = w->now_ns + (int64_t)world_random(w, 500) * NS_PER_MS,
                                 .type = EVENT_CLIENT,
                                 .who = i});
    }
    queue_put(
        &w->queue,
        (struct event){.at_ns = w->now_ns + p->fault_every_ns, .type = EVENT_FAULT, .b = NEXT});
    w->phase_ns = w->now_ns;
    queue_put(&w->queue, (struct event){.at_ns = w->now_ns + p->chaos_ns, .type = EVENT_PHASE});
}

/* ---- faults ---- */

void disturbed(struct world *w)
{
    w->disturbed_ns = w->now_ns;
}

int64_t fault_restart_delay_ns(struct world *w)
{
    if (w->phase != PHASE_CHAOS)
        return 10 * NS_PER_MS;
    return (int64_t)world_random(w, world_random(w, 3) == 0 ? 3000 : 200) * NS_PER_MS;
}

static int some_server(struct world *w)
{
    if (world_random(w, 5) < 2) {
        for (int i = 0; i < w->server_count; i++) {
            if (w->servers[i].node != NULL && w->servers[i].role == NODE_LEADING)
                return i;
        }
    }
    return (int)world_random(w, (uint64_t)w->server_count);
}

static uint32_t all_servers(const struct world *w)
{
    return (1U << w->server_count) - 1;
}

/* `these` and everybody else hear nothing of each other; clients are split as they fall. */
static void cut_between(struct world *w, struct net_cut *cut, uint32_t these)
{
    for (int c = SERVERS_MAX; c < ENDPOINTS_MAX; c++) {
        if (world_random(w, 2) == 0)
            these |= 1U << c;
    }
    for (int from = 0; from < ENDPOINTS_MAX; from++)
        cut->to[from] = (these >> from & 1) != 0 ? ~these : these;
    for (int from = SERVERS_MAX; from < ENDPOINTS_MAX; from++)
        cut->to[from] &= all_servers(w);
}

static void draw_cut(struct world *w, int kind, struct net_cut *cut)
{
    uint32_t servers = all_servers(w);
    int one = some_server(w);
    switch (kind) {
    case FAULT_CUT_ONE:
        cut_between(w, cut, 1U << one);
        break;
    case FAULT_CUT_HALVES:
        cut_between(w, cut, (uint32_t)world_random(w, servers + 1ULL));
        break;
    case FAULT_CUT_ONE_WAY:
        if (world_random(w, 2) == 0) {
            cut->to[one] = (uint32_t)world_random(w, servers + 1ULL);
        } else {
            for (int i = 0; i < w->server_count; i++)
                cut->to[i] = (uint32_t)world_random(w, 2) << one;
        }
        break;
    case FAULT_CUT_AT_RANDOM:
        for (int i = 0; i < w->server_count; i++)
            cut->to[i] = (uint32_t)world_random(w, servers + 1ULL);
        break;
    default: { /* a client */
        int c = SERVERS_MAX + (int)world_random(w, CLIENTS_MAX);
        cut->to[c] = servers;
        for (int i = 0; i < w->server_count; i++)
            cut->to[i] = 1U << c;
    }
    }
    for (int i = 0; i < ENDPOINTS_MAX; i++)
        cut->to[i] &= ~(1U << i);
}

static int free_cut(const struct world *w)
{
    for (int i = 0; i < CUTS_MAX; i++) {
        if (!w->net.cuts[i].active)
            return i;
    }
    return -1;
}

static void put_fault(struct world *w, uint64_t slot, uint64_t what, int64_t after_ns)
{
    queue_put(
        &w->queue,
        (struct event){.at_ns = w->now_ns + after_ns, .type = EVENT_FAULT, .a = slot, .b = what});
}

/* With an end, after a while. */
static bool begin_lasting(struct world *w, int kind, int server, int cut, int64_t ns)
{
    for (size_t i = 0; i < FAULTS_MAX; i++) {
        if (w->faults[i].active)
            continue;
        w->faults[i] = (struct fault){.active = true, .kind = kind, .server = server, .cut = cut};
        w->disturbances++;
        put_fault(w, i, END, ns);
        return true;
    }
    return false;
}

static int64_t some_time_ns(struct world *w)
{
    return (10 + (int64_t)world_random(w, world_random(w, 3) == 0 ? 3000 : 400)) * NS_PER_MS;
}

/* A random member leaves, comes back, or changes what it is. Two voters stay: a third may be made
 * of an observer, which acknowledges nothing before it is one; a second could not be. */
static void reconfigure(struct world *w)
{
    const struct quorum *q = w->history.config;
    struct sim_client *c = &w->clients[world_random(w, (uint64_t)w->profile.clients)];
    if (q == NULL)
        return;
    int sid = 1 + (int)world_random(w, (uint64_t)w->server_count);
    const struct quorum_server *member = quorum_find(q, sid);
    char joining[128] = "", leaving[16] = "";
    bool voter = member != NULL && !member->observer;
    if (q->voter_count < (voter ? 3 : 2))
        return;
    if (voter && world_random(w, 2) == 0)
        snprintf(leaving, sizeof leaving, "%d", sid);
    else
        snprintf(joining, sizeof joining, "server.%d=s%d:2888:3888:%s;0.0.0.0:2181", sid, sid,
                 voter ? "observer" : "participant");
    world_trace(w, -1, "reconfig: joining '%s', leaving '%s'", joining, leaving);
    client_reconfigure(w, c, joining, leaving);
}

/* A learner loses its leader again and again. Where all other disks are slow its log runs ahead of
 * what a quorum has: it comes back with more than its leader has committed, is told to take that
 * back, and may have lost the leader once more before it has. */
static void begin_flapping(struct world *w)
{
    int learner = (int)world_random(w, (uint64_t)w->server_count);
    if (w->servers[learner].role == NODE_LEADING)
        learner = (learner + 1) % w->server_count;
    int64_t slow_ns = world_random(w, 3) == 0 ? 0 : (int64_t)world_random(w, 400) * NS_PER_MS;
    if (!begin_lasting(w, FAULT_FLAPPING, learner, -1, 0))
        return;
    for (int i = 0; i < w->server_count; i++) {
        if (i != learner)
            w->servers[i].disk.slow_ns = slow_ns;
    }
}

static void begin_fault(struct world *w, int kind)
{
    struct server *v = &w->servers[some_server(w)];
    world_trace(w, -1, "fault: %s (server %d)", FAULT_NAMES[kind], v->index + 1);
    w->stats.faults++;
    disturbed(w);
    switch ((enum fault_kind)kind) {
    case FAULT_CRASH:
    case FAULT_MACHINE:
        server_crash(w, v, kind == FAULT_MACHINE);
        server_start_later(w, v, fault_restart_delay_ns(w));
        break;
    case FAULT_AT_EFFECT:
        v->crash_after = 1 + (int)world_random(w, world_random(w, 2) == 0 ? 6 : 200);
        v->crash_silent = world_random(w, 2) == 0;
        break;
    case FAULT_POWER:
        for (int i = 0; i < w->server_count; i++) {
            server_crash(w, &w->servers[i], world_random(w, 2) == 0);
            server_start_later(w, &w->servers[i], fault_restart_delay_ns(w));
        }
        break;
    case FAULT_CUT_ONE:
    case FAULT_CUT_HALVES:
    case FAULT_CUT_ONE_WAY:
    case FAULT_CUT_AT_RANDOM:
    case FAULT_CUT_CLIENT: {
        struct net_cut cut = {0};
        int slot = free_cut(w);
        draw_cut(w, kind, &cut);
        if (slot >= 0 && begin_lasting(w, kind, v->index, slot, some_time_ns(w)))
            net_cut(w, slot, &cut);
        break;
    }
    case FAULT_BREAK:
        for (uint64_t i = 1 + world_random(w, 6); i > 0; i--)
            net_break_some(w);
        break;
    case FAULT_FLAPPING:
        begin_flapping(w);
        break;
    case FAULT_PAUSE: {
        int64_t ns = some_time_ns(w);
        if (begin_lasting(w, kind, v->index, -1, ns))
            server_pause(w, v, ns);
        break;
    }
    case FAULT_SLOW_DISK:
        if (begin_lasting(w, kind, v->index, -1, some_time_ns(w)))
            v->disk.slow_ns = (int64_t)world_random(w, 400) * NS_PER_MS;
        break;
    case FAULT_FULL_DISK:
        if (v->node != NULL && !v->disk.full &&
            begin_lasting(w, kind, v->index, -1, some_time_ns(w)))
            disk_set_full(w, v, true);
        break;
    case FAULT_BROKEN_DISK:
        if (v->node != NULL && begin_lasting(w, kind, v->index, -1, 20 * NS_PER_MS)) {
            v->disk.broken = true;
            server_step(w, v, &(struct node_event){.type = NODE_DISK_FAILED});
        }
        break;
    case FAULT_CLOCK:
        v->wall_skew_ms = (int64_t)world_random(w, 2000000) - 1000000;
        break;
    case FAULT_PURGE:
        if (v->disk.batch == 0)
            disk_purge(w, &v->disk);
        break;
    case FAULT_SNAPSHOT:
        server_step(w, v, &(struct node_event){.type = NODE_SNAPSHOT_REQUEST});
        break;
    case FAULT_RECONFIG:
        reconfigure(w);
        break;
    case FAULT_ROLLING:
        begin_lasting(w, kind, 0, -1, 0);
        break;
    case FAULT_STOP:
        server_stop(w, v);
        break;
    case FAULT_COUNT:
        break;
    }
}

static void end_fault(struct world *w, size_t slot)
{
    struct fault f = w->faults[slot];
    struct server *v = &w->servers[f.server];
    if (!f.active)
        return;
    if (f.kind == FAULT_ROLLING && f.server < w->server_count && w->phase == PHASE_CHAOS) {
        server_stop(w, v);
        w->faults[slot].server++;
        put_fault(w, slot, END, (300 + (int64_t)world_random(w, 700)) * NS_PER_MS);
        return;
    }
    if (f.kind == FAULT_FLAPPING && w->phase == PHASE_CHAOS && world_random(w, 7) != 0) {
        net_break_from(w, f.server);
        put_fault(w, slot, END, (5 + (int64_t)world_random(w, 200)) * NS_PER_MS);
        return;
    }
    w->faults[slot].active = false;
    w->disturbances--;
    disturbed(w);
    world_trace(w, -1, "fault is over: %s", FAULT_NAMES[f.kind]);
    switch (f.kind) {
    case FAULT_CUT_ONE:
    case FAULT_CUT_HALVES:
    case FAULT_CUT_ONE_WAY:
    case FAULT_CUT_AT_RANDOM:
    case FAULT_CUT_CLIENT:
        net_heal(w, f.cut);
        break;
    case FAULT_SLOW_DISK:
        v->disk.slow_ns = 0;
        break;
    case FAULT_FLAPPING:
        for (int i = 0; i < w->server_count; i++)
            w->servers[i].disk.slow_ns = 0;
        break;
    case FAULT_FULL_DISK:
        if (v->disk.full && v->node != NULL)
            disk_set_full(w, v, false);
        break;
    case FAULT_BROKEN_DISK:
        if (v->disk.broken) {
            server_crash(w, v, false);
            server_start_later(w, v, fault_restart_delay_ns(w));
        }
        break;
    default:
        break;
    }
}

static void next_fault(struct world *w)
{
    if (w->phase != PHASE_CHAOS)
        return;
    int kind = (int)world_random(w, FAULT_COUNT);
    for (int tries = 0; (w->profile.faults >> kind & 1) == 0 && tries < FAULT_COUNT; tries++)
        kind = (kind + 1) % FAULT_COUNT;
    if ((w->profile.faults >> kind & 1) != 0)
        begin_fault(w, kind);
    put_fault(w, 0, NEXT,
              (int64_t)world_random(w, (uint64_t)w->profile.fault_every_ns) + NS_PER_MS);
}

void plan_fault(struct world *w, const struct event *e)
{
    if (e->b == NEXT)
        next_fault(w);
    else if (e->b == END)
        end_fault(w, e->a);
}

/* ---- the end ---- */

enum {
    PATIENCE_MS = 30000, /* of virtual time */
    LOOK_EVERY_MS = 20
};

static void heal_everything(struct world *w)
{
    for (size_t i = 0; i < FAULTS_MAX; i++)
        end_fault(w, i);
    for (int i = 0; i < w->server_count; i++) {
        struct server *v = &w->servers[i];
        v->crash_after = 0;
        world_resume(w, v);
        if (v->node == NULL) {
            v->starting = false;
            server_start_later(w, v, 0);
        }
    }
}

static void next_phase(struct world *w, enum phase phase)
{
    if (w->now_ns - w->phase_ns > w->stats.settle_ns_max && w->phase != PHASE_CHAOS)
        w->stats.settle_ns_max = w->now_ns - w->phase_ns;
    w->phase = phase;
    w->phase_ns = w->now_ns;
    world_trace(w, -1, "phase %d", phase);
}

static void begin_writing(struct world *w)
{
    next_phase(w, PHASE_WRITING);
    world_trace(w, -1, "all faults are over");
    heal_everything(w);
    struct sim_client *fresh = &w->clients[CLIENTS_MAX - 1];
    fresh->enabled = fresh->quiet = true;
    queue_put(&w->queue,
              (struct event){.at_ns = w->now_ns, .type = EVENT_CLIENT, .who = CLIENTS_MAX - 1});
}

static void begin_settling(struct world *w)
{
    next_phase(w, PHASE_SETTLING);
    for (int i = 0; i < CLIENTS_MAX; i++)
        w->clients[i].quiet = true;
}

static void power_cycle(struct world *w)
{
    next_phase(w, PHASE_RECOVERED);
    disturbed(w);
    for (int i = 0; i < w->server_count; i++) {
        server_crash(w, &w->servers[i], false);
        server_start_later(w, &w->servers[i], (int64_t)world_random(w, 100) * NS_PER_MS);
    }
}

void plan_phase(struct world *w)
{
    struct sim_client *fresh = &w->clients[CLIENTS_MAX - 1];
    switch (w->phase) {
    case PHASE_CHAOS:
        begin_writing(w);
        break;
    case PHASE_WRITING:
        if (fresh->successes > 0)
            begin_settling(w);
        else if (fresh->ready && fresh->count == 0)
            client_write(w, fresh);
        break;
    case PHASE_SETTLING:
        if (check_settled(w)) {
            check_final_state(w);
            power_cycle(w);
        }
        break;
    case PHASE_RECOVERED:
        if (check_settled(w)) {
            check_final_state(w);
            next_phase(w, PHASE_DONE);
        }
        break;
    case PHASE_DONE:
        return;
    }
    if (w->phase != PHASE_CHAOS && w->now_ns - w->phase_ns > PATIENCE_MS * NS_PER_MS)
        check_not_settled(w, w->phase == PHASE_WRITING ? "a new client's write is not answered"
                                                       : "the servers do not reach one state");
    queue_put(&w->queue,
              (struct event){.at_ns = w->now_ns + LOOK_EVERY_MS * NS_PER_MS, .type = EVENT_PHASE});
}
