/* metrics.h: the server's numbers under ZooKeeper's names: for mntr, /commands/monitor and
 * Prometheus.
 *
 * Gauges are read now, counters and summaries are node/metrics.h. Core thread. Looks into /proc.
 * Nothing is kept. Without a node (not serving) only the numbers of the process are there. */
#ifndef CAUCUS_SERVER_METRICS_H
#define CAUCUS_SERVER_METRICS_H

#include "base/buf.h"
#include "server/server_info.h"

/* Calls visit with each value that ZooKeeper's metrics provider would dump: DefaultMetricsProvider,
 * or with prometheus_provider the Prometheus one, where every value is real. `name` is borrowed,
 * without "zk_". */
struct metric_value {
    bool is_real;
    int64_t integer;
    double real;
};
typedef void metric_visit(void *arg, const char *name, const struct metric_value *value);
void metrics_each(struct server_info *info, metric_visit *visit, void *arg);

/* The text format of Prometheus, 0.0.4. */
void metrics_prometheus(struct server_info *info, struct buf *out);

/* The mean as ZooKeeper shows it: four decimals, half up. */
double metrics_mean(uint64_t sum, uint64_t count);

/* Of the process; 0 when /proc does not tell. */
int64_t metrics_open_files(void);
int64_t metrics_resident_bytes(void);

#endif
