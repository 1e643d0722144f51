/* metrics.h: what a server counts, under ZooKeeper's names (ServerMetrics, ServerStats).
 *
 * Two lists name every counter and summary once; the enums, the texts and all that prints them are
 * made from these. METRIC_ and the name in capitals is the number of a metric. Everything
 * ZooKeeper 3.9.5 registers is listed, also what a server alone never counts: dashboards expect the
 * key, with 0.
 *
 * A zeroed struct node_metrics is an empty one, but for metrics_deinit it owns nothing else. Pure;
 * one owner thread, the core (the driver counts in the same thread what it measures: fsynctime,
 * snapshottime, ...). Durations are in milliseconds, as ZooKeeper's. */
#ifndef CAUCUS_NODE_METRICS_H
#define CAUCUS_NODE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/summary.h"

/* Shown as gauges (ServerStats). The first two return to 0 with `srst`, the others never. */
#define NODE_STATS(X)                                                                              \
    X(PACKETS_RECEIVED, "packets_received")                                                        \
    X(PACKETS_SENT, "packets_sent")                                                                \
    X(AUTH_FAILED_COUNT, "auth_failed_count")                                                      \
    X(NON_MTLS_REMOTE_CONN_COUNT, "non_mtls_remote_conn_count")                                    \
    X(NON_MTLS_LOCAL_CONN_COUNT, "non_mtls_local_conn_count")                                      \
    X(FSYNC_THRESHOLD_EXCEED_COUNT, "fsync_threshold_exceed_count")

#define NODE_COUNTERS(X)                                                                           \
    X(SNAPSHOT_ERROR_COUNT, "snapshot_error_count")                                                \
    X(SNAPSHOT_RATE_LIMITED_COUNT, "snapshot_rate_limited_count")                                  \
    X(RESTORE_ERROR_COUNT, "restore_error_count")                                                  \
    X(RESTORE_RATE_LIMITED_COUNT, "restore_rate_limited_count")                                    \
    X(LOOKING_COUNT, "looking_count")                                                              \
    X(DIFF_COUNT, "diff_count")                                                                    \
    X(SNAP_COUNT, "snap_count")                                                                    \
    X(COMMIT_COUNT, "commit_count")                                                                \
    X(CONNECTION_REQUEST_COUNT, "connection_request_count")                                        \
    X(CONNECTION_REJECTED, "connection_rejected")                                                  \
    X(BYTES_RECEIVED_COUNT, "bytes_received_count")                                                \
    X(UNRECOVERABLE_ERROR_COUNT, "unrecoverable_error_count")                                      \
    X(ADD_DEAD_WATCHER_STALL_TIME, "add_dead_watcher_stall_time")                                  \
    X(DEAD_WATCHERS_QUEUED, "dead_watchers_queued")                                                \
    X(DEAD_WATCHERS_CLEARED, "dead_watchers_cleared")                                              \
    X(RESPONSE_PACKET_CACHE_HITS, "response_packet_cache_hits")                                    \
    X(RESPONSE_PACKET_CACHE_MISSES, "response_packet_cache_misses")                                \
    X(RESPONSE_PACKET_GET_CHILDREN_CACHE_HITS, "response_packet_get_children_cache_hits")          \
    X(RESPONSE_PACKET_GET_CHILDREN_CACHE_MISSES, "response_packet_get_children_cache_misses")      \
    X(ENSEMBLE_AUTH_SUCCESS, "ensemble_auth_success")                                              \
    X(ENSEMBLE_AUTH_FAIL, "ensemble_auth_fail")                                                    \
    X(ENSEMBLE_AUTH_SKIP, "ensemble_auth_skip")                                                    \
    X(PREP_PROCESSOR_REQUEST_QUEUED, "prep_processor_request_queued")                              \
    X(OUTSTANDING_CHANGES_QUEUED, "outstanding_changes_queued")                                    \
    X(OUTSTANDING_CHANGES_REMOVED, "outstanding_changes_removed")                                  \
    X(REVALIDATE_COUNT, "revalidate_count")                                                        \
    X(CONNECTION_DROP_COUNT, "connection_drop_count")                                              \
    X(CONNECTION_REVALIDATE_COUNT, "connection_revalidate_count")                                  \
    X(SESSIONLESS_CONNECTIONS_EXPIRED, "sessionless_connections_expired")                          \
    X(STALE_SESSIONS_EXPIRED, "stale_sessions_expired")                                            \
    X(REQUEST_COMMIT_QUEUED, "request_commit_queued")                                              \
    X(THROTTLED_OPS, "throttled_ops")                                                              \
    X(LEARNER_PROPOSAL_RECEIVED_COUNT, "learner_proposal_received_count")                          \
    X(LEARNER_COMMIT_RECEIVED_COUNT, "learner_commit_received_count")                              \
    X(SYNC_PROCESSOR_REQUEST_QUEUED, "sync_processor_request_queued")                              \
    X(PROPOSAL_COUNT, "proposal_count")                                                            \
    X(QUIT_LEADING_DUE_TO_DISLOYAL_VOTER, "quit_leading_due_to_disloyal_voter")                    \
    X(STALE_REQUESTS, "stale_requests")                                                            \
    X(STALE_REQUESTS_DROPPED, "stale_requests_dropped")                                            \
    X(STALE_REPLIES, "stale_replies")                                                              \
    X(REQUEST_THROTTLE_WAIT_COUNT, "request_throttle_wait_count")                                  \
    X(LARGE_REQUESTS_REJECTED, "large_requests_rejected")                                          \
    X(DIGEST_MISMATCHES_COUNT, "digest_mismatches_count")                                          \
    X(UNSUCCESSFUL_HANDSHAKE, "unsuccessful_handshake")                                            \
    X(INSECURE_ADMIN_COUNT, "insecure_admin_count")                                                \
    X(TLS_HANDSHAKE_EXCEEDED, "tls_handshake_exceeded")                                            \
    X(CNXN_CLOSED_WITHOUT_ZK_SERVER_RUNNING, "cnxn_closed_without_zk_server_running")              \
    X(SKIP_LEARNER_REQUEST_TO_NEXT_PROCESSOR_COUNT,                                                \
      "skip_learner_request_to_next_processor_count")                                              \
    X(REQUESTS_NOT_FORWARDED_TO_COMMIT_PROCESSOR, "requests_not_forwarded_to_commit_processor")    \
    X(RESPONSE_BYTES, "response_bytes")                                                            \
    X(WATCH_BYTES, "watch_bytes")

/* The third column: whether percentiles are shown (ZooKeeper's DetailLevel ADVANCED). */
#define NODE_SUMMARIES(X)                                                                          \
    X(FSYNCTIME, "fsynctime", false)                                                               \
    X(SNAPSHOTTIME, "snapshottime", false)                                                         \
    X(RESTORE_TIME, "restore_time", false)                                                         \
    X(DBINITTIME, "dbinittime", false)                                                             \
    X(READLATENCY, "readlatency", true)                                                            \
    X(UPDATELATENCY, "updatelatency", true)                                                        \
    X(PROPAGATION_LATENCY, "propagation_latency", true)                                            \
    X(FOLLOWER_SYNC_TIME, "follower_sync_time", false)                                             \
    X(OBSERVER_SYNC_TIME, "observer_sync_time", false)                                             \
    X(ELECTION_TIME, "election_time", false)                                                       \
    X(CONNECTION_TOKEN_DEFICIT, "connection_token_deficit", false)                                 \
    X(INFLIGHT_SNAP_COUNT, "inflight_snap_count", false)                                           \
    X(INFLIGHT_DIFF_COUNT, "inflight_diff_count", false)                                           \
    X(NODE_CREATED_WATCH_COUNT, "node_created_watch_count", false)                                 \
    X(NODE_DELETED_WATCH_COUNT, "node_deleted_watch_count", false)                                 \
    X(NODE_CHANGED_WATCH_COUNT, "node_changed_watch_count", false)                                 \
    X(NODE_CHILDREN_WATCH_COUNT, "node_children_watch_count", false)                               \
    X(DEAD_WATCHERS_CLEANER_LATENCY, "dead_watchers_cleaner_latency", true)                        \
    X(PREP_PROCESSOR_QUEUE_TIME_MS, "prep_processor_queue_time_ms", true)                          \
    X(PREP_PROCESSOR_QUEUE_SIZE, "prep_processor_queue_size", false)                               \
    X(PREP_PROCESS_TIME, "prep_process_time", false)                                               \
    X(PROPOSAL_PROCESS_TIME, "proposal_process_time", false)                                       \
    X(CLOSE_SESSION_PREP_TIME, "close_session_prep_time", true)                                    \
    X(UNAVAILABLE_TIME, "unavailable_time", false)                                                 \
    X(LEADER_UNAVAILABLE_TIME, "leader_unavailable_time", false)                                   \
    X(REQUESTS_IN_SESSION_QUEUE, "requests_in_session_queue", false)                               \
    X(PENDING_SESSION_QUEUE_SIZE, "pending_session_queue_size", false)                             \
    X(READS_AFTER_WRITE_IN_SESSION_QUEUE, "reads_after_write_in_session_queue", false)             \
    X(READS_ISSUED_FROM_SESSION_QUEUE, "reads_issued_from_session_queue", false)                   \
    X(SESSION_QUEUES_DRAINED, "session_queues_drained", false)                                     \
    X(TIME_WAITING_EMPTY_POOL_IN_COMMIT_PROCESSOR_READ_MS,                                         \
      "time_waiting_empty_pool_in_commit_processor_read_ms", false)                                \
    X(WRITE_BATCH_TIME_IN_COMMIT_PROCESSOR, "write_batch_time_in_commit_processor", false)         \
    X(CONCURRENT_REQUEST_PROCESSING_IN_COMMIT_PROCESSOR,                                           \
      "concurrent_request_processing_in_commit_processor", false)                                  \
    X(READ_COMMIT_PROC_REQ_QUEUED, "read_commit_proc_req_queued", false)                           \
    X(WRITE_COMMIT_PROC_REQ_QUEUED, "write_commit_proc_req_queued", false)                         \
    X(COMMIT_COMMIT_PROC_REQ_QUEUED, "commit_commit_proc_req_queued", false)                       \
    X(READ_COMMIT_PROC_ISSUED, "read_commit_proc_issued", false)                                   \
    X(WRITE_COMMIT_PROC_ISSUED, "write_commit_proc_issued", false)                                 \
    X(READ_COMMITPROC_TIME_MS, "read_commitproc_time_ms", true)                                    \
    X(WRITE_COMMITPROC_TIME_MS, "write_commitproc_time_ms", true)                                  \
    X(LOCAL_WRITE_COMMITTED_TIME_MS, "local_write_committed_time_ms", true)                        \
    X(SERVER_WRITE_COMMITTED_TIME_MS, "server_write_committed_time_ms", true)                      \
    X(COMMIT_PROCESS_TIME, "commit_process_time", false)                                           \
    X(OM_PROPOSAL_PROCESS_TIME_MS, "om_proposal_process_time_ms", true)                            \
    X(OM_COMMIT_PROCESS_TIME_MS, "om_commit_process_time_ms", true)                                \
    X(READ_FINAL_PROC_TIME_MS, "read_final_proc_time_ms", true)                                    \
    X(WRITE_FINAL_PROC_TIME_MS, "write_final_proc_time_ms", true)                                  \
    X(PROPOSAL_LATENCY, "proposal_latency", true)                                                  \
    X(PROPOSAL_ACK_CREATION_LATENCY, "proposal_ack_creation_latency", true)                        \
    X(COMMIT_PROPAGATION_LATENCY, "commit_propagation_latency", true)                              \
    X(STARTUP_TXNS_LOADED, "startup_txns_loaded", false)                                           \
    X(STARTUP_TXNS_LOAD_TIME, "startup_txns_load_time", false)                                     \
    X(STARTUP_SNAP_LOAD_TIME, "startup_snap_load_time", false)                                     \
    X(SYNC_PROCESSOR_QUEUE_AND_FLUSH_TIME_MS, "sync_processor_queue_and_flush_time_ms", true)      \
    X(SYNC_PROCESSOR_QUEUE_SIZE, "sync_processor_queue_size", false)                               \
    X(SYNC_PROCESSOR_QUEUE_TIME_MS, "sync_processor_queue_time_ms", true)                          \
    X(SYNC_PROCESSOR_QUEUE_FLUSH_TIME_MS, "sync_processor_queue_flush_time_ms", true)              \
    X(SYNC_PROCESS_TIME, "sync_process_time", false)                                               \
    X(SYNC_PROCESSOR_BATCH_SIZE, "sync_processor_batch_size", false)                               \
    X(QUORUM_ACK_LATENCY, "quorum_ack_latency", true)                                              \
    X(REQUEST_THROTTLE_QUEUE_TIME_MS, "request_throttle_queue_time_ms", true)                      \
    X(NETTY_QUEUED_BUFFER_CAPACITY, "netty_queued_buffer_capacity", false)                         \
    X(LEARNER_REQUEST_PROCESSOR_QUEUE_SIZE, "learner_request_processor_queue_size", false)         \
    X(SOCKET_CLOSING_TIME, "socket_closing_time", false)                                           \
    X(JVM_PAUSE_TIME_MS, "jvm_pause_time_ms", true)

#define METRIC_ENUM_COUNTER(id, text)           METRIC_##id,
#define METRIC_ENUM_SUMMARY(id, text, advanced) METRIC_##id,
enum metric_counter {
    NODE_STATS(METRIC_ENUM_COUNTER)
    METRIC_STAT_COUNT, /* the number of the first of NODE_COUNTERS */
    METRIC_STAT_LAST = METRIC_STAT_COUNT - 1,
    NODE_COUNTERS(METRIC_ENUM_COUNTER) METRIC_COUNTER_COUNT
};
enum metric_summary {
    NODE_SUMMARIES(METRIC_ENUM_SUMMARY) METRIC_SUMMARY_COUNT
};
#undef METRIC_ENUM_COUNTER
#undef METRIC_ENUM_SUMMARY

/* Per top-level znode ("/a/b" counts for "a"): the names come from clients, so how many and how
 * long they may be is bounded; what does not fit is not counted. */
enum {
    METRIC_NAMESPACES_MAX = 128,
    METRIC_NAMESPACE_BYTES_MAX = 128
};

struct metric_amount {
    uint64_t count, sum, min, max;
};

/* Of buffers (BufferStats); ZooKeeper shows -1 for "none yet", see metric_sizes_shown. */
struct metric_sizes {
    uint64_t count;
    int64_t last, min, max;
};

struct metric_namespace {
    struct metric_amount read, write; /* read_per_namespace, write_per_namespace: bytes */
    uint64_t quota_exceeded;          /* quota_exceeded_error_per_namespace */
    uint8_t name_bytes;
    char name[METRIC_NAMESPACE_BYTES_MAX];
};

struct node_metrics {
    uint64_t counter[METRIC_COUNTER_COUNT];
    struct summary summary[METRIC_SUMMARY_COUNT];
    struct metric_amount latency; /* of every answered request: `srvr`, avg_latency, ... */
    struct metric_sizes response_sizes;
    struct metric_sizes proposal_sizes;  /* shown by a leader only */
    struct metric_namespace *namespaces; /* an open hash table, or NULL */
    size_t namespace_count;
};

void node_metrics_deinit(struct node_metrics *m);
/* `srst`: all but the stats and gauges that ZooKeeper keeps, and the sizes of proposals. */
void node_metrics_reset(struct node_metrics *m);

static inline void metric_inc(struct node_metrics *m, enum metric_counter id)
{
    m->counter[id]++;
}

static inline void metric_add(struct node_metrics *m, enum metric_counter id, uint64_t by)
{
    m->counter[id] += by;
}

static inline void metric_add_sample(struct node_metrics *m, enum metric_summary id, uint64_t value)
{
    summary_add(&m->summary[id], (int64_t)value);
}

static inline void metric_amount_add(struct metric_amount *a, uint64_t value)
{
    if (a->count == 0 || value < a->min)
        a->min = value;
    if (value > a->max)
        a->max = value;
    a->count++;
    a->sum += value;
}

/* A request was answered (ServerStats.updateLatency); a negative latency (the clock) is not
 * counted. */
static inline void metric_latency(struct node_metrics *m, int64_t latency_ms, bool write)
{
    if (latency_ms < 0)
        return;
    metric_amount_add(&m->latency, (uint64_t)latency_ms);
    metric_add_sample(m, write ? METRIC_UPDATELATENCY : METRIC_READLATENCY, (uint64_t)latency_ms);
}

static inline void metric_size_add(struct metric_sizes *s, int64_t bytes)
{
    if (s->count == 0 || bytes < s->min)
        s->min = bytes;
    if (s->count == 0 || bytes > s->max)
        s->max = bytes;
    s->last = bytes;
    s->count++;
}

static inline struct metric_sizes metric_sizes_shown(const struct metric_sizes *s)
{
    return s->count > 0 ? *s : (struct metric_sizes){.last = -1, .min = -1, .max = -1};
}

/* Bytes of a response without its length prefix. */
static inline void metric_response_size(struct node_metrics *m, int64_t bytes)
{
    metric_size_add(&m->response_sizes, bytes);
}

/* A transaction was proposed: bytes of header, body and digest together. */
static inline void metric_proposal_size(struct node_metrics *m, size_t bytes)
{
    metric_size_add(&m->proposal_sizes, (int64_t)bytes);
}

/* How old a transaction is, by the leader's wall clock in its header and by ours: two clocks, so it
 * may be negative, and is not counted then (Request.logLatency). */
static inline void metric_age(struct node_metrics *m, enum metric_summary id, int64_t made_ms,
                              int64_t wall_ms)
{
    if (wall_ms >= made_ms)
        metric_add_sample(m, id, (uint64_t)(wall_ms - made_ms));
}

/* DataTree.updateReadStat and updateWriteStat: `bytes` as they count them, before path and stat are
 * added. */
void metric_namespace_read(struct node_metrics *m, struct slice path, size_t bytes);
void metric_namespace_write(struct node_metrics *m, struct slice path, size_t bytes);
void metric_namespace_quota_exceeded(struct node_metrics *m, struct slice path);
/* Iteration: *at starts at 0; NULL at the end. */
const struct metric_namespace *metric_namespace_next(const struct node_metrics *m, size_t *at);

const char *metric_counter_name(enum metric_counter id);
const char *metric_summary_name(enum metric_summary id);
bool metric_summary_is_advanced(enum metric_summary id);

#endif
