/* map.h: 64-bit keys to pointers, open addressing.
 *
 * For tables of things that have an id (sessions, clients). Any key is allowed; values are not
 * NULL and are not owned. The order of iteration depends on seed and history only, never on
 * addresses; callers whose order is visible outside must sort or keep a list beside the map. */
#ifndef CAUCUS_BASE_MAP_H
#define CAUCUS_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
    uint64_t key;
    void *value; /* NULL = free */
};

struct map {
    struct map_slot *slots;
    size_t cap; /* a power of two, or 0 */
    size_t count;
    uint64_t seed;
};

void map_init(struct map *m, uint64_t seed);
void map_deinit(struct map *m);
void *map_get(const struct map *m, uint64_t key);        /* NULL = absent */
void *map_put(struct map *m, uint64_t key, void *value); /* returns the value it replaced */
void *map_remove(struct map *m, uint64_t key);           /* returns what was there */

/* Fetches the line in which map_get looks for `key` first. */
void map_prefetch(const struct map *m, uint64_t key);

/* Iteration: *at starts at 0; NULL at the end. The map must not change meanwhile. */
void *map_next(const struct map *m, size_t *at);

#endif
