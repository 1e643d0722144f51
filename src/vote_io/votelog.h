/* votelog.h: the disk of one replica: carries out what a shard wants persisted
 * (vote/shard_effects.h).
 *
 * A folder holds
 *   log-<round, 16 hex digits>   a heading and batches, as vote/record.h has them
 *   notes                        two slots of 4096 bytes, the valid one with the greater number
 * counts: "CVN1" | 0 u32 | number u64 | round u64 | promised u64 | seen round, epoch, index u64
 * each | SHA-256 of this 32
 *
 * What was written is durable when votelog_sync returns; the order is kept: after a crash a prefix
 * of what was written is there. A slot is overwritten only while the other one is on disk, so a
 * torn one costs what it was to say and nothing before. SEEN is written after a sync of the log it
 * speaks of, and not waited for.
 *
 * Opening reads the newest log through, hash by hash. What does not fit at its end is a write that
 * was cut short, never acknowledged, and is cut off; but what is known to have been committed has
 * to be there, and nothing whole may stand behind what is not: that is damage, and refused.
 *
 * Threads. One writes (votelog_write, votelog_sync); another may read at the same time
 * (votelog_read, votelog_batches) what has been reported durable. A read does not wait for a sync.
 * Errors: ERR_IO, ERR_NOSPACE, ERR_CORRUPT with the file and the place; a failed write or sync
 * poisons the log, later calls return ERR_POISONED. */
#ifndef CAUCUS_VOTE_IO_VOTELOG_H
#define CAUCUS_VOTE_IO_VOTELOG_H

#include "vote/shard.h"

struct votelog;

/* The folder is made if it is not there. */
int votelog_open(const char *dir, struct votelog **ret, struct err *err);
void votelog_close(struct votelog *l); /* NULL is fine; syncs nothing */

/* What was found; for shard_create. Valid until votelog_close. */
const struct shard_disk *votelog_found(const struct votelog *l);
uint64_t votelog_bytes_cut(const struct votelog *l); /* off the end, on opening */

int votelog_write(struct votelog *l, const struct shard_persist *p, struct slice bytes,
                  struct err *err);
/* What was written is on its way to the disk. Of many logs that are synced one after the other,
 * each then waits for what all of them have begun, and not for its own writes alone: half the time.
 */
int votelog_push(struct votelog *l, struct err *err);
/* *ret_ticket: everything up to it is on disk. */
int votelog_sync(struct votelog *l, uint64_t *ret_ticket, struct err *err);

/* A shard_read_fn; arg is the struct votelog. */
bool votelog_read(void *arg, uint64_t index, uint8_t ret[RECORD_BYTES]);
/* Appends whole batches from index `from`, where one begins, up to `until`, at least one and not
 * more than bytes_max if it can be helped. ERR_NOTFOUND: none begins there, or other round. */
int votelog_batches(struct votelog *l, uint64_t round, uint64_t from, uint64_t until,
                    size_t bytes_max, struct buf *ret, struct err *err);

#endif
