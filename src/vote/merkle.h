/* merkle.h: the tree of RFC 6962 over the records of a round: append-only, and provably so.
 *
 * A leaf is SHA-256(0x00 || record), a node SHA-256(0x01 || left || right); the tree of no leaves
 * has the hash of nothing. Growing takes the hashes of the complete subtrees alone (the peaks), so
 * a tree of four thousand million leaves is a struct of one kilobyte that is copied by assignment.
 * Proofs need inner hashes of the past: whoever keeps them is asked through merkle_source. */
#ifndef CAUCUS_VOTE_MERKLE_H
#define CAUCUS_VOTE_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sha256.h"
#include "base/slice.h"

enum {
    MERKLE_LEVELS_MAX = 40,                   /* leaves < 2^40 */
    MERKLE_PROOF_MAX = MERKLE_LEVELS_MAX + 1, /* hashes */
};

struct hash {
    uint8_t bytes[SHA256_BYTES];
};

static inline bool hash_eq(const struct hash *a, const struct hash *b)
{
    return memcmp(a->bytes, b->bytes, SHA256_BYTES) == 0;
}

/* A zeroed one is the empty tree. */
struct merkle {
    uint64_t size;
    struct hash peaks[MERKLE_LEVELS_MAX]; /* [k]: of 2^k leaves, where bit k of size is set */
};

struct hash merkle_leaf(struct slice record);
void merkle_push(struct merkle *m, const struct hash *leaf);
struct hash merkle_root(const struct merkle *m);

/* The hash of the leaves [place << level, (place + 1) << level), all of which exist. */
typedef struct hash merkle_source(void *arg, int level, uint64_t place);

/* Root of the first `size` leaves. */
struct hash merkle_root_at(uint64_t size, merkle_source *source, void *arg);

/* The path from leaf `index` to the root of `size` leaves; index < size. Returns its length. */
size_t merkle_inclusion(uint64_t index, uint64_t size, merkle_source *source, void *arg,
                        struct hash ret[MERKLE_PROOF_MAX]);
/* What shows that the first `from` of `to` leaves are those of the earlier tree; 0 < from <= to.
 */
size_t merkle_consistency(uint64_t from, uint64_t to, merkle_source *source, void *arg,
                          struct hash ret[MERKLE_PROOF_MAX]);

/* Checks of what others say: any input is fine, false if it proves nothing. */
bool merkle_included(const struct hash *leaf, uint64_t index, uint64_t size,
                     const struct hash *path, size_t count, const struct hash *root);
bool merkle_consistent(uint64_t from, const struct hash *from_root, uint64_t to,
                       const struct hash *to_root, const struct hash *path, size_t count);

#endif
