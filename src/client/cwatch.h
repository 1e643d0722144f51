/* cwatch.h: the watches of one session, as the client remembers them.
 *
 * By path (the server's, with the chroot) and table: ZooKeeper has one watch per connection, table
 * and path, behind which any number of callbacks may stand here. A watch on a node that was not
 * there (exists) is kept apart from one on data, because it is set again in another way. Memory:
 * owns its entries; callbacks and contexts are the user's. Order: as they were set. Pure. */
#ifndef CAUCUS_CLIENT_CWATCH_H
#define CAUCUS_CLIENT_CWATCH_H

#include "base/map.h"
#include "client/note.h"

enum cwatch_table {
    CWATCH_DATA,
    CWATCH_EXIST,
    CWATCH_CHILD,
    CWATCH_PERSISTENT,
    CWATCH_RECURSIVE,
    CWATCH_TABLES,
};

struct cwatcher {
    struct cwatcher *next;
    caucus_watch_fn *watch;
    void *context;
    bool missed; /* an event, while they were held */
};

struct cwatch_path {
    struct list list;             /* in cwatch.paths */
    struct cwatch_path *collides; /* another path with this hash */
    uint64_t hash;
    struct cwatcher *watchers[CWATCH_TABLES];
    size_t len;
    char path[];
};

struct cwatch {
    struct map by_hash;
    struct list paths; /* in the order in which they came */
    size_t counts[CWATCH_TABLES];
    bool holds; /* persistent watches are not told of events, they only miss them */
    uint64_t seed;
};

void cwatch_init(struct cwatch *w, uint64_t seed);
void cwatch_deinit(struct cwatch *w);

void cwatch_add(struct cwatch *w, enum cwatch_table table, struct slice path,
                caucus_watch_fn *watch, void *context);
size_t cwatch_count(const struct cwatch *w);
struct slice cwatch_path_of(const struct cwatch_path *p);

/* An event that a server sent. `told(arg, ...)` is called for each callback it concerns; one-shot
 * watches are forgotten, for which `last` is true. */
typedef void cwatch_told(void *arg, caucus_watch_fn *watch, void *context, bool last);
void cwatch_fire(struct cwatch *w, enum caucus_event_type type, struct slice path,
                 cwatch_told *told, void *arg);

/* Holds no longer; each that missed an event is named once. */
typedef void cwatch_missed(void *arg, struct slice path, caucus_watch_fn *watch, void *context);
void cwatch_let_go(struct cwatch *w, cwatch_missed *missed, void *arg);

/* How many of this kind stand on the path: those that match, or (watch NULL) all. */
size_t cwatch_matching(const struct cwatch *w, enum caucus_watch_kind kind, struct slice path,
                       caucus_watch_fn *watch, void *context);
/* Forgets them, and tells each. */
void cwatch_remove(struct cwatch *w, enum caucus_watch_kind kind, struct slice path,
                   caucus_watch_fn *watch, void *context, cwatch_told *told, void *arg);
/* Any one path with its callbacks, taken out: NULL when none is left. Freed with cwatch_path_free.
 */
struct cwatch_path *cwatch_take(struct cwatch *w);
void cwatch_path_free(struct cwatch_path *p);
/* The entry of a path; NULL. */
struct cwatch_path *cwatch_find(const struct cwatch *w, struct slice path);

#endif
