#include "vote/nation.h"

#include "base/assert.h"

/* Electors of one state or district: to whoever is first there. */
static void give(struct nation *n, uint32_t from_final[CANDIDATES_MAX], const struct state_count *s,
                 int32_t district, uint32_t electors)
{
    bool tie;
    int32_t first = tally_leader(s->tally, district, &tie);
    if (first < 0) {
        n->electors_open += electors;
        return;
    }
    n->electors[first] += electors;
    if (s->final)
        from_final[first] += electors;
}

static void add_state(struct nation *n, uint32_t from_final[CANDIDATES_MAX],
                      const struct state_count *s, uint32_t candidates)
{
    n->electors_total += s->electors;
    if (s->tally == NULL) {
        n->electors_open += s->electors;
        n->states_missing++;
        return;
    }
    invariant(s->tally->candidates == candidates);
    n->states_final += s->final;
    for (uint32_t c = 0; c < candidates; c++)
        n->votes[c] += tally_votes(s->tally, c);

    uint32_t districts = s->divided ? s->tally->districts : 0;
    if (districts > s->electors)
        districts = s->electors;
    for (uint32_t d = 0; d < districts; d++)
        give(n, from_final, s, (int32_t)d, 1);
    give(n, from_final, s, -1, s->electors - districts);
}

static int32_t first_of(const uint32_t *electors, uint32_t candidates, bool *ret_tie)
{
    int32_t first = -1;
    uint32_t most = 0;
    *ret_tie = false;
    for (uint32_t c = 0; c < candidates; c++) {
        if (electors[c] > most) {
            most = electors[c];
            first = (int32_t)c;
            *ret_tie = false;
        } else if (electors[c] == most && most > 0) {
            *ret_tie = true;
        }
    }
    return *ret_tie ? -1 : first;
}

void nation_sum(struct nation *ret, const struct state_count *states, size_t count,
                uint32_t candidates)
{
    invariant(candidates >= 1 && candidates <= CANDIDATES_MAX);
    uint32_t from_final[CANDIDATES_MAX] = {0};
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < count; i++)
        add_state(ret, from_final, &states[i], candidates);

    ret->majority = ret->electors_total / 2 + 1;
    ret->leader = first_of(ret->electors, candidates, &ret->tie);
    ret->winner = -1;
    for (uint32_t c = 0; c < candidates; c++) {
        if (from_final[c] >= ret->majority)
            ret->winner = (int32_t)c;
    }
}
