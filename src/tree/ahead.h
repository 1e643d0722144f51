/* ahead.h: lookups that will come soon. On a tree that does not fit the cache a lookup is two waits
 * for memory, of the table and of the node, and one for its data; of several requests that are
 * there already the waits can be at once. A hint only: nothing is found and nothing changes. */
#ifndef CAUCUS_TREE_AHEAD_H
#define CAUCUS_TREE_AHEAD_H

#include "tree/tree.h"

enum {
    TREE_AHEAD_MAX = 16
};

struct tree_ahead {
    uint32_t hashes[TREE_AHEAD_MAX];
    size_t count;
};

/* `record`: of a request or a transaction; most begin with a path, what does not is passed over,
 * and so is what comes when it is full. */
void tree_ahead_add(struct tree_ahead *a, const struct tree *t, struct slice record);
void tree_ahead_run(const struct tree_ahead *a, const struct tree *t);

#endif
