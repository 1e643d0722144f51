#include "server/standing.h"

#include <inttypes.h>

void standing_read(const struct server_info *info, struct server_ensemble *ret)
{
    *ret = (struct server_ensemble){.role = NODE_ALONE, .leader = -1};
    if (info->ensemble != NULL)
        info->ensemble(info->driver, ret);
    else
        ret->serving = info->node != NULL;
}

bool standing_serves(const struct server_info *info)
{
    if (info->ensemble == NULL)
        return info->node != NULL;
    struct server_ensemble e;
    standing_read(info, &e);
    return e.serving;
}

const char *standing_not_ready(const struct server_info *info)
{
    struct server_ensemble e;
    standing_read(info, &e);
    if (info->node == NULL || (e.role == NODE_ALONE && !e.serving))
        return "not serving";
    if (!e.serving)
        return e.role == NODE_LOOKING ? "no leader is known" : "not in step with the leader yet";
    if (e.read_only)
        return "read-only: no quorum";
    return info->not_ready(info->driver);
}

bool standing_in_quorum(const struct server_ensemble *e)
{
    return e->serving && !e->read_only && e->role != NODE_ALONE;
}

bool standing_serves_observers(const struct server_ensemble *e)
{
    return standing_in_quorum(e) && e->role == NODE_FOLLOWING && e->observer_masters;
}

bool standing_leads(const struct server_ensemble *e)
{
    return standing_in_quorum(e) && e->role == NODE_LEADING;
}

const char *standing_mode(const struct server_ensemble *e)
{
    if (e->role == NODE_ALONE)
        return "standalone";
    if (e->serving && e->read_only)
        return "read-only";
    if (standing_leads(e))
        return "leader";
    if (e->serving && e->role == NODE_FOLLOWING)
        return "follower";
    if (e->serving && e->role == NODE_OBSERVING)
        return "observer";
    return "leaderelection";
}

void standing_peer_state(const struct server_ensemble *e, struct buf *out)
{
    static const char *const roles[] = {
        [NODE_ALONE] = "looking",       [NODE_LOOKING] = "looking",     [NODE_LEADING] = "leading",
        [NODE_FOLLOWING] = "following", [NODE_OBSERVING] = "observing",
    };
    buf_printf(out, "%s", roles[e->role]);
    if (e->phase != NULL && strcmp(e->phase, "election") != 0)
        buf_printf(out, " - %s", e->phase);
    if (e->sync_mode != NULL)
        buf_printf(out, " - %s", e->sync_mode);
}

/* A server may have several addresses, each with ports of its own. */
static void put_ports(const struct quorum_server *self, bool election, struct buf *out)
{
    for (size_t i = 0; self != NULL && i < self->address_count; i++) {
        const struct quorum_address *a = &self->addresses[i];
        buf_printf(out, "%s%d", i > 0 ? "|" : "", election ? a->election_port : a->quorum_port);
    }
}

void standing_conf(const struct server_ensemble *e, struct buf *out)
{
    if (e->role == NODE_ALONE)
        return;
    buf_printf(out, "initLimit=%d\nsyncLimit=%d\nelectionAlg=3\nelectionPort=", e->init_limit,
               e->sync_limit);
    put_ports(e->self, true, out);
    buf_printf(out, "\nquorumPort=");
    put_ports(e->self, false, out);
    buf_printf(out, "\npeerType=%d\n", e->observer ? 1 : 0);
    if (e->read_only)
        return;
    buf_printf(out, "membership: \n");
    if (e->config != NULL)
        quorum_format(e->config, out);
}
