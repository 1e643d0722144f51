/* cache_user.c: the cache as other threads see it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/cache_internal.h"

bool caucus_cache_is_ready(struct caucus_cache *cache)
{
    pthread_mutex_lock(&cache->m.lock);
    bool is = cache->is_ready && !cache->m.ends;
    pthread_mutex_unlock(&cache->m.lock);
    return is;
}

static bool is_ready(const struct machine *m)
{
    return ((const struct caucus_cache *)(const void *)m)->is_ready;
}

int caucus_cache_await(struct caucus_cache *cache, int64_t timeout_ms)
{
    struct machine *m = &cache->m;
    machine_hold(m);
    pthread_mutex_lock(&m->lock);
    int rc = machine_await(m, timeout_ms, is_ready);
    pthread_mutex_unlock(&m->lock);
    machine_drop(m);
    return rc;
}

int caucus_cache_get(struct caucus_cache *cache, const char *path,
                     const struct caucus_cache_node **ret)
{
    int rc = CAUCUS_NONODE;
    pthread_mutex_lock(&cache->tree.lock);
    struct cache_entry *e = path != NULL ? cache_tree_find(&cache->tree, path) : NULL;
    if (e != NULL && e->value != NULL && cache_shows(e)) {
        *ret = caucus_cache_node_hold(e->value);
        rc = 0;
    }
    pthread_mutex_unlock(&cache->tree.lock);
    return rc;
}

/* ---- Lists ---- */

struct gathered {
    const struct caucus_cache_node **nodes;
    size_t count;
    size_t room;
};

static void gather(struct gathered *g, const struct cache_entry *e)
{
    if (e->value == NULL || !cache_shows(e))
        return;
    if (g->count == g->room) {
        g->room = g->room > 0 ? 2 * g->room : 16;
        g->nodes = mem_realloc(g->nodes, g->room * sizeof(*g->nodes));
    }
    g->nodes[g->count++] = caucus_cache_node_hold(e->value);
}

static int compare(const void *a, const void *b)
{
    const struct caucus_cache_node *const *x = a, *const *y = b;
    return strcmp((*x)->path, (*y)->path);
}

static void hand_over(struct gathered *g, struct caucus_cache_list *ret)
{
    if (g->count > 0)
        qsort(g->nodes, g->count, sizeof(*g->nodes), compare);
    *ret = (struct caucus_cache_list){.nodes = g->nodes, .count = g->count};
}

int caucus_cache_get_children(struct caucus_cache *cache, const char *path,
                              struct caucus_cache_list *ret)
{
    struct gathered g = {0};
    struct cache_tree *t = &cache->tree;
    pthread_mutex_lock(&t->lock);
    const struct cache_entry *e = path != NULL ? cache_tree_find(t, path) : t->root;
    bool is_there = e != NULL && e->value != NULL && e->depth < t->depth_max;
    if (is_there)
        for (struct list *i = e->children.next; i != &e->children; i = i->next)
            gather(&g, list_entry(i, struct cache_entry, siblings));
    pthread_mutex_unlock(&t->lock);
    if (!is_there)
        return CAUCUS_NONODE;
    hand_over(&g, ret);
    return 0;
}

void caucus_cache_get_all(struct caucus_cache *cache, struct caucus_cache_list *ret)
{
    struct gathered g = {0};
    struct cache_tree *t = &cache->tree;
    pthread_mutex_lock(&t->lock);
    for (struct cache_entry *e = cache_tree_deepest(t->root); e != NULL;
         e = cache_tree_after(e, t->root))
        gather(&g, e);
    pthread_mutex_unlock(&t->lock);
    hand_over(&g, ret);
}

void caucus_cache_list_free(struct caucus_cache_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        caucus_cache_node_free(list->nodes[i]);
    free((void *)(uintptr_t)list->nodes);
    *list = (struct caucus_cache_list){0};
}
