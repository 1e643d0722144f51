/* What a learner lacks (LearnerHandler.syncFollower, queueCommittedProposals).
 *
 *   P = the end of its log; base, max = what the window of committed transactions spans
 *
 *   P == ours            DIFF(P)                      nothing to send
 *   P >  max             TRUNC(max)                   unless P is the start of an epoch (see below)
 *   base <= P <= max     DIFF(max) or TRUNC, then the window behind P
 *   P <  base            from the log files, if they reach back; then the window
 *   else                 SNAP
 *
 * A zxid with counter 0 is no transaction: it is where a server stands that took over everything
 * at the start of an epoch. It is never truncated. No TRUNC leads into another epoch.
 *
 * A learner has a cursor in the window; what is behind the cursor stays there (zab_trim_window).
 * So nothing is queued per learner, whatever is proposed while it gets a snapshot. Committed
 * transactions go in front of NEWLEADER, as PROPOSAL and COMMIT; those that are not committed go
 * behind it: followers before 3.8.5 and 3.9.4 fall over a COMMIT behind NEWLEADER of a PROPOSAL
 * before it (ZOOKEEPER-4394). */
#include "zab/zab_internal.h"

enum {
    WALK_RECEIVERS_MAX = 64
};

/* Where the committed part of the window ends. Before we are established all of our history counts:
 * NEWLEADER is what commits it. */
static uint64_t history_seq_end(const struct zab *z)
{
    return z->lead.phase == LEAD_SERVING ? z->committed_seq : z->window.end;
}

static int64_t last_processed(const struct zab *z)
{
    return z->lead.phase == LEAD_SERVING ? z->committed : z->lead.history_end;
}

static int64_t max_committed(const struct zab *z)
{
    return window_before(&z->window, history_seq_end(z));
}

static void send_op(struct zab *z, struct zab_link *l, enum packet_type op, int64_t zxid)
{
    zab_trace(z, ZAB_TRACE_LEARNER, l->sid, zxid, l->last_zxid, packet_name(op));
    zab_send_packet(z, l->id, op, zxid, (struct slice){0});
    if (op == PACKET_TRUNC)
        z->counts.truncs++;
}

/* Others that are being synchronized as well. Observers wait for their turn by coming again
 * (LearnerSyncThrottler). */
static bool too_many_syncs(const struct zab *z, const struct zab_link *mine)
{
    size_t count = 0, max = mine->by_snap ? z->options.snap_syncs_max : z->options.diff_syncs_max;
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        count += l != mine && l->by_snap == mine->by_snap && l->state >= LEARNER_READING &&
                 l->state <= LEARNER_NEWLEADER;
    }
    return mine->observer && max > 0 && count >= max;
}

static bool begin(struct zab *z, struct zab_link *l, enum learner_state state)
{
    l->by_snap = state == LEARNER_SNAP_WAITING;
    if (too_many_syncs(z, l)) {
        link_drop(z, l, "too many concurrent syncs");
        return false;
    }
    l->state = state;
    if (l->by_snap)
        z->counts.snaps++;
    else
        z->counts.diffs++;
    return true;
}

static void begin_snap(struct zab *z, struct zab_link *l)
{
    if (begin(z, l, LEARNER_SNAP_WAITING))
        lead_walk(z);
}

static void begin_window(struct zab *z, struct zab_link *l, enum packet_type op, int64_t zxid,
                         uint64_t cursor)
{
    if (!begin(z, l, LEARNER_WINDOW))
        return;
    l->cursor = cursor;
    send_op(z, l, op, zxid);
    lead_pump(z, l);
}

/* ---- the log files ---- */

/* The files are read up to where the window begins. A base that is no transaction cannot be found
 * in them: then the first one of the window must be. If there is none either, nothing shows that
 * the files end where our history does, and they cannot serve (lead_sync). */
static int64_t log_end_wanted(const struct zab *z)
{
    const struct window *w = &z->window;
    bool pseudo = zxid_counter(w->base) == 0 && history_seq_end(z) > w->first;
    return pseudo ? window_at(w, w->first)->zxid : w->base;
}

static void ask_log(struct zab *z, struct zab_link *l)
{
    l->log.active = true;
    l->log.until = log_end_wanted(z);
    z->host.read_log(z->host.arg, l->id, l->log.queued, l->log.until);
}

static void begin_log(struct zab *z, struct zab_link *l)
{
    if (!begin(z, l, LEARNER_READING))
        return;
    l->log.need_op = true;
    l->log.previous = -1;
    l->log.queued = l->last_zxid;
    l->log.rounds = 0;
    ask_log(z, l);
}

/* The log cannot serve it. When something left already, it has to come again. */
static void log_failed(struct zab *z, struct zab_link *l)
{
    z->counts.diffs--;
    if (l->log.need_op) {
        begin_snap(z, l);
        return;
    }
    sid_set_add(&z->lead.snap_next, l->sid);
    link_drop(z, l, "gap between the log files and the window");
}

/* The first transaction behind P decides how it begins. False: only SNAP helps. */
static bool log_op(struct zab *z, struct zab_link *l, int64_t zxid)
{
    int64_t peer = l->last_zxid;
    if (l->log.previous == -1) /* the files do not reach back that far */
        return false;
    if (zxid_counter(peer) == 0) {
        send_op(z, l, PACKET_DIFF, max_committed(z));
    } else {
        if (zxid_epoch(zxid) != zxid_epoch(peer))
            return false;
        send_op(z, l, PACKET_TRUNC, l->log.previous);
    }
    l->log.need_op = false;
    return true;
}

/* One transaction from the files. False: only SNAP helps. */
static bool log_entry(struct zab *z, struct zab_link *l, struct slice entry, struct buf *out)
{
    if (entry.len < 20)
        return false;
    int64_t zxid = (int64_t)load_be64(entry.ptr + 12);
    if (zxid > l->log.until)
        return true;
    if (l->log.need_op && zxid <= l->last_zxid) {
        l->log.previous = zxid;
        if (zxid == l->last_zxid) {
            send_op(z, l, PACKET_DIFF, max_committed(z));
            l->log.need_op = false;
        }
        return true;
    }
    if (l->log.need_op && !log_op(z, l, zxid))
        return false;
    if (zxid <= l->log.queued)
        return true;
    if (zxid != l->log.queued + 1 && zxid_epoch(zxid) <= zxid_epoch(l->log.queued) &&
        l->log.queued != l->last_zxid)
        return false; /* a hole */

    packet_put(out, PACKET_PROPOSAL, zxid, entry);
    packet_put_empty(out, PACKET_COMMIT, zxid);
    l->log.queued = zxid;
    l->proposals_sent++;
    return true;
}

static bool log_piece(struct zab *z, struct zab_link *l, struct slice entries)
{
    /* send_op uses z->out: what is sent here has a buffer of its own. */
    struct buf out = {0};
    struct dec d = dec_of(entries);
    bool ok = true;
    while (ok && dec_left(&d) > 0) {
        struct slice entry = dec_buffer(&d);
        ok = !d.bad && log_entry(z, l, entry, &out);
    }
    if (ok && out.len > 0)
        zab_send(z, l->id, buf_slice(&out));
    buf_deinit(&out);
    return ok;
}

static void log_finished(struct zab *z, struct zab_link *l)
{
    if (l->log.need_op || l->log.queued != l->log.until) {
        log_failed(z, l);
        return;
    }
    if (l->log.until < z->window.base) { /* it moved on meanwhile */
        if (++l->log.rounds >= LOG_READ_ROUNDS_MAX)
            log_failed(z, l);
        else
            ask_log(z, l);
        return;
    }
    l->state = LEARNER_WINDOW;
    l->cursor = window_behind(&z->window, l->log.until);
    lead_pump(z, l);
}

void zab_log_read(struct zab *z, uint64_t link, struct slice entries, enum zab_log_read how)
{
    struct zab_link *l = link_find(z, link);
    if (l == NULL || !zab_serves_learners(z) || z->over || l->state != LEARNER_READING ||
        !l->log.active)
        return;
    l->log.active = false;
    if (how == ZAB_LOG_MISSING || !log_piece(z, l, entries)) {
        log_failed(z, l);
    } else if (how == ZAB_LOG_MORE) {
        l->room_wanted = true;
        l->heard_ns = z->now_ns;
        z->host.want_room(z->host.arg, l->id);
    } else {
        log_finished(z, l);
    }
    lead_advance(z);
}

/* ---- the choice ---- */

/* base <= P <= max. */
static void sync_from_window(struct zab *z, struct zab_link *l, int64_t max)
{
    const struct window *w = &z->window;
    int64_t peer = l->last_zxid;
    uint64_t behind = window_behind(w, peer);
    bool known = window_before(w, behind) == peer;
    if (known || zxid_counter(peer) == 0) {
        begin_window(z, l, PACKET_DIFF, max, behind);
        return;
    }
    if (zxid_epoch(window_at(w, behind)->zxid) != zxid_epoch(peer)) {
        begin_snap(z, l);
        return;
    }
    begin_window(z, l, PACKET_TRUNC, window_before(w, behind), behind);
}

void lead_sync(struct zab *z, struct zab_link *l)
{
    int64_t peer = l->last_zxid;
    int64_t max = max_committed(z), base = z->window.base;
    bool epoch_start = zxid_counter(peer) == 0;

    if (sid_set_has(&z->lead.snap_next, l->sid))
        begin_snap(z, l);
    else if (peer == last_processed(z))
        begin_window(z, l, PACKET_DIFF, peer, history_seq_end(z));
    else if (peer <= 0) /* it has nothing, or says so */
        begin_snap(z, l);
    else if (peer > max && !epoch_start)
        begin_window(z, l, PACKET_TRUNC, max, history_seq_end(z));
    else if (peer > max)
        begin_snap(z, l);
    else if (peer >= base)
        sync_from_window(z, l, max);
    else if (z->options.log_sync && zxid_counter(log_end_wanted(z)) != 0)
        begin_log(z, l);
    else
        begin_snap(z, l);
}

/* ---- the window ---- */

static void put_committed(struct zab *z, struct zab_link *l)
{
    const struct window_entry *e = window_at(&z->window, l->cursor);
    if (!e->hole) {
        buf_put_slice(&z->out, window_packet(&z->window, l->cursor));
        packet_put_empty(&z->out, PACKET_COMMIT, e->zxid);
        l->proposals_sent++;
    }
    l->cursor++;
}

static void forget_snap_next(struct zab *z, int64_t sid)
{
    if (sid_set_has(&z->lead.snap_next, sid))
        z->lead.snap_next.bits[sid / 64] &= ~(1ULL << (sid % 64));
}

static void send_newleader(struct zab *z, struct zab_link *l)
{
    struct buf text = {0};
    /* What a learner finds here it takes for active at UPTODATE. While we serve, a configuration
     * that is only proposed comes behind, as the PROPOSAL it is. (ZooKeeper sends the proposed one:
     * its learners may then elect by a configuration that nobody has committed.) */
    quorum_format(z->lead.phase == LEAD_SERVING ? z->active : z->last_seen, &text);
    l->state = LEARNER_NEWLEADER;
    l->heard_ns = z->now_ns;
    forget_snap_next(z, l->sid);
    zab_send_packet(z, l->id, PACKET_NEWLEADER, zxid_make(z->lead.epoch, 0), buf_slice(&text));
    buf_deinit(&text);
    lead_forward(z, l);
}

/* Sends what fits, then asks for room. */
static void pump_window(struct zab *z, struct zab_link *l)
{
    uint64_t end = history_seq_end(z);
    buf_clear(&z->out);
    while (l->cursor < end && z->out.len < BURST_BYTES)
        put_committed(z, l);
    bool more = l->cursor < end;
    if (z->out.len > 0)
        zab_send(z, l->id, buf_slice(&z->out));
    if (!more) {
        send_newleader(z, l);
        return;
    }
    l->room_wanted = true;
    l->heard_ns = z->now_ns;
    z->host.want_room(z->host.arg, l->id);
}

void lead_pump(struct zab *z, struct zab_link *l)
{
    if (l->room_wanted || l->gone)
        return;
    if (l->state == LEARNER_READING && !l->log.active)
        ask_log(z, l);
    else if (l->state == LEARNER_WINDOW)
        pump_window(z, l);
}

/* The oldest entry a learner still has to get; the window's end if there is none. */
uint64_t lead_oldest_cursor(const struct zab *z)
{
    uint64_t oldest = z->window.end;
    for (const struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l))
        if ((l->state == LEARNER_SNAP || l->state == LEARNER_WINDOW) && l->cursor < oldest)
            oldest = l->cursor;
    return oldest;
}

/* ---- the tree: one walk for all who wait when it begins ---- */

static bool somebody_waits(const struct zab *z)
{
    for (const struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l))
        if (l->state == LEARNER_SNAP_WAITING)
            return true;
    return false;
}

/* A picture older than our history would take from a learner what it has and has acknowledged: so
 * our history is applied first (I3). */
static void walk_begin(struct zab *z)
{
    struct leader *le = &z->lead;
    if (le->walk_refused || !somebody_waits(z))
        return;
    if (le->phase == LEAD_SYNCING)
        zab_commit_to(z, le->history_end);
    int64_t zxid = z->host.snapshot_begin(z->host.arg);
    if (zxid == -1) {
        le->walk_refused = true;
        return;
    }
    invariant(zxid >= z->window.base); /* the host keeps its tree where the window begins */
    le->walking = true;
    le->walk_zxid = zxid;
    size_t room = WALK_RECEIVERS_MAX;
    for (struct zab_link *l = link_first(z); l != NULL && room > 0; l = link_next(z, l)) {
        if (l->state != LEARNER_SNAP_WAITING)
            continue;
        room--;
        l->state = LEARNER_SNAP;
        l->cursor = window_behind(&z->window, zxid);
        l->heard_ns = z->now_ns;
        send_op(z, l, PACKET_SNAP, zxid);
    }
}

/* 0 = somebody must make room first, or nobody is left. */
static size_t walk_receivers(const struct zab *z, uint64_t links[WALK_RECEIVERS_MAX])
{
    size_t count = 0;
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        if (l->state != LEARNER_SNAP)
            continue;
        if (l->room_wanted)
            return 0;
        links[count++] = l->id;
    }
    return count;
}

static void walk_end(struct zab *z)
{
    z->lead.walking = false;
    z->host.snapshot_end(z->host.arg);
}

static void walk_finished(struct zab *z)
{
    walk_end(z);
    for (struct zab_link *l = link_first(z), *next; l != NULL; l = next) {
        next = link_next(z, l);
        if (l->state != LEARNER_SNAP)
            continue;
        l->state = LEARNER_WINDOW;
        lead_pump(z, l);
    }
}

void lead_walk(struct zab *z)
{
    struct leader *le = &z->lead;
    if (!le->walking)
        walk_begin(z);

    uint64_t links[WALK_RECEIVERS_MAX];
    size_t count;
    while (le->walking && (count = walk_receivers(z, links)) > 0) {
        buf_clear(&z->out);
        bool done = z->host.snapshot_next(z->host.arg, BURST_BYTES, &z->out);
        if (done)
            rec_put_slice(&z->out, slice_str("BenWasHere"));
        z->host.send(z->host.arg, links, count, buf_slice(&z->out));
        if (done) {
            walk_finished(z);
            walk_begin(z);
            continue;
        }
        for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
            if (l->state != LEARNER_SNAP)
                continue;
            l->room_wanted = true;
            l->heard_ns = z->now_ns;
            z->host.want_room(z->host.arg, l->id);
        }
    }
}

/* A learner in the middle of it is gone: the others go on, or nobody does. */
void lead_walk_left(struct zab *z)
{
    bool nobody = true;
    for (const struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l))
        nobody = nobody && l->state != LEARNER_SNAP;
    if (z->lead.walking && nobody)
        walk_end(z);
    if (!z->over)
        lead_walk(z);
}

void zab_snapshot_free(struct zab *z)
{
    z->lead.walk_refused = false;
    if (zab_serves_learners(z) && !z->over) {
        lead_walk(z);
        lead_advance(z);
    }
}
