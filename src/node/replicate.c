/* replicate.c: the log and the state machine as zab sees them, and the links
 * (Learner.syncWithLeader, FollowerZooKeeperServer, Leader.startZkServer). */
#include "base/assert.h"
#include "node/effects_internal.h"
#include "node/node_internal.h"
#include "wire/zxid.h"

static const int64_t NS_PER_MS = 1000000;

/* ---- to disk ---- */

static uint64_t persist(struct node *n, struct persist_effect p)
{
    p.ticket = ++n->last_ticket;
    fx_persist(n->fx, p);
    return p.ticket;
}

static uint64_t set_accepted_epoch(void *arg, int64_t epoch)
{
    return persist(arg, (struct persist_effect){.type = PERSIST_ACCEPTED_EPOCH, .value = epoch});
}

static uint64_t set_current_epoch(void *arg, int64_t epoch)
{
    return persist(arg, (struct persist_effect){.type = PERSIST_CURRENT_EPOCH, .value = epoch});
}

static uint64_t persist_config(struct node *n, enum persist_type type, const struct quorum *q)
{
    struct buf *bytes = &n->fx->persist_bytes;
    size_t at = bytes->len;
    quorum_format(q, bytes);
    if (type == PERSIST_CONFIG_NEXT && n->ensemble->next_config_ahead)
        buf_put_slice(bytes, slice_str("\n" QUORUM_AHEAD));
    int64_t proposed = n->ensemble->next_config_version;
    return persist(n, (struct persist_effect){
                          .type = type,
                          .zxid = type == PERSIST_CONFIG && proposed > q->version ? proposed : 0,
                          .value = q->version,
                          .at = at,
                          .len = bytes->len - at});
}

void replicate_config_next(struct node *n, const struct quorum *q, bool ahead)
{
    struct ensemble *e = n->ensemble;
    if (q->version == e->next_config_version && (ahead || !e->next_config_ahead))
        return;
    e->next_config_version = q->version;
    e->next_config_ahead = ahead;
    persist_config(n, PERSIST_CONFIG_NEXT, q);
}

static void config_seen(void *arg, const struct quorum *q, bool ahead)
{
    struct node *n = arg;
    replicate_config_next(n, q, ahead);
    fle_set_next_config(n->ensemble->fle, q);
}

static void config_active(void *arg, const struct quorum *q)
{
    struct node *n = arg;
    persist_config(n, PERSIST_CONFIG, q);
    fle_set_config(n->ensemble->fle, q);
    ensemble_show_config(n, q);
    ensemble_share_outstanding(n, q);
    fx_trace(n->fx, (struct trace_effect){.type = TRACE_CONFIG_ACTIVE, .value = q->version});
}

/* ---- transactions of a leader ---- */

static uint64_t accept(void *arg, int64_t zxid, struct slice entry)
{
    struct node *n = arg;
    struct txn_entry txn;
    if (txn_split(entry, &txn) != 0 || txn.hdr.zxid != zxid || zxid <= n->last_proposed_zxid)
        return 0;

    struct buf *bytes = &n->fx->persist_bytes;
    size_t at = bytes->len;
    buf_put_slice(bytes, entry);
    uint64_t ticket =
        persist(n, (struct persist_effect){
                       .type = PERSIST_APPEND, .zxid = zxid, .at = at, .len = bytes->len - at});
    n->last_proposed_zxid = zxid;
    proposal_accept(n, &txn, ticket);

    metric_inc(&n->metrics, METRIC_SYNC_PROCESSOR_REQUEST_QUEUED);
    if (n->ensemble->role == NODE_FOLLOWING && n->ensemble->serving) {
        metric_inc(&n->metrics, METRIC_LEARNER_PROPOSAL_RECEIVED_COUNT);
        metric_age(&n->metrics, METRIC_PROPOSAL_LATENCY, txn.hdr.time, n->wall_ms);
    }
    return ticket;
}

/* Applied at the end of the step, as far as one step may go. */
static void commit(void *arg, int64_t zxid)
{
    struct node *n = arg;
    if (zxid <= n->committed_zxid)
        return;
    n->committed_zxid = zxid;
    n->ensemble->dirty = true;
}

void replicate_propose(struct node *n, int64_t zxid, struct slice entry, uint64_t ticket,
                       const struct quorum *next_config)
{
    metric_inc(&n->metrics, METRIC_PROPOSAL_COUNT);
    n->ensemble->dirty = true;
    zab_propose(n->ensemble->zab, zxid, entry, ticket, next_config);
}

void replicate_roll_over(struct node *n, int64_t zxid, struct slice entry, uint64_t ticket)
{
    n->ensemble->rolling_over = n->ensemble->dirty = true;
    zab_roll_over(n->ensemble->zab, zxid, entry, ticket);
}

/* ---- serving ---- */

/* Everything in our log is committed by now. The tree enters the epoch with us, so that what it
 * says of itself is newer than what any earlier leader said. */
static void begin_to_lead(struct node *n, int64_t zxid)
{
    invariant(n->proposal_count == 0);
    prep_reset(n->prep);
    n->last_proposed_zxid = n->committed_zxid = zxid;
    tree_set_last_zxid(n->tree, zxid);
    session_touch_all(n->sessions, node_now_ms(n));
}

static void established(void *arg, int64_t zxid)
{
    struct node *n = arg;
    struct ensemble *e = n->ensemble;
    e->serving = true;
    e->handing_over = false;
    fle_update_epoch(e->fle, zab_current_epoch(e->zab));
    commit_all(n, n->fx); /* no client is here yet who would be answered without bound */
    ensemble_init_config(n);
    uint64_t role_ms = (uint64_t)((n->now_ns - e->role_since_ns) / NS_PER_MS);
    if (e->role == NODE_LEADING)
        begin_to_lead(n, zxid);
    else
        metric_add_sample(&n->metrics,
                          e->role == NODE_OBSERVING ? METRIC_OBSERVER_SYNC_TIME
                                                    : METRIC_FOLLOWER_SYNC_TIME,
                          role_ms);
    metric_add_sample(&n->metrics, METRIC_UNAVAILABLE_TIME,
                      (uint64_t)((n->now_ns - e->unavailable_since_ns) / NS_PER_MS));
    if (e->role == NODE_LEADING)
        metric_add_sample(&n->metrics, METRIC_LEADER_UNAVAILABLE_TIME,
                          (uint64_t)((n->now_ns - e->unavailable_since_ns) / NS_PER_MS));
    e->unavailable_since_ns = 0;
    fx_trace(n->fx, (struct trace_effect){
                        .type = TRACE_SERVING, .zxid = zxid, .value = zab_current_epoch(e->zab)});
    if (e->role == NODE_LEADING)
        owner_close_orphans(n);
    snapshot_catch_up(n, n->fx);
}

static void lost(void *arg, const char *reason)
{
    ensemble_lose(arg, reason);
}

/* ---- links ---- */

static uint64_t connect_link(void *arg, int64_t sid, bool observers)
{
    struct node *n = arg;
    uint64_t link = NODE_LINK_OURS | ++n->ensemble->last_link;
    fx_link(n->fx, (struct link_effect){
                       .type = LINK_CONNECT, .link = link, .sid = sid, .observers = observers});
    return link;
}

/* Sends to one link in a row are one. */
static bool joins_last(const struct effects *fx, uint64_t link, size_t at)
{
    if (fx->link_count == 0)
        return false;
    const struct link_effect *last = &fx->links[fx->link_count - 1];
    return last->type == LINK_SEND && last->link == link && last->at + last->len == at;
}

static void send_links(void *arg, const uint64_t *links, size_t count, struct slice bytes)
{
    struct node *n = arg;
    struct effects *fx = n->fx;
    size_t at = fx->send_bytes.len;
    buf_put_slice(&fx->send_bytes, bytes);
    if (count == 1 && joins_last(fx, links[0], at)) {
        fx->links[fx->link_count - 1].len += bytes.len;
        return;
    }
    for (size_t i = 0; i < count; i++)
        fx_link(fx, (struct link_effect){
                        .type = LINK_SEND, .link = links[i], .at = at, .len = bytes.len});
}

static void disconnect(void *arg, uint64_t link, const char *reason)
{
    struct node *n = arg;
    fx_link(n->fx, (struct link_effect){.type = LINK_CLOSE, .link = link, .reason = reason});
}

static void want_room(void *arg, uint64_t link)
{
    struct node *n = arg;
    fx_link(n->fx, (struct link_effect){.type = LINK_WANT_ROOM, .link = link});
}

static void read_log(void *arg, uint64_t link, int64_t after, int64_t until)
{
    struct node *n = arg;
    fx_link(n->fx,
            (struct link_effect){
                .type = LINK_READ_LOG, .link = link, .after_zxid = after, .until_zxid = until});
}

static void pause_link(void *arg, uint64_t link, bool on)
{
    struct node *n = arg;
    fx_link(n->fx, (struct link_effect){.type = on ? LINK_PAUSE : LINK_RESUME, .link = link});
}

/* ---- traces ---- */

static void count_sync(struct node *n, const char *how)
{
    if (slice_eq_str(slice_str(how), "SNAP"))
        metric_inc(&n->metrics, METRIC_SNAP_COUNT);
    else
        metric_inc(&n->metrics, METRIC_DIFF_COUNT);
}

static void trace(void *arg, const struct zab_trace *t)
{
    static const enum trace_type type_of[] = {
        [ZAB_TRACE_LEADING] = TRACE_LEADING,        [ZAB_TRACE_FOLLOWING] = TRACE_FOLLOWING,
        [ZAB_TRACE_LEARNER] = TRACE_LEARNER_SYNCED, [ZAB_TRACE_LEARNER_GONE] = TRACE_LEARNER_GONE,
        [ZAB_TRACE_SYNCED_BY] = TRACE_SYNCED_BY,    [ZAB_TRACE_REFUSED] = TRACE_PEER_REFUSED,
    };
    struct node *n = arg;
    struct trace_effect line = {.zxid = t->zxid, .value = t->sid, .text = t->text};
    switch (t->type) {
    case ZAB_TRACE_LEADING:
        line.value = t->value;
        break;
    case ZAB_TRACE_LEARNER:
        count_sync(n, t->text != NULL ? t->text : "");
        break;
    case ZAB_TRACE_FOLLOWING:
    case ZAB_TRACE_LEARNER_GONE:
    case ZAB_TRACE_SYNCED_BY:
    case ZAB_TRACE_REFUSED:
        break;
    case ZAB_TRACE_ESTABLISHED: /* told by established, lost and config_active themselves */
    case ZAB_TRACE_LOST:
    case ZAB_TRACE_CONFIG:
        return;
    }
    line.type = type_of[t->type];
    fx_trace(n->fx, line);
}

void replicate_host(struct zab_host *host)
{
    host->set_accepted_epoch = set_accepted_epoch;
    host->set_current_epoch = set_current_epoch;
    host->accept = accept;
    host->commit = commit;
    host->established = established;
    host->lost = lost;
    host->config_seen = config_seen;
    host->config_active = config_active;
    host->connect = connect_link;
    host->send = send_links;
    host->disconnect = disconnect;
    host->want_room = want_room;
    host->read_log = read_log;
    host->trace = trace;
    host->pause = pause_link;
}
