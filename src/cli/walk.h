/* walk.h: every node below one, in the order of their names. */
#ifndef CAUCUS_CLI_WALK_H
#define CAUCUS_CLI_WALK_H

#include <stddef.h>

#include "caucus/caucus.h"

enum walk_order {
    WALK_PARENTS_FIRST,
    WALK_CHILDREN_FIRST,
};

/* 0 to go on; anything else ends the walk, which returns it. */
typedef int walk_fn(void *context, const char *path, size_t depth);

/* Visits the node too, with depth 0. Nodes that go meanwhile are passed over, but for the first.
 * Returns 0 or an error of enum caucus_error. Memory: the paths that are still to be visited. */
int walk(struct caucus *c, const char *path, enum walk_order order, walk_fn *visit, void *context);

#endif
