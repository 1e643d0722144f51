/* fifo.h: the requests of one connection that wait for their turn.
 *
 * Replies leave in the order of requests. A write waits for its commit; a read behind it waits as
 * bytes. Empty queues hold no memory beyond a small ring, idle connections none at all. */
#ifndef CAUCUS_NODE_FIFO_H
#define CAUCUS_NODE_FIFO_H

#include <stdint.h>

#include "base/buf.h"

enum fifo_kind {
    FIFO_WRITE, /* waits until zxid is applied; 0 = forwarded to the leader, who will number it */
    FIFO_WAIT,  /* no request: what comes behind it waits until client.waiting is 0 */
    FIFO_SYNC,  /* its record is kept; becomes a FIFO_READ when all that it waits for is applied */
    FIFO_READ,  /* its record is kept */
    FIFO_ERROR, /* the answer is known: err */
    FIFO_HELD,  /* a whole frame that came before the session was there */
};

struct fifo_entry {
    enum fifo_kind kind;
    int32_t op;
    int32_t xid;
    int32_t err;
    int64_t zxid;
    int64_t received_ns;
    int64_t large_bytes; /* counted against largeRequestMaxBytes */
    uint32_t identity_count;
    uint32_t len;
    size_t at; /* in fifo.bytes */
};

struct fifo {
    struct fifo_entry *entries; /* a ring; capacity is a power of two */
    uint32_t head, count, cap;
    struct buf bytes;
};

void fifo_deinit(struct fifo *f);
/* Appends; copies `bytes` (which may be empty). */
void fifo_push(struct fifo *f, struct fifo_entry entry, struct slice bytes);
/* The oldest entry, or NULL. Borrowed until the next push or pop. */
struct fifo_entry *fifo_head(struct fifo *f);
/* The one that many places behind the oldest, or NULL. */
const struct fifo_entry *fifo_at(const struct fifo *f, uint32_t place);
/* The oldest entry of a kind, or NULL. */
struct fifo_entry *fifo_first(struct fifo *f, enum fifo_kind kind);
struct slice fifo_bytes(const struct fifo *f, const struct fifo_entry *e);
void fifo_pop(struct fifo *f);

#endif
