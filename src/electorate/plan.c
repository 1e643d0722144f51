#include "electorate/plan.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/hash.h"

/* What is drawn from the seed; each its own stream. */
enum {
    DRAW_ORDER = 1,
    DRAW_VOTERS, /* + state */
    DRAW_TWICE = DRAW_VOTERS + STATES_MAX,
    DRAW_CHOICE,
    DRAW_REQUEST_LEFT,
    DRAW_REQUEST_RIGHT,
};

static uint64_t draw(const struct plan *p, uint64_t stream, uint64_t x)
{
    return hash_u64(x, hash_u64(stream, p->seed));
}

/* Once it is known who takes part. */
static int settle(struct plan *p, struct err *err)
{
    const struct election_info *e = p->election;
    for (uint32_t i = 0; i < e->state_count; i++) {
        struct plan_state *s = &p->states[i];
        s->first = p->people;
        if (!s->takes_part)
            continue;
        if (s->roll == 0)
            return err_set(err, ERR_INVALID, "%s has no roll by rule", e->states[i].names.code);
        if (s->total > s->roll)
            return err_set(err, ERR_INVALID,
                           "%s: %" PRIu64 " votes at this scale, and %" PRIu64
                           " voters on the roll (roll_scale in election.conf)",
                           e->states[i].names.code, s->total, s->roll);
        p->people += s->total;
        shuffle_init(&s->voters, s->roll, draw(p, DRAW_VOTERS + i, 0));
    }
    if (p->people == 0)
        return err_set(err, ERR_INVALID, "nobody votes");
    shuffle_init(&p->order, p->people, draw(p, DRAW_ORDER, 0));
    return 0;
}

int plan_of_returns(const struct election_info *e, const struct returns *r, struct scale scale,
                    uint64_t twice, uint64_t seed, struct plan *ret, struct err *err)
{
    *ret = (struct plan){.election = e, .seed = seed, .twice = twice};
    uint64_t totals[STATES_MAX] = {0}, scaled[STATES_MAX];
    for (uint32_t i = 0; i < e->state_count; i++)
        for (uint32_t c = 0; c < e->candidate_count; c++)
            totals[i] += r->votes[i][c];
    scale_share(totals, e->state_count, scale_round(scale, r->total), scaled);
    for (uint32_t i = 0; i < e->state_count; i++) {
        struct plan_state *s = &ret->states[i];
        *s = (struct plan_state){
            .takes_part = scaled[i] > 0, .roll = e->states[i].roll, .total = scaled[i]};
        scale_share(r->votes[i], e->candidate_count, scaled[i], s->votes);
    }
    return settle(ret, err);
}

int plan_of_load(const struct election_info *e, uint64_t states, uint64_t seed, struct plan *ret,
                 struct err *err)
{
    *ret = (struct plan){.election = e, .seed = seed, .endless = true};
    for (uint32_t i = 0; i < e->state_count; i++)
        if ((states >> i & 1) != 0)
            ret->states[i] = (struct plan_state){
                .takes_part = true, .roll = e->states[i].roll, .total = e->states[i].roll};
    return settle(ret, err);
}

bool plan_votes_twice(const struct plan *p, uint64_t person)
{
    return p->twice > 0 && draw(p, DRAW_TWICE, person) % p->twice == 0;
}

uint64_t plan_ballots(const struct plan *p)
{
    uint64_t ballots = p->people;
    for (uint64_t i = 0; p->twice > 0 && i < p->people; i++)
        ballots += plan_votes_twice(p, i);
    return ballots;
}

/* The state of whoever is the i-th when all stand in the order of states. */
static uint32_t state_of(const struct plan *p, uint64_t i)
{
    uint32_t low = 0, high = p->election->state_count;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (p->states[middle].first <= i)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Of those on the ballot, the one behind `c`, of which there may be no other. */
static uint16_t next_on_ballot(const struct plan *p, uint32_t state, uint16_t c)
{
    uint64_t on_ballot = p->election->states[state].on_ballot;
    uint16_t next = c;
    do
        next = (uint16_t)((next + 1u) % p->election->candidate_count);
    while (next != c && (on_ballot >> next & 1) == 0);
    return next;
}

static uint16_t choice_of_returns(const struct plan_state *s, uint64_t i)
{
    uint16_t c = 0;
    while (i >= s->votes[c])
        i -= s->votes[c++];
    return c;
}

void plan_ballot(const struct plan *p, uint64_t person, enum plan_part part, struct ballot *ret)
{
    uint64_t place = person % p->people;
    uint64_t i = shuffle_at(&p->order, place);
    uint32_t state = state_of(p, i);
    const struct plan_state *s = &p->states[state];
    i -= s->first;
    ret->state = state;
    ret->voter = shuffle_at(&s->voters, i) + 1;
    if (p->endless) {
        uint64_t drawn = draw(p, DRAW_CHOICE, person) % p->election->candidate_count;
        ret->candidate = next_on_ballot(p, state, (uint16_t)drawn);
    } else {
        ret->candidate = choice_of_returns(s, i);
        if (part == PLAN_FIRST_THOUGHT)
            ret->candidate = next_on_ballot(p, state, ret->candidate);
    }
    uint64_t name = person * 2 + (uint64_t)part;
    store_be64(ret->request.bytes, draw(p, DRAW_REQUEST_LEFT, name));
    store_be64(ret->request.bytes + 8, draw(p, DRAW_REQUEST_RIGHT, name));
}
