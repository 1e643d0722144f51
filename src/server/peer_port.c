#include "server/peer_port.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/log.h"

/* One address of ours. Its timer lives until it is closed; then it is freed. */
struct spot {
    struct peer_port *port;
    struct list all;
    char *host; /* NULL = every address */
    int number;
    struct listener *listener;
    struct resolver *resolver;
    uv_timer_t retry;
    int failures;
    bool wanted; /* while peer_port_listen compares */
};

struct peer_port {
    struct loop *loop;
    struct peer_port_options options;
    struct list spots;
};

struct peer_port *peer_port_open(struct loop *l, const struct peer_port_options *options)
{
    struct peer_port *p = mem_calloc(1, sizeof *p);
    p->loop = l;
    p->options = *options;
    list_init(&p->spots);
    return p;
}

static void on_retry_closed(uv_handle_t *handle)
{
    struct spot *s = handle->data;
    free(s->host);
    free(s);
}

static void spot_close(struct spot *s)
{
    list_remove(&s->all);
    listener_close(s->listener);
    resolve_cancel(s->resolver);
    uv_close((uv_handle_t *)&s->retry, on_retry_closed);
}

void peer_port_close(struct peer_port *p)
{
    if (p == NULL)
        return;
    while (!list_is_empty(&p->spots))
        spot_close(list_entry(p->spots.next, struct spot, all));
    free(p);
}

size_t peer_port_bound(const struct peer_port *p)
{
    size_t count = 0;
    for (const struct list *at = p->spots.next; at != &p->spots; at = at->next)
        count +=
            ((const struct spot *)(const void *)((const char *)at - offsetof(struct spot, all)))
                ->listener != NULL;
    return count;
}

/* ---- binding ---- */

static void on_retry(uv_timer_t *timer);

static void failed(struct spot *s, const struct err *err)
{
    struct peer_port *p = s->port;
    struct log_line l;
    s->failures++;
    log_begin(&l, LOG_WARN, "port_not_bound");
    log_text(&l, "what", p->options.what);
    log_text(&l, "reason", err->text);
    log_int(&l, "attempt", s->failures);
    log_end(&l);
    /* Past the last attempt the timer tells it: not from inside of peer_port_listen. */
    bool last = p->options.retries > 0 && s->failures >= p->options.retries;
    uv_timer_start(&s->retry, on_retry, last ? 0 : PEER_PORT_RETRY_MS, 0);
}

static void on_trouble(void *arg, int error)
{
    const struct spot *s = arg;
    struct log_line l;
    if (error == 0)
        return;
    log_begin(&l, LOG_ERROR, "accept_failed");
    log_text(&l, "what", s->port->options.what);
    log_text(&l, "reason", strerror(error));
    log_end(&l);
}

static void on_accept(void *arg, int fd, const struct sockaddr *peer)
{
    const struct spot *s = arg;
    s->port->options.on_accept(s->port->options.arg, fd, peer);
}

static void bind_at(struct spot *s, const union resolve_address *address)
{
    struct listener_options options = {
        .at = address != NULL ? &address->any : NULL,
        .port = s->number,
        .on_accept = on_accept,
        .on_trouble = on_trouble,
        .arg = s,
    };
    struct err err;
    if (listener_open(s->port->loop, &options, &s->listener, &err) < 0) {
        s->listener = NULL;
        failed(s, &err);
    }
}

static void on_resolved(void *arg, const union resolve_address *addresses, size_t count,
                        const struct err *err)
{
    struct spot *s = arg;
    s->resolver = NULL;
    if (count > 0)
        bind_at(s, &addresses[0]);
    else
        failed(s, err);
}

static void begin(struct spot *s)
{
    union resolve_address address;
    if (s->host == NULL)
        bind_at(s, NULL);
    else if (resolve_literal(s->host, s->number, &address))
        bind_at(s, &address);
    else
        s->resolver = resolve_start(s->port->loop, s->host, s->number, on_resolved, s);
}

static void on_retry(uv_timer_t *timer)
{
    struct spot *s = timer->data;
    struct peer_port *p = s->port;
    if (p->options.retries == 0 || s->failures < p->options.retries) {
        begin(s);
        return;
    }
    p->options.on_failed(p->options.arg, "a port that other servers need cannot be bound");
}

/* ---- where ---- */

static bool same_host(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static struct spot *find(struct peer_port *p, const char *host, int number)
{
    for (struct list *at = p->spots.next; at != &p->spots; at = at->next) {
        struct spot *s = list_entry(at, struct spot, all);
        if (s->number == number && same_host(s->host, host))
            return s;
    }
    return NULL;
}

static struct spot *add(struct peer_port *p, const char *host, int number)
{
    struct spot *s = mem_calloc(1, sizeof *s);
    s->port = p;
    s->host = host != NULL ? mem_dup(host, strlen(host) + 1) : NULL;
    s->number = number;
    uv_timer_init(&p->loop->uv, &s->retry);
    s->retry.data = s;
    list_append(&p->spots, &s->all);
    return s;
}

void peer_port_listen(struct peer_port *p, const struct connect_target *addresses, size_t count)
{
    for (struct list *at = p->spots.next; at != &p->spots; at = at->next)
        list_entry(at, struct spot, all)->wanted = false;
    for (size_t i = 0; i < count; i++) {
        const char *host = p->options.all_addresses ? NULL : addresses[i].host;
        struct spot *s = find(p, host, addresses[i].port);
        if (s == NULL)
            s = add(p, host, addresses[i].port);
        s->wanted = true;
    }
    for (struct list *at = p->spots.next, *next; at != &p->spots; at = next) {
        struct spot *s = list_entry(at, struct spot, all);
        next = at->next;
        if (!s->wanted)
            spot_close(s);
    }
    /* What was there before is gone first: it may have had the port. */
    for (struct list *at = p->spots.next; at != &p->spots; at = at->next) {
        struct spot *s = list_entry(at, struct spot, all);
        if (s->listener == NULL && s->resolver == NULL && s->failures == 0)
            begin(s);
    }
}
