/* ahead.c: the tree is told what will be looked up soon (tree/ahead.h). */
#include "tree/ahead.h"

#include "node/node_internal.h"

enum {
    REQUEST_HEADER_BYTES = 8, /* xid, op */
};

size_t node_look_ahead(const struct node *n, struct slice frames)
{
    struct tree_ahead a = {.count = 0};
    size_t count = 0;
    for (; frames.len >= 4 && count < TREE_AHEAD_MAX; count++) {
        size_t len = load_be32(frames.ptr);
        if (len > frames.len - 4)
            break;
        struct slice frame = slice_of(frames.ptr + 4, len);
        if (len > REQUEST_HEADER_BYTES)
            tree_ahead_add(&a, n->tree, slice_from(frame, REQUEST_HEADER_BYTES));
        frames = slice_from(frames, 4 + len);
    }
    if (count > 1)
        tree_ahead_run(&a, n->tree);
    return count;
}

size_t commit_look_ahead(const struct node *n)
{
    struct tree_ahead a = {.count = 0};
    size_t count = 0;
    for (; count < n->proposal_count && count < TREE_AHEAD_MAX; count++) {
        const struct proposal *p = proposal_at(n, count);
        if (!proposal_is_committed(n, p))
            break;
        tree_ahead_add(&a, n->tree, buf_part(&n->proposal_bytes, p->at, p->len));
    }
    if (count > 1)
        tree_ahead_run(&a, n->tree);
    return count;
}

size_t drain_look_ahead(const struct node *n, const struct fifo *f)
{
    struct tree_ahead a = {.count = 0};
    uint32_t count = 0;
    const struct fifo_entry *e;
    while (count < TREE_AHEAD_MAX && (e = fifo_at(f, count)) != NULL && e->kind == FIFO_READ) {
        tree_ahead_add(&a, n->tree, fifo_bytes(f, e));
        count++;
    }
    if (count > 1)
        tree_ahead_run(&a, n->tree);
    return count;
}
