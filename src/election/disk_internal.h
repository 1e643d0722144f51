/* disk_internal.h: between disk.c (the loop's side) and disk_threads.c (writer and settler). */
#ifndef CAUCUS_ELECTION_DISK_INTERNAL_H
#define CAUCUS_ELECTION_DISK_INTERNAL_H

#include <pthread.h>

#include "base/list.h"
#include "election/disk.h"

/* What is to be written to one log: entry i's bytes are at persists[i].at. */
struct queue {
    struct shard_persist *persists;
    size_t count, cap;
    struct buf bytes;
};

struct disk_log {
    struct disk *disk;
    struct votelog *log;
    void *owner;
    struct list all;
    struct queue filling; /* the loop's */

    /* Under disk->lock: */
    struct queue waiting;
    struct list dirty;    /* disk->dirty: something waits */
    struct list reported; /* disk->reported: `durable` rose */
    struct list settling; /* disk->settling: its files are to be synced */
    uint64_t durable;

    /* The writer's: */
    struct queue working;
    size_t next;            /* of `working`: not taken by the votelog yet */
    struct list taken;      /* something is in `working` */
    struct list in_block;   /* disk->in_block: the journal's next block has something of it */
    struct list late;       /* disk->late: its files lack something */
    struct list in_journal; /* disk->in_journal: the journal's generation has something of it */
};

struct disk {
    struct disk_options options;
    pthread_t writer, settler;
    struct list all; /* the loop's */

    /* The writer's: */
    struct journal *journal;
    struct list in_block, late, in_journal;
    int64_t flush_by_ns; /* if something is in the block or late */

    /* Guards what follows and what the logs share; nothing is called while it is held. */
    pthread_mutex_t lock;
    pthread_cond_t work, settle, settled;
    struct list dirty, reported, settling;
    bool settler_works; /* files of the generation before the journal's are not all on disk */
    bool writer_waits;  /* for that */
    bool stopping, writer_ended;
    int status;
    struct err err;
    struct disk_report report;
};

void disk_queue_deinit(struct queue *q);
void disk_queue_move(struct queue *from, struct queue *to);

void *disk_write_all(void *disk);
void *disk_settle_all(void *disk);

#endif
