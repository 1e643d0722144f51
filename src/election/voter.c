/* voter.c: one voter: whether he is who he says, and his own record.
 *
 *   QUESTION_VOTER  state u16 | pseudonym 16
 *   its answer      found u8 | round u64 | epoch u64 | index u64 | revision u8 | leaf 32
 *                   | version of Commit u64 | size of the tree u64 | root 32 */
#include <stdlib.h>

#include "base/mem.h"
#include "election/credential.h"
#include "election/service_internal.h"

enum {
    ASKED_BYTES = 2 + PSEUDONYM_BYTES,
    TOLD_BYTES = 1 + 3 * 8 + 1 + SHA256_BYTES + 2 * 8 + SHA256_BYTES,
    ASK_TIMEOUT_MS = 3000,
};

enum cast_outcome voter_check(struct service *s, int state, struct slice voter,
                              struct slice credential)
{
    if (s->options.auth == SERVICE_AUTH_NONE)
        return CAST_COMMITTED;
    if (slice_is_null(credential))
        return CAST_UNAUTHENTICATED;
    const struct nation_view *nation =
        s->coordination != NULL ? coordination_nation(s->coordination) : NULL;
    uint64_t round = nation != NULL && nation->known ? nation->global.round : 0;
    switch (credential_check(&s->credentials[state], s->definition->info.states[state].names.code,
                             voter, round, loop_wall_ms(s->loop) / 1000, credential)) {
    case CREDENTIAL_VALID:
        return CAST_COMMITTED;
    case CREDENTIAL_WRONG:
        return CAST_UNAUTHENTICATED;
    case CREDENTIAL_OF_OTHERS:
        return CAST_FORBIDDEN;
    }
    return CAST_UNAUTHENTICATED;
}

struct looking {
    voter_result_fn *done;
    void *arg;
    struct voter_result result;
};

static void tell(void *arg)
{
    struct looking *l = arg;
    l->done(l->arg, &l->result);
    free(l);
}

static void settle(struct looking *l, bool found, const struct receipt *r)
{
    l->result.outcome = found ? CAST_COMMITTED : CAST_NO_VOTER;
    l->result.detail = found ? "" : "voter not found";
    if (!found)
        return;
    l->result.voted = r->revision > 0;
    l->result.revision = r->revision;
    l->result.receipt = *r;
}

static void refuse(struct looking *l, enum cast_outcome outcome, const char *detail)
{
    l->result.outcome = outcome;
    l->result.detail = detail;
}

static bool can_tell(const struct replica *r)
{
    return r != NULL && r->shard != NULL && !shard_is_superseded(r->shard);
}

/* ---- asked by another server ---- */

void voter_question(struct service *s, uint64_t link, uint64_t id, struct slice body)
{
    uint8_t told[TOLD_BYTES] = {0};
    struct pseudonym p;
    struct receipt r;
    uint32_t state =
        body.len == ASKED_BYTES ? (uint32_t)body.ptr[0] << 8 | body.ptr[1] : UINT32_MAX;
    if (state >= s->definition->info.state_count || !can_tell(s->replicas[state])) {
        question_answer(s, link, id, slice_str(""));
        return;
    }
    memcpy(p.bytes, body.ptr + 2, PSEUDONYM_BYTES);
    memset(&r, 0, sizeof r);
    told[0] = shard_voter(s->replicas[state]->shard, &p, &r);
    store_be64(told + 1, r.round);
    store_be64(told + 9, r.epoch);
    store_be64(told + 17, r.index);
    told[25] = r.revision;
    memcpy(told + 26, r.leaf.bytes, SHA256_BYTES);
    store_be64(told + 58, r.commit_version);
    store_be64(told + 66, r.tree_size);
    memcpy(told + 74, r.root.bytes, SHA256_BYTES);
    question_answer(s, link, id, slice_of(told, sizeof told));
}

static void on_told(void *arg, struct slice answer, const char *why)
{
    struct looking *l = arg;
    struct receipt r;
    if (answer.len != TOLD_BYTES) {
        refuse(l, CAST_UNAVAILABLE, why != NULL ? why : "the state's servers cannot tell now");
        tell(l);
        return;
    }
    const uint8_t *p = answer.ptr;
    r.round = load_be64(p + 1);
    r.epoch = load_be64(p + 9);
    r.index = load_be64(p + 17);
    r.revision = p[25];
    memcpy(r.leaf.bytes, p + 26, SHA256_BYTES);
    r.commit_version = load_be64(p + 58);
    r.tree_size = load_be64(p + 66);
    memcpy(r.root.bytes, p + 74, SHA256_BYTES);
    settle(l, p[0] != 0, &r);
    tell(l);
}

static void ask_others(struct service *s, int state, const struct pseudonym *p, struct looking *l)
{
    uint8_t body[ASKED_BYTES] = {(uint8_t)(state >> 8), (uint8_t)state};
    memcpy(body + 2, p->bytes, PSEUDONYM_BYTES);
    for (uint32_t m = 0; m < SHARD_MEMBERS_MAX; m++) {
        struct link *host = s->hosts[state][m];
        if (host != NULL) {
            question_ask(s, link_name(host), QUESTION_VOTER, slice_of(body, sizeof body),
                         ASK_TIMEOUT_MS, on_told, l);
            return;
        }
    }
    refuse(l, CAST_UNAVAILABLE, "none of the state's servers can be reached");
    service_later(s, tell, l);
}

/* ---- asked at a door ---- */

void service_voter(struct service *s, struct slice state_name, struct slice voter,
                   struct slice credential, voter_result_fn *done, void *arg)
{
    struct looking *l = mem_calloc(1, sizeof *l);
    l->done = done;
    l->arg = arg;
    int state = definition_find_state(s->definition, state_name);
    enum cast_outcome allowed = state < 0 ? CAST_NO_STATE
                                : !roll_id_is_valid(voter)
                                    ? CAST_NO_VOTER
                                    : voter_check(s, state, voter, credential);
    if (allowed != CAST_COMMITTED) {
        refuse(l, allowed, "");
        service_later(s, tell, l);
        return;
    }
    struct pseudonym p = roll_pseudonym(&s->pseudonyms[state], voter);
    struct replica *r = s->replicas[state];
    if (!can_tell(r)) {
        ask_others(s, state, &p, l);
        return;
    }
    struct receipt receipt;
    bool found = shard_voter(r->shard, &p, &receipt);
    settle(l, found, &receipt);
    service_later(s, tell, l);
}
