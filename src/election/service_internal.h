/* service_internal.h: the service's state, and who of its files does what.
 *
 *   service.c       life, turns of the loop, what others say
 *   replica.c       one shard: events in, effects out
 *   cast.c          a vote's way to whoever leads its state, and its answer's back
 *   cast_wire.c     the same between servers
 *   questions.c     what servers ask each other
 *   pulse.c         whether a server that is not heard any more is dead
 *   balance.c       no server leads most of the states
 *   pace.c          for how long votes are collected
 *   results.c       counts, replicas, commands, watches
 *   recount.c       counting again from files
 *   losses.c        what no server has any more, and is given up
 *   aside.c         what was given up and came back is kept elsewhere
 *   voter.c         one voter's own record, credentials
 *   proofs.c        the tree over the log: inclusion, consistency, tiles
 *   roll_upload.c   rolls that come over the network
 *   sign.c          signatures of receipts and of heads of logs
 *   metrics.c       numbers
 */
#ifndef CAUCUS_ELECTION_SERVICE_INTERNAL_H
#define CAUCUS_ELECTION_SERVICE_INTERNAL_H

#include "base/list.h"
#include "election/coordination.h"
#include "election/disk.h"
#include "election/links.h"
#include "election/server.h"
#include "vote/shard.h"

enum {
    CASTINGS_MAX = 262144, /* under way at once; more are refused */
    WHEEL_SLOTS = 512,
    WHEEL_SLOT_NS = 16 * 1000 * 1000,
    CAST_BUCKETS = 24, /* of latencies */
};

/* What servers say to each other (links.h). */
enum {
    FRAME_HOSTS = LINK_OWN_FRAMES, /* state u16 | member u32: a replica runs here */
    FRAME_SHARD,                   /* state u16 | message (vote/message.h) */
    FRAME_CAST,                    /* cast_wire.c */
    FRAME_ANSWER,
    FRAME_ASK, /* questions.c */
    FRAME_TELL,
    FRAME_LEADS, /* state u16 | epoch u64: the replica that runs here leads now */
};

/* ---- replica.c ---- */

struct held_send {
    uint64_t after;
    uint64_t link; /* goes over this link or not at all */
    uint8_t *bytes;
    size_t len;
};

struct replica {
    struct service *service;
    int state;
    char dir[4096];
    struct votelog *log;
    struct disk_log *disk;
    struct voters roll;                      /* until the shard has it */
    struct coordination_shard *coordination; /* NULL: not begun, or handed over */
    struct shard *shard;                     /* NULL: which member this is is not known yet */
    uint32_t member;
    bool stepping;
    struct shard_effects fx;
    uint64_t durable;
    int64_t deadline_ns;
    struct link *links[SHARD_MEMBERS_MAX]; /* not NULL: SHARD_PEER_UP was said */
    struct held_send *held;                /* in order of `after`: [held_at, held_count) */
    size_t held_at, held_count, held_cap;
    struct buf frame;

    bool leading; /* as last seen, for the log */
    uint64_t epoch;
    uint64_t leader_changes;

    /* balance.c: who should lead, and since when he stands in line where he does. */
    int32_t preferred;
    uint64_t preferred_seat;
    int64_t preferred_since_ns;
    uint32_t hand_backs;

    bool roll_differs,
        roll_disputed; /* another member's is another; not more than half have ours */

    /* What is committed is on no disk that can be reached (F12): told, since it has been so for a
     * while; when it will have been, 0 = it is not so. */
    bool out_of_reach;
    int64_t out_of_reach_ns;

    struct admission *admission; /* under way in the shard; NULL: none */
    struct aside *aside;         /* a file is being written; NULL: none */
    int64_t aside_at_ns;         /* not before: there was no room */
};

int replica_open(struct service *s, int state, struct replica **ret, struct err *err);
void replica_free(struct replica *r);
/* Asks which member it is. */
void replica_begin(struct replica *r);
void replica_step(struct replica *r, struct shard_event *ev);
void replica_durable(struct replica *r, uint64_t ticket);
/* The log's file has what is durable of it, for who reads the file. */
void replica_flush(struct replica *r);
/* Whoever of its members can be heard and could not, or the other way round. */
void replica_look_at_links(struct replica *r);
void replica_link_down(struct replica *r, const struct link *l);
void replica_message(struct replica *r, const struct link *l, struct slice bytes);
/* Whether the other members have the same roll. */
void replica_look_at_rolls(struct replica *r);
void replica_tell_hosts(const struct replica *r, struct link *l); /* and whether it leads */

/* ---- cast.c ---- */

struct casting {
    struct list at; /* in the wheel, in `again`, in `finished`, or free */
    uint32_t place, generation;
    int state;
    struct ballot ballot; /* client: generation << 32 | place */
    int64_t begun_ns, deadline_ns, wake_ns;
    uint32_t tries;
    int32_t leader; /* as somebody said; -1 = nobody */
    bool used;
    bool asleep;      /* in the wheel */
    bool outstanding; /* somebody has it and will answer */
    bool maybe;       /* somebody had it, and what became of it is not known */
    uint64_t to_link; /* 0: it is here */
    cast_done_fn *done;
    void *arg;
    uint64_t from_link, from_id; /* from another server: instead of `done` */
    enum answer_type answer;     /* of a finished one that came from another server */
    enum cast_outcome outcome;
    struct receipt receipt;
};

struct castings {
    struct casting **chunks; /* of CASTING_CHUNK each: they never move */
    size_t chunk_count;
    size_t used;
    struct list free, again, finished;
    struct list wheel[WHEEL_SLOTS];
    size_t waiting; /* in the wheel */
    int64_t tick;
    int32_t route[STATES_MAX]; /* the member that led last; -1 = not known */
    /* The newest leaders as they themselves, and as Commit, told; those of `news` are new. */
    uint64_t led_epoch[STATES_MAX], commit_epoch[STATES_MAX], news;
    uint64_t random;
    uint64_t outcomes[CAST_OUTCOME_COUNT];
    uint64_t latency[CAST_BUCKETS], latency_ns_sum;
    uint64_t forwarded, retried;
};

void castings_init(struct service *s);
void castings_deinit(struct service *s);
/* From another server. */
void cast_forwarded(struct service *s, struct link *from, uint64_t id, int state,
                    const struct ballot *ballot, int64_t timeout_ms);
/* Of an attempt: by the shard here, or by another server (link not 0). */
void cast_answered(struct service *s, uint64_t link, const struct answer *a);
void cast_link_down(struct service *s, uint64_t link);
/* Somebody leads: what waits for that waits no longer, what an earlier leader has is lost. */
void cast_led(struct service *s, int state, int32_t member, uint64_t epoch);
void cast_commit(struct service *s, int state, int32_t member, uint64_t epoch);
/* None that is under way waits longer. */
void cast_hurry(struct service *s, int64_t deadline_ns);
void cast_turn(struct service *s); /* what was postponed; then the answers */
int64_t cast_deadline(const struct service *s);
bool cast_has_more(const struct service *s);

/* ---- cast_wire.c ---- */
void cast_send(struct service *s, struct link *to, const struct casting *c);
void cast_send_answer(struct link *to, uint64_t id, const struct answer *a);
void cast_on_frame(struct service *s, struct link *from, struct slice body);
void cast_on_answer(struct service *s, struct link *from, struct slice body);

/* ---- questions.c ---- */

enum question {
    QUESTION_RECOUNT,
    QUESTION_VOTER,
    QUESTION_LOG,
    QUESTION_KEPT,
    QUESTION_ADMIT,
};

/* NULL bytes: there was no answer; `why`. */
typedef void question_done_fn(void *arg, struct slice answer, const char *why);
void question_ask(struct service *s, const char *server, enum question kind, struct slice body,
                  int64_t timeout_ms, question_done_fn *done, void *arg);
void question_on_ask(struct service *s, struct link *from, struct slice body);
void question_on_tell(struct service *s, struct link *from, struct slice body);
/* link 0: whoever asked is gone, this is dropped. */
void question_answer(struct service *s, uint64_t link, uint64_t id, struct slice body);
void question_link_down(struct service *s, uint64_t link);
void questions_end(struct service *s); /* nobody waits for an answer any more */
void question_turn(struct service *s);
int64_t question_deadline(const struct service *s);

/* ---- pulse.c ---- */
void pulse_feel(struct service *s, const struct link *l); /* which is down */
void pulse_turn(struct service *s);
int64_t pulse_deadline(const struct service *s);
void pulses_end(struct service *s);

/* ---- pace.c ---- */
void pace_init(struct service *s);
int64_t pace_full_gap_ns(const struct service *s);
int64_t pace_gap_ns(int64_t full_gap_ns, uint32_t busy); /* while so many states take votes */
void pace_tell(struct replica *r);                       /* its shard, the gaps as they are now */
void pace_turn(struct service *s);

/* ---- balance.c ---- */
void balance_init(struct service *s);
void balance_changed(struct service *s); /* who is in line, or a member, or the phase */
void balance_turn(struct service *s);
int64_t balance_deadline(const struct service *s);

/* ---- recount.c, voter.c: answers to questions ---- */
void recount_question(struct service *s, uint64_t link, uint64_t id, struct slice body);
/* Those under way are answered; their threads end by and by, and touch nothing of the service. */
void recounts_end(struct service *s);
void voter_question(struct service *s, uint64_t link, uint64_t id, struct slice body);

/* ---- losses.c ---- */
void kept_question(struct service *s, uint64_t link, uint64_t id, struct slice body);
void admit_question(struct service *s, uint64_t link, uint64_t id, struct slice body);
/* What became of what the shard was told to give up. */
void loss_admitted(struct replica *r, enum shard_admitted what);
void losses_end(struct replica *r); /* nobody will hear of it any more */

/* ---- aside.c ---- */
void aside_look(struct replica *r); /* after a step */
void aside_end(struct replica *r);

/* ---- proofs.c ---- */
void log_question(struct service *s, uint64_t link, uint64_t id, struct slice body);
/* The replica's log went back: what was read of it is not so any more. */
void proofs_forget(struct service *s, int state);
/* Those under way are answered; the thread of one ends by and by, and touches nothing of ours. */
void proofs_end(struct service *s);
void proofs_free(struct service *s);

/* ---- roll_upload.c ---- */
void roll_upload_end(struct service *s);

/* ---- voter.c ---- */
/* CAST_COMMITTED: it is his. */
enum cast_outcome voter_check(struct service *s, int state, struct slice voter,
                              struct slice credential);

/* ---- results.c ---- */
void results_changed(struct service *s, int state, uint32_t changes);

/* ---- the service ---- */

struct service {
    struct service_options options;
    const struct definition *definition;
    struct loop *loop;
    struct server_identity self;
    uint64_t life;
    int lock_fd;
    struct coordination *coordination; /* NULL: not begun, or over */
    bool coordination_ready, told_ready, closing, failed;
    char trouble[256];
    struct links *links;
    struct journal *journal;
    struct disk *disk;
    struct replica *replicas[STATES_MAX]; /* NULL: none here */
    /* Whose server said over its link that it runs there; NULL: it cannot be heard. */
    struct link *hosts[STATES_MAX][SHARD_MEMBERS_MAX];
    struct hmac_key pseudonyms[STATES_MAX], credentials[STATES_MAX];
    struct castings castings;
    struct list questions, watches;
    bool telling;     /* watches are being told */
    struct list jobs; /* of other threads, for recounts */
    size_t job_count;
    struct list pulses;
    struct {
        int64_t at_ns; /* when it is looked at next */
        int64_t hand_back_ns;
        int64_t between_ns; /* nobody gives way before */
        int handed;         /* the state whose next leader is waited for; -1: none */
        uint64_t handed_epoch;
        int64_t handed_until_ns;
    } balance;
    struct {
        int64_t at_ns;  /* when it is looked at next */
        int64_t gap_ns; /* between two batches of a state */
        uint64_t seen[STATES_MAX];
    } pace;
    struct { /* who reads the nation; results.c */
        struct list waiting, reading;
        bool is_reading;
    } nation;
    struct list proofs;                  /* in order */
    struct proof *proving;               /* on a thread; NULL: none */
    struct log_tiles *tiles[STATES_MAX]; /* NULL: nobody has asked */
    bool tiles_are_old[STATES_MAX];
    struct roll_upload *upload; /* NULL: none */
    struct list later;          /* calls that wait for the end of the turn */
    uint64_t last_question;
    struct tally empty[STATES_MAX]; /* of a round that a state has not begun */
    struct state_result peeked[STATES_MAX];

    service_ready_fn *ready_changed;
    void *ready_arg;
    bool was_ready;
    service_metrics_fn *more_metrics;
    void *more_metrics_arg;

    void (*closed)(void *arg);
    void *closed_arg;
    int64_t close_at_ns;
};

void service_fail(struct service *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
int64_t service_now_ns(const struct service *s);

/* `run` at the end of this turn, or of the next. */
typedef void later_fn(void *arg);
void service_later(struct service *s, later_fn *run, void *arg);

const char *service_member_name(const struct service *s, int state, int32_t member); /* NULL */

#endif
