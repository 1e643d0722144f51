#include "net.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "world.h"

enum {
    ROOM_BYTES = 4096,
    STREAM_BITS = 20,
};

static const int64_t CONNECT_TIMEOUT_NS = 900000000;

void net_init(struct world *w)
{
    struct net *net = &w->net;
    int64_t base = 20000 + (int64_t)world_random(w, 3) * 400000; /* a rack, a site, a country */
    for (int i = 0; i < ENDPOINTS_MAX; i++)
        net->delay_ns[i] = base + (int64_t)world_random(w, (uint64_t)base * 4);
}

static void stream_clear(struct net_stream *st)
{
    for (int i = 0; i < 2; i++) {
        buf_deinit(&st->pipes[i].bytes);
        buf_deinit(&st->parsed[i]);
    }
    *st = (struct net_stream){.generation = st->generation + 1};
}

void net_deinit(struct world *w)
{
    for (size_t i = 0; i < w->net.stream_count; i++)
        stream_clear(&w->net.streams[i]);
    free(w->net.streams);
    buf_deinit(&w->net.scratch);
}

/* ---- who is cut off from whom ---- */

bool net_blocked(const struct world *w, int from, int to)
{
    return (w->net.blocked[from] >> to & 1) != 0;
}

static void recount_cuts(struct net *net)
{
    memset(net->blocked, 0, sizeof net->blocked);
    for (int i = 0; i < CUTS_MAX; i++) {
        for (int from = 0; net->cuts[i].active && from < ENDPOINTS_MAX; from++)
            net->blocked[from] |= net->cuts[i].to[from];
    }
}

/* ---- streams ---- */

static uint64_t stream_id(const struct world *w, const struct net_stream *st)
{
    return st->generation << STREAM_BITS | (uint64_t)(st - w->net.streams);
}

static struct net_stream *stream_find(const struct world *w, uint64_t id)
{
    size_t slot = id & ((1 << STREAM_BITS) - 1);
    struct net_stream *st = slot < w->net.stream_count ? &w->net.streams[slot] : NULL;
    return st != NULL && st->used && st->generation == id >> STREAM_BITS ? st : NULL;
}

static struct net_stream *stream_new(struct world *w)
{
    struct net *net = &w->net;
    for (size_t i = 0; i < net->stream_count; i++) {
        if (!net->streams[i].used) {
            net->streams[i].used = true;
            return &net->streams[i];
        }
    }
    net->streams = mem_realloc(net->streams, (net->stream_count + 1) * sizeof *net->streams);
    struct net_stream *st = &net->streams[net->stream_count++];
    *st = (struct net_stream){.used = true};
    return st;
}

static struct net_stream *stream_of(const struct world *w, int who, uint64_t number, int *ret_end)
{
    for (size_t i = 0; i < w->net.stream_count; i++) {
        struct net_stream *st = &w->net.streams[i];
        for (int end = 0; st->used && end < 2; end++) {
            if (st->ends[end].who == who && st->ends[end].number == number &&
                st->ends[end].state != END_CLOSED) {
                *ret_end = end;
                return st;
            }
        }
    }
    return NULL;
}

static bool is_over(const struct net_end *end)
{
    return end->state == END_CLOSED || end->state == END_NONE;
}

static void free_if_over(struct net_stream *st)
{
    if (st->used && is_over(&st->ends[0]) && is_over(&st->ends[1]))
        stream_clear(st);
}

static int64_t delay(struct world *w, int from, int to)
{
    int64_t base = w->net.delay_ns[from] + w->net.delay_ns[to];
    int64_t ns = base / 2 + (int64_t)world_random(w, (uint64_t)base);
    if (w->profile.lossy && world_random(w, 200) == 0)
        ns += 200000000; /* a packet was lost and is sent again */
    return ns;
}

static void put_after(struct world *w, int64_t ns, enum event_type type, uint64_t a, uint64_t b)
{
    queue_put(&w->queue,
              (struct event){.at_ns = w->now_ns + ns, .type = type, .who = -1, .a = a, .b = b});
}

uint64_t net_connect(struct world *w, enum stream_kind kind, int from, uint64_t number, int to)
{
    struct net_stream *st = stream_new(w);
    st->kind = kind;
    st->ends[0] = (struct net_end){.who = from, .state = END_OPENING, .number = number};
    st->ends[1] = (struct net_end){.who = to};
    w->net.connects++;
    uint64_t id = stream_id(w, st);
    if (kind == STREAM_CLIENT)
        st->ends[0].number = id;
    put_after(w, delay(w, from, to), EVENT_CONNECT, id, 0);
    put_after(w, CONNECT_TIMEOUT_NS, EVENT_GIVE_UP, id, 0);
    return id;
}

/* ---- telling the owners ---- */

/* Nobody is at the other end; the owner may learn of it later. */
static void doom(struct world *w, struct net_stream *st, int end, int64_t after_ns)
{
    struct net_end *e = &st->ends[end];
    if (e->doomed || is_over(e))
        return;
    e->doomed = true;
    put_after(w, after_ns, EVENT_NOTICE, stream_id(w, st) << 1 | (uint64_t)end, 0);
}

/* Another channel to the same server, which took the place of the one that is closed now? */
static bool has_channel(const struct world *w, int who, int other)
{
    for (size_t i = 0; i < w->net.stream_count; i++) {
        const struct net_stream *st = &w->net.streams[i];
        for (int end = 0; st->used && st->kind == STREAM_ELECTION && end < 2; end++) {
            if (st->ends[end].who == who && st->ends[!end].who == other &&
                st->ends[end].state == END_OPEN)
                return true;
        }
    }
    return false;
}

static void tell_closed(struct world *w, struct net_stream *st, int end)
{
    struct net_end e = st->ends[end];
    enum stream_kind kind = st->kind;
    int other = st->ends[!end].who;
    st->ends[end].state = END_CLOSED;
    free_if_over(st);
    if (e.who >= SERVERS_MAX)
        client_dropped(w, e.who - SERVERS_MAX);
    else if (kind != STREAM_ELECTION || !has_channel(w, e.who, other))
        server_stream_closed(w, e.who, kind, e.number, other);
}

static void want_channel(struct world *w, int a, int b)
{
    int low = a < b ? a : b, high = a < b ? b : a;
    if (w->net.pair_wanted[low][high])
        return;
    w->net.pair_wanted[low][high] = true;
    put_after(w, 5000000 + (int64_t)world_random(w, 120000000), EVENT_CHANNEL,
              (uint64_t)(low * SERVERS_MAX + high), 0);
}

/* What `end` still has in its hands is closed by its own side: nobody there is told. */
static void hang_up(struct world *w, struct net_stream *st, int end)
{
    struct net_pipe *out = &st->pipes[end];
    st->ends[end].state = END_CLOSED;
    st->pipes[!end].start = st->pipes[!end].bytes.len;
    if (!out->finished && !st->broken) {
        out->finished = true;
        /* Behind the last byte, or, as a connection that is reset may, ahead of it. */
        if (world_random(w, 4) == 0)
            doom(w, st, !end, delay(w, st->ends[end].who, st->ends[!end].who));
        else if (st->ends[!end].state != END_NONE)
            put_after(w, delay(w, st->ends[end].who, st->ends[!end].who), EVENT_PIPE,
                      stream_id(w, st) << 1 | (uint64_t)end, out->sent);
    }
    free_if_over(st);
}

void net_close(struct world *w, int who, uint64_t number)
{
    int end;
    struct net_stream *st = stream_of(w, who, number, &end);
    if (st != NULL)
        hang_up(w, st, end);
}

/* When somebody learns that a stream is broken. */
static void doom_by_chance(struct world *w, struct net_stream *st, int end)
{
    switch (world_random(w, 4)) {
    case 0:
    case 1:
        doom(w, st, end, (int64_t)world_random(w, 2000000));
        break;
    case 2:
        doom(w, st, end, (int64_t)world_random(w, 3000) * 1000000);
        break;
    default:
        break; /* half-open */
    }
}

static void forget_unsent(struct world *w, struct net_stream *st, int dir)
{
    struct net_pipe *p = &st->pipes[dir];
    size_t left = p->bytes.len - p->start;
    if (stream_is_link(st->kind) && left > 0) {
        left =
            world_random(w, left + 1); /* some of it still arrives, up to the middle of a packet */
        p->bytes.len = p->start + left;
        p->sent = p->delivered + left;
        if (left > 0)
            put_after(w, 0, EVENT_PIPE, stream_id(w, st) << 1 | (uint64_t)dir, p->sent);
        return;
    }
    p->bytes.len = p->start;
    p->sent = p->delivered;
}

static void break_stream(struct world *w, struct net_stream *st)
{
    if (st->broken)
        return;
    st->broken = true;
    w->net.breaks++;
    for (int end = 0; end < 2; end++) {
        forget_unsent(w, st, end);
        doom_by_chance(w, st, end);
    }
}

void net_owner_gone(struct world *w, int who, bool silent)
{
    for (size_t i = 0; i < w->net.stream_count; i++) {
        struct net_stream *st = &w->net.streams[i];
        for (int end = 0; st->used && end < 2; end++) {
            if (st->ends[end].who != who || is_over(&st->ends[end]))
                continue;
            if (silent && !st->broken) {
                st->broken = true;
                forget_unsent(w, st, end);
            }
            hang_up(w, st, end);
            break;
        }
    }
}

void net_owner_started(struct world *w, int who)
{
    for (int other = 0; other < w->server_count; other++) {
        if (other != who)
            want_channel(w, who, other);
    }
}

/* ---- bytes ---- */

/* Nobody is at the other end, and the owner of this one finds out because it sends: a reset comes
 * back once something can come back. */
static void expect_reset(struct world *w, struct net_stream *st, int end)
{
    struct net_end *e = &st->ends[end];
    if (e->doomed)
        return;
    e->doomed = true;
    put_after(w, delay(w, e->who, st->ends[!end].who), EVENT_NOTICE,
              stream_id(w, st) << 1 | (uint64_t)end, 1);
}

static void stream_send(struct world *w, struct net_stream *st, int end, struct slice bytes)
{
    struct net_pipe *p = &st->pipes[end];
    if (st->broken || st->ends[!end].state == END_CLOSED) {
        expect_reset(w, st, end);
        return;
    }
    if (p->start == p->bytes.len) {
        buf_clear(&p->bytes);
        p->start = 0;
    }
    buf_put_slice(&p->bytes, bytes);
    p->sent += bytes.len;
    int64_t at = w->now_ns + delay(w, st->ends[end].who, st->ends[!end].who);
    if (at < p->last_ns)
        at = p->last_ns;
    p->last_ns = at;
    queue_put(&w->queue, (struct event){.at_ns = at,
                                        .type = EVENT_PIPE,
                                        .who = -1,
                                        .a = stream_id(w, st) << 1 | (uint64_t)end,
                                        .b = p->sent});
}

void net_send(struct world *w, int who, uint64_t number, struct slice bytes)
{
    int end;
    struct net_stream *st = stream_of(w, who, number, &end);
    if (st == NULL || bytes.len == 0)
        return;
    if (stream_is_link(st->kind))
        trace_packets(w, st, end, bytes);
    stream_send(w, st, end, bytes);
}

void net_send_vote(struct world *w, int from, int to, struct slice bytes)
{
    for (size_t i = 0; i < w->net.stream_count; i++) {
        struct net_stream *st = &w->net.streams[i];
        if (!st->used || st->kind != STREAM_ELECTION)
            continue;
        for (int end = 0; end < 2; end++) {
            if (st->ends[end].who != from || st->ends[!end].who != to ||
                st->ends[end].state != END_OPEN)
                continue;
            trace_vote(w, from, to, bytes);
            struct buf frame = {0};
            buf_put_i32(&frame, (int32_t)bytes.len);
            buf_put_slice(&frame, bytes);
            stream_send(w, st, end, buf_slice(&frame));
            buf_deinit(&frame);
            return;
        }
    }
}

static void room_if_empty(struct world *w, struct net_stream *st, int end)
{
    struct net_pipe *p = &st->pipes[end];
    if (!st->ends[end].wants_room || p->bytes.len - p->start > ROOM_BYTES)
        return;
    st->ends[end].wants_room = false;
    put_after(w, 1000, EVENT_ROOM, stream_id(w, st) << 1 | (uint64_t)end, 0);
}

void net_want_room(struct world *w, int who, uint64_t number)
{
    int end;
    struct net_stream *st = stream_of(w, who, number, &end);
    if (st == NULL)
        return;
    st->ends[end].wants_room = true;
    room_if_empty(w, st, end);
}

void net_pause(struct world *w, int who, uint64_t number, bool pause)
{
    int end;
    struct net_stream *st = stream_of(w, who, number, &end);
    if (st == NULL)
        return;
    st->ends[end].deaf = pause;
    if (!pause)
        put_after(w, 0, EVENT_PIPE, stream_id(w, st) << 1 | (uint64_t)!end,
                  st->pipes[!end].arrived);
}

static void hand_over(struct world *w, const struct net_end *to, enum stream_kind kind, int from,
                      struct slice bytes)
{
    if (to->who >= SERVERS_MAX)
        client_receive(w, to->who - SERVERS_MAX, bytes);
    else
        server_stream_bytes(w, to->who, kind, to->number, from, bytes);
}

/* The bytes up to `len` are taken out of the pipe, so that whatever their receiver does leaves them
 * alone. */
static struct slice take_bytes(struct world *w, struct net_pipe *p, size_t len)
{
    buf_clear(&w->net.scratch);
    buf_put(&w->net.scratch, p->bytes.ptr + p->start, len);
    p->start += len;
    p->delivered += len;
    return buf_slice(&w->net.scratch);
}

/* Length of the next whole frame among `arrived` bytes; 0 = none. */
static size_t frame_at(const struct net_pipe *p, size_t arrived)
{
    if (arrived < 4)
        return 0;
    size_t len = 4 + load_be32(p->bytes.ptr + p->start);
    invariant(len <= arrived);
    return len;
}

static void deliver_frames(struct world *w, uint64_t id, int dir, uint64_t upto)
{
    struct net_stream *st;
    while (w->violation[0] == 0 && (st = stream_find(w, id)) != NULL) {
        struct net_pipe *p = &st->pipes[dir];
        struct net_end to = st->ends[!dir];
        if (to.state != END_OPEN || to.deaf || p->delivered >= upto)
            return;
        size_t len = frame_at(p, (size_t)(upto - p->delivered));
        if (len == 0)
            return;
        int from = st->ends[dir].who;
        enum stream_kind kind = st->kind;
        hand_over(w, &to, kind, from, slice_from(take_bytes(w, p, len), 4));
    }
}

static void deliver_bytes(struct world *w, struct net_stream *st, int dir, uint64_t upto)
{
    struct net_pipe *p = &st->pipes[dir];
    if (p->delivered >= upto || st->ends[!dir].state != END_OPEN)
        return;
    size_t len = (size_t)(upto - p->delivered);
    if (len > 1 && world_random(w, 8) == 0) {
        len = 1 + world_random(w, len - 1);
        put_after(w, (int64_t)world_random(w, 300000), EVENT_PIPE,
                  stream_id(w, st) << 1 | (uint64_t)dir, upto);
    }
    struct net_end to = st->ends[!dir];
    int from = st->ends[dir].who;
    struct slice bytes = take_bytes(w, p, len);
    room_if_empty(w, st, dir);
    hand_over(w, &to, STREAM_QUORUM, from, bytes);
}

static void on_pipe(struct world *w, uint64_t id, int dir, uint64_t upto)
{
    struct net_stream *st = stream_find(w, id);
    if (st == NULL || st->ends[!dir].state == END_CLOSED)
        return;
    struct net_pipe *p = &st->pipes[dir];
    if (upto > p->arrived)
        p->arrived = upto;
    if (net_blocked(w, st->ends[dir].who, st->ends[!dir].who) || st->ends[!dir].state == END_NONE ||
        st->ends[!dir].state == END_OPENING) {
        p->stalled = true;
        return;
    }
    if (upto > p->sent)
        upto = p->sent; /* it was broken meanwhile */
    if (stream_is_link(st->kind))
        deliver_bytes(w, st, dir, upto);
    else
        deliver_frames(w, id, dir, upto);

    st = stream_find(w, id);
    if (st != NULL && st->pipes[dir].finished && st->pipes[dir].delivered == st->pipes[dir].sent &&
        st->ends[dir].state == END_CLOSED)
        doom(w, st, !dir, 0);
}

static void restart_stalled(struct world *w, struct net_stream *st)
{
    for (int dir = 0; dir < 2; dir++) {
        struct net_pipe *p = &st->pipes[dir];
        if (!p->stalled)
            continue;
        p->stalled = false;
        put_after(w, (int64_t)world_random(w, 100) * 1000000, EVENT_PIPE,
                  stream_id(w, st) << 1 | (uint64_t)dir, p->arrived);
    }
}

/* ---- cuts ---- */

void net_cut(struct world *w, int slot, const struct net_cut *cut)
{
    w->net.cuts[slot] = *cut;
    w->net.cuts[slot].active = true;
    recount_cuts(&w->net);
    for (size_t i = 0; i < w->net.stream_count; i++) {
        struct net_stream *st = &w->net.streams[i];
        if (!st->used)
            continue;
        int a = st->ends[0].who, b = st->ends[1].who;
        if (((cut->to[a] >> b | cut->to[b] >> a) & 1) != 0 && world_random(w, 2) == 0)
            break_stream(w, st);
    }
}

void net_heal(struct world *w, int slot)
{
    w->net.cuts[slot].active = false;
    recount_cuts(&w->net);
    for (size_t i = 0; i < w->net.stream_count; i++) {
        if (w->net.streams[i].used)
            restart_stalled(w, &w->net.streams[i]);
    }
}

/* Quorum links more often than others: what they carry is what matters. */
void net_break_some(struct world *w)
{
    for (int tries = 0; w->net.stream_count > 0 && tries < 8; tries++) {
        struct net_stream *st = &w->net.streams[world_random(w, w->net.stream_count)];
        if (st->used && (stream_is_link(st->kind) || world_random(w, 4) == 0)) {
            break_stream(w, st);
            return;
        }
    }
}

void net_break_from(struct world *w, int learner)
{
    for (size_t i = 0; i < w->net.stream_count; i++) {
        struct net_stream *st = &w->net.streams[i];
        if (st->used && stream_is_link(st->kind) && st->ends[0].who == learner)
            break_stream(w, st);
    }
}

static bool is_link_between(const struct net_stream *st, int a, int b)
{
    return st->used && stream_is_link(st->kind) &&
           ((st->ends[0].who == a && st->ends[1].who == b) ||
            (st->ends[0].who == b && st->ends[1].who == a));
}

void net_break_between(struct world *w, int a, int b)
{
    for (size_t i = 0; i < w->net.stream_count; i++) {
        struct net_stream *st = &w->net.streams[i];
        if (!is_link_between(st, a, b))
            continue;
        st->broken = true;
        for (int end = 0; end < 2; end++) {
            forget_unsent(w, st, end);
            doom(w, st, end, 0);
        }
    }
}

bool net_linked(const struct world *w, int a, int b)
{
    for (size_t i = 0; i < w->net.stream_count; i++) {
        const struct net_stream *st = &w->net.streams[i];
        if (is_link_between(st, a, b) && !st->broken && st->ends[0].state == END_OPEN &&
            st->ends[1].state == END_OPEN)
            return true;
    }
    return false;
}

/* ---- events ---- */

static bool reachable(const struct world *w, const struct net_stream *st)
{
    int a = st->ends[0].who, b = st->ends[1].who;
    return !net_blocked(w, a, b) && !net_blocked(w, b, a);
}

static void replace_older_channel(struct world *w, int who, int other, const struct net_stream *st)
{
    for (size_t i = 0; i < w->net.stream_count; i++) {
        struct net_stream *old = &w->net.streams[i];
        for (int end = 0; old->used && old != st && end < 2; end++) {
            if (old->kind == STREAM_ELECTION && old->ends[end].who == who &&
                old->ends[!end].who == other && old->ends[end].state == END_OPEN) {
                old->broken = true;
                tell_closed(w, old, end);
                return; /* there is never more than one */
            }
        }
    }
}

static void on_connect(struct world *w, uint64_t id, bool only_accept)
{
    struct net_stream *st = stream_find(w, id);
    if (st == NULL)
        return;
    int from = st->ends[0].who, to = st->ends[1].who;
    if (!only_accept) {
        if (st->ends[0].state != END_OPENING)
            return free_if_over(st);
        if (!reachable(w, st)) {
            put_after(w, 200000000, EVENT_CONNECT, id, 0); /* the request is repeated */
            return;
        }
        if (!server_is_up(w, to)) {
            if (world_random(w, 2) == 0) /* refused; else its machine is off and nothing comes */
                doom(w, st, 0, delay(w, to, from));
            return;
        }
        put_after(w, delay(w, to, from), EVENT_OPENED, id, 0);
        if (w->servers[to].paused_until_ns > w->now_ns) { /* the system accepts all the same */
            put_after(w, w->servers[to].paused_until_ns - w->now_ns, EVENT_CONNECT, id, 1);
            return;
        }
    }
    if (st->ends[1].state != END_NONE)
        return;
    if (!server_is_up(w, to)) {
        doom(w, st, 0, delay(w, to, from));
        return;
    }
    st->ends[1].state = END_OPEN;
    st->ends[1].number = server_next_number(w, to);
    uint64_t number = st->ends[1].number;
    enum stream_kind kind = st->kind;
    if (kind == STREAM_ELECTION)
        replace_older_channel(w, to, from, st);
    server_stream_open(w, to, kind, number, from, true);
    st = stream_find(w, id);
    if (st != NULL)
        restart_stalled(w, st);
}

static void on_opened(struct world *w, uint64_t id)
{
    struct net_stream *st = stream_find(w, id);
    if (st == NULL || st->ends[0].state != END_OPENING)
        return;
    st->ends[0].state = END_OPEN;
    struct net_end e = st->ends[0];
    enum stream_kind kind = st->kind;
    int to = st->ends[1].who;
    if (kind == STREAM_ELECTION)
        replace_older_channel(w, e.who, to, st);
    if (e.who >= SERVERS_MAX)
        client_connected(w, e.who - SERVERS_MAX);
    else
        server_stream_open(w, e.who, kind, e.number, to, false);
    st = stream_find(w, id);
    if (st != NULL)
        restart_stalled(w, st);
}

static void on_give_up(struct world *w, uint64_t id)
{
    struct net_stream *st = stream_find(w, id);
    if (st != NULL && st->ends[0].state == END_OPENING) {
        bool election = st->kind == STREAM_ELECTION;
        int from = st->ends[0].who, to = st->ends[1].who;
        st->broken = true;
        tell_closed(w, st, 0);
        if (election)
            want_channel(w, from, to);
    }
}

static void on_notice(struct world *w, uint64_t id, int end, bool reset)
{
    struct net_stream *st = stream_find(w, id);
    if (st == NULL || is_over(&st->ends[end]))
        return;
    int other = st->ends[!end].who;
    if (reset && (!reachable(w, st) || (other < SERVERS_MAX && !server_is_up(w, other)))) {
        put_after(w, 50000000, EVENT_NOTICE, id << 1 | (uint64_t)end, 1);
        return;
    }
    bool election = st->kind == STREAM_ELECTION;
    int who = st->ends[end].who;
    tell_closed(w, st, end);
    if (election)
        want_channel(w, who, other);
}

static bool channel_is_whole(const struct world *w, int a, int b)
{
    for (size_t i = 0; i < w->net.stream_count; i++) {
        const struct net_stream *st = &w->net.streams[i];
        if (!st->used || st->kind != STREAM_ELECTION)
            continue;
        int x = st->ends[0].who, y = st->ends[1].who;
        bool open = (st->ends[0].state == END_OPEN || st->ends[0].state == END_OPENING) &&
                    st->ends[1].state != END_CLOSED && !st->broken;
        if (((x == a && y == b) || (x == b && y == a)) && open)
            return true;
    }
    return false;
}

static void on_channel(struct world *w, int low, int high)
{
    w->net.pair_wanted[low][high] = false;
    if (!server_is_up(w, low) || !server_is_up(w, high) || channel_is_whole(w, low, high))
        return; /* a server that starts asks again */
    net_connect(w, STREAM_ELECTION, high, server_next_number(w, high), low);
}

static void on_room(struct world *w, uint64_t id, int end)
{
    struct net_stream *st = stream_find(w, id);
    if (st != NULL && st->ends[end].state == END_OPEN && st->ends[end].who < SERVERS_MAX)
        server_stream_room(w, st->ends[end].who, st->ends[end].number);
}

int net_event_server(const struct world *w, const struct event *e)
{
    const struct net_stream *st;
    int who = -1;
    switch (e->type) {
    case EVENT_PIPE:
        st = stream_find(w, e->a >> 1);
        who = st != NULL ? st->ends[!(e->a & 1)].who : -1;
        break;
    case EVENT_NOTICE:
    case EVENT_ROOM:
        st = stream_find(w, e->a >> 1);
        who = st != NULL ? st->ends[e->a & 1].who : -1;
        break;
    case EVENT_OPENED:
    case EVENT_GIVE_UP:
        st = stream_find(w, e->a);
        who = st != NULL ? st->ends[0].who : -1;
        break;
    case EVENT_CONNECT:
        st = e->b == 1 ? stream_find(w, e->a) : NULL;
        who = st != NULL ? st->ends[1].who : -1;
        break;
    default:
        break;
    }
    return who < SERVERS_MAX ? who : -1;
}

void net_event(struct world *w, const struct event *e)
{
    switch (e->type) {
    case EVENT_PIPE:
        on_pipe(w, e->a >> 1, (int)(e->a & 1), e->b);
        break;
    case EVENT_NOTICE:
        on_notice(w, e->a >> 1, (int)(e->a & 1), e->b == 1);
        break;
    case EVENT_CONNECT:
        on_connect(w, e->a, e->b == 1);
        break;
    case EVENT_OPENED:
        on_opened(w, e->a);
        break;
    case EVENT_GIVE_UP:
        on_give_up(w, e->a);
        break;
    case EVENT_ROOM:
        on_room(w, e->a >> 1, (int)(e->a & 1));
        break;
    case EVENT_CHANNEL:
        on_channel(w, (int)e->a / SERVERS_MAX, (int)e->a % SERVERS_MAX);
        break;
    default: {
        bool is_an_event_of_the_network = false;
        invariant(is_an_event_of_the_network);
    }
    }
}
