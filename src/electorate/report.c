#include <inttypes.h>
#include <stdio.h>

#include "electorate/electorate.h"
#include "electorate/progress.h"

static const char *outcome_text(int o)
{
    static const char *const texts[CAST_OUTCOME_COUNT] = {
#define REPORT_OUTCOME(name, text) text,
        CAST_OUTCOME_MAP(REPORT_OUTCOME)
#undef REPORT_OUTCOME
    };
    return texts[o];
}

static void print_outcomes(const char *title, const uint64_t counts[CAST_OUTCOME_COUNT])
{
    char text[GROUPED_BYTES];
    for (int o = 0; o < CAST_OUTCOME_COUNT; o++)
        if (counts[o] > 0)
            printf("%-12s%14s  %s\n", title, grouped(counts[o], text), outcome_text(o));
}

void report_run(const struct run_result *r)
{
    char text[GROUPED_BYTES];
    const struct crowd_counts *c = &r->counts;
    double rate = r->seconds > 0 ? (double)c->answered / r->seconds : 0;
    printf("%-12s%14s  in %.1f s, %s/s\n", "ballots",
           grouped(c->answered, (char[GROUPED_BYTES]){0}), r->seconds,
           grouped((uint64_t)rate, text));
    printf("%-12s%14.1f  ms p50, %.1f p99, %.1f max\n", "latency",
           (double)summary_quantile(&c->latency_us, 0.5) / 1e3,
           (double)summary_quantile(&c->latency_us, 0.99) / 1e3, (double)c->latency_us.max / 1e3);
    print_outcomes("answered", c->outcomes);
    print_outcomes("sent again", c->retries);
    if (c->given_up > 0)
        printf("%-12s%14s  without a clear answer\n", "given up", grouped(c->given_up, text));
    if (r->door.broken > 0)
        printf("%-12s%14s  the last: %s\n", "broken", grouped(r->door.broken, text),
               r->door.trouble);
}

static void print_difference(const struct plan *p, const struct results *r, uint32_t i)
{
    const struct election_info *e = p->election;
    printf("%s:", e->states[i].names.code);
    if (!r->known[i]) {
        printf(" not known to the servers now\n");
        return;
    }
    for (uint32_t c = 0; c < e->candidate_count; c++)
        if (r->votes[i][c] != p->states[i].votes[c])
            printf("  %s %" PRIu64 ", not %" PRIu64, e->candidates[c].id, r->votes[i][c],
                   p->states[i].votes[c]);
    printf("\n");
}

static bool is_exact(const struct plan *p, const struct results *r, uint32_t i)
{
    bool same = r->known[i];
    for (uint32_t c = 0; c < p->election->candidate_count; c++)
        same = same && r->votes[i][c] == p->states[i].votes[c];
    return same;
}

void compare_results(const struct plan *p, const struct results *r, bool quiet,
                     struct comparison *ret)
{
    *ret = (struct comparison){.states = 0};
    for (uint32_t i = 0; i < p->election->state_count; i++) {
        for (uint32_t c = 0; c < p->election->candidate_count; c++) {
            ret->votes_planned += p->states[i].votes[c];
            ret->votes_counted += r->votes[i][c];
        }
        if (!p->states[i].takes_part)
            continue;
        bool exact = is_exact(p, r, i);
        ret->states++;
        ret->states_exact += exact;
        if (!exact && !quiet)
            print_difference(p, r, i);
    }
}
