/* simple_queue.c: items put into a queue, and taken out of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "caucus/queue.h"
#include "recipes/copy.h"
#include "recipes/deed.h"
#include "recipes/parents.h"
#include "recipes/place.h"

#define ENTRY "entry-"

enum {
    PRIORITY_DIGITS = 3,
    PARENT_ROUNDS_MAX = 3 /* somebody else may delete them between two of our steps */
};

/* ---- Names ---- */

static bool read_priority(const char *name, int *ret)
{
    size_t at = strlen(ENTRY);
    int32_t ignored;
    if (strncmp(name, ENTRY, at) != 0 || !place_sequence(name, &ignored))
        return false;
    int priority = 0;
    for (size_t i = at; i < at + PRIORITY_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        priority = 10 * priority + (name[i] - '0');
    }
    *ret = priority;
    return name[at + PRIORITY_DIGITS] == '-';
}

static bool is_before(const char *a, const char *b)
{
    int priority_a = 0, priority_b = 0;
    int32_t place_a = 0, place_b = 0;
    read_priority(a, &priority_a);
    read_priority(b, &priority_b);
    place_sequence(a, &place_a);
    place_sequence(b, &place_b);
    return priority_a != priority_b ? priority_a < priority_b : place_is_before(place_a, place_b);
}

/* NULL: there is no item. What is no item's name is none. */
static const char *first_item(const struct caucus_result *r)
{
    const char *first = NULL;
    int priority;
    for (size_t i = 0; i < r->name_count; i++)
        if (read_priority(r->names[i], &priority) &&
            (first == NULL || is_before(r->names[i], first)))
            first = r->names[i];
    return first;
}

/* ---- Putting ---- */

struct put {
    struct caucus *c;
    char *parent;
    char *path; /* without the sequence */
    void *data;
    size_t bytes;
    struct parents parents;
    int parent_rounds;
    caucus_queue_put_fn *done;
    void *context;
};

static void put_finish(struct put *p, int rc, const char *path)
{
    if (p->done != NULL)
        p->done(p->context, rc, path);
    free(p->parent);
    free(p->path);
    free(p->data);
    free(p);
}

static int put_create(struct put *p);

static void on_parents(void *context, int rc)
{
    struct put *p = context;
    if (rc != CAUCUS_CLOSING)
        rc = put_create(p);
    if (rc != 0)
        put_finish(p, rc, NULL);
}

static void on_put(void *context, const struct caucus_result *r)
{
    struct put *p = context;
    if (r->rc != CAUCUS_NONODE || p->parent_rounds == PARENT_ROUNDS_MAX) {
        put_finish(p, r->rc, r->rc == 0 ? r->path : NULL);
        return;
    }
    p->parent_rounds++;
    p->parents = (struct parents){.c = p->c, .path = p->parent, .done = on_parents, .context = p};
    parents_start(&p->parents);
}

static int put_create(struct put *p)
{
    struct caucus_create_options options = {.mode = CAUCUS_PERSISTENT_SEQUENTIAL};
    return caucus_create(p->c, p->path, p->data, p->bytes, &options, on_put, p);
}

int caucus_queue_put(struct caucus *c, const char *path, int priority, const void *data,
                     size_t bytes, caucus_queue_put_fn *done, void *context)
{
    if (!copy_is_parent(path) || priority < 0 || priority > CAUCUS_QUEUE_PRIORITY_MAX)
        return CAUCUS_BADARGUMENTS;
    char name[sizeof(ENTRY) + PRIORITY_DIGITS + 1];
    snprintf(name, sizeof(name), ENTRY "%03d-", priority);
    struct put *p = mem_alloc(sizeof(*p));
    *p = (struct put){.c = c,
                      .parent = copy_text(path),
                      .path = copy_joined(path, name),
                      .data = mem_dup(data != NULL ? data : "", bytes),
                      .bytes = data != NULL ? bytes : 0,
                      .done = done,
                      .context = context};
    int rc = put_create(p);
    if (rc != 0) {
        p->done = NULL;
        put_finish(p, rc, NULL);
    }
    return rc;
}

static void on_put_done(void *context, int rc, const char *path)
{
    (void)path;
    machine_blocked_done(context, rc);
}

int caucus_queue_put_wait(struct caucus *c, const char *path, int priority, const void *data,
                          size_t bytes)
{
    if (caucus_is_event_thread(c))
        return CAUCUS_WOULDBLOCK;
    struct machine_blocked b;
    machine_blocked_init(&b);
    int rc = caucus_queue_put(c, path, priority, data, bytes, on_put_done, &b);
    if (rc != 0)
        machine_blocked_done(&b, rc);
    return machine_blocked_wait(&b);
}

/* ---- Taking: list, read the first, delete it, give it ---- */

struct take {
    struct deed deed; /* first */
    char *parent;
    caucus_queue_take_fn *taken;
    void *context;
    struct parents parents;
    int parent_rounds;
    bool waits;      /* the list was empty: the next one sets a watch */
    char *item_path; /* of the item that is being taken */
    void *data;
    size_t bytes;
};

static struct take *take_of(struct deed *d)
{
    return (struct take *)(void *)d;
}

static void take_tell(struct deed *d, int rc)
{
    struct take *t = take_of(d);
    if (rc != 0) {
        t->taken(t->context, rc, NULL);
        return;
    }
    struct caucus_queue_item item = {
        .name = strrchr(t->item_path, '/') + 1, .data = t->data, .bytes = t->bytes};
    read_priority(item.name, &item.priority);
    t->taken(t->context, 0, &item);
}

static void forget_item(struct take *t)
{
    free(t->item_path);
    free(t->data);
    t->item_path = NULL;
    t->data = NULL;
}

static void take_free(struct deed *d)
{
    struct take *t = take_of(d);
    forget_item(t);
    free(t->parent);
    free(t);
}

/* Somebody else was faster: the next one. */
static void land_step(struct deed *d, int rc)
{
    deed_land(d, rc == CAUCUS_NONODE ? 0 : rc, false);
}

/* A deletion that nobody answered may have been ours or not: the item is given to nobody. */
static void on_item_deleted(void *context, const struct caucus_result *r)
{
    struct deed *d = context;
    if (r->rc == 0)
        deed_land(d, 0, true);
    else
        land_step(d, r->rc);
}

static void on_item_read(void *context, const struct caucus_result *r)
{
    struct deed *d = context;
    struct take *t = take_of(d);
    if (r->rc != 0 || d->is_over) {
        land_step(d, r->rc);
        return;
    }
    t->bytes = r->data_bytes;
    t->data = mem_calloc(1, r->data_bytes + 1);
    if (r->data_bytes > 0)
        memcpy(t->data, r->data, r->data_bytes);
    d->must_land = true;
    deed_refuse(d, caucus_delete(d->m.c, t->item_path, CAUCUS_ANY_VERSION, on_item_deleted, d));
}

static void on_take_parents(void *context, int rc)
{
    struct deed *d = context;
    struct take *t = take_of(d);
    bool may_try = t->parent_rounds++ < PARENT_ROUNDS_MAX && rc != CAUCUS_CLOSING;
    deed_land(d, may_try ? 0 : rc != 0 ? rc : CAUCUS_NONODE, false);
}

static void make_path(struct take *t)
{
    t->parents = (struct parents){
        .c = t->deed.m.c, .path = t->parent, .done = on_take_parents, .context = &t->deed};
    parents_start(&t->parents);
}

static void on_listed(void *context, const struct caucus_result *r)
{
    struct deed *d = context;
    struct take *t = take_of(d);
    const char *name = r->rc == 0 ? first_item(r) : NULL;
    if (t->waits)
        deed_land_watch(d, r->rc == 0);
    if (r->rc == CAUCUS_NONODE && !d->is_over) {
        make_path(t);
    } else if (name == NULL || d->is_over) {
        t->waits = r->rc == 0;
        deed_land(d, r->rc, false);
    } else {
        t->waits = false;
        machine_watch_forget(d->watch);
        d->watch = NULL;
        forget_item(t);
        t->item_path = copy_joined(t->parent, name);
        deed_refuse(d, caucus_get(d->m.c, t->item_path, NULL, NULL, on_item_read, d));
    }
}

/* The watch is set by a second list, if the first was empty: who finds an item needs none. */
static void begin_take(struct deed *d)
{
    struct take *t = take_of(d);
    struct machine_watch *w = t->waits ? deed_watch(d, CAUCUS_KIND_CHILDREN, t->parent) : NULL;
    deed_refuse(d, caucus_get_children(d->m.c, t->parent, w != NULL ? machine_on_event : NULL, w,
                                       on_listed, d));
}

int caucus_queue_take(struct caucus *c, const char *path, int64_t timeout_ms,
                      caucus_queue_take_fn *taken, void *context)
{
    if (!copy_is_parent(path) || taken == NULL)
        return CAUCUS_BADARGUMENTS;
    struct take *t = mem_alloc(sizeof(*t));
    *t = (struct take){.deed = {.begin = begin_take, .tell = take_tell, .free = take_free},
                       .parent = copy_text(path),
                       .taken = taken,
                       .context = context};
    return deed_start(&t->deed, c, timeout_ms);
}

/* ---- Taking and waiting ---- */

struct taking {
    struct machine_blocked blocked;
    struct caucus_queue_item *item;
};

static void on_taken(void *context, int rc, const struct caucus_queue_item *item)
{
    struct taking *t = context;
    if (rc == 0) {
        size_t name_bytes = strlen(item->name) + 1;
        t->item = mem_alloc(sizeof(*item) + name_bytes + item->bytes + 1);
        char *name = (char *)(t->item + 1);
        memcpy(name, item->name, name_bytes);
        memcpy(name + name_bytes, item->data, item->bytes + 1);
        *t->item = *item;
        t->item->name = name;
        t->item->data = name + name_bytes;
    }
    machine_blocked_done(&t->blocked, rc);
}

int caucus_queue_take_wait(struct caucus *c, const char *path, int64_t timeout_ms,
                           struct caucus_queue_item **ret)
{
    if (caucus_is_event_thread(c))
        return CAUCUS_WOULDBLOCK;
    struct taking t = {.item = NULL};
    machine_blocked_init(&t.blocked);
    int rc = caucus_queue_take(c, path, timeout_ms, on_taken, &t);
    if (rc != 0)
        machine_blocked_done(&t.blocked, rc);
    rc = machine_blocked_wait(&t.blocked);
    if (rc == 0)
        *ret = t.item;
    return rc;
}

void caucus_queue_item_free(struct caucus_queue_item *item)
{
    free(item);
}
