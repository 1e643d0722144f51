/* results.c: counts, servers, commands, watches: what is known of them, for the doors. */
#include <stdlib.h>

#include "base/mem.h"
#include "election/service_internal.h"

enum {
    PACE_WATCHED_MS = 250, /* of reading other states' Commits while somebody looks */
};

static const struct nation_view no_nation;
static const struct state_view no_state;

static const struct nation_view *nation_of(const struct service *s)
{
    return s->coordination != NULL ? coordination_nation(s->coordination) : &no_nation;
}

static const struct state_view *state_of(const struct service *s, int state)
{
    return s->coordination != NULL ? coordination_state(s->coordination, state) : &no_state;
}

static const char *trouble_of(const struct service *s)
{
    const char *why = s->coordination != NULL ? coordination_trouble(s->coordination) : "";
    return why[0] != 0 ? why : "it was not read yet";
}

const char *service_member_name(const struct service *s, int state, int32_t member)
{
    if (member < 0 || member >= SHARD_MEMBERS_MAX)
        return NULL;
    const struct member *m = &state_of(s, state)->members[member];
    return m->known ? m->server.name : NULL;
}

/* ---- states ---- */

static bool is_live(const struct state_view *v, uint32_t member)
{
    for (size_t i = 0; i < v->live_count; i++) {
        if (v->live[i].member == member)
            return true;
    }
    return false;
}

static const char *leader_of(const struct service *s, int state, const struct state_view *v)
{
    for (size_t i = 0; i < v->live_count; i++) {
        if (v->live[i].member == v->commit.leader && v->live[i].seat == v->commit.seat) {
            const char *name = service_member_name(s, state, (int32_t)v->commit.leader);
            return name != NULL ? name : "";
        }
    }
    return "";
}

/* Commit may be of a round that had another definition: its cells are not ours. */
static bool is_of_our_ballot(const struct service *s, int state, const struct tally *t)
{
    const struct election_info *e = &s->definition->info;
    return t->candidates == e->candidate_count && t->districts == e->states[state].districts;
}

/* A state that has not begun the nation's round has no votes in it. */
static void fill(const struct service *s, int state, const struct nation_view *nation,
                 const struct state_view *v, struct state_result *ret)
{
    *ret = (struct state_result){.state = state, .leader = "", .why = ""};
    if (!nation->known || !v->known) {
        ret->why = trouble_of(s);
        return;
    }
    bool has_begun = nation->global.round != 0 && v->commit.round == nation->global.round;
    if (has_begun && !is_of_our_ballot(s, state, &v->commit.tally)) {
        ret->why = "its votes are of another definition of the election";
        return;
    }
    ret->known = true;
    ret->phase = nation->global.phase;
    ret->round = nation->global.round;
    ret->commit_version = v->commit_version;
    ret->commit_mtime_ms = v->commit_mtime_ms;
    ret->final = ret->phase == PHASE_CLOSED;
    ret->tally = &s->empty[state];
    if (!has_begun)
        return;
    ret->epoch = v->commit.epoch;
    ret->index = v->commit.index;
    ret->chain = v->commit.chain;
    ret->root = v->commit.root;
    ret->lost = commit_lost(&v->commit);
    ret->tally = &v->commit.tally;
    ret->leader = leader_of(s, state, v);
}

const struct state_result *service_peek(struct service *s, int state)
{
    struct state_result *result = &s->peeked[state];
    fill(s, state, nation_of(s), state_of(s, state), result);
    return result;
}

const struct global *service_peek_global(const struct service *s)
{
    return &nation_of(s)->global;
}

struct state_read {
    struct service *service;
    int state;
    state_result_fn *done;
    void *arg;
};

static void tell_state(void *arg)
{
    struct state_read *r = arg;
    r->done(r->arg, service_peek(r->service, r->state));
    free(r);
}

static void on_state_read(void *arg, int rc, const char *detail)
{
    struct state_read *r = arg;
    if (rc < 0) {
        struct state_result result = {.state = r->state, .leader = "", .why = detail};
        r->done(r->arg, &result);
        free(r);
        return;
    }
    tell_state(r);
}

void service_state(struct service *s, int state, bool linearizable, state_result_fn *done,
                   void *arg)
{
    struct state_read *r = mem_calloc(1, sizeof *r);
    *r = (struct state_read){s, state, done, arg};
    if (s->coordination != NULL && (linearizable || !state_of(s, state)->known))
        coordination_read(s->coordination, state, linearizable, on_state_read, r);
    else
        service_later(s, tell_state, r);
}

/* ---- the nation ---- */

/* A read serves whoever asked before it began: who asks while it is under way waits for the next.
 * So a thousand spectators cost what one does. */
struct nation_read {
    struct list at; /* service.nation.waiting, or of those that are being told */
    struct service *service;
    national_result_fn *done;
    void *arg;
};

static void sum(const struct service *s, const struct state_result *states, struct nation *ret)
{
    const struct election_info *info = &s->definition->info;
    struct state_count counts[STATES_MAX];
    for (uint32_t i = 0; i < info->state_count; i++) {
        counts[i] = (struct state_count){
            .tally = states[i].known ? states[i].tally : NULL,
            .electors = info->states[i].electors,
            .divided = info->states[i].divided,
            .final = states[i].final,
        };
    }
    nation_sum(ret, counts, info->state_count, info->candidate_count);
}

static void tell_nation(struct nation_read *r, int rc, const char *detail,
                        const struct national_result *result)
{
    r->done(r->arg, rc, detail, result);
    free(r);
}

static void no_nation_yet(void *arg)
{
    struct nation_read *r = arg;
    tell_nation(r, ERR_BUSY, trouble_of(r->service), NULL);
}

static void read_nation(struct service *s);

static void on_snapshot(void *arg, int rc, const char *detail,
                        const struct nation_snapshot *snapshot)
{
    struct service *s = arg;
    struct state_result states[STATES_MAX];
    struct national_result result = {.states = states};
    struct list *at;
    if (rc >= 0) {
        result.global = snapshot->nation.global;
        result.zxid = snapshot->zxid;
        for (uint32_t i = 0; i < s->definition->info.state_count; i++)
            fill(s, (int)i, &snapshot->nation, &snapshot->states[i], &states[i]);
        sum(s, states, &result.nation);
    }
    while ((at = list_take(&s->nation.reading)) != NULL)
        tell_nation(list_entry(at, struct nation_read, at), rc < 0 ? rc : 0, rc < 0 ? detail : "",
                    rc < 0 ? NULL : &result);
    s->nation.is_reading = false;
    read_nation(s);
}

/* For those who wait, if there are any and none is under way. */
static void read_nation(struct service *s)
{
    struct list *at;
    if (s->nation.is_reading || list_is_empty(&s->nation.waiting))
        return;
    bool can_read = s->coordination != NULL;
    while ((at = list_take(&s->nation.waiting)) != NULL) {
        if (can_read)
            list_append(&s->nation.reading, at);
        else
            service_later(s, no_nation_yet, list_entry(at, struct nation_read, at));
    }
    if (!can_read)
        return;
    s->nation.is_reading = true;
    coordination_snapshot(s->coordination, on_snapshot, s);
}

void service_nation(struct service *s, national_result_fn *done, void *arg)
{
    struct nation_read *r = mem_calloc(1, sizeof *r);
    r->service = s;
    r->done = done;
    r->arg = arg;
    list_append(&s->nation.waiting, &r->at);
    read_nation(s);
}

/* ---- watches ---- */

struct service_watch {
    struct service *service;
    struct list all;
    service_changed_fn *changed;
    void *arg;
    bool gone; /* unwatched while it is being told */
};

static void set_pace(struct service *s)
{
    bool watched = !list_is_empty(&s->watches);
    if (s->coordination != NULL)
        coordination_set_pace(s->coordination, watched ? PACE_WATCHED_MS : COORDINATION_PACE_MS);
}

struct service_watch *service_watch(struct service *s, service_changed_fn *changed, void *arg)
{
    struct service_watch *w = mem_calloc(1, sizeof *w);
    w->service = s;
    w->changed = changed;
    w->arg = arg;
    list_append(&s->watches, &w->all);
    set_pace(s);
    return w;
}

void service_unwatch(struct service_watch *w)
{
    struct service *s = w->service;
    if (s->telling) {
        w->gone = true;
        return;
    }
    list_remove(&w->all);
    free(w);
    set_pace(s);
}

static void forget_gone(struct service *s)
{
    for (struct list *at = s->watches.next, *next; at != &s->watches; at = next) {
        struct service_watch *w = list_entry(at, struct service_watch, all);
        next = at->next;
        if (w->gone)
            service_unwatch(w);
    }
}

void results_changed(struct service *s, int state, uint32_t changes)
{
    if ((changes & (COORDINATION_GLOBAL | COORDINATION_COMMIT | COORDINATION_LIVE)) == 0)
        return;
    s->telling = true;
    for (struct list *at = s->watches.next; at != &s->watches; at = at->next) {
        struct service_watch *w = list_entry(at, struct service_watch, all);
        if (!w->gone)
            w->changed(w->arg, state);
    }
    s->telling = false;
    forget_gone(s);
}

/* ---- commands ---- */

const char *command_outcome_name(enum command_outcome o)
{
    static const char *const names[] = {
#define COMMAND_OUTCOME_TEXT(name, text) [name] = text,
        COMMAND_OUTCOME_MAP(COMMAND_OUTCOME_TEXT)
#undef COMMAND_OUTCOME_TEXT
    };
    return names[o];
}

struct refused {
    command_done_fn *done;
    void *arg;
};

static void refuse_command(void *arg)
{
    struct refused *r = arg;
    struct command_reply reply = {.outcome = COMMAND_UNAVAILABLE,
                                  .detail = "this server has not begun, or ends"};
    r->done(r->arg, &reply);
    free(r);
}

void service_command(struct service *s, const struct command *command, command_done_fn *done,
                     void *arg)
{
    if (s->coordination != NULL && !s->closing) {
        coordination_command(s->coordination, command, done, arg);
        return;
    }
    struct refused *r = mem_calloc(1, sizeof *r);
    *r = (struct refused){done, arg};
    service_later(s, refuse_command, r);
}

/* ---- servers ---- */

static void add_own(const struct replica *r, struct replica_info *ret)
{
    struct shard_status status = shard_status(r->shard);
    ret->known = true;
    ret->leading = status.leading;
    ret->epoch = status.epoch;
    ret->last = status.last;
    ret->committed = status.committed;
    ret->counted = status.counted;
}

size_t service_replicas(const struct service *s, int state,
                        struct replica_info ret[SHARD_MEMBERS_MAX])
{
    const struct state_view *v = state_of(s, state);
    const struct replica *own = s->replicas[state];
    const char *leader = v->known ? leader_of(s, state, v) : "";
    size_t count = 0;
    for (uint32_t m = 0; m < s->definition->replicas; m++) {
        const struct server_identity *server = &v->members[m].server;
        if (!v->members[m].known)
            continue;
        struct replica_info *info = &ret[count++];
        *info = (struct replica_info){
            .member = m,
            .server = server->name,
            .rest = server->rest,
            .grpc = server->grpc,
            .live = is_live(v, m),
            .leading = leader[0] != 0 && strcmp(leader, server->name) == 0,
        };
        if (own != NULL && own->shard != NULL && own->member == m)
            add_own(own, info);
    }
    return count;
}
