/* service.h: what a server of the election does for whoever asks: voters, the committee, people
 * who look.
 *
 * The doors (REST, gRPC) translate requests into these calls and replies into their own answers;
 * they decide nothing. Behind the calls are the replicas of this process, and for states it has no
 * replica of, other servers: which is which cannot be told from outside.
 *
 * Everything is called from the one thread of the loop, and every callback runs there, exactly
 * once, never inside the call that started it. What a call is given is copied or used up before it
 * returns; what a callback is given is valid until it returns.
 *
 * Strings from outside are slices of any bytes; what is wrong with them is an outcome. */
#ifndef CAUCUS_ELECTION_SERVICE_H
#define CAUCUS_ELECTION_SERVICE_H

#include "vote/commit.h"
#include "vote/nation.h"
#include "vote/shard_effects.h"

enum {
    STATES_MAX = 64,
    SERVER_NAME_BYTES_MAX = 64,
    ADDRESS_BYTES_MAX = 272, /* HOST:PORT */
    DETAIL_BYTES_MAX = 256,
};

struct service;

/* ---- The definition of the election: fixed while the process lives ----------------------------
 */

struct candidate_info {
    const char *id;   /* "harris" */
    const char *name; /* "Kamala D. Harris" */
};

struct state_info {
    struct state_names names;
    uint32_t electors;
    uint8_t districts;
    uint64_t roll;      /* voters on it; 0 = not known here */
    uint64_t on_ballot; /* bit per candidate */
    bool divided;       /* electors by district */
    int column, row;    /* of the tile on the map, from 1; 0 = none */
};

/* Who may approve what is not undone: a loss (loss.h). */
struct approver_info {
    const char *name; /* letters, digits, ".", "_", "-" */
    uint8_t key[32];  /* public, Ed25519 */
};

enum {
    APPROVERS_MAX = 32,
};

struct election_info {
    const char *id, *title;
    const struct candidate_info *candidates;
    uint32_t candidate_count;
    const struct state_info *states; /* in alphabetical order of codes */
    uint32_t state_count;
    struct hash config;
    uint8_t signer[32]; /* the public key (Ed25519) of receipts and heads of logs */
    bool live;          /* counts may be shown before the end */
    struct approver_info approvers[APPROVERS_MAX];
    uint32_t approver_count;
    uint32_t approvals_min; /* of them; 0: nothing is approved by anybody */
};
const struct election_info *service_election(const struct service *s);
/* By code, key or name, any case. -1: no such state. */
int service_find_state(const struct service *s, struct slice name);

/* ---- Votes ------------------------------------------------------------------------------------
 */

#define CAST_OUTCOME_MAP(X)                                                                        \
    X(CAST_COMMITTED, "COMMITTED")                                                                 \
    X(CAST_DUPLICATE, "DUPLICATE") /* it was, under this request id, before */                     \
    X(CAST_NOT_STARTED, "ELECTION_NOT_STARTED")                                                    \
    X(CAST_CLOSING, "ELECTION_CLOSING") /* not taken now */                                        \
    X(CAST_CLOSED, "ELECTION_CLOSED")   /* not counted, and never will be */                       \
    X(CAST_NO_STATE, "STATE_NOT_FOUND")                                                            \
    X(CAST_NO_VOTER, "VOTER_NOT_FOUND")                                                            \
    X(CAST_NO_CANDIDATE, "UNKNOWN_CANDIDATE") /* or not on this state's ballot */                  \
    X(CAST_INVALID, "INVALID_REQUEST")                                                             \
    X(CAST_UNAUTHENTICATED, "UNAUTHENTICATED") /* no credential, or a bad one */                   \
    X(CAST_FORBIDDEN, "FORBIDDEN")             /* somebody else's credential */                    \
    X(CAST_CONFLICT, "REQUEST_ID_REUSED") /* the request id came with another choice before */     \
    X(CAST_REVISION, "REVISION_MISMATCH")                                                          \
    X(CAST_TOO_MANY, "TOO_MANY_REVISIONS")                                                         \
    X(CAST_BUSY, "BUSY")               /* nothing was taken; later */                              \
    X(CAST_UNAVAILABLE, "UNAVAILABLE") /* nothing was taken; again with the same id */             \
    X(CAST_UNKNOWN, "OUTCOME_UNKNOWN") /* maybe counted: again with the same id */

enum cast_outcome {
#define CAST_OUTCOME_ENUM(name, text) name,
    CAST_OUTCOME_MAP(CAST_OUTCOME_ENUM)
#undef CAST_OUTCOME_ENUM
    CAST_OUTCOME_COUNT
};
const char *cast_outcome_name(enum cast_outcome o);

struct cast_request {
    struct slice state, voter, candidate; /* as they were written; candidate: id or exact name */
    struct request_id request;            /* all zero: none was given */
    uint32_t expect_revision;             /* 0 = any */
    struct slice credential;              /* ptr NULL: none */
    int64_t timeout_ms;                   /* then CAST_UNKNOWN; 0 = 5,000; at most 60,000 */
};

struct cast_reply {
    enum cast_outcome outcome;
    int state;               /* -1: not known */
    struct receipt receipt;  /* of COMMITTED and DUPLICATE */
    uint32_t retry_after_ms; /* of BUSY and UNAVAILABLE */
    const char *detail;      /* one line for people; never the voter, never the choice */
};
typedef void cast_done_fn(void *arg, const struct cast_reply *reply);
void service_cast(struct service *s, const struct cast_request *request, cast_done_fn *done,
                  void *arg);

/* ---- Counts -----------------------------------------------------------------------------------
 */

/* Of the newest Commit this server has seen; linearizable: of one read after the call. */
struct state_result {
    int state;
    bool known; /* false: nothing can be said now, `why` says why; the rest is zero */
    const char *why;
    enum phase phase;
    uint64_t round, epoch, index, commit_version;
    int64_t commit_mtime_ms;
    struct hash chain, root;
    const char *leader; /* of the shard: the server's name; "" = nobody */
    bool final;         /* closed, and nothing will be added */
    uint64_t lost;      /* records that were committed and given up in this round */
    const struct tally *tally;
};
typedef void state_result_fn(void *arg, const struct state_result *result);
void service_state(struct service *s, int state, bool linearizable, state_result_fn *done,
                   void *arg);

struct national_result {
    struct global global;
    const struct state_result *states; /* service_election()->state_count of them, in order */
    struct nation nation;
    int64_t zxid; /* the counts are one snapshot, of this moment */
};

/* One read for all who ask at the same time. */
typedef void national_result_fn(void *arg, int rc, const char *detail,
                                const struct national_result *result); /* rc < 0: NULL */
void service_nation(struct service *s, national_result_fn *done, void *arg);

/* Told whenever a state's Commit or the phase of the nation (state -1, result NULL) was seen to
 * change: often, under load. Look at the newest with service_peek and pace yourself. */
typedef void service_changed_fn(void *arg, int state);
struct service_watch;
struct service_watch *service_watch(struct service *s, service_changed_fn *changed, void *arg);
void service_unwatch(struct service_watch *w);
/* The newest that is known here, at once. Valid until the loop goes on, also when other states are
 * looked at meanwhile. */
const struct state_result *service_peek(struct service *s, int state);
const struct global *service_peek_global(const struct service *s);

/* One voter's own record: whether, which revision, when; never the choice. */
struct voter_result {
    enum cast_outcome outcome; /* CAST_COMMITTED: the rest is there */
    bool voted;
    uint8_t revision;
    struct receipt receipt;
    const char *detail;
};
typedef void voter_result_fn(void *arg, const struct voter_result *result);
void service_voter(struct service *s, struct slice state, struct slice voter,
                   struct slice credential, voter_result_fn *done, void *arg);

/* ---- The log ----------------------------------------------------------------------------------
 *
 * The tree of RFC 6962 over the records of the present round of a state, for whoever wants to see
 * that it only grows and that his vote is in it. docs/ELECTION.md, section 10. */

enum log_question {
    LOG_INCLUSION,   /* the path from record `index` to the root of the first `size` */
    LOG_CONSISTENCY, /* that the first `from` of `size` records are those of the tree before */
    LOG_TILE,        /* `width` hashes of tile `index` of `level` (vote/tiles.h) */
    LOG_ENTRIES,     /* the records themselves, `width` from 256 * `index` on */
};

struct log_request {
    enum log_question what;
    int state;      /* one there is */
    uint64_t round; /* 0: the present one; no other is answered */
    uint64_t index, from, size;
    uint32_t level, width;
};

enum log_outcome {
    LOG_OK,
    LOG_NO_SENSE,    /* whatever the log is */
    LOG_NOT_THERE,   /* the log is not that long, or is of another round */
    LOG_UNAVAILABLE, /* nothing can be said now */
};

struct log_reply {
    enum log_outcome outcome;
    const char *detail;
    uint64_t round;
    struct hash root; /* of INCLUSION and CONSISTENCY: of `size` records */
    struct hash leaf; /* of INCLUSION: of the record */
    const struct hash *hashes;
    size_t count;
    struct slice entries; /* each with its length in front, two bytes */
};
typedef void log_done_fn(void *arg, const struct log_reply *reply);
void service_log(struct service *s, const struct log_request *request, log_done_fn *done,
                 void *arg);

/* The newest that is known here. false: nothing, or no round has begun. */
struct log_head {
    uint64_t round, size;
    struct hash root;
};
bool service_head(const struct service *s, int state, struct log_head *ret);

enum {
    SIGNATURE_BYTES_OF_RECEIPT = 64,
};
/* What is signed, as text, by the election's key (definition.h); the same at every server. */
void receipt_text(const struct election_info *e, int state, const struct receipt *r,
                  struct buf *ret);
void service_sign_receipt(const struct service *s, int state, const struct receipt *r,
                          uint8_t ret[SIGNATURE_BYTES_OF_RECEIPT]);
/* A head as a signed note of C2SP: what is signed, a blank line, the signature. */
void service_sign_head(const struct service *s, int state, const struct log_head *h,
                       struct buf *ret);

/* ---- The committee ----------------------------------------------------------------------------
 */

enum {
    COMMAND_DRAIN_MS_MAX = 600000,
};

enum command_verb {
    COMMAND_START,
    COMMAND_STOP,
};

#define COMMAND_OUTCOME_MAP(X)                                                                     \
    X(COMMAND_DONE, "DONE")               /* also for a repeated command id */                     \
    X(COMMAND_WRONG_PHASE, "WRONG_PHASE") /* start when open, stop when not; or another round */   \
    X(COMMAND_NOT_READY, "NOT_READY")     /* states are named in not_ready; nothing was done */    \
    X(COMMAND_UNAVAILABLE, "UNAVAILABLE") /* nothing is known to be done: ask again, same id */

enum command_outcome {
#define COMMAND_OUTCOME_ENUM(name, text) name,
    COMMAND_OUTCOME_MAP(COMMAND_OUTCOME_ENUM)
#undef COMMAND_OUTCOME_ENUM
    COMMAND_OUTCOME_COUNT
};
const char *command_outcome_name(enum command_outcome o);

struct command {
    enum command_verb verb;
    uint8_t command_id[16]; /* all zero: none was given */
    uint64_t round;         /* 0 = the next (start), the current (stop) */
    bool force;             /* start: although not_ready states are */
    bool now;               /* stop: without waiting for what was taken */
    uint32_t drain_ms; /* stop: at most this long; 0 = 10,000; COMMAND_DRAIN_MS_MAX is the most */
};
struct command_reply {
    enum command_outcome outcome;
    struct global global;
    int64_t zxid;
    const int *not_ready; /* states */
    size_t not_ready_count;
    const char *detail;
};
typedef void command_done_fn(void *arg, const struct command_reply *reply);
void service_command(struct service *s, const struct command *command, command_done_fn *done,
                     void *arg);

/* A roll that comes in pieces (text/csv as vote/roll.h has it), before the first round: checked,
 * put where rolls are, and into the replica that is here. Each server is told by itself. */
enum {
    ROLL_BYTES_MAX = 1 << 30,
};
enum roll_outcome {
    ROLL_OK,
    ROLL_WRONG,   /* the roll: `detail` names line and column. Nothing is changed, as below */
    ROLL_NOT_NOW, /* a round has begun */
    ROLL_UNAVAILABLE,
};
struct roll_reply {
    enum roll_outcome outcome;
    const char *detail;
    uint64_t voters;
    struct hash hash; /* as in the heading of a log */
};
typedef void roll_done_fn(void *arg, const struct roll_reply *reply);
struct roll_upload;
/* One at a time. Of what is begun either service_roll_end or service_roll_drop is called. */
enum roll_outcome service_roll_begin(struct service *s, int state, struct roll_upload **ret,
                                     struct err *err);
enum roll_outcome service_roll_add(struct roll_upload *u, struct slice piece, struct err *err);
void service_roll_end(struct roll_upload *u, roll_done_fn *done, void *arg);
void service_roll_drop(struct roll_upload *u);
/* What is in force in the replica here; false: there is none. */
bool service_roll(const struct service *s, int state, uint64_t *ret_voters, struct hash *ret);

/* Every replica of a state counts its log again from its files. */
struct replica_recount {
    const char *server;
    bool known; /* false: it did not answer; why in `detail` */
    uint64_t index;
    struct hash chain, root;
    const struct tally *tally;
    bool agrees; /* with Commit (or the seal) */
    const char *detail;
};
struct recount_reply {
    int state;
    bool agree; /* all members answered, and all agree */
    const char *verdict;
    const struct replica_recount *replicas;
    size_t replica_count;
};
typedef void recount_done_fn(void *arg, const struct recount_reply *reply);
void service_recount(struct service *s, int state, recount_done_fn *done, void *arg);

/* Votes that are committed and that no server has any more (docs/ELECTION.md, section 14). */
#define LOSS_OUTCOME_MAP(X)                                                                        \
    X(LOSS_OK, "OK")                                                                               \
    X(LOSS_NOTHING, "NOTHING_LOST")        /* nothing is to be given up; why in `detail` */        \
    X(LOSS_INVALID, "INVALID_REQUEST")     /* a document that cannot be read */                    \
    X(LOSS_NOT_APPROVED, "NOT_APPROVED")   /* not by as many as must have signed it */             \
    X(LOSS_NOT_AS_SIGNED, "NOT_AS_SIGNED") /* something is not as it was; nothing was changed */   \
    X(LOSS_UNAVAILABLE, "UNAVAILABLE")     /* nothing was changed; later */                        \
    X(LOSS_UNKNOWN, "OUTCOME_UNKNOWN")     /* maybe done: ask what is lost now */

enum loss_outcome {
#define LOSS_OUTCOME_ENUM(name, text) name,
    LOSS_OUTCOME_MAP(LOSS_OUTCOME_ENUM)
#undef LOSS_OUTCOME_ENUM
    LOSS_OUTCOME_COUNT
};
const char *loss_outcome_name(enum loss_outcome o);

struct loss_notice;
struct loss_reply {
    int state;
    enum loss_outcome outcome;
    const char *detail;
    /* Of LOSS_OK: what would be given up, or is now; the text of it that is signed (loss.h). */
    const struct loss_notice *notice;
    struct slice text;
};
typedef void loss_done_fn(void *arg, const struct loss_reply *reply);
/* What would have to be given up now, for votes to be taken again. */
void service_loss(struct service *s, int state, loss_done_fn *done, void *arg);
/* Gives it up, if `document` (loss.h) says the same, and enough people have signed it. It cannot be
 * undone. */
void service_admit_loss(struct service *s, int state, struct slice document, loss_done_fn *done,
                        void *arg);

/* ---- Servers ----------------------------------------------------------------------------------
 */

struct replica_info {
    uint32_t member;
    const char *server;      /* name */
    const char *rest, *grpc; /* addresses; "" = none */
    bool live, leading;
    bool known; /* what follows is: of replicas of this process */
    uint64_t epoch, last, committed, counted;
};
/* Members of a state's shard; returns how many were written to ret. */
size_t service_replicas(const struct service *s, int state,
                        struct replica_info ret[SHARD_MEMBERS_MAX]);

/* Whether every replica of this process has read what it must, and serves. *ret_why: what is
 * missing. */
bool service_is_ready(const struct service *s, const char **ret_why);
/* Told in a turn in which that has changed. One listens; NULL: nobody any more. */
typedef void service_ready_fn(void *arg);
void service_on_ready(struct service *s, service_ready_fn *changed, void *arg);
const char *service_server_name(const struct service *s);

/* Metrics in Prometheus' text form, appended. */
void service_metrics(const struct service *s, struct buf *out);
/* A door's own, behind them. One has some; NULL: nobody any more. */
typedef void service_metrics_fn(void *arg, struct buf *out);
void service_more_metrics(struct service *s, service_metrics_fn *put, void *arg);

#endif
