/* ephemeral.c: nodes that somebody owns: the ephemerals of each session, and the containers and TTL
 * nodes that the reaper looks through. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/sort.h"
#include "tree/tree_internal.h"

struct session_ephemerals *ephemeral_session(const struct tree *t, uint64_t session_id)
{
    return map_get(&t->sessions, session_id);
}

static struct session_ephemerals *session_create(struct tree *t, uint64_t session_id)
{
    struct session_ephemerals *se = mem_alloc(sizeof *se);
    *se = (struct session_ephemerals){.session_id = session_id};
    list_init(&se->nodes);
    map_put(&t->sessions, session_id, se);
    return se;
}

void ephemeral_add(struct tree *t, struct znode *n)
{
    if (znode_kind_of(t, n->ephemeral_owner) != ZNODE_EPHEMERAL) {
        list_append(&t->reapables, znode_link(n));
        return;
    }
    struct session_ephemerals *se = ephemeral_session(t, n->ephemeral_owner);
    if (se == NULL)
        se = session_create(t, n->ephemeral_owner);
    list_append(&se->nodes, znode_link(n));
    se->count++;
    t->ephemeral_count++;
}

void ephemeral_remove(struct tree *t, struct znode *n)
{
    list_remove(znode_link(n));
    if (znode_kind_of(t, n->ephemeral_owner) != ZNODE_EPHEMERAL)
        return;
    struct session_ephemerals *se = ephemeral_session(t, n->ephemeral_owner);
    t->ephemeral_count--;
    if (--se->count == 0) {
        map_remove(&t->sessions, se->session_id);
        free(se);
    }
}

void ephemeral_deinit(struct tree *t)
{
    /* Sessions without nodes do not exist, and the nodes are gone. */
    invariant(t->sessions.count == 0);
    map_deinit(&t->sessions);
}

uint64_t tree_ephemeral_count(const struct tree *t)
{
    return t->ephemeral_count;
}

void tree_ephemerals_of(const struct tree *t, int64_t session_id, tree_path_visit *visit, void *arg)
{
    const struct session_ephemerals *se = ephemeral_session(t, (uint64_t)session_id);
    if (se == NULL)
        return;
    struct buf path = {0};
    for (struct list *at = se->nodes.next; at != &se->nodes; at = at->next) {
        buf_clear(&path);
        znode_path(znode_of_link(at), &path);
        visit(arg, buf_slice(&path));
    }
    buf_deinit(&path);
}

/* ---- orders ---- */

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_session_id(const void *a, const void *b)
{
    const struct session_ephemerals *x = a;
    const struct session_ephemerals *y = b;
    return compare_u64(x->session_id, y->session_id);
}

static int by_czxid(const void *a, const void *b)
{
    const struct znode *x = a;
    const struct znode *y = b;
    return compare_u64((uint64_t)x->czxid, (uint64_t)y->czxid);
}

void tree_ephemeral_sessions(const struct tree *t, tree_session_visit *visit, void *arg)
{
    size_t total = t->sessions.count;
    void **sessions = mem_calloc(total, sizeof *sessions);
    size_t at = 0;
    for (size_t i = 0; i < total; i++)
        sessions[i] = map_next(&t->sessions, &at);

    sort_pointers(sessions, total, by_session_id);
    for (size_t i = 0; i < total; i++) {
        const struct session_ephemerals *se = sessions[i];
        visit(arg, (int64_t)se->session_id);
    }
    free(sessions);
}

static void session_sort(struct session_ephemerals *se)
{
    void **nodes = mem_calloc(se->count, sizeof *nodes);
    size_t count = 0;
    for (struct list *at = se->nodes.next; at != &se->nodes; at = at->next)
        nodes[count++] = znode_of_link(at);

    sort_pointers(nodes, count, by_czxid);
    list_init(&se->nodes);
    for (size_t i = 0; i < count; i++)
        list_append(&se->nodes, znode_link(nodes[i]));
    free(nodes);
}

void ephemeral_sort(struct tree *t)
{
    size_t at = 0;
    struct session_ephemerals *se;
    while ((se = map_next(&t->sessions, &at)) != NULL)
        session_sort(se);
}

/* ---- the reaper's list ---- */

static bool is_reapable(const struct tree *t, const struct znode *n, int64_t now_ms,
                        int64_t never_used_ms)
{
    if (n->child_count > 0)
        return false;
    int64_t age_ms = (int64_t)((uint64_t)now_ms - (uint64_t)n->mtime_ms);
    if (znode_kind_of(t, n->ephemeral_owner) == ZNODE_TTL) {
        int64_t ttl_ms = znode_ttl_ms(t, n->ephemeral_owner);
        return ttl_ms != 0 && age_ms > ttl_ms;
    }
    /* A container that was just made has had no time to get its first child. */
    return n->cversion > 0 || (never_used_ms != 0 && age_ms > never_used_ms);
}

bool tree_is_reapable(const struct tree *t, struct slice path, int64_t now_ms,
                      int64_t never_used_ms)
{
    const struct znode *n = tree_find(t, path);
    if (n == NULL || n->ephemeral_owner == 0 ||
        znode_kind_of(t, n->ephemeral_owner) == ZNODE_EPHEMERAL)
        return false;
    return is_reapable(t, n, now_ms, never_used_ms);
}

size_t tree_reapable(const struct tree *t, int64_t now_ms, int64_t never_used_ms, size_t max,
                     tree_path_visit *visit, void *arg)
{
    size_t count = 0;
    struct buf path = {0};
    for (struct list *at = t->reapables.next; at != &t->reapables && count < max; at = at->next) {
        const struct znode *n = znode_of_link(at);
        if (!is_reapable(t, n, now_ms, never_used_ms))
            continue;
        buf_clear(&path);
        znode_path(n, &path);
        visit(arg, buf_slice(&path));
        count++;
    }
    buf_deinit(&path);
    return count;
}
