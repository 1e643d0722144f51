/* The text of a configuration: what is read is written, and what is written reads as the same; and
 * its quorums are quorums. */
#include "fuzz.h"
#include "wire/quorum.h"

static struct slice format(const struct quorum *q, struct buf *out)
{
    buf_clear(out);
    quorum_format(q, out);
    return buf_slice(out);
}

static void check_members(const struct quorum *q)
{
    size_t voters = 0;
    for (size_t i = 0; i < q->server_count; i++) {
        const struct quorum_server *s = &q->servers[i];
        FUZZ_CHECK(i == 0 || s->sid > q->servers[i - 1].sid, "servers are in order");
        FUZZ_CHECK(s->address_count > 0 && s->address_count <= QUORUM_ADDRESSES_MAX, "addresses");
        FUZZ_CHECK((s->client_host == NULL) == (s->client_port < 0), "a client address, or none");
        FUZZ_CHECK(quorum_find(q, s->sid) == s, "a server is found");
        FUZZ_CHECK(quorum_is_voter(q, s->sid) == !s->observer, "a voter is one");
        FUZZ_CHECK(!s->observer || quorum_weight(q, s->sid) == 0, "an observer has no weight");
        voters += !s->observer;
    }
    FUZZ_CHECK(voters > 0 && voters == q->voter_count, "there are voters");
}

/* Somebody more never makes it less; two quorums of voters always share one. */
static void check_quorums(const struct quorum *q, uint64_t seed)
{
    struct sid_set some = {0}, others = {0}, more = {0};
    for (size_t i = 0; i < q->server_count; i++) {
        int64_t sid = q->servers[i].sid;
        sid_set_add(seed >> (i % 61) & 1 ? &some : &others, sid);
        if ((seed >> (i % 61) & 1) != 0 || (seed >> ((i + 7) % 61) & 1) != 0)
            sid_set_add(&more, sid);
    }
    FUZZ_CHECK(!quorum_has(q, &(struct sid_set){0}, true), "nobody is no quorum");
    FUZZ_CHECK(!quorum_has(q, &some, false) || quorum_has(q, &more, false), "more is no less");
    FUZZ_CHECK(!quorum_has(q, &some, false) || !quorum_has(q, &others, false),
               "two quorums have one in common");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct quorum *q, *again;
    struct err err = {0};
    if (quorum_parse(slice_of(data, size), &q, &err) < 0) {
        FUZZ_CHECK(err.text[0] != 0, "a refusal says why");
        return 0;
    }
    struct buf first = {0}, second = {0};
    struct quorum *copy = quorum_copy(q);
    FUZZ_CHECK(quorum_parse(format(q, &first), &again, NULL) == 0, "what is written can be read");
    FUZZ_CHECK(slice_eq(buf_slice(&first), format(again, &second)), "as the same");
    FUZZ_CHECK(slice_eq(buf_slice(&first), format(copy, &second)), "a copy is the same");
    FUZZ_CHECK(quorum_same_members(q, again) && quorum_same_members(copy, q), "the same members");
    check_members(q);
    uint64_t seed = 0;
    for (size_t i = 0; i < size; i++)
        seed = seed * 31 + data[i];
    check_quorums(q, seed);

    quorum_free(q);
    quorum_free(again);
    quorum_free(copy);
    buf_deinit(&first);
    buf_deinit(&second);
    return 0;
}
