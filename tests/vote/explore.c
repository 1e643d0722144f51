/* explore.c: caucus_vote_explore [options] SCENARIO|all [DEPTH]: every order of everything that can
 * happen, to a depth, from states that a deterministic prelude leads to. See README.md.
 *
 * Depth first, with a table of the states that were seen and how deep they were explored from. A
 * state is named by 58 bits of its fingerprint: with ten million states one in 6000 runs leaves one
 * state out because another has the same bits. */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "world.h"

enum {
    DEPTH_MAX = 60,
    ACTIONS_MAX = 128,
};

/* How often what is nobody's duty may happen. */
struct budget {
    uint8_t left[ACTION_TYPE_COUNT];
    uint8_t sends; /* of each vote */
};

struct scenario {
    const char *name;
    const char *what;
    void (*prelude)(struct world *w);
    struct budget budget;
    uint32_t depth; /* unless told otherwise */
};

struct node {
    struct world world;
    struct budget budget;
    struct action came_by;
};

struct explorer {
    struct node *nodes[DEPTH_MAX + 1];
    uint64_t *seen; /* fingerprint, low bits: depth that was left */
    size_t seen_cap, seen_count;
    uint64_t transitions, settled, full, cut;
    uint64_t settle_every, states_max;
    uint32_t depth, deepest;
    bool found, coarse;
};

/* ---- states that were seen ---- */

#define DEPTH_BITS UINT64_C(0x3f)

/* true: seen before, with as much depth left. */
static bool was_seen(struct explorer *e, uint64_t fingerprint, uint32_t left)
{
    uint64_t key = fingerprint & ~DEPTH_BITS;
    size_t at = (size_t)(fingerprint >> 8) % e->seen_cap;
    while (e->seen[at] != 0 && (e->seen[at] & ~DEPTH_BITS) != key)
        at = (at + 1) % e->seen_cap;
    if (e->seen[at] == 0)
        e->seen_count++;
    else if ((e->seen[at] & DEPTH_BITS) >= left)
        return true;
    e->seen[at] = key | left;
    return false;
}

/* ---- what can happen ---- */

struct choices {
    struct action actions[ACTIONS_MAX];
    uint32_t count;
};

static void offer(struct choices *c, const struct world *w, enum action_type type, uint32_t a,
                  uint32_t b)
{
    struct action x = {type, a, b};
    if (!world_can(w, &x))
        return;
    invariant(c->count < ACTIONS_MAX);
    c->actions[c->count++] = x;
}

static void offer_for(struct choices *c, const struct world *w, const struct budget *budget,
                      uint32_t a)
{
    static const enum action_type alone[] = {ACTION_CONNECT, ACTION_PROCESS, ACTION_RESULT,
                                             ACTION_CHANGED, ACTION_GHOST,   ACTION_SYNC,
                                             ACTION_RESTART};
    static const enum action_type limited[] = {ACTION_TIMEOUT, ACTION_DISCONNECT, ACTION_WIPE,
                                               ACTION_ADMIT, ACTION_ASIDE};
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        offer(c, w, alone[i], a, 0);
    for (size_t i = 0; i < sizeof limited / sizeof *limited; i++) {
        if (budget->left[limited[i]] > 0)
            offer(c, w, limited[i], a, 0);
    }
    for (uint32_t b = 0; b < w->options.replicas; b++) {
        offer(c, w, ACTION_DELIVER, a, b);
        offer(c, w, ACTION_LINK_UP, a, b);
        if (budget->left[ACTION_LINK_DOWN] > 0)
            offer(c, w, ACTION_LINK_DOWN, a, b);
    }
    if (budget->left[ACTION_EXPIRE] > 0) {
        offer(c, w, ACTION_EXPIRE, a, 0);
        offer(c, w, ACTION_EXPIRE, a, 1);
    }
    if (budget->left[ACTION_CRASH] > 0) { /* none, one, or all of what was on its way to the disk */
        uint32_t pending = w->replicas[a].disk.pending_count;
        offer(c, w, ACTION_CRASH, a, 0);
        if (pending > 0)
            offer(c, w, ACTION_CRASH, a, pending);
        if (pending > 1)
            offer(c, w, ACTION_CRASH, a, 1);
    }
    if (budget->left[ACTION_CAST] > 0 && w->replicas[a].up &&
        shard_status(w->replicas[a].shard).leading) {
        for (uint32_t v = 0; v < w->vote_count; v++) {
            if (w->votes[v].sent < budget->sends)
                offer(c, w, ACTION_CAST, a, v);
        }
    }
}

static void choices_of(const struct node *n, struct choices *c)
{
    c->count = 0;
    for (uint32_t a = 0; a < n->world.options.replicas; a++)
        offer_for(c, &n->world, &n->budget, a);
    if (n->budget.left[ACTION_PHASE] > 0) {
        for (uint32_t phase = PHASE_OPEN; phase < PHASE_COUNT; phase++)
            offer(c, &n->world, ACTION_PHASE, 0, phase);
    }
}

static void spend(struct budget *b, enum action_type type)
{
    if (type >= ACTION_DISCONNECT || type == ACTION_TIMEOUT)
        b->left[type]--;
}

/* Coarse: what is only looking happens at once, so that the depth goes to what is written and sent.
 * Old views are for the fine search. */
static bool is_eager(const struct world *w, const struct action *x)
{
    const struct replica *r = &w->replicas[x->a];
    if (x->type == ACTION_PROCESS)
        return r->asked.what.type == COORD_READ;
    return x->type != ACTION_RESULT || r->result.is_read;
}

static void be_eager(struct world *w)
{
    static const enum action_type eager[] = {ACTION_LINK_UP, ACTION_CONNECT, ACTION_CHANGED,
                                             ACTION_PROCESS, ACTION_RESULT};
    bool any = true;
    for (int rounds = 0; any && rounds < 100; rounds++) {
        any = false;
        for (uint32_t i = 0; i < 5 * w->options.replicas * w->options.replicas; i++) {
            uint32_t ab = i % (w->options.replicas * w->options.replicas);
            struct action x = {eager[i / (w->options.replicas * w->options.replicas)],
                               ab / w->options.replicas, ab % w->options.replicas};
            if (w->violation[0] == 0 && !w->full && world_can(w, &x) && is_eager(w, &x)) {
                world_do(w, &x);
                any = true;
            }
        }
    }
}

/* ---- the search ---- */

static void tell(const struct explorer *e, uint32_t depth, const char *what)
{
    printf("violation after %u actions: %s\n", depth, what);
    for (uint32_t i = 1; i <= depth; i++) {
        char text[64];
        action_text(&e->nodes[i]->came_by, text, sizeof text);
        printf("    %s\n", text);
    }
}

/* From here on nothing goes wrong any more: does all come right? */
static bool comes_right(struct explorer *e, const struct node *n, uint32_t depth)
{
    struct node *spare = e->nodes[DEPTH_MAX];
    struct world *w = &spare->world;
    world_copy(w, &n->world);
    for (int i = 0; i < 10; i++) {
        uint32_t most = 5000;
        if (world_settle(w, false, most) == most)
            world_violate(w, "it does not settle");
        for (uint32_t a = 0; a < w->options.replicas; a++) {
            struct action x = {ACTION_TIMEOUT, a, 0};
            if (w->violation[0] == 0 && world_can(w, &x))
                world_do(w, &x);
        }
        if (i % 3 == 2 && w->violation[0] == 0)
            world_admit(w);
    }
    if (w->violation[0] == 0 && !w->full)
        check_settled(w);
    bool good = w->violation[0] == 0;
    if (!good) {
        tell(e, depth, "and then, when all is well again:");
        printf("    %s\n", w->violation);
    }
    e->settled++;
    world_deinit(w);
    return good;
}

static uint64_t fingerprint_of(const struct node *n)
{
    return hash_bytes(&n->budget, sizeof n->budget, world_fingerprint(&n->world));
}

static void explore(struct explorer *e, uint32_t depth)
{
    struct node *n = e->nodes[depth];
    uint64_t fingerprint = fingerprint_of(n);
    if (depth > e->deepest)
        e->deepest = depth;
    if (was_seen(e, fingerprint, e->depth - depth))
        return;
    if (e->settle_every > 0 && (fingerprint >> 20) % e->settle_every == 0 &&
        !comes_right(e, n, depth)) {
        e->found = true;
        return;
    }
    if (depth == e->depth)
        return;

    struct choices c;
    choices_of(n, &c);
    for (uint32_t i = 0; i < c.count && !e->found; i++) {
        if (e->seen_count >= e->states_max) {
            e->cut++;
            return;
        }
        struct node *next = e->nodes[depth + 1];
        world_copy(&next->world, &n->world);
        next->budget = n->budget;
        next->came_by = c.actions[i];
        spend(&next->budget, c.actions[i].type);
        world_do(&next->world, &c.actions[i]);
        if (e->coarse)
            be_eager(&next->world);
        e->transitions++;
        if (next->world.violation[0] != 0) {
            tell(e, depth + 1, next->world.violation);
            e->found = true;
        } else if (next->world.full) {
            e->full++;
        } else {
            explore(e, depth + 1);
        }
        world_deinit(&next->world);
    }
}

/* ---- scenarios ---- */

static void act(struct world *w, enum action_type type, uint32_t a, uint32_t b)
{
    struct action x = {type, a, b};
    invariant(world_can(w, &x));
    world_do(w, &x);
}

static void add_vote(struct world *w, uint8_t voter, uint8_t candidate, uint16_t request)
{
    w->votes[w->vote_count++] =
        (struct vote){.voter = voter, .candidate = candidate, .request = request};
}

/* 0 leads, everybody is connected, nothing is under way; three votes: two of one voter. */
static void serving(struct world *w)
{
    world_settle(w, false, 1000);
    act(w, ACTION_PHASE, 0, PHASE_OPEN);
    world_settle(w, false, 1000);
    invariant(shard_status(w->replicas[0].shard).admitting);
    add_vote(w, 0, 0, 1);
    add_vote(w, 0, 1, 2);
    add_vote(w, 1, 2, 3);
}

/* One vote is committed, the next is in the leader's log and on the wire to both. */
static void broadcasting(struct world *w)
{
    serving(w);
    act(w, ACTION_CAST, 0, 2);
    world_settle(w, false, 1000);
    act(w, ACTION_CAST, 0, 0);
}

/* It is on the leader's disk and on 1's, and Commit is being written. */
static void committing(struct world *w)
{
    broadcasting(w);
    act(w, ACTION_SYNC, 0, 0);
    act(w, ACTION_DELIVER, 0, 1);
    act(w, ACTION_SYNC, 1, 0);
    act(w, ACTION_DELIVER, 1, 0);
}

/* 0 was the leader, does not know that its session is over, and has a vote under way; 1 leads. */
static void deposed(struct world *w)
{
    broadcasting(w);
    act(w, ACTION_SYNC, 0, 0);
    act(w, ACTION_EXPIRE, 0, 0);
    for (int i = 0; i < 40 && !shard_status(w->replicas[1].shard).leading; i++) {
        static const enum action_type order[] = {ACTION_PROCESS, ACTION_RESULT, ACTION_CHANGED};
        for (size_t k = 0; k < 3; k++) {
            struct action x = {order[k], 1, 0};
            if (world_can(w, &x))
                world_do(w, &x);
        }
    }
    invariant(shard_status(w->replicas[1].shard).leading);
    invariant(shard_status(w->replicas[0].shard).leading);
}

/* All went down while a vote was under way; their disks have it or not. */
static void dark(struct world *w)
{
    committing(w);
    act(w, ACTION_CRASH, 0, 0);
    act(w, ACTION_CRASH, 1, 0);
    act(w, ACTION_CRASH, 2, 0);
}

/* A vote is under way while the committee closes the election. */
static void closing(struct world *w)
{
    committing(w);
    act(w, ACTION_PHASE, 0, PHASE_CLOSING);
}

/* The leader was asked to leave the lead to 1 while a vote is being committed. */
static void yielding(struct world *w)
{
    committing(w);
    act(w, ACTION_YIELD, 0, 1);
}

static void go_on_with(struct world *w, uint32_t a)
{
    static const enum action_type order[] = {ACTION_RESTART, ACTION_CONNECT, ACTION_CHANGED,
                                             ACTION_PROCESS, ACTION_RESULT,  ACTION_SYNC};
    for (int i = 0; i < 40; i++) {
        for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
            struct action x = {order[k], a, 0};
            if (world_can(w, &x))
                world_do(w, &x);
        }
    }
}

/* 2 was away when the last vote was committed; then those who have it went down. */
static void behind(struct world *w)
{
    committing(w);
    act(w, ACTION_CRASH, 2, 0);
    go_on_with(w, 0);
    go_on_with(w, 1);
    invariant(w->coord.commit.index == 2 && shard_status(w->replicas[1].shard).committed == 2);
    act(w, ACTION_CRASH, 0, 0);
    act(w, ACTION_CRASH, 1, 0);
    act(w, ACTION_EXPIRE, 0, 0);
    act(w, ACTION_EXPIRE, 1, 0);
    act(w, ACTION_WIPE, 0, 0);
    go_on_with(w, 2);
}

/* What is committed is on no disk. */
static void lost(struct world *w)
{
    behind(w);
    act(w, ACTION_WIPE, 1, 0);
}

/* It was on 1's disk all the time, which comes back after people have admitted that it is lost. */
static void superseded(struct world *w)
{
    behind(w);
    act(w, ACTION_ADMIT, 2, 0);
    go_on_with(w, 2);
    invariant(w->coord.commit.index == 1 && w->coord.commit.loss_count == 1);
}

#define LEFT(disconnects, expires, link_downs, crashes, casts, phases, timeouts)                   \
    {                                                                                              \
        .left = {[ACTION_DISCONNECT] = (disconnects),                                              \
                 [ACTION_EXPIRE] = (expires),                                                      \
                 [ACTION_LINK_DOWN] = (link_downs),                                                \
                 [ACTION_CRASH] = (crashes),                                                       \
                 [ACTION_CAST] = (casts),                                                          \
                 [ACTION_PHASE] = (phases),                                                        \
                 [ACTION_TIMEOUT] = (timeouts)},                                                   \
        .sends = 2                                                                                 \
    }
#define LEFT_OF_LOSSES(expires, link_downs, crashes, wipes, admissions, asides, casts)             \
    {                                                                                              \
        .left = {[ACTION_EXPIRE] = (expires),   [ACTION_LINK_DOWN] = (link_downs),                 \
                 [ACTION_CRASH] = (crashes),    [ACTION_WIPE] = (wipes),                           \
                 [ACTION_ADMIT] = (admissions), [ACTION_ASIDE] = (asides),                         \
                 [ACTION_CAST] = (casts)},                                                         \
        .sends = 2                                                                                 \
    }

static const struct scenario scenarios[] = {
    {"serving", "votes are cast on a shard at rest", serving, LEFT(1, 1, 1, 1, 3, 1, 1), 7},
    {"broadcasting", "a vote is on the wire", broadcasting, LEFT(1, 1, 1, 2, 1, 1, 1), 7},
    {"committing", "Commit is being written", committing, LEFT(1, 1, 1, 2, 1, 1, 1), 7},
    {"deposed", "two believe that they lead", deposed, LEFT(1, 1, 1, 1, 2, 1, 1), 7},
    {"dark", "all were down", dark, LEFT(0, 2, 0, 1, 1, 0, 0), 9},
    {"closing", "the election closes", closing, LEFT(1, 1, 1, 1, 1, 2, 1), 7},
    {"yielding", "the lead is handed over", yielding, LEFT(1, 1, 1, 1, 2, 1, 1), 7},
    {"lost", "no disk has what is committed", lost, LEFT_OF_LOSSES(1, 0, 1, 1, 2, 1, 1), 8},
    {"behind", "one who is away has it", behind, LEFT_OF_LOSSES(1, 1, 1, 0, 2, 1, 1), 8},
    {"superseded", "it comes back, and is given up", superseded,
     LEFT_OF_LOSSES(1, 1, 1, 1, 1, 2, 1), 8},
};

/* ---- the program ---- */

static sigjmp_buf after_abort;

static void on_abort(int signal_number)
{
    (void)signal_number;
    siglongjmp(after_abort, 1);
}

static double seconds_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool run(struct explorer *e, const struct scenario *s, uint32_t depth, uint32_t faults)
{
    double began = seconds_now();
    struct world_options o = {
        .replicas = 3, .copies_min = 2, .voters = 2, .quorum_wait_ns = 1000, .faults = faults};
    e->depth = depth;
    e->deepest = 0;
    e->seen_count = e->transitions = e->settled = e->full = e->cut = 0;
    e->found = false;
    memset(e->seen, 0, e->seen_cap * sizeof *e->seen);
    struct node *first = e->nodes[0];
    world_init(&first->world, &o);
    if (sigsetjmp(after_abort, 1) != 0) {
        tell(e, e->deepest,
             "an invariant does not hold (see above); the last action may be another");
        return false;
    }
    s->prelude(&first->world);
    first->budget = s->budget;
    if (first->world.violation[0] != 0) {
        printf("%s: in the prelude: %s\n", s->name, first->world.violation);
        return false;
    }
    explore(e, 0);
    double seconds = seconds_now() - began;
    printf("%-13s %s depth %2u: %9zu states, %10" PRIu64 " transitions, %7" PRIu64
           " healed, %" PRIu64 " too full, %s%.1f s: %s\n",
           s->name, e->coarse ? "coarse" : "fine", depth, e->seen_count, e->transitions, e->settled,
           e->full, e->cut > 0 ? "NOT ALL, " : "", seconds,
           e->found ? "a violation" : "none violated");
    fflush(stdout);
    world_deinit(&first->world);
    blob_forget_all();
    return !e->found;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: caucus_vote_explore [--plant NAME] [--expect-violation] [--heal-every N]\n"
            "                           [--coarse] [--states N] SCENARIO|all [DEPTH]\n");
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        fprintf(stderr, "  %-13s %s\n", scenarios[i].name, scenarios[i].what);
    plants_print();
    return 2;
}

int main(int argc, char **argv)
{
    static struct explorer e = {.settle_every = 64, .states_max = 12000000};
    uint32_t faults = 0;
    bool expect = false;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        bool has_value = at + 1 < argc;
        if (strcmp(argv[at], "--expect-violation") == 0)
            expect = true;
        else if (strcmp(argv[at], "--coarse") == 0)
            e.coarse = true;
        else if (strcmp(argv[at], "--plant") == 0 && has_value && plant_named(argv[at + 1]) != 0)
            faults |= plant_named(argv[++at]);
        else if (strcmp(argv[at], "--heal-every") == 0 && has_value)
            e.settle_every = strtoull(argv[++at], NULL, 10);
        else if (strcmp(argv[at], "--states") == 0 && has_value)
            e.states_max = strtoull(argv[++at], NULL, 10);
        else
            return usage();
    }
    if (at >= argc)
        return usage();
#ifndef CAUCUS_PLANT
    if (faults != 0) {
        fprintf(stderr, "nothing is planted here: use caucus_vote_explore_planted\n");
        return 2;
    }
#endif
    e.seen_cap = (size_t)(e.states_max + e.states_max / 2) | 1;
    e.seen = mem_calloc(e.seen_cap, sizeof *e.seen);
    for (int i = 0; i <= DEPTH_MAX; i++)
        e.nodes[i] = mem_calloc(1, sizeof *e.nodes[i]);
    signal(SIGABRT, on_abort);

    bool good = true, any = false;
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        const struct scenario *s = &scenarios[i];
        if (strcmp(argv[at], "all") != 0 && strcmp(argv[at], s->name) != 0)
            continue;
        any = true;
        uint32_t depth = at + 1 < argc ? (uint32_t)strtoul(argv[at + 1], NULL, 10) : s->depth;
        good = run(&e, s, depth < DEPTH_MAX ? depth : DEPTH_MAX - 1, faults) && good;
        if (!good && expect)
            break;
    }
    if (!any)
        return usage();
    fflush(stdout);
    _Exit(good == expect ? 1 : 0); /* what a violated world held is gone with it */
}
