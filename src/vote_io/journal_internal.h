/* journal_internal.h: between journal.c (writing), journal_open.c (what a crash left) and
 * journal_replay.c (records carried out). */
#ifndef CAUCUS_VOTE_IO_JOURNAL_INTERNAL_H
#define CAUCUS_VOTE_IO_JOURNAL_INTERNAL_H

#include "vote_io/journal.h"

enum {
    BLOCK_HEADING_BYTES = 48,
    BLOCK_ALIGN = 4096,
    BLOCK_LAST = 1,          /* of its generation */
    AHEAD_BYTES = 256 << 10, /* zeros written at a time */
};

struct journal {
    struct files *fs;
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    int fd; /* -1 = not open */
    int failed;
    uint64_t half_bytes;
    uint64_t generation, number, oldest; /* of the next block */
    uint64_t at;                         /* in its half */
    uint64_t ahead[2];                   /* the file has something up to there, zeros perhaps */
    struct buf block;                    /* begins with room for its heading */
    uint8_t *zeros;
};

/* One that is whole. */
struct block {
    uint32_t flags;
    uint64_t generation, number, oldest;
    struct slice records;
    size_t len; /* in the file */
};

/* The error of a call that gave `rc`; poisons. */
int journal_fail(struct journal *j, struct err *err, int64_t rc, const char *what);
uint64_t journal_place(const struct journal *j, uint64_t generation, uint64_t at); /* in the file */
/* Writes what is in j->block, with its heading, and syncs. */
int journal_write(struct journal *j, uint32_t flags, struct err *err);
/* The generation after this one, which everything before it is done with. */
void journal_begin(struct journal *j, uint64_t generation);
/* false: none stands there. Any bytes are fine. */
bool journal_read_block(struct slice bytes, struct block *ret);

/* ---- journal_replay.c ---- */
struct replay;
struct replay *replay_begin(struct files *fs, const char *dir);
/* ERR_CORRUPT: a record that is none, or of a file that is not there. */
int replay_records(struct replay *r, struct slice records, struct err *err);
/* All that was changed is on disk. */
int replay_sync(struct replay *r, struct err *err);
uint64_t replay_count(const struct replay *r);
void replay_free(struct replay *r);

#endif
