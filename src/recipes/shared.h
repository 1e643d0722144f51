/* shared.h: the data of a node, changed by one after the other; the core of value and counter.
 *
 * One change at a time:
 *
 *   READ --(no node)--> MAKE          what it is now; the cache knows it already, mostly
 *     |
 *   MARK                              a mark of this session, if there is none
 *     |
 *   WRITE --somebody was faster-----> READ
 *     |   --answer lost--> CHECK: sync, and look at the mark
 *     |                      |--not done--> READ        |--done--> over
 *     |                      +--no mark (another session)--> look at the value: as before? WRITE
 *   over                                                                       else unknown
 *
 * Why this is exact stands in caucus/shared_value.h. Invariants:
 *  1. At most one request is in flight, and at most one change is begun.
 *  2. The mark's version, as it is known here, is that of the last multi that is known to be done.
 *  3. A multi is sent again only when it is known that the one before will not be done; or, after
 *     the end of its session, that it has not been, and then on the same version: only one of the
 *     two can be done, and when ours is refused nobody knows whether it was for the other. */
#ifndef CAUCUS_RECIPES_SHARED_H
#define CAUCUS_RECIPES_SHARED_H

#include "base/list.h"
#include "caucus/cache.h"
#include "recipes/machine.h"
#include "recipes/parents.h"

enum {
    SHARED_CHANGES_MAX = 1024,
    SHARED_TRIES_MAX_DEFAULT = 100,
};

struct shared_change {
    struct list list;
    /* Sets data and bytes, which are freed with it. 0, or what the change ends with. NULL: they
     * are set already. `old` NULL: null. */
    int (*make)(struct shared_change *h, const void *old, size_t old_bytes);
    void (*over)(struct shared_change *h, int rc, int32_t version); /* frees it */
    void *data;
    size_t bytes;
    bool is_conditional; /* on this version, whatever the data is */
    int32_t version;
    unsigned tries;
};

/* What the value is, as far as it is known. */
struct shared_base {
    bool is_known;
    bool is_fresh; /* read for this change, not remembered */
    void *data;
    size_t bytes;
    int32_t version;
    int64_t czxid;
    int64_t mzxid;
};

struct shared;

struct shared_options {
    const void *initial;
    size_t initial_bytes;
    unsigned tries_max;
    const struct caucus_acl *acl;
    size_t acl_count;
    void (*on_change)(struct shared *s, const struct caucus_cache_node *now);
};

struct shared {
    struct machine m; /* first */
    struct caucus_cache *cache;
    char *path;
    char *above;
    struct shared_options options; /* copies */

    /* The event thread's. */
    struct parents parents;
    struct shared_base base;
    struct shared_change *change; /* the one that is being made; NULL: none */
    char *mark;                   /* path of the mark; NULL: none was asked for */
    bool has_mark;                /* it is there, in this session */
    int32_t mark_version;
    int64_t session;
    bool in_flight;
    bool is_doubtful; /* nobody knows whether the multi was done */
    bool is_synced;   /* ... and the server has caught up since */
    bool is_haunted;  /* a multi of an earlier session may still come; it wants the same version */
    bool needs_node;  /* the node is missing */
    bool needs_parents;
    bool has_parents; /* they were just made */

    struct list changes; /* m.lock: that wait */
    size_t change_count; /* m.lock */
};

/* Takes `s`, which stands first in a block of its owner's that is zero but for the owner's part,
 * and is freed with the last reference; now if this fails. Errors: CAUCUS_BADARGUMENTS,
 * CAUCUS_CLOSING. */
int shared_open(struct shared *s, struct caucus *c, const char *path,
                const struct shared_options *options);
/* Drops the user's reference. */
void shared_close(struct shared *s);
/* From any thread. Takes the change, unless it fails: CAUCUS_BUSY, CAUCUS_CLOSING. */
int shared_submit(struct shared *s, struct shared_change *h);

#endif
