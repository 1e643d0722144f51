#include "client_io/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "client_io/thread.h"

/* Shared by the thread and by who started it; the last to release frees. `result` is the thread's
 * until `done` is set, then constant. */
struct lookup {
    atomic_int owners;
    atomic_bool done;
    int fd;
    int port;
    struct addresses result;
    char host[];
};

socklen_t address_bytes(const union address *a)
{
    return a->any.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

static void take_addresses(const struct addrinfo *found, struct addresses *ret)
{
    for (const struct addrinfo *i = found; i != NULL; i = i->ai_next) {
        bool fits = ret->count < LOOKUP_ADDRESSES_MAX && i->ai_addrlen <= sizeof(union address);
        if (fits && (i->ai_family == AF_INET || i->ai_family == AF_INET6))
            memcpy(&ret->list[ret->count++], i->ai_addr, i->ai_addrlen);
    }
}

static void look_up(const char *host, int port, int flags, struct addresses *ret)
{
    char service[8];
    snprintf(service, sizeof(service), "%d", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    *ret = (struct addresses){0};
    int rc = getaddrinfo(host, service, &hints, &found);
    if (rc != 0) {
        snprintf(ret->error, sizeof(ret->error), "%s",
                 rc == EAI_SYSTEM ? "the system cannot look it up" : gai_strerror(rc));
        return;
    }
    take_addresses(found, ret);
    freeaddrinfo(found);
    if (ret->count == 0)
        snprintf(ret->error, sizeof(ret->error), "no address");
}

bool lookup_literal(const char *host, int port, struct addresses *ret)
{
    look_up(host, port, AI_NUMERICHOST, ret);
    return ret->count > 0;
}

static void *run(void *arg)
{
    struct lookup *l = arg;
    look_up(l->host, l->port, AI_ADDRCONFIG, &l->result);
    atomic_store(&l->done, true);
    ssize_t ignored = write(l->fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)ignored; /* a counter of one does not overflow */
    lookup_release(l);
    return NULL;
}

struct lookup *lookup_start(const char *host, int port)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return NULL;
    size_t len = strlen(host);
    struct lookup *l = mem_calloc(1, sizeof(*l) + len + 1);
    memcpy(l->host, host, len + 1);
    l->port = port;
    l->fd = fd;
    atomic_init(&l->owners, 2);

    int rc = thread_start_detached(run, l);
    if (rc != 0) {
        close(fd);
        free(l);
        errno = rc;
        return NULL;
    }
    return l;
}

int lookup_fd(const struct lookup *l)
{
    return l->fd;
}

bool lookup_done(struct lookup *l, struct addresses *ret)
{
    if (!atomic_load(&l->done))
        return false;
    *ret = l->result;
    return true;
}

void lookup_release(struct lookup *l)
{
    if (l == NULL || atomic_fetch_sub(&l->owners, 1) > 1)
        return;
    close(l->fd);
    free(l);
}
