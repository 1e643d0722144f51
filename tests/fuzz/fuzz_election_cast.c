/* Votes and their answers: what the codec by hand takes, protobuf-c takes and reads the same; what
 * it writes is read as it was. */
#include "election/v1/election.pb-c.h"
#include "election_grpc/cast_codec.h"
#include "election_grpc/pb.h"
#include "fuzz.h"

static bool text_is(struct slice text, const char *other)
{
    /* protobuf-c ends a text at its first zero. */
    size_t len = strlen(other);
    return len <= text.len && (len == 0 || memcmp(text.ptr, other, len) == 0) &&
           (len == text.len || text.ptr[len] == 0);
}

static bool bytes_are(struct slice bytes, ProtobufCBinaryData other)
{
    return slice_eq(bytes, slice_of(other.data, other.len));
}

static void check_request(struct slice input)
{
    struct cast_wire c, again;
    if (!cast_wire_decode(input, &c))
        return;
    Election__V1__CastRequest *m = election__v1__cast_request__unpack(NULL, input.len, input.ptr);
    FUZZ_CHECK(m != NULL, "protobuf-c takes it too");
    FUZZ_CHECK(text_is(c.state, m->state) && text_is(c.voter, m->voter) &&
                   text_is(c.candidate, m->candidate),
               "the same texts");
    FUZZ_CHECK(bytes_are(c.request_id, m->request_id) && bytes_are(c.credential, m->credential),
               "the same bytes");
    FUZZ_CHECK(c.expect_revision == m->expect_revision, "the same number");
    election__v1__cast_request__free_unpacked(m, NULL);

    struct buf out = {0};
    cast_wire_encode(&c, &out);
    FUZZ_CHECK(cast_wire_decode(buf_slice(&out), &again), "what is written can be read");
    FUZZ_CHECK(slice_eq(c.voter, again.voter) && slice_eq(c.credential, again.credential) &&
                   c.expect_revision == again.expect_revision,
               "and is the same");
    buf_deinit(&out);
}

static void check_receipt(const struct cast_wire_reply *r, const Election__V1__Receipt *m)
{
    FUZZ_CHECK(r->has_receipt == (m != NULL), "the same receipt");
    if (m == NULL)
        return;
    const struct receipt *t = &r->receipt;
    FUZZ_CHECK(text_is(r->state, m->state), "the same state");
    FUZZ_CHECK(t->round == m->round && t->epoch == m->epoch && t->index == m->index &&
                   t->commit_version == m->commit_version && t->tree_size == m->tree_size,
               "the same numbers");
    FUZZ_CHECK(m->root.len == 0 || memcmp(t->root.bytes, m->root.data, 32) == 0, "the same root");
}

/* A message that comes twice is one, of the fields of both; protobuf-c forgets some of them. */
static bool has_one_receipt(struct slice input)
{
    struct pb_field f;
    int count = 0;
    while (pb_next(&input, &f) == PB_FIELD)
        count += f.number == 2;
    return count <= 1;
}

static void check_reply(struct slice input)
{
    struct cast_wire_reply r, again;
    if (!cast_wire_reply_decode(input, &r))
        return;
    Election__V1__CastReply *m = election__v1__cast_reply__unpack(NULL, input.len, input.ptr);
    if (m != NULL) { /* it refuses proofs that are cut, which the codec passes over */
        FUZZ_CHECK(r.code == m->code && r.retry_after_ms == m->retry_after_ms, "the same numbers");
        FUZZ_CHECK(text_is(r.detail, m->detail) && bytes_are(r.request_id, m->request_id),
                   "the same bytes");
        if (has_one_receipt(input))
            check_receipt(&r, m->receipt);
        election__v1__cast_reply__free_unpacked(m, NULL);
    }
    struct buf out = {0};
    cast_wire_reply_encode(&r, &out);
    FUZZ_CHECK(cast_wire_reply_decode(buf_slice(&out), &again), "what is written can be read");
    FUZZ_CHECK(again.outcome == r.outcome && again.has_receipt == r.has_receipt &&
                   memcmp(&again.receipt, &r.receipt, sizeof r.receipt) == 0,
               "and is the same");
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz f = fz_of(data, size);
    bool is_reply = (fz_u8(&f) & 1) != 0;
    struct slice input = fz_rest(&f);
    if (is_reply)
        check_reply(input);
    else
        check_request(input);
    return 0;
}
