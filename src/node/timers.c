/* timers.c: what happens because time passes: sessions expire, empty containers and outlived TTL znodes
 * go (SessionTrackerImpl.run, ContainerManager.checkContainers). */
#include "node/effects_internal.h"
#include "node/node_internal.h"

static const int64_t NS_PER_MS = 1000000;

static void expire_sessions(struct node *n, struct effects *fx)
{
    struct session *s;
    while ((s = session_next_expired(n->sessions, node_now_ms(n))) != NULL) {
        session_mark_closing(n->sessions, s);
        metric_inc(&n->metrics, METRIC_STALE_SESSIONS_EXPIRED);
        struct proposal_request req = {.session_id = s->id, .op = ZK_OP_CLOSE_SESSION};
        int64_t zxid;
        propose(n, &req, fx, &zxid);
    }
}

struct reaping {
    struct node *n;
    struct effects *fx;
    struct buf record;
};

static void reap(void *arg, struct slice path)
{
    struct reaping *r = arg;
    buf_clear(&r->record);
    buf_put_i32(&r->record, (int32_t)path.len);
    buf_put_slice(&r->record, path);
    struct proposal_request req = {.op = ZK_OP_DELETE_CONTAINER, .record = buf_slice(&r->record)};
    int64_t zxid;
    propose(r->n, &req, r->fx, &zxid);
}

static void reap_containers(struct node *n, struct effects *fx)
{
    int64_t interval_ns = n->options.container_check_interval_ms * NS_PER_MS;
    if (interval_ns <= 0)
        return;
    if (n->next_container_check_ns == 0) {
        n->next_container_check_ns = n->now_ns + interval_ns;
        return;
    }
    if (n->now_ns < n->next_container_check_ns)
        return;

    n->next_container_check_ns = n->now_ns + interval_ns;
    struct reaping r = {.n = n, .fx = fx};
    tree_reapable(n->tree, n->wall_ms, n->options.container_never_used_ms,
                  (size_t)n->options.container_per_minute_max, reap, &r);
    buf_deinit(&r.record);
}

/* On a full or failed disk nothing may be proposed; what is due stays due. */
void run_timers(struct node *n, struct effects *fx)
{
    if (n->disk_full || n->disk_failed || n->stopping)
        return;
    expire_sessions(n, fx);
    reap_containers(n, fx);
}

int64_t next_deadline_ns(const struct node *n)
{
    if (n->disk_full || n->disk_failed || n->stopping)
        return INT64_MAX;
    int64_t session_ms = session_next_deadline_ms(n->sessions);
    int64_t deadline = session_ms == INT64_MAX ? INT64_MAX : session_ms * NS_PER_MS;
    if (n->next_container_check_ns > 0 && n->next_container_check_ns < deadline)
        deadline = n->next_container_check_ns;
    return deadline;
}
