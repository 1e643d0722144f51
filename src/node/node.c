/* node.c: birth, death and the one function that drives a replica. */
#include "node/node.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/effects_internal.h"
#include "node/node_internal.h"

/* Ephemerals whose session is not in the table belong to nobody who could end them. */
struct orphans {
    struct node *n;
    int64_t *ids;
    size_t count, cap;
};

static void note_orphan(void *arg, int64_t session_id)
{
    struct orphans *o = arg;
    if (session_find(o->n->sessions, session_id) != NULL)
        return;
    if (o->count == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 16;
        o->ids = mem_realloc(o->ids, o->cap * sizeof *o->ids);
    }
    o->ids[o->count++] = session_id;
}

static void remove_orphans(struct node *n)
{
    struct orphans o = {.n = n};
    tree_ephemeral_sessions(n->tree, note_orphan, &o);
    for (size_t i = 0; i < o.count; i++)
        tree_kill_session(n->tree, o.ids[i], tree_last_zxid(n->tree), &n->tree_fx);
    free(o.ids);
}

/* The state as recovery, an uploaded snapshot or a leader hands it over. */
static void take(struct node *n, struct tree *tree, const struct snapshot_session *sessions,
                 size_t session_count)
{
    n->tree = tree;
    n->sessions = session_table_create(node_expiry_grain_ms(n), n->options.seed);
    for (size_t i = 0; i < session_count; i++) {
        struct session *s =
            session_add(n->sessions, sessions[i].id, sessions[i].timeout_ms, node_now_ms(n));
        s->committed = true;
    }
    /* In an ensemble nobody changes his tree for himself: the next leader sees to it. */
    if (n->options.ensemble == NULL)
        remove_orphans(n);
    struct prep_options prep = {
        .skip_acl = n->options.skip_acl,
        .enforce_quota = n->options.enforce_quota,
        .close_session_txn_enabled = n->options.close_session_txn,
        .close_list_bytes_max = n->options.frame_bytes_max,
        .reconfig_enabled = n->options.reconfig_enabled,
        .no_digest_auth = !n->options.digest_auth_enabled,
        .schemes = (n->options.x509 ? ACL_SCHEME_X509 : 0U) |
                   (n->options.sasl != NULL ? ACL_SCHEME_SASL : 0U),
    };
    n->prep = prep_create(tree, &prep, n->options.seed);
    n->last_proposed_zxid = n->committed_zxid = tree_last_zxid(tree);
}

static void drop_state(struct node *n)
{
    prep_free(n->prep);
    session_table_free(n->sessions);
    tree_free(n->tree);
}

struct node *node_create(const struct node_options *options, struct tree *tree,
                         const struct snapshot_session *sessions, size_t session_count,
                         int64_t now_ns)
{
    struct node *n = mem_calloc(1, sizeof *n);
    n->options = *options;
    n->now_ns = now_ns;
    n->prng = options->seed | 1;
    map_init(&n->clients, options->seed);
    slab_init(&n->client_slab);
    list_init(&n->clients_in_order);
    list_init(&n->held);
    n->watches = watch_create(options->seed);
    take(n, tree, sessions, session_count);
    snapshot_plan(n);
    if (options->ensemble != NULL)
        n->ensemble = ensemble_create(n, options->ensemble);
    return n;
}

void node_free(struct node *n)
{
    if (n == NULL)
        return;
    while (!list_is_empty(&n->clients_in_order)) {
        struct client *c = list_entry(n->clients_in_order.next, struct client, order);
        client_forget(n, c);
    }
    ensemble_free(n->ensemble);
    map_deinit(&n->clients);
    slab_deinit(&n->client_slab);
    watch_free(n->watches);
    drop_state(n);
    session_table_free(n->local_sessions);
    free(n->proposals);
    buf_deinit(&n->proposal_bytes);
    buf_deinit(&n->reap_paths);
    tree_effects_deinit(&n->tree_fx);
    node_metrics_deinit(&n->metrics);
    free(n);
}

void node_adopt(struct node *n, struct tree *tree, const struct snapshot_session *sessions,
                size_t session_count)
{
    snapshot_give_up(n, n->fx);
    proposals_drop_all(n);
    drop_state(n);
    take(n, tree, sessions, session_count);
}

/* Another tree takes the place of ours (admin restore). Every connection is closed: watches and
 * reads of the old state have no meaning in the new one, and clients come back by themselves. */
static void on_replace_state(struct node *n, const struct node_event *ev, struct effects *fx)
{
    if (n->ensemble != NULL) {
        tree_free(ev->replace.tree); /* a member's state is its leader's */
        return;
    }
    for (struct list *at = n->clients_in_order.next; at != &n->clients_in_order; at = at->next) {
        struct client *c = list_entry(at, struct client, order);
        c->session = NULL;
        client_close(c, "state was restored from a snapshot", fx);
    }
    node_adopt(n, ev->replace.tree, ev->replace.sessions, ev->replace.session_count);
    fx_trace(fx,
             (struct trace_effect){.type = TRACE_STATE_REPLACED, .zxid = tree_last_zxid(n->tree)});
}

static void on_disk_full(struct node *n, bool full, struct effects *fx)
{
    if (n->disk_full == full)
        return;
    n->disk_full = full;
    fx_trace(fx, (struct trace_effect){.type = full ? TRACE_WRITES_REFUSED : TRACE_WRITES_ACCEPTED,
                                       .zxid = tree_last_zxid(n->tree)});
}

void node_step(struct node *n, const struct node_event *ev, struct effects *fx)
{
    n->now_ns = ev->now_ns;
    n->wall_ms = ev->wall_ms;
    n->fx = fx;
    switch (ev->type) {
    case NODE_TICK:
        break;
    case NODE_CLIENT_OPEN:
        on_client_open(n, ev);
        break;
    case NODE_CLIENT_FRAME:
        on_client_frame(n, ev, fx);
        break;
    case NODE_CLIENT_CLOSED:
        on_client_closed(n, ev->client, fx);
        break;
    case NODE_DURABLE:
        invariant(ev->ticket <= n->last_ticket);
        if (n->ensemble != NULL)
            proposals_durable(n, n->durable_ticket, ev->ticket);
        if (ev->ticket > n->durable_ticket)
            n->durable_ticket = ev->ticket;
        if (n->ensemble != NULL)
            on_ensemble_event(n, ev);
        break;
    case NODE_DISK_FAILED:
        n->disk_failed = true;
        break;
    case NODE_DISK_FULL:
        on_disk_full(n, ev->disk_full, fx);
        break;
    case NODE_SNAPSHOT_REQUEST:
        on_snapshot_request(n, fx);
        break;
    case NODE_SNAPSHOT_PULL:
        on_snapshot_pull(n, ev->bytes_max, fx);
        break;
    case NODE_SNAPSHOT_DONE:
        on_snapshot_done(n, ev, fx);
        break;
    case NODE_REPLACE_STATE:
        on_replace_state(n, ev, fx);
        break;
    case NODE_STOP:
        n->stopping = true;
        if (n->ensemble != NULL)
            ensemble_stop(n);
        break;
    case NODE_START:
    case NODE_ELECTION_CHANNEL:
    case NODE_ELECTION_MESSAGE:
    case NODE_LINK_OPEN:
    case NODE_LINK_BYTES:
    case NODE_LINK_CLOSED:
    case NODE_LINK_ROOM:
    case NODE_LOG_READ:
    case NODE_TRUNCATED:
    case NODE_INSTALLED:
    case NODE_ORACLE:
        if (n->ensemble != NULL) /* a server that stands alone has no peers */
            on_ensemble_event(n, ev);
        break;
    }
    commit_ready(n, fx);
    if (!list_is_empty(&n->held))
        throttler_run(n, fx);
    run_timers(n, fx);
    if (n->ensemble != NULL)
        ensemble_run(n);
    fx->deadline_ns = next_deadline_ns(n);
}
