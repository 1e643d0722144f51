/* zab.h: the protocol of the quorum port (Zab as ZooKeeper speaks it; facts A.22): discovery,
 * synchronization, broadcast, for a leader, a follower and an observer.
 *
 *   election decided -> zab_lead / zab_follow -> discovery -> synchronization
 *     -> host.established: the server serves -> broadcast ... -> host.lost -> zab_idle -> election
 *
 * What zab owns: the epochs, the links to other servers, who has acknowledged what, the window of
 * recent transactions, the active and the last seen configuration. What the host (node/) owns: the
 * log and the tree, sessions, clients. They talk by the functions below, synchronously; the host
 * must not call zab from inside a host function unless it says so.
 *
 * Invariants (each is attacked by the simulator):
 * I1 An epoch is accepted durably before ACKEPOCH leaves; currentEpoch becomes e only when all of
 * the leader's history is durable here, and is durable before the ACK of NEWLEADER leaves.
 * I2 A proposal is appended in zxid order without gaps, and is durable before its ACK leaves. The
 *    leader's own log counts like everybody else's. What a learner acknowledged counts as long as
 *    its link: a learner that comes back acknowledges again.
 * I3 The tree only ever applies what is committed: on a learner nothing of a synchronization before
 *    UPTODATE, on a leader nothing of its uncommitted history before a quorum has acknowledged
 *    NEWLEADER. Two exceptions, which nobody outside can see, and which may have to be truncated:
 *    what a restart replays from the log; and a leader that must send its tree to a learner before
 *    that quorum applies its history first (host.commit), since a picture that is older than the
 *    history could take from the learner what it has acknowledged.
 * I4 TRUNC removes only what the elected leader of a newer epoch does not have (or has not
 *    committed, and then it comes again).
 *
 * Pure; one owner thread. Link numbers are the host's. Bytes given are borrowed for the call. */
#ifndef CAUCUS_ZAB_ZAB_H
#define CAUCUS_ZAB_ZAB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "wire/quorum.h"
#include "wire/records.h"

enum zab_role {
    ZAB_IDLE,
    ZAB_LEADING,
    ZAB_FOLLOWING,
    ZAB_OBSERVING,
};

/* A write (or sync) that a learner's client asked for. */
struct zab_request {
    int64_t session_id;
    int32_t cxid;
    int32_t op;
    struct slice record;
    const struct rec_id *who; /* the client's identities: scheme, id */
    size_t who_count;
};

enum zab_trace_type {
    ZAB_TRACE_LEADING,      /* value: epoch */
    ZAB_TRACE_FOLLOWING,    /* sid: the leader */
    ZAB_TRACE_LEARNER,      /* a learner (sid) is synchronized by `text`, from zxid */
    ZAB_TRACE_LEARNER_GONE, /* sid, text */
    ZAB_TRACE_SYNCED_BY,    /* we are, by `text` (DIFF, TRUNC, SNAP), to zxid */
    ZAB_TRACE_ESTABLISHED,  /* value: epoch */
    ZAB_TRACE_LOST,         /* text */
    ZAB_TRACE_CONFIG,       /* value: version of the configuration that is active now */
    ZAB_TRACE_REFUSED,      /* a peer's packet or state was refused: sid, text */
};

struct zab_trace {
    enum zab_trace_type type;
    int64_t sid, zxid, value;
    const char *text; /* static */
};

struct zab_host {
    void *arg;

    /* ---- to disk, in order; each returns its ticket, see zab_durable ---- */
    uint64_t (*set_accepted_epoch)(void *arg, int64_t epoch);
    uint64_t (*set_current_epoch)(void *arg, int64_t epoch);
    /* A proposal of the leader (TxnHeader, txn, digest): to the log; it waits there for its commit.
     * 0 = it cannot be decoded. */
    uint64_t (*accept)(void *arg, int64_t zxid, struct slice entry);
    /* Everything behind zxid goes: what waits for a commit, the log, newer snapshots, and the tree
     * if it has applied it. Answered by zab_truncated. */
    void (*truncate)(void *arg, int64_t zxid);
    /* The leader's whole state takes the place of ours. begin, bytes ... until *ret_done, then the
     * host makes it durable (snapshot first, then the log behind it goes) and answers
     * zab_installed. `bytes`: 0, or an error (the link is dropped; the old state is still there).
     * *ret_used bytes were consumed; the rest comes again with more behind it. */
    void (*install_begin)(void *arg, int64_t zxid);
    int (*install_bytes)(void *arg, struct slice bytes, size_t *ret_used, bool *ret_done);
    void (*install_abort)(void *arg);   /* the link broke in the middle */
    void (*install_nothing)(void *arg); /* the state before the first transaction, likewise */

    /* ---- the state machine ---- */
    /* Everything accepted or proposed up to zxid is committed. */
    void (*commit)(void *arg, int64_t zxid);
    /* We serve from now on. zxid: where the state machine stands in the new epoch (epoch << 32 on a
     * new leader). The host may call zab_propose from here on, also from inside. */
    void (*established)(void *arg, int64_t zxid);
    /* The role is over. The host calls zab_idle soon (in the same step, not from inside). */
    void (*lost)(void *arg, const char *reason);
    /* A configuration was proposed (seen, not active yet), or is active from now on. `ahead`: it is
     * told in front of its transaction; otherwise a leader offers it, whose history has that. */
    void (*config_seen)(void *arg, const struct quorum *q, bool ahead);
    void (*config_active)(void *arg, const struct quorum *q);

    /* ---- links ---- */
    /* Connects to the quorum port of a server of the active configuration, or to its port for
     * observers: the link's number. Answered by zab_link_open or zab_link_closed. */
    uint64_t (*connect)(void *arg, int64_t sid, bool observers);
    void (*send)(void *arg, const uint64_t *links, size_t count, struct slice bytes);
    void (*disconnect)(void *arg, uint64_t link, const char *reason);
    /* zab_link_room is wanted when what was sent to the link has (nearly) left. */
    void (*want_room)(void *arg, uint64_t link);

    /* ---- leader; touch and the snapshots also on a follower that serves observers ---- */
    void (*request)(void *arg, int64_t sid, const struct zab_request *r);
    void (*touch)(void *arg, int64_t sid, int64_t session_id, int32_t timeout_ms);
    bool (*revalidate)(void *arg, int64_t sid, int64_t session_id, int32_t timeout_ms);
    /* A follower that serves observers. To the leader they and we are one, so it is here that a
     * request which a client left behind on one of us is kept from overtaking what it asks for on
     * another: an observer's client wants the session (asked), has it (agreed); may a write of the
     * session, that comes from the observer, go on to the leader? */
    void (*observer_asks)(void *arg, int64_t sid, int64_t session_id);
    void (*observer_has)(void *arg, int64_t sid, int64_t session_id);
    bool (*observer_may_write)(void *arg, int64_t sid, int64_t session_id);
    /* The learner's link is gone: its sessions have no owner now. */
    void (*learner_gone)(void *arg, int64_t sid);
    /* A picture of the tree for learners: zxid of it, or -1 = another walk is running
     * (zab_snapshot_free says when to ask again). One at a time. */
    int64_t (*snapshot_begin)(void *arg);
    bool (*snapshot_next)(void *arg, size_t bytes_max, struct buf *out); /* true = that was all */
    void (*snapshot_end)(void *arg); /* after the last one, or given up */
    /* Transactions from the log files, for a learner that is behind the window: those in (after,
     * until], preceded by the newest one at or before `after`. Answered by zab_log_read, in pieces;
     * the next piece is asked for with `after` = its last. */
    void (*read_log)(void *arg, uint64_t link, int64_t after, int64_t until);

    /* ---- learner ---- */
    void (*revalidated)(void *arg, int64_t session_id, bool valid);
    void (*synced)(
        void *arg); /* the oldest forwarded sync may be answered, behind what was committed */
    /* Sessions heard of since the last call: {long session, int timeout}* */
    void (*touches)(void *arg, struct buf *out);

    void (*trace)(void *arg, const struct zab_trace *t);

    /* Stop reading from the link (its bytes would only be kept here), or go on. NULL: not there. */
    void (*pause)(void *arg, uint64_t link, bool on);
};

struct zab_options {
    int64_t sid;
    bool observer; /* peerType=observer, or not a voter in the configuration */
    int32_t tick_ms;
    int32_t init_limit;      /* ticks */
    int32_t sync_limit;      /* ticks */
    int32_t connect_limit;   /* connectToLearnerMasterLimit, ticks; 0 = init_limit */
    size_t commit_log_count; /* commitLogCount: transactions kept in memory */
    bool log_sync;           /* snapshotSizeFactor > 0: learners may be served from log files */
    size_t snap_syncs_max, diff_syncs_max; /* leader.maxConcurrentSnapSyncs, ...DiffSyncs */
    int64_t connect_retry_ms;              /* leaderConnectDelayDuringRetryMs, 100 */
    int64_t accepted_epoch, current_epoch; /* as on disk */
    bool observer_masters;   /* observerMasterPort is set: as a follower we serve observers, as an
                                observer we go to a follower */
    bool reconfig_enabled;   /* reconfigEnabled: configurations are taken over from the protocol */
    size_t packet_bytes_max; /* of one packet; 0 = jute.maxbuffer's default, doubled, and slack */
    size_t window_bytes;     /* transactions kept in memory beyond commit_log_count; 0 = 16 MiB */
    size_t pinned_bytes_max; /* kept for learners that get a snapshot meanwhile; 0 = 256 MiB */
};

struct zab;

/* The configurations are copied; last_seen may be NULL (= active). */
struct zab *zab_create(const struct zab_options *options, const struct zab_host *host,
                       const struct quorum *active, const struct quorum *last_seen);
void zab_free(struct zab *z);

/* Before the first role: the transactions at the end of the log, in order, as far as the host has
 * them at hand (they are in its tree already). Without them learners that are behind us are served
 * from the log files. */
void zab_remember(struct zab *z, int64_t zxid, struct slice entry);

/* ---- roles: only from ZAB_IDLE ---- */
/* last_zxid: the last one in our log (appended), current up to the call of established. */
void zab_lead(struct zab *z, int64_t last_zxid, int64_t now_ns);
void zab_follow(struct zab *z, int64_t leader_sid, int64_t last_zxid, int64_t now_ns);
/* Only from ZAB_IDLE: a newer configuration, heard of in an election, is active and last seen from
 * now on (QuorumPeer.processReconfig). host.config_active is called. Nothing happens if it is not
 * newer, or reconfiguration is disabled. */
#define ZAB_HAS_SET_CONFIG
void zab_set_config(struct zab *z, const struct quorum *q);
/* Closes all links. What was accepted and not committed stays in the host's hands. */
void zab_idle(struct zab *z);

/* ---- what happens ---- */
void zab_link_open(struct zab *z, uint64_t link, bool inbound, int64_t now_ns);
/* An observer connected to our port for observers: served while we follow. */
void zab_observer_open(struct zab *z, uint64_t link, int64_t now_ns);
void zab_link_bytes(struct zab *z, uint64_t link, struct slice bytes, int64_t now_ns);
void zab_link_closed(struct zab *z, uint64_t link, int64_t now_ns);
void zab_link_room(struct zab *z, uint64_t link);
void zab_durable(struct zab *z, uint64_t ticket); /* everything up to it */
/* What a role asked for is not answered once it is over; the next one begins when it is done.
 * false: it could not be done, nothing was removed; we ask the leader for everything. */
void zab_truncated(struct zab *z, bool ok);
void zab_installed(struct zab *z);
enum zab_log_read {
    ZAB_LOG_MORE,
    ZAB_LOG_END,
    ZAB_LOG_MISSING
};
/* entries: {int length, bytes}*. MISSING: the files do not reach back that far, or are too large a
 * part of a snapshot's size. */
void zab_log_read(struct zab *z, uint64_t link, struct slice entries, enum zab_log_read how);
void zab_snapshot_free(struct zab *z);
void zab_oracle(struct zab *z, bool says);
void zab_tick(struct zab *z, int64_t now_ns);
/* At the end of every step: commits what has a quorum, sends what that means. */
void zab_flush(struct zab *z);
int64_t zab_deadline_ns(const struct zab *z);

/* ---- the serving leader ---- */
/* The next zxid in order; its entry is in the log's hands under `ticket`. `next_config`: of a
 * reconfig transaction, else NULL. */
void zab_propose(struct zab *z, int64_t zxid, struct slice entry, uint64_t ticket,
                 const struct quorum *next_config);
/* A learner's sync: answered when everything proposed so far is committed. */
void zab_answer_sync(struct zab *z, int64_t sid);
/* Whether a quorum of `q` is connected and synced (reconfig needs it). */
bool zab_has_synced_quorum(const struct zab *z, const struct quorum *q);
/* The epoch has no zxid left but this one. Its entry goes into our log and nobody else's: so we win
 * the election that brings the next epoch. lost is called when all before it is committed and
 * told; it is committed when we lead again. */
void zab_roll_over(struct zab *z, int64_t zxid, struct slice entry, uint64_t ticket);
/* No new proposals come; lost is called when all are committed and told (hand-over). */
void zab_hand_over(struct zab *z);

/* ---- the serving learner ---- */
void zab_forward(struct zab *z, const struct zab_request *r);
void zab_revalidate(struct zab *z, int64_t session_id, int32_t timeout_ms);
/* `touches` are told to the leader now, and not with the answer to its next ping. */
void zab_tell_touches(struct zab *z);

/* ---- looking inside ---- */
enum zab_role zab_role(const struct zab *z);
bool zab_serving(const struct zab *z);
const char *zab_phase(const struct zab *z); /* "discovery", "synchronization", "broadcast", ... */
int64_t zab_leader(const struct zab *z);    /* sid; -1 = none */
int64_t zab_accepted_epoch(const struct zab *z);
int64_t zab_current_epoch(const struct zab *z);
int64_t zab_committed(const struct zab *z);     /* zxid */
int64_t zab_last_proposed(const struct zab *z); /* zxid */
const struct quorum *zab_config(const struct zab *z);
const struct quorum *zab_last_seen_config(const struct zab *z);

struct zab_learner_view {
    int64_t sid;
    uint64_t link;
    bool observer, synced;
    int64_t acked, last_ack_ns;
    uint64_t proposals_sent, requests_received;
};
typedef void zab_learner_visit(void *arg, const struct zab_learner_view *v);
void zab_each_learner(const struct zab *z, zab_learner_visit *visit, void *arg);

/* Counts since the start, for metrics. */
struct zab_counts {
    uint64_t proposals, commits, acks, diffs, snaps, truncs, revalidations, pings;
    uint64_t looking;
    size_t pending_syncs;
};
const struct zab_counts *zab_counts(const struct zab *z);

#endif
