/* watch_ops.c: setting, removing and firing watches (DataTree.setWatches, NIOServerCnxn.process).
 */
#include "base/prefetch.h"
#include "node/node_internal.h"

/* What telling it something reads and writes. NULL is allowed. */
static void client_prefetch(const struct client *c)
{
    if (c == NULL)
        return;
    prefetch(&c->id);
    prefetch(&c->stats.sent);
}

/* An event as it is sent: the same bytes to everybody who hears it. */
struct event_frame {
    size_t at, len; /* in effects.send_bytes */
};

static struct event_frame put_event(int64_t zxid, int32_t type, struct slice path,
                                    struct effects *fx)
{
    size_t begun = reply_begin(fx, ZK_XID_NOTIFICATION, zxid, 0);
    struct rec_watcher_event ev = {.type = type, .state = ZK_STATE_SYNC_CONNECTED, .path = path};
    rec_put_watcher_event(&fx->send_bytes, &ev);
    return (struct event_frame){begun, reply_seal(fx, begun)};
}

static void send_event(struct node *n, struct client *c, struct event_frame e, struct effects *fx)
{
    metric_add(&n->metrics, METRIC_WATCH_BYTES, e.len - 4);
    reply_send(n, c, e.at, e.len, fx);
}

enum {
    AHEAD = 8, /* watchers that are fetched while others are told */
};

struct firing {
    struct node *n;
    const struct tree_change *change;
    int64_t zxid;
    struct effects *fx;
    struct event_frame frame; /* of the event that is being told; len 0: nobody was told yet */
};

/* Who may not read the node does not hear of it; the one-shot watch is gone all the same. */
static void tell(struct firing *f, struct client *c, int32_t type, struct slice path,
                 bool at_parent)
{
    if (c == NULL || c->state == CLIENT_CLOSING)
        return;
    uint32_t acl_id = at_parent ? f->change->parent_acl_id : f->change->acl_id;
    if (tree_acl_check(f->n->tree, acl_id, ZK_PERM_READ, client_identities(c),
                       f->n->options.skip_acl) != 0)
        return;
    if (f->frame.len == 0)
        f->frame = put_event(f->zxid, type, path, f->fx);
    send_event(f->n, c, f->frame, f->fx);
}

/* Thousands that watch one znode were asked for by nobody since they began to: none of their memory
 * is in a cache. */
static void notify(void *arg, const uint64_t *watchers, size_t count, int32_t type,
                   struct slice path, bool at_parent)
{
    struct firing *f = arg;
    f->frame.len = 0;
    for (size_t i = 0; i < count; i++) {
        if (i + 2 * AHEAD < count)
            map_prefetch(&f->n->clients, watchers[i + 2 * AHEAD]);
        if (i + AHEAD < count)
            client_prefetch(client_find(f->n, watchers[i + AHEAD]));
        tell(f, client_find(f->n, watchers[i]), type, path, at_parent);
    }
}

static enum watch_trigger trigger_of(enum tree_change_type type)
{
    switch (type) {
    case TREE_CREATED:
        return WATCH_TRIGGER_CREATED;
    case TREE_DELETED:
        return WATCH_TRIGGER_DELETED;
    case TREE_DATA_CHANGED:
        return WATCH_TRIGGER_DATA_CHANGED;
    }
    return WATCH_TRIGGER_DATA_CHANGED;
}

/* How many watchers an event had, as WatchManager counts them: also those who must not hear of it.
 */
static void count_watchers(struct node_metrics *m, enum tree_change_type type,
                           struct watch_told told)
{
    static const enum metric_summary of_node[] = {
        [TREE_CREATED] = METRIC_NODE_CREATED_WATCH_COUNT,
        [TREE_DELETED] = METRIC_NODE_DELETED_WATCH_COUNT,
        [TREE_DATA_CHANGED] = METRIC_NODE_CHANGED_WATCH_COUNT,
    };
    if (told.node > 0)
        metric_add_sample(m, of_node[type], told.node);
    if (told.node_child > 0)
        metric_add_sample(m, of_node[type], told.node_child);
    if (told.parent > 0)
        metric_add_sample(m, METRIC_NODE_CHILDREN_WATCH_COUNT, told.parent);
}

/* What was written is counted for its namespace on the way (DataTree does both in one place). */
void fire_watches(struct node *n, int64_t zxid, struct effects *fx)
{
    for (size_t i = 0; i < n->tree_fx.change_count; i++) {
        const struct tree_change *change = &n->tree_fx.changes[i];
        metric_namespace_write(&n->metrics, change->path, change->data_bytes);
        struct firing f = {.n = n, .change = change, .zxid = zxid, .fx = fx};
        count_watchers(&n->metrics, change->type,
                       watch_fire(n->watches, trigger_of(change->type), change->path, notify, &f));
    }
}

/* What a reconnected client missed since relative_zxid is told at once (zxid -1 and no ACL check,
 * as WatchedEvent has them there); the rest is registered again. */
enum rewatch {
    REWATCH_DATA,
    REWATCH_EXIST,
    REWATCH_CHILD,
    REWATCH_PERSISTENT,
    REWATCH_RECURSIVE
};

static int32_t missed_event(const struct znode *z, enum rewatch kind, int64_t relative_zxid)
{
    switch (kind) {
    case REWATCH_DATA:
        if (z == NULL)
            return ZK_EVENT_NODE_DELETED;
        return z->mzxid > relative_zxid ? ZK_EVENT_NODE_DATA_CHANGED : 0;
    case REWATCH_EXIST:
        return z != NULL ? ZK_EVENT_NODE_CREATED : 0;
    case REWATCH_CHILD:
        if (z == NULL)
            return ZK_EVENT_NODE_DELETED;
        return z->pzxid > relative_zxid ? ZK_EVENT_NODE_CHILDREN_CHANGED : 0;
    case REWATCH_PERSISTENT:
    case REWATCH_RECURSIVE:
        return 0;
    }
    return 0;
}

static enum watch_mode mode_of(enum rewatch kind)
{
    switch (kind) {
    case REWATCH_DATA:
    case REWATCH_EXIST:
        return WATCH_DATA;
    case REWATCH_CHILD:
        return WATCH_CHILD;
    case REWATCH_PERSISTENT:
        return WATCH_PERSISTENT;
    case REWATCH_RECURSIVE:
        return WATCH_PERSISTENT_RECURSIVE;
    }
    return WATCH_DATA;
}

/* Persistent watches are entered without a look at the tree, whose map takes no null path; the map
 * of watches does. Such a watch never fires, but is there. */
static bool takes_null_path(enum rewatch kind)
{
    return kind == REWATCH_PERSISTENT || kind == REWATCH_RECURSIVE;
}

/* False on a null path or list: what came before it has taken effect, as in ZooKeeper. */
static bool rewatch(struct node *n, struct client *c, struct rec_vec paths, enum rewatch kind,
                    int64_t relative_zxid, struct effects *fx)
{
    if (paths.count < 0)
        return false;
    struct dec d = dec_of(paths.raw);
    for (int32_t i = 0; i < paths.count; i++) {
        struct slice path = dec_ustring(&d);
        if (slice_is_null(path) && !takes_null_path(kind))
            return false;
        int32_t missed = missed_event(tree_find(n->tree, path), kind, relative_zxid);
        if (missed != 0)
            send_event(n, c, put_event(-1, missed, path, fx), fx);
        else
            watch_add(n->watches, c->id, path, mode_of(kind));
    }
    return true;
}

static int32_t set_watches(struct node *n, struct client *c, struct dec *d, bool two,
                           struct effects *fx)
{
    struct rec_set_watches2 req = {0};
    if (two) {
        if (!rec_get_set_watches2(d, &req))
            return ZK_MARSHALLINGERROR;
    } else {
        struct rec_set_watches old;
        if (!rec_get_set_watches(d, &old))
            return ZK_MARSHALLINGERROR;
        req.relative_zxid = old.relative_zxid;
        req.data_watches = old.data_watches;
        req.exist_watches = old.exist_watches;
        req.child_watches = old.child_watches;
    }
    bool ok =
        rewatch(n, c, req.data_watches, REWATCH_DATA, req.relative_zxid, fx) &&
        rewatch(n, c, req.exist_watches, REWATCH_EXIST, req.relative_zxid, fx) &&
        rewatch(n, c, req.child_watches, REWATCH_CHILD, req.relative_zxid, fx) &&
        rewatch(n, c, req.persistent_watches, REWATCH_PERSISTENT, req.relative_zxid, fx) &&
        rewatch(n, c, req.persistent_recursive_watches, REWATCH_RECURSIVE, req.relative_zxid, fx);
    return ok ? 0 : ZK_MARSHALLINGERROR;
}

static int32_t add_watch(struct node *n, struct client *c, struct dec *d, struct buf *out)
{
    struct rec_add_watch_request req;
    if (!rec_get_add_watch_request(d, &req))
        return ZK_MARSHALLINGERROR;
    if (req.mode != ZK_ADD_WATCH_PERSISTENT && req.mode != ZK_ADD_WATCH_PERSISTENT_RECURSIVE)
        return ZK_MARSHALLINGERROR;
    watch_add(n->watches, c->id, req.path,
              req.mode == ZK_ADD_WATCH_PERSISTENT ? WATCH_PERSISTENT : WATCH_PERSISTENT_RECURSIVE);
    rec_put_error_response(out, &(struct rec_error_response){.err = 0});
    return 0;
}

static int32_t check_or_remove(struct node *n, struct client *c, int32_t op, struct dec *d)
{
    struct rec_check_watches_request req; /* removeWatches' request is the same record */
    if (!rec_get_check_watches_request(d, &req) || req.type < ZK_WATCHER_CHILDREN ||
        req.type > ZK_WATCHER_PERSISTENT_RECURSIVE)
        return ZK_MARSHALLINGERROR;
    bool found = op == ZK_OP_REMOVE_WATCHES ? watch_remove(n->watches, c->id, req.path, req.type)
                                            : watch_contains(n->watches, c->id, req.path, req.type);
    return found ? 0 : ZK_NOWATCHER;
}

int32_t answer_watch_op(struct node *n, struct client *c, int32_t op, struct dec *d,
                        struct buf *out, struct effects *fx)
{
    switch (op) {
    case ZK_OP_SET_WATCHES:
    case ZK_OP_SET_WATCHES2:
        return set_watches(n, c, d, op == ZK_OP_SET_WATCHES2, fx);
    case ZK_OP_ADD_WATCH:
        return add_watch(n, c, d, out);
    default:
        return check_or_remove(n, c, op, d);
    }
}
