#include "vote/tiles.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

void tiles_deinit(struct tiles *t)
{
    for (int i = 0; i < TILE_LEVELS; i++)
        free(t->levels[i].hashes);
    *t = (struct tiles){.size = 0};
}

static void keep(struct tile_level *l, const struct hash *h)
{
    if (l->count == l->cap) {
        l->cap = l->cap > 0 ? l->cap * 2 : 16;
        l->hashes = mem_realloc(l->hashes, l->cap * sizeof *l->hashes);
    }
    l->hashes[l->count++] = *h;
}

void tiles_push(struct tiles *t, const struct hash *leaf)
{
    struct hash h = *leaf;
    t->size++;
    for (int i = 1; i < TILE_LEVELS; i++) {
        struct merkle *m = &t->levels[i].growing;
        merkle_push(m, &h);
        if (m->size < TILE_WIDTH)
            return;
        h = m->peaks[TILE_LEVEL_BITS];
        *m = (struct merkle){.size = 0};
        keep(&t->levels[i], &h);
    }
}

bool tiles_tile(struct tiles_source *s, int level, uint64_t place, size_t count, struct hash *ret)
{
    invariant(level >= 0 && count >= 1 && count <= TILE_WIDTH);
    const struct tiles *t = s->tiles;
    uint64_t there = level == 0 ? t->size : level < TILE_LEVELS ? t->levels[level].count : 0;
    if (place >= there / TILE_WIDTH + 1 || place * TILE_WIDTH + count > there)
        return false;
    if (level > 0) {
        memcpy(ret, t->levels[level].hashes + place * TILE_WIDTH, count * sizeof *ret);
        return true;
    }
    s->failed = s->failed || !s->leaves(s->arg, place, count, ret);
    return !s->failed;
}

struct hash tiles_hash(void *source, int level, uint64_t place)
{
    struct tiles_source *s = source;
    struct hash tile[TILE_WIDTH];
    struct merkle m = {.size = 0};
    int base = level / TILE_LEVEL_BITS, above = level % TILE_LEVEL_BITS;
    size_t count = (size_t)1 << above;
    uint64_t first = place << above; /* at level `base`, of which 2^above are wanted */
    size_t at = (size_t)(first % TILE_WIDTH);
    if (!tiles_tile(s, base, first / TILE_WIDTH, at + count, tile)) {
        s->failed = true;
        return (struct hash){{0}};
    }
    for (size_t i = 0; i < count; i++)
        merkle_push(&m, &tile[at + i]);
    return m.peaks[above];
}
