/* broadcast_format.h: what stands in the nodes of a group. Pure.
 *
 *   commit     "CBr1", i64 epoch, i64 committed, i64 proposed, i64 oldest, u32 n, n cursors
 *   a slot     "CBs1", i64 read, i64 number, messages
 *   a batch    "CBb1", i64 epoch, u32 n, n * (cursor, messages)
 *   cursor     id, i64 number
 *   messages   u32 n, n * (u32 length, bytes)
 *   id         16 bytes: the member's uuid, which in hexadecimal is the name of its slot
 *
 * Integers are big-endian. What does not fit this is refused as a whole: anybody may write there.
 * Rules: 0 <= committed <= proposed <= committed + 1 and 1 <= oldest <= proposed + 1; numbers are
 * not negative; lengths and counts are within the bounds below; nothing stands behind the end. */
#ifndef CAUCUS_RECIPES_BROADCAST_FORMAT_H
#define CAUCUS_RECIPES_BROADCAST_FORMAT_H

#include "base/buf.h"

enum {
    BROADCAST_ID_BYTES = 16,
    BROADCAST_ID_DIGITS = 32,
    BROADCAST_MEMBERS_MAX = 256,
    BROADCAST_MESSAGE_BYTES_MAX = 16 * 1024,
    BROADCAST_SUBMISSION_BYTES_MAX = 64 * 1024, /* messages of one slot, with lengths */
    BROADCAST_SUBMISSION_MESSAGES_MAX = 1024,
    BROADCAST_BATCH_BYTES_MAX = 512 * 1024, /* half of what a server takes */
    BROADCAST_BATCH_MESSAGES_MAX = 32768,   /* positions have 16 bits for them */
};

struct broadcast_id {
    uint8_t bytes[BROADCAST_ID_BYTES];
};

/* What was ordered last of a member. */
struct broadcast_cursor {
    struct broadcast_id id;
    int64_t number;
};

struct broadcast_record {
    int64_t epoch;
    int64_t committed; /* the last batch that is */
    int64_t proposed;  /* the last batch there is */
    int64_t oldest;    /* the first one that is kept */
    uint32_t cursor_count;
    struct broadcast_cursor cursors[BROADCAST_MEMBERS_MAX];
};

/* Borrows its bytes. */
struct broadcast_slot {
    int64_t read;   /* the last batch this member has accepted */
    int64_t number; /* of what it submits; with no messages: nothing */
    uint32_t message_count;
    struct slice messages; /* with their count, as they stand */
};

/* False: the name is not a slot's. */
bool broadcast_id_of(const char *name, struct broadcast_id *ret);
bool broadcast_id_is(const struct broadcast_id *a, const struct broadcast_id *b);

void broadcast_put_record(struct buf *b, const struct broadcast_record *r);
bool broadcast_read_record(struct slice s, struct broadcast_record *ret);

/* NULL: nothing was ever ordered of it. */
struct broadcast_cursor *broadcast_cursor_of(struct broadcast_record *r,
                                             const struct broadcast_id *id);

void broadcast_put_slot(struct buf *b, int64_t read, int64_t number, struct slice messages);
bool broadcast_read_slot(struct slice s, struct broadcast_slot *ret);

/* A batch is begun, submissions are added, and the number of them is put where it belongs. */
void broadcast_begin_batch(struct buf *b, int64_t epoch);
void broadcast_put_submission(struct buf *b, const struct broadcast_id *id, int64_t number,
                              struct slice messages);
void broadcast_end_batch(struct buf *b, uint32_t submissions);

/* Looks through a whole batch; false: it is none. Then its messages one by one. */
bool broadcast_check_batch(struct slice s);

struct broadcast_reader {
    struct slice rest;
    uint32_t submissions_left;
    uint32_t messages_left;
    struct broadcast_cursor by; /* who submitted the message */
    uint32_t place;             /* of the message in the batch, from 1 */
    struct slice message;
};

void broadcast_reader_init(struct broadcast_reader *r, struct slice batch);
/* False: that was the last. Batches that were checked only. */
bool broadcast_next(struct broadcast_reader *r);

#endif
