/* transfer.c: whole states: ours is taken back (TRUNC), replaced by the leader's (SNAP), or given
 * to a learner. What the disk does with it takes time; the memory follows when the disk has
 * answered, so that both always tell the same story. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/effects_internal.h"
#include "node/node_internal.h"

static void persist(struct node *n, struct persist_effect p)
{
    p.ticket = ++n->last_ticket;
    fx_persist(n->fx, p);
}

/* ---- TRUNC ---- */

/* What is only in the log and not in the tree can be forgotten here; what the tree has applied
 * comes back from the files without it. */
static void truncate_after(void *arg, int64_t zxid)
{
    struct node *n = arg;
    struct ensemble *e = n->ensemble;
    bool from_files = zxid < tree_last_zxid(n->tree);
    e->truncating = true;
    e->truncate_zxid = zxid;
    persist(n, (struct persist_effect){
                   .type = PERSIST_TRUNCATE, .zxid = zxid, .value = from_files ? 1 : 0});
}

void on_truncated(struct node *n, const struct node_event *ev)
{
    struct ensemble *e = n->ensemble;
    if (!e->truncating) {
        tree_free(ev->replace.tree);
        return;
    }
    if (ev->replace.tree != NULL) {
        node_adopt(n, ev->replace.tree, ev->replace.sessions, ev->replace.session_count);
        ensemble_init_config(n);
    } else if (!ev->failed) {
        proposals_drop_after(n, e->truncate_zxid);
        n->last_proposed_zxid = proposals_last_zxid(n);
    }
    e->truncating = false;
    zab_truncated(e->zab, !ev->failed);
}

/* ---- SNAP ---- */

static void install_drop(struct ensemble *e)
{
    snapshot_loader_free(e->install.loader);
    tree_free(e->install.tree);
    free(e->install.sessions);
    e->install = (struct install){0};
}

static void install_begin(void *arg, int64_t zxid)
{
    struct node *n = arg;
    struct install *in = &n->ensemble->install;
    invariant(in->tree == NULL);
    in->zxid = zxid;
    in->tree = tree_create_like(n->tree);
    in->loader = snapshot_loader_create(in->tree);
    persist(n, (struct persist_effect){.type = PERSIST_INSTALL_BEGIN, .zxid = zxid});
}

static void install_abort(void *arg)
{
    struct node *n = arg;
    if (n->ensemble->install.tree == NULL || n->ensemble->installing)
        return; /* whole already: the disk goes on with it, and so do we */
    persist(n, (struct persist_effect){.type = PERSIST_INSTALL_ABORT,
                                       .zxid = n->ensemble->install.zxid});
    install_drop(n->ensemble);
}

static void keep_sessions(struct install *in)
{
    const struct snapshot_session *list;
    in->session_count = snapshot_loader_sessions(in->loader, &list);
    in->sessions = mem_alloc(in->session_count * sizeof *in->sessions);
    if (in->session_count > 0)
        memcpy(in->sessions, list, in->session_count * sizeof *in->sessions);
    snapshot_loader_free(in->loader);
    in->loader = NULL;
}

static int install_bytes(void *arg, struct slice bytes, size_t *ret_used, bool *ret_done)
{
    struct node *n = arg;
    struct ensemble *e = n->ensemble;
    struct install *in = &e->install;
    invariant(in->loader != NULL);
    struct err err = {0};
    size_t used = 0;
    bool done = false;
    int rc = snapshot_loader_feed(in->loader, bytes, &used, &done, &err);
    if (rc != 0) {
        install_abort(n);
        return rc;
    }

    size_t at = n->fx->persist_bytes.len;
    buf_put(&n->fx->persist_bytes, bytes.ptr, used);
    if (used > 0)
        persist(n, (struct persist_effect){
                       .type = PERSIST_INSTALL_CHUNK, .zxid = in->zxid, .at = at, .len = used});
    if (done) {
        keep_sessions(in);
        tree_set_last_zxid(in->tree, in->zxid);
        e->installing = true;
        persist(n, (struct persist_effect){.type = PERSIST_INSTALL_END,
                                           .zxid = in->zxid,
                                           .digest = tree_digest(in->tree)});
    }
    *ret_used = used;
    *ret_done = done;
    return 0;
}

static void install_nothing(void *arg)
{
    struct node *n = arg;
    struct tree *fresh = tree_create_like(n->tree);
    struct buf bytes = {0};
    snapshot_begin(fresh, NULL, 0, &bytes);
    while (!snapshot_slice(fresh, SIZE_MAX, &bytes))
        continue;
    tree_free(fresh);

    size_t used;
    bool done;
    install_begin(n, 0);
    int rc = install_bytes(n, buf_slice(&bytes), &used, &done);
    invariant(rc == 0 && done && used == bytes.len);
    buf_deinit(&bytes);
}

void on_installed(struct node *n, const struct node_event *ev)
{
    struct ensemble *e = n->ensemble;
    if (!e->installing)
        return;
    e->installing = false;
    if (ev->failed) {
        install_drop(e); /* the disk takes nothing any more: the driver stops */
        ensemble_lose(n, "the leader's snapshot could not be written");
        return;
    }
    struct install in = e->install;
    e->install = (struct install){0};
    node_adopt(n, in.tree, in.sessions, in.session_count);
    free(in.sessions);
    ensemble_keep_config(n);
    zab_installed(e->zab);
}

/* ---- our state for a learner ---- */

/* The picture is of all that zab has committed: its window begins there. Without clients it is
 * applied here; with them as far as one step may go. */
static bool may_walk(struct node *n)
{
    if (!n->ensemble->serving)
        commit_all(n, n->fx);
    return !snapshot_active(n->tree) && !commit_is_behind(n);
}

static int64_t walk_begin(void *arg)
{
    struct node *n = arg;
    struct ensemble *e = n->ensemble;
    if (!may_walk(n)) {
        e->walk_wanted = true;
        return -1;
    }
    size_t count;
    struct snapshot_session *sessions = snapshot_sessions(n, &count);
    buf_clear(&e->walk_head);
    snapshot_begin(n->tree, sessions, count, &e->walk_head);
    free(sessions);
    e->walking = true;
    e->walk_wanted = false;
    return snapshot_zxid(n->tree);
}

static bool walk_next(void *arg, size_t bytes_max, struct buf *out)
{
    struct node *n = arg;
    struct ensemble *e = n->ensemble;
    invariant(e->walking);
    if (e->walk_head.len > 0) {
        buf_put_slice(out, buf_slice(&e->walk_head));
        buf_deinit(&e->walk_head);
        return false;
    }
    return snapshot_slice(n->tree, bytes_max, out);
}

static void walk_end(void *arg)
{
    struct node *n = arg;
    struct ensemble *e = n->ensemble;
    if (!e->walking)
        return;
    snapshot_abort(n->tree);
    buf_deinit(&e->walk_head);
    e->walking = false;
    snapshot_catch_up(n, n->fx);
}

void transfer_run(struct node *n)
{
    struct ensemble *e = n->ensemble;
    if (!e->walk_wanted || !may_walk(n))
        return;
    e->walk_wanted = false;
    e->dirty = true;
    zab_snapshot_free(e->zab);
}

/* ---- */

/* What the disk has begun it ends; no role begins before. */
void transfer_role_over(struct node *n)
{
    struct ensemble *e = n->ensemble;
    install_abort(n);
    walk_end(n);
    e->walk_wanted = false;
}

void transfer_host(struct zab_host *host)
{
    host->truncate = truncate_after;
    host->install_begin = install_begin;
    host->install_bytes = install_bytes;
    host->install_abort = install_abort;
    host->install_nothing = install_nothing;
    host->snapshot_begin = walk_begin;
    host->snapshot_next = walk_next;
    host->snapshot_end = walk_end;
}
