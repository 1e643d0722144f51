#include "queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

static bool before(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->seq < b->seq;
}

void queue_put(struct queue *q, struct event e)
{
    if (q->count == q->cap) {
        q->cap = q->cap > 0 ? q->cap * 2 : 256;
        q->items = mem_realloc(q->items, q->cap * sizeof *q->items);
    }
    e.seq = q->next_seq++;
    size_t i = q->count++;
    while (i > 0 && before(&e, &q->items[(i - 1) / 2])) {
        q->items[i] = q->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    q->items[i] = e;
}

bool queue_take(struct queue *q, struct event *ret)
{
    if (q->count == 0)
        return false;
    *ret = q->items[0];
    struct event last = q->items[--q->count];
    size_t i = 0;
    for (;;) {
        size_t child = i * 2 + 1;
        if (child >= q->count)
            break;
        if (child + 1 < q->count && before(&q->items[child + 1], &q->items[child]))
            child++;
        if (!before(&q->items[child], &last))
            break;
        q->items[i] = q->items[child];
        i = child;
    }
    q->items[i] = last;
    return true;
}

void queue_deinit(struct queue *q)
{
    free(q->items);
    *q = (struct queue){0};
}

static size_t slot_of(const struct numbers *t, uint64_t key)
{
    size_t i = hash_u64(key, 0) & (t->cap - 1);
    while (t->keys[i] != UINT64_MAX && t->keys[i] != key)
        i = (i + 1) & (t->cap - 1);
    return i;
}

static void grow(struct numbers *t)
{
    struct numbers old = *t;
    t->cap = old.cap > 0 ? old.cap * 2 : 64;
    t->count = 0;
    t->keys = mem_alloc(t->cap * sizeof *t->keys);
    t->values = mem_alloc(t->cap * sizeof *t->values);
    memset(t->keys, 0xff, t->cap * sizeof *t->keys);
    for (size_t i = 0; i < old.cap; i++) {
        if (old.keys[i] != UINT64_MAX)
            numbers_put(t, old.keys[i], old.values[i]);
    }
    numbers_deinit(&old);
}

void numbers_put(struct numbers *t, uint64_t key, uint64_t value)
{
    if (t->count * 2 >= t->cap)
        grow(t);
    size_t i = slot_of(t, key);
    if (t->keys[i] == UINT64_MAX)
        t->count++;
    t->keys[i] = key;
    t->values[i] = value;
}

bool numbers_get(const struct numbers *t, uint64_t key, uint64_t *ret_value)
{
    if (t->cap == 0)
        return false;
    size_t i = slot_of(t, key);
    if (t->keys[i] == UINT64_MAX)
        return false;
    *ret_value = t->values[i];
    return true;
}

void numbers_deinit(struct numbers *t)
{
    free(t->keys);
    free(t->values);
    *t = (struct numbers){0};
}
