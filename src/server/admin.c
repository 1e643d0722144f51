/* admin.c: listening, and time. */
#include "server/admin.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/listen.h"
#include "server/admin_console.h"
#include "server/admin_internal.h"

enum {
    HEAD_BYTES_MAX = 16 * 1024,
    CONNECTION_MEMORY_BYTES = 48 * 1024, /* the head, and what of a body is read at once */
    LISTEN_BACKLOG = 64,
};

static int listen_on(const struct addrinfo *at, struct err *err, const char *address, int port)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set(err, ERR_IO, "socket for %s:%d: %s", address, port, strerror(errno));
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        int cause = errno;
        close(fd);
        return err_set(err, ERR_IO, "listen on %s:%d: %s", address, port, strerror(cause));
    }
    return fd;
}

static int open_listener(const char *address, int port, struct err *err)
{
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(address, service, &hints, &found);
    if (rc != 0)
        return err_set(err, ERR_INVALID, "address %s:%d: %s", address, port, gai_strerror(rc));
    int fd = listen_on(found, err, address, port);
    freeaddrinfo(found);
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &len) < 0)
        return 0;
    return listen_address_port((const struct sockaddr *)&bound);
}

static int64_t now_ms(const struct admin *a)
{
    return a->info->now_ms(a->info->driver);
}

static void on_connection(void *cls, struct MHD_Connection *http, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct admin *a = ((struct endpoint *)cls)->admin;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct admin_connection *c = mem_calloc(1, sizeof *c);
        c->http = http;
        c->idle_since_ms = now_ms(a);
        list_append(&a->connections, &c->link);
        *socket_context = c;
    } else {
        struct admin_connection *c = *socket_context;
        list_remove(&c->link);
        free(c);
    }
}

static int endpoint_start(struct endpoint *e, const char *address, int port,
                          int64_t idle_timeout_ms, struct err *err)
{
    int fd = open_listener(address, port, err);
    if (fd < 0)
        return fd;
    e->port = port_of(fd);
    unsigned idle_s = idle_timeout_ms > 0 ? (unsigned)((idle_timeout_ms + 999) / 1000) : 0;
    e->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, admin_on_request,
                         e, MHD_OPTION_LISTEN_SOCKET, fd,                                     /* */
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS_MAX,        /* */
                         MHD_OPTION_CONNECTION_TIMEOUT, idle_s,                               /* */
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES, /* */
                         MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)HEAD_BYTES_MAX,      /* */
                         MHD_OPTION_NOTIFY_COMPLETED, on_request_completed, e,                /* */
                         MHD_OPTION_NOTIFY_CONNECTION, on_connection, e, MHD_OPTION_END);
    if (e->daemon == NULL) {
        close(fd);
        return err_set(err, ERR_IO, "start the HTTP server on %s:%d", address, port);
    }
    int inner = MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = inner};
    if (epoll_ctl(e->admin->epoll_fd, EPOLL_CTL_ADD, inner, &ev) != 0)
        return err_set(err, ERR_IO, "epoll: %s", strerror(errno));
    return 0;
}

static char *copy_text(const char *text)
{
    return mem_dup(text, strlen(text) + 1);
}

int admin_create(const struct admin_options *options, struct server_info *info, struct admin **ret,
                 struct err *err)
{
    struct admin *a = mem_calloc(1, sizeof *a);
    a->info = info;
    a->main = (struct endpoint){.admin = a, .port = -1};
    a->metrics = (struct endpoint){.admin = a, .port = -1, .metrics_only = true};
    a->command_url = copy_text(options->command_url);
    struct buf path = {0};
    buf_printf(&path, "%s/restore.upload", options->spool_dir);
    buf_put_u8(&path, 0);
    a->spool_path = copy_text((const char *)path.ptr);
    buf_deinit(&path);
    unlink(a->spool_path); /* of a server that did not come to its end */
    list_init(&a->connections);
    list_init(&a->waiting);
    /* ZooKeeper takes the interval of snapshots for microseconds, so that what is documented as
     * five minutes is 0.3 seconds there; whoever backs up every minute relies on it. */
    a->snapshot_limit = (struct rate_limit){.interval_ms = info->conf.admin_rate_interval_ms / 1000,
                                            .since_ms = now_ms(a)};
    a->restore_limit = (struct rate_limit){.interval_ms = info->conf.admin_rate_interval_ms,
                                           .since_ms = now_ms(a)};

    if (options->enabled && options->console)
        a->console = console_create(a);

    int rc = 0;
    const char *whose = "HTTP";
    a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (a->epoll_fd < 0)
        rc = err_set(err, ERR_IO, "epoll: %s", strerror(errno));
    if (rc == 0 && options->enabled) {
        whose = "admin.serverPort";
        rc = endpoint_start(&a->main, options->address, options->port, options->idle_timeout_ms,
                            err);
    }
    if (rc == 0 && options->metrics_enabled) {
        whose = "metricsProvider.httpPort";
        rc = endpoint_start(&a->metrics, options->metrics_address, options->metrics_port,
                            options->idle_timeout_ms, err);
    }
    if (rc != 0) {
        admin_free(a);
        return err_wrap(err, rc, "%s", whose);
    }
    *ret = a;
    return 0;
}

void request_resume(struct request *r, int status)
{
    list_remove(&r->link);
    r->status = status;
    r->state = REQUEST_READY;
    r->admin->resumed = true;
    MHD_resume_connection(r->http);
}

/* A suspended connection would keep its daemon from stopping. */
static void resume_all(struct admin *a)
{
    if (a->console != NULL) {
        console_end_streams(a->console);
        if (a->console->writing != NULL)
            request_resume(a->console->writing, CONSOLE_WRITE_UNKNOWN);
    }
    while (!list_is_empty(&a->waiting))
        request_resume(list_entry(a->waiting.next, struct request, link), ERR_BUSY);
    if (a->restoring != NULL && a->restoring->state == REQUEST_WAITING)
        request_resume(a->restoring, ERR_BUSY);
}

void admin_free(struct admin *a)
{
    if (a == NULL)
        return;
    resume_all(a);
    if (a->main.daemon != NULL)
        MHD_stop_daemon(a->main.daemon);
    if (a->metrics.daemon != NULL)
        MHD_stop_daemon(a->metrics.daemon);
    if (a->epoll_fd >= 0)
        close(a->epoll_fd);
    console_free(a->console);
    free(a->command_url);
    free(a->spool_path);
    free(a);
}

int admin_fd(const struct admin *a)
{
    return a->epoll_fd;
}

int admin_port(const struct admin *a)
{
    return a->main.port;
}

int admin_metrics_port(const struct admin *a)
{
    return a->metrics.port;
}

/* libmicrohttpd's own time limit counts silence only: a byte now and then would hold a connection
 * for ever. */
static void cut_off_slow_heads(struct admin *a)
{
    int64_t now = now_ms(a);
    for (struct list *at = a->connections.next; at != &a->connections; at = at->next) {
        const struct admin_connection *c = list_entry(at, struct admin_connection, link);
        if (c->busy || now - c->idle_since_ms < ADMIN_HEAD_MS_MAX)
            continue;
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(c->http, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info != NULL)
            shutdown(info->connect_fd, SHUT_RDWR);
    }
}

void admin_run(struct admin *a)
{
    cut_off_slow_heads(a);
    a->resumed = false;
    if (a->console != NULL)
        console_tick(a->console);
    if (a->main.daemon != NULL)
        MHD_run(a->main.daemon);
    if (a->metrics.daemon != NULL)
        MHD_run(a->metrics.daemon);
}

static int64_t shorter(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int64_t daemon_timeout_ms(const struct endpoint *e)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (e->daemon == NULL || MHD_get_timeout(e->daemon, &ms) != MHD_YES)
        return -1;
    return ms > INT32_MAX ? INT32_MAX : (int64_t)ms;
}

int64_t admin_timeout_ms(const struct admin *a)
{
    if (a->resumed)
        return 0;
    int64_t timeout = shorter(daemon_timeout_ms(&a->main), daemon_timeout_ms(&a->metrics));
    if (a->console != NULL)
        timeout = shorter(timeout, console_timeout_ms(a->console));
    int64_t now = now_ms(a);
    for (struct list *at = a->connections.next; at != &a->connections; at = at->next) {
        const struct admin_connection *c = list_entry(at, struct admin_connection, link);
        if (c->busy)
            continue;
        int64_t left = c->idle_since_ms + ADMIN_HEAD_MS_MAX - now;
        timeout = shorter(timeout, left > 0 ? left : 0);
    }
    return timeout;
}

void admin_trace(struct admin *a, const struct trace_effect *t, struct slice bytes)
{
    if (a->console != NULL)
        console_trace(a->console, t, bytes);
}

bool rate_allow(struct rate_limit *l, int64_t now)
{
    if (now > l->since_ms + l->interval_ms) {
        l->used = false;
        l->since_ms = now;
    }
    bool allowed = !l->used;
    l->used = true;
    return allowed;
}
