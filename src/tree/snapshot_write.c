/* snapshot_write.c: the walk that writes a snapshot while the tree goes on changing.
 *
 * Each node carries a mark. Against the mark of the running walk it says one of three things:
 *   mark       it was emitted (or, no walk running, it was there when the last one began or came
 * later) mark + 1   it was born during the walk and is not part of the picture other      it still
 * has to be emitted
 *
 * Invariants while a walk is active:
 *   1. A node that has to be emitted is as it was when the walk began: tree_apply emits it before
 * its first change.
 *   2. A node is emitted after its parent.
 *   3. Behind a node born during the walk, all siblings are too, since children are appended. So
 * the walk cannot be kept busy by those who create nodes in front of it.
 *
 * A walk given up leaves old marks behind; the next one has a new mark and sees them as "other".
 * Only after some 500 in a row would marks repeat, and all nodes are marked anew first. */
#include <stdlib.h>

#include "base/mem.h"
#include "tree/snapshot.h"
#include "tree/tree_internal.h"
#include "wire/records.h"

enum {
    MARK_MASK = 0x3ff,
    ABORTED_MAX = 500,
    /* Nodes looked at per slice without writing them: about 100 microseconds. */
    SLICE_VISITS_MAX = 1024,
};

static const int64_t FILE_INDEX_OPEN = -1;

static bool is_born(const struct snapshot_walk *w, const struct znode *n)
{
    return n->snapshot_mark == w->mark + 1;
}

static bool is_pending(const struct snapshot_walk *w, const struct znode *n)
{
    return n->snapshot_mark != w->mark && !is_born(w, n);
}

/* ---- one node ---- */

/* The path of `parent` without a slash at the end: "" for the root. */
static struct slice parent_path(struct snapshot_walk *w, const struct znode *parent)
{
    if (parent != w->path_parent) {
        buf_clear(&w->path);
        if (parent->parent != NULL)
            znode_path(parent, &w->path);
        w->path_parent = parent;
    }
    return buf_slice(&w->path);
}

static void put_path(struct snapshot_walk *w, const struct znode *n, struct buf *out)
{
    if (n->parent == NULL) {
        buf_put_i32(out, 0);
        return;
    }
    struct slice parent = parent_path(w, n->parent);
    buf_put_i32(out, (int32_t)(parent.len + 1 + n->name_len));
    buf_put_slice(out, parent);
    buf_put_u8(out, '/');
    buf_put_slice(out, znode_name(n));
}

static void emit(struct snapshot_walk *w, struct znode *n, struct buf *out)
{
    put_path(w, n, out);
    rec_put_slice(out, znode_data(n));
    buf_put_i64(out, n->acl_id == ACL_OPEN ? FILE_INDEX_OPEN : (int64_t)n->acl_id);
    struct rec_stat_persisted stat;
    znode_stat_persisted(n, &stat);
    rec_put_stat_persisted(out, &stat);
    n->snapshot_mark = w->mark & MARK_MASK;
}

/* ---- before a change ---- */

static void emit_with_ancestors(struct snapshot_walk *w, struct znode *n)
{
    size_t count = 0;
    for (struct znode *at = n; at != NULL && is_pending(w, at); at = at->parent) {
        if (count == w->chain_cap) {
            w->chain_cap = w->chain_cap ? 2 * w->chain_cap : 16;
            w->chain = mem_realloc(w->chain, w->chain_cap * sizeof(struct znode *));
        }
        w->chain[count++] = at;
    }
    while (count > 0)
        emit(w, w->chain[--count], &w->early);
}

void snapshot_emit_before_change(struct tree *t, struct znode *n, bool is_delete)
{
    struct snapshot_walk *w = &t->walk;
    emit_with_ancestors(w, n);
    if (!is_delete)
        return;
    if (w->cursor == n)
        w->cursor = znode_next_skipping(t->root, n);
    if (w->path_parent == n)
        w->path_parent = NULL;
}

/* ---- the walk ---- */

static void mark_all(struct tree *t)
{
    for (struct znode *n = t->root; n != NULL; n = znode_next(t->root, n))
        n->snapshot_mark = t->walk.mark & MARK_MASK;
    t->walk.aborted_count = 0;
}

void snapshot_begin(struct tree *t, const struct snapshot_session *sessions, size_t session_count,
                    struct buf *out)
{
    struct snapshot_walk *w = &t->walk;
    invariant(!w->active);
    if (w->aborted_count >= ABORTED_MAX)
        mark_all(t);
    w->active = true;
    w->mark = (w->mark + 2) & MARK_MASK;
    w->cursor = t->root;
    w->zxid = t->last_zxid;
    w->digest = t->digest.tree;
    w->path_parent = NULL;

    buf_put_i32(out, (int32_t)session_count);
    for (size_t i = 0; i < session_count; i++) {
        buf_put_i64(out, sessions[i].id);
        buf_put_i32(out, sessions[i].timeout_ms);
    }
    acl_cache_put(&t->acls, out);
}

static void visit(struct tree *t, struct buf *out)
{
    struct snapshot_walk *w = &t->walk;
    struct znode *n = w->cursor;
    if (is_born(w, n)) {
        w->cursor = znode_next_skipping(t->root, n->parent);
        return;
    }
    if (is_pending(w, n))
        emit(w, n, out);
    w->cursor = znode_next(t->root, n);
}

bool snapshot_slice(struct tree *t, size_t bytes_max, struct buf *out)
{
    struct snapshot_walk *w = &t->walk;
    invariant(w->active);
    size_t start = out->len;
    buf_put_slice(out, buf_slice(&w->early));
    buf_clear(&w->early);

    for (size_t visits = 0; w->cursor != NULL && visits < SLICE_VISITS_MAX; visits++) {
        if (visits > 0 && out->len - start >= bytes_max)
            break;
        visit(t, out);
    }
    if (w->cursor != NULL)
        return false;

    rec_put_slice(out, slice_str("/"));
    w->active = false;
    w->aborted_count = 0;
    buf_deinit(&w->early);
    return true;
}

void snapshot_abort(struct tree *t)
{
    struct snapshot_walk *w = &t->walk;
    if (!w->active)
        return;
    w->active = false;
    w->aborted_count++;
    w->cursor = NULL;
    buf_deinit(&w->early);
}

bool snapshot_active(const struct tree *t)
{
    return t->walk.active;
}

int64_t snapshot_zxid(const struct tree *t)
{
    return t->walk.zxid;
}

uint64_t snapshot_digest(const struct tree *t)
{
    return t->walk.digest;
}

void snapshot_walk_deinit(struct snapshot_walk *w)
{
    buf_deinit(&w->early);
    buf_deinit(&w->path);
    free(w->chain);
}
