/* effects.h: what a step wants done, as data.
 *
 * The driver carries effects out in this order: persist, links, elections, sends, closes, reads.
 * Bytes stand in two arenas of the effects; records name them by offset, so that arenas may move
 * while they grow. What must be durable before it leaves is emitted when it is: `after` names the
 * ticket all the same, and the driver checks it. */
#ifndef CAUCUS_NODE_EFFECTS_H
#define CAUCUS_NODE_EFFECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum persist_type {
    PERSIST_APPEND,         /* one txn for the log: header + txn + digest */
    PERSIST_ROLL,           /* later appends go to a new log file */
    PERSIST_SNAPSHOT_BEGIN, /* a snapshot of `zxid` begins; carries its first bytes */
    PERSIST_SNAPSHOT_CHUNK,
    PERSIST_SNAPSHOT_END, /* the stream is complete; `digest` belongs to `zxid` */
    PERSIST_SNAPSHOT_ABORT,

    /* Of an ensemble. In the log's order, each with a ticket. */
    PERSIST_ACCEPTED_EPOCH, /* value: written to a file of its own, durable with the ticket */
    PERSIST_CURRENT_EPOCH,
    PERSIST_CONFIG_NEXT, /* the bytes are the text of a proposed configuration
                            (zoo.cfg.dynamic.next), QUORUM_AHEAD included */
    /* ... of the active one; value: its version. The proposed one is void then, but for a newer
     * one: zxid is its version (0 = none), and its file stays. */
    PERSIST_CONFIG,
    /* Everything behind zxid goes, snapshots and log. Answered by NODE_TRUNCATED; value 1: with the
     * tree as the files now have it, 0: the node's tree is right already. */
    PERSIST_TRUNCATE,
    /* The state of the leader, in ZooKeeper's snapshot stream: becomes a snapshot file (digest: of
     * zxid); then the log behind zxid goes. Answered by NODE_INSTALLED. Nothing is sent before. */
    PERSIST_INSTALL_BEGIN,
    PERSIST_INSTALL_CHUNK,
    PERSIST_INSTALL_END,
    PERSIST_INSTALL_ABORT,
};

struct persist_effect {
    enum persist_type type;
    uint64_t ticket; /* rising; durable(ticket) covers everything up to it. Snapshot steps have 0 */
    int64_t zxid;
    uint64_t digest;
    int64_t value;
    size_t at, len; /* in persist_bytes */
};

struct send_effect {
    uint64_t client;
    uint64_t after; /* ticket that must be durable before this may leave; 0 = now */
    size_t at, len; /* in send_bytes; whole frames, length prefix included */
};

struct close_effect {
    uint64_t client;
    const char *reason; /* static text for the log; "" = orderly, not worth a line */
};

/* The driver stops (pause) or resumes reading from a connection: back-pressure. */
struct read_effect {
    uint64_t client;
    bool pause;
};

/* To another server's election port: one message, without the length in front. Lost if there is no
 * channel; a newer one takes the place of one that has not left yet. */
struct election_effect {
    int64_t sid;
    size_t at, len; /* in send_bytes */
};

/* On quorum links (numbers: node.h). In order with each other. */
enum link_effect_type {
    LINK_CONNECT,   /* to the quorum port of `sid`, or its port for observers; answered by
                       NODE_LINK_OPEN or _CLOSED */
    LINK_SEND,      /* bytes; `after` as in send_effect */
    LINK_CLOSE,     /* after what was sent before; NODE_LINK_CLOSED is not given for it */
    LINK_WANT_ROOM, /* NODE_LINK_ROOM, once, when nearly everything sent has left */
    LINK_READ_LOG,  /* transactions from the log files (zab.h, read_log); answered by NODE_LOG_READ
                     */
    LINK_PAUSE,     /* nothing is read from it until LINK_RESUME */
    LINK_RESUME,
};
struct link_effect {
    enum link_effect_type type;
    uint64_t link;
    uint64_t after;
    int64_t sid;
    bool observers; /* of LINK_CONNECT: to the port for observers */
    int64_t after_zxid, until_zxid;
    const char *reason; /* of LINK_CLOSE; static */
    size_t at, len;     /* in send_bytes */
};

/* One line of the log, typed. */
enum trace_type {
    TRACE_SESSION_CREATED,
    TRACE_SESSION_CLOSED,
    TRACE_SESSION_EXPIRED,
    TRACE_SESSION_REFUSED,
    TRACE_SESSION_MOVED,
    TRACE_AUTH_FAILED,
    TRACE_SNAPSHOT_BEGIN,
    TRACE_SNAPSHOT_DONE,
    TRACE_SNAPSHOT_FAILED,
    TRACE_DIGEST_MISMATCH,
    TRACE_QUOTA_SOFT,
    TRACE_WRITES_REFUSED,
    TRACE_WRITES_ACCEPTED,
    TRACE_STATE_REPLACED,
    TRACE_LARGE_REQUEST,
    /* Of an ensemble. */
    TRACE_LOOKING,   /* value: round */
    TRACE_ELECTED,   /* value: sid of the leader */
    TRACE_LEADING,   /* value: epoch */
    TRACE_FOLLOWING, /* value: sid of the leader */
    TRACE_OBSERVING, /* value: sid of the leader */
    TRACE_SERVING,   /* value: epoch */
    TRACE_SERVING_READ_ONLY,
    TRACE_ROLE_LOST,        /* text */
    TRACE_LEARNER_SYNCED,   /* value: sid; text: DIFF, TRUNC, SNAP */
    TRACE_LEARNER_GONE,     /* value: sid; text */
    TRACE_SYNCED_BY,        /* text; zxid */
    TRACE_CONFIG_ACTIVE,    /* value: version */
    TRACE_PEER_REFUSED,     /* value: sid; text */
    TRACE_SESSION_UPGRADED, /* a local session became a global one */
    /* A transaction was applied (only if node_options.audit, or node_tell_changes): session_id,
     * zxid, value: cxid, op: its type; bytes: {int type, int err, ustring path}*, of a multi each
     * part, of a closeSession the ephemerals that went, else the one. */
    TRACE_COMMITTED,
    TRACE_TYPE_COUNT,
};

struct trace_effect {
    enum trace_type type;
    int64_t session_id;
    int64_t zxid;
    uint64_t client;
    int64_t value;
    const char *text; /* static; NULL = none */
    int32_t op;
    size_t at, len; /* in send_bytes; of TRACE_COMMITTED */
};

struct effects {
    struct persist_effect *persists;
    size_t persist_count, persist_cap;
    struct send_effect *sends;
    size_t send_count, send_cap;
    struct close_effect *closes;
    size_t close_count, close_cap;
    struct read_effect *reads;
    size_t read_count, read_cap;
    struct election_effect *elections;
    size_t election_count, election_cap;
    struct link_effect *links;
    size_t link_count, link_cap;
    struct trace_effect *traces;
    size_t trace_count, trace_cap;
    struct buf persist_bytes;
    struct buf send_bytes;
    int64_t deadline_ns; /* when NODE_TICK is wanted next; INT64_MAX = not at all. Always set by a
                            step */
};

/* How much there is to send: bytes, and the list of who gets them (a crowd gets the same bytes). */
static inline size_t effects_send_size(const struct effects *fx)
{
    return fx->send_bytes.len + fx->send_count * sizeof *fx->sends;
}

void effects_clear(struct effects *fx); /* keeps the memory, up to a bound */
void effects_deinit(struct effects *fx);

#endif
