/* timers.c: what happens because time passes: sessions expire, empty containers and outlived TTL
 * znodes go (SessionTrackerImpl.run, ContainerManager.checkContainers). */
#include "node/effects_internal.h"
#include "node/node_internal.h"

static const int64_t NS_PER_MS = 1000000;
static const int64_t NS_PER_MINUTE = 60000000000;

enum {
    REAPED_PER_STEP_MAX = 16
};

static void expire_sessions(struct node *n, struct effects *fx)
{
    struct session *s;
    while ((s = session_next_expired(n->sessions, node_now_ms(n))) != NULL &&
           propose_ready(n, fx)) {
        session_mark_closing(n->sessions, s);
        metric_inc(&n->metrics, METRIC_STALE_SESSIONS_EXPIRED);
        struct proposal_request req = {.session_id = s->id, .op = ZK_OP_CLOSE_SESSION};
        int64_t zxid;
        propose(n, &req, fx, &zxid);
    }
}

static void note_candidate(void *arg, struct slice path)
{
    rec_put_slice(arg, path);
}

/* A candidate was one up to a minute ago. ZooKeeper asks no more than prep does, and so may delete
 * a TTL znode that was written to meanwhile. */
static void reap(struct node *n, struct slice path, struct effects *fx)
{
    if (!tree_is_reapable(n->tree, path, n->wall_ms, n->options.container_never_used_ms))
        return;
    struct buf record = {0};
    rec_put_slice(&record, path);
    struct proposal_request req = {.op = ZK_OP_DELETE_CONTAINER, .record = buf_slice(&record)};
    int64_t zxid;
    propose(n, &req, fx, &zxid);
    buf_deinit(&record);
}

static void reap_candidates(struct node *n, struct effects *fx)
{
    int64_t gap_ns = NS_PER_MINUTE / n->options.container_per_minute_max;
    for (int i = 0; i < REAPED_PER_STEP_MAX; i++) {
        struct dec d = dec_of(slice_from(buf_slice(&n->reap_paths), n->reap_at));
        if (n->reap_at == n->reap_paths.len || n->now_ns < n->next_reap_ns)
            return;
        struct slice path = dec_ustring(&d);
        n->reap_at += 4 + path.len;
        n->next_reap_ns += gap_ns;
        reap(n, path, fx);
    }
    if (n->next_reap_ns < n->now_ns)
        n->next_reap_ns = n->now_ns;
}

/* All candidates are noted at once; then they go one by one, no more in a minute than is allowed.
 */
static void reap_containers(struct node *n, struct effects *fx)
{
    int64_t interval_ns = n->options.container_check_interval_ms * NS_PER_MS;
    if (interval_ns <= 0 || n->options.container_per_minute_max <= 0)
        return;
    if (n->next_container_check_ns == 0)
        n->next_container_check_ns = n->now_ns + interval_ns;

    if (n->reap_at == n->reap_paths.len && n->now_ns >= n->next_container_check_ns) {
        n->next_container_check_ns = n->now_ns + interval_ns;
        n->next_reap_ns = n->now_ns;
        n->reap_at = 0;
        buf_clear(&n->reap_paths);
        tree_reapable(n->tree, n->wall_ms, n->options.container_never_used_ms,
                      (size_t)n->options.container_per_minute_max, note_candidate, &n->reap_paths);
    }
    reap_candidates(n, fx);
}

static int64_t next_reaping_ns(const struct node *n)
{
    return n->reap_at < n->reap_paths.len ? n->next_reap_ns : n->next_container_check_ns;
}

/* On a full or failed disk, and at the end of an epoch, nothing may be proposed; what is due stays
 * due. */
static bool must_wait(const struct node *n)
{
    return n->disk_full || n->disk_failed || n->stopping ||
           (n->ensemble != NULL && n->ensemble->rolling_over);
}

void run_timers(struct node *n, struct effects *fx)
{
    if (must_wait(n))
        return;
    if (n->local_sessions != NULL)
        local_sessions_expire(n, fx);
    if (!node_proposes(n))
        return;
    expire_sessions(n, fx);
    reap_containers(n, fx);
}

int64_t next_deadline_ns(const struct node *n)
{
    if (commit_is_behind(n))
        return n->now_ns;
    int64_t deadline = throttler_deadline_ns(n);
    if (n->ensemble != NULL && ensemble_deadline_ns(n) < deadline)
        deadline = ensemble_deadline_ns(n);
    if (must_wait(n))
        return deadline;
    if (n->local_sessions != NULL) {
        int64_t local_ms = session_next_deadline_ms(n->local_sessions);
        if (local_ms != INT64_MAX && local_ms * NS_PER_MS < deadline)
            deadline = local_ms * NS_PER_MS;
    }
    if (!node_proposes(n))
        return deadline;
    int64_t session_ms = session_next_deadline_ms(n->sessions);
    if (session_ms != INT64_MAX && session_ms * NS_PER_MS < deadline)
        deadline = session_ms * NS_PER_MS;
    if (n->next_container_check_ns > 0 && next_reaping_ns(n) < deadline)
        deadline = next_reaping_ns(n);
    return deadline;
}
