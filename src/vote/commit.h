/* commit.h: what stands in the nodes of the coordination service: the words that count.
 *
 *   /Election/Global/Commit        struct global: round and phase of the nation
 *   /Election/<state>/Commit       struct commit: what of the state's log counts
 *   /Election/<state>/Seal/<round> struct commit again, written once: the end of a round
 *   /Election/<state>/Loss/<epoch> why Commit went back in that epoch: what was signed, and by whom
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

/* Commit went back once, in its round: what only disks had that are gone was given up by word of
 * people (docs/ELECTION.md, section 14). */
struct loss {
    uint64_t epoch;    /* of the Commit that admits it */
    uint64_t from, to; /* records before and after: those in [to, from) are given up */
    uint64_t batches;  /* up to `to` */
    struct hash chain; /* of the log up to `to` */
};

enum {
    LOSSES_MAX = 4, /* in a round */
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
    uint32_t loss_count;
    struct loss losses[LOSSES_MAX]; /* the newest last */
};

/* Bounds what may be read: 176 bytes, 8 for each cell, 64 for each loss. */
enum {
    GLOBAL_BYTES = 88,
    LOSS_BYTES = 64,
    COMMIT_BYTES_MAX = 176 + 8 * TALLY_CELLS_MAX + LOSS_BYTES * LOSSES_MAX,
};

void global_encode(const struct global *g, struct buf *b);
bool global_decode(struct slice bytes, struct global *ret);
void commit_encode(const struct commit *c, struct buf *b);
bool commit_decode(struct slice bytes, struct commit *ret);

/* The last word of a round: SHA-256(chain || "CLOSE"). */
struct hash commit_closing(const struct commit *c);
/* Records that were committed in the round and given up. */
uint64_t commit_lost(const struct commit *c);
/* Whether they say the same of the round's votes, whoever wrote them. */
bool commit_same_result(const struct commit *a, const struct commit *b);

#endif
