/* metrics_internal.h: what metrics.c reads and metrics_prometheus.c shows too. */
#ifndef CAUCUS_SERVER_METRICS_INTERNAL_H
#define CAUCUS_SERVER_METRICS_INTERNAL_H

#include "server/metrics.h"

enum {
    GAUGES_MAX = 48
};

struct gauge {
    const char *name;
    struct metric_value value;
};

struct gauges {
    struct gauge items[GAUGES_MAX];
    size_t count;
};

/* info->node is not NULL. Nothing while the server does not serve: there is nothing to measure
 * then, as in ZooKeeper. */
void gauges_read(struct server_info *info, struct gauges *ret);
void process_gauges_read(struct server_info *info,
                         struct gauges *ret); /* Prometheus' process_... */

enum quota_gauge {
    QUOTA_COUNT_LIMIT,
    QUOTA_BYTES_LIMIT,
    QUOTA_COUNT_USAGE,
    QUOTA_BYTES_USAGE,
    QUOTA_GAUGE_COUNT,
};

struct quota_usage {
    struct slice name; /* of the top-level znode, borrowed from the tree */
    bool limited, used;
    int64_t value[QUOTA_GAUGE_COUNT];
};

struct quota_usages {
    struct quota_usage items[METRIC_NAMESPACES_MAX];
    size_t count;
};

void quota_usages_read(const struct tree *tree, struct quota_usages *ret);
const char *quota_gauge_name(enum quota_gauge g);
bool quota_gauge_is_set(const struct quota_usage *u, enum quota_gauge g);

/* metrics_prometheus.c: the dump of ZooKeeper's Prometheus provider. */
void prometheus_each(struct server_info *info, metric_visit *visit, void *arg);

#endif
