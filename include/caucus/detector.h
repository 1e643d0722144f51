/* detector.h: who of a group is gone, and who is to be suspected.
 *
 * Two verdicts on the members of a group (membership.h), which are different in kind:
 *
 *   gone       the member's node is gone: it left, or the servers ended its session. All who watch
 *              the group hear of it, and in the same order; who is gone learns it by its own clock
 *              before (policy.h). It takes as long as a session's timeout: seconds
 *   suspected  heartbeats stay away. This one process's opinion, in degrees, and in a fraction of
 *              the time: enough to ask another peer first, to hedge a request, to send no more work
 *              there. Never enough to take over what the other holds: that takes its end, and a
 *              token
 *
 * Suspicion is the phi accrual failure detector of Hayashibara, Défago, Yared and Katayama (SRDS
 * 2004): phi = -log10 of the probability that a heartbeat still comes, judged by the last 200
 * intervals between this member's heartbeats. Who suspects at phi 1 is wrong in one case of 10, at
 * 3 of 1000, at 8 of 100 million, as far as delays are distributed normally. A detector has up to 8
 * such levels, and tells when a member reaches one or falls below.
 *
 * Heartbeats are whatever this process hears of a member in regular intervals, and the program says
 * so (caucus_detector_heartbeat): an answer to a request, a line on a connection the two have
 * anyhow. They measure the way that work takes. Alternatively (`data_is_heartbeat`) each setting of
 * a member's data is one, for which the member calls caucus_membership_update in a loop. That wants
 * no other connection, but each is a transaction of the whole ensemble, and wakes everybody in the
 * group for a read: n members at r per second make n * r writes with a sync to disk, and n * n * r
 * events and reads. It is for small groups and slow beats. And when the servers stand still, all
 * are suspected at once.
 *
 *   disconnection   of this process: nobody is told gone until the connection is back. Suspicion by
 *                   the program's heartbeats goes on as before
 *   pause           of this process, or of its callbacks: is not held against the others. Silence
 *                   is counted from when this detector could listen
 *   expiry          of this process's session: as disconnection
 *
 * Callbacks run where those of the client run (caucus.h). */
#ifndef CAUCUS_CAUCUS_DETECTOR_H
#define CAUCUS_CAUCUS_DETECTOR_H

#include "caucus/caucus.h"

#ifdef __cplusplus
extern "C" {
#endif

struct caucus_detector;

enum {
    CAUCUS_SUSPICION_LEVELS_MAX = 8
};

enum caucus_detector_news {
    CAUCUS_PEER_APPEARED = 1, /* level 0; also of those who were there before */
    CAUCUS_PEER_SUSPECTED,    /* it has another level, maybe 0 */
    CAUCUS_PEER_GONE,
    CAUCUS_DETECTOR_TROUBLE, /* the group cannot be read at the moment */
};

struct caucus_peer {
    const char *id;
    int64_t token;   /* of its membership */
    int level;       /* 0: trusted; 1: the first threshold was reached ... */
    double phi;      /* when it was asked; GONE: 0 */
    int64_t last_ns; /* of its last heartbeat, or of its appearance. caucus_now_ns */
};

struct caucus_detector_change {
    enum caucus_detector_news news;
    const struct caucus_peer *peer; /* TROUBLE: NULL */
    int rc;                         /* TROUBLE: the error */
};

typedef void caucus_detector_fn(void *context, struct caucus_detector *d,
                                const struct caucus_detector_change *change);

struct caucus_detector_options {
    int64_t interval_ms; /* between heartbeats, as expected before there are any. 0: there are none,
                            nobody is ever suspected */
    int64_t
        deviation_ms_min; /* of intervals, however regular they are. 0: a tenth of interval_ms */
    int64_t pause_ms;     /* of a member, that is always forgiven: its garbage collection */
    double thresholds[CAUCUS_SUSPICION_LEVELS_MAX]; /* of phi, rising, over 0 to 300; a 0 ends them.
                                                       All 0: 1, 3, 8 */
    bool data_is_heartbeat;
    const char *own_id; /* never suspected, since nobody hears from himself. May be NULL */
    caucus_detector_fn *on_change; /* may be NULL */
    void *context;
};

/* Watches the members of the group at this path. Everything is copied; `options` may be NULL. The
 * first callback may come before this returns. Errors: CAUCUS_BADARGUMENTS (the path; a negative
 * time; thresholds that do not rise), CAUCUS_CLOSING. */
CAUCUS_API int caucus_detector_open(struct caucus *c, const char *path,
                                    const struct caucus_detector_options *options,
                                    struct caucus_detector **ret);

/* No callback comes after this has returned. From any thread and at any time, before or after
 * caucus_close of the client. On the thread of the callbacks nothing is waited for. NULL is fine.
 */
CAUCUS_API void caucus_detector_close(struct caucus_detector *d);

/* This member was heard at this time of caucus_now_ns; what is not later than the last time is
 * ignored. From any thread, any number of times: takes well under a microsecond. Errors:
 * CAUCUS_NONODE (it is no member, or not known to be one yet). */
CAUCUS_API int caucus_detector_heartbeat(struct caucus_detector *d, const char *id, int64_t at_ns);

/* As of this moment: the level, and *ret_phi, which may be NULL. From any thread. Errors:
 * CAUCUS_NONODE. */
CAUCUS_API int caucus_detector_level(struct caucus_detector *d, const char *id, double *ret_phi);

/* All members as of one moment, in the order of their ids as bytes; the caller's, freed with
 * caucus_peers_free. From any thread. */
struct caucus_peers {
    const struct caucus_peer *peers;
    size_t count;
};
CAUCUS_API void caucus_detector_list(struct caucus_detector *d, struct caucus_peers **ret);
CAUCUS_API void caucus_peers_free(struct caucus_peers *peers); /* NULL is fine */

#ifdef __cplusplus
}
#endif

#endif
