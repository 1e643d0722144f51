/* node_internal.h: the state of a replica, shared by the files of node/ only. */
#ifndef CAUCUS_NODE_NODE_INTERNAL_H
#define CAUCUS_NODE_NODE_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "base/slab.h"
#include "node/ensemble.h"
#include "node/fifo.h"
#include "node/node.h"
#include "tree/apply.h"
#include "tree/prep.h"
#include "wire/records.h"
#include "wire/zk.h"

enum client_state {
    CLIENT_NEW,        /* expects a ConnectRequest */
    CLIENT_CONNECTING, /* its createSession is on the way; frames are held */
    CLIENT_READY,
    CLIENT_CLOSING, /* fx.closes was given; whatever else it sends is ignored */
};

/* Per connection; more authentications are refused. The first one (the address) always fits. */
enum {
    IDENTITIES_MAX = 1024,
    IDENTITIES_BYTES_MAX = 4 * 1024 * 1024
};

struct client_stats {
    uint64_t received, sent;
    const char *last_op;
    int64_t last_cxid, last_zxid;
    int64_t last_response_ms, last_latency_ms, latency_min_ms, latency_max_ms, latency_total_ms;
    uint64_t latency_count;
};

/* Answers made in one step. Requests are small and answers may be large, so what waits in a queue
 * can ask for any amount of memory at once: a commit goes on in the next step when the answers so
 * far exceed the first bound, and a connection whose queue alone exceeds the second is closed. */
enum {
    COMMIT_BYTES_MAX = 16 << 20,
    DRAIN_BYTES_MAX = 64 << 20,
};

/* A connection. Identities only ever grow, so "the identities at the time of a request" is a count.
 */
struct client {
    uint64_t id;
    enum client_state state;
    bool secure;
    bool paused;
    bool wants_read_only_reply; /* its ConnectRequest had the optional byte */
    struct identity *identities;
    uint32_t identity_count;
    uint32_t outstanding; /* requests with xid > 0, queued or held, as ServerCnxn counts them */
    struct client_stats stats; /* so far: what telling it of a watch touches */
    struct list order;         /* node.clients_in_order */
    uint32_t waiting;          /* earlier writes of its session that a FIFO_WAIT stands for */
    int32_t timeout_ms;
    struct session *session; /* NULL unless attached; the session's owner is this client's id */
    int64_t session_id;      /* stays after the session is gone, for views and replies */
    int64_t opened_wall_ms;
    size_t identity_bytes;
    struct fifo fifo;
    struct list held; /* those of node.held that are its */
    size_t held_count, held_bytes;
};

/* A request whose header was read and which was let in. */
struct request {
    int32_t xid, op;
    int64_t received_ns;
    int64_t large_bytes;     /* counted against largeRequestMaxBytes */
    uint32_t identity_count; /* of its client, when it came */
    struct slice record;
};

/* A txn that is in the log's hands and not yet committed. Its bytes are our own copy. */
struct proposal {
    int64_t zxid;
    uint64_t ticket;
    uint64_t client; /* who waits for it; 0 = nobody (expiry, reaper) */
    bool wait;       /* ... with a FIFO_WAIT, not with the request itself */
    struct rec_txn_header hdr;
    struct rec_txn_digest digest;
    size_t at, len; /* of the body, in node.proposal_bytes */
};

struct node {
    struct node_options options;
    struct tree *tree;
    struct prep *prep;
    struct session_table *sessions;
    struct watch_table *watches;
    struct node_metrics metrics;
    struct ensemble *ensemble;            /* NULL = alone */
    struct session_table *local_sessions; /* NULL = there are none (localSessionsEnabled) */
    struct effects *fx;                   /* of the event being stepped */

    struct map clients;
    struct slab client_slab; /* together, so that telling thousands misses few pages */
    struct list clients_in_order;
    size_t client_count;
    size_t inflight; /* entries in all fifos */
    int64_t large_bytes;

    struct list held; /* requests that wait for room (throttle.c) */
    size_t held_count;
    bool held_head_waits;  /* there was no room for the first of them */
    int64_t held_check_ns; /* when to look at it again; only if held_head_waits */

    struct proposal *proposals; /* a ring; capacity is a power of two */
    size_t proposal_head, proposal_count, proposal_cap;
    struct buf proposal_bytes;
    size_t proposal_bytes_head;

    int64_t now_ns, wall_ms; /* of the event being stepped */
    int64_t last_proposed_zxid;
    uint64_t last_ticket;
    uint64_t durable_ticket; /* alone: everything up to it may be applied */
    int64_t committed_zxid;  /* in an ensemble: everything up to it may be applied */
    int64_t next_session_id; /* 0 until the first session is made */

    uint64_t prng;
    uint64_t txns_since_snapshot, bytes_since_snapshot;
    uint64_t snapshot_after_txns, snapshot_after_bytes;
    bool snapshot_active;  /* from BEGIN until NODE_SNAPSHOT_DONE */
    bool snapshot_wanted;  /* asked for while one was active */
    int64_t snapshot_zxid; /* of the active one */
    int64_t snapshot_paced_ns;

    int64_t next_container_check_ns, next_reap_ns;
    struct buf reap_paths; /* containers and TTL znodes that may go, as ustrings */
    size_t reap_at;        /* the next of them */
    bool disk_full, disk_failed, stopping;
    bool tells_changes; /* node_tell_changes */

    struct tree_effects tree_fx;
};

static inline int32_t node_expiry_grain_ms(const struct node *n)
{
    return n->options.tick_ms < SESSION_GRAIN_MS ? n->options.tick_ms : SESSION_GRAIN_MS;
}

static inline int64_t node_now_ms(const struct node *n)
{
    return n->now_ns / 1000000;
}

/* Whether writes become proposals here. */
static inline bool node_proposes(const struct node *n)
{
    return n->ensemble == NULL || (n->ensemble->role == NODE_LEADING && n->ensemble->serving);
}

/* Whether requests of clients are answered here. */
static inline bool node_serves(const struct node *n)
{
    return n->ensemble == NULL || n->ensemble->serving;
}

static inline struct client *client_find(const struct node *n, uint64_t id)
{
    return map_get(&n->clients, id);
}

static inline struct identities client_identities(const struct client *c)
{
    return (struct identities){c->identities, c->identity_count};
}

/* client.c */
void on_client_open(struct node *n, const struct node_event *ev);
void on_client_frame(struct node *n, const struct node_event *ev, struct effects *fx);
void on_client_closed(struct node *n, uint64_t id, struct effects *fx);
void client_forget(struct node *n, struct client *c);
void client_close(struct client *c, const char *reason, struct effects *fx);
bool client_add_identity(struct client *c, struct slice scheme, struct slice id);
void client_throttle(struct node *n, struct client *c, struct effects *fx);
/* A queued request of this client is answered. */
void client_popped(struct node *n, struct client *c, const struct fifo_entry *e,
                   struct effects *fx);
/* Answers whatever stands ready at the head of the queue, up to the next write that is still on its
 * way. */
void client_drain(struct node *n, struct client *c, struct effects *fx);
/* One of the things its FIFO_WAIT stands for has come. */
void client_waited(struct node *n, struct client *c, struct effects *fx);
/* The role in which they were served is over: nobody is waited for any more. */
void clients_let_go(struct node *n, const char *reason, struct effects *fx);

/* node.c */
/* Another tree, and its sessions, take the place of ours. */
void node_adopt(struct node *n, struct tree *tree, const struct snapshot_session *sessions,
                size_t session_count);

/* connect.c */
void on_connect(struct node *n, struct client *c, struct slice frame, struct effects *fx);
void connect_established(struct node *n, struct client *c, struct effects *fx);
/* The leader's word on a session that wants to be continued here. */
void connect_revalidated(struct node *n, struct client *c, bool valid, struct effects *fx);
void session_attach(struct client *c, struct session *s);
int64_t session_fresh_id(struct node *n);
/* Nothing is read from the connection until connect_established or its refusal. */
void connect_hold(struct client *c, struct effects *fx);
/* The createSession is on its way (zxid 0: to the leader). */
void connect_wait_for_session(struct node *n, struct client *c, int64_t zxid, struct effects *fx);
void connect_refuse(struct node *n, struct client *c, struct effects *fx);
/* Closes the connection that has it, if any is left; what that one left unsaid comes first. */
void session_take(struct node *n, struct session *s, struct effects *fx);
void session_detach_owner(struct node *n, struct session *s, const char *reason,
                          struct effects *fx);

/* request.c */
void on_request(struct node *n, struct client *c, struct slice frame, struct effects *fx);
void request_process(struct node *n, struct client *c, const struct request *r, struct effects *fx);
/* In its turn it is answered THROTTLEDOP. */
void request_throttled(struct node *n, struct client *c, const struct request *r,
                       struct effects *fx);
bool op_is_write(int32_t op);
void request_enqueue(struct node *n, struct client *c, struct fifo_entry entry, struct slice bytes,
                     struct effects *fx);
struct fifo_entry request_entry(const struct request *r, enum fifo_kind kind, int32_t err);

/* throttle.c: only if options.throttle_requests_max > 0 */
/* true = the request waits, its record copied; false = there is room, process it now. */
bool throttler_holds(struct node *n, struct client *c, const struct request *r, struct effects *fx);
/* Processes what waits, as far as there is room. */
void throttler_run(struct node *n, struct effects *fx);
/* The connection is gone: drops what it has waiting, or carries it out unheard. */
void throttler_let_go(struct node *n, struct client *c, struct effects *fx);
void throttler_discard(struct node *n, struct client *c);
int64_t throttler_deadline_ns(const struct node *n);

/* propose.c */
struct proposal_request {
    uint64_t client;
    int64_t session_id;
    int32_t cxid;
    int32_t op;
    struct slice record;
    struct identities who;
    int32_t session_err;
    int32_t global_session_err;
    int32_t timeout_ms; /* of a createSession */
    bool always_txn;    /* as in prep.h, of a request that was forwarded to us */
    int32_t refused;
};
/* Whether there can be a proposal now. Asked before anything changes for its sake: at the end of an
 * epoch this begins the next one, and says no until it is there. */
bool propose_ready(struct node *n, struct effects *fx);
/* 0 when a proposal was made (its zxid in *ret_zxid, an error txn included), else the error to
 * answer at once. */
int32_t propose(struct node *n, const struct proposal_request *req, struct effects *fx,
                int64_t *ret_zxid);
/* The newest proposal of a session that is not committed yet now has `client` waiting for it; false
 * = there is none. Whoever waited for it before must be gone. */
bool proposal_wait_for(struct node *n, int64_t session_id, uint64_t client);
/* A leader's proposal, already in the log's hands. */
static inline struct proposal *proposal_at(const struct node *n, size_t i)
{
    return &n->proposals[(n->proposal_head + i) & (n->proposal_cap - 1)];
}
bool proposal_is_committed(const struct node *n, const struct proposal *p);
void proposal_accept(struct node *n, const struct txn_entry *entry, uint64_t ticket);
/* Measures how long what became durable took, in an ensemble. */
void proposals_durable(struct node *n, uint64_t after, uint64_t until);
/* Applies what is durable (in an ensemble: committed), as far as one step may go. */
void commit_ready(struct node *n, struct effects *fx);
/* All of it: only while no clients are there who could be answered without bound. */
void commit_all(struct node *n, struct effects *fx);
bool commit_is_behind(const struct node *n);
/* How many of the oldest it has looked at, one at least if any is committed. */
size_t commit_look_ahead(const struct node *n);
/* How many of the oldest it has looked at; 0: the oldest is no read. */
size_t drain_look_ahead(const struct node *n, const struct fifo *f);
/* Whether everything up to zxid that we know of is applied. */
bool commit_has_reached(const struct node *n, int64_t zxid);
void proposals_drop_after(struct node *n, int64_t zxid);
void proposals_drop_all(struct node *n);
/* The newest transaction in our log. */
int64_t proposals_last_zxid(const struct node *n);

/* audit.c: a transaction was just applied (n->tree_fx); what the audit log has to know of it. */
void audit_trace(struct node *n, const struct proposal *p, struct effects *fx);

/* write_reply.c: the answer to a write that was just applied (n->tree_fx). */
void reply_to_write(struct node *n, struct client *c, const struct fifo_entry *e,
                    struct effects *fx);

/* read.c: answers a request that changes nothing, now. `who` are the identities of its time. */
void answer_read(struct node *n, struct client *c, int32_t op, int32_t xid, struct slice record,
                 struct identities who, struct effects *fx);
bool op_is_read(int32_t op);
/* getData and getChildren, also inside a multiRead: 0 and the response record in `out`, or an
 * error. */
int32_t read_data(struct node *n, struct client *c, struct slice path, bool watch,
                  struct identities who, struct buf *out);
int32_t read_children(struct node *n, struct client *c, struct slice path, bool watch,
                      bool with_stat, struct identities who, struct buf *out);

/* multi_read.c */
int32_t answer_multi_read(struct node *n, struct client *c, struct dec *d, struct identities who,
                          struct buf *out, bool *ret_keep_body);

/* watch_ops.c */
int32_t answer_watch_op(struct node *n, struct client *c, int32_t op, struct dec *d,
                        struct buf *out, struct effects *fx);
void fire_watches(struct node *n, int64_t zxid, struct effects *fx);

/* auth.c */
void on_auth(struct node *n, struct client *c, int32_t xid, struct dec *d, struct effects *fx);
void on_sasl(struct node *n, struct client *c, int32_t xid, struct dec *d, struct effects *fx);
bool auth_enforced(struct node *n, struct client *c, int32_t xid, struct effects *fx);

/* timers.c */
void run_timers(struct node *n, struct effects *fx);
int64_t next_deadline_ns(const struct node *n);

/* snapshots.c */
void snapshot_plan(struct node *n);
void snapshot_consider(struct node *n, size_t txn_bytes, struct effects *fx);
void on_snapshot_request(struct node *n, struct effects *fx);
void on_snapshot_pull(struct node *n, size_t bytes_max, struct effects *fx);
void on_snapshot_done(struct node *n, const struct node_event *ev, struct effects *fx);
/* Gives up the snapshot that is being taken, if any. */
void snapshot_give_up(struct node *n, struct effects *fx);
/* Takes the one that had to wait. */
void snapshot_catch_up(struct node *n, struct effects *fx);
/* The sessions that belong into a snapshot; the list is the caller's to free(). */
struct snapshot_session *snapshot_sessions(struct node *n, size_t *ret_count);
/* xorshift64*: the seed came with the options, so a run can be repeated. */
uint64_t node_random_below(struct node *n, uint64_t bound);

/* reply.c: frames into the effects. */
size_t reply_begin(struct effects *fx, int32_t xid, int64_t zxid, int32_t err);
void reply_end(struct node *n, struct client *c, size_t begun, struct effects *fx);
/* reply_end in two halves, for a frame that several clients get: its length, then one client. */
size_t reply_seal(struct effects *fx, size_t begun);
void reply_send(struct node *n, struct client *c, size_t begun, size_t len, struct effects *fx);
/* A reply without a body. */
void reply_header(struct node *n, struct client *c, int32_t xid, int64_t zxid, int32_t err,
                  struct effects *fx);
/* Turns what was begun into a bare error reply (the body so far is dropped). */
void reply_fail(struct effects *fx, size_t begun, int32_t err);
/* The four letters by which `cons` names an operation. */
const char *op_short_name(int32_t op);
/* The statistics of an answered request (ServerCnxn.updateStatsForResponse). */
void reply_stats(struct node *n, struct client *c, const char *op_name, int32_t xid,
                 int64_t received_ns, bool write);

#endif
