/* server.h: one server: the node, its disk, its clock, and the driver that carries effects out. */
#ifndef CAUCUS_SIM_SERVER_H
#define CAUCUS_SIM_SERVER_H

#include "disk.h"
#include "net.h"

struct world;

struct server {
    int index; /* its sid is one more */
    bool observer;
    struct node *node; /* NULL = it does not run */
    uint64_t incarnation;
    bool starting; /* it will run at EVENT_START */
    bool stopping; /* NODE_STOP was given */
    struct effects fx;

    struct disk disk;
    struct zxids log;        /* what it has appended since its base, as it believes */
    int64_t base;            /* the snapshot below the log, 0 = none */
    uint64_t durable_ticket; /* the last it was told of */

    /* Its clock: local = local_origin + (true - true_origin) * rate. */
    int64_t true_origin_ns, local_origin_ns;
    int64_t rate_ppm;
    int64_t wall_skew_ms;
    int64_t paused_until_ns;

    int crash_after;     /* effects until it dies; 0 = not planned */
    bool crash_silent;   /* together with its machine */
    int64_t deadline_ns; /* in true time */
    int64_t tick_at_ns;  /* of the tick that is in the queue; INT64_MAX = none */
    int64_t ticks_at_ns; /* see spinning */
    uint64_t ticks_in_vain;
    uint64_t next_number;

    /* As it was after its last step. */
    enum node_role role;
    bool serving;
    int64_t checked_zxid;   /* of its tree */
    int64_t established_ns; /* when it began to lead */
};

void server_init(struct world *w, struct server *v, int index);
void server_deinit(struct server *v);
void server_start(struct world *w, struct server *v);
/* In a while it runs again. */
void server_start_later(struct world *w, struct server *v, int64_t after_ns);
void server_crash(struct world *w, struct server *v, bool silent);
void server_stop(struct world *w, struct server *v); /* in order */
void server_pause(struct world *w, struct server *v, int64_t ns);
void server_step(struct world *w, struct server *v, struct node_event *ev);
void server_event(struct world *w, const struct event *e);

/* Its log as its disk will have it when everything handed over is done. */
void server_take_stock(struct server *v);
int64_t server_tip(const struct server *v); /* the last zxid of it */
bool server_is_up(const struct world *w, int who);
uint64_t server_next_number(struct world *w, int who);
int64_t server_local_ns(const struct server *v, int64_t true_ns);

/* From the network. */
void server_stream_open(struct world *w, int who, enum stream_kind kind, uint64_t number, int other,
                        bool inbound);
void server_stream_bytes(struct world *w, int who, enum stream_kind kind, uint64_t number, int from,
                         struct slice bytes);
void server_stream_closed(struct world *w, int who, enum stream_kind kind, uint64_t number,
                          int other);
void server_stream_room(struct world *w, int who, uint64_t number);

#endif
