#include "client_io/later.h"

#include "base/mem.h"

#define later_of(list_node) ((struct later *)(void *)note_of(list_node))

struct later *later_new(int64_t at_ns, caucus_run_fn *run, void *context)
{
    struct later *l = mem_alloc(sizeof(*l));
    *l = (struct later){.at_ns = at_ns, .run = run, .context = context};
    l->note.kind = NOTE_RUN;
    list_init(&l->note.list);
    return l;
}

/* Most are put in for later than all others: the place is looked for from the end. */
void later_put(struct list *head, struct later *l)
{
    struct list *before = head->prev;
    while (before != head && later_of(before)->at_ns > l->at_ns)
        before = before->prev;
    list_append(before->next, &l->note.list);
}

struct later *later_take_due(struct list *head, int64_t now_ns)
{
    return later_next_ns(head) <= now_ns && !list_is_empty(head) ? later_of(list_take(head)) : NULL;
}

int64_t later_next_ns(const struct list *head)
{
    return list_is_empty(head) ? INT64_MAX : later_of(head->next)->at_ns;
}
