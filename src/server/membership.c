#include "server/membership.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "server/config_files.h"
#include "server/server.h"

enum {
    NS_PER_MS = 1000000,
    LINK_DEAD_MS_MIN = 2000,
    LINK_DEAD_MS_MAX = 10000,
    ORACLE_MS = 500, /* between two looks at the oracle's file */
};

bool membership_is_on(const struct server *s)
{
    return s->config->ensemble != NULL;
}

static int64_t ticks_ms(const struct server *s, enum config_id limit)
{
    return config_int(s->config, limit) * config_int(s->config, CONFIG_TICK_TIME);
}

/* ---- addresses ---- */

static size_t quorum_targets(const struct quorum *q, int64_t sid,
                             struct connect_target ret[CONNECT_TARGETS_MAX])
{
    const struct quorum_server *server = q != NULL ? quorum_find(q, sid) : NULL;
    size_t count = 0;
    for (size_t i = 0; server != NULL && i < server->address_count && count < CONNECT_TARGETS_MAX;
         i++)
        ret[count++] =
            (struct connect_target){server->addresses[i].host, server->addresses[i].quorum_port};
    return count;
}

/* In the active configuration, else in the one that was proposed. */
static size_t targets_of(const struct server *s, int64_t sid,
                         struct connect_target ret[CONNECT_TARGETS_MAX])
{
    const struct zab *zab = node_zab(s->node);
    size_t count = quorum_targets(zab_config(zab), sid, ret);
    return count > 0 ? count : quorum_targets(zab_last_seen_config(zab), sid, ret);
}

/* Our line may say where our clients come (QuorumPeer.processReconfig). */
static void move_clients(struct server *s, const struct quorum *active)
{
    const struct quorum_server *me = quorum_find(active, s->config->my_id);
    if (me == NULL || me->client_host == NULL)
        return;
    bool any =
        strcmp(me->client_host, "0.0.0.0") == 0 || strcmp(me->client_host, "0:0:0:0:0:0:0:0") == 0;
    clients_move(s, any ? "" : me->client_host, me->client_port);
}

/* Everybody's port for observers has the same number, at the addresses of the quorum port. */
static void at_observer_port(const struct server *s, struct connect_target *targets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        targets[i].port = (int)config_int(s->config, CONFIG_OBSERVER_MASTER_PORT);
}

/* Voters have it; whether they serve observers is up to their role. */
static void listen_for_observers(struct server *s, struct connect_target *ours, size_t count)
{
    if (config_int(s->config, CONFIG_OBSERVER_MASTER_PORT) <= 0)
        return;
    bool voter = quorum_is_voter(zab_config(node_zab(s->node)), s->config->my_id);
    at_observer_port(s, ours, count);
    quorum_links_listen_observers(s->membership.links, ours, voter ? count : 0);
}

static void take_config(struct server *s)
{
    struct membership *m = &s->membership;
    const struct quorum *active = zab_config(node_zab(s->node));
    const struct quorum *seen = zab_last_seen_config(node_zab(s->node));
    struct connect_target ours[CONNECT_TARGETS_MAX];
    m->config_version = active->version;
    m->seen_version = seen != NULL ? seen->version : -1;
    election_links_set_config(m->election, active, seen);
    size_t count = targets_of(s, s->config->my_id, ours);
    if (count > 0)
        quorum_links_listen(m->links, ours, count);
    listen_for_observers(s, ours, count);
    move_clients(s, active);
}

static void look_at_config(struct server *s)
{
    const struct membership *m = &s->membership;
    const struct quorum *active = zab_config(node_zab(s->node));
    const struct quorum *seen = zab_last_seen_config(node_zab(s->node));
    if (active->version != m->config_version ||
        (seen != NULL ? seen->version : -1) != m->seen_version)
        take_config(s);
}

/* ---- events ---- */

static void give(struct server *s, struct node_event *ev)
{
    server_step(s, ev);
    server_carry_out(s);
}

static void on_channel(void *arg, int64_t sid, bool up)
{
    give(arg,
         &(struct node_event){.type = NODE_ELECTION_CHANNEL, .election = {.sid = sid, .up = up}});
}

static void on_election_message(void *arg, int64_t sid, struct slice payload)
{
    give(arg, &(struct node_event){.type = NODE_ELECTION_MESSAGE,
                                   .election = {.sid = sid, .bytes = payload}});
}

static void on_port_failed(void *arg, const char *reason)
{
    server_fail(arg, "port_failed", reason);
}

static void on_link_open(void *arg, uint64_t link, enum quorum_link_side side)
{
    give(arg, &(struct node_event){.type = NODE_LINK_OPEN,
                                   .link = {.link = link,
                                            .inbound = side != QUORUM_LINK_OURS,
                                            .observers = side == QUORUM_LINK_OBSERVER}});
}

static void on_link_bytes(void *arg, uint64_t link, struct slice bytes)
{
    struct server *s = arg;
    give(s, &(struct node_event){.type = NODE_LINK_BYTES, .link = {.link = link, .bytes = bytes}});
    if (storage_is_behind(s))
        quorum_links_pause_all(s->membership.links, true);
}

static void on_link_closed(void *arg, uint64_t link)
{
    struct server *s = arg;
    storage_past_drop(s, link);
    give(s, &(struct node_event){.type = NODE_LINK_CLOSED, .link = {.link = link}});
}

static void on_link_room(void *arg, uint64_t link)
{
    give(arg, &(struct node_event){.type = NODE_LINK_ROOM, .link = {.link = link}});
}

void membership_resume_reading(struct server *s)
{
    if (s->membership.links != NULL)
        quorum_links_pause_all(s->membership.links, false);
}

/* ---- effects ---- */

static void connect_link(struct server *s, const struct link_effect *e)
{
    struct connect_target targets[CONNECT_TARGETS_MAX];
    size_t count = targets_of(s, e->sid, targets);
    if (e->observers)
        at_observer_port(s, targets, count);
    quorum_links_connect(s->membership.links, e->link, targets, count);
}

static void carry_link(struct server *s, const struct link_effect *e)
{
    struct membership *m = &s->membership;
    switch (e->type) {
    case LINK_CONNECT:
        connect_link(s, e);
        break;
    case LINK_SEND:
        invariant(e->after <= s->storage.durable_ticket);
        quorum_links_send(m->links, e->link, slice_of(s->fx.send_bytes.ptr + e->at, e->len));
        break;
    case LINK_CLOSE:
        storage_past_drop(s, e->link);
        quorum_links_close(m->links, e->link);
        break;
    case LINK_WANT_ROOM:
        quorum_links_want_room(m->links, e->link);
        break;
    case LINK_READ_LOG:
        storage_past_read(s, e->link, e->after_zxid, e->until_zxid);
        break;
    case LINK_PAUSE:
    case LINK_RESUME:
        quorum_links_pause(m->links, e->link, e->type == LINK_PAUSE);
        break;
    }
}

void membership_carry_links(struct server *s)
{
    if (s->membership.links == NULL)
        return; /* we are closing */
    for (size_t i = 0; i < s->fx.link_count; i++)
        carry_link(s, &s->fx.links[i]);
}

void membership_carry_elections(struct server *s)
{
    const struct effects *fx = &s->fx;
    if (s->membership.election == NULL)
        return;
    for (size_t i = 0; i < fx->election_count; i++) {
        const struct election_effect *e = &fx->elections[i];
        election_links_send(s->membership.election, e->sid,
                            slice_of(fx->send_bytes.ptr + e->at, e->len));
    }
}

void membership_on_turn(struct server *s)
{
    if (s->membership.links == NULL)
        return;
    look_at_config(s);
    quorum_links_flush(s->membership.links);
}

/* ---- the oracle of two servers (QuorumOracleMaj) ---- */

/* The file begins with '1': the other one is gone for good. */
static bool ask_oracle(const char *path)
{
    char said = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, &said, 1);
    close(fd);
    return got == 1 && said == '1';
}

static void on_oracle_timer(uv_timer_t *timer)
{
    struct server *s = timer->data;
    bool says = ask_oracle(config_text(s->config, CONFIG_ORACLE_PATH));
    if (says == s->membership.oracle_said)
        return;
    s->membership.oracle_said = says;
    struct log_line l;
    log_begin(&l, LOG_WARN, "oracle");
    log_int(&l, "says", says);
    log_end(&l);
    give(s, &(struct node_event){.type = NODE_ORACLE, .oracle_says = says});
    loop_again(&s->loop);
}

static void watch_oracle(struct server *s)
{
    struct membership *m = &s->membership;
    uv_timer_init(&s->loop.uv, &m->oracle);
    m->oracle.data = s;
    m->oracle_open = true;
    if (config_text(s->config, CONFIG_ORACLE_PATH)[0] != 0)
        uv_timer_start(&m->oracle, on_oracle_timer, 0, ORACLE_MS);
}

/* ---- life ---- */

int membership_read_epochs(struct server *s, int64_t last_zxid, struct epochs *ret, struct err *err)
{
    return epochs_load(s->storage.fs, s->storage.snap_dir, last_zxid, ret, err);
}

/* What the server may rewrite later is kept as it was. */
static void back_up_config(struct server *s)
{
    const struct config *c = s->config;
    struct err err;
    if (!config_flag(c, CONFIG_RECONFIG_ENABLED) || c->file == NULL || c->dynamic_file != NULL ||
        config_files_back_up(s->storage.fs, c->file, &err) == 0)
        return;
    struct log_line l;
    log_begin(&l, LOG_WARN, "config_not_backed_up");
    log_text(&l, "reason", err.text);
    log_end(&l);
}

static int64_t dead_ms(const struct server *s)
{
    int64_t ms = ticks_ms(s, CONFIG_SYNC_LIMIT);
    return ms < LINK_DEAD_MS_MIN ? LINK_DEAD_MS_MIN : ms > LINK_DEAD_MS_MAX ? LINK_DEAD_MS_MAX : ms;
}

static struct election_links *make_election(struct server *s)
{
    const struct config *c = s->config;
    int64_t hello_ms = config_int(c, CONFIG_QUORUM_CNXN_TIMEOUT);
    struct election_links_options options = {
        .loop = &s->loop,
        .sid = c->my_id,
        .multi_address = config_flag(c, CONFIG_MULTI_ADDRESS),
        .all_addresses = config_flag(c, CONFIG_QUORUM_LISTEN_ALL),
        .bind_retries = (int)config_int(c, CONFIG_ELECTION_BIND_RETRY),
        .connect_timeout_ms = config_int(c, CONFIG_CNX_TIMEOUT),
        .hello_timeout_ms = hello_ms > 0 ? hello_ms : ticks_ms(s, CONFIG_SYNC_LIMIT),
        .dead_ms = dead_ms(s),
        .on_channel = on_channel,
        .on_message = on_election_message,
        .on_port_failed = on_port_failed,
        .arg = s,
    };
    return election_links_create(&options);
}

static struct quorum_links *make_links(struct server *s)
{
    const struct config *c = s->config;
    bool own_limit = config_int(c, CONFIG_CONNECT_LIMIT) > 0;
    struct quorum_links_options options = {
        .loop = &s->loop,
        .all_addresses = config_flag(c, CONFIG_QUORUM_LISTEN_ALL),
        .bind_retries = (int)config_int(c, CONFIG_ELECTION_BIND_RETRY),
        .connect_timeout_ms = ticks_ms(s, own_limit ? CONFIG_CONNECT_LIMIT : CONFIG_INIT_LIMIT),
        .dead_ms = dead_ms(s),
        .on_open = on_link_open,
        .on_bytes = on_link_bytes,
        .on_closed = on_link_closed,
        .on_room = on_link_room,
        .on_port_failed = on_port_failed,
        .arg = s,
    };
    return quorum_links_create(&options);
}

void membership_start(struct server *s)
{
    struct membership *m = &s->membership;
    back_up_config(s);
    m->election = make_election(s);
    m->links = make_links(s);
    take_config(s);
    watch_oracle(s);
    give(s, &(struct node_event){.type = NODE_START});
}

void membership_stop(struct server *s)
{
    struct membership *m = &s->membership;
    if (m->links != NULL)
        quorum_links_flush(m->links);
    quorum_links_free(m->links);
    election_links_free(m->election);
    m->links = NULL;
    m->election = NULL;
}

void membership_deinit(struct server *s)
{
    membership_stop(s);
    if (s->membership.oracle_open)
        uv_close((uv_handle_t *)&s->membership.oracle, NULL);
    s->membership.oracle_open = false;
}

/* ---- what the windows see ---- */

struct learner_count {
    const struct quorum *config;
    struct server_ensemble *to;
};

static void count_learner(void *arg, const struct zab_learner_view *v)
{
    struct learner_count *c = arg;
    c->to->learners++;
    if (!v->synced)
        return;
    if (v->observer) {
        c->to->synced_observers++;
        return;
    }
    c->to->synced_followers++; /* the next are among them (Leader.getNonVotingFollowers) */
    c->to->synced_non_voting_followers += !quorum_is_voter(c->config, v->sid);
}

static const char *phase_of(struct server *s)
{
    return node_role(s->node) == NODE_LOOKING ? "election" : zab_phase(node_zab(s->node));
}

void membership_describe(void *driver, struct server_ensemble *ret)
{
    struct server *s = driver;
    const struct zab *zab = node_zab(s->node);
    const struct quorum *config = zab_config(zab);
    const struct membership *m = &s->membership;
    *ret = (struct server_ensemble){
        .role = node_role(s->node),
        .serving = node_serving(s->node),
        .read_only = node_read_only(s->node),
        .observer = s->config->observer || !quorum_is_voter(config, s->config->my_id),
        .sid = s->config->my_id,
        .init_limit = (int)config_int(s->config, CONFIG_INIT_LIMIT),
        .sync_limit = (int)config_int(s->config, CONFIG_SYNC_LIMIT),
        .config = config,
        .self = quorum_find(config, s->config->my_id),
        .phase = phase_of(s),
        .sync_mode = m->sync_mode,
        .observer_masters = config_int(s->config, CONFIG_OBSERVER_MASTER_PORT) > 0,
        .leader = zab_leader(zab),
        .pending_syncs = zab_counts(zab)->pending_syncs,
        .local_sessions = node_local_sessions(s->node),
    };
    if (ret->role == NODE_LEADING && ret->serving && !ret->read_only)
        ret->leader_uptime_ms = (loop_now_ns(&s->loop) - m->serving_since_ns) / NS_PER_MS;
    struct learner_count count = {config, ret};
    zab_each_learner(zab, count_learner, &count);
}

struct learner_visit {
    struct server *server;
    server_learner_visit *visit;
    void *arg;
};

static void show_learner(void *arg, const struct zab_learner_view *v)
{
    const struct learner_visit *to = arg;
    struct quorum_link_view link;
    quorum_links_view(to->server->membership.links, v->link, &link);
    int64_t age_ms = (loop_now_ns(&to->server->loop) - link.since_ns) / NS_PER_MS;
    char address[LISTEN_ADDRESS_BYTES + 10] = "";
    bool ipv6 = strchr(link.address, ':') != NULL;
    if (link.address[0] != 0)
        snprintf(address, sizeof address, ipv6 ? "[%s]:%d" : "%s:%d", link.address, link.port);
    struct server_learner l = {
        .sid = v->sid,
        .observer = v->observer,
        .synced = v->synced,
        .address = slice_str(address),
        .established_wall_ms = link.since_ns > 0 ? loop_wall_ms(&to->server->loop) - age_ms : 0,
        .queued_bytes = link.unsent,
        .packets_received = v->requests_received,
        .packets_sent = v->proposals_sent,
        .requests = v->requests_received,
        .last_zxid = v->acked,
    };
    to->visit(to->arg, &l);
}

void membership_each_learner(void *driver, server_learner_visit *visit, void *arg)
{
    struct server *s = driver;
    struct learner_visit to = {s, visit, arg};
    if (s->membership.links != NULL)
        zab_each_learner(node_zab(s->node), show_learner, &to);
}
