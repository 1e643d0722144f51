/* snapshot_load.c: reads a snapshot stream (SerializeUtils.deserializeSnapshot,
 * DataTree.deserialize).
 *
 *   int32 sessions     { int64 id, int32 timeout }
 *   int32 ACL lists    { int64 index, vector<ACL> }
 *   nodes              { string path, buffer data, int64 ACL index, StatPersisted (60 bytes) }
 *   string "/"         closes; the root is "" and comes first
 *
 * Nothing read is trusted: lengths are bounded, counts are not reserved for, every parent must have
 * come before, no path comes twice. Nodes come in preorder, mostly, so that the parent is found by
 * climbing from the last node instead of by a lookup. */
#include <stdlib.h>

#include "base/mem.h"
#include "tree/snapshot.h"
#include "tree/tree_internal.h"
#include "wire/records.h"
#include "wire/zk.h"

enum {
    /* Above what any jute.maxbuffer in use allows; it bounds what the caller has to keep for us. */
    FIELD_BYTES_MAX = 512 * 1024 * 1024,
    ACL_LIST_BYTES_MAX = 64 * 1024 * 1024,
};

static const int64_t FILE_INDEX_OPEN = -1;

enum stage {
    STAGE_SESSION_COUNT,
    STAGE_SESSION,
    STAGE_ACL_COUNT,
    STAGE_ACL,
    STAGE_NODE,
    STAGE_DONE
};

/* What became of an attempt to take one item. */
enum taken {
    TAKEN,
    TAKEN_INCOMPLETE,
    TAKEN_BAD
};

struct snapshot_loader {
    struct tree *tree;
    enum stage stage;
    int32_t left; /* sessions or ACL lists still to come */
    uint64_t offset;
    uint64_t item; /* of this stage, for messages */
    const char *why;

    struct snapshot_session *sessions;
    size_t session_count, session_cap;
    struct map session_index; /* id to position + 1 */

    struct map acl_ids;  /* file index to id + 1; each with a reference held here */
    uint32_t acl_denied; /* UINT32_MAX = not needed yet */

    bool root_seen;
    bool failed;
    struct znode *last;
    struct buf last_path;
};

struct snapshot_loader *snapshot_loader_create(struct tree *t)
{
    struct snapshot_loader *l = mem_calloc(1, sizeof *l);
    l->tree = t;
    l->acl_denied = UINT32_MAX;
    map_init(&l->session_index, t->options.hash_seed);
    map_init(&l->acl_ids, t->options.hash_seed);
    tree_clear(t);
    return l;
}

static uintptr_t as_number(void *value)
{
    return (uintptr_t)value;
}

static void *as_value(uintptr_t number)
{
    return (void *)number;
}

static void release_acls(struct snapshot_loader *l)
{
    size_t at = 0;
    void *value;
    while ((value = map_next(&l->acl_ids, &at)) != NULL)
        acl_cache_release(&l->tree->acls, (uint32_t)(as_number(value) - 1));
    map_deinit(&l->acl_ids);
    if (l->acl_denied != UINT32_MAX)
        acl_cache_release(&l->tree->acls, l->acl_denied);
    l->acl_denied = UINT32_MAX;
    acl_cache_reap(&l->tree->acls);
}

void snapshot_loader_free(struct snapshot_loader *l)
{
    if (l == NULL)
        return;
    release_acls(l);
    map_deinit(&l->session_index);
    free(l->sessions);
    buf_deinit(&l->last_path);
    free(l);
}

size_t snapshot_loader_sessions(const struct snapshot_loader *l,
                                const struct snapshot_session **ret_sessions)
{
    *ret_sessions = l->sessions;
    return l->session_count;
}

static void stage_enter(struct snapshot_loader *l, enum stage stage)
{
    l->stage = stage;
    l->item = 0;
}

static enum taken bad(struct snapshot_loader *l, const char *why)
{
    l->why = why;
    return TAKEN_BAD;
}

/* ---- fields ---- */

/* A string or buffer. */
static enum taken take_field(struct snapshot_loader *l, struct dec *d, struct slice *ret_field)
{
    if (dec_left(d) < 4)
        return TAKEN_INCOMPLETE;
    int32_t len = dec_i32(d);
    if (len < -1 || len > FIELD_BYTES_MAX)
        return bad(l, "a length makes no sense");
    if (len == -1) {
        *ret_field = (struct slice){0};
        return TAKEN;
    }
    if (dec_left(d) < (size_t)len)
        return TAKEN_INCOMPLETE;
    *ret_field = slice_of(d->at, (size_t)len);
    d->at += len;
    return TAKEN;
}

static enum taken take_count(struct snapshot_loader *l, struct dec *d, enum stage next)
{
    if (dec_left(d) < 4)
        return TAKEN_INCOMPLETE;
    l->left = dec_i32(d);
    if (l->left < 0)
        return bad(l, "the count is negative");
    stage_enter(l, next);
    return TAKEN;
}

/* ---- sessions ---- */

static void session_add(struct snapshot_loader *l, struct snapshot_session session)
{
    uint64_t id = (uint64_t)session.id;
    uintptr_t known = as_number(map_get(&l->session_index, id));
    if (known != 0) {
        l->sessions[known - 1] = session; /* the later one counts, as in a map */
        return;
    }
    if (l->session_count == l->session_cap) {
        l->session_cap = l->session_cap ? 2 * l->session_cap : 16;
        l->sessions = mem_realloc(l->sessions, l->session_cap * sizeof *l->sessions);
    }
    l->sessions[l->session_count++] = session;
    map_put(&l->session_index, id, as_value(l->session_count));
}

static enum taken take_session(struct snapshot_loader *l, struct dec *d)
{
    if (dec_left(d) < 12)
        return TAKEN_INCOMPLETE;
    struct snapshot_session session = {.id = dec_i64(d)};
    session.timeout_ms = dec_i32(d);
    session_add(l, session);
    return TAKEN;
}

/* ---- ACL lists ---- */

static enum taken take_acl_list(struct snapshot_loader *l, struct dec *d)
{
    if (dec_left(d) < 12)
        return TAKEN_INCOMPLETE;
    int64_t index = dec_i64(d);
    struct rec_vec acl = {.count = dec_i32(d), .raw = {.ptr = d->at}};
    if (acl.count < 0)
        return bad(l, "the list is null");

    for (int32_t i = 0; i < acl.count; i++) {
        if (d->at - acl.raw.ptr > ACL_LIST_BYTES_MAX)
            return bad(l, "the list is too long");
        if (dec_left(d) < 4)
            return TAKEN_INCOMPLETE;
        dec_i32(d);
        struct slice field;
        for (int f = 0; f < 2; f++) {
            enum taken taken = take_field(l, d, &field);
            if (taken != TAKEN)
                return taken;
        }
    }
    acl.raw.len = (size_t)(d->at - acl.raw.ptr);

    uint32_t id = acl_cache_intern(&l->tree->acls, acl);
    uintptr_t replaced =
        as_number(map_put(&l->acl_ids, (uint64_t)index, as_value(id + (uintptr_t)1)));
    if (replaced != 0)
        acl_cache_release(&l->tree->acls, (uint32_t)(replaced - 1));
    return TAKEN;
}

/* A list that lets nobody do anything: of nodes whose list is not in the map. ZooKeeper writes the
 * map before the nodes and does not stop meanwhile, so a list that came in between is missing;
 * replaying the txn it came with sets it. */
static uint32_t acl_denied(struct snapshot_loader *l)
{
    if (l->acl_denied == UINT32_MAX) {
        struct buf list = {0};
        struct rec_acl nobody = {
            .perms = 0,
            .id = {.scheme = slice_str("world"), .id = slice_str("anyone")},
        };
        rec_put_acl(&list, &nobody);
        l->acl_denied =
            acl_cache_intern(&l->tree->acls, (struct rec_vec){.count = 1, .raw = buf_slice(&list)});
        buf_deinit(&list);
    }
    return l->acl_denied;
}

static uint32_t acl_of(struct snapshot_loader *l, int64_t index)
{
    if (index == FILE_INDEX_OPEN)
        return ACL_OPEN;
    uintptr_t known = as_number(map_get(&l->acl_ids, (uint64_t)index));
    uint32_t id = known != 0 ? (uint32_t)(known - 1) : acl_denied(l);
    acl_cache_retain(&l->tree->acls, id);
    return id;
}

/* ---- nodes ---- */

/* The last node or one of its ancestors if its path is `path`; NULL otherwise. */
static struct znode *climb_to(const struct snapshot_loader *l, struct slice path)
{
    struct slice last = buf_slice(&l->last_path);
    if (l->last == NULL || !slice_starts_with(last, path) ||
        (last.len > path.len && last.ptr[path.len] != '/'))
        return NULL;
    struct znode *n = l->last;
    for (size_t len = last.len; len > path.len; n = n->parent)
        len -= n->name_len + (size_t)1;
    return n;
}

static void remember_last(struct snapshot_loader *l, struct znode *n, struct slice path)
{
    l->last = n;
    buf_clear(&l->last_path);
    buf_put_slice(&l->last_path, path);
}

static void fill_root(struct snapshot_loader *l, const struct znode_init *init)
{
    struct znode *root = l->tree->root;
    tree_replace_data(l->tree, root, init->data);
    root->acl_id = init->acl_id;
    root->czxid = init->czxid;
    root->mzxid = init->mzxid;
    root->pzxid = init->pzxid;
    root->ctime_ms = init->ctime_ms;
    root->mtime_ms = init->mtime_ms;
    root->version = init->version;
    root->cversion = init->cversion;
    root->aversion = init->aversion;
    digest_update(l->tree, root, slice_str(""));
    l->root_seen = true;
    remember_last(l, root, slice_str(""));
}

static enum taken add_root(struct snapshot_loader *l, struct znode_init *init, int64_t acl_index)
{
    if (l->root_seen)
        return bad(l, "the root comes twice");
    if (init->ephemeral_owner != 0)
        return bad(l, "the root has an owner");
    init->acl_id = acl_of(l, acl_index);
    fill_root(l, init);
    return TAKEN;
}

/* Most nodes are followed by a sibling. Its line of the table is asked for while this node is made:
 * the wait for that line would be a quarter of the whole time. */
static void prefetch_sibling(struct snapshot_loader *l, struct dec next, const struct znode *parent,
                             struct slice parent_path)
{
    struct slice path;
    if (take_field(l, &next, &path) == TAKEN && path_names_child(path) &&
        slice_eq(path_parent(path), parent_path))
        tree_prefetch_child(l->tree, parent, path_name(path));
}

static enum taken add_child(struct snapshot_loader *l, struct slice path, struct znode_init *init,
                            int64_t acl_index, const struct dec *rest)
{
    if (!path_names_child(path))
        return bad(l, "the path is not one of a node");
    if (!l->root_seen)
        return bad(l, "the root is missing");

    init->name = path_name(path);
    struct slice parent_path = path_parent(path);
    struct znode *parent = climb_to(l, parent_path);
    if (parent == NULL)
        parent = tree_find(l->tree, parent_path);
    if (parent == NULL)
        return bad(l, "the parent is missing");
    prefetch_sibling(l, *rest, parent, parent_path);
    if (tree_find_child(l->tree, parent, init->name) != NULL)
        return bad(l, "the path comes twice");

    init->acl_id = acl_of(l, acl_index);
    remember_last(l, tree_link(l->tree, parent, init, path), path);
    return TAKEN;
}

static void finish(struct snapshot_loader *l)
{
    release_acls(l);
    ephemeral_sort(l->tree);
    tree_setup_quota(l->tree);
    l->stage = STAGE_DONE;
}

static enum taken take_node(struct snapshot_loader *l, struct dec *d)
{
    struct slice path;
    enum taken taken = take_field(l, d, &path);
    if (taken != TAKEN)
        return taken;
    if (slice_eq_str(path, "/")) {
        if (!l->root_seen)
            return bad(l, "the root is missing");
        finish(l);
        return TAKEN;
    }
    if (slice_is_null(path))
        return bad(l, "the path is null");

    struct slice data;
    taken = take_field(l, d, &data);
    if (taken != TAKEN)
        return taken;
    int64_t acl_index = dec_i64(d);
    struct rec_stat_persisted stat;
    if (!rec_get_stat_persisted(d, &stat))
        return TAKEN_INCOMPLETE;
    struct znode_init init = {
        .data = data,
        .ephemeral_owner = (uint64_t)stat.ephemeral_owner,
        .czxid = stat.czxid,
        .mzxid = stat.mzxid,
        .pzxid = stat.pzxid,
        .ctime_ms = stat.ctime,
        .mtime_ms = stat.mtime,
        .version = stat.version,
        .cversion = stat.cversion,
        .aversion = stat.aversion,
    };
    return path.len == 0 ? add_root(l, &init, acl_index) : add_child(l, path, &init, acl_index, d);
}

/* ---- the stream ---- */

static const char *item_name(enum stage stage)
{
    switch (stage) {
    case STAGE_SESSION_COUNT:
        return "session count";
    case STAGE_SESSION:
        return "session";
    case STAGE_ACL_COUNT:
        return "ACL list count";
    case STAGE_ACL:
        return "ACL list";
    case STAGE_NODE:
        return "node";
    case STAGE_DONE:
        break;
    }
    return "end";
}

/* Stages whose items are all there lead on to the next. */
static void stage_settle(struct snapshot_loader *l)
{
    if (l->stage == STAGE_SESSION && l->left == 0)
        stage_enter(l, STAGE_ACL_COUNT);
    if (l->stage == STAGE_ACL && l->left == 0)
        stage_enter(l, STAGE_NODE);
}

static enum taken take_item(struct snapshot_loader *l, struct dec *d)
{
    enum taken taken = TAKEN_INCOMPLETE;
    switch (l->stage) {
    case STAGE_SESSION_COUNT:
        return take_count(l, d, STAGE_SESSION);
    case STAGE_SESSION:
        taken = take_session(l, d);
        l->left -= taken == TAKEN;
        return taken;
    case STAGE_ACL_COUNT:
        return take_count(l, d, STAGE_ACL);
    case STAGE_ACL:
        taken = take_acl_list(l, d);
        l->left -= taken == TAKEN;
        return taken;
    case STAGE_NODE:
        return take_node(l, d);
    case STAGE_DONE:
        break;
    }
    return taken;
}

int snapshot_loader_feed(struct snapshot_loader *l, struct slice chunk, size_t *ret_used,
                         bool *ret_done, struct err *err)
{
    struct dec d = dec_of(chunk);
    enum taken taken = l->failed ? TAKEN_BAD : TAKEN;
    size_t used = 0;
    while (taken == TAKEN && l->stage != STAGE_DONE) {
        stage_settle(l);
        enum stage stage = l->stage;
        taken = take_item(l, &d);
        if (taken == TAKEN)
            used = chunk.len - dec_left(&d);
        if (taken == TAKEN && l->stage == stage)
            l->item++;
    }
    l->offset += used;
    if (taken == TAKEN_BAD) {
        l->failed = true;
        return err_set(err, ERR_CORRUPT, "%s %llu at offset %llu: %s", item_name(l->stage),
                       (unsigned long long)l->item, (unsigned long long)l->offset, l->why);
    }
    *ret_used = used;
    *ret_done = l->stage == STAGE_DONE;
    return 0;
}
