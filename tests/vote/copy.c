/* copy.c: a shard copied and told apart. Knows its inside, and has to be changed with it. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "vote/shard_internal.h"
#include "world.h"

static void copy_log(struct shard_log *to, const struct shard_log *from)
{
    to->cap = from->count ? from->count : 1;
    to->entries = mem_alloc(to->cap * sizeof *to->entries);
    for (size_t i = 0; i < from->count; i++) {
        to->entries[i] = from->entries[i];
        if (from->entries[i].bytes != NULL)
            to->entries[i].bytes = mem_dup(from->entries[i].bytes, from->entries[i].len);
    }
}

struct shard *shard_copy(const struct shard *s, void *arg)
{
    struct shard *c = mem_dup(s, sizeof *s);
    c->options.arg = arg;
    copy_log(&c->log, &s->log);
    c->voters.cap = c->voters.count;
    c->voters.array = mem_dup(s->voters.array, s->voters.count * sizeof *s->voters.array);
    c->voters.starts =
        mem_dup(s->voters.starts, (s->voters.buckets + 1) * sizeof *s->voters.starts);
    c->count.voters = &c->voters;
    c->open = (struct buf){0};
    buf_put_slice(&c->open, buf_slice(&s->open));
    if (s->recent.slots != NULL)
        c->recent.slots = mem_dup(s->recent.slots, s->recent.cap * sizeof *s->recent.slots);
    c->waiter_cap = s->waiter_count ? s->waiter_count : 1;
    c->waiters = mem_alloc(c->waiter_cap * sizeof *c->waiters);
    if (s->waiter_count > 0)
        memcpy(c->waiters, s->waiters, s->waiter_count * sizeof *s->waiters);
    return c;
}

struct mix {
    uint64_t hash;
};

static void mix(struct mix *m, const void *bytes, size_t len)
{
    m->hash = hash_bytes(bytes, len, m->hash);
}

static void mix_number(struct mix *m, uint64_t n)
{
    m->hash = hash_u64(n, m->hash);
}

static void mix_commit(struct mix *m, const struct commit *c)
{
    struct buf b = {0};
    commit_encode(c, &b);
    mix(m, b.ptr, b.len);
    buf_deinit(&b);
}

/* Timers as what is left of them: clocks of their own would make equal states different. */
static void mix_time(struct mix *m, const struct shard *s, int64_t at)
{
    mix_number(m, at == INT64_MAX ? 1 : at <= s->now_ns ? 0 : (uint64_t)(at - s->now_ns) + 2);
}

static void mix_log(struct mix *m, const struct shard *s)
{
    mix_number(m, s->log.round);
    mix(m, s->log.base.chain.bytes, SHA256_BYTES);
    for (size_t i = 0; i < s->log.count; i++) {
        const struct entry *e = &s->log.entries[i];
        mix(m, e->mark.chain.bytes, SHA256_BYTES);
        mix_number(m, (e->ticket > s->ticket_durable) | (e->bytes == NULL) << 1);
    }
    mix_number(m, s->ticket_last - s->ticket_durable);
    mix(m, s->open.ptr, s->open.len);
}

static void mix_message(struct mix *m, const struct message *message)
{
    struct buf b = {0};
    message_encode(message, &b);
    mix(m, b.ptr, b.len);
    buf_deinit(&b);
}

static void mix_view(struct mix *m, const struct shard *s)
{
    const struct coord_view *v = &s->view;
    mix_number(m, v->global_version);
    mix_number(m, v->commit_version);
    mix_number(m, v->global.round);
    mix_number(m, v->global.phase);
    mix_number(m, v->own_seat);
    mix_number(m, v->has_seal);
    for (size_t i = 0; i < v->live_count; i++)
        mix_number(m, v->live[i].seat << 8 | v->live[i].member);
    mix_commit(m, &s->commit);
}

static void mix_leading(struct mix *m, const struct shard *s)
{
    mix_number(m, s->leading);
    mix_number(m, s->epoch);
    mix_number(m, s->attempted);
    mix_number(m, s->attempted_seat);
    if (s->asked == COORD_COMMIT || s->asked == COORD_TAKEOVER || s->asked == COORD_ADMIT)
        mix_commit(m, &s->proposal);
    for (size_t i = 0; i < s->waiter_count; i++)
        mix_number(m, s->waiters[i].client << 16 | s->waiters[i].index);
    for (uint32_t i = 0; i < s->options.members; i++) {
        const struct peer *p = &s->peers[i];
        mix_number(m, p->up | p->greeted << 1 | p->streaming << 2);
        mix_number(m, p->next << 32 | p->match << 16 | p->flow);
        if (p->greeted)
            mix_message(m, &p->hello);
    }
    if (s->leading) {
        mix_time(m, s, s->commit_at_ns);
        mix_time(m, s, s->batch_at_ns);
        mix_time(m, s, s->progress_ns + s->options.quorum_wait_ns);
    }
}

static void mix_following(struct mix *m, const struct shard *s)
{
    mix_number(m, s->streamed_epoch << 8 | s->streamed_by);
    mix_number(m, (uint64_t)s->greeted);
    if (s->greeted >= 0)
        mix_message(m, &s->greeting);
    mix_number(m, s->fetching);
    mix_number(m, s->fetch_tries);
    mix_number(m, s->fetched);
    mix_number(m, s->diverged_version);
    if (s->fetching)
        mix_time(m, s, s->fetch_until_ns);
    mix_time(m, s,
             s->behind_since_ns == INT64_MAX ? INT64_MAX
                                             : s->behind_since_ns + s->options.quorum_wait_ns);
    mix_time(m, s, s->rejoin_at_ns);
    mix_number(m, (uint64_t)(s->yield_to + 1));
    mix_time(m, s, s->yield_to < 0 ? INT64_MAX : s->yield_until_ns);
    mix_time(m, s, s->moved_at_ns);
    if (s->options.follow_gap_ns > 0)
        mix_time(m, s, s->read_ns + s->options.follow_gap_ns);
}

uint64_t shard_fingerprint(const struct shard *s)
{
    struct mix m = {s->failed != NULL};
    mix_log(&m, s);
    mix_number(&m, s->promised);
    mix_number(&m, s->promised_noted);
    mix_number(&m, s->seen_round << 40 | s->seen_epoch << 20 | s->seen_index);
    mix_number(&m, s->connected | s->stale << 1 | s->known << 2);
    mix_number(&m, s->asked);
    mix_number(&m, s->committed);
    mix_number(&m, s->count.tree.size);
    mix_number(&m, s->superseded ? s->superseder.epoch : 0);
    if (s->admitting)
        mix_number(&m, s->admit_version << 40 | s->admit_kept << 20 | s->admit_lacking);
    mix_view(&m, s);
    mix_leading(&m, s);
    mix_following(&m, s);
    return m.hash;
}
