/* world.h: one seed, one run: servers, clients, a network and disks under virtual time.
 *
 * One thread, no clock, no address in any decision: the same seed gives the same run to the byte.
 */
#ifndef CAUCUS_SIM_WORLD_H
#define CAUCUS_SIM_WORLD_H

#include "check.h"
#include "client.h"
#include "disk.h"
#include "history.h"
#include "net.h"
#include "queue.h"
#include "server.h"
#include "wire/zxid.h"

/* Faults of the world itself, planted on purpose to see that the checkers find them. */
enum sim_plant {
    PLANT_NONE,
    PLANT_EARLY_DURABLE, /* the log thread reports what it was only given */
    PLANT_LOST_SYNC,     /* every other sync is a lie */
    PLANT_LOST_EVENT,    /* a client does not get every event */
    PLANT_LOST_EPOCH,    /* after a crash the epochs are those of before */
    PLANT_FAST_CLOCK,    /* servers live three times as fast as everybody else */
    PLANT_PROTOCOL,      /* zab_plant: only in caucus_sim_planted */
};

/* What a seed is like. */
struct profile {
    int servers, observers;
    bool observer_masters;     /* followers serve observers */
    uint32_t zxid_counter_max; /* an epoch is over early; 0 = as in the product */
    bool alone;                /* one server, no ensemble */
    int clients;
    int32_t tick_ms, init_limit, sync_limit, session_timeout_ms;
    int64_t finalize_wait_ms, notification_ms_max;
    size_t commit_log_count;
    bool log_sync;
    uint32_t snap_count;
    size_t outstanding_max, throttle_requests_max;
    bool throttle_drop_stale, close_session_txn;
    bool lossy, clocks_drift, disks_differ;
    bool hierarchical;    /* groups and weights */
    int64_t sync_ns;      /* of a disk */
    bool truncates_alone; /* slowly, and every other time without the leader it came from */
    int64_t truncate_ns;
    int64_t think_ns; /* of a client */
    uint32_t faults;  /* which kinds there are */
    int64_t fault_every_ns;
    int64_t chaos_ns; /* how long */
};

enum phase {
    PHASE_CHAOS,
    PHASE_WRITING, /* no more faults: a new client gets an answer */
    PHASE_SETTLING,
    PHASE_RECOVERED, /* all were switched off and on */
    PHASE_DONE,
};

struct sim_stats {
    uint64_t seeds, steps, requests, answers, committed, crashes, epochs, faults;
    int64_t virtual_ns, settle_ns_max;
};

struct fault {
    bool active;
    int kind, server, cut;
};

enum {
    FAULTS_MAX = 32
};

/* A scenario leaves nothing to chance: the least, or the most, that could be drawn. */
enum luck {
    LUCK_DRAWN,
    LUCK_LEAST,
    LUCK_MOST,
};

struct world {
    uint64_t seed, rng;
    enum sim_plant plant;
    uint32_t protocol_plant; /* mask for zab_plant */
    bool tracing;
    int64_t now_ns;
    struct queue queue;
    struct profile profile;
    int server_count;
    struct server servers[SERVERS_MAX];
    struct net net;
    struct sim_client clients[CLIENTS_MAX];
    uint64_t next_value;
    struct buf first_config;
    struct history history;

    int64_t acked_zxid;     /* the highest that a client was told of */
    struct zxids acks;      /* of all answers to writes, in order of time */
    struct numbers closing; /* sessions that a leader has begun to end */

    struct fault faults[FAULTS_MAX];
    int disturbances;     /* going on now */
    int64_t disturbed_ns; /* the last one began or ended then */

    enum phase phase;
    int64_t phase_ns; /* when it began */
    enum luck luck;
    /* Instead of printing, a trace line goes here (a scenario's runner); NULL = it is printed. */
    void (*tell)(struct world *w, int who, const char *text);
    void *tell_arg;

    uint64_t trace_hash;
    struct sim_stats stats;
    char violation[600]; /* "" = none */
};

/* 0 .. bound-1; 0 for bound 0. */
uint64_t world_random(struct world *w, uint64_t bound);
void world_violate(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_mix(struct world *w, struct slice bytes);
/* who: a server, SERVERS_MAX + client, or -1. */
void world_trace(struct world *w, int who, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void trace_effect(struct world *w, struct server *v, const struct trace_effect *t);
void trace_vote(struct world *w, int from, int to, struct slice bytes);
void trace_packets(struct world *w, struct net_stream *st, int end, struct slice bytes);
/* What server v's packets of broken protocol are, for caucus_sim_planted. */
void world_plant(struct world *w, struct node *n);

/* A leader that has just begun has only `left` zxids left. (For scenarios: what it has skipped it
 * must not be asked for.) */
void world_shorten_epoch(struct node *n, uint32_t left);

/* plan.c */
struct plan_options {
    int servers, observers; /* -1 = drawn */
    int stretch;            /* so many times as long */
};
void plan_profile(struct world *w, const struct plan_options *o);
void plan_begin(struct world *w);
void plan_fault(struct world *w, const struct event *e);
void plan_phase(struct world *w);
int64_t fault_restart_delay_ns(struct world *w);
void disturbed(struct world *w);
void first_config_text(struct world *w, int voters, int observers, bool groups);

void world_init(struct world *w, uint64_t seed);
void world_deinit(struct world *w);
/* A paused server goes on now, and what was put off for it comes now. */
void world_resume(struct world *w, struct server *v);
/* Takes one event; false: there is none. */
bool world_next(struct world *w);
void world_run(struct world *w);

#endif
