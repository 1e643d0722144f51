/* client.c: sessions and connections of a client; what it asks for. */
#include "client.h"

#include <stdio.h>

#include "base/buf.h"
#include "wire/zk.h"
#include "world.h"

static const int64_t NS_PER_MS = 1000000;

void path_text(int path, char out[32])
{
    if (path == PATH_CROWD)
        snprintf(out, 32, "/p");
    else
        snprintf(out, 32, "/k%d", path);
}

void client_init(struct world *w, int index)
{
    struct sim_client *c = &w->clients[index];
    *c = (struct sim_client){.index = index, .server = -1, .pinned = -1};
}

/* ---- connections ---- */

static void send_frame(struct world *w, struct sim_client *c, const struct buf *body)
{
    struct buf frame = {0};
    buf_put_i32(&frame, (int32_t)body->len);
    buf_put_slice(&frame, buf_slice(body));
    c->last_sent_ns = w->now_ns;
    net_send(w, SERVERS_MAX + c->index, c->stream, buf_slice(&frame));
    buf_deinit(&frame);
}

static void connect_somewhere(struct world *w, struct sim_client *c)
{
    c->server = c->pinned >= 0 ? c->pinned : (int)world_random(w, (uint64_t)w->server_count);
    c->connecting = true;
    c->stream = net_connect(w, STREAM_CLIENT, SERVERS_MAX + c->index, 0, c->server);
}

void client_connected(struct world *w, int index)
{
    struct sim_client *c = &w->clients[index];
    c->connecting = false;
    c->connected = true;
    c->last_heard_ns = w->now_ns;
    struct rec_connect_request req = {
        .last_zxid_seen = c->last_zxid,
        .time_out = w->profile.session_timeout_ms + (int32_t)world_random(w, 500),
        .session_id = c->session_id,
        .passwd = slice_of(c->password, sizeof c->password),
        .has_read_only = world_random(w, 2) == 0,
    };
    struct buf body = {0};
    rec_put_connect_request(&body, &req);
    send_frame(w, c, &body);
    buf_deinit(&body);
}

void client_dropped(struct world *w, int index)
{
    struct sim_client *c = &w->clients[index];
    c->connecting = c->connected = c->ready = false;
    c->persistent = false;
    c->head = c->count = 0;
    c->stream = 0;
    c->connect_after_ns = w->now_ns + (int64_t)world_random(w, 60) * NS_PER_MS;
}

static void hang_up(struct world *w, struct sim_client *c)
{
    net_close(w, SERVERS_MAX + c->index, c->stream);
    client_dropped(w, c->index);
}

void client_leave(struct world *w, struct sim_client *c)
{
    if (c->connecting || c->connected)
        hang_up(w, c);
}

static void forget_session(struct sim_client *c)
{
    c->session_id = 0;
    memset(c->password, 0, sizeof c->password);
    memset(c->watches, 0, sizeof c->watches);
    c->persistent_wanted = c->persistent = false;
    c->ephemeral[0] = 0;
    c->last_zxid = 0;
    c->next_xid = 0;
    c->heard_count = 0;
}

/* ---- requests ---- */

static struct sim_request begin_request(struct world *w, struct sim_client *c, struct buf *body,
                                        int32_t op)
{
    struct sim_request r = {.op = op, .path = -1};
    if (op == ZK_OP_PING)
        r.xid = ZK_XID_PING;
    else if (op == ZK_OP_SET_WATCHES2)
        r.xid = ZK_XID_SET_WATCHES;
    else
        r.xid = ++c->next_xid;
    check_write_sent(w, &r);
    rec_put_request_header(body, &(struct rec_request_header){.xid = r.xid, .type = op});
    return r;
}

static void send_request(struct world *w, struct sim_client *c, struct sim_request r,
                         struct buf *body)
{
    c->inflight[(c->head + c->count) % INFLIGHT_MAX] = r;
    c->count++;
    w->stats.requests++;
    char path[32] = "";
    if (r.path >= 0)
        path_text(r.path, path);
    if (r.op != ZK_OP_PING)
        world_trace(w, SERVERS_MAX + c->index, "asks %s %s (xid %d)%s", zk_op_name(r.op), path,
                    r.xid, r.watch ? " and watches" : "");
    send_frame(w, c, body);
    buf_deinit(body);
}

static struct rec_vec open_acl(struct buf *scratch)
{
    struct rec_acl acl = {.perms = ZK_PERM_ALL,
                          .id = {.scheme = slice_str("world"), .id = slice_str("anyone")}};
    rec_put_acl(scratch, &acl);
    return (struct rec_vec){.count = 1, .raw = buf_slice(scratch)};
}

static void put_create(struct buf *body, const char *path, int32_t flags, uint64_t value)
{
    struct buf scratch = {0};
    struct rec_create_request req = {.path = slice_str(path),
                                     .data = slice_of(&value, sizeof value),
                                     .acl = open_acl(&scratch),
                                     .flags = flags};
    rec_put_create_request(body, &req);
    buf_deinit(&scratch);
}

static void put_set(struct buf *body, const char *path, uint64_t value, int32_t version)
{
    rec_put_set_data_request(body, &(struct rec_set_data_request){.path = slice_str(path),
                                                                  .data = slice_of(&value, 8),
                                                                  .version = version});
}

/* A write under a condition: half of them fail at it and must leave no trace. */
static void put_multi(struct world *w, struct buf *body, const char *path, uint64_t value)
{
    struct rec_multi_header h = {.type = ZK_OP_SET_DATA, .done = false, .err = -1};
    rec_put_multi_header(body, &h);
    put_set(body, path, value, ZK_VERSION_ANY);
    char other[32];
    path_text((int)world_random(w, PATHS_KEYS), other);
    h.type = ZK_OP_CHECK;
    rec_put_multi_header(body, &h);
    rec_put_check_version_request(
        body, &(struct rec_check_version_request){
                  .path = slice_str(world_random(w, 2) == 0 ? "/nowhere" : other), .version = -1});
    if (world_random(w, 2) == 0) {
        h.type = ZK_OP_SET_DATA;
        rec_put_multi_header(body, &h);
        put_set(body, other, value + 1, ZK_VERSION_ANY);
    }
    rec_put_multi_header(body, &(struct rec_multi_header){.type = -1, .done = true, .err = -1});
}

static void ask_ping(struct world *w, struct sim_client *c)
{
    struct buf body = {0};
    struct sim_request r = begin_request(w, c, &body, ZK_OP_PING);
    send_request(w, c, r, &body);
}

static void ask_create(struct world *w, struct sim_client *c, int path)
{
    struct buf body = {0};
    char text[32];
    path_text(path, text);
    struct sim_request r = begin_request(w, c, &body, ZK_OP_CREATE);
    r.path = path;
    put_create(&body, text, ZK_CREATE_PERSISTENT, ++w->next_value);
    send_request(w, c, r, &body);
}

static void ask_ephemeral(struct world *w, struct sim_client *c)
{
    struct buf body = {0};
    char text[64];
    bool sequential = world_random(w, 2) == 0;
    snprintf(text, sizeof text, "/p/e%d-", sequential ? c->index : (int)world_random(w, 4));
    struct sim_request r = begin_request(w, c, &body, ZK_OP_CREATE2);
    put_create(&body, text, sequential ? ZK_CREATE_EPHEMERAL_SEQUENTIAL : ZK_CREATE_EPHEMERAL,
               ++w->next_value);
    send_request(w, c, r, &body);
}

static void ask_delete(struct world *w, struct sim_client *c, const char *text, int path)
{
    struct buf body = {0};
    struct sim_request r = begin_request(w, c, &body, ZK_OP_DELETE);
    r.path = path;
    int32_t version = world_random(w, 2) == 0 ? ZK_VERSION_ANY : (int32_t)world_random(w, 4);
    rec_put_delete_request(
        &body, &(struct rec_delete_request){.path = slice_str(text), .version = version});
    send_request(w, c, r, &body);
}

static void ask_set(struct world *w, struct sim_client *c, int path, int32_t version)
{
    struct buf body = {0};
    char text[32];
    path_text(path, text);
    struct sim_request r = begin_request(w, c, &body, ZK_OP_SET_DATA);
    r.path = path;
    put_set(&body, text, ++w->next_value, version);
    send_request(w, c, r, &body);
}

static void ask_multi(struct world *w, struct sim_client *c, int path)
{
    struct buf body = {0};
    char text[32];
    path_text(path, text);
    struct sim_request r = begin_request(w, c, &body, ZK_OP_MULTI);
    w->next_value += 2;
    put_multi(w, &body, text, w->next_value);
    send_request(w, c, r, &body);
}

static void ask_read(struct world *w, struct sim_client *c, int path, int32_t op)
{
    struct buf body = {0};
    char text[32];
    path_text(path, text);
    struct sim_request r = begin_request(w, c, &body, op);
    r.path = path;
    r.watch = world_random(w, 3) == 0;
    /* All three have the same form. */
    rec_put_get_data_request(
        &body, &(struct rec_get_data_request){.path = slice_str(text), .watch = r.watch});
    send_request(w, c, r, &body);
}

static void ask_sync(struct world *w, struct sim_client *c)
{
    struct buf body = {0};
    struct sim_request r = begin_request(w, c, &body, ZK_OP_SYNC);
    rec_put_sync_request(&body, &(struct rec_sync_request){.path = slice_str("/")});
    send_request(w, c, r, &body);
}

static void ask_add_watch(struct world *w, struct sim_client *c)
{
    struct buf body = {0};
    struct sim_request r = begin_request(w, c, &body, ZK_OP_ADD_WATCH);
    r.path = PATH_CROWD;
    rec_put_add_watch_request(
        &body, &(struct rec_add_watch_request){.path = slice_str("/p"),
                                               .mode = ZK_ADD_WATCH_PERSISTENT_RECURSIVE});
    send_request(w, c, r, &body);
}

static void ask_close(struct world *w, struct sim_client *c)
{
    struct buf body = {0};
    struct sim_request r = begin_request(w, c, &body, ZK_OP_CLOSE_SESSION);
    send_request(w, c, r, &body);
}

void client_reconfigure(struct world *w, struct sim_client *c, const char *joining,
                        const char *leaving)
{
    if (!c->ready || c->count >= INFLIGHT_MAX - 2)
        return;
    struct buf body = {0};
    struct sim_request r = begin_request(w, c, &body, ZK_OP_RECONFIG);
    struct rec_reconfig_request req = {
        .joining_servers = joining[0] != 0 ? slice_str(joining) : (struct slice){0},
        .leaving_servers = leaving[0] != 0 ? slice_str(leaving) : (struct slice){0},
        .cur_config_id = -1,
    };
    rec_put_reconfig_request(&body, &req);
    send_request(w, c, r, &body);
}

void client_ask(struct world *w, struct sim_client *c, int32_t op, int path)
{
    char text[32];
    path_text(path, text);
    if (!c->ready || c->count >= INFLIGHT_MAX - 2)
        return;
    if (op == ZK_OP_CREATE)
        ask_create(w, c, path);
    else if (op == ZK_OP_SET_DATA)
        ask_set(w, c, path, ZK_VERSION_ANY);
    else if (op == ZK_OP_DELETE)
        ask_delete(w, c, text, path);
    else if (op == ZK_OP_GET_DATA)
        ask_read(w, c, path, op);
    else
        ask_sync(w, c);
}

void client_write(struct world *w, struct sim_client *c)
{
    if (c->ready && c->count < INFLIGHT_MAX - 2)
        ask_create(w, c, (int)world_random(w, PATHS_MAX));
}

/* ---- watches after a reconnection ---- */

struct watch_lists {
    struct buf raw[3];
    int32_t count[3];
};

static void renew(struct world *w, struct sim_client *c, int path, enum watched kind,
                  struct watch_lists *lists)
{
    struct sim_watch *watch = &c->watches[path][kind];
    if (!watch->set)
        return;
    char text[32];
    path_text(path, text);
    const struct state *was =
        model_at(&w->history, model_find(&w->history, slice_str(text)), watch->since);
    int list = kind == ON_CHILDREN ? 2 : was != NULL && was->exists ? 0 : 1;
    watch->renewed = true;
    watch->relative = c->last_zxid;
    rec_put_slice(&lists->raw[list], slice_str(text));
    lists->count[list]++;
}

static struct rec_vec vec_of(const struct watch_lists *l, int list)
{
    return (struct rec_vec){l->count[list], buf_slice(&l->raw[list])};
}

static void renew_watches(struct world *w, struct sim_client *c)
{
    struct watch_lists lists = {0};
    for (int path = 0; path < PATHS_MAX; path++) {
        renew(w, c, path, ON_DATA, &lists);
        renew(w, c, path, ON_CHILDREN, &lists);
    }
    bool any = c->persistent_wanted || lists.count[0] + lists.count[1] + lists.count[2] > 0;
    if (any) {
        struct buf body = {0}, crowd = {0};
        if (c->persistent_wanted)
            rec_put_slice(&crowd, slice_str("/p"));
        struct sim_request r = begin_request(w, c, &body, ZK_OP_SET_WATCHES2);
        struct rec_set_watches2 req = {
            .relative_zxid = c->last_zxid,
            .data_watches = vec_of(&lists, 0),
            .exist_watches = vec_of(&lists, 1),
            .child_watches = vec_of(&lists, 2),
            .persistent_recursive_watches = {c->persistent_wanted, buf_slice(&crowd)},
        };
        rec_put_set_watches2(&body, &req);
        send_request(w, c, r, &body);
        buf_deinit(&crowd);
    }
    for (int i = 0; i < 3; i++)
        buf_deinit(&lists.raw[i]);
}

/* ---- acting ---- */

static void act_by_chance(struct world *w, struct sim_client *c)
{
    int path = (int)world_random(w, PATHS_MAX);
    uint64_t dice = world_random(w, 1000);
    if (dice < 4) {
        hang_up(w, c);
        c->connect_after_ns = w->now_ns + (int64_t)world_random(w, 500) * NS_PER_MS;
    } else if (dice < 8) {
        ask_close(w, c);
    } else if (dice < 12) {
        c->silent_until_ns = w->now_ns + (int64_t)world_random(w, 3000) * NS_PER_MS;
    } else if (dice < 70) {
        ask_create(w, c, path);
    } else if (dice < 90) {
        char text[32];
        path_text(path, text);
        ask_delete(w, c, text, path);
    } else if (dice < 180) {
        ask_ephemeral(w, c);
    } else if (dice < 220) {
        if (c->ephemeral[0] != 0)
            ask_delete(w, c, c->ephemeral, -1);
    } else if (dice < 300) {
        ask_multi(w, c, path);
    } else if (dice < 520) {
        ask_set(w, c, path,
                world_random(w, 3) == 0 ? (int32_t)world_random(w, 10) : ZK_VERSION_ANY);
    } else if (dice < 560) {
        ask_sync(w, c);
    } else if (dice < 575) {
        ask_add_watch(w, c);
    } else if (dice < 800) {
        ask_read(w, c, path, ZK_OP_GET_DATA);
    } else if (dice < 900) {
        ask_read(w, c, path, ZK_OP_EXISTS);
    } else {
        ask_read(w, c, PATH_CROWD, ZK_OP_GET_CHILDREN2);
    }
}

/* What every client library does: pings, and looks for another server when nothing comes back. */
static void keep_alive(struct world *w, struct sim_client *c)
{
    int64_t timeout_ns = (int64_t)c->timeout_ms * NS_PER_MS;
    if (w->now_ns - c->last_heard_ns > timeout_ns * 2 / 3) {
        world_trace(w, SERVERS_MAX + c->index, "hears nothing from server %d", c->server + 1);
        hang_up(w, c);
    } else if (w->now_ns - c->last_sent_ns > timeout_ns / 3 && c->count < INFLIGHT_MAX - 1) {
        ask_ping(w, c);
    }
}

void client_act(struct world *w, struct sim_client *c)
{
    if (!c->enabled || w->now_ns < c->silent_until_ns)
        return;
    if (c->ready) {
        keep_alive(w, c);
        if (c->ready && !c->quiet && c->count < INFLIGHT_MAX - 2)
            act_by_chance(w, c);
    } else if (c->connected) {
        if (w->now_ns - c->last_heard_ns > 800 * NS_PER_MS)
            hang_up(w, c); /* no answer to the handshake */
    } else if (!c->connecting && w->now_ns >= c->connect_after_ns) {
        connect_somewhere(w, c);
    }
}

/* ---- answers ---- */

static void connect_answered(struct world *w, struct sim_client *c, struct slice body)
{
    struct dec d = dec_of(body);
    struct rec_connect_response rsp;
    (void)dec_i32(&d);
    rsp.time_out = dec_i32(&d);
    rsp.session_id = dec_i64(&d);
    rsp.passwd = dec_buffer(&d);
    if (d.bad || rsp.passwd.len != SESSION_PASSWORD_BYTES) {
        world_violate(w, "client %d: malformed connect response", c->index);
        return;
    }
    if (rsp.time_out == 0) {
        check_told_expired(w, c);
        world_trace(w, SERVERS_MAX + c->index, "is told that its session is over");
        forget_session(c);
        hang_up(w, c);
        return;
    }
    if (c->session_id != 0 && rsp.session_id != c->session_id)
        world_violate(w, "client %d: asked to renew a session, was given another", c->index);
    if (c->session_id != rsp.session_id || rsp.time_out < c->timeout_ms_min)
        c->timeout_ms_min = rsp.time_out;
    c->session_id = rsp.session_id;
    c->timeout_ms = rsp.time_out;
    memcpy(c->password, rsp.passwd.ptr, rsp.passwd.len);
    c->ready = true;
    world_trace(w, SERVERS_MAX + c->index, "has session %llx on server %d",
                (unsigned long long)c->session_id, c->server + 1);
    renew_watches(w, c);
}

static void note_ephemeral(struct sim_client *c, struct dec body)
{
    struct rec_create2_response rsp;
    if (!rec_get_create2_response(&body, &rsp) || rsp.path.len >= sizeof c->ephemeral)
        return;
    memcpy(c->ephemeral, rsp.path.ptr, rsp.path.len);
    c->ephemeral[rsp.path.len] = 0;
}

static void answered(struct world *w, struct sim_client *c, const struct sim_request *r,
                     const struct rec_reply_header *h, struct dec body)
{
    c->answers++;
    w->stats.answers++;
    if (h->err == 0)
        c->successes++;
    switch (r->op) {
    case ZK_OP_PING:
        return;
    case ZK_OP_GET_DATA:
    case ZK_OP_EXISTS:
    case ZK_OP_GET_CHILDREN2:
        check_read_answered(w, c, r, h, body);
        return;
    case ZK_OP_SYNC:
        check_sync_answered(w, c, r, h);
        return;
    case ZK_OP_ADD_WATCH:
        if (h->err == 0 && !c->persistent)
            check_persistent_set(w, c, h->zxid);
        return;
    case ZK_OP_SET_WATCHES2:
        if (c->persistent_wanted)
            check_persistent_set(w, c, h->zxid);
        return;
    default:
        check_write_answered(w, c, r, h, body);
    }
    if (r->op == ZK_OP_CREATE2 && h->err == 0)
        note_ephemeral(c, body);
    if (r->op == ZK_OP_CLOSE_SESSION) {
        forget_session(c);
        hang_up(w, c);
    }
}

static void notified(struct world *w, struct sim_client *c, int64_t zxid, struct dec d)
{
    struct rec_watcher_event ev;
    if (!rec_get_watcher_event(&d, &ev)) {
        world_violate(w, "client %d: malformed event", c->index);
        return;
    }
    world_trace(w, SERVERS_MAX + c->index, "hears event %d on %.*s at %s", ev.type,
                (int)ev.path.len, (const char *)ev.path.ptr, zxid_text(zxid).text);
    if (w->plant != PLANT_LOST_EVENT || world_random(w, 20) != 0)
        check_watch_event(w, c, zxid, ev.type, ev.path);
}

void client_receive(struct world *w, int index, struct slice frame)
{
    struct sim_client *c = &w->clients[index];
    c->last_heard_ns = w->now_ns;
    if (!c->ready) {
        connect_answered(w, c, frame);
        return;
    }
    struct dec d = dec_of(frame);
    struct rec_reply_header h;
    if (!rec_get_reply_header(&d, &h)) {
        world_violate(w, "client %d: malformed reply header", index);
        return;
    }
    if (h.xid == ZK_XID_NOTIFICATION) {
        notified(w, c, h.zxid, d);
        return;
    }
    if (c->count == 0) {
        world_violate(w, "client %d: a reply nobody asked for, xid %d", index, h.xid);
        return;
    }
    struct sim_request r = c->inflight[c->head];
    c->head = (c->head + 1) % INFLIGHT_MAX;
    c->count--;
    if (h.xid != r.xid) {
        world_violate(w, "client %d: reply to xid %d, expected %d", index, h.xid, r.xid);
        return;
    }
    if (r.op != ZK_OP_PING)
        world_trace(w, SERVERS_MAX + index, "is answered %s (xid %d): %d at %s", zk_op_name(r.op),
                    r.xid, h.err, zxid_text(h.zxid).text);
    check_zxid_seen(w, c, h.zxid);
    if (r.op == ZK_OP_SET_WATCHES2)
        check_watches_renewed(w, c, h.zxid);
    check_watches_spoke(w, c, h.zxid);
    answered(w, c, &r, &h, d);
}
