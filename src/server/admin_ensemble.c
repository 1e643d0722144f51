#include "server/admin_ensemble.h"

#include <inttypes.h>
#include <stdio.h>

#include "server/standing.h"
#include "wire/zxid.h"

static void put_text(struct json *j, const char *key, const char *value)
{
    json_text(j, key, slice_str(value));
}

/* "host:port", the host of an IPv6 address in brackets. */
static void put_address(struct json *j, const char *key, const char *host, int port)
{
    struct buf text = {0};
    bool ipv6 = strchr(host, ':') != NULL;
    buf_printf(&text, "%s%s%s:%d", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);
    json_text(j, key, buf_slice(&text));
    buf_deinit(&text);
}

/* --- leader --- */

static void put_leader_host(const struct server_ensemble *e, struct json *j)
{
    const struct quorum_server *leader = e->config ? quorum_find(e->config, e->leader) : NULL;
    struct buf hosts = {0};
    for (size_t i = 0; leader != NULL && i < leader->address_count; i++)
        buf_printf(&hosts, "%s%s", i > 0 ? "|" : "", leader->addresses[i].host);
    json_text(j, "leader_ip", buf_slice(&hosts));
    buf_deinit(&hosts);
}

const char *admin_run_leader(const struct admin_call *call, struct json *j)
{
    struct server_ensemble e;
    standing_read(call->info, &e);
    if (!standing_in_quorum(&e))
        return "server is not initialized";
    json_bool(j, "is_leader", e.role == NODE_LEADING);
    json_integer(j, "leader_id", e.leader);
    put_leader_host(&e, j);
    return NULL;
}

/* --- observers --- */

static void put_observer(void *arg, const struct server_learner *l)
{
    struct json *j = arg;
    if (!l->observer)
        return;
    struct buf address = {0};
    buf_printf(&address, "/%.*s", (int)l->address.len, (const char *)l->address.ptr);
    json_object_open(j, NULL);
    json_text(j, "remote_socket_address", buf_slice(&address));
    json_integer(j, "sid", l->sid);
    json_integer(j, "established", l->established_wall_ms);
    json_integer(j, "queued_packets", (int64_t)l->queued_packets);
    json_integer(j, "queued_packets_size", (int64_t)l->queued_bytes);
    json_integer(j, "packets_received", (int64_t)l->packets_received);
    json_integer(j, "packets_sent", (int64_t)l->packets_sent);
    json_integer(j, "requests", (int64_t)l->requests);
    json_integer(j, "last_zxid", l->last_zxid);
    json_object_close(j);
    buf_deinit(&address);
}

const char *admin_run_observers(const struct admin_call *call, struct json *j)
{
    const struct server_info *info = call->info;
    struct server_ensemble e;
    standing_read(info, &e);
    bool serves = standing_leads(&e) || standing_serves_observers(&e);
    json_integer(j, "synced_observers", serves ? (int64_t)e.synced_observers : 0);
    json_array_open(j, "observers");
    if (serves && info->each_learner != NULL)
        info->each_learner(info->driver, put_observer, j);
    json_array_close(j);
    return NULL;
}

/* --- voting_view --- */

static void put_addresses(struct json *j, const char *key, const struct quorum_server *s,
                          bool election)
{
    json_array_open(j, key);
    for (size_t i = 0; i < s->address_count; i++) {
        const struct quorum_address *a = &s->addresses[i];
        put_address(j, NULL, a->host, election ? a->election_port : a->quorum_port);
    }
    json_array_close(j);
}

static void put_voter(struct json *j, const struct quorum_server *s)
{
    char sid[24];
    snprintf(sid, sizeof sid, "%" PRId64, s->sid);
    json_object_open(j, sid);
    put_addresses(j, "server_addresses", s, false);
    put_addresses(j, "election_addresses", s, true);
    if (s->client_port < 0)
        put_text(j, "client_address", "");
    else
        put_address(j, "client_address", s->client_host != NULL ? s->client_host : "0.0.0.0",
                    s->client_port);
    put_text(j, "learner_type", "participant");
    json_object_close(j);
}

const char *admin_run_voting_view(const struct admin_call *call, struct json *j)
{
    struct server_ensemble e;
    standing_read(call->info, &e);
    json_object_open(j, "current_config");
    const struct quorum *config = standing_in_quorum(&e) ? e.config : NULL;
    for (size_t i = 0; config != NULL && i < config->server_count; i++) {
        if (!config->servers[i].observer)
            put_voter(j, &config->servers[i]);
    }
    json_object_close(j);
    return NULL;
}

/* --- zabstate --- */

/* What Jackson makes of a MultipleAddresses. Which of them can be reached is not tried out: a
 * command may not wait for the network. */
static void put_multiple(struct json *j, const char *key, const struct quorum_server *s,
                         bool election)
{
    json_object_open(j, key);
    json_bool(j, "empty", s->address_count == 0);
    put_addresses(j, "all_addresses", s, election);
    json_array_open(j, "wildcard_addresses");
    for (size_t i = 0; i < s->address_count; i++)
        put_address(j, NULL, "0.0.0.0",
                    election ? s->addresses[i].election_port : s->addresses[i].quorum_port);
    json_array_close(j);
    json_array_open(j, "all_ports");
    for (size_t i = 0; i < s->address_count; i++)
        json_integer(j, NULL,
                     election ? s->addresses[i].election_port : s->addresses[i].quorum_port);
    json_array_close(j);
    json_array_open(j, "all_host_strings");
    for (size_t i = 0; i < s->address_count; i++)
        put_text(j, NULL, s->addresses[i].host);
    json_array_close(j);

    const struct quorum_address *one = &s->addresses[0];
    int port = election ? one->election_port : one->quorum_port;
    put_address(j, "reachable_address", one->host, port);
    put_addresses(j, "all_reachable_addresses", s, election);
    put_addresses(j, "all_reachable_addresses_or_all", s, election);
    put_address(j, "reachable_or_one", one->host, port);
    put_address(j, "one", one->host, port);
    json_object_close(j);
}

static void put_own_addresses(const struct server_info *info, const struct server_ensemble *e,
                              struct json *j)
{
    const struct quorum_server *self = e->self;
    if (self == NULL || self->address_count == 0) {
        json_null(j, "quorum_address");
        json_null(j, "election_address");
        json_null(j, "client_address");
        return;
    }
    put_multiple(j, "quorum_address", self, false);
    put_multiple(j, "election_address", self, true);
    const char *host = info->conf.client_address;
    bool in_line = self->client_port >= 0;
    if (in_line)
        host = self->client_host;
    put_address(j, "client_address", host != NULL && host[0] != 0 ? host : "0.0.0.0",
                in_line ? self->client_port : info->conf.client_port);
}

const char *admin_run_zabstate(const struct admin_call *call, struct json *j)
{
    const struct server_info *info = call->info;
    struct server_ensemble e;
    standing_read(info, &e);
    if (!standing_in_quorum(&e)) {
        json_bool(j, "voting", false);
        put_text(j, "zabstate", "");
        return NULL;
    }
    int64_t zxid = tree_last_zxid(node_tree(info->node));
    char hex[24];
    snprintf(hex, sizeof hex, "0x%" PRIx64, (uint64_t)zxid);
    json_integer(j, "myid", info->conf.server_id);
    json_bool(j, "is_leader", e.role == NODE_LEADING);
    put_own_addresses(info, &e, j);
    json_bool(j, "voting", e.config != NULL && quorum_is_voter(e.config, e.sid));
    put_text(j, "last_zxid", hex);
    json_integer(j, "zab_epoch", zxid_epoch(zxid));
    json_integer(j, "zab_counter", zxid_counter(zxid));
    put_text(j, "zabstate", e.phase != NULL ? e.phase : "");
    return NULL;
}
