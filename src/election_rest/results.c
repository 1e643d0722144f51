#include "election_rest/results.h"

#include <inttypes.h>
#include <stdio.h>

const char *phase_name(enum phase phase)
{
    switch (phase) {
    case PHASE_IDLE:
        return "IDLE";
    case PHASE_OPEN:
        return "OPEN";
    case PHASE_CLOSING:
        return "CLOSING";
    case PHASE_CLOSED:
        return "CLOSED";
    case PHASE_COUNT:
        break;
    }
    return "UNKNOWN";
}

/* ---- A state ---- */

/* A candidate, or null. */
static void put_candidate(struct json_out *j, const char *name, const struct election_info *e,
                          int32_t candidate)
{
    if (candidate < 0 || (uint32_t)candidate >= e->candidate_count)
        json_out_null(j, name);
    else
        json_out_string(j, name, e->candidates[candidate].id);
}

static bool is_on_ballot(const struct state_info *s, uint32_t candidate)
{
    return s->on_ballot >> candidate & 1;
}

uint64_t results_votes(const struct tally *t, int32_t district, uint32_t candidate)
{
    return district < 0 ? tally_votes(t, candidate)
                        : t->votes[(uint32_t)district * t->candidates + candidate];
}

void results_counts(struct json_out *j, const struct election_info *e, const struct state_info *s,
                    const struct tally *t, int32_t district)
{
    bool tie;
    int32_t leader = tally_leader(t, district, &tie);
    json_out_list(j, "counts");
    for (uint32_t c = 0; c < e->candidate_count; c++) {
        if (!is_on_ballot(s, c))
            continue;
        json_out_object(j, NULL);
        json_out_string(j, "candidate", e->candidates[c].id);
        json_out_unsigned(j, "votes", results_votes(t, district, c));
        json_out_object_end(j);
    }
    json_out_list_end(j);
    put_candidate(j, "leader", e, leader);
    json_out_flag(j, "tie", tie);
}

static void put_districts(struct json_out *j, const struct election_info *e,
                          const struct state_info *s, const struct tally *t)
{
    json_out_list(j, "districts");
    for (uint32_t d = 0; s->divided && d < t->districts; d++) {
        json_out_object(j, NULL);
        json_out_unsigned(j, "district", d + 1);
        results_counts(j, e, s, t, (int32_t)d);
        json_out_object_end(j);
    }
    json_out_list_end(j);
}

void results_state(struct json_out *j, const struct election_info *e,
                   const struct state_result *result)
{
    const struct state_info *s = &e->states[result->state];
    json_out_string(j, "state", s->names.code);
    json_out_flag(j, "known", result->known);
    json_out_unsigned(j, "electors", s->electors);
    json_out_unsigned(j, "roll", s->roll);
    if (!result->known) {
        json_out_string(j, "why", result->why != NULL ? result->why : "");
        return;
    }
    json_out_string(j, "phase", phase_name(result->phase));
    json_out_unsigned(j, "round", result->round);
    json_out_flag(j, "final", result->final);
    json_out_unsigned(j, "voters", result->tally->voters);
    results_counts(j, e, s, result->tally, -1);
    put_districts(j, e, s, result->tally);
    json_out_string(j, "shard_leader", result->leader != NULL ? result->leader : "");
    json_out_unsigned(j, "epoch", result->epoch);
    json_out_unsigned(j, "index", result->index);
    json_out_unsigned(j, "lost", result->lost);
    json_out_unsigned(j, "commit_version", result->commit_version);
    json_out_number(j, "commit_mtime_ms", result->commit_mtime_ms);
    json_out_hex(j, "chain", result->chain.bytes, sizeof result->chain.bytes);
    json_out_hex(j, "root", result->root.bytes, sizeof result->root.bytes);
}

/* ---- The nation ---- */

void results_sum(const struct election_info *e, const struct state_result *const states[],
                 struct nation *ret)
{
    struct state_count counts[STATES_MAX];
    for (uint32_t i = 0; i < e->state_count; i++)
        counts[i] = (struct state_count){.tally = states[i]->known ? states[i]->tally : NULL,
                                         .electors = e->states[i].electors,
                                         .divided = e->states[i].divided,
                                         .final = states[i]->known && states[i]->final};
    nation_sum(ret, counts, e->state_count, e->candidate_count);
}

static void put_unavailable(struct json_out *j, const struct election_info *e,
                            const struct state_result *const states[])
{
    json_out_list(j, "unavailable");
    for (uint32_t i = 0; i < e->state_count; i++) {
        if (!states[i]->known)
            json_out_string(j, NULL, e->states[i].names.code);
    }
    json_out_list_end(j);
}

void results_nation(struct json_out *j, const struct election_info *e, const struct global *global,
                    const struct nation *nation, const struct state_result *const states[])
{
    uint64_t voters = 0;
    for (uint32_t i = 0; i < e->state_count; i++)
        voters += states[i]->known ? states[i]->tally->voters : 0;
    json_out_string(j, "phase", phase_name(global->phase));
    json_out_unsigned(j, "round", global->round);
    json_out_unsigned(j, "voters", voters);
    json_out_list(j, "counts");
    for (uint32_t c = 0; c < e->candidate_count; c++) {
        json_out_object(j, NULL);
        json_out_string(j, "candidate", e->candidates[c].id);
        json_out_unsigned(j, "votes", nation->votes[c]);
        json_out_unsigned(j, "electors", nation->electors[c]);
        json_out_object_end(j);
    }
    json_out_list_end(j);
    json_out_unsigned(j, "electors_total", nation->electors_total);
    json_out_unsigned(j, "electors_open", nation->electors_open);
    json_out_unsigned(j, "majority", nation->majority);
    put_candidate(j, "leader", e, nation->leader);
    json_out_flag(j, "tie", nation->tie);
    put_candidate(j, "winner", e, nation->winner);
    json_out_unsigned(j, "states_final", nation->states_final);
    put_unavailable(j, e, states);
}

/* ---- The election ---- */

static void put_candidates(struct json_out *j, const struct election_info *e)
{
    json_out_list(j, "candidates");
    for (uint32_t c = 0; c < e->candidate_count; c++) {
        json_out_object(j, NULL);
        json_out_string(j, "id", e->candidates[c].id);
        json_out_string(j, "name", e->candidates[c].name);
        json_out_object_end(j);
    }
    json_out_list_end(j);
}

static void put_states(struct json_out *j, const struct election_info *e)
{
    json_out_list(j, "states");
    for (uint32_t i = 0; i < e->state_count; i++) {
        const struct state_info *s = &e->states[i];
        json_out_object(j, NULL);
        json_out_string(j, "code", s->names.code);
        json_out_string(j, "key", s->names.key);
        json_out_string(j, "name", s->names.name);
        json_out_unsigned(j, "electors", s->electors);
        json_out_unsigned(j, "roll", s->roll);
        json_out_flag(j, "divided", s->divided);
        json_out_number(j, "column", s->column);
        json_out_number(j, "row", s->row);
        json_out_list(j, "ballot");
        for (uint32_t c = 0; c < e->candidate_count; c++) {
            if (is_on_ballot(s, c))
                json_out_string(j, NULL, e->candidates[c].id);
        }
        json_out_list_end(j);
        json_out_object_end(j);
    }
    json_out_list_end(j);
}

static uint32_t electors_total(const struct election_info *e)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < e->state_count; i++)
        total += e->states[i].electors;
    return total;
}

void results_election(struct json_out *j, const struct election_info *e,
                      const struct global *global, bool shown)
{
    json_out_string(j, "id", e->id);
    json_out_string(j, "title", e->title);
    json_out_string(j, "phase", phase_name(global->phase));
    json_out_unsigned(j, "round", global->round);
    json_out_number(j, "opened_ms", global->opened_ms);
    json_out_number(j, "closed_ms", global->closed_ms);
    json_out_flag(j, "live", e->live);
    json_out_flag(j, "shown", shown);
    json_out_unsigned(j, "electors_total", electors_total(e));
    json_out_unsigned(j, "majority", electors_total(e) / 2 + 1);
    json_out_hex(j, "config", e->config.bytes, sizeof e->config.bytes);
    json_out_hex(j, "signer", e->signer, sizeof e->signer);
    put_candidates(j, e);
    put_states(j, e);
}

/* ---- Tokens ---- */

uint64_t results_seen(const struct state_result *result)
{
    /* That a state's result became final is no change of its Commit. */
    return result->known ? (result->commit_version + 1) * 2 + result->final : 0;
}

struct token results_token(const struct election_info *e, const struct global *global, bool shown,
                           const struct state_result *const states[])
{
    struct token t = {
        .round = global->round, .phase = global->phase, .shown = shown, .states = e->state_count};
    for (uint32_t i = 0; i < e->state_count; i++)
        t.seen[i] = shown ? results_seen(states[i]) : 0;
    return t;
}
