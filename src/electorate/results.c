#include <stdlib.h>

#include "base/mem.h"
#include "election_client/client.h"
#include "electorate/electorate.h"

enum {
    TIMEOUT_MS = 30000
};

static int find_candidate(const struct election_info *e, const char *id)
{
    for (uint32_t c = 0; c < e->candidate_count; c++)
        if (strcmp(e->candidates[c].id, id) == 0)
            return (int)c;
    return -1;
}

static const struct model_state *find_state(const struct model_nation *n, const char *code)
{
    for (size_t i = 0; i < n->state_count; i++)
        if (strcmp(n->states[i].code, code) == 0)
            return &n->states[i];
    return NULL;
}

static void take_state(const struct election_info *e, const struct model_state *s, uint32_t i,
                       struct results *ret)
{
    ret->known[i] = s != NULL && s->known;
    for (size_t k = 0; ret->known[i] && k < s->count_count; k++) {
        int c = find_candidate(e, s->counts[k].candidate);
        if (c >= 0)
            ret->votes[i][c] = s->counts[k].votes;
    }
}

int results_ask(const struct election_info *e, const struct servers *servers, bool rest,
                struct tls_context *tls, struct results *ret, struct err *err)
{
    struct client *c = mem_calloc(1, sizeof *c);
    struct model_nation *n = mem_calloc(1, sizeof *n);
    c->timeout_ms = TIMEOUT_MS;
    c->grpc_tls = c->rest_tls = tls;
    servers_copy(rest ? &c->rest : &c->grpc, servers);
    enum client_code code = client_nation(c, n, err);
    *ret = (struct results){0};
    for (uint32_t i = 0; i < e->state_count && code == CLIENT_OK; i++)
        take_state(e, find_state(n, e->states[i].names.code), i, ret);
    free(n);
    free(c);
    return code == CLIENT_OK ? 0 : -1;
}
