#include "io/connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/listen.h"

/* A socket that is connecting. Freed when its handle is closed. */
struct attempt {
    uv_poll_t poll;
    struct connector *owner;
    struct list all;
    union resolve_address address;
    int fd;
};

struct connector {
    struct loop *loop;
    connect_done *done;
    void *arg;
    struct lookup {
        struct connector *owner;
        struct resolver *resolver; /* NULL = answered */
    } lookups[CONNECT_TARGETS_MAX];
    size_t lookup_count, lookups_pending;
    union resolve_address candidates[CONNECT_ATTEMPTS_MAX];
    size_t candidate_count, candidate_next;
    struct list attempts; /* under way */
    uv_timer_t timeout, stagger;
    int timers_open;
    struct err err; /* of the last failure */
    bool refused, failed_otherwise;
};

/* ---- the end ---- */

static void on_attempt_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct connector *c = handle->data;
    if (--c->timers_open == 0)
        free(c);
}

/* The socket stays open if it has won. */
static void drop_attempt(struct attempt *a, bool close_socket)
{
    list_remove(&a->all);
    uv_close((uv_handle_t *)&a->poll, on_attempt_closed);
    if (close_socket)
        close(a->fd);
}

void connect_cancel(struct connector *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->lookup_count; i++)
        resolve_cancel(c->lookups[i].resolver);
    while (!list_is_empty(&c->attempts))
        drop_attempt(list_entry(c->attempts.next, struct attempt, all), true);
    uv_close((uv_handle_t *)&c->timeout, on_timer_closed);
    uv_close((uv_handle_t *)&c->stagger, on_timer_closed);
}

static void finish(struct connector *c, int fd)
{
    connect_done *done = c->done;
    void *arg = c->arg;
    struct err err = c->err;
    struct loop *loop = c->loop;
    if (fd < 0 && c->refused && !c->failed_otherwise)
        fd = CONNECT_REFUSED;
    connect_cancel(c);
    done(arg, fd, &err);
    loop_again(loop); /* we may be in a timer: what follows from it shall not wait */
}

/* ---- attempts ---- */

static void on_stagger(uv_timer_t *timer);

static void try_soon(struct connector *c, uint64_t wait_ms)
{
    uv_timer_start(&c->stagger, on_stagger, wait_ms, 0);
}

static void note_failure(struct connector *c, const union resolve_address *a, int error)
{
    char text[LISTEN_ADDRESS_BYTES];
    listen_address_text(&a->any, text);
    if (error == ECONNREFUSED)
        c->refused = true;
    else
        c->failed_otherwise = true;
    err_set(&c->err, ERR_IO, "%s port %d: %s", text, listen_address_port(&a->any), strerror(error));
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct attempt *a = handle->data;
    struct connector *c = a->owner;
    int error = 0;
    socklen_t len = sizeof error;
    (void)events;
    /* libuv says of any failure the same; the socket knows. */
    if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || (status < 0 && error == 0))
        error = EIO;
    if (error == 0) {
        int fd = a->fd;
        drop_attempt(a, false);
        finish(c, fd);
        return;
    }
    note_failure(c, &a->address, error);
    drop_attempt(a, true);
    try_soon(c, 0);
}

static void begin_attempt(struct connector *c, const union resolve_address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        (connect(fd, &address->any, resolve_address_bytes(address)) != 0 && errno != EINPROGRESS)) {
        note_failure(c, address, errno);
        if (fd >= 0)
            close(fd);
        try_soon(c, 0);
        return;
    }
    struct attempt *a = mem_calloc(1, sizeof *a);
    a->owner = c;
    a->address = *address;
    a->fd = fd;
    a->poll.data = a;
    if (uv_poll_init(&c->loop->uv, &a->poll, fd) != 0) {
        close(fd);
        free(a);
        try_soon(c, 0);
        return;
    }
    list_append(&c->attempts, &a->all);
    uv_poll_start(&a->poll, UV_WRITABLE, on_poll);
    try_soon(c, CONNECT_STAGGER_MS);
}

static void on_stagger(uv_timer_t *timer)
{
    struct connector *c = timer->data;
    if (c->candidate_next < c->candidate_count) {
        begin_attempt(c, &c->candidates[c->candidate_next++]);
        return;
    }
    if (list_is_empty(&c->attempts) && c->lookups_pending == 0)
        finish(c, -1);
}

static void on_timeout(uv_timer_t *timer)
{
    struct connector *c = timer->data;
    c->failed_otherwise = true;
    if (c->lookups_pending > 0)
        err_set(&c->err, ERR_IO, "no answer from the name service in time");
    else
        err_set(&c->err, ERR_IO, "no answer in time");
    finish(c, -1);
}

static void on_resolved(void *arg, const union resolve_address *addresses, size_t count,
                        const struct err *err)
{
    struct lookup *l = arg;
    struct connector *c = l->owner;
    l->resolver = NULL;
    c->lookups_pending--;
    if (count == 0) {
        c->err = *err;
        c->failed_otherwise = true;
    }
    for (size_t i = 0; i < count && c->candidate_count < CONNECT_ATTEMPTS_MAX; i++)
        c->candidates[c->candidate_count++] = addresses[i];
    if (list_is_empty(&c->attempts))
        try_soon(c, 0);
}

struct connector *connect_start(struct loop *l, const struct connect_target *targets, size_t count,
                                int64_t timeout_ms, connect_done *done, void *arg)
{
    struct connector *c = mem_calloc(1, sizeof *c);
    c->loop = l;
    c->done = done;
    c->arg = arg;
    c->timers_open = 2;
    list_init(&c->attempts);
    err_set(&c->err, ERR_NOTFOUND, "no address to connect to");
    uv_timer_init(&l->uv, &c->timeout);
    uv_timer_init(&l->uv, &c->stagger);
    c->timeout.data = c->stagger.data = c;
    for (size_t i = 0; i < count && i < CONNECT_TARGETS_MAX; i++) {
        struct lookup *k = &c->lookups[c->lookup_count];
        if (c->candidate_count < CONNECT_ATTEMPTS_MAX &&
            resolve_literal(targets[i].host, targets[i].port, &c->candidates[c->candidate_count])) {
            c->candidate_count++;
            continue;
        }
        k->owner = c;
        k->resolver = resolve_start(l, targets[i].host, targets[i].port, on_resolved, k);
        c->lookup_count++;
        c->lookups_pending++;
    }
    uv_update_time(&l->uv);
    uv_timer_start(&c->timeout, on_timeout, (uint64_t)timeout_ms, 0);
    try_soon(c, 0);
    return c;
}

void connect_tune(int fd, int64_t dead_ms)
{
    int one = 1;
    int interval_s = (int)(dead_ms / 4000) > 0 ? (int)(dead_ms / 4000) : 1;
    int probes = 3;
    unsigned timeout_ms = (unsigned)dead_ms;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}
