/* discovery.c: a cache of a service's node, its children understood as instances. `lock` guards
 * the entries; they change on the event thread only. */
#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"
#include "caucus/cache.h"
#include "recipes/copy.h"
#include "recipes/instance.h"
#include "recipes/machine.h"
#include "recipes/pick.h"

#define MS_NS INT64_C(1000000)

enum {
    DOWN_MS = 30000,
    FAILURES_MAX = 2,
};

struct caucus_discovery {
    struct machine machine; /* first */
    struct caucus_cache *cache;
    char *path;
    caucus_discovery_fn *on_change;
    void *context;

    struct picker picker;       /* lock */
    struct pick_entry *entries; /* lock; by id */
    size_t count;               /* lock */
    size_t room;
    bool is_current; /* lock */
};

static struct caucus_discovery *discovery_of(struct machine *m)
{
    return (struct caucus_discovery *)(void *)m;
}

static const struct caucus_discovery *const_discovery_of(const struct machine *m)
{
    return (const struct caucus_discovery *)(const void *)m;
}

/* Where it is, or would be. */
static bool find(const struct caucus_discovery *d, const char *id, size_t *ret)
{
    size_t at = 0;
    while (at < d->count && strcmp(d->entries[at].instance->id, id) < 0)
        at++;
    *ret = at;
    return at < d->count && strcmp(d->entries[at].instance->id, id) == 0;
}

/* ---- What is told ---- */

static void tell(struct caucus_discovery *d, const struct caucus_discovery_change *change)
{
    if (d->machine.is_closed || d->on_change == NULL)
        return;
    d->machine.is_calling = true;
    d->on_change(d->context, d, change);
    d->machine.is_calling = false;
}

/* ---- Instances that come, change and go ---- */

static void put(struct caucus_discovery *d, struct caucus_instance *instance)
{
    size_t at;
    pthread_mutex_lock(&d->machine.lock);
    bool is_there = find(d, instance->id, &at);
    if (is_there) {
        caucus_instance_free(d->entries[at].instance);
        d->entries[at].instance = instance;
    } else {
        if (d->count == d->room) {
            d->room = d->room > 0 ? 2 * d->room : 16;
            d->entries = mem_realloc(d->entries, d->room * sizeof(*d->entries));
        }
        memmove(d->entries + at + 1, d->entries + at, (d->count - at) * sizeof(*d->entries));
        d->entries[at] = (struct pick_entry){.instance = instance};
        d->count++;
    }
    pthread_cond_broadcast(&d->machine.changed);
    pthread_mutex_unlock(&d->machine.lock);
    tell(d, &(struct caucus_discovery_change){.news = is_there ? CAUCUS_INSTANCE_CHANGED
                                                               : CAUCUS_INSTANCE_ADDED,
                                              .instance = instance});
}

static void take_out(struct caucus_discovery *d, const char *id)
{
    size_t at;
    if (!find(d, id, &at))
        return;
    struct caucus_instance *instance = d->entries[at].instance;
    pthread_mutex_lock(&d->machine.lock);
    memmove(d->entries + at, d->entries + at + 1, (d->count - at - 1) * sizeof(*d->entries));
    d->count--;
    pthread_mutex_unlock(&d->machine.lock);
    tell(d,
         &(struct caucus_discovery_change){.news = CAUCUS_INSTANCE_REMOVED, .instance = instance});
    caucus_instance_free(instance);
}

/* The id is the node's name: it is what goes, and what nobody else has. */
static void see(struct caucus_discovery *d, const struct caucus_cache_node *node)
{
    struct caucus_instance *read = instance_read(slice_of(node->data, node->data_bytes));
    if (read != NULL) {
        read->id = node->name;
        put(d, instance_copy(read));
        caucus_instance_free(read);
        return;
    }
    take_out(d, node->name);
    tell(d, &(struct caucus_discovery_change){.news = CAUCUS_DISCOVERY_TROUBLE,
                                              .path = node->path,
                                              .rc = CAUCUS_MARSHALLINGERROR});
}

static void on_cache(void *context, struct caucus_cache *cache,
                     const struct caucus_cache_change *change)
{
    (void)cache;
    struct caucus_discovery *d = context;
    machine_hold(&d->machine); /* the user may close it */
    switch (change->news) {
    case CAUCUS_CACHE_ADDED:
    case CAUCUS_CACHE_CHANGED:
        see(d, change->node);
        break;
    case CAUCUS_CACHE_REMOVED:
        take_out(d, change->node->name);
        break;
    case CAUCUS_CACHE_READY:
        pthread_mutex_lock(&d->machine.lock);
        d->is_current = true;
        pthread_cond_broadcast(&d->machine.changed);
        pthread_mutex_unlock(&d->machine.lock);
        tell(d, &(struct caucus_discovery_change){.news = CAUCUS_DISCOVERY_CURRENT});
        break;
    case CAUCUS_CACHE_TROUBLE:
        tell(d, &(struct caucus_discovery_change){
                    .news = CAUCUS_DISCOVERY_TROUBLE, .path = change->path, .rc = change->rc});
        break;
    }
    machine_drop(&d->machine);
}

/* ---- The machine ---- */

static void on_state(struct machine *m, const struct caucus_state_change *change)
{
    struct caucus_discovery *d = discovery_of(m);
    if (change->state == CAUCUS_CONNECTED || change->state == CAUCUS_RECONNECTED)
        return;
    pthread_mutex_lock(&m->lock);
    d->is_current = false;
    pthread_mutex_unlock(&m->lock);
}

static void advance(struct machine *m)
{
    struct caucus_discovery *d = discovery_of(m);
    if (m->is_closed) {
        machine_retire(m);
        return;
    }
    struct caucus_cache_options o = {.on_change = on_cache, .context = d};
    if (d->cache == NULL)
        caucus_cache_open(m->c, d->path, CAUCUS_CACHE_CHILDREN, &o, &d->cache);
}

static void on_end(struct machine *m)
{
    struct caucus_discovery *d = discovery_of(m);
    caucus_cache_close(d->cache);
    d->cache = NULL;
}

static void on_free(struct machine *m)
{
    struct caucus_discovery *d = discovery_of(m);
    for (size_t i = 0; i < d->count; i++)
        caucus_instance_free(d->entries[i].instance);
    free(d->entries);
    pick_deinit(&d->picker);
    free(d->path);
    machine_deinit(m);
    free(d);
}

static const struct machine_calls calls = {on_state, advance, on_end, on_free};

/* ---- From any thread ---- */

static uint64_t seed(void)
{
    uint64_t chance;
    if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
        abort(); /* 8 bytes are never cut short */
    return chance;
}

int caucus_discovery_open(struct caucus *c, const char *base, const char *name,
                          const struct caucus_discovery_options *options,
                          struct caucus_discovery **ret)
{
    static const struct caucus_discovery_options none;
    const struct caucus_discovery_options *o = options != NULL ? options : &none;
    if (!copy_is_parent(base) || !copy_is_name(name) || o->down_ms < 0 || o->failures_max < 0 ||
        o->strategy < CAUCUS_ROUND_ROBIN || o->strategy > CAUCUS_STICKY)
        return CAUCUS_BADARGUMENTS;
    struct caucus_discovery *d = mem_calloc(1, sizeof(*d));
    machine_init(&d->machine, &calls, c);
    d->path = copy_joined(base, name);
    d->on_change = o->on_change;
    d->context = o->context;
    pick_init(&d->picker, o->strategy, (o->down_ms != 0 ? o->down_ms : DOWN_MS) * MS_NS,
              o->failures_max != 0 ? o->failures_max : FAILURES_MAX, seed());
    *ret = d;
    int rc = machine_start(&d->machine);
    if (rc != 0) {
        *ret = NULL;
        on_free(&d->machine);
    }
    return rc;
}

void caucus_discovery_close(struct caucus_discovery *d)
{
    if (d != NULL)
        machine_close(&d->machine);
}

static bool is_current(const struct machine *m)
{
    return const_discovery_of(m)->is_current;
}

int caucus_discovery_await(struct caucus_discovery *d, int64_t timeout_ms)
{
    machine_hold(&d->machine);
    pthread_mutex_lock(&d->machine.lock);
    int rc = machine_await(&d->machine, timeout_ms, is_current);
    pthread_mutex_unlock(&d->machine.lock);
    machine_drop(&d->machine);
    return rc;
}

/* ---- Picking ---- */

/* lock is held. */
static struct caucus_instance *pick(struct caucus_discovery *d)
{
    size_t at = pick_next(&d->picker, d->entries, d->count, caucus_now_ns());
    return at != PICK_NONE ? instance_copy(d->entries[at].instance) : NULL;
}

static bool is_usable(const struct caucus_discovery *d, size_t i, int64_t now_ns)
{
    const struct pick_entry *e = &d->entries[i];
    return !e->instance->is_disabled && !pick_is_down(&d->picker, e, now_ns);
}

static bool has_some(const struct machine *m)
{
    const struct caucus_discovery *d = const_discovery_of(m);
    int64_t now_ns = caucus_now_ns();
    for (size_t i = 0; i < d->count; i++)
        if (is_usable(d, i, now_ns))
            return true;
    return false;
}

/* lock is held. Until this time only news of the servers can help: then the first that is down may
 * be tried again. */
static int64_t wait_until_ns(const struct caucus_discovery *d, int64_t end_ns)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct pick_entry *e = &d->entries[i];
        int64_t up_ns = e->first_fail_ns + d->picker.down_ns;
        if (!e->instance->is_disabled && up_ns < end_ns)
            end_ns = up_ns;
    }
    return end_ns;
}

/* lock is held. */
static int pick_or_wait(struct caucus_discovery *d, int64_t end_ns, struct caucus_instance **ret)
{
    while ((*ret = pick(d)) == NULL) {
        int64_t now_ns = caucus_now_ns();
        if (now_ns >= end_ns)
            return CAUCUS_OPERATIONTIMEOUT;
        int64_t until_ns = wait_until_ns(d, end_ns);
        int64_t ms = until_ns == INT64_MAX ? -1 : (until_ns - now_ns + MS_NS - 1) / MS_NS;
        int rc = machine_await(&d->machine, ms, has_some);
        if (rc != 0 && rc != CAUCUS_OPERATIONTIMEOUT)
            return rc;
    }
    return 0;
}

int caucus_discovery_pick(struct caucus_discovery *d, int64_t timeout_ms,
                          struct caucus_instance **ret)
{
    int64_t end_ns = INT64_MAX;
    if (timeout_ms >= 0 && timeout_ms < INT64_MAX / MS_NS / 2)
        end_ns = caucus_now_ns() + timeout_ms * MS_NS;
    struct caucus_instance *instance;
    machine_hold(&d->machine);
    pthread_mutex_lock(&d->machine.lock);
    int rc = pick_or_wait(d, end_ns, &instance);
    pthread_mutex_unlock(&d->machine.lock);
    machine_drop(&d->machine);
    if (rc == 0)
        *ret = instance;
    return rc;
}

void caucus_discovery_fail(struct caucus_discovery *d, const char *id)
{
    size_t at;
    pthread_mutex_lock(&d->machine.lock);
    if (find(d, id, &at))
        pick_fail(&d->picker, &d->entries[at], caucus_now_ns());
    pthread_mutex_unlock(&d->machine.lock);
}

/* ---- Lists ---- */

void caucus_discovery_list(struct caucus_discovery *d, struct caucus_instances **ret)
{
    pthread_mutex_lock(&d->machine.lock);
    struct caucus_instances *list =
        mem_alloc(sizeof(*list) + d->count * sizeof(struct caucus_instance *));
    struct caucus_instance **copies = (struct caucus_instance **)(list + 1);
    for (size_t i = 0; i < d->count; i++)
        copies[i] = instance_copy(d->entries[i].instance);
    *list = (struct caucus_instances){.instances = (const struct caucus_instance *const *)copies,
                                      .count = d->count};
    pthread_mutex_unlock(&d->machine.lock);
    *ret = list;
}

void caucus_instances_free(struct caucus_instances *instances)
{
    if (instances == NULL)
        return;
    for (size_t i = 0; i < instances->count; i++)
        caucus_instance_free((struct caucus_instance *)(uintptr_t)instances->instances[i]);
    free(instances);
}
