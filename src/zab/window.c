#include "zab/window.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "zab/packet.h"

enum {
    BLOCK_BYTES = 256 * 1024,
    RING_MIN = 64
};

struct window_block {
    struct window_block *next, *prev;
    size_t cap, used;
    uint64_t entries; /* that are still wanted */
    uint8_t bytes[];
};

void window_init(struct window *w, int64_t base)
{
    *w = (struct window){.base = base};
}

static void free_blocks(struct window_block *b)
{
    while (b != NULL) {
        struct window_block *next = b->next;
        free(b);
        b = next;
    }
}

void window_deinit(struct window *w)
{
    free_blocks(w->head);
    free_blocks(w->spare);
    free(w->ring);
    *w = (struct window){0};
}

/* Blocks of the usual size come back; the one of a large transaction does not. */
static void block_retire(struct window *w, struct window_block *b)
{
    if (b->prev != NULL)
        b->prev->next = b->next;
    else
        w->head = b->next;
    if (b->next != NULL)
        b->next->prev = b->prev;
    else
        w->tail = b->prev;

    if (b->cap != BLOCK_BYTES) {
        free(b);
        return;
    }
    b->next = w->spare;
    w->spare = b;
}

static struct window_block *block_for(struct window *w, size_t bytes)
{
    if (w->tail != NULL && w->tail->cap - w->tail->used >= bytes)
        return w->tail;

    struct window_block *b = w->spare;
    if (bytes <= BLOCK_BYTES && b != NULL) {
        w->spare = b->next;
    } else {
        size_t cap = bytes <= BLOCK_BYTES ? (size_t)BLOCK_BYTES : bytes;
        b = mem_alloc(sizeof *b + cap);
        b->cap = cap;
    }
    b->used = 0;
    b->entries = 0;
    b->next = NULL;
    b->prev = w->tail;
    if (w->tail != NULL)
        w->tail->next = b;
    else
        w->head = b;
    w->tail = b;
    return b;
}

static void ring_grow(struct window *w)
{
    size_t cap = w->cap > 0 ? w->cap * 2 : RING_MIN;
    struct window_entry *ring = mem_calloc(cap, sizeof *ring);
    for (uint64_t seq = w->first; seq < w->end; seq++)
        ring[seq & (cap - 1)] = *window_at(w, seq);
    free(w->ring);
    w->ring = ring;
    w->cap = cap;
}

struct window_entry *window_append(struct window *w, int64_t zxid, struct slice entry,
                                   uint64_t ticket)
{
    invariant(zxid > window_last(w));
    invariant(entry.len <= INT32_MAX - PACKET_EMPTY_BYTES);
    if (window_count(w) == w->cap)
        ring_grow(w);

    size_t len = PACKET_EMPTY_BYTES + entry.len;
    struct window_block *b = block_for(w, len);
    uint8_t *p = b->bytes + b->used;
    store_be32(p, PACKET_PROPOSAL);
    store_be64(p + 4, (uint64_t)zxid);
    store_be32(p + 12, (uint32_t)entry.len);
    if (entry.len > 0)
        memcpy(p + PACKET_HEAD_BYTES, entry.ptr, entry.len);
    store_be32(p + PACKET_HEAD_BYTES + entry.len, UINT32_MAX);

    struct window_entry *e = window_at(w, w->end++);
    *e = (struct window_entry){
        .zxid = zxid, .ticket = ticket, .block = b, .at = (uint32_t)b->used, .len = (uint32_t)len};
    b->used += len;
    b->entries++;
    w->bytes += len;
    return e;
}

/* A block nobody refers to goes, except the one that is being filled: it starts again. */
static void entry_release(struct window *w, const struct window_entry *e)
{
    struct window_block *b = e->block;
    w->bytes -= e->len;
    if (--b->entries > 0)
        return;
    if (b == w->tail && b->cap == BLOCK_BYTES)
        b->used = 0;
    else
        block_retire(w, b);
}

void window_drop_first(struct window *w)
{
    const struct window_entry *e = window_at(w, w->first);
    w->base = e->zxid;
    w->first++;
    entry_release(w, e);
}

void window_cut(struct window *w, int64_t zxid)
{
    while (w->end > w->first && window_at(w, w->end - 1)->zxid > zxid) {
        const struct window_entry *e = window_at(w, w->end - 1);
        w->end--;
        if (e->block->entries > 1)
            e->block->used = e->at;
        entry_release(w, e);
    }
    if (w->base > zxid)
        w->base = zxid;
}

void window_reset(struct window *w, int64_t base)
{
    while (w->end > w->first)
        window_drop_first(w);
    w->base = base;
}

uint64_t window_behind(const struct window *w, int64_t zxid)
{
    uint64_t low = w->first, high = w->end;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (window_at(w, middle)->zxid <= zxid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct slice window_packet(const struct window *w, uint64_t seq)
{
    const struct window_entry *e = window_at(w, seq);
    return slice_of(e->block->bytes + e->at, e->len);
}

struct slice window_data(const struct window *w, uint64_t seq)
{
    const struct window_entry *e = window_at(w, seq);
    return slice_of(e->block->bytes + e->at + PACKET_HEAD_BYTES, e->len - PACKET_EMPTY_BYTES);
}

struct slice window_run(const struct window *w, uint64_t from, uint64_t to, uint64_t *ret_next)
{
    struct slice run = window_packet(w, from);
    uint64_t next = from + 1;
    while (next < to && window_packet(w, next).ptr == run.ptr + run.len) {
        run.len += window_at(w, next)->len;
        next++;
    }
    *ret_next = next;
    return run;
}
