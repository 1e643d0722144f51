/* journal.h: one file in which all replicas of a process make durable what their shards persist.
 *
 * A process has a folder for each of up to 51 replicas (votelog.h). Syncing as many files one
 * after the other takes 25 ms on a disk that syncs one in 1 ms, and everybody waits for all of
 * them. So what waits, of all replicas, becomes one block of the journal, with one write and one
 * sync, and is durable. The folders' own files are written later and synced in the background; then
 * the journal need not have it any more. (Others: the files synced by twelve threads, 11 ms;
 * syncfs, 7 ms, and it writes what anybody has left in the page cache.)
 *
 *   file     two halves of half_bytes, written in turn
 *   half     blocks of one generation, each at a multiple of 4096 bytes, the rest not looked at.
 *            Generation g is in half g % 2. They rise by one and never come again
 *   block    "CVJ1" | flags u32: 1 = the generation's last | generation u64 | its number in the
 *            generation, from 0, u64 | oldest generation needed u64 | bytes of records u32 | 0 u32
 *            | XXH3 of these 40 bytes and the records u64 | records (redo.h) | zeros; big-endian
 *
 * What recovery relies on
 *
 * 1. A block is written when the one before it is on disk. So behind what cannot be read no block
 *    of the same generation can be: else it is not the last write, cut short by a crash, that is
 *    passed over, but damage, which is refused with file and place. (Bit rot in the very last block
 *    cannot be told from a write that was cut short, as in every log; SEEN in the notes and the
 *    other replicas know of what was committed.)
 * 2. What stood in a half before has another generation in each block, under the checksum, and is
 *    never taken for new.
 * 3. Nothing reaches a file of a replica before the journal has it, and a generation is overwritten
 *    only after all files were synced that it changed: journal_turn writes a last block that says
 *    `oldest` = this generation before the other half is touched. If the first block of the next
 *    one is torn, this generation alone is carried out; if it is there, `oldest` says whether this
 *    one is needed.
 * 4. Records are changes of bytes at places (redo.h). Whatever had reached the files of what is in
 *    the journal, in whatever order, carrying out all of it, oldest first, gives the files as they
 *    were to be at its end: also where a log was cut and written again, began anew, or the process
 *    was killed while it carried out the journal. Nothing is brought back that was cut, as the cut
 *    is in the journal behind what it took.
 *
 * A folder without a journal is as it was before there were journals: one is made.
 *
 * One owner thread. Memory: a block's. Errors: as in votelog.h; a failed write or sync poisons. */
#ifndef CAUCUS_VOTE_IO_JOURNAL_H
#define CAUCUS_VOTE_IO_JOURNAL_H

#include "base/buf.h"
#include "io/file.h"

enum {
    JOURNAL_HALF_BYTES = 32 << 20, /* as usual: some seconds of a busy server */
};

struct journal;

struct journal_found {
    uint64_t records; /* carried out */
    bool torn;        /* the last write was cut short */
};

/* dir/journal; half_bytes is a multiple of 4096, the same for the file's life. Brings the files of
 * the folders in `dir` up to the journal's end, and to the disk, before it returns. */
int journal_open(struct files *fs, const char *dir, uint64_t half_bytes, struct journal **ret,
                 struct journal_found *ret_found, struct err *err);
void journal_close(struct journal *j); /* NULL is fine; writes nothing */

/* Where records are put for the next block. */
struct buf *journal_block(struct journal *j);
bool journal_block_is_full(const struct journal *j); /* put no more, commit */
/* Whether it fits; otherwise journal_turn comes first. */
bool journal_has_room(const struct journal *j);
/* The block is on disk when it returns. ERR_TOOBIG: it fits nowhere. */
int journal_commit(struct journal *j, struct err *err);

/* Room for what comes next, written as zeros and synced, so that the sync of a block need not wait
 * for it: to be done when nobody waits for one. Wanted: as much as the half has blocks, at most a
 * quarter of it. */
bool journal_wants_ahead(const struct journal *j);
int journal_go_ahead(struct journal *j, struct err *err); /* a piece of it */

/* All files that generations before this one changed are on disk. */
void journal_settled(struct journal *j);
bool journal_is_settled(const struct journal *j);
/* Goes over to the other half; it is settled. */
int journal_turn(struct journal *j, struct err *err);
/* All files are on disk and nothing follows: the next journal_open has nothing to carry out. */
int journal_finish(struct journal *j, struct err *err);

#endif
