/* carry.c: effects are carried out: persist, links, elections, send, close, read, trace; in this
 * order.
 *
 * Sends of one connection leave in one write: straight from the effects' arena when they stand
 * together there (the usual case: one connection's answers), else gathered. When very many
 * connections are told one thing each, several threads do it (io/fan.h). */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "server/server.h"

enum {
    CHAIN_END = UINT32_MAX,
    GATHER_BYTES = 64 * 1024,
    AHEAD = 8, /* peers that are fetched while others are looked at */
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

/* Who is told one thing, on plain TCP with nothing waiting: by several threads. The others stay in
 * `touched`. */
static void send_wide(struct server *s)
{
    struct carry *c = &s->carry;
    struct fan_send *sends = mem_alloc(c->touched_count * sizeof *sends);
    uint32_t count = 0, left = 0;
    for (uint32_t i = 0; i < c->touched_count; i++) {
        if (i + AHEAD < c->touched_count)
            conn_prefetch(c->touched[i + AHEAD]->conn);
        struct peer *p = c->touched[i];
        const struct send_effect *e = &s->fx.sends[p->chain_head];
        if (c->next[p->chain_head] != CHAIN_END || !conn_sends_at_once(p->conn)) {
            c->touched[left++] = p;
            continue;
        }
        p->chain_head = CHAIN_END;
        sends[count++] = (struct fan_send){
            .conn = p->conn,
            .bytes = s->fx.send_bytes.ptr + e->at,
            .len = e->len,
            .fd = p->conn->tcp.fd,
        };
    }
    c->touched_count = left;
    if (c->fan == NULL)
        c->fan = fan_create();
    fan_out(c->fan, sends, count);
    for (uint32_t i = 0; i < count; i++)
        conn_sent(sends[i].conn, sends[i].bytes, sends[i].len, sends[i].sent);
    free(sends);
}

static void carry_sends(struct server *s)
{
    struct effects *fx = &s->fx;
    struct carry *c = &s->carry;
    /* What a ticket promises is durable already when the node emits the reply: it waits with
     * applying, not with sending. */
    if (fx->send_count == 1) {
        const struct send_effect *e = &fx->sends[0];
        invariant(e->after <= s->storage.durable_ticket);
        struct peer *p = clients_find(s, e->client);
        if (p != NULL)
            conn_send(p->conn, fx->send_bytes.ptr + e->at, e->len);
        return;
    }
    if (fx->send_count > c->next_cap) {
        c->next_cap = (uint32_t)fx->send_cap;
        c->next = mem_realloc(c->next, c->next_cap * sizeof *c->next);
    }
    for (uint32_t i = 0; i < fx->send_count; i++) {
        invariant(fx->sends[i].after <= s->storage.durable_ticket);
        if (i + AHEAD < fx->send_count)
            clients_prefetch(s, fx->sends[i + AHEAD].client);
        struct peer *p = clients_find(s, fx->sends[i].client);
        if (p != NULL)
            chain_append(c, p, i);
    }
    if (c->touched_count >= FAN_SENDS_MIN)
        send_wide(s);
    for (uint32_t i = 0; i < c->touched_count; i++)
        send_chain(s, c->touched[i]);
    c->touched_count = 0;
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
