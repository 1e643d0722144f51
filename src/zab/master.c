/* A follower that serves observers, to spare the leader (ObserverMaster).
 *
 *   observer --observerMasterPort--> follower --quorum port--> leader
 *
 * An observer is a learner like any other, with the same states (leader_learner.c) and the same
 * ways to what it lacks (leader_sync.c); the history is what is committed here. What it gets is
 * INFORM, when this server commits. What its clients want goes to the leader as ours; the leader
 * answers syncs and revalidations in the order in which they were asked, so two queues say whose
 * the next answer is. */
#include <string.h>

#include "wire/zk.h"
#include "zab/zab_internal.h"

void master_start(struct zab *z)
{
    if (!zab_serves_learners(z))
        return;
    struct leader *le = &z->lead;
    lead_reset(z);
    le->phase = LEAD_SERVING;
    le->epoch = z->follow.epoch;
}

void master_stop(struct zab *z)
{
    if (z->role == ZAB_FOLLOWING && z->options.observer_masters)
        lead_stop(z);
}

/* ---- time ---- */

static bool has_observers(const struct zab *z)
{
    return zab_serves_learners(z) && z->link_count > (z->follow.has_link ? 1u : 0u);
}

int64_t master_deadline(const struct zab *z)
{
    return has_observers(z) ? z->lead.half_tick_ns : INT64_MAX;
}

void master_tick(struct zab *z)
{
    if (z->now_ns < master_deadline(z))
        return;
    z->lead.half_tick_ns = z->now_ns + ticks_ns(z, 1) / 2;
    lead_tend_learners(z);
}

/* ---- to the leader ---- */

static void pass_on(struct zab *z, const struct rec_quorum_packet *p)
{
    buf_clear(&z->out);
    rec_put_quorum_packet(&z->out, p);
    zab_send(z, z->follow.link, buf_slice(&z->out));
}

/* The observer waits for a transaction of the session and with the number of its request, so the
 * leader is asked for what it can only refuse. */
static void pass_on_spoiled(struct zab *z, const struct rec_quorum_packet *p)
{
    uint8_t data[16 + 12];
    memcpy(data, p->data.ptr, 12);
    store_be32(data + 12, ZK_OP_SET_DATA);
    rec_store_set_data_request(data + 16, &(struct rec_set_data_request){.version = -1});
    struct rec_quorum_packet spoiled = *p;
    spoiled.data = slice_of(data, sizeof data);
    pass_on(z, &spoiled);
}

static bool is_any_write(int32_t op)
{
    return op != ZK_OP_SYNC && op != ZK_OP_CREATE_SESSION && op != ZK_OP_CLOSE_SESSION;
}

void master_request(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    int64_t session_id = (int64_t)load_be64(p->data.ptr);
    int32_t op = (int32_t)load_be32(p->data.ptr + 12);
    if (op == ZK_OP_SYNC)
        pending_push(&z->lead.syncs, (struct pending){0, l->id});
    if (is_any_write(op) && !z->host.observer_may_write(z->host.arg, l->sid, session_id))
        pass_on_spoiled(z, p);
    else
        pass_on(z, p);
}

void master_revalidate(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    int64_t session_id = (int64_t)load_be64(p->data.ptr);
    z->host.observer_asks(z->host.arg, l->sid, session_id);
    pending_push(&z->lead.revalidations, (struct pending){session_id, l->id});
    pass_on(z, p);
}

void master_own_sync(struct zab *z)
{
    if (zab_serves_learners(z))
        pending_push(&z->lead.syncs, (struct pending){0, 0});
}

void master_own_revalidation(struct zab *z, int64_t session_id)
{
    if (zab_serves_learners(z))
        pending_push(&z->lead.revalidations, (struct pending){session_id, 0});
}

/* ---- from the leader ---- */

bool master_synced(struct zab *z)
{
    const struct pending *s = zab_serves_learners(z) ? pending_first(&z->lead.syncs) : NULL;
    if (s == NULL)
        return false;
    z->lead.syncs.first++;
    if (s->link == 0)
        return false;
    lead_send_sync(z, s->link);
    return true;
}

bool master_revalidated(struct zab *z, const struct rec_quorum_packet *p)
{
    int64_t session_id = (int64_t)load_be64(p->data.ptr);
    struct pending_ring *r = &z->lead.revalidations;
    const struct pending *asked = zab_serves_learners(z) ? pending_first(r) : NULL;
    if (asked == NULL || asked->value != session_id) /* nobody of these asked for it */
        return false;
    r->first++;
    if (asked->link == 0)
        return false;
    const struct zab_link *l = link_find(z, asked->link);
    if (l != NULL) {
        if (p->data.len > 8 && p->data.ptr[8] != 0)
            z->host.observer_has(z->host.arg, l->sid, session_id);
        buf_clear(&z->out);
        rec_put_quorum_packet(&z->out, p);
        zab_send(z, asked->link, buf_slice(&z->out));
    }
    return true;
}
