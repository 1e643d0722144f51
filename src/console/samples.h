/* samples.h: how busy this server was, second by second: the last CONSOLE_SAMPLES of them.
 *
 * Made of the metrics' sums (node/metrics.h) by taking the difference to the second before, so that
 * a request pays nothing for it. Pure. */
#ifndef CAUCUS_CONSOLE_SAMPLES_H
#define CAUCUS_CONSOLE_SAMPLES_H

#include "base/json_out.h"
#include "node/metrics.h"

enum {
    CONSOLE_SAMPLES = 300
};

struct console_sample {
    int64_t wall_ms;
    uint64_t reads, writes; /* requests of clients of this server that were answered */
    int64_t read_mean_us, read_p99_ms, write_mean_us, write_p99_ms;
    uint64_t syncs; /* of the log */
    int64_t sync_mean_us;
    uint64_t outstanding, connections;
};

struct console_samples {
    struct console_sample ring[CONSOLE_SAMPLES];
    uint64_t next; /* number of the next one */
    bool begun;
    int64_t begun_ms;                   /* of the second that is going on */
    struct summary read, write, synced; /* as they stood at its beginning */
};

/* A zeroed one is an empty one; its first call only begins. */
void samples_take(struct console_samples *s, const struct node_metrics *m, uint64_t outstanding,
                  uint64_t connections, int64_t now_ms, int64_t wall_ms);

/* {"from":number,"samples":[[wall_ms,reads,writes,read_mean_us,read_p99_ms,write_mean_us,
 * write_p99_ms,syncs,sync_mean_us,outstanding,connections]]}: from number `from` on; counts are per
 * second. */
void samples_put(const struct console_samples *s, uint64_t from, struct buf *out);

#endif
