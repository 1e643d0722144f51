/* loop.h: the turns of the core's thread, on libuv.
 *
 *   turn:  poll -> connections, listeners, wake-ups ... -> connections that wait for their turn
 *          -> on_turn_end (hand over the batch, start timers) -> sleep
 *
 * One clock reading per turn, taken when the turn's first event asks for it. One buffer into which
 * all connections read, so that an idle connection owns none. One owner thread; loop_wake alone may
 * be called from others. */
#ifndef CAUCUS_IO_LOOP_H
#define CAUCUS_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "base/slab.h"

enum {
    /* Read from one connection in one turn: bounds the turn, and is fair. */
    LOOP_READ_BYTES = 32 * 1024,
    /* Links between servers are few and carry much. */
    LOOP_LINK_READ_BYTES = 256 * 1024,
};

struct loop {
    uv_loop_t uv;
    void (*on_turn_end)(void *arg);
    void (*on_wake)(void *arg); /* loop_wake was called, once for any number of calls */
    void (*on_deadline)(void *arg);
    void *arg;

    /* private */
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t spin;
    uv_async_t wake;
    uv_timer_t deadline;
    int64_t deadline_ns; /* INT64_MAX = none is set */
    int64_t now_ns, wall_ms;
    bool now_valid, spinning, again;
    struct list conns; /* all connections, those that are being flushed included */
    struct list ready; /* connections with input in hand */
    struct slab conn_slab;
    uint8_t *read_buffer;
};

/* The callbacks are set by the caller after it. Aborts when the system gives not even an epoll. */
void loop_init(struct loop *l);
void loop_run(struct loop *l); /* until loop_stop */
void loop_stop(struct loop *l);
/* Connections that are left are cut off, without on_end. Everything else living on the loop must
 * have been closed before; runs the close callbacks. */
void loop_deinit(struct loop *l);

/* The next turn comes without sleeping: there is more to do. */
void loop_again(struct loop *l);
void loop_wake(struct loop *l); /* from any thread, and from signal handlers */

int64_t loop_now_ns(struct loop *l);  /* monotonic, the same for the whole turn */
int64_t loop_wall_ms(struct loop *l); /* since 1970, likewise */
/* The clock itself, for durations inside a turn. */
int64_t loop_clock_ns(void);

/* on_deadline is called at (or up to a millisecond after) the time; INT64_MAX = not at all. Cheap
 * to call each turn: a deadline that moves away costs nothing. It may come early: check the time.
 */
void loop_set_deadline(struct loop *l, int64_t deadline_ns);

#endif
