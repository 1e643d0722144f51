/* ensemble.h: what a node that is a member of an ensemble has beside a node that stands alone.
 * Private to node/.
 *
 *   LOOKING --fle decided--> zab leads or follows --host.established--> serving
 *      ^-------------------------------- host.lost ------------------------'
 *
 * What zab and fle ask of us in their host functions is done at once where it cannot lead back into
 * them; whatever can (the end of a role, a new election) is noted and done at the end of the step.
 *
 * Invariants:
 * 1. The ring of proposals holds exactly what is in the log and not applied; a change of role does
 *    not touch it, only TRUNC and SNAP do, when the disk has done so.
 * 2. `forwarded` has the writes of this server's clients in the order in which they went to the
 *    leader, which is the order in which their transactions are committed (CommitProcessor).
 * 3. While the disk takes something back (truncating, installing) there is no election. */
#ifndef CAUCUS_NODE_ENSEMBLE_H
#define CAUCUS_NODE_ENSEMBLE_H

#include "base/map.h"
#include "node/node.h"

struct client;
struct session;
struct proposal;
struct request;
struct proposal_request;

/* A write that was forwarded and not committed yet. */
struct forwarded {
    uint64_t client; /* who waits; 0 = nobody */
    int64_t session_id;
    int32_t cxid;
    bool wait; /* the client waits with a FIFO_WAIT: the request was of an older connection */
};

/* A sync that was not answered yet. */
struct sync_wait {
    uint64_t client;
    int64_t zxid; /* what must be applied first; -1 = the leader has not said so yet */
};

struct forwarded_ring {
    struct forwarded *items; /* capacity is a power of two */
    size_t head, count, cap;
};

struct sync_ring {
    struct sync_wait *items;
    size_t head, count, cap;
    size_t told; /* of the oldest: those with a zxid */
};

/* The leader's state on its way to us. */
struct install {
    struct tree *tree; /* NULL = none is */
    struct snapshot_loader *loader;
    struct snapshot_session *sessions; /* when it is whole */
    size_t session_count;
    int64_t zxid;
};

struct ensemble {
    struct node_ensemble options; /* without the configurations */
    struct zab *zab;
    struct fle *fle;
    size_t outstanding_max;      /* globalOutstandingLimit as configured */
    int64_t next_config_version; /* of the last PERSIST_CONFIG_NEXT, or found at the start */
    bool next_config_ahead;      /* and what it says (QUORUM_AHEAD) */

    enum node_role role;
    bool started;
    bool voting;    /* an election runs */
    bool serving;   /* requests are answered */
    bool read_only; /* ... of those who are content with that */
    bool handing_over, rolling_over, left;
    const char *lost;         /* the role is over; NULL = it is not */
    struct buf newer_config;  /* of another server, seen in the election; empty = none */
    int64_t look_at_ns;       /* no election before */
    int failures;             /* roles in a row that were over before they served */
    int64_t looking_since_ns; /* 0 = not looking */
    int64_t role_since_ns, unavailable_since_ns;
    int64_t read_only_at_ns; /* INT64_MAX = not */
    uint64_t last_link;

    bool truncating;
    int64_t truncate_zxid; /* of the truncation under way */
    bool installing;       /* whole, and in the disk's hands */
    struct install install;
    struct buf walk_head; /* begun by snapshot_begin, not handed out yet */
    bool walking;         /* the tree's walk is for learners */
    bool walk_wanted;     /* zab waits until the tree can be walked */

    struct forwarded_ring forwarded;
    struct sync_ring syncs;
    struct map revalidations; /* session id -> struct client * */
    int64_t *heard;           /* sessions to tell the leader of */
    size_t heard_count, heard_cap;
    int64_t heard_told_ns; /* when it was last told without being asked */
    struct rec_id *who;    /* scratch: identities as they are forwarded */
    size_t who_cap;
    struct identity *asker; /* scratch: identities of a forwarded request */
    size_t asker_cap;
    bool dirty; /* something was given to zab since zab_flush */
};

/* ---- ensemble.c: roles ---- */
struct ensemble *ensemble_create(struct node *n, const struct node_ensemble *options);
void ensemble_free(struct ensemble *e);
void on_ensemble_event(struct node *n, const struct node_event *ev);
/* At the end of a step: elections, the ends of roles, what became committed. */
void ensemble_run(struct node *n);
int64_t ensemble_deadline_ns(const struct node *n);
/* The role ends at the end of the step. */
void ensemble_lose(struct node *n, const char *reason);
void ensemble_stop(struct node *n);
void ensemble_share_outstanding(struct node *n, const struct quorum *q);
/* /zookeeper/config says what configuration is active. */
void ensemble_init_config(struct node *n);
void ensemble_show_config(struct node *n, const struct quorum *active);
/* Of a leader's tree: a newer one stays, NEWLEADER is about to tell of it. */
void ensemble_keep_config(struct node *n);
/* Whether clients may come: only where they would be answered. */
bool ensemble_accepts_clients(const struct node *n);

/* ---- replicate.c: the log and the tree for zab ---- */
void replicate_host(struct zab_host *host);
/* A configuration that is about to be proposed is on disk before the transaction that proposes it.
 */
void replicate_config_next(struct node *n, const struct quorum *q, bool ahead);
/* The proposal that was just made goes to the followers. */
void replicate_propose(struct node *n, int64_t zxid, struct slice entry, uint64_t ticket,
                       const struct quorum *next_config);
/* It was the last of the epoch, and stays with us. */
void replicate_roll_over(struct node *n, int64_t zxid, struct slice entry, uint64_t ticket);

/* ---- transfer.c: whole states ---- */
void transfer_host(struct zab_host *host);
void on_truncated(struct node *n, const struct node_event *ev);
void on_installed(struct node *n, const struct node_event *ev);
/* A learner that waits for a walk over the tree gets its turn. */
void transfer_run(struct node *n);
void transfer_role_over(struct node *n);

/* ---- member_requests.c: requests of our clients ---- */
/* True = taken care of; false = it becomes a proposal here. */
bool member_write(struct node *n, struct client *c, const struct request *r, struct effects *fx);
/* True = the sync waits; false = it may be answered like a read. */
bool member_sync(struct node *n, struct client *c, const struct request *r, struct effects *fx);
bool member_refuses(struct node *n, struct client *c, const struct request *r, struct effects *fx);
void member_open_session(struct node *n, struct client *c, struct effects *fx);
void member_reopen_session(struct node *n, struct client *c, struct effects *fx);
/* Earlier writes of the session that are still on the way to the leader. */
bool forwarded_wait_for(struct node *n, int64_t session_id, uint64_t client);
/* Finds who waits here for what is being committed. */
void forwarded_match(struct node *n, struct proposal *p);
void syncs_run(struct node *n, struct effects *fx);
void member_requests_host(struct zab_host *host);
void member_requests_role_over(struct node *n);
/* A request was heard of a session: true = its expiry is not our business. */
bool member_touch(struct node *n, struct client *c);
/* The leader is to be told that this session was heard of. */
void member_heard(struct node *n, struct session *s);
void member_tell(struct node *n); /* the leader, of whom we heard, when it is time */
int64_t member_tell_deadline_ns(const struct node *n);

/* ---- owner.c: requests and sessions of learners, on the leader ---- */
void owner_host(struct zab_host *host);
/* SessionTracker.checkSession and checkGlobalSession for a request from server `sid`. */
void owner_check(struct node *n, int64_t session_id, int64_t sid, int32_t *ret_err,
                 int32_t *ret_global_err);
/* Ephemerals that belong to no session are removed by transactions. */
void owner_close_orphans(struct node *n);

/* ---- local_sessions.c ---- */
void local_session_open(struct node *n, struct client *c, struct effects *fx);
/* The client's local session becomes a global one, as far as this server is concerned. */
void local_session_upgrade(struct node *n, struct client *c, struct effects *fx);
void local_session_close(struct node *n, struct client *c, int32_t xid, struct effects *fx);
void local_sessions_expire(struct node *n, struct effects *fx);
/* Its createSession was committed. */
void local_session_committed(struct node *n, struct session *global, struct effects *fx);
bool request_creates_ephemeral(int32_t op, struct slice record);

/* ---- reconfig.c ---- */
/* What becomes of a reconfig request in the txn `zxid`: 0, the new configuration and its text; or
 * the error. The record was found whole. */
int32_t reconfig_plan(struct node *n, struct slice record, int64_t zxid, struct quorum **ret_next,
                      struct buf *ret_text);

#endif
