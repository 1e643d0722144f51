#include "console/samples.h"

struct difference {
    uint64_t count;
    int64_t mean_us, p99;
};

/* What came since `before`, which becomes `now`. After a reset of the statistics (or of a bucket
 * that was full) nothing is known of this second. */
static struct difference since(struct summary *before, const struct summary *now)
{
    struct difference d = {0};
    if (now->count > before->count && now->sum >= before->sum) {
        struct summary part = {.count = now->count - before->count, .max = now->max};
        for (size_t i = 0; i < SUMMARY_BUCKETS; i++) {
            if (now->buckets[i] > before->buckets[i])
                part.buckets[i] = now->buckets[i] - before->buckets[i];
        }
        d.count = part.count;
        d.mean_us = (now->sum - before->sum) * 1000 / (int64_t)part.count;
        d.p99 = summary_quantile(&part, 0.99);
    }
    *before = *now;
    return d;
}

static uint64_t per_second(uint64_t count, int64_t elapsed_ms)
{
    return count * 1000 / (uint64_t)elapsed_ms;
}

void samples_take(struct console_samples *s, const struct node_metrics *m, uint64_t outstanding,
                  uint64_t connections, int64_t now_ms, int64_t wall_ms)
{
    int64_t elapsed_ms = now_ms - s->begun_ms;
    if (s->begun && elapsed_ms <= 0)
        return;
    struct difference read = since(&s->read, &m->summary[METRIC_READLATENCY]);
    struct difference write = since(&s->write, &m->summary[METRIC_UPDATELATENCY]);
    struct difference synced = since(&s->synced, &m->summary[METRIC_FSYNCTIME]);
    if (s->begun)
        s->ring[s->next++ % CONSOLE_SAMPLES] =
            (struct console_sample){.wall_ms = wall_ms,
                                    .reads = per_second(read.count, elapsed_ms),
                                    .writes = per_second(write.count, elapsed_ms),
                                    .read_mean_us = read.mean_us,
                                    .read_p99_ms = read.p99,
                                    .write_mean_us = write.mean_us,
                                    .write_p99_ms = write.p99,
                                    .syncs = per_second(synced.count, elapsed_ms),
                                    .sync_mean_us = synced.mean_us,
                                    .outstanding = outstanding,
                                    .connections = connections};
    s->begun = true;
    s->begun_ms = now_ms;
}

static void put_sample(struct json_out *j, const struct console_sample *s)
{
    json_out_list(j, NULL);
    json_out_number(j, NULL, s->wall_ms);
    json_out_unsigned(j, NULL, s->reads);
    json_out_unsigned(j, NULL, s->writes);
    json_out_number(j, NULL, s->read_mean_us);
    json_out_number(j, NULL, s->read_p99_ms);
    json_out_number(j, NULL, s->write_mean_us);
    json_out_number(j, NULL, s->write_p99_ms);
    json_out_unsigned(j, NULL, s->syncs);
    json_out_number(j, NULL, s->sync_mean_us);
    json_out_unsigned(j, NULL, s->outstanding);
    json_out_unsigned(j, NULL, s->connections);
    json_out_list_end(j);
}

void samples_put(const struct console_samples *s, uint64_t from, struct buf *out)
{
    uint64_t oldest = s->next > CONSOLE_SAMPLES ? s->next - CONSOLE_SAMPLES : 0;
    if (from < oldest)
        from = oldest;
    struct json_out j;
    json_out_begin(&j, out);
    json_out_unsigned(&j, "from", from);
    json_out_list(&j, "samples");
    for (uint64_t i = from; i < s->next; i++)
        put_sample(&j, &s->ring[i % CONSOLE_SAMPLES]);
    json_out_list_end(&j);
    json_out_end(&j);
}
