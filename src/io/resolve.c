#include "io/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/thread.h"

/* Shared by the loop and one thread; whoever leaves last frees it. */
struct resolver {
    char *host;
    int port;
    resolve_done *done;
    void *arg;

    /* Guards what follows, and that the handle is not woken after it was closed. Held for a few
     * assignments. */
    pthread_mutex_t lock;
    uv_async_t answered;
    bool cancelled;
    int users;

    union resolve_address found[RESOLVE_ADDRESSES_MAX];
    size_t count;
    struct err err;
};

socklen_t resolve_address_bytes(const union resolve_address *a)
{
    return a->any.sa_family == AF_INET6 ? sizeof a->v6 : sizeof a->v4;
}

static void set_port(union resolve_address *a, int port)
{
    if (a->any.sa_family == AF_INET6)
        a->v6.sin6_port = htons((uint16_t)port);
    else
        a->v4.sin_port = htons((uint16_t)port);
}

bool resolve_literal(const char *host, int port, union resolve_address *ret)
{
    union resolve_address a = {0};
    if (inet_pton(AF_INET, host, &a.v4.sin_addr) == 1) {
        a.v4.sin_family = AF_INET;
    } else if (inet_pton(AF_INET6, host, &a.v6.sin6_addr) == 1) {
        a.v6.sin6_family = AF_INET6;
    } else {
        return false;
    }
    set_port(&a, port);
    *ret = a;
    return true;
}

static void leave(struct resolver *r)
{
    pthread_mutex_lock(&r->lock);
    bool last = --r->users == 0;
    pthread_mutex_unlock(&r->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r->host);
    free(r);
}

/* ---- the thread ---- */

static void take_family(struct resolver *r, const struct addrinfo *list, int family)
{
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        if (a->ai_family != family || r->count == RESOLVE_ADDRESSES_MAX)
            continue;
        union resolve_address *to = &r->found[r->count++];
        memcpy(to, a->ai_addr, a->ai_addrlen < sizeof *to ? a->ai_addrlen : sizeof *to);
        set_port(to, r->port);
    }
}

static void look_up(struct resolver *r)
{
    if (resolve_literal(r->host, r->port, &r->found[0])) {
        r->count = 1;
        return;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(r->host, NULL, &hints, &list);
    if (rc != 0) {
        err_set(&r->err, ERR_NOTFOUND, "'%s': %s", r->host, gai_strerror(rc));
        return;
    }
    take_family(r, list, AF_INET);
    take_family(r, list, AF_INET6);
    freeaddrinfo(list);
}

static void *resolver_main(void *arg)
{
    struct resolver *r = arg;
    look_up(r);
    pthread_mutex_lock(&r->lock);
    if (!r->cancelled)
        uv_async_send(&r->answered);
    pthread_mutex_unlock(&r->lock);
    leave(r);
    return NULL;
}

/* ---- the loop ---- */

static void on_closed(uv_handle_t *handle)
{
    leave(handle->data);
}

static void close_handle(struct resolver *r)
{
    pthread_mutex_lock(&r->lock);
    r->cancelled = true;
    pthread_mutex_unlock(&r->lock);
    uv_close((uv_handle_t *)&r->answered, on_closed);
}

static void on_answered(uv_async_t *handle)
{
    struct resolver *r = handle->data;
    if (r->cancelled)
        return;
    close_handle(r);
    r->done(r->arg, r->found, r->count, &r->err);
}

static void start_thread(struct resolver *r)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = io_thread_start(&thread, &attr, resolver_main, r);
    pthread_attr_destroy(&attr);
    if (rc == 0)
        return;
    err_set(&r->err, ERR_IO, "'%s': no thread to look it up: %s", r->host, strerror(rc));
    r->users--;
    uv_async_send(&r->answered);
}

struct resolver *resolve_start(struct loop *l, const char *host, int port, resolve_done *done,
                               void *arg)
{
    struct resolver *r = mem_calloc(1, sizeof *r);
    r->host = mem_dup(host, strlen(host) + 1);
    r->port = port;
    r->done = done;
    r->arg = arg;
    r->users = 2;
    pthread_mutex_init(&r->lock, NULL);
    uv_async_init(&l->uv, &r->answered, on_answered);
    r->answered.data = r;
    if (resolve_literal(host, port, &r->found[0])) {
        r->count = 1;
        r->users = 1;
        uv_async_send(&r->answered);
    } else {
        start_thread(r);
    }
    return r;
}

void resolve_cancel(struct resolver *r)
{
    if (r != NULL)
        close_handle(r);
}
