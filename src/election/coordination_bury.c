/* coordination_bury.c: LiveNodes of a process that is known to be dead, which would otherwise stand
 * first in line until its session is over.
 *
 * That is safe whoever is mistaken: who leads is decided by Commit's version, and a process that
 * finds its LiveNode gone takes another one, at the end of the queue. A name with its sequence
 * number is never given twice, so a deletion that comes late finds nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "election/coordination_internal.h"

enum {
    SLOT_CREW = STATES_MAX,
};

struct burial {
    struct coordination *c;
    char name[SERVER_NAME_BYTES_MAX];
    uint64_t life;
    uint32_t left; /* lists that were asked for */
};

static bool is_of(const struct burial *b, uint32_t slot, const struct seat_name *n)
{
    if (load_be64(n->process) != b->life)
        return false;
    if (slot == SLOT_CREW)
        return true;
    /* Whoever the life was told by, he tells of himself alone. */
    const struct state_view *v = &b->c->states[slot].view;
    return n->member < b->c->options.replicas && v->members[n->member].known &&
           strcmp(v->members[n->member].server.name, b->name) == 0;
}

static struct coord_path place(const struct coordination *c, uint32_t slot)
{
    return slot == SLOT_CREW ? coord_path(c, "Global/LiveNodes")
                             : coord_state_path(c, (int)slot, "LiveNodes");
}

static void on_listed(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct burial *b = owner;
    for (size_t i = 0; r->rc == 0 && i < r->name_count; i++) {
        struct seat_name n;
        char path[COORD_PATH_BYTES_MAX + SEAT_NAME_BYTES_MAX];
        if (!seat_parse(r->names[i], &n) || !is_of(b, slot, &n))
            continue;
        snprintf(path, sizeof path, "%s/%s", place(b->c, slot).text, r->names[i]);
        coord_delete(b->c, path, (struct coord_done){coord_forget, b->c, 0});
    }
    if (--b->left == 0)
        free(b);
}

void coordination_bury(struct coordination *c, const char *name, uint64_t life)
{
    if (!coord_can_ask(c))
        return; /* its session ends by itself */
    struct burial *b = mem_calloc(1, sizeof *b);
    b->c = c;
    snprintf(b->name, sizeof b->name, "%s", name);
    b->life = life;
    b->left = c->state_count + 1;
    for (uint32_t i = 0; i < c->state_count; i++)
        coord_children(c, place(c, i).text, NULL, (struct coord_done){on_listed, b, i});
    coord_children(c, place(c, SLOT_CREW).text, NULL, (struct coord_done){on_listed, b, SLOT_CREW});
}
