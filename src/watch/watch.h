/* watch.h: who wants to hear of which path (WatchManager, WatcherMode, WatchStats, DataTree's two
 * tables).
 *
 * A watcher is a number (the client connection). Two tables, data and child; modes one-shot,
 * persistent (in both tables) and persistent recursive (data table only), side by side for one
 * watcher and path. Watches die with their connection. Paths are taken as they come: whether they
 * are well formed, and whether the znode exists, is not asked here.
 *
 * Order of firing at one path: that in which watchers began to watch it, one-shot watches that are
 * set again anew; seeded hashes never show. Recursive watchers of ancestors follow, nearest
 * ancestor first.
 *
 * Pure; one owner thread. No operation fails. Memory: a path is stored once however many watch it
 * (about 60 bytes and the path itself), a watcher at a path takes 24 bytes, 35 where more than 16
 * watch one path. Slices are copied. Removing a connection costs in proportion to its own watches;
 * firing where nobody watches, two looks into a hash table, and one for each ancestor while anybody
 * watches recursively. */
#ifndef CAUCUS_WATCH_WATCH_H
#define CAUCUS_WATCH_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

struct watch_table;

enum watch_mode {
    WATCH_DATA,                 /* one-shot, by getData and exists */
    WATCH_CHILD,                /* one-shot, by getChildren */
    WATCH_PERSISTENT,           /* addWatch mode 0 */
    WATCH_PERSISTENT_RECURSIVE, /* addWatch mode 1 */
};

/* What happened to the tree, as watches see it. */
enum watch_trigger {
    WATCH_TRIGGER_CREATED,
    WATCH_TRIGGER_DELETED,
    WATCH_TRIGGER_DATA_CHANGED
};

struct watch_table *watch_create(uint64_t hash_seed);
void watch_free(struct watch_table *w);

void watch_add(struct watch_table *w, uint64_t watcher, struct slice path, enum watch_mode mode);

/* Removal and query by ZooKeeper's WatcherType (Children 1, Data 2, Any 3, Persistent 4,
 * PersistentRecursive 5). False when there was none. An unknown type finds nothing. */
bool watch_remove(struct watch_table *w, uint64_t watcher, struct slice path, int32_t watcher_type);
bool watch_contains(const struct watch_table *w, uint64_t watcher, struct slice path,
                    int32_t watcher_type);
void watch_remove_watcher(struct watch_table *w, uint64_t watcher);

/* How many watchers each of the up to three events found (node_..._watch_count), also those that
 * `node` had told already. */
struct watch_told {
    size_t node;       /* the node's own event, data table */
    size_t node_child; /* the node's NodeDeleted, child table */
    size_t parent;     /* NodeChildrenChanged */
};

/* Calls `notify` for each event that somebody hears, with all who hear it, in ZooKeeper's order:
 * the node's own event from the data table (recursive watchers of ancestors included), for a
 * deletion then from the child table except to those already told, then NodeChildrenChanged at the
 * parent, which recursive watches never hear. One-shot watches of an event are removed before it is
 * told. `at_parent` tells which ACL filters the event. `path` is the event's path: a part of the
 * path given. notify must not change the table. */
typedef void watch_notify(void *arg, const uint64_t *watchers, size_t count, int32_t event_type,
                          struct slice path, bool at_parent);
struct watch_told watch_fire(struct watch_table *w, enum watch_trigger trigger, struct slice path,
                             watch_notify *notify, void *arg);

/* Counts: the metric watch_count is both tables; 4lw wchs, wchc and wchp know the data table only.
 */
uint64_t watch_count(const struct watch_table *w);      /* (watcher, path) pairs of both tables */
uint64_t watch_data_count(const struct watch_table *w); /* of the data table */
uint64_t watch_path_count(const struct watch_table *w); /* paths in the data table */
uint64_t watch_watcher_count(const struct watch_table *w); /* watchers in the data table */

/* Every pair of the data table: paths sorted by bytes, watchers of a path in order of registration;
 * or watchers sorted, their paths sorted. */
typedef void watch_visit(void *arg, uint64_t watcher, struct slice path);
void watch_each_by_path(const struct watch_table *w, watch_visit *visit, void *arg);
void watch_each_by_watcher(const struct watch_table *w, watch_visit *visit, void *arg);

#endif
