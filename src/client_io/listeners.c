#include "client_io/listeners.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct listener {
    struct list list;
    uint64_t number; /* rising along the list */
    caucus_state_fn *fn;
    void *context;
    bool is_fresh; /* was not told anything yet */
};

#define listener_entry(node) list_entry(node, struct listener, list)

void listeners_init(struct listeners *l)
{
    *l = (struct listeners){0};
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->returned, NULL);
    list_init(&l->list);
}

void listeners_deinit(struct listeners *l)
{
    struct list *node;
    while ((node = list_take(&l->list)) != NULL)
        free(listener_entry(node));
    pthread_cond_destroy(&l->returned);
    pthread_mutex_destroy(&l->lock);
}

void listeners_add(struct listeners *l, caucus_state_fn *fn, void *context)
{
    struct listener *new = mem_alloc(sizeof(*new));
    *new = (struct listener){.fn = fn, .context = context, .is_fresh = true};
    pthread_mutex_lock(&l->lock);
    new->number = ++l->last_number;
    list_append(&l->list, &new->list);
    pthread_mutex_unlock(&l->lock);
}

static struct listener *find(struct listeners *l, caucus_state_fn *fn, const void *context)
{
    for (struct list *i = l->list.next; i != &l->list; i = i->next)
        if (listener_entry(i)->fn == fn && listener_entry(i)->context == context)
            return listener_entry(i);
    return NULL;
}

int listeners_remove(struct listeners *l, caucus_state_fn *fn, void *context, bool is_inside)
{
    pthread_mutex_lock(&l->lock);
    struct listener *found = find(l, fn, context);
    if (found != NULL) {
        list_remove(&found->list);
        while (l->running == found && !is_inside)
            pthread_cond_wait(&l->returned, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    free(found);
    return found != NULL ? 0 : CAUCUS_BADARGUMENTS;
}

/* The list may change while one of them runs: the next is found by its number. */
static struct listener *next_after(struct listeners *l, uint64_t number, bool only_fresh)
{
    for (struct list *i = l->list.next; i != &l->list; i = i->next)
        if (listener_entry(i)->number > number && (!only_fresh || listener_entry(i)->is_fresh))
            return listener_entry(i);
    return NULL;
}

static void tell(struct listeners *l, struct caucus *c, bool only_fresh)
{
    struct caucus_state_change change = l->told;
    struct listener *i = next_after(l, 0, only_fresh);
    while (i != NULL) {
        uint64_t number = i->number;
        caucus_state_fn *fn = i->fn;
        void *context = i->context;
        i->is_fresh = false;
        l->running = i;
        pthread_mutex_unlock(&l->lock);
        fn(context, c, &change);
        pthread_mutex_lock(&l->lock);
        l->running = NULL;
        pthread_cond_broadcast(&l->returned);
        i = next_after(l, number, only_fresh);
    }
}

void listeners_tell(struct listeners *l, struct caucus *c, const struct caucus_state_change *change)
{
    pthread_mutex_lock(&l->lock);
    l->told = *change;
    snprintf(l->reason, sizeof(l->reason), "%s", change->reason);
    l->told.reason = l->reason;
    tell(l, c, false);
    pthread_mutex_unlock(&l->lock);
}

void listeners_greet(struct listeners *l, struct caucus *c)
{
    pthread_mutex_lock(&l->lock);
    if (l->told.state != CAUCUS_CONNECTING)
        tell(l, c, true);
    pthread_mutex_unlock(&l->lock);
}
