/* shard.h: one replica of a state's shard as a state machine: shard_step(event) -> effects.
 *
 * What counts is what /Election/<state>/Commit says. The replica with the longest-standing
 * LiveNode leads: it takes votes, writes them to its log and sends them to the others, and when
 * enough replicas have them durable it changes Commit, under the condition that nobody else did
 * and that the election is still open. Everybody counts what Commit names, and nothing else.
 * docs/ELECTION.md has the protocol and why it is safe.
 *
 * No clock, socket, file, thread, global or random source: time and seeds come in with events and
 * options, everything to be done goes out as effects, and the same events give the same effects to
 * the byte. The driver carries them out in the order shard_effects.h gives.
 *
 * Coordination. The shard asks for one thing at a time (effects.coord) and is answered by
 * SHARD_COORD, unless SHARD_DISCONNECTED or SHARD_EXPIRED comes first: then the outcome of what
 * was asked is unknown, and no answer comes. A read is synced before; the node of the nation is
 * read before, or together with, that of the state.
 *
 * Peers are the other members, by number, over links that keep order and lose nothing while they
 * are up; what was sent before a link went up never arrives after it.
 *
 * Memory: what events point to is borrowed for the step. Bounded by shard_options: a leader that
 * has pending_max records uncommitted refuses votes. One owner thread.
 * Trouble: once fx.failed is set (a disk that fails, a count that differs from Commit, a
 * coordination service that forgot) the shard answers nothing more as committed, and the driver
 * is to end it. */
#ifndef CAUCUS_VOTE_SHARD_H
#define CAUCUS_VOTE_SHARD_H

#include "vote/commit.h"
#include "vote/fault.h"
#include "vote/shard_effects.h"

/* Reads record `index` of this round's log, which is durable. A pure function of the log. false: it
 * cannot be read (the shard fails). */
typedef bool shard_read_fn(void *arg, uint64_t index, uint8_t ret[RECORD_BYTES]);

struct shard_options {
    uint32_t self;       /* member number */
    uint32_t members;    /* numbers below this one; at most SHARD_MEMBERS_MAX */
    uint32_t copies_min; /* replicas that must have a record durable before it is committed */
    char state[STATE_CODE_BYTES];
    struct hash config; /* of the configuration of the election; another one is another shard */
    uint32_t candidates, districts;
    uint64_t on_ballot;     /* bit per candidate that may be chosen in this state */
    uint8_t revisions_max;  /* votes of one voter */
    uint32_t pending_max;   /* records taken and not committed */
    int64_t commit_gap_ns;  /* between two writes of Commit; only full batches are so fast */
    int64_t follow_gap_ns;  /* between two reads of a Commit that only moves on */
    int64_t batch_gap_ns;   /* between two batches, unless one is full: the pace of everything that
                               is paid for once for many votes. Longer than commit_gap_ns, or a
                               vote waits for both. */
    int64_t quorum_wait_ns; /* without enough replicas, while others live, the leader steps back */
    int64_t fetch_wait_ns;  /* for an answer, before another member is asked */
    int64_t rejoin_wait_ns; /* at most, after having stepped back */
    int64_t yield_wait_ns;  /* at most so long no votes are taken before one leaves the lead */
    /* Bounds; SHARD_BOUNDS is what they usually are. */
    struct {
        uint32_t count_records; /* counted in one step */
        uint32_t flow_records;  /* on their way to one peer, not acknowledged */
        uint32_t entries;       /* batches remembered below what is counted; at least 1 */
        size_t bytes;           /* of batches, kept in memory */
    } bounds;
    uint64_t seed;
    uint8_t salt_key[32]; /* secret, new for each process */
    shard_read_fn *read;
    void *arg;
};

#define SHARD_BOUNDS                                                                               \
    {                                                                                              \
        .count_records = 65536, .flow_records = 4 * BATCH_RECORDS_MAX, .entries = 1024,            \
        .bytes = 16 << 20                                                                          \
    }

/* Where a batch of the log ends. */
struct shard_mark {
    uint64_t end, epoch;
    struct hash chain;
};

/* What was found on disk. All zero: nothing. */
struct shard_disk {
    uint64_t round;         /* of the log; 0 = there is none */
    struct shard_mark base; /* the marks follow it; end 0 = they are all there are */
    uint64_t base_batches;  /* up to there */
    uint64_t promised;
    /* The newest commit that was noted; base does not lie behind it. */
    uint64_t seen_round, seen_epoch, seen_index;
    const struct shard_mark *marks; /* in order; borrowed by shard_create */
    size_t mark_count;
};

struct shard;

/* Takes over the table of voters (sorted, nobody has voted). */
struct shard *shard_create(const struct shard_options *options, const struct shard_disk *disk,
                           struct voters *voters, int64_t now_ns);
void shard_free(struct shard *s);
/* Before its first round (status.round is 0): takes over another table. Afterwards that is a bug.
 */
void shard_change_roll(struct shard *s, struct voters *voters);
/* Other members have another roll, and as many as have ours, or more. A disputed replica begins no
 * round: it leaves the line of LiveNodes, when a round is to be begun at once, before after
 * quorum_wait_ns, as rolls are given to one server after the other. (In a round that has begun with
 * another roll than its own it has nothing to say anyway: the chain of its log would be another.)
 */
void shard_set_disputed(struct shard *s, bool disputed);
/* Other gaps, from the next batch and the next write of Commit on. */
void shard_set_pace(struct shard *s, int64_t batch_gap_ns, int64_t commit_gap_ns);
/* As it is in the headings of logs. */
struct hash shard_roll(const struct shard *s, uint64_t *ret_voters);

enum shard_event_type {
    SHARD_TICK,         /* time has passed (fx.deadline_ns was reached, or any time) */
    SHARD_CONNECTED,    /* the session is (again) served */
    SHARD_DISCONNECTED, /* it is not; it may still live */
    SHARD_EXPIRED,      /* it ended, and its LiveNode with it. A new one says SHARD_CONNECTED */
    SHARD_CHANGED,      /* changed: a node that is watched is not as it was, at least once */
    SHARD_COORD,        /* the answer to fx.coord */
    SHARD_PEER_UP,
    SHARD_PEER_DOWN,
    SHARD_PEER_MESSAGE,
    SHARD_DURABLE,     /* everything up to `ticket` is on disk */
    SHARD_DISK_FAILED, /* nothing will be any more */
    SHARD_CAST,
    SHARD_YIELD, /* make room in the line for member `yield_to` (shard_may_yield) */
    SHARD_ADMIT, /* give up what nobody has: `admit`. fx.admitted tells what became of it, in this
                    step or a later one */
    SHARD_SET_ASIDE, /* what status.superseded is about is in a file elsewhere, durably */
};

enum shard_node {
    SHARD_NODE_GLOBAL = 1,
    SHARD_NODE_COMMIT = 2,
    SHARD_NODE_LIVE = 4,
};

enum coord_outcome {
    COORD_OK,
    COORD_REFUSED, /* a condition did not hold: nothing was changed */
};

struct live {
    uint32_t member;
    uint64_t seat; /* the sequence number of the node */
};

/* What a read found. */
struct coord_view {
    uint64_t global_version;
    struct global global;
    uint64_t commit_version;
    const struct commit *commit; /* of round 0 before the first */
    struct live live[SHARD_LIVE_MAX];
    size_t live_count;
    uint64_t own_seat; /* of this session's own LiveNode; 0 = there is none. Seats begin at 1 */
    bool has_seal;     /* Seal/<global.round> is there */
};

struct ballot {
    uint64_t client; /* the driver's number of the request */
    uint64_t round;  /* in which it was cast, and is to be counted; 0 = in any */
    struct pseudonym voter;
    uint16_t candidate;
    struct request_id request; /* the same for every retry; all zero: none was given */
    uint8_t expect_revision;   /* 0 = any */
};

struct shard_event {
    enum shard_event_type type;
    /* Of a SHARD_CAST: another event follows before the driver sleeps. Then the vote is only taken:
     * what comes of it (a batch that is closed, sent, written) is done once for many. deadline_ns
     * says so, too. */
    bool more;
    int64_t now_ns;  /* monotonic */
    int64_t wall_ms; /* for the records' time stamps only */
    union {
        uint32_t changed;
        struct {
            enum coord_outcome outcome;
            uint64_t seat;                 /* COORD_JOIN */
            const struct coord_view *view; /* COORD_READ */
        } coord;
        struct {
            uint32_t member;
            struct slice bytes;
        } peer;
        uint64_t ticket;
        struct ballot cast;
        uint32_t yield_to;
        struct { /* of shard_kept, as people have seen it */
            uint64_t commit_version, kept;
            uint32_t lacking; /* members that said they have not what Commit names */
        } admit;
    };
};

void shard_step(struct shard *s, const struct shard_event *ev, struct shard_effects *fx);

/* What it knows; for status, metrics and tests. Borrowed until the next step. */
struct shard_status {
    bool leading, admitting, live, failed;
    uint64_t round, epoch, promised;
    uint64_t last;      /* records in the log */
    uint64_t durable;   /* of them, on disk; less than `counted` while the disk is behind */
    uint64_t committed; /* of them, as far as this replica has seen Commit */
    uint64_t counted;   /* of those */
    uint64_t commit_version;
    enum phase phase;
    const struct tally *tally; /* of `counted` records */
    struct hash chain, root;   /* of the log's end; of `counted` records */
    /* A loss was admitted of records that are in this log, or may be (it was away). The replica
     * takes no part until they are in a file elsewhere: records [superseded_from, last) of this
     * round, admitted in epoch superseded_by (0: that is not so). SHARD_SET_ASIDE then. What is
     * aside of a loss stays there: after a restart it may be asked for once more, when the log goes
     * on differently already. */
    uint64_t superseded_from, superseded_by;
};
struct shard_status shard_status(const struct shard *s);

bool shard_is_superseded(const struct shard *s);

/* What this replica has, durably, of the log that Commit names: records [0, *ret_index). Less than
 * Commit names only where that is all that can be proved: what was seen committed, or else came
 * from the leader of Commit's epoch, whose log is the one that Commit names. false: it cannot be
 * said now. */
bool shard_kept(const struct shard *s, uint64_t *ret_index, struct hash *ret_chain);

/* Of that, for who asks often: whether it leads, in which epoch (of Commit, if it does not). */
bool shard_leads(const struct shard *s, uint64_t *ret_epoch);
bool shard_is_admitting(const struct shard *s);
/* Nothing that it took as a leader waits for its commit. */
bool shard_is_idle(const struct shard *s);
/* This replica's LiveNode stands directly before that member's, which follows it if it leads, and
 * it could go to the end of the line: SHARD_YIELD. A leader then takes no votes until all that it
 * took is committed and on that member's disk, and leaves the lead to him, which costs voters no
 * more than that and the takeover; if it does not come to that in yield_wait_ns, it leads on.
 * Nobody is told UNKNOWN_RETRY for it. With only the ones directly before him giving way, that
 * member gets one place further with each, and a leader gives way but once. */
bool shard_may_yield(const struct shard *s, uint32_t to);
/* It has read Commit, holds what that names, and has counted it. */
bool shard_is_current(const struct shard *s);
/* A voter's newest record of those that are counted here; revision 0: there is none. false: not on
 * the roll, or the log cannot be read (the shard fails with the next step). */
bool shard_voter(struct shard *s, const struct pseudonym *voter, struct receipt *ret);

#endif
