#include "recipes/protect.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "recipes/copy.h"

enum {
    PARENT_ROUNDS_MAX = 3 /* somebody else may delete them between two of our steps */
};

bool protect_is_passing(int rc)
{
    return rc == CAUCUS_CONNECTIONLOSS || rc == CAUCUS_OPERATIONTIMEOUT ||
           rc == CAUCUS_SESSIONEXPIRED || rc == CAUCUS_SESSIONMOVED;
}

static void take_chance(uint8_t chance[PLACE_CHANCE_BYTES])
{
    if (getrandom(chance, PLACE_CHANCE_BYTES, 0) != PLACE_CHANCE_BYTES)
        abort(); /* 16 bytes are never cut short */
}

void protect_rename(struct protect *p, const char *label)
{
    uint8_t chance[PLACE_CHANCE_BYTES];
    take_chance(chance);
    place_prefix(chance, label, p->prefix);
    p->may_exist = false;
}

void protect_rename_plain(struct protect *p)
{
    uint8_t chance[PLACE_CHANCE_BYTES];
    take_chance(chance);
    place_plain(chance, p->prefix);
    p->may_exist = false;
}

static void finish(struct protect *p, int rc, const char *path)
{
    p->done(p->context, rc, path);
}

static void finish_if_refused(struct protect *p, int rc)
{
    if (rc != 0)
        finish(p, rc, NULL);
}

static void create(struct protect *p);
static void search(struct protect *p);

/* ---- Parents ---- */

static void on_parents(void *context, int rc)
{
    struct protect *p = context;
    if (rc == CAUCUS_CLOSING) {
        finish(p, rc, NULL);
        return;
    }
    p->parent_rc = rc != 0 ? rc : p->parent_rc;
    create(p);
}

static void make_parents(struct protect *p)
{
    if (p->is_stopped) {
        finish(p, CAUCUS_CLOSING, NULL);
    } else if (p->parent_rounds == PARENT_ROUNDS_MAX) {
        finish(p, p->parent_rc != 0 ? p->parent_rc : CAUCUS_NONODE, NULL);
    } else {
        p->parent_rounds++;
        p->parents = (struct parents){.c = p->c,
                                      .path = p->parent,
                                      .acl = p->acl,
                                      .acl_count = p->acl_count,
                                      .done = on_parents,
                                      .context = p};
        parents_start(&p->parents);
    }
}

/* ---- The node ---- */

static bool is_sequential(const struct protect *p)
{
    return p->mode == CAUCUS_EPHEMERAL_SEQUENTIAL || p->mode == CAUCUS_PERSISTENT_SEQUENTIAL;
}

static void finish_plain(struct protect *p)
{
    char *path = copy_joined(p->parent, p->prefix);
    finish(p, 0, path);
    free(path);
}

static void on_created(void *context, const struct caucus_result *r)
{
    struct protect *p = context;
    if (r->rc == CAUCUS_NODEEXISTS && !is_sequential(p))
        finish_plain(p);
    else if (r->rc == CAUCUS_CONNECTIONLOSS && is_sequential(p))
        search(p);
    else if (protect_is_passing(r->rc))
        create(p); /* it was never sent, or refused */
    else if (r->rc == CAUCUS_NONODE)
        make_parents(p);
    else
        finish(p, r->rc, r->rc == 0 ? r->path : NULL);
}

static void create(struct protect *p)
{
    if (p->is_stopped && p->may_exist && !is_sequential(p)) {
        finish_plain(p); /* for the caller to delete, whether it is there or not */
        return;
    }
    if (p->is_stopped) {
        finish(p, CAUCUS_CLOSING, NULL);
        return;
    }
    struct caucus_create_options options = {
        .mode = p->mode, .acl = p->acl, .acl_count = p->acl_count};
    char *path = copy_joined(p->parent, p->prefix);
    p->may_exist = true;
    finish_if_refused(p,
                      caucus_create(p->c, path, p->data, p->data_bytes, &options, on_created, p));
    free(path);
}

/* ---- Looking for it ---- */

static void on_listed(void *context, const struct caucus_result *r)
{
    struct protect *p = context;
    if (protect_is_passing(r->rc)) {
        search(p);
        return;
    }
    if (r->rc != 0 && r->rc != CAUCUS_NONODE) {
        finish(p, r->rc, NULL);
        return;
    }
    const char *name = place_find(r->names, r->name_count, p->prefix);
    if (name == NULL) {
        create(p);
        return;
    }
    char *path = copy_joined(p->parent, name);
    finish(p, 0, path);
    free(path);
}

static void on_synced(void *context, const struct caucus_result *r)
{
    struct protect *p = context;
    if (protect_is_passing(r->rc))
        search(p);
    else if (r->rc == CAUCUS_CLOSING)
        finish(p, r->rc, NULL);
    else
        finish_if_refused(p, caucus_get_children(p->c, p->parent, NULL, NULL, on_listed, p));
}

/* Another server may be behind the one that made it: without the sync it would be made twice. */
static void search(struct protect *p)
{
    finish_if_refused(p, caucus_sync(p->c, p->parent, on_synced, p));
}

void protect_start(struct protect *p)
{
    p->parent_rounds = 0;
    p->parent_rc = 0;
    if (p->may_exist && is_sequential(p))
        search(p);
    else
        create(p);
}
