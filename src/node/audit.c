/* audit.c: what became of transactions, for the audit log (AuditHelper) and for who watches this
 * server. The log's own words are the driver's. */
#include "node/effects_internal.h"
#include "node/node_internal.h"

static void put_part(struct buf *out, int32_t type, int32_t err, struct slice path)
{
    buf_put_i32(out, type);
    buf_put_i32(out, err);
    rec_put_slice(out, path);
}

void audit_trace(struct node *n, const struct proposal *p, struct effects *fx)
{
    const struct tree_effects *applied = &n->tree_fx;
    struct buf *out = &fx->send_bytes;
    size_t at = out->len;
    /* The audit log has all of them, spectators have enough of these. */
    size_t most = n->options.audit ? SIZE_MAX : NODE_TOLD_CHANGES_MAX;
    switch (p->hdr.type) {
    case ZK_OP_CREATE_SESSION:
        return;
    case ZK_OP_CLOSE_SESSION:
        for (size_t i = 0; i < applied->change_count && i < most; i++)
            put_part(out, ZK_OP_DELETE, 0, applied->changes[i].path);
        break;
    case ZK_OP_MULTI:
        for (size_t i = 0; i < applied->sub_count && i < most; i++)
            put_part(out, applied->subs[i].type, applied->subs[i].err, applied->subs[i].path);
        break;
    default:
        put_part(out, applied->result.type, applied->result.err, applied->result.path);
        break;
    }
    fx_trace(fx, (struct trace_effect){.type = TRACE_COMMITTED,
                                       .session_id = p->hdr.client_id,
                                       .zxid = p->zxid,
                                       .value = p->hdr.cxid,
                                       .op = p->hdr.type,
                                       .at = at,
                                       .len = out->len - at});
}
