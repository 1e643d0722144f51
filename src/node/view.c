/* view.c: looking at a node from outside: commands and metrics. */
#include "node/node_internal.h"

const struct tree *node_tree(const struct node *n)
{
    return n->tree;
}

struct session_table *node_sessions(const struct node *n)
{
    return n->sessions;
}

const struct watch_table *node_watches(const struct node *n)
{
    return n->watches;
}

struct node_metrics *node_metrics(struct node *n)
{
    return &n->metrics;
}

uint64_t node_outstanding(const struct node *n)
{
    return n->inflight;
}

bool node_snapshot_active(const struct node *n)
{
    return n->snapshot_active;
}

const struct session_table *node_local_sessions(const struct node *n)
{
    return n->local_sessions;
}

enum node_role node_role(const struct node *n)
{
    return n->ensemble == NULL ? NODE_ALONE : n->ensemble->role;
}

bool node_serving(const struct node *n)
{
    return node_serves(n);
}

bool node_read_only(const struct node *n)
{
    return n->ensemble != NULL && n->ensemble->read_only;
}

/* A leader is gone when its followers know: not before its role is over. */
bool node_stopped(const struct node *n)
{
    if (!n->stopping)
        return false;
    const struct ensemble *e = n->ensemble;
    if (e != NULL && e->role == NODE_LEADING && !e->left)
        return false;
    return e != NULL && !e->serving ? true : n->inflight == 0 && !commit_is_behind(n);
}

const struct zab *node_zab(const struct node *n)
{
    return n->ensemble == NULL ? NULL : n->ensemble->zab;
}

const struct fle *node_fle(const struct node *n)
{
    return n->ensemble == NULL ? NULL : n->ensemble->fle;
}

size_t node_client_count(const struct node *n)
{
    return n->client_count;
}

void node_reset_stats(struct node *n)
{
    node_metrics_reset(&n->metrics);
}

void node_tell_changes(struct node *n, bool on)
{
    n->tells_changes = on;
}

static struct node_client_view view_of(const struct client *c)
{
    const struct client_stats *s = &c->stats;
    return (struct node_client_view){
        .client = c->id,
        .address = c->identities[0].id,
        .secure = c->secure,
        .session_id = c->session != NULL ? c->session->id : 0,
        .timeout_ms = c->timeout_ms,
        .opened_wall_ms = c->opened_wall_ms,
        .received = s->received,
        .sent = s->sent,
        .outstanding = c->outstanding,
        .last_op = s->last_op,
        .last_cxid = s->last_cxid,
        .last_zxid = s->last_zxid,
        .last_response_ms = s->last_response_ms,
        .last_latency_ms = s->last_latency_ms,
        .latency_min_ms = s->latency_min_ms,
        .latency_max_ms = s->latency_max_ms,
        .latency_total_ms = s->latency_total_ms,
        .latency_count = s->latency_count,
        .who = client_identities(c),
    };
}

void node_each_client(const struct node *n, node_client_visit *visit, void *arg)
{
    for (struct list *at = n->clients_in_order.next; at != &n->clients_in_order; at = at->next) {
        struct node_client_view view = view_of(list_entry(at, struct client, order));
        visit(arg, &view);
    }
}

bool node_client(const struct node *n, uint64_t client, struct node_client_view *ret)
{
    const struct client *c = client_find(n, client);
    if (c == NULL)
        return false;
    *ret = view_of(c);
    return true;
}

void node_reset_client_stats(struct node *n)
{
    for (struct list *at = n->clients_in_order.next; at != &n->clients_in_order; at = at->next) {
        struct client *c = list_entry(at, struct client, order);
        /* ServerCnxn.resetStats: -1 = none since then. */
        c->stats = (struct client_stats){.last_op = "NA", .last_cxid = -1, .last_zxid = -1};
    }
}

int32_t node_check_acl(const struct node *n, struct slice path, int32_t perm, struct identities who)
{
    const struct znode *z = tree_find(n->tree, path);
    if (z == NULL)
        return ZK_NONODE;
    return tree_acl_check(n->tree, z->acl_id, perm, who, n->options.skip_acl);
}
