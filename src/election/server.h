/* server.h: the life of a service (service.h): what it is made of, when it begins and ends.
 *
 *   service_open    reads rolls and logs, which takes its time; listens for other servers
 *   (the doors open, since their addresses are told to others)
 *   service_begin   begins its session with the coordination service
 *   service_close   hands leadership over, ends the session, what is on its way to the disk arrives
 *
 * The loop's on_turn_end, on_wake and on_deadline have to call service_turn, which does what the
 * turn has collected. */
#ifndef CAUCUS_ELECTION_SERVER_H
#define CAUCUS_ELECTION_SERVER_H

#include "election/definition.h"
#include "io/loop.h"

enum service_auth {
    SERVICE_AUTH_NONE, /* whoever says he is somebody is believed */
    SERVICE_AUTH_HMAC, /* credential.h */
};

struct service_options {
    struct loop *loop;
    const struct definition *definition;           /* lives longer */
    const char *zookeeper;                         /* "host:port,...[/chroot]" */
    const char *zookeeper_auth;                    /* "user:password"; NULL = none */
    const char *zookeeper_ca, *zookeeper_identity; /* as in coordination.h */
    const char *root;                              /* NULL: "/Election" */
    const char *data;                              /* folder, made if it is not there */
    const char *name;                              /* of the server */
    uint64_t states;                               /* bit per state that has a replica here */
    enum service_auth auth;
    const char *peer_host; /* for other servers */
    int peer_port;         /* 0 = any */
    /* Of links (links.h); live longer. Both NULL: plain TCP. */
    struct tls_context *accept_tls, *dial_tls;
    int32_t session_timeout_ms;
    int32_t commit_gap_ms; /* a state's votes are collected for so long and committed
                              together, or down to half as long (pace.c); 0: 20 */
    int32_t hand_back_ms;  /* who should lead a state has been back for so long (balance.h); 0:
                              10,000;  negative: states stay with who leads them */
    bool replace;          /* the disk that went by this name is lost */

    void (*ready)(void *arg);                   /* every replica serves, and stands in line; once */
    void (*failed)(void *arg, const char *why); /* the process is to end, at once; once */
    void *arg;
};

/* ERR_BUSY: another process has the folder. */
int service_open(const struct service_options *options, struct service **ret, struct err *err);
/* Where the doors are, HOST:PORT each; "" = there is none. */
int service_begin(struct service *s, const char *rest, const char *grpc, struct err *err);
const char *service_peer_address(const struct service *s);
void service_turn(struct service *s);

/* No vote is taken from here on; those that were get their answers, for a while. `closed` is the
 * last callback; then service_free. */
void service_close(struct service *s, void (*closed)(void *arg), void *arg);
void service_free(struct service *s); /* also of one that was not begun */

#endif
