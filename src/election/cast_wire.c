/* cast_wire.c: votes and their answers between servers. A voter is a pseudonym there; integers are
 * big-endian.
 *
 *   CAST    id u64 | state u16 | pseudonym 16 | candidate u16 | request id 16
 *           | expected revision u8 | milliseconds left u32 | round u64
 *   ANSWER  id u64 | type u8 | leader i32 | round u64 | epoch u64 | index u64 | revision u8
 *           | leaf 32 | version of Commit u64 | size of the tree u64 | root 32 */
#include "election/service_internal.h"

enum {
    CAST_BYTES = 8 + 2 + PSEUDONYM_BYTES + 2 + REQUEST_ID_BYTES + 1 + 4 + 8,
    ANSWER_BYTES = 8 + 1 + 4 + 3 * 8 + 1 + SHA256_BYTES + 2 * 8 + SHA256_BYTES,
};

static void store_be16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static uint32_t load_be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

void cast_send(struct service *s, struct link *to, const struct casting *c)
{
    uint8_t b[CAST_BYTES], *p = b;
    int64_t left_ms = (c->deadline_ns - service_now_ns(s)) / 1000000 + 1;
    store_be64(p, c->ballot.client);
    store_be16(p + 8, (uint32_t)c->state);
    memcpy(p + 10, c->ballot.voter.bytes, PSEUDONYM_BYTES);
    p += 10 + PSEUDONYM_BYTES;
    store_be16(p, c->ballot.candidate);
    memcpy(p + 2, c->ballot.request.bytes, REQUEST_ID_BYTES);
    p += 2 + REQUEST_ID_BYTES;
    p[0] = c->ballot.expect_revision;
    store_be32(p + 1, left_ms > 0 ? (uint32_t)left_ms : 1);
    store_be64(p + 5, c->ballot.round);
    link_send(to, FRAME_CAST, slice_of(b, sizeof b), slice_str(""));
}

void cast_on_frame(struct service *s, struct link *from, struct slice body)
{
    if (body.len != CAST_BYTES) {
        link_cut(from, "a vote of a wrong size");
        return;
    }
    const uint8_t *p = body.ptr;
    struct ballot ballot = {0};
    uint64_t id = load_be64(p);
    uint32_t state = load_be16(p + 8);
    memcpy(ballot.voter.bytes, p + 10, PSEUDONYM_BYTES);
    p += 10 + PSEUDONYM_BYTES;
    ballot.candidate = (uint16_t)load_be16(p);
    memcpy(ballot.request.bytes, p + 2, REQUEST_ID_BYTES);
    p += 2 + REQUEST_ID_BYTES;
    ballot.expect_revision = p[0];
    ballot.round = load_be64(p + 5);
    if (state >= s->definition->info.state_count)
        link_cut(from, "a vote for no state");
    else
        cast_forwarded(s, from, id, (int)state, &ballot, load_be32(p + 1));
}

void cast_send_answer(struct link *to, uint64_t id, const struct answer *a)
{
    uint8_t b[ANSWER_BYTES], *p = b;
    const struct receipt *r = &a->receipt;
    store_be64(p, id);
    p[8] = (uint8_t)a->type;
    store_be32(p + 9, (uint32_t)a->leader);
    store_be64(p + 13, r->round);
    store_be64(p + 21, r->epoch);
    store_be64(p + 29, r->index);
    p[37] = r->revision;
    memcpy(p + 38, r->leaf.bytes, SHA256_BYTES);
    p += 38 + SHA256_BYTES;
    store_be64(p, r->commit_version);
    store_be64(p + 8, r->tree_size);
    memcpy(p + 16, r->root.bytes, SHA256_BYTES);
    link_send(to, FRAME_ANSWER, slice_of(b, sizeof b), slice_str(""));
}

void cast_on_answer(struct service *s, struct link *from, struct slice body)
{
    if (body.len != ANSWER_BYTES || body.ptr[8] >= ANSWER_TYPE_END) {
        link_cut(from, "an answer that is none");
        return;
    }
    const uint8_t *p = body.ptr;
    struct answer a = {.client = load_be64(p), .type = p[8], .leader = (int32_t)load_be32(p + 9)};
    struct receipt *r = &a.receipt;
    r->round = load_be64(p + 13);
    r->epoch = load_be64(p + 21);
    r->index = load_be64(p + 29);
    r->revision = p[37];
    memcpy(r->leaf.bytes, p + 38, SHA256_BYTES);
    p += 38 + SHA256_BYTES;
    r->commit_version = load_be64(p);
    r->tree_size = load_be64(p + 8);
    memcpy(r->root.bytes, p + 16, SHA256_BYTES);
    cast_answered(s, link_number(from), &a);
}
