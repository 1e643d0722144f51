/* client.c: clients side by side, on one server and in one process, taking turns.
 *
 *   bench_client async-get|async-set|sync-get PORT CLIENTS IN_FLIGHT ROUNDS BLOCK_MS
 *
 * CLIENTS: of caucus, apache, raw, with commas between. In each round each of them has BLOCK_MS, so
 * that a machine that drifts does it to all of them. The znodes are those of bench_loadgen (16
 * parents, 10,000 of 100 bytes), and have to be there. Prints one JSON line: of each client a list
 * of rates, of CPU per request (this process's, while nobody else in it has anything to do), and of
 * mean and median latency of the synchronous requests. */
#include "client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hist.h"
#include "machine.h"

enum {
    CLIENTS_MAX = 3,
    ROUNDS_MAX = 100,
    IN_FLIGHT_MAX = 10000,
    KEYS = 10000,
    PARENTS = 16,
    PATH_BYTES = 24,
};

struct sample {
    double rate, cpu_us, mean_us, p50_us;
};

struct contestant {
    const struct client_kind *kind;
    void *client;
    struct sample samples[ROUNDS_MAX];
};

static char paths[KEYS][PATH_BYTES];
static char data[CLIENT_DATA_BYTES];

/* ---- Requests that are always in flight ---- */

struct slot {
    const struct contestant *who;
    bool writes;
    uint64_t random;
};

static atomic_bool is_over;   /* no more requests */
static atomic_ulong answered; /* written by the one thread on which answers come */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came_home = PTHREAD_COND_INITIALIZER;
static int away; /* lock: slots whose request is in flight */

static const char *any_path(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return paths[((*random >> 32) * KEYS) >> 32];
}

static void ask(struct slot *s)
{
    const char *path = any_path(&s->random);
    if (s->writes)
        s->who->kind->set(s->who->client, path, data, s);
    else
        s->who->kind->get(s->who->client, path, s);
}

void client_answered(void *slot)
{
    atomic_store_explicit(&answered, atomic_load_explicit(&answered, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    if (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        ask(slot);
        return;
    }
    pthread_mutex_lock(&lock);
    if (--away == 0)
        pthread_cond_signal(&came_home);
    pthread_mutex_unlock(&lock);
}

static void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static struct sample run_async(const struct contestant *who, bool writes, int in_flight, int ms)
{
    static struct slot slots[IN_FLIGHT_MAX];
    atomic_store(&is_over, false);
    away = in_flight;
    for (int i = 0; i < in_flight; i++) {
        slots[i] = (struct slot){who, writes, (uint64_t)i * 7919 + 1};
        ask(&slots[i]);
    }
    sleep_ms(ms / 4);

    double cpu_us = own_cpu_us();
    uint64_t began_ns = clock_now_ns(), before = atomic_load(&answered);
    sleep_ms(ms);
    uint64_t ended_ns = clock_now_ns(), count = atomic_load(&answered) - before;
    cpu_us = own_cpu_us() - cpu_us;

    atomic_store(&is_over, true);
    pthread_mutex_lock(&lock);
    while (away > 0)
        pthread_cond_wait(&came_home, &lock);
    pthread_mutex_unlock(&lock);
    if (count == 0)
        fail("%s: no answers", who->kind->name);
    return (struct sample){.rate = (double)count * 1e9 / (double)(ended_ns - began_ns),
                           .cpu_us = cpu_us / (double)count};
}

/* ---- One request after the other ---- */

static struct sample run_sync(const struct contestant *who, int ms)
{
    static struct hist hist;
    uint64_t random = 1;
    for (int i = 0; i < 100; i++)
        who->kind->get_wait(who->client, any_path(&random));

    hist_reset(&hist);
    double cpu_us = own_cpu_us();
    uint64_t began_ns = clock_now_ns(), now_ns = began_ns, before_ns;
    while (now_ns < began_ns + (uint64_t)ms * 1000000) {
        who->kind->get_wait(who->client, any_path(&random));
        before_ns = now_ns;
        now_ns = clock_now_ns();
        hist_add(&hist, now_ns - before_ns);
    }
    double count = (double)hist.count;
    return (struct sample){.rate = count * 1e9 / (double)(now_ns - began_ns),
                           .cpu_us = (own_cpu_us() - cpu_us) / count,
                           .mean_us = (double)hist.sum_ns / count / 1e3,
                           .p50_us = (double)hist_quantile_ns(&hist, 0.5) / 1e3};
}

/* ---- All of it ---- */

static const struct client_kind *kind_of(const char *name)
{
    static const struct client_kind *const kinds[] = {
        &client_caucus,
        &client_raw,
#ifdef BENCH_HAS_APACHE
        &client_apache,
#endif
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    fail("no client '%s' here", name);
}

static int parse_contestants(char *names, bool is_async, struct contestant ret[static CLIENTS_MAX])
{
    int count = 0;
    for (char *at = strtok(names, ","); at != NULL; at = strtok(NULL, ",")) {
        if (count == CLIENTS_MAX)
            fail("more than %d clients", CLIENTS_MAX);
        ret[count].kind = kind_of(at);
        if (is_async && ret[count].kind->get == NULL)
            fail("'%s' has no asynchronous requests", at);
        count++;
    }
    return count;
}

static void print_list(const struct contestant *who, const char *name, int rounds, size_t at)
{
    printf("\"%s\":[", name);
    for (int i = 0; i < rounds; i++) {
        double value;
        memcpy(&value, (const char *)&who->samples[i] + at, sizeof value);
        printf("%s%.3f", i > 0 ? "," : "", value);
    }
    printf("]");
}

static void print_contestant(const struct contestant *who, int rounds, bool is_async)
{
    printf("\"%s\":{", who->kind->name);
    print_list(who, "rate", rounds, offsetof(struct sample, rate));
    printf(",");
    print_list(who, "cpu_us", rounds, offsetof(struct sample, cpu_us));
    if (!is_async) {
        printf(",");
        print_list(who, "mean_us", rounds, offsetof(struct sample, mean_us));
        printf(",");
        print_list(who, "p50_us", rounds, offsetof(struct sample, p50_us));
    }
    printf("}");
}

static int number_of(const char *text, int most)
{
    int n = atoi(text);
    if (n < 1 || n > most)
        fail("'%s' is not from 1 to %d", text, most);
    return n;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        fail("usage: bench_client async-get|async-set|sync-get PORT CLIENTS IN_FLIGHT ROUNDS "
             "BLOCK_MS");
    bool is_async = strcmp(argv[1], "sync-get") != 0;
    bool writes = strcmp(argv[1], "async-set") == 0;
    int port = number_of(argv[2], 65535);
    int in_flight = number_of(argv[4], IN_FLIGHT_MAX);
    int rounds = number_of(argv[5], ROUNDS_MAX);
    int block_ms = number_of(argv[6], 60000);
    static struct contestant them[CLIENTS_MAX];
    int count = parse_contestants(argv[3], is_async, them);
    memset(data, 'x', sizeof data);
    for (int i = 0; i < KEYS; i++)
        snprintf(paths[i], sizeof paths[i], "/bench/p%03d/%08d", i % PARENTS, i);

    for (int i = 0; i < count; i++)
        them[i].client = them[i].kind->open(port);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < count; i++)
            them[i].samples[round] = is_async ? run_async(&them[i], writes, in_flight, block_ms)
                                              : run_sync(&them[i], block_ms);
    printf("{\"mode\":\"%s\",\"in_flight\":%d", argv[1], is_async ? in_flight : 1);
    for (int i = 0; i < count; i++) {
        printf(",");
        print_contestant(&them[i], rounds, is_async);
    }
    printf("}\n");
    for (int i = 0; i < count; i++)
        them[i].kind->close(them[i].client);
    return 0;
}
