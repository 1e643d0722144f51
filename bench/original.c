/* original.c: votes the way of the program that the election is built after, on any coordination
 * service: one write there for each vote, one vote of a state at a time.
 *
 *   bench_original PORT,... STATES SECONDS
 *
 * Per state a leader and three replicas, each with a session of its own. For each vote the leader
 * sends it to one replica after the other, and goes on when that has answered. A replica sets a
 * watch on the state's Commit, keeps the vote, answers, and counts it when the watch tells it that
 * Commit has changed; until then it takes no other. When all have answered the leader reads Commit
 * and writes it back changed. There is always a next vote.
 *
 * Kinder than the original: a message is one send and one recv over TCP (there: a call of gRPC),
 * nothing is looked up, no thread waits for a lock, all servers are one process, and voters come at
 * no cost. As there, votes are kept in memory only. Prints one JSON line. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "hist.h"
#include "raw.h"

enum {
    REPLICAS = 3,
    STATES_MAX = 64,
    PORTS_MAX = 8,
    PATH_BYTES = 64,
    VOTE_BYTES = 64,
    SESSION_MS = 60000,
    STACK_BYTES = 128 << 10,
};

struct replica {
    pthread_t thread;
    int there, here; /* the leader's end of the line, and the replica's */
    struct raw session;
    const char *commit;
    uint64_t votes;
};

struct state {
    pthread_t thread;
    struct replica replicas[REPLICAS];
    struct raw session;
    char commit[PATH_BYTES];
    struct hist latency;
};

static struct state states[STATES_MAX];
static int ports[PORTS_MAX], port_count, sessions_open;
static uint64_t end_ns;

/* ---- lines ---- */

static int listen_somewhere(struct sockaddr_in *ret_address)
{
    socklen_t len = sizeof *ret_address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *ret_address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)ret_address, len) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)ret_address, &len) != 0)
        fail_errno("listen");
    return fd;
}

static void open_line(struct replica *r)
{
    struct sockaddr_in address;
    int one = 1, door = listen_somewhere(&address);
    r->there = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(r->there, (struct sockaddr *)&address, sizeof address) != 0)
        fail_errno("connect");
    r->here = accept4(door, NULL, NULL, SOCK_CLOEXEC);
    if (r->here < 0)
        fail_errno("accept");
    setsockopt(r->there, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(r->here, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    close(door);
}

static void say(int fd, const uint8_t *bytes, size_t len)
{
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        fail_errno("send");
}

/* false: the other end is closed. */
static bool hear(int fd, uint8_t *bytes, size_t len)
{
    ssize_t n = recv(fd, bytes, len, MSG_WAITALL);
    if (n < 0)
        fail_errno("recv");
    return n == (ssize_t)len;
}

static void open_session(struct raw *r)
{
    raw_open(r, ports[sessions_open++ % port_count], SESSION_MS);
}

/* ---- a vote ---- */

static void *be_replica(void *arg)
{
    struct replica *r = arg;
    uint8_t vote[VOTE_BYTES];
    while (hear(r->here, vote, sizeof vote)) {
        raw_watch(&r->session, r->commit);
        say(r->here, vote, 1);
        raw_wait_event(&r->session);
        r->votes++;
    }
    return NULL;
}

static void cast(struct state *s, uint8_t number)
{
    uint8_t vote[VOTE_BYTES] = {number}, done[1];
    for (int i = 0; i < REPLICAS; i++) {
        say(s->replicas[i].there, vote, sizeof vote);
        if (!hear(s->replicas[i].there, done, sizeof done))
            fail("a replica is gone");
    }
    raw_get(&s->session, s->commit, 1);
    raw_set(&s->session, s->commit, &number, sizeof number);
}

static void *be_leader(void *arg)
{
    struct state *s = arg;
    uint64_t began_ns = clock_now_ns();
    for (uint8_t number = 1; began_ns < end_ns; number++) {
        cast(s, number);
        uint64_t now_ns = clock_now_ns();
        hist_add(&s->latency, now_ns - began_ns);
        began_ns = now_ns;
    }
    for (int i = 0; i < REPLICAS; i++)
        shutdown(s->replicas[i].there, SHUT_WR);
    return NULL;
}

/* ---- life ---- */

static void start(pthread_t *thread, void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (pthread_create(thread, &attr, run, arg) != 0)
        fail("no more threads");
    pthread_attr_destroy(&attr);
}

static void prepare(struct state *s, int number)
{
    static const uint8_t zero[1];
    open_session(&s->session);
    snprintf(s->commit, sizeof s->commit, "/bench-original-%d", number);
    raw_create(&s->session, s->commit, zero, sizeof zero);
    for (int i = 0; i < REPLICAS; i++) {
        struct replica *r = &s->replicas[i];
        r->commit = s->commit;
        open_session(&r->session);
        raw_sync(&r->session, s->commit); /* its server may not have heard of it yet */
        open_line(r);
        start(&r->thread, be_replica, r);
    }
}

static void finish(struct state *s, struct hist *all)
{
    pthread_join(s->thread, NULL);
    for (int i = 0; i < REPLICAS; i++) {
        struct replica *r = &s->replicas[i];
        pthread_join(r->thread, NULL);
        if (r->votes != s->latency.count)
            fail("a replica counts %lu of %lu votes", (unsigned long)r->votes,
                 (unsigned long)s->latency.count);
        raw_close(&r->session);
        close(r->here);
        close(r->there);
    }
    raw_close(&s->session);
    hist_merge(all, &s->latency);
}

int main(int argc, char **argv)
{
    static struct hist all;
    int count = argc == 4 ? atoi(argv[2]) : 0, seconds = argc == 4 ? atoi(argv[3]) : 0;
    if (count < 1 || count > STATES_MAX || seconds < 1)
        fail("usage: bench_original PORT,... STATES(1..%d) SECONDS", STATES_MAX);
    for (char *at = argv[1]; *at != 0 && port_count < PORTS_MAX; at += *at == ',')
        ports[port_count++] = (int)strtol(at, &at, 10);
    for (int i = 0; i < count; i++)
        prepare(&states[i], i);

    double cpu_before_us = own_cpu_us();
    uint64_t began_ns = clock_now_ns();
    end_ns = began_ns + (uint64_t)seconds * 1000000000u;
    for (int i = 0; i < count; i++)
        start(&states[i].thread, be_leader, &states[i]);
    for (int i = 0; i < count; i++)
        finish(&states[i], &all);
    double took_s = (double)(clock_now_ns() - began_ns) / 1e9;
    printf("{\"mode\":\"original\",\"states\":%d,\"votes\":%lu,\"ops_per_s\":%.1f,"
           "\"p50_us\":%.1f,\"p99_us\":%.1f,\"client_cpu_us_per_op\":%.2f}\n",
           count, (unsigned long)all.count, (double)all.count / took_s,
           (double)hist_quantile_ns(&all, 0.5) / 1e3, (double)hist_quantile_ns(&all, 0.99) / 1e3,
           (own_cpu_us() - cpu_before_us) / (double)all.count);
    return 0;
}
