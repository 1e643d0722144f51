#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "election_grpc/door_internal.h"

enum {
    CONNECTIONS_MAX = 10000,
    STREAMS_MAX = 10000,
    IN_FLIGHT_MAX = 8192,
    /* Clients of voters give up at will: a router may have thousands of calls at a time. */
    RESETS_BURST = 100000,
    RESETS_PER_SECOND = 10000,
};

/* ---- Life ---- */

static void on_last_closed(uv_handle_t *handle)
{
    struct election_grpc *g = handle->data;
    loop_again(g->loop);
    if (g->stopped != NULL)
        g->stopped(g->stopped_arg);
    buf_deinit(&g->reply);
    free(g);
}

static void free_if_last(struct election_grpc *g)
{
    if (g->server == NULL && g->asked == 0)
        uv_close((uv_handle_t *)&g->last, on_last_closed);
}

void door_hold(struct election_grpc *g)
{
    g->asked++;
}

void door_release(struct election_grpc *g)
{
    invariant(g->asked > 0);
    g->asked--;
    free_if_last(g);
}

static uint32_t or_else(uint32_t given, uint32_t usual)
{
    return given > 0 ? given : usual;
}

static void put_metrics(void *arg, struct buf *out)
{
    const struct election_grpc *g = arg;
    struct grpc_server_counts n = grpc_server_counts(g->server);
    buf_printf(out, "# TYPE grpc_casts_total counter\n");
    for (int i = 0; i < CAST_OUTCOME_COUNT; i++)
        buf_printf(out, "grpc_casts_total{outcome=\"%s\"} %llu\n", cast_outcome_name(i),
                   (unsigned long long)g->casts[i]);
    const struct {
        const char *name, *type;
        uint64_t value;
    } rows[] = {
        {"grpc_connections", "gauge", n.connections},
        {"h2_streams", "gauge", n.calls},
        {"grpc_kept_bytes", "gauge", n.kept_bytes},
        {"grpc_calls_total", "counter", n.calls_total},
        {"grpc_messages_received_total", "counter", n.messages_in_total},
        {"grpc_messages_sent_total", "counter", n.messages_out_total},
        {"grpc_connections_refused_total", "counter", n.refused_connections_total},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        buf_printf(out, "# TYPE %s %s\n%s %llu\n", rows[i].name, rows[i].type, rows[i].name,
                   (unsigned long long)rows[i].value);
}

int election_grpc_start(struct loop *loop, struct service *service,
                        const struct election_grpc_options *options, struct election_grpc **ret,
                        struct err *err)
{
    struct election_grpc *g = mem_calloc(1, sizeof *g);
    g->loop = loop;
    g->service = service;
    g->options = *options;
    g->options.in_flight_max = or_else(options->in_flight_max, IN_FLIGHT_MAX);
    list_init(&g->watchers);
    list_init(&g->health_watchers);
    const struct grpc_server_options o = {
        .address = options->address,
        .port = options->port,
        .tls = options->tls,
        .connections_max = or_else(options->connections_max, CONNECTIONS_MAX),
        .streams_max = or_else(options->streams_max, STREAMS_MAX),
        .message_bytes_max = ELECTION_GRPC_REQUEST_BYTES_MAX,
        .calls_max = options->calls_max,
        .kept_bytes_max = options->kept_bytes_max,
        .resets_burst = RESETS_BURST,
        .resets_per_second = RESETS_PER_SECOND,
    };
    int rc = grpc_server_open(loop, &o, &g->server, err);
    if (rc < 0) {
        free(g);
        return rc;
    }
    uv_timer_init(&loop->uv, &g->last);
    g->last.data = g;
    voting_add(g);
    committee_add(g);
    transparency_add(g);
    legacy_add(g);
    health_add(g);
    reflection_add(g);
    service_more_metrics(service, put_metrics, g);
    *ret = g;
    return 0;
}

int election_grpc_port(const struct election_grpc *g)
{
    return grpc_server_port(g->server);
}

static void on_closed(void *arg)
{
    struct election_grpc *g = arg;
    g->server = NULL;
    free_if_last(g);
}

void election_grpc_stop(struct election_grpc *g, int64_t drain_ms, void (*stopped)(void *arg),
                        void *arg)
{
    g->stopped = stopped;
    g->stopped_arg = arg;
    service_more_metrics(g->service, NULL, NULL);
    watchers_leave(g);
    health_leave(g);
    grpc_server_close(g->server, drain_ms, on_closed, g);
}

struct asked *asked_new(struct election_grpc *g, struct grpc_call *c)
{
    struct asked *a = mem_alloc(sizeof *a);
    *a = (struct asked){.door = g, .call = c};
    grpc_call_hold(c);
    door_hold(g);
    return a;
}

void asked_free(struct asked *a)
{
    grpc_call_release(a->call);
    door_release(a->door);
    free(a);
}
