/* propose.c: from a write request to a durable, applied transaction. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/effects_internal.h"
#include "node/node_internal.h"
#include "wire/zxid.h"

enum {
    PROPOSALS_FIRST = 64,
    PROPOSAL_BYTES_KEPT_MAX = 4 * 1024 * 1024
};

static void proposals_grow(struct node *n)
{
    size_t cap = n->proposal_cap ? n->proposal_cap * 2 : PROPOSALS_FIRST;
    struct proposal *grown = mem_alloc(cap * sizeof *grown);
    for (size_t i = 0; i < n->proposal_count; i++)
        grown[i] = n->proposals[(n->proposal_head + i) & (n->proposal_cap - 1)];
    free(n->proposals);
    n->proposals = grown;
    n->proposal_cap = cap;
    n->proposal_head = 0;
}

static struct proposal *proposal_oldest(struct node *n)
{
    return n->proposal_count ? &n->proposals[n->proposal_head] : NULL;
}

/* Keeps a copy of the body: the effects' bytes go away with the log's batch. */
static void proposal_push(struct node *n, struct proposal p, struct slice body)
{
    if (n->proposal_count == n->proposal_cap)
        proposals_grow(n);
    p.at = n->proposal_bytes.len;
    p.len = body.len;
    buf_put_slice(&n->proposal_bytes, body);
    n->proposals[(n->proposal_head + n->proposal_count) & (n->proposal_cap - 1)] = p;
    n->proposal_count++;
}

static void proposal_pop(struct node *n)
{
    n->proposal_head = (n->proposal_head + 1) & (n->proposal_cap - 1);
    n->proposal_count--;

    struct buf *bytes = &n->proposal_bytes;
    if (n->proposal_count == 0) {
        if (bytes->cap > PROPOSAL_BYTES_KEPT_MAX)
            buf_deinit(bytes);
        buf_clear(bytes);
        return;
    }
    size_t dead = proposal_oldest(n)->at;
    if (dead < PROPOSAL_BYTES_KEPT_MAX / 4 || dead < bytes->len / 2)
        return;
    memmove(bytes->ptr, bytes->ptr + dead, bytes->len - dead);
    bytes->len -= dead;
    for (size_t i = 0; i < n->proposal_count; i++)
        n->proposals[(n->proposal_head + i) & (n->proposal_cap - 1)].at -= dead;
}

void proposals_drop_all(struct node *n)
{
    while (n->proposal_count > 0)
        proposal_pop(n);
}

void proposals_drop_after(struct node *n, int64_t zxid)
{
    while (n->proposal_count > 0) {
        struct proposal *newest = proposal_at(n, n->proposal_count - 1);
        if (newest->zxid <= zxid)
            return;
        n->proposal_bytes.len = newest->at;
        n->proposal_count--;
    }
    buf_clear(&n->proposal_bytes);
}

int64_t proposals_last_zxid(const struct node *n)
{
    if (n->proposal_count == 0)
        return tree_last_zxid(n->tree);
    return n->proposals[(n->proposal_head + n->proposal_count - 1) & (n->proposal_cap - 1)].zxid;
}

bool proposal_wait_for(struct node *n, int64_t session_id, uint64_t client)
{
    for (size_t i = n->proposal_count; i-- > 0;) {
        struct proposal *p = proposal_at(n, i);
        if (p->hdr.client_id == session_id) {
            p->client = client;
            p->wait = true;
            return true;
        }
    }
    return false;
}

void proposal_accept(struct node *n, const struct txn_entry *entry, uint64_t ticket)
{
    struct proposal p = {.zxid = entry->hdr.zxid, .ticket = ticket, .hdr = entry->hdr};
    if (entry->has_digest)
        p.digest = entry->digest;
    proposal_push(n, p, entry->body);
}

/* A reconfig is looked at by the ensemble before it is by the tree. */
static void plan_reconfig(struct node *n, const struct proposal_request *req,
                          struct prep_request *prep, struct quorum **ret_next, struct buf *text)
{
    struct dec d = dec_of(req->record);
    struct rec_reconfig_request r;
    if (n->ensemble == NULL || !n->options.reconfig_enabled || req->session_err != 0 ||
        !rec_get_reconfig_request(&d, &r))
        return; /* prep says what is wrong */
    prep->reconfig_err = reconfig_plan(n, req->record, prep->zxid, ret_next, text);
    prep->config_text = buf_slice(text);
}

/* What lies in persist_bytes goes into our log. */
static void append_txn(struct node *n, const struct prep_result *res, size_t at, size_t len,
                       uint64_t client, struct effects *fx)
{
    n->last_proposed_zxid = res->hdr.zxid;
    fx_persist(fx, (struct persist_effect){.type = PERSIST_APPEND,
                                           .ticket = ++n->last_ticket,
                                           .zxid = res->hdr.zxid,
                                           .at = at,
                                           .len = len});
    struct proposal p = {
        .zxid = res->hdr.zxid,
        .ticket = n->last_ticket,
        .client = client,
        .hdr = res->hdr,
        .digest = res->digest,
    };
    proposal_push(n, p, slice_of(fx->persist_bytes.ptr + res->txn_at, res->txn_len));
    metric_inc(&n->metrics, METRIC_SYNC_PROCESSOR_REQUEST_QUEUED);
}

/* The last zxid of an epoch belongs to no request: a new epoch has to begin, and with it in our log
 * alone we are the one who leads it. Like a request that failed, it changes nothing. */
static void roll_over(struct node *n, struct effects *fx)
{
    struct prep_request prep = {
        .zxid = n->last_proposed_zxid + 1, .now_ms = n->wall_ms, .refused = ZK_CONNECTIONLOSS};
    struct prep_result res;
    size_t at = fx->persist_bytes.len;
    prep_request(n->prep, &prep, &fx->persist_bytes, &res);
    size_t len = fx->persist_bytes.len - at;
    append_txn(n, &res, at, len, 0, fx);
    replicate_roll_over(n, prep.zxid, buf_part(&fx->persist_bytes, at, len), n->last_ticket);
}

static bool epoch_is_full(const struct node *n)
{
    uint32_t max = n->ensemble->options.zxid_counter_max;
    return zxid_counter(n->last_proposed_zxid + 1) >= (max > 0 ? max : ZXID_COUNTER_MAX);
}

/* Not behind the end of the role, which may come in the middle of a step: what zab does not take
 * may not be in our log either. */
bool propose_ready(struct node *n, struct effects *fx)
{
    if (n->ensemble == NULL)
        return true;
    if (!zab_serving(n->ensemble->zab) || n->ensemble->rolling_over)
        return false;
    if (!epoch_is_full(n))
        return true;
    roll_over(n, fx);
    return false;
}

int32_t propose(struct node *n, const struct proposal_request *req, struct effects *fx,
                int64_t *ret_zxid)
{
    if (!propose_ready(n, fx))
        return ZK_CONNECTIONLOSS;
    struct prep_request prep = {
        .session_id = req->session_id,
        .cxid = req->cxid,
        .op = req->op,
        .record = req->record,
        .who = req->who,
        .session_err = req->session_err,
        .global_session_err = req->global_session_err,
        .session_timeout_ms = req->timeout_ms,
        .zxid = n->last_proposed_zxid + 1,
        .now_ms = n->wall_ms,
        .always_txn = req->always_txn,
        .refused = req->refused,
    };
    struct quorum *next_config = NULL;
    struct buf config_text = {0};
    if (req->op == ZK_OP_RECONFIG)
        plan_reconfig(n, req, &prep, &next_config, &config_text);

    struct prep_result res;
    size_t at = fx->persist_bytes.len;
    prep_request(n->prep, &prep, &fx->persist_bytes, &res);
    buf_deinit(&config_text);
    if (res.outcome == PREP_NO_TXN) {
        invariant(fx->persist_bytes.len == at && res.err != 0 && next_config == NULL);
        return res.err;
    }

    if (res.err == ZK_QUOTAEXCEEDED)
        metric_namespace_quota_exceeded(&n->metrics, prep_quota_path(n->prep));
    size_t len = fx->persist_bytes.len - at;
    bool reconfig = res.hdr.type == ZK_OP_RECONFIG;
    if (reconfig && next_config != NULL)
        replicate_config_next(n, next_config, true);
    append_txn(n, &res, at, len, req->client, fx);
    if (n->ensemble != NULL) {
        metric_proposal_size(&n->metrics, len);
        replicate_propose(n, prep.zxid, buf_part(&fx->persist_bytes, at, len), n->last_ticket,
                          reconfig ? next_config : NULL);
        quorum_free(next_config);
    }
    *ret_zxid = prep.zxid;
    return 0;
}

/* Sessions live outside the tree. A learner hears of them here for the first time. */
static void commit_session(struct node *n, const struct proposal *p, struct slice body,
                           struct effects *fx)
{
    struct session *s = session_find(n->sessions, p->hdr.client_id);
    if (p->hdr.type == ZK_OP_CREATE_SESSION) {
        struct dec d = dec_of(body);
        int32_t timeout_ms = dec_i32(&d);
        if (s == NULL)
            s = session_add(n->sessions, p->hdr.client_id, timeout_ms, node_now_ms(n));
        s->committed = true;
        if (n->local_sessions != NULL)
            local_session_committed(n, s, fx);
        fx_trace(fx, (struct trace_effect){.type = TRACE_SESSION_CREATED,
                                           .session_id = s->id,
                                           .client = p->client,
                                           .value = s->timeout_ms});
        return;
    }

    invariant(p->hdr.type == ZK_OP_CLOSE_SESSION);
    if (s == NULL)
        return;
    bool by_client = p->client != 0 || p->hdr.cxid != 0; /* of another server's: not 0 */
    fx_trace(fx,
             (struct trace_effect){.type = by_client ? TRACE_SESSION_CLOSED : TRACE_SESSION_EXPIRED,
                                   .session_id = s->id,
                                   .zxid = p->zxid,
                                   .client = s->owner});
    struct client *owner = client_find(n, s->owner);
    if (owner != NULL && owner->id != p->client)
        session_detach_owner(n, s, "session is over", fx);
    else if (owner != NULL)
        owner->session = NULL; /* its reply leaves first, then it is closed */
    session_remove(n->sessions, s->id);
}

/* On a learner: what others send may not be what we wait for. */
static bool is_forwarded(const struct fifo_entry *e, const struct proposal *p)
{
    return e != NULL && e->kind == FIFO_WRITE && e->zxid == 0 && e->xid == p->hdr.cxid;
}

/* A session that was asked for through a learner is attached when it is there. */
static bool session_is_made(struct node *n, struct client *c, const struct proposal *p)
{
    if (c->session == NULL && p->hdr.type == ZK_OP_CREATE_SESSION)
        session_attach(c, session_find(n->sessions, p->hdr.client_id));
    return c->session != NULL;
}

static void answer_writer(struct node *n, const struct proposal *p, struct effects *fx)
{
    struct client *c = client_find(n, p->client);
    if (c == NULL || c->state == CLIENT_CLOSING)
        return;
    if (p->wait) {
        client_waited(n, c, fx);
        return;
    }
    struct fifo_entry *head = fifo_head(&c->fifo);
    if (n->ensemble != NULL && !node_proposes(n) && !is_forwarded(head, p)) {
        client_close(c, "the leader's commits are not in the order of requests", fx);
        return;
    }
    invariant(head != NULL && head->kind == FIFO_WRITE);
    invariant(head->zxid == p->zxid || head->zxid == 0);

    struct fifo_entry entry = *head;
    if (entry.op == ZK_OP_CREATE_SESSION) {
        if (!session_is_made(n, c, p)) {
            client_close(c, "the leader made no session", fx);
            return;
        }
        reply_stats(n, c, op_short_name(entry.op), entry.xid, entry.received_ns, true);
        client_popped(n, c, &entry, fx);
        connect_established(n, c, fx);
        return;
    }
    reply_to_write(n, c, &entry, fx);
    bool refused = n->tree_fx.result.type == ZK_OP_ERROR;
    reply_stats(n, c, refused ? "NA" : op_short_name(entry.op), entry.xid, entry.received_ns, true);
    client_popped(n, c, &entry, fx);
    if (entry.op == ZK_OP_CLOSE_SESSION)
        client_close(c, "", fx);
    client_drain(n, c, fx);
}

/* Where Leader, Follower, Observer and FinalRequestProcessor count and measure a commit. */
static void count_commit(struct node *n, const struct proposal *p)
{
    struct node_metrics *m = &n->metrics;
    enum node_role role = n->ensemble != NULL ? n->ensemble->role : NODE_ALONE;
    metric_age(m, METRIC_PROPAGATION_LATENCY, p->hdr.time, n->wall_ms);
    if (role == NODE_ALONE || role == NODE_LEADING)
        metric_inc(m, METRIC_COMMIT_COUNT);
    if (role == NODE_LEADING)
        metric_age(m, METRIC_QUORUM_ACK_LATENCY, p->hdr.time, n->wall_ms);
    if (role != NODE_FOLLOWING && role != NODE_OBSERVING)
        return;
    metric_inc(m, METRIC_LEARNER_COMMIT_RECEIVED_COUNT);
    metric_age(m, METRIC_COMMIT_PROPAGATION_LATENCY, p->hdr.time, n->wall_ms);
}

void proposals_durable(struct node *n, uint64_t after, uint64_t until)
{
    size_t low = 0, high = n->proposal_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (proposal_at(n, middle)->ticket <= after)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n->proposal_count && proposal_at(n, low)->ticket <= until; low++)
        metric_age(&n->metrics, METRIC_PROPOSAL_ACK_CREATION_LATENCY, proposal_at(n, low)->hdr.time,
                   n->wall_ms);
}

static void commit_oldest(struct node *n, struct effects *fx)
{
    struct proposal p = *proposal_oldest(n);
    struct slice body = buf_part(&n->proposal_bytes, p.at, p.len);
    if (n->ensemble != NULL)
        forwarded_match(n, &p);

    /* We made this txn ourselves, or txn_split has seen it whole: that it applies is an invariant.
     */
    const struct rec_txn_digest *digest = p.digest.version ? &p.digest : NULL;
    int rc = tree_apply(n->tree, &p.hdr, body, digest, &n->tree_fx);
    invariant(rc == 0);
    prep_committed(n->prep, p.zxid);
    if (n->tree_fx.digest_mismatch) {
        metric_inc(&n->metrics, METRIC_DIGEST_MISMATCHES_COUNT);
        fx_trace(fx, (struct trace_effect){.type = TRACE_DIGEST_MISMATCH, .zxid = p.zxid});
    }
    if (n->tree_fx.quota_soft_exceeded > 0)
        fx_trace(fx, (struct trace_effect){.type = TRACE_QUOTA_SOFT, .zxid = p.zxid});

    fire_watches(n, p.zxid, fx);
    if (p.hdr.type == ZK_OP_CREATE_SESSION || p.hdr.type == ZK_OP_CLOSE_SESSION)
        commit_session(n, &p, body, fx);
    if (p.client != 0)
        answer_writer(n, &p, fx);

    count_commit(n, &p);
    if (n->options.audit || n->tells_changes)
        audit_trace(n, &p, fx);
    snapshot_consider(n, p.len, fx);
    proposal_pop(n);
}

bool proposal_is_committed(const struct node *n, const struct proposal *p)
{
    return n->ensemble == NULL ? p->ticket <= n->durable_ticket : p->zxid <= n->committed_zxid;
}

bool commit_is_behind(const struct node *n)
{
    return n->proposal_count > 0 && proposal_is_committed(n, proposal_at(n, 0));
}

bool commit_has_reached(const struct node *n, int64_t zxid)
{
    return n->proposal_count == 0 || n->proposals[n->proposal_head].zxid > zxid;
}

void commit_ready(struct node *n, struct effects *fx)
{
    if (n->ensemble != NULL)
        syncs_run(n, fx);
    for (size_t hinted = 0; commit_is_behind(n) && effects_send_size(fx) < COMMIT_BYTES_MAX;
         hinted--) {
        if (hinted == 0)
            hinted = commit_look_ahead(n);
        commit_oldest(n, fx);
        if (n->ensemble != NULL)
            syncs_run(n, fx); /* before the writes behind them */
    }
}

void commit_all(struct node *n, struct effects *fx)
{
    while (commit_is_behind(n))
        commit_oldest(n, fx);
}
