#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "election/coordination_internal.h"

/* ---- paths ---- */

struct coord_path coord_path(const struct coordination *c, const char *format, ...)
{
    struct coord_path p;
    int len = snprintf(p.text, sizeof p.text, "%s/", c->root);
    va_list args;
    va_start(args, format);
    vsnprintf(p.text + len, sizeof p.text - (size_t)len, format, args);
    va_end(args);
    return p;
}

struct coord_path coord_state_path(const struct coordination *c, int state, const char *name)
{
    return coord_path(c, "%s/%s", c->options.election->states[state].names.code, name);
}

void coord_command_path(const struct coordination *c, const uint8_t id[COMMAND_ID_BYTES],
                        struct coord_path *ret)
{
    uint64_t high = load_be64(id), low = load_be64(id + 8);
    *ret = coord_path(c, "Global/Commands/%016llx%016llx", (unsigned long long)high,
                      (unsigned long long)low);
}

/* ---- watches ---- */

static void on_event(void *context, const struct caucus_event *event)
{
    struct watched *w = context;
    if (!event->last)
        return;
    w->armed = false;
    w->fired(w->owner);
}

/* ---- calls ---- */

struct coord_call {
    struct coordination *c;
    struct coord_done done;
    struct watched *arms; /* that this call sets; NULL = none */
    int rc;               /* why it could not be started */
};

static void on_result(void *context, const struct caucus_result *r)
{
    struct coord_call *k = context;
    if (k->arms != NULL && r->rc != 0)
        k->arms->armed = false;
    k->done.fn(k->done.owner, k->done.slot, r);
    free(k);
}

static void on_not_started(void *context)
{
    struct coord_call *k = context;
    struct caucus_result r = {.rc = k->rc};
    on_result(k, &r);
}

static struct coord_call *call_new(struct coordination *c, struct watched *w,
                                   struct coord_done done)
{
    struct coord_call *k = mem_calloc(1, sizeof *k);
    k->c = c;
    k->done = done;
    if (w != NULL && !w->armed) {
        w->armed = true;
        k->arms = w;
    }
    return k;
}

static void call_started(struct coord_call *k, int rc)
{
    if (rc == 0)
        return;
    k->rc = rc;
    if (caucus_run_at(k->c->zk, 0, on_not_started, k) != 0)
        on_not_started(k); /* the handle is being closed */
}

void coord_sync(struct coordination *c, struct coord_done done)
{
    struct coord_call *k = call_new(c, NULL, done);
    call_started(k, caucus_sync(c->zk, c->root, on_result, k));
}

void coord_get(struct coordination *c, const char *path, struct watched *w, struct coord_done done)
{
    struct coord_call *k = call_new(c, w, done);
    call_started(k,
                 caucus_get(c->zk, path, k->arms != NULL ? on_event : NULL, k->arms, on_result, k));
}

void coord_children(struct coordination *c, const char *path, struct watched *w,
                    struct coord_done done)
{
    struct coord_call *k = call_new(c, w, done);
    call_started(k, caucus_get_children(c->zk, path, k->arms != NULL ? on_event : NULL, k->arms,
                                        on_result, k));
}

void coord_exists(struct coordination *c, const char *path, struct coord_done done)
{
    struct coord_call *k = call_new(c, NULL, done);
    call_started(k, caucus_exists(c->zk, path, NULL, NULL, on_result, k));
}

static const struct caucus_acl creator_acl = {CAUCUS_PERM_ALL, "auth", ""};

struct caucus_create_options coord_create_options(const struct coordination *c,
                                                  enum caucus_create_mode mode)
{
    struct caucus_create_options o = {.mode = mode};
    if (c->options.creator_only) {
        o.acl = &creator_acl;
        o.acl_count = 1;
    }
    return o;
}

void coord_create(struct coordination *c, const char *path, struct slice data,
                  enum caucus_create_mode mode, struct coord_done done)
{
    struct coord_call *k = call_new(c, NULL, done);
    struct caucus_create_options o = coord_create_options(c, mode);
    call_started(k, caucus_create(c->zk, path, data.ptr, data.len, &o, on_result, k));
}

void coord_set(struct coordination *c, const char *path, struct slice data, int32_t version,
               struct coord_done done)
{
    struct coord_call *k = call_new(c, NULL, done);
    call_started(k, caucus_set(c->zk, path, data.ptr, data.len, version, on_result, k));
}

void coord_delete(struct coordination *c, const char *path, struct coord_done done)
{
    struct coord_call *k = call_new(c, NULL, done);
    call_started(k, caucus_delete(c->zk, path, CAUCUS_ANY_VERSION, on_result, k));
}

void coord_multi(struct coordination *c, const struct caucus_op *ops, size_t count,
                 struct coord_done done)
{
    struct coord_call *k = call_new(c, NULL, done);
    call_started(k, caucus_multi(c->zk, ops, count, on_result, k));
}

void coord_multi_read(struct coordination *c, const struct caucus_op *ops, size_t count,
                      struct coord_done done)
{
    struct coord_call *k = call_new(c, NULL, done);
    call_started(k, caucus_multi_read(c->zk, ops, count, on_result, k));
}

void coord_forget(void *owner, uint32_t slot, const struct caucus_result *r)
{
    (void)owner;
    (void)slot;
    (void)r;
}

bool coord_is_passing(int rc)
{
    return rc == CAUCUS_CONNECTIONLOSS || rc == CAUCUS_OPERATIONTIMEOUT ||
           rc == CAUCUS_SESSIONEXPIRED || rc == CAUCUS_SESSIONMOVED || rc == CAUCUS_CLOSING;
}

struct slice coord_data(const struct caucus_result *r)
{
    return r->data != NULL ? slice_of(r->data, r->data_bytes) : slice_str("");
}
