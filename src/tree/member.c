/* member.c: what a member of an ensemble needs of its tree beside transactions. */
#include "tree/tree_internal.h"

struct tree *tree_create_like(const struct tree *t)
{
    return tree_create(&t->options);
}

void tree_init_config(struct tree *t, struct slice text, int64_t version, int64_t now_ms)
{
    struct znode *n = tree_find(t, slice_str("/zookeeper/config"));
    if (n == NULL)
        return; /* of a snapshot that somebody edited */
    snapshot_before_change(t, n);
    tree_replace_data(t, n, text);
    n->version = -1;
    n->mzxid = version;
    n->mtime_ms = now_ms;
}
