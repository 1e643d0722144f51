/* digest.c: the tree digest, version 2 (DigestCalculator, NodeHashMapImpl, DataTree.compareDigest).
 *
 *   node digest = CRC-32 of  path ("" for the root) | data | czxid mzxid pzxid ctime mtime (int64)
 *                 version cversion aversion (int32) ephemeralOwner (int64), big-endian
 *   tree digest = sum of all node digests mod 2^64
 *
 * Everything under /zookeeper/ counts 0, because quota usage there is kept by each server for
 * itself. A node remembers its own digest, so that a change costs one CRC and not two. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/crc32.h"
#include "base/mem.h"
#include "tree/tree_internal.h"

enum {
    DIGEST_STAT_BYTES = 60,
    TOGETHER_BYTES_MAX = 512,
    CRC_BLOCK_BYTES = 16,
    DIGEST_HISTORY_INTERVAL = 128, /* zxids */
    DIGEST_HISTORY_MAX = 1024,
};

static const uint32_t CRC_OF_EMPTY_BLOCK = 0x04128908; /* of 60 zero bytes */

static bool counts(struct slice path)
{
    return !slice_starts_with(path, slice_str("/zookeeper/"));
}

static void stat_block(const struct rec_stat_persisted *stat, uint8_t *ret_block)
{
    store_be64(ret_block, (uint64_t)stat->czxid);
    store_be64(ret_block + 8, (uint64_t)stat->mzxid);
    store_be64(ret_block + 16, (uint64_t)stat->pzxid);
    store_be64(ret_block + 24, (uint64_t)stat->ctime);
    store_be64(ret_block + 32, (uint64_t)stat->mtime);
    store_be32(ret_block + 40, (uint32_t)stat->version);
    store_be32(ret_block + 44, (uint32_t)stat->cversion);
    store_be32(ret_block + 48, (uint32_t)stat->aversion);
    store_be64(ret_block + 52, (uint64_t)stat->ephemeral_owner);
}

/* Three short checksums cost more than one: each begins with what the one before ended with, and
 * ends with some odd bytes. So the parts are put together, behind zeros up to a whole number of
 * blocks of 16. That leaves the checksum as it is if it begins with a state of zero, and what it
 * would have begun with, all ones, is in the first four bytes instead. */
static uint32_t crc_together(struct slice path, struct slice data, const uint8_t *block)
{
    uint8_t whole[TOGETHER_BYTES_MAX + CRC_BLOCK_BYTES];
    size_t len = path.len + data.len + DIGEST_STAT_BYTES;
    uint8_t *begin = whole + (CRC_BLOCK_BYTES - len % CRC_BLOCK_BYTES);
    memset(whole, 0, CRC_BLOCK_BYTES);
    memcpy(begin, path.ptr, path.len);
    if (data.len > 0)
        memcpy(begin + path.len, data.ptr, data.len);
    memcpy(begin + path.len + data.len, block, DIGEST_STAT_BYTES);
    for (int i = 0; i < 4; i++)
        begin[i] ^= 0xff;
    return crc32_update(UINT32_MAX, whole, (size_t)(begin - whole) + len);
}

uint32_t znode_digest(struct slice path, struct slice data, const struct rec_stat_persisted *stat)
{
    if (!counts(path))
        return 0;
    if (slice_eq_str(path, "/"))
        path.len = 0;

    uint8_t block[DIGEST_STAT_BYTES];
    stat_block(stat, block);
    if (path.len + data.len + DIGEST_STAT_BYTES <= TOGETHER_BYTES_MAX)
        return crc_together(path, data, block);
    uint32_t crc = crc32_update(0, path.ptr, path.len);
    crc = crc32_update(crc, data.ptr, data.len);
    return crc32_update(crc, block, sizeof block);
}

/* CRC is affine: crc(a ^ b ^ c) = crc(a) ^ crc(b) ^ crc(c) for equal lengths. With b and c zero but
 * for the block at the end, what changes in the digest depends on the two blocks alone, and neither
 * path nor data is read. */
uint32_t znode_digest_restat(struct slice path, uint32_t digest,
                             const struct rec_stat_persisted *before,
                             const struct rec_stat_persisted *after)
{
    if (!counts(path))
        return 0;
    uint8_t a[DIGEST_STAT_BYTES];
    uint8_t b[DIGEST_STAT_BYTES];
    stat_block(before, a);
    stat_block(after, b);
    for (size_t i = 0; i < DIGEST_STAT_BYTES; i++)
        a[i] ^= b[i];
    return digest ^ crc32_update(0, a, sizeof a) ^ CRC_OF_EMPTY_BLOCK;
}

void znode_stat_persisted(const struct znode *n, struct rec_stat_persisted *ret_stat)
{
    *ret_stat = (struct rec_stat_persisted){
        .czxid = n->czxid,
        .mzxid = n->mzxid,
        .ctime = n->ctime_ms,
        .mtime = n->mtime_ms,
        .version = n->version,
        .cversion = n->cversion,
        .aversion = n->aversion,
        .ephemeral_owner = (int64_t)n->ephemeral_owner,
        .pzxid = n->pzxid,
    };
}

void digest_add(struct tree *t, struct znode *n, struct slice path)
{
    if (!t->options.digest_enabled)
        return;
    struct rec_stat_persisted stat;
    znode_stat_persisted(n, &stat);
    n->digest = znode_digest(path, znode_data(n), &stat);
    t->digest.tree += n->digest;
}

void digest_remove(struct tree *t, struct znode *n)
{
    t->digest.tree -= n->digest;
}

void digest_update(struct tree *t, struct znode *n, struct slice path)
{
    digest_remove(t, n);
    digest_add(t, n, path);
}

void digest_update_stat(struct tree *t, struct znode *n, struct slice path,
                        const struct rec_stat_persisted *before)
{
    if (!t->options.digest_enabled)
        return;
    digest_remove(t, n);
    struct rec_stat_persisted after;
    znode_stat_persisted(n, &after);
    n->digest = znode_digest_restat(path, n->digest, before, &after);
    t->digest.tree += n->digest;
}

uint64_t tree_digest(const struct tree *t)
{
    return t->digest.tree;
}

size_t tree_digest_history(const struct tree *t, const struct tree_digest_entry **ret_entries)
{
    *ret_entries = t->digest.history;
    return t->digest.history_count;
}

static void history_add(struct digest_state *d, int64_t zxid)
{
    if (zxid % DIGEST_HISTORY_INTERVAL != 0)
        return;
    if (d->history == NULL)
        d->history = mem_calloc(DIGEST_HISTORY_MAX, sizeof *d->history);
    if (d->history_count == DIGEST_HISTORY_MAX) {
        d->history_count--;
        memmove(d->history, d->history + 1, d->history_count * sizeof *d->history);
    }
    d->history[d->history_count++] =
        (struct tree_digest_entry){.zxid = zxid, .version = TREE_DIGEST_VERSION, .digest = d->tree};
}

/* The tree has reached `zxid` and a snapshot said which digest it has somewhere from here on. */
static bool expected_reached(struct digest_state *d, int64_t zxid)
{
    bool differs = false;
    if (zxid == d->expected.zxid) {
        differs = d->expected.version == TREE_DIGEST_VERSION && d->expected.digest != d->tree;
        d->expecting = false;
    }
    return differs;
}

bool tree_expect_digest(struct tree *t, const struct tree_digest_entry *expected)
{
    struct digest_state *d = &t->digest;
    d->expecting = false;
    if (!t->options.digest_enabled || expected->zxid <= 0 || expected->zxid < t->last_zxid)
        return true;
    d->expecting = true;
    d->expected = *expected;
    return !expected_reached(d, t->last_zxid);
}

bool digest_after_txn(struct tree *t, int64_t zxid, const struct rec_txn_digest *digest)
{
    struct digest_state *d = &t->digest;
    if (!t->options.digest_enabled)
        return false;

    bool differs = false;
    if (d->expecting)
        differs = expected_reached(d, zxid);
    else
        history_add(d, zxid);

    /* Between the two zxids of a fuzzy snapshot the tree is not in any state a leader was in. */
    if (d->expecting || digest == NULL || digest->version != TREE_DIGEST_VERSION)
        return differs;
    return differs || (uint64_t)digest->tree_digest != d->tree;
}
