/* node_ensemble_kit.h: a few nodes, the links between them, their disks and clients, all in memory
 * and in one order. For the tests test_node_ensemble*.c only.
 *
 * What a step wants is carried out at once or queued; ens_settle delivers until nobody has anything
 * left to say. Disks sync by themselves unless told otherwise. */
#ifndef CAUCUS_TESTS_NODE_ENSEMBLE_KIT_H
#define CAUCUS_TESTS_NODE_ENSEMBLE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/node.h"
#include "tree/apply.h"
#include "wire/dec.h"
#include "wire/records.h"
#include "wire/zk.h"
#include "wire/zxid.h"

enum {
    ENS_SERVERS_MAX = 5,
    ENS_CLIENTS = 8,
    ENS_LINKS_MAX = 4096,
    ENS_TIMEOUT_MS = 4000,
};

struct ens_client {
    struct buf said;
    size_t heard;
    bool open, closed;
    int server;
    uint64_t id; /* the driver's number */
    int64_t session_id;
    bool read_only;
    uint8_t password[SESSION_PASSWORD_BYTES];
};

struct ens_entry {
    int64_t zxid;
    uint64_t ticket;
    struct buf bytes;
};

struct ens_disk {
    struct ens_entry *log;
    size_t count, cap;
    struct buf base; /* an installed snapshot; empty = an empty tree */
    int64_t base_zxid;
    struct buf incoming;
    int64_t accepted_epoch, current_epoch;
    uint64_t ticket, durable; /* handed over, told */
    char config[1024], config_next[1024];
};

struct ens_server {
    struct node *node;
    struct effects fx;
    struct node_options options;
    struct node_ensemble ensemble;
    struct ens_disk disk;
    bool up, disk_held;
    size_t truncations, reloads, installs;
    bool fail_truncate;
    size_t traces[TRACE_TYPE_COUNT];
    const char *lost; /* why the last role was over */
    const char *synced_by;
};

struct ens_link {
    int a, b; /* server indexes: a connected to b */
    uint64_t at_a, at_b;
    bool open;
};

enum ens_what {
    ENS_EVENT_LINK,
    ENS_EVENT_ELECTION,
    ENS_EVENT_OTHER
};

struct ens_event {
    struct ens_event *next;
    int server;
    struct node_event ev;
    struct buf bytes;
};

struct ens {
    int count;
    struct ens_server servers[ENS_SERVERS_MAX + 1]; /* by sid, from 1 */
    struct ens_link *links;
    size_t link_count;
    uint64_t last_inbound;
    bool cut[ENS_SERVERS_MAX + 1][ENS_SERVERS_MAX + 1];
    struct ens_event *first, **last;
    struct ens_client clients[ENS_CLIENTS + 1];
    uint64_t last_client;
    int64_t now_ms;
    int32_t timeout_ms; /* that clients ask for */
    struct quorum *config;
};

struct ens_reply {
    int32_t xid;
    int64_t zxid;
    int32_t err;
    struct slice body;
};

static inline void ens_step(struct ens *k, int server, struct node_event ev);

static inline size_t ens_digest(struct slice text, char ret[128])
{
    return (size_t)snprintf(ret, 128, "hash-of-%.*s", (int)text.len, (const char *)text.ptr);
}

/* ---- queue ---- */

static inline void ens_push(struct ens *k, int server, struct node_event ev, struct slice bytes)
{
    struct ens_event *e = mem_calloc(1, sizeof *e);
    e->server = server;
    e->ev = ev;
    buf_put_slice(&e->bytes, bytes);
    *k->last = e;
    k->last = &e->next;
}

static inline bool ens_reachable(const struct ens *k, int a, int b)
{
    return k->servers[a].up && k->servers[b].up && !k->cut[a][b];
}

static inline struct ens_link *ens_link_find(struct ens *k, int server, uint64_t number)
{
    for (size_t i = k->link_count; i-- > 0;) {
        struct ens_link *l = &k->links[i];
        if ((l->a == server && l->at_a == number) || (l->b == server && l->at_b == number))
            return l;
    }
    return NULL;
}

static inline void ens_link_close(struct ens *k, struct ens_link *l, int by)
{
    if (!l->open)
        return;
    l->open = false;
    int other = l->a == by ? l->b : l->a;
    uint64_t number = l->a == by ? l->at_b : l->at_a;
    ens_push(k, other, (struct node_event){.type = NODE_LINK_CLOSED, .link.link = number},
             (struct slice){0});
}

/* ---- the disk ---- */

static inline void ens_log_cut(struct ens_disk *d, int64_t zxid)
{
    while (d->count > 0 && d->log[d->count - 1].zxid > zxid)
        buf_deinit(&d->log[--d->count].bytes);
}

static inline void ens_log_drop_until(struct ens_disk *d, int64_t zxid)
{
    size_t gone = 0;
    while (gone < d->count && d->log[gone].zxid <= zxid)
        buf_deinit(&d->log[gone++].bytes);
    memmove(d->log, d->log + gone, (d->count - gone) * sizeof *d->log);
    d->count -= gone;
}

struct ens_state {
    struct tree *tree;
    struct snapshot_session sessions[64];
    size_t session_count;
};

static inline void ens_state_session(struct ens_state *s, const struct txn_entry *e)
{
    for (size_t i = 0; i < s->session_count; i++) {
        if (s->sessions[i].id == e->hdr.client_id)
            s->sessions[i--] = s->sessions[--s->session_count];
    }
    if (e->hdr.type == ZK_OP_CREATE_SESSION)
        s->sessions[s->session_count++] =
            (struct snapshot_session){e->hdr.client_id, (int32_t)load_be32(e->body.ptr)};
}

static inline struct ens_state ens_recover(struct ens_disk *d)
{
    struct tree_options options = {
        .hash_seed = 7, .digest_enabled = true, .extended_types_enabled = true};
    struct ens_state s = {.tree = tree_create(&options)};
    struct tree_effects fx = {0};
    if (d->base.len > 0) {
        struct snapshot_loader *l = snapshot_loader_create(s.tree);
        size_t used;
        bool done = false;
        struct err err = {0};
        assert_int_equal(snapshot_loader_feed(l, buf_slice(&d->base), &used, &done, &err), 0);
        assert_true(done);
        const struct snapshot_session *list;
        s.session_count = snapshot_loader_sessions(l, &list);
        if (s.session_count > 0)
            memcpy(s.sessions, list, s.session_count * sizeof *list);
        snapshot_loader_free(l);
        tree_set_last_zxid(s.tree, d->base_zxid);
    }
    for (size_t i = 0; i < d->count; i++) {
        struct txn_entry e;
        assert_int_equal(txn_split(buf_slice(&d->log[i].bytes), &e), 0);
        assert_int_equal(tree_apply(s.tree, &e.hdr, e.body, e.has_digest ? &e.digest : NULL, &fx),
                         0);
        assert_false(fx.digest_mismatch);
        if (e.hdr.type == ZK_OP_CREATE_SESSION || e.hdr.type == ZK_OP_CLOSE_SESSION)
            ens_state_session(&s, &e);
    }
    tree_effects_deinit(&fx);
    return s;
}

static inline void ens_truncate(struct ens *k, int server, const struct persist_effect *p)
{
    struct ens_server *s = &k->servers[server];
    struct node_event ev = {.type = NODE_TRUNCATED};
    s->truncations++;
    if (s->fail_truncate) {
        ev.failed = true;
        ens_push(k, server, ev, (struct slice){0});
        return;
    }
    ens_log_cut(&s->disk, p->zxid);
    if (p->value == 1) { /* the event queue owns nothing: the tree is made when it is delivered */
        s->reloads++;
        ev.replace.session_count = SIZE_MAX;
    }
    ens_push(k, server, ev, (struct slice){0});
}

static inline void ens_text(char *to, struct slice text)
{
    memset(to, 0, 1024);
    memcpy(to, text.ptr, text.len < 1023 ? text.len : 1023);
}

static inline void ens_persist(struct ens *k, int server, const struct persist_effect *p)
{
    struct ens_server *s = &k->servers[server];
    struct ens_disk *d = &s->disk;
    struct slice bytes = buf_part(&s->fx.persist_bytes, p->at, p->len);
    if (p->ticket != 0) {
        assert_true(p->ticket > d->ticket);
        d->ticket = p->ticket;
    }
    switch (p->type) {
    case PERSIST_APPEND:
        if (d->count > 0)
            assert_true(p->zxid > d->log[d->count - 1].zxid);
        if (d->count == d->cap) {
            d->cap = d->cap ? 2 * d->cap : 64;
            d->log = mem_realloc(d->log, d->cap * sizeof *d->log);
        }
        d->log[d->count] = (struct ens_entry){.zxid = p->zxid, .ticket = p->ticket};
        buf_put_slice(&d->log[d->count++].bytes, bytes);
        break;
    case PERSIST_ACCEPTED_EPOCH:
        d->accepted_epoch = p->value;
        break;
    case PERSIST_CURRENT_EPOCH:
        d->current_epoch = p->value;
        break;
    case PERSIST_CONFIG_NEXT:
        ens_text(d->config_next, bytes);
        break;
    case PERSIST_CONFIG:
        ens_text(d->config, bytes);
        break;
    case PERSIST_TRUNCATE:
        ens_truncate(k, server, p);
        break;
    case PERSIST_INSTALL_BEGIN:
    case PERSIST_INSTALL_ABORT:
        buf_clear(&d->incoming);
        break;
    case PERSIST_INSTALL_CHUNK:
        buf_put_slice(&d->incoming, bytes);
        break;
    case PERSIST_INSTALL_END:
        s->installs++;
        ens_log_cut(d, INT64_MIN);
        buf_deinit(&d->base);
        d->base = d->incoming;
        d->base_zxid = p->zxid;
        d->incoming = (struct buf){0};
        ens_push(k, server, (struct node_event){.type = NODE_INSTALLED}, (struct slice){0});
        break;
    case PERSIST_ROLL:
    case PERSIST_SNAPSHOT_BEGIN:
    case PERSIST_SNAPSHOT_CHUNK:
    case PERSIST_SNAPSHOT_END:
    case PERSIST_SNAPSHOT_ABORT:
        break;
    }
}

/* Everything handed over is durable now. */
static inline void ens_sync(struct ens *k, int server)
{
    struct ens_server *s = &k->servers[server];
    if (!s->up || s->disk.durable == s->disk.ticket)
        return;
    s->disk.durable = s->disk.ticket;
    ens_step(k, server, (struct node_event){.type = NODE_DURABLE, .ticket = s->disk.ticket});
}

/* ---- links ---- */

static inline void ens_read_log(struct ens *k, int server, const struct link_effect *l)
{
    struct ens_disk *d = &k->servers[server].disk;
    struct buf out = {0};
    size_t from = 0;
    while (from < d->count && d->log[from].zxid <= l->after_zxid)
        from++;
    struct node_event ev = {.type = NODE_LOG_READ, .link = {.link = l->link, .how = ZAB_LOG_END}};
    if (from == 0)
        ev.link.how = ZAB_LOG_MISSING;
    else
        from--;
    for (size_t i = from; i < d->count && d->log[i].zxid <= l->until_zxid; i++)
        rec_put_slice(&out, buf_slice(&d->log[i].bytes));
    ens_push(k, server, ev, buf_slice(&out));
    buf_deinit(&out);
}

static inline void ens_link_effect(struct ens *k, int server, const struct link_effect *l)
{
    struct ens_link *link = ens_link_find(k, server, l->link);
    switch (l->type) {
    case LINK_CONNECT: {
        int to = (int)l->sid;
        if (to < 1 || to > k->count || !ens_reachable(k, server, to)) {
            ens_push(k, server, (struct node_event){.type = NODE_LINK_CLOSED, .link.link = l->link},
                     (struct slice){0});
            break;
        }
        assert_true(k->link_count < ENS_LINKS_MAX);
        uint64_t at_b = ++k->last_inbound;
        k->links[k->link_count++] =
            (struct ens_link){.a = server, .b = to, .at_a = l->link, .at_b = at_b, .open = true};
        ens_push(k, server, (struct node_event){.type = NODE_LINK_OPEN, .link.link = l->link},
                 (struct slice){0});
        ens_push(
            k, to,
            (struct node_event){.type = NODE_LINK_OPEN,
                                .link = {.link = at_b, .inbound = true, .observers = l->observers}},
            (struct slice){0});
        break;
    }
    case LINK_SEND: {
        assert_true(l->after <= k->servers[server].disk.durable);
        if (link == NULL || !link->open)
            break;
        int to = link->a == server ? link->b : link->a;
        uint64_t number = link->a == server ? link->at_b : link->at_a;
        ens_push(k, to, (struct node_event){.type = NODE_LINK_BYTES, .link.link = number},
                 buf_part(&k->servers[server].fx.send_bytes, l->at, l->len));
        break;
    }
    case LINK_CLOSE:
        if (link != NULL)
            ens_link_close(k, link, server);
        break;
    case LINK_WANT_ROOM:
        ens_push(k, server, (struct node_event){.type = NODE_LINK_ROOM, .link.link = l->link},
                 (struct slice){0});
        break;
    case LINK_READ_LOG:
        ens_read_log(k, server, l);
        break;
    case LINK_PAUSE:
    case LINK_RESUME:
        break;
    }
}

/* ---- a step ---- */

static inline struct ens_client *ens_client_by_id(struct ens *k, uint64_t id)
{
    for (int i = 1; i <= ENS_CLIENTS; i++) {
        if (k->clients[i].id == id)
            return &k->clients[i];
    }
    return NULL;
}

static inline void ens_carry_out(struct ens *k, int server)
{
    struct ens_server *s = &k->servers[server];
    struct effects *fx = &s->fx;
    for (size_t i = 0; i < fx->persist_count; i++)
        ens_persist(k, server, &fx->persists[i]);
    for (size_t i = 0; i < fx->link_count; i++)
        ens_link_effect(k, server, &fx->links[i]);
    for (size_t i = 0; i < fx->election_count; i++) {
        const struct election_effect *e = &fx->elections[i];
        int to = (int)e->sid;
        if (to >= 1 && to <= k->count && ens_reachable(k, server, to))
            ens_push(k, to,
                     (struct node_event){.type = NODE_ELECTION_MESSAGE, .election.sid = server},
                     buf_part(&fx->send_bytes, e->at, e->len));
    }
    for (size_t i = 0; i < fx->send_count; i++) {
        struct ens_client *c = ens_client_by_id(k, fx->sends[i].client);
        if (c != NULL)
            buf_put(&c->said, fx->send_bytes.ptr + fx->sends[i].at, fx->sends[i].len);
    }
    for (size_t i = 0; i < fx->trace_count; i++) {
        s->traces[fx->traces[i].type]++;
        if (fx->traces[i].type == TRACE_ROLE_LOST)
            s->lost = fx->traces[i].text;
        if (fx->traces[i].type == TRACE_SYNCED_BY)
            s->synced_by = fx->traces[i].text;
    }
    for (size_t i = 0; i < fx->close_count; i++) {
        struct ens_client *c = ens_client_by_id(k, fx->closes[i].client);
        if (c != NULL)
            c->closed = true;
        ens_push(k, server,
                 (struct node_event){.type = NODE_CLIENT_CLOSED, .client = fx->closes[i].client},
                 (struct slice){0});
    }
}

static inline void ens_step(struct ens *k, int server, struct node_event ev)
{
    struct ens_server *s = &k->servers[server];
    if (!s->up)
        return;
    ev.now_ns = k->now_ms * 1000000;
    ev.wall_ms = 1700000000000 + k->now_ms;
    effects_clear(&s->fx);
    node_step(s->node, &ev, &s->fx);
    ens_carry_out(k, server);
}

static inline void ens_deliver(struct ens *k, struct ens_event *e)
{
    struct ens_state state = {0};
    struct slice bytes = buf_slice(&e->bytes);
    switch (e->ev.type) {
    case NODE_LINK_BYTES:
    case NODE_LOG_READ:
        e->ev.link.bytes = bytes;
        break;
    case NODE_ELECTION_MESSAGE:
        if (k->cut[e->server][e->ev.election.sid])
            return;
        e->ev.election.bytes = bytes;
        break;
    case NODE_TRUNCATED:
        if (!k->servers[e->server].up)
            return;
        if (e->ev.replace.session_count == SIZE_MAX) {
            state = ens_recover(&k->servers[e->server].disk);
            e->ev.replace.tree = state.tree;
            e->ev.replace.sessions = state.sessions;
            e->ev.replace.session_count = state.session_count;
        }
        break;
    default:
        break;
    }
    ens_step(k, e->server, e->ev);
}

/* Until nobody has anything to say. */
static inline void ens_settle(struct ens *k)
{
    for (int rounds = 0; rounds < 100000; rounds++) {
        if (k->first == NULL) {
            for (int i = 1; i <= k->count; i++) {
                if (!k->servers[i].disk_held)
                    ens_sync(k, i);
            }
            bool now = false;
            for (int i = 1; i <= k->count; i++) {
                struct ens_server *s = &k->servers[i];
                if (s->up && s->fx.deadline_ns <= k->now_ms * 1000000) {
                    ens_step(k, i, (struct node_event){.type = NODE_TICK});
                    now = true;
                }
            }
            if (k->first == NULL && !now)
                return;
            if (k->first == NULL)
                continue;
        }
        struct ens_event *e = k->first;
        k->first = e->next;
        if (k->first == NULL)
            k->last = &k->first;
        ens_deliver(k, e);
        buf_deinit(&e->bytes);
        free(e);
    }
    fail_msg("the ensemble never comes to rest");
}

/* Time passes, deadline by deadline. */
static inline void ens_run(struct ens *k, int64_t ms)
{
    int64_t until = k->now_ms + ms;
    ens_settle(k);
    while (k->now_ms < until) {
        int64_t next = until;
        for (int i = 1; i <= k->count; i++) {
            struct ens_server *s = &k->servers[i];
            if (!s->up || s->fx.deadline_ns == INT64_MAX)
                continue;
            int64_t due = (s->fx.deadline_ns + 999999) / 1000000;
            if (due <= k->now_ms)
                due = k->now_ms + 1;
            if (due < next)
                next = due;
        }
        k->now_ms = next;
        ens_settle(k);
    }
}

/* ---- servers ---- */

static inline void ens_channels(struct ens *k, int server, bool up)
{
    for (int i = 1; i <= k->count; i++) {
        if (i == server || !k->servers[i].up || k->cut[i][server])
            continue;
        if (k->servers[server].up)
            ens_step(k, server,
                     (struct node_event){.type = NODE_ELECTION_CHANNEL,
                                         .election = {.sid = i, .up = up}});
        ens_step(k, i,
                 (struct node_event){.type = NODE_ELECTION_CHANNEL,
                                     .election = {.sid = server, .up = up}});
    }
}

static inline void ens_start(struct ens *k, int server)
{
    struct ens_server *s = &k->servers[server];
    struct ens_disk *d = &s->disk;
    struct ens_state state = ens_recover(d);
    struct node_ensemble e = s->ensemble;
    struct quorum *config = NULL, *next = NULL;
    if (d->config[0] != 0)
        assert_int_equal(quorum_parse(slice_str(d->config), &config, NULL), 0);
    if (d->config_next[0] != 0)
        assert_int_equal(quorum_parse(slice_str(d->config_next), &next, NULL), 0);
    e.config = config != NULL ? config : k->config;
    e.config_seen = next != NULL && next->version > e.config->version ? next : NULL;
    e.accepted_epoch = d->accepted_epoch;
    e.current_epoch = d->current_epoch;
    struct buf recent = {0};
    for (size_t i = 0; i < d->count; i++)
        rec_put_slice(&recent, buf_slice(&d->log[i].bytes));
    e.recent = buf_slice(&recent);
    s->options.ensemble = &e;
    s->node = node_create(&s->options, state.tree, state.sessions, state.session_count,
                          k->now_ms * 1000000);
    quorum_free(config);
    quorum_free(next);
    buf_deinit(&recent);
    s->up = true;
    ens_step(k, server, (struct node_event){.type = NODE_START});
    ens_channels(k, server, true);
}

/* What was not durable is lost. */
static inline void ens_crash(struct ens *k, int server)
{
    struct ens_server *s = &k->servers[server];
    ens_channels(k, server, false);
    s->up = false;
    for (size_t i = 0; i < k->link_count; i++) {
        if (k->links[i].a == server || k->links[i].b == server)
            ens_link_close(k, &k->links[i], server);
    }
    while (s->disk.count > 0 && s->disk.log[s->disk.count - 1].ticket > s->disk.durable)
        buf_deinit(&s->disk.log[--s->disk.count].bytes);
    for (size_t i = 0; i < s->disk.count; i++)
        s->disk.log[i].ticket = 0;
    s->disk.ticket = s->disk.durable = 0;
    for (int i = 1; i <= ENS_CLIENTS; i++) {
        if (k->clients[i].open && k->clients[i].server == server)
            k->clients[i].closed = true;
    }
    node_free(s->node);
    s->node = NULL;
    struct ens_event *e = k->first;
    for (; e != NULL; e = e->next) {
        if (e->server == server)
            e->server = 0; /* servers[0] is never up */
    }
}

static inline void ens_cut(struct ens *k, int a, int b, bool cut)
{
    if (cut) {
        ens_step(k, a, (struct node_event){.type = NODE_ELECTION_CHANNEL, .election = {.sid = b}});
        ens_step(k, b, (struct node_event){.type = NODE_ELECTION_CHANNEL, .election = {.sid = a}});
    }
    k->cut[a][b] = k->cut[b][a] = cut;
    for (size_t i = 0; i < k->link_count && cut; i++) {
        struct ens_link *l = &k->links[i];
        if ((l->a == a && l->b == b) || (l->a == b && l->b == a)) {
            ens_link_close(k, l, a);
            uint64_t number = l->a == a ? l->at_a : l->at_b;
            ens_push(k, a, (struct node_event){.type = NODE_LINK_CLOSED, .link.link = number},
                     (struct slice){0});
        }
    }
    if (!cut) {
        ens_step(
            k, a,
            (struct node_event){.type = NODE_ELECTION_CHANNEL, .election = {.sid = b, .up = true}});
        ens_step(
            k, b,
            (struct node_event){.type = NODE_ELECTION_CHANNEL, .election = {.sid = a, .up = true}});
    }
}

static inline void ens_isolate(struct ens *k, int server, bool cut)
{
    for (int i = 1; i <= k->count; i++) {
        if (i != server)
            ens_cut(k, server, i, cut);
    }
}

/* `observers`: the last so many. */
static inline struct ens *ens_new(int count, int observers)
{
    struct ens *k = mem_calloc(1, sizeof *k);
    k->count = count;
    k->now_ms = 1000000;
    k->timeout_ms = ENS_TIMEOUT_MS;
    k->last = &k->first;
    k->links = mem_calloc(ENS_LINKS_MAX, sizeof *k->links);
    struct buf text = {0};
    for (int i = 1; i <= count; i++)
        buf_printf(&text, "server.%d=10.0.0.%d:2888:3888:%s;2181\n", i, i,
                   i > count - observers ? "observer" : "participant");
    assert_int_equal(quorum_parse(buf_slice(&text), &k->config, NULL), 0);
    buf_deinit(&text);
    for (int i = 1; i <= count; i++) {
        k->servers[i].options = (struct node_options){
            .seed = 5 + (uint64_t)i,
            .server_id = i,
            .tick_ms = 1000,
            .session_timeout_min_ms = 2000,
            .session_timeout_max_ms = 20000,
            .frame_bytes_max = 1 << 20,
            .snap_count = 100000,
            .outstanding_max = 1000,
            .container_check_interval_ms = 60000,
            .container_per_minute_max = 10000,
            .close_session_txn = true,
            .digest_auth_enabled = true,
            .digest = ens_digest,
            .reconfig_enabled = true,
            .super_digest = "super:hash-of-super:test",
        };
        k->servers[i].ensemble = (struct node_ensemble){
            .observer = i > count - observers,
            .init_limit = 10,
            .sync_limit = 5,
            .commit_log_count = 500,
            .snap_syncs_max = 10,
            .diff_syncs_max = 100,
            .finalize_wait_ms = 200,
            .notification_ms_min = 200,
            .notification_ms_max = 60000,
            .connect_retry_ms = 100,
            .leader_serves = true,
            .standalone_enabled = true,
            .observer_election_delay_ms = 200,
        };
    }
    return k;
}

static inline struct ens *ens_up(struct ens *k)
{
    for (int i = 1; i <= k->count; i++)
        ens_start(k, i);
    ens_run(k, 3000);
    return k;
}

static inline struct ens *ens_open(int count)
{
    return ens_up(ens_new(count, 0));
}

static inline void ens_close(struct ens *k)
{
    while (k->first != NULL) {
        struct ens_event *e = k->first;
        k->first = e->next;
        buf_deinit(&e->bytes);
        free(e);
    }
    for (int i = 1; i <= k->count; i++) {
        struct ens_server *s = &k->servers[i];
        node_free(s->node);
        effects_deinit(&s->fx);
        ens_log_cut(&s->disk, INT64_MIN);
        free(s->disk.log);
        buf_deinit(&s->disk.base);
        buf_deinit(&s->disk.incoming);
    }
    for (int i = 0; i <= ENS_CLIENTS; i++)
        buf_deinit(&k->clients[i].said);
    quorum_free(k->config);
    free(k->links);
    free(k);
}

static inline int ens_leader(const struct ens *k)
{
    int leader = 0;
    for (int i = 1; i <= k->count; i++) {
        const struct ens_server *s = &k->servers[i];
        if (s->up && node_role(s->node) == NODE_LEADING && node_serving(s->node)) {
            assert_int_equal(leader, 0);
            leader = i;
        }
    }
    assert_int_not_equal(leader, 0);
    return leader;
}

/* Any server that follows the leader. */
static inline int ens_follower(const struct ens *k)
{
    for (int i = 1; i <= k->count; i++) {
        const struct ens_server *s = &k->servers[i];
        if (s->up && node_role(s->node) == NODE_FOLLOWING && node_serving(s->node))
            return i;
    }
    fail_msg("nobody follows");
    return 0;
}

static inline struct tree *ens_tree(const struct ens *k, int server)
{
    return (struct tree *)(uintptr_t)node_tree(k->servers[server].node);
}

/* All who are up hold the same tree. */
static inline void ens_same(const struct ens *k)
{
    int first = 0;
    for (int i = 1; i <= k->count; i++) {
        if (!k->servers[i].up)
            continue;
        if (first == 0)
            first = i;
        assert_int_equal(tree_digest(ens_tree(k, i)), tree_digest(ens_tree(k, first)));
        assert_int_equal(tree_node_count(ens_tree(k, i)), tree_node_count(ens_tree(k, first)));
        assert_int_equal(k->servers[i].traces[TRACE_DIGEST_MISMATCH], 0);
    }
}

/* ---- clients ---- */

static inline bool ens_has_reply(const struct ens *k, int client)
{
    return k->clients[client].heard < k->clients[client].said.len;
}

static inline struct slice ens_next_frame(struct ens *k, int client)
{
    struct ens_client *c = &k->clients[client];
    assert_true(ens_has_reply(k, client));
    const uint8_t *at = c->said.ptr + c->heard;
    struct slice frame = slice_of(at + 4, load_be32(at));
    c->heard += 4 + frame.len;
    return frame;
}

static inline struct ens_reply ens_reply(struct ens *k, int client)
{
    struct dec d = dec_of(ens_next_frame(k, client));
    struct ens_reply r = {.xid = dec_i32(&d), .zxid = dec_i64(&d), .err = dec_i32(&d)};
    assert_false(d.bad);
    r.body = dec_rest(&d);
    return r;
}

/* Its error; the reply must be of that xid. */
static inline int32_t ens_err(struct ens *k, int client, int32_t xid)
{
    struct ens_reply r = ens_reply(k, client);
    assert_int_equal(r.xid, xid);
    return r.err;
}

/* Without waiting for the answer. session 0 = a new one. */
static inline void ens_ask_session(struct ens *k, int client, int server, int64_t session_id,
                                   const uint8_t *password, bool read_only)
{
    struct ens_client *c = &k->clients[client];
    buf_clear(&c->said);
    c->heard = 0;
    c->open = true;
    c->closed = false;
    c->server = server;
    c->id = ++k->last_client;
    ens_step(k, server,
             (struct node_event){
                 .type = NODE_CLIENT_OPEN, .client = c->id, .open.address = slice_str("1.2.3.4")});
    struct buf b = {0};
    struct rec_connect_request req = {
        .time_out = k->timeout_ms,
        .session_id = session_id,
        .passwd = slice_of(password, password != NULL ? SESSION_PASSWORD_BYTES : 0),
        .has_read_only = true,
        .read_only = read_only,
    };
    rec_put_connect_request(&b, &req);
    ens_step(
        k, server,
        (struct node_event){.type = NODE_CLIENT_FRAME, .client = c->id, .frame = buf_slice(&b)});
    buf_deinit(&b);
}

static inline int64_t ens_take_session(struct ens *k, int client)
{
    struct dec d = dec_of(ens_next_frame(k, client));
    struct rec_connect_response rsp;
    assert_true(rec_get_connect_response(&d, &rsp));
    struct ens_client *c = &k->clients[client];
    c->session_id = rsp.session_id;
    c->read_only = rsp.read_only;
    memcpy(c->password, rsp.passwd.ptr, sizeof c->password);
    return rsp.session_id;
}

static inline void ens_connect(struct ens *k, int client, int server)
{
    ens_ask_session(k, client, server, 0, NULL, false);
    ens_settle(k);
    assert_int_not_equal(ens_take_session(k, client), 0);
}

/* The session of client `from` goes on through another connection: its id, 0 = refused. */
static inline int64_t ens_move(struct ens *k, int client, int from, int server)
{
    int64_t id = k->clients[from].session_id;
    uint8_t password[SESSION_PASSWORD_BYTES];
    memcpy(password, k->clients[from].password, sizeof password);
    ens_ask_session(k, client, server, id, password, false);
    ens_settle(k);
    return ens_take_session(k, client);
}

static inline void ens_hang_up(struct ens *k, int client)
{
    struct ens_client *c = &k->clients[client];
    c->closed = true;
    ens_step(k, c->server, (struct node_event){.type = NODE_CLIENT_CLOSED, .client = c->id});
}

static inline void ens_request(struct ens *k, int client, int32_t xid, int32_t op,
                               struct buf *record)
{
    struct buf frame = {0};
    buf_put_i32(&frame, xid);
    buf_put_i32(&frame, op);
    if (record != NULL) {
        buf_put_slice(&frame, buf_slice(record));
        buf_deinit(record);
    }
    struct ens_client *c = &k->clients[client];
    ens_step(k, c->server,
             (struct node_event){
                 .type = NODE_CLIENT_FRAME, .client = c->id, .frame = buf_slice(&frame)});
    buf_deinit(&frame);
}

static inline void ens_create_mode(struct ens *k, int client, int32_t xid, const char *path,
                                   int32_t flags)
{
    struct buf b = {0};
    rec_put_slice(&b, slice_str(path));
    rec_put_slice(&b, slice_str(path));
    buf_put_i32(&b, 1);
    rec_put_acl(&b, &(struct rec_acl){ZK_PERM_ALL, {slice_str("world"), slice_str("anyone")}});
    buf_put_i32(&b, flags);
    ens_request(k, client, xid, ZK_OP_CREATE, &b);
}

static inline void ens_create(struct ens *k, int client, int32_t xid, const char *path)
{
    ens_create_mode(k, client, xid, path, 0);
}

static inline void ens_read(struct ens *k, int client, int32_t xid, int32_t op, const char *path,
                            bool watch)
{
    struct buf b = {0};
    rec_put_slice(&b, slice_str(path));
    buf_put_u8(&b, watch);
    ens_request(k, client, xid, op, &b);
}

static inline void ens_path_request(struct ens *k, int client, int32_t xid, int32_t op,
                                    const char *path)
{
    struct buf b = {0};
    rec_put_slice(&b, slice_str(path));
    if (op == ZK_OP_DELETE)
        buf_put_i32(&b, -1);
    ens_request(k, client, xid, op, &b);
}

static inline bool ens_has(const struct ens *k, int server, const char *path)
{
    return tree_find(ens_tree(k, server), slice_str(path)) != NULL;
}

#endif
