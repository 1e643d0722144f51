/* metrics.c: numbers in Prometheus' text form. */
#include <inttypes.h>

#include "election/service_internal.h"

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_u64(struct buf *b, const char *name, const char *type, const char *help,
                    uint64_t value)
{
    head(b, name, type, help);
    buf_printf(b, "%s %" PRIu64 "\n", name, value);
}

static void put_votes(const struct service *s, struct buf *b)
{
    const struct castings *t = &s->castings;
    uint64_t below = 0;
    double limit_s = 0.0001;
    head(b, "votes_admitted_total", "counter", "votes that came in at this server, by outcome");
    for (int i = 0; i < CAST_OUTCOME_COUNT; i++)
        buf_printf(b, "votes_admitted_total{outcome=\"%s\"} %" PRIu64 "\n",
                   cast_outcome_name((enum cast_outcome)i), t->outcomes[i]);
    head(b, "commit_latency_seconds", "histogram", "from a vote's arrival to its answer");
    for (int i = 0; i < CAST_BUCKETS; i++, limit_s *= 2) {
        below += t->latency[i];
        if (i + 1 < CAST_BUCKETS)
            buf_printf(b, "commit_latency_seconds_bucket{le=\"%g\"} %" PRIu64 "\n", limit_s, below);
        else
            buf_printf(b, "commit_latency_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", below);
    }
    buf_printf(b, "commit_latency_seconds_sum %.6f\ncommit_latency_seconds_count %" PRIu64 "\n",
               (double)t->latency_ns_sum / 1e9, below);
    put_u64(b, "votes_forwarded_total", "counter", "attempts at other servers", t->forwarded);
    put_u64(b, "votes_retried_total", "counter", "attempts that waited for a better time",
            t->retried);
    put_u64(b, "votes_under_way", "gauge", "votes that have no answer yet", t->used);
}

enum shard_metric {
    METRIC_IS_LEADER,
    METRIC_EPOCH,
    METRIC_ROUND,
    METRIC_PHASE,
    METRIC_COMMIT_INDEX,
    METRIC_APPLIED_INDEX,
    METRIC_PENDING,
    METRIC_LEADER_CHANGES,
    METRIC_ROLL_DIFFERS,
    METRIC_OUT_OF_REACH,
    METRIC_LOST,
    METRIC_COUNT,
};

static const struct {
    const char *name, *type, *help;
} shard_metrics[METRIC_COUNT] = {
    {"is_leader", "gauge", "this server leads the state"},
    {"epoch", "gauge", "of Commit"},
    {"round", "gauge", "of the log"},
    {"phase", "gauge", "0 idle, 1 open, 2 closing, 3 closed"},
    {"commit_index", "gauge", "records that are committed, as far as it is known here"},
    {"applied_index", "gauge", "records that are counted"},
    {"pending_votes", "gauge", "records in the log that are not committed"},
    {"leader_changes_total", "counter", "times this server began to lead the state"},
    {"roll_differs", "gauge", "another server of the state has another roll"},
    {"out_of_reach", "gauge", "votes that are committed are on no disk that can be reached"},
    {"lost_records", "gauge", "committed in this round and given up, as no server had them"},
};

static uint64_t lost_records(const struct replica *r)
{
    const struct service *s = r->service;
    return s->coordination != NULL
               ? commit_lost(&coordination_state(s->coordination, r->state)->commit)
               : 0;
}

static uint64_t shard_metric(const struct replica *r, const struct shard_status *st,
                             enum shard_metric m)
{
    const uint64_t values[METRIC_COUNT] = {
        st->leading,
        st->epoch,
        st->round,
        st->phase,
        st->committed,
        st->counted,
        st->last - st->committed,
        r->leader_changes,
        r->roll_differs,
        r->out_of_reach,
        lost_records(r),
    };
    return values[m];
}

static void put_shards(const struct service *s, struct buf *b)
{
    struct shard_status status[STATES_MAX];
    const struct election_info *info = &s->definition->info;
    for (uint32_t i = 0; i < info->state_count; i++) {
        if (s->replicas[i] != NULL && s->replicas[i]->shard != NULL)
            status[i] = shard_status(s->replicas[i]->shard);
    }
    for (int m = 0; m < METRIC_COUNT; m++) {
        head(b, shard_metrics[m].name, shard_metrics[m].type, shard_metrics[m].help);
        for (uint32_t i = 0; i < info->state_count; i++) {
            if (s->replicas[i] == NULL || s->replicas[i]->shard == NULL)
                continue;
            buf_printf(b, "%s{state=\"%s\"} %" PRIu64 "\n", shard_metrics[m].name,
                       info->states[i].names.code,
                       shard_metric(s->replicas[i], &status[i], (enum shard_metric)m));
        }
    }
}

static void put_disk(const struct service *s, struct buf *b)
{
    struct disk_report r;
    disk_get_report(s->disk, &r);
    head(b, "fsync_seconds", "summary", "syncs of the logs");
    buf_printf(b, "fsync_seconds_sum %.6f\nfsync_seconds_count %" PRIu64 "\n",
               (double)r.sync_ns_sum / 1e9, r.syncs);
    put_u64(b, "log_bytes_total", "counter", "written to the logs", r.bytes);
    put_u64(b, "log_queued_bytes", "gauge", "on their way to the disk", r.queued_bytes);
}

static void put_coordination(const struct service *s, struct buf *b)
{
    if (s->coordination == NULL)
        return;
    const struct coordination_stats *c = coordination_stats(s->coordination);
    head(b, "coord_writes_total", "counter", "writes of Commit, by result");
    buf_printf(b,
               "coord_writes_total{result=\"ok\"} %" PRIu64 "\n"
               "coord_writes_total{result=\"refused\"} %" PRIu64 "\n"
               "coord_writes_total{result=\"unknown\"} %" PRIu64 "\n",
               c->writes_ok, c->writes_refused, c->writes_unknown);
    head(b, "coord_write_seconds", "summary", "time of those that were answered");
    buf_printf(b, "coord_write_seconds_sum %.6f\ncoord_write_seconds_count %" PRIu64 "\n",
               (double)c->write_ns_total / 1e9, c->writes_ok + c->writes_refused);
    put_u64(b, "coord_reads_total", "counter", "reads", c->reads);
    put_u64(b, "coord_sessions_total", "counter", "sessions that were begun", c->sessions);
    put_u64(b, "session_state", "gauge", "1: connected",
            coordination_is_connected(s->coordination));
}

void service_metrics(const struct service *s, struct buf *out)
{
    size_t at = 0;
    uint64_t links = 0;
    while (links_next(s->links, &at) != NULL)
        links++;
    put_votes(s, out);
    put_shards(s, out);
    put_disk(s, out);
    put_coordination(s, out);
    put_u64(out, "links_up", "gauge", "other servers that can be heard", links);
    if (s->more_metrics != NULL)
        s->more_metrics(s->more_metrics_arg, out);
}

void service_more_metrics(struct service *s, service_metrics_fn *put, void *arg)
{
    s->more_metrics = put;
    s->more_metrics_arg = arg;
}
