/* options.h: the command line of electiond. */
#ifndef CAUCUS_ELECTIOND_OPTIONS_H
#define CAUCUS_ELECTIOND_OPTIONS_H

#include "election/server.h"
#include "io/log.h"
#include "tls/secret.h"

enum options_action {
    OPTIONS_SERVE,
    OPTIONS_CHECK,
    OPTIONS_HELP,
    OPTIONS_VERSION,
    OPTIONS_WRONG, /* `problem` says what */
};

/* HOST:PORT of the command line. */
struct place {
    char host[ADDRESS_BYTES_MAX]; /* "" = not given */
    int port;
};

struct options {
    enum options_action action;
    enum log_level log_level;
    const char *zookeeper, *zookeeper_auth, *zookeeper_ca, *zookeeper_identity, *root, *states,
        *data, *election, *key, *name;
    const char *zookeeper_auth_file;
    char zookeeper_auth_of_file[SECRET_BYTES]; /* zookeeper_auth, if it was given so */
    const char *certificate, *certificate_key, *client_ca;
    const char *peer_identity, *peer_ca;
    const char *console; /* NULL = none */
    struct place rest, grpc, peer;
    enum service_auth auth;
    bool committee_open, replace;
    int session_timeout_ms, commit_gap_ms, hand_back_ms;
    char problem[256];
};

extern const char options_help[];

void options_read(int argc, char **argv, struct options *ret);

#endif
