#include "server.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "world.h"

static const int64_t NS_PER_MS = 1000000;
static const int64_t PPM = 1000000;

void server_init(struct world *w, struct server *v, int index)
{
    *v = (struct server){.index = index, .rate_ppm = PPM, .tick_at_ns = INT64_MAX};
    disk_init(&v->disk);
    v->local_origin_ns = 1000000000 + (int64_t)world_random(w, 1000) * 1000000000;
    if (w->profile.clocks_drift)
        v->rate_ppm = PPM - 50000 + (int64_t)world_random(w, 100000);
    if (w->plant == PLANT_FAST_CLOCK)
        v->rate_ppm = 3 * PPM;
    if (w->profile.clocks_drift)
        v->wall_skew_ms = (int64_t)world_random(w, 200000) - 100000;
}

void server_deinit(struct server *v)
{
    node_free(v->node);
    effects_deinit(&v->fx);
    disk_deinit(&v->disk);
    free(v->log.items);
}

bool server_is_up(const struct world *w, int who)
{
    return who < w->server_count && w->servers[who].node != NULL;
}

uint64_t server_next_number(struct world *w, int who)
{
    return ++w->servers[who].next_number;
}

int64_t server_local_ns(const struct server *v, int64_t true_ns)
{
    return v->local_origin_ns + (true_ns - v->true_origin_ns) / PPM * v->rate_ppm +
           (true_ns - v->true_origin_ns) % PPM * v->rate_ppm / PPM;
}

static int64_t true_ns_of(const struct server *v, int64_t local_ns)
{
    if (local_ns == INT64_MAX)
        return INT64_MAX;
    int64_t passed = local_ns - v->local_origin_ns;
    return v->true_origin_ns + passed / v->rate_ppm * PPM +
           passed % v->rate_ppm * PPM / v->rate_ppm + 1;
}

/* ---- carrying out ---- */

/* A crash comes between two effects. */
static bool dies_here(struct world *w, struct server *v)
{
    if (v->crash_after == 0 || --v->crash_after > 0)
        return false;
    world_trace(w, v->index, "dies between two effects");
    server_crash(w, v, v->crash_silent);
    server_start_later(w, v, fault_restart_delay_ns(w));
    return true;
}

static struct slice sent_bytes(const struct effects *fx, size_t at, size_t len)
{
    return buf_part(&fx->send_bytes, at, len);
}

static void must_be_durable(struct world *w, const struct server *v, uint64_t after)
{
    if (after > v->durable_ticket)
        world_violate(w, "server %d: something leaves before ticket %llu is durable (%llu is)",
                      v->index + 1, (unsigned long long)after,
                      (unsigned long long)v->durable_ticket);
}

static void carry_link(struct world *w, struct server *v, const struct link_effect *l)
{
    struct slice bytes = sent_bytes(&v->fx, l->at, l->len);
    switch (l->type) {
    case LINK_CONNECT:
        if (l->sid < 1 || l->sid > w->server_count)
            world_violate(w, "server %d connects to server %lld, which does not exist",
                          v->index + 1, (long long)l->sid);
        else
            net_connect(w, l->observers ? STREAM_OBSERVERS : STREAM_QUORUM, v->index, l->link,
                        (int)l->sid - 1);
        break;
    case LINK_SEND:
        must_be_durable(w, v, l->after);
        net_send(w, v->index, l->link, bytes);
        break;
    case LINK_CLOSE:
        world_trace(w, v->index, "closes link %llx: %s", (unsigned long long)l->link,
                    l->reason != NULL ? l->reason : "");
        net_close(w, v->index, l->link);
        break;
    case LINK_WANT_ROOM:
        net_want_room(w, v->index, l->link);
        break;
    case LINK_READ_LOG:
        disk_read_log(w, v, l);
        break;
    default:
        break; /* advice to the driver that makes no difference here */
    }
}

/* In the order of effects.h; false: the server died on the way. */
static bool carry_out(struct world *w, struct server *v)
{
    struct effects *fx = &v->fx;
    for (size_t i = 0; i < fx->persist_count; i++) {
        const struct persist_effect *p = &fx->persists[i];
        struct slice bytes = buf_part(&fx->persist_bytes, p->at, p->len);
        world_mix(w, bytes);
        disk_persist(w, v, p, bytes);
        if (dies_here(w, v))
            return false;
    }
    for (size_t i = 0; i < fx->link_count; i++) {
        world_mix(w, sent_bytes(fx, fx->links[i].at, fx->links[i].len));
        carry_link(w, v, &fx->links[i]);
        if (dies_here(w, v))
            return false;
    }
    for (size_t i = 0; i < fx->election_count; i++) {
        const struct election_effect *e = &fx->elections[i];
        world_mix(w, sent_bytes(fx, e->at, e->len));
        if (e->sid >= 1 && e->sid <= w->server_count)
            net_send_vote(w, v->index, (int)e->sid - 1, sent_bytes(fx, e->at, e->len));
        if (dies_here(w, v))
            return false;
    }
    for (size_t i = 0; i < fx->send_count; i++) {
        const struct send_effect *e = &fx->sends[i];
        struct slice bytes = sent_bytes(fx, e->at, e->len);
        world_mix(w, bytes);
        must_be_durable(w, v, e->after);
        net_send(w, v->index, e->client, bytes);
        if (dies_here(w, v))
            return false;
    }
    for (size_t i = 0; i < fx->read_count; i++)
        net_pause(w, v->index, fx->reads[i].client, fx->reads[i].pause);
    for (size_t i = 0; i < fx->trace_count; i++)
        trace_effect(w, v, &fx->traces[i]);
    return true;
}

/* A connection the server closes is gone for it at once. */
static bool carry_out_closes(struct world *w, struct server *v)
{
    uint64_t incarnation = v->incarnation;
    size_t count = v->fx.close_count;
    uint64_t *clients = mem_alloc(count * sizeof *clients);
    for (size_t i = 0; i < count; i++) {
        clients[i] = v->fx.closes[i].client;
        net_close(w, v->index, clients[i]);
    }
    for (size_t i = 0; i < count && v->incarnation == incarnation; i++)
        server_step(w, v, &(struct node_event){.type = NODE_CLIENT_CLOSED, .client = clients[i]});
    free(clients);
    return v->incarnation == incarnation;
}

static void plan_tick(struct world *w, struct server *v)
{
    if (v->deadline_ns == INT64_MAX)
        return;
    int64_t at = v->deadline_ns > w->now_ns ? v->deadline_ns : w->now_ns;
    if (v->tick_at_ns <= at)
        return;
    v->tick_at_ns = at;
    at += (int64_t)world_random(w, 500000); /* timers are never in time */
    queue_put(
        &w->queue,
        (struct event){.at_ns = at, .type = EVENT_TICK, .who = v->index, .a = v->incarnation});
}

/* The log thread reports what it was only given (a planted fault). */
static uint64_t early_ticket(struct world *w, const struct server *v, const struct node_event *ev)
{
    uint64_t ticket = 0;
    if (w->plant != PLANT_EARLY_DURABLE || ev->type == NODE_DURABLE || world_random(w, 8) != 0)
        return 0;
    for (size_t i = 0; i < v->fx.persist_count; i++) {
        if (v->fx.persists[i].ticket > ticket)
            ticket = v->fx.persists[i].ticket;
    }
    return ticket;
}

void server_step(struct world *w, struct server *v, struct node_event *ev)
{
    if (v->node == NULL || w->violation[0] != 0)
        return;
    ev->now_ns = server_local_ns(v, w->now_ns);
    ev->wall_ms = 1700000000000 + w->now_ns / NS_PER_MS + v->wall_skew_ms;
    if (ev->type == NODE_DURABLE && ev->ticket > v->durable_ticket)
        v->durable_ticket = ev->ticket;
    effects_clear(&v->fx);
    node_step(v->node, ev, &v->fx);
    w->stats.steps++;

    v->deadline_ns = true_ns_of(v, v->fx.deadline_ns);
    uint64_t early = early_ticket(w, v, ev);
    uint64_t incarnation = v->incarnation;
    /* What it knows now is known to the checkers before anybody else can hear of it. */
    for (size_t i = 0; i < v->fx.persist_count; i++) {
        const struct persist_effect *p = &v->fx.persists[i];
        check_persist(w, v, p, buf_part(&v->fx.persist_bytes, p->at, p->len));
    }
    check_stepped(w, v, ev->type);
    if (!carry_out(w, v))
        return;
    if (v->fx.close_count > 0 && !carry_out_closes(w, v))
        return;
    if (early > 0)
        server_step(w, v, &(struct node_event){.type = NODE_DURABLE, .ticket = early});
    if (v->incarnation == incarnation)
        plan_tick(w, v);
}

/* ---- life and death ---- */

static size_t weak_digest(struct slice text, char ret[128])
{
    return (size_t)snprintf(ret, 128, "%016llx", (unsigned long long)hash_slice(text, 0));
}

static void node_options_of(const struct world *w, const struct server *v, struct node_options *o)
{
    const struct profile *p = &w->profile;
    *o = (struct node_options){
        .seed = hash_u64(w->seed, (uint64_t)v->index << 32 | v->incarnation),
        .server_id = v->index + 1,
        .tick_ms = p->tick_ms,
        .session_timeout_min_ms = 2 * p->tick_ms,
        .session_timeout_max_ms = 20 * p->tick_ms,
        .frame_bytes_max = 1 << 20,
        .snap_count = p->snap_count,
        .outstanding_max = p->outstanding_max,
        .throttle_requests_max = p->throttle_requests_max,
        .throttle_stall_ms = 100,
        .throttle_drop_stale = p->throttle_drop_stale,
        .stale_connection_check = true,
        .container_check_interval_ms = 700,
        .container_per_minute_max = 10000,
        .skip_acl = true,
        .close_session_txn = p->close_session_txn,
        .reconfig_enabled = true,
        .digest = weak_digest,
    };
}

static struct quorum *parse_config(struct world *w, struct slice text)
{
    struct quorum *q = NULL;
    struct err err = {{0}};
    if (text.len > 0 && quorum_parse(text, &q, &err) < 0)
        world_violate(w, "a configuration on the disk cannot be read: %s", err.text);
    return q;
}

/* The newest transactions of the log, as recovery keeps them for learners (server/recovery.c). */
static void put_recent(struct world *w, const struct disk *d, struct buf *out)
{
    int64_t snapshot = d->snapshot_count > 0 ? d->snapshots[d->snapshot_count - 1].zxid : 0;
    size_t from = zxids_behind(&d->log, snapshot);
    if (d->log.count - from > w->profile.commit_log_count)
        from = d->log.count - w->profile.commit_log_count;
    for (; from < d->log.count; from++) {
        int64_t zxid = d->log.items[from];
        bool next = from > 0 && (zxid == d->log.items[from - 1] + 1 || zxid_counter(zxid) == 1);
        if (!next)
            buf_clear(out);
        struct slice entry = history_entry_bytes(&w->history, d->log.items[from]);
        buf_put_i32(out, (int32_t)entry.len);
        buf_put_slice(out, entry);
    }
}

static struct node *create_node(struct world *w, struct server *v)
{
    struct recovered r = disk_recover(w, v);
    struct node_options o;
    node_options_of(w, v, &o);
    const struct profile *p = &w->profile;
    struct quorum *config = NULL, *seen = NULL;
    struct node_ensemble e;
    struct buf recent = {0};
    if (!p->alone) {
        struct slice text = buf_slice(&v->disk.config);
        config = parse_config(w, text.len > 0 ? text : buf_slice(&w->first_config));
        seen = parse_config(w, buf_slice(&v->disk.config_next));
        v->observer = !quorum_is_voter(config, v->index + 1);
        e = (struct node_ensemble){
            .config = config,
            .config_seen = seen,
            .accepted_epoch = v->disk.accepted_epoch,
            .current_epoch = v->disk.current_epoch,
            .observer = v->observer,
            .observer_masters = p->observer_masters,
            .init_limit = p->init_limit,
            .sync_limit = p->sync_limit,
            .connect_limit = p->sync_limit,
            .commit_log_count = p->commit_log_count,
            .log_sync = p->log_sync,
            .snap_syncs_max = 3,
            .diff_syncs_max = 10,
            .finalize_wait_ms = p->finalize_wait_ms,
            .notification_ms_min = p->finalize_wait_ms,
            .notification_ms_max = p->notification_ms_max,
            .connect_retry_ms = 20,
            .leader_serves = true,
            .standalone_enabled = false,
            .observer_election_delay_ms = 30,
            .zxid_counter_max = p->zxid_counter_max,
        };
        put_recent(w, &v->disk, &recent);
        e.recent = buf_slice(&recent);
        o.ensemble = &e;
    }
    struct node *n = NULL;
    if (w->violation[0] == 0)
        n = node_create(&o, r.tree, r.sessions, r.session_count, server_local_ns(v, w->now_ns));
    else
        tree_free(r.tree);
    if (n != NULL)
        world_plant(w, n);
    free(r.sessions);
    buf_deinit(&recent);
    quorum_free(config);
    quorum_free(seen);
    return n;
}

void server_take_stock(struct server *v)
{
    const struct disk *d = &v->disk;
    v->base = d->snapshot_count > 0 ? d->snapshots[d->snapshot_count - 1].zxid : 0;
    v->log.count = 0;
    for (size_t i = 0; i < d->log.count; i++) {
        if (d->log.items[i] > v->base)
            zxids_push(&v->log, d->log.items[i]);
    }
    for (size_t i = 0; i < d->op_count; i++) {
        if (d->ops[i].type == PERSIST_APPEND)
            zxids_push(&v->log, d->ops[i].zxid);
    }
}

int64_t server_tip(const struct server *v)
{
    return v->log.count > 0 ? v->log.items[v->log.count - 1] : v->base;
}

void server_start(struct world *w, struct server *v)
{
    v->starting = v->stopping = false;
    v->durable_ticket = 0;
    v->serving = false;
    v->role = NODE_LOOKING;
    v->checked_zxid = -1;
    v->deadline_ns = v->tick_at_ns = INT64_MAX;
    server_take_stock(v);
    v->node = create_node(w, v);
    if (v->node == NULL)
        return;
    world_trace(w, v->index, "starts at %s, epochs %lld and %lld",
                zxid_text(tree_last_zxid(node_tree(v->node))).text,
                (long long)v->disk.accepted_epoch, (long long)v->disk.current_epoch);
    check_started(w, v);
    disturbed(w);
    net_owner_started(w, v->index);
    server_step(w, v, &(struct node_event){.type = w->profile.alone ? NODE_TICK : NODE_START});
}

void server_start_later(struct world *w, struct server *v, int64_t after_ns)
{
    if (v->starting || v->node != NULL)
        return;
    v->starting = true;
    queue_put(&w->queue, (struct event){.at_ns = w->now_ns + after_ns,
                                        .type = EVENT_START,
                                        .who = v->index,
                                        .a = v->incarnation});
}

void server_crash(struct world *w, struct server *v, bool silent)
{
    if (v->node == NULL)
        return;
    world_trace(w, v->index, "%s", silent ? "dies with its machine" : "dies");
    w->stats.crashes++;
    node_free(v->node);
    v->node = NULL;
    v->incarnation++;
    v->crash_after = 0;
    v->paused_until_ns = 0;
    v->serving = false;
    disk_crash(w, v);
    net_owner_gone(w, v->index, silent);
    check_crashed(w, v);
}

void server_stop(struct world *w, struct server *v)
{
    if (v->node == NULL || v->stopping)
        return;
    world_trace(w, v->index, "is asked to stop");
    v->stopping = true;
    uint64_t incarnation = v->incarnation;
    server_step(w, v, &(struct node_event){.type = NODE_STOP});
    if (v->incarnation == incarnation)
        queue_put(&w->queue, (struct event){.at_ns = w->now_ns + 1000000,
                                            .type = EVENT_STOPPING,
                                            .who = v->index,
                                            .a = incarnation,
                                            .b = 3000});
}

/* Nobody waits for ever for a server that wants to hand over first. */
static void on_stopping(struct world *w, struct server *v, uint64_t patience)
{
    if (node_stopped(v->node) || patience == 0) {
        world_trace(w, v->index, "has stopped%s", patience == 0 ? " (impatiently)" : "");
        server_crash(w, v, false);
        server_start_later(w, v, fault_restart_delay_ns(w));
        return;
    }
    queue_put(&w->queue, (struct event){.at_ns = w->now_ns + NS_PER_MS,
                                        .type = EVENT_STOPPING,
                                        .who = v->index,
                                        .a = v->incarnation,
                                        .b = patience - 1});
}

void server_pause(struct world *w, struct server *v, int64_t ns)
{
    if (v->node == NULL)
        return;
    world_trace(w, v->index, "is paused for %lld ms", (long long)(ns / NS_PER_MS));
    if (w->now_ns + ns > v->paused_until_ns)
        v->paused_until_ns = w->now_ns + ns;
}

/* ---- events ---- */

/* A node that asks for a tick at once, again and again, would hold a core busy. */
static void check_spinning(struct world *w, struct server *v)
{
    if (w->now_ns - v->ticks_at_ns > 1000000) {
        v->ticks_at_ns = w->now_ns;
        v->ticks_in_vain = 0;
    }
    if (++v->ticks_in_vain > 2000)
        world_violate(w, "server %d spins: 2000 ticks within a millisecond", v->index + 1);
}

static void on_tick(struct world *w, struct server *v)
{
    v->tick_at_ns = INT64_MAX;
    if (w->now_ns < v->deadline_ns) {
        plan_tick(w, v);
        return;
    }
    check_spinning(w, v);
    server_step(w, v, &(struct node_event){.type = NODE_TICK});
}

void server_event(struct world *w, const struct event *e)
{
    struct server *v = &w->servers[e->who];
    if (e->a != v->incarnation)
        return;
    if (e->type == EVENT_START) {
        if (v->starting)
            server_start(w, v);
        return;
    }
    if (v->node == NULL)
        return;
    switch (e->type) {
    case EVENT_TICK:
        on_tick(w, v);
        break;
    case EVENT_DISK:
        disk_on_synced(w, v);
        break;
    case EVENT_SNAPSHOT:
        disk_on_snapshot(w, v);
        break;
    case EVENT_LOG_READ:
        disk_on_log_read(w, v, e->b);
        break;
    case EVENT_STOPPING:
        on_stopping(w, v, e->b);
        break;
    default: {
        bool is_an_event_of_a_server = false;
        invariant(is_an_event_of_a_server);
    }
    }
}

/* ---- from the network ---- */

void server_stream_open(struct world *w, int who, enum stream_kind kind, uint64_t number, int other,
                        bool inbound)
{
    struct server *v = &w->servers[who];
    struct node_event ev = {0};
    switch (kind) {
    case STREAM_QUORUM:
    case STREAM_OBSERVERS:
        ev.type = NODE_LINK_OPEN;
        ev.link.link = number;
        ev.link.inbound = inbound;
        ev.link.observers = inbound && kind == STREAM_OBSERVERS;
        break;
    case STREAM_ELECTION:
        world_trace(w, who, "has a channel to %d", other + 1);
        ev.type = NODE_ELECTION_CHANNEL;
        ev.election.sid = other + 1;
        ev.election.up = true;
        break;
    case STREAM_CLIENT:
        ev.type = NODE_CLIENT_OPEN;
        ev.client = number;
        ev.open.address = slice_str("127.0.0.1");
        break;
    }
    server_step(w, v, &ev);
}

void server_stream_bytes(struct world *w, int who, enum stream_kind kind, uint64_t number, int from,
                         struct slice bytes)
{
    struct server *v = &w->servers[who];
    struct node_event ev = {0};
    switch (kind) {
    case STREAM_QUORUM:
    case STREAM_OBSERVERS:
        ev.type = NODE_LINK_BYTES;
        ev.link.link = number;
        ev.link.bytes = bytes;
        break;
    case STREAM_ELECTION:
        ev.type = NODE_ELECTION_MESSAGE;
        ev.election.sid = from + 1;
        ev.election.bytes = bytes;
        break;
    case STREAM_CLIENT:
        ev.type = NODE_CLIENT_FRAME;
        ev.client = number;
        ev.frame = bytes;
        check_heard(w, v, number, from - SERVERS_MAX);
        break;
    }
    server_step(w, v, &ev);
}

void server_stream_closed(struct world *w, int who, enum stream_kind kind, uint64_t number,
                          int other)
{
    struct server *v = &w->servers[who];
    struct node_event ev = {0};
    switch (kind) {
    case STREAM_QUORUM:
    case STREAM_OBSERVERS:
        ev.type = NODE_LINK_CLOSED;
        ev.link.link = number;
        break;
    case STREAM_ELECTION:
        world_trace(w, who, "has no channel to %d any more", other + 1);
        ev.type = NODE_ELECTION_CHANNEL;
        ev.election.sid = other + 1;
        break;
    case STREAM_CLIENT:
        ev.type = NODE_CLIENT_CLOSED;
        ev.client = number;
        break;
    }
    server_step(w, v, &ev);
}

void server_stream_room(struct world *w, int who, uint64_t number)
{
    struct node_event ev = {.type = NODE_LINK_ROOM};
    ev.link.link = number;
    server_step(w, &w->servers[who], &ev);
}
