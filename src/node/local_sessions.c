/* local_sessions.c: sessions that only this server knows (LocalSessionTracker,
 * UpgradeableSessionTracker, QuorumZooKeeperServer.checkUpgradeSession). They cost no transaction
 * and own no ephemerals; for the first of those they become global. They live as long as the
 * server's role. */
#include "base/assert.h"
#include "node/effects_internal.h"
#include "node/node_internal.h"

void local_session_open(struct node *n, struct client *c, struct effects *fx)
{
    struct session *s =
        session_add(n->local_sessions, session_fresh_id(n), c->timeout_ms, node_now_ms(n));
    s->local = true;
    session_attach(c, s);
    fx_trace(fx, (struct trace_effect){.type = TRACE_SESSION_CREATED,
                                       .session_id = s->id,
                                       .client = c->id,
                                       .value = s->timeout_ms});
    connect_established(n, c, fx);
}

void local_session_close(struct node *n, struct client *c, int32_t xid, struct effects *fx)
{
    reply_header(n, c, xid, tree_last_zxid(n->tree), 0, fx);
    if (c->session != NULL && c->session->local) {
        fx_trace(fx, (struct trace_effect){.type = TRACE_SESSION_CLOSED,
                                           .session_id = c->session_id,
                                           .client = c->id});
        c->session = NULL;
        session_remove(n->local_sessions, c->session_id);
    }
    client_close(c, "", fx);
}

void local_sessions_expire(struct node *n, struct effects *fx)
{
    struct session *s;
    while ((s = session_next_expired(n->local_sessions, node_now_ms(n))) != NULL) {
        metric_inc(&n->metrics, METRIC_STALE_SESSIONS_EXPIRED);
        fx_trace(fx, (struct trace_effect){.type = TRACE_SESSION_EXPIRED,
                                           .session_id = s->id,
                                           .zxid = tree_last_zxid(n->tree),
                                           .client = s->owner});
        if (s->owner != 0)
            session_detach_owner(n, s, "session is over", fx);
        session_remove(n->local_sessions, s->id);
    }
}

/* The connection goes over to the global session of the same id. */
static struct session *move_to_global(struct node *n, struct session *local)
{
    struct session *global = session_add(n->sessions, local->id, local->timeout_ms, node_now_ms(n));
    struct client *c = client_find(n, local->owner);
    if (c != NULL)
        session_attach(c, global);
    session_remove(n->local_sessions, local->id);
    return global;
}

void local_session_upgrade(struct node *n, struct client *c, struct effects *fx)
{
    struct ensemble *e = n->ensemble;
    struct session *s = move_to_global(n, c->session);
    s->owner_sid = (int16_t)n->options.server_id;
    fx_trace(fx, (struct trace_effect){
                     .type = TRACE_SESSION_UPGRADED, .session_id = s->id, .client = c->id});
    if (e->role == NODE_LEADING) {
        struct proposal_request req = {
            .session_id = s->id, .op = ZK_OP_CREATE_SESSION, .timeout_ms = s->timeout_ms};
        int64_t zxid;
        propose(n, &req, fx, &zxid);
        return;
    }
    /* Nobody waits for it: what is written next comes behind it anyway. */
    uint8_t timeout[4];
    store_be32(timeout, (uint32_t)s->timeout_ms);
    e->dirty = true;
    zab_forward(e->zab, &(struct zab_request){.session_id = s->id,
                                              .op = ZK_OP_CREATE_SESSION,
                                              .record = slice_of(timeout, sizeof timeout)});
}

/* Upgraded by another server to which it had moved. */
void local_session_committed(struct node *n, struct session *global, struct effects *fx)
{
    (void)fx;
    struct session *local = session_find(n->local_sessions, global->id);
    if (local != NULL)
        move_to_global(n, local);
}

/* ---- what needs a global session ---- */

static bool is_ephemeral(int32_t flags)
{
    return flags == ZK_CREATE_EPHEMERAL || flags == ZK_CREATE_EPHEMERAL_SEQUENTIAL;
}

static bool multi_creates_ephemeral(struct slice record)
{
    struct dec d = dec_of(record);
    struct rec_multi_header head;
    while (rec_get_multi_header(&d, &head) && !head.done) {
        struct rec_create_request create;
        bool whole;
        switch (head.type) {
        case ZK_OP_CREATE:
        case ZK_OP_CREATE2:
        case ZK_OP_CREATE_CONTAINER:
            whole = rec_get_create_request(&d, &create);
            if (whole && head.type != ZK_OP_CREATE_CONTAINER && is_ephemeral(create.flags))
                return true;
            break;
        case ZK_OP_CREATE_TTL:
            whole = rec_get_create_ttl_request(&d, &(struct rec_create_ttl_request){0});
            break;
        case ZK_OP_DELETE:
            whole = rec_get_delete_request(&d, &(struct rec_delete_request){0});
            break;
        case ZK_OP_SET_DATA:
            whole = rec_get_set_data_request(&d, &(struct rec_set_data_request){0});
            break;
        case ZK_OP_CHECK:
            whole = rec_get_check_version_request(&d, &(struct rec_check_version_request){0});
            break;
        default:
            return false;
        }
        if (!whole)
            return false;
    }
    return false;
}

bool request_creates_ephemeral(int32_t op, struct slice record)
{
    if (op == ZK_OP_MULTI)
        return multi_creates_ephemeral(record);
    if (op != ZK_OP_CREATE && op != ZK_OP_CREATE2)
        return false;
    struct dec d = dec_of(record);
    struct rec_create_request create;
    return rec_get_create_request(&d, &create) && is_ephemeral(create.flags);
}
