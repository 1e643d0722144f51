/* sim_client.c: a client that knows what it may see. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "sim.h"
#include "wire/dec.h"
#include "wire/records.h"
#include "wire/zk.h"

static void key_path(int key, char out[32])
{
    snprintf(out, 32, "/k%d", key);
}

static void send_frame(struct sim *s, struct sim_client *c, struct buf *frame)
{
    struct node_event ev = {
        .type = NODE_CLIENT_FRAME, .client = c->connection, .frame = buf_slice(frame)};
    sim_step(s, &ev);
    buf_deinit(frame);
}

static void connect_now(struct sim *s, struct sim_client *c)
{
    c->connection = ++s->next_connection;
    c->ready = false;
    c->head = c->count = 0;
    struct node_event ev = {.type = NODE_CLIENT_OPEN, .client = c->connection};
    ev.open.address = slice_str("127.0.0.1");
    sim_step(s, &ev);

    struct rec_connect_request req = {
        .time_out = 1000 + (int32_t)sim_random(s, 4000),
        .session_id = c->session_id,
        .passwd = slice_of(c->password, sizeof c->password),
        .has_read_only = sim_random(s, 2) == 0,
    };
    struct buf frame = {0};
    rec_put_connect_request(&frame, &req);
    send_frame(s, c, &frame);
}

static void remember(struct sim_client *c, struct sim_request r)
{
    c->inflight[(c->head + c->count) % SIM_INFLIGHT_MAX] = r;
    c->count++;
}

static void begin_request(struct sim_client *c, struct buf *frame, struct sim_request *r,
                          int32_t op)
{
    r->op = op;
    r->xid = op == ZK_OP_PING ? ZK_XID_PING : ++c->next_xid;
    rec_put_request_header(frame, &(struct rec_request_header){.xid = r->xid, .type = op});
}

static struct rec_vec open_acl(struct buf *scratch)
{
    struct rec_acl acl = {.perms = ZK_PERM_ALL,
                          .id = {.scheme = slice_str("world"), .id = slice_str("anyone")}};
    rec_put_acl(scratch, &acl);
    return (struct rec_vec){.count = 1, .raw = buf_slice(scratch)};
}

static void put_create(struct buf *frame, const char *path, int32_t flags, uint64_t value)
{
    struct buf scratch = {0};
    struct rec_create_request req = {.path = slice_str(path),
                                     .data = slice_of(&value, sizeof value),
                                     .acl = open_acl(&scratch),
                                     .flags = flags};
    rec_put_create_request(frame, &req);
    buf_deinit(&scratch);
}

static void put_multi(struct sim *s, struct buf *frame, const char *path, uint64_t value)
{
    struct rec_multi_header h = {.type = ZK_OP_SET_DATA, .done = false, .err = -1};
    rec_put_multi_header(frame, &h);
    rec_put_set_data_request(frame, &(struct rec_set_data_request){.path = slice_str(path),
                                                                   .data = slice_of(&value, 8),
                                                                   .version = -1});
    /* Half of them fail at their second part and must leave no trace. */
    if (sim_random(s, 2) == 0) {
        h.type = ZK_OP_CHECK;
        rec_put_multi_header(frame, &h);
        rec_put_check_version_request(frame, &(struct rec_check_version_request){
                                                 .path = slice_str("/nowhere"), .version = 0});
    }
    rec_put_multi_header(frame, &(struct rec_multi_header){.type = -1, .done = true, .err = -1});
}

static void request(struct sim *s, struct sim_client *c)
{
    struct buf frame = {0};
    struct sim_request r = {.key = (int)sim_random(s, SIM_KEYS)};
    char path[64];
    key_path(r.key, path);
    switch (sim_random(s, 12)) {
    case 0:
        begin_request(c, &frame, &r, ZK_OP_PING);
        break;
    case 1:
        begin_request(c, &frame, &r, ZK_OP_CREATE);
        put_create(&frame, path, ZK_CREATE_PERSISTENT, 0);
        break;
    case 2:
        snprintf(path, sizeof path, "/e-%d-", c->index);
        begin_request(c, &frame, &r, ZK_OP_CREATE2);
        put_create(&frame, path, ZK_CREATE_EPHEMERAL_SEQUENTIAL, 0);
        break;
    case 3:
        r.value = ++s->next_value;
        begin_request(c, &frame, &r, ZK_OP_MULTI);
        put_multi(s, &frame, path, r.value);
        break;
    case 4:
    case 5:
    case 6:
        r.value = ++s->next_value;
        begin_request(c, &frame, &r, ZK_OP_SET_DATA);
        rec_put_set_data_request(
            &frame, &(struct rec_set_data_request){
                        .path = slice_str(path), .data = slice_of(&r.value, 8), .version = -1});
        break;
    default:
        r.watch = sim_random(s, 3) == 0;
        begin_request(c, &frame, &r, ZK_OP_GET_DATA);
        rec_put_get_data_request(
            &frame, &(struct rec_get_data_request){.path = slice_str(path), .watch = r.watch});
        break;
    }
    remember(c, r);
    send_frame(s, c, &frame);
}

static void close_session(struct sim *s, struct sim_client *c)
{
    struct buf frame = {0};
    struct sim_request r = {0};
    begin_request(c, &frame, &r, ZK_OP_CLOSE_SESSION);
    remember(c, r);
    send_frame(s, c, &frame);
}

void sim_client_act(struct sim *s, struct sim_client *c)
{
    if (s->now_ns < c->silent_until_ns)
        return;
    if (c->connection == 0) {
        connect_now(s, c);
        return;
    }
    if (!c->ready || c->count >= SIM_INFLIGHT_MAX - 1)
        return;
    uint64_t dice = sim_random(s, 400);
    if (dice == 0) {
        struct node_event ev = {.type = NODE_CLIENT_CLOSED, .client = c->connection};
        sim_client_dropped(s, c);
        sim_step(s, &ev);
        c->silent_until_ns = s->now_ns + (int64_t)sim_random(s, 8) * 1000000000;
    } else if (dice == 1) {
        close_session(s, c);
    } else if (dice == 2) {
        c->silent_until_ns = s->now_ns + (int64_t)sim_random(s, 8) * 1000000000;
    } else {
        request(s, c);
    }
}

void sim_client_dropped(struct sim *s, struct sim_client *c)
{
    (void)s;
    c->connection = 0;
    c->ready = false;
    c->head = c->count = 0;
    for (int k = 0; k < SIM_KEYS; k++)
        c->watched_version[k] = -1;
}

static void count_ephemeral(void *arg, struct slice path)
{
    (void)path;
    (*(uint64_t *)arg)++;
}

/* The server has committed the end of a session. */
void sim_check_session_gone(struct sim *s, int64_t session_id)
{
    uint64_t left = 0;
    tree_ephemerals_of(node_tree(s->node), session_id, count_ephemeral, &left);
    if (left > 0)
        sim_violate(s, "session %llx is over, %llu ephemerals are left",
                    (unsigned long long)session_id, (unsigned long long)left);
}

void sim_client_forget_session(struct sim_client *c)
{
    c->session_over = false;
    c->session_id = 0;
    memset(c->password, 0, sizeof c->password);
    c->ephemerals_acked = 0;
    for (int k = 0; k < SIM_KEYS; k++)
        c->seen_version[k] = -1;
}

static void connect_answered(struct sim *s, struct sim_client *c, struct slice body)
{
    struct dec d = dec_of(body);
    d.at += 4;
    int32_t timeout = dec_i32(&d);
    int64_t session = dec_i64(&d);
    struct slice password = dec_buffer(&d);
    if (d.bad || password.len != SESSION_PASSWORD_BYTES) {
        sim_violate(s, "client %d: malformed connect response", c->index);
        return;
    }
    if (timeout == 0) {
        sim_client_forget_session(c);
        return;
    }
    if (c->session_id != 0 && session != c->session_id)
        sim_violate(s, "client %d: asked to renew a session, was given another", c->index);
    c->session_id = session;
    memcpy(c->password, password.ptr, password.len);
    c->ready = true;
}

/* A version of a key was seen or acknowledged: from now on it is a fact. */
static void version_seen(struct sim *s, struct sim_client *c, int key, int32_t version,
                         uint64_t value)
{
    if (version < 0 || version >= SIM_VERSIONS_MAX)
        return;
    if (version < c->seen_version[key])
        sim_violate(s, "client %d: /k%d went back from version %d to %d", c->index, key,
                    c->seen_version[key], version);
    c->seen_version[key] = version;
    uint64_t *known = &s->value_of[key][version];
    if (*known != 0 && *known != value)
        sim_violate(s, "client %d: /k%d version %d was %llu and is %llu", c->index, key, version,
                    (unsigned long long)*known, (unsigned long long)value);
    *known = value;
    if (version > s->floor_version[key])
        s->floor_version[key] = version;
}

static void read_answered(struct sim *s, struct sim_client *c, const struct sim_request *r,
                          struct dec *d)
{
    struct rec_get_data_response rsp;
    if (!rec_get_get_data_response(d, &rsp) || rsp.data.len != 8) {
        sim_violate(s, "client %d: malformed getData response", c->index);
        return;
    }
    uint64_t value;
    memcpy(&value, rsp.data.ptr, 8);
    int32_t watched = c->watched_version[r->key];
    if (watched >= 0 && rsp.stat.version > watched)
        sim_violate(s, "client %d: /k%d shows version %d before the watch of %d spoke", c->index,
                    r->key, rsp.stat.version, watched);
    if (rsp.stat.version > 0)
        version_seen(s, c, r->key, rsp.stat.version, value);
    if (r->watch && watched < 0)
        c->watched_version[r->key] = rsp.stat.version;
}

static void multi_answered(struct sim *s, struct sim_client *c, const struct sim_request *r,
                           struct dec *d)
{
    struct rec_multi_header h;
    if (!rec_get_multi_header(d, &h)) {
        sim_violate(s, "client %d: malformed multi response", c->index);
        return;
    }
    struct rec_set_data_response rsp;
    if (h.type == ZK_OP_SET_DATA && rec_get_set_data_response(d, &rsp))
        version_seen(s, c, r->key, rsp.stat.version, r->value);
}

static void answered(struct sim *s, struct sim_client *c, const struct sim_request *r,
                     const struct rec_reply_header *h, struct dec *d)
{
    s->acked++;
    if (r->op == ZK_OP_CLOSE_SESSION) {
        c->session_over = true;
        return;
    }
    if (h->err != 0)
        return;
    struct rec_set_data_response set;
    switch (r->op) {
    case ZK_OP_GET_DATA:
        read_answered(s, c, r, d);
        break;
    case ZK_OP_SET_DATA:
        if (rec_get_set_data_response(d, &set))
            version_seen(s, c, r->key, set.stat.version, r->value);
        break;
    case ZK_OP_MULTI:
        multi_answered(s, c, r, d);
        break;
    case ZK_OP_CREATE2:
        c->ephemerals_acked++;
        break;
    default:
        break;
    }
}

static void notified(struct sim_client *c, struct dec *d)
{
    struct rec_watcher_event ev;
    if (!rec_get_watcher_event(d, &ev) || ev.path.len < 3 || ev.path.ptr[1] != 'k')
        return;
    int key = ev.path.ptr[2] - '0';
    if (key >= 0 && key < SIM_KEYS)
        c->watched_version[key] = -1;
}

static void receive_frame(struct sim *s, struct sim_client *c, struct slice body)
{
    if (!c->ready) {
        connect_answered(s, c, body);
        return;
    }
    struct dec d = dec_of(body);
    struct rec_reply_header h;
    if (!rec_get_reply_header(&d, &h)) {
        sim_violate(s, "client %d: malformed reply header", c->index);
        return;
    }
    if (h.xid == ZK_XID_NOTIFICATION) {
        notified(c, &d);
        return;
    }
    if (c->count == 0) {
        sim_violate(s, "client %d: a reply nobody asked for, xid %d", c->index, h.xid);
        return;
    }
    struct sim_request r = c->inflight[c->head];
    c->head = (c->head + 1) % SIM_INFLIGHT_MAX;
    c->count--;
    if (h.xid != r.xid) {
        sim_violate(s, "client %d: reply to xid %d, expected %d", c->index, h.xid, r.xid);
        return;
    }
    answered(s, c, &r, &h, &d);
}

void sim_client_receive(struct sim *s, struct sim_client *c, struct slice frames)
{
    while (frames.len >= 4 && s->violation[0] == 0) {
        size_t len = load_be32(frames.ptr);
        if (len > frames.len - 4) {
            sim_violate(s, "client %d: a frame longer than what was sent", c->index);
            return;
        }
        receive_frame(s, c, slice_of(frames.ptr + 4, len));
        frames = slice_from(frames, 4 + len);
    }
}

/* After a crash: everything that was acknowledged or read is there. */
void sim_check_recovered(struct sim *s)
{
    const struct tree *t = node_tree(s->node);
    for (int k = 0; k < SIM_KEYS; k++) {
        char path[32];
        key_path(k, path);
        const struct znode *z = tree_find(t, slice_str(path));
        int32_t version = z ? z->version : -1;
        if (version < s->floor_version[k])
            sim_violate(s, "after the crash %s is at version %d, %d was acknowledged", path,
                        version, s->floor_version[k]);
        for (int32_t v = version + 1; v < SIM_VERSIONS_MAX && s->value_of[k][v] != 0; v++)
            s->value_of[k][v] = 0;
    }
    for (int i = 0; i < SIM_CLIENTS; i++) {
        struct sim_client *c = &s->clients[i];
        if (c->session_id == 0 || session_find(node_sessions(s->node), c->session_id) == NULL)
            continue;
        uint64_t there = 0;
        tree_ephemerals_of(t, c->session_id, count_ephemeral, &there);
        if (there < c->ephemerals_acked)
            sim_violate(s, "client %d: %llu ephemerals acknowledged, %llu recovered", i,
                        (unsigned long long)c->ephemerals_acked, (unsigned long long)there);
    }
}
