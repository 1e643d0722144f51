/* Leading: discovery, establishment and time (Leader.lead).
 *
 *   CONNECTING  a quorum of voters says which epochs it has accepted
 *     | the new epoch is above all of them
 *   ACCEPTING   it becomes durable here; LEADERINFO leaves behind that
 *   ELECTING    a quorum accepts it, and none of it knows more than we do
 *   SYNCING     each learner gets what it lacks, then NEWLEADER; our currentEpoch becomes durable
 *     | a quorum (of the last seen configuration as well) has acknowledged NEWLEADER
 *   SERVING     our history is committed; UPTODATE leaves; broadcast */
#include <stdlib.h>

#include "zab/zab_internal.h"

static void next_phase(struct zab *z, enum leader_phase phase)
{
    z->lead.phase = phase;
    z->lead.phase_deadline_ns = z->now_ns + ticks_ns(z, z->options.init_limit);
}

/* Learners that were here before us: what they sent is looked at now. Looking at one may drop
 * another. */
static void greet_early_links(struct zab *z)
{
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        l->held = true;
        l->synced_until_ns = z->now_ns + ticks_ns(z, z->options.init_limit + z->options.sync_limit);
    }
    struct zab_link *l = link_first(z);
    while (l != NULL && !z->over) {
        if (l->held) {
            link_resume(z, l);
            l = link_first(z);
        } else {
            l = link_next(z, l);
        }
    }
}

void lead_reset(struct zab *z)
{
    struct leader *le = &z->lead;
    le->walking = le->walk_refused = false;
    le->snap_next = (struct sid_set){0};
    le->syncs.first = le->syncs.end = 0;
    le->revalidations.first = le->revalidations.end = 0;
    le->follower_count = le->observer_count = 0;
    le->half_tick_ns = z->now_ns + ticks_ns(z, 1) / 2;
}

void lead_start(struct zab *z, int64_t last_zxid)
{
    struct leader *le = &z->lead;
    lead_reset(z);
    z->follow.claim_nothing_to = -1;
    int64_t log_epoch = zxid_epoch(last_zxid); /* at most the accepted one, unless files are lost */
    le->epoch = 1 + (log_epoch > z->accepted_epoch ? log_epoch : z->accepted_epoch);
    le->history_end = last_zxid;
    le->may_commit = true;
    le->handing_over = le->handing_over_told = le->rolling_over = false;
    le->sent = le->logged = z->window.end;
    le->reconfig_zxid = 0;
    le->both_until = 0;
    le->odd_half = true;
    for (int sid = 0; sid <= QUORUM_SID_MAX; sid++)
        le->stale_acked[sid] = -1;
    next_phase(z, LEAD_CONNECTING);

    if (!quorum_is_voter(z->active, z->options.sid)) {
        zab_lose(z, "not a voter of the configuration");
        return;
    }
    greet_early_links(z);
    lead_advance(z);
}

void lead_stop(struct zab *z)
{
    if (z->lead.walking)
        z->host.snapshot_end(z->host.arg);
    z->lead.walking = false;
    z->counts.pending_syncs = 0;
    quorum_free(z->lead.previous);
    z->lead.previous = NULL;
}

/* The oracle is asked only while nobody follows (QuorumOracleMaj.updateNeedOracle). */
bool lead_quorum(const struct zab *z, const struct quorum *q, const struct sid_set *set)
{
    return quorum_has(q, set, z->oracle_says && z->lead.follower_count == 0);
}

/* Learners that came that far. */
struct sid_set lead_set(const struct zab *z, enum learner_state at_least)
{
    struct sid_set set = {0};
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        if (l->state >= at_least && !l->observer)
            sid_set_add(&set, l->sid);
    }
    return set;
}

/* ---- discovery ---- */

static bool settle_epoch(struct zab *z)
{
    struct sid_set set = lead_set(z, LEARNER_INFO);
    sid_set_add(&set, z->options.sid);
    if (!lead_quorum(z, z->active, &set))
        return false;

    struct leader *le = &z->lead;
    z->accepted_epoch = le->epoch;
    le->epoch_ticket = zab_ticket(z, z->host.set_accepted_epoch(z->host.arg, le->epoch));
    next_phase(z, LEAD_ACCEPTING);
    return true;
}

/* The first configuration has no version of its own: it gets the one of our epoch, so that it
 * counts for more than a file somebody else starts with (ZOOKEEPER-1783). */
static void version_first_config(struct zab *z)
{
    if (!z->options.reconfig_enabled || z->active->version != 0 || z->last_seen->version != 0)
        return;
    struct quorum *q = quorum_copy(z->active);
    q->version = zxid_make(z->lead.epoch, 0);
    config_see(z, q, false);
}

static bool announce_epoch(struct zab *z)
{
    if (z->durable < z->lead.epoch_ticket)
        return false;
    version_first_config(z);
    zab_trace(z, ZAB_TRACE_LEADING, z->options.sid, z->lead.history_end, z->lead.epoch, NULL);
    next_phase(z, LEAD_ELECTING);
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        if (l->state == LEARNER_INFO)
            lead_send_leaderinfo(z, l);
    }
    return true;
}

/* Our own log is durable up to its end here: the epoch's ticket is behind it. */
static bool start_syncing(struct zab *z)
{
    struct sid_set set = {0};
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        if (l->state >= LEARNER_EPOCH_ACKED && !l->observer && l->counts_for_epoch)
            sid_set_add(&set, l->sid);
    }
    sid_set_add(&set, z->options.sid);
    if (!lead_quorum(z, z->active, &set))
        return false;

    z->current_epoch = z->lead.epoch;
    z->lead.current_ticket = zab_ticket(z, z->host.set_current_epoch(z->host.arg, z->lead.epoch));
    next_phase(z, LEAD_SYNCING);
    for (struct zab_link *l = link_first(z), *next; l != NULL && !z->over; l = next) {
        next = link_next(z, l);
        if (l->state == LEARNER_EPOCH_ACKED)
            lead_sync(z, l);
    }
    return true;
}

/* ---- establishment ---- */

/* Leader.startZkServer: the last seen configuration is active now. */
static void activate_last_seen(struct zab *z)
{
    if (!config_is_pending(z))
        return;
    int64_t designated = lead_designate(z, z->last_seen, 0);
    config_activate(z, z->last_seen, z->options.sid, designated);
    if (designated != z->options.sid)
        z->lead.may_commit = false;
}

static void welcome_waiting(struct zab *z)
{
    for (struct zab_link *l = link_first(z), *next; l != NULL; l = next) {
        next = link_next(z, l);
        if (l->state == LEARNER_ACKED)
            lead_uptodate(z, l);
    }
}

static bool establish(struct zab *z)
{
    struct leader *le = &z->lead;
    struct sid_set set = lead_set(z, LEARNER_ACKED);
    if (z->durable >= le->current_ticket)
        sid_set_add(&set, z->options.sid);
    if (!sid_set_has(&set, z->options.sid) || !lead_quorum(z, z->active, &set) ||
        (config_is_pending(z) && !lead_quorum(z, z->last_seen, &set)))
        return false;

    le->phase = LEAD_SERVING;
    z->serving = true;
    zab_commit_to(z, le->history_end);
    z->committed = z->last_proposed = zxid_make(le->epoch, 0);
    le->sent = le->logged = z->committed_seq = z->window.end;
    activate_last_seen(z);
    zab_trace(z, ZAB_TRACE_ESTABLISHED, z->options.sid, z->committed, le->epoch, NULL);
    z->host.established(z->host.arg, z->committed);
    welcome_waiting(z);
    if (!le->may_commit)
        zab_hand_over(z);
    return true;
}

void lead_advance(struct zab *z)
{
    bool moved = true;
    while (moved && !z->over) {
        switch (z->lead.phase) {
        case LEAD_CONNECTING:
            moved = settle_epoch(z);
            break;
        case LEAD_ACCEPTING:
            moved = announce_epoch(z);
            break;
        case LEAD_ELECTING:
            moved = start_syncing(z);
            break;
        case LEAD_SYNCING:
            moved = establish(z);
            break;
        case LEAD_SERVING:
            moved = false;
            break;
        }
    }
}

/* ---- learners that go ---- */

void lead_learner_gone(struct zab *z, struct zab_link *l)
{
    lead_unforward(z, l);
    if (l->state == LEARNER_SNAP)
        lead_walk_left(z);
    if (l->log.active || l->state == LEARNER_READING)
        l->log.active = false;
    if (zab_fault(z, ZAB_FAULT_4785) && l->sid >= 0 && l->sid <= QUORUM_SID_MAX &&
        l->acked > z->lead.stale_acked[l->sid])
        z->lead.stale_acked[l->sid] = l->acked;
    if (z->role == ZAB_LEADING && l->state == LEARNER_SERVING && l->sid >= 0)
        z->host.learner_gone(z->host.arg, l->sid);
}

/* ---- time ---- */

static const char *learner_is_late(const struct zab *z, const struct zab_link *l)
{
    int64_t silent_ns = z->now_ns - l->heard_ns;
    int64_t init_ns = ticks_ns(z, z->options.init_limit);
    int64_t sync_ns = ticks_ns(z, z->options.sync_limit);
    switch (l->state) {
    case LEARNER_NEW:
    case LEARNER_EPOCH:
    case LEARNER_NEWLEADER:
        return silent_ns > init_ns ? "silent for longer than initLimit" : NULL;
    case LEARNER_READING:
    case LEARNER_SNAP:
    case LEARNER_WINDOW:
        return l->room_wanted && silent_ns > init_ns ? "takes nothing for longer than initLimit"
                                                     : NULL;
    case LEARNER_SERVING:
        if (l->owed_zxid != 0 && z->now_ns - l->owed_ns >= sync_ns)
            return "a proposal was not acknowledged within syncLimit";
        return silent_ns > sync_ns ? "silent for longer than syncLimit" : NULL;
    case LEARNER_INFO:
    case LEARNER_EPOCH_ACKED:
    case LEARNER_SNAP_WAITING:
    case LEARNER_ACKED: /* it waits for us */
        break;
    }
    return NULL;
}

static void drop_late_learners(struct zab *z)
{
    for (struct zab_link *l = link_first(z), *next; l != NULL; l = next) {
        next = link_next(z, l);
        const char *reason = l->inbound ? learner_is_late(z, l) : NULL;
        if (reason != NULL)
            link_drop(z, l, reason);
    }
}

static void ping_learners(struct zab *z)
{
    int64_t zxid = z->role == ZAB_LEADING ? z->last_proposed : z->committed;
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        if (l->state < LEARNER_NEWLEADER)
            continue;
        zab_send_packet(z, l->id, PACKET_PING, zxid, (struct slice){0});
        z->counts.pings++;
    }
}

void lead_tend_learners(struct zab *z)
{
    drop_late_learners(z);
    ping_learners(z);
}

static bool has_synced_quorum(const struct zab *z, const struct quorum *q)
{
    struct sid_set set = {0};
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        if (l->synced_until_ns >= z->now_ns && !l->observer)
            sid_set_add(&set, l->sid);
    }
    sid_set_add(&set, z->options.sid);
    return lead_quorum(z, q, &set);
}

bool zab_has_synced_quorum(const struct zab *z, const struct quorum *q)
{
    if (z->role != ZAB_LEADING || z->over)
        return false;
    struct sid_set set = {0};
    sid_set_add(&set, z->options.sid);
    for (size_t i = 0; i < z->lead.follower_count; i++) {
        const struct zab_link *l = link_find(z, z->lead.followers[i]);
        if (l != NULL && l->synced_until_ns >= z->now_ns)
            sid_set_add(&set, l->sid);
    }
    return lead_quorum(z, q, &set);
}

/* Operations that wait for a quorum of a configuration that is no longer served by anybody: the
 * next leader commits them under the new one. */
static bool stuck_between_configs(const struct zab *z)
{
    return z->lead.previous != NULL && z->now_ns >= z->lead.previous_until_ns;
}

static void serving_half_tick(struct zab *z)
{
    struct leader *le = &z->lead;
    le->odd_half = !le->odd_half;
    bool whole_tick = le->odd_half;
    if (whole_tick && (!has_synced_quorum(z, z->active) ||
                       (config_is_pending(z) && !has_synced_quorum(z, z->last_seen)))) {
        zab_lose(z, "not sufficient followers synced");
        return;
    }
    if (stuck_between_configs(z)) {
        zab_lose(z, "no quorum of the previous configuration");
        return;
    }
    if (le->handing_over && z->now_ns >= le->hand_over_until_ns) {
        zab_lose(z, "handed over");
        return;
    }
    ping_learners(z);
}

void lead_tick(struct zab *z)
{
    struct leader *le = &z->lead;
    if (z->now_ns < le->half_tick_ns)
        return;
    le->half_tick_ns = z->now_ns + ticks_ns(z, 1) / 2;

    drop_late_learners(z);
    if (le->phase == LEAD_SERVING) {
        serving_half_tick(z);
    } else if (z->now_ns >= le->phase_deadline_ns) {
        zab_lose(z, le->phase == LEAD_CONNECTING ? "no quorum for an epoch within initLimit"
                    : le->phase == LEAD_SYNCING  ? "no quorum synchronized within initLimit"
                                                 : "no quorum accepted the epoch within initLimit");
    }
}

int64_t lead_deadline(const struct zab *z)
{
    return z->lead.half_tick_ns;
}
