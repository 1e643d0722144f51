/* record.h: one vote, and batches of them: the bytes of a shard's log.
 *
 * A log is of one state and one round: a heading, then batches without gaps. Integers are
 * big-endian.
 *
 *   heading (88)   "CVLG" | version u32 = 1 | round u64 | state 8, padded with zeros
 *                  | SHA-256 of the configuration 32 | of the roll 32
 *   batch          "CVB1" | bytes u32, of all of it | round u64 | epoch u64 | index of the first
 *                  record u64 | records u32 | 0 u32 | chain before it 32 | records | chain 32
 *   record (80)    index u64 | index of the same voter's record before it, plus 1; 0 = none u64
 *                  | pseudonym 16 | request id 16 | salt 16 | wall clock, ms u64 | epoch u32
 *                  | candidate u16 | district u8 | revision u8
 *
 * The chain of a batch is the SHA-256 of all of it in front of the chain, so each chain names the
 * whole log before it; the one before the first batch is the SHA-256 of the heading. A batch is
 * valid if its length is what its count of records says and its chain is right. Boundaries of
 * batches are the same on every replica.
 *
 * Within an epoch its leader writes; epochs never fall along a log. */
#ifndef CAUCUS_VOTE_RECORD_H
#define CAUCUS_VOTE_RECORD_H

#include "base/buf.h"
#include "vote/voters.h"

enum {
    RECORD_BYTES = 80,
    REQUEST_ID_BYTES = 16,
    SALT_BYTES = 16,
    STATE_CODE_BYTES = 8,
    LOG_HEADING_BYTES = 88,
    BATCH_HEADING_BYTES = 72,
    BATCH_RECORDS_MAX = 8192,
    BATCH_BYTES_MAX = BATCH_HEADING_BYTES + BATCH_RECORDS_MAX * RECORD_BYTES + SHA256_BYTES,
};
/* A voter's place in the log has 32 bits (voters.h). */
#define RECORDS_MAX UINT64_C(0xfffffffe)

struct request_id {
    uint8_t bytes[REQUEST_ID_BYTES];
};

struct record {
    uint64_t index;
    uint64_t before; /* this voter's record before this one, plus 1; 0 = none */
    struct pseudonym voter;
    struct request_id request; /* all zero: the client gave none */
    uint8_t salt[SALT_BYTES];  /* so that a leaf's hash does not tell the choice */
    int64_t cast_ms;           /* wall clock; nothing is decided by it */
    uint32_t epoch;
    uint16_t candidate;
    uint8_t district;
    uint8_t revision; /* 1 = this voter's first */
};

void record_encode(const struct record *r, uint8_t ret[RECORD_BYTES]);
struct record record_decode(const uint8_t bytes[RECORD_BYTES]);

static inline struct pseudonym record_voter(const uint8_t bytes[RECORD_BYTES])
{
    struct pseudonym p;
    memcpy(p.bytes, bytes + 16, PSEUDONYM_BYTES);
    return p;
}

struct log_heading {
    uint64_t round;
    char state[STATE_CODE_BYTES];
    struct hash config, roll;
};

void log_heading_encode(const struct log_heading *h, uint8_t ret[LOG_HEADING_BYTES]);
/* false: not a heading of this version. */
bool log_heading_decode(const uint8_t bytes[LOG_HEADING_BYTES], struct log_heading *ret);
struct hash log_genesis(const struct log_heading *h); /* the chain in front of the first batch */

/* A batch as it lies in memory that somebody else owns. */
struct batch {
    uint64_t round, epoch, first;
    uint32_t count;
    struct hash before, chain;
    struct slice bytes;
};

static inline uint64_t batch_end(const struct batch *b)
{
    return b->first + b->count;
}

static inline struct slice batch_record(const struct batch *b, uint32_t i)
{
    return slice_of(b->bytes.ptr + BATCH_HEADING_BYTES + (size_t)i * RECORD_BYTES, RECORD_BYTES);
}

static inline struct slice batch_records(const struct batch *b)
{
    return slice_of(b->bytes.ptr + BATCH_HEADING_BYTES, (size_t)b->count * RECORD_BYTES);
}

/* Whole batches are written by filling a buffer: begin, records (80 bytes each), end. */
void batch_begin(struct buf *b, uint64_t round, uint64_t epoch, uint64_t first,
                 const struct hash *before);
/* Completes what begins at `at`; its records are there. */
struct batch batch_end_writing(struct buf *b, size_t at);

enum batch_verdict {
    BATCH_VALID,
    BATCH_SHORT, /* may be the beginning of one */
    BATCH_WRONG,
};
/* Looks at the beginning of `bytes`, which may be longer. Any bytes are fine. */
enum batch_verdict batch_read(struct slice bytes, struct batch *ret);

#endif
