/* files.h: the files of an export: read to their end, and written beside their hashes. */
#ifndef CAUCUS_CANVASS_FILES_H
#define CAUCUS_CANVASS_FILES_H

#include "base/buf.h"
#include "base/err.h"
#include "vote/merkle.h"

enum {
    CANVASS_PATH_BYTES_MAX = 4096,
    CANVASS_SUMS_BYTES_MAX = 1 << 20,
    CANVASS_LISTED_BYTES_MAX = 64, /* of a name in SHA256SUMS */
};

/* A whole small file; ERR_TOOBIG. The caller's to deinit, also after an error. */
int canvass_file_read(const char *path, size_t bytes_max, struct buf *ret, struct err *err);
int canvass_file_hash(const char *path, struct hash *ret, struct err *err);

/* A large one, piece by piece. */
struct canvass_reader {
    int fd;
    struct buf in; /* what is at hand: from `at` on */
    size_t at;
    bool over; /* nothing more comes */
};
int canvass_reader_open(const char *path, struct canvass_reader *ret, struct err *err);
void canvass_reader_close(struct canvass_reader *r);
/* At least `bytes` at hand, unless the file ends before. */
int canvass_reader_fill(struct canvass_reader *r, size_t bytes, struct err *err);
static inline struct slice canvass_reader_hand(const struct canvass_reader *r)
{
    return buf_part(&r->in, r->at, r->in.len - r->at);
}
static inline void canvass_reader_take(struct canvass_reader *r, size_t bytes)
{
    r->at += bytes;
}

/* A file being written, whose line in SHA256SUMS is appended to `sums`. */
struct canvass_writer {
    int fd;
    struct sha256 hash;
    char path[CANVASS_PATH_BYTES_MAX];
};
/* Nothing that is there is overwritten. */
int canvass_writer_open(const char *dir, const char *name, struct canvass_writer *ret,
                        struct err *err);
int canvass_writer_add(struct canvass_writer *w, struct slice bytes, struct err *err);
/* Syncs. Ends the writing either way. */
int canvass_writer_end(struct canvass_writer *w, const char *name, struct buf *sums,
                       struct err *err);
int canvass_write(const char *dir, const char *name, struct slice bytes, struct buf *sums,
                  struct err *err);

/* The lines of SHA256SUMS, as sha256sum writes them: 64 hex digits, two blanks, a name. */
struct canvass_sum {
    struct hash hash;
    char name[CANVASS_LISTED_BYTES_MAX];
};
/* Takes the next line off `rest`. ERR_INVALID: it is none. */
int canvass_sum_take(struct slice *rest, struct canvass_sum *ret, struct err *err);

enum {
    HASH_TEXT_BYTES = 2 * SHA256_BYTES + 1
};
void hash_text(const struct hash *h, char ret[HASH_TEXT_BYTES]);

#endif
