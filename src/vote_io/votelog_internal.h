/* votelog_internal.h: between votelog.c (writing), votelog_read.c, votelog_notes.c and
 * votelog_open.c (what a crash left). */
#ifndef CAUCUS_VOTE_IO_VOTELOG_INTERNAL_H
#define CAUCUS_VOTE_IO_VOTELOG_INTERNAL_H

#include <pthread.h>

#include "vote_io/redo.h"
#include "vote_io/votelog.h"

enum {
    NOTES_BYTES = 88, /* with the hash */
    FOLDER_PATH_BYTES = 3072,
    FILE_PATH_BYTES = FOLDER_PATH_BYTES + 64,
};

/* Where a batch lies. */
struct place {
    uint64_t first, offset;
};

/* What the file is still to be told. */
enum owed {
    OWED_NOTHING,
    OWED_LATER, /* the journal does not have it yet, so the file must not */
    OWED,
};

struct votelog {
    /* Guards everything below between the threads that write, sync and read; given up while a sync
     * is waited for. */
    pthread_mutex_t lock;
    struct files *fs;
    char dir[FOLDER_PATH_BYTES];
    struct slice folder; /* its last part */
    int failed;
    int notes_fd, log_fd; /* -1 = not open */
    uint64_t log_round;   /* of log_fd */
    int syncing_fd;       /* -1 = none: who syncs it without the lock closes it if it is let go */
    uint64_t *old_rounds; /* whose logs are closed and not synced yet */
    size_t old_count;
    bool new_name; /* in the folder, which was not synced since */
    bool unsynced; /* the log has what may not be on disk */

    struct shard_disk found;
    struct shard_mark *marks;
    size_t mark_cap;
    uint64_t bytes_cut;

    /* The log of `round`, as it was written. */
    struct place *places;
    size_t place_count, place_cap;
    uint64_t end; /* records */

    /* Its file: `size` bytes, once it was begun and cut as it is to be, and behind them `late`, of
     * which the journal has late_safe. */
    enum owed begin, cut;
    uint8_t heading[LOG_HEADING_BYTES];
    uint64_t size;
    struct buf late;
    size_t late_safe;
    uint64_t sent; /* of `size`, what is on its way to the disk already */

    /* The notes. */
    uint64_t number; /* of the newest */
    uint64_t promised, seen_round, seen_epoch, seen_index, round;
    uint8_t notes_now[NOTES_BYTES]; /* the newest, if notes_later */
    uint8_t
        notes_safe[NOTES_BYTES]; /* the newest that the journal has, if notes_owed to the file */
    bool notes_later, notes_owed;
    int hard; /* the slot that is on disk; the other one may be written */

    uint64_t ticket;
};

/* The error of a call that gave `rc`; poisons the log. */
int votelog_fail(struct votelog *l, struct err *err, int64_t rc, const char *what);
int votelog_poisoned(const struct votelog *l, struct err *err);
void votelog_path(const struct votelog *l, const char *name, char ret[FILE_PATH_BYTES]);
int votelog_write_at(struct votelog *l, int fd, const uint8_t *p, size_t len, uint64_t at);
void votelog_add_place(struct votelog *l, uint64_t first, uint64_t offset);

/* ---- votelog_notes.c ---- */
/* Reads them, or makes empty ones; what they say is in `l`. */
int notes_open(struct votelog *l, struct err *err);
/* As they are now, for the journal. */
void notes_change(struct votelog *l, struct buf *redo);
/* They are on disk when it returns. Gives up the lock meanwhile. */
int notes_sync(struct votelog *l, const uint8_t p[NOTES_BYTES], struct err *err);

#endif
