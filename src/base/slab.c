#include "base/slab.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define CELL_FORBID(cell, bytes) ASAN_POISON_MEMORY_REGION(cell, bytes)
#define CELL_ALLOW(cell, bytes)  ASAN_UNPOISON_MEMORY_REGION(cell, bytes)
#else
#define CELL_FORBID(cell, bytes) ((void)0)
#define CELL_ALLOW(cell, bytes)  ((void)0)
#endif

/* A chunk is aligned to its size, so that a cell finds its chunk by masking its own address.
 * malloc puts 16 bytes in front of what it hands out: with the chunk that much shorter, aligned
 * chunks lie side by side; at the full size every second place would be a hole. And 32 KiB rather
 * than 64: for the alignment malloc asks for twice as much, and from 128 KiB on it would map each
 * chunk by itself, a page more for each. */
enum {
    CHUNK_ALIGN_BYTES = 32 * 1024,
    CHUNK_BYTES = CHUNK_ALIGN_BYTES - 16,
};

struct free_cell {
    struct free_cell *next;
};

struct chunk {
    struct list link; /* in partial or full of its class */
    struct free_cell *free;
    uint32_t cell_bytes;
    uint32_t used;
    uint32_t untouched_at; /* bytes from here on were never handed out: not resident yet */
};

static size_t class_of(size_t bytes)
{
    return (bytes - 1) / SLAB_CELL_BYTES_STEP;
}

static struct chunk *chunk_of(void *cell)
{
    return (struct chunk *)(void *)((char *)cell - (uintptr_t)cell % CHUNK_ALIGN_BYTES);
}

static bool chunk_has_room(const struct chunk *c)
{
    return c->free != NULL || c->untouched_at + c->cell_bytes <= CHUNK_BYTES;
}

static struct chunk *chunk_create(struct slab *s, size_t cell_bytes)
{
    void *memory = NULL;
    int rc = posix_memalign(&memory, CHUNK_ALIGN_BYTES, CHUNK_BYTES);
    invariant(rc == 0);

    struct chunk *c = memory;
    *c = (struct chunk){
        .cell_bytes = (uint32_t)cell_bytes,
        .untouched_at = (sizeof(struct chunk) + 7) / 8 * 8,
    };
    CELL_FORBID((char *)memory + sizeof *c, CHUNK_BYTES - sizeof *c);
    s->chunk_bytes += CHUNK_ALIGN_BYTES;
    return c;
}

/* The chunk is in no list any more, or its list goes too. */
static void chunk_destroy(struct slab *s, struct chunk *c)
{
    CELL_ALLOW(c, CHUNK_BYTES);
    free(c);
    s->chunk_bytes -= CHUNK_ALIGN_BYTES;
}

void slab_init(struct slab *s)
{
    *s = (struct slab){0};
    for (size_t i = 0; i < SLAB_CLASSES; i++) {
        list_init(&s->classes[i].partial);
        list_init(&s->classes[i].full);
    }
}

static void chunks_destroy(struct slab *s, const struct list *head)
{
    struct list *next;
    for (struct list *at = head->next; at != head; at = next) {
        next = at->next;
        chunk_destroy(s, list_entry(at, struct chunk, link));
    }
}

void slab_deinit(struct slab *s)
{
    for (size_t i = 0; i < SLAB_CLASSES; i++) {
        chunks_destroy(s, &s->classes[i].partial);
        chunks_destroy(s, &s->classes[i].full);
    }
    slab_init(s);
}

void *slab_alloc(struct slab *s, size_t bytes)
{
    if (bytes > SLAB_CELL_BYTES_MAX) {
        s->large_bytes += bytes;
        return mem_alloc(bytes);
    }

    size_t class = class_of(bytes);
    struct slab_class *sc = &s->classes[class];
    if (list_is_empty(&sc->partial)) {
        struct chunk *fresh = chunk_create(s, (class + 1) * SLAB_CELL_BYTES_STEP);
        list_append(&sc->partial, &fresh->link);
    }

    struct chunk *c = list_entry(sc->partial.next, struct chunk, link);
    void *cell;
    if (c->free != NULL) {
        cell = c->free;
        CELL_ALLOW(cell, c->cell_bytes);
        c->free = c->free->next;
    } else {
        cell = (char *)c + c->untouched_at;
        CELL_ALLOW(cell, c->cell_bytes);
        c->untouched_at += c->cell_bytes;
    }
    c->used++;
    if (!chunk_has_room(c)) {
        list_remove(&c->link);
        list_append(&sc->full, &c->link);
    }
    return cell;
}

void slab_free(struct slab *s, void *cell, size_t bytes)
{
    if (bytes > SLAB_CELL_BYTES_MAX) {
        s->large_bytes -= bytes;
        free(cell);
        return;
    }

    struct slab_class *sc = &s->classes[class_of(bytes)];
    struct chunk *c = chunk_of(cell);
    invariant(c->cell_bytes == (class_of(bytes) + 1) * SLAB_CELL_BYTES_STEP && c->used > 0);

    bool was_full = !chunk_has_room(c);
    struct free_cell *f = cell;
    f->next = c->free;
    c->free = f;
    c->used--;
    CELL_FORBID(cell, c->cell_bytes);

    if (was_full) {
        list_remove(&c->link);
        list_append(&sc->partial, &c->link);
    }
    /* The last chunk of a size stays, so that one cell coming and going costs no system call. */
    bool alone = sc->partial.next == &c->link && sc->partial.prev == &c->link;
    if (c->used == 0 && !alone) {
        list_remove(&c->link);
        chunk_destroy(s, c);
    }
}
