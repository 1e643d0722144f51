/* simulate.c: caucus_vote_sim [options] SEED [SEEDS]: each seed is an election of one state of
 * three or five replicas, with people who vote, change their minds and ask again, and everything
 * else that can go wrong drawn by the seed. See README.md. */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "world.h"

struct options {
    uint32_t faults;
    bool trace, expect;
    uint64_t first, seeds;
};

struct run {
    struct world *w;
    const struct options *options;
    uint64_t random;
    uint32_t requests;
    uint32_t weights[ACTION_TYPE_COUNT];
    uint64_t rounds;
    bool loses; /* disks go, and people admit it */
    /* One replica is cut off until the others go down, and alone until they come again. */
    uint32_t survivor, cut_off, alone; /* actions that are left */
    uint32_t unheard;                  /* those who run on meanwhile and know of nothing */
};

struct sum {
    uint64_t actions, commits, answers, records, rounds, full;
    uint64_t wipes, admissions, asides;
};

static uint32_t draw(struct run *r, uint32_t below)
{
    r->random = hash_u64(r->random, 7);
    return (uint32_t)(r->random >> 32) % below;
}

/* Faults are rare, and each seed has some kinds of them only. */
static void draw_weights(struct run *r)
{
    for (int t = 0; t < ACTION_TYPE_COUNT; t++)
        r->weights[t] = 100;
    static const enum action_type faults[] = {ACTION_DISCONNECT, ACTION_EXPIRE, ACTION_LINK_DOWN,
                                              ACTION_CRASH, ACTION_TIMEOUT};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        r->weights[faults[i]] = draw(r, 3) == 0 ? 0 : 1 + draw(r, 6);
    static const enum action_type slow[] = {ACTION_SYNC,    ACTION_PROCESS, ACTION_RESULT,
                                            ACTION_CHANGED, ACTION_DELIVER, ACTION_RESTART,
                                            ACTION_CONNECT, ACTION_LINK_UP, ACTION_GHOST};
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++)
        r->weights[slow[i]] = draw(r, 4) == 0 ? 10 : 100;
    r->weights[ACTION_CAST] = 20 + draw(r, 100);
    r->weights[ACTION_PHASE] = draw(r, 2) == 0 ? 0 : 1;
    r->weights[ACTION_YIELD] = draw(r, 2) == 0 ? 0 : 1 + draw(r, 20);
    if (!r->loses)
        return;
    static const enum action_type needed[] = {ACTION_SYNC, ACTION_PROCESS, ACTION_RESULT,
                                              ACTION_CHANGED, ACTION_DELIVER};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        r->weights[needed[i]] = 100; /* what is to be lost must be committed first */
    r->weights[ACTION_CONNECT] = draw(r, 3) == 0 ? 2 + draw(r, 6) : 100; /* who is late to know */
    r->weights[ACTION_DISCONNECT] = draw(r, 4);
    r->weights[ACTION_EXPIRE] = draw(r, 3);
    r->weights[ACTION_CRASH] = draw(r, 4);
    r->weights[ACTION_PHASE] = draw(r, 4) == 0;
    r->weights[ACTION_WIPE] = draw(r, 3) == 0 ? draw(r, 40) : 0;
    r->weights[ACTION_ADMIT] = 1 + draw(r, 100);
    r->weights[ACTION_ASIDE] = 1 + draw(r, 60);
}

/* A new vote, or one that was sent before: with the same request number, or by a voter who changed
 * his mind. */
static bool draw_cast(struct run *r, struct action *ret)
{
    struct world *w = r->w;
    uint32_t replica = draw(r, w->options.replicas);
    if (w->vote_count > 0 && draw(r, 2) == 0) {
        uint32_t i = draw(r, w->vote_count);
        const struct vote *v = &w->votes[i];
        if (v->round == w->coord.global.round && !v->settled) {
            *ret = (struct action){ACTION_CAST, replica, i};
            return true;
        }
    }
    /* The model's tables are for so many records, of so many batches. */
    if (w->vote_count == WORLD_VOTES_MAX || w->committed.count + 40 > WORLD_BATCHES_MAX)
        return false;
    w->votes[w->vote_count] = (struct vote){
        .voter = (uint8_t)draw(r, w->options.voters),
        .candidate = (uint8_t)draw(r, WORLD_CANDIDATES),
        .request = (uint16_t)++r->requests,
    };
    *ret = (struct action){ACTION_CAST, replica, w->vote_count++};
    return true;
}

/* Does it, if it can be. */
static void try_to(struct run *r, enum action_type type, uint32_t a, uint32_t b)
{
    struct action x = {type, a, b};
    if (r->w->violation[0] == 0 && !r->w->full && world_can(r->w, &x))
        world_do(r->w, &x);
}

static void cut_off(struct run *r)
{
    r->survivor = draw(r, r->w->options.replicas);
    const struct replica *s = &r->w->replicas[r->survivor];
    if (!s->up || shard_status(s->shard).leading || r->w->coord.live_count < 2)
        return; /* nobody would get ahead of it */
    r->cut_off = 50 + draw(r, 200);
    for (uint32_t b = 0; b < r->w->options.replicas; b++) {
        try_to(r, ACTION_LINK_DOWN, r->survivor, b);
        try_to(r, ACTION_LINK_DOWN, b, r->survivor);
    }
}

/* It runs, and neither the others nor the service hear of it. */
static void go_silent(struct run *r, uint32_t a)
{
    r->unheard |= UINT32_C(1) << a;
    try_to(r, ACTION_DISCONNECT, a, 0);
    for (uint32_t b = 0; b < r->w->options.replicas; b++) {
        try_to(r, ACTION_LINK_DOWN, a, b);
        try_to(r, ACTION_LINK_DOWN, b, a);
    }
}

/* Fire, water: all but one go down or cannot be heard, none, some or all of them for good. */
static void go_down(struct run *r)
{
    const struct replica *s = &r->w->replicas[r->survivor];
    bool behind = s->up && shard_status(s->shard).committed < r->w->coord.commit.index;
    if (!behind && draw(r, 4) != 0) {
        r->cut_off = 50;
        return;
    }
    r->alone = 60 + draw(r, 200);
    uint32_t wiped = draw(r, 3); /* of 2 */
    for (uint32_t b = 0; b < r->w->options.replicas; b++) {
        if (b == r->survivor)
            continue;
        bool is_wiped = draw(r, 2) < wiped;
        if (!is_wiped && draw(r, 2) == 0) {
            go_silent(r, b);
        } else {
            try_to(r, ACTION_CRASH, b, 0);
            if (is_wiped)
                try_to(r, ACTION_WIPE, b, 0);
        }
        if (draw(r, 10) != 0)
            try_to(r, ACTION_EXPIRE, b, 0);
    }
}

static void disasters(struct run *r)
{
    if (r->cut_off > 0 && --r->cut_off == 0)
        go_down(r);
    else if (r->alone > 0 && --r->alone == 0)
        r->unheard = 0;
    else if (r->alone > 0)
        return;
    else if (r->cut_off == 0 && draw(r, 80) == 0)
        cut_off(r);
}

static bool is_held_up(const struct run *r, const struct action *x)
{
    if (r->cut_off > 0 && x->type == ACTION_LINK_UP)
        return x->a == r->survivor || x->b == r->survivor;
    if (r->cut_off > 0 && x->type == ACTION_CRASH)
        return x->b % 4 != 0;
    if (r->alone > 0 && (x->type == ACTION_LINK_UP || x->type == ACTION_CONNECT))
        return (r->unheard >> x->a & 1) != 0 ||
               (x->type == ACTION_LINK_UP && (r->unheard >> x->b & 1) != 0);
    if (r->alone > 0 && x->type == ACTION_WIPE)
        return true;
    return r->alone > 0 && x->type == (x->a == r->survivor ? ACTION_CRASH : ACTION_RESTART);
}

static bool draw_action(struct run *r, struct action *ret)
{
    struct world *w = r->w;
    for (int tries = 0; tries < 200; tries++) {
        uint32_t types = r->loses ? ACTION_TYPE_COUNT : ACTION_WIPE;
        struct action x = {(enum action_type)draw(r, types), 0, 0};
        if (draw(r, 100) >= r->weights[x.type])
            continue;
        x.a = draw(r, w->options.replicas);
        x.b = draw(r, w->options.replicas);
        if (x.type == ACTION_CAST) {
            if (!draw_cast(r, &x))
                continue;
        } else if (x.type == ACTION_CRASH) {
            x.b = draw(r, w->replicas[x.a].disk.pending_count + 1);
        } else if (x.type == ACTION_PHASE) {
            x.b = draw(r, PHASE_COUNT);
            if (draw(r, 5) != 0)
                continue;
        } else if (x.type == ACTION_EXPIRE) {
            x.b = draw(r, 2);
        } else if (x.type == ACTION_ADMIT && w->coord.commit.loss_count + 1 >= LOSSES_MAX) {
            continue; /* finish() may need the last one */
        }
        if (!world_can(w, &x) || is_held_up(r, &x))
            continue;
        *ret = x;
        return true;
    }
    return false;
}

static void settle(struct run *r)
{
    struct world *w = r->w;
    uint32_t most = 20000, done = world_settle(w, false, most);
    /* Clocks run on while something waits for them: steps back and comes again, or fetches. */
    for (int i = 0; i < 120 && w->violation[0] == 0; i++) {
        bool any = false;
        for (uint32_t a = 0; a < w->options.replicas; a++) {
            struct action x = {ACTION_TIMEOUT, a, 0};
            if (world_can(w, &x)) {
                world_do(w, &x);
                any = true;
            }
        }
        done += world_settle(w, false, most);
        if (!any)
            break;
    }
    if (done >= most)
        world_violate(w, "it does not settle");
}

/* And where no disk has what Commit names, people admit it. */
static void come_right(struct run *r)
{
    settle(r);
    for (int i = 0; i < 4 && r->w->violation[0] == 0 && world_admit(r->w); i++)
        settle(r);
}

/* Nothing was found, and the model had room. */
static bool is_well(const struct world *w)
{
    return w->violation[0] == 0 && !w->full;
}

static bool waits(const struct world *w, const struct vote *v)
{
    return v->round == w->coord.global.round && !v->told_committed && !v->told_closed &&
           !v->settled;
}

/* Everybody who was not told asks once more, now that all is well: nobody is left without a word.
 */
static void ask_again(struct run *r)
{
    struct world *w = r->w;
    for (uint32_t i = 0; i < w->vote_count; i++) {
        for (uint32_t a = 0; a < w->options.replicas; a++) {
            struct action x = {ACTION_CAST, a, i};
            if (waits(w, &w->votes[i]) && w->violation[0] == 0)
                world_do(w, &x);
        }
        if (i % 16 == 0) /* not more at once than a leader takes */
            settle(r);
    }
    settle(r);
    for (uint32_t i = 0; i < w->vote_count; i++) {
        if (waits(w, &w->votes[i]) && !w->full)
            world_violate(w, "voter %u is never told (vote %u)", w->votes[i].voter, i);
    }
}

static void phase(struct run *r, enum phase p)
{
    struct action x = {ACTION_PHASE, 0, p};
    if (r->w->violation[0] == 0 && world_can(r->w, &x))
        world_do(r->w, &x);
}

static void finish(struct run *r)
{
    struct world *w = r->w;
    come_right(r);
    if (is_well(w))
        check_settled(w);
    phase(r, PHASE_OPEN);
    settle(r);
    if (is_well(w) && w->coord.global.phase == PHASE_OPEN)
        ask_again(r);
    phase(r, PHASE_CLOSING);
    settle(r);
    phase(r, PHASE_CLOSED);
    settle(r);
    if (is_well(w))
        check_settled(w);
    if (is_well(w))
        ask_again(r);
    r->rounds = w->coord.global.round;
}

static void simulate(struct run *r, uint64_t seed)
{
    struct world *w = r->w;
    r->random = hash_u64(seed, 11);
    struct world_options o = {
        .replicas = draw(r, 4) == 0 ? 5 : 3,
        .voters = 2 + draw(r, 12),
        .commit_gap_ns = draw(r, 2) * 50,
        .batch_gap_ns = seed % 2 * 30,
        .follow_gap_ns = seed / 2 % 2 * 200,
        .more = seed / 4 % 2 == 1,
        .quorum_wait_ns = 10000,
        .tight = draw(r, 3) == 0,
        .faults = r->options->faults,
        .seed = seed,
    };
    o.copies_min = o.replicas / 2 + 1;
    world_init(w, &o);
    w->trace = r->options->trace;
    r->loses = seed % 5 == 3;
    draw_weights(r);
    settle(r);
    phase(r, PHASE_OPEN);
    uint32_t length = 200 + draw(r, 1500);
    for (uint32_t i = 0; i < length && w->violation[0] == 0 && !w->full; i++) {
        struct action x;
        if (r->loses)
            disasters(r);
        if (draw_action(r, &x))
            world_do(w, &x);
        for (uint32_t a = 0; a < o.replicas; a++) /* time passes */
            w->replicas[a].now_ns += 1 + draw(r, 20);
    }
    if (w->violation[0] == 0 && !w->full)
        finish(r);
}

/* An invariant in the code that does not hold is a violation like any other. */
static sigjmp_buf after_abort;

static void on_abort(int signal_number)
{
    (void)signal_number;
    siglongjmp(after_abort, 1);
}

static bool run_seed(const struct options *o, uint64_t seed, struct sum *sum)
{
    static struct world w;
    struct run r = {.w = &w, .options = o};
    if (sigsetjmp(after_abort, 1) != 0) {
        printf("seed %" PRIu64 ": an invariant does not hold (see above)\n", seed);
        return false;
    }
    simulate(&r, seed);
    sum->actions += w.actions;
    sum->commits += w.commits;
    sum->answers += w.answers;
    sum->records += w.committed.count;
    sum->rounds += r.rounds;
    sum->full += w.full;
    sum->wipes += w.wipes;
    sum->admissions += w.admissions;
    sum->asides += w.asides;
    bool good = w.violation[0] == 0;
    if (!good)
        printf("seed %" PRIu64 ": after %" PRIu64 " actions: %s\n", seed, w.actions, w.violation);
    world_deinit(&w);
    blob_forget_all();
    return good;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: caucus_vote_sim [--trace] [--plant NAME --expect-violation] SEED [SEEDS]\n");
    plants_print();
    return 2;
}

static bool parse(int argc, char **argv, struct options *o)
{
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--trace") == 0)
            o->trace = true;
        else if (strcmp(argv[at], "--expect-violation") == 0)
            o->expect = true;
        else if (strcmp(argv[at], "--plant") == 0 && at + 1 < argc)
            o->faults |= plant_named(argv[++at]);
        else
            return false;
        if (strcmp(argv[at - 1], "--plant") == 0 && o->faults == 0)
            return false;
    }
    if (at >= argc)
        return false;
    o->first = strtoull(argv[at], NULL, 10);
    o->seeds = at + 1 < argc ? strtoull(argv[at + 1], NULL, 10) : 1;
    return true;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct sum sum = {0};
    if (!parse(argc, argv, &o))
        return usage();
#ifndef CAUCUS_PLANT
    if (o.faults != 0) {
        fprintf(stderr, "nothing is planted here: use caucus_vote_sim_planted\n");
        return 2;
    }
#endif
    signal(SIGABRT, on_abort);
    uint64_t bad = 0, done = 0;
    for (; done < o.seeds && bad < 10; done++) {
        bool good = run_seed(&o, o.first + done, &sum);
        bad += !good;
        if (!good && o.expect) {
            printf("found after %" PRIu64 " seeds\n", done + 1);
            fflush(stdout);
            _Exit(0);
        }
    }
    printf("%" PRIu64 " seeds: %" PRIu64 " actions, %" PRIu64 " writes of Commit, %" PRIu64
           " answers, %" PRIu64 " rounds, %" PRIu64 " records of last rounds, %" PRIu64
           " runs too full for the model; %" PRIu64 " disks wiped, %" PRIu64
           " losses admitted, %" PRIu64 " put aside: %" PRIu64 " violations\n",
           done, sum.actions, sum.commits, sum.answers, sum.rounds, sum.records, sum.full,
           sum.wipes, sum.admissions, sum.asides, bad);
    fflush(stdout);
    _Exit(o.expect || bad > 0 ? 1 : 0); /* what a violated run held is gone with it */
}
