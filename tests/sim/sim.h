/* sim.h: the real node_step under virtual time, with clients that know what they may see and a disk
 * that loses what was not synced. One seed is one run, repeatable to the byte.
 *
 * Checkers: replies in request order; a session's reads never go back in time and show its own
 * writes; one (key, version) has one value for ever; what was acknowledged or read survives every
 * crash; a watch speaks before a read shows the change; ephemerals live exactly as long as their
 * session; the digest of the recovered tree is the digest the log promised. */
#ifndef CAUCUS_SIM_SIM_H
#define CAUCUS_SIM_SIM_H

#include "base/buf.h"
#include "node/node.h"

enum {
    SIM_CLIENTS = 6,
    SIM_KEYS = 8,
    SIM_VERSIONS_MAX = 4096,
    SIM_INFLIGHT_MAX = 64
};

/* A fault planted on purpose, to see that the checkers find it. */
enum sim_plant {
    PLANT_NONE,
    PLANT_EARLY_DURABLE,
    PLANT_LOST_SYNC
};

/* The log and the snapshot as they lie on the disk. */
struct sim_record {
    int64_t zxid;
    uint64_t ticket;
    size_t at, len; /* in log_bytes */
};

struct sim_disk {
    struct buf log_bytes;
    struct sim_record *records;
    size_t count, cap;
    size_t durable;        /* the first `durable` records survive a crash */
    struct buf snapshot;   /* the newest complete one */
    int64_t snapshot_zxid; /* -1 = none */
    uint64_t snapshot_digest;
    struct buf writing; /* one under way */
    int64_t writing_zxid;
    uint64_t writing_digest;
    bool writing_open, writing_done;
};

struct sim_request {
    int32_t xid;
    int32_t op;
    int key;
    uint64_t value;
    bool watch;
};

struct sim_client {
    int index;
    uint64_t connection; /* 0 = not connected */
    bool ready;
    int64_t session_id;
    uint8_t password[SESSION_PASSWORD_BYTES];
    int32_t next_xid;
    struct sim_request inflight[SIM_INFLIGHT_MAX];
    size_t head, count;
    int64_t silent_until_ns;
    int32_t seen_version[SIM_KEYS];    /* by this session */
    int32_t watched_version[SIM_KEYS]; /* -1 = no watch */
    uint64_t ephemerals_acked;         /* of this session */
    bool session_over;
};

struct sim {
    uint64_t seed, rng;
    enum sim_plant plant;
    bool verbose;
    int64_t now_ns;
    struct node *node;
    struct effects fx;
    struct sim_disk disk;
    struct sim_client clients[SIM_CLIENTS];
    uint64_t next_connection;
    uint64_t next_value;
    uint64_t value_of[SIM_KEYS][SIM_VERSIONS_MAX]; /* 0 = not known */
    int32_t floor_version[SIM_KEYS];               /* acknowledged or read: must survive */
    uint64_t trace_hash;                           /* of every effect, in order */
    uint64_t steps, acked, crashes;
    char violation[256]; /* "" = none */
};

uint64_t sim_random(struct sim *s, uint64_t bound);
void sim_violate(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_step(struct sim *s, struct node_event *ev);

/* sim_client.c */
void sim_client_act(struct sim *s, struct sim_client *c);
void sim_client_receive(struct sim *s, struct sim_client *c, struct slice frames);
void sim_client_dropped(struct sim *s, struct sim_client *c);
void sim_client_forget_session(struct sim_client *c);
void sim_check_recovered(struct sim *s);
void sim_check_session_gone(struct sim *s, int64_t session_id);

/* sim_disk.c */
void sim_disk_init(struct sim_disk *d);
void sim_disk_deinit(struct sim_disk *d);
void sim_disk_persist(struct sim *s, const struct persist_effect *p, struct slice bytes);
void sim_disk_sync(struct sim *s);
void sim_disk_snapshot(struct sim *s);
void sim_disk_crash(struct sim *s);
struct node *sim_disk_recover(struct sim *s);
void sim_node_options(const struct sim *s, struct node_options *o);

#endif
