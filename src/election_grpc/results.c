#include "election_grpc/results_internal.h"

#include <stdint.h>
#include <stdio.h>

char *on_loan(const char *text)
{
    return (char *)(uintptr_t)(text != NULL ? text : "");
}

static ProtobufCBinaryData hash_on_loan(const struct hash *h)
{
    return (ProtobufCBinaryData){sizeof h->bytes, (uint8_t *)(uintptr_t)h->bytes};
}

Election__V1__Phase phase_on_wire(enum phase p)
{
    switch (p) {
    case PHASE_OPEN:
        return ELECTION__V1__PHASE__PHASE_OPEN;
    case PHASE_CLOSING:
        return ELECTION__V1__PHASE__PHASE_CLOSING;
    case PHASE_CLOSED:
        return ELECTION__V1__PHASE__PHASE_CLOSED;
    case PHASE_IDLE:
    case PHASE_COUNT:
        break;
    }
    return ELECTION__V1__PHASE__PHASE_IDLE;
}

/* ---- Counts ---- */

struct counts {
    Election__V1__CandidateCount **list;
    size_t count;
};

static struct counts counts_new(struct scratch *s, uint32_t candidates)
{
    return (struct counts){scratch_zeroed(s, candidates, sizeof(Election__V1__CandidateCount *)),
                           0};
}

static void counts_put(struct counts *counts, struct scratch *s, const char *candidate,
                       uint64_t votes, uint32_t electors)
{
    Election__V1__CandidateCount *one = scratch_zeroed(s, 1, sizeof *one);
    election__v1__candidate_count__init(one);
    one->candidate = on_loan(candidate);
    one->votes = votes;
    one->electors = electors;
    counts->list[counts->count++] = one;
}

/* Of those on the state's ballot; `district` -1: in all of it. */
static struct counts tally_counts(const struct election_info *info, const struct state_info *state,
                                  const struct tally *tally, int32_t district, struct scratch *s)
{
    struct counts counts = counts_new(s, info->candidate_count);
    for (uint32_t i = 0; i < info->candidate_count; i++) {
        if ((state->on_ballot >> i & 1) == 0)
            continue;
        uint64_t votes = 0;
        if (tally != NULL && i < tally->candidates)
            votes = district < 0 ? tally_votes(tally, i)
                                 : tally->votes[(uint32_t)district * tally->candidates + i];
        counts_put(&counts, s, info->candidates[i].id, votes, 0);
    }
    return counts;
}

static const char *leader_name(const struct election_info *info, int32_t leader)
{
    return leader >= 0 && (uint32_t)leader < info->candidate_count ? info->candidates[leader].id
                                                                   : "";
}

/* ---- A state ---- */

static Election__V1__StateResult *district_message(const struct election_info *info,
                                                   const struct state_info *state,
                                                   const struct state_result *r, uint32_t district,
                                                   struct scratch *s)
{
    enum {
        NAME_BYTES = 24
    };
    Election__V1__StateResult *m = scratch_zeroed(s, 1, sizeof *m);
    char *name = scratch_zeroed(s, NAME_BYTES, 1);
    snprintf(name, NAME_BYTES, "%.8s-%u", state->names.code, district + 1);
    election__v1__state_result__init(m);
    m->state = name;
    m->phase = phase_on_wire(r->phase);
    m->round = r->round;
    struct counts counts = tally_counts(info, state, r->tally, (int32_t)district, s);
    m->counts = counts.list;
    m->n_counts = counts.count;
    for (size_t i = 0; i < counts.count; i++)
        m->voters += counts.list[i]->votes;
    m->electors = 1;
    bool tie = false;
    m->leader = on_loan(leader_name(info, tally_leader(r->tally, (int32_t)district, &tie)));
    m->tie = tie;
    m->final = r->final;
    return m;
}

static void put_districts(Election__V1__StateResult *m, const struct election_info *info,
                          const struct state_info *state, const struct state_result *r,
                          struct scratch *s)
{
    m->districts = scratch_zeroed(s, r->tally->districts, sizeof(Election__V1__StateResult *));
    for (uint32_t i = 0; i < r->tally->districts; i++)
        m->districts[m->n_districts++] = district_message(info, state, r, i, s);
}

static void put_tally(Election__V1__StateResult *m, const struct election_info *info,
                      const struct state_info *state, const struct state_result *r,
                      struct scratch *s)
{
    struct counts counts = tally_counts(info, state, r->tally, -1, s);
    m->counts = counts.list;
    m->n_counts = counts.count;
    if (r->tally == NULL)
        return;
    bool tie = false;
    m->voters = r->tally->voters;
    m->leader = on_loan(leader_name(info, tally_leader(r->tally, -1, &tie)));
    m->tie = tie;
    if (state->divided)
        put_districts(m, info, state, r, s);
}

Election__V1__StateResult *state_message(const struct election_grpc *g,
                                         const struct state_result *r, struct scratch *s)
{
    const struct election_info *info = service_election(g->service);
    const struct state_info *state = &info->states[r->state];
    Election__V1__StateResult *m = scratch_zeroed(s, 1, sizeof *m);
    election__v1__state_result__init(m);
    m->state = on_loan(state->names.code);
    m->roll = state->roll;
    m->electors = state->electors;
    if (!r->known) {
        m->unavailable = on_loan(r->why != NULL && r->why[0] != 0 ? r->why : "not known now");
        return m;
    }
    m->phase = phase_on_wire(r->phase);
    m->round = r->round;
    m->final = r->final;
    m->index = r->index;
    m->root = hash_on_loan(&r->root);
    m->epoch = r->epoch;
    m->commit_version = r->commit_version;
    m->lost = r->lost;
    m->commit_mtime_ms = r->commit_mtime_ms;
    m->leading_server = on_loan(r->leader);
    put_tally(m, info, state, r, s);
    return m;
}

/* ---- The nation ---- */

static void put_sums(Election__V1__NationalResult *m, const struct election_info *info,
                     const struct nation *nation, struct scratch *s)
{
    struct counts popular = counts_new(s, info->candidate_count);
    struct counts electors = counts_new(s, info->candidate_count);
    for (uint32_t i = 0; i < info->candidate_count; i++) {
        counts_put(&popular, s, info->candidates[i].id, nation->votes[i], 0);
        counts_put(&electors, s, info->candidates[i].id, 0, nation->electors[i]);
    }
    m->popular = popular.list;
    m->n_popular = popular.count;
    m->electors = electors.list;
    m->n_electors = electors.count;
    m->electors_total = nation->electors_total;
    m->majority = nation->majority;
    m->leader = on_loan(leader_name(info, nation->leader));
    m->winner = on_loan(leader_name(info, nation->winner));
    m->states_final = nation->states_final;
}

Election__V1__NationalResult *national_message(const struct election_grpc *g,
                                               const struct national_result *r, struct scratch *s)
{
    const struct election_info *info = service_election(g->service);
    Election__V1__NationalResult *m = scratch_zeroed(s, 1, sizeof *m);
    election__v1__national_result__init(m);
    m->states = scratch_zeroed(s, info->state_count, sizeof(Election__V1__StateResult *));
    m->unavailable = scratch_zeroed(s, info->state_count, sizeof(char *));
    for (uint32_t i = 0; i < info->state_count; i++) {
        m->states[m->n_states++] = state_message(g, &r->states[i], s);
        if (!r->states[i].known)
            m->unavailable[m->n_unavailable++] = on_loan(info->states[i].names.code);
    }
    put_sums(m, info, &r->nation, s);
    m->snapshot_zxid = (uint64_t)r->zxid;
    m->phase = phase_on_wire(r->global.phase);
    m->round = r->global.round;
    return m;
}

/* ---- A recount ---- */

static Election__V1__ReplicaRecount *replica_message(const struct election_info *info,
                                                     const struct state_info *state,
                                                     const struct replica_recount *r,
                                                     struct scratch *s)
{
    Election__V1__ReplicaRecount *m = scratch_zeroed(s, 1, sizeof *m);
    election__v1__replica_recount__init(m);
    m->server = on_loan(r->server);
    m->known = r->known;
    m->agrees = r->agrees;
    m->detail = on_loan(r->detail);
    if (!r->known)
        return m;
    m->index = r->index;
    m->chain = hash_on_loan(&r->chain);
    m->root = hash_on_loan(&r->root);
    struct counts counts = tally_counts(info, state, r->tally, -1, s);
    m->counts = counts.list;
    m->n_counts = counts.count;
    return m;
}

Election__V1__RecountReply *recount_message(const struct election_grpc *g,
                                            const struct recount_reply *r, struct scratch *s)
{
    const struct election_info *info = service_election(g->service);
    Election__V1__RecountReply *m = scratch_zeroed(s, 1, sizeof *m);
    election__v1__recount_reply__init(m);
    m->agree = r->agree;
    m->verdict = on_loan(r->verdict);
    m->replicas = scratch_zeroed(s, r->replica_count, sizeof(Election__V1__ReplicaRecount *));
    for (size_t i = 0; i < r->replica_count; i++)
        m->replicas[m->n_replicas++] =
            replica_message(info, &info->states[r->state], &r->replicas[i], s);
    return m;
}
