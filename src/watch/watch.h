/* watch.h: who wants to hear of which path (WatchManager, WatcherMode, WatchStats, DataTree's two tables).
 *
 * A watcher is a number (the client connection). Two tables, data and child; modes one-shot,
 * persistent (in both tables) and persistent recursive (data table only), side by side for one watcher
 * and path. Watches die with their connection. Pure; one owner thread.
 *
 * Memory: a path is stored once however many watch it; an entry is about 16 bytes per watcher. Removing a
 * connection costs in proportion to its own watches. Order of firing at one path: the order of
 * registration (seeded hashes never show). */
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
enum watch_trigger { WATCH_TRIGGER_CREATED, WATCH_TRIGGER_DELETED, WATCH_TRIGGER_DATA_CHANGED };

struct watch_table *watch_create(uint64_t hash_seed);
void watch_free(struct watch_table *w);

void watch_add(struct watch_table *w, uint64_t watcher, struct slice path, enum watch_mode mode);

/* Removal and query by ZooKeeper's WatcherType (Children 1, Data 2, Any 3, Persistent 4, PersistentRecursive 5).
 * False when there was none. An unknown type finds nothing. */
bool watch_remove(struct watch_table *w, uint64_t watcher, struct slice path, int32_t watcher_type);
bool watch_contains(const struct watch_table *w, uint64_t watcher, struct slice path, int32_t watcher_type);
void watch_remove_watcher(struct watch_table *w, uint64_t watcher);

/* Calls `notify` for each event in ZooKeeper's order: the node's own event from the data table (recursive
 * watchers of ancestors included), for a deletion then from the child table except to those already told, then
 * NodeChildrenChanged at the parent. One-shot watches are removed before `notify` is called. `at_parent` tells
 * which ACL filters the event. `path` is the event's path. notify must not change the table. */
typedef void watch_notify(void *arg, uint64_t watcher, int32_t event_type, struct slice path, bool at_parent);
void watch_fire(struct watch_table *w, enum watch_trigger trigger, struct slice path,
                watch_notify *notify, void *arg);

/* Counts and dumps: 4lw wchs, wchc, wchp; metrics. */
uint64_t watch_count(const struct watch_table *w);         /* as WatchManager.size, both tables */
uint64_t watch_path_count(const struct watch_table *w);    /* distinct (table, path) pairs of the data table: see .c */
uint64_t watch_watcher_count(const struct watch_table *w);
typedef void watch_visit(void *arg, uint64_t watcher, struct slice path);
void watch_each_by_path(const struct watch_table *w, watch_visit *visit, void *arg);    /* data table, grouped by path, sorted */
void watch_each_by_watcher(const struct watch_table *w, watch_visit *visit, void *arg); /* grouped by watcher, sorted */

#endif
