/* main.c: caucus_sim [options] SEED [SEEDS]: each seed is a run; see README.md. */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

struct options {
    struct plan_options plan;
    enum sim_plant plant;
    uint32_t protocol_plant;
    const char *plant_name;
    bool twice, tracing, expect, quiet;
    int jobs;
    uint64_t first, seeds;
};

struct outcome {
    uint64_t seed, trace_hash;
    struct sim_stats stats;
    char violation[600];
};

/* An invariant that does not hold is a violation like any other. What the run held in its hands is
 * lost with it. */
static sigjmp_buf after_abort;
static bool aborted;

enum {
    SEED_SECONDS_MAX = 30 /* of a run that takes milliseconds */
};

static void on_abort(int signal_number)
{
    aborted = true;
    siglongjmp(after_abort, signal_number);
}

static void catch_aborts(void)
{
    signal(SIGABRT, on_abort);
    signal(SIGPROF, on_abort);
}

/* Of the processor's time: a machine that stands still or is shared has found nothing. */
static void limit_seconds(int seconds)
{
    struct itimerval limit = {.it_value = {.tv_sec = seconds}};
    setitimer(ITIMER_PROF, &limit, NULL);
}

static struct world *new_world(const struct options *o, uint64_t seed, bool tracing)
{
    struct world *w = malloc(sizeof *w);
    if (w == NULL)
        _exit(3);
    world_init(w, seed);
    w->plant = o->plant;
    w->protocol_plant = o->protocol_plant;
    w->tracing = tracing;
    return w;
}

static void run(const struct options *o, uint64_t seed, bool tracing, struct outcome *ret)
{
    *ret = (struct outcome){.seed = seed};
    int wrong = sigsetjmp(after_abort, 1);
    if (wrong != 0) {
        snprintf(ret->violation, sizeof ret->violation,
                 wrong == SIGPROF ? "a step does not come to an end"
                                  : "an invariant does not hold (see above)");
        return;
    }
    limit_seconds(SEED_SECONDS_MAX);
    struct world *w = new_world(o, seed, tracing);
    plan_profile(w, &o->plan);
    plan_begin(w);
    world_run(w);
    limit_seconds(0);
    ret->trace_hash = w->trace_hash;
    ret->stats = w->stats;
    memcpy(ret->violation, w->violation, sizeof ret->violation);
    world_deinit(w);
    free(w);
}

static void run_seed(const struct options *o, uint64_t seed, struct outcome *ret)
{
    run(o, seed, o->tracing, ret);
    if (!o->twice || ret->violation[0] != 0)
        return;
    struct outcome again;
    run(o, seed, false, &again);
    if (again.trace_hash != ret->trace_hash)
        snprintf(ret->violation, sizeof ret->violation, "two runs differ");
}

/* ---- several processes ---- */

struct worker {
    pid_t pid;
    int pipe;
};

static bool read_all(int fd, void *to, size_t len)
{
    uint8_t *at = to;
    while (len > 0) {
        ssize_t n = read(fd, at, len);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static void work(const struct options *o, int job, int to)
{
    catch_aborts();
    for (uint64_t i = (uint64_t)job; i < o->seeds; i += (uint64_t)o->jobs) {
        struct outcome out;
        run_seed(o, o->first + i, &out);
        if (write(to, &out, sizeof out) != (ssize_t)sizeof out)
            _exit(1);
    }
    _exit(0);
}

static void start_worker(const struct options *o, int job, struct worker *ret)
{
    int ends[2];
    if (pipe(ends) < 0)
        abort();
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0) {
        close(ends[0]);
        work(o, job, ends[1]);
    }
    close(ends[1]);
    *ret = (struct worker){pid, ends[0]};
}

/* ---- the sum ---- */

static void add(struct sim_stats *sum, const struct sim_stats *s)
{
    sum->seeds++;
    sum->steps += s->steps;
    sum->requests += s->requests;
    sum->answers += s->answers;
    sum->committed += s->committed;
    sum->crashes += s->crashes;
    sum->epochs += s->epochs;
    sum->faults += s->faults;
    sum->virtual_ns += s->virtual_ns;
    if (s->settle_ns_max > sum->settle_ns_max)
        sum->settle_ns_max = s->settle_ns_max;
}

static double seconds_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void print_repeat(const struct options *o, const char *program, uint64_t seed)
{
    printf("repeat: %s", program);
    if (o->plan.servers > 0)
        printf(" --servers %d", o->plan.servers);
    if (o->plan.observers >= 0)
        printf(" --observers %d", o->plan.observers);
    if (o->plan.stretch != 1)
        printf(" --stretch %d", o->plan.stretch);
    if (o->plant_name != NULL)
        printf(" --plant %s", o->plant_name);
    printf(" --trace %" PRIu64 "\n", seed);
}

static void print_sum(const struct sim_stats *s, double seconds)
{
    printf("%" PRIu64 " seeds (%.0f a second): %" PRIu64 " steps, %" PRIu64 " answers, %" PRIu64
           " committed, %" PRIu64 " faults, %" PRIu64 " crashes, %" PRIu64
           " epochs, %.0f s of virtual time, settled within %.1f s: no violation\n",
           s->seeds, (double)s->seeds / (seconds > 0 ? seconds : 1), s->steps, s->answers,
           s->committed, s->faults, s->crashes, s->epochs, (double)s->virtual_ns / 1e9,
           (double)s->settle_ns_max / 1e9);
}

struct tally {
    const struct options *o;
    const char *program;
    struct sim_stats sum;
    uint64_t violations;
    double began, told;
};

/* true: enough was seen. */
static bool take(struct tally *t, const struct outcome *out)
{
    add(&t->sum, &out->stats);
    if (out->violation[0] != 0) {
        t->violations++;
        printf("seed %" PRIu64 ": %s\n", out->seed, out->violation);
        if (t->o->expect) {
            printf("found after %" PRIu64 " seeds\n", t->sum.seeds);
            return true;
        }
        print_repeat(t->o, t->program, out->seed);
        fflush(stdout);
        if (t->violations >= 10)
            return true;
    }
    double now = seconds_now();
    if (!t->o->quiet && now - t->told >= 1 && isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " seeds, %.0f a second ", t->sum.seeds,
                t->o->seeds, (double)t->sum.seeds / (now - t->began));
        t->told = now;
    }
    return false;
}

static void run_all(struct tally *t)
{
    const struct options *o = t->o;
    if (o->jobs <= 1) {
        for (uint64_t i = 0; i < o->seeds; i++) {
            struct outcome out;
            run_seed(o, o->first + i, &out);
            if (take(t, &out))
                return;
        }
        return;
    }
    struct worker *workers = calloc((size_t)o->jobs, sizeof *workers);
    if (workers == NULL)
        abort();
    for (int i = 0; i < o->jobs; i++)
        start_worker(o, i, &workers[i]);
    bool enough = false;
    for (uint64_t i = 0; i < o->seeds && !enough; i++) {
        struct outcome out;
        if (!read_all(workers[i % (uint64_t)o->jobs].pipe, &out, sizeof out)) {
            snprintf(out.violation, sizeof out.violation, "the run ended in the middle (abort?)");
            out.seed = o->first + i;
            out.stats = (struct sim_stats){0};
            enough = true;
        }
        enough = take(t, &out) || enough;
    }
    /* Whoever still works ends at its next write, but only once nobody can read it any more: a
     * worker has the pipes of those that began before it. So all are closed before one is waited
     * for. */
    for (int i = 0; i < o->jobs; i++)
        close(workers[i].pipe);
    for (int i = 0; i < o->jobs; i++)
        waitpid(workers[i].pid, NULL, 0);
    free(workers);
}

/* ---- arguments ---- */

static const struct {
    const char *name;
    enum sim_plant plant;
    uint32_t mask;
} PLANTS[] = {
    {"early-durable", PLANT_EARLY_DURABLE, 0},  {"lost-sync", PLANT_LOST_SYNC, 0},
    {"lost-event", PLANT_LOST_EVENT, 0},        {"lost-epoch", PLANT_LOST_EPOCH, 0},
    {"fast-clock", PLANT_FAST_CLOCK, 0},
#ifdef CAUCUS_PLANT
    {"ZOOKEEPER-3911", PLANT_PROTOCOL, 1 << 0}, {"ZOOKEEPER-4394", PLANT_PROTOCOL, 1 << 1},
    {"ZOOKEEPER-4643", PLANT_PROTOCOL, 1 << 2}, {"ZOOKEEPER-4646", PLANT_PROTOCOL, 1 << 3},
    {"ZOOKEEPER-4685", PLANT_PROTOCOL, 1 << 4}, {"ZOOKEEPER-4785", PLANT_PROTOCOL, 1 << 5},
    {"ZOOKEEPER-4882", PLANT_PROTOCOL, 1 << 6}, {"ZOOKEEPER-4925", PLANT_PROTOCOL, 1 << 7},
#endif
};

static int usage(void)
{
    fputs("usage: caucus_sim [--servers N] [--observers N] [--stretch N] [--twice] [--trace]\n"
          "                  [--jobs N] [--plant NAME] [--expect-violation] [--seeds N] SEED "
          "[SEEDS]\n"
          "plants:",
          stderr);
    for (size_t i = 0; i < sizeof PLANTS / sizeof PLANTS[0]; i++)
        fprintf(stderr, " %s", PLANTS[i].name);
    fputc('\n', stderr);
    return 2;
}

static bool choose_plant(struct options *o, const char *name)
{
    for (size_t i = 0; i < sizeof PLANTS / sizeof PLANTS[0]; i++) {
        if (strcmp(PLANTS[i].name, name) == 0) {
            o->plant = PLANTS[i].plant;
            o->protocol_plant = PLANTS[i].mask;
            o->plant_name = PLANTS[i].name;
            return true;
        }
    }
    return false;
}

static bool parse(struct options *o, int argc, char **argv)
{
    int at = 1, plain = 0;
    for (; at < argc; at++) {
        const char *a = argv[at];
        bool more = at + 1 < argc;
        if (strcmp(a, "--twice") == 0)
            o->twice = true;
        else if (strcmp(a, "--trace") == 0)
            o->tracing = true;
        else if (strcmp(a, "--expect-violation") == 0)
            o->expect = true;
        else if (strcmp(a, "--servers") == 0 && more)
            o->plan.servers = atoi(argv[++at]);
        else if (strcmp(a, "--observers") == 0 && more)
            o->plan.observers = atoi(argv[++at]);
        else if (strcmp(a, "--stretch") == 0 && more)
            o->plan.stretch = atoi(argv[++at]);
        else if (strcmp(a, "--jobs") == 0 && more)
            o->jobs = atoi(argv[++at]);
        else if (strcmp(a, "--seeds") == 0 && more)
            o->seeds = strtoull(argv[++at], NULL, 10);
        else if (strcmp(a, "--plant") == 0 && more) {
            if (!choose_plant(o, argv[++at]))
                return false;
        } else if (a[0] == '-' || plain == 2)
            return false;
        else if (plain++ == 0)
            o->first = strtoull(a, NULL, 10);
        else
            o->seeds = strtoull(a, NULL, 10);
    }
    return o->plan.servers <= 5 && o->plan.observers < SERVERS_MAX && o->plan.stretch >= 1 &&
           o->jobs >= 1 && o->jobs <= 64;
}

int main(int argc, char **argv)
{
    struct options o = {.plan = {-1, -1, 1}, .jobs = 1, .first = 1, .seeds = 1};
    if (!parse(&o, argc, argv))
        return usage();
    struct tally t = {.o = &o, .program = argv[0], .began = seconds_now()};
    t.told = t.began;
    catch_aborts();
    if (o.tracing)
        setvbuf(stdout, NULL, _IOLBF, 0);
    run_all(&t);
    if (!o.quiet && isatty(STDERR_FILENO))
        fputc('\n', stderr);
    if (t.violations > 0) {
        if (!o.expect)
            printf("%" PRIu64 " of %" PRIu64 " seeds broke a promise\n", t.violations, t.sum.seeds);
        if (aborted) {
            fflush(stdout);
            _exit(o.expect ? 0 : 1); /* what the runs held is nobody's leak */
        }
        return o.expect ? 0 : 1;
    }
    print_sum(&t.sum, seconds_now() - t.began);
    return o.expect ? 1 : 0;
}
