#include "caucus/cache.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/cache_internal.h"
#include "recipes/protect.h"

#define BYTES_MAX_DEFAULT ((size_t)1024 * 1024 * 1024)

/* ---- Telling ---- */

static void tell(struct caucus_cache *k, const struct caucus_cache_change *change)
{
    if (k->on_change == NULL || k->m.is_closed)
        return;
    k->m.is_calling = true;
    k->on_change(k->context, k, change);
    k->m.is_calling = false;
}

void cache_tell_node(const struct cache_entry *e, enum caucus_cache_news news,
                     const struct caucus_cache_node *node, const struct caucus_cache_node *before)
{
    if (cache_shows(e))
        tell(e->cache, &(struct caucus_cache_change){
                           .news = news, .node = node, .before = before, .path = e->path});
}

void cache_tell_trouble(struct caucus_cache *k, const char *path, int rc)
{
    tell(k, &(struct caucus_cache_change){.news = CAUCUS_CACHE_TROUBLE, .path = path, .rc = rc});
}

static void set_ready(struct caucus_cache *k, bool is_ready)
{
    pthread_mutex_lock(&k->m.lock);
    k->is_ready = is_ready;
    pthread_cond_broadcast(&k->m.changed);
    pthread_mutex_unlock(&k->m.lock);
}

static void tell_ready(struct caucus_cache *k)
{
    k->in_round = false;
    set_ready(k, true);
    tell(k, &(struct caucus_cache_change){.news = CAUCUS_CACHE_READY, .path = k->tree.root->path});
}

/* ---- Trouble ---- */

void cache_fail(struct caucus_cache *k, const char *path, int rc)
{
    if (!k->m.is_pausing)
        machine_pause(&k->m);
    cache_tell_trouble(k, path, rc);
}

/* A request was refused here. The client may be busy with other things than ours. */
static void refuse(struct caucus_cache *k, const char *path, int rc)
{
    if (rc == CAUCUS_BUSY)
        machine_pause(&k->m);
    else if (rc == CAUCUS_CLOSING || rc == CAUCUS_AUTHFAILED || rc == CAUCUS_SESSIONEXPIRED)
        k->is_up = false; /* for good */
    else
        cache_fail(k, path, rc);
}

/* ---- What entries want and owe ---- */

static void enqueue(struct cache_entry *e, bool is_flying)
{
    if (!is_flying && list_is_empty(&e->queue))
        list_append(&e->cache->queue, &e->queue);
}

void cache_want_read(struct cache_entry *e, bool needs_data)
{
    e->wants_read = true;
    e->needs_data |= needs_data;
    enqueue(e, e->is_reading);
}

void cache_want_list(struct cache_entry *e)
{
    e->wants_list = true;
    enqueue(e, e->is_listing);
}

static void owe(struct cache_entry *e, bool *debt)
{
    e->cache->owed += !*debt;
    *debt = true;
}

static void settle(struct cache_entry *e, bool *debt)
{
    e->cache->owed -= *debt;
    *debt = false;
}

void cache_owe_read(struct cache_entry *e)
{
    owe(e, &e->owes_read);
    cache_want_read(e, false);
}

void cache_owe_list(struct cache_entry *e)
{
    owe(e, &e->owes_list);
    cache_want_list(e);
}

/* One by one a round is not what makes an answer good. */
void cache_settle_read(struct cache_entry *e)
{
    if (e->cache->one_by_one || e->read_round == e->cache->round)
        settle(e, &e->owes_read);
}

void cache_settle_list(struct cache_entry *e)
{
    if (e->cache->one_by_one || e->list_round == e->cache->round)
        settle(e, &e->owes_list);
}

/* A list of an earlier round may still be owed. */
void cache_know_childless(struct cache_entry *e)
{
    e->listed_round = e->cache->round;
    settle(e, &e->owes_list);
}

/* ---- What goes ---- */

static void drop_value(struct cache_entry *e)
{
    const struct caucus_cache_node *before = cache_tree_set(&e->cache->tree, e, NULL);
    e->listed_round = 0;
    e->wants_list = false;
    settle(e, &e->owes_list);
    if (before != NULL)
        cache_tell_node(e, CAUCUS_CACHE_REMOVED, before, NULL);
    caucus_cache_node_free(before);
}

static void drop_entry(struct cache_entry *e)
{
    drop_value(e);
    settle(e, &e->owes_read);
    cache_tree_take_out(&e->cache->tree, e);
}

void cache_clear(struct cache_entry *e)
{
    struct cache_entry *next;
    for (struct cache_entry *i = cache_tree_deepest(e); i != e; i = next) {
        next = cache_tree_after(i, e);
        drop_entry(i);
    }
    drop_value(e);
}

void cache_remove(struct cache_entry *e)
{
    cache_clear(e);
    if (e->parent != NULL)
        drop_entry(e);
}

/* ---- Rounds ---- */

static void begin_round(struct caucus_cache *k)
{
    k->round++;
    k->in_round = true;
    cache_owe_read(k->tree.root);
}

static void end_round(struct caucus_cache *k)
{
    k->in_round = false;
    set_ready(k, false);
}

/* ---- The persistent watch ---- */

static void follow(struct caucus_cache *k, const struct caucus_event *event)
{
    struct cache_entry *e;
    switch (event->type) {
    case CAUCUS_NODE_CREATED:
    case CAUCUS_NODE_DATA_CHANGED:
        e = cache_tree_reach(&k->tree, event->path);
        if (e == NULL)
            break; /* too deep, or a list that is yet to come will bring it */
        cache_want_read(e, true);
        /* What is made below a node that has just been made is told as well. */
        if (event->type == CAUCUS_NODE_CREATED)
            e->listed_round = k->round;
        break;
    case CAUCUS_NODE_DELETED:
        e = cache_tree_find(&k->tree, event->path);
        if (e != NULL)
            cache_remove(e);
        break;
    case CAUCUS_WATCH_REARMED:
        begin_round(k);
        break;
    case CAUCUS_NODE_CHILDREN_CHANGED:
    case CAUCUS_WATCH_REMOVED:
    case CAUCUS_WATCH_LOST:
        break;
    }
}

static void on_event(void *context, const struct caucus_event *event)
{
    struct caucus_cache *k = context;
    machine_hold(&k->m);
    if (event->last) {
        k->watch = CACHE_WATCH_NONE;
        machine_drop(&k->m);
    } else if (!k->m.is_closed) {
        follow(k, event);
    }
    machine_advance(&k->m);
    machine_drop(&k->m);
}

/* A server that does not know such watches closes the connection behind its answer. It is asked
 * once in a session; the next one may be with another. */
static void on_watching(void *context, const struct caucus_result *r)
{
    struct caucus_cache *k = context;
    k->watch = r->rc == 0 ? CACHE_WATCH_SET : CACHE_WATCH_NONE;
    if (r->rc == 0)
        machine_hold(&k->m); /* the watch's */
    if (r->rc == CAUCUS_UNIMPLEMENTED)
        k->one_by_one = true;
    else if (r->rc != 0 && !protect_is_passing(r->rc))
        refuse(k, k->tree.root->path, r->rc);
    if (r->rc == 0 || r->rc == CAUCUS_UNIMPLEMENTED)
        begin_round(k);
    machine_advance(&k->m);
    machine_drop(&k->m);
}

static void add_watch(struct caucus_cache *k)
{
    const char *path = k->tree.root->path;
    enum caucus_add_watch_mode mode =
        k->scope == CAUCUS_CACHE_NODE ? CAUCUS_WATCH_PERSISTENT : CAUCUS_WATCH_PERSISTENT_RECURSIVE;
    machine_hold(&k->m);
    k->watch = CACHE_WATCH_ASKED;
    int rc = caucus_add_watch(k->m.c, path, mode, on_event, k, on_watching, k);
    if (rc != 0) {
        k->watch = CACHE_WATCH_NONE;
        refuse(k, path, rc);
        machine_drop(&k->m);
    }
}

/* ---- The machine ---- */

/* For both requests about an entry. */
static bool has_room(const struct caucus_cache *k)
{
    return k->flights + 2 <= CACHE_FLIGHTS_MAX;
}

static void pump(struct caucus_cache *k)
{
    struct list *node;
    while (k->is_up && !k->m.is_pausing && has_room(k) && (node = list_take(&k->queue)) != NULL) {
        struct cache_entry *e = list_entry(node, struct cache_entry, queue);
        int rc = cache_send(e);
        if (rc != 0)
            refuse(k, e->path, rc);
    }
}

/* Nothing of a cache that was closed is left at the server. What the entries have set is removed
 * when no request can set more. */
static void clear_away(struct caucus_cache *k)
{
    if (k->watch == CACHE_WATCH_SET) {
        k->watch = CACHE_WATCH_NONE;
        caucus_remove_watches(k->m.c, k->tree.root->path, CAUCUS_KIND_ANY, on_event, k, true, NULL,
                              NULL);
    }
    if (k->watch == CACHE_WATCH_ASKED || (k->flights > 0 && !k->is_clearing))
        return;
    if (k->one_by_one && !k->is_clearing)
        k->cursor = cache_tree_deepest(k->tree.root);
    k->is_clearing = true;
    while (k->cursor != NULL && has_room(k)) {
        struct cache_entry *e = k->cursor;
        k->cursor = cache_tree_after(e, k->tree.root);
        cache_unwatch(e);
    }
    if (k->cursor == NULL)
        machine_retire(&k->m);
}

static void advance(struct machine *m)
{
    struct caucus_cache *k = cache_of(m);
    if (m->is_closed) {
        clear_away(k);
        return;
    }
    if (!k->is_up || m->is_pausing)
        return;
    if (!k->one_by_one && k->watch == CACHE_WATCH_NONE)
        add_watch(k);
    if (k->one_by_one || k->watch == CACHE_WATCH_SET)
        pump(k);
    if (k->in_round && k->owed == 0)
        tell_ready(k);
}

static void on_state(struct machine *m, const struct caucus_state_change *change)
{
    struct caucus_cache *k = cache_of(m);
    switch (change->state) {
    case CAUCUS_CONNECTED:
    case CAUCUS_RECONNECTED:
    case CAUCUS_READ_ONLY:
        k->is_up = true;
        if (k->one_by_one)
            begin_round(k);
        break;
    case CAUCUS_LOST:
        k->one_by_one = false;
        k->is_up = false;
        end_round(k);
        break;
    case CAUCUS_SUSPENDED:
    case CAUCUS_AUTH_FAILED:
        k->is_up = false;
        end_round(k);
        break;
    case CAUCUS_CONNECTING:
    case CAUCUS_CLOSED:
        break;
    }
    if (change->state == CAUCUS_AUTH_FAILED)
        cache_tell_trouble(k, k->tree.root->path, CAUCUS_AUTHFAILED);
}

/* The user knows. */
static void on_end(struct machine *m)
{
    (void)m;
}

/* ---- Making ---- */

static void on_free(struct machine *m)
{
    struct caucus_cache *k = cache_of(m);
    cache_tree_deinit(&k->tree);
    machine_deinit(m);
    free(k);
}

static const struct machine_calls calls = {on_state, advance, on_end, on_free};

static unsigned depth_of(enum caucus_cache_scope scope)
{
    switch (scope) {
    case CAUCUS_CACHE_NODE:
        return 0;
    case CAUCUS_CACHE_CHILDREN:
        return 1;
    case CAUCUS_CACHE_TREE:
        break;
    }
    return UINT_MAX;
}

static bool is_path(const char *path)
{
    size_t len = path != NULL ? strlen(path) : 0;
    return len > 0 && path[0] == '/' && (len == 1 || path[len - 1] != '/');
}

int caucus_cache_open(struct caucus *c, const char *path, enum caucus_cache_scope scope,
                      const struct caucus_cache_options *options, struct caucus_cache **ret)
{
    static const struct caucus_cache_options none;
    const struct caucus_cache_options *o = options != NULL ? options : &none;
    if (!is_path(path) || scope < CAUCUS_CACHE_NODE || scope > CAUCUS_CACHE_TREE)
        return CAUCUS_BADARGUMENTS;
    struct caucus_cache *k = mem_calloc(1, sizeof(*k));
    machine_init(&k->m, &calls, c);
    k->scope = scope;
    k->on_change = o->on_change;
    k->context = o->context;
    k->bytes_max = o->bytes_max != 0 ? o->bytes_max : BYTES_MAX_DEFAULT;
    list_init(&k->queue);
    cache_tree_init(&k->tree, k, path, depth_of(scope));
    *ret = k;
    int rc = machine_start(&k->m);
    if (rc != 0) {
        *ret = NULL;
        on_free(&k->m);
    }
    return rc;
}

void caucus_cache_close(struct caucus_cache *cache)
{
    if (cache != NULL)
        machine_close(&cache->m);
}
