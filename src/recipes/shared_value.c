#include "caucus/shared_value.h"

#include <stdlib.h>

#include "base/mem.h"
#include "recipes/shared.h"

struct caucus_shared_value {
    struct shared s; /* first */
    caucus_shared_value_fn *on_change;
    void *context;
};

struct value_change {
    struct shared_change h; /* first */
    caucus_shared_value_done_fn *done;
    void *context;
};

static struct caucus_shared_value *value_of(struct shared *s)
{
    return (struct caucus_shared_value *)(void *)s;
}

static void on_change(struct shared *s, const struct caucus_cache_node *now)
{
    struct caucus_shared_value *v = value_of(s);
    if (v->on_change != NULL)
        v->on_change(v->context, v, now);
}

int caucus_shared_value_open(struct caucus *c, const char *path,
                             const struct caucus_shared_value_options *options,
                             struct caucus_shared_value **ret)
{
    static const struct caucus_shared_value_options none;
    const struct caucus_shared_value_options *o = options != NULL ? options : &none;
    struct caucus_shared_value *v = mem_calloc(1, sizeof(*v));
    v->on_change = o->on_change;
    v->context = o->context;
    *ret = v;
    int rc = shared_open(&v->s, c, path,
                         &(struct shared_options){.initial = o->initial,
                                                  .initial_bytes = o->initial_bytes,
                                                  .tries_max = o->tries_max,
                                                  .acl = o->acl,
                                                  .acl_count = o->acl_count,
                                                  .on_change = on_change});
    if (rc != 0)
        *ret = NULL;
    return rc;
}

void caucus_shared_value_close(struct caucus_shared_value *v)
{
    if (v != NULL)
        shared_close(&v->s);
}

int caucus_shared_value_get(struct caucus_shared_value *v, const struct caucus_cache_node **ret)
{
    return caucus_cache_get(v->s.cache, v->s.path, ret);
}

/* ---- Changes ---- */

static void on_over(struct shared_change *h, int rc, int32_t version)
{
    struct value_change *change = (struct value_change *)(void *)h;
    if (change->done != NULL)
        change->done(change->context, rc, version);
    free(change);
}

/* `version` NULL: whatever it is. */
static int submit(struct caucus_shared_value *v, const void *data, size_t bytes,
                  const int32_t *version, caucus_shared_value_done_fn *done, void *context)
{
    struct value_change *change = mem_calloc(1, sizeof(*change));
    change->h = (struct shared_change){.over = on_over,
                                       .data = mem_dup(data, bytes),
                                       .bytes = data != NULL ? bytes : 0,
                                       .is_conditional = version != NULL,
                                       .version = version != NULL ? *version : 0};
    change->done = done;
    change->context = context;
    int rc = shared_submit(&v->s, &change->h);
    if (rc != 0) {
        free(change->h.data);
        free(change);
    }
    return rc;
}

int caucus_shared_value_set(struct caucus_shared_value *v, const void *data, size_t data_bytes,
                            caucus_shared_value_done_fn *done, void *context)
{
    return submit(v, data, data_bytes, NULL, done, context);
}

/* A negative one is no version, and -1 would be any. */
int caucus_shared_value_try_set(struct caucus_shared_value *v, const void *data, size_t data_bytes,
                                int32_t version, caucus_shared_value_done_fn *done, void *context)
{
    return version < 0 ? CAUCUS_BADARGUMENTS : submit(v, data, data_bytes, &version, done, context);
}

/* ---- Blocking ---- */

struct waiting {
    struct machine_blocked blocked;
    int32_t version;
};

static void on_done(void *context, int rc, int32_t version)
{
    struct waiting *w = context;
    w->version = version;
    machine_blocked_done(&w->blocked, rc);
}

static int submit_and_wait(struct caucus_shared_value *v, const void *data, size_t bytes,
                           const int32_t *version, int32_t *ret_version)
{
    if (machine_must_not_block(&v->s.m))
        return CAUCUS_WOULDBLOCK;
    struct waiting w;
    machine_blocked_init(&w.blocked);
    int rc = submit(v, data, bytes, version, on_done, &w);
    if (rc != 0)
        machine_blocked_done(&w.blocked, rc);
    rc = machine_blocked_wait(&w.blocked);
    if (rc == 0 && ret_version != NULL)
        *ret_version = w.version;
    return rc;
}

int caucus_shared_value_set_wait(struct caucus_shared_value *v, const void *data, size_t data_bytes,
                                 int32_t *ret_version)
{
    return submit_and_wait(v, data, data_bytes, NULL, ret_version);
}

int caucus_shared_value_try_set_wait(struct caucus_shared_value *v, const void *data,
                                     size_t data_bytes, int32_t version, int32_t *ret_version)
{
    return version < 0 ? CAUCUS_BADARGUMENTS
                       : submit_and_wait(v, data, data_bytes, &version, ret_version);
}
