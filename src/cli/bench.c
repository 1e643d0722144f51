/* bench.c: how many requests servers answer, and how fast.
 *
 * Its nodes are ephemeral, below a container: they go with this command's session even if it is
 * killed, and the container after them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/bench.h"
#include "cli/json.h"

enum {
    CHUNK_NODES = 100,
    CHUNK_BYTES = 500000, /* servers take requests of 1 MiB */
};

/* ---- the nodes ---- */

/* The nodes from `first` on that fit into one multi. */
static int64_t chunk_nodes(const struct bench_plan *plan, int64_t first)
{
    int64_t fit = CHUNK_BYTES / (plan->bytes + BENCH_PATH_BYTES);
    int64_t count = fit < 1 ? 1 : fit > CHUNK_NODES ? CHUNK_NODES : fit;
    return plan->nodes - first < count ? plan->nodes - first : count;
}

static int for_all_nodes(struct cli *cli, const struct bench_plan *plan,
                         const struct caucus_op *like)
{
    static char paths[CHUNK_NODES][BENCH_PATH_BYTES + 24];
    struct caucus_op ops[CHUNK_NODES];
    int rc = 0;
    for (int64_t first = 0; first < plan->nodes && rc == 0;) {
        int64_t count = chunk_nodes(plan, first);
        for (int64_t i = 0; i < count; i++) {
            snprintf(paths[i], sizeof paths[i], "%s/%" PRId64, plan->path, first + i);
            ops[i] = *like;
            ops[i].path = paths[i];
        }
        rc = caucus_multi_wait(cli->handle, ops, (size_t)count, NULL);
        first += count;
    }
    return rc;
}

static int make_nodes(struct cli *cli, const struct bench_plan *plan)
{
    char *data = mem_alloc((size_t)plan->bytes + 1);
    memset(data, 'x', (size_t)plan->bytes + 1);
    const struct caucus_create_options container = {.mode = CAUCUS_CONTAINER};
    const struct caucus_op like = {.type = CAUCUS_OP_CREATE,
                                   .data = data,
                                   .data_bytes = (size_t)plan->bytes,
                                   .options = {.mode = CAUCUS_EPHEMERAL}};
    int code = CLI_OK;
    int rc = caucus_create_wait(cli->handle, plan->path, NULL, 0, &container, NULL);
    if (rc == 0)
        rc = for_all_nodes(cli, plan, &like);
    if (rc != 0)
        code = cli_failed(cli, plan->path, rc);
    free(data);
    return code;
}

/* Whatever is left of them goes with the session. */
static void remove_nodes(struct cli *cli, const struct bench_plan *plan)
{
    const struct caucus_op like = {.type = CAUCUS_OP_DELETE, .version = CAUCUS_ANY_VERSION};
    int rc = for_all_nodes(cli, plan, &like);
    if (rc == 0)
        rc = caucus_delete_wait(cli->handle, plan->path, CAUCUS_ANY_VERSION);
    if (rc != 0 && rc != CAUCUS_NONODE)
        fprintf(stderr, "caucus: bench: %s is left to the servers, which remove it (%s)\n",
                plan->path, caucus_error_text(rc));
}

/* ---- the result ---- */

struct outcome {
    struct summary reads, writes;
    uint64_t errors;
    int first_error;
    double seconds;
};

static void add_up(const struct bench_run *run, struct outcome *ret)
{
    memset(ret, 0, sizeof *ret);
    for (int64_t i = 0; i < run->plan->connections; i++) {
        const struct bench_connection *c = &run->connections[i];
        summary_merge(&ret->reads, &c->reads);
        summary_merge(&ret->writes, &c->writes);
        if (ret->errors == 0)
            ret->first_error = c->first_error;
        ret->errors += c->errors;
    }
    ret->seconds = (double)(run->ended_ns - run->began_ns) / 1e9;
}

static double us(int64_t ns)
{
    return (double)ns / 1000;
}

static void print_summary(const char *what, const struct summary *s, double seconds)
{
    if (s->count == 0)
        return;
    printf("%-7s %9" PRIu64 "  %9.0f/s   mean %.0f  p50 %.0f  p90 %.0f  p99 %.0f  p99.9 %.0f  "
           "max %.0f us\n",
           what, s->count, (double)s->count / seconds, us((int64_t)summary_mean(s)),
           us(summary_quantile(s, 0.5)), us(summary_quantile(s, 0.9)),
           us(summary_quantile(s, 0.99)), us(summary_quantile(s, 0.999)), us(s->max));
}

static void json_summary(struct json *j, const char *name, const struct summary *s)
{
    cli_json_object(j, name);
    cli_json_number(j, "count", (int64_t)s->count);
    cli_json_number(j, "min_us", s->min / 1000);
    cli_json_number(j, "mean_us", (int64_t)summary_mean(s) / 1000);
    cli_json_number(j, "p50_us", summary_quantile(s, 0.5) / 1000);
    cli_json_number(j, "p90_us", summary_quantile(s, 0.9) / 1000);
    cli_json_number(j, "p99_us", summary_quantile(s, 0.99) / 1000);
    cli_json_number(j, "p999_us", summary_quantile(s, 0.999) / 1000);
    cli_json_number(j, "max_us", s->max / 1000);
    cli_json_object_end(j);
}

static void print_json(const struct bench_plan *plan, const struct outcome *o)
{
    struct json j;
    uint64_t count = o->reads.count + o->writes.count;
    cli_json_begin(&j);
    cli_json_number(&j, "connections", plan->connections);
    cli_json_number(&j, "in_flight", plan->in_flight);
    cli_json_number(&j, "nodes", plan->nodes);
    cli_json_number(&j, "bytes", plan->bytes);
    cli_json_number(&j, "reads_percent", plan->reads_percent);
    cli_json_number(&j, "milliseconds", (int64_t)(o->seconds * 1000));
    cli_json_number(&j, "requests", (int64_t)count);
    cli_json_number(&j, "requests_per_s", (int64_t)((double)count / o->seconds));
    cli_json_number(&j, "errors", (int64_t)o->errors);
    if (o->errors > 0)
        cli_json_text(&j, "first_error", caucus_error_name(o->first_error));
    json_summary(&j, "reads", &o->reads);
    json_summary(&j, "writes", &o->writes);
    cli_json_end(&j);
}

static int tell(struct cli *cli, const struct bench_plan *plan, const struct outcome *o)
{
    if (cli->json) {
        print_json(plan, o);
    } else {
        uint64_t count = o->reads.count + o->writes.count;
        printf("%" PRIu64 " requests in %.1f s: %.0f/s, %" PRId64 " connections with %" PRId64
               " in flight, %" PRId64 " nodes of %" PRId64 " bytes\n",
               count, o->seconds, (double)count / o->seconds, plan->connections, plan->in_flight,
               plan->nodes, plan->bytes);
        print_summary("reads", &o->reads, o->seconds);
        print_summary("writes", &o->writes, o->seconds);
    }
    if (o->errors == 0)
        return CLI_OK;
    char what[64];
    snprintf(what, sizeof what, "%" PRIu64 " requests failed, the first", o->errors);
    return cli_failed(cli, what, o->first_error);
}

/* ---- the words ---- */

static int check_number(struct cli *cli, const char *name, int64_t n, int64_t min, int64_t max)
{
    return n >= min && n <= max
               ? CLI_OK
               : cli_usage(cli, "--%s: %" PRId64 " is not from %" PRId64 " to %" PRId64, name, n,
                           min, max);
}

static int check_plan(struct cli *cli, const struct bench_plan *p)
{
    const struct {
        const char *name;
        int64_t value, min, max;
    } numbers[] = {
        {"connections", p->connections, 1, BENCH_CONNECTIONS_MAX},
        {"in-flight", p->in_flight, 1, BENCH_IN_FLIGHT_MAX},
        {"nodes", p->nodes, 1, BENCH_NODES_MAX},
        {"bytes", p->bytes, 0, BENCH_BYTES_MAX},
        {"reads", p->reads_percent, 0, 100},
        {"seconds", p->seconds, 1, BENCH_SECONDS_MAX},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int code =
            check_number(cli, numbers[i].name, numbers[i].value, numbers[i].min, numbers[i].max);
        if (code != CLI_OK)
            return code;
    }
    if (p->count != -1 && p->count < 1)
        return cli_usage(cli, "--count: at least 1");
    if (p->connections * p->in_flight > BENCH_ALL_IN_FLIGHT_MAX)
        return cli_usage(cli,
                         "%" PRId64 " connections with %" PRId64
                         " in flight are more than %d requests at once",
                         p->connections, p->in_flight, BENCH_ALL_IN_FLIGHT_MAX);
    if (p->nodes * p->bytes > BENCH_ALL_BYTES_MAX)
        return cli_usage(cli,
                         "%" PRId64 " nodes of %" PRId64
                         " bytes are more than %d MiB of the servers' memory",
                         p->nodes, p->bytes, BENCH_ALL_BYTES_MAX >> 20);
    return CLI_OK;
}

/* The share of reads by the word; --reads belongs to "mixed". */
static int read_mode(struct cli *cli, const char *word, int64_t given, int64_t *ret)
{
    enum {
        MIXED_PERCENT = 80
    };
    if (given != -1 && strcmp(word, "mixed") != 0)
        return cli_usage(cli, "--reads belongs to mixed");
    if (strcmp(word, "read") == 0)
        *ret = 100;
    else if (strcmp(word, "write") == 0)
        *ret = 0;
    else if (strcmp(word, "mixed") == 0)
        *ret = given != -1 ? given : MIXED_PERCENT;
    else
        return cli_usage(cli, "'%s' is not one of read, write, mixed", word);
    return CLI_OK;
}

static int bench(struct cli *cli, const struct bench_plan *plan)
{
    struct bench_run run;
    struct outcome *outcome = mem_calloc(1, sizeof *outcome);
    int code = bench_open(cli, plan, &run);
    if (code == CLI_OK) {
        bench_go(cli, &run);
        add_up(&run, outcome);
    }
    bench_close(&run);
    if (code == CLI_OK)
        code = tell(cli, plan, outcome);
    free(outcome);
    return code;
}

int run_bench(struct cli *cli, int argc, char **argv)
{
    struct bench_plan plan = {
        .connections = 8, .in_flight = 16, .nodes = 100, .bytes = 100, .seconds = 10, .count = -1};
    int64_t reads = -1;
    const char *parent = "/";
    const struct option options[] = {
        {'c', "connections", OPTION_NUMBER, &plan.connections},
        {'f', "in-flight", OPTION_NUMBER, &plan.in_flight},
        {0, "nodes", OPTION_NUMBER, &plan.nodes},
        {'b', "bytes", OPTION_NUMBER, &plan.bytes},
        {'d', "seconds", OPTION_NUMBER, &plan.seconds},
        {'n', "count", OPTION_NUMBER, &plan.count},
        {0, "reads", OPTION_NUMBER, &reads},
        {0, "path", OPTION_TEXT, &parent},
    };
    int code = cli_words(cli, options, sizeof options / sizeof *options, argc, argv, 1, 1, NULL);
    if (code == CLI_OK)
        code = read_mode(cli, argv[1], reads, &plan.reads_percent);
    if (code == CLI_OK)
        code = check_plan(cli, &plan);
    if (code == CLI_OK)
        code = cli_check_path(cli, parent, false);
    if (code != CLI_OK)
        return code;
    int len =
        snprintf(plan.path, sizeof plan.path, "%s/caucus-bench-%ld-%" PRIx64,
                 strcmp(parent, "/") == 0 ? "" : parent, (long)getpid(), (uint64_t)caucus_now_ns());
    if (len >= (int)sizeof plan.path)
        return cli_usage(cli, "--path: too long");
    if (watching_take_signals(&cli->watching) < 0)
        return cli_usage(cli, "signals cannot be waited for");
    code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    code = make_nodes(cli, &plan);
    if (code == CLI_OK)
        code = bench(cli, &plan);
    remove_nodes(cli, &plan);
    return code;
}
