/* coordination.h: the election's side of the coordination service.
 *
 * One session with any ZooKeeper ensemble (3.5 and later) for a process, on libcaucus's public
 * functions alone. It makes the nodes (README.md has the layout), says which member of a shard this
 * server is, carries out what shards ask for, follows the nation, and start and stop.
 *
 * Life.   coordination_open -> ready, when the nodes are there and the nation was read
 *         coordination_shard_open, for each state of which this server has a replica -> claimed,
 *           with the number of the member that this server is; the replica can be made then
 *         coordination_shard_begin: from now on it gets events
 *         coordination_close
 *
 * One thread, the loop's. Callbacks are never called inside a call of a function of this header,
 * but for coordination_close, which ends with the last of them. In a callback everything may be
 * called but coordination_close. Memory: what a call is given is copied, what a callback is given
 * is valid until it returns.
 *
 * What is remembered here may be old (another server may be ahead), never wrong: it was so at some
 * moment, and moments follow each other. */
#ifndef CAUCUS_ELECTION_COORDINATION_H
#define CAUCUS_ELECTION_COORDINATION_H

#include <uv.h>

#include "base/err.h"
#include "election/service.h"
#include "vote/shard.h"

struct coordination;
struct coordination_shard;

enum {
    INCARNATION_BYTES = 16,
    COORDINATION_PACE_MS = 1000,
};

/* A server as the others see it. */
struct server_identity {
    char name[SERVER_NAME_BYTES_MAX]; /* letters, digits, ".", "_", "-"; unique in the nation */
    uint8_t incarnation[INCARNATION_BYTES]; /* by chance, of its data directory: another disk is
                                               another incarnation */
    char peer[ADDRESS_BYTES_MAX]; /* where replicas are reached; HOST:PORT, "" = nowhere */
    char rest[ADDRESS_BYTES_MAX], grpc[ADDRESS_BYTES_MAX];
};

struct member {
    bool known; /* somebody took this number */
    struct server_identity server;
    struct hash roll; /* that it has; zeros: it has not said */
};

/* What was last seen of a state. */
struct state_view {
    bool known; /* of Commit: what follows is */
    struct commit commit;
    uint64_t commit_version;
    int64_t commit_mtime_ms, commit_mzxid;
    bool has_seal; /* of the nation's round */
    struct live live[SHARD_LIVE_MAX];
    size_t live_count;
    struct member members[SHARD_MEMBERS_MAX];
};

struct nation_view {
    bool known;
    struct global global;
    uint64_t version;
    int64_t mzxid;
    bool first; /* our node is the smallest in Global/LiveNodes */
};

enum coordination_change {
    COORDINATION_GLOBAL = 1, /* state -1 */
    COORDINATION_COMMIT = 2, /* of the state; also has_seal */
    COORDINATION_LIVE = 4,
    COORDINATION_MEMBERS = 8,
    COORDINATION_SESSION = 16, /* state -1: coordination_is_connected, coordination_trouble */
};

struct coordination_options {
    const char *hosts;         /* "host:port,...[/chroot]" */
    const char *root;          /* NULL: "/Election" */
    const char *auth;          /* "user:password" of scheme digest; NULL = none */
    const char *ca, *identity; /* PEM files: whom to trust; our certificate and key. Both NULL:
                                  plain TCP */
    bool creator_only; /* nodes are for whoever presents the same `auth`; else for the world */
    int32_t session_timeout_ms; /* 0: 10 s */
    bool plain; /* use nothing that servers of 3.5 do not have, even where they do */

    const struct election_info *election; /* lives as long as the handle */
    struct slice definition; /* text that goes into Config/<round>, at most DEFINITION_BYTES_MAX */
    uint32_t replicas, copies_min;
    struct server_identity self;
    uint64_t life; /* by chance, of this process; also the others know it (links.h) */

    /* Once, or never: nodes are there, the nation was read. */
    void (*ready)(void *arg);
    void (*changed)(void *arg, int state, uint32_t changes);
    /* Nothing will come of this any more (credentials refused, a member's number that is another
     * server's now): the process is to end. Once. */
    void (*failed)(void *arg, const char *why);
    void *arg;
};

enum {
    DEFINITION_BYTES_MAX = 512 << 10,
};

/* ERR_INVALID: hosts, root, names; ERR_NOSPACE. */
int coordination_open(uv_loop_t *loop, const struct coordination_options *options,
                      struct coordination **ret, struct err *err);
/* Ends the session (LiveNodes go at once); shards are closed, commands answered UNAVAILABLE.
 * `closed`: the last callback; the loop has nothing of ours any more. */
void coordination_close(struct coordination *c, void (*closed)(void *arg), void *arg);

bool coordination_is_connected(const struct coordination *c);
/* Why not, or what is wrong; "" = nothing. */
const char *coordination_trouble(const struct coordination *c);

/* ---- What is known ----------------------------------------------------------------------------
 */

/* Valid until the loop goes on. */
const struct nation_view *coordination_nation(const struct coordination *c);
const struct state_view *coordination_state(const struct coordination *c, int state);

/* Commit of a state with no shard here is read again at most this often while it changes
 * (COORDINATION_PACE_MS is the default). For as long as somebody looks: less. */
void coordination_set_pace(struct coordination *c, uint32_t pace_ms);

/* A fresh read of a state's Commit, LiveNodes, and of the nation; then coordination_state has what
 * was found. linearizable: of a moment after the call. rc < 0: it could not be read. */
typedef void coordination_read_fn(void *arg, int rc, const char *detail);
void coordination_read(struct coordination *c, int state, bool linearizable,
                       coordination_read_fn *done, void *arg);

/* Everything at one moment. */
struct nation_snapshot {
    struct nation_view nation;
    const struct state_view *states; /* as many as there are, in order; members are not in them */
    int64_t zxid;
};
typedef void nation_snapshot_fn(void *arg, int rc, const char *detail,
                                const struct nation_snapshot *snapshot); /* rc < 0: NULL */
void coordination_snapshot(struct coordination *c, nation_snapshot_fn *done, void *arg);

/* ---- The committee's commands ------------------------------------------------------------------
 */

/* As service_command: any server carries them out, each of its steps is a conditional write. */
void coordination_command(struct coordination *c, const struct command *command,
                          command_done_fn *done, void *arg);

/* ---- Shards ------------------------------------------------------------------------------------
 */

struct coordination_shard_options {
    int state;
    bool replace; /* our name may take its number although it was another incarnation's: that one's
                     disk is lost, and its copies with it */
    /* Once: which member of the state this server is. */
    void (*claimed)(void *arg, uint32_t member);
    /* Once, instead: the number is somebody else's, or all are taken; why. */
    void (*refused)(void *arg, const char *why);
    /* After coordination_shard_begin: CONNECTED, DISCONNECTED, EXPIRED, CHANGED, COORD, to be given
     * to shard_step with the time filled in. */
    void (*event)(void *arg, struct shard_event *ev);
    void *arg;
};

/* At most once for a state. */
struct coordination_shard *
coordination_shard_open(struct coordination *c, const struct coordination_shard_options *options);
void coordination_shard_begin(struct coordination_shard *s);
/* The hash of the roll that the replica has, for the other members to see: after `claimed`, and
 * when it changes. Until it stands there the replica hears of no connection. */
void coordination_shard_set_roll(struct coordination_shard *s, const struct hash *roll);
/* What stands in Loss/<epoch> when the shard asks for COORD_ADMIT, which it does after SHARD_ADMIT.
 */
void coordination_shard_set_loss(struct coordination_shard *s, struct slice document);
/* What a step wants of the service (not COORD_NOTHING); nothing else is outstanding. Answered by
 * SHARD_COORD, unless SHARD_DISCONNECTED or SHARD_EXPIRED comes first: then it has no answer. */
void coordination_shard_ask(struct coordination_shard *s, const struct coord_request *request);
/* No more events. A LiveNode that was made is deleted, by and by. */
void coordination_shard_close(struct coordination_shard *s);

/* The process of that life, of the server by that name, is dead: its LiveNodes are deleted. */
void coordination_bury(struct coordination *c, const char *name, uint64_t life);

/* ---- Counters, for metrics ---------------------------------------------------------------------
 */

struct coordination_stats {
    uint64_t writes_ok, writes_refused, writes_unknown; /* Commit, takeovers */
    uint64_t write_ns_total;                            /* of those that were answered */
    uint64_t reads, sessions;
};
const struct coordination_stats *coordination_stats(const struct coordination *c);

#endif
