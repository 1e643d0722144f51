#include "tree_verify.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tree/tree_internal.h"

struct totals {
    uint64_t nodes, digest, data_bytes, ephemerals, owned;
    uint32_t *acl_refs; /* by id */
    struct buf path;
};

static uint64_t java_length(struct slice text)
{
    uint64_t units = 0;
    for (size_t i = 0; i < text.len; i++) {
        units += (text.ptr[i] & 0xc0) != 0x80;
        units += text.ptr[i] >= 0xf0;
    }
    return units;
}

static const char *verify_links(const struct znode *n)
{
    uint32_t count = 0;
    const struct znode *last = NULL;
    for (const struct znode *c = n->child_first; c != NULL; c = c->sibling_next) {
        if (c->parent != n)
            return "a child has another parent";
        if (last != NULL && c->sibling_prev != last)
            return "a sibling does not point back";
        last = c;
        count++;
    }
    if (last != NULL && n->child_first->sibling_prev != last)
        return "the first child does not point to the last";
    return count == n->child_count ? NULL : "a child count is wrong";
}

static const char *verify_node(const struct tree *t, const struct znode *n, struct totals *sum)
{
    buf_clear(&sum->path);
    znode_path(n, &sum->path);
    struct slice path = buf_slice(&sum->path);
    if (tree_find(t, path) != n)
        return "a node is not found under its path";

    struct rec_stat_persisted stat;
    znode_stat_persisted(n, &stat);
    uint32_t digest = t->options.digest_enabled ? znode_digest(path, znode_data(n), &stat) : 0;
    if (digest != n->digest)
        return "a node's digest is wrong";
    if (n->acl_id >= t->acls.entry_count || t->acls.entries[n->acl_id].bytes == NULL)
        return "a node's ACL is not there";

    sum->nodes++;
    sum->digest += digest;
    sum->data_bytes += (n->parent != NULL ? java_length(path) : 1) + n->data_len;
    sum->acl_refs[n->acl_id]++;
    if (n->ephemeral_owner != 0)
        sum->owned++;
    if (znode_kind_of(t, n->ephemeral_owner) == ZNODE_EPHEMERAL)
        sum->ephemerals++;
    return verify_links(n);
}

static const char *verify_acls(const struct tree *t, const struct totals *sum, bool acls_shared)
{
    uint64_t live = 0;
    for (uint32_t id = 1; id < t->acls.entry_count; id++) {
        const struct acl_entry *e = &t->acls.entries[id];
        live += e->bytes != NULL;
        if (sum->acl_refs[id] > e->refs || (!acls_shared && sum->acl_refs[id] < e->refs))
            return "an ACL's references are miscounted";
        if (e->bytes != NULL && e->refs == 0 && !e->dying)
            return "an ACL without users stays for ever";
    }
    return live == t->acls.live_count ? NULL : "the count of ACLs is wrong";
}

struct owned_count {
    const struct tree *t;
    uint64_t ephemerals;
    const char *wrong;
};

struct owner_visit {
    struct owned_count *all;
    uint64_t session_id;
};

static void visit_path(void *arg, struct slice path)
{
    struct owner_visit *v = arg;
    const struct znode *n = tree_find(v->all->t, path);
    if (n == NULL || n->ephemeral_owner != v->session_id)
        v->all->wrong = "a session lists a node that it does not own";
    v->all->ephemerals++;
}

static void visit_session(void *arg, int64_t session_id)
{
    struct owned_count *all = arg;
    struct owner_visit v = {all, (uint64_t)session_id};
    uint64_t before = all->ephemerals;
    tree_ephemerals_of(all->t, session_id, visit_path, &v);
    if (all->ephemerals == before)
        all->wrong = "a session without nodes is kept";
}

static const char *verify_owners(const struct tree *t, const struct totals *sum)
{
    struct owned_count all = {.t = t};
    tree_ephemeral_sessions(t, visit_session, &all);
    if (all.wrong != NULL)
        return all.wrong;
    uint64_t reapable = 0;
    for (const struct list *at = t->reapables.next; at != &t->reapables; at = at->next)
        reapable++;
    if (all.ephemerals != sum->ephemerals || tree_ephemeral_count(t) != sum->ephemerals)
        return "the count of ephemerals is wrong";
    return reapable == sum->owned - sum->ephemerals ? NULL
                                                    : "the count of containers and TTLs is wrong";
}

static const char *verify_totals(const struct tree *t, const struct totals *sum)
{
    if (sum->nodes != tree_node_count(t))
        return "the node count is wrong";
    if (sum->digest != tree_digest(t))
        return "the tree's digest is wrong";
    if (sum->data_bytes != tree_approximate_data_bytes(t))
        return "the data size is wrong";
    return tree_find(t, slice_str("/zookeeper/quota")) == t->quota ? NULL
                                                                   : "the quota root is forgotten";
}

const char *tree_verify(const struct tree *t, bool acls_shared)
{
    struct totals sum = {.acl_refs = mem_calloc(t->acls.entry_count, sizeof *sum.acl_refs)};
    const char *wrong = NULL;
    for (const struct znode *n = t->root; n != NULL && wrong == NULL; n = znode_next(t->root, n))
        wrong = verify_node(t, n, &sum);
    if (wrong == NULL)
        wrong = verify_totals(t, &sum);
    if (wrong == NULL)
        wrong = verify_owners(t, &sum);
    if (wrong == NULL)
        wrong = verify_acls(t, &sum, acls_shared);
    free(sum.acl_refs);
    buf_deinit(&sum.path);
    return wrong;
}

static bool same_acl(const struct tree *a, const struct znode *x, const struct tree *b,
                     const struct znode *y)
{
    struct rec_vec p = tree_acl_get(a, x->acl_id), q = tree_acl_get(b, y->acl_id);
    return p.count == q.count && slice_eq(p.raw, q.raw);
}

static const char *node_differ(const struct tree *a, const struct znode *x, const struct tree *b,
                               const struct znode *y)
{
    if (!slice_eq(znode_name(x), znode_name(y)))
        return "names differ";
    if ((x->data == NULL) != (y->data == NULL) || !slice_eq(znode_data(x), znode_data(y)))
        return "data differ";
    struct rec_stat_persisted s, t;
    memset(&s, 0, sizeof s);
    memset(&t, 0, sizeof t);
    znode_stat_persisted(x, &s);
    znode_stat_persisted(y, &t);
    struct buf p = {0}, q = {0};
    rec_put_stat_persisted(&p, &s);
    rec_put_stat_persisted(&q, &t);
    bool same_stat = slice_eq(buf_slice(&p), buf_slice(&q));
    buf_deinit(&p);
    buf_deinit(&q);
    if (!same_stat)
        return "Stats differ";
    return same_acl(a, x, b, y) ? NULL : "ACLs differ";
}

const char *tree_differ(const struct tree *a, const struct tree *b)
{
    const struct znode *x = a->root, *y = b->root;
    while (x != NULL && y != NULL) {
        if (x->child_count != y->child_count)
            return "numbers of children differ";
        const char *differ = node_differ(a, x, b, y);
        if (differ != NULL)
            return differ;
        x = znode_next(a->root, x);
        y = znode_next(b->root, y);
    }
    return tree_digest(a) == tree_digest(b) ? NULL : "digests differ";
}

const char *tree_differ_unordered(const struct tree *a, const struct tree *b)
{
    if (tree_node_count(a) != tree_node_count(b))
        return "numbers of nodes differ";
    const char *differ = NULL;
    struct buf path = {0};
    for (const struct znode *x = a->root; x != NULL && differ == NULL; x = znode_next(a->root, x)) {
        buf_clear(&path);
        znode_path(x, &path);
        const struct znode *y = tree_find(b, buf_slice(&path));
        differ = y == NULL ? "a node is missing" : node_differ(a, x, b, y);
    }
    buf_deinit(&path);
    if (differ != NULL)
        return differ;
    return tree_digest(a) == tree_digest(b) ? NULL : "digests differ";
}
