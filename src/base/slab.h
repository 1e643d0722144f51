/* slab.h: cells of a few sizes, packed without headers, for trees of millions of small things.
 *
 * Sizes are rounded up to 8 bytes and served from chunks of 32 KiB, one size per chunk; sizes above
 * SLAB_CELL_BYTES_MAX go to malloc. The caller remembers the size of what it holds and says it
 * again when it frees: that is what saves the header. An empty chunk serves any other size (one per
 * size is kept); chunks come from regions of 1 MiB, which go back to the system when they are
 * empty. Cells are 8-aligned and not zeroed. One owner thread. Out of memory: the process stops, as
 * in mem.h. */
#ifndef CAUCUS_BASE_SLAB_H
#define CAUCUS_BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum {
    SLAB_CELL_BYTES_MAX = 1024,
    SLAB_CELL_BYTES_STEP = 8,
    SLAB_CLASSES = SLAB_CELL_BYTES_MAX / SLAB_CELL_BYTES_STEP,
};

struct slab_class {
    struct list partial; /* chunks with a free cell; the first one is served from */
    struct list full;
};

struct slab {
    struct slab_class classes[SLAB_CLASSES];
    struct list regions; /* with a free chunk */
    size_t chunk_bytes;  /* in chunks, used or not */
    size_t large_bytes;  /* in cells above the maximum */
};

void slab_init(struct slab *s);
void slab_deinit(struct slab *s); /* frees every chunk; large cells must have been freed before */

void *slab_alloc(struct slab *s, size_t bytes);           /* bytes > 0 */
void slab_free(struct slab *s, void *cell, size_t bytes); /* the size it was allocated with */

static inline size_t slab_bytes(const struct slab *s)
{
    return s->chunk_bytes + s->large_bytes;
}

#endif
