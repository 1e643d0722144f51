/* check_progress.c: when the faults are over everything comes right. */
#include <stdio.h>

#include "base/buf.h"
#include "tree/tree.h"
#include "world.h"

static bool is_member(const struct world *w, int server)
{
    const struct quorum *q = w->history.config;
    return q == NULL || quorum_find(q, server + 1) != NULL;
}

/* All members serve, and the same state. */
bool check_settled(struct world *w)
{
    int64_t head = history_head(&w->history);
    for (int i = 0; i < w->server_count; i++) {
        const struct server *v = &w->servers[i];
        if (!is_member(w, i))
            continue;
        if (v->node == NULL || !v->serving ||
            history_real(&w->history, tree_last_zxid(node_tree(v->node))) != head)
            return false;
    }
    return true;
}

static const char *const ROLES[] = {"alone", "looking", "leading", "following", "observing"};

void check_not_settled(struct world *w, const char *phase)
{
    struct buf text = {0};
    for (int i = 0; i < w->server_count; i++) {
        const struct server *v = &w->servers[i];
        if (!is_member(w, i))
            continue;
        if (v->node == NULL) {
            buf_printf(&text, "; %d is down", i + 1);
            continue;
        }
        buf_printf(&text, "; %d is %s%s at %s", i + 1, ROLES[node_role(v->node)],
                   v->serving ? " and serves" : "",
                   zxid_text(tree_last_zxid(node_tree(v->node))).text);
    }
    world_violate(w, "no progress: %s, committed is %s%.*s", phase,
                  zxid_text(history_head(&w->history)).text, (int)text.len,
                  text.len > 0 ? (const char *)text.ptr : "");
    buf_deinit(&text);
}

/* The model and each tree have the same znodes. */
static void compare(struct world *w, const struct server *v)
{
    const struct history *h = &w->history;
    const struct tree *t = node_tree(v->node);
    uint64_t there = 0;
    for (size_t i = 0; i < h->node_count; i++) {
        const struct model_node *n = &h->nodes[i];
        const struct state *s = model_at(h, (int32_t)i, INT64_MAX);
        const struct znode *z = tree_find(t, slice_of(n->path, n->path_len));
        bool exists = s != NULL && s->exists;
        there += exists;
        if (exists != (z != NULL))
            world_violate(w, "server %d %s %s", v->index + 1, exists ? "lacks" : "still has",
                          n->path);
        else if (exists && (z->version != s->version || z->mzxid != s->mzxid ||
                            (int32_t)z->child_count != s->children))
            world_violate(w, "server %d has another %s than was written", v->index + 1, n->path);
    }
    /* /zookeeper and what is in it. */
    if (w->violation[0] == 0 && tree_node_count(t) != there + 3)
        world_violate(w, "server %d has %llu znodes; %llu were made", v->index + 1,
                      (unsigned long long)tree_node_count(t), (unsigned long long)(there + 3));
}

void check_final_state(struct world *w)
{
    for (int i = 0; i < w->server_count; i++) {
        if (is_member(w, i))
            compare(w, &w->servers[i]);
    }
}
