#include "client/cwatch.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "wire/path.h"

#define path_entry(node) list_entry(node, struct cwatch_path, list)

void cwatch_init(struct cwatch *w, uint64_t seed)
{
    *w = (struct cwatch){.seed = seed};
    map_init(&w->by_hash, seed);
    list_init(&w->paths);
}

void cwatch_deinit(struct cwatch *w)
{
    struct cwatch_path *p;
    while ((p = cwatch_take(w)) != NULL)
        cwatch_path_free(p);
    map_deinit(&w->by_hash);
}

void cwatch_path_free(struct cwatch_path *p)
{
    for (int t = 0; t < CWATCH_TABLES; t++) {
        while (p->watchers[t] != NULL) {
            struct cwatcher *gone = p->watchers[t];
            p->watchers[t] = gone->next;
            free(gone);
        }
    }
    free(p);
}

struct slice cwatch_path_of(const struct cwatch_path *p)
{
    return slice_of(p->path, p->len);
}

struct cwatch_path *cwatch_find(const struct cwatch *w, struct slice path)
{
    struct cwatch_path *p = map_get(&w->by_hash, hash_slice(path, w->seed));
    while (p != NULL && !slice_eq(cwatch_path_of(p), path))
        p = p->collides;
    return p;
}

static struct cwatch_path *find_or_add(struct cwatch *w, struct slice path)
{
    struct cwatch_path *p = cwatch_find(w, path);
    if (p != NULL)
        return p;
    p = mem_calloc(1, sizeof(*p) + path.len + 1);
    p->hash = hash_slice(path, w->seed);
    p->len = path.len;
    memcpy(p->path, path.ptr, path.len);
    p->collides = map_put(&w->by_hash, p->hash, p);
    list_append(&w->paths, &p->list);
    return p;
}

static void unlink_path(struct cwatch *w, struct cwatch_path *p)
{
    list_remove(&p->list);
    struct cwatch_path *first = map_get(&w->by_hash, p->hash);
    if (first == p && p->collides == NULL) {
        map_remove(&w->by_hash, p->hash);
    } else if (first == p) {
        map_put(&w->by_hash, p->hash, p->collides);
    } else {
        while (first->collides != p)
            first = first->collides;
        first->collides = p->collides;
    }
}

static void drop_if_empty(struct cwatch *w, struct cwatch_path *p)
{
    for (int t = 0; t < CWATCH_TABLES; t++)
        if (p->watchers[t] != NULL)
            return;
    unlink_path(w, p);
    cwatch_path_free(p);
}

void cwatch_add(struct cwatch *w, enum cwatch_table table, struct slice path,
                caucus_watch_fn *watch, void *context)
{
    struct cwatcher *new = mem_alloc(sizeof(*new));
    *new = (struct cwatcher){.watch = watch, .context = context};
    struct cwatcher **end = &find_or_add(w, path)->watchers[table];
    while (*end != NULL)
        end = &(*end)->next;
    *end = new;
    w->counts[table]++;
}

size_t cwatch_count(const struct cwatch *w)
{
    size_t sum = 0;
    for (int t = 0; t < CWATCH_TABLES; t++)
        sum += w->counts[t];
    return sum;
}

struct cwatch_path *cwatch_take(struct cwatch *w)
{
    if (list_is_empty(&w->paths))
        return NULL;
    struct cwatch_path *p = path_entry(w->paths.next);
    unlink_path(w, p);
    for (int t = 0; t < CWATCH_TABLES; t++)
        for (struct cwatcher *i = p->watchers[t]; i != NULL; i = i->next)
            w->counts[t]--;
    return p;
}

/* One-shot watches: told for the last time, and gone. */
static void spend(struct cwatch *w, struct cwatch_path *p, enum cwatch_table table,
                  cwatch_told *told, void *arg)
{
    while (p->watchers[table] != NULL) {
        struct cwatcher *i = p->watchers[table];
        p->watchers[table] = i->next;
        w->counts[table]--;
        told(arg, i->watch, i->context, true);
        free(i);
    }
}

static void tell(const struct cwatch *w, const struct cwatch_path *p, enum cwatch_table table,
                 cwatch_told *told, void *arg)
{
    for (struct cwatcher *i = p->watchers[table]; i != NULL; i = i->next) {
        i->missed |= w->holds;
        if (!w->holds)
            told(arg, i->watch, i->context, false);
    }
}

/* The path itself, then each that it lies under, up to "/". */
static void tell_recursive(const struct cwatch *w, struct slice path, cwatch_told *told, void *arg)
{
    while (w->counts[CWATCH_RECURSIVE] > 0) {
        const struct cwatch_path *p = cwatch_find(w, path);
        if (p != NULL)
            tell(w, p, CWATCH_RECURSIVE, told, arg);
        if (path.len <= 1)
            return;
        path = path_parent(path);
        if (path.len == 0)
            path = slice_str("/");
    }
}

/* Which one-shot watches an event uses up (Java: ZKWatchManager.materialize). The server sends
 * events of children to a connection for its one-shot watches too, so recursive watches are kept
 * from them here. */
void cwatch_fire(struct cwatch *w, enum caucus_event_type type, struct slice path,
                 cwatch_told *told, void *arg)
{
    bool of_children = type == CAUCUS_NODE_CHILDREN_CHANGED;
    struct cwatch_path *p = cwatch_find(w, path);
    if (p != NULL) {
        if (!of_children) {
            spend(w, p, CWATCH_DATA, told, arg);
            spend(w, p, CWATCH_EXIST, told, arg);
        }
        if (of_children || type == CAUCUS_NODE_DELETED)
            spend(w, p, CWATCH_CHILD, told, arg);
        tell(w, p, CWATCH_PERSISTENT, told, arg);
    }
    if (!of_children)
        tell_recursive(w, path, told, arg);
    if (p != NULL)
        drop_if_empty(w, p);
}

static void name_missed(struct cwatcher *first, struct slice path, cwatch_missed *missed, void *arg)
{
    for (struct cwatcher *i = first; i != NULL; i = i->next) {
        if (i->missed)
            missed(arg, path, i->watch, i->context);
        i->missed = false;
    }
}

void cwatch_let_go(struct cwatch *w, cwatch_missed *missed, void *arg)
{
    w->holds = false;
    for (struct list *i = w->paths.next; i != &w->paths; i = i->next) {
        const struct cwatch_path *p = path_entry(i);
        for (int t = CWATCH_PERSISTENT; t <= CWATCH_RECURSIVE; t++)
            name_missed(p->watchers[t], cwatch_path_of(p), missed, arg);
    }
}

static bool kind_has(enum caucus_watch_kind kind, int table)
{
    switch (kind) {
    case CAUCUS_KIND_CHILDREN:
        return table == CWATCH_CHILD;
    case CAUCUS_KIND_DATA:
        return table == CWATCH_DATA || table == CWATCH_EXIST;
    case CAUCUS_KIND_PERSISTENT:
        return table == CWATCH_PERSISTENT;
    case CAUCUS_KIND_PERSISTENT_RECURSIVE:
        return table == CWATCH_RECURSIVE;
    case CAUCUS_KIND_ANY:
        return true;
    }
    return false;
}

static bool is_meant(const struct cwatcher *i, caucus_watch_fn *watch, const void *context)
{
    return watch == NULL || (i->watch == watch && i->context == context);
}

size_t cwatch_matching(const struct cwatch *w, enum caucus_watch_kind kind, struct slice path,
                       caucus_watch_fn *watch, void *context)
{
    size_t count = 0;
    const struct cwatch_path *p = cwatch_find(w, path);
    for (int t = 0; p != NULL && t < CWATCH_TABLES; t++)
        for (const struct cwatcher *i = p->watchers[t]; kind_has(kind, t) && i != NULL; i = i->next)
            count += is_meant(i, watch, context);
    return count;
}

void cwatch_remove(struct cwatch *w, enum caucus_watch_kind kind, struct slice path,
                   caucus_watch_fn *watch, void *context, cwatch_told *told, void *arg)
{
    struct cwatch_path *p = cwatch_find(w, path);
    if (p == NULL)
        return;
    for (int t = 0; t < CWATCH_TABLES; t++) {
        struct cwatcher **at = &p->watchers[t];
        while (kind_has(kind, t) && *at != NULL) {
            struct cwatcher *i = *at;
            if (!is_meant(i, watch, context)) {
                at = &i->next;
                continue;
            }
            *at = i->next;
            w->counts[t]--;
            told(arg, i->watch, i->context, true);
            free(i);
        }
    }
    drop_if_empty(w, p);
}
