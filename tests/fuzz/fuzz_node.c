/* A server under a stream of events: connections, frames of every kind, a disk that is late, full
 * or broken, time that jumps, snapshots, another state taking over. After every step the effects
 * are checked (node_world.c); in the end everything becomes durable: then every request of a
 * connection that is still open has been answered, and the log alone makes the same tree. */
#include "gen.h"
#include "node_world.h"
#include "wire/zk.h"

static size_t fake_digest(struct slice text, char ret[128])
{
    uint32_t sum = 5381;
    for (size_t i = 0; i < text.len; i++)
        sum = sum * 33 + text.ptr[i];
    return (size_t)snprintf(ret, 128, "%08x", sum);
}

static void make_options(struct fz *f, struct node_options *o)
{
    uint8_t flags = fz_u8(f), limits = fz_u8(f);
    *o = (struct node_options){
        .seed = 7,
        .server_id = 1,
        .tick_ms = 1000,
        .session_timeout_min_ms = 2000,
        .session_timeout_max_ms = 20000,
        .frame_bytes_max = 1 << 20,
        .snap_count = limits & 1 ? 8 : 100000,
        .snap_size_bytes = limits & 2 ? 400 : 0,
        .outstanding_max = limits & 4 ? 3 : 1000,
        .large_request_bytes = limits & 8 ? 40 : -1,
        .large_requests_bytes_max = 200,
        .container_check_interval_ms = limits & 16 ? 5000 : 60000,
        .container_per_minute_max = limits & 32 ? 2 : 10000,
        .container_never_used_ms = limits & 64 ? 1000 : 0,
        .skip_acl = (flags & 7) == 7,
        .enforce_quota = flags & 8,
        .close_session_txn = flags & 16,
        .reconfig_enabled = flags & 32,
        .digest_auth_enabled = !(limits & 128),
        .enforce_auth = (flags & 0xc0) == 0xc0,
        .enforce_auth_schemes = "digest, ip",
        .require_sasl = (flags & 0xc7) == 0x86,
        .ensemble_auth_name = "one,two",
        .digest = fake_digest,
    };
    snprintf(o->super_digest, sizeof o->super_digest, "super:");
    fake_digest(slice_str("super:secret"), o->super_digest + 6);
}

static void open_connection(struct world *w, struct fz *f)
{
    struct connection *c = world_free_slot(w);
    if (c == NULL)
        return;
    world_open(w, c);
    struct node_event ev = {.type = NODE_CLIENT_OPEN, .client = c->id};
    ev.open.address = slice_str(fz_u8(f) & 1 ? "10.1.2.3" : "2001:db8::7");
    world_step(w, &ev);
}

static void put_connect(struct world *w, struct fz *f, struct buf *out)
{
    uint8_t how = fz_u8(f);
    const struct known_session *s = &w->known_sessions[how % KNOWN_SESSIONS];
    bool renews = how >= 0xa0;
    buf_put_i32(out, 0);
    buf_put_i64(out, how < 0xf0 ? 0 : fz_i64(f));
    buf_put_i32(out, fz_i32(f));
    buf_put_i64(out, renews ? s->id : 0);
    rec_put_slice(out, how % 16 == 15 ? fz_blob(f) : slice_of(s->password, sizeof s->password));
    if (how & 1)
        buf_put_u8(out, 0);
}

static void send_frame(struct world *w, struct fz *f)
{
    struct connection *c = world_some_connection(w, fz_u8(f));
    if (c == NULL)
        return;
    struct buf frame = {0};
    uint8_t kind = fz_u8(f);
    if (kind >= 0xf8) {
        buf_put_slice(&frame, fz_blob(f));
    } else if (c->state == CONNECTION_NEW && kind < 0xf0) {
        put_connect(w, f, &frame);
        gen_spoil(f, &frame, 0);
    } else {
        int32_t op = gen_op(f);
        int32_t xid = kind < 0xe0 ? ++c->last_xid : fz_i32(f);
        buf_put_i32(&frame, xid);
        buf_put_i32(&frame, op);
        gen_put_request(f, op, &frame);
        gen_spoil(f, &frame, 0);
    }
    world_send(w, c, buf_slice(&frame));
    buf_deinit(&frame);
}

/* Everybody at once: all connect, or all watch one path. */
static void crowd(struct world *w, struct fz *f)
{
    bool connects = fz_u8(f) & 1;
    struct buf frame = {0};
    for (int i = 0; i < CONNECTIONS; i++) {
        struct fz same = *f;
        buf_clear(&frame);
        if (connects) {
            struct fz nothing = {0};
            open_connection(w, &nothing);
        }
        struct connection *c = world_some_connection(w, (uint8_t)i);
        if (c == NULL || (connects && c->state != CONNECTION_NEW))
            continue;
        if (connects) {
            struct fz nothing = {0};
            put_connect(w, &nothing, &frame);
        } else {
            buf_put_i32(&frame, ++c->last_xid);
            buf_put_i32(&frame, ZK_OP_ADD_WATCH);
            gen_put_request(&same, ZK_OP_ADD_WATCH, &frame);
        }
        world_send(w, c, buf_slice(&frame));
    }
    buf_deinit(&frame);
}

static void close_connection(struct world *w, struct fz *f)
{
    struct connection *c = world_some_connection(w, fz_u8(f));
    if (c != NULL)
        world_close(w, c);
}

static void pass_time(struct world *w, struct fz *f)
{
    static const int64_t jumps_ms[] = {1, 50, 1000, 3000, 21000, 70000, 86400000, 0};
    w->now_ns += jumps_ms[fz_below(f, 8)] * 1000000;
    world_step(w, &(struct node_event){.type = NODE_TICK});
}

static void disk_event(struct world *w, struct fz *f)
{
    switch (fz_below(f, 8)) {
    case 0:
        world_step(w, &(struct node_event){.type = NODE_DISK_FULL, .disk_full = fz_u8(f) & 1});
        break;
    case 1:
        if (fz_one_in(f, 16))
            world_step(w, &(struct node_event){.type = NODE_DISK_FAILED});
        break;
    default:
        world_durable(w, w->durable + fz_u8(f));
        break;
    }
}

static void snapshot_event(struct world *w, struct fz *f)
{
    switch (fz_below(f, 4)) {
    case 0:
        world_step(w, &(struct node_event){.type = NODE_SNAPSHOT_REQUEST});
        break;
    case 1:
        world_snapshot_done(w, fz_one_in(f, 4));
        break;
    default:
        world_step(w, &(struct node_event){.type = NODE_SNAPSHOT_PULL, .bytes_max = fz_u8(f)});
        break;
    }
}

static void step(struct world *w, struct fz *f)
{
    uint8_t what = fz_u8(f);
    w->now_ns += 100000;
    if (what < 0x90)
        send_frame(w, f);
    else if (what < 0xa0)
        open_connection(w, f);
    else if (what < 0xc0)
        disk_event(w, f);
    else if (what < 0xd0)
        world_durable(w, w->last_ticket);
    else if (what < 0xe0)
        pass_time(w, f);
    else if (what < 0xf0)
        snapshot_event(w, f);
    else if (what < 0xf8)
        close_connection(w, f);
    else if (what == 0xf8)
        world_step(w, &(struct node_event){.type = NODE_STOP});
    else if (what == 0xf9)
        world_replace_state(w);
    else if (what < 0xfd)
        crowd(w, f);
    else
        world_look(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz f = fz_of(data, size);
    struct node_options options;
    make_options(&f, &options);
    struct world w;
    world_init(&w, &options);
    while (fz_more(&f))
        step(&w, &f);
    world_settle(&w);
    world_deinit(&w);
    return 0;
}
