/* disk.h: the threads that make what all replicas of this process persist durable.
 *
 *   loop:    disk_put ... disk_put, disk_submit                      once per turn
 *   writer:  take all that waits, over all logs -> one block of the journal, one sync -> on_report
 *   loop:    (woken) disk_poll -> SHARD_DURABLE to each whose ticket rose
 *   writer:  the logs' own files, from memory: when nothing has come for a moment, and at least
 *            ten times a second. Then room for the journal's next blocks
 *   settler: when half of the journal is full: syncs the files of the logs that are in it, with
 *            pauses in between unless the writer waits for it
 *
 * So one sync serves all that waits, whatever the number of logs, and what comes while the disk is
 * busy collects. Only when the other half is full before the settler is done the writer waits for
 * it.
 * Threads: all functions belong to the loop's thread; on_report is called on the others and may
 * only wake it. Memory: bytes are copied by disk_put.
 *
 * Bound: nothing is refused, as a shard bounds what it has uncommitted. Errors: after a failed
 * write or sync nothing is tried again and nothing becomes durable any more: the process is to
 * end, since what it has acknowledged is all that can be relied on. */
#ifndef CAUCUS_ELECTION_DISK_H
#define CAUCUS_ELECTION_DISK_H

#include "vote_io/journal.h"
#include "vote_io/votelog.h"

struct disk;
struct disk_log;

struct disk_options {
    void (*on_report)(void *arg); /* a thread's */
    void *arg;
};

struct disk_report {
    uint64_t syncs, sync_ns_sum, sync_ns_max; /* of the journal, since the start; the longest */
    uint64_t bytes;                           /* taken */
    size_t queued_bytes;                      /* put, not durable */
};

/* The journal's owner is the writer until disk_stop returns. Aborts when the system gives no
 * thread. */
struct disk *disk_start(struct journal *j, const struct disk_options *options);
/* Writes what was submitted, and ends. Unless something failed, the logs' files have all of it
 * then, and are on disk: the journal has nothing that is needed. Frees the logs' queues, not the
 * votelogs. */
void disk_stop(struct disk *d);

/* The votelog is written by the writer from here on; `owner` comes with its tickets. */
struct disk_log *disk_add(struct disk *d, struct votelog *log, void *owner);
void disk_put(struct disk_log *l, const struct shard_persist *p, struct slice bytes);
void disk_submit(struct disk *d);

/* A log whose durable ticket rose since the last call; NULL: no more. */
void *disk_poll(struct disk *d, uint64_t *ret_ticket);
/* 0, or the error that ended it. */
int disk_status(struct disk *d, struct err *err);
void disk_get_report(struct disk *d, struct disk_report *ret);

#endif
