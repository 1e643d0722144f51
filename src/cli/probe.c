#include "cli/probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "caucus/caucus.h"

void probe_init(struct probe *p, const char *host, int port)
{
    *p = (struct probe){.fd = -1};
    buf_init(&p->answer, PROBE_ANSWER_MAX);
    size_t bytes = strlen(host) + 16;
    p->place = mem_alloc(bytes);
    p->host = mem_dup(host, strlen(host) + 1);
    snprintf(p->place, bytes, strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host, port);

    char service[16];
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, service, &hints, &list);
    if (rc != 0) {
        snprintf(p->error, sizeof p->error, "%s", gai_strerror(rc));
        return;
    }
    for (struct addrinfo *a = list; a != NULL && p->address_count < PROBE_ADDRESSES_MAX;
         a = a->ai_next) {
        memcpy(&p->addresses[p->address_count], a->ai_addr, a->ai_addrlen);
        p->address_bytes[p->address_count++] = a->ai_addrlen;
    }
    freeaddrinfo(list);
}

void probe_deinit(struct probe *p)
{
    free(p->place);
    free(p->host);
    tls_free(p->tls);
    buf_deinit(&p->answer);
    if (p->fd >= 0)
        close(p->fd);
}

bool probe_same(const struct probe *a, const struct probe *b)
{
    for (size_t i = 0; i < a->address_count; i++)
        for (size_t k = 0; k < b->address_count; k++)
            if (a->address_bytes[i] == b->address_bytes[k] &&
                memcmp(&a->addresses[i], &b->addresses[k], a->address_bytes[i]) == 0)
                return true;
    return strcmp(a->place, b->place) == 0;
}

static void end(struct probe *p, int error)
{
    tls_free(p->tls);
    p->tls = NULL;
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    if (error != 0)
        snprintf(p->error, sizeof p->error, "%s", strerror(error));
}

/* The next address to which a connection can at least be begun. */
static void dial(struct probe *p, int error)
{
    end(p, error);
    for (; p->at < p->address_count; p->at++) {
        const struct sockaddr *address = (struct sockaddr *)&p->addresses[p->at];
        p->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (p->fd < 0) {
            end(p, errno);
            continue;
        }
        if (connect(p->fd, address, p->address_bytes[p->at]) == 0 || errno == EINPROGRESS) {
            p->error[0] = 0;
            return;
        }
        end(p, errno);
    }
}

static void end_with(struct probe *p, const char *trouble)
{
    snprintf(p->error, sizeof p->error, "%s", trouble);
    end(p, 0);
}

static void ask(struct probe *p, const char *word)
{
    p->connected = true;
    size_t len = strlen(word);
    ssize_t sent =
        p->tls != NULL ? tls_write(p->tls, word, len) : send(p->fd, word, len, MSG_NOSIGNAL);
    if (sent != (ssize_t)len)
        end(p, ECONNRESET);
}

static void step_securing(struct probe *p, const char *word)
{
    int rc = tls_handshake(p->tls);
    if (rc == 0)
        ask(p, word);
    else if (rc == TLS_BROKEN)
        end_with(p, tls_trouble(p->tls));
}

static void step_connecting(struct probe *p, const char *word, struct tls_context *tls)
{
    if (p->tls != NULL) {
        step_securing(p, word);
        return;
    }
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
        error = errno;
    if (error != 0) {
        p->at++;
        dial(p, error);
        return;
    }
    if (tls == NULL) {
        ask(p, word);
        return;
    }
    p->tls = tls_connect(tls, p->fd, p->host);
    if (p->tls == NULL)
        end(p, ENOMEM);
    else
        step_securing(p, word);
}

/* As much as is there: > 0; 0: the end; -1 with errno. */
static ssize_t receive(struct probe *p, uint8_t *ret, size_t len)
{
    if (p->tls == NULL)
        return recv(p->fd, ret, len, 0);
    ssize_t n = tls_read(p->tls, ret, len);
    if (n >= 0)
        return n;
    errno = n == TLS_AGAIN ? EAGAIN : ECONNRESET;
    return -1;
}

static void step_reading(struct probe *p)
{
    uint8_t chunk[4096];
    do {
        ssize_t n = receive(p, chunk, sizeof chunk);
        if (n > 0) {
            buf_put(&p->answer, chunk, (size_t)n);
            if (!buf_ok(&p->answer))
                end(p, EMSGSIZE);
        } else if (n == 0) {
            end(p, 0);
        } else if (errno != EAGAIN && errno != EINTR) {
            end_with(p, p->tls != NULL ? tls_trouble(p->tls) : strerror(errno));
        }
    } while (p->tls != NULL && tls_has_pending(p->tls));
}

/* What is waited for; a handshake may want to write as well as to read. */
static short events_of(const struct probe *p)
{
    if (p->connected)
        return POLLIN;
    return p->tls != NULL && !tls_waits_to_write(p->tls) ? POLLIN : POLLOUT;
}

void probe_want(struct probe *p)
{
    p->wanted = true;
    p->connected = false;
    p->at = 0;
    buf_clear(&p->answer);
    if (p->address_count > 0)
        p->error[0] = 0;
}

void probes_run(struct probe *probes, size_t count, const char *word, struct tls_context *tls,
                int64_t timeout_ms)
{
    int64_t deadline_ns = caucus_now_ns() + timeout_ms * 1000000;
    struct pollfd *fds = mem_calloc(count, sizeof *fds);
    for (size_t i = 0; i < count; i++)
        if (probes[i].wanted && probes[i].address_count > 0)
            dial(&probes[i], 0);
    for (;;) {
        size_t waiting = 0;
        for (size_t i = 0; i < count; i++) {
            fds[i] = (struct pollfd){.fd = probes[i].fd, .events = events_of(&probes[i])};
            waiting += probes[i].fd >= 0;
        }
        int64_t left_ms = (deadline_ns - caucus_now_ns() + 999999) / 1000000;
        if (waiting == 0 || left_ms <= 0)
            break;
        if (poll(fds, count, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) < 0)
            continue;
        for (size_t i = 0; i < count; i++)
            if (fds[i].fd >= 0 && fds[i].revents != 0) {
                if (probes[i].connected)
                    step_reading(&probes[i]);
                else
                    step_connecting(&probes[i], word, tls);
            }
    }
    for (size_t i = 0; i < count; i++)
        if (probes[i].fd >= 0)
            end(&probes[i], ETIMEDOUT);
    for (size_t i = 0; i < count; i++)
        probes[i].wanted = false;
    free(fds);
}
