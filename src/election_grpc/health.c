/* grpc.health.v1.Health: a server serves when its replicas do. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "election_grpc/door_internal.h"
#include "grpc/health/v1/health.pb-c.h"

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
    struct election_grpc *door;
    struct grpc_call *call;
    status_t told;
};

/* Who does not read is told when he has: what it is then. */
static void tell(struct health_watcher *w, status_t now)
{
    if (w->told == now || w->told == UNKNOWN)
        return;
    if (grpc_call_unsent(w->call) >= GRPC_ROOM_BYTES) {
        grpc_call_want_room(w->call);
        return;
    }
    w->told = now;
    send_health(w->call, now);
}

static void on_ready(void *arg)
{
    struct election_grpc *g = arg;
    status_t now = health_now(g);
    for (struct list *at = g->health_watchers.next; at != &g->health_watchers; at = at->next)
        tell(list_entry(at, struct health_watcher, all), now);
}

static void on_room(struct grpc_call *c)
{
    struct health_watcher *w = grpc_call_context(c);
    if (w != NULL)
        tell(w, health_now(w->door));
}

static void on_end(struct grpc_call *c, const struct grpc_status *status)
{
    (void)status;
    struct health_watcher *w = grpc_call_context(c);
    if (w == NULL)
        return;
    list_remove(&w->all);
    if (list_is_empty(&w->door->health_watchers))
        service_on_ready(w->door->service, NULL, NULL);
    free(w);
}

static const struct grpc_handlers watch_health = {.on_room = on_room, .on_end = on_end};

static void watch(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    Grpc__Health__V1__HealthCheckRequest *m =
        unpack_request(c, &grpc__health__v1__health_check_request__descriptor, bytes);
    if (m == NULL)
        return;
    struct health_watcher *w = mem_calloc(1, sizeof *w);
    w->door = g;
    w->call = c;
    w->told = is_known(m->service) ? health_now(g) : UNKNOWN;
    grpc_call_set_context(c, w);
    if (list_is_empty(&g->health_watchers))
        service_on_ready(g->service, on_ready, g);
    list_append(&g->health_watchers, &w->all);
    send_health(c, w->told);
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
