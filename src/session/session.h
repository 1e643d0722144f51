/* session.h: sessions and their expiry (SessionTrackerImpl, ExpiryQueue).
 *
 * A session has an id, a timeout and an owner (the connection it is attached to; 0 = none). Expiry
 * is bucketed on multiples of a grain: a session touched at `now` expires at the first multiple
 * after now + timeout. ZooKeeper's grain is the tick, two seconds mostly, by which a lock of one
 * who died is held longer than he asked for; ours is SESSION_GRAIN_MS where a tick is longer. So
 * most touches find the session in its bucket already and cost one comparison. Time is the
 * monotonic now of the event.
 *
 * Pure; one owner thread. The table owns the sessions: a pointer is good until session_remove of
 * its id. About 90 bytes each. No operation fails. */
#ifndef CAUCUS_SESSION_SESSION_H
#define CAUCUS_SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum {
    SESSION_PASSWORD_BYTES = 16,
    SESSION_GRAIN_MS = 50,
};

struct session {
    int64_t id;
    int32_t timeout_ms;
    bool closing : 1;   /* a closeSession is on its way: writes get SESSIONEXPIRED */
    bool committed : 1; /* its createSession is committed: it belongs into snapshots */
    bool local : 1;     /* known to this server only (localSessionsEnabled) */
    bool heard : 1;     /* on a learner: the leader will be told that it lives */
    /* On a leader, and on a follower for itself and its observers: the server that it is attached
     * to, -1 = none has said so. */
    int16_t owner_sid;
    uint64_t owner;     /* client connection, 0 = none */
    int64_t expires_ms; /* bucket, monotonic */
    struct list bucket; /* intrusive */
};

struct session_table;

struct session_table *session_table_create(int32_t grain_ms, uint64_t hash_seed);
void session_table_free(struct session_table *st);

/* trackSession: a new one, or the one that is there, touched. */
struct session *session_add(struct session_table *st, int64_t id, int32_t timeout_ms,
                            int64_t now_ms);
struct session *session_find(const struct session_table *st, int64_t id);
void session_remove(struct session_table *st, int64_t id); /* an unknown id is nothing */
/* A closing session is not touched any more. `timeout_ms` is that of the connection it is attached
 * to, which may differ from the session's own after a re-attachment (ZooKeeperServer.touch). */
void session_touch(struct session_table *st, struct session *s, int32_t timeout_ms, int64_t now_ms);

/* The next session whose bucket has passed and that is not closing yet; NULL when none. Earlier
 * buckets first, in a bucket in order of arrival. The caller sets closing (session_mark_closing),
 * which takes it out of the buckets; until then it is returned again. */
struct session *session_next_expired(struct session_table *st, int64_t now_ms);
void session_mark_closing(struct session_table *st, struct session *s);
/* When session_next_expired may next have something (never later than it has); INT64_MAX when there
 * are none. */
int64_t session_next_deadline_ms(const struct session_table *st);

/* What a new leader does: everybody has a full timeout again (SessionTrackerImpl's constructor). */
void session_touch_all(struct session_table *st, int64_t now_ms);
/* What was not committed is forgotten, and so is who was attached where and who was closing: the
 * state of the table as a restart would find it. */
void session_reset(struct session_table *st);

size_t session_count(const struct session_table *st);
/* Every session in ascending order of id (unsigned), for snapshots and `dump`. The array is the
 * caller's to free(). */
struct session **session_sorted(const struct session_table *st, size_t *ret_count);
/* Buckets for `dump` (ExpiryQueue.dump), in order of time: for each one call with s == NULL and the
 * number of its sessions, then one with each session. A bucket emptied by touches is there until
 * its time has passed. */
typedef void session_bucket_visit(void *arg, int64_t expires_ms, size_t count,
                                  const struct session *s);
size_t session_bucket_count(const struct session_table *st);
void session_each_by_expiry(const struct session_table *st, session_bucket_visit *visit, void *arg);

/* SessionTrackerImpl.initializeNextSessionId: the server in the high byte, then 40 bits of time,
 * then 16 to count in. The value that marks containers (0x8000000000000000) is never returned by
 * session_next_id. */
int64_t session_first_id(int64_t wall_now_ms, int64_t server_id);
int64_t session_next_id(int64_t *next_id);

/* java.util.Random(id ^ 0xB3415C00).nextBytes(16): the same password on every server. */
void session_password(int64_t id, uint8_t ret_password[SESSION_PASSWORD_BYTES]);

#endif
