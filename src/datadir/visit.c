/* visit.c: a state, item by item, and written down. */
#include <stdlib.h>

#include "datadir/look.h"
#include "datadir/state.h"
#include "io/names.h"

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct snapshot_session *)a)->id;
    int64_t y = ((const struct snapshot_session *)b)->id;
    return (x > y) - (x < y);
}

static size_t sorted_sessions(const struct datadir_state *s, struct snapshot_session **ret)
{
    size_t count = datadir_state_sessions(s, ret);
    qsort(*ret, count, sizeof **ret, by_id);
    return count;
}

void datadir_visit_sessions(const struct datadir_state *s,
                            bool (*visit)(void *arg, const struct datadir_session *session),
                            void *arg)
{
    struct snapshot_session *list;
    size_t count = sorted_sessions(s, &list);
    for (size_t i = 0; i < count; i++)
        if (!visit(arg, &(struct datadir_session){list[i].id, list[i].timeout_ms}))
            break;
    free(list);
}

static const char *kind_name(enum znode_kind kind)
{
    switch (kind) {
    case ZNODE_PERSISTENT:
        return "persistent";
    case ZNODE_EPHEMERAL:
        return "ephemeral";
    case ZNODE_CONTAINER:
        return "container";
    case ZNODE_TTL:
        return "ttl";
    }
    return "";
}

void datadir_visit_nodes(const struct datadir_state *s,
                         bool (*visit)(void *arg, const struct datadir_node *node), void *arg)
{
    struct buf path = {0};
    const struct znode *root = tree_find(s->tree, slice_str("/"));
    for (const struct znode *n = root; n != NULL; n = znode_next(root, n)) {
        buf_clear(&path);
        znode_path(n, &path);
        enum znode_kind kind = znode_kind_of(s->tree, n->ephemeral_owner);
        struct datadir_node node = {
            .path = buf_slice(&path),
            .data = znode_data(n),
            .acl = tree_acl_get(s->tree, n->acl_id),
            .kind = kind_name(kind),
            .ttl_ms = kind == ZNODE_TTL ? znode_ttl_ms(s->tree, n->ephemeral_owner) : 0,
        };
        znode_stat_persisted(n, &node.stat);
        if (!visit(arg, &node))
            break;
    }
    buf_deinit(&path);
}

int datadir_save(struct datadir_state *s, const char *dir, char ret_name[DATADIR_NAME_MAX],
                 struct err *err)
{
    struct snapshot_session *sessions;
    struct snapfile_options options = {.method = SNAP_PLAIN};
    size_t count = sorted_sessions(s, &sessions);
    int rc = datadir_write_snapshot(files_posix(), dir, s->tree, sessions, count, &options, err);
    free(sessions);
    if (rc == 0)
        name_snapshot(ret_name, tree_last_zxid(s->tree), SNAP_PLAIN);
    return rc;
}
