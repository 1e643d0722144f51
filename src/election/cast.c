/* cast.c: a vote's way to whoever leads its state, and its answer's back.
 *
 * An attempt is outstanding at one place at a time: the shard here, or another server. How it ends
 * decides what may follow:
 *   nothing was taken   it may be tried again, here or elsewhere, until the deadline
 *   nobody knows        (a link broke, a leader was deposed) it may be tried again if it has an id
 *                       by which the next leader knows it; what then says "not taken" is no answer
 *                       any more, as the first attempt may have been counted
 *   it is known         that is the answer */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "election/service_internal.h"

enum {
    CASTING_CHUNK = 1024,
    TIMEOUT_MS = 5000,
    TIMEOUT_MS_MAX = 60000,
    BACKOFF_MS = 10,
    BACKOFF_DOUBLINGS = 5,
    ELSEWHERE_MAX = 3,          /* tries at once, each where the one before said */
    LINK_BUSY_BYTES = 32 << 20, /* waiting: the other server does not keep up */
    RETRY_BUSY_MS = 200,
    RETRY_UNAVAILABLE_MS = 1000,
};

const char *cast_outcome_name(enum cast_outcome o)
{
    static const char *const names[] = {
#define CAST_OUTCOME_TEXT(name, text) [name] = text,
        CAST_OUTCOME_MAP(CAST_OUTCOME_TEXT)
#undef CAST_OUTCOME_TEXT
    };
    return names[o];
}

static const char *const details[CAST_OUTCOME_COUNT] = {
    [CAST_COMMITTED] = "the vote is counted",
    [CAST_DUPLICATE] = "the vote was counted before",
    [CAST_NOT_STARTED] = "Election not started",
    [CAST_CLOSING] = "the election is closing, no votes are taken",
    [CAST_CLOSED] = "the election is closed, the vote was not counted",
    [CAST_NO_STATE] = "state not found",
    [CAST_NO_VOTER] = "voter not found",
    [CAST_NO_CANDIDATE] = "nobody of that name is on this state's ballot",
    [CAST_INVALID] = "not a voter's id",
    [CAST_UNAUTHENTICATED] = "a valid credential is needed",
    [CAST_FORBIDDEN] = "the credential is somebody else's",
    [CAST_CONFLICT] = "the request id came with another choice before",
    [CAST_REVISION] = "the voter's revision is not the one before the expected",
    [CAST_TOO_MANY] = "the voter may not vote again",
    [CAST_BUSY] = "too many votes are under way, nothing was taken",
    [CAST_UNAVAILABLE] = "nobody leads this state now, nothing was taken",
    [CAST_UNKNOWN] = "the vote may have been counted, ask again with the same request id",
};

/* ---- the table ---- */

static struct casting *casting_at(const struct castings *t, uint32_t place)
{
    return place / CASTING_CHUNK < t->chunk_count
               ? &t->chunks[place / CASTING_CHUNK][place % CASTING_CHUNK]
               : NULL;
}

static struct casting *casting_of(const struct castings *t, uint64_t client)
{
    struct casting *c = casting_at(t, (uint32_t)client);
    return c != NULL && c->used && c->ballot.client == client ? c : NULL;
}

static void add_chunk(struct castings *t)
{
    struct casting *chunk = mem_calloc(CASTING_CHUNK, sizeof *chunk);
    t->chunks = mem_realloc(t->chunks, (t->chunk_count + 1) * sizeof(struct casting *));
    for (uint32_t i = 0; i < CASTING_CHUNK; i++) {
        chunk[i].place = (uint32_t)t->chunk_count * CASTING_CHUNK + i;
        list_append(&t->free, &chunk[i].at);
    }
    t->chunks[t->chunk_count++] = chunk;
}

static struct casting *new_casting(struct service *s, int state, int64_t timeout_ms)
{
    struct castings *t = &s->castings;
    if (list_is_empty(&t->free))
        add_chunk(t);
    struct casting *c = list_entry(list_take(&t->free), struct casting, at);
    t->used++;
    uint32_t place = c->place, generation = c->generation + 1;
    if (timeout_ms <= 0)
        timeout_ms = TIMEOUT_MS;
    if (timeout_ms > TIMEOUT_MS_MAX)
        timeout_ms = TIMEOUT_MS_MAX;
    *c = (struct casting){
        .place = place,
        .generation = generation,
        .used = true,
        .state = state,
        .begun_ns = service_now_ns(s),
        .leader = -1,
    };
    list_init(&c->at);
    c->deadline_ns = c->begun_ns + timeout_ms * 1000000;
    c->ballot.client = (uint64_t)generation << 32 | place;
    return c;
}

static void free_casting(struct service *s, struct casting *c)
{
    struct castings *t = &s->castings;
    c->used = false;
    t->used--;
    list_remove(&c->at);
    /* In front: the one that is still in the cache. */
    c->at.next = t->free.next;
    c->at.prev = &t->free;
    t->free.next->prev = &c->at;
    t->free.next = &c->at;
}

void castings_init(struct service *s)
{
    struct castings *t = &s->castings;
    list_init(&t->free);
    list_init(&t->again);
    list_init(&t->finished);
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        list_init(&t->wheel[i]);
    for (size_t i = 0; i < STATES_MAX; i++)
        t->route[i] = -1;
    t->random = s->life;
    t->tick = service_now_ns(s) / WHEEL_SLOT_NS;
}

void castings_deinit(struct service *s)
{
    for (size_t i = 0; i < s->castings.chunk_count; i++)
        free(s->castings.chunks[i]);
    free(s->castings.chunks);
}

/* ---- the wheel: when something is to be done about each ---- */

static void sleep_until(struct service *s, struct casting *c, int64_t at_ns)
{
    struct castings *t = &s->castings;
    c->wake_ns = at_ns < c->deadline_ns ? at_ns : c->deadline_ns;
    int64_t tick = c->wake_ns / WHEEL_SLOT_NS + 1;
    if (tick <= t->tick)
        tick = t->tick + 1;
    if (tick - t->tick >= WHEEL_SLOTS) /* it is looked at again on the way */
        tick = t->tick + WHEEL_SLOTS - 1;
    list_append(&t->wheel[tick % WHEEL_SLOTS], &c->at);
    t->waiting++;
    c->asleep = true;
}

static void wake(struct service *s, struct casting *c)
{
    list_remove(&c->at);
    s->castings.waiting--;
    c->asleep = false;
}

/* ---- the end of one ---- */

static void finish(struct service *s, struct casting *c, enum cast_outcome outcome)
{
    c->outcome = outcome;
    list_append(&s->castings.finished, &c->at);
}

static void measure(struct service *s, const struct casting *c)
{
    struct castings *t = &s->castings;
    uint64_t took_ns = (uint64_t)(service_now_ns(s) - c->begun_ns);
    uint64_t bucket = 0;
    t->outcomes[c->outcome]++;
    if (c->outcome != CAST_COMMITTED)
        return;
    for (uint64_t limit_ns = 100000; bucket + 1 < CAST_BUCKETS && took_ns > limit_ns; limit_ns *= 2)
        bucket++;
    t->latency[bucket]++;
    t->latency_ns_sum += took_ns;
}

static void deliver(struct service *s, struct casting *c)
{
    if (c->from_link != 0) {
        struct answer a = {c->from_id, c->answer, c->leader, c->receipt};
        struct link *l = links_numbered(s->links, c->from_link);
        if (l != NULL)
            cast_send_answer(l, c->from_id, &a);
        free_casting(s, c);
        return;
    }
    measure(s, c);
    struct cast_reply reply = {
        .outcome = c->outcome,
        .state = c->state,
        .receipt = c->receipt,
        .retry_after_ms = c->outcome == CAST_BUSY          ? RETRY_BUSY_MS
                          : c->outcome == CAST_UNAVAILABLE ? RETRY_UNAVAILABLE_MS
                                                           : 0,
        .detail = details[c->outcome],
    };
    cast_done_fn *done = c->done;
    void *arg = c->arg;
    free_casting(s, c);
    done(arg, &reply);
}

/* ---- attempts ---- */

/* Nothing was taken: again later, a little longer after each time. */
static void back_off(struct service *s, struct casting *c)
{
    uint32_t doubled = c->tries < BACKOFF_DOUBLINGS ? c->tries : BACKOFF_DOUBLINGS;
    uint64_t ms = (uint64_t)BACKOFF_MS << doubled;
    s->castings.random = hash_u64(s->castings.random, c->place);
    ms = ms / 2 + s->castings.random % ms;
    c->tries++;
    s->castings.retried++;
    sleep_until(s, c, service_now_ns(s) + (int64_t)ms * 1000000);
}

/* What says that nothing was taken is an answer if nothing was tried before. */
static void later_or(struct service *s, struct casting *c, enum cast_outcome outcome)
{
    if (c->maybe)
        back_off(s, c);
    else
        finish(s, c, outcome);
}

/* The member's server that is to have it: whoever is said to lead, or else everybody in turn. */
static struct link *where_to(const struct service *s, const struct casting *c)
{
    uint32_t members = s->definition->replicas;
    struct link *const *hosts = s->hosts[c->state];
    int32_t route = c->leader >= 0 ? c->leader : s->castings.route[c->state];
    if (route >= 0 && hosts[route] != NULL)
        return hosts[route];
    for (uint32_t i = 0; i < members; i++) {
        uint32_t m = (c->place + c->tries + i) % members;
        if (hosts[m] != NULL)
            return hosts[m];
    }
    return NULL;
}

static void send_attempt(struct service *s, struct casting *c)
{
    struct link *l = where_to(s, c);
    if (l == NULL) {
        back_off(s, c);
    } else if (link_unsent(l) > LINK_BUSY_BYTES) {
        later_or(s, c, CAST_BUSY);
    } else {
        c->outstanding = true;
        c->to_link = link_number(l);
        s->castings.forwarded++;
        sleep_until(s, c, INT64_MAX);
        cast_send(s, l, c);
    }
}

/* A leader elsewhere is asked at once; what is not led at all, or is closed, is asked here. */
static void attempt(struct service *s, struct casting *c)
{
    struct replica *r = s->replicas[c->state];
    bool is_here = r != NULL && r->shard != NULL && r->coordination != NULL;
    if (!is_here || (c->leader >= 0 && c->from_link == 0)) {
        if (c->from_link == 0) {
            send_attempt(s, c);
            return;
        }
        c->answer = ANSWER_UNAVAILABLE;
        finish(s, c, CAST_UNAVAILABLE);
        return;
    }
    struct shard_event ev = {.type = SHARD_CAST, .more = true, .cast = c->ballot};
    c->outstanding = true;
    c->to_link = 0;
    sleep_until(s, c, INT64_MAX);
    replica_step(r, &ev);
}

/* From the shard's point of view nobody waits any more; its answer will find nobody. */
static void expire(struct service *s, struct casting *c)
{
    bool unknown = c->outstanding || c->maybe;
    c->outstanding = false; /* an answer that comes before this one is delivered is too late */
    if (c->from_link != 0)  /* who asked has his own clock, which is not behind */
        free_casting(s, c);
    else if (unknown)
        finish(s, c, CAST_UNKNOWN);
    else
        finish(s, c, CAST_UNAVAILABLE);
}

/* ---- what an attempt came to ---- */

static bool is_named(const struct casting *c)
{
    static const struct request_id none;
    return memcmp(&c->ballot.request, &none, sizeof none) != 0;
}

static const struct {
    enum cast_outcome outcome;
    bool is_final; /* whatever was tried before */
} outcomes[] = {
    [ANSWER_COMMITTED] = {CAST_COMMITTED, true},
    [ANSWER_DUPLICATE] = {CAST_DUPLICATE, true},
    [ANSWER_NOT_STARTED] = {CAST_NOT_STARTED, false},
    [ANSWER_CLOSING] = {CAST_CLOSING, false},
    [ANSWER_CLOSED] = {CAST_CLOSED, true},
    [ANSWER_NO_VOTER] = {CAST_NO_VOTER, true},
    [ANSWER_NO_CANDIDATE] = {CAST_NO_CANDIDATE, true},
    [ANSWER_CONFLICT] = {CAST_CONFLICT, true},
    [ANSWER_REVISION] = {CAST_REVISION, false},
    [ANSWER_TOO_MANY] = {CAST_TOO_MANY, false},
    [ANSWER_BUSY] = {CAST_BUSY, false},
    [ANSWER_NOT_LEADER] = {CAST_UNAVAILABLE, false},
    [ANSWER_UNAVAILABLE] = {CAST_UNAVAILABLE, false},
    [ANSWER_UNKNOWN_RETRY] = {CAST_UNKNOWN, false},
    [ANSWER_ROUND_OVER] = {CAST_CLOSED, false},
};

static void nobody_knows(struct service *s, struct casting *c)
{
    c->maybe = true;
    c->leader = -1;
    if (is_named(c))
        back_off(s, c);
    else
        finish(s, c, CAST_UNKNOWN);
}

/* Somebody else leads: who, is tried at once, but not for ever, as two may point at each other. */
static void not_leader(struct service *s, struct casting *c, int32_t leader)
{
    bool elsewhere = leader >= 0 && leader < (int32_t)s->definition->replicas &&
                     s->hosts[c->state][leader] != NULL;
    c->leader = elsewhere ? leader : -1;
    s->castings.route[c->state] = c->leader;
    if (elsewhere && c->tries < ELSEWHERE_MAX) {
        c->tries++;
        list_append(&s->castings.again, &c->at);
    } else {
        back_off(s, c);
    }
}

static void conclude(struct service *s, struct casting *c, const struct answer *a)
{
    c->answer = a->type;
    c->receipt = a->receipt;
    if (c->from_link != 0) { /* the other server decides */
        c->leader = a->leader;
        finish(s, c, outcomes[a->type].outcome);
        return;
    }
    switch (a->type) {
    case ANSWER_NOT_LEADER:
        not_leader(s, c, a->leader);
        return;
    case ANSWER_UNAVAILABLE:
        c->leader = -1;
        back_off(s, c);
        return;
    case ANSWER_UNKNOWN_RETRY:
        nobody_knows(s, c);
        return;
    case ANSWER_ROUND_OVER:
        c->receipt.round = c->ballot.round;
        if (c->maybe) /* counted in its round, or not at all */
            finish(s, c, CAST_UNKNOWN);
        else if (service_peek_global(s)->round > c->ballot.round)
            finish(s, c, CAST_CLOSED);
        else
            back_off(s, c); /* we have not heard of the later round: who are we to tell */
        return;
    default:
        if (outcomes[a->type].is_final)
            finish(s, c, outcomes[a->type].outcome);
        else
            later_or(s, c, outcomes[a->type].outcome);
        return;
    }
}

void cast_answered(struct service *s, uint64_t link, const struct answer *a)
{
    struct casting *c = casting_of(&s->castings, a->client);
    if (c == NULL || !c->outstanding || c->to_link != link)
        return; /* it has given up waiting */
    wake(s, c);
    c->outstanding = false;
    conclude(s, c, a);
}

void cast_link_down(struct service *s, uint64_t link)
{
    struct castings *t = &s->castings;
    for (uint32_t i = 0; i < t->chunk_count * CASTING_CHUNK; i++) {
        struct casting *c = casting_at(t, i);
        if (!c->used || !c->outstanding || c->to_link != link || link == 0)
            continue;
        wake(s, c);
        c->outstanding = false;
        nobody_knows(s, c);
    }
}

/* ---- a leader is known ---- */

static void led(struct service *s, int state, int32_t member)
{
    s->castings.route[state] = member;
    s->castings.news |= UINT64_C(1) << state;
    loop_again(s->loop);
}

void cast_led(struct service *s, int state, int32_t member, uint64_t epoch)
{
    if (epoch <= s->castings.led_epoch[state] || epoch > UINT32_MAX)
        return;
    s->castings.led_epoch[state] = epoch;
    led(s, state, member);
}

/* Heard once more, as until our own replica has read it, it names the one before. */
void cast_commit(struct service *s, int state, int32_t member, uint64_t epoch)
{
    if (epoch <= s->castings.commit_epoch[state])
        return;
    s->castings.commit_epoch[state] = epoch;
    if (epoch >= s->castings.led_epoch[state] && member < (int32_t)s->definition->replicas)
        led(s, state, member);
}

static void hear_of_leader(struct service *s, struct casting *c, const struct link *leader)
{
    if (c->outstanding && c->to_link != 0 &&
        (leader == NULL || c->to_link != link_number(leader))) {
        wake(s, c);
        c->outstanding = false;
        nobody_knows(s, c);
    }
    if (c->outstanding || !c->asleep)
        return;
    wake(s, c);
    c->leader = leader != NULL ? s->castings.route[c->state] : -1;
    list_append(&s->castings.again, &c->at);
}

/* All at once: there are states by the dozen, and many votes under way. */
static void hear_news(struct service *s)
{
    struct castings *t = &s->castings;
    uint64_t news = t->news;
    t->news = 0;
    for (uint32_t i = 0; news != 0 && i < t->chunk_count * CASTING_CHUNK; i++) {
        struct casting *c = casting_at(t, i);
        if (!c->used || c->state < 0 || (news >> c->state & 1) == 0)
            continue;
        int32_t route = t->route[c->state];
        hear_of_leader(s, c, route >= 0 ? s->hosts[c->state][route] : NULL);
    }
}

void cast_hurry(struct service *s, int64_t deadline_ns)
{
    struct castings *t = &s->castings;
    for (uint32_t i = 0; i < t->chunk_count * CASTING_CHUNK; i++) {
        struct casting *c = casting_at(t, i);
        if (!c->used || c->deadline_ns <= deadline_ns)
            continue;
        c->deadline_ns = deadline_ns;
        if (!c->asleep)
            continue;
        wake(s, c);
        sleep_until(s, c, c->wake_ns);
    }
}

/* ---- beginning ---- */

static void try_now(struct service *s, struct casting *c)
{
    if (s->closing || s->castings.used > CASTINGS_MAX) {
        c->answer = s->closing ? ANSWER_UNAVAILABLE : ANSWER_BUSY;
        finish(s, c, s->closing ? CAST_UNAVAILABLE : CAST_BUSY);
    } else {
        attempt(s, c);
    }
}

void cast_forwarded(struct service *s, struct link *from, uint64_t id, int state,
                    const struct ballot *ballot, int64_t timeout_ms)
{
    struct casting *c = new_casting(s, state, timeout_ms);
    uint64_t client = c->ballot.client;
    c->ballot = *ballot;
    c->ballot.client = client;
    c->from_link = link_number(from);
    c->from_id = id;
    try_now(s, c);
}

static enum cast_outcome read_request(struct service *s, struct casting *c,
                                      const struct cast_request *q)
{
    const struct definition *d = s->definition;
    if (c->state < 0)
        return CAST_NO_STATE;
    if (!roll_id_is_valid(q->voter))
        return s->options.auth == SERVICE_AUTH_NONE ? CAST_INVALID : CAST_UNAUTHENTICATED;
    enum cast_outcome allowed = voter_check(s, c->state, q->voter, q->credential);
    if (allowed != CAST_COMMITTED)
        return allowed;
    int candidate = definition_find_candidate(d, q->candidate);
    if (candidate < 0 || (d->states[c->state].on_ballot >> candidate & 1) == 0)
        return CAST_NO_CANDIDATE;
    c->ballot.voter = roll_pseudonym(&s->pseudonyms[c->state], q->voter);
    c->ballot.candidate = (uint16_t)candidate;
    c->ballot.request = q->request;
    /* However long it is tried, it is not to be counted in a later round. */
    c->ballot.round = service_peek_global(s)->round;
    /* Nobody's revision is beyond 255, so that a greater one is never the expected. */
    c->ballot.expect_revision = q->expect_revision > 255 ? 255 : (uint8_t)q->expect_revision;
    return CAST_COMMITTED;
}

void service_cast(struct service *s, const struct cast_request *request, cast_done_fn *done,
                  void *arg)
{
    int state = definition_find_state(s->definition, request->state);
    struct casting *c = new_casting(s, state, request->timeout_ms);
    c->done = done;
    c->arg = arg;
    enum cast_outcome read = read_request(s, c, request);
    if (read != CAST_COMMITTED)
        finish(s, c, read);
    else
        try_now(s, c);
}

/* ---- turns ---- */

static void take_all(struct list *from, struct list *to)
{
    list_init(to);
    while (!list_is_empty(from))
        list_append(to, list_take(from));
}

static void turn_wheel(struct service *s)
{
    struct castings *t = &s->castings;
    int64_t now_ns = service_now_ns(s), now = now_ns / WHEEL_SLOT_NS;
    /* Each slot once: what is put back meanwhile is put where the present finds it. */
    if (now - t->tick > WHEEL_SLOTS)
        t->tick = now - WHEEL_SLOTS;
    while (t->tick < now && t->waiting > 0) {
        struct list due;
        t->tick++;
        take_all(&t->wheel[t->tick % WHEEL_SLOTS], &due);
        while (!list_is_empty(&due)) {
            struct casting *c = list_entry(list_take(&due), struct casting, at);
            wake(s, c);
            if (c->wake_ns > now_ns)
                sleep_until(s, c, c->wake_ns);
            else if (now_ns >= c->deadline_ns)
                expire(s, c);
            else
                attempt(s, c);
        }
    }
    t->tick = now;
}

void cast_turn(struct service *s)
{
    struct list now;
    turn_wheel(s);
    hear_news(s);
    take_all(&s->castings.again, &now);
    while (!list_is_empty(&now))
        attempt(s, list_entry(list_take(&now), struct casting, at));
    take_all(&s->castings.finished, &now);
    while (!list_is_empty(&now))
        deliver(s, list_entry(list_take(&now), struct casting, at));
}

bool cast_has_more(const struct service *s)
{
    return !list_is_empty(&s->castings.again) || !list_is_empty(&s->castings.finished);
}

int64_t cast_deadline(const struct service *s)
{
    return s->castings.waiting > 0 ? (s->castings.tick + 1) * WHEEL_SLOT_NS : INT64_MAX;
}
