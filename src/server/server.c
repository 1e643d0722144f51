#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/open_files.h"

enum {
    NS_PER_MS = 1000000
};

/* ---- stepping ---- */

void server_step(struct server *s, struct node_event *ev)
{
    ev->now_ns = loop_now_ns(&s->loop);
    ev->wall_ms = loop_wall_ms(&s->loop);
    node_step(s->node, ev, &s->fx);
}

/* Draining: everything appended is durable and answered. Closing: everybody has what was sent. */
static void go_on_stopping(struct server *s)
{
    bool stopped = !membership_is_on(s) || node_stopped(s->node);
    if (s->phase == SERVER_DRAINING && storage_is_idle(s) && stopped) {
        s->phase = SERVER_CLOSING;
        clients_close_all(s);
        membership_stop(s);
        loop_again(&s->loop);
    }
    if (s->phase == SERVER_CLOSING && list_is_empty(&s->loop.conns))
        loop_stop(&s->loop);
}

static void on_turn_end(void *arg)
{
    struct server *s = arg;
    storage_submit(s); /* first: T1 works while we apply what it has finished */
    storage_on_turn(s);
    storage_submit(s);
    membership_on_turn(s);
    if (s->phase > SERVER_SERVING)
        go_on_stopping(s);
    int64_t silent_ns = clients_deadline_ns(s);
    loop_set_deadline(&s->loop, silent_ns < s->fx.deadline_ns ? silent_ns : s->fx.deadline_ns);
}

static void on_wake(void *arg)
{
    struct server *s = arg;
    s->storage.woken = true;
}

static void on_deadline(void *arg)
{
    struct server *s = arg;
    server_step(s, &(struct node_event){.type = NODE_TICK});
    server_carry_out(s);
    clients_expire_silent(s);
}

/* ---- stopping ---- */

static void on_stop_timeout(uv_timer_t *timer)
{
    struct server *s = timer->data;
    struct log_line l;
    log_begin(&l, LOG_WARN, "stop_cut_short");
    log_end(&l);
    loop_stop(&s->loop);
}

void server_stop(struct server *s)
{
    if (s->phase > SERVER_SERVING)
        return;
    struct log_line l;
    log_begin(&l, LOG_INFO, "stopping");
    log_end(&l);
    s->phase = SERVER_DRAINING;
    if (s->audit != NULL)
        audit_server(s->audit, "serverStop", "invoked");
    clients_stop_accepting(s);
    server_step(s, &(struct node_event){.type = NODE_STOP});
    server_carry_out(s);
    uv_timer_start(&s->stop_timer, on_stop_timeout, STOP_MS_MAX, 0);
    loop_again(&s->loop);
}

void server_fail(struct server *s, const char *event, const char *reason)
{
    struct log_line l;
    log_begin(&l, LOG_ERROR, event);
    log_text(&l, "reason", reason);
    log_end(&l);
    s->exit_code = SERVER_EXIT_FAILED;
    s->phase = SERVER_CLOSING;
    loop_stop(&s->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    server_stop(handle->data);
}

/* ---- starting ---- */

static int make_paths(struct server *s, struct err *err)
{
    struct storage *st = &s->storage;
    int rc =
        file_path(st->snap_dir, config_text(s->config, CONFIG_DATA_DIR), NAME_VERSION_DIR, err);
    if (rc < 0)
        return rc;
    return file_path(st->log_dir, config_text(s->config, CONFIG_DATA_LOG_DIR), NAME_VERSION_DIR,
                     err);
}

static int recover_state(struct server *s, struct recovery *r, struct err *err)
{
    struct recovery_options options;
    options_recovery(s->config, &s->tree_options, &options);
    return recovery_run(s->storage.fs, &options, r, err);
}

static void count_recovery(struct server *s, const struct recovery *r)
{
    struct node_metrics *m = node_metrics(s->node);
    metric_add_sample(m, METRIC_DBINITTIME, (uint64_t)(r->snapshot_ms + r->txns_ms));
    metric_add_sample(m, METRIC_STARTUP_SNAP_LOAD_TIME, (uint64_t)r->snapshot_ms);
    metric_add_sample(m, METRIC_STARTUP_TXNS_LOAD_TIME, (uint64_t)r->txns_ms);
    metric_add_sample(m, METRIC_STARTUP_TXNS_LOADED, r->files.txn_count);
    metric_add(m, METRIC_DIGEST_MISMATCHES_COUNT, r->digest_mismatches);
}

/* A log that took long to replay would take as long next time. */
static void shorten_next_recovery(struct server *s, const struct recovery *r)
{
    if (r->files.txn_count < (uint64_t)config_int(s->config, CONFIG_SNAP_COUNT))
        return;
    server_step(s, &(struct node_event){.type = NODE_SNAPSHOT_REQUEST});
    server_carry_out(s);
}

/* Before anything in the directory is touched. A new one is made by the recovery and locked then.
 */
static int lock_if_there(struct server *s, struct err *err)
{
    struct file_stat st;
    if (s->storage.dir_locked || s->storage.fs->stat(s->storage.fs, s->storage.log_dir, &st) < 0)
        return 0;
    return storage_lock(s, err);
}

static int start(struct server *s, struct recovery *r, struct err *err)
{
    int rc = make_paths(s, err);
    if (rc == 0)
        rc = lock_if_there(s, err);
    if (rc == 0)
        rc = sasl_open(s->config, &s->sasl, err);
    if (rc == 0)
        rc = clients_listen(s, err); /* a port that is taken shows before the long load */
    if (rc == 0)
        rc = recover_state(s, r, err);
    if (rc == 0)
        rc = lock_if_there(s, err);
    if (rc == 0)
        rc = storage_start(s, err);
    if (rc < 0)
        return rc;

    struct node_options options;
    struct node_ensemble ensemble;
    struct epochs epochs;
    options_node(s->config, &options);
    if (s->sasl != NULL) {
        options.sasl = sasl_step;
        options.sasl_driver = s;
    }
    if (membership_is_on(s)) {
        rc = membership_read_epochs(s, tree_last_zxid(r->tree), &epochs, err);
        if (rc < 0)
            return rc;
        options_ensemble(s->config, &epochs, &ensemble);
        ensemble.recent = buf_part(&r->recent, 0, r->recent.len);
        options.ensemble = &ensemble;
    }
    s->node = node_create(&options, r->tree, r->sessions, r->session_count, loop_now_ns(&s->loop));
    r->tree = NULL;
    s->storage.appended_zxid = tree_last_zxid(node_tree(s->node));
    windows_init(s, r);
    count_recovery(s, r);
    shorten_next_recovery(s, r);
    return windows_open(s, err);
}

/* A lone server serves now; a member says so when it knows a leader (traces.c). */
static void tell_started(struct server *s, int64_t started_ns)
{
    const char *address = config_text(s->config, CONFIG_CLIENT_PORT_ADDRESS);
    const struct tree *tree = node_tree(s->node);
    struct log_line l;
    log_begin(&l, LOG_INFO, membership_is_on(s) ? "started" : "serving");
    if (membership_is_on(s))
        log_int(&l, "server", s->config->my_id);
    log_text(&l, "address", address[0] != 0 ? address : "*");
    if (s->info.conf.client_port >= 0)
        log_int(&l, "port", s->info.conf.client_port);
    if (s->info.conf.secure_client_port >= 0)
        log_int(&l, "secure_port", s->info.conf.secure_client_port);
    if (s->windows.open && admin_port(s->windows.admin) >= 0)
        log_int(&l, "admin_port", admin_port(s->windows.admin));
    if (s->windows.open && admin_metrics_port(s->windows.admin) >= 0)
        log_int(&l, "metrics_port", admin_metrics_port(s->windows.admin));
    log_hex(&l, "zxid", tree_last_zxid(tree));
    log_int(&l, "znodes", (int64_t)tree_node_count(tree));
    log_int(&l, "took_ms", (loop_clock_ns() - started_ns) / NS_PER_MS);
    log_end(&l);
}

static void watch_signals(struct server *s)
{
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&s->loop.uv, &s->on_term);
    uv_signal_init(&s->loop.uv, &s->on_int);
    uv_timer_init(&s->loop.uv, &s->stop_timer);
    s->on_term.data = s->on_int.data = s->stop_timer.data = s;
    uv_signal_start(&s->on_term, on_signal, SIGTERM);
    uv_signal_start(&s->on_int, on_signal, SIGINT);
}

/* A second signal that comes while we end shall not look like a crash. */
static void let_signals_pass(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void tear_down(struct server *s)
{
    let_signals_pass();
    clients_stop_accepting(s);
    if (s->node != NULL)
        clients_close_all(s);
    membership_deinit(s);
    storage_stop(s);
    s->info.node = NULL;
    windows_close(s);
    certificates_unwatch(s);
    uv_close((uv_handle_t *)&s->on_term, NULL);
    uv_close((uv_handle_t *)&s->on_int, NULL);
    uv_close((uv_handle_t *)&s->stop_timer, NULL);
    loop_deinit(&s->loop);
    clients_deinit(s);
    node_free(s->node);
    audit_free(s->audit);
    sasl_close(s->sasl);
    carry_deinit(&s->carry);
    effects_deinit(&s->fx);
}

int server_run(const struct config *config, int64_t started_ns)
{
    struct server s = {.config = config, .phase = SERVER_STARTING, .exit_code = SERVER_EXIT_OK};
    open_files_raise_max();
    loop_init(&s.loop);
    s.loop.on_turn_end = on_turn_end;
    s.loop.on_wake = on_wake;
    s.loop.on_deadline = on_deadline;
    s.loop.arg = &s;
    s.fx.deadline_ns = INT64_MAX;
    s.storage.fs = files_posix();
    options_tree(config, options_seed(), &s.tree_options);
    watch_signals(&s);
    clients_init(&s);
    auditing_open(&s);

    struct err err = {""};
    struct recovery r = {0};
    int rc = start(&s, &r, &err);
    recovery_deinit(&r);
    if (s.audit != NULL)
        audit_server(s.audit, "serverStart", rc < 0 ? "failure" : "success");
    if (rc < 0) {
        struct log_line l;
        log_begin(&l, LOG_ERROR, "start_failed");
        log_text(&l, "reason", err.text);
        log_end(&l);
        s.exit_code = SERVER_EXIT_FAILED;
    } else {
        s.phase = SERVER_SERVING;
        tell_started(&s, started_ns);
        server_step(&s, &(struct node_event){.type = NODE_TICK});
        server_carry_out(&s);
        if (membership_is_on(&s))
            membership_start(&s);
        loop_again(&s.loop);
        loop_run(&s.loop);
    }

    tear_down(&s);
    struct log_line l;
    log_begin(&l, LOG_INFO, "stopped");
    log_int(&l, "exit", s.exit_code);
    log_end(&l);
    return s.exit_code;
}
