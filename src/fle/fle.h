/* fle.h: fast leader election (FastLeaderElection; facts A.21): votes, rounds, notifications.
 *
 * A server that does not know a leader is LOOKING: it sends its vote to all, takes over better
 * ones, and decides when a quorum has the same. Servers that have a leader answer those who look.
 *
 *   fle_look(f, mine)              -> notifications; then messages and ticks, until
 *   fle_decided(f, &vote)          -> true: the owner becomes LEADING, FOLLOWING or OBSERVING and
 *   fle_settle(f, state)              says so; from now on notifications are only answered
 *
 * Two differences from ZooKeeper, which nobody can tell on the wire:
 * - ZooKeeper waits 200 ms after its vote has a quorum whether a better one comes (finalizeWait).
 *   Here the wait ends as soon as every voter to whom there is a channel has been heard in this
 *   round with the same vote: whom we cannot hear by then cannot be heard. A channel that is up and
 *   silent costs the full wait.
 * - What follows a wrong choice is decided in discovery (zab.h), so the wait is about speed, never
 *   about safety.
 *
 * Pure: time comes in, messages go out through the host's functions, synchronously. One owner
 * thread. Malformed messages are counted and dropped. */
#ifndef CAUCUS_FLE_FLE_H
#define CAUCUS_FLE_FLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "wire/quorum.h"

enum fle_state { /* the numbers of the wire */
    FLE_LOOKING = 0,
    FLE_FOLLOWING = 1,
    FLE_LEADING = 2,
    FLE_OBSERVING = 3,
};

struct fle_vote {
    int64_t leader;
    int64_t zxid;
    int64_t round; /* electionEpoch */
    int64_t peer_epoch;
};

struct fle_host {
    void *arg;
    /* One notification (without the length in front) for a server; lost if there is no channel. */
    void (*send)(void *arg, int64_t sid, struct slice payload);
    /* A peer has a newer configuration than ours: taken over if it can be (the owner calls
     * fle_set_config), after which the election starts again (QuorumPeer.processReconfig). */
    void (*newer_config)(void *arg, struct slice text);
};

struct fle_options {
    int64_t sid;
    int64_t finalize_wait_ms;    /* 200 */
    int64_t notification_ms_min; /* 200: the first repetition */
    int64_t notification_ms_max; /* zookeeper.fastleader.maxNotificationInterval, 60000 */
    bool reconfig_enabled;       /* newer configurations in notifications are looked at */
};

struct fle;

/* The configuration is copied. */
struct fle *fle_create(const struct fle_options *options, const struct fle_host *host,
                       const struct quorum *config);
void fle_free(struct fle *f);
void fle_set_config(struct fle *f, const struct quorum *config);
void fle_set_oracle(struct fle *f, bool says);

/* Starts a new round with our own vote: mine.leader is our sid if we are a voter, zxid the last in
 * our log, peer_epoch our currentEpoch. An observer (or a server that is not in the configuration)
 * passes INT64_MIN for all three, as ZooKeeper does; `round` is ignored. */
void fle_look(struct fle *f, struct fle_vote mine, int64_t now_ns);
bool fle_decided(const struct fle *f, struct fle_vote *ret);
/* We are FLE_FOLLOWING, ... `leader` now. */
void fle_settle(struct fle *f, enum fle_state state, int64_t leader);
/* The vote that answers carry once the epoch is established (QuorumPeer.updateElectionVote). */
void fle_update_epoch(struct fle *f, int64_t new_epoch);

void fle_message(struct fle *f, int64_t from, struct slice payload, int64_t now_ns);
void fle_channel(struct fle *f, int64_t sid, bool up, int64_t now_ns);
void fle_tick(struct fle *f, int64_t now_ns);
int64_t fle_deadline_ns(const struct fle *f); /* INT64_MAX = nothing to do by itself */

enum fle_state fle_state(const struct fle *f);
/* The vote we stand for: in LOOKING the proposed one, else the leader's. */
void fle_current_vote(const struct fle *f, struct fle_vote *ret);
int64_t fle_round(const struct fle *f);
uint64_t fle_dropped(const struct fle *f); /* malformed messages */

#endif
