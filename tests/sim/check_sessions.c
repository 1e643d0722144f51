/* check_sessions.c: a session lives as long as it is heard of. (That its ephemerals go with it, and
 * not before, the model knows.)
 *
 * What a leader may not know yet is not held against it: a server tells it every half tick whom it
 * has heard of. While anything is disturbed, that may not arrive. */
#include "world.h"

static const int64_t NS_PER_MS = 1000000;

/* Whom it tells. A leader that was replaced and does not know it yet may hear of a session, or end
 * it: neither is anything to the one that came after it. */
static int leader_of(const struct server *v)
{
    const struct zab *z = node_zab(v->node);
    return z == NULL || v->role == NODE_LEADING ? v->index : (int)zab_leader(z) - 1;
}

void check_heard(struct world *w, struct server *v, uint64_t connection, int client)
{
    struct sim_client *c = &w->clients[client];
    struct node_client_view view;
    if (w->profile.throttle_requests_max > 0)
        return; /* a request that waits for room has not been heard, as in ZooKeeper */
    if (!c->ready || !v->serving || !node_client(v->node, connection, &view) ||
        view.session_id != c->session_id)
        return;
    c->heard_ns[c->heard_count % HEARD_MAX] = w->now_ns;
    c->heard_by[c->heard_count % HEARD_MAX] = v->index;
    c->heard_for[c->heard_count % HEARD_MAX] = leader_of(v);
    c->heard_count++;
}

static int64_t report_ns(const struct world *w)
{
    return w->profile.alone ? 0 : (int64_t)w->profile.tick_ms * NS_PER_MS + 500 * NS_PER_MS;
}

/* A leader ends a session because it was not heard of. */
void check_closing(struct world *w, struct server *leader, int64_t session_id)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        const struct sim_client *c = &w->clients[i];
        if (c->session_id != session_id)
            continue;
        int64_t patience_ns = (int64_t)c->timeout_ms_min * NS_PER_MS * 8 / 10;
        if (!w->profile.alone && w->now_ns - leader->established_ns < patience_ns)
            world_violate(w, "server %d ends session %llx %lld ms after it began to lead",
                          leader->index + 1, (unsigned long long)session_id,
                          (long long)((w->now_ns - leader->established_ns) / NS_PER_MS));
        for (size_t k = 0; k < HEARD_MAX && k < c->heard_count; k++) {
            int64_t age_ns = w->now_ns - c->heard_ns[k];
            if (age_ns < patience_ns && age_ns >= report_ns(w) &&
                c->heard_ns[k] > w->disturbed_ns && c->heard_ns[k] > leader->established_ns &&
                w->disturbances == 0 && c->heard_for[k] == leader->index &&
                (c->heard_by[k] == leader->index || net_linked(w, c->heard_by[k], leader->index)))
                world_violate(w, "server %d ends session %llx; server %d heard of it %lld ms ago",
                              leader->index + 1, (unsigned long long)session_id, c->heard_by[k] + 1,
                              (long long)(age_ns / NS_PER_MS));
        }
    }
}

/* A leader that was replaced and does not know it yet has never heard of sessions of later epochs,
 * and a client that has seen no zxid yet cannot be warned by it. So ZooKeeper has it. */
static bool cannot_know(const struct world *w, int server, const struct known_session *s)
{
    const struct node *n = w->servers[server].node;
    return n != NULL && node_zab(n) != NULL &&
           zab_current_epoch(node_zab(n)) < zxid_epoch(s->created_zxid);
}

void check_told_expired(struct world *w, struct sim_client *c)
{
    uint64_t closing;
    const struct known_session *s = model_session(&w->history, c->session_id);
    if (c->session_id == 0)
        world_violate(w, "client %d: a new session is refused as if it had been there", c->index);
    else if (s == NULL)
        world_violate(w, "client %d: had session %llx, which was never committed", c->index,
                      (unsigned long long)c->session_id);
    else if (s->closed_zxid == 0 && !numbers_get(&w->closing, (uint64_t)c->session_id, &closing) &&
             !cannot_know(w, c->server, s))
        world_violate(w, "client %d: is told that session %llx is over; nobody has ended it",
                      c->index, (unsigned long long)c->session_id);
}
