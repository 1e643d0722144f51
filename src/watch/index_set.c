#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "watch/watch_internal.h"

enum {
    CAP_FIRST = 16
};

static void place(struct index_set *s, struct index_slot slot)
{
    size_t at = slot.hash & (s->cap - 1);
    while (s->slots[at].index != NONE)
        at = (at + 1) & (s->cap - 1);
    s->slots[at] = slot;
}

static void grow(struct index_set *s)
{
    struct index_set old = *s;
    s->cap = old.cap ? old.cap * 2 : CAP_FIRST;
    s->slots = mem_alloc(s->cap * sizeof *s->slots);
    memset(s->slots, 0xff, s->cap * sizeof *s->slots); /* every index NONE */
    for (size_t i = 0; i < old.cap; i++) {
        if (old.slots[i].index != NONE)
            place(s, old.slots[i]);
    }
    free(old.slots);
}

void index_set_put(struct index_set *s, uint32_t hash, uint32_t index)
{
    if (s->count + 1 > s->cap - s->cap / 4)
        grow(s);
    place(s, (struct index_slot){hash, index});
    s->count++;
}

/* As map_remove: what stands behind the hole moves up when its home lies at or before it. */
void index_set_remove(struct index_set *s, uint32_t hash, uint32_t index)
{
    size_t mask = s->cap - 1;
    size_t hole = hash & mask;
    while (s->slots[hole].index != index) {
        invariant(s->slots[hole].index != NONE);
        hole = (hole + 1) & mask;
    }
    for (size_t at = (hole + 1) & mask; s->slots[at].index != NONE; at = (at + 1) & mask) {
        size_t home = s->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            s->slots[hole] = s->slots[at];
            hole = at;
        }
    }
    s->slots[hole].index = NONE;
    s->count--;
    if (s->count == 0 && s->cap > CAP_FIRST)
        index_set_deinit(s);
}

void index_set_deinit(struct index_set *s)
{
    free(s->slots);
    *s = (struct index_set){0};
}
