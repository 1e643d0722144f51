/* node_world.h: a node with a driver and clients that believe nothing (for fuzz_node).
 *
 * It knows of each connection which replies it still expects; of the log, every entry; of a
 * snapshot, its bytes so far. */
#ifndef TESTS_FUZZ_NODE_WORLD_H
#define TESTS_FUZZ_NODE_WORLD_H

#include "node/node.h"

enum {
    CONNECTIONS = 20,
    KNOWN_SESSIONS = 8,
    EXPECTED_MAX = 512,
    REPLACED_MAX = 2
};

enum connection_state {
    CONNECTION_FREE,
    CONNECTION_NEW,     /* nothing sent yet */
    CONNECTION_WAITING, /* for the answer to its ConnectRequest */
    CONNECTION_READY,
    CONNECTION_CLOSING, /* the node has closed it */
};

struct expected {
    int32_t xid;
    int32_t op;
};

struct connection {
    uint64_t id;
    enum connection_state state;
    int32_t last_xid;
    bool paused;
    int64_t session_id;
    struct expected expected[EXPECTED_MAX]; /* replies in order; xids above 0 only */
    size_t frames;
    size_t expected_at, expected_count;
    struct expected
        aside[EXPECTED_MAX]; /* replies that may come at any time: auth, sasl, unknown */
    size_t aside_count;
};

struct known_session {
    int64_t id;
    uint8_t password[SESSION_PASSWORD_BYTES];
};

struct world {
    struct node *node;
    struct node_options options;
    struct effects fx;
    int64_t now_ns;
    uint64_t next_connection;
    struct connection *connections;
    struct known_session known_sessions[KNOWN_SESSIONS];
    size_t known_count;

    uint64_t last_ticket, durable;
    int64_t first_zxid; /* of the state before the log */
    int64_t last_zxid;  /* proposed */
    struct buf log;     /* since the state began: int32 length, entry */
    bool stopped, failed;
    int replaced;

    struct buf snapshot;
    bool snapshot_open, snapshot_whole;
    int64_t snapshot_zxid;
    uint64_t snapshot_digest;
};

void world_init(struct world *w, const struct node_options *options);
void world_deinit(struct world *w);

struct connection *world_free_slot(struct world *w);
void world_open(struct world *w, struct connection *c);
struct connection *world_some_connection(struct world *w, uint8_t which); /* NULL = none is open */
void world_send(struct world *w, struct connection *c, struct slice frame);
void world_close(struct world *w, struct connection *c);

/* One event with the time of the world; the effects are checked and carried out. */
void world_step(struct world *w, struct node_event *ev);
void world_durable(struct world *w, uint64_t ticket);
void world_snapshot_done(struct world *w, bool failed);
void world_replace_state(struct world *w);
/* Everything an operator may ask for. */
void world_look(struct world *w);
/* The disk catches up; nothing may be left open. */
void world_settle(struct world *w);

#endif
