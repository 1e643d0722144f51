/* log_tiles.h: the tree over a replica's log of a round, and its records, from the file.
 *
 * Made when somebody asks for the first proof, and grown when more is asked for; 32 bytes and a
 * place of 16 for each 256 records stay in memory, and the leaves of two tiles. Only committed
 * records are ever asked for, so what was read stays true.
 *
 * Blocks on the disk: for a thread, one at a time. */
#ifndef CAUCUS_ELECTION_LOG_TILES_H
#define CAUCUS_ELECTION_LOG_TILES_H

#include "base/err.h"
#include "vote/record.h"
#include "vote/tiles.h"

enum {
    LOG_TILES_STEP = 65536, /* records that are read in one step, about */
};

struct log_tiles;

/* `path`: of the log's file; copied. */
struct log_tiles *log_tiles_create(const char *path, uint64_t round);
void log_tiles_free(struct log_tiles *t); /* NULL is fine */
uint64_t log_tiles_round(const struct log_tiles *t);

/* Reads on, one step. 1: the tree has `size` leaves; 0: not yet. ERR_IO, ERR_CORRUPT. */
int log_tiles_grow(struct log_tiles *t, uint64_t size, struct err *err);

/* What follows is about leaves that are there; false: they cannot be read. */
bool log_tiles_root(struct log_tiles *t, uint64_t size, struct hash *ret);
bool log_tiles_inclusion(struct log_tiles *t, uint64_t index, uint64_t size,
                         struct hash ret[MERKLE_PROOF_MAX], size_t *ret_count);
bool log_tiles_consistency(struct log_tiles *t, uint64_t from, uint64_t size,
                           struct hash ret[MERKLE_PROOF_MAX], size_t *ret_count);
bool log_tiles_hashes(struct log_tiles *t, int level, uint64_t place, size_t count,
                      struct hash ret[TILE_WIDTH]);
/* Appends `count` records from index `first` on, which is where a tile begins; each with its length
 * in front, two bytes. */
bool log_tiles_entries(struct log_tiles *t, uint64_t first, size_t count, struct buf *ret);

#endif
