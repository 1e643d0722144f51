#include "base/assert.h"
#include "node/effects_internal.h"
#include "node/node_internal.h"

enum {
    FRAME_PREFIX_BYTES = 4,
    REPLY_HEADER_BYTES = 16
};

size_t reply_begin(struct effects *fx, int32_t xid, int64_t zxid, int32_t err)
{
    struct buf *out = &fx->send_bytes;
    size_t begun = out->len;
    buf_reserve(out, FRAME_PREFIX_BYTES + REPLY_HEADER_BYTES);
    uint8_t *p = out->ptr + begun;
    store_be32(p + 4, (uint32_t)xid);
    store_be64(p + 8, (uint64_t)zxid);
    store_be32(p + 16, (uint32_t)err);
    out->len += FRAME_PREFIX_BYTES + REPLY_HEADER_BYTES;
    return begun;
}

void reply_fail(struct effects *fx, size_t begun, int32_t err)
{
    fx->send_bytes.len = begun + FRAME_PREFIX_BYTES + REPLY_HEADER_BYTES;
    store_be32(fx->send_bytes.ptr + begun + 16, (uint32_t)err);
}

size_t reply_seal(struct effects *fx, size_t begun)
{
    size_t len = fx->send_bytes.len - begun;
    invariant(len >= FRAME_PREFIX_BYTES);
    store_be32(fx->send_bytes.ptr + begun, (uint32_t)(len - FRAME_PREFIX_BYTES));
    return len;
}

void reply_send(struct node *n, struct client *c, size_t begun, size_t len, struct effects *fx)
{
    fx_send(fx, c->id, begun, len);
    c->stats.sent++;
    metric_inc(&n->metrics, METRIC_PACKETS_SENT);
    metric_response_size(&n->metrics, (int64_t)(len - FRAME_PREFIX_BYTES));
    /* Of answers to requests only: events, pings, and handshakes do not go through the
     * FinalRequestProcessor to its end. */
    int32_t xid = (int32_t)load_be32(fx->send_bytes.ptr + begun + FRAME_PREFIX_BYTES);
    if (xid > 0 || xid == ZK_XID_SET_WATCHES)
        metric_add(&n->metrics, METRIC_RESPONSE_BYTES, len - FRAME_PREFIX_BYTES);
}

void reply_end(struct node *n, struct client *c, size_t begun, struct effects *fx)
{
    reply_send(n, c, begun, reply_seal(fx, begun), fx);
}

void reply_header(struct node *n, struct client *c, int32_t xid, int64_t zxid, int32_t err,
                  struct effects *fx)
{
    reply_end(n, c, reply_begin(fx, xid, zxid, err), fx);
}

void reply_stats(struct node *n, struct client *c, const char *op_name, int32_t xid,
                 int64_t received_ns, bool write)
{
    int64_t latency_ms = (n->now_ns - received_ns) / 1000000;
    struct client_stats *s = &c->stats;
    s->last_op = op_name;
    if (xid >= 0)
        s->last_cxid = xid; /* pings and the like do not overwrite it */
    s->last_zxid = tree_last_zxid(n->tree);
    s->last_response_ms = node_now_ms(n);
    s->last_latency_ms = latency_ms;
    if (s->latency_count == 0 || latency_ms < s->latency_min_ms)
        s->latency_min_ms = latency_ms;
    if (latency_ms > s->latency_max_ms)
        s->latency_max_ms = latency_ms;
    s->latency_total_ms += latency_ms;
    s->latency_count++;
    metric_latency(&n->metrics, latency_ms, write);
}

const char *op_short_name(int32_t op)
{
    switch (op) {
    case ZK_OP_PING:
        return "PING";
    case ZK_OP_CREATE_SESSION:
        return "SESS";
    case ZK_OP_MULTI:
        return "MULT";
    case ZK_OP_MULTI_READ:
        return "MLTR";
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_TTL:
    case ZK_OP_CREATE_CONTAINER:
        return "CREA";
    case ZK_OP_DELETE:
    case ZK_OP_DELETE_CONTAINER:
        return "DELE";
    case ZK_OP_SET_DATA:
        return "SETD";
    case ZK_OP_RECONFIG:
        return "RECO";
    case ZK_OP_SET_ACL:
        return "SETA";
    case ZK_OP_CLOSE_SESSION:
        return "CLOS";
    case ZK_OP_SYNC:
        return "SYNC";
    case ZK_OP_EXISTS:
        return "EXIS";
    case ZK_OP_GET_DATA:
        return "GETD";
    case ZK_OP_SET_WATCHES:
        return "SETW";
    case ZK_OP_SET_WATCHES2:
        return "STW2";
    case ZK_OP_ADD_WATCH:
        return "ADDW";
    case ZK_OP_GET_ACL:
        return "GETA";
    case ZK_OP_GET_CHILDREN:
    case ZK_OP_GET_CHILDREN2:
        return "GETC";
    case ZK_OP_GET_ALL_CHILDREN_NUMBER:
        return "GETACN";
    case ZK_OP_CHECK_WATCHES:
        return "CHKW";
    case ZK_OP_REMOVE_WATCHES:
        return "REMW";
    case ZK_OP_WHO_AM_I:
        return "HOMI";
    case ZK_OP_GET_EPHEMERALS:
        return "GETE";
    default:
        return "NA";
    }
}
