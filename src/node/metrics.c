/* metrics.c: the names of metrics, and the counts per top-level znode. */
#include "node/metrics.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

enum {
    NAMESPACE_SLOTS = 2 * METRIC_NAMESPACES_MAX, /* a power of two */
    STAT_OVERHEAD_BYTES = 6 * 8 + 5 * 4,         /* what ZooKeeper adds for the Stat of a read */
};

static const char *const counter_names[] = {
#define NAME(id, text) [METRIC_##id] = text,
    NODE_STATS(NAME) NODE_COUNTERS(NAME)
#undef NAME
};

static const char *const summary_names[] = {
#define NAME(id, text, advanced) [METRIC_##id] = text,
    NODE_SUMMARIES(NAME)
#undef NAME
};

static const bool summary_advanced[] = {
#define ADVANCED(id, text, advanced) [METRIC_##id] = advanced,
    NODE_SUMMARIES(ADVANCED)
#undef ADVANCED
};

const char *metric_counter_name(enum metric_counter id)
{
    return counter_names[id];
}

const char *metric_summary_name(enum metric_summary id)
{
    return summary_names[id];
}

bool metric_summary_is_advanced(enum metric_summary id)
{
    return summary_advanced[id];
}

void node_metrics_deinit(struct node_metrics *m)
{
    free(m->namespaces);
    m->namespaces = NULL;
    m->namespace_count = 0;
}

void node_metrics_reset(struct node_metrics *m)
{
    m->counter[METRIC_PACKETS_RECEIVED] = 0;
    m->counter[METRIC_PACKETS_SENT] = 0;
#define RESET(id, text) m->counter[METRIC_##id] = 0;
    NODE_COUNTERS(RESET)
#undef RESET
    for (size_t i = 0; i < METRIC_SUMMARY_COUNT; i++)
        summary_reset(&m->summary[i]);
    m->latency = (struct metric_amount){0};
    m->response_sizes = (struct metric_sizes){0};
    node_metrics_deinit(m);
}

/* "/a/b" is of "a"; "/" and "" are of none. */
static struct slice top_namespace(struct slice path)
{
    if (path.len < 2 || path.ptr[0] != '/')
        return slice_of(NULL, 0);
    struct slice rest = slice_from(path, 1);
    const uint8_t *end = memchr(rest.ptr, '/', rest.len);
    return slice_of(rest.ptr, end != NULL ? (size_t)(end - rest.ptr) : rest.len);
}

/* The table never fills: half of its slots stay free. */
static struct metric_namespace *namespace_of(struct node_metrics *m, struct slice path)
{
    struct slice name = top_namespace(path);
    if (name.len == 0 || name.len > METRIC_NAMESPACE_BYTES_MAX)
        return NULL;
    if (m->namespaces == NULL)
        m->namespaces = mem_calloc(NAMESPACE_SLOTS, sizeof *m->namespaces);

    size_t at = hash_slice(name, 0) & (NAMESPACE_SLOTS - 1);
    while (m->namespaces[at].name_bytes != 0) {
        struct metric_namespace *ns = &m->namespaces[at];
        if (slice_eq(name, slice_of(ns->name, ns->name_bytes)))
            return ns;
        at = (at + 1) & (NAMESPACE_SLOTS - 1);
    }
    if (m->namespace_count == METRIC_NAMESPACES_MAX)
        return NULL;
    m->namespace_count++;
    m->namespaces[at].name_bytes = (uint8_t)name.len;
    memcpy(m->namespaces[at].name, name.ptr, name.len);
    return &m->namespaces[at];
}

void metric_namespace_read(struct node_metrics *m, struct slice path, size_t bytes)
{
    struct metric_namespace *ns = namespace_of(m, path);
    if (ns != NULL)
        metric_amount_add(&ns->read, path.len + bytes + STAT_OVERHEAD_BYTES);
}

void metric_namespace_write(struct node_metrics *m, struct slice path, size_t bytes)
{
    struct metric_namespace *ns = namespace_of(m, path);
    if (ns != NULL)
        metric_amount_add(&ns->write, path.len + bytes);
}

void metric_namespace_quota_exceeded(struct node_metrics *m, struct slice path)
{
    struct metric_namespace *ns = namespace_of(m, path);
    if (ns != NULL)
        ns->quota_exceeded++;
}

const struct metric_namespace *metric_namespace_next(const struct node_metrics *m, size_t *at)
{
    while (m->namespaces != NULL && *at < NAMESPACE_SLOTS) {
        const struct metric_namespace *ns = &m->namespaces[(*at)++];
        if (ns->name_bytes != 0)
            return ns;
    }
    return NULL;
}
