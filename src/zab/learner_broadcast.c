/* A learner that serves (Follower.processPacket, Observer.processPacket). */
#include "wire/zk.h"
#include "zab/zab_internal.h"

/* In order, each when it is durable here. */
void follow_send_acks(struct zab *z)
{
    struct learner *f = &z->follow;
    bool in_turn = f->phase == FOLLOW_SERVING || zab_fault(z, ZAB_FAULT_4685);
    if (z->role != ZAB_FOLLOWING || !in_turn || z->over)
        return;
    if (f->acked < z->window.first)
        f->acked = z->window.first;
    buf_clear(&z->out);
    while (f->acked < z->window.end && window_at(&z->window, f->acked)->ticket <= z->durable) {
        packet_put_empty(&z->out, PACKET_ACK, window_at(&z->window, f->acked)->zxid);
        f->acked++;
    }
    if (z->out.len > 0)
        zab_send(z, f->link, buf_slice(&z->out));
}

static void commit_until(struct zab *z, int64_t zxid)
{
    if (zxid <= z->committed)
        return;
    if (zab_serves_learners(z))
        lead_inform(z, z->committed_seq, window_behind(&z->window, zxid));
    zab_commit_to(z, zxid);
}

static void apply_commits(struct zab *z)
{
    commit_until(z, z->follow.commit_to);
}

/* Our observers hear of a new configuration as we do. */
static void apply_activation(struct zab *z, int64_t zxid, int64_t designated)
{
    uint64_t seq = window_behind(&z->window, zxid) - 1;
    if (zab_serves_learners(z) && zxid > z->committed) {
        commit_until(z, window_before(&z->window, seq));
        lead_inform_activation(z, seq, designated);
    }
    zab_commit_to(z, zxid);
}

static void on_commit(struct zab *z, int64_t zxid)
{
    struct learner *f = &z->follow;
    if (zxid <= f->commit_to)
        return;
    uint64_t next = window_behind(&z->window, f->commit_to);
    if (next == z->window.end || window_at(&z->window, next)->zxid != zxid) {
        zab_trace(z, ZAB_TRACE_REFUSED, f->leader_sid, zxid, f->commit_to, "COMMIT out of order");
        zab_lose(z, "COMMIT out of order");
        return;
    }
    f->commit_to = zxid;
}

static void on_activate(struct zab *z, const struct rec_quorum_packet *p)
{
    if (p->data.len < 8) {
        zab_lose(z, "malformed activation");
        return;
    }
    if (p->type == PACKET_INFORMANDACTIVATE)
        follow_proposal(z, p->zxid, slice_from(p->data, 8));
    if (!z->over)
        on_commit(z, p->zxid);
    if (z->over)
        return;
    int64_t designated = (int64_t)load_be64(p->data.ptr);
    apply_activation(z, p->zxid, designated);
    follow_activate(z, p->zxid, designated);
}

static void on_ping(struct zab *z, const struct rec_quorum_packet *p)
{
    struct buf touches = {0};
    z->host.touches(z->host.arg, &touches);
    struct rec_quorum_packet reply = *p;
    reply.data = touches.len > 0 ? buf_slice(&touches) : slice_str("");
    buf_clear(&z->out);
    rec_put_quorum_packet(&z->out, &reply);
    zab_send(z, z->follow.link, buf_slice(&z->out));
    buf_deinit(&touches);
    z->counts.pings++;
}

static void on_revalidate(struct zab *z, const struct rec_quorum_packet *p)
{
    if (p->data.len < 9) {
        zab_lose(z, "malformed REVALIDATE");
        return;
    }
    apply_commits(z);
    if (!master_revalidated(z, p))
        z->host.revalidated(z->host.arg, (int64_t)load_be64(p->data.ptr), p->data.ptr[8] != 0);
}

void follow_serve_packet(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    (void)l;
    bool observer = z->role == ZAB_OBSERVING;
    switch (p->type) {
    case PACKET_PING:
        on_ping(z, p);
        break;
    case PACKET_PROPOSAL:
        if (!observer)
            follow_proposal(z, p->zxid, p->data);
        break;
    case PACKET_COMMIT:
        if (!observer)
            on_commit(z, p->zxid);
        break;
    case PACKET_INFORM:
        follow_proposal(z, p->zxid, p->data);
        if (!z->over)
            on_commit(z, p->zxid);
        break;
    case PACKET_COMMITANDACTIVATE:
    case PACKET_INFORMANDACTIVATE:
        on_activate(z, p);
        break;
    case PACKET_REVALIDATE:
        on_revalidate(z, p);
        break;
    case PACKET_SYNC:
        apply_commits(z);
        if (!master_synced(z))
            z->host.synced(z->host.arg);
        break;
    default: /* ZooKeeper passes over them */
        zab_trace(z, ZAB_TRACE_REFUSED, z->follow.leader_sid, p->zxid, p->type,
                  packet_name(p->type));
        break;
    }
}

static void trim_window(struct zab *z)
{
    uint64_t acked = z->role == ZAB_FOLLOWING ? z->follow.acked : z->window.end;
    uint64_t cursor = lead_oldest_cursor(z);
    zab_trim_window(z, cursor < acked ? cursor : acked);
}

void follow_flush(struct zab *z)
{
    if (z->follow.phase != FOLLOW_SERVING)
        return;
    apply_commits(z);
    follow_send_acks(z);
    trim_window(z);
    if (zab_serves_learners(z)) {
        lead_bound_window(z);
        trim_window(z);
    }
}

/* ---- for our clients ---- */

static bool serves_as_learner(const struct zab *z)
{
    return (z->role == ZAB_FOLLOWING || z->role == ZAB_OBSERVING) && z->serving && !z->over;
}

void zab_forward(struct zab *z, const struct zab_request *r)
{
    if (!serves_as_learner(z))
        return;
    size_t data_len = 16 + r->record.len;
    buf_clear(&z->out);
    buf_put_i32(&z->out, PACKET_REQUEST);
    buf_put_i64(&z->out, -1);
    buf_put_i32(&z->out, (int32_t)data_len);
    buf_put_i64(&z->out, r->session_id);
    buf_put_i32(&z->out, r->cxid);
    buf_put_i32(&z->out, r->op);
    buf_put_slice(&z->out, r->record);
    buf_put_i32(&z->out, (int32_t)r->who_count);
    for (size_t i = 0; i < r->who_count; i++)
        rec_put_id(&z->out, &r->who[i]);
    zab_send(z, z->follow.link, buf_slice(&z->out));
    if (r->op == ZK_OP_SYNC)
        master_own_sync(z);
}

/* A leader takes touches from any PING, of Apache's as well: it does not look for one it sent. */
void zab_tell_touches(struct zab *z)
{
    struct buf touches = {0};
    if (!serves_as_learner(z))
        return;
    z->host.touches(z->host.arg, &touches);
    if (touches.len > 0)
        follow_send(z, PACKET_PING, z->committed, buf_slice(&touches));
    buf_deinit(&touches);
}

void zab_revalidate(struct zab *z, int64_t session_id, int32_t timeout_ms)
{
    if (!serves_as_learner(z))
        return;
    uint8_t data[12];
    store_be64(data, (uint64_t)session_id);
    store_be32(data + 8, (uint32_t)timeout_ms);
    z->counts.revalidations++;
    follow_send(z, PACKET_REVALIDATE, -1, slice_of(data, sizeof data));
    master_own_revalidation(z, session_id);
}
