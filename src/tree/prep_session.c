/* prep_session.c: the end of a session is the end of its ephemerals. */
#include "tree/prep_internal.h"

struct closing {
    struct prep *p;
    const struct prep_request *req;
    struct buf *out; /* NULL: the paths are not written */
    uint32_t count;
};

/* The node may be gone already, or be somebody else's by now, by an outstanding change. */
static void close_path(struct closing *cl, struct slice path)
{
    struct prep *p = cl->p;
    struct spot spot, parent_spot;
    struct node_state node, parent;
    if (!prep_find(p, path, &spot, &node) || node.stat.ephemeral_owner != cl->req->session_id)
        return;
    bool has_parent = prep_find(p, path_parent(path), &parent_spot, &parent);
    invariant(has_parent);
    prep_remove(p, cl->req->zxid, &parent_spot, &parent, &spot, &node);

    cl->count++;
    if (cl->out != NULL)
        rec_put_slice(cl->out, path);
}

static void on_committed(void *arg, struct slice path)
{
    close_path(arg, path);
}

/* Committed ephemerals in the order of their creation, then those still outstanding in theirs.
 * ZooKeeper gives them in the order of a hash set and leaves the parents' child counts too high
 * until the txn is applied; both differences show only between replicas that agree anyway. */
void close_session_prep(struct prep *p, const struct prep_request *req, struct buf *out)
{
    bool listed = p->options.close_session_txn_enabled;
    size_t count_at = out->len;
    if (listed)
        buf_put_i32(out, 0);

    struct closing cl = {.p = p, .req = req, .out = listed ? out : NULL};
    tree_ephemerals_of(p->tree, req->session_id, on_committed, &cl);
    struct list *owned = changes_owned_by(&p->changes, req->session_id);
    for (struct list *at = owned->next; at != owned; at = at->next) {
        struct change *ch = list_entry(at, struct change, owned);
        if (ch->state.stat.ephemeral_owner == req->session_id)
            close_path(&cl, slice_of(ch->path, ch->path_len));
    }
    if (listed)
        store_be32(out->ptr + count_at, cl.count);
}
