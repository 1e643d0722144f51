#include "vote/commit.h"

static const uint8_t global_magic[4] = {'C', 'V', 'G', '1'};
static const uint8_t commit_magic[4] = {'C', 'V', 'C', '1'};

enum {
    COMMIT_HEAD_BYTES = 176,
};

void global_encode(const struct global *g, struct buf *b)
{
    uint8_t p[GLOBAL_BYTES] = {0};
    memcpy(p, global_magic, sizeof global_magic);
    store_be32(p + 4, (uint32_t)g->phase);
    store_be64(p + 8, g->round);
    memcpy(p + 16, g->config.bytes, SHA256_BYTES);
    memcpy(p + 48, g->command_id, sizeof g->command_id);
    store_be64(p + 64, (uint64_t)g->opened_ms);
    store_be64(p + 72, (uint64_t)g->closed_ms);
    store_be32(p + 80, g->drain_ms);
    buf_put(b, p, sizeof p);
}

bool global_decode(struct slice bytes, struct global *ret)
{
    const uint8_t *p = bytes.ptr;
    if (bytes.len != GLOBAL_BYTES || memcmp(p, global_magic, sizeof global_magic) != 0 ||
        load_be32(p + 4) >= PHASE_COUNT)
        return false;
    memset(ret, 0, sizeof *ret);
    ret->phase = (enum phase)load_be32(p + 4);
    ret->round = load_be64(p + 8);
    memcpy(ret->config.bytes, p + 16, SHA256_BYTES);
    memcpy(ret->command_id, p + 48, sizeof ret->command_id);
    ret->opened_ms = (int64_t)load_be64(p + 64);
    ret->closed_ms = (int64_t)load_be64(p + 72);
    ret->drain_ms = load_be32(p + 80);
    return true;
}

static size_t cells_of(const struct tally *t)
{
    return (size_t)t->candidates * t->districts;
}

static void loss_encode(const struct loss *l, struct buf *b)
{
    buf_put_i64(b, (int64_t)l->epoch);
    buf_put_i64(b, (int64_t)l->from);
    buf_put_i64(b, (int64_t)l->to);
    buf_put_i64(b, (int64_t)l->batches);
    buf_put(b, l->chain.bytes, SHA256_BYTES);
}

void commit_encode(const struct commit *c, struct buf *b)
{
    uint8_t p[COMMIT_HEAD_BYTES] = {0};
    memcpy(p, commit_magic, sizeof commit_magic);
    store_be32(p + 4, c->leader);
    store_be64(p + 8, c->round);
    store_be64(p + 16, c->epoch);
    store_be64(p + 24, c->seat);
    store_be64(p + 32, c->index);
    store_be64(p + 40, c->bytes);
    store_be64(p + 48, c->batches);
    memcpy(p + 56, c->chain.bytes, SHA256_BYTES);
    memcpy(p + 88, c->root.bytes, SHA256_BYTES);
    store_be32(p + 120, c->holders);
    store_be32(p + 124, (c->sealed ? 1 : 0) | c->loss_count << 8);
    store_be64(p + 128, c->tally.voters);
    store_be32(p + 136, c->tally.candidates);
    store_be32(p + 140, c->tally.districts);
    buf_put(b, p, sizeof p);
    for (size_t i = 0; i < cells_of(&c->tally); i++)
        buf_put_i64(b, (int64_t)c->tally.votes[i]);
    for (uint32_t i = 0; i < c->loss_count; i++)
        loss_encode(&c->losses[i], b);
}

/* The log goes back by each of them, and Commit from the newest on only forward. */
static bool losses_decode(const uint8_t *p, struct commit *c)
{
    uint64_t epoch = 0;
    for (uint32_t i = 0; i < c->loss_count; i++, p += LOSS_BYTES) {
        struct loss *l = &c->losses[i];
        l->epoch = load_be64(p);
        l->from = load_be64(p + 8);
        l->to = load_be64(p + 16);
        l->batches = load_be64(p + 24);
        memcpy(l->chain.bytes, p + 32, SHA256_BYTES);
        if (l->epoch <= epoch || l->epoch > c->epoch || l->from <= l->to || l->batches > l->to)
            return false;
        epoch = l->epoch;
    }
    return c->loss_count == 0 || c->losses[c->loss_count - 1].to <= c->index;
}

static bool tally_decode(const uint8_t *p, size_t len, struct tally *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->voters = load_be64(p + 128);
    ret->candidates = load_be32(p + 136);
    ret->districts = load_be32(p + 140);
    if (ret->candidates == 0 || ret->candidates > CANDIDATES_MAX || ret->districts == 0 ||
        ret->districts > DISTRICTS_MAX || len < COMMIT_HEAD_BYTES + 8 * cells_of(ret))
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < cells_of(ret); i++) {
        ret->votes[i] = load_be64(p + COMMIT_HEAD_BYTES + 8 * i);
        if (__builtin_add_overflow(sum, ret->votes[i], &sum))
            return false;
    }
    return sum == ret->voters;
}

bool commit_decode(struct slice bytes, struct commit *ret)
{
    const uint8_t *p = bytes.ptr;
    struct commit c;
    memset(&c, 0, sizeof c); /* padding too: commits are compared as bytes in tests */
    if (bytes.len < COMMIT_HEAD_BYTES || memcmp(p, commit_magic, sizeof commit_magic) != 0 ||
        !tally_decode(p, bytes.len, &c.tally))
        return false;
    uint32_t flags = load_be32(p + 124);
    size_t counted = COMMIT_HEAD_BYTES + 8 * cells_of(&c.tally);
    c.loss_count = flags >> 8;
    if ((flags & 0xff) > 1 || c.loss_count > LOSSES_MAX ||
        bytes.len != counted + (size_t)LOSS_BYTES * c.loss_count)
        return false;
    c.leader = load_be32(p + 4);
    c.round = load_be64(p + 8);
    c.epoch = load_be64(p + 16);
    c.seat = load_be64(p + 24);
    c.index = load_be64(p + 32);
    c.bytes = load_be64(p + 40);
    c.batches = load_be64(p + 48);
    memcpy(c.chain.bytes, p + 56, SHA256_BYTES);
    memcpy(c.root.bytes, p + 88, SHA256_BYTES);
    c.holders = load_be32(p + 120);
    c.sealed = (flags & 1) != 0;
    if (!losses_decode(p + counted, &c))
        return false;
    *ret = c;
    return true;
}

uint64_t commit_lost(const struct commit *c)
{
    uint64_t lost = 0;
    for (uint32_t i = 0; i < c->loss_count; i++)
        lost += c->losses[i].from - c->losses[i].to;
    return lost;
}

struct hash commit_closing(const struct commit *c)
{
    struct hash h;
    struct sha256 s;
    sha256_begin(&s);
    sha256_add(&s, c->chain.bytes, SHA256_BYTES);
    sha256_add(&s, "CLOSE", 5);
    sha256_end(&s, h.bytes);
    return h;
}

bool commit_same_result(const struct commit *a, const struct commit *b)
{
    return a->round == b->round && a->index == b->index && hash_eq(&a->chain, &b->chain) &&
           hash_eq(&a->root, &b->root) && tally_eq(&a->tally, &b->tally);
}
