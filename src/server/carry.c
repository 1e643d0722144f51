/* carry.c: effects are carried out: persist, links, elections, send, close, read, trace; in this
 * order.
 *
 * Sends of one connection leave in one write: straight from the effects' arena when they stand
 * together there (the usual case: one connection's answers), else gathered. When a crowd is told
 * one thing, several threads do it (io/fan.h). */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "server/server.h"

enum {
    CHAIN_END = UINT32_MAX,
    GATHER_BYTES = 64 * 1024,
    AHEAD = 4, /* members of a crowd that are fetched while others are sent to */
};

/* ---- sends ---- */

static void chain_append(struct carry *c, struct peer *p, uint32_t index)
{
    c->next[index] = CHAIN_END;
    if (p->chain_head != CHAIN_END) {
        c->next[p->chain_tail] = index;
        p->chain_tail = index;
        return;
    }
    p->chain_head = p->chain_tail = index;
    if (c->touched_count == c->touched_cap) {
        c->touched_cap = c->touched_cap > 0 ? c->touched_cap * 2 : 64;
        c->touched = mem_realloc(c->touched, c->touched_cap * sizeof *c->touched);
    }
    c->touched[c->touched_count++] = p;
}

static void send_chain(struct server *s, struct peer *p)
{
    struct carry *c = &s->carry;
    size_t gathered = 0;
    for (uint32_t i = p->chain_head; i != CHAIN_END; i = c->next[i]) {
        const struct send_effect *e = &s->fx.sends[i];
        const uint8_t *bytes = s->fx.send_bytes.ptr + e->at;
        if (gathered + e->len > GATHER_BYTES) {
            conn_send(p->conn, c->gather, gathered);
            gathered = 0;
        }
        if (e->len > GATHER_BYTES || (gathered == 0 && c->next[i] == CHAIN_END)) {
            conn_send(p->conn, bytes, e->len);
            continue;
        }
        memcpy(c->gather + gathered, bytes, e->len);
        gathered += e->len;
    }
    conn_send(p->conn, c->gather, gathered);
    p->chain_head = CHAIN_END;
}

/* A crowd: sends in a row of one frame, each to another client (whoever watches a znode is told
 * once). */
struct crowd {
    struct server *s;
    const struct send_effect *sends;
    size_t count;
    const uint8_t *bytes;
    ssize_t *tried;
};

/* Memory of the watchers that nobody has touched for long is fetched in two steps. */
static void crowd_prefetch(const struct crowd *w, size_t i)
{
    if (i + 2 * AHEAD < w->count)
        clients_prefetch(w->s, w->sends[i + 2 * AHEAD].client);
    if (i + AHEAD < w->count) {
        const struct peer *p = clients_find(w->s, w->sends[i + AHEAD].client);
        if (p != NULL)
            conn_prefetch(p->conn);
    }
}

static void tell_one(void *arg, size_t i)
{
    const struct crowd *w = arg;
    const struct send_effect *e = &w->sends[i];
    crowd_prefetch(w, i);
    const struct peer *p = clients_find(w->s, e->client);
    w->tried[i] = p != NULL ? conn_try_send(p->conn, w->bytes, e->len) : (ssize_t)e->len;
}

static void send_crowd(struct server *s, const struct send_effect *sends, size_t count)
{
    struct crowd w = {
        .s = s,
        .sends = sends,
        .count = count,
        .bytes = s->fx.send_bytes.ptr + sends->at,
        .tried = mem_alloc(count * sizeof *w.tried),
    };
    if (s->carry.fan == NULL)
        s->carry.fan = fan_create();
    fan_out(s->carry.fan, count, tell_one, &w);
    for (size_t i = 0; i < count; i++) {
        if (w.tried[i] != (ssize_t)sends[i].len)
            conn_sent(clients_find(s, sends[i].client)->conn, w.bytes, sends[i].len, w.tried[i]);
    }
    free(w.tried);
}

static void send_gathered(struct server *s, size_t from, size_t until)
{
    struct carry *c = &s->carry;
    if (until > c->next_cap) {
        c->next_cap = (uint32_t)s->fx.send_cap;
        c->next = mem_realloc(c->next, c->next_cap * sizeof *c->next);
    }
    for (size_t i = from; i < until; i++) {
        struct peer *p = clients_find(s, s->fx.sends[i].client);
        if (p != NULL)
            chain_append(c, p, (uint32_t)i);
    }
    for (uint32_t i = 0; i < c->touched_count; i++)
        send_chain(s, c->touched[i]);
    c->touched_count = 0;
}

/* How many from here on are of one frame. */
static size_t crowd_at(const struct effects *fx, size_t from)
{
    size_t i = from + 1;
    while (i < fx->send_count && fx->sends[i].at == fx->sends[from].at)
        i++;
    return i - from;
}

/* How many are the one crowd of these sends, and from where on, if they are little else: where the
 * same clients are told much, fewer and longer writes are better than more hands. Otherwise none
 * from 0 on. */
static size_t find_crowd(const struct effects *fx, size_t *ret_from)
{
    *ret_from = 0;
    for (size_t i = 0, count; i < fx->send_count; i += count) {
        count = crowd_at(fx, i);
        if (count >= FAN_SENDS_MIN && fx->send_count - count <= count / 8) {
            *ret_from = i;
            return count;
        }
    }
    return 0;
}

static void carry_sends(struct server *s)
{
    struct effects *fx = &s->fx;
    /* What a ticket promises is durable already when the node emits the reply: it waits with
     * applying, not with sending. */
    for (size_t i = 0; i < fx->send_count; i++)
        invariant(fx->sends[i].after <= s->storage.durable_ticket);
    if (fx->send_count == 1) {
        const struct send_effect *e = &fx->sends[0];
        struct peer *p = clients_find(s, e->client);
        if (p != NULL)
            conn_send(p->conn, fx->send_bytes.ptr + e->at, e->len);
        return;
    }
    size_t from;
    size_t count = find_crowd(fx, &from);
    if (count > 0) {
        send_gathered(s, 0, from);
        send_crowd(s, fx->sends + from, count);
        from += count;
    }
    send_gathered(s, from, fx->send_count);
}

/* ---- the rest ---- */

static void carry_closes(struct server *s)
{
    struct carry *c = &s->carry;
    for (size_t i = 0; i < s->fx.close_count; i++) {
        const struct close_effect *e = &s->fx.closes[i];
        struct peer *p = clients_find(s, e->client);
        if (p == NULL)
            continue;
        if (c->closed_count == c->closed_cap) {
            c->closed_cap = c->closed_cap > 0 ? c->closed_cap * 2 : 16;
            c->closed = mem_realloc(c->closed, c->closed_cap * sizeof *c->closed);
        }
        c->closed[c->closed_count++] = e->client;
        clients_close(s, p, e->reason);
    }
}

static void carry_reads(struct server *s)
{
    for (size_t i = 0; i < s->fx.read_count; i++) {
        struct peer *p = clients_find(s, s->fx.reads[i].client);
        if (p == NULL)
            continue;
        if (s->fx.reads[i].pause)
            conn_pause(p->conn, PEER_PAUSE_NODE);
        else
            conn_resume(p->conn, PEER_PAUSE_NODE);
    }
}

static void carry_once(struct server *s)
{
    struct effects *fx = &s->fx;
    for (size_t i = 0; i < fx->persist_count; i++)
        storage_persist(s, &fx->persists[i]);
    if (fx->link_count > 0)
        membership_carry_links(s);
    if (fx->election_count > 0)
        membership_carry_elections(s);
    if (fx->send_count > 0)
        carry_sends(s);
    if (fx->close_count > 0)
        carry_closes(s);
    if (fx->read_count > 0)
        carry_reads(s);
    for (size_t i = 0; i < fx->trace_count; i++)
        server_trace(s, &fx->traces[i]);
    effects_clear(fx);
}

void server_carry_out(struct server *s)
{
    struct carry *c = &s->carry;
    invariant(!c->running);
    c->running = true;
    if (c->gather == NULL)
        c->gather = mem_alloc(GATHER_BYTES);
    for (;;) {
        carry_once(s);
        if (c->closed_count == 0)
            break;
        /* Their watches and sessions are let go, which may have effects of its own. */
        uint32_t count = c->closed_count;
        for (uint32_t i = 0; i < count; i++)
            server_step(s,
                        &(struct node_event){.type = NODE_CLIENT_CLOSED, .client = c->closed[i]});
        c->closed_count = 0;
    }
    c->running = false;
}

void carry_deinit(struct carry *c)
{
    free(c->next);
    free(c->touched);
    free(c->closed);
    free(c->gather);
    fan_destroy(c->fan);
    *c = (struct carry){0};
}
