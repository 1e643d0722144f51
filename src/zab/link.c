/* Bytes into packets: what came is consumed from where it lies; only the rest of a packet that is
 * not complete, or of a link whose turn has not come, is kept. */
#include <stdlib.h>

#include "base/mem.h"
#include "zab/zab_internal.h"

void link_free(struct zab_link *l)
{
    buf_deinit(&l->in);
    free(l);
}

static size_t packet_bytes_max(const struct zab *z)
{
    return z->options.packet_bytes_max;
}

static void dispatch(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    l->heard_ns = z->now_ns;
    if (l->inbound)
        lead_packet(z, l, p);
    else
        follow_packet(z, l, p);
}

static void malformed(struct zab *z, struct zab_link *l)
{
    zab_trace(z, ZAB_TRACE_REFUSED, l->sid, 0, 0, "malformed packet");
    if (l->inbound)
        link_drop(z, l, "malformed packet");
    else
        zab_lose(z, "malformed packet from the leader");
}

static bool may_consume(const struct zab *z, const struct zab_link *l)
{
    return !l->gone && !l->held && !z->over && (l->inbound ? zab_serves_learners(z) : true);
}

/* How many of the bytes were consumed. */
static size_t consume(struct zab *z, struct zab_link *l, struct slice bytes)
{
    size_t at = 0;
    l->need = 0;
    while (may_consume(z, l) && at < bytes.len) {
        struct slice rest = slice_from(bytes, at);
        if (follow_wants_raw(z, l)) {
            enum learner_phase before = z->follow.phase;
            size_t used = follow_snap_bytes(z, l, rest);
            if (used == SIZE_MAX || (used == 0 && z->follow.phase == before))
                break;
            at += used;
            continue;
        }

        struct rec_quorum_packet p;
        size_t used = 0;
        enum packet_scan scan = packet_scan(rest, packet_bytes_max(z), &p, &used);
        if (scan == PACKET_MALFORMED) {
            malformed(z, l);
            break;
        }
        if (scan == PACKET_MORE) {
            l->need = used;
            break;
        }
        at += used;
        dispatch(z, l, &p);
    }
    return at;
}

/* A link whose bytes wait must not grow without end. */
static void check_held(struct zab *z, struct zab_link *l)
{
    if (l->gone || z->over)
        return;
    size_t held_max =
        l->state == LEARNER_NEW ? NEW_HELD_MAX : INBOUND_HELD_MAX + packet_bytes_max(z);
    if (l->inbound && l->in.len > held_max)
        link_drop(z, l, "sent too much too early");
    else if (!l->inbound && l->held && l->in.len > z->options.pinned_bytes_max)
        zab_lose(z, "the leader sent more than can wait for the disk");
    else if (!l->inbound && !l->held && l->in.len > packet_bytes_max(z) + BURST_BYTES)
        zab_lose(z, "malformed snapshot from the leader");
}

static void keep(struct zab_link *l, struct slice rest)
{
    buf_clear(&l->in);
    buf_put_slice(&l->in, rest);
}

/* Consumes from the start of `in`, keeps the rest. */
static void consume_kept(struct zab *z, struct zab_link *l)
{
    size_t used = consume(z, l, buf_slice(&l->in));
    if (used == 0)
        return;
    memmove(l->in.ptr, l->in.ptr + used, l->in.len - used);
    l->in.len -= used;
}

static void leave(struct zab_link *l)
{
    if (--l->busy == 0 && l->gone)
        link_free(l);
}

void link_feed(struct zab *z, struct zab_link *l, struct slice bytes)
{
    l->busy++;
    if (l->in.len == 0 && may_consume(z, l)) {
        size_t used = consume(z, l, bytes);
        if (!l->gone)
            keep(l, slice_from(bytes, used));
    } else {
        buf_put_slice(&l->in, bytes);
        if (may_consume(z, l) && l->in.len >= l->need)
            consume_kept(z, l);
    }
    check_held(z, l);
    leave(l);
}

void link_hold(struct zab *z, struct zab_link *l)
{
    l->held = true;
    if (!l->paused && z->host.pause != NULL) {
        l->paused = true;
        z->host.pause(z->host.arg, l->id, true);
    }
}

void link_resume(struct zab *z, struct zab_link *l)
{
    l->held = false;
    l->heard_ns = z->now_ns;
    if (l->paused) {
        l->paused = false;
        z->host.pause(z->host.arg, l->id, false);
    }
    if (l->busy > 0) /* whoever looks at its bytes goes on */
        return;
    l->busy++;
    consume_kept(z, l);
    leave(l);
}
