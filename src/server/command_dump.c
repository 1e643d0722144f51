/* command_dump.c: connections, sessions and watches as text (ServerCnxn.dumpConnectionInfo,
 * ExpiryQueue.dump, WatchManager.dumpWatches). */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sort.h"
#include "server/command_format.h"
#include "server/command_internal.h"
#include "server/standing.h"

/* NIOServerCnxnFactory keeps its connections in an ExpiryQueue of this interval, and connections
 * without a session for as long (zookeeper.nio.sessionlessCnxnTimeout). */
static const int64_t CONNECTION_INTERVAL_MS = 10000;

void connection_address(struct server_info *info, const struct node_client_view *view,
                        struct buf *out)
{
    struct sockaddr_storage peer;
    if (info->peer(info->driver, view->client, &peer)) {
        format_address(out, &peer);
    } else {
        buf_put_slice(out, view->address);
        buf_printf(out, ":0");
    }
}

int64_t session_of_client(struct server_info *info, uint64_t client)
{
    struct node_client_view view;
    return node_client(info->node, client, &view) ? view.session_id : 0;
}

struct connections {
    struct server_info *info;
    struct buf *out;
    uint64_t asker;
    bool brief;
    bool asker_seen;
};

static void put_session_part(struct buf *out, const struct node_client_view *v)
{
    buf_printf(out, ",sid=0x%" PRIx64 ",lop=%s,est=%" PRId64 ",to=%" PRId32,
               (uint64_t)v->session_id, v->last_op, v->opened_wall_ms, v->timeout_ms);
    if (v->last_cxid >= 0)
        buf_printf(out, ",lcxid=0x%" PRIx64, (uint64_t)v->last_cxid);
    int64_t mean_ms = v->latency_count ? v->latency_total_ms / (int64_t)v->latency_count : 0;
    buf_printf(out,
               ",lzxid=0x%" PRIx64 ",lresp=%" PRId64 ",llat=%" PRId64 ",minlat=%" PRId64
               ",avglat=%" PRId64 ",maxlat=%" PRId64,
               (uint64_t)v->last_zxid, v->last_response_ms, v->last_latency_ms, v->latency_min_ms,
               mean_ms, v->latency_max_ms);
}

/* The number in brackets is Java's interest set: 1 = reading; the connection that asks is read no
 * more. */
static void put_connection(void *arg, const struct node_client_view *v)
{
    struct connections *c = arg;
    bool asks = v->client == c->asker;
    c->asker_seen |= asks;
    buf_printf(c->out, " /");
    connection_address(c->info, v, c->out);
    buf_printf(c->out, "[%d](queued=%" PRIu64 ",recved=%" PRIu64 ",sent=%" PRIu64, asks ? 0 : 1,
               v->outstanding, v->received, v->sent);
    if (!c->brief && v->session_id != 0)
        put_session_part(c->out, v);
    buf_printf(c->out, ")\n");
}

void dump_connections(struct server_info *info, uint64_t asker, bool brief, struct buf *out)
{
    struct connections c = {.info = info, .out = out, .asker = asker, .brief = brief};
    node_each_client(info->node, put_connection, &c);
    struct sockaddr_storage peer;
    if (!c.asker_seen && info->peer(info->driver, asker, &peer)) {
        struct node_client_view view = {.client = asker, .received = 1};
        put_connection(&c, &view);
    }
}

/* --- dump: sessions, ephemerals, connections --- */

struct sessions {
    struct server_info *info;
    struct buf *out;
    int64_t wall_minus_now_ms;
};

static void put_bucket(struct buf *out, size_t count, int64_t expires_wall_ms)
{
    buf_printf(out, "%zu expire at ", count);
    format_date(out, expires_wall_ms);
    buf_printf(out, ":\n");
}

static void put_session(void *arg, int64_t expires_ms, size_t count, const struct session *s)
{
    struct sessions *d = arg;
    if (s == NULL)
        put_bucket(d->out, count, expires_ms + d->wall_minus_now_ms);
    else
        buf_printf(d->out, "\t0x%" PRIx64 "\n", (uint64_t)s->id);
}

static void put_session_sets(struct sessions *d, const struct session_table *sessions)
{
    buf_printf(d->out, "Session Sets (%zu)/(%zu):\n", session_bucket_count(sessions),
               session_count(sessions));
    session_each_by_expiry(sessions, put_session, d);
}

/* Elsewhere than on the leader nobody knows when a session ends (LearnerSessionTracker); in the
 * order of signed ids. */
static void put_global_sessions(const struct session_table *sessions, struct buf *out)
{
    size_t count, first = 0;
    struct session **sorted = session_sorted(sessions, &count);
    buf_printf(out, "Global Sessions(%zu):\n", count);
    while (first < count && sorted[first]->id >= 0)
        first++;
    for (size_t i = 0; i < count; i++) {
        const struct session *s = sorted[(first + i) % count];
        buf_printf(out, "0x%" PRIx64 "\t%" PRId32 "ms\n", (uint64_t)s->id, s->timeout_ms);
    }
    free(sorted);
}

static void count_owner(void *arg, int64_t session_id)
{
    (void)session_id;
    ++*(size_t *)arg;
}

static void put_path(void *arg, struct slice path)
{
    struct buf *out = arg;
    buf_put_u8(out, '\t');
    buf_put_slice(out, path);
    buf_put_u8(out, '\n');
}

static void put_owner(void *arg, int64_t session_id)
{
    struct sessions *d = arg;
    buf_printf(d->out, "0x%" PRIx64 ":\n", (uint64_t)session_id);
    tree_ephemerals_of(node_tree(d->info->node), session_id, put_path, d->out);
}

struct expiring {
    int64_t expires_ms;
    struct node_client_view view;
};

struct expiring_list {
    struct server_info *info;
    int64_t wall_minus_now_ms;
    void **items; /* of struct expiring */
    size_t count, cap;
};

/* When the connection would be closed for silence: its session's end, in steps of the interval. */
static void note_expiring(void *arg, const struct node_client_view *v)
{
    struct expiring_list *l = arg;
    const struct session *s = session_find(node_sessions(l->info->node), v->session_id);
    int64_t end_ms = s != NULL ? s->expires_ms
                               : v->opened_wall_ms - l->wall_minus_now_ms + CONNECTION_INTERVAL_MS;
    struct expiring *e = mem_alloc(sizeof *e);
    e->expires_ms = (end_ms / CONNECTION_INTERVAL_MS + 1) * CONNECTION_INTERVAL_MS;
    e->view = *v;
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->items = mem_realloc(l->items, l->cap * sizeof *l->items);
    }
    l->items[l->count++] = e;
}

static int compare_expiring(const void *a, const void *b)
{
    const struct expiring *x = a, *y = b;
    return (x->expires_ms > y->expires_ms) - (x->expires_ms < y->expires_ms);
}

static int64_t expires_at(const struct expiring_list *l, size_t i)
{
    return ((const struct expiring *)l->items[i])->expires_ms;
}

static void put_expiring_connections(struct expiring_list *l, struct buf *out)
{
    sort_pointers(l->items, l->count, compare_expiring);
    size_t buckets = 0;
    for (size_t i = 0; i < l->count; i++)
        buckets += i == 0 || expires_at(l, i) != expires_at(l, i - 1);
    buf_printf(out, "Connections Sets (%zu)/(%zu):\n", buckets, l->count);

    for (size_t i = 0; i < l->count; i++) {
        if (i == 0 || expires_at(l, i) != expires_at(l, i - 1)) {
            size_t end = i;
            while (end < l->count && expires_at(l, end) == expires_at(l, i))
                end++;
            put_bucket(out, end - i, expires_at(l, i) + l->wall_minus_now_ms);
        }
        const struct expiring *e = l->items[i];
        buf_printf(out, "\tip: /");
        connection_address(l->info, &e->view, out);
        buf_printf(out, " sessionId: 0x%" PRIx64 "\n", (uint64_t)e->view.session_id);
    }
}

void dump_sessions(struct server_info *info, struct buf *out)
{
    const struct session_table *sessions = node_sessions(info->node);
    const struct tree *tree = node_tree(info->node);
    struct sessions d = {info, out, info->wall_ms(info->driver) - info->now_ms(info->driver)};

    struct server_ensemble e;
    standing_read(info, &e);
    buf_printf(out, "SessionTracker dump:\n");
    if (e.local_sessions != NULL) {
        buf_printf(out, "Local ");
        put_session_sets(&d, e.local_sessions);
    }
    if (e.role != NODE_ALONE && !standing_leads(&e)) {
        put_global_sessions(sessions, out);
    } else {
        buf_printf(out, "%s", e.local_sessions != NULL ? "Global " : "");
        put_session_sets(&d, sessions);
    }

    size_t owners = 0;
    tree_ephemeral_sessions(tree, count_owner, &owners);
    buf_printf(out, "ephemeral nodes dump:\nSessions with Ephemerals (%zu):\n", owners);
    tree_ephemeral_sessions(tree, put_owner, &d);

    buf_printf(out, "Connections dump:\n");
    struct expiring_list l = {.info = info, .wall_minus_now_ms = d.wall_minus_now_ms};
    node_each_client(info->node, note_expiring, &l);
    put_expiring_connections(&l, out);
    for (size_t i = 0; i < l.count; i++)
        free(l.items[i]);
    free(l.items);
}

/* --- wchp, wchc --- */

struct watches {
    struct server_info *info;
    struct buf *out;
    const uint8_t *path; /* of the group being written; NULL = none yet */
    uint64_t watcher;
    bool any;
};

static void put_watch_by_path(void *arg, uint64_t watcher, struct slice path)
{
    struct watches *d = arg;
    if (!d->any || d->path != path.ptr) {
        buf_put_slice(d->out, path);
        buf_put_u8(d->out, '\n');
    }
    d->any = true;
    d->path = path.ptr; /* a path is stored once: the same bytes are the same path */
    buf_printf(d->out, "\t0x%" PRIx64 "\n", (uint64_t)session_of_client(d->info, watcher));
}

static void put_watch_by_watcher(void *arg, uint64_t watcher, struct slice path)
{
    struct watches *d = arg;
    if (!d->any || d->watcher != watcher)
        buf_printf(d->out, "0x%" PRIx64 "\n", (uint64_t)session_of_client(d->info, watcher));
    d->any = true;
    d->watcher = watcher;
    put_path(d->out, path);
}

void dump_watches_by_path(struct server_info *info, struct buf *out)
{
    struct watches d = {.info = info, .out = out};
    watch_each_by_path(node_watches(info->node), put_watch_by_path, &d);
}

void dump_watches_by_session(struct server_info *info, struct buf *out)
{
    struct watches d = {.info = info, .out = out};
    watch_each_by_watcher(node_watches(info->node), put_watch_by_watcher, &d);
}
