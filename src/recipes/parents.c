#include "recipes/parents.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/protect.h"

static void make_next(struct parents *p);

/* Where the path ends that is longer by one name than `at` bytes. */
static size_t next_end(const char *path, size_t at)
{
    return at + 1 + strcspn(path + at + 1, "/");
}

static void on_made(void *context, const struct caucus_result *r)
{
    struct parents *p = context;
    if (r->rc == CAUCUS_CLOSING) {
        p->done(p->context, r->rc);
        return;
    }
    if (!protect_is_passing(r->rc)) {
        if (r->rc != 0 && r->rc != CAUCUS_NODEEXISTS)
            p->rc = r->rc;
        p->at = next_end(p->path, p->at);
    }
    make_next(p);
}

static void make_next(struct parents *p)
{
    if (p->path[p->at] == '\0') {
        p->done(p->context, p->rc);
        return;
    }
    struct caucus_create_options options = {
        .mode = CAUCUS_CONTAINER, .acl = p->acl, .acl_count = p->acl_count};
    size_t len = next_end(p->path, p->at);
    char *path = mem_calloc(1, len + 1);
    memcpy(path, p->path, len);
    int rc = caucus_create(p->c, path, "", 0, &options, on_made, p);
    free(path);
    if (rc != 0)
        p->done(p->context, rc);
}

void parents_start(struct parents *p)
{
    p->at = 0;
    p->rc = 0;
    make_next(p);
}
