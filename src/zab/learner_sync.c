/* Synchronization of a learner (Learner.syncWithLeader).
 *
 *   DIFF   our log is a beginning of the leader's history
 *   TRUNC  ... once everything behind a zxid is gone
 *   SNAP   the leader's tree takes the place of ours
 *     then proposals, each appended as it comes; commits are remembered, not applied (I3)
 *   NEWLEADER   all of that durable -> currentEpoch durable -> ACK (I1)
 *   UPTODATE    what is committed is applied; we serve; the other proposals are acknowledged
 *
 * While the host truncates or installs, the link's bytes wait: what comes next must find the new
 * log. */
#include "zab/zab_internal.h"

/* ---- DIFF, TRUNC, SNAP ---- */

static void begin_history(struct zab *z)
{
    z->follow.phase = FOLLOW_HISTORY;
    z->follow.commit_to = z->follow.sync_zxid;
    zab_trace(z, ZAB_TRACE_SYNCED_BY, z->follow.leader_sid, z->follow.sync_zxid, 0,
              z->follow.sync_by);
}

static void on_diff(struct zab *z)
{
    z->follow.sync_by = "DIFF";
    z->follow.sync_zxid = z->follow.last_zxid;
    begin_history(z);
}

static void on_trunc(struct zab *z, struct zab_link *l, int64_t zxid)
{
    struct learner *f = &z->follow;
    if (zxid < 0 || zxid > f->last_zxid) {
        zab_lose(z, "TRUNC to what we do not have");
        return;
    }
    f->sync_by = "TRUNC";
    f->sync_zxid = zxid;
    f->phase = FOLLOW_TRUNCATING;
    z->counts.truncs++;
    link_hold(z, l);
    z->host.truncate(z->host.arg, zxid);
}

static void on_snap(struct zab *z, int64_t zxid)
{
    struct learner *f = &z->follow;
    if (zxid < 0 || zxid_epoch(zxid) > f->epoch) {
        zab_lose(z, "SNAP of a zxid that cannot be");
        return;
    }
    f->sync_by = "SNAP";
    f->sync_zxid = zxid;
    f->skip_until = zxid;
    f->phase = FOLLOW_SNAP;
    z->counts.snaps++;
    z->host.install_begin(z->host.arg, zxid);
}

void follow_choose(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    if (z->follow.claimed_nothing && (p->type == PACKET_DIFF || p->type == PACKET_TRUNC)) {
        zab_lose(z, "the leader does not send everything though we asked for it");
        return;
    }
    switch (p->type) {
    case PACKET_DIFF:
        on_diff(z);
        break;
    case PACKET_TRUNC:
        on_trunc(z, l, p->zxid);
        break;
    case PACKET_SNAP:
        on_snap(z, p->zxid);
        break;
    default:
        zab_trace(z, ZAB_TRACE_REFUSED, z->follow.leader_sid, p->zxid, p->type,
                  packet_name(p->type));
        zab_lose(z, "neither DIFF nor TRUNC nor SNAP from the leader");
        break;
    }
}

/* The log and the window end at zxid now. */
static void log_ends(struct zab *z, int64_t zxid, bool by_snap)
{
    struct window *w = &z->window;
    if (!by_snap)
        window_cut(w, zxid);
    if (by_snap || window_last(w) != zxid)
        window_reset(w, zxid);
    if (z->committed_seq > w->end || by_snap)
        z->committed_seq = w->end;
    if (z->committed_seq < w->first)
        z->committed_seq = w->first;
    if (by_snap || z->committed > zxid)
        z->committed = zxid;
    z->last_proposed = zxid;
}

static bool is_learner(const struct zab *z)
{
    return (z->role == ZAB_FOLLOWING || z->role == ZAB_OBSERVING) && !z->over;
}

static struct zab_link *leader_link(struct zab *z)
{
    return link_find(z, z->follow.link);
}

static void history_may_come(struct zab *z)
{
    begin_history(z);
    struct zab_link *l = leader_link(z);
    if (l != NULL)
        link_resume(z, l);
}

void zab_truncated(struct zab *z, bool ok)
{
    struct learner *f = &z->follow;
    if (!is_learner(z) || f->phase != FOLLOW_TRUNCATING)
        return;
    if (!ok && f->sync_zxid == 0) {
        /* The first snapshot is gone. Who has nothing can send nothing: to a claim of zxid 0 the
         * leader answers DIFF, not SNAP. */
        f->phase = FOLLOW_INSTALLING;
        z->host.install_nothing(z->host.arg);
        return;
    }
    if (!ok) {
        f->claim_nothing_to = f->leader_sid;
        f->claim_epoch = f->epoch;
        zab_lose(z, "cannot truncate the log");
        return;
    }
    log_ends(z, f->sync_zxid, false);
    history_may_come(z);
}

/* ---- the bytes of SNAP ---- */

bool follow_wants_raw(const struct zab *z, const struct zab_link *l)
{
    return !l->inbound && (z->role == ZAB_FOLLOWING || z->role == ZAB_OBSERVING) &&
           (z->follow.phase == FOLLOW_SNAP || z->follow.phase == FOLLOW_SIGNATURE);
}

/* Both are there: the signature, and the disk's word. */
static void take_installed(struct zab *z)
{
    if (z->follow.phase != FOLLOW_INSTALLING || !z->follow.installed)
        return;
    log_ends(z, z->follow.sync_zxid, true);
    history_may_come(z);
}

static size_t snap_signature(struct zab *z, struct zab_link *l, struct slice bytes)
{
    static const char signature[] = "\0\0\0\nBenWasHere";
    size_t len = sizeof signature - 1;
    size_t have = bytes.len < len ? bytes.len : len;
    if (memcmp(bytes.ptr, signature, have) != 0) {
        zab_lose(z, "the snapshot of the leader has no signature");
        return SIZE_MAX;
    }
    if (have < len)
        return 0;
    z->follow.phase = FOLLOW_INSTALLING;
    link_hold(z, l);
    take_installed(z);
    return len;
}

size_t follow_snap_bytes(struct zab *z, struct zab_link *l, struct slice bytes)
{
    l->heard_ns = z->now_ns;
    if (z->follow.phase == FOLLOW_SIGNATURE)
        return snap_signature(z, l, bytes);

    size_t used = 0;
    bool done = false;
    int rc = z->host.install_bytes(z->host.arg, bytes, &used, &done);
    if (rc < 0 || used > bytes.len) {
        z->follow.phase = FOLLOW_CHOOSING; /* nothing to abort any more */
        z->host.install_abort(z->host.arg);
        zab_lose(z, "malformed snapshot from the leader");
        return SIZE_MAX;
    }
    if (done)
        z->follow.phase = FOLLOW_SIGNATURE;
    return used;
}

void zab_installed(struct zab *z)
{
    struct learner *f = &z->follow;
    f->claim_nothing_to = -1;
    if (!is_learner(z))
        return;
    f->installed = f->phase == FOLLOW_SIGNATURE || f->phase == FOLLOW_INSTALLING;
    take_installed(z);
}

/* ---- history ---- */

/* In order and without gaps. A new epoch may begin anywhere: what its leader proposed first is not
 * known here. */
static bool is_next(const struct zab *z, int64_t zxid)
{
    int64_t last = window_last(&z->window);
    if (zxid_counter(zxid) == 0 || zxid_epoch(zxid) > z->follow.epoch)
        return false;
    return zxid == last + 1 || zxid_epoch(zxid) > zxid_epoch(last) ||
           (zab_fault(z, ZAB_FAULT_4925) && zxid > last);
}

/* A proposal, or what an observer is informed of: to the log. */
void follow_proposal(struct zab *z, int64_t zxid, struct slice entry)
{
    struct learner *f = &z->follow;
    if (zxid <= f->skip_until)
        return;
    if (!is_next(z, zxid) || entry.len < 20 || (int64_t)load_be64(entry.ptr + 12) != zxid) {
        zab_trace(z, ZAB_TRACE_REFUSED, f->leader_sid, zxid, window_last(&z->window),
                  "proposal out of order");
        zab_lose(z, "proposal out of order");
        return;
    }
    bool bad;
    struct quorum *config = config_of_txn(entry, &bad);
    if (bad) {
        zab_lose(z, "a reconfiguration that cannot be read");
        return;
    }

    /* Its file first: a log that holds a reconfig without anybody knowing would be led by the old
     * quorum alone. A file without its transaction is void (node/ensemble.c). */
    bool reconfig = config != NULL;
    if (reconfig)
        config_see(z, config, true);
    bool late = zab_fault(z, ZAB_FAULT_3911) && f->phase < FOLLOW_SERVING;
    uint64_t ticket = late ? 0 : z->host.accept(z->host.arg, zxid, entry);
    if (ticket == 0 && !late) {
        zab_lose(z, "a transaction that cannot be read");
        return;
    }
    struct window_entry *e = window_append(&z->window, zxid, entry, zab_ticket(z, ticket));
    e->hole = zab_fault(z, ZAB_FAULT_4925) && f->phase < FOLLOW_SERVING;
    e->reconfig = reconfig;
    z->last_proposed = zxid;
    z->counts.proposals++;
}

static void on_commit(struct zab *z, int64_t zxid)
{
    struct learner *f = &z->follow;
    if (zxid <= f->skip_until || zxid <= f->commit_to)
        return;
    if (zxid > window_last(&z->window)) {
        zab_lose(z, "COMMIT of what was not proposed");
        return;
    }
    f->commit_to = zxid;
}

/* A configuration becomes active: that of the transaction zxid, which we have. */
void follow_activate(struct zab *z, int64_t zxid, int64_t designated)
{
    uint64_t seq = window_behind(&z->window, zxid - 1);
    bool bad = true;
    struct quorum *q = NULL;
    if (seq < z->window.end && window_at(&z->window, seq)->zxid == zxid)
        q = config_of_txn(window_data(&z->window, seq), &bad);
    if (q == NULL) {
        zab_lose(z, "activation of what is no reconfiguration");
        return;
    }
    bool major = config_activate(z, q, z->follow.leader_sid, designated);
    quorum_free(q);
    if (major)
        zab_lose(z, "changes proposed in reconfig");
}

static void on_inform(struct zab *z, const struct rec_quorum_packet *p)
{
    follow_proposal(z, p->zxid, p->data);
    if (!z->over)
        on_commit(z, p->zxid);
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
    if (!z->over && p->zxid > z->follow.skip_until)
        follow_activate(z, p->zxid, (int64_t)load_be64(p->data.ptr));
}

/* ---- NEWLEADER ---- */

static bool history_has(const struct zab *z, int64_t zxid)
{
    return window_before(&z->window, window_behind(&z->window, zxid)) == zxid;
}

/* What we had seen is void where the leader's history does not have it. Where it does, but only as
 * proposed, a leader that serves offers the older one, which is active: who forgot the newer one
 * then would lead with the old quorum alone, and the new one in its log. */
static void take_offer(struct zab *z, struct slice text)
{
    struct quorum *q = NULL;
    if (text.len <= 1 || quorum_parse(text, &q, NULL) < 0)
        return;
    quorum_free(z->follow.offer);
    z->follow.offer = q;
    if (q->version >= z->last_seen->version || !history_has(z, z->last_seen->version))
        config_see(z, quorum_copy(q), false);
}

static void on_newleader(struct zab *z, const struct rec_quorum_packet *p)
{
    struct learner *f = &z->follow;
    if (f->phase != FOLLOW_HISTORY || p->zxid != zxid_make(f->epoch, 0)) {
        zab_lose(z, "NEWLEADER out of turn");
        return;
    }
    take_offer(z, p->data);
    f->history_end = window_last(&z->window);
    f->history_ticket = z->last_ticket;
    bool early = zab_fault(z, ZAB_FAULT_4685);
    f->acked = window_behind(&z->window, early ? f->sync_zxid : f->commit_to);
    f->phase = FOLLOW_LOGGING;
    if (zab_fault(z, ZAB_FAULT_4394))
        zab_commit_to(z, window_last(&z->window));
    follow_newleader_durable(z);
}

static bool history_is_durable(const struct zab *z)
{
    return z->durable >= z->follow.history_ticket || zab_fault(z, ZAB_FAULT_4643) ||
           zab_fault(z, ZAB_FAULT_4646);
}

static bool epoch_is_durable(const struct zab *z)
{
    const struct learner *f = &z->follow;
    if (zab_fault(z, ZAB_FAULT_4646))
        return true;
    return z->durable >= f->ticket;
}

/* LOGGING -> EPOCH -> ACKED, as the disk allows. */
void follow_newleader_durable(struct zab *z)
{
    struct learner *f = &z->follow;
    if (zab_fault(z, ZAB_FAULT_4685))
        follow_send_acks(z);
    if (f->phase == FOLLOW_LOGGING && history_is_durable(z)) {
        z->current_epoch = f->epoch;
        f->ticket = zab_ticket(z, z->host.set_current_epoch(z->host.arg, f->epoch));
        f->phase = FOLLOW_EPOCH;
    }
    if (f->phase == FOLLOW_EPOCH && epoch_is_durable(z)) {
        f->phase = FOLLOW_ACKED;
        follow_send(z, PACKET_ACK, zxid_make(f->epoch, 0), (struct slice){0});
    }
}

/* ---- UPTODATE ---- */

static void log_late(struct zab *z) /* planted: ZAB_FAULT_3911 */
{
    for (uint64_t seq = z->window.first; seq < z->window.end; seq++) {
        struct window_entry *e = window_at(&z->window, seq);
        if (e->ticket == 0)
            e->ticket =
                zab_ticket(z, z->host.accept(z->host.arg, e->zxid, window_data(&z->window, seq)));
    }
}

static void on_uptodate(struct zab *z)
{
    struct learner *f = &z->follow;
    if (f->phase != FOLLOW_ACKED) {
        zab_lose(z, "UPTODATE out of turn");
        return;
    }
    if (f->offer != NULL && config_activate(z, f->offer, f->leader_sid, -1)) {
        zab_lose(z, "changes proposed in reconfig");
        return;
    }
    if (zab_fault(z, ZAB_FAULT_3911))
        log_late(z);
    f->phase = FOLLOW_SERVING;
    z->serving = true;
    master_start(z);
    f->claim_nothing_to = -1;
    zab_commit_to(z, f->commit_to);
    follow_send(z, PACKET_ACK, zxid_make(f->epoch, 0), (struct slice){0});
    zab_trace(z, ZAB_TRACE_ESTABLISHED, f->leader_sid, z->committed, f->epoch, NULL);
    z->host.established(z->host.arg, z->committed);
    follow_send_acks(z);
}

void follow_history(struct zab *z, const struct rec_quorum_packet *p)
{
    switch (p->type) {
    case PACKET_PROPOSAL:
        follow_proposal(z, p->zxid, p->data);
        break;
    case PACKET_COMMIT:
        on_commit(z, p->zxid);
        break;
    case PACKET_INFORM:
        on_inform(z, p);
        break;
    case PACKET_COMMITANDACTIVATE:
    case PACKET_INFORMANDACTIVATE:
        on_activate(z, p);
        break;
    case PACKET_NEWLEADER:
        on_newleader(z, p);
        break;
    case PACKET_UPTODATE:
        on_uptodate(z);
        break;
    default: /* ZooKeeper passes over them, PING among them */
        break;
    }
}
