/* candidates.c: who stands in an election: a list, and a read of each. */
#include <stdlib.h>

#include "base/mem.h"
#include "caucus/election.h"
#include "recipes/copy.h"
#include "recipes/place.h"

/* Touched by the event thread only, once the first request has been made. */
struct inquiry {
    struct caucus *c;
    char *parent;
    caucus_candidates_fn *done;
    void *context;
    struct reading *readings;
    size_t count;
    size_t left; /* answers that have not come */
    int rc;
};

/* Of one candidate. */
struct reading {
    struct inquiry *inquiry;
    struct caucus_candidate seen; /* what it points to is its own */
    bool is_there;
};

static void finish(struct inquiry *i)
{
    struct caucus_candidate *candidates = mem_calloc(i->count, sizeof(*candidates));
    size_t count = 0;
    for (size_t k = 0; k < i->count; k++)
        if (i->readings[k].is_there)
            candidates[count++] = i->readings[k].seen;
    if (i->rc != 0)
        i->done(i->context, i->rc, NULL, 0);
    else
        i->done(i->context, 0, candidates, count);

    for (size_t k = 0; k < count; k++) {
        free((void *)(uintptr_t)candidates[k].path);
        free((void *)(uintptr_t)candidates[k].identity);
    }
    free(candidates);
    free(i->readings);
    free(i->parent);
    free(i);
}

static void arrive(struct inquiry *i, int rc)
{
    if (rc != 0 && i->rc == 0)
        i->rc = rc;
    if (--i->left == 0)
        finish(i);
}

static void on_read(void *context, const struct caucus_result *r)
{
    struct reading *reading = context;
    struct caucus_candidate *seen = &reading->seen;
    reading->is_there = r->rc == 0;
    if (r->rc == 0) {
        seen->identity = mem_dup(r->data, r->data_bytes);
        seen->identity_bytes = r->data_bytes;
        seen->token = r->stat->czxid;
        seen->session_id = r->stat->ephemeral_owner;
    } else {
        free((void *)(uintptr_t)seen->path);
    }
    arrive(reading->inquiry, r->rc == CAUCUS_NONODE ? 0 : r->rc);
}

static void read_one(struct reading *reading, struct inquiry *i, const char *name)
{
    char *path = copy_joined(i->parent, name);
    *reading = (struct reading){.inquiry = i, .seen.path = path};
    i->left++;
    int rc = caucus_get(i->c, path, NULL, NULL, on_read, reading);
    if (rc != 0)
        on_read(reading, &(struct caucus_result){.rc = rc});
}

static void on_listed(void *context, const struct caucus_result *r)
{
    struct inquiry *i = context;
    if (r->rc == 0) {
        const char **names = mem_calloc(r->name_count, sizeof(*names));
        for (size_t k = 0; k < r->name_count; k++)
            names[k] = r->names[k];
        i->count = place_sort(names, r->name_count);
        i->readings = mem_calloc(i->count, sizeof(*i->readings));
        for (size_t k = 0; k < i->count; k++)
            read_one(&i->readings[k], i, names[k]);
        free(names);
    }
    arrive(i, r->rc);
}

int caucus_election_list(struct caucus *c, const char *path, caucus_candidates_fn *done,
                         void *context)
{
    if (!copy_is_parent(path) || done == NULL)
        return CAUCUS_BADARGUMENTS;
    struct inquiry *i = mem_alloc(sizeof(*i));
    *i = (struct inquiry){
        .c = c, .parent = copy_text(path), .done = done, .context = context, .left = 1};
    int rc = caucus_get_children(c, path, NULL, NULL, on_listed, i);
    if (rc != 0) {
        free(i->parent);
        free(i);
    }
    return rc;
}
