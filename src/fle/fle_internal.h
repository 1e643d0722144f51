/* fle_internal.h: what an election remembers, for the files of fle/ only. */
#ifndef CAUCUS_FLE_FLE_INTERNAL_H
#define CAUCUS_FLE_FLE_INTERNAL_H

#include "base/buf.h"
#include "fle/fle.h"
#include "fle/notification.h"

enum {
    FLE_SIDS = QUORUM_SID_MAX + 1
};

/* What a voter said last. */
struct fle_ballot {
    bool cast;
    enum fle_state state; /* its own, when it said so */
    int32_t version;      /* of its message's format; 0 is not comparable in all (fle_same_vote) */
    struct fle_vote vote;
};

struct fle_ballots {
    struct fle_ballot of[FLE_SIDS]; /* by number of server; only voters have one */
};

/* A question that was answered, to know it again. */
struct fle_answered {
    int64_t from, at_ns; /* INT64_MIN = never */
    struct fle_vote question, answer;
};

struct fle {
    struct fle_options options;
    struct fle_host host;
    struct quorum *config;
    struct quorum *next; /* NULL, or newer than config */
    struct buf config_text;
    struct buf message; /* the one that is being sent */
    bool oracle_says;
    uint64_t dropped;
    int64_t now_ns; /* the last time that was told */

    bool started; /* fle_look has been called */
    enum fle_state state;
    int64_t round;        /* logicalclock */
    struct fle_vote mine; /* what we stand for at the beginning of a round */
    struct fle_vote vote; /* LOOKING: what we propose; else what was decided */
    bool decided;         /* and the owner has not said yet that it knows */
    bool established;     /* and our vote carries the new epoch */
    bool patient;         /* what was decided last came to no epoch: nobody is left out this time */

    /* LOOKING only. ballots: the votes of this round. settled: what those say who have a leader,
     * in whatever round they found him. */
    struct fle_ballots ballots, settled;
    int64_t notify_ms, notify_at_ns; /* the repetition of our vote */
    int64_t finalize_at_ns;          /* INT64_MAX = our vote has no quorum */

    /* After a decision, until the epoch is established: who stands for it, as far as we know. */
    bool elected, leader_denies;
    struct sid_set supporters;

    struct sid_set channels;                    /* up */
    struct sid_set tried;                       /* up or down; others may come up any moment */
    struct fle_ballots asked;                   /* who looks, as far as we know, with what vote */
    struct fle_answered answered[FLE_SIDS + 1]; /* the last for those without a valid number */
};

/* vote.c: which vote is better, which are the same, and whether they are enough. */
bool fle_is_quorum(const struct fle *f, const struct sid_set *set, bool oracle_says);
bool fle_is_voter(const struct fle *f, int64_t sid);
bool fle_better(const struct fle *f, const struct fle_vote *candidate,
                const struct fle_vote *current);
bool fle_same_vote(const struct fle_ballot *a, const struct fle_ballot *b);
/* Whether those who cast the same as `b` are a quorum. */
bool fle_has_quorum(const struct fle *f, const struct fle_ballots *ballots,
                    const struct fle_ballot *b, bool oracle_says);
/* Whether those who have settled for the same are a quorum: of the active configuration only. A
 * proposed one may have come to nothing without our knowing, and those who have a leader are then
 * no quorum of it, ever. (If it is what counts now, their notifications bring it as active.) */
bool fle_has_followers(const struct fle *f, const struct fle_ballot *b, bool oracle_says);
/* Whether `leader` itself says that it leads. */
bool fle_leader_agrees(const struct fle *f, int64_t leader, int64_t round);

/* looking.c: the election. */
void fle_start_round(struct fle *f);
void fle_looking_message(struct fle *f, int64_t from, const struct fle_notification *n);
void fle_looking_tick(struct fle *f);
/* Decides if there is nothing more to wait for. */
void fle_consider(struct fle *f);

/* support.c: whether what was decided still stands. */
void fle_count_support(struct fle *f);
void fle_lose_support(struct fle *f, int64_t sid);
void fle_support_message(struct fle *f, int64_t from, const struct fle_notification *n);

/* fle.c */
/* Our state and vote for one server, if there is a channel. */
void fle_tell(struct fle *f, int64_t sid);
/* For all other voters. */
void fle_tell_voters(struct fle *f);

#endif
