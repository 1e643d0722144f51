/* shard_internal.h: the state of a shard, and who of its files does what.
 *
 *   shard.c         one step; what to ask the coordination service for next
 *   shard_view.c    what a read of it means
 *   shard_lead.c    votes, batches, Commit
 *   shard_stream.c  the leader's side of the links
 *   shard_follow.c  the others' side: appends, probes, fetching
 *   shard_log.c     the log as the shard knows it
 *   shard_count.c   counting what is committed
 *   shard_loss.c    what nobody has any more is given up
 */
#ifndef CAUCUS_VOTE_SHARD_INTERNAL_H
#define CAUCUS_VOTE_SHARD_INTERNAL_H

#include "base/map.h"
#include "vote/message.h"
#include "vote/shard.h"

/* A batch of the log. The bytes are kept while they may be wanted: until they are durable and
 * counted, and by a leader while others may lack them; then the log itself is read. */
struct entry {
    struct shard_mark mark;
    uint64_t first;
    uint64_t ticket; /* 0 = was there from the beginning */
    uint8_t *bytes;  /* owned; NULL = in the log only */
    size_t len;
};

/* entries[0, count) follow `base`, the last one ends the log. */
struct shard_log {
    uint64_t round;
    struct shard_mark base;
    uint64_t base_batches; /* up to there */
    struct entry *entries;
    size_t count, cap;
    size_t bare;  /* so many of the first have no bytes */
    size_t bytes; /* of the others */
};

struct waiter {
    uint64_t client, index;
};

struct peer {
    bool up;
    bool greeted; /* hello holds what it said on this link */
    struct message hello;
    /* While this replica leads: */
    bool streaming;
    uint64_t next;  /* record to be sent next */
    uint64_t match; /* known to be durable there; 0 = not told yet */
    uint64_t flow;  /* what is between it and `next` is under way */
};

struct shard {
    struct shard_options options;
    const char *failed;
    int64_t now_ns, wall_ms;
    uint64_t random;

    /* The disk. */
    struct shard_log log;
    uint64_t ticket_last, ticket_durable;
    uint64_t promised, promised_noted; /* noted: on disk, or in the log */
    int32_t promised_to; /* whose word it was; -1 = Commit's, or an earlier process' */
    uint64_t seen_round, seen_epoch, seen_index; /* noted on disk */

    /* The coordination service. */
    bool connected, stale; /* stale: there may be something new to read */
    int64_t moved_at_ns;   /* Commit moved on, to be read then; INT64_MAX = it did not */
    int64_t read_ns;       /* when it was last asked for */
    bool known;            /* view was filled in once */
    enum coord_type asked; /* COORD_NOTHING: nothing is outstanding */
    struct coord_view view;
    struct commit commit;      /* view.commit's own */
    uint64_t committed;        /* of our log, known to be as Commit has it */
    uint64_t diverged_version; /* of Commit, when it named a log that is not ours */
    uint64_t fetched;          /* up to here the log is as another member has it committed */

    /* The count of `count.tree.size` records. */
    struct voters voters;
    struct hash roll_hash;
    struct count count;

    /* Leading. */
    bool leading;
    uint64_t epoch; /* of this leadership */
    struct hmac_key salts;
    uint64_t attempted; /* epoch that a takeover of this seat asked for; 0 = none */
    uint64_t attempted_seat;
    struct commit proposal; /* what the outstanding COORD_COMMIT or COORD_TAKEOVER writes */
    struct buf open;        /* the batch that is being filled; empty = none */
    struct map recent;      /* place in the table + 1 -> last record not yet counted, plus 1 */
    struct waiter *waiters;
    size_t waiter_count, waiter_cap;
    struct peer peers[SHARD_MEMBERS_MAX];
    int64_t commit_at_ns; /* the next write of Commit not before */
    int64_t batch_at_ns;  /* the next batch not before, unless it is full */
    int64_t
        progress_ns; /* when something was last known to have enough copies, or nothing waited */

    /* Following. */
    uint64_t streamed_epoch; /* the leader of it sends, and it fits; 0 = nobody */
    uint32_t streamed_by;
    struct message greeting; /* the last HELLO, as sent */
    int32_t greeted;         /* to whom on this link; -1 = nobody */
    bool fetching;
    uint32_t fetch_tries;
    int64_t fetch_until_ns;
    int64_t behind_since_ns; /* first in line and not able to lead; INT64_MAX = that is not so */
    int64_t rejoin_at_ns;
    bool disputed;       /* the roll */
    int64_t disputed_ns; /* since then */

    /* Losses (shard_loss.c). */
    bool superseded; /* what is beyond superseder.to may be what Commit names no more */
    struct loss superseder;
    bool goes_back; /* it is, and is known here as committed beyond back_to.to */
    struct loss back_to;
    uint64_t aside_epoch; /* of the newest loss of which that is in a file; 0 = none in this life */
    bool admitting;       /* a SHARD_ADMIT waits for its answer */
    uint64_t admit_version, admit_kept;
    uint32_t admit_lacking;

    int32_t yield_to; /* who is to lead instead; -1 = nobody */
    int64_t yield_until_ns;

    uint32_t faults;
};

/* ---- effects ---- */
uint64_t shard_persist(struct shard *s, struct shard_effects *fx, enum shard_persist_type type,
                       uint64_t value, struct slice bytes);
void shard_send(struct shard_effects *fx, uint32_t to, uint64_t after, const struct message *m);
void shard_send_log(struct shard_effects *fx, uint32_t to, const struct message *m, uint64_t until);
void shard_answer(struct shard *s, struct shard_effects *fx, uint64_t client,
                  enum answer_type type);
void shard_answer_receipt(struct shard_effects *fx, uint64_t client, enum answer_type type,
                          const struct receipt *r);
void shard_fail(struct shard *s, const char *why);

/* ---- shard_log.c ---- */
const struct shard_mark *log_tip(const struct shard_log *l);
void log_init(struct shard_log *l, uint64_t round, const struct hash *genesis);
void log_deinit(struct shard_log *l);
struct hash log_genesis_of(const struct shard *s, uint64_t round);
/* The boundary at `index`; NULL = there is none, or it is before what is remembered. */
const struct shard_mark *log_mark(const struct shard_log *l, uint64_t index);
/* The entry that begins at `index`, or count. */
size_t log_entry_at(const struct shard_log *l, uint64_t index);
/* The entry that holds record `index`, or count. */
size_t log_entry_of(const struct shard_log *l, uint64_t index);
void log_append(struct shard *s, struct shard_effects *fx, const struct batch *b);
void log_truncate(struct shard *s, struct shard_effects *fx, uint64_t index);
/* To where a loss was admitted from, also behind `committed`. It can, as far as is remembered, if
 * the log was the same up to there. */
bool log_can_go_back(const struct shard_log *l, const struct loss *loss);
void log_go_back(struct shard *s, struct shard_effects *fx, const struct loss *loss);
/* Batches up to `index`, which is a boundary. */
uint64_t log_batches(const struct shard_log *l, uint64_t index);
/* A new, empty log for `round`. */
void log_begin_round(struct shard *s, struct shard_effects *fx, uint64_t round);
uint64_t log_durable(const struct shard *s); /* records that are on disk */
/* A record of the log or of the batch under way; false: it cannot be read (the shard failed). */
bool log_record(struct shard *s, uint64_t index, uint8_t ret[RECORD_BYTES]);
/* The records from `index` to the end of its batch; empty: they are not in memory. */
struct slice log_run(const struct shard *s, uint64_t index);
void log_forget(struct shard *s); /* memory that nobody wants any more */

/* ---- shard_count.c ---- */
void count_reset(struct shard *s);
void count_committed(struct shard *s); /* and compares, when it has counted all */
void count_compare(struct shard *s);
bool count_is_current(const struct shard *s);
bool count_can_go_on(const struct shard *s); /* there is more to count than one step does */
/* What Commit has to say when the records below `index` are committed. */
bool count_propose(struct shard *s, uint64_t index, struct commit *ret);

/* ---- shard_loss.c ---- */
/* What a SHARD_ADMIT wants stands in `proposal`, to be written. false: not yet, or it was refused.
 */
bool loss_is_proposed(struct shard *s, struct shard_effects *fx);
/* Epoch of the newest loss of this round that was read of; 0 = none. */
uint64_t loss_newest(const struct shard *s);
/* Commit was read. */
void loss_look(struct shard *s);
void loss_set_aside(struct shard *s, struct shard_effects *fx);

/* ---- shard_view.c ---- */
void view_read(struct shard *s, struct shard_effects *fx, const struct coord_view *view);
/* Of Commit, as far as `committed`. */
void view_note_seen(struct shard *s, struct shard_effects *fx);
/* Whether the log holds what Commit names. */
void view_verify(struct shard *s, struct shard_effects *fx);
bool view_is_ours(const struct shard *s); /* the election is the one this shard is for */
/* Commit says `c` now, at this version. */
void view_commit(struct shard *s, struct shard_effects *fx, const struct commit *c,
                 uint64_t version);
bool view_is_first(const struct shard *s); /* our LiveNode is the oldest */
bool view_begins(const struct shard *s);   /* whoever leads next gives the round its roll */
bool view_has_others(const struct shard *s);
bool view_is_next(const struct shard *s, uint32_t member); /* directly behind our LiveNode */
bool view_is_caught_up(const struct shard *s);
bool view_is_open(const struct shard *s);   /* OPEN or CLOSING */
int32_t view_leader(const struct shard *s); /* as Commit names it; -1 = nobody who lives */

/* ---- shard_lead.c ---- */
void lead_begin(struct shard *s, struct shard_effects *fx);
/* Answers whom it owes one; everything above Commit becomes somebody else's. */
void lead_end(struct shard *s, struct shard_effects *fx, enum answer_type what);
void lead_cast(struct shard *s, const struct ballot *b, struct shard_effects *fx);
void lead_close_batch(struct shard *s, struct shard_effects *fx);
bool lead_has_full_batch(const struct shard *s);
int64_t
lead_batch_at(const struct shard *s); /* when lead_close_batch has one; INT64_MAX = not now */
uint64_t lead_pending(const struct shard *s); /* records taken and not committed */
uint64_t lead_held(const struct shard *s);    /* records with enough copies */
uint32_t lead_holders(const struct shard *s, uint64_t index);
/* Tells those whose records are below `index`. */
void lead_committed(struct shard *s, struct shard_effects *fx, uint64_t index);
bool lead_is_admitting(const struct shard *s);
/* All that was taken is committed, and `member` has it on disk. */
bool lead_is_held_by(const struct shard *s, uint32_t member);
bool lead_may_choose(const struct shard *s, uint16_t candidate); /* on the state's ballot */

/* ---- shard_stream.c ---- */
void stream_begin(struct shard *s, struct shard_effects *fx);
void stream_hello(struct shard *s, struct shard_effects *fx, uint32_t from);
void stream_ack(struct shard *s, uint32_t from, const struct message *m);
void stream_send(struct shard *s, struct shard_effects *fx);

/* ---- shard_follow.c ---- */
void follow_message(struct shard *s, struct shard_effects *fx, uint32_t from,
                    const struct message *m);
void follow_greet(struct shard *s, struct shard_effects *fx);
/* Commit names what is not here, and nobody sends it unasked. */
bool follow_wants_to_fetch(const struct shard *s);
void follow_fetch(struct shard *s, struct shard_effects *fx);
/* The leader that Commit names sends what it is going to commit. */
bool follow_is_streamed(const struct shard *s);
void follow_peer_down(struct shard *s, uint32_t member);

static inline bool time_reached(const struct shard *s, int64_t at_ns)
{
    return s->now_ns >= at_ns;
}

#endif
