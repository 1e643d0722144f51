/* rest.c: listening, time, the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "election_rest/rest_internal.h"
#include "io/listen.h"

enum {
    CONNECTIONS_MAX_DEFAULT = 4096,
    IDLE_TIMEOUT_MS_DEFAULT = 30 * 1000,
    HEAD_TIMEOUT_MS_DEFAULT = 10 * 1000,
    CONNECTION_MEMORY_BYTES =
        24 * 1024, /* a head, what of a body is read at once, an answer's head */
    CONNECTION_MEMORY_STEP_BYTES = 4096,
    LISTEN_BACKLOG = 1024,
    SWEEP_MS = 1000,
    SPECTATORS_FEW = 64,
    PEM_BYTES_MAX = 1 << 20,
};

int64_t rest_now_ms(const struct election_rest *r)
{
    return (int64_t)uv_now(&r->loop->uv);
}

/* ---- Options ---- */

/* A PEM file, with a zero behind. */
static int read_pem(const char *path, struct buf *ret, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_IO, "'%s': %s", path, strerror(errno));
    buf_init(ret, PEM_BYTES_MAX);
    char chunk[4096];
    ssize_t got;
    while ((got = read(fd, chunk, sizeof chunk)) > 0 && buf_ok(ret))
        buf_put(ret, chunk, (size_t)got);
    int cause = errno;
    close(fd);
    if (got < 0)
        return err_set(err, ERR_IO, "'%s': %s", path, strerror(cause));
    buf_put_u8(ret, 0);
    return buf_ok(ret) ? 0 : err_set(err, ERR_TOOBIG, "'%s' is no certificate", path);
}

struct pems {
    struct buf certificate, key, client_ca;
};

static int read_pems(const struct election_rest_options *o, struct pems *ret, struct err *err)
{
    if (o->certificate_file == NULL && o->key_file == NULL && o->client_ca_file == NULL)
        return 0;
    if (o->certificate_file == NULL || o->key_file == NULL)
        return err_set(err, ERR_INVALID, "TLS wants a certificate and its key");
    int rc = read_pem(o->certificate_file, &ret->certificate, err);
    if (rc == 0)
        rc = read_pem(o->key_file, &ret->key, err);
    if (rc == 0 && o->client_ca_file != NULL)
        rc = read_pem(o->client_ca_file, &ret->client_ca, err);
    return rc;
}

static void pems_deinit(struct pems *p)
{
    if (p->key.ptr != NULL)
        explicit_bzero(p->key.ptr, p->key.len);
    buf_deinit(&p->certificate);
    buf_deinit(&p->key);
    buf_deinit(&p->client_ca);
}

/* ---- Listening ---- */

static void on_connection(void *cls, struct MHD_Connection *http, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct election_rest *r = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct connection *c = mem_calloc(1, sizeof *c);
        c->http = http;
        c->deadline_ms = rest_now_ms(r) + r->idle_timeout_ms + r->head_timeout_ms;
        list_append(&r->connections, &c->link);
        *socket_context = c;
    } else {
        struct connection *c = *socket_context;
        list_remove(&c->link);
        free(c);
    }
}

/* Paths and queries are decoded by url.c, once. */
static size_t leave_as_it_is(void *cls, struct MHD_Connection *http, char *text)
{
    (void)cls, (void)http;
    return strlen(text);
}

static const char *pem_text(const struct buf *b)
{
    return (const char *)b->ptr;
}

static int start_daemon(struct election_rest *r, const struct pems *pems, int listener,
                        struct err *err)
{
    bool tls = pems->certificate.len > 0;
    struct MHD_OptionItem secure[8];
    size_t n = 0;
    if (tls) {
        secure[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0,
                                              (void *)(uintptr_t)pem_text(&pems->certificate)};
        secure[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0,
                                              (void *)(uintptr_t)pem_text(&pems->key)};
        secure[n++] = (struct MHD_OptionItem){
            MHD_OPTION_HTTPS_PRIORITIES, 0,
            (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"};
    }
    if (pems->client_ca.len > 0)
        secure[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0,
                                              (void *)(uintptr_t)pem_text(&pems->client_ca)};
    secure[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};

    r->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL,
        request_go_on, r, MHD_OPTION_LISTEN_SOCKET, listener,                         /* */
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)r->connections_max,                    /* */
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((r->idle_timeout_ms + 999) / 1000), /* */
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,          /* */
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)CONNECTION_MEMORY_STEP_BYTES, /* */
        MHD_OPTION_URI_LOG_CALLBACK, request_begin, r,                                /* */
        MHD_OPTION_UNESCAPE_CALLBACK, leave_as_it_is, NULL,                           /* */
        MHD_OPTION_NOTIFY_COMPLETED, request_end, r,                                  /* */
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, r,                               /* */
        MHD_OPTION_ARRAY, secure, MHD_OPTION_END);
    if (r->daemon == NULL)
        return err_set(err, tls ? ERR_INVALID : ERR_IO, "start the HTTP server%s",
                       tls ? ": is the certificate of the key?" : "");
    return 0;
}

/* ---- On the loop ---- */

static void on_timeout(uv_timer_t *timer);

static unsigned connection_count(const struct election_rest *r)
{
    return MHD_get_daemon_info(r->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

static void run(struct election_rest *r)
{
    MHD_UNSIGNED_LONG_LONG ms;
    MHD_run(r->daemon);
    /* At its limit it stops listening, and begins again only when it is run with room. */
    bool was_full = r->is_full;
    r->is_full = connection_count(r) >= r->connections_max;
    if (was_full && !r->is_full)
        MHD_run(r->daemon);
    if (MHD_get_timeout(r->daemon, &ms) != MHD_YES)
        uv_timer_stop(&r->timeout);
    else
        uv_timer_start(&r->timeout, on_timeout, ms < INT32_MAX ? ms : INT32_MAX, 0);
}

/* Timers come before the loop sleeps: what was asked of the service is carried out at the end of
 * the next turn. */
static void on_timeout(uv_timer_t *timer)
{
    struct election_rest *r = timer->data;
    run(r);
    loop_again(r->loop);
}

static void on_wake(uv_timer_t *timer)
{
    struct election_rest *r = timer->data;
    r->woken = false;
    requests_resume_ready(r);
    run(r);
    loop_again(r->loop);
}

/* Each time that something was resumed libmicrohttpd looks at all that is suspended, spectators
 * too: with many of them it is to be done less often. A vote takes some milliseconds anyway. */
void rest_wake(struct election_rest *r)
{
    if (!r->woken)
        uv_timer_start(&r->wake, on_wake, r->hub.count > SPECTATORS_FEW ? 1 : 0, 0);
    r->woken = true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    run(poll->data);
}

/* libmicrohttpd's own time limit counts silence only: a byte now and then would hold a connection
 * for ever. */
static void on_sweep(uv_timer_t *timer)
{
    struct election_rest *r = timer->data;
    int64_t now = rest_now_ms(r);
    for (struct list *at = r->connections.next; at != &r->connections; at = at->next) {
        const struct connection *c = list_entry(at, struct connection, link);
        if (now < c->deadline_ms)
            continue;
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(c->http, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info != NULL)
            shutdown(info->connect_fd, SHUT_RDWR);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct election_rest *r = handle->data;
    r->handles--;
    rest_free_if_over(r);
}

static void open_handles(struct election_rest *r)
{
    int fd = MHD_get_daemon_info(r->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    r->poll.data = r->timeout.data = r->wake.data = r->sweep.data = r;
    uv_timer_init(&r->loop->uv, &r->timeout);
    uv_timer_init(&r->loop->uv, &r->wake);
    uv_timer_init(&r->loop->uv, &r->sweep);
    uv_poll_init(&r->loop->uv, &r->poll, fd);
    r->handles = 4;
    uv_poll_start(&r->poll, UV_READABLE, on_readable);
    uv_timer_start(&r->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    stream_hub_open(&r->hub, r);
}

static void close_handles(struct election_rest *r)
{
    uv_poll_stop(&r->poll);
    uv_close((uv_handle_t *)&r->poll, on_closed);
    uv_close((uv_handle_t *)&r->timeout, on_closed);
    uv_close((uv_handle_t *)&r->wake, on_closed);
    uv_close((uv_handle_t *)&r->sweep, on_closed);
}

/* ---- Beginning and end ---- */

static struct election_rest *create(struct loop *loop, struct service *service,
                                    const struct election_rest_options *o)
{
    struct election_rest *r = mem_calloc(1, sizeof *r);
    size_t route_count;
    routes(&route_count);
    r->loop = loop;
    r->service = service;
    r->info = service_election(service);
    r->committee_open = o->committee_open;
    if (o->console != NULL)
        r->console = mem_dup(o->console, strlen(o->console) + 1);
    r->wants_certificates = o->client_ca_file != NULL;
    r->idle_timeout_ms = o->idle_timeout_ms > 0 ? o->idle_timeout_ms : IDLE_TIMEOUT_MS_DEFAULT;
    r->head_timeout_ms = o->head_timeout_ms > 0 ? o->head_timeout_ms : HEAD_TIMEOUT_MS_DEFAULT;
    r->counted = mem_calloc((route_count + 1) * STATUS_SLOTS, sizeof *r->counted);
    list_init(&r->connections);
    list_init(&r->suspended);
    list_init(&r->ready);
    r->connections_max =
        o->connections_max > 0 ? o->connections_max : (uint32_t)CONNECTIONS_MAX_DEFAULT;
    stream_hub_init(&r->hub, o->streams_max > 0 ? o->streams_max : r->connections_max / 2);
    return r;
}

static void destroy(struct election_rest *r)
{
    stream_hub_deinit(&r->hub);
    free(r->counted);
    free(r->console);
    free(r);
}

void rest_free_if_over(struct election_rest *r)
{
    if (r->stopping && r->handles == 0 && r->calls == 0 && !r->hub.is_open)
        destroy(r);
}

int election_rest_start(struct loop *loop, struct service *service,
                        const struct election_rest_options *options, struct election_rest **ret,
                        struct err *err)
{
    struct election_rest *r = create(loop, service, options);
    struct pems pems = {0};
    int rc = read_pems(options, &pems, err), listener = -1;
    if (rc == 0)
        listener = rc = listen_socket(&(struct listener_options){.address = options->address,
                                                                 .port = options->port,
                                                                 .backlog = LISTEN_BACKLOG},
                                      err);
    if (rc >= 0) {
        r->port = listen_socket_port(listener);
        rc = start_daemon(r, &pems, listener, err);
        if (rc < 0)
            close(listener);
    }
    pems_deinit(&pems);
    if (rc < 0) {
        destroy(r);
        return err_wrap(err, rc, "REST");
    }
    open_handles(r);
    *ret = r;
    return 0;
}

int election_rest_port(const struct election_rest *r)
{
    return r->port;
}

void election_rest_stop(struct election_rest *r)
{
    if (r == NULL || r->stopping)
        return;
    r->stopping = true;
    stream_hub_close(&r->hub);
    requests_abandon(r);
    requests_resume_ready(r);
    close_handles(r);
    MHD_stop_daemon(r->daemon); /* and with it the listener */
    r->daemon = NULL;
}
