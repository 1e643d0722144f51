/* acl_cache.c: each ACL list once, under a small id that counts its users.
 *
 * An id whose last user is gone is not given to another list before acl_cache_reap, which
 * tree_apply calls before a txn: so the ids that the changes of the last txn name keep their
 * meaning. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "tree/tree_internal.h"

enum {
    BUCKETS_FIRST = 16,
    ENTRIES_FIRST = 8
};

/* world:anyone with all permissions, in jute. */
static const uint8_t OPEN_LIST[] = "\0\0\0\x1f\0\0\0\x05world\0\0\0\x06"
                                   "anyone";

static struct slice open_list(void)
{
    return slice_of(OPEN_LIST, sizeof OPEN_LIST - 1);
}

void acl_cache_init(struct acl_cache *c, uint64_t seed)
{
    *c =
        (struct acl_cache){.seed = seed, .bucket_count = BUCKETS_FIRST, .entry_cap = ENTRIES_FIRST};
    c->buckets = mem_calloc(c->bucket_count, sizeof *c->buckets);
    c->entries = mem_calloc(c->entry_cap, sizeof *c->entries);
    c->entries[ACL_OPEN] = (struct acl_entry){
        .bytes = mem_dup(open_list().ptr, open_list().len),
        .len = (uint32_t)open_list().len,
        .count = 1,
    };
    c->entry_count = 1;
}

void acl_cache_deinit(struct acl_cache *c)
{
    for (uint32_t i = 0; i < c->entry_count; i++)
        free(c->entries[i].bytes);
    free(c->entries);
    free(c->buckets);
    free(c->dying);
    *c = (struct acl_cache){0};
}

static void buckets_double(struct acl_cache *c)
{
    free(c->buckets);
    c->bucket_count *= 2;
    c->buckets = mem_calloc(c->bucket_count, sizeof *c->buckets);
    for (uint32_t id = 1; id < c->entry_count; id++) {
        struct acl_entry *e = &c->entries[id];
        if (e->bytes == NULL)
            continue;
        uint32_t *bucket = &c->buckets[e->hash & (c->bucket_count - 1)];
        e->next = *bucket;
        *bucket = id;
    }
}

static uint32_t id_take(struct acl_cache *c)
{
    if (c->free_first != 0) {
        uint32_t id = c->free_first;
        c->free_first = c->entries[id].next;
        return id;
    }
    if (c->entry_count == c->entry_cap) {
        invariant(c->entry_cap <= UINT32_MAX / 2);
        c->entry_cap *= 2;
        c->entries = mem_realloc(c->entries, c->entry_cap * sizeof *c->entries);
    }
    return c->entry_count++;
}

static uint32_t entry_find(const struct acl_cache *c, struct rec_vec acl, uint32_t hash)
{
    uint32_t id = c->buckets[hash & (c->bucket_count - 1)];
    for (; id != 0; id = c->entries[id].next) {
        const struct acl_entry *e = &c->entries[id];
        if (e->hash == hash && e->count == acl.count &&
            slice_eq(slice_of(e->bytes, e->len), acl.raw))
            break;
    }
    return id;
}

static uint32_t entry_create(struct acl_cache *c, struct rec_vec acl, uint32_t hash)
{
    if (c->live_count >= c->bucket_count)
        buckets_double(c);
    uint32_t id = id_take(c);
    uint32_t *bucket = &c->buckets[hash & (c->bucket_count - 1)];
    uint8_t *bytes = mem_alloc(acl.raw.len);
    if (acl.raw.len > 0)
        memcpy(bytes, acl.raw.ptr, acl.raw.len);
    c->entries[id] = (struct acl_entry){
        .bytes = bytes,
        .len = (uint32_t)acl.raw.len,
        .count = acl.count,
        .next = *bucket,
        .hash = hash,
    };
    *bucket = id;
    c->live_count++;
    c->bytes += acl.raw.len;
    return id;
}

uint32_t acl_cache_intern(struct acl_cache *c, struct rec_vec acl)
{
    /* ZooKeeper means the open list by a null one, and gives an explicit open list a number like
     * any other; nobody can tell, so here they are the same. */
    if (acl.count < 0 || (acl.count == 1 && slice_eq(acl.raw, open_list())))
        return ACL_OPEN;

    uint32_t hash = (uint32_t)hash_slice(acl.raw, c->seed);
    uint32_t id = entry_find(c, acl, hash);
    if (id == 0)
        id = entry_create(c, acl, hash);
    c->entries[id].refs++;
    return id;
}

void acl_cache_retain(struct acl_cache *c, uint32_t id)
{
    if (id == ACL_OPEN)
        return;
    invariant(id < c->entry_count && c->entries[id].bytes != NULL);
    c->entries[id].refs++;
}

void acl_cache_release(struct acl_cache *c, uint32_t id)
{
    if (id == ACL_OPEN)
        return;
    struct acl_entry *e = &c->entries[id];
    invariant(id < c->entry_count && e->refs > 0);
    if (--e->refs > 0 || e->dying)
        return;

    e->dying = true;
    if (c->dying_count == c->dying_cap) {
        c->dying_cap = c->dying_cap ? 2 * c->dying_cap : 16;
        c->dying = mem_realloc(c->dying, c->dying_cap * sizeof *c->dying);
    }
    c->dying[c->dying_count++] = id;
}

static void entry_free(struct acl_cache *c, uint32_t id)
{
    struct acl_entry *e = &c->entries[id];
    uint32_t *at = &c->buckets[e->hash & (c->bucket_count - 1)];
    while (*at != id)
        at = &c->entries[*at].next;
    *at = e->next;

    c->bytes -= e->len;
    c->live_count--;
    free(e->bytes);
    *e = (struct acl_entry){.next = c->free_first};
    c->free_first = id;
}

void acl_cache_reap(struct acl_cache *c)
{
    for (size_t i = 0; i < c->dying_count; i++) {
        struct acl_entry *e = &c->entries[c->dying[i]];
        e->dying = false;
        if (e->refs == 0)
            entry_free(c, c->dying[i]);
    }
    c->dying_count = 0;
}

void acl_cache_put(const struct acl_cache *c, struct buf *out)
{
    size_t count_at = out->len;
    buf_put_i32(out, 0);
    int32_t count = 0;
    for (uint32_t id = 1; id < c->entry_count; id++) {
        const struct acl_entry *e = &c->entries[id];
        if (e->bytes == NULL || e->refs == 0)
            continue;
        buf_put_i64(out, id);
        buf_put_i32(out, e->count);
        buf_put(out, e->bytes, e->len);
        count++;
    }
    store_be32(out->ptr + count_at, (uint32_t)count);
}
