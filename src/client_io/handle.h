/* handle.h: struct caucus, what both drivers share.
 *
 * Threads of caucus_open: the I/O thread carries out what the session machine wants; the event
 * thread runs notes. Callers' threads put what they ask for into the inbox. With caucus_open_loop
 * one thread is all of them, and the same locks are taken without anybody to wait for.
 *
 * `drive`: who holds it owns the engine and the machine. The I/O thread does, but while it sleeps;
 * then one who wants an answer and waits for it may send, wait for the socket and read by itself
 * (waiting.c), which spares two changes of threads. Nobody holds it while waiting for anything.
 *
 * `lock` guards what is marked with it, and is held for moments: never while a callback runs, a
 * system call may block, or another lock is taken. */
#ifndef CAUCUS_CLIENT_IO_HANDLE_H
#define CAUCUS_CLIENT_IO_HANDLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "client/call.h"
#include "client_io/engine.h"
#include "client_io/later.h"
#include "client_io/listeners.h"

enum {
    REQUESTS_MAX_DEFAULT = 65536,
    RESPONSE_BYTES_MAX_DEFAULT = 16 * 1024 * 1024,
    EVENTS_HELD_AT = 100000, /* notes that wait for the event thread: some 15 MiB */
    EVENTS_LET_GO_AT = 50000,
    REQUESTS_BYTES_MAX = 256 * 1024 * 1024, /* of all requests that wait for their answers */
};

/* The end of a handle, as it was asked for. */
enum handle_end {
    HANDLE_LIVES,
    HANDLE_CLOSES,
    HANDLE_IS_ABANDONED,
};

struct caucus {
    struct hosts hosts;
    struct call_scope scope; /* constant */
    size_t requests_max;
    unsigned process;           /* process_number of who made it */
    struct tls_context *tls;    /* NULL: plain TCP */
    struct sasl_identity *sasl; /* NULL: none */
    bool has_threads;

    pthread_mutex_t drive;
    struct engine engine; /* drive */
    struct list laters;   /* drive: what caucus_run_at asked for */
    bool holds_events;    /* drive: there are too many of them */
    int64_t io_until_ns;  /* drive: how long the I/O thread sleeps if nobody wakes it */

    atomic_size_t pending;       /* calls that were taken and whose callback has not returned */
    atomic_size_t pending_bytes; /* of their frames */
    atomic_int
        entered; /* threads inside a function of the handle: it is not freed before they left */

    pthread_mutex_t lock;
    struct list inbox;             /* lock: calls and laters for the I/O thread */
    enum handle_end end;           /* lock */
    bool io_sleeps;                /* lock: the engine must be woken for the inbox to be seen */
    int refusal;                   /* lock */
    enum caucus_state state;       /* lock: a copy of the machine's, made after every turn */
    struct caucus_session session; /* lock: likewise */
    char trouble[256];             /* lock: likewise */

    pthread_mutex_t events_lock;
    pthread_cond_t events_came;
    struct list events;   /* events_lock: notes to be run */
    atomic_size_t behind; /* notes that were made and have not been run */
    bool events_end;      /* events_lock: no more will come */
    struct note
        greeting; /* events_lock: a note of our own: new listeners are to be told the state */
    bool greeting_waits; /* events_lock */
    struct listeners listeners;

    pthread_t io_thread;
    pthread_t event_thread;
    bool frees_itself; /* the event thread's: the handle was closed in a callback */

    bool runs;        /* caucus_loop_run is on the stack */
    bool closes_late; /* ... and the handle was closed in it */
};

/* A thread that waits for an answer (waiting.c). */
struct waiter;

/* The handle with everything but threads. */
int handle_new(const char *hosts, const struct caucus_options *options, struct caucus **ret);
void handle_free(struct caucus *c);

/* Every operation enters the handle, makes its call, and leaves with one of these two; `rc` is what
 * making it returned. They take the call, also when they fail. */
const struct call_scope *handle_enter(struct caucus *c);
int handle_start(struct caucus *c, int rc, struct call *call, caucus_done_fn *done, void *context);
int handle_wait(struct caucus *c, int rc, struct call *call, struct caucus_result **ret);

bool handle_is_event_thread(struct caucus *c);
/* This process was forked from the handle's. Its locks may be held by threads that are not here. */
bool handle_is_foreign(const struct caucus *c);
void handle_ask_end(struct caucus *c, enum handle_end end);

/* Puts the call into the inbox. Returns what refuses it; it is gone then. `wakes`: the I/O thread
 * is told, if it sleeps. */
int handle_put(struct caucus *c, struct call *call, bool wakes);
void handle_leave(struct caucus *c);
/* The call is over, and so is its memory. */
void handle_release(struct caucus *c, struct call *call);
/* Hands the result to who waits for it. */
void handle_answer_waiter(struct caucus *c, struct call *call);

/* With drive: what callers put into the inbox goes to the machine, what it wants is carried out,
 * what callers ask for is copied, those who wait are answered, and the other notes go to the
 * events. False: the handle is closed, and nothing more will come. */
bool handle_turn(struct caucus *c);
/* Runs a note of the events. */
void handle_run_note(struct caucus *c, struct note *n);

/* caucus_close and caucus_abandon of a handle without threads (loop.c). */
void loop_end(struct caucus *c, enum handle_end how);

#endif
