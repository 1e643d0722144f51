/* node.h: one replica as a state machine: node_step(event) -> effects.
 *
 * Composes tree, session, watch, and for an ensemble fle and zab. No clock, socket, file, thread,
 * global or random source: time, bytes and seeds come in with events, everything to be done goes
 * out as effects. The driver (server/) carries effects out in the order effects.h gives. The same
 * events give the same effects, to the byte.
 *
 * Life of a write: NODE_CLIENT_FRAME -> prep -> fx.persist (append, ticket) -> ... the log is
 * synced ...
 * -> NODE_DURABLE(ticket) -> applied to the tree, watch events and the reply in fx.sends. Reads are
 * answered in the step that brings them unless an earlier request of the same session is still on
 * its way.
 *
 * In an ensemble a write is committed by a quorum instead (zab/zab.h): on the leader it goes to the
 * followers while our own log syncs; on a learner it is forwarded, and answered when the leader's
 * commit of it comes.
 *
 * Memory: slices in events are borrowed for the step. Effects own their bytes; the driver empties
 * them with effects_clear after carrying them out. One owner thread, the core. */
#ifndef CAUCUS_NODE_NODE_H
#define CAUCUS_NODE_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "fle/fle.h"
#include "node/effects.h"
#include "node/metrics.h"
#include "session/session.h"
#include "tree/acl.h"
#include "tree/snapshot.h"
#include "tree/tree.h"
#include "watch/watch.h"
#include "zab/zab.h"

/* What a digest, super or other secret is made with, handed in because the core may not call a
 * crypto library: base64(HASH(text)) written to `ret` (<= 128 bytes), its length returned; 0 = not
 * available. Must be a pure function. */
typedef size_t node_digest_fn(struct slice text, char ret[128]);

/* One step of a client's SASL, handed in like the digest. What it remembers is of one connection,
 * and nothing of it comes into the tree. */
enum node_sasl_outcome {
    NODE_SASL_MORE,
    NODE_SASL_DONE,
    NODE_SASL_FAILED,
};
struct node_sasl_answer {
    enum node_sasl_outcome outcome;
    struct slice token; /* for the client; null = none. Borrowed until the next step */
    struct slice user;  /* NODE_SASL_DONE; likewise */
    bool super;         /* who may do everything */
};
typedef void node_sasl_fn(void *driver, uint64_t client, struct slice token,
                          struct node_sasl_answer *ret);

struct node_options {
    uint64_t seed;                    /* every random choice of this node comes from here */
    int64_t server_id;                /* high byte of session ids */
    int32_t tick_ms;                  /* tickTime */
    int32_t session_timeout_min_ms;   /* minSessionTimeout */
    int32_t session_timeout_max_ms;   /* maxSessionTimeout */
    size_t frame_bytes_max;           /* jute.maxbuffer */
    uint32_t snap_count;              /* snapCount: a snapshot after snap_count/2 + random txns */
    uint64_t snap_size_bytes;         /* snapSizeLimitInKb, 0 = off */
    size_t outstanding_max;           /* globalOutstandingLimit */
    int64_t large_request_bytes;      /* largeRequestThreshold, <= 0 = off */
    int64_t large_requests_bytes_max; /* largeRequestMaxBytes */
    size_t throttle_requests_max;     /* request_throttle_max_requests, 0 = off */
    int64_t throttle_stall_ms;    /* request_throttle_stall_time, 0 = look again after answers */
    int64_t throttled_op_wait_ms; /* throttled_op_wait_time, 0 = off */
    bool throttle_drop_stale;     /* request_throttle_drop_stale */
    bool stale_connection_check;  /* request_stale_connection_check */
    bool stale_latency_check;     /* request_stale_latency_check */
    int64_t container_check_interval_ms;
    int32_t container_per_minute_max;
    int64_t container_never_used_ms; /* 0 = never */
    bool audit;                      /* audit.enable: TRACE_COMMITTED for each transaction */
    bool skip_acl;
    bool enforce_quota;
    bool close_session_txn;
    bool reconfig_enabled;
    bool digest_auth_enabled;       /* DigestAuthenticationProvider.enabled */
    char super_digest[256];         /* DigestAuthenticationProvider.superDigest, "" = none */
    bool enforce_auth;              /* enforce.auth.enabled */
    char enforce_auth_schemes[128]; /* enforce.auth.schemes, comma separated */
    bool require_sasl;              /* sessionRequireClientSASLAuth */
    bool x509;                      /* clients may have shown certificates */
    char x509_super[1024];          /* X509AuthenticationProvider.superUser, "" = none */
    char ensemble_auth_name[256];   /* ensembleAuthName, "" = any */
    node_digest_fn *digest;
    node_sasl_fn *sasl; /* NULL: no login context is configured */
    void *sasl_driver;
    bool allow_sasl_failed;               /* allowSaslFailedClients */
    const struct node_ensemble *ensemble; /* NULL = alone; read by node_create only */
};

/* A server of an ensemble; without it (NULL in node_options) the server stands alone. */
struct node_ensemble {
    const struct quorum *config;           /* active at the start; copied */
    const struct quorum *config_seen;      /* proposed, not active; NULL = none; copied */
    int64_t accepted_epoch, current_epoch; /* as the files have them */
    /* The newest transactions of the recovered log, {int length, entry}*, without gaps up to the
     * tree's last; learners that are behind are served from them. Empty is fine. */
    struct slice recent;
    bool observer;                                 /* peerType=observer */
    bool observer_masters;                         /* observerMasterPort is set */
    int32_t init_limit, sync_limit, connect_limit; /* ticks */
    size_t commit_log_count;
    bool log_sync; /* snapshotSizeFactor > 0 */
    size_t snap_syncs_max, diff_syncs_max;
    int64_t finalize_wait_ms, notification_ms_min, notification_ms_max;
    int64_t connect_retry_ms;
    bool leader_serves; /* leaderServes */
    bool local_sessions, local_sessions_upgrade;
    bool read_only_mode; /* readonlymode.enabled */
    bool eager_acl;      /* enableEagerACLCheck */
    bool standalone_enabled;
    int64_t observer_election_delay_ms;
    uint32_t zxid_counter_max; /* the last counter of an epoch; 0 = ZXID_COUNTER_MAX */
};

struct node;

/* Takes over `tree` (recovered; its last zxid is where this node goes on) and the recovered
 * sessions, whose timeouts begin at now_ns. Ephemerals of sessions that are gone are removed
 * (ZooKeeperServer.loadData). */
struct node *node_create(const struct node_options *options, struct tree *tree,
                         const struct snapshot_session *sessions, size_t session_count,
                         int64_t now_ns);
void node_free(struct node *n);

enum node_event_type {
    NODE_TICK,          /* time has passed (fx.deadline_ns was reached, or any time) */
    NODE_CLIENT_OPEN,   /* a connection was accepted */
    NODE_CLIENT_FRAME,  /* one frame of it, without the length */
    NODE_CLIENT_CLOSED, /* it is gone (by the peer, by an error, or after fx.closes) */
    NODE_DURABLE,       /* everything up to `ticket` is on disk */
    NODE_DISK_FAILED, /* no write will ever become durable again; reads go on until the driver stops
                       */
    NODE_DISK_FULL,   /* disk_full: new writes are answered SYSTEMERROR until it is false again */
    NODE_SNAPSHOT_REQUEST, /* take one now (admin) */
    NODE_SNAPSHOT_PULL,    /* the snapshot writer has room for `bytes_max` more bytes */
    NODE_SNAPSHOT_DONE,    /* the file of snapshot `zxid` is durable, or `failed` */
    NODE_REPLACE_STATE,    /* admin restore: take over another tree */
    NODE_STOP, /* refuse new requests; what is appended is still answered when durable. A leader
                  hands over first: node_stopped says when it is done */

    /* Of an ensemble. */
    NODE_START,            /* the driver is ready: the election may begin */
    NODE_ELECTION_CHANNEL, /* election.up: there is (no longer) a channel to election.sid */
    NODE_ELECTION_MESSAGE, /* from election.sid: election.bytes, without the length in front */
    NODE_LINK_OPEN,  /* inbound: a server connected to our quorum port; else: LINK_CONNECT worked */
    NODE_LINK_BYTES, /* whatever came, in order, chopped anywhere */
    NODE_LINK_CLOSED, /* gone, or could not be made; the number never comes again */
    NODE_LINK_ROOM,   /* see LINK_WANT_ROOM */
    NODE_LOG_READ,    /* a piece of what LINK_READ_LOG asked for */
    NODE_TRUNCATED,   /* see PERSIST_TRUNCATE */
    NODE_INSTALLED,   /* see PERSIST_INSTALL_BEGIN */
    NODE_ORACLE,      /* oracle_says */
};

struct node_event {
    enum node_event_type type;
    int64_t now_ns;  /* monotonic */
    int64_t wall_ms; /* wall clock, milliseconds since 1970: for ctime, mtime and TTLs only */
    uint64_t client; /* NODE_CLIENT_*: the driver's number of the connection; never used again */
    union {
        struct {
            struct slice address; /* of the peer, text: the "ip" identity */
            bool secure;
            struct slice x509; /* the subject of its certificate; null = it has shown none */
        } open;
        struct slice frame;
        uint64_t ticket;  /* NODE_DURABLE */
        bool disk_full;   /* NODE_DISK_FULL */
        size_t bytes_max; /* NODE_SNAPSHOT_PULL */
        struct {
            int64_t zxid;
            bool failed;
        } snapshot_done;
        struct {
            struct tree *tree;
            const struct snapshot_session *sessions;
            size_t session_count;
        } replace; /* NODE_REPLACE_STATE, NODE_TRUNCATED: the node takes over the tree; NULL in
                      NODE_TRUNCATED = it keeps its own (ok) or could not (failed) */
        struct {
            int64_t sid;
            bool up;
            struct slice bytes;
        } election;
        struct {
            uint64_t
                link; /* the driver's number, below NODE_LINK_OURS; ours (LINK_CONNECT) above */
            bool inbound;
            bool observers;        /* inbound: on the port for observers */
            struct slice bytes;    /* NODE_LINK_BYTES; NODE_LOG_READ: {int length, entry}* */
            enum zab_log_read how; /* NODE_LOG_READ */
        } link;
        bool oracle_says;
    };
    bool failed; /* NODE_TRUNCATED, NODE_INSTALLED: could not be done */
};

/* Numbers of links that the node asked for. */
#define NODE_LINK_OURS (UINT64_C(1) << 63)

void node_step(struct node *n, const struct node_event *ev, struct effects *fx);

/* Of a client's bytes that hold several frames, before they are stepped one by one: brings near
 * what they will read. Changes nothing. How many of the first frames it has looked at; a part of
 * one, or one that is too long, ends it. */
size_t node_look_ahead(const struct node *n, struct slice frames);

/* Reading the state, for commands and metrics. Borrowed, valid until the next step. */
const struct tree *node_tree(const struct node *n);
struct session_table *node_sessions(const struct node *n);
/* Those of this server alone; NULL = there are none (localSessionsEnabled). */
const struct session_table *node_local_sessions(const struct node *n);
const struct watch_table *node_watches(const struct node *n);
struct node_metrics *node_metrics(struct node *n);
uint64_t node_outstanding(const struct node *n); /* requests taken and not answered */
bool node_snapshot_active(const struct node *n);

enum node_role {
    NODE_ALONE,
    NODE_LOOKING,
    NODE_LEADING,
    NODE_FOLLOWING,
    NODE_OBSERVING,
};
enum node_role node_role(const struct node *n);
bool node_serving(const struct node *n);          /* requests are answered (also read-only) */
bool node_read_only(const struct node *n);        /* without a quorum, reads only */
bool node_stopped(const struct node *n);          /* after NODE_STOP: nothing is owed to anybody */
const struct zab *node_zab(const struct node *n); /* NULL = alone */
const struct fle *node_fle(const struct node *n); /* NULL = alone */
size_t node_client_count(const struct node *n);
void node_reset_stats(struct node *n); /* srst */
/* TRACE_COMMITTED without the audit log: from now on, for who watches. Of one transaction at most
 * NODE_TOLD_CHANGES_MAX parts. */
enum {
    NODE_TOLD_CHANGES_MAX = 64
};
void node_tell_changes(struct node *n, bool on);

/* One connection, as `cons` and /commands/connections show it. */
struct node_client_view {
    uint64_t client;
    struct slice address;
    bool secure;
    int64_t session_id; /* 0 = no session yet */
    int32_t timeout_ms;
    int64_t opened_wall_ms;
    uint64_t received, sent, outstanding;
    const char *last_op; /* "NA", "GETD", ... */
    int64_t last_cxid, last_zxid;
    int64_t last_response_ms, last_latency_ms, latency_min_ms, latency_max_ms, latency_total_ms;
    uint64_t latency_count; /* of the responses in latency_total_ms */
    struct identities who;
};
typedef void node_client_visit(void *arg, const struct node_client_view *view);
void node_each_client(const struct node *n, node_client_visit *visit,
                      void *arg); /* in order of opening */
bool node_client(const struct node *n, uint64_t client, struct node_client_view *ret);
void node_reset_client_stats(struct node *n); /* crst */

/* Checks an identity's permission on a path outside of any connection (admin commands): 0,
 * ZK_NONODE, ZK_NOAUTH. */
int32_t node_check_acl(const struct node *n, struct slice path, int32_t perm,
                       struct identities who);
/* Identities for "scheme auth" given outside of a connection (HTTP Authorization): 0 or
 * ZK_AUTHFAILED; appends id text. */
int32_t node_authenticate(const struct node *n, struct slice scheme, struct slice auth,
                          struct slice address, struct buf *ret_id, struct slice *ret_scheme);

#endif
