/* fle_network.h: a network of servers that elect, in time of its own.
 *
 * Channels are TCP connections: what arrives, arrives in order, and what was on the way when one
 * broke is lost. Both ends hear of a channel at moments of their own. Behind the election stands
 * the simplest discovery: a leader that a quorum follows has an epoch after some milliseconds, and
 * whoever does not get that far within DISCOVERY_MS looks again. One seed, one run. */
#ifndef TESTS_UNIT_FLE_NETWORK_H
#define TESTS_UNIT_FLE_NETWORK_H

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "fle/fle.h"

#define NS_PER_MS 1000000LL

enum {
    SERVERS_MAX = 8, /* numbers 1...7 */
    EVENTS_MAX = 4096,
    DISCOVERY_MS = 1000,
    WAIT_MS = 200, /* finalize_wait_ms */
};

struct server {
    struct network *net;
    int64_t sid;
    bool alive, observer;
    int incarnation;
    struct fle *f;
    struct fle_vote log; /* zxid and peer_epoch count */
    int64_t leader;      /* 0 = looks */
    bool established;
    int64_t epoch_at_ns;   /* when a follower or leader will be established; INT64_MAX = not yet */
    int64_t give_up_at_ns; /* when it looks again */
    int64_t decided_at_ns;
    uint64_t decisions;
    uint64_t term; /* of its leadership; of a follower that is established: its leader's */
};

/* One end's view of a channel, and what goes from there to the other end. */
struct end {
    int64_t told_ns;      /* when this end hears that the channel is up */
    int64_t delivered_ns; /* of the last message to the other end: order is kept */
};

struct link {
    bool up;
    int generation;
    struct end end[2]; /* of the smaller number, of the larger */
};

enum event_type {
    EVENT_NONE,
    EVENT_MESSAGE,
    EVENT_CHANNEL_UP,
    EVENT_CHANNEL_DOWN,
    EVENT_LOOK, /* the server is ready to look for the first time */
};

struct event {
    enum event_type type;
    int64_t at_ns;
    uint64_t order;
    int64_t from, to;
    int generation, incarnation;
    uint8_t *bytes;
    size_t len;
};

struct network {
    uint64_t seed, draws, order;
    int64_t now_ns;
    int64_t delay_ms_max, loss_percent;
    size_t server_count; /* voters and observers, numbers 1...server_count */
    struct quorum *config;
    struct server servers[SERVERS_MAX];
    struct link links[SERVERS_MAX][SERVERS_MAX]; /* [smaller][larger] */
    struct event events[EVENTS_MAX];
    size_t event_count;
    uint64_t messages, terms;
    int64_t epoch; /* of the last leader */
};

static uint64_t draw(struct network *n, uint64_t below)
{
    return hash_u64(n->draws++, n->seed) % below;
}

static int64_t draw_ns(struct network *n, int64_t ms_max)
{
    return (int64_t)draw(n, (uint64_t)ms_max * 1000 + 1) * 1000;
}

static struct link *link_of(struct network *n, int64_t a, int64_t b)
{
    return &n->links[a < b ? a : b][a < b ? b : a];
}

static struct end *end_of(struct network *n, int64_t at, int64_t other)
{
    return &link_of(n, at, other)->end[at > other];
}

static void add_event(struct network *n, struct event e)
{
    if (n->event_count == EVENTS_MAX) {
        fprintf(stderr, "seed %llu: a storm of messages\n", (unsigned long long)n->seed);
        abort();
    }
    e.order = n->order++;
    n->events[n->event_count++] = e;
}

/* ---- what a server does to the network ---- */

static void on_send(void *arg, int64_t sid, struct slice payload)
{
    struct server *s = arg;
    struct network *n = s->net;
    struct link *l = link_of(n, s->sid, sid);
    n->messages++;
    if (!l->up || draw(n, 100) < (uint64_t)n->loss_percent)
        return;
    struct end *mine = end_of(n, s->sid, sid), *theirs = end_of(n, sid, s->sid);
    int64_t at = n->now_ns + draw_ns(n, n->delay_ms_max);
    if (at < mine->delivered_ns)
        at = mine->delivered_ns;
    if (at < theirs->told_ns)
        at = theirs->told_ns;
    mine->delivered_ns = at;
    uint8_t *copy = malloc(payload.len);
    memcpy(copy, payload.ptr, payload.len);
    add_event(
        n, (struct event){EVENT_MESSAGE, at, 0, s->sid, sid, l->generation, 0, copy, payload.len});
}

static void on_newer_config(void *arg, struct slice text)
{
    (void)arg;
    (void)text;
    abort(); /* all have the same */
}

/* ---- faults ---- */

static void link_set(struct network *n, int64_t a, int64_t b, bool up)
{
    struct link *l = link_of(n, a, b);
    if (up && !(n->servers[a].alive && n->servers[b].alive))
        up = false;
    if (l->up == up)
        return;
    l->up = up;
    l->generation++;
    int64_t ends[2] = {a < b ? a : b, a < b ? b : a};
    for (int i = 0; i < 2; i++) {
        int64_t told = n->now_ns + draw_ns(n, n->delay_ms_max);
        l->end[i] = (struct end){told, told};
        if (n->servers[ends[i]].alive)
            add_event(n, (struct event){up ? EVENT_CHANNEL_UP : EVENT_CHANNEL_DOWN, told, 0,
                                        ends[1 - i], ends[i], l->generation,
                                        n->servers[ends[i]].incarnation, NULL, 0});
    }
}

/* Starts a process; what is up at that moment it has to hear as well. It looks after `look_in_ns`.
 */
static void server_start(struct network *n, int64_t sid, int64_t look_in_ns,
                         int64_t notification_ms_max)
{
    struct server *s = &n->servers[sid];
    const struct fle_options options = {.sid = sid,
                                        .finalize_wait_ms = WAIT_MS,
                                        .notification_ms_min = 200,
                                        .notification_ms_max = notification_ms_max};
    const struct fle_host host = {s, on_send, on_newer_config};
    s->alive = true;
    s->incarnation++;
    s->leader = 0;
    s->established = false;
    s->epoch_at_ns = s->give_up_at_ns = INT64_MAX;
    s->f = fle_create(&options, &host, n->config);
    add_event(n, (struct event){EVENT_LOOK, n->now_ns + look_in_ns, 0, sid, sid, 0, s->incarnation,
                                NULL, 0});
}

static void server_kill(struct network *n, int64_t sid)
{
    struct server *s = &n->servers[sid];
    if (!s->alive)
        return;
    s->alive = false;
    s->leader = 0;
    for (int64_t other = 1; other <= (int64_t)n->server_count; other++)
        if (other != sid)
            link_set(n, sid, other, false);
    fle_free(s->f);
    s->f = NULL;
}

static void network_init(struct network *n, uint64_t seed, size_t voters, size_t observers)
{
    *n = (struct network){.seed = seed, .now_ns = NS_PER_MS, .delay_ms_max = 10};
    n->server_count = voters + observers;
    char text[1024] = "";
    for (size_t i = 1; i <= n->server_count; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "server.%zu=h:1:2%s\n", i,
                 i > voters ? ":observer" : "");
        n->servers[i] = (struct server){.net = n, .sid = (int64_t)i, .observer = i > voters};
        n->servers[i].log =
            (struct fle_vote){.zxid = (int64_t)draw(n, 4), .peer_epoch = (int64_t)draw(n, 3)};
    }
    if (quorum_parse(slice_str(text), &n->config, NULL) != 0)
        abort();
}

static void network_deinit(struct network *n)
{
    for (size_t i = 1; i <= n->server_count; i++)
        fle_free(n->servers[i].f);
    for (size_t i = 0; i < n->event_count; i++)
        free(n->events[i].bytes);
    quorum_free(n->config);
}

/* ---- a server after its election ---- */

static void look_again(struct server *s)
{
    s->leader = 0;
    s->established = false;
    s->epoch_at_ns = s->give_up_at_ns = INT64_MAX;
    fle_look(s->f, s->log, s->net->now_ns);
}

static bool follows(struct network *n, int64_t sid, int64_t leader)
{
    const struct server *s = &n->servers[sid];
    return s->alive && s->leader == leader &&
           (sid == leader || (n->servers[leader].alive && link_of(n, sid, leader)->up)) &&
           (!s->established || s->term == n->servers[leader].term);
}

static bool has_followers(struct network *n, int64_t leader)
{
    struct sid_set set = {0};
    for (int64_t sid = 1; sid <= (int64_t)n->server_count; sid++)
        if (follows(n, sid, leader))
            sid_set_add(&set, sid);
    return quorum_has(n->config, &set, false);
}

static bool log_is_newer(const struct fle_vote *a, const struct fle_vote *b)
{
    return a->peer_epoch != b->peer_epoch ? a->peer_epoch > b->peer_epoch : a->zxid > b->zxid;
}

/* Whether discovery with this leader can go on for this server. */
static bool is_served(struct network *n, struct server *s)
{
    struct server *leader = &n->servers[s->leader];
    return follows(n, s->sid, s->leader) && leader->leader == leader->sid &&
           (s == leader ? has_followers(n, s->sid) : leader->established);
}

static void on_epoch(struct network *n, struct server *s)
{
    struct server *leader = &n->servers[s->leader];
    s->epoch_at_ns = INT64_MAX;
    if (!is_served(n, s))
        return;
    if (s == leader) {
        for (int64_t sid = 1; sid <= (int64_t)n->server_count; sid++)
            if (follows(n, sid, s->sid) && !n->servers[sid].observer &&
                log_is_newer(&n->servers[sid].log, &s->log)) {
                look_again(s); /* a follower has more: discovery fails */
                return;
            }
        s->log.peer_epoch = ++n->epoch;
        s->log.zxid += (int64_t)draw(n, 3);
    } else {
        s->log = leader->log;
    }
    s->term = leader->term;
    s->established = true;
    s->give_up_at_ns = INT64_MAX;
    fle_update_epoch(s->f, leader->log.peer_epoch);
}

static void run_role(struct network *n, struct server *s)
{
    if (s->leader == 0)
        return;
    bool served = is_served(n, s);
    if (!s->established && served && s->epoch_at_ns == INT64_MAX)
        s->epoch_at_ns = n->now_ns + draw_ns(n, n->delay_ms_max);
    if (s->established && !served && s->give_up_at_ns == INT64_MAX)
        s->give_up_at_ns = n->now_ns + draw_ns(n, 50); /* it takes a while to see it */
    if (s->established && served)
        s->give_up_at_ns = INT64_MAX;
    if (fle_doubts(s->f))
        look_again(s);
}

static void take_decision(struct network *n, struct server *s)
{
    struct fle_vote vote;
    if (!s->alive || !fle_decided(s->f, &vote))
        return;
    fle_settle(s->f, fle_state(s->f), vote.leader);
    s->leader = vote.leader;
    s->decided_at_ns = n->now_ns;
    s->decisions++;
    if (vote.leader == s->sid)
        s->term = ++n->terms;
    s->give_up_at_ns = n->now_ns + DISCOVERY_MS * NS_PER_MS;
}

/* ---- time ---- */

static void handle(struct network *n, const struct event *e)
{
    struct server *s = &n->servers[e->to];
    if (!s->alive)
        return;
    switch (e->type) {
    case EVENT_MESSAGE:
        if (link_of(n, e->from, e->to)->generation == e->generation)
            fle_message(s->f, e->from, slice_of(e->bytes, e->len), n->now_ns);
        break;
    case EVENT_CHANNEL_UP:
    case EVENT_CHANNEL_DOWN:
        if (link_of(n, e->from, e->to)->generation == e->generation &&
            s->incarnation == e->incarnation)
            fle_channel(s->f, e->from, e->type == EVENT_CHANNEL_UP, n->now_ns);
        break;
    case EVENT_LOOK:
        if (s->incarnation == e->incarnation && s->leader == 0)
            fle_look(s->f, s->log, n->now_ns);
        break;
    case EVENT_NONE:
        break;
    }
}

static size_t next_event(const struct network *n)
{
    size_t first = EVENTS_MAX;
    for (size_t i = 0; i < n->event_count; i++)
        if (first == EVENTS_MAX || n->events[i].at_ns < n->events[first].at_ns ||
            (n->events[i].at_ns == n->events[first].at_ns &&
             n->events[i].order < n->events[first].order))
            first = i;
    return first;
}

static int64_t server_deadline(const struct server *s)
{
    int64_t at = fle_deadline_ns(s->f);
    at = s->epoch_at_ns < at ? s->epoch_at_ns : at;
    return s->give_up_at_ns < at ? s->give_up_at_ns : at;
}

static void run_clock(struct network *n, struct server *s)
{
    if (!s->alive)
        return;
    if (n->now_ns >= s->epoch_at_ns)
        on_epoch(n, s);
    if (n->now_ns >= s->give_up_at_ns)
        look_again(s);
    if (n->now_ns >= fle_deadline_ns(s->f))
        fle_tick(s->f, n->now_ns);
}

/* The next thing that happens, no later than `until`; false = nothing until then. */
static bool network_step(struct network *n, int64_t until_ns)
{
    size_t first = next_event(n);
    int64_t at = first < EVENTS_MAX ? n->events[first].at_ns : INT64_MAX;
    int64_t deadline = INT64_MAX;
    for (size_t i = 1; i <= n->server_count; i++)
        if (n->servers[i].alive && server_deadline(&n->servers[i]) < deadline)
            deadline = server_deadline(&n->servers[i]);
    int64_t when = at <= deadline ? at : deadline;
    if (when > until_ns) {
        n->now_ns = until_ns;
        return false;
    }
    n->now_ns = when > n->now_ns ? when : n->now_ns;
    if (at <= deadline) {
        struct event e = n->events[first];
        n->events[first] = n->events[--n->event_count];
        handle(n, &e);
        free(e.bytes);
    } else {
        for (size_t i = 1; i <= n->server_count; i++)
            run_clock(n, &n->servers[i]);
    }
    for (size_t i = 1; i <= n->server_count; i++)
        take_decision(n, &n->servers[i]);
    for (size_t i = 1; i <= n->server_count; i++)
        if (n->servers[i].alive)
            run_role(n, &n->servers[i]);
    return true;
}

static void network_run(struct network *n, int64_t ms)
{
    int64_t until = n->now_ns + ms * NS_PER_MS;
    while (network_step(n, until)) {
    }
}

/* The leader of all who live, established; 0 = they have no common one. */
static int64_t common_leader(const struct network *n)
{
    int64_t leader = 0;
    for (size_t i = 1; i <= n->server_count; i++) {
        const struct server *s = &n->servers[i];
        if (!s->alive)
            continue;
        if (!s->established || (leader != 0 && s->leader != leader))
            return 0;
        leader = s->leader;
    }
    return leader;
}

static void print_network(const struct network *n)
{
    fprintf(stderr, "seed %llu at %lld ms:\n", (unsigned long long)n->seed,
            (long long)(n->now_ns / NS_PER_MS));
    for (size_t i = 1; i <= n->server_count; i++) {
        const struct server *s = &n->servers[i];
        struct fle_vote v = {0};
        if (s->alive)
            fle_current_vote(s->f, &v);
        fprintf(stderr,
                "  %zu%s %s log (%lld,%lld) state %d vote (%lld,%lld,r%lld,e%lld) leader %lld%s "
                "decided at %lld ms\n",
                i, s->observer ? " observer" : "", s->alive ? "alive" : "dead",
                (long long)s->log.peer_epoch, (long long)s->log.zxid,
                s->alive ? (int)fle_state(s->f) : -1, (long long)v.leader, (long long)v.zxid,
                (long long)v.round, (long long)v.peer_epoch, (long long)s->leader,
                s->established ? " established" : "", (long long)(s->decided_at_ns / NS_PER_MS));
    }
}

#endif
