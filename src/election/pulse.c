/* pulse.c: whether a server whose link has ended is dead.
 *
 * Where nobody listens any more there is no process any more: its address refuses connections. That
 * is known at once, long before its session with the coordination service is over, so its LiveNodes
 * are deleted and others lead. An address that accepts, or says nothing (a network that is cut, a
 * machine without power, a process that is stopped), proves nothing, and the session has to end. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "election/service_internal.h"
#include "io/connect.h"
#include "io/log.h"

enum {
    FEEL_TIMEOUT_MS = 1000,
    FEEL_AGAIN_MS = 25, /* a process that dies closes one thing after the other */
    FEELS_MAX = 4,
};

struct pulse {
    struct list all;
    struct service *service;
    char name[SERVER_NAME_BYTES_MAX], host[ADDRESS_BYTES_MAX];
    int port;
    uint64_t life;
    int64_t at_ns;
    uint32_t feels;
    struct connector *connector; /* NULL: it is felt again at at_ns */
};

static void forget(struct pulse *p)
{
    list_remove(&p->all);
    connect_cancel(p->connector);
    free(p);
}

void pulse_feel(struct service *s, const struct link *l)
{
    const char *host;
    int port;
    if (s->closing || !link_address(l, &host, &port))
        return;
    struct pulse *p = mem_calloc(1, sizeof *p);
    p->service = s;
    snprintf(p->name, sizeof p->name, "%s", link_name(l));
    snprintf(p->host, sizeof p->host, "%s", host);
    p->port = port;
    p->life = link_life(l);
    p->at_ns = service_now_ns(s);
    list_append(&s->pulses, &p->all);
    loop_again(s->loop);
}

static void bury(struct pulse *p)
{
    struct log_line line;
    log_begin(&line, LOG_WARN, "server_died");
    log_text(&line, "peer", p->name);
    log_text(&line, "text", "nobody listens at its address; its LiveNodes are deleted");
    log_end(&line);
    if (p->service->coordination != NULL)
        coordination_bury(p->service->coordination, p->name, p->life);
}

static void on_felt(void *arg, int fd, const struct err *err)
{
    struct pulse *p = arg;
    (void)err;
    p->connector = NULL;
    if (fd >= 0) {
        close(fd);
        p->at_ns = service_now_ns(p->service) + ((int64_t)FEEL_AGAIN_MS * 1000000 << p->feels);
        if (p->feels < FEELS_MAX)
            return;
    } else if (fd == CONNECT_REFUSED) {
        bury(p);
    }
    forget(p);
}

void pulse_turn(struct service *s)
{
    struct list *next;
    for (struct list *at = s->pulses.next; at != &s->pulses; at = next) {
        struct pulse *p = list_entry(at, struct pulse, all);
        next = at->next;
        if (p->connector != NULL || p->at_ns > service_now_ns(s))
            continue;
        if (links_find(s->links, p->name) != NULL) {
            forget(p);
            continue;
        }
        struct connect_target target = {p->host, p->port};
        p->feels++;
        p->connector = connect_start(s->loop, &target, 1, FEEL_TIMEOUT_MS, on_felt, p);
    }
}

int64_t pulse_deadline(const struct service *s)
{
    int64_t next_ns = INT64_MAX;
    for (struct list *at = s->pulses.next; at != &s->pulses; at = at->next) {
        const struct pulse *p = list_entry(at, struct pulse, all);
        if (p->connector == NULL && p->at_ns < next_ns)
            next_ns = p->at_ns;
    }
    return next_ns;
}

void pulses_end(struct service *s)
{
    for (struct list *at; (at = list_take(&s->pulses)) != NULL;)
        forget(list_entry(at, struct pulse, all));
}
