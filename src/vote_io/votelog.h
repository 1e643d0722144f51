/* votelog.h: the disk of one replica: carries out what a shard wants persisted
 * (vote/shard_effects.h).
 *
 * A folder holds
 *   log-<round, 16 hex digits>   a heading and batches, as vote/record.h has them
 *   notes                        two slots of 4096 bytes, the valid one with the greater number
 * counts: "CVN1" | 0 u32 | number u64 | round u64 | promised u64 | seen round, epoch, index u64
 * each | SHA-256 of this 32
 *
 * Nothing is made durable here in the first place: that is the journal's (journal.h), one for all
 * folders of a process. What is to be persisted goes
 *
 *   votelog_write   into memory, and as redo records into the journal's next block
 *   votelog_safe    when that block is on disk: now it is durable, and may go to the files
 *   votelog_flush   into the files
 *   votelog_sync    to the disk from there, after which the journal need not have it any more
 *
 * and nothing reaches a file before the journal has it. So a crash leaves the files behind the
 * journal, in whatever state, and journal_open brings them to its end before votelog_open reads
 * them. Between two syncs of the notes only one slot of theirs is written.
 *
 * Opening reads the newest log through, hash by hash. What does not fit at its end is a write that
 * was cut short, never acknowledged, and is cut off; but what is known to have been committed has
 * to be there, and nothing whole may stand behind what is not: that is damage, and refused.
 *
 * Threads. One writes (votelog_write, votelog_safe), another may sync; any may flush, and read
 * (votelog_read, votelog_batches) what has been reported durable. A read does not wait for a sync,
 * and finds what is not in the files yet. Who reads the files themselves flushes before.
 * Errors: ERR_IO, ERR_NOSPACE, ERR_CORRUPT with the file and the place; a failed write or sync
 * poisons the log, later calls return ERR_POISONED. */
#ifndef CAUCUS_VOTE_IO_VOTELOG_H
#define CAUCUS_VOTE_IO_VOTELOG_H

#include "io/file.h"
#include "vote/shard.h"

struct votelog;

/* The folder is made if it is not there; its name is a valid one (redo.h). */
int votelog_open(struct files *fs, const char *dir, struct votelog **ret, struct err *err);
void votelog_close(struct votelog *l); /* NULL is fine; writes nothing */

/* What was found; for shard_create. Valid until votelog_close. */
const struct shard_disk *votelog_found(const struct votelog *l);
uint64_t votelog_bytes_cut(const struct votelog *l); /* off the end, on opening */

enum {
    VOTELOG_WAITS = 1, /* nothing was taken: a new round begins when all before it is safe */
};
int votelog_write(struct votelog *l, const struct shard_persist *p, struct slice bytes,
                  struct buf *redo, struct err *err);
/* The journal has all that was written. Returns its last ticket. */
uint64_t votelog_safe(struct votelog *l);
int votelog_flush(struct votelog *l, struct err *err);
/* What is safe when it is called is on disk, without the journal, when it returns. */
int votelog_sync(struct votelog *l, struct err *err);

/* A shard_read_fn; arg is the struct votelog. */
bool votelog_read(void *arg, uint64_t index, uint8_t ret[RECORD_BYTES]);
/* Appends whole batches from index `from`, where one begins, up to `until`, at least one and not
 * more than bytes_max if it can be helped. ERR_NOTFOUND: none begins there, or other round. */
int votelog_batches(struct votelog *l, uint64_t round, uint64_t from, uint64_t until,
                    size_t bytes_max, struct buf *ret, struct err *err);

#endif
