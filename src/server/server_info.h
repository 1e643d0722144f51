/* server_info.h: what the windows of a server (four letter words, HTTP commands, metrics) may see
 * and ask.
 *
 * The driver fills one struct server_info, keeps it up to date and passes it to command.h, admin.h
 * and metrics.h; these know nothing else of configuration, event loop and files. All calls in both
 * directions happen in the core thread. Everything pointed to is the driver's and lives as long as
 * the struct. */
#ifndef CAUCUS_SERVER_SERVER_INFO_H
#define CAUCUS_SERVER_SERVER_INFO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "node/node.h"

/* The release whose behaviour ours is: clients and scripts find it where they look for a version.
 */
#define SERVER_ZOOKEEPER_VERSION "3.9.5"
#define SERVER_VERSION_TEXT      SERVER_ZOOKEEPER_VERSION "-caucus" CAUCUS_VERSION ", built on " __DATE__

struct server_setting {
    const char *key; /* as in zoo.cfg, without "zookeeper." */
    const char *value;
};

/* What the configuration says. */
struct server_conf {
    int client_port;
    const char *client_address; /* clientPortAddress; "" = all */
    int secure_client_port;     /* -1 = none */
    const char *snap_dir;       /* .../version-2, absolute */
    const char *log_dir;        /* .../version-2, absolute */
    int tick_time_ms;
    int client_cnxns_max; /* maxClientCnxns */
    int session_timeout_min_ms, session_timeout_max_ms;
    int client_port_listen_backlog; /* -1 = the system's */
    int64_t server_id;
    const char *whitelist;                 /* 4lw.commands.whitelist; NULL = not set */
    bool read_only_mode;                   /* readonlymode.enabled */
    const char *text;                      /* the file, for initial_configuration */
    const struct server_setting *settings; /* every key in effect, for system_properties */
    size_t setting_count;

    bool admin_snapshot_enabled,
        admin_restore_enabled;      /* admin.snapshot.enabled, .restore.enabled */
    int64_t admin_rate_interval_ms; /* admin.rateLimiterIntervalInMS */
    bool serialize_last_zxid;       /* serializeLastProcessedZxid.enabled */
    bool use_x_forwarded_for;       /* IPAuthenticationProvider.usexforwardedfor */
    bool console_enabled;           /* caucus.console */
    bool console_writes;            /* caucus.console.write */
    bool anyone_may_read;           /* a client may read without showing who it is */
    bool prometheus_provider; /* metricsProvider.className is the Prometheus one: mntr changes its
                                 form */
};

/* What a server of an ensemble is right now. Alone: role NODE_ALONE, serving as long as there is a
 * node, and nothing else. */
struct server_ensemble {
    enum node_role role;
    bool serving;          /* requests are answered, if only those of read-only clients */
    bool read_only;        /* without a quorum */
    bool observer;         /* peerType=observer, or not a voter of the configuration */
    bool observer_masters; /* observerMasterPort is set */
    int64_t sid;
    int init_limit, sync_limit;       /* ticks */
    const struct quorum *config;      /* active; NULL = alone */
    const struct quorum_server *self; /* NULL = the configuration does not hold us any more */
    const char *phase;                /* election, discovery, synchronization, broadcast */
    const char *sync_mode;    /* diff, trunc, snap while we are being synchronized; or NULL */
    int64_t leader;           /* of whom we follow, or ourselves; -1 = none */
    int64_t leader_uptime_ms; /* since we began to serve as the leader */
    size_t learners;          /* connected, whatever their state */
    size_t synced_followers, synced_non_voting_followers, synced_observers;
    size_t pending_syncs;
    const struct session_table *local_sessions; /* NULL = there are none (localSessionsEnabled) */
};

/* A learner of this leader (LearnerHandler.getLearnerHandlerInfo). */
struct server_learner {
    int64_t sid;
    bool observer, synced;
    struct slice address;        /* of its end of the connection, as text; "" = unknown */
    int64_t established_wall_ms; /* 0 = unknown */
    size_t queued_packets, queued_bytes;
    uint64_t packets_received, packets_sent, requests;
    int64_t last_zxid; /* that it has acknowledged; -1 = none */
};
typedef void server_learner_visit(void *arg, const struct server_learner *l);

struct neighbour;

/* A write that was asked for in the console (console_writer.h). */
struct console_write {
    const struct sockaddr *browser; /* who asks */
    struct slice credentials;       /* user:password, digest */
    int32_t op;
    struct slice record; /* the request behind its header */
};
/* Outcomes beside ZooKeeper's errors. */
enum {
    CONSOLE_WRITE_REFUSED = 1, /* nothing was written */
    CONSOLE_WRITE_UNKNOWN,
};
typedef void console_written(void *arg, int32_t outcome);

struct server_info {
    struct server_conf conf;
    struct node *node;            /* NULL = not serving (yet, or any more) */
    int64_t started_ms;           /* monotonic: when the server began */
    int64_t trace_mask;           /* gtmk, stmk: kept, without effect; SERVER_TRACE_MASK_DEFAULT */
    int64_t last_snapshot_zxid;   /* written or restored from; -1 = none */
    int64_t last_snapshot_wall_s; /* -1 = none */

    void *driver;                    /* first argument of what follows */
    int64_t (*now_ms)(void *driver); /* monotonic, the clock of node events */
    int64_t (*wall_ms)(void *driver);
    /* Open client connections, those without a session and those that ask a four letter word
     * included. */
    size_t (*connection_count)(void *driver);
    size_t (*handshake_count)(void *driver); /* of TLS, not done yet; may be NULL: 0 */
    /* The address of a connection; false = unknown. */
    bool (*peer)(void *driver, uint64_t client, struct sockaddr_storage *ret_peer);
    /* How this server stands in its ensemble; the function may be NULL: alone. */
    void (*ensemble)(void *driver, struct server_ensemble *ret);
    /* The learners of this leader, in order of sid; nobody calls it on other servers. */
    void (*each_learner)(void *driver, server_learner_visit *visit, void *arg);
    /* What another server of the ensemble said last (neighbours.h), and asking all of them anew;
     * the functions may be NULL: there are no others. */
    const struct neighbour *(*neighbour)(void *driver, int64_t sid);
    void (*ask_neighbours)(void *driver);
    /* The probability with which the throttle of connections refuses the next one. */
    double (*drop_probability)(void *driver); /* may be NULL: 0 */
    /* NULL = ready for requests of clients, else why not, in a few words (for /readyz). */
    const char *(*not_ready)(void *driver);
    /* One at a time; false: not now. `done` is called once, from the loop, unless it is given up:
     * then what becomes of it is not known. */
    bool (*write)(void *driver, const struct console_write *write, console_written *done,
                  void *arg);
    void (*cancel_write)(void *driver);
    /* Asks for a snapshot. The driver calls admin_snapshot_done for every snapshot that ends, asked
     * for or not. 0, or an error if none can be taken. */
    int (*snapshot)(void *driver, struct err *err);
    /* Takes over the state in the file, an uncompressed snapshot that is removed when
     * admin_restore_done has been called, which it is exactly once after a 0, perhaps before this
     * returns. */
    int (*restore)(void *driver, const char *path, struct err *err);
};

enum {
    SERVER_TRACE_MASK_DEFAULT = 306, /* client requests, server packets, sessions, warnings */
};

#endif
