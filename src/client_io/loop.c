/* loop.c: caucus_open_loop: no thread; the caller's loop waits. */
#include "client_io/handle.h"

int caucus_open_loop(const char *hosts, const struct caucus_options *options, struct caucus **ret)
{
    int rc = handle_new(hosts, options, ret);
    if (rc == 0) {
        (*ret)->io_sleeps = true;
        engine_settle(&(*ret)->engine, engine_now_ns());
    }
    return rc;
}

static bool has_events(struct caucus *c)
{
    pthread_mutex_lock(&c->events_lock);
    bool has = !list_is_empty(&c->events);
    pthread_mutex_unlock(&c->events_lock);
    return has;
}

static bool has_inbox(struct caucus *c)
{
    pthread_mutex_lock(&c->lock);
    bool has = !list_is_empty(&c->inbox);
    pthread_mutex_unlock(&c->lock);
    return has;
}

void caucus_loop_wants(struct caucus *c, struct caucus_wants *ret)
{
    if (handle_is_foreign(c)) {
        *ret = (struct caucus_wants){.fd = -1, .readable = true, .timeout_ms = -1};
        return;
    }
    *ret = (struct caucus_wants){.fd = c->engine.epoll_fd, .readable = true};
    ret->timeout_ms = has_events(c) || has_inbox(c) ? 0 : engine_timeout_ms(&c->engine);
}

/* One after the other, so that a note may lead to others. */
static void run_events(struct caucus *c)
{
    struct list *node;
    while ((node = list_take(&c->events)) != NULL)
        handle_run_note(c, note_of(node));
}

static void turn(struct caucus *c)
{
    handle_turn(c);
    c->io_sleeps = true; /* calls made outside of caucus_loop_run wake the loop */
}

/* closeSession leaves if the socket takes it; its answer is not waited for. */
static void finish(struct caucus *c)
{
    c->runs = true;
    turn(c);
    csession_finish(c->engine.s);
    turn(c);
    run_events(c);
    handle_free(c);
}

bool caucus_loop_run(struct caucus *c)
{
    if (c->runs || handle_is_foreign(c))
        return true;
    c->runs = true;
    struct engine_news news;
    engine_await(&c->engine, 0, &news);
    engine_handle(&c->engine, &news);
    turn(c);
    run_events(c);
    turn(c); /* what callbacks asked for leaves at once */
    c->runs = false;
    if (!c->closes_late)
        return true;
    finish(c);
    return false;
}

void loop_end(struct caucus *c, enum handle_end how)
{
    handle_ask_end(c, how);
    if (c->runs)
        c->closes_late = true;
    else
        finish(c);
}
