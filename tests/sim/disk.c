#include "disk.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tree/apply.h"
#include "wire/dec.h"
#include "wire/zk.h"
#include "world.h"
#include "zab/fault.h"

enum {
    STEPS_ALL = 3
};

/* ---- zxids ---- */

void zxids_push(struct zxids *z, int64_t zxid)
{
    if (z->count == z->cap) {
        z->cap = z->cap > 0 ? z->cap * 2 : 256;
        z->items = mem_realloc(z->items, z->cap * sizeof *z->items);
    }
    z->items[z->count++] = zxid;
}

size_t zxids_behind(const struct zxids *z, int64_t zxid)
{
    size_t low = 0, high = z->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (z->items[middle] <= zxid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void zxids_cut(struct zxids *z, int64_t after)
{
    z->count = zxids_behind(z, after);
}

bool zxids_have(const struct zxids *z, int64_t zxid)
{
    size_t i = zxids_behind(z, zxid);
    return i > 0 && z->items[i - 1] == zxid;
}

/* ---- what is there ---- */

void disk_init(struct disk *d)
{
    *d = (struct disk){.sync_ns = 100000};
}

static void op_deinit(struct disk_op *op)
{
    free(op->bytes);
}

void disk_deinit(struct disk *d)
{
    free(d->log.items);
    for (size_t i = 0; i < d->snapshot_count; i++)
        buf_deinit(&d->snapshots[i].bytes);
    for (size_t i = 0; i < d->op_count; i++)
        op_deinit(&d->ops[i]);
    free(d->ops);
    buf_deinit(&d->config);
    buf_deinit(&d->config_next);
    buf_deinit(&d->snapshot.bytes);
    buf_deinit(&d->install.bytes);
}

int64_t disk_last_zxid(const struct disk *d)
{
    int64_t snapshot = d->snapshot_count > 0 ? d->snapshots[d->snapshot_count - 1].zxid : 0;
    int64_t log = d->log.count > 0 ? d->log.items[d->log.count - 1] : 0;
    return log > snapshot ? log : snapshot;
}

bool disk_holds(const struct world *w, const struct disk *d, int64_t zxid)
{
    int64_t snapshot = d->snapshot_count > 0 ? d->snapshots[d->snapshot_count - 1].zxid : 0;
    if (zxid <= snapshot)
        return history_descends(&w->history, snapshot, zxid);
    return zxids_have(&d->log, zxid);
}

void disk_purge(struct world *w, struct disk *d)
{
    if (d->snapshot_count < 2)
        return;
    buf_deinit(&d->snapshots[0].bytes);
    d->snapshot_count--;
    memmove(&d->snapshots[0], &d->snapshots[1], d->snapshot_count * sizeof d->snapshots[0]);
    /* Whole files go: some of what is older than the oldest snapshot stays. An installed snapshot
     * always begins a new file. */
    int64_t oldest = d->snapshots[0].zxid;
    size_t from = world_random(w, zxids_behind(&d->log, oldest) + 1);
    if (d->installed_zxid <= oldest && zxids_behind(&d->log, d->installed_zxid) > from)
        from = zxids_behind(&d->log, d->installed_zxid);
    if (from == 0)
        return; /* perhaps there is nothing at all */
    memmove(d->log.items, d->log.items + from, (d->log.count - from) * sizeof *d->log.items);
    d->log.count -= from;
}

static void snapshot_published(struct world *w, struct disk *d, struct disk_snapshot *made)
{
    size_t at = d->snapshot_count;
    while (at > 0 && d->snapshots[at - 1].zxid > made->zxid)
        at--; /* an installed one may be older than what is there */
    if (at > 0 && d->snapshots[at - 1].zxid == made->zxid) {
        buf_deinit(&d->snapshots[at - 1].bytes);
        d->snapshots[at - 1] = *made;
        *made = (struct disk_snapshot){0};
        return;
    }
    if (d->snapshot_count == SNAPSHOTS_KEPT) {
        disk_purge(w, d);
        at = at > 0 ? at - 1 : 0;
    }
    memmove(&d->snapshots[at + 1], &d->snapshots[at],
            (d->snapshot_count - at) * sizeof d->snapshots[0]);
    d->snapshots[at] = *made;
    d->snapshot_count++;
    *made = (struct disk_snapshot){0};
}

static void snapshots_cut(struct disk *d, int64_t after)
{
    while (d->snapshot_count > 0 && d->snapshots[d->snapshot_count - 1].zxid > after)
        buf_deinit(&d->snapshots[--d->snapshot_count].bytes);
}

/* Whether the state of exactly this zxid can be rebuilt from what is there (check_reach in
 * io/rewind.c). A snapshot that was installed leaves a gap between it and the older files. */
static bool reaches_back_to(const struct disk *d, int64_t zxid)
{
    for (size_t i = 0; i < d->snapshot_count; i++) {
        if (d->snapshots[i].zxid == zxid)
            return true;
    }
    /* As long as nothing was purged the log begins at the beginning. */
    bool has_base = d->snapshot_count == 0 || d->snapshots[0].zxid < zxid;
    return has_base && (zxid == 0 || zxids_have(&d->log, zxid));
}

/* ---- carrying out ---- */

/* The steps in which something large is taken away, each durable before the next (io/rewind.h);
 * `steps` of them are done before the power goes. */
static bool truncate_files(struct disk *d, int64_t zxid, uint64_t steps)
{
    if (!reaches_back_to(d, zxid))
        return false;
    if (steps >= 1)
        snapshots_cut(d, zxid);
    if (steps >= 3)
        zxids_cut(&d->log, zxid);
    else if (steps == 2 && zxids_behind(&d->log, zxid) < d->log.count)
        d->log.count = (d->log.count + zxids_behind(&d->log, zxid) + 1) / 2;
    return true;
}

static void install_files(struct world *w, struct disk *d, uint64_t steps)
{
    if (steps >= 1)
        zxids_cut(&d->log, d->install.zxid);
    if (steps >= 2) {
        int64_t zxid = d->install.zxid;
        snapshot_published(w, d, &d->install);
        d->installed_zxid = zxid;
        if (steps >= 3)
            snapshots_cut(d, zxid);
    }
}

/* false: it could not be done. */
static bool execute(struct world *w, struct server *v, struct disk_op *op, uint64_t steps)
{
    struct disk *d = &v->disk;
    switch (op->type) {
    case PERSIST_APPEND:
        zxids_push(&d->log, op->zxid);
        return true;
    case PERSIST_ACCEPTED_EPOCH:
        d->accepted_epoch = op->value;
        return true;
    case PERSIST_CURRENT_EPOCH:
        d->current_epoch = op->value;
        check_epoch_written(w, v, op->value);
        return true;
    case PERSIST_CONFIG_NEXT:
        buf_clear(&d->config_next);
        buf_put(&d->config_next, op->bytes, op->len);
        return true;
    case PERSIST_CONFIG:
        buf_clear(&d->config);
        buf_put(&d->config, op->bytes, op->len);
        if (op->zxid == 0) /* else a newer one is proposed */
            buf_clear(&d->config_next);
        return true;
    case PERSIST_TRUNCATE:
        return truncate_files(d, op->zxid, steps);
    case PERSIST_INSTALL_BEGIN:
        buf_clear(&d->install.bytes);
        d->install.zxid = op->zxid;
        d->installing = true;
        buf_put(&d->install.bytes, op->bytes, op->len);
        return true;
    case PERSIST_INSTALL_CHUNK:
        buf_put(&d->install.bytes, op->bytes, op->len);
        return true;
    case PERSIST_INSTALL_END:
        buf_put(&d->install.bytes, op->bytes, op->len);
        d->install.digest = op->digest;
        d->install.zxid = op->zxid;
        install_files(w, d, steps);
        d->installing = false;
        return true;
    case PERSIST_INSTALL_ABORT:
        d->installing = false;
        return true;
    case PERSIST_ROLL:
    case PERSIST_SNAPSHOT_BEGIN:
    case PERSIST_SNAPSHOT_CHUNK:
    case PERSIST_SNAPSHOT_END:
    case PERSIST_SNAPSHOT_ABORT:
        return true;
    }
    return true;
}

static void ops_drop(struct disk *d, size_t count)
{
    for (size_t i = 0; i < count; i++)
        op_deinit(&d->ops[i]);
    d->op_count -= count;
    if (d->op_count > 0)
        memmove(d->ops, d->ops + count, d->op_count * sizeof *d->ops);
}

static bool truncates(const struct disk *d)
{
    for (size_t i = 0; i < d->batch; i++) {
        if (d->ops[i].type == PERSIST_TRUNCATE)
            return true;
    }
    return false;
}

static void start_batch(struct world *w, struct server *v)
{
    struct disk *d = &v->disk;
    if (d->batch > 0 || d->full || d->broken || d->stuck || d->op_count == d->lied)
        return;
    d->batch = d->op_count;
    int64_t sync_ns = 50000 + (int64_t)world_random(w, (uint64_t)d->sync_ns) +
                      (d->slow_ns > 0 ? (int64_t)world_random(w, (uint64_t)d->slow_ns) : 0) +
                      (truncates(d) ? (int64_t)world_random(w, (uint64_t)d->truncate_ns) : 0);
    queue_put(&w->queue, (struct event){.at_ns = w->now_ns + sync_ns,
                                        .type = EVENT_DISK,
                                        .who = v->index,
                                        .a = v->incarnation});
}

static void ops_push(struct disk *d, const struct persist_effect *p, struct slice bytes)
{
    if (d->op_count == d->op_cap) {
        d->op_cap = d->op_cap > 0 ? d->op_cap * 2 : 64;
        d->ops = mem_realloc(d->ops, d->op_cap * sizeof *d->ops);
    }
    bool keep = p->type != PERSIST_APPEND && bytes.len > 0;
    d->ops[d->op_count++] = (struct disk_op){
        .type = p->type,
        .ticket = p->ticket,
        .zxid = p->zxid,
        .value = p->value,
        .digest = p->digest,
        .bytes = keep ? mem_dup(bytes.ptr, bytes.len) : NULL,
        .len = bytes.len,
    };
}

static void wake_writer(struct world *w, struct server *v)
{
    queue_put(&w->queue,
              (struct event){.at_ns = w->now_ns + 20000 + (int64_t)world_random(w, 2000000),
                             .type = EVENT_SNAPSHOT,
                             .who = v->index,
                             .a = v->incarnation});
}

/* ZooKeeper's epochs do not wait for its log: only so the order in which they are asked for can do
 * harm. */
static bool written_beside_the_log(const struct world *w)
{
    return (w->protocol_plant & ZAB_FAULT_4643) != 0;
}

/* Whoever came back from a broken link often loses the next one as well. */
static bool loses_leader(struct world *w)
{
    return w->profile.truncates_alone && w->phase == PHASE_CHAOS && world_random(w, 2) == 0;
}

void disk_persist(struct world *w, struct server *v, const struct persist_effect *p,
                  struct slice bytes)
{
    struct disk *d = &v->disk;
    switch (p->type) {
    case PERSIST_SNAPSHOT_BEGIN:
        buf_clear(&d->snapshot.bytes);
        buf_put_slice(&d->snapshot.bytes, bytes);
        d->snapshot.zxid = p->zxid;
        d->writing = true;
        d->written = false;
        wake_writer(w, v);
        return;
    case PERSIST_SNAPSHOT_CHUNK:
        buf_put_slice(&d->snapshot.bytes, bytes);
        return;
    case PERSIST_SNAPSHOT_END:
        buf_put_slice(&d->snapshot.bytes, bytes);
        d->snapshot.digest = p->digest;
        d->written = true;
        return;
    case PERSIST_SNAPSHOT_ABORT:
        d->writing = false;
        return;
    default:
        if (p->type == PERSIST_CURRENT_EPOCH && written_beside_the_log(w)) {
            d->current_epoch = p->value;
            check_epoch_written(w, v, p->value);
        }
        ops_push(d, p, bytes);
        start_batch(w, v);
        if (p->type == PERSIST_TRUNCATE && loses_leader(w))
            net_break_from(w, v->index);
    }
}

void disk_set_stuck(struct world *w, struct server *v, bool stuck)
{
    v->disk.stuck = stuck;
    start_batch(w, v);
}

void disk_set_full(struct world *w, struct server *v, bool full)
{
    v->disk.full = full;
    server_step(w, v, &(struct node_event){.type = NODE_DISK_FULL, .disk_full = full});
    if (v->node != NULL)
        start_batch(w, v);
}

/* ---- the log thread reports ---- */

static bool report(struct world *w, struct server *v, uint64_t ticket)
{
    if (ticket <= v->durable_ticket)
        return v->node != NULL;
    uint64_t incarnation = v->incarnation;
    server_step(w, v, &(struct node_event){.type = NODE_DURABLE, .ticket = ticket});
    return v->node != NULL && v->incarnation == incarnation;
}

static bool answer_truncate(struct world *w, struct server *v, bool done, bool with_tree)
{
    uint64_t incarnation = v->incarnation;
    struct node_event ev = {.type = NODE_TRUNCATED, .failed = !done};
    struct recovered r = {0};
    if (done && with_tree) {
        r = disk_recover(w, v);
        if (w->violation[0] != 0) { /* what it recovers is wrong: nobody takes it over */
            tree_free(r.tree);
            free(r.sessions);
            return false;
        }
        ev.replace.tree = r.tree;
        ev.replace.sessions = r.sessions;
        ev.replace.session_count = r.session_count;
    }
    server_step(w, v, &ev);
    free(r.sessions);
    return v->node != NULL && v->incarnation == incarnation;
}

static bool answer_install(struct world *w, struct server *v)
{
    uint64_t incarnation = v->incarnation;
    server_step(w, v, &(struct node_event){.type = NODE_INSTALLED});
    return v->node != NULL && v->incarnation == incarnation;
}

static bool is_lie(struct world *w)
{
    return w->plant == PLANT_LOST_SYNC && world_random(w, 2) == 0;
}

void disk_on_synced(struct world *w, struct server *v)
{
    struct disk *d = &v->disk;
    if (d->broken || d->full || d->stuck) {
        d->batch = 0; /* it is tried again when there is room */
        return;
    }
    if (is_lie(w) && d->batch > 0) {
        size_t batch = d->batch;
        d->batch = 0;
        d->lied = batch;
        if (report(w, v, d->ops[batch - 1].ticket))
            start_batch(w, v);
        return;
    }
    size_t left = d->batch;
    uint64_t ticket = 0; /* of the newest that has one: a new file has none */
    d->batch = 0;
    d->lied = 0;
    while (left-- > 0) {
        struct disk_op op = d->ops[0];
        if (op.ticket > ticket)
            ticket = op.ticket;
        op.bytes = NULL;
        /* Files that do not reach back that far: nothing is changed then. */
        bool fails = d->ops[0].type == PERSIST_TRUNCATE && world_random(w, 15) == 0;
        bool done = !fails && execute(w, v, &d->ops[0], STEPS_ALL);
        ops_drop(d, 1);
        bool answers = op.type == PERSIST_TRUNCATE || op.type == PERSIST_INSTALL_END;
        if (!answers && left > 0)
            continue;
        if (answers)
            check_disk_shrunk(w, v);
        if (!report(w, v, ticket))
            return;
        if (op.type == PERSIST_TRUNCATE && !answer_truncate(w, v, done, op.value == 1))
            return;
        if (op.type == PERSIST_INSTALL_END && !answer_install(w, v))
            return;
    }
    start_batch(w, v);
}

/* ---- the snapshot writer ---- */

void disk_on_snapshot(struct world *w, struct server *v)
{
    struct disk *d = &v->disk;
    if (!d->writing)
        return;
    if (!d->written) {
        wake_writer(w, v);
        server_step(w, v,
                    &(struct node_event){.type = NODE_SNAPSHOT_PULL,
                                         .bytes_max = 64 + world_random(w, 4000)});
        return;
    }
    d->writing = false;
    struct node_event ev = {.type = NODE_SNAPSHOT_DONE};
    ev.snapshot_done.zxid = d->snapshot.zxid;
    ev.snapshot_done.failed = d->broken || d->full || world_random(w, 8) == 0;
    if (!ev.snapshot_done.failed)
        snapshot_published(w, d, &d->snapshot);
    server_step(w, v, &ev);
}

/* ---- reading the log ---- */

void disk_read_log(struct world *w, struct server *v, const struct link_effect *l)
{
    struct disk *d = &v->disk;
    for (size_t i = 0; i < LOG_READS_MAX; i++) {
        if (d->reads[i].active)
            continue;
        d->reads[i] = (struct disk_read){
            .active = true, .link = l->link, .after = l->after_zxid, .until = l->until_zxid};
        queue_put(&w->queue,
                  (struct event){.at_ns = w->now_ns + 10000 + (int64_t)world_random(w, 3000000),
                                 .type = EVENT_LOG_READ,
                                 .who = v->index,
                                 .a = v->incarnation,
                                 .b = i});
        return;
    }
    world_violate(w, "server %d reads its log for more than %d links at once", v->index + 1,
                  LOG_READS_MAX);
}

/* As io/logread.c decides whether nothing can be missing between two records. */
static bool goes_on(const struct disk *d, int64_t a, int64_t b)
{
    for (size_t i = 0; i < d->snapshot_count; i++) {
        if (d->snapshots[i].zxid > a && d->snapshots[i].zxid < b)
            return false;
    }
    return b == a + 1 || (zxid_epoch(b) > zxid_epoch(a) && zxid_counter(b) <= 1);
}

static bool has_gap(const struct disk *d, size_t from, size_t to)
{
    for (size_t i = from + 1; i < to; i++) {
        if (!goes_on(d, d->log.items[i - 1], d->log.items[i]))
            return true;
    }
    return false;
}

void disk_on_log_read(struct world *w, struct server *v, size_t read)
{
    struct disk *d = &v->disk;
    struct disk_read r = d->reads[read];
    d->reads[read].active = false;
    const struct zxids *log = &d->log;
    size_t from = zxids_behind(log, r.after), to = zxids_behind(log, r.until);
    struct node_event ev = {.type = NODE_LOG_READ};
    ev.link.link = r.link;
    struct buf entries = {0};
    if (from == 0 || has_gap(d, from - 1, to) || world_random(w, 20) == 0) {
        ev.link.how = ZAB_LOG_MISSING; /* or it could not be read */
    } else {
        size_t pieces = 1 + world_random(w, 40);
        size_t end = to - from + 1 > pieces ? from - 1 + pieces : to;
        for (size_t i = from - 1; i < end; i++) {
            struct slice bytes = history_entry_bytes(&w->history, log->items[i]);
            buf_put_i32(&entries, (int32_t)bytes.len);
            buf_put_slice(&entries, bytes);
        }
        ev.link.how = end < to ? ZAB_LOG_MORE : ZAB_LOG_END;
        ev.link.bytes = buf_slice(&entries);
    }
    server_step(w, v, &ev);
    buf_deinit(&entries);
}

/* ---- crash and recovery ---- */

void disk_crash(struct world *w, struct server *v)
{
    struct disk *d = &v->disk;
    size_t survive = 0;
    switch (world_random(w, 3)) {
    case 0:
        break;
    case 1:
        survive = d->op_count;
        break;
    default:
        survive = world_random(w, d->op_count + 1);
    }
    if (d->full || d->broken || w->plant == PLANT_LOST_SYNC)
        survive = 0;
    for (size_t i = 0; i < survive; i++)
        execute(w, v, &d->ops[i], i + 1 < survive ? STEPS_ALL : world_random(w, STEPS_ALL + 1));
    if (w->plant == PLANT_LOST_EPOCH && d->current_epoch > 0)
        d->accepted_epoch = --d->current_epoch;
    ops_drop(d, d->op_count);
    d->batch = d->lied = 0;
    d->full = d->broken = d->stuck = false;
    d->writing = d->written = d->installing = false;
    memset(d->reads, 0, sizeof d->reads);
}

struct session_list {
    struct snapshot_session *items;
    size_t count;
};

static void session_created(struct session_list *l, int64_t id, int32_t timeout_ms)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->items[i].id == id) {
            l->items[i].timeout_ms = timeout_ms;
            return;
        }
    }
    l->items = mem_realloc(l->items, (l->count + 1) * sizeof *l->items);
    l->items[l->count++] = (struct snapshot_session){id, timeout_ms};
}

static void session_closed(struct session_list *l, int64_t id)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->items[i].id == id) {
            l->items[i] = l->items[--l->count];
            return;
        }
    }
}

/* In uneven chunks, as a file would come. */
static bool feed(struct world *w, struct snapshot_loader *l, struct slice rest)
{
    bool done = false;
    while (!done) {
        struct slice chunk = rest;
        size_t piece = 1 + world_random(w, 8000);
        if (chunk.len > piece)
            chunk.len = piece;
        size_t used = 0;
        struct err err = {{0}};
        while (snapshot_loader_feed(l, chunk, &used, &done, &err) == 0 && used == 0 && !done &&
               chunk.len < rest.len)
            chunk.len = chunk.len * 2 < rest.len ? chunk.len * 2 : rest.len;
        if (err.text[0] != 0 || (used == 0 && !done)) {
            world_violate(w, "own snapshot does not load: %s", err.text);
            return false;
        }
        rest = slice_from(rest, used);
    }
    return true;
}

static void load_snapshot(struct world *w, const struct disk_snapshot *s, struct tree *t,
                          struct session_list *sessions)
{
    struct snapshot_loader *l = snapshot_loader_create(t);
    if (feed(w, l, buf_slice(&s->bytes))) {
        const struct snapshot_session *list;
        size_t count = snapshot_loader_sessions(l, &list);
        for (size_t i = 0; i < count; i++)
            session_created(sessions, list[i].id, list[i].timeout_ms);
    }
    snapshot_loader_free(l);
    tree_set_last_zxid(t, s->zxid);
    if (w->violation[0] == 0 && tree_digest(t) != s->digest)
        world_violate(w, "the digest of the loaded snapshot %s differs", zxid_text(s->zxid).text);
}

static void replay(struct world *w, int64_t zxid, struct tree *t, struct session_list *sessions,
                   struct tree_effects *fx)
{
    struct txn_entry e;
    if (txn_split(history_entry_bytes(&w->history, zxid), &e) != 0 ||
        tree_apply(t, &e.hdr, e.body, e.has_digest ? &e.digest : NULL, fx) != 0) {
        world_violate(w, "%s from the log does not apply", zxid_text(zxid).text);
        return;
    }
    if (fx->digest_mismatch)
        world_violate(w, "the digest differs after %s was replayed", zxid_text(zxid).text);
    if (e.hdr.type == ZK_OP_CREATE_SESSION) {
        struct dec d = dec_of(e.body);
        struct rec_create_session_txn txn;
        if (rec_get_create_session_txn(&d, &txn))
            session_created(sessions, e.hdr.client_id, txn.time_out);
    } else if (e.hdr.type == ZK_OP_CLOSE_SESSION) {
        session_closed(sessions, e.hdr.client_id);
    }
}

struct recovered disk_recover(struct world *w, struct server *v)
{
    const struct disk *d = &v->disk;
    struct tree_options options = {.hash_seed = w->seed, .digest_enabled = true};
    struct tree *t = tree_create(&options);
    struct session_list sessions = {0};
    if (d->snapshot_count > 0)
        load_snapshot(w, &d->snapshots[d->snapshot_count - 1], t, &sessions);
    struct tree_effects fx = {0};
    for (size_t i = 0; i < d->log.count && w->violation[0] == 0; i++) {
        if (d->log.items[i] > tree_last_zxid(t))
            replay(w, d->log.items[i], t, &sessions, &fx);
    }
    tree_effects_deinit(&fx);
    return (struct recovered){t, sessions.items, sessions.count};
}
