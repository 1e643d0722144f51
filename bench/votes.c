/* votes.c: votes by HTTP, as many as there is time for.
 *
 *   bench_votes PORT CONNECTIONS SECONDS [STATE CANDIDATE]
 *
 * Each connection is kept and has one vote under way at any time, of a voter of its own each time
 * ("bench-N"). One thread. Prints answers per second, the CPU time this program took for one, and
 * how many were no 200. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 4096,
    ANSWER_BYTES_MAX = 4096,
};

struct connection {
    int fd;
    char answer[ANSWER_BYTES_MAX];
    size_t len;
};

static struct connection connections[CONNECTIONS_MAX];
static const char *state = "CA", *candidate = "harris";
static uint64_t sent, answered, refused;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void send_vote(struct connection *c)
{
    char body[128], request[512];
    int body_len = snprintf(body, sizeof body, "{\"candidate\":\"%s\"}", candidate);
    int len = snprintf(request, sizeof request,
                       "POST /states/%s/voters/bench-%llu/vote HTTP/1.1\r\nHost: x\r\n"
                       "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                       state, (unsigned long long)++sent, body_len, body);
    c->len = 0;
    if (send(c->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        die("send");
}

/* Whether a whole answer is there. */
static int is_whole(struct connection *c)
{
    c->answer[c->len] = '\0';
    const char *end = strstr(c->answer, "\r\n\r\n"),
               *length = strstr(c->answer, "Content-Length: ");
    if (end == NULL || length == NULL)
        return 0;
    return c->len >= (size_t)(end + 4 - c->answer) + strtoul(length + 16, NULL, 10);
}

static void on_readable(struct connection *c)
{
    ssize_t got = recv(c->fd, c->answer + c->len, ANSWER_BYTES_MAX - 1 - c->len, 0);
    if (got <= 0)
        die("recv");
    c->len += (size_t)got;
    if (!is_whole(c))
        return;
    answered++;
    refused += memcmp(c->answer, "HTTP/1.1 200", 12) != 0;
    send_vote(c);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "bench_votes PORT CONNECTIONS SECONDS [STATE CANDIDATE]\n");
        return 2;
    }
    int count = atoi(argv[2]), epoll = epoll_create1(EPOLL_CLOEXEC);
    if (count < 1 || count > CONNECTIONS_MAX)
        return 2;
    if (argc > 5) {
        state = argv[4];
        candidate = argv[5];
    }
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(argv[1])),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    for (int i = 0; i < count; i++) {
        struct connection *c = &connections[i];
        int one = 1;
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
            die("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev);
        send_vote(c);
    }
    double began = now_s(), end = began + atof(argv[3]);
    while (now_s() < end) {
        struct epoll_event events[256];
        int n = epoll_wait(epoll, events, 256, 100);
        for (int i = 0; i < n; i++)
            on_readable(events[i].data.ptr);
    }
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    double cpu_s = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                   (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
    printf("%.0f votes/s, %llu refused, %.1f us of CPU for each here\n",
           (double)answered / (now_s() - began), (unsigned long long)refused,
           cpu_s * 1e6 / (double)answered);
    return 0;
}
