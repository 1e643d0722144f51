/* world.h: replicas of one shard, their disks, the links between them, the coordination service and
 * the people who vote, as a model that is changed by one action at a time.
 *
 * The explorer (explore.c) tries every action that is possible, the simulator (simulate.c) draws
 * them. Whatever happens is judged at once by check.c. */
#ifndef CAUCUS_VOTE_WORLD_H
#define CAUCUS_VOTE_WORLD_H

#include "blob.h"
#include "vote/shard.h"

/* Small ones are copied faster. */
#ifndef WORLD_REPLICAS_MAX
#define WORLD_REPLICAS_MAX 3
#endif
#ifndef WORLD_QUEUE_MAX
#define WORLD_QUEUE_MAX 16
#endif
#ifndef WORLD_BATCHES_MAX
#define WORLD_BATCHES_MAX 16
#endif
#ifndef WORLD_VOTES_MAX
#define WORLD_VOTES_MAX 16
#endif
enum {
    WORLD_VOTERS_MAX = 32,
    WORLD_CANDIDATES = 3,
};

struct queue {
    const struct blob *items[WORLD_QUEUE_MAX];
    uint32_t count;
};

/* What is on a disk, or on its way there. */
struct disk_op {
    enum shard_persist_type type;
    uint64_t ticket, value, round, epoch;
    const struct blob *bytes;
};
struct disk {
    uint64_t round, promised;
    uint64_t seen_round, seen_epoch, seen_index;
    const struct blob *batches[WORLD_BATCHES_MAX];
    uint64_t ends[WORLD_BATCHES_MAX];
    uint32_t batch_count;
    struct disk_op pending[WORLD_QUEUE_MAX];
    uint32_t pending_count;
};

struct held_send {
    uint64_t after;
    uint32_t to;
    const struct blob *bytes;
};

struct request {
    bool valid;
    uint32_t session;
    struct coord_request what;
    /* Disks that had what it names when it was asked for: those that are still there, and others.
     */
    uint32_t held, gone;
};

struct result {
    bool valid;
    enum coord_outcome outcome;
    uint64_t seat;
    bool is_read;
    struct coord_view view;
    struct commit commit;
};

/* A process: its shard, its session, and what is between it and the coordination service. */
struct replica {
    bool up;
    struct shard *shard;
    uint32_t lives; /* processes so far */
    int64_t now_ns, deadline_ns;
    uint64_t ticket_durable;
    struct disk disk;
    struct held_send held[WORLD_QUEUE_MAX];
    uint32_t held_count;

    bool connected;
    uint32_t session;            /* 0 = none; as the process knows it */
    uint32_t old_session;        /* of the process before, which may live on for a while */
    struct request asked, ghost; /* ghost: of a connection that was lost */
    struct result result;
    uint32_t changed; /* nodes, not told yet */
    /* When check.c looked last. */
    uint64_t was_counted, was_round, was_committed;
    /* A SHARD_ADMIT waits for its outcome: what people had seen. */
    bool admitting;
    uint64_t admit_version, admit_kept;
};

struct coord {
    uint64_t global_version, commit_version;
    struct global global;
    struct commit commit;
    struct {
        uint32_t session, member;
        uint64_t seat;
    } live[SHARD_LIVE_MAX];
    uint32_t live_count;
    uint64_t seat_last;
    uint32_t session_last;
    uint32_t ended[32]; /* sessions, as a set of bits */
    bool has_seal;      /* of global.round */
    uint64_t seal_round;
    struct commit seal;
};

/* One who votes, and asks again until it is known what became of it. */
struct vote {
    uint8_t voter, candidate;
    uint16_t request;                          /* votes with the same number are retries */
    uint64_t round;                            /* 0 = not sent yet */
    uint32_t sent;                             /* times */
    bool told_committed, told_closed, settled; /* settled: any other final answer */
    bool lost;                                 /* told_committed once, and given up */
    uint64_t index;                            /* of told_committed */
};

/* What was committed in this round, by the model's own reading. */
struct committed {
    uint64_t round;
    uint64_t given_up_by; /* epoch of the loss that ended it; 0 = it is what counts */
    struct {
        uint8_t voter, candidate;
        uint16_t request;
    } records[WORLD_VOTES_MAX];
    uint32_t count;
    struct hash chains[WORLD_VOTES_MAX + 1]; /* of commits at that index; zero = none */
    bool at_boundary[WORLD_VOTES_MAX + 1];
    struct hash leaves[WORLD_VOTES_MAX];
};

struct world_options {
    uint32_t replicas, copies_min, voters;
    int64_t commit_gap_ns, batch_gap_ns, follow_gap_ns, quorum_wait_ns;
    bool more;  /* votes are only taken, and what comes of them done by the tick that follows */
    bool tight; /* the shards' bounds are so small that they are met all the time */
    uint32_t faults;
    uint64_t seed;
};

struct world {
    struct world_options options;
    struct replica replicas[WORLD_REPLICAS_MAX];
    struct queue links[WORLD_REPLICAS_MAX][WORLD_REPLICAS_MAX]; /* [from][to] */
    bool link_up[WORLD_REPLICAS_MAX][WORLD_REPLICAS_MAX];       /* [a][b], a < b */
    struct coord coord;
    struct vote votes[WORLD_VOTES_MAX];
    uint32_t vote_count;
    struct committed committed;
    struct committed lost[LOSSES_MAX]; /* as it was before each loss of this round */
    uint32_t lost_count;
    uint32_t holders; /* disks that have what Commit names */
    struct {          /* batches that superseded replicas put aside in this round */
        uint32_t member;
        const struct blob *batch;
    } aside[WORLD_BATCHES_MAX];
    uint32_t aside_count;
    /* Not yet committed batches of disks that are gone: who asked for their commit had seen them
     * there. */
    const struct blob *gone[WORLD_BATCHES_MAX];
    uint32_t gone_count;
    uint64_t index_at[64]; /* of Commit, by version: the newest of them */
    uint64_t commits, answers, actions, wipes, admissions, asides;
    struct answer last_answer;
    bool trace; /* each action is printed */
    bool full;  /* a queue of the model overflowed: the run proves nothing beyond */
    char violation[400];
};

enum action_type {
    ACTION_CONNECT, /* a: (re)connects; notices there that its session is over */
    ACTION_PROCESS, /* the service does what a asked for */
    ACTION_RESULT,  /* ... and a hears of it */
    ACTION_CHANGED, /* a hears that something changed */
    ACTION_GHOST,   /* the service does what a asked for on a connection that was lost */
    ACTION_DELIVER, /* the next message from a to b */
    ACTION_SYNC,    /* a's disk has everything */
    ACTION_TIMEOUT, /* a's clock reaches what it waits for */
    ACTION_LINK_UP, /* between a and b */
    ACTION_RESTART, /* a */
    /* What goes wrong, or is done by people: bounded by the explorer, drawn by the simulator. */
    ACTION_DISCONNECT, /* a from the service; what it asked for may still happen */
    ACTION_EXPIRE,     /* the service ends a's session (b 1: its predecessor's); a does not know */
    ACTION_LINK_DOWN,  /* between a and b; what is under way is lost */
    ACTION_CRASH,      /* a; b of the writes that were not durable have happened */
    ACTION_CAST,       /* vote b is sent to a */
    ACTION_PHASE,      /* the committee: b is the enum phase that comes next */
    ACTION_YIELD,      /* a is asked to make room for b, who stands directly behind it */
    ACTION_WIPE,       /* a, which is down, gets another disk: an empty one */
    ACTION_ADMIT,      /* people ask a, and whom it is linked to, and admit that the rest is lost */
    ACTION_ASIDE,      /* what a has of a loss is in a file elsewhere */
    ACTION_TYPE_COUNT,
};

struct action {
    enum action_type type;
    uint32_t a, b;
};

void world_init(struct world *w, const struct world_options *options);
void world_deinit(struct world *w);
/* A copy that lives on its own. */
void world_copy(struct world *to, const struct world *from);
uint64_t world_fingerprint(const struct world *w);

/* Whether it can happen now. */
bool world_can(const struct world *w, const struct action *a);
void world_do(struct world *w, const struct action *a);
void world_violate(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Does what is possible and nobody's fault, in a fixed order, until nothing is left to do or so
 * many actions were done; with timeouts when nothing else is left. Returns how many. */
uint32_t world_settle(struct world *w, bool timeouts, uint32_t actions_max);
void action_text(const struct action *a, char *ret, size_t cap);
/* No disk has what Commit names. */
bool world_out_of_reach(const struct world *w);
/* When that is so and nothing else is left to do, people admit it. false: it is not, or they
 * cannot.
 */
bool world_admit(struct world *w);

/* Numbers of voters, as their pseudonyms. */
struct pseudonym world_pseudonym(uint32_t voter);
int32_t world_voter_of(const struct pseudonym *p);
struct request_id world_request_id(uint16_t number);

/* The log of a replica as it will be when its disk has done everything; batch blobs. */
uint32_t world_log(const struct replica *r,
                   const struct blob *ret[WORLD_BATCHES_MAX + WORLD_QUEUE_MAX],
                   uint64_t *ret_round);

bool world_session_ended(const struct coord *c, uint32_t session);
/* What a read of that session finds; without commit. */
void world_view(const struct world *w, uint32_t session, struct coord_view *v);
bool world_linked(const struct world *w, uint32_t a, uint32_t b);

/* ---- plant.c ---- */
uint32_t plant_named(const char *name); /* 0 = there is none */
void plants_print(void);

/* ---- check.c ---- */
void check_asked(struct world *w, uint32_t replica, struct request *r);
void check_commit_written(struct world *w, const struct commit *before, const struct request *r);
void check_persist(struct world *w, uint32_t replica, const struct shard_persist *p,
                   struct slice bytes);
void check_answer(struct world *w, uint32_t replica, const struct answer *a);
/* SHARD_SET_ASIDE is about to be given. */
void check_aside(struct world *w, uint32_t replica);
void check_wiped(struct world *w, uint32_t replica);
bool check_disk_holds(const struct disk *d, const struct commit *c);
void check_world(struct world *w);   /* after each action */
void check_settled(struct world *w); /* when everything works again and nothing is left to do */

/* ---- copy.c: a shard inside ---- */
struct shard *shard_copy(const struct shard *s, void *arg);
uint64_t shard_fingerprint(const struct shard *s);

#endif
