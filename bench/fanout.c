/* fanout.c: what telling many connections costs at least: N connections over loopback, one small
 * send on each, until the other side has read them all. No server does it faster than these loops,
 * which do nothing else; "10,000 watchers told" is to be read beside them.
 *
 *   bench_fanout [N]      prints two JSON lines, for one thread that sends and for two: the median
 * of 11 rounds, and how much of it was sending */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUNDS = 11,
    EVENT_BYTES = 60, /* about what a notification takes */
    EVENTS_MAX = 256,
    SHARE = 32,
};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void no_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

struct share {
    const int *fds;
    int count;
};

static void *send_share(void *arg)
{
    const struct share *s = arg;
    char bytes[EVENT_BYTES] = {0};
    for (int i = 0; i < s->count; i++) {
        if (send(s->fds[i], bytes, sizeof bytes, MSG_NOSIGNAL) != EVENT_BYTES)
            fail("send");
        if (i % SHARE == SHARE - 1)
            sched_yield(); /* the other side reads meanwhile, which is faster; src/io/fan.c */
    }
    return NULL;
}

static void send_all(const int *fds, int count, int threads)
{
    struct share first = {fds, count / threads}, rest = {fds + first.count, count - first.count};
    pthread_t other;
    if (threads > 1 && pthread_create(&other, NULL, send_share, &rest) != 0)
        fail("thread");
    send_share(&first);
    if (threads > 1)
        pthread_join(other, NULL);
}

static void read_rounds(int epoll, int count, int tell)
{
    for (int round = 0; round < 2 * ROUNDS; round++) {
        for (int got = 0; got < count;) {
            struct epoll_event events[EVENTS_MAX];
            int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
            for (int i = 0; i < n; i++) {
                char bytes[EVENT_BYTES];
                if (recv(events[i].data.fd, bytes, sizeof bytes, 0) != EVENT_BYTES)
                    fail("recv");
            }
            got += n > 0 ? n : 0;
        }
        if (write(tell, "", 1) != 1)
            fail("write");
    }
}

/* The other side: connects, then reads each round to its end and says so. */
static void reader(const struct sockaddr_in *address, int count, int tell)
{
    int epoll = epoll_create1(0);
    for (int i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
            fail("connect");
        no_delay(fd);
        struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
    }
    read_rounds(epoll, count, tell);
    exit(0);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void send_rounds(const int *fds, int count, int threads, int told)
{
    double all_ms[ROUNDS], send_ms[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        char byte;
        double began = now_ms();
        send_all(fds, count, threads);
        send_ms[round] = now_ms() - began;
        if (read(told, &byte, 1) != 1)
            fail("read");
        all_ms[round] = now_ms() - began;
    }
    qsort(all_ms, ROUNDS, sizeof *all_ms, by_value);
    qsort(send_ms, ROUNDS, sizeof *send_ms, by_value);
    printf("{\"mode\":\"fanout\",\"connections\":%d,\"threads\":%d,\"told_ms\":%.2f,"
           "\"told_min_ms\":%.2f,\"sending_ms\":%.2f}\n",
           count, threads, all_ms[ROUNDS / 2], all_ms[0], send_ms[ROUNDS / 2]);
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 10000;
    if (count < 1 || count > 60000) {
        fputs("usage: bench_fanout [N]   1 to 60000 connections\n", stderr);
        return 2;
    }
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 4096) < 0 || getsockname(listener, (struct sockaddr *)&address, &len) < 0)
        fail("listen");
    int told[2];
    if (pipe(told) < 0)
        fail("pipe");
    pid_t child = fork();
    if (child == 0)
        reader(&address, count, told[1]);

    int *fds = calloc((size_t)count, sizeof *fds);
    for (int i = 0; i < count; i++) {
        fds[i] = accept(listener, NULL, NULL);
        if (fds[i] < 0)
            fail("accept");
        no_delay(fds[i]);
    }
    send_rounds(fds, count, 1, told[0]);
    send_rounds(fds, count, 2, told[0]);
    free(fds);
    return waitpid(child, NULL, 0) == child ? 0 : 1;
}
