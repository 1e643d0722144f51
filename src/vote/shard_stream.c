#include "vote/shard_internal.h"

/* Everything from `index` on is in memory. */
static bool can_send_from(const struct shard *s, uint64_t index)
{
    if (index == log_tip(&s->log)->end)
        return true;
    size_t i = log_entry_at(&s->log, index);
    return i < s->log.count && i >= s->log.bare;
}

static bool agrees(const struct shard *s, uint64_t index, const struct hash *chain)
{
    const struct shard_mark *mark = log_mark(&s->log, index);
    return mark != NULL && hash_eq(&mark->chain, chain) && can_send_from(s, index);
}

static struct message from_leader(const struct shard *s, enum message_type type)
{
    struct message m;
    memset(&m, 0, sizeof m);
    m.type = type;
    m.round = s->log.round;
    m.epoch = s->epoch;
    return m;
}

/* Also when it has just been sent to: what it takes for a stream is over. */
static void send_behind(struct shard *s, struct shard_effects *fx, uint32_t to)
{
    struct message m = from_leader(s, MESSAGE_BEHIND);
    s->peers[to].streaming = false;
    shard_send(fx, to, 0, &m);
}

/* Where two logs that begin alike part cannot be told from their ends; what is committed is alike,
 * and there is not much behind it. */
void stream_hello(struct shard *s, struct shard_effects *fx, uint32_t from)
{
    struct peer *p = &s->peers[from];
    const struct message *h = &p->hello;
    p->streaming = false;
    if (h->round != s->log.round)
        return;
    uint64_t start;
    if (agrees(s, h->index, &h->chain)) {
        start = h->index;
    } else if (agrees(s, h->index2, &h->chain2)) {
        start = h->index2;
    } else { /* it will fetch what it lacks, and say hello again */
        send_behind(s, fx, from);
        return;
    }

    p->streaming = true;
    p->next = p->flow = start;
    p->match = 0;
    struct message m = from_leader(s, MESSAGE_PROBE);
    m.index = start;
    m.chain = log_mark(&s->log, start)->chain;
    shard_send(fx, from, 0, &m);
}

void stream_begin(struct shard *s, struct shard_effects *fx)
{
    for (uint32_t i = 0; i < s->options.members; i++) {
        s->peers[i].streaming = false;
        if (s->peers[i].up && s->peers[i].greeted)
            stream_hello(s, fx, i);
    }
}

/* An ack counts for the log it names, and for no other that is as long. One that speaks of what is
 * not remembered any more, since it is committed, makes room for what follows and counts no copies.
 */
void stream_ack(struct shard *s, uint32_t from, const struct message *m)
{
    struct peer *p = &s->peers[from];
    const struct shard_mark *mark = log_mark(&s->log, m->index);
    bool counts = m->round == s->log.round && m->epoch == s->epoch;
    bool is_old = m->index < s->log.base.end;
    if (!is_old)
        counts = counts && mark != NULL && hash_eq(&mark->chain, &m->chain);
    if (shard_fault(s, SHARD_FAULT_BLIND_ACK))
        counts = mark != NULL;
    if (!counts || !p->streaming)
        return;
    if (!is_old && m->index > p->match)
        p->match = m->index;
    /* What it has from an earlier stream may lie beyond what was sent in this one. */
    uint64_t arrived = m->index < p->next ? m->index : p->next;
    if (arrived > p->flow)
        p->flow = arrived;
}

static void send_to_peer(struct shard *s, struct shard_effects *fx, uint32_t to)
{
    struct peer *p = &s->peers[to];
    uint64_t end = log_tip(&s->log)->end;
    while (p->next < end && p->next - p->flow < s->options.bounds.flow_records) {
        size_t i = log_entry_at(&s->log, p->next);
        if (i >= s->log.count || i < s->log.bare) {
            send_behind(s, fx, to);
            return;
        }
        struct message m = from_leader(s, MESSAGE_APPEND);
        m.bytes = slice_of(s->log.entries[i].bytes, s->log.entries[i].len);
        shard_send(fx, to, 0, &m);
        p->next = s->log.entries[i].mark.end;
    }
}

void stream_send(struct shard *s, struct shard_effects *fx)
{
    for (uint32_t i = 0; i < s->options.members; i++) {
        if (s->peers[i].streaming)
            send_to_peer(s, fx, i);
    }
}
