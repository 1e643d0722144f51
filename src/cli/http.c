#include "cli/http.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "caucus/caucus.h"
#include "client/hosts.h"

enum {
    CHUNK_BYTES = 64 << 10,
    HEAD_BYTES_MAX = 64 << 10,
};

struct talk {
    const struct http_call *call;
    struct http_answer *answer;
    char *problem;
    int fd;
};

static int failed(struct talk *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int failed(struct talk *t, const char *format, ...)
{
    char why[HTTP_PROBLEM_BYTES - 64];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    snprintf(t->problem, HTTP_PROBLEM_BYTES, "%.60s: %s", t->call->place, why);
    return -1;
}

/* ---- the connection ---- */

static int wait_for(struct talk *t, short events, int64_t timeout_ms)
{
    struct pollfd p = {.fd = t->fd, .events = events};
    int n;
    do
        n = poll(&p, 1, timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return failed(t, "nothing for %lld ms", (long long)timeout_ms);
    return n < 0 ? failed(t, "%s", strerror(errno)) : 0;
}

static int dial_address(struct talk *t, const struct addrinfo *a)
{
    t->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (t->fd < 0)
        return failed(t, "%s", strerror(errno));
    int rc = connect(t->fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : -errno;
    if (rc == -EINPROGRESS) {
        if (wait_for(t, POLLOUT, t->call->timeout_ms) < 0)
            return -1;
        int error = 0;
        socklen_t bytes = sizeof error;
        getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
        rc = -error;
    }
    return rc < 0 ? failed(t, "%s", strerror(-rc)) : 0;
}

static int dial(struct talk *t)
{
    struct hosts hosts;
    if (hosts_parse(t->call->place, &hosts) != 0)
        return failed(t, "not HOST:PORT");
    bool one = hosts.count == 1 && hosts.chroot[0] == 0;
    char service[16];
    snprintf(service, sizeof service, "%d", hosts.list[0].port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int rc = one ? getaddrinfo(hosts.list[0].name, service, &hints, &list) : 0;
    hosts_deinit(&hosts);
    if (!one)
        return failed(t, "not HOST:PORT");
    if (rc != 0)
        return failed(t, "%s", gai_strerror(rc));
    rc = -1;
    for (struct addrinfo *a = list; a != NULL && rc < 0; a = a->ai_next) {
        if (t->fd >= 0)
            close(t->fd);
        rc = dial_address(t, a);
    }
    freeaddrinfo(list);
    return rc;
}

/* ---- the request ---- */

static int send_all(struct talk *t, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(t->fd, bytes, len, MSG_NOSIGNAL);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            if (wait_for(t, POLLOUT, t->call->timeout_ms) < 0)
                return -1;
        } else if (errno != EINTR) {
            return failed(t, "%s", strerror(errno));
        }
    }
    return 0;
}

static int send_head(struct talk *t)
{
    const struct http_call *c = t->call;
    struct buf head = {0};
    buf_printf(&head, "%s %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: caucus/%s\r\n", c->method, c->path,
               c->place, caucus_version());
    if (c->authorization != NULL)
        buf_printf(&head, "Authorization: %s\r\n", c->authorization);
    if (c->body >= 0)
        buf_printf(&head, "Content-Type: application/octet-stream\r\nContent-Length: %lld\r\n",
                   (long long)c->body_bytes);
    buf_printf(&head, "\r\n");
    int rc = send_all(t, head.ptr, head.len);
    buf_deinit(&head);
    return rc;
}

static int send_body(struct talk *t)
{
    static uint8_t chunk[CHUNK_BYTES]; /* one request at a time in this program */
    for (int64_t left = t->call->body_bytes; left > 0;) {
        size_t want = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        ssize_t n = read(t->call->body, chunk, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return failed(t, "the file to send cannot be read");
        if (send_all(t, chunk, (size_t)n) < 0)
            return -1;
        left -= n;
    }
    return 0;
}

/* ---- the answer ---- */

static bool header_is(const char *line, const char *name, const char **ret_value)
{
    size_t len = strlen(name);
    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return false;
    *ret_value = line + len + 1 + strspn(line + len + 1, " ");
    return true;
}

static int read_head(struct talk *t, char *head)
{
    struct http_answer *a = t->answer;
    char *next = NULL;
    if (sscanf(head, "HTTP/1.%*1[01] %3d", &a->status) != 1 || a->status < 100)
        return failed(t, "this is no HTTP (an admin port with TLS?)");
    a->content_length = -1;
    for (char *line = strtok_r(head, "\r\n", &next); line != NULL;
         line = strtok_r(NULL, "\r\n", &next)) {
        const char *value;
        if (header_is(line, "last_zxid", &value))
            snprintf(a->last_zxid, sizeof a->last_zxid, "%s", value);
        else if (header_is(line, "Content-Length", &value) ||
                 (a->content_length < 0 && header_is(line, "snapshot_size", &value)))
            a->content_length = strtoll(value, NULL, 10);
    }
    return 0;
}

static int take_body(struct talk *t, const uint8_t *bytes, size_t len)
{
    struct http_answer *a = t->answer;
    a->body_bytes += (int64_t)len;
    if (a->status != 200 || t->call->to < 0) {
        buf_put(&a->text, bytes, len);
        return buf_ok(&a->text) ? 0 : failed(t, "the answer is too long");
    }
    while (len > 0) {
        ssize_t n = write(t->call->to, bytes, len);
        if (n < 0 && errno != EINTR)
            return failed(t, "cannot store the answer: %s", strerror(errno));
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* The length of the head with its empty line; 0: it is not whole. */
static size_t head_length(const struct buf *b)
{
    const uint8_t *end = b->len > 0 ? memmem(b->ptr, b->len, "\r\n\r\n", 4) : NULL;
    return end != NULL ? (size_t)(end - b->ptr) + 4 : 0;
}

static int take(struct talk *t, struct buf *head, bool *in_body, const uint8_t *bytes, size_t len)
{
    if (*in_body)
        return take_body(t, bytes, len);
    buf_put(head, bytes, len);
    size_t head_bytes = head_length(head);
    if (head_bytes == 0)
        return buf_ok(head) ? 0 : failed(t, "this is no HTTP");
    *in_body = true;
    head->ptr[head_bytes - 1] = 0;
    if (read_head(t, (char *)head->ptr) < 0)
        return -1;
    return take_body(t, head->ptr + head_bytes, head->len - head_bytes);
}

/* How long the server thinks before it answers is its own affair: a large tree takes its time. */
static int receive(struct talk *t)
{
    static uint8_t chunk[CHUNK_BYTES];
    struct buf head;
    buf_init(&head, HEAD_BYTES_MAX + CHUNK_BYTES);
    bool in_body = false;
    int rc = 0;
    for (;;) {
        ssize_t n = recv(t->fd, chunk, sizeof chunk, 0);
        if (n < 0 && errno == EAGAIN) {
            rc = wait_for(t, POLLIN, in_body ? t->call->timeout_ms : -1);
        } else if (n < 0 && errno != EINTR) {
            rc = failed(t, "%s", strerror(errno));
        } else if (n == 0) {
            break;
        } else if (n > 0) {
            rc = take(t, &head, &in_body, chunk, (size_t)n);
        }
        if (rc < 0)
            break;
    }
    buf_deinit(&head);
    if (rc == 0 && !in_body)
        return failed(t, "it closed the connection (an admin port with TLS?)");
    const struct http_answer *a = t->answer;
    if (rc == 0 && a->status == 200 && a->content_length >= 0 && a->body_bytes < a->content_length)
        return failed(t, "the answer ends after %lld of %lld bytes", (long long)a->body_bytes,
                      (long long)a->content_length);
    return rc;
}

int http_talk(const struct http_call *call, struct http_answer *ret,
              char problem[HTTP_PROBLEM_BYTES])
{
    *ret = (struct http_answer){.content_length = -1};
    buf_init(&ret->text, HTTP_TEXT_MAX);
    problem[0] = 0;
    struct talk t = {call, ret, problem, -1};
    int rc = dial(&t);
    if (rc == 0)
        rc = send_head(&t);
    /* A server that refuses may answer and close before it has read everything. */
    bool cut = rc == 0 && call->body >= 0 && send_body(&t) < 0;
    if (rc == 0) {
        char before[HTTP_PROBLEM_BYTES];
        memcpy(before, problem, sizeof before);
        rc = receive(&t);
        if (rc < 0 && cut)
            memcpy(problem, before, sizeof before);
    }
    buf_put_u8(&ret->text, 0);
    if (t.fd >= 0)
        close(t.fd);
    return rc;
}

bool http_member(const char *json, const char *name, char *ret, size_t bytes)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    const char *at = strstr(json, quoted);
    if (at == NULL)
        return false;
    at += strlen(quoted);
    at += strspn(at, " ");
    if (*at != ':')
        return false;
    at += 1 + strspn(at + 1, " \"");
    snprintf(ret, bytes, "%.*s", (int)strcspn(at, ",}\"\r\n"), at);
    return true;
}
