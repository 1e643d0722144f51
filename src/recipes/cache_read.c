/* cache_read.c: the requests about one node, their answers, and its one-shot watches. */
#include "recipes/cache_internal.h"
#include "recipes/protect.h"

static bool may_have_children(const struct cache_entry *e)
{
    switch (e->cache->scope) {
    case CAUCUS_CACHE_NODE:
        return false;
    case CAUCUS_CACHE_CHILDREN:
        return e->parent == NULL;
    case CAUCUS_CACHE_TREE:
        break;
    }
    return e->value == NULL || e->value->stat.ephemeral_owner == 0;
}

/* ---- Requests and watches use the entry ---- */

static void use(struct cache_entry *e)
{
    e->users++;
    machine_hold(&e->cache->m);
}

static void unuse(struct cache_entry *e)
{
    struct caucus_cache *k = e->cache;
    e->users--;
    cache_entry_free_if_unused(e);
    machine_drop(&k->m);
}

static void take_off(struct cache_entry *e)
{
    use(e);
    e->cache->flights++;
}

static void land(struct cache_entry *e)
{
    struct caucus_cache *k = e->cache;
    machine_hold(&k->m);
    k->flights--;
    unuse(e);
    machine_advance(&k->m);
    machine_drop(&k->m);
}

/* ---- One-shot watches ---- */

/* READY waits for what was found at a reconnection, which comes before the look at the root, and
 * for all after the end of a session. */
static bool is_owed(const struct caucus_cache *k, const struct caucus_event *event)
{
    return event->type == CAUCUS_WATCH_LOST || k->tree.root->owes_read;
}

static void on_data_event(void *context, const struct caucus_event *event)
{
    struct cache_entry *e = context;
    struct caucus_cache *k = e->cache;
    machine_hold(&k->m);
    e->data_watch = CACHE_WATCH_NONE;
    if (!e->is_gone && !k->m.is_closed) {
        if (event->type == CAUCUS_NODE_DELETED)
            cache_remove(e);
        if (!e->is_gone && is_owed(k, event)) /* the root stays */
            cache_owe_read(e);
        if (!e->is_gone)
            cache_want_read(e, event->type == CAUCUS_NODE_DATA_CHANGED ||
                                   event->type == CAUCUS_NODE_CREATED);
    }
    unuse(e);
    machine_advance(&k->m);
    machine_drop(&k->m);
}

static void on_child_event(void *context, const struct caucus_event *event)
{
    struct cache_entry *e = context;
    struct caucus_cache *k = e->cache;
    machine_hold(&k->m);
    e->child_watch = CACHE_WATCH_NONE;
    /* That the node is deleted the other watch tells. */
    if (!e->is_gone && !k->m.is_closed && e->value != NULL) {
        if (is_owed(k, event))
            cache_owe_list(e);
        cache_want_list(e);
    }
    unuse(e);
    machine_advance(&k->m);
    machine_drop(&k->m);
}

/* The watch to be set with a request, if there has to be one. */
static caucus_watch_fn *ask_watch(struct cache_entry *e, enum cache_watch *watch,
                                  caucus_watch_fn *fn)
{
    if (!e->cache->one_by_one || *watch != CACHE_WATCH_NONE)
        return NULL;
    *watch = CACHE_WATCH_ASKED;
    return fn;
}

static void settle_watch(struct cache_entry *e, enum cache_watch *watch, bool is_set)
{
    if (*watch != CACHE_WATCH_ASKED)
        return;
    *watch = is_set ? CACHE_WATCH_SET : CACHE_WATCH_NONE;
    if (is_set)
        use(e);
}

/* ---- Answers that say that there is nothing to be had ---- */

/* Whether the answer was one. Otherwise the entry goes on wanting it. */
static bool is_answer(struct cache_entry *e, int rc)
{
    if (rc == 0 || rc == CAUCUS_NONODE || rc == CAUCUS_NOAUTH)
        return true;
    if (!protect_is_passing(rc) && rc != CAUCUS_CLOSING && rc != CAUCUS_AUTHFAILED)
        cache_fail(e->cache, e->path, rc);
    return false;
}

/* An entry whose watch stands stays, without a value, to hear when the node changes. */
static void hide(struct cache_entry *e, int rc)
{
    cache_settle_read(e);
    if (e->data_watch == CACHE_WATCH_SET)
        cache_clear(e);
    else
        cache_remove(e);
    cache_tell_trouble(e->cache, e->path, rc);
}

/* ---- Reading ---- */

static bool is_same(const struct caucus_cache_node *known, const struct caucus_stat *stat)
{
    return known != NULL && known->stat.czxid == stat->czxid && known->stat.mzxid == stat->mzxid;
}

static void put_value(struct cache_entry *e, const struct caucus_result *r)
{
    struct caucus_cache *k = e->cache;
    const struct caucus_cache_node *value =
        cache_node_new(e->path, r->data, r->data_bytes, r->stat);
    size_t others = k->tree.bytes - cache_node_bytes(e->value);
    if (others + cache_node_bytes(value) > k->bytes_max) {
        caucus_cache_node_free(value);
        hide(e, CAUCUS_TOOBIG);
        return;
    }
    const struct caucus_cache_node *before = cache_tree_set(&k->tree, e, value);
    if (before == NULL)
        cache_tell_node(e, CAUCUS_CACHE_ADDED, value, NULL);
    else if (!is_same(before, &value->stat))
        cache_tell_node(e, CAUCUS_CACHE_CHANGED, value, before);
    caucus_cache_node_free(before);
}

/* Whether the children of a node that is there have to be listed. */
static void look_below(struct cache_entry *e, const struct caucus_stat *stat)
{
    if (!may_have_children(e))
        return;
    bool has_any = stat->num_children > 0 || !list_is_empty(&e->children);
    if (e->cache->one_by_one) {
        /* A watch that stands is not enough: the list that set it was for nothing if the root was
         * made again meanwhile. */
        if (e->child_watch == CACHE_WATCH_NONE || (e->listed_round == 0 && !e->owes_list))
            cache_owe_list(e);
    } else if (e->listed_round != e->cache->round) {
        if (has_any)
            cache_owe_list(e);
        else
            cache_know_childless(e);
    }
}

/* False: the node's parent is not there, or not any more; a list of its children will bring it. */
static bool has_place(const struct cache_entry *e)
{
    if (e->parent == NULL || e->parent->value != NULL)
        return true;
    e->parent->listed_round = 0;
    return false;
}

static void see(struct cache_entry *e, const struct caucus_result *r, bool has_data)
{
    /* What was made again is another node, and so is all below it. */
    if (e->value != NULL && e->value->stat.czxid != r->stat->czxid)
        cache_clear(e);
    if (!has_data && !is_same(e->value, r->stat)) {
        cache_want_read(e, true);
        return;
    }
    cache_settle_read(e);
    if (!has_place(e))
        return;
    if (has_data)
        put_value(e, r);
    if (e->value != NULL)
        look_below(e, r->stat);
}

static void on_answer(struct cache_entry *e, const struct caucus_result *r, bool has_data)
{
    struct caucus_cache *k = e->cache;
    e->is_reading = false;
    settle_watch(e, &e->data_watch, r->rc == 0 || (!has_data && r->rc == CAUCUS_NONODE));
    if (!e->is_gone && !k->m.is_closed) {
        if (!is_answer(e, r->rc)) {
            cache_want_read(e, has_data);
        } else if (r->rc == 0) {
            k->m.failures = 0;
            see(e, r, has_data);
        } else {
            if (r->rc == CAUCUS_NOAUTH) {
                hide(e, r->rc);
            } else {
                cache_settle_read(e);
                cache_remove(e);
            }
            /* The root is waited for by a watch on what is not there, or not for us to read. */
            if (k->one_by_one && has_data && !e->is_gone && e->data_watch == CACHE_WATCH_NONE)
                cache_want_read(e, false);
        }
    }
    if (!e->is_gone && e->wants_read)
        cache_want_read(e, false);
    land(e);
}

static void on_read(void *context, const struct caucus_result *r)
{
    on_answer(context, r, true);
}

static void on_looked(void *context, const struct caucus_result *r)
{
    on_answer(context, r, false);
}

/* Whether the stat will do: most nodes have not changed while nobody was there to tell. One by one
 * nothing but the root is asked so, because the question would leave a watch behind where there is
 * no node. */
static bool stat_will_do(const struct cache_entry *e)
{
    if (e->needs_data)
        return false;
    return e->cache->one_by_one ? e->parent == NULL : e->value != NULL;
}

static int send_read(struct cache_entry *e)
{
    struct caucus *c = e->cache->m.c;
    caucus_watch_fn *watch = ask_watch(e, &e->data_watch, on_data_event);
    e->wants_read = false;
    e->is_reading = true;
    e->read_round = e->cache->round;
    take_off(e);
    if (stat_will_do(e))
        return caucus_exists(c, e->path, watch, e, on_looked, e);
    e->needs_data = false;
    return caucus_get(c, e->path, watch, e, on_read, e);
}

/* ---- Listing ---- */

/* False: there is no room for all of them. One by one a value that was read in an earlier session
 * is not enough: it is the read that sets the watch. */
static bool name_children(struct cache_entry *e, const struct caucus_result *r)
{
    struct caucus_cache *k = e->cache;
    bool fits = true;
    for (size_t i = 0; i < r->name_count; i++) {
        fits &= k->tree.bytes <= k->bytes_max;
        struct cache_entry *child = cache_tree_child(&k->tree, e, r->names[i], fits);
        if (child == NULL)
            continue;
        child->is_named = true;
        bool is_known =
            (child->value != NULL || child->is_reading) && child->data_watch != CACHE_WATCH_NONE;
        if (!k->one_by_one || (!is_known && !child->wants_read))
            cache_owe_read(child);
    }
    if (!fits)
        cache_tell_trouble(k, e->path, CAUCUS_TOOBIG);
    return fits;
}

/* Those that the list does not name are not there any more. */
static void remove_unnamed(struct cache_entry *e)
{
    struct list *next;
    for (struct list *i = e->children.next; i != &e->children; i = next) {
        next = i->next;
        struct cache_entry *child = list_entry(i, struct cache_entry, siblings);
        bool is_named = child->is_named;
        child->is_named = false;
        if (!is_named)
            cache_remove(child);
    }
}

static void on_listed(void *context, const struct caucus_result *r)
{
    struct cache_entry *e = context;
    struct caucus_cache *k = e->cache;
    e->is_listing = false;
    settle_watch(e, &e->child_watch, r->rc == 0);
    if (!e->is_gone && !k->m.is_closed && e->value != NULL) {
        if (!is_answer(e, r->rc)) {
            cache_want_list(e);
        } else {
            cache_settle_list(e);
            if (r->rc == 0)
                k->m.failures = 0;
            bool is_whole = r->rc == 0 && name_children(e, r);
            if (!is_whole)
                e->listed_round = 0; /* once more when the node changes */
            else if (k->one_by_one || e->list_round == k->round)
                e->listed_round = k->round;
            remove_unnamed(e);
            if (r->rc == CAUCUS_NOAUTH)
                cache_tell_trouble(k, e->path, r->rc);
        }
    }
    if (!e->is_gone && e->wants_list)
        cache_want_list(e);
    land(e);
}

static int send_list(struct cache_entry *e)
{
    e->wants_list = false;
    e->is_listing = true;
    e->list_round = e->cache->round;
    take_off(e);
    return caucus_get_children(e->cache->m.c, e->path,
                               ask_watch(e, &e->child_watch, on_child_event), e, on_listed, e);
}

/* ---- Both ---- */

/* It did not begin: as if it had not been sent. */
static int back_out(struct cache_entry *e, int rc, bool *is_flying, enum cache_watch *watch)
{
    if (rc == 0)
        return 0;
    *is_flying = false;
    settle_watch(e, watch, false);
    e->cache->flights--;
    unuse(e);
    return rc;
}

int cache_send(struct cache_entry *e)
{
    int rc = 0;
    if (e->wants_read && !e->is_reading) {
        bool needed_data = e->needs_data;
        rc = back_out(e, send_read(e), &e->is_reading, &e->data_watch);
        if (rc != 0)
            cache_want_read(e, needed_data);
    }
    if (rc == 0 && e->wants_list && !e->is_listing) {
        rc = back_out(e, send_list(e), &e->is_listing, &e->child_watch);
        if (rc != 0)
            cache_want_list(e);
    }
    return rc;
}

/* ---- The end of one-shot watches ---- */

static void on_unwatched(void *context, const struct caucus_result *r)
{
    (void)r;
    land(context);
}

/* A client that is being closed refuses: it tells all watches that they are over. */
static void unwatch(struct cache_entry *e, enum caucus_watch_kind kind, caucus_watch_fn *watch)
{
    take_off(e);
    int rc = caucus_remove_watches(e->cache->m.c, e->path, kind, watch, e, true, on_unwatched, e);
    if (rc != 0) {
        e->cache->flights--;
        unuse(e);
    }
}

void cache_unwatch(struct cache_entry *e)
{
    if (e->data_watch == CACHE_WATCH_SET)
        unwatch(e, CAUCUS_KIND_DATA, on_data_event);
    if (e->child_watch == CACHE_WATCH_SET)
        unwatch(e, CAUCUS_KIND_CHILDREN, on_child_event);
}
