#include "cli/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/print.h"

/* A stack instead of recursion: trees may be deep. */
struct step {
    char *path;
    size_t depth;
    bool entered; /* its children are on the stack above it, or done */
};

struct stack {
    struct step *steps;
    size_t count, room;
};

static void push(struct stack *s, char *path, size_t depth)
{
    if (s->count == s->room) {
        s->room = s->room == 0 ? 64 : s->room * 2;
        s->steps = mem_realloc(s->steps, s->room * sizeof *s->steps);
    }
    s->steps[s->count++] = (struct step){path, depth, false};
}

static char *child_path(const char *parent, const char *name)
{
    size_t bytes = strlen(parent) + strlen(name) + 2;
    char *path = mem_alloc(bytes);
    snprintf(path, bytes, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
    return path;
}

/* In reverse, so that the first is taken off first. */
static void push_children(struct stack *s, const char *parent, size_t depth,
                          const struct caucus_result *r)
{
    const char **names = mem_alloc(r->name_count * sizeof *names);
    for (size_t i = 0; i < r->name_count; i++)
        names[i] = r->names[i];
    sort_names(names, r->name_count);
    for (size_t i = r->name_count; i > 0; i--)
        push(s, child_path(parent, names[i - 1]), depth + 1);
    free(names);
}

static int enter(struct caucus *c, struct stack *s, enum walk_order order, walk_fn *visit,
                 void *context)
{
    struct step *top = &s->steps[s->count - 1];
    top->entered = true;
    char *path = top->path; /* the stack may move, what it points to does not */
    size_t depth = top->depth;
    struct caucus_result *r = NULL;
    int rc = caucus_get_children_wait(c, path, NULL, NULL, &r);
    bool gone = rc == CAUCUS_NONODE && depth > 0;
    if (rc == 0 && order == WALK_PARENTS_FIRST)
        rc = visit(context, path, depth);
    if (rc == 0)
        push_children(s, path, depth, r);
    caucus_result_free(r);
    return gone ? 0 : rc;
}

int walk(struct caucus *c, const char *path, enum walk_order order, walk_fn *visit, void *context)
{
    struct stack s = {0};
    push(&s, mem_dup(path, strlen(path) + 1), 0);
    int rc = 0;
    while (s.count > 0 && rc == 0) {
        if (!s.steps[s.count - 1].entered) {
            rc = enter(c, &s, order, visit, context);
            continue;
        }
        struct step done = s.steps[--s.count];
        if (order == WALK_CHILDREN_FIRST)
            rc = visit(context, done.path, done.depth);
        free(done.path);
    }
    while (s.count > 0)
        free(s.steps[--s.count].path);
    free(s.steps);
    return rc;
}
