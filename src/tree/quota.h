/* quota.h: limits on subtrees (Quotas, StatsTrack, DataTree.updateQuotaStat).
 *
 * The quota of /a/b is the pair of znodes /zookeeper/quota/a/b/zookeeper_limits and
 * .../zookeeper_stats. The first says what is allowed, the second what is used. Usage is written by
 * each server for itself, outside of transactions: the version and mzxid of the stats node do not
 * move. There is no index beside the tree: /zookeeper/quota is the trie that ZooKeeper keeps as
 * PathTrie.
 *
 * Text form, both nodes: "count=4,bytes=5=;byteHardLimit=10;countHardLimit=10". -1 = no limit. */
#ifndef CAUCUS_TREE_QUOTA_H
#define CAUCUS_TREE_QUOTA_H

#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum {
    QUOTA_PAIRS_MAX = 16
};

/* StatsTrack. Keys borrow the parsed text. */
struct quota_track {
    struct {
        struct slice key;
        int64_t value;
    } pairs[QUOTA_PAIRS_MAX];
    size_t count;
};

/* Pairs that are not "key=number" are left out (ZooKeeper throws there), as is what follows the
 * 16th. */
void quota_track_parse(struct quota_track *q, struct slice text);
void quota_track_put(const struct quota_track *q, struct buf *out); /* appends the text */

/* -1 when absent. Keys: "count", "bytes", "countHardLimit", "byteHardLimit". */
int64_t quota_track_get(const struct quota_track *q, const char *key);
void quota_track_set(struct quota_track *q, const char *key, int64_t value); /* key: static text */

struct tree;

/* The deepest quota that `path` stands under (getMaxPrefixWithQuota): its limits and its stats
 * node, the latter NULL when missing. False when there is none; a quota on "/" is none. */
struct quota_nodes {
    struct znode *limits;
    struct znode *stats;
    struct slice prefix; /* of `path` */
};
bool tree_quota_of(const struct tree *t, struct slice path, struct quota_nodes *ret_nodes);

#endif
