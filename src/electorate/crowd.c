#include "electorate/crowd.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    NS_PER_MS = 1000000,
    NS_PER_US = 1000,
    /* A pace that fell behind is caught up with for so long, not for ever. */
    ARREARS_NS_MAX = 100 * NS_PER_MS,
};
#define NONE UINT32_MAX

struct slot {
    uint64_t person;
    int64_t first_sent_ns;
    int64_t again_ns; /* while it waits for another attempt */
    uint32_t attempt;
    uint32_t next; /* in the free list, or in a queue of pauses */
    int32_t server;
    uint8_t part;
    uint8_t state; /* of its ballot, once that was sent */
};

/* Slots in the order in which their pauses end; all pauses of a queue are equally long. */
struct queue {
    uint32_t first, last;
};

struct crowd {
    struct crowd_options o;
    struct slot *slots;
    uint32_t free;
    uint32_t in_use;
    struct queue pauses[CROWD_PAUSES];
    uint64_t next_person;
    bool finishing;
    int64_t next_ns; /* of the pace; 0 = it has not begun */
    /* People who will vote again: a ring. */
    uint64_t *thoughts;
    uint64_t thoughts_room, thoughts_first, thoughts_count;
    struct crowd_counts counts;
};

struct crowd *crowd_create(const struct crowd_options *o)
{
    invariant(o->slots >= 1 && o->slots < NONE);
    struct crowd *c = mem_calloc(1, sizeof *c);
    c->o = *o;
    c->slots = mem_calloc(o->slots, sizeof *c->slots);
    for (uint32_t i = 0; i < o->slots; i++)
        c->slots[i].next = i + 1 < o->slots ? i + 1 : NONE;
    for (int i = 0; i < CROWD_PAUSES; i++)
        c->pauses[i] = (struct queue){NONE, NONE};
    /* All that are under way may turn out to be first thoughts. */
    c->thoughts_room = CROWD_SECOND_THOUGHTS + (uint64_t)o->slots;
    c->thoughts = mem_calloc(c->thoughts_room, sizeof *c->thoughts);
    return c;
}

void crowd_free(struct crowd *c)
{
    if (c == NULL)
        return;
    free(c->thoughts);
    free(c->slots);
    free(c);
}

/* ---- who is next ---- */

/* The pause that ends first; -1: nobody waits. */
static int first_pause(const struct crowd *c)
{
    int first = -1;
    for (int i = 0; i < CROWD_PAUSES; i++)
        if (c->pauses[i].first != NONE &&
            (first < 0 ||
             c->slots[c->pauses[i].first].again_ns < c->slots[c->pauses[first].first].again_ns))
            first = i;
    return first;
}

static uint32_t leave_queue(struct crowd *c, struct queue *q)
{
    uint32_t slot = q->first;
    q->first = c->slots[slot].next;
    if (q->first == NONE)
        q->last = NONE;
    return slot;
}

static bool nobody_new(const struct crowd *c)
{
    return c->finishing || (!c->o.plan->endless && c->next_person == c->o.plan->people);
}

static bool second_thought_is_due(const struct crowd *c)
{
    return c->thoughts_count > 0 && (nobody_new(c) || c->thoughts_count > CROWD_SECOND_THOUGHTS);
}

static uint32_t seat(struct crowd *c, uint64_t person, enum plan_part part, int64_t now_ns)
{
    uint32_t slot = c->free;
    struct slot *s = &c->slots[slot];
    c->free = s->next;
    c->in_use++;
    *s = (struct slot){.person = person,
                       .part = (uint8_t)part,
                       .first_sent_ns = now_ns,
                       .next = NONE,
                       .server = -1};
    return slot;
}

static uint32_t seat_second_thought(struct crowd *c, int64_t now_ns)
{
    uint64_t person = c->thoughts[c->thoughts_first];
    c->thoughts_first = (c->thoughts_first + 1) % c->thoughts_room;
    c->thoughts_count--;
    return seat(c, person, PLAN_LAST_WORD, now_ns);
}

static uint32_t seat_new_person(struct crowd *c, int64_t now_ns)
{
    uint64_t person = c->next_person++;
    bool twice = plan_votes_twice(c->o.plan, person);
    return seat(c, person, twice ? PLAN_FIRST_THOUGHT : PLAN_LAST_WORD, now_ns);
}

/* Whether the pace allows one more, which is then counted. What could not be sent in time is sent
 * as soon as it can be, in arrears; at the beginning nothing is. */
static bool keeps_pace(struct crowd *c, int64_t now_ns)
{
    if (c->o.rate <= 0)
        return true;
    if (c->next_ns == 0)
        c->next_ns = now_ns;
    if (c->next_ns > now_ns)
        return false;
    if (c->next_ns < now_ns - ARREARS_NS_MAX)
        c->next_ns = now_ns - ARREARS_NS_MAX;
    c->next_ns += (int64_t)(1e9 / c->o.rate);
    return true;
}

static enum crowd_next wait_for(const struct crowd *c, int pause, bool for_pace, int64_t *ret_ns)
{
    int64_t again_ns = pause >= 0 ? c->slots[c->pauses[pause].first].again_ns : INT64_MAX;
    if (for_pace && c->next_ns < again_ns)
        again_ns = c->next_ns;
    *ret_ns = again_ns;
    return again_ns < INT64_MAX ? CROWD_LATER : CROWD_BUSY;
}

enum crowd_next crowd_take(struct crowd *c, int64_t now_ns, struct errand *ret, int64_t *ret_ns)
{
    int pause = first_pause(c);
    uint32_t slot;
    if (pause >= 0 && c->slots[c->pauses[pause].first].again_ns <= now_ns) {
        slot = leave_queue(c, &c->pauses[pause]);
    } else if (c->free == NONE) {
        return wait_for(c, pause, false, ret_ns);
    } else if (nobody_new(c) && c->thoughts_count == 0) {
        return c->in_use == 0 ? CROWD_OVER : wait_for(c, pause, false, ret_ns);
    } else if (!keeps_pace(c, now_ns)) {
        return wait_for(c, pause, true, ret_ns);
    } else {
        slot =
            second_thought_is_due(c) ? seat_second_thought(c, now_ns) : seat_new_person(c, now_ns);
    }
    struct slot *s = &c->slots[slot];
    ret->slot = slot;
    ret->attempt = s->attempt;
    ret->not_there = s->server;
    plan_ballot(c->o.plan, s->person, s->part, &ret->ballot);
    s->state = (uint8_t)ret->ballot.state;
    if (c->o.pauses != NULL && s->attempt == 0)
        pauses_sent(c->o.pauses, s->state, now_ns);
    c->counts.sent++;
    return CROWD_BALLOT;
}

/* ---- what came of it ---- */

static bool asks_for_another_attempt(enum cast_outcome o)
{
    return o == CAST_BUSY || o == CAST_UNAVAILABLE || o == CAST_UNKNOWN;
}

static void pause_slot(struct crowd *c, uint32_t slot, int64_t now_ns)
{
    struct slot *s = &c->slots[slot];
    uint32_t pause = s->attempt < CROWD_PAUSES ? s->attempt : CROWD_PAUSES - 1;
    struct queue *q = &c->pauses[pause];
    s->attempt++;
    s->again_ns = now_ns + ((int64_t)CROWD_PAUSE_MS_MIN * NS_PER_MS << pause);
    s->next = NONE;
    if (q->last == NONE)
        q->first = slot;
    else
        c->slots[q->last].next = slot;
    q->last = slot;
}

static void remember_second_thought(struct crowd *c, uint64_t person)
{
    invariant(c->thoughts_count < c->thoughts_room);
    c->thoughts[(c->thoughts_first + c->thoughts_count) % c->thoughts_room] = person;
    c->thoughts_count++;
}

void crowd_answer(struct crowd *c, uint32_t slot, enum cast_outcome outcome, int32_t server,
                  int64_t now_ns)
{
    struct slot *s = &c->slots[slot];
    bool again = asks_for_another_attempt(outcome);
    s->server = server;
    if (again && now_ns - s->first_sent_ns < c->o.patience_ns) {
        c->counts.retries[outcome]++;
        pause_slot(c, slot, now_ns);
        return;
    }
    c->counts.answered++;
    c->counts.outcomes[outcome]++;
    c->counts.given_up += again;
    if (c->o.pauses != NULL)
        pauses_done(c->o.pauses, s->state, outcome == CAST_COMMITTED, now_ns);
    if (!again)
        summary_add(&c->counts.latency_us, (now_ns - s->first_sent_ns) / NS_PER_US);
    /* After a first ballot whose end nobody knows, a second might be counted before it. */
    if (s->part == PLAN_FIRST_THOUGHT && !again && !c->finishing)
        remember_second_thought(c, s->person);
    s->next = c->free;
    c->free = slot;
    c->in_use--;
}

void crowd_finish(struct crowd *c)
{
    c->finishing = true;
    c->thoughts_count = 0;
}

const struct crowd_counts *crowd_counts(const struct crowd *c)
{
    return &c->counts;
}

uint64_t crowd_under_way(const struct crowd *c)
{
    return c->in_use;
}
