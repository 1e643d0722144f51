#include "grpc/deadlines.h"

#include <stdlib.h>

#include "base/mem.h"

void deadlines_deinit(struct deadlines *d)
{
    free(d->heap);
    *d = (struct deadlines){NULL, 0, 0};
}

static void put(struct deadlines *d, size_t place, struct deadline *one)
{
    d->heap[place] = one;
    one->place = place;
}

static void rise(struct deadlines *d, struct deadline *one, size_t place)
{
    while (place > 1 && d->heap[place / 2]->at_ms > one->at_ms) {
        put(d, place, d->heap[place / 2]);
        place /= 2;
    }
    put(d, place, one);
}

static void sink(struct deadlines *d, struct deadline *one, size_t place)
{
    for (;;) {
        size_t child = place * 2;
        if (child > d->count)
            break;
        if (child < d->count && d->heap[child + 1]->at_ms < d->heap[child]->at_ms)
            child++;
        if (d->heap[child]->at_ms >= one->at_ms)
            break;
        put(d, place, d->heap[child]);
        place = child;
    }
    put(d, place, one);
}

void deadlines_add(struct deadlines *d, struct deadline *one, int64_t at_ms)
{
    if (d->count + 1 >= d->cap) {
        d->cap = d->cap > 0 ? d->cap * 2 : 16;
        d->heap = mem_realloc(d->heap, d->cap * sizeof(struct deadline *));
    }
    one->at_ms = at_ms;
    rise(d, one, ++d->count);
}

void deadlines_remove(struct deadlines *d, struct deadline *one)
{
    if (one->place == 0)
        return;
    size_t place = one->place;
    struct deadline *last = d->heap[d->count--];
    one->place = 0;
    if (last == one)
        return;
    if (place > 1 && d->heap[place / 2]->at_ms > last->at_ms)
        rise(d, last, place);
    else
        sink(d, last, place);
}

struct deadline *deadlines_first(const struct deadlines *d)
{
    return d->count > 0 ? d->heap[1] : NULL;
}
