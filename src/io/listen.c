#include "io/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct listener {
    struct listener_options options;
    int fd;
    bool troubled;
    uv_poll_t poll;
    uv_timer_t pause;
    int handles_open; /* poll and pause; the last to close frees */
};

static void on_readable(uv_poll_t *handle, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct listener *l = timer->data;
    uv_poll_start(&l->poll, UV_READABLE, on_readable);
}

/* Errors that mean "not now", as opposed to "this one peer has gone already". */
static bool is_exhaustion(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_accept_error(struct listener *l, int error)
{
    if (!is_exhaustion(error))
        return;
    if (!l->troubled)
        l->options.on_trouble(l->options.arg, error);
    l->troubled = true;
    uv_poll_stop(&l->poll);
    uv_timer_start(&l->pause, on_pause_over, LISTEN_PAUSE_MS, 0);
}

static void accept_one(struct listener *l, int fd, const struct sockaddr *peer)
{
    if (l->troubled)
        l->options.on_trouble(l->options.arg, 0);
    l->troubled = false;
    l->options.on_accept(l->options.arg, fd, peer);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    struct listener *l = handle->data;
    (void)events;
    if (status < 0)
        return;
    for (int i = 0; i < LISTEN_ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                return;
            on_accept_error(l, errno);
            if (l->troubled)
                return;
            continue;
        }
        accept_one(l, fd, (struct sockaddr *)&peer);
    }
}

static int open_socket(const struct sockaddr *address, socklen_t len, int backlog)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int one = 1, zero = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, address, len) != 0 || listen(fd, backlog > 0 ? backlog : SOMAXCONN) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Every address: one IPv6 socket takes both kinds, as Java's does; without IPv6 in the kernel, an
 * IPv4 one. */
static int open_any(int port, int backlog)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = open_socket((const struct sockaddr *)&v6, sizeof v6, backlog);
    if (fd >= 0 || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
        return fd;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return open_socket((const struct sockaddr *)&v4, sizeof v4, backlog);
}

static int open_named(const struct listener_options *o, int *ret_fd, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(o->address, NULL, &hints, &found);
    if (rc != 0)
        return err_set(err, ERR_INVALID, "address '%s': %s", o->address, gai_strerror(rc));

    /* A name with both kinds of addresses means the IPv4 one, as in Java. */
    struct addrinfo *a = found;
    while (a->ai_family != AF_INET && a->ai_next != NULL)
        a = a->ai_next;
    if (a->ai_family != AF_INET)
        a = found;
    if (a->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)a->ai_addr)->sin6_port = htons((uint16_t)o->port);
    else
        ((struct sockaddr_in *)(void *)a->ai_addr)->sin_port = htons((uint16_t)o->port);
    *ret_fd = open_socket(a->ai_addr, a->ai_addrlen, o->backlog);
    freeaddrinfo(found);
    return 0;
}

static int refused(const struct listener_options *o, int error, struct err *err)
{
    if (o->at == NULL && o->address == NULL)
        return err_set(err, ERR_IO, "listen on port %d of every address: %s", o->port,
                       strerror(error));
    char text[LISTEN_ADDRESS_BYTES];
    int port = o->port;
    if (o->at != NULL) {
        listen_address_text(o->at, text);
        port = listen_address_port(o->at);
    }
    return err_set(err, ERR_IO, "listen on port %d of '%s': %s", port,
                   o->at != NULL ? text : o->address, strerror(error));
}

int listen_socket(const struct listener_options *options, struct err *err)
{
    int fd = -1;
    if (options->at != NULL) {
        fd = open_socket(options->at,
                         options->at->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                            : sizeof(struct sockaddr_in),
                         options->backlog);
    } else if (options->address == NULL) {
        fd = open_any(options->port, options->backlog);
    } else {
        int rc = open_named(options, &fd, err);
        if (rc < 0)
            return rc;
    }
    if (fd < 0)
        return refused(options, errno, err);
    /* What is accepted inherits it, at no cost per connection. */
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int listener_open(struct loop *loop, const struct listener_options *options, struct listener **ret,
                  struct err *err)
{
    int fd = listen_socket(options, err), one = 1;
    if (fd < 0)
        return fd;
    if (options->keep_alive)
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    struct listener *l = mem_calloc(1, sizeof *l);
    l->options = *options;
    l->options.at = NULL;
    l->fd = fd;
    l->handles_open = 2;
    l->poll.data = l->pause.data = l;
    uv_timer_init(&loop->uv, &l->pause);
    uv_poll_init(&loop->uv, &l->poll, fd);
    uv_poll_start(&l->poll, UV_READABLE, on_readable);
    *ret = l;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    if (--l->handles_open == 0)
        free(l);
}

void listener_close(struct listener *l)
{
    if (l == NULL)
        return;
    uv_poll_stop(&l->poll);
    close(l->fd);
    uv_close((uv_handle_t *)&l->poll, on_handle_closed);
    uv_close((uv_handle_t *)&l->pause, on_handle_closed);
}

int listen_socket_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        return 0;
    return listen_address_port((struct sockaddr *)&a);
}

int listener_port(const struct listener *l)
{
    return listen_socket_port(l->fd);
}
