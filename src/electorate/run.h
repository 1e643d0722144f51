/* run.h: a crowd in front of a door, until all have voted. */
#ifndef CAUCUS_ELECTORATE_RUN_H
#define CAUCUS_ELECTORATE_RUN_H

#include <stdio.h>

#include "electorate/crowd.h"
#include "electorate/door.h"

struct run_options {
    const struct plan *plan;
    const struct servers *servers;
    bool rest;               /* else gRPC */
    struct tls_context *tls; /* these two as in door.h */
    const struct hmac_key *credentials;
    uint32_t connections, in_flight;
    int64_t patience_ms;
    double rate;         /* 0 = as fast as it goes */
    int64_t duration_ms; /* 0 = until all have voted */
    bool quiet;          /* no progress */
    /* Each pause (pauses.h) of 20 ms or more gets a line: when it began, in ms since 1970, how many
     * ms it lasted, the state's code. Borrowed; NULL = nobody asks. */
    FILE *pauses;
};

struct run_result {
    struct crowd_counts counts;
    struct door_counts door;
    double seconds;
    bool interrupted;
    bool unreachable; /* no server was, for as long as patience lasts */
};

/* Blocks. What goes on is drawn on stderr, if that is a terminal. An interrupt ends it after what
 * is under way. */
void run_votes(const struct run_options *o, struct run_result *ret);

#endif
