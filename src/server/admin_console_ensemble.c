/* admin_console_ensemble.c: the servers of the ensemble as this one knows them. */
#include <inttypes.h>

#include "server/admin_console.h"
#include "server/neighbours.h"
#include "server/standing.h"
#include "wire/zxid.h"

struct learners {
    struct server_learner items[QUORUM_SID_MAX + 1];
    size_t count;
};

static void add_learner(void *arg, const struct server_learner *l)
{
    struct learners *all = arg;
    if (all->count <= QUORUM_SID_MAX)
        all->items[all->count++] = *l;
}

static const struct server_learner *find_learner(const struct learners *all, int64_t sid)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].sid == sid)
            return &all->items[i];
    }
    return NULL;
}

static void put_address(struct json_out *j, const char *name, const char *host, int port)
{
    struct buf text = {0};
    bool ipv6 = strchr(host, ':') != NULL;
    buf_printf(&text, "%s%s%s:%d", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);
    json_out_text(j, name, buf_slice(&text));
    buf_deinit(&text);
}

static void put_place(struct json_out *j, const struct server_info *info,
                      const struct server_ensemble *e, const struct quorum_server *s)
{
    const char *host;
    int port;
    json_out_flag(j, "voter", e->config == NULL || quorum_is_voter(e->config, s->sid));
    if (s->address_count > 0)
        put_address(j, "address", s->addresses[0].host, s->addresses[0].quorum_port);
    if (neighbour_address(e->config, s, info->conf.client_port, &host, &port))
        put_address(j, "client", host, port);
}

/* ---- This server ---- */

static void put_own(struct json_out *j, const struct server_info *info,
                    const struct server_ensemble *e)
{
    const struct node_metrics *m = node_metrics(info->node);
    json_out_string(j, "known", "self");
    json_out_string(j, "mode", standing_mode(e));
    json_out_string(j, "version", SERVER_ZOOKEEPER_VERSION "-caucus" CAUCUS_VERSION);
    console_hex(j, "zxid", tree_last_zxid(node_tree(info->node)));
    json_out_unsigned(j, "connections", info->connection_count(info->driver));
    json_out_unsigned(j, "outstanding", node_outstanding(info->node));
    json_out_unsigned(j, "znodes", tree_node_count(node_tree(info->node)) + 1);
    json_out_unsigned(j, "latency_min_ms", m->latency.min);
    json_out_unsigned(j, "latency_mean_us",
                      m->latency.count > 0 ? m->latency.sum * 1000 / m->latency.count : 0);
    json_out_unsigned(j, "latency_max_ms", m->latency.max);
}

/* ---- Another one ---- */

static void put_count(struct json_out *j, const char *name, int64_t count)
{
    if (count >= 0)
        json_out_number(j, name, count);
}

static void put_asked(struct json_out *j, const struct server_info *info, const struct neighbour *n)
{
    const struct srvr *s = &n->said;
    json_out_string(j, "known", "asked");
    json_out_number(j, "age_ms", info->now_ms(info->driver) - n->told_ms);
    json_out_string(j, "mode", s->mode);
    json_out_string(j, "version", s->version);
    if (s->zxid >= 0)
        console_hex(j, "zxid", s->zxid);
    /* Without the one on which it was asked. */
    put_count(j, "connections", s->connections > 0 ? s->connections - 1 : s->connections);
    put_count(j, "outstanding", s->outstanding);
    put_count(j, "znodes", s->znodes);
    put_count(j, "latency_min_ms", s->latency_min_ms);
    put_count(j, "latency_mean_us", s->latency_mean_us);
    put_count(j, "latency_max_ms", s->latency_max_ms);
}

/* What the servers know of each other without asking. */
static void put_unasked(struct json_out *j, const struct server_ensemble *e, int64_t sid,
                        const struct server_learner *l, const char *why)
{
    bool leads = standing_in_quorum(e) && e->leader == sid;
    json_out_string(j, "known", leads || l != NULL ? "quorum" : "no");
    json_out_string(j, "why", why);
    if (leads)
        json_out_string(j, "mode", "leader");
    else if (l != NULL)
        json_out_string(j, "mode", l->observer ? "observer" : "follower");
}

static void put_learner(struct json_out *j, const struct server_learner *l)
{
    json_out_flag(j, "synced", l->synced);
    if (l->last_zxid >= 0)
        console_hex(j, "acked", l->last_zxid);
    json_out_unsigned(j, "queued_bytes", l->queued_bytes);
}

static void put_server(struct json_out *j, const struct server_info *info,
                       const struct server_ensemble *e, const struct quorum_server *s,
                       const struct learners *learners)
{
    json_out_object(j, NULL);
    json_out_number(j, "sid", s->sid);
    json_out_flag(j, "self", s->sid == e->sid);
    put_place(j, info, e, s);
    const struct server_learner *l = find_learner(learners, s->sid);
    const struct neighbour *n =
        s->sid != e->sid && info->neighbour != NULL ? info->neighbour(info->driver, s->sid) : NULL;
    if (s->sid == e->sid)
        put_own(j, info, e);
    else if (n != NULL && n->why == NULL)
        put_asked(j, info, n);
    else
        put_unasked(j, e, s->sid, l, n != NULL ? n->why : "not asked yet");
    if (l != NULL)
        put_learner(j, l);
    json_out_object_end(j);
}

static void put_servers(struct json_out *j, const struct server_info *info,
                        const struct server_ensemble *e)
{
    struct learners learners = {.count = 0};
    if (standing_leads(e) && info->each_learner != NULL)
        info->each_learner(info->driver, add_learner, &learners);
    json_out_list(j, "servers");
    bool listed = false;
    for (size_t i = 0; e->config != NULL && i < e->config->server_count; i++) {
        put_server(j, info, e, &e->config->servers[i], &learners);
        listed = listed || e->config->servers[i].sid == e->sid;
    }
    if (!listed) { /* alone, or not in the configuration any more */
        json_out_object(j, NULL);
        json_out_number(j, "sid", e->role == NODE_ALONE ? info->conf.server_id : e->sid);
        json_out_flag(j, "self", true);
        put_own(j, info, e);
        json_out_object_end(j);
    }
    json_out_list_end(j);
}

/* ---- The whole ---- */

static void put_state(struct json_out *j, const struct server_info *info,
                      const struct server_ensemble *e)
{
    struct buf state = {0};
    standing_peer_state(e, &state);
    const char *not_ready = standing_not_ready(info);
    json_out_number(j, "self", e->role == NODE_ALONE ? info->conf.server_id : e->sid);
    json_out_flag(j, "alone", e->role == NODE_ALONE);
    json_out_string(j, "mode", standing_mode(e));
    json_out_text(j, "state", e->role == NODE_ALONE ? slice_str("serving") : buf_slice(&state));
    if (not_ready != NULL)
        json_out_string(j, "not_ready", not_ready);
    json_out_number(j, "leader", standing_in_quorum(e) ? e->leader : -1);
    json_out_number(j, "synced_followers", (int64_t)e->synced_followers);
    json_out_number(j, "uptime_ms", info->now_ms(info->driver) - info->started_ms);
    buf_deinit(&state);
}

void console_put_ensemble(const struct server_info *info, struct buf *out)
{
    struct json_out j;
    json_out_begin(&j, out);
    json_out_number(&j, "wall_ms", info->wall_ms(info->driver));
    if (info->node != NULL) {
        struct server_ensemble e;
        standing_read(info, &e);
        const struct tree *t = node_tree(info->node);
        put_state(&j, info, &e);
        json_out_flag(&j, "writes", info->conf.console_writes);
        json_out_flag(&j, "anyone", info->conf.anyone_may_read);
        console_hex(&j, "zxid", tree_last_zxid(t));
        json_out_number(&j, "epoch", zxid_epoch(tree_last_zxid(t)));
        json_out_unsigned(&j, "znodes", tree_node_count(t) + 1);
        json_out_unsigned(&j, "ephemerals", tree_ephemeral_count(t));
        json_out_unsigned(&j, "data_bytes", tree_approximate_data_bytes(t));
        json_out_unsigned(&j, "sessions", session_count(node_sessions(info->node)));
        json_out_unsigned(&j, "watches", watch_count(node_watches(info->node)));
        json_out_flag(&j, "election", tree_find(t, slice_str("/Election")) != NULL);
        put_servers(&j, info, &e);
    }
    json_out_end(&j);
}
