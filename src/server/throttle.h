/* throttle.h: how many clients may connect per time (BlueThrottle): a token bucket, and on top of
 * it a random refusal whose probability rises while the bucket is empty. Off unless
 * connection_throttle_tokens is set. Pure but for the state it is given; one owner thread. */
#ifndef CAUCUS_SERVER_THROTTLE_H
#define CAUCUS_SERVER_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle_options {
    int32_t tokens_max; /* 0 = off */
    int32_t fill_time_ms;
    int32_t fill_count;
    int32_t freeze_time_ms; /* -1 = no random refusals */
    double drop_increase, drop_decrease, decrease_ratio;
    bool weighted;
    /* If weighted: what tokens_max and fill_count are multiplied by, and what a connect costs (1 if
     * not). A server with local sessions makes only those, which may be cheaper. */
    int32_t weight_global, weight_new, weight_renew;
};

struct throttle {
    struct throttle_options options;
    int64_t tokens_max, fill_count;
    int64_t tokens;
    int64_t filled_ms, frozen_ms;
    double drop;
    uint64_t prng;
};

void throttle_init(struct throttle *t, const struct throttle_options *options, int64_t now_ms,
                   uint64_t seed);
/* Whether a client may have a session now; takes its tokens. */
bool throttle_admit(struct throttle *t, bool renew, int64_t now_ms);
int64_t throttle_deficit(const struct throttle *t);

#endif
