#include "base/map.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/prefetch.h"

enum {
    MAP_CAP_FIRST = 16
};

static size_t home_of(const struct map *m, uint64_t key)
{
    return hash_u64(key, m->seed) & (m->cap - 1);
}

/* The slot that holds `key`, or the free one where it would go. */
static struct map_slot *slot_for(const struct map *m, uint64_t key)
{
    size_t at = home_of(m, key);
    while (m->slots[at].value != NULL && m->slots[at].key != key)
        at = (at + 1) & (m->cap - 1);
    return &m->slots[at];
}

static void grow(struct map *m)
{
    struct map old = *m;
    m->cap = old.cap ? old.cap * 2 : MAP_CAP_FIRST;
    m->slots = mem_calloc(m->cap, sizeof *m->slots);
    for (size_t i = 0; i < old.cap; i++) {
        if (old.slots[i].value != NULL)
            *slot_for(m, old.slots[i].key) = old.slots[i];
    }
    free(old.slots);
}

void map_init(struct map *m, uint64_t seed)
{
    *m = (struct map){.seed = seed};
}

void map_deinit(struct map *m)
{
    free(m->slots);
    *m = (struct map){.seed = m->seed};
}

void *map_get(const struct map *m, uint64_t key)
{
    return m->count == 0 ? NULL : slot_for(m, key)->value;
}

void map_prefetch(const struct map *m, uint64_t key)
{
    if (m->count > 0)
        prefetch(&m->slots[home_of(m, key)]);
}

void *map_put(struct map *m, uint64_t key, void *value)
{
    invariant(value != NULL);
    if (m->count + 1 > m->cap - m->cap / 4)
        grow(m);

    struct map_slot *slot = slot_for(m, key);
    void *old = slot->value;
    *slot = (struct map_slot){key, value};
    if (old == NULL)
        m->count++;
    return old;
}

/* Linear probing without tombstones: entries behind the hole move up when their home lies at or
 * before it (Knuth, TAOCP volume 3, 6.4, algorithm R). */
void *map_remove(struct map *m, uint64_t key)
{
    if (m->count == 0)
        return NULL;
    struct map_slot *slot = slot_for(m, key);
    void *old = slot->value;
    if (old == NULL)
        return NULL;

    size_t mask = m->cap - 1;
    size_t hole = (size_t)(slot - m->slots);
    for (size_t at = (hole + 1) & mask; m->slots[at].value != NULL; at = (at + 1) & mask) {
        size_t home = home_of(m, m->slots[at].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            m->slots[hole] = m->slots[at];
            hole = at;
        }
    }
    m->slots[hole].value = NULL;
    m->count--;
    return old;
}

void *map_next(const struct map *m, size_t *at)
{
    while (*at < m->cap) {
        void *value = m->slots[(*at)++].value;
        if (value != NULL)
            return value;
    }
    return NULL;
}
