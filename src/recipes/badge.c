#include "recipes/badge.h"

#include <stdlib.h>

#include "recipes/copy.h"

/* One that was made for an earlier session may be of that, and one that is not wanted is of nobody.
 */
static void on_entered(void *context, int rc, const char *path)
{
    struct badge *p = context;
    bool is_ours = machine_land(&p->flight) && p->wanted;
    if (rc == 0 && is_ours)
        p->path = copy_text(path);
    else if (rc == 0)
        p->old = copy_text(path);
    else if (is_ours)
        p->failed(p->m, rc);
    machine_settle(p->m);
}

static void enter(struct badge *p)
{
    protect_rename_plain(&p->entry);
    p->entry.is_stopped = false;
    machine_take_off(p->m, &p->flight);
    protect_start(&p->entry);
}

static void forget_old(struct badge *p)
{
    free(p->old);
    p->old = NULL;
}

static void on_deleted(void *context, const struct caucus_result *r)
{
    struct badge *p = context;
    machine_land(&p->flight);
    if (r->rc == 0 || r->rc == CAUCUS_NONODE || r->rc == CAUCUS_CLOSING)
        forget_old(p);
    else if (!protect_is_passing(r->rc))
        p->failed(p->m, r->rc);
    machine_settle(p->m);
}

static void delete_old(struct badge *p)
{
    machine_take_off(p->m, &p->flight);
    int rc = caucus_delete(p->m->c, p->old, CAUCUS_ANY_VERSION, on_deleted, p);
    if (rc == 0)
        return;
    machine_land(&p->flight);
    if (rc == CAUCUS_BUSY)
        p->failed(p->m, rc);
    else
        forget_old(p); /* there will be no session that could */
    machine_settle(p->m);
}

bool badge_step(struct badge *p)
{
    if (p->flight.is_up)
        return true;
    if (p->old != NULL)
        delete_old(p);
    else if (p->wanted && p->path == NULL)
        enter(p);
    else
        return false;
    return true;
}

void badge_leave(struct badge *p)
{
    p->flight.serial++;
    p->entry.is_stopped = true;
    if (p->path == NULL)
        return;
    p->old = p->path; /* there is no other: it was deleted before this one was made */
    p->path = NULL;
}

void badge_forget(struct badge *p)
{
    free(p->path);
    p->path = NULL;
}

void badge_init(struct badge *p, struct machine *m, void (*failed)(struct machine *m, int rc))
{
    p->m = m;
    p->failed = failed;
    p->entry.c = m->c;
    p->entry.mode = CAUCUS_EPHEMERAL;
    p->entry.done = on_entered;
    p->entry.context = p;
}

void badge_deinit(struct badge *p)
{
    free(p->path);
    free(p->old);
}
