/* stream.h: counts as they change, as server-sent events, to any number of spectators.
 *
 *   event: phase     data: {"phase","round","opened_ms","closed_ms","shown"}
 *   event: state     data: a state's result (results.h): the whole of it, not what changed
 *   event: nation    data: the nation's sum
 *   id: TOKEN        how far the spectator has seen (token.h), in the last event of a burst
 *   : comment        every STREAM_BEAT_MS, so that a dead line is noticed
 *
 * An event holds the whole result of a state, so that none has to be kept for anybody: what changed
 * is told at most every STREAM_PACE_MS, and a spectator who takes longer over a burst gets the
 * newest of what he missed in the next. Bursts are made once for all who are abreast. A spectator's
 * memory is one burst at most, usually shared.
 *
 * While counts are not shown, the public gets phases alone. */
#ifndef CAUCUS_ELECTION_REST_STREAM_H
#define CAUCUS_ELECTION_REST_STREAM_H

#include "base/buf.h"
#include "base/list.h"
#include "election/service.h"
#include "io/loop.h"

enum {
    STREAM_PACE_MS = 250,
    STREAM_BEAT_MS = 15 * 1000,
};

struct election_rest;
struct burst;

struct stream_hub {
    struct election_rest *rest;
    struct service_watch *watch;
    uv_timer_t pace, beat;
    unsigned handles;
    bool is_open;
    struct list streams, idle; /* all; those that wait for the next burst, suspended */
    size_t count, count_max;

    bool is_paced;          /* the pace timer runs */
    int64_t told_ms;        /* when the last burst was made */
    bool dirty[STATES_MAX]; /* told of by the service since */
    bool phase_dirty;

    /* What was made of it. A turn is one burst; 0 = before all of them. */
    uint64_t turn;
    uint64_t state_turn[STATES_MAX], nation_turn, phase_turn; /* of the last change */
    uint64_t seen[STATES_MAX];
    bool shown;                            /* to the public */
    struct buf states[STATES_MAX], nation; /* their events */
    struct burst *common; /* of this turn, for the public that had the one before */
};

void stream_hub_init(struct stream_hub *h, size_t count_max);
void stream_hub_open(struct stream_hub *h, struct election_rest *rest);
/* Ends all streams; is_open falls later, then the door is asked whether it is over. */
void stream_hub_close(struct stream_hub *h);
void stream_hub_deinit(struct stream_hub *h);

#endif
