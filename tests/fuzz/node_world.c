#include "node_world.h"

#include "base/mem.h"
#include "gen.h"
#include "tree/apply.h"
#include "tree/snapshot.h"
#include "tree_verify.h"
#include "wire/records.h"
#include "wire/zk.h"

/* Sessions as a snapshot has them: 0x1000 owns ephemerals in the populated tree. Those of 0x1001,
 * which is not among them, belong to nobody and must go. */
static const struct snapshot_session SESSIONS[] = {{0x1000, 5000}, {0x43, 6000}};

static struct tree *empty_tree(void)
{
    struct tree_options options = {
        .hash_seed = 3, .digest_enabled = true, .extended_types_enabled = true};
    return tree_create(&options);
}

/* What the state begins with. */
static struct tree *used_tree(void)
{
    struct tree *t = empty_tree();
    gen_populate(t);
    return t;
}

/* ---- connections ---- */

struct connection *world_free_slot(struct world *w)
{
    for (int i = 0; i < CONNECTIONS; i++)
        if (w->connections[i].state == CONNECTION_FREE)
            return &w->connections[i];
    return NULL;
}

void world_open(struct world *w, struct connection *c)
{
    /* Field by field: the two arrays need no clearing. */
    c->id = ++w->next_connection;
    c->state = CONNECTION_NEW;
    c->last_xid = 0;
    c->paused = false;
    c->session_id = 0;
    c->frames = c->expected_at = c->expected_count = c->aside_count = 0;
}

struct connection *world_some_connection(struct world *w, uint8_t which)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &w->connections[(which + i) % CONNECTIONS];
        if (c->state != CONNECTION_FREE)
            return c;
    }
    return NULL;
}

static struct connection *find(struct world *w, uint64_t id)
{
    for (int i = 0; i < CONNECTIONS; i++)
        if (w->connections[i].state != CONNECTION_FREE && w->connections[i].id == id)
            return &w->connections[i];
    return NULL;
}

/* ---- replies ---- */

static bool answered_at_once(int32_t op)
{
    switch (op) {
    case ZK_OP_CREATE:
    case ZK_OP_DELETE:
    case ZK_OP_EXISTS:
    case ZK_OP_GET_DATA:
    case ZK_OP_SET_DATA:
    case ZK_OP_GET_ACL:
    case ZK_OP_SET_ACL:
    case ZK_OP_GET_CHILDREN:
    case ZK_OP_SYNC:
    case ZK_OP_PING:
    case ZK_OP_GET_CHILDREN2:
    case ZK_OP_MULTI:
    case ZK_OP_CREATE2:
    case ZK_OP_RECONFIG:
    case ZK_OP_CHECK_WATCHES:
    case ZK_OP_REMOVE_WATCHES:
    case ZK_OP_CREATE_CONTAINER:
    case ZK_OP_DELETE_CONTAINER:
    case ZK_OP_CREATE_TTL:
    case ZK_OP_MULTI_READ:
    case ZK_OP_SET_WATCHES:
    case ZK_OP_GET_EPHEMERALS:
    case ZK_OP_GET_ALL_CHILDREN_NUMBER:
    case ZK_OP_SET_WATCHES2:
    case ZK_OP_ADD_WATCH:
    case ZK_OP_WHO_AM_I:
    case ZK_OP_CLOSE_SESSION:
        return false;
    default:
        return true;
    }
}

static void expect(struct connection *c, struct slice frame)
{
    struct dec d = dec_of(frame);
    struct rec_request_header h;
    if (!rec_get_request_header(&d, &h) || h.xid <= 0)
        return;
    c->frames++;
    struct expected e = {h.xid, h.type};
    if (answered_at_once(h.type)) {
        c->aside[c->aside_count++] = e;
        return;
    }
    /* Where authentication is enforced, a refusal comes at once, and the end. */
    c->aside[c->aside_count++] = (struct expected){h.xid, ZK_OP_ERROR};
    if (h.type == ZK_OP_PING)
        return; /* answered as -2, whatever its number; but refused under it */
    c->expected[c->expected_at + c->expected_count++] = e;
}

#define BODY(op, record)                                                                           \
    case op:                                                                                       \
        rec_get_##record(d, &(struct rec_##record){0});                                            \
        break;

/* A reply without an error has the record of its operation, whole, and nothing behind it. */
static void check_body(int32_t op, struct dec *d)
{
    switch (op) {
        BODY(ZK_OP_CREATE, create_response)
        BODY(ZK_OP_CREATE2, create2_response)
        BODY(ZK_OP_CREATE_TTL, create2_response)
        BODY(ZK_OP_CREATE_CONTAINER, create2_response)
        BODY(ZK_OP_EXISTS, exists_response)
        BODY(ZK_OP_GET_DATA, get_data_response)
        BODY(ZK_OP_SET_DATA, set_data_response)
        BODY(ZK_OP_GET_ACL, get_acl_response)
        BODY(ZK_OP_SET_ACL, set_acl_response)
        BODY(ZK_OP_GET_CHILDREN, get_children_response)
        BODY(ZK_OP_GET_CHILDREN2, get_children2_response)
        BODY(ZK_OP_SYNC, sync_response)
        BODY(ZK_OP_GET_EPHEMERALS, get_ephemerals_response)
        BODY(ZK_OP_GET_ALL_CHILDREN_NUMBER, get_all_children_number_response)
        BODY(ZK_OP_ADD_WATCH, error_response)
        BODY(ZK_OP_WHO_AM_I, who_am_i_response)
    case ZK_OP_MULTI:
    case ZK_OP_MULTI_READ: {
        struct rec_multi_header h = {0};
        while (rec_get_multi_header(d, &h) && !h.done) {
            FUZZ_CHECK(h.type != ZK_OP_MULTI && h.type != ZK_OP_MULTI_READ, "parts are single");
            if (h.type == ZK_OP_ERROR)
                rec_get_error_response(d, &(struct rec_error_response){0});
            else if (h.type != ZK_OP_DELETE && h.type != ZK_OP_CHECK)
                check_body(h.type, d);
        }
        FUZZ_CHECK(h.done, "a multi ends with its end");
        break;
    }
    default: /* no record */
        break;
    }
    FUZZ_CHECK(!d->bad, "the record of the operation");
}

static void on_reply(struct connection *c, const struct rec_reply_header *h, struct dec *d)
{
    struct expected *head = &c->expected[c->expected_at];
    if (c->expected_count > 0 && head->xid == h->xid) {
        c->expected_at++;
        c->expected_count--;
        if (h->err == 0)
            check_body(head->op, d);
        bool keeps_body = head->op == ZK_OP_MULTI_READ && h->err == ZK_MARSHALLINGERROR;
        FUZZ_CHECK(dec_left(d) == 0 || keeps_body, "nothing behind it");
        return;
    }
    bool aside = false, sasl = false;
    for (size_t i = 0; i < c->aside_count; i++) {
        bool same = c->aside[i].xid == h->xid;
        aside |= same && (c->aside[i].op != ZK_OP_ERROR || h->err != 0);
        sasl |= same && c->aside[i].op == ZK_OP_SASL;
    }
    FUZZ_CHECK(aside, "replies come in the order of requests");
    FUZZ_CHECK(dec_left(d) == 0 || sasl, "nothing behind a header");
}

static void remember_session(struct world *w, int64_t id, struct slice password)
{
    struct known_session *s = &w->known_sessions[w->known_count++ % KNOWN_SESSIONS];
    s->id = id;
    memcpy(s->password, password.ptr, sizeof s->password);
}

static void on_connected(struct world *w, struct connection *c, struct slice body)
{
    struct dec d = dec_of(body);
    struct rec_connect_response rsp;
    FUZZ_CHECK(rec_get_connect_response(&d, &rsp) && dec_left(&d) == 0, "a connect response");
    FUZZ_CHECK(rsp.passwd.len == SESSION_PASSWORD_BYTES, "with a password");
    FUZZ_CHECK((rsp.time_out == 0) == (rsp.session_id == 0), "a session or none");
    c->state = CONNECTION_READY;
    c->session_id = rsp.session_id;
    if (rsp.session_id != 0)
        remember_session(w, rsp.session_id, rsp.passwd);
}

static void on_frame(struct world *w, struct connection *c, struct slice body)
{
    if (c->state == CONNECTION_WAITING) {
        on_connected(w, c, body);
        return;
    }
    struct dec d = dec_of(body);
    struct rec_reply_header h;
    FUZZ_CHECK(c->state == CONNECTION_READY, "no reply before the session is there");
    FUZZ_CHECK(rec_get_reply_header(&d, &h), "a reply header");
    if (h.xid > 0) {
        on_reply(c, &h, &d);
    } else if (h.xid == ZK_XID_NOTIFICATION && h.err == 0 && dec_left(&d) > 0) {
        struct rec_watcher_event ev;
        /* A client may number its requests -1 as well: then this is a reply to one of them. */
        rec_get_watcher_event(&d, &ev);
    }
}

/* ---- effects ---- */

static struct slice arena(const struct buf *b, size_t at, size_t len)
{
    FUZZ_CHECK(at <= b->len && len <= b->len - at, "bytes stand in the arena");
    return buf_part(b, at, len);
}

static void check_append(struct world *w, const struct persist_effect *p, struct slice bytes)
{
    struct txn_entry e;
    FUZZ_CHECK(p->ticket == w->last_ticket + 1, "tickets rise by one");
    FUZZ_CHECK(p->zxid == w->last_zxid + 1, "zxids rise by one");
    FUZZ_CHECK(txn_split(bytes, &e) == 0 && e.hdr.zxid == p->zxid, "an entry with its zxid");
    w->last_ticket = p->ticket;
    w->last_zxid = p->zxid;
    buf_put_i32(&w->log, (int32_t)bytes.len);
    buf_put_slice(&w->log, bytes);
}

static void check_snapshot_loads(struct world *w)
{
    struct tree *t = empty_tree();
    struct snapshot_loader *l = snapshot_loader_create(t);
    size_t used = 0;
    bool done = false;
    int rc = snapshot_loader_feed(l, buf_slice(&w->snapshot), &used, &done, NULL);
    FUZZ_CHECK(rc == 0 && done && used == w->snapshot.len, "the snapshot can be loaded");
    FUZZ_CHECK_NULL(tree_verify(t, true));
    FUZZ_CHECK(tree_digest(t) == w->snapshot_digest, "its digest is the one promised");
    snapshot_loader_free(l);
    tree_free(t);
}

static void check_persist(struct world *w, const struct persist_effect *p)
{
    struct slice bytes = arena(&w->fx.persist_bytes, p->at, p->len);
    switch (p->type) {
    case PERSIST_APPEND:
        check_append(w, p, bytes);
        return;
    case PERSIST_ROLL:
        return;
    case PERSIST_SNAPSHOT_BEGIN:
        FUZZ_CHECK(!w->snapshot_open && !w->snapshot_whole, "one snapshot at a time");
        buf_clear(&w->snapshot);
        w->snapshot_open = true;
        w->snapshot_zxid = p->zxid;
        w->snapshot_digest = p->digest;
        break;
    case PERSIST_SNAPSHOT_CHUNK:
    case PERSIST_SNAPSHOT_END:
        FUZZ_CHECK(w->snapshot_open && p->zxid == w->snapshot_zxid, "a part of the open one");
        break;
    case PERSIST_SNAPSHOT_ABORT:
        w->snapshot_open = false;
        return;
    default:
        FUZZ_CHECK(false, "a server that stands alone asks for nothing else");
        return;
    }
    buf_put_slice(&w->snapshot, bytes);
    if (p->type == PERSIST_SNAPSHOT_END) {
        FUZZ_CHECK(p->digest == w->snapshot_digest, "one digest");
        check_snapshot_loads(w);
        w->snapshot_open = false;
        w->snapshot_whole = true;
    }
}

static void check_send(struct world *w, const struct send_effect *s)
{
    struct slice frames = arena(&w->fx.send_bytes, s->at, s->len);
    struct connection *c = find(w, s->client);
    FUZZ_CHECK(c != NULL && c->state != CONNECTION_CLOSING, "sent to a connection that is open");
    FUZZ_CHECK(s->after <= w->last_ticket, "waits for nothing that nobody appended");
    while (frames.len > 0) {
        FUZZ_CHECK(frames.len >= 4, "whole frames");
        size_t len = load_be32(frames.ptr);
        FUZZ_CHECK(len <= frames.len - 4, "whole frames only");
        on_frame(w, c, slice_of(frames.ptr + 4, len));
        frames = slice_from(frames, 4 + len);
    }
}

static void check_effects(struct world *w)
{
    struct effects *fx = &w->fx;
    for (size_t i = 0; i < fx->persist_count; i++)
        check_persist(w, &fx->persists[i]);
    for (size_t i = 0; i < fx->send_count; i++)
        check_send(w, &fx->sends[i]);
    for (size_t i = 0; i < fx->close_count; i++) {
        struct connection *c = find(w, fx->closes[i].client);
        FUZZ_CHECK(c != NULL && c->state != CONNECTION_CLOSING, "an open connection is closed");
        FUZZ_CHECK(fx->closes[i].reason != NULL, "with a reason");
        c->state = CONNECTION_CLOSING;
    }
    for (size_t i = 0; i < fx->read_count; i++) {
        struct connection *c = find(w, fx->reads[i].client);
        FUZZ_CHECK(c != NULL && c->paused != fx->reads[i].pause, "a pause is one, and ends once");
        c->paused = fx->reads[i].pause;
    }
    FUZZ_CHECK(fx->deadline_ns != INT64_MIN, "a deadline is set");
}

static void step_once(struct world *w, struct node_event *ev)
{
    ev->now_ns = w->now_ns;
    ev->wall_ms = 1700000000000 + w->now_ns / 1000000;
    effects_clear(&w->fx);
    w->fx.deadline_ns = INT64_MIN;
    int64_t before = tree_last_zxid(node_tree(w->node));
    node_step(w->node, ev, &w->fx);
    w->stopped |= ev->type == NODE_STOP;
    w->failed |= ev->type == NODE_DISK_FAILED;
    check_effects(w);
    if (before != tree_last_zxid(node_tree(w->node)))
        FUZZ_CHECK_NULL(tree_verify(node_tree(w->node), true));
}

/* A deadline that is over already asks for another slice at once. That must come to an end, or the
 * driver would never sleep again. */
void world_step(struct world *w, struct node_event *ev)
{
    step_once(w, ev);
    for (int slices = 0; w->fx.deadline_ns <= w->now_ns; slices++) {
        FUZZ_CHECK(slices < 100, "the deadlines move into the future");
        step_once(w, &(struct node_event){.type = NODE_TICK});
    }
}

/* ---- the driver ---- */

void world_send(struct world *w, struct connection *c, struct slice frame)
{
    if (c->frames == EXPECTED_MAX)
        return;
    if (c->state == CONNECTION_NEW && !w->stopped)
        c->state = CONNECTION_WAITING;
    else if (!w->stopped && c->state != CONNECTION_CLOSING)
        expect(c, frame);
    /* An own copy, so that a read behind its end is seen. */
    uint8_t *copy = frame.len > 0 ? mem_dup(frame.ptr, frame.len) : mem_alloc(1);
    struct node_event ev = {
        .type = NODE_CLIENT_FRAME, .client = c->id, .frame = slice_of(copy, frame.len)};
    world_step(w, &ev);
    free(copy);
}

void world_close(struct world *w, struct connection *c)
{
    struct node_event ev = {.type = NODE_CLIENT_CLOSED, .client = c->id};
    c->state = CONNECTION_FREE;
    world_step(w, &ev);
}

void world_durable(struct world *w, uint64_t ticket)
{
    if (w->failed)
        return;
    w->durable = ticket < w->last_ticket ? ticket : w->last_ticket;
    world_step(w, &(struct node_event){.type = NODE_DURABLE, .ticket = w->durable});
}

void world_snapshot_done(struct world *w, bool failed)
{
    if (!w->snapshot_whole && !(failed && w->snapshot_open))
        return;
    w->snapshot_open = w->snapshot_whole = false;
    struct node_event ev = {.type = NODE_SNAPSHOT_DONE};
    ev.snapshot_done.zxid = w->snapshot_zxid;
    ev.snapshot_done.failed = failed;
    world_step(w, &ev);
}

void world_replace_state(struct world *w)
{
    /* The driver lets the log catch up and ends a snapshot that is under way, then a new one is
     * written at once: the log before it is of no use any more. */
    world_durable(w, w->last_ticket);
    if (w->failed || w->replaced == REPLACED_MAX)
        return;
    w->replaced++;
    w->first_zxid = w->last_zxid += 5;
    struct node_event ev = {.type = NODE_REPLACE_STATE};
    ev.replace.tree = used_tree();
    tree_set_last_zxid(ev.replace.tree, w->first_zxid);
    ev.replace.sessions = SESSIONS;
    ev.replace.session_count = 2;
    w->snapshot_open = w->snapshot_whole = false;
    buf_clear(&w->log);
    world_step(w, &ev);
}

static void ignore_client(void *arg, const struct node_client_view *view)
{
    size_t *count = arg;
    FUZZ_CHECK(view->last_op != NULL && view->who.count > 0, "a connection can be shown");
    (*count)++;
}

void world_look(struct world *w)
{
    size_t count = 0;
    node_each_client(w->node, ignore_client, &count);
    FUZZ_CHECK(count == node_client_count(w->node), "every connection is shown");
    node_reset_client_stats(w->node);
    node_reset_stats(w->node);
    struct identities nobody = {0};
    node_check_acl(w->node, slice_str("/a"), ZK_PERM_READ, nobody);
}

/* The log alone makes the same tree. */
static void check_replay(struct world *w)
{
    struct tree *t = used_tree();
    struct tree_effects fx = {0};
    tree_set_last_zxid(t, w->first_zxid);
    tree_kill_session(t, 0x1001, w->first_zxid, &fx);
    struct dec d = dec_of(buf_slice(&w->log));
    while (dec_left(&d) > 0) {
        struct txn_entry e;
        FUZZ_CHECK(txn_split(dec_buffer(&d), &e) == 0, "an entry");
        int rc = tree_apply(t, &e.hdr, e.body, e.has_digest ? &e.digest : NULL, &fx);
        FUZZ_CHECK(rc == 0 && !fx.digest_mismatch, "replays with its digest");
    }
    FUZZ_CHECK_NULL(tree_differ(node_tree(w->node), t));
    tree_effects_deinit(&fx);
    tree_free(t);
}

void world_settle(struct world *w)
{
    world_look(w);
    if (!w->failed) {
        for (int i = 0; i < 4; i++)
            world_durable(w, w->last_ticket);
        for (int i = 0; i < CONNECTIONS; i++) {
            struct connection *c = &w->connections[i];
            if (c->state != CONNECTION_READY)
                continue;
            FUZZ_CHECK(c->expected_count == 0, "every request was answered");
            FUZZ_CHECK(!c->paused, "nobody is paused for ever");
        }
        check_replay(w);
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        if (w->connections[i].state != CONNECTION_FREE)
            world_close(w, &w->connections[i]);
    }
    FUZZ_CHECK(node_outstanding(w->node) == 0, "nobody waits");
    FUZZ_CHECK(watch_count(node_watches(w->node)) == 0, "nobody watches");
}

/* ---- life ---- */

void world_init(struct world *w, const struct node_options *options)
{
    memset(w, 0, sizeof *w);
    w->options = *options;
    w->now_ns = 1000000000;
    w->connections = mem_calloc(CONNECTIONS, sizeof *w->connections);
    w->first_zxid = w->last_zxid = GEN_POPULATED_ZXID;
    w->node = node_create(options, used_tree(), SESSIONS, 2, w->now_ns);
    for (int i = 0; i < 2; i++) {
        struct known_session *s = &w->known_sessions[w->known_count++];
        s->id = SESSIONS[i].id;
        session_password(s->id, s->password);
    }
    FUZZ_CHECK_NULL(tree_verify(node_tree(w->node), false));
}

void world_deinit(struct world *w)
{
    node_free(w->node);
    effects_deinit(&w->fx);
    buf_deinit(&w->log);
    buf_deinit(&w->snapshot);
    free(w->connections);
}
