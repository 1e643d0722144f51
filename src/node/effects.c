#include "node/effects.h"

#include <stdlib.h>

#include "base/mem.h"
#include "node/effects_internal.h"

enum {
    ARENA_KEPT_MAX = 4 * 1024 * 1024
};

static void arena_clear(struct buf *b)
{
    if (b->cap > ARENA_KEPT_MAX)
        buf_deinit(b);
    buf_clear(b);
}

void effects_clear(struct effects *fx)
{
    fx->persist_count = fx->send_count = fx->close_count = fx->read_count = fx->trace_count = 0;
    fx->election_count = fx->link_count = 0;
    arena_clear(&fx->persist_bytes);
    arena_clear(&fx->send_bytes);
    if (fx->send_cap * sizeof *fx->sends > ARENA_KEPT_MAX) {
        free(fx->sends);
        fx->sends = NULL;
        fx->send_cap = 0;
    }
}

void effects_deinit(struct effects *fx)
{
    free(fx->persists);
    free(fx->sends);
    free(fx->closes);
    free(fx->reads);
    free(fx->traces);
    free(fx->elections);
    free(fx->links);
    buf_deinit(&fx->persist_bytes);
    buf_deinit(&fx->send_bytes);
    *fx = (struct effects){0};
}

/* Makes room for one more element in an array of `size`-byte elements. */
static void *room(void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    *cap = *cap ? *cap * 2 : 16;
    return mem_realloc(items, *cap * size);
}

void fx_persist(struct effects *fx, struct persist_effect p)
{
    fx->persists = room(fx->persists, fx->persist_count, &fx->persist_cap, sizeof p);
    fx->persists[fx->persist_count++] = p;
}

void fx_send(struct effects *fx, uint64_t client, size_t at, size_t len)
{
    if (fx->send_count > 0) {
        struct send_effect *last = &fx->sends[fx->send_count - 1];
        if (last->client == client && last->at + last->len == at) {
            last->len += len;
            return;
        }
    }
    fx->sends = room(fx->sends, fx->send_count, &fx->send_cap, sizeof *fx->sends);
    fx->sends[fx->send_count++] = (struct send_effect){.client = client, .at = at, .len = len};
}

void fx_close(struct effects *fx, uint64_t client, const char *reason)
{
    fx->closes = room(fx->closes, fx->close_count, &fx->close_cap, sizeof *fx->closes);
    fx->closes[fx->close_count++] = (struct close_effect){client, reason};
}

void fx_read(struct effects *fx, uint64_t client, bool pause)
{
    fx->reads = room(fx->reads, fx->read_count, &fx->read_cap, sizeof *fx->reads);
    fx->reads[fx->read_count++] = (struct read_effect){client, pause};
}

void fx_trace(struct effects *fx, struct trace_effect t)
{
    fx->traces = room(fx->traces, fx->trace_count, &fx->trace_cap, sizeof t);
    fx->traces[fx->trace_count++] = t;
}

void fx_election(struct effects *fx, int64_t sid, struct slice payload)
{
    fx->elections =
        room(fx->elections, fx->election_count, &fx->election_cap, sizeof *fx->elections);
    fx->elections[fx->election_count++] =
        (struct election_effect){.sid = sid, .at = fx->send_bytes.len, .len = payload.len};
    buf_put_slice(&fx->send_bytes, payload);
}

void fx_link(struct effects *fx, struct link_effect l)
{
    fx->links = room(fx->links, fx->link_count, &fx->link_cap, sizeof l);
    fx->links[fx->link_count++] = l;
}
