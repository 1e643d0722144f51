#include "tree/tree.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/prefetch.h"
#include "tree/tree_internal.h"
#include "wire/zk.h"

/* ---- paths ---- */

bool path_names_child(struct slice path)
{
    if (path.len < 2 || path.ptr[0] != '/' || path.ptr[1] == '/' || path.ptr[path.len - 1] == '/')
        return false;
    return path_name(path).len <= ZNODE_NAME_BYTES_MAX;
}

/* String.length() of the text: one per code point, two above U+FFFF. */
static uint64_t utf16_units(struct slice text)
{
    uint64_t units = 0;
    for (size_t i = 0; i < text.len; i++)
        units += ((text.ptr[i] & 0xc0) != 0x80) + (text.ptr[i] >= 0xf0);
    return units;
}

/* ---- lookup ---- */

static uint32_t hash_component(const struct tree *t, uint32_t parent_hash, struct slice name)
{
    uint64_t seed = t->options.hash_seed ^ (parent_hash * 0x9e3779b97f4a7c15ULL);
    return (uint32_t)hash_slice(name, seed);
}

/* Is `n` the node of `path`? Compared from the last component upwards, so that the first comparison
 * already tells most strangers apart. */
static bool is_at_path(const struct tree *t, const struct znode *n, struct slice path)
{
    size_t end = path.len;
    while (n != t->root) {
        size_t len = n->name_len;
        if (end < len + 1 || path.ptr[end - len - 1] != '/' ||
            memcmp(path.ptr + end - len, n->name, len) != 0)
            return false;
        end -= len + 1;
        n = n->parent;
    }
    return end == 0;
}

uint32_t tree_path_hash(const struct tree *t, struct slice path)
{
    uint32_t hash = t->root->hash;
    const uint8_t *at = path.ptr + 1;
    const uint8_t *end = path.ptr + path.len;
    for (;;) {
        const uint8_t *slash = memchr(at, '/', (size_t)(end - at));
        const uint8_t *stop = slash ? slash : end;
        hash = hash_component(t, hash, slice_of(at, (size_t)(stop - at)));
        if (slash == NULL)
            return hash;
        at = slash + 1;
    }
}

struct znode *tree_find(const struct tree *t, struct slice path)
{
    if (path.len == 0 || (path.len == 1 && path.ptr[0] == '/'))
        return slice_is_null(path) ? NULL : t->root;
    if (path.ptr[0] != '/')
        return NULL;

    struct table_probe probe = table_probe(&t->table, tree_path_hash(t, path));
    struct znode *n = table_probe_next(&probe);
    while (n != NULL && !is_at_path(t, n, path))
        n = table_probe_next(&probe);
    return n;
}

struct znode *tree_find_child(const struct tree *t, const struct znode *parent, struct slice name)
{
    struct table_probe probe = table_probe(&t->table, hash_component(t, parent->hash, name));
    struct znode *n = table_probe_next(&probe);
    while (n != NULL && !(n->parent == parent && slice_eq(znode_name(n), name)))
        n = table_probe_next(&probe);
    return n;
}

void tree_prefetch_child(const struct tree *t, const struct znode *parent, struct slice name)
{
    prefetch(table_bucket(&t->table, hash_component(t, parent->hash, name)));
}

struct znode *znode_next_skipping(const struct znode *top, const struct znode *n)
{
    while (n != top) {
        if (n->sibling_next != NULL)
            return n->sibling_next;
        n = n->parent;
    }
    return NULL;
}

struct znode *znode_next(const struct znode *top, const struct znode *n)
{
    return n->child_first != NULL ? n->child_first : znode_next_skipping(top, n);
}

/* ---- links ---- */

static void sibling_append(struct znode *parent, struct znode *n)
{
    struct znode *first = parent->child_first;
    n->sibling_next = NULL;
    if (first == NULL) {
        n->sibling_prev = n;
        parent->child_first = n;
    } else {
        n->sibling_prev = first->sibling_prev;
        first->sibling_prev->sibling_next = n;
        first->sibling_prev = n;
    }
    parent->child_count++;
}

static void sibling_remove(struct znode *parent, struct znode *n)
{
    struct znode *first = parent->child_first;
    if (n == first)
        parent->child_first = n->sibling_next;
    else
        n->sibling_prev->sibling_next = n->sibling_next;

    if (n->sibling_next != NULL)
        n->sibling_next->sibling_prev = n->sibling_prev;
    else if (n != first)
        first->sibling_prev = n->sibling_prev;
    parent->child_count--;
}

/* ---- making and freeing nodes ---- */

static void data_set(struct tree *t, struct znode *n, struct slice data)
{
    n->data_len = (uint32_t)data.len;
    if (slice_is_null(data)) {
        n->data = NULL;
    } else if (data.len == 0) {
        n->data = &t->empty_data;
    } else {
        n->data = slab_alloc(&t->slab, data.len);
        memcpy(n->data, data.ptr, data.len);
    }
}

static void data_free(struct tree *t, struct znode *n)
{
    if (n->data_len > 0)
        slab_free(&t->slab, n->data, n->data_len);
    n->data = NULL;
    n->data_len = 0;
}

void tree_replace_data(struct tree *t, struct znode *n, struct slice data)
{
    t->data_bytes += data.len - n->data_len;
    data_free(t, n);
    data_set(t, n, data);
}

static size_t link_bytes(uint64_t owner)
{
    return owner != 0 ? sizeof(struct list) : 0;
}

static struct znode *znode_create(struct tree *t, const struct znode_init *init)
{
    invariant(init->name.len <= ZNODE_NAME_BYTES_MAX);
    size_t front = link_bytes(init->ephemeral_owner);
    char *cell = slab_alloc(&t->slab, front + offsetof(struct znode, name) + init->name.len);
    struct znode *n = (struct znode *)(void *)(cell + front);
    /* Field by field: what would follow the name in the struct's padding is not ours to write. */
    memset(n, 0, offsetof(struct znode, name));
    n->czxid = init->czxid;
    n->mzxid = init->mzxid;
    n->pzxid = init->pzxid;
    n->ctime_ms = init->ctime_ms;
    n->mtime_ms = init->mtime_ms;
    n->ephemeral_owner = init->ephemeral_owner;
    n->version = init->version;
    n->cversion = init->cversion;
    n->aversion = init->aversion;
    n->acl_id = init->acl_id;
    n->name_len = (uint32_t)init->name.len & ZNODE_NAME_BYTES_MAX;
    n->snapshot_mark = (t->walk.mark + (t->walk.active ? 1 : 0)) & 0x3ff;
    if (init->name.len > 0)
        memcpy(n->name, init->name.ptr, init->name.len);
    data_set(t, n, init->data);
    return n;
}

static void znode_free(struct tree *t, struct znode *n)
{
    acl_cache_release(&t->acls, n->acl_id);
    data_free(t, n);
    size_t front = link_bytes(n->ephemeral_owner);
    slab_free(&t->slab, (char *)n - front, front + offsetof(struct znode, name) + n->name_len);
}

struct znode *tree_link(struct tree *t, struct znode *parent, const struct znode_init *init,
                        struct slice path)
{
    struct znode *n = znode_create(t, init);
    n->parent = parent;
    n->hash = hash_component(t, parent->hash, init->name);
    table_insert(&t->table, n);
    sibling_append(parent, n);
    if (n->ephemeral_owner != 0)
        ephemeral_add(t, n);
    t->data_bytes += utf16_units(path) + n->data_len;
    digest_add(t, n, path);
    if (t->quota == NULL && slice_eq_str(path, "/zookeeper/quota"))
        t->quota = n;
    return n;
}

void tree_unlink(struct tree *t, struct znode *n, struct slice path)
{
    invariant(n != t->root && n->child_first == NULL);
    if (n == t->quota)
        t->quota = NULL;
    digest_remove(t, n);
    t->data_bytes -= utf16_units(path) + n->data_len;
    if (n->ephemeral_owner != 0)
        ephemeral_remove(t, n);
    sibling_remove(n->parent, n);
    table_remove(&t->table, n);
    znode_free(t, n);
}

void tree_unlink_subtree(struct tree *t, struct znode *n, struct slice path)
{
    /* Children first, from the bottom of the first branch up; no recursion: depth is the client's.
     */
    struct znode *at = n;
    while (n->child_first != NULL) {
        while (at->child_first != NULL)
            at = at->child_first;
        struct znode *parent = at->parent;
        snapshot_before_delete(t, at);
        buf_clear(&t->scratch);
        znode_path(at, &t->scratch);
        uint32_t data_len = at->data_len;
        tree_unlink(t, at, buf_slice(&t->scratch));
        quota_on_delete(t, buf_slice(&t->scratch), data_len);
        at = parent;
    }
    snapshot_before_delete(t, n);
    tree_unlink(t, n, path);
}

/* ---- life ---- */

static void root_create(struct tree *t)
{
    struct znode_init init = {.name = slice_str(""), .data = slice_str("")};
    t->root = znode_create(t, &init);
    t->data_bytes = 1; /* the root's second name, "/" */
    digest_add(t, t->root, slice_str(""));
}

static struct znode *link_empty(struct tree *t, struct znode *parent, const char *path,
                                uint32_t acl_id, int32_t aversion)
{
    struct znode_init init = {
        .name = path_name(slice_str(path)),
        .data = slice_str(""),
        .acl_id = acl_id,
        .aversion = aversion,
    };
    return tree_link(t, parent, &init, slice_str(path));
}

struct tree *tree_create(const struct tree_options *options)
{
    struct tree *t = mem_calloc(1, sizeof *t);
    t->options = *options;
    slab_init(&t->slab);
    table_init(&t->table, &t->slab);
    acl_cache_init(&t->acls, options->hash_seed);
    map_init(&t->sessions, options->hash_seed);
    list_init(&t->reapables);
    root_create(t);

    /* The configuration is for everybody to read (world:anyone, READ). DataTree sets that ACL
     * with version -1, and that is what clients see as aversion. */
    struct buf acl = {0};
    struct rec_acl read_only = {
        .perms = ZK_PERM_READ,
        .id = {.scheme = slice_str("world"), .id = slice_str("anyone")},
    };
    rec_put_acl(&acl, &read_only);
    uint32_t acl_id =
        acl_cache_intern(&t->acls, (struct rec_vec){.count = 1, .raw = buf_slice(&acl)});
    buf_deinit(&acl);

    struct znode *zookeeper = link_empty(t, t->root, "/zookeeper", ACL_OPEN, 0);
    link_empty(t, zookeeper, "/zookeeper/quota", ACL_OPEN, 0);
    link_empty(t, zookeeper, "/zookeeper/config", acl_id, -1);
    return t;
}

/* Frees all nodes; no counts are kept, the caller sets them anew. */
static void free_all_nodes(struct tree *t)
{
    struct znode *at = t->root;
    while (at != NULL) {
        if (at->child_first != NULL) {
            at = at->child_first;
            continue;
        }
        struct znode *parent = at->parent;
        if (parent != NULL)
            parent->child_first = at->sibling_next;
        if (at->ephemeral_owner != 0)
            ephemeral_remove(t, at);
        znode_free(t, at);
        at = parent;
    }
    t->root = NULL;
    t->quota = NULL;
}

void tree_clear(struct tree *t)
{
    invariant(!t->walk.active);
    free_all_nodes(t);
    table_deinit(&t->table);
    table_init(&t->table, &t->slab);
    t->digest.tree = 0;
    root_create(t);
}

void tree_free(struct tree *t)
{
    if (t == NULL)
        return;
    free_all_nodes(t);
    table_deinit(&t->table);
    ephemeral_deinit(t);
    acl_cache_deinit(&t->acls);
    snapshot_walk_deinit(&t->walk);
    free(t->digest.history);
    buf_deinit(&t->scratch);
    slab_deinit(&t->slab);
    free(t);
}

/* ---- the state as a whole ---- */

int64_t tree_last_zxid(const struct tree *t)
{
    return t->last_zxid;
}

void tree_set_last_zxid(struct tree *t, int64_t zxid)
{
    t->last_zxid = zxid;
}

uint64_t tree_node_count(const struct tree *t)
{
    return t->table.count + 1;
}

uint64_t tree_approximate_data_bytes(const struct tree *t)
{
    return t->data_bytes;
}

uint64_t tree_memory_bytes(const struct tree *t)
{
    const struct acl_cache *acls = &t->acls;
    uint64_t nodes = slab_bytes(&t->slab) + table_bytes(&t->table);
    uint64_t lists = acls->bytes + acls->entry_cap * sizeof *acls->entries +
                     acls->bucket_count * sizeof *acls->buckets;
    uint64_t sessions = t->sessions.cap * sizeof(struct map_slot) +
                        t->sessions.count * sizeof(struct session_ephemerals);
    uint64_t scratch = t->walk.early.cap + t->walk.path.cap + t->scratch.cap;
    return sizeof *t + nodes + lists + sessions + scratch;
}

uint64_t tree_descendant_count(const struct tree *t, const struct znode *n)
{
    if (n == t->root)
        return t->table.count;
    uint64_t count = 0;
    for (const struct znode *at = znode_next(n, n); at != NULL; at = znode_next(n, at))
        count++;
    return count;
}
