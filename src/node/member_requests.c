/* member_requests.c: what clients of a member ask for that is not decided here: writes and syncs go
 * to the leader and wait, each in its connection's queue, for what comes back as a commit
 * (FollowerRequestProcessor, ObserverRequestProcessor, CommitProcessor). */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/effects_internal.h"
#include "node/node_internal.h"

enum {
    RING_FIRST = 64
};

/* ---- what was forwarded, in order ---- */

static void forwarded_push(struct forwarded_ring *r, struct forwarded f)
{
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : RING_FIRST;
        struct forwarded *grown = mem_alloc(cap * sizeof *grown);
        for (size_t i = 0; i < r->count; i++)
            grown[i] = r->items[(r->head + i) & (r->cap - 1)];
        free(r->items);
        *r = (struct forwarded_ring){.items = grown, .count = r->count, .cap = cap};
    }
    r->items[(r->head + r->count) & (r->cap - 1)] = f;
    r->count++;
}

static void sync_push(struct sync_ring *r, struct sync_wait w)
{
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : RING_FIRST;
        struct sync_wait *grown = mem_alloc(cap * sizeof *grown);
        for (size_t i = 0; i < r->count; i++)
            grown[i] = r->items[(r->head + i) & (r->cap - 1)];
        free(r->items);
        *r = (struct sync_ring){.items = grown, .count = r->count, .cap = cap, .told = r->told};
    }
    r->items[(r->head + r->count) & (r->cap - 1)] = w;
    r->count++;
}

bool forwarded_wait_for(struct node *n, int64_t session_id, uint64_t client)
{
    struct forwarded_ring *r = &n->ensemble->forwarded;
    for (size_t i = r->count; i-- > 0;) {
        struct forwarded *f = &r->items[(r->head + i) & (r->cap - 1)];
        if (f->session_id == session_id) {
            f->client = client;
            f->wait = true;
            return true;
        }
    }
    return false;
}

/* Commits come in the order of requests, so it is the oldest or none of ours. A write of the same
 * session through another server may have the same number (not all clients go on counting when they
 * come back); but then this connection still waits for that one to be done. */
void forwarded_match(struct node *n, struct proposal *p)
{
    struct forwarded_ring *r = &n->ensemble->forwarded;
    if (r->count == 0)
        return;
    struct forwarded f = r->items[r->head];
    if (f.session_id != p->hdr.client_id || f.cxid != p->hdr.cxid)
        return;
    struct client *c = client_find(n, f.client);
    if (c != NULL && c->waiting > 0 && !f.wait)
        return;
    r->head = (r->head + 1) & (r->cap - 1);
    r->count--;
    if (p->client == 0) {
        p->client = f.client;
        p->wait = f.wait;
    } else if (c != NULL && f.wait) {
        c->waiting--; /* it waits for the same thing twice: as what it sent, and as what came */
    }
}

static void give_to_leader(struct node *n, const struct zab_request *r)
{
    n->ensemble->dirty = true;
    zab_forward(n->ensemble->zab, r);
}

/* ---- writes ---- */

static const struct rec_id *identities_to_send(struct ensemble *e, const struct client *c,
                                               size_t count)
{
    if (count > e->who_cap) {
        e->who_cap = 2 * count;
        e->who = mem_realloc(e->who, e->who_cap * sizeof *e->who);
    }
    for (size_t i = 0; i < count; i++)
        e->who[i] = (struct rec_id){c->identities[i].scheme, c->identities[i].id};
    return e->who;
}

static void forward(struct node *n, struct client *c, const struct request *r)
{
    give_to_leader(n, &(struct zab_request){
                          .session_id = c->session_id,
                          .cxid = r->xid,
                          .op = r->op,
                          .record = r->record,
                          .who = identities_to_send(n->ensemble, c, r->identity_count),
                          .who_count = r->identity_count,
                      });
}

static void forward_write(struct node *n, struct client *c, const struct request *r,
                          struct effects *fx)
{
    int32_t err = 0;
    if (n->disk_full && r->op != ZK_OP_CLOSE_SESSION)
        err = ZK_SYSTEMERROR;
    else if (!prep_can_decode(r->op, r->record))
        err = ZK_MARSHALLINGERROR;
    request_enqueue(n, c, request_entry(r, err != 0 ? FIFO_ERROR : FIFO_WRITE, err),
                    (struct slice){0}, fx);
    if (err != 0) {
        client_drain(n, c, fx);
        return;
    }
    forwarded_push(
        &n->ensemble->forwarded,
        (struct forwarded){.client = c->id, .session_id = c->session_id, .cxid = r->xid});
    forward(n, c, r);
}

/* ReadOnlyRequestProcessor: at once, and nothing else can be waiting. */
static void refuse_read_only(struct node *n, struct client *c, const struct request *r,
                             struct effects *fx)
{
    reply_header(n, c, r->xid, tree_last_zxid(n->tree), ZK_NOTREADONLY, fx);
}

/* A local session is closed in its turn, and may become a global one for the sake of an ephemeral.
 * True = taken care of. */
static bool local_write(struct node *n, struct client *c, const struct request *r,
                        struct effects *fx)
{
    if (r->op == ZK_OP_CLOSE_SESSION) {
        request_enqueue(n, c, request_entry(r, FIFO_READ, 0), (struct slice){0}, fx);
        client_drain(n, c, fx);
        return true;
    }
    if (!request_creates_ephemeral(r->op, r->record))
        return false;
    if (n->ensemble->options.local_sessions_upgrade) {
        local_session_upgrade(n, c, fx);
        return false;
    }
    request_enqueue(n, c, request_entry(r, FIFO_ERROR, ZK_EPHEMERALONLOCALSESSION),
                    (struct slice){0}, fx);
    client_drain(n, c, fx);
    return true;
}

/* FollowerRequestProcessor, LeaderRequestProcessor: what the lists of the tree as it is here refuse
 * is no transaction. Only of who waits for nothing: his writes under way may be what permits it. */
static bool refuse_early(struct node *n, struct client *c, const struct request *r,
                         struct effects *fx)
{
    if (!n->ensemble->options.eager_acl || c->fifo.count > 0)
        return false;
    struct identities who = {c->identities, r->identity_count};
    int32_t err = prep_foresee(n->prep, r->op, r->record, who);
    if (err != 0)
        reply_header(n, c, r->xid, 0, err, fx);
    return err != 0;
}

bool member_write(struct node *n, struct client *c, const struct request *r, struct effects *fx)
{
    struct ensemble *e = n->ensemble;
    if (c->state != CLIENT_READY && !e->serving)
        return true; /* the role in which it was asked for is over */
    bool local = c->session != NULL && c->session->local;
    if (e->read_only && !(local && r->op == ZK_OP_CLOSE_SESSION)) {
        refuse_read_only(n, c, r, fx);
        return true;
    }
    if (refuse_early(n, c, r, fx))
        return true;
    if (local && local_write(n, c, r, fx))
        return true;
    if (e->role == NODE_LEADING)
        return false;
    forward_write(n, c, r, fx);
    return true;
}

/* ---- sync ---- */

/* On the leader it waits for what was proposed before it; on a learner for the leader's answer,
 * which comes behind the commits of what was proposed there. */
bool member_sync(struct node *n, struct client *c, const struct request *r, struct effects *fx)
{
    struct ensemble *e = n->ensemble;
    if (e->read_only) {
        refuse_read_only(n, c, r, fx);
        return true;
    }
    struct sync_wait w = {.client = c->id, .zxid = -1};
    if (e->role == NODE_LEADING) {
        if (n->proposal_count == 0)
            return false;
        w.zxid = n->last_proposed_zxid;
        e->syncs.told++;
    }
    request_enqueue(n, c, request_entry(r, FIFO_SYNC, 0), r->record, fx);
    sync_push(&e->syncs, w);
    if (e->role != NODE_LEADING)
        forward(n, c, r);
    return true;
}

static void synced(void *arg)
{
    struct node *n = arg;
    struct sync_ring *r = &n->ensemble->syncs;
    if (r->told == r->count)
        return; /* not expected */
    r->items[(r->head + r->told) & (r->cap - 1)].zxid = n->committed_zxid;
    r->told++;
    n->ensemble->dirty = true;
}

void syncs_run(struct node *n, struct effects *fx)
{
    struct sync_ring *r = &n->ensemble->syncs;
    while (r->told > 0) {
        struct sync_wait w = r->items[r->head];
        if (!commit_has_reached(n, w.zxid))
            return;
        r->head = (r->head + 1) & (r->cap - 1);
        r->count--;
        r->told--;
        struct client *c = client_find(n, w.client);
        if (c == NULL || c->state != CLIENT_READY)
            continue;
        struct fifo_entry *entry = fifo_first(&c->fifo, FIFO_SYNC);
        invariant(entry != NULL);
        entry->kind = FIFO_READ;
        client_drain(n, c, fx);
    }
}

/* ---- sessions ---- */

/* All new sessions of a learner are made by the leader. */
void member_open_session(struct node *n, struct client *c, struct effects *fx)
{
    struct ensemble *e = n->ensemble;
    if (e->read_only) {
        reply_header(n, c, 0, tree_last_zxid(n->tree), ZK_NOTREADONLY, fx);
        client_close(c, "no sessions without a quorum", fx);
        return;
    }
    c->session_id = session_fresh_id(n);
    connect_wait_for_session(n, c, 0, fx);

    uint8_t timeout[4];
    store_be32(timeout, (uint32_t)c->timeout_ms);
    forwarded_push(&e->forwarded, (struct forwarded){.client = c->id, .session_id = c->session_id});
    give_to_leader(n, &(struct zab_request){.session_id = c->session_id,
                                            .op = ZK_OP_CREATE_SESSION,
                                            .record = slice_of(timeout, sizeof timeout)});
}

/* The password was right. Whether the session still lives only the leader knows. A server without
 * one cannot say of any session that it is over: it sends the client on to others, where ZooKeeper
 * (with local sessions) calls what it does not know expired. */
void member_reopen_session(struct node *n, struct client *c, struct effects *fx)
{
    struct ensemble *e = n->ensemble;
    struct session *local =
        n->local_sessions != NULL ? session_find(n->local_sessions, c->session_id) : NULL;
    if (local != NULL) {
        session_attach(c, local);
        session_touch(n->local_sessions, local, c->timeout_ms, node_now_ms(n));
        connect_established(n, c, fx);
        return;
    }
    if (e->read_only) {
        client_close(c, "a global session cannot be renewed read-only", fx);
        return;
    }
    connect_hold(c, fx);
    struct client *before = map_put(&e->revalidations, (uint64_t)c->session_id, c);
    if (before != NULL)
        client_close(before, "session moved to a new connection", fx);
    e->dirty = true;
    zab_revalidate(e->zab, c->session_id, c->timeout_ms);
}

static void revalidated(void *arg, int64_t session_id, bool valid)
{
    struct node *n = arg;
    struct client *c = map_remove(&n->ensemble->revalidations, (uint64_t)session_id);
    if (c == NULL || c->state != CLIENT_CONNECTING)
        return;
    connect_revalidated(n, c, valid, n->fx);
}

/* ---- who lives: told with the answer to the leader's next ping, or before ----
 *
 * A leader counts a session's timeout from when it is told, and asks twice in a tick: with ticks of
 * two seconds a session whose client died would live for a second too long. So it is told sooner,
 * the more there is to tell the later. */

enum {
    TELL_GAP_MS = 50,
    TELL_SESSIONS_PER_MS = 10,
};

void member_heard(struct node *n, struct session *s)
{
    struct ensemble *e = n->ensemble;
    if (s->heard)
        return;
    s->heard = true;
    if (e->heard_count == e->heard_cap) {
        e->heard_cap = e->heard_cap ? e->heard_cap * 2 : RING_FIRST;
        e->heard = mem_realloc(e->heard, e->heard_cap * sizeof *e->heard);
    }
    e->heard[e->heard_count++] = s->id;
}

bool member_touch(struct node *n, struct client *c)
{
    struct ensemble *e = n->ensemble;
    struct session *s = c->session;
    if (s == NULL || s->closing)
        return true;
    if (s->local) {
        session_touch(n->local_sessions, s, c->timeout_ms, node_now_ms(n));
        return true;
    }
    if (e->role == NODE_LEADING)
        return false;
    member_heard(n, s);
    return true;
}

static void touches(void *arg, struct buf *out)
{
    struct node *n = arg;
    struct ensemble *e = n->ensemble;
    for (size_t i = 0; i < e->heard_count; i++) {
        struct session *s = session_find(n->sessions, e->heard[i]);
        if (s == NULL || !s->heard)
            continue;
        s->heard = false;
        const struct client *c = client_find(n, s->owner);
        buf_put_i64(out, s->id);
        buf_put_i32(out, c != NULL ? c->timeout_ms : s->timeout_ms);
    }
    e->heard_count = 0;
}

static int64_t tell_at_ns(const struct ensemble *e)
{
    int64_t gap_ms = TELL_GAP_MS + (int64_t)(e->heard_count / TELL_SESSIONS_PER_MS);
    return e->heard_told_ns + gap_ms * 1000000;
}

int64_t member_tell_deadline_ns(const struct node *n)
{
    const struct ensemble *e = n->ensemble;
    return e->heard_count > 0 && e->serving ? tell_at_ns(e) : INT64_MAX;
}

void member_tell(struct node *n)
{
    struct ensemble *e = n->ensemble;
    if (n->now_ns < member_tell_deadline_ns(n))
        return;
    e->heard_told_ns = n->now_ns;
    zab_tell_touches(e->zab);
    e->dirty = true;
}

/* ---- */

void member_requests_role_over(struct node *n)
{
    struct ensemble *e = n->ensemble;
    e->forwarded.head = e->forwarded.count = 0;
    e->syncs.head = e->syncs.count = e->syncs.told = 0;
    e->heard_count = 0;
    map_deinit(&e->revalidations);
    map_init(&e->revalidations, n->options.seed);
    for (size_t i = 0; i < n->proposal_count; i++)
        n->proposals[(n->proposal_head + i) & (n->proposal_cap - 1)].client = 0;
}

void member_requests_host(struct zab_host *host)
{
    host->revalidated = revalidated;
    host->synced = synced;
    host->touches = touches;
}
