/* Broadcast: proposals, acknowledgements, commits, reconfiguration (Leader.propose, processAck,
 * tryToCommit).
 *
 * Everything happens in lead_flush, once per step: new proposals leave (they lie in the window one
 * behind the other: one send for many), then the largest zxid that has a quorum is looked for, and
 * all up to it are committed and told. */
#include <stdlib.h>

#include "base/mem.h"
#include "zab/zab_internal.h"

/* ---- who gets everything ---- */

static void links_push(uint64_t **links, size_t *count, size_t *cap, uint64_t id)
{
    if (*count == *cap) {
        *cap = *cap > 0 ? *cap * 2 : 8;
        *links = mem_realloc(*links, *cap * sizeof **links);
    }
    (*links)[(*count)++] = id;
}

static void links_remove(uint64_t *links, size_t *count, uint64_t id)
{
    for (size_t i = 0; i < *count; i++) {
        if (links[i] != id)
            continue;
        memmove(&links[i], &links[i + 1], (*count - i - 1) * sizeof *links);
        (*count)--;
        return;
    }
}

static void owe(struct zab *z, struct zab_link *l, int64_t zxid)
{
    if (l->owed_zxid == 0) {
        l->owed_zxid = zxid;
        l->owed_ns = z->now_ns;
    }
    l->newest_zxid = zxid;
    l->newest_ns = z->now_ns;
}

static void send_run(struct zab *z, const uint64_t *links, size_t count, uint64_t from, uint64_t to)
{
    while (from < to) {
        struct slice run = window_run(&z->window, from, to, &from);
        z->host.send(z->host.arg, links, count, run);
    }
}

/* From here on it gets what is new as it comes; first what is proposed and not committed. */
void lead_forward(struct zab *z, struct zab_link *l)
{
    struct leader *le = &z->lead;
    if (l->observer) {
        links_push(&le->observers, &le->observer_count, &le->observer_cap, l->id);
        return;
    }
    uint64_t committed_end = le->phase == LEAD_SERVING ? z->committed_seq : z->window.end;
    if (committed_end < le->sent) {
        send_run(z, &l->id, 1, committed_end, le->sent);
        owe(z, l, window_before(&z->window, le->sent));
        l->proposals_sent += le->sent - committed_end;
    }
    links_push(&le->followers, &le->follower_count, &le->follower_cap, l->id);
}

void lead_unforward(struct zab *z, struct zab_link *l)
{
    links_remove(z->lead.followers, &z->lead.follower_count, l->id);
    links_remove(z->lead.observers, &z->lead.observer_count, l->id);
}

/* ---- proposals ---- */

void zab_propose(struct zab *z, int64_t zxid, struct slice entry, uint64_t ticket,
                 const struct quorum *next_config)
{
    struct leader *le = &z->lead;
    if (z->role != ZAB_LEADING || z->over)
        return;
    invariant(le->phase == LEAD_SERVING && zxid > z->last_proposed);
    struct window_entry *e = window_append(&z->window, zxid, entry, zab_ticket(z, ticket));
    z->last_proposed = zxid;
    z->counts.proposals++;
    if (next_config == NULL)
        return;

    e->reconfig = true;
    if (!z->options.reconfig_enabled)
        return;
    invariant(le->reconfig_zxid == 0); /* one at a time */
    le->reconfig_zxid = zxid;
    config_see(z, quorum_copy(next_config), true);
}

/* What is proposed to others ends here. */
static uint64_t proposed_end(const struct zab *z)
{
    return z->lead.rolling_over ? z->window.end - 1 : z->window.end;
}

static void send_proposals(struct zab *z)
{
    struct leader *le = &z->lead;
    uint64_t end = proposed_end(z);
    if (le->sent == end)
        return;
    if (le->follower_count > 0) {
        send_run(z, le->followers, le->follower_count, le->sent, end);
        for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
            if (l->state < LEARNER_NEWLEADER || l->observer)
                continue;
            owe(z, l, window_before(&z->window, end));
            l->proposals_sent += end - le->sent;
        }
    }
    le->sent = end;
}

/* ---- acknowledgements ---- */

/* Our own log counts like everybody else's: what is durable is acknowledged. */
void lead_logged(struct zab *z)
{
    struct leader *le = &z->lead;
    while (le->logged < z->window.end && window_at(&z->window, le->logged)->ticket <= z->durable)
        le->logged++;
}

static int64_t own_acked(const struct zab *z)
{
    return z->lead.logged > z->window.first ? window_at(&z->window, z->lead.logged - 1)->zxid : -1;
}

static bool acks(const struct zab_link *l)
{
    return l->state >= LEARNER_NEWLEADER && !l->observer;
}

static struct sid_set acked_set(const struct zab *z, int64_t zxid)
{
    struct sid_set set = {0};
    if (own_acked(z) >= zxid)
        sid_set_add(&set, z->options.sid);
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        if (acks(l) && l->acked >= zxid)
            sid_set_add(&set, l->sid);
    }
    for (int sid = 0; zab_fault(z, ZAB_FAULT_4785) && sid <= QUORUM_SID_MAX; sid++)
        if (z->lead.stale_acked[sid] >= zxid)
            sid_set_add(&set, sid);
    return set;
}

/* Everything up to zxid has the quorums it was proposed to. Operations behind a reconfig need one
 * of either configuration, also when the reconfig itself is committed meanwhile. */
static bool is_acked(const struct zab *z, int64_t zxid)
{
    const struct leader *le = &z->lead;
    struct sid_set set = acked_set(z, zxid);
    if (!lead_quorum(z, z->active, &set))
        return false;
    if (le->reconfig_zxid != 0 && zxid >= le->reconfig_zxid && !lead_quorum(z, z->last_seen, &set))
        return false;
    if (le->previous != NULL) {
        struct sid_set before = acked_set(z, zxid < le->both_until ? zxid : le->both_until);
        return lead_quorum(z, le->previous, &before);
    }
    return true;
}

/* The largest zxid that can be committed; at most what is committed if there is none. */
static int64_t commit_target(const struct zab *z)
{
    int64_t best = z->committed;
    if (own_acked(z) > best && is_acked(z, own_acked(z)))
        best = own_acked(z);
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        int64_t zxid = acks(l) ? l->acked : -1;
        if (zxid > best && is_acked(z, zxid))
            best = zxid;
    }
    return best;
}

/* ---- commits ---- */

static void put_informs(struct zab *z, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq < to; seq++) {
        size_t at = z->out.len;
        buf_put_slice(&z->out, window_packet(&z->window, seq));
        store_be32(z->out.ptr + at, PACKET_INFORM);
    }
}

void lead_inform(struct zab *z, uint64_t from, uint64_t to)
{
    struct leader *le = &z->lead;
    if (le->observer_count == 0 || from == to)
        return;
    buf_clear(&z->out);
    put_informs(z, from, to);
    z->host.send(z->host.arg, le->observers, le->observer_count, buf_slice(&z->out));
}

static void tell_commits(struct zab *z, uint64_t from, uint64_t to)
{
    struct leader *le = &z->lead;
    if (from == to)
        return;
    if (le->follower_count > 0) {
        buf_clear(&z->out);
        for (uint64_t seq = from; seq < to; seq++)
            packet_put_empty(&z->out, PACKET_COMMIT, window_at(&z->window, seq)->zxid);
        z->host.send(z->host.arg, le->followers, le->follower_count, buf_slice(&z->out));
    }
    lead_inform(z, from, to);
}

void lead_inform_activation(struct zab *z, uint64_t seq, int64_t designated)
{
    struct leader *le = &z->lead;
    if (le->observer_count == 0)
        return;
    struct buf data = {0};
    buf_put_i64(&data, designated);
    buf_put_slice(&data, window_data(&z->window, seq));
    buf_clear(&z->out);
    packet_put(&z->out, PACKET_INFORMANDACTIVATE, window_at(&z->window, seq)->zxid,
               buf_slice(&data));
    z->host.send(z->host.arg, le->observers, le->observer_count, buf_slice(&z->out));
    buf_deinit(&data);
}

static void tell_activation(struct zab *z, uint64_t seq, int64_t designated)
{
    struct leader *le = &z->lead;
    if (le->follower_count > 0) {
        uint8_t who[8];
        store_be64(who, (uint64_t)designated);
        buf_clear(&z->out);
        packet_put(&z->out, PACKET_COMMITANDACTIVATE, window_at(&z->window, seq)->zxid,
                   slice_of(who, sizeof who));
        z->host.send(z->host.arg, le->followers, le->follower_count, buf_slice(&z->out));
    }
    lead_inform_activation(z, seq, designated);
}

/* Who leads in configuration q: we, if we are a voter of it at the same address; else the one of
 * its voters that has acknowledged the most (at least `zxid`). */
int64_t lead_designate(const struct zab *z, const struct quorum *q, int64_t zxid)
{
    if (config_same_address(z->active, q, z->options.sid))
        return z->options.sid;
    int64_t best = -1, best_acked = -1;
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        if (l->state < LEARNER_ACKED || l->sid == z->options.sid || !quorum_is_voter(q, l->sid) ||
            l->acked < (zxid > 0 ? zxid : -1))
            continue;
        if (best == -1 || l->acked > best_acked || (l->acked == best_acked && l->sid < best)) {
            best = l->sid;
            best_acked = l->acked;
        }
    }
    return best != -1 ? best : z->options.sid;
}

static void commit_reconfig(struct zab *z, uint64_t seq)
{
    struct leader *le = &z->lead;
    int64_t zxid = window_at(&z->window, seq)->zxid;
    int64_t designated = lead_designate(z, z->last_seen, zxid);

    tell_activation(z, seq, designated);
    zab_commit_to(z, zxid);
    le->reconfig_zxid = 0;
    if (z->last_proposed > zxid) {
        quorum_free(le->previous);
        le->previous = quorum_copy(z->active);
        le->both_until = z->last_proposed;
        le->previous_until_ns = z->now_ns + ticks_ns(z, z->options.sync_limit);
    }
    config_activate(z, z->last_seen, z->options.sid, designated);
    if (designated != z->options.sid)
        le->may_commit = false;
}

/* Up to zxid, but not beyond a reconfig that is to be activated: true if it stopped there. */
static bool commit_some(struct zab *z, int64_t zxid)
{
    struct leader *le = &z->lead;
    bool reconfig = le->reconfig_zxid != 0 && le->reconfig_zxid <= zxid;
    uint64_t end = window_behind(&z->window, reconfig ? le->reconfig_zxid : zxid);
    uint64_t plain_end = reconfig ? end - 1 : end;

    tell_commits(z, z->committed_seq, plain_end);
    if (plain_end > z->committed_seq)
        zab_commit_to(z, window_before(&z->window, plain_end));
    if (reconfig)
        commit_reconfig(z, plain_end);
    if (le->previous != NULL && z->committed >= le->both_until) {
        quorum_free(le->previous);
        le->previous = NULL;
    }
    return reconfig;
}

/* ---- syncs ---- */

void pending_push(struct pending_ring *r, struct pending p)
{
    if (r->end - r->first == r->cap) {
        size_t cap = r->cap > 0 ? r->cap * 2 : 64;
        struct pending *items = mem_alloc(cap * sizeof *items);
        for (uint64_t i = r->first; i < r->end; i++)
            items[i & (cap - 1)] = r->items[i & (r->cap - 1)];
        free(r->items);
        r->items = items;
        r->cap = cap;
    }
    r->items[r->end++ & (r->cap - 1)] = p;
}

void lead_send_sync(struct zab *z, uint64_t link)
{
    if (link_find(z, link) != NULL)
        zab_send_packet(z, link, PACKET_SYNC, 0, (struct slice){0});
}

static void count_syncs(struct zab *z)
{
    z->counts.pending_syncs = (size_t)(z->lead.syncs.end - z->lead.syncs.first);
}

/* The serving link of a learner, NULL = it has none. */
static struct zab_link *serving_link(struct zab *z, int64_t sid)
{
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        if (l->state == LEARNER_SERVING && l->sid == sid)
            return l;
    }
    return NULL;
}

void zab_answer_sync(struct zab *z, int64_t sid)
{
    if (z->role != ZAB_LEADING || z->over)
        return;
    struct zab_link *l = serving_link(z, sid);
    if (l == NULL || l->syncs == 0) /* it was asked for on an earlier link */
        return;
    l->syncs--;
    if (z->committed_seq == z->window.end)
        lead_send_sync(z, l->id);
    else
        pending_push(&z->lead.syncs, (struct pending){z->last_proposed, l->id});
    count_syncs(z);
}

static void answer_syncs(struct zab *z)
{
    struct pending_ring *r = &z->lead.syncs;
    const struct pending *s;
    while ((s = pending_first(r)) != NULL && s->value <= z->committed) {
        r->first++;
        lead_send_sync(z, s->link);
    }
    count_syncs(z);
}

/* ---- the end of a step ---- */

/* A sync's answer leaves right behind the commit it waits for: a follower knows the writes of its
 * clients by their order, syncs among them. */
static int64_t before_next_sync(const struct leader *le, int64_t zxid)
{
    const struct pending *s = pending_first(&le->syncs);
    return s != NULL && s->value < zxid ? s->value : zxid;
}

static void commit_what_is_acked(struct zab *z)
{
    bool again = true;
    while (again && z->lead.may_commit && !z->over) {
        int64_t acked = commit_target(z);
        if (acked <= z->committed)
            return;
        int64_t target = before_next_sync(&z->lead, acked);
        again = commit_some(z, target) || target < acked;
        answer_syncs(z);
    }
}

static void trim_window(struct zab *z)
{
    uint64_t cursor = lead_oldest_cursor(z);
    zab_trim_window(z, cursor < z->lead.logged ? cursor : z->lead.logged);
}

/* Learners for whose sake too much is kept have to come again. */
void lead_bound_window(struct zab *z)
{
    if (z->window.bytes <= z->options.pinned_bytes_max)
        return;
    uint64_t oldest = lead_oldest_cursor(z);
    if (oldest >= z->committed_seq)
        return;
    for (struct zab_link *l = link_first(z), *next; l != NULL; l = next) {
        next = link_next(z, l);
        if ((l->state == LEARNER_SNAP || l->state == LEARNER_WINDOW) && l->cursor == oldest)
            link_drop(z, l, "too slow: too much is kept for it");
    }
}

static bool everything_left(const struct zab *z)
{
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        if (l->state >= LEARNER_NEWLEADER && l->room_wanted)
            return false;
    }
    return true;
}

void zab_hand_over(struct zab *z)
{
    if (z->role != ZAB_LEADING || z->over || z->lead.handing_over)
        return;
    z->lead.handing_over = true;
    z->lead.hand_over_until_ns = z->now_ns + ticks_ns(z, z->options.sync_limit);
}

void zab_roll_over(struct zab *z, int64_t zxid, struct slice entry, uint64_t ticket)
{
    if (z->role != ZAB_LEADING || z->over)
        return;
    invariant(z->lead.phase == LEAD_SERVING && zxid > z->last_proposed && !z->lead.rolling_over);
    window_append(&z->window, zxid, entry, zab_ticket(z, ticket));
    z->last_proposed = zxid;
    z->lead.rolling_over = true;
    zab_hand_over(z);
}

/* All is committed: the role ends when the learners have been told, or are gone. */
static void hand_over(struct zab *z)
{
    const char *reason =
        z->lead.rolling_over ? "the epoch has no zxid left, the next one begins" : "handed over";
    bool nothing_left = !z->lead.may_commit || z->committed_seq >= proposed_end(z);
    if (!nothing_left)
        return;
    if (z->lead.handing_over_told) {
        if (everything_left(z))
            zab_lose(z, reason);
        return;
    }
    z->lead.handing_over_told = true;
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        if (l->state < LEARNER_NEWLEADER)
            continue;
        l->room_wanted = true;
        z->host.want_room(z->host.arg, l->id);
    }
    if (everything_left(z))
        zab_lose(z, reason);
}

void lead_flush(struct zab *z)
{
    struct leader *le = &z->lead;
    if (le->phase != LEAD_SERVING)
        return;
    send_proposals(z);
    lead_logged(z);
    commit_what_is_acked(z);
    if (!le->may_commit && !z->over)
        zab_hand_over(z);
    if (le->handing_over && !z->over)
        hand_over(z);
    trim_window(z);
    lead_bound_window(z);
    trim_window(z);
}
