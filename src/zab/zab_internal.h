/* zab_internal.h: what the files of src/zab share. zab.h says what it is all about.
 *
 *   zab.c        create, roles, links: who gets what happens
 *   link.c       bytes into packets
 *   config.c     active and last seen configuration
 *   leader*.c    leader.c: discovery, establishment, time; leader_sync.c: what a learner lacks;
 *                leader_commit.c: broadcast; leader_learner.c: packets of learners
 *   learner*.c   learner.c: connection, discovery, time; learner_sync.c; learner_broadcast.c
 *   master.c     a follower that serves observers, with the parts of a leader that serve learners
 */
#ifndef CAUCUS_ZAB_ZAB_INTERNAL_H
#define CAUCUS_ZAB_ZAB_INTERNAL_H

#include "base/assert.h"
#include "base/list.h"
#include "wire/zxid.h"
#include "zab/fault.h"
#include "zab/packet.h"
#include "zab/window.h"
#include "zab/zab.h"

enum {
    NS_PER_MS = 1000000,
    EARLY_LINK_MS = 1000,       /* a learner may know that we lead before we do */
    EARLY_LINKS_MAX = 256,      /* as many wait for that */
    LEARNERS_MAX = 4096,        /* links to a leader */
    BURST_BYTES = 256 << 10,    /* to a learner that is being synchronized, before we want room */
    INBOUND_HELD_MAX = 8 << 20, /* what a learner may have sent before we look at it */
    NEW_HELD_MAX = 64 << 10,    /* ... of which nothing is known: it says one small packet */
    LOG_READ_ROUNDS_MAX = 64    /* the window ran away from the log's reader that often */
};

/* A learner, seen by the leader. The order matters: comparisons are made. */
enum learner_state {
    LEARNER_NEW,          /* nothing heard yet */
    LEARNER_INFO,         /* FOLLOWERINFO came: waits for the epoch */
    LEARNER_EPOCH,        /* LEADERINFO sent: owes ACKEPOCH */
    LEARNER_EPOCH_ACKED,  /* waits for a quorum of them */
    LEARNER_READING,      /* gets what it lacks from the log files */
    LEARNER_SNAP_WAITING, /* waits for a walk over the tree */
    LEARNER_SNAP,         /* gets the tree */
    LEARNER_WINDOW,       /* gets what it lacks from the window */
    LEARNER_NEWLEADER,    /* NEWLEADER sent: owes its ACK. Everything new is forwarded from here */
    LEARNER_ACKED,        /* waits for a quorum of them */
    LEARNER_SERVING,      /* UPTODATE sent */
};

struct zab_link {
    struct list node;
    uint64_t id;
    bool inbound;
    bool gone;     /* dropped while its bytes were looked at */
    bool held;     /* its bytes wait */
    bool paused;   /* the host was told so */
    int busy;      /* its bytes are being looked at */
    struct buf in; /* what has come and is not consumed */
    size_t need;   /* bytes at least before `in` is looked at again */
    int64_t heard_ns;

    /* ---- leader: of the learner at the other end ---- */
    enum learner_state state;
    int64_t sid;
    bool observer;
    int64_t accepted_epoch;
    bool counts_for_epoch;   /* it accepted the epoch now, not before */
    int64_t last_zxid;       /* ACKEPOCH: the end of its log */
    int64_t synced_until_ns; /* counts as a supporter of ours until then */
    uint64_t cursor;         /* the next of the window it gets; pins the window while it syncs */
    bool room_wanted;        /* sent much: waits for zab_link_room */
    bool by_snap;
    /* From log files (queueCommittedProposals). */
    struct {
        bool need_op;
        bool active; /* an answer is owed by the host */
        int64_t previous, queued, until;
        int rounds;
    } log;
    int64_t acked; /* -1 = nothing on this link */
    int64_t acked_ns;
    /* SyncLimitCheck: the oldest proposal without an ACK, and the newest. */
    int64_t owed_zxid, owed_ns, newest_zxid, newest_ns;
    int64_t syncs; /* forwarded and not answered */
    uint64_t proposals_sent, requests_received;
};

enum leader_phase {
    LEAD_CONNECTING, /* learners for a new epoch */
    LEAD_ACCEPTING,  /* the epoch on its way to our disk */
    LEAD_ELECTING,   /* ACKEPOCHs */
    LEAD_SYNCING,    /* ACKs of NEWLEADER */
    LEAD_SERVING,
};

/* A queue of what links wait for. */
struct pending {
    int64_t value; /* of a sync: the zxid it waits for; of a revalidation: the session */
    uint64_t link; /* 0 = our own clients */
};

struct pending_ring {
    struct pending *items; /* cap is a power of two, or 0 */
    size_t cap;
    uint64_t first, end;
};

struct leader {
    enum leader_phase phase;
    int64_t epoch;
    int64_t history_end; /* our log's end when we were elected */
    uint64_t epoch_ticket, current_ticket;
    int64_t phase_deadline_ns;
    int64_t half_tick_ns; /* when the next one is due */
    bool odd_half;
    bool may_commit; /* false behind a reconfig that made somebody else the leader */
    bool handing_over, handing_over_told;
    bool rolling_over; /* the last of the window is for us alone */
    int64_t hand_over_until_ns;

    uint64_t sent;   /* of the window: proposals before it are with the followers */
    uint64_t logged; /* those before it are durable here */

    /* A reconfig that is proposed and not committed; 0 = none. */
    int64_t reconfig_zxid;
    /* Proposals up to both_until were made while the previous configuration still counted. */
    struct quorum *previous;
    int64_t both_until, previous_until_ns;

    uint64_t *followers, *observers; /* links that everything new is forwarded to */
    size_t follower_count, follower_cap, observer_count, observer_cap;

    bool walking; /* a picture of the tree is being sent */
    bool walk_refused;
    int64_t walk_zxid;
    struct sid_set snap_next; /* a DIFF broke off: these get everything */

    struct pending_ring syncs;
    struct pending_ring revalidations; /* master.c */
    struct rec_id *who;
    size_t who_cap;
    int64_t stale_acked[QUORUM_SID_MAX + 1]; /* planted: ZAB_FAULT_4785 */
};

enum learner_phase {
    FOLLOW_CONNECTING,
    FOLLOW_REGISTERING, /* FOLLOWERINFO sent */
    FOLLOW_ACCEPTING,   /* acceptedEpoch on its way to disk */
    FOLLOW_CHOOSING,    /* ACKEPOCH sent: DIFF, TRUNC or SNAP? */
    FOLLOW_TRUNCATING,
    FOLLOW_SNAP,
    FOLLOW_SIGNATURE,
    FOLLOW_INSTALLING,
    FOLLOW_HISTORY, /* proposals until NEWLEADER */
    FOLLOW_LOGGING, /* NEWLEADER came: the history on its way to disk */
    FOLLOW_EPOCH,   /* currentEpoch on its way to disk */
    FOLLOW_ACKED,   /* until UPTODATE */
    FOLLOW_SERVING,
};

struct learner {
    enum learner_phase phase;
    int64_t leader_sid;
    size_t master_turn; /* an observer's: which voter is asked next; lives on from role to role */
    int64_t last_zxid;  /* of our log when we started */
    uint64_t link;      /* 0 = none */
    bool has_link;
    int tries;
    int64_t connect_until_ns, retry_ns; /* INT64_MAX = no retry planned */
    int64_t epoch;
    uint64_t ticket; /* what the phase waits for */
    uint64_t history_ticket;
    int64_t history_end; /* the last of the history NEWLEADER ended */
    bool fresh_epoch;    /* accepted by this registration */
    int64_t sync_zxid;   /* of DIFF, TRUNC, SNAP */
    const char *sync_by;
    int64_t skip_until;   /* proposals that a picture of the tree contains already */
    int64_t commit_to;    /* known to be committed */
    uint64_t acked;       /* of the window: proposals before it are acknowledged */
    struct quorum *offer; /* NEWLEADER's configuration */
    /* The leader whose TRUNC we could not follow, and its epoch: it hears that we have nothing. -1
     * = none. */
    int64_t claim_nothing_to, claim_epoch;
    bool claimed_nothing;
    bool installed; /* the host is done with the picture */
};

struct zab {
    struct zab_options options;
    struct zab_host host;
    struct quorum *active, *last_seen;
    enum zab_role role;
    bool over; /* lost was called: nothing moves until zab_idle */
    bool serving;
    bool oracle_says;
    int64_t now_ns;
    int64_t accepted_epoch, current_epoch;
    uint64_t durable;     /* tickets up to it are on disk */
    uint64_t last_ticket; /* the newest we know of */

    struct window window;
    uint64_t committed_seq; /* of the window: those before it are committed and told to the host */
    int64_t committed;      /* zxid */
    int64_t last_proposed;  /* zxid */

    struct list links;
    size_t link_count;
    struct buf out; /* what is being put together */
    struct zab_counts counts;
    struct leader lead;
    struct learner follow;
#ifdef CAUCUS_PLANT
    uint32_t planted;
#endif
};

/* ---- zab.c ---- */
static inline struct zab_link *link_next(const struct zab *z, const struct zab_link *l)
{
    struct list *next = l->node.next;
    return next != &z->links ? list_entry(next, struct zab_link, node) : NULL;
}

static inline struct zab_link *link_first(const struct zab *z)
{
    struct list *first = z->links.next;
    return first != &z->links ? list_entry(first, struct zab_link, node) : NULL;
}

struct zab_link *link_find(const struct zab *z, uint64_t id);
struct zab_link *link_add(struct zab *z, uint64_t id, bool inbound);
/* Tells the host to close it and forgets it. The link may be freed at once or, while its bytes are
 * looked at, behind that. */
void link_drop(struct zab *z, struct zab_link *l, const char *reason);
void zab_lose(struct zab *z, const char *reason);
void zab_trace(struct zab *z, enum zab_trace_type type, int64_t sid, int64_t zxid, int64_t value,
               const char *text);
void zab_send(struct zab *z, uint64_t link, struct slice bytes);
void zab_send_packet(struct zab *z, uint64_t link, enum packet_type type, int64_t zxid,
                     struct slice data);
/* Remembers the newest ticket. */
uint64_t zab_ticket(struct zab *z, uint64_t ticket);
void zab_commit_to(struct zab *z, int64_t zxid); /* tells the host, moves committed on */
/* Entries that nobody needs leave the window; `pinned`: those from it on stay. */
void zab_trim_window(struct zab *z, uint64_t pinned);
int64_t ticks_ns(const struct zab *z, int64_t ticks);

/* Learners are served: by a leader; observers by a follower as well, once it serves. */
static inline bool zab_serves_learners(const struct zab *z)
{
    return z->role == ZAB_LEADING ||
           (z->role == ZAB_FOLLOWING && z->options.observer_masters && z->serving);
}

/* ---- link.c ---- */
void link_feed(struct zab *z, struct zab_link *l, struct slice bytes);
void link_hold(struct zab *z, struct zab_link *l);
void link_resume(struct zab *z, struct zab_link *l);
void link_free(struct zab_link *l);

/* ---- config.c ---- */
bool config_is_pending(const struct zab *z);                  /* last seen is newer than active */
void config_see(struct zab *z, struct quorum *q, bool ahead); /* takes q; zab_host.config_seen */
/* Makes q (copied) active. True: our role or the leader changes by it. designated < 0: nobody was
 * (processReconfig). */
bool config_activate(struct zab *z, const struct quorum *q, int64_t leader, int64_t designated);
/* The configuration in a reconfig transaction, NULL = it is none, or cannot be read (*ret_bad). */
struct quorum *config_of_txn(struct slice entry, bool *ret_bad);
bool config_same_address(const struct quorum *a, const struct quorum *b, int64_t sid);

/* ---- leader.c ---- */
void lead_start(struct zab *z, int64_t last_zxid);
void lead_stop(struct zab *z);
void lead_advance(struct zab *z); /* whatever can go on goes on */
void lead_tick(struct zab *z);
int64_t lead_deadline(const struct zab *z);
void lead_reset(struct zab *z); /* no learner is there yet */
void lead_tend_learners(
    struct zab *z); /* each half tick: who is late goes, the others are pinged */
void lead_learner_gone(struct zab *z, struct zab_link *l);
bool lead_quorum(const struct zab *z, const struct quorum *q, const struct sid_set *set);
struct sid_set lead_set(const struct zab *z, enum learner_state at_least);

/* ---- leader_learner.c ---- */
void lead_packet(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p);
void lead_send_leaderinfo(struct zab *z, struct zab_link *l);
void lead_uptodate(struct zab *z, struct zab_link *l);

/* ---- leader_sync.c ---- */
void lead_sync(struct zab *z, struct zab_link *l); /* begins */
void lead_pump(struct zab *z, struct zab_link *l); /* goes on, as room allows */
void lead_walk(struct zab *z);                     /* the picture of the tree */
void lead_walk_left(struct zab *z);                /* a learner that got it is gone */
uint64_t lead_oldest_cursor(const struct zab *z);

/* ---- leader_commit.c ---- */
void lead_flush(struct zab *z);
void lead_forward(struct zab *z, struct zab_link *l); /* everything new, from now on */
void lead_unforward(struct zab *z, struct zab_link *l);
void lead_logged(struct zab *z);
/* INFORM and INFORMANDACTIVATE of committed entries to observers. */
void lead_inform(struct zab *z, uint64_t from, uint64_t to);
void lead_inform_activation(struct zab *z, uint64_t seq, int64_t designated);
void lead_send_sync(struct zab *z, uint64_t link);
void lead_bound_window(struct zab *z);
void pending_push(struct pending_ring *r, struct pending p);
static inline struct pending *pending_first(const struct pending_ring *r) /* NULL = empty */
{
    return r->first < r->end ? &r->items[r->first & (r->cap - 1)] : NULL;
}
int64_t lead_designate(const struct zab *z, const struct quorum *q, int64_t zxid);

/* ---- master.c ---- */
void master_start(struct zab *z); /* a follower begins to serve */
void master_stop(struct zab *z);
void master_tick(struct zab *z);
int64_t master_deadline(const struct zab *z);
/* What observers say. */
void master_request(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p);
void master_revalidate(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p);
/* What the leader answers: whether it was an observer's. */
bool master_synced(struct zab *z);
bool master_revalidated(struct zab *z, const struct rec_quorum_packet *p);
/* Our own clients ask. */
void master_own_sync(struct zab *z);
void master_own_revalidation(struct zab *z, int64_t session_id);

/* ---- learner*.c ---- */
void follow_start(struct zab *z, int64_t leader_sid, int64_t last_zxid);
void follow_stop(struct zab *z);
void follow_opened(struct zab *z, struct zab_link *l);
void follow_closed(struct zab *z);
void follow_tick(struct zab *z);
int64_t follow_deadline(const struct zab *z);
void follow_durable(struct zab *z);
void follow_flush(struct zab *z);
void follow_packet(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p);
/* Raw bytes of SNAP: how many were consumed; SIZE_MAX = the link is gone. */
size_t follow_snap_bytes(struct zab *z, struct zab_link *l, struct slice bytes);
bool follow_wants_raw(const struct zab *z, const struct zab_link *l);
void follow_choose(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p);
void follow_history(struct zab *z, const struct rec_quorum_packet *p);
void follow_serve_packet(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p);
void follow_proposal(struct zab *z, int64_t zxid, struct slice entry);
void follow_activate(struct zab *z, int64_t zxid, int64_t designated);
void follow_newleader_durable(struct zab *z);
void follow_send_acks(struct zab *z);
void follow_send(struct zab *z, enum packet_type type, int64_t zxid, struct slice data);

#endif
