/* ensemble.c: which role a member has: elections, and what zab makes of their outcome
 * (QuorumPeer.run). */
#include "node/ensemble.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/effects_internal.h"
#include "node/node_internal.h"
#include "wire/zxid.h"

static const int64_t NS_PER_MS = 1000000;

enum {
    ROLES_PER_STEP_MAX = 4, /* one that ends at once is taken up again; not for ever in one step */
    FLUSHES_PER_STEP_MAX = 4,
    RETRY_MS_MIN = 20,
    RETRY_DOUBLINGS_MAX = 6,
    READ_ONLY_GRACE_MS_MIN = 2000,
};

/* ---- fle's wishes ---- */

static void fle_sends(void *arg, int64_t sid, struct slice payload)
{
    struct node *n = arg;
    fx_election(n->fx, sid, payload);
}

static void fle_sees_newer_config(void *arg, struct slice text)
{
    struct node *n = arg;
    buf_clear(&n->ensemble->newer_config);
    buf_put_slice(&n->ensemble->newer_config, text);
}

/* ---- birth ---- */

/* Those who vote share globalOutstandingLimit. */
void ensemble_share_outstanding(struct node *n, const struct quorum *q)
{
    struct ensemble *e = n->ensemble;
    size_t shares = e->options.observer || q->voter_count <= 2 ? 1 : q->voter_count - 1;
    n->options.outstanding_max = e->outstanding_max / shares;
}

/* -1: it holds none. */
static int64_t tree_config_version(const struct node *n)
{
    const struct znode *z = tree_find(n->tree, slice_str("/zookeeper/config"));
    struct quorum *q = NULL;
    bool holds = z != NULL && quorum_parse(znode_data(z), &q, NULL) == 0;
    int64_t version = holds ? q->version : -1;
    quorum_free(q);
    return version;
}

/* Where the newest transactions begin before it, they hold it or nobody does. */
static bool history_may_hold(const struct node *n, struct slice recent, int64_t zxid)
{
    struct dec d = dec_of(recent);
    bool begun_before = false;
    while (dec_left(&d) > 0) {
        struct txn_entry entry;
        struct slice bytes = dec_buffer(&d);
        if (d.bad || txn_split(bytes, &entry) != 0)
            break;
        if (entry.hdr.zxid >= zxid)
            return entry.hdr.zxid == zxid || !begun_before;
        begun_before = true;
    }
    return !begun_before && n->last_proposed_zxid >= zxid;
}

/* The configuration of a reconfig goes to disk in front of its transaction, and says so. If that
 * never got there it is void, also later, when the log has gone on without it: the tree must hold
 * it. One that a leader offered, or that ZooKeeper wrote, is in the history unless that ends before
 * or shows that it is not: a snapshot's tree does not tell, since ZooKeeper puts back what is
 * active when it starts. (Versions that are an epoch's beginning belong to no transaction.) The
 * history alone is not asked, because who has lost a quorum for good takes the files away and
 * begins anew with zoo.cfg. */
static const struct quorum *seen_config(const struct node *n, const struct node_ensemble *o)
{
    const struct quorum *q = o->config_seen;
    if (q == NULL || zxid_counter(q->version) == 0 || tree_config_version(n) == q->version)
        return q;
    return !q->ahead && history_may_hold(n, o->recent, q->version) ? q : NULL;
}

/* What may be a request must fit into a packet, and twice that: jute.maxbuffer and its extra size,
 * as much as ZooKeeper takes. Never less than by default, since others may be configured otherwise.
 */
static size_t packet_bytes_max(const struct node *n)
{
    enum {
        REQUEST_BYTES_DEFAULT = 0xfffff,
        SLACK_BYTES = 65536
    };
    size_t request = n->options.frame_bytes_max;
    return 2 * (request > REQUEST_BYTES_DEFAULT ? request : REQUEST_BYTES_DEFAULT) + SLACK_BYTES;
}

static struct zab *make_zab(struct node *n, const struct node_ensemble *o)
{
    struct zab_options options = {
        .sid = n->options.server_id,
        .observer = o->observer,
        .observer_masters = o->observer_masters,
        .tick_ms = n->options.tick_ms,
        .init_limit = o->init_limit,
        .sync_limit = o->sync_limit,
        .connect_limit = o->connect_limit,
        .commit_log_count = o->commit_log_count,
        .log_sync = o->log_sync,
        .snap_syncs_max = o->snap_syncs_max,
        .diff_syncs_max = o->diff_syncs_max,
        .connect_retry_ms = o->connect_retry_ms,
        .accepted_epoch = o->accepted_epoch,
        .current_epoch = o->current_epoch,
        .reconfig_enabled = n->options.reconfig_enabled,
        .packet_bytes_max = packet_bytes_max(n),
    };
    struct zab_host host = {.arg = n};
    replicate_host(&host);
    transfer_host(&host);
    member_requests_host(&host);
    owner_host(&host);
    return zab_create(&options, &host, o->config, seen_config(n, o));
}

/* What ends at the tree's last: everything in the recovered log is in the tree. */
static void remember_log(struct node *n, struct slice entries)
{
    struct dec d = dec_of(entries);
    while (dec_left(&d) > 0) {
        struct slice bytes = dec_buffer(&d);
        struct txn_entry entry;
        if (d.bad || txn_split(bytes, &entry) != 0)
            return;
        zab_remember(n->ensemble->zab, entry.hdr.zxid, bytes);
    }
}

static struct fle *make_fle(struct node *n, const struct node_ensemble *o)
{
    struct fle_options options = {
        .sid = n->options.server_id,
        .finalize_wait_ms = o->finalize_wait_ms,
        .notification_ms_min = o->notification_ms_min,
        .notification_ms_max = o->notification_ms_max,
        .reconfig_enabled = n->options.reconfig_enabled,
    };
    struct fle_host host = {.arg = n, .send = fle_sends, .newer_config = fle_sees_newer_config};
    struct fle *f = fle_create(&options, &host, o->config);
    fle_set_next_config(f, seen_config(n, o));
    return f;
}

struct ensemble *ensemble_create(struct node *n, const struct node_ensemble *o)
{
    struct ensemble *e = mem_calloc(1, sizeof *e);
    e->options = *o;
    e->options.config = e->options.config_seen = NULL;
    e->options.recent = (struct slice){0};
    e->outstanding_max = n->options.outstanding_max;
    e->role = NODE_LOOKING;
    e->read_only_at_ns = INT64_MAX;
    map_init(&e->revalidations, n->options.seed);
    if (o->local_sessions)
        n->local_sessions = session_table_create(node_expiry_grain_ms(n), n->options.seed);
    const struct quorum *seen = seen_config(n, o);
    e->next_config_version = seen != NULL ? seen->version : 0;
    e->next_config_ahead = seen != NULL && seen->ahead;
    e->zab = make_zab(n, o);
    e->fle = make_fle(n, o);
    n->ensemble = e;
    remember_log(n, o->recent);
    ensemble_share_outstanding(n, o->config);
    return e;
}

void ensemble_free(struct ensemble *e)
{
    if (e == NULL)
        return;
    zab_free(e->zab);
    fle_free(e->fle);
    snapshot_loader_free(e->install.loader);
    tree_free(e->install.tree);
    free(e->install.sessions);
    buf_deinit(&e->walk_head);
    buf_deinit(&e->newer_config);
    map_deinit(&e->revalidations);
    free(e->forwarded.items);
    free(e->syncs.items);
    free(e->heard);
    free(e->who);
    free(e->asker);
    free(e);
}

/* ---- the beginning and the end of a role ---- */

/* /zookeeper/config says what is active; but a newer one that is in our history, though it is only
 * proposed, stays: who is given this tree as a snapshot, we ourselves later perhaps, finds by it
 * that the transaction was logged, and would lead with the old quorum alone otherwise. */
void ensemble_show_config(struct node *n, const struct quorum *q)
{
    const struct quorum *seen = zab_last_seen_config(n->ensemble->zab);
    if (seen->version > q->version && tree_config_version(n) == seen->version)
        return;
    struct buf text = {0};
    quorum_format(q, &text);
    tree_init_config(n->tree, buf_slice(&text), q->version, n->wall_ms);
    buf_deinit(&text);
}

void ensemble_init_config(struct node *n)
{
    ensemble_show_config(n, zab_config(n->ensemble->zab));
}

void ensemble_keep_config(struct node *n)
{
    const struct quorum *active = zab_config(n->ensemble->zab);
    if (!n->options.reconfig_enabled || tree_config_version(n) <= active->version)
        ensemble_show_config(n, active);
}

bool ensemble_accepts_clients(const struct node *n)
{
    const struct ensemble *e = n->ensemble;
    return e->serving && (e->role != NODE_LEADING || e->options.leader_serves);
}

void ensemble_lose(struct node *n, const char *reason)
{
    if (n->ensemble->lost == NULL)
        n->ensemble->lost = reason;
}

/* A round begins. Who is no voter asks all the same, with a vote for nobody. */
static void look(struct node *n)
{
    struct ensemble *e = n->ensemble;
    struct fle_vote mine = {
        .leader = n->options.server_id,
        .zxid = n->last_proposed_zxid,
        .peer_epoch = zab_current_epoch(e->zab),
    };
    e->voting = true;
    if (e->looking_since_ns == 0)
        e->looking_since_ns = n->now_ns;
    if (e->unavailable_since_ns == 0)
        e->unavailable_since_ns = n->now_ns;
    if (e->options.read_only_mode && !e->read_only) {
        int64_t grace_ms = n->options.tick_ms > READ_ONLY_GRACE_MS_MIN ? n->options.tick_ms
                                                                       : READ_ONLY_GRACE_MS_MIN;
        e->read_only_at_ns = n->now_ns + grace_ms * NS_PER_MS;
    }
    metric_inc(&n->metrics, METRIC_LOOKING_COUNT);
    fle_look(e->fle, mine, n->now_ns);
    fx_trace(n->fx, (struct trace_effect){.type = TRACE_LOOKING,
                                          .zxid = n->last_proposed_zxid,
                                          .value = fle_round(e->fle)});
}

/* Clients, and what was known for their sake, go with the role that served them. */
static void stop_serving(struct node *n, const char *reason)
{
    struct ensemble *e = n->ensemble;
    clients_let_go(n, reason, n->fx);
    member_requests_role_over(n);
    session_reset(n->sessions);
    if (n->local_sessions != NULL) {
        session_table_free(n->local_sessions);
        n->local_sessions = session_table_create(node_expiry_grain_ms(n), n->options.seed);
    }
    e->serving = e->read_only = false;
    e->read_only_at_ns = INT64_MAX;
}

static void serve_read_only(struct node *n)
{
    struct ensemble *e = n->ensemble;
    e->serving = e->read_only = true;
    e->read_only_at_ns = INT64_MAX;
    fx_trace(n->fx, (struct trace_effect){.type = TRACE_SERVING_READ_ONLY,
                                          .zxid = tree_last_zxid(n->tree)});
}

static int64_t ms_since(const struct node *n, int64_t since_ns)
{
    return (n->now_ns - since_ns) / NS_PER_MS;
}

static void take_role(struct node *n, int64_t leader)
{
    struct ensemble *e = n->ensemble;
    e->voting = false;
    if (e->serving)
        stop_serving(n, "a leader is there again");
    e->read_only_at_ns = INT64_MAX;
    metric_add_sample(&n->metrics, METRIC_ELECTION_TIME,
                      (uint64_t)ms_since(n, e->looking_since_ns));
    e->looking_since_ns = 0;
    e->role_since_ns = n->now_ns;
    fx_trace(n->fx, (struct trace_effect){.type = TRACE_ELECTED, .value = leader});

    e->dirty = true;
    if (leader == n->options.server_id) {
        e->role = NODE_LEADING;
        fle_settle(e->fle, FLE_LEADING, leader);
        zab_lead(e->zab, n->last_proposed_zxid, n->now_ns);
        return;
    }
    zab_follow(e->zab, leader, n->last_proposed_zxid, n->now_ns);
    bool observes = zab_role(e->zab) == ZAB_OBSERVING;
    e->role = observes ? NODE_OBSERVING : NODE_FOLLOWING;
    fle_settle(e->fle, observes ? FLE_OBSERVING : FLE_FOLLOWING, leader);
}

/* Observers do not all come back at once. And where servers that hear each other only in part agree
 * on what then fails, they try again more and more slowly: our elections are over when all are
 * heard, so that nothing else would hold them up. */
static int64_t election_delay_ns(struct node *n, enum node_role from)
{
    struct ensemble *e = n->ensemble;
    e->failures = e->serving ? 0 : e->failures + 1;
    int64_t delay_ms = from == NODE_OBSERVING ? e->options.observer_election_delay_ms : 0;
    if (e->failures > 1) {
        int doublings =
            e->failures - 2 < RETRY_DOUBLINGS_MAX ? e->failures - 2 : RETRY_DOUBLINGS_MAX;
        delay_ms += RETRY_MS_MIN << doublings;
    }
    return delay_ms > 0 ? (int64_t)node_random_below(n, (uint64_t)delay_ms) * NS_PER_MS : 0;
}

static void end_role(struct node *n)
{
    struct ensemble *e = n->ensemble;
    const char *reason = e->lost;
    enum node_role from = e->role;
    e->lost = NULL;
    e->rolling_over = false;
    fx_trace(n->fx, (struct trace_effect){
                        .type = TRACE_ROLE_LOST, .zxid = n->last_proposed_zxid, .text = reason});
    zab_idle(e->zab);
    transfer_role_over(n);
    e->look_at_ns = n->now_ns + election_delay_ns(n, from);
    if (e->serving)
        stop_serving(n, "the leader is gone");
    if (from == NODE_LEADING)
        prep_reset(n->prep);
    e->role = NODE_LOOKING;
    e->left = n->stopping;
}

/* ---- a newer configuration, heard of in the election (QuorumPeer.processReconfig) ---- */

static void take_newer_config(struct node *n)
{
    struct ensemble *e = n->ensemble;
    struct buf text = e->newer_config;
    e->newer_config = (struct buf){0};
    struct quorum *q = NULL;
    struct err err = {0};
    if (e->voting && quorum_parse(buf_slice(&text), &q, &err) == 0 &&
        q->version > zab_config(e->zab)->version) {
        zab_set_config(e->zab, q);
    }
    quorum_free(q);
    buf_deinit(&text);
}

/* ---- events ---- */

static void on_started(struct node *n)
{
    n->ensemble->started = true;
    ensemble_init_config(n);
}

static void on_oracle(struct node *n, bool says)
{
    fle_set_oracle(n->ensemble->fle, says);
    zab_oracle(n->ensemble->zab, says);
}

void on_ensemble_event(struct node *n, const struct node_event *ev)
{
    struct ensemble *e = n->ensemble;
    e->dirty = true;
    switch (ev->type) {
    case NODE_START:
        on_started(n);
        break;
    case NODE_DURABLE:
        zab_durable(e->zab, ev->ticket);
        break;
    case NODE_ELECTION_CHANNEL:
        fle_channel(e->fle, ev->election.sid, ev->election.up, n->now_ns);
        break;
    case NODE_ELECTION_MESSAGE:
        fle_message(e->fle, ev->election.sid, ev->election.bytes, n->now_ns);
        if (e->newer_config.len > 0)
            take_newer_config(n);
        break;
    case NODE_LINK_OPEN:
        if (ev->link.observers)
            zab_observer_open(e->zab, ev->link.link, n->now_ns);
        else
            zab_link_open(e->zab, ev->link.link, ev->link.inbound, n->now_ns);
        break;
    case NODE_LINK_BYTES:
        zab_link_bytes(e->zab, ev->link.link, ev->link.bytes, n->now_ns);
        break;
    case NODE_LINK_CLOSED:
        zab_link_closed(e->zab, ev->link.link, n->now_ns);
        break;
    case NODE_LINK_ROOM:
        zab_link_room(e->zab, ev->link.link);
        break;
    case NODE_LOG_READ:
        zab_log_read(e->zab, ev->link.link, ev->link.bytes, ev->link.how);
        break;
    case NODE_TRUNCATED:
        on_truncated(n, ev);
        break;
    case NODE_INSTALLED:
        on_installed(n, ev);
        break;
    case NODE_ORACLE:
        on_oracle(n, ev->oracle_says);
        break;
    case NODE_TICK:
    case NODE_CLIENT_OPEN:
    case NODE_CLIENT_FRAME:
    case NODE_CLIENT_CLOSED:
    case NODE_DISK_FAILED:
    case NODE_DISK_FULL:
    case NODE_SNAPSHOT_REQUEST:
    case NODE_SNAPSHOT_PULL:
    case NODE_SNAPSHOT_DONE:
    case NODE_REPLACE_STATE:
    case NODE_STOP:
        break;
    }
}

/* A leader goes when everything it has proposed is committed and told. */
void ensemble_stop(struct node *n)
{
    struct ensemble *e = n->ensemble;
    if (e->role == NODE_LEADING && e->serving && !e->handing_over) {
        e->handing_over = e->dirty = true;
        zab_hand_over(e->zab);
    } else if (e->role == NODE_LEADING) {
        ensemble_lose(n, "stopped");
    }
}

/* ---- the end of a step ---- */

static void run_clocks(struct node *n)
{
    struct ensemble *e = n->ensemble;
    if (n->now_ns >= fle_deadline_ns(e->fle))
        fle_tick(e->fle, n->now_ns);
    if (n->now_ns >= zab_deadline_ns(e->zab)) {
        zab_tick(e->zab, n->now_ns);
        e->dirty = true;
    }
    member_tell(n);
    if (n->now_ns >= e->read_only_at_ns && e->role == NODE_LOOKING && !n->stopping)
        serve_read_only(n);
}

/* A vote says what our log has: that must be durable. A server whose disk is stuck or full would
 * otherwise be elected for the length of its log again and again, and could not even accept an
 * epoch. It costs nothing: that epoch would be written behind the log's end anyway. */
static bool may_look(const struct node *n)
{
    const struct ensemble *e = n->ensemble;
    return e->started && !n->stopping && e->role == NODE_LOOKING && !e->voting && !e->truncating &&
           !e->installing && n->now_ns >= e->look_at_ns && n->durable_ticket == n->last_ticket;
}

static void run_roles(struct node *n)
{
    struct ensemble *e = n->ensemble;
    if (e->role != NODE_LOOKING && !e->serving && fle_doubts(e->fle))
        ensemble_lose(n, "the election is called into question");
    for (int i = 0; i < ROLES_PER_STEP_MAX; i++) {
        if (e->lost != NULL)
            end_role(n);
        if (may_look(n))
            look(n);
        struct fle_vote vote;
        if (e->voting && !n->stopping && fle_decided(e->fle, &vote))
            take_role(n, vote.leader);
        if (e->lost == NULL)
            return;
    }
}

void ensemble_run(struct node *n)
{
    struct ensemble *e = n->ensemble;
    run_clocks(n);
    run_roles(n);
    transfer_run(n);
    for (int i = 0; e->dirty && i < FLUSHES_PER_STEP_MAX; i++) {
        e->dirty = false;
        zab_flush(e->zab);
        commit_ready(n, n->fx);
        transfer_run(n);
        if (e->lost != NULL)
            run_roles(n);
    }
}

int64_t ensemble_deadline_ns(const struct node *n)
{
    const struct ensemble *e = n->ensemble;
    if (e->dirty || e->lost != NULL)
        return n->now_ns;
    int64_t deadline = fle_deadline_ns(e->fle);
    if (zab_deadline_ns(e->zab) < deadline)
        deadline = zab_deadline_ns(e->zab);
    if (e->read_only_at_ns < deadline)
        deadline = e->read_only_at_ns;
    if (member_tell_deadline_ns(n) < deadline)
        deadline = member_tell_deadline_ns(n);
    if (e->role == NODE_LOOKING && !e->voting && e->look_at_ns > n->now_ns &&
        e->look_at_ns < deadline)
        deadline = e->look_at_ns;
    return deadline;
}
