/* metrics.c: gauges, and the form of ZooKeeper's default provider. */
#include "server/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/command_format.h"
#include "server/metrics_internal.h"
#include "server/standing.h"
#include "tree/quota.h"

int64_t metrics_open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    int64_t count = -1; /* the directory itself */
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

static int64_t open_files_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return INT64_MAX;
    return (int64_t)limit.rlim_cur;
}

/* Pages: all that is mapped, and what is in memory. */
static void memory_pages(int64_t *ret_virtual, int64_t *ret_resident)
{
    *ret_virtual = *ret_resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return;
    int64_t mapped, resident;
    if (fscanf(f, "%" SCNd64 " %" SCNd64, &mapped, &resident) == 2) {
        *ret_virtual = mapped;
        *ret_resident = resident;
    }
    fclose(f);
}

int64_t metrics_resident_bytes(void)
{
    int64_t mapped, resident;
    memory_pages(&mapped, &resident);
    return resident * sysconf(_SC_PAGESIZE);
}

double metrics_mean(uint64_t sum, uint64_t count)
{
    if (count == 0)
        return 0;
    uint64_t ten_thousandths = (uint64_t)((double)sum / (double)count * 1e4 + 0.5);
    return (double)ten_thousandths / 1e4;
}

static void add(struct gauges *g, const char *name, int64_t value)
{
    g->items[g->count++] = (struct gauge){name, {.integer = value}};
}

static void add_real(struct gauges *g, const char *name, double value)
{
    g->items[g->count++] = (struct gauge){name, {.is_real = true, .real = value}};
}

/* Of a leader, or of any server with a leader (LeaderZooKeeperServer, QuorumZooKeeperServer). */
static void add_ensemble(struct gauges *g, const struct server_ensemble *e,
                         const struct node_metrics *m)
{
    if (!standing_in_quorum(e))
        return;
    add(g, "quorum_size", e->config != NULL ? (int64_t)e->config->voter_count : 0);
    if (standing_serves_observers(e))
        add(g, "synced_observers", (int64_t)e->synced_observers);
    if (!standing_leads(e))
        return;
    add(g, "learners", (int64_t)e->learners);
    add(g, "synced_followers", (int64_t)e->synced_followers);
    add(g, "synced_non_voting_followers", (int64_t)e->synced_non_voting_followers);
    add(g, "synced_observers", (int64_t)e->synced_observers);
    add(g, "pending_syncs", (int64_t)e->pending_syncs);
    add(g, "leader_uptime", e->leader_uptime_ms);
    struct metric_sizes proposals = metric_sizes_shown(&m->proposal_sizes);
    add(g, "last_proposal_size", proposals.last);
    add(g, "max_proposal_size", proposals.max);
    add(g, "min_proposal_size", proposals.min);
}

void gauges_read(struct server_info *info, struct gauges *ret)
{
    struct node *n = info->node;
    const struct tree *tree = node_tree(n);
    const struct node_metrics *m = node_metrics(n);
    struct metric_sizes responses = metric_sizes_shown(&m->response_sizes);
    struct server_ensemble e;
    standing_read(info, &e);

    ret->count = 0;
    if (!e.serving)
        return;
    add_real(ret, "avg_latency", metrics_mean(m->latency.sum, m->latency.count));
    add(ret, "max_latency", (int64_t)m->latency.max);
    add(ret, "min_latency", (int64_t)m->latency.min);
    for (int id = 0; id < METRIC_STAT_COUNT; id++) {
        if (id != METRIC_FSYNC_THRESHOLD_EXCEED_COUNT) /* in JSON only, as in ZooKeeper */
            add(ret, metric_counter_name((enum metric_counter)id), (int64_t)m->counter[id]);
    }
    add(ret, "num_alive_connections", (int64_t)info->connection_count(info->driver));
    add(ret, "outstanding_requests", (int64_t)node_outstanding(n));
    add(ret, "uptime", info->now_ms(info->driver) - info->started_ms);
    add(ret, "znode_count", (int64_t)tree_node_count(tree) + 1);
    add(ret, "watch_count", (int64_t)watch_count(node_watches(n)));
    add(ret, "ephemerals_count", (int64_t)tree_ephemeral_count(tree));
    add(ret, "approximate_data_size", (int64_t)tree_approximate_data_bytes(tree));
    add(ret, "global_sessions", (int64_t)session_count(node_sessions(n)));
    add(ret, "local_sessions",
        e.local_sessions != NULL ? (int64_t)session_count(e.local_sessions) : 0);
    add(ret, "open_file_descriptor_count", metrics_open_files());
    add(ret, "max_file_descriptor_count", open_files_max());
    add_real(ret, "connection_drop_probability",
             info->drop_probability != NULL ? info->drop_probability(info->driver) : 0);
    add(ret, "last_client_response_size", responses.last);
    add(ret, "max_client_response_size", responses.max);
    add(ret, "min_client_response_size", responses.min);
    add(ret, "outstanding_tls_handshake",
        info->handshake_count != NULL ? (int64_t)info->handshake_count(info->driver) : 0);
    add_ensemble(ret, &e, m);
}

void process_gauges_read(struct server_info *info, struct gauges *ret)
{
    int64_t mapped, resident;
    memory_pages(&mapped, &resident);
    struct rusage used = {0};
    getrusage(RUSAGE_SELF, &used);
    int64_t up_ms = info->now_ms(info->driver) - info->started_ms;

    ret->count = 0;
    add_real(ret, "process_cpu_seconds_total",
             (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    add_real(ret, "process_start_time_seconds",
             (double)(info->wall_ms(info->driver) - up_ms) / 1e3);
    add(ret, "process_open_fds", metrics_open_files());
    add(ret, "process_max_fds", open_files_max());
    add(ret, "process_virtual_memory_bytes", mapped * sysconf(_SC_PAGESIZE));
    add(ret, "process_resident_memory_bytes", resident * sysconf(_SC_PAGESIZE));
}

/* --- quotas per top-level znode (QuotaMetricsUtils) --- */

static struct quota_usage *usage_of(struct quota_usages *u, struct slice name)
{
    for (size_t i = 0; i < u->count; i++) {
        if (slice_eq(u->items[i].name, name))
            return &u->items[i];
    }
    if (u->count == METRIC_NAMESPACES_MAX || name.len > METRIC_NAMESPACE_BYTES_MAX)
        return NULL;
    struct quota_usage *fresh = &u->items[u->count++];
    *fresh = (struct quota_usage){.name = name};
    return fresh;
}

static int64_t hard_or_soft(const struct quota_track *q, const char *hard, const char *soft)
{
    int64_t limit = quota_track_get(q, hard);
    return limit > -1 ? limit : quota_track_get(q, soft);
}

static void collect_quota(const struct znode *z, struct slice name, struct quota_usages *u)
{
    bool limits = slice_eq_str(znode_name(z), "zookeeper_limits");
    if (z->child_first != NULL || (!limits && !slice_eq_str(znode_name(z), "zookeeper_stats")))
        return;
    struct quota_usage *at = usage_of(u, name);
    if (at == NULL)
        return;
    struct quota_track q;
    quota_track_parse(&q, znode_data(z));
    if (limits) {
        at->limited = true;
        at->value[QUOTA_COUNT_LIMIT] += hard_or_soft(&q, "countHardLimit", "count");
        at->value[QUOTA_BYTES_LIMIT] += hard_or_soft(&q, "byteHardLimit", "bytes");
    } else {
        at->used = true;
        at->value[QUOTA_COUNT_USAGE] += quota_track_get(&q, "count");
        at->value[QUOTA_BYTES_USAGE] += quota_track_get(&q, "bytes");
    }
}

/* Every znode under `top`, each before its children; no recursion, since depth is the clients'
 * choice. */
static const struct znode *next_under(const struct znode *top, const struct znode *at)
{
    if (at->child_first != NULL)
        return at->child_first;
    while (at != top && at->sibling_next == NULL)
        at = at->parent;
    return at == top ? NULL : at->sibling_next;
}

void quota_usages_read(const struct tree *tree, struct quota_usages *ret)
{
    ret->count = 0;
    const struct znode *root = tree_find(tree, slice_str("/zookeeper/quota"));
    for (const struct znode *top = root != NULL ? root->child_first : NULL; top != NULL;
         top = top->sibling_next) {
        const struct znode *z = top->child_first;
        for (; z != NULL; z = next_under(top, z))
            collect_quota(z, znode_name(top), ret);
    }
}

const char *quota_gauge_name(enum quota_gauge g)
{
    static const char *const names[] = {
        [QUOTA_COUNT_LIMIT] = "quota_count_limit_per_namespace",
        [QUOTA_BYTES_LIMIT] = "quota_bytes_limit_per_namespace",
        [QUOTA_COUNT_USAGE] = "quota_count_usage_per_namespace",
        [QUOTA_BYTES_USAGE] = "quota_bytes_usage_per_namespace",
    };
    return names[g];
}

bool quota_gauge_is_set(const struct quota_usage *u, enum quota_gauge g)
{
    return g == QUOTA_COUNT_LIMIT || g == QUOTA_BYTES_LIMIT ? u->limited : u->used;
}

/* --- the default provider: avg_x, min_x, ... --- */

struct dump {
    metric_visit *visit;
    void *arg;
    struct buf name;
};

static void dump_named(struct dump *d, const char *prefix, struct slice key, const char *name,
                       const struct metric_value *value)
{
    buf_clear(&d->name);
    buf_printf(&d->name, "%s%.*s%s%s", prefix, (int)key.len, (const char *)key.ptr,
               key.len > 0 ? "_" : "", name);
    buf_put_u8(&d->name, 0);
    d->visit(d->arg, (const char *)d->name.ptr, value);
}

static void dump_integer(struct dump *d, const char *prefix, struct slice key, const char *name,
                         int64_t value)
{
    dump_named(d, prefix, key, name, &(struct metric_value){.integer = value});
}

static void dump_amount(struct dump *d, struct slice key, const char *name, struct metric_amount a)
{
    struct metric_value mean = {.is_real = true, .real = metrics_mean(a.sum, a.count)};
    dump_named(d, "avg_", key, name, &mean);
    dump_integer(d, "min_", key, name, (int64_t)a.min);
    dump_integer(d, "max_", key, name, (int64_t)a.max);
    dump_integer(d, "cnt_", key, name, (int64_t)a.count);
    dump_integer(d, "sum_", key, name, (int64_t)a.sum);
}

static void dump_summaries(struct dump *d, const struct node_metrics *m)
{
    struct slice none = slice_of(NULL, 0);
    for (int id = 0; id < METRIC_SUMMARY_COUNT; id++) {
        const char *name = metric_summary_name((enum metric_summary)id);
        const struct summary *s = &m->summary[id];
        struct metric_amount a = {s->count, (uint64_t)s->sum, (uint64_t)s->min, (uint64_t)s->max};
        dump_amount(d, none, name, a);
        if (!metric_summary_is_advanced((enum metric_summary)id))
            continue;
        dump_integer(d, "p50_", none, name, summary_quantile(s, 0.5));
        dump_integer(d, "p95_", none, name, summary_quantile(s, 0.95));
        dump_integer(d, "p99_", none, name, summary_quantile(s, 0.99));
        dump_integer(d, "p999_", none, name, summary_quantile(s, 0.999));
    }
}

static void dump_namespaces(struct dump *d, const struct node_metrics *m)
{
    size_t at = 0;
    for (const struct metric_namespace *ns; (ns = metric_namespace_next(m, &at)) != NULL;) {
        struct slice key = slice_of(ns->name, ns->name_bytes);
        if (ns->read.count > 0)
            dump_amount(d, key, "read_per_namespace", ns->read);
        if (ns->write.count > 0)
            dump_amount(d, key, "write_per_namespace", ns->write);
        if (ns->quota_exceeded > 0)
            dump_integer(d, "", key, "quota_exceeded_error_per_namespace",
                         (int64_t)ns->quota_exceeded);
    }
}

static void dump_quotas(struct dump *d, const struct tree *tree)
{
    struct quota_usages usages;
    quota_usages_read(tree, &usages);
    for (size_t i = 0; i < usages.count; i++) {
        const struct quota_usage *u = &usages.items[i];
        for (int g = 0; g < QUOTA_GAUGE_COUNT; g++) {
            if (quota_gauge_is_set(u, (enum quota_gauge)g))
                dump_integer(d, "", u->name, quota_gauge_name((enum quota_gauge)g), u->value[g]);
        }
    }
}

void metrics_each(struct server_info *info, metric_visit *visit, void *arg)
{
    if (info->node == NULL)
        return;
    if (info->conf.prometheus_provider) {
        prometheus_each(info, visit, arg);
        return;
    }
    struct gauges gauges;
    gauges_read(info, &gauges);
    for (size_t i = 0; i < gauges.count; i++)
        visit(arg, gauges.items[i].name, &gauges.items[i].value);

    struct dump d = {.visit = visit, .arg = arg};
    const struct node_metrics *m = node_metrics(info->node);
    if (standing_serves(info))
        dump_quotas(&d, node_tree(info->node));
    for (int id = METRIC_STAT_COUNT; id < METRIC_COUNTER_COUNT; id++)
        dump_integer(&d, "", slice_of(NULL, 0), metric_counter_name((enum metric_counter)id),
                     (int64_t)m->counter[id]);
    dump_summaries(&d, m);
    dump_namespaces(&d, m);
    buf_deinit(&d.name);
}
