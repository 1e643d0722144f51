#include "client_io/dialer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static enum dialer_news fail(struct dialer *d, const char *reason)
{
    char why[DIALER_REASON_BYTES]; /* `reason` may be the link's, which ends here */
    snprintf(why, sizeof(why), "%s", reason);
    dialer_stop(d);
    bool is_ipv6 = strchr(d->host->name, ':') != NULL;
    snprintf(d->error, sizeof(d->error), "%s%.255s%s:%d: %s", is_ipv6 ? "[" : "", d->host->name,
             is_ipv6 ? "]" : "", d->host->port, why);
    return DIALER_FAILED;
}

void dialer_init(struct dialer *d, int epoll_fd, uint32_t tag, struct tls_context *tls)
{
    *d = (struct dialer){
        .epoll_fd = epoll_fd, .tag = tag, .fd = -1, .lent_fd = -1, .tls_context = tls};
}

static bool listen_for(struct dialer *d, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.u32 = d->tag};
    return epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

/* Of a connection that stands: what is to be read, if nobody else waits for it, and what else is
 * waited for. */
static void listen_on(struct dialer *d)
{
    bool writes = d->wants_write || (!d->is_mute && dialer_reads_by_writing(d));
    uint32_t events =
        (uint32_t)(d->is_mute ? EPOLLRDHUP : EPOLLIN) | (writes ? (uint32_t)EPOLLOUT : 0);
    if (d->is_deaf || events == d->listens)
        return;
    d->listens = events;
    struct epoll_event e = {.events = events, .data.u32 = d->tag};
    epoll_ctl(d->epoll_fd, EPOLL_CTL_MOD, d->fd, &e);
}

/* ---- Connecting ---- */

static int try_address(struct dialer *d, const union address *a)
{
    d->fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->fd < 0)
        return errno;
    setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(d->fd, &a->any, address_bytes(a)) != 0 && errno != EINPROGRESS)
        return errno;
    d->listens = EPOLLOUT;
    return listen_for(d, d->fd, EPOLLOUT) ? 0 : errno;
}

/* One that is lent is closed by who brings it back: its number must not become another's before. */
static void close_fd(struct dialer *d)
{
    if (dialer_is_lent(d)) {
        epoll_ctl(d->epoll_fd, EPOLL_CTL_DEL, d->fd, NULL);
        shutdown(d->fd, SHUT_RDWR);
    } else if (d->fd >= 0) {
        int fd = d->fd;
        d->fd = -1; /* first: dialer_disown */
        close(fd);  /* leaves the epoll set by itself */
    }
    d->fd = -1;
}

void dialer_disown(struct dialer *d)
{
    if (d->fd >= 0)
        close(d->fd);
    if (d->lent_fd >= 0 && d->lent_fd != d->fd)
        close(d->lent_fd);
}

static void close_socket(struct dialer *d)
{
    if (d->tls != NULL)
        tls_goodbye(d->tls);
    tls_free(d->tls);
    d->tls = NULL;
    close_fd(d);
}

static enum dialer_news try_next(struct dialer *d, int last_error)
{
    while (d->untried > 0) {
        d->untried--;
        d->at = (d->at + 1) % d->addresses.count;
        d->state = DIALER_CONNECTING;
        last_error = try_address(d, &d->addresses.list[d->at]);
        if (last_error == 0)
            return DIALER_NOTHING;
        close_socket(d);
    }
    return fail(d, strerror(last_error));
}

static enum dialer_news try_addresses(struct dialer *d)
{
    if (d->addresses.count == 0) {
        char why[LOOKUP_ERROR_BYTES];
        memcpy(why, d->addresses.error, sizeof(why));
        return fail(d, why);
    }
    d->untried = d->addresses.count;
    d->at %= d->addresses.count;
    return try_next(d, 0);
}

/* From now on the descriptor itself is a blocking one, for who borrows it; we never wait for it. */
static enum dialer_news open_now(struct dialer *d)
{
    if (fcntl(d->fd, F_SETFL, 0) != 0)
        return fail(d, strerror(errno));
    d->state = DIALER_OPEN;
    listen_on(d);
    return DIALER_CONNECTED;
}

/* Another address of the host's would show the same certificate: it is not tried. */
static enum dialer_news step_securing(struct dialer *d)
{
    int rc = tls_handshake(d->tls);
    if (rc == 0)
        return open_now(d);
    if (rc == TLS_BROKEN)
        return fail(d, tls_trouble(d->tls));
    listen_on(d);
    return DIALER_NOTHING;
}

/* SO_ERROR is 0 also of a connection that is still being made: only a peer's address tells them
 * apart. */
static enum dialer_news step_connecting(struct dialer *d)
{
    int error = 0;
    socklen_t bytes = sizeof(error);
    if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0)
        error = errno;
    if (error != 0) {
        close_socket(d);
        return try_next(d, error);
    }
    union address peer;
    bytes = sizeof(peer);
    if (getpeername(d->fd, &peer.any, &bytes) != 0)
        return DIALER_NOTHING;
    d->wants_write = false;
    d->is_mute = false;
    d->is_deaf = false;
    if (d->tls_context == NULL)
        return open_now(d);
    d->tls = tls_connect(d->tls_context, d->fd, d->host->name);
    if (d->tls == NULL)
        return fail(d, "TLS cannot be begun");
    d->state = DIALER_SECURING;
    return step_securing(d);
}

/* ---- Names ---- */

static enum dialer_news step_lookup(struct dialer *d)
{
    if (!lookup_done(*d->lookup, &d->addresses))
        return DIALER_NOTHING;
    epoll_ctl(d->epoll_fd, EPOLL_CTL_DEL, lookup_fd(*d->lookup), NULL);
    lookup_release(*d->lookup);
    *d->lookup = NULL;
    d->state = DIALER_IDLE;
    return try_addresses(d);
}

enum dialer_news dialer_start(struct dialer *d, const struct host *host, struct lookup **lookup,
                              uint64_t pick)
{
    dialer_stop(d);
    d->host = host;
    d->lookup = lookup;
    d->at = (size_t)(pick % LOOKUP_ADDRESSES_MAX);
    if (lookup_literal(host->name, host->port, &d->addresses))
        return try_addresses(d);

    if (*lookup == NULL)
        *lookup = lookup_start(host->name, host->port);
    if (*lookup == NULL)
        return fail(d, strerror(errno));
    d->state = DIALER_LOOKUP;
    if (!listen_for(d, lookup_fd(*lookup), EPOLLIN))
        return fail(d, strerror(errno));
    return DIALER_NOTHING;
}

enum dialer_news dialer_step(struct dialer *d)
{
    if (d->state == DIALER_LOOKUP)
        return step_lookup(d);
    if (d->state == DIALER_SECURING)
        return step_securing(d);
    return d->state == DIALER_CONNECTING ? step_connecting(d) : DIALER_NOTHING;
}

void dialer_stop(struct dialer *d)
{
    if (d->state == DIALER_LOOKUP)
        epoll_ctl(d->epoll_fd, EPOLL_CTL_DEL, lookup_fd(*d->lookup), NULL);
    close_socket(d);
    d->state = DIALER_IDLE;
}

/* ---- Bytes ---- */

static bool is_transient(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static const char closed[] = "the server closed the connection";

static ptrdiff_t read_tls(struct dialer *d, void *bytes, size_t len)
{
    ssize_t n = tls_read(d->tls, bytes, len);
    if (n > 0 || n == TLS_AGAIN) {
        listen_on(d);
        return n > 0 ? n : 0;
    }
    fail(d, n == 0 ? closed : tls_trouble(d->tls));
    return -1;
}

ptrdiff_t dialer_read(struct dialer *d, void *bytes, size_t len)
{
    if (d->tls != NULL)
        return read_tls(d, bytes, len);
    ssize_t n = recv(d->fd, bytes, len, MSG_DONTWAIT);
    return dialer_judge_read(d, n, errno);
}

ptrdiff_t dialer_judge_read(struct dialer *d, ptrdiff_t n, int error)
{
    if (n > 0)
        return n;
    if (n < 0 && is_transient(error))
        return 0;
    fail(d, n == 0 ? closed : strerror(error));
    return -1;
}

ptrdiff_t dialer_write(struct dialer *d, struct slice bytes)
{
    if (d->tls != NULL) {
        ssize_t n = tls_write(d->tls, bytes.ptr, bytes.len);
        return n == TLS_AGAIN ? 0 : n == TLS_BROKEN ? -1 : n;
    }
    ssize_t n = send(d->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
        return n;
    return is_transient(errno) ? 0 : -1;
}

void dialer_want_write(struct dialer *d, bool wanted)
{
    d->wants_write = wanted;
    listen_on(d);
}

/* ---- Lent ---- */

int dialer_lend(struct dialer *d)
{
    d->lent_fd = d->fd;
    return d->fd;
}

bool dialer_is_lent(const struct dialer *d)
{
    return d->lent_fd >= 0 && d->lent_fd == d->fd;
}

bool dialer_take_back(struct dialer *d)
{
    bool lives = dialer_is_lent(d);
    int fd = d->lent_fd;
    d->lent_fd = -1; /* first: dialer_disown */
    if (!lives)
        close(fd);
    return lives;
}

void dialer_mute(struct dialer *d, bool is_mute)
{
    d->is_mute = is_mute;
    if (d->is_deaf && !is_mute) {
        d->is_deaf = false;
        listen_for(d, d->fd, d->listens);
    }
    listen_on(d);
}

void dialer_deafen(struct dialer *d)
{
    d->is_deaf = true;
    epoll_ctl(d->epoll_fd, EPOLL_CTL_DEL, d->fd, NULL);
}

bool dialer_has_pending(const struct dialer *d)
{
    return d->tls != NULL && d->state == DIALER_OPEN && tls_has_pending(d->tls);
}

bool dialer_reads_by_writing(const struct dialer *d)
{
    return d->tls != NULL && tls_waits_to_write(d->tls);
}
