/* fle.h: fast leader election (FastLeaderElection; facts A.21): votes, rounds, notifications.
 *
 * A server that does not know a leader is LOOKING: it sends its vote to all, takes over better
 * ones, and decides when a quorum has the same. Servers that have a leader answer those who look.
 *
 *   fle_look(f, mine)              -> notifications; then messages and ticks, until
 *   fle_decided(f, &vote)          -> true: the owner becomes LEADING, FOLLOWING or OBSERVING and
 *   fle_settle(f, state)              says so; from now on notifications are only answered
 *
 * Differences from ZooKeeper, which nobody can tell on the wire:
 * - ZooKeeper waits 200 ms after its vote has a quorum whether a better one comes (finalizeWait).
 *   Here the wait ends as soon as every voter to whom there is a channel has been heard in this
 *   round with the same vote: whom we cannot hear by then cannot be heard. A channel that is up and
 *   silent costs the full wait; so does a quorum that an oracle made, a server of which we do not
 *   know yet whether we can reach it, and, after a decision that came to no epoch, one that we
 *   cannot reach.
 * - A vote counts only while there is the channel on which it was said.
 * - What follows a wrong choice is decided in discovery (zab.h), so the wait is about speed, never
 *   about safety.
 * - Whoever asked in vain is told when there is an answer (a decision, an epoch), so that nobody
 *   has to wait until it is his time to ask again; and everybody is told our vote as soon as there
 *   is a channel to him.
 * - The same question within half of notification_ms_min is not answered again: two servers of
 *   different opinion about who may vote could answer each other for ever.
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

/* None of these may call fle again, but for what newer_config may. */
struct fle_host {
    void *arg;
    /* One notification (without the length in front) for a server, to which there is a channel. */
    void (*send)(void *arg, int64_t sid, struct slice payload);
    /* LOOKING, and a peer has a newer configuration than ours, which can be parsed. To be taken
     * over if it can be, now or later, with fle_set_config (QuorumPeer.processReconfig). */
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

/* The configuration is copied. There are no channels yet, and nothing is sent before fle_look. */
struct fle *fle_create(const struct fle_options *options, const struct fle_host *host,
                       const struct quorum *config);
void fle_free(struct fle *f);
/* The active configuration is another one now. If we are LOOKING and its members differ, a new
 * round begins. */
void fle_set_config(struct fle *f, const struct quorum *config);
/* A configuration that was proposed and may have been committed (lastSeenQuorumVerifier): as long
 * as it is newer than the active one, a leader needs a quorum of both. NULL = none. */
void fle_set_next_config(struct fle *f, const struct quorum *next);
void fle_set_oracle(struct fle *f, bool says);

/* Starts a new round with our own vote: zxid is the last in our log (-1 = our data are gone, we
 * must not vote), peer_epoch our currentEpoch. `leader` and `round` are ignored. A server that is
 * no voter of the configuration votes for nobody, whatever is passed: it sends INT64_MIN for all
 * three, as ZooKeeper does. */
void fle_look(struct fle *f, struct fle_vote mine, int64_t now_ns);
/* True from the decision until fle_settle or fle_look; look after every call that takes the time.
 * Others are already told that we follow or lead. */
bool fle_decided(const struct fle *f, struct fle_vote *ret);
/* We are FLE_FOLLOWING, ... `leader` now: the one that was elected, or whom a reconfiguration
 * named.
 */
void fle_settle(struct fle *f, enum fle_state state, int64_t leader);
/* True if those who made us settle say otherwise before the epoch is established, or the channel to
 * them broke: the leader looks again or follows another, or he has no quorum any more. Discovery
 * cannot succeed; the owner may give the role up at once and call fle_look, or wait until discovery
 * has failed. */
bool fle_doubts(const struct fle *f);
/* The epoch is established: from now on answers carry it (QuorumPeer.updateElectionVote). */
void fle_update_epoch(struct fle *f, int64_t new_epoch);

void fle_message(struct fle *f, int64_t from, struct slice payload, int64_t now_ns);
/* There is a channel to a server now (voter or not); or there is none: it broke, or an attempt to
 * connect failed. A channel that took the place of another is told as up again. For a voter of whom
 * neither has been told yet an election waits like for one that is silent. */
void fle_channel(struct fle *f, int64_t sid, bool up, int64_t now_ns);
void fle_tick(struct fle *f, int64_t now_ns);
int64_t fle_deadline_ns(const struct fle *f); /* INT64_MAX = nothing to do by itself */

enum fle_state fle_state(const struct fle *f);
/* The vote we stand for: in LOOKING the proposed one, else the leader's. */
void fle_current_vote(const struct fle *f, struct fle_vote *ret);
int64_t fle_round(const struct fle *f);
uint64_t fle_dropped(const struct fle *f); /* malformed messages */

#endif
