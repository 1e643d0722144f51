#include "election/balance.h"

#include "election/service_internal.h"
#include "io/log.h"

enum {
    HAND_BACK_MS = 10000,
    HAND_BACK_DOUBLINGS = 6, /* 10 s, ..., 640 s */
    LOOK_MS = 20,            /* changes that come together are looked at together */
    LOOK_AGAIN_MS = 1000,    /* while somebody does not stand where he should */
    BETWEEN_MS = 100,        /* two that give way while votes are taken */
    HANDED_MS = 5000,        /* for the next leader of a state to be seen */
};

static int64_t ms_ns(int64_t ms)
{
    return ms * 1000000;
}

void balance_init(struct service *s)
{
    s->balance.handed = -1;
    s->balance.at_ns = s->options.hand_back_ms < 0 ? INT64_MAX : 0;
    s->balance.hand_back_ns =
        ms_ns(s->options.hand_back_ms > 0 ? s->options.hand_back_ms : HAND_BACK_MS);
}

void balance_changed(struct service *s)
{
    int64_t at_ns = service_now_ns(s) + ms_ns(LOOK_MS);
    if (s->options.hand_back_ms >= 0 && at_ns < s->balance.at_ns)
        s->balance.at_ns = at_ns;
}

int64_t balance_deadline(const struct service *s)
{
    return s->balance.at_ns;
}

static void deal(const struct service *s, int32_t ret[STATES_MAX])
{
    struct member_names names[STATES_MAX] = {0};
    for (uint32_t i = 0; i < s->definition->info.state_count; i++) {
        for (uint32_t m = 0; m < s->definition->replicas; m++)
            names[i].name[m] = service_member_name(s, (int)i, (int32_t)m);
    }
    balance_deal(names, s->definition->info.state_count, ret);
}

/* 0: it does not stand in line. */
static uint64_t seat_of(const struct state_view *v, int32_t member)
{
    for (size_t i = 0; i < v->live_count; i++) {
        if ((int32_t)v->live[i].member == member)
            return v->live[i].seat;
    }
    return 0;
}

/* Since when that member has stood there. */
static int64_t in_line_since(struct replica *r, uint64_t seat, int32_t member, int64_t now_ns)
{
    if (seat != r->preferred_seat || member != r->preferred) {
        r->preferred = member;
        r->preferred_seat = seat;
        r->preferred_since_ns = now_ns;
    }
    return r->preferred_since_ns;
}

/* A state that was left to another leads has one. */
static bool was_taken(const struct service *s, int64_t now_ns)
{
    return s->balance.handed < 0 || now_ns >= s->balance.handed_until_ns ||
           coordination_state(s->coordination, s->balance.handed)->commit.epoch >
               s->balance.handed_epoch;
}

static void give_way(struct replica *r, int32_t to, bool votes)
{
    struct service *s = r->service;
    struct shard_event ev = {.type = SHARD_YIELD, .yield_to = (uint32_t)to};
    if (votes && r->leading) {
        struct log_line line;
        log_begin(&line, LOG_INFO, "hands_back");
        log_text(&line, "state", s->definition->info.states[r->state].names.code);
        log_text(&line, "to", service_member_name(s, r->state, to));
        log_end(&line);
        s->balance.handed = r->state;
        s->balance.handed_epoch = r->epoch;
        s->balance.handed_until_ns = service_now_ns(s) + ms_ns(HANDED_MS);
        r->hand_backs += r->hand_backs < HAND_BACK_DOUBLINGS;
        r->preferred_since_ns = service_now_ns(s); /* if nothing comes of it, it waits anew */
    }
    replica_step(r, &ev);
}

/* When it may be asked to give way; INT64_MAX: not as things are. */
static int64_t due(struct replica *r, int32_t preferred, bool votes, int64_t now_ns)
{
    struct service *s = r->service;
    const struct state_view *v = coordination_state(s->coordination, r->state);
    uint64_t own = seat_of(v, (int32_t)r->member), other = seat_of(v, preferred);
    int64_t since_ns = in_line_since(r, other, preferred, now_ns);
    if (own == 0 || other <= own)
        return INT64_MAX;
    if (!shard_may_yield(r->shard, (uint32_t)preferred))
        return now_ns + ms_ns(LOOK_AGAIN_MS);
    if (votes)
        return since_ns + (s->balance.hand_back_ns << r->hand_backs);
    return v->live_count > s->definition->copies_min ? now_ns : INT64_MAX;
}

void balance_turn(struct service *s)
{
    int64_t now_ns = service_now_ns(s);
    if (now_ns < s->balance.at_ns)
        return;
    s->balance.at_ns = INT64_MAX;
    if (s->closing || !s->coordination_ready)
        return;
    int32_t preferred[STATES_MAX];
    int64_t next_ns = INT64_MAX;
    bool votes = coordination_nation(s->coordination)->global.phase == PHASE_OPEN;
    deal(s, preferred);
    for (uint32_t i = 0; i < s->definition->info.state_count; i++) {
        struct replica *r = s->replicas[i];
        if (r == NULL || r->shard == NULL)
            continue;
        int64_t at_ns = due(r, preferred[i], votes, now_ns);
        if (at_ns <= now_ns) {
            bool now = !votes || (now_ns >= s->balance.between_ns && was_taken(s, now_ns));
            if (now)
                give_way(r, preferred[i], votes);
            if (now && votes)
                s->balance.between_ns = now_ns + ms_ns(BETWEEN_MS);
            at_ns = now_ns + ms_ns(votes ? BETWEEN_MS : LOOK_AGAIN_MS);
        }
        next_ns = at_ns < next_ns ? at_ns : next_ns;
    }
    s->balance.at_ns = next_ns;
}
