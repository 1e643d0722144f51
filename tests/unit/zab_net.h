/* zab_net.h: a small network of zab's with hosts that are lists.
 *
 * The state of a server is the list of transactions it has applied; its disk executes what it is
 * told in order, late, and forgets in a crash what was not executed (or not: appends survive as a
 * beginning of what was queued, and an epoch's file may overtake them, as files do). Links carry
 * bytes, cut anywhere. Who leads is said by whoever drives the network: a wrong choice must do no
 * harm.
 *
 * The judge: `agreed` is what any serving server has applied, in order. Whoever serves has a
 * beginning of it or adds to it; whoever leads has all of it. */
#ifndef ZAB_NET_H
#define ZAB_NET_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "wire/records.h"
#include "wire/zxid.h"
#include "zab/fault.h"
#include "zab/zab.h"

enum {
    NET_SERVERS_MAX = 6,
    NET_PIPES_MAX = 64,
    NET_TICK_MS = 100,
    ENTRY_BYTES = 40 /* a header and a value */
};

struct txn {
    int64_t zxid;
    uint64_t value;
};

struct history {
    struct txn *at;
    size_t count, cap;
    int64_t end; /* zxid: of the last, or of the snapshot it came from */
};

enum disk_op_type {
    DISK_ACCEPTED_EPOCH,
    DISK_CURRENT_EPOCH,
    DISK_APPEND,
    DISK_TRUNCATE,
    DISK_INSTALL
};

struct disk_op {
    enum disk_op_type type;
    int64_t number;
    struct txn txn;
    struct history installed;
};

struct disk {
    int64_t accepted_epoch, current_epoch;
    struct history log;
    struct disk_op *ops;
    size_t op_count, op_cap;
    uint64_t first_ticket; /* of ops[0] */
};

struct net;

struct server {
    struct net *net;
    int64_t sid;
    struct zab *z; /* NULL = down */
    struct disk disk;
    struct history log, tree;
    bool lost, truncate_fails;
    bool busy, told;                  /* the disk truncates or installs; zab waits for it */
    size_t serialized, serialize_end; /* the picture that is being taken */
    bool taking;
    struct buf staged; /* the picture that comes */
    int64_t staged_zxid;
    size_t log_from; /* the log files begin with this one */
    uint64_t read_link;
    int64_t read_after, read_until;
    bool reading;
    uint64_t room_links[NET_PIPES_MAX];
    size_t room_count;
    uint64_t syncs_asked;
    char why[80];
};

struct pipe {
    uint64_t id; /* 0 = free */
    int from, to;
    bool open_told[2], closed[2]; /* of the ends: from, to */
    struct buf bytes[2];          /* to the end: from, to */
};

struct net {
    int count;
    struct server s[NET_SERVERS_MAX];
    struct pipe pipes[NET_PIPES_MAX];
    uint64_t next_id, next_value;
    int64_t now_ns;
    uint64_t random;
    struct history agreed;
    uint32_t planted;
    bool verbose;
    const char *broken; /* what the judge says; NULL = fine */
    char detail[200];
    struct quorum *config;
    size_t window_bytes, commit_log_count;
    bool chop;
};

static inline uint64_t net_random(struct net *n)
{
    n->random ^= n->random << 13;
    n->random ^= n->random >> 7;
    n->random ^= n->random << 17;
    return n->random * 0x2545f4914f6cdd1dULL;
}

static inline uint64_t net_below(struct net *n, uint64_t bound)
{
    return (net_random(n) >> 16) % bound;
}

/* ---- histories ---- */

static void history_add(struct history *h, struct txn t)
{
    if (h->count == h->cap) {
        h->cap = h->cap > 0 ? h->cap * 2 : 32;
        h->at = mem_realloc(h->at, h->cap * sizeof *h->at);
    }
    h->at[h->count++] = t;
    h->end = t.zxid;
}

static void history_copy(struct history *to, const struct history *from)
{
    to->count = 0;
    for (size_t i = 0; i < from->count; i++)
        history_add(to, from->at[i]);
    to->end = from->end;
}

static void history_cut(struct history *h, int64_t zxid)
{
    while (h->count > 0 && h->at[h->count - 1].zxid > zxid)
        h->count--;
    if (h->end > zxid)
        h->end = zxid;
}

static void history_deinit(struct history *h)
{
    free(h->at);
    *h = (struct history){0};
}

/* ---- the judge ---- */

static void judge_breaks(struct net *n, struct server *s, const char *what, int64_t zxid)
{
    if (n->broken != NULL)
        return;
    n->broken = what;
    for (size_t i = 0; n->verbose && (i < n->agreed.count || i < s->tree.count); i++)
        printf("  %zu: agreed %" PRIx64 " tree %" PRIx64 " log %" PRIx64 "\n", i,
               i < n->agreed.count ? n->agreed.at[i].zxid : -1,
               i < s->tree.count ? s->tree.at[i].zxid : -1,
               i < s->log.count ? s->log.at[i].zxid : -1);
    snprintf(n->detail, sizeof n->detail, "server %d at 0x%" PRIx64, (int)s->sid, zxid);
}

/* What a serving server has applied (from the `from`th on) is what was agreed on. */
static void judge_tree(struct net *n, struct server *s, size_t from)
{
    if (from > n->agreed.count)
        from = n->agreed.count;
    for (size_t i = from; i < s->tree.count; i++) {
        if (i == n->agreed.count)
            history_add(&n->agreed, s->tree.at[i]);
        else if (n->agreed.at[i].zxid != s->tree.at[i].zxid ||
                 n->agreed.at[i].value != s->tree.at[i].value)
            judge_breaks(n, s, "applied something else than what was agreed on",
                         s->tree.at[i].zxid);
    }
}

static void judge_leader(struct net *n, struct server *s)
{
    if (s->log.count < n->agreed.count)
        judge_breaks(n, s, "leads without everything that was agreed on", s->log.end);
}

/* ---- the disk ---- */

static uint64_t disk_push(struct disk *d, struct disk_op op)
{
    if (d->op_count == d->op_cap) {
        d->op_cap = d->op_cap > 0 ? d->op_cap * 2 : 32;
        d->ops = mem_realloc(d->ops, d->op_cap * sizeof *d->ops);
    }
    d->ops[d->op_count++] = op;
    return d->first_ticket + d->op_count - 1;
}

static void disk_execute(struct disk *d, struct disk_op *op)
{
    switch (op->type) {
    case DISK_ACCEPTED_EPOCH:
        d->accepted_epoch = op->number;
        break;
    case DISK_CURRENT_EPOCH:
        d->current_epoch = op->number;
        break;
    case DISK_APPEND:
        history_add(&d->log, op->txn);
        break;
    case DISK_TRUNCATE:
        history_cut(&d->log, op->number);
        break;
    case DISK_INSTALL:
        history_copy(&d->log, &op->installed);
        history_deinit(&op->installed);
        break;
    }
}

static void server_settle(struct server *s);

/* The next `count` operations become durable. */
static void disk_step(struct server *s, size_t count)
{
    struct disk *d = &s->disk;
    if (count > d->op_count)
        count = d->op_count;
    if (count == 0 || s->z == NULL)
        return;
    bool truncated = false, installed = false;
    for (size_t i = 0; i < count; i++) {
        truncated |= d->ops[i].type == DISK_TRUNCATE;
        installed |= d->ops[i].type == DISK_INSTALL;
        disk_execute(d, &d->ops[i]);
    }
    memmove(d->ops, d->ops + count, (d->op_count - count) * sizeof *d->ops);
    d->op_count -= count;
    d->first_ticket += count;
    zab_durable(s->z, d->first_ticket - 1);
    if (truncated || installed)
        s->busy = false;
    if (truncated && s->told)
        zab_truncated(s->z, true);
    if (installed && s->told)
        zab_installed(s->z);
    server_settle(s);
}

/* What a crash leaves: appends up to somewhere; epochs, in any case or not at all. */
static void disk_crash(struct net *n, struct disk *d)
{
    bool appends = true;
    for (size_t i = 0; i < d->op_count; i++) {
        struct disk_op *op = &d->ops[i];
        bool epoch = op->type == DISK_ACCEPTED_EPOCH || op->type == DISK_CURRENT_EPOCH;
        if (!epoch)
            appends = appends && net_below(n, 3) == 0;
        if (epoch ? net_below(n, 2) == 0 : appends)
            disk_execute(d, op);
        history_deinit(&op->installed);
    }
    d->first_ticket += d->op_count;
    d->op_count = 0;
}

/* ---- the host ---- */

static uint64_t host_set_accepted_epoch(void *arg, int64_t epoch)
{
    struct server *s = arg;
    return disk_push(&s->disk, (struct disk_op){.type = DISK_ACCEPTED_EPOCH, .number = epoch});
}

static uint64_t host_set_current_epoch(void *arg, int64_t epoch)
{
    struct server *s = arg;
    return disk_push(&s->disk, (struct disk_op){.type = DISK_CURRENT_EPOCH, .number = epoch});
}

static uint64_t host_append(struct server *s, struct txn t)
{
    if (s->net->verbose)
        printf("  [%d] append %" PRIx64 " = %" PRIu64 "\n", (int)s->sid, t.zxid, t.value);
    history_add(&s->log, t);
    return disk_push(&s->disk, (struct disk_op){.type = DISK_APPEND, .txn = t});
}

static struct txn txn_of(struct slice entry)
{
    return (struct txn){(int64_t)load_be64(entry.ptr + 12), load_be64(entry.ptr + 32)};
}

static void put_entry(struct buf *b, struct txn t)
{
    struct rec_txn_header h = {.client_id = 1, .zxid = t.zxid, .type = -1};
    rec_put_txn_header(b, &h);
    buf_put_i64(b, (int64_t)t.value);
}

static uint64_t host_accept(void *arg, int64_t zxid, struct slice entry)
{
    struct server *s = arg;
    (void)zxid;
    return entry.len == ENTRY_BYTES ? host_append(s, txn_of(entry)) : 0;
}

static void host_truncate(void *arg, int64_t zxid)
{
    struct server *s = arg;
    s->busy = s->told = true;
    if (net_below(s->net, 8) == 0) {
        s->truncate_fails = true;
        return;
    }
    history_cut(&s->log, zxid);
    history_cut(&s->tree, zxid);
    disk_push(&s->disk, (struct disk_op){.type = DISK_TRUNCATE, .number = zxid});
}

static void host_install_begin(void *arg, int64_t zxid)
{
    struct server *s = arg;
    buf_clear(&s->staged);
    s->staged_zxid = zxid;
}

/* int count, {long zxid, long value}* */
static int host_install_bytes(void *arg, struct slice bytes, size_t *ret_used, bool *ret_done)
{
    struct server *s = arg;
    *ret_done = false;
    *ret_used = 0;
    if (s->staged.len < 4) {
        if (bytes.len < 4)
            return 0;
        buf_put(&s->staged, bytes.ptr, 4);
        *ret_used = 4;
    }
    size_t want = 4 + 16 * (size_t)load_be32(s->staged.ptr) - s->staged.len;
    size_t take = bytes.len - *ret_used < want ? bytes.len - *ret_used : want;
    buf_put(&s->staged, bytes.ptr + *ret_used, take);
    *ret_used += take;
    if (take < want)
        return 0;
    *ret_done = s->busy = s->told = true;

    struct history h = {0};
    for (size_t at = 4; at < s->staged.len; at += 16)
        history_add(&h, (struct txn){(int64_t)load_be64(s->staged.ptr + at),
                                     load_be64(s->staged.ptr + at + 8)});
    h.end = s->staged_zxid;
    history_copy(&s->log, &h);
    history_copy(&s->tree, &h);
    s->log_from = h.count;
    disk_push(&s->disk, (struct disk_op){.type = DISK_INSTALL, .installed = h});
    return 0;
}

static void host_install_abort(void *arg)
{
    struct server *s = arg;
    buf_clear(&s->staged);
}

static void host_install_nothing(void *arg)
{
    uint8_t none[4] = {0};
    size_t used;
    bool done;
    host_install_begin(arg, 0);
    host_install_bytes(arg, slice_of(none, sizeof none), &used, &done);
}

static void host_commit(void *arg, int64_t zxid)
{
    struct server *s = arg;
    size_t from = s->tree.count;
    bool leads = zab_role(s->z) == ZAB_LEADING;
    if (!zab_serving(s->z) && !leads)
        judge_breaks(s->net, s, "applied before it serves", zxid);
    while (s->tree.count < s->log.count && s->log.at[s->tree.count].zxid <= zxid)
        history_add(&s->tree, s->log.at[s->tree.count]);
    if (zab_serving(s->z)) /* a leader may apply its history for the sake of a picture */
        judge_tree(s->net, s, from);
}

static void host_established(void *arg, int64_t zxid)
{
    struct server *s = arg;
    judge_tree(s->net, s, 0);
    if (zab_role(s->z) != ZAB_LEADING)
        return;
    judge_leader(s->net, s);
    s->log.end = s->tree.end = zxid; /* we stand at the start of our epoch */
}

static void host_lost(void *arg, const char *reason)
{
    struct server *s = arg;
    s->lost = true;
    snprintf(s->why, sizeof s->why, "%s", reason);
}

static void host_config_seen(void *arg, const struct quorum *q, bool ahead)
{
    (void)arg;
    (void)q;
    (void)ahead;
}

static void host_config(void *arg, const struct quorum *q)
{
    (void)arg;
    (void)q;
}

static struct pipe *net_pipe(struct net *n, uint64_t id)
{
    for (int i = 0; i < NET_PIPES_MAX; i++)
        if (n->pipes[i].id == id)
            return &n->pipes[i];
    return NULL;
}

static int pipe_end(const struct pipe *p, const struct server *s)
{
    return s->sid == p->from ? 0 : 1;
}

static uint64_t host_connect(void *arg, int64_t sid, bool observers)
{
    struct server *s = arg;
    (void)observers;
    struct net *n = s->net;
    struct pipe *p = net_pipe(n, 0);
    if (p == NULL)
        abort();
    p->id = ++n->next_id;
    p->from = (int)s->sid;
    p->to = (int)sid;
    p->open_told[0] = p->open_told[1] = p->closed[0] = p->closed[1] = false;
    return p->id;
}

static void host_send(void *arg, const uint64_t *links, size_t count, struct slice bytes)
{
    struct server *s = arg;
    for (size_t i = 0; i < count; i++) {
        struct pipe *p = net_pipe(s->net, links[i]);
        if (p != NULL && !p->closed[pipe_end(p, s)])
            buf_put_slice(&p->bytes[1 - pipe_end(p, s)], bytes);
    }
}

static void host_disconnect(void *arg, uint64_t link, const char *reason)
{
    struct server *s = arg;
    (void)reason;
    struct pipe *p = net_pipe(s->net, link);
    if (p != NULL)
        p->closed[pipe_end(p, s)] = true;
}

static void host_want_room(void *arg, uint64_t link)
{
    struct server *s = arg;
    if (s->room_count < NET_PIPES_MAX)
        s->room_links[s->room_count++] = link;
}

static void host_request(void *arg, int64_t sid, const struct zab_request *r)
{
    struct server *s = arg;
    (void)sid;
    (void)r;
    s->syncs_asked++;
}

static void host_touch(void *arg, int64_t sid, int64_t session_id, int32_t timeout_ms)
{
    (void)arg;
    (void)sid;
    (void)session_id;
    (void)timeout_ms;
}

static bool host_revalidate(void *arg, int64_t sid, int64_t session_id, int32_t timeout_ms)
{
    (void)arg;
    (void)sid;
    (void)session_id;
    (void)timeout_ms;
    return true;
}

static void host_observer_session(void *arg, int64_t sid, int64_t session_id)
{
    (void)arg;
    (void)sid;
    (void)session_id;
}

static bool host_observer_may_write(void *arg, int64_t sid, int64_t session_id)
{
    (void)arg;
    (void)sid;
    (void)session_id;
    return true;
}

static void host_learner_gone(void *arg, int64_t sid)
{
    (void)arg;
    (void)sid;
}

static int64_t host_snapshot_begin(void *arg)
{
    struct server *s = arg;
    if (net_below(s->net, 4) == 0)
        return -1;
    s->taking = true;
    s->serialized = 0;
    s->serialize_end = s->tree.count;
    return zab_serving(s->z) ? zab_committed(s->z) : s->tree.end;
}

static bool host_snapshot_next(void *arg, size_t bytes_max, struct buf *out)
{
    struct server *s = arg;
    (void)bytes_max;
    if (s->serialized == 0)
        buf_put_i32(out, (int32_t)s->serialize_end);
    for (int i = 0; i < 7 && s->serialized < s->serialize_end; i++, s->serialized++) {
        buf_put_i64(out, s->tree.at[s->serialized].zxid);
        buf_put_i64(out, (int64_t)s->tree.at[s->serialized].value);
    }
    return s->serialized == s->serialize_end;
}

static void host_snapshot_end(void *arg)
{
    struct server *s = arg;
    s->taking = false;
}

static void host_read_log(void *arg, uint64_t link, int64_t after, int64_t until)
{
    struct server *s = arg;
    s->reading = true;
    s->read_link = link;
    s->read_after = after;
    s->read_until = until;
}

static void host_revalidated(void *arg, int64_t session_id, bool valid)
{
    (void)arg;
    (void)session_id;
    (void)valid;
}

static void host_synced(void *arg)
{
    (void)arg;
}

static void host_touches(void *arg, struct buf *out)
{
    (void)arg;
    buf_put_i64(out, 7);
    buf_put_i32(out, 1000);
}

static void host_trace(void *arg, const struct zab_trace *t)
{
    struct server *s = arg;
    if (s->net->verbose)
        printf("  [%d] trace %d sid=%d zxid=%" PRIx64 " value=%" PRIx64 " %s\n", (int)s->sid,
               (int)t->type, (int)t->sid, t->zxid, t->value, t->text != NULL ? t->text : "");
}

static struct zab_host net_host(struct server *s)
{
    return (struct zab_host){
        .arg = s,
        .set_accepted_epoch = host_set_accepted_epoch,
        .set_current_epoch = host_set_current_epoch,
        .accept = host_accept,
        .truncate = host_truncate,
        .install_begin = host_install_begin,
        .install_bytes = host_install_bytes,
        .install_abort = host_install_abort,
        .install_nothing = host_install_nothing,
        .commit = host_commit,
        .established = host_established,
        .lost = host_lost,
        .config_seen = host_config_seen,
        .config_active = host_config,
        .connect = host_connect,
        .send = host_send,
        .disconnect = host_disconnect,
        .want_room = host_want_room,
        .request = host_request,
        .touch = host_touch,
        .revalidate = host_revalidate,
        .observer_asks = host_observer_session,
        .observer_has = host_observer_session,
        .observer_may_write = host_observer_may_write,
        .learner_gone = host_learner_gone,
        .snapshot_begin = host_snapshot_begin,
        .snapshot_next = host_snapshot_next,
        .snapshot_end = host_snapshot_end,
        .read_log = host_read_log,
        .revalidated = host_revalidated,
        .synced = host_synced,
        .touches = host_touches,
        .trace = host_trace,
    };
}

/* ---- servers ---- */

static void server_start(struct net *n, int i)
{
    struct server *s = &n->s[i];
    history_copy(&s->log, &s->disk.log);
    history_copy(&s->tree, &s->disk.log);
    s->lost = s->truncate_fails = s->reading = s->taking = s->busy = s->told = false;
    s->room_count = 0;
    const struct quorum_server *me = quorum_find(n->config, s->sid);
    struct zab_options o = {.sid = s->sid,
                            .observer = me != NULL && me->observer,
                            .tick_ms = NET_TICK_MS,
                            .init_limit = 10,
                            .sync_limit = 5,
                            .commit_log_count = n->commit_log_count,
                            .window_bytes = n->window_bytes,
                            .log_sync = true,
                            .snap_syncs_max = 10,
                            .diff_syncs_max = 100,
                            .connect_retry_ms = 10,
                            .accepted_epoch = s->disk.accepted_epoch,
                            .current_epoch = s->disk.current_epoch};
    struct zab_host host = net_host(s);
    s->z = zab_create(&o, &host, n->config, NULL);
#ifdef CAUCUS_PLANT
    zab_plant(s->z, n->planted);
#endif
}

static void server_crash(struct net *n, int i)
{
    struct server *s = &n->s[i];
    if (s->z == NULL)
        return;
    zab_free(s->z);
    s->z = NULL;
    disk_crash(n, &s->disk);
    if (n->verbose)
        printf("  [%d] crashed, has %" PRIx64 " epochs %d %d\n", i, s->disk.log.end,
               (int)s->disk.accepted_epoch, (int)s->disk.current_epoch);
    for (int p = 0; p < NET_PIPES_MAX; p++) {
        struct pipe *pipe = &n->pipes[p];
        if (pipe->id != 0 && (pipe->from == i || pipe->to == i))
            pipe->closed[pipe_end(pipe, s)] = true;
    }
}

/* An error of the disk that passes: what was not written yet is lost, the process lives. (A real
 * host stops there: this is what it would have to do to go on.) */
static void server_disk_error(struct server *s)
{
    if (s->z == NULL)
        return;
    zab_idle(s->z);
    struct disk *d = &s->disk;
    for (size_t i = 0; i < d->op_count; i++)
        history_deinit(&d->ops[i].installed);
    d->first_ticket += d->op_count;
    d->op_count = 0;
    history_copy(&s->log, &d->log);
    history_copy(&s->tree, &d->log);
    s->truncate_fails = s->busy = s->told = false;
    zab_durable(s->z, d->first_ticket - 1); /* nothing is on its way any more */
}

/* The end of a step. */
static void server_settle(struct server *s)
{
    zab_flush(s->z);
    if (s->lost) {
        s->lost = false;
        if (s->net->verbose)
            printf("  [%d] lost: %s\n", (int)s->sid, s->why);
        zab_idle(s->z);
        s->told = false;
    }
}

static bool server_serves(const struct server *s)
{
    return s->z != NULL && zab_serving(s->z);
}

static bool server_leads(const struct server *s)
{
    return server_serves(s) && zab_role(s->z) == ZAB_LEADING;
}

static void server_propose(struct net *n, struct server *s)
{
    struct txn t = {zab_last_proposed(s->z) + 1, ++n->next_value};
    struct buf entry = {0};
    put_entry(&entry, t);
    uint64_t ticket = host_append(s, t);
    zab_propose(s->z, t.zxid, buf_slice(&entry), ticket, NULL);
    buf_deinit(&entry);
    server_settle(s);
}

/* The answer to read_log, some at a time. */
static void server_read_log(struct server *s)
{
    if (!s->reading || s->z == NULL)
        return;
    s->reading = false;
    struct buf out = {0};
    size_t i = s->log_from;
    while (i + 1 < s->log.count && s->log.at[i + 1].zxid <= s->read_after)
        i++;
    bool missing = i >= s->log.count || s->log.at[i].zxid > s->read_after;
    size_t given = 0;
    for (; i < s->log.count && s->log.at[i].zxid <= s->read_until && given < 5; i++, given++) {
        buf_put_i32(&out, ENTRY_BYTES);
        put_entry(&out, s->log.at[i]);
    }
    bool end = i >= s->log.count || s->log.at[i].zxid > s->read_until;
    zab_log_read(s->z, s->read_link, buf_slice(&out),
                 missing ? ZAB_LOG_MISSING
                 : end   ? ZAB_LOG_END
                         : ZAB_LOG_MORE);
    buf_deinit(&out);
    server_settle(s);
}

static void server_misc(struct server *s)
{
    if (s->z == NULL)
        return;
    if (s->truncate_fails) {
        s->truncate_fails = s->busy = false;
        if (s->told)
            zab_truncated(s->z, false);
        server_settle(s);
        return;
    }
    if (s->reading) {
        server_read_log(s);
        return;
    }
    if (s->room_count > 0) {
        zab_link_room(s->z, s->room_links[--s->room_count]);
        server_settle(s);
        return;
    }
    zab_snapshot_free(s->z);
    server_settle(s);
}

/* ---- the network ---- */

static struct server *pipe_server(struct net *n, const struct pipe *p, int end)
{
    return &n->s[end == 0 ? p->from : p->to];
}

/* One thing happens on a link: it opens, bytes arrive, or its end is noticed. */
static void pipe_step(struct net *n, struct pipe *p)
{
    if (p->id == 0)
        return;
    struct server *to = &n->s[p->to];
    if (!p->open_told[0] && !p->closed[0]) {
        struct server *from = &n->s[p->from];
        p->open_told[0] = true;
        if (to->z == NULL) {
            p->closed[0] = p->closed[1] = true;
            zab_link_closed(from->z, p->id, n->now_ns);
            server_settle(from);
            return;
        }
        p->open_told[1] = true;
        zab_link_open(to->z, p->id, true, n->now_ns);
        server_settle(to);
        zab_link_open(from->z, p->id, false, n->now_ns);
        server_settle(from);
        return;
    }
    int end = (int)net_below(n, 2);
    for (int i = 0; i < 2; i++, end = 1 - end) {
        struct server *s = pipe_server(n, p, end);
        if (p->closed[end] || !p->open_told[end])
            continue;
        struct buf *b = &p->bytes[end];
        if (b->len > 0) {
            size_t take = n->chop ? 1 + net_below(n, b->len) : b->len;
            uint8_t *bytes = mem_dup(b->ptr, take);
            memmove(b->ptr, b->ptr + take, b->len - take);
            b->len -= take;
            zab_link_bytes(s->z, p->id, slice_of(bytes, take), n->now_ns);
            free(bytes);
            server_settle(s);
            return;
        }
        if (p->closed[1 - end]) {
            p->closed[end] = true;
            zab_link_closed(s->z, p->id, n->now_ns);
            server_settle(s);
            return;
        }
    }
    if ((p->closed[0] || !p->open_told[0]) && (p->closed[1] || !p->open_told[1])) {
        p->id = 0;
        buf_clear(&p->bytes[0]);
        buf_clear(&p->bytes[1]);
    }
}

/* Both ends notice at once; what was under way is lost. */
static void pipe_cut(struct net *n, struct pipe *p)
{
    if (p->id == 0)
        return;
    uint64_t id = p->id;
    for (int end = 0; end < 2; end++) {
        bool tell = p->open_told[end] && !p->closed[end];
        struct server *s = pipe_server(n, p, end);
        p->closed[end] = true;
        buf_clear(&p->bytes[end]);
        if (tell && s->z != NULL) {
            zab_link_closed(s->z, id, n->now_ns);
            server_settle(s);
        } else if (end == 0 && !p->open_told[0] && s->z != NULL) {
            p->open_told[0] = true;
            zab_link_closed(s->z, id, n->now_ns);
            server_settle(s);
        }
    }
}

static void net_tick(struct net *n, int64_t ms)
{
    n->now_ns += ms * 1000000;
    for (int i = 0; i < n->count; i++) {
        if (n->s[i].z == NULL)
            continue;
        zab_tick(n->s[i].z, n->now_ns);
        server_settle(&n->s[i]);
    }
}

static void server_lead(struct net *n, int i)
{
    zab_lead(n->s[i].z, n->s[i].log.end, n->now_ns);
    server_settle(&n->s[i]);
}

static void server_follow(struct net *n, int i, int leader)
{
    zab_follow(n->s[i].z, leader, n->s[i].log.end, n->now_ns);
    server_settle(&n->s[i]);
}

static bool server_looks(const struct server *s)
{
    return s->z != NULL && zab_role(s->z) == ZAB_IDLE && !s->busy;
}

static void net_config(struct net *n, int voters, int observers)
{
    struct buf text = {0};
    for (int i = 0; i < voters + observers; i++)
        buf_printf(&text, "server.%d=127.0.0.1:%d:%d:%s\n", i, 2000 + i, 3000 + i,
                   i < voters ? "participant" : "observer");
    buf_printf(&text, "version=0");
    struct err err;
    if (quorum_parse(buf_slice(&text), &n->config, &err) < 0) {
        printf("%s\n", err.text);
        abort();
    }
    buf_deinit(&text);
}

static struct net *net_create(int voters, int observers, uint64_t seed)
{
    struct net *n = mem_calloc(1, sizeof *n);
    n->count = voters + observers;
    n->random = seed * 0x9e3779b97f4a7c15ULL + 1;
    n->commit_log_count = 500;
    n->chop = true;
    net_config(n, voters, observers);
    for (int i = 0; i < n->count; i++) {
        n->s[i].net = n;
        n->s[i].sid = i;
        n->s[i].disk.first_ticket = 1;
    }
    return n;
}

static void net_start(struct net *n)
{
    for (int i = 0; i < n->count; i++)
        server_start(n, i);
}

static void net_free(struct net *n)
{
    for (int i = 0; i < n->count; i++) {
        struct server *s = &n->s[i];
        zab_free(s->z);
        for (size_t k = 0; k < s->disk.op_count; k++)
            history_deinit(&s->disk.ops[k].installed);
        free(s->disk.ops);
        history_deinit(&s->disk.log);
        history_deinit(&s->log);
        history_deinit(&s->tree);
        buf_deinit(&s->staged);
    }
    for (int i = 0; i < NET_PIPES_MAX; i++) {
        buf_deinit(&n->pipes[i].bytes[0]);
        buf_deinit(&n->pipes[i].bytes[1]);
    }
    history_deinit(&n->agreed);
    quorum_free(n->config);
    free(n);
}

/* Everything that can happen without time and without anybody's wish, once. */
static void net_step_all(struct net *n)
{
    for (int i = 0; i < NET_PIPES_MAX; i++)
        pipe_step(n, &n->pipes[i]);
    for (int i = 0; i < n->count; i++) {
        disk_step(&n->s[i], 1 + net_below(n, 4));
        server_misc(&n->s[i]);
    }
}

#endif
