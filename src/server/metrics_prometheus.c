/* metrics_prometheus.c: one walk over all families, written as text or given to a visitor
 * (PrometheusMetricsProvider, TextFormat). */
#include <math.h>

#include "server/command_format.h"
#include "server/metrics_internal.h"
#include "server/standing.h"

/* Where samples go: the text of a scrape, or the visitor of mntr. */
struct sink {
    struct buf *text;
    metric_visit *visit;
    void *arg;
    struct buf name; /* of the sample being made */
};

static void family(struct sink *s, const char *name, const char *type)
{
    if (s->text != NULL)
        buf_printf(s->text, "# HELP %s %s\n# TYPE %s %s\n", name, name, name, type);
}

static void put_label_value(struct buf *out, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];
        if (c == '\\' || c == '"')
            buf_put_u8(out, '\\');
        if (c == '\n')
            buf_put(out, "\\n", 2);
        else
            buf_put_u8(out, c);
    }
}

/* `key` with len 0 and `quantile` NULL are left out. */
static void sample(struct sink *s, const char *name, const char *suffix, struct slice key,
                   const char *quantile, double value)
{
    buf_clear(&s->name);
    buf_printf(&s->name, "%s%s", name, suffix);
    if (key.len > 0 || quantile != NULL)
        buf_put_u8(&s->name, '{');
    if (key.len > 0) {
        buf_printf(&s->name, "key=\"");
        put_label_value(&s->name, key);
        buf_printf(&s->name, quantile != NULL ? "\"," : "\"");
    }
    if (quantile != NULL)
        buf_printf(&s->name, "quantile=\"%s\"", quantile);
    if (key.len > 0 || quantile != NULL)
        buf_put_u8(&s->name, '}');

    if (s->text != NULL) {
        buf_put_slice(s->text, buf_slice(&s->name));
        buf_put_u8(s->text, ' ');
        format_double(s->text, value);
        buf_put_u8(s->text, '\n');
    } else {
        buf_put_u8(&s->name, 0);
        struct metric_value v = {.is_real = true, .real = value};
        s->visit(s->arg, (const char *)s->name.ptr, &v);
    }
}

static void put_gauges(struct sink *s, const struct gauges *g)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct metric_value *v = &g->items[i].value;
        bool total = strcmp(g->items[i].name, "process_cpu_seconds_total") == 0;
        family(s, g->items[i].name, total ? "counter" : "gauge");
        sample(s, g->items[i].name, "", slice_of(NULL, 0), NULL,
               v->is_real ? v->real : (double)v->integer);
    }
}

static void put_quotas(struct sink *s, const struct tree *tree)
{
    struct quota_usages usages;
    quota_usages_read(tree, &usages);
    for (int g = 0; g < QUOTA_GAUGE_COUNT; g++) {
        const char *name = quota_gauge_name((enum quota_gauge)g);
        family(s, name, "gauge");
        for (size_t i = 0; i < usages.count; i++) {
            if (quota_gauge_is_set(&usages.items[i], (enum quota_gauge)g))
                sample(s, name, "", usages.items[i].name, NULL, (double)usages.items[i].value[g]);
        }
    }
}

static void put_counters(struct sink *s, const struct node_metrics *m)
{
    for (int id = METRIC_STAT_COUNT; id < METRIC_COUNTER_COUNT; id++) {
        const char *name = metric_counter_name((enum metric_counter)id);
        family(s, name, "counter");
        sample(s, name, "", slice_of(NULL, 0), NULL, (double)m->counter[id]);
    }
}

static void put_quantile(struct sink *s, const char *name, const struct summary *summary,
                         const char *quantile, double share)
{
    double value = summary->count == 0 ? (double)NAN : (double)summary_quantile(summary, share);
    sample(s, name, "", slice_of(NULL, 0), quantile, value);
}

static void put_summaries(struct sink *s, const struct node_metrics *m)
{
    for (int id = 0; id < METRIC_SUMMARY_COUNT; id++) {
        const char *name = metric_summary_name((enum metric_summary)id);
        const struct summary *summary = &m->summary[id];
        family(s, name, "summary");
        put_quantile(s, name, summary, "0.5", 0.5);
        if (metric_summary_is_advanced((enum metric_summary)id)) {
            put_quantile(s, name, summary, "0.9", 0.9);
            put_quantile(s, name, summary, "0.99", 0.99);
        }
        sample(s, name, "_count", slice_of(NULL, 0), NULL, (double)summary->count);
        sample(s, name, "_sum", slice_of(NULL, 0), NULL, (double)summary->sum);
    }
}

/* Counted without a histogram: no quantiles, which the format allows. */
static void put_amount(struct sink *s, const char *name, const struct metric_namespace *ns,
                       struct metric_amount a)
{
    if (a.count == 0)
        return;
    struct slice key = slice_of(ns->name, ns->name_bytes);
    sample(s, name, "_count", key, NULL, (double)a.count);
    sample(s, name, "_sum", key, NULL, (double)a.sum);
}

static void put_namespaces(struct sink *s, const struct node_metrics *m)
{
    const struct metric_namespace *ns;
    family(s, "read_per_namespace", "summary");
    for (size_t at = 0; (ns = metric_namespace_next(m, &at)) != NULL;)
        put_amount(s, "read_per_namespace", ns, ns->read);
    family(s, "write_per_namespace", "summary");
    for (size_t at = 0; (ns = metric_namespace_next(m, &at)) != NULL;)
        put_amount(s, "write_per_namespace", ns, ns->write);
    family(s, "quota_exceeded_error_per_namespace", "counter");
    for (size_t at = 0; (ns = metric_namespace_next(m, &at)) != NULL;) {
        if (ns->quota_exceeded > 0)
            sample(s, "quota_exceeded_error_per_namespace", "", slice_of(ns->name, ns->name_bytes),
                   NULL, (double)ns->quota_exceeded);
    }
}

static void walk(struct server_info *info, struct sink *s)
{
    struct gauges gauges;
    if (info->node != NULL) {
        const struct node_metrics *m = node_metrics(info->node);
        gauges_read(info, &gauges);
        put_gauges(s, &gauges);
        if (standing_serves(info))
            put_quotas(s, node_tree(info->node));
        put_counters(s, m);
        put_summaries(s, m);
        put_namespaces(s, m);
    }
    process_gauges_read(info, &gauges);
    put_gauges(s, &gauges);
    buf_deinit(&s->name);
}

void prometheus_each(struct server_info *info, metric_visit *visit, void *arg)
{
    walk(info, &(struct sink){.visit = visit, .arg = arg});
}

void metrics_prometheus(struct server_info *info, struct buf *out)
{
    walk(info, &(struct sink){.text = out});
}
