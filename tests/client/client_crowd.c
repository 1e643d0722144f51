/* client_crowd.c: threads that block on one handle, while requests with completions go on beside
 * them.
 *
 *   client_crowd HOSTS THREADS COUNT [CA]
 *
 * Each thread reads and writes a node of its own in blocking calls, COUNT times, and goes on until
 * stdin ends: whoever cuts connections takes his time. Meanwhile a node is changed by completions,
 * one after the other, with a persistent watch on it. An answer may be lost with its connection;
 * then it is asked again. Nothing else may go wrong, and what a thread reads is what it has
 * written. CA: over TLS, to servers that it vouches for. Prints "begun SESSION", "again" at each
 * connection after that, and "TIMES ANSWERED LOST CHANGES EVENTS". */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/caucus.h"

enum {
    THREADS_MAX = 64
};

static struct caucus *c;
static int count;
static atomic_int times, answered, lost, changes, events;
static atomic_bool is_enough, is_over;
static pthread_barrier_t begin;

static void fail(const char *what, int rc)
{
    printf("%s: %s\n", what, caucus_error_name(rc));
    exit(1);
}

/* False: the answer is lost. */
static bool answer(const char *what, int rc)
{
    if (rc != 0 && rc != CAUCUS_CONNECTIONLOSS)
        fail(what, rc);
    atomic_fetch_add(rc == 0 ? &answered : &lost, 1);
    return rc == 0;
}

static void *run_thread(void *arg)
{
    char path[32];
    snprintf(path, sizeof(path), "/crowd-%d", *(const int *)arg);
    int rc = caucus_create_wait(c, path, "", 0, NULL, NULL);
    while (rc == CAUCUS_CONNECTIONLOSS)
        rc = caucus_create_wait(c, path, "", 0, NULL, NULL);
    if (rc != 0 && rc != CAUCUS_NODEEXISTS)
        fail(path, rc);
    pthread_barrier_wait(&begin);
    for (int i = 0; i < count || !atomic_load(&is_enough); i++) {
        char data[16];
        struct caucus_result *r;
        int bytes = snprintf(data, sizeof(data), "%d", i);
        while (!answer("set", caucus_set_wait(c, path, data, (size_t)bytes, -1, NULL)))
            ;
        while (!answer("get", caucus_get_wait(c, path, NULL, NULL, &r)))
            caucus_result_free(r);
        if (strcmp(r->data, data) != 0) {
            printf("%s is %s, not %s\n", path, (const char *)r->data, data);
            exit(1);
        }
        caucus_result_free(r);
        atomic_fetch_add(&times, 1);
    }
    return NULL;
}

static void on_event(void *context, const struct caucus_event *event)
{
    (void)context;
    atomic_fetch_add(&events, event->type == CAUCUS_NODE_DATA_CHANGED);
}

static void on_changed(void *context, const struct caucus_result *r)
{
    (void)context;
    if (r->rc == 0)
        atomic_fetch_add(&changes, 1);
    if (!atomic_load(&is_over))
        caucus_set(c, "/crowd", "x", 1, -1, on_changed, NULL);
}

static void on_state(void *context, struct caucus *handle, const struct caucus_state_change *s)
{
    (void)context;
    (void)handle;
    if (s->state == CAUCUS_RECONNECTED)
        printf("again\n");
}

int main(int argc, char **argv)
{
    int threads = argc == 4 || argc == 5 ? atoi(argv[2]) : 0;
    if (threads < 1 || threads > THREADS_MAX)
        return 2;
    count = atoi(argv[3]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct caucus_tls tls = {.ca_file = argv[4]};
    struct caucus_options o = {
        .session_timeout_ms = 30000, .on_state = on_state, .tls = argc == 5 ? &tls : NULL};
    int rc = caucus_open(argv[1], &o, &c);
    if (rc == 0)
        rc = caucus_create_wait(c, "/crowd", "", 0, NULL, NULL);
    if (rc == 0)
        rc = caucus_add_watch_wait(c, "/crowd", CAUCUS_WATCH_PERSISTENT, on_event, NULL);
    if (rc == 0)
        rc = caucus_set(c, "/crowd", "x", 1, -1, on_changed, NULL);
    if (rc != 0)
        fail("/crowd", rc);
    pthread_barrier_init(&begin, NULL, (unsigned)threads + 1);
    static pthread_t ids[THREADS_MAX];
    static int numbers[THREADS_MAX];
    for (int i = 0; i < threads; i++) {
        numbers[i] = i;
        if (pthread_create(&ids[i], NULL, run_thread, &numbers[i]) != 0)
            return 1;
    }
    pthread_barrier_wait(&begin);
    struct caucus_session session;
    caucus_get_session(c, &session);
    printf("begun %lld\n", (long long)session.id);
    while (getchar() != EOF)
        ;
    atomic_store(&is_enough, true);
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    atomic_store(&is_over, true);
    caucus_close(c);
    printf("%d %d %d %d %d\n", times, answered, lost, changes, events);
    return 0;
}
