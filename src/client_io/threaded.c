/* threaded.c: caucus_open: an I/O thread and an event thread. */
#include <stdlib.h>

#include "client_io/handle.h"
#include "client_io/thread.h"

/* ---- The I/O thread ---- */

/* Callers wake the engine only while it sleeps; nothing that came before is overlooked. */
static bool falls_asleep(struct caucus *c)
{
    pthread_mutex_lock(&c->lock);
    c->io_sleeps = list_is_empty(&c->inbox);
    bool sleeps = c->io_sleeps;
    pthread_mutex_unlock(&c->lock);
    return sleeps;
}

static void wake_up(struct caucus *c)
{
    pthread_mutex_lock(&c->lock);
    c->io_sleeps = false;
    pthread_mutex_unlock(&c->lock);
}

static void end_events(struct caucus *c)
{
    pthread_mutex_lock(&c->events_lock);
    c->events_end = true;
    pthread_cond_signal(&c->events_came);
    pthread_mutex_unlock(&c->events_lock);
}

/* Meanwhile somebody else may drive. */
static void sleep_until_news(struct caucus *c, struct engine_news *ret)
{
    engine_watch_link(&c->engine);
    bool sleeps = falls_asleep(c);
    int64_t ms = sleeps ? engine_timeout_ms(&c->engine) : 0;
    c->io_until_ns = sleeps ? engine_deadline_ns(&c->engine) : 0;
    pthread_mutex_unlock(&c->drive);
    engine_await(&c->engine, ms, ret);
    pthread_mutex_lock(&c->drive);
    wake_up(c);
}

static void *run_io(void *arg)
{
    struct caucus *c = arg;
    pthread_mutex_lock(&c->drive);
    while (handle_turn(c)) {
        struct engine_news news;
        sleep_until_news(c, &news);
        engine_handle(&c->engine, &news);
    }
    pthread_mutex_unlock(&c->drive);
    end_events(c);
    return NULL;
}

/* ---- The event thread ---- */

/* What came meanwhile; false: nothing will come any more. */
static bool take_events(struct caucus *c, struct list *ret)
{
    pthread_mutex_lock(&c->events_lock);
    while (list_is_empty(&c->events) && !c->events_end)
        pthread_cond_wait(&c->events_came, &c->events_lock);
    bool came = !list_is_empty(&c->events);
    list_append_all(ret, &c->events);
    pthread_mutex_unlock(&c->events_lock);
    return came;
}

static void *run_events(void *arg)
{
    struct caucus *c = arg;
    struct list taken;
    list_init(&taken);
    while (take_events(c, &taken)) {
        struct list *node;
        while ((node = list_take(&taken)) != NULL)
            handle_run_note(c, note_of(node));
    }
    if (c->frees_itself) {
        pthread_join(c->io_thread, NULL);
        pthread_detach(pthread_self());
        handle_free(c);
    }
    return NULL;
}

/* ---- Opening and closing ---- */

int caucus_open(const char *hosts, const struct caucus_options *options, struct caucus **ret)
{
    struct caucus *c;
    int rc = handle_new(hosts, options, &c);
    if (rc != 0)
        return rc;
    c->has_threads = true;
    if (thread_start(&c->event_thread, run_events, c) != 0) {
        handle_free(c);
        return CAUCUS_NORESOURCES;
    }
    /* Callbacks may come, and close the handle, before we return: the new thread waits for the lock
     * until its id is written. */
    *ret = c;
    pthread_mutex_lock(&c->lock);
    bool started = thread_start(&c->io_thread, run_io, c) == 0;
    pthread_mutex_unlock(&c->lock);
    if (started)
        return 0;
    *ret = NULL;
    end_events(c);
    pthread_join(c->event_thread, NULL);
    handle_free(c);
    return CAUCUS_NORESOURCES;
}

static void end(struct caucus *c, enum handle_end how)
{
    bool is_inside = pthread_equal(pthread_self(), c->event_thread);
    c->frees_itself |= is_inside; /* seen by this thread only */
    pthread_t events = c->event_thread, io = c->io_thread;
    handle_ask_end(c, how);
    if (is_inside)
        return;
    pthread_join(events, NULL);
    pthread_join(io, NULL);
    handle_free(c);
}

static void end_either(struct caucus *c, enum handle_end how)
{
    if (c == NULL)
        return;
    if (handle_is_foreign(c))
        engine_disown(&c->engine);
    else if (c->has_threads)
        end(c, how);
    else
        loop_end(c, how);
}

void caucus_close(struct caucus *c)
{
    end_either(c, HANDLE_CLOSES);
}

void caucus_abandon(struct caucus *c)
{
    end_either(c, HANDLE_IS_ABANDONED);
}
