/* coordination_follow.c: what is known of the nation and of the states.
 *
 * Each part of a state is `dirty` when something may have changed and was not read yet. What is
 * dirty is read as soon as it can be, but a Commit at most once in pace_ms: while a state takes
 * votes it changes many times a second, and its watch is set again only by the read, so neither the
 * servers nor we are told of every change. Of a state that has a shard here Commit and LiveNodes
 * are read by the shard, when it wants to. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "election/coordination_internal.h"
#include "election/identity.h"

enum follow_part {
    PART_COMMIT = 1,
    PART_LIVE = 2,
    PART_SEALS = 4,
    PART_MEMBERS = 8,
    PART_ALL = 15,
};

/* ---- reading ---- */

bool follow_read_nation(const struct caucus_stat *stat, struct slice data, struct nation_view *ret)
{
    memset(ret, 0, sizeof *ret);
    if (stat == NULL || stat->version < 0 || !global_decode(data, &ret->global))
        return false;
    ret->known = true;
    ret->version = (uint64_t)stat->version;
    ret->mzxid = stat->mzxid;
    return true;
}

bool follow_read_commit(const struct caucus_stat *stat, struct slice data, struct commit_seen *ret)
{
    if (stat == NULL || stat->version < 0 || !commit_decode(data, &ret->commit))
        return false;
    ret->version = (uint64_t)stat->version;
    ret->mzxid = stat->mzxid;
    ret->mtime_ms = stat->mtime_ms;
    return true;
}

/* The oldest, if there are more than can be kept: who is first has to be among them. */
size_t follow_read_live(const struct coordination *c, const char *const *names, size_t count,
                        struct live ret[SHARD_LIVE_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct seat_name name;
        if (!seat_parse(names[i], &name) || name.member >= c->options.replicas)
            continue;
        size_t at = n < SHARD_LIVE_MAX ? n++ : SHARD_LIVE_MAX;
        while (at > 0 && ret[at - 1].seat > name.seat) {
            if (at < SHARD_LIVE_MAX)
                ret[at] = ret[at - 1];
            at--;
        }
        if (at < SHARD_LIVE_MAX)
            ret[at] = (struct live){.member = name.member, .seat = name.seat};
    }
    return n;
}

/* Digits, as our own names are; anything else is not ours. */
static bool read_round(const char *name, uint64_t *ret)
{
    uint64_t round = 0;
    size_t len = strlen(name);
    if (len < 1 || len > 19 || name[0] == '0')
        return false;
    for (; *name != '\0'; name++) {
        if (*name < '0' || *name > '9')
            return false;
        round = round * 10 + (uint64_t)(*name - '0');
    }
    *ret = round;
    return true;
}

uint64_t follow_read_seals(const char *const *names, size_t count)
{
    uint64_t last = 0, round;
    for (size_t i = 0; i < count; i++) {
        if (read_round(names[i], &round) && round > last)
            last = round;
    }
    return last;
}

/* ---- what was seen ---- */

static void update_seal(struct state_follow *f)
{
    const struct nation_view *n = &f->c->nation;
    bool has_seal = n->known && n->global.round > 0 && f->seal_last >= n->global.round;
    if (has_seal == f->view.has_seal)
        return;
    f->view.has_seal = has_seal;
    coord_changed(f->c, f->state, COORDINATION_COMMIT);
    tasks_kick(f->c);
}

void follow_saw_nation(struct coordination *c, const struct nation_view *seen)
{
    struct nation_view *n = &c->nation;
    if (n->known && seen->mzxid <= n->mzxid)
        return;
    bool first = n->first;
    *n = *seen;
    n->first = first;
    for (uint32_t i = 0; i < c->state_count; i++)
        update_seal(&c->states[i]);
    coord_changed(c, -1, COORDINATION_GLOBAL);
    tasks_kick(c);
}

void follow_saw_commit(struct state_follow *f, const struct commit_seen *seen)
{
    if (f->view.known && seen->mzxid <= f->view.commit_mzxid)
        return;
    f->view.known = true;
    f->view.commit = seen->commit;
    f->view.commit_version = seen->version;
    f->view.commit_mzxid = seen->mzxid;
    f->view.commit_mtime_ms = seen->mtime_ms;
    coord_changed(f->c, f->state, COORDINATION_COMMIT);
    if (f->c->nation.global.phase == PHASE_CLOSING)
        tasks_kick(f->c);
}

void follow_saw_live(struct state_follow *f, const struct live *live, size_t count)
{
    bool same = f->view.live_count == count;
    for (size_t i = 0; i < count && same; i++)
        same = f->view.live[i].member == live[i].member && f->view.live[i].seat == live[i].seat;
    if (same)
        return;
    f->view.live_count = count;
    memcpy(f->view.live, live, count * sizeof *live);
    coord_changed(f->c, f->state, COORDINATION_LIVE);
    if (f->c->nation.global.phase == PHASE_CLOSING)
        tasks_kick(f->c);
}

void follow_saw_seals(struct state_follow *f, uint64_t last)
{
    if (last > f->seal_last)
        f->seal_last = last;
    update_seal(f);
}

/* ---- the nation ---- */

static void step_nation(struct coordination *c);

static void on_nation(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination *c = owner;
    struct nation_view seen;
    (void)slot;
    c->nation_flying = false;
    bool fine = r->rc == 0 && follow_read_nation(r->stat, coord_data(r), &seen);
    if (!fine) {
        c->nation_dirty = true;
        if (coord_is_passing(r->rc))
            return;
        coord_trouble(c, "%s/Global/Commit: %s", c->root,
                      r->rc != 0 ? caucus_error_text(r->rc) : "it cannot be read");
        c->nation_gap = true;
        alarm_set(c, &c->nation_again, caucus_now_ns() + COORD_RETRY_MS * MS_NS);
        return;
    }
    follow_saw_nation(c, &seen);
    /* While it could not be read no watch was set, and shards rely on it. */
    for (size_t i = 0; c->nation_gap && i < c->shard_count; i++)
        shard_changed(c->shards[i], SHARD_NODE_GLOBAL);
    c->nation_gap = false;
    coord_settle(c);
}

static void step_nation(struct coordination *c)
{
    if (!coord_can_ask(c) || c->nation_flying || !c->nation_dirty || alarm_is_set(&c->nation_again))
        return;
    c->nation_dirty = false;
    c->nation_flying = true;
    coord_get(c, coord_path(c, "Global/Commit").text, &c->nation_watched,
              (struct coord_done){on_nation, c, 0});
}

static void on_nation_fired(void *owner)
{
    struct coordination *c = owner;
    c->nation_dirty = true;
    for (size_t i = 0; i < c->shard_count; i++)
        shard_changed(c->shards[i], SHARD_NODE_GLOBAL);
    step_nation(c);
}

static void on_nation_again(void *owner)
{
    step_nation(owner);
}

/* ---- a state ---- */

static void step_state(struct state_follow *f);

static void part_failed(struct state_follow *f, uint32_t part, int rc)
{
    f->dirty |= part;
    if (coord_is_passing(rc))
        return;
    coord_trouble(f->c, "%s/%s: %s", f->c->root,
                  f->c->options.election->states[f->state].names.code,
                  rc != 0 ? caucus_error_text(rc) : "what stands there cannot be read");
    alarm_set(f->c, &f->retry, caucus_now_ns() + COORD_RETRY_MS * MS_NS);
}

static void on_commit(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct state_follow *f = owner;
    struct commit_seen seen;
    (void)slot;
    f->flying &= ~(uint32_t)PART_COMMIT;
    if (r->rc != 0 || !follow_read_commit(r->stat, coord_data(r), &seen)) {
        part_failed(f, PART_COMMIT, r->rc);
        return;
    }
    follow_saw_commit(f, &seen);
    coord_settle(f->c);
}

static void on_live(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct state_follow *f = owner;
    struct live live[SHARD_LIVE_MAX];
    (void)slot;
    f->flying &= ~(uint32_t)PART_LIVE;
    if (r->rc != 0) {
        part_failed(f, PART_LIVE, r->rc);
        return;
    }
    follow_saw_live(f, live, follow_read_live(f->c, r->names, r->name_count, live));
    step_state(f);
}

static void on_seals(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct state_follow *f = owner;
    (void)slot;
    f->flying &= ~(uint32_t)PART_SEALS;
    if (r->rc != 0) {
        part_failed(f, PART_SEALS, r->rc);
        return;
    }
    follow_saw_seals(f, follow_read_seals(r->names, r->name_count));
    step_state(f);
}

/* ---- its members ---- */

static void member_done(struct state_follow *f)
{
    if (--f->members_left > 0)
        return;
    f->flying &= ~(uint32_t)PART_MEMBERS;
    step_state(f);
}

static void on_member(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct state_follow *f = owner;
    struct member seen = {0};
    if (r->rc == 0)
        member_decode(coord_data(r), &seen);
    struct member *m = &f->view.members[slot];
    if (r->rc != 0 && r->rc != CAUCUS_NONODE) {
        part_failed(f, PART_MEMBERS, r->rc);
    } else if (!member_same(&seen, m)) {
        *m = seen;
        coord_changed(f->c, f->state, COORDINATION_MEMBERS);
    }
    member_done(f);
}

static void on_members(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct state_follow *f = owner;
    (void)slot;
    f->members_left = 1;
    if (r->rc != 0)
        part_failed(f, PART_MEMBERS, r->rc);
    for (size_t i = 0; r->rc == 0 && i < r->name_count; i++) {
        const char *name = r->names[i];
        if (name[0] < '0' || name[0] > '9' || name[1] != '\0' ||
            (uint32_t)(name[0] - '0') >= f->c->options.replicas)
            continue;
        uint32_t number = (uint32_t)(name[0] - '0');
        f->members_left++;
        coord_get(f->c,
                  coord_path(f->c, "%s/Members/%u",
                             f->c->options.election->states[f->state].names.code, number)
                      .text,
                  &f->member[number], (struct coord_done){on_member, f, number});
    }
    member_done(f);
}

/* ---- what is next ---- */

static uint32_t pace_ms(const struct coordination *c)
{
    bool closing = c->nation.global.phase == PHASE_CLOSING;
    return closing && c->pace_ms > COORD_CLOSING_PACE_MS ? COORD_CLOSING_PACE_MS : c->pace_ms;
}

/* What may be read now of what is dirty. */
static uint32_t parts_due(struct state_follow *f)
{
    uint32_t parts = f->dirty & ~f->flying;
    if (f->shard != NULL)
        parts &= ~(uint32_t)(PART_COMMIT | PART_LIVE);
    if ((parts & PART_COMMIT) == 0)
        return parts;
    int64_t at_ns = f->commit_read_ns + (int64_t)pace_ms(f->c) * MS_NS;
    if (f->commit_read_ns == 0 || caucus_now_ns() >= at_ns)
        return parts;
    alarm_set(f->c, &f->again, at_ns);
    return parts & ~(uint32_t)PART_COMMIT;
}

static void step_state(struct state_follow *f)
{
    struct coordination *c = f->c;
    if (!coord_can_ask(c) || alarm_is_set(&f->retry))
        return;
    uint32_t due = parts_due(f);
    f->dirty &= ~due;
    f->flying |= due;
    if (due & PART_COMMIT) {
        f->commit_read_ns = caucus_now_ns();
        coord_get(c, coord_state_path(c, f->state, "Commit").text, &f->commit,
                  (struct coord_done){on_commit, f, 0});
    }
    if (due & PART_LIVE)
        coord_children(c, coord_state_path(c, f->state, "LiveNodes").text, &f->live,
                       (struct coord_done){on_live, f, 0});
    if (due & PART_SEALS)
        coord_children(c, coord_state_path(c, f->state, "Seal").text, &f->seals,
                       (struct coord_done){on_seals, f, 0});
    if (due & PART_MEMBERS)
        coord_children(c, coord_state_path(c, f->state, "Members").text, &f->members,
                       (struct coord_done){on_members, f, 0});
}

static void fired(struct state_follow *f, uint32_t part, uint32_t node)
{
    f->dirty |= part;
    if (f->shard != NULL && node != 0)
        shard_changed(f->shard, node);
    step_state(f);
}

static void on_commit_fired(void *owner)
{
    fired(owner, PART_COMMIT, SHARD_NODE_COMMIT);
}

static void on_live_fired(void *owner)
{
    fired(owner, PART_LIVE, SHARD_NODE_LIVE);
}

static void on_seals_fired(void *owner)
{
    fired(owner, PART_SEALS, 0);
}

static void on_members_fired(void *owner)
{
    fired(owner, PART_MEMBERS, 0);
}

static void on_again(void *owner)
{
    step_state(owner);
}

void follow_step(struct coordination *c)
{
    step_nation(c);
    for (uint32_t i = 0; i < c->state_count; i++)
        step_state(&c->states[i]);
}

/* Another server may answer now, which was behind the last: nothing is forgotten, all is read. */
void follow_new_session(struct coordination *c)
{
    c->nation_dirty = true;
    for (uint32_t i = 0; i < c->state_count; i++)
        c->states[i].dirty = PART_ALL;
}

void follow_init(struct coordination *c)
{
    c->nation_watched = (struct watched){.fired = on_nation_fired, .owner = c};
    alarm_init(&c->nation_again, on_nation_again, c);
    c->states = mem_calloc(c->state_count, sizeof *c->states);
    for (uint32_t i = 0; i < c->state_count; i++) {
        struct state_follow *f = &c->states[i];
        f->c = c;
        f->state = (int)i;
        f->commit = (struct watched){.fired = on_commit_fired, .owner = f};
        f->live = (struct watched){.fired = on_live_fired, .owner = f};
        f->seals = (struct watched){.fired = on_seals_fired, .owner = f};
        f->members = (struct watched){.fired = on_members_fired, .owner = f};
        for (int m = 0; m < SHARD_MEMBERS_MAX; m++)
            f->member[m] = f->members;
        alarm_init(&f->again, on_again, f);
        alarm_init(&f->retry, on_again, f);
    }
}

/* ---- for who asks ---- */

const struct nation_view *coordination_nation(const struct coordination *c)
{
    return &c->nation;
}

const struct state_view *coordination_state(const struct coordination *c, int state)
{
    return &c->states[state].view;
}

void coordination_set_pace(struct coordination *c, uint32_t pace_ms)
{
    c->pace_ms = pace_ms;
    follow_step(c);
}
