/* holding.h: a command runs while something that a session holds is held: leadership, a lock.
 *
 * What is held ends when the session ends; the command has to be over before that. Two moments are
 * computed from caucus_session.safe_until_ns (before it no server can have ended the session), told
 * to the keeper (keeper.h), and moved while servers answer:
 *
 *      now                kind_at               kill_at      safe_until
 *   ----+--------------------+----- grace ---------+-- T/20 ----+----->     T: session's timeout
 *                        SIGTERM                SIGKILL
 *
 * Requests are sent every third of T at least and safe_until is 3/4 T after the last answered one:
 * with a grace of at most 3/10 T the moment of SIGTERM is not reached while servers answer.
 *
 * Strict (policy.h), SIGTERM comes at once when the connection is lost, and the command has the
 * grace, or less if kill_at is nearer. When it is known that it is not held any more, SIGKILL comes
 * at once: somebody else may hold it.
 *
 * All of it on the main thread, but for holding_trouble. */
#ifndef CAUCUS_CLI_HOLDING_H
#define CAUCUS_CLI_HOLDING_H

#include <pthread.h>

#include "caucus/policy.h"
#include "cli/cli.h"
#include "cli/keeper.h"

/* What a shell would exit with. */
enum {
    HOLDING_NOT_RUN = 126,
    HOLDING_NOT_FOUND = 127,
    HOLDING_SIGNAL = 128, /* plus its number */
};

/* As of this moment: the token of what is held, or 0. */
typedef int64_t holding_token_fn(void *held);

struct holding {
    /* Set before holding_do. */
    struct cli *cli;
    const char *path;
    const char *id;          /* NULL: host/pid */
    const char *policy_name; /* NULL: strict */
    int64_t grace_ms;        /* 0: a fifth of the session's timeout */
    char **command;          /* ends with NULL; NULL: none, then only the signals are taken */
    holding_token_fn *token;
    void *held;

    enum caucus_policy policy;
    char own_id[128];
    struct keeper keeper;
    bool has_keeper;
    int end_signal;     /* INT, QUIT or TERM came while the command ran; 0: none */
    int64_t last_token; /* of the last command: to give it up takes a moment */

    pthread_mutex_t lock;
    int trouble;  /* lock: the last one, until it is told; 0: none */
    bool is_over; /* lock: it is final */
};

/* Takes signals, forks the keeper, connects, and calls hold(h->held), which gets hold of it, runs
 * the command by what stands below, and lets go. Nothing of the library may have been called before
 * in this process. Returns what hold returned, or an exit code after having told why. */
int holding_do(struct holding *h, int (*hold)(void *held));

/* From callbacks: it is not held and there is an error, or (0) none. `is_over`: nothing is tried
 * any more. */
void holding_trouble(struct holding *h, int rc, bool is_over);
/* Tells it. An exit code if that is the end: it is over, or refused by a server. */
int holding_hear_trouble(struct holding *h);

/* Sleeps until something may have changed (watching_wake, a state, a signal). The signal that asks
 * for the end, or 0. timeout_ms -1: no limit. */
int holding_wait(struct holding *h, int64_t timeout_ms);
/* Until it is held, with another token than the last time, and a command may begin; or until_ns.
 * CLI_OK and *ret_token (0: the time is over, or it is without an error), or an exit code. */
int holding_await(struct holding *h, int64_t until_ns, int64_t *ret_token);

enum holding_end {
    HOLDING_ENDED,   /* the command, by itself: *ret_code is for caucus to exit with */
    HOLDING_STOPPED, /* the command was stopped, because of what it was told on stderr */
    HOLDING_BROKEN,  /* no process could be had; told */
};
/* Runs the command while it is held with this token. */
enum holding_end holding_run(struct holding *h, int64_t token, int *ret_code);

#endif
