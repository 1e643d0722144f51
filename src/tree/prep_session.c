/* prep_session.c: the end of a session is the end of its ephemerals. */
#include "tree/prep_internal.h"

struct closing {
    struct prep *p;
    const struct prep_request *req;
    struct buf *out; /* NULL: the paths are not written */
    uint32_t count;
};

static void close_path(struct closing *cl, struct slice path)
{
    struct prep *p = cl->p;
    struct spot spot, parent_spot;
    struct node_state node, parent;
    /* No parent: a snapshot from elsewhere can hold an ephemeral below an ephemeral. */
    if (!prep_find(p, path, &spot, &node) ||
        !prep_find(p, path_parent(path), &parent_spot, &parent))
        return;
    prep_remove(p, cl->req->zxid, &parent_spot, &parent, &spot, &node);

    cl->count++;
    if (cl->out != NULL)
        rec_put_slice(cl->out, path);
}

/* Each path is written where it was made last: so the list does not depend on how much of it
 * happens to be applied already. */
static void on_committed(void *arg, struct slice path)
{
    struct closing *cl = arg;
    struct spot spot;
    struct node_state node;
    prep_find(cl->p, path, &spot, &node);
    for (const struct change *ch = spot.newest; ch != NULL; ch = ch->older) {
        if (!ch->state.exists)
            return;
    }
    close_path(cl, path);
}

static void on_outstanding(struct closing *cl, const struct change *created)
{
    for (const struct change *ch = created->newer; ch != NULL; ch = ch->newer) {
        if (!ch->state.exists)
            return;
    }
    close_path(cl, slice_of(created->path, created->path_len));
}

/* Committed ephemerals in the order of their creation, then those still outstanding in theirs.
 * (ZooKeeper's order is that of a hash set.) */
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
            on_outstanding(&cl, ch);
    }
    if (!listed)
        return;
    /* A list that fits into no packet would keep every learner from following (ZOOKEEPER-4306). It
     * only says what the tree knows as well: whoever applies the txn removes what is left. */
    size_t bytes_max = p->options.close_list_bytes_max;
    if (bytes_max > 0 && out->len - count_at > bytes_max) {
        out->len = count_at + 4;
        cl.count = 0;
    }
    store_be32(out->ptr + count_at, cl.count);
}
