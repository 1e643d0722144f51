/* client.h: a client with a session: it connects to any server, writes and reads without waiting
 * for answers, watches, pings, moves, falls silent, closes; and remembers what it was told. */
#ifndef CAUCUS_SIM_CLIENT_H
#define CAUCUS_SIM_CLIENT_H

#include "base/slice.h"
#include "session/session.h"
#include "wire/records.h"

struct world;

enum {
    INFLIGHT_MAX = 64,
    PATHS_KEYS = 8,
    PATH_CROWD = PATHS_KEYS, /* "/p": parent of ephemerals */
    PATHS_MAX,
    HEARD_MAX = 4,
};

struct sim_request {
    int32_t xid, op;
    int path; /* -1 = none that is watched */
    uint64_t value;
    bool watch;
    int64_t floor; /* the highest zxid that anybody had been told of when it was sent */
    size_t acks;   /* how many answers there had been */
};

enum watched {
    ON_DATA,
    ON_CHILDREN,
    ON_KINDS,
};

struct sim_watch {
    bool set;
    bool renewed;     /* by setWatches: what it says then depends on what is there */
    int64_t since;    /* it was set at this zxid */
    int64_t relative; /* renewed: the last zxid the session had seen */
};

struct sim_client {
    int index;
    bool enabled; /* it acts */
    bool quiet;   /* it only keeps its session alive */
    uint64_t stream;
    bool connecting, connected, ready; /* ready: the session is there */
    int server;
    int pinned; /* the only server it goes to; -1 = any */
    int64_t session_id;
    uint8_t password[SESSION_PASSWORD_BYTES];
    int32_t timeout_ms, timeout_ms_min; /* of its connection; of all of the session's */
    int32_t next_xid;
    struct sim_request inflight[INFLIGHT_MAX];
    size_t head, count;
    int64_t silent_until_ns, last_sent_ns, last_heard_ns, connect_after_ns;

    int64_t last_zxid; /* its session has seen */
    struct sim_watch watches[PATHS_MAX][ON_KINDS];
    bool persistent_wanted, persistent;
    size_t persistent_at;     /* the first happening that was not told */
    uint64_t persistent_seen; /* which of those behind it were */
    char ephemeral[64];       /* one of its own; "" = none */

    /* When servers heard of its session; for check_sessions.c. */
    int64_t heard_ns[HEARD_MAX];
    int heard_by[HEARD_MAX], heard_for[HEARD_MAX]; /* a server; its leader at that time */
    size_t heard_count;
    uint64_t answers, successes;
};

void client_init(struct world *w, int index);
void client_act(struct world *w, struct sim_client *c);
/* What to change the configuration to; for the client that may. */
void client_reconfigure(struct world *w, struct sim_client *c, const char *joining,
                        const char *leaving);
void client_leave(struct world *w, struct sim_client *c); /* its connection, not its session */
/* A request of this kind (create, delete, setData, getData, sync) for /k<path>. */
void client_ask(struct world *w, struct sim_client *c, int32_t op, int path);
/* A plain write, for the end of a run. */
void client_write(struct world *w, struct sim_client *c);
void path_text(int path, char out[32]);

/* From the network. */
void client_connected(struct world *w, int index);
void client_receive(struct world *w, int index, struct slice frame);
void client_dropped(struct world *w, int index);

#endif
