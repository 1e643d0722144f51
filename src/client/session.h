/* session.h: a client's session as a machine: bytes in, bytes out, time as input.
 *
 * No clock, socket, thread or randomness inside. The driver (client_io) calls an input with the
 * time at which it happened, and then carries out what the machine wants, in any order:
 *
 *   csession_link      the connection that is wanted now, or none. A new `attempt` means: close the
 * one there is and make a new one, to this host csession_probe     likewise, a short connection
 * that asks a host whether it has a quorum ("isro") csession_output    bytes to be written to the
 * connection; csession_written says how many were csession_sasl      a step of SASL that is to be
 * made; a new `round` is the next one csession_deadline  when to call csession_tick at the latest
 * csession_notes     what to tell the user, in order; the driver takes the notes and runs them
 *
 * Phases of the connection, and what ends each:
 *
 *   WAIT       no connection is wanted yet (back-off)         -> DIAL at its time
 *   DIAL       the driver looks up a name and connects        -> HANDSHAKE, or WAIT
 *   HANDSHAKE  the ConnectRequest is out                      -> SASL, UP, or WAIT
 *   SASL       the session is there, who we are is shown      -> UP, WAIT, or OVER
 *   UP         requests go out, pings when nothing else does  -> WAIT
 *   OVER       closed, or lost, or refused, for good
 *
 * Invariants:
 *  1. A call is answered exactly once, in the order in which calls were sent. One that was sent on
 * a connection is never sent again on another: it may have happened (CONNECTIONLOSS).
 *  2. While a connection is up nothing waits: every call is in flight at once, and answered when
 * the connection ends, sent or not. What was asked after a request must not happen without it.
 * Calls made later wait for the next connection.
 *  3. A call that was asked in one session is not sent in another.
 *  4. Each watch that was set is told for the last time exactly once.
 *  5. The zxid that watches are set again with moves only when all of them are set: what an answer
 *     between two parts of a long list shows must not hide what the second part has missed.
 *  6. Nothing the server sends reaches an invariant or keeps memory that it does not fill. */
#ifndef CAUCUS_CLIENT_SESSION_H
#define CAUCUS_CLIENT_SESSION_H

#include "client/call.h"
#include "client/note.h"

enum {
    CSESSION_TIMEOUT_MS_DEFAULT = 10000,
    CSESSION_AUTHS_MAX = 256,
    CSESSION_REARM_BYTES_MAX = 128 * 1024, /* of paths in one setWatches, as Java has it */
};

struct csession_config {
    size_t host_count; /* at least 1 */
    int32_t timeout_ms;
    bool read_only;
    bool stop_when_lost;
    bool sasl;          /* each connection begins with it, before anything else is asked */
    int64_t session_id; /* 0: begin one */
    uint8_t password[ZK_PASSWORD_BYTES];
    struct slice chroot; /* borrowed for the machine's life */
    size_t response_bytes_max;
    uint64_t seed;
};

struct csession;

struct csession *csession_new(const struct csession_config *config, int64_t now_ns);
/* What is still waiting is not told to anybody: finish first. NULL is fine. */
void csession_free(struct csession *s);

/* ---- Inputs ---- */

void csession_connected(struct csession *s, int64_t now_ns);
/* The wanted connection failed or ended. `why`: for people. */
void csession_disconnected(struct csession *s, int64_t now_ns, const char *why);
void csession_received(struct csession *s, int64_t now_ns, struct slice bytes);
void csession_written(struct csession *s, size_t bytes);
void csession_probed(struct csession *s, int64_t now_ns, bool has_quorum);
/* What came of a step that csession_sasl wanted. */
struct csession_sasl_step {
    const char *failure; /* NULL: none; for people */
    struct slice token;  /* for the server; null: nothing is to be sent */
    bool over;           /* our side has nothing more to ask or to show */
};
void csession_sasl_stepped(struct csession *s, int64_t now_ns,
                           const struct csession_sasl_step *step);
void csession_tick(struct csession *s, int64_t now_ns);
/* The user is far behind with what he is told. Meanwhile events do not pile up for persistent
 * watches: when they are let go, those that missed any are told WATCH_REARMED once, as after a
 * reconnection. */
void csession_hold_events(struct csession *s, bool hold);
/* Takes the call. */
void csession_submit(struct csession *s, int64_t now_ns, struct call *c);
/* After what was asked, the end of the session; within a bound. */
void csession_close(struct csession *s, int64_t now_ns);
/* At once, and without a word to the server. */
void csession_finish(struct csession *s);

/* ---- Wants ---- */

struct csession_link {
    bool wanted;
    uint64_t attempt;
    size_t host;
    uint64_t pick; /* which of the host's addresses, modulo their number */
};
struct csession_link csession_link(const struct csession *s);

struct csession_probe {
    bool wanted;
    uint64_t attempt;
    size_t host;
};
struct csession_probe csession_probe(const struct csession *s);

struct csession_sasl {
    bool wanted;
    uint64_t round; /* rises with every step of every connection */
    bool first;     /* of a connection: there is no challenge */
    size_t host;
    struct slice challenge; /* until the next input */
};
struct csession_sasl csession_sasl(const struct csession *s);

struct slice csession_output(const struct csession *s); /* until the next input */
int64_t csession_deadline(const struct csession *s);    /* INT64_MAX: none */
struct list *csession_notes(struct csession *s);        /* the head; taken out by the driver */

/* ---- What is so ---- */

enum caucus_state csession_state(const struct csession *s);
bool csession_is_over(const struct csession *s);
/* Every call is sent, and answered by the server or when the connection ends. */
bool csession_is_up(const struct csession *s);
/* Such a connection may bring something before anything else is sent. */
bool csession_expects_news(const struct csession *s);
void csession_describe(const struct csession *s, struct caucus_session *ret);
const char *csession_trouble(const struct csession *s); /* "" */
/* CAUCUS_OK, or why no call is taken any more. */
int csession_refusal(const struct csession *s);

#endif
