#include "node/fifo.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    ENTRIES_FIRST = 8,
    ENTRIES_KEPT_MAX = 64, /* an empty queue gives back more than this */
    BYTES_KEPT_MAX = 16 * 1024,
};

void fifo_deinit(struct fifo *f)
{
    free(f->entries);
    buf_deinit(&f->bytes);
    *f = (struct fifo){0};
}

static void grow(struct fifo *f)
{
    uint32_t cap = f->cap ? f->cap * 2 : ENTRIES_FIRST;
    struct fifo_entry *entries = mem_alloc(cap * sizeof *entries);
    for (uint32_t i = 0; i < f->count; i++)
        entries[i] = f->entries[(f->head + i) & (f->cap - 1)];
    free(f->entries);
    f->entries = entries;
    f->cap = cap;
    f->head = 0;
}

void fifo_push(struct fifo *f, struct fifo_entry entry, struct slice bytes)
{
    if (f->count == f->cap)
        grow(f);
    entry.at = f->bytes.len;
    entry.len = (uint32_t)bytes.len;
    buf_put_slice(&f->bytes, bytes);
    f->entries[(f->head + f->count) & (f->cap - 1)] = entry;
    f->count++;
}

struct fifo_entry *fifo_head(struct fifo *f)
{
    return f->count ? &f->entries[f->head] : NULL;
}

const struct fifo_entry *fifo_at(const struct fifo *f, uint32_t place)
{
    return place < f->count ? &f->entries[(f->head + place) & (f->cap - 1)] : NULL;
}

struct fifo_entry *fifo_first(struct fifo *f, enum fifo_kind kind)
{
    for (uint32_t i = 0; i < f->count; i++) {
        struct fifo_entry *e = &f->entries[(f->head + i) & (f->cap - 1)];
        if (e->kind == kind)
            return e;
    }
    return NULL;
}

struct slice fifo_bytes(const struct fifo *f, const struct fifo_entry *e)
{
    return buf_part(&f->bytes, e->at, e->len);
}

/* The bytes of popped entries stand before those of the others. They are dropped when the queue
 * runs empty, or moved out when they are the larger part, so that each byte moves at most once on
 * average. */
static void drop_popped_bytes(struct fifo *f)
{
    if (f->count == 0) {
        if (f->bytes.cap > BYTES_KEPT_MAX)
            buf_deinit(&f->bytes);
        buf_clear(&f->bytes);
        return;
    }

    size_t dead = f->entries[f->head].at;
    if (dead < BYTES_KEPT_MAX || dead < f->bytes.len / 2)
        return;
    memmove(f->bytes.ptr, f->bytes.ptr + dead, f->bytes.len - dead);
    f->bytes.len -= dead;
    for (uint32_t i = 0; i < f->count; i++)
        f->entries[(f->head + i) & (f->cap - 1)].at -= dead;
}

void fifo_pop(struct fifo *f)
{
    invariant(f->count > 0);
    f->head = (f->head + 1) & (f->cap - 1);
    f->count--;
    drop_popped_bytes(f);
    if (f->count == 0 && f->cap > ENTRIES_KEPT_MAX) {
        free(f->entries);
        f->entries = NULL;
        f->cap = f->head = 0;
    }
}
