#include "zab/zab.h"

#include <stdlib.h>

#include "base/mem.h"
#include "zab/zab_internal.h"

enum {
    PACKET_BYTES_MAX = 2 * 0xfffff + 65536, /* jute.maxbuffer and its extra size, and slack */
    WINDOW_BYTES = 16 << 20,
    PINNED_BYTES_MAX = 256 << 20
};

static size_t or_default(size_t value, size_t otherwise)
{
    return value > 0 ? value : otherwise;
}

struct zab *zab_create(const struct zab_options *options, const struct zab_host *host,
                       const struct quorum *active, const struct quorum *last_seen)
{
    struct zab *z = mem_calloc(1, sizeof *z);
    z->options = *options;
    z->options.packet_bytes_max = or_default(options->packet_bytes_max, PACKET_BYTES_MAX);
    z->options.window_bytes = or_default(options->window_bytes, WINDOW_BYTES);
    z->options.pinned_bytes_max = or_default(options->pinned_bytes_max, PINNED_BYTES_MAX);
    z->host = *host;
    z->active = quorum_copy(active);
    z->last_seen = quorum_copy(last_seen != NULL ? last_seen : active);
    z->accepted_epoch = options->accepted_epoch;
    z->current_epoch = options->current_epoch;
    z->follow.claim_nothing_to = -1;
    window_init(&z->window, 0);
    list_init(&z->links);
    return z;
}

void zab_free(struct zab *z)
{
    if (z == NULL)
        return;
    for (struct zab_link *l = link_first(z); l != NULL; l = link_first(z)) {
        list_remove(&l->node);
        link_free(l);
    }
    window_deinit(&z->window);
    quorum_free(z->active);
    quorum_free(z->last_seen);
    quorum_free(z->lead.previous);
    quorum_free(z->follow.offer);
    free(z->lead.followers);
    free(z->lead.observers);
    free(z->lead.syncs.items);
    free(z->lead.revalidations.items);
    free(z->lead.who);
    buf_deinit(&z->out);
    free(z);
}

/* ---- what the other files use ---- */

int64_t ticks_ns(const struct zab *z, int64_t ticks)
{
    return ticks * z->options.tick_ms * NS_PER_MS;
}

void zab_trace(struct zab *z, enum zab_trace_type type, int64_t sid, int64_t zxid, int64_t value,
               const char *text)
{
    struct zab_trace t = {type, sid, zxid, value, text};
    z->host.trace(z->host.arg, &t);
}

void zab_lose(struct zab *z, const char *reason)
{
    if (z->over || z->role == ZAB_IDLE)
        return;
    z->over = true;
    z->serving = false;
    zab_trace(z, ZAB_TRACE_LOST, -1, 0, 0, reason);
    z->host.lost(z->host.arg, reason);
}

void zab_send(struct zab *z, uint64_t link, struct slice bytes)
{
    z->host.send(z->host.arg, &link, 1, bytes);
}

void zab_send_packet(struct zab *z, uint64_t link, enum packet_type type, int64_t zxid,
                     struct slice data)
{
    buf_clear(&z->out);
    packet_put(&z->out, type, zxid, data);
    zab_send(z, link, buf_slice(&z->out));
}

uint64_t zab_ticket(struct zab *z, uint64_t ticket)
{
    if (ticket > z->last_ticket)
        z->last_ticket = ticket;
    return ticket;
}

void zab_commit_to(struct zab *z, int64_t zxid)
{
    uint64_t end = window_behind(&z->window, zxid);
    if (zxid <= z->committed && end <= z->committed_seq)
        return;
    z->counts.commits += end > z->committed_seq ? end - z->committed_seq : 0;
    z->committed_seq = end;
    z->committed = zxid;
    z->host.commit(z->host.arg, zxid);
}

void zab_trim_window(struct zab *z, uint64_t pinned)
{
    struct window *w = &z->window;
    uint64_t free_until = pinned < z->committed_seq ? pinned : z->committed_seq;
    while (w->first < free_until && window_count(w) > z->options.commit_log_count &&
           w->bytes > z->options.window_bytes)
        window_drop_first(w);
}

#ifdef CAUCUS_PLANT
void zab_plant(struct zab *z, uint32_t mask)
{
    z->planted = mask;
}

bool zab_fault(const struct zab *z, enum zab_fault fault)
{
    return (z->planted & (uint32_t)fault) != 0;
}
#endif

/* ---- links ---- */

struct zab_link *link_find(const struct zab *z, uint64_t id)
{
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l))
        if (l->id == id)
            return l;
    return NULL;
}

struct zab_link *link_add(struct zab *z, uint64_t id, bool inbound)
{
    struct zab_link *l = mem_calloc(1, sizeof *l);
    l->id = id;
    l->inbound = inbound;
    l->sid = -1;
    l->acked = -1;
    l->heard_ns = z->now_ns;
    list_append(&z->links, &l->node);
    z->link_count++;
    return l;
}

/* Out of the list; freed at once, or by who looks at its bytes. */
static void link_forget(struct zab *z, struct zab_link *l)
{
    list_remove(&l->node);
    z->link_count--;
    l->gone = true;
    if (l->inbound && zab_serves_learners(z))
        lead_learner_gone(z, l);
    if (l->busy == 0)
        link_free(l);
}

void link_drop(struct zab *z, struct zab_link *l, const char *reason)
{
    if (l->gone)
        return;
    z->host.disconnect(z->host.arg, l->id, reason);
    if (l->inbound && zab_serves_learners(z))
        zab_trace(z, ZAB_TRACE_LEARNER_GONE, l->sid, 0, 0, reason);
    link_forget(z, l);
}

static void drop_all(struct zab *z, const char *reason)
{
    for (struct zab_link *l = link_first(z); l != NULL; l = link_first(z))
        link_drop(z, l, reason);
}

/* A learner may connect before we know that we are elected: it waits a little. */
static void drop_early_links(struct zab *z, int64_t heard_before_ns, const char *reason)
{
    for (struct zab_link *l = link_first(z), *next; l != NULL; l = next) {
        next = link_next(z, l);
        if (l->heard_ns < heard_before_ns)
            link_drop(z, l, reason);
    }
}

void zab_link_open(struct zab *z, uint64_t link, bool inbound, int64_t now_ns)
{
    z->now_ns = now_ns;
    if (!inbound) {
        struct zab_link *l = link_find(z, link);
        if (l != NULL && (z->role == ZAB_FOLLOWING || z->role == ZAB_OBSERVING))
            follow_opened(z, l);
        return;
    }

    size_t links_max = z->role == ZAB_LEADING ? LEARNERS_MAX : EARLY_LINKS_MAX;
    if ((z->role != ZAB_LEADING && z->role != ZAB_IDLE) || z->over || z->link_count >= links_max) {
        z->host.disconnect(z->host.arg, link, "not leading");
        return;
    }
    struct zab_link *l = link_add(z, link, true);
    l->synced_until_ns = now_ns + ticks_ns(z, z->options.init_limit + z->options.sync_limit);
}

void zab_observer_open(struct zab *z, uint64_t link, int64_t now_ns)
{
    z->now_ns = now_ns;
    if (z->role != ZAB_FOLLOWING || !zab_serves_learners(z) || z->over ||
        z->link_count >= LEARNERS_MAX) {
        z->host.disconnect(z->host.arg, link, "not following");
        return;
    }
    link_add(z, link, true);
}

void zab_link_bytes(struct zab *z, uint64_t link, struct slice bytes, int64_t now_ns)
{
    z->now_ns = now_ns;
    struct zab_link *l = link_find(z, link);
    if (l == NULL || z->over)
        return;
    link_feed(z, l, bytes); /* while we do not lead, what a learner sends is kept */
}

void zab_link_closed(struct zab *z, uint64_t link, int64_t now_ns)
{
    z->now_ns = now_ns;
    struct zab_link *l = link_find(z, link);
    if (l == NULL)
        return;
    bool inbound = l->inbound;
    if (inbound && zab_serves_learners(z))
        zab_trace(z, ZAB_TRACE_LEARNER_GONE, l->sid, 0, 0, "connection closed");
    link_forget(z, l);
    if (!inbound && !z->over && (z->role == ZAB_FOLLOWING || z->role == ZAB_OBSERVING))
        follow_closed(z);
}

void zab_link_room(struct zab *z, uint64_t link)
{
    struct zab_link *l = link_find(z, link);
    if (l == NULL || z->over || !zab_serves_learners(z))
        return;
    l->room_wanted = false;
    l->heard_ns = z->now_ns; /* it takes what we send: that is a sign of life while it syncs */
    if (l->state == LEARNER_SNAP)
        lead_walk(z);
    else
        lead_pump(z, l);
    lead_advance(z);
}

/* ---- roles ---- */

/* A leader that proposed nothing stands at the start of its epoch; its log ends before that. */
static bool stands_at_epoch_start(const struct zab *z, int64_t last_zxid)
{
    return last_zxid == z->committed && zxid_counter(last_zxid) == 0 &&
           last_zxid > window_last(&z->window) && z->committed_seq == z->window.end;
}

/* The window must end where the log ends. What the host replayed or installed without us is behind
 * a new, empty one. */
static void adopt_log_end(struct zab *z, int64_t last_zxid)
{
    struct window *w = &z->window;
    z->last_proposed = last_zxid;
    if (stands_at_epoch_start(z, last_zxid))
        return;
    if (last_zxid < window_last(w))
        window_cut(w, last_zxid);
    if (window_last(w) != last_zxid) {
        window_reset(w, last_zxid);
        z->committed_seq = w->end;
        z->committed = last_zxid;
    }
    if (z->committed_seq > w->end)
        z->committed_seq = w->end;
    if (z->committed > last_zxid) /* it was the start of an epoch that has come to nothing */
        z->committed = window_before(w, z->committed_seq);
}

static void role_start(struct zab *z, enum zab_role role, int64_t now_ns)
{
    invariant(z->role == ZAB_IDLE);
    z->role = role;
    z->over = false;
    z->serving = false;
    z->now_ns = now_ns;
    z->counts.looking++;
}

void zab_lead(struct zab *z, int64_t last_zxid, int64_t now_ns)
{
    role_start(z, ZAB_LEADING, now_ns);
    adopt_log_end(z, last_zxid);
    lead_start(z, last_zxid);
}

void zab_follow(struct zab *z, int64_t leader_sid, int64_t last_zxid, int64_t now_ns)
{
    drop_all(z, "not leading");
    role_start(z, z->options.observer ? ZAB_OBSERVING : ZAB_FOLLOWING, now_ns);
    if (zab_fault(z, ZAB_FAULT_4882) && window_last(&z->window) > last_zxid)
        last_zxid = window_last(&z->window);
    adopt_log_end(z, last_zxid);
    follow_start(z, leader_sid, last_zxid);
}

void zab_idle(struct zab *z)
{
    if (z->role == ZAB_IDLE)
        return;
    z->over = true;
    drop_all(z, "the role is over");
    if (z->role == ZAB_LEADING)
        lead_stop(z);
    else
        follow_stop(z);
    z->role = ZAB_IDLE;
    z->over = false;
    z->serving = false;
}

void zab_remember(struct zab *z, int64_t zxid, struct slice entry)
{
    invariant(z->role == ZAB_IDLE);
    struct window *w = &z->window;
    int64_t last = window_last(w);
    if (window_count(w) == 0 || zxid <= last ||
        (zxid != last + 1 && zxid_epoch(zxid) <= zxid_epoch(last)))
        window_reset(w, zxid - 1);
    /* What is before the first one is not known: it is nobody's zxid. */
    window_append(w, zxid, entry, 0);
    z->committed_seq = w->end;
    z->committed = zxid;
    zab_trim_window(z, w->end);
}

void zab_set_config(struct zab *z, const struct quorum *q)
{
    invariant(z->role == ZAB_IDLE);
    config_activate(z, q, -1, -1);
}

/* ---- events ---- */

void zab_durable(struct zab *z, uint64_t ticket)
{
    if (ticket <= z->durable)
        return;
    z->durable = ticket;
    if (z->over)
        return;
    if (z->role == ZAB_LEADING) {
        lead_logged(z);
        lead_advance(z);
    } else if (z->role != ZAB_IDLE) {
        follow_durable(z);
    }
}

void zab_oracle(struct zab *z, bool says)
{
    z->oracle_says = says;
    if (z->role == ZAB_LEADING && !z->over)
        lead_advance(z);
}

void zab_tick(struct zab *z, int64_t now_ns)
{
    z->now_ns = now_ns;
    if (z->over)
        return;
    if (z->role == ZAB_LEADING)
        lead_tick(z);
    else if (z->role == ZAB_IDLE)
        drop_early_links(z, now_ns - (int64_t)EARLY_LINK_MS * NS_PER_MS, "not leading");
    else
        follow_tick(z);
}

void zab_flush(struct zab *z)
{
    if (z->over)
        return;
    if (z->role == ZAB_LEADING)
        lead_flush(z);
    else if (z->role != ZAB_IDLE)
        follow_flush(z);
}

int64_t zab_deadline_ns(const struct zab *z)
{
    if (z->over)
        return INT64_MAX;
    if (z->role == ZAB_LEADING)
        return lead_deadline(z);
    if (z->role != ZAB_IDLE)
        return follow_deadline(z);
    const struct zab_link *oldest = link_first(z);
    if (oldest == NULL)
        return INT64_MAX;
    return oldest->heard_ns + (int64_t)EARLY_LINK_MS * NS_PER_MS + 1;
}

/* ---- looking inside ---- */

enum zab_role zab_role(const struct zab *z)
{
    return z->role;
}

bool zab_serving(const struct zab *z)
{
    return z->serving;
}

const char *zab_phase(const struct zab *z)
{
    if (z->role == ZAB_IDLE)
        return "election";
    if (z->serving)
        return "broadcast";
    bool discovery =
        z->role == ZAB_LEADING ? z->lead.phase < LEAD_SYNCING : z->follow.phase < FOLLOW_CHOOSING;
    return discovery ? "discovery" : "synchronization";
}

int64_t zab_leader(const struct zab *z)
{
    if (z->role == ZAB_IDLE)
        return -1;
    return z->role == ZAB_LEADING ? z->options.sid : z->follow.leader_sid;
}

int64_t zab_accepted_epoch(const struct zab *z)
{
    return z->accepted_epoch;
}

int64_t zab_current_epoch(const struct zab *z)
{
    return z->current_epoch;
}

int64_t zab_committed(const struct zab *z)
{
    return z->committed;
}

int64_t zab_last_proposed(const struct zab *z)
{
    return z->last_proposed;
}

const struct quorum *zab_config(const struct zab *z)
{
    return z->active;
}

const struct quorum *zab_last_seen_config(const struct zab *z)
{
    return z->last_seen;
}

void zab_each_learner(const struct zab *z, zab_learner_visit *visit, void *arg)
{
    if (!zab_serves_learners(z))
        return;
    for (struct zab_link *l = link_first(z); l != NULL; l = link_next(z, l)) {
        if (l->state < LEARNER_INFO)
            continue;
        struct zab_learner_view v = {.sid = l->sid,
                                     .link = l->id,
                                     .observer = l->observer,
                                     .synced = l->state >= LEARNER_NEWLEADER,
                                     .acked = l->acked,
                                     .last_ack_ns = l->acked_ns,
                                     .proposals_sent = l->proposals_sent,
                                     .requests_received = l->requests_received};
        visit(arg, &v);
    }
}

const struct zab_counts *zab_counts(const struct zab *z)
{
    return &z->counts;
}
