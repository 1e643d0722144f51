/* tiles.h: what has to be kept of a tree that grows, so that proofs are made in time.
 *
 * Hashes of whole subtrees of 256, 256^2, ... leaves: a 250th of all of them. Those in between are
 * made of them, or of the leaves of one tile, which are read again. Tiles are those of C2SP's
 * tlog-tiles: level 0 are the leaves, each 256 hashes of a level are one of the next.
 *
 * Pure; one owner at a time. */
#ifndef CAUCUS_VOTE_TILES_H
#define CAUCUS_VOTE_TILES_H

#include "vote/merkle.h"

enum {
    TILE_LEVEL_BITS = 8,
    TILE_WIDTH = 1 << TILE_LEVEL_BITS,
    TILE_LEVELS = MERKLE_LEVELS_MAX / TILE_LEVEL_BITS, /* with that of the leaves */
};

struct tile_level {
    struct hash *hashes; /* of whole tiles of the level below */
    size_t count, cap;
    struct merkle growing; /* of the level below: what is in the tile that is not whole */
};

/* A zeroed one is that of the empty tree. */
struct tiles {
    uint64_t size;
    struct tile_level levels[TILE_LEVELS]; /* [0] is not kept: leaves are read again */
};

void tiles_deinit(struct tiles *t);
void tiles_push(struct tiles *t, const struct hash *leaf);

/* Hashes of the leaves of tile `place` of level 0: as many as are wanted, at most TILE_WIDTH. */
typedef bool tiles_leaves_fn(void *arg, uint64_t place, size_t count, struct hash *ret);

/* A merkle_source; arg: this. `failed` once leaves could not be read: what was made is worthless.
 */
struct tiles_source {
    const struct tiles *tiles;
    tiles_leaves_fn *leaves;
    void *arg;
    bool failed;
};
struct hash tiles_hash(void *source, int level, uint64_t place);

/* The `count` first hashes of a tile. false: the tree does not have them, or failed. */
bool tiles_tile(struct tiles_source *s, int level, uint64_t place, size_t count, struct hash *ret);

#endif
