/* barrier.c: a barrier's three deeds. */
#include "caucus/barrier.h"

#include <stdlib.h>

#include "base/mem.h"
#include "recipes/copy.h"
#include "recipes/deed.h"
#include "recipes/parents.h"

enum {
    PARENT_ROUNDS_MAX = 3 /* somebody else may delete them between two of our steps */
};

struct barrier_deed {
    struct deed deed; /* first */
    char *path;
    caucus_barrier_fn *done;
    void *context;
    struct parents parents;
    char *above;
    int parent_rounds;
};

static struct barrier_deed *barrier_of(struct deed *d)
{
    return (struct barrier_deed *)(void *)d;
}

static void tell(struct deed *d, int rc)
{
    struct barrier_deed *b = barrier_of(d);
    if (b->done != NULL)
        b->done(b->context, rc);
}

static void free_deed(struct deed *d)
{
    struct barrier_deed *b = barrier_of(d);
    free(b->path);
    free(b->above);
    free(b);
}

/* ---- Setting ---- */

static void begin_set(struct deed *d);

static void on_parents(void *context, int rc)
{
    struct deed *d = context;
    if (rc == CAUCUS_CLOSING || d->is_over)
        deed_land(d, rc, false);
    else
        begin_set(d);
}

static void make_parents(struct barrier_deed *b)
{
    b->parents = (struct parents){
        .c = b->deed.m.c, .path = b->above, .done = on_parents, .context = &b->deed};
    parents_start(&b->parents);
}

static void on_set(void *context, const struct caucus_result *r)
{
    struct barrier_deed *b = barrier_of(context);
    bool may_try = !b->deed.is_over && b->parent_rounds < PARENT_ROUNDS_MAX;
    if (r->rc == CAUCUS_NONODE && may_try) {
        b->parent_rounds++;
        make_parents(b);
    } else {
        deed_land(&b->deed, r->rc, r->rc == 0 || r->rc == CAUCUS_NODEEXISTS);
    }
}

static void begin_set(struct deed *d)
{
    deed_refuse(d, caucus_create(d->m.c, barrier_of(d)->path, "", 0, NULL, on_set, d));
}

/* ---- Lifting ---- */

static void on_lift(void *context, const struct caucus_result *r)
{
    deed_land(context, r->rc, r->rc == 0 || r->rc == CAUCUS_NONODE);
}

static void begin_lift(struct deed *d)
{
    const char *path = barrier_of(d)->path;
    deed_refuse(d, caucus_delete(d->m.c, path, CAUCUS_ANY_VERSION, on_lift, d));
}

/* ---- Passing ---- */

static void on_seen(void *context, const struct caucus_result *r)
{
    struct deed *d = context;
    deed_land_watch(d, r->rc == 0);
    deed_land(d, r->rc, r->rc == CAUCUS_NONODE);
}

/* A read, not "exists": that would leave a watch behind where there is no node. */
static void begin_pass(struct deed *d)
{
    const char *path = barrier_of(d)->path;
    struct machine_watch *w = deed_watch(d, CAUCUS_KIND_DATA, path);
    deed_refuse(d, caucus_get(d->m.c, path, machine_on_event, w, on_seen, d));
}

/* ---- Making ---- */

static int begin(struct caucus *c, const char *path, int64_t timeout_ms,
                 void (*request)(struct deed *d), caucus_barrier_fn *done, void *context)
{
    if (!copy_is_parent(path))
        return CAUCUS_BADARGUMENTS;
    struct barrier_deed *b = mem_alloc(sizeof(*b));
    *b = (struct barrier_deed){.deed = {.begin = request, .tell = tell, .free = free_deed},
                               .path = copy_text(path),
                               .done = done,
                               .context = context,
                               .above = copy_above(path)};
    return deed_start(&b->deed, c, timeout_ms);
}

static void on_done(void *context, int rc)
{
    machine_blocked_done(context, rc);
}

static int begin_and_wait(struct caucus *c, const char *path, int64_t timeout_ms,
                          void (*request)(struct deed *d))
{
    if (caucus_is_event_thread(c))
        return CAUCUS_WOULDBLOCK;
    struct machine_blocked b;
    machine_blocked_init(&b);
    int rc = begin(c, path, timeout_ms, request, on_done, &b);
    if (rc != 0)
        machine_blocked_done(&b, rc);
    return machine_blocked_wait(&b);
}

int caucus_barrier_set(struct caucus *c, const char *path, int64_t timeout_ms,
                       caucus_barrier_fn *done, void *context)
{
    return begin(c, path, timeout_ms, begin_set, done, context);
}

int caucus_barrier_set_wait(struct caucus *c, const char *path, int64_t timeout_ms)
{
    return begin_and_wait(c, path, timeout_ms, begin_set);
}

int caucus_barrier_lift(struct caucus *c, const char *path, int64_t timeout_ms,
                        caucus_barrier_fn *done, void *context)
{
    return begin(c, path, timeout_ms, begin_lift, done, context);
}

int caucus_barrier_lift_wait(struct caucus *c, const char *path, int64_t timeout_ms)
{
    return begin_and_wait(c, path, timeout_ms, begin_lift);
}

int caucus_barrier_pass(struct caucus *c, const char *path, int64_t timeout_ms,
                        caucus_barrier_fn *done, void *context)
{
    if (done == NULL)
        return CAUCUS_BADARGUMENTS;
    return begin(c, path, timeout_ms, begin_pass, done, context);
}

int caucus_barrier_pass_wait(struct caucus *c, const char *path, int64_t timeout_ms)
{
    return begin_and_wait(c, path, timeout_ms, begin_pass);
}
