/* group.c: a cache of a node's children, of which those that belong to sessions are members. */
#include <stdlib.h>

#include "base/mem.h"
#include "caucus/cache.h"
#include "caucus/membership.h"
#include "recipes/copy.h"

struct caucus_group {
    struct caucus_cache *cache;
    caucus_group_fn *on_change;
    void *context;
};

/* Containers and nodes with a time to live have an owner, too, that is no session: the least number
 * there is, and those that begin with 0xff. */
static bool is_member(const struct caucus_cache_node *node)
{
    int64_t owner = node->stat.ephemeral_owner;
    return owner != 0 && owner != INT64_MIN && (uint64_t)owner >> 56 != 0xff;
}

static struct caucus_member member_of(const struct caucus_cache_node *node)
{
    return (struct caucus_member){.id = node->name,
                                  .data = node->data,
                                  .data_bytes = node->data_bytes,
                                  .token = node->stat.czxid,
                                  .session_id = node->stat.ephemeral_owner,
                                  .version = node->stat.version};
}

static enum caucus_group_news news_of(enum caucus_cache_news news)
{
    switch (news) {
    case CAUCUS_CACHE_ADDED:
        return CAUCUS_MEMBER_JOINED;
    case CAUCUS_CACHE_CHANGED:
        return CAUCUS_MEMBER_CHANGED;
    case CAUCUS_CACHE_REMOVED:
        return CAUCUS_MEMBER_LEFT;
    case CAUCUS_CACHE_READY:
        return CAUCUS_GROUP_CURRENT;
    case CAUCUS_CACHE_TROUBLE:
        break;
    }
    return CAUCUS_GROUP_TROUBLE;
}

/* The group may be gone once the user was called. */
static void on_change(void *context, struct caucus_cache *cache,
                      const struct caucus_cache_change *change)
{
    (void)cache;
    struct caucus_group *g = context;
    if (g->on_change == NULL || (change->node != NULL && !is_member(change->node)))
        return;
    struct caucus_member member, before;
    struct caucus_group_change told = {.news = news_of(change->news), .rc = change->rc};
    if (change->node != NULL) {
        member = member_of(change->node);
        told.member = &member;
    }
    if (change->before != NULL) {
        before = member_of(change->before);
        told.before = &before;
    }
    g->on_change(g->context, g, &told);
}

int caucus_group_open(struct caucus *c, const char *path,
                      const struct caucus_group_options *options, struct caucus_group **ret)
{
    if (!copy_is_parent(path))
        return CAUCUS_BADARGUMENTS;
    struct caucus_group *g = mem_calloc(1, sizeof(*g));
    if (options != NULL) {
        g->on_change = options->on_change;
        g->context = options->context;
    }
    *ret = g;
    struct caucus_cache_options o = {.on_change = on_change, .context = g};
    int rc = caucus_cache_open(c, path, CAUCUS_CACHE_CHILDREN, &o, &g->cache);
    if (rc != 0) {
        *ret = NULL;
        free(g);
    }
    return rc;
}

void caucus_group_close(struct caucus_group *g)
{
    if (g == NULL)
        return;
    caucus_cache_close(g->cache);
    free(g);
}

int caucus_group_await(struct caucus_group *g, int64_t timeout_ms)
{
    return caucus_cache_await(g->cache, timeout_ms);
}

/* ---- Lists ---- */

struct held_members {
    struct caucus_members list; /* first */
    struct caucus_cache_list nodes;
    struct caucus_member members[];
};

void caucus_group_list(struct caucus_group *g, struct caucus_members **ret)
{
    struct caucus_cache_list nodes = {.count = 0};
    caucus_cache_get_children(g->cache, NULL, &nodes); /* NONODE: nobody has ever joined */
    struct held_members *held = mem_calloc(1, sizeof(*held) + nodes.count * sizeof(*held->members));
    held->nodes = nodes;
    held->list.members = held->members;
    for (size_t i = 0; i < nodes.count; i++)
        if (is_member(nodes.nodes[i]))
            held->members[held->list.count++] = member_of(nodes.nodes[i]);
    *ret = &held->list;
}

void caucus_members_free(struct caucus_members *members)
{
    if (members == NULL)
        return;
    struct held_members *held = (struct held_members *)(void *)members;
    caucus_cache_list_free(&held->nodes);
    free(held);
}
