/* election.c: how long an election is without a leader once the dead leader's session has ended.
 *
 *   bench_election PORT CANDIDATES ROUNDS TIMEOUT_MS
 *
 * Candidates with a session each stand in line. In each round the leader is left for dead: its
 * handle goes, its session stays until the server ends it. A bare socket that watches the leader's
 * znode says when that was; the next leader's callback says when it was elected. Both are told by
 * the same server in the same moment, so the difference is what the election adds. Prints one JSON
 * line. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "caucus/election.h"
#include "machine.h"
#include "raw.h"

enum {
    CANDIDATES_MAX = 1000,
    ROUNDS_MAX = 1000,
    PATH_BYTES = 256,
};

static const char path[] = "/bench-election";

struct candidate {
    struct caucus *client;
    struct caucus_election *election;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct caucus_election *leader; /* lock */
static char leader_path[PATH_BYTES];   /* lock */
static uint64_t elected_ns;            /* lock */

static void on_change(void *context, struct caucus_election *e,
                      const struct caucus_election_change *change)
{
    (void)context;
    uint64_t now_ns = clock_now_ns();
    if (change->news == CAUCUS_ELECTION_TROUBLE)
        fail("election: %s", caucus_error_text(change->rc));
    if (change->news != CAUCUS_ELECTED)
        return;
    pthread_mutex_lock(&lock);
    leader = e;
    snprintf(leader_path, sizeof leader_path, "%s", change->path);
    elected_ns = now_ns;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static struct candidate stand(const char *hosts, int timeout_ms)
{
    struct candidate a;
    const struct caucus_options o = {.session_timeout_ms = timeout_ms};
    const struct caucus_election_options standing = {.on_change = on_change};
    int rc = caucus_open(hosts, &o, &a.client);
    if (rc == 0)
        rc = caucus_election_open(a.client, path, &standing, &a.election);
    if (rc != 0)
        fail("election: %s", caucus_error_text(rc));
    return a;
}

static struct candidate *wait_for_leader(struct candidate *them, int count)
{
    struct candidate *found = NULL;
    pthread_mutex_lock(&lock);
    while (found == NULL) {
        for (int i = 0; i < count && leader != NULL; i++)
            if (them[i].election == leader)
                found = &them[i];
        if (found == NULL)
            pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static double round_us(struct raw *watcher, struct candidate *them, int count, const char *hosts,
                       int timeout_ms)
{
    struct candidate *dead = wait_for_leader(them, count);
    raw_watch(watcher, leader_path);
    pthread_mutex_lock(&lock);
    leader = NULL;
    pthread_mutex_unlock(&lock);
    caucus_abandon(dead->client);
    caucus_election_close(dead->election);
    dead->election = NULL;

    raw_wait_event(watcher);
    uint64_t ended_ns = clock_now_ns();
    wait_for_leader(them, count);
    double us = ((double)elected_ns - (double)ended_ns) / 1e3;
    *dead = stand(hosts, timeout_ms);
    return us;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        fail("usage: bench_election PORT CANDIDATES ROUNDS TIMEOUT_MS");
    int count = atoi(argv[2]), rounds = atoi(argv[3]), timeout_ms = atoi(argv[4]);
    if (count < 2 || count > CANDIDATES_MAX || rounds < 1 || rounds > ROUNDS_MAX)
        fail("candidates 2..%d, rounds 1..%d", CANDIDATES_MAX, ROUNDS_MAX);
    char hosts[32];
    snprintf(hosts, sizeof hosts, "127.0.0.1:%s", argv[1]);
    static struct candidate them[CANDIDATES_MAX];
    static struct raw watcher;
    raw_open(&watcher, atoi(argv[1]), 600000);
    for (int i = 0; i < count; i++)
        them[i] = stand(hosts, timeout_ms);

    printf("{\"mode\":\"election\",\"candidates\":%d,\"elected_us\":[", count);
    for (int i = 0; i < rounds; i++)
        printf("%s%.1f", i > 0 ? "," : "", round_us(&watcher, them, count, hosts, timeout_ms));
    printf("]}\n");
    for (int i = 0; i < count; i++)
        caucus_election_close(them[i].election);
    for (int i = 0; i < count; i++)
        caucus_close(them[i].client);
    raw_close(&watcher);
    return 0;
}
