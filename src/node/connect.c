/* connect.c: the handshake (ZooKeeperServer.processConnectRequest, reopenSession,
 * finishSessionInit). */
#include "node/effects_internal.h"
#include "node/node_internal.h"

static void send_connect_response(struct node *n, struct client *c, bool valid, struct effects *fx)
{
    uint8_t password[SESSION_PASSWORD_BYTES] = {0};
    if (valid)
        session_password(c->session_id, password);

    struct rec_connect_response rsp = {
        .protocol_version = 0,
        .time_out = valid ? c->timeout_ms : 0,
        .session_id = valid ? c->session_id : 0,
        .passwd = slice_of(password, sizeof password),
        .has_read_only = c->wants_read_only_reply,
        .read_only = n->ensemble != NULL && n->ensemble->read_only,
    };
    size_t begun = fx->send_bytes.len;
    buf_put_i32(&fx->send_bytes, 0);
    rec_put_connect_response(&fx->send_bytes, &rsp);
    reply_end(n, c, begun, fx);
}

void connect_refuse(struct node *n, struct client *c, struct effects *fx)
{
    fx_trace(fx, (struct trace_effect){
                     .type = TRACE_SESSION_REFUSED, .session_id = c->session_id, .client = c->id});
    send_connect_response(n, c, false, fx);
    client_close(c, "", fx);
}

void session_detach_owner(struct node *n, struct session *s, const char *reason, struct effects *fx)
{
    struct client *c = client_find(n, s->owner);
    s->owner = 0;
    if (c != NULL) {
        c->session = NULL;
        client_close(c, reason, fx);
    }
}

void session_attach(struct client *c, struct session *s)
{
    c->session = s;
    c->session_id = s->id;
    s->owner = c->id;
}

int64_t session_fresh_id(struct node *n)
{
    if (n->next_session_id == 0)
        n->next_session_id = session_first_id(n->wall_ms, n->options.server_id);
    int64_t id;
    do {
        id = session_next_id(&n->next_session_id);
    } while (id == 0 || session_find(n->sessions, id) != NULL ||
             (n->local_sessions != NULL && session_find(n->local_sessions, id) != NULL));
    return id;
}

/* Nothing is read until the session is there (Java: disableRecv). */
void connect_hold(struct client *c, struct effects *fx)
{
    c->state = CLIENT_CONNECTING;
    fx_read(fx, c->id, true);
    c->paused = true;
}

void connect_wait_for_session(struct node *n, struct client *c, int64_t zxid, struct effects *fx)
{
    connect_hold(c, fx);
    struct fifo_entry create = {
        .kind = FIFO_WRITE,
        .op = ZK_OP_CREATE_SESSION,
        .zxid = zxid,
        .received_ns = n->now_ns,
    };
    fifo_push(&c->fifo, create, (struct slice){0});
    n->inflight++;
}

static void open_session(struct node *n, struct client *c, struct effects *fx)
{
    if (n->disk_full || n->disk_failed) {
        client_close(c, "no new sessions: the disk takes no writes", fx);
        return;
    }
    if (n->local_sessions != NULL) {
        local_session_open(n, c, fx);
        return;
    }
    if (!node_proposes(n)) {
        member_open_session(n, c, fx);
        return;
    }
    if (!propose_ready(n, fx)) {
        client_close(c, "session could not be proposed", fx);
        return;
    }
    struct session *s =
        session_add(n->sessions, session_fresh_id(n), c->timeout_ms, node_now_ms(n));
    session_attach(c, s);
    s->owner_sid = (int16_t)n->options.server_id;

    struct proposal_request req = {
        .client = c->id,
        .session_id = s->id,
        .op = ZK_OP_CREATE_SESSION,
        .timeout_ms = c->timeout_ms,
    };
    int64_t zxid = 0;
    int32_t err = propose(n, &req, fx, &zxid);
    if (err != 0) {
        client_close(c, "session could not be proposed", fx);
        return;
    }

    connect_wait_for_session(n, c, zxid, fx);
}

/* What the session asked for on its older connection may still be on the way to the disk. ZooKeeper
 * has one queue for everybody, so that the new connection finds it done: a client that lost a reply
 * looks whether its znode is there, and makes another if it is not. */
static void wait_for_earlier_writes(struct node *n, struct client *c)
{
    c->waiting = proposal_wait_for(n, c->session_id, c->id);
    if (n->ensemble != NULL)
        c->waiting += forwarded_wait_for(n, c->session_id, c->id);
    if (c->waiting == 0)
        return;
    struct fifo_entry wait = {.kind = FIFO_WAIT, .received_ns = n->now_ns};
    fifo_push(&c->fifo, wait, (struct slice){0});
    n->inflight++;
}

/* What the throttler holds of the older connection belongs to the session, and comes first: it may
 * even close it. */
void session_take(struct node *n, struct session *s, struct effects *fx)
{
    const char *reason = "session moved to a new connection";
    struct client *c = client_find(n, s->owner);
    if (c != NULL) {
        client_close(c, reason, fx);
        throttler_let_go(n, c, fx);
    }
    session_detach_owner(n, s, reason, fx);
}

/* The session's older connection is closed even when the password is wrong (facts A.27). */
static void reopen_session(struct node *n, struct client *c, int64_t session_id,
                           struct slice passwd, struct effects *fx)
{
    metric_inc(&n->metrics, METRIC_CONNECTION_REVALIDATE_COUNT);
    c->session_id = session_id;
    struct session *s = session_find(n->sessions, session_id);
    if (s == NULL && n->local_sessions != NULL)
        s = session_find(n->local_sessions, session_id);
    if (s != NULL && s->owner != 0)
        session_take(n, s, fx);

    uint8_t expected[SESSION_PASSWORD_BYTES];
    session_password(session_id, expected);
    bool right = slice_eq(passwd, slice_of(expected, sizeof expected));
    if (n->ensemble != NULL && right && !node_proposes(n)) {
        member_reopen_session(n, c, fx);
        return;
    }
    if (s == NULL || s->closing || !right) {
        connect_refuse(n, c, fx);
        return;
    }

    session_attach(c, s);
    s->owner_sid = (int16_t)n->options.server_id;
    session_touch(s->local ? n->local_sessions : n->sessions, s, c->timeout_ms, node_now_ms(n));
    c->state = CLIENT_READY;
    wait_for_earlier_writes(n, c);
    fx_trace(fx, (struct trace_effect){
                     .type = TRACE_SESSION_MOVED, .session_id = session_id, .client = c->id});
    send_connect_response(n, c, true, fx);
}

void connect_revalidated(struct node *n, struct client *c, bool valid, struct effects *fx)
{
    if (!valid) {
        connect_refuse(n, c, fx);
        return;
    }
    /* The leader may know of a session whose creation has not come to us yet. */
    struct session *s = session_add(n->sessions, c->session_id, c->timeout_ms, node_now_ms(n));
    if (s->owner != 0)
        session_take(n, s, fx);
    session_attach(c, s);
    s->owner_sid = (int16_t)n->options.server_id; /* not an observer of ours */
    wait_for_earlier_writes(n, c);
    fx_trace(fx, (struct trace_effect){
                     .type = TRACE_SESSION_MOVED, .session_id = s->id, .client = c->id});
    connect_established(n, c, fx);
}

void on_connect(struct node *n, struct client *c, struct slice frame, struct effects *fx)
{
    if (n->ensemble != NULL && !ensemble_accepts_clients(n)) {
        client_close(c, "not serving", fx);
        return;
    }
    struct dec d = dec_of(frame);
    struct rec_connect_request req;
    if (!rec_get_connect_request(&d, &req)) {
        client_close(c, "malformed connect request", fx);
        return;
    }
    metric_inc(&n->metrics, METRIC_CONNECTION_REQUEST_COUNT);
    if (n->ensemble != NULL && n->ensemble->read_only && !(req.has_read_only && req.read_only)) {
        client_close(c, "read-only, and the client wants more", fx);
        return;
    }
    if (req.last_zxid_seen > tree_last_zxid(n->tree)) {
        client_close(c, "client has seen a zxid ahead of ours", fx);
        return;
    }

    c->wants_read_only_reply = req.has_read_only;
    c->timeout_ms = req.time_out;
    if (c->timeout_ms < n->options.session_timeout_min_ms)
        c->timeout_ms = n->options.session_timeout_min_ms;
    if (c->timeout_ms > n->options.session_timeout_max_ms)
        c->timeout_ms = n->options.session_timeout_max_ms;

    if (req.session_id == 0)
        open_session(n, c, fx);
    else
        reopen_session(n, c, req.session_id, req.passwd, fx);
}

void connect_established(struct node *n, struct client *c, struct effects *fx)
{
    send_connect_response(n, c, true, fx);
    c->state = CLIENT_READY;
    c->paused = false;
    fx_read(fx, c->id, false);

    /* Frames that came too early. They are queued bytes: each is copied out before the queue can
     * move. */
    struct fifo_entry *e;
    uint32_t held = c->fifo.count;
    while (held-- > 0 && (e = fifo_head(&c->fifo)) != NULL && e->kind == FIFO_HELD) {
        struct buf frame = {0};
        buf_put_slice(&frame, fifo_bytes(&c->fifo, e));
        n->inflight--;
        fifo_pop(&c->fifo);
        if (c->state == CLIENT_READY)
            on_request(n, c, buf_slice(&frame), fx);
        buf_deinit(&frame);
    }
    client_drain(n, c, fx);
}
