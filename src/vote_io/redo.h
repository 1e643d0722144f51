/* redo.h: what a journal holds: changes of the files of replicas, as bytes and their places.
 *
 * Nothing in them depends on what is in a file, so whoever carries out a run of them, from the
 * first to the last, has the same files whatever had become of these before: nothing of the run,
 * some of it in any order, or all of it. Carried out twice they do what they did once.
 *
 *   record   kind u8 | bytes of the folder's name u8 | 0 u16 | bytes u32 | round u64 | at u64
 *            | name | bytes; big-endian */
#ifndef CAUCUS_VOTE_IO_REDO_H
#define CAUCUS_VOTE_IO_REDO_H

#include "base/buf.h"

enum {
    REDO_HEADING_BYTES = 24,
    REDO_FOLDER_BYTES_MAX = 63,
    NOTES_SLOT_BYTES = 4096,
};

enum redo_kind {
    REDO_BEGIN = 1, /* the log of `round` is new, and these bytes are all of it */
    REDO_WRITE,     /* the bytes stand at `at` in that log */
    REDO_CUT,       /* that log ends at `at` */
    REDO_NOTES,     /* the bytes are slot `at` (0, 1) of the notes */
};

struct redo {
    enum redo_kind kind;
    struct slice folder; /* beside the journal: letters, digits, '-', '_' */
    uint64_t round, at;
    struct slice bytes;
};

bool redo_folder_is_valid(struct slice name);
void redo_put(struct buf *b, const struct redo *r);
/* The first of `rest`, which then begins behind it. false: it is none. Any bytes are fine. */
bool redo_take(struct slice *rest, struct redo *ret);

/* "log-<round, 16 hex digits>" */
void redo_log_name(uint64_t round, char ret[32]);

#endif
