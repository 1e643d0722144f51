/* storage.c: the log thread, the snapshot thread and the purge, seen from T0. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "io/purge.h"
#include "io/thread.h"
#include "server/server.h"

enum {
    NS_PER_MS = 1000000,
    /* About one sync of a fast disk: to wait longer than what is saved never pays. */
    GATHER_NS_MAX = 100 * 1000,
    GATHER_WRITES_MAX = 64,
    MS_PER_HOUR = 3600 * 1000,
    WRITE_LATE_NS = 2 * NS_PER_MS, /* ten times what a sync of a fast disk takes */
    REST_NS = 50 * 1000,
};

/* ---- start ---- */

/* Two servers on one folder would write over each other; ZooKeeper leaves that to its users. The
 * lock is on the directory itself, so that nothing is left behind. */
int storage_lock(struct server *s, struct err *err)
{
    struct storage *st = &s->storage;
    st->lock_fd = open(st->log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (st->lock_fd < 0)
        return err_set(err, ERR_IO, "open '%s': %s", st->log_dir, strerror(errno));
    if (flock(st->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        st->dir_locked = true;
        return 0;
    }
    int error = errno;
    close(st->lock_fd);
    if (error == EWOULDBLOCK)
        return err_set(err, ERR_BUSY, "'%s' is in use by another server", st->log_dir);
    return 0; /* a file system without locks is served without one */
}

static void wake(void *arg)
{
    loop_wake(&((struct server *)arg)->loop);
}

static void on_purge_timer(uv_timer_t *timer);

static void start_purge(struct server *s)
{
    struct storage *st = &s->storage;
    int64_t hours = config_int(s->config, CONFIG_PURGE_INTERVAL);
    uv_timer_init(&s->loop.uv, &st->purge);
    st->purge.data = st->purge_work.data = s;
    st->purge_keep = (unsigned)config_int(s->config, CONFIG_PURGE_RETAIN);
    if (hours > 0)
        uv_timer_start(&st->purge, on_purge_timer, 0, (uint64_t)hours * MS_PER_HOUR);
}

int storage_start(struct server *s, struct err *err)
{
    struct storage *st = &s->storage;
    list_init(&st->pasts);
    pthread_mutex_init(&st->files_lock, NULL);
    const struct config *c = s->config;
    int64_t size_limit_kib = config_int(c, CONFIG_TXN_LOG_SIZE_LIMIT);
    struct logthread_options log = {
        .log = {.preallocate_bytes = config_int(c, CONFIG_PRE_ALLOC_SIZE) * 1024,
                .size_limit_bytes = size_limit_kib > 0 ? size_limit_kib * 1024 : 0,
                .no_sync = !config_flag(c, CONFIG_FORCE_SYNC)},
        .on_report = wake,
        .arg = s,
    };
    struct snapthread_options snap = {.on_report = wake, .arg = s};
    options_snapfile(c, &snap.file);
    st->method = snap.file.method;
    st->sync_warning_ns = config_int(c, CONFIG_FSYNC_WARNING) * NS_PER_MS;

    int rc = logthread_start(st->fs, st->log_dir, &log, &st->log, err);
    if (rc == 0)
        rc = snapthread_start(st->fs, st->snap_dir, &snap, &st->snap, err);
    uv_timer_init(&s->loop.uv, &st->retry);
    st->retry.data = s;
    start_purge(s);
    return rc;
}

/* ---- the log ---- */

/* Not while files are taken back: it would be of a state that is not there any more. */
static void begin_snapshot(struct storage *st, int64_t zxid, struct slice bytes)
{
    st->snap_refused = st->snap_complete = st->taking_back > 0;
    st->refused_zxid = zxid;
    if (!st->snap_refused)
        snapthread_begin(st->snap, zxid, bytes);
}

void storage_persist(struct server *s, const struct persist_effect *p)
{
    struct storage *st = &s->storage;
    struct slice bytes = slice_of(s->fx.persist_bytes.ptr + p->at, p->len);
    switch (p->type) {
    case PERSIST_APPEND:
        logthread_append(st->log, p->ticket, p->zxid, bytes);
        st->appended_ticket = p->ticket;
        st->appended_zxid = p->zxid;
        break;
    case PERSIST_ROLL:
        logthread_roll(st->log, st->appended_ticket);
        break;
    case PERSIST_SNAPSHOT_BEGIN:
        begin_snapshot(st, p->zxid, bytes);
        break;
    case PERSIST_SNAPSHOT_CHUNK:
        snapthread_chunk(st->snap, bytes);
        break;
    case PERSIST_SNAPSHOT_END:
        snapthread_chunk(st->snap, bytes);
        snapthread_end(st->snap, p->digest);
        st->snap_complete = true;
        break;
    case PERSIST_SNAPSHOT_ABORT:
        snapthread_abort(st->snap);
        st->snap_complete = true;
        break;
    case PERSIST_ACCEPTED_EPOCH:
    case PERSIST_CURRENT_EPOCH:
    case PERSIST_CONFIG_NEXT:
    case PERSIST_CONFIG:
    case PERSIST_TRUNCATE:
    case PERSIST_INSTALL_BEGIN:
    case PERSIST_INSTALL_CHUNK:
    case PERSIST_INSTALL_END:
    case PERSIST_INSTALL_ABORT:
        storage_work_begin(s, p);
        break;
    }
}

/* Whether to wait a moment before T1 is given a small batch. Those who were answered by the last
 * sync are about to write again; a sync begun for the first of them keeps all others waiting for
 * the next one. So while T1 has nothing to do, up to as many writes as the last sync released are
 * gathered, for a fraction of what a sync takes. A lone writer never waits. */
static bool gathers(struct server *s, uint64_t pending)
{
    struct storage *st = &s->storage;
    bool idle = logthread_durable(st->log) == st->submitted_ticket;
    bool few = st->released <= GATHER_WRITES_MAX; /* many make a batch by themselves */
    /* In an ensemble a quorum's disks decide when a client is answered, not ours, and every moment
     * that we wait is one that all of them wait. */
    if (membership_is_on(s) || !idle || !few || pending >= st->released ||
        s->phase != SERVER_SERVING) {
        st->gather_until_ns = 0;
        return false;
    }
    int64_t now_ns = loop_clock_ns();
    if (st->gather_until_ns == 0)
        st->gather_until_ns = now_ns + GATHER_NS_MAX;
    if (now_ns < st->gather_until_ns)
        return true;
    st->gather_until_ns = 0;
    return false;
}

void storage_submit(struct server *s)
{
    struct storage *st = &s->storage;
    uint64_t pending = st->appended_ticket - st->submitted_ticket;
    if (pending > 0 && gathers(s, pending)) {
        loop_again(&s->loop);
        return;
    }
    logthread_submit(st->log);
    st->submitted_ticket = st->appended_ticket;
}

bool storage_is_behind(const struct server *s)
{
    return logthread_queued_bytes(s->storage.log) > LOG_QUEUE_BYTES_MAX;
}

bool storage_is_idle(const struct server *s)
{
    return s->storage.durable_ticket == s->storage.appended_ticket || s->storage.full ||
           s->storage.failed;
}

static void step_durable_up_to(struct server *s, uint64_t ticket)
{
    struct storage *st = &s->storage;
    if (ticket <= st->durable_ticket)
        return;
    st->released = ticket - st->durable_ticket;
    st->durable_ticket = ticket;
    server_step(s, &(struct node_event){.type = NODE_DURABLE, .ticket = ticket});
    server_carry_out(s);
}

/* Tickets and the ends of other work, in the order of the log. */
static void step_durable(struct server *s)
{
    struct storage *st = &s->storage;
    uint64_t ticket = logthread_durable(st->log);
    if (ticket == st->durable_ticket || st->failed)
        return;
    struct logthread_work *w;
    while (st->works > 0 && (w = logthread_done(st->log)) != NULL) {
        step_durable_up_to(s, w->ticket);
        storage_work_end(s, w);
    }
    step_durable_up_to(s, ticket);
    if (storage_is_behind(s))
        return;
    if (!list_is_empty(&s->clients.held_up))
        clients_resume_held_up(s);
    membership_resume_reading(s);
}

/* A sync that takes long, ours or that of another server on this machine whose answer we need, may
 * be waiting for this very processor: what hands it on to the disk is a thread of the kernel's
 * (blk_mq_requeue_work) that cannot go to another one, and Linux 6.18 lets it wait for 20 to 200 ms
 * for as long as T0 and a client wake each other in turn, so that there is always one of them to
 * run. When T0 rests, the client waits for it, and the processor is free. After 2 ms, 4, 8 and so
 * on, so that a disk that is slow by itself costs nothing. */
static void rest_if_late(struct server *s)
{
    struct storage *st = &s->storage;
    int64_t applied = tree_last_zxid(node_tree(s->node));
    if (applied >= st->appended_zxid) {
        st->late_at_ns = 0;
        return;
    }
    int64_t now_ns = loop_now_ns(&s->loop);
    if (st->late_at_ns == 0 || st->late_zxid != applied) {
        st->late_zxid = applied;
        st->late_after_ns = WRITE_LATE_NS;
    } else if (now_ns < st->late_at_ns) {
        return;
    } else {
        nanosleep(&(struct timespec){.tv_nsec = REST_NS}, NULL);
        st->late_after_ns *= 2;
    }
    st->late_at_ns = now_ns + st->late_after_ns;
}

static void on_retry(uv_timer_t *timer)
{
    struct server *s = timer->data;
    logthread_resume(s->storage.log);
}

static void set_full(struct server *s, bool full, const struct err *err)
{
    struct storage *st = &s->storage;
    if (full)
        uv_timer_start(&st->retry, on_retry, DISK_RETRY_MS, 0);
    if (full == st->full)
        return;
    st->full = full;
    struct log_line l;
    log_begin(&l, full ? LOG_ERROR : LOG_INFO, full ? "disk_full" : "disk_has_space");
    if (full) {
        log_text(&l, "dir", st->log_dir);
        log_text(&l, "reason", err->text);
        log_text(&l, "effect", "writes are refused, reads are served");
    }
    log_end(&l);
    server_step(s, &(struct node_event){.type = NODE_DISK_FULL, .disk_full = full});
    server_carry_out(s);
}

static void count_syncs(struct server *s, const struct logthread_report *r)
{
    struct storage *st = &s->storage;
    struct node_metrics *m = node_metrics(s->node);
    uint64_t kept = r->sync_count < LOGTHREAD_SYNCS_KEPT ? r->sync_count : LOGTHREAD_SYNCS_KEPT;
    for (uint64_t i = 0; i < kept; i++)
        metric_add_sample(m, METRIC_FSYNCTIME, (uint64_t)(r->sync_ns[i] / NS_PER_MS));
    if (r->sync_ns_max <= st->sync_warning_ns)
        return;
    metric_inc(m, METRIC_FSYNC_THRESHOLD_EXCEED_COUNT);
    uint64_t held_back;
    if (!log_gate_pass(&st->slow_sync_gate, loop_now_ns(&s->loop), &held_back))
        return;
    struct log_line l;
    log_begin(&l, LOG_WARN, "slow_fsync");
    log_int(&l, "took_ms", r->sync_ns_max / NS_PER_MS);
    log_int(&l, "file_bytes", r->file_bytes);
    log_end(&l);
}

static void poll_log(struct server *s)
{
    struct storage *st = &s->storage;
    struct logthread_report r;
    logthread_poll(st->log, &r);
    count_syncs(s, &r);
    if (r.status == 0 || r.status == ERR_NOSPACE) {
        bool full = r.status == ERR_NOSPACE || r.space_low;
        set_full(s, full, &r.err);
        return;
    }
    st->failed = true;
    server_step(s, &(struct node_event){.type = NODE_DISK_FAILED});
    server_fail(s, "disk_failed", r.err.text);
}

/* ---- snapshots ---- */

static void tell_snapshot(const struct snapthread_report *r)
{
    struct log_line l;
    log_begin(&l, r->status == 0 ? LOG_INFO : LOG_ERROR,
              r->status == 0 ? "snapshot" : "snapshot_failed");
    log_hex(&l, "zxid", r->zxid);
    if (r->status == 0)
        log_int(&l, "bytes", r->file_bytes);
    else
        log_text(&l, "reason", r->err.text);
    log_int(&l, "took_ms", r->elapsed_ns / NS_PER_MS);
    log_end(&l);
}

static void on_snapshot_finished(struct server *s, const struct snapthread_report *r)
{
    struct storage *st = &s->storage;
    struct node_metrics *m = node_metrics(s->node);
    tell_snapshot(r);
    if (r->status == 0) {
        metric_add_sample(m, METRIC_SNAPSHOTTIME, (uint64_t)(r->elapsed_ns / NS_PER_MS));
        windows_snapshot_written(s, r->zxid);
    } else {
        metric_inc(m, METRIC_SNAPSHOT_ERROR_COUNT);
    }
    server_step(s,
                &(struct node_event){.type = NODE_SNAPSHOT_DONE,
                                     .snapshot_done = {.zxid = r->zxid, .failed = r->status != 0}});
    server_carry_out(s);

    char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
    name_snapshot(name, r->zxid, st->method);
    file_path(path, st->snap_dir, name, NULL);
    windows_snapshot_done(s, r->status, r->zxid, path);
}

/* A slice per turn, while the writer has room: no request waits for more than that. */
static void feed_snapshot(struct server *s)
{
    struct storage *st = &s->storage;
    if (!node_snapshot_active(s->node) || st->snap_complete)
        return;
    size_t room = snapthread_room(st->snap);
    if (room == 0)
        return; /* T2 wakes us */
    size_t bytes_max = room < SNAPSHOT_SLICE_BYTES_MAX ? room : SNAPSHOT_SLICE_BYTES_MAX;
    server_step(s, &(struct node_event){.type = NODE_SNAPSHOT_PULL, .bytes_max = bytes_max});
    server_carry_out(s);
    loop_again(&s->loop);
}

void storage_on_turn(struct server *s)
{
    struct storage *st = &s->storage;
    step_durable(s);
    rest_if_late(s);
    if (st->woken) {
        st->woken = false;
        poll_log(s);
        struct snapthread_report r;
        snapthread_poll(st->snap, &r);
        if (r.finished)
            on_snapshot_finished(s, &r);
    }
    if (st->snap_refused) {
        st->snap_refused = false;
        server_step(
            s, &(struct node_event){.type = NODE_SNAPSHOT_DONE,
                                    .snapshot_done = {.zxid = st->refused_zxid, .failed = true}});
        server_carry_out(s);
    }
    feed_snapshot(s);
}

/* ---- purge ---- */

static void purge_work(uv_work_t *work)
{
    struct server *s = work->data;
    struct storage *st = &s->storage;
    struct purge_result r;
    struct err err;
    pthread_mutex_lock(&st->files_lock);
    int rc = purge(st->fs, config_text(s->config, CONFIG_DATA_DIR),
                   config_text(s->config, CONFIG_DATA_LOG_DIR), st->purge_keep, &r, &err);
    pthread_mutex_unlock(&st->files_lock);
    struct log_line l;
    log_begin(&l, rc < 0 || r.failed > 0 ? LOG_WARN : LOG_INFO, "purge");
    if (rc < 0) {
        log_text(&l, "reason", err.text);
    } else {
        log_int(&l, "snapshots_removed", r.snapshots_removed);
        log_int(&l, "logs_removed", r.logs_removed);
        log_int(&l, "failed", r.failed);
    }
    log_end(&l);
}

static void after_purge(uv_work_t *work, int status)
{
    (void)status;
    ((struct server *)work->data)->storage.purging = false;
}

static void on_purge_timer(uv_timer_t *timer)
{
    struct server *s = timer->data;
    if (s->storage.purging)
        return;
    s->storage.purging = true;
    io_queue_work(&s->loop.uv, &s->storage.purge_work, purge_work, after_purge);
}

/* ---- end ---- */

void storage_stop(struct server *s)
{
    struct storage *st = &s->storage;
    if (st->pasts.next != NULL)
        storage_past_drop_all(s);
    if (st->log != NULL)
        logthread_stop(st->log); /* first: its work may wait for the other one */
    if (st->snap != NULL)
        snapthread_stop(st->snap);
    snapfile_discard(st->install.file);
    if (st->retry.data != NULL) {
        uv_close((uv_handle_t *)&st->retry, NULL);
        uv_close((uv_handle_t *)&st->purge, NULL);
    }
    if (st->dir_locked)
        close(st->lock_fd);
}
