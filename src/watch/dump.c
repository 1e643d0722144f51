/* dump.c: counting and showing what is watched. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/sort.h"
#include "watch/watch_internal.h"

uint64_t watch_count(const struct watch_table *w)
{
    return w->data_count + w->child_count;
}

uint64_t watch_data_count(const struct watch_table *w)
{
    return w->data_count;
}

uint64_t watch_path_count(const struct watch_table *w)
{
    return w->data_path_count;
}

uint64_t watch_watcher_count(const struct watch_table *w)
{
    return w->data_watcher_count;
}

static int compare_paths(const void *a, const void *b)
{
    const struct path *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static int compare_watchers(const void *a, const void *b)
{
    const struct watcher *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* As Java writes what is no string. */
static struct slice shown(const struct path *p)
{
    return p->null ? slice_str("null") : path_slice(p);
}

void watch_each_by_path(const struct watch_table *w, watch_visit *visit, void *arg)
{
    void **sorted = mem_calloc(w->path_pool.used + 1, sizeof *sorted);
    size_t count = 0;
    for (uint32_t i = 0; i < w->path_pool.used; i++) {
        if (w->paths[i].bytes != NULL && w->paths[i].data_count > 0)
            sorted[count++] = &w->paths[i];
    }
    sort_pointers(sorted, count, compare_paths);

    for (size_t at = 0; at < count; at++) {
        const struct path *p = sorted[at];
        for (uint32_t i = p->first; i != NONE; i = w->entries[i].path_next) {
            const struct entry *e = &w->entries[i];
            if (e->how & DATA_TABLE)
                visit(arg, w->watchers[e->watcher].id, shown(p));
        }
    }
    free(sorted);
}

static void visit_watcher(const struct watch_table *w, const struct watcher *who,
                          watch_visit *visit, void *arg)
{
    void **sorted = mem_calloc(who->data_count + 1, sizeof *sorted);
    size_t count = 0;
    for (uint32_t i = who->first; i != NONE; i = w->entries[i].watcher_next) {
        if (w->entries[i].how & DATA_TABLE)
            sorted[count++] = &w->paths[w->entries[i].path];
    }
    sort_pointers(sorted, count, compare_paths);
    for (size_t i = 0; i < count; i++)
        visit(arg, who->id, shown(sorted[i]));
    free(sorted);
}

void watch_each_by_watcher(const struct watch_table *w, watch_visit *visit, void *arg)
{
    void **sorted = mem_calloc(w->watcher_pool.used + 1, sizeof *sorted);
    size_t count = 0;
    for (uint32_t i = 0; i < w->watcher_pool.used; i++) {
        if (w->watchers[i].used && w->watchers[i].data_count > 0)
            sorted[count++] = &w->watchers[i];
    }
    sort_pointers(sorted, count, compare_watchers);
    for (size_t i = 0; i < count; i++)
        visit_watcher(w, sorted[i], visit, arg);
    free(sorted);
}
