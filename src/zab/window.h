/* window.h: the recent transactions of the log, in memory.
 *
 * What a leader sends to learners that are a little behind, and what waits for its commit. Both
 * roles keep it, so that a follower that becomes leader serves from memory.
 *
 *   base | first ............ end        every transaction of the log behind `base`, in order,
 *                                        without gaps; nothing behind the log's end
 *
 * Entries have a number ("seq") that is never used twice: seq first .. end - 1 are here. Each is
 * kept as the PROPOSAL packet that carries it, and neighbours lie one behind the other in blocks,
 * so that a run of them is one slice. Blocks are recycled: in a steady state nothing is allocated.
 * Slices are valid until the entry is dropped or cut. */
#ifndef CAUCUS_ZAB_WINDOW_H
#define CAUCUS_ZAB_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct window_block;

struct window_entry {
    int64_t zxid;
    uint64_t ticket; /* of the append; 0 = nobody asks for it */
    struct window_block *block;
    uint32_t at, len; /* of the packet in the block */
    bool reconfig;    /* it carries a configuration */
    bool hole;        /* planted: passed over when served (ZAB_FAULT_4925) */
};

struct window {
    struct window_entry *ring;
    size_t cap; /* a power of two, or 0 */
    uint64_t first, end;
    int64_t base; /* zxid in front of the first */
    size_t bytes; /* of the packets */
    struct window_block *head, *tail, *spare;
};

void window_init(struct window *w, int64_t base);
void window_deinit(struct window *w);
void window_reset(struct window *w, int64_t base); /* empty, behind `base` */

/* zxid is behind window_last. Valid until the next append. */
struct window_entry *window_append(struct window *w, int64_t zxid, struct slice entry,
                                   uint64_t ticket);
void window_drop_first(struct window *w);        /* the base moves on */
void window_cut(struct window *w, int64_t zxid); /* what is behind zxid goes */

static inline struct window_entry *window_at(const struct window *w, uint64_t seq)
{
    return &w->ring[seq & (w->cap - 1)];
}

static inline size_t window_count(const struct window *w)
{
    return (size_t)(w->end - w->first);
}

static inline int64_t window_last(const struct window *w)
{
    return w->end > w->first ? window_at(w, w->end - 1)->zxid : w->base;
}

/* zxid of the one in front of `seq` (first <= seq <= end). */
static inline int64_t window_before(const struct window *w, uint64_t seq)
{
    return seq > w->first ? window_at(w, seq - 1)->zxid : w->base;
}

/* The first one behind zxid (end if there is none). O(log n). */
uint64_t window_behind(const struct window *w, int64_t zxid);

struct slice window_packet(const struct window *w, uint64_t seq); /* PROPOSAL, whole */
struct slice window_data(const struct window *w, uint64_t seq);   /* the transaction in it */
/* The packets from `from` on that lie in one piece, up to `to` (from < to). */
struct slice window_run(const struct window *w, uint64_t from, uint64_t to, uint64_t *ret_next);

#endif
