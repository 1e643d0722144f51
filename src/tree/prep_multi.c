/* prep_multi.c: several writes under one zxid, all or none (MultiOperationRecord, pRequestHelper).
 *
 * Each part is checked against the state the earlier parts leave behind. When one fails, what they
 * entered is taken back; the txn is written nevertheless: earlier parts as they are (tree_apply
 * answers 0 for them and does nothing), the failed one with its error, later ones with
 * RUNTIMEINCONSISTENCY.
 *
 *   MultiTxn: int32 count, then per part: int32 type, int32 length, txn bytes */
#include "tree/prep_internal.h"

/* Op.create: what the flags say wins over the opcode. */
static int32_t create_type(int32_t type, int32_t flags)
{
    if (flags == ZK_CREATE_TTL || flags == ZK_CREATE_TTL_SEQUENTIAL)
        return ZK_OP_CREATE_TTL;
    if (flags == ZK_CREATE_CONTAINER)
        return ZK_OP_CREATE_CONTAINER;
    return type == ZK_OP_CREATE_TTL ? ZK_OP_CREATE : type;
}

/* MultiOperationRecord.deserialize has stricter rules than the same request on its own: a null ACL
 * is no IOException there, so no zxid is taken for it. */
static enum multi_form create_part_form(const struct write_op *op)
{
    if (op->flags < ZK_CREATE_PERSISTENT || op->flags > ZK_CREATE_TTL_SEQUENTIAL)
        return MULTI_MALFORMED;
    if (op->acl.count == -1)
        return MULTI_NO_TXN;
    return op->flags < ZK_CREATE_TTL ? MULTI_WHOLE : MULTI_MALFORMED;
}

/* The next part, or the end. A null path is left to the caller. */
static enum multi_form next_part(struct dec *d, struct write_op *op, bool *ret_done)
{
    struct rec_multi_header head;
    if (!rec_get_multi_header(d, &head))
        return MULTI_MALFORMED;
    *ret_done = head.done;
    if (head.done)
        return MULTI_WHOLE;

    op->type = head.type;
    switch (head.type) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_CONTAINER:
        if (!write_op_get(d, op))
            return MULTI_MALFORMED;
        op->type = create_type(head.type, op->flags);
        return create_part_form(op);
    case ZK_OP_CREATE_TTL:
        if (!write_op_get(d, op))
            return MULTI_MALFORMED;
        op->type = create_type(head.type, op->flags);
        if (op->type != ZK_OP_CREATE_TTL)
            op->ttl_ms = -1;
        return MULTI_WHOLE;
    case ZK_OP_DELETE:
    case ZK_OP_SET_DATA:
    case ZK_OP_CHECK:
        return write_op_get(d, op) ? MULTI_WHOLE : MULTI_MALFORMED;
    case ZK_OP_GET_DATA:
        return rec_get_get_data_request(d, &(struct rec_get_data_request){0}) ? MULTI_WHOLE
                                                                              : MULTI_MALFORMED;
    case ZK_OP_GET_CHILDREN:
        return rec_get_get_children_request(d, &(struct rec_get_children_request){0})
                   ? MULTI_WHOLE
                   : MULTI_MALFORMED;
    default:
        return MULTI_MALFORMED;
    }
}

static bool is_read(const struct write_op *op)
{
    return op->type == ZK_OP_GET_DATA || op->type == ZK_OP_GET_CHILDREN;
}

/* Reads do not belong here, but are found out by the first write behind them, or at the end. Null
 * paths are met when all of it was read, and a zxid taken. */
static enum multi_form form_of(struct dec d)
{
    struct write_op op;
    bool done = false;
    bool reads = false, writes = false, null_path = false;
    while (true) {
        enum multi_form form = next_part(&d, &op, &done);
        if (form != MULTI_WHOLE)
            return form;
        if (done)
            return reads || null_path ? MULTI_MALFORMED : MULTI_WHOLE;
        if (is_read(&op) ? writes : reads)
            return MULTI_MALFORMED;
        reads |= is_read(&op);
        writes |= !is_read(&op);
        null_path |= !is_read(&op) && slice_is_null(op.path);
    }
}

bool multi_is_well_formed(struct dec d)
{
    return form_of(d) == MULTI_WHOLE;
}

static void put_error_part(int32_t err, struct buf *out)
{
    buf_put_i32(out, ZK_OP_ERROR);
    buf_put_i32(out, 4);
    rec_put_error_txn(out, &(struct rec_error_txn){.err = err});
}

static int32_t put_part(struct prep *p, const struct prep_request *req, const struct write_op *op,
                        struct buf *out)
{
    size_t at = out->len;
    buf_put_i32(out, op->type);
    buf_put_i32(out, 0);
    int32_t err = write_op_prep(p, req, op, out);
    if (err != 0) {
        out->len = at;
        return err;
    }
    store_be32(out->ptr + at + 4, (uint32_t)(out->len - at - 8));
    return 0;
}

int32_t multi_prep(struct prep *p, const struct prep_request *req, struct buf *out,
                   enum multi_form *ret_form)
{
    struct dec d = dec_of(req->record);
    *ret_form = form_of(d);
    if (*ret_form != MULTI_WHOLE)
        return ZK_MARSHALLINGERROR;

    uint64_t digest_before = p->digest;
    size_t count_at = out->len;
    buf_put_i32(out, 0);
    uint32_t count = 0;
    int32_t first_err = 0;
    struct write_op op;
    bool done = false;
    while (next_part(&d, &op, &done) == MULTI_WHOLE && !done) {
        if (first_err != 0) {
            put_error_part(ZK_RUNTIMEINCONSISTENCY, out);
        } else if ((first_err = put_part(p, req, &op, out)) != 0) {
            changes_rollback(&p->changes, req->zxid);
            p->digest = digest_before;
            put_error_part(first_err, out);
        }
        /* Not a refusal of this part, but a request that cannot be worked with: the whole fails. */
        if (first_err == ZK_MARSHALLINGERROR) {
            *ret_form = MULTI_MALFORMED;
            return first_err;
        }
        count++;
    }
    store_be32(out->ptr + count_at, count);
    return first_err;
}
