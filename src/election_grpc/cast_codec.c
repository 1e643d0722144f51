#include "election_grpc/cast_codec.h"

#include "election_grpc/pb.h"

/* ---- CastRequest ---- */

enum {
    REQUEST_STATE = 1,
    REQUEST_VOTER,
    REQUEST_CANDIDATE,
    REQUEST_ID,
    REQUEST_REVISION,
    REQUEST_CREDENTIAL,
    REQUEST_SIGN,
};

static struct slice *request_text(struct cast_wire *c, uint32_t number)
{
    switch (number) {
    case REQUEST_STATE:
        return &c->state;
    case REQUEST_VOTER:
        return &c->voter;
    case REQUEST_CANDIDATE:
        return &c->candidate;
    case REQUEST_ID:
        return &c->request_id;
    case REQUEST_CREDENTIAL:
        return &c->credential;
    default:
        return NULL;
    }
}

bool cast_wire_decode(struct slice bytes, struct cast_wire *ret)
{
    *ret = (struct cast_wire){.expect_revision = 0};
    struct pb_field f;
    enum pb_verdict verdict;
    while ((verdict = pb_next(&bytes, &f)) == PB_FIELD) {
        struct slice *text = request_text(ret, f.number);
        if (text != NULL) {
            if (f.kind != PB_BYTES)
                return false;
            *text = f.bytes;
        } else if (f.number == REQUEST_REVISION || f.number == REQUEST_SIGN) {
            if (f.kind != PB_VARINT)
                return false;
            if (f.number == REQUEST_REVISION)
                ret->expect_revision = (uint32_t)f.value;
            else
                ret->sign = f.value != 0;
        }
    }
    return verdict == PB_END;
}

void cast_wire_encode(const struct cast_wire *c, struct buf *out)
{
    pb_put_bytes(out, REQUEST_STATE, c->state);
    pb_put_bytes(out, REQUEST_VOTER, c->voter);
    pb_put_bytes(out, REQUEST_CANDIDATE, c->candidate);
    pb_put_bytes(out, REQUEST_ID, c->request_id);
    pb_put_uint(out, REQUEST_REVISION, c->expect_revision);
    pb_put_bytes(out, REQUEST_CREDENTIAL, c->credential);
    pb_put_uint(out, REQUEST_SIGN, c->sign);
}

/* ---- Receipt ---- */

enum {
    RECEIPT_STATE = 1,
    RECEIPT_ROUND,
    RECEIPT_EPOCH,
    RECEIPT_INDEX,
    RECEIPT_REVISION,
    RECEIPT_LEAF,
    RECEIPT_VERSION,
    RECEIPT_SIZE,
    RECEIPT_ROOT,
    RECEIPT_SIGNATURE = 11,
};

static struct slice hash_slice(const struct hash *h)
{
    static const struct hash none;
    return hash_eq(h, &none) ? slice_of(NULL, 0) : slice_of(h->bytes, sizeof h->bytes);
}

static void put_receipt(const struct cast_wire_reply *r, struct buf *out)
{
    const struct receipt *t = &r->receipt;
    pb_put_bytes(out, RECEIPT_STATE, r->state);
    pb_put_uint(out, RECEIPT_ROUND, t->round);
    pb_put_uint(out, RECEIPT_EPOCH, t->epoch);
    pb_put_uint(out, RECEIPT_INDEX, t->index);
    pb_put_uint(out, RECEIPT_REVISION, t->revision);
    pb_put_bytes(out, RECEIPT_LEAF, hash_slice(&t->leaf));
    pb_put_uint(out, RECEIPT_VERSION, t->commit_version);
    pb_put_uint(out, RECEIPT_SIZE, t->tree_size);
    pb_put_bytes(out, RECEIPT_ROOT, hash_slice(&t->root));
    pb_put_bytes(out, RECEIPT_SIGNATURE, r->signature);
}

static bool take_hash(const struct pb_field *f, struct hash *ret)
{
    if (f->kind != PB_BYTES || (f->bytes.len != 0 && f->bytes.len != sizeof ret->bytes))
        return false;
    *ret = (struct hash){{0}};
    if (f->bytes.len > 0)
        memcpy(ret->bytes, f->bytes.ptr, sizeof ret->bytes);
    return true;
}

static bool take_number(const struct pb_field *f, uint64_t *ret)
{
    *ret = f->value;
    return f->kind == PB_VARINT;
}

static bool take_revision(const struct pb_field *f, uint8_t *ret)
{
    *ret = (uint8_t)f->value;
    return f->kind == PB_VARINT && f->value <= UINT8_MAX;
}

static bool take_receipt_field(const struct pb_field *f, struct cast_wire_reply *ret)
{
    struct receipt *t = &ret->receipt;
    switch (f->number) {
    case RECEIPT_STATE:
        ret->state = f->bytes;
        return f->kind == PB_BYTES;
    case RECEIPT_ROUND:
        return take_number(f, &t->round);
    case RECEIPT_EPOCH:
        return take_number(f, &t->epoch);
    case RECEIPT_INDEX:
        return take_number(f, &t->index);
    case RECEIPT_REVISION:
        return take_revision(f, &t->revision);
    case RECEIPT_LEAF:
        return take_hash(f, &t->leaf);
    case RECEIPT_VERSION:
        return take_number(f, &t->commit_version);
    case RECEIPT_SIZE:
        return take_number(f, &t->tree_size);
    case RECEIPT_ROOT:
        return take_hash(f, &t->root);
    case RECEIPT_SIGNATURE:
        ret->signature = f->bytes;
        return f->kind == PB_BYTES;
    default:
        return true;
    }
}

static bool take_receipt(const struct pb_field *f, struct cast_wire_reply *ret)
{
    if (f->kind != PB_BYTES)
        return false;
    ret->has_receipt = true;
    struct slice bytes = f->bytes;
    struct pb_field inner;
    enum pb_verdict verdict;
    while ((verdict = pb_next(&bytes, &inner)) == PB_FIELD)
        if (!take_receipt_field(&inner, ret))
            return false;
    return verdict == PB_END;
}

/* ---- CastReply ---- */

enum {
    REPLY_OUTCOME = 1,
    REPLY_RECEIPT,
    REPLY_DETAIL,
    REPLY_REQUEST_ID,
    REPLY_CODE,
    REPLY_RETRY,
};

static bool take_u32(const struct pb_field *f, uint32_t *ret)
{
    *ret = (uint32_t)f->value;
    return f->kind == PB_VARINT;
}

static bool take_slice(const struct pb_field *f, struct slice *ret)
{
    *ret = f->bytes;
    return f->kind == PB_BYTES;
}

static bool take_reply_field(const struct pb_field *f, struct cast_wire_reply *ret)
{
    switch (f->number) {
    case REPLY_OUTCOME:
        return take_u32(f, &ret->outcome);
    case REPLY_RECEIPT:
        return take_receipt(f, ret);
    case REPLY_DETAIL:
        return take_slice(f, &ret->detail);
    case REPLY_REQUEST_ID:
        return take_slice(f, &ret->request_id);
    case REPLY_CODE:
        return take_u32(f, &ret->code);
    case REPLY_RETRY:
        return take_u32(f, &ret->retry_after_ms);
    default:
        return true;
    }
}

bool cast_wire_reply_decode(struct slice bytes, struct cast_wire_reply *ret)
{
    *ret = (struct cast_wire_reply){.outcome = 0};
    struct pb_field f;
    enum pb_verdict verdict;
    while ((verdict = pb_next(&bytes, &f)) == PB_FIELD)
        if (!take_reply_field(&f, ret))
            return false;
    return verdict == PB_END;
}

void cast_wire_reply_encode(const struct cast_wire_reply *r, struct buf *out)
{
    pb_put_uint(out, REPLY_OUTCOME, r->outcome);
    if (r->has_receipt) {
        size_t at = out->len;
        put_receipt(r, out);
        pb_wrap(out, REPLY_RECEIPT, at);
    }
    pb_put_bytes(out, REPLY_DETAIL, r->detail);
    pb_put_bytes(out, REPLY_REQUEST_ID, r->request_id);
    pb_put_uint(out, REPLY_CODE, r->code);
    pb_put_uint(out, REPLY_RETRY, r->retry_after_ms);
}
