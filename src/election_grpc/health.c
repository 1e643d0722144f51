/* grpc.health.v1.Health: a server serves when its replicas do. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "election_grpc/door_internal.h"
#include "grpc/health/v1/health.pb-c.h"

enum {
    LOOK_MS =
        1000 /* the service does not tell when it becomes ready: watchers are told this late */
};

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus status_t;

#define SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define UNKNOWN     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

static bool is_known(const char *name)
{
    static const char *const names[] = {
        "",
        "election.v1.Voting",
        "election.v1.Committee",
        "election.v1.Transparency",
        "protos.ElectionsServer",
        "grpc.health.v1.Health",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static status_t health_now(const struct election_grpc *g)
{
    const char *why;
    return service_is_ready(g->service, &why) ? SERVING : NOT_SERVING;
}

static void send_health(struct grpc_call *c, status_t status)
{
    Grpc__Health__V1__HealthCheckResponse m = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    m.status = status;
    send_packed(c, &m);
}

static void check(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    Grpc__Health__V1__HealthCheckRequest *m =
        unpack_request(c, &grpc__health__v1__health_check_request__descriptor, bytes);
    if (m == NULL)
        return;
    if (is_known(m->service)) {
        send_health(c, health_now(g));
        grpc_call_finish(c, GRPC_OK, NULL);
    } else {
        grpc_call_finish(c, GRPC_NOT_FOUND, "no such service");
    }
    free_request(m);
}

/* ---- Watch ---- */

struct health_watcher {
    struct list all;
    struct grpc_call *call;
    status_t told;
};

static void on_timer(uv_timer_t *timer)
{
    struct election_grpc *g = timer->data;
    status_t now = health_now(g);
    for (struct list *at = g->health_watchers.next; at != &g->health_watchers; at = at->next) {
        struct health_watcher *w = list_entry(at, struct health_watcher, all);
        /* Who does not read is told when he has. */
        if (w->told == now || w->told == UNKNOWN || grpc_call_unsent(w->call) > 0)
            continue;
        w->told = now;
        send_health(w->call, now);
    }
    if (list_is_empty(&g->health_watchers))
        uv_timer_stop(timer);
}

static void on_end(struct grpc_call *c, const struct grpc_status *status)
{
    (void)status;
    struct health_watcher *w = grpc_call_context(c);
    if (w == NULL)
        return;
    list_remove(&w->all);
    free(w);
}

static const struct grpc_handlers watch_health = {.on_end = on_end};

static void watch(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    Grpc__Health__V1__HealthCheckRequest *m =
        unpack_request(c, &grpc__health__v1__health_check_request__descriptor, bytes);
    if (m == NULL)
        return;
    struct health_watcher *w = mem_calloc(1, sizeof *w);
    w->call = c;
    w->told = is_known(m->service) ? health_now(g) : UNKNOWN;
    grpc_call_set_context(c, w);
    list_append(&g->health_watchers, &w->all);
    send_health(c, w->told);
    if (uv_is_active((uv_handle_t *)&g->health_timer) == 0)
        uv_timer_start(&g->health_timer, on_timer, LOOK_MS, LOOK_MS);
    free_request(m);
}

void health_add(struct election_grpc *g)
{
    grpc_server_add(
        g->server,
        &(struct grpc_method){.path = "/grpc.health.v1.Health/Check", .unary = check, .arg = g});
    grpc_server_add(g->server, &(struct grpc_method){.path = "/grpc.health.v1.Health/Watch",
                                                     .unary = watch,
                                                     .handlers = &watch_health,
                                                     .arg = g});
}

void health_leave(struct election_grpc *g)
{
    for (struct list *at = g->health_watchers.next; at != &g->health_watchers; at = at->next) {
        struct health_watcher *w = list_entry(at, struct health_watcher, all);
        send_health(w->call, NOT_SERVING);
        grpc_call_finish(w->call, GRPC_UNAVAILABLE, "the server stops");
    }
}
