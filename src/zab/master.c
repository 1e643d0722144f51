/* A follower that serves observers, to spare the leader (ObserverMaster).
 *
 *   observer --observerMasterPort--> follower --quorum port--> leader
 *
 * An observer is a learner like any other, with the same states (leader_learner.c) and the same
 * ways to what it lacks (leader_sync.c); the history is what is committed here. What it gets is
 * INFORM, when this server commits. What its clients want goes to the leader as ours; the leader
 * answers syncs and revalidations in the order in which they were asked, so two queues say whose
 * the next answer is. */
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

void master_request(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    if ((int32_t)load_be32(p->data.ptr + 12) == ZK_OP_SYNC)
        pending_push(&z->lead.syncs, (struct pending){0, l->id});
    pass_on(z, p);
}

void master_revalidate(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    pending_push(&z->lead.revalidations, (struct pending){(int64_t)load_be64(p->data.ptr), l->id});
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
    if (link_find(z, asked->link) != NULL) {
        buf_clear(&z->out);
        rec_put_quorum_packet(&z->out, p);
        zab_send(z, asked->link, buf_slice(&z->out));
    }
    return true;
}
