/* commit.h: what stands in the nodes of the coordination service: the words that count.
 *
 *   /Election/Global/Commit        struct global: round and phase of the nation
 *   /Election/<state>/Commit       struct commit: what of the state's log counts
 *   /Election/<state>/Seal/<round> struct commit again, written once: the end of a round
 *
 * A record of the log is committed when Commit names an index above it, and not before. Decoding
 * takes any bytes; what does not decode is damage, or of another version. */
#ifndef CAUCUS_VOTE_COMMIT_H
#define CAUCUS_VOTE_COMMIT_H

#include "vote/tally.h"

enum phase {
    PHASE_IDLE,
    PHASE_OPEN,    /* votes are taken */
    PHASE_CLOSING, /* no new ones; what was taken is committed */
    PHASE_CLOSED,  /* nothing can be committed any more */
    PHASE_COUNT,
};

struct global {
    uint64_t round;
    enum phase phase;
    struct hash config;     /* of the round's configuration */
    uint8_t command_id[16]; /* of the command that led here */
    int64_t opened_ms, closed_ms;
    uint32_t drain_ms; /* CLOSING: it takes at most so long */
};

struct commit {
    uint64_t round;
    uint64_t epoch;
    uint32_t leader; /* member number */
    uint64_t seat;   /* sequence of the leader's LiveNode: tells its lives apart */
    uint64_t index;  /* records that are committed */
    uint64_t bytes, batches;
    struct hash chain; /* of the log up to index */
    struct hash root;  /* of the tree of size index */
    uint32_t holders;  /* bit per member that had it durable; at least copies_min of them */
    bool sealed;       /* the leader will add nothing to this round */
    struct tally tally;
};

/* Bounds what may be read: 176 bytes and 8 for each cell. */
enum {
    GLOBAL_BYTES = 88,
    COMMIT_BYTES_MAX = 176 + 8 * TALLY_CELLS_MAX,
};

void global_encode(const struct global *g, struct buf *b);
bool global_decode(struct slice bytes, struct global *ret);
void commit_encode(const struct commit *c, struct buf *b);
bool commit_decode(struct slice bytes, struct commit *ret);

/* The last word of a round: SHA-256(chain || "CLOSE"). */
struct hash commit_closing(const struct commit *c);
/* Whether they say the same of the round's votes, whoever wrote them. */
bool commit_same_result(const struct commit *a, const struct commit *b);

#endif
