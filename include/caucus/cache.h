/* cache.h: nodes of the servers, kept here as they are now.
 *
 *   CAUCUS_CACHE_NODE      one node
 *   CAUCUS_CACHE_CHILDREN  the children of a node, without the node itself
 *   CAUCUS_CACHE_TREE      a node and all below it
 *
 * The node need not exist: the cache fills when it is made. A persistent watch tells what changes
 * (recursive but for one node), and what changed is read. On servers that do not have such watches
 * (before 3.6) the cache falls back to watches of each node, which costs them more.
 *
 * What a lookup shows is what a server said, and may be old by the time that takes. Each node is
 * shown as it was at one moment, with data and stat of that moment; two nodes may be of different
 * moments, also if one multi changed them. No node goes back to an older state within a session;
 * the next one may begin at a server that is behind. Of a stat, what changes without the data (ACL,
 * list of children) is as old as the data was when it was read. A node is told and shown after its
 * parent, and goes before it.
 *
 *   disconnection   the cache stays as it is. When the connection is back, in whatever session,
 *                   all that may have changed is read again, and the differences are told: a node
 *                   that was deleted and made again is told REMOVED, ADDED. Of nodes that are known
 *                   the stat is asked for first, and the data of those that changed
 *   pause           as disconnection. A program that falls behind with its callbacks by 100,000 has
 *                   missed some, and the same is done
 *   expiry          the same
 * READY is told each time all has been read: at first, and after each of these.
 *
 * Reads in flight are bounded: 256. Nodes that may not be read hide what is below them, and
 * are told as TROUBLE; so are those that do not fit into the bound of memory. A list of children
 * has to fit into the client's response_bytes_max.
 *
 * What servers keep to themselves a cache does not hear: no event is sent to those who may not read
 * the node. A node that comes to be readable is shown when its data changes or all is read again;
 * one that is deleted when it is not readable any more, goes when all is read again.
 *
 * Servers before 3.9 have one watch for each path and session (ZOOKEEPER-4466): there a watch that
 * the same handle sets on the cache's own path, with caucus_get, caucus_exists or a second cache,
 * takes the place of the cache's. Use another handle for it.
 *
 * Callbacks run where those of the client run (caucus.h); in a callback lookups show the change. */
#ifndef CAUCUS_CAUCUS_CACHE_H
#define CAUCUS_CAUCUS_CACHE_H

#include "caucus/caucus.h"

#ifdef __cplusplus
extern "C" {
#endif

struct caucus_cache;

enum caucus_cache_scope {
    CAUCUS_CACHE_NODE = 1,
    CAUCUS_CACHE_CHILDREN,
    CAUCUS_CACHE_TREE,
};

/* A node as it was. It never changes; whoever holds it may read it on any thread, also after the
 * cache was closed. */
struct caucus_cache_node {
    const char *path;
    const char *name; /* what stands behind the last slash of the path */
    const void *data; /* a zero byte stands behind it. NULL: null */
    size_t data_bytes;
    struct caucus_stat stat;
};

enum caucus_cache_news {
    CAUCUS_CACHE_ADDED = 1,
    CAUCUS_CACHE_CHANGED, /* its data was set, even if to the same */
    CAUCUS_CACHE_REMOVED,
    CAUCUS_CACHE_READY,   /* all has been read */
    CAUCUS_CACHE_TROUBLE, /* with a node, or with all (path: the cache's). Tried again, but for
                             NOAUTH and TOOBIG (the bound of memory): when the node changes, or
                             all is read again. Before 3.6, NOAUTH below the root: when children of
                             its parent come or go, or in the next session */
};

struct caucus_cache_change {
    enum caucus_cache_news news;
    const struct caucus_cache_node *node;   /* ADDED, CHANGED: as it is; REMOVED: as it was last */
    const struct caucus_cache_node *before; /* CHANGED: as it was */
    const char *path;                       /* of the node; READY: the cache's */
    int rc;                                 /* TROUBLE: the error */
};

typedef void caucus_cache_fn(void *context, struct caucus_cache *cache,
                             const struct caucus_cache_change *change);

struct caucus_cache_options {
    caucus_cache_fn *on_change; /* may be NULL */
    void *context;
    size_t bytes_max; /* of nodes, with what it costs to keep them. 0: 1 GiB */
};

/* Begins to fill, now or when there is a connection. Everything is copied; `options` may be NULL.
 * The first callback may come before this returns. Errors: CAUCUS_BADARGUMENTS (the path is
 * relative, or ends with a slash), CAUCUS_CLOSING. */
CAUCUS_API int caucus_cache_open(struct caucus *c, const char *path, enum caucus_cache_scope scope,
                                 const struct caucus_cache_options *options,
                                 struct caucus_cache **ret);

/* No callback comes after this has returned. From any thread and at any time, before or after
 * caucus_close of the client; on the thread of the callbacks nothing is waited for. Nodes that are
 * held stay. NULL is fine. */
CAUCUS_API void caucus_cache_close(struct caucus_cache *cache);

/* Whether all has been read, in the connection that there is. */
CAUCUS_API bool caucus_cache_is_ready(struct caucus_cache *cache);

/* Waits until it is, at most timeout_ms (-1: for ever). Errors: CAUCUS_OPERATIONTIMEOUT,
 * CAUCUS_CLOSING (the cache or the client was closed), CAUCUS_WOULDBLOCK. */
CAUCUS_API int caucus_cache_await(struct caucus_cache *cache, int64_t timeout_ms);

/* ---- Lookups: from any thread, without asking a server ---- */

/* The node at this path, held for the caller. Errors: CAUCUS_NONODE (it is not in the cache). */
CAUCUS_API int caucus_cache_get(struct caucus_cache *cache, const char *path,
                                const struct caucus_cache_node **ret);

struct caucus_cache_list {
    const struct caucus_cache_node *const *nodes; /* held; in the order of their paths as text */
    size_t count;
};

/* The children of a node (path NULL: of the cache's), all as of one moment of the cache. A node
 * without children has an empty list. Errors: CAUCUS_NONODE (the node is not there, or its children
 * are not in the cache's scope). */
CAUCUS_API int caucus_cache_get_children(struct caucus_cache *cache, const char *path,
                                         struct caucus_cache_list *ret);

/* All nodes, as of one moment of the cache. */
CAUCUS_API void caucus_cache_get_all(struct caucus_cache *cache, struct caucus_cache_list *ret);

/* One more holder, so that a node outlives the callback that it came with. Returns it. */
CAUCUS_API const struct caucus_cache_node *
caucus_cache_node_hold(const struct caucus_cache_node *node);
/* Not held any more by one of those who did. NULL is fine. */
CAUCUS_API void caucus_cache_node_free(const struct caucus_cache_node *node);
/* The list and its holds. An empty one is left. */
CAUCUS_API void caucus_cache_list_free(struct caucus_cache_list *list);

#ifdef __cplusplus
}
#endif

#endif
