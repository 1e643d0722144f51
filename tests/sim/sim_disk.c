/* sim_disk.c: what survives. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "sim.h"
#include "tree/apply.h"
#include "wire/dec.h"
#include "wire/zk.h"

void sim_disk_init(struct sim_disk *d)
{
    *d = (struct sim_disk){.snapshot_zxid = -1};
}

void sim_disk_deinit(struct sim_disk *d)
{
    free(d->records);
    buf_deinit(&d->log_bytes);
    buf_deinit(&d->snapshot);
    buf_deinit(&d->writing);
}

static void append(struct sim_disk *d, const struct persist_effect *p, struct slice bytes)
{
    if (d->count == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 256;
        d->records = mem_realloc(d->records, d->cap * sizeof *d->records);
    }
    d->records[d->count++] = (struct sim_record){p->zxid, p->ticket, d->log_bytes.len, bytes.len};
    buf_put_slice(&d->log_bytes, bytes);
}

void sim_disk_persist(struct sim *s, const struct persist_effect *p, struct slice bytes)
{
    struct sim_disk *d = &s->disk;
    switch (p->type) {
    case PERSIST_APPEND:
        append(d, p, bytes);
        break;
    case PERSIST_ROLL:
        break;
    case PERSIST_SNAPSHOT_BEGIN:
        buf_clear(&d->writing);
        buf_put_slice(&d->writing, bytes);
        d->writing_zxid = p->zxid;
        d->writing_open = true;
        d->writing_done = false;
        break;
    case PERSIST_SNAPSHOT_CHUNK:
        buf_put_slice(&d->writing, bytes);
        break;
    case PERSIST_SNAPSHOT_END:
        buf_put_slice(&d->writing, bytes);
        d->writing_digest = p->digest;
        d->writing_done = true;
        break;
    case PERSIST_SNAPSHOT_ABORT:
        d->writing_open = false;
        break;
    default:
        invariant(!"only of an ensemble");
    }
}

/* One more stretch of the log becomes durable, and the node hears of it. */
void sim_disk_sync(struct sim *s)
{
    struct sim_disk *d = &s->disk;
    size_t pending = d->count - d->durable;
    if (pending == 0)
        return;
    size_t reported = d->durable + 1 + sim_random(s, pending);
    if (s->plant != PLANT_LOST_SYNC)
        d->durable = reported;
    struct node_event ev = {.type = NODE_DURABLE, .ticket = d->records[reported - 1].ticket};
    if (s->plant == PLANT_LOST_SYNC && sim_random(s, 2) == 0)
        d->durable = reported; /* every other sync is a lie */
    sim_step(s, &ev);
}

void sim_disk_snapshot(struct sim *s)
{
    struct sim_disk *d = &s->disk;
    if (!d->writing_open)
        return;
    if (!d->writing_done) {
        struct node_event ev = {.type = NODE_SNAPSHOT_PULL, .bytes_max = 64 + sim_random(s, 2000)};
        sim_step(s, &ev);
        return;
    }
    struct node_event ev = {.type = NODE_SNAPSHOT_DONE};
    ev.snapshot_done.zxid = d->writing_zxid;
    ev.snapshot_done.failed = sim_random(s, 4) == 0;
    if (!ev.snapshot_done.failed) {
        buf_clear(&d->snapshot);
        buf_put_slice(&d->snapshot, buf_slice(&d->writing));
        d->snapshot_zxid = d->writing_zxid;
        d->snapshot_digest = d->writing_digest;
    }
    d->writing_open = false;
    sim_step(s, &ev);
}

/* What was not synced is lost from a random point on (a torn tail is cut there by recovery). */
void sim_disk_crash(struct sim *s)
{
    struct sim_disk *d = &s->disk;
    size_t survive = d->durable + sim_random(s, d->count - d->durable + 1);
    d->count = d->durable = survive;
    d->log_bytes.len = survive ? d->records[survive - 1].at + d->records[survive - 1].len : 0;
    d->writing_open = false;
    for (size_t i = 0; i < survive; i++)
        d->records[i].ticket = 0;
}

void sim_node_options(const struct sim *s, struct node_options *o)
{
    *o = (struct node_options){
        .seed = s->seed,
        .server_id = 1,
        .tick_ms = 500,
        .session_timeout_min_ms = 1000,
        .session_timeout_max_ms = 10000,
        .frame_bytes_max = 1 << 20,
        .snap_count = 60,
        .outstanding_max = 40,
        .throttle_requests_max = s->seed % 3 == 0 ? 1 + s->seed % 5 : 0,
        .throttle_stall_ms = 100,
        .throttle_drop_stale = s->seed % 2 == 0,
        .stale_connection_check = true,
        .container_check_interval_ms = 700,
        .container_per_minute_max = 10000,
        .close_session_txn = s->seed % 2 == 0,
        .digest_auth_enabled = false,
    };
}

struct recovered_sessions {
    struct snapshot_session *items;
    size_t count;
};

static void session_created(struct recovered_sessions *r, int64_t id, int32_t timeout_ms)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->items[i].id == id)
            return;
    }
    r->items = mem_realloc(r->items, (r->count + 1) * sizeof *r->items);
    r->items[r->count++] = (struct snapshot_session){id, timeout_ms};
}

static void session_closed(struct recovered_sessions *r, int64_t id)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->items[i].id == id) {
            r->items[i] = r->items[--r->count];
            return;
        }
    }
}

static void load_snapshot(struct sim *s, struct tree *t, struct recovered_sessions *sessions)
{
    struct snapshot_loader *l = snapshot_loader_create(t);
    struct slice rest = buf_slice(&s->disk.snapshot);
    bool done = false;
    while (!done) {
        /* In uneven chunks, as a file would come. */
        struct slice chunk = rest;
        size_t piece = 1 + sim_random(s, 3000);
        if (chunk.len > piece)
            chunk.len = piece;
        size_t used = 0;
        struct err err = {{0}};
        while (snapshot_loader_feed(l, chunk, &used, &done, &err) == 0 && used == 0 && !done &&
               chunk.len < rest.len)
            chunk.len = chunk.len * 2 < rest.len ? chunk.len * 2 : rest.len;
        if (err.text[0] != 0 || (used == 0 && !done)) {
            sim_violate(s, "own snapshot does not load: %s", err.text);
            break;
        }
        rest = slice_from(rest, used);
    }
    const struct snapshot_session *list;
    size_t count = snapshot_loader_sessions(l, &list);
    for (size_t i = 0; i < count; i++)
        session_created(sessions, list[i].id, list[i].timeout_ms);
    snapshot_loader_free(l);
    tree_set_last_zxid(t, s->disk.snapshot_zxid);
    if (tree_digest(t) != s->disk.snapshot_digest)
        sim_violate(s, "digest of the loaded snapshot differs");
}

static void replay(struct sim *s, struct tree *t, struct recovered_sessions *sessions)
{
    struct tree_effects fx = {0};
    for (size_t i = 0; i < s->disk.count; i++) {
        const struct sim_record *r = &s->disk.records[i];
        if (r->zxid <= tree_last_zxid(t))
            continue;
        struct dec d = dec_of(slice_of(s->disk.log_bytes.ptr + r->at, r->len));
        struct rec_txn_header hdr;
        bool ok = rec_get_txn_header(&d, &hdr);
        invariant(ok);
        /* The digest is the last 12 bytes. */
        struct slice body = slice_of(d.at, (size_t)(d.end - d.at) - 12);
        struct dec tail = dec_of(slice_of(d.end - 12, 12));
        struct rec_txn_digest digest;
        ok = rec_get_txn_digest(&tail, &digest);
        invariant(ok);
        if (tree_apply(t, &hdr, body, &digest, &fx) != 0)
            sim_violate(s, "own txn %llx does not apply", (unsigned long long)r->zxid);
        if (fx.digest_mismatch)
            sim_violate(s, "digest differs after replay of %llx", (unsigned long long)r->zxid);
        if (hdr.type == ZK_OP_CREATE_SESSION) {
            struct dec b = dec_of(body);
            struct rec_create_session_txn txn;
            if (rec_get_create_session_txn(&b, &txn))
                session_created(sessions, hdr.client_id, txn.time_out);
        } else if (hdr.type == ZK_OP_CLOSE_SESSION) {
            session_closed(sessions, hdr.client_id);
        }
    }
    tree_effects_deinit(&fx);
}

struct node *sim_disk_recover(struct sim *s)
{
    struct tree_options to = {.hash_seed = s->seed, .digest_enabled = true};
    struct tree *t = tree_create(&to);
    struct recovered_sessions sessions = {0};
    if (s->disk.snapshot_zxid >= 0)
        load_snapshot(s, t, &sessions);
    replay(s, t, &sessions);
    struct node_options options;
    sim_node_options(s, &options);
    struct node *n = node_create(&options, t, sessions.items, sessions.count, s->now_ns);
    free(sessions.items);
    return n;
}
