#include <stdlib.h>

#include "base/mem.h"
#include "vote/shard_internal.h"

static void *grown(void *array, size_t count, size_t *cap, size_t item)
{
    if (count < *cap)
        return array;
    *cap = *cap ? *cap * 2 : 8;
    return mem_realloc(array, *cap * item);
}

void shard_effects_clear(struct shard_effects *fx)
{
    fx->persist_count = fx->send_count = fx->answer_count = 0;
    fx->coord.type = COORD_NOTHING;
    fx->admitted = ADMIT_NOTHING;
    fx->drop_peers = 0;
    fx->failed = NULL;
    fx->deadline_ns = INT64_MAX;
    buf_clear(&fx->bytes);
}

void shard_effects_deinit(struct shard_effects *fx)
{
    free(fx->persists);
    free(fx->sends);
    free(fx->answers);
    buf_deinit(&fx->bytes);
    memset(fx, 0, sizeof *fx);
}

uint64_t shard_persist(struct shard *s, struct shard_effects *fx, enum shard_persist_type type,
                       uint64_t value, struct slice bytes)
{
    fx->persists = grown(fx->persists, fx->persist_count, &fx->persist_cap, sizeof *fx->persists);
    struct shard_persist *p = &fx->persists[fx->persist_count++];
    *p =
        (struct shard_persist){.type = type, .value = value, .at = fx->bytes.len, .len = bytes.len};
    buf_put_slice(&fx->bytes, bytes);
    if (type == SHARD_PERSIST_SEEN) {
        p->round = s->seen_round;
        p->epoch = s->seen_epoch;
    } else {
        p->ticket = ++s->ticket_last;
    }
    return p->ticket;
}

static struct shard_send *send_to(struct shard_effects *fx, uint32_t to, uint64_t after,
                                  const struct message *m)
{
    fx->sends = grown(fx->sends, fx->send_count, &fx->send_cap, sizeof *fx->sends);
    struct shard_send *send = &fx->sends[fx->send_count++];
    *send = (struct shard_send){.member = to, .after = after, .at = fx->bytes.len};
    message_encode(m, &fx->bytes);
    send->len = fx->bytes.len - send->at;
    return send;
}

void shard_send(struct shard_effects *fx, uint32_t to, uint64_t after, const struct message *m)
{
    send_to(fx, to, after, m);
}

void shard_send_log(struct shard_effects *fx, uint32_t to, const struct message *m, uint64_t until)
{
    struct shard_send *send = send_to(fx, to, 0, m);
    send->round = m->round;
    send->log_from = m->index;
    send->log_until = until;
}

void shard_answer_receipt(struct shard_effects *fx, uint64_t client, enum answer_type type,
                          const struct receipt *r)
{
    fx->answers = grown(fx->answers, fx->answer_count, &fx->answer_cap, sizeof *fx->answers);
    struct answer *a = &fx->answers[fx->answer_count++];
    memset(a, 0, sizeof *a);
    a->client = client;
    a->type = type;
    a->leader = -1;
    if (r != NULL)
        a->receipt = *r;
}

void shard_answer(struct shard *s, struct shard_effects *fx, uint64_t client, enum answer_type type)
{
    shard_answer_receipt(fx, client, type, NULL);
    if (type == ANSWER_CLOSED)
        fx->answers[fx->answer_count - 1].receipt.round =
            s->leading ? s->log.round : s->view.global.round;
    if (type == ANSWER_NOT_LEADER)
        fx->answers[fx->answer_count - 1].leader = view_leader(s);
}

void shard_fail(struct shard *s, const char *why)
{
    if (s->failed == NULL)
        s->failed = why;
}
