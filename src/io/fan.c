#include "io/fan.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "io/thread.h"

enum {
    HELPERS_MAX = 3,
    SHARE = 32, /* what is taken at a time */
    /* What is given to readers for a share, and at once. A processor reads what all threads send
     * in the time of a share in 0.2 ms; a reader that has fallen behind takes its whole slice, 3 or
     * 4 ms, now and then. */
    READING_NS = 300 * 1000,
    READING_NS_MAX = 12 * 1000 * 1000,
};

struct fan_call {
    fan_fn *fn;
    void *arg;
    size_t count;
};

struct fan {
    pthread_mutex_t lock;
    pthread_cond_t called, done;
    struct fan_call call; /* fn NULL = none is under way, or all of it has been taken */
    _Atomic size_t next;
    unsigned busy; /* helpers that may hold a share */
    bool stopping, started;
    unsigned helper_count;
    pthread_t helpers[HELPERS_MAX];
};

/* Who is told on the same machine wants a processor to read with while all of them send: what is
 * read as it comes is in the cache still, and its reader is not woken for each message. What
 * reading takes is given, and not much more: somebody who does not read at all may be waiting for
 * the processor, too, and keep it for milliseconds each time. */
static void let_them_read(int64_t *credit_ns)
{
    *credit_ns += READING_NS;
    if (*credit_ns > READING_NS_MAX)
        *credit_ns = READING_NS_MAX;
    if (*credit_ns < 0)
        return;
    uint64_t left_ns = uv_hrtime();
    sched_yield();
    *credit_ns -= (int64_t)(uv_hrtime() - left_ns);
}

static void work(struct fan *f, const struct fan_call *c)
{
    int64_t credit_ns = READING_NS_MAX;
    for (;;) {
        size_t from = atomic_fetch_add_explicit(&f->next, SHARE, memory_order_relaxed);
        if (from >= c->count)
            return;
        size_t until = c->count - from < SHARE ? c->count : from + SHARE;
        for (size_t i = from; i < until; i++)
            c->fn(c->arg, i);
        if (until < c->count)
            let_them_read(&credit_ns);
    }
}

static void *helper_main(void *arg)
{
    struct fan *f = arg;
    pthread_mutex_lock(&f->lock);
    while (!f->stopping) {
        if (f->call.fn == NULL) {
            pthread_cond_wait(&f->called, &f->lock);
            continue;
        }
        struct fan_call call = f->call;
        f->busy++;
        pthread_mutex_unlock(&f->lock);
        work(f, &call);
        pthread_mutex_lock(&f->lock);
        f->call.fn = NULL; /* all of it has been taken */
        if (--f->busy == 0)
            pthread_cond_signal(&f->done);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static unsigned processors(void)
{
    cpu_set_t mine;
    return sched_getaffinity(0, sizeof mine, &mine) == 0 ? (unsigned)CPU_COUNT(&mine) : 1;
}

static void start_helpers(struct fan *f)
{
    f->started = true;
    unsigned want = processors() - 1;
    if (want > HELPERS_MAX)
        want = HELPERS_MAX;
    while (f->helper_count < want) {
        pthread_t *helper = &f->helpers[f->helper_count];
        if (io_thread_start(helper, NULL, helper_main, f) != 0)
            break;
        pthread_setname_np(*helper, "caucus-fan");
        f->helper_count++;
    }
}

struct fan *fan_create(void)
{
    struct fan *f = mem_calloc(1, sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->called, NULL);
    pthread_cond_init(&f->done, NULL);
    return f;
}

void fan_destroy(struct fan *f)
{
    if (f == NULL)
        return;
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_mutex_unlock(&f->lock);
    pthread_cond_broadcast(&f->called);
    for (unsigned i = 0; i < f->helper_count; i++)
        pthread_join(f->helpers[i], NULL);
    pthread_cond_destroy(&f->called);
    pthread_cond_destroy(&f->done);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

void fan_out(struct fan *f, size_t count, fan_fn *fn, void *arg)
{
    const struct fan_call call = {.fn = fn, .arg = arg, .count = count};
    if (!f->started)
        start_helpers(f);
    pthread_mutex_lock(&f->lock);
    f->call = call;
    atomic_store_explicit(&f->next, 0, memory_order_relaxed);
    pthread_mutex_unlock(&f->lock);
    pthread_cond_broadcast(&f->called);

    work(f, &call);

    pthread_mutex_lock(&f->lock);
    f->call.fn = NULL;
    while (f->busy > 0)
        pthread_cond_wait(&f->done, &f->lock);
    pthread_mutex_unlock(&f->lock);
}
