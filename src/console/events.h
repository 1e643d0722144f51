/* events.h: what has just happened at this server: the newest CONSOLE_EVENTS of them.
 *
 * Sessions and znodes change as often as clients like: of these no more than CONSOLE_CHANGES_MAX
 * are kept between two calls of events_pace, and what is passed over is counted. Elections and the
 * like are kept always. A change of a znode that world:anyone may not read is not told (watches are
 * filtered in the same way). Taking one costs a copy of a few hundred bytes. Pure. */
#ifndef CAUCUS_CONSOLE_EVENTS_H
#define CAUCUS_CONSOLE_EVENTS_H

#include "console/znodes.h"

enum {
    CONSOLE_EVENTS = 256,
    CONSOLE_CHANGES_MAX = 40,
    CONSOLE_EVENT_PATH_BYTES = 200, /* of a longer path the beginning is told */
};

struct console_event {
    int64_t wall_ms;
    const char *kind; /* "session_created", "created", "leading", ...: static */
    const char *text; /* static; NULL = none */
    int64_t session_id, zxid, value;
    uint16_t path_len;
    bool cut;
    char path[CONSOLE_EVENT_PATH_BYTES];
};

struct console_events {
    struct console_event ring[CONSOLE_EVENTS];
    uint64_t next;        /* number of the next one; the ring has those before it */
    size_t changes;       /* since the last events_pace */
    uint64_t passed_over; /* in all */
};

/* A zeroed one is an empty one. `t`: what a step said; its bytes, for TRACE_COMMITTED. */
void events_take(struct console_events *ev, const struct node *n, const struct trace_effect *t,
                 struct slice bytes, int64_t wall_ms);
void events_pace(struct console_events *ev);
/* Whether the node need say more of what changes before the next events_pace. */
bool events_have_room(const struct console_events *ev);

/* {"events":[{"number","at_ms","kind",...}],"lost","passed_over"}: from number `from` on, oldest
 * first; "lost": those of them that the ring does not have any more. */
void events_put(const struct console_events *ev, uint64_t from, struct buf *out);

#endif
