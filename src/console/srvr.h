/* srvr.h: what another server says of itself in answer to the four letter word `srvr`, the one
 * that every ZooKeeper answers unless told otherwise. Pure. */
#ifndef CAUCUS_CONSOLE_SRVR_H
#define CAUCUS_CONSOLE_SRVR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    SRVR_TEXT_BYTES = 64
};

struct srvr {
    char
        version[SRVR_TEXT_BYTES]; /* without the date of its building; cut off where it is longer */
    char mode[SRVR_TEXT_BYTES];   /* "leader", "follower", ... */
    int64_t zxid;                 /* -1 = not said; so for the numbers below */
    int64_t latency_min_ms, latency_mean_us, latency_max_ms;
    int64_t connections, outstanding, znodes;
};

/* False: that is no such answer (a server that does not serve, or that must not say). */
bool srvr_parse(struct slice text, struct srvr *ret);

#endif
