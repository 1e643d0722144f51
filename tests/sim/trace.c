/* trace.c: a run as text, for whoever has to understand a seed. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "wire/dec.h"
#include "world.h"

void world_trace(struct world *w, int who, const char *format, ...)
{
    if (!w->tracing)
        return;
    char text[700];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (w->tell != NULL) {
        w->tell(w, who, text);
        return;
    }
    printf("%10.4f  ", (double)(w->now_ns - 1000000000) / 1e9);
    if (who >= SERVERS_MAX)
        printf("client %d ", who - SERVERS_MAX);
    else if (who >= 0)
        printf("%d: ", who + 1);
    else
        printf("-- ");
    puts(text);
}

static const char *const TRACES[TRACE_TYPE_COUNT] = {
    [TRACE_SESSION_CREATED] = "session created",
    [TRACE_SESSION_CLOSED] = "session closed",
    [TRACE_SESSION_EXPIRED] = "session expired",
    [TRACE_SESSION_REFUSED] = "session refused",
    [TRACE_SESSION_MOVED] = "session moved here",
    [TRACE_SNAPSHOT_BEGIN] = "snapshot begins",
    [TRACE_SNAPSHOT_DONE] = "snapshot done",
    [TRACE_SNAPSHOT_FAILED] = "snapshot failed",
    [TRACE_DIGEST_MISMATCH] = "DIGEST MISMATCH",
    [TRACE_WRITES_REFUSED] = "writes are refused",
    [TRACE_WRITES_ACCEPTED] = "writes are accepted",
    [TRACE_STATE_REPLACED] = "state replaced",
    [TRACE_LOOKING] = "looking, round",
    [TRACE_ELECTED] = "elected:",
    [TRACE_LEADING] = "leading, epoch",
    [TRACE_FOLLOWING] = "following",
    [TRACE_OBSERVING] = "observing",
    [TRACE_SERVING] = "serving, epoch",
    [TRACE_SERVING_READ_ONLY] = "serving read-only",
    [TRACE_ROLE_LOST] = "role lost:",
    [TRACE_LEARNER_SYNCED] = "learner is synchronized:",
    [TRACE_LEARNER_GONE] = "learner is gone:",
    [TRACE_SYNCED_BY] = "synchronized by",
    [TRACE_CONFIG_ACTIVE] = "configuration is active:",
    [TRACE_PEER_REFUSED] = "peer is refused:",
    [TRACE_SESSION_UPGRADED] = "session upgraded",
};

void trace_effect(struct world *w, struct server *v, const struct trace_effect *t)
{
    if (t->type == TRACE_LEADING)
        check_leading(w, v, t->value);
    if (t->type == TRACE_DIGEST_MISMATCH)
        world_violate(w, "server %d: the digest differs at %s", v->index + 1,
                      zxid_text(t->zxid).text);
    if (!w->tracing)
        return;
    const char *what =
        t->type < TRACE_TYPE_COUNT && TRACES[t->type] != NULL ? TRACES[t->type] : "something";
    char session[32] = "", zxid[40] = "";
    if (t->session_id != 0)
        snprintf(session, sizeof session, " session %" PRIx64, (uint64_t)t->session_id);
    if (t->zxid != 0)
        snprintf(zxid, sizeof zxid, " at %s", zxid_text(t->zxid).text);
    world_trace(w, v->index, "%s %lld%s%s%s%s", what, (long long)t->value,
                t->text != NULL ? " " : "", t->text != NULL ? t->text : "", session, zxid);
}

void trace_vote(struct world *w, int from, int to, struct slice bytes)
{
    static const char *const STATES[] = {"looking", "following", "leading", "observing"};
    struct dec d = dec_of(bytes);
    int32_t state = dec_i32(&d);
    int64_t leader = dec_i64(&d), zxid = dec_i64(&d), round = dec_i64(&d), epoch = dec_i64(&d);
    world_trace(w, from, "-> %d vote: %s, for %lld (epoch %lld, %s) in round %lld", to + 1,
                state >= 0 && state < 4 ? STATES[state] : "?", (long long)leader, (long long)epoch,
                zxid_text(zxid).text, (long long)round);
}

/* ---- packets of the quorum port ---- */

static const char *const PACKETS[] = {
    [1] = "REQUEST",
    [2] = "PROPOSAL",
    [3] = "ACK",
    [4] = "COMMIT",
    [5] = "PING",
    [6] = "REVALIDATE",
    [7] = "SYNC",
    [8] = "INFORM",
    [9] = "COMMITANDACTIVATE",
    [10] = "NEWLEADER",
    [11] = "FOLLOWERINFO",
    [12] = "UPTODATE",
    [13] = "DIFF",
    [14] = "TRUNC",
    [15] = "SNAP",
    [16] = "OBSERVERINFO",
    [17] = "LEADERINFO",
    [18] = "ACKEPOCH",
    [19] = "INFORMANDACTIVATE",
};

enum {
    PACKET_PING = 5,
    PACKET_SNAP = 15,
    PACKET_NAMES = sizeof PACKETS / sizeof PACKETS[0],
};

static void drop_front(struct buf *b, size_t bytes)
{
    memmove(b->ptr, b->ptr + bytes, b->len - bytes);
    b->len -= bytes;
}

static bool skip_snapshot(struct buf *b)
{
    static const char END[] = "BenWasHere";
    void *found = b->len > 0 ? memmem(b->ptr, b->len, END, sizeof END - 1) : NULL;
    if (found == NULL)
        return false;
    drop_front(b, (size_t)((uint8_t *)found - b->ptr) + sizeof END - 1);
    return true;
}

static void trace_packet(struct world *w, const struct net_stream *st, int end,
                         const struct rec_quorum_packet *p)
{
    bool named = p->type > 0 && p->type < PACKET_NAMES && PACKETS[p->type] != NULL;
    char touched[256] = "";
    struct dec d = dec_of(p->data);
    for (size_t at = 0; p->type == PACKET_PING && dec_left(&d) >= 12 && at < 200; (void)dec_i32(&d))
        at +=
            (size_t)snprintf(touched + at, sizeof touched - at, " %" PRIx64, (uint64_t)dec_i64(&d));
    if (p->type != PACKET_PING || touched[0] != 0)
        world_trace(w, st->ends[end].who, "-> %d %s %s%s%s", st->ends[!end].who + 1,
                    named ? PACKETS[p->type] : "?", zxid_text(p->zxid).text, touched,
                    st->broken ? " (into nowhere)" : "");
}

void trace_packets(struct world *w, struct net_stream *st, int end, struct slice bytes)
{
    if (!w->tracing)
        return;
    struct buf *b = &st->parsed[end];
    buf_put_slice(b, bytes);
    for (;;) {
        if (st->opaque[end] && !skip_snapshot(b))
            return;
        st->opaque[end] = false;
        struct dec d = dec_of(buf_slice(b));
        struct rec_quorum_packet p;
        if (!rec_get_quorum_packet(&d, &p))
            return;
        trace_packet(w, st, end, &p);
        st->opaque[end] = p.type == PACKET_SNAP;
        drop_front(b, (size_t)(d.at - b->ptr));
    }
}
