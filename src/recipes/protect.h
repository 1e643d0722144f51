/* protect.h: a node that is made once, even if replies are lost.
 *
 * A creation whose reply was lost may have happened. The name carries a uuid: the server catches up
 * (sync), the parent is listed, and the node is made again only if it is not there. Parents that
 * are missing are made as containers.
 *
 *   CREATE --lost--> SYNC -> LIST --not there--> CREATE
 *      |                       |
 *      +-- no parent --> PARENTS --> CREATE
 *
 * A node without a sequence needs no search: where it is there already it is ours.
 *
 * One run ends with exactly one call of `done`. A run that is stopped makes nothing any more, but
 * goes on until it is known whether there is a node: the caller has to delete it. The node may
 * belong to a session that is over by now; the caller looks at its owner. On the event thread.
 * Memory: what it is given is borrowed until `done`. */
#ifndef CAUCUS_RECIPES_PROTECT_H
#define CAUCUS_RECIPES_PROTECT_H

#include "caucus/caucus.h"
#include "recipes/parents.h"
#include "recipes/place.h"

/* rc 0: `path` is the node's. CAUCUS_CLOSING: there is none, since it was stopped. Anything else
 * came from the server or from the client: whether there is a node is not known. */
typedef void protect_done_fn(void *context, int rc, const char *path);

struct protect {
    struct caucus *c;
    const char *parent;
    const void *data;
    size_t data_bytes;
    const struct caucus_acl *acl;
    size_t acl_count;
    enum caucus_create_mode mode; /* with PERSISTENT and EPHEMERAL the name is the uuid alone */
    protect_done_fn *done;
    void *context;

    char prefix[PLACE_PREFIX_BYTES];
    bool may_exist;  /* a creation of this name may have happened */
    bool is_stopped; /* set by the caller at any time */
    struct parents parents;
    int parent_rc; /* what the last of them could not be made for */
    int parent_rounds;
};

/* A name of its own for the next node. */
void protect_rename(struct protect *p, const char *label);
void protect_rename_plain(struct protect *p);
void protect_start(struct protect *p);

/* The connection or the session is to blame, and the next one may do. */
bool protect_is_passing(int rc);

#endif
