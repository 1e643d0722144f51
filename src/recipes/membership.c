/* membership.c: a presence with the words of a group. */
#include "caucus/membership.h"

#include <stdlib.h>

#include "base/mem.h"
#include "recipes/copy.h"
#include "recipes/presence.h"
#include "recipes/uuid.h"

struct caucus_membership {
    struct presence presence; /* first */
    char *id;
    caucus_membership_fn *on_change;
    void *context;
};

static struct caucus_membership *membership_of(struct presence *p)
{
    return (struct caucus_membership *)(void *)p;
}

static void tell(struct presence *p, enum caucus_membership_news news, int64_t token, int rc)
{
    struct caucus_membership *m = membership_of(p);
    if (m->on_change != NULL)
        m->on_change(m->context, m,
                     &(struct caucus_membership_change){.news = news, .token = token, .rc = rc});
}

static void on_present(struct presence *p)
{
    tell(p, CAUCUS_JOINED_GROUP, p->token, 0);
}

static void on_absent(struct presence *p, int rc)
{
    tell(p, CAUCUS_LEFT_GROUP, 0, rc);
}

static void on_trouble(struct presence *p, int rc)
{
    tell(p, CAUCUS_MEMBERSHIP_TROUBLE, 0, rc);
}

static void on_free(struct presence *p)
{
    struct caucus_membership *m = membership_of(p);
    presence_deinit(p);
    free(m->id);
    free(m);
}

static const struct presence_calls calls = {on_present, on_absent, on_trouble, on_free};

int caucus_membership_open(struct caucus *c, const char *path,
                           const struct caucus_membership_options *options,
                           struct caucus_membership **ret)
{
    static const struct caucus_membership_options none;
    const struct caucus_membership_options *o = options != NULL ? options : &none;
    char uuid[UUID_BYTES];
    uuid_make(uuid);
    const char *id = o->id != NULL ? o->id : uuid;
    struct caucus_membership *m = mem_calloc(1, sizeof(*m));
    int rc = presence_init(&m->presence, &calls, c,
                           &(struct presence_options){.parent = path,
                                                      .name = id,
                                                      .data = o->data,
                                                      .data_bytes = o->data_bytes,
                                                      .acl = o->acl,
                                                      .acl_count = o->acl_count,
                                                      .policy = o->policy,
                                                      .take_over = o->take_over});
    if (rc != 0) {
        free(m);
        return rc;
    }
    m->id = copy_text(id);
    m->on_change = o->on_change;
    m->context = o->context;
    *ret = m;
    rc = presence_start(&m->presence);
    if (rc != 0) {
        *ret = NULL;
        on_free(&m->presence);
    }
    return rc;
}

void caucus_membership_close(struct caucus_membership *m)
{
    if (m != NULL)
        presence_close(&m->presence);
}

void caucus_membership_update(struct caucus_membership *m, const void *data, size_t data_bytes)
{
    presence_update(&m->presence, data, data_bytes);
}

int64_t caucus_membership_token(struct caucus_membership *m)
{
    return presence_token(&m->presence);
}

const char *caucus_membership_id(struct caucus_membership *m)
{
    return m->id;
}

int caucus_membership_await(struct caucus_membership *m, int64_t timeout_ms, int64_t *ret_token)
{
    return presence_await(&m->presence, timeout_ms, ret_token);
}
