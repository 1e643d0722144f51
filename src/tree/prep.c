/* prep.c: a request becomes the bytes of a transaction. The checks are in prep_op.c. */
#include "tree/prep.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tree/prep_internal.h"

struct prep *prep_create(struct tree *t, const struct prep_options *options, uint64_t hash_seed)
{
    struct prep *p = mem_alloc(sizeof *p);
    p->tree = t;
    p->options = *options;
    p->digest = 0;
    p->quota_path = slice_of(NULL, 0);
    changes_init(&p->changes, t, hash_seed);
    buf_init(&p->path, 0);
    buf_init(&p->acl, 0);
    return p;
}

void prep_free(struct prep *p)
{
    if (p == NULL)
        return;
    changes_deinit(&p->changes);
    buf_deinit(&p->path);
    buf_deinit(&p->acl);
    free(p);
}

void prep_committed(struct prep *p, int64_t zxid)
{
    changes_forget(&p->changes, zxid);
}

void prep_reset(struct prep *p)
{
    changes_clear(&p->changes);
}

struct slice prep_quota_path(const struct prep *p)
{
    return p->quota_path;
}

size_t prep_outstanding(const struct prep *p)
{
    return p->changes.count;
}

bool prep_can_decode(int32_t op, struct slice record)
{
    struct dec d = dec_of(record);
    switch (op) {
    case ZK_OP_CLOSE_SESSION:
        return true;
    case ZK_OP_MULTI:
        return multi_is_well_formed(d);
    default:
        return write_op_get(&d, &(struct write_op){.type = op});
    }
}

static void put_header(struct prep_result *ret, int32_t type, struct buf *out)
{
    ret->hdr.type = type;
    rec_put_txn_header(out, &ret->hdr);
    ret->txn_at = out->len;
}

/* The body of the txn is in place: the digest follows it. */
static void put_digest(const struct prep *p, struct prep_result *ret, struct buf *out)
{
    ret->txn_len = out->len - ret->txn_at;
    if (!p->tree->options.digest_enabled)
        return;
    ret->digest =
        (struct rec_txn_digest){.version = TREE_DIGEST_VERSION, .tree_digest = (int64_t)p->digest};
    rec_put_txn_digest(out, &ret->digest);
}

/* Starts again from `at`: the request was refused. An error txn carries no digest, as in ZooKeeper.
 */
static void put_error(struct prep_result *ret, size_t at, int32_t err, struct buf *out)
{
    out->len = at;
    ret->err = err;
    put_header(ret, ZK_OP_ERROR, out);
    rec_put_error_txn(out, &(struct rec_error_txn){.err = err});
    ret->txn_len = out->len - ret->txn_at;
}

void prep_request(struct prep *p, const struct prep_request *req, struct buf *out,
                  struct prep_result *ret)
{
    invariant(out->bytes_max == 0);
    *ret = (struct prep_result){
        .outcome = PREP_TXN,
        .hdr = {.client_id = req->session_id,
                .cxid = req->cxid,
                .zxid = req->zxid,
                .time = req->now_ms},
    };
    /* With nothing outstanding the tree itself is the projection. */
    if (p->changes.count == 0)
        p->digest = tree_digest(p->tree);

    size_t at = out->len;
    if (req->refused != 0) {
        put_error(ret, at, req->refused, out);
        return;
    }
    put_header(ret, req->op, out);
    bool whole = true;
    int32_t no_txn_err = 0;
    switch (req->op) {
    case ZK_OP_CREATE_SESSION:
        rec_put_create_session_txn(
            out, &(struct rec_create_session_txn){.time_out = req->session_timeout_ms});
        break;
    case ZK_OP_CLOSE_SESSION:
        close_session_prep(p, req, out);
        break;
    case ZK_OP_MULTI: {
        enum multi_form form;
        ret->err = multi_prep(p, req, out, &form);
        whole = form == MULTI_WHOLE;
        no_txn_err = form == MULTI_NO_TXN ? ret->err : 0;
        break;
    }
    default: {
        struct dec d = dec_of(req->record);
        struct write_op op = {.type = req->op};
        if (req->op == ZK_OP_CHECK)
            no_txn_err = ZK_UNIMPLEMENTED; /* in a multi only */
        else if (!write_op_get(&d, &op))
            no_txn_err = ZK_MARSHALLINGERROR;
        ret->err = no_txn_err != 0 ? no_txn_err : write_op_prep(p, req, &op, out);
        whole = ret->err == 0;
        break;
    }
    }

    if (no_txn_err != 0 && !req->always_txn) {
        out->len = at;
        *ret = (struct prep_result){.outcome = PREP_NO_TXN, .err = no_txn_err};
    } else if (whole) {
        put_digest(p, ret, out);
    } else {
        put_error(ret, at, ret->err, out);
    }
}
