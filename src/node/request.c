/* request.c: one request of an established session (NIOServerCnxn.readRequest,
 * ZooKeeperServer.processPacket, submitRequestNow). */
#include "node/effects_internal.h"
#include "node/node_internal.h"

bool op_is_write(int32_t op)
{
    switch (op) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_CONTAINER:
    case ZK_OP_CREATE_TTL:
    case ZK_OP_DELETE:
    case ZK_OP_DELETE_CONTAINER:
    case ZK_OP_SET_DATA:
    case ZK_OP_SET_ACL:
    case ZK_OP_MULTI:
    case ZK_OP_RECONFIG:
    case ZK_OP_CLOSE_SESSION:
        return true;
    default:
        return false;
    }
}

void request_enqueue(struct node *n, struct client *c, struct fifo_entry entry, struct slice bytes,
                     struct effects *fx)
{
    fifo_push(&c->fifo, entry, bytes);
    n->inflight++;
    n->large_bytes += entry.large_bytes;
    if (entry.xid > 0)
        c->outstanding++;
    client_throttle(n, c, fx);
}

/* SessionTracker.checkSession for a request of our own client: *ret_global_err is that of what only
 * a global session may do. */
static void check_session(struct node *n, const struct client *c, int32_t *ret_err,
                          int32_t *ret_global_err)
{
    if (c->session == NULL || c->session->closing)
        *ret_err = *ret_global_err = ZK_SESSIONEXPIRED;
    else if (n->ensemble != NULL && n->ensemble->role == NODE_LEADING)
        owner_check(n, c->session_id, n->options.server_id, ret_err, ret_global_err);
    else
        *ret_err = *ret_global_err = 0;
}

struct fifo_entry request_entry(const struct request *r, enum fifo_kind kind, int32_t err)
{
    return (struct fifo_entry){
        .kind = kind,
        .op = r->op,
        .xid = r->xid,
        .err = err,
        .received_ns = r->received_ns,
        .large_bytes = r->large_bytes,
        .identity_count = r->identity_count,
    };
}

static struct identities identities_of(const struct client *c, const struct request *r)
{
    return (struct identities){c->identities, r->identity_count};
}

static void on_write(struct node *n, struct client *c, const struct request *r, struct effects *fx)
{
    if (n->ensemble != NULL && member_write(n, c, r, fx))
        return;
    struct fifo_entry entry = request_entry(r, FIFO_WRITE, 0);
    if (!propose_ready(n, fx)) {
        /* The role ends, and with it the connection: that is the answer. */
        entry.zxid = INT64_MAX;
        request_enqueue(n, c, entry, (struct slice){0}, fx);
        return;
    }
    struct proposal_request req = {
        .client = c->id,
        .session_id = c->session_id,
        .cxid = r->xid,
        .op = r->op,
        .record = r->record,
        .who = identities_of(c, r),
    };
    check_session(n, c, &req.session_err, &req.global_session_err);
    if (n->disk_full && r->op != ZK_OP_CLOSE_SESSION)
        entry.err = ZK_SYSTEMERROR;
    else
        entry.err = propose(n, &req, fx, &entry.zxid);

    if (entry.err != 0)
        entry.kind = FIFO_ERROR;
    else if (r->op == ZK_OP_CLOSE_SESSION && c->session != NULL && !c->session->closing)
        session_mark_closing(n->sessions, c->session);

    request_enqueue(n, c, entry, (struct slice){0}, fx);
    if (entry.kind == FIFO_ERROR)
        client_drain(n, c, fx);
}

static void on_read(struct node *n, struct client *c, const struct request *r, struct effects *fx)
{
    /* PrepRequestProcessor asks for the session before anybody looks at the record. */
    int32_t err, global_err;
    check_session(n, c, &err, &global_err);
    if (n->ensemble != NULL && err == 0 && r->op == ZK_OP_SYNC && member_sync(n, c, r, fx))
        return;
    if (c->fifo.count == 0 && err == 0) {
        answer_read(n, c, r->op, r->xid, r->record, identities_of(c, r), fx);
        reply_stats(n, c, op_short_name(r->op), r->xid, r->received_ns, false);
        return;
    }
    request_enqueue(n, c, request_entry(r, err == 0 ? FIFO_READ : FIFO_ERROR, err), r->record, fx);
    if (err != 0)
        client_drain(n, c, fx);
}

/* UnimplementedRequestProcessor: at once, ahead of what is queued, and good-bye. The zxid is that
 * of a request which never got one. */
static void on_unknown(struct node *n, struct client *c, const struct request *r,
                       struct effects *fx)
{
    reply_header(n, c, r->xid, -1, ZK_UNIMPLEMENTED, fx);
    client_close(c, "unknown operation", fx);
}

static void touch(struct node *n, struct client *c)
{
    if (n->ensemble != NULL && member_touch(n, c))
        return;
    if (c->session != NULL && !c->session->closing)
        session_touch(n->sessions, c->session, c->timeout_ms, node_now_ms(n));
}

void request_process(struct node *n, struct client *c, const struct request *r, struct effects *fx)
{
    touch(n, c);
    if (op_is_write(r->op))
        on_write(n, c, r, fx);
    else if (op_is_read(r->op))
        on_read(n, c, r, fx);
    else
        on_unknown(n, c, r, fx);
}

/* Nobody looks at its session or its record. */
void request_throttled(struct node *n, struct client *c, const struct request *r,
                       struct effects *fx)
{
    touch(n, c);
    if (!op_is_write(r->op) && !op_is_read(r->op)) {
        on_unknown(n, c, r, fx);
        return;
    }
    request_enqueue(n, c, request_entry(r, FIFO_ERROR, ZK_THROTTLEDOP), (struct slice){0}, fx);
    client_drain(n, c, fx);
}

static bool is_large(const struct node *n, size_t len)
{
    return n->options.large_request_bytes > 0 && (int64_t)len > n->options.large_request_bytes;
}

/* largeRequestThreshold and largeRequestMaxBytes: false = refused (the connection is closed). The
 * frame is what is measured against the room, its record (without the header) what then takes room.
 */
static bool admit_large(struct node *n, struct client *c, size_t frame_len, struct effects *fx)
{
    if (!is_large(n, frame_len) ||
        n->large_bytes + (int64_t)frame_len <= n->options.large_requests_bytes_max)
        return true;
    metric_inc(&n->metrics, METRIC_LARGE_REQUESTS_REJECTED);
    fx_trace(fx, (struct trace_effect){.type = TRACE_LARGE_REQUEST,
                                       .session_id = c->session_id,
                                       .client = c->id,
                                       .value = (int64_t)frame_len});
    client_close(c, "large requests in flight exceed largeRequestMaxBytes", fx);
    return false;
}

void on_request(struct node *n, struct client *c, struct slice frame, struct effects *fx)
{
    struct dec d = dec_of(frame);
    struct rec_request_header h;
    if (!rec_get_request_header(&d, &h)) {
        client_close(c, "request without a whole header", fx);
        return;
    }
    struct slice record = slice_of(d.at, (size_t)(d.end - d.at));
    if (!admit_large(n, c, frame.len, fx))
        return;

    if (h.type == ZK_OP_AUTH) {
        on_auth(n, c, h.xid, &d, fx);
        return;
    }
    if (h.type == ZK_OP_SASL) {
        on_sasl(n, c, h.xid, &d, fx);
        return;
    }
    if (!auth_enforced(n, c, h.xid, fx))
        return;

    struct request r = {
        .xid = h.xid,
        .op = h.type,
        .received_ns = n->now_ns,
        .large_bytes = is_large(n, record.len) ? (int64_t)record.len : 0,
        .identity_count = c->identity_count,
        .record = record,
    };
    if (n->options.throttle_requests_max > 0 && throttler_holds(n, c, &r, fx))
        return;
    request_process(n, c, &r, fx);
}
