/* windows.c: what four letter words, HTTP commands and metrics see of the server (server_info.h),
 * and their HTTP port on our loop. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "datadir/state.h"
#include "server/console_writer.h"
#include "server/neighbours.h"
#include "server/server.h"

enum {
    NS_PER_MS = 1000000
};

static const char PROMETHEUS[] =
    "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";

static void arm_timer(struct server *s);

/* ---- what they ask ---- */

static int64_t ask_now_ms(void *driver)
{
    return loop_now_ns(&((struct server *)driver)->loop) / NS_PER_MS;
}

static int64_t ask_wall_ms(void *driver)
{
    return loop_wall_ms(&((struct server *)driver)->loop);
}

static size_t ask_handshake_count(void *driver)
{
    const struct server *s = driver;
    return s->clients.handshakes;
}

static size_t ask_connection_count(void *driver)
{
    return ((struct server *)driver)->clients.count;
}

static bool ask_peer(void *driver, uint64_t client, struct sockaddr_storage *ret_peer)
{
    const struct peer *p = clients_find(driver, client);
    if (p == NULL)
        return false;
    memset(ret_peer, 0, sizeof *ret_peer);
    memcpy(ret_peer, &p->address, sizeof p->address);
    return true;
}

static const char *ask_not_ready(void *driver)
{
    const struct server *s = driver;
    if (s->phase != SERVER_SERVING)
        return s->phase == SERVER_STARTING ? "starting" : "stopping";
    return s->storage.full ? "disk full: writes are refused" : NULL;
}

static const struct neighbour *ask_neighbour(void *driver, int64_t sid)
{
    return neighbours_find(((struct server *)driver)->windows.neighbours, sid);
}

static void ask_neighbours(void *driver)
{
    struct server *s = driver;
    struct server_ensemble e;
    membership_describe(s, &e);
    neighbours_ask(s->windows.neighbours, e.config, e.sid, s->info.conf.client_port);
}

/* The writer is gone when it has told its outcome. */
static void on_written(void *arg, int32_t outcome)
{
    struct windows *w = &((struct server *)arg)->windows;
    w->writer = NULL;
    w->written(w->written_arg, outcome);
    arm_timer(arg);
}

static bool ask_write(void *driver, const struct console_write *write, console_written *done,
                      void *arg)
{
    struct server *s = driver;
    struct windows *w = &s->windows;
    if (s->phase != SERVER_SERVING || w->writer != NULL)
        return false;
    w->written = done;
    w->written_arg = arg;
    w->writer = console_writer_start(s, write, on_written, s);
    return w->writer != NULL;
}

static void ask_cancel_write(void *driver)
{
    struct windows *w = &((struct server *)driver)->windows;
    console_writer_cancel(w->writer);
    w->writer = NULL;
}

static double ask_drop_probability(void *driver)
{
    return ((struct server *)driver)->clients.throttle.drop;
}

static int ask_snapshot(void *driver, struct err *err)
{
    struct server *s = driver;
    if (s->phase != SERVER_SERVING)
        return err_set(err, ERR_BUSY, "the server is stopping");
    server_step(s, &(struct node_event){.type = NODE_SNAPSHOT_REQUEST});
    server_carry_out(s);
    loop_again(&s->loop);
    return 0;
}

void windows_snapshot_written(struct server *s, int64_t zxid)
{
    s->info.last_snapshot_zxid = zxid;
    s->info.last_snapshot_wall_s = loop_wall_ms(&s->loop) / 1000;
}

/* The new state must be on disk before anything is built upon it: otherwise a crash would replay
 * later transactions onto the old state. So it is written at once, as the newest snapshot, under a
 * zxid that nothing in the log is beyond; until it is durable, nobody is served. */
static int restore(struct server *s, const char *path, struct err *err)
{
    struct storage *st = &s->storage;
    struct recovery r;
    if (membership_is_on(s))
        return err_set(err, ERR_UNSUPPORTED, "a member of an ensemble has its leader's state");
    if (s->phase != SERVER_SERVING || node_snapshot_active(s->node))
        return err_set(err, ERR_BUSY, "stopping, or a snapshot is being taken");
    int64_t begun_ns = loop_clock_ns();
    int rc = recovery_load_snapshot(st->fs, path, &s->tree_options, &r, err);
    if (rc < 0)
        return rc;

    int64_t restored_zxid = tree_last_zxid(r.tree);
    int64_t zxid = restored_zxid > st->appended_zxid ? restored_zxid : st->appended_zxid;
    int64_t served_zxid = tree_last_zxid(node_tree(s->node));
    int64_t snapshot_zxid = zxid > served_zxid ? zxid : served_zxid;
    tree_set_last_zxid(r.tree, snapshot_zxid);
    struct snapfile_options options;
    options_snapfile(s->config, &options);
    rc = datadir_write_snapshot(st->fs, st->snap_dir, r.tree, r.sessions, r.session_count, &options,
                                err);
    if (rc < 0) {
        recovery_deinit(&r);
        return rc;
    }

    server_step(s, &(struct node_event){.type = NODE_REPLACE_STATE,
                                        .replace = {.tree = r.tree,
                                                    .sessions = r.sessions,
                                                    .session_count = r.session_count}});
    r.tree = NULL;
    recovery_deinit(&r);
    server_carry_out(s);
    windows_snapshot_written(s, snapshot_zxid);
    metric_add_sample(node_metrics(s->node), METRIC_RESTORE_TIME,
                      (uint64_t)((loop_clock_ns() - begun_ns) / NS_PER_MS));
    admin_restore_done(s->windows.admin, 0, restored_zxid);
    return 0;
}

static int ask_restore(void *driver, const char *path, struct err *err)
{
    int rc = restore(driver, path, err);
    if (rc < 0) {
        struct log_line l;
        log_begin(&l, LOG_WARN, "restore_failed");
        log_text(&l, "reason", err->text);
        log_end(&l);
    }
    return rc;
}

/* ---- what they see ---- */

/* The file, or what the command line amounts to. Nobody is asked who he is on that port: secrets
 * are not in it. */
static char *config_as_text(const struct config *c)
{
    struct buf text = {0};
    struct err err;
    bool from_file = c->file != NULL && config_read_whole(c->file, &text, &err) == 0;
    for (size_t i = 0; !from_file && i < c->properties.count; i++)
        buf_printf(&text, "%s=%s\n", c->properties.items[i].key, c->properties.items[i].value);
    struct buf shown = {0};
    properties_hide(buf_slice(&text), config_is_secret, &shown);
    buf_deinit(&text);
    buf_put_u8(&shown, 0);
    return (char *)shown.ptr;
}

static struct server_setting *settings_of(const struct config *c)
{
    struct server_setting *all = mem_calloc(CONFIG_KEY_COUNT, sizeof *all);
    for (int id = 0; id < CONFIG_KEY_COUNT; id++) {
        const char *key = config_key(id)->name, *value = config_text(c, id);
        bool hidden = value[0] != 0 && config_is_secret(key);
        all[id] = (struct server_setting){key, hidden ? "***" : value};
    }
    return all;
}

/* Whether whoever reaches the port for clients may ask for what world:anyone may see. */
static bool may_anyone_read(const struct server *s)
{
    const struct config *c = s->config;
    return clients_port(s->clients.listener) >= 0 && !config_flag(c, CONFIG_ENFORCE_AUTH) &&
           !config_flag(c, CONFIG_REQUIRE_SASL);
}

static char *absolute(const char *dir)
{
    char *real = realpath(dir, NULL);
    return real != NULL ? real : mem_dup(dir, strlen(dir) + 1);
}

void windows_init(struct server *s, const struct recovery *r)
{
    const struct config *c = s->config;
    struct windows *w = &s->windows;
    w->settings = settings_of(c);
    w->config_text = config_as_text(c);
    w->snap_dir = absolute(s->storage.snap_dir);
    w->log_dir = absolute(s->storage.log_dir);
    s->info = (struct server_info){
        .conf =
            {
                .client_port = clients_port(s->clients.listener),
                .client_address = config_text(c, CONFIG_CLIENT_PORT_ADDRESS),
                .secure_client_port = clients_port(s->clients.secure_listener),
                .snap_dir = w->snap_dir,
                .log_dir = w->log_dir,
                .tick_time_ms = (int)config_int(c, CONFIG_TICK_TIME),
                .client_cnxns_max = (int)config_int(c, CONFIG_MAX_CLIENT_CNXNS),
                .session_timeout_min_ms = (int)config_int(c, CONFIG_MIN_SESSION_TIMEOUT),
                .session_timeout_max_ms = (int)config_int(c, CONFIG_MAX_SESSION_TIMEOUT),
                .client_port_listen_backlog = (int)config_int(c, CONFIG_LISTEN_BACKLOG),
                .server_id = c->ensemble != NULL ? c->my_id : 0,
                .whitelist =
                    config_given(c, CONFIG_WHITELIST) ? config_text(c, CONFIG_WHITELIST) : NULL,
                .read_only_mode = config_flag(c, CONFIG_READ_ONLY_MODE),
                .text = w->config_text,
                .settings = w->settings,
                .setting_count = CONFIG_KEY_COUNT,
                .admin_snapshot_enabled = config_flag(c, CONFIG_ADMIN_SNAPSHOT),
                .admin_restore_enabled = config_flag(c, CONFIG_ADMIN_RESTORE),
                .admin_rate_interval_ms = config_int(c, CONFIG_ADMIN_RATE_LIMIT),
                .serialize_last_zxid = config_flag(c, CONFIG_SNAP_LAST_ZXID),
                .use_x_forwarded_for = config_flag(c, CONFIG_X_FORWARDED_FOR),
                .console_enabled = config_flag(c, CONFIG_CONSOLE),
                .console_writes = config_flag(c, CONFIG_CONSOLE_WRITE),
                .anyone_may_read = may_anyone_read(s),
                .prometheus_provider =
                    strcmp(config_text(c, CONFIG_METRICS_CLASS), PROMETHEUS) == 0,
            },
        .node = s->node,
        .started_ms = loop_now_ns(&s->loop) / NS_PER_MS,
        .trace_mask = SERVER_TRACE_MASK_DEFAULT,
        .last_snapshot_zxid = r->files.snapshot_zxid,
        .last_snapshot_wall_s =
            r->files.snapshot_zxid >= 0 ? r->files.snapshot_changed_ms / 1000 : -1,
        .driver = s,
        .now_ms = ask_now_ms,
        .wall_ms = ask_wall_ms,
        .connection_count = ask_connection_count,
        .handshake_count = ask_handshake_count,
        .peer = ask_peer,
        .not_ready = ask_not_ready,
        .ensemble = membership_is_on(s) ? membership_describe : NULL,
        .each_learner = membership_each_learner,
        .drop_probability = ask_drop_probability,
        .write = ask_write,
        .cancel_write = ask_cancel_write,
        .snapshot = ask_snapshot,
        .restore = ask_restore,
    };
    if (r->files.empty && !r->files.untrusted)
        windows_snapshot_written(s, 0); /* by recovery_run, just now */
}

/* ---- the HTTP port ---- */

static void on_admin_timer(uv_timer_t *timer);

static void arm_timer(struct server *s)
{
    struct windows *w = &s->windows;
    int64_t wait_ms = admin_timeout_ms(w->admin);
    if (wait_ms < 0)
        uv_timer_stop(&w->timer);
    else
        uv_timer_start(&w->timer, on_admin_timer, (uint64_t)wait_ms, 0);
}

static void run_admin(struct server *s)
{
    admin_run(s->windows.admin);
    arm_timer(s);
    loop_again(&s->loop); /* what it asked for is done at the end of a turn */
}

static void on_admin_timer(uv_timer_t *timer)
{
    run_admin(timer->data);
}

static void on_admin_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run_admin(poll->data);
}

int windows_open(struct server *s, struct err *err)
{
    const struct config *c = s->config;
    struct windows *w = &s->windows;
    struct admin_options options = {
        .enabled = config_flag(c, CONFIG_ADMIN_ENABLE),
        .address = config_text(c, CONFIG_ADMIN_ADDRESS),
        .port = (int)config_int(c, CONFIG_ADMIN_PORT),
        .idle_timeout_ms = config_int(c, CONFIG_ADMIN_IDLE_TIMEOUT),
        .command_url = config_text(c, CONFIG_ADMIN_URL),
        .metrics_enabled = s->info.conf.prometheus_provider,
        .metrics_address = config_text(c, CONFIG_METRICS_HOST),
        .metrics_port = (int)config_int(c, CONFIG_METRICS_PORT),
        .console = s->info.conf.console_enabled,
        .spool_dir = s->storage.snap_dir,
    };
    if (!options.enabled && !options.metrics_enabled)
        return 0;
    int rc = admin_create(&options, &s->info, &w->admin, err);
    if (rc < 0)
        return rc;
    if (options.console && membership_is_on(s)) {
        w->neighbours = neighbours_create(&s->loop);
        s->info.neighbour = ask_neighbour;
        s->info.ask_neighbours = ask_neighbours;
    }
    w->poll.data = w->timer.data = s;
    uv_timer_init(&s->loop.uv, &w->timer);
    uv_poll_init(&s->loop.uv, &w->poll, admin_fd(w->admin));
    uv_poll_start(&w->poll, UV_READABLE, on_admin_poll);
    w->open = true;
    arm_timer(s);
    return 0;
}

void windows_snapshot_done(struct server *s, int status, int64_t zxid, const char *path)
{
    if (!s->windows.open)
        return;
    admin_snapshot_done(s->windows.admin, status, zxid, path);
    arm_timer(s);
}

void windows_trace(struct server *s, const struct trace_effect *t)
{
    if (s->windows.open)
        admin_trace(s->windows.admin, t, buf_part(&s->fx.send_bytes, t->at, t->len));
}

void windows_close(struct server *s)
{
    struct windows *w = &s->windows;
    if (w->open) {
        uv_poll_stop(&w->poll);
        uv_close((uv_handle_t *)&w->poll, NULL);
        uv_close((uv_handle_t *)&w->timer, NULL);
        admin_free(w->admin);
        neighbours_free(w->neighbours);
        console_writer_cancel(w->writer);
    }
    free(w->settings);
    free(w->config_text);
    free(w->snap_dir);
    free(w->log_dir);
}
