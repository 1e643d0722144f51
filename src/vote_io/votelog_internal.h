/* votelog_internal.h: between votelog.c (writing, reading) and votelog_open.c (what a crash left).
 */
#ifndef CAUCUS_VOTE_IO_VOTELOG_INTERNAL_H
#define CAUCUS_VOTE_IO_VOTELOG_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "vote_io/votelog.h"

enum {
    SLOT_BYTES = 4096,
    NOTES_BYTES = 88, /* with the hash */
    PATH_BYTES_MAX = 4096,
    WRITE_BYTES = 1 << 20, /* collected before they are written */
};

/* Where a batch lies. */
struct place {
    uint64_t first, offset;
};

struct votelog {
    /* Guards everything below between the thread that writes and the one that reads; given up while
     * a sync is waited for. Descriptors and notes are changed by the writing one alone. */
    pthread_mutex_t lock;
    char dir[PATH_BYTES_MAX];
    int dir_fd, notes_fd, log_fd; /* -1 = not open */
    int failed;
    bool unsynced; /* the log has what may not be on disk */

    struct shard_disk found;
    struct shard_mark *marks;
    size_t mark_cap;
    uint64_t bytes_cut;

    /* The log of found.round, as it was written. */
    struct place *places;
    size_t place_count, place_cap;
    uint64_t end;    /* records */
    uint64_t size;   /* bytes in the file */
    struct buf late; /* what comes behind, not written yet */

    /* The notes. */
    uint64_t number; /* of the newest slot */
    int hard;        /* the slot that is on disk; the other one may be written */
    bool seen_late;  /* SEEN is to be written when the log is on disk that it speaks of */
    uint64_t promised, seen_round, seen_epoch, seen_index, round;
    uint64_t ticket;
};

/* The error that errno names; poisons the log. */
int votelog_fail(struct votelog *l, struct err *err, const char *what);
/* fdatasync, without the lock; -1 = it failed. */
int votelog_sync_file(struct votelog *l, int fd);
bool votelog_write_all(int fd, const uint8_t *p, size_t len, uint64_t at);
/* Less than asked for only at the end of the file; -1 = it failed. */
ssize_t votelog_read_up_to(int fd, uint8_t *p, size_t len, uint64_t at);
void votelog_add_place(struct votelog *l, uint64_t first, uint64_t offset);
void votelog_name(uint64_t round, char ret[32]);

/* ---- votelog_notes.c ---- */
/* Reads them, or makes empty ones; what they say is in `l`. */
int notes_open(struct votelog *l, struct err *err);
int notes_write(struct votelog *l, bool sync, struct err *err);

#endif
