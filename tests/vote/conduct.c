/* conduct.c: start and stop of the nation (vote/conduct.h), tried out.
 *
 *   caucus_vote_conduct explore DEPTH [PLANT]     every order of actions, so deep
 *   caucus_vote_conduct seeds FIRST COUNT [PLANT] long runs drawn by seeds
 *
 * A small world: the node of the nation, the records of commands, the Commits and seals of two
 * states whose replicas do what shards do, and conductors at three servers, of which two have been
 * sent the same command. A conductor reads the nation and the states at two moments, its writes
 * happen later or never, it may end at any time and be asked again, and time goes as it likes. What
 * is judged after each action stands in `judge` and `apply`.
 *
 * PLANT leaves a rule out; a violation is then what is expected:
 *   no-condition   writes do not ask for the version      no-record   records are not made
 *   blind-seals    every state seems to be sealed */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "vote/conduct.h"

enum {
    STATES = 2,
    CONDUCTORS = 3,
    COMMANDS = 8,
    FLYING_MAX = 4,
    ROUNDS_MAX = 8,
    TIME_STEP_NS = 1000000,
    DRAIN_MS = 2,
};

enum plant {
    PLANT_NOTHING,
    PLANT_NO_CONDITION,
    PLANT_NO_RECORD,
    PLANT_BLIND_SEALS,
};
static enum plant plant;

struct shard {
    uint64_t round, index;
    bool sealed;
    uint32_t live;
    uint8_t has_seal[ROUNDS_MAX];
    uint64_t seal_index[ROUNDS_MAX];
};

/* A write that left a conductor. */
struct flight {
    bool used, seals;
    uint8_t by;
    uint32_t state;
    uint64_t version, round, index;
    struct global next;
    bool has_record;
    uint8_t command;
    struct command_record record;
};

enum stage {
    STAGE_REST,
    STAGE_NATION_READ,
    STAGE_READ,
    STAGE_ANSWERED,
};

struct conductor {
    uint8_t stage, command; /* COMMANDS: none, it goes on with what others began */
    uint8_t answered;       /* enum conduct_type */
    bool flying;
    struct conduct conduct;
    struct conduct_view view;
    struct conduct_state states[STATES];
    uint64_t index[STATES];
};

struct world {
    struct global global;
    uint64_t version;
    int64_t now_ns;
    bool has_record[COMMANDS];
    struct command_record records[COMMANDS];
    uint8_t transitions[COMMANDS];
    uint8_t opened[ROUNDS_MAX], closed[ROUNDS_MAX];
    struct shard shards[STATES];
    struct conductor conductors[CONDUCTORS];
    struct flight flights[FLYING_MAX];
};

static const char *violation;

static void blame(const char *what)
{
    if (violation == NULL)
        violation = what;
}

/* ---- the commands ---- */

static struct conduct_command command_of(uint8_t number)
{
    struct conduct_command c = {.start = number % 2 == 0, .drain_ms = DRAIN_MS};
    c.id[0] = (uint8_t)(number + 1);
    c.force = number % 4 == 2;
    c.now = number % 4 == 3;
    return c;
}

static void begin(struct conductor *c, uint8_t command)
{
    memset(c, 0, sizeof *c);
    c->command = command;
    c->conduct.copies_min = 1;
    c->conduct.seal_wait_ns = TIME_STEP_NS;
    c->conduct.has_command = command < COMMANDS;
    if (command < COMMANDS)
        c->conduct.command = command_of(command);
}

/* ---- writes ---- */

static void judge_opening(const struct world *w, const struct flight *f)
{
    uint64_t before = w->global.round;
    bool forced = f->command < COMMANDS && command_of(f->command).force;
    for (int i = 0; i < STATES && before > 0; i++) {
        const struct shard *s = &w->shards[i];
        bool sealed = s->has_seal[before];
        if (s->round == before && s->index > 0 && !sealed)
            blame("a round was opened over votes without a seal");
        if (!sealed && !forced)
            blame("a round was opened without a seal");
    }
}

static void judge_transition(struct world *w, const struct flight *f)
{
    const struct global *old = &w->global, *next = &f->next;
    if (next->phase == PHASE_OPEN) {
        if (next->round != old->round + 1 ||
            (old->phase != PHASE_IDLE && old->phase != PHASE_CLOSED))
            blame("rounds do not rise by one");
        if (w->opened[next->round]++ != 0)
            blame("a round was opened twice");
        judge_opening(w, f);
        return;
    }
    if (next->round != old->round || next->phase < old->phase || old->phase == PHASE_CLOSED)
        blame("a phase went back");
    if (next->phase == PHASE_CLOSED && w->closed[next->round]++ != 0)
        blame("a round was cut twice");
}

static void apply_seal(struct world *w, const struct flight *f)
{
    struct shard *s = &w->shards[f->state];
    if (s->has_seal[f->round])
        return;
    s->has_seal[f->round] = 1;
    s->seal_index[f->round] = f->index;
    if (s->round != f->round || s->index != f->index)
        blame("a seal is not what was counted");
}

static void apply(struct world *w, const struct flight *f)
{
    if (f->seals) {
        apply_seal(w, f);
        return;
    }
    if (plant != PLANT_NO_CONDITION && f->version != w->version)
        return;
    bool records = f->has_record && plant != PLANT_NO_RECORD;
    if (records && w->has_record[f->command])
        return;
    if (f->next.round >= ROUNDS_MAX)
        return;
    judge_transition(w, f);
    if (f->has_record && ++w->transitions[f->command] > 1)
        blame("a command was carried out twice");
    if (records) {
        w->has_record[f->command] = true;
        w->records[f->command] = f->record;
    }
    w->global = f->next;
    w->version++;
}

/* ---- conductors ---- */

static void read_nation(const struct world *w, struct conductor *c)
{
    c->view.global = w->global;
    c->view.version = w->version;
    if (c->command < COMMANDS) {
        c->view.has_record = w->has_record[c->command];
        c->view.record = w->records[c->command];
    }
    c->stage = STAGE_NATION_READ;
}

static void read_states(const struct world *w, struct conductor *c)
{
    for (int i = 0; i < STATES; i++) {
        const struct shard *s = &w->shards[i];
        c->states[i] = (struct conduct_state){.round = s->round,
                                              .sealed = s->sealed,
                                              .has_seal = s->has_seal[c->view.global.round] ||
                                                          plant == PLANT_BLIND_SEALS,
                                              .live = s->live};
        c->index[i] = s->index;
    }
    c->stage = STAGE_READ;
}

static struct flight *free_flight(struct world *w)
{
    for (int i = 0; i < FLYING_MAX; i++) {
        if (!w->flights[i].used)
            return &w->flights[i];
    }
    return NULL;
}

static void judge_answer(const struct world *w, const struct conductor *c)
{
    if (c->answered == CONDUCT_DONE && w->transitions[c->command] == 0)
        blame("done, they say, and it was not");
}

static bool decide(struct world *w, uint8_t number)
{
    struct conductor *c = &w->conductors[number];
    struct flight *f = free_flight(w);
    if (f == NULL)
        return false;
    struct conduct_decision d;
    c->view.states = c->states;
    c->view.state_count = STATES;
    conduct_next(&c->conduct, &c->view, w->now_ns, w->now_ns, &d);
    c->view.states = NULL;
    c->stage = STAGE_REST;
    switch (d.type) {
    case CONDUCT_WRITE:
        *f = (struct flight){.used = true,
                             .by = number,
                             .version = c->view.version,
                             .next = d.next,
                             .has_record = d.has_record,
                             .record = d.record,
                             .command = c->command};
        c->flying = true;
        break;
    case CONDUCT_SEAL:
        *f = (struct flight){.used = true,
                             .seals = true,
                             .by = number,
                             .state = d.state,
                             .round = c->view.global.round,
                             .index = c->index[d.state]};
        c->flying = true;
        break;
    case CONDUCT_WAIT:
        break;
    case CONDUCT_DONE:
    case CONDUCT_WRONG_PHASE:
    case CONDUCT_NOT_READY:
        c->answered = (uint8_t)d.type;
        c->stage = STAGE_ANSWERED;
        judge_answer(w, c);
        break;
    }
    return true;
}

static bool step(struct world *w, uint8_t number)
{
    struct conductor *c = &w->conductors[number];
    if (c->flying || c->stage == STAGE_ANSWERED)
        return false;
    if (c->stage == STAGE_REST)
        read_nation(w, c);
    else if (c->stage == STAGE_NATION_READ)
        read_states(w, c);
    else
        return decide(w, number);
    return true;
}

/* ---- shards, as they behave ---- */

static bool is_open(const struct world *w)
{
    return w->global.phase == PHASE_OPEN || w->global.phase == PHASE_CLOSING;
}

static bool shard_acts(struct world *w, struct shard *s)
{
    if (is_open(w) && s->live > 0 && s->round < w->global.round) {
        s->round = w->global.round;
        s->index = 0;
        s->sealed = false;
    } else if (w->global.phase == PHASE_OPEN && s->live > 0 && s->index < 2) {
        s->index++;
    } else if (w->global.phase == PHASE_CLOSING && s->live > 0 && !s->sealed) {
        s->index++;
        s->sealed = true;
    } else if (w->global.phase == PHASE_CLOSED && s->live > 0 && !s->has_seal[w->global.round]) {
        s->has_seal[w->global.round] = 1;
        s->seal_index[w->global.round] = s->round == w->global.round ? s->index : 0;
    } else {
        return false;
    }
    return true;
}

/* ---- actions ---- */

enum action {
    ACTION_STEP,                                     /* of a conductor */
    ACTION_END = ACTION_STEP + CONDUCTORS,           /* it ends, and is asked the same again */
    ACTION_NEXT = ACTION_END + CONDUCTORS,           /* asked for another command */
    ACTION_HAPPEN = ACTION_NEXT + CONDUCTORS,        /* a write happens and is answered */
    ACTION_HAPPEN_LOST = ACTION_HAPPEN + FLYING_MAX, /* its conductor goes on before it happens */
    ACTION_VANISH = ACTION_HAPPEN_LOST + FLYING_MAX,
    ACTION_SHARD = ACTION_VANISH + FLYING_MAX,
    ACTION_LIFE = ACTION_SHARD + STATES,
    ACTION_TIME = ACTION_LIFE + STATES,
    ACTION_COUNT
};

static bool act_on_flight(struct world *w, enum action kind, int number)
{
    struct flight *f = &w->flights[number];
    if (!f->used)
        return false;
    struct conductor *c = &w->conductors[f->by];
    if (kind == ACTION_HAPPEN_LOST) {
        if (!c->flying)
            return false;
        c->flying = false; /* outcome unknown: it reads again, and the write is still under way */
        return true;
    }
    c->flying = false;
    if (kind == ACTION_HAPPEN)
        apply(w, f);
    memset(f, 0, sizeof *f);
    return true;
}

static bool act(struct world *w, int action)
{
    if (action < ACTION_END)
        return step(w, (uint8_t)(action - ACTION_STEP));
    if (action < ACTION_NEXT) {
        struct conductor *c = &w->conductors[action - ACTION_END];
        begin(c, c->command);
        return true;
    }
    if (action < ACTION_HAPPEN) {
        struct conductor *c = &w->conductors[action - ACTION_NEXT];
        if (c->command == COMMANDS || c->stage != STAGE_ANSWERED)
            return false;
        begin(c, (uint8_t)((c->command + 1) % COMMANDS));
        return true;
    }
    if (action < ACTION_HAPPEN_LOST)
        return act_on_flight(w, ACTION_HAPPEN, action - ACTION_HAPPEN);
    if (action < ACTION_VANISH)
        return act_on_flight(w, ACTION_HAPPEN_LOST, action - ACTION_HAPPEN_LOST);
    if (action < ACTION_SHARD)
        return act_on_flight(w, ACTION_VANISH, action - ACTION_VANISH);
    if (action < ACTION_LIFE)
        return shard_acts(w, &w->shards[action - ACTION_SHARD]);
    if (action < ACTION_TIME) {
        w->shards[action - ACTION_LIFE].live ^= 1;
        return true;
    }
    if (w->now_ns >= 64 * TIME_STEP_NS)
        return false;
    w->now_ns += TIME_STEP_NS;
    return true;
}

static void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->now_ns = TIME_STEP_NS;
    for (int i = 0; i < STATES; i++)
        w->shards[i].live = 1;
    begin(&w->conductors[0], 0);
    begin(&w->conductors[1], 0);
    begin(&w->conductors[2], COMMANDS);
}

/* ---- every order ---- */

enum {
    SEEN_CAP = 1 << 23,
};
static uint64_t *seen;
static uint64_t states_seen, transitions_seen;
static int path[64];

/* Deeper from the same state finds what was not found before. */
static bool is_new(const struct world *w, int depth)
{
    uint64_t hash = hash_bytes(w, sizeof *w, 1) & ~UINT64_C(63);
    size_t at = hash_u64(hash, 2) % SEEN_CAP;
    while (seen[at] != 0 && (seen[at] & ~UINT64_C(63)) != hash)
        at = (at + 1) % SEEN_CAP;
    if (seen[at] != 0 && (int)(seen[at] & 63) >= depth)
        return false;
    states_seen += seen[at] == 0;
    seen[at] = hash | (uint64_t)depth;
    return true;
}

static bool explore(const struct world *w, int depth, int at)
{
    if (depth == 0 || states_seen > SEEN_CAP / 2)
        return true;
    for (int action = 0; action < ACTION_COUNT; action++) {
        struct world next;
        memcpy(&next, w, sizeof next);
        path[at] = action;
        if (!act(&next, action))
            continue;
        transitions_seen++;
        if (violation != NULL) {
            printf("violation: %s, after", violation);
            for (int i = 0; i <= at; i++)
                printf(" %d", path[i]);
            printf("\n");
            return false;
        }
        if (is_new(&next, depth - 1) && !explore(&next, depth - 1, at + 1))
            return false;
    }
    return true;
}

/* From rest, and from where the interesting things are near. */
static bool explore_all(int depth)
{
    static const enum phase phases[] = {PHASE_IDLE, PHASE_OPEN, PHASE_CLOSING, PHASE_CLOSED};
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        struct world w;
        world_init(&w);
        uint8_t command = i % 2 == 0 ? 0 : 1;
        if (phases[i] != PHASE_IDLE) {
            w.global = (struct global){.round = 1, .phase = phases[i], .drain_ms = DRAIN_MS};
            w.version = 3;
            w.opened[1] = 1;
            w.closed[1] = phases[i] == PHASE_CLOSED;
            for (int s = 0; s < STATES; s++)
                w.shards[s].round = w.shards[s].index = 1;
        }
        begin(&w.conductors[0], phases[i] == PHASE_OPEN     ? 1
                                : phases[i] == PHASE_CLOSED ? 2
                                                            : command);
        begin(&w.conductors[1], phases[i] == PHASE_OPEN     ? 3
                                : phases[i] == PHASE_CLOSED ? 2
                                                            : command);
        memset(seen, 0, SEEN_CAP * sizeof *seen);
        states_seen = transitions_seen = 0;
        if (!explore(&w, depth, 0))
            return false;
        printf("phase %d: %llu states, %llu transitions\n", (int)phases[i],
               (unsigned long long)states_seen, (unsigned long long)transitions_seen);
    }
    return true;
}

/* ---- some, at length ---- */

static bool run_seed(uint64_t seed, uint64_t *rounds)
{
    struct world w;
    world_init(&w);
    uint64_t random = hash_u64(seed, 7);
    for (int i = 0; i < 4000; i++) {
        random = hash_u64(random, (uint64_t)i);
        int action = (int)(random % ACTION_COUNT);
        bool rare = action >= ACTION_END && action < ACTION_NEXT;
        bool life = action >= ACTION_LIFE && action < ACTION_TIME;
        if ((rare && random >> 60 != 0) || (life && random >> 59 != 0))
            continue;
        act(&w, action);
        if (action == ACTION_TIME && w.now_ns >= 60 * TIME_STEP_NS)
            w.now_ns -= 50 * TIME_STEP_NS; /* nobody's decision may rest on it */
        if (violation != NULL) {
            printf("violation: %s, seed %llu, action %d\n", violation, (unsigned long long)seed, i);
            return false;
        }
    }
    *rounds += w.global.round;
    return true;
}

static bool run_seeds(uint64_t first, uint64_t count)
{
    uint64_t rounds = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (!run_seed(seed, &rounds))
            return false;
    }
    printf("%llu seeds, %llu rounds\n", (unsigned long long)count, (unsigned long long)rounds);
    return rounds >= count; /* runs in which nothing is ever opened show nothing */
}

static enum plant plant_of(const char *name)
{
    if (strcmp(name, "no-condition") == 0)
        return PLANT_NO_CONDITION;
    if (strcmp(name, "no-record") == 0)
        return PLANT_NO_RECORD;
    return strcmp(name, "blind-seals") == 0 ? PLANT_BLIND_SEALS : PLANT_NOTHING;
}

int main(int argc, char **argv)
{
    bool explores = argc >= 3 && strcmp(argv[1], "explore") == 0;
    int wanted = explores ? 3 : 4;
    if (argc < wanted || argc > wanted + 1)
        return 2;
    plant = argc > wanted ? plant_of(argv[wanted]) : PLANT_NOTHING;
    if (argc > wanted && plant == PLANT_NOTHING)
        return 2;
    bool right;
    if (explores) {
        seen = mem_calloc(SEEN_CAP, sizeof *seen);
        right = explore_all(atoi(argv[2]) < 60 ? atoi(argv[2]) : 60);
        free(seen);
    } else {
        right = run_seeds(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    }
    return right == (plant == PLANT_NOTHING) ? 0 : 1;
}
