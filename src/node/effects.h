/* effects.h: what a step wants done, as data.
 *
 * The driver carries effects out in this order: persist, sends, closes, reads. Bytes stand in two
 * arenas of the effects; records name them by offset, so that arenas may move while they grow. */
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
};

struct persist_effect {
    enum persist_type type;
    uint64_t ticket; /* rising; durable(ticket) covers everything up to it. Snapshot steps have 0 */
    int64_t zxid;
    uint64_t digest;
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
};

struct trace_effect {
    enum trace_type type;
    int64_t session_id;
    int64_t zxid;
    uint64_t client;
    int64_t value;
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
    struct trace_effect *traces;
    size_t trace_count, trace_cap;
    struct buf persist_bytes;
    struct buf send_bytes;
    int64_t deadline_ns; /* when NODE_TICK is wanted next; INT64_MAX = not at all. Always set by a
                            step */
};

void effects_clear(struct effects *fx); /* keeps the memory, up to a bound */
void effects_deinit(struct effects *fx);

#endif
