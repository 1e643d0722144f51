/* Packets of learners (LearnerHandler.run). */
#include <stdlib.h>

#include "base/mem.h"
#include "wire/zk.h"
#include "zab/zab_internal.h"

static void refuse(struct zab *z, struct zab_link *l, const char *reason)
{
    zab_trace(z, ZAB_TRACE_REFUSED, l->sid, 0, 0, reason);
    link_drop(z, l, reason);
}

/* ---- discovery ---- */

void lead_send_leaderinfo(struct zab *z, struct zab_link *l)
{
    uint8_t protocol[4];
    store_be32(protocol, PACKET_PROTOCOL);
    l->state = LEARNER_EPOCH;
    l->heard_ns = z->now_ns;
    zab_send_packet(z, l->id, PACKET_LEADERINFO, zxid_make(z->lead.epoch, 0),
                    slice_of(protocol, sizeof protocol));
}

/* A learner that comes back has left its older link, whether we noticed or not. */
static void drop_older_link(struct zab *z, const struct zab_link *newer)
{
    for (struct zab_link *l = link_first(z), *next; l != NULL; l = next) {
        next = link_next(z, l);
        if (l != newer && l->state > LEARNER_NEW && l->sid == newer->sid)
            link_drop(z, l, "connected again");
    }
}

/* A voter that accepted a newer epoch from somebody who never got to lead in it cannot follow us,
 * ever: an election brings an epoch above both. (ZooKeeper leaves it outside until the next one.)
 */
static bool has_newer_epoch(const struct zab *z, const struct zab_link *l)
{
    return z->lead.phase > LEAD_CONNECTING && l->accepted_epoch > z->lead.epoch && !l->observer &&
           quorum_is_voter(z->active, l->sid);
}

/* By a follower. One that has accepted a newer epoch goes where there is a leader of it. */
static bool may_be_served(struct zab *z, struct zab_link *l)
{
    if (!l->observer)
        refuse(z, l, "only observers are served on this port");
    else if (l->accepted_epoch > z->lead.epoch)
        refuse(z, l, "has accepted a newer epoch");
    return !l->gone;
}

static void on_info(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    if (p->type != PACKET_FOLLOWERINFO && p->type != PACKET_OBSERVERINFO) {
        refuse(z, l, "first packet is not FOLLOWERINFO or OBSERVERINFO");
        return;
    }
    struct dec d = dec_of(p->data);
    struct rec_learner_info info;
    if (!rec_get_learner_info(&d, &info) || info.protocol_version < PACKET_PROTOCOL) {
        refuse(z, l, "speaks a protocol older than Zab 1.0");
        return;
    }
    l->sid = info.server_id;
    l->observer = p->type == PACKET_OBSERVERINFO;
    if (l->sid == z->options.sid) {
        refuse(z, l, "has our own server id");
        return;
    }
    if (info.config_version > z->active->version) {
        refuse(z, l, "is ahead of the leader (has a later activated configuration)");
        return;
    }

    l->accepted_epoch = zxid_epoch(p->zxid);
    if (l->accepted_epoch < 0 || l->accepted_epoch >= INT32_MAX) {
        refuse(z, l, "has used up all epochs");
        return;
    }

    drop_older_link(z, l);
    if (z->role != ZAB_LEADING && !may_be_served(z, l))
        return;
    if (has_newer_epoch(z, l)) {
        zab_lose(z, "a voter has accepted a newer epoch");
        return;
    }
    l->state = LEARNER_INFO;
    if (z->lead.phase == LEAD_CONNECTING && l->accepted_epoch >= z->lead.epoch)
        z->lead.epoch = l->accepted_epoch + 1;
    if (z->lead.phase >= LEAD_ELECTING)
        lead_send_leaderinfo(z, l);
    lead_advance(z);
}

/* StateSummary.isMoreRecentThan. Our current epoch is the old one until the election is over. */
static bool is_ahead(const struct zab *z, int64_t current_epoch, int64_t last_zxid)
{
    return current_epoch > z->current_epoch ||
           (current_epoch == z->current_epoch && last_zxid > z->lead.history_end);
}

/* A follower may be behind the one that an observer comes from. It would take from it what is
 * committed; the observer does better to ask another, or soon again. (ZooKeeper takes it.) */
static bool knows_more(const struct zab *z, const struct zab_link *l)
{
    return zxid_epoch(l->last_zxid) == z->lead.epoch && l->last_zxid > z->committed;
}

static void on_ackepoch(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    if (p->type != PACKET_ACKEPOCH || p->data.len < 4) {
        refuse(z, l, "sent something else than ACKEPOCH");
        return;
    }
    int32_t current_epoch = (int32_t)load_be32(p->data.ptr);
    l->last_zxid = p->zxid;
    if (z->role != ZAB_LEADING && knows_more(z, l)) {
        refuse(z, l, "knows more of this epoch than we do");
        return;
    }
    if (z->lead.phase > LEAD_ELECTING) {
        l->state = LEARNER_EPOCH_ACKED;
        lead_sync(z, l);
        return;
    }

    if (current_epoch != -1 && is_ahead(z, current_epoch, p->zxid)) {
        bool voter = !l->observer && quorum_is_voter(z->active, l->sid);
        refuse(z, l, "is ahead of the leader");
        if (voter)
            zab_lose(z, "a follower is ahead of us");
        return;
    }
    l->counts_for_epoch = current_epoch != -1 && p->zxid != -1;
    l->state = LEARNER_EPOCH_ACKED;
    lead_advance(z);
}

/* ---- the end of synchronization ---- */

void lead_uptodate(struct zab *z, struct zab_link *l)
{
    l->state = LEARNER_SERVING;
    l->synced_until_ns = z->now_ns + ticks_ns(z, z->options.sync_limit);
    l->owed_ns = l->newest_ns = z->now_ns; /* its time for them begins here */
    zab_send_packet(z, l->id, PACKET_UPTODATE, -1, (struct slice){0});
    link_resume(z, l);
}

static void on_newleader_ack(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    if (p->type != PACKET_ACK) {
        refuse(z, l, "sent something else than the ACK of NEWLEADER");
        return;
    }
    /* An ACK of a proposal is not the one of NEWLEADER (ZOOKEEPER-4685). */
    if (p->zxid != zxid_make(z->lead.epoch, 0) && !zab_fault(z, ZAB_FAULT_4685)) {
        zab_trace(z, ZAB_TRACE_REFUSED, l->sid, p->zxid, 0, "an ACK before the one of NEWLEADER");
        return;
    }
    l->state = LEARNER_ACKED;
    l->acked_ns = z->now_ns;
    if (z->lead.phase == LEAD_SERVING) {
        lead_uptodate(z, l);
        return;
    }
    lead_advance(z);
    if (l->state == LEARNER_ACKED)
        link_hold(z, l);
}

/* ---- broadcast ---- */

static void on_ack(struct zab *z, struct zab_link *l, int64_t zxid)
{
    z->counts.acks++;
    l->acked_ns = z->now_ns;
    if (zxid_counter(zxid) == 0) /* of UPTODATE */
        return;
    if (zxid > z->last_proposed) {
        refuse(z, l, "acknowledged what was never proposed");
        return;
    }
    if (zxid > l->acked)
        l->acked = zxid;
    if (l->owed_zxid != 0 && zxid >= l->owed_zxid) {
        bool all = zxid >= l->newest_zxid;
        l->owed_zxid = all ? 0 : l->newest_zxid;
        l->owed_ns = l->newest_ns;
    }
}

static void on_ping(struct zab *z, struct zab_link *l, struct slice touches)
{
    if (touches.len % 12 != 0) {
        refuse(z, l, "malformed PING");
        return;
    }
    struct dec d = dec_of(touches);
    while (dec_left(&d) > 0) {
        int64_t session_id = dec_i64(&d);
        int32_t timeout_ms = dec_i32(&d);
        z->host.touch(z->host.arg, l->sid, session_id, timeout_ms);
    }
}

static void on_revalidate(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    if (p->data.len < 12) {
        refuse(z, l, "malformed REVALIDATE");
        return;
    }
    z->counts.revalidations++;
    if (z->role != ZAB_LEADING) {
        master_revalidate(z, l, p);
        return;
    }
    struct dec d = dec_of(p->data);
    uint8_t answer[9];
    int64_t session_id = dec_i64(&d);
    int32_t timeout_ms = dec_i32(&d);
    store_be64(answer, (uint64_t)session_id);
    answer[8] = z->host.revalidate(z->host.arg, l->sid, session_id, timeout_ms);

    struct rec_quorum_packet reply = *p;
    reply.data = slice_of(answer, sizeof answer);
    buf_clear(&z->out);
    rec_put_quorum_packet(&z->out, &reply);
    zab_send(z, l->id, buf_slice(&z->out));
}

static size_t read_identities(struct zab *z, struct rec_vec ids)
{
    size_t count = ids.count > 0 ? (size_t)ids.count : 0;
    if (count > z->lead.who_cap) {
        z->lead.who = mem_realloc(z->lead.who, count * sizeof *z->lead.who);
        z->lead.who_cap = count;
    }
    struct dec d = dec_of(ids.raw);
    for (size_t i = 0; i < count; i++)
        rec_get_id(&d, &z->lead.who[i]);
    return count;
}

static void on_request(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    if (p->data.len < 16) {
        refuse(z, l, "malformed REQUEST");
        return;
    }
    l->requests_received++;
    if (z->role != ZAB_LEADING) {
        master_request(z, l, p);
        return;
    }
    struct dec d = dec_of(p->data);
    struct zab_request r = {.session_id = dec_i64(&d), .cxid = dec_i32(&d), .op = dec_i32(&d)};
    r.record = dec_rest(&d);
    r.who_count = read_identities(z, p->auth_info);
    r.who = z->lead.who;
    if (r.op == ZK_OP_SYNC)
        l->syncs++;
    z->host.request(z->host.arg, l->sid, &r);
}

static void on_serving(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    l->synced_until_ns = z->now_ns + ticks_ns(z, z->options.sync_limit);
    switch (p->type) {
    case PACKET_ACK:
        on_ack(z, l, p->zxid);
        break;
    case PACKET_PING:
        on_ping(z, l, p->data);
        break;
    case PACKET_REVALIDATE:
        on_revalidate(z, l, p);
        break;
    case PACKET_REQUEST:
        on_request(z, l, p);
        break;
    default: /* ZooKeeper passes over them */
        zab_trace(z, ZAB_TRACE_REFUSED, l->sid, p->zxid, p->type, packet_name(p->type));
        break;
    }
}

void lead_packet(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    switch (l->state) {
    case LEARNER_NEW:
        on_info(z, l, p);
        break;
    case LEARNER_EPOCH:
        on_ackepoch(z, l, p);
        break;
    case LEARNER_NEWLEADER:
        on_newleader_ack(z, l, p);
        break;
    case LEARNER_SERVING:
        on_serving(z, l, p);
        break;
    case LEARNER_INFO:
    case LEARNER_EPOCH_ACKED:
    case LEARNER_READING:
    case LEARNER_SNAP_WAITING:
    case LEARNER_SNAP:
    case LEARNER_WINDOW:
        if (p->type != PACKET_ACK)
            refuse(z, l, "speaks out of turn");
        break;
    case LEARNER_ACKED: /* held */
        break;
    }
}
