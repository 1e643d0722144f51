#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/mem.h"
#include "election/identity.h"
#include "election/service_internal.h"
#include "io/log.h"
#include "vote/message.h"

enum {
    SEND_LOG_BYTES_MAX = 1 << 20, /* of committed batches in one message */
    PENDING_MAX = 65536,
    FOLLOW_GAPS = 5, /* commits that a follower of a busy state sees at once */
};

static const int64_t second_ns = 1000 * 1000 * 1000;

static const char *code_of(const struct replica *r)
{
    return r->service->definition->info.states[r->state].names.code;
}

/* ---- life ---- */

int replica_open(struct service *s, int state, struct replica **ret, struct err *err)
{
    struct replica *r = mem_calloc(1, sizeof *r);
    r->service = s;
    r->state = state;
    r->deadline_ns = INT64_MAX;
    snprintf(r->dir, sizeof r->dir, "%s/%s", s->options.data, code_of(r));
    int rc = votelog_open(files_posix(), r->dir, &r->log, err);
    if (rc == 0)
        rc = definition_roll(s->definition, state, &r->roll, err);
    if (rc < 0) {
        replica_free(r);
        return rc;
    }
    if (votelog_bytes_cut(r->log) > 0) {
        struct log_line line;
        log_begin(&line, LOG_WARN, "log_cut");
        log_text(&line, "state", code_of(r));
        log_int(&line, "bytes", (int64_t)votelog_bytes_cut(r->log));
        log_text(&line, "text", "the end of a write that a crash cut short, never acknowledged");
        log_end(&line);
    }
    r->disk = disk_add(s->disk, r->log, r);
    *ret = r;
    return 0;
}

void replica_free(struct replica *r)
{
    if (r == NULL)
        return;
    aside_end(r);
    shard_free(r->shard);
    shard_effects_deinit(&r->fx);
    for (size_t i = r->held_at; i < r->held_count; i++)
        free(r->held[i].bytes);
    free(r->held);
    buf_deinit(&r->frame);
    voters_deinit(&r->roll);
    votelog_close(r->log);
    free(r);
}

static void by_chance(void *ret, size_t len)
{
    ssize_t got = getrandom(ret, len, 0);
    invariant(got == (ssize_t)len);
}

static void make_shard(struct replica *r)
{
    struct service *s = r->service;
    const struct state_info *state = &s->definition->info.states[r->state];
    struct shard_options o = {
        .self = r->member,
        .members = s->definition->replicas,
        .copies_min = s->definition->copies_min,
        .config = s->definition->info.config,
        .candidates = s->definition->info.candidate_count,
        .districts = state->districts,
        .on_ballot = state->on_ballot,
        .revisions_max = s->definition->revisions_max,
        .pending_max = PENDING_MAX,
        .follow_gap_ns = pace_full_gap_ns(s) * FOLLOW_GAPS,
        .quorum_wait_ns = 2 * second_ns,
        .fetch_wait_ns = second_ns,
        .rejoin_wait_ns = second_ns,
        .yield_wait_ns = second_ns / 2,
        .bounds = SHARD_BOUNDS,
        .read = votelog_read,
        .arg = r->log,
    };
    memcpy(o.state, state->names.code, strlen(state->names.code));
    by_chance(&o.seed, sizeof o.seed);
    by_chance(o.salt_key, sizeof o.salt_key);
    r->shard = shard_create(&o, votelog_found(r->log), &r->roll, service_now_ns(s));
    pace_tell(r);
    explicit_bzero(o.salt_key, sizeof o.salt_key);
}

/* ---- the roll ---- */

static const char *of_another_roll(const struct replica *r, const struct hash *own)
{
    const struct member *members = coordination_state(r->service->coordination, r->state)->members;
    static const struct hash none;
    for (uint32_t m = 0; m < r->service->definition->replicas; m++) {
        const struct member *other = &members[m];
        if (m != r->member && other->known && !hash_eq(&other->roll, &none) &&
            !hash_eq(&other->roll, own))
            return other->server.name;
    }
    return NULL;
}

static void tell_roll(const struct replica *r, const char *other)
{
    struct log_line line;
    log_begin(&line, other != NULL ? LOG_WARN : LOG_INFO,
              other != NULL ? "roll_differs" : "roll_agrees");
    log_text(&line, "state", code_of(r));
    if (other != NULL)
        log_text(&line, "server", other);
    if (r->roll_disputed)
        log_text(&line, "text", "most of the state's servers have another: it begins no round");
    log_end(&line);
}

void replica_look_at_rolls(struct replica *r)
{
    struct shard_event ev = {.type = SHARD_TICK};
    uint64_t voters;
    if (r->shard == NULL || r->coordination == NULL)
        return;
    struct hash own = shard_roll(r->shard, &voters);
    const char *other = of_another_roll(r, &own);
    bool disputed =
        member_roll_is_disputed(coordination_state(r->service->coordination, r->state)->members,
                                r->service->definition->replicas, r->member, &own);
    coordination_shard_set_roll(r->coordination, &own);
    if (disputed == r->roll_disputed && (other != NULL) == r->roll_differs)
        return;
    r->roll_disputed = disputed;
    r->roll_differs = other != NULL;
    tell_roll(r, other);
    shard_set_disputed(r->shard, disputed);
    replica_step(r, &ev);
}

/* ---- members ---- */

static void on_claimed(void *arg, uint32_t member)
{
    struct replica *r = arg;
    size_t at = 0;
    struct log_line line;
    r->member = member;
    make_shard(r);
    log_begin(&line, LOG_INFO, "member");
    log_text(&line, "state", code_of(r));
    log_int(&line, "number", member);
    log_end(&line);
    for (struct link *l; (l = links_next(r->service->links, &at)) != NULL;)
        replica_tell_hosts(r, l);
    replica_look_at_links(r);
    replica_look_at_rolls(r);
    coordination_shard_begin(r->coordination);
}

static void on_refused(void *arg, const char *why)
{
    struct replica *r = arg;
    service_fail(r->service, "%s: %s", code_of(r), why);
}

static void on_event(void *arg, struct shard_event *ev)
{
    replica_step(arg, ev);
}

void replica_begin(struct replica *r)
{
    struct coordination_shard_options o = {
        .state = r->state,
        .replace = r->service->options.replace,
        .claimed = on_claimed,
        .refused = on_refused,
        .event = on_event,
        .arg = r,
    };
    r->coordination = coordination_shard_open(r->service->coordination, &o);
}

/* ---- effects: sends ---- */

static void send_bytes(const struct replica *r, uint64_t link, struct slice bytes)
{
    uint8_t state[2] = {(uint8_t)(r->state >> 8), (uint8_t)r->state};
    struct link *l = links_numbered(r->service->links, link);
    if (l != NULL)
        link_send(l, FRAME_SHARD, slice_of(state, sizeof state), bytes);
}

static void hold(struct replica *r, const struct shard_send *send, uint64_t link,
                 struct slice bytes)
{
    if (r->held_count == r->held_cap && r->held_at > 0) {
        memmove(r->held, r->held + r->held_at, (r->held_count - r->held_at) * sizeof *r->held);
        r->held_count -= r->held_at;
        r->held_at = 0;
    }
    if (r->held_count == r->held_cap) {
        r->held_cap = r->held_cap ? r->held_cap * 2 : 16;
        r->held = mem_realloc(r->held, r->held_cap * sizeof *r->held);
    }
    r->held[r->held_count++] = (struct held_send){
        .after = send->after,
        .link = link,
        .bytes = mem_dup(bytes.ptr, bytes.len),
        .len = bytes.len,
    };
}

static void send_held(struct replica *r)
{
    while (r->held_at < r->held_count && r->held[r->held_at].after <= r->durable) {
        struct held_send *h = &r->held[r->held_at++];
        send_bytes(r, h->link, slice_of(h->bytes, h->len));
        free(h->bytes);
    }
    if (r->held_at == r->held_count)
        r->held_at = r->held_count = 0;
}

/* What it names is durable, so the log has it. */
static struct slice with_log(struct replica *r, const struct shard_send *send, struct slice bytes)
{
    struct err err;
    buf_clear(&r->frame);
    buf_put_slice(&r->frame, bytes);
    int rc = votelog_batches(r->log, send->round, send->log_from, send->log_until,
                             SEND_LOG_BYTES_MAX, &r->frame, &err);
    if (rc < 0 && rc != ERR_NOTFOUND)
        service_fail(r->service, "%s: %s", code_of(r), err.text);
    return buf_slice(&r->frame);
}

static void carry_out_send(struct replica *r, const struct shard_send *send)
{
    struct slice bytes = buf_part(&r->fx.bytes, send->at, send->len);
    const struct link *l = r->links[send->member];
    if (l == NULL)
        return;
    if (send->log_until > 0)
        bytes = with_log(r, send, bytes);
    if (send->after > r->durable)
        hold(r, send, link_number(l), bytes);
    else
        send_bytes(r, link_number(l), bytes);
}

/* ---- effects ---- */

static void tell_leads(const struct replica *r, struct link *l)
{
    uint8_t body[10];
    body[0] = (uint8_t)(r->state >> 8);
    body[1] = (uint8_t)r->state;
    store_be64(body + 2, r->epoch);
    link_send(l, FRAME_LEADS, slice_of(body, sizeof body), slice_str(""));
}

/* Who has a vote for this state, or waits for somebody to take one, does not wait until he asks
 * again. */
static void tell_everybody(const struct replica *r)
{
    size_t at = 0;
    for (struct link *l; (l = links_next(r->service->links, &at)) != NULL;)
        tell_leads(r, l);
    cast_led(r->service, r->state, (int32_t)r->member, r->epoch);
}

static void tell_leadership(struct replica *r)
{
    bool leading = shard_leads(r->shard, &r->epoch);
    if (leading == r->leading)
        return;
    struct log_line line;
    r->leading = leading;
    r->leader_changes += leading;
    log_begin(&line, LOG_INFO, leading ? "leads" : "leads_no_more");
    log_text(&line, "state", code_of(r));
    log_int(&line, "epoch", (int64_t)r->epoch);
    log_end(&line);
    if (leading)
        tell_everybody(r);
}

/* ---- what nobody has ---- */

/* What is committed is neither here nor on a disk of whoever can be heard and had it. */
static bool is_out_of_reach(const struct replica *r)
{
    if (r->coordination == NULL || shard_is_current(r->shard))
        return false;
    const struct state_view *v = coordination_state(r->service->coordination, r->state);
    if (!v->known || v->commit.index == 0)
        return false;
    for (uint32_t m = 0; m < r->service->definition->replicas; m++) {
        if ((v->commit.holders >> m & 1) != 0 && (m == r->member || r->links[m] != NULL))
            return false;
    }
    return true;
}

static void tell_reach(const struct replica *r)
{
    const struct state_view *v = coordination_state(r->service->coordination, r->state);
    struct log_line line;
    log_begin(&line, r->out_of_reach ? LOG_ERROR : LOG_INFO,
              r->out_of_reach ? "out_of_reach" : "in_reach");
    log_text(&line, "state", code_of(r));
    for (uint32_t m = 0; r->out_of_reach && m < r->service->definition->replicas; m++) {
        if ((v->commit.holders >> m & 1) != 0)
            log_text(&line, "holder", v->members[m].server.name);
    }
    if (r->out_of_reach) {
        log_int(&line, "committed", (int64_t)v->commit.index);
        log_text(&line, "text", "nobody who can be heard has these votes: none are taken");
    }
    log_end(&line);
}

/* An alarm, but not of the moment in which servers find each other. */
static void look_at_reach(struct replica *r)
{
    int64_t now_ns = service_now_ns(r->service);
    if (!is_out_of_reach(r)) {
        r->out_of_reach_ns = 0;
    } else if (r->out_of_reach_ns == 0) {
        r->out_of_reach_ns = now_ns + second_ns;
    }
    bool out = r->out_of_reach_ns != 0 && now_ns >= r->out_of_reach_ns;
    if (r->out_of_reach_ns > now_ns && r->out_of_reach_ns < r->deadline_ns)
        r->deadline_ns = r->out_of_reach_ns;
    if (out == r->out_of_reach)
        return;
    r->out_of_reach = out;
    tell_reach(r);
}

static void drop_peers(struct replica *r)
{
    for (uint32_t m = 0; m < SHARD_MEMBERS_MAX; m++) {
        if ((r->fx.drop_peers >> m & 1) != 0 && r->links[m] != NULL)
            link_cut(r->links[m], "a replica says what cannot be");
    }
}

static void carry_out(struct replica *r)
{
    struct shard_effects *fx = &r->fx;
    struct service *s = r->service;
    if (fx->failed != NULL)
        service_fail(s, "%s: %s", code_of(r), fx->failed);
    for (size_t i = 0; i < fx->persist_count; i++) {
        const struct shard_persist *p = &fx->persists[i];
        disk_put(r->disk, p, buf_part(&fx->bytes, p->at, p->len));
    }
    for (size_t i = 0; i < fx->send_count; i++)
        carry_out_send(r, &fx->sends[i]);
    drop_peers(r);
    if (fx->coord.type != COORD_NOTHING && r->coordination != NULL) /* NULL: the end is near */
        coordination_shard_ask(r->coordination, &fx->coord);
    for (size_t i = 0; i < fx->answer_count; i++)
        cast_answered(s, 0, &fx->answers[i]);
    if (fx->admitted != ADMIT_NOTHING)
        loss_admitted(r, fx->admitted);
    r->deadline_ns = fx->deadline_ns;
    tell_leadership(r);
    look_at_reach(r);
    aside_look(r);
}

void replica_step(struct replica *r, struct shard_event *ev)
{
    if (r->shard == NULL)
        return;
    invariant(!r->stepping); /* nothing that is carried out leads back here */
    r->stepping = true;
    ev->now_ns = loop_now_ns(r->service->loop);
    ev->wall_ms = loop_wall_ms(r->service->loop);
    shard_step(r->shard, ev, &r->fx);
    carry_out(r);
    shard_effects_clear(&r->fx);
    r->stepping = false;
}

void replica_durable(struct replica *r, uint64_t ticket)
{
    struct shard_event ev = {.type = SHARD_DURABLE, .ticket = ticket};
    r->durable = ticket;
    send_held(r);
    replica_step(r, &ev);
}

void replica_flush(struct replica *r)
{
    struct err err = {""};
    if (votelog_flush(r->log, &err) < 0)
        service_fail(r->service, "%s: %s", code_of(r), err.text);
}

/* ---- the others ---- */

void replica_tell_hosts(const struct replica *r, struct link *l)
{
    uint8_t body[6];
    if (r->shard == NULL)
        return;
    body[0] = (uint8_t)(r->state >> 8);
    body[1] = (uint8_t)r->state;
    store_be32(body + 2, r->member);
    link_send(l, FRAME_HOSTS, slice_of(body, sizeof body), slice_str(""));
    if (r->leading)
        tell_leads(r, l);
}

static void peer_changed(struct replica *r, uint32_t member, struct link *l)
{
    struct shard_event ev = {.type = l != NULL ? SHARD_PEER_UP : SHARD_PEER_DOWN};
    ev.peer.member = member;
    r->links[member] = l;
    replica_step(r, &ev);
}

void replica_look_at_links(struct replica *r)
{
    for (uint32_t m = 0; r->shard != NULL && m < r->service->definition->replicas; m++) {
        if (m == r->member)
            continue;
        struct link *l = r->service->hosts[r->state][m];
        if (l == r->links[m])
            continue;
        if (r->links[m] != NULL)
            peer_changed(r, m, NULL);
        if (l != NULL)
            peer_changed(r, m, l);
    }
}

void replica_link_down(struct replica *r, const struct link *l)
{
    for (uint32_t m = 0; m < SHARD_MEMBERS_MAX; m++) {
        if (r->links[m] == l)
            peer_changed(r, m, NULL);
    }
}

void replica_message(struct replica *r, const struct link *l, struct slice bytes)
{
    for (uint32_t m = 0; m < SHARD_MEMBERS_MAX; m++) {
        if (r->links[m] != l)
            continue;
        struct shard_event ev = {.type = SHARD_PEER_MESSAGE};
        ev.peer.member = m;
        ev.peer.bytes = bytes;
        replica_step(r, &ev);
    }
}
