/* znode.c: what can be said about one znode: its path, its Stat, its kind. */
#include "tree/tree_internal.h"

/* The high byte says that a znode has an extended type, the next two say which; 0 is TTL, the rest
 * of the number its milliseconds (EphemeralType). */
static const uint64_t OWNER_CONTAINER = 0x8000000000000000ULL;
static const uint64_t OWNER_EXTENDED = 0xff00000000000000ULL;
static const uint64_t OWNER_FEATURE = 0x00ffff0000000000ULL;
static const uint64_t OWNER_TTL_MS = 0x000000ffffffffffULL;

void znode_path(const struct znode *n, struct buf *out)
{
    if (n->parent == NULL) {
        buf_put_u8(out, '/');
        return;
    }

    size_t len = 0;
    for (const struct znode *at = n; at->parent != NULL; at = at->parent)
        len += at->name_len + (size_t)1;
    if (!buf_reserve(out, len))
        return;

    uint8_t *end = out->ptr + out->len + len;
    for (const struct znode *at = n; at->parent != NULL; at = at->parent) {
        end -= at->name_len;
        memcpy(end, at->name, at->name_len);
        *--end = '/';
    }
    out->len += len;
}

enum znode_kind znode_kind_of(const struct tree *t, uint64_t owner)
{
    if (owner == 0)
        return ZNODE_PERSISTENT;
    if (t->options.extended_types_enabled) {
        /* 3.5.3 marked TTL by the sign bit alone. */
        if (t->options.emulate_353_ttl && owner > OWNER_CONTAINER)
            return ZNODE_TTL;
        if ((owner & OWNER_EXTENDED) == OWNER_EXTENDED && (owner & OWNER_FEATURE) == 0)
            return ZNODE_TTL;
    }
    return owner == OWNER_CONTAINER ? ZNODE_CONTAINER : ZNODE_EPHEMERAL;
}

int64_t znode_ttl_ms(const struct tree *t, uint64_t owner)
{
    (void)t;
    return (int64_t)(owner & OWNER_TTL_MS);
}

void znode_stat(const struct tree *t, const struct znode *n, struct rec_stat *ret_stat)
{
    bool is_ephemeral = znode_kind_of(t, n->ephemeral_owner) == ZNODE_EPHEMERAL;
    *ret_stat = (struct rec_stat){
        .czxid = n->czxid,
        .mzxid = n->mzxid,
        .ctime = n->ctime_ms,
        .mtime = n->mtime_ms,
        .version = n->version,
        /* Each create counts one and each delete one, and deletes = creates - children. */
        .cversion = (int32_t)(2 * (uint32_t)n->cversion - n->child_count),
        .aversion = n->aversion,
        .ephemeral_owner = is_ephemeral ? (int64_t)n->ephemeral_owner : 0,
        .data_length = (int32_t)n->data_len,
        .num_children = (int32_t)n->child_count,
        .pzxid = n->pzxid,
    };
}
