/* watching.h: what the library's event thread tells, on the way to people and to main.
 *
 * Events of watches are printed by the event thread as they come, one line each. The main thread
 * waits for one of: the connection, its final loss, the watches it wants to have seen, a signal. */
#ifndef CAUCUS_CLI_WATCHING_H
#define CAUCUS_CLI_WATCHING_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "caucus/caucus.h"

struct watching {
    pthread_mutex_t lock; /* guards what stands below it; held while an event is printed */
    bool connected;       /* the first time */
    bool lost;            /* the session is over */
    bool auth_failed;
    bool closing;        /* what comes now comes of our own leaving */
    bool json;           /* lines are JSON */
    bool tell_states;    /* on stderr */
    int open;            /* watches that were set and will be called again */
    int64_t events_left; /* until the number asked for is reached; -1: no such number */
    int changed_fd;      /* eventfd: something of the above changed */
    int signal_fd;       /* the signals that were taken; -1: none, as in the shell */
    char reason[256];    /* of the last change of state */
};

enum waited {
    WAITED_DONE,
    WAITED_TIMEOUT,
    WAITED_LOST,
    WAITED_SIGNAL,
};

int watching_init(struct watching *w);
void watching_deinit(struct watching *w);

/* SIGINT and SIGTERM end waits instead of the process, from now on in all threads to come. */
int watching_take_signals(struct watching *w);
/* The same for a set of signals; what was blocked before is in *ret_before, which may be NULL. */
int watching_take_signal_set(struct watching *w, const sigset_t *set, sigset_t *ret_before);

void watching_on_state(void *watching, struct caucus *c, const struct caucus_state_change *change);
/* The function of all watches. Count them before they are set (watching_expect), and take those
 * back that could not be. */
void watching_on_event(void *watching, const struct caucus_event *event);
void watching_expect(struct watching *w, int more);
/* From callbacks: main is to look again. */
void watching_wake(struct watching *w);

void watching_set_json(struct watching *w, bool json);
/* From now on what happens to the connection is told on stderr. */
void watching_tell_states(struct watching *w);
/* Events to come are counted down from here; -1: they are not. */
void watching_limit(struct watching *w, int64_t events);
/* What comes from now on comes of our own leaving. */
void watching_close(struct watching *w);

/* All return at once if it is so already. -1: without a limit of time. */
enum waited watching_wait_connected(struct watching *w, int64_t timeout_ms);
/* Until all watches were called for the last time, or so many events came as events_left was. */
enum waited watching_wait_events(struct watching *w);
/* Until a signal, or the end of the session. */
enum waited watching_wait_end(struct watching *w);

#endif
