/* queue.h: what happens next. A heap of events in order of time, and of arrival at equal times; and
 * a table from numbers to numbers. */
#ifndef CAUCUS_SIM_QUEUE_H
#define CAUCUS_SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_type {
    EVENT_TICK,     /* who: server, a: incarnation */
    EVENT_DISK,     /* who: server, a: incarnation: the batch is on disk */
    EVENT_SNAPSHOT, /* who: server, a: incarnation: the snapshot writer goes on */
    EVENT_LOG_READ, /* who: server, a: incarnation, b: read */
    EVENT_STOPPING, /* who: server, a: incarnation: is it done yet? */
    EVENT_PIPE,     /* a: stream << 1 | direction, b: offset that has arrived */
    EVENT_NOTICE,   /* a: stream << 1 | end: its owner learns that it is broken */
    EVENT_CONNECT,  /* a: stream: the connection request arrives */
    EVENT_OPENED,   /* a: stream: the answer to it arrives */
    EVENT_GIVE_UP,  /* a: stream: nobody answered */
    EVENT_ROOM,     /* a: stream << 1 | end */
    EVENT_CHANNEL,  /* a: pair of servers: they try to connect */
    EVENT_CLIENT,   /* who: client */
    EVENT_FAULT,    /* a: fault, b: begin or end */
    EVENT_START,    /* who: server, a: incarnation */
    EVENT_PHASE,    /* the end of a phase of the run */
};

struct event {
    int64_t at_ns;
    uint64_t seq;
    enum event_type type;
    int32_t who;
    uint64_t a, b;
};

struct queue {
    struct event *items;
    size_t count, cap;
    uint64_t next_seq;
};

void queue_put(struct queue *q, struct event e); /* seq is given here */
bool queue_take(struct queue *q, struct event *ret);
void queue_deinit(struct queue *q);

/* Keys are never UINT64_MAX. */
struct numbers {
    uint64_t *keys, *values;
    size_t cap, count;
};

void numbers_put(struct numbers *t, uint64_t key, uint64_t value);
bool numbers_get(const struct numbers *t, uint64_t key, uint64_t *ret_value);
void numbers_deinit(struct numbers *t);

#endif
