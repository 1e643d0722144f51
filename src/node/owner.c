/* owner.c: the leader's side of learners: what their clients ask for, and whose sessions are whose
 * (LearnerHandler, LeaderZooKeeperServer, LeaderSessionTracker, SessionTrackerImpl). */
#include <stdlib.h>

#include "base/mem.h"
#include "node/effects_internal.h"
#include "node/node_internal.h"

/* ---- whose session ---- */

/* Whoever comes first owns a session that nobody owns; all others hear that it moved. */
static int32_t check_owner(struct session *s, int64_t sid)
{
    if (s->closing)
        return ZK_SESSIONEXPIRED;
    if (s->owner_sid < 0)
        s->owner_sid = (int16_t)sid;
    return s->owner_sid == sid ? 0 : ZK_SESSIONMOVED;
}

static int64_t server_of_session(int64_t session_id)
{
    return (int64_t)((uint64_t)session_id >> 56);
}

/* With local sessions, one that nobody here knows may be another server's. */
void owner_check(struct node *n, int64_t session_id, int64_t sid, int32_t *ret_err,
                 int32_t *ret_global_err)
{
    struct session *global = session_find(n->sessions, session_id);
    *ret_global_err = global != NULL ? check_owner(global, sid) : ZK_SESSIONEXPIRED;
    *ret_err = *ret_global_err;
    if (global != NULL || n->local_sessions == NULL)
        return;
    const struct session *local = session_find(n->local_sessions, session_id);
    if (local != NULL ? !local->closing : server_of_session(session_id) != n->options.server_id)
        *ret_err = 0;
}

static void touch(void *arg, int64_t sid, int64_t session_id, int32_t timeout_ms)
{
    struct node *n = arg;
    (void)sid;
    struct session *s = session_find(n->sessions, session_id);
    if (s != NULL && n->ensemble->role == NODE_FOLLOWING)
        member_heard(n, s); /* of an observer of ours: the leader hears it from us */
    else if (s != NULL && node_proposes(n))
        session_touch(n->sessions, s, timeout_ms, node_now_ms(n));
}

static bool revalidate(void *arg, int64_t sid, int64_t session_id, int32_t timeout_ms)
{
    struct node *n = arg;
    metric_inc(&n->metrics, METRIC_REVALIDATE_COUNT);
    struct session *s = session_find(n->sessions, session_id);
    if (s == NULL || s->closing || !node_proposes(n))
        return false;
    session_touch(n->sessions, s, timeout_ms, node_now_ms(n));
    s->owner_sid = (int16_t)sid;
    return true;
}

/* ---- of observers that we serve ---- */

/* What a connection here left unsaid goes to the leader before the observer's question. */
static void observer_asks(void *arg, int64_t sid, int64_t session_id)
{
    struct node *n = arg;
    (void)sid;
    struct session *s = session_find(n->sessions, session_id);
    if (s != NULL && s->owner != 0)
        session_take(n, s, n->fx);
}

static void observer_has(void *arg, int64_t sid, int64_t session_id)
{
    struct node *n = arg;
    struct session *s = session_find(n->sessions, session_id);
    if (s != NULL)
        s->owner_sid = (int16_t)sid;
}

/* ZooKeeper's follower lets everything pass. */
static bool observer_may_write(void *arg, int64_t sid, int64_t session_id)
{
    struct node *n = arg;
    struct session *s = session_find(n->sessions, session_id);
    return s == NULL || check_owner(s, sid) != ZK_SESSIONMOVED;
}

/* ---- */

/* Its sessions stay its own until somebody revalidates them: if they were anybody's, a request that
 * a client left behind on an older connection could overtake what it asked for since. (In ZooKeeper
 * the owner is then a handler that is gone, which nobody else equals.) */
static void learner_gone(void *arg, int64_t sid)
{
    (void)arg;
    (void)sid;
}

/* ---- what learners forward ---- */

static struct identities asked_by(struct ensemble *e, const struct zab_request *r)
{
    if (r->who_count > e->asker_cap) {
        e->asker_cap = 2 * r->who_count;
        e->asker = mem_realloc(e->asker, e->asker_cap * sizeof *e->asker);
    }
    size_t count = 0;
    for (size_t i = 0; i < r->who_count; i++) {
        if (!slice_is_null(r->who[i].scheme) && !slice_is_null(r->who[i].id))
            e->asker[count++] = (struct identity){r->who[i].scheme, r->who[i].id};
    }
    return (struct identities){e->asker, count};
}

/* The session's id was made by the learner, with its own number in it. */
static void prepare_create_session(struct node *n, int64_t sid, struct proposal_request *req)
{
    struct dec d = dec_of(req->record);
    struct rec_create_session_txn txn;
    if (!rec_get_create_session_txn(&d, &txn)) {
        req->refused = ZK_MARSHALLINGERROR;
        return;
    }
    struct session *s = session_find(n->sessions, req->session_id);
    if (s != NULL && s->closing) {
        req->refused = ZK_SESSIONEXPIRED;
        return;
    }
    s = session_add(n->sessions, req->session_id, txn.time_out, node_now_ms(n));
    s->owner_sid = (int16_t)sid;
    req->timeout_ms = txn.time_out;
}

/* Nobody asks who owns it: expiry does not either. */
static void prepare_close_session(struct node *n, const struct proposal_request *req)
{
    struct session *s = session_find(n->sessions, req->session_id);
    if (s != NULL && !s->closing)
        session_mark_closing(n->sessions, s);
}

/* The learner's client waits for a transaction, so there is one for whatever can be one. */
static void request(void *arg, int64_t sid, const struct zab_request *r)
{
    struct node *n = arg;
    struct ensemble *e = n->ensemble;
    if (!node_proposes(n) || n->stopping || e->lost != NULL)
        return;
    if (r->op == ZK_OP_SYNC) {
        e->dirty = true;
        zab_answer_sync(e->zab, sid);
        return;
    }
    if (!propose_ready(n, n->fx))
        return;
    struct proposal_request req = {
        .session_id = r->session_id,
        .cxid = r->cxid,
        .op = r->op,
        .record = r->record,
        .who = asked_by(e, r),
        .always_txn = true,
    };
    if (r->op == ZK_OP_CREATE_SESSION)
        prepare_create_session(n, sid, &req);
    else if (r->op == ZK_OP_CLOSE_SESSION)
        prepare_close_session(n, &req);
    else if (op_is_write(r->op) || r->op == ZK_OP_CHECK)
        owner_check(n, r->session_id, sid, &req.session_err, &req.global_session_err);
    else
        return;
    if (n->disk_full && r->op != ZK_OP_CLOSE_SESSION && req.refused == 0)
        req.refused = ZK_SYSTEMERROR;
    int64_t zxid;
    propose(n, &req, n->fx, &zxid);
}

/* ---- */

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

/* ZooKeeper's leader drops them from its own tree alone (loadData), and differs from its followers
 * from then on. */
void owner_close_orphans(struct node *n)
{
    struct orphans o = {.n = n};
    tree_ephemeral_sessions(n->tree, note_orphan, &o);
    for (size_t i = 0; i < o.count; i++) {
        struct proposal_request req = {.session_id = o.ids[i], .op = ZK_OP_CLOSE_SESSION};
        int64_t zxid;
        propose(n, &req, n->fx, &zxid);
    }
    free(o.ids);
}

void owner_host(struct zab_host *host)
{
    host->request = request;
    host->touch = touch;
    host->revalidate = revalidate;
    host->observer_asks = observer_asks;
    host->observer_has = observer_has;
    host->observer_may_write = observer_may_write;
    host->learner_gone = learner_gone;
}
