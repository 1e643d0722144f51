/* coordination_claim.c: which member of a state this server is, and that nobody else is.
 *
 *   READ -> CREATE (a free number) -> READ ...
 *   READ -> LOCK (Members/<n>/here, ephemeral) -> SET (if the addresses changed) -> HELD
 *             LOCK -> LOOK (whose is it) -> WAIT (another process's) or UNLOCK (an earlier
 * session's of ours)
 *
 * Done anew in each session, before the shard is told CONNECTED. Whatever was not answered is begun
 * again with READ: a number that was created without our hearing of it bears our name.
 *
 * A name gets one number. A server takes the smallest that is free, on a read in which its name was
 * not; a creation of that very number is a condition that only one can meet, and numbers are not
 * given back: who of two servers by one name comes second finds the name there.
 *
 * The lock is for the disk that was copied: two processes with one name and one incarnation. The
 * second waits; after a crash that lasts until the old session is over. It is a session's lock, no
 * more: who lost his session may still answer his peers while another has the number. So a data
 * directory must not be copied; this finds most who did. */
#include <stdlib.h>

#include "base/hex.h"
#include "election/coordination_internal.h"
#include "election/identity.h"

static struct coord_done to(struct coordination_shard *s, coord_done_fn *fn, uint32_t slot)
{
    s->claim.flying = true;
    return (struct coord_done){fn, s, slot};
}

static struct coord_path member_path(const struct coordination_shard *s, uint32_t number,
                                     const char *below)
{
    return coord_path(s->c, "%s/Members/%u%s",
                      s->c->options.election->states[s->options.state].names.code, number, below);
}

static const char *state_code(const struct coordination_shard *s)
{
    return s->c->options.election->states[s->options.state].names.code;
}

/* What should not happen, or a lost connection: from the beginning, by and by. */
static void again(struct coordination_shard *s, int rc)
{
    s->claim.phase = CLAIM_PHASE_READ;
    if (coord_is_passing(rc)) {
        claim_step(s); /* if there is a connection; else the next one does it */
        return;
    }
    coord_trouble(s->c, "member of %s: %s", state_code(s), caucus_error_text(rc));
    alarm_set(s->c, &s->claim.again, caucus_now_ns() + COORD_RETRY_MS * MS_NS);
}

static void go(struct coordination_shard *s, enum claim_phase phase)
{
    s->claim.phase = phase;
    claim_step(s);
}

/* ---- the end ---- */

static void refuse(struct coordination_shard *s, const char *why)
{
    s->claim.phase = CLAIM_PHASE_REFUSED;
    if (s->claimed)
        coord_fail(s->c, "this server was member %u of %s, and is no more: %s", s->member,
                   state_code(s), why);
    else if (!s->closed)
        s->options.refused(s->options.arg, why);
}

static void hold(struct coordination_shard *s)
{
    struct claim_state *k = &s->claim;
    if (s->claimed && s->member != k->number) {
        refuse(s, "it has another number now");
        return;
    }
    k->phase = CLAIM_PHASE_HELD;
    s->member = k->number;
    if (!s->claimed && !s->closed) {
        s->claimed = true;
        s->options.claimed(s->options.arg, s->member);
    }
    shard_settle(s);
}

/* ---- steps ---- */

static void on_set(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination_shard *s = owner;
    struct claim_state *k = &s->claim;
    (void)slot;
    k->flying = false;
    if (r->rc == 0) {
        k->members[k->number] = k->sent;
        k->versions[k->number]++;
        go(s, CLAIM_PHASE_SET); /* the roll may be another by now */
    } else if (r->rc == CAUCUS_BADVERSION) {
        go(s, CLAIM_PHASE_READ);
    } else {
        again(s, r->rc);
    }
}

static void set(struct coordination_shard *s)
{
    struct claim_state *k = &s->claim;
    const struct member *now = &k->members[k->number];
    k->sent = (struct member){
        .known = true, .server = s->c->options.self, .roll = s->claimed ? s->roll : now->roll};
    if (member_same(now, &k->sent)) {
        hold(s);
        return;
    }
    struct buf data = {0};
    member_encode(&k->sent, &data);
    coord_set(s->c, member_path(s, k->number, "").text, buf_slice(&data), k->versions[k->number],
              to(s, on_set, 0));
    buf_deinit(&data);
}

static void on_unlocked(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination_shard *s = owner;
    (void)slot;
    s->claim.flying = false;
    if (r->rc == 0 || r->rc == CAUCUS_NONODE)
        go(s, CLAIM_PHASE_LOCK);
    else
        again(s, r->rc);
}

static struct slice lock_data(const struct coordination_shard *s,
                              char hex[2 * SEAT_PROCESS_BYTES + 1])
{
    hex_write(s->c->process, SEAT_PROCESS_BYTES, hex);
    return slice_str(hex);
}

static void on_looked(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination_shard *s = owner;
    char hex[2 * SEAT_PROCESS_BYTES + 1];
    (void)slot;
    s->claim.flying = false;
    if (r->rc == CAUCUS_NONODE) {
        go(s, CLAIM_PHASE_LOCK);
    } else if (r->rc != 0) {
        again(s, r->rc);
    } else if (r->stat != NULL && r->stat->ephemeral_owner == s->c->session_id) {
        go(s, CLAIM_PHASE_SET); /* its creation was not answered */
    } else if (slice_eq(coord_data(r), lock_data(s, hex))) {
        go(s, CLAIM_PHASE_UNLOCK);
    } else {
        s->claim.phase = CLAIM_PHASE_WAIT;
        coord_trouble(s->c,
                      "member %u of %s: another process runs it, or its session is not over yet",
                      s->claim.number, state_code(s));
    }
}

static void on_locked(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination_shard *s = owner;
    (void)slot;
    s->claim.flying = false;
    if (r->rc == 0)
        go(s, CLAIM_PHASE_SET);
    else if (r->rc == CAUCUS_NODEEXISTS)
        go(s, CLAIM_PHASE_LOOK);
    else if (r->rc == CAUCUS_NONODE)
        go(s, CLAIM_PHASE_READ);
    else
        again(s, r->rc);
}

static void lock(struct coordination_shard *s)
{
    char hex[2 * SEAT_PROCESS_BYTES + 1];
    coord_create(s->c, member_path(s, s->claim.number, "/here").text, lock_data(s, hex),
                 CAUCUS_EPHEMERAL, to(s, on_locked, 0));
}

static void on_created(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination_shard *s = owner;
    (void)slot;
    s->claim.flying = false;
    if (r->rc == 0 || r->rc == CAUCUS_NODEEXISTS)
        go(s, CLAIM_PHASE_READ);
    else
        again(s, r->rc);
}

static void create(struct coordination_shard *s)
{
    struct buf data = {0};
    identity_encode(&s->c->options.self, NULL, &data);
    coord_create(s->c, member_path(s, s->claim.number, "").text, buf_slice(&data),
                 CAUCUS_PERSISTENT, to(s, on_created, 0));
    buf_deinit(&data);
}

static void decide(struct coordination_shard *s)
{
    struct claim_state *k = &s->claim;
    /* Only the first claim may replace: who was told a number and has lost it is the one replaced.
     */
    bool replace = s->options.replace && !s->claimed;
    struct claim c = claim_decide(k->members, s->c->options.replicas, &s->c->options.self, replace);
    k->number = c.number;
    switch (c.verdict) {
    case CLAIM_REFUSED:
        refuse(s, c.why);
        return;
    case CLAIM_TAKE:
        go(s, CLAIM_PHASE_CREATE);
        return;
    case CLAIM_OURS:
    case CLAIM_REPLACE:
        go(s, CLAIM_PHASE_LOCK);
        return;
    }
}

enum {
    SLOT_SYNC = SHARD_MEMBERS_MAX,
};

static void on_read(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination_shard *s = owner;
    struct claim_state *k = &s->claim;
    if (r->rc != 0 && r->rc != CAUCUS_NONODE) {
        k->rc = r->rc;
    } else if (slot != SLOT_SYNC && r->rc == 0) {
        k->versions[slot] = r->stat != NULL ? r->stat->version : 0;
        member_decode(coord_data(r), &k->members[slot]);
    }
    if (--k->left > 0)
        return;
    k->flying = false;
    if (k->rc != 0)
        again(s, k->rc);
    else
        decide(s);
}

static void read_members(struct coordination_shard *s)
{
    struct claim_state *k = &s->claim;
    memset(k->members, 0, sizeof k->members);
    k->rc = 0;
    k->left = 1 + s->c->options.replicas;
    coord_sync(s->c, to(s, on_read, SLOT_SYNC));
    for (uint32_t i = 0; i < s->c->options.replicas; i++)
        coord_get(s->c, member_path(s, i, "").text, NULL, to(s, on_read, i));
}

void claim_step(struct coordination_shard *s)
{
    if (!coord_can_ask(s->c) || s->claim.flying || s->closed || alarm_is_set(&s->claim.again))
        return;
    switch (s->claim.phase) {
    case CLAIM_PHASE_READ:
        read_members(s);
        return;
    case CLAIM_PHASE_CREATE:
        create(s);
        return;
    case CLAIM_PHASE_LOCK:
        lock(s);
        return;
    case CLAIM_PHASE_LOOK:
        coord_get(s->c, member_path(s, s->claim.number, "/here").text, &s->claim.lock,
                  to(s, on_looked, 0));
        return;
    case CLAIM_PHASE_UNLOCK:
        coord_delete(s->c, member_path(s, s->claim.number, "/here").text, to(s, on_unlocked, 0));
        return;
    case CLAIM_PHASE_SET:
        set(s);
        return;
    case CLAIM_PHASE_WAIT:
    case CLAIM_PHASE_HELD:
    case CLAIM_PHASE_REFUSED:
        return;
    }
}

void coordination_shard_set_roll(struct coordination_shard *s, const struct hash *roll)
{
    s->roll = *roll;
    if (s->claim.phase == CLAIM_PHASE_HELD)
        go(s, CLAIM_PHASE_SET);
}

void claim_new_session(struct coordination_shard *s)
{
    if (s->claim.phase != CLAIM_PHASE_REFUSED)
        s->claim.phase = CLAIM_PHASE_READ;
}

static void on_lock_fired(void *owner)
{
    struct coordination_shard *s = owner;
    if (s->claim.phase != CLAIM_PHASE_WAIT)
        return;
    s->c->trouble[0] = '\0';
    go(s, CLAIM_PHASE_LOCK);
}

static void on_again(void *owner)
{
    claim_step(owner);
}

void claim_init(struct coordination_shard *s)
{
    s->claim.lock = (struct watched){.fired = on_lock_fired, .owner = s};
    alarm_init(&s->claim.again, on_again, s);
}
