/* shard_effects.h: what a step of a shard wants done, as data.
 *
 * The driver carries effects out in this order: persists, sends, coord, answers. What must be
 * durable before something leaves is a number beside it: a send waits until the ticket `after` is
 * durable, and is dropped if the process dies before. Bytes stand in one arena and are named by
 * offset. The driver empties effects after carrying them out (shard_effects_clear). */
#ifndef CAUCUS_VOTE_SHARD_EFFECTS_H
#define CAUCUS_VOTE_SHARD_EFFECTS_H

#include "vote/commit.h"

enum {
    SHARD_MEMBERS_MAX = 7,
    SHARD_LIVE_MAX = 16,
};

/* In order; after a crash a prefix of them has happened, at least up to the last ticket that was
 * reported durable. */
enum shard_persist_type {
    SHARD_PERSIST_ROUND,    /* a new log of round `value`; bytes: its heading. The old one stays */
    SHARD_PERSIST_APPEND,   /* bytes: a batch */
    SHARD_PERSIST_TRUNCATE, /* records from index `value` on go; a boundary of batches */
    SHARD_PERSIST_PROMISE,  /* value: epoch */
    SHARD_PERSIST_SEEN,     /* value: index; round, epoch: of the commit that was seen */
};

struct shard_persist {
    enum shard_persist_type type;
    uint64_t ticket; /* rising */
    uint64_t value, round, epoch;
    size_t at, len;
};

struct shard_send {
    uint32_t member;
    uint64_t after; /* ticket; 0 = now */
    size_t at, len;
    /* Not 0: committed batches of the log of `round` from index `log_from` on, whole ones, at most
     * up to log_until and as many as fit in a message, are to follow the bytes. */
    uint64_t log_until, log_from, round;
};

enum coord_type {
    COORD_NOTHING,
    COORD_READ,
    COORD_JOIN,     /* create the LiveNode */
    COORD_LEAVE,    /* delete it */
    COORD_COMMIT,   /* write Commit, if its version and that of the nation's node are these */
    COORD_TAKEOVER, /* the same, if moreover the own LiveNode `seat` is there */
    COORD_SEAL,     /* create Seal/<round>; if it is there it stays (COORD_OK) */
    COORD_ADMIT,    /* as COORD_COMMIT, and create Loss/<epoch of it>: all or nothing */
};

struct coord_request {
    enum coord_type type;
    uint64_t commit_version, global_version, seat;
    struct commit commit; /* to be written */
};

enum answer_type {
    ANSWER_COMMITTED,
    ANSWER_DUPLICATE, /* it was, under this request id, before */
    ANSWER_NOT_STARTED,
    ANSWER_CLOSING, /* no new votes: it was not taken. Whether it was before is known after the end
                     */
    ANSWER_CLOSED,  /* not counted in receipt.round, and never will be */
    ANSWER_NO_VOTER,
    ANSWER_NO_CANDIDATE,
    ANSWER_CONFLICT,      /* the request id came with another choice before */
    ANSWER_REVISION,      /* the voter's revision is not the one before the expected */
    ANSWER_TOO_MANY,      /* revisions */
    ANSWER_BUSY,          /* too many are pending; nothing was taken */
    ANSWER_NOT_LEADER,    /* ask `leader` */
    ANSWER_UNAVAILABLE,   /* nothing was taken; try again */
    ANSWER_UNKNOWN_RETRY, /* taken, and perhaps counted: ask again with the same request id */
    ANSWER_ROUND_OVER,    /* the ballot is for a round before this one: it was not taken now */
    ANSWER_TYPE_END,
};

struct receipt {
    uint64_t round, epoch, index;
    uint8_t revision;
    struct hash leaf;
    /* The newest commit the replica knows, which holds the record. */
    uint64_t commit_version, tree_size;
    struct hash root;
};

struct answer {
    uint64_t client;
    enum answer_type type;
    int32_t leader;         /* of ANSWER_NOT_LEADER; -1 = not known */
    struct receipt receipt; /* of COMMITTED and DUPLICATE; of CLOSED the round */
};

/* What became of a SHARD_ADMIT. */
enum shard_admitted {
    ADMIT_NOTHING,
    ADMIT_DONE,
    ADMIT_REFUSED, /* it is not as the event says; nothing was changed */
    ADMIT_UNKNOWN, /* the service was lost: Commit tells */
};

struct shard_effects {
    struct shard_persist *persists;
    size_t persist_count, persist_cap;
    struct shard_send *sends;
    size_t send_count, send_cap;
    struct answer *answers;
    size_t answer_count, answer_cap;
    struct coord_request coord;
    enum shard_admitted admitted;
    uint32_t drop_peers; /* bit per member whose link is to be closed: it does not make sense */
    const char *failed;  /* not NULL: why the shard is over; static */
    struct buf bytes;
    int64_t deadline_ns; /* when SHARD_TICK is wanted next; INT64_MAX = not at all */
};

void shard_effects_clear(struct shard_effects *fx);
void shard_effects_deinit(struct shard_effects *fx);

#endif
