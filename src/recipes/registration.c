/* registration.c: a presence with an instance as its data. */
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "caucus/registry.h"
#include "recipes/copy.h"
#include "recipes/instance.h"
#include "recipes/presence.h"
#include "recipes/uuid.h"

struct caucus_registration {
    struct presence presence;         /* first */
    struct caucus_instance *instance; /* name, id and time of the first */
    caucus_registration_fn *on_change;
    void *context;
};

static struct caucus_registration *registration_of(struct presence *p)
{
    return (struct caucus_registration *)(void *)p;
}

static void tell(struct presence *p, enum caucus_registration_news news, int rc)
{
    struct caucus_registration *r = registration_of(p);
    if (r->on_change != NULL)
        r->on_change(r->context, r,
                     &(struct caucus_registration_change){.news = news, .path = p->path, .rc = rc});
}

static void on_present(struct presence *p)
{
    tell(p, CAUCUS_REGISTERED, 0);
}

static void on_absent(struct presence *p, int rc)
{
    tell(p, CAUCUS_UNREGISTERED, rc);
}

static void on_trouble(struct presence *p, int rc)
{
    tell(p, CAUCUS_REGISTRATION_TROUBLE, rc);
}

static void on_free(struct presence *p)
{
    struct caucus_registration *r = registration_of(p);
    presence_deinit(p);
    caucus_instance_free(r->instance);
    free(r);
}

static const struct presence_calls calls = {on_present, on_absent, on_trouble, on_free};

static int64_t today_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int begin(struct caucus_registration *r, struct caucus *c, const char *base,
                 const struct caucus_registration_options *o)
{
    struct buf json = {0};
    instance_write(&json, r->instance);
    char *parent = copy_joined(base, r->instance->name);
    int rc = presence_init(&r->presence, &calls, c,
                           &(struct presence_options){.parent = parent,
                                                      .name = r->instance->id,
                                                      .data = json.ptr,
                                                      .data_bytes = json.len,
                                                      .acl = o->acl,
                                                      .acl_count = o->acl_count,
                                                      .policy = o->policy,
                                                      .take_over = o->take_over});
    free(parent);
    buf_deinit(&json);
    return rc;
}

int caucus_registration_open(struct caucus *c, const char *base,
                             const struct caucus_instance *instance,
                             const struct caucus_registration_options *options,
                             struct caucus_registration **ret)
{
    static const struct caucus_registration_options none;
    const struct caucus_registration_options *o = options != NULL ? options : &none;
    char uuid[UUID_BYTES];
    uuid_make(uuid);
    struct caucus_instance complete = *instance;
    if (complete.id == NULL)
        complete.id = uuid;
    if (complete.registered_ms == 0)
        complete.registered_ms = today_ms();
    if (!copy_is_parent(base) || !instance_is_sound(&complete))
        return CAUCUS_BADARGUMENTS;
    struct caucus_registration *r = mem_calloc(1, sizeof(*r));
    r->instance = instance_copy(&complete);
    int rc = begin(r, c, base, o);
    if (rc != 0) {
        caucus_instance_free(r->instance);
        free(r);
        return rc;
    }
    r->on_change = o->on_change;
    r->context = o->context;
    *ret = r;
    rc = presence_start(&r->presence);
    if (rc != 0) {
        *ret = NULL;
        on_free(&r->presence);
    }
    return rc;
}

void caucus_registration_close(struct caucus_registration *r)
{
    if (r != NULL)
        presence_close(&r->presence);
}

int caucus_registration_update(struct caucus_registration *r,
                               const struct caucus_instance *instance)
{
    struct caucus_instance complete = *instance;
    complete.name = r->instance->name;
    complete.id = r->instance->id;
    complete.registered_ms = r->instance->registered_ms;
    if (!instance_is_sound(&complete))
        return CAUCUS_BADARGUMENTS;
    struct buf json = {0};
    instance_write(&json, &complete);
    presence_update(&r->presence, json.ptr, json.len);
    buf_deinit(&json);
    return 0;
}

bool caucus_registration_is_there(struct caucus_registration *r)
{
    return presence_token(&r->presence) != 0;
}

const char *caucus_registration_id(struct caucus_registration *r)
{
    return r->instance->id;
}

int caucus_registration_await(struct caucus_registration *r, int64_t timeout_ms)
{
    return presence_await(&r->presence, timeout_ms, NULL);
}
