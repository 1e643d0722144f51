#include "server/admin_command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/admin_ensemble.h"
#include "server/command_internal.h"
#include "server/metrics.h"
#include "server/standing.h"

static void put_key(char key[24], int64_t number)
{
    snprintf(key, 24, "%" PRId64, number);
}

static void text(struct json *j, const char *key, const char *value)
{
    json_text(j, key, slice_str(value));
}

static const char *run_nothing(const struct admin_call *call, struct json *j)
{
    (void)call;
    (void)j;
    return NULL;
}

static const char *run_configuration(const struct admin_call *call, struct json *j)
{
    const struct server_conf *c = &call->info->conf;
    json_integer(j, "client_port", c->client_port);
    text(j, "data_dir", c->snap_dir);
    text(j, "data_log_dir", c->log_dir);
    json_integer(j, "tick_time", c->tick_time_ms);
    json_integer(j, "max_client_cnxns", c->client_cnxns_max);
    json_integer(j, "min_session_timeout", c->session_timeout_min_ms);
    json_integer(j, "max_session_timeout", c->session_timeout_max_ms);
    json_integer(j, "server_id", c->server_id);
    json_integer(j, "client_port_listen_backlog", c->client_port_listen_backlog);
    return NULL;
}

/* --- connections --- */

struct connection_list {
    struct server_info *info;
    struct json *j;
    bool secure; /* which of the two lists */
    bool brief;
    struct buf address;
};

static void put_connection(void *arg, const struct node_client_view *v)
{
    struct connection_list *l = arg;
    if (v->secure != l->secure)
        return;
    struct json *j = l->j;
    buf_clear(&l->address);
    connection_address(l->info, v, &l->address);
    json_object_open(j, NULL);
    json_text(j, "remote_socket_address", buf_slice(&l->address));
    json_integer(j, "interest_ops", 1);
    json_integer(j, "outstanding_requests", (int64_t)v->outstanding);
    json_integer(j, "packets_received", (int64_t)v->received);
    json_integer(j, "packets_sent", (int64_t)v->sent);
    if (!l->brief) {
        json_integer(j, "session_id", v->session_id);
        text(j, "last_operation", v->last_op);
        json_integer(j, "established", v->opened_wall_ms);
        json_integer(j, "session_timeout", v->timeout_ms);
        json_integer(j, "last_cxid", v->last_cxid);
        json_integer(j, "last_zxid", v->last_zxid);
        json_integer(j, "last_response_time", v->last_response_ms);
        json_integer(j, "last_latency", v->last_latency_ms);
        json_integer(j, "min_latency", v->latency_min_ms);
        json_integer(j, "avg_latency",
                     v->latency_count ? v->latency_total_ms / (int64_t)v->latency_count : 0);
        json_integer(j, "max_latency", v->latency_max_ms);
    }
    json_object_close(j);
}

static void put_connections(struct server_info *info, struct json *j, bool brief)
{
    struct connection_list l = {.info = info, .j = j, .brief = brief};
    json_array_open(j, "connections");
    node_each_client(info->node, put_connection, &l);
    json_array_close(j);
    l.secure = true;
    json_array_open(j, "secure_connections");
    node_each_client(info->node, put_connection, &l);
    json_array_close(j);
    buf_deinit(&l.address);
}

static const char *run_connections(const struct admin_call *call, struct json *j)
{
    put_connections(call->info, j, false);
    return NULL;
}

static const char *run_connection_stat_reset(const struct admin_call *call, struct json *j)
{
    (void)j;
    node_reset_client_stats(call->info->node);
    return NULL;
}

static const char *run_dirs(const struct admin_call *call, struct json *j)
{
    json_integer(j, "datadir_size", directory_bytes(call->info->conf.snap_dir));
    json_integer(j, "logdir_size", directory_bytes(call->info->conf.log_dir));
    return NULL;
}

/* --- dump --- */

static void put_session(void *arg, int64_t expires_ms, size_t count, const struct session *s)
{
    struct json *j = arg;
    if (s != NULL) {
        json_integer(j, NULL, s->id);
        return;
    }
    (void)count;
    if (j->level[j->depth].array)
        json_array_close(j);
    char key[24];
    put_key(key, expires_ms);
    json_array_open(j, key);
}

static void put_path(void *arg, struct slice path)
{
    json_text(arg, NULL, path);
}

struct owners {
    const struct tree *tree;
    struct json *j;
};

static void put_owner(void *arg, int64_t session_id)
{
    struct owners *o = arg;
    char key[24];
    put_key(key, session_id);
    json_array_open(o->j, key);
    tree_ephemerals_of(o->tree, session_id, put_path, o->j);
    json_array_close(o->j);
}

static const char *run_dump(const struct admin_call *call, struct json *j)
{
    struct node *n = call->info->node;
    struct server_ensemble e;
    standing_read(call->info, &e);
    json_object_open(j, "expiry_time_to_session_ids");
    if (e.role == NODE_ALONE || standing_leads(&e)) /* nobody else knows when a session ends */
        session_each_by_expiry(node_sessions(n), put_session, j);
    if (j->level[j->depth].array)
        json_array_close(j);
    json_object_close(j);

    json_object_open(j, "session_id_to_ephemeral_paths");
    struct owners o = {node_tree(n), j};
    tree_ephemeral_sessions(o.tree, put_owner, &o);
    json_object_close(j);
    return NULL;
}

static void put_entry(void *arg, const char *key, const char *value)
{
    text(arg, key, value);
}

static const char *run_environment(const struct admin_call *call, struct json *j)
{
    (void)call;
    environment_each(put_entry, j);
    return NULL;
}

static const char *run_system_properties(const struct admin_call *call, struct json *j)
{
    environment_each(put_entry, j);
    struct buf key = {0};
    for (size_t i = 0; i < call->info->conf.setting_count; i++) {
        buf_clear(&key);
        buf_printf(&key, "zookeeper.%s", call->info->conf.settings[i].key);
        buf_put_u8(&key, 0);
        const char *value = call->info->conf.settings[i].value;
        text(j, (const char *)key.ptr, value != NULL ? value : "");
    }
    buf_deinit(&key);
    return NULL;
}

static const char *run_get_trace_mask(const struct admin_call *call, struct json *j)
{
    json_integer(j, "tracemask", call->info->trace_mask);
    return NULL;
}

static const char *run_set_trace_mask(const struct admin_call *call, struct json *j)
{
    const char *given = call->argument(call->arg, "traceMask");
    if (given == NULL)
        return "setTraceMask requires long traceMask argument";
    char *end;
    errno = 0;
    long long mask = strtoll(given, &end, 10);
    bool number = (given[0] >= '0' && given[0] <= '9') || given[0] == '-' || given[0] == '+';
    if (!number || *end != '\0' || end == given || errno != 0)
        return "setTraceMask requires long traceMask argument, got something else";
    call->info->trace_mask = mask;
    json_integer(j, "tracemask", mask);
    return NULL;
}

static const char *run_hash(const struct admin_call *call, struct json *j)
{
    const struct tree_digest_entry *entries;
    size_t count = tree_digest_history(node_tree(call->info->node), &entries);
    json_array_open(j, "digests");
    for (size_t i = 0; i < count; i++) {
        json_object_open(j, NULL);
        json_integer(j, "zxid", entries[i].zxid);
        json_integer(j, "digest", (int64_t)entries[i].digest);
        json_integer(j, "digest_version", entries[i].version);
        json_object_close(j);
    }
    json_array_close(j);
    return NULL;
}

static const char *run_initial_configuration(const struct admin_call *call, struct json *j)
{
    text(j, "initial_configuration", call->info->conf.text);
    return NULL;
}

static const char *run_is_read_only(const struct admin_call *call, struct json *j)
{
    struct server_ensemble e;
    standing_read(call->info, &e);
    json_bool(j, "read_only", e.read_only);
    return NULL;
}

static const char *run_last_snapshot(const struct admin_call *call, struct json *j)
{
    char zxid[24];
    snprintf(zxid, sizeof zxid, "%" PRIx64, (uint64_t)call->info->last_snapshot_zxid);
    text(j, "zxid", zxid);
    json_integer(j, "timestamp", call->info->last_snapshot_wall_s);
    return NULL;
}

static void put_metric(void *arg, const char *name, const struct metric_value *value)
{
    if (value->is_real)
        json_real(arg, name, value->real);
    else
        json_integer(arg, name, value->integer);
}

static const char *run_monitor(const struct admin_call *call, struct json *j)
{
    struct server_ensemble e;
    standing_read(call->info, &e);
    text(j, "version", SERVER_VERSION_TEXT);
    text(j, "server_state", standing_mode(&e));
    if (e.role != NODE_ALONE && !e.read_only) {
        struct buf state = {0};
        standing_peer_state(&e, &state);
        json_text(j, "peer_state", buf_slice(&state));
        buf_deinit(&state);
    }
    if (standing_in_quorum(&e) && e.role == NODE_OBSERVING)
        json_integer(j, "observer_master_id", e.leader);
    metrics_each(call->info, put_metric, j);
    return NULL;
}

/* --- statistics --- */

static void put_sizes(struct json *j, const char *key, const struct metric_sizes *sizes)
{
    struct metric_sizes shown = metric_sizes_shown(sizes);
    json_object_open(j, key);
    json_integer(j, "last_buffer_size", shown.last);
    json_integer(j, "min_buffer_size", shown.min);
    json_integer(j, "max_buffer_size", shown.max);
    json_object_close(j);
}

static int64_t counted(const struct node_metrics *m, enum metric_counter id)
{
    return (int64_t)m->counter[id];
}

static void put_server_stats(struct server_info *info, const struct server_ensemble *e,
                             struct json *j)
{
    const struct node_metrics *m = node_metrics(info->node);
    json_object_open(j, "server_stats");
    json_integer(j, "packets_sent", counted(m, METRIC_PACKETS_SENT));
    json_integer(j, "packets_received", counted(m, METRIC_PACKETS_RECEIVED));
    json_integer(j, "fsync_threshold_exceed_count",
                 counted(m, METRIC_FSYNC_THRESHOLD_EXCEED_COUNT));
    put_sizes(j, "client_response_stats", &m->response_sizes);
    json_integer(j, "data_dir_size", directory_bytes(info->conf.snap_dir));
    json_integer(j, "log_dir_size", directory_bytes(info->conf.log_dir));
    json_integer(j, "last_processed_zxid", tree_last_zxid(node_tree(info->node)));
    json_integer(j, "outstanding_requests", (int64_t)node_outstanding(info->node));
    text(j, "server_state", standing_mode(e));
    json_real(j, "avg_latency", metrics_mean(m->latency.sum, m->latency.count));
    json_integer(j, "max_latency", (int64_t)m->latency.max);
    json_integer(j, "min_latency", (int64_t)m->latency.min);
    json_integer(j, "num_alive_client_connections", (int64_t)info->connection_count(info->driver));
    json_bool(j, "provider_null", false);
    json_integer(j, "uptime", info->now_ms(info->driver) - info->started_ms);
    json_integer(j, "non_mtlsremote_conn_count", counted(m, METRIC_NON_MTLS_REMOTE_CONN_COUNT));
    json_integer(j, "non_mtlslocal_conn_count", counted(m, METRIC_NON_MTLS_LOCAL_CONN_COUNT));
    json_integer(j, "auth_failed_count", counted(m, METRIC_AUTH_FAILED_COUNT));
    json_object_close(j);
}

static const char *run_server_stats(const struct admin_call *call, struct json *j)
{
    struct server_info *info = call->info;
    struct server_ensemble e;
    standing_read(info, &e);
    text(j, "version", SERVER_VERSION_TEXT);
    json_bool(j, "read_only", e.read_only);
    put_server_stats(info, &e, j);
    put_sizes(j, "client_response", &node_metrics(info->node)->response_sizes);
    if (standing_leads(&e))
        put_sizes(j, "proposal_stats", &node_metrics(info->node)->proposal_sizes);
    json_integer(j, "node_count", (int64_t)tree_node_count(node_tree(info->node)) + 1);
    return NULL;
}

static const char *run_stats(const struct admin_call *call, struct json *j)
{
    run_server_stats(call, j);
    put_connections(call->info, j, true);
    return NULL;
}

static const char *run_stat_reset(const struct admin_call *call, struct json *j)
{
    (void)j;
    node_reset_stats(call->info->node);
    return NULL;
}

/* --- watches --- */

struct watch_groups {
    struct server_info *info;
    struct json *j;
    const uint8_t *path; /* of the open group */
    uint64_t watcher;    /* of the open group */
};

static void put_watch_of_session(void *arg, uint64_t watcher, struct slice path)
{
    struct watch_groups *g = arg;
    bool open = g->j->level[g->j->depth].array;
    if (open && g->watcher != watcher)
        json_array_close(g->j);
    if (!open || g->watcher != watcher) {
        char key[24];
        put_key(key, session_of_client(g->info, watcher));
        json_array_open(g->j, key);
    }
    g->watcher = watcher;
    json_text(g->j, NULL, path);
}

/* A path is stored once in the table: the same bytes are the same path. */
static void put_watch_of_path(void *arg, uint64_t watcher, struct slice path)
{
    struct watch_groups *g = arg;
    bool open = g->j->level[g->j->depth].array;
    if (open && g->path != path.ptr)
        json_array_close(g->j);
    if (!open || g->path != path.ptr)
        json_array_open_named(g->j, path);
    g->path = path.ptr;
    json_integer(g->j, NULL, session_of_client(g->info, watcher));
}

static void close_groups(struct json *j)
{
    if (j->level[j->depth].array)
        json_array_close(j);
    json_object_close(j);
}

static const char *run_watches(const struct admin_call *call, struct json *j)
{
    struct watch_groups g = {.info = call->info, .j = j};
    json_object_open(j, "session_id_to_watched_paths");
    watch_each_by_watcher(node_watches(call->info->node), put_watch_of_session, &g);
    close_groups(j);
    return NULL;
}

static const char *run_watches_by_path(const struct admin_call *call, struct json *j)
{
    struct watch_groups g = {.info = call->info, .j = j};
    json_object_open(j, "path_to_session_ids");
    watch_each_by_path(node_watches(call->info->node), put_watch_of_path, &g);
    close_groups(j);
    return NULL;
}

static const char *run_watch_summary(const struct admin_call *call, struct json *j)
{
    const struct watch_table *w = node_watches(call->info->node);
    json_integer(j, "num_connections", (int64_t)watch_watcher_count(w));
    json_integer(j, "num_paths", (int64_t)watch_path_count(w));
    json_integer(j, "num_total_watches", (int64_t)watch_data_count(w));
    return NULL;
}

static const struct admin_command commands[] = {
    {"configuration", "conf config", ADMIN_JSON, false, run_configuration},
    {"connection_stat_reset", "crst", ADMIN_JSON, false, run_connection_stat_reset},
    {"connections", "cons", ADMIN_JSON, false, run_connections},
    {"dirs", "", ADMIN_JSON, false, run_dirs},
    {"dump", "", ADMIN_JSON, false, run_dump},
    {"environment", "env envi", ADMIN_JSON, true, run_environment},
    {"get_trace_mask", "gtmk", ADMIN_JSON, true, run_get_trace_mask},
    {"hash", "", ADMIN_JSON, false, run_hash},
    {"initial_configuration", "icfg", ADMIN_JSON, false, run_initial_configuration},
    {"is_read_only", "isro", ADMIN_JSON, false, run_is_read_only},
    {"last_snapshot", "lsnp", ADMIN_JSON, false, run_last_snapshot},
    {"leader", "lead", ADMIN_JSON, false, admin_run_leader},
    {"monitor", "mntr", ADMIN_JSON, true, run_monitor},
    {"observer_connection_stat_reset", "orst", ADMIN_JSON, false, run_nothing},
    {"observers", "obsr", ADMIN_JSON, false, admin_run_observers},
    {"restore", "rest", ADMIN_RESTORE, false, NULL},
    {"ruok", "", ADMIN_JSON, false, run_nothing},
    {"server_stats", "srvr", ADMIN_JSON, false, run_server_stats},
    {"set_trace_mask", "stmk", ADMIN_JSON, true, run_set_trace_mask},
    {"snapshot", "snap", ADMIN_SNAPSHOT, false, NULL},
    {"stat_reset", "srst", ADMIN_JSON, false, run_stat_reset},
    {"stats", "stat", ADMIN_JSON, false, run_stats},
    {"system_properties", "sysp", ADMIN_JSON, true, run_system_properties},
    {"voting_view", "", ADMIN_JSON, false, admin_run_voting_view},
    {"watch_summary", "wchs", ADMIN_JSON, false, run_watch_summary},
    {"watches", "wchc", ADMIN_JSON, false, run_watches},
    {"watches_by_path", "wchp", ADMIN_JSON, false, run_watches_by_path},
    {"zabstate", "", ADMIN_JSON, true, admin_run_zabstate},
};

const struct admin_command *admin_command_at(size_t i)
{
    return i < sizeof commands / sizeof *commands ? &commands[i] : NULL;
}

static bool has_alias(const char *aliases, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = aliases; *at != '\0';) {
        size_t alias = strcspn(at, " ");
        if (alias == len && memcmp(at, name, len) == 0)
            return true;
        at += alias + (at[alias] == ' ');
    }
    return false;
}

const struct admin_command *admin_command_find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) == 0 || has_alias(commands[i].aliases, name))
            return &commands[i];
    }
    return NULL;
}

static void put_closing(struct json *j, const char *name, const char *error)
{
    text(j, "command", name);
    if (error != NULL)
        text(j, "error", error);
    else
        json_null(j, "error");
    json_end(j);
}

void admin_command_error(const char *name, const char *error, struct buf *out)
{
    struct json j;
    json_begin(&j, out);
    put_closing(&j, name, error);
}

void admin_command_answer(const struct admin_command *c, const struct admin_call *call,
                          struct buf *out)
{
    if (!c->without_server && !standing_serves(call->info)) {
        admin_command_error(c->name, SERVER_NOT_SERVING, out);
        return;
    }
    struct json j;
    json_begin(&j, out);
    const char *error = c->run(call, &j);
    put_closing(&j, c->name, error);
}
