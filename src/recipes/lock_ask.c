/* lock_ask.c: asking holders to give a lock up: a word is written into their nodes, which they
 * watch. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/copy.h"
#include "recipes/lock_internal.h"

/* Each answer that may come keeps a reference to the link's queue, and so to the lock. */

static void on_written(void *context, const struct caucus_result *r)
{
    struct lock_link *link = context;
    /* Who is gone has given it up. */
    if (r->rc != 0 && r->rc != CAUCUS_NONODE && !protect_is_passing(r->rc) &&
        link->lock->phase != LOCK_ENDED)
        lock_tell(link->lock, &(struct caucus_lock_change){
                                  .news = CAUCUS_LOCK_TROUBLE, .index = link->index, .rc = r->rc});
    queue_drop(&link->queue);
}

static void write_to(struct lock_link *link, const char *name)
{
    char *path = copy_joined(link->queue.parent, name);
    queue_hold(&link->queue);
    if (caucus_set(link->queue.m.c, path, QUEUE_REVOKE, strlen(QUEUE_REVOKE), CAUCUS_ANY_VERSION,
                   on_written, link) != 0)
        queue_drop(&link->queue);
    free(path);
}

/* The first, and with a reader those behind him up to the next writer. */
static void on_listed(void *context, const struct caucus_result *r)
{
    struct lock_link *link = context;
    const char *path = link->queue.path;
    if (r->rc == 0 && path != NULL && !queue_is_first(&link->queue)) {
        const char *own = strrchr(path, '/') + 1;
        const char **names = mem_calloc(r->name_count, sizeof(*names));
        for (size_t i = 0; i < r->name_count; i++)
            names[i] = r->names[i];
        size_t places = place_sort(names, r->name_count);
        for (size_t i = 0; i < places && strcmp(names[i], own) != 0; i++) {
            if (i > 0 && !(place_is_shared(names[i - 1]) && place_is_shared(names[i])))
                break;
            write_to(link, names[i]);
        }
        free(names);
    }
    queue_drop(&link->queue);
}

/* What was lost with a connection is asked again when the line is looked at again, or never: to
 * ask is a courtesy. */
void lock_ask_holders(struct lock_link *link)
{
    queue_hold(&link->queue);
    if (caucus_get_children(link->queue.m.c, link->queue.parent, NULL, NULL, on_listed, link) != 0)
        queue_drop(&link->queue);
}

/* The one of the chain that stands in a queue and waits. */
static struct lock_link *waiting(struct caucus_lock *l)
{
    for (size_t i = 0; i < l->before_count; i++)
        if (!queue_is_first(&l->before[i].queue))
            return &l->before[i];
    return queue_is_first(&l->last.queue) ? NULL : &l->last;
}

static void run_ask(void *queue)
{
    struct caucus_lock *l = ((struct lock_link *)queue)->lock;
    struct lock_link *link = waiting(l);
    if (l->phase == LOCK_WAITS && link != NULL && link->queue.path != NULL)
        lock_ask_holders(link);
    queue_drop(queue);
}

void caucus_lock_ask(struct caucus_lock *l)
{
    if (l->counted != NULL)
        return;
    atomic_store(&l->asks, true);
    queue_run(&l->last.queue, run_ask);
}
