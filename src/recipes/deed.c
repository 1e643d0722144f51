#include "recipes/deed.h"

#include "recipes/protect.h"

static struct deed *deed_of(struct machine *m)
{
    return (struct deed *)(void *)m;
}

static void finish(struct deed *d, int rc)
{
    if (d->is_over)
        return;
    d->is_over = true;
    machine_watch_forget(d->watch);
    d->watch = NULL;
    d->m.is_ended = d->m.is_closed = true;
    d->m.is_calling = true;
    d->tell(d, rc);
    d->m.is_calling = false;
}

static void settle(struct deed *d)
{
    machine_advance(&d->m);
    machine_drop(&d->m);
}

static void advance(struct machine *m)
{
    struct deed *d = deed_of(m);
    if (d->in_flight || d->watch != NULL)
        return;
    if (d->is_over) {
        machine_retire(m);
        return;
    }
    d->in_flight = true;
    machine_hold(m);
    d->begin(d);
}

static void on_state(struct machine *m, const struct caucus_state_change *change)
{
    if (change->state == CAUCUS_AUTH_FAILED)
        finish(deed_of(m), CAUCUS_AUTHFAILED);
}

static void on_end(struct machine *m)
{
    finish(deed_of(m), CAUCUS_CLOSING);
}

static void on_free(struct machine *m)
{
    struct deed *d = deed_of(m);
    machine_deinit(m);
    d->free(d);
}

static const struct machine_calls calls = {on_state, advance, on_end, on_free};

void deed_land(struct deed *d, int rc, bool is_done)
{
    d->in_flight = d->must_land = false;
    if (is_done)
        finish(d, 0);
    else if (rc != 0 && !protect_is_passing(rc))
        finish(d, rc);
    else if (d->is_late)
        finish(d, CAUCUS_OPERATIONTIMEOUT);
    settle(d);
}

void deed_refuse(struct deed *d, int rc)
{
    if (rc == 0)
        return;
    if (d->flight_watch != NULL)
        deed_land_watch(d, false);
    d->in_flight = false;
    finish(d, rc);
    settle(d);
}

/* Whatever it was, it is looked at again. */
static void on_fired(struct machine *m, struct machine_watch *w, const struct caucus_event *event)
{
    (void)w;
    (void)event;
    deed_of(m)->watch = NULL;
}

struct machine_watch *deed_watch(struct deed *d, enum caucus_watch_kind kind, const char *path)
{
    d->flight_watch = machine_watch_new(&d->m, kind, path, on_fired);
    return d->flight_watch;
}

void deed_land_watch(struct deed *d, bool is_set)
{
    struct machine_watch *w = d->flight_watch;
    d->flight_watch = NULL;
    if (!is_set)
        machine_watch_free(w);
    else if (d->is_over)
        machine_watch_forget(w);
    else
        d->watch = w;
}

static void on_time(void *context)
{
    struct deed *d = context;
    d->is_late = true;
    if (!d->must_land)
        finish(d, CAUCUS_OPERATIONTIMEOUT);
    settle(d);
}

int deed_start(struct deed *d, struct caucus *c, int64_t timeout_ms)
{
    machine_init(&d->m, &calls, c);
    int rc = timeout_ms < -1 ? CAUCUS_BADARGUMENTS : machine_start(&d->m);
    if (rc == 0 && timeout_ms >= 0)
        machine_run(&d->m, caucus_now_ns() + timeout_ms * INT64_C(1000000), on_time, d);
    machine_drop(&d->m);
    return rc;
}
