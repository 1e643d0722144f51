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

void protect_rename(struct protect *p, const char *label)
{
    uint8_t chance[PLACE_CHANCE_BYTES];
    if (getrandom(chance, sizeof(chance), 0) != sizeof(chance))
        abort(); /* 16 bytes are never cut short */
    place_prefix(chance, label, p->prefix);
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

/* Where the path ends that is longer by one name than `at` bytes. */
static size_t next_end(const char *path, size_t at)
{
    return at + 1 + strcspn(path + at + 1, "/");
}

static void make_parent(struct protect *p);

static void on_parent(void *context, const struct caucus_result *r)
{
    struct protect *p = context;
    if (r->rc == CAUCUS_CLOSING) {
        finish(p, r->rc, NULL);
        return;
    }
    if (!protect_is_passing(r->rc)) {
        /* One that exists may be refused with NOAUTH: the creation below it will tell. */
        if (r->rc != 0 && r->rc != CAUCUS_NODEEXISTS)
            p->parent_rc = r->rc;
        p->parent_at = next_end(p->parent, p->parent_at);
    }
    make_parent(p);
}

static void make_parent(struct protect *p)
{
    if (p->parent[p->parent_at] == '\0') {
        create(p);
        return;
    }
    struct caucus_create_options options = {
        .mode = CAUCUS_CONTAINER, .acl = p->acl, .acl_count = p->acl_count};
    size_t len = next_end(p->parent, p->parent_at);
    char *path = mem_calloc(1, len + 1);
    memcpy(path, p->parent, len);
    finish_if_refused(p, caucus_create(p->c, path, "", 0, &options, on_parent, p));
    free(path);
}

static void make_parents(struct protect *p)
{
    if (p->is_stopped) {
        finish(p, CAUCUS_CLOSING, NULL);
    } else if (p->parent_rounds == PARENT_ROUNDS_MAX) {
        finish(p, p->parent_rc != 0 ? p->parent_rc : CAUCUS_NONODE, NULL);
    } else {
        p->parent_rounds++;
        p->parent_at = 0;
        make_parent(p);
    }
}

/* ---- The node ---- */

static void on_created(void *context, const struct caucus_result *r)
{
    struct protect *p = context;
    if (r->rc == CAUCUS_CONNECTIONLOSS)
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
    if (p->is_stopped) {
        finish(p, CAUCUS_CLOSING, NULL);
        return;
    }
    struct caucus_create_options options = {
        .mode = CAUCUS_EPHEMERAL_SEQUENTIAL, .acl = p->acl, .acl_count = p->acl_count};
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
    if (p->may_exist)
        search(p);
    else
        create(p);
}
