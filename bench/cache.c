/* cache.c: how long libcaucus takes to have a whole tree in its cache.
 *
 *   bench_cache PORT PATH ROUNDS     prints one JSON line
 *
 * Each round opens a cache of the tree, in a session that stands, and waits for all of it; it ends
 * with every node in memory and told to a callback. Unlike the load generator this measures the
 * client: it is the library's own code, and a server's only as far as that is what it waits for. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "caucus/cache.h"

enum {
    WAIT_MS_MAX = 120000
};

static void fail(const char *what, int rc)
{
    fprintf(stderr, "%s: %s\n", what, caucus_error_text(rc));
    exit(1);
}

static double cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void count_added(void *context, struct caucus_cache *cache,
                        const struct caucus_cache_change *change)
{
    (void)cache;
    size_t *told = context;
    *told += change->news == CAUCUS_CACHE_ADDED;
}

/* Returns how many milliseconds it took. */
static double fill(struct caucus *c, const char *path, size_t *ret_nodes)
{
    size_t told = 0;
    struct caucus_cache_options o = {.on_change = count_added, .context = &told};
    struct caucus_cache *cache;
    int64_t began_ns = caucus_now_ns();
    int rc = caucus_cache_open(c, path, CAUCUS_CACHE_TREE, &o, &cache);
    if (rc == 0)
        rc = caucus_cache_await(cache, WAIT_MS_MAX);
    int64_t ended_ns = caucus_now_ns();
    if (rc != 0)
        fail(path, rc);

    struct caucus_cache_list list;
    caucus_cache_get_all(cache, &list);
    *ret_nodes = list.count;
    caucus_cache_list_free(&list);
    caucus_cache_close(cache);
    if (told != *ret_nodes) {
        fprintf(stderr, "%s: %zu nodes were told, %zu are there\n", path, told, *ret_nodes);
        exit(1);
    }
    return (double)(ended_ns - began_ns) / 1e6;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bench_cache PORT PATH ROUNDS\n");
        return 2;
    }
    char hosts[32];
    snprintf(hosts, sizeof(hosts), "127.0.0.1:%s", argv[1]);
    int rounds = atoi(argv[3]);
    struct caucus *c;
    int rc = caucus_open(hosts, NULL, &c);
    if (rc == 0)
        rc = caucus_sync_wait(c, "/");
    if (rc != 0)
        fail(hosts, rc);

    size_t nodes = 0;
    double before_us = cpu_us();
    printf("{\"mode\":\"cache\",\"ready_ms\":[");
    for (int i = 0; i < rounds; i++)
        printf("%s%.1f", i > 0 ? "," : "", fill(c, argv[2], &nodes));
    double used_us = cpu_us() - before_us;
    printf("],\"nodes\":%zu,\"client_cpu_us_per_node\":%.2f}\n", nodes,
           used_us / rounds / (double)(nodes > 0 ? nodes : 1));
    caucus_close(c);
    return 0;
}
