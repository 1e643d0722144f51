/* session_internal.h: the parts of the session machine; see session.h. */
#ifndef CAUCUS_CLIENT_SESSION_INTERNAL_H
#define CAUCUS_CLIENT_SESSION_INTERNAL_H

#include "client/cwatch.h"
#include "client/session.h"

enum cphase {
    CPHASE_WAIT,
    CPHASE_DIAL,
    CPHASE_HANDSHAKE,
    CPHASE_SASL,
    CPHASE_UP,
    CPHASE_OVER,
};

enum {
    TROUBLE_BYTES = 200,
    DIAL_SPREAD_MS = 20, /* before any attempt: not everybody at the same moment */
    BACKOFF_MS_MIN = 50, /* after a round over all hosts, then doubled */
    BACKOFF_MS_MAX = 2000,
    DIAL_TIMEOUT_MS_MIN = 100,
    STEADY_MS = 1000, /* a connection that lasted so long makes the failures before it forgotten */
    CLOSE_MS_MAX = 2000,
    PROBE_MS_MIN = 100, /* between questions for a quorum, doubled up to a minute */
    PROBE_MS_MAX = 60000,
};

/* An identity to present at every connection. */
struct cauth {
    struct list list;
    struct slice frame; /* owned */
    struct call *call;  /* who waits for the answer; NULL */
};

struct csession {
    struct csession_config config;
    uint64_t random;

    enum cphase phase;
    enum caucus_state state;
    int refusal;  /* of calls; CAUCUS_OK while they are taken */
    bool closing; /* closeSession was asked for */
    char trouble[TROUBLE_BYTES];

    /* The session. */
    int64_t id;
    uint8_t password[ZK_PASSWORD_BYTES];
    bool is_real; /* a server with quorum knows it */
    int32_t timeout_ms;
    uint64_t generation;
    int64_t last_zxid;
    int64_t rearm_zxid;    /* invariant 5 */
    size_t rearms_unheard; /* setWatches whose answers are out */
    int64_t real_heard_ns; /* when a server with quorum was last heard */
    int64_t answered_ns;   /* when the newest request was sent that such a server has answered; 0 */

    /* The connection. */
    bool read_only;
    int64_t phase_ns; /* when the phase began */
    int64_t until_ns; /* when it ends by itself (WAIT, DIAL, HANDSHAKE) */
    int64_t heard_ns;
    int64_t sent_ns;
    int64_t ping_ns;  /* when the unanswered ping went out; 0: none is */
    int64_t close_ns; /* when we stop waiting for the answer to closeSession */
    uint64_t attempt;
    size_t *order; /* the hosts, shuffled */
    size_t order_at;
    size_t host;
    bool host_is_given; /* by a probe */
    bool renewed;       /* the session has begun, and nobody was told yet */
    unsigned failures;  /* attempts since the last steady connection */
    int32_t xid;
    struct buf in; /* the beginning of a frame */
    struct buf out;
    size_t out_at;

    /* SASL. */
    uint64_t sasl_round;
    bool sasl_first;  /* no step of this connection is made yet */
    bool sasl_wanted; /* a step is to be made; else the server's answer is waited for */
    bool sasl_over;   /* of our side */
    struct buf sasl_challenge;

    /* Looking for a quorum, while read-only. */
    uint64_t probe_attempt;
    bool probing;
    size_t probe_host;
    int64_t probe_ns;
    int64_t probe_pause_ms;

    struct list waiting; /* calls, not sent */
    struct list flying;  /* calls, sent */
    struct list auths;
    struct list *auth_unheard; /* the first whose answer is out; &auths: none */
    struct cwatch watches;
    struct list notes;
};

#define MS_NS           INT64_C(1000000)
#define call_entry(ptr) call_of_note(note_of(ptr))
#define auth_entry(ptr) list_entry(ptr, struct cauth, list)

/* session.c */
void csession_enter(struct csession *s, enum caucus_state state, bool renewed, const char *reason);
void csession_fail_link(struct csession *s, int64_t now_ns, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The session is over; a new one begins, unless that was ruled out. */
void csession_lose(struct csession *s, int64_t now_ns, const char *reason);
/* No call is taken any more, and no connection wanted. */
void csession_stop(struct csession *s, int refusal, enum caucus_state state, const char *reason);
uint64_t csession_random(struct csession *s);

/* handshake.c */
void csession_greet(struct csession *s, int64_t now_ns);
void csession_greeted(struct csession *s, int64_t now_ns, struct slice frame);
/* setWatches for one path, after others on it were removed. */
void csession_rearm_path(struct csession *s, struct slice path);

/* The connection is good for requests. */
void csession_come_up(struct csession *s, int64_t now_ns);

/* csasl.c */
void csession_begin_sasl(struct csession *s, int64_t now_ns);
void csession_sasl_frame(struct csession *s, int64_t now_ns, struct slice frame);

/* calls.c */
int32_t csession_next_xid(struct csession *s);
void csession_answer(struct csession *s, struct call *c, int rc);
void csession_answer_all(struct csession *s, struct list *calls, int rc);
void csession_send(struct csession *s, int64_t now_ns, struct call *c);
void csession_send_waiting(struct csession *s, int64_t now_ns);
int64_t csession_waiting_deadline(const struct csession *s);
void csession_expire_waiting(struct csession *s, int64_t now_ns);
void csession_send_ping(struct csession *s, int64_t now_ns);
void csession_drop_watches(struct csession *s);
/* For cwatch: makes notes of an event. */
struct cnews {
    struct csession *s;
    enum caucus_event_type type;
    struct slice path; /* as the user knows it */
    int64_t zxid;
};
void csession_news(void *news, caucus_watch_fn *watch, void *context, bool last);

/* receive.c */
void csession_frame(struct csession *s, int64_t now_ns, struct slice frame);

#endif
