/* Following and observing: connection, discovery and time (Learner.connectToLeader,
 * registerWithLeader).
 *
 *   CONNECTING   five tries, or a time limit
 *   REGISTERING  FOLLOWERINFO or OBSERVERINFO is sent; LEADERINFO brings the epoch
 *   ACCEPTING    a new one becomes durable here before ACKEPOCH leaves
 *   CHOOSING     ... the rest is in learner_sync.c */
#include "base/assert.h"
#include "zab/zab_internal.h"

enum {
    CONNECT_TRIES = 5
};

static bool asks_in_turn(const struct zab *z)
{
    return z->role == ZAB_OBSERVING && z->options.observer_masters;
}

/* Where followers serve observers, an observer asks the voters in turn; each observer begins
 * elsewhere (Observer.findLearnerMaster). One of them leads, and does not serve on that port: when
 * all have said no, the leader is asked as if there were no such ports. (ZooKeeper's observers of a
 * single voter stay outside.) */
static void connect_master(struct zab *z)
{
    struct learner *f = &z->follow;
    const struct quorum *q = z->active;
    size_t turn = ((size_t)z->options.sid + f->master_turn++) % q->voter_count;
    size_t at = 0;
    while (!quorum_is_voter(q, q->servers[at].sid) || turn-- > 0)
        at++;
    f->link = z->host.connect(z->host.arg, q->servers[at].sid, true);
}

static void connect_leader(struct zab *z)
{
    struct learner *f = &z->follow;
    f->retry_ns = INT64_MAX;
    if (asks_in_turn(z) && (size_t)f->tries < z->active->voter_count)
        connect_master(z);
    else
        f->link = z->host.connect(z->host.arg, f->leader_sid, false);
    f->tries++;
    f->has_link = true;
    link_add(z, f->link, false);
}

void follow_start(struct zab *z, int64_t leader_sid, int64_t last_zxid)
{
    struct learner *f = &z->follow;
    int64_t limit = z->options.connect_limit > 0 ? z->options.connect_limit : z->options.init_limit;
    bool same_leader = f->claim_nothing_to == leader_sid;
    *f = (struct learner){.phase = FOLLOW_CONNECTING,
                          .leader_sid = leader_sid,
                          .master_turn = f->master_turn,
                          .last_zxid = last_zxid,
                          .connect_until_ns = z->now_ns + ticks_ns(z, limit),
                          .skip_until = -1,
                          .claim_nothing_to = same_leader ? leader_sid : -1,
                          .claim_epoch = f->claim_epoch};
    zab_trace(z, ZAB_TRACE_FOLLOWING, leader_sid, last_zxid, z->accepted_epoch, NULL);
    const struct quorum_server *leader = quorum_find(z->active, leader_sid);
    if (leader == NULL || leader_sid == z->options.sid) {
        zab_lose(z, "the leader is not in the configuration");
        return;
    }
    connect_leader(z);
}

void follow_stop(struct zab *z)
{
    struct learner *f = &z->follow;
    if (f->phase == FOLLOW_SNAP)
        z->host.install_abort(z->host.arg);
    master_stop(z);
    quorum_free(f->offer);
    f->offer = NULL;
    f->phase = FOLLOW_CONNECTING;
}

void follow_send(struct zab *z, enum packet_type type, int64_t zxid, struct slice data)
{
    zab_send_packet(z, z->follow.link, type, zxid, data);
}

/* ---- connection ---- */

void follow_opened(struct zab *z, struct zab_link *l)
{
    struct learner *f = &z->follow;
    if (f->phase != FOLLOW_CONNECTING || z->over || l->id != f->link)
        return;
    f->phase = FOLLOW_REGISTERING;
    f->retry_ns = INT64_MAX;
    l->heard_ns = z->now_ns;

    uint8_t info[PACKET_LEARNER_INFO_BYTES];
    store_be64(info, (uint64_t)z->options.sid);
    store_be32(info + 8, PACKET_PROTOCOL);
    store_be64(info + 12, (uint64_t)z->active->version);
    follow_send(z, z->role == ZAB_OBSERVING ? PACKET_OBSERVERINFO : PACKET_FOLLOWERINFO,
                zxid_make(z->accepted_epoch, 0), slice_of(info, sizeof info));
}

void follow_closed(struct zab *z)
{
    struct learner *f = &z->follow;
    f->has_link = false;
    if (f->phase == FOLLOW_REGISTERING && asks_in_turn(z))
        f->phase = FOLLOW_CONNECTING; /* it does not serve observers, or not now */
    if (f->phase != FOLLOW_CONNECTING) {
        zab_lose(z, "the connection to the leader is lost");
        return;
    }
    int64_t retry_ns = z->now_ns + z->options.connect_retry_ms * NS_PER_MS;
    int tries_max = CONNECT_TRIES + (asks_in_turn(z) ? (int)z->active->voter_count : 0);
    if (f->tries >= tries_max || retry_ns >= f->connect_until_ns)
        zab_lose(z, "cannot connect to the leader");
    else
        f->retry_ns = retry_ns;
}

/* ---- discovery ---- */

/* To a leader whose TRUNC we could not follow we say that we have nothing, so that it sends
 * everything. Only in the same epoch, where our ACKEPOCH does not count: as a vote of somebody with
 * an empty log it could elect a leader that has less than we do. */
static void send_ackepoch(struct zab *z)
{
    struct learner *f = &z->follow;
    f->claimed_nothing = f->claim_nothing_to == f->leader_sid && f->epoch == f->claim_epoch;
    uint8_t current_epoch[4];
    store_be32(current_epoch, f->fresh_epoch ? (uint32_t)z->current_epoch : UINT32_MAX);
    f->phase = FOLLOW_CHOOSING;
    follow_send(z, PACKET_ACKEPOCH, f->claimed_nothing ? 0 : f->last_zxid,
                slice_of(current_epoch, sizeof current_epoch));
}

static void on_leaderinfo(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    struct learner *f = &z->follow;
    if (p->type != PACKET_LEADERINFO || p->data.len < 4 ||
        (int32_t)load_be32(p->data.ptr) < PACKET_PROTOCOL) {
        zab_trace(z, ZAB_TRACE_REFUSED, f->leader_sid, p->zxid, p->type, packet_name(p->type));
        zab_lose(z, "the leader speaks a protocol older than Zab 1.0");
        return;
    }
    f->epoch = zxid_epoch(p->zxid);
    if (f->epoch < z->accepted_epoch || f->epoch < zxid_epoch(f->last_zxid)) {
        zab_lose(z, "the leader's epoch is older than the one we accepted");
        return;
    }
    f->fresh_epoch = f->epoch > z->accepted_epoch;
    if (!f->fresh_epoch) { /* accepted before: it must not count twice */
        send_ackepoch(z);
        return;
    }
    z->accepted_epoch = f->epoch;
    f->ticket = zab_ticket(z, z->host.set_accepted_epoch(z->host.arg, f->epoch));
    f->phase = FOLLOW_ACCEPTING;
    (void)l;
    follow_durable(z);
}

/* ---- what the disk says ---- */

void follow_durable(struct zab *z)
{
    struct learner *f = &z->follow;
    if (f->phase == FOLLOW_ACCEPTING && z->durable >= f->ticket)
        send_ackepoch(z);
    else if (f->phase == FOLLOW_LOGGING || f->phase == FOLLOW_EPOCH)
        follow_newleader_durable(z);
}

/* ---- packets ---- */

void follow_packet(struct zab *z, struct zab_link *l, const struct rec_quorum_packet *p)
{
    switch (z->follow.phase) {
    case FOLLOW_REGISTERING:
        on_leaderinfo(z, l, p);
        break;
    case FOLLOW_CHOOSING:
        follow_choose(z, l, p);
        break;
    case FOLLOW_HISTORY:
    case FOLLOW_LOGGING:
    case FOLLOW_EPOCH:
    case FOLLOW_ACKED:
        follow_history(z, p);
        break;
    case FOLLOW_SERVING:
        follow_serve_packet(z, l, p);
        break;
    case FOLLOW_CONNECTING:
    case FOLLOW_ACCEPTING:
        zab_lose(z, "the leader speaks out of turn");
        break;
    case FOLLOW_TRUNCATING:
    case FOLLOW_SNAP:
    case FOLLOW_SIGNATURE:
    case FOLLOW_INSTALLING: /* held, or no packets */
        break;
    }
}

/* ---- time ---- */

/* The leader owes us something from when it was last heard on, unless its bytes wait for us. */
static int64_t read_deadline(const struct zab *z)
{
    const struct learner *f = &z->follow;
    const struct zab_link *l = link_find(z, f->link);
    if (l == NULL || l->held)
        return INT64_MAX;
    bool synced = f->phase >= FOLLOW_ACKED;
    return l->heard_ns + ticks_ns(z, synced ? z->options.sync_limit : z->options.init_limit);
}

int64_t follow_deadline(const struct zab *z)
{
    const struct learner *f = &z->follow;
    if (f->phase == FOLLOW_CONNECTING)
        return f->retry_ns < f->connect_until_ns ? f->retry_ns : f->connect_until_ns;
    return read_deadline(z) < master_deadline(z) ? read_deadline(z) : master_deadline(z);
}

void follow_tick(struct zab *z)
{
    struct learner *f = &z->follow;
    if (f->phase == FOLLOW_CONNECTING) {
        if (z->now_ns >= f->connect_until_ns)
            zab_lose(z, "cannot connect to the leader in time");
        else if (z->now_ns >= f->retry_ns)
            connect_leader(z);
        return;
    }
    master_tick(z);
    if (z->now_ns >= read_deadline(z))
        zab_lose(z, f->phase >= FOLLOW_ACKED ? "the leader is silent for longer than syncLimit"
                                             : "the leader is silent for longer than initLimit");
}
