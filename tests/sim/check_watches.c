/* check_watches.c: the event comes, once, and before what it announces. */
#include "wire/zk.h"
#include "world.h"

static int path_of(struct slice path)
{
    char text[32];
    for (int i = 0; i < PATHS_MAX; i++) {
        path_text(i, text);
        if (slice_eq_str(path, text))
            return i;
    }
    return -1;
}

void check_watch_set(struct sim_client *c, int path, enum watched kind, int64_t zxid)
{
    struct sim_watch *watch = &c->watches[path][kind];
    if (!watch->set)
        *watch = (struct sim_watch){.set = true, .since = zxid};
}

static size_t happenings_behind(const struct history *h, int64_t zxid)
{
    size_t i = h->happening_count;
    while (i > 0 && h->happenings[i - 1].zxid > zxid)
        i--;
    return i;
}

void check_persistent_set(struct world *w, struct sim_client *c, int64_t zxid)
{
    c->persistent_wanted = c->persistent = true;
    c->persistent_at = happenings_behind(&w->history, zxid);
    c->persistent_seen = 0;
}

/* The persistent watch is on the crowd and all below it. */
static bool is_of_crowd(const struct history *h, const struct happening *e)
{
    const struct model_node *n = &h->nodes[e->node];
    return n->path_len >= 2 && n->path[1] == 'p' && (n->path_len == 2 || n->path[2] == '/');
}

static void skip_told(const struct history *h, struct sim_client *c)
{
    while (c->persistent_at < h->happening_count &&
           ((c->persistent_seen & 1) != 0 || !is_of_crowd(h, &h->happenings[c->persistent_at]))) {
        c->persistent_at++;
        c->persistent_seen >>= 1;
    }
}

/* The next thing that happened; in one transaction in any order. */
static bool persistent_heard(const struct history *h, struct sim_client *c, int32_t type,
                             struct slice path)
{
    skip_told(h, c);
    for (size_t i = c->persistent_at; i < h->happening_count && i < c->persistent_at + 64; i++) {
        const struct happening *e = &h->happenings[i];
        const struct model_node *n = &h->nodes[e->node];
        if (e->zxid != h->happenings[c->persistent_at].zxid)
            return false;
        if ((c->persistent_seen >> (i - c->persistent_at) & 1) == 0 && e->event == type &&
            slice_eq(path, slice_of(n->path, n->path_len))) {
            c->persistent_seen |= 1ULL << (i - c->persistent_at);
            skip_told(h, c);
            return true;
        }
    }
    return false;
}

static bool one_shot_heard(struct world *w, struct sim_client *c, int path, enum watched kind,
                           int32_t type, int64_t zxid)
{
    struct sim_watch *watch = &c->watches[path][kind];
    if (!watch->set)
        return false;
    char text[32];
    path_text(path, text);
    int32_t node = model_find(&w->history, slice_str(text));
    const struct state *change =
        kind == ON_DATA ? model_change(&w->history, node, watch->since, INT64_MAX)
                        : model_children_change(&w->history, node, watch->since, INT64_MAX);
    if (change == NULL)
        world_violate(w, "client %d: event %d on %s, and nothing changed since %s", c->index, type,
                      text, zxid_text(watch->since).text);
    else if (!watch->renewed && kind == ON_DATA && change->event != type)
        world_violate(w, "client %d: event %d on %s; event %d is what happened", c->index, type,
                      text, change->event);
    else if (!watch->renewed && zxid > 0 && zxid != change->zxid)
        world_violate(w, "client %d: event %d on %s says zxid %s; it happened at %s", c->index,
                      type, text, zxid_text(zxid).text, zxid_text(change->zxid).text);
    watch->set = watch->renewed = false;
    return true;
}

void check_watch_event(struct world *w, struct sim_client *c, int64_t zxid, int32_t type,
                       struct slice path)
{
    bool wanted = false;
    int known = path_of(path);
    /* Of two watches that are set again each speaks for itself. */
    bool each = known >= 0 && c->watches[known][ON_DATA].renewed;
    if (known >= 0 && type != ZK_EVENT_NODE_CHILDREN_CHANGED)
        wanted = one_shot_heard(w, c, known, ON_DATA, type, zxid);
    if (known >= 0 && !(each && wanted) &&
        (type == ZK_EVENT_NODE_CHILDREN_CHANGED || type == ZK_EVENT_NODE_DELETED))
        wanted = one_shot_heard(w, c, known, ON_CHILDREN, type, zxid) || wanted;
    if (c->persistent && type != ZK_EVENT_NODE_CHILDREN_CHANGED)
        wanted = persistent_heard(&w->history, c, type, path) || wanted;
    if (!wanted)
        world_violate(w, "client %d: event %d on %.*s, which it does not watch", c->index, type,
                      (int)path.len, (const char *)path.ptr);
}

static void check_spoke(struct world *w, struct sim_client *c, int path, enum watched kind,
                        int64_t zxid)
{
    const struct sim_watch *watch = &c->watches[path][kind];
    if (!watch->set)
        return;
    char text[32];
    path_text(path, text);
    int32_t node = model_find(&w->history, slice_str(text));
    const struct state *change = kind == ON_DATA
                                     ? model_change(&w->history, node, watch->since, zxid)
                                     : model_children_change(&w->history, node, watch->since, zxid);
    if (change != NULL)
        world_violate(w, "client %d: is shown %s, and its watch of %s has not told of %s", c->index,
                      zxid_text(zxid).text, text, zxid_text(change->zxid).text);
}

/* Set again on a new connection: by now it has told what a comparison of then and now shows. (What
 * was made and is gone again shows nothing; so ZooKeeper has it.) */
static void check_renewed(struct world *w, struct sim_client *c, int path, enum watched kind,
                          int64_t zxid)
{
    struct sim_watch *watch = &c->watches[path][kind];
    if (!watch->set || !watch->renewed)
        return;
    char text[32];
    path_text(path, text);
    int32_t node = model_find(&w->history, slice_str(text));
    const struct state *then = model_at(&w->history, node, watch->since);
    const struct state *now = model_at(&w->history, node, zxid);
    bool was = then != NULL && then->exists, is = now != NULL && now->exists;
    bool changed = was != is;
    if (was && is)
        changed = (kind == ON_DATA ? now->mzxid : now->pzxid) > watch->relative;
    if (changed)
        world_violate(w, "client %d: its watch of %s was set again at %s and has told nothing",
                      c->index, text, zxid_text(zxid).text);
    watch->renewed = false;
    watch->since = zxid;
}

void check_watches_renewed(struct world *w, struct sim_client *c, int64_t zxid)
{
    for (int path = 0; path < PATHS_MAX; path++) {
        check_renewed(w, c, path, ON_DATA, zxid);
        check_renewed(w, c, path, ON_CHILDREN, zxid);
    }
}

void check_watches_spoke(struct world *w, struct sim_client *c, int64_t zxid)
{
    const struct history *h = &w->history;
    for (int path = 0; path < PATHS_MAX; path++) {
        check_spoke(w, c, path, ON_DATA, zxid);
        check_spoke(w, c, path, ON_CHILDREN, zxid);
    }
    if (!c->persistent)
        return;
    skip_told(h, c);
    if (c->persistent_at < h->happening_count && h->happenings[c->persistent_at].zxid <= zxid)
        world_violate(w, "client %d: is shown %s, and its persistent watch has not told of %s",
                      c->index, zxid_text(zxid).text,
                      zxid_text(h->happenings[c->persistent_at].zxid).text);
}
