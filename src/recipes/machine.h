/* machine.h: the part that recipes have in common: a machine on the client's event thread that
 * other threads may close at any moment.
 *
 * A recipe embeds it first and brings four functions. The machine listens to the states of the
 * client, counts references, and sees to the end:
 *
 *   machine_init -> machine_start -> ... advance, advance ... -> closed -> machine_retire -> free
 *
 *   closed by the user   `end` is called once; advance goes on until the recipe has cleared away
 *                        what it made, and retires
 *   the handle closes    `end` is called once; it is retired at once, for nothing can be sent
 *
 * Invariants:
 *  1. `advance`, `state` and `end` run on the event thread; advance never while the user is being
 *     called (is_calling): what happened meanwhile is looked at after the callback.
 *  2. After is_closed nobody is told anything.
 *  3. No lock is held while the recipe or the user is called.
 *
 * Memory: counted references: the user's, the listener's, and one for each request, watch and call
 * at a time that may still come. */
#ifndef CAUCUS_RECIPES_MACHINE_H
#define CAUCUS_RECIPES_MACHINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "caucus/caucus.h"

struct machine;

struct machine_calls {
    void (*state)(struct machine *m, const struct caucus_state_change *change); /* then advance */
    void (*advance)(struct machine *m); /* something happened: what is next is done */
    void (*end)(struct machine *m);     /* what is held is given up, before is_closed is set */
    void (*free)(struct machine *m);    /* the last reference is gone, from whatever thread */
};

struct machine {
    const struct machine_calls *calls;
    struct caucus *c;
    pid_t process; /* that made it: of another one's children nothing here may be touched */
    atomic_int references;

    /* The event thread's. */
    unsigned failures; /* in a row; the recipe sets it to 0 */
    bool has_session;
    bool is_calling; /* the user is being called */
    bool is_pausing; /* after a failure */
    bool is_ended;   /* `end` was called */
    bool is_closed;
    bool is_retired; /* it does not listen any more */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ends;      /* lock: it is closed, or about to be */
    bool is_silent; /* lock: nobody will be told anything any more */
    bool is_gone;   /* lock: the client's handle must not be touched any more */
};

/* With one reference, the user's. */
void machine_init(struct machine *m, const struct machine_calls *calls, struct caucus *c);
void machine_deinit(struct machine *m);
/* Errors: CAUCUS_CLOSING; then nothing was begun. */
int machine_start(struct machine *m);
void machine_start_here(struct machine *m); /* on the event thread */
/* Drops the user's reference. On another thread than the event thread it returns when nobody is
 * told anything any more. */
void machine_close(struct machine *m);
/* It has nothing left to do: no state is told to it any more. */
void machine_retire(struct machine *m);

void machine_hold(struct machine *m);
void machine_drop(struct machine *m);

void machine_advance(struct machine *m);
/* `run` with the machine on the event thread, with a reference that it drops: soon, or at once if
 * this is that thread. From any thread. */
void machine_post(struct machine *m, caucus_run_fn *run);
/* `run` with this context, at this time at the earliest, with a reference to the machine that it
 * drops. false: the handle is being closed, it will not be called. */
bool machine_run(struct machine *m, int64_t at_ns, caucus_run_fn *run, void *context);
/* Nothing for a while: 50 ms after the first failure, twice as long after each other, at most
 * 6.4 s. Then advance. */
void machine_pause(struct machine *m);

/* The caller holds the lock. Waits until `is_so`; at most timeout_ms (-1: without a bound). 0,
 * CAUCUS_OPERATIONTIMEOUT, CAUCUS_CLOSING, CAUCUS_WOULDBLOCK. */
int machine_await(struct machine *m, int64_t timeout_ms, bool (*is_so)(const struct machine *m));

/* This process was forked from the one that made it: its lock may be held by a thread that is not
 * here, and the client must not be asked. Closing leaves everything as it is. */
bool machine_is_foreign(const struct machine *m);

/* Whether this is the thread on which nothing may be waited for. */
bool machine_must_not_block(struct machine *m);

/* ---- Watches that fire once ----
 *
 * Made before the request that sets them. Whoever has set one is called when it fires, unless it
 * was forgotten; then it is gone. */
struct machine_watch;
typedef void machine_fired_fn(struct machine *m, struct machine_watch *w,
                              const struct caucus_event *event); /* then advance */
struct machine_watch {
    struct machine *m;
    machine_fired_fn *fired; /* NULL: forgotten */
    enum caucus_watch_kind kind;
    char path[];
};

struct machine_watch *machine_watch_new(struct machine *m, enum caucus_watch_kind kind,
                                        const char *path, machine_fired_fn *fired);
void machine_watch_free(struct machine_watch *w);   /* one that was not set */
void machine_watch_forget(struct machine_watch *w); /* one that was set; NULL is fine */
void machine_on_event(void *watch, const struct caucus_event *event); /* caucus_watch_fn */

/* ---- One request at a time ----
 *
 * A request that is answered after its reason is gone (the session is over, the user wants
 * something else) must not be taken for an answer. Whoever has a flight counts `serial` up when
 * that happens. */
struct machine_flight {
    uint64_t serial, up_serial;
    struct machine_watch *watch; /* is about to be set; NULL: none */
    bool is_up;
};

/* With a reference, for the completion to drop. */
void machine_take_off(struct machine *m, struct machine_flight *f);
/* False: it is void. */
bool machine_land(struct machine_flight *f);
/* A flight that has landed, or never took off. The watch, if it was set and counts: it is the
 * caller's. Otherwise NULL, and it is gone. */
struct machine_watch *machine_land_watch(struct machine_flight *f, bool is_set);
/* Drops the completion's reference, after advance. */
void machine_settle(struct machine *m);

/* ---- Blocking calls of what ends with one call ---- */

struct machine_blocked {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
    int rc;
};

void machine_blocked_init(struct machine_blocked *b);
void machine_blocked_done(struct machine_blocked *b, int rc);
/* Waits until it is done; returns rc. It is over then. */
int machine_blocked_wait(struct machine_blocked *b);

#endif
