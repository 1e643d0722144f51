/* coordination_internal.h: the state behind coordination.h, and who of its files does what.
 *
 *   coordination.c          the handle, its session, the loop
 *   coordination_calls.c    requests that are always answered later, watches that are set by reads
 *   coordination_setup.c    the nodes that everything stands in
 *   coordination_follow.c   what is known of the nation and of the states
 *   coordination_fresh.c    a state as it is now
 *   coordination_crew.c     our LiveNode among the servers
 *   coordination_claim.c    which member we are, and that nobody else is
 *   coordination_shard.c    what shards ask for
 *   coordination_bury.c     LiveNodes of a process that died
 *   coordination_survey.c   everything at one moment
 *   coordination_command.c  start and stop, with vote/conduct.h
 *
 * Watches. One-shot watches, set by the reads themselves: the answer of a read shows everything up
 * to the moment from which on its watch sees, so there is no gap to think about, no second read to
 * be made after setting one, and servers of any release have them. A persistent watch would tell a
 * leader of each of its own writes, which it does not want; a one-shot watch that fired is set
 * again only by who reads again. After a lost connection libcaucus sets them again with the last
 * zxid, and the server tells at once what changed in between; after a session's end each is told to
 * be over, which counts as a change. */
#ifndef CAUCUS_ELECTION_COORDINATION_INTERNAL_H
#define CAUCUS_ELECTION_COORDINATION_INTERNAL_H

#include "base/list.h"
#include "caucus/caucus.h"
#include "election/coordination.h"
#include "election/seat.h"
#include "vote/conduct.h"

enum {
    ROOT_BYTES_MAX = 256,
    COORD_PATH_BYTES_MAX = 512,
    TROUBLE_BYTES_MAX = 256,
    COMMANDS_MAX = 64,     /* under way at once */
    COORD_RETRY_MS = 1000, /* after what should not happen */
    COORD_KICK_MS = 20,    /* changes that come together are looked at together */
    COORD_CLOSING_PACE_MS = 50,
    SEAL_WAIT_MS = 3000,
};

#define MS_NS INT64_C(1000000)

/* ---- coordination.c ---- */

/* Rings once, from the loop. */
struct alarm {
    struct list list;
    int64_t at_ns;
    void (*ring)(void *owner);
    void *owner;
};
void alarm_init(struct alarm *a, void (*ring)(void *owner), void *owner);
void alarm_set(struct coordination *c, struct alarm *a, int64_t at_ns);
void alarm_clear(struct alarm *a);
static inline bool alarm_is_set(const struct alarm *a)
{
    return !list_is_empty(&a->list);
}

/* ---- coordination_calls.c ---- */

/* A watch of one node by this process. */
struct watched {
    bool armed;
    void (*fired)(void *owner);
    void *owner;
};

/* The answer to a call: exactly once, never inside the call (but when the handle is being closed,
 * with CAUCUS_CLOSING). */
typedef void coord_done_fn(void *owner, uint32_t slot, const struct caucus_result *r);

struct coord_done {
    coord_done_fn *fn;
    void *owner;
    uint32_t slot;
};
void coord_sync(struct coordination *c, struct coord_done done);
/* w NULL: without a watch. */
void coord_get(struct coordination *c, const char *path, struct watched *w, struct coord_done done);
void coord_children(struct coordination *c, const char *path, struct watched *w,
                    struct coord_done done);
void coord_exists(struct coordination *c, const char *path, struct coord_done done);
void coord_create(struct coordination *c, const char *path, struct slice data,
                  enum caucus_create_mode mode, struct coord_done done);
void coord_set(struct coordination *c, const char *path, struct slice data, int32_t version,
               struct coord_done done);
void coord_delete(struct coordination *c, const char *path, struct coord_done done);
void coord_multi(struct coordination *c, const struct caucus_op *ops, size_t count,
                 struct coord_done done);
void coord_multi_read(struct coordination *c, const struct caucus_op *ops, size_t count,
                      struct coord_done done);
void coord_forget(void *owner, uint32_t slot, const struct caucus_result *r); /* does nothing */

/* The connection or the session is to blame: it is asked again when there is one. */
bool coord_is_passing(int rc);
struct caucus_create_options coord_create_options(const struct coordination *c,
                                                  enum caucus_create_mode mode);
struct slice coord_data(const struct caucus_result *r);

/* "<root>/<format>" */
struct coord_path {
    char text[COORD_PATH_BYTES_MAX];
};
struct coord_path coord_path(const struct coordination *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "<root>/<ST>/<name>" */
struct coord_path coord_state_path(const struct coordination *c, int state, const char *name);

/* ---- coordination_follow.c ---- */

struct state_follow {
    struct coordination *c;
    int state;
    struct state_view view;
    uint64_t seal_last; /* newest round in Seal */
    int32_t member_versions[SHARD_MEMBERS_MAX];
    struct watched commit, live, seals, members, member[SHARD_MEMBERS_MAX];
    uint32_t dirty, flying; /* enum follow_part */
    uint32_t members_left;
    int64_t commit_read_ns;
    struct alarm again;               /* when Commit may be read again */
    struct alarm retry;               /* after what should not happen: nothing before */
    struct coordination_shard *shard; /* that reads Commit and LiveNodes itself; NULL = none */
};

void follow_init(struct coordination *c);
void follow_new_session(struct coordination *c);
void follow_step(struct coordination *c);
/* What was read of it, whoever read it. */
void follow_saw_nation(struct coordination *c, const struct nation_view *seen);
struct commit_seen {
    struct commit commit;
    uint64_t version;
    int64_t mzxid, mtime_ms;
};
void follow_saw_commit(struct state_follow *f, const struct commit_seen *seen);
void follow_saw_live(struct state_follow *f, const struct live *live, size_t count);
void follow_saw_seals(struct state_follow *f, uint64_t last);
bool follow_read_nation(const struct caucus_stat *stat, struct slice data, struct nation_view *ret);
bool follow_read_commit(const struct caucus_stat *stat, struct slice data, struct commit_seen *ret);
size_t follow_read_live(const struct coordination *c, const char *const *names, size_t count,
                        struct live ret[SHARD_LIVE_MAX]);
uint64_t follow_read_seals(const char *const *names, size_t count);

/* Sync (if wanted), and then in this order the nation, Commit, LiveNodes, seals: each read shows at
 * least what those before it showed. Watches are set that are not. */
struct fresh {
    struct coordination *c;
    struct state_follow *f;
    uint32_t left;
    int rc;
    const char *detail;
    struct nation_view nation;
    struct commit_seen commit;
    struct live live[SHARD_LIVE_MAX];
    size_t live_count;
    uint64_t seal_last;
    /* Nodes of this process in LiveNodes. */
    struct seat_name own[SHARD_LIVE_MAX];
    size_t own_count;
    void (*done)(void *owner, uint64_t serial, const struct fresh *r); /* r->rc */
    void *owner;
    uint64_t serial;
};
void fresh_read(struct state_follow *f, bool sync,
                void (*done)(void *owner, uint64_t serial, const struct fresh *r), void *owner,
                uint64_t serial);

/* ---- coordination_crew.c ---- */

struct crew {
    struct watched watched;
    bool dirty, flying, creating;
    uint32_t serial; /* of our node; 0 = none was asked for in this session */
    struct alarm again;
};
void crew_init(struct coordination *c);
void crew_new_session(struct coordination *c);
void crew_step(struct coordination *c);

/* ---- coordination_claim.c, coordination_shard.c ---- */

enum claim_phase {
    CLAIM_PHASE_READ,
    CLAIM_PHASE_CREATE,
    CLAIM_PHASE_LOCK,
    CLAIM_PHASE_LOOK, /* whose lock it is */
    CLAIM_PHASE_WAIT, /* until it goes */
    CLAIM_PHASE_UNLOCK,
    CLAIM_PHASE_SET,
    CLAIM_PHASE_HELD,
    CLAIM_PHASE_REFUSED,
};

struct claim_state {
    enum claim_phase phase;
    bool flying;
    uint32_t left;
    int rc;
    struct member members[SHARD_MEMBERS_MAX];
    int32_t versions[SHARD_MEMBERS_MAX];
    struct member sent; /* what ours is to be */
    uint32_t number;
    bool replaces;
    struct watched lock;
    struct alarm again;
};

struct coordination_shard {
    struct coordination *c;
    struct state_follow *f;
    struct coordination_shard_options options;
    struct claim_state claim;
    bool claimed; /* it was told; `member` is final */
    struct hash roll;
    uint32_t member;
    bool begun, closed;
    bool told;     /* CONNECTED, and nothing against it since */
    bool was_told; /* in the present session: EXPIRED has to be told when it ends */

    enum coord_type asked;
    uint64_t serial; /* of what is asked; answers to earlier ones are nobody's */
    struct coord_request request;
    int64_t asked_ns;

    uint32_t own_serial; /* of our LiveNode in this session; 0 = none was asked for */
    uint64_t own_seat;   /* 0 = not known to be there */
    struct alarm again;
    struct buf loss;   /* the document for the next COORD_ADMIT */
    struct alarm soon; /* an answer that needs no request */
    enum coord_outcome soon_outcome;
};

void claim_init(struct coordination_shard *s);
void claim_new_session(struct coordination_shard *s);
void claim_step(struct coordination_shard *s);

void shards_disconnected(struct coordination *c);
void shards_expired(struct coordination *c);
void shard_settle(struct coordination_shard *s); /* CONNECTED, when it is so */
void shard_changed(struct coordination_shard *s, uint32_t nodes);
void shards_free(struct coordination *c);

/* ---- coordination_survey.c ---- */

struct survey {
    struct nation_view nation;
    struct state_view *states;
    struct conduct_state conduct[STATES_MAX];
    bool has_record;
    struct command_record record;
    int64_t zxid;
    bool at_one_moment;
};
/* rc < 0: survey NULL. */
typedef void survey_done_fn(void *owner, int rc, const char *detail, const struct survey *survey);
/* command_id NULL: no record is looked for. live_data: whose definitions the replicas have. */
void survey_read(struct coordination *c, const uint8_t *command_id, bool live_data,
                 survey_done_fn *done, void *owner);
void coord_command_path(const struct coordination *c, const uint8_t id[COMMAND_ID_BYTES],
                        struct coord_path *ret);

/* ---- coordination_command.c ---- */

void tasks_init(struct coordination *c);
void tasks_kick(struct coordination *c); /* something changed */
void tasks_end(struct coordination *c);

/* ---- the handle ---- */

struct coordination {
    uv_loop_t *loop;
    struct caucus *zk;
    uv_poll_t poll;
    uv_timer_t timer;
    int handles_left;
    struct list alarms;

    struct coordination_options options; /* strings and slices are copies */
    char root[ROOT_BYTES_MAX];
    struct buf definition;
    uint32_t state_count;
    struct hash config;
    uint8_t process[SEAT_PROCESS_BYTES];
    uint32_t serial; /* of LiveNodes that were asked for */

    bool connected, closing, has_failed;
    int64_t session_id;
    bool plain; /* the servers have no multi reads */
    char trouble[TROUBLE_BYTES_MAX];
    struct coordination_stats stats;
    void (*closed)(void *arg);
    void *closed_arg;

    struct setup *setup; /* NULL: not under way */
    bool is_set_up, told_ready;
    struct alarm setup_again;

    struct nation_view nation;
    struct watched nation_watched;
    bool nation_dirty, nation_flying, nation_gap;
    struct alarm nation_again;
    struct state_follow *states;
    uint32_t pace_ms;
    struct crew crew;

    struct coordination_shard *shards[STATES_MAX];
    size_t shard_count;

    struct list tasks;
    size_t task_count;
    struct task *keeper;
    struct alarm kick;
};

/* ---- coordination.c, for the others ---- */
void coord_fail(struct coordination *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void coord_trouble(struct coordination *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void coord_changed(struct coordination *c, int state, uint32_t changes);
void coord_settle(struct coordination *c);        /* goes on with whatever can go on */
bool coord_can_ask(const struct coordination *c); /* connected, set up, not ending */
struct slice coord_live_data(const struct coordination *c, struct buf *scratch);

/* ---- coordination_setup.c ---- */
void setup_step(struct coordination *c);

#endif
