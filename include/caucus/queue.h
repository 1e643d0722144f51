/* queue.h: items are put in at one end and taken out at the other, once each. Discouraged.
 *
 * Why: a coordination service keeps all of its data in the memory of every server and writes each
 * change to every disk, so that a queue costs the whole ensemble what is one append to a broker.
 * Every item is a node, and who takes one lists them all. A list of some ten thousand names does
 * not fit into an answer any more (jute.maxbuffer): then nobody can take any, and the node cannot
 * be cleared by usual means. All who wait are woken by each item. For work that is divided there
 * is partitioner.h, for messages that everybody gets broadcast.h, and for queues there are
 * brokers. What remains are a few items an hour between programs that have nothing else in common.
 *
 * What is guaranteed:
 *   order          by priority (0 first), then in the order in which the server made the items
 *   at most once   An item that was taken is never given to another. It is deleted before it is
 *                  given: whoever ends in between, or whose deletion is answered by a lost
 *                  connection, leaves an item that nobody gets
 *   puts           An item whose creation is answered by a lost connection
 *                  (CAUCUS_CONNECTIONLOSS) was put or not: the name that the layout asks for has
 *                  no room for a uuid by which it could be found
 * The end of a session, a pause or a lost connection do nothing to items; who waits goes on
 * waiting.
 *
 * The layout is that of kazoo's Queue: entry-<priority>-<sequence> below the path. After 2^31 puts
 * the sequence wraps; items from both sides of that moment are in order while both are there. */
#ifndef CAUCUS_CAUCUS_QUEUE_H
#define CAUCUS_CAUCUS_QUEUE_H

#include "caucus/caucus.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CAUCUS_QUEUE_PRIORITY_MAX = 999,
    CAUCUS_QUEUE_PRIORITY_USUAL = 100 /* as kazoo has it */
};

struct caucus_queue_item {
    const char *name;
    const void *data; /* a zero byte stands behind it */
    size_t bytes;
    int priority;
};

/* Called once; rc 0: it was put, under this path. */
typedef void caucus_queue_put_fn(void *context, int rc, const char *path);
/* Called once; rc 0: the item is whose `taken` this is. CAUCUS_OPERATIONTIMEOUT: there was none
 * within the time. */
typedef void caucus_queue_take_fn(void *context, int rc, const struct caucus_queue_item *item);

/* The path and the nodes above it are made as containers if they are missing. `done` may be NULL.
 * Errors, also of rc: as caucus_create; CAUCUS_BADARGUMENTS (the path, the priority). */
CAUCUS_API int caucus_queue_put(struct caucus *c, const char *path, int priority, const void *data,
                                size_t bytes, caucus_queue_put_fn *done, void *context);
CAUCUS_API int caucus_queue_put_wait(struct caucus *c, const char *path, int priority,
                                     const void *data, size_t bytes);

/* Takes the first item, or waits for one, at most timeout_ms (-1: for ever). Errors, also of rc:
 * CAUCUS_BADARGUMENTS, CAUCUS_CLOSING, and what a server refuses; connections that are lost are
 * waited for. Of the second also CAUCUS_WOULDBLOCK; the item is freed with caucus_queue_item_free.
 */
CAUCUS_API int caucus_queue_take(struct caucus *c, const char *path, int64_t timeout_ms,
                                 caucus_queue_take_fn *taken, void *context);
CAUCUS_API int caucus_queue_take_wait(struct caucus *c, const char *path, int64_t timeout_ms,
                                      struct caucus_queue_item **ret);
CAUCUS_API void caucus_queue_item_free(struct caucus_queue_item *item); /* NULL is fine */

#ifdef __cplusplus
}
#endif

#endif
