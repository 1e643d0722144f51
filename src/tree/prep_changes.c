/* prep_changes.c: the states that proposals will bring about, until they are applied.
 *
 * A table holds the newest change of each path; older ones of the same path hang behind it, so that
 * a failed multi can take back its own and nothing else. All changes stand in one queue by zxid: a
 * commit forgets them from its front, a rollback from its back. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "tree/prep_internal.h"

enum {
    BUCKETS_FIRST = 1024,
    DIGEST_STAT_BYTES = 60
};

/* ---- the table ---- */

void changes_init(struct changes *c, struct tree *t, uint64_t seed)
{
    *c = (struct changes){
        .tree = t,
        .buckets = mem_calloc(BUCKETS_FIRST, sizeof(struct change *)),
        .bucket_count = BUCKETS_FIRST,
        .seed = seed,
    };
    list_init(&c->order);
    for (size_t i = 0; i < OWNED_BUCKETS; i++)
        list_init(&c->owned[i]);
    slab_init(&c->slab);
}

void changes_deinit(struct changes *c)
{
    changes_clear(c);
    slab_deinit(&c->slab);
    free(c->buckets);
}

static struct change **bucket_of(const struct changes *c, uint64_t hash)
{
    return &c->buckets[hash & (c->bucket_count - 1)];
}

static struct change *changes_get(const struct changes *c, struct slice path, uint64_t hash)
{
    for (struct change *at = *bucket_of(c, hash); at != NULL; at = at->hash_next) {
        if (at->hash == hash && slice_eq(slice_of(at->path, at->path_len), path))
            return at;
    }
    return NULL;
}

static void buckets_grow(struct changes *c)
{
    struct change **old = c->buckets;
    size_t old_count = c->bucket_count;
    c->bucket_count *= 2;
    c->buckets = mem_calloc(c->bucket_count, sizeof(struct change *));
    for (size_t i = 0; i < old_count; i++) {
        struct change *at = old[i];
        while (at != NULL) {
            struct change *next = at->hash_next;
            struct change **bucket = bucket_of(c, at->hash);
            at->hash_next = *bucket;
            *bucket = at;
            at = next;
        }
    }
    free(old);
}

/* Puts `with` (NULL = nothing) into the table in the place of `ch`. */
static void table_replace(struct changes *c, struct change *ch, struct change *with)
{
    struct change **at = bucket_of(c, ch->hash);
    while (*at != ch) {
        invariant(*at != NULL);
        at = &(*at)->hash_next;
    }
    if (with != NULL) {
        with->hash_next = ch->hash_next;
        *at = with;
    } else {
        *at = ch->hash_next;
        c->path_count--;
    }
}

static void table_insert_new(struct changes *c, struct change *ch)
{
    if (c->path_count >= c->bucket_count)
        buckets_grow(c);
    struct change **bucket = bucket_of(c, ch->hash);
    ch->hash_next = *bucket;
    *bucket = ch;
    c->path_count++;
}

static void change_free(struct changes *c, struct change *ch)
{
    list_remove(&ch->order);
    list_remove(&ch->owned);
    tree_acl_release(c->tree, ch->state.acl_id);
    slab_free(&c->slab, ch, sizeof *ch + ch->path_len);
    c->count--;
}

void changes_forget(struct changes *c, int64_t zxid)
{
    while (!list_is_empty(&c->order)) {
        struct change *ch = list_entry(c->order.next, struct change, order);
        if (ch->zxid > zxid)
            return;
        invariant(ch->older == NULL);
        if (ch->newer != NULL)
            ch->newer->older = NULL;
        else
            table_replace(c, ch, NULL);
        change_free(c, ch);
    }
}

void changes_rollback(struct changes *c, int64_t zxid)
{
    while (!list_is_empty(&c->order)) {
        struct change *ch = list_entry(c->order.prev, struct change, order);
        if (ch->zxid != zxid)
            return;
        invariant(ch->newer == NULL);
        table_replace(c, ch, ch->older);
        if (ch->older != NULL)
            ch->older->newer = NULL;
        change_free(c, ch);
    }
}

void changes_clear(struct changes *c)
{
    changes_forget(c, INT64_MAX);
}

/* ---- reading and writing states ---- */

bool prep_find(const struct prep *p, struct slice path, struct spot *ret_spot,
               struct node_state *ret_state)
{
    if (path.len == 0)
        path = slice_str("/");
    uint64_t hash = hash_slice(path, p->changes.seed);
    struct change *newest = changes_get(&p->changes, path, hash);
    *ret_spot = (struct spot){.path = path, .hash = hash, .newest = newest};
    if (newest != NULL) {
        *ret_state = newest->state;
        return ret_state->exists;
    }

    const struct znode *n = tree_find(p->tree, path);
    *ret_state = (struct node_state){.exists = n != NULL};
    if (n == NULL)
        return false;
    znode_stat_persisted(n, &ret_state->stat);
    ret_state->child_count = n->child_count;
    ret_state->data_len = n->data_len;
    ret_state->digest = n->digest;
    ret_state->acl_id = n->acl_id;
    return true;
}

static bool creates_ephemeral(const struct prep *p, const struct node_state *before,
                              const struct node_state *after)
{
    return !before->exists && after->exists && after->stat.ephemeral_owner != 0 &&
           znode_kind_of(p->tree, (uint64_t)after->stat.ephemeral_owner) == ZNODE_EPHEMERAL;
}

struct list *changes_owned_by(struct changes *c, int64_t session_id)
{
    return &c->owned[hash_u64((uint64_t)session_id, c->seed) % OWNED_BUCKETS];
}

void prep_change(struct prep *p, const struct spot *spot, int64_t zxid,
                 const struct node_state *before, const struct node_state *after)
{
    struct changes *c = &p->changes;
    struct change *ch = slab_alloc(&c->slab, sizeof *ch + spot->path.len);
    ch->older = spot->newest;
    ch->newer = NULL;
    ch->zxid = zxid;
    ch->hash = spot->hash;
    ch->state = *after;
    ch->path_len = (uint32_t)spot->path.len;
    memcpy(ch->path, spot->path.ptr, spot->path.len);
    tree_acl_retain(c->tree, ch->state.acl_id);

    if (ch->older != NULL) {
        ch->older->newer = ch;
        table_replace(c, ch->older, ch);
    } else {
        table_insert_new(c, ch);
    }
    list_append(&c->order, &ch->order);
    list_init(&ch->owned);
    if (creates_ephemeral(p, before, after))
        list_append(changes_owned_by(c, after->stat.ephemeral_owner), &ch->owned);
    c->count++;
    p->digest += (uint64_t)after->digest - before->digest;
}
