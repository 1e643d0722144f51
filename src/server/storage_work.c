/* storage_work.c: what a member of an ensemble has done to its files in the order of its log:
 * epochs, configuration, truncation, another server's state. Each is a piece of work for T1
 * (logthread.h), made here from an effect, carried out there, and answered here. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "io/epochs.h"
#include "io/rewind.h"
#include "server/config_files.h"
#include "server/server.h"

enum {
    NS_PER_MS = 1000000
};

struct storage_work {
    struct logthread_work work; /* the first, so that one is the other */
    struct server *server;
    enum persist_type type;
    int64_t zxid, value;
    uint64_t digest;
    struct buf bytes;

    /* What came out of it. */
    bool failed; /* it could not be done, and nothing was changed */
    struct err why;
    struct rewind_result rewound;
    struct recovery recovery;
    int64_t took_ns;
};

static struct storage_work *work_of(struct logthread_work *w)
{
    return (struct storage_work *)(void *)w;
}

static void free_work(struct logthread_work *work)
{
    struct storage_work *w = work_of(work);
    recovery_deinit(&w->recovery);
    buf_deinit(&w->bytes);
    free(w);
}

/* ---- on T1 ---- */

static int write_epoch(struct storage_work *w, struct err *err)
{
    struct storage *st = &w->server->storage;
    if (w->type == PERSIST_ACCEPTED_EPOCH)
        return epochs_write_accepted(st->fs, st->snap_dir, w->value, err);
    return epochs_write_current(st->fs, st->snap_dir, w->value, err);
}

static int write_active_config(struct storage_work *w, struct err *err)
{
    const struct config *c = w->server->config;
    struct slice text = buf_part(&w->bytes, 0, w->bytes.len);
    struct quorum *q;
    int rc = quorum_parse(text, &q, err);
    if (rc < 0)
        return rc;
    const struct quorum_server *me = quorum_find(q, c->my_id);
    bool own_port = me != NULL && me->client_host != NULL;
    quorum_free(q);
    return config_files_write_active(w->server->storage.fs, c->file, text, w->value, own_port, err);
}

/* As in ZooKeeper a server whose configuration files cannot be written goes on: what counts is in
 * the tree, and its leader has it. */
static int write_config(struct storage_work *w)
{
    const char *file = w->server->config->file;
    struct files *fs = w->server->storage.fs;
    int rc = 0;
    if (file == NULL)
        return 0;
    if (w->type == PERSIST_CONFIG_NEXT)
        rc = config_files_write_next(fs, file, buf_slice(&w->bytes), &w->why);
    else
        rc = write_active_config(w, &w->why);
    if (rc == 0 && w->type == PERSIST_CONFIG && w->zxid == 0)
        rc = config_files_drop_next(fs, file, &w->why);
    w->failed = rc < 0;
    return 0;
}

/* Not to be repeated, whatever it was: only some of it may have happened. */
static int for_ever(int rc)
{
    return rc == ERR_NOSPACE ? ERR_IO : rc;
}

static int recover_again(struct storage_work *w, struct err *err)
{
    struct recovery_options options;
    options_recovery(w->server->config, &w->server->tree_options, &options);
    return for_ever(recovery_run(w->server->storage.fs, &options, &w->recovery, err));
}

static int truncate_files(struct storage_work *w, struct err *err)
{
    struct storage *st = &w->server->storage;
    snapthread_wait_idle(st->snap);
    pthread_mutex_lock(&st->files_lock);
    int rc = rewind_to(st->fs, st->snap_dir, st->log_dir, w->zxid, &w->rewound, &w->why);
    pthread_mutex_unlock(&st->files_lock);
    if (rc == ERR_NOTFOUND || rc == ERR_CORRUPT) {
        w->failed = true;
        return 0;
    }
    if (rc < 0) {
        *err = w->why;
        return for_ever(rc);
    }
    return w->value == 1 ? recover_again(w, err) : 0;
}

/* The snapshot is not written any further; whoever ordered it hears of it at its end. */
static void give_up_install(struct install_file *in)
{
    snapfile_discard(in->file);
    in->file = NULL;
}

static int begin_install(struct storage_work *w)
{
    struct storage *st = &w->server->storage;
    struct install_file *in = &st->install;
    struct snapfile_options options;
    options_snapfile(w->server->config, &options);
    options.tmp_name = NAME_INSTALL_TMP;
    give_up_install(in);
    in->err = (struct err){""};
    if (snapfile_create(st->fs, st->snap_dir, w->zxid, &options, &in->file, &in->err) < 0)
        in->file = NULL;
    return 0;
}

static int write_install(struct storage_work *w)
{
    struct install_file *in = &w->server->storage.install;
    if (in->file != NULL && snapfile_write(in->file, buf_slice(&w->bytes), &in->err) < 0)
        give_up_install(in);
    return 0;
}

static int end_install(struct storage_work *w, struct err *err)
{
    struct storage *st = &w->server->storage;
    struct install_file *in = &st->install;
    if (in->file != NULL && snapfile_finish(in->file, w->digest, &in->err) < 0)
        give_up_install(in);
    if (in->file == NULL) {
        w->failed = true;
        w->why = in->err;
        return 0;
    }
    struct snapfile *file = in->file;
    in->file = NULL;
    snapthread_wait_idle(st->snap);
    pthread_mutex_lock(&st->files_lock);
    int rc = rewind_install(st->fs, st->snap_dir, st->log_dir, w->zxid, file, &w->rewound, err);
    pthread_mutex_unlock(&st->files_lock);
    return for_ever(rc);
}

static int run(struct logthread_work *work, struct err *err)
{
    struct storage_work *w = work_of(work);
    int64_t begun_ns = loop_clock_ns();
    int rc = 0;
    switch (w->type) {
    case PERSIST_ACCEPTED_EPOCH:
    case PERSIST_CURRENT_EPOCH:
        rc = write_epoch(w, err);
        break;
    case PERSIST_CONFIG_NEXT:
    case PERSIST_CONFIG:
        rc = write_config(w);
        break;
    case PERSIST_TRUNCATE:
        rc = truncate_files(w, err);
        break;
    case PERSIST_INSTALL_BEGIN:
        rc = begin_install(w);
        break;
    case PERSIST_INSTALL_CHUNK:
        rc = write_install(w);
        break;
    case PERSIST_INSTALL_END:
        rc = end_install(w, err);
        break;
    case PERSIST_INSTALL_ABORT:
        give_up_install(&w->server->storage.install);
        break;
    case PERSIST_APPEND:
    case PERSIST_ROLL:
    case PERSIST_SNAPSHOT_BEGIN:
    case PERSIST_SNAPSHOT_CHUNK:
    case PERSIST_SNAPSHOT_END:
    case PERSIST_SNAPSHOT_ABORT:
        invariant(false); /* work of another kind */
    }
    w->took_ns = loop_clock_ns() - begun_ns;
    return rc;
}

/* ---- on T0 ---- */

static bool takes_back(enum persist_type type)
{
    return type == PERSIST_TRUNCATE || type == PERSIST_INSTALL_END;
}

void storage_work_begin(struct server *s, const struct persist_effect *p)
{
    struct storage *st = &s->storage;
    struct storage_work *w = mem_calloc(1, sizeof *w);
    w->server = s;
    w->type = p->type;
    w->zxid = p->zxid;
    w->value = p->value;
    w->digest = p->digest;
    buf_put(&w->bytes, s->fx.persist_bytes.ptr + p->at, p->len);
    w->work = (struct logthread_work){
        .run = run, .free = free_work, .rolls = takes_back(p->type), .bytes = p->len};
    if (takes_back(p->type)) {
        /* A snapshot of what is taken back must not be published behind it. */
        snapthread_abort(st->snap);
        st->snap_complete = true;
        st->taking_back++;
        st->appended_zxid = p->zxid;
    }
    st->works++;
    st->appended_ticket = p->ticket;
    st->submitted_ticket = p->ticket; /* T1 has it, and everything before */
    logthread_work(st->log, p->ticket, &w->work);
}

static void tell(const struct storage_work *w, const char *done, const char *failed)
{
    struct log_line l;
    log_begin(&l, w->failed ? LOG_WARN : LOG_INFO, w->failed ? failed : done);
    if (w->zxid != 0)
        log_hex(&l, "zxid", w->zxid);
    if (w->failed) {
        log_text(&l, "reason", w->why.text);
    } else {
        log_int(&l, "snapshots_removed", w->rewound.snapshots_removed);
        log_int(&l, "logs_removed", w->rewound.logs_removed);
        if (w->rewound.cut_bytes > 0)
            log_int(&l, "bytes_cut", w->rewound.cut_bytes);
    }
    log_int(&l, "took_ms", w->took_ns / NS_PER_MS);
    log_end(&l);
}

static void truncated(struct server *s, struct storage_work *w)
{
    tell(w, "log_truncated", "log_not_truncated");
    struct recovery *r = &w->recovery;
    struct tree *tree = r->tree;
    r->tree = NULL;
    server_step(s, &(struct node_event){.type = NODE_TRUNCATED,
                                        .replace = {.tree = tree,
                                                    .sessions = r->sessions,
                                                    .session_count = r->session_count},
                                        .failed = w->failed});
    server_carry_out(s);
}

static void installed(struct server *s, struct storage_work *w)
{
    tell(w, "state_installed", "state_not_installed");
    if (!w->failed)
        windows_snapshot_written(s, w->zxid);
    server_step(s, &(struct node_event){.type = NODE_INSTALLED, .failed = w->failed});
    server_carry_out(s);
}

static void tell_config(const struct storage_work *w)
{
    struct log_line l;
    if (!w->failed)
        return;
    log_begin(&l, LOG_WARN, "config_not_written");
    log_text(&l, "file", w->server->config->file);
    log_text(&l, "reason", w->why.text);
    log_end(&l);
}

void storage_work_end(struct server *s, struct logthread_work *work)
{
    struct storage_work *w = work_of(work);
    s->storage.works--;
    if (takes_back(w->type))
        s->storage.taking_back--;
    if (w->type == PERSIST_TRUNCATE)
        truncated(s, w);
    else if (w->type == PERSIST_INSTALL_END)
        installed(s, w);
    else if (w->type == PERSIST_CONFIG || w->type == PERSIST_CONFIG_NEXT)
        tell_config(w);
    free_work(work);
}
